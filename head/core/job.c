/*  job.c - jobs: their rows, their moves, and how they are found. */
#include "head/core/job_inside.h"

#include "common/text.h"

static const uint8_t edges[JOB_STATES][CAUSES] = {
#define EDGE(noun, from, cause, to) EDGE_##noun(from, cause, to)
#define EDGE_TASK(from, cause, to)
#define EDGE_NODE(from, cause, to)
#define EDGE_JOB(from, cause, to) [JOB_##from][CAUSE_##cause] = JOB_##to,
#include "proto/states.def"
#undef EDGE
};

/*  The message may change again before the turn is over: what leaves has a copy. */
struct slice job_message(struct core *core, const struct job *job)
{
    return scratch_put(core, job->message, strlen(job->message));
}

void job_write(struct core *core, const struct job *job)
{
    uint32_t ending = (job->stopping ? JOB_ROW_STOPPING : 0) |
                      (job->ending ? job->final << JOB_ROW_FINAL_SHIFT : 0);
    EMIT(core, job_state, job->id, job->state, job->started_ms, job->ended_ms, job->exit_code,
         ending, job_message(core, job), job->error);
}

/*  The job will end so, when its last task has.  Durable from here on. */
void job_end(struct core *core, uint32_t index, enum job_state final, int32_t exit_code)
{
    struct job *job = job_at(core, index);
    job_unhold(core, index);
    job->ending = true;
    job->final = job->stopping ? JOB_STOPPED : final;
    job->exit_code = job->stopping ? 130 : exit_code;
    job_write(core, job);
    job_busy(core, index);
}

void job_move(struct core *core, uint32_t index, enum job_cause cause)
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
    job_write(core, job);
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

uint32_t job_of_submission(const struct core *core, struct slice submission)
{
    uint32_t i = map_find(&core->job_hashes, text_hash(submission));
    while (i != NONE && !slice_same(submission, slice_text(job_at(core, i)->submission))) {
        i = map_next(&core->job_hashes, i);
    }
    return i;
}

bool core_job_driver_ok(const struct core *core, uint64_t job, uint64_t task, uint64_t token)
{
    uint32_t index = job_find(core, job);
    uint32_t driver = task_find(core, task);
    return index != NONE && driver != NONE && job_at(core, index)->driver == task &&
           task_at(core, driver)->token == token;
}

uint64_t core_job_owner(const struct core *core, uint64_t job)
{
    uint32_t index = job_find(core, job);
    return index == NONE ? 0 : job_at(core, index)->owner;
}

bool core_task_find(const struct core *core, uint64_t task, struct core_task *out)
{
    uint32_t index = task_find(core, task);
    if (index == NONE) {
        return false;
    }
    const struct task *found = task_at(core, index);
    *out = (struct core_task){ .job = task_job(core, found)->id,
                               .state = found->state,
                               .attempt = found->attempt };
    return true;
}

bool core_attempt_ok(const struct core *core, const struct msg_log *of)
{
    struct core_task task;
    if (of->attempt == 0) {
        return core_job_driver_ok(core, of->job, of->task, of->token);
    }
    return core_task_find(core, of->task, &task) && task.job == of->job &&
           task.attempt == of->attempt &&
           (task.state == TASK_LEASED || task.state == TASK_RUNNING) &&
           task_at(core, task_find(core, of->task))->token == of->token;
}

/*  The head has begun a log: the task's row knows, should nobody be left to say how the attempt ended. */
void on_log(struct core *core, uint32_t peer, const struct msg_log *msg)
{
    if (msg->attempt != 0 && core_attempt_ok(core, msg) && core_runs_task(core, peer, msg->task)) {
        EMIT(core, task_log, msg->task, msg->job, msg->attempt);
    }
}

/*  NONE: no room. */
uint32_t job_new(struct core *core, uint64_t id, struct slice submission, uint32_t user)
{
    uint32_t index = pool_take(&core->jobs);
    if (index == NONE) {
        return NONE;
    }
    struct job *job = job_at(core, index);
    job->id = id;
    job->hash = text_hash(submission);
    job->state = JOB_PENDING;
    job->owner = user_at(core, user)->id;
    job->user = user;
    user_at(core, user)->jobs++;
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

uint64_t array_left(const struct core *core, const struct job *job)
{
    if (job->kind != JOB_ARRAY || job_ended(job) || job->ending || job->stopping) {
        return 0;
    }
    uint64_t end = job->array_last - job->array_first + 2;
    uint64_t below = session_at(core, job->first_session)->below; /* also of what was run again */
    return below < end ? end - below : 0;
}

bool tasks_allowed(const struct core *core, uint32_t user_index, uint64_t more)
{
    const struct user *user = user_at(core, user_index);
    if (user->tasks_max == UINT64_MAX) {
        return true;
    }
    uint64_t left = 0;
    uint64_t open = user->jobs; /* mostly among the youngest of all that are kept */
    for (uint32_t i = core->ages.last; i != NONE && open > 0; i = job_at(core, i)->age.previous) {
        const struct job *job = job_at(core, i);
        if (job->user == user_index && !job_ended(job)) {
            left += array_left(core, job);
            open--;
        }
    }
    return user->tasks + left + more <= user->tasks_max;
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
