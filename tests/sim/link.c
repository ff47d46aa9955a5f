/*  link.c - how a simulated program talks with the head: librayc's rules in small.  HELLO, then JOB_OPEN, JOB_ATTACH or
    RESUME; SUBMIT with go-back-N; POLL after a gap; beats; requests that are said again until they are answered. */
#include <stdlib.h>

#include "tests/sim/sim.h"
#include "tests/sim/object.h"
#include "tests/sim/value.h"

enum {
    GREET_AGAIN_MS = 2000,
    ASK_AGAIN_MS = 3000,
    BEAT_MS = 1000,
    FULL_MS = 100,
    CALLS_OF_A_FRAME = 32,
    FRAMES_AT_ONCE = 16
};

uint64_t client_now_ms(const struct sim *sim)
{
    return 777000 + sim->now_us / 1000;
}

void client_say(struct sim *sim, struct client *self, enum msg_kind kind, const void *value)
{
    if (sim->record) {
        struct msg msg = { .kind = kind };
        memcpy(&msg.as, value, proto_message(kind)->bytes);
        char from[5] = { 'c', (char)('0' + self->index / 100), (char)('0' + self->index / 10 % 10),
                         (char)('0' + self->index % 10), 0 };
        sim_note_msg(sim, from, "net", &msg);
    }
    net_to_head(sim, WORKERS_MAX + self->index, kind, value);
}

/* --- greeting --------------------------------------------------------------------------------- */

void client_hello(struct sim *sim, struct client *self)
{
    self->phase = PHASE_GREETING;
    self->greeted_ms = client_now_ms(sim);
    self->opening_seq = ++self->seq;
    char token[TOKEN_TEXT];
    token_text(sim, WORKERS_MAX + self->index, token);
    struct msg_hello hello = { .seq = self->opening_seq,
                               .major = PROTO_MAJOR,
                               .minor = PROTO_MINOR,
                               .role = 1,
                               .version = slice_text("sim"),
                               .epoch = self->epoch,
                               .token = slice_text(token) };
    client_say(sim, self, MSG_HELLO, &hello);
}

static bool client_submits(const struct client *self)
{
    return self->kind == CLIENT_ATTACHED || self->kind == CLIENT_DRIVER ||
           self->kind == CLIENT_NESTED;
}

static void say_open(struct sim *sim, struct client *self)
{
    static const uint32_t kinds[] = { [CLIENT_ATTACHED] = JOB_ATTACHED,
                                      [CLIENT_ARRAY] = JOB_ARRAY,
                                      [CLIENT_SUBMITTER] = JOB_DRIVER };
    bool attached = self->kind == CLIENT_ATTACHED;
    struct list none = { { 0 }, 0 };
    struct list after = job_after(sim, self);
    struct msg_job_open open = {
        .seq = self->opening_seq,
        .submission = slice_text(self->submission),
        .kind = kinds[self->kind],
        .durability = self->durability,
        .detached = !attached,
        .entrypoint = slice_text("a simulated program"),
        .digest = slice_text(self->submission),
        .specs =
            attached ? none : (struct list){ slice_of(self->specs[0]->p, self->specs[0]->n), 1 },
        .array_first = 1,
        .array_last = self->array_count,
        .after = after
    };
    client_say(sim, self, MSG_JOB_OPEN, &open);
}

static void be_ready(struct sim *sim, struct client *self)
{
    self->phase = PHASE_READY;
    self->beat_at_ms = client_now_ms(sim) + BEAT_MS;
    self->stalled = self->missed = 0;
    self->asked_ms = 0; /* requests are said again on a new connection */
    study_ready(self);
}

static void open_session(struct sim *sim, struct client *self)
{
    self->phase = PHASE_OPENING;
    self->opening_seq = ++self->seq;
    if (self->session != 0) {
        client_say(sim, self, MSG_RESUME, &(struct msg_resume){ self->opening_seq, self->session });
    } else if (self->kind == CLIENT_DRIVER || self->kind == CLIENT_NESTED) {
        client_say(sim, self, MSG_JOB_ATTACH,
                   &(struct msg_job_attach){ self->opening_seq, self->job, self->token });
    } else if (self->kind != CLIENT_ATTACHED && self->job != 0) {
        be_ready(sim, self);
    } else {
        say_open(sim, self);
    }
}

