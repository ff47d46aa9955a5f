/*  search_cmaes.c - the search algorithm `cmaes`: CMA-ES over the numbers that are active in every point; what is left
    (choices, conditional parameters) is drawn at random, as Optuna does.

    The state is a fold over trials in the order in which they ended.  A trial's tag is its generation, counted through
    all restarts, and the attempt: so its draw can be made again.  A generation is told when as many of its trials as
    its population have a value; a trial that ends one generation late still counts in the next, later ones do not.
    Failed trials count nowhere; pruned ones come after complete ones.  Trials without a tag (points of the user,
    repetitions) are not looked at.  A run that has converged starts again at a random place with twice the population
    (IPOP, Auger and Hansen, CEC 2005). */
#include <math.h>
#include <stdlib.h>

#include "client/tune/cma.h"
#include "client/tune/search.h"

enum {
    ATTEMPT_BITS = 8,
    POPULATION_MAX = 4096,
    RESTART_DRAW =
        0x7FFFFFFE /* the trial number of the draws of where runs start: no trial has it */
};

/*  A trial of the generation that is being collected. */
struct member {
    struct cma_solution solution;
    bool pruned;
    double step;
};

struct run {
    const struct space *space;
    uint32_t n;
    uint32_t params[PARAMS_MAX];
    struct axis axes[PARAMS_MAX];
    struct cma *cma;
    uint32_t serial; /* generation, through all restarts */
    uint32_t first;  /* serial at the start of this run */
    uint32_t restarts;
    uint32_t folded;        /* of history.ended */
    uint32_t last;          /* the newest of them */
    struct member *members; /* room for the population */
    double *points;         /* theirs */
    uint32_t member_count;
};

/* --- runs ------------------------------------------------------------------------------------- */

static bool is_dimension(const struct param *param)
{
    return param_is_number(param) && param->when_count == 0 && !param->when_expr &&
           param_size(param) != 1;
}

static void run_start(struct run *self, const struct search_options *options, uint64_t seed)
{
    double mean[PARAMS_MAX];
    uint32_t population = options->population ? options->population : cma_population(self->n);
    population = population < 4 ? 4 : population;
    for (uint32_t i = 0; i < self->restarts && population <= POPULATION_MAX / 2; i++) {
        population *= 2;
    }
    for (uint32_t i = 0; i < self->n; i++) {
        mean[i] = self->restarts == 0 ? 0.5 : draw_uniform(seed, RESTART_DRAW, i, self->restarts);
    }
    cma_destroy(&self->cma);
    self->cma = cma_new(&(struct cma_start){
        .n = self->n,
        .population = population,
        .sigma = options->sigma > 0 ? options->sigma : 1.0 / 6,
        .mean = mean,
        .axes = self->axes,
    });
    free(self->members);
    free(self->points);
    self->members = calloc(population, sizeof(*self->members));
    self->points = calloc((size_t)population * self->n, sizeof(double));
    ensure(self->members && self->points);
    self->member_count = 0;
    self->first = self->serial;
}

static void run_destroy(struct run **out)
{
    struct run *self = *out;
    if (self) {
        cma_destroy(&self->cma);
        free(self->members);
        free(self->points);
        free(self);
        *out = NULL;
    }
}

static struct run *run_new(const struct history *history, const struct search_options *options)
{
    struct run *self = calloc(1, sizeof(*self));
    ensure(self);
    self->space = history->space;
    for (uint32_t i = 0; i < self->space->count; i++) {
        if (is_dimension(&self->space->params[i])) {
            self->axes[self->n] = axis_of(&self->space->params[i]);
            self->params[self->n++] = i;
        }
    }
    if (self->n > 0) {
        run_start(self, options, history->seed);
    }
    return self;
}

/* --- the fold --------------------------------------------------------------------------------- */

static int by_rank(const void *a, const void *b)
{
    const struct member *x = a;
    const struct member *y = b;
    if (x->pruned != y->pruned) {
        return x->pruned - y->pruned;
    }
    if (x->pruned && x->step != y->step) {
        return x->step > y->step ? -1 : 1;
    }
    if (x->solution.value != y->solution.value) {
        return x->solution.value < y->solution.value ? -1 : 1;
    }
    return x->solution.trial < y->solution.trial ? -1 : x->solution.trial > y->solution.trial;
}

