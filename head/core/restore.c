/*  restore.c - a restart is a replay of rows.  Leases come back as they were: a worker that still has them is adopted,
    same attempt, no retry used; if no worker claims them within a lease, they are lost with their node. */
#include "head/core/job_inside.h"

static void restore_job(struct core *core, const struct restored *row)
{
    uint32_t user = user_find(core, row->job.owner);
    ensure(user != NONE);
    uint32_t index = job_new(core, row->job.id, row->job.submission, user);
    ensure(index != NONE);
    struct job *job = job_at(core, index);
    job->kind = row->job.kind;
    job->durability = row->job.durability;
    job->detached = row->job.detached;
    job->state = row->job.state;
    job->stopping = row->job.stopping & JOB_ROW_STOPPING;
    job->final = row->job.stopping >> JOB_ROW_FINAL_SHIFT;
    job->ending = job->final != 0;
    job->exit_code = row->job.exit_code;
    job->array_first = row->job.array_first;
    job->array_last = row->job.array_last;
    job->created_ms = row->job.created_ms;
    job->started_ms = row->job.started_ms;
    job->ended_ms = row->job.ended_ms;
    job->total = row->job.total;
    job->finished = row->job.finished;
    job->failed = row->job.failed;
    job->error = row->job.error;
    waits_restore(job, row->job.waits);
    if (job->waits.count > 0 && !job_ended(job) && !job->ending) {
        job_hold(core, index);
    }
    job->first_session = NONE;
    job->digest.n =
        (uint32_t)(row->job.digest.n < sizeof(job->digest.bytes) ? row->job.digest.n
                                                                 : sizeof(job->digest.bytes));
    if (job->digest.n > 0) {
        memcpy(job->digest.bytes, row->job.digest.p, job->digest.n);
    }
    slice_copy_text(row->job.message, job->message, sizeof(job->message));
    core->stats.jobs_open -= job_ended(job);
    user_at(core, user)->jobs -= job_ended(job);
    core->job_last = row->job.id > core->job_last ? row->job.id : core->job_last;
}

static void restore_session(struct core *core, const struct restored *row)
{
    uint32_t job_index = job_find(core, row->session.job);
    ensure(job_index != NONE);
    uint32_t index = session_new(core, job_index, row->session.id);
    ensure(index != NONE);
    struct session *session = session_at(core, index);
    struct job *job = job_at(core, job_index);
    session->root = row->session.root;
    job->rooted = job->rooted || session->root != 0;
    session->open = !row->session.closed && (!job_ended(job) || session->root != 0);
    session->below = row->session.last + 1;
    session->mark_number =
        1; /* nobody knows what of it is on the disk: the first sync of this head tells */
    session->mark_below = session->below;
    session->nested = row->session.nested;
    session->low = row->session.low;
    session->high = row->session.high;
    session->refs_next = row->session.refs > 1 ? row->session.refs : 1;
    if (job->first_session == NONE) {
        job->first_session = index;
        session->internal = job->kind != JOB_ATTACHED;
        job->driver = job->kind == JOB_DRIVER ? task_id_of(session->id, 1).v : 0;
    }
    core->session_last =
        row->session.id > core->session_last ? row->session.id : core->session_last;
}

static void restore_spec(struct core *core, const struct restored *row)
{
    uint32_t session = session_find(core, row->spec.session);
    struct list one = { row->spec.record, 1 };
    struct rec_spec record;
    int code = OK;
    core->spec_last = row->spec.id > core->spec_last ? row->spec.id : core->spec_last;
    if (session == NONE || !next_spec(&one, &record)) {
        return;
    }
    bool lingers =
        (record.kind == SPEC_ACTOR && record.detached) || session_at(core, session)->root != 0;
    if (job_ended(job_at(core, session_at(core, session)->job)) && !lingers) {
        return;
    }
    uint32_t index = spec_new(core, session, row->spec.id, &record, &code);
    ensure(index != NONE);
    if (job_at(core, session_at(core, session)->job)->kind == JOB_DRIVER &&
        session_at(core, session)->internal) {
        spec_at(core, index)->kind = SPEC_DRIVER;
    }
}

static void restore_node(struct core *core, const struct restored *row)
{
    uint32_t count = 0;
    int code = OK;
    struct list capacity = { row->node.capacity, 0 };
    for (struct list all = { row->node.capacity, NONE }; all.bytes.n > 0;
         count++) { /* the row has no header */
        struct rec_amount amount;
        next_amount(&all, &amount);
    }
    capacity.count = count;
    uint32_t index = node_new(core, row->node.id, row->node.key, row->node.name, capacity, &code);
    ensure(index != NONE);
    if (row->node.labels.n > 0) {
        slice_copy_text(row->node.labels, node_at(core, index)->labels, NODE_LABELS_MAX + 1);
        node_suits_set(core, index);
    } else { /* of an older rayc */
        node_labels_make(core, index, row->node.labels);
    }
    drain_restore(core, index, row);
    if (row->node.dead) {
        node_at(core, index)->state = NODE_DEAD;
        node_at(core, index)->exclusive_ms = core->now_ms + core->config.lease_ms;
        core->nodes_alive--;
    }
}

