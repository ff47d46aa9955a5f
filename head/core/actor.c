/*  actor.c - actors: how they are made, live, are killed and die, and what of them is remembered. */
#include "head/core/actor.h"

#include "common/bug.h"
#include "common/text.h"
#include "head/core/state.h"

enum { DEAD_KEPT = 4096 }; /* dead actors whose reason is still told to who calls them */

uint32_t actor_find(const struct core *core, uint64_t id)
{
    return map_find(&core->actor_ids, id);
}

bool actor_alive(const struct core *core, const struct actor *actor)
{
    const struct task *task = actor->task == NONE ? NULL : task_at(core, actor->task);
    return task && task->node != NONE && actor->alive == task->attempt;
}

bool actor_may_restart(const struct core *core, const struct actor *actor)
{
    if (actor->task == NONE) {
        return false;
    }
    const struct task *task = task_at(core, actor->task);
    const struct spec *spec = spec_at(core, task->spec);
    return task->node == NONE || spec->max_retries < 0 ||
           task->charged < (uint32_t)spec->max_retries;
}

bool actor_lasts(const struct core *core, uint64_t id)
{
    uint32_t index = actor_find(core, id);
    return index != NONE && actor_at(core, index)->task != NONE;
}

/*  A dead one is forgotten when no call of it is left. */
static bool dead_drop(struct core *core)
{
    for (uint32_t i = core->actors_dead.first; i != NONE; i = actor_at(core, i)->rest.next) {
        if (actor_at(core, i)->lanes.count == 0) {
            actor_forget(core, i);
            return true;
        }
    }
    return false;
}

bool actor_room(struct core *core, uint64_t id)
{
    return actor_find(core, id) != NONE || core->actors.taken < core->limits.actors ||
           dead_drop(core);
}

uint32_t actor_new(struct core *core, uint64_t id, uint64_t owner)
{
    uint32_t index = pool_take(&core->actors);
    ensure(index != NONE); /* the caller has asked actor_room() */
    struct actor *actor = actor_at(core, index);
    actor->id = id;
    actor->task = NONE;
    actor->owner = owner;
    chain_init(&actor->lanes);
    map_add(&core->actor_ids, index);
    return index;
}

void actor_forget(struct core *core, uint32_t index)
{
    struct actor *actor = actor_at(core, index);
    ensure(actor->task == NONE && actor->lanes.count == 0);
    actor_unnamed(core, index);
    if (actor->is_due) {
        chain_remove(&core->actors_due, &core->actors, ACTOR_DUE, index);
    }
    chain_remove(actor->death != 0 ? &core->actors_dead : &core->claims, &core->actors, ACTOR_REST,
                 index);
    map_remove(&core->actor_ids, index);
    pool_give(&core->actors, index);
}

/*  Its CALL is accepted: the task is new. */
void actor_make(struct core *core, uint32_t task_index)
{
    struct task *task = task_at(core, task_index);
    const struct spec *spec = spec_at(core, task->spec);
    uint32_t index = actor_find(core, task->id);
    if (index == NONE) {
        index = actor_new(core, task->id, job_at(core, spec->job)->owner);
    } else {
        chain_remove(&core->claims, &core->actors, ACTOR_REST, index);
    }
    struct actor *actor = actor_at(core, index);
    actor->task = task_index;
    actor->ordered = spec->ordered;
    task->actor = index;
    session_at(core, spec->session)->detached += spec->detached;
    EMIT(core, actor_new, actor->id, actor->owner, spec->detached);
}

void actor_wake(struct core *core, uint32_t index)
{
    struct actor *actor = actor_at(core, index);
    if (!actor->is_due && actor->lanes.count > 0) {
        actor->is_due = true;
        chain_append(&core->actors_due, &core->actors, ACTOR_DUE, index);
    }
}

void actors_wake(struct core *core, uint32_t node)
{
    for (uint32_t i = node_at(core, node)->leases.first; i != NONE;
         i = task_at(core, i)->place.next) {
        if (task_kind(core, task_at(core, i)) == SPEC_ACTOR) {
            actor_wake(core, task_at(core, i)->actor);
        }
    }
}

