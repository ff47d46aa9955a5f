/*  wanted.h - values that clients of this node's store want and it does not have: the head says where they are, carry
    fetches them, and the store's socket is told.  The loop's; nothing here waits. */
#ifndef RAYC_WANTED_H
#define RAYC_WANTED_H
#include "worker/carry.h"
#include "worker/store_socket.h"

struct wanted;

MUST_CHECK int wanted_open(struct wanted **out, struct carry *carry, struct store_socket *socket);
void wanted_close(struct wanted **self); /* NULL-safe */

void wanted_turn(struct wanted *self); /* takes what clients want, and what carry has done */
void wanted_joined(struct wanted *self, uint64_t node); /* ask again what is not answered */
/*  What to ask the head now; false: nothing. */
bool wanted_ask(struct wanted *self, struct msg_where *out);
/*  That a node does not have what the head thinks it has. */
bool wanted_missing(struct wanted *self, struct msg_fetch_failed *out);
void wanted_places(struct wanted *self, const struct msg_places *msg);
void wanted_refused(struct wanted *self, const struct msg_refused *msg);
#endif
