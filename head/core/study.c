/*  study.c - studies (rayc tune): who drives which one, rows of their trials, reports on their way to the driver, and
    its decisions on their way to the workers.

    The core knows names and drivers only.  Rows are in the store; a report stays with its worker until it is decided
    on, and what the driver decides is its own.  So nothing here waits for anything: what was lost is said again. */
#include "head/core/state.h"

#include "common/bug.h"
#include "common/text.h"

static uint32_t study_find(const struct core *core, uint64_t id)
{
    return map_find(&core->study_ids, id);
}

static uint32_t study_named(const struct core *core, struct slice name)
{
    uint32_t i = map_find(&core->study_hashes, text_hash(name));
    while (i != NONE && !slice_same(name, slice_text(study_at(core, i)->name))) {
        i = map_next(&core->study_hashes, i);
    }
    return i;
}

static uint32_t study_new(struct core *core, uint64_t id, struct slice name)
{
    uint32_t index = pool_take(&core->studies);
    if (index == NONE) {
        return NONE;
    }
    struct study *study = study_at(core, index);
    study->id = id;
    study->hash = text_hash(name);
    study->session = NONE;
    slice_copy_text(name, study->name, sizeof(study->name));
    map_add(&core->study_ids, index);
    map_add(&core->study_hashes, index);
    core->study_last = id > core->study_last ? id : core->study_last;
    return index;
}

static void refuse(struct core *core, uint32_t peer, uint64_t seq, int code, struct slice text)
{
    emit_send(core, peer, MSG_REFUSED, false)->as.refused = (struct msg_refused){ seq, code, text };
}

/*  A sentence about a study: before its name, and after. */
static struct slice sentence(struct core *core, const char *before, struct slice name,
                             const char *after)
{
    char buffer[NAME_MAX_BYTES + 256];
    struct text text = text_in(buffer, sizeof(buffer));
    text_add(&text, before);
    text_slice(&text, name);
    text_add(&text, after);
    return scratch_put(core, buffer, text.n);
}

static void tell_study(struct core *core, uint32_t peer, uint64_t seq, const struct study *study)
{
    struct msg *reply = emit_send(core, peer, MSG_STUDY_STATE, true);
    reply->as.study_state =
        (struct msg_study_state){ seq, study->id, study->state, study->stopping };
}

static void event_of(struct core *core, const char *kind, const struct study *study)
{
    uint32_t session = session_find(core, study->session_id);
    uint64_t job = session == NONE ? 0 : job_at(core, session_at(core, session)->job)->id;
    emit_event(core, kind, job, 0, 0, slice_text(study->name));
}

/* --- who drives it ---------------------------------------------------------------------------- */

static void drive(struct core *core, uint32_t index, uint32_t session_index)
{
    struct study *study = study_at(core, index);
    struct session *session = session_at(core, session_index);
    study->was = study->state;
    study->state = STUDY_RUNNING;
    study->stopping = false;
    study->session = session_index;
    study->session_id = session->id;
    session->study = index;
    session->study_id = study->id;
}

/*  Nobody drives it any more. */
static void end(struct core *core, struct study *study, enum study_state state, struct slice text)
{
    if (study->session != NONE) {
        session_at(core, study->session)->study = NONE;
        study->session = NONE;
    }
    study->state = state;
    study->stopping = false;
    EMIT(core, study_state, study->id, state, 0, core->wall_ms, text);
    event_of(core, "STUDY_ENDED", study);
}

void study_left(struct core *core, uint32_t session)
{
    uint32_t index = session_at(core, session)->study;
    if (index != NONE) {
        struct study *study = study_at(core, index);
        end(core, study, study->stopping ? STUDY_STOPPED : STUDY_INTERRUPTED,
            slice_text("the program that drove it is gone"));
    }
}

/*  Of a job whose driver runs on the cluster, only sessions of its current attempt live.  Of those from before a restart
    of the head that is not known: they live while they are heard. */
static bool session_lives(const struct core *core, uint32_t index)
{
    const struct session *session = session_at(core, index);
    const struct job *job = job_at(core, session->job);
    if (job->kind == JOB_ATTACHED || !session->open) {
        return session->open;
    }
    if (session->token != 0) {
        uint32_t driver = task_find(core, job->driver);
        return driver != NONE && task_at(core, driver)->token == session->token;
    }
    return session->peer != NONE || core->now_ms - session->heard_ms <= core->config.lease_ms;
}

