/*  lease.c - which task goes where, and when: slots, leases ahead of need, and taking them back.
    See "Slots" in ARCHITECTURE.md. */
#include "head/core/state.h"

#include "common/bug.h"

void lease_hold(struct core *core, uint32_t task_index, uint32_t node_index, uint32_t run_index)
{
    struct task *task = task_at(core, task_index);
    struct node *node = node_at(core, node_index);
    const struct spec *spec = spec_at(core, task->spec);
    task->node = node_index;
    task->run = run_index;
    ((struct run *)pool_at(&core->runs, run_index))->left++;
    chain_append(&node->leases, &core->tasks, TASK_PLACE, task_index);
    if (spec->kind == SPEC_METHOD) {
        call_held(core, task_index);
    } else {
        slots_at(core, node_index, spec->demand)->leases++;
        core->demands[spec->demand].leases++;
    }
    job_at(core, spec->job)->leased++;
    core->stats.tasks_leased++;
    task_leased(core, task);
}

static bool slot_open(struct core *core, uint32_t node_index, uint32_t demand)
{
    const struct node *node = node_at(core, node_index);
    if (!amounts_fit(&core->demands[demand].need, &node->free)) {
        return false;
    }
    struct slots to = *slots_at(core, node_index, demand);
    to.slots++;
    slots_set(core, node_index, demand, &to);
    return true;
}

static void slot_close(struct core *core, uint32_t node_index, uint32_t demand)
{
    struct slots to = *slots_at(core, node_index, demand);
    ensure(to.slots > 0);
    to.slots--;
    slots_set(core, node_index, demand, &to);
}

/*  After a restart, leases come back before slots: opens what they need, as far as there is room. */
void lease_open_slots(struct core *core, uint32_t node, uint32_t demand)
{
    struct slots *slots = slots_at(core, node, demand);
    bool limited = !core->demands[demand].actors;
    while (slots->slots < slots->leases && !(limited && slots->slots >= FREE_SLOTS_MAX) &&
           slot_open(core, node, demand)) {}
}

static void slot_leave(struct core *core, uint32_t node, uint32_t demand, bool again)
{
    struct slots *slots = slots_at(core, node, demand);
    ensure(slots->leases > 0);
    core->demands[demand].leases--;
    if (--slots->leases < slots->slots && !(RAYC_BUG(LEAK_SLOT) && again)) {
        slot_close(core, node, demand);
    }
}

void lease_release(struct core *core, uint32_t task_index)
{
    struct task *task = task_at(core, task_index);
    const struct spec *spec = spec_at(core, task->spec);
    struct node *node = node_at(core, task->node);
    struct run *run = pool_at(&core->runs, task->run);
    lease_waits(core, task, RAYC_BUG(KEEP_WAITING) && (task->flags & TASK_WAITS));
    chain_remove(&node->leases, &core->tasks, TASK_PLACE, task_index);
    ensure(run->left > 0);
    if (--run->left == 0) {
        EMIT(core, lease_end, run->token);
        pool_give(&core->runs, task->run);
    }
    if (spec->kind == SPEC_METHOD) {
        call_released(core, task_index);
    } else {
        slot_leave(core, task->node, spec->demand, task->attempt > 1);
        core->schedule = true;
    }
    job_at(core, spec->job)->leased--;
    core->stats.tasks_leased--;
    task->node = NONE;
    task->run = NONE;
}

/*  That of an actor or a call; else NULL. */
static const struct actor *lease_actor(const struct core *core, const struct task *task,
                                       uint32_t kind)
{
    if (kind == SPEC_ACTOR) {
        return actor_at(core, task->actor);
    }
    return kind == SPEC_METHOD ? actor_at(core, lane_at(core, task->actor)->actor) : NULL;
}

