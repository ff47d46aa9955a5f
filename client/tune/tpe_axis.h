/*  tpe_axis.h - a parameter as TPE sees it: numbers on [0, 1] where the parameter's own distribution is uniform,
    options as they are. */
#ifndef RAYC_TUNE_TPE_AXIS_H
#define RAYC_TUNE_TPE_AXIS_H
#include "client/tune/space.h"

enum axis_kind {
    AXIS_NUMBER = 1, /* has a density */
    AXIS_CELLS,      /* a grid: each value has the mass of its cell */
    AXIS_CHOICE
};
/*  Cells so narrow that density times width is their mass. */
enum { AXIS_CELLS_MAX = 10000 };

struct axis {
    const struct param *param;
    enum axis_kind kind;
    double low, span; /* after the scale's transformation */
};

struct axis axis_of(const struct param *param);
/*  Where a value lies, in [0, 1]; of a choice, its index. */
double axis_unit(const struct axis *self, double value);
/*  The ends of a value's cell. */
void axis_cell(const struct axis *self, double value, double *low, double *high);
double axis_value(const struct axis *self, double unit);
/*  Probability of an option before anything was seen. */
double axis_prior(const struct axis *self, uint32_t option);
#endif
