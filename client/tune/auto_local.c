/*  auto_local.c - small changes of the best point. */
#include "client/tune/auto_local.h"

#include <math.h>
#include <stdlib.h>

#include "client/tune/rbf.h"
#include "client/tune/tpe_axis.h"

enum { MODEL_MAX = 250, CANDIDATES_MAX = 1000, LOCAL_DRAWS = 0x20000000, COORDINATES_MAX = 1024 };

struct local {
    const struct space *space;
    const struct history *history;
    uint32_t tunable;      /* parameters to be chosen */
    uint32_t n;            /* coordinates */
    uint32_t best;         /* trial */
    uint32_t known;        /* full trials */
    double radius;
    struct axis axes[PARAMS_MAX];
    uint32_t first[PARAMS_MAX]; /* coordinate; NONE: is not searched */
};

static double knob(const char *name, double value)
{
    const char *env = getenv(name);
    return env ? atof(env) : value;
}

static bool is_full(const struct trial *trial)
{
    return trial->state == TRIAL_TERMINATED && !trial->pruned && isfinite(trial->value);
}

static void learn(struct local *self)
{
    const struct history *history = self->history;
    const double radius_max = knob("RMAX", 0.2);
    const double radius_min = knob("RMIN", 0.2 / 1024);
    uint32_t fails = 0;
    uint32_t successes = 0;
    const uint32_t tolerance = (uint32_t)fmax(knob("TOL", 5), self->tunable * knob("TOLD", 1));
    self->radius = radius_max;
    self->best = NONE;
    self->known = 0;
    for (uint32_t i = 0; i < history->ended_count; i++) {
        const struct trial *trial = &history->trials[history->ended[i]];
        if (!is_full(trial)) {
            continue;
        }
        self->known++;
        bool better = self->best == NONE || trial->value < history->trials[self->best].value;
        if (trial->tag == LOCAL_TAG) {
            successes = better ? successes + 1 : 0;
            fails = better ? 0 : fails + 1;
        }
        if (better) {
            self->best = trial->number;
        }
        if (successes >= 3) {
            self->radius = fmin(self->radius * 2, radius_max);
            successes = 0;
        }
        if (fails >= tolerance) {
            self->radius = self->radius / 2 < radius_min ? radius_max : self->radius / 2;
            fails = 0;
        }
    }
}

static void place(const struct local *self, const double *x, double *out)
{
    for (uint32_t i = 0; i < self->space->count; i++) {
        uint32_t at = self->first[i];
        if (at == NONE) {
            continue;
        }
        if (self->axes[i].kind == AXIS_CHOICE) {
            for (uint32_t k = 0; k < self->space->params[i].option_count; k++) {
                out[at + k] = !isnan(x[i]) && x[i] == k ? knob("HOT", 0.35) : 0;
            }
        } else {
            out[at] = isnan(x[i]) ? 0.5 : axis_unit(&self->axes[i], x[i]);
        }
    }
}

static double reflected(double unit)
{
    unit = fabs(unit);
    unit = unit > 1 ? 2 - unit : unit;
    return fmin(fmax(unit, 0), 1 - 0x1p-53);
}

static double changed(const struct local *self, uint32_t i, double value, const double u[static 2])
{
    const struct axis *axis = &self->axes[i];
    if (axis->kind == AXIS_CHOICE) {
        uint32_t count = self->space->params[i].option_count;
        return ((uint32_t)value + 1 + (uint32_t)(u[0] * (count - 1))) % count;
    }
    double unit = axis_unit(axis, value);
    double moved = axis_value(axis, reflected(unit + self->radius * normal_quantile(u[0])));
    if (axis->kind == AXIS_CELLS && moved == value) {
        double low, high;
        axis_cell(axis, value, &low, &high);
        double to = u[1] < 0.5 ? low - (high - low) / 2 : high + (high - low) / 2;
        to = to < 0 ? high + (high - low) / 2 : to > 1 ? low - (high - low) / 2 : to;
        moved = axis_value(axis, reflected(to));
    }
    return moved;
}

static void candidate(const struct local *self, const struct search *search, uint64_t seed,
                      uint32_t number, uint32_t n, double chance, double *x)
{
    const struct space *space = self->space;
    const double *best = self->history->trials[self->best].x;
    uint32_t active = 0;
    for (uint32_t i = 0; i < space->count; i++) {
        active += self->first[i] != NONE && !isnan(best[i]);
    }
    uint32_t sure = (uint32_t)(draw_uniform(seed, number, PARAMS_MAX, n) * active);
    for (uint32_t i = 0; i < space->count; i++) {
        x[i] = best[i];
        if (self->first[i] == NONE) {
            continue;
        }
        double u[2] = { draw_uniform(seed, number, i, n), draw_uniform(seed, number, i, n + 1) };
        if (isnan(best[i])) {
            x[i] = param_at(&space->params[i], u[0]);
            continue;
        }
        bool choice = self->axes[i].kind == AXIS_CHOICE;
        double c = choice ? chance * knob("FLIP", 0.3) : chance;
        if (u[1] < c || sure == 0) {
            double v[2] = { u[0], draw_uniform(seed, number, i, n + 2) };
            x[i] = changed(self, i, best[i], v);
        }
        sure--;
    }
    search_complete(search, space, x);
}

