/*  offer.h - offers the program of a session to a head again, after a reconnect.  For whoever has the link, under the lock. */
#ifndef RAYC_OFFER_H
#define RAYC_OFFER_H
#include "client/session.h"

/*  True: it was offered, and the session is PHASE_OFFERING; false: there is nothing to offer. */
bool offer_begin(struct session *self);
/*  The answer to the newest piece, PROGRAM_HAS or REFUSED.  True: the head has it, or does not take it. */
bool offer_ends(struct session *self, const struct msg *msg);
#endif
