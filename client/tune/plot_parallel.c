/*  plot_parallel.c - parallel coordinates: a line per trial through its parameters to its value, coloured by rank. */
#include "client/tune/result.h"

#include <math.h>
#include <stdlib.h>

#include "client/tune/plot_svg.h"

enum {
    WIDE = 150, /* from axis to axis */
    LEFT = 110,
    RIGHT = 90,
    HEIGHT = 500,
    TOP = 92,
    BOTTOM = HEIGHT - 30,
    WIDTH_MIN = 520,
    LINES_MAX = 2000,
    OPTIONS_SHOWN = 20
};

#define HALO "paint-order='stroke' stroke='#fff' stroke-width='3' stroke-opacity='.8' "

struct ranked {
    const struct rec_trial *trial;
    double cost; /* to be minimised */
};

struct parallel_plot {
    const struct study_rows *rows;
    FILE *to;
    struct ranked *trials; /* the best first */
    uint32_t count, shown;
    uint32_t params[PARAMS_MAX];      /* those that the search chooses: a column each */
    struct axis axes[PARAMS_MAX + 1]; /* the last one: the value's */
    uint32_t columns;
};

static int by_cost(const void *a, const void *b)
{
    const struct ranked *x = a, *y = b;
    return x->cost < y->cost ? -1 : x->cost > y->cost;
}

static const struct param *param_of(const struct parallel_plot *self, uint32_t column)
{
    return &self->rows->spec->space.params[self->params[column]];
}

/*  NAN: not active. */
static double value_of(const struct parallel_plot *self, const struct rec_trial *trial,
                       uint32_t column)
{
    double value = NAN;
    if (column == self->columns) {
        return trial->value;
    }
    size_t at = self->params[column] * sizeof(value);
    if (at + sizeof(value) <= trial->point.n) {
        memcpy(&value, trial->point.p + at, sizeof(value));
    }
    return isfinite(value) ? value : NAN;
}

static void take_trials(struct parallel_plot *self)
{
    double sign = self->rows->spec->maximize ? -1 : 1;
    for (uint32_t i = 0; i < self->rows->trial_count; i++) {
        const struct rec_trial *trial = &self->rows->trials[i];
        if (trial->state == TRIAL_TERMINATED && trial_has_value(trial)) {
            self->trials[self->count++] = (struct ranked){ trial, sign * trial->value };
        }
    }
    qsort(self->trials, self->count, sizeof(*self->trials), by_cost);
    self->shown = self->count < LINES_MAX ? self->count : LINES_MAX;
}

/*  Of what the trials have, so that also a normal distribution has ends. */
static struct axis param_axis(const struct parallel_plot *self, uint32_t column)
{
    const struct param *param = param_of(self, column);
    double low = INFINITY, high = -INFINITY;
    for (uint32_t i = 0; i < self->shown; i++) {
        double value = value_of(self, self->trials[i].trial, column);
        low = fmin(low, value); /* NAN: the other */
        high = fmax(high, value);
    }
    struct axis axis = param->kind == PARAM_CHOICE
                           ? axis_over(0, param->option_count - 1, false)
                           : axis_over(low, high, param->scale == SCALE_LOG && low > 0);
    axis.from = BOTTOM;
    axis.to = TOP;
    return axis;
}

/*  The best value is at the top. */
static struct axis value_axis(const struct parallel_plot *self)
{
    double *values = malloc((self->shown + 1) * sizeof(*values)), edge;
    ensure(values != NULL);
    for (uint32_t i = 0; i < self->shown; i++) {
        values[i] = self->trials[i].trial->value;
    }
    bool maximize = self->rows->spec->maximize;
    struct axis axis = axis_of_values(values, self->shown, maximize, &edge);
    free(values);
    axis.from = maximize ? BOTTOM : TOP;
    axis.to = maximize ? TOP : BOTTOM;
    return axis;
}

static double x_of(uint32_t column)
{
    return LEFT + WIDE * (double)column;
}

