/*  sealing.h - what the head is told of values beside their bytes: which of them a store has, and which references are
    inside of them, for it keeps what those name as long as the value. */
#ifndef RAYC_SEALING_H
#define RAYC_SEALING_H
#include "proto/proto.h"

/*  All zero: nothing. */
struct sealing {
    struct wire records; /* SEALED; grows, as `inside` does */
    uint32_t count;
    struct wire inside; /* OBJECT records of the value being looked at */
    uint32_t inside_count;
};

void sealing_begin(struct sealing *self); /* nothing again */
void sealing_fini(struct sealing *self);
/*  The value of this index, in msgpack; `size`: its bytes in the store, 0: it is inline.  RAYC_EINVALID with
    rayc_error(): it has too many references inside. */
MUST_CHECK int sealing_add(struct sealing *self, uint32_t index, uint64_t size, struct slice value);
/*  An encoded list of arguments; what the task waits for is not inside. */
MUST_CHECK int sealing_add_args(struct sealing *self, struct slice args);
struct list sealing_list(const struct sealing *self);
#endif
