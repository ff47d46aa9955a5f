/*  seen.h - which points a study has had, and how often: a hash table that follows the history.

    It says the same however often it was brought up to date: trials that have not ended are looked at again, for a
    scheduler may have given them other points. */
#ifndef RAYC_TUNE_SEEN_H
#define RAYC_TUNE_SEEN_H
#include "client/tune/history.h"

struct seen;

void seen_learn(struct seen **self, const struct history *history); /* makes it when it is NULL */
void seen_destroy(struct seen **self);
uint32_t seen_uses(const struct seen *self, const double *x);
/*  The first trial whose point has fewer than `repeat` trials, or NONE. */
uint32_t seen_lacking(struct seen *self, const struct history *history, uint32_t repeat);
uint64_t seen_space_size(const struct seen *self); /* space_size() */
#endif
