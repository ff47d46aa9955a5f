/*  search_random.c - the search algorithm `random`: every parameter by its own distribution. */
#include "client/tune/search.h"

static enum search_answer random_suggest(struct search *self, const struct history *history,
                                         uint32_t number, uint32_t attempt, double *x,
                                         uint32_t *tag)
{
    (void)tag;
    search_draw(history, number, attempt, x);
    search_complete(self, history->space, x);
    return SEARCH_POINT;
}

const struct search_algorithm search_random = {
    .name = "random",
    .summary = "draws every parameter by its own distribution",
    .suggest = random_suggest,
};
