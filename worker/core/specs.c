/*  specs.c - what can run here: specs as the head told them, the lanes that they share, the programs they need.
    The head tells a spec once; forget.c says when one goes. */
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

static uint32_t program_find(const struct worker *self, struct slice hash, bool package,
                             uint64_t user)
{
    uint32_t index = map_find(&self->program_map, hash_bytes(HASH_SEED, hash.p, hash.n));
    while (index != NONE &&
           (!slice_same(hash, slice_text(program_at(self, index)->hash)) ||
            program_at(self, index)->package != package || program_at(self, index)->user != user)) {
        index = map_next(&self->program_map, index);
    }
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

/*  The lane's attempts need this first. */
static void lane_need(struct worker *self, struct lane *lane, struct slice hash, bool package,
                      uint64_t user)
{
    uint32_t index = program_find(self, hash, package, user);
    if (index == NONE) {
        index = pool_take(&self->programs);
        if (index == NONE) {
            specs_forget(self);
            index = pool_take(&self->programs);
        }
        if (index == NONE) {
            lane->infeasible = true;
            append_text(lane->why, sizeof(lane->why), "this node knows too many packages");
            return;
        }
        struct program *program = program_at(self, index);
        program->key = hash_bytes(HASH_SEED, hash.p, hash.n);
        program->known = true;
        program->package = package;
        program->user = user;
        slice_copy_text(hash, program->hash, sizeof(program->hash));
        map_add(&self->program_map, index);
    }
    program_at(self, index)->lanes++; /* of a lane that is there already, this is taken back */
    lane->needs[lane->need_count++] = index;
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
    if (a->job != b->job || a->need_count != b->need_count || a->resident != b->resident ||
        a->actor != b->actor || a->demand_count != b->demand_count || strcmp(a->why, b->why) != 0) {
        return false;
    }
    for (uint32_t i = 0; i < a->need_count; i++) {
        if (a->needs[i] != b->needs[i]) {
            return false;
        }
    }
    for (uint32_t i = 0; i < a->demand_count; i++) {
        if (a->demand[i].resource != b->demand[i].resource ||
            a->demand[i].units != b->demand[i].units) {
            return false;
        }
    }
    return true;
}

static uint32_t lane_of(struct worker *self, const struct rec_spec_info *info,
                        const struct spec_view *view)
{
    struct lane want = { .job = info->job,
                         .resident = info->kind == SPEC_FUNCTION,
                         .actor = info->kind == SPEC_ACTOR,
                         .in_heap = NONE };
    if (info->program.n > 0) {
        lane_need(self, &want, info->program, false, 0);
    }
    for (uint32_t i = 0; i < view->package_count; i++) {
        lane_need(self, &want, slice_text(view->packages[i].hash), true, view->user);
    }
    lane_demand(self, &want, info->demand);
    uint64_t key = hash_bytes(HASH_SEED, &want.job, sizeof(want.job));
    key = hash_bytes(key, want.needs, want.need_count * sizeof(want.needs[0]));
    for (uint32_t i = 0; i < want.demand_count; i++) {
        key = hash_bytes(key, &want.demand[i].units, sizeof(want.demand[i].units));
    }
    uint32_t index = map_find(&self->lane_map, key);
    while (index != NONE && !lane_same(lane_at(self, index), &want)) {
        index = map_next(&self->lane_map, index);
    }
    for (uint32_t i = 0; index != NONE && i < want.need_count; i++) {
        program_at(self, want.needs[i])->lanes--;
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
        specs_forget(self);
        index = pool_take(&self->specs);
    }
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
    view->concurrency = info->concurrency;
    view->returns = info->returns;
    view->body = info->body;
    view->groups = info->groups;
    view->group = info->group;
    slice_copy_text(info->name, view->name, sizeof(view->name));
    slice_copy_text(info->program, view->program, sizeof(view->program));
    slice_copy_text(info->submission, view->submission, sizeof(view->submission));
    struct list packages = info->packages;
    struct rec_package package;
    while (next_package(&packages, &package)) {
        struct package_view *its = &view->packages[view->package_count++];
        its->kind = package.kind;
        slice_copy_text(package.hash, its->hash, sizeof(its->hash));
    }
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
    spec->lane = NONE;
    frame_hold(self, frame);
    uint32_t lane = lane_of(self, info, view); /* which may forget others */
    spec->lane = lane;
    lane_at(self, lane)->specs++;
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

bool lane_can_start(const struct worker *self, const struct lane *lane)
{
    for (uint32_t i = 0; i < lane->need_count; i++) {
        if (program_at(self, lane->needs[i])->state != PROGRAM_HERE) {
            return false;
        }
    }
    return lane->waiting.count > 0;
}

void lane_touch(struct worker *self, uint32_t index)
{
    struct lane *lane = lane_at(self, index);
    for (uint32_t i = 0; lane->waiting.count > 0 && i < lane->need_count; i++) {
        struct program *program = program_at(self, lane->needs[i]);
        if (program->state == PROGRAM_ABSENT) {
            program->state = PROGRAM_WANTED;
            chain_append(&self->fetches, &self->programs, PROGRAM_PLACE, lane->needs[i]);
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

static bool lane_needs(const struct lane *lane, uint32_t program)
{
    for (uint32_t i = 0; i < lane->need_count; i++) {
        if (lane->needs[i] == program) {
            return true;
        }
    }
    return false;
}

bool worker_needs(const struct worker *self, struct slice hash, uint64_t user)
{
    uint32_t index = program_find(self, hash, user != 0, user);
    for (uint32_t i = 0; index != NONE && i < self->lanes.fresh; i++) {
        const struct lane *lane = lane_at(self, i);
        if (lane_needs(lane, index) &&
            lane->waiting.count + lane->idle.count + lane->hungry.count + lane->busy.count > 0) {
            return true;
        }
    }
    return index != NONE && program_at(self, index)->state != PROGRAM_ABSENT &&
           program_at(self, index)->state != PROGRAM_HERE;
}

void on_program(struct worker *self, const struct worker_event *event)
{
    uint32_t index =
        program_find(self, event->hash, event->package, event->package ? event->user : 0);
    if (index != NONE && event->code == ERR_CLOSED) { /* its folder is gone */
        ensure(program_at(self, index)->state == PROGRAM_HERE);
        program_at(self, index)->state = PROGRAM_ABSENT;
        return;
    }
    if (index == NONE || program_at(self, index)->state != PROGRAM_FETCHING) {
        return;
    }
    bool here = event->code == OK;
    if (here) {
        program_at(self, index)->state = PROGRAM_HERE;
    }
    for (uint32_t i = 0; i < self->lanes.fresh; i++) {
        if (!lane_needs(lane_at(self, i), index)) {
            continue;
        }
        uint32_t outcome = event->package ? OUTCOME_ENV_FAILED : OUTCOME_SETUP_FAILED;
        while (!here && lane_at(self, i)->waiting.count > 0) {
            attempt_end(
                self, lane_at(self, i)->waiting.first,
                &(struct rec_done){ .outcome = outcome, .status = 125, .text = event->text });
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
        struct program *program = program_at(self, index);
        chain_remove(&self->fetches, &self->programs, PROGRAM_PLACE, index);
        program->state = PROGRAM_FETCHING;
        struct act *act = act_new(self, ACT_FETCH);
        act->hash = program->hash;
        act->package = program->package;
        act->user = program->user;
    }
}
