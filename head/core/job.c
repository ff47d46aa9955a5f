/*  job.c - jobs: opening, running, ending, being stopped, being watched, being forgotten. */
#include "head/core/state.h"

#include "common/text.h"

enum job_cause { CAUSE_STARTED = 1, CAUSE_SUCCEEDED, CAUSE_FAILED, CAUSE_STOPPED, CAUSES };

static const uint8_t edges[JOB_STATES][CAUSES] = {
#define EDGE(noun, from, cause, to) EDGE_##noun(from, cause, to)
#define EDGE_TASK(from, cause, to)
#define EDGE_NODE(from, cause, to)
#define EDGE_JOB(from, cause, to) [JOB_##from][CAUSE_##cause] = JOB_##to,
#include "proto/states.def"
#undef EDGE
};

static void write_state(struct core *core, const struct job *job)
{
    uint32_t ending = (job->stopping ? JOB_ROW_STOPPING : 0) |
                      (job->ending ? job->final << JOB_ROW_FINAL_SHIFT : 0);
    EMIT(core, job_state, job->id, job->state, job->started_ms, job->ended_ms, job->exit_code,
         ending, slice_text(job->message), job->error);
}

/*  The job will end so, when its last task has.  Durable from here on. */
void job_end(struct core *core, uint32_t index, enum job_state final, int32_t exit_code)
{
    struct job *job = job_at(core, index);
    job->ending = true;
    job->final = job->stopping ? JOB_STOPPED : final;
    job->exit_code = job->stopping ? 130 : exit_code;
    write_state(core, job);
    job_busy(core, index);
}

static void job_move(struct core *core, uint32_t index, enum job_cause cause)
{
    struct job *job = job_at(core, index);
    uint8_t next = edges[job->state][cause];
    ensure(next != 0);
    job->state = next;
    if (next == JOB_RUNNING) {
        job->started_ms = core->wall_ms;
    } else {
        job->ended_ms = core->wall_ms;
    }
    write_state(core, job);
    job_changed(core, index, true);
}

uint64_t text_hash(struct slice text)
{
    uint64_t hash = 0xcbf29ce484222325u; /* FNV-1a */
    for (size_t i = 0; i < text.n; i++) {
        hash = (hash ^ text.p[i]) * 0x100000001b3u;
    }
    return hash;
}

uint32_t job_find(const struct core *core, uint64_t id)
{
    return map_find(&core->job_ids, id);
}

static uint32_t job_of_submission(const struct core *core, struct slice submission)
{
    uint32_t i = map_find(&core->job_hashes, text_hash(submission));
    while (i != NONE && !slice_same(submission, slice_text(job_at(core, i)->submission))) {
        i = map_next(&core->job_hashes, i);
    }
    return i;
}

static struct slice trimmed(struct slice text)
{
    while (text.n > 1 && text.p[0] == '0') {
        text = slice_of(text.p + 1, text.n - 1);
    }
    return text;
}

static bool is_number(struct slice text, uint64_t id)
{
    char digits[24];
    struct text number = text_in(digits, sizeof(digits));
    text_u64(&number, id);
    return slice_same(trimmed(text), slice_of(digits, number.n));
}

uint64_t core_job_find(const struct core *core, struct slice id)
{
    uint32_t exact = job_of_submission(core, id);
    if (exact != NONE) {
        return job_at(core, exact)->id;
    }
    uint64_t found = 0;
    for (uint32_t i = core->ages.first; i != NONE; i = job_at(core, i)->age.next) {
        const struct job *job = job_at(core, i);
        if (is_number(id, job->id)) {
            return job->id;
        }
        if (id.n > 0 && strlen(job->submission) >= id.n &&
            memcmp(job->submission, id.p, id.n) == 0) {
            if (found != 0) {
                return 0; /* not unique */
            }
            found = job->id;
        }
    }
    return found;
}

bool core_job_driver_ok(const struct core *core, uint64_t job, uint64_t task, uint64_t token)
{
    uint32_t index = job_find(core, job);
    uint32_t driver = task_find(core, task);
    return index != NONE && driver != NONE && job_at(core, index)->driver == task &&
           task_at(core, driver)->token == token;
}

uint32_t job_new(struct core *core, uint64_t id, struct slice submission)
{
    uint32_t index = pool_take(&core->jobs);
    if (index == NONE) {
        return NONE;
    }
    struct job *job = job_at(core, index);
    job->id = id;
    job->hash = text_hash(submission);
    job->state = JOB_PENDING;
    job->owner = 1;
    job->created_ms = core->wall_ms;
    slice_copy_text(submission, job->submission, sizeof(job->submission));
    chain_init(&job->sessions);
    chain_init(&job->watchers);
    map_add(&core->job_ids, index);
    map_add(&core->job_hashes, index);
    chain_append(&core->ages, &core->jobs, JOB_AGE, index);
    core->stats.jobs_open++;
    return index;
}

