/*  session_messages.c - what a session says to its head, and what each message of the head does to
    it: greeting, opening, acknowledgements, results, refusals. */
#include "client/study_link_inside.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include "client/failure.h"
#include "client/node_values.h"
#include "client/offer.h"
#include "common/access.h"
#include "common/clock.h"
#include "common/log.h"
#include "proto/value.h"

enum {
    BEAT_MS_DEFAULT = 1000,
    FULL_MS = 100, /* until a full head is asked again; what it runs makes room */
    NEWS_PER_TURN = 64
};
#define WAKES_ALL (1ull << 32) /* more ends than anybody sleeps for */

/* --- the end ---------------------------------------------------------------------------------- */

void session_break(struct session *self, int code, struct slice text)
{
    if (self->broken == 0) {
        self->broken = code;
        slice_copy_text(text, self->broken_text, sizeof(self->broken_text));
        pthread_cond_broadcast(&self->changed);
    }
}

void session_break_as(struct session *self, int code, const char *format, ...)
{
    char text[BROKEN_TEXT_MAX];
    va_list values;
    va_start(values, format);
    vsnprintf(text, sizeof(text), format, values);
    va_end(values);
    session_break(self, code, slice_text(text));
}

/* --- saying ----------------------------------------------------------------------------------- */

/*  `bytes` bounds the encoded message.  What cannot be sent now is said again after the
    reconnect. */
void session_say(struct session *self, enum msg_kind kind, const void *message, size_t bytes)
{
    if (bytes > self->frame.capacity) {
        free(self->frame.p);
        self->frame.p = malloc(bytes);
        ensure(self->frame.p != NULL);
        self->frame.capacity = bytes;
    }
    self->frame.n = 0;
    proto_put(&self->frame, kind, message);
    ensure(!self->frame.full);
    self->said = true;
    int rc = link_send(self->link, self->frame.p, self->frame.n);
    if (rc != OK) {
        log_debug("session.send", "kind=%s error=%s", proto_name(kind), err_name(rc));
    }
}

void session_say_hello(struct session *self, uint64_t now_ms)
{
    self->phase = PHASE_GREETING;
    self->greeted_ms = now_ms;
    self->lost_ms = self->lost_ms != 0 ? self->lost_ms : now_ms;
    self->opening_seq = ++self->seq;
    self->rejoin = false;
    if (self->config.ticket == NULL) {
        (void)token_renew("admin.key", self->address, self->token); /* it may be another by now */
    }
    struct msg_hello hello = { .seq = self->opening_seq,
                               .major = PROTO_MAJOR,
                               .minor = PROTO_MINOR,
                               .role = 1,
                               .version = slice_text(RAYC_VERSION),
                               .epoch = self->epoch,
                               .token = slice_text(self->token) };
    session_say(self, MSG_HELLO, &hello, SMALL_BYTES);
}

/*  The command line of this program, for people. */
static struct slice entrypoint(char *text, size_t capacity)
{
    FILE *file = fopen("/proc/self/cmdline", "re");
    size_t n = file != NULL ? fread(text, 1, capacity, file) : 0;
    if (file != NULL) {
        fclose(file);
    }
    n -= n > 0 && text[n - 1] == 0;
    for (size_t i = 0; i < n; i++) {
        text[i] = text[i] == 0 ? ' ' : text[i];
    }
    return slice_of(text, n);
}

static void say_open(struct session *self)
{
    char command[4096];
    struct slice line = entrypoint(command, sizeof(command));
    char digest[HASH_TEXT_BYTES];
    struct hash hash;
    hash_begin(&hash);
    hash_add(&hash, line.p, line.n);
    hash_end(&hash, digest);
    const uint8_t *name = line.n > 0 ? memchr(line.p, ' ', line.n) : NULL;
    size_t name_bytes = name != NULL ? (size_t)(name - line.p) : line.n;
    struct msg_job_open open = {
        .seq = self->opening_seq,
        .submission = slice_text(self->submission),
        .kind = JOB_ATTACHED,
        .durability = self->config.durability,
        .entrypoint = line,
        .name = slice_of(line.p, name_bytes < NAME_MAX_BYTES ? name_bytes : NAME_MAX_BYTES),
        .digest = slice_text(digest)
    };
    session_say(self, MSG_JOB_OPEN, &open, SMALL_BYTES + sizeof(command));
}

/*  Becomes the session: a new one, or the one it was. */
static void open_session(struct session *self)
{
    self->phase = PHASE_OPENING;
    self->opening_seq = ++self->seq;
    if (self->id != 0) {
        struct msg_resume resume = { .seq = self->opening_seq, .session = self->id };
        session_say(self, MSG_RESUME, &resume, SMALL_BYTES);
    } else if (self->config.attach_job != 0) {
        struct msg_job_attach attach = { .seq = self->opening_seq,
                                         .job = self->config.attach_job,
                                         .token = self->config.attach_token };
        session_say(self, MSG_JOB_ATTACH, &attach, SMALL_BYTES);
    } else {
        say_open(self);
    }
}

