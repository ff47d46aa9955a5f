/*  value.c - values that programs put.  A value is FINISHED when it is accepted: it is a row, and nothing in memory.  No
    queue, no count and no quota of tasks knows it. */
#include "head/core/state.h"

#include "common/bug.h"

bool value_take(struct core *core, uint32_t session_index, uint32_t spec,
                const struct rec_call *call)
{
    struct session *session = session_at(core, session_index);
    if (session->below > TASK_COUNTER_MAX || !objects_allow(core, call)) {
        return false;
    }
    uint64_t id = task_id_of(session->id, session->below++).v;
    EMIT(core, value_new, id, spec_at(core, spec)->id, core->wall_ms, call->args);
    objects_called(core, id, call, true);
    session->low_dirty = true; /* so that a restart reads no values */
    if (!RAYC_BUG(PUT_WAKES_NOBODY)) {
        edges_wake(core, id, false); /* tasks of others may have named it before it was here */
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
