/*  scheduler_hyperband.c - HyperBand (Li et al., JMLR 18-558, 2018, Algorithm 1).

    With R = max / min: s_max = floor(log_eta R), and brackets s = s_max .. 0, again and again, each with
    n = ceil((s_max + 1) eta^s / (s + 1)) trials; rung i of it has n_i = floor(n eta^-i) trials of max eta^(i - s)
    resource each.  A bracket opens when the one before it has ended.  All trials of a rung pause until each of them
    has a value there or has ended; then the best n_(i+1) go on.  A failed trial has lost: its value counts as
    infinite, and it holds nobody up.  A trial that cannot be resumed pauses, too: when it is promoted it trains
    from its beginning, as run_then_return_val_loss() of the paper may.

    The state is a function of what is recorded, not of when resume() was called: a promoted trial may report before
    its rung is known to be complete, as it happens while restoring. */
#include "client/tune/scheduler_inside.h"

#include <math.h>
#include <stdlib.h>

#include "common/err.h"

enum band_state { BAND_ACTIVE = 0, BAND_PAUSED, BAND_LOST, BAND_ENDED };

struct band_trial {
    enum band_state state;
    enum decision answer;
    uint32_t bracket;
    uint32_t rung; /* entries it has: 0 .. rung - 1 are behind it */
    uint32_t won;  /* rungs that it has won: below `rung` until the rung it is in is complete */
    double step, value;
};

struct band_rung {
    struct entry *entries;
    uint32_t count, capacity;
};

struct bracket {
    uint32_t s;
    uint32_t planned;
    uint32_t added;
    bool closed;   /* as many trials as it will get */
    uint32_t rung; /* the one that is being filled; above s: the bracket has ended */
    uint32_t open; /* trials of this rung that have no entry in it and have not ended */
    uint32_t next; /* winners of the last rung were resumed up to here */
    struct band_rung rungs[RUNGS_MAX];
};

struct band {
    uint32_t s_max;
    struct bracket **brackets; /* in the order of their opening */
    uint32_t bracket_count, bracket_capacity;
    struct band_trial *trials;
    uint32_t count, capacity;
    uint32_t active;   /* trials that are neither paused nor lost nor ended */
    uint32_t searched; /* no trial below this number is lost */
};

static double power(double eta, uint32_t n)
{
    double product = 1;
    while (n-- > 0) {
        product *= eta;
    }
    return product;
}

static uint32_t planned_trials(const struct band *band, double eta, uint32_t s)
{
    return (uint32_t)ceil((band->s_max + 1) * power(eta, s) / (s + 1));
}

static int band_open(struct scheduler *self, struct diag *why)
{
    int error = options_check_rungs(&self->options, why);
    if (error != OK) {
        return error;
    }
    double largest = self->options.max / self->options.min;
    uint32_t s_max = 0;
    for (double p = self->options.eta; p <= largest; p *= self->options.eta) {
        s_max++;
    }
    if (s_max >= RUNGS_MAX || (s_max + 1) * power(self->options.eta, s_max) > 1e6) {
        return option_refuse(why, "scheduler.max",
                             "max/min of %g makes brackets of more than a million trials", largest);
    }
    struct band *band = calloc(1, sizeof(*band));
    ensure(band != NULL);
    band->s_max = s_max;
    self->state = band;
    return OK;
}

static void band_close(struct scheduler *self)
{
    struct band *band = self->state;
    for (uint32_t i = 0; i < band->bracket_count; i++) {
        for (uint32_t k = 0; k < RUNGS_MAX; k++) {
            free(band->brackets[i]->rungs[k].entries);
        }
        free(band->brackets[i]);
    }
    free(band->brackets);
    free(band->trials);
    free(band);
}

static struct bracket *bracket_last(const struct band *band)
{
    return band->bracket_count > 0 ? band->brackets[band->bracket_count - 1] : NULL;
}

static struct bracket *bracket_new(struct scheduler *self, struct band *band)
{
    band->brackets = array_room(band->brackets, &band->bracket_capacity, band->bracket_count,
                                sizeof(struct bracket *));
    struct bracket *bracket = calloc(1, sizeof(*bracket));
    ensure(bracket != NULL);
    bracket->s = band->s_max - band->bracket_count % (band->s_max + 1);
    bracket->planned = planned_trials(band, self->options.eta, bracket->s);
    band->brackets[band->bracket_count++] = bracket;
    return bracket;
}

