/*  plot_history.c - each trial's value in order of completion, and the best so far. */
#include "client/tune/result.h"

#include <math.h>
#include <stdlib.h>

#include "client/tune/plot_svg.h"

enum {
    WIDTH = 860,
    HEIGHT = 460,
    LEFT = 84,
    RIGHT = WIDTH - 28,
    TOP = 72,
    BOTTOM = HEIGHT - 58,
    DOTS_MAX = 5000 /* drawn; of more, every n-th */
};

/*  A trial that has ended; value NAN: it failed, or reported none. */
struct dot {
    uint64_t ended;
    double value;
    uint32_t number;
    bool pruned;
};

struct history_plot {
    const struct study_rows *rows;
    FILE *to;
    struct dot *dots;
    uint32_t count, valued;
    struct axis x, y;
    double cut; /* values beyond it are drawn at the edge; NAN: there are none */
};

static int by_end(const void *a, const void *b)
{
    const struct dot *x = a, *y = b;
    return x->ended < y->ended ? -1 : x->ended > y->ended;
}

static void take_dots(struct history_plot *self)
{
    for (uint32_t i = 0; i < self->rows->trial_count; i++) {
        const struct rec_trial *trial = &self->rows->trials[i];
        if (trial->ended > 0) {
            bool valued = trial->state == TRIAL_TERMINATED && trial_has_value(trial);
            self->dots[self->count++] = (struct dot){ trial->ended, valued ? trial->value : NAN,
                                                      trial->number, trial->pruned != 0 };
            self->valued += valued;
        }
    }
    qsort(self->dots, self->count, sizeof(*self->dots), by_end);
}

static struct axis value_axis(struct history_plot *self)
{
    double *values = malloc((self->valued + 1) * sizeof(*values));
    ensure(values != NULL);
    uint32_t n = 0;
    for (uint32_t i = 0; i < self->count; i++) {
        if (!isnan(self->dots[i].value)) {
            values[n++] = self->dots[i].value;
        }
    }
    struct axis axis = axis_of_values(values, n, self->rows->spec->maximize, &self->cut);
    free(values);
    axis.from = BOTTOM - 8;
    axis.to = TOP + 8;
    return axis;
}

static void put_axes(const struct history_plot *self)
{
    struct tick ticks[TICKS_MAX];
    uint32_t n = axis_ticks(&self->y, 6, false, ticks);
    for (uint32_t i = 0; i < n; i++) {
        double y = axis_at(&self->y, ticks[i].value);
        svg_line(self->to, (double[]){ LEFT, y }, (double[]){ RIGHT, y }, "stroke='#e6e6e6'");
        svg_text(self->to, LEFT - 8, y + 4, "text-anchor='end'", ticks[i].text, TICK_BYTES);
    }
    svg_line(self->to, (double[]){ LEFT, BOTTOM }, (double[]){ RIGHT, BOTTOM }, "stroke='#333'");
    n = axis_ticks(&self->x, 8, true, ticks);
    for (uint32_t i = 0; i < n; i++) {
        double x = axis_at(&self->x, ticks[i].value);
        svg_line(self->to, (double[]){ x, BOTTOM }, (double[]){ x, BOTTOM + 5 }, "stroke='#333'");
        svg_text(self->to, x, BOTTOM + 20, "text-anchor='middle'", ticks[i].text, TICK_BYTES);
    }
    svg_text(self->to, (LEFT + RIGHT) / 2.0, HEIGHT - 14, "text-anchor='middle'",
             "trials in order of completion", 40);
}

static void put_dot(const struct history_plot *self, uint32_t i)
{
    const struct dot *dot = &self->dots[i];
    double x = axis_at(&self->x, i + 1), radius = self->count > 1000 ? 1.5 : 3;
    const char *colour = dot->pruned ? COLOUR_PALE : COLOUR_TRIAL;
    bool maximize = self->rows->spec->maximize;
    if (isnan(dot->value)) {
        fprintf(self->to, "<path d='M%.1f %d l6 6 m0 -6 l-6 6' stroke='%s' stroke-width='1.5'/>\n",
                x - 3, BOTTOM - 6, COLOUR_FAILED);
    } else if (maximize ? dot->value < self->cut : dot->value > self->cut) { /* NAN: never */
        int tip = maximize ? 6 : -6;
        fprintf(self->to, "<path d='M%.1f %.1f l4 %d l4 %d z' fill='none' stroke='%s'/>\n", x - 4,
                axis_at(&self->y, self->cut), tip, -tip, colour);
    } else {
        fprintf(self->to, "<circle cx='%.1f' cy='%.1f' r='%.1f' fill='%s' fill-opacity='.7'/>\n", x,
                axis_at(&self->y, dot->value), radius, colour);
    }
}

