/*  archive_test.c - folders become archives, always the same bytes; archives of strangers become folders, or nothing. */
#include <archive.h>
#include <archive_entry.h>
#include <dirent.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <sys/stat.h>
#include <cmocka.h>
#include "common/archive/ignore.h"
#include "common/archive/pack.h"
#include "common/file.h"
#include "common/hash.h"
#include "common/tree.h"
#include "tests/unit/program.h"
#include "tests/unit/rows_put.h"
#include "worker/unpack.h"

struct fixture {
    char dir[64];
    char why[PACK_WHY_BYTES];
};

static int setup(void **state)
{
    struct fixture *self = calloc(1, sizeof(*self));
    folder_new(self->dir);
    *state = self;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *self = *state;
    folder_remove(self->dir);
    free(self);
    return 0;
}

static const char *path_in(const struct fixture *self, const char *name)
{
    static char paths[4][PATH_BYTES];
    static unsigned next;
    char *path = paths[next++ % 4];
    snprintf(path, PATH_BYTES, "%s/%s", self->dir, name);
    return path;
}

static void put_file(const struct fixture *self, const char *name, const char *text, mode_t mode)
{
    FILE *file = fopen(path_in(self, name), "w");
    assert_non_null(file);
    fputs(text, file);
    fclose(file);
    assert_int_equal(chmod(path_in(self, name), mode), 0);
}

static void put_dir(const struct fixture *self, const char *name)
{
    assert_int_equal(mkdir(path_in(self, name), 0700), 0);
}

static int pack_as(struct fixture *self, const char *dir, const char *to,
                   struct pack_options options, struct packed *packed)
{
    int fd = open(path_in(self, to), O_WRONLY | O_CREAT | O_TRUNC, 0600);
    assert_true(fd >= 0);
    int rc = pack_folder(path_in(self, dir), &options, fd, packed, self->why);
    close(fd);
    return rc;
}

static void expect_file(const struct fixture *self, const char *name, const char *text, mode_t mode)
{
    char is[256];
    struct stat file;
    assert_int_equal(file_read(path_in(self, name), is, sizeof(is)), OK);
    assert_string_equal(is, text);
    assert_int_equal(stat(path_in(self, name), &file), 0);
    assert_int_equal(file.st_mode & 07777, mode);
}

static bool is_there(const struct fixture *self, const char *name)
{
    struct stat file;
    return lstat(path_in(self, name), &file) == 0;
}

static int unpack(struct fixture *self, const char *archive, const char *name)
{
    char program[PATH_BYTES];
    program_path("rayc-unpack", program);
    const struct unpack_job job = { program, path_in(self, archive), self->dir, name, 0, 0 };
    return unpack_run(&job, self->why);
}

