/*  study_report.c - folds one report: what it changes, and what its trial is told.

    The fold depends on the order of reports and on nothing else that a row does not tell, so that a restored study
    gives the same answers.  A report that is known, or of a run that was told to end, changes nothing. */
#include <math.h>
#include <stdlib.h>

#include "client/tune/study_inside.h"
#include "common/text.h"

enum { STOP_TEXT = 256 };

double study_cost(const struct study *self, double value)
{
    return self->spec->maximize ? -value : value;
}

/*  Is the metric named in this JSON object?  Only asked when its value is NaN: then it was not a number, or is not
    there.  Names of metrics need no escapes. */
static bool has_metric(struct slice metrics, const char *name)
{
    size_t n = strlen(name);
    for (size_t i = 1; i + n + 1 < metrics.n; i++) {
        if (metrics.p[i - 1] == '"' && memcmp(metrics.p + i, name, n) == 0 &&
            metrics.p[i + n] == '"' && (i == 1 || metrics.p[i - 2] != '\\')) {
            return true;
        }
    }
    return false;
}

static void text_number(struct text *self, double value)
{
    char number[40];
    (void)number_print(value, number, sizeof(number));
    text_add(self, number);
}

static void say_why(struct study *self, struct slot *slot, enum decision decision, const char *why)
{
    char line[STOP_TEXT + 128];
    struct text text = text_in(line, sizeof(line));
    if (*why) {
        text_add(&text, why);
    } else if (slot->whole) {
        text_add(&text, "it has run in full");
    } else {
        text_add(&text, self->scheduler.type->name);
        text_add(&text, decision == DECISION_STOP ? " stopped it" : " paused it");
    }
    const char *resource = self->spec->scheduler.resource;
    text_add(&text, ", at ");
    text_add(&text, resource ? resource : "step");
    text_add(&text, " ");
    text_number(&text, slot->row.base.step);
    row_text(&slot->row.text, slice_text(line));
}

static void keep(struct study *self, struct slot *slot, const struct rec_report *report)
{
    struct study_trial *row = &slot->row;
    row->base.step = report->step;
    row->reports++;
    row_text(&row->metrics, report->metrics);
    if (report->checkpoint.n > 0) {
        row_text(&row->checkpoint, report->checkpoint);
        row->donor = NONE;
        row->checkpoint_step = report->step;
        if (slot->stored && slice_same(slice_text(slot->stored), report->checkpoint)) {
            row_text(&slot->stored, slice_text(NULL));
        }
    }
    slot->reporter = report->task;
    if (!isnan(report->value) || has_metric(report->metrics, self->spec->metric)) {
        slot->measured = true;
        row->value = isfinite(report->value) ? report->value : NAN;
        row->base.value = study_cost(self, row->value);
    }
}

/*  What the trial is told, by the scheduler, then by rules, then because the study stops. */
static enum decision decide(struct study *self, struct slot *slot, const struct rec_report *report,
                            char *why)
{
    const struct trial *trial = &slot->row.base;
    enum decision decision = DECISION_GO_ON;
    bool counts = !isnan(report->value) || has_metric(report->metrics, self->spec->metric);
    if (self->decides && counts) {
        double cost = isnan(trial->value) ? INFINITY : trial->value;
        fold_added(self, slot);
        decision = self->scheduler.type->reported(&self->scheduler, trial->number, trial->step,
                                                  cost, report->checkpoint.n > 0);
        double max = self->spec->scheduler.max;
        slot->whole = decision == DECISION_STOP && max > 0 && trial->step >= max;
    }
    const char *rule = stop_reported(self, report);
    if (rule) {
        (void)slice_copy_text(slice_text(rule), why, STOP_TEXT);
        decision = DECISION_STOP;
    }
    stop_check(self, 0);
    if (self->halt == HALT_NOW) {
        (void)slice_copy_text(slice_text(self->halt_why), why, STOP_TEXT);
        decision = DECISION_STOP;
    }
    return decision;
}

enum decision fold_report(struct study *self, const struct rec_report *report)
{
    struct slot *slot = &self->slots[report->trial];
    struct study_trial *row = &slot->row;
    if (report->id > self->after) {
        self->after = report->id;
    }
    bool known = row->reports > 0 && !(report->step > row->base.step);
    bool again = known && report->step == row->base.step;
    if (slot->decision == DECISION_STOP || slot->over) {
        return again ? slot->decision : DECISION_STOP;
    }
    if (slot->muted != 0 && report->task == slot->muted) {
        return DECISION_PAUSE; /* the trial goes on in another run */
    }
    if (slot->decision == DECISION_PAUSE || known || !isfinite(report->step)) {
        return again || slot->decision == DECISION_PAUSE ? slot->decision : DECISION_GO_ON;
    }
    char why[STOP_TEXT] = "";
    keep(self, slot, report);
    slot->decision = decide(self, slot, report, why);
    bool final = self->restoring && row->base.ended > 0; /* then its row has the last word */
    if (slot->decision != DECISION_GO_ON && !final) {
        say_why(self, slot, slot->decision, why);
    }
    slot_changed(self, slot);
    study_best_changed(self, report->trial);
    return slot->decision;
}

enum decision study_report(struct study *self, const struct rec_report *report, uint64_t now_ms,
                           const char **why)
{
    (void)now_ms;
    *why = NULL;
    if (report->trial >= self->count) {
        *why = "the study has no such trial";
        return DECISION_STOP;
    }
    enum decision decision = fold_report(self, report);
    if (decision != DECISION_GO_ON) {
        const char *text = self->slots[report->trial].row.text;
        *why = text ? text : "the trial has ended";
    }
    return decision;
}
