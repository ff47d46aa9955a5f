/*  packages_test.c - packages of a node: unpacked by a thread, once for each user, removed when nothing needs them; and the
    variables of a runtime environment. */
#include "worker/packages.h"

#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>
#include "common/archive/pack.h"
#include "common/file.h"
#include "tests/unit/program.h"
#include "tests/unit/rows_put.h"
#include "worker/command.h"

struct fixture {
    char dir[64];
    struct packages *packages;
};

static int reopen_with(struct fixture *self, uint64_t bytes_max, uint32_t most)
{
    static const struct confine confine = { 0 };
    static char unpack[PATH_BYTES];
    program_path("rayc-unpack", unpack);
    const struct packages_options options = { .dir = self->dir,
                                              .bytes_max = bytes_max,
                                              .most = most,
                                              .confine = &confine,
                                              .unpack = unpack };
    packages_close(&self->packages);
    return packages_open(&self->packages, &options);
}

static int reopen(struct fixture *self)
{
    return reopen_with(self, 1, 0);
}

static int setup(void **state)
{
    struct fixture *self = calloc(1, sizeof(*self));
    char path[PATH_BYTES];
    folder_new(self->dir);
    snprintf(path, sizeof(path), "%s/programs", self->dir);
    *state = self;
    return file_make_dir(path, 0700) || reopen(self);
}

static int teardown(void **state)
{
    struct fixture *self = *state;
    packages_close(&self->packages);
    folder_remove(self->dir);
    free(self);
    return 0;
}

/*  As if it had been fetched. */
static void put_archive(const struct fixture *self, const char *hash, bool damaged)
{
    char path[PATH_BYTES], why[PACK_WHY_BYTES];
    snprintf(path, sizeof(path), "%s/source", self->dir);
    assert_int_equal(file_make_dir(path, 0700), OK);
    snprintf(path, sizeof(path), "%s/source/main.py", self->dir);
    assert_int_equal(file_write(path, "pass\n", 5, 0600), OK);
    snprintf(path, sizeof(path), "%s/programs/%s", self->dir, hash);
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    struct packed packed;
    struct pack_options options = { 0 };
    snprintf(path, sizeof(path), "%s/source", self->dir);
    assert_int_equal(pack_folder(path, &options, fd, &packed, why), OK);
    assert_int_equal(damaged ? ftruncate(fd, 40) : 0, 0);
    close(fd);
}

static struct package_news news_of(struct fixture *self)
{
    struct package_news news = { 0 };
    struct pollfd fd = { packages_fd(self->packages), POLLIN, 0 };
    while (!packages_next(self->packages, &news)) {
        assert_int_equal(poll(&fd, 1, -1), 1);
    }
    return news;
}

static void fetched(struct fixture *self, const char *hash, int code, const char *text)
{
    struct program_news news = { .code = code, .text = text };
    snprintf(news.hash, sizeof(news.hash), "%s", hash);
    packages_fetched(self->packages, &news);
}

static bool is_there(const struct fixture *self, const char *hash, uint64_t user)
{
    char path[PATH_BYTES], file[PATH_BYTES];
    package_path(self->dir, hash, user, path, sizeof(path));
    return file_path(file, sizeof(file), path, "main.py") == OK && access(file, R_OK) == 0;
}

static void each_user_has_its_own(void **state)
{
    struct fixture *self = *state;
    put_archive(self, "aa", false);
    packages_want(self->packages, "aa", 1);
    packages_want(self->packages, "aa", 2);
    fetched(self, "aa", OK, "");
    assert_int_equal(news_of(self).code, OK);
    assert_int_equal(news_of(self).code, OK);
    assert_true(is_there(self, "aa", 1) && is_there(self, "aa", 2));
    char archive[PATH_BYTES];
    snprintf(archive, sizeof(archive), "%s/programs/aa", self->dir);
    assert_int_not_equal(access(archive, F_OK), 0); /* it has done its duty */
}

static void failures_are_told(void **state)
{
    struct fixture *self = *state;
    put_archive(self, "bad", true);
    packages_want(self->packages, "bad", 1);
    fetched(self, "bad", OK, "");
    struct package_news news = news_of(self);
    assert_int_equal(news.code, ERR_INVALID);
    assert_non_null(strstr(news.text, "package bad: "));
    assert_false(is_there(self, "bad", 1));
    packages_want(self->packages, "none", 1);
    fetched(self, "none", ERR_NOT_FOUND, "the head does not have the program");
    news = news_of(self);
    assert_int_equal(news.code, ERR_NOT_FOUND);
}

static bool needs(const void *context, const char *hash, uint64_t user)
{
    return user == 1 && strcmp(hash, context) == 0;
}

