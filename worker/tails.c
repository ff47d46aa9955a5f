/*  tails.c - one entry per attempt that runs for long; they are an array, looked at now and then. */
#include "worker/tails.h"
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>
#include "common/file.h"
#include "common/log.h"

enum {
    TAILS_MAX = 4096,
    DRIVERS_KEPT = 256, /* of them, for drivers only */
    WINDOW_FIRST = 16 * 1024,
    WINDOW_BYTES = 1 * MIB,
    PATIENCE_MS = 2000, /* without an acknowledgement: what was sent is sent again */
    TAILS_PER_MS = 16   /* as many are looked at in a millisecond of pause */
};
#define BEHIND_MAX (64ull << 20) /* what was printed and not read: beyond that it is cut */
#define BEHIND_CUT (16ull << 20) /* to so much */
#define HEAD_BYTES (32ull << 20) /* the beginning is never cut, however fast it comes */

struct source {
    int fd;
    uint64_t at, to;
    uint64_t seen; /* its size when it had nothing that could go */
    bool within;   /* `at` may be within a secret: what was before it was cut */
};

struct tail {
    struct msg_log who; /* job, task, token, attempt */
    struct source sources[TAIL_SOURCES];
    struct secrets secrets;
    uint64_t acknowledged, sent; /* of the stream */
    uint64_t heard_ms;           /* of an acknowledgement, or of nothing to acknowledge */
    uint8_t *window;             /* what begins at `acknowledged` */
    size_t n, capacity;
    bool ended;
    bool more; /* there was no room for all */
    char *path;
};

struct tails {
    bool joined;
    uint64_t now_ms, looked_ms;
    uint32_t count;
    /*  whose data goes next, so that one that prints a lot does not hold up the others */
    uint32_t turn;
    struct tail tails[TAILS_MAX];
};

int tails_open(struct tails **out)
{
    *out = calloc(1, sizeof(**out));
    return *out ? OK : ERR_MEMORY;
}

static void tail_free(struct tail *tail)
{
    for (uint32_t i = 0; i < TAIL_SOURCES; i++) {
        if (tail->sources[i].fd >= 0) {
            close(tail->sources[i].fd);
        }
    }
    secrets_close(&tail->secrets);
    free(tail->window);
    free(tail->path);
}

void tails_close(struct tails **self_p)
{
    struct tails *self = *self_p;
    if (!self) {
        return;
    }
    for (uint32_t i = 0; i < self->count; i++) {
        tail_free(&self->tails[i]); /* a driver's file stays, for whoever looks for it */
    }
    free(self);
    *self_p = NULL;
}

static struct tail *find(const struct tails *self, uint64_t token)
{
    for (uint32_t i = 0; i < self->count; i++) {
        if (self->tails[i].who.token == token) {
            return (struct tail *)(uintptr_t)&self->tails[i];
        }
    }
    return NULL;
}

bool tails_here(const struct tails *self, uint64_t token)
{
    return find(self, token) != NULL;
}

int tails_add(struct tails *self, const struct tail_new *new)
{
    uint32_t most = new->who.attempt > 0 ? TAILS_MAX - DRIVERS_KEPT : TAILS_MAX;
    if (self->count >= most) {
        return ERR_BUSY;
    }
    struct tail tail = { .who = new->who, .path = new->path ? strdup(new->path) : NULL };
    bool whole = !new->path || tail.path;
    for (uint32_t i = 0; i < TAIL_SOURCES; i++) {
        int fd = new->fds[i] >= 0 ? fcntl(new->fds[i], F_DUPFD_CLOEXEC, 0) : -1;
        tail.sources[i] = (struct source){ .fd = fd, .to = UINT64_MAX, .seen = UINT64_MAX };
        whole &= new->fds[i] < 0 || fd >= 0;
    }
    if (!whole) {
        tail_free(&tail);
        return ERR_SYSTEM;
    }
    tail.sources[0].at = new->from;
    tail.sources[0].to = new->to;
    secrets_copy(&tail.secrets, new->secrets);
    self->tails[self->count++] = tail;
    return OK;
}

