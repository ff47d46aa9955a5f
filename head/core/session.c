/*  session.c - submitters: their sessions and specs, what they are told, and what happens when they are gone. */
#include "head/core/state.h"

uint32_t session_find(const struct core *core, uint64_t id)
{
    return map_find(&core->session_map, id);
}

uint32_t session_new(struct core *core, uint32_t job_index, uint64_t id)
{
    uint32_t index = pool_take(&core->sessions);
    if (index == NONE) {
        return NONE;
    }
    struct session *session = session_at(core, index);
    session->id = id;
    session->job = job_index;
    session->peer = NONE;
    session->open = true;
    session->below = 1;
    session->refs_next = 1;
    session->low = 1;
    session->synced = 1;
    session->study = NONE;
    session->heard_ms = core->now_ms;
    chain_init(&session->tasks);
    chain_init(&session->specs);
    map_add(&core->session_map, index);
    chain_append(&job_at(core, job_index)->sessions, &core->sessions, SESSION_JOB, index);
    return index;
}

void session_due(struct core *core, uint32_t index)
{
    struct session *session = session_at(core, index);
    if (!session->is_due) {
        session->is_due = true;
        chain_append(&core->due, &core->sessions, SESSION_DUE, index);
    }
}

static uint64_t spec_key(const struct session *session, uint32_t index)
{
    return session->id << 16 | index;
}

uint32_t spec_find(const struct core *core, const struct session *session, uint32_t index)
{
    return map_find(&core->spec_keys, spec_key(session, index));
}

static void spec_unplace(struct core *core, uint32_t demand, uint32_t queue)
{
    if (queue != NONE) {
        queue_release(core, queue);
    }
    if (demand != NONE) {
        demand_release(core, demand);
    }
}

uint32_t spec_new(struct core *core, uint32_t session_index, uint64_t id,
                  const struct rec_spec *record, int *code)
{
    struct session *session = session_at(core, session_index);
    struct job *job = job_at(core, session->job);
    if (session->internal) {
        job->if_infeasible =
            record->if_infeasible; /* what the job asks for holds for its driver's tasks, too */
    }
    uint32_t policy =
        record->if_infeasible == INFEASIBLE_AS_SET ? job->if_infeasible : record->if_infeasible;
    bool fail =
        policy == INFEASIBLE_AS_SET ? core->config.fail_infeasible : policy == INFEASIBLE_FAIL;
    *code = ERR_INVALID;
    core->refusal[0] = 0;
    if (record->kind < SPEC_FUNCTION || record->max_retries < -1) {
        return NONE;
    }
    bool placed = record->kind != SPEC_METHOD;
    uint32_t demand = placed ? demand_get(core, record, session->id, code) : NONE;
    if (placed && demand == NONE) {
        return NONE;
    }
    *code = ERR_BUSY;
    int32_t priority = record->priority < PRIORITY_MAX ? record->priority : PRIORITY_MAX;
    const struct queue_kind how = { fail, priority > -PRIORITY_MAX ? priority : -PRIORITY_MAX };
    uint32_t queue = placed ? queue_get(core, session->job, demand, &how) : NONE;
    uint32_t index = placed && queue == NONE ? NONE : pool_take(&core->specs);
    if (index == NONE) {
        spec_unplace(core, demand, queue);
        return NONE;
    }
    *code = OK;
    struct spec *spec = spec_at(core, index);
    *spec = (struct spec){ .id = id,
                           .key = spec_key(session, record->index),
                           .session = session_index,
                           .job = session->job,
                           .kind = record->kind,
                           .demand = demand,
                           .queue = queue,
                           .tally = record->kind == SPEC_VALUE
                                        ? SURVEY_NAMES - 1
                                        : tally_find(core, record->title.n > 0 ? record->title
                                                                               : record->name),
                           .max_retries = record->max_retries,
                           .retry_mode = record->retry_mode,
                           .backoff_ms = record->backoff_ms,
                           .backoff_ms_max = record->backoff_ms_max,
                           .queue_ms_max = record->queue_ms_max,
                           .crash_limit = record->crash_limit,
                           .ordered = record->concurrency <= 1 && record->groups.n == 0,
                           .detached = record->kind == SPEC_ACTOR && record->detached,
                           .group = record->group.n > 0 ? text_hash(record->group) : 0 };
    struct list codes = record->retry_codes;
    struct rec_code retry;
    while (next_code(&codes, &retry)) {
        spec->retry_codes[spec->retry_code_count++] = retry.value;
    }
    map_add(&core->spec_ids, index);
    map_add(&core->spec_keys, index);
    chain_append(&session->specs, &core->specs, SPEC_SESSION, index);
    return index;
}

