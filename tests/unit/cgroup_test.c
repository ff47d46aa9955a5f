/*  cgroup_test.c - where groups are made and what is written there, in folders that look like those of a kernel. */
#include "worker/cgroup.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>
#include <ftw.h>
#include <sys/stat.h>
#include <unistd.h>

enum { TEXT_BYTES = 256 };
static char dir[] = "/tmp/rayc-cgroup-XXXXXX", mounts[TEXT_BYTES], own[TEXT_BYTES];
static const struct cgroup_world world = { mounts, own };

static const char *in_dir(const char *name)
{
    static char path[PATH_BYTES];
    snprintf(path, sizeof(path), "%s/%s", dir, name);
    return path;
}

static void make(const char *name, const char *text)
{
    if (text) {
        assert_int_equal(file_write(in_dir(name), text, strlen(text), 0600), OK);
    } else {
        assert_int_equal(file_make_dir(in_dir(name), 0700), OK);
    }
}

/*  What stands in a file of group NUMBER of this process below `parent`; "": there is none. */
static const char *in_group(const char *parent, uint64_t number, const char *file)
{
    static char text[TEXT_BYTES];
    char name[TEXT_BYTES];
    snprintf(name, sizeof(name), "%s/rayc-%d/%d/%s", parent, (int)getpid(), (int)number, file);
    if (file_read(in_dir(name), text, sizeof(text))) {
        text[0] = 0;
    }
    return text;
}

static int setup(void **state)
{
    (void)state;
    strcpy(dir + sizeof(dir) - 7, "XXXXXX");
    bool made = mkdtemp(dir) != NULL;
    snprintf(mounts, sizeof(mounts), "%s/mounts", dir);
    snprintf(own, sizeof(own), "%s/own", dir);
    return made ? 0 : -1;
}

static int remove_one(const char *path, const struct stat *info, int kind, struct FTW *at)
{
    (void)info;
    (void)kind;
    (void)at;
    return remove(path);
}

