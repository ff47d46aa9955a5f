/*  proto_bytes.h - memory for frames that the tests of the codec make, and help to write them. */
#ifndef RAYC_TESTS_PROTO_BYTES_H
#define RAYC_TESTS_PROTO_BYTES_H
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <cmocka.h>
#include "proto/proto.h"
#include "proto/wire.h"

enum { ARENA_BYTES = 64 * MIB, BIG_BYTES = FRAME_MAX + 64 };

static uint8_t *arena; /* taken from until arena_used is set to 0 again */
static size_t arena_used;
static uint8_t *big; /* one frame of any size */

static inline int setup(void **state)
{
    (void)state;
    arena = malloc(ARENA_BYTES);
    big = malloc(BIG_BYTES);
    return arena != NULL && big != NULL ? 0 : -1;
}

static inline int teardown(void **state)
{
    (void)state;
    free(arena);
    free(big);
    return 0;
}

static inline uint8_t *take(size_t n)
{
    uint8_t *p = arena + arena_used;
    arena_used += n;
    assert_true(arena_used <= ARENA_BYTES);
    return p;
}

static inline struct wire wire_on(uint8_t *p, size_t capacity)
{
    return (struct wire){ p, 0, capacity, false };
}

static inline struct slice written(const struct wire *wire)
{
    assert_false(wire->full);
    return slice_of(wire->p, wire->n);
}

static inline uint64_t bound_or(uint64_t bound, uint64_t max)
{
    return bound != 0 ? bound : max;
}
#endif
