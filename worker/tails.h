/*  tails.h - the output of drivers on its way to the head, as LOG messages: in order, at most a window ahead of what
    the head has acknowledged, and again from there after a reconnect.  A driver's file is kept until the head has all
    of it.  Offsets are those of the file. */
#ifndef RAYC_TAILS_H
#define RAYC_TAILS_H
#include "common/err.h"
#include "proto/proto.h"

struct tails;

enum { TAIL_MS = 50 /* how often tails_on_time() is due while tails_busy() */ };

MUST_CHECK int tails_open(struct tails **out);
void tails_close(struct tails **self);
/*  Takes `fd`, the file at `path`.  ERR_BUSY: too many. */
MUST_CHECK int tails_add(struct tails *self, const struct msg_log *who, int fd, const char *path);
/*  The driver has ended, and its file grows no more. */
void tails_end(struct tails *self, uint64_t token);
bool tails_sent(struct tails *self,
                uint64_t token); /* all of it, at least once; or nobody knows the token */
void tails_drop(struct tails *self, uint64_t token); /* nobody wants it any more */
bool tails_busy(const struct tails *self); /* a driver runs, or the head has not acknowledged all */
void tails_on_time(struct tails *self, uint64_t now_ms);

void tails_joined(struct tails *self,
                  bool joined); /* true: say all again that was not acknowledged; false: wait */
void tails_on_ack(struct tails *self, const struct msg_log_ack *ack);
/*  The next LOG to send; its data is valid until the next call. */
bool tails_next(struct tails *self, struct msg_log *out);
#endif
