/*  job_forget.c - jobs: ended ones go, with their tasks: the oldest, and those that somebody wants gone. */
#include "head/core/job_inside.h"

static void watchers_end(struct core *core, struct job *job)
{
    while (job->watchers.count > 0) {
        watcher_drop(core, job->watchers.first);
    }
}

static void session_gone(struct core *core, struct job *job, uint32_t index)
{
    struct session *session = session_at(core, index);
    if (session->is_due) {
        chain_remove(&core->due, &core->sessions, SESSION_DUE, index);
    }
    chain_remove(&job->sessions, &core->sessions, SESSION_JOB, index);
    session_unbind(core, index);
    map_remove(&core->session_map, index);
    pool_give(&core->sessions, index);
}

static void job_gone(struct core *core, uint32_t index)
{
    struct job *job = job_at(core, index);
    watchers_end(core, job);
    EMIT(core, ids_used, core->job_last, core->session_last);
    EMIT(core, job_delete, job->id);
    core->packages_ms = core->wall_ms;
    if (job->forgetting) {
        core->forgetting--;
        emit_event(core, "JOB_DELETED", job->id, 0, 0, slice_text(job->submission));
        emit_send(core, job->forget_peer, MSG_CHANGED, true)->as.changed =
            (struct msg_changed){ job->forget_seq, job->id };
    }
    if (core->forgotten_count <
        FORGOTTEN_MAX) { /* the files of the others go with the next start */
        core->forgotten[core->forgotten_count++] = job->id;
    }
    if (job->is_changed) {
        chain_remove(&core->changed, &core->jobs, JOB_CHANGED, index);
    }
    if (job->is_busy) {
        chain_remove(&core->busy, &core->jobs, JOB_BUSY, index);
    }
    map_remove(&core->job_ids, index);
    map_remove(&core->job_hashes, index);
    chain_remove(&core->ages, &core->jobs, JOB_AGE, index);
    pool_give(&core->jobs, index);
}

/*  A slice of its tasks at a time: the rows of a million are seconds of work. */
static void job_erase(struct core *core, uint32_t index)
{
    enum { ERASE_STEP = 20000 };
    struct job *job = job_at(core, index);
    uint32_t session = job->sessions.first;
    if (session != NONE) {
        uint64_t id = session_at(core, session)->id;
        uint64_t last = job->erased + ERASE_STEP;
        EMIT(core, task_delete, task_id_of(id, job->erased).v, task_id_of(id, last).v);
        objects_forget(core, task_id_of(id, job->erased).v, task_id_of(id, last).v);
        job->erased = last + 1;
        if (last >= session_at(core, session)->below) {
            job->erased = 0;
            session_gone(core, job, session);
        }
    }
    if (job->sessions.count == 0) {
        job_gone(core, index);
    }
}

static uint32_t oldest(const struct core *core, bool asked)
{
    uint32_t index = core->ages.first;
    while (index != NONE &&
           (asked ? !job_at(core, index)->forgetting
                  : !job_ended(job_at(core, index)) || job_lingers(core, job_at(core, index)))) {
        index = job_at(core, index)->age.next;
    }
    return index;
}

/*  Ended jobs beyond the number or the days that are kept go, the oldest first. */
void job_forget_old(struct core *core)
{
    if (core->forgetting > 0) {
        job_erase(core, oldest(core, true));
        return;
    }
    uint32_t index = oldest(core, false);
    if (index == NONE) {
        return;
    }
    uint64_t kept_ms = (uint64_t)core->config.job_days_max * 86400000;
    bool crowded = core->jobs.taken + 1 >= core->limits.jobs ||
                   core->sessions.taken + 1 >= core->limits.sessions;
    if (crowded || job_at(core, index)->ended_ms + kept_ms <= core->wall_ms) {
        job_erase(core, index);
    }
}

void on_job_delete(struct core *core, uint32_t peer, const struct msg_job_delete *msg)
{
    uint32_t index = job_of_peer(core, peer, msg->job);
    if (index == NONE) {
        emit_refused(core, peer, msg->seq, ERR_NOT_FOUND, "no such job");
        return;
    }
    struct job *job = job_at(core, index);
    if (!job_ended(job) && !RAYC_BUG(DELETE_RUNNING)) {
        emit_refused(core, peer, msg->seq, ERR_CONFLICT,
                     "the job has not ended: stop it first, and wait until it has");
        return;
    }
    if (job_lingers(core, job)) {
        emit_refused(core, peer, msg->seq, ERR_CONFLICT,
                     "a detached actor of the job lives: kill it first (rayc actor list)");
        return;
    }
    if (job->forgetting && job->forget_peer != peer && peer_find(core, job->forget_peer) != NONE) {
        emit_refused(core, peer, msg->seq, ERR_CONFLICT, "somebody else deletes the job already");
        return;
    }
    if (!job->forgetting) {
        audit(core, peer, MSG_JOB_DELETE, slice_text(job->submission), OK);
    }
    core->forgetting += !job->forgetting;
    job->forgetting = true;
    job->forget_peer = peer; /* or that of a client that has come back */
    job->forget_seq = msg->seq;
    job_erase(core, index);
}
