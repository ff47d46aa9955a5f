/*  space.c - points of a space: what is active, what is allowed, which values there are. */
#include "client/tune/space.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "client/tune/draw.h"
#include "common/prng.h"

bool param_is_free(const struct param *self)
{
    return self->kind != PARAM_CONST && self->kind != PARAM_EXPR;
}

bool param_is_number(const struct param *self)
{
    return self->kind == PARAM_FLOAT || self->kind == PARAM_INT || self->kind == PARAM_NORMAL ||
           self->kind == PARAM_BETA;
}

/* --- points ----------------------------------------------------------------------------------- */

static bool condition_holds(const struct condition *self, const double *x)
{
    for (uint32_t i = 0; i < self->count; i++) {
        if (x[self->parent] == self->values[i]) {
            return true;
        }
    }
    return false;
}

bool space_active(const struct space *self, uint32_t i, const double *x)
{
    const struct param *param = &self->params[i];
    for (uint32_t j = 0; j < param->when_count; j++) {
        if (!condition_holds(&param->when[j], x)) {
            return false;
        }
    }
    if (param->when_expr) {
        struct expr_value value = expr_value(param->when_expr, self, x);
        return value.defined && expr_true(&value);
    }
    return true;
}

/*  Inactive: NAN.  A constant or computed value.  Else what is there. */
static double completed(const struct space *self, uint32_t i, const double *x)
{
    const struct param *param = &self->params[i];
    if (!space_active(self, i, x)) {
        return NAN;
    }
    if (param->kind == PARAM_CONST) {
        return 0;
    }
    if (param->kind == PARAM_EXPR) {
        struct expr_value value = expr_value(param->expr, self, x);
        return value.defined && !value.is_text && isfinite(value.number) ? value.number : NAN;
    }
    return x[i];
}

void space_complete(const struct space *self, double *x)
{
    for (uint32_t i = 0; i < self->count; i++) {
        x[i] = completed(self, i, x);
    }
}

bool space_feasible(const struct space *self, const double *x)
{
    for (uint32_t i = 0; i < self->constraint_count; i++) {
        if (!expr_holds(self->constraints[i], self, x)) {
            return false;
        }
    }
    return true;
}

bool space_same(const struct space *self, const double *a, const double *b)
{
    for (uint32_t i = 0; i < self->count; i++) {
        if (a[i] != b[i] && !(isnan(a[i]) && isnan(b[i]))) {
            return false;
        }
    }
    return true;
}

uint64_t space_hash(const struct space *self, const double *x)
{
    uint64_t h = self->count;
    for (uint32_t i = 0; i < self->count; i++) {
        uint64_t bits = UINT64_MAX; /* every NAN is the same, and so are 0 and -0 */
        if (!isnan(x[i])) {
            double value = x[i] + 0.0;
            memcpy(&bits, &value, sizeof(bits));
        }
        struct prng prng = { h ^ bits };
        h = prng_next(&prng);
    }
    return h;
}

uint32_t space_find(const struct space *self, struct slice name)
{
    for (uint32_t i = 0; i < self->count; i++) {
        if (slice_same(slice_text(self->params[i].name), name)) {
            return i;
        }
    }
    return NONE;
}

/* --- values of a parameter -------------------------------------------------------------------- */

static double clip(double value, double low, double high)
{
    return value < low ? low : value > high ? high : value;
}

/*  0.1 + 2 * 0.1 is 0.30000000000000004: 15 digits of it are what the user meant, and what is read back. */
static double tidy(double value)
{
    if (value == trunc(value) || !isfinite(value)) {
        return value;
    }
    char text[40];
    (void)snprintf(text, sizeof(text), "%.15g", value);
    return strtod(text, NULL);
}

static double grid_value(const struct param *self, double k)
{
    double base = self->kind == PARAM_NORMAL ? 0 : self->low;
    return tidy(base + k * self->step) + 0.0; /* no -0 */
}

double param_fit(const struct param *self, double value)
{
    switch (self->kind) {
    case PARAM_FLOAT:
    case PARAM_INT:
        value = clip(value, self->low, self->high);
        if (self->step > 0) {
            value = grid_value(self, round((value - self->low) / self->step));
        }
        return clip(value, self->low, self->high);
    case PARAM_NORMAL:
        return self->step > 0 ? grid_value(self, round(value / self->step)) : value;
    case PARAM_BETA:
        return clip(value, 0, 1);
    case PARAM_CHOICE:
        return clip(round(value), 0, self->option_count - 1);
    case PARAM_CONST:
        return 0;
    case PARAM_EXPR:
        return value;
    }
    return value;
}

/*  Of a value between low and high by its scale; a grid's ends reach half a step out, so that all its values are
    drawn as often as the scale says. */
