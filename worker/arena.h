/*  arena.h - memory for one turn of the loop: what events borrow until the core has said what to do.
    Address space is reserved once and touched as it is used; a large turn gives its pages back. */
#ifndef RAYC_ARENA_H
#define RAYC_ARENA_H
#include "common/reserve.h"

enum { ARENA_BYTES = 8 << 20, ARENA_KEPT = 256 << 10 };

struct arena {
    uint8_t *p;
    size_t n;
};

static inline void arena_init(struct arena *self)
{
    *self = (struct arena){ reserve_memory(ARENA_BYTES), 0 };
}

static inline void arena_fini(struct arena *self)
{
    reserve_free(self->p, ARENA_BYTES);
    *self = (struct arena){ 0 };
}

static inline size_t arena_room(const struct arena *self)
{
    return ARENA_BYTES - self->n;
}

/*  The caller has looked at arena_room(). */
static inline void *arena_take(struct arena *self, size_t n)
{
    n = (n + 15) & ~(size_t)15;
    ensure(n <= arena_room(self));
    void *p = self->p + self->n;
    self->n += n;
    return p;
}

static inline void arena_reset(struct arena *self)
{
    if (self->n > ARENA_KEPT) {
        reserve_return(self->p, ARENA_BYTES, ARENA_KEPT);
    }
    self->n = 0;
}
#endif
