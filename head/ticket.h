/*  ticket.h - proofs from what a HELLO brings: the hash of a token, or a ticket that this head has made.
    A ticket is "rayct_JOB_TASK_FENCE_MAC": whoever shows it acts for the owner of the job while the attempt is current.
    Its MAC is keyed with a secret of the head.  Pure. */
#ifndef RAYC_TICKET_H
#define RAYC_TICKET_H
#include "head/core/core.h"

enum { TICKET_SECRET_BYTES = 32, TICKET_BYTES = 160 };

void ticket_make(const uint8_t secret[TICKET_SECRET_BYTES], const struct start_send *start,
                 char out[TICKET_BYTES]);
/*  Of a secret; one that is no good is PROOF_NONE. */
void proof_read(const uint8_t secret[TICKET_SECRET_BYTES], struct slice text, struct proof *out);
#endif