/*  Says START for a lease; again after a doubt, with the same token, which the worker knows if it has it. */
static void lease_start(struct core *core, const struct task *task, struct node *node,
                        uint32_t node_index)
{
    struct spec *spec = spec_at(core, task->spec);
    struct start_send *start = emit_start(core);
    uint64_t bit = 1ull << (node_index % 64);
    start->peer = node->peer;
    start->inventory = node->inventory_whole;
    const struct actor *actor = lease_actor(core, task, spec->kind);
    start->actor = spec->kind == SPEC_METHOD ? actor->id : 0;
    start->checkpoint = spec->kind == SPEC_ACTOR && actor->checkpoint && task->attempt > 1;
    start->has_deps = task->flags & TASK_HAS_DEPS || start->checkpoint;
    if (task->flags & TASK_HAS_DEPS) {
        start->sources = object_sources(core, task->id);
    }
    start->stream =
        stream_place(core, &node->starts, (size_t)1 << task->args_class, start->has_deps);
    start->task = task->id;
    start->token = task->token;
    start->attempt = task->attempt;
    start->spec = spec->id;
    bool acts = spec->kind == SPEC_COMMAND || spec->kind == SPEC_DRIVER;
    start->ticket_job = acts ? job_at(core, spec->job)->id : 0;
    start->new_spec = !(spec->told[node_index / 64] & bit);
    /*  What a power cut takes back could run twice: an actor must not. */
    start->synced = spec->kind == SPEC_ACTOR || job_at(core, spec->job)->durability == DURABLE_FULL;
    spec->told[node_index / 64] |= bit;
}

/*  A call before which another one must run now is asked back, and again with the next inventory if that is lost. */
void lease_again(struct core *core, uint32_t index)
{
    const struct task *task = task_at(core, index);
    struct node *node = node_at(core, task->node);
    bool call = task_kind(core, task) == SPEC_METHOD;
    if (node->peer == NONE || core->start_count == core->start_capacity) {
        return;
    }
    if (call && call_overtakes(core, index)) {
        emit_lease(core, node->peer, task->id, task->token, RECALL_IF_WAITING);
        node->doubt = true;
    } else if (call || node->draining == DRAIN_NONE) {
        lease_start(core, task, node, task->node);
    }
}

/*  The row of a run of leases; and that of their session, now and then, from which readers know where to look for what
    was leased, and where for what never was. */
static void lease_write(struct core *core, const struct row_lease_new *row)
{
    enum { HIGH_STEP = 1024 };
    uint32_t index = session_find(core, task_session((task_id){ row->first }));
    struct session *session = session_at(core, index);
    uint64_t high = task_counter((task_id){ row->first }) + row->count;
    if (high > session->high) {
        session->high = RAYC_BUG(LOW_HIGH) ? high - 1 : high + HIGH_STEP;
        EMIT(core, session_high, session->id, session->high);
    }
    EMIT(core, lease_new, row->token, row->node, row->first, row->count, row->leased_ms);
}

struct leasing lease_begin(const struct core *core, uint32_t node)
{
    return (struct leasing){ node,
                             NONE,
                             { .node = node_at(core, node)->id, .leased_ms = core->wall_ms } };
}

void lease_finish(struct core *core, struct leasing *leasing)
{
    if (leasing->run != NONE && !RAYC_BUG(NO_LEASE_ROW)) {
        lease_write(core, &leasing->row);
    }
    leasing->run = NONE;
}

/*  Tasks that run wait for their children: some leases are kept for those. */
static uint32_t run_take(struct core *core, const struct task *task)
{
    uint32_t depth = session_at(core, spec_at(core, task->spec)->session)->nested;
    uint32_t kept = children_kept(core->limits.leases, depth);
    return core->runs.taken + kept < core->limits.leases ? pool_take(&core->runs) : NONE;
}

/*  One row covers a run of consecutive ids. */
bool lease_one(struct core *core, struct leasing *leasing, uint32_t index)
{
    struct task *task = task_at(core, index);
    struct row_lease_new *row = &leasing->row;
    if (leasing->run != NONE && (task->id != row->first + row->count || row->count == RUN_MAX)) {
        lease_write(core, row);
        leasing->run = NONE;
    }
    uint64_t token = token_of(core->epoch, core->token_next).v;
    if (RAYC_BUG(REUSE_TOKEN) && task->attempt > 1) {
        token = task->token;
    }
    if (leasing->run == NONE) {
        leasing->run = run_take(core, task);
        if (leasing->run == NONE) {
            return false;
        }
        *(struct run *)pool_at(&core->runs, leasing->run) = (struct run){ token, 0 };
        row->token = token;
        row->first = task->id;
        row->count = 0;
    }
    task_unqueue(core, index);
    core->token_next++;
    task->token = token;
    lease_hold(core, index, leasing->node, leasing->run);
    lease_start(core, task, node_at(core, leasing->node), leasing->node);
    row->count++;
    return true;
}

