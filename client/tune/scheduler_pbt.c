/*  scheduler_pbt.c - population based training (Jaderberg et al. 2017, arXiv:1711.09846, Algorithm 1, asynchronous).

    The population is the trials that are alive.  A trial whose last exploit or check is `interval` behind it is
    ready (line 5): if it is in the bottom quantile, it pauses, takes weights and point of a member of the top
    quantile that has a checkpoint (exploit, line 6: truncation selection of appendix A.1.1) and perturbs the point
    (explore, line 8): each parameter is drawn anew with probability `resample`, or else is multiplied by factor_up or
    factor_down, a choice moves one place to the left or right; all of it within the parameter's domain, and within
    the constraints (the point is drawn again, and after EXPLORE_TRIES the donor's own is taken). */
#include "client/tune/scheduler_inside.h"

#include <math.h>
#include <stdlib.h>

#include "common/err.h"

enum { EXPLORE_TRIES = 100 };
enum pbt_state { PBT_ACTIVE = 0, PBT_PAUSED, PBT_ENDED };

struct pbt_trial {
    enum pbt_state state;
    enum decision answer; /* to its last report */
    double *x;            /* its point of now, or once it is resumed */
    double step;
    double checked;    /* step at which it was ready for the last time */
    bool has_score;    /* it was ready once */
    double score;      /* value of then */
    double checkpoint; /* step of its newest checkpoint of its own weights; 0: none */
    uint32_t exploits;
    uint32_t donor;    /* NONE, or whose checkpoint it starts from, until it has one of its own */
    uint64_t decided;  /* order of the pauses */
};

struct pbt {
    struct pbt_trial *trials;
    uint32_t count, capacity;
    uint64_t pauses;
    struct entry *ranking; /* room for one per trial */
    uint32_t ranking_capacity;
};

static int pbt_open(struct scheduler *self, struct diag *why)
{
    const struct scheduler_options *options = &self->options;
    if (!(options->interval > 0)) {
        return option_refuse(why, "scheduler.interval", "must be above 0");
    }
    if (!(options->quantile > 0 && options->quantile <= 0.5)) {
        return option_refuse(why, "scheduler.quantile", "must be above 0, at most 0.5");
    }
    if (!(options->resample >= 0 && options->resample <= 1)) {
        return option_refuse(why, "scheduler.resample", "must be a probability, 0 to 1");
    }
    if (!(options->factor_up > 0 && options->factor_down > 0)) {
        return option_refuse(why, "scheduler.factors", "must be above 0");
    }
    self->state = calloc(1, sizeof(struct pbt));
    ensure(self->state != NULL);
    return OK;
}

static void pbt_close(struct scheduler *self)
{
    struct pbt *pbt = self->state;
    for (uint32_t i = 0; i < pbt->count; i++) {
        free(pbt->trials[i].x);
    }
    free(pbt->trials);
    free(pbt->ranking);
    free(pbt);
}

static void pbt_added(struct scheduler *self, uint32_t trial, const double *x)
{
    struct pbt *pbt = self->state;
    ensure(trial == pbt->count);
    pbt->trials = array_room(pbt->trials, &pbt->capacity, trial, sizeof(*pbt->trials));
    pbt->ranking = array_room(pbt->ranking, &pbt->ranking_capacity, trial, sizeof(*pbt->ranking));
    size_t bytes = self->space->count * sizeof(double);
    double *copy = malloc(bytes + sizeof(double));
    ensure(copy != NULL);
    memcpy(copy, x, bytes);
    pbt->trials[trial] = (struct pbt_trial){ .x = copy, .donor = NONE };
    pbt->count++;
}

/* --- explore ---------------------------------------------------------------------------------- */

static double perturbed(const struct scheduler *self, uint32_t trial, uint32_t i, uint32_t n,
                        double from)
{
    const struct param *param = &self->space->params[i];
    double u[3]; /* whether to draw anew, what, up or down */
    for (uint32_t k = 0; k < COUNT(u); k++) {
        u[k] = draw_uniform(self->seed, trial, DRAW_EXPLORE + 4 * i + k, n);
    }
    if (isnan(from) || u[0] < self->options.resample) {
        return param_at(param, u[1]);
    }
    bool up = u[2] < 0.5;
    if (param->kind == PARAM_CHOICE) {
        return param_fit(param, from + (up ? 1 : -1));
    }
    return param_fit(param, from * (up ? self->options.factor_up : self->options.factor_down));
}

/*  Parents before children: a child that has become active is drawn. */
static void explore_once(const struct scheduler *self, uint32_t trial, uint32_t n, double *x)
{
    for (uint32_t i = 0; i < self->space->count; i++) {
        if (param_is_free(&self->space->params[i]) && space_active(self->space, i, x)) {
            x[i] = perturbed(self, trial, i, n, x[i]);
            space_complete(self->space, x);
        }
    }
}

static void explore(const struct scheduler *self, uint32_t trial, const double *from)
{
    struct pbt *pbt = self->state;
    struct pbt_trial *it = &pbt->trials[trial];
    size_t bytes = self->space->count * sizeof(double);
    it->exploits++;
    for (uint32_t attempt = 0; attempt < EXPLORE_TRIES; attempt++) {
        memcpy(it->x, from, bytes);
        explore_once(self, trial, it->exploits * EXPLORE_TRIES + attempt, it->x);
        if (space_feasible(self->space, it->x)) {
            return;
        }
    }
    memcpy(it->x, from, bytes);
}

/* --- exploit ---------------------------------------------------------------------------------- */