/*  Trials of a driver that died wait for decisions that nobody will make. */
void study_scan(struct core *core)
{
    for (uint32_t i = 0; i < core->studies.fresh; i++) {
        uint32_t session = study_at(core, i)->session;
        if (session != NONE && !session_lives(core, session)) {
            study_left(core, session);
        }
    }
}

/*  A session that may drive and be answered; else NONE, and it was refused. */
static uint32_t driver_of(struct core *core, uint32_t peer, uint64_t seq, uint64_t id)
{
    uint32_t index = session_of_request(core, peer, seq, id, true);
    if (index != NONE) {
        session_at(core, index)->heard_ms = core->now_ms;
    }
    return index;
}

/*  Answered with what the store has of it. */
static void tell_opened(struct core *core, uint32_t peer, uint64_t seq, const struct study *study)
{
    struct msg *reply = emit_send(core, peer, MSG_STUDY_OPENED, true);
    reply->as.study_opened =
        (struct msg_study_opened){ .seq = seq, .study = study->id, .state = study->was };
}

static void open_new(struct core *core, uint32_t peer, const struct msg_study_open *msg,
                     uint32_t session)
{
    uint32_t index = study_new(core, core->study_last + 1, msg->name);
    if (index == NONE) {
        emit_refused(core, peer, msg->seq, ERR_BUSY, "the head has as many studies as it can hold");
        return;
    }
    struct study *study = study_at(core, index);
    study->state = STUDY_RUNNING;
    study->decides = msg->decides;
    study->owner = job_at(core, session_at(core, session)->job)->owner;
    drive(core, index, session);
    EMIT(core, study_new, study->id, msg->name, msg->session, msg->decides, msg->maximize,
         msg->metric, msg->seed, msg->trials_max, session_at(core, session)->saved, core->wall_ms,
         study->owner);
    audit(core, peer, MSG_STUDY_OPEN, msg->name, OK);
    EMIT(core, study_file, study->id, msg->definition, msg->settings);
    event_of(core, "STUDY_OPENED", study);
    tell_opened(core, peer, msg->seq, study);
}

static void open_again(struct core *core, uint32_t peer, const struct msg_study_open *msg,
                       uint32_t session)
{
    uint32_t index = study_named(core, msg->name);
    struct study *study = study_at(core, index);
    if (study->session != NONE && session_lives(core, study->session)) {
        refuse(core, peer, msg->seq, ERR_BUSY,
               sentence(core, "another program drives the study '", msg->name,
                        "' now; if that was killed a moment ago, try again in some seconds"));
        return;
    }
    if (study->session != NONE) {
        study_left(core, study->session);
    }
    drive(core, index, session);
    study->decides = msg->decides; /* what the new driver will do */
    EMIT(core, study_taken, study->id, msg->session, session_at(core, session)->saved, msg->decides,
         msg->trials_max);
    event_of(core, "STUDY_RESUMED", study);
    audit(core, peer, MSG_STUDY_OPEN, msg->name, OK);
    tell_opened(core, peer, msg->seq, study);
}

void on_study_open(struct core *core, uint32_t peer, const struct msg_study_open *msg)
{
    uint32_t session = driver_of(core, peer, msg->seq, msg->session);
    if (session == NONE) {
        return;
    }
    uint32_t index = study_named(core, msg->name);
    uint32_t driven = session_at(core, session)->study;
    bool its = index == NONE || may_touch(core, peer, study_at(core, index)->owner);
    if (msg->name.n == 0 || memchr(msg->name.p, 0, msg->name.n) != NULL) {
        emit_refused(core, peer, msg->seq, ERR_INVALID, "a study needs a name");
    } else if (driven != NONE && driven == index) {
        tell_opened(core, peer, msg->seq, study_at(core, index)); /* the first answer was lost */
    } else if (driven != NONE) {
        refuse(core, peer, msg->seq, ERR_CONFLICT,
               sentence(core, "this program drives the study '",
                        slice_text(study_at(core, driven)->name), "' already"));
    } else if ((index == NONE || !its) && msg->resume) {
        refuse(core, peer, msg->seq, ERR_NOT_FOUND,
               sentence(core, "there is no study named '", msg->name, "' to resume"));
    } else if (index != NONE && !msg->resume) {
        refuse(core, peer, msg->seq, ERR_CONFLICT,
               sentence(core, "a study named '", msg->name,
                        "' exists: go on with it by --resume, or give another --name"));
    } else if (index == NONE) {
        open_new(core, peer, msg, session);
    } else {
        open_again(core, peer, msg, session);
    }
}

