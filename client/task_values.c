/*  task_values.c - the large values of a task, which are in the object store of its node. */
#include <stdlib.h>
#include "client/failure.h"
#include "client/node_values.h"
#include "client/task.h"
#include "client/values.h"

enum { MAPPED_FIRST = 16 };

static int name_bytes(const struct rayc_task *self)
{
    return (int)self->run.name.n;
}

static const char *name_of(const struct rayc_task *self)
{
    return (const char *)self->run.name.p;
}

bool task_map(struct rayc_task *self, struct slice *value, bool *stored)
{
    struct task_values *large = &self->large;
    struct stored id;
    *stored = stored_get(*value, &id);
    if (!*stored) {
        return true;
    }
    if (large->count == large->capacity) {
        large->capacity = large->capacity == 0 ? MAPPED_FIRST : large->capacity * 2;
        large->mapped = realloc(large->mapped, large->capacity * sizeof(*large->mapped));
        ensure(large->mapped != NULL);
    }
    if (node_values_view(&id, VIEWER_TASK, value) != RAYC_OK) {
        task_mistake(self, OUTCOME_OBJECT_LOST, 0, "task %.*s: argument %zu: %s", name_bytes(self),
                     name_of(self), self->count, rayc_error()->text);
        return false;
    }
    large->mapped[large->count++] = id;
    return true;
}

void task_unmap(struct rayc_task *self)
{
    while (self->large.count > 0) {
        node_values_release(&self->large.mapped[--self->large.count], VIEWER_TASK);
    }
}

/*  A full store is a mistake; no store is not: the value may travel. */
bool task_keep(struct rayc_task *self, const rayc_value *value)
{
    if (value_size(value) == 0) {
        return false;
    }
    int rc = node_values_write(value, &self->large.kept);
    if (rc != RAYC_OK && rc != RAYC_ENOTFOUND) {
        task_mistake(self, OUTCOME_STORE_FULL, 0, "task %.*s: its result: %s", name_bytes(self),
                     name_of(self), rayc_error()->text);
    }
    return rc != RAYC_ENOTFOUND;
}

void task_drop_kept(struct rayc_task *self)
{
    local_store_abort(&self->large.kept);
    self->large.sealed.n = 0;
}

void task_seal(struct rayc_task *self)
{
    struct task_values *large = &self->large;
    struct stored stored = { .task = self->run.task, .size = large->kept.size };
    uint64_t node;
    if (large->kept.store == NULL) {
        return;
    }
    if (node_values_seal(&large->kept, stored.task, stored.index, &node) != RAYC_OK) {
        task_mistake(self, OUTCOME_STORE_FULL, 0, "task %.*s: its result: %s", name_bytes(self),
                     name_of(self), rayc_error()->text);
        return;
    }
    task_reserve(self, PLACEHOLDER_BYTES);
    stored_put(&self->result, &stored);
    large->sealed = (struct wire){ large->sealed_bytes, 0, sizeof(large->sealed_bytes), false };
    proto_put_record(&large->sealed, REC_SEALED, &(struct rec_sealed){ .size = stored.size });
    ensure(!self->result.full && !large->sealed.full);
}
