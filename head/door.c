/*  door.c - a ring of those who wait; the loop hands each two frames and takes one back. */
#include "head/door_inside.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>
#include "common/clock.h"

enum { SEQ_HELLO = 1, SEQ_REQUEST = 2, HELLO_BYTES = 1024, FRAME_EXTRA = 1 * MIB };

int door_open(struct door **out)
{
    *out = NULL;
    struct door *self = calloc(1, sizeof(*self));
    if (self == NULL) {
        return ERR_MEMORY;
    }
    pthread_condattr_t attributes;
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_mutex_init(&self->lock, NULL);
    pthread_cond_init(&self->answered, &attributes);
    pthread_condattr_destroy(&attributes);
    self->event_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (self->event_fd < 0) {
        door_close(&self);
        return ERR_SYSTEM;
    }
    *out = self;
    return OK;
}

void door_end(struct door *self)
{
    pthread_mutex_lock(&self->lock);
    self->ended = true;
    pthread_cond_broadcast(&self->answered);
    door_links_end(self);
    pthread_mutex_unlock(&self->lock);
}

void door_frame_free(struct slice *frame)
{
    free((void *)(uintptr_t)frame->p);
    *frame = (struct slice){ 0 };
}

void door_close(struct door **door)
{
    struct door *self = *door;
    if (self == NULL) {
        return;
    }
    door_release(self);
    for (size_t i = 0; i < DOOR_ASKED_MAX; i++) {
        door_frame_free(&self->askers[i].hello);
        door_frame_free(&self->askers[i].request);
    }
    door_links_free(self);
    if (self->event_fd >= 0) {
        close(self->event_fd);
    }
    pthread_cond_destroy(&self->answered);
    pthread_mutex_destroy(&self->lock);
    free(self);
    *door = NULL;
}

void door_wake_loop(const struct door *self)
{
    uint64_t one = 1;
    ssize_t n = write(self->event_fd, &one, sizeof(one));
    ensure(n == sizeof(one) || errno == EAGAIN);
}

uint32_t door_new_peer(struct door *self)
{
    return DOOR_PEER_FIRST + (self->peers++ & (DOOR_PEER_FIRST - 1));
}

/* --- who asks ------------------------------------------------------------------------------------- */

/*  Encodes into memory that is as large as it must be; p NULL: it is larger than a frame may be. */
static struct slice encode(enum msg_kind kind, const void *msg, size_t bytes)
{
    for (; bytes <= FRAME_MAX; bytes *= 4) {
        struct wire frame = { malloc(bytes), 0, bytes, false };
        ensure(frame.p != NULL);
        proto_put(&frame, kind, msg);
        if (!frame.full) {
            return slice_of(frame.p, frame.n);
        }
        free(frame.p);
    }
    return (struct slice){ 0 };
}

static int encode_both(struct asker *self, const char *token, enum msg_kind kind, const void *msg)
{
    const struct shape *shape = proto_message(kind);
    const struct msg_hello hello = { .seq = SEQ_HELLO,
                                     .major = PROTO_MAJOR,
                                     .minor = PROTO_MINOR,
                                     .role = 1,
                                     .version = slice_text(RAYC_VERSION),
                                     .token = slice_text(token) };
    uint64_t *copy = malloc(shape->bytes);
    ensure(copy != NULL);
    memcpy(copy, msg, shape->bytes);
    copy[0] = SEQ_REQUEST; /* every message begins with seq */
    self->hello = encode(MSG_HELLO, &hello, HELLO_BYTES);
    self->request = encode(kind, copy, FRAME_EXTRA / 4);
    free(copy);
    return self->hello.p != NULL && self->request.p != NULL ? OK : ERR_TOO_LARGE;
}

static struct asker *place(struct door *self)
{
    for (size_t i = 0; i < DOOR_ASKED_MAX; i++) {
        if (self->askers[i].step == FREE) {
            return &self->askers[i];
        }
    }
    return NULL;
}

/*  Under the lock. */
static int wait_for(struct door *self, struct asker *asker)
{
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += DOOR_WAIT_MS / 1000;
    int late = 0;
    while (asker->step < DONE && !self->ended && late != ETIMEDOUT) {
        late = pthread_cond_timedwait(&self->answered, &self->lock, &until);
    }
    int code = asker->step >= DONE ? asker->code : self->ended ? ERR_CLOSED : ERR_TIMEOUT;
    asker->gone = true;
    asker->answer = NULL;
    return code;
}

int door_ask(struct door *self, const char *token, enum msg_kind kind, const void *msg,
             struct door_answer *out)
{
    struct asker asking = { .step = ASKED, .answer = out };
    *out = (struct door_answer){ 0 };
    int code = encode_both(&asking, token, kind, msg);
    pthread_mutex_lock(&self->lock);
    struct asker *asker = code == OK && !self->ended ? place(self) : NULL;
    if (asker == NULL) {
        code = code != OK ? code : self->ended ? ERR_CLOSED : ERR_BUSY;
        pthread_mutex_unlock(&self->lock);
        door_frame_free(&asking.hello);
        door_frame_free(&asking.request);
        return code;
    }
    asking.peer = door_new_peer(self);
    *asker = asking;
    door_wake_loop(self);
    code = wait_for(self, asker);
    door_wake_loop(self);
    pthread_mutex_unlock(&self->lock);
    return code;
}

