/*  actors.c - how many calls of one actor a second, how long one takes, and how many actors come and go. */
#include <stdlib.h>
#include "common/clock.h"
#include "tests/bench/bench.h"

enum { WARM_CALLS = 200, ALIVE_MAX = 200, CHURN_WARM = 10 };

struct echoer {
    int64_t last;
};

RAYC_ACTOR(echoer, call, self)
{
    (void)call;
    self->last = 0;
    return 0;
}

RAYC_METHOD(echoer, echo, call, self)
{
    self->last = rayc_arg_int(call, 0);
    return rayc_return(call, rayc_int(self->last));
}

static rayc_actor make(void)
{
    rayc_actor actor = rayc_actor_new(&echoer, NULL, NULL, 0);
    if (actor.number == 0) {
        die_rayc("an actor cannot be made");
    }
    return actor;
}

static rayc_ref ask(rayc_actor actor, int64_t value)
{
    return rayc_tell(actor, echoer_echo, rayc_int(value));
}

static double *times(uint32_t count)
{
    double *us = calloc(count, sizeof(*us));
    if (us == NULL) {
        die("out of memory");
    }
    return us;
}

/*  `count` calls, each after the one before has ended; the median. */
static double calls_us(rayc_actor actor, uint32_t count)
{
    double *us = times(count);
    for (uint32_t i = 0; i < count; i++) {
        uint64_t begun = clock_us();
        rayc_ref ref = ask(actor, i);
        task_expect(&ref, i);
        us[i] = (double)(clock_us() - begun);
    }
    double value = median(us, count);
    free(us);
    return value;
}

double bench_actors(const struct run *run)
{
    struct cluster cluster;
    cluster_start(&cluster, run);
    rayc_actor actor = make();
    (void)calls_us(actor, WARM_CALLS);
    rayc_ref *refs = calloc(run->tasks, sizeof(*refs));
    if (refs == NULL) {
        die("out of memory");
    }
    uint64_t begun = clock_us();
    for (uint32_t i = 0; i < run->tasks; i++) {
        refs[i] = ask(actor, i);
    }
    for (uint32_t i = 0; i < run->tasks; i++) {
        task_expect(&refs[i], i);
    }
    double seconds = (double)(clock_us() - begun) / 1e6;
    free(refs);
    rayc_shutdown();
    cluster_stop(&cluster);
    return run->tasks / seconds;
}

double bench_actor_roundtrip(const struct run *run)
{
    struct cluster cluster;
    cluster_start(&cluster, run);
    rayc_actor actor = make();
    (void)calls_us(actor, WARM_CALLS);
    double value = calls_us(actor, run->tasks);
    rayc_shutdown();
    cluster_stop(&cluster);
    return value;
}

/*  Makes, calls and kills `count` actors, ALIVE_MAX at a time at most. */
static double churn_seconds(uint32_t count)
{
    rayc_actor actors[ALIVE_MAX];
    rayc_ref refs[ALIVE_MAX];
    uint64_t begun = clock_us();
    for (uint32_t i = 0; i < count + ALIVE_MAX; i++) {
        uint32_t at = i % ALIVE_MAX;
        if (i >= ALIVE_MAX && i - ALIVE_MAX < count) {
            task_expect(&refs[at], i - ALIVE_MAX);
            if (rayc_kill(actors[at], 1) < 0) {
                die_rayc("an actor cannot be killed");
            }
            rayc_actor_drop(&actors[at]);
        }
        if (i < count) {
            actors[at] = make();
            refs[at] = ask(actors[at], i);
        }
    }
    return (double)(clock_us() - begun) / 1e6;
}

double bench_actor_churn(const struct run *run)
{
    struct cluster cluster;
    cluster_start(&cluster, run);
    (void)churn_seconds(CHURN_WARM);
    double seconds = churn_seconds(run->tasks);
    rayc_shutdown();
    cluster_stop(&cluster);
    return run->tasks / seconds;
}