/*  What its calls need: to be leased, or to be told that it is dead. */
void actors_work(struct core *core)
{
    for (uint32_t n = core->actors_due.count; n > 0 && !effects_nearly_full(core); n--) {
        uint32_t index = core->actors_due.first;
        struct actor *actor = actor_at(core, index);
        chain_remove(&core->actors_due, &core->actors, ACTOR_DUE, index);
        actor->is_due = false;
        uint32_t next;
        for (uint32_t i = actor->lanes.first; i != NONE && !effects_nearly_full(core); i = next) {
            next = lane_at(core, i)->in_actor.next;
            if (actor->death != 0) {
                lane_fail(core, i); /* it may go with its last call */
            } else if (actor_alive(core, actor)) {
                lane_work(core, i);
            }
        }
        if (effects_nearly_full(core)) {
            actor_wake(core, index);
        }
    }
}

void actor_lives(struct core *core, uint32_t index, uint64_t started_ms)
{
    struct task *task = task_at(core, index);
    struct actor *actor = actor_at(core, task->actor);
    task_started(core, index, started_ms);
    if (actor->alive != task->attempt) {
        actor->alive = task->attempt;
        task->crashes = 0;
        EMIT(core, actor_alive, actor->id, task->attempt, core->wall_ms);
        actor_wake(core, task->actor);
    }
}

void on_actor_alive(struct core *core, uint32_t peer, const struct msg_actor_alive *msg)
{
    struct list list = msg->actors;
    struct rec_held held;
    while (next_held(&list, &held)) {
        uint32_t index = lease_find(core, held.task, held.token);
        if (index == NONE || task_kind(core, task_at(core, index)) != SPEC_ACTOR ||
            !speaks_for(core, peer, task_at(core, index)->node)) {
            continue; /* it hears with its INVENTORY what is stale */
        }
        actor_lives(core, index, held.started_ms);
    }
}

/*  An actor that has calls at a worker starts again only when it is known how they ended: what they committed is what
    it starts from, and none of them may still run beside those that follow. */
bool actor_waits(const struct core *core, const struct task *task)
{
    return task->actor != NONE && task_kind(core, task) == SPEC_ACTOR &&
           actor_at(core, task->actor)->leased > 0;
}

void actor_settled(struct core *core, uint32_t index)
{
    const struct actor *actor = actor_at(core, index);
    struct task *task = actor->task == NONE ? NULL : task_at(core, actor->task);
    if (!task || !(task->flags & TASK_BACKOFF) || task->timer != NONE || core->restoring) {
        return;
    }
    if (task->due_ms <= core->now_ms) {
        task->flags &= (uint16_t)~TASK_BACKOFF;
    }
    task_ready(core, actor->task, true);
}

static uint32_t death_of(const struct actor *actor, const struct task *task,
                         const struct ending *how)
{
    switch ((enum failure)how->failure) {
    case FAILURE_NONE:
        return DEATH_OUT_OF_SCOPE;
    case FAILURE_ACTOR_DIED:
        return DEATH_RAY_KILL;
    case FAILURE_DRIVER_DIED:
    case FAILURE_OWNER_DIED:
    case FAILURE_JOB_STOPPED:
    case FAILURE_CANCELLED:
        return DEATH_OWNER_DIED;
    case FAILURE_NODE_DIED:
    case FAILURE_UNKNOWN:
        return DEATH_NODE_DIED;
    case FAILURE_WORKER_DIED:
    case FAILURE_OUT_OF_MEMORY:
    case FAILURE_QUARANTINED:
    case FAILURE_RUN_TIMEOUT:
    case FAILURE_EXIT:
    case FAILURE_ACTOR_UNAVAILABLE:
        return actor->killed == task->attempt ? DEATH_RAY_KILL : DEATH_WORKER_DIED;
    case FAILURE_APP:
    case FAILURE_ARGUMENT:
    case FAILURE_UPSTREAM:
    case FAILURE_UNSCHEDULABLE:
    case FAILURE_SETUP:
    case FAILURE_QUEUE_TIMEOUT:
    case FAILURE_TOO_LARGE:
    case FAILURE_UNKNOWN_TASK:
    case FAILURE_OBJECT_LOST:
    case FAILURE_STORE_FULL:
    case FAILURE_QUOTA:
    case FAILURES:
        return DEATH_CREATION_FAILED;
    }
    return DEATH_CREATION_FAILED;
}

bool actor_had_its_time(const struct core *core, const struct task *task, uint32_t failure)
{
    if (task_kind(core, task) != SPEC_ACTOR || task->state != TASK_RUNNING || failure == 0) {
        return false;
    }
    const struct actor *actor = actor_at(core, task->actor);
    return actor->alive == task->attempt &&
           death_of(actor, task, &(struct ending){ .failure = failure }) < DEATH_NODE_DIED;
}

