/*  chunk_hash.h - hashes of objects that travel: XXH3-128 of each chunk, and of an object the hash of its chunks' hashes.
    So a chunk is checked when it comes, and the whole without reading it again. */
#ifndef RAYC_CHUNK_HASH_H
#define RAYC_CHUNK_HASH_H
#include "proto/proto.h"

struct chunk_hash {
    uint8_t bytes[CARRY_HASH_BYTES];
};
struct chunk_hash chunk_hash(struct slice bytes);
struct chunk_hash chunk_hash_whole(const struct chunk_hash *chunks, uint32_t count);
bool chunk_hash_is(const struct chunk_hash *self, struct slice hash);

static inline uint32_t chunk_count(uint64_t size)
{
    return (uint32_t)((size + CARRY_CHUNK - 1) / CARRY_CHUNK);
}

static inline uint64_t chunk_bytes(uint64_t size, uint32_t chunk)
{
    uint64_t left = size - (uint64_t)chunk * CARRY_CHUNK;
    return left < CARRY_CHUNK ? left : CARRY_CHUNK;
}
#endif
