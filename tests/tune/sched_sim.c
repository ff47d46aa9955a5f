/*  sched_sim.c - rayc-sched-sim: what schedulers find on a learning curve on which fast starters fade, in virtual time.

    4 workers, one step takes one unit, R = 81, noise 0.01, random configurations (asha_reference.py points SEED N).
    After 10 R, 25 R and 50 R steps the trial with the best last value is selected; its regret is its true value at R
    above the optimum.  Prints the medians over the seeds.
    usage: rayc-sched-sim POINTS-FILE...        one file per seed: SEED.txt, lines "lr width drop decay" */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include "client/tune/scheduler.h"
#include "common/err.h"
#include "common/prng.h"

enum { R = 81, WORKERS = 4, POINTS_MAX = 4096, SEEDS_MAX = 64 };
static const double optimum = 0.116502583;
static const uint32_t budgets[3] = { 10 * R, 25 * R, 50 * R };

struct point {
    double lr, width, drop, decay;
};

struct policy {
    const char *name, *type;
    double eta;
    uint32_t brackets;
    bool promote;
    double grace;
    uint32_t min_samples;
};
static const struct policy policies[] = {
    { "fifo", "fifo", 3, 0, false, 1, 3 },
    { "asha promote eta 3, 1 bracket", "asha", 3, 1, true, 1, 3 },
    { "asha promote eta 4, 1 bracket", "asha", 4, 1, true, 1, 3 },
    { "asha promote eta 3, 3 brackets", "asha", 3, 3, true, 1, 3 },
    { "asha stop eta 3, 1 bracket", "asha", 3, 1, false, 1, 3 },
    { "asha stop eta 4, 1 bracket", "asha", 4, 1, false, 1, 3 },
    { "asha stop eta 3, 3 brackets", "asha", 3, 3, false, 1, 3 },
    { "hyperband eta 3", "hyperband", 3, 0, false, 1, 3 },
    { "median, grace 3, 3 curves", "median", 3, 0, false, 3, 3 },
    { "auto: median, 5 curves", "auto", 3, 0, false, 1, 5 },
};

struct worker {
    bool busy;
    uint32_t trial, step; /* it is at this step next */
    uint64_t done;
};

struct sim {
    uint64_t seed, now;
    const struct point *points;
    uint32_t point_count;
    struct scheduler scheduler;
    struct worker workers[WORKERS];
    double last[POINTS_MAX];
    uint32_t at[POINTS_MAX];
    uint32_t made;
};

static uint64_t mix(uint64_t z)
{
    struct prng prng = { z };
    return prng_next(&prng);
}

static double gauss(uint64_t seed, uint64_t trial, uint64_t step)
{
    uint64_t h = mix(seed * 1000003 + trial * 8191 + step);
    double u = (double)(h >> 11) * 0x1p-53;
    double v = (double)(mix(h) >> 11) * 0x1p-53;
    return sqrt(-2 * log(1 - u)) * cos(2 * 3.14159265358979323846 * v);
}

static double square(double x)
{
    return x * x;
}

static double curve(const struct point *p, uint32_t step)
{
    double l = log10(p->lr);
    double w = log2(p->width);
    if (l > -0.5) {
        return 0.9;
    }
    double end = 0.08 + 0.02 * square(l + 2.5) + 0.004 * square(w - 7) +
                 0.2 * square(p->drop - 0.3) + 0.004 * square(log10(p->decay) + 4);
    double beta = fmin(fmax(0.55 + 0.3 * (l + 2.5) - 0.04 * (w - 7), 0.1), 1.2);
    return end + (0.9 - end) * pow(1.0 + step, -beta);
}

/*  A free worker: a paused trial, or a new one, or nothing for now. */
static void worker_fill(struct sim *self, struct worker *worker)
{
    struct scheduler *scheduler = &self->scheduler;
    struct resumption resumption;
    uint32_t trial = self->made;
    if (scheduler->type->resume(scheduler, &resumption)) {
        trial = resumption.trial;
    } else if (self->made < self->point_count &&
               (!scheduler->type->wants_new || scheduler->type->wants_new(scheduler))) {
        self->made++;
        self->last[trial] = INFINITY;
        self->at[trial] = 0;
        scheduler->type->added(scheduler, trial, NULL);
    } else {
        return;
    }
    *worker = (struct worker){ true, trial, self->at[trial] + 1, self->now + 1 };
}

