/*  tpe_parzen.h - a Parzen estimator: a mixture of product kernels over some parameters of a space, one kernel a trial
    and one for the prior.

    Observations come and go; what they share is recomputed only where it changed.  The estimator is a function of the
    set of observations: kernels stand in the order of their trials, however they came. */
#ifndef RAYC_TUNE_TPE_PARZEN_H
#define RAYC_TUNE_TPE_PARZEN_H
#include "client/tune/tpe_axis.h"

enum { TPE_BLOCK = 32 };

/*  Up to TPE_BLOCK points to score. */
struct tpe_points {
    uint32_t count;
    double (*at)[TPE_BLOCK];  /* [axis]: in [0, 1], or an option */
    double (*low)[TPE_BLOCK]; /* [axis]: of AXIS_CELLS: the point's cell */
    double (*high)[TPE_BLOCK];
};
void tpe_points_init(struct tpe_points *self, uint32_t axis_count);
void tpe_points_fini(struct tpe_points *self);

struct column; /* the kernels along one axis */

struct parzen {
    const struct axis *axes; /* the caller's */
    uint32_t axis_count;
    uint32_t count; /* kernels; the first is the prior */
    uint32_t capacity;
    uint32_t *trials; /* of each kernel; ascending */
    double *weights;  /* recent trials weigh more */
    double weight_sum;
    double *norms;  /* log of what each kernel's density begins with */
    uint8_t *stale; /* norms to be summed again */
    double sigma_min;
    struct column *columns; /* by axis */
    double *exponents;      /* scratch: a row of kernels for each point of a block, */
    double *row;            /* and three more rows */
    const double **rows;    /* arguments of tpe_log_kernels() */
};
void parzen_init(struct parzen *self, const struct axis *axes, uint32_t axis_count);
void parzen_fini(struct parzen *self);
/*  at[axis]: where trial `trial` is. */
void parzen_add(struct parzen *self, uint32_t trial, const double *at);
void parzen_remove(struct parzen *self, uint32_t trial);
/*  After additions and removals, before anything below. */
void parzen_refresh(struct parzen *self);

/*  A draw is a kernel by its weight, then along each axis that kernel's own quantile.  u in [0, 1). */
uint32_t parzen_kernel(const struct parzen *self, double u);
double parzen_quantile(const struct parzen *self, uint32_t kernel, uint32_t axis, double u);

/*  out[i]: log density of each point, masses instead of densities on axes of cells and choices. */
void parzen_log_density(struct parzen *self, const struct tpe_points *points, double *out);
#endif
