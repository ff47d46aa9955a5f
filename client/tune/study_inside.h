/*  study_inside.h - what the parts of study.c share.

    study.c decides what runs next and what an end means; study_trials.c has the table of trials; study_report.c folds reports; study_rows.c reads and writes
    rows; study_journal.c keeps the order of a trial's starts and ends; study_points.c makes points.

    The order of events.  A scheduler is a fold over its calls, so a restored study must make the same calls in the same
    order.  Reports have it (their id).  What the driver does by itself, adding, resuming and ending a trial, is
    written into the trial's journal (the row's `lineage`) as [seq, after]: seq counts these events 1, 2, 3, after is the
    id of the last report that was folded before.  Restoring folds, before the report of id R, all events with after < R
    in order of seq.  A study whose scheduler decides nothing has no journal. */
#ifndef RAYC_TUNE_STUDY_INSIDE_H
#define RAYC_TUNE_STUDY_INSIDE_H
#include "client/tune/study.h"

struct slot {
    struct study_trial row;
    const double *first_x;  /* as the scheduler got it; PBT changes row.base.x */
    enum decision decision; /* on its last report; GO_ON again when it is resumed */
    double checkpoint_step; /* of its newest checkpoint */
    uint64_t reporter;      /* task of its last report that counted */
    uint64_t muted;         /* task that was told to pause before the trial was resumed; 0: none */
    double counted;         /* of a row that is final: step of the last report that was counted */
    bool measured;          /* a report had the metric, finite or not */
    bool whole;             /* the scheduler stopped it at its full resource: not pruned */
    bool over;              /* folded as ended: nothing changes it any more */
    bool finished;          /* restored: its newest task had ended well */
    bool resumed; /* it is to go on again when its old task has ended, or the study is restored */
};

/*  Numbers of trials, first in first out. */
struct queue {
    uint32_t *items;
    uint32_t first, count, capacity; /* capacity: a power of two, or 0 */
};

enum event_kind { EVENT_ADDED = 0, EVENT_RESUMED, EVENT_ENDED };
struct event {
    uint64_t seq, after;
    uint32_t trial;
    uint32_t donor; /* of RESUMED */
    bool gave_up;   /* give_up() was called just before */
    enum event_kind kind;
};

enum halt {
    HALT_NONE = 0,
    HALT_SOFT, /* no new trials and no promotions; what runs may end */
    HALT_NOW,  /* what runs is told to stop when it reports, and ended by the driver */
    HALT_USER  /* as SOFT, but what has not ended may go on when the study is resumed */
};

struct study {
    const struct study_spec *spec;
    uint64_t seed;
    struct search search;
    struct scheduler scheduler;
    struct stopper *stopper;
    struct arena *arena; /* points, params */
    struct slot *slots;
    struct trial *seen; /* slots' bases, as algorithms see them */
    uint32_t count, capacity;
    uint32_t *ended; /* history.ended */
    uint32_t ended_count, ended_capacity;
    uint64_t ended_last; /* trial.ended of the newest end */
    struct queue pending, dirty;
    uint32_t running, paused;
    uint32_t added;          /* trials that the scheduler knows: the first ones */
    uint32_t ran, succeeded; /* that ended, of those that were not given; well */

    uint32_t best;
    double best_value;
    bool restoring; /* rows are read: nothing is to be written */
    bool gave_up;   /* the next event comes from give_up() */
    bool decides;   /* the scheduler does */
    bool no_more;   /* no new trials: the space, or the external search, has none */
    char no_more_why[160];
    bool failed;       /* nothing could be suggested at all */
    char failure[256]; /* of the first trial that failed */
    enum halt halt;
    char halt_why[160];
    uint64_t seq, after;        /* of the newest event; highest id of a report */
    uint64_t elapsed_ms;        /* before this driver */
    uint64_t first_ms, last_ms; /* of restored rows */
    uint64_t opened_ms;         /* this driver began; 0: not yet */
    struct event *events;       /* restored, not yet folded from `event_next` on */
    uint32_t event_count, event_capacity, event_next;
    bool events_sorted;
    uint8_t *point_bytes; /* of study_dirty() */
    double x[PARAMS_MAX];
};

/* --- study_trials.c --- */
void queue_put(struct queue *self, uint32_t item);
bool queue_take(struct queue *self, uint32_t *item);
void *array_grow(void *array, uint32_t *capacity, uint32_t wanted, size_t item_bytes);
/*  A text of a row: freed and replaced; an empty one is NULL. */
void row_text(char **to, struct slice text);
/*  A trial at the end of the table, with a copy of x; it has no params yet. */
struct slot *slot_new(struct study *self, const double *x);
struct slot *slot_made(struct study *self,
                       uint64_t now_ms);                 /* with the point self->x, and params */
void slot_params(struct study *self, struct slot *slot); /* its point for people */
/*  The row has changed: history and study_dirty() are to know. */
void slot_changed(struct study *self, struct slot *slot);
const double *point_copy(struct study *self, const double *x);
void study_best_changed(struct study *self, uint32_t number);
/*  It goes on from the checkpoint of another trial: its steps count from there. */
void slot_take_donor(struct study *self, struct slot *slot, uint32_t donor);
void study_halt(struct study *self, enum halt halt, const char *why);
/*  Ends a trial: its row, the order of ends, the scheduler, the stoppers. */
void trial_end(struct study *self, struct slot *slot, enum trial_state state, uint64_t now_ms);
void trial_end_well(struct study *self, struct slot *slot, uint64_t now_ms); /* if it has a value */
void fold_added(struct study *self, const struct slot *slot);
void fold_ended(struct study *self, struct slot *slot);

/* --- study_report.c --- */
enum decision fold_report(struct study *self, const struct rec_report *report);
double study_cost(const struct study *self, double value); /* as history has it */

/* --- study_stops.c --- */
const char *stop_reported(struct study *self, const struct rec_report *report); /* NULL, or why */
void stop_ended(struct study *self, const struct study_trial *trial);
void stop_check(struct study *self, uint64_t spent_ms); /* 0: the time does not matter here */

/* --- study_journal.c --- */
void journal_added(struct study *self, struct slot *slot);
/*  `old`: its point until now, or NULL if it stays. */
void journal_resumed(struct study *self, struct slot *slot, uint32_t donor, const double *old);
void journal_ended(struct study *self, struct slot *slot);
/*  Takes the events of a restored row; `first`: the point that it was added with, unless that is its point still. */
void journal_read(struct study *self, uint32_t trial, struct slice lineage, double *first);

/* --- study_points.c --- */
/*  The point of a trial that the user wants first, drawn where the user left it open. */
enum search_answer point_of_user(struct study *self, const struct point *point, double *x);
enum search_answer point_of_init(struct study *self, double *x);
bool study_has_init(const struct study *self);
#endif
