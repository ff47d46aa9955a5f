/*  carry.h - objects travel between nodes: gives those of this node's store to others, and fetches theirs.

    A thread of its own does both, so that the loop never waits.  It answers over a ROUTER, from the memory of the store
    itself; whoever asks says a token with each request: a worker gets every object, a user its own, an administrator all,
    as the head says (TOKEN_CHECK).  With the pair of members, all is CURVE: who dials must have that pair, and the key of
    who answers is made anew with each start and told with its address, through the head. */
#ifndef RAYC_CARRY_H
#define RAYC_CARRY_H
#include "proto/pulls.h"

struct carry;

/*  An object while it is given, in memory. */
struct carry_view {
    struct slice value;
    void *memory; /* mapped, for munmap(); NULL: nothing is to be unmapped */
    size_t bytes;
};

/*  The store.  Any function may be called by the thread of carry. */
struct carry_store {
    struct pulls_sink sink;
    void *context;
    /* Pins an object of this user, or with 0 of anybody: OK, PULLS_LATER, or ERR_NOT_FOUND and others. */
    int (*get)(void *context, uint64_t user, uint64_t task, uint32_t index, uint32_t *pin);
    int (*ready)(void *context, uint32_t pin);
    int (*view)(void *context, uint32_t pin, struct carry_view *out);
    void (*unpin)(void *context, uint32_t pin);
    /* Of a buffer of the sink: what is in it is the primary copy. */
    int (*seal)(void *context, uint32_t buffer, uint64_t task, uint32_t index);
    int watch; /* an eventfd that is written when something may be ready; -1: none */
};

struct carry_options {
    const char *endpoint;         /* tcp://ADDRESS:PORT, with * for any port, or ipc://PATH */
    const struct member_key *key; /* NULL: without encryption */
    struct carry_store store;
    struct pulls_options pulls; /* its sink and key are taken from here */
};

enum { CARRY_ADDRESS_BYTES = 256 };

MUST_CHECK int carry_open(struct carry **out, const struct carry_options *options);
void carry_close(struct carry **self); /* aborts what is on its way; NULL-safe */
/*  for other nodes: the endpoint, a blank, the key */
const char *carry_address(const struct carry *self);

/*  The loop's side. */
void carry_say_token(struct carry *self, const char *token); /* to other nodes */
void carry_pull(struct carry *self,
                const struct pull_order *order); /* refused ones are told as PULL_FAILED */
void carry_cancel(struct carry *self, uint64_t task, uint32_t index);
int carry_fd(const struct carry *self); /* readable: ask both, carry_next() first */
bool carry_next(struct carry *self, struct pull_news *out);
bool carry_ask(struct carry *self, struct msg_token_check *out); /* a question to the head */
bool carry_asked(uint64_t seq); /* is the question of this seq one of carry_ask()? */
void carry_answer(struct carry *self, const struct msg_token_may *msg);
void carry_lost(struct carry *self); /* the head, and with it all answers that are due */
#endif