/*  By this process, which may have other limits. */
static int unpack_within(struct fixture *self, struct unpack_limits limits)
{
    put_dir(self, "within");
    int archive = open(path_in(self, "a"), O_RDONLY | O_CLOEXEC);
    int root = open(path_in(self, "within"), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int code = unpack_file(archive, root, &limits, self->why);
    close(archive);
    close(root);
    remove_tree(AT_FDCWD, path_in(self, "within"));
    return code;
}

/* --- patterns --------------------------------------------------------------------------------- */

static void patterns_match_as_git_s(void **state)
{
    (void)state;
    static const struct {
        const char *pattern, *path;
        bool matches;
    } cases[] = {
        { "*.o", "a.o", true },        { "*.o", "a.c", false },      { "a/*", "a/b", true },
        { "a/*", "a/b/c", false },     { "**/c", "c", true },        { "**/c", "a/b/c", true },
        { "a/**", "a/b/c", true },     { "a/**", "a", false },       { "a/**/c", "a/c", true },
        { "a/**/c", "a/x/y/c", true }, { "a**/c", "a/x/c", true },   { "x/a**c", "x/a/c", false },
        { "[a-c]?", "bz", true },      { "[!a-c]", "b", false },     { "[]]", "]", true },
        { "[[:digit:]]", "7", true },  { "[a", "a", false },         { "\\*", "*", true },
        { "\\*", "a", false },         { "*a*b*c", "xaybzc", true }, { "*a*b*c", "xaybz", false },
        { "a?c", "a/c", false },       { "**", "a/b", true },        { "", "", true },
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        if (ignore_match(cases[i].pattern, cases[i].path) != cases[i].matches) {
            fail_msg("'%s' against '%s'", cases[i].pattern, cases[i].path);
        }
    }
}

/* --- packing ---------------------------------------------------------------------------------- */

static void make_project(struct fixture *self, const char *name)
{
    char path[128];
    static const char *const dirs[] = { "", "/src", "/.git", "/empty", "/out" };
    for (size_t i = 0; i < COUNT(dirs); i++) {
        snprintf(path, sizeof(path), "%s%s", name, dirs[i]);
        put_dir(self, path);
    }
    static const struct {
        const char *name, *text;
        mode_t mode;
    } files[] = { { "run.sh", "#!/bin/sh\n", 0750 },
                  { "src/a.py", "a = 1\n", 0600 },
                  { "src/a.pyc", "no", 0600 },
                  { ".git/config", "no", 0600 },
                  { "out/large", "no", 0600 },
                  { "out/keep", "yes", 0600 },
                  { ".gitignore", "*.pyc\nout/*", 0600 },
                  { ".raycignore", "!out/keep\n", 0600 },
                  { "src/\xC3\xA9t\xC3\xA9", "utf-8", 0600 } };
    for (size_t i = 0; i < COUNT(files); i++) {
        snprintf(path, sizeof(path), "%s/%s", name, files[i].name);
        put_file(self, path, files[i].text, files[i].mode);
    }
    snprintf(path, sizeof(path), "%s/src/link", name);
    assert_int_equal(symlink("../run.sh", path_in(self, path)), 0);
}

static void a_folder_comes_back(void **state)
{
    struct fixture *self = *state;
    struct packed packed;
    make_project(self, "p");
    assert_int_equal(pack_as(self, "p", "p.zip", (struct pack_options){ 0 }, &packed), OK);
    assert_int_equal(unpack(self, "p.zip", "q"), OK);
    expect_file(self, "q/run.sh", "#!/bin/sh", 0755);
    expect_file(self, "q/src/a.py", "a = 1", 0644);
    expect_file(self, "q/out/keep", "yes", 0644);
    expect_file(self, "q/src/\xC3\xA9t\xC3\xA9", "utf-8", 0644);
    expect_file(self, "q/src/link", "#!/bin/sh", 0755);
    assert_true(is_there(self, "q/empty"));
    assert_false(is_there(self, "q/.git") || is_there(self, "q/src/a.pyc") ||
                 is_there(self, "q/out/large") || is_there(self, "q.part"));
    assert_int_equal(unpack(self, "p.zip", "q"), OK); /* it is there */
    assert_int_equal(
        pack_as(self, "p", "m.zip", (struct pack_options){ .keep_name = true }, &packed), OK);
    assert_int_equal(unpack(self, "m.zip", "m"), OK);
    expect_file(self, "m/p/src/a.py", "a = 1", 0644);
}

static void the_same_content_is_the_same_archive(void **state)
{
    struct fixture *self = *state;
    struct packed packed;
    char one[HASH_TEXT_BYTES], two[HASH_TEXT_BYTES];
    uint64_t bytes;
    make_project(self, "p");
    assert_int_equal(pack_as(self, "p", "p.zip", (struct pack_options){ 0 }, &packed), OK);
    assert_int_equal(file_hash(path_in(self, "p.zip"), one, &bytes), OK);
    make_project(self, "q");
    struct timespec times[2] = { { .tv_sec = 1000000000 }, { .tv_sec = 1000000000 } };
    assert_int_equal(utimensat(AT_FDCWD, path_in(self, "q/run.sh"), times, 0), 0);
    assert_int_equal(chmod(path_in(self, "q/src/a.py"), 0664), 0);
    setenv("TZ", "Asia/Tokyo", 1);
    tzset();
    assert_int_equal(pack_as(self, "q", "q.zip", (struct pack_options){ 0 }, &packed), OK);
    unsetenv("TZ");
    assert_int_equal(file_hash(path_in(self, "q.zip"), two, &bytes), OK);
    assert_string_equal(one, two);
    put_file(self, "q/src/a.py", "a = 2\n", 0600);
    assert_int_equal(pack_as(self, "q", "q.zip", (struct pack_options){ 0 }, &packed), OK);
    assert_int_equal(file_hash(path_in(self, "q.zip"), two, &bytes), OK);
    assert_string_not_equal(one, two);
}

static void what_cannot_be_packed_is_told(void **state)
{
    struct fixture *self = *state;
    struct packed packed;
    make_project(self, "p");
    assert_int_equal(pack_as(self, "none", "x", (struct pack_options){ 0 }, &packed),
                     ERR_NOT_FOUND);
    put_file(self, "p/weights.bin", "01234567890123456789012345678901234567890123456789", 0600);
    struct pack_options small = { .bytes_max = 60 };
    assert_int_equal(pack_as(self, "p", "x", small, &packed), ERR_TOO_LARGE);
    assert_non_null(strstr(self->why, "weights.bin"));
    const char *excludes[] = { "*.bin", NULL };
    small.excludes = excludes;
    assert_int_equal(pack_as(self, "p", "x", small, &packed), OK);
    assert_int_equal(symlink("../../etc", path_in(self, "p/src/etc")), 0);
    assert_int_equal(pack_as(self, "p", "x", (struct pack_options){ 0 }, &packed), ERR_INVALID);
    assert_non_null(strstr(self->why, "src/etc: a link that leads out"));
}

/* --- unpacking what strangers send ------------------------------------------------------------- */

struct entry {
    const char *name, *text; /* text: of a file, or where a link leads */
    mode_t type, perm;
    const char *hard; /* a hard link to this */
    size_t zeros;     /* instead of text */
};

static void write_archive(struct fixture *self, const char *to, const struct entry *entries,
                          bool zip)
{
    struct archive *out = archive_write_new();
    if (zip) {
        archive_write_set_format_zip(out);
    } else {
        archive_write_set_format_pax_restricted(out);
        archive_write_add_filter_gzip(out);
    }
    assert_int_equal(archive_write_open_filename(out, path_in(self, to)), ARCHIVE_OK);
    for (const struct entry *from = entries; from->name; from++) {
        struct archive_entry *entry = archive_entry_new();
        size_t n = from->zeros ? from->zeros : from->text ? strlen(from->text) : 0;
        archive_entry_copy_pathname(entry, from->name);
        archive_entry_set_filetype(entry, from->type ? from->type : AE_IFREG);
        archive_entry_set_perm(entry, from->perm ? from->perm : 0644);
        archive_entry_set_size(entry, from->type && from->type != AE_IFREG ? 0 : (int64_t)n);
        if (from->type == AE_IFLNK) {
            archive_entry_copy_symlink(entry, from->text);
        }
        if (from->hard) {
            archive_entry_copy_hardlink(entry, from->hard);
        }
        archive_write_header(out, entry);
        static const uint8_t zeros[1 << 20];
        for (size_t left = from->zeros; left > 0;
             left -= left < sizeof(zeros) ? left : sizeof(zeros)) {
            archive_write_data(out, zeros, left < sizeof(zeros) ? left : sizeof(zeros));
        }
        if (!from->zeros && (!from->type || from->type == AE_IFREG) && !from->hard) {
            archive_write_data(out, from->text, n);
        }
        archive_entry_free(entry);
    }
    archive_write_close(out);
    archive_write_free(out);
}

static void refuse(struct fixture *self, const struct entry *entries, int code, const char *text)
{
    for (int zip = 0; zip < 2; zip++) {
        bool only_tar = false;
        for (const struct entry *entry = entries; entry->name; entry++) {
            only_tar =
                only_tar || entry->hard || entry->type == AE_IFIFO || entry->type == AE_IFCHR;
        }
        if (zip && only_tar) {
            continue;
        }
        write_archive(self, "bad", entries, zip);
        int rc = unpack(self, "bad", "out");
        if (rc != code || strstr(self->why, text) == NULL) {
            fail_msg("%d, '%s' instead of %d, '%s'", rc, self->why, code, text);
        }
        assert_false(is_there(self, "out") || is_there(self, "out.part"));
    }
}

#define PLAIN(n, t)                                                                                \
    {                                                                                              \
        .name = (n), .text = (t)                                                                   \
    }
#define LINK(n, t)                                                                                 \
    {                                                                                              \
        .name = (n), .text = (t), .type = AE_IFLNK                                                 \
    }
#define ENTRIES(...)                                                                               \
    (const struct entry[])                                                                         \
    {                                                                                              \
        __VA_ARGS__,                                                                               \
        {                                                                                          \
            .name = NULL                                                                           \
        }                                                                                          \
    }

static void names_that_lead_out_are_refused(void **state)
{
    struct fixture *self = *state;
    refuse(self, ENTRIES(PLAIN("/etc/x", "x")), ERR_INVALID, "absolute");
    refuse(self, ENTRIES(PLAIN("../x", "x")), ERR_INVALID, "..");
    refuse(self, ENTRIES(PLAIN("a", "ok"), PLAIN("a/../../x", "x")), ERR_INVALID, "..");
    refuse(self, ENTRIES(PLAIN("a\nb", "x")), ERR_INVALID, "control");
    refuse(self, ENTRIES(PLAIN("a", "1"), PLAIN("a", "2")), ERR_INVALID, "twice");
    refuse(self, ENTRIES(PLAIN("a", "1"), PLAIN("a/b", "2")), ERR_INVALID, "a/b");
    char name[1100];
    memset(name, 'x', sizeof(name));
    name[1099] = 0;
    refuse(self, ENTRIES(PLAIN(name, "1")), ERR_INVALID, "too long");
    for (size_t i = 0; i + 1 < sizeof(name); i += 2) {
        name[i + 1] = '/';
    }
    name[1098] = 0;
    refuse(self, ENTRIES(PLAIN(name, "1")), ERR_INVALID, "too deep");
}

static void links_stay_inside(void **state)
{
    struct fixture *self = *state;
    refuse(self, ENTRIES(LINK("a", "/etc/passwd")), ERR_INVALID, "leads out");
    refuse(self, ENTRIES(LINK("a/b", "../../x")), ERR_INVALID, "leads out");
    refuse(self, ENTRIES(LINK("a", "b"), LINK("b", "a")), ERR_INVALID, "itself");
    refuse(self, ENTRIES(LINK("a", "d"), PLAIN("d/x", "1"), PLAIN("a/y", "2")), ERR_INVALID, "a");
    /*  By its words each of them stays inside; together they do not. */
    refuse(self,
           ENTRIES(PLAIN("d/e/f", "1"), LINK("d/up", "e/.."), LINK("s", "d/e"),
                   LINK("d/e/l", "../../s/../../..")),
           ERR_INVALID, "leads out");
    write_archive(self, "good",
                  ENTRIES(PLAIN("d/x", "1"), LINK("d/l", "../d/./x"), LINK("gone", "not/there")),
                  false);
    assert_int_equal(unpack(self, "good", "out"), OK);
    expect_file(self, "out/d/l", "1", 0644);
}

static void only_files_folders_and_links(void **state)
{
    struct fixture *self = *state;
    refuse(self, ENTRIES(PLAIN("a", "1"), { .name = "b", .hard = "a" }), ERR_INVALID, "hard link");
    refuse(self, ENTRIES({ .name = "p", .type = AE_IFIFO }), ERR_INVALID, "neither");
    refuse(self, ENTRIES({ .name = "c", .type = AE_IFCHR }), ERR_INVALID, "neither");
    write_archive(self, "suid", ENTRIES({ .name = "a", .text = "1", .perm = 06777 }), false);
    assert_int_equal(unpack(self, "suid", "out"), OK);
    expect_file(self, "out/a", "1", 0755);
}

static void bombs_are_refused(void **state)
{
    struct fixture *self = *state;
    refuse(self, ENTRIES({ .name = "zeros", .zeros = 80 << 20 }), ERR_TOO_LARGE, "bomb");
    struct unpack_limits limits = { .bytes_max = 10, .entries_max = 2, .ratio_max = 200 };
    write_archive(self, "a", ENTRIES(PLAIN("a", "123456"), PLAIN("b", "123456")), true);
    assert_int_equal(unpack_within(self, limits), ERR_TOO_LARGE);
    limits.bytes_max = 100;
    write_archive(self, "a", ENTRIES(PLAIN("a", "1"), PLAIN("b", "2"), PLAIN("c", "3")), true);
    assert_int_equal(unpack_within(self, limits), ERR_TOO_LARGE);
    assert_non_null(strstr(self->why, "more files"));
    assert_false(is_there(self, "out") || is_there(self, "out.part"));
}

static void damage_is_told(void **state)
{
    struct fixture *self = *state;
    put_file(self, "text", "this is no archive at all", 0600);
    assert_int_equal(unpack(self, "text", "out"), ERR_INVALID);
    assert_int_equal(unpack(self, "nothing", "out"), ERR_SYSTEM);
    make_project(self, "p");
    struct packed packed;
    assert_int_equal(pack_as(self, "p", "p.zip", (struct pack_options){ 0 }, &packed), OK);
    assert_int_equal(truncate(path_in(self, "p.zip"), 300), 0);
    assert_int_equal(unpack(self, "p.zip", "out"), ERR_INVALID);
    assert_false(is_there(self, "out") || is_there(self, "out.part"));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(patterns_match_as_git_s),
        TEST(a_folder_comes_back),
        TEST(the_same_content_is_the_same_archive),
        TEST(what_cannot_be_packed_is_told),
        TEST(names_that_lead_out_are_refused),
        TEST(links_stay_inside),
        TEST(only_files_folders_and_links),
        TEST(bombs_are_refused),
        TEST(damage_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
