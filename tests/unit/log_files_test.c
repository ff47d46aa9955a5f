/*  log_files_test.c - offsets find their bytes in the parts of a log, also where some are gone. */
#include "head/log_files.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>
#include "tests/unit/rows_put.h"

static char dir[64];
static struct log_files files;
static const struct log_name name = { .job = 7, .task = 0x1000003, .attempt = 2 };

static int setup(void **state)
{
    (void)state;
    folder_new(dir);
    return log_files_init(&files, dir, 40); /* 20 bytes, then parts of 10 */
}

static int teardown(void **state)
{
    (void)state;
    folder_remove(dir);
    return 0;
}

static void put(const struct log_name *log, uint32_t part, const char *text, const char *mark)
{
    char path[PATH_BYTES];
    assert_int_equal(log_folder(&files, log->job, path), OK);
    assert_int_equal(file_make_dir(path, 0700), OK);
    assert_int_equal(log_path(&files, log, part, path), OK);
    assert_int_equal(file_write(path, text, strlen(text), 0600), OK);
    assert_int_equal(log_mark_path(&files, log, path), OK);
    assert_int_equal(file_write(path, mark, strlen(mark), 0600), OK);
}

/*  All from `offset` on, piece by piece, with where each piece began. */
static void expect(const struct log_name *log, uint64_t offset, const char *wanted)
{
    char text[256] = "";
    uint8_t bytes[6];
    for (;;) {
        struct wire to = { bytes, 0, sizeof(bytes), false };
        uint64_t asked = offset;
        assert_int_equal(log_read(&files, log, &offset, &to), OK);
        if (to.n == 0) {
            break;
        }
        size_t n = strlen(text);
        snprintf(text + n, sizeof(text) - n, "%s%.*s", offset > asked ? "..." : "", (int)to.n,
                 (const char *)bytes);
        offset += to.n;
    }
    assert_string_equal(text, wanted);
}

static void nothing_is_an_empty_log(void **state)
{
    (void)state;
    expect(&name, 0, "");
    assert_true(log_end(&files, &name) == 0);
    assert_true(log_tail(&files, &name, 3) == 0);
}

static void one_file_is_read(void **state)
{
    (void)state;
    struct log_name job = { .job = 7 };
    put(&job, 0, "one\ntwo\nthree\n", "1 0\n");
    expect(&job, 0, "one\ntwo\nthree\n");
    expect(&job, 8, "three\n");
    expect(&job, 99, "");
    assert_true(log_end(&files, &job) == 14);
    assert_true(log_tail(&files, &job, 1) == 8);
    assert_true(log_tail(&files, &job, 2) == 4);
    assert_true(log_tail(&files, &job, 9) == 0);
    assert_true(log_tail(&files, &job, 0) == 14);
}

static void parts_follow(void **state)
{
    (void)state;
    put(&name, 0, "0123456789abcdefghi\n", "1 0 0\n");
    put(&name, 1, "klmnopqrs\n", "1 0 1\n");
    put(&name, 2, "u\nv", "1 0 2\n");
    expect(&name, 0, "0123456789abcdefghi\nklmnopqrs\nu\nv");
    expect(&name, 18, "i\nklmnopqrs\nu\nv");
    expect(&name, 32, "v");
    assert_true(log_end(&files, &name) == 33);
    assert_true(log_tail(&files, &name, 1) == 32);
    assert_true(log_tail(&files, &name, 3) == 20);
    assert_true(log_tail(&files, &name, 4) == 0);
}

static void what_is_gone_is_passed_over(void **state)
{
    (void)state;
    put(&name, 0, "0123456789abcdefghi\n", "1 0 0\n");
    put(&name, 4, "mmmmmmmmm\n", "1 0 4\n");
    put(&name, 5, "nnn", "1 0 5\n");
    expect(&name, 0, "0123456789abcdefghi\n...mmmmmmmmm\nnnn");
    expect(&name, 25, "...mmmmmmmmm\nnnn");
    assert_true(log_end(&files, &name) == 63);
    assert_true(log_tail(&files, &name, 9) == 50);
}

static void links_are_not_followed(void **state)
{
    (void)state;
    struct log_name job = { .job = 8 };
    char path[PATH_BYTES];
    uint8_t bytes[16];
    uint64_t offset = 0;
    struct wire to = { bytes, 0, sizeof(bytes), false };
    assert_int_equal(log_path(&files, &job, 0, path), OK);
    assert_int_equal(symlink("/etc/passwd", path), 0);
    assert_int_equal(log_read(&files, &job, &offset, &to), ERR_SYSTEM);
    assert_int_equal(to.n, 0);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(nothing_is_an_empty_log),     TEST(one_file_is_read),       TEST(parts_follow),
        TEST(what_is_gone_is_passed_over), TEST(links_are_not_followed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
