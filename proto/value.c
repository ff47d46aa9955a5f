/*  value.c - extension types of values, byte by byte. */
#include "proto/value.h"

#include <endian.h>

enum { FIXEXT16 = 0xD8, EXT32 = 0xC9 };

void reference_put(struct wire *to, uint8_t type, const struct reference *reference)
{
    uint64_t task = htobe64(reference->task);
    uint32_t index = htobe32(reference->index), job = htobe32(reference->job);
    uint8_t bytes[REFERENCE_BYTES_ALL] = { FIXEXT16, type };
    memcpy(bytes + 2, &task, sizeof(task));
    memcpy(bytes + 10, &index, sizeof(index));
    memcpy(bytes + 14, &job, sizeof(job));
    wire_put_encoded(to, slice_of(bytes, sizeof(bytes)));
}

struct reference reference_inside(const uint8_t bytes[REFERENCE_BYTES])
{
    uint64_t task;
    uint32_t index, job;
    memcpy(&task, bytes, sizeof(task));
    memcpy(&index, bytes + 8, sizeof(index));
    memcpy(&job, bytes + 12, sizeof(job));
    return (struct reference){ be64toh(task), be32toh(index), be32toh(job) };
}

uint8_t reference_get(struct cursor *from, struct reference *out)
{
    if (cursor_left(from) < REFERENCE_BYTES_ALL || from->p[0] != FIXEXT16 ||
        (from->p[1] != REFERENCE_EXT && from->p[1] != AS_IS_EXT)) {
        return 0;
    }
    uint8_t type = from->p[1];
    *out = reference_inside(from->p + 2);
    from->p += REFERENCE_BYTES_ALL;
    return type;
}

bool reference_next(struct cursor *from, struct reference *out)
{
    while (cursor_left(from) > 0) {
        if (reference_get(from, out) != 0) {
            return true;
        }
        if (!wire_step(from)) {
            return false;
        }
    }
    return false;
}

void several_put(struct wire *to, size_t bytes)
{
    uint32_t n = htobe32((uint32_t)bytes);
    uint8_t head[SEVERAL_HEAD_BYTES] = { EXT32, [5] = SEVERAL_EXT };
    memcpy(head + 1, &n, sizeof(n));
    wire_put_encoded(to, slice_of(head, sizeof(head)));
}

bool several_get(struct slice value, struct cursor *array, uint32_t *count)
{
    uint32_t n;
    if (value.n < SEVERAL_HEAD_BYTES || value.p[0] != EXT32 || value.p[5] != SEVERAL_EXT) {
        return false;
    }
    memcpy(&n, value.p + 1, sizeof(n));
    *array = cursor_of(slice_of(value.p + SEVERAL_HEAD_BYTES, value.n - SEVERAL_HEAD_BYTES));
    return be32toh(n) == cursor_left(array) && wire_get_array(array, count);
}

bool value_at(struct slice value, uint32_t index, struct slice *out)
{
    struct cursor in;
    uint32_t count = 0;
    if (!several_get(value, &in, &count)) {
        *out = value;
        return index == 0;
    }
    for (uint32_t i = 0; i < count && i <= index; i++) {
        const uint8_t *from = in.p;
        if (!wire_skip(&in)) {
            return false;
        }
        *out = slice_of(from, (size_t)(in.p - from));
    }
    return index < count;
}
