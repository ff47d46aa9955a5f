/*  worker.c - the face of the worker's core: memory, events to their handlers, acts in their order, the end. */
#include "worker/core/worker.h"

#include <signal.h>
#include "worker/core/state.h"

struct worker_limits worker_limits(void)
{
    return (struct worker_limits){
        .attempts = 1 << 16, .executors = 1024, .specs = 1 << 14, .reports = 1024
    };
}

/*  Memory is cut into pieces in one order; without memory, only their size is counted. */
struct cutter {
    uint8_t *memory;
    size_t bytes;
};

static void *cut(struct cutter *cutter, size_t bytes)
{
    void *piece = cutter->memory ? cutter->memory + cutter->bytes : NULL;
    cutter->bytes += (bytes + 63) & ~(size_t)63;
    return piece;
}

static void cut_pool(struct cutter *cutter, struct pool *pool, uint32_t capacity, size_t slot_bytes)
{
    void *memory = cut(cutter, pool_bytes(capacity, (uint32_t)slot_bytes));
    pool_init(pool, memory, capacity, (uint32_t)slot_bytes);
}

static void cut_map(struct cutter *cutter, struct map *map, const struct pool *slots, size_t key,
                    size_t link)
{
    void *memory = cut(cutter, map_bytes(slots->capacity));
    if (memory) {
        map_init(map, memory, slots->capacity, slots, (uint32_t)key, (uint32_t)link);
    }
}

static void cut_heap(struct cutter *cutter, struct heap *heap, const struct pool *slots,
                     size_t time, size_t place)
{
    void *memory = cut(cutter, heap_bytes(slots->capacity));
    heap_init(heap, memory, slots->capacity, slots, (uint32_t)time, (uint32_t)place);
}

static void cut_all(struct cutter *cutter, struct worker *self, const struct worker_limits *limits)
{
    uint32_t frames = limits->attempts + limits->specs + 2 * WORKER_EVENTS_PER_TURN;
    cut_pool(cutter, &self->attempts, limits->attempts, sizeof(struct attempt));
    cut_pool(cutter, &self->frames, frames, sizeof(struct frame));
    cut_pool(cutter, &self->specs, limits->specs, sizeof(struct spec));
    cut_pool(cutter, &self->programs, 2 * limits->specs, sizeof(struct program));
    cut_pool(cutter, &self->lanes, limits->specs, sizeof(struct lane));
    cut_pool(cutter, &self->executors, limits->executors, sizeof(struct executor));
    /* `reports` is where new attempts stop; each of those that are here may still need one */
    cut_pool(cutter, &self->reports, limits->reports + limits->attempts, sizeof(struct report));
    cut_map(cutter, &self->attempt_map, &self->attempts, offsetof(struct attempt, task),
            offsetof(struct attempt, link));
    cut_map(cutter, &self->spec_map, &self->specs, offsetof(struct spec, view.id),
            offsetof(struct spec, link));
    cut_map(cutter, &self->program_map, &self->programs, offsetof(struct program, key),
            offsetof(struct program, link));
    cut_map(cutter, &self->lane_map, &self->lanes, offsetof(struct lane, key),
            offsetof(struct lane, link));
    cut_map(cutter, &self->report_map, &self->reports, offsetof(struct report, seq),
            offsetof(struct report, link));
    cut_heap(cutter, &self->lane_heap, &self->lanes, offsetof(struct lane, front),
             offsetof(struct lane, in_heap));
    cut_heap(cutter, &self->executor_heap, &self->executors, offsetof(struct executor, timer),
             offsetof(struct executor, in_heap));
    self->refusals = cut(cutter, REFUSALS_MAX * sizeof(struct refusal));
    self->acts = cut(cutter, ACTS_MAX * sizeof(struct act));
    self->scratch = (struct wire){ .p = cut(cutter, SCRATCH_BYTES), .capacity = SCRATCH_BYTES };
}

size_t worker_bytes(const struct worker_limits *limits)
{
    struct cutter cutter = { 0 };
    struct worker nowhere = { 0 };
    cut(&cutter, sizeof(struct worker));
    cut_all(&cutter, &nowhere, limits);
    return cutter.bytes;
}

struct worker *worker_init(void *memory, const struct worker_limits *limits,
                           const struct worker_config *config)
{
    struct cutter cutter = { .memory = memory };
    struct worker *self = cut(&cutter, sizeof(struct worker));
    memset(self, 0, sizeof(*self));
    self->limits = *limits;
    self->config = *config;
    cut_all(&cutter, self, limits);
    struct chain *chains[] = { &self->loose, &self->fetches, &self->idlers,    &self->acting,
                               &self->ended, &self->sent,    &self->forgotten, &self->calling,
                               &self->pulls, &self->pulling };
    for (size_t i = 0; i < COUNT(chains); i++) {
        chain_init(chains[i]);
    }
    self->beat_ms = 1000;
    self->orphan_ms = 10 * 60 * 1000; /* until a head says otherwise */
    self->cpu = self->gpu = NONE;
    for (uint32_t i = 0; i < config->amount_count; i++) {
        self->free[i] = config->amounts[i].units;
        self->cpu = strcmp(config->amounts[i].name, "CPU") == 0 ? i : self->cpu;
        if (strcmp(config->amounts[i].name, "GPU") == 0) {
            uint64_t count = config->amounts[i].units / UNITS_PER_ONE;
            self->gpu = i;
            self->gpu_count = count > GPUS_MAX ? GPUS_MAX : (uint32_t)count;
        }
    }
    for (uint32_t i = 0; i < self->gpu_count; i++) {
        self->gpu_free[i] = UNITS_PER_ONE;
    }
    return self;
}

