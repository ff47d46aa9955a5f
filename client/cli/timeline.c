/*  timeline.c - see timeline.h.  Rows do not say which slot an attempt had: a span gets the first thread of its node that
    is free when it begins, so that there are as many threads as ever ran at a time. */
#include "client/cli/timeline.h"

#include <inttypes.h>
#include <stdlib.h>

struct span { /* an attempt that has begun */
    uint64_t node, begin_us, end_us;
    json_t *event; /* its part of the trace */
};

void timeline_init(struct timeline *self, uint64_t now_ms)
{
    *self = (struct timeline){ .tasks = json_object(), .nodes = json_object(), .now_ms = now_ms };
}

void timeline_fini(struct timeline *self)
{
    for (size_t i = 0; i < self->count; i++) {
        json_decref(self->spans[i].event);
    }
    free(self->spans);
    json_decref(self->tasks);
    json_decref(self->nodes);
}

static uint64_t number_of(const json_t *row, const char *key)
{
    json_int_t value = json_integer_value(json_object_get(row, key));
    return value > 0 ? (uint64_t)value : 0;
}

static const char *text_of(const json_t *row, const char *key)
{
    const char *text = json_string_value(json_object_get(row, key));
    return text ? text : "";
}

bool timeline_node(void *context, json_t *row)
{
    struct timeline *self = context;
    char id[24];
    snprintf(id, sizeof(id), "%" PRIu64, number_of(row, "node_id"));
    json_object_set(self->nodes, id, json_object_get(row, "name"));
    return true;
}

/*  `row`: of an attempt, or of a task that runs. */
static void add_span(struct timeline *self, const json_t *task, const json_t *row, const char *end)
{
    uint64_t start_ms = number_of(row, "start_time_ms"), end_ms = number_of(row, "end_time_ms");
    uint64_t run_us = number_of(row, "run_us");
    if (start_ms == 0 || number_of(row, "node_id") == 0) {
        return; /* it never began */
    }
    if (self->count == self->room) {
        self->room = self->room ? self->room * 2 : 1024;
        self->spans = realloc(self->spans, self->room * sizeof(*self->spans));
        ensure(self->spans);
    }
    uint64_t until_ms = end_ms > 0 ? end_ms : self->now_ms;
    uint64_t length_us = run_us > 0            ? run_us
                         : until_ms > start_ms ? (until_ms - start_ms) * 1000
                                               : 0;
    struct span *span = &self->spans[self->count++];
    *span = (struct span){ .node = number_of(row, "node_id"),
                           .begin_us = start_ms * 1000,
                           .end_us = start_ms * 1000 + length_us };
    span->event = json_pack("{s:s, s:s, s:s, s:{s:s, s:s, s:I, s:s}}", "name",
                            text_of(task, "name"), "cat", "task", "ph", "X", "args", "task_id",
                            text_of(row, "task_id"), "job", text_of(task, "submission_id"),
                            "attempt", (json_int_t)number_of(row, "attempt"), "end", end);
}

bool timeline_task(void *context, json_t *row)
{
    struct timeline *self = context;
    json_t *kept = json_pack("{s:s, s:s}", "name", text_of(row, "name"), "submission_id",
                             text_of(row, "submission_id"));
    json_object_set_new(self->tasks, text_of(row, "task_id"), kept);
    if (strcmp(text_of(row, "state"), "RUNNING") == 0) {
        add_span(self, row, row, "RUNNING");
    }
    return true;
}

bool timeline_attempt(void *context, json_t *row)
{
    struct timeline *self = context;
    const json_t *task = json_object_get(self->tasks, text_of(row, "task_id"));
    if (task) {
        add_span(self, task, row, text_of(row, "outcome"));
    }
    return true;
}

static int by_node_and_begin(const void *left, const void *right)
{
    const struct span *a = left, *b = right;
    if (a->node != b->node) {
        return a->node < b->node ? -1 : 1;
    }
    return a->begin_us < b->begin_us ? -1 : a->begin_us > b->begin_us;
}

/*  "M": what a process or thread is called. */
static void add_name(json_t *events, const char *kind, uint64_t node, uint32_t slot, json_t *name)
{
    json_array_append_new(events, json_pack("{s:s, s:s, s:I, s:I, s:{s:o}}", "name", kind, "ph",
                                            "M", "pid", (json_int_t)node, "tid", (json_int_t)slot,
                                            "args", "name", name));
}

/*  When each thread of a node is free again. */
struct slots {
    uint64_t *ends_us;
    uint32_t count, room;
};

/*  The first thread that is free, from 1.  Starts are told in whole milliseconds: one that seems to begin while its
    predecessor still ran for less than that has followed it. */
static uint32_t slot_take(struct slots *self, struct span *span)
{
    uint32_t i = 0;
    while (i < self->count && self->ends_us[i] >= span->begin_us + 1000) {
        i++;
    }
    if (i == self->room) {
        self->room = self->room ? self->room * 2 : 64;
        self->ends_us = realloc(self->ends_us, self->room * sizeof(*self->ends_us));
        ensure(self->ends_us);
    }
    if (i < self->count && self->ends_us[i] > span->begin_us) {
        span->begin_us = self->ends_us[i];
    }
    span->end_us = span->end_us > span->begin_us ? span->end_us : span->begin_us;
    self->count += i == self->count;
    self->ends_us[i] = span->end_us;
    return i + 1;
}

static void put_number(json_t *event, const char *key, uint64_t value)
{
    json_object_set_new(event, key, json_integer((json_int_t)value));
}

static void add_process(json_t *events, uint64_t node, const json_t *nodes)
{
    char id[24];
    snprintf(id, sizeof(id), "%" PRIu64, node);
    const char *name = json_string_value(json_object_get(nodes, id));
    add_name(
        events, "process_name", node, 0,
        json_sprintf("node %s%s%s%s", id, name ? " (" : "", name ? name : "", name ? ")" : ""));
}

json_t *timeline_json(struct timeline *self)
{
    json_t *events = json_array();
    struct slots slots = { .count = 0 };
    uint64_t node = 0;
    if (self->count > 0) {
        qsort(self->spans, self->count, sizeof(*self->spans), by_node_and_begin);
    }
    for (size_t i = 0; i < self->count; i++) {
        struct span *span = &self->spans[i];
        if (span->node != node) {
            node = span->node;
            slots.count = 0;
            add_process(events, node, self->nodes);
        }
        uint32_t before = slots.count, slot = slot_take(&slots, span);
        if (slots.count > before) {
            add_name(events, "thread_name", node, slot, json_sprintf("slot %u", slot));
        }
        put_number(span->event, "ts", span->begin_us);
        put_number(span->event, "dur", span->end_us - span->begin_us);
        put_number(span->event, "pid", node);
        put_number(span->event, "tid", slot);
        json_array_append(events, span->event);
    }
    free(slots.ends_us);
    return json_pack("{s:o, s:s}", "traceEvents", events, "displayTimeUnit", "ms");
}
