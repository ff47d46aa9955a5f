/*  borrowed.h - references that a session has met inside values: of tasks of other sessions.  The head is asked how those
    ended, again after each reconnect, and tells when they do.  Slots never move.  Not thread-safe: the session's lock
    guards it. */
#ifndef RAYC_BORROWED_H
#define RAYC_BORROWED_H
#include "client/refs.h"
#include "proto/proto.h"

struct borrowed_one {
    struct borrowed_one *next;
    uint64_t task;
    uint32_t index;
    bool asked; /* the head, on this connection */
    struct ref_slot slot;
};

struct borrowed {
    struct borrowed_one **buckets;
    size_t bucket_count; /* a power of two, or 0 */
    size_t count;
    size_t unasked; /* pending, and the head was not asked */
};

void borrowed_fini(struct borrowed *self);
struct ref_slot *borrowed_find(const struct borrowed *self, uint64_t task, uint32_t index);
struct ref_slot *borrowed_add(struct borrowed *self, uint64_t task, uint32_t index); /* pending */
const struct borrowed_one *borrowed_any(const struct borrowed *self);     /* NULL: there is none */
void borrowed_drop(struct borrowed *self, uint64_t task, uint32_t index); /* if it is there */
void borrowed_forget_asked(struct borrowed *self); /* what was asked may be lost */
/*  The next `max` tasks to ask for, appended to `to` as ID records; how many. */
uint32_t borrowed_ask(struct borrowed *self, struct wire *to, uint32_t max);
/*  Calls `each` for every pending slot of this task. */
void borrowed_each(struct borrowed *self, uint64_t task,
                   void (*each)(void *context, struct ref_slot *slot, uint32_t index),
                   void *context);
#endif
