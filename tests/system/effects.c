/*  effects.c - a driver whose tasks leave a trace outside rayc: each attempt appends "task attempt fence" to a file,
    synced.  At the end the program compares what rayc says with what really happened:
    every finished task has a trace; none has more than 1 + max_retries; with max_retries 0 at most one; fences of one
    task grow.  effects FILE TASKS WORK_US: exit 0 if all holds. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "rayc.h"

enum { RETRIES = 50 };

RAYC_TASK(leave_trace, task)
{
    const char *path = rayc_arg_string(task, 0);
    int64_t number = rayc_arg_int(task, 1);
    int64_t work_us = rayc_arg_int(task, 2);
    char line[100];
    int n = snprintf(line, sizeof(line), "%lld %u %llu\n", (long long)number, rayc_attempt(task),
                     (unsigned long long)rayc_fence(task));
    int fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0 || write(fd, line, (size_t)n) != n || fdatasync(fd) != 0) {
        return rayc_fail(task, 1, "%s: %s", path, strerror(errno));
    }
    close(fd);
    nanosleep(&(struct timespec){ .tv_nsec = (number * 7919 % (work_us + 1)) * 1000 }, NULL);
    return rayc_return(task, rayc_int(number * 3));
}

struct trace {
    uint32_t count;
    unsigned long long fence;
};

static int read_traces(const char *path, struct trace *traces, long tasks)
{
    FILE *file = fopen(path, "r");
    long long number;
    unsigned attempt;
    unsigned long long fence;
    int bad = 0;
    while (file && fscanf(file, "%lld %u %llu", &number, &attempt, &fence) == 3) {
        if (number < 0 || number >= tasks || fence <= traces[number].fence) {
            fprintf(stderr, "task %lld attempt %u: fence %llu does not grow\n", number, attempt,
                    fence);
            bad++;
            continue;
        }
        traces[number].fence = fence;
        traces[number].count++;
    }
    if (file) {
        fclose(file);
    }
    return bad;
}

/*  Every fifth task may start only once. */
static int once(long number)
{
    return number % 5 == 0;
}

int main(int argc, char **argv)
{
    if (rayc_init(NULL) < 0) {
        fprintf(stderr, "%s\n", rayc_error()->text);
        return 125;
    }
    if (argc != 4) {
        return 2;
    }
    long tasks = atol(argv[2]);
    rayc_ref *refs = calloc((size_t)tasks, sizeof(*refs));
    struct trace *traces = calloc((size_t)tasks, sizeof(*traces));
    rayc_options many = rayc_defaults(), single = rayc_defaults();
    many.max_retries = RETRIES;
    many.crash_limit = 0;
    single.max_retries = 0;
    for (long i = 0; i < tasks; i++) {
        refs[i] = rayc_call_with(once(i) ? &single : &many, leave_trace, rayc_string(argv[1]),
                                 rayc_int(i), rayc_int(atol(argv[3])));
    }
    int *codes = calloc((size_t)tasks, sizeof(*codes));
    long finished = 0, unknown = 0;
    int bad = 0;
    for (long i = 0; i < tasks; i++) {
        rayc_value value;
        codes[i] = rayc_get(refs[i], RAYC_FOREVER, &value);
        if (codes[i] == 0 && value.as.i != i * 3) {
            fprintf(stderr, "task %ld: wrong result\n", i);
            bad++;
        }
        finished += codes[i] == 0;
        if (codes[i] != 0 && !once(i)) {
            fprintf(stderr, "task %ld: %s\n", i, rayc_error()->text);
            bad++;
        }
        unknown += codes[i] != 0;
    }
    bad += read_traces(argv[1], traces, tasks);
    for (long i = 0; i < tasks; i++) {
        if ((codes[i] == 0 && traces[i].count < 1) ||
            traces[i].count > (once(i) ? 1 : 1 + RETRIES)) {
            fprintf(stderr, "task %ld: code %d, ran %u times\n", i, codes[i], traces[i].count);
            bad++;
        }
    }
    printf("%ld tasks, %ld finished, %ld of those that may start once were lost, %d violations\n",
           tasks, finished, unknown, bad);
    rayc_shutdown();
    return bad > 0 || finished + unknown != tasks;
}
