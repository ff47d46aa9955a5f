/*  followers_test.c - long logs are sent in parts, in turns, and the answer to a WATCH comes after them. */
#include "head/followers.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <cmocka.h>
#include "tests/unit/rows_put.h"

enum { PEERS = 8, LARGE = 3 * MIB };

static char dir[64];
static struct log_files files;
static struct followers *followers;
static struct {
    uint64_t bytes, offset; /* told; where the next byte must be */
} told[PEERS];

static void on_say(void *context, uint32_t peer, enum msg_kind kind, const void *msg)
{
    const struct msg_job_log *log = msg;
    (void)context;
    assert_int_equal(kind, MSG_JOB_LOG);
    assert_true(log->offset == told[peer].offset);
    told[peer].bytes += log->data.n;
    told[peer].offset += log->data.n;
}

static int setup(void **state)
{
    (void)state;
    folder_new(dir);
    memset(told, 0, sizeof(told));
    assert_int_equal(log_files_init(&files, dir, 0), OK);
    const struct followers_to to = { .say = on_say, .files = &files };
    return followers_open(&followers, &to);
}

static int teardown(void **state)
{
    (void)state;
    followers_close(&followers);
    folder_remove(dir);
    return 0;
}

static void put(uint64_t job, size_t bytes)
{
    const struct log_name name = { .job = job };
    char path[PATH_BYTES];
    char *text = malloc(bytes);
    assert_non_null(text);
    memset(text, 'x', bytes);
    assert_int_equal(log_path(&files, &name, 0, path), OK);
    assert_int_equal(file_write(path, text, bytes, 0600), OK);
    free(text);
}

static void watch(uint32_t peer, uint64_t seq, uint64_t job)
{
    bool answers = false;
    const struct msg_watch msg = { .seq = seq, .job = job };
    assert_int_equal(followers_watch(followers, peer, &msg, &answers), OK);
    assert_true(answers);
}

static void expect_answer(uint32_t peer, uint64_t seq)
{
    uint32_t who = 0;
    struct msg_watch msg = { 0 };
    assert_true(followers_next(followers, &who, &msg));
    assert_int_equal(who, peer);
    assert_true(msg.seq == seq);
}

static void expect_none(void)
{
    uint32_t peer;
    struct msg_watch msg;
    assert_false(followers_next(followers, &peer, &msg));
}

static void a_long_log_takes_turns(void **state)
{
    (void)state;
    put(1, LARGE);
    watch(1, 10, 1);
    for (uint64_t turn = 1; turn <= LARGE / LOG_CHUNK_MAX; turn++) {
        assert_true(followers_turn(followers));
        assert_true(told[1].bytes == turn * LOG_CHUNK_MAX);
        expect_none(); /* not before all that there is */
    }
    assert_true(followers_turn(followers));
    expect_answer(1, 10);
    assert_false(followers_turn(followers));
    expect_none();
}

static void short_ones_do_not_wait_for_long_ones(void **state)
{
    (void)state;
    put(1, LARGE);
    put(2, 5);
    for (uint32_t peer = 0; peer < PEERS - 1; peer++) {
        watch(peer, peer, 1);
    }
    watch(PEERS - 1, 20, 2);
    assert_true(followers_turn(followers));
    assert_true(told[0].bytes == LOG_CHUNK_MAX && told[3].bytes == LOG_CHUNK_MAX);
    assert_true(told[4].bytes == 0); /* a turn has a limit */
    assert_true(followers_turn(followers));
    assert_true(told[4].bytes == LOG_CHUNK_MAX && told[0].bytes <= 2 * LOG_CHUNK_MAX);
    assert_true(told[PEERS - 1].bytes == 5);
    expect_answer(PEERS - 1, 20);
    for (uint32_t turn = 0; turn < 2 * LARGE / LOG_CHUNK_MAX; turn++) {
        (void)followers_turn(followers);
    }
    for (uint32_t peer = 0; peer < PEERS - 1; peer++) {
        assert_true(told[peer].bytes == LARGE);
        expect_answer(peer, peer);
    }
    assert_false(followers_turn(followers));
}

static void what_grows_is_sent_in_the_next_turn(void **state)
{
    (void)state;
    put(1, 10);
    watch(1, 10, 1);
    (void)followers_turn(followers);
    expect_answer(1, 10);
    put(1, 30);
    assert_false(followers_turn(followers)); /* nobody said so */
    followers_grew(followers, &(struct log_name){ .job = 1 });
    assert_false(followers_turn(followers));
    assert_true(told[1].bytes == 30);
}

static void the_newer_of_two_is_answered(void **state)
{
    (void)state;
    put(1, LARGE);
    watch(1, 10, 1);
    assert_true(followers_turn(followers));
    told[1].offset = 0;
    watch(1, 11, 1);
    while (followers_turn(followers) && told[1].offset < LARGE) {}
    (void)followers_turn(followers);
    expect_answer(1, 11);
    expect_none();
    followers_gone(followers, 1);
    followers_grew(followers, &(struct log_name){ .job = 1 });
    assert_false(followers_turn(followers));
}

static void without_output_the_answer_is_due(void **state)
{
    (void)state;
    bool answers = true;
    const struct msg_watch msg = { .seq = 1, .job = 1, .offset = UINT64_MAX };
    assert_int_equal(followers_watch(followers, 1, &msg, &answers), OK);
    assert_false(answers);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_long_log_takes_turns),
        TEST(short_ones_do_not_wait_for_long_ones),
        TEST(what_grows_is_sent_in_the_next_turn),
        TEST(the_newer_of_two_is_answered),
        TEST(without_output_the_answer_is_due),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
