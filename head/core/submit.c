/*  submit.c - what a session asks of its tasks: accept, tell again, cancel, retry. */
#include "head/core/state.h"

#include "common/bug.h"

/*  Accepts the specs that are new; OK, or the code of the first bad one. */
static int take_specs(struct core *core, uint32_t session, struct list specs)
{
    const uint8_t *begin = specs.bytes.p;
    struct rec_spec record;
    while (next_spec(&specs, &record)) {
        struct slice bytes = slice_of(begin, (size_t)(specs.bytes.p - begin));
        begin = specs.bytes.p;
        if (spec_find(core, session_at(core, session), record.index) != NONE) {
            continue;
        }
        if (record.kind == SPEC_DRIVER) {
            return ERR_INVALID; /* the head makes the driver itself, and there is one of it */
        }
        int code = OK;
        uint32_t index = spec_new(core, session, core->spec_last + 1, &record, &code);
        if (index == NONE) {
            return code;
        }
        core->spec_last++;
        spec_save(core, index, &record, bytes);
    }
    return OK;
}

/*  Is there room for one more?  Of a method, *lane is where it will wait; NONE: there is no such actor. */
static bool call_fits(struct core *core, uint32_t session_index, uint32_t spec,
                      const struct rec_call *call, uint32_t *lane)
{
    const struct session *session = session_at(core, session_index);
    uint32_t kind = spec_at(core, spec)->kind;
    *lane = NONE;
    uint32_t kept = children_kept(core->limits.edges, session->nested);
    if (tasks_full(core, session->nested) || session->below > TASK_COUNTER_MAX ||
        core->edges.taken + call->deps.count + kept > core->limits.edges) {
        return false;
    }
    if (kind == SPEC_ACTOR) {
        return actor_room(core, task_id_of(session->id, session->below).v);
    }
    return kind != SPEC_METHOD ||
           lane_get(core, session_index, spec, call->actor, lane) != ERR_BUSY;
}

/*  What makes a task an actor, or a call of one. */
static void take_actor(struct core *core, uint32_t index, uint32_t lane)
{
    struct task *task = task_at(core, index);
    uint32_t kind = task_kind(core, task);
    if (kind == SPEC_ACTOR) {
        actor_make(core, index);
        return;
    }
    claim_drop(core, task->id);
    if (kind == SPEC_METHOD && lane != NONE) {
        lane_take(core, lane, index);
    } else if (kind == SPEC_METHOD) {
        task_set(core, task, TASK_WAITING);
        task_doom(core, index, FAILURE_ACTOR_DIED);
    }
}

/*  A task of another one, which may have been cancelled with all that it submits. */
static void take_child(struct core *core, uint32_t index, const struct row_task_new *row)
{
    const struct task *parent = task_at(core, task_find(core, row->parent));
    kin_add(core, row->parent, row->parent_fence, row->id);
    if (parent->flags & TASK_CANCEL_TREE) {
        bool force = parent->flags & TASK_CANCEL_FORCE;
        task_cancel(core, index, &(struct cancel){ force, true });
    }
}

static bool take_call(struct core *core, uint32_t session_index, uint32_t spec,
                      const struct rec_call *call, struct row_task_new row)
{
    struct session *session = session_at(core, session_index);
    uint32_t lane;
    if (!call_fits(core, session_index, spec, call, &lane) || !objects_allow(core, call)) {
        return false; /* the client sends it again when there is room */
    }
    uint64_t id = task_id_of(session->id, session->below).v;
    uint32_t index = task_new(core, session_index, spec, id);
    struct task *task = task_at(core, index);
    task_args(task, call->args.n);
    struct list deps = call->deps;
    struct rec_id dep;
    bool foreign = false; /* another user's task is no task: its result will never be there */
    while (next_id(&deps, &dep)) {
        if (same_owner(core, session->id, dep.task) || RAYC_BUG(NO_OWNER)) {
            edge_add(core, dep.task, id);
        } else {
            foreign = true;
        }
    }
    if (call->deps.count > 0) {
        task_set(core, task, TASK_WAITING);
        task->flags |= TASK_HAS_DEPS;
        task->deps_left = (uint16_t)call->deps.count;
    }
    take_actor(core, index, lane);
    row.id = id;
    row.spec = spec_at(core, spec)->id;
    row.state = task->state;
    row.submitted_ms = core->wall_ms;
    row.deps = call->deps.bytes;
    row.args = call->args;
    row.actor = spec_at(core, spec)->kind == SPEC_METHOD ? call->actor : 0;
    emit_row(core, ROW_task_new, &row, sizeof(row));
    objects_called(core, id, call, false);
    if (task->state == TASK_READY) {
        task_ready(core, index, row.parent != 0); /* before new ones that would wait for theirs */
    } else if (foreign || objects_lost(core, id)) {
        task_doom(core, index, foreign ? FAILURE_UPSTREAM : FAILURE_OBJECT_LOST);
    }
    if (row.parent != 0) {
        take_child(core, index, &row);
    }
    return true;
}

