/*  actor_call.c - calls of actors' methods: the lanes in which they wait, how they are leased, and how they end.

    Order: a call is leased when all earlier ones of its lane have been, and, after it came back, when none is out any
    more.  So an ordered actor runs what its lane has in order, across its restarts. */
#include "common/bug.h"
#include "common/text.h"
#include "head/core/actor.h"
#include "head/core/state.h"

enum { LANE_AHEAD = 4096 }; /* calls of a lane that its actor's worker has at a time */

static uint64_t lane_key(uint32_t actor, uint32_t session, uint64_t group)
{
    return ((uint64_t)actor << 32 | session) ^ group;
}

static uint32_t lane_find(const struct core *core, uint32_t actor, uint32_t session, uint64_t group)
{
    uint32_t i = map_find(&core->lane_map, lane_key(actor, session, group));
    while (i != NONE &&
           !(lane_at(core, i)->actor == actor && lane_at(core, i)->session == session &&
             lane_at(core, i)->group == group)) {
        i = map_next(&core->lane_map, i);
    }
    return i;
}

int lane_get(struct core *core, uint32_t session, uint32_t spec, uint64_t id, uint32_t *out)
{
    uint32_t actor = actor_find(core, id);
    bool made =
        actor != NONE && (actor_at(core, actor)->task != NONE || actor_at(core, actor)->death != 0);
    if (!made || !same_owner(core, session_at(core, session)->id, id)) {
        return ERR_NOT_FOUND;
    }
    uint64_t group = actor_at(core, actor)->ordered ? 0 : spec_at(core, spec)->group;
    *out = lane_find(core, actor, session, group);
    if (*out != NONE) {
        return OK;
    }
    *out = pool_take(&core->lanes);
    if (*out == NONE) {
        return ERR_BUSY;
    }
    struct lane *lane = lane_at(core, *out);
    lane->key = lane_key(actor, session, group);
    lane->actor = actor;
    lane->session = session;
    lane->group = group;
    lane->hint = NONE;
    chain_init(&lane->calls);
    chain_init(&lane->waiting);
    map_add(&core->lane_map, *out);
    chain_append(&actor_at(core, actor)->lanes, &core->lanes, LANE_ACTOR, *out);
    return OK;
}

void lane_take(struct core *core, uint32_t index, uint32_t task)
{
    lane_at(core, index)->users++;
    task_at(core, task)->actor = index;
    call_join(core, task);
    actor_wake(core, lane_at(core, index)->actor);
}

void lane_put(struct core *core, uint32_t index)
{
    struct lane *lane = lane_at(core, index);
    ensure(lane->users > 0);
    if (--lane->users == 0) {
        ensure(lane->calls.count + lane->waiting.count + lane->leased == 0);
        chain_remove(&actor_at(core, lane->actor)->lanes, &core->lanes, LANE_ACTOR, index);
        map_remove(&core->lane_map, index);
        pool_give(&core->lanes, index);
    }
}

static bool ordered(const struct core *core, const struct lane *lane)
{
    return actor_at(core, lane->actor)->ordered;
}

/*  Those that come back mostly come in order: the next one goes behind the last. */
static void lane_insert(struct core *core, struct lane *lane, uint32_t index)
{
    uint64_t id = task_at(core, index)->id;
    uint32_t before = lane->calls.first;
    if (lane->calls.count == 0 || task_at(core, lane->calls.last)->id < id) {
        before = NONE;
    } else if (lane->hint != NONE && task_at(core, lane->hint)->id < id) {
        before = task_at(core, lane->hint)->place.next;
    }
    while (before != NONE && task_at(core, before)->id < id) {
        before = task_at(core, before)->place.next;
    }
    if (before != NONE) {
        lane->hint = index;
    }
    if (RAYC_BUG(RETURN_LAST)) {
        before = NONE;
    }
    chain_insert(&lane->calls, &core->tasks, TASK_PLACE, index, before);
    task_at(core, index)->flags |= TASK_IN_QUEUE;
}