static void on_welcome(struct sim *sim, struct client *self, const struct msg_welcome *msg)
{
    if (self->phase != PHASE_GREETING || msg->epoch < self->epoch) {
        return;
    }
    if (msg->epoch > self->epoch) {
        self->results_seen = 0;
    }
    self->epoch = msg->epoch;
    open_session(sim, self);
}

static void on_job_opened(struct sim *sim, struct client *self, const struct msg_job_opened *msg)
{
    if (self->phase != PHASE_OPENING || msg->seq != self->opening_seq) {
        return;
    }
    if (self->job != 0 && self->job != msg->job) {
        sim_fail(sim, 3, "%s is job %llu and job %llu", self->submission,
                 (unsigned long long)self->job, (unsigned long long)msg->job);
    }
    self->job = msg->job;
    self->session = msg->session;
    if (self->kind == CLIENT_ATTACHED && msg->session == 0) {
        client_leave(sim, self, 1); /* its job has ended meanwhile */
        return;
    }
    be_ready(sim, self);
}

/* --- tasks ------------------------------------------------------------------------------------ */

/*  A value that is said late, so that others wait for it, keeps back what comes behind it. */
static uint64_t to_say(const struct sim *sim, const struct client *self)
{
    return self->late != 0 && client_now_ms(sim) < self->late_ms ? self->late - 1 : self->made;
}

static void send_batch(struct sim *sim, struct client *self)
{
    uint64_t first = self->unsent, last = to_say(sim, self);
    uint32_t count = 0, specs = 0;
    sim->elements.n = sim->extra.n = 0;
    for (; self->unsent <= last && count < CALLS_OF_A_FRAME && !name_waits(sim, self);
         self->unsent++, count++) {
        const struct call *call = &self->calls[self->unsent];
        uint8_t ids[DEPS_FEW * 16], args[8];
        struct wire deps = { ids, 0, sizeof(ids), false };
        for (uint32_t i = 0; i < call->dep_count; i++) {
            proto_put_record(&deps, REC_ID, &(struct rec_id){ value_dep(self, call->deps[i]) });
        }
        memcpy(args, &self->unsent, sizeof(args));
        uint8_t bytes[64];
        struct wire sealed = { bytes, 0, sizeof(bytes), false };
        struct rec_call record = { .spec = call->spec,
                                   .args = slice_of(args, sizeof(args)),
                                   .deps = wire_list(&deps, call->dep_count),
                                   .actor = actor_called(self, (uint32_t)self->unsent) };
        object_call(self, call, &sealed, &record);
        proto_put_record(&sim->elements, REC_CALL, &record);
        if (self->spec_first[call->spec] == self->unsent) {
            const struct bytes *spec = self->specs[call->spec];
            memcpy(sim->extra.p + sim->extra.n, spec->p, spec->n);
            sim->extra.n += spec->n;
            specs++;
        }
    }
    struct msg_submit submit = { SEQ_SESSION | ++self->seq, self->session, first,
                                 wire_list(&sim->extra, specs), wire_list(&sim->elements, count) };
    client_say(sim, self, MSG_SUBMIT, &submit);
}

static void send_poll(struct sim *sim, struct client *self)
{
    uint32_t count = 0;
    sim->elements.n = 0;
    uint64_t counter = self->poll_next;
    for (; counter < self->below && count < 64; counter++) {
        if (!self->calls[counter].told || self->calls[counter].maybe) {
            proto_put_record(&sim->elements, REC_ID,
                             &(struct rec_id){ task_id_of(self->session, counter).v });
            count++;
        }
    }
    self->poll_next = counter < self->below ? counter : 0;
    self->polled_ms = client_now_ms(sim);
    if (count > 0) {
        client_say(sim, self, MSG_POLL,
                   &(struct msg_poll){ SEQ_SESSION | ++self->seq, self->session,
                                       wire_list(&sim->elements, count) });
    }
}

void client_push(struct sim *sim, struct client *self)
{
    if (self->phase != PHASE_READY || self->session == 0) {
        return;
    }
    for (uint32_t i = 0; i < FRAMES_AT_ONCE && self->unsent <= to_say(sim, self) &&
                         self->resend_at_ms == 0 && !name_waits(sim, self);
         i++) {
        send_batch(sim, self);
    }
    value_borrow(sim, self);
    if (self->poll_next != 0) {
        send_poll(sim, self);
    }
}

