/*  rules.c - what must hold of each row when it is committed, and of everything at the end.  The numbers are those of
    the invariants in the project's guarantees; README.md has their list. */
#include <inttypes.h>

#include "tests/sim/object.h"
#include "tests/sim/sim.h"
#include "tests/sim/store.h"

typedef unsigned long long ull;

void rule_task_new(struct sim *sim, const struct task_seen *task)
{
    const struct spec_seen *spec = oracle_spec(sim, task->spec);
    if (spec == NULL) {
        sim_fail(sim, 1, "the task %llx has no spec", (ull)task->id);
    }
    bool value = spec->kind == SPEC_VALUE && task->state == TASK_FINISHED;
    if (task->state != TASK_READY && task->state != TASK_WAITING && !value) {
        sim_fail(sim, 4, "the task %llx is new in state %u", (ull)task->id, task->state);
    }
}

static void check_deps(struct sim *sim, const struct task_seen *task)
{
    for (uint32_t i = 0; i < task->dep_count; i++) {
        uint64_t id = sim->oracle.deps[task->dep_first + i];
        const struct task_seen *dep = oracle_task(sim, id);
        if (dep == NULL || dep->state != TASK_FINISHED) {
            sim_fail(sim, 14, "%llx is leased, but its argument %llx has not finished",
                     (ull)task->id, (ull)id);
        }
    }
}

void rule_lease(struct sim *sim, struct task_seen *task, uint64_t token, uint64_t node)
{
    if (token <= sim->oracle.token_max || token <= task->token || token <= task->fence) {
        sim_fail(sim, 7, "%llx is leased with token %llx: not greater than all before",
                 (ull)task->id, (ull)token);
    }
    if (token >> TOKEN_COUNTER_BITS != sim->oracle.epoch) {
        sim_fail(sim, 7, "token %llx is not of epoch %llu", (ull)token, (ull)sim->oracle.epoch);
    }
    if (task->state != TASK_READY && task->state != TASK_WAITING && !object_is_remade(task)) {
        sim_fail(sim, 8, "%llx is leased in state %u", (ull)task->id, task->state);
    }
    if (task->cancelled) {
        sim_fail(sim, 15, "%llx is leased, but it was cancelled", (ull)task->id);
    }
    if (task->not_before_ms != 0 && task->due_epoch == sim->oracle.epoch &&
        head_now_ms(sim) < task->not_before_ms) {
        sim_fail(sim, 17, "%llx is leased %llu ms before its backoff ends", (ull)task->id,
                 (ull)(task->not_before_ms - head_now_ms(sim)));
    }
    check_deps(sim, task);
    if (!object_is_remade(task)) { /* who needs its object is not its parent */
        rule_kin(sim, task);
        rule_root(sim, task);
    }
    rule_place(sim, task, node);
    rule_after(sim, oracle_job_of(sim, task->id));
}

static void check_attempts(struct sim *sim, const struct task_seen *task, uint32_t attempt)
{
    const struct spec_seen *spec = oracle_spec(sim, task->spec);
    if (attempt > task->attempt || attempt + 1 < task->attempt) {
        sim_fail(sim, 6, "%llx ends with attempt %u after %u", (ull)task->id, attempt,
                 task->attempt);
    }
    bool counted =
        spec->kind != SPEC_ACTOR; /* those of an actor that were planned are not charged */
    if (counted && spec->max_retries >= 0 && attempt > 1 + (uint32_t)spec->max_retries) {
        sim_fail(sim, 6, "%llx has attempt %u, with max_retries %d", (ull)task->id, attempt,
                 spec->max_retries);
    }
}

static void check_live(struct sim *sim, const struct task_seen *task, const char *what)
{
    if (task->state >= TASK_FINISHED) {
        sim_fail(sim, 5, "%llx has ended in state %u, and now %s", (ull)task->id, task->state,
                 what);
    }
}

