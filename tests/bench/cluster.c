/*  cluster.c - starts, kills and weighs the processes of a benchmark's cluster.  They are started directly, not by
    `rayc start`, so that their pids are known and they die with the benchmark. */
#include "tests/bench/bench.h"
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include "common/clock.h"
#include "common/file.h"

enum {
    START_MS_MAX = 60 * 1000,
    STOP_MS_MAX = 20 * 1000,
    IDLE_MS = 1000,
    SETTLE_MS_MAX = 120 * 1000
};

void spin(void)
{
    nanosleep(&(struct timespec){ .tv_nsec = 200 * 1000 }, NULL);
}

/*  Starts a program of the build with its output in a file of the state folder. */
static pid_t spawn(const struct run *run, const char *program, char *const argv[])
{
    char path[BENCH_PATH], log[BENCH_PATH];
    snprintf(path, sizeof(path), "%s/%s", run->bin, program);
    snprintf(log, sizeof(log), "%s/%s.out", run->state, program);
    int out = open(log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    if (out < 0) {
        die("cannot write %s: %s", log, strerror(errno));
    }
    pid_t parent = getpid();
    pid_t pid = fork();
    if (pid < 0) {
        die("cannot fork: %s", strerror(errno));
    }
    if (pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        dup2(out, STDOUT_FILENO);
        dup2(out, STDERR_FILENO);
        if (getppid() == parent) {
            execv(path, argv);
        }
        _exit(127);
    }
    close(out);
    return pid;
}

void cluster_alive(const struct cluster *self)
{
    int status = 0;
    if (waitpid(self->head, &status, WNOHANG) == self->head) {
        die("the head has ended with wait status 0x%x; see %s/rayc-head.out", (unsigned)status,
            self->run->state);
    }
    if (self->worker > 0 && waitpid(self->worker, &status, WNOHANG) == self->worker) {
        die("the worker has ended with wait status 0x%x; see %s/rayc-worker.out", (unsigned)status,
            self->run->state);
    }
}

/*  Waits for a file that the head writes when it listens. */
static void wait_file(const struct cluster *self, const char *path, char text[BENCH_PATH])
{
    uint64_t end = clock_ms() + START_MS_MAX;
    while (file_read(path, text, BENCH_PATH) < 0) {
        cluster_alive(self);
        if (clock_ms() > end) {
            die("the head does not listen after %d s", START_MS_MAX / 1000);
        }
        spin();
    }
}

void cluster_start_head(struct cluster *self)
{
    char path[BENCH_PATH], address[BENCH_PATH];
    snprintf(path, sizeof(path), "%s/head.address", self->run->state);
    unlink(path); /* a killed head leaves it behind */
    char *state = (char *)self->run->state;
    char *port = self->http ? "0" : "none";
    self->head = spawn(self->run, "rayc-head",
                       (char *[]){ "rayc-head", "--state-dir", state, "--address", self->address,
                                   "--http-port", port, NULL });
    wait_file(self, path, address);
}

static void join(const char *address)
{
    setenv("RAYC_ADDRESS", address, 1);
    if (rayc_init(address) < 0) {
        die_rayc("cannot join the cluster");
    }
}

static void start(struct cluster *self)
{
    char cpus[16], folder[BENCH_PATH];
    const struct run *run = self->run;
    snprintf(cpus, sizeof(cpus), "%d", BENCH_CPUS);
    snprintf(folder, sizeof(folder), "%s/worker", run->state);
    snprintf(
        self->address, sizeof(self->address), "ipc://%s/bench.sock",
        run->state); /* not head.sock: that one is an embedded cluster, which librayc keeps alive */
    setenv("RAYC_STATE_DIR", run->state, 1);
    cluster_start_head(self);
    self->worker = spawn(run, "rayc-worker",
                         (char *[]){ "rayc-worker", "--dir", folder, "--head", self->address,
                                     "--num-cpus", cpus, NULL });
    join(self->address);
}

void cluster_start(struct cluster *self, const struct run *run)
{
    *self = (struct cluster){ .run = run };
    start(self);
}

void cluster_start_http(struct cluster *self, const struct run *run)
{
    *self = (struct cluster){ .run = run, .http = true };
    start(self);
}

void cluster_start_tcp(struct cluster *self, const struct run *run, bool key)
{
    char path[BENCH_PATH], cpus[16];
    *self = (struct cluster){ .run = run };
    snprintf(cpus, sizeof(cpus), "%d", BENCH_CPUS);
    setenv("RAYC_STATE_DIR", run->state, 1);
    self->head = spawn(run, "rayc",
                       (char *[]){ "rayc", "start", "--head", "--block", "--port", "0",
                                   "--num-cpus", cpus, key ? "--host" : NULL, "127.0.0.1", NULL });
    snprintf(path, sizeof(path), "%s/head.address", run->state);
    wait_file(self, path, self->address);
    join(self->address);
}

void cluster_kill_head(struct cluster *self)
{
    kill(self->head, SIGKILL);
    waitpid(self->head, NULL, 0);
}

/*  Asks a process to end, and makes it. */
static void end(pid_t pid)
{
    kill(pid, SIGTERM);
    uint64_t until = clock_ms() + STOP_MS_MAX;
    while (waitpid(pid, NULL, WNOHANG) == 0) {
        if (clock_ms() > until) {
            kill(pid, SIGKILL);
        }
        spin();
    }
}

void cluster_stop(struct cluster *self)
{
    if (self->worker > 0) {
        end(self->worker);
    }
    end(self->head);
}

/*  Ticks of CPU time used so far, user and system. */
static uint64_t process_ticks(pid_t pid)
{
    char path[64], text[1024];
    snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
    if (file_read(path, text, sizeof(text)) < 0) {
        return 0;
    }
    const char *rest = strrchr(text, ')');
    unsigned long user = 0, system = 0;
    if (!rest || sscanf(rest, ") %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu", &user,
                        &system) != 2) {
        die("cannot read %s", path);
    }
    return user + system;
}

void cluster_settle(const struct cluster *self)
{
    uint64_t begun = clock_ms(), since = begun, used = 0;
    while (clock_ms() - since < IDLE_MS) {
        uint64_t now = process_ticks(self->head) + process_ticks(self->worker);
        if (now != used) {
            used = now;
            since = clock_ms();
        }
        if (clock_ms() - begun > SETTLE_MS_MAX) {
            die("the cluster is busy for %d s, with nothing to do", SETTLE_MS_MAX / 1000);
        }
        cluster_alive(self);
        nanosleep(&(struct timespec){ .tv_nsec = 20 * 1000 * 1000 }, NULL);
    }
}

uint64_t process_pss(pid_t pid)
{
    char path[64], text[4096];
    snprintf(path, sizeof(path), "/proc/%d/smaps_rollup", (int)pid);
    unsigned long kib = 0;
    const char *line = file_read(path, text, sizeof(text)) < 0 ? NULL : strstr(text, "\nPss:");
    if (!line || sscanf(line, "\nPss: %lu kB", &kib) != 1) {
        die("cannot read %s", path);
    }
    return (uint64_t)kib * 1024;
}

pid_t process_child(pid_t pid)
{
    char path[64], text[1024];
    snprintf(path, sizeof(path), "/proc/%d/task/%d/children", (int)pid, (int)pid);
    return file_read(path, text, sizeof(text)) < 0 ? 0 : (pid_t)strtol(text, NULL, 10);
}