/*  Two beats were answered without a step forward: something was lost on the way. */
static void on_beat_answer(struct sim *sim, struct client *self, const struct msg_submitted *msg)
{
    bool stalled = self->unsent > msg->below && msg->below == self->beat_below;
    self->beat_below = msg->below;
    self->stalled = stalled ? self->stalled + 1 : 0;
    if (self->stalled >= 2) {
        self->stalled = 0;
        self->resend_at_ms = client_now_ms(sim);
    }
    self->missed = msg->results > self->results_seen ? self->missed + 1 : 0;
    if (self->missed >= 2) {
        self->missed = 0;
        self->results_seen = msg->results;
        self->poll_next = 1;
    }
}

static void on_submitted(struct sim *sim, struct client *self, const struct msg_submitted *msg)
{
    if (msg->session != self->session || self->session == 0) {
        return;
    }
    bool resumed = self->phase == PHASE_OPENING && msg->seq == self->opening_seq;
    if (!resumed && msg->below < self->below) {
        return; /* it was overtaken */
    }
    if (msg->below < self->kept || msg->below > (uint64_t)self->made + 1) {
        sim_fail(sim, 2,
                 "client %u hears that the head has its tasks below %llu, but %llu were safe and "
                 "%u made",
                 self->index, (unsigned long long)msg->below, (unsigned long long)self->kept,
                 self->made);
    }
    self->below = msg->below;
    self->unsent = self->unsent > self->below ? self->unsent : self->below;
    self->kept = msg->synced > self->kept ? msg->synced : self->kept;
    if (resumed) {
        self->unsent = self->below;
        self->results_seen = msg->results;
        self->poll_next = 1;
        be_ready(sim, self);
    } else if (msg->seq == self->beat_seq) {
        self->heard_ms = self->beat_sent_ms;
        on_beat_answer(sim, self, msg);
    }
}

static void on_result(struct sim *sim, struct client *self, const struct rec_result *result)
{
    uint64_t counter = task_counter((task_id){ result->task });
    if (value_told(self, result->task)) {
        return;
    }
    if (result->failure == FAILURE_UNKNOWN_TASK &&
        task_session((task_id){ result->task }) != self->session) {
        return; /* it has asked for another user's */
    }
    if (task_session((task_id){ result->task }) != self->session || counter == 0 ||
        counter > self->made) {
        sim_fail(sim, 5, "client %u is told of %llx, which is not its task", self->index,
                 (unsigned long long)result->task);
    }
    struct call *call = &self->calls[counter];
    uint64_t hash = hash_bytes_of(result->failure, result->value.p, result->value.n);
    bool same =
        call->failure == result->failure && call->attempt == result->attempt && call->hash == hash;
    if (call->told && !call->maybe && !same) {
        sim_fail(
            sim, 5,
            "client %u was told that %llx ended with failure %u in attempt %u, now it is %u in %u",
            self->index, (unsigned long long)result->task, call->failure, call->attempt,
            result->failure, result->attempt);
    }
    self->told_count += !call->told;
    call->told = true;
    call->maybe = false;
    call->failure = result->failure;
    call->attempt = result->attempt;
    call->hash = hash;
}

static void on_results(struct sim *sim, struct client *self, const struct msg_results *msg)
{
    if (msg->seq > self->results_seen) {
        self->poll_next = msg->seq > self->results_seen + 1 ? 1 : self->poll_next;
        self->results_seen = msg->seq;
    }
    struct list list = msg->results;
    struct rec_result result;
    while (next_result(&list, &result)) {
        on_result(sim, self, &result);
    }
}

/* --- requests --------------------------------------------------------------------------------- */

static void on_cancelled(struct client *self, const struct msg_cancelled *msg)
{
    uint64_t counter = task_counter((task_id){ msg->task });
    if (counter <= self->made && self->calls[counter].cancel) {
        self->calls[counter].cancel = false;
        self->cancels--;
    }
    self->asked_ms = 0;
}

