/*  logs_test.c - each byte of a driver's output is in its log once, whoever was restarted. */
#include "head/logs.h"

#include <dirent.h>
#include <fcntl.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <time.h>
#include <cmocka.h>
#include "tests/unit/rows_put.h"

struct fixture {
    char dir[64];
    struct logs *logs;
};

static int setup(void **state)
{
    struct fixture *self = calloc(1, sizeof(*self));
    folder_new(self->dir);
    assert_int_equal(logs_open(&self->logs, self->dir, (struct logs_limits){ .log = 100 }), OK);
    *state = self;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *self = *state;
    logs_close(&self->logs);
    folder_remove(self->dir);
    free(self);
    return 0;
}

static void reopen(struct fixture *self)
{
    logs_close(&self->logs);
    assert_int_equal(logs_open(&self->logs, self->dir, (struct logs_limits){ .log = 100 }), OK);
}

/*  Appends, and expects what is wanted next. */
static void append(struct fixture *self, uint64_t token, uint64_t offset, const char *text,
                   uint64_t next)
{
    struct msg_log piece = { .job = 3, .token = token, .offset = offset, .data = slice_text(text) };
    uint64_t wanted = 0;
    assert_int_equal(logs_append(self->logs, &piece, true, &wanted), OK);
    assert_int_equal(wanted, next);
}

/*  All of a log from `offset` on. */
static void expect_of(struct fixture *self, const struct log_name *name, uint64_t offset,
                      const char *text)
{
    uint8_t bytes[512];
    struct wire to = { bytes, 0, sizeof(bytes) - 1, false };
    for (size_t before = NONE; before != to.n; offset += to.n - before) {
        before = to.n;
        assert_int_equal(log_read(logs_files(self->logs), name, &offset, &to), OK);
    }
    bytes[to.n] = 0;
    assert_string_equal((char *)bytes, text);
}

static void expect(struct fixture *self, uint64_t offset, const char *text)
{
    expect_of(self, &(struct log_name){ .job = 3 }, offset, text);
}

static void bytes_are_written_once(void **state)
{
    struct fixture *self = *state;
    expect(self, 0, "");
    append(self, 10, 0, "one ", 4);
    append(self, 10, 0, "one ", 4);
    append(self, 10, 8, "gap", 4);
    append(self, 10, 2, "e two ", 8);
    append(self, 10, 8, "", 8);
    append(self, 10, 8, "three", 13);
    expect(self, 0, "one two three");
    expect(self, 8, "three");
    expect(self, 13, "");
    expect(self, 99, "");
}

static void restart_knows_where_it_was(void **state)
{
    struct fixture *self = *state;
    append(self, 10, 0, "first ", 6);
    append(self, 20, 0, "second", 6);
    reopen(self);
    append(self, 20, 0, "second", 6);
    append(self, 20, 6, "!", 7);
    expect(self, 0, "first \n[rayc: the job runs again]\nsecond!");
}

static void overtaken_attempts_are_dropped(void **state)
{
    struct fixture *self = *state;
    append(self, 10, 0, "first ", 6);
    append(self, 20, 0, "second", 6);
    append(self, 10, 6, "late", 10);
    expect(self, 0, "first \n[rayc: the job runs again]\nsecond");
}

/*  Limits of 100 bytes: 50, then parts of 25. */
static void large_logs_keep_both_ends(void **state)
{
    struct fixture *self = *state;
    char text[51];
    memset(text, 'x', 50);
    text[50] = 0;
    append(self, 10, 0, text, 50);
    append(self, 10, 50, "0123456789abcdefghijklmno", 75);
    append(self, 10, 75, "A123456789abcdefghijklmnoB", 101);
    expect(self, 48, "xxA123456789abcdefghijklmnoB"); /* what began with 0 went when B came */
    append(self, 10, 101, "123456789abcdefghijklmnoC", 126);
    reopen(self);
    expect(self, 48, "xxB123456789abcdefghijklmnoC");
    append(self, 10, 120, "klmnoCD", 127);
    expect(self, 101, "123456789abcdefghijklmnoCD");
    memset(text, 'y', 50);
    for (uint64_t at = 127; at < 1127; at += 50) {
        append(self, 10, at, text, at + 50);
    }
    DIR *names = opendir(self->dir);
    int files = 0;
    while (readdir(names)) {
        files++;
    }
    closedir(names);
    assert_int_equal(files, 2 + 4); /* its beginning, two parts, the mark */
    append(self, 20, 0, "more", 4);
    expect(self, 1127, "\n[rayc: the job runs again]\nmore");
}

static void what_is_lost_is_told(void **state)
{
    struct fixture *self = *state;
    struct msg_log piece = { .job = 3, .token = 10, .offset = 4, .data = slice_text("five") };
    uint64_t next = 0;
    append(self, 10, 0, "one", 3);
    piece.kept =
        4; /* "one" was the beginning of what the head had acknowledged before its disk failed */
    assert_int_equal(logs_append(self->logs, &piece, true, &next), OK);
    assert_int_equal(next, 8);
    reopen(self);
    append(self, 10, 4, "five", 8);
    append(self, 10, 8, "!", 9);
    expect(self, 0, "one\n[rayc: 1 bytes were lost here]\nfive!");
}

