/*  plot_svg.h - what the plots of a study share: a page, axes, ticks, colours.  No coordinate is ever off the page. */
#ifndef RAYC_TUNE_PLOT_SVG_H
#define RAYC_TUNE_PLOT_SVG_H
#include <stdio.h>
#include "common/base.h"

enum { TICKS_MAX = 24, TICK_BYTES = 32 };

/*  Colours that colour-blind people tell apart (Okabe and Ito). */
#define COLOUR_TRIAL  "#0072b2"
#define COLOUR_BEST   "#d55e00"
#define COLOUR_FAILED "#cc79a7"
#define COLOUR_PALE   "#b5b5b5"

/*  A scale from data to the page.  Logarithmic: low and high are exponents of ten. */
struct axis {
    double low, high;
    double from, to; /* on the page */
    bool log;
};
/*  Over low..high of the data, a little more if they are the same; low > high: there is none, 0..1. */
struct axis axis_over(double low, double high, bool log);
/*  Over values, which it sorts: logarithmic when all are above zero and span more than three powers of ten; else a few
    very bad ones do not press the others flat: then *edge is where the axis ends for them, or NAN. */
struct axis axis_of_values(double *values, uint32_t n, bool maximize, double *edge);
/*  Where a value is; what is outside of the axis is at its end. */
double axis_at(const struct axis *self, double value);

/*  Round numbers on an axis: about `wanted`; `whole`: integers only. */
struct tick {
    double value;
    char text[TICK_BYTES];
};
uint32_t axis_ticks(const struct axis *self, int wanted, bool whole, struct tick out[TICKS_MAX]);

void svg_begin(FILE *to, int width, int height);
void svg_end(FILE *to);
void svg_title(FILE *to, int x, const char *title, const char *below, int width);
/*  `style`: attributes; at most so many letters are shown, the middle left out; all of them when the mouse is on it. */
void svg_text(FILE *to, double x, double y, const char *style, const char *text, unsigned letters);
void svg_line(FILE *to, const double from[2], const double end[2], const char *style);
/*  0: worst, pale ... 1: best, dark (viridis, as "#rrggbb"). */
const char *svg_colour(double share, char out[8]);
#endif
