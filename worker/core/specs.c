/*  specs.c - what can run here: specs as the head told them, the lanes that they share, the programs they need.
    None of them is ever forgotten while the worker lives: the head tells a spec once. */
#include "worker/core/state.h"

static uint64_t hash_bytes(uint64_t hash, const void *p, size_t n)
{
    const uint8_t *bytes = p;
    for (size_t i = 0; i < n; i++) { /* FNV-1a */
        hash = (hash ^ bytes[i]) * 0x100000001B3u;
    }
    return hash;
}

enum { HASH_SEED = 0x4F1BBCDD };

uint32_t spec_index(const struct worker *self, uint64_t id)
{
    return map_find(&self->spec_map, id);
}

static uint32_t program_of(struct worker *self, struct slice hash, uint32_t spec)
{
    if (hash.n == 0) {
        return NONE;
    }
    uint64_t key = hash_bytes(HASH_SEED, hash.p, hash.n);
    uint32_t index = map_find(&self->program_map, key);
    while (index != NONE && !slice_same(hash, slice_text(program_at(self, index)->hash))) {
        index = map_next(&self->program_map, index);
    }
    if (index != NONE || spec == NONE) {
        return index;
    }
    index = pool_take(&self->programs); /* as many as specs: never full */
    struct program *program = program_at(self, index);
    program->key = key;
    program->spec = spec;
    slice_copy_text(hash, program->hash, sizeof(program->hash));
    map_add(&self->program_map, index);
    return index;
}

static void append_text(char *to, size_t capacity, const char *text)
{
    size_t n = strlen(to);
    slice_copy_text(slice_text(text), to + n, capacity - n);
}

static void lane_lacks(struct lane *lane, const char *resource)
{
    if (!lane->infeasible) {
        lane->infeasible = true;
        append_text(lane->why, sizeof(lane->why), "the task demands more '");
        append_text(lane->why, sizeof(lane->why), resource);
        append_text(lane->why, sizeof(lane->why), "' than this node has");
    }
}

/*  A demand in the order of this node's resources; what the node does not have is remembered in `why`. */
static void lane_demand(const struct worker *self, struct lane *lane, struct list demand)
{
    uint64_t units[RESOURCES_MAX] = { 0 };
    struct rec_amount amount;
    while (next_amount(&demand, &amount)) {
        char name[RESOURCE_NAME_MAX + 1];
        slice_copy_text(amount.name, name, sizeof(name));
        uint32_t i = 0;
        while (i < self->config.amount_count && strcmp(self->config.amounts[i].name, name) != 0) {
            i++;
        }
        uint64_t room =
            i < self->config.amount_count ? self->config.amounts[i].units - units[i] : 0;
        if (amount.units > room) {
            lane_lacks(lane, name);
        } else if (i < self->config.amount_count) {
            units[i] += amount.units;
        }
    }
    for (uint32_t i = 0; i < self->config.amount_count; i++) {
        if (units[i] > 0) {
            lane->demand[lane->demand_count].resource = i;
            lane->demand[lane->demand_count++].units = units[i];
        }
    }
    lane->gpu_units = self->gpu == NONE ? 0 : units[self->gpu];
    if (lane->gpu_units > UNITS_PER_ONE * self->gpu_count) {
        lane_lacks(lane, "GPU");
    }
}

static bool lane_same(const struct lane *a, const struct lane *b)
{
    if (a->job != b->job || a->program != b->program || a->resident != b->resident ||
        a->demand_count != b->demand_count || strcmp(a->why, b->why) != 0) {
        return false;
    }
    for (uint32_t i = 0; i < a->demand_count; i++) {
        if (a->demand[i].resource != b->demand[i].resource ||
            a->demand[i].units != b->demand[i].units) {
            return false;
        }
    }
    return true;
}

static uint32_t lane_of(struct worker *self, const struct rec_spec_info *info, uint32_t spec)
{
    struct lane want = { .job = info->job,
                         .resident = info->kind == SPEC_FUNCTION,
                         .in_heap = NONE };
    want.program = program_of(self, info->program, spec);
    lane_demand(self, &want, info->demand);
    uint64_t key = hash_bytes(HASH_SEED, &want.job, sizeof(want.job));
    key = hash_bytes(key, &want.program, sizeof(want.program));
    for (uint32_t i = 0; i < want.demand_count; i++) {
        key = hash_bytes(key, &want.demand[i].units, sizeof(want.demand[i].units));
    }
    uint32_t index = map_find(&self->lane_map, key);
    while (index != NONE && !lane_same(lane_at(self, index), &want)) {
        index = map_next(&self->lane_map, index);
    }
    if (index != NONE) {
        return index;
    }
    index = pool_take(&self->lanes); /* as many as specs: never full */
    want.key = key;
    chain_init(&want.waiting);
    chain_init(&want.idle);
    chain_init(&want.hungry);
    chain_init(&want.busy);
    *lane_at(self, index) = want;
    map_add(&self->lane_map, index);
    return index;
}

