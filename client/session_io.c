/*  session_io.c - the session's thread: it alone uses the link.  It takes news without the lock, changes the session
    under it, and sleeps only when there is nothing to send and nothing to read. */
#include "client/session_inside.h"

#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include "client/failure.h"
#include "common/clock.h"
#include "common/log.h"

enum {
    GREET_AGAIN_MS = 2000, /* no answer to HELLO, JOB_OPEN or RESUME */
    BEAT_MS_DEFAULT = 1000,
    LOST_POLL_MS = 50,     /* how often to look while there is no head */
    REVIVE_MS = 200,       /* how long a head is gone before it is started again */
    REVIVES_MAX = 3,       /* that fail in a row, until it is hopeless */
    LOOK_MS = 500,         /* how often to look after an embedded cluster */
    WARN_MS = 3000,
    FULL_MS = 100,         /* until a full head is asked again; what it runs makes room */
    NEWS_PER_TURN = 64,
    BATCHES_PER_TURN = 16,
    CONGESTED_BATCHES = 8,
    POLLS_PER_TURN = 4
};

/* --- the end ------------------------------------------------------------------------------------------ */

void session_break(struct session *self, int code, struct slice text)
{
    if (self->broken == 0) {
        self->broken = code;
        slice_copy_text(text, self->broken_text, sizeof(self->broken_text));
        pthread_cond_broadcast(&self->changed);
    }
}

__attribute__((format(printf, 3, 4))) static void break_as(struct session *self, int code, const char *format, ...)
{
    char text[BROKEN_TEXT_MAX];
    va_list values;
    va_start(values, format);
    vsnprintf(text, sizeof(text), format, values);
    va_end(values);
    session_break(self, code, slice_text(text));
}

/* --- saying ------------------------------------------------------------------------------------------- */

/*  `bytes` bounds the encoded message.  What cannot be sent now is said again after the reconnect. */
static void say(struct session *self, enum msg_kind kind, const void *message, size_t bytes)
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

enum { SMALL_BYTES = 1024 };

static void say_hello(struct session *self, uint64_t now_ms)
{
    self->phase = PHASE_GREETING;
    self->greeted_ms = now_ms;
    self->lost_ms = self->lost_ms != 0 ? self->lost_ms : now_ms;
    self->opening_seq = ++self->seq;
    struct msg_hello hello = { .seq = self->opening_seq,
                               .major = PROTO_MAJOR,
                               .minor = PROTO_MINOR,
                               .role = 1,
                               .version = slice_text(RAYC_VERSION),
                               .epoch = self->epoch };
    say(self, MSG_HELLO, &hello, SMALL_BYTES);
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
    struct msg_job_open open = { .seq = self->opening_seq,
                                 .submission = slice_text(self->submission),
                                 .kind = JOB_ATTACHED,
                                 .durability = self->config.durability,
                                 .entrypoint = line,
                                 .name = slice_of(line.p, name_bytes < NAME_MAX_BYTES ? name_bytes : NAME_MAX_BYTES),
                                 .digest = slice_text(digest) };
    say(self, MSG_JOB_OPEN, &open, SMALL_BYTES + sizeof(command));
}

/*  Becomes the session: a new one, or the one it was. */
static void open_session(struct session *self)
{
    self->phase = PHASE_OPENING;
    self->opening_seq = ++self->seq;
    if (self->id != 0) {
        struct msg_resume resume = { .seq = self->opening_seq, .session = self->id };
        say(self, MSG_RESUME, &resume, SMALL_BYTES);
    } else if (self->config.attach_job != 0) {
        struct msg_job_attach attach = { .seq = self->opening_seq,
                                         .job = self->config.attach_job,
                                         .token = self->config.attach_token };
        say(self, MSG_JOB_ATTACH, &attach, SMALL_BYTES);
    } else {
        say_open(self);
    }
}

static void say_beat(struct session *self, uint64_t now_ms)
{
    self->beat_at_ms = now_ms + self->beat_ms;
    self->beat_open = true;
    struct msg_client_beat beat = { .seq = SEQ_SESSION | ++self->seq, .session = self->id };
    say(self, MSG_CLIENT_BEAT, &beat, SMALL_BYTES);
}

/* --- hearing ------------------------------------------------------------------------------------------ */

