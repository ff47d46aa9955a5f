/*  task_values.c - the large arguments of a task, which are in the object store of its node. */
#include <stdlib.h>
#include "client/node_values.h"
#include "client/task.h"

enum { MAPPED_FIRST = 16 };

bool task_map(struct rayc_task *self, struct slice *value, bool *stored)
{
    struct task_mapped *mapped = &self->mapped;
    struct stored id;
    *stored = stored_get(*value, &id);
    if (!*stored) {
        return true;
    }
    if (mapped->count == mapped->capacity) {
        mapped->capacity = mapped->capacity == 0 ? MAPPED_FIRST : mapped->capacity * 2;
        mapped->ids = realloc(mapped->ids, mapped->capacity * sizeof(*mapped->ids));
        ensure(mapped->ids != NULL);
    }
    if (node_values_view(&id, VIEWER_TASK, UINT64_MAX, value) != RAYC_OK) {
        task_mistake(self, OUTCOME_OBJECT_LOST, 0, "task %.*s: argument %zu: %s",
                     (int)self->run.name.n, (const char *)self->run.name.p, self->count,
                     rayc_error()->text);
        return false;
    }
    mapped->ids[mapped->count++] = id;
    return true;
}

void task_unmap(struct rayc_task *self)
{
    while (self->mapped.count > 0) {
        node_values_release(&self->mapped.ids[--self->mapped.count], VIEWER_TASK);
    }
}
