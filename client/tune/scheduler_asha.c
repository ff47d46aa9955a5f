/*  scheduler_asha.c - asynchronous successive halving (Li et al. 2018, arXiv:1810.05934, Algorithm 2).

    Bracket s has rungs at min * eta^(s + k) below max; a trial's bracket is drawn with weights e^-s, as Ray does
    (softmax of the number of rungs).  An entry belongs to (trial, rung) and is made once: at the first report at or
    above the rung's resource.  A report that passes several rungs at once is recorded in the highest only: it says
    nothing fair about the lower ones.  (Ray fills those later, with values of a much longer training.)

    promote: the paper.  At a rung a trial pauses, unless get_job() would choose this very trial.
    else: Ray's stopping variant.  At a rung a trial stops if it is worse than the best 1/eta of the others there. */
#include "client/tune/rung.h"

#include <math.h>
#include <stdlib.h>

#include "common/err.h"

enum asha_state { ASHA_ACTIVE = 0, ASHA_PAUSED, ASHA_ENDED };

struct asha_trial {
    enum asha_state state;
    enum decision answer; /* to its last report */
    uint32_t bracket;
    /*  the lowest rung, counted from min, that has no entry of it and may still get one */
    uint32_t next;
    double step;
};

struct asha {
    double milestones[RUNGS_MAX];
    uint32_t rungs;
    uint32_t brackets;
    struct rung *at; /* [bracket][rung] */
    struct asha_trial *trials;
    uint32_t capacity, count;
    uint32_t active;   /* trials that are neither paused nor ended */
    uint32_t searched; /* no trial below this number is paused */
};

static struct rung *rung_at(const struct asha *asha, uint32_t bracket, uint32_t rung)
{
    return &asha->at[bracket * asha->rungs + rung];
}

static int asha_open(struct scheduler *self, struct diag *why)
{
    int error = options_check_rungs(&self->options, why);
    if (error != OK) {
        return error;
    }
    double all[RUNGS_MAX];
    uint32_t rungs = milestones(&self->options, all);
    uint32_t brackets = self->options.brackets;
    if (brackets > rungs + 1) {
        return option_refuse(why, "scheduler.brackets",
                             "at most %u: with min %g, max %g and eta %g there are %u rungs",
                             rungs + 1, self->options.min, self->options.max, self->options.eta,
                             rungs);
    }
    if (brackets == 0) {
        brackets = self->options.max >= 27 * self->options.min && rungs >= 2 ? 3 : 1;
    }
    struct asha *asha = calloc(1, sizeof(*asha));
    ensure(asha != NULL);
    memcpy(asha->milestones, all, sizeof(all));
    asha->rungs = rungs;
    asha->brackets = brackets;
    asha->at = calloc((size_t)brackets * rungs + 1, sizeof(*asha->at));
    ensure(asha->at != NULL);
    for (uint32_t i = 0; i < brackets * rungs; i++) {
        rung_init(&asha->at[i]);
    }
    self->state = asha;
    return OK;
}

static void asha_close(struct scheduler *self)
{
    struct asha *asha = self->state;
    for (uint32_t i = 0; i < asha->brackets * asha->rungs; i++) {
        rung_fini(&asha->at[i]);
    }
    free(asha->at);
    free(asha->trials);
    free(asha);
}

static uint32_t bracket_of(const struct scheduler *self, const struct asha *asha, uint32_t trial)
{
    double sum = 0;
    for (uint32_t s = 0; s < asha->brackets; s++) {
        sum += exp(-(double)s);
    }
    double u = draw_uniform(self->seed, trial, DRAW_BRACKET, 0) * sum;
    for (uint32_t s = 0; s + 1 < asha->brackets; s++) {
        u -= exp(-(double)s);
        if (u < 0) {
            return s;
        }
    }
    return asha->brackets - 1;
}

static void asha_added(struct scheduler *self, uint32_t trial, const double *x)
{
    (void)x;
    struct asha *asha = self->state;
    ensure(trial == asha->count);
    asha->trials = array_room(asha->trials, &asha->capacity, trial, sizeof(*asha->trials));
    asha->count++;
    asha->active++;
    uint32_t bracket = bracket_of(self, asha, trial);
    asha->trials[trial] = (struct asha_trial){ .bracket = bracket, .next = bracket };
}

static void move(struct asha *asha, uint32_t trial, enum asha_state to)
{
    struct asha_trial *it = &asha->trials[trial];
    asha->active += (to == ASHA_ACTIVE) - (it->state == ASHA_ACTIVE);
    it->state = to;
    if (to == ASHA_PAUSED && trial < asha->searched) {
        asha->searched = trial;
    }
}

