/*  tails.h - what drivers and attempts print, on its way to the head as LOG messages: in order, at most a window ahead
    of what the head has acknowledged, and again from there after a reconnect.

    A tail reads the files that its attempt prints to, hides secrets, and keeps the window in memory: offsets are those
    of the stream that results.  Who prints faster than the head can take it loses the middle: memory stays flat, and a
    line tells how much was cut. */
#ifndef RAYC_TAILS_H
#define RAYC_TAILS_H
#include "common/err.h"
#include "proto/proto.h"
#include "worker/secrets.h"

struct tails;

enum {
    TAIL_MS = 50, /* how often tails_on_time() is due while tails_busy() and few run */
    TAIL_SOURCES = 2
};

struct tail_new {
    struct msg_log who;    /* job, task, token, attempt */
    int fds[TAIL_SOURCES]; /* files; -1: none.  They are duplicated. */
    uint64_t from, to; /* of the first file: bytes of this attempt; to UINT64_MAX: all that comes */
    const char *path;  /* removed when the head has all; NULL: none */
    const struct secrets *secrets;
};

MUST_CHECK int tails_open(struct tails **out);
void tails_close(struct tails **self);
MUST_CHECK int tails_add(struct tails *self, const struct tail_new *tail); /* ERR_BUSY: too many */
/*  Bytes before `to` of its first file belong to it. */
void tails_grow(struct tails *self, uint64_t token, uint64_t to);
/*  The attempt has ended, and its files grow no more. */
void tails_end(struct tails *self, uint64_t token);
bool tails_sent(struct tails *self,
                uint64_t token); /* all of it, at least once; or nobody knows the token */
bool tails_here(const struct tails *self, uint64_t token);
void tails_drop(struct tails *self, uint64_t token); /* nobody wants it any more */
bool tails_busy(const struct tails *self); /* one runs, or the head has not acknowledged all */
uint64_t tails_pause_ms(const struct tails *self); /* between two looks at the files */
void tails_on_time(struct tails *self, uint64_t now_ms);

/*  true: say all again that was not acknowledged; false: wait */
void tails_joined(struct tails *self, bool joined);
bool tails_are_joined(const struct tails *self);
void tails_on_ack(struct tails *self, const struct msg_log_ack *ack);
/*  The next LOG to send; its data is valid until the next call. */
bool tails_next(struct tails *self, struct msg_log *out);
#endif
