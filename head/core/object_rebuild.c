/*  object_rebuild.c - an object that no node has any more is made again: its task runs once more, as a further attempt that
    is charged to its max_retries.  The task has ended, once, and its row stays as it is: what runs is known here, among
    `rebuilds`, and in the rows of its objects, which are REBUILDING until it ends. */
#include "head/core/object_inside.h"

#include "common/bug.h"

static bool is_rebuild(const struct task *task)
{
    return task->flags & TASK_REBUILD;
}

uint32_t task_unended(const struct core *core, uint64_t id)
{
    uint32_t index = task_find(core, id);
    return index != NONE && is_rebuild(task_at(core, index)) ? NONE : index;
}

/*  How often the task has run again for its objects. */
static uint32_t rebuilds_of(const struct core *core, uint64_t task)
{
    uint32_t most = 0;
    for (uint32_t i = map_find(&core->objects.by_task, task); i != NONE;
         i = map_next(&core->objects.by_task, i)) {
        most = object_at(core, i)->rebuilds > most ? object_at(core, i)->rebuilds : most;
    }
    return most;
}

/*  Tokens up to `fence` are void. */
static void rebuilds_set(struct core *core, uint64_t task, uint32_t rebuilds, uint64_t fence)
{
    for (uint32_t i = map_find(&core->objects.by_task, task); i != NONE;
         i = map_next(&core->objects.by_task, i)) {
        object_at(core, i)->rebuilds = (uint8_t)rebuilds;
    }
    EMIT(core, object_rebuilds, task, rebuilds, fence);
}

/*  0: it can. */
static enum object_reason why_not(const struct core *core, const struct event *event)
{
    uint32_t index = map_find(&core->spec_ids, event->spec);
    if (index == NONE || event->state == 0) {
        return event->state == 0 ? REASON_OBJECT_UNRECONSTRUCTABLE_REF_NOT_FOUND
                                 : REASON_OBJECT_UNRECONSTRUCTABLE_BORROWED;
    }
    const struct spec *spec = spec_at(core, index);
    uint32_t used = event->charged + rebuilds_of(core, event->number);
    if (spec->kind == SPEC_VALUE) {
        return REASON_OBJECT_UNRECONSTRUCTABLE_PUT;
    }
    if (spec->kind == SPEC_METHOD) {
        return REASON_OBJECT_UNRECONSTRUCTABLE_ACTOR;
    }
    if (spec->max_retries == 0 && !RAYC_BUG(REBUILD_ONCE)) {
        return REASON_OBJECT_UNRECONSTRUCTABLE_RETRIES_DISABLED;
    }
    if (spec->max_retries > 0 && used >= (uint32_t)spec->max_retries) {
        return REASON_OBJECT_UNRECONSTRUCTABLE_MAX_ATTEMPTS_EXCEEDED;
    }
    if (event->cancelled || !spec_goes_on(core, spec)) {
        return REASON_OBJECT_UNRECONSTRUCTABLE_TASK_CANCELLED;
    }
    bool trial = session_at(core, spec->session)->study_id != 0; /* what it reports is reported */
    uint32_t kept =
        core->limits.tasks / CHILDREN_SHARE; /* for children of those that wait for them */
    bool room =
        core->tasks.taken + kept < core->limits.tasks && used < UINT8_MAX && spec->queue != NONE;
    return event->state == TASK_FINISHED && room && !trial ? REASON_NONE : REASON_OBJECT_LOST;
}

/*  The task of the event, again in memory, and not among the unfinished ones of its session. */
static struct task *task_back(struct core *core, const struct rebuild *from)
{
    uint32_t spec = map_find(&core->spec_ids, from->spec);
    uint32_t index = spec_at(core, spec)->session;
    struct session *session = session_at(core, index);
    uint64_t below = session->below;
    uint32_t at = task_new(core, index, spec, from->task);
    struct task *task = task_at(core, at);
    session->below = below;
    user_at(core, job_at(core, session->job)->user)->tasks--;
    core->stats.accepted--;
    chain_remove(&session->tasks, &core->tasks, TASK_FAMILY, at);
    chain_append(&core->rebuilds, &core->tasks, TASK_FAMILY, at);
    uint32_t rebuilds = rebuilds_of(core, from->task);
    task->attempt = from->attempt + rebuilds;
    task->charged = from->charged + rebuilds;
    task->flags |= (uint16_t)(TASK_REBUILD | (from->deps.n > 0 ? TASK_HAS_DEPS : 0));
    task_args(task, from->args_bytes);
    struct list deps = { from->deps, NONE };
    struct rec_id dep;
    while (deps.bytes.n > 0 && next_id(&deps, &dep)) {
        object_argument(core, from->task, dep.task);
    }
    return task;
}

