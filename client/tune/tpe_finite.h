/*  tpe_finite.h - the points of a finite space, and how often each was suggested. */
#ifndef RAYC_TUNE_TPE_FINITE_H
#define RAYC_TUNE_TPE_FINITE_H
#include "client/tune/space.h"

/*  In larger spaces scoring every point takes long and finds no more than draws do. */
enum { TPE_FINITE_MAX = 4096 };

struct tpe_finite {
    uint32_t count;
    const struct space *space;
    double *x;       /* of each point */
    uint32_t *uses;  /* of each point: trials that have it */
    uint32_t *slots; /* hash table: a point's index + 1 */
    uint32_t slot_count;
};

/*  NULL: the space is not finite, or too large to be listed.  Leaves out what the constraints forbid. */
struct tpe_finite *tpe_finite_new(const struct space *space);
void tpe_finite_destroy(struct tpe_finite **self);
/*  A trial has this point (or, by -1, no longer).  self may be NULL; a point that is not listed is ignored. */
void tpe_finite_count(struct tpe_finite *self, const double *x, int by);
#endif