void rule_again(struct sim *sim, const struct task_seen *task, const struct row_task_again *row)
{
    const struct spec_seen *spec = oracle_spec(sim, task->spec);
    check_live(sim, task, "is to run again");
    if (task->state != TASK_LEASED && task->state != TASK_RUNNING) {
        sim_fail(sim, 4, "%llx is to run again, but it was not leased", (ull)task->id);
    }
    if (row->attempt != task->attempt && row->attempt != task->attempt + 1) {
        sim_fail(sim, 6, "attempt %u of %llx after %u", row->attempt, (ull)task->id, task->attempt);
    }
    bool planned = spec->kind == SPEC_ACTOR && row->charged == task->charged;
    if (!planned && row->charged - task->charged != row->attempt - task->attempt) {
        sim_fail(sim, 6, "%llx has attempt %u after %u and was charged %u after %u", (ull)task->id,
                 row->attempt, task->attempt, row->charged, task->charged);
    }
    uint32_t most = 1 + (uint32_t)spec->max_retries + (row->attempt - 1 - row->charged);
    if (spec->max_retries >= 0 && row->attempt > most) {
        sim_fail(sim, 6, "%llx gets attempt %u, with max_retries %d", (ull)task->id, row->attempt,
                 spec->max_retries);
    }
    if (row->fence < task->token) {
        sim_fail(sim, 7, "%llx: token %llx is not void though its attempt has ended", (ull)task->id,
                 (ull)task->token);
    }
    if (spec->crash_limit > 0 && row->crashes >= spec->crash_limit) {
        sim_fail(sim, 16, "%llx crashed %u times and is tried again", (ull)task->id, row->crashes);
    }
    uint64_t wait = row->due_ms > 0 ? row->due_ms - head_wall_ms(sim) : 0;
    uint64_t top = row->charged < 2 ? 0
                                    : (uint64_t)spec->backoff_ms
                                          << (row->charged - 2 < 20 ? row->charged - 2 : 20);
    if (wait > top || wait > spec->backoff_ms_max) {
        sim_fail(sim, 17, "%llx waits %llu ms before retry %u", (ull)task->id, (ull)wait,
                 row->charged);
    }
}

void rule_done(struct sim *sim, const struct task_seen *task, const struct row_task_done *row)
{
    check_live(sim, task, "has finished");
    check_attempts(sim, task, row->attempt);
    if (task->state != TASK_LEASED && task->state != TASK_RUNNING) {
        sim_fail(sim, 9, "%llx finished without a lease", (ull)task->id);
    }
    const struct effect *effect = effect_of(sim, task->token);
    bool lived = oracle_spec(sim, task->spec)->kind == SPEC_ACTOR; /* its end was wanted, maybe */
    bool ended = effect != NULL && effect->ended && effect->outcome == OUTCOME_OK;
    if (effect == NULL || !(ended || lived) || effect->task != task->id) {
        sim_fail(sim, 11, "%llx finished, but nothing ended well under its token %llx",
                 (ull)task->id, (ull)task->token);
    }
    if (effect->attempt != row->attempt) {
        sim_fail(sim, 9, "%llx finished as attempt %u, but that ran as attempt %u", (ull)task->id,
                 row->attempt, effect->attempt);
    }
    const struct spec_seen *spec = oracle_spec(sim, task->spec);
    if ((spec->kind == SPEC_FUNCTION || spec->kind == SPEC_METHOD) &&
        hash_bytes_of(1, row->result.p, row->result.n) != effect->value_hash) {
        sim_fail(sim, 11, "the result of %llx is not what its attempt returned", (ull)task->id);
    }
}

void rule_failed(struct sim *sim, const struct task_seen *task, const struct row_task_failed *row)
{
    if (row->failure == FAILURE_QUOTA) {
        rule_refused(sim, task);
    }
    if (row->failure != FAILURE_QUOTA || oracle_spec(sim, task->spec)->kind != SPEC_VALUE) {
        check_live(sim, task, "has failed");
    }
    check_attempts(sim, task, row->attempt);
    if (row->failure == FAILURE_APP || row->failure == FAILURE_EXIT) {
        const struct effect *effect = effect_of(sim, task->token);
        uint32_t outcome = row->failure == FAILURE_APP ? OUTCOME_APP_ERROR : OUTCOME_EXIT;
        if (effect == NULL || !effect->ended || effect->outcome != outcome ||
            effect->status != row->status) {
            sim_fail(sim, 11, "%llx failed with status %d, but nothing ended so under token %llx",
                     (ull)task->id, row->status, (ull)task->token);
        }
    }
    if (row->failure == FAILURE_UNKNOWN && oracle_spec(sim, task->spec)->max_retries != 0) {
        sim_fail(sim, 10, "%llx ends UNKNOWN_OUTCOME, but may be retried", (ull)task->id);
    }
    if (row->failure == FAILURE_OWNER_DIED || row->failure == FAILURE_DRIVER_DIED ||
        row->failure == FAILURE_JOB_STOPPED) {
        rule_orphan(sim, task, row->failure);
    }
    if (row->failure == FAILURE_UNSCHEDULABLE) {
        rule_unschedulable(sim, task);
    }
    if (row->failure == FAILURE_UPSTREAM) {
        bool failed = after_failed(sim, oracle_job_of(sim, task->id));
        for (uint32_t i = 0; i < task->dep_count; i++) {
            const struct task_seen *dep = oracle_task(sim, sim->oracle.deps[task->dep_first + i]);
            failed = failed || dep == NULL || dep->deleted || dep->state == TASK_FAILED;
        }
        if (!failed) {
            sim_fail(sim, 14, "%llx ends UPSTREAM_FAILED, but no argument of it has failed",
                     (ull)task->id);
        }
    }
}

