/*  rbf.h - a surrogate: a smooth function through or near values at points, made of cubic radial basis functions with a
    linear tail (Powell 1992), as in the stochastic searches of Regis and Shoemaker.  Pure but for its memory. */
#ifndef RAYC_TUNE_RBF_H
#define RAYC_TUNE_RBF_H
#include "common/base.h"

struct rbf {
    uint32_t count, n;
    const double *points; /* count * n, borrowed */
    double *weights;      /* count + n + 1 */
};

/*  Fits `values` at `points` (count * n).  The more noise there is in the first of them, by leaving out one after the
    other (Rippa 1999), the smoother it is.  False: there are too few. */
bool rbf_fit(struct rbf *self, const double *points, const double *values, uint32_t count,
             uint32_t n);
double rbf_value(const struct rbf *self, const double *x);
void rbf_fini(struct rbf *self);
#endif
