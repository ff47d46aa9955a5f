/*  borrowed.c - a table of slots by task and index. */
#include "client/borrowed.h"

#include <stdlib.h>

enum { BUCKETS_FIRST = 64 };

/*  The index does not count: all references of a task are in one bucket. */
static size_t bucket_of(const struct borrowed *self, uint64_t task)
{
    return (size_t)(task * 0x9E3779B97F4A7C15u >> 32) & (self->bucket_count - 1);
}

void borrowed_fini(struct borrowed *self)
{
    for (size_t i = 0; i < self->bucket_count; i++) {
        struct borrowed_one *next;
        for (struct borrowed_one *one = self->buckets[i]; one != NULL; one = next) {
            next = one->next;
            ref_free(&one->slot);
            free(one);
        }
    }
    free(self->buckets);
    *self = (struct borrowed){ 0 };
}

struct ref_slot *borrowed_find(const struct borrowed *self, uint64_t task, uint32_t index)
{
    struct borrowed_one *one = self->count > 0 ? self->buckets[bucket_of(self, task)] : NULL;
    while (one != NULL && (one->task != task || one->index != index)) {
        one = one->next;
    }
    return one != NULL ? &one->slot : NULL;
}

static void grow(struct borrowed *self)
{
    struct borrowed old = *self;
    self->bucket_count = old.bucket_count == 0 ? BUCKETS_FIRST : old.bucket_count * 2;
    self->buckets = calloc(self->bucket_count, sizeof(struct borrowed_one *));
    ensure(self->buckets != NULL);
    for (size_t i = 0; i < old.bucket_count; i++) {
        struct borrowed_one *next;
        for (struct borrowed_one *one = old.buckets[i]; one != NULL; one = next) {
            next = one->next;
            struct borrowed_one **bucket = &self->buckets[bucket_of(self, one->task)];
            one->next = *bucket;
            *bucket = one;
        }
    }
    free(old.buckets);
}

struct ref_slot *borrowed_add(struct borrowed *self, uint64_t task, uint32_t index)
{
    if (self->count == self->bucket_count) {
        grow(self);
    }
    struct borrowed_one *one = calloc(1, sizeof(*one));
    ensure(one != NULL);
    struct borrowed_one **bucket = &self->buckets[bucket_of(self, task)];
    one->task = task;
    one->index = index;
    one->slot.state = REF_PENDING;
    one->next = *bucket;
    *bucket = one;
    self->count++;
    self->unasked++;
    return &one->slot;
}

void borrowed_drop(struct borrowed *self, uint64_t task, uint32_t index)
{
    struct borrowed_one **at = self->count > 0 ? &self->buckets[bucket_of(self, task)] : NULL;
    while (at != NULL && *at != NULL && ((*at)->task != task || (*at)->index != index)) {
        at = &(*at)->next;
    }
    if (at != NULL && *at != NULL) {
        struct borrowed_one *one = *at;
        *at = one->next;
        self->unasked -= !one->asked;
        self->count--;
        ref_free(&one->slot);
        free(one);
    }
}

const struct borrowed_one *borrowed_any(const struct borrowed *self)
{
    for (size_t i = 0; self->count > 0 && i < self->bucket_count; i++) {
        if (self->buckets[i] != NULL) {
            return self->buckets[i];
        }
    }
    return NULL;
}

void borrowed_forget_asked(struct borrowed *self)
{
    for (size_t i = 0; i < self->bucket_count; i++) {
        for (struct borrowed_one *one = self->buckets[i]; one != NULL; one = one->next) {
            if (one->asked && one->slot.state == REF_PENDING) {
                one->asked = false;
                self->unasked++;
            }
        }
    }
}

uint32_t borrowed_ask(struct borrowed *self, struct wire *to, uint32_t max)
{
    uint32_t count = 0;
    for (size_t i = 0; i < self->bucket_count && self->unasked > 0 && count < max; i++) {
        for (struct borrowed_one *one = self->buckets[i]; one != NULL && count < max;
             one = one->next) {
            if (!one->asked) {
                one->asked = true;
                self->unasked--;
                proto_put_record(to, REC_ID, &(struct rec_id){ one->task });
                count++;
            }
        }
    }
    return count;
}

void borrowed_each(struct borrowed *self, uint64_t task,
                   void (*each)(void *context, struct ref_slot *slot, uint32_t index),
                   void *context)
{
    struct borrowed_one *one = self->count > 0 ? self->buckets[bucket_of(self, task)] : NULL;
    for (; one != NULL; one = one->next) {
        if (one->task == task && one->slot.state == REF_PENDING) {
            self->unasked -= !one->asked;
            one->asked = true;
            each(context, &one->slot, one->index);
        }
    }
}
