/*  tpe_model.h - what TPE has learnt: which trials are good ("below") and which are not ("above"), and a pair of
    Parzen estimators for every group of parameters that are always active together.

    It is brought up to date with a history before each use, and is the same however it got there. */
#ifndef RAYC_TUNE_TPE_MODEL_H
#define RAYC_TUNE_TPE_MODEL_H
#include "client/tune/search.h"
#include "client/tune/tpe_parzen.h"

/*  Parameters that are modelled together. */
struct tpe_group {
    uint32_t count;
    uint32_t *params;
    struct axis *axes;
    struct parzen below, above;
};

struct tpe_finite; /* tpe_finite.h */

struct tpe_model {
    const struct space *space;
    uint32_t known; /* trials of the history that were looked at */
    uint32_t capacity;
    uint8_t *sides;     /* of each: enum tpe_side */
    uint8_t *next;      /* scratch: its side now, */
    uint8_t *standings; /* and how much its result says */
    double *x;          /* its point then */
    uint32_t finished;
    uint64_t all;         /* a mark of the set of finished trials, */
    uint64_t *signatures; /* and of those in which a parameter was active */
    uint32_t *group_of;   /* of each parameter; NONE: is not modelled */
    uint32_t *group_new;  /* scratch */
    struct tpe_group *groups;
    uint32_t group_count;
    uint32_t tunable_count;
    bool discrete;            /* no parameter is continuous: points may come again */
    struct tpe_points points; /* scratch, for as many axes as there are parameters */
    struct tpe_finite *finite;
};

struct tpe_model *tpe_model_new(const struct space *space);
void tpe_model_destroy(struct tpe_model **self);
void tpe_model_learn(struct tpe_model *self, const struct history *history,
                     const struct search_options *options);
/*  log l - log g of the points in self->points. */
void tpe_group_score(struct tpe_group *self, const struct tpe_points *points, double *scores);
#endif
