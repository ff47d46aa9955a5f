/*  local.c - candidates around the best point, and which of them is taken. */
#include "client/tune/local.h"

#include <math.h>
#include <stdlib.h>

#include "client/tune/rbf.h"
#include "client/tune/tpe_axis.h"

enum {
    MODEL_MAX = 250, /* points of the model: those nearest to the best one */
    COORDINATES_MAX = 1024,
    CANDIDATES_PER_PARAMETER = 100,
    CANDIDATES_MAX = 1000,
    CHANGES = 20,             /* of a candidate, on average, at the start */
    DRAWS = 3,                /* a candidate and parameter */
    LOCAL_DRAWS = 0x20000000, /* where the counters of draws begin */
    SUCCESSES_MAX = 3,        /* in a row, before changes reach twice as far */
    FAILURES_MIN = 5 /* or as many as there are parameters, before they reach half as far */
};
static const double radius_max = 0.2;
static const double radius_min =
    0.2 / 1024; /* shorter ones would be noise to most: then from the start again */
static const double choice_length = 0.35; /* options of a choice are sqrt(2) of this apart */
static const double choice_chance = 0.3;  /* of a change, as against a number's */
static const double liking[] = { 0.3, 0.5, 0.8,
                                 0.95 }; /* of the model as against distance, in turn */

struct local {
    const struct search *search;
    const struct history *history;
    const struct space *space;
    struct axis axes[PARAMS_MAX];
    uint32_t first[PARAMS_MAX]; /* its first coordinate; NONE: is not searched */
    uint32_t tunable;           /* parameters that are */
    uint32_t n;                 /* coordinates */
    const struct trial *best;
    double radius;
    double *points; /* count * n: those of the model first, then trials that run */
    double *values;
    uint32_t model_count, count;
};

static bool is_full(const struct trial *trial)
{
    return trial->state == TRIAL_TERMINATED && !trial->pruned && isfinite(trial->value);
}

static bool has_ended(const struct trial *trial)
{
    return trial->state == TRIAL_TERMINATED || trial->state == TRIAL_ERROR;
}

/* --- coordinates ------------------------------------------------------------------------------ */

static void set_axes(struct local *self)
{
    for (uint32_t i = 0; i < self->space->count; i++) {
        const struct param *param = &self->space->params[i];
        self->first[i] = NONE;
        if (param_is_free(param) && param_size(param) != 1) {
            self->axes[i] = axis_of(param);
            self->first[i] = self->n;
            self->n += param->kind == PARAM_CHOICE ? param->option_count : 1;
            self->tunable++;
        }
    }
}

/*  Numbers on [0, 1], in the middle where they are not active; choices as a coordinate per option. */
static void place(const struct local *self, const double *x, double *out)
{
    memset(out, 0, self->n * sizeof(double));
    for (uint32_t i = 0; i < self->space->count; i++) {
        if (self->first[i] == NONE) {
            continue;
        }
        if (self->axes[i].kind != AXIS_CHOICE) {
            out[self->first[i]] = isnan(x[i]) ? 0.5 : axis_unit(&self->axes[i], x[i]);
        } else if (!isnan(x[i])) {
            out[self->first[i] + (uint32_t)x[i]] = choice_length;
        }
    }
}

static double distance(const struct local *self, const double *a, const double *b)
{
    double square = 0;
    for (uint32_t k = 0; k < self->n; k++) {
        square += (a[k] - b[k]) * (a[k] - b[k]);
    }
    return sqrt(square);
}

/* --- what is known ---------------------------------------------------------------------------- */

/*  The best trial, and how far changes reach: a fold over trials in the order in which they ended. */
static void follow(struct local *self)
{
    const struct history *history = self->history;
    const uint32_t failures_max = self->tunable > FAILURES_MIN ? self->tunable : FAILURES_MIN;
    uint32_t failures = 0;
    uint32_t successes = 0;
    self->radius = radius_max;
    for (uint32_t i = 0; i < history->ended_count; i++) {
        const struct trial *trial = &history->trials[history->ended[i]];
        if (!is_full(trial)) {
            continue;
        }
        bool better = !self->best || trial->value < self->best->value;
        self->best = better ? trial : self->best;
        if (trial->tag == LOCAL_TAG) {
            successes = better ? successes + 1 : 0;
            failures = better ? 0 : failures + 1;
        }
        if (successes == SUCCESSES_MAX) {
            self->radius = fmin(self->radius * 2, radius_max);
            successes = 0;
        }
        if (failures == failures_max) {
            self->radius = self->radius / 2 < radius_min ? radius_max : self->radius / 2;
            failures = 0;
        }
    }
}

