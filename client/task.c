/*  task.c - what a task's function can ask and say.  Its first mistake decides how the attempt
    ends. */
#include "client/task.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include "client/failure.h"
#include "client/session.h"
#include "client/values.h"

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

void task_begin(struct rayc_task *self, const struct rec_run *run)
{
    self->run = *run;
    self->count = 0;
    self->saved.n = 0;
    self->outcome = OUTCOME_OK;
    self->status = 0;
    self->text_bytes = 0;
    self->id[0] = 0;
    self->cancelled = 0;
    self->has_checkpoint = false;
    trial_forget(&self->trial);
    returns_begin(self);
    if (!read_arguments(self)) {
        task_mistake(self, OUTCOME_BAD_ARGUMENT, 0, "task %.*s: argument %zu is malformed",
                     name_bytes(self), name_of(self), self->count);
    }
}

void task_end(struct rayc_task *self, int returned)
{
    if (returned != 0) {
        task_mistake(self, OUTCOME_APP_ERROR, returned, "task %.*s: it returned %d",
                     name_bytes(self), name_of(self), returned);
    }
    if (self->outcome == OUTCOME_OK) {
        returns_end(self);
    }
}

void task_fini(struct rayc_task *self)
{
    returns_fini(self);
    free(self->values);
    free(self->saved.p);
    free(self->text);
    task_unmap(self);
    free(self->mapped.ids);
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
        if (self->checkpoint.kind == RAYC_REF) {
            rayc_met_(self->checkpoint.as.ref);
        }
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
    if (self->values[index].kind == RAYC_REF) {
        rayc_met_(self->values[index].as.ref);
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

/* --- what a function says ---------------------------------------------------------------------- */

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
