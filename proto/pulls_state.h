/*  pulls_state.h - what pulls.c (orders, turns, patience), pulls_chunks.c (requests and what comes) and pulls_peer.c (the
    connections) share. */
#ifndef RAYC_PULLS_STATE_H
#define RAYC_PULLS_STATE_H
#include <zmq.h>
#include "proto/chunk_hash.h"
#include "proto/pulls.h"

enum {
    REQUESTS_MAX = 256,
    PEER_REQUESTS_MAX = 64,
    PEER_BYTES_MAX = 8 * CARRY_CHUNK,
    FLIGHT_BYTES_MAX = 64 * CARRY_CHUNK,
    PEER_IDLE_MS = 60000, /* a node of which nothing is wanted is hung up on after that */
    PEER_ADDRESS_BYTES = 300
};

/*  A node that is dialled. */
struct peer {
    struct peer *next;
    char address[PEER_ADDRESS_BYTES]; /* with its key */
    void *dealer, *monitor;
    bool up;
    const char *refused; /* why it never will be up; static */
    uint32_t pulls;      /* that have it as a source */
    uint32_t requests;   /* in flight */
    uint64_t bytes;      /* of them */
    uint64_t heard_ms;   /* when it last said anything */
    uint64_t pause_ms;   /* it is not asked before */
};

struct source {
    uint64_t node;
    struct peer *peer;
    bool struck; /* it does not have the object, or not that one */
    bool told;   /* its hash of the whole */
    struct chunk_hash whole;
};

enum pull_state {
    PULL_QUEUED = 1, /* waits for its turn */
    PULL_ROOM,       /* for its buffer */
    PULL_RUNS,
    PULL_CHECKS /* all is here but the hash of the whole */
};

enum { CHUNK_HERE = 255 };

struct pull {
    struct pull *previous, *next;
    uint64_t task, size, user;
    uint32_t index;
    enum pull_state state;
    uint32_t orders;
    uint32_t buffer;
    uint32_t chunks, here, flying; /* flying: its requests */
    uint32_t hint;                 /* no chunk below it is wanted */
    uint8_t *flights;              /* of each chunk: requests in flight, or CHUNK_HERE */
    struct chunk_hash *hashes;
    struct source sources[PULL_SOURCES_MAX];
    uint32_t source_count;
    uint64_t progress_ms;
    bool warned;
};

struct request {
    struct pull *pull; /* NULL: free */
    struct peer *peer;
    uint64_t seq;
    uint64_t asked_ms;
    uint32_t chunk; /* NONE: only the hash of the whole */
    uint32_t bytes;
};

struct news {
    struct news *next;
    struct pull_news it;
};

struct pulls {
    struct pulls_options options;
    void *context;
    int epoll;
    uint64_t now_ms;
    char token[TOKEN_TEXT_MAX + 1];
    struct peer *peers;
    struct pull *first, *last;
    uint32_t count;
    uint64_t admitted; /* bytes of pulls that are not QUEUED */
    struct request requests[REQUESTS_MAX];
    uint32_t request_count;
    uint64_t flight, seq;
    struct news *oldest, *newest;
    struct pulls_stats stats;
};

/*  pulls.c */
void pull_tell(struct pulls *self, const struct pull *pull, const struct pull_news *news);
void pull_end(struct pulls *self, struct pull *pull, int code, const char *text);
/*  This source is of no use for it; with the last one the pull ends. */
void pull_strike(struct pulls *self, struct pull *pull, struct source *source, int code,
                 const char *text);

/*  pulls_chunks.c */
void requests_end_of(struct pulls *self, const struct pull *pull,
                     const struct peer *peer); /* NULL: any */
void requests_on_time(struct pulls *self);
bool requests_fill(struct pulls *self); /* true: something was asked */
void requests_answer(struct pulls *self, struct peer *peer, struct slice head, struct slice bytes);
struct source *pull_source_of(struct pull *pull, const struct peer *peer);

/*  pulls_peer.c.  An address is an endpoint, and after a blank the public key of who listens there.  ERR_KEY: there is
    none.  *out is to be closed, also when it failed. */
MUST_CHECK int pull_dealer_open(void *context, const char *address, const struct member_key *key,
                                void **out);
MUST_CHECK int pull_dealer_connect(void *dealer, const char *address); /* ERR_INVALID: it is none */
MUST_CHECK int pull_peer_open(struct pulls *self, const char *address,
                              struct peer **out);            /* or one that is */
void pull_peer_close(struct pulls *self, struct peer *peer); /* nobody uses it */
bool pull_peer_take(struct pulls *self, struct peer *peer);  /* what it says; true: something */
bool pull_peer_ask(struct peer *peer, const struct msg_carry_get *get); /* false: not now */
#endif