static void restore_deps(struct core *core, struct task *task, struct slice deps)
{
    struct list list = { deps, NONE };
    struct rec_id dep;
    while (list.bytes.n > 0 && next_id(&list, &dep)) {
        if (same_owner(core, task_session((task_id){ task->id }), dep.task)) {
            object_argument(core, task->id, dep.task);
        }
        if (task->state == TASK_WAITING) {
            task->deps_left++;
            if (!same_owner(core, task_session((task_id){ task->id }), dep.task)) {
                task_doom(core, task_find(core, task->id), FAILURE_UPSTREAM);
                continue;
            }
            edge_add(core, dep.task, task->id);
            if (dep.task < task->id && task_find(core, dep.task) == NONE) {
                emit_lookup(core, dep.task); /* it has ended: answered before the next row */
            }
        }
    }
}

/*  What an actor or a call is beside a task. */
static void restore_actor(struct core *core, uint32_t index, uint32_t session, uint64_t actor)
{
    struct task *task = task_at(core, index);
    uint32_t kind = task_kind(core, task);
    uint32_t lane = NONE;
    if (kind == SPEC_ACTOR) {
        task->actor = actor_find(core, task->id);
        ensure(task->actor != NONE);
        actor_at(core, task->actor)->task = index;
        session_at(core, session)->detached += spec_at(core, task->spec)->detached;
        actor_at(core, task->actor)->ordered = spec_at(core, task->spec)->ordered;
    } else if (kind == SPEC_METHOD && lane_get(core, session, task->spec, actor, &lane) == OK) {
        lane_take(core, lane, index);
    } else if (kind == SPEC_METHOD) {
        task_set(core, task, TASK_WAITING);
        task_doom(core, index, FAILURE_ACTOR_DIED);
    }
}

static void restore_task(struct core *core, const struct restored *row)
{
    uint32_t spec = map_find(&core->spec_ids, row->task.spec);
    uint32_t session = session_find(core, task_session((task_id){ row->task.id }));
    if (row->task.state == TASK_FINISHED) {
        rebuild_restore(core, row);
        return;
    }
    ensure(spec != NONE && session != NONE);
    uint64_t below = session_at(core, session)->below;
    uint32_t index = task_new(core, session, spec, row->task.id);
    session_at(core, session)->below = below;
    struct task *task = task_at(core, index);
    task->token = row->task.fence;
    task->attempt = row->task.attempt > 0 ? row->task.attempt : 1;
    task->charged = row->task.charged;
    task->crashes = (uint16_t)row->task.crashes;
    bool waits = row->task.deps.n > 0 || task_job(core, task)->held;
    task_set(core, task, row->task.state == TASK_WAITING && waits ? TASK_WAITING : TASK_READY);
    uint64_t submitted = row->task.submitted_ms;
    task->ready_ms = (uint32_t)core->now_ms -
                     (uint32_t)(core->wall_ms > submitted ? core->wall_ms - submitted : 0);
    task->flags |= (uint16_t)((row->task.cancelled > 0 ? TASK_CANCEL : 0) |
                              (row->task.cancelled & CANCEL_ROW_KILL ? TASK_CANCEL_FORCE : 0) |
                              (row->task.cancelled & CANCEL_ROW_TREE && !RAYC_BUG(FORGET_TREE)
                                   ? TASK_CANCEL_TREE
                                   : 0) |
                              (row->task.deps.n > 0 ? TASK_HAS_DEPS : 0));
    if (row->task.parent_fence != 0) {
        kin_add(core, row->task.parent, row->task.parent_fence, row->task.id);
    }
    core->stats.accepted--;
    task_args(task, row->task.args_bytes);
    restore_actor(core, index, session, row->task.actor);
    restore_deps(core, task, row->task.deps);
}

