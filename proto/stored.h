/*  stored.h - what stands for a value that is in the object stores of nodes: wherever its bytes would travel, there is
    this placeholder, a msgpack extension of type 2 with task (u64), index (u32) and size (u64), big-endian. */
#ifndef RAYC_STORED_H
#define RAYC_STORED_H
#include "proto/wire.h"

enum {
    STORED_BYTES_MIN =
        100 * 1024 + 1, /* a value of so many bytes is stored; a smaller one travels */
    STORED_EXT = 2,
    STORED_EXT_BYTES = 20,
    PLACEHOLDER_BYTES = 3 + STORED_EXT_BYTES,
    /* In its memory a value begins here, so that what follows the five bytes of its head is aligned to 64.  The byte
       after it is 0. */
    STORED_LEAD = 59
};

/*  The id of an object, and how long its value is in msgpack. */
struct stored {
    uint64_t task;
    uint32_t index; /* among the values that the task returns */
    uint64_t size;
};

void stored_put(struct wire *to, const struct stored *stored);
/*  Is this one value a placeholder, and of what? */
bool stored_get(struct slice value, struct stored *out);
#endif
