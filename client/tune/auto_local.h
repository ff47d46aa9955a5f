/*  auto_local.h - the half of `auto` that refines the best trial: of many small changes of its point, that one which a
    surrogate (rbf.h) likes (DYCORS: Regis and Shoemaker, Engineering Optimization 45(5), 2013). */
#ifndef RAYC_TUNE_AUTO_LOCAL_H
#define RAYC_TUNE_AUTO_LOCAL_H
#include "client/tune/search.h"

enum { LOCAL_TAG = 1 };

/*  False: too little is known. */
bool local_suggest(const struct search *self, const struct history *history, uint32_t number,
                   uint32_t attempt, double *x);
#endif
