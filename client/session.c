/*  session.c - a session's life, and requests: what callers' threads do with it. */
#include "client/session_inside.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>
#include "client/failure.h"
#include "client/far_values.h"
#include "client/node_values.h"
#include "common/access.h"
#include "common/clock.h"

#define SECONDS_MAX 1e9 /* longer is for ever */

static int break_text(struct session *self)
{
    return failure_set(self->broken, slice_text(self->broken_text));
}

/* --- waiting ---------------------------------------------------------------------------------- */

uint64_t session_deadline(double seconds)
{
    if (seconds < 0 || seconds > SECONDS_MAX) {
        return UINT64_MAX;
    }
    return seconds > 0 ? clock_us() + (uint64_t)(seconds * 1e6) : 0;
}

int session_usable(const struct session *self)
{
    return self->closing ? failure_say(RAYC_ECLOSED, "rayc_shutdown() was called") : RAYC_OK;
}

void session_wake(struct session *self)
{
    if (self->asleep) {
        self->asleep = false;
        uint64_t one = 1;
        ssize_t n = write(self->wake_fd, &one, sizeof(one));
        ensure(n == sizeof(one));
    }
}

int session_sleep(struct session *self, uint64_t until_us)
{
    int rc = 0;
    self->callers++;
    if (until_us == UINT64_MAX) {
        rc = pthread_cond_wait(&self->changed, &self->lock);
    } else {
        struct timespec until = { (time_t)(until_us / 1000000), (long)(until_us % 1000000) * 1000 };
        rc = pthread_cond_timedwait(&self->changed, &self->lock, &until);
    }
    self->callers--;
    if (self->closing) {
        pthread_cond_broadcast(&self->changed); /* session_close() waits for us to be gone */
        return session_usable(self);
    }
    return rc == ETIMEDOUT ? RAYC_ETIMEOUT : RAYC_OK;
}

/* --- life ------------------------------------------------------------------------------------- */

static int init_lock(struct session *self)
{
    pthread_condattr_t attributes;
    self->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (self->wake_fd < 0 || pthread_condattr_init(&attributes) != 0) {
        return RAYC_ESYSTEM;
    }
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    int rc = pthread_cond_init(&self->changed, &attributes);
    pthread_condattr_destroy(&attributes);
    return rc == 0 && pthread_mutex_init(&self->lock, NULL) == 0 ? RAYC_OK : RAYC_ESYSTEM;
}

static int start(struct session *self)
{
    if (init_lock(self) != RAYC_OK) {
        return failure_say(RAYC_ESYSTEM, "cannot make an eventfd: %s", strerror(errno));
    }
    struct diag why;
    if (token_file_check(&why) != OK) {
        return failure_say(ERR_KEY, "RAYC_TOKEN_FILE: %s", why.text);
    }
    int rc = link_open(&self->link, self->address, self->config.key);
    if (rc != OK) {
        return failure_say(rc, "cannot use the address '%s': %s", self->address,
                           rc == ERR_INVALID ? link_address_wrong(self->address) : err_text(rc));
    }
    if (self->config.ticket != NULL) {
        (void)slice_copy_text(slice_text(self->config.ticket), self->token, sizeof(self->token));
    } else {
        token_find("admin.key", self->address, self->token);
    }
    link_set_token(self->link, self->token);
    sigset_t all, before; /* signals are for the program's own threads */
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    rc = pthread_create(&self->thread, NULL, session_run, self);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (rc != 0) {
        link_close(&self->link);
        return failure_say(RAYC_ESYSTEM, "cannot start a thread: %s", strerror(rc));
    }
    return RAYC_OK;
}

static int wait_open(struct session *self)
{
    int rc = RAYC_OK;
    pthread_mutex_lock(&self->lock);
    while (rc == RAYC_OK && self->broken == 0 && self->id == 0) {
        rc = session_sleep(self, UINT64_MAX);
    }
    if (rc == RAYC_OK && self->broken != 0) {
        rc = break_text(self);
    }
    pthread_mutex_unlock(&self->lock);
    return rc;
}

