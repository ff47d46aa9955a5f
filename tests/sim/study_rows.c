/*  study_rows.c - what the rows say of studies, and what must hold of them and of what is told about them. */
#include <stdlib.h>

#include "tests/sim/sim.h"

typedef unsigned long long ull;

#define ADD(name, array)                                                                           \
    (seen->array =                                                                                 \
         grown(seen->array, &seen->name##_room, seen->name##_count, sizeof(*seen->array)),         \
     &seen->array[seen->name##_count++])

struct study_seen *oracle_study(struct sim *sim, uint64_t id)
{
    struct studies_seen *seen = &sim->oracle.studies;
    for (uint32_t i = 0; i < seen->study_count; i++) {
        if (seen->studies[i].id == id) {
            return &seen->studies[i];
        }
    }
    return NULL;
}

static struct study_seen *known(struct sim *sim, uint64_t id)
{
    struct study_seen *study = oracle_study(sim, id);
    if (study == NULL) {
        sim_fail(sim, 1, "a row names study %llu, which has no row", (ull)id);
    }
    return study;
}

static uint64_t report_key(uint64_t token, uint32_t number)
{
    return token << 4 | number;
}

struct report_seen *oracle_report(struct sim *sim, uint64_t token, uint32_t number)
{
    uint32_t place = index_find(&sim->oracle.studies.report_index, report_key(token, number));
    return place == NONE ? NULL : &sim->oracle.studies.reports[place];
}

uint64_t oracle_saved(struct sim *sim, uint64_t session, uint64_t seq)
{
    uint32_t place = index_find(&sim->oracle.studies.saved_index, session << 16 | seq);
    return place == NONE ? 0 : sim->oracle.studies.saved[place];
}

/* --- rows ------------------------------------------------------------------------------------- */

void seen_study_new(struct sim *sim, const void *from)
{
    const struct row_study_new *row = from;
    struct studies_seen *seen = &sim->oracle.studies;
    for (uint32_t i = 0; i < seen->study_count; i++) {
        if (seen->studies[i].id == row->id ||
            slice_same(row->name, slice_text(seen->studies[i].name))) {
            sim_fail(sim, 3, "two studies named %s", seen->studies[i].name);
        }
    }
    struct study_seen *study = ADD(study, studies);
    *study = (struct study_seen){
        .id = row->id, .session = row->session, .commit = sim->oracle.commit, .state = STUDY_RUNNING
    };
    slice_copy_text(row->name, study->name, sizeof(study->name));
}

void seen_study_file(struct sim *sim, const void *from)
{
    known(sim, ((const struct row_study_file *)from)->study);
}

void seen_study_taken(struct sim *sim, const void *from)
{
    const struct row_study_taken *row = from;
    struct study_seen *study = known(sim, row->id);
    if (study->state == STUDY_RUNNING) {
        sim_fail(sim, 3, "study %s is taken up while session %llu drives it", study->name,
                 (ull)study->session);
    }
    study->state = STUDY_RUNNING;
    study->session = row->session;
    study->commit = sim->oracle.commit;
}

void seen_study_state(struct sim *sim, const void *from)
{
    const struct row_study_state *row = from;
    struct study_seen *study = known(sim, row->id);
    if (row->state >= STUDY_STATES || (row->stopping && row->state != STUDY_RUNNING)) {
        sim_fail(sim, 34, "study %s goes into state %u", study->name, row->state);
    }
    study->state = row->state;
    study->commit = sim->oracle.commit;
}

void seen_study_saved(struct sim *sim, const void *from)
{
    const struct row_study_saved *row = from;
    struct studies_seen *seen = &sim->oracle.studies;
    const struct study_seen *study = known(sim, row->id);
    if (oracle_saved(sim, study->session, row->saved) != 0) {
        sim_fail(sim, 1, "TRIALS %llu of session %llu are written twice", (ull)row->saved,
                 (ull)study->session);
    }
    index_add(&seen->saved_index, study->session << 16 | row->saved, seen->saved_count);
    *ADD(saved, saved) = sim->oracle.commit;
}

void seen_trial(struct sim *sim, const void *from)
{
    const struct row_trial *row = from;
    struct studies_seen *seen = &sim->oracle.studies;
    struct study_seen *study = known(sim, row->study);
    uint64_t key = row->study << 16 | row->number;
    uint32_t place = index_find(&seen->trial_index, key);
    if (place == NONE) {
        place = seen->trial_count;
        index_add(&seen->trial_index, key, place);
        ADD(trial, trials)->tag = 0;
        study->trials++;
    }
    struct trial_seen *trial = &seen->trials[place];
    if (trial->tag >> 20 == row->ended >> 20 && row->ended <= trial->tag) {
        sim_fail(sim, 5, "trial %u of study %s goes back from row %llx to %llx", row->number,
                 study->name, (ull)trial->tag, (ull)row->ended);
    }
    *trial = (struct trial_seen){ row->study, row->ended, row->number };
}

void seen_report(struct sim *sim, const void *from)
{
    const struct row_report *row = from;
    struct studies_seen *seen = &sim->oracle.studies;
    struct study_seen *study = known(sim, row->study);
    const struct task_seen *task = oracle_task(sim, row->task);
    if (!sim->oracle.replaying) {
        if (task == NULL || task->token != row->token || task->state < TASK_LEASED ||
            task->state > TASK_RUNNING || task->attempt != row->attempt) {
            sim_fail(sim, 9, "a report of %llx with token %llx, which is not its current attempt",
                     (ull)row->task, (ull)row->token);
        }
        if (row->id <= seen->id_max || study->session != task_session((task_id){ row->task })) {
            sim_fail(sim, 5, "report %llu of study %s after %llu", (ull)row->id, study->name,
                     (ull)seen->id_max);
        }
        seen->id_max = row->id;
    }
    if (oracle_report(sim, row->token, row->number) != NULL) {
        return; /* as the table does */
    }
    index_add(&seen->report_index, report_key(row->token, row->number), seen->report_count);
    *ADD(report, reports) =
        (struct report_seen){ row->token, row->study, sim->oracle.commit, row->number };
    study->reports++;
}

/* --- what is told ----------------------------------------------------------------------------- */

/*  True: a power cut may have taken its row. */
static bool may_lack(struct sim *sim, uint64_t task)
{
    const struct job_seen *job = oracle_job_of(sim, task);
    return sim->head.power_cuts > 0 && (job == NULL || job->durability != DURABLE_FULL);
}

static void need_report(struct sim *sim, uint64_t task, uint64_t token, uint32_t number,
                        const char *what)
{
    const struct report_seen *report = oracle_report(sim, token, number);
    if (report == NULL && may_lack(sim, task)) {
        return;
    }
    if (report == NULL) {
        sim_fail(sim, 2, "%s for report %u of %llx, which has no row", what, number, (ull)task);
    }
    const struct job_seen *job = oracle_job_of(sim, task);
    if (job != NULL && job->durability == DURABLE_FULL && !disk_is_synced(sim, report->commit)) {
        sim_fail(sim, 2, "%s leaves before report %u of %llx is synced", what, number, (ull)task);
    }
}

static void sent_decided(struct sim *sim, const struct msg_decided *msg)
{
    struct list list = msg->decisions;
    struct rec_decision decision;
    while (next_decision(&list, &decision)) {
        if (decision.decision != DECISION_REFUSED) {
            need_report(sim, decision.task, decision.token, decision.number, "DECIDED");
        }
    }
}

static void sent_reported(struct sim *sim, const struct msg_reported *msg)
{
    struct list list = msg->reports;
    struct rec_report report;
    while (next_report(&list, &report)) {
        need_report(sim, report.task, report.token, report.number, "REPORTED");
        if (report.id == 0 || report.id > sim->oracle.studies.id_max) {
            sim_fail(sim, 5, "REPORTED tells of report %llu", (ull)report.id);
        }
    }
}

static void sent_study(struct sim *sim, uint64_t id, const char *what)
{
    const struct study_seen *study = oracle_study(sim, id);
    bool held = sim->head.after_sync; /* it waited for the disk, and changed meanwhile */
    if (study == NULL || (!held && !disk_is_synced(sim, study->commit))) {
        sim_fail(sim, 2, "%s of study %llu leaves before it is synced", what, (ull)id);
    }
}

void studies_sent(struct sim *sim, const struct msg *msg)
{
    if (msg->kind == MSG_DECIDED) {
        sent_decided(sim, &msg->as.decided);
    } else if (msg->kind == MSG_REPORTED) {
        sent_reported(sim, &msg->as.reported);
    } else if (msg->kind == MSG_STUDY_OPENED) {
        sent_study(sim, msg->as.study_opened.study, "STUDY_OPENED");
    } else if (msg->kind == MSG_STUDY_STATE) {
        sent_study(sim, msg->as.study_state.study, "STUDY_STATE");
    }
}

/* --- what must stay --------------------------------------------------------------------------- */

/*  The rows of all TRIALS that a client was told to be safe. */
void studies_check(struct sim *sim, const struct client *self)
{
    const struct study_seen *study = oracle_study(sim, self->study.id);
    for (uint64_t seq = 1; seq <= self->study.saved; seq++) {
        uint64_t commit = oracle_saved(sim, self->session, seq);
        if (study == NULL || commit == 0 || !disk_is_synced(sim, commit)) {
            sim_fail(sim, 2, "client %u was told that TRIALS %llu are safe, but they are not",
                     self->index, (ull)seq);
        }
        uint32_t number;
        for (uint32_t i = 0; (number = study_rows_of(seq, i)) != NONE; i++) {
            uint32_t place = index_find(&sim->oracle.studies.trial_index, study->id << 16 | number);
            uint64_t tag = place == NONE ? 0 : sim->oracle.studies.trials[place].tag;
            bool mine = tag >> 20 == self->index;
            if (mine ? tag < study_tag(self, seq) : study->session == self->session) {
                sim_fail(sim, 2, "trial %u of study %s is %llx, client %u was told of %llx", number,
                         study->name, (ull)tag, self->index, (ull)study_tag(self, seq));
            }
        }
    }
}

static void check_all(struct sim *sim)
{
    for (uint32_t i = 0; i < sim->client_count; i++) {
        if (sim->clients[i].study.saved > 0) {
            studies_check(sim, &sim->clients[i]);
        }
    }
    for (uint32_t i = 0; i < sim->answered_count; i += 2) {
        if (oracle_report(sim, sim->answered[i], (uint32_t)sim->answered[i + 1]) == NULL) {
            sim_fail(sim, 2, "report %llu of token %llx was decided on, and is gone",
                     (ull)sim->answered[i + 1], (ull)sim->answered[i]);
        }
    }
}

void studies_cut(struct sim *sim)
{
    check_all(sim);
}

/*  The database itself says what the rows did: each report once. */
void studies_end(struct sim *sim)
{
    check_all(sim);
    for (uint32_t i = 0; i < sim->oracle.studies.study_count; i++) {
        const struct study_seen *study = &sim->oracle.studies.studies[i];
        struct msg_study_opened rows = { 0 };
        if (store_study(sim->head.store, study->id, &rows) != OK || rows.trials != study->trials ||
            rows.reports != study->reports) {
            sim_fail(sim, 1, "study %s has %llu trials and %llu reports, the rows made %u and %u",
                     study->name, (ull)rows.trials, (ull)rows.reports, study->trials,
                     study->reports);
        }
        if (study->state == STUDY_RUNNING) {
            sim_fail(sim, 19, "study %s runs, and nobody drives it", study->name);
        }
    }
}

void studies_fini(struct studies_seen *self)
{
    index_fini(&self->trial_index);
    index_fini(&self->report_index);
    index_fini(&self->saved_index);
    free(self->studies);
    free(self->trials);
    free(self->reports);
    free(self->saved);
    *self = (struct studies_seen){ 0 };
}
