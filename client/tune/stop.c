/*  stop.c - stoppers of trials and of the study. */
#include "client/tune/stop.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "client/tune/scheduler_inside.h"

/*  The last values of one trial that a plateau rule looks at. */
struct window {
    double *values;
    uint32_t seen;
};

struct stop_trial {
    struct window *windows; /* one per rule; NULL before the first report */
};

struct stopper {
    struct stop_options options;
    struct stop_trial *trials;
    uint32_t trial_capacity;
    bool has_best; /* of ended trials, for no_improvement */
    double best;
    uint32_t in_vain;      /* trials that ended since then */
    uint32_t goal_trial;   /* that reached the goal first; NONE */
    double goal_value;
    char text[256];
};

struct stop_options stop_options(const struct study_spec *spec)
{
    return (struct stop_options){
        .rules = spec->stops,
        .rule_count = spec->stop_count,
        .maximize = spec->maximize,
        .has_goal = spec->has_goal,
        .goal = spec->goal,
        .no_improvement = spec->no_improvement,
        .trials_max = spec->trials_max,
        .time_budget_ms = spec->time_budget_ms,
    };
}

struct stopper *stopper_new(const struct stop_options *options)
{
    struct stopper *self = calloc(1, sizeof(*self));
    ensure(self != NULL);
    self->options = *options;
    self->goal_trial = NONE;
    return self;
}

static void windows_free(struct stopper *self, uint32_t trial)
{
    struct stop_trial *it = &self->trials[trial];
    for (uint32_t i = 0; it->windows && i < self->options.rule_count; i++) {
        free(it->windows[i].values);
    }
    free(it->windows);
    it->windows = NULL;
}

void stopper_destroy(struct stopper **self)
{
    if (!*self) {
        return;
    }
    for (uint32_t i = 0; i < (*self)->trial_capacity; i++) {
        windows_free(*self, i);
    }
    free((*self)->trials);
    free(*self);
    *self = NULL;
}

/* --- of a trial ------------------------------------------------------------------------------- */

/*  NAN fulfils nothing. */
static bool compared(const struct stop_rule *rule, double value)
{
    if (isnan(value)) {
        return false;
    }
    switch (rule->operator) {
    case LESS:
        return value < rule->number;
    case LESS_EQUAL:
        return value <= rule->number;
    case MORE:
        return value > rule->number;
    case MORE_EQUAL:
        return value >= rule->number;
    case EQUAL:
        return value == rule->number;
    }
    return false;
}

/*  The standard deviation of the last values, of the population as numpy.std() has it; INFINITY: one is not finite. */
static double deviation(const double *values, uint32_t count)
{
    double sum = 0;
    for (uint32_t i = 0; i < count; i++) {
        sum += values[i];
    }
    double mean = sum / count;
    double squares = 0;
    for (uint32_t i = 0; i < count; i++) {
        squares += (values[i] - mean) * (values[i] - mean);
    }
    return isfinite(squares) ? sqrt(squares / count) : (double)INFINITY;
}

static bool flat(const struct stop_rule *rule, struct window *window, double value, double *out)
{
    if (rule->count == 0) {
        return false;
    }
    if (!window->values) {
        window->values = calloc(rule->count, sizeof(double));
        ensure(window->values != NULL);
    }
    window->values[window->seen++ % rule->count] = value;
    *out = window->seen >= rule->count ? deviation(window->values, rule->count) : (double)INFINITY;
    return *out <= rule->number;
}

static struct window *window_of(struct stopper *self, uint32_t trial, uint32_t rule)
{
    self->trials = array_room(self->trials, &self->trial_capacity, trial, sizeof(*self->trials));
    struct stop_trial *it = &self->trials[trial];
    if (!it->windows) {
        it->windows = calloc(self->options.rule_count, sizeof(*it->windows));
        ensure(it->windows != NULL);
    }
    return &it->windows[rule];
}

static const char *say(struct stopper *self, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static const char *say(struct stopper *self, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(self->text, sizeof(self->text), format, arguments);
    va_end(arguments);
    return self->text;
}

static bool reaches_goal(const struct stopper *self, double value)
{
    return self->options.has_goal && (self->options.maximize ? value >= self->options.goal
                                                             : value <= self->options.goal);
}

const char *stopper_reported(struct stopper *self, uint32_t trial, double value,
                             const struct stop_metrics *metrics)
{
    if (self->goal_trial == NONE && reaches_goal(self, value)) {
        self->goal_trial = trial;
        self->goal_value = value;
    }
    const char *why = NULL;
    for (uint32_t i = 0; i < self->options.rule_count; i++) {
        const struct stop_rule *rule = &self->options.rules[i];
        double seen = metrics->find(metrics->context, rule->metric);
        double spread = 0;
        if (rule->kind == STOP_COMPARE) {
            if (compared(rule, seen) && !why) {
                why = say(self, "%.120s: %s is %.6g", rule->text, rule->metric, seen);
            }
        } else if (flat(rule, window_of(self, trial, i), seen, &spread) && !why) {
            why = say(self, "%.120s: the last %u values of %s spread by %.3g", rule->text,
                      rule->count, rule->metric, spread);
        }
    }
    return why;
}

/* --- of the study ----------------------------------------------------------------------------- */

void stopper_ended(struct stopper *self, uint32_t trial, double value, bool failed)
{
    if (trial < self->trial_capacity) {
        windows_free(self, trial);
    }
    bool better =
        !failed && isfinite(value) &&
        (!self->has_best || (self->options.maximize ? value > self->best : value < self->best));
    if (better) {
        self->has_best = true;
        self->best = value;
        self->in_vain = 0;
    } else {
        self->in_vain++;
    }
}

const char *stopper_study(struct stopper *self, uint32_t made, uint64_t spent_ms, bool *at_once)
{
    const struct stop_options *options = &self->options;
    *at_once = true;
    if (self->goal_trial != NONE) {
        return say(self, "trial %u reached the goal %.6g with %.6g", self->goal_trial,
                   options->goal, self->goal_value);
    }
    if (options->time_budget_ms > 0 && spent_ms >= options->time_budget_ms) {
        return say(self, "the time budget of %.6g s is spent",
                   (double)options->time_budget_ms / 1000);
    }
    *at_once = false;
    if (options->no_improvement > 0 && self->in_vain >= options->no_improvement) {
        return say(self, "%u trials in a row were not better than %.6g", self->in_vain,
                   self->has_best ? self->best : (double)NAN);
    }
    if (options->trials_max > 0 && made >= options->trials_max) {
        return say(self, "all %u trials were made", made);
    }
    return NULL;
}

bool stopper_decides(const struct stopper *self)
{
    return self->options.rule_count > 0 || self->options.has_goal ||
           self->options.no_improvement > 0;
}
