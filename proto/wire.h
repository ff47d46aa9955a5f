/*  wire.h - msgpack primitives over bounded memory: what proto.c is made of.

    Writing goes through msgpack-c's packer into a `struct wire`, which never grows.  Reading is a
    cursor of our own: msgpack-c only builds allocated trees, and we read 100 000s of records a
    second, from a peer that may lie, without an allocation and without copying payloads.
    wire_get_*() return false on a wrong type and on bytes that are not there; the cursor is then of
    no further use. */
#ifndef RAYC_WIRE_H
#define RAYC_WIRE_H
#include "proto/proto.h"

/*  Each appends one value, or a header whose elements follow.  What does not fit sets `full`, and
    nothing is written from then on; of the value that did not fit, the header may have been. */
void wire_put_uint(struct wire *to, uint64_t value);
void wire_put_int(struct wire *to, int64_t value);
void wire_put_float(struct wire *to, double value);
void wire_put_str(struct wire *to, struct slice text);
void wire_put_bin(struct wire *to, struct slice bytes);
void wire_put_array(struct wire *to, uint32_t count);
void wire_put_encoded(struct wire *to, struct slice values); /* that were encoded before */

struct cursor {
    const uint8_t *p;
    const uint8_t *end;
};

static inline struct cursor cursor_of(struct slice bytes)
{
    const uint8_t *end = bytes.n > 0 ? bytes.p + bytes.n : bytes.p; /* p may be NULL */
    return (struct cursor){ bytes.p, end };
}

static inline size_t cursor_left(const struct cursor *from)
{
    return (size_t)(from->end - from->p);
}

/*  Integers may be in any encoding whose value fits: not every writer packs them as small as it
    could. */
bool wire_get_uint(struct cursor *from, uint64_t *value);
bool wire_get_int(struct cursor *from, int64_t *value);
bool wire_get_float(struct cursor *from, double *value); /* 64 bits wide */
bool wire_get_str(struct cursor *from, struct slice *text);
bool wire_get_bin(struct cursor *from, struct slice *bytes);
bool wire_get_array(struct cursor *from, uint32_t *count);
/*  One value of any type, however deep, with all that is in it. */
bool wire_skip(struct cursor *from);
/*  One value; of an array or a map the header only: what is inside follows as values of their own. */
bool wire_step(struct cursor *from);
#endif
