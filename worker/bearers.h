/*  bearers.h - whose token is it?  Only the head knows: threads of the HTTP port ask here and wait, the loop sends their
    questions, and answers hold for a while.  An answer of "nobody" is kept, too. */
#ifndef RAYC_BEARERS_H
#define RAYC_BEARERS_H
#include "common/err.h"
#include "proto/proto.h"

enum { BEARERS_FRESH_MS = 2000, BEARERS_WAIT_MS = 2000, BEARERS_MAX = 64 };

struct bearers;

MUST_CHECK int bearers_open(struct bearers **out);
void bearers_close(struct bearers **self); /* nobody asks any more; NULL-safe */

/*  Any thread: the role that the token has.  ERR_TOKEN: none.  ERR_BUSY: BEARERS_MAX are asked for.  ERR_UNREACHABLE: no
    answer came in time. */
MUST_CHECK int bearers_role(struct bearers *self, const char *token, uint32_t *role);

/*  The loop: readable when there is a question; the question; its answer; the head is away, answers with it. */
int bearers_fd(const struct bearers *self);
bool bearers_next(struct bearers *self, struct msg_token_check *out);
void bearers_answer(struct bearers *self, const struct msg_token_may *msg);
void bearers_lost(struct bearers *self);
#endif
