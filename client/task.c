/*  task.c - what a task's function can ask and say.  Its first mistake decides how the attempt
    ends. */
#include "client/task.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include "client/failure.h"
#include "client/values.h"

enum { RESULT_BYTES_FIRST = 4096 };

void task_mistake(struct rayc_task *self, enum outcome outcome, int32_t status, const char *format,
                  ...)
{
    if (self->outcome != OUTCOME_OK) {
        return;
    }
    self->outcome = outcome;
    self->status = status;
    if (self->text == NULL) {
        self->text = malloc(TEXT_MAX);
        ensure(self->text != NULL);
    }
    va_list values;
    va_start(values, format);
    int n = vsnprintf(self->text, TEXT_MAX, format, values);
    va_end(values);
    self->text_bytes = n < 0 ? 0 : n < TEXT_MAX ? (size_t)n : TEXT_MAX - 1;
}

static int name_bytes(const struct rayc_task *self)
{
    return (int)self->run.name.n;
}

static const char *name_of(const struct rayc_task *self)
{
    return (const char *)self->run.name.p;
}

/* --- arguments -------------------------------------------------------------------------------- */

/*  Gives a string its NUL: there is a byte of header before it that is no longer needed. */
static void end_string(rayc_value *value)
{
    if (value->kind == RAYC_STRING) {
        char *to = (char *)(uintptr_t)value->as.raw.data - 1;
        memmove(to, value->as.raw.data, value->as.raw.size);
        to[value->as.raw.size] = 0;
        value->as.raw.data = to;
    }
}

static bool read_argument(struct rayc_task *self, struct cursor *from, struct list *deps,
                          rayc_value *out)
{
    bool reference = false;
    if (!value_read(from, out, &reference)) {
        return false;
    }
    if (reference) {
        struct rec_value value;
        struct slice bytes;
        if (!next_value(deps, &value) || !value_at(value.bytes, out->as.ref.index, &bytes)) {
            return false;
        }
        bool stored = false;
        if (!task_map(self, &bytes, &stored)) {
            return true; /* and has said why */
        }
        struct cursor in = cursor_of(bytes);
        if (!value_read(&in, out, &reference)) {
            return false;
        }
        if (stored) {
            return true; /* what is mapped cannot be moved, and needs not */
        }
    }
    end_string(out);
    return true;
}

static bool read_arguments(struct rayc_task *self)
{
    struct cursor in = cursor_of(self->run.args);
    struct list deps = self->run.deps;
    uint32_t count = 0;
    if (self->run.args.n > 0 && (!wire_get_array(&in, &count) || count > cursor_left(&in))) {
        return false;
    }
    if (count > self->capacity) {
        rayc_value *values = realloc(self->values, count * sizeof(*values));
        ensure(values != NULL);
        self->values = values;
        self->capacity = count;
    }
    for (self->count = 0; self->count < count; self->count++) {
        if (!read_argument(self, &in, &deps, &self->values[self->count])) {
            return false;
        }
    }
    return true;
}

/*  Room for the values of a task that returns several: empty ones. */
static void begin_parts(struct rayc_task *self, uint32_t count)
{
    if (count > self->part_count) {
        struct wire *parts = realloc(self->parts, count * sizeof(*parts));
        ensure(parts != NULL);
        memset(parts + self->part_count, 0, (count - self->part_count) * sizeof(*parts));
        self->parts = parts;
        self->part_count = count;
    }
    for (uint32_t i = 0; i < count; i++) {
        self->parts[i].n = 0;
    }
}

void task_begin(struct rayc_task *self, const struct rec_run *run)
{
    self->run = *run;
    self->count = 0;
    self->result.n = self->saved.n = 0;
    self->result.full = false;
    self->outcome = OUTCOME_OK;
    self->status = 0;
    self->text_bytes = 0;
    self->id[0] = 0;
    self->cancelled = 0;
    self->has_checkpoint = false;
    trial_forget(&self->trial);
    if (run->returns > 1) {
        begin_parts(self, run->returns);
    }
    task_drop_kept(self);
    if (!read_arguments(self)) {
        task_mistake(self, OUTCOME_BAD_ARGUMENT, 0, "task %.*s: argument %zu is malformed",
                     name_bytes(self), name_of(self), self->count);
    }
}