static void take_calls(struct core *core, uint32_t peer, uint32_t session_index,
                       const struct msg_submit *msg)
{
    struct session *session = session_at(core, session_index);
    struct job *job = job_at(core, session->job);
    struct list calls = msg->calls;
    struct rec_call call;
    uint32_t known = NONE, known_index = 0; /* neighbours mostly have the same spec */
    for (uint64_t counter = msg->first; next_call(&calls, &call); counter++) {
        if (counter < session->below && !RAYC_BUG(NO_DEDUP)) {
            continue; /* sent again */
        }
        if (known == NONE || known_index != call.spec) {
            known = spec_find(core, session, call.spec);
            known_index = call.spec;
        }
        struct row_task_new row = { 0 };
        bool value = known != NONE && spec_at(core, known)->kind == SPEC_VALUE;
        if (counter > session->below || known == NONE ||
            (session->nested && !kin_parent(core, peer, &call, &row)) ||
            !(value ? value_take(core, session_index, known, &call, row.parent)
                    : take_call(core, session_index, known, &call, row))) {
            session->ack_now = true; /* a gap, or no room: SUBMITTED tells where to go on */
            break;
        }
        job->total += !value || RAYC_BUG(PUT_COUNTS);
    }
    session->ack_now = session->ack_now || msg->first + msg->calls.count <= session->acked;
    job_changed(core, session->job, false);
}

void on_submit(struct core *core, uint32_t peer, const struct msg_submit *msg)
{
    uint32_t index = session_of_request(core, peer, msg->seq, msg->session, true);
    if (index == NONE) {
        return;
    }
    struct session *session = session_at(core, index);
    int code = take_specs(core, index, msg->specs);
    if (code != OK) {
        emit_refused(core, peer, msg->seq, code,
                     refusal(core, "a task's options are not valid, or the head has too many "
                                   "different ones"));
        return;
    }
    uint64_t end = msg->first + msg->calls.count;
    uint32_t user = job_at(core, session->job)->user;
    if (end > session->below && !tasks_allowed(core, user, end - session->below) &&
        !tasks_allowed(core, user, tasks_among(core, session, msg, session->below))) {
        emit_refused(core, peer, msg->seq, ERR_QUOTA,
                     "the user has as many unfinished tasks as it may");
        return;
    }
    take_calls(core, peer, index, msg);
    session->ack_due = true;
    session->heard_ms = core->now_ms;
    session_due(core, index);
}

void on_poll(struct core *core, uint32_t peer, const struct msg_poll *msg)
{
    uint32_t index = session_of_request(core, peer, msg->seq, msg->session, false);
    if (index == NONE) {
        return;
    }
    struct list tasks = msg->tasks;
    struct rec_id id;
    while (next_id(&tasks, &id)) {
        uint64_t counter = task_counter((task_id){ id.task });
        bool mine = task_session((task_id){ id.task }) == msg->session;
        if (!same_owner(core, msg->session, id.task) && !RAYC_BUG(NO_OWNER)) {
            struct result_send *unknown = emit_result(core);
            unknown->peer = peer;
            unknown->result =
                (struct rec_result){ .task = id.task,
                                     .failure = FAILURE_UNKNOWN_TASK,
                                     .text = slice_text("the head knows no such task") };
            continue;
        }
        if (!mine && is_to_come(core, id.task)) {
            if (!borrow(core, index, id.task)) {
                emit_refused(core, peer, msg->seq, ERR_BUSY, "the head has no room for more");
                return;
            }
        } else if (task_unended(core, id.task) == NONE &&
                   !(mine && counter >= session_at(core, index)->below)) {
            struct result_send *send = emit_result(core);
            send->peer = peer;
            send->stored = true;
            send->synced =
                !mine || job_at(core, session_at(core, index)->job)->durability == DURABLE_FULL;
            send->result.task = id.task;
        }
    }
}

/*  Why this may not be cancelled so; NULL: it may. */
static const char *cancel_fault(const struct core *core, uint32_t index, uint32_t force)
{
    uint32_t kind = task_kind(core, task_at(core, index));
    if (kind == SPEC_ACTOR) {
        return "this is an actor: kill it (rayc actor kill)";
    }
    return kind == SPEC_METHOD && force
               ? "a call of an actor cannot be cancelled with force: cancel it without, or kill "
                 "the actor (rayc actor kill)"
               : NULL;
}

