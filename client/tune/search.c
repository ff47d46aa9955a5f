/*  search.c - what all search algorithms have in common: the table, repetitions, constraints, grids, the end. */
#include "client/tune/search.h"

#include <math.h>

#include "client/tune/seen.h"

enum {
    OWN_TRIES = 100,            /* of the algorithm, before points are drawn at random */
    RANDOM_ATTEMPT = 0x1000000, /* where the counter of draws begins then */
    GRID_TRIES = SPACE_FINITE_MAX
};

#define SEARCH(name) extern const struct search_algorithm search_##name;
#include "client/tune/searches.def"
#undef SEARCH

static const struct search_algorithm *const algorithms[] = {
#define SEARCH(name) &search_##name,
#include "client/tune/searches.def"
#undef SEARCH
};

const struct search_algorithm *search_at(uint32_t i)
{
    return i < COUNT(algorithms) ? algorithms[i] : NULL;
}

const struct search_algorithm *search_find(const char *name)
{
    for (uint32_t i = 0; i < COUNT(algorithms); i++) {
        if (strcmp(algorithms[i]->name, name) == 0) {
            return algorithms[i];
        }
    }
    return NULL;
}

struct search_options search_defaults(void)
{
    return (struct search_options){ .algo = "auto",
                                    .startup = 10,
                                    .candidates = 24,
                                    .multivariate = true,
                                    .group = true,
                                    .constant_liar = true,
                                    .dedup = true,
                                    .repeat = 1,
                                    .sigma = 1.0 / 6 };
}

void search_open(struct search *self, const struct search_options *options)
{
    *self = (struct search){ .algorithm = search_find(options->algo), .options = *options };
    ensure(self->algorithm);
}

void search_close(struct search *self)
{
    if (self->algorithm && self->algorithm->close) {
        self->algorithm->close(self);
    }
    seen_destroy(&self->seen);
    *self = (struct search){ 0 };
}

/* --- for algorithms --------------------------------------------------------------------------- */

void search_draw(const struct history *history, uint32_t number, uint32_t attempt, double *x)
{
    const struct space *space = history->space;
    for (uint32_t i = 0; i < space->count; i++) {
        const struct param *param = &space->params[i];
        x[i] = param_is_free(param)
                   ? param_at(param, draw_uniform(history->seed, number, i, attempt))
                   : NAN;
    }
}

void search_complete(const struct search *self, const struct space *space, double *x)
{
    for (uint32_t i = 0; i < space->count && self->fixed; i++) {
        x[i] = isnan(self->fixed[i]) ? x[i] : self->fixed[i];
    }
    space_complete(space, x);
}

bool search_cycle(const struct space *space, uint64_t index, bool all, double *fixed)
{
    bool found = false;
    for (uint32_t i = space->count; i-- > 0;) {
        const struct param *param = &space->params[i];
        uint64_t size = param_is_free(param) && (all || param->grid) ? param_size(param) : 0;
        fixed[i] = NAN;
        if (size > 0) {
            fixed[i] = param_value(param, index % size);
            index /= size;
            found = true;
        }
    }
    return found;
}

/* --- a suggestion ----------------------------------------------------------------------------- */

/*  What is active because of a fixed value and was left out by the algorithm is drawn. */
static void mend(const struct search *self, const struct history *history, uint32_t number,
                 uint32_t attempt, double *x)
{
    const struct space *space = history->space;
    double drawn[PARAMS_MAX];
    bool whole = true;
    for (uint32_t i = 0; i < space->count && whole; i++) {
        whole = isnan(self->fixed[i]) || isnan(x[i]) || x[i] == self->fixed[i];
    }
    if (whole) {
        return;
    }
    search_draw(history, number, attempt, drawn);
    for (uint32_t i = 0; i < space->count; i++) {
        x[i] = isnan(x[i]) ? drawn[i] : x[i];
    }
    search_complete(self, space, x);
}

/*  A point that may be suggested; *feasible: the constraints hold, at least. */
static bool is_good(const struct search *self, const struct history *history, const double *x,
                    bool *feasible)
{
    if (!space_feasible(history->space, x)) {
        return false;
    }
    *feasible = true;
    return !self->options.dedup || seen_uses(self->seen, x) == 0;
}

static enum search_answer own_point(struct search *self, const struct history *history,
                                    uint32_t number, double *x, uint32_t *tag)
{
    const bool grid = self->algorithm == &search_grid;
    bool feasible = false;
    for (uint32_t attempt = 0; attempt < (grid ? GRID_TRIES : OWN_TRIES); attempt++) {
        *tag = 0;
        enum search_answer answer =
            self->algorithm->suggest(self, history, number, attempt, x, tag);
        if (answer != SEARCH_POINT) {
            return answer;
        }
        if (self->fixed) {
            mend(self, history, number, attempt, x);
        }
        if (is_good(self, history, x, &feasible)) {
            return SEARCH_POINT;
        }
    }
    *tag = 0;
    return grid ? SEARCH_EXHAUSTED : SEARCH_INFEASIBLE;
}

/*  The first point of a finite space that may be suggested. */
static enum search_answer first_point(const struct search *self, const struct history *history,
                                      double *x)
{
    uint64_t cursor = 0;
    bool feasible = false;
    while (space_next(history->space, &cursor, x)) {
        if (is_good(self, history, x, &feasible)) {
            return SEARCH_POINT;
        }
    }
    return feasible ? SEARCH_EXHAUSTED : SEARCH_INFEASIBLE;
}

static enum search_answer random_point(const struct search *self, const struct history *history,
                                       uint32_t number, double *x)
{
    bool feasible = false;
    double repetition[PARAMS_MAX];
    for (uint32_t try = 0; try < SEARCH_TRIES; try++) {
        search_draw(history, number, RANDOM_ATTEMPT + try, x);
        search_complete(self, history->space, x);
        bool known = feasible;
        if (is_good(self, history, x, &feasible)) {
            return SEARCH_POINT;
        }
        if (feasible && !known) {
            memcpy(repetition, x, history->space->count * sizeof(*x));
        }
    }
    if (seen_space_size(self->seen) > 0) {
        return first_point(self, history, x);
    }
    if (feasible) {
        memcpy(x, repetition, history->space->count * sizeof(*x));
    }
    return feasible ? SEARCH_POINT : SEARCH_INFEASIBLE;
}

enum search_answer search_suggest(struct search *self, const struct history *history,
                                  uint32_t number, double *x, uint32_t *tag)
{
    ensure(history->count == number && !self->algorithm->external);
    seen_learn(&self->seen, history);
    const uint32_t repeat = self->options.repeat > 1 ? self->options.repeat : 1;
    uint32_t lacking = repeat > 1 ? seen_lacking(self->seen, history, repeat) : NONE;
    if (lacking != NONE) {
        memcpy(x, history->trials[lacking].x, history->space->count * sizeof(*x));
        *tag = 0;
        return SEARCH_POINT;
    }
    double fixed[PARAMS_MAX];
    bool cycles = self->algorithm != &search_grid &&
                  search_cycle(history->space, number / repeat, false, fixed);
    self->fixed = cycles ? fixed : NULL;
    enum search_answer answer = own_point(self, history, number, x, tag);
    if (answer == SEARCH_INFEASIBLE) {
        answer = random_point(self, history, number, x);
    }
    self->fixed = NULL;
    return answer;
}
