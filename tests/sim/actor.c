/*  actor.c - actors of simulated clients: each makes a few, calls them, and kills them when all else has ended.  And
    what must hold: one life at a time, the order of each lane, the newest checkpoint. */
#include "tests/sim/actor.h"

#include <stdio.h>
#include <stdlib.h>

#include "tests/sim/sim.h"

typedef unsigned long long ull;

void actor_specs(struct sim *sim, struct client *self)
{
    struct prng *rng = &sim->actors;
    bool submits = self->kind == CLIENT_ATTACHED || self->kind == CLIENT_DRIVER;
    if (!submits || self->study.wanted || !chance(rng, 400)) {
        return;
    }
    self->detaches = chance(rng, 400);
    name_draw(sim, self);
    for (uint32_t i = ACTOR_PLAN; i <= CALL_PLAN; i++) {
        bool actor = i == ACTOR_PLAN;
        char name[24];
        snprintf(name, sizeof(name), "f %u.%u", self->index, i);
        struct plan *plan = &self->plans[i];
        plan->kind = actor ? SPEC_ACTOR : SPEC_METHOD;
        plan->nests = actor && sim->nests;
        plan->run_us = actor ? 20000 : (uint32_t)between(rng, 200, 50000);
        plan->app_error = chance(rng, 300) ? (uint32_t)between(rng, 10, 300) : 0;
        plan->death = chance(rng, actor ? 150 : 400) ? (uint32_t)between(rng, 5, 150) : 0;
        sim->elements.n = sim->wire.n = 0;
        if (actor && chance(rng, 300)) {
            plan->demand[0] = UNITS_PER_ONE;
            proto_put_record(&sim->elements, REC_AMOUNT,
                             &(struct rec_amount){ slice_text("CPU"), UNITS_PER_ONE });
        }
        struct rec_spec record = { .index = i,
                                   .kind = plan->kind,
                                   .name = slice_text(name),
                                   .demand = wire_list(&sim->elements, plan->demand[0] > 0),
                                   .max_retries = (int32_t)prng_below(rng, actor ? 6 : 3),
                                   .retry_mode = actor ? RETRY_NONE : (uint32_t)prng_below(rng, 2),
                                   .backoff_ms = 100,
                                   .backoff_ms_max = 1000,
                                   .detached = actor && self->detaches };
        proto_put_record(&sim->wire, REC_SPEC, &record);
        ensure(!sim->wire.full);
        self->specs[i] = bytes_new(sim->wire.p, sim->wire.n);
    }
}

static bool is_plan(const struct client *self, uint32_t counter, uint32_t plan)
{
    return self->specs[plan] != NULL && self->calls[counter].spec == plan;
}

void actor_draw(struct sim *sim, struct client *self, uint32_t counter)
{
    enum { ACTORS_FEW = 3 };
    struct prng *rng = &sim->actors;
    struct call *call = &self->calls[counter];
    if (self->specs[ACTOR_PLAN] == NULL || self->plans[call->spec].kind == SPEC_VALUE) {
        return;
    }
    for (uint32_t i = 0; i < call->dep_count; i++) { /* an actor ends last: nobody waits for it */
        if (call->deps[i] < counter && is_plan(self, (uint32_t)call->deps[i], ACTOR_PLAN)) {
            call->dep_count = 0;
        }
    }
    bool makes = self->actor_count < ACTORS_FEW && chance(rng, self->actor_count == 0 ? 300 : 60);
    bool calls = !makes && self->actor_count > 0 && chance(rng, 600);
    if (!makes && !calls) {
        return;
    }
    uint32_t spec = makes ? ACTOR_PLAN : CALL_PLAN;
    if (self->spec_first[call->spec] == counter) {
        self->spec_first[call->spec] = 0;
    }
    self->spec_first[spec] = self->spec_first[spec] == 0 ? counter : self->spec_first[spec];
    call->spec = spec;
    call->dep_count = makes ? 0 : call->dep_count;
    if (call->cancel && (makes || counter % 2 == 1)) { /* with force: it would be refused */
        call->cancel = false;
        self->cancels--;
    }
    if (makes) {
        self->actors[self->actor_count++] = counter;
        bool first = self->naming.name != 0 && self->naming.counter == 0;
        self->naming.counter = first ? counter : self->naming.counter;
    } else {
        call->actor = self->actors[prng_below(rng, self->actor_count)];
    }
}

