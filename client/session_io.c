/*  session_io.c - the session's thread: it alone uses the link.  It takes news without the lock,
    changes the session under it, and sleeps only when there is nothing to send and nothing to
    read. */
#include "client/study_link_inside.h"

#include <poll.h>
#include <stdlib.h>
#include <unistd.h>
#include "client/failure.h"
#include "client/far_values.h"
#include "common/clock.h"
#include "common/log.h"

enum {
    GREET_AGAIN_MS = 2000, /* no answer to HELLO, JOB_OPEN or RESUME */
    LOST_POLL_MS = 50,     /* how often to look while there is no head */
    REVIVE_MS = 200,       /* how long a head is gone before it is started again */
    REVIVES_MAX = 3,       /* that fail in a row, until it is hopeless */
    LOOK_MS = 500,         /* how often to look after an embedded cluster */
    WARN_MS = 3000,
    FULL_MS = 100, /* between two tries to send more to a head that is full */
    BATCHES_PER_TURN = 16,
    CONGESTED_BATCHES = 8,
    POLLS_PER_TURN = 4
};

/* --- what is to be sent, and what is due ------------------------------------------------------ */

/*  Sends a batch; the lock is not held meanwhile, for a sealed batch is nobody else's. */
static void send_batch(struct session *self, const struct batch *batch)
{
    struct msg_submit submit = { .seq = SEQ_SESSION | ++self->seq,
                                 .session = self->id,
                                 .first = batch->first,
                                 .specs = wire_list(&batch->specs, batch->spec_count),
                                 .calls = wire_list(&batch->calls, batch->count) };
    pthread_mutex_unlock(&self->lock);
    session_say(self, MSG_SUBMIT, &submit, FRAME_HEAD_BYTES + batch_bytes(batch));
    pthread_mutex_lock(&self->lock);
}

/*  Asks how some of the pending tasks ended: own ones from poll_next on, which is where to go on,
    and those of others that were not asked for. */
static void send_poll(struct session *self)
{
    enum { ID_BYTES = 10 };
    static const size_t bytes = CALLS_PER_FRAME_MAX * ID_BYTES;
    struct wire ids = { malloc(bytes), 0, bytes, false };
    ensure(ids.p != NULL);
    uint32_t count = 0;
    uint64_t counter = self->poll_next;
    while (counter != 0 && count < CALLS_PER_FRAME_MAX) {
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
    count += borrowed_ask(&self->borrowed, &ids, CALLS_PER_FRAME_MAX - count);
    if (count > 0) {
        struct msg_poll poll_msg = { .seq = SEQ_SESSION | ++self->seq,
                                     .session = self->id,
                                     .tasks = wire_list(&ids, count) };
        session_say(self, MSG_POLL, &poll_msg, SMALL_BYTES + ids.n);
    }
    free(ids.p);
}

/*  Tells what is held, and what no more. */
static void send_changes(struct session *self)
{
    uint8_t bytes[256 * REF_CHANGE_BYTES];
    struct wire refs = { bytes, 0, sizeof(bytes), false };
    struct msg_refs msg = { .session = self->id };
    for (uint32_t count;
         (count = ref_changes_take(&self->changes, self->outbox.below, &refs, &msg.first)) > 0;) {
        msg.seq = SEQ_SESSION | ++self->seq;
        msg.refs = wire_list(&refs, count);
        session_say(self, MSG_REFS, &msg, SMALL_BYTES + refs.n);
        refs.n = 0;
    }
}

static void push_study(struct session *self)
{
    if (study_link_unsent(self->study)) {
        study_link_push(self->study);
    }
}

static bool must_ask(const struct session *self)
{
    return self->poll_next != 0 || self->borrowed.unasked > 0;
}

/*  Under the lock: sends what may be sent. */
static void push(struct session *self)
{
    if (self->phase != PHASE_READY || self->broken != 0 || self->parked) {
        return;
    }
    push_study(self);
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
        push_study(
            self); /* rows that came meanwhile are older than the tasks that came with them */
        const struct batch *batch = outbox_next(&self->outbox, self->waiters > 0);
        if (batch == NULL) {
            break;
        }
        outbox_sent(&self->outbox);
        send_batch(self, batch);
    }
    send_changes(self);
    for (unsigned i = 0; i < POLLS_PER_TURN && must_ask(self); i++) {
        send_poll(self);
    }
}

