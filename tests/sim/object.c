/*  object.c - objects of the simulated world.  What a client puts is in the store of a node, or in its row; clients drop
    what they have while tasks, also of others, still wait for it; nodes die with what they have. */
#include "tests/sim/object.h"

#include <stdlib.h>
#include "tests/sim/drain.h"
#include "tests/sim/sim.h"
#include "tests/sim/store.h"

enum { DROP_AGAIN_MS = 2000, DROPS_OF_A_FRAME = 64 };
#define INSIDE_OF_ARGUMENTS UINT32_MAX /* an index */
typedef unsigned long long ull;

void object_draw(struct sim *sim, struct call *call, uint64_t id)
{
    struct node *node = &sim->nodes[prng_below(&sim->values, sim->worker_count)];
    call->stored_at =
        node->alive && task_session((task_id){ id }) != 0 ? worker_stats(node->core).node : 0;
    if (call->stored_at != 0) {
        store_seal(sim, node, id, 0);
    }
}

void object_call(const struct client *self, const struct call *call, struct wire *sealed,
                 struct rec_call *out)
{
    uint8_t bytes[24];
    struct wire inside = { bytes, 0, sizeof(bytes), false };
    if (call->inside != 0) {
        uint64_t id = task_id_of(self->session, call->inside).v;
        proto_put_record(&inside, REC_OBJECT, &(struct rec_object){ .task = id });
    }
    if (call->stored_at != 0 || call->inside != 0) {
        proto_put_record(sealed, REC_SEALED,
                         &(struct rec_sealed){ .size = call->stored_at != 0 ? OBJECT_BYTES : 0,
                                               .inside = wire_list(&inside, call->inside != 0) });
        out->sealed = wire_list(sealed, 1);
        out->node = call->stored_at;
    }
}

struct list object_result(struct sim *sim, uint32_t node, const struct item *item,
                          struct slice room)
{
    struct wire sealed = { (uint8_t *)(uintptr_t)room.p, 0, room.n, false };
    if (item->task % 3 != 0 || item->spec->kind == SPEC_ACTOR) {
        return (struct list){ 0 };
    }
    store_seal(sim, &sim->nodes[node], item->task, item->token);
    proto_put_record(&sealed, REC_SEALED, &(struct rec_sealed){ .size = OBJECT_BYTES });
    return wire_list(&sealed, 1);
}

void object_drops(struct sim *sim, struct client *self)
{
    bool submits = self->kind == CLIENT_ATTACHED || self->kind == CLIENT_DRIVER;
    bool all_sent = self->made == self->planned && self->below == (uint64_t)self->made + 1;
    uint64_t now_ms = client_now_ms(sim);
    if (!submits || !all_sent || self->index % 2 != 0 || self->session == 0 ||
        self->drops >= self->made || now_ms < self->dropped_ms + DROP_AGAIN_MS) {
        return;
    }
    uint8_t bytes[DROPS_OF_A_FRAME * 24];
    struct wire wire = { bytes, 0, sizeof(bytes), false };
    uint32_t count = 0;
    for (uint64_t c = self->drops + 1; c <= self->made && count < DROPS_OF_A_FRAME; c++, count++) {
        proto_put_record(&wire, REC_REF,
                         &(struct rec_ref){ .task = task_id_of(self->session, c).v });
    }
    self->dropped_ms = now_ms;
    client_say(sim, self, MSG_REFS,
               &(struct msg_refs){ .seq = SEQ_SESSION | ++self->seq,
                                   .session = self->session,
                                   .first = self->drops + 1,
                                   .refs = wire_list(&wire, count) });
}

void object_taken(struct client *self, const struct msg_refs_taken *msg)
{
    if (msg->session == self->session && msg->below > self->drops + 1) {
        self->drops = msg->below - 1;
        self->dropped_ms = 0;
    }
}

/* --- from node to node --------------------------------------------------------------------------- */

/*  Of one ACT_PULL. */
struct pulled {
    uint64_t task, token;
    uint32_t count;
    uint64_t objects[];
};

/*  Of what it could not get, the head is asked where it is now; the answer is not looked at, but who has said that he
    has it may not be named again. */
