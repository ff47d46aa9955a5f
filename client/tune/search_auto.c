/*  search_auto.c - the search algorithm `auto`, the default.

    The first trials fill the space evenly (Sobol).  Then every second trial is TPE's, which looks everywhere and knows
    conditions and choices, and every other one refines the best point by a surrogate (local.h): one finds the valleys,
    the other their ground, and each learns from the trials of both.  Finite spaces are TPE's alone, which weighs every
    point that is left; so are trials for which a surrogate knows too little. */
#include <stdlib.h>

#include "client/tune/local.h"
#include "client/tune/search.h"

extern const struct search_algorithm search_sobol;
extern const struct search_algorithm search_tpe;

enum { LOCAL_ATTEMPTS = 8 }; /* that may repeat a point before TPE is asked */

struct memo {
    const struct space *space;
    bool is_finite;
    struct search tpe;
};

static struct memo *memo_of(struct search *self, const struct space *space)
{
    struct memo *memo = self->memo;
    if (!memo) {
        memo = self->memo = calloc(1, sizeof(*memo));
        ensure(memo);
        memo->tpe.algorithm = &search_tpe;
    }
    if (memo->space != space) {
        memo->space = space;
        memo->is_finite = space_size(space) > 0;
    }
    memo->tpe.options = self->options;
    memo->tpe.fixed = self->fixed;
    return memo;
}

static uint32_t finished(const struct history *history)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < history->ended_count; i++) {
        count += history->trials[history->ended[i]].state == TRIAL_TERMINATED;
    }
    return count;
}

static enum search_answer auto_suggest(struct search *self, const struct history *history,
                                       uint32_t number, uint32_t attempt, double *x, uint32_t *tag)
{
    struct memo *memo = memo_of(self, history->space);
    if (finished(history) < self->options.startup) {
        return search_sobol.suggest(self, history, number, attempt, x, tag);
    }
    if (!memo->is_finite && number % 2 == 1 && attempt < LOCAL_ATTEMPTS &&
        local_suggest(self, history, number, attempt, x)) {
        *tag = LOCAL_TAG;
        return SEARCH_POINT;
    }
    return search_tpe.suggest(&memo->tpe, history, number, attempt, x, tag);
}

static void auto_close(struct search *self)
{
    struct memo *memo = self->memo;
    if (memo) {
        search_tpe.close(&memo->tpe);
        free(memo);
        self->memo = NULL;
    }
}

const struct search_algorithm search_auto = {
    .name = "auto",
    .summary = "TPE and, every second trial, a surrogate around the best point (the default)",
    .needs_history = true,
    .suggest = auto_suggest,
    .close = auto_close,
};