static int teardown(void **state)
{
    (void)state;
    return nftw(dir, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

static void make_v1(void)
{
    char text[4 * TEXT_BYTES];
    snprintf(text, sizeof(text),
             "1 0 0:1 / / rw - ext4 /dev/vda rw\n"
             "2 1 0:2 / %s/cpu rw shared:3 - cgroup cgroup rw,cpu\n"
             "3 1 0:3 /pod %s/mem rw shared:4 - cgroup cgroup rw,memory\n"
             "4 1 0:4 / %s/pids rw - cgroup cgroup rw,pids\n",
             dir, dir, dir);
    make("mounts", text);
    make("own", "3:pids:/\n2:memory:/pod/box\n1:cpu:/\n0::/\n");
    make("mem/box", NULL);
    make("pids", NULL);
}

static void version_one(void **state)
{
    (void)state;
    static struct cgroups groups;
    struct diag why;
    int procs[CGROUP_FOLDERS];
    make_v1();
    assert_int_equal(cgroups_open(&groups, &world, NULL, &why), OK);
    assert_int_equal(groups.kind, CGROUP_V1);
    assert_int_equal(groups.count, 2);
    assert_string_equal(in_group("mem/box", 0, "cgroup.procs"), "0"); /* it was tried */
    const struct cgroup_limits limits = { 50 << 20, 77 };
    assert_int_equal(cgroup_make(&groups, 1, &limits, procs), OK);
    assert_true(procs[0] >= 0 && procs[1] >= 0);
    assert_string_equal(in_group("mem/box", 1, "memory.limit_in_bytes"), "52428800");
    assert_string_equal(in_group("mem/box", 1, "memory.memsw.limit_in_bytes"), "52428800");
    assert_string_equal(in_group("mem/box", 1, "pids.max"), "");
    assert_string_equal(in_group("pids", 1, "pids.max"), "77");
    assert_int_equal(write(procs[1], "0", 1), 1);
    assert_string_equal(in_group("pids", 1, "cgroup.procs"), "0");
    close(procs[0]);
    close(procs[1]);
    assert_false(cgroup_end(&groups, 1));
    char name[TEXT_BYTES];
    snprintf(name, sizeof(name), "mem/box/rayc-%d/1/memory.oom_control", (int)getpid());
    make(name, "oom_kill_disable 0\nunder_oom 0\noom_kill 2\n");
    assert_true(cgroup_end(&groups, 1));
    make(name, "oom_kill_disable 0\nunder_oom 0\noom_kill 0\n");
    assert_false(cgroup_end(&groups, 1));
}

static void version_two(void **state)
{
    (void)state;
    static struct cgroups groups;
    struct diag why;
    int procs[CGROUP_FOLDERS];
    char text[2 * TEXT_BYTES], name[TEXT_BYTES];
    snprintf(text, sizeof(text), "9 1 0:9 / %s rw - cgroup2 cgroup2 rw,nsdelegate\n", dir);
    make("mounts", text);
    make("own", "0::/unit\n");
    make("unit", NULL);
    make("unit/cgroup.controllers", "cpu memory pids\n");
    make("unit/cgroup.subtree_control", "memory\n");
    assert_int_equal(cgroups_open(&groups, &world, NULL, &why), OK);
    assert_int_equal(groups.kind, CGROUP_V2);
    assert_true(groups.moved);
    assert_int_equal(file_read(in_dir("unit/cgroup.subtree_control"), text, sizeof(text)), OK);
    assert_string_equal(text, "+pids"); /* what was not there */
    snprintf(name, sizeof(name), "unit/rayc-%d/worker/cgroup.procs", (int)getpid());
    assert_int_equal(file_read(in_dir(name), text, sizeof(text)), OK);
    assert_string_equal(text, "0");
    const struct cgroup_limits limits = { 1, 5 };
    assert_int_equal(cgroup_make(&groups, 3, &limits, procs), OK);
    assert_true(procs[0] >= 0 && procs[1] < 0);
    close(procs[0]);
    assert_string_equal(in_group("unit", 3, "memory.max"), "1048576"); /* the least */
    assert_string_equal(in_group("unit", 3, "memory.swap.max"), "0");
    assert_string_equal(in_group("unit", 3, "memory.oom.group"), "1");
    assert_string_equal(in_group("unit", 3, "pids.max"), "5");
    snprintf(name, sizeof(name), "unit/rayc-%d/3/memory.events", (int)getpid());
    make(name, "low 0\nmax 3\noom 1\noom_kill 1\noom_group_kill 1\n");
    assert_true(cgroup_end(&groups, 3));
}

/*  A group that was given is used as it is, and who is in it is not asked. */
static void one_that_was_delegated(void **state)
{
    (void)state;
    static struct cgroups groups;
    struct diag why;
    char text[2 * TEXT_BYTES];
    snprintf(text, sizeof(text), "9 1 0:9 / %s rw - cgroup2 cgroup2 rw\n", dir);
    make("mounts", text);
    make("own", "0::/unit\n");
    make("mine", NULL);
    make("mine/cgroup.controllers", "memory\n");
    assert_int_equal(cgroups_open(&groups, &world, "/mine", &why), OK);
    assert_false(groups.moved);
    assert_int_equal(groups.folders[0].controllers, CGROUP_MEMORY);
    assert_int_equal(cgroups_open(&groups, &world, "/other", &why), ERR_NOT_FOUND);
    assert_string_equal(why.text, "no memory controller is mounted with a group /other");
}

static void none_to_be_had(void **state)
{
    (void)state;
    static struct cgroups groups;
    struct diag why;
    make("mounts", "1 0 0:1 / / rw - ext4 /dev/vda rw\n");
    make("own", "0::/\n");
    assert_int_equal(cgroups_open(&groups, &world, NULL, &why), ERR_NOT_FOUND);
    assert_string_equal(why.text, "no memory controller is mounted");
    assert_int_equal(groups.kind, CGROUP_NONE);
    make_v1();
    char path[TEXT_BYTES];
    snprintf(path, sizeof(path), "mem/box/rayc-%d", (int)getpid());
    make(path, "a file where the folder would be");
    assert_int_equal(cgroups_open(&groups, &world, NULL, &why), ERR_FORBIDDEN);
    assert_non_null(strstr(why.text, "/mem/box: "));
    assert_int_not_equal(access(in_dir("pids/rayc"), F_OK), 0);
}

static void what_was_left_is_removed(void **state)
{
    (void)state;
    static struct cgroups groups;
    struct diag why;
    make_v1();
    make("mem/box/rayc-2147483647/4", NULL); /* no such process */
    make("mem/box/rayc-1/4", NULL);
    make("mem/box/other/4", NULL);
    assert_int_equal(cgroups_open(&groups, &world, NULL, &why), OK);
    assert_int_not_equal(access(in_dir("mem/box/rayc-2147483647"), F_OK), 0);
    assert_int_equal(access(in_dir("mem/box/rayc-1/4"), F_OK), 0);
    assert_int_equal(access(in_dir("mem/box/other/4"), F_OK), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(version_one, setup, teardown),
        cmocka_unit_test_setup_teardown(version_two, setup, teardown),
        cmocka_unit_test_setup_teardown(one_that_was_delegated, setup, teardown),
        cmocka_unit_test_setup_teardown(none_to_be_had, setup, teardown),
        cmocka_unit_test_setup_teardown(what_was_left_is_removed, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
