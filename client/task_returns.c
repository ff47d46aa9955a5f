/*  task_returns.c - what a task returns: one value, or several; large ones go to the object store of its node, each by
    itself. */
#include <stdlib.h>
#include "client/failure.h"
#include "client/nested.h"
#include "client/node_values.h"
#include "client/task.h"
#include "client/values.h"

enum { BYTES_FIRST = 4096 };

static int name_bytes(const struct rayc_task *self)
{
    return (int)self->run.name.n;
}

static const char *name_of(const struct rayc_task *self)
{
    return (const char *)self->run.name.p;
}

static uint32_t count_of(const struct rayc_task *self)
{
    return self->run.returns > 1 ? self->run.returns : 1;
}

static struct slice bytes_of(const struct returned *value)
{
    return value->kept.store != NULL ? slice_of(value->kept.bytes, value->kept.size)
                                     : slice_of(value->bytes.p, value->bytes.n);
}

/*  It was never set, or is set anew. */
static void clear(struct returned *value)
{
    value->bytes.n = 0;
    local_store_abort(&value->kept);
}

void returns_begin(struct rayc_task *self)
{
    uint32_t count = count_of(self);
    if (count > self->returned_count) {
        struct returned *values = realloc(self->returned, count * sizeof(*values));
        ensure(values != NULL);
        memset(values + self->returned_count, 0, (count - self->returned_count) * sizeof(*values));
        self->returned = values;
        self->returned_count = count;
    }
    for (uint32_t i = 0; i < self->returned_count; i++) {
        clear(&self->returned[i]);
    }
    self->result = (struct slice){ 0 };
    sealing_begin(&self->sealing);
}

void returns_fini(struct rayc_task *self)
{
    for (uint32_t i = 0; i < self->returned_count; i++) {
        clear(&self->returned[i]);
        free(self->returned[i].bytes.p);
    }
    free(self->returned);
    free(self->joined.p);
    sealing_fini(&self->sealing);
}

static void reserve(struct wire *to, size_t bytes)
{
    if (bytes > to->capacity) {
        size_t capacity = bytes < BYTES_FIRST ? BYTES_FIRST : bytes;
        uint8_t *p = realloc(to->p, capacity);
        ensure(p != NULL);
        to->p = p;
        to->capacity = capacity;
    }
}

/* --- one value -------------------------------------------------------------------------------- */

/*  False: it is a mistake. */
static bool can_be_sent(struct rayc_task *self, const rayc_arg *arg, const char *what)
{
    const char *why = NULL;
    if (arg->ref.job != 0 || arg->ref.number != 0) {
        task_mistake(self, OUTCOME_APP_ERROR, RAYC_EINVALID,
                     "task %.*s: %s is what a reference stands for, which is not possible: use "
                     "rayc_nested()",
                     name_bytes(self), name_of(self), what);
        return false;
    }
    if (value_check(&arg->value, &why) != RAYC_OK) {
        task_mistake(self, OUTCOME_APP_ERROR, RAYC_EINVALID, "task %.*s: %s %s", name_bytes(self),
                     name_of(self), what, why);
        return false;
    }
    return true;
}

static void encode(struct rayc_task *self, struct wire *to, const rayc_value *value,
                   const char *what)
{
    size_t bytes = value_bound(value);
    if (bytes > PAYLOAD_MAX) {
        task_mistake(self, OUTCOME_TOO_LARGE, 0, "task %.*s: %s has %zu bytes, the limit is %d",
                     name_bytes(self), name_of(self), what, bytes, PAYLOAD_MAX);
        return;
    }
    reserve(to, bytes);
    value_put(to, value);
    ensure(!to->full);
}

static void store_full(struct rayc_task *self)
{
    task_mistake(self, OUTCOME_STORE_FULL, 0, "task %.*s: its result: %s", name_bytes(self),
                 name_of(self), rayc_error()->text);
}

/*  False: it is not large enough for the store of the node, or there is none: it may travel.  A full store is a mistake. */
static bool keep(struct rayc_task *self, struct returned *to, const rayc_value *value)
{
    if (value_size(value) == 0) {
        return false;
    }
    int rc = node_values_write(value, &to->kept);
    if (rc != RAYC_OK && rc != RAYC_ENOTFOUND) {
        store_full(self);
    }
    return rc != RAYC_ENOTFOUND;
}

/*  Where the value goes, which is set anew; NULL: it is a mistake. */
static struct returned *place_of(struct rayc_task *self, size_t index)
{
    uint32_t count = count_of(self);
    if (index >= count) {
        task_mistake(self, OUTCOME_APP_ERROR, RAYC_EINVALID,
                     "task %.*s: it returns %u value%s, and value %zu was set: they count from 0",
                     name_bytes(self), name_of(self), count, count > 1 ? "s" : "", index);
        return NULL;
    }
    clear(&self->returned[index]);
    return &self->returned[index];
}

/*  What is inside may be dropped now: the task holds it until the head has what it returns and saves. */
static void hold_inside(const struct rayc_task *self, struct slice value)
{
    struct session *session = nested_current();
    struct cursor in = cursor_of(value);
    struct reference inside;
    while (session != NULL && reference_next(&in, &inside)) {
        session_returns(session, self->run.task, &inside);
    }
}