static void fetch_failed(struct sim *sim, struct node *node, uint64_t task)
{
    uint8_t bytes[WORKERS_MAX * 32];
    struct wire wire = { bytes, 0, sizeof(bytes), false };
    uint32_t count = 0;
    for (uint32_t i = 0; i < sim->worker_count; i++) {
        uint64_t id = sim->nodes[i].alive ? worker_stats(sim->nodes[i].core).node : 0;
        if (id != 0 && !store_has(&sim->nodes[i], task)) {
            proto_put_record(&wire, REC_MISSING, &(struct rec_missing){ .task = task, .node = id });
            count++;
        }
    }
    net_to_head(sim, node->index, MSG_FETCH_FAILED,
                &(struct msg_fetch_failed){ .node = worker_stats(node->core).node,
                                            .missing = wire_list(&wire, count) });
}

static void pull_ends(struct sim *sim, uint32_t who, uint64_t number, void *data)
{
    struct node *node = &sim->nodes[who];
    struct bytes *bytes = data;
    const struct pulled *pulled = (const struct pulled *)(const void *)bytes->p;
    if (node->alive && node->incarnation == number && sim->now_us < node->paused_us) {
        sim_at(sim, node->paused_us, pull_ends, who, number, data);
        return;
    }
    if (node->alive && node->incarnation == number) {
        bool full = chance(&sim->run, 20), lost = false;
        for (uint32_t i = 0; i < pulled->count && !full && !lost; i++) {
            lost = !store_fetch(sim, node, pulled->objects[i]);
            if (lost) {
                fetch_failed(sim, node, pulled->objects[i]);
            }
        }
        worker_tell(sim, who,
                    &(struct worker_event){ .kind = WEV_PULLED,
                                            .task = pulled->task,
                                            .token = pulled->token,
                                            .code = full   ? ERR_FULL
                                                    : lost ? ERR_NOT_FOUND
                                                           : OK });
    }
    free(bytes);
}

void object_pull(struct sim *sim, struct node *node, const struct act *act)
{
    struct list sources = act->held.sources;
    struct rec_source source;
    size_t size = sizeof(struct pulled) + sources.count * sizeof(uint64_t);
    struct pulled *pulled = calloc(1, size);
    ensure(pulled != NULL);
    pulled->task = act->held.task;
    pulled->token = act->held.token;
    while (next_source(&sources, &source)) {
        pulled->objects[pulled->count++] = source.task;
    }
    sim_at(sim, sim->now_us + between(&sim->run, 200, 2000000), pull_ends, node->index,
           node->incarnation, bytes_new(pulled, size));
    free(pulled);
}

/*  A call of an actor keeps its place: its executor has its arguments fetched. */
void object_needed(struct sim *sim, const struct node *node, const struct act *act)
{
    if (act->spec->kind == SPEC_METHOD) {
        return;
    }
    struct list sources = act->held.sources;
    struct rec_source source;
    struct rec_keeper keeper;
    while (next_source(&sources, &source)) {
        bool here = false;
        while (next_keeper(&source.places, &keeper)) {
            here = here || keeper.node == worker_stats(node->core).node;
        }
        if (!here && !store_had(node, source.task)) {
            sim_fail(sim, 14, "worker %u starts %llx before %llx, its argument, is there",
                     node->index, (ull)act->held.task, (ull)source.task);
        }
    }
}

/* --- what the rows must say -------------------------------------------------------------------- */

void seen_object_new(struct sim *sim, const void *from)
{
    const struct row_object_new *row = from;
    if (row->idx == INSIDE_OF_ARGUMENTS) {
        return;
    }
    struct task_seen *task = oracle_task(sim, row->task);
    bool known = task != NULL && task->object != 0 && task->object != DIRECTORY_AWAITED;
    if (task == NULL || (known && task->object != DIRECTORY_FREED)) { /* while it was awaited */
        sim_fail(sim, 27, "the object of %llx is sealed a second time, or without a task",
                 (ull)row->task);
    }
    task->object = row->state;
    task->object_node = row->node;
    task->object_epoch = sim->oracle.epoch; /* no worker here says what its store has */
    task->object_owned = row->owned;
    if (row->state == DIRECTORY_STORED && !sim->oracle.replaying) {
        rule_kept(sim, task);
    }
}

void seen_object_owned(struct sim *sim, const void *from)
{
    const struct row_object_owned *row = from;
    struct task_seen *task = oracle_task(sim, row->task);
    if (task != NULL) {
        task->object_owned = row->owned;
    }
}

