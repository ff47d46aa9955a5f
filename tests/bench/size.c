/*  size.c - how much memory the cluster takes: idle, per queued task, per live object. */
#include <stdlib.h>
#include "tests/bench/bench.h"

enum {
    SMALL_OBJECT_BYTES = 100 * 1024 + 1, /* the smallest that a store has */
    CACHE_ROWS = 500 * 1000
};

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

/*  Rows until the cache of the head's database is full: what comes then is what objects take. */
static void fill_cache(void)
{
    rayc_ref last = { 0 };
    for (uint32_t i = 0; i < CACHE_ROWS; i++) {
        rayc_drop(&last);
        last = rayc_put(rayc_int(i));
    }
    if (rayc_get(last, RAYC_FOREVER, NULL) < 0) {
        die_rayc("a put failed");
    }
    rayc_drop(&last);
}

double bench_object_memory(const struct run *run)
{
    struct cluster cluster;
    rayc_ref *refs = calloc(run->tasks, sizeof(*refs));
    if (!refs) {
        die("out of memory");
    }
    cluster_start(&cluster, run);
    task_warm();
    fill_cache();
    cluster_settle(&cluster);
    uint64_t before = process_pss(cluster.head);
    for (uint32_t i = 0; i < run->tasks; i++) {
        rayc_buffer *buffer = rayc_buffer_new(SMALL_OBJECT_BYTES);
        if (!buffer) {
            die_rayc("a buffer");
        }
        refs[i] = rayc_put_buffer(&buffer);
    }
    if (rayc_get_all(refs, run->tasks, RAYC_FOREVER, NULL) < 0) {
        die_rayc("a put failed");
    }
    cluster_settle(&cluster);
    uint64_t after = process_pss(cluster.head);
    rayc_shutdown();
    cluster_stop(&cluster);
    free(refs);
    return ((double)after - (double)before) / run->tasks;
}