void on_study_end(struct core *core, uint32_t peer, const struct msg_study_end *msg)
{
    uint32_t session = driver_of(core, peer, msg->seq, msg->session);
    if (session == NONE) {
        return;
    }
    uint32_t index = study_find(core, msg->study);
    struct study *study = index == NONE ? NULL : study_at(core, index);
    bool ended = study && study->session == NONE && study->session_id == msg->session;
    if (!study || (study->session != session && !ended)) {
        emit_refused(core, peer, msg->seq, ERR_STALE, "this program does not drive the study");
    } else if (msg->state <= STUDY_RUNNING) {
        emit_refused(core, peer, msg->seq, ERR_INVALID, "a study does not end in this state");
    } else {
        if (!ended) {
            audit(core, peer, MSG_STUDY_END, slice_text(study->name), OK);
            end(core, study, (enum study_state)msg->state, msg->text);
        }
        tell_study(core, peer, msg->seq, study); /* also when the first answer was lost */
    }
}

void on_study_stop(struct core *core, uint32_t peer, const struct msg_study_stop *msg)
{
    uint32_t index = study_named(core, msg->name);
    if (index == NONE || !may_touch(core, peer, study_at(core, index)->owner)) {
        refuse(core, peer, msg->seq, ERR_NOT_FOUND,
               sentence(core, "there is no study named '", msg->name, "'"));
        return;
    }
    struct study *study = study_at(core, index);
    if (study->session != NONE && !study->stopping) {
        study->stopping = true;
        audit(core, peer, MSG_STUDY_STOP, msg->name, OK);
        EMIT(core, study_state, study->id, study->state, 1, 0, { 0 });
        event_of(core, "STUDY_STOP_ASKED", study);
        study_resumed(core, study->session);
    } else if (study->state == STUDY_INTERRUPTED) {
        audit(core, peer, MSG_STUDY_STOP, msg->name, OK);
        end(core, study, STUDY_STOPPED, slice_text("stopped by a user"));
    }
    tell_study(core, peer, msg->seq, study);
}

/* --- trials ----------------------------------------------------------------------------------- */

static void tell_saved(struct core *core, const struct session *session)
{
    if (session->peer != NONE && session->study_id != 0) {
        emit_send(core, session->peer, MSG_TRIALS_SAVED, false)->as.trials_saved =
            (struct msg_trials_saved){ session->saved_synced, session->study_id };
    }
}

/*  True: more rows are on the disk than was known. */
static bool saved_take(const struct core *core, struct session *session)
{
    bool more = false;
    while (session->saved_mark != 0 && session->saved_mark <= core->synced_number) {
        session->saved_synced = session->saved_below;
        session->saved_below = session->saved;
        session->saved_mark = session->saved > session->saved_synced ? session->saved_batch : 0;
        more = true;
    }
    return more;
}

void study_synced(struct core *core, uint32_t session)
{
    if (saved_take(core, session_at(core, session))) {
        tell_saved(core, session_at(core, session));
    }
}

/*  Rows are acknowledged when they are on the disk, so that a power cut leaves no gap that a driver could not fill. */
void study_resumed(struct core *core, uint32_t index)
{
    struct session *session = session_at(core, index);
    saved_take(core, session);
    if (session->saved_synced > 0) {
        tell_saved(core, session);
    }
    if (session->study != NONE && study_at(core, session->study)->stopping &&
        session->peer != NONE) {
        tell_study(core, session->peer, 0, study_at(core, session->study));
    }
}

static void write_trials(struct core *core, uint64_t study, struct list trials)
{
    struct rec_trial row;
    while (next_trial(&trials, &row)) {
        EMIT(core, trial, study, row.number, row.state, row.pruned, row.given, row.tag, row.run,
             row.task, row.ended, row.value, row.step, row.created_ms, row.ended_ms, row.point,
             row.params, row.metrics, row.checkpoint, row.text, row.lineage);
    }
}

void on_trials(struct core *core, uint32_t peer, const struct msg_trials *msg)
{
    uint32_t index = driver_of(core, peer, msg->seq, msg->session);
    if (index == NONE) {
        return;
    }
    struct session *session = session_at(core, index);
    if (msg->seq != session->saved + 1 && session->study_id != 0) {
        tell_saved(core, session); /* sent again, or a gap */
        return;
    }
    if (session->study == NONE || study_at(core, session->study)->id != msg->study) {
        emit_refused(core, peer, msg->seq, ERR_STALE, "this program does not drive the study");
        return;
    }
    write_trials(core, msg->study, msg->trials);
    session->saved = msg->seq;
    session->saved_batch = core->batch_number + 1;
    if (session->saved_mark == 0) {
        session->saved_mark = session->saved_batch;
        session->saved_below = session->saved;
    }
    EMIT(core, study_saved, msg->study, msg->seq);
}

