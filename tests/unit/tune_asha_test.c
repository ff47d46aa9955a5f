/*  tune_asha_test.c - ASHA on the traces of tests/tune/asha_reference.py: for the same arrivals the same promotions as
    a reference of the paper's Algorithm 2, and the same stops as Ray's AsyncHyperBandScheduler. */
#include <setjmp.h>
#include <stdarg.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>
#include "client/tune/scheduler.h"
#include "common/err.h"

enum { WORKERS = 4, R = 81 };

static const struct space no_space;

struct arrival {
    uint32_t trial;
    double step, value;
    char then[16]; /* "": nothing; n, p7; c, s */
};

struct trace {
    FILE *file;
    struct scheduler scheduler;
    uint32_t made, line, decisions;
};

static void trace_open(struct trace *self, const char *name, double eta, bool promote)
{
    char path[1024];
    (void)snprintf(path, sizeof(path), "%s/%s", TUNE_FILES, name);
    *self = (struct trace){ .file = fopen(path, "r") };
    assert_non_null(self->file);
    struct scheduler_options options = scheduler_defaults("asha");
    options.max = R;
    options.eta = eta;
    options.brackets = 1;
    options.promote = promote;
    struct diag why;
    assert_int_equal(scheduler_open(&self->scheduler, &options, &no_space, 0, &why), OK);
}

static void trace_close(struct trace *self)
{
    fclose(self->file);
    scheduler_close(&self->scheduler);
}

static void trial_new(struct trace *self)
{
    self->scheduler.type->added(&self->scheduler, self->made++, NULL);
}

static bool next_arrival(struct trace *self, struct arrival *out)
{
    char line[128];
    if (!fgets(line, sizeof(line), self->file)) {
        return false;
    }
    self->line++;
    out->then[0] = 0;
    int n = sscanf(line, "%u %lf %lf %15s", &out->trial, &out->step, &out->value, out->then);
    assert_true(n >= 3);
    assert_true(out->trial < self->made);
    return true;
}

/*  What a worker does after a report at a rung, in the words of the trace. */
static void worker_goes_on(struct trace *self, const struct arrival *at, enum decision decision,
                           char out[static 16])
{
    const struct scheduler_type *type = self->scheduler.type;
    struct resumption resumption;
    uint32_t trial = at->trial;
    if (decision != DECISION_GO_ON) {
        if (decision == DECISION_STOP) {
            type->ended(&self->scheduler, trial, false);
        }
        if (!type->resume(&self->scheduler, &resumption)) {
            trial_new(self);
            (void)snprintf(out, 16, "n");
            return;
        }
        trial = resumption.trial;
    }
    (void)snprintf(out, 16, "p%u", trial);
}

static void replay_paper(const char *name, double eta)
{
    struct trace trace;
    struct arrival at;
    trace_open(&trace, name, eta, true);
    for (uint32_t i = 0; i < WORKERS; i++) {
        trial_new(&trace);
    }
    while (next_arrival(&trace, &at)) {
        enum decision decision =
            trace.scheduler.type->reported(&trace.scheduler, at.trial, at.step, at.value, true);
        char then[16] = "";
        if (at.then[0]) {
            worker_goes_on(&trace, &at, decision, then);
            trace.decisions++;
        } else if (decision != DECISION_GO_ON) {
            (void)snprintf(then, sizeof(then), "decision");
        }
        if (strcmp(then, at.then) != 0) {
            fail_msg("%s:%u: %s instead of %s", name, trace.line, then, at.then);
        }
    }
    assert_true(trace.decisions > 500);
    trace_close(&trace);
}

static void promotions_are_those_of_the_reference(void **unused)
{
    (void)unused;
    replay_paper("asha_trace_0.txt", 3);
    replay_paper("asha_trace_1.txt", 3);
    replay_paper("asha_trace_2.txt", 4);
}

static void replay_ray(const char *name, double eta)
{
    struct trace trace;
    struct arrival at;
    trace_open(&trace, name, eta, false);
    for (uint32_t i = 0; i < WORKERS; i++) {
        trial_new(&trace);
    }
    while (next_arrival(&trace, &at)) {
        enum decision decision =
            trace.scheduler.type->reported(&trace.scheduler, at.trial, at.step, at.value, false);
        const char *then = decision == DECISION_STOP ? "s" : "c";
        if (strcmp(then, at.then) != 0) {
            fail_msg("%s:%u: %s instead of %s", name, trace.line, then, at.then);
        }
        if (decision == DECISION_STOP) {
            trace.scheduler.type->ended(&trace.scheduler, at.trial, false);
            trial_new(&trace);
        }
        trace.decisions++;
    }
    assert_true(trace.decisions > 500);
    trace_close(&trace);
}

/*  Every step is reported, so that Ray's defect with sparse reports does not show, and all values are numbers.  Where
    the two differ on purpose: tests/tune/README.md. */
static void stops_are_those_of_ray(void **unused)
{
    (void)unused;
    replay_ray("asha_ray_eta3.txt", 3);
    replay_ray("asha_ray_eta4.txt", 4);
}

/*  A rung of many: the heaps against a sort. */
static void cutoffs_are_percentiles(void **unused)
{
    (void)unused;
    enum { TRIALS = 600 };
    static const double etas[] = { 2, 2.5, 3, 4, 10 };
    for (uint32_t e = 0; e < COUNT(etas); e++) {
        struct scheduler_options options = scheduler_defaults("asha");
        options.eta = etas[e];
        options.brackets = 1;
        struct scheduler scheduler;
        struct diag why;
        assert_int_equal(scheduler_open(&scheduler, &options, &no_space, 0, &why), OK);
        double sorted[TRIALS];
        for (uint32_t n = 0; n < TRIALS; n++) {
            double value = floor(draw_uniform(7, n, 0, e) * 200); /* with many ties */
            double place = n > 0 ? (n - 1) / etas[e] : 0;
            uint32_t low = (uint32_t)floor(place);
            double cutoff = n == 0 ? (double)INFINITY
                            : place == low || low + 1 == n
                                ? sorted[low]
                                : sorted[low] + (place - low) * (sorted[low + 1] - sorted[low]);
            scheduler.type->added(&scheduler, n, NULL);
            enum decision decision = scheduler.type->reported(&scheduler, n, 1, value, false);
            assert_int_equal(decision, value > cutoff ? DECISION_STOP : DECISION_GO_ON);
            uint32_t i = n;
            for (; i > 0 && sorted[i - 1] > value; i--) {
                sorted[i] = sorted[i - 1];
            }
            sorted[i] = value;
        }
        scheduler_close(&scheduler);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(promotions_are_those_of_the_reference),
        cmocka_unit_test(stops_are_those_of_ray),
        cmocka_unit_test(cutoffs_are_percentiles),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