struct neighbour {
    const struct trial *trial;
    double distance;
};

static int by_distance(const void *a, const void *b)
{
    const struct neighbour *x = a;
    const struct neighbour *y = b;
    if (x->distance != y->distance) {
        return x->distance < y->distance ? -1 : 1;
    }
    return x->trial->number < y->trial->number ? -1 : x->trial->number > y->trial->number;
}

static int by_size(const void *a, const void *b)
{
    const double *x = a;
    const double *y = b;
    return *x < *y ? -1 : *x > *y;
}

/*  To [0, 1]: values above the median are the median, for how bad a bad point is tells nothing of where good ones are. */
static void cap(double *values, uint32_t count)
{
    double *sorted = calloc(count, sizeof(double));
    ensure(sorted);
    memcpy(sorted, values, count * sizeof(double));
    qsort(sorted, count, sizeof(double), by_size);
    double low = sorted[0];
    double span = sorted[count / 2] - low;
    for (uint32_t i = 0; i < count; i++) {
        values[i] = span > 0 ? fmin(values[i] - low, span) / span : values[i] > low;
    }
    free(sorted);
}

static void learn(struct local *self)
{
    const struct history *history = self->history;
    double here[COORDINATES_MAX];
    double there[COORDINATES_MAX];
    struct neighbour *neighbours = calloc(history->count, sizeof(*neighbours));
    self->points = calloc((size_t)history->count * self->n, sizeof(double));
    self->values = calloc(history->count, sizeof(double));
    ensure(neighbours && self->points && self->values);
    uint32_t found = 0;
    place(self, self->best->x, here);
    for (uint32_t i = 0; i < history->count; i++) {
        if (is_full(&history->trials[i])) {
            place(self, history->trials[i].x, there);
            neighbours[found++] =
                (struct neighbour){ &history->trials[i], distance(self, here, there) };
        }
    }
    qsort(neighbours, found, sizeof(*neighbours), by_distance);
    self->model_count = found < MODEL_MAX ? found : MODEL_MAX;
    for (; self->count < self->model_count; self->count++) {
        const struct trial *trial = neighbours[self->count].trial;
        place(self, trial->x, self->points + (size_t)self->count * self->n);
        self->values[self->count] = trial->value;
    }
    for (uint32_t i = 0; i < history->count; i++) {
        if (!has_ended(&history->trials[i])) {
            place(self, history->trials[i].x, self->points + (size_t)self->count++ * self->n);
        }
    }
    free(neighbours);
    cap(self->values, self->model_count);
}

/* --- candidates ------------------------------------------------------------------------------- */

static double reflected(double unit)
{
    unit = fabs(unit);
    unit = unit > 1 ? 2 - unit : unit;
    return fmin(fmax(unit, 0), 1 - 0x1p-53);
}

/*  A number somewhere near, of a grid the next one at least; of a choice, another option. */
static double changed(const struct local *self, uint32_t i, double value, const double u[static 2])
{
    const struct axis *axis = &self->axes[i];
    if (axis->kind == AXIS_CHOICE) {
        uint32_t count = self->space->params[i].option_count;
        return ((uint32_t)value + 1 + (uint32_t)(u[0] * (count - 1))) % count;
    }
    double unit = axis_unit(axis, value) + self->radius * normal_quantile(u[0]);
    double moved = axis_value(axis, reflected(unit));
    if (axis->kind == AXIS_CELLS && moved == value) {
        double low = 0;
        double high = 1;
        axis_cell(axis, value, &low, &high);
        bool down = low > 0 && (u[1] < 0.5 || high >= 1);
        double half = (high - low) / 2;
        moved = axis_value(axis, reflected(down ? low - half : high + half));
    }
    return moved;
}

/*  How likely a parameter is to be changed: less and less, to one at a time when the study ends. */
static double chance_of_change(const struct local *self, uint32_t number)
{
    const uint32_t trials_max = self->history->trials_max;
    double done = trials_max > 0 ? log(number + 1.0) / log(trials_max + 1.0) : 0;
    return fmax(0, fmin(1, (double)CHANGES / self->tunable) * (1 - done));
}

