/*  heap.h - a binary heap of deadlines over slots of a pool.  Each slot holds its deadline (u64) and its place in
    the heap (u32, NONE when absent), so that a deadline can be moved or removed in O(log n). */
#ifndef RAYC_HEAP_H
#define RAYC_HEAP_H
#include "common/pool.h"

struct heap {
    uint32_t *items;
    const struct pool *slots;
    uint32_t time_offset;
    uint32_t place_offset;
    uint32_t count;
    uint32_t capacity;
};

static inline size_t heap_bytes(uint32_t capacity)
{
    return ((size_t)capacity * sizeof(uint32_t) + 63) & ~(size_t)63;
}
void heap_init(struct heap *self, void *memory, uint32_t capacity, const struct pool *slots,
               uint32_t time_offset, uint32_t place_offset);
void heap_set(struct heap *self, uint32_t index, uint64_t time); /* adds it, or moves it */
void heap_remove(struct heap *self, uint32_t index);             /* nothing if it is absent */
uint32_t heap_first(const struct heap *self);                    /* NONE when empty */
uint64_t heap_time(const struct heap *self); /* of the first; UINT64_MAX when empty */
#endif
