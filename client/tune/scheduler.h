/*  scheduler.h - trial schedulers: which trial goes on, stops, pauses, and is resumed.

    schedulers.def is the table; scheduler_NAME.c is one scheduler.  A scheduler is a fold over calls in the order in
    which reports were committed: it has no clock and no randomness but draw_uniform(seed, ...), so replaying the rows
    of a study after a crash gives the same state.  Values are to be minimised. */
#ifndef RAYC_TUNE_SCHEDULER_H
#define RAYC_TUNE_SCHEDULER_H
#include "client/tune/history.h"

struct scheduler_options {
    const char *type; /* a name of schedulers.def */
    /*  the report's key that counts (epoch, step, ...); NULL: the number of reports */
    const char *resource;
    double min, max;      /* asha, hyperband: resource of the first rung, of a full run (1, 100);
                             the others: a trial is stopped at max (0: never) */
    double eta;           /* asha, hyperband: reduction factor (asha 4 in Ray; 3 here) */
    uint32_t brackets;    /* asha: 0: 3 when max/min >= 27, else 1 */
    bool promote;         /* asha: pause and promote (the paper) instead of stopping */
    double grace;         /* median: no decision below this resource (1) */
    uint32_t min_samples; /* median: curves needed (3) */
    double interval;      /* pbt: perturbation interval, in resource (4) */
    double quantile;      /* pbt: 0.25 */
    double resample;      /* pbt: probability of a new draw (0.25) */
    double factor_up, factor_down; /* pbt: 1.2, 0.8 */
};
struct scheduler_options scheduler_defaults(const char *type);

/*  What is to run next, other than a new trial: a paused one again. */
struct resumption {
    uint32_t trial;
    uint32_t donor;  /* pbt: take this trial's newest checkpoint; NONE: its own */
    const double *x; /* pbt: its new point, valid until the next call; NULL: unchanged */
};

struct scheduler {
    const struct scheduler_type *type;
    struct scheduler_options options;
    const struct space *space;
    uint64_t seed;
    void *state; /* the type's */
};

struct scheduler_type {
    const char *name;
    const char *summary;
    bool decides; /* false: every report is answered with GO_ON and nothing is resumed (fifo) */
    int (*open)(struct scheduler *self,
                struct diag *why); /* checks options: OK or ERR_INVALID with why->field */
    void (*close)(struct scheduler *self);
    /*  A trial was made; x is its point, valid while the study lives. */
    void (*added)(struct scheduler *self, uint32_t trial, const double *x);
    /*  It reported: step is strictly above that of its last report.  `resumable`: it has a checkpoint of this step.
        A run that was told to stop or to pause is not asked about again: what else it reports is answered as before.
        So a report of a paused trial, while restoring, says that it was resumed. */
    enum decision (*reported)(struct scheduler *self, uint32_t trial, double step, double value,
                              bool resumable);
    /*  It ended (completed, failed, or stopped); it will not report again. */
    void (*ended)(struct scheduler *self, uint32_t trial, bool failed);
    /*  A slot is free: true and *out if a paused trial is to run now; asked before a new trial is made.  It may name
        one that was told to pause and whose process is still ending: it is started when that has ended. */
    bool (*resume)(struct scheduler *self, struct resumption *out);
    /*  May a new trial start now?  (hyperband: false while the open bracket is full and unfinished.)  NULL: always. */
    bool (*wants_new)(struct scheduler *self);
    /*  No more new trials will come: paused trials that can never be promoted now may be ended.  True and the trial,
        one per call, when nothing runs and nothing can be resumed.  False: resume() is asked once more, as hyperband
        then closes a bracket that was not filled.  NULL: none. */
    bool (*give_up)(struct scheduler *self, uint32_t *trial);
    /*  Must the newest checkpoint of this trial be kept, as another one is to start from it?  NULL: no. */
    bool (*pins)(const struct scheduler *self, uint32_t trial);
    /*  Of restoring: added() by number, reported() and ended() as far as their order is known, and then this for each
        trial that has not ended.  paused: it waits; else it was started after its last pause, or never paused. x: its
        point of now.  The state is then the one before the crash, although resume() was not called.  NULL: nothing
        to do. */
    void (*restored)(struct scheduler *self, uint32_t trial, bool paused, const double *x);
};

const struct scheduler_type *scheduler_find(const char *name);
const struct scheduler_type *scheduler_at(uint32_t i);
MUST_CHECK int scheduler_open(struct scheduler *self, const struct scheduler_options *options,
                              const struct space *space, uint64_t seed, struct diag *why);
void scheduler_close(struct scheduler *self);
bool scheduler_pins(const struct scheduler *self, uint32_t trial);
#endif
