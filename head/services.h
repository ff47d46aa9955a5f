/*  services.h - what the head does beside deciding: programs by content, drivers' output, views, rows of studies.
    Nothing here changes what the core knows.  Used from the loop's thread. */
#ifndef RAYC_SERVICES_H
#define RAYC_SERVICES_H
#include "common/base.h"
#include "common/err.h"
#include "head/core/core.h"
#include "head/store.h"
#include "head/turn.h"

struct services;

struct services_options {
    const char *state_dir;
    struct store *store;
    uint32_t package_keep_s; /* what nobody needs stays in the content store so long */
    const struct core *core;
    turn_send *send;
    void *context; /* of send */
};

MUST_CHECK int services_open(struct services **out, const struct services_options *options);
void services_close(struct services **self); /* NULL-safe */
/*  True: the message was for a service, and is done with.  False: it is for the core (the LOG that begins a log is for
    both; a JOB_RETRY has become the JOB_OPEN that it stands for). */
bool services_take(struct services *self, uint32_t peer, struct msg *msg);
/*  After the commit of the turn: what was asked is answered.  True: there is more, for the next turn, at once. */
bool services_begin(struct services *self);
/*  A message that services_take() took, and that is for the core now: a WATCH, behind the output that it asked for. */
bool services_late(struct services *self, uint32_t *peer, struct msg *out);
/*  Its files can go: the job was deleted, durably. */
void services_forget(struct services *self, uint64_t job);
/*  After each commit: removes files that nothing names, some at a time. */
void services_sweep(struct services *self, uint64_t now_ms, uint64_t wall_ms);
/*  Nothing large is under way: memory of what was goes back. */
void services_rest(struct services *self);
void services_peer_gone(struct services *self, uint32_t peer);
int services_fd(const struct services *self); /* readable: call services_answer() */
void services_answer(struct services *self);  /* sends the answers of views that are there */
#endif
