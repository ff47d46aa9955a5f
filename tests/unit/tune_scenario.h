/*  tune_scenario.h - golden files of schedulers: each line is a call and, behind an arrow, its answer.

        # a comment
        scheduler type=asha promote=1 min=1 max=9 eta=3 brackets=1 seed=7
        param lr loguniform 1e-4 1 | uniform LOW HIGH | int LOW HIGH | choice N [if PARENT VALUE]
        constraint a + b <= 3
        add 0..8                            or `add 3 0.1 2`: a trial and its point
        report 0 step=1 value=0.5 resumable -> PAUSE
        report 0..8 step=1 value=1 slope=.1 -> PAUSE      (all of them, values 1 + .1 * number)
        end 0 failed                        or `end 0..8`
        next                                -> resume 3 | resume 3 from 1 0.12 4 | new | wait
        next 3                              -> resume 3, resume 4, resume 7
        give_up                             -> 4 | none
        pins 1                              -> yes | no

    Lines about stoppers: tune_scenario_stop.h.  A scenario is run as it is, then with the scheduler closed before
    each line and restored from what a database would have, and so with all ends given after all reports. */
#ifndef RAYC_TESTS_TUNE_SCENARIO_H
#define RAYC_TESTS_TUNE_SCENARIO_H
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include "tests/unit/tune_scenario_stop.h"
#include "common/err.h"

enum restoring { RESTORE_NEVER = 0, RESTORE_ALWAYS, RESTORE_ENDS_LAST };
enum { TRIALS_IN_SCENARIO = 1024, POINT_IN_SCENARIO = 8, CALLS_IN_SCENARIO = 4096 };

struct scenario_call {
    bool ended;
    uint32_t trial;
    double step, value;
    bool flag; /* resumable; failed */
};

struct scenario {
    const char *path;
    uint32_t line, answers, differences;
    enum restoring restoring;
    bool given_up; /* what give_up() closed is not restored */
    struct param params[POINT_IN_SCENARIO];
    struct condition conditions[POINT_IN_SCENARIO];
    double values[POINT_IN_SCENARIO];
    const struct expr *constraints[4];
    struct space space;
    struct arena *arena;
    struct scheduler_options options;
    uint64_t seed;
    struct scheduler scheduler;
    double x[TRIALS_IN_SCENARIO][POINT_IN_SCENARIO];
    bool ended[TRIALS_IN_SCENARIO], paused[TRIALS_IN_SCENARIO];
    double last[TRIALS_IN_SCENARIO];
    uint32_t count;
    struct scenario_call calls[CALLS_IN_SCENARIO];
    uint32_t call_count;
    struct stop_scenario stop;
};

static void scenario_open(struct scenario *self)
{
    struct diag why;
    if (scheduler_open(&self->scheduler, &self->options, &self->space, self->seed, &why) != OK) {
        printf("%s:%u: %s: %s\n", self->path, self->line, why.field, why.text);
        abort();
    }
}

static void scenario_options(struct scenario *self, struct words *words)
{
    struct scheduler_options *to = &self->options;
    const struct scheduler_type *type = scheduler_find(words_text(words, "type", ""));
    ensure(type != NULL);
    *to = scheduler_defaults(type->name);
    to->min = words_number(words, "min", to->min);
    to->max = words_number(words, "max", to->max);
    to->eta = words_number(words, "eta", to->eta);
    to->brackets = (uint32_t)words_number(words, "brackets", to->brackets);
    to->promote = words_number(words, "promote", to->promote) != 0;
    to->grace = words_number(words, "grace", to->grace);
    to->min_samples = (uint32_t)words_number(words, "min_samples", to->min_samples);
    to->interval = words_number(words, "interval", to->interval);
    to->quantile = words_number(words, "quantile", to->quantile);
    to->resample = words_number(words, "resample", to->resample);
    self->seed = (uint64_t)words_number(words, "seed", 0);
    if (self->scheduler.type) {
        scheduler_close(&self->scheduler);
    }
    self->count = self->call_count = 0;
    self->given_up = false;
    scenario_open(self);
}

static void scenario_param(struct scenario *self, struct words *words)
{
    uint32_t i = self->space.count;
    ensure(i < POINT_IN_SCENARIO && words->count >= 4);
    struct param *param = &self->params[i];
    *param = (struct param){ .name = arena_text(self->arena, slice_text(words->at[1])) };
    const char *kind = words->at[2];
    uint32_t next = 5;
    if (strcmp(kind, "choice") == 0) {
        param->kind = PARAM_CHOICE;
        param->option_count = (uint32_t)strtoul(words->at[3], NULL, 10);
        struct choice *options = arena_take(self->arena, param->option_count * sizeof(*options));
        for (uint32_t k = 0; k < param->option_count; k++) {
            options[k] = (struct choice){ OPTION_INT, k, "" };
        }
        param->options = options;
        next = 4;
    } else {
        param->kind = strcmp(kind, "int") == 0 ? PARAM_INT : PARAM_FLOAT;
        param->step = param->kind == PARAM_INT;
        param->scale = strcmp(kind, "loguniform") == 0 ? SCALE_LOG : SCALE_LINEAR;
        param->low = strtod(words->at[3], NULL);
        param->high = strtod(words->at[4], NULL);
    }
    if (words->count == next + 3) { /* if PARENT VALUE */
        self->values[i] = strtod(words->at[next + 2], NULL);
        uint32_t parent = space_find(&self->space, slice_text(words->at[next + 1]));
        self->conditions[i] = (struct condition){ parent, 1, &self->values[i] };
        param->when = &self->conditions[i];
        param->when_count = 1;
    }
    self->space =
        (struct space){ self->params, i + 1, self->constraints, self->space.constraint_count };
}

