/*  chunk_hash.c - libxxhash, compiled into this file: programs with librayc need no further library. */
#include "proto/chunk_hash.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

struct chunk_hash chunk_hash(struct slice bytes)
{
    struct chunk_hash out;
    XXH128_canonical_t canonical;
    _Static_assert(sizeof(canonical) == sizeof(out), "XXH3-128 has 16 bytes");
    XXH128_canonicalFromHash(&canonical, XXH3_128bits(bytes.p, bytes.n));
    memcpy(&out, &canonical, sizeof(out));
    return out;
}

struct chunk_hash chunk_hash_whole(const struct chunk_hash *chunks, uint32_t count)
{
    return chunk_hash(slice_of(chunks, count * sizeof(*chunks)));
}

bool chunk_hash_is(const struct chunk_hash *self, struct slice hash)
{
    return slice_same(slice_of(self->bytes, sizeof(self->bytes)), hash);
}
