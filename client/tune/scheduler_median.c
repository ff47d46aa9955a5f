/*  scheduler_median.c - the median stopping rule (Golovin et al., Vizier, KDD 2017, section 3.2.2).

    A trial stops at step t if its best value by t is strictly worse than the median, over the other trials that have
    come as far as t, of their mean value up to t.  Nothing is decided below `grace`, nor with fewer than min_samples
    such trials, and means begin at `grace`.  A trial with a value that is not finite has no mean.

    auto is this rule, when at least 5 other curves are as long. */
#include "client/tune/scheduler_inside.h"

#include <math.h>
#include <stdlib.h>

#include "common/err.h"

struct curve_point {
    double step;
    double sum; /* of the values from grace on, up to here; NAN once one was not finite */
    uint32_t counted;
};

struct curve {
    struct curve_point *points;
    uint32_t count, capacity;
    double best;
    enum decision answer; /* to the last report */
};

struct median {
    struct curve *curves;
    uint32_t count, capacity;
    double *means; /* room for one per trial */
    uint32_t means_capacity;
};

static int median_open(struct scheduler *self, struct diag *why)
{
    if (!(self->options.grace >= 0)) {
        return option_refuse(why, "scheduler.grace", "must not be below 0");
    }
    if (self->options.min_samples == 0) {
        return option_refuse(why, "scheduler.min_samples", "must be 1 or more");
    }
    self->state = calloc(1, sizeof(struct median));
    ensure(self->state != NULL);
    return OK;
}

static void median_close(struct scheduler *self)
{
    struct median *state = self->state;
    for (uint32_t i = 0; i < state->count; i++) {
        free(state->curves[i].points);
    }
    free(state->curves);
    free(state->means);
    free(state);
}

static void median_added(struct scheduler *self, uint32_t trial, const double *x)
{
    (void)x;
    struct median *state = self->state;
    ensure(trial == state->count);
    state->curves =
        array_room(state->curves, &state->capacity, trial, sizeof(*state->curves));
    state->means = array_room(state->means, &state->means_capacity, trial, sizeof(double));
    state->curves[state->count++] = (struct curve){ .best = INFINITY };
}

static double last_step(const struct curve *curve)
{
    return curve->count > 0 ? curve->points[curve->count - 1].step : 0;
}

static void extend(struct curve *curve, double step, double value, double grace)
{
    struct curve_point point = { step, 0, 0 };
    if (curve->count > 0) {
        point.sum = curve->points[curve->count - 1].sum;
        point.counted = curve->points[curve->count - 1].counted;
    }
    if (step >= grace) {
        point.sum += isfinite(value) ? value : (double)NAN;
        point.counted++;
    }
    curve->points = array_room(curve->points, &curve->capacity, curve->count, sizeof(point));
    curve->points[curve->count++] = point;
    curve->best = value < curve->best ? value : curve->best;
}

/*  Of its values from grace up to `step`; NAN: there is none. */
static double running_mean(const struct curve *curve, double step)
{
    uint32_t low = 0;
    uint32_t high = curve->count; /* the first point beyond `step` */
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (curve->points[middle].step <= step) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    const struct curve_point *point = low > 0 ? &curve->points[low - 1] : NULL;
    return point && point->counted > 0 ? point->sum / point->counted : (double)NAN;
}

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a;
    double y = *(const double *)b;
    return (x > y) - (x < y);
}

/*  The median over the others; false: they are too few. */
static bool median_of_others(const struct scheduler *self, uint32_t trial, double step, double *out)
{
    struct median *state = self->state;
    uint32_t n = 0;
    for (uint32_t i = 0; i < state->count; i++) {
        if (i != trial && last_step(&state->curves[i]) >= step) {
            double mean = running_mean(&state->curves[i], step);
            if (isfinite(mean)) {
                state->means[n++] = mean;
            }
        }
    }
    if (n < self->options.min_samples) {
        return false;
    }
    qsort(state->means, n, sizeof(double), compare);
    *out = (state->means[(n - 1) / 2] + state->means[n / 2]) / 2;
    return true;
}

static enum decision median_reported(struct scheduler *self, uint32_t trial, double step,
                                     double value, bool resumable)
{
    (void)resumable;
    struct median *state = self->state;
    ensure(trial < state->count);
    struct curve *curve = &state->curves[trial];
    if (!(step > last_step(curve))) { /* a retried trial says again what is known */
        return step == last_step(curve) ? curve->answer : DECISION_GO_ON;
    }
    extend(curve, step, value, self->options.grace);
    double median = 0;
    bool full = self->options.max > 0 && step >= self->options.max;
    bool stop = full || (step >= self->options.grace &&
                         median_of_others(self, trial, step, &median) && curve->best > median);
    curve->answer = stop ? DECISION_STOP : DECISION_GO_ON;
    return curve->answer;
}

static void median_ended(struct scheduler *self, uint32_t trial, bool failed)
{
    (void)self; /* its curve stays: it is what others are compared with */
    (void)trial;
    (void)failed;
}

static bool median_resume(struct scheduler *self, struct resumption *out)
{
    (void)self;
    (void)out;
    return false;
}

const struct scheduler_type scheduler_median = {
    .name = "median",
    .summary = "stops a trial whose best value is worse than the median of the others' means",
    .decides = true,
    .open = median_open,
    .close = median_close,
    .added = median_added,
    .reported = median_reported,
    .ended = median_ended,
    .resume = median_resume,
};

const struct scheduler_type scheduler_auto = {
    .name = "auto",
    .summary = "the median rule, once 5 other trials have come as far",
    .decides = true,
    .open = median_open,
    .close = median_close,
    .added = median_added,
    .reported = median_reported,
    .ended = median_ended,
    .resume = median_resume,
};