static void be_ready(struct session *self)
{
    uint64_t now_ms = clock_ms();
    if (self->warned) {
        log_warn("head.back", "address=%s after_ms=%llu", self->address, (unsigned long long)(now_ms - self->lost_ms));
    }
    self->phase = PHASE_READY;
    self->lost_ms = 0;
    self->warned = false;
    self->beat_at_ms = now_ms + self->beat_ms;
    self->stalled_beats = self->missed_beats = 0;
    for (struct request *request = self->requests; request != NULL; request = request->next) {
        request->sent = false;
    }
}

static void on_welcome(struct session *self, const struct msg_welcome *msg)
{
    if (msg->major != PROTO_MAJOR) {
        break_as(self, RAYC_EVERSION,
                 "the head at %s is rayc %.*s and speaks protocol %u; this program's librayc is %s and speaks %d",
                 self->address, (int)msg->version.n, (const char *)msg->version.p, msg->major, RAYC_VERSION,
                 PROTO_MAJOR);
        return;
    }
    if (msg->epoch < self->epoch) {
        log_warn("head.old", "address=%s epoch=%llu met=%llu", self->address, (unsigned long long)msg->epoch,
                 (unsigned long long)self->epoch);
        return; /* greeted again later: the right one may come back */
    }
    if (msg->epoch > self->epoch) {
        self->results_seen = 0;
    }
    self->epoch = msg->epoch;
    self->beat_ms = msg->beat_ms > 0 ? msg->beat_ms : BEAT_MS_DEFAULT;
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

/*  The first answer after a beat.  Two of them without a step forward: something was lost on the way, or the head has
    no room. */
static void on_beat_answer(struct session *self, const struct msg_submitted *msg)
{
    bool stalled = self->outbox.in_flight > 0 && msg->below == self->beat_below;
    self->beat_open = false;
    self->beat_below = msg->below;
    self->stalled_beats = stalled ? self->stalled_beats + 1 : 0;
    if (self->stalled_beats >= 2) {
        self->stalled_beats = 0;
        self->congested = true;
        self->resend_at_ms = clock_ms();
    }
    self->missed_beats = msg->results > self->results_seen ? self->missed_beats + 1 : 0;
    if (self->missed_beats >= 2) {
        self->missed_beats = 0;
        self->results_seen = msg->results;
        self->poll_next = 1;
    }
}

static void on_submitted(struct session *self, const struct msg_submitted *msg)
{
    if (msg->session != self->id || self->id == 0) {
        return;
    }
    if (!outbox_ack(&self->outbox, msg->below, msg->synced)) {
        break_as(self, RAYC_ECONFLICT,
                 "the head at %s has tasks of this session below %llu, which cannot be: was its state folder restored "
                 "from a copy?",
                 self->address, (unsigned long long)msg->below);
        return;
    }
    if (self->phase == PHASE_OPENING) { /* the answer to RESUME: nothing else is asked before it */
        outbox_rewind(&self->outbox);
        self->results_seen = msg->results;
        self->poll_next = 1;
        be_ready(self);
    } else if (self->beat_open) {
        on_beat_answer(self, msg);
    }
    self->congested = self->congested && self->outbox.in_flight > 0;
    if (self->leaving) {
        pthread_cond_broadcast(&self->changed);
    }
}

static void end_failed(struct ref_slot *slot, const struct rec_result *result)
{
    int code = result->failure < FAILURES ? failure_code(result->failure) : RAYC_ETASK;
    bool by_application = result->failure == FAILURE_APP || (result->failure == FAILURE_EXIT && result->status > 0);
    rayc_failure failure = { .code = code,
                             .app_code = by_application ? result->status : 0,
                             .signal = !by_application && result->status < 0 ? -result->status : 0,
                             .attempt = (int)result->attempt };
    ref_set_failure(slot, &failure, result->text.n > 0 ? result->text : slice_text(failure_text(result->failure)));
}

static void on_result(struct session *self, const struct rec_result *result)
{
    task_id id = { result->task };
    struct ref_slot *slot = task_session(id) == self->id ? refs_at(&self->refs, task_counter(id)) : NULL;
    if (slot == NULL || slot->state != REF_PENDING) {
        return; /* dropped, or told before */
    }
    self->watched_ended += slot->watched;
    if (result->failure == FAILURE_NONE) {
        ref_set_value(slot, result->value);
    } else {
        end_failed(slot, result);
    }
}

static void on_results(struct session *self, const struct msg_results *msg)
{
    if (msg->seq > self->results_seen) {
        if (msg->seq > self->results_seen + 1) {
            self->poll_next = 1; /* one was lost */
        }
        self->results_seen = msg->seq;
    }
    struct list results = msg->results;
    struct rec_result result;
    while (next_result(&results, &result)) {
        on_result(self, &result);
    }
    if (self->watched_ended >= self->wake_at) {
        self->wake_at = UINT64_MAX;
        pthread_cond_broadcast(&self->changed);
    }
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

static void on_refused(struct session *self, const struct msg_refused *msg, struct slice frame)
{
    struct msg whole = { .kind = MSG_REFUSED, .as.refused = *msg };
    if (on_reply(self, &whole, frame)) {
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
    session_break(self, msg->code < 0 ? msg->code : RAYC_EINVALID, msg->text);
}

static void on_frame(struct session *self, struct slice frame)
{
    struct msg msg;
    struct diag why = { 0 };
    int rc = proto_decode(frame, &msg, &why);
    log_debug("session.heard", "kind=%s seq=%llu", proto_name(msg.kind), (unsigned long long)msg.as.seq);
    pthread_mutex_lock(&self->lock);
    if (rc != OK) {
        log_warn("head.malformed", "address=%s why=\"%s\"", self->address, why.text);
    } else if (msg.kind == MSG_RESULTS) {
        on_results(self, &msg.as.results);
    } else if (msg.kind == MSG_SUBMITTED) {
        on_submitted(self, &msg.as.submitted);
    } else if (msg.kind == MSG_WELCOME) {
        on_welcome(self, &msg.as.welcome);
    } else if (msg.kind == MSG_WHO) {
        say_hello(self, clock_ms());
    } else if (msg.kind == MSG_JOB_OPENED) {
        on_job_opened(self, &msg.as.job_opened);
    } else if (msg.kind == MSG_REFUSED) {
        on_refused(self, &msg.as.refused, frame);
    } else {
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
    if (news == LINK_UP) {
        say_hello(self, now_ms);
    } else {
        self->phase = PHASE_DOWN;
    }
    if (news == LINK_REFUSED) {
        break_as(self, RAYC_EKEY, "the head at %s %s", self->address,
                 self->config.key != NULL ? "refused the key"
                                          : "wants the cluster's key: set RAYC_KEY_FILE to its cluster.key");
    }
    pthread_mutex_unlock(&self->lock);
}

/*  True: there was something. */
static bool take_news(struct session *self)
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

/* --- what is to be sent, and what is due ---------------------------------------------------------------- */

/*  Sends a batch; the lock is not held meanwhile, for a sealed batch is nobody else's. */
static void send_batch(struct session *self, const struct batch *batch)
{
    struct msg_submit submit = { .seq = SEQ_SESSION | ++self->seq,
                                 .session = self->id,
                                 .first = batch->first,
                                 .specs = wire_list(&batch->specs, batch->spec_count),
                                 .calls = wire_list(&batch->calls, batch->count) };
    pthread_mutex_unlock(&self->lock);
    say(self, MSG_SUBMIT, &submit, FRAME_HEAD_BYTES + batch_bytes(batch));
    pthread_mutex_lock(&self->lock);
}

/*  Asks how some of the pending tasks ended; poll_next is where to go on. */
static void send_poll(struct session *self)
{
    enum { ID_BYTES = 10 };
    static const size_t bytes = CALLS_PER_FRAME_MAX * ID_BYTES;
    struct wire ids = { malloc(bytes), 0, bytes, false };
    ensure(ids.p != NULL);
    uint32_t count = 0;
    uint64_t counter = self->poll_next;
    while (count < CALLS_PER_FRAME_MAX) {
        counter = refs_next_pending(&self->refs, counter, self->outbox.below);
        if (counter == 0) {
            break;
        }
        struct rec_id id = { .task = task_id_of(self->id, counter).v };
        proto_put_record(&ids, REC_ID, &id);
        count++;
        counter++;
    }
    self->poll_next = counter;
    if (count > 0) {
        struct msg_poll poll_msg = { .seq = SEQ_SESSION | ++self->seq, .session = self->id, .tasks = wire_list(&ids, count) };
        say(self, MSG_POLL, &poll_msg, SMALL_BYTES + ids.n);
    }
    free(ids.p);
}

/*  Under the lock: sends what may be sent. */
static void push(struct session *self)
{
    if (self->phase != PHASE_READY || self->broken != 0) {
        return;
    }
    for (struct request *request = self->requests; request != NULL; request = request->next) {
        if (!request->sent && !request->done) {
            request->sent = true;
            self->said = true;
            if (link_send(self->link, request->frame.p, request->frame.n) != OK) {
                log_debug("session.send", "seq=%llu", (unsigned long long)request->seq);
            }
        }
    }
    bool refused = self->resend_at_ms != 0 && !self->congested;
    unsigned batches = refused ? 0 : self->congested ? CONGESTED_BATCHES : BATCHES_PER_TURN;
    for (unsigned i = 0; i < batches; i++) {
        if (self->congested && self->outbox.in_flight >= CONGESTED_BATCHES) {
            break;
        }
        const struct batch *batch = outbox_next(&self->outbox, self->waiters > 0);
        if (batch == NULL) {
            break;
        }
        outbox_sent(&self->outbox);
        send_batch(self, batch);
    }
    for (unsigned i = 0; i < POLLS_PER_TURN && self->poll_next != 0; i++) {
        send_poll(self);
    }
}

/*  There has been no head for a while. */
static void on_lost(struct session *self, uint64_t now_ms)
{
    uint64_t for_ms = now_ms - self->lost_ms;
    uint32_t limit_ms = self->id != 0 ? self->config.reconnect_ms_max : self->config.first_ms_max;
    if (for_ms >= limit_ms) {
        break_as(self, RAYC_EUNREACHABLE, "no head answered at %s for %.1f s", self->address, (double)for_ms / 1000);
        return;
    }
    if (self->phase != PHASE_DOWN && now_ms - self->greeted_ms >= GREET_AGAIN_MS) {
        say_hello(self, now_ms);
    }
    if (!self->warned && for_ms >= WARN_MS) {
        self->warned = true;
        log_warn("head.lost", "address=%s still=trying", self->address);
    }
}

/*  Under the lock: what is due.  Returns whether to look after an embedded cluster. */
static bool tick(struct session *self, uint64_t now_ms)
{
    if (self->broken != 0) {
        return false;
    }
    if (self->resend_at_ms != 0 && now_ms >= self->resend_at_ms) {
        outbox_rewind(&self->outbox);
        self->resend_at_ms = self->congested ? now_ms + FULL_MS : 0;
    }
    if (self->phase != PHASE_READY) {
        on_lost(self, now_ms);
    } else if (now_ms >= self->beat_at_ms) {
        say_beat(self, now_ms);
    }
    bool gone = self->phase == PHASE_DOWN && now_ms - self->lost_ms >= REVIVE_MS;
    if (self->config.revive == NULL || now_ms < self->revive_at_ms || (self->phase != PHASE_READY && !gone)) {
        return false;
    }
    self->revive_at_ms = now_ms + (gone ? REVIVE_MS : LOOK_MS);
    return true;
}

/*  Until something is due; -1: nothing will be. */
static int sleep_ms(const struct session *self, uint64_t now_ms)
{
    if (self->broken != 0) {
        return -1;
    }
    if (self->phase != PHASE_READY) {
        return LOST_POLL_MS;
    }
    uint64_t due_ms = self->beat_at_ms;
    if (self->resend_at_ms != 0 && self->resend_at_ms < due_ms) {
        due_ms = self->resend_at_ms;
    }
    if (self->config.revive != NULL && self->revive_at_ms < due_ms) {
        due_ms = self->revive_at_ms;
    }
    return due_ms > now_ms ? (int)(due_ms - now_ms) : 0;
}

/*  Under the lock, which is not held meanwhile. */
static void sleep_until_news(struct session *self, int timeout_ms)
{
    struct pollfd fds[2] = { { link_fd(self->link), POLLIN, 0 }, { self->wake_fd, POLLIN, 0 } };
    self->asleep = true;
    pthread_mutex_unlock(&self->lock);
    poll(fds, 2, timeout_ms);
    uint64_t drained;
    if (fds[1].revents != 0 && read(self->wake_fd, &drained, sizeof(drained)) < 0) {
        log_debug("session.wake", "nothing=1");
    }
    pthread_mutex_lock(&self->lock);
    self->asleep = false;
}

/*  Under the lock.  While callers wait for results one after the other, the thread only looks now and then whether they
    still do.  It sleeps longer when one of them waits for long, and is woken when that one is done. */
static void stand_by(struct session *self)
{
    enum { LOOK_MS_MIN = 2, LOOK_MS_MAX = 256 };
    uint32_t drives = self->drives;
    self->standby = true;
    self->standby_ms = LOOK_MS_MIN;
    pthread_cond_broadcast(&self->changed); /* a caller that waits takes over */
    bool used = true;
    while ((used || self->driven) && !self->needed && !self->closing) {
        struct pollfd wake = { self->wake_fd, POLLIN, 0 };
        pthread_mutex_unlock(&self->lock);
        poll(&wake, 1, self->standby_ms);
        pthread_mutex_lock(&self->lock);
        used = self->drives != drives;
        self->standby_ms = used ? LOOK_MS_MIN : self->standby_ms < LOOK_MS_MAX ? self->standby_ms * 2 : LOOK_MS_MAX;
        drives = self->drives;
    }
    while (self->driven) { /* it has seen `needed` or `closing`, or will when it looks */
        pthread_cond_wait(&self->changed, &self->lock);
    }
    self->standby = self->needed = false;
}

static void wake_thread(struct session *self)
{
    uint64_t one = 1;
    ssize_t n = write(self->wake_fd, &one, sizeof(one));
    ensure(n == sizeof(one));
}

/*  Under the lock: one turn of the thread's work, by a caller.  False: the thread is needed. */
static bool drive(struct session *self, uint64_t target, uint64_t until_us)
{
    self->said = false;
    push(self);
    pthread_mutex_unlock(&self->lock);
    bool busy = take_news(self);
    pthread_mutex_lock(&self->lock);
    uint64_t now_ms = clock_ms(), now_us = clock_us();
    if (self->watched_ended >= target || now_us >= until_us) {
        return true;
    }
    if (self->phase != PHASE_READY || self->broken != 0 || (self->config.revive != NULL && now_ms >= self->revive_at_ms)) {
        return false;
    }
    tick(self, now_ms);
    if (!busy && !self->said) {
        int timeout_ms = sleep_ms(self, now_ms);
        uint64_t left_ms = (until_us - now_us + 999) / 1000;
        sleep_until_news(self, until_us != UINT64_MAX && left_ms < (uint64_t)timeout_ms ? (int)left_ms : timeout_ms);
    }
    return true;
}

int session_sleep_for(struct session *self, uint64_t target, uint64_t until_us)
{
    enum { LONG_LOOK_MS = 8 };
    if (!self->standby || self->driven || self->needed || self->closing) {
        if (outbox_ready(&self->outbox, true)) {
            session_wake(self);
        }
        return session_sleep(self, until_us);
    }
    self->driven = true;
    self->drives++;
    self->callers++;
    while (self->watched_ended < target && !self->closing && !self->needed && clock_us() < until_us) {
        if (!drive(self, target, until_us)) {
            self->needed = true;
        }
    }
    self->driven = false;
    self->callers--;
    if (self->needed || self->standby_ms > LONG_LOOK_MS) {
        wake_thread(self);
    }
    if (self->callers > 0 || self->needed || self->closing) {
        pthread_cond_broadcast(&self->changed); /* somebody else goes on */
    }
    return session_usable(self);
}

/*  Without the lock: it may take as long as a head needs to start. */
static void look_after_cluster(struct session *self)
{
    int rc = self->config.revive();
    self->revive_failures = rc == OK ? 0 : self->revive_failures + 1;
    if (self->revive_failures == REVIVES_MAX) {
        pthread_mutex_lock(&self->lock);
        session_break(self, rc, slice_text(rayc_error()->text));
        pthread_mutex_unlock(&self->lock);
    }
}

void *session_run(void *session)
{
    struct session *self = session;
    self->lost_ms = clock_ms();
    for (;;) {
        self->said = false;
        bool busy = take_news(self);
        uint64_t now_ms = clock_ms();
        pthread_mutex_lock(&self->lock);
        if (self->closing) {
            pthread_mutex_unlock(&self->lock);
            return NULL;
        }
        bool revive = tick(self, now_ms);
        push(self);
        if (!busy && !self->said && !revive) {
            if (self->waiters > 0 && self->phase == PHASE_READY && self->broken == 0 && !self->leaving) {
                stand_by(self);
            } else {
                sleep_until_news(self, sleep_ms(self, now_ms));
            }
        }
        pthread_mutex_unlock(&self->lock);
        if (revive) {
            look_after_cluster(self);
        }
    }
}