void session_say_beat(struct session *self, uint64_t now_ms)
{
    self->beat_at_ms = now_ms + self->beat_ms;
    self->beat_open = true;
    struct msg_client_beat beat = { .seq = SEQ_SESSION | ++self->seq, .session = self->id };
    session_say(self, MSG_CLIENT_BEAT, &beat, SMALL_BYTES);
}

/* --- hearing ---------------------------------------------------------------------------------- */

static void be_ready(struct session *self)
{
    uint64_t now_ms = clock_ms();
    if (self->warned) {
        log_warn("head.back", "address=%s after_ms=%llu", self->address,
                 (unsigned long long)(now_ms - self->lost_ms));
    }
    self->phase = PHASE_READY;
    self->lost_ms = 0;
    self->warned = false;
    self->beat_at_ms = now_ms + self->beat_ms;
    self->stalled_beats = self->missed_beats = 0;
    if (self->config.ticket != NULL) {
        pthread_cond_broadcast(&self->changed); /* session_rejoin() */
    }
    ref_changes_again(&self->changes);
    for (struct request *request = self->requests; request != NULL; request = request->next) {
        request->sent = false;
    }
    if (self->study != NULL) {
        study_link_on_ready(self->study);
    }
}

static void on_welcome(struct session *self, const struct msg_welcome *msg)
{
    if (msg->major != PROTO_MAJOR) {
        session_break_as(
            self, RAYC_EVERSION,
            "the head at %s is rayc %.*s and speaks protocol %u; this program's librayc is %s "
            "and speaks %d",
            self->address, (int)msg->version.n, (const char *)msg->version.p, msg->major,
            RAYC_VERSION, PROTO_MAJOR);
        return;
    }
    if (msg->epoch < self->epoch) {
        log_warn("head.old", "address=%s epoch=%llu met=%llu", self->address,
                 (unsigned long long)msg->epoch, (unsigned long long)self->epoch);
        return; /* greeted again later: the right one may come back */
    }
    if (msg->epoch > self->epoch) {
        self->results_seen = 0;
    }
    self->epoch = msg->epoch;
    self->beat_ms = msg->beat_ms > 0 ? msg->beat_ms : BEAT_MS_DEFAULT;
    self->quota = msg->quota;
    node_values_join(self->token, msg->cluster, self->config.revive != NULL);
    open_session(self);
}

static void on_job_opened(struct session *self, const struct msg_job_opened *msg)
{
    if (self->phase == PHASE_OPENING && msg->seq == self->opening_seq && self->id == 0) {
        self->job = msg->job;
        self->id = msg->session;
        be_ready(self);
        pthread_cond_broadcast(&self->changed);
    }
}

void session_ask_again(struct session *self)
{
    self->poll_next = 1;
    borrowed_forget_asked(&self->borrowed);
}

/*  The first answer after a beat.  Two of them without a step forward: something was lost on the
    way, or the head has no room. */
static void on_beat_answer(struct session *self, const struct msg_submitted *msg)
{
    bool stalled = self->outbox.in_flight > 0 && msg->below == self->beat_below;
    self->beat_open = false;
    if (self->study != NULL) {
        study_link_on_beat(self->study);
    }
    self->beat_below = msg->below;
    self->stalled_beats = stalled ? self->stalled_beats + 1 : 0;
    if (self->stalled_beats >= 2) {
        self->stalled_beats = 0;
        self->congested = true;
        self->resend_at_ms = clock_ms();
    }
    ref_changes_look(&self->changes);
    self->missed_beats = msg->results > self->results_seen ? self->missed_beats + 1 : 0;
    if (self->missed_beats >= 2) {
        self->missed_beats = 0;
        self->results_seen = msg->results;
        session_ask_again(self);
    }
}

static void on_submitted(struct session *self, const struct msg_submitted *msg)
{
    if (msg->session != self->id || self->id == 0) {
        return;
    }
    if (!outbox_ack(&self->outbox, msg->below, msg->synced)) {
        session_break_as(
            self, RAYC_ECONFLICT,
            "the head at %s has tasks of this session below %llu, which cannot be: was its "
            "state folder restored "
            "from a copy?",
            self->address, (unsigned long long)msg->below);
        return;
    }
    self->quota = msg->quota;
    if (self->phase == PHASE_OPENING) { /* the answer to RESUME: nothing else is asked before it */
        outbox_rewind(&self->outbox);
        self->results_seen = msg->results;
        session_ask_again(self);
        if (!offer_begin(self)) {
            be_ready(self);
        }
    } else if (self->beat_open) {
        on_beat_answer(self, msg);
    }
    self->congested = self->congested && self->outbox.in_flight > 0;
    if (self->leaving > 0) {
        pthread_cond_broadcast(&self->changed);
    }
}

