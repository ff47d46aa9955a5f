/*  task.c - a task from acceptance to its one end: states, retries, arguments that wait, cancels. */
#include "head/core/state.h"

#include "common/bug.h"
#include "common/text.h"

enum task_cause {
    CAUSE_ARGS_READY = 1,
    CAUSE_LEASED,
    CAUSE_STARTED,
    CAUSE_RETURNED,
    CAUSE_RETRY,
    CAUSE_DONE,
    CAUSE_GIVEN_UP,
    CAUSE_ARGS_LOST,
    CAUSES
};

static const uint8_t edges[TASK_STATES][CAUSES] = {
#define EDGE(noun, from, cause, to) EDGE_##noun(from, cause, to)
#define EDGE_TASK(from, cause, to)  [TASK_##from][CAUSE_##cause] = TASK_##to,
#define EDGE_JOB(from, cause, to)
#define EDGE_NODE(from, cause, to)
#include "proto/states.def"
#undef EDGE
};

void task_set(struct core *core, struct task *task, uint32_t state)
{
    struct spec *spec = spec_at(core, task->spec);
    spec->in[task->state]--;
    spec->in[state]++;
    task->state = (uint8_t)state;
}

static void task_move(struct core *core, struct task *task, int cause)
{
    ensure(task->state < TASK_STATES && cause < CAUSES);
    uint8_t next = edges[task->state][cause];
    ensure(next != 0);
    task_set(core, task, next);
}

uint32_t task_find(const struct core *core, uint64_t id)
{
    return map_find(&core->task_map, id);
}

uint32_t children_kept(uint32_t limit, uint32_t depth)
{
    return limit / CHILDREN_SHARE >> (depth < 31 ? depth : 31);
}

bool tasks_full(const struct core *core, uint32_t depth)
{
    return core->tasks.taken + children_kept(core->limits.tasks, depth) >= core->limits.tasks;
}

void task_args(struct task *task, size_t bytes)
{
    while ((size_t)1 << task->args_class < bytes) {
        task->args_class++;
    }
}

/*  A task in state READY that is in no queue yet.  The caller has seen that the pool has room. */
uint32_t task_new(struct core *core, uint32_t session_index, uint32_t spec, uint64_t id)
{
    struct session *session = session_at(core, session_index);
    uint32_t index = pool_take(&core->tasks);
    ensure(index != NONE);
    struct task *task = task_at(core, index);
    task->id = id;
    task->spec = spec;
    task->node = NONE;
    task->run = NONE;
    task->timer = NONE;
    task->actor = NONE;
    task->attempt = 1;
    task->state = TASK_READY;
    task->flags = spec_at(core, spec)->kind == SPEC_DRIVER ? TASK_IS_DRIVER : 0;
    task->ready_ms = (uint32_t)core->now_ms;
    spec_at(core, spec)->in[TASK_READY]++;
    map_add(&core->task_map, index);
    chain_append(&session->tasks, &core->tasks, TASK_FAMILY, index);
    session->below = task_counter((task_id){ id }) + 1;
    user_at(core, job_at(core, session->job)->user)->tasks++;
    core->stats.accepted++;
    return index;
}

void task_ready(struct core *core, uint32_t index, bool first)
{
    struct task *task = task_at(core, index);
    const struct spec *spec = spec_at(core, task->spec);
    bool method = spec->kind == SPEC_METHOD;
    ensure(task->state == TASK_READY && (method || !(task->flags & TASK_IN_QUEUE)));
    if (objects_await(core, index)) {
        task->flags &= (uint16_t)~TASK_BACKOFF;
        return;
    }
    if (actor_waits(core, task)) {
        task->flags |= TASK_BACKOFF; /* without a timer: actor_settled() ends it */
        return;
    }
    if (task->flags & TASK_BACKOFF) {
        heap_set(&core->timers, index, task->due_ms);
        return;
    }
    if (spec->queue_ms_max > 0) {
        heap_set(&core->timers, index, core->now_ms + spec->queue_ms_max);
    }
    if (method) {
        call_ready(core, index);
        return;
    }
    struct queue *queue = queue_at(core, spec->queue);
    if (first && queue->tasks.count > 0 &&
        task_age(core, task_at(core, queue->tasks.first)) > task_age(core, task)) {
        task->ready_ms =
            task_at(core, queue->tasks.first)->ready_ms; /* its place in line (line.c) */
    }
    (first ? chain_prepend : chain_append)(&queue->tasks, &core->tasks, TASK_PLACE, index);
    task->flags |= TASK_IN_QUEUE;
    queue_wake(core, spec->queue);
}