static void reserve(struct wire *to, size_t bytes)
{
    if (bytes > to->capacity) {
        size_t capacity = bytes < RESULT_BYTES_FIRST ? RESULT_BYTES_FIRST : bytes;
        uint8_t *p = realloc(to->p, capacity);
        ensure(p != NULL);
        to->p = p;
        to->capacity = capacity;
    }
}

void task_reserve(struct rayc_task *self, size_t bytes)
{
    reserve(&self->result, bytes);
}

/*  The result of a task that returns several: all of them. */
static void join_parts(struct rayc_task *self)
{
    enum { ARRAY_BYTES = 5 };
    size_t bytes = 0;
    uint32_t returns = self->run.returns;
    if (self->large.kept.store != NULL) {
        task_mistake(self, OUTCOME_APP_ERROR, RAYC_EINVALID,
                     "task %.*s: it returns %u values, which cannot be buffers", name_bytes(self),
                     name_of(self), returns);
        return;
    }
    for (uint32_t i = 0; i < returns; i++) {
        if (self->parts[i].n == 0) {
            task_mistake(self, OUTCOME_APP_ERROR, RAYC_EINVALID,
                         "task %.*s: it returns %u values, and value %u was not set",
                         name_bytes(self), name_of(self), returns, i);
            return;
        }
        bytes += self->parts[i].n;
    }
    if (bytes + ARRAY_BYTES + SEVERAL_HEAD_BYTES > PAYLOAD_MAX) {
        task_mistake(self, OUTCOME_TOO_LARGE, 0,
                     "task %.*s: its results have %zu bytes together, the limit is %d",
                     name_bytes(self), name_of(self), bytes, PAYLOAD_MAX);
        return;
    }
    uint8_t head[ARRAY_BYTES];
    struct wire array = { head, 0, sizeof(head), false };
    wire_put_array(&array, returns);
    reserve(&self->result, SEVERAL_HEAD_BYTES + array.n + bytes);
    several_put(&self->result, array.n + bytes);
    wire_put_encoded(&self->result, slice_of(array.p, array.n));
    for (uint32_t i = 0; i < returns; i++) {
        wire_put_encoded(&self->result, slice_of(self->parts[i].p, self->parts[i].n));
    }
    ensure(!self->result.full);
}

void task_end(struct rayc_task *self, int returned)
{
    if (returned != 0) {
        task_mistake(self, OUTCOME_APP_ERROR, returned, "task %.*s: it returned %d",
                     name_bytes(self), name_of(self), returned);
    }
    if (self->outcome == OUTCOME_OK && self->run.returns > 1) {
        join_parts(self);
    } else if (self->outcome == OUTCOME_OK && self->result.n == 0 &&
               self->large.kept.store == NULL) {
        rayc_return(self, rayc_nil());
    }
    if (self->outcome == OUTCOME_OK) {
        task_seal(self);
    }
}

void task_fini(struct rayc_task *self)
{
    for (uint32_t i = 0; i < self->part_count; i++) {
        free(self->parts[i].p);
    }
    free(self->parts);
    free(self->values);
    free(self->result.p);
    free(self->saved.p);
    free(self->text);
    task_unmap(self);
    task_drop_kept(self);
    free(self->large.mapped);
    trial_forget(&self->trial);
    *self = (struct rayc_task){ 0 };
}

const rayc_value *task_checkpoint(struct rayc_task *self)
{
    struct cursor in = cursor_of(self->run.checkpoint);
    bool reference = false;
    if (!self->has_checkpoint && value_read(&in, &self->checkpoint, &reference)) {
        self->has_checkpoint = true;
        end_string(&self->checkpoint);
    }
    return self->has_checkpoint ? &self->checkpoint : NULL;
}

/* --- what a function asks --------------------------------------------------------------------- */

size_t rayc_arg_count(const rayc_task *self)
{
    return self->count;
}

const rayc_value *rayc_arg_at(rayc_task *self, size_t index)
{
    if (index >= self->count) {
        task_mistake(self, OUTCOME_BAD_ARGUMENT, 0,
                     "task %.*s: argument %zu is read, but there are %zu", name_bytes(self),
                     name_of(self), index, self->count);
        return NULL;
    }
    return &self->values[index];
}

/*  The argument, if it is of one of two kinds; else the attempt is over. */
static const rayc_value *read_as(rayc_task *self, size_t index, rayc_kind kind, rayc_kind other)
{
    const rayc_value *value = rayc_arg_at(self, index);
    if (value != NULL && value->kind != kind && value->kind != other) {
        task_mistake(self, OUTCOME_BAD_ARGUMENT, 0, "task %.*s: argument %zu is %s, read as %s",
                     name_bytes(self), name_of(self), index, kind_name(value->kind),
                     kind_name(kind));
        return NULL;
    }
    return value;
}