static void scenario_constraint(struct scenario *self, const char *text)
{
    struct diag why;
    uint32_t n = self->space.constraint_count;
    ensure(n < COUNT(self->constraints));
    ensure(expr_parse(self->arena, text, &self->space, self->space.count, &self->constraints[n],
                      &why) == OK);
    self->space.constraint_count = n + 1;
}

/* --- calls ------------------------------------------------------------------------------------ */

/*  "3" or "3..8". */
struct range {
    uint32_t first, last;
};

static struct range range_of(const struct words *words)
{
    ensure(words->count >= 2);
    const char *dots = strstr(words->at[1], "..");
    uint32_t first = (uint32_t)strtoul(words->at[1], NULL, 10);
    uint32_t last = dots ? (uint32_t)strtoul(dots + 2, NULL, 10) : first;
    ensure(first <= last && last < TRIALS_IN_SCENARIO);
    return (struct range){ first, last };
}

static void scenario_add(struct scenario *self, const struct words *words)
{
    struct range range = range_of(words);
    ensure(range.first == self->count);
    for (uint32_t trial = range.first; trial <= range.last; trial++) {
        double *x = self->x[trial];
        for (uint32_t i = 0; i < self->space.count; i++) {
            x[i] = i + 2 < words->count ? strtod(words->at[i + 2], NULL) : (double)NAN;
        }
        self->ended[trial] = self->paused[trial] = false;
        self->last[trial] = 0;
        self->count++;
        self->scheduler.type->added(&self->scheduler, trial, x);
    }
}

static void remember(struct scenario *self, struct scenario_call call)
{
    ensure(call.trial < self->count && self->call_count < CALLS_IN_SCENARIO);
    self->calls[self->call_count++] = call;
}

static const char *scenario_report(struct scenario *self, const struct words *words)
{
    static const char *const names[] = { "GO_ON", "STOP", "PAUSE" };
    const char *all = NULL;
    struct range range = range_of(words);
    for (uint32_t trial = range.first; trial <= range.last; trial++) {
        struct scenario_call call = { .trial = trial,
                                      .step = words_number(words, "step", 0),
                                      .value = words_number(words, "value", NAN) +
                                               trial * words_number(words, "slope", 0),
                                      .flag = words_has(words, "resumable") };
        remember(self, call);
        enum decision answer = self->scheduler.type->reported(&self->scheduler, trial, call.step,
                                                              call.value, call.flag);
        if (call.step > self->last[trial]) {
            self->last[trial] = call.step;
            self->paused[trial] = answer == DECISION_PAUSE;
        }
        all = !all || all == names[answer] ? names[answer] : "(not all the same)";
    }
    return all;
}

static void scenario_end(struct scenario *self, const struct words *words)
{
    struct range range = range_of(words);
    for (uint32_t trial = range.first; trial <= range.last; trial++) {
        bool failed = words_has(words, "failed");
        remember(self, (struct scenario_call){ .ended = true, .trial = trial, .flag = failed });
        self->ended[trial] = true;
        self->scheduler.type->ended(&self->scheduler, trial, failed);
    }
}

/*  As a study does it: first what is to be resumed, then a new trial. */
static void next_once(struct scenario *self, char *out, size_t capacity)
{
    struct resumption it;
    if (!self->scheduler.type->resume(&self->scheduler, &it)) {
        bool wants =
            !self->scheduler.type->wants_new || self->scheduler.type->wants_new(&self->scheduler);
        (void)snprintf(out, capacity, "%s", wants ? "new" : "wait");
        return;
    }
    self->paused[it.trial] = false;
    int n = snprintf(out, capacity, "resume %u", it.trial);
    if (it.donor != NONE) {
        n += snprintf(out + n, capacity - (size_t)n, " from %u", it.donor);
        self->last[it.trial] = 0; /* it goes on from the donor's step */
    }
    for (uint32_t i = 0; it.x && i < self->space.count; i++) {
        self->x[it.trial][i] = it.x[i];
        n += snprintf(out + n, capacity - (size_t)n, " %.6g", it.x[i]);
    }
}

static void scenario_next(struct scenario *self, const struct words *words, char *out,
                          size_t capacity)
{
    uint32_t times = words->count > 1 ? (uint32_t)strtoul(words->at[1], NULL, 10) : 1;
    size_t used = 0;
    for (uint32_t i = 0; i < times; i++) {
        used += (size_t)snprintf(out + used, capacity - used, i > 0 ? ", " : "");
        next_once(self, out + used, capacity - used);
        used += strlen(out + used);
    }
}