void task_unqueue(struct core *core, uint32_t index)
{
    struct task *task = task_at(core, index);
    heap_remove(&core->timers, index);
    if (task_kind(core, task) == SPEC_METHOD) {
        call_leave(core, index);
    }
    task->flags &= (uint16_t)~TASK_BACKOFF;
    if (task->flags & TASK_IN_QUEUE) {
        uint32_t queue = spec_at(core, task->spec)->queue;
        chain_remove(&queue_at(core, queue)->tasks, &core->tasks, TASK_PLACE, index);
        task->flags &= (uint16_t)~TASK_IN_QUEUE;
        queue_sleep(core, queue);
    }
}

void edge_add(struct core *core, uint64_t dep, uint64_t waiter)
{
    uint32_t index = pool_take(&core->edges);
    ensure(index != NONE); /* on_submit() has counted */
    struct edge *edge = pool_at(&core->edges, index);
    edge->dep = dep;
    edge->waiter = waiter;
    map_add(&core->edge_map, index);
    uint32_t task = task_find(core, dep);
    if (task != NONE) {
        task_at(core, task)->flags |= TASK_HAS_WAITERS;
    } else if (!core->restoring) {
        emit_lookup(core, dep);
    }
}

void task_args_ready(struct core *core, uint32_t index)
{
    task_move(core, task_at(core, index), CAUSE_ARGS_READY);
    task_at(core, index)->ready_ms = (uint32_t)core->now_ms;
    task_ready(core, index, kin_is_child(core, task_at(core, index)->id));
}

void task_doom(struct core *core, uint32_t index, enum failure failure)
{
    struct task *task = task_at(core, index);
    if (task->failure == 0) {
        if (task->actor != NONE && task_kind(core, task) == SPEC_METHOD) {
            call_leave(core, index);
        }
        task->failure = (uint8_t)failure;
        chain_append(&core->doomed, &core->tasks, TASK_PLACE, index);
    }
}

static void waiter_wake(struct core *core, uint32_t index, uint64_t dep, bool failed)
{
    struct task *task = task_at(core, index);
    if (task->state != TASK_WAITING || task->failure != 0) {
        return;
    }
    if (failed) {
        task->argument = dep;
        task_doom(core, index, FAILURE_UPSTREAM);
        return;
    }
    ensure(task->deps_left > 0);
    if (--task->deps_left == 0) {
        task_args_ready(core, index);
    }
}

void edges_wake(struct core *core, uint64_t dep, bool failed)
{
    for (uint32_t i = map_find(&core->edge_map, dep); i != NONE;
         i = map_find(&core->edge_map, dep)) {
        uint64_t waiter = ((struct edge *)pool_at(&core->edges, i))->waiter;
        map_remove(&core->edge_map, i);
        if (task_counter((task_id){ waiter }) == 0) {
            borrower_wake(core, i);
            continue;
        }
        pool_give(&core->edges, i);
        uint32_t index = task_find(core, waiter);
        if (index != NONE) {
            waiter_wake(core, index, dep, failed);
        }
        if (RAYC_BUG(LOSE_WAITER)) {
            return;
        }
    }
}

static const char *outcome_name(uint32_t outcome)
{
    static const char *const names[OUTCOMES + 1] = {
        "FINISHED",      "APP_ERROR",    "EXIT",         "SIGNAL",    "RUN_TIMEOUT", "CANCELLED",
        "SETUP_FAILED",  "BAD_ARGUMENT", "NO_SUCH_TASK", "TOO_LARGE", "RETURNED",    "ENV_FAILED",
        "OUT_OF_MEMORY", "OBJECT_LOST",  "STORE_FULL",   "NODE_DIED"
    };
    ensure(outcome <= OUTCOMES);
    return names[outcome];
}

