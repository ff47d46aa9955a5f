/*  study_stops.c - the stoppers (stop.h), asked at the places of a study where they have to be. */
#include <jansson.h>
#include <math.h>

#include "client/tune/study_inside.h"

static double find_number(const void *context, const char *metric)
{
    const json_t *value = json_object_get(context, metric);
    return json_is_number(value) ? json_number_value(value) : NAN;
}

const char *stop_reported(struct study *self, const struct rec_report *report)
{
    const struct study_spec *spec = self->spec;
    bool ended = self->slots[report->trial].over;
    if (spec->stop_count == 0 && !spec->has_goal) {
        return NULL;
    }
    json_t *object = NULL;
    if (spec->stop_count > 0 && !ended) {
        object = json_loadb((const char *)report->metrics.p, report->metrics.n, 0, NULL);
    }
    struct stop_metrics metrics = { find_number, object };
    const char *why = stopper_reported(self->stopper, report->trial, report->value, &metrics);
    json_decref(object);
    return why;
}

void stop_check(struct study *self, uint64_t spent_ms)
{
    bool at_once = false;
    const char *why = stopper_study(self->stopper, 0, spent_ms, &at_once);
    if (why) {
        study_halt(self, at_once ? HALT_NOW : HALT_SOFT, why);
    }
}

void stop_ended(struct study *self, const struct study_trial *trial)
{
    stopper_ended(self->stopper, trial->base.number, trial->value,
                  trial->base.state == TRIAL_ERROR);
    stop_check(self, 0);
}
