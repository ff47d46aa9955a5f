/*  followers.h - peers that read output as it comes: of jobs and of attempts, from WATCH until they go.  The core tells
    them of a job's state; of a task's, this does. */
#ifndef RAYC_FOLLOWERS_H
#define RAYC_FOLLOWERS_H
#include "head/core/core.h"
#include "head/log_files.h"
#include "proto/proto.h"

struct followers;

enum { FOLLOWERS_MAX = 1024 };

struct followers_to {
    void (*say)(void *context, uint32_t peer, enum msg_kind kind, const void *msg);
    void *context;
    const struct core *core;
    const struct log_files *files;
};

MUST_CHECK int followers_open(struct followers **out, const struct followers_to *to);
void followers_close(struct followers **self); /* NULL-safe */
/*  Remembers who asked; output is sent by followers_turn(), and the answer to the WATCH when all of it was.  A newer
    WATCH of the same replaces it, and is answered alone.  *answers: false: it asks for no output, and its answer is due
    now.  ERR_BUSY: too many. */
MUST_CHECK int followers_watch(struct followers *self, uint32_t peer, const struct msg_watch *msg,
                               bool *answers);
void followers_grew(struct followers *self, const struct log_name *name);
/*  Once in a turn: sends a bounded part of what followers lack, and tells of tasks that have begun another attempt, or
    have ended.  True: there is more to do at once. */
bool followers_turn(struct followers *self);
/*  A WATCH of a job whose output was sent: the core is to answer it.  False: there is none. */
bool followers_next(struct followers *self, uint32_t *peer, struct msg_watch *out);
void followers_gone(struct followers *self, uint32_t peer);
#endif