static void make_candidate(const struct local *self, uint32_t number, uint32_t n, double *x)
{
    const struct history *history = self->history;
    const double *best = self->best->x;
    const double chance = chance_of_change(self, number);
    uint32_t active = 0;
    for (uint32_t i = 0; i < self->space->count; i++) {
        active += self->first[i] != NONE && !isnan(best[i]);
    }
    uint32_t sure = (uint32_t)(draw_uniform(history->seed, number, PARAMS_MAX, n) * active);
    for (uint32_t i = 0; i < self->space->count; i++) {
        x[i] = best[i];
        if (self->first[i] == NONE) {
            continue;
        }
        double u[DRAWS];
        for (uint32_t k = 0; k < DRAWS; k++) {
            u[k] = draw_uniform(history->seed, number, i, n * DRAWS + k);
        }
        if (isnan(best[i])) {
            x[i] =
                param_at(&self->space->params[i], u[0]); /* if a changed choice makes it active */
            continue;
        }
        double likely = self->axes[i].kind == AXIS_CHOICE ? choice_chance * chance : chance;
        x[i] = u[2] < likely || sure == 0 ? changed(self, i, best[i], u) : best[i];
        sure--;
    }
    search_complete(self->search, self->space, x);
}

struct candidate {
    double guess;    /* of the model; NAN: must not be taken */
    double distance; /* to what is known and what runs */
};

static struct candidate weigh(const struct local *self, const struct rbf *model, const double *x)
{
    double at[COORDINATES_MAX];
    struct candidate out = { NAN, INFINITY };
    place(self, x, at);
    for (uint32_t i = 0; i < self->count; i++) {
        out.distance = fmin(out.distance, distance(self, at, self->points + (size_t)i * self->n));
    }
    if (out.distance > 0 && space_feasible(self->space, x)) {
        out.guess = rbf_value(model, at);
    }
    return out;
}

/*  The one with the lowest sum of both aims, each from 0 (best of all candidates) to 1; NONE: none may be taken. */
static uint32_t choose(const struct candidate *candidates, uint32_t count, double weight)
{
    double low[2] = { INFINITY, INFINITY };
    double high[2] = { -INFINITY, -INFINITY };
    for (uint32_t i = 0; i < count; i++) {
        const double aims[2] = { candidates[i].guess, candidates[i].distance };
        for (uint32_t k = 0; k < 2 && !isnan(aims[0]); k++) {
            low[k] = fmin(low[k], aims[k]);
            high[k] = fmax(high[k], aims[k]);
        }
    }
    uint32_t best = NONE;
    double best_score = INFINITY;
    for (uint32_t i = 0; i < count; i++) {
        double guess = high[0] > low[0] ? (candidates[i].guess - low[0]) / (high[0] - low[0]) : 0;
        double near =
            high[1] > low[1] ? (high[1] - candidates[i].distance) / (high[1] - low[1]) : 0;
        double score = weight * guess + (1 - weight) * near;
        if (!isnan(candidates[i].guess) && score < best_score) {
            best_score = score;
            best = i;
        }
    }
    return best;
}

static bool take_candidate(const struct local *self, const struct rbf *model, uint32_t number,
                           uint32_t attempt, double *x)
{
    const uint32_t wanted = CANDIDATES_PER_PARAMETER * self->tunable;
    const uint32_t count = wanted < CANDIDATES_MAX ? wanted : CANDIDATES_MAX;
    const uint32_t first = LOCAL_DRAWS + attempt * CANDIDATES_MAX;
    struct candidate *candidates = calloc(count, sizeof(*candidates));
    ensure(candidates);
    for (uint32_t i = 0; i < count; i++) {
        make_candidate(self, number, first + i, x);
        candidates[i] = weigh(self, model, x);
    }
    uint32_t best = choose(candidates, count, liking[number / 2 % COUNT(liking)]);
    free(candidates);
    if (best != NONE) {
        make_candidate(self, number, first + best, x);
    }
    return best != NONE;
}

bool local_suggest(const struct search *search, const struct history *history, uint32_t number,
                   uint32_t attempt, double *x)
{
    struct local self = { .search = search, .history = history, .space = history->space };
    set_axes(&self);
    follow(&self);
    if (!self.best || self.n == 0 || self.n > COORDINATES_MAX) {
        return false;
    }
    learn(&self);
    struct rbf model;
    bool found = rbf_fit(&model, self.points, self.values, self.model_count, self.n);
    if (found) {
        found = take_candidate(&self, &model, number, attempt, x);
        rbf_fini(&model);
    }
    free(self.points);
    free(self.values);
    return found;
}
