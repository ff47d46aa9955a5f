/*  plot_parallel.c - parallel coordinates: a line per trial through its parameters, coloured by its value's rank. */
#include "client/tune/result.h"

#include <math.h>
#include <stdlib.h>
#include "client/tune/plot_svg.h"

enum { WIDE = 130, HEIGHT = 460, MARGIN = 70, TOP = 60, BOTTOM = 40, LINES_MAX = 2000, OPTIONS_SHOWN = 12 };

struct ranked {
    const struct rec_trial *trial;
    double value; /* to be minimised */
};

static int by_value(const void *a, const void *b)
{
    const struct ranked *x = a, *y = b;
    return x->value < y->value ? -1 : x->value > y->value;
}

static double value_of(const struct rec_trial *trial, uint32_t i)
{
    double value = NAN;
    if ((i + 1) * sizeof(double) <= trial->point.n) {
        memcpy(&value, trial->point.p + i * sizeof(double), sizeof(double));
    }
    return value;
}

/*  From what the trials have, so that also a normal distribution has ends. */
static struct axis axis_of(const struct param *param, uint32_t i, const struct ranked *trials, uint32_t n)
{
    struct axis axis = { INFINITY, -INFINITY, HEIGHT - BOTTOM, TOP, false };
    if (param->kind == PARAM_CHOICE) {
        axis.low = 0;
        axis.high = param->option_count > 1 ? param->option_count - 1 : 1;
        return axis;
    }
    for (uint32_t k = 0; k < n; k++) {
        double value = value_of(trials[k].trial, i);
        if (!isnan(value)) {
            axis.low = fmin(axis.low, value);
            axis.high = fmax(axis.high, value);
        }
    }
    if (axis.low > axis.high) {
        axis.low = axis.high = 0;
    }
    if (param->scale == SCALE_LOG && axis.low > 0) {
        axis.log = true;
        axis.low = log10(axis.low);
        axis.high = log10(axis.high);
    }
    return axis;
}

static void put_axis(FILE *to, const struct param *param, const struct axis *axis, double x)
{
    char text[64];
    fprintf(to, "<line x1='%.1f' y1='%d' x2='%.1f' y2='%d' stroke='#333'/>\n", x, TOP, x, HEIGHT - BOTTOM);
    svg_text(to, x, TOP - 12, "middle", param->name);
    if (param->kind == PARAM_CHOICE) {
        for (uint32_t k = 0; k < param->option_count && param->option_count <= OPTIONS_SHOWN; k++) {
            svg_text(to, x - 4, axis_at(axis, k) - 3, "end", param->options[k].text);
        }
        return;
    }
    for (int end = 0; end < 2; end++) {
        double value = end ? axis->high : axis->low;
        snprintf(text, sizeof(text), "%.4g", axis->log ? pow(10, value) : value);
        svg_text(to, x, end ? TOP - 1 : HEIGHT - BOTTOM + 16, "middle", text);
    }
}

static void put_line(FILE *to, const struct study_rows *self, const struct ranked *trial, const struct axis *axes,
                     double share)
{
    char colour[8];
    fprintf(to, "<polyline fill='none' stroke='%s' stroke-opacity='%.2f' points='", svg_colour(share, colour),
            0.25 + 0.6 * share);
    uint32_t column = 0;
    for (uint32_t i = 0; i < self->spec->space.count; i++) {
        if (!param_is_free(&self->spec->space.params[i])) {
            continue;
        }
        double value = value_of(trial->trial, i), x = MARGIN + WIDE * column++;
        if (!isnan(value)) { /* what is not active is passed by */
            fprintf(to, "%.1f,%.1f ", x, axis_at(&axes[i], value));
        }
    }
    fputs("'/>\n", to);
}

void plot_parallel(const struct study_rows *self, FILE *to)
{
    struct ranked *trials = malloc((self->trial_count + 1) * sizeof(*trials));
    struct axis axes[PARAMS_MAX];
    ensure(trials != NULL);
    uint32_t n = 0, columns = 0;
    for (uint32_t i = 0; i < self->trial_count; i++) {
        const struct rec_trial *trial = &self->trials[i];
        if (trial->state == TRIAL_TERMINATED && trial_has_value(trial)) {
            trials[n++] = (struct ranked){ trial, self->spec->maximize ? -trial->value : trial->value };
        }
    }
    qsort(trials, n, sizeof(*trials), by_value);
    n = n < LINES_MAX ? n : LINES_MAX;
    for (uint32_t i = 0; i < self->spec->space.count; i++) {
        columns += param_is_free(&self->spec->space.params[i]);
        axes[i] = axis_of(&self->spec->space.params[i], i, trials, n);
    }
    char title[400];
    snprintf(title, sizeof(title), "%s: %u trials, the brighter the better %s", self->name, n, self->spec->metric);
    svg_begin(to, title, 2 * MARGIN + WIDE * (int)(columns > 1 ? columns - 1 : 1), HEIGHT);
    for (uint32_t k = n; k-- > 0;) { /* the best on top */
        put_line(to, self, &trials[k], axes, n > 1 ? 1.0 - (double)k / (n - 1) : 1.0);
    }
    for (uint32_t i = 0, column = 0; i < self->spec->space.count; i++) {
        if (param_is_free(&self->spec->space.params[i])) {
            put_axis(to, &self->spec->space.params[i], &axes[i], MARGIN + WIDE * column++);
        }
    }
    svg_end(to);
    free(trials);
}