static double milestone(const struct scheduler *self, const struct bracket *bracket, uint32_t rung)
{
    return self->options.max / power(self->options.eta, bracket->s - rung);
}

/*  n_i of a bracket; of one that was closed early by its own n, but its best trial always goes on. */
static uint32_t rung_size(const struct scheduler *self, const struct bracket *bracket, uint32_t i)
{
    uint32_t size = (uint32_t)floor(bracket->added / power(self->options.eta, i));
    return size > 0 ? size : 1;
}

static void move(struct band *band, uint32_t trial, enum band_state to)
{
    struct band_trial *it = &band->trials[trial];
    band->active += (to == BAND_ACTIVE) - (it->state == BAND_ACTIVE);
    it->state = to;
    if (to == BAND_LOST && trial < band->searched) {
        band->searched = trial;
    }
}

/*  Does it still count for the rung that is being filled? */
static bool is_open(const struct band_trial *it, uint32_t rung)
{
    return it->rung == rung && it->won == rung && it->state != BAND_ENDED && it->state != BAND_LOST;
}

static void record(struct band *band, uint32_t trial)
{
    struct band_trial *it = &band->trials[trial];
    struct bracket *bracket = band->brackets[it->bracket];
    struct band_rung *rung = &bracket->rungs[it->rung];
    bracket->open -= is_open(it, bracket->rung);
    rung->entries = array_room(rung->entries, &rung->capacity, rung->count, sizeof(*rung->entries));
    rung->entries[rung->count++] = entry_of(it->value, trial);
    it->rung++;
    move(band, trial, BAND_PAUSED);
}

/*  A rung is complete: its losers lose; those of the winners that are beyond the next rung already are entered. */
static void rung_completed(const struct scheduler *self, struct band *band, struct bracket *bracket)
{
    struct band_rung *rung = &bracket->rungs[bracket->rung];
    entries_sort(rung->entries, rung->count);
    uint32_t size = bracket->rung < bracket->s ? rung_size(self, bracket, bracket->rung + 1) : 0;
    uint32_t won = 0;
    bracket->open = 0;
    bracket->next = 0;
    bracket->rung++;
    for (uint32_t i = 0; i < rung->count; i++) {
        struct entry entry = rung->entries[i];
        struct band_trial *it = &band->trials[entry.trial];
        if (it->won + 1 != bracket->rung || won == size) {
            if (it->state != BAND_ENDED) {
                move(band, entry.trial, BAND_LOST);
            }
            continue;
        }
        rung->entries[won++] = entry; /* winners stay, best first */
        it->won = bracket->rung;
        if (is_open(it, bracket->rung)) {
            bracket->open++;
            if (it->step >= milestone(self, bracket, bracket->rung)) {
                record(band, entry.trial);
            }
        }
    }
    rung->count = won;
}

static void settle(const struct scheduler *self, struct band *band, struct bracket *bracket)
{
    bool full = bracket->closed || bracket->added == bracket->planned;
    while (full && bracket->rung <= bracket->s && bracket->open == 0) {
        rung_completed(self, band, bracket);
    }
}

static void band_added(struct scheduler *self, uint32_t trial, const double *x)
{
    (void)x;
    struct band *band = self->state;
    ensure(trial == band->count);
    struct bracket *bracket = bracket_last(band);
    if (!bracket || bracket->closed || bracket->added == bracket->planned) {
        bracket = bracket_new(self, band);
    }
    band->trials = array_room(band->trials, &band->capacity, trial, sizeof(*band->trials));
    band->trials[trial] = (struct band_trial){ .bracket = band->bracket_count - 1 };
    band->count++;
    band->active++;
    bracket->added++;
    bracket->open++;
}

/*  It reports no more: it neither holds up its rung nor goes on. */
static void leave(struct scheduler *self, uint32_t trial)
{
    struct band *band = self->state;
    struct band_trial *it = &band->trials[trial];
    struct bracket *bracket = band->brackets[it->bracket];
    bracket->open -= is_open(it, bracket->rung);
    move(band, trial, BAND_ENDED);
    settle(self, band, bracket);
}

