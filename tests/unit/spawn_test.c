/*  spawn_test.c - the spawner with real processes: what is started, how its end is told, and that nothing survives. */
#include "worker/spawn.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

enum { WAIT_MS = 30 * 1000 }; /* then a test has failed; none waits for it to pass */

static struct spawner *spawner;
static struct confine limits;

static int start(void **state)
{
    (void)state;
    limits = confine_defaults();
    limits.files = 333;
    return spawner_start(&spawner, &limits);
}

static int stop(void **state)
{
    (void)state;
    spawner_stop(&spawner);
    return spawner != NULL;
}

static struct spawn_event next_event(void)
{
    struct spawn_event event;
    while (!spawner_next(spawner, &event)) {
        struct pollfd fd = { spawner_fd(spawner), POLLIN, 0 };
        assert_int_equal(poll(&fd, 1, WAIT_MS), 1);
        assert_false(spawner_dead(spawner));
    }
    return event;
}

static struct spawn_request shell_request(uint32_t id, const char **argv, const char *script)
{
    static const char *env[] = { "PATH=/usr/bin:/bin", "RAYC_SPAWN=77", NULL };
    argv[0] = "sh";
    argv[1] = "-c";
    argv[2] = script;
    argv[3] = NULL;
    return (struct spawn_request){ .id = id,
                                   .path = "sh",
                                   .argv = argv,
                                   .env = env,
                                   .fds = { -1, -1, 2, -1, -1, -1, -1, -1 },
                                   .mark = 77 };
}

static struct spawn_event run_shell(const char *script)
{
    const char *argv[4];
    struct spawn_request request = shell_request(5, argv, script);
    assert_int_equal(spawner_spawn(spawner, &request), OK);
    struct spawn_event event = next_event();
    assert_int_equal(event.kind, SPAWN_STARTED);
    assert_int_equal(event.id, 5);
    event = next_event();
    assert_int_equal(event.kind, SPAWN_EXITED);
    assert_int_equal(event.id, 5);
    return event;
}

static void tells_how_it_ended(void **state)
{
    (void)state;
    assert_int_equal(run_shell("exit 0").status, 0);
    assert_int_equal(run_shell("exit 42").status, 42);
    assert_int_equal(run_shell("kill -SEGV $$").status, -SIGSEGV);
    assert_true(run_shell("true").max_rss_bytes > 0);
}

static void tells_why_it_could_not_start(void **state)
{
    (void)state;
    const char *argv[4];
    struct spawn_request request = shell_request(1, argv, "exit 0");
    request.path = "/no/such/program";
    assert_int_equal(spawner_spawn(spawner, &request), OK);
    request.path = "no-such-program-in-path";
    assert_int_equal(spawner_spawn(spawner, &request), OK);
    request.path = "/";
    assert_int_equal(spawner_spawn(spawner, &request), OK);
    request.path = "sh";
    request.cwd = "/no/such/folder";
    assert_int_equal(spawner_spawn(spawner, &request), OK);
    const int wanted[] = { ENOENT, ENOENT, EACCES, ENOENT };
    for (size_t i = 0; i < COUNT(wanted); i++) {
        struct spawn_event event = next_event();
        assert_int_equal(event.kind, SPAWN_FAILED);
        assert_int_equal(event.error, wanted[i]);
    }
}

static void gives_descriptors_and_folder(void **state)
{
    (void)state;
    char text[64];
    const char *argv[4];
    struct spawn_request request =
        shell_request(1, argv, "read line; echo $line `pwd` >&4; ls /proc/self/fd | wc -l >&4");
    int in = memfd_create("in", 0), out = memfd_create("out", 0);
    assert_int_equal(write(in, "hello\n", 6), 6);
    lseek(in, 0, SEEK_SET);
    request.fds[0] = in;
    request.fds[4] = out;
    request.cwd = "/usr/bin";
    assert_int_equal(spawner_spawn(spawner, &request), OK);
    assert_int_equal(next_event().kind, SPAWN_STARTED);
    assert_int_equal(next_event().status, 0);
    ssize_t n = pread(out, text, sizeof(text) - 1, 0);
    text[n > 0 ? n : 0] = 0;
    assert_string_equal(text, "hello /usr/bin\n5\n"); /* 0, 1, 2, 4, and ls' own */
    close(in);
    close(out);
}

