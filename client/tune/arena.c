/*  arena.c - blocks of memory that go together: what is taken is zeroed, and freed with all the rest. */
#include "client/tune/spec.h"

#include <stdlib.h>

enum { BLOCK_BYTES = 16384 };

struct block {
    struct block *next;
    size_t taken, size;
    max_align_t data[];
};

struct arena {
    /*  the first one has room; a large taking has a block of its own behind it */
    struct block *blocks;
};

static struct block *block_new(size_t size)
{
    struct block *block = calloc(1, sizeof(*block) + size);
    ensure(block != NULL);
    block->size = size;
    return block;
}

struct arena *arena_new(void)
{
    struct arena *self = calloc(1, sizeof(*self));
    ensure(self != NULL);
    self->blocks = block_new(BLOCK_BYTES);
    return self;
}

void arena_destroy(struct arena **self)
{
    if (!*self) {
        return;
    }
    for (struct block *block = (*self)->blocks; block;) {
        struct block *next = block->next;
        free(block);
        block = next;
    }
    free(*self);
    *self = NULL;
}

void *arena_take(struct arena *self, size_t bytes)
{
    ensure(bytes < SIZE_MAX / 2);
    size_t rounded = (bytes + sizeof(max_align_t) - 1) / sizeof(max_align_t) * sizeof(max_align_t);
    struct block *first = self->blocks;
    if (rounded > BLOCK_BYTES / 2) {
        struct block *own = block_new(rounded);
        own->taken = rounded;
        own->next = first->next;
        first->next = own;
        return own->data;
    }
    if (first->size - first->taken < rounded) {
        struct block *fresh = block_new(BLOCK_BYTES);
        fresh->next = first;
        self->blocks = first = fresh;
    }
    void *p = (uint8_t *)first->data + first->taken;
    first->taken += rounded;
    return p;
}

char *arena_text(struct arena *self, struct slice text)
{
    char *out = arena_take(self, text.n + 1);
    if (text.n > 0) {
        memcpy(out, text.p, text.n);
    }
    return out;
}
