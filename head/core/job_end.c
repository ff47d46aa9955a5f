/*  job_end.c - jobs: their long work, how they end and are stopped. */
#include "head/core/job_inside.h"

static int32_t exit_code_of(const struct ending *how)
{
    switch (how->outcome) {
    case OUTCOME_EXIT:
        return how->status > 0 ? how->status : 1;
    case OUTCOME_SIGNAL:
        return 128 - how->status;
    case OUTCOME_OUT_OF_MEMORY:
        return how->status > 0 ? how->status : 128 - how->status;
    case OUTCOME_SETUP_FAILED:
    case OUTCOME_ENV_FAILED:
        return how->status == 126 || how->status == 127 ? how->status : 125;
    default:
        return how->failure == 0 ? 0 : 125;
    }
}

/*  Ray's error type of a job whose driver ended so. */
static uint32_t error_of(const struct ending *how)
{
    if (how->outcome == OUTCOME_ENV_FAILED) {
        return ERROR_RUNTIME_ENV_SETUP_FAILURE;
    }
    switch ((enum failure)how->failure) {
    case FAILURE_QUEUE_TIMEOUT:
        return ERROR_JOB_SUPERVISOR_ACTOR_START_TIMEOUT;
    case FAILURE_UNSCHEDULABLE:
        return ERROR_JOB_SUPERVISOR_ACTOR_UNSCHEDULABLE;
    case FAILURE_NODE_DIED:
    case FAILURE_UNKNOWN:
        return ERROR_JOB_SUPERVISOR_ACTOR_DIED;
    case FAILURE_SETUP:
        return ERROR_JOB_ENTRYPOINT_COMMAND_START_ERROR;
    case FAILURE_NONE:
    case FAILURE_CANCELLED:
    case FAILURE_UPSTREAM:
    case FAILURE_DRIVER_DIED:
    case FAILURE_JOB_STOPPED:
        return 0;
    case FAILURE_APP:
    case FAILURE_EXIT:
    case FAILURE_WORKER_DIED:
    case FAILURE_ARGUMENT:
    case FAILURE_RUN_TIMEOUT:
    case FAILURE_OUT_OF_MEMORY:
    case FAILURE_QUARANTINED:
    case FAILURE_TOO_LARGE:
    case FAILURE_UNKNOWN_TASK:
    case FAILURE_ACTOR_DIED:
    case FAILURE_ACTOR_UNAVAILABLE:
    case FAILURE_OBJECT_LOST:
    case FAILURE_STORE_FULL:
    case FAILURE_OWNER_DIED:
    case FAILURE_QUOTA:
    case FAILURES:
        return ERROR_JOB_ENTRYPOINT_COMMAND_ERROR;
    }
    return 0;
}

static void driver_text(struct text *message, const struct ending *how)
{
    if (how->outcome == OUTCOME_EXIT) {
        text_add(message, "exit status ");
        text_u64(message, (uint64_t)exit_code_of(how));
    } else if (how->outcome == OUTCOME_SIGNAL) {
        text_add(message, "killed by signal ");
        text_u64(message, (uint64_t) - (int64_t)how->status);
    } else if (how->failure == FAILURE_RUN_TIMEOUT || how->failure == FAILURE_QUEUE_TIMEOUT) {
        text_add(message, how->failure == FAILURE_RUN_TIMEOUT ? "it ran longer than its limit"
                                                              : "it waited longer than its limit");
    } else if (how->outcome == OUTCOME_ENV_FAILED) {
        text_add(message, "its files or environment could not be set up: ");
        text_slice(message, how->text);
    } else if (how->failure != 0) {
        text_add(message, failure_text(how->failure));
        text_add(message, how->text.n > 0 ? ": " : "");
        text_slice(message, how->text);
    }
}

/*  Those that clients have, but for what detached actors submit. */
static void sessions_close(struct core *core, const struct job *job)
{
    for (uint32_t i = job->sessions.first; i != NONE; i = session_at(core, i)->in_job.next) {
        bool its = session_at(core, i)->root == 0 || RAYC_BUG(CLOSE_ROOTED);
        if (!session_at(core, i)->internal && its) {
            session_close(core, i);
        }
    }
}

