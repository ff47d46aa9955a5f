/*  value.c - values that programs put.  A value is FINISHED when it is accepted: it is a row, and nothing in memory.  No
    queue, no count and no quota of tasks knows it. */
#include "head/core/state.h"

#include "common/bug.h"

struct result_send *result_tell(struct core *core, uint32_t index, const struct rec_result *result)
{
    struct session *session = session_at(core, index);
    if (session->peer == NONE) {
        return NULL;
    }
    struct result_send *send = emit_result(core);
    send->peer = session->peer;
    send->synced = job_at(core, session->job)->durability == DURABLE_FULL;
    send->stream = stream_place(core, &session->results, result->value.n + result->text.n, false);
    send->result = *result;
    return send;
}

/*  Of a value that may not be there, for its user has no room for it. */
static void refuse(struct core *core, uint64_t id, const struct ending *how, struct slice text)
{
    EMIT(core, task_failed, id, 0, 0, 0, core->wall_ms, 0, how->failure, 0, text, { 0 }, { 0 },
         { 0 }, 0);
    objects_task_ended(core, id, false);
    objects_refused(core, id, how->sealed, how->node);
}

bool value_take(struct core *core, uint32_t session_index, uint32_t spec,
                const struct rec_call *call, uint64_t parent)
{
    struct session *session = session_at(core, session_index);
    if (session->below > TASK_COUNTER_MAX || !objects_allow(core, call)) {
        return false;
    }
    uint64_t id = task_id_of(session->id, session->below++).v;
    struct ending how = { .value = call->args, .sealed = call->sealed, .node = call->node };
    quota_judge(core, job_at(core, session->job)->user, &how);
    EMIT(core, value_new, id, spec_at(core, spec)->id, core->wall_ms, call->args, parent);
    struct slice text = how.failure != 0 ? task_sentence(core, &how) : how.text;
    if (how.failure != 0) {
        refuse(core, id, &how, text);
    } else {
        objects_called(core, id, call, true);
    }
    if (call->node != 0) { /* its session may wait for it */
        result_tell(core, session_index,
                    &(struct rec_result){ id, how.failure, 0, 0, how.value, text });
    }
    const struct user *user = user_at(core, job_at(core, session->job)->user);
    session->ack_now =
        session->ack_now || (call->node != 0 && user->object_bytes_max != UINT64_MAX);
    session->low_dirty = true; /* so that a restart reads no values */
    if (!RAYC_BUG(PUT_WAKES_NOBODY)) {
        edges_wake(core, id, how.failure != 0); /* who has named it before it was here */
    }
    return true;
}

/*  Is it one that its session has still to submit?  Somebody got its reference by another way than the head's, or the
    head lost its newest rows in a power cut, and gets them again. */
bool value_awaited(struct core *core, const struct event *looked_up)
{
    task_id id = { looked_up->number };
    uint32_t index = looked_up->state == 0 ? session_find(core, task_session(id)) : NONE;
    if (index == NONE || !session_at(core, index)->open ||
        task_counter(id) < session_at(core, index)->below) {
        return false;
    }
    session_at(core, index)->awaited = true;
    return true;
}

void values_given_up(struct core *core, uint32_t index)
{
    struct session *session = session_at(core, index);
    if (!session->awaited) {
        return;
    }
    session->awaited = false;
    for (uint32_t i = 0; i < core->edges.fresh; i++) {
        uint64_t dep = ((struct edge *)pool_at(&core->edges, i))->dep; /* or of a freed one */
        bool never = task_session((task_id){ dep }) == session->id &&
                     task_counter((task_id){ dep }) >= session->below;
        if (never && map_find(&core->edge_map, dep) != NONE) {
            edges_wake(core, dep, true);
        }
    }
}

bool is_to_come(const struct core *core, uint64_t task)
{
    uint32_t session = session_find(core, task_session((task_id){ task }));
    return task_unended(core, task) != NONE ||
           (session != NONE && session_at(core, session)->open &&
            task_counter((task_id){ task }) >= session_at(core, session)->below);
}

bool borrow(struct core *core, uint32_t index, uint64_t task)
{
    uint64_t waiter = task_id_of(session_at(core, index)->id, 0).v;
    uint32_t edge = map_find(&core->edge_map, task);
    while (edge != NONE && ((struct edge *)pool_at(&core->edges, edge))->waiter != waiter) {
        edge = map_next(&core->edge_map, edge);
    }
    if (edge == NONE && core->edges.taken >= core->limits.edges) {
        return false;
    }
    if (edge == NONE) {
        edge_add(core, task, waiter);
    }
    return true;
}

void borrower_wake(struct core *core, uint32_t index)
{
    struct edge *edge = pool_at(&core->edges, index);
    edge->link = core->borrows;
    core->borrows = index;
}

/*  Each in a frame of its own: how large a result is, only the store knows. */
void borrowers_tell(struct core *core)
{
    while (core->borrows != NONE && !effects_nearly_full(core)) {
        uint32_t index = core->borrows;
        struct edge *edge = pool_at(&core->edges, index);
        uint64_t task = edge->dep;
        uint32_t found = session_find(core, task_session((task_id){ edge->waiter }));
        core->borrows = edge->link;
        pool_give(&core->edges, index);
        struct session *session = found == NONE ? NULL : session_at(core, found);
        if (session == NULL || session->peer == NONE || RAYC_BUG(BORROWER_LEFT)) {
            continue; /* it will POLL when it is back */
        }
        struct result_send *send = emit_result(core);
        send->peer = session->peer;
        send->stored = send->synced = true;
        send->stream = stream_place(core, &session->results, 0, true);
        send->result.task = task;
    }
}

/*  How many of the calls from this counter on are tasks. */
uint64_t tasks_among(const struct core *core, const struct session *session,
                     const struct msg_submit *msg, uint64_t from)
{
    struct list calls = msg->calls;
    struct rec_call call;
    uint64_t count = 0;
    for (uint64_t counter = msg->first; next_call(&calls, &call); counter++) {
        uint32_t spec = counter < from ? NONE : spec_find(core, session, call.spec);
        count += spec != NONE && spec_at(core, spec)->kind != SPEC_VALUE;
    }
    return count;
}