/* --- from the files into the window ----------------------------------------------------------------------- */

/*  How much of it can be read now; *all: there will never be more. */
static uint64_t size_of(const struct tail *tail, const struct source *source, bool *all)
{
    struct stat info;
    uint64_t size = fstat(source->fd, &info) == 0 ? (uint64_t)info.st_size : 0;
    *all = tail->ended || size >= source->to;
    return size < source->to ? size : source->to;
}

static void reserve(struct tail *tail)
{
    size_t capacity = tail->capacity ? tail->capacity * 2 : WINDOW_FIRST;
    if (tail->n == tail->capacity && capacity <= WINDOW_BYTES) {
        tail->window = realloc(tail->window, capacity);
        ensure(tail->window != NULL);
        tail->capacity = capacity;
    }
}

/*  Too far behind: the middle is given up. */
static void cut(struct tail *tail, struct source *source, uint64_t size)
{
    char text[80];
    uint64_t to = size - BEHIND_CUT;
    int n = snprintf(text, sizeof(text), "\n[rayc: %" PRIu64 " bytes were cut here]\n",
                     to - source->at);
    reserve(tail);
    if (tail->n + (size_t)n <= tail->capacity) {
        memcpy(tail->window + tail->n, text, (size_t)n);
        tail->n += (size_t)n;
        source->at = to;
        source->within = true;
    }
}

/*  What can go is appended to the window; true: there is more, but no room. */
static bool read_source(struct tail *tail, struct source *source)
{
    bool all;
    uint64_t size = source->fd >= 0 ? size_of(tail, source, &all) : 0;
    if (source->fd < 0 || source->at >= size || (size == source->seen && !all)) {
        return false;
    }
    if (size - source->at > BEHIND_MAX && tail->acknowledged + tail->n > HEAD_BYTES) {
        cut(tail, source, size);
    }
    reserve(tail);
    size_t room = tail->capacity - tail->n;
    uint64_t left = size - source->at;
    size_t want = left < room ? (size_t)left : room;
    uint8_t *p = tail->window + tail->n;
    ssize_t got = want ? pread(source->fd, p, want, (off_t)source->at) : 0;
    if (got <= 0) {
        if (want > 0 && !(got < 0 && errno == EINTR)) {
            log_error("output.read", "task=%016" PRIx64 " error=\"%s\"", tail->who.task,
                      got < 0 ? strerror(errno) : "the file is shorter than it was");
            close(source->fd); /* nobody shall wait for what cannot be had */
            source->fd = -1;
        }
        return want == 0;
    }
    size_t front = source->within ? secrets_cut_front(&tail->secrets, p, (size_t)got) : 0;
    size_t n = (size_t)got - front;
    memmove(p, p + front, n);
    size_t held = secrets_hide_some(&tail->secrets, p, &n, all && (uint64_t)got == left);
    source->within = false;
    source->at += (size_t)got - held;
    source->seen = (uint64_t)got == left ? size : UINT64_MAX;
    tail->n += n;
    return (uint64_t)got < left;
}

static void look(struct tail *tail)
{
    tail->more = false;
    for (uint32_t i = 0; i < TAIL_SOURCES; i++) {
        tail->more |= read_source(tail, &tail->sources[i]);
    }
}

/*  All that it will ever print is in the window, or was there. */
static bool is_drained(const struct tail *tail)
{
    for (uint32_t i = 0; i < TAIL_SOURCES; i++) {
        bool all;
        const struct source *source = &tail->sources[i];
        if (source->fd >= 0 && source->at < size_of(tail, source, &all)) {
            return false;
        }
    }
    return true;
}

static void forget(struct tails *self, struct tail *tail)
{
    if (tail->path) {
        (void)unlink(tail->path);
    }
    tail_free(tail);
    *tail = self->tails[--self->count];
}

static void forget_if_done(struct tails *self, struct tail *tail)
{
    if (tail->ended && tail->n == 0 && is_drained(tail)) {
        forget(self, tail);
    }
}

