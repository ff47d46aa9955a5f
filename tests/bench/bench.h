/*  bench.h - what the benchmarks share: one run's settings, a cluster whose processes are known, small statistics.
    A benchmark runs in a process of its own, which librayc has not touched yet, and returns its value, in the unit
    of benches.def.  What goes wrong ends that process with a sentence: a benchmark has no other way out. */
#ifndef RAYC_BENCH_H
#define RAYC_BENCH_H
#include <stdint.h>
#include <sys/types.h>
#include "client/rayc.h"
#include "common/base.h"

enum { BENCH_PATH = 512, BENCH_CPUS = 2 };

struct run {
    uint32_t tasks;
    const char *bin;   /* the folder of rayc-head, rayc-worker and rayc-bench */
    const char *state; /* an empty state folder; the caller removes it */
};

typedef double bench(const struct run *run);
#define BENCH(name, function, unit, tasks, runs, text) bench function;
#include "tests/bench/benches.def"
#undef BENCH

/*  One head and one worker of BENCH_CPUS CPUs.  Both die with this process. */
struct cluster {
    const struct run *run;
    char address[BENCH_PATH];
    bool http;
    pid_t head, worker;
};
void cluster_start(struct cluster *self, const struct run *run);
void cluster_start_http(struct cluster *self, const struct run *run); /* answers HTTP, too */
/*  As `rayc start --head` does it, which is then `head`: over TCP, with a token, and with CURVE if `key`. */
void cluster_start_tcp(struct cluster *self, const struct run *run, bool key);
void cluster_start_head(struct cluster *self); /* also again, after cluster_kill_head() */
void cluster_kill_head(struct cluster *self);  /* SIGKILL; returns when it is gone */
void cluster_stop(struct cluster *self);
/*  Returns when the cluster's processes have used no CPU time for a second. */
void cluster_settle(const struct cluster *self);
/*  Ends this process when a process of the cluster has ended. */
void cluster_alive(const struct cluster *self);

uint64_t process_pss(pid_t pid); /* bytes */
pid_t process_child(pid_t pid);  /* its first child; 0: none */
void spin(void);                 /* gives up the CPU for a moment, between two looks */

void task_warm(void); /* runs some tasks: the program has arrived, the executors are there */
double task_echo_seconds(uint32_t count); /* from the first submit to the last result */
rayc_ref task_echo(int64_t value);
void task_expect(rayc_ref *ref, int64_t value); /* waits for the result, compares, drops */
void task_queue(
    uint32_t
        count); /* tasks that wait for a resource that no node has; returns when the head has them */
double median(double *values, size_t count);

_Noreturn void die(const char *format, ...) __attribute__((format(printf, 1, 2)));
_Noreturn void die_rayc(const char *what); /* with the text of rayc_error() */
#endif
