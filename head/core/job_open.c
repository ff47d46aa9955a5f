/*  job_open.c - jobs: how they begin, also when they are asked for again, and how their drivers come to them. */
#include "head/core/job_inside.h"

static void tell_opened(struct core *core, uint32_t peer, uint64_t seq, const struct job *job,
                        uint64_t session, bool again)
{
    struct msg *reply = emit_send(core, peer, MSG_JOB_OPENED, true);
    reply->as.job_opened =
        (struct msg_job_opened){ seq, job->id, session, again, slice_text(job->submission) };
}

static void open_again(struct core *core, uint32_t peer, const struct msg_job_open *msg,
                       uint32_t index)
{
    struct job *job = job_at(core, index);
    if (!may_touch(core, peer, job->owner)) {
        emit_refused(core, peer, msg->seq, ERR_CONFLICT, "this submission id is taken");
        return;
    }
    if (job->forgetting) {
        emit_refused(core, peer, msg->seq, ERR_BUSY,
                     "the job of this submission id is being deleted");
        return;
    }
    if (!slice_same(msg->digest, slice_of(job->digest.bytes, job->digest.n))) {
        emit_refused(core, peer, msg->seq, ERR_CONFLICT,
                     "a job of this submission id exists, with another content");
        return;
    }
    uint64_t session = 0;
    if (job->kind == JOB_ATTACHED && session_at(core, job->first_session)->open) {
        session = session_at(core, job->first_session)->id;
        session_bind(core, job->first_session, peer);
    }
    tell_opened(core, peer, msg->seq, job, session, true);
}

static const char *open_fault(const struct msg_job_open *msg)
{
    if (msg->submission.n == 0) {
        return "the submission id is empty";
    }
    if (msg->kind < JOB_ATTACHED || msg->durability < DURABLE_PROCESS) {
        return "the kind of job or its durability is not valid";
    }
    if ((msg->kind != JOB_ATTACHED) != (msg->specs.count == 1)) {
        return "a driver or array needs one spec, and an attached job none";
    }
    if (msg->kind == JOB_ATTACHED && msg->after.count > 0) {
        return "a program that is its own driver runs already: it cannot wait for other jobs";
    }
    if (msg->kind == JOB_ARRAY &&
        (msg->array_last < msg->array_first || msg->array_last - msg->array_first >= 100000000)) {
        return "the array's range is empty or larger than 100 million";
    }
    return NULL;
}

/*  What of the user's is used up; NULL: nothing. */
static const char *quota_fault(const struct core *core, uint32_t index,
                               const struct msg_job_open *msg)
{
    const struct user *user = user_at(core, index);
    if (user->jobs >= user->jobs_max) {
        return "the user has as many unfinished jobs as it may";
    }
    uint64_t wanted = msg->kind == JOB_ARRAY ? msg->array_last - msg->array_first + 1 : 1;
    if (msg->kind != JOB_ATTACHED && !tasks_allowed(core, index, wanted)) {
        return "the user would have more unfinished tasks than it may";
    }
    return NULL;
}

static int first_spec(struct core *core, uint32_t job, uint32_t session, struct list specs)
{
    struct slice bytes = specs.bytes;
    struct rec_spec record;
    next_spec(&specs, &record);
    if (record.kind >= SPEC_DRIVER && job_at(core, job)->kind == JOB_ARRAY) {
        return ERR_INVALID;
    }
    int code = OK;
    uint32_t spec = spec_new(core, session, core->spec_last + 1, &record, &code);
    if (spec == NONE) {
        return code;
    }
    core->spec_last++;
    spec_save(core, spec, &record, bytes);
    if (job_at(core, job)->kind == JOB_DRIVER) {
        spec_at(core, spec)->kind = SPEC_DRIVER;
        uint64_t id = task_id_of(session_at(core, session)->id, 1).v;
        uint32_t task = task_new(core, session, spec, id);
        uint32_t state = job_at(core, job)->waits.count > 0 ? TASK_WAITING : TASK_READY;
        job_at(core, job)->driver = id;
        task_set(core, task_at(core, task), state);
        EMIT(core, task_new, id, core->spec_last, state, core->wall_ms, { 0 }, { 0 }, 0, 0, 0, 0);
        if (state == TASK_READY) {
            task_ready(core, task, false);
        }
    }
    return OK;
}

static void job_undo(struct core *core, uint32_t index)
{
    struct job *job = job_at(core, index);
    uint32_t session = job->first_session;
    if (session != NONE) {
        map_remove(&core->session_map, session);
        pool_give(&core->sessions, session);
    }
    map_remove(&core->job_ids, index);
    map_remove(&core->job_hashes, index);
    chain_remove(&core->ages, &core->jobs, JOB_AGE, index);
    user_at(core, job->user)->jobs--;
    core->stats.jobs_open--;
    pool_give(&core->jobs, index);
}

