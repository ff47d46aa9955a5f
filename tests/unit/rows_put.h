/*  rows_put.h - batches of rows made by hand, packed as head/core/batch.c packs them; and a
    folder for a test. */
#ifndef RAYC_ROWS_PUT_H
#define RAYC_ROWS_PUT_H
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include "head/core/core.h"

struct rows {
    struct batch batch;
    size_t capacity;
    uint8_t *memory;
};

static inline void rows_put(struct rows *self, enum row_kind kind, const void *row)
{
    const uint32_t bytes = row_desc(kind)->bytes;
    const uint32_t head[2] = { kind, (bytes + 7) & ~7u };
    size_t end = self->batch.row_bytes + sizeof(head) + head[1];
    if (end > self->capacity) {
        self->capacity = end * 2;
        self->memory = realloc(self->memory, self->capacity);
        ensure(self->memory);
    }
    memcpy(self->memory + self->batch.row_bytes, head, sizeof(head));
    memcpy(self->memory + self->batch.row_bytes + sizeof(head), row, bytes);
    self->batch.rows = self->memory;
    self->batch.row_bytes = end;
    self->batch.row_count++;
}

#define PUT(rows, kind, ...) rows_put(rows, ROW_##kind, &(struct row_##kind){ __VA_ARGS__ })

static inline void rows_clear(struct rows *self)
{
    self->batch = (struct batch){ 0 };
}

static inline void rows_free(struct rows *self)
{
    free(self->memory);
    *self = (struct rows){ 0 };
}

static inline void folder_new(char out[64])
{
    snprintf(out, 64, "/tmp/rayc-test-XXXXXX");
    ensure(mkdtemp(out));
}

static inline int folder_remove_one(const char *path, const struct stat *info, int type,
                                    struct FTW *place)
{
    (void)info;
    (void)type;
    (void)place;
    return remove(path);
}

static inline void folder_remove(const char *path)
{
    nftw(path, folder_remove_one, 16, FTW_DEPTH | FTW_PHYS);
}
#endif