static void worker_report(struct sim *self, struct worker *worker)
{
    struct scheduler *scheduler = &self->scheduler;
    uint32_t trial = worker->trial;
    double value =
        curve(&self->points[trial], worker->step) + 0.01 * gauss(self->seed, trial, worker->step);
    self->last[trial] = value;
    self->at[trial] = worker->step;
    enum decision decision = scheduler->type->reported(scheduler, trial, worker->step, value, true);
    if (decision == DECISION_GO_ON && worker->step < R) {
        worker->step++;
        worker->done = self->now + 1;
        return;
    }
    worker->busy = false;
    if (decision != DECISION_PAUSE) {
        scheduler->type->ended(scheduler, trial, false);
    }
}

static struct worker *worker_next(struct sim *self)
{
    struct worker *first = NULL;
    for (uint32_t i = 0; i < WORKERS; i++) {
        struct worker *worker = &self->workers[i];
        if (worker->busy && (!first || worker->done < first->done ||
                             (worker->done == first->done && worker->trial < first->trial))) {
            first = worker;
        }
    }
    ensure(first != NULL);
    return first;
}

static double regret(const struct sim *self)
{
    uint32_t best = 0;
    for (uint32_t i = 1; i < self->made; i++) {
        best = self->last[i] < self->last[best] ? i : best;
    }
    return curve(&self->points[best], R) - optimum;
}

static uint32_t simulate(struct sim *self, const struct policy *policy, double out[3])
{
    static const struct space space;
    struct scheduler_options options = scheduler_defaults(policy->type);
    options.max = R;
    options.eta = policy->eta;
    options.brackets = policy->brackets;
    options.promote = policy->promote;
    options.grace = policy->grace;
    options.min_samples = policy->min_samples;
    struct diag why;
    ensure(scheduler_open(&self->scheduler, &options, &space, self->seed, &why) == OK);
    self->made = 0;
    self->now = 0;
    memset(self->workers, 0, sizeof(self->workers));
    uint32_t reached = 0;
    for (uint32_t used = 0; reached < COUNT(budgets);) {
        for (uint32_t i = 0; i < WORKERS; i++) {
            if (!self->workers[i].busy) {
                worker_fill(self, &self->workers[i]);
            }
        }
        struct worker *worker = worker_next(self);
        self->now = worker->done;
        worker_report(self, worker);
        if (++used == budgets[reached]) {
            out[reached++] = regret(self);
        }
    }
    scheduler_close(&self->scheduler);
    return self->made;
}

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a;
    double y = *(const double *)b;
    return (x > y) - (x < y);
}

static uint32_t points_read(const char *path, struct point *points)
{
    FILE *file = fopen(path, "r");
    uint32_t n = 0;
    while (file && n < POINTS_MAX &&
           fscanf(file, "%lf %lf %lf %lf", &points[n].lr, &points[n].width, &points[n].drop,
                  &points[n].decay) == 4) {
        n++;
    }
    if (file) {
        fclose(file);
    }
    return n;
}

int main(int argc, char **argv)
{
    if (argc < 2 || argc > SEEDS_MAX) {
        (void)fprintf(stderr, "usage: %s SEED.txt...\n", argv[0]);
        return 2;
    }
    struct point *points = calloc(POINTS_MAX, sizeof(*points));
    struct sim *sim = calloc(1, sizeof(*sim));
    ensure(points != NULL && sim != NULL);
    printf("%-32s trials  regret at 10R   25R    50R\n", "policy");
    for (uint32_t p = 0; p < COUNT(policies); p++) {
        double regrets[3][SEEDS_MAX] = { 0 };
        uint32_t made = 0;
        uint32_t seeds = (uint32_t)argc - 1;
        for (uint32_t i = 0; i < seeds; i++) {
            const char *name = strrchr(argv[i + 1], '/');
            sim->seed = strtoull(name ? name + 1 : argv[i + 1], NULL, 10);
            sim->points = points;
            sim->point_count = points_read(argv[i + 1], points);
            ensure(sim->point_count > 0);
            double out[3];
            made += simulate(sim, &policies[p], out);
            for (uint32_t k = 0; k < 3; k++) {
                regrets[k][i] = out[k];
            }
        }
        printf("%-32s %6u", policies[p].name, made / seeds);
        for (uint32_t k = 0; k < 3; k++) {
            qsort(regrets[k], seeds, sizeof(double), compare);
            printf("  %.4f", regrets[k][seeds / 2]);
        }
        printf("\n");
    }
    free(points);
    free(sim);
    return 0;
}
