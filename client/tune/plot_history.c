/*  plot_history.c - each trial's value in order of completion, and the best so far. */
#include "client/tune/result.h"

#include <math.h>
#include <stdlib.h>
#include "client/tune/plot_svg.h"

enum { WIDTH = 800, HEIGHT = 440, LEFT = 80, RIGHT = 20, TOP = 40, BOTTOM = 50 };

struct dot {
    uint64_t ended;
    double value;
    bool pruned;
};

static int by_end(const void *a, const void *b)
{
    const struct dot *x = a, *y = b;
    return x->ended < y->ended ? -1 : x->ended > y->ended;
}

static uint32_t dots_of(const struct study_rows *self, struct dot *dots)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < self->trial_count; i++) {
        const struct rec_trial *trial = &self->trials[i];
        if (trial->ended > 0 && trial->state == TRIAL_TERMINATED && trial_has_value(trial)) {
            dots[n++] = (struct dot){ trial->ended, trial->value, trial->pruned != 0 };
        }
    }
    qsort(dots, n, sizeof(*dots), by_end);
    return n;
}

/*  Logarithmic when all is above zero and spans more than three powers of ten. */
static struct axis axis_of(const struct dot *dots, uint32_t n)
{
    double low = INFINITY, high = -INFINITY;
    for (uint32_t i = 0; i < n; i++) {
        low = fmin(low, dots[i].value);
        high = fmax(high, dots[i].value);
    }
    struct axis axis = { low, high, HEIGHT - BOTTOM, TOP, false };
    if (n == 0) {
        axis.low = 0;
        axis.high = 1;
    } else if (low > 0 && high / low > 1000) {
        axis = (struct axis){ log10(low), log10(high), HEIGHT - BOTTOM, TOP, true };
    }
    return axis;
}

static void put_best(FILE *to, const struct study_rows *self, const struct dot *dots, uint32_t n,
                     const struct axis *x, const struct axis *y)
{
    double best = NAN;
    fputs("<polyline fill='none' stroke='#d62728' stroke-width='2' points='", to);
    for (uint32_t i = 0; i < n; i++) {
        bool better = i == 0 || (self->spec->maximize ? dots[i].value > best : dots[i].value < best);
        if (better && i > 0) {
            fprintf(to, "%.1f,%.1f ", axis_at(x, i + 1), axis_at(y, best));
        }
        best = better ? dots[i].value : best;
        if (better || i + 1 == n) {
            fprintf(to, "%.1f,%.1f ", axis_at(x, i + 1), axis_at(y, best));
        }
    }
    fputs("'/>\n", to);
}

void plot_history(const struct study_rows *self, FILE *to)
{
    struct dot *dots = malloc((self->trial_count + 1) * sizeof(*dots));
    ensure(dots != NULL);
    uint32_t n = dots_of(self, dots);
    struct axis y = axis_of(dots, n), x = { 1, n > 1 ? n : 2, LEFT, WIDTH - RIGHT, false };
    char title[400];
    snprintf(title, sizeof(title), "%s: %s by trial, %u ended (line: best so far)", self->name,
             self->spec->metric, n);
    svg_begin(to, title, WIDTH, HEIGHT);
    svg_ticks_up(to, &y, LEFT, WIDTH - RIGHT);
    svg_ticks_along(to, &x, HEIGHT - BOTTOM);
    for (uint32_t i = 0; i < n; i++) {
        fprintf(to, "<circle cx='%.1f' cy='%.1f' r='2.5' fill='%s'/>\n", axis_at(&x, i + 1),
                axis_at(&y, dots[i].value), dots[i].pruned ? "#bbb" : "#1f77b4");
    }
    put_best(to, self, dots, n, &x, &y);
    svg_text(to, (LEFT + WIDTH - RIGHT) / 2.0, HEIGHT - 12, "middle", "trials in order of completion");
    svg_end(to);
    free(dots);
}