static void job_fill(struct job *job, const struct msg_job_open *msg, const struct job_waits *waits)
{
    job->kind = msg->kind;
    job->durability = msg->durability;
    job->detached = msg->detached;
    job->array_first = msg->array_first;
    job->array_last = msg->array_last;
    job->digest.n = (uint32_t)msg->digest.n;
    memcpy(job->digest.bytes, msg->digest.p, msg->digest.n);
    job->waits = *waits;
}

/*  Its rows; OK, or the code of what is wrong with its spec: nothing has happened then. */
static int job_make(struct core *core, uint32_t index, const struct msg_job_open *msg)
{
    struct job *job = job_at(core, index);
    size_t rows = core->row_bytes;
    uint32_t row_count = core->row_count;
    job->first_session = session_new(core, index, core->session_last + 1);
    EMIT(core, job_new, job->id, msg->submission, job->kind, job->durability, job->detached,
         job->state, msg->digest, msg->entrypoint, msg->name, job->array_first, job->array_last,
         core->wall_ms, job->owner, msg->metadata, msg->runtime_env, waits_text(core, &job->waits),
         waits_bytes(core, &job->waits));
    int code = job->first_session == NONE ? ERR_BUSY : OK;
    if (code == OK) {
        EMIT(core, session_new, core->session_last + 1, job->id, 0, 0);
        session_at(core, job->first_session)->internal = msg->kind != JOB_ATTACHED;
        code = msg->specs.count == 0 ? OK : first_spec(core, index, job->first_session, msg->specs);
    }
    if (code != OK) {
        core->row_bytes = rows;
        core->row_count = row_count;
        job_undo(core, index);
    }
    return code;
}

/*  It goes on its way: runs, is expanded, or waits for those that have not ended yet. */
static void job_begin(struct core *core, uint32_t index, uint32_t peer)
{
    struct job *job = job_at(core, index);
    core->job_last++;
    core->session_last++;
    if (job->kind == JOB_ATTACHED) {
        session_bind(core, job->first_session, peer);
        job_move(core, index, CAUSE_STARTED);
    } else if (job->kind == JOB_ARRAY) {
        job_busy(core, index);
    }
    struct job_waits named = job->waits;
    if (named.count > 0) {
        job_hold(core, index);
    }
    for (uint32_t i = 0; i < named.count; i++) {
        uint32_t other = job_find(core, named.of[i].job);
        if (job_ended(job_at(core, other))) {
            wait_over(core, index, other);
        }
    }
}

void on_job_open(struct core *core, uint32_t peer, const struct msg_job_open *msg)
{
    uint32_t old = job_of_submission(core, msg->submission);
    if (old != NONE) {
        open_again(core, peer, msg, old);
        return;
    }
    const char *fault = open_fault(msg);
    if (fault) {
        emit_refused(core, peer, msg->seq, ERR_INVALID, fault);
        return;
    }
    uint32_t user = user_of(core, peer);
    fault = quota_fault(core, user, msg);
    if (fault) {
        audit(core, peer, MSG_JOB_OPEN, msg->submission, ERR_QUOTA);
        emit_refused(core, peer, msg->seq, ERR_QUOTA, fault);
        return;
    }
    char buffer[NAME_MAX_BYTES + 100];
    struct text why = text_in(buffer, sizeof(buffer));
    struct job_waits waits;
    int code = waits_read(core, msg->after, user_at(core, user)->id, &waits, &why);
    if (code != OK) {
        struct slice text = scratch_put(core, buffer, why.n + 1); /* with its NUL */
        emit_refused(core, peer, msg->seq, code, (const char *)text.p);
        return;
    }
    if (waits.count == 0) { /* else the oldest may be one of them */
        job_forget_old(core);
    }
    uint32_t index =
        tasks_full(core, 0) ? NONE : job_new(core, core->job_last + 1, msg->submission, user);
    if (index == NONE) {
        emit_refused(core, peer, msg->seq, ERR_BUSY,
                     "the head has as many jobs or tasks as it can hold");
        return;
    }
    struct job *job = job_at(core, index);
    job_fill(job, msg, &waits);
    code = job_make(core, index, msg);
    if (code != OK) {
        emit_refused(core, peer, msg->seq, code,
                     refusal(core, "the job's demand or options are not valid"));
        return;
    }
    audit(core, peer, MSG_JOB_OPEN, msg->submission, OK);
    emit_event(core, "JOB_OPENED", job->id, 0, 0, msg->entrypoint);
    job_begin(core, index, peer);
    tell_opened(core, peer, msg->seq, job, msg->kind == JOB_ATTACHED ? core->session_last : 0,
                false);
}

