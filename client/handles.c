/*  handles.c - a table of slots, and a queue of the calls that are counted. */
#include "client/handles.h"

#include <stdlib.h>

void handles_fini(struct handles *self)
{
    free(self->all);
    free(self->calls);
    free(self->own);
    *self = (struct handles){ 0 };
}

uint32_t handles_add(struct handles *self, const struct handle *handle)
{
    uint32_t slot = self->free;
    if (slot != 0) {
        self->free = self->all[slot].next_free;
    } else {
        slot = self->count > 0 ? self->count : 1;
        if (slot >= self->capacity) {
            self->capacity = self->capacity > 0 ? self->capacity * 2 : 16;
            self->all = realloc(self->all, self->capacity * sizeof(*self->all));
            ensure(self->all != NULL);
        }
        self->count = slot + 1;
    }
    self->all[slot] = *handle;
    return slot;
}

struct handle *handles_at(struct handles *self, rayc_actor actor)
{
    bool known = actor.slot > 0 && actor.slot < self->count;
    return known && self->all[actor.slot].actor == actor.number ? &self->all[actor.slot] : NULL;
}

void handles_drop(struct handles *self, uint32_t slot)
{
    self->all[slot] = (struct handle){ .next_free = self->free };
    self->free = slot;
}

void handles_pass(struct handles *self, uint64_t actor)
{
    for (uint32_t i = 1; i < self->count; i++) {
        if (self->all[i].actor == actor) {
            self->all[i].mine = false;
        }
    }
}

void handles_call(struct handles *self, uint32_t slot, uint64_t task)
{
    if (self->end == self->call_capacity) {
        size_t live = self->end - self->first;
        if (self->first > 0) {
            memmove(self->calls, self->calls + self->first, live * sizeof(*self->calls));
        }
        self->first = 0;
        self->end = live;
        if (live * 2 >= self->call_capacity) {
            self->call_capacity = self->call_capacity > 0 ? self->call_capacity * 2 : 64;
            self->calls = realloc(self->calls, self->call_capacity * sizeof(*self->calls));
            ensure(self->calls != NULL);
        }
    }
    self->calls[self->end++] =
        (struct pending_call){ .task = task, .actor = self->all[slot].actor, .slot = slot };
    self->all[slot].pending++;
}

static struct pending_call *call_find(struct handles *self, uint64_t task)
{
    size_t low = self->first, high = self->end;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (self->calls[middle].task < task) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low < self->end && self->calls[low].task == task ? &self->calls[low] : NULL;
}

void handles_on_end(struct handles *self, uint64_t task)
{
    if (self->first == self->end) {
        return;
    }
    struct pending_call *call = call_find(self, task);
    if (call == NULL || call->ended) {
        return; /* told before */
    }
    call->ended = true;
    struct handle *handle = &self->all[call->slot];
    if (handle->actor == call->actor && handle->pending > 0) { /* else it was dropped */
        handle->pending--;
    }
    while (self->first < self->end && self->calls[self->first].ended) {
        self->first++;
    }
}

void handles_own_call(struct handles *self, uint64_t task)
{
    if (self->own_count == self->own_capacity) {
        self->own_capacity = self->own_capacity > 0 ? self->own_capacity * 2 : 16;
        self->own = realloc(self->own, self->own_capacity * sizeof(*self->own));
        ensure(self->own != NULL);
    }
    self->own[self->own_count++] = task;
}

bool handles_is_own(const struct handles *self, uint64_t task)
{
    size_t low = 0, high = self->own_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (self->own[middle] < task) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low < self->own_count && self->own[low] == task;
}

void handles_own_end(struct handles *self)
{
    self->own_count = 0;
}

struct method_spec *handles_spec(struct handles *self, const rayc_method *method, int32_t retries)
{
    uint64_t bits = (uint64_t)(uintptr_t)method ^ (uint64_t)(uint32_t)retries << 32;
    struct method_spec *spec = &self->specs[bits * 0x9E3779B97F4A7C15u >> 56];
    if (spec->method != method || spec->retries != retries) {
        *spec = (struct method_spec){ .method = method, .retries = retries };
    }
    return spec;
}