/*  Who needs it waits for it here, not at a worker, where it would have what the rebuild may need. */
static void park(struct core *core, uint32_t object)
{
    uint32_t next;
    for (uint32_t h = object_at(core, object)->holds; h != NONE; h = next) {
        uint64_t by = hold_at(core, h)->by;
        next = hold_at(core, h)->on.next;
        uint32_t index = by >> 63 == 0 ? task_find(core, by) : NONE;
        struct task *task = index != NONE ? task_at(core, index) : NULL;
        if (task == NULL || task_kind(core, task) == SPEC_METHOD) {
            continue;
        }
        if (task->state == TASK_READY && (task->flags & TASK_IN_QUEUE)) {
            task_unqueue(core, index);
            task_ready(core, index, true);
        } else if (task->state == TASK_LEASED && node_at(core, task->node)->peer != NONE) {
            emit_lease(core, node_at(core, task->node)->peer, task->id, task->token,
                       RECALL_IF_WAITING);
        }
    }
}

bool objects_await(struct core *core, uint32_t index)
{
    struct task *task = task_at(core, index);
    uint32_t kind = task_kind(core, task), next, waits = 0;
    bool waits_here = (task->flags & TASK_HAS_DEPS) && kind != SPEC_METHOD && kind != SPEC_ACTOR;
    for (uint32_t i = waits_here ? map_find(&core->objects.by_holder, BY_TASK(task->id)) : NONE;
         i != NONE && core->edges.taken < core->limits.edges; i = next) {
        const struct object *object = object_at(core, hold_at(core, i)->object);
        next = map_next(&core->objects.by_holder, i);
        if (object->state == DIRECTORY_REBUILDING && task_find(core, object->task) != NONE) {
            edge_add(core, object->task, task->id);
            waits++;
        }
    }
    if (waits > 0) {
        task->deps_left = (uint16_t)waits;
        task_unready(core, task);
    }
    return waits > 0;
}

enum object_reason object_rebuild(struct core *core, const struct event *event)
{
    enum object_reason reason = why_not(core, event);
    if (reason != REASON_NONE) {
        return reason;
    }
    uint32_t again = rebuilds_of(core, event->number) + !RAYC_BUG(FREE_REBUILD);
    EMIT(core, rebuild_begin, event->number);
    uint64_t fence = token_of(core->epoch, core->token_next - 1).v;
    rebuilds_set(core, event->number, again, fence);
    struct task *task =
        task_back(core, &(struct rebuild){ event->number, event->spec, event->attempt,
                                           event->charged, event->args_bytes, event->deps });
    task->token = fence;
    for (uint32_t i = map_find(&core->objects.by_task, event->number); i != NONE;
         i = map_next(&core->objects.by_task, i)) {
        struct object *object = object_at(core, i);
        if (object->state == DIRECTORY_STORED && object->copies == NONE) {
            object->state = DIRECTORY_REBUILDING;
            EMIT(core, object_state, object->task, object->index, DIRECTORY_REBUILDING, 0);
            park(core, i);
        }
    }
    emit_event(core, "OBJECT_REBUILT", 0, 0, event->number, (struct slice){ 0 });
    core->stats.retries++;
    task_ready(core, task_find(core, event->number), true);
    return REASON_NONE;
}

void rebuild_restore(struct core *core, const struct restored *row)
{
    uint32_t spec = map_find(&core->spec_ids, row->task.spec);
    if (spec != NONE && spec_goes_on(core, spec_at(core, spec))) {
        struct task *task = task_back(
            core, &(struct rebuild){ row->task.id, row->task.spec, row->task.attempt,
                                     row->task.charged, row->task.args_bytes, row->task.deps });
        task->token = row->task.fence;
    }
}

void rebuild_again(struct core *core, const struct task *task, bool charged)
{
    rebuilds_set(core, task->id, rebuilds_of(core, task->id) + charged, task->token);
}

/* --- the end -------------------------------------------------------------------------------------------- */