static void put_labels(const struct parallel_plot *self, uint32_t column)
{
    const struct axis *axis = &self->axes[column];
    const struct param *param = column < self->columns ? param_of(self, column) : NULL;
    struct tick ticks[TICKS_MAX];
    uint32_t n = 0;
    if (param && param->kind == PARAM_CHOICE) {
        uint32_t every = (param->option_count - 1) / OPTIONS_SHOWN + 1;
        for (uint32_t i = 0; i < param->option_count; i += every) {
            svg_text(self->to, x_of(column) - 8, axis_at(axis, i) + 4, HALO "text-anchor='end'",
                     param->options[i].text, 15);
        }
        return;
    }
    n = axis_ticks(axis, 6, param && param->kind == PARAM_INT, ticks);
    for (uint32_t i = 0; i < n; i++) {
        double y = axis_at(axis, ticks[i].value), x = x_of(column);
        const char *anchor = param ? HALO "text-anchor='end'" : HALO "text-anchor='start'";
        svg_line(self->to, (double[]){ x - 4, y }, (double[]){ x + 4, y }, "stroke='#333'");
        svg_text(self->to, param ? x - 8 : x + 8, y + 4, anchor, ticks[i].text, TICK_BYTES);
    }
}

static void put_axis(const struct parallel_plot *self, uint32_t column)
{
    double x = x_of(column);
    bool value = column == self->columns;
    svg_line(self->to, (double[]){ x, TOP }, (double[]){ x, BOTTOM }, "stroke='#333'");
    svg_text(self->to, x, TOP - 16,
             value ? "text-anchor='middle' font-weight='bold'" : "text-anchor='middle'",
             value ? self->rows->spec->metric : param_of(self, column)->name, 19);
    put_labels(self, column);
}

static void put_line(const struct parallel_plot *self, uint32_t rank)
{
    char colour[8];
    double share = self->shown > 1 ? 1 - (double)rank / (self->shown - 1) : 1;
    bool best = rank == 0;
    fprintf(self->to,
            "<polyline fill='none' stroke='%s' stroke-width='%s' stroke-opacity='%.2f' points='",
            best ? COLOUR_BEST : svg_colour(share, colour), best ? "3" : "1.2",
            best ? 1 : (self->shown > 300 ? 0.15 : 0.35) + 0.4 * share);
    for (uint32_t i = 0; i <= self->columns; i++) {
        double value = value_of(self, self->trials[rank].trial, i);
        if (!isnan(value)) { /* what is not active is passed by */
            fprintf(self->to, "%.1f,%.1f ", x_of(i), axis_at(&self->axes[i], value));
        }
    }
    fputs("'/>\n", self->to);
}

static void put_title(const struct parallel_plot *self, int width)
{
    char title[NAME_MAX_BYTES + 64], below[160];
    const char *how = "the darker the better; orange: the best";
    snprintf(title, sizeof(title), "%s: parameters of its trials", self->rows->name);
    if (self->count > self->shown) {
        snprintf(below, sizeof(below), "the best %u of %u trials; %s", self->shown, self->count,
                 how);
    } else {
        snprintf(below, sizeof(below), "%u trial%s; %s", self->count, self->count == 1 ? "" : "s",
                 how);
    }
    svg_title(self->to, 24, title, below, width);
}

void plot_parallel(const struct study_rows *rows, FILE *to)
{
    struct parallel_plot self = { .rows = rows, .to = to };
    self.trials = malloc((rows->trial_count + 1) * sizeof(*self.trials));
    ensure(self.trials != NULL);
    take_trials(&self);
    for (uint32_t i = 0; i < rows->spec->space.count; i++) {
        if (param_is_free(&rows->spec->space.params[i])) {
            self.params[self.columns++] = i;
        }
    }
    for (uint32_t i = 0; i <= self.columns; i++) {
        self.axes[i] = i < self.columns ? param_axis(&self, i) : value_axis(&self);
    }
    int width = LEFT + WIDE * (int)self.columns + RIGHT;
    width = width > WIDTH_MIN ? width : WIDTH_MIN;
    svg_begin(to, width, HEIGHT);
    put_title(&self, width);
    for (uint32_t i = self.shown; i-- > 0;) { /* the best on top */
        put_line(&self, i);
    }
    for (uint32_t i = 0; i <= self.columns; i++) {
        put_axis(&self, i);
    }
    svg_end(to);
    free(self.trials);
}
