/*  tails.c - one entry per driver; there are few, so they are an array. */
#include "worker/tails.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>
#include "common/file.h"
#include "common/log.h"

enum {
    TAILS_MAX = 256,
    WINDOW_BYTES = 4 * MIB,
    PATIENCE_MS = 2000 /* without an acknowledgement: what was sent is sent again */
};

struct tail {
    struct msg_log who; /* job, task, token */
    uint64_t sent, acknowledged;
    uint64_t heard_ms; /* of an acknowledgement, or of nothing to acknowledge */
    int fd;
    bool ended;
    char *path;
};

struct tails {
    bool joined;
    uint64_t now_ms;
    uint32_t count;
    uint32_t
        turn; /* whose data goes next, so that one that prints a lot does not hold up the others */
    struct tail tails[TAILS_MAX];
    uint8_t *chunk; /* LOG_CHUNK_MAX, while there is a tail */
};

int tails_open(struct tails **out)
{
    *out = calloc(1, sizeof(**out));
    return *out ? OK : ERR_MEMORY;
}

void tails_close(struct tails **self_p)
{
    struct tails *self = *self_p;
    if (!self) {
        return;
    }
    for (uint32_t i = 0; i < self->count; i++) {
        close(self->tails[i].fd);
        free(self->tails[i].path); /* the file stays, for whoever looks for it */
    }
    free(self->chunk);
    free(self);
    *self_p = NULL;
}

static struct tail *find(struct tails *self, uint64_t token)
{
    for (uint32_t i = 0; i < self->count; i++) {
        if (self->tails[i].who.token == token) {
            return &self->tails[i];
        }
    }
    return NULL;
}

static uint64_t size_of(const struct tail *tail)
{
    struct stat info;
    return fstat(tail->fd, &info) == 0 ? (uint64_t)info.st_size : 0;
}

static void forget(struct tails *self, struct tail *tail)
{
    close(tail->fd);
    (void)unlink(tail->path);
    free(tail->path);
    *tail = self->tails[--self->count];
    if (self->count == 0) {
        free(self->chunk);
        self->chunk = NULL;
    }
}

static void forget_if_done(struct tails *self, struct tail *tail)
{
    if (tail->ended && tail->acknowledged >= size_of(tail)) {
        forget(self, tail);
    }
}

int tails_add(struct tails *self, const struct msg_log *who, int fd, const char *path)
{
    char *copy = strdup(path);
    if (!self->chunk) {
        self->chunk = malloc(LOG_CHUNK_MAX);
    }
    int e = !copy || !self->chunk ? ERR_MEMORY : self->count == TAILS_MAX ? ERR_BUSY : OK;
    if (e) {
        free(copy);
        return e;
    }
    self->tails[self->count++] = (struct tail){ .who = *who, .fd = fd, .path = copy };
    return OK;
}

void tails_end(struct tails *self, uint64_t token)
{
    struct tail *tail = find(self, token);
    if (tail) {
        tail->ended = true;
        forget_if_done(self, tail);
    }
}

bool tails_sent(struct tails *self, uint64_t token)
{
    const struct tail *tail = find(self, token);
    return !tail || tail->sent >= size_of(tail);
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
        if (!self->tails[i].ended ||
            (self->joined && self->tails[i].acknowledged < self->tails[i].sent)) {
            return true;
        }
    }
    return false;
}

void tails_on_time(struct tails *self, uint64_t now_ms)
{
    self->now_ms = now_ms;
    for (uint32_t i = 0; i < self->count; i++) {
        struct tail *tail = &self->tails[i];
        if (tail->sent <= tail->acknowledged || !self->joined) {
            tail->heard_ms = now_ms;
        } else if (now_ms - tail->heard_ms >= PATIENCE_MS) {
            tail->heard_ms = now_ms;
            tail->sent = tail->acknowledged; /* the head could not write, or a piece was lost */
        }
    }
}

void tails_joined(struct tails *self, bool joined)
{
    self->joined = joined;
    for (uint32_t i = 0; joined && i < self->count; i++) {
        self->tails[i].sent = self->tails[i].acknowledged;
    }
}

void tails_on_ack(struct tails *self, const struct msg_log_ack *ack)
{
    struct tail *tail = find(self, ack->token);
    if (!tail) {
        return;
    }
    if (ack->offset > tail->acknowledged) {
        tail->acknowledged = ack->offset;
        tail->heard_ms = self->now_ms;
    }
    forget_if_done(self, tail);
}

bool tails_next(struct tails *self, struct msg_log *out)
{
    for (uint32_t i = 0; self->joined && i < self->count; i++) {
        struct tail *tail = &self->tails[(self->turn + i) % self->count];
        uint64_t window = tail->acknowledged + WINDOW_BYTES;
        uint64_t room = window > tail->sent ? window - tail->sent : 0;
        size_t want = room < LOG_CHUNK_MAX ? (size_t)room : LOG_CHUNK_MAX;
        ssize_t n = want ? pread(tail->fd, self->chunk, want, (off_t)tail->sent) : 0;
        if (n > 0) {
            *out = tail->who;
            out->offset = tail->sent;
            out->data = slice_of(self->chunk, (size_t)n);
            tail->sent += (uint64_t)n;
            self->turn = (self->turn + i + 1) % self->count;
            return true;
        }
        if (n < 0 && errno != EINTR) {
            log_error("driver.output", "path=\"%s\" error=\"%s\"", tail->path, strerror(errno));
            tail->sent = tail->acknowledged =
                UINT64_MAX - WINDOW_BYTES; /* nobody shall wait for what cannot be had */
        }
    }
    return false;
}