/*  "killed by signal 9", "exit status 3", or what the failure is; then what the worker had to say. */
struct slice task_sentence(struct core *core, const struct ending *how)
{
    char buffer[1024];
    struct text text = text_in(buffer, sizeof(buffer));
    if (how->failure == FAILURE_APP) {
        return how->text;
    }
    if (how->outcome == OUTCOME_SIGNAL && how->status < 0) {
        text_add(&text, "killed by signal ");
        text_u64(&text, (uint64_t) - (int64_t)how->status);
    } else if (how->outcome == OUTCOME_EXIT && how->failure == FAILURE_WORKER_DIED) {
        text_add(&text, "its process ended with exit status ");
        text_u64(&text, (uint64_t)how->status);
        text_add(&text, " before the task did");
    } else if (how->outcome == OUTCOME_EXIT && how->status > 0) {
        text_add(&text, "exit status ");
        text_u64(&text, (uint64_t)how->status);
    } else if (how->failure != FAILURE_NONE) {
        text_add(&text, failure_text(how->failure));
    }
    if (how->failure == FAILURE_QUARANTINED || how->failure == FAILURE_UNKNOWN) {
        text = text_in(buffer, sizeof(buffer));
        text_add(&text, failure_text(how->failure));
    }
    if (how->argument != 0) { /* its row says more */
        text_add(&text, ": ");
        text_id(&text, how->argument);
    }
    if (how->memory_bytes > 0) {
        text_add(&text, " (it demands ");
        text_u64(&text, how->memory_bytes);
        text_add(&text, " bytes)");
    }
    if (how->text.n > 0) {
        if (text.n > 0) {
            text_add(&text, ": ");
        }
        size_t room = sizeof(buffer) - 1 - text.n;
        struct slice tail = how->text; /* the last lines say most */
        if (tail.n > room) {
            tail = slice_of(tail.p + tail.n - room, room);
        }
        text_slice(&text, tail);
    }
    return scratch_put(core, buffer, text.n);
}

static void emit_attempt(struct core *core, const struct task *task, const struct ending *how,
                         struct slice text)
{
    bool again = (task->flags & TASK_REBUILD) && how->failure == FAILURE_NONE;
    EMIT(core, attempt_end, task->id, task->attempt, how->node, how->started_ms, core->wall_ms,
         how->run_us, slice_text(again ? "REBUILT" : outcome_name(how->outcome)), how->status, text,
         how->output, how->log);
}

static void tell_result(struct core *core, const struct task *task, const struct ending *how,
                        uint32_t attempt, struct slice text)
{
    struct result_send *send = result_tell(
        core, spec_at(core, task->spec)->session,
        &(struct rec_result){ task->id, how->failure, how->status, attempt, how->value, text });
    if (send != NULL) {
        send->text_stored = how->argument != 0;
    }
}

static void task_forget(struct core *core, uint32_t index)
{
    struct task *task = task_at(core, index);
    struct session *session = session_at(core, spec_at(core, task->spec)->session);
    if (task->actor != NONE && task_kind(core, task) == SPEC_METHOD) {
        lane_put(core, task->actor);
    }
    if (session->tasks.first == index) {
        session->low_dirty = true;
        session_due(core, spec_at(core, task->spec)->session);
    }
    user_at(core, job_at(core, session->job)->user)->tasks--;
    chain_remove(&session->tasks, &core->tasks, TASK_FAMILY, index);
    map_remove(&core->task_map, index);
    pool_give(&core->tasks, index);
    if (job_ended(job_at(core, session->job))) { /* a detached actor: the last that it had, maybe */
        job_specs_free(core, job_at(core, session->job));
    }
}

void task_unready(struct core *core, struct task *task)
{
    task_move(core, task, CAUSE_ARGS_LOST);
}

void task_attempt_row(struct core *core, const struct task *task, const struct ending *how)
{
    emit_attempt(core, task, how, how->failure ? task_sentence(core, how) : how->text);
}

void task_end(struct core *core, uint32_t index, const struct ending *why)
{
    struct task *task = task_at(core, index);
    if (task->flags & TASK_REBUILD) {
        rebuild_end(core, index, why);
        return;
    }
    struct ending told = *why;
    const struct ending *how = &told;
    told.failure = actor_had_its_time(core, task, why->failure) ? FAILURE_NONE : why->failure;
    uint32_t attempt = task->state == TASK_LEASED || task->state == TASK_RUNNING
                           ? task->attempt
                           : task->attempt - 1;
    if (task->state == TASK_LEASED || task->state == TASK_RUNNING) {
        lease_release(core, index);
    } else if (task->state == TASK_READY) {
        task_unqueue(core, index);
    } else if (task->failure != 0) {
        chain_remove(&core->doomed, &core->tasks, TASK_PLACE, index);
    } else if (task_kind(core, task) == SPEC_METHOD) {
        call_leave(core, index);
    }
    struct slice text = how->failure ? task_sentence(core, how) : how->text;
    if (how->failure == 0) {
        EMIT(core, task_done, task->id, attempt, how->node, how->started_ms, core->wall_ms,
             how->run_us, how->value, how->output, how->log, how->text);
        core->stats.finished++;
    } else {
        EMIT(core, task_failed, task->id, attempt, how->node, how->started_ms, core->wall_ms,
             how->run_us, how->failure, how->status, text, how->output, how->log, how->value,
             how->argument);
        core->stats.failed++;
    }
    if (attempt > 1 && attempt == task->attempt) {
        emit_attempt(core, task, how, text);
    }
    kin_ended(core, task, why->failure != 0);
    task_move(core, task, how->failure ? CAUSE_GIVEN_UP : CAUSE_DONE);
    tally_ended(core, task, how->failure != 0);
    tell_result(core, task, how, attempt, text);
    if (task_kind(core, task) == SPEC_ACTOR) {
        struct ending end = *why;
        end.text = why->failure ? task_sentence(core, why) : text;
        actor_ended(core, task->actor, &end);
    }
    job_task_ended(core, spec_at(core, task->spec)->job, task, how);
    uint64_t id = task->id;
    bool waiters = task->flags & TASK_HAS_WAITERS, holds = task->flags & TASK_HOLDS;
    task_forget(core, index);
    if (how->failure == 0) {
        objects_sealed(core, id, how->sealed, how->node);
    }
    objects_task_ended(core, id, holds);
    if (how->failure != 0) {
        objects_refused(core, id, how->sealed, how->node);
    }
    if (waiters) {
        edges_wake(core, id, how->failure != 0);
    }
}

