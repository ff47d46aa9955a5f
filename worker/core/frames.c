/*  frames.c - START frames stay until no attempt and no spec borrows from them; all others go at once.
    Each frame that came in is freed exactly once. */
#include "worker/core/state.h"

static struct frame *frame_at(const struct worker *self, uint32_t index)
{
    return pool_at(&self->frames, index);
}

uint32_t frame_take(struct worker *self, uint32_t id)
{
    uint32_t index = pool_take(&self->frames);
    ensure(index != NONE); /* more than WORKER_EVENTS_PER_TURN events without worker_ready() */
    *frame_at(self, index) = (struct frame){ .id = id, .refs = 1 };
    return index;
}

void frame_hold(struct worker *self, uint32_t frame)
{
    frame_at(self, frame)->refs++;
}

void frame_release(struct worker *self, uint32_t frame)
{
    ensure(frame_at(self, frame)->refs > 0);
    if (--frame_at(self, frame)->refs == 0) {
        chain_append(&self->loose, &self->frames, FRAME_PLACE, frame);
    }
}

void frames_emit(struct worker *self)
{
    while (self->loose.first != NONE && act_room(self)) {
        uint32_t index = self->loose.first;
        act_new(self, ACT_FREE_FRAME)->frame = frame_at(self, index)->id;
        chain_remove(&self->loose, &self->frames, FRAME_PLACE, index);
        pool_give(&self->frames, index);
    }
}