/*  Its task has ended, and is about to be forgotten: it is DEAD for ever.  `how->text` is a sentence. */
void actor_ended(struct core *core, uint32_t index, const struct ending *how)
{
    struct actor *actor = actor_at(core, index);
    const struct task *task = task_at(core, actor->task);
    actor->death = death_of(actor, task, how);
    struct text text = text_in(actor->text, sizeof(actor->text));
    text_add(&text, death_name(actor->death));
    text_add(&text, ": ");
    text_add(&text, death_text(actor->death));
    if (how->text.n > 0 && how->failure != FAILURE_ACTOR_DIED) {
        struct slice why = how->text;
        size_t room = sizeof(actor->text) - 3 - text.n;
        text_add(&text, ": ");
        text_slice(&text, slice_of(why.p, why.n < room ? why.n : room));
    }
    actor->task = NONE;
    const struct spec *spec = spec_at(core, task->spec);
    if (spec->detached) {
        session_at(core, spec->session)->detached--;
        sessions_root_ended(core, spec->job, actor->id);
    }
    if (!RAYC_BUG(NAME_OF_DEAD)) {
        actor_unnamed(core, index);
    }
    objects_actor_dead(core, index);
    EMIT(core, actor_dead, actor->id, actor->death, scratch_put(core, actor->text, text.n),
         core->wall_ms);
    if (actor->death >= DEATH_NODE_DIED) {
        emit_event(core, "ACTOR_DEAD", task_job(core, task)->id, how->node, actor->id,
                   scratch_put(core, actor->text, text.n));
    }
    chain_append(&core->actors_dead, &core->actors, ACTOR_REST, index);
    actor_wake(core, index);
    if (core->actors_dead.count > DEAD_KEPT) {
        dead_drop(core);
    }
}

static uint32_t actor_of_peer(const struct core *core, uint32_t peer, uint64_t id)
{
    uint32_t index = actor_find(core, id);
    bool made =
        index != NONE && (actor_at(core, index)->task != NONE || actor_at(core, index)->death != 0);
    return made && may_touch(core, peer, actor_at(core, index)->owner) ? index : NONE;
}

void on_actor_kill(struct core *core, uint32_t peer, const struct msg_actor_kill *msg)
{
    uint32_t index = actor_of_peer(core, peer, msg->actor);
    if (index == NONE) {
        emit_refused(core, peer, msg->seq, ERR_NOT_FOUND, "no such actor");
        return;
    }
    struct actor *actor = actor_at(core, index);
    struct task *task = actor->task == NONE ? NULL : task_at(core, actor->task);
    if (task) {
        audit_number(core, peer, MSG_ACTOR_KILL, msg->actor, OK);
    }
    if (task && msg->restart == 0) {
        task_give_up(core, actor->task, FAILURE_ACTOR_DIED);
    } else if (task && task->node != NONE) {
        actor->killed = task->attempt;
        EMIT(core, actor_kill, actor->id, task->attempt);
        const struct node *node = node_at(core, task->node);
        if (node->peer != NONE) {
            emit_lease(core, node->peer, task->id, task->token, RECALL_KILL);
        }
    }
    emit_send(core, peer, MSG_CHANGED, true)->as.changed =
        (struct msg_changed){ msg->seq, msg->actor };
}

void actor_restore(struct core *core, const struct restored *row)
{
    if (!actor_room(core, row->actor.id)) {
        ensure(row->actor.cause != 0);
        return;
    }
    uint32_t index = actor_new(core, row->actor.id, row->actor.owner);
    struct actor *actor = actor_at(core, index);
    actor->alive = row->actor.alive;
    actor->killed = row->actor.killed;
    actor->death = row->actor.cause;
    actor->checkpoint = row->actor.checkpoint;
    slice_copy_text(row->actor.text, actor->text, sizeof(actor->text));
    if (row->actor.name.n > 0 && actor->death == 0) {
        actor_named(core, index, row->actor.space, row->actor.name);
    }
    if (actor->death != 0) {
        chain_append(&core->actors_dead, &core->actors, ACTOR_REST, index);
    } else if (!row->actor.made) {
        chain_append(&core->claims, &core->actors, ACTOR_REST, index);
    }
}

void actors_restored(struct core *core)
{
    for (uint32_t i = 0; i < core->lanes.fresh; i++) {
        if (lane_at(core, i)->users > 0) {
            actor_wake(core, lane_at(core, i)->actor);
        }
    }
}