/*  Who has its arguments elsewhere does not go ahead of need: it waits for room there, or for any. */
static bool may_go_ahead(const struct core *core, uint32_t queue, uint32_t node)
{
    uint32_t near = task_near(core, queue_at(core, queue)->tasks.first);
    return near == NONE || near == node;
}

/*  Leases up to `count` tasks of a queue to a node. */
static uint32_t lease_some(struct core *core, uint32_t queue_index, uint32_t node_index,
                           uint32_t count)
{
    struct queue *queue = queue_at(core, queue_index);
    struct leasing leasing = lease_begin(core, node_index);
    const struct node *node = node_at(core, node_index);
    uint32_t given = 0;
    while (given < count && queue->tasks.count > 0 && node_takes_work(node) &&
           (count == 1 || may_go_ahead(core, queue_index, node_index)) &&
           lease_one(core, &leasing, queue->tasks.first)) {
        given++;
    }
    lease_finish(core, &leasing);
    job_changed(core, queue->job, false);
    return given;
}

/*  One task of a queue into a new slot; false: no room. */
static bool lease_slot(struct core *core, uint32_t demand_index, uint32_t queue)
{
    uint32_t node =
        demand_at_limit(core, demand_index) && !RAYC_BUG(NO_LIMIT)
            ? NONE
            : demand_place(core, demand_index, task_near(core, queue_at(core, queue)->tasks.first));
    if (node == NONE) {
        return false;
    }
    bool open = slot_open(core, node, demand_index);
    ensure(open);
    if (lease_some(core, queue, node, 1) == 0) {
        slot_close(core, node, demand_index);
        return false;
    }
    core->demands[demand_index].last_node = node_at(core, node)->id;
    return true;
}

static uint32_t ahead_of(const struct demand *demand)
{
    bool spread = demand->rule.strategy.kind == STRATEGY_SPREAD; /* the next one goes elsewhere */
    if (demand->actors || demand->mean_run_us == 0 || demand_of_nothing(demand) || spread) {
        return 0;
    }
    uint64_t ahead = AHEAD_US / demand->mean_run_us;
    return ahead < AHEAD_MAX ? (uint32_t)ahead : AHEAD_MAX;
}

/*  While another demand with fewer slots waits for room, nothing of this one goes ahead. */
static bool others_wait(const struct core *core, uint32_t demand_index)
{
    for (uint32_t i = 0; i < core->demand_count; i++) {
        const struct demand *other = &core->demands[i];
        if (i != demand_index && other->used && other->blocked &&
            other->slots < core->demands[demand_index].slots) {
            return true;
        }
    }
    return false;
}

static void lease_ahead(struct core *core, uint32_t demand_index)
{
    struct demand *demand = &core->demands[demand_index];
    uint32_t ahead = demand_binds(core, demand_index) ? 0 : ahead_of(demand);
    uint32_t queue;
    for (uint32_t i = core->all_nodes.first; i != NONE && ahead > 0;
         i = node_at(core, i)->all.next) {
        const struct slots *slots = slots_at(core, i, demand_index);
        uint64_t limit = demand_allows(core, demand_index, i)
                             ? slots->slots + (uint64_t)slots_busy(slots) * ahead
                             : 0;
        while (node_takes_work(node_at(core, i)) && slots->leases < limit &&
               !effects_nearly_full(core) && (queue = line_first(core, demand_index)) != NONE &&
               may_go_ahead(core, queue, i)) {
            uint64_t room = limit - slots->leases;
            uint64_t turn = demand->queues.count > 1 ? 64 : RUN_MAX;
            uint32_t most = line_run(core, queue, (uint32_t)(room < turn ? room : turn));
            if (lease_some(core, queue, i, most) == 0) {
                return;
            }
        }
    }
}