void call_join(struct core *core, uint32_t index)
{
    struct lane *lane = lane_at(core, task_at(core, index)->actor);
    if (ordered(core, lane)) {
        lane_insert(core, lane, index);
    } else {
        chain_append(&lane->waiting, &core->tasks, TASK_PLACE, index);
    }
}

void call_leave(struct core *core, uint32_t index)
{
    struct task *task = task_at(core, index);
    struct lane *lane = lane_at(core, task->actor);
    if (lane->hint == index) {
        lane->hint = NONE;
    }
    chain_remove(task->flags & TASK_IN_QUEUE ? &lane->calls : &lane->waiting, &core->tasks,
                 TASK_PLACE, index);
    task->flags &= (uint16_t)~TASK_IN_QUEUE;
    actor_wake(core, lane->actor); /* the next one may be the first now */
}

/*  It is READY and not in a backoff. */
void call_ready(struct core *core, uint32_t index)
{
    struct task *task = task_at(core, index);
    struct lane *lane = lane_at(core, task->actor);
    if (!(task->flags & TASK_IN_QUEUE)) {
        call_leave(core, index);
        lane_insert(core, lane, index);
    }
    actor_wake(core, lane->actor);
}

void call_held(struct core *core, uint32_t index)
{
    const struct task *task = task_at(core, index);
    struct lane *lane = lane_at(core, task->actor);
    lane->leased++;
    lane->newest = task->id > lane->newest ? task->id : lane->newest;
    actor_at(core, lane->actor)->leased++;
    node_at(core, task->node)->calls++;
}

void call_released(struct core *core, uint32_t index)
{
    const struct task *task = task_at(core, index);
    struct lane *lane = lane_at(core, task->actor);
    struct actor *actor = actor_at(core, lane->actor);
    ensure(lane->leased > 0 && actor->leased > 0 && node_at(core, task->node)->calls > 0);
    if (--lane->leased == 0) {
        lane->newest = 0;
    }
    if (--actor->leased == 0) {
        actor_settled(core, lane->actor);
    }
    struct node *node = node_at(core, task->node);
    bool full = !node_holds_more(node, node->calls--);
    if (full && node_holds_more(node, node->calls)) {
        actors_wake(core, task->node);
    }
    actor_wake(core, lane->actor);
}

bool call_overtakes(const struct core *core, uint32_t index)
{
    const struct lane *lane = lane_at(core, task_at(core, index)->actor);
    uint32_t first = lane->calls.first;
    return ordered(core, lane) && first != NONE &&
           task_at(core, first)->id < task_at(core, index)->id;
}

/*  The first call of a lane, if it may be leased now; else NONE. */
static uint32_t lane_next(const struct core *core, const struct lane *lane)
{
    uint32_t index = lane->calls.first;
    if (index == NONE || lane->leased >= LANE_AHEAD) {
        return NONE;
    }
    const struct task *task = task_at(core, index);
    bool overtaken = ordered(core, lane) && task->id <= lane->newest;
    return task->state == TASK_READY && !(task->flags & TASK_BACKOFF) && !overtaken ? index : NONE;
}

void lane_work(struct core *core, uint32_t index)
{
    struct lane *lane = lane_at(core, index);
    uint32_t node_index = task_at(core, actor_at(core, lane->actor)->task)->node;
    const struct node *node = node_at(core, node_index);
    if (node->state != NODE_ALIVE || node->peer == NONE || node->drain_over) {
        return;
    }
    struct leasing leasing = lease_begin(core, node_index);
    uint32_t call;
    while (!effects_nearly_full(core) && node_holds_more(node, node->calls) &&
           (call = lane_next(core, lane)) != NONE) {
        if (!lease_one(core, &leasing, call)) {
            actor_wake(core, lane->actor); /* as many leases as the head can hold */
            break;
        }
        job_changed(core, spec_at(core, task_at(core, call)->spec)->job, false);
    }
    lease_finish(core, &leasing);
}

static struct slice death_text_of(const struct actor *actor)
{
    return slice_text(actor->text);
}

