/*  study.c - simulated programs that drive a study: they open it or take it up, write rows of trials, decide on reports,
    end it or just leave.  Of several programs with the same study, one at a time drives it. */
#include <stdio.h>
#include <stdlib.h>

#include "tests/sim/sim.h"

enum { NAMES = 8, TRIES_MAX = 12, AGAIN_MS = 3000, AT_ONCE = 3, TRIALS_OF_A_STUDY = 30 };
#define SEQ_STUDY (1ull << 61)

void study_draw(struct sim *sim, struct client *self)
{
    struct prng *rng = &sim->tune;
    bool submits = self->kind == CLIENT_ATTACHED || self->kind == CLIENT_DRIVER;
    if (!sim->studies) {
        return;
    }
    if (!submits) {
        self->study.stop_other_ms =
            chance(rng, 150) ? client_now_ms(sim) + between(rng, 100, 60000) : 0;
        self->study.name = (uint32_t)prng_below(rng, NAMES);
        return;
    }
    self->study = (struct driven){ .wanted = chance(rng, 600),
                                   .decides = chance(rng, 700),
                                   .resume = chance(rng, 300),
                                   .ends = chance(rng, 600),
                                   .name = (uint32_t)prng_below(rng, NAMES),
                                   .planned = (uint32_t)between(rng, 1, 12) };
}

bool study_settled(const struct client *self)
{
    return !self->study.wanted || self->study.opened || self->study.lost;
}

void study_ready(struct client *self)
{
    self->study.sent = self->study.saved;
    self->study.asked_ms = 0;
}

static struct slice name_of(const struct client *self, char buffer[24])
{
    snprintf(buffer, 24, "study-%u", self->study.name);
    return slice_text(buffer);
}

/* --- rows of trials: what a TRIALS holds follows from its seq ---------------------------------- */

uint32_t study_rows_of(uint64_t seq, uint32_t i)
{
    return i <= seq % 4 ? (uint32_t)((seq * 7 + i) % TRIALS_OF_A_STUDY) : NONE;
}

uint64_t study_tag(const struct client *self, uint64_t seq)
{
    return (uint64_t)self->index << 20 | seq;
}

static void send_trials(struct sim *sim, struct client *self, uint64_t seq)
{
    uint32_t count = 0, number;
    sim->elements.n = 0;
    for (; (number = study_rows_of(seq, count)) != NONE; count++) {
        proto_put_record(&sim->elements, REC_TRIAL,
                         &(struct rec_trial){ .number = number,
                                              .state = TRIAL_RUNNING,
                                              .ended = study_tag(self, seq),
                                              .value = (double)seq,
                                              .params = slice_text("{}") });
    }
    struct msg_trials trials = { seq, self->session, self->study.id,
                                 wire_list(&sim->elements, count) };
    client_say(sim, self, MSG_TRIALS, &trials);
}

static void push_trials(struct sim *sim, struct client *self, uint64_t now_ms)
{
    struct driven *study = &self->study;
    if (study->sent > study->saved && now_ms >= study->progress_ms + AGAIN_MS) {
        study->sent = study->saved; /* something was lost: go back */
    }
    if (study->made < study->planned && chance(&sim->tune, 500)) {
        study->made++;
    }
    while (study->sent < study->made && study->sent < study->saved + AT_ONCE) {
        study->progress_ms = study->sent == study->saved ? now_ms : study->progress_ms;
        send_trials(sim, self, ++study->sent);
    }
}

/* --- asking ----------------------------------------------------------------------------------- */

static void say_open(struct sim *sim, struct client *self, uint64_t now_ms)
{
    struct driven *study = &self->study;
    char name[24];
    if (study->asked_ms != 0 && now_ms < study->asked_ms + AGAIN_MS) {
        return;
    }
    study->asked_ms = now_ms;
    study->lost = ++study->tries > TRIES_MAX;
    study->seq = SEQ_STUDY | ++self->seq;
    struct msg_study_open open = { .seq = study->seq,
                                   .session = self->session,
                                   .name = name_of(self, name),
                                   .resume = study->resume,
                                   .decides = study->decides,
                                   .metric = slice_text("loss"),
                                   .definition = slice_text("a simulated study"),
                                   .settings = slice_text("{}") };
    client_say(sim, self, MSG_STUDY_OPEN, &open);
}

void study_tick(struct sim *sim, struct client *self)
{
    struct driven *study = &self->study;
    uint64_t now_ms = client_now_ms(sim);
    char name[24];
    if (self->phase != PHASE_READY) {
        return;
    }
    if (study->stop_other_ms != 0 && now_ms >= study->stop_other_ms) {
        study->stop_other_ms = 0;
        client_say(sim, self, MSG_STUDY_STOP,
                   &(struct msg_study_stop){ SEQ_STUDY | ++self->seq, name_of(self, name) });
    }
    if (self->session == 0 || !study->wanted || study->lost || study->ended) {
        return;
    }
    if (!study->opened) {
        say_open(sim, self, now_ms);
    } else {
        push_trials(sim, self, now_ms);
    }
}