uint64_t door_stalled_ms(struct door *self)
{
    uint64_t now_ms = clock_ms();
    pthread_mutex_lock(&self->lock);
    self->woken_ms = self->woken_ms != 0 ? self->woken_ms : now_ms;
    uint64_t stalled_ms = now_ms - self->woken_ms;
    door_wake_loop(self);
    pthread_mutex_unlock(&self->lock);
    return stalled_ms;
}

/* --- the loop ------------------------------------------------------------------------------------- */

int door_fd(const struct door *self)
{
    return self->event_fd;
}

void door_give(struct door *self, struct slice *frame, struct net_event *out)
{
    ensure(self->given_count < COUNT(self->given));
    self->given[self->given_count++] = *frame;
    out->bytes = *frame;
    *frame = (struct slice){ 0 };
}

/*  What the loop is told of one next. */
static enum net_news step(struct door *self, struct asker *asker, struct net_event *out)
{
    *out = (struct net_event){ .peer = asker->peer };
    if (asker->step == ASKED && !asker->gone) {
        asker->step = HELLO_SAID;
        door_give(self, &asker->hello, out);
        return NET_FRAME;
    }
    if (asker->step == HELLO_SAID && !asker->gone) {
        asker->step = SAID;
        door_give(self, &asker->request, out);
        return NET_FRAME;
    }
    if (!asker->gone) {
        return NET_NOTHING;
    }
    door_frame_free(&asker->hello);
    door_frame_free(&asker->request);
    asker->step = FREE;
    return NET_GONE;
}

enum net_news door_next(struct door *self, struct net_event *out)
{
    uint64_t count;
    enum net_news news = NET_NOTHING;
    if (read(self->event_fd, &count, sizeof(count)) < 0) {
        ensure(errno == EAGAIN || errno == EINTR);
    }
    pthread_mutex_lock(&self->lock);
    self->woken_ms = 0;
    for (size_t i = 0; i < DOOR_ASKED_MAX && news == NET_NOTHING; i++) {
        bool room = self->given_count < COUNT(self->given);
        if (self->askers[i].step != FREE && room) {
            news = step(self, &self->askers[i], out);
        }
    }
    if (news == NET_NOTHING && self->given_count < COUNT(self->given)) {
        news = door_links_next(self, out);
    }
    pthread_mutex_unlock(&self->lock);
    return news;
}

void door_release(struct door *self)
{
    for (uint32_t i = 0; i < self->given_count; i++) {
        door_frame_free(&self->given[i]);
    }
    self->given_count = 0;
}

static void answer(struct asker *asker, const struct msg *msg, struct slice frame)
{
    asker->step = DONE;
    asker->code = msg->kind == MSG_REFUSED ? msg->as.refused.code : OK;
    asker->answer->kind = msg->kind;
    if (msg->kind == MSG_REFUSED) {
        slice_copy_text(msg->as.refused.text, asker->answer->text, sizeof(asker->answer->text));
    } else if (msg->kind == MSG_JOB_OPENED) {
        asker->answer->id = msg->as.job_opened.job;
    } else if (msg->kind == MSG_CHANGED) {
        asker->answer->id = msg->as.changed.id;
    } else if (msg->kind == MSG_RETRIED) {
        asker->answer->id = msg->as.retried.task;
    } else if (msg->kind == MSG_EXPLAINED || msg->kind == MSG_PLACES) {
        uint8_t *copy = malloc(frame.n);
        ensure(copy != NULL);
        memcpy(copy, frame.p, frame.n);
        asker->answer->frame = slice_of(copy, frame.n);
    }
}

void door_send(struct door *self, uint32_t peer, struct slice frame)
{
    struct msg msg;
    pthread_mutex_lock(&self->lock);
    bool link = door_links_send(self, peer, frame);
    pthread_mutex_unlock(&self->lock);
    if (link) {
        return;
    }
    if (proto_decode(frame, &msg, NULL) != OK) {
        return;
    }
    /* A HELLO is answered only when it was refused; what has no seq of ours is news, which nobody wants. */
    bool ours = msg.as.seq == SEQ_REQUEST || (msg.as.seq == SEQ_HELLO && msg.kind == MSG_REFUSED);
    pthread_mutex_lock(&self->lock);
    for (size_t i = 0; i < DOOR_ASKED_MAX && ours; i++) {
        struct asker *asker = &self->askers[i];
        if (asker->step != FREE && asker->peer == peer && asker->step < DONE && !asker->gone) {
            answer(asker, &msg, frame);
            pthread_cond_broadcast(&self->answered);
        }
    }
    pthread_mutex_unlock(&self->lock);
}