void lane_fail(struct core *core, uint32_t index)
{
    struct lane *lane = lane_at(core, index);
    const struct actor *actor = actor_at(core, lane->actor);
    lane->users++; /* it stays, whichever of its calls end now: one may be an argument of another */
    while (lane->calls.count + lane->waiting.count > 0 && !effects_nearly_full(core) &&
           !RAYC_BUG(DROP_CALLS)) {
        uint32_t call = lane->calls.count > 0 ? lane->calls.first : lane->waiting.first;
        task_end(core, call,
                 &(struct ending){ .failure = FAILURE_ACTOR_DIED,
                                   .outcome = OUTCOME_CANCELLED,
                                   .text = death_text_of(actor) });
    }
    lane_put(core, index);
}

bool call_outlived(const struct core *core, uint32_t index, uint32_t outcome)
{
    const struct task *task = task_at(core, index);
    if (outcome == OUTCOME_OK || task_kind(core, task) != SPEC_METHOD) {
        return false;
    }
    return actor_alive(core, actor_at(core, lane_at(core, task->actor)->actor));
}

/*  Its actor's process died while it ran, or with its node: whether it ran is not known.  Told as Ray does: the actor
    is dead, or it starts again. */
void call_lost(struct core *core, uint32_t index, struct ending *how)
{
    const struct task *task = task_at(core, index);
    const struct actor *actor = actor_at(core, lane_at(core, task->actor)->actor);
    if (actor->death != 0 || !actor_may_restart(core, actor)) {
        how->failure = FAILURE_ACTOR_DIED;
        how->outcome = OUTCOME_CANCELLED;
        how->text =
            actor->death != 0 ? death_text_of(actor) : slice_text(death_text(DEATH_WORKER_DIED));
        task_end(core, index, how);
        return;
    }
    how->failure = FAILURE_ACTOR_UNAVAILABLE;
    if (RAYC_BUG(CALL_TWICE)) {
        task_returned(core, index);
        return;
    }
    task_attempt_failed(core, index, how, true, false);
}

/*  A worker says how an attempt of a call ended; `how` has what it said. */
void call_ended(struct core *core, uint32_t index, const struct rec_done *done, struct ending *how)
{
    const struct task *task = task_at(core, index);
    struct actor *actor = actor_at(core, lane_at(core, task->actor)->actor);
    if (done->checkpoint.n > 0 && actor->death == 0 &&
        !(actor->checkpoint && RAYC_BUG(OLD_CHECKPOINT))) {
        actor->checkpoint = true;
        struct list inside =
            objects_checkpointed(core, lane_at(core, task->actor)->actor, done->sealed);
        EMIT(core, actor_checkpoint, actor->id, done->checkpoint, task->id, core->wall_ms,
             inside.bytes);
    }
    if (task->flags & TASK_CANCEL) { /* whatever it returned: it was cancelled before */
        how->failure = FAILURE_CANCELLED;
        how->value = (struct slice){ 0 };
        task_end(core, index, how);
        return;
    }
    switch ((enum outcome)done->outcome) {
    case OUTCOME_OK:
        quota_judge_result(core, task, how);
        task_end(core, index, how);
        return;
    case OUTCOME_APP_ERROR:
        task_attempt_failed(core, index, how, false, false);
        return;
    case OUTCOME_RETURNED:
        if (done->started_ms == 0 || spec_at(core, task->spec)->max_retries != 0) {
            task_returned(core, index);
        } else {
            call_lost(core, index, how);
        }
        return;
    case OUTCOME_EXIT:
    case OUTCOME_SIGNAL:
    case OUTCOME_RUN_TIMEOUT:
    case OUTCOME_CANCELLED:
    case OUTCOME_OUT_OF_MEMORY:
        call_lost(core, index, how);
        return;
    case OUTCOME_SETUP_FAILED:
    case OUTCOME_ENV_FAILED:
    case OUTCOME_BAD_ARGUMENT:
    case OUTCOME_NO_SUCH_TASK:
    case OUTCOME_TOO_LARGE:
    case OUTCOME_OBJECT_LOST:
    case OUTCOME_STORE_FULL:
    case OUTCOMES:
        break;
    }
    task_end(core, index, how);
}