void spec_learn(struct worker *self, const struct rec_spec_info *info, uint32_t frame)
{
    if (spec_index(self, info->id) != NONE) {
        return;
    }
    uint32_t index = pool_take(&self->specs);
    if (index == NONE) {
        return; /* its attempts are refused: attempts.c */
    }
    struct spec *spec = spec_at(self, index);
    struct spec_view *view = &spec->view;
    view->id = info->id;
    view->job = info->job;
    view->kind = info->kind;
    view->user = info->user;
    view->run_ms_max = info->run_ms_max;
    view->body = info->body;
    slice_copy_text(info->name, view->name, sizeof(view->name));
    slice_copy_text(info->program, view->program, sizeof(view->program));
    slice_copy_text(info->submission, view->submission, sizeof(view->submission));
    struct list demand = info->demand;
    struct rec_amount amount;
    while (next_amount(&demand, &amount)) {
        if (slice_same(amount.name, slice_text("CPU"))) {
            view->cpus_units = amount.units > UINT32_MAX ? UINT32_MAX : (uint32_t)amount.units;
        } else if (slice_same(amount.name, slice_text("memory"))) {
            view->memory_bytes = amount.units;
        }
    }
    spec->frame = frame;
    frame_hold(self, frame); /* for ever */
    spec->lane = lane_of(self, info, index);
    map_add(&self->spec_map, index);
}

void spec_ran(struct spec *spec, uint64_t run_us)
{
    uint32_t now = run_us > 1u << 26 ? 1u << 30 : (uint32_t)run_us << 4;
    if (!spec->known) {
        spec->known = true;
        spec->mean_us16 = now;
    } else {
        spec->mean_us16 = spec->mean_us16 - spec->mean_us16 / 8 + now / 8;
    }
}

static bool lane_can_start(const struct worker *self, const struct lane *lane)
{
    return lane->waiting.count > 0 &&
           (lane->program == NONE || program_at(self, lane->program)->state == PROGRAM_HERE);
}

void lane_touch(struct worker *self, uint32_t index)
{
    struct lane *lane = lane_at(self, index);
    if (lane->waiting.count > 0 && lane->program != NONE) {
        struct program *program = program_at(self, lane->program);
        if (program->state == PROGRAM_ABSENT) {
            program->state = PROGRAM_WANTED;
            chain_append(&self->fetches, &self->programs, PROGRAM_PLACE, lane->program);
        }
    }
    if (!lane_can_start(self, lane)) {
        heap_remove(&self->lane_heap, index);
        return;
    }
    uint64_t arrival = attempt_at(self, lane->waiting.first)->arrival;
    if (lane->in_heap == NONE || arrival != lane->front) {
        lane->passed = 0;
        heap_set(&self->lane_heap, index, arrival);
    }
    self->admit = true;
}

void on_program(struct worker *self, const struct worker_event *event)
{
    uint32_t index = program_of(self, event->hash, NONE);
    if (index == NONE || program_at(self, index)->state != PROGRAM_FETCHING) {
        return;
    }
    bool here = event->code == OK;
    if (here) {
        program_at(self, index)->state = PROGRAM_HERE;
    }
    for (uint32_t i = 0; i < self->lanes.fresh; i++) { /* lanes are never freed */
        if (lane_at(self, i)->program != index) {
            continue;
        }
        while (!here && lane_at(self, i)->waiting.count > 0) {
            attempt_end(self, lane_at(self, i)->waiting.first,
                        &(struct rec_done){
                            .outcome = OUTCOME_SETUP_FAILED, .status = 125, .text = event->text });
        }
        lane_touch(self, i);
    }
    if (!here) {
        program_at(self, index)->state =
            PROGRAM_ABSENT; /* who needs it next has it fetched again */
    }
}

void programs_emit(struct worker *self)
{
    while (self->fetches.first != NONE && act_room(self)) {
        uint32_t index = self->fetches.first;
        chain_remove(&self->fetches, &self->programs, PROGRAM_PLACE, index);
        program_at(self, index)->state = PROGRAM_FETCHING;
        act_new(self, ACT_FETCH)->spec = &spec_at(self, program_at(self, index)->spec)->view;
    }
}