/*  The best entry of a rung that waits for its promotion.  Those that no longer wait are dropped here. */
static bool first_waiting(struct asha *asha, uint32_t bracket, uint32_t rung, struct entry *out)
{
    struct rung *it = rung_at(asha, bracket, rung);
    while (rung_first(it, out)) {
        const struct asha_trial *trial = &asha->trials[out->trial];
        if (trial->state == ASHA_PAUSED && trial->next == rung + 1) {
            return true;
        }
        rung_drop_first(it);
    }
    return false;
}

/*  get_job() of Algorithm 2, lines 13 to 18: from the highest rung down, the best of the top floor(|rung| / eta) that
    was not promoted.  Of several brackets, the higher rung first.  NONE: a new trial is to be made (line 19). */
static uint32_t get_job(struct asha *asha)
{
    for (uint32_t k = asha->rungs; k-- > 0;) {
        for (uint32_t s = 0; s < asha->brackets && s <= k; s++) {
            struct entry first;
            if (first_waiting(asha, s, k, &first) && rung_admits(rung_at(asha, s, k), first)) {
                return first.trial;
            }
        }
    }
    return NONE;
}

/*  At rung k for the first time. */
static enum decision decide(struct scheduler *self, uint32_t trial, uint32_t k, double value,
                            bool resumable)
{
    struct asha *asha = self->state;
    struct asha_trial *it = &asha->trials[trial];
    struct rung *rung = rung_at(asha, it->bracket, k);
    struct entry entry = entry_of(value, trial);
    bool worse =
        rung_count(rung) > 0 && entry.value > rung_cutoff(rung, self->options.eta); /* others */
    it->next = k + 1;
    rung_add(rung, entry, self->options.eta);
    if (!self->options.promote || !resumable) {
        return worse ? DECISION_STOP : DECISION_GO_ON;
    }
    rung_wait(rung, entry);
    move(asha, trial, ASHA_PAUSED);
    if (get_job(asha) == trial) {
        move(asha, trial, ASHA_ACTIVE);
        return DECISION_GO_ON;
    }
    return DECISION_PAUSE;
}

static enum decision asha_reported(struct scheduler *self, uint32_t trial, double step,
                                   double value, bool resumable)
{
    struct asha *asha = self->state;
    ensure(trial < asha->count);
    struct asha_trial *it = &asha->trials[trial];
    if (it->answer == DECISION_STOP || step == it->step) {
        return it->answer;
    }
    if (!(step > it->step)) { /* a retried trial says again what is known */
        return DECISION_GO_ON;
    }
    if (it->state == ASHA_PAUSED) { /* while restoring: it was promoted */
        move(asha, trial, ASHA_ACTIVE);
    }
    it->step = step;
    it->answer = DECISION_GO_ON;
    if (step >= self->options.max) {
        it->answer = DECISION_STOP;
        return it->answer;
    }
    uint32_t reached = 0; /* rungs at or below this step */
    while (reached < asha->rungs && step >= asha->milestones[reached]) {
        reached++;
    }
    if (reached > it->next) {
        enum decision answer = decide(self, trial, reached - 1, value, resumable);
        it->answer = answer;
    }
    return it->answer;
}

static void asha_ended(struct scheduler *self, uint32_t trial, bool failed)
{
    (void)failed; /* what it reported stays in the rungs */
    move(self->state, trial, ASHA_ENDED);
}

static void promote(struct asha *asha, uint32_t trial)
{
    move(asha, trial, ASHA_ACTIVE);
    asha->trials[trial].answer = DECISION_GO_ON;
}

static bool asha_resume(struct scheduler *self, struct resumption *out)
{
    struct asha *asha = self->state;
    uint32_t trial = get_job(asha);
    if (trial == NONE) {
        return false;
    }
    promote(asha, trial);
    *out = (struct resumption){ .trial = trial, .donor = NONE };
    return true;
}

static bool asha_give_up(struct scheduler *self, uint32_t *trial)
{
    struct asha *asha = self->state;
    if (asha->active > 0 || get_job(asha) != NONE) {
        return false;
    }
    while (asha->searched < asha->count && asha->trials[asha->searched].state != ASHA_PAUSED) {
        asha->searched++;
    }
    if (asha->searched == asha->count) {
        return false;
    }
    *trial = asha->searched;
    move(asha, *trial, ASHA_ENDED);
    return true;
}

static void asha_restored(struct scheduler *self, uint32_t trial, bool paused, const double *x)
{
    (void)x;
    struct asha *asha = self->state;
    if (paused) {
        move(asha, trial, ASHA_PAUSED);
    } else if (asha->trials[trial].state == ASHA_PAUSED) {
        promote(asha, trial);
    }
}

const struct scheduler_type scheduler_asha = {
    .name = "asha",
    .summary = "asynchronous successive halving; promote: pause and promote instead of stopping",
    .decides = true,
    .open = asha_open,
    .close = asha_close,
    .added = asha_added,
    .reported = asha_reported,
    .ended = asha_ended,
    .resume = asha_resume,
    .give_up = asha_give_up,
    .restored = asha_restored,
};