static int by_number(const void *a, const void *b)
{
    double x = *(const double *)a;
    double y = *(const double *)b;
    return x < y ? -1 : x > y;
}

static void cap(double *values, uint32_t count)
{
    double *sorted = calloc(count, sizeof(double));
    ensure(sorted);
    memcpy(sorted, values, count * sizeof(double));
    qsort(sorted, count, sizeof(double), by_number);
    double median = sorted[(uint32_t)(count * knob("CAP", 0.5))];
    double low = sorted[0];
    free(sorted);
    for (uint32_t i = 0; i < count; i++) {
        values[i] = median > low ? (fmin(values[i], median) - low) / (median - low) : 0;
    }
}

bool local_suggest(const struct search *search, const struct history *history, uint32_t number,
                   uint32_t attempt, double *x)
{
    struct local self = { .space = history->space, .history = history };
    for (uint32_t i = 0; i < self.space->count; i++) {
        const struct param *param = &self.space->params[i];
        self.first[i] = NONE;
        if (param_is_free(param) && param_size(param) != 1) {
            self.axes[i] = axis_of(param);
            self.first[i] = self.n;
            self.n += param->kind == PARAM_CHOICE ? param->option_count : 1;
            self.tunable++;
        }
    }
    learn(&self);
    if (self.known < 2 || self.n > COORDINATES_MAX) {
        return false;
    }
    double *points = calloc((size_t)(history->count + 1) * self.n, sizeof(double));
    double *values = calloc(history->count, sizeof(double));
    ensure(points && values);
    uint32_t count = 0;
    for (uint32_t i = 0; i < history->ended_count; i++) {
        const struct trial *trial = &history->trials[history->ended[i]];
        if (is_full(trial)) {
            place(&self, trial->x, points + (size_t)count * self.n);
            values[count++] = trial->value;
        }
    }
    if (count > MODEL_MAX) {
        count = MODEL_MAX;
    }
    cap(values, count);
    struct rbf rbf;
    bool fitted = rbf_fit(&rbf, points, values, count, self.n);
    if (fitted) {
        static const double weights[] = { 0.3, 0.5, 0.8, 0.95 };
        double w = weights[number / 2 % 4];
        w = knob("W", w);
        uint32_t candidates = 100 * self.tunable;
        candidates = candidates < CANDIDATES_MAX ? candidates : CANDIDATES_MAX;
        double done = history->trials_max > 0 ? log(number + 1.0) / log(history->trials_max + 1.0) : 0;
        double chance = fmin(1, 20.0 / self.tunable) * (1 - done);
        chance = fmax(chance, knob("CHANCE", 0));
        double *x_all = calloc((size_t)candidates * self.space->count, sizeof(double));
        double *s = calloc(candidates, sizeof(double));
        double *d = calloc(candidates, sizeof(double));
        double smin = INFINITY, smax = -INFINITY, dmin = INFINITY, dmax = -INFINITY;
        for (uint32_t c = 0; c < candidates; c++) {
            double at[COORDINATES_MAX];
            double *cx = x_all + (size_t)c * self.space->count;
            candidate(&self, search, history->seed, number,
                      LOCAL_DRAWS + (attempt * CANDIDATES_MAX + c) * 3, chance, cx);
            if (knob("GLOB", 0) && number / 2 % 4 < knob("GLOB", 0)) {
                search_draw(history, number, LOCAL_DRAWS + (attempt * CANDIDATES_MAX + c) * 3, cx);
                search_complete(search, self.space, cx);
            }
            place(&self, cx, at);
            s[c] = rbf_value(&rbf, at);
            d[c] = INFINITY;
            for (uint32_t i = 0; i < count; i++) {
                double q = 0;
                for (uint32_t k = 0; k < self.n; k++) {
                    double diff = at[k] - points[(size_t)i * self.n + k];
                    q += diff * diff;
                }
                d[c] = fmin(d[c], sqrt(q));
            }
            if (!space_feasible(self.space, cx)) {
                s[c] = INFINITY;
                continue;
            }
            smin = fmin(smin, s[c]);
            smax = fmax(smax, s[c]);
            dmin = fmin(dmin, d[c]);
            dmax = fmax(dmax, d[c]);
        }
        double best = INFINITY;
        for (uint32_t c = 0; c < candidates; c++) {
            double sn = smax > smin ? (s[c] - smin) / (smax - smin) : 0;
            double dn = dmax > dmin ? (dmax - d[c]) / (dmax - dmin) : 0;
            double score = w * sn + (1 - w) * dn;
            if (score < best) {
                best = score;
                memcpy(x, x_all + (size_t)c * self.space->count, self.space->count * sizeof(double));
            }
        }
        fitted = best < INFINITY;
        free(x_all);
        free(s);
        free(d);
        rbf_fini(&rbf);
    }
    free(points);
    free(values);
    return fitted;
}
