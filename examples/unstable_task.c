/*  unstable_task.c - ten tasks that fail half the time, and are retried until each has succeeded.

        unstable_task            an attempt fails by reporting an error
        unstable_task --crash    or by killing its own process
        unstable_task --seed 7   the dice depend on seed, task and attempt only: a run can be repeated */
#include <getopt.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <rayc.h>

enum { TASKS = 10, BAD_LUCK = 1, RETRIES = 20 };

/*  splitmix64: every bit of the result depends on every bit of the input. */
static uint64_t mix(uint64_t x)
{
    x += 0x9E3779B97F4A7C15u;
    x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9u;
    x = (x ^ (x >> 27)) * 0x94D049BB133111EBu;
    return x ^ (x >> 31);
}

RAYC_TASK(unstable, task)
{
    int64_t number = rayc_arg_int(task, 0);
    uint64_t seed = (uint64_t)rayc_arg_int(task, 1);
    int64_t crash = rayc_arg_int(task, 2);
    uint64_t dice = mix(mix(seed) ^ mix((uint64_t)number << 32 | rayc_attempt(task)));
    if (dice >> 63) {
        if (crash) {
            kill(getpid(), SIGKILL);
        }
        return rayc_fail(task, BAD_LUCK, "bad luck");
    }
    return rayc_return(task, rayc_int(rayc_attempt(task)));
}

/*  One line for each attempt that failed. */
static void tell_failure(void *number, const rayc_attempt_record *attempt)
{
    if (attempt->signal != 0) {
        printf("task %d attempt %d failed: killed by signal %d\n", *(int *)number, attempt->attempt,
               attempt->signal);
    } else if (attempt->text[0] != 0) {
        printf("task %d attempt %d failed: %s\n", *(int *)number, attempt->attempt, attempt->text);
    }
}

static void read_options(int argc, char **argv, int64_t *seed, int *crash)
{
    static const struct option options[] = { { "seed", required_argument, NULL, 's' },
                                             { "crash", no_argument, NULL, 'c' },
                                             { "help", no_argument, NULL, 'h' },
                                             { 0 } };
    for (int option; (option = getopt_long(argc, argv, "", options, NULL)) != -1;) {
        if (option == 's') {
            *seed = strtoll(optarg, NULL, 10);
        } else if (option == 'c') {
            *crash = 1;
        } else {
            fputs("Usage: unstable_task [--seed N] [--crash]\n"
                  "Runs ten tasks of which each attempt fails with a probability of 1/2, and "
                  "retries them.\n",
                  option == 'h' ? stdout : stderr);
            exit(option == 'h' ? 0 : 2);
        }
    }
}

int main(int argc, char **argv)
{
    int64_t seed = 1;
    int crash = 0, succeeded = 0, attempts = 0;
    read_options(argc, argv, &seed, &crash);
    if (rayc_init(NULL) < 0) {
        fprintf(stderr, "unstable_task: %s\n", rayc_error()->text);
        return 125;
    }
    rayc_options options = rayc_defaults();
    options.max_retries = RETRIES;
    options.retry_codes = rayc_any_error;
    options.crash_limit = 0; /* it may kill its process as often as retries allow */
    rayc_ref refs[TASKS];
    for (int i = 0; i < TASKS; i++) {
        refs[i] = rayc_call_with(&options, unstable, rayc_int(i), rayc_int(seed), rayc_int(crash));
    }
    for (int i = 0; i < TASKS; i++) {
        rayc_value value;
        int rc = rayc_get(refs[i], RAYC_FOREVER, &value);
        rayc_history(refs[i], tell_failure, &i);
        if (rc < 0) {
            printf("task %d failed for good: %s\n", i, rayc_error()->text);
            continue;
        }
        printf("task %d succeeded at attempt %" PRId64 "\n", i, value.as.i);
        attempts += (int)value.as.i;
        succeeded++;
    }
    rayc_shutdown();
    printf("%d of %d tasks succeeded, with %d attempts\n", succeeded, TASKS, attempts);
    return succeeded < TASKS;
}