void seen_object_where(struct sim *sim, const void *from)
{
    const struct row_object_where *row = from;
    struct task_seen *task = row->idx == 0 ? oracle_task(sim, row->task) : NULL;
    if (task != NULL) {
        task->object_node = row->node;
        task->object_epoch = sim->oracle.epoch;
    }
}

bool object_is_remade(const struct task_seen *task)
{
    return task->state == TASK_FINISHED && task->object == DIRECTORY_REBUILDING;
}

uint32_t object_attempt(const struct task_seen *task)
{
    return task->attempt + (task->state == TASK_FINISHED ? task->rebuilds : 0);
}

void seen_object_again(struct sim *sim, const void *from)
{
    const struct row_object_again *row = from;
    struct task_seen *task = oracle_task(sim, row->task);
    if (task == NULL || !object_is_remade(task)) {
        sim_fail(sim, 27, "the object of %llx is sealed again, but was not made again",
                 (ull)row->task);
    }
    index_add(&sim->oracle.good_index, task->token, 0);
    task->object = DIRECTORY_STORED;
    task->object_node = row->node;
    task->object_epoch = sim->oracle.epoch;
}

/*  Each run is charged, and there are none of what may run only once, or that no task has made. */
void seen_object_rebuilds(struct sim *sim, const void *from)
{
    const struct row_object_rebuilds *row = from;
    struct task_seen *task = oracle_task(sim, row->task);
    const struct spec_seen *spec = task == NULL ? NULL : oracle_spec(sim, task->spec);
    if (spec == NULL || spec->max_retries == 0 || spec->kind == SPEC_VALUE ||
        task->state != TASK_FINISHED) {
        sim_fail(sim, 30, "%llx runs again for its object: it may not", (ull)row->task);
    }
    bool returned = row->rebuilds > 0 && row->rebuilds == task->rebuilds && object_is_remade(task);
    if ((row->rebuilds != task->rebuilds + 1 && !returned) ||
        (spec->max_retries > 0 && task->charged + row->rebuilds > (uint32_t)spec->max_retries)) {
        sim_fail(sim, 30, "%llx runs for its object for the %uth time, after %u and %u retries",
                 (ull)row->task, row->rebuilds, task->rebuilds, task->charged);
    }
    task->rebuilds = row->rebuilds;
    task->returns += returned;
    if (object_is_remade(
            task)) { /* and not the first of them: its attempt is void, and its children's */
        task->fence = row->fence;
        task->again_commit = sim->oracle.commit;
    }
}

/*  A task that has not ended, and has it inside of its arguments; 0: there is none. */
static uint64_t inside_of(struct sim *sim, uint64_t id)
{
    for (uint32_t i = 0; i < sim->client_count; i++) {
        const struct client *self = &sim->clients[i];
        bool its = self->session != 0 && task_session((task_id){ id }) == self->session;
        for (uint32_t c = 1; its && c <= self->made; c++) {
            const struct task_seen *task = oracle_task(sim, task_id_of(self->session, c).v);
            if (self->calls[c].inside == task_counter((task_id){ id }) && task != NULL &&
                task->state < TASK_FINISHED && !task->deleted) {
                return task->id;
            }
        }
    }
    return 0;
}

static bool needs(const struct sim *sim, const struct task_seen *task, uint64_t dep)
{
    bool found = false;
    for (uint32_t i = 0; task->state < TASK_FINISHED && !task->deleted && i < task->dep_count;
         i++) {
        found = found || sim->oracle.deps[task->dep_first + i] == dep;
    }
    return found;
}