void job_busy(struct core *core, uint32_t index)
{
    struct job *job = job_at(core, index);
    if (!job->is_busy) {
        job->is_busy = true;
        chain_append(&core->busy, &core->jobs, JOB_BUSY, index);
    }
}

void job_changed(struct core *core, uint32_t index, bool now)
{
    struct job *job = job_at(core, index);
    job->tell_now = job->tell_now || now;
    job->counts_dirty = true;
    if (job->state == JOB_PENDING && job->leased > 0) {
        job_move(core, index, CAUSE_STARTED);
        job = job_at(core, index);
    }
    if (!job->is_changed) {
        job->is_changed = true;
        chain_append(&core->changed, &core->jobs, JOB_CHANGED, index);
    }
}

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
    if (msg->kind == JOB_ARRAY &&
        (msg->array_last < msg->array_first || msg->array_last - msg->array_first >= 100000000)) {
        return "the array's range is empty or larger than 100 million";
    }
    return NULL;
}

static int first_spec(struct core *core, uint32_t job, uint32_t session, struct list specs)
{
    struct slice bytes = specs.bytes;
    struct rec_spec record;
    next_spec(&specs, &record);
    int code = OK;
    uint32_t spec = spec_new(core, session, core->spec_last + 1, &record, &code);
    if (spec == NONE) {
        return code;
    }
    core->spec_last++;
    EMIT(core, spec_new, core->spec_last, session_at(core, session)->id, record.index, record.kind,
         record.title.n > 0 ? record.title : record.name, bytes);
    if (job_at(core, job)->kind == JOB_DRIVER) {
        spec_at(core, spec)->kind = SPEC_DRIVER;
        uint64_t id = task_id_of(session_at(core, session)->id, 1).v;
        uint32_t task = task_new(core, session, spec, id);
        job_at(core, job)->driver = id;
        EMIT(core, task_new, id, core->spec_last, TASK_READY, core->wall_ms, { 0 }, { 0 }, 0);
        task_ready(core, task, false);
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
    core->stats.jobs_open--;
    pool_give(&core->jobs, index);
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
    job_forget_old(core);
    uint32_t index = core->tasks.taken == core->limits.tasks
                         ? NONE
                         : job_new(core, core->job_last + 1, msg->submission);
    if (index == NONE) {
        emit_refused(core, peer, msg->seq, ERR_BUSY,
                     "the head has as many jobs or tasks as it can hold");
        return;
    }
    struct job *job = job_at(core, index);
    job->kind = msg->kind;
    job->durability = msg->durability;
    job->detached = msg->detached;
    job->array_first = msg->array_first;
    job->array_last = msg->array_last;
    job->digest.n = (uint32_t)msg->digest.n;
    memcpy(job->digest.bytes, msg->digest.p, msg->digest.n);
    job->first_session = session_new(core, index, core->session_last + 1);
    size_t rows = core->row_bytes;
    uint32_t row_count = core->row_count;
    EMIT(core, job_new, job->id, msg->submission, job->kind, job->durability, job->detached,
         job->state, msg->digest, msg->entrypoint, msg->name, job->array_first, job->array_last,
         core->wall_ms, job->owner, msg->metadata, msg->runtime_env, { 0 });
    int code = job->first_session == NONE ? ERR_BUSY : OK;
    if (code == OK) {
        EMIT(core, session_new, core->session_last + 1, job->id);
        session_at(core, job->first_session)->internal = msg->kind != JOB_ATTACHED;
        code = msg->specs.count == 0 ? OK : first_spec(core, index, job->first_session, msg->specs);
    }
    if (code != OK) {
        core->row_bytes = rows; /* nothing has happened */
        core->row_count = row_count;
        job_undo(core, index);
        emit_refused(core, peer, msg->seq, code, "the job's demand or options are not valid");
        return;
    }
    core->job_last++;
    core->session_last++;
    if (msg->kind == JOB_ATTACHED) {
        session_bind(core, job->first_session, peer);
        job_move(core, index, CAUSE_STARTED);
    } else if (msg->kind == JOB_ARRAY) {
        job_busy(core, index);
    }
    emit_event(core, "JOB_OPENED", job->id, 0, 0, msg->entrypoint);
    tell_opened(core, peer, msg->seq, job, msg->kind == JOB_ATTACHED ? core->session_last : 0,
                false);
}

void on_job_attach(struct core *core, uint32_t peer, const struct msg_job_attach *msg)
{
    uint32_t index = job_find(core, msg->job);
    struct job *job = index == NONE ? NULL : job_at(core, index);
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
        session = session_new(core, index, core->session_last + 1);
        if (session == NONE) {
            emit_refused(core, peer, msg->seq, ERR_BUSY,
                         "the head has as many sessions as it can hold");
            return;
        }
        core->session_last++;
        EMIT(core, session_new, core->session_last, job->id);
        job->attached_token = msg->token;
        job->attached_session = core->session_last;
        session_at(core, session)->token = msg->token;
    }
    session_bind(core, session, peer);
    tell_opened(core, peer, msg->seq, job, session_at(core, session)->id, false);
}

