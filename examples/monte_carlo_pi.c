/*  monte_carlo_pi.c - pi by throwing darts: tasks throw them, an actor counts how many were thrown, and the driver asks it
    while they fly.

        monte_carlo_pi              10 tasks of 50 million darts
        monte_carlo_pi 4 100000 */
#include <rayc.h>
#include <stdio.h>
#include <stdlib.h>

enum { REPORTS = 10 }; /* of each task */

struct progress {
    int64_t thrown;
};

RAYC_ACTOR(progress, call, self)
{
    (void)call;
    self->thrown = 0;
    return 0;
}

RAYC_METHOD(progress, add, call, self)
{
    self->thrown += rayc_arg_int(call, 0);
    return rayc_return(call, rayc_int(self->thrown));
}

static double draw(uint64_t *state) /* from 0 to 1 */
{
    *state = *state * 6364136223846793005 + 1442695040888963407;
    return (double)(*state >> 11) / (double)(1ull << 53);
}

/*  How many of `darts` fall into the quarter of a circle.  It says how far it is without waiting; only at the end it waits
    until all is counted: its calls of one actor are run in order. */
RAYC_TASK(throw_darts, task)
{
    int64_t darts = rayc_arg_int(task, 0), inside = 0;
    uint64_t random = (uint64_t)rayc_arg_int(task, 1) + 1;
    rayc_actor counter = rayc_arg_actor(task, 2);
    rayc_ref told = { 0 };
    for (int64_t report = 0; report < REPORTS; report++) {
        int64_t throws = darts * (report + 1) / REPORTS - darts * report / REPORTS;
        for (int64_t i = 0; i < throws; i++) {
            double x = draw(&random), y = draw(&random);
            inside += x * x + y * y <= 1;
        }
        rayc_drop(&told);
        told = rayc_tell(counter, progress_add, rayc_int(throws));
    }
    if (rayc_get(told, RAYC_FOREVER, NULL) < 0) {
        return rayc_fail(task, 1, "not counted: %s", rayc_error()->text);
    }
    rayc_drop(&told);
    return rayc_return(task, rayc_int(inside));
}

/*  A number, when it is there; ends the program when it cannot be. */
static int64_t number(rayc_ref ref)
{
    rayc_value value;
    if (rayc_get(ref, RAYC_FOREVER, &value) < 0) {
        fprintf(stderr, "%s\n", rayc_error()->text);
        exit(1);
    }
    int64_t got = value.as.i;
    rayc_drop(&ref);
    return got;
}

/*  Asks the counter four times a second, until all tasks have ended. */
static void watch(rayc_actor counter, rayc_ref *tasks, size_t count, int64_t darts)
{
    int ended = 0;
    while (ended < (int)count) {
        ended = rayc_wait(tasks, count, count, 0.25);
        int64_t thrown = number(rayc_tell(counter, progress_add, rayc_int(0)));
        printf("%3lld %% thrown\n", (long long)(100 * thrown / darts));
        fflush(stdout);
    }
}

int main(int argc, char **argv)
{
    if (rayc_init(NULL) < 0) {
        fprintf(stderr, "%s\n", rayc_error()->text);
        return 1;
    }
    long tasks = argc > 1 ? strtol(argv[1], NULL, 10) : 10;
    long darts = argc > 2 ? strtol(argv[2], NULL, 10) : 50 * 1000 * 1000;
    if (tasks < 1 || tasks > 1000 || darts < 1) {
        fprintf(stderr, "usage: monte_carlo_pi [TASKS [DARTS]], of 1 to 1000 tasks\n");
        return 2;
    }
    rayc_actor counter = rayc_new(progress, rayc_int(0));
    rayc_ref refs[1000];
    for (long i = 0; i < tasks; i++) {
        refs[i] = rayc_call(throw_darts, rayc_int(darts), rayc_int(i), rayc_handle(counter));
    }
    watch(counter, refs, (size_t)tasks, (int64_t)tasks * darts);
    int64_t inside = 0;
    for (long i = 0; i < tasks; i++) {
        inside += number(refs[i]);
    }
    printf("pi is about %.5f\n", 4.0 * (double)inside / (double)tasks / (double)darts);
    rayc_actor_drop(&counter);
    rayc_shutdown();
    return 0;
}