static double number_at(const struct param *self, double u)
{
    double low = self->low - self->step / 2;
    double high = self->high + self->step / 2;
    if (self->scale == SCALE_LINEAR) {
        return low + u * (high - low);
    }
    low = low > 0 ? low : self->low;
    if (self->scale == SCALE_LOG) {
        return exp(log(low) + u * (log(high) - log(low)));
    }
    return low + high - exp(log(low) + (1 - u) * (log(high) - log(low)));
}

static double choice_at(const struct param *self, double u)
{
    if (!self->weights) {
        return clip(floor(u * self->option_count), 0, self->option_count - 1);
    }
    uint32_t last = 0;
    double sum = 0;
    for (uint32_t i = 0; i < self->option_count; i++) {
        if (self->weights[i] > 0) {
            last = i;
            sum += self->weights[i];
            if (u < sum) {
                return i;
            }
        }
    }
    return last; /* the weights' sum is 1 but for rounding */
}

double param_at(const struct param *self, double u)
{
    switch (self->kind) {
    case PARAM_FLOAT:
    case PARAM_INT:
        return param_fit(self, number_at(self, u));
    case PARAM_NORMAL: {
        double value = self->mean + self->sd * normal_quantile(u);
        return param_fit(self, self->scale == SCALE_LOG ? exp(value) : value);
    }
    case PARAM_BETA:
        return beta_quantile(self->mean, self->sd, u);
    case PARAM_CHOICE:
        return choice_at(self, u);
    case PARAM_CONST:
    case PARAM_EXPR:
        return 0;
    }
    return 0;
}

uint64_t param_size(const struct param *self)
{
    switch (self->kind) {
    case PARAM_FLOAT:
    case PARAM_INT:
        return self->step > 0 ? (uint64_t)round((self->high - self->low) / self->step) + 1 : 0;
    case PARAM_CHOICE:
        return self->option_count;
    case PARAM_CONST:
    case PARAM_EXPR:
        return 1;
    case PARAM_NORMAL:
    case PARAM_BETA:
        return 0;
    }
    return 0;
}

double param_value(const struct param *self, uint64_t i)
{
    bool number = self->kind == PARAM_FLOAT || self->kind == PARAM_INT;
    return number ? clip(grid_value(self, (double)i), self->low, self->high) : (double)i;
}

/* --- finite spaces ---------------------------------------------------------------------------- */

/*  Sets parameters from `i` on to their first values.  False: one that is active has no end of values. */
static bool walk_reset(const struct space *self, uint32_t i, double *x)
{
    for (; i < self->count; i++) {
        const struct param *param = &self->params[i];
        if (param_is_free(param)) {
            x[i] = NAN;
            if (space_active(self, i, x)) {
                if (param_size(param) == 0) {
                    return false;
                }
                x[i] = param_value(param, 0);
            }
        } else {
            x[i] = completed(self, i, x);
        }
    }
    return true;
}

static uint64_t value_index(const struct param *self, double value)
{
    bool number = self->kind == PARAM_FLOAT || self->kind == PARAM_INT;
    return (uint64_t)(number ? round((value - self->low) / self->step) : value);
}

enum walk { WALK_POINT, WALK_END, WALK_ENDLESS };

static enum walk walk_next(const struct space *self, double *x)
{
    for (uint32_t i = self->count; i-- > 0;) {
        const struct param *param = &self->params[i];
        if (!param_is_free(param) || isnan(x[i])) {
            continue;
        }
        uint64_t next = value_index(param, x[i]) + 1;
        if (next < param_size(param)) {
            x[i] = param_value(param, next);
            return walk_reset(self, i + 1, x) ? WALK_POINT : WALK_ENDLESS;
        }
    }
    return WALK_END;
}

uint64_t space_size(const struct space *self)
{
    double x[PARAMS_MAX];
    ensure(self->count <= PARAMS_MAX);
    if (!walk_reset(self, 0, x)) {
        return 0;
    }
    for (uint64_t size = 1; size <= SPACE_FINITE_MAX; size++) {
        enum walk walk = walk_next(self, x);
        if (walk != WALK_POINT) {
            return walk == WALK_END ? size : 0;
        }
    }
    return 0;
}

bool space_next(const struct space *self, uint64_t *cursor, double *x)
{
    bool found = *cursor == 0 ? walk_reset(self, 0, x) : walk_next(self, x) == WALK_POINT;
    *cursor += found;
    return found;
}

void space_draw(const struct space *self, uint64_t seed, uint64_t trial, uint32_t n, double *x)
{
    for (uint32_t i = 0; i < self->count; i++) {
        const struct param *param = &self->params[i];
        if (param_is_free(param)) {
            x[i] =
                space_active(self, i, x) ? param_at(param, draw_uniform(seed, trial, i, n)) : NAN;
        } else {
            x[i] = completed(self, i, x);
        }
    }
}