uint64_t actor_called(const struct client *self, uint32_t counter)
{
    uint32_t actor = self->calls[counter].actor;
    bool found = actor != 0 && name_is_found(self, actor);
    return actor == 0 ? 0 : found ? self->naming.found : task_id_of(self->session, actor).v;
}

static uint32_t actors_left(const struct client *self)
{
    uint32_t left = 0;
    for (uint32_t i = 0; i < self->actor_count; i++) {
        left += !self->calls[self->actors[i]].told && !name_is_found(self, self->actors[i]);
    }
    return left;
}

uint32_t actors_detached(const struct client *self)
{
    return self->detaches ? actors_left(self) : 0;
}

bool actor_asks(struct sim *sim, struct client *self)
{
    enum { KEPT_MS_MAX = 60000 };
    uint64_t left = actors_left(self);
    if (self->detaches) {
        return false; /* they live on */
    }
    /*  What they hold, CPUs or a process, may be what all others wait for, also other clients. */
    if (left == 0 || (!sim->healed && self->told_count + left < self->planned)) {
        return false;
    }
    uint64_t now_ms = client_now_ms(sim);
    if (self->actors_until_ms == 0) {
        self->actors_until_ms = now_ms + between(&sim->actors, 0, KEPT_MS_MAX);
    }
    if (now_ms < self->actors_until_ms && !sim->healed) {
        return false;
    }
    for (uint32_t i = 0; i < self->actor_count; i++) {
        if (!self->calls[self->actors[i]].told && !name_is_found(self, self->actors[i])) {
            client_say(sim, self, MSG_ACTOR_KILL,
                       &(struct msg_actor_kill){ SEQ_ACTOR | ++self->seq,
                                                 task_id_of(self->session, self->actors[i]).v,
                                                 chance(&sim->actors, 400) });
        }
    }
    return true;
}

/*  A detached actor has had its time: somebody kills it. */
static void detached_ends(struct sim *sim, uint32_t who, uint64_t actor, void *data)
{
    enum { AGAIN_US = 3000000 };
    const struct task_seen *task = oracle_task(sim, actor);
    bool lives = task != NULL && task->state < TASK_FINISHED;
    if (!lives && sim->healed) {
        return; /* before that, a power cut may take its row, or its end */
    }
    if (lives && sim->head.up && !sim->head.dead) {
        bool restart = !sim->healed && chance(&sim->actors, 300);
        SIM_NOTE(sim, "the actor %llx is killed%s", (ull)actor, restart ? ", to start again" : "");
        head_own(sim, MSG_ACTOR_KILL, &(struct msg_actor_kill){ 0, actor, restart });
    }
    sim_at(sim, sim->now_us + AGAIN_US, detached_ends, who, actor, data);
}

void seen_actor_new(struct sim *sim, const void *from)
{
    enum { KEPT_US_MAX = 200000000 };
    const struct row_actor_new *row = from;
    if (row->detached && !sim->oracle.replaying) {
        uint64_t until_us = sim->now_us + between(&sim->actors, 0, KEPT_US_MAX);
        until_us = until_us < sim->heal_us || sim->healed ? until_us : sim->heal_us;
        sim_at(sim, until_us, detached_ends, 0, row->id, NULL);
    }
}

/* --- what must hold --------------------------------------------------------------------------- */

static bool may_be_lost(struct sim *sim, uint64_t task)
{
    const struct job_seen *job = oracle_job_of(sim, task);
    return sim->head.power_cuts > 0 && (job == NULL || job->durability != DURABLE_FULL);
}

/*  But for workers that stand still: they kill it when they wake. */
static void check_one_life(struct sim *sim, uint32_t node, uint32_t executor,
                           const struct item *item)
{
    for (uint32_t i = 0; i < sim->worker_count * EXECUTORS_MAX; i++) {
        const struct node *its = &sim->nodes[i / EXECUTORS_MAX];
        bool awake = its->alive && its->paused_us <= sim->now_us;
        const struct executor *other = awake ? &its->executors[i % EXECUTORS_MAX] : NULL;
        bool same = i == node * EXECUTORS_MAX + executor;
        if (other == NULL || same || !other->live || !other->up || other->ending ||
            other->actor != item->task) {
            continue;
        }
        sim_fail(sim, 23, "the actor %llx begins as incarnation %u on worker %u, and lives on %u",
                 (ull)item->task, item->attempt, node, i / EXECUTORS_MAX);
    }
}

