/*  outbox.h - the tasks that a session has submitted and the head may not yet have for good.
    Calls are encoded once, into batches; a batch is kept until the head has it on its disk, and
    is sent again from wherever the head says it stands (go-back-N: the counters make that
    idempotent).  The newest batch is open until it is sealed.  A spec travels in the batch that
    first uses it, so it arrives with it or is sent again with it. Not thread-safe: the session's
    lock guards it; a sealed batch may be read without. */
#ifndef RAYC_OUTBOX_H
#define RAYC_OUTBOX_H
#include "common/base.h"
#include "proto/proto.h"

enum {
    BATCH_CALLS = 256,
    BATCH_BYTES = 1 * MIB, /* beyond it only for a single call */
    IN_FLIGHT_MAX = 128,   /* batches sent and not acknowledged */
    FRAME_HEAD_BYTES = 64  /* of a SUBMIT, around its lists */
};

struct batch {
    struct batch *next;
    uint64_t first; /* counter of its first call */
    uint32_t count;
    uint32_t spec_count;
    struct wire calls, specs;
};

struct outbox {
    struct batch *oldest, *newest;
    /*  the first that is not committed at the head, as far as we know; NULL: none */
    struct batch *waiting;
    struct batch *unsent; /* the first that this connection has not carried; NULL: none */
    struct batch *spare;  /* an emptied one, for the next */
    bool open;            /* the newest is not sealed */
    uint64_t next;        /* counter of the next call */
    uint64_t below;       /* the head has committed all before */
    uint64_t synced;      /* and has on its disk all before */
    uint32_t in_flight;   /* batches sent on this connection and not acknowledged */
};

void outbox_init(struct outbox *self);
void outbox_fini(struct outbox *self);

/*  Appends the call of counter `next`; `spec` is its encoded SPEC if the head has not been told,
    else empty. */
void outbox_add(struct outbox *self, const struct rec_call *call, struct slice spec);

/*  The next sealed batch to send; NULL: none now.  `lone`: seal the open one, too, unless
    answers are under way that will bring us back here: so a lone task leaves at once, and a
    flood forms batches.  `all`: in any case. */
struct batch *outbox_next(struct outbox *self, bool all);
void outbox_sent(struct outbox *self);                  /* what outbox_next() gave */
bool outbox_ready(const struct outbox *self, bool all); /* would outbox_next() give one? */

/*  The head's answer.  False: it has less than what it once confirmed for good, or more than we
    ever sent. */
MUST_CHECK bool outbox_ack(struct outbox *self, uint64_t below, uint64_t synced);
void outbox_rewind(struct outbox *self); /* send again what lies beyond `below` */

size_t batch_bytes(const struct batch *batch);
#endif
