/*  forget.c - a worker lives for months: when it has no room for another spec, it forgets those that nothing here refers
    to, with their lanes, and programs that are neither here nor needed.  Should the head mean such a spec once more, it
    is as if the frame that told it was lost: the worker joins again, and is told. */
#include "worker/core/state.h"

static bool is_quiet(const struct lane *lane)
{
    return lane->waiting.count + lane->idle.count + lane->hungry.count + lane->busy.count == 0;
}

static void lane_free(struct worker *self, uint32_t index)
{
    struct lane *lane = lane_at(self, index);
    for (uint32_t i = 0; i < lane->need_count; i++) {
        program_at(self, lane->needs[i])->lanes--;
    }
    heap_remove(&self->lane_heap, index);
    map_remove(&self->lane_map, index);
    *lane = (struct lane){ .in_heap = NONE };
    chain_init(&lane->waiting); /* whoever looks at all lanes finds it empty */
    chain_init(&lane->idle);
    chain_init(&lane->hungry);
    chain_init(&lane->busy);
    pool_give(&self->lanes, index);
}

static void spec_free(struct worker *self, uint32_t index)
{
    struct spec *spec = spec_at(self, index);
    uint32_t lane = spec->lane;
    frame_release(self, spec->frame);
    map_remove(&self->spec_map, index);
    *spec = (struct spec){ .lane = NONE };
    pool_give(&self->specs, index);
    if (--lane_at(self, lane)->specs == 0) {
        lane_free(self, lane);
    }
}

static void forget_programs(struct worker *self)
{
    for (uint32_t i = 0; i < self->programs.fresh; i++) {
        struct program *program = program_at(self, i);
        if (program->known && program->lanes == 0 && program->state == PROGRAM_ABSENT) {
            map_remove(&self->program_map, i);
            *program = (struct program){ .known = false };
            pool_give(&self->programs, i);
        }
    }
}

void specs_forget(struct worker *self)
{
    for (uint32_t i = 0; i < self->attempts.fresh; i++) {
        const struct attempt *attempt = attempt_at(self, i);
        if (attempt->state != ATTEMPT_FREE) {
            spec_at(self, attempt->spec)->used = true;
        }
    }
    for (uint32_t i = 0; i < self->specs.fresh; i++) {
        struct spec *spec = spec_at(self, i);
        bool told_now = spec->frame == self->frame_now;
        if (spec->lane != NONE && !spec->used && !told_now && is_quiet(lane_at(self, spec->lane))) {
            spec_free(self, i);
        } else {
            spec->used = false;
        }
    }
    forget_programs(self);
}