/*  It has a value at its rung.  If that was the last one, it is known whether it goes on. */
static enum decision arrive(struct scheduler *self, uint32_t trial)
{
    struct band *band = self->state;
    struct band_trial *it = &band->trials[trial];
    struct bracket *bracket = band->brackets[it->bracket];
    record(band, trial);
    settle(self, band, bracket);
    if (it->state == BAND_LOST) {
        move(band, trial, BAND_ENDED);
        return DECISION_STOP;
    }
    if (it->rung == bracket->rung) {
        move(band, trial, BAND_ACTIVE);
        return DECISION_GO_ON;
    }
    return DECISION_PAUSE;
}

static enum decision band_reported(struct scheduler *self, uint32_t trial, double step,
                                   double value, bool resumable)
{
    (void)resumable;
    struct band *band = self->state;
    ensure(trial < band->count);
    struct band_trial *it = &band->trials[trial];
    if (it->state == BAND_LOST || it->state == BAND_ENDED) {
        return DECISION_STOP;
    }
    if (!(step > it->step)) { /* a retried trial says again what is known */
        return step == it->step ? it->answer : DECISION_GO_ON;
    }
    if (it->state == BAND_PAUSED) { /* while restoring: it was promoted */
        move(band, trial, BAND_ACTIVE);
    }
    it->step = step;
    it->value = value;
    it->answer = DECISION_GO_ON;
    if (step >= self->options.max) {
        it->answer = DECISION_STOP;
        leave(self, trial);
    } else if (step >= milestone(self, band->brackets[it->bracket], it->rung)) {
        enum decision answer = arrive(self, trial);
        it->answer = answer;
    }
    return it->answer;
}

static void band_ended(struct scheduler *self, uint32_t trial, bool failed)
{
    (void)failed;
    leave(self, trial);
}

static bool band_resume(struct scheduler *self, struct resumption *out)
{
    struct band *band = self->state;
    for (uint32_t i = 0; i < band->bracket_count; i++) {
        struct bracket *bracket = band->brackets[i];
        if (bracket->rung == 0 || bracket->rung > bracket->s) {
            continue;
        }
        const struct band_rung *won = &bracket->rungs[bracket->rung - 1];
        while (bracket->next < won->count) {
            uint32_t trial = won->entries[bracket->next++].trial;
            struct band_trial *it = &band->trials[trial];
            if (it->state == BAND_PAUSED && it->rung == bracket->rung) {
                move(band, trial, BAND_ACTIVE);
                it->answer = DECISION_GO_ON;
                *out = (struct resumption){ .trial = trial, .donor = NONE };
                return true;
            }
        }
    }
    return false;
}

static bool band_wants_new(struct scheduler *self)
{
    const struct bracket *bracket = bracket_last(self->state);
    bool full = bracket && (bracket->closed || bracket->added == bracket->planned);
    return !full || bracket->rung > bracket->s;
}

static bool band_give_up(struct scheduler *self, uint32_t *trial)
{
    struct band *band = self->state;
    struct bracket *last = bracket_last(band);
    if (last && band->active == 0 && !last->closed) {
        last->closed = true;
        settle(self, band, last);
    }
    while (band->searched < band->count && band->trials[band->searched].state != BAND_LOST) {
        band->searched++;
    }
    if (band->searched == band->count) {
        return false;
    }
    *trial = band->searched;
    move(band, *trial, BAND_ENDED);
    return true;
}

static void band_restored(struct scheduler *self, uint32_t trial, bool paused, const double *x)
{
    (void)x;
    struct band *band = self->state;
    struct band_trial *it = &band->trials[trial];
    if (paused && it->state == BAND_ACTIVE) {
        move(band, trial, BAND_PAUSED);
    } else if (!paused && it->state == BAND_PAUSED) {
        move(band, trial, BAND_ACTIVE);
        it->answer = DECISION_GO_ON;
    }
}

const struct scheduler_type scheduler_hyperband = {
    .name = "hyperband",
    .summary =
        "brackets of synchronous successive halving, from many short trials to a few whole ones",
    .decides = true,
    .open = band_open,
    .close = band_close,
    .added = band_added,
    .reported = band_reported,
    .ended = band_ended,
    .resume = band_resume,
    .wants_new = band_wants_new,
    .give_up = band_give_up,
    .restored = band_restored,
};
