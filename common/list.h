/*  list.h - doubly linked lists of slots of a pool, through links inside the slots. */
#ifndef RAYC_LIST_H
#define RAYC_LIST_H
#include "common/pool.h"

struct link_pair {
    uint32_t previous, next;
};

struct chain { /* a zeroed one is not empty: chain_init() */
    uint32_t first, last, count;
};

static inline void chain_init(struct chain *self)
{
    *self = (struct chain){ NONE, NONE, 0 };
}

static inline struct link_pair *chain_links(const struct pool *slots, uint32_t offset,
                                            uint32_t index)
{
    return (struct link_pair *)(void *)((uint8_t *)pool_at(slots, index) + offset);
}

static inline void chain_append(struct chain *self, const struct pool *slots, uint32_t offset,
                                uint32_t index)
{
    *chain_links(slots, offset, index) = (struct link_pair){ self->last, NONE };
    if (self->last == NONE) {
        self->first = index;
    } else {
        chain_links(slots, offset, self->last)->next = index;
    }
    self->last = index;
    self->count++;
}

static inline void chain_prepend(struct chain *self, const struct pool *slots, uint32_t offset,
                                 uint32_t index)
{
    *chain_links(slots, offset, index) = (struct link_pair){ NONE, self->first };
    if (self->first == NONE) {
        self->last = index;
    } else {
        chain_links(slots, offset, self->first)->previous = index;
    }
    self->first = index;
    self->count++;
}

/*  In front of one that is in it; NONE: at the end. */
static inline void chain_insert(struct chain *self, const struct pool *slots, uint32_t offset,
                                uint32_t index, uint32_t before)
{
    if (before == NONE) {
        chain_append(self, slots, offset, index);
        return;
    }
    struct link_pair *links = chain_links(slots, offset, before);
    if (links->previous == NONE) {
        chain_prepend(self, slots, offset, index);
        return;
    }
    *chain_links(slots, offset, index) = (struct link_pair){ links->previous, before };
    chain_links(slots, offset, links->previous)->next = index;
    links->previous = index;
    self->count++;
}

static inline void chain_remove(struct chain *self, const struct pool *slots, uint32_t offset,
                                uint32_t index)
{
    struct link_pair links = *chain_links(slots, offset, index);
    if (links.previous == NONE) {
        ensure(self->first == index);
        self->first = links.next;
    } else {
        chain_links(slots, offset, links.previous)->next = links.next;
    }
    if (links.next == NONE) {
        ensure(self->last == index);
        self->last = links.previous;
    } else {
        chain_links(slots, offset, links.next)->previous = links.previous;
    }
    self->count--;
}
#endif
