/*  speed.c - how many tasks a second, and how long one takes. */
#include "tests/bench/bench.h"
#include <stdio.h>
#include <stdlib.h>
#include "common/clock.h"

enum { GROWTH_BASE = 10000, GROWTH_BASE_RUNS = 5 };

static void *allocate(size_t count, size_t size)
{
    void *p = calloc(count, size);
    if (!p) {
        die("out of memory");
    }
    return p;
}

double task_echo_seconds(uint32_t count)
{
    rayc_ref *refs = allocate(count, sizeof(*refs));
    uint64_t begun = clock_us();
    for (uint32_t i = 0; i < count; i++) {
        refs[i] = task_echo(i);
    }
    for (uint32_t i = 0; i < count; i++) {
        task_expect(&refs[i], i);
    }
    double seconds = (double)(clock_us() - begun) / 1e6;
    free(refs);
    return seconds;
}

double bench_throughput(const struct run *run)
{
    struct cluster cluster;
    cluster_start(&cluster, run);
    task_warm();
    double seconds = task_echo_seconds(run->tasks);
    rayc_shutdown();
    cluster_stop(&cluster);
    return run->tasks / seconds;
}

double bench_throughput_full(const struct run *run)
{
    setenv("RAYC_DURABILITY", "full", 1);
    return bench_throughput(run);
}

static double throughput_tcp(const struct run *run, bool key)
{
    struct cluster cluster;
    cluster_start_tcp(&cluster, run, key);
    task_warm();
    double seconds = task_echo_seconds(run->tasks);
    rayc_shutdown();
    cluster_stop(&cluster);
    return run->tasks / seconds;
}

double bench_throughput_tcp(const struct run *run)
{
    return throughput_tcp(run, false);
}

double bench_throughput_curve(const struct run *run)
{
    return throughput_tcp(run, true);
}

double bench_roundtrip(const struct run *run)
{
    struct cluster cluster;
    cluster_start(&cluster, run);
    task_warm();
    double *us = allocate(run->tasks, sizeof(*us));
    for (uint32_t i = 0; i < run->tasks; i++) {
        uint64_t begun = clock_us();
        rayc_ref ref = task_echo(i);
        task_expect(&ref, i);
        us[i] = (double)(clock_us() - begun);
    }
    double value = median(us, run->tasks);
    free(us);
    rayc_shutdown();
    cluster_stop(&cluster);
    return value;
}

double bench_roundtrip_full(const struct run *run)
{
    setenv("RAYC_DURABILITY", "full", 1);
    return bench_roundtrip(run);
}

double bench_commands(const struct run *run)
{
    static const char *const argv[] = { "true", NULL };
    struct cluster cluster;
    cluster_start(&cluster, run);
    task_warm();
    rayc_ref *refs = allocate(run->tasks, sizeof(*refs));
    uint64_t begun = clock_us();
    for (uint32_t i = 0; i < run->tasks; i++) {
        refs[i] = rayc_command(NULL, argv, NULL, NULL, NULL, 0);
    }
    for (uint32_t i = 0; i < run->tasks; i++) {
        rayc_value result;
        if (rayc_get(refs[i], RAYC_FOREVER, &result) < 0) {
            die_rayc("a command failed");
        }
        rayc_drop(&refs[i]);
    }
    double seconds = (double)(clock_us() - begun) / 1e6;
    free(refs);
    rayc_shutdown();
    cluster_stop(&cluster);
    return run->tasks / seconds;
}

double bench_growth(const struct run *run)
{
    struct cluster cluster;
    cluster_start(&cluster, run);
    task_warm();
    double base[GROWTH_BASE_RUNS];
    for (int i = 0; i < GROWTH_BASE_RUNS; i++) {
        base[i] = task_echo_seconds(GROWTH_BASE);
    }
    double few = median(base, GROWTH_BASE_RUNS) / GROWTH_BASE;
    double many = task_echo_seconds(run->tasks) / run->tasks;
    rayc_shutdown();
    cluster_stop(&cluster);
    return many / few;
}
