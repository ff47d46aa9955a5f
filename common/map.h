/*  map.h - from a u64 key to a slot index, through links inside the slots themselves.

    The owner's slots (a pool) hold the key and one u32 link; the map owns only an array of u32 buckets.  It grows by
    linear hashing (Litwin 1980): one bucket is split at a time, so there is no pause and only as many buckets are
    touched as there are entries.  Consecutive keys fall into consecutive buckets.  Keys need not be unique. */
#ifndef RAYC_MAP_H
#define RAYC_MAP_H
#include "common/pool.h"

struct map {
    uint32_t *buckets;
    const struct pool *slots;
    uint32_t key_offset;
    uint32_t link_offset;
    uint32_t mask; /* buckets below `split` use mask * 2 + 1 */
    uint32_t split;
    uint32_t used;     /* buckets in use: mask + 1 + split */
    uint32_t capacity; /* buckets at most */
    uint32_t count;
};

enum { MAP_BUCKETS_MIN = 64 };
size_t map_bytes(uint32_t capacity);
void map_init(struct map *self, void *memory, uint32_t capacity, const struct pool *slots,
              uint32_t key_offset, uint32_t link_offset);
void map_add(struct map *self, uint32_t index); /* the key is in the slot already */
void map_remove(struct map *self, uint32_t index);
uint32_t map_find(const struct map *self, uint64_t key); /* the newest of this key, or NONE */
uint32_t map_next(const struct map *self,
                  uint32_t index); /* an older one of the same key, or NONE */
#endif