static void scenario_give_up(struct scenario *self, char *out, size_t capacity)
{
    uint32_t trial = 0;
    bool found =
        self->scheduler.type->give_up && self->scheduler.type->give_up(&self->scheduler, &trial);
    self->given_up = true;
    (void)snprintf(out, capacity, found ? "%u" : "none", trial);
}

/* --- restoring -------------------------------------------------------------------------------- */

static void again(struct scenario *self, bool ends)
{
    for (uint32_t i = 0; i < self->call_count; i++) {
        const struct scenario_call *call = &self->calls[i];
        if (call->ended && ends) {
            self->scheduler.type->ended(&self->scheduler, call->trial, call->flag);
        }
        if (!call->ended && !(ends && self->restoring == RESTORE_ENDS_LAST)) {
            (void)self->scheduler.type->reported(&self->scheduler, call->trial, call->step,
                                                 call->value, call->flag);
        }
    }
}

static void scenario_restore(struct scenario *self)
{
    const struct scheduler_type *type = self->scheduler.type;
    scheduler_close(&self->scheduler);
    scenario_open(self);
    for (uint32_t i = 0; i < self->count; i++) {
        type->added(&self->scheduler, i, self->x[i]);
    }
    if (self->restoring == RESTORE_ENDS_LAST) {
        again(self, false);
    }
    again(self, true);
    for (uint32_t i = 0; i < self->count && type->restored; i++) {
        if (!self->ended[i]) {
            type->restored(&self->scheduler, i, self->paused[i], self->x[i]);
        }
    }
}

/* --- lines ------------------------------------------------------------------------------------ */

static void scenario_do(struct scenario *self, struct words *words, const char *line, char *out,
                        size_t capacity)
{
    const char *verb = words->at[0];
    if (strcmp(verb, "scheduler") == 0) {
        scenario_options(self, words);
    } else if (strcmp(verb, "param") == 0) {
        scenario_param(self, words);
    } else if (strcmp(verb, "constraint") == 0) {
        scenario_constraint(self, line + strlen("constraint "));
    } else if (strcmp(verb, "add") == 0) {
        scenario_add(self, words);
    } else if (strcmp(verb, "report") == 0) {
        (void)snprintf(out, capacity, "%s", scenario_report(self, words));
    } else if (strcmp(verb, "end") == 0) {
        scenario_end(self, words);
    } else if (strcmp(verb, "next") == 0) {
        scenario_next(self, words, out, capacity);
    } else if (strcmp(verb, "give_up") == 0) {
        scenario_give_up(self, out, capacity);
    } else if (strcmp(verb, "pins") == 0) {
        bool pins = scheduler_pins(&self->scheduler, range_of(words).first);
        (void)snprintf(out, capacity, "%s", pins ? "yes" : "no");
    } else if (!stop_scenario_do(&self->stop, words, line, out, capacity)) {
        (void)snprintf(out, capacity, "(unknown line)");
    }
}

static void scenario_line(struct scenario *self, char *line)
{
    line[strcspn(line, "#\n")] = 0;
    char *arrow = strstr(line, "->");
    char *wanted = arrow ? text_trim(arrow + 2) : NULL;
    if (arrow) {
        *arrow = 0;
    }
    line = text_trim(line);
    struct words words;
    words_split(&words, line);
    if (words.count == 0) {
        return;
    }
    if (self->restoring != RESTORE_NEVER && self->scheduler.type && !self->given_up) {
        scenario_restore(self);
    }
    char out[1024] = "";
    scenario_do(self, &words, line, out, sizeof(out));
    self->answers += wanted != NULL;
    if (strcmp(out, wanted ? wanted : "") != 0) {
        printf("%s:%u: %s -> %s, not %s%s\n", self->path, self->line, line, out,
               wanted ? wanted : "nothing",
               self->restoring == RESTORE_NEVER    ? ""
               : self->restoring == RESTORE_ALWAYS ? " (restored before each line)"
                                                   : " (restored, ends last)");
        self->differences++;
    }
}

/*  How many answers differed, each printed; -1: the file cannot be read or has no answers. */
static int scenario_run(const char *path, enum restoring restoring)
{
    FILE *file = fopen(path, "r");
    if (!file) {
        return -1;
    }
    struct scenario *self = calloc(1, sizeof(*self));
    ensure(self != NULL);
    self->path = path;
    self->restoring = restoring;
    self->arena = arena_new();
    char line[1024];
    while (fgets(line, sizeof(line), file)) {
        self->line++;
        scenario_line(self, line);
    }
    fclose(file);
    int differences = self->answers > 0 ? (int)self->differences : -1;
    scheduler_close(&self->scheduler);
    stopper_destroy(&self->stop.stopper);
    arena_destroy(&self->arena);
    free(self);
    return differences;
}
#endif
