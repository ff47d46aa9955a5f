/*  search_grid.c - the search algorithm `grid`: all points of the space in the order of the file, the last parameter
    varies fastest.  A trial's tag is the number of its point, from 1: the next trial goes on from there.  Parameters
    without an end of values are drawn at random, and the others go round and round. */
#include <math.h>
#include <stdlib.h>

#include "client/tune/search.h"

enum { DRAWS_PER_POINT = 32 }; /* of what has no end of values, before its neighbour is tried */

struct walk {
    const struct space *space;
    uint64_t cursor;
    uint64_t number; /* of x, from 1, among feasible points; 0: before the first */
    double x[PARAMS_MAX];
};

static bool is_finite(const struct space *space)
{
    for (uint32_t i = 0; i < space->count; i++) {
        if (param_is_free(&space->params[i]) && param_size(&space->params[i]) == 0) {
            return false;
        }
    }
    return true;
}

/*  The tag of the last trial that is from here; 0: none. */
static uint32_t last_tag(const struct history *history)
{
    uint32_t i = history->count;
    while (i > 0 && history->trials[i - 1].tag == 0) {
        i--;
    }
    return i > 0 ? history->trials[i - 1].tag : 0;
}

static bool walk_to(struct walk *self, uint64_t number)
{
    if (self->number > number) {
        self->number = self->cursor = 0;
    }
    while (self->number < number) {
        if (!space_next(self->space, &self->cursor, self->x)) {
            self->number = self->cursor = 0;
            return false;
        }
        self->number += space_feasible(self->space, self->x);
    }
    return true;
}

static enum search_answer grid_suggest(struct search *self, const struct history *history,
                                       uint32_t number, uint32_t attempt, double *x, uint32_t *tag)
{
    const struct space *space = history->space;
    const uint32_t last = last_tag(history);
    if (!is_finite(space)) {
        double fixed[PARAMS_MAX];
        *tag = last + 1 + attempt / DRAWS_PER_POINT;
        search_cycle(space, *tag - 1, true, fixed);
        search_draw(history, number, attempt, x);
        for (uint32_t i = 0; i < space->count; i++) {
            x[i] = isnan(fixed[i]) ? x[i] : fixed[i];
        }
        space_complete(space, x);
        return SEARCH_POINT;
    }
    struct walk *walk = self->memo;
    if (walk && walk->space != space) {
        free(walk);
        self->memo = walk = NULL;
    }
    if (!walk) {
        self->memo = walk = calloc(1, sizeof(*walk));
        ensure(walk);
        walk->space = space;
    }
    *tag = last + 1 + attempt;
    if (!walk_to(walk, *tag)) {
        return last + attempt > 0 ? SEARCH_EXHAUSTED : SEARCH_INFEASIBLE;
    }
    memcpy(x, walk->x, space->count * sizeof(*x));
    return SEARCH_POINT;
}

static void grid_close(struct search *self)
{
    free(self->memo);
    self->memo = NULL;
}

const struct search_algorithm search_grid = {
    .name = "grid",
    .summary = "tries every point, in the order of the file",
    .suggest = grid_suggest,
    .close = grid_close,
};
