/*  search_auto.c - the search algorithm `auto`. */
#include <stdlib.h>

#include "client/tune/auto_local.h"
#include "client/tune/search.h"

extern const struct search_algorithm search_tpe, search_sobol;

static enum search_answer auto_suggest(struct search *self, const struct history *history,
                                       uint32_t number, uint32_t attempt, double *x, uint32_t *tag)
{
    *tag = 0;
    uint32_t every = getenv("EVERY") ? atoi(getenv("EVERY")) : 2;
    if (history->ended_count < self->options.startup) return search_sobol.suggest(self, history, number, attempt, x, tag);
    if (number % every == 1 && space_size(history->space) == 0 && local_suggest(self, history, number, attempt, x)) {
        *tag = LOCAL_TAG;
        return SEARCH_POINT;
    }
    if (getenv("OWN")) {
        struct history own = *history;
        struct trial *t = calloc(history->count, sizeof(*t));
        memcpy(t, history->trials, history->count * sizeof(*t));
        for (uint32_t i = 0; i < history->count; i++) if (t[i].tag == LOCAL_TAG) t[i].state = TRIAL_ERROR;
        own.trials = t;
        enum search_answer a = search_tpe.suggest(self, &own, number, attempt, x, tag);
        free(t);
        return a;
    }
    return search_tpe.suggest(self, history, number, attempt, x, tag);
}

static void auto_close(struct search *self)
{
    search_tpe.close(self);
}

const struct search_algorithm search_auto = {
    .name = "auto",
    .summary = "chooses by the space",
    .needs_history = true,
    .suggest = auto_suggest,
    .close = auto_close,
};
