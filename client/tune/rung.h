/*  rung.h - a rung of successive halving: values in no hurry, of which the best fraction 1/eta may go on.

    An entry costs O(log n).  It is kept three ways: among the best floor(n / eta) or among the rest, and while its
    trial waits for its promotion among the waiting, best first. */
#ifndef RAYC_TUNE_RUNG_H
#define RAYC_TUNE_RUNG_H
#include "client/tune/scheduler_inside.h"

struct entry_heap {
    struct entry *items;
    uint32_t count, capacity;
    bool worst_first;
};

struct rung {
    struct entry_heap best; /* the best floor(n / eta), worst first */
    struct entry_heap rest;
    struct entry_heap waiting;
};

void rung_init(struct rung *self);
void rung_fini(struct rung *self);
void rung_add(struct rung *self, struct entry entry, double eta);
static inline uint32_t rung_count(const struct rung *self)
{
    return self->best.count + self->rest.count;
}
/*  The value at fraction 1/eta of those recorded, best first, between two of them by linear interpolation, as
    numpy.percentile() does it.  The rung is not empty. */
double rung_cutoff(const struct rung *self, double eta);

void rung_wait(struct rung *self, struct entry entry);
/*  The best of the waiting: false if there is none. */
bool rung_first(const struct rung *self, struct entry *out);
void rung_drop_first(struct rung *self);
/*  Is it among the best floor(n / eta)? */
bool rung_admits(const struct rung *self, struct entry entry);
#endif