/*  There has been no head for a while. */
static void on_lost(struct session *self, uint64_t now_ms)
{
    uint64_t for_ms = now_ms - self->lost_ms;
    uint32_t limit_ms = self->id != 0 ? self->config.reconnect_ms_max : self->config.first_ms_max;
    if (for_ms >= limit_ms) {
        session_break_as(self, RAYC_EUNREACHABLE, "no head answered at %s for %.1f s",
                         self->address, (double)for_ms / 1000);
        return;
    }
    if (self->phase != PHASE_DOWN && now_ms - self->greeted_ms >= GREET_AGAIN_MS) {
        session_say_hello(self, now_ms);
    }
    if (!self->warned && for_ms >= WARN_MS) {
        self->warned = true;
        log_warn("head.lost", "address=%s still=trying", self->address);
    }
}

/*  Under the lock: what is due.  Returns whether to look after an embedded cluster. */
static bool tick(struct session *self, uint64_t now_ms)
{
    if (self->broken != 0 || self->parked) {
        return false;
    }
    if (self->rejoin && self->phase != PHASE_DOWN) {
        session_say_hello(self, now_ms);
    }
    if (self->resend_at_ms != 0 && now_ms >= self->resend_at_ms) {
        outbox_rewind(&self->outbox);
        borrowed_forget_asked(&self->borrowed);
        self->resend_at_ms = self->congested ? now_ms + FULL_MS : 0;
    }
    if (self->phase != PHASE_READY) {
        on_lost(self, now_ms);
    } else if (now_ms >= self->beat_at_ms) {
        session_say_beat(self, now_ms);
        far_values_tidy(now_ms);
    }
    bool gone = self->phase == PHASE_DOWN && now_ms - self->lost_ms >= REVIVE_MS;
    if (self->config.revive == NULL || now_ms < self->revive_at_ms ||
        (self->phase != PHASE_READY && !gone)) {
        return false;
    }
    self->revive_at_ms = now_ms + (gone ? REVIVE_MS : LOOK_MS);
    return true;
}

/*  Until something is due; -1: nothing will be. */
static int sleep_ms(const struct session *self, uint64_t now_ms)
{
    if (self->broken != 0 || self->parked) {
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

/*  Under the lock.  While callers wait for results one after the other, the thread only looks
    now and then whether they still do.  It sleeps longer when one of them waits for long, and is
    woken when that one is done. */
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
        self->standby_ms = used                             ? LOOK_MS_MIN
                           : self->standby_ms < LOOK_MS_MAX ? self->standby_ms * 2
                                                            : LOOK_MS_MAX;
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
    bool busy = session_take_news(self);
    pthread_mutex_lock(&self->lock);
    uint64_t now_ms = clock_ms(), now_us = clock_us();
    if (self->watched_ended >= target || now_us >= until_us) {
        return true;
    }
    if (self->phase != PHASE_READY || self->broken != 0 ||
        (self->config.revive != NULL && now_ms >= self->revive_at_ms)) {
        return false;
    }
    tick(self, now_ms);
    if (!busy && !self->said) {
        int timeout_ms = sleep_ms(self, now_ms);
        uint64_t left_ms = (until_us - now_us + 999) / 1000;
        sleep_until_news(self, until_us != UINT64_MAX && left_ms < (uint64_t)timeout_ms
                                   ? (int)left_ms
                                   : timeout_ms);
    }
    return true;
}

int session_sleep_for(struct session *self, uint64_t target, uint64_t until_us)
{
    enum { LONG_LOOK_MS = 8 };
    if (!self->standby || self->driven || self->needed || self->closing) {
        if (outbox_ready(&self->outbox, true) || study_link_unsent(self->study) ||
            self->borrowed.unasked > 0) {
            session_wake(self);
        }
        return session_sleep(self, until_us);
    }
    self->driven = true;
    self->drives++;
    self->callers++;
    while (self->watched_ended < target && !self->closing && !self->needed &&
           clock_us() < until_us) {
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

void session_send_all(struct session *self)
{
    self->needed = self->needed || self->standby;
    wake_thread(self);
}

void session_send(struct session *self)
{
    if (!self->standby || self->driven || self->needed || self->closing) {
        session_wake(self);
        return;
    }
    self->driven = true;
    push(self);
    self->driven = false;
    if (self->callers > 0 || self->needed || self->closing) {
        pthread_cond_broadcast(&self->changed);
    }
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
        bool busy = session_take_news(self);
        uint64_t now_ms = clock_ms();
        pthread_mutex_lock(&self->lock);
        if (self->closing) {
            pthread_mutex_unlock(&self->lock);
            return NULL;
        }
        bool revive = tick(self, now_ms);
        push(self);
        if (!busy && !self->said && !revive) {
            if (self->waiters > 0 && self->phase == PHASE_READY && self->broken == 0 &&
                self->leaving == 0) {
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