void session_set_program(struct session *self, const char *path, const char *hash)
{
    char *copy = path != NULL ? strdup(path) : NULL;
    ensure(copy != NULL || path == NULL);
    pthread_mutex_lock(&self->lock);
    free(self->program_path);
    self->program_path = copy;
    if (strcmp(self->program, hash) != 0) {
        snprintf(self->program, sizeof(self->program), "%s", hash);
        specs_forget_functions(&self->specs);
    }
    pthread_mutex_unlock(&self->lock);
}

/*  Under the lock: until the head has every task, and of an executor, what it holds and what no more. */
static void push_all(struct session *self)
{
    bool changes = self->config.ticket != NULL;
    int rc = RAYC_OK;
    self->waiters++;
    self->leaving++;
    session_send_all(self);
    while (rc == RAYC_OK && self->broken == 0 &&
           (self->outbox.below < self->outbox.next || (changes && self->changes.count > 0))) {
        rc = session_sleep(self, UINT64_MAX);
    }
    self->leaving--;
    self->waiters--;
}

void session_tell_drops(struct session *self)
{
    uint64_t below = self->changes.first + self->changes.count;
    int rc = RAYC_OK;
    self->waiters++;
    self->leaving++;
    session_send_all(self);
    while (rc == RAYC_OK && self->broken == 0 && self->changes.first < below) {
        rc = session_sleep(self, UINT64_MAX);
    }
    self->leaving--;
    self->waiters--;
}

/*  Every task is with the head, and the head says goodbye. */
static void leave(struct session *self)
{
    pthread_mutex_lock(&self->lock);
    push_all(self);
    bool alive = self->broken == 0 && self->id != 0;
    pthread_mutex_unlock(&self->lock);
    if (alive) {
        struct msg_bye bye = { .session = self->id };
        struct reply reply;
        if (session_ask(self, MSG_BYE, &bye, RAYC_FOREVER, &reply) == RAYC_OK) {
            reply_free(&reply);
        }
    }
}

static void end(struct session *self)
{
    leave(self);
    pthread_mutex_lock(&self->lock);
    self->closing = true;
    session_wake(self);
    pthread_cond_broadcast(&self->changed);
    while (self->callers > 0) {
        pthread_cond_wait(&self->changed, &self->lock);
    }
    pthread_mutex_unlock(&self->lock);
    pthread_join(self->thread, NULL);
    link_close(&self->link);
    explicit_bzero(self->token, sizeof(self->token));
    close(self->wake_fd);
    pthread_mutex_lock(&self->lock); /* a late caller sees `closing`, and none of this */
    far_values_forget(NULL);
    node_values_leave();
    refs_fini(&self->refs);
    ref_changes_fini(&self->changes);
    refs_fini(&self->born);
    borrowed_fini(&self->borrowed);
    specs_fini(&self->specs);
    handles_fini(&self->handles);
    outbox_fini(&self->outbox);
    sealing_fini(&self->sealing);
    free(self->args.p);
    free(self->deps.p);
    free(self->frame.p);
    free(self->program_path);
    free(self->address);
    pthread_mutex_unlock(&self->lock);
}

int session_open(struct session **out, const struct session_config *config)
{
    struct session *self = calloc(1, sizeof(*self));
    char *address = strdup(config->address);
    ensure(self != NULL && address != NULL);
    self->config = *config;
    self->address = address;
    if (config->key != NULL) {
        self->key = *config->key;
        self->config.key = &self->key;
    }
    self->wake_at = UINT64_MAX;
    self->seq = SEQ_FIRST;
    refs_init(&self->refs);
    ref_changes_init(&self->changes);
    refs_init(&self->born);
    specs_init(&self->specs);
    outbox_init(&self->outbox);
    memcpy(self->submission, "rayc_", 5);
    random_text(self->submission + 5, 16);
    int rc = start(self);
    if (rc != RAYC_OK) {
        free(address);
        free(self);
        return rc;
    }
    rc = wait_open(self);
    if (rc != RAYC_OK) {
        rayc_failure why = *rayc_error();
        end(self);
        free(self); /* nobody else has seen it */
        return failure_set(rc, slice_text(why.text));
    }
    *out = self;
    return RAYC_OK;
}

void session_close(struct session *self)
{
    /*  a late caller may still look at one: they are never freed */
    static struct session *_Atomic closed;
    end(self);
    self->closed_before = closed;
    closed = self;
}

