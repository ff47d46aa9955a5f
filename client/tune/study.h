/*  study.h - a study as a function: what happened goes in, what to do comes out.

    Pure and deterministic: no clock, no I/O.  A study is restored by giving it its stored trials and reports in order;
    then it is as it was.  It owns search, scheduler and stoppers.  Values here are as the user sees them; they are
    negated inside when the study maximises. */
#ifndef RAYC_TUNE_STUDY_H
#define RAYC_TUNE_STUDY_H
#include "client/tune/spec.h"
#include "client/tune/stop.h"

/*  A trial as the driver and the tables see it; its x is that of history. */
struct study_trial {
    struct trial base; /* as the search sees it: value negated if the study maximises */
    double value;      /* of the last report; NAN: none */
    uint32_t run;      /* how often it was started */
    uint64_t task;     /* newest task */
    uint64_t reports;
    uint64_t created_ms, ended_ms;
    char *params;           /* JSON */
    char *metrics;          /* JSON of the last report; NULL */
    char *checkpoint;       /* newest committed; NULL */
    double checkpoint_step; /* that it is of */
    char *text;             /* why it failed or was stopped; NULL */
    /*  when it was started, resumed and ended, and PBT's changes: study_journal.c; NULL */
    char *lineage;
    uint32_t donor; /* of the run that starts now: whose checkpoint; NONE: its own */
    bool dirty;     /* its row is to be written */
};

struct study;

MUST_CHECK int study_new(struct study **out, const struct study_spec *spec, uint64_t seed,
                         struct diag *why);
void study_destroy(struct study **self);

/*  Restoring: all trials by number, all reports by id, then study_restored(): trials that ran are PENDING again. */
MUST_CHECK int study_restore_trial(struct study *self, const struct rec_trial *row);
void study_restore_report(struct study *self, const struct rec_report *row);
/*  After its reports: its newest task has ended well. */
void study_restore_finished(struct study *self, uint32_t trial);
void study_restored(struct study *self);

/*  What study_trial() gives lives until the next trial is made. */

/*  What to do next, while fewer than `concurrency` trials run. */
enum study_next {
    STUDY_START =
        1, /* *trial: start it (run, donor, checkpoint say how); its row is dirty: save it first */
    STUDY_WAIT, /* nothing before something else has ended, or reported */
    STUDY_ASK,  /* external search: a point for trial *trial is wanted: study_give_point() */
    STUDY_DONE  /* nothing will come any more: study_verdict() */
};
enum study_next study_next(struct study *self, uint32_t *trial, uint64_t now_ms);
MUST_CHECK int study_give_point(struct study *self, uint32_t trial, const double *x,
                                uint64_t now_ms, struct diag *why);
void study_no_point(struct study *self); /* the external search has no more */
void study_started(struct study *self, uint32_t trial, uint64_t task);

/*  A report; all of a task come before its end.  One that was seen before (same attempt and number, or a step at or below the trial's last) changes
    nothing and is answered as before, or with go on.  *why: for people, when it is not go on. */
enum decision study_report(struct study *self, const struct rec_report *report, uint64_t now_ms,
                           const char **why);

/*  Its task has ended. `failure`: 0, or FAILURE of states.def with `text`; a trial that was told to stop or pause and
    then failed is as if it had ended well. */
void study_ended(struct study *self, uint32_t trial, uint32_t failure, const char *text,
                 uint64_t now_ms);

/*  It left a checkpoint when it ended, in answer to a pause. */
void study_checkpointed(struct study *self, uint32_t trial, const char *checkpoint);

/*  No new trials; those that run may end.  `why` for people. */
void study_stop(struct study *self, const char *why, uint64_t now_ms);
/*  Time has passed: the time budget. True: the study stops now (running trials are to be ended by the driver). */
bool study_tick(struct study *self, uint64_t now_ms);
bool study_stopping(const struct study *self, const char **why);

/*  Can trials be made ahead of their time (search and scheduler need no history, and nothing can stop the study)? */
bool study_plain(const struct study *self);
/*  Does any report need an answer of ours (scheduler or stoppers decide)? */
bool study_decides(const struct study *self);

uint32_t study_count(const struct study *self);
const struct study_trial *study_trial(const struct study *self, uint32_t number);
uint32_t study_running(const struct study *self);
uint32_t study_best(const struct study *self); /* NONE: no trial has a value */
/*  Must the newest checkpoint of this trial be kept, as another one is to start from it? */
bool study_pins(const struct study *self, uint32_t trial);
/*  A row that is to be written; false: none. It borrows until the next call.  Rows come in the order in which they
    changed: write them all after each call above, and before a task is submitted, so that what is stored is what was
    true at one moment. */
bool study_dirty(struct study *self, struct rec_trial *row);
enum study_state study_verdict(const struct study *self, const char **why);
#endif