void rule_job(struct sim *sim, const struct job_seen *job, const struct row_job_state *row)
{
    static const char edges[JOB_STATES][JOB_STATES] = {
        [JOB_PENDING] = { [JOB_PENDING] = 1,
                          [JOB_RUNNING] = 1,
                          [JOB_SUCCEEDED] = 1,
                          [JOB_FAILED] = 1,
                          [JOB_STOPPED] = 1 },
        [JOB_RUNNING] = { [JOB_RUNNING] = 1,
                          [JOB_SUCCEEDED] = 1,
                          [JOB_FAILED] = 1,
                          [JOB_STOPPED] = 1 },
    };
    if (row->state >= JOB_STATES || !edges[job->state][row->state]) {
        sim_fail(sim, 34, "job %s goes from state %u to %u", job->submission, job->state,
                 row->state);
    }
    if (row->state == JOB_SUCCEEDED) {
        rule_after(sim, job);
    }
    if (row->state < JOB_SUCCEEDED) {
        return;
    }
    for (uint32_t i = 0; i < sim->oracle.task_count; i++) {
        const struct task_seen *task = &sim->oracle.tasks[i];
        const struct job_seen *its = oracle_job_of(sim, task->id);
        if (its == job && task->state < TASK_FINISHED && !actor_lingers(sim, task)) {
            sim_fail(sim, 34, "job %s has ended, its task %llx has not", job->submission,
                     (ull)task->id);
        }
    }
}

void rule_counts(struct sim *sim)
{
    for (uint32_t i = 0; i < sim->oracle.job_count; i++) {
        struct job_seen *job = &sim->oracle.jobs[i];
        if (job->counts_written) {
            job->counts_written = false;
            if (job->total != job->tasks || job->finished != job->done || job->failed != job->bad) {
                sim_fail(sim, 34,
                         "job %s says %llu/%llu/%llu tasks, finished, failed; the rows say "
                         "%llu/%llu/%llu",
                         job->submission, (ull)job->total, (ull)job->finished, (ull)job->failed,
                         (ull)job->tasks, (ull)job->done, (ull)job->bad);
            }
        }
    }
}

/*  A worker is given up only when it really was silent, and the head awake to hear it. */
void rule_node_dead(struct sim *sim, const struct row_node_state *row)
{
    for (uint32_t i = 0; i < sim->worker_count; i++) {
        if (sim->nodes[i].alive && worker_stats(sim->nodes[i].core).node == row->id) {
            store_lost(sim, &sim->nodes[i]);
        }
    }
    if (row->reason.n < 6 || memcmp(row->reason.p, "silent", 6) != 0) {
        return;
    }
    uint64_t lease_us = (uint64_t)sim->head.config.lease_ms * 1000;
    for (uint32_t i = 0; i < sim->worker_count; i++) {
        const struct node *node = &sim->nodes[i];
        bool its = node->alive && worker_stats(node->core).node == row->id;
        uint64_t since =
            node->heard_us > sim->head.started_us ? node->heard_us : sim->head.started_us;
        if (its && sim->now_us - since < lease_us) {
            sim_fail(sim, 12, "node %llu is given up %llu ms after it was heard", (ull)row->id,
                     (ull)(sim->now_us - since) / 1000);
        }
    }
}

static void end_of_task(struct sim *sim, const struct task_seen *task)
{
    if (task->deleted) {
        return;
    }
    if (task->state < TASK_FINISHED) {
        sim_fail(sim, 19,
                 "the task %llx has not ended: state %u, attempt %u, token %llx, node %llu",
                 (ull)task->id, task->state, task->attempt, (ull)task->token, (ull)task->node);
    }
}

void oracle_end(struct sim *sim)
{
    for (uint32_t i = 0; i < sim->oracle.task_count; i++) {
        end_of_task(sim, &sim->oracle.tasks[i]);
    }
    for (uint32_t i = 0; i < sim->oracle.job_count; i++) {
        const struct job_seen *job = &sim->oracle.jobs[i];
        if (!job->deleted && job->state < JOB_SUCCEEDED) {
            sim_fail(sim, 19, "job %s of kind %u has not ended: state %u, %llu of %llu tasks ended",
                     job->submission, job->kind, job->state, (ull)(job->done + job->bad),
                     (ull)job->tasks);
        }
        if (!job->deleted &&
            (job->total != job->tasks || job->finished != job->done || job->failed != job->bad)) {
            sim_fail(sim, 34, "job %s has ended with counters that are not its tasks'",
                     job->submission);
        }
    }
    for (uint32_t i = 0; i < sim->oracle.lease_count; i++) {
        if (!sim->oracle.leases[i].ended) {
            sim_fail(sim, 18, "the lease %llx is held by nobody and not ended",
                     (ull)sim->oracle.leases[i].token);
        }
    }
    objects_end(sim);
    studies_end(sim);
}