/* --- reports and decisions -------------------------------------------------------------------- */

static void answer(struct core *core, uint32_t peer, const struct rec_report *report,
                   enum decision decision, const char *text)
{
    bool full = true; /* of a stale one, nobody knows what its row waits for */
    uint32_t task = lease_find(core, report->task, report->token);
    if (task != NONE) {
        full = task_job(core, task_at(core, task))->durability == DURABLE_FULL;
    }
    emit_decision(core, peer, full,
                  &(struct rec_decision){ report->task, report->token, report->number, decision,
                                          slice_text(text) });
}

/*  Each copy of a report has an id of its own; only the first has a row, also when a later attempt says it again. */
static void take_report(struct core *core, uint32_t node, struct rec_report *report)
{
    uint32_t peer = node_at(core, node)->peer;
    uint32_t index = lease_find(core, report->task, report->token);
    if (index == NONE || task_at(core, index)->node != node) {
        answer(core, peer, report, DECISION_REFUSED,
               "a newer attempt has taken over, or the task was given up");
        return;
    }
    const struct task *task = task_at(core, index);
    const struct session *session = session_at(core, spec_at(core, task->spec)->session);
    if (session->study == NONE) {
        answer(core, peer, report, DECISION_REFUSED,
               "the study has ended, or its driver is gone; or there never was one");
        return;
    }
    const struct study *study = study_at(core, session->study);
    report->id = ++core->report_last;
    report->attempt = task->attempt;
    report->at_ms = core->wall_ms;
    if (!RAYC_BUG(NO_REPORT_ROW)) {
        EMIT(core, report, report->id, study->id, report->task, report->token, report->attempt,
             report->number, report->trial, report->step, report->value, report->checkpoint,
             report->metrics, report->at_ms);
    }
    if (session->peer != NONE) {
        bool full = job_at(core, session->job)->durability == DURABLE_FULL;
        emit_report(core, session->peer, full, study->id, report);
    }
    if (!study->decides) {
        answer(core, peer, report, DECISION_GO_ON, "");
    }
}

void on_report(struct core *core, uint32_t peer, const struct msg_report *msg)
{
    uint32_t node = node_find(core, msg->node);
    if (node == NONE || node_at(core, node)->peer != peer) {
        return; /* it will hear WHO with its next beat, and say it again when it has joined */
    }
    struct list reports = msg->reports;
    struct rec_report report;
    while (next_report(&reports, &report)) {
        take_report(core, node, &report);
    }
}

/*  A decision for nobody is dropped: its report will come again, or never. */
void on_decide(struct core *core, uint32_t peer, const struct msg_decide *msg)
{
    uint32_t session = driver_of(core, peer, msg->seq, msg->session);
    struct list decisions = msg->decisions;
    struct rec_decision decision;
    while (session != NONE && next_decision(&decisions, &decision)) {
        uint32_t index = lease_find(core, decision.task, decision.token);
        if (index == NONE || spec_at(core, task_at(core, index)->spec)->session != session) {
            continue;
        }
        const struct node *node = node_at(core, task_at(core, index)->node);
        if (node->peer != NONE) {
            emit_decision(core, node->peer, false, &decision);
        }
    }
}

/* --- a restart -------------------------------------------------------------------------------- */

void study_restore(struct core *core, const struct restored *row)
{
    uint32_t index = study_new(core, row->study.id, row->study.name);
    ensure(index != NONE);
    struct study *study = study_at(core, index);
    uint32_t session_index = session_find(core, row->study.session);
    study->state = row->study.state;
    study->decides = row->study.decides;
    study->session_id = row->study.session;
    study->owner = row->study.owner;
    if (session_index != NONE) {
        struct session *session = session_at(core, session_index);
        session->study_id = study->id;
        if (row->study.saved > session->saved) {
            session->saved = session->saved_below = row->study.saved;
            session->saved_mark = session->saved_batch =
                1; /* what is on the disk, the first sync tells */
        }
    }
    if (study->state != STUDY_RUNNING) {
        return;
    }
    if (session_index != NONE && session_at(core, session_index)->open) {
        drive(core, index, session_index);
        study->stopping = row->study.stopping;
    } else {
        end(core, study, STUDY_INTERRUPTED, slice_text("the program that drove it is gone"));
    }
}
