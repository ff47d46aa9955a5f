/*  explained.c - one object of JSON, with one element of `nodes` per reason, or per copy. */
#include "proto/explained.h"

#include <inttypes.h>
#include <stdlib.h>

double reason_amount(const struct rec_reason *reason, uint64_t units)
{
    bool memory = slice_same(reason->resource, slice_text("memory"));
    return memory ? (double)units : (double)units / UNITS_PER_ONE;
}

static json_t *text_json(struct slice text)
{
    return json_stringn(text.p != NULL ? (const char *)text.p : "", text.n);
}

static json_t *reason_json(const struct rec_reason *reason)
{
    return json_pack("{s:I, s:o, s:o, s:f, s:f, s:f, s:b}", "node_id", (json_int_t)reason->node,
                     "name", text_json(reason->node_name), "resource", text_json(reason->resource),
                     "needed", reason_amount(reason, reason->needed), "available",
                     reason_amount(reason, reason->available), "total",
                     reason_amount(reason, reason->total), "draining", (int)reason->draining);
}

/*  What `other` is depends on the reason. */
static void add_other(json_t *object, const struct msg_explained *told)
{
    if (told->why == WHY_DEPENDENCY) {
        json_object_set_new(object, "waits_for", json_sprintf("%016" PRIx64, told->other));
    } else if (told->why == WHY_AFTER) {
        json_object_set_new(object, "after", json_sprintf("%08" PRIx64, told->other));
    } else {
        json_object_set_new(object, "ahead", json_integer((json_int_t)told->other));
    }
}

json_t *explained_json(const struct msg_explained *told)
{
    json_t *list = json_array();
    struct list nodes = told->nodes;
    struct rec_reason reason;
    while (next_reason(&nodes, &reason)) {
        json_array_append_new(list, reason_json(&reason));
    }
    json_t *state = told->state > 0 ? json_string(task_state_name(told->state)) : json_null();
    json_t *object =
        json_pack("{s:s, s:s, s:o, s:o, s:s, s:s, s:I, s:o}", "apiVersion", "rayc/v1", "kind",
                  "TaskExplain", "task_id", json_sprintf("%016" PRIx64, told->task), "state", state,
                  "why", why_name(told->why), "text", why_text(told->why), "wait_ms",
                  (json_int_t)told->wait_ms, "nodes", list);
    add_other(object, told);
    return object;
}

bool explained_ended(const json_t *explained)
{
    const char *why = json_string_value(json_object_get(explained, "why"));
    return why && strcmp(why, why_name(WHY_ENDED)) == 0;
}

void explained_add_end(json_t *explained, const json_t *row)
{
    json_t *state = json_object_get(row, "state");
    if (state != NULL) {
        json_object_set(explained, "state", state);
    }
}

bool object_of_row(const json_t *row, struct rec_object *out)
{
    const char *task = json_string_value(json_object_get(row, "task_id"));
    json_int_t index = json_integer_value(json_object_get(row, "index"));
    *out = (struct rec_object){ task ? strtoull(task, NULL, 16) : 0, (uint32_t)index };
    return task != NULL;
}

void object_add_places(json_t *row, const struct msg_places *told)
{
    static const char *const copies[] = { [COPY_GONE] = "GONE",
                                          [COPY_SECONDARY] = "SECONDARY",
                                          [COPY_PRIMARY] = "PRIMARY",
                                          [COPY_SPILLED] = "SPILLED" };
    json_t *nodes = json_array();
    struct list sources = told->sources;
    struct rec_source source = { 0 };
    struct rec_keeper keeper;
    if (next_source(&sources, &source)) {
        while (next_keeper(&source.places, &keeper)) {
            json_array_append_new(nodes, json_pack("{s:I, s:s}", "node_id", (json_int_t)keeper.node,
                                                   "copy", copies[keeper.how]));
        }
    }
    json_object_set_new(row, "nodes", nodes);
}
