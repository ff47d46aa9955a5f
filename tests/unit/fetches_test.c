/*  fetches_test.c - programs on their way to a node: pieces in order, again after a loss, and only what is right. */
#include "worker/programs.h"

#include <ftw.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>
#include "common/file.h"
#include "common/hash.h"

enum { TOTAL = 5 * CHUNK_MAX + 1000 };

struct world {
    char dir[64], path[256], hash[HASH_TEXT_BYTES];
    uint8_t *program;
    struct fetches *fetches;
};

static int setup(void **state)
{
    static struct world world;
    struct world *self = &world;
    struct hash sum;
    char programs[128], name[128];
    *self = (struct world){ .dir = "/tmp/rayc-fetches-XXXXXX", .program = malloc(TOTAL) };
    if (!mkdtemp(self->dir) || !self->program) {
        return -1;
    }
    for (size_t i = 0; i < TOTAL; i++) {
        self->program[i] = (uint8_t)(i * 7 >> 3);
    }
    hash_begin(&sum);
    hash_add(&sum, self->program, TOTAL);
    hash_end(&sum, self->hash);
    snprintf(name, sizeof(name), "programs/%s", self->hash);
    *state = self;
    return file_path(programs, sizeof(programs), self->dir, "programs") ||
           file_path(self->path, sizeof(self->path), self->dir, name) ||
           file_make_dir(programs, 0700) || fetches_open(&self->fetches, self->dir);
}

static int remove_one(const char *path, const struct stat *info, int kind, struct FTW *place)
{
    (void)info;
    (void)kind;
    (void)place;
    return remove(path);
}

static int teardown(void **state)
{
    struct world *self = *state;
    fetches_close(&self->fetches);
    free(self->program);
    return nftw(self->dir, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

static void answer(struct world *self, const struct msg_program_get *get)
{
    size_t left = TOTAL - (size_t)get->offset;
    fetches_on_data(self->fetches, &(struct msg_program_data){
                                       .hash = get->hash,
                                       .offset = get->offset,
                                       .total = TOTAL,
                                       .data = slice_of(self->program + get->offset,
                                                        left < CHUNK_MAX ? left : CHUNK_MAX) });
}

static struct program_news fetch_all(struct world *self)
{
    struct msg_program_get get;
    struct program_news news;
    while (!fetches_next(self->fetches, &news)) {
        assert_true(fetches_ask(self->fetches, &get));
        answer(self, &get);
    }
    return news;
}

static void comes_whole(void **state)
{
    struct world *self = *state;
    struct program_news news;
    struct msg_program_get get;
    struct stat info;
    fetches_want(self->fetches, self->hash);
    fetches_want(self->fetches, self->hash);        /* another spec of the same program */
    assert_false(fetches_ask(self->fetches, &get)); /* there is no head */
    fetches_joined(self->fetches, true);
    news = fetch_all(self);
    assert_int_equal(news.code, OK);
    assert_string_equal(news.hash, self->hash);
    assert_false(fetches_next(self->fetches, &news));
    assert_int_equal(stat(self->path, &info), 0);
    assert_int_equal(info.st_size, TOTAL);
    assert_int_equal(info.st_mode & 0777, 0755); /* its folder says who gets there */
    fetches_want(self->fetches, self->hash);     /* it is here now */
    assert_true(fetches_next(self->fetches, &news));
    assert_int_equal(news.code, OK);
}

static void asks_again(void **state)
{
    struct world *self = *state;
    struct msg_program_get get, lost;
    fetches_joined(self->fetches, true);
    fetches_want(self->fetches, self->hash);
    assert_true(fetches_ask(self->fetches, &get));
    answer(self, &get);
    uint32_t ahead = 0;
    while (fetches_ask(self->fetches, &lost)) { /* these are lost with the connection */
        ahead++;
    }
    assert_int_equal(ahead, 4);
    fetches_joined(self->fetches, false);
    assert_false(fetches_ask(self->fetches, &get));
    fetches_joined(self->fetches, true);
    assert_true(fetches_ask(self->fetches, &get));
    assert_int_equal(get.offset, CHUNK_MAX);
    fetches_on_time(self->fetches, 60 * 1000); /* lost, too, and nobody says so */
    assert_true(fetches_ask(self->fetches, &get));
    assert_int_equal(get.offset, CHUNK_MAX);
    answer(self, &get);
    assert_int_equal(fetch_all(self).code, OK);
}

static void refuses_another_content(void **state)
{
    struct world *self = *state;
    fetches_joined(self->fetches, true);
    fetches_want(self->fetches, self->hash);
    self->program[TOTAL - 1]++;
    assert_int_equal(fetch_all(self).code, ERR_CONFLICT);
    assert_int_not_equal(access(self->path, F_OK), 0);
    self->program[TOTAL - 1]--;
    fetches_want(self->fetches, self->hash);
    assert_int_equal(fetch_all(self).code, OK);
}

static void tells_what_the_head_lacks(void **state)
{
    struct world *self = *state;
    struct program_news news;
    fetches_joined(self->fetches, true);
    fetches_want(self->fetches, self->hash);
    fetches_on_data(self->fetches, &(struct msg_program_data){ .hash = slice_text(self->hash) });
    assert_true(fetches_next(self->fetches, &news));
    assert_int_equal(news.code, ERR_NOT_FOUND);
    fetches_want(self->fetches, "../../etc/passwd");
    assert_true(fetches_next(self->fetches, &news));
    assert_int_equal(news.code, ERR_INVALID);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(comes_whole, setup, teardown),
        cmocka_unit_test_setup_teardown(asks_again, setup, teardown),
        cmocka_unit_test_setup_teardown(refuses_another_content, setup, teardown),
        cmocka_unit_test_setup_teardown(tells_what_the_head_lacks, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