static void sends_large_requests(void **state)
{
    (void)state;
    enum { LARGE = 100 * 1000, MANY = 18 };
    char *large = malloc(LARGE + 1);
    assert_non_null(large);
    memset(large, 'x', LARGE);
    memcpy(large, "X=", 2);
    large[LARGE] = 0;
    const char *argv[4], *env[MANY + 1];
    for (int i = 0; i < MANY; i++) {
        env[i] = large;
    }
    env[MANY] = NULL;
    struct spawn_request request = shell_request(1, argv, "exit ${#X}");
    request.path = "/bin/sh";
    request.env = env;
    assert_int_equal(spawner_spawn(spawner, &request), OK);
    assert_int_equal(next_event().kind, SPAWN_STARTED);
    assert_int_equal(next_event().status, (LARGE - 2) % 256);
    free(large);
}

static void ends_by_signal(void **state)
{
    (void)state;
    const char *argv[4];
    struct spawn_request request = shell_request(9, argv, "exec sleep 1000");
    assert_int_equal(spawner_spawn(spawner, &request), OK);
    assert_int_equal(next_event().kind, SPAWN_STARTED);
    assert_int_equal(spawner_kill(spawner, 8, SIGKILL), OK); /* nobody */
    assert_int_equal(spawner_kill(spawner, 9, SIGTERM), OK);
    assert_int_equal(next_event().status, -SIGTERM);
    assert_int_equal(spawner_kill(spawner, 9, SIGKILL), OK); /* nobody any more */
    assert_int_equal(run_shell("exit 3").status, 3);
}

/*  Holds the write end of a pipe in every process that the script starts; at the end of the pipe all are gone. */
static int alive_pipe(struct spawn_request *request)
{
    int ends[2];
    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    request->fds[3] = ends[1];
    return ends[0];
}

static void expect_end_of_pipe(int fd)
{
    char byte;
    struct pollfd end = { fd, POLLIN, 0 };
    assert_int_equal(poll(&end, 1, WAIT_MS), 1);
    while (read(fd, &byte, 1) > 0) {}
    close(fd);
}

/*  Tells fd 3 when the deepest process runs. */
#define DAEMON "setsid sh -c '(sleep 1000 & echo r >&3; sleep 1000) & sleep 1000' & "

static void wait_for_byte(int fd)
{
    char byte;
    assert_int_equal(read(fd, &byte, 1), 1);
}

static void kills_descendants(void **state)
{
    (void)state;
    const char *argv[4];
    struct spawn_request request = shell_request(1, argv, DAEMON "sleep 1000");
    int alive = alive_pipe(&request);
    assert_int_equal(spawner_spawn(spawner, &request), OK);
    close(request.fds[3]);
    assert_int_equal(next_event().kind, SPAWN_STARTED);
    wait_for_byte(alive);
    assert_int_equal(spawner_kill(spawner, 1, SIGKILL), OK);
    assert_int_equal(next_event().status, -SIGKILL);
    struct pollfd end = { alive, POLLIN, 0 };
    assert_int_equal(poll(&end, 1, 0), 1); /* SPAWN_EXITED says that they are gone already */
    expect_end_of_pipe(alive);
}