static void what_nothing_needs_goes(void **state)
{
    struct fixture *self = *state; /* room for one byte */
    static const char *const hashes[] = { "aa", "bb" };
    for (size_t i = 0; i < COUNT(hashes); i++) {
        put_archive(self, hashes[i], false);
        packages_want(self->packages, hashes[i], 1);
        fetched(self, hashes[i], OK, "");
        assert_int_equal(news_of(self).code, OK);
    }
    packages_evict(self->packages, needs, "aa");
    struct package_news news = news_of(self);
    assert_int_equal(news.code, ERR_CLOSED);
    assert_string_equal(news.hash, "bb");
    put_archive(self, "bb", false);
    packages_want(self->packages, "bb", 1); /* at once again */
    fetched(self, "bb", OK, "");
    assert_int_equal(news_of(self).code, OK);
    assert_true(is_there(self, "aa", 1) && is_there(self, "bb", 1));
}

static bool is_stored(const struct fixture *self, const char *hash)
{
    char path[PATH_BYTES];
    snprintf(path, sizeof(path), "%s/programs/%s", self->dir, hash);
    return access(path, F_OK) == 0;
}

static void put_program(struct fixture *self, const char *hash)
{
    put_archive(self, hash, false); /* the bytes do not matter */
    packages_want_program(self->packages, hash);
    fetched(self, hash, OK, "");
}

/*  Whoever names a program as a package does not take it away from those who run it. */
static void a_program_may_be_a_package(void **state)
{
    struct fixture *self = *state;
    put_program(self, "aa");
    packages_want(self->packages, "aa", 1);
    fetched(self, "aa", OK, "");
    assert_int_equal(news_of(self).code, OK);
    assert_true(is_there(self, "aa", 1) && is_stored(self, "aa"));
}

static void programs_share_the_limit(void **state)
{
    struct fixture *self = *state; /* room for one byte */
    struct package_news news;
    put_program(self, "aa");
    packages_want(self->packages, "aa", 1); /* its archive is on its way */
    packages_evict(self->packages, needs, "");
    assert_true(is_stored(self, "aa"));
    fetched(self, "aa", OK, "");
    assert_false(news_of(self).program);
    put_program(self, "bb");
    packages_evict(self->packages, needs, "aa"); /* user 1 needs the package */
    for (int i = 0; i < 2; i++) {
        news = news_of(self);
        assert_true(news.program);
        assert_int_equal(news.code, ERR_CLOSED);
        assert_false(is_stored(self, news.hash));
    }
    assert_true(is_there(self, "aa", 1));
    put_program(self, "bb"); /* wanted again */
    assert_true(is_stored(self, "bb"));
    assert_false(packages_next(self->packages, &news));
}

static void small_ones_count_too(void **state)
{
    struct fixture *self = *state;
    assert_int_equal(reopen_with(self, 0, 1), OK);
    put_program(self, "aa");
    put_program(self, "bb");
    packages_evict(self->packages, needs, "");
    assert_true(!is_stored(self, "aa") && is_stored(self, "bb"));
}

/*  Nobody knows of them but the folder. */
static void those_of_an_earlier_worker_count(void **state)
{
    struct fixture *self = *state;
    static const char old[] = "00000000000000000000000000000000000000000000000000000000000000aa",
                      used[] = "00000000000000000000000000000000000000000000000000000000000000bb";
    struct package_news news;
    put_archive(self, old, false);
    put_archive(self, used, false);
    assert_int_equal(reopen(self), OK);
    packages_want_program(self->packages, used);
    packages_evict(self->packages, needs, "");
    assert_true(is_stored(self, used) && !is_stored(self, old));
    assert_false(packages_next(self->packages, &news));
    fetched(self, used, ERR_NOT_FOUND, "");
    assert_false(packages_next(self->packages, &news)); /* the core has heard it already */
}

static void variables_follow_ray(void **state)
{
    (void)state;
    static const struct {
        const char *entry, *value;
    } cases[] = {
        { "A=plain", "plain" },
        { "A=$HOME/x", "/home/me/x" },
        { "A=${HOME}x", "/home/mex" },
        { "A=$NONE", "$NONE" },
        { "A=${NONE}-", "-" },
        { "A=${none}", "${none}" },
        { "A=$", "$" },
        { "A=${", "${" },
        { "A=$$HOME", "$/home/me" },
        { "HOME=$HOME:more", "/home/me:more" },
    };
    static const char *const own[] = { "HOME=/home/me", NULL };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct environment env;
        environment_inherit(&env, own, true);
        environment_expand(&env, cases[i].entry);
        char name[8];
        snprintf(name, sizeof(name), "%.*s", (int)strcspn(cases[i].entry, "="), cases[i].entry);
        assert_string_equal(environment_get(&env, name), cases[i].value);
        environment_fini(&env);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(each_user_has_its_own, setup, teardown),
        cmocka_unit_test_setup_teardown(failures_are_told, setup, teardown),
        cmocka_unit_test_setup_teardown(what_nothing_needs_goes, setup, teardown),
        cmocka_unit_test_setup_teardown(a_program_may_be_a_package, setup, teardown),
        cmocka_unit_test_setup_teardown(programs_share_the_limit, setup, teardown),
        cmocka_unit_test_setup_teardown(small_ones_count_too, setup, teardown),
        cmocka_unit_test_setup_teardown(those_of_an_earlier_worker_count, setup, teardown),
        cmocka_unit_test(variables_follow_ray),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
