/*  pool.h - a fixed number of equal slots in memory of the caller's, addressed by u32.
    Memory is touched in order of first use, so reserved address space costs nothing until it is used.
    Never grows: pool_take() says NONE when it is full, and the caller refuses work. */
#ifndef RAYC_POOL_H
#define RAYC_POOL_H
#include "common/base.h"

struct pool {
    uint8_t *memory;
    uint32_t slot_bytes;
    uint32_t capacity;
    uint32_t fresh; /* slots from here on were never used */
    uint32_t free;  /* first of the free list, linked through the first word of each slot */
    uint32_t taken;
};

static inline size_t pool_bytes(uint32_t capacity, uint32_t slot_bytes)
{
    return ((size_t)capacity * slot_bytes + 63) & ~(size_t)63;
}

static inline void pool_init(struct pool *self, void *memory, uint32_t capacity,
                             uint32_t slot_bytes)
{
    ensure(slot_bytes >= sizeof(uint32_t));
    *self = (struct pool){ memory, slot_bytes, capacity, 0, NONE, 0 };
}

static inline void *pool_at(const struct pool *self, uint32_t index)
{
    ensure(index < self->fresh);
    return self->memory + (size_t)index * self->slot_bytes;
}

/*  A zeroed slot, or NONE. */
static inline uint32_t pool_take(struct pool *self)
{
    uint32_t index = self->free;
    if (index != NONE) {
        memcpy(&self->free, pool_at(self, index), sizeof(self->free));
    } else if (self->fresh < self->capacity) {
        index = self->fresh++;
    } else {
        return NONE;
    }
    self->taken++;
    memset(pool_at(self, index), 0, self->slot_bytes);
    return index;
}

static inline void pool_give(struct pool *self, uint32_t index)
{
    ensure(self->taken > 0);
    memcpy(pool_at(self, index), &self->free, sizeof(self->free));
    self->free = index;
    self->taken--;
}
#endif
