/*  stop.h - stoppers: rules that end a trial (stop.trial of search.yaml) or the study (goal, stop.study, trials,
    time_budget).

    A fold over reports and ends in the order in which they were committed: no clock, no I/O.  Values are as the user
    sees them, not negated.  A reason is a text for people; it lives until the next call. */
#ifndef RAYC_TUNE_STOP_H
#define RAYC_TUNE_STOP_H
#include "client/tune/spec.h"

struct stopper;

struct stop_options {
    const struct stop_rule *rules; /* borrowed while the stopper lives */
    uint32_t rule_count;
    bool maximize;
    bool has_goal;
    double goal;
    uint32_t no_improvement; /* 0: off */
    uint32_t trials_max;     /* 0: off */
    uint64_t time_budget_ms; /* 0: none */
};
struct stop_options stop_options(const struct study_spec *spec);

struct stopper *stopper_new(const struct stop_options *options);
void stopper_destroy(struct stopper **self);

/*  A report's metrics by name: NAN if it has none of that name. */
struct stop_metrics {
    double (*find)(const void *context, const char *metric);
    const void *context;
};
/*  A trial has reported; `value` is that of the study's metric (NAN: none), step is above that of its last report.
    Why it is to stop, or NULL. */
const char *stopper_reported(struct stopper *self, uint32_t trial, double value,
                             const struct stop_metrics *metrics);
/*  A trial has ended, stopped ones included; value: its last one, NAN: none. */
void stopper_ended(struct stopper *self, uint32_t trial, double value, bool failed);

/*  Why no new trial may be made, and (*at_once) those that run are to end now, too; or NULL.  made: trials so far;
    spent_ms: since the study began, the time when nobody drove it not counted. */
const char *stopper_study(struct stopper *self, uint32_t made, uint64_t spent_ms, bool *at_once);
/*  Can a report ever be answered with stop, or the study end before its trials are all made? */
bool stopper_decides(const struct stopper *self);
#endif