static int32_t exit_code_of(const struct ending *how)
{
    switch (how->outcome) {
    case OUTCOME_EXIT:
        return how->status > 0 ? how->status : 1;
    case OUTCOME_SIGNAL:
        return 128 - how->status;
    case OUTCOME_SETUP_FAILED:
        return how->status == 126 || how->status == 127 ? how->status : 125;
    default:
        return how->failure == 0 ? 0 : 125;
    }
}

void job_driver_ended(struct core *core, uint32_t index, const struct ending *how)
{
    struct job *job = job_at(core, index);
    struct text message = text_in(job->message, sizeof(job->message));
    if (how->outcome == OUTCOME_EXIT) {
        text_add(&message, "exit status ");
        text_u64(&message, (uint64_t)exit_code_of(how));
    } else if (how->outcome == OUTCOME_SIGNAL) {
        text_add(&message, "killed by signal ");
        text_u64(&message, (uint64_t) - (int64_t)how->status);
    } else if (how->failure != 0) {
        text_add(&message, failure_text(how->failure));
        text_add(&message, how->text.n > 0 ? ": " : "");
        text_slice(&message, how->text);
    }
    for (uint32_t i = job->sessions.first; i != NONE; i = session_at(core, i)->in_job.next) {
        session_close(core, i);
    }
    job_end(core, index, how->failure == 0 ? JOB_SUCCEEDED : JOB_FAILED, exit_code_of(how));
}

void job_task_ended(struct core *core, uint32_t index, const struct task *task,
                    const struct ending *how)
{
    struct job *job = job_at(core, index);
    if (task->flags & TASK_IS_DRIVER) {
        job_driver_ended(core, index, how);
    } else if (how->failure == 0) {
        job->finished++;
    } else {
        job->failed++;
    }
    job_changed(core, index, false);
    if (job->kind == JOB_ARRAY || job->ending || job->stopping) {
        job_busy(core, index); /* it may have been the last one */
    }
}

void on_job_stop(struct core *core, uint32_t peer, const struct msg_job_stop *msg)
{
    uint32_t index = job_find(core, msg->job);
    if (index == NONE) {
        emit_refused(core, peer, msg->seq, ERR_NOT_FOUND, "no such job");
        return;
    }
    struct job *job = job_at(core, index);
    if (!job_ended(job) && !job->stopping && !job->ending) {
        job->stopping = true;
        emit_event(core, "JOB_STOP_ASKED", job->id, 0, 0, (struct slice){ 0 });
        uint32_t driver = job->driver ? task_find(core, job->driver) : NONE;
        if (driver != NONE) {
            task_cancel(core, driver, false);
        } else {
            job_end(core, index, JOB_STOPPED, 130);
        }
        for (uint32_t i = job->sessions.first; i != NONE; i = session_at(core, i)->in_job.next) {
            if (!session_at(core, i)->internal) {
                session_close(core, i);
            }
        }
        write_state(core, job);
        job_busy(core, index);
        job_changed(core, index, true);
    }
    tell_state(core, peer, msg->seq, index, true);
}

/*  Makes tasks of an array, as many as there is room for; true when all are made. */
static bool array_expand(struct core *core, struct job *job)
{
    struct session *session = session_at(core, job->first_session);
    uint64_t count = job->array_last - job->array_first + 1;
    while (session->below <= count && core->tasks.taken < core->limits.tasks &&
           !effects_nearly_full(core)) {
        uint64_t id = task_id_of(session->id, session->below).v;
        uint64_t number = job->array_first + session->below - 1;
        uint8_t args[10] = { 0x91, 0xcf }; /* msgpack: an array of one u64 */
        for (int i = 0; i < 8; i++) {
            args[2 + i] = (uint8_t)(number >> (56 - 8 * i));
        }
        uint32_t index = task_new(core, job->first_session, session->specs.first, id);
        EMIT(core, task_new, id, spec_at(core, session->specs.first)->id, TASK_READY, core->wall_ms,
             { 0 }, scratch_put(core, args, sizeof(args)), 0);
        job->total++;
        task_ready(core, index, false);
    }
    return session->below > count;
}

/*  Gives up what a closing session or an ending job still has; true when nothing is left. */
static bool session_sweep(struct core *core, struct session *session, enum failure failure)
{
    uint32_t next;
    uint32_t left = session->tasks.count;
    for (uint32_t i = session->tasks.first; i != NONE && !effects_nearly_full(core); i = next) {
        next = task_at(core, i)->family.next;
        if (!(task_at(core, i)->flags & TASK_IS_DRIVER)) {
            task_give_up(core, i, failure);
            left--;
        }
    }
    return left == 0;
}