void on_cancel(struct core *core, uint32_t peer, const struct msg_cancel *msg)
{
    uint32_t index =
        session_of_task(core, peer, msg->task) == NONE ? NONE : task_unended(core, msg->task);
    const char *fault = index == NONE ? NULL : cancel_fault(core, index, msg->force);
    if (fault) {
        emit_refused(core, peer, msg->seq, ERR_INVALID, fault);
        return;
    }
    if (index != NONE) {
        audit_number(core, peer, MSG_CANCEL, msg->task, OK);
        task_cancel(core, index, &(struct cancel){ msg->force, msg->recursive });
    }
    struct msg *reply = emit_send(core, peer, MSG_CANCELLED, true);
    reply->as.cancelled = (struct msg_cancelled){ msg->seq, msg->task, index == NONE };
}

/*  `rayc task retry`: a new task like a failed one.  Its spec is asked of the store first. */
void on_retry(struct core *core, uint32_t peer, const struct msg_retry *msg)
{
    if (session_of_task(core, peer, msg->task) == NONE) {
        emit_refused(core, peer, msg->seq, ERR_NOT_FOUND, "no such task");
        return;
    }
    if (task_unended(core, msg->task) != NONE) {
        emit_refused(core, peer, msg->seq, ERR_CONFLICT, "the task has not ended");
        return;
    }
    if (core->retry_count == RETRIES_ASKED_MAX) {
        emit_refused(core, peer, msg->seq, ERR_BUSY, "too many retries at a time");
        return;
    }
    core->retries[core->retry_count].peer = peer;
    core->retries[core->retry_count].seq = msg->seq;
    core->retries[core->retry_count++].task = msg->task;
    emit_lookup(core, msg->task);
}

static uint32_t spec_by_id(const struct core *core, uint64_t id)
{
    return map_find(&core->spec_ids, id);
}

static void retry_now(struct core *core, uint32_t peer, uint64_t seq, const struct event *event)
{
    if (event->state != TASK_FAILED) {
        emit_refused(core, peer, seq, event->state == 0 ? ERR_NOT_FOUND : ERR_CONFLICT,
                     event->state == 0 ? "no such task" : "the task has not failed");
        return;
    }
    uint32_t spec = spec_by_id(core, event->spec);
    uint32_t job_index = spec == NONE ? NONE : spec_at(core, spec)->job;
    if (spec == NONE || job_ended(job_at(core, job_index)) || job_at(core, job_index)->ending ||
        job_at(core, job_index)->stopping || spec_at(core, spec)->kind == SPEC_DRIVER ||
        !session_at(core, spec_at(core, spec)->session)->internal) {
        emit_refused(core, peer, seq, ERR_CLOSED,
                     "only a failed task of an array job that has not ended can be retried; submit "
                     "the job again");
        return;
    }
    if (tasks_full(core, 0) || array_left(core, job_at(core, job_index)) > 0) {
        emit_refused(core, peer, seq, ERR_BUSY, "the head has as many tasks as it can hold");
        return;
    }
    if (!tasks_allowed(core, job_at(core, job_index)->user, 1)) {
        emit_refused(core, peer, seq, ERR_QUOTA, "the user has as many unfinished tasks as it may");
        return;
    }
    struct session *session = session_at(core, spec_at(core, spec)->session);
    uint64_t id = task_id_of(session->id, session->below).v;
    uint32_t index = task_new(core, spec_at(core, spec)->session, spec, id);
    EMIT(core, task_copy, id, event->number, TASK_READY, core->wall_ms);
    job_at(core, job_index)->total++;
    job_changed(core, job_index, false);
    task_ready(core, index, false);
    audit_number(core, peer, MSG_RETRY, event->number, OK);
    emit_send(core, peer, MSG_RETRIED, true)->as.retried = (struct msg_retried){ seq, id };
}

void on_looked_up(struct core *core, const struct event *event)
{
    objects_looked_up(core, event);
    if (task_find(core, event->number) == NONE && !value_awaited(core, event)) {
        edges_wake(core, event->number, event->state != TASK_FINISHED);
        kin_looked_up(core, event->number, event->state == TASK_FINISHED);
    }
    for (uint32_t i = 0; i < core->retry_count; i++) {
        if (core->retries[i].task == event->number) {
            uint32_t peer = core->retries[i].peer;
            uint64_t seq = core->retries[i].seq;
            core->retries[i] = core->retries[--core->retry_count];
            retry_now(core, peer, seq, event);
            return;
        }
    }
}