/*  Tasks that no node can ever run, and that shall not wait for one: not before the first has joined, unless they may run
    on one node only, for no new one will be that. */
static void fail_infeasible(struct core *core, uint32_t demand_index)
{
    struct demand *demand = &core->demands[demand_index];
    bool hard = demand_hard(core, demand_index);
    uint32_t next;
    for (uint32_t i = demand->queues.first; i != NONE; i = next) {
        struct queue *queue = queue_at(core, i);
        bool fails = hard || (queue->fail_infeasible && core->nodes_alive > 0);
        next = queue->in_demand.next;
        while (fails && queue->tasks.count > 0 && !effects_nearly_full(core)) {
            struct slice text = lease_shortage(core, demand_index);
            task_end(core, queue->tasks.first,
                     &(struct ending){ .failure = FAILURE_UNSCHEDULABLE,
                                       .outcome = OUTCOME_CANCELLED,
                                       .text = text });
            core->schedule = true;
        }
    }
}

/*  Which demands have tasks that could run somewhere. */
static void find_blocked(struct core *core)
{
    for (uint32_t i = 0; i < core->demand_count; i++) {
        struct demand *demand = &core->demands[i];
        bool waiting = demand->used && demand->queues.count > 0;
        demand->blocked = waiting && demand_open(core, i);
        demand->full = false;
        if (waiting && !demand->blocked && !demand_feasible(core, i)) {
            fail_infeasible(core, i);
        }
    }
}

/*  One slot for each demand in turn, of those whose tasks come next; false: there is no room for any. */
static bool lease_round(struct core *core)
{
    bool progress = false;
    for (uint32_t k = 0; k < core->demand_count; k++) {
        uint32_t i = (core->demand_turn + k) % core->demand_count;
        struct demand *demand = &core->demands[i];
        uint32_t queue = demand->blocked && !demand->full ? line_first(core, i) : NONE;
        if (queue != NONE) {
            demand->full = !lease_slot(core, i, queue);
            progress = true; /* leased one; or others may be next now */
        }
    }
    return progress;
}

void lease_schedule(struct core *core)
{
    if (!core->schedule) {
        return;
    }
    core->schedule = false;
    find_blocked(core);
    core->demand_turn++;
    while (!effects_nearly_full(core) && lease_round(core)) {}
    for (uint32_t i = 0; i < core->demand_count; i++) {
        struct demand *demand = &core->demands[i];
        demand->blocked = demand->blocked && demand->queues.count > 0 && !demand_at_limit(core, i);
        demand->full = false;
    }
    for (uint32_t i = 0; i < core->demand_count; i++) {
        if (core->demands[i].blocked && !others_wait(core, i)) {
            lease_ahead(core, i);
        }
    }
    core->schedule = core->schedule || effects_nearly_full(core);
}

/*  Leases that wait at one node while another idles are asked back. */
void lease_balance(struct core *core)
{
    for (uint32_t d = 0; d < core->demand_count; d++) {
        struct demand *demand = &core->demands[d];
        if (!demand->used || demand->queues.count > 0 || demand->slots == 0) {
            continue;
        }
        uint32_t idle = demand_place(core, d, NONE);
        uint32_t most = NONE, waiting = 0;
        for (uint32_t i = core->all_nodes.first; i != NONE; i = node_at(core, i)->all.next) {
            const struct slots *slots = slots_at(core, i, d);
            if (i != idle && node_at(core, i)->peer != NONE &&
                slots->leases - slots->slots > waiting) {
                waiting = slots->leases - slots->slots;
                most = i;
            }
        }
        if (idle == NONE || most == NONE) {
            continue;
        }
        uint32_t wanted = (waiting + 1) / 2;
        const struct node *node = node_at(core, most);
        for (uint32_t i = node->leases.last; i != NONE && wanted > 0 && !effects_nearly_full(core);
             i = task_at(core, i)->place.previous) {
            const struct task *task = task_at(core, i);
            if (task->state == TASK_LEASED && spec_at(core, task->spec)->demand == d) {
                emit_lease(core, node->peer, task->id, task->token, RECALL_IF_WAITING);
                wanted--;
            }
        }
    }
}