void worker_end(struct worker *self, int how)
{
    if (!self->exiting) {
        worker_drop_all(self);
        self->exiting = true;
        self->exit_how = how;
    }
}

void worker_drop_all(struct worker *self)
{
    for (uint32_t i = 0; i < self->executors.fresh; i++) {
        if (executor_at(self, i)->state != EXECUTOR_FREE) {
            executor_end(self, i, SIGKILL);
        }
    }
    reports_forget_all(self);
    for (uint32_t i = 0; i < self->attempts.fresh; i++) {
        if (attempt_at(self, i)->state != ATTEMPT_FREE) {
            attempt_drop(self, i);
        }
    }
}

static void on_tick(struct worker *self, const struct worker_event *event)
{
    self->streams = event->streams;
}

static void on_message(struct worker *self, const struct worker_event *event)
{
    static void (*const handlers[MSG_KINDS])(struct worker *, const struct worker_event *) = {
        [MSG_WELCOME] = on_welcome,
        [MSG_WHO] = on_who,
        [MSG_NODE_JOINED] = on_node_joined,
        [MSG_START] = on_start,
        [MSG_RECALL] = on_recall,
        [MSG_DONE_ACK] = on_done_ack,
        [MSG_NODE_BEAT_ACK] = on_node_beat_ack,
        [MSG_NODE_STOP] = on_node_stop,
        [MSG_CHANGED] = on_drain_answer,
        [MSG_REFUSED] = on_drain_answer,
    };
    uint32_t kind = event->msg->kind;
    self->frame_now = frame_take(self, event->frame);
    if (self->link >= LINK_JOINING) {
        self->heard_ms = self->now_ms;
    }
    if (kind < MSG_KINDS && handlers[kind]) {
        handlers[kind](self, event);
    }
    frame_release(self, self->frame_now);
}

void worker_step(struct worker *self, const struct worker_event *event)
{
    static void (*const handlers[])(struct worker *, const struct worker_event *) = {
        [WEV_TICK] = on_tick,
        [WEV_CONNECTED] = on_connected,
        [WEV_DISCONNECTED] = on_disconnected,
        [WEV_MESSAGE] = on_message,
        [WEV_PROGRAM] = on_program,
        [WEV_SPAWNED] = on_spawned,
        [WEV_SPAWN_FAILED] = on_spawn_failed,
        [WEV_RAN] = on_ran,
        [WEV_TAKEN] = on_taken,
        [WEV_EXITED] = on_exited,
        [WEV_WAITS] = on_waits,
        [WEV_PULLED] = on_pulled,
        [WEV_STOP] = on_stop,
    };
    ensure(event->kind > 0 && event->kind < COUNT(handlers));
    if (!self->started) {
        self->started = true;
        self->now_ms = self->heard_ms = event->now_ms;
    }
    self->now_ms = event->now_ms > self->now_ms ? event->now_ms : self->now_ms;
    self->wall_ms = event->wall_ms;
    handlers[event->kind](self, event);
}

struct act *act_new(struct worker *self, enum act_kind kind)
{
    ensure(self->act_count < ACTS_MAX);
    struct act *act = &self->acts[self->act_count++];
    act->kind = kind;
    act->executor = NONE;
    act->frame = NONE;
    act->how = 0;
    act->report = 0;
    act->unseal = false;
    act->spec = NULL;
    act->gpus[0] = 0;
    return act;
}

static void exit_emit(struct worker *self)
{
    bool quiet = self->acting.count == 0 && !self->bye_due && self->forgotten.count == 0 &&
                 self->loose.count == 0;
    if (self->exiting && quiet && act_room(self)) {
        act_new(self, ACT_EXIT)->how = self->exit_how;
        self->gone = true;
    }
}

static uint64_t deadline(const struct worker *self)
{
    uint64_t at = membership_deadline(self);
    uint64_t others[] = { heap_time(&self->executor_heap), reports_deadline(self),
                          self->spawn_again_ms == 0 ? UINT64_MAX : self->spawn_again_ms,
                          drain_deadline(self), actors_deadline(self) };
    for (size_t i = 0; i < COUNT(others); i++) {
        at = others[i] < at ? others[i] : at;
    }
    return self->gone ? UINT64_MAX : at;
}

bool worker_ready(struct worker *self, struct worker_batch *out)
{
    self->act_count = 0;
    if (self->started && !self->gone) {
        membership_tick(self);
        executors_tick(self);
        actors_tick(self);
        drain_tick(self);
        admission_run(self);
        programs_emit(self);
        pulls_emit(self);
        actors_emit(self);
        executors_emit(self);
        reports_emit(self);
        membership_emit(self);
        frames_emit(self);
        exit_emit(self);
    }
    *out = (struct worker_batch){ self->acts, self->act_count, deadline(self) };
    return self->act_count > 0;
}

struct worker_stats worker_stats(const struct worker *self)
{
    return (struct worker_stats){ .waiting = self->waiting + pulls_count(self),
                                  .running = self->running,
                                  .executors = self->executors.taken,
                                  .unreported =
                                      self->attempts.taken - self->waiting - self->running,
                                  .node = self->node,
                                  .epoch = self->epoch,
                                  .cluster = self->cluster };
}