static bool retry_allowed(const struct spec *spec, const struct ending *how, bool system)
{
    if (system || spec->retry_mode == RETRY_ANY) {
        return true;
    }
    for (uint32_t i = 0; spec->retry_mode == RETRY_CODES && i < spec->retry_code_count; i++) {
        if (spec->retry_codes[i] == how->status) {
            return true;
        }
    }
    return false;
}

/*  The first retry comes at once; the n-th waits uniformly in [0, min(max, base * 2^(n-2))]. */
static uint64_t backoff_ms(struct core *core, const struct spec *spec, uint32_t n)
{
    if (n < 2) {
        return 0;
    }
    uint32_t doublings = n - 2 < 20 ? n - 2 : 20;
    uint64_t top = (uint64_t)spec->backoff_ms << doublings;
    top = top < spec->backoff_ms_max ? top : spec->backoff_ms_max;
    return prng_below(&core->rng, top + 1);
}

static void task_again(struct core *core, uint32_t index, uint64_t wait_ms, bool charged)
{
    struct task *task = task_at(core, index);
    task->due_ms = core->now_ms + wait_ms;
    if (wait_ms > 0) {
        task->flags |= TASK_BACKOFF;
    }
    if (task_kind(core, task) == SPEC_METHOD) {
        call_join(core, index);
    }
    if (task->flags & TASK_REBUILD) { /* the row of a task that has ended stays */
        rebuild_again(core, task, charged);
    } else {
        EMIT(core, task_again, task->id, task->attempt, task->token, task->charged, task->crashes,
             wait_ms > 0 ? core->wall_ms + wait_ms : 0);
    }
    task_ready(core, index, true);
}

/*  `system`: the process or node died.  `crash`: the task may have killed its process. */
void task_attempt_failed(struct core *core, uint32_t index, const struct ending *how, bool system,
                         bool crash)
{
    struct task *task = task_at(core, index);
    const struct spec *spec = spec_at(core, task->spec);
    struct ending end = *how;
    if (task->flags & TASK_CANCEL) {
        end.failure = FAILURE_CANCELLED;
        task_end(core, index, &end);
        return;
    }
    if (!crash) {
        task->crashes = 0;
    } else if (task->crashes < UINT16_MAX) {
        task->crashes++;
    }
    if (spec->crash_limit > 0 && task->crashes >= spec->crash_limit) {
        end.failure = FAILURE_QUARANTINED;
        task_end(core, index, &end);
        return;
    }
    bool budget = spec->max_retries < 0 || task->charged < (uint32_t)spec->max_retries;
    if (!budget || !retry_allowed(spec, how, system) || !spec_goes_on(core, spec)) {
        task_end(core, index, &end);
        return;
    }
    emit_attempt(core, task, how, task_sentence(core, how));
    kin_orphan(core, task);
    lease_release(core, index);
    task->charged += !RAYC_BUG(FREE_RETRY);
    task->attempt++;
    core->stats.retries++;
    core->retries_by[how->failure]++;
    if (task->flags & TASK_IS_DRIVER) {
        job_driver_again(core, spec->job, how);
    }
    task_move(core, task, CAUSE_RETRY);
    bool actors = how->failure == FAILURE_ACTOR_UNAVAILABLE; /* its actor has a backoff already */
    task_again(core, index, actors ? 0 : backoff_ms(core, spec, task->charged), true);
}