bool spec_goes_on(const struct core *core, const struct spec *spec)
{
    const struct job *job = job_at(core, spec->job);
    uint64_t root = session_at(core, spec->session)->root;
    if (!spec->detached && root != 0) {
        return actor_lasts(core, root);
    }
    return spec->detached || (!job_ended(job) && !job->ending && !job->stopping);
}

void spec_save(struct core *core, uint32_t spec, const struct rec_spec *record, struct slice bytes)
{
    uint64_t id = spec_at(core, spec)->id;
    EMIT(core, spec_new, id, session_at(core, spec_at(core, spec)->session)->id, record->index,
         record->kind, record->title.n > 0 ? record->title : record->name, bytes);
    if (record->program.n > 0) {
        EMIT(core, spec_file, id, record->program);
    }
    struct list packages = record->packages;
    struct rec_package package;
    while (next_package(&packages, &package)) {
        EMIT(core, spec_file, id, package.hash);
    }
}

void spec_free(struct core *core, uint32_t index)
{
    struct spec *spec = spec_at(core, index);
    chain_remove(&session_at(core, spec->session)->specs, &core->specs, SPEC_SESSION, index);
    map_remove(&core->spec_ids, index);
    map_remove(&core->spec_keys, index);
    spec_unplace(core, spec->demand, spec->queue);
    pool_give(&core->specs, index);
}

void session_bind(struct core *core, uint32_t index, uint32_t peer)
{
    struct session *session = session_at(core, index);
    uint32_t found = peer_find(core, peer);
    if (found != NONE) {
        peer_at(core, found)->session = index;
    }
    session->peer = peer;
    session->gone_ms = 0;
    session->heard_ms = core->now_ms;
}

static void mark_set(struct core *core, struct session *session)
{
    if (session->mark_number == 0 && session->below > session->synced) {
        session->mark_number = core->batch_number + 1;
        session->mark_below = session->below;
    }
}

static void mark_take(struct core *core, struct session *session)
{
    if (session->mark_number != 0 && session->mark_number <= core->synced_number) {
        session->synced = session->mark_below;
        session->mark_number = 0;
        mark_set(core, session);
    }
}

/*  Says SUBMITTED: `seq` of the request that it answers, 0 if it answers SUBMITs. */
static void tell_submitted(struct core *core, struct session *session, uint64_t seq)
{
    const struct job *job = job_at(core, session->job);
    bool full = job->durability == DURABLE_FULL;
    bool quota = user_at(core, job->user)->object_bytes_max != UINT64_MAX;
    mark_take(core, session);
    session->ack_due = session->ack_now = false;
    session->acked = session->below;
    struct msg *reply = emit_send(core, session->peer, MSG_SUBMITTED, full);
    reply->as.submitted = (struct msg_submitted){
        seq, session->id, session->below, session->synced, session->results.seq, quota
    };
}

static void refuse_ended(struct core *core, uint32_t peer, uint64_t seq)
{
    emit_refused(core, peer, seq, ERR_CLOSED,
                 "the session has ended: its job was stopped, or its driver was given up");
}

