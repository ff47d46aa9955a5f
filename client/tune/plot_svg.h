/*  plot_svg.h - what the plots of a study share: a page, axes, ticks, colours. */
#ifndef RAYC_TUNE_PLOT_SVG_H
#define RAYC_TUNE_PLOT_SVG_H
#include <stdio.h>
#include "common/base.h"

/*  A scale from data to the page. */
struct axis {
    double low, high; /* of the data; in log10 if `log` */
    double from, to;  /* on the page */
    bool log;
};

void svg_begin(FILE *to, const char *title, int width, int height);
void svg_end(FILE *to);
void svg_text(FILE *to, double x, double y, const char *anchor, const char *text); /* escaped */
double axis_at(const struct axis *self, double value);
/*  Lines and numbers across the page for a vertical axis at the left of x0..x1, or a horizontal one below y. */
void svg_ticks_up(FILE *to, const struct axis *axis, double x0, double x1);
void svg_ticks_along(FILE *to, const struct axis *axis, double y);
/*  0: worst ... 1: best; a colour of the viridis map, "#rrggbb". */
const char *svg_colour(double share, char out[8]);
#endif