static enum object_reason reason_of(const struct ending *how)
{
    static const uint8_t reasons[FAILURES] = {
        [FAILURE_CANCELLED] = REASON_OBJECT_UNRECONSTRUCTABLE_TASK_CANCELLED,
        [FAILURE_DRIVER_DIED] = REASON_OBJECT_UNRECONSTRUCTABLE_TASK_CANCELLED,
        [FAILURE_JOB_STOPPED] = REASON_OBJECT_UNRECONSTRUCTABLE_TASK_CANCELLED,
        [FAILURE_OWNER_DIED] = REASON_OBJECT_UNRECONSTRUCTABLE_TASK_CANCELLED,
        [FAILURE_OBJECT_LOST] = REASON_OBJECT_UNRECONSTRUCTABLE_LINEAGE_EVICTED,
        [FAILURE_ARGUMENT] = REASON_OBJECT_UNRECONSTRUCTABLE_LINEAGE_EVICTED,
        [FAILURE_UPSTREAM] = REASON_OBJECT_UNRECONSTRUCTABLE_LINEAGE_EVICTED,
        [FAILURE_WORKER_DIED] = REASON_OBJECT_UNRECONSTRUCTABLE_MAX_ATTEMPTS_EXCEEDED,
        [FAILURE_NODE_DIED] = REASON_OBJECT_UNRECONSTRUCTABLE_MAX_ATTEMPTS_EXCEEDED,
        [FAILURE_RUN_TIMEOUT] = REASON_OBJECT_UNRECONSTRUCTABLE_MAX_ATTEMPTS_EXCEEDED,
        [FAILURE_OUT_OF_MEMORY] = REASON_OBJECT_UNRECONSTRUCTABLE_MAX_ATTEMPTS_EXCEEDED,
        [FAILURE_QUARANTINED] = REASON_OBJECT_UNRECONSTRUCTABLE_MAX_ATTEMPTS_EXCEEDED
    };
    uint8_t reason = how->failure < FAILURES ? reasons[how->failure] : 0;
    return reason != 0 ? (enum object_reason)reason : REASON_OBJECT_LOST;
}

static void leave(struct core *core, uint32_t index)
{
    struct task *task = task_at(core, index);
    if (task->state == TASK_LEASED || task->state == TASK_RUNNING) {
        lease_release(core, index);
    } else if (task->state == TASK_READY) {
        task_unqueue(core, index);
    } else if (task->failure != 0) {
        chain_remove(&core->doomed, &core->tasks, TASK_PLACE, index);
    }
    spec_at(core, task->spec)->in[task->state]--;
    chain_remove(&core->rebuilds, &core->tasks, TASK_FAMILY, index);
    map_remove(&core->task_map, index);
}

void rebuild_end(struct core *core, uint32_t index, const struct ending *how)
{
    struct task *task = task_at(core, index);
    uint64_t id = task->id;
    uint32_t job = spec_at(core, task->spec)->job;
    bool ran = task->state == TASK_LEASED || task->state == TASK_RUNNING;
    bool waiters = task->flags & TASK_HAS_WAITERS;
    if (ran) { /* else its token is the newest that is void: another's, maybe */
        task_attempt_row(core, task, how);
        kin_ended(core, task, how->failure != 0);
    }
    leave(core, index);
    pool_give(&core->tasks, index);
    if (how->failure == 0) {
        objects_resealed(core, id, how->sealed, how->node);
    }
    uint32_t next;
    for (uint32_t i = map_find(&core->objects.by_task, id); i != NONE; i = next) {
        next = map_next(&core->objects.by_task, i);
        if (object_at(core, i)->state == DIRECTORY_REBUILDING) { /* it was not made */
            object_lose(core, i, reason_of(how));
        }
    }
    objects_used(core, id);
    if (waiters) {
        edges_wake(core, id, false);
    }
    if (job_ended(job_at(core, job))) {
        job_specs_free(core, job_at(core, job));
    }
}

void rebuild_unneeded(struct core *core, uint64_t task)
{
    uint32_t index = task_find(core, task);
    uint32_t i = map_find(&core->objects.by_task, task);
    while (i != NONE && object_at(core, i)->state != DIRECTORY_REBUILDING) {
        i = map_next(&core->objects.by_task, i);
    }
    if (i == NONE && index != NONE && is_rebuild(task_at(core, index))) {
        task_give_up(core, index, FAILURE_CANCELLED);
    }
}

void rebuilds_work(struct core *core)
{
    uint32_t next;
    for (uint32_t i = core->rebuilds.first; i != NONE && !effects_nearly_full(core); i = next) {
        next = task_at(core, i)->family.next;
        if (!spec_goes_on(core, spec_at(core, task_at(core, i)->spec))) {
            task_give_up(core, i, FAILURE_JOB_STOPPED);
            next = core->rebuilds.first;
        }
    }
}
