/*  ask.h - the command line's connection to a head: requests and their replies, and the stream of a watch.

    It says HELLO, beats, dials again and asks again when the head has restarted: so every request must be
    idempotent.  A head with a lower epoch than one met before, or of another major version, is refused.
    One thread; a reply borrows its bytes until the next call. */
#ifndef RAYC_CLI_ASK_H
#define RAYC_CLI_ASK_H
#include "common/base.h"
#include "common/err.h"
#include "common/key.h"
#include "proto/proto.h"

struct ask;

struct ask_to {
    const char *address;
    const struct member_key *key; /* NULL: without */
    const char *token;            /* NULL: token_find() */
    uint32_t first_ms;            /* how long to wait for the first WELCOME */
    uint32_t again_ms;            /* how long to wait for a head that went away */
    /*  Called about each second of waiting, with how long no head has answered (0: one does): an embedded cluster may
        be started again here.  May be NULL. */
    void (*turn)(void *context, uint64_t lost_ms);
    void *context;
};

/*  Also on failure *out is set, for ask_text(): always ask_close().  ERR_UNREACHABLE, ERR_VERSION, ERR_KEY,
    ERR_INVALID (the address). */
MUST_CHECK int ask_open(struct ask **out, const struct ask_to *to);
void ask_close(struct ask **self);            /* NULL-safe */
const char *ask_text(const struct ask *self); /* of the last failure: what, where, what to do */

/*  Sends a request (its seq is set here) and waits for its reply.  A refusal is its code, the text is the head's. */
MUST_CHECK int ask(struct ask *self, enum msg_kind kind, void *request, enum msg_kind reply_kind,
                   struct msg *reply);

/*  For streams.  ask_generation() grows with every WELCOME: what was asked before must be asked again.
    ask_next() waits for the next message: ERR_TIMEOUT, also after a WELCOME; ERR_CANCELLED when wake_fd became readable (-1: none). */
MUST_CHECK int ask_send(struct ask *self, enum msg_kind kind, void *request);
MUST_CHECK int ask_next(struct ask *self, uint32_t timeout_ms, int wake_fd, struct msg *out);
uint32_t ask_generation(const struct ask *self);
bool ask_connected(const struct ask *self);

const char *ask_version(const struct ask *self); /* of the head's program */
const char *ask_address(const struct ask *self);
const char *ask_user(const struct ask *self); /* whom the token belongs to */
uint32_t ask_may(const struct ask *self);     /* enum role: what it gives */
bool ask_embedded(const struct ask *self);
bool ask_near(
    const struct ask
        *self); /* the head runs on this machine, outside of containers: paths are the same */
#endif