uint32_t session_of_request(struct core *core, uint32_t peer, uint64_t seq, uint64_t id, bool open)
{
    uint32_t index = session_of_peer(core, peer, id);
    if (index == NONE || (open && !session_at(core, index)->open)) {
        refuse_ended(core, peer, seq);
        return NONE;
    }
    return index;
}

void on_resume(struct core *core, uint32_t peer, const struct msg_resume *msg)
{
    uint32_t index = session_of_peer(core, peer, msg->session);
    if (index == NONE || (!session_at(core, index)->open && !session_at(core, index)->closing)) {
        refuse_ended(core, peer, msg->seq);
        return;
    }
    session_bind(core, index, peer);
    tell_submitted(core, session_at(core, index), msg->seq);
    study_resumed(core, index);
    refs_resumed(core, index);
}

void on_client_beat(struct core *core, uint32_t peer, const struct msg_client_beat *msg)
{
    uint32_t index = msg->session == 0 ? NONE : session_find(core, msg->session);
    if (index != NONE && session_at(core, index)->peer == peer) {
        session_at(core, index)->heard_ms = core->now_ms;
        tell_submitted(core, session_at(core, index), msg->seq);
        study_resumed(core, index);
    } else if (msg->session != 0) {
        emit_send(core, peer, MSG_WHO, false)->as.who = (struct msg_who){ msg->seq, core->epoch };
    }
}

/*  Nothing more is accepted; what is unfinished is given up by job_work(). */
void session_close(struct core *core, uint32_t index)
{
    struct session *session = session_at(core, index);
    if (session->open) {
        session->open = false;
        session->closing = true;
        values_given_up(core, index);
        study_left(core, index);
        job_busy(core, session->job);
    }
}

/*  The executor of a nested session is gone, or does not want it any more.  What its tasks have left behind goes on. */
static void session_left(struct core *core, uint32_t index)
{
    struct session *session = session_at(core, index);
    session->open = false;
    study_left(core, index);
    values_given_up(core, index);
    claims_drop(core, session->id);
    EMIT(core, session_end, session->id);
    objects_session_ended(core, index);
}

static void root_ended(struct core *core, uint32_t index)
{
    struct session *session = session_at(core, index);
    session_close(core, index);
    if (session->tasks.count > 0) { /* also those of one that was left */
        session->closing = true;
        job_busy(core, session->job);
    }
}

void sessions_root_ended(struct core *core, uint32_t job, uint64_t root)
{
    for (uint32_t i = job_at(core, job)->sessions.first; i != NONE;
         i = session_at(core, i)->in_job.next) {
        if (session_at(core, i)->root == root) {
            root_ended(core, i);
        }
    }
}

void sessions_restored(struct core *core)
{
    for (uint32_t i = 0; i < core->sessions.fresh; i++) {
        uint64_t root = session_at(core, i)->root;
        if (root != 0 && !actor_lasts(core, root)) {
            root_ended(core, i);
        }
    }
}

void on_bye(struct core *core, uint32_t peer, const struct msg_bye *msg)
{
    uint32_t index = session_of_peer(core, peer, msg->session);
    if (index == NONE || (!session_at(core, index)->open && !session_at(core, index)->closing)) {
        emit_send(core, peer, MSG_BYE_DONE, true)->as.bye_done =
            (struct msg_bye_done){ msg->seq, msg->session };
        return;
    }
    struct session *session = session_at(core, index);
    struct job *job = job_at(core, session->job);
    session_bind(core, index, peer);
    if (session->nested && session->open) {
        session_left(core, index);
        emit_send(core, peer, MSG_BYE_DONE, true)->as.bye_done =
            (struct msg_bye_done){ msg->seq, msg->session };
        return;
    }
    session->bye_seq = msg->seq;
    session->bye = true;
    session_close(core, index);
    if (job->kind == JOB_ATTACHED && !job->ending) {
        job_end(core, session->job, msg->status == 0 ? JOB_SUCCEEDED : JOB_FAILED, msg->status);
    }
}

