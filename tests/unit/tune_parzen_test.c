/*  tune_parzen_test.c - the Parzen estimators of TPE have the densities of a slow reference. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>
#include <math.h>
#include "client/tune/tpe_math.h"
#include "client/tune/tpe_parzen.h"
#include "tests/unit/tune_mixed.h"

/* --- masses ----------------------------------------------------------------------------------- */

/*  log of the integral of the density from a to b, by Simpson's rule on what is left after the largest factor. */
static double integrated(double a, double b)
{
    enum { PANELS = 4000 };
    double top = a > 0 ? a : b < 0 ? b : 0;
    double seen =
        40 / (fabs(top) + 3); /* beyond, the density is below exp(-40) of what it is at the top */
    double from = fmax(a, top - seen);
    double h = (fmin(b, top + seen) - from) / PANELS;
    double sum = 0;
    for (int i = 0; i <= PANELS; i++) {
        double z = from + i * h;
        int weight = i == 0 || i == PANELS ? 1 : i % 2 ? 4 : 2;
        sum += weight * exp((top - z) * (top + z) / 2);
    }
    return log(sum * h / 3) - top * top / 2 - 0.5 * log(2 * acos(-1));
}

static void masses_are_exact_far_in_the_tails(void **state)
{
    static const double limits[][2] = {
        { -1, 1 },       { 0, 0.001 },   { -0.3, 2.5 }, { -40, 40 },     { 5, 6 },
        { -9, -8.5 },    { 20, 20.5 },   { 36.5, 90 },  { -38, -37 },    { 70, 71 },
        { -100, -99.5 }, { -0.5, 100 },  { -100, 0.5 }, { 3, 300 },      { -1e-3, 1e-3 },
        { 8.2, 8.4 },    { -150, -149 }, { 0, 40 },     { -2.5, -2.49 }, { 99, 99.25 },
    };
    _Static_assert(COUNT(limits) % TPE_LANES == 0, "whole vectors");
    _Alignas(64) double a[COUNT(limits)];
    _Alignas(64) double b[COUNT(limits)];
    _Alignas(64) double out[COUNT(limits)];
    for (uint32_t i = 0; i < COUNT(limits); i++) {
        a[i] = limits[i][0];
        b[i] = limits[i][1];
    }
    tpe_log_mass(COUNT(limits), a, b, out);
    for (uint32_t i = 0; i < COUNT(limits); i++) {
        double expected = integrated(a[i], b[i]);
        if (!(fabs(out[i] - expected) <= 1e-10 * fmax(1, fabs(expected)))) {
            fail_msg("%g..%g: %.17g, expected %.17g", a[i], b[i], out[i], expected);
        }
    }
    (void)state;
}

static void sums_neither_overflow_nor_vanish(void **state)
{
    _Alignas(64) double e[8] = { -1000, -1001, -5000, -INFINITY, -1000, -1e6, -1002, -INFINITY };
    _Alignas(64) double weights[8] = { 1, 0.5, 1, 0, 2, 1, 1, 0 };
    double expected = -1000 + log(3 + 0.5 * exp(-1) + exp(-2));
    assert_true(fabs(tpe_log_sum(8, e, weights) - expected) < 1e-12);
    for (int i = 0; i < 8; i++) {
        e[i] += 3000;
    }
    assert_true(fabs(tpe_log_sum(8, e, weights) - expected - 3000) < 1e-12);
    (void)state;
}

/* --- densities -------------------------------------------------------------------------------- */

struct seen_trial {
    uint32_t number;
    double x[AXES];
};

static double ends_of(const struct param *param, bool high)
{
    double end = high ? param->high + param->step / 2 : param->low - param->step / 2;
    return param->scale == SCALE_LOG ? log(end) : end;
}

static double on_axis(const struct param *param, double value)
{
    return param->scale == SCALE_LOG ? log(value) : value;
}

/*  By the definition: the point's neighbours are found by looking at all others; ties stand by number. */
static double reference_sigma(const struct seen_trial *trials, uint32_t n, uint32_t i, uint32_t d)
{
    const struct param *param = &mixed[d];
    double low = ends_of(param, false);
    double high = ends_of(param, true);
    double at = on_axis(param, trials[i].x[d]);
    double left = NAN;
    double right = NAN;
    for (uint32_t j = 0; j < n; j++) {
        double other = on_axis(param, trials[j].x[d]);
        if (j != i && (other < at || (other == at && j < i))) {
            left = fmin(isnan(left) ? INFINITY : left, at - other);
        } else if (j != i) {
            right = fmin(isnan(right) ? INFINITY : right, other - at);
        }
    }
    if (n == 1) {
        left = at - low;
        right = high - at;
    }
    double sigma = fmax(isnan(left) ? 0 : left, isnan(right) ? 0 : right);
    double least = (high - low) / fmin(100, n + 2.0);
    return fmin(fmax(sigma, least), high - low);
}