/*  A member of the top quantile, if this trial is in the bottom one; NONE. */
static uint32_t choose_donor(const struct scheduler *self, uint32_t trial)
{
    struct pbt *pbt = self->state;
    uint32_t n = 0;
    for (uint32_t i = 0; i < pbt->count; i++) {
        if (pbt->trials[i].has_score && pbt->trials[i].state != PBT_ENDED) {
            pbt->ranking[n++] = entry_of(pbt->trials[i].score, i);
        }
    }
    entries_sort(pbt->ranking, n);
    uint32_t quantile = (uint32_t)ceil(n * self->options.quantile);
    quantile = quantile > n / 2 ? n / 2 : quantile;
    bool bottom = false;
    for (uint32_t i = n - quantile; i < n; i++) {
        bottom |= pbt->ranking[i].trial == trial;
    }
    if (!bottom) {
        return NONE;
    }
    uint32_t donors = 0; /* those of the top that have a checkpoint */
    for (uint32_t i = 0; i < quantile; i++) {
        struct entry entry = pbt->ranking[i];
        if (pbt->trials[entry.trial].checkpoint > 0 && isfinite(entry.value)) {
            pbt->ranking[donors++] = entry;
        }
    }
    double u = draw_uniform(self->seed, trial, DRAW_DONOR, pbt->trials[trial].exploits);
    return donors > 0 ? pbt->ranking[(uint32_t)(u * donors)].trial : NONE;
}

static enum decision ready(struct scheduler *self, uint32_t trial, double step, double value)
{
    struct pbt *pbt = self->state;
    struct pbt_trial *it = &pbt->trials[trial];
    it->checked = step;
    it->score = value;
    it->has_score = true; /* NAN is the worst: it is replaced as soon as it can be */
    uint32_t donor = choose_donor(self, trial);
    if (donor == NONE) {
        return DECISION_GO_ON;
    }
    explore(self, trial, pbt->trials[donor].x);
    it->donor = donor;
    it->checkpoint = 0;
    it->state = PBT_PAUSED;
    it->decided = ++pbt->pauses;
    return DECISION_PAUSE;
}

static void run_again(struct pbt *pbt, uint32_t trial)
{
    struct pbt_trial *it = &pbt->trials[trial];
    it->state = PBT_ACTIVE;
    it->answer = DECISION_GO_ON;
    if (it->donor != NONE) { /* its weights are those of that step now */
        const struct pbt_trial *donor = &pbt->trials[it->donor];
        it->step = donor->checkpoint > 0 ? donor->checkpoint : it->step;
        it->checked = it->step;
    }
}

static enum decision pbt_reported(struct scheduler *self, uint32_t trial, double step, double value,
                                  bool resumable)
{
    struct pbt *pbt = self->state;
    ensure(trial < pbt->count);
    struct pbt_trial *it = &pbt->trials[trial];
    if (!(step > it->step)) { /* a retried trial says again what is known */
        return step == it->step ? it->answer : DECISION_GO_ON;
    }
    if (it->state == PBT_PAUSED) { /* while restoring: it was resumed */
        run_again(pbt, trial);
    }
    it->step = step;
    it->answer = DECISION_GO_ON;
    if (resumable) {
        it->checkpoint = step;
        it->donor = NONE;
    }
    if (self->options.max > 0 && step >= self->options.max) {
        it->answer = DECISION_STOP;
    } else if (it->state == PBT_ACTIVE && step - it->checked >= self->options.interval) {
        enum decision answer = ready(self, trial, step, value);
        it->answer = answer;
    }
    return it->answer;
}

static void pbt_ended(struct scheduler *self, uint32_t trial, bool failed)
{
    (void)failed;
    struct pbt *pbt = self->state;
    pbt->trials[trial].state = PBT_ENDED;
    pbt->trials[trial].donor = NONE;
}

static bool pbt_resume(struct scheduler *self, struct resumption *out)
{
    struct pbt *pbt = self->state;
    uint32_t first = NONE;
    for (uint32_t i = 0; i < pbt->count; i++) {
        const struct pbt_trial *it = &pbt->trials[i];
        if (it->state == PBT_PAUSED &&
            (first == NONE || it->decided < pbt->trials[first].decided)) {
            first = i;
        }
    }
    if (first == NONE) {
        return false;
    }
    run_again(pbt, first);
    *out = (struct resumption){ .trial = first,
                                .donor = pbt->trials[first].donor,
                                .x = pbt->trials[first].x };
    return true;
}

static bool pbt_pins(const struct scheduler *self, uint32_t trial)
{
    const struct pbt *pbt = self->state;
    for (uint32_t i = 0; i < pbt->count; i++) {
        if (pbt->trials[i].donor == trial) {
            return true;
        }
    }
    return false;
}

/*  The order in which trials ended may have been lost, and with it who was in which quantile: what was decided then
    counts, not what is decided now. */
static void pbt_restored(struct scheduler *self, uint32_t trial, bool paused, const double *x)
{
    struct pbt *pbt = self->state;
    struct pbt_trial *it = &pbt->trials[trial];
    if (paused && it->state == PBT_ACTIVE) {
        it->state = PBT_PAUSED;
        it->decided = ++pbt->pauses;
    } else if (!paused) {
        if (it->state == PBT_PAUSED) {
            run_again(pbt, trial);
        }
        memcpy(it->x, x, self->space->count * sizeof(double));
    }
}

const struct scheduler_type scheduler_pbt = {
    .name = "pbt",
    .summary = "population based training: the worst take weights and point of the best, changed a little",
    .decides = true,
    .open = pbt_open,
    .close = pbt_close,
    .added = pbt_added,
    .reported = pbt_reported,
    .ended = pbt_ended,
    .resume = pbt_resume,
    .pins = pbt_pins,
    .restored = pbt_restored,
};
