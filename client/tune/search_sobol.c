/*  search_sobol.c - the search algorithm `sobol`: trial n is point n of a sequence that fills the space evenly.

    Every parameter that the search chooses has a dimension of its own, active or not; another attempt for the same
    trial is the same place in a sequence that is scrambled otherwise. */
#include <math.h>

#include "client/tune/search.h"
#include "client/tune/sobol.h"

enum {
    SCRAMBLE_DRAW = 0x7FFFFFFF
}; /* the trial number of the draws that scramble: no trial has it */

static double sobol_uniform(const struct history *history, uint32_t number, uint32_t attempt,
                            uint32_t param)
{
    double hash = draw_uniform(history->seed, SCRAMBLE_DRAW, param, attempt);
    uint32_t at = sobol_scramble(sobol_at(number, param), (uint32_t)ldexp(hash, 32));
    double low_bits = draw_uniform(history->seed, number, param, attempt);
    return fmin(ldexp(at + low_bits, -32), 1 - 0x1p-53);
}

static enum search_answer sobol_suggest(struct search *self, const struct history *history,
                                        uint32_t number, uint32_t attempt, double *x, uint32_t *tag)
{
    (void)tag;
    const struct space *space = history->space;
    uint32_t dimension = 0;
    for (uint32_t i = 0; i < space->count; i++) {
        const struct param *param = &space->params[i];
        x[i] = NAN;
        if (param_is_free(param)) {
            x[i] = param_at(param, sobol_uniform(history, number, attempt, dimension++));
        }
    }
    search_complete(self, space, x);
    return SEARCH_POINT;
}

const struct search_algorithm search_sobol = {
    .name = "sobol",
    .summary = "fills the space evenly (a scrambled Sobol sequence)",
    .suggest = sobol_suggest,
};
