/*  unpack_test.c - what rayc-unpack has given up before it reads; what a worker makes of a reader that fails. */
#include "worker/unpack.h"

#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <cmocka.h>
#include "tests/unit/program.h"
#include "tests/unit/rows_put.h"

enum { NOBODY = 200000, PIPE_BYTES = 64 << 10 };

struct fixture {
    char dir[64];
    char why[UNPACK_WHY_BYTES];
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

/*  Of its /proc: the rest of the line that begins with `name`. */
static void expect_line(pid_t pid, const char *file, const char *name, const char *values)
{
    char path[64], line[256], found[256] = "no such line";
    snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid, file);
    FILE *lines = fopen(path, "r");
    assert_non_null(lines);
    while (fgets(line, sizeof(line), lines)) {
        if (strncmp(line, name, strlen(name)) == 0) {
            snprintf(found, sizeof(found), "%s", line + strlen(name));
        }
    }
    fclose(lines);
    char *at = found + strspn(found, ": \t");
    if (strncmp(at, values, strlen(values)) != 0) {
        fail_msg("%s %s: '%s' instead of '%s'", file, name, at, values);
    }
}

static pid_t start(const char *dir, int archive, const char *uid)
{
    char program[PATH_BYTES];
    program_path("rayc-unpack", program);
    int root = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int silence = open("/dev/null", O_WRONLY | O_CLOEXEC);
    pid_t pid = fork();
    if (pid == 0) {
        dup2(archive, UNPACK_ARCHIVE);
        dup2(silence, UNPACK_WHY);
        dup2(root, UNPACK_ROOT);
        fcntl(UNPACK_ROOT, F_SETFD, 0); /* it may have been this one */
        execl(program, program, uid, (char *)NULL);
        _exit(127);
    }
    close(root);
    close(silence);
    return pid;
}

/*  A pipe takes so much and no more: when more was written, the program has begun to read. */
static void it_is_nobody_without_rights(void **state)
{
    struct fixture *self = *state;
    static const char bytes[PIPE_BYTES + 1] = "no archive";
    bool root = geteuid() == 0;
    char uids[64];
    snprintf(uids, sizeof(uids), "%u\t%u\t%u\t%u\n", NOBODY, NOBODY, NOBODY, NOBODY);
    int ends[2];
    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    pid_t pid = start(self->dir, ends[0], root ? "200000" : "0");
    assert_true(pid > 0);
    close(ends[0]);
    assert_true(write(ends[1], bytes, sizeof(bytes)) >=
                PIPE_BYTES); /* less: it has ended already */
    expect_line(pid, "status", "NoNewPrivs", "1\n");
    expect_line(pid, "status", "CapPrm", "0000000000000000\n");
    expect_line(pid, "status", "CapEff", "0000000000000000\n");
    expect_line(pid, "limits", "Max core file size", "0 ");
    expect_line(pid, "limits", "Max open files", "64 ");
    expect_line(pid, "limits", "Max cpu time", "120 ");
    if (root) {
        expect_line(pid, "status", "Uid", uids);
        expect_line(pid, "status", "Gid", uids);
        expect_line(pid, "status", "Groups", "\n");
        expect_line(pid, "limits", "Max processes", "1 ");
    }
    close(ends[1]);
    int status = 0;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == -ERR_INVALID);
}

/*  A program that is not rayc-unpack: its body gets what rayc-unpack gets. */
static int run_body_for(struct fixture *self, const char *body, uint32_t ms_max)
{
    char program[PATH_BYTES], archive[PATH_BYTES];
    snprintf(program, sizeof(program), "%s/program", self->dir);
    snprintf(archive, sizeof(archive), "%s/archive", self->dir);
    char text[512];
    int n = snprintf(text, sizeof(text), "#!/bin/sh\n%s\n", body);
    assert_int_equal(file_write(program, text, (size_t)n, 0700), OK);
    assert_int_equal(file_write(archive, "", 0, 0600), OK);
    const struct unpack_job job = { program, archive, self->dir, "out", 0, ms_max };
    self->why[0] = 0;
    return unpack_run(&job, self->why);
}

static int run_body(struct fixture *self, const char *body)
{
    return run_body_for(self, body, 0);
}