/*  A stair down (or up); the dot of the best has a ring and its number. */
static void put_best(const struct history_plot *self)
{
    uint32_t best = NONE;
    double sign = self->rows->spec->maximize ? -1 : 1;
    fputs("<polyline fill='none' stroke='" COLOUR_BEST "' stroke-width='2' points='", self->to);
    for (uint32_t i = 0; i < self->count; i++) {
        double value = self->dots[i].value, x = axis_at(&self->x, i + 1);
        double before = best == NONE ? NAN : axis_at(&self->y, self->dots[best].value);
        bool better =
            !isnan(value) && (best == NONE || sign * value < sign * self->dots[best].value);
        if (best != NONE && (better || i + 1 == self->count)) {
            fprintf(self->to, "%.1f,%.1f ", x, before);
        }
        if (better) {
            best = i;
            fprintf(self->to, "%.1f,%.1f ", x, axis_at(&self->y, value));
        }
    }
    fputs("'/>\n", self->to);
    if (best != NONE) {
        fprintf(self->to,
                "<circle cx='%.1f' cy='%.1f' r='5' fill='none' stroke='" COLOUR_BEST
                "' stroke-width='2'/>\n",
                axis_at(&self->x, best + 1), axis_at(&self->y, self->dots[best].value));
    }
}

static void put_legend(const struct history_plot *self, bool pruned)
{
    static const char *const names[] = { "best so far", "trial", "stopped early", "failed" };
    static const char *const marks[] = {
        "<path d='M-8 0 h16' stroke='" COLOUR_BEST "' stroke-width='2'/>",
        "<circle r='3.5' fill='" COLOUR_TRIAL "'/>", "<circle r='3.5' fill='" COLOUR_PALE "'/>",
        "<path d='M-3 -3 l6 6 m0 -6 l-6 6' stroke='" COLOUR_FAILED "' stroke-width='1.5'/>"
    };
    bool there[] = { self->valued > 0, self->valued > 0, pruned, self->valued < self->count };
    double x = LEFT + 8;
    for (size_t i = 0; i < COUNT(names); i++) {
        if (there[i]) {
            fprintf(self->to, "<g transform='translate(%.1f %d)'>%s</g>\n", x, TOP - 14, marks[i]);
            svg_text(self->to, x + 13, TOP - 10, "", names[i], 20);
            x += 40 + 7.0 * (double)strlen(names[i]);
        }
    }
}

static void put_title(const struct history_plot *self)
{
    char title[NAME_MAX_BYTES * 2 + 64], below[256] = "no trial has ended", value[40];
    uint32_t best = rows_best(self->rows);
    snprintf(title, sizeof(title), "%s: %s (%s)", self->rows->name, self->rows->spec->metric,
             self->rows->spec->maximize ? "max" : "min");
    if (best != NONE) {
        snprintf(value, sizeof(value), "%.6g", self->rows->trials[best].value);
        snprintf(below, sizeof(below), "best %s in trial %u, of %u that have ended", value,
                 self->rows->trials[best].number, self->count);
    } else if (self->count > 0) {
        snprintf(below, sizeof(below), "%u trials have ended, none with a value", self->count);
    }
    svg_title(self->to, LEFT, title, below, WIDTH);
}

void plot_history(const struct study_rows *rows, FILE *to)
{
    struct history_plot self = { .rows = rows, .to = to, .cut = NAN };
    self.dots = malloc((rows->trial_count + 1) * sizeof(*self.dots));
    ensure(self.dots != NULL);
    take_dots(&self);
    self.y = value_axis(&self);
    self.x = axis_over(1, self.count > 1 ? self.count : 2, false);
    self.x.from = LEFT + 10;
    self.x.to = RIGHT - 10;
    svg_begin(to, WIDTH, HEIGHT);
    put_title(&self);
    put_axes(&self);
    bool pruned = false;
    uint32_t every = self.count / DOTS_MAX + 1;
    for (uint32_t i = 0; i < self.count; i++) {
        pruned = pruned || self.dots[i].pruned;
        if (i % every == 0) {
            put_dot(&self, i);
        }
    }
    put_best(&self);
    put_legend(&self, pruned);
    svg_end(to);
    free(self.dots);
}
