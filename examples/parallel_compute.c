/*  parallel_compute.c - squares many numbers, each in a task that computes for a while, and says what
    that gained.

        parallel_compute                             100 tasks of 10 ms on a private cluster
        parallel_compute --tasks 1000 --work-us 500
        rayc submit parallel_compute                 the same, as a job of a running cluster */
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <rayc.h>

struct answer {
    int64_t square;
    int64_t work_us; /* of processor time */
};

static int64_t clock_us(clockid_t clock)
{
    struct timespec now;
    clock_gettime(clock, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

RAYC_TASK(square, task)
{
    int64_t i = rayc_arg_int(task, 0);
    int64_t work_us = rayc_arg_int(task, 1);
    int64_t start = clock_us(CLOCK_THREAD_CPUTIME_ID);
    struct answer answer = { i * i, 0 };
    do {
        answer.work_us = clock_us(CLOCK_THREAD_CPUTIME_ID) - start;
    } while (answer.work_us < work_us);
    return rayc_return(task, rayc_bytes(&answer, sizeof(answer)));
}

static const char usage[] =
    "Usage: parallel_compute [--tasks N] [--work-us N]\n"
    "Squares 0 to N-1 (default 100), each in a task that computes for 10000 us, on the cluster\n"
    "of $RAYC_ADDRESS or of this user, else on a private one.\n";

static int64_t number_or_exit(const char *text)
{
    char *end;
    long long number = strtoll(text, &end, 10);
    if (*text == 0 || *end != 0 || number < 0 || number > 100000000) {
        fprintf(stderr, "parallel_compute: '%s' is not a number from 0 to 100000000\n", text);
        exit(2);
    }
    return number;
}

static void read_options(int argc, char **argv, int64_t *tasks, int64_t *work_us)
{
    static const struct option options[] = { { "tasks", required_argument, NULL, 't' },
                                             { "work-us", required_argument, NULL, 'w' },
                                             { "help", no_argument, NULL, 'h' },
                                             { 0 } };
    for (int option; (option = getopt_long(argc, argv, "", options, NULL)) != -1;) {
        if (option == 't') {
            *tasks = number_or_exit(optarg);
        } else if (option == 'w') {
            *work_us = number_or_exit(optarg);
        } else {
            fputs(usage, option == 'h' ? stdout : stderr);
            exit(option == 'h' ? 0 : 2);
        }
    }
}

/*  Prints the results in order; returns how many tasks failed. */
static int64_t collect(rayc_ref *refs, int64_t tasks, int64_t *sum, int64_t *work_us)
{
    int64_t failed = 0;
    for (int64_t i = 0; i < tasks; i++) {
        rayc_value value;
        if (rayc_get(refs[i], RAYC_FOREVER, &value) < 0) {
            fprintf(stderr, "%" PRId64 ": %s\n", i, rayc_error()->text);
            failed++;
        } else {
            struct answer answer;
            memcpy(&answer, value.as.raw.data, sizeof(answer));
            printf("%" PRId64 " -> %" PRId64 "\n", i, answer.square);
            *sum += answer.square;
            *work_us += answer.work_us;
        }
        rayc_drop(&refs[i]);
    }
    return failed;
}

int main(int argc, char **argv)
{
    int64_t tasks = 100, work_us = 10000, sum = 0, worked_us = 0;
    read_options(argc, argv, &tasks, &work_us);
    if (rayc_init(NULL) < 0) {
        fprintf(stderr, "parallel_compute: %s\n", rayc_error()->text);
        return 125;
    }
    rayc_ref *refs = calloc((size_t)tasks + 1, sizeof(*refs));
    int64_t start = clock_us(CLOCK_MONOTONIC);
    for (int64_t i = 0; i < tasks; i++) {
        refs[i] = rayc_call(square, rayc_int(i), rayc_int(work_us));
    }
    int64_t failed = collect(refs, tasks, &sum, &worked_us);
    int64_t wall_us = clock_us(CLOCK_MONOTONIC) - start;
    rayc_shutdown();
    free(refs);
    printf("sum %" PRId64 "\n", sum);
    printf("%" PRId64 " tasks, %" PRId64
           " failed, in %.3f s; their work takes %.3f s on one CPU: speed-up %.2f\n",
           tasks, failed, (double)wall_us / 1e6, (double)worked_us / 1e6,
           wall_us > 0 ? (double)worked_us / (double)wall_us : 0);
    return failed > 0;
}