/*  The attempt has not started, and will not there: the same attempt goes elsewhere. */
void task_returned(struct core *core, uint32_t index)
{
    struct task *task = task_at(core, index);
    if (task->flags & TASK_CANCEL) {
        task_end(core, index,
                 &(struct ending){ .failure = FAILURE_CANCELLED, .outcome = OUTCOME_CANCELLED });
        return;
    }
    kin_orphan(core, task);
    lease_release(core, index);
    task_move(core, task, CAUSE_RETURNED);
    task_again(core, index, 0, false);
}

/*  An actor had begun, and is to go: it starts elsewhere as its next incarnation, which is not charged. */
void task_restart(struct core *core, uint32_t index, const struct ending *how)
{
    struct task *task = task_at(core, index);
    emit_attempt(core, task, how, task_sentence(core, how));
    kin_orphan(core, task);
    lease_release(core, index);
    task->attempt++;
    task_move(core, task, CAUSE_RETURNED);
    task_again(core, index, 0, false);
}

void task_started(struct core *core, uint32_t index, uint64_t started_ms)
{
    struct task *task = task_at(core, index);
    if (task->state == TASK_LEASED) {
        task_move(core, task, CAUSE_STARTED);
        if (!(task->flags & TASK_REBUILD)) {
            EMIT(core, task_running, task->id, node_at(core, task->node)->id, started_ms);
        }
    }
}

void task_leased(struct core *core, struct task *task)
{
    task_move(core, task, CAUSE_LEASED);
}

void task_cancel(struct core *core, uint32_t index, const struct cancel *how)
{
    struct task *task = task_at(core, index);
    if (task->state == TASK_WAITING || task->state == TASK_READY) {
        task_end(core, index,
                 &(struct ending){ .failure = FAILURE_CANCELLED, .outcome = OUTCOME_CANCELLED });
        return;
    }
    task->flags |= (uint16_t)(TASK_CANCEL | (how->force ? TASK_CANCEL_FORCE : 0) |
                              (how->tree ? TASK_CANCEL_TREE : 0));
    EMIT(core, task_cancel, task->id,
         (task->flags & TASK_CANCEL_FORCE ? CANCEL_ROW_KILL : CANCEL_ROW_ASK) |
             (task->flags & TASK_CANCEL_TREE ? CANCEL_ROW_TREE : 0));
    if (how->tree) {
        kin_cancel(core, task);
    }
    const struct node *node = node_at(core, task->node);
    if (node->peer != NONE) {
        emit_lease(core, node->peer, task->id, task->token, how->force ? RECALL_KILL : RECALL_TERM);
    }
}

void task_give_up(struct core *core, uint32_t index, enum failure failure)
{
    const struct task *task = task_at(core, index);
    struct ending how = { .failure = failure, .outcome = OUTCOME_CANCELLED };
    if (task->state == TASK_LEASED || task->state == TASK_RUNNING) {
        const struct node *node = node_at(core, task->node);
        how.node = node->id;
        if (node->peer != NONE) { /* a call that runs belongs to an actor that may live on */
            emit_lease(core, node->peer, task->id, task->token,
                       task_kind(core, task) == SPEC_METHOD ? RECALL_IF_WAITING : RECALL_KILL);
        }
    }
    task_end(core, index, &how);
}

void task_timers(struct core *core)
{
    while (heap_time(&core->timers) <= core->now_ms && !effects_nearly_full(core)) {
        uint32_t index = heap_first(&core->timers);
        struct task *task = task_at(core, index);
        heap_remove(&core->timers, index);
        if (task->flags & TASK_BACKOFF) {
            task->flags &= (uint16_t)~TASK_BACKOFF;
            task->ready_ms = (uint32_t)core->now_ms;
            task_ready(core, index, true);
        } else {
            task_give_up(core, index, FAILURE_QUEUE_TIMEOUT);
        }
    }
}

/*  In whose words a doomed task ends; those of its failure where there is no more to say. */
static const char *doom_text(uint32_t failure)
{
    return failure == FAILURE_ACTOR_DIED
               ? "it is not known here: it never was, is another user's, or died long ago"
               : "";
}

void task_sweep_doomed(struct core *core)
{
    for (uint32_t n = 0; core->doomed.count > 0 && n < SWEEP && !effects_nearly_full(core); n++) {
        uint32_t index = core->doomed.first;
        const struct task *task = task_at(core, index);
        uint32_t failure = task->failure;
        task_end(core, index,
                 &(struct ending){ .failure = failure,
                                   .outcome = OUTCOME_CANCELLED,
                                   .argument = failure == FAILURE_UPSTREAM ? task->argument : 0,
                                   .text = slice_text(doom_text(failure)) });
    }
}
