/*  result_json.c - `-o json`: {study, best, trials[]}. */
#include "client/tune/result.h"

#include <math.h>

#include "client/tune/result_print.h"

static json_t *text_or_null(struct slice text)
{
    return text.n > 0 ? json_stringn((const char *)text.p, text.n) : json_null();
}

static json_t *object_of(struct slice text)
{
    json_t *object = json_read(text);
    return object ? object : json_null();
}

static json_t *number_of(uint64_t value)
{
    return value <= INT64_MAX ? json_integer((json_int_t)value) : json_real((double)value);
}

static json_t *number_or_null(double value)
{
    return isfinite(value) ? json_real(value) : json_null();
}

static void put_task(json_t *to, uint64_t task)
{
    char id[17];
    snprintf(id, sizeof(id), "%016llx", (unsigned long long)task);
    json_object_set_new(to, "task_id", task ? json_string(id) : json_null());
}

json_t *result_trial_json(const struct rec_trial *trial)
{
    json_t *out = json_object();
    json_object_set_new(out, "trial", json_integer(trial->number));
    json_object_set_new(out, "state", json_string(trial_state_name(trial->state)));
    json_object_set_new(out, "pruned", json_boolean(trial->pruned));
    json_object_set_new(out, "value", number_or_null(trial->value));
    json_object_set_new(out, "step", trial->step > 0 ? number_or_null(trial->step) : json_null());
    json_object_set_new(out, "params", object_of(trial->params));
    json_object_set_new(out, "metrics", object_of(trial->metrics));
    json_object_set_new(out, "runs", json_integer(trial->run));
    json_object_set_new(out, "ended_order",
                        trial->ended ? json_integer((json_int_t)trial->ended) : json_null());
    json_object_set_new(out, "created_ms", json_integer((json_int_t)trial->created_ms));
    json_object_set_new(out, "ended_ms",
                        trial->ended_ms ? json_integer((json_int_t)trial->ended_ms) : json_null());
    json_object_set_new(out, "checkpoint", text_or_null(trial->checkpoint));
    json_object_set_new(out, "text", text_or_null(trial->text));
    json_object_set_new(out, "lineage", object_of(trial->lineage));
    put_task(out, trial->task);
    return out;
}

json_t *result_json(const struct study_rows *self)
{
    uint32_t best = rows_best(self);
    json_t *trials = json_array();
    for (uint32_t i = 0; i < self->trial_count; i++) {
        json_array_append_new(trials, result_trial_json(&self->trials[i]));
    }
    return json_pack(
        "{s:s, s:s, s:{s:s, s:I, s:s, s:s, s:s, s:o, s:s, s:i}, s:o, s:o}", "apiVersion", "rayc/v1",
        "kind", "Study", "study", "name", self->name, "study_id", (json_int_t)self->id, "state",
        study_state_name(self->state), "metric", self->spec->metric, "mode",
        self->spec->maximize ? "max" : "min", "seed", number_of(self->seed), "search",
        self->spec->search.algo, "trials", (int)self->trial_count, "best",
        best == NONE ? json_null() : result_trial_json(&self->trials[best]), "trials", trials);
}