static void ends_what_is_left_behind(void **state)
{
    (void)state;
    const char *argv[4], *other_argv[4];
    struct spawn_request other = shell_request(2, other_argv, "read line");
    const char *other_env[] = { "PATH=/usr/bin:/bin", "RAYC_SPAWN=78", NULL };
    int bystander = alive_pipe(&other), in[2];
    assert_int_equal(pipe2(in, O_CLOEXEC), 0);
    other.fds[0] = in[0];
    other.env = other_env;
    other.mark = 78;
    assert_int_equal(spawner_spawn(spawner, &other), OK);
    close(other.fds[3]);
    close(in[0]);
    assert_int_equal(next_event().kind, SPAWN_STARTED);
    struct spawn_request request = shell_request(1, argv, DAEMON "read line <&4; exit 6");
    int alive = alive_pipe(&request), go[2];
    assert_int_equal(pipe2(go, O_CLOEXEC), 0);
    request.fds[4] = go[0];
    assert_int_equal(spawner_spawn(spawner, &request), OK);
    close(request.fds[3]);
    assert_int_equal(next_event().kind, SPAWN_STARTED);
    wait_for_byte(alive);
    close(go[0]);
    close(go[1]);
    struct spawn_event event = next_event();
    assert_int_equal(event.id, 1);
    assert_int_equal(event.status, 6);
    expect_end_of_pipe(alive);
    struct pollfd lives = { bystander, POLLIN, 0 };
    assert_int_equal(poll(&lives, 1, 0), 0);
    close(in[1]);
    assert_int_equal(next_event().id, 2);
    expect_end_of_pipe(bystander);
}

/*  Many: descendants become children of the spawner while it kills, before or after it looks. */
enum { DOOMED = 16 };

/*  Runs in a process that is killed: `alive` is told when its executors' descendants run. */
static _Noreturn void doomed_worker(int alive)
{
    const char *argv[4];
    spawner_stop(&spawner);
    if (spawner_start(&spawner, &limits)) {
        _exit(1);
    }
    for (uint32_t id = 1; id <= DOOMED; id++) {
        struct spawn_request request = shell_request(id, argv, DAEMON "sleep 1000");
        request.fds[3] = alive;
        if (spawner_spawn(spawner, &request)) {
            _exit(1);
        }
    }
    for (;;) {
        pause();
    }
}

static void nothing_survives_the_worker(void **state)
{
    (void)state;
    int ends[2];
    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    pid_t worker = fork();
    if (worker == 0) {
        spawner = NULL; /* the parent's */
        doomed_worker(ends[1]);
    }
    close(ends[1]);
    for (uint32_t i = 0; i < DOOMED; i++) {
        wait_for_byte(ends[0]);
    }
    kill(worker, SIGKILL);
    assert_int_equal(waitpid(worker, NULL, 0), worker);
    expect_end_of_pipe(ends[0]);
}

static void nothing_survives_the_spawner(void **state)
{
    (void)state;
    const char *argv[4];
    struct spawn_request request = shell_request(1, argv, DAEMON "echo $PPID >&4; sleep 1000");
    int alive = alive_pipe(&request);
    int who[2];
    char text[16] = { 0 };
    assert_int_equal(pipe2(who, O_CLOEXEC), 0);
    request.fds[4] = who[1];
    assert_int_equal(spawner_spawn(spawner, &request), OK);
    close(request.fds[3]);
    close(who[1]);
    wait_for_byte(alive);
    assert_true(read(who[0], text, sizeof(text) - 1) > 0);
    assert_int_equal(kill(atoi(text), SIGKILL), 0);
    close(who[0]);
    struct spawn_event event;
    while (!spawner_dead(spawner)) {
        struct pollfd fd = { spawner_fd(spawner), POLLIN, 0 };
        assert_int_equal(poll(&fd, 1, WAIT_MS), 1);
        while (spawner_next(spawner, &event)) {}
    }
    assert_int_equal(spawner_spawn(spawner, &request), ERR_CLOSED);
    spawner_stop(&spawner);
    expect_end_of_pipe(alive);
}