static bool is_there(const struct fixture *self, const char *name)
{
    char path[PATH_BYTES];
    struct stat file;
    snprintf(path, sizeof(path), "%s/%s", self->dir, name);
    return lstat(path, &file) == 0;
}

static void how_it_ends_is_told(void **state)
{
    struct fixture *self = *state;
    static const struct {
        const char *body;
        int code;
        const char *why;
    } cases[] = {
        { "kill -9 $$", ERR_INVALID, "signal 9 ended its unpacking" },
        { "exit 99", ERR_INVALID, "its unpacking ended with status 99" },
        { "echo large; exit 7", ERR_TOO_LARGE, "large?" },
        { "echo disk; exit 2", ERR_SYSTEM, "disk?" },
        { "kill -XCPU $$", ERR_TIMEOUT, "its unpacking took more than 120 s of a processor" },
        { "exec 2>/dev/null; cat /dev/zero | tr '\\0' x; exit 13", ERR_INVALID, "xxx" },
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        int code = run_body(self, cases[i].body);
        if (code != cases[i].code || strncmp(self->why, cases[i].why, strlen(cases[i].why)) != 0) {
            fail_msg("%s: %d, '%s'", cases[i].body, code, self->why);
        }
        assert_false(is_there(self, "out") || is_there(self, "out.part"));
    }
    assert_int_equal(run_body(self, "exit 0"), OK);
    assert_true(is_there(self, "out"));
}

/*  Whatever it waits for, and whoever has its end of the pipe. */
static void one_that_hangs_is_ended(void **state)
{
    struct fixture *self = *state;
    static const char *const bodies[] = { "sleep 1000", "exec sleep 1000",
                                          "echo half; exec 1>&-; exec sleep 1000" };
    for (size_t i = 0; i < COUNT(bodies); i++) {
        assert_int_equal(run_body_for(self, bodies[i], 20), ERR_TIMEOUT);
        assert_string_equal(self->why, "its unpacking took more than 0.02 s");
        assert_false(is_there(self, "out") || is_there(self, "out.part"));
    }
}

/*  As somebody who is the worker's user could put there. */
static void an_archive_that_is_no_file_does_not_stop_it(void **state)
{
    struct fixture *self = *state;
    char program[PATH_BYTES], archive[PATH_BYTES];
    program_path("rayc-unpack", program);
    snprintf(archive, sizeof(archive), "%s/archive", self->dir);
    assert_int_equal(mkfifo(archive, 0600), 0);
    const struct unpack_job job = { program, archive, self->dir, "out", 0, 0 };
    assert_int_equal(unpack_run(&job, self->why), ERR_INVALID);
    assert_false(is_there(self, "out") || is_there(self, "out.part"));
}

static void a_missing_program_is_told(void **state)
{
    struct fixture *self = *state;
    char archive[PATH_BYTES];
    snprintf(archive, sizeof(archive), "%s/archive", self->dir);
    assert_int_equal(file_write(archive, "", 0, 0600), OK);
    const struct unpack_job job = { "/no/such/rayc-unpack", archive, self->dir, "out", 0, 0 };
    assert_int_equal(unpack_run(&job, self->why), ERR_SYSTEM);
    assert_string_equal(self->why, "/no/such/rayc-unpack: No such file or directory");
    assert_false(is_there(self, "out") || is_there(self, "out.part"));
}

/*  As when the worker ends all its children because the spawner has died. */
static void another_may_hear_of_its_end(void **state)
{
    struct fixture *self = *state;
    (void)signal(SIGCHLD, SIG_IGN);
    int code = run_body(self, "exit 0");
    (void)signal(SIGCHLD, SIG_DFL);
    assert_int_equal(code, ERR_SYSTEM);
    assert_false(is_there(self, "out") || is_there(self, "out.part"));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(it_is_nobody_without_rights), TEST(how_it_ends_is_told),
        TEST(one_that_hangs_is_ended),     TEST(an_archive_that_is_no_file_does_not_stop_it),
        TEST(a_missing_program_is_told),   TEST(another_may_hear_of_its_end),
    };
    (void)signal(SIGPIPE, SIG_IGN);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
