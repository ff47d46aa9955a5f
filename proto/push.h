/*  push.h - one value that goes to a node's store from a machine without one, in chunks, several in flight.  Each call waits. */
#ifndef RAYC_PUSH_H
#define RAYC_PUSH_H
#include "common/err.h"
#include "common/key.h"
#include "proto/proto.h"

struct push;

struct push_to {
    const char *address; /* as carry_address() of the node says it */
    const struct member_key *key;
    const char *token;
};

/*  ERR_UNREACHABLE: the node does not answer; or why it does not want the value. */
MUST_CHECK int push_open(struct push **out, const struct push_to *to, struct slice value);
/*  Under its id from now on. */
MUST_CHECK int push_seal(struct push *self, uint64_t task, uint32_t index);
void push_close(struct push **self);           /* what was not sealed is given up; NULL-safe */
const char *push_why(const struct push *self); /* in the node's words; "" */
#endif