/*  False: there is nothing to ask for, or it is not submitted yet. */
static bool ask_cancels(struct sim *sim, struct client *self)
{
    uint32_t asked = 0;
    for (uint64_t c = 1; self->cancels > 0 && c < self->below && asked < 8; c++) {
        if (self->calls[c].cancel) {
            client_say(sim, self, MSG_CANCEL,
                       &(struct msg_cancel){ .seq = ++self->seq,
                                             .task = task_id_of(self->session, c).v,
                                             .force = c % 2,
                                             .recursive = c % 4 != 3 });
            asked++;
        }
    }
    return asked > 0;
}

/*  What is to be said again until it is answered. */
static void ask(struct sim *sim, struct client *self)
{
    bool submits = client_submits(self);
    uint64_t now_ms = client_now_ms(sim);
    if (self->asked_ms != 0 && now_ms < self->asked_ms + ASK_AGAIN_MS) {
        return;
    }
    bool all_sent = self->made == self->planned && self->below == (uint64_t)self->made + 1;
    bool all_told = self->told_count + actors_detached(self) == self->planned && !value_waits(self);
    self->asked_ms = now_ms;
    if (submits && ask_cancels(sim, self)) {
        self->asked_ms = now_ms;
    } else if (self->kind == CLIENT_NESTED && all_sent && (all_told || !self->linger)) {
        client_leave(sim, self, 0); /* its session may be taken up again, or not */
    } else if (submits && all_sent && (all_told || !self->linger) && study_ending(sim, self)) {
        self->asked_ms = now_ms;
    } else if (submits && all_sent && (all_told || !self->linger)) {
        client_say(sim, self, MSG_BYE, &(struct msg_bye){ ++self->seq, self->session, 0 });
    } else if (submits && (all_sent || sim->healed) && actor_asks(sim, self)) {
        self->asked_ms = now_ms;
    } else if (submits) {
        self->asked_ms = 0;
    } else if (self->stop_at_ms != 0 && now_ms >= self->stop_at_ms) {
        client_say(sim, self, MSG_JOB_STOP, &(struct msg_job_stop){ ++self->seq, self->job });
    } else {
        client_say(
            sim, self, MSG_WATCH,
            &(struct msg_watch){ .seq = ++self->seq, .job = self->job, .offset = UINT64_MAX });
    }
}

static void on_job_state(struct sim *sim, struct client *self, const struct msg_job_state *msg)
{
    if (msg->job != self->job) {
        sim_fail(sim, 3, "client %u watches job %llu and hears of %llu", self->index,
                 (unsigned long long)self->job, (unsigned long long)msg->job);
    }
    bool submits = client_submits(self);
    if (!submits && !job_asks(sim, self, msg->state) && msg->state >= JOB_SUCCEEDED) {
        client_leave(sim, self, 0);
    }
}

static void on_refused(struct sim *sim, struct client *self, const struct msg_refused *msg)
{
    if (study_refused(self, msg) || name_refused(self, msg)) {
        return;
    }
    if (msg->code == ERR_BUSY) {
        self->resend_at_ms = client_now_ms(sim) + FULL_MS;
        return;
    }
    bool opening = self->phase != PHASE_READY && msg->seq == self->opening_seq;
    if (self->slow && (msg->code == ERR_CLOSED || msg->code == ERR_STALE)) {
        rule_session(sim, self);
    }
    if (opening || (msg->seq & SEQ_SESSION) != 0 || msg->code == ERR_NOT_FOUND) {
        client_leave(sim, self, 1); /* the session has ended without it */
    }
}

