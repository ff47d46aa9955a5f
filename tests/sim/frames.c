/*  frames.c - what must hold of each frame that leaves the head: nothing is told that is not committed, and nothing that
    promises to survive a power cut before it is synced; START only for a lease row. */
#include "tests/sim/object.h"
#include "tests/sim/sim.h"

typedef unsigned long long ull;

static bool is_full(struct sim *sim, uint64_t task)
{
    const struct job_seen *job = oracle_job_of(sim, task);
    return job != NULL && job->durability == DURABLE_FULL;
}

static void need_synced(struct sim *sim, uint64_t commit, const char *what)
{
    if (!disk_is_synced(sim, commit)) {
        sim_fail(sim, 2, "%s leaves before commit %llu is synced", what, (ull)commit);
    }
}

static void sent_submitted(struct sim *sim, const struct msg_submitted *msg)
{
    const struct session_seen *session = oracle_session(sim, msg->session);
    if (session == NULL || msg->below > session->last + 1) {
        sim_fail(sim, 2, "SUBMITTED tells of counters below %llu, but the rows end at %llu",
                 (ull)msg->below, (ull)(session == NULL ? 0 : session->last));
    }
    if (msg->synced > msg->below) {
        sim_fail(sim, 2, "SUBMITTED: synced %llu, below %llu", (ull)msg->synced, (ull)msg->below);
    }
}

static void sent_start(struct sim *sim, const struct msg_start *msg)
{
    struct list list = msg->starts;
    struct rec_start start;
    while (next_start(&list, &start)) {
        const struct task_seen *task = oracle_task(sim, start.task);
        bool current = task != NULL && task->token == start.token &&
                       (task->state == TASK_LEASED || task->state == TASK_RUNNING ||
                        (object_is_remade(task) && task->token > task->fence));
        if (!current && sim->head.after_sync && start.token <= sim->oracle.token_max) {
            continue; /* it waited for the disk and ended meanwhile; the RECALL comes behind */
        }
        if (!current) {
            sim_fail(sim, 8, "START of %llx with token %llx, but the rows have no such lease",
                     (ull)start.task, (ull)start.token);
        }
        if (start.attempt != object_attempt(task) || start.spec != task->spec) {
            sim_fail(sim, 8, "START of %llx as attempt %u, the rows say %u", (ull)start.task,
                     start.attempt, object_attempt(task));
        }
        if (start.deps.count != task->dep_count) {
            sim_fail(sim, 14, "START of %llx brings %u values for %u references", (ull)start.task,
                     start.deps.count, task->dep_count);
        }
        rule_sources(sim, &start);
        actor_sent(sim, &start);
        struct list values = start.deps;
        struct rec_value value;
        for (uint32_t i = 0; next_value(&values, &value); i++) {
            const struct task_seen *dep = oracle_task(sim, sim->oracle.deps[task->dep_first + i]);
            if (dep == NULL || hash_bytes_of(1, value.bytes.p, value.bytes.n) != dep->hash) {
                sim_fail(sim, 14, "START of %llx brings another value for reference %u",
                         (ull)start.task, i);
            }
        }
    }
}

static void sent_results(struct sim *sim, uint32_t peer, const struct msg_results *msg)
{
    struct list list = msg->results;
    struct rec_result result;
    while (next_result(&list, &result)) {
        const struct task_seen *task = oracle_task(sim, result.task);
        if (result.failure == FAILURE_UNKNOWN_TASK &&
            (task == NULL || task->deleted || task_is_foreign(sim, peer, result.task))) {
            continue; /* the head says that it knows no such task */
        }
        if (task == NULL || task->state < TASK_FINISHED) {
            sim_fail(sim, 2, "a result of %llx is told, but its rows have not ended",
                     (ull)result.task);
        }
        if (result.failure != task->failure || result.attempt != task->attempt ||
            hash_bytes_of(task->failure ? 2 : 1, result.value.p, result.value.n) != task->hash) {
            sim_fail(
                sim, 5,
                "%llx is told to have ended with failure %u in attempt %u, the rows say %u in %u",
                (ull)result.task, result.failure, result.attempt, task->failure, task->attempt);
        }
        if (is_full(sim, result.task)) {
            need_synced(sim, task->commit, "a result at level full");
        }
    }
}

