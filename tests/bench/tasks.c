/*  tasks.c - the tasks of the benchmarks, and how they are run.  rayc-bench is its own task program. */
#include "tests/bench/bench.h"
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { WARM_TASKS = 200, QUEUED_ARGUMENT = 16 };

_Noreturn void die(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    fputs("rayc-bench: ", stderr);
    vfprintf(stderr, format, args);
    fputc('\n', stderr);
    va_end(args);
    exit(1);
}

_Noreturn void die_rayc(const char *what)
{
    die("%s: %s", what, rayc_error()->text);
}

RAYC_TASK(echo, task)
{
    return rayc_return(task, rayc_int(rayc_arg_int(task, 0)));
}

/*  Never runs: it waits for a resource that no node has. */
RAYC_TASK(never, task)
{
    return rayc_return(task, rayc_nil());
}

rayc_ref task_echo(int64_t value)
{
    return rayc_call(echo, rayc_int(value));
}

void task_expect(rayc_ref *ref, int64_t value)
{
    rayc_value got;
    if (rayc_get(*ref, RAYC_FOREVER, &got) < 0) {
        die_rayc("a task failed");
    }
    if (got.kind != RAYC_INT || got.as.i != value) {
        die("a task returned something else than its argument");
    }
    rayc_drop(ref);
}

void task_warm(void)
{
    rayc_ref ref[WARM_TASKS];
    for (int i = 0; i < WARM_TASKS; i++) {
        ref[i] = task_echo(i);
    }
    for (int i = 0; i < WARM_TASKS; i++) {
        task_expect(&ref[i], i);
    }
}

void task_queue(uint32_t count)
{
    static const uint8_t argument[QUEUED_ARGUMENT];
    rayc_options options = rayc_defaults();
    options.resources = "moon=1";
    for (uint32_t i = 0; i < count; i++) {
        rayc_ref ref = rayc_call_with(&options, never, rayc_bytes(argument, sizeof(argument)));
        rayc_drop(&ref);
    }
    rayc_ref last = task_echo(
        1); /* calls are accepted in order: when its result is there, the head has them all */
    task_expect(&last, 1);
}

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

double median(double *values, size_t count)
{
    qsort(values, count, sizeof(*values), compare);
    return count % 2 ? values[count / 2] : (values[count / 2 - 1] + values[count / 2]) / 2;
}