void client_on_message(struct sim *sim, struct client *self, const struct msg *msg)
{
    if ((msg->as.seq & SEQ_AWAITS) != 0 && (msg->as.seq & SEQ_SESSION) == 0) {
        nested_answer(sim, self, msg);
        return;
    }
    if ((msg->as.seq & SEQ_PRIES) != 0 ||
        ((msg->as.seq & SEQ_ACTOR) != 0 && (msg->as.seq & SEQ_SESSION) == 0)) {
        return;
    }
    switch (msg->kind) {
    case MSG_WELCOME:
        on_welcome(sim, self, &msg->as.welcome);
        break;
    case MSG_WHO:
        if (self->phase == PHASE_READY || self->phase == PHASE_OPENING) {
            client_hello(sim, self);
        }
        break;
    case MSG_JOB_OPENED:
        on_job_opened(sim, self, &msg->as.job_opened);
        break;
    case MSG_SUBMITTED:
        on_submitted(sim, self, &msg->as.submitted);
        break;
    case MSG_REFS_TAKEN:
        object_taken(self, &msg->as.refs_taken);
        break;
    case MSG_RESULTS:
        on_results(sim, self, &msg->as.results);
        break;
    case MSG_CANCELLED:
        on_cancelled(self, &msg->as.cancelled);
        break;
    case MSG_JOB_STATE:
        on_job_state(sim, self, &msg->as.job_state);
        break;
    case MSG_CHANGED:
        job_changed_is(sim, self, &msg->as.changed);
        break;
    case MSG_ACTOR_NAMED:
        name_told(sim, self, &msg->as.actor_named);
        break;
    case MSG_BYE_DONE:
        client_leave(sim, self, 0);
        break;
    case MSG_REFUSED:
        on_refused(sim, self, &msg->as.refused);
        break;
    default:
        study_message(sim, self, msg);
        break;
    }
    if (self->alive) {
        client_push(sim, self);
        if (self->phase == PHASE_READY) {
            ask(sim, self);
        }
    }
}

void client_frame(struct sim *sim, uint32_t index, struct bytes *frame)
{
    struct client *self = &sim->clients[index];
    struct msg msg;
    if (self->alive) {
        if (proto_decode(slice_of(frame->p, frame->n), &msg, NULL) != OK) {
            sim_fail(sim, 39, "a frame to client %u cannot be decoded", index);
        }
        if (sim->record) {
            char to[5] = { 'c', (char)('0' + index / 100), (char)('0' + index / 10 % 10),
                           (char)('0' + index % 10), 0 };
            sim_note_msg(sim, "net", to, &msg);
        }
        client_on_message(sim, self, &msg);
    }
    free(frame);
}

void client_connected(struct sim *sim, uint32_t index, bool up)
{
    struct client *self = &sim->clients[index];
    if (!self->alive) {
        return;
    }
    if (up) {
        client_hello(sim, self);
        client_wake_at(sim, self, sim->now_us + GREET_AGAIN_MS * 1000);
    } else {
        self->phase = PHASE_DOWN;
    }
}

void client_tick(struct sim *sim, struct client *self)
{
    uint64_t now_ms = client_now_ms(sim);
    if (self->resend_at_ms != 0 && now_ms >= self->resend_at_ms) {
        self->resend_at_ms = 0;
        self->unsent = self->below;
    }
    if ((self->phase == PHASE_GREETING || self->phase == PHASE_OPENING) &&
        now_ms >= self->greeted_ms + GREET_AGAIN_MS) {
        client_hello(sim, self);
    }
    if (self->phase == PHASE_READY && self->polled_ms != 0 &&
        now_ms >= self->polled_ms + ASK_AGAIN_MS && self->told_count < self->made) {
        self->poll_next = 1; /* the POLL, or its answer, may be lost */
    }
    if (self->phase == PHASE_READY && now_ms >= self->beat_at_ms) {
        self->beat_at_ms = now_ms + BEAT_MS;
        self->beat_seq = SEQ_SESSION | ++self->seq;
        self->beat_sent_ms = now_ms;
        client_say(sim, self, MSG_CLIENT_BEAT,
                   &(struct msg_client_beat){ self->beat_seq, self->session });
    }
    study_tick(sim, self);
    user_pries(sim, self);
    nested_waits(sim, self);
    if (self->made < self->planned && study_settled(self) &&
        (self->made == 0 || chance(&sim->world, 300))) {
        bool nested = self->kind == CLIENT_NESTED && !sim->healed;
        uint64_t most = self->slow ? 1 : nested ? 2 : chance(&sim->world, 300) ? 300 : 20;
        client_make_calls(sim, self, (uint32_t)between(&sim->world, 1, most));
    }
    client_push(sim, self);
    if (self->phase == PHASE_READY) {
        object_drops(sim, self);
        ask(sim, self);
    }
    if (!self->alive) {
        return;
    }
    uint64_t next_us = self->resend_at_ms != 0      ? 100000
                       : self->made < self->planned ? between(&sim->world, 20000, 800000)
                                                    : 1000000;
    client_wake_at(sim, self, sim->now_us + next_us);
}