/* --- of an executor --------------------------------------------------------------------------- */

void session_park(struct session *self)
{
    pthread_mutex_lock(&self->lock);
    session_drop_all(self);
    push_all(self);
    handles_own_end(&self->handles);
    self->parked = true;
    pthread_mutex_unlock(&self->lock);
}

void session_settle(struct session *self)
{
    pthread_mutex_lock(&self->lock);
    if (self->changes.held > 0) {
        push_all(self);
    }
    pthread_mutex_unlock(&self->lock);
}

int session_rejoin(struct session *self, const char *ticket)
{
    int rc = RAYC_OK;
    pthread_mutex_lock(&self->lock);
    (void)slice_copy_text(slice_text(ticket), self->token, sizeof(self->token));
    self->parked = false;
    self->rejoin = true;
    self->lost_ms = 0;
    if (self->phase != PHASE_DOWN) {
        self->phase = PHASE_GREETING;
    }
    session_send_all(self);
    while (rc == RAYC_OK && self->broken == 0 && self->phase != PHASE_READY) {
        rc = session_sleep(self, UINT64_MAX);
    }
    rc = rc == RAYC_OK && self->broken != 0 ? break_text(self) : rc;
    pthread_mutex_unlock(&self->lock);
    return rc;
}

/* --- requests --------------------------------------------------------------------------------- */

static void unlink_request(struct session *self, struct request *request)
{
    struct request **at = &self->requests;
    while (*at != NULL && *at != request) {
        at = &(*at)->next;
    }
    if (*at != NULL) {
        *at = request->next;
    }
}

/*  Waits under the lock until the request is done or cannot be. */
static int wait_request(struct session *self, struct request *request, double seconds)
{
    uint64_t until_us = session_deadline(seconds);
    int rc = session_usable(self);
    if (rc != RAYC_OK) {
        return rc;
    }
    request->next = self->requests;
    self->requests = request;
    session_wake(self);
    while (rc == RAYC_OK && !request->done && self->broken == 0) {
        rc = session_sleep(self, until_us);
    }
    unlink_request(self, request);
    if (request->done) {
        return RAYC_OK;
    }
    if (self->broken != 0) {
        return break_text(self);
    }
    return rc == RAYC_ETIMEOUT
               ? failure_say(rc, "the head at %s did not answer in time", self->address)
               : rc;
}

static int take_reply(struct request *request, struct reply *out)
{
    out->bytes = request->reply;
    int rc = proto_decode(slice_of(request->reply, request->reply_bytes), &out->msg, NULL);
    ensure(rc == OK); /* the thread has decoded it before */
    if (out->msg.kind == MSG_REFUSED) {
        rc = out->msg.as.refused.code < 0 ? out->msg.as.refused.code : ERR_FRAME;
        failure_set(rc, out->msg.as.refused.text);
        reply_free(out);
    }
    return rc;
}

/*  Bytes that a message may need beyond its fields. */
static size_t request_bound(enum msg_kind kind)
{
    return kind == MSG_PROGRAM_PUT  ? CHUNK_MAX + 1024
           : kind == MSG_FREE       ? CHUNK_MAX
           : kind == MSG_STUDY_OPEN ? DEFINITION_MAX + 4 * TEXT_MAX
                                    : 4 * TEXT_MAX;
}

int session_ask(struct session *self, enum msg_kind kind, void *message, double seconds,
                struct reply *out)
{
    size_t bound = request_bound(kind);
    struct request request = { .frame = { malloc(bound), 0, bound, false } };
    ensure(request.frame.p != NULL);
    pthread_mutex_lock(&self->lock);
    request.seq = ++self->seq;
    memcpy(message, &request.seq, sizeof(request.seq)); /* every message starts with it */
    proto_put(&request.frame, kind, message);
    int rc = request.frame.full ? failure_say(RAYC_ETOOLARGE, "the request is too large")
                                : wait_request(self, &request, seconds);
    pthread_mutex_unlock(&self->lock);
    free(request.frame.p);
    if (rc == RAYC_OK) {
        return take_reply(&request, out);
    }
    free(request.reply);
    return rc;
}

void reply_free(struct reply *reply)
{
    free(reply->bytes);
    reply->bytes = NULL;
}
