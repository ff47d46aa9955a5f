/*  carry_state.h - what carry.c (the thread and the loop's side), carry_give.c (answers), carry_take.c (what is put) and
    carry_bearers.c (whose token is it) share. */
#ifndef RAYC_CARRY_STATE_H
#define RAYC_CARRY_STATE_H
#include <pthread.h>
#include <stdatomic.h>
#include <zmq.h>
#include "proto/chunk_hash.h"
#include "worker/carry.h"

enum { CARRY_BEARERS = 64, PEER_ID_BYTES = 5 };

enum bearer_state { BEARER_UNUSED, BEARER_WANTED, BEARER_ASKED, BEARER_KNOWN };

struct carry_bearer {
    enum bearer_state state;
    uint8_t hash[TOKEN_HASH_BYTES];
    uint64_t seq, at_ms, user;
    uint32_t role;
    bool told; /* role and user are of an earlier answer */
};

struct command {
    struct command *next;
    bool cancel;
    struct pull_order order;
    struct pull_source sources[PULL_SOURCES_MAX];
    char addresses[]; /* of them, one after the other */
};

struct told {
    struct told *next;
    struct pull_news news;
};

/*  An object that is being given.  Messages of it may still be in ZeroMQ's hands. */
struct lent {
    struct lent *next;
    uint64_t task, user;
    uint32_t index, pin;
    bool ready;
    int code; /* of one that cannot be given */
    struct carry_view view;
    struct chunk_hash *hashes, whole;
    uint8_t *known; /* which hashes are */
    uint32_t chunks, known_count;
    atomic_uint out; /* messages */
    uint64_t used_ms;
};

/*  A request that waits for the head's or the store's answer. */
struct waiting {
    struct waiting *next;
    uint8_t peer[PEER_ID_BYTES];
    uint8_t token[TOKEN_HASH_BYTES];
    uint64_t seq, task, size, offset, user, since_ms;
    uint32_t index;
};

/*  An object that is put from elsewhere. */
struct upload {
    struct upload *next;
    uint64_t number, user, size;
    uint32_t buffer;
    bool ready;
    uint8_t *known; /* which chunks are here */
    uint32_t chunks, known_count;
    uint64_t begun_ms, used_ms;
};

struct carry {
    struct carry_options options;
    struct cluster_key own;
    char address[CARRY_ADDRESS_BYTES];
    pthread_t thread;
    bool started;
    int wake, fd; /* eventfds: for the thread, for the loop */

    pthread_mutex_t lock; /* of what follows */
    bool ending, token_new;
    char token[TOKEN_TEXT_MAX + 1];
    struct command *commands, **commands_end;
    struct told *told, **told_end;
    struct carry_bearer bearers[CARRY_BEARERS];
    uint64_t seq; /* of questions */

    /* Of the thread: */
    struct pulls *pulls;
    void *context, *router, *zap;
    struct lent *lents;
    struct waiting *waiting;
    uint32_t waiting_count;
    struct upload *uploads;
    uint32_t upload_count;
    uint64_t now_ms;
    uint64_t trim_ms; /* when memory goes back to the system */
};

/*  carry_give.c */
MUST_CHECK int give_open(struct carry *self);
void give_close(struct carry *self);
void give_turn(struct carry *self);
bool give_busy(const struct carry *self); /* it wants a turn soon */

/*  carry_take.c.  What to answer: OK; PULLS_LATER; why not, with *text. */
int take_chunk(struct carry *self, const struct msg_carry_put *put, struct slice bytes,
               const char **text);
void take_turn(struct carry *self);
void take_close(struct carry *self);

/*  carry_bearers.c.  OK; PULLS_LATER: the head is asked; ERR_TOKEN: nobody's. */
int carry_bearer(struct carry *self, const uint8_t hash[TOKEN_HASH_BYTES], uint32_t *role,
                 uint64_t *user);
#endif
