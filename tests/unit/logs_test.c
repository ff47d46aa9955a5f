/*  logs_test.c - each byte of a driver's output is in its log once, whoever was restarted. */
#include "head/logs.h"

#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
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
    assert_int_equal(logs_open(&self->logs, self->dir, 100), OK);
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
    assert_int_equal(logs_open(&self->logs, self->dir, 100), OK);
}

/*  Appends, and expects what is wanted next. */
static void append(struct fixture *self, uint64_t token, uint64_t offset, const char *text,
                   uint64_t next)
{
    struct msg_log piece = { .job = 3, .token = token, .offset = offset, .data = slice_text(text) };
    uint64_t wanted = 0;
    assert_int_equal(logs_append(self->logs, &piece, &wanted), OK);
    assert_int_equal(wanted, next);
}

static void expect(struct fixture *self, uint64_t offset, const char *text)
{
    uint8_t bytes[256];
    struct wire to = { bytes, 0, sizeof(bytes) - 1, false };
    assert_int_equal(logs_read(self->logs, 3, offset, &to), OK);
    bytes[to.n] = 0;
    assert_string_equal((char *)bytes, text);
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

static void large_logs_are_cut_once(void **state)
{
    struct fixture *self = *state;
    char text[91];
    memset(text, 'x', 90);
    text[90] = 0;
    append(self, 10, 0, text, 90);
    append(self, 10, 90, "0123456789", 100);
    append(self, 10, 100, "more", 104);
    append(self, 10, 104, "more", 108);
    reopen(self);
    append(self, 10, 108, "more", 112);
    append(self, 20, 0, "more", 4);
    expect(self, 90, "0123456789\n[output truncated by rayc]\n");
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
    assert_int_equal(logs_open(&self->logs, self->dir, 100), OK);
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
            assert_int_equal(logs_append(self->logs, &piece, &next), OK);
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
    assert_int_equal(logs_append(self->logs, &no_job, &next), ERR_INVALID);
    assert_int_equal(logs_append(self->logs, &no_token, &next), ERR_INVALID);
    assert_int_equal(logs_append(self->logs, &no_end, &next), ERR_INVALID);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(bytes_are_written_once),
        TEST(restart_knows_where_it_was),
        TEST(overtaken_attempts_are_dropped),
        TEST(large_logs_are_cut_once),
        TEST(lost_bytes_do_not_confuse),
        TEST(few_files_are_open),
        TEST(nonsense_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