static double reference_axis(const struct seen_trial *trials, uint32_t n, uint32_t i, uint32_t d,
                             double value)
{
    const struct param *param = &mixed[d];
    if (param->kind == PARAM_CHOICE) {
        double share = 1.0 / (n + 1);
        return i == n ? 0.2 : (share + (value == trials[i].x[d] ? 1 : 0)) / (1 + 5 * share);
    }
    double low = ends_of(param, false);
    double high = ends_of(param, true);
    double mean = i == n ? (low + high) / 2 : on_axis(param, trials[i].x[d]);
    double sigma = i == n ? high - low : reference_sigma(trials, n, i, d);
    double whole = exp(integrated((low - mean) / sigma, (high - mean) / sigma));
    if (param->step > 0) {
        double from = on_axis(param, value - param->step / 2);
        double to = on_axis(param, value + param->step / 2);
        return exp(integrated((from - mean) / sigma, (to - mean) / sigma)) / whole;
    }
    double z = (on_axis(param, value) - mean) / sigma;
    double density = exp(-z * z / 2) / sqrt(2 * acos(-1)) / sigma / whole;
    return density * (high - low); /* in units of the range, as the estimator's */
}

static double reference_density(const struct seen_trial *trials, uint32_t n, const double *x)
{
    double sum = 0;
    double weights = 0;
    for (uint32_t i = 0; i <= n; i++) {
        double weight = 1;
        if (n > 25 && i < n - 25) {
            weight = n == 26 ? 1.0 / n : 1.0 / n + i * (1 - 1.0 / n) / (n - 26);
        }
        double product = 1;
        for (uint32_t d = 0; d < AXES; d++) {
            product *= reference_axis(trials, n, i, d, x[d]);
        }
        sum += weight * product;
        weights += weight;
    }
    return log(sum / weights);
}

static void drawn_point(uint64_t seed, uint32_t number, bool narrow, double *x)
{
    for (uint32_t d = 0; d < AXES; d++) {
        double u = draw_uniform(seed, number, d, 0);
        x[d] = param_at(&mixed[d], narrow ? 0.5 + 0.06 * u : u);
    }
}

static double density_of(struct parzen *parzen, const struct axis *axes, const double *x)
{
    struct tpe_points points;
    double out[TPE_BLOCK];
    tpe_points_init(&points, AXES);
    points.count = 3; /* the same thrice: places in a block do not matter */
    for (uint32_t d = 0; d < AXES; d++) {
        for (uint32_t i = 0; i < points.count; i++) {
            points.at[d][i] = axis_unit(&axes[d], x[d]);
            if (axes[d].kind == AXIS_CELLS) {
                axis_cell(&axes[d], x[d], &points.low[d][i], &points.high[d][i]);
            }
        }
    }
    parzen_log_density(parzen, &points, out);
    tpe_points_fini(&points);
    assert_true(out[0] == out[1] && out[0] == out[2]);
    return out[0];
}

/*  n observations stay; others came before, between and after them, and went. */
static void check_densities(uint32_t n, bool narrow)
{
    struct axis axes[AXES];
    for (uint32_t d = 0; d < AXES; d++) {
        axes[d] = axis_of(&mixed[d]);
    }
    struct parzen parzen;
    parzen_init(&parzen, axes, AXES);
    struct seen_trial *kept = calloc(n + 1, sizeof(*kept));
    for (uint32_t i = 0; i < 2 * n + 3; i++) {
        uint32_t number = (i * 7) % (2 * n + 3); /* not in order */
        if ((2 * n + 3) % 7 == 0) {
            number = i;
        }
        struct seen_trial trial = { .number = number };
        double at[AXES];
        drawn_point(5, number, narrow, trial.x);
        for (uint32_t d = 0; d < AXES; d++) {
            at[d] = axis_unit(&axes[d], trial.x[d]);
        }
        parzen_add(&parzen, number, at);
        if (number % 2 == 1 && number / 2 < n) {
            kept[number / 2] = trial;
        }
        if (i % 5 == 0) {
            parzen_refresh(&parzen);
        }
    }
    for (uint32_t number = 0; number < 2 * n + 3; number++) {
        if (number % 2 == 0 || number / 2 >= n) {
            parzen_remove(&parzen, number);
        }
    }
    parzen_refresh(&parzen);
    assert_int_equal(parzen.count, n + 1);
    for (uint32_t i = 0; i < 5; i++) {
        double x[AXES];
        drawn_point(6, i, false, x);
        double expected = reference_density(kept, n, x);
        double found = density_of(&parzen, axes, x);
        if (!(fabs(found - expected) <= 1e-8)) {
            fail_msg("%u observations: %.15g, expected %.15g", n, found, expected);
        }
    }
    parzen_fini(&parzen);
    free(kept);
}

static void densities_are_those_of_the_reference(void **state)
{
    static const uint32_t counts[] = { 0, 1, 2, 3, 9, 24, 25, 26, 27, 60 };
    for (uint32_t i = 0; i < COUNT(counts); i++) {
        check_densities(counts[i], false);
        check_densities(counts[i], true);
    }
    (void)state;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(masses_are_exact_far_in_the_tails),
        cmocka_unit_test(sums_neither_overflow_nor_vanish),
        cmocka_unit_test(densities_are_those_of_the_reference),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
