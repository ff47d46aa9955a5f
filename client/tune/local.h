/*  local.h - the half of `auto` that refines the best trial: of many changes of its point it takes one that a surrogate
    (rbf.h) likes and that is not too near to what is known (DYCORS: Regis and Shoemaker, "Combining radial basis function
    surrogates and dynamic coordinate search in high-dimensional expensive black-box optimization", Engineering
    Optimization 45(5), 2013).  The constants are those of the paper. */
#ifndef RAYC_TUNE_LOCAL_H
#define RAYC_TUNE_LOCAL_H
#include "client/tune/search.h"

enum {
    LOCAL_TAG = 1
}; /* of trials that are from here: their successes and failures set how far changes reach */

/*  False: too little is known for a model. */
bool local_suggest(const struct search *search, const struct history *history, uint32_t number,
                   uint32_t attempt, double *x);
#endif