static struct lane_seen *lane_of(struct lanes_seen *lanes, uint64_t actor, uint64_t session)
{
    for (uint32_t i = 0; i < lanes->count; i++) {
        if (lanes->list[i].actor == actor && lanes->list[i].session == session) {
            return &lanes->list[i];
        }
    }
    lanes->list = grown(lanes->list, &lanes->room, lanes->count, sizeof(*lanes->list));
    lanes->list[lanes->count] = (struct lane_seen){ .actor = actor, .session = session };
    return &lanes->list[lanes->count++];
}

void actor_begins(struct sim *sim, uint32_t node, uint32_t executor, const struct item *item,
                  uint32_t starts)
{
    const struct task_seen *task = oracle_task(sim, item->task);
    if (may_be_lost(sim, item->task)) {
        return;
    }
    if (item->spec->kind == SPEC_ACTOR) {
        check_one_life(sim, node, executor, item);
    }
    if (item->spec->kind != SPEC_METHOD || task == NULL || starts > 1) {
        return;
    }
    uint64_t session = task_session((task_id){ item->task });
    struct lane_seen *lane = lane_of(&sim->lanes, task->actor, session);
    if (item->task < lane->last) {
        sim_fail(sim, 24, "the call %llx of the actor %llx begins after the later call %llx",
                 (ull)item->task, (ull)task->actor, (ull)lane->last);
    }
    lane->last = item->task;
}

void actor_committed(struct sim *sim, uint64_t actor, uint64_t hash)
{
    struct task_seen *task = oracle_task(sim, actor);
    if (task != NULL) {
        task->checkpoint = hash;
    }
}

void actor_saves(struct sim *sim, uint64_t id, struct list *sealed, uint8_t *bytes, size_t capacity)
{
    const struct task_seen *call = oracle_task(sim, id);
    if (call == NULL || call->dep_count == 0) {
        return;
    }
    uint8_t inner[24];
    struct wire inside = { inner, 0, sizeof(inner), false };
    struct wire to = { bytes, sealed->bytes.n, capacity, false };
    proto_put_record(&inside, REC_OBJECT,
                     &(struct rec_object){ .task = sim->oracle.deps[call->dep_first] });
    proto_put_record(&to, REC_SEALED,
                     &(struct rec_sealed){ .index = RETURNS_MAX, .inside = wire_list(&inside, 1) });
    ensure(!inside.full && !to.full);
    *sealed = wire_list(&to, sealed->count + 1);
}

uint64_t actor_keeps(const struct sim *sim, uint64_t id)
{
    for (uint32_t i = 0; i < sim->oracle.task_count; i++) {
        const struct task_seen *task = &sim->oracle.tasks[i];
        if (task->kept == id && task->state < TASK_FINISHED && !task->deleted) {
            return task->id;
        }
    }
    return 0;
}

/*  Also of a call that was cancelled while it ran: what it has committed is its actor's. */
void seen_actor_checkpoint(struct sim *sim, const void *from)
{
    const struct row_actor_checkpoint *row = from;
    const struct task_seen *call = oracle_task(sim, row->task);
    const struct effect *effect = call == NULL ? NULL : effect_of(sim, call->token);
    uint64_t hash = hash_bytes_of(3, row->value.p, row->value.n);
    bool right = effect != NULL && effect->checkpoint == hash && call->actor == row->id;
    if (!sim->oracle.replaying && !right) {
        sim_fail(sim, 26, "the checkpoint of the actor %llx is not what its call %llx committed",
                 (ull)row->id, (ull)row->task);
    }
    actor_committed(sim, row->id, hash);
    struct list inside = { row->inside, NONE };
    struct rec_object object = { 0 };
    struct task_seen *actor = oracle_task(sim, row->id);
    if (actor != NULL) {
        actor->kept = row->inside.n > 0 && next_object(&inside, &object) ? object.task : 0;
    }
}

