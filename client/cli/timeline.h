/*  timeline.h - attempts as a trace of Chrome's (chrome://tracing, ui.perfetto.dev): a process per node, a thread per
    slot.  It makes JSON of rows, and reads nothing. */
#ifndef RAYC_CLI_TIMELINE_H
#define RAYC_CLI_TIMELINE_H
#include <jansson.h>
#include "common/base.h"

struct timeline {
    json_t *tasks; /* task id: its row */
    json_t *nodes; /* node id: its name */
    struct span *spans;
    size_t count, room;
    uint64_t now_ms; /* the end of what has not ended */
};

void timeline_init(struct timeline *self, uint64_t now_ms);
void timeline_fini(struct timeline *self);
/*  Rows of the views nodes, tasks, attempts, in this order; they are the caller's. */
bool timeline_node(void *self, json_t *row);
bool timeline_task(void *self, json_t *row);
bool timeline_attempt(void *self, json_t *row);
/*  {"traceEvents": [...]}; the caller frees it. */
json_t *timeline_json(struct timeline *self);
#endif
