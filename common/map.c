/*  map.c - linear hashing over intrusive links. */
#include "common/map.h"

static uint64_t key_of(const struct map *self, uint32_t index)
{
    uint64_t key;
    memcpy(&key, (const uint8_t *)pool_at(self->slots, index) + self->key_offset, sizeof(key));
    return key;
}

static uint32_t *link_of(const struct map *self, uint32_t index)
{
    return (uint32_t *)(void *)((uint8_t *)pool_at(self->slots, index) + self->link_offset);
}

static uint32_t bucket_of(const struct map *self, uint64_t key)
{
    uint64_t hash =
        key ^ (key >> 40) * 0x9E3779B97F4A7C15u; /* keeps neighbours of one session together */
    uint32_t bucket = (uint32_t)hash & self->mask;
    return bucket >= self->split ? bucket : (uint32_t)hash & (self->mask * 2 + 1);
}

size_t map_bytes(uint32_t capacity)
{
    size_t buckets = capacity < MAP_BUCKETS_MIN ? MAP_BUCKETS_MIN : capacity;
    return (buckets * sizeof(uint32_t) + 63) & ~(size_t)63;
}

void map_init(struct map *self, void *memory, uint32_t capacity, const struct pool *slots,
              uint32_t key_offset, uint32_t link_offset)
{
    *self = (struct map){ .buckets = memory,
                          .slots = slots,
                          .key_offset = key_offset,
                          .link_offset = link_offset,
                          .mask = MAP_BUCKETS_MIN - 1,
                          .used = MAP_BUCKETS_MIN,
                          .capacity = capacity < MAP_BUCKETS_MIN ? MAP_BUCKETS_MIN : capacity };
    memset(self->buckets, 0xFF, MAP_BUCKETS_MIN * sizeof(uint32_t));
}

static void split_one(struct map *self)
{
    if (self->count < self->used || self->used == self->capacity) {
        return;
    }
    uint32_t from = self->split;
    uint32_t index = self->buckets[from];
    self->buckets[from] = NONE;
    self->buckets[self->used++] = NONE;
    if (++self->split > self->mask) {
        self->mask = self->mask * 2 + 1;
        self->split = 0;
    }
    uint32_t *tail[2] = { &self->buckets[from], &self->buckets[self->used - 1] };
    while (index != NONE) { /* in order, so that the newest of a key stays first */
        uint32_t *link = link_of(self, index);
        uint32_t next = *link;
        uint32_t side = bucket_of(self, key_of(self, index)) != from;
        *tail[side] = index;
        *link = NONE;
        tail[side] = link;
        index = next;
    }
}

void map_add(struct map *self, uint32_t index)
{
    uint32_t *bucket = &self->buckets[bucket_of(self, key_of(self, index))];
    *link_of(self, index) = *bucket;
    *bucket = index;
    self->count++;
    split_one(self);
}

void map_remove(struct map *self, uint32_t index)
{
    uint32_t *link = &self->buckets[bucket_of(self, key_of(self, index))];
    while (*link != index) {
        ensure(*link != NONE);
        link = link_of(self, *link);
    }
    *link = *link_of(self, index);
    self->count--;
}

static uint32_t match(const struct map *self, uint32_t index, uint64_t key)
{
    while (index != NONE && key_of(self, index) != key) {
        index = *link_of(self, index);
    }
    return index;
}

uint32_t map_find(const struct map *self, uint64_t key)
{
    return match(self, self->buckets[bucket_of(self, key)], key);
}

uint32_t map_next(const struct map *self, uint32_t index)
{
    return match(self, *link_of(self, index), key_of(self, index));
}