/*  All its tasks have ended: the study does, too, if it is to; link.c asks again. */
bool study_ending(struct sim *sim, struct client *self)
{
    struct driven *study = &self->study;
    if (!study->opened || study->lost || study->ended || !(study->ends || study->stop)) {
        return false;
    }
    if (study->saved < study->planned) {
        return true;
    }
    study->seq = SEQ_STUDY | ++self->seq;
    struct msg_study_end end = { study->seq, self->session, study->id,
                                 study->stop ? STUDY_STOPPED : STUDY_COMPLETED,
                                 slice_text("it is done") };
    client_say(sim, self, MSG_STUDY_END, &end);
    return true;
}

/* --- hearing ---------------------------------------------------------------------------------- */

bool study_refused(struct client *self, const struct msg_refused *msg)
{
    struct driven *study = &self->study;
    bool of_trials = msg->seq <= study->planned && msg->code == ERR_STALE;
    if (!(msg->seq & SEQ_STUDY) || (msg->seq & ~(SEQ_STUDY | (SEQ_STUDY - 1))) != 0) {
        study->lost = study->lost || (of_trials && study->opened);
        return of_trials && study->opened;
    }
    if (msg->seq == study->seq && (msg->code == ERR_CONFLICT || msg->code == ERR_NOT_FOUND)) {
        study->resume = msg->code == ERR_CONFLICT;
        study->asked_ms = 0;
    } else if (msg->seq == study->seq && msg->code != ERR_BUSY) {
        study->lost = true;
    }
    return true;
}

static void on_opened(struct sim *sim, struct client *self, const struct msg_study_opened *msg)
{
    struct driven *study = &self->study;
    if (msg->seq != study->seq || study->opened) {
        return;
    }
    if (!slice_same(msg->definition, slice_text("a simulated study"))) {
        sim_fail(sim, 2, "study %llu comes back with another definition",
                 (unsigned long long)msg->study);
    }
    study->opened = true;
    study->id = msg->study;
}

static void on_saved(struct sim *sim, struct client *self, const struct msg_trials_saved *msg)
{
    struct driven *study = &self->study;
    if (msg->seq > study->made) {
        sim_fail(sim, 2, "client %u hears that TRIALS %llu are safe, but made %llu", self->index,
                 (unsigned long long)msg->seq, (unsigned long long)study->made);
    }
    if (msg->seq > study->saved) {
        study->saved = msg->seq;
        study->sent = study->sent > study->saved ? study->sent : study->saved;
        study->progress_ms = client_now_ms(sim);
        studies_check(sim, self);
    }
}

static void on_reported(struct sim *sim, struct client *self, const struct msg_reported *msg)
{
    struct list list = msg->reports;
    struct rec_report report;
    uint32_t count = 0;
    sim->elements.n = 0;
    while (next_report(&list, &report)) {
        if (task_session((task_id){ report.task }) != self->session || !report_right(&report)) {
            sim_fail(sim, 5, "client %u is told a report of %llx that is not as it was made",
                     self->index, (unsigned long long)report.task);
        }
        if (!self->study.decides || chance(&sim->tune, 50)) {
            continue; /* its worker will ask again */
        }
        uint64_t drawn = prng_below(&sim->tune, 100);
        uint32_t decision = drawn < 85   ? DECISION_GO_ON
                            : drawn < 95 ? DECISION_STOP
                                         : DECISION_PAUSE;
        proto_put_record(&sim->elements, REC_DECISION,
                         &(struct rec_decision){ .task = report.task,
                                                 .token = report.token,
                                                 .number = report.number,
                                                 .decision = decision });
        count++;
    }
    if (count > 0) {
        struct msg_decide decide = { 0, self->session, wire_list(&sim->elements, count) };
        client_say(sim, self, MSG_DECIDE, &decide);
    }
}

static void on_state(struct sim *sim, struct client *self, const struct msg_study_state *msg)
{
    struct driven *study = &self->study;
    if (msg->study != study->id || !study->opened) {
        return;
    }
    if (msg->seq == 0 && msg->stopping) {
        study->stop = true;
        study->planned = (uint32_t)study->made;
    } else if (msg->seq == study->seq) {
        if (msg->state == STUDY_RUNNING) {
            sim_fail(sim, 2, "the end of study %llu is acknowledged, but it runs",
                     (unsigned long long)msg->study);
        }
        study->ended = true;
        self->asked_ms = 0; /* it may leave now */
    }
}

void study_message(struct sim *sim, struct client *self, const struct msg *msg)
{
    switch (msg->kind) {
    case MSG_STUDY_OPENED:
        on_opened(sim, self, &msg->as.study_opened);
        break;
    case MSG_TRIALS_SAVED:
        on_saved(sim, self, &msg->as.trials_saved);
        break;
    case MSG_REPORTED:
        on_reported(sim, self, &msg->as.reported);
        break;
    case MSG_STUDY_STATE:
        on_state(sim, self, &msg->as.study_state);
        break;
    default:
        break;
    }
}
