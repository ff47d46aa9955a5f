/*  ticket.h - proofs from what a HELLO brings: the hash of a token, or a ticket (common/ticket.h).  Whoever shows one
    acts for the owner of its job while its attempt is current, and of a node's ticket: leased to that node.  Pure. */
#ifndef RAYC_TICKET_H
#define RAYC_TICKET_H
#include "common/ticket.h"
#include "head/core/core.h"

void ticket_make(const uint8_t secret[TICKET_SECRET_BYTES], const struct start_send *start,
                 char out[TICKET_BYTES]);
/*  Of a secret; one that is no good is PROOF_NONE. */
void proof_read(const uint8_t secret[TICKET_SECRET_BYTES], struct slice text, struct proof *out);
#endif
