/*  tpe_math.h - the arithmetic of TPE over many kernels at once: sums of densities, masses of normal distributions.

    Arrays hold a multiple of TPE_LANES doubles and are aligned to 64 bytes.  Every machine gives the same bits: there
    is no fused multiply-add, and the order of every sum is fixed. */
#ifndef RAYC_TUNE_TPE_MATH_H
#define RAYC_TUNE_TPE_MATH_H
#include "common/base.h"

enum { TPE_LANES = 4, TPE_TILE = 4 };

/*  log(Phi(b) - Phi(a)) of each a < b, also far in a tail. */
void tpe_log_mass(uint32_t n, const double *a, const double *b, double *out);
/*  log(sum of weights[k] exp(e[k])). */
double tpe_log_sum(uint32_t n, const double *e, const double *weights);
/*  to[k] += from[k] */
void tpe_add(uint32_t n, double *to, const double *from);

/*  The kernels of a mixture, column by column. */
struct tpe_columns {
    uint32_t n;         /* kernels, padded */
    const double *norm; /* of each kernel, the log of what its density begins with */
    uint32_t number_count, choice_count;
    const double *const *means;   /* of each number */
    const double *const *scales;  /* 1 / (sigma sqrt 2) */
    const double *const *options; /* of each choice: the index that the kernel prefers */
};
/*  The log densities of TPE_TILE points under each kernel.  numbers[axis * TPE_TILE + point]; likewise the points'
    options, and what a kernel gains where it prefers that option.  out[point * stride + kernel]. */
struct tpe_tile {
    const double *numbers, *options, *gains;
    double *out;
    uint32_t stride;
};
void tpe_log_kernels(const struct tpe_columns *columns, const struct tpe_tile *tile);
#endif