static void restore_lease(struct core *core, const struct row_lease_new *row)
{
    uint32_t node = node_find(core, row->node);
    uint32_t run_index = node == NONE ? NONE : pool_take(&core->runs);
    struct run *run = run_index == NONE ? NULL : pool_at(&core->runs, run_index);
    for (uint64_t i = 0; run && i < row->count; i++) {
        uint32_t index = task_find(core, row->first + i);
        if (index == NONE || row->token + i <= task_at(core, index)->token ||
            task_at(core, index)->failure != 0) {
            continue; /* ended, or about to; or a later attempt */
        }
        struct task *task = task_at(core, index);
        if (task->node != NONE) {
            lease_release(core, index); /* of an older row */
        } else if (task->state == TASK_READY || task_kind(core, task) == SPEC_METHOD) {
            task_unqueue(core, index);
        }
        task_set(core, task, TASK_READY);
        run->token = row->token;
        task->token = row->token + i;
        lease_hold(core, index, node, run_index);
    }
    if (!run || run->left == 0) {
        EMIT(core, lease_end, row->token);
        if (run) {
            pool_give(&core->runs, run_index);
        }
    }
}

void restore_row(struct core *core, const struct restored *row)
{
    switch (row->table) {
    case RESTORE_EPOCH:
        core->epoch = row->epoch;
        core->node_last = row->node_last;
        core->report_last = row->report_last;
        core->job_last = row->job_last;
        core->session_last = row->session_last;
        return;
    case RESTORE_USER:
        user_restore(core, row);
        return;
    case RESTORE_TOKEN:
        token_restore(core, row);
        return;
    case RESTORE_JOB:
        restore_job(core, row);
        return;
    case RESTORE_SESSION:
        restore_session(core, row);
        return;
    case RESTORE_STUDY:
        study_restore(core, row);
        return;
    case RESTORE_SPEC:
        restore_spec(core, row);
        return;
    case RESTORE_NODE:
        restore_node(core, row);
        return;
    case RESTORE_ACTOR:
        actor_restore(core, row);
        return;
    case RESTORE_TASK:
        restore_task(core, row);
        return;
    case RESTORE_LEASE:
        restore_lease(core, &row->lease);
        return;
    case RESTORE_OBJECT:
    case RESTORE_HOLD:
    case RESTORE_INSIDE:
        object_restore(core, row);
        return;
    }
}

static void requeue(struct core *core)
{
    for (uint32_t j = core->ages.first; j != NONE; j = job_at(core, j)->age.next) {
        for (uint32_t s = job_at(core, j)->sessions.first; s != NONE;
             s = session_at(core, s)->in_job.next) {
            uint32_t next;
            for (uint32_t t = session_at(core, s)->tasks.first; t != NONE; t = next) {
                next = task_at(core, t)->family.next;
                if (task_at(core, t)->state == TASK_READY &&
                    !(task_at(core, t)->flags & TASK_IN_QUEUE)) {
                    task_ready(core, t, false);
                }
            }
        }
    }
}

/*  All rows are here: what waits is queued, and what the rows leave open is asked or carried on. */
void restore_end(struct core *core)
{
    for (uint32_t i = 0; i < core->edges.fresh; i++) {
        uint64_t dep = ((struct edge *)pool_at(&core->edges, i))->dep;
        uint32_t task = task_find(core, dep);
        if (map_find(&core->edge_map, dep) == NONE) {
            continue; /* freed again: its task had ended */
        }
        if (task != NONE) {
            task_at(core, task)->flags |= TASK_HAS_WAITERS;
        } else {
            emit_lookup(core, dep);
        }
    }
    requeue(core);
    actors_restored(core);
    sessions_restored(core);
    kin_restored(core);
    objects_restored(core);
    for (uint32_t n = core->all_nodes.first; n != NONE; n = node_at(core, n)->all.next) {
        for (uint32_t d = 0; d < core->demand_count; d++) {
            lease_open_slots(core, n, d);
        }
    }
    for (uint32_t j = core->ages.first; j != NONE; j = job_at(core, j)->age.next) {
        if (job_ended(job_at(core, j))) {
            job_specs_free(core, job_at(core, j));
        } else {
            job_busy(core, j);
        }
    }
    core->restoring = false;
    core->epoch++;
    core->token_next = 1;
    /*  Workers remember specs by number; a power cut may have taken rows of some that they were told. */
    core->spec_last = core->spec_last > core->epoch << SPEC_EPOCH_SHIFT
                          ? core->spec_last
                          : core->epoch << SPEC_EPOCH_SHIFT;
    /*  Likewise drivers remember up to which report they have seen all. */
    core->report_last = core->report_last > core->epoch << REPORT_EPOCH_SHIFT
                            ? core->report_last
                            : core->epoch << REPORT_EPOCH_SHIFT;
    EMIT(core, head_start, core->epoch);
    core->package_put_ms = core->wall_ms; /* or before */
    package_scan(core);
    users_restored(core);
    emit_event(core, "HEAD_STARTED", 0, 0, 0, (struct slice){ 0 });
}
