/*  size.c - how much memory the cluster takes, idle and per queued task. */
#include "tests/bench/bench.h"

double bench_memory(const struct run *run)
{
    struct cluster cluster;
    cluster_start(&cluster, run);
    for (uint32_t i = 0; i < run->tasks; i++) {
        rayc_ref ref = task_echo(i);
        task_expect(&ref, i);
    }
    cluster_settle(&cluster);
    pid_t spawner = process_child(cluster.worker);
    if (spawner == 0) {
        die("the worker has no spawner");
    }
    uint64_t bytes = process_pss(cluster.head) + process_pss(cluster.worker) + process_pss(spawner);
    rayc_shutdown();
    cluster_stop(&cluster);
    return (double)bytes / 1e6;
}

double bench_queued(const struct run *run)
{
    struct cluster cluster;
    cluster_start(&cluster, run);
    task_warm();
    cluster_settle(&cluster);
    uint64_t before = process_pss(cluster.head);
    task_queue(run->tasks);
    cluster_settle(&cluster);
    uint64_t after = process_pss(cluster.head);
    /* The queued tasks are given up with this process; ending in order would wait for nothing. */
    return ((double)after - (double)before) / run->tasks;
}
