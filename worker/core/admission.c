/*  admission.c - resources are counted here, and who may start is decided: in order of arrival over all lanes, what
    does not fit is overtaken, but by PASSED_MAX attempts at most: then what it lacks is kept for it. */
#include "worker/core/state.h"

/*  The devices for a demand of GPUs; a part of one goes where least is left.  0: there are none. */
static uint64_t gpus_pick(const struct worker *self, uint64_t units)
{
    uint64_t mask = 0;
    if (units < UNITS_PER_ONE) {
        uint64_t least = UINT64_MAX;
        for (uint32_t i = 0; i < self->gpu_count; i++) {
            if (self->gpu_free[i] >= units && self->gpu_free[i] < least) {
                least = self->gpu_free[i];
                mask = 1ull << i;
            }
        }
        return mask;
    }
    uint64_t left = (units + UNITS_PER_ONE - 1) / UNITS_PER_ONE;
    for (uint32_t i = 0; i < self->gpu_count && left > 0; i++) {
        if (self->gpu_free[i] == UNITS_PER_ONE) {
            mask |= 1ull << i;
            left--;
        }
    }
    return left == 0 ? mask : 0;
}

bool resources_fit(struct worker *self, struct lane *lane)
{
    lane->missing = 0;
    for (uint32_t i = 0; i < lane->demand_count; i++) {
        if (self->free[lane->demand[i].resource] < lane->demand[i].units) {
            lane->missing |= 1ull << lane->demand[i].resource;
        }
    }
    if (lane->gpu_units > 0 && gpus_pick(self, lane->gpu_units) == 0) {
        lane->missing |= 1ull << self->gpu;
    }
    return lane->missing == 0;
}

void resources_take(struct worker *self, uint32_t index)
{
    struct executor *executor = pool_at(&self->executors, index);
    const struct lane *lane = lane_at(self, executor->lane);
    ensure(!executor->holds);
    executor->holds = true;
    for (uint32_t i = 0; i < lane->demand_count; i++) {
        ensure(self->free[lane->demand[i].resource] >= lane->demand[i].units);
        self->free[lane->demand[i].resource] -= lane->demand[i].units;
    }
    if (lane->gpu_units > 0) {
        executor->gpu_mask = gpus_pick(self, lane->gpu_units);
        executor->gpu_each = lane->gpu_units < UNITS_PER_ONE ? lane->gpu_units : UNITS_PER_ONE;
        ensure(executor->gpu_mask != 0);
    }
    for (uint32_t i = 0; i < self->gpu_count; i++) {
        self->gpu_free[i] -= executor->gpu_mask >> i & 1 ? executor->gpu_each : 0;
    }
}

void resources_give(struct worker *self, uint32_t index)
{
    struct executor *executor = executor_at(self, index);
    const struct lane *lane = lane_at(self, executor->lane);
    if (!executor->holds) {
        return;
    }
    executor->holds = false;
    for (uint32_t i = 0; i < lane->demand_count; i++) {
        if (lane->demand[i].resource != self->cpu) {
            self->free[lane->demand[i].resource] += lane->demand[i].units;
        } else if (!executor->waits) {
            cpus_give(self, lane->demand[i].units);
        }
    }
    executor->waits = false;
    for (uint32_t i = 0; i < self->gpu_count; i++) {
        self->gpu_free[i] += executor->gpu_mask >> i & 1 ? executor->gpu_each : 0;
    }
    executor->gpu_mask = 0;
    self->admit = true;
}

/*  Whether the attempts that wait in a lane are worth another process, given that none of its own is idle. */
bool lane_wants_executor(const struct worker *self, const struct lane *lane)
{
    if (!lane->resident) {
        return true;
    }
    if (lane->spawning >= lane->waiting.count || self->now_ms < self->spawn_again_ms) {
        return false;
    }
    if (lane->demand_count == 0 && lane->spawning > 0) {
        return false; /* nothing but this limits how many there will be */
    }
    if (lane->hungry.count + lane->busy.count == lane->stuck) {
        return true;
    }
    const struct spec *spec = spec_at(self, attempt_at(self, lane->waiting.first)->spec);
    if (!spec->known || spec->mean_us16 >= LONG_US * 16 || lane->gpu_units > 0) {
        return true;
    }
    return (uint64_t)lane->waiting.count * spec->mean_us16 / 16 / BACKLOG_US > lane->spawning;
}

/*  One step for a lane: a batch given or a process begun; false when nothing more can be done for it now.
    `kept`: resources that an older demand waits for. */
static bool admit_one(struct worker *self, uint32_t lane_index, uint64_t kept)
{
    struct lane *lane = lane_at(self, lane_index);
    bool held_back = false;
    for (uint32_t i = 0; i < lane->demand_count; i++) {
        held_back = held_back || (kept >> lane->demand[i].resource & 1);
    }
    bool fits = resources_fit(self, lane) && !held_back;
    uint32_t idle = lane->idle.first;
    if (idle != NONE && (fits || executor_at(self, idle)->holds)) {
        executor_give(self, idle);
        return true;
    }
    if (fits && idle == NONE && lane_wants_executor(self, lane)) {
        uint32_t executor = executor_spawn(self, lane_index);
        if (executor != NONE && !lane->resident) {
            executor_give(self, executor);
        }
        if (executor != NONE) {
            return true;
        }
    }
    if (lane->hungry.first != NONE && !held_back) {
        executor_give(self, lane->hungry.first);
        return true;
    }
    return false;
}

static bool may_admit(const struct worker *self)
{
    return self->admit && !self->stopping && !self->exiting && !reports_full(self);
}

void admission_run(struct worker *self)
{
    if (self->spawn_again_ms != 0 && self->now_ms >= self->spawn_again_ms) {
        self->spawn_again_ms = 0;
        self->admit = true;
    }
    if (!may_admit(self)) {
        return;
    }
    self->admit = false; /* set again by what changes below: one more look then, at the next call */
    struct chain aside;
    chain_init(&aside);
    uint64_t kept = 0;
    while (heap_first(&self->lane_heap) != NONE && act_room(self)) {
        uint32_t index = heap_first(&self->lane_heap);
        struct lane *lane = lane_at(self, index);
        uint64_t before = self->admissions;
        heap_remove(&self->lane_heap, index);
        while (lane->waiting.count > 0 && act_room(self) && admit_one(self, index, kept)) {}
        if (self->admissions != before) {
            lane->passed = 0;
        }
        if (lane->waiting.count > 0) {
            lane->mark = self->admissions;
            chain_append(&aside, &self->lanes, LANE_ASIDE, index);
            kept |= lane->passed >= PASSED_MAX ? lane->missing : 0;
        }
    }
    bool full = !act_room(self);
    while (aside.first != NONE) {
        uint32_t index = aside.first;
        struct lane *lane = lane_at(self, index);
        chain_remove(&aside, &self->lanes, LANE_ASIDE, index);
        uint32_t passed =
            lane->missing == 0 ? 0 : lane->passed + (uint32_t)(self->admissions - lane->mark);
        lane_touch(self, index);
        lane->passed = passed;
    }
    self->admit = full;
}