/*  An attempt of its driver has failed and another one follows: what the first has submitted is given up. */
void job_driver_again(struct core *core, uint32_t index, const struct ending *how)
{
    struct job *job = job_at(core, index);
    struct text message = text_in(job->message, sizeof(job->message));
    driver_text(&message, how);
    text_add(&message, "; it runs again");
    sessions_close(core, job);
    job_write(core, job);
    job_changed(core, index, true);
}

void job_driver_ended(struct core *core, uint32_t index, const struct ending *how)
{
    struct job *job = job_at(core, index);
    if (job->ending) {
        return; /* it gave its driver up itself */
    }
    struct text message = text_in(job->message, sizeof(job->message));
    if (job->stopping) {
        text_add(&message, "stopped by a user");
    } else {
        driver_text(&message, how);
        job->error = error_of(how);
    }
    session_close(core, job->first_session); /* the head's own, of the driver */
    sessions_close(core, job);
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
    if (!job_ended(job) && (job->kind == JOB_ARRAY || job->ending || job->stopping)) {
        job_busy(core, index); /* it may have been the last one */
    }
}

void on_job_stop(struct core *core, uint32_t peer, const struct msg_job_stop *msg)
{
    uint32_t index = job_of_peer(core, peer, msg->job);
    if (index == NONE) {
        emit_refused(core, peer, msg->seq, ERR_NOT_FOUND, "no such job");
        return;
    }
    struct job *job = job_at(core, index);
    if (!job_ended(job) && !job->stopping && !job->ending) {
        job->stopping = true;
        emit_event(core, "JOB_STOP_ASKED", job->id, 0, 0, (struct slice){ 0 });
        audit(core, peer, MSG_JOB_STOP, slice_text(job->submission), OK);
        uint32_t driver = job->driver ? task_find(core, job->driver) : NONE;
        if (driver != NONE) {
            task_cancel(core, driver, &(struct cancel){ false, true });
        } else {
            job_end(core, index, JOB_STOPPED, 130);
        }
        sessions_close(core, job);
        job_write(core, job);
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
    while (session->below <= count && !tasks_full(core, 0) && !effects_nearly_full(core)) {
        uint64_t id = task_id_of(session->id, session->below).v;
        uint64_t number = job->array_first + session->below - 1;
        uint8_t args[10] = { 0x91, 0xcf }; /* msgpack: an array of one u64 */
        for (int i = 0; i < 8; i++) {
            args[2 + i] = (uint8_t)(number >> (56 - 8 * i));
        }
        uint32_t index = task_new(core, job->first_session, session->specs.first, id);
        EMIT(core, task_new, id, spec_at(core, session->specs.first)->id, TASK_READY, core->wall_ms,
             { 0 }, scratch_put(core, args, sizeof(args)), 0, 0, 0, 0);
        job->total++;
        task_ready(core, index, false);
    }
    return session->below > count;
}

/*  Gives up what a closing session or an ending job still has; true when nothing is left. */
static bool session_sweep(struct core *core, struct session *session, enum failure failure)
{
    uint32_t next;
    uint32_t left = session->tasks.count - session->detached;
    for (uint32_t i = session->tasks.first; i != NONE && !effects_nearly_full(core); i = next) {
        next = task_at(core, i)->family.next;
        bool detached = spec_at(core, task_at(core, i)->spec)->detached;
        if (!(task_at(core, i)->flags & TASK_IS_DRIVER) && !detached) {
            task_give_up(core, i, failure);
            left--;
        }
    }
    return left == 0;
}

void job_specs_free(struct core *core, const struct job *job)
{
    for (uint32_t s = job->sessions.first; s != NONE; s = session_at(core, s)->in_job.next) {
        uint32_t next;
        for (uint32_t i = session_at(core, s)->specs.first; i != NONE; i = next) {
            const struct spec *spec = spec_at(core, i);
            next = spec->in_session.next;
            uint64_t tasks = spec->in[TASK_WAITING] + spec->in[TASK_READY] + spec->in[TASK_LEASED] +
                             spec->in[TASK_RUNNING];
            if (tasks == 0 && !session_at(core, s)->open) { /* that of a detached actor is */
                spec_free(core, i);
            }
        }
    }
}

/*  It has something that goes on without its job, or ends just now. */
static bool lingers(const struct session *session)
{
    return session->root != 0 &&
           (session->open || session->closing || session->tasks.count > session->detached);
}

bool job_lingers(const struct core *core, const struct job *job)
{
    uint32_t s = job->sessions.first;
    while (s != NONE && session_at(core, s)->detached == 0 && !lingers(session_at(core, s))) {
        s = session_at(core, s)->in_job.next;
    }
    return s != NONE;
}

static void job_finish(struct core *core, uint32_t index)
{
    struct job *job = job_at(core, index);
    static const enum job_cause causes[JOB_STATES] = { [JOB_SUCCEEDED] = CAUSE_SUCCEEDED,
                                                       [JOB_FAILED] = CAUSE_FAILED,
                                                       [JOB_STOPPED] = CAUSE_STOPPED };
    for (uint32_t i = job->sessions.first; i != NONE; i = session_at(core, i)->in_job.next) {
        struct session *session = session_at(core, i);
        if (session->root == 0 && (session->open || session->closing)) {
            session->open = false;
            study_left(core, i);
            session_closed(core, i);
        }
    }
    job_specs_free(core, job);
    core->stats.jobs_open--;
    user_at(core, job->user)->jobs--;
    job_move(core, index, causes[job->final]);
    emit_event(core, "JOB_ENDED", job->id, 0, 0, job_message(core, job));
    waits_wake(core, index);
}

/*  Gives up what is to end; true when nothing is left but what goes on without the job. */
static bool sessions_sweep(struct core *core, struct job *job)
{
    bool empty = true;
    enum failure failure = job->stopping ? FAILURE_JOB_STOPPED : FAILURE_DRIVER_DIED;
    for (uint32_t i = job->sessions.first; i != NONE; i = session_at(core, i)->in_job.next) {
        struct session *session = session_at(core, i);
        bool rooted = session->root != 0, ends = !rooted && (job->ending || job->stopping);
        if (ends || session->closing) {
            bool swept = session_sweep(core, session, rooted ? FAILURE_OWNER_DIED : failure);
            if (swept && session->closing && (rooted || !job->ending)) {
                session_closed(core, i);
            }
        }
        empty = empty && (rooted ? !session->closing : session->tasks.count == session->detached);
    }
    return empty;
}

/*  One bounded piece of a job's long work; true when there is nothing to do now. */
static bool job_step(struct core *core, uint32_t index)
{
    struct job *job = job_at(core, index);
    bool expanded = true;
    if (job_ended(job)) {
        return sessions_sweep(core, job); /* of a detached actor that is dead */
    }
    if (job->held) {
        return true; /* the last job that it waits for makes it busy */
    }
    if (job->kind == JOB_ARRAY && !job->ending && !job->stopping) {
        uint64_t before = job->total;
        expanded = array_expand(core, job);
        if (job->total != before) {
            job_changed(core, index, false);
        }
    }
    bool empty = sessions_sweep(core, job);
    if (job->kind == JOB_ARRAY && expanded && empty && !job->ending) {
        struct text message = text_in(job->message, sizeof(job->message));
        if (job->failed > 0) {
            text_u64(&message, job->failed);
            text_add(&message, " of ");
            text_u64(&message, job->total);
            text_add(&message, " tasks failed");
            job->error = ERROR_JOB_ENTRYPOINT_COMMAND_ERROR;
        }
        job_end(core, index, job->failed > 0 ? JOB_FAILED : JOB_SUCCEEDED, job->failed > 0);
    }
    if (job->ending && empty) {
        job_finish(core, index);
        return true;
    }
    return !effects_nearly_full(core) &&
           expanded; /* whose task makes room for more, nobody knows */
}

void job_work(struct core *core)
{
    for (uint32_t n = core->busy.count; n > 0 && !effects_nearly_full(core); n--) {
        uint32_t index = core->busy.first;
        chain_remove(&core->busy, &core->jobs, JOB_BUSY, index);
        job_at(core, index)->is_busy = false;
        if (!job_step(core, index)) {
            job_busy(core, index);
        }
    }
}
