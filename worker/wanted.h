/*  wanted.h - values that are needed on this node and are not here: by attempts, before they start, and by clients of its
    store.  The head says where they are, carry fetches them, and who needs them is told.  The loop's; nothing waits. */
#ifndef RAYC_WANTED_H
#define RAYC_WANTED_H
#include "worker/carry.h"
#include "worker/core/worker.h"
#include "worker/stock.h"
#include "worker/store_socket.h"

struct wanted;

struct wanted_parts {
    struct node_store *store;
    struct stock *stock; /* is told what has come */
    struct store_socket *socket;
    struct carry *carry;
};

MUST_CHECK int wanted_open(struct wanted **out, const struct wanted_parts *parts);
void wanted_close(struct wanted **self); /* NULL-safe */

/*  An attempt needs the objects of its ACT_PULL; wanted_next() answers. */
void wanted_pull(struct wanted *self, const struct act *act);
/*  The next WEV_PULLED; what it borrows is valid until the next call.  False: there is none. */
bool wanted_next(struct wanted *self, struct worker_event *event);

void wanted_turn(struct wanted *self,
                 uint64_t now_ms); /* takes what clients want, and what carry has done */
uint64_t wanted_due(const struct wanted *self); /* when the next turn is */
void wanted_joined(struct wanted *self,
                   uint64_t node); /* ask again what is not answered; 0: the head is away */
/*  That nodes do not have what the head thinks they have; to be said before wanted_ask().  False: nothing. */
bool wanted_missing(struct wanted *self, struct msg_fetch_failed *out);
/*  What to ask the head now; false: nothing. */
bool wanted_ask(struct wanted *self, struct msg_where *out);
void wanted_places(struct wanted *self, const struct msg_places *msg);
#endif