void actor_sent(struct sim *sim, const struct rec_start *start)
{
    const struct task_seen *task = oracle_task(sim, start->task);
    const struct spec_seen *spec = task == NULL ? NULL : oracle_spec(sim, task->spec);
    if (spec == NULL || spec->kind != SPEC_ACTOR || start->attempt == 1 ||
        task->token != start->token || effect_of(sim, start->token) != NULL) {
        return; /* also if it has begun: it is said again, and does not start from that */
    }
    uint64_t hash =
        start->checkpoint.n > 0 ? hash_bytes_of(3, start->checkpoint.p, start->checkpoint.n) : 0;
    if (hash != task->checkpoint) {
        sim_fail(sim, 26,
                 "incarnation %u of the actor %llx does not start from its newest checkpoint",
                 start->attempt, (ull)start->task);
    }
}

void actor_killed(struct sim *sim, const struct msg_changed *msg)
{
    const struct task_seen *task = oracle_task(sim, msg->id);
    if (task == NULL) {
        sim_fail(sim, 2, "the actor %llx is told to be killed, and has no row", (ull)msg->id);
    }
}

/*  A DEAD actor does not come back, and its task has ended in the same batch or before. */
void seen_actor_dead(struct sim *sim, const void *from)
{
    const struct row_actor_dead *row = from;
    name_freed(sim, row->id);
    const struct task_seen *task = oracle_task(sim, row->id);
    if (!sim->oracle.replaying && (task == NULL || task->state < TASK_FINISHED)) {
        sim_fail(sim, 25, "the actor %llx is dead, and its task has not ended", (ull)row->id);
    }
}

/*  The detached actor that it goes on with; NULL: with its job. */
static const struct task_seen *root_of(struct sim *sim, const struct task_seen *task)
{
    const struct session_seen *session = oracle_session(sim, task_session((task_id){ task->id }));
    return session == NULL || session->root == 0 ? NULL : oracle_task(sim, session->root);
}

bool actor_lingers(struct sim *sim, const struct task_seen *task)
{
    return oracle_spec(sim, task->spec)->detached || root_of(sim, task) != NULL;
}

void rule_root(struct sim *sim, const struct task_seen *task)
{
    const struct task_seen *root = root_of(sim, task);
    bool dead = root != NULL && root->state >= TASK_FINISHED && root->commit < sim->oracle.commit;
    if (dead && !oracle_spec(sim, task->spec)->detached) {
        sim_fail(sim, 15, "%llx is leased, but the actor %llx, which has led to it, is dead",
                 (ull)task->id, (ull)root->id);
    }
}

void rule_orphan(struct sim *sim, const struct task_seen *task, uint32_t failure)
{
    if (failure != FAILURE_OWNER_DIED && actor_lingers(sim, task)) {
        sim_fail(sim, 25, "%llx is given up with its job, but is detached, or a detached actor's",
                 (ull)task->id);
    }
    const struct task_seen *root = root_of(sim, task);
    const struct task_seen *parent = oracle_task(sim, task->parent);
    bool over = parent == NULL || parent->state >= TASK_FINISHED ||
                parent->fence >= task->parent_token || parent->token != task->parent_token;
    if (failure == FAILURE_OWNER_DIED && !over && (root == NULL || root->state < TASK_FINISHED)) {
        sim_fail(sim, 15, "%llx is given up, but %llx, which has submitted it, goes on",
                 (ull)task->id, (ull)task->parent);
    }
}

void rule_session(struct sim *sim, const struct client *self)
{
    const struct task_seen *actor = oracle_task(sim, self->driver);
    bool lives = actor != NULL && actor->token == self->token && actor->fence < self->token &&
                 (actor->state == TASK_LEASED || actor->state == TASK_RUNNING);
    bool silent = client_now_ms(sim) >= self->heard_ms + sim->head.config.lease_ms;
    if (lives && oracle_spec(sim, actor->spec)->detached && sim->head.power_cuts == 0 &&
        (self->session == 0 || !silent)) {
        sim_fail(sim, 25, "the actor %llx lives, is detached, and may submit nothing",
                 (ull)actor->id);
    }
}

void actors_fini(struct sim *sim)
{
    free(sim->lanes.list);
}
