/*  value.h - what a value has that plain msgpack has not: extension types.  Whoever carries values does not look inside;
    librayc makes them, and the head shows them to people. */
#ifndef RAYC_VALUE_H
#define RAYC_VALUE_H
#include "proto/wire.h"

/*  Type 2 is a placeholder: stored.h; 3 an actor: client/values.h. */
enum {
    REFERENCE_EXT = 1, /* a reference; at the top of a list of arguments, the task waits for it */
    SEVERAL_EXT = 5,   /* an array: the values of a task that returns several */
    AS_IS_EXT = 4,     /* at the top of a list of arguments: a reference that is passed as it is */
    REFERENCE_BYTES = 16,
    REFERENCE_BYTES_ALL = 2 + REFERENCE_BYTES,
    SEVERAL_HEAD_BYTES = 6
};

struct reference {
    uint64_t task;
    uint32_t index; /* which of its values, from 0 */
    uint32_t job;
};

/*  `type`: REFERENCE_EXT or AS_IS_EXT. */
void reference_put(struct wire *to, uint8_t type, const struct reference *reference);
/*  Reads a whole reference; its type, or 0: the bytes are none, and the cursor stays. */
uint8_t reference_get(struct cursor *from, struct reference *out);
/*  The next reference in whole values, however deep; false: there is none. */
bool reference_next(struct cursor *from, struct reference *out);
/*  Reads what is inside the extension. */
struct reference reference_inside(const uint8_t bytes[REFERENCE_BYTES]);

/*  Before an array of `bytes` bytes. */
void several_put(struct wire *to, size_t bytes);
/*  Is this value an array of several?  Then *array is after its header. */
bool several_get(struct slice value, struct cursor *array, uint32_t *count);
/*  The index-th of a task's values; false: there is none. */
bool value_at(struct slice value, uint32_t index, struct slice *out);
#endif