/*  An attempt has a log of its own; only a current one begins it, and only that one goes on with it. */
static void attempts_have_their_own(void **state)
{
    struct fixture *self = *state;
    struct log_name first = { 3, 0x10000000005, 1 }, second = { 3, 0x10000000005, 2 };
    struct msg_log piece = {
        .job = 3, .task = first.task, .attempt = 1, .token = 7, .data = slice_text("one")
    };
    uint64_t next;
    assert_int_equal(logs_append(self->logs, &piece, false, &next), OK);
    assert_int_equal(next, 3);
    expect_of(self, &first, 0, "");
    assert_int_equal(logs_append(self->logs, &piece, true, &next), OK);
    piece.offset = 3;
    piece.data = slice_text(" more");
    assert_int_equal(logs_append(self->logs, &piece, false, &next), OK);
    assert_int_equal(next, 8);
    piece.token = 8; /* not current: nobody knows it */
    assert_int_equal(logs_append(self->logs, &piece, false, &next), OK);
    expect_of(self, &first, 0, "one more");
    piece.offset = 0;
    assert_int_equal(logs_append(self->logs, &piece, true, &next),
                     OK); /* returned, and leased again */
    expect_of(self, &first, 0, "one more\n[rayc: the attempt runs again]\n more");
    piece.attempt = 2;
    piece.token = 9;
    assert_int_equal(logs_append(self->logs, &piece, true, &next), OK);
    expect_of(self, &second, 0, " more");
    expect(self, 0, "");
    logs_remove(self->logs, 3);
    expect_of(self, &first, 0, "");
    expect_of(self, &second, 0, "");
}

/*  The thread removes the one that has not grown for longest. */
static void all_together_have_a_limit(void **state)
{
    struct fixture *self = *state;
    char path[128];
    logs_close(&self->logs);
    struct logs_limits limits = { .log = 100, .all = 60 };
    assert_int_equal(logs_open(&self->logs, self->dir, limits), OK);
    for (uint64_t job = 1; job <= 3; job++) {
        struct msg_log piece = { .job = job, .token = 1, .data = slice_text("0123456789") };
        uint64_t next;
        assert_int_equal(logs_append(self->logs, &piece, true, &next), OK);
        struct timespec times[2] = { { .tv_nsec = UTIME_OMIT },
                                     { .tv_sec = time(NULL) - 1000 * (5 - (time_t)job) } };
        snprintf(path, sizeof(path), "%s/job-%d.log", self->dir, (int)job);
        assert_int_equal(utimensat(AT_FDCWD, path, times, 0), 0);
    }
    struct msg_log large = { .job = 4,
                             .token = 1,
                             .data = slice_text("0123456789012345678901234567890123456789") };
    uint64_t next;
    assert_int_equal(logs_append(self->logs, &large, true, &next), OK);
    for (int job = 1; job <= 2; job++) {
        snprintf(path, sizeof(path), "%s/job-%d.log", self->dir, job);
        while (access(path, F_OK) == 0) { /* until the thread has been there */
            sched_yield();
        }
    }
    logs_close(&self->logs);
    assert_int_equal(logs_open(&self->logs, self->dir, limits), OK);
    expect_of(self, &(struct log_name){ .job = 1 }, 0, "");
    expect_of(self, &(struct log_name){ .job = 2 }, 0, "");
    expect_of(self, &(struct log_name){ .job = 3 }, 0, "0123456789");
    expect_of(self, &(struct log_name){ .job = 4 }, 30, "0123456789");
}

/*  After a power cut a log may be shorter than the attempt's beginning says. */
static void lost_bytes_do_not_confuse(void **state)
{
    struct fixture *self = *state;
    append(self, 10, 0, "first ", 6);
    append(self, 20, 0, "second", 6);
    logs_close(&self->logs);
    char path[128];
    snprintf(path, sizeof(path), "%s/job-3.log", self->dir);
    assert_int_equal(truncate(path, 3), 0);
    assert_int_equal(logs_open(&self->logs, self->dir, (struct logs_limits){ .log = 100 }), OK);
    append(self, 20, 6, "lost", 0);
    append(self, 20, 0, "second", 6);
    expect(self, 0, "firsecond");
}

static int open_files(void)
{
    int count = 0;
    DIR *names = opendir("/proc/self/fd");
    while (readdir(names) != NULL) {
        count++;
    }
    closedir(names);
    return count;
}

static void few_files_are_open(void **state)
{
    struct fixture *self = *state;
    int before = open_files();
    for (uint64_t round = 0; round < 2; round++) {
        for (uint64_t job = 1; job <= 3 * LOGS_OPEN_MAX; job++) {
            struct msg_log piece = {
                .job = job, .token = 1, .offset = round, .data = slice_text("x")
            };
            uint64_t next = 0;
            assert_int_equal(logs_append(self->logs, &piece, true, &next), OK);
            assert_int_equal(next, round + 1);
        }
    }
    assert_in_range(open_files(), 0, (uint64_t)before + LOGS_OPEN_MAX);
    expect(self, 0, "xx");
    logs_remove(self->logs, 3);
    expect(self, 0, "");
    append(self, 1, 0, "anew", 4);
    expect(self, 0, "anew");
}

static void nonsense_is_refused(void **state)
{
    struct fixture *self = *state;
    uint64_t next;
    struct msg_log no_job = { .token = 1, .data = slice_text("x") };
    struct msg_log no_token = { .job = 1, .data = slice_text("x") };
    struct msg_log no_end = { .job = 1, .token = 1, .offset = UINT64_MAX, .data = slice_text("x") };
    assert_int_equal(logs_append(self->logs, &no_job, true, &next), ERR_INVALID);
    assert_int_equal(logs_append(self->logs, &no_token, true, &next), ERR_INVALID);
    assert_int_equal(logs_append(self->logs, &no_end, true, &next), ERR_INVALID);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(bytes_are_written_once),
        TEST(restart_knows_where_it_was),
        TEST(overtaken_attempts_are_dropped),
        TEST(large_logs_keep_both_ends),
        TEST(what_is_lost_is_told),
        TEST(attempts_have_their_own),
        TEST(all_together_have_a_limit),
        TEST(lost_bytes_do_not_confuse),
        TEST(few_files_are_open),
        TEST(nonsense_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