static void job_finish(struct core *core, uint32_t index)
{
    struct job *job = job_at(core, index);
    static const enum job_cause causes[JOB_STATES] = { [JOB_SUCCEEDED] = CAUSE_SUCCEEDED,
                                                       [JOB_FAILED] = CAUSE_FAILED,
                                                       [JOB_STOPPED] = CAUSE_STOPPED };
    for (uint32_t i = job->sessions.first; i != NONE; i = session_at(core, i)->in_job.next) {
        struct session *session = session_at(core, i);
        if (session->open || session->closing) {
            session->open = false;
            study_left(core, i);
            session_closed(core, i);
        }
        while (session->specs.count > 0) {
            spec_free(core, session->specs.first);
        }
    }
    core->stats.jobs_open--;
    job_move(core, index, causes[job->final]);
    emit_event(core, "JOB_ENDED", job->id, 0, 0, slice_text(job->message));
}

/*  One bounded piece of a job's long work; true when there is nothing to do now. */
static bool job_step(struct core *core, uint32_t index)
{
    struct job *job = job_at(core, index);
    bool expanded = true;
    if (job->kind == JOB_ARRAY && !job->ending && !job->stopping) {
        expanded = array_expand(core, job);
        job_changed(core, index, false);
    }
    bool empty = true;
    for (uint32_t i = job->sessions.first; i != NONE; i = session_at(core, i)->in_job.next) {
        struct session *session = session_at(core, i);
        if (job->ending || job->stopping || session->closing) {
            bool swept = session_sweep(core, session,
                                       job->stopping ? FAILURE_JOB_STOPPED : FAILURE_DRIVER_DIED);
            if (swept && session->closing && !job->ending) {
                session_closed(core, i);
            }
        }
        empty = empty && session->tasks.count == 0;
    }
    if (job->kind == JOB_ARRAY && expanded && empty && !job->ending) {
        struct text message = text_in(job->message, sizeof(job->message));
        if (job->failed > 0) {
            text_u64(&message, job->failed);
            text_add(&message, " of ");
            text_u64(&message, job->total);
            text_add(&message, " tasks failed");
        }
        job_end(core, index, job->failed > 0 ? JOB_FAILED : JOB_SUCCEEDED, job->failed > 0);
    }
    if (job->ending && empty) {
        job_finish(core, index);
        return true;
    }
    return !effects_nearly_full(core) && (expanded || core->tasks.taken == core->limits.tasks);
}

void job_work(struct core *core)
{
    for (uint32_t n = core->busy.count; n > 0 && !effects_nearly_full(core); n--) {
        uint32_t index = core->busy.first;
        chain_remove(&core->busy, &core->jobs, JOB_BUSY, index);
        job_at(core, index)->is_busy = false;
        if (!job_ended(job_at(core, index)) && !job_step(core, index)) {
            job_busy(core, index);
        }
    }
}

/*  Ended jobs beyond the number or the days that are kept go, the oldest first, with their tasks. */
void job_forget_old(struct core *core)
{
    enum { ERASE_STEP = 20000 };
    uint32_t index = core->ages.first;
    while (index != NONE && !job_ended(job_at(core, index))) {
        index = job_at(core, index)->age.next;
    }
    if (index == NONE) {
        return;
    }
    struct job *job = job_at(core, index);
    uint64_t kept_ms = (uint64_t)core->config.job_days_max * 86400000;
    bool crowded = core->jobs.taken + 1 >= core->limits.jobs ||
                   core->sessions.taken + 1 >= core->limits.sessions;
    if (!crowded && job->ended_ms + kept_ms > core->wall_ms) {
        return;
    }
    uint32_t session_index = job->sessions.first;
    if (session_index != NONE) { /* a slice of its tasks at a time */
        struct session *session = session_at(core, session_index);
        uint64_t last = job->erased + ERASE_STEP;
        EMIT(core, task_delete, task_id_of(session->id, job->erased).v,
             task_id_of(session->id, last).v);
        job->erased = last + 1;
        if (last >= session->below) {
            job->erased = 0;
            if (session->is_due) {
                chain_remove(&core->due, &core->sessions, SESSION_DUE, session_index);
            }
            chain_remove(&job->sessions, &core->sessions, SESSION_JOB, session_index);
            session_unbind(core, session_index);
            map_remove(&core->session_map, session_index);
            pool_give(&core->sessions, session_index);
        }
    }
    if (job->sessions.count > 0) {
        return;
    }
    while (job->watchers.count > 0) {
        watcher_drop(core, job->watchers.first);
    }
    EMIT(core, job_delete, job->id);
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
