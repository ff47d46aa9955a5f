/*  ref_changes.h - what a session holds no more, on its way to the head: in order, numbered from 1, and kept until the head
    has it.  Not thread-safe: the session's lock guards it. */
#ifndef RAYC_REF_CHANGES_H
#define RAYC_REF_CHANGES_H
#include "proto/proto.h"

enum { REF_CHANGE_BYTES = 24 }; /* of one, encoded, at most */

struct ref_changes {
    struct rec_ref *all; /* from number `first` on */
    size_t count, capacity, sent;
    uint64_t first;
    bool stalled; /* nothing of what was sent has been acknowledged since the last look */
};

void ref_changes_init(struct ref_changes *self);
void ref_changes_fini(struct ref_changes *self);
void ref_changes_drop(struct ref_changes *self, uint64_t task, uint32_t index);
/*  Those that were not sent, into `to`, as many as fit a frame, but none of a task from `below` on: the head does not know
    it yet.  Returns how many, the first of which has the number *first. */
uint32_t ref_changes_take(struct ref_changes *self, uint64_t below, struct wire *to,
                          uint64_t *first);
void ref_changes_taken(struct ref_changes *self, uint64_t below); /* the head has all before */
void ref_changes_again(struct ref_changes *self);                 /* it may have missed some */
/*  Now and then: what has not been acknowledged since the last time is sent again. */
void ref_changes_look(struct ref_changes *self);
#endif