/*  What is kept of an ended job is in its rows: the shell reads them, and says JOB_OPEN in the peer's name. */
int core_job_again(const struct core *core, uint32_t peer, const struct msg_job_retry *msg,
                   const char **why)
{
    uint32_t index = job_of_peer(core, peer, msg->job);
    const struct job *job = index == NONE ? NULL : job_at(core, index);
    if (!job || job->forgetting) {
        *why = "no such job";
        return ERR_NOT_FOUND;
    }
    if (job->kind == JOB_ATTACHED) {
        *why = "the job is a program that was started outside of the cluster: start it again";
        return ERR_INVALID;
    }
    if (!job_ended(job)) {
        *why = "the job has not ended: stop it first, or wait until it has";
        return ERR_CONFLICT;
    }
    if (slice_same(msg->submission, slice_text(job->submission))) {
        *why = "this submission id is that of the ended job: the new one needs another";
        return ERR_CONFLICT;
    }
    return OK;
}

static uint32_t session_add(struct core *core, uint32_t job, uint64_t token)
{
    uint32_t index = session_new(core, job, core->session_last + 1);
    if (index != NONE) {
        core->session_last++;
        session_at(core, index)->token = token;
    }
    return index;
}

static void refuse_session(struct core *core, uint32_t peer, uint64_t seq)
{
    emit_refused(core, peer, seq, ERR_BUSY, "the head has as many sessions as it can hold");
}

/*  The task of this job that the peer, an executor, runs; NONE: it does not, or the task is to end. */
static uint32_t task_of_executor(const struct core *core, uint32_t peer,
                                 const struct msg_job_attach *msg, uint32_t job)
{
    uint32_t found = peer_find(core, peer);
    if (found == NONE || peer_at(core, found)->token != NONE ||
        peer_at(core, found)->ticket_fence != msg->token) {
        return NONE;
    }
    uint32_t index = lease_find(core, peer_at(core, found)->ticket_task, msg->token);
    const struct spec *spec = index == NONE ? NULL : spec_at(core, task_at(core, index)->spec);
    bool calls = spec && spec->kind != SPEC_DRIVER && spec->kind != SPEC_COMMAND;
    return calls && spec->job == job && spec_goes_on(core, spec) ? index : NONE;
}

/*  A session for what this task submits.  That of a detached actor goes on without the job, and so does what it leads to. */
static uint32_t session_nested(struct core *core, uint32_t job, const struct task *task)
{
    const struct spec *spec = spec_at(core, task->spec);
    const struct session *above = session_at(core, spec->session);
    uint32_t index = session_add(core, job, task->token);
    if (index != NONE) {
        struct session *session = session_at(core, index);
        session->nested = above->nested + 1;
        session->root = spec->detached ? task->id : above->root;
        job_at(core, job)->rooted = job_at(core, job)->rooted || session->root != 0;
        EMIT(core, session_new, session->id, job_at(core, job)->id, session->nested, session->root);
    }
    return index;
}

/*  A session for what the tasks of an executor submit; the same one if its answer was lost. */
static void attach_executor(struct core *core, uint32_t peer, const struct msg_job_attach *msg,
                            uint32_t task)
{
    uint32_t index = spec_at(core, task_at(core, task)->spec)->job;
    struct job *job = job_at(core, index);
    uint32_t session = job->sessions.last;
    while (session != NONE &&
           !(session_at(core, session)->token == msg->token && session_at(core, session)->nested &&
             session_at(core, session)->open)) {
        session = session_at(core, session)->in_job.previous;
    }
    session = session == NONE ? session_nested(core, index, task_at(core, task)) : session;
    if (session == NONE) {
        refuse_session(core, peer, msg->seq);
        return;
    }
    session_bind(core, session, peer);
    tell_opened(core, peer, msg->seq, job, session_at(core, session)->id, false);
}

void on_job_attach(struct core *core, uint32_t peer, const struct msg_job_attach *msg)
{
    uint32_t index = job_of_peer(core, peer, msg->job);
    struct job *job = index == NONE ? NULL : job_at(core, index);
    uint32_t task = job ? task_of_executor(core, peer, msg, index) : NONE;
    if (task != NONE) {
        attach_executor(core, peer, msg, task);
        return;
    }
    if (!job || job->driver == 0 || !core_job_driver_ok(core, msg->job, job->driver, msg->token) ||
        job->ending || job->stopping) {
        emit_refused(core, peer, msg->seq, ERR_STALE,
                     "this process is not the driver of a running job");
        return;
    }
    uint32_t session =
        job->attached_token == msg->token ? session_find(core, job->attached_session) : NONE;
    if (session != NONE &&
        (!session_at(core, session)->open ||
         (session_at(core, session)->peer != NONE && session_at(core, session)->peer != peer))) {
        session = NONE; /* another program of the driver's */
    }
    if (session == NONE) {
        session = session_add(core, index, msg->token);
        if (session == NONE) {
            refuse_session(core, peer, msg->seq);
            return;
        }
        EMIT(core, session_new, core->session_last, job->id, 0, 0);
        job->attached_token = msg->token;
        job->attached_session = core->session_last;
    }
    session_bind(core, session, peer);
    tell_opened(core, peer, msg->seq, job, session_at(core, session)->id, false);
}
