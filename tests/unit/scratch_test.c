/*  scratch_test.c - each executor begins with an empty folder, whatever the one before it has left there. */
#include "worker/scratch.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

enum { CAPACITY = 4, DEEP = 200 };

static char dir[64];
static struct scratch *scratch;

static int setup(void **state)
{
    (void)state;
    snprintf(dir, sizeof(dir), "/tmp/rayc-scratch-XXXXXX");
    return !mkdtemp(dir) || scratch_open(&scratch, dir, CAPACITY);
}

static int teardown(void **state)
{
    (void)state;
    scratch_close(&scratch);
    return rmdir(dir); /* fails if anything is left */
}

static const char *in_dir(const char *name)
{
    static char path[256];
    snprintf(path, sizeof(path), "%s/%s", dir, name);
    return path;
}

static void touch(const char *name)
{
    int fd = open(in_dir(name), O_CREAT | O_WRONLY, 0600);
    assert_true(fd >= 0);
    close(fd);
}

static int entries(const char *path)
{
    DIR *folder = opendir(path);
    int count = 0;
    assert_non_null(folder);
    while (readdir(folder)) {
        count++;
    }
    closedir(folder);
    return count - 2;
}

static void begins_empty_and_private(void **state)
{
    (void)state;
    struct stat info;
    for (int round = 0; round < 3; round++) {
        assert_int_equal(scratch_take(scratch, 1, geteuid()), OK);
        assert_int_equal(stat(in_dir("1"), &info), 0);
        assert_int_equal(info.st_mode & 07777, 0700);
        assert_int_equal(entries(in_dir("1")), 0);
        if (round == 0) {
            touch("1/file");
        } else if (round == 1) {
            chmod(in_dir("1"), 0777);
        }
        scratch_give(scratch, 1);
    }
}

static void unused_ones_are_used_again(void **state)
{
    (void)state;
    struct stat before, after;
    assert_int_equal(scratch_take(scratch, 0, geteuid()), OK);
    assert_int_equal(stat(in_dir("0"), &before), 0);
    scratch_give(scratch, 0);
    assert_int_equal(scratch_take(scratch, 0, geteuid()), OK);
    assert_int_equal(stat(in_dir("0"), &after), 0);
    assert_true(before.st_ino == after.st_ino);
    scratch_give(scratch, 0);
}

static void belongs_to_its_owner(void **state)
{
    (void)state;
    struct stat info;
    if (geteuid() != 0) {
        skip(); /* only root can give a folder away */
    }
    for (uid_t owner = 200001; owner < 200003; owner++) {
        assert_int_equal(scratch_take(scratch, 0, owner), OK);
        assert_int_equal(stat(in_dir("0"), &info), 0);
        assert_int_equal(info.st_uid, owner);
        assert_int_equal(info.st_gid, owner);
        scratch_give(scratch, 0);
    }
}

/*  A file of somebody else's, which a link points to; folders without rights; folders in folders in folders. */
static void hostile_ones_go(void **state)
{
    (void)state;
    char outside[] = "/tmp/rayc-scratch-outside-XXXXXX";
    int fd = mkstemp(outside);
    assert_true(fd >= 0);
    assert_int_equal(scratch_take(scratch, 2, geteuid()), OK);
    assert_int_equal(symlink(outside, in_dir("2/link")), 0);
    assert_int_equal(symlink("/tmp", in_dir("2/folder")), 0);
    assert_int_equal(mkdir(in_dir("2/shut"), 0700), 0);
    touch("2/shut/file");
    assert_int_equal(chmod(in_dir("2/shut"), 0), 0);
    int at = open(in_dir("2"), O_DIRECTORY);
    for (int i = 0; i < DEEP; i++) {
        assert_int_equal(mkdirat(at, "d", 0700), 0);
        int next = openat(at, "d", O_DIRECTORY);
        assert_true(next >= 0);
        close(at);
        at = next;
    }
    close(at);
    scratch_give(scratch, 2);
    assert_int_equal(access(in_dir("2"), F_OK), -1);
    scratch_close(&scratch); /* waits for the thread */
    while (entries(dir) > 0) {
        assert_int_equal(scratch_open(&scratch, dir, CAPACITY), OK);
        scratch_close(&scratch);
    }
    assert_int_equal(access(outside, F_OK), 0);
    close(fd);
    unlink(outside);
}

static void what_an_earlier_worker_left_goes(void **state)
{
    (void)state;
    scratch_close(&scratch);
    assert_int_equal(mkdir(in_dir("7"), 0700), 0);
    touch("7/file");
    touch("3.out");
    assert_int_equal(scratch_open(&scratch, dir, CAPACITY), OK);
    assert_int_equal(access(in_dir("7"), F_OK), -1);
    assert_int_equal(access(in_dir("3.out"), F_OK), -1);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(begins_empty_and_private),
        TEST(unused_ones_are_used_again),
        TEST(belongs_to_its_owner),
        TEST(hostile_ones_go),
        TEST(what_an_earlier_worker_left_goes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