/*  Only the order of values counts in CMA-ES, so where some are of pruned trials, their ranks will do. */
static void generation_tell(struct run *self, const struct search_options *options, uint64_t seed)
{
    const uint32_t count = self->cma->population;
    struct cma_solution *solutions = calloc(count, sizeof(*solutions));
    ensure(solutions);
    bool pruned = false;
    qsort(self->members, count, sizeof(*self->members), by_rank);
    for (uint32_t i = 0; i < count; i++) {
        solutions[i] = self->members[i].solution;
        pruned = pruned || self->members[i].pruned;
    }
    for (uint32_t i = 0; i < count && pruned; i++) {
        solutions[i].value = i;
    }
    cma_tell(self->cma, solutions);
    free(solutions);
    self->member_count = 0;
    self->serial++;
    if (cma_is_done(self->cma)) {
        self->restarts++;
        run_start(self, options, seed);
    }
}

/*  Where the trial lies: of numbers its value; in cells where it was drawn, if it can be drawn again. */
static void place(const struct run *self, const struct history *history, const struct trial *trial,
                  bool late, double *x)
{
    double drawn[PARAMS_MAX];
    uint32_t attempt = trial->tag & ((1u << ATTEMPT_BITS) - 1);
    cma_ask(self->cma, &(struct cma_draw){ history->seed, trial->number, attempt }, drawn);
    for (uint32_t i = 0; i < self->n; i++) {
        double value = trial->x[self->params[i]];
        bool again =
            !late && self->axes[i].kind == AXIS_CELLS && cma_value(self->cma, i, drawn[i]) == value;
        x[i] = again ? drawn[i] : axis_unit(&self->axes[i], value);
    }
}

static void fold(struct run *self, const struct history *history,
                 const struct search_options *options, const struct trial *trial)
{
    const uint32_t serial = trial->tag >> ATTEMPT_BITS;
    const bool late = serial == self->serial && self->serial > self->first;
    if (trial->tag == 0 || (serial != self->serial + 1 && !late) || isnan(trial->value) ||
        trial->state != TRIAL_TERMINATED) {
        return;
    }
    struct member *member = &self->members[self->member_count];
    double *x = self->points + (size_t)self->member_count * self->n;
    *member =
        (struct member){ { trial->value, trial->number, late, x }, trial->pruned, trial->step };
    place(self, history, trial, late, x);
    if (++self->member_count == self->cma->population) {
        generation_tell(self, options, history->seed);
    }
}

static struct run *run_learn(struct search *search, const struct history *history)
{
    struct run *self = search->memo;
    if (self && (self->space != history->space || self->folded > history->ended_count ||
                 (self->folded > 0 && history->ended[self->folded - 1] != self->last))) {
        run_destroy(&self);
    }
    if (!self) {
        self = run_new(history, &search->options);
    }
    search->memo = self;
    for (; self->n > 0 && self->folded < history->ended_count; self->folded++) {
        self->last = history->ended[self->folded];
        fold(self, history, &search->options, &history->trials[self->last]);
    }
    return self;
}

/* --- the algorithm ---------------------------------------------------------------------------- */

static enum search_answer cmaes_suggest(struct search *self, const struct history *history,
                                        uint32_t number, uint32_t attempt, double *x, uint32_t *tag)
{
    double drawn[PARAMS_MAX];
    const struct run *run = run_learn(self, history);
    search_draw(history, number, attempt, x);
    if (run->n > 0) {
        ensure(attempt >> ATTEMPT_BITS == 0);
        cma_ask(run->cma, &(struct cma_draw){ history->seed, number, attempt }, drawn);
        *tag = (run->serial + 1) << ATTEMPT_BITS | attempt;
    }
    for (uint32_t i = 0; i < run->n; i++) {
        x[run->params[i]] = cma_value(run->cma, i, drawn[i]);
    }
    search_complete(self, history->space, x);
    return SEARCH_POINT;
}

static void cmaes_close(struct search *self)
{
    struct run *run = self->memo;
    run_destroy(&run);
    self->memo = NULL;
}

const struct search_algorithm search_cmaes = {
    .name = "cmaes",
    .summary = "CMA-ES with margin over the numbers; good for many trials of smooth functions",
    .needs_history = true,
    .suggest = cmaes_suggest,
    .close = cmaes_close,
};
