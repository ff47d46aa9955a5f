/*  stored.c - placeholders, byte by byte. */
#include "proto/stored.h"
#include <endian.h>

enum { EXT8 = 0xC7 };

void stored_put(struct wire *to, const struct stored *stored)
{
    uint8_t bytes[PLACEHOLDER_BYTES] = { EXT8, STORED_EXT_BYTES, STORED_EXT };
    uint64_t task = htobe64(stored->task), size = htobe64(stored->size);
    uint32_t index = htobe32(stored->index);
    memcpy(bytes + 3, &task, sizeof(task));
    memcpy(bytes + 11, &index, sizeof(index));
    memcpy(bytes + 15, &size, sizeof(size));
    wire_put_encoded(to, slice_of(bytes, sizeof(bytes)));
}

bool stored_get(struct slice value, struct stored *out)
{
    if (value.n != PLACEHOLDER_BYTES || value.p[0] != EXT8 || value.p[1] != STORED_EXT_BYTES ||
        value.p[2] != STORED_EXT) {
        return false;
    }
    uint64_t task, size;
    uint32_t index;
    memcpy(&task, value.p + 3, sizeof(task));
    memcpy(&index, value.p + 11, sizeof(index));
    memcpy(&size, value.p + 15, sizeof(size));
    *out = (struct stored){ be64toh(task), be32toh(index), be64toh(size) };
    return true;
}