int64_t rayc_arg_int(rayc_task *self, size_t index)
{
    const rayc_value *value = read_as(self, index, RAYC_INT, RAYC_BOOL);
    return value != NULL ? value->as.i : 0;
}

double rayc_arg_float(rayc_task *self, size_t index)
{
    const rayc_value *value = read_as(self, index, RAYC_FLOAT, RAYC_INT);
    return value == NULL ? 0 : value->kind == RAYC_INT ? (double)value->as.i : value->as.f;
}

const char *rayc_arg_string(rayc_task *self, size_t index)
{
    const rayc_value *value = read_as(self, index, RAYC_STRING, RAYC_STRING);
    return value != NULL ? value->as.raw.data : "";
}

const void *rayc_arg_bytes(rayc_task *self, size_t index, size_t *size)
{
    const rayc_value *value = read_as(self, index, RAYC_BYTES, RAYC_BYTES);
    *size = value != NULL ? value->as.raw.size : 0;
    return value != NULL ? value->as.raw.data : NULL;
}

rayc_actor rayc_arg_actor(rayc_task *self, size_t index)
{
    const rayc_value *value = read_as(self, index, RAYC_ACTOR_REF, RAYC_ACTOR_REF);
    return value != NULL ? value->as.actor : (rayc_actor){ 0 };
}

rayc_ref rayc_arg_ref(rayc_task *self, size_t index)
{
    const rayc_value *value = read_as(self, index, RAYC_REF, RAYC_REF);
    return value != NULL ? value->as.ref : (rayc_ref){ 0 };
}

uint32_t rayc_attempt(const rayc_task *self)
{
    return self->run.attempt;
}

uint64_t rayc_fence(const rayc_task *self)
{
    return self->run.token;
}

const char *rayc_task_id(const rayc_task *task)
{
    rayc_task *self = (rayc_task *)(uintptr_t)task; /* the text is made at the first call */
    if (self->id[0] == 0) {
        snprintf(self->id, sizeof(self->id), "%016" PRIx64, self->run.task);
    }
    return self->id;
}

int rayc_cancelled(const rayc_task *self)
{
    return self->cancelled;
}

/* --- what a function says --------------------------------------------------------------------- */

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

void task_save(struct rayc_task *self, rayc_arg arg)
{
    self->saved.n = 0;
    if (can_be_sent(self, &arg, "what it saves")) {
        encode(self, &self->saved, &arg.value, "what it saves");
    }
}

/*  Encodes one value that is returned; the first mistake decides. */
static void return_value(struct rayc_task *self, struct wire *to, const rayc_arg *arg)
{
    to->n = 0;
    task_drop_kept(self);
    if (can_be_sent(self, arg, "its result") &&
        (to != &self->result || !task_keep(self, &arg->value))) {
        encode(self, to, &arg->value, "its result");
    }
}

int rayc_return(rayc_task *self, rayc_arg arg)
{
    if (self->run.returns > 1) {
        task_mistake(self, OUTCOME_APP_ERROR, RAYC_EINVALID,
                     "task %.*s: it returns %u values: set each with rayc_return_at()",
                     name_bytes(self), name_of(self), self->run.returns);
        return 0;
    }
    return_value(self, &self->result, &arg);
    return 0;
}

int rayc_return_at(rayc_task *self, size_t index, rayc_arg arg)
{
    uint32_t returns = self->run.returns > 1 ? self->run.returns : 1;
    if (index >= returns) {
        task_mistake(self, OUTCOME_APP_ERROR, RAYC_EINVALID,
                     "task %.*s: it returns %u value%s, and value %zu was set: they count from 0",
                     name_bytes(self), name_of(self), returns, returns > 1 ? "s" : "", index);
        return 0;
    }
    return_value(self, returns > 1 ? &self->parts[index] : &self->result, &arg);
    return 0;
}

int rayc_fail(rayc_task *self, int app_code, const char *format, ...)
{
    char text[4096];
    va_list values;
    va_start(values, format);
    vsnprintf(text, sizeof(text), format, values);
    va_end(values);
    app_code = app_code != 0 ? app_code : 1;
    task_mistake(self, OUTCOME_APP_ERROR, app_code, "%s", text);
    return app_code;
}
