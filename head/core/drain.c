/*  drain.c - draining: nothing new goes to a node, what has not begun there comes back, and what runs has a grace time,
    after which it is given back without a charge.  A person asks for it, or a worker that is ending. */
#include "common/bug.h"
#include "head/core/state.h"

#define GRACE_MS_MAX (365ull * 86400 * 1000)

static uint64_t at_most(uint64_t value, uint64_t most)
{
    return value < most ? value : most;
}

/*  What is asked back comes as a DONE.  Without room, or lost, it is asked for again with the node's next beat. */
void drain_recall(struct core *core, uint32_t index)
{
    const struct node *node = node_at(core, index);
    if (node->draining == DRAIN_NONE || node->peer == NONE) {
        return;
    }
    for (uint32_t i = node->leases.last; i != NONE && !effects_nearly_full(core);
         i = task_at(core, i)->place.previous) {
        const struct task *task = task_at(core, i);
        if (task_kind(core, task) == SPEC_METHOD) {
            continue; /* it runs and ends with its actor */
        }
        if ((task->flags & TASK_CANCEL) && task->state == TASK_LEASED) { /* its START may be lost */
            emit_lease(core, node->peer, task->id, task->token,
                       task->flags & TASK_CANCEL_FORCE ? RECALL_KILL : RECALL_TERM);
        } else if (!(task->flags & TASK_CANCEL) &&
                   (node->drain_over || task->state == TASK_LEASED)) {
            emit_lease(core, node->peer, task->id, task->token,
                       node->drain_over ? RECALL_GIVE_BACK : RECALL_IF_WAITING);
        }
    }
}

void drain_scan(struct core *core, uint32_t index)
{
    struct node *node = node_at(core, index);
    if (node->draining != DRAIN_NONE && !node->drain_over && core->now_ms >= node->drain_ms) {
        node->drain_over = true;
        drain_recall(core, index);
    }
}

/*  The time that a head was away counts.  A clock that was set meanwhile cannot make the grace longer. */
void drain_restore(struct core *core, uint32_t index, const struct restored *row)
{
    struct node *node = node_at(core, index);
    uint64_t until = row->node.drain_until_ms;
    uint64_t left = until > core->wall_ms ? until - core->wall_ms : 0;
    node->draining = RAYC_BUG(FORGET_DRAIN) ? DRAIN_NONE : row->node.draining;
    node->drain_ms = core->now_ms + at_most(left, row->node.drain_ms);
}

static void drain_set(struct core *core, uint32_t index, uint32_t drain, uint64_t grace_ms)
{
    struct node *node = node_at(core, index);
    if ((node->draining == DRAIN_NONE) != (drain == DRAIN_NONE)) {
        emit_event(core, drain == DRAIN_NONE ? "NODE_UNDRAINED" : "NODE_DRAINING", 0, node->id, 0,
                   slice_text(drain == DRAIN_LEAVING ? "its worker is ending" : ""));
    }
    grace_ms = drain == DRAIN_NONE ? 0 : at_most(grace_ms, GRACE_MS_MAX);
    node->draining = drain;
    node->drain_over = false;
    node->drain_ms = core->now_ms + grace_ms;
    EMIT(core, node_drain, node->id, drain, grace_ms,
         drain == DRAIN_NONE ? 0 : core->wall_ms + grace_ms);
    core->schedule = true;
    actors_wake(core, index);
    drain_scan(core, index);
    drain_recall(core, index);
}

/*  A worker drains its own node only; that it is ending, only it can say. */
static bool may_drain(const struct core *core, uint32_t peer, uint32_t index, uint32_t drain)
{
    const struct node *node = node_at(core, index);
    if (drain == DRAIN_LEAVING) {
        return node->peer == peer;
    }
    return core_reader(core, peer).may != ROLE_WORKER ||
           (node->credential != 0 && speaks_for(core, peer, index));
}

void on_node_drain(struct core *core, uint32_t peer, const struct msg_node_drain *msg)
{
    uint32_t index = msg->node != 0 ? node_find(core, msg->node) : node_of_key(core, msg->key);
    if (index == NONE || node_at(core, index)->state == NODE_DEAD) {
        emit_refused(core, peer, msg->seq, ERR_NOT_FOUND, "there is no such node, or it is dead");
        return;
    }
    struct node *node = node_at(core, index);
    if (!may_drain(core, peer, index, msg->drain)) {
        audit_number(core, peer, MSG_NODE_DRAIN, node->id, ERR_FORBIDDEN);
        emit_refused(core, peer, msg->seq, ERR_FORBIDDEN, "this node is another worker's");
        return;
    }
    bool leaving = node->draining == DRAIN_LEAVING && msg->drain != DRAIN_LEAVING;
    if (leaving && msg->drain == DRAIN_NONE) {
        emit_refused(core, peer, msg->seq, ERR_CONFLICT, "the worker of this node is ending");
        return;
    }
    if (!leaving) {
        drain_set(core, index, msg->drain, msg->grace_ms);
        audit_number(core, peer, MSG_NODE_DRAIN, node->id, OK);
    }
    emit_send(core, peer, MSG_CHANGED, true)->as.changed =
        (struct msg_changed){ msg->seq, node->id };
}

/*  It has not begun, and goes elsewhere as the same attempt; or it was ended because its node had to go, and does so
    too, unless it may start once only. */
void drain_returned(struct core *core, uint32_t index, const struct ending *how)
{
    const struct task *task = task_at(core, index);
    const struct spec *spec = spec_at(core, task->spec);
    struct ending end = *how;
    if (how->started_ms == 0 || (task->flags & TASK_CANCEL)) {
        task_returned(core, index);
        return;
    }
    end.failure = FAILURE_NODE_DIED;
    end.outcome = OUTCOMES;
    end.text = slice_text("its node was drained, or its worker ended, before it had finished");
    const struct job *job = job_at(core, spec->job);
    bool once = spec->max_retries == 0 && !RAYC_BUG(DRAIN_TWICE);
    if (once || RAYC_BUG(CHARGE_DRAIN) || !spec_goes_on(core, spec)) {
        task_attempt_failed(core, index, &end, true, false);
        return;
    }
    emit_event(core, "TASK_GIVEN_BACK", job->id, how->node, task->id, slice_text(""));
    if (task->flags & TASK_IS_DRIVER) {
        job_driver_again(core, spec->job, &end);
    }
    if (spec->kind == SPEC_ACTOR) {
        task_restart(core, index, &end);
        return;
    }
    task_returned(core, index);
}