static void starts_a_thousand(void **state)
{
    (void)state;
    enum { MANY = 1000, AT_ONCE = 16 };
    const char *argv[] = { "true", NULL };
    struct spawn_request request = { .path = "true",
                                     .argv = argv,
                                     .env = argv + 1,
                                     .fds = { -1, -1, 2, -1, -1, -1, -1, -1 },
                                     .mark = 1 };
    int asked = 0, ended = 0;
    while (ended < MANY) {
        for (; asked < MANY && asked - ended < AT_ONCE; asked++) {
            request.id = (uint32_t)asked;
            assert_int_equal(spawner_spawn(spawner, &request), OK);
        }
        struct spawn_event event = next_event();
        assert_int_not_equal(event.kind, SPAWN_FAILED);
        if (event.kind == SPAWN_EXITED) {
            assert_int_equal(event.status, 0);
            ended++;
        }
    }
}

/*  What a script prints to descriptor 4. */
static const char *told_by(const char *script)
{
    static char text[4096];
    const char *argv[4];
    struct spawn_request request = shell_request(1, argv, script);
    int out = memfd_create("out", 0);
    request.fds[4] = out;
    assert_int_equal(spawner_spawn(spawner, &request), OK);
    assert_int_equal(next_event().kind, SPAWN_STARTED);
    assert_int_equal(next_event().kind, SPAWN_EXITED);
    ssize_t n = pread(out, text, sizeof(text) - 1, 0);
    text[n > 0 ? n : 0] = 0;
    close(out);
    return text;
}

static void gives_up_what_executors_shall_not_have(void **state)
{
    (void)state;
    assert_string_equal(told_by("grep NoNewPrivs /proc/self/status >&4"), "NoNewPrivs:\t1\n");
    if (geteuid() == 0) {
        assert_string_equal(told_by("grep -c 'Cap.*0000000000000000' /proc/self/status >&4"),
                            "5\n");
    } else {
        print_message("capabilities: not root, who else has some\n");
    }
    assert_string_equal(told_by("ulimit -c >&4; ulimit -n >&4; umask >&4"), "0\n333\n0077\n");
    assert_string_equal(told_by("ulimit -Hn >&4"), "333\n");
}

static void limits_the_address_space(void **state)
{
    (void)state;
    const char *argv[4];
    struct spawn_request request = shell_request(1, argv, "test $(ulimit -v) = 65536");
    request.memory_bytes = 64 << 20;
    assert_int_equal(spawner_spawn(spawner, &request), OK);
    assert_int_equal(next_event().kind, SPAWN_STARTED);
    assert_int_equal(next_event().status, 0);
}

/*  Files that it makes beyond the limit end it. */
static void limits_the_size_of_files(void **state)
{
    (void)state;
    spawner_stop(&spawner);
    limits.file_bytes = 4096;
    assert_int_equal(spawner_start(&spawner, &limits), OK);
    int status = run_shell("exec head -c 5000 /dev/zero >/tmp/rayc-spawn-test.$$").status;
    assert_int_equal(status, -SIGXFSZ);
    assert_int_equal(run_shell("rm /tmp/rayc-spawn-test.*").status, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(tells_how_it_ended, start, stop),
        cmocka_unit_test_setup_teardown(tells_why_it_could_not_start, start, stop),
        cmocka_unit_test_setup_teardown(gives_descriptors_and_folder, start, stop),
        cmocka_unit_test_setup_teardown(sends_large_requests, start, stop),
        cmocka_unit_test_setup_teardown(ends_by_signal, start, stop),
        cmocka_unit_test_setup_teardown(kills_descendants, start, stop),
        cmocka_unit_test_setup_teardown(ends_what_is_left_behind, start, stop),
        cmocka_unit_test_setup_teardown(nothing_survives_the_worker, start, stop),
        cmocka_unit_test_setup_teardown(nothing_survives_the_spawner, start, stop),
        cmocka_unit_test_setup_teardown(starts_a_thousand, start, stop),
        cmocka_unit_test_setup_teardown(gives_up_what_executors_shall_not_have, start, stop),
        cmocka_unit_test_setup_teardown(limits_the_address_space, start, stop),
        cmocka_unit_test_setup_teardown(limits_the_size_of_files, start, stop),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
