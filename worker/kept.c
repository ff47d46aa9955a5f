/*  kept.c - two tables.  The core has limits on what it holds, so that they cannot run full. */
#include "worker/kept.h"
#include <stdlib.h>
#include "worker/arena.h"

struct frame_slot {
    uint32_t taken; /* a free slot's first word is the pool's */
    struct link_frame frame;
};

struct report_slot {
    uint64_t seq;
    uint32_t link;
    size_t n;
    uint8_t *p;
};

void kept_frames_init(struct kept_frames *self, uint32_t capacity)
{
    self->bytes = pool_bytes(capacity, sizeof(struct frame_slot));
    pool_init(&self->slots, reserve_memory(self->bytes), capacity, sizeof(struct frame_slot));
}

void kept_frames_fini(struct kept_frames *self)
{
    for (uint32_t i = 0; i < self->slots.fresh; i++) {
        struct frame_slot *slot = pool_at(&self->slots, i);
        if (slot->frame.owner) {
            link_frame_free(&slot->frame);
        }
    }
    munmap(self->slots.memory, self->bytes);
}

uint32_t kept_frames_add(struct kept_frames *self, const struct link_frame *frame)
{
    uint32_t number = pool_take(&self->slots);
    ensure(number != NONE);
    ((struct frame_slot *)pool_at(&self->slots, number))->frame = *frame;
    return number;
}

void kept_frames_free(struct kept_frames *self, uint32_t number)
{
    struct frame_slot *slot = pool_at(&self->slots, number);
    ensure(slot->frame.owner != NULL); /* each is freed once */
    link_frame_free(&slot->frame);
    slot->frame = (struct link_frame){ 0 };
    pool_give(&self->slots, number);
}

void kept_reports_init(struct kept_reports *self, uint32_t capacity)
{
    size_t slots = pool_bytes(capacity, sizeof(struct report_slot));
    self->bytes = slots + map_bytes(capacity);
    uint8_t *memory = reserve_memory(self->bytes);
    pool_init(&self->slots, memory, capacity, sizeof(struct report_slot));
    map_init(&self->by_seq, memory + slots, capacity, &self->slots,
             offsetof(struct report_slot, seq), offsetof(struct report_slot, link));
}

void kept_reports_fini(struct kept_reports *self)
{
    for (uint32_t i = 0; i < self->slots.fresh; i++) {
        free(((struct report_slot *)pool_at(&self->slots, i))->p);
    }
    munmap(self->slots.memory, self->bytes);
}

void kept_reports_add(struct kept_reports *self, uint64_t seq, struct slice frame)
{
    uint32_t index = pool_take(&self->slots);
    ensure(index != NONE);
    struct report_slot *slot = pool_at(&self->slots, index);
    slot->seq = seq;
    slot->n = frame.n;
    slot->p = malloc(frame.n);
    ensure(slot->p != NULL);
    memcpy(slot->p, frame.p, frame.n);
    map_add(&self->by_seq, index);
}

struct slice kept_reports_find(const struct kept_reports *self, uint64_t seq)
{
    uint32_t index = map_find(&self->by_seq, seq);
    if (index == NONE) {
        return slice_of(NULL, 0);
    }
    const struct report_slot *slot = pool_at(&self->slots, index);
    return slice_of(slot->p, slot->n);
}

void kept_reports_free(struct kept_reports *self, uint64_t seq)
{
    uint32_t index = map_find(&self->by_seq, seq);
    if (index == NONE) {
        return;
    }
    struct report_slot *slot = pool_at(&self->slots, index);
    map_remove(&self->by_seq, index);
    free(slot->p);
    slot->p = NULL;
    pool_give(&self->slots, index);
}