/*  All its tasks have ended. */
void session_closed(struct core *core, uint32_t index)
{
    struct session *session = session_at(core, index);
    session->closing = false;
    claims_drop(core, session->id);
    EMIT(core, session_end, session->id);
    objects_session_ended(core, index);
    if (session->bye && session->peer != NONE) {
        struct msg *reply = emit_send(core, session->peer, MSG_BYE_DONE, true);
        reply->as.bye_done = (struct msg_bye_done){ session->bye_seq, session->id };
    }
}

/*  Sessions of executors that have not come back.  Between two attempts they are away, too: nobody has a ticket then. */
static void nested_scan(struct core *core, const struct job *job)
{
    for (uint32_t i = job->sessions.first; i != NONE; i = session_at(core, i)->in_job.next) {
        const struct session *session = session_at(core, i);
        if (session->nested && session->open &&
            core->now_ms - session->heard_ms > core->config.lease_ms) {
            session_left(core, i);
        }
    }
}

void session_scan(struct core *core)
{
    for (uint32_t j = core->ages.first; j != NONE; j = job_at(core, j)->age.next) {
        struct job *job = job_at(core, j);
        if (!job_ended(job) || job->rooted) {
            nested_scan(core, job);
        }
        if (job->kind != JOB_ATTACHED || job_ended(job) || job->ending || job->detached) {
            continue;
        }
        struct session *session = session_at(core, job->first_session);
        bool gone =
            session->gone_ms != 0 && core->now_ms >= session->gone_ms + core->config.gone_ms;
        if (gone || core->now_ms - session->heard_ms > core->config.lease_ms) {
            static const char text[] = "the program that was its driver is gone";
            memcpy(job->message, text, sizeof(text));
            job_end(core, j, JOB_FAILED, 1);
            session_close(core, job->first_session);
        }
    }
}

void session_synced(struct core *core, uint64_t number)
{
    core->synced_number = number;
    for (uint32_t p = core->all_peers.first; p != NONE; p = peer_at(core, p)->all.next) {
        if (peer_at(core, p)->session != NONE) {
            mark_take(core, session_at(core, peer_at(core, p)->session));
            study_synced(core, peer_at(core, p)->session);
        }
    }
}

/*  An acknowledgement waits: for company, or until ACK_MS have passed. */
void ack_soon(struct core *core)
{
    if (core->ack_ms == UINT64_MAX) {
        core->ack_ms = core->now_ms + ACK_MS;
    }
}

static void write_low(struct core *core, struct session *session)
{
    enum { LOW_STEP = 1024 };
    session->low_dirty = false;
    uint64_t low = session->below;
    if (session->tasks.count > 0) {
        low = task_counter((task_id){ task_at(core, session->tasks.first)->id });
    }
    if (low >= session->low + LOW_STEP) {
        session->low = low;
        EMIT(core, session_low, session->id, low);
    }
}

/*  Acknowledges what was accepted, and writes how far everything has ended. */
void session_tell(struct core *core)
{
    uint32_t next;
    for (uint32_t index = core->due.first; index != NONE && !effects_nearly_full(core);
         index = next) {
        struct session *session = session_at(core, index);
        next = session->due.next;
        mark_set(core, session);
        if (session->low_dirty) {
            write_low(core, session);
        }
        bool now = session->ack_now || core->now_ms >= core->ack_ms ||
                   session->below >= session->acked + ACK_TASKS;
        if (session->ack_due && session->peer != NONE && !now) {
            ack_soon(core);
            continue;
        }
        if (session->ack_due && session->peer != NONE) {
            tell_submitted(core, session, 0);
        }
        chain_remove(&core->due, &core->sessions, SESSION_DUE, index);
        session->is_due = false;
    }
}