void session_tell(struct session *self, uint64_t ended)
{
    self->watched_ended += ended;
    if (self->watched_ended >= self->wake_at) {
        self->wake_at = UINT64_MAX;
        pthread_cond_broadcast(&self->changed);
    }
}

static void end_failed(struct ref_slot *slot, const struct rec_result *result)
{
    int code = result->failure < FAILURES ? failure_code(result->failure) : RAYC_ETASK;
    bool by_application =
        result->failure == FAILURE_APP || (result->failure == FAILURE_EXIT && result->status > 0);
    rayc_failure failure = { .code = code,
                             .app_code = by_application ? result->status : 0,
                             .signal = !by_application && result->status < 0 ? -result->status : 0,
                             .attempt = (int)result->attempt };
    ref_set_failure(slot, &failure,
                    result->text.n > 0 ? result->text : slice_text(failure_text(result->failure)));
}

/*  A slot has ended. */
static void end_slot(struct session *self, struct ref_slot *slot, const struct rec_result *result)
{
    struct rec_result wrong = { .task = result->task,
                                .failure = FAILURE_APP,
                                .status = RAYC_EINVALID,
                                .attempt = result->attempt,
                                .text = slice_text("the task returned another number of values "
                                                   "than its options say") };
    if (result->failure != FAILURE_NONE) {
        end_failed(slot, result);
    } else if (!ref_set_value(slot, result->value)) {
        end_failed(slot, &wrong);
    }
    if (slot->watched != 0) { /* whoever waits has counted references */
        self->watched_ended += slot->is_several ? slot->as.several->count : 1;
    }
    if (slot->state == REF_FAILED && (slot->watched & WATCHED_FOR_FAILURE) != 0) {
        self->watched_ended += WAKES_ALL;
    }
}

struct borrowed_end {
    struct session *session;
    const struct rec_result *result;
};

/*  The value that the reference names is one of those that the task returned. */
static void end_borrowed(void *context, struct ref_slot *slot, uint32_t index)
{
    const struct borrowed_end *end = context;
    struct rec_result result = *end->result;
    if (result.failure == FAILURE_NONE && !value_at(end->result->value, index, &result.value)) {
        result = (struct rec_result){ .task = result.task,
                                      .failure = FAILURE_UNKNOWN_TASK,
                                      .text = slice_text("the task returned no such value") };
    }
    end_slot(end->session, slot, &result);
}

static void on_result(struct session *self, const struct rec_result *result)
{
    task_id id = { result->task };
    handles_on_end(&self->handles, result->task);
    borrowed_each(&self->borrowed, result->task, end_borrowed,
                  &(struct borrowed_end){ self, result });
    if (task_session(id) != self->id) {
        return;
    }
    struct ref_slot *slot = refs_at(&self->refs, task_counter(id));
    if (slot == NULL || slot->state != REF_PENDING) {
        return; /* dropped, or told before */
    }
    if ((slot->watched & WATCHED_BY_STUDY) != 0 && self->study != NULL) {
        study_link_on_ended(self->study, result->task);
    }
    end_slot(self, slot, result);
}

static void on_results(struct session *self, const struct msg_results *msg)
{
    if (msg->seq > self->results_seen) {
        if (msg->seq > self->results_seen + 1) {
            session_ask_again(self); /* one was lost */
        }
        self->results_seen = msg->seq;
    }
    struct list results = msg->results;
    struct rec_result result;
    while (next_result(&results, &result)) {
        on_result(self, &result);
    }
    session_tell(self, 0);
}

/*  A reply to a caller that waits.  False: nobody asked. */
static bool on_reply(struct session *self, const struct msg *msg, struct slice frame)
{
    struct request *request = self->requests;
    while (request != NULL && request->seq != msg->as.seq) {
        request = request->next;
    }
    if (request == NULL || request->done) {
        return request != NULL;
    }
    request->reply = malloc(frame.n);
    ensure(request->reply != NULL);
    memcpy(request->reply, frame.p, frame.n);
    request->reply_bytes = frame.n;
    request->done = true;
    pthread_cond_broadcast(&self->changed);
    return true;
}

/*  False: it does not answer the offer of our program. */
static bool on_offered(struct session *self, const struct msg *msg)
{
    if (self->phase != PHASE_OFFERING || msg->as.seq != self->opening_seq) {
        return false;
    }
    if (offer_ends(self, msg)) {
        be_ready(self);
    }
    return true;
}

