/*  objects.c - large values on one node: how fast they are put, and got by who has not seen them yet. */
#include "tests/bench/bench.h"
#include <stdlib.h>
#include "common/clock.h"

enum { OBJECT_BYTES = 1000 * 1000, WINDOW = 100 /* references that are kept at a time */ };

static double gigabytes(uint32_t count, uint64_t begun_us)
{
    return (double)count * OBJECT_BYTES / 1e3 / (double)(clock_us() - begun_us);
}

/*  The bytes that all of them have, touched. */
static uint8_t *make_source(void)
{
    uint8_t *source = malloc(OBJECT_BYTES);
    if (!source) {
        die("out of memory");
    }
    memset(source, 7, OBJECT_BYTES);
    return source;
}

/*  The memory that a put copies to has been used before: that is what a store which runs is like. */
double bench_objects_put(const struct run *run)
{
    struct cluster cluster;
    rayc_ref refs[WINDOW] = { 0 };
    uint8_t *source = make_source();
    cluster_start(&cluster, run);
    task_warm();
    uint64_t begun_us = 0;
    for (uint32_t i = 0; i < run->tasks + WINDOW; i++) {
        rayc_ref *ref = &refs[i % WINDOW];
        if (i >= WINDOW) {
            rayc_drop(ref);
        }
        begun_us = i == WINDOW ? clock_us() : begun_us;
        *ref = rayc_put(rayc_bytes(source, OBJECT_BYTES));
    }
    double value = gigabytes(run->tasks, begun_us);
    rayc_value last;
    if (rayc_get(refs[0], 0, &last) < 0 || last.as.raw.size != OBJECT_BYTES) {
        die_rayc("a put failed");
    }
    rayc_shutdown();
    cluster_stop(&cluster);
    free(source);
    return value;
}

RAYC_TASK(make_object, task)
{
    rayc_buffer *buffer = rayc_buffer_new(OBJECT_BYTES);
    if (!buffer) {
        return rayc_fail(task, 1, "%s", rayc_error()->text);
    }
    memset(rayc_buffer_data(buffer), 7, OBJECT_BYTES);
    return rayc_return_buffer(task, &buffer);
}

/*  Of results of tasks, each got once: it is mapped, and its ends are read. */
double bench_objects_get(const struct run *run)
{
    struct cluster cluster;
    cluster_start(&cluster, run);
    task_warm();
    rayc_ref *refs = calloc(run->tasks, sizeof(*refs));
    if (!refs) {
        die("out of memory");
    }
    for (uint32_t i = 0; i < run->tasks; i++) {
        refs[i] = rayc_call(make_object, rayc_nil());
    }
    for (uint32_t left = run->tasks; left > 0; left -= left < WINDOW ? left : WINDOW) {
        uint32_t count = left < WINDOW ? left : WINDOW;
        if (rayc_wait(refs + left - count, count, count, RAYC_FOREVER) < 0) {
            die_rayc("a task failed");
        }
    }
    uint64_t begun_us = clock_us();
    for (uint32_t i = 0; i < run->tasks; i++) {
        rayc_value value;
        if (rayc_get(refs[i], RAYC_FOREVER, &value) < 0) {
            die_rayc("a get failed");
        }
        const uint8_t *bytes = value.as.raw.data;
        if (value.as.raw.size != OBJECT_BYTES || bytes[0] + bytes[OBJECT_BYTES - 1] != 14) {
            die("a value is wrong");
        }
    }
    double value = gigabytes(run->tasks, begun_us);
    rayc_shutdown();
    cluster_stop(&cluster);
    free(refs);
    return value;
}

/*  What a put can be at most: a copy between buffers of the same size, as many as are kept. */
double bench_objects_memcpy(const struct run *run)
{
    uint8_t *source = make_source();
    uint8_t *to[WINDOW];
    for (uint32_t i = 0; i < WINDOW; i++) {
        to[i] = make_source();
    }
    uint64_t begun_us = clock_us();
    for (uint32_t i = 0; i < run->tasks; i++) {
        memcpy(to[i % WINDOW], source, OBJECT_BYTES);
    }
    double value = gigabytes(run->tasks, begun_us);
    for (uint32_t i = 0; i < WINDOW; i++) {
        if (to[i][OBJECT_BYTES - 1] != 7) {
            die("a copy is wrong");
        }
        free(to[i]);
    }
    free(source);
    return value;
}