static void sent_opened(struct sim *sim, const struct msg_job_opened *msg)
{
    const struct job_seen *job = oracle_job(sim, msg->job);
    if (job == NULL || !slice_same(msg->submission, slice_text(job->submission))) {
        sim_fail(sim, 3, "JOB_OPENED tells of job %llu, which is another's", (ull)msg->job);
    }
    need_synced(sim, job->commit, "JOB_OPENED");
    if (msg->session != 0 && oracle_session(sim, msg->session) == NULL) {
        sim_fail(sim, 2, "JOB_OPENED tells of a session without a row");
    }
}

static void sent_cancelled(struct sim *sim, const struct msg_cancelled *msg)
{
    const struct task_seen *task = oracle_task(sim, msg->task);
    if (task == NULL) {
        return;
    }
    if (!task->cancelled && task->state < TASK_FINISHED) {
        sim_fail(sim, 15, "CANCELLED for %llx, but the rows do not say so", (ull)msg->task);
    }
    if (!task->cancelled || !disk_is_synced(sim, task->cancel_commit)) {
        need_synced(sim, task->commit, "CANCELLED");
    }
}

static void sent_bye_done(struct sim *sim, const struct msg_bye_done *msg)
{
    const struct session_seen *session = oracle_session(sim, msg->session);
    if (session != NULL && !session->closed) {
        sim_fail(sim, 2, "BYE_DONE for session %llu, which is not closed", (ull)msg->session);
    }
}

static void sent_state(struct sim *sim, const struct msg_job_state *msg)
{
    const struct job_seen *job = oracle_job(sim, msg->job);
    bool late = job != NULL && msg->state < JOB_SUCCEEDED &&
                msg->state < job->state; /* it waited for the disk */
    if (job == NULL || (job->state != msg->state && !late)) {
        sim_fail(sim, 2, "JOB_STATE says %u, the rows say %u", msg->state,
                 job == NULL ? 0 : job->state);
    }
}

void rule_sent(struct sim *sim, uint32_t peer, const struct msg *msg)
{
    struct head *head = &sim->head;
    rule_heard(sim, peer, msg);
    if ((msg->as.seq & SEQ_PRIES) != 0) {
        return; /* what is another user's is answered as if it were not there */
    }
    switch (msg->kind) {
    case MSG_SUBMITTED:
        sent_submitted(sim, &msg->as.submitted);
        break;
    case MSG_START:
        sent_start(sim, &msg->as.start);
        break;
    case MSG_RESULTS:
        sent_results(sim, peer, &msg->as.results);
        break;
    case MSG_JOB_OPENED:
        sent_opened(sim, &msg->as.job_opened);
        break;
    case MSG_CANCELLED:
        sent_cancelled(sim, &msg->as.cancelled);
        break;
    case MSG_BYE_DONE:
        sent_bye_done(sim, &msg->as.bye_done);
        break;
    case MSG_JOB_STATE:
        sent_state(sim, &msg->as.job_state);
        break;
    case MSG_CHANGED:
        if (msg->as.seq == SEQ_DRAIN) {
            sent_drained(sim, &msg->as.changed);
        } else if ((msg->as.seq & SEQ_ACTOR) != 0) {
            actor_killed(sim, &msg->as.changed);
        } else if ((msg->as.seq & SEQ_AWAITS) == 0) {
            sent_changed(sim, &msg->as.changed);
        }
        break;
    case MSG_WELCOME:
        head->epoch_seen =
            msg->as.welcome.epoch > head->epoch_seen ? msg->as.welcome.epoch : head->epoch_seen;
        break;
    default:
        studies_sent(sim, msg);
        break;
    }
}

/*  What a report told must be in the rows, or have been overtaken, before its worker may forget it. */
void rule_acked(struct sim *sim, const struct msg *done)
{
    struct list list = done->as.done.done;
    struct rec_done record;
    while (next_done(&list, &record)) {
        const struct task_seen *task = oracle_task(sim, record.task);
        if (task == NULL || task->deleted || task->token != record.token) {
            continue;
        }
        if (task->state == TASK_LEASED || task->state == TASK_RUNNING) {
            sim_fail(sim, 2,
                     "the report of %llx with token %llx is acknowledged, but the rows still wait "
                     "for it",
                     (ull)record.task, (ull)record.token);
        }
    }
}