static void on_refused(struct session *self, const struct msg_refused *msg, struct slice frame)
{
    struct msg whole = { .kind = MSG_REFUSED, .as.refused = *msg };
    if (on_offered(self, &whole) || on_reply(self, &whole, frame)) {
        return;
    }
    if (self->study != NULL && study_link_on_refused(self->study, msg)) {
        return;
    }
    bool opening = self->phase != PHASE_READY && msg->seq == self->opening_seq;
    if (!opening && (msg->seq & SEQ_SESSION) == 0) {
        return; /* its caller has given up */
    }
    if (msg->code == ERR_BUSY && !opening) {
        self->resend_at_ms = clock_ms() + FULL_MS;
        return;
    }
    if (msg->code == ERR_TOKEN && opening && self->config.ticket == NULL &&
        token_renew("admin.key", self->address, self->token)) {
        session_say_hello(self, clock_ms()); /* the head had just begun */
        return;
    }
    session_break(self, msg->code < 0 ? msg->code : RAYC_EINVALID, msg->text);
}

/*  Of a study that this session drives.  False: the message is none of those. */
static bool on_study(struct session *self, const struct msg *msg)
{
    struct study_link *study = self->study;
    if (msg->kind == MSG_REPORTED && study != NULL) {
        study_link_on_reported(study, &msg->as.reported);
    } else if (msg->kind == MSG_TRIALS_SAVED && study != NULL) {
        study_link_on_saved(study, msg->as.trials_saved.seq);
    } else if (msg->kind == MSG_STUDY_STATE && study != NULL && msg->as.seq == 0) {
        study_link_on_state(study, &msg->as.study_state);
    } else {
        return false;
    }
    return true;
}

static void on_frame(struct session *self, struct slice frame)
{
    struct msg msg;
    struct diag why = { 0 };
    int rc = proto_decode(frame, &msg, &why);
    log_debug("session.heard", "kind=%s seq=%llu", proto_name(msg.kind),
              (unsigned long long)msg.as.seq);
    pthread_mutex_lock(&self->lock);
    if (rc != OK) {
        log_warn("head.malformed", "address=%s why=\"%s\"", self->address, why.text);
    } else if (msg.kind == MSG_RESULTS) {
        on_results(self, &msg.as.results);
    } else if (msg.kind == MSG_SUBMITTED) {
        on_submitted(self, &msg.as.submitted);
    } else if (msg.kind == MSG_REFS_TAKEN) {
        ref_changes_taken(&self->changes, msg.as.refs_taken.below);
        if (self->leaving > 0) {
            pthread_cond_broadcast(&self->changed);
        }
    } else if (msg.kind == MSG_WELCOME) {
        on_welcome(self, &msg.as.welcome);
    } else if (msg.kind == MSG_WHO) {
        if (!self->parked) {
            session_say_hello(self, clock_ms());
        }
    } else if (msg.kind == MSG_JOB_OPENED) {
        on_job_opened(self, &msg.as.job_opened);
    } else if (msg.kind == MSG_REFUSED) {
        on_refused(self, &msg.as.refused, frame);
    } else if (msg.kind == MSG_PROGRAM_HAS && on_offered(self, &msg)) {
        session_wake(self); /* there may be tasks that waited for it */
    } else if (!on_study(self, &msg)) {
        on_reply(self, &msg, frame);
    }
    pthread_mutex_unlock(&self->lock);
}

static void on_connection(struct session *self, enum link_news news)
{
    uint64_t now_ms = clock_ms();
    log_debug("session.link", "news=%d", (int)news);
    pthread_mutex_lock(&self->lock);
    if (self->lost_ms == 0) {
        self->lost_ms = now_ms;
    }
    if (news == LINK_UP && self->parked) {
        self->phase = PHASE_GREETING; /* session_rejoin() does so */
    } else if (news == LINK_UP) {
        session_say_hello(self, now_ms);
    } else {
        self->phase = PHASE_DOWN;
    }
    if (news == LINK_REFUSED) {
        struct link_refusal why = link_refusal(self->link);
        session_break_as(self, why.code, "the head at %s %s%s", self->address, why.text,
                         why.code == ERR_KEY && self->config.key == NULL
                             ? ": set RAYC_KEY_FILE to its admin.key"
                             : "");
    }
    pthread_mutex_unlock(&self->lock);
}

/*  True: there was something. */
bool session_take_news(struct session *self)
{
    struct link_frame frame;
    for (unsigned i = 0; i < NEWS_PER_TURN; i++) {
        enum link_news news = link_next(self->link, &frame);
        switch (news) {
        case LINK_NOTHING:
            return i > 0;
        case LINK_FRAME:
            on_frame(self, frame.bytes);
            link_frame_free(&frame);
            break;
        case LINK_UP:
        case LINK_DOWN:
        case LINK_REFUSED:
            on_connection(self, news);
            break;
        }
    }
    return true;
}