void task_save(struct rayc_task *self, rayc_arg arg)
{
    self->saved.n = 0;
    if (can_be_sent(self, &arg, "what it saves")) {
        encode(self, &self->saved, &arg.value, "what it saves");
        hold_inside(self, slice_of(self->saved.p, self->saved.n));
    }
}

int rayc_return_at(rayc_task *self, size_t index, rayc_arg arg)
{
    struct returned *to = place_of(self, index);
    if (to == NULL || !can_be_sent(self, &arg, "its result")) {
        return 0;
    }
    if (!keep(self, to, &arg.value)) {
        encode(self, &to->bytes, &arg.value, "its result");
    }
    hold_inside(self, bytes_of(to));
    return 0;
}

void returns_set_kept(struct rayc_task *self, size_t index, struct local_buffer *buffer)
{
    struct returned *to = place_of(self, index);
    if (to != NULL) {
        to->kept = *buffer;
        *buffer = (struct local_buffer){ 0 };
    }
}

bool returns_one(struct rayc_task *self, const char *instead)
{
    if (self->run.returns > 1) {
        task_mistake(self, OUTCOME_APP_ERROR, RAYC_EINVALID,
                     "task %.*s: it returns %u values: set each with %s()", name_bytes(self),
                     name_of(self), self->run.returns, instead);
    }
    return self->run.returns <= 1;
}

int rayc_return(rayc_task *self, rayc_arg arg)
{
    return returns_one(self, "rayc_return_at") ? rayc_return_at(self, 0, arg) : 0;
}

/* --- the end ---------------------------------------------------------------------------------- */

/*  Others can read it from now on, and a placeholder goes to the head. */
static void seal(struct rayc_task *self, uint32_t index)
{
    struct returned *value = &self->returned[index];
    struct stored stored = { .task = self->run.task, .index = index, .size = value->kept.size };
    uint64_t node;
    if (node_values_seal(&value->kept, stored.task, stored.index, &node) != RAYC_OK) {
        store_full(self);
        return;
    }
    reserve(&value->bytes, PLACEHOLDER_BYTES);
    stored_put(&value->bytes, &stored);
    ensure(!value->bytes.full);
}

/*  What the head is to know of a value, or of what it saves; false: it is a mistake. */
static bool tell_sealed(struct rayc_task *self, uint32_t index, uint64_t size, struct slice value)
{
    bool told = sealing_add(&self->sealing, index, size, value) == RAYC_OK;
    if (!told) {
        task_mistake(self, OUTCOME_APP_ERROR, RAYC_EINVALID, "task %.*s: %s: %s", name_bytes(self),
                     name_of(self), index < RETURNS_MAX ? "its result" : "what it saves",
                     rayc_error()->text);
    }
    return told;
}

static void end_value(struct rayc_task *self, uint32_t index)
{
    struct returned *value = &self->returned[index];
    bool kept = value->kept.store != NULL;
    if (!kept && value->bytes.n == 0 && count_of(self) > 1) {
        task_mistake(self, OUTCOME_APP_ERROR, RAYC_EINVALID,
                     "task %.*s: it returns %u values, and value %u was not set", name_bytes(self),
                     name_of(self), count_of(self), index);
        return;
    }
    if (!kept && value->bytes.n == 0) {
        rayc_return(self, rayc_nil());
    }
    if (tell_sealed(self, index, value->kept.size, bytes_of(value)) && kept) {
        seal(self, index);
    }
}

/*  The result of a task that returns several: all of them. */
static void join(struct rayc_task *self)
{
    enum { ARRAY_BYTES = 5 };
    size_t bytes = 0;
    uint32_t count = count_of(self);
    for (uint32_t i = 0; i < count; i++) {
        bytes += self->returned[i].bytes.n;
    }
    if (bytes + ARRAY_BYTES + SEVERAL_HEAD_BYTES > PAYLOAD_MAX) {
        task_mistake(self, OUTCOME_TOO_LARGE, 0,
                     "task %.*s: its results have %zu bytes together, the limit is %d",
                     name_bytes(self), name_of(self), bytes, PAYLOAD_MAX);
        return;
    }
    uint8_t head[ARRAY_BYTES];
    struct wire array = { head, 0, sizeof(head), false };
    wire_put_array(&array, count);
    self->joined.n = 0;
    reserve(&self->joined, SEVERAL_HEAD_BYTES + array.n + bytes);
    several_put(&self->joined, array.n + bytes);
    wire_put_encoded(&self->joined, slice_of(array.p, array.n));
    for (uint32_t i = 0; i < count; i++) {
        wire_put_encoded(&self->joined,
                         slice_of(self->returned[i].bytes.p, self->returned[i].bytes.n));
    }
    ensure(!self->joined.full);
    self->result = slice_of(self->joined.p, self->joined.n);
}

void returns_end(struct rayc_task *self)
{
    uint32_t count = count_of(self);
    for (uint32_t i = 0; i < count && self->outcome == OUTCOME_OK; i++) {
        end_value(self, i);
    }
    if (self->outcome == OUTCOME_OK && self->saved.n > 0) {
        (void)tell_sealed(self, RETURNS_MAX, 0, slice_of(self->saved.p, self->saved.n));
    }
    if (self->outcome == OUTCOME_OK && count > 1) {
        join(self);
    } else if (self->outcome == OUTCOME_OK) {
        self->result = slice_of(self->returned[0].bytes.p, self->returned[0].bytes.n);
    }
}