/* --- what happens to attempts ----------------------------------------------------------------------------- */

void tails_grow(struct tails *self, uint64_t token, uint64_t to)
{
    struct tail *tail = find(self, token);
    if (tail && to > tail->sources[0].to) {
        tail->sources[0].to = to;
    }
}

void tails_end(struct tails *self, uint64_t token)
{
    struct tail *tail = find(self, token);
    if (tail) {
        tail->ended = true;
        look(tail);
        forget_if_done(self, tail);
    }
}

bool tails_sent(struct tails *self, uint64_t token)
{
    struct tail *tail = find(self, token);
    if (!tail) {
        return true;
    }
    look(tail);
    return !tail->more && is_drained(tail) && tail->sent == tail->acknowledged + tail->n;
}

void tails_drop(struct tails *self, uint64_t token)
{
    struct tail *tail = find(self, token);
    if (tail) {
        forget(self, tail);
    }
}

bool tails_busy(const struct tails *self)
{
    for (uint32_t i = 0; i < self->count; i++) {
        const struct tail *tail = &self->tails[i];
        if (!tail->ended || (self->joined && (tail->n > 0 || tail->more))) {
            return true;
        }
    }
    return false;
}

uint64_t tails_pause_ms(const struct tails *self)
{
    return TAIL_MS + self->count / TAILS_PER_MS;
}

void tails_on_time(struct tails *self, uint64_t now_ms)
{
    self->now_ms = now_ms;
    if (now_ms < self->looked_ms + tails_pause_ms(self)) {
        return;
    }
    self->looked_ms = now_ms;
    for (uint32_t i = self->count; i-- > 0;) {
        struct tail *tail = &self->tails[i];
        look(tail);
        if (tail->sent <= tail->acknowledged || !self->joined) {
            tail->heard_ms = now_ms;
        } else if (now_ms - tail->heard_ms >= PATIENCE_MS) {
            tail->heard_ms = now_ms;
            tail->sent = tail->acknowledged; /* the head could not write, or a piece was lost */
        }
        forget_if_done(self, tail);
    }
}

/* --- the head --------------------------------------------------------------------------------------------- */

void tails_joined(struct tails *self, bool joined)
{
    self->joined = joined;
    for (uint32_t i = 0; joined && i < self->count; i++) {
        self->tails[i].sent = self->tails[i].acknowledged;
    }
}

bool tails_are_joined(const struct tails *self)
{
    return self->joined;
}

void tails_on_ack(struct tails *self, const struct msg_log_ack *ack)
{
    struct tail *tail = find(self, ack->token);
    if (!tail) {
        return;
    }
    uint64_t end = tail->acknowledged + tail->n;
    uint64_t to = ack->offset < end ? ack->offset : end;
    if (to > tail->acknowledged) {
        size_t done = (size_t)(to - tail->acknowledged);
        tail->n -= done;
        memmove(tail->window, tail->window + done, tail->n);
        tail->acknowledged = to;
        tail->sent = tail->sent > to ? tail->sent : to;
        tail->heard_ms = self->now_ms;
    }
    if (tail->n == 0 && !tail->more) { /* silent ones cost nothing */
        free(tail->window);
        tail->window = NULL;
        tail->capacity = 0;
    }
    forget_if_done(self, tail);
}

bool tails_next(struct tails *self, struct msg_log *out)
{
    for (uint32_t i = 0; self->joined && i < self->count; i++) {
        struct tail *tail = &self->tails[(self->turn + i) % self->count];
        if (tail->more && tail->n < WINDOW_BYTES) {
            look(tail);
        }
        size_t at = (size_t)(tail->sent - tail->acknowledged);
        size_t n = tail->n - at < LOG_CHUNK_MAX ? tail->n - at : LOG_CHUNK_MAX;
        if (n > 0) {
            *out = tail->who;
            out->offset = tail->sent;
            out->kept = tail->acknowledged;
            out->data = slice_of(tail->window + at, n);
            tail->sent += n;
            self->turn = (self->turn + i + 1) % self->count;
            return true;
        }
    }
    return false;
}
