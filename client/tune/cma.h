/*  cma.h - the covariance matrix adaptation evolution strategy, with margin, on the unit cube.

    Hansen, "The CMA Evolution Strategy: A Tutorial" (arXiv:1604.00772), with active (negative) weights; the margin of
    Hamano, Saito, Nomura and Shirakawa (GECCO 2022, 10.1145/3512290.3528827) keeps every coordinate that has cells
    (integers, steps) from staying in one of them.  Pure but for its memory: draws are functions of what they are for. */
#ifndef RAYC_TUNE_CMA_H
#define RAYC_TUNE_CMA_H
#include "client/tune/tpe_axis.h"

struct cma {
    uint32_t n;          /* dimensions */
    uint32_t population; /* solutions of a generation */
    uint32_t parents;
    uint32_t generation; /* told */
    const struct axis *axes;
    double mu_eff, c_sigma, d_sigma, c_c, c_1, c_mu, chi_n, weights_sum;
    double sigma;
    double *weights; /* population */
    double *mean;    /* n, likewise: */
    double *path_sigma;
    double *path_c;
    double *lengths; /* square roots of the eigenvalues of the covariance */
    /*  the margin's: how much wider a coordinate with cells is shown than it is learnt */
    double *amplify;
    double *covariance; /* n * n, likewise: */
    double *vectors;    /* its eigenvectors, by columns */
    double *scratch;    /* n * n + 4 n */
    double *extremes;   /* best and worst value of the last generations */
    uint32_t extremes_max;
};

struct cma_start {
    uint32_t n;
    uint32_t population; /* 0: 4 + floor(3 log n) */
    double sigma;
    const double *mean;      /* NULL: the centre */
    const struct axis *axes; /* one per dimension; must outlive this */
};

/*  A solution that was evaluated, where the distribution drew it (before cells). */
struct cma_solution {
    double value; /* to be minimised; equal values are ordered by trial */
    uint32_t trial;
    /*  was not drawn from the present distribution: a far one counts for less (arXiv:1110.4181) */
    bool late;
    double *x;
};

/*  What a draw is for; `attempt` tells several of one trial apart. */
struct cma_draw {
    uint64_t seed, trial;
    uint32_t attempt;
};

uint32_t cma_population(uint32_t n);
struct cma *cma_new(const struct cma_start *start);
void cma_destroy(struct cma **self);
/*  Draws x, in which coordinates with cells may be outside of the cube; others are drawn again, then clipped. */
void cma_ask(const struct cma *self, const struct cma_draw *draw, double *x);
/*  The value that coordinate i of such an x stands for. */
double cma_value(const struct cma *self, uint32_t i, double x);
/*  A generation: self->population solutions, which it sorts. */
void cma_tell(struct cma *self, struct cma_solution *solutions);
/*  Is there nothing left to be found here? */
bool cma_is_done(const struct cma *self);
#endif