void seen_object_state(struct sim *sim, const void *from)
{
    const struct row_object_state *row = from;
    struct task_seen *task = oracle_task(sim, row->task);
    if (task == NULL || row->idx == INSIDE_OF_ARGUMENTS) {
        return; /* of a job that is deleted */
    }
    bool lost = row->state == DIRECTORY_LOST || row->state == DIRECTORY_REBUILDING;
    if (lost && index_find(&sim->died, row->task) == NONE) {
        sim_fail(sim, 29, "the object of %llx is lost, but no node has died that had a copy",
                 (ull)row->task);
    }
    bool freed = row->state == DIRECTORY_FREED && task->object == DIRECTORY_STORED;
    if (freed && !sim->oracle.replaying && task->object_owned) {
        sim_fail(sim, 31, "the object of %llx is released although its session holds it",
                 (ull)row->task);
    }
    for (uint32_t i = 0; freed && !sim->oracle.replaying && i < sim->oracle.task_count; i++) {
        if (needs(sim, &sim->oracle.tasks[i], row->task)) {
            sim_fail(sim, 31, "the object of %llx is released although %llx needs it",
                     (ull)row->task, (ull)sim->oracle.tasks[i].id);
        }
    }
    uint64_t outer = freed && !sim->oracle.replaying ? inside_of(sim, row->task) : 0;
    if (outer != 0) {
        sim_fail(sim, 31, "the object of %llx is released although %llx has it inside",
                 (ull)row->task, (ull)outer);
    }
    uint64_t actor = freed && !sim->oracle.replaying ? actor_keeps(sim, row->task) : 0;
    if (actor != 0) {
        sim_fail(sim, 31, "the object of %llx is released although the actor %llx has saved it",
                 (ull)row->task, (ull)actor);
    }
    task->object = row->state;
}

/*  Of what a task uses, how many are in the store of this node, or with 0 of any.  All are of one size. */
static uint32_t stored_of(struct sim *sim, const struct task_seen *task, uint64_t node)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < task->dep_count; i++) {
        const struct task_seen *dep = oracle_task(sim, sim->oracle.deps[task->dep_first + i]);
        count += dep != NULL && dep->object == DIRECTORY_STORED &&
                 (node == 0 || dep->object_node == node) && dep->object_epoch == sim->oracle.epoch;
    }
    return count;
}

static bool is_idle(const struct sim *sim, uint64_t node)
{
    for (uint32_t i = 0; i < sim->oracle.task_count; i++) {
        const struct task_seen *task = &sim->oracle.tasks[i];
        bool has = task->state == TASK_LEASED || task->state == TASK_RUNNING;
        if (task->node == node && (has || object_is_remade(task))) {
            return false;
        }
    }
    return true;
}

/*  The head has a connection to the worker of this node, which has said so lately. */
static bool is_heard(const struct sim *sim, uint64_t id)
{
    enum { LATELY_US = 1500 * 1000 };
    bool heard = false;
    for (uint32_t i = 0; i < sim->worker_count; i++) {
        const struct node *node = &sim->nodes[i];
        heard = heard || (node->alive && worker_stats(node->core).node == id &&
                          sim->now_us < node->heard_us + LATELY_US && sim->connections[i].up &&
                          node->beat_peer == sim->connections[i].peer);
    }
    return heard;
}

void rule_near(struct sim *sim, const struct task_seen *task, uint64_t leased)
{
    uint32_t all = stored_of(sim, task, 0);
    for (uint32_t i = 0; i < task->dep_count && all > 0; i++) {
        const struct task_seen *dep = oracle_task(sim, sim->oracle.deps[task->dep_first + i]);
        uint64_t node = dep != NULL ? dep->object_node : 0;
        if (node != 0 && node != leased && stored_of(sim, task, node) == all &&
            is_heard(sim, node) && place_could(sim, task, node) && is_idle(sim, node)) {
            sim_fail(sim, 44,
                     "%llx is leased to node %llu, but its arguments are at %llu, which is idle",
                     (ull)task->id, (ull)leased, (ull)node);
        }
    }
}

void rule_sources(struct sim *sim, const struct rec_start *start)
{
    struct list sources = start->sources;
    struct rec_source source;
    while (!sim->head.after_sync && next_source(&sources, &source)) {
        struct rec_keeper keeper;
        while (next_keeper(&source.places, &keeper)) {
            const struct node_seen *node = node_seen_of(sim, keeper.node);
            if (node == NULL || node->dead) {
                sim_fail(sim, 29, "START of %llx says that %llx is at node %llu, which is dead",
                         (ull)start->task, (ull)source.task, (ull)keeper.node);
            }
        }
    }
}

void objects_end(struct sim *sim)
{
    for (uint32_t i = 0; i < sim->oracle.task_count; i++) {
        const struct task_seen *task = &sim->oracle.tasks[i];
        if (!task->deleted && task->object != 0 && task->object != DIRECTORY_FREED) {
            sim_fail(sim, 31, "all has ended, but the object of %llx is still held", (ull)task->id);
        }
    }
}
