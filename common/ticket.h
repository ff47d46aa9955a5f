/*  ticket.h - the text of a ticket: numbers, and a MAC over them.  Whoever has the key makes tickets, and sees which it
    has made.  The head has one key for what it leases, "rayct_JOB_TASK_FENCE_MAC", and of each node another one, which
    that node's worker has, too, "raycn_JOB_TASK_FENCE_NODE_MAC".  Pure. */
#ifndef RAYC_TICKET_TEXT_H
#define RAYC_TICKET_TEXT_H
#include "common/base.h"

enum { TICKET_SECRET_BYTES = 32, TICKET_BYTES = 192 };

struct ticket {
    uint64_t job, task, fence;
    uint64_t node; /* whose worker has made it; 0: the head */
};

void ticket_text(const uint8_t key[TICKET_SECRET_BYTES], const struct ticket *ticket,
                 char out[TICKET_BYTES]);
/*  The numbers of a ticket, which anybody can write: ticket_good() says whether its MAC is right. */
bool ticket_parse(const char *text, struct ticket *out);
bool ticket_good(const uint8_t key[TICKET_SECRET_BYTES], const char *text);
/*  The key of a node's worker, from the secret of the head. */
void ticket_node_key(const uint8_t secret[TICKET_SECRET_BYTES], uint64_t node,
                     uint8_t out[TICKET_SECRET_BYTES]);
#endif
