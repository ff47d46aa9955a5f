/*  fault.c - how long until it serves: from nothing, after the head was killed, after an executor was killed. */
#include "tests/bench/bench.h"
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include "common/clock.h"
#include "common/file.h"

enum { END_MS_MAX = 30 * 1000, RETRIES_MAX = 1000 };

/*  The program of `start`, a process of its own: prints the time at which it has its first result. */
int first_result(void)
{
    if (rayc_init(NULL) < 0) {
        die_rayc("cannot start an embedded cluster");
    }
    rayc_ref ref = task_echo(1);
    task_expect(&ref, 1);
    printf("%llu\n", (unsigned long long)clock_us());
    fflush(stdout);
    rayc_shutdown();
    return 0;
}

/*  An embedded cluster ends itself; its folder must not go before. */
static void wait_for_end(const char *state)
{
    char lock[BENCH_PATH];
    snprintf(lock, sizeof(lock), "%s/head.lock", state);
    uint64_t end = clock_ms() + END_MS_MAX;
    while (file_locked(lock)) {
        if (clock_ms() > end) {
            die("the embedded cluster does not end itself");
        }
        spin();
    }
}

double bench_start(const struct run *run)
{
    char program[BENCH_PATH], text[32] = "";
    snprintf(program, sizeof(program), "%s/rayc-bench", run->bin);
    setenv("RAYC_STATE_DIR", run->state, 1);
    unsetenv("RAYC_ADDRESS");
    int out[2];
    if (pipe2(out, O_CLOEXEC) < 0) {
        die("cannot make a pipe: %s", strerror(errno));
    }
    uint64_t begun = clock_us();
    pid_t pid = fork();
    if (pid == 0) {
        dup2(out[1], STDOUT_FILENO);
        execl(program, program, "--first-result", (char *)NULL);
        _exit(127);
    }
    close(out[1]);
    ssize_t size = read(out[0], text, sizeof(text) - 1);
    close(out[0]);
    int status = 0;
    waitpid(pid, &status, 0);
    wait_for_end(run->state);
    if (size <= 0 || status != 0) {
        die("the program has ended with wait status 0x%x", (unsigned)status);
    }
    return (double)(strtoull(text, NULL, 10) - begun) / 1e3;
}

double bench_restart(const struct run *run)
{
    struct cluster cluster;
    cluster_start(&cluster, run);
    task_warm();
    task_queue(run->tasks);
    cluster_settle(&cluster);
    uint64_t begun = clock_us();
    cluster_kill_head(&cluster);
    cluster_start_head(&cluster);
    rayc_ref ref = task_echo(1);
    task_expect(&ref, 1);
    return (double)(clock_us() - begun) / 1e3; /* the queued tasks are given up with this process */
}

/*  Tells its pid through the pipe named by its argument and hangs; its retry returns at once. */
RAYC_TASK(victim, task)
{
    if (rayc_attempt(task) == 1) {
        const char *path = rayc_arg_string(task, 0);
        int fd = path ? open(path, O_WRONLY | O_CLOEXEC) : -1;
        pid_t pid = getpid();
        if (fd < 0 || write(fd, &pid, sizeof(pid)) != sizeof(pid)) {
            return rayc_fail(task, 1, "cannot tell the pid: %s", strerror(errno));
        }
        for (;;) {
            pause();
        }
    }
    return rayc_return(task, rayc_int(rayc_attempt(task)));
}

/*  Milliseconds from the kill to the result of the second attempt. */
static double retry_once(const char *path, int pipe)
{
    rayc_ref ref = rayc_call(victim, rayc_string(path));
    pid_t pid = 0;
    if (read(pipe, &pid, sizeof(pid)) != sizeof(pid)) {
        die("the task did not tell its pid");
    }
    uint64_t begun = clock_us();
    kill(pid, SIGKILL);
    task_expect(&ref, 2);
    return (double)(clock_us() - begun) / 1e3;
}

double bench_retry(const struct run *run)
{
    char path[BENCH_PATH];
    double ms[RETRIES_MAX];
    uint32_t count = run->tasks < RETRIES_MAX ? run->tasks : RETRIES_MAX;
    struct cluster cluster;
    cluster_start(&cluster, run);
    task_warm();
    snprintf(path, sizeof(path), "%s/victim", run->state);
    int pipe = mkfifo(path, 0600) < 0
                   ? -1
                   : open(path, O_RDWR | O_CLOEXEC); /* both ends: a read waits for a writer */
    if (pipe < 0) {
        die("cannot make %s: %s", path, strerror(errno));
    }
    for (uint32_t i = 0; i < count; i++) {
        ms[i] = retry_once(path, pipe);
        task_warm(); /* the killed executor has been replaced */
    }
    close(pipe);
    rayc_shutdown();
    cluster_stop(&cluster);
    return median(ms, count);
}
