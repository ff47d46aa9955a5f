/*  ref_changes.h - what a session holds and what no more, on its way to the head: in order, numbered from 1, and kept until
    the head has it.  Not thread-safe: the session's lock guards it. */
#ifndef RAYC_REF_CHANGES_H
#define RAYC_REF_CHANGES_H
#include "proto/proto.h"

enum { REF_CHANGE_BYTES = 36 }; /* of one, encoded, at most */

struct ref_change {
    struct rec_ref ref;
    /*  the head must have all calls below this counter first: they may need what is dropped */
    uint64_t after;
};

struct ref_changes {
    struct ref_change *all; /* from number `first` on */
    size_t count, capacity, sent;
    size_t held; /* of them: what is held */
    uint64_t first;
    bool stalled; /* nothing of what was sent has been acknowledged since the last look */
};

void ref_changes_init(struct ref_changes *self);
void ref_changes_fini(struct ref_changes *self);
void ref_changes_add(struct ref_changes *self, const struct ref_change *change);
/*  Those that were not sent, into `to`, as many as fit a frame, when the head has all calls below this counter.  Returns
    how many, the first of which has the number *first. */
uint32_t ref_changes_take(struct ref_changes *self, uint64_t below, struct wire *to,
                          uint64_t *first);
void ref_changes_taken(struct ref_changes *self, uint64_t below); /* the head has all before */
void ref_changes_again(struct ref_changes *self);                 /* it may have missed some */
/*  Now and then: what has not been acknowledged since the last time is sent again. */
void ref_changes_look(struct ref_changes *self);
#endif
