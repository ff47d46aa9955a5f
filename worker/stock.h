/*  stock.h - what the node's store has, told to the head: all of it after each NODE_JOINED, then what goes or is
    spilled; and what the head wants done with it.  Of the loop's thread. */
#ifndef RAYC_STOCK_H
#define RAYC_STOCK_H
#include "common/err.h"
#include "proto/proto.h"
#include "worker/node_store.h"

struct stock;

MUST_CHECK int stock_open(struct stock **out, struct node_store *store);
void stock_close(struct stock **self); /* NULL-safe */
int stock_fd(
    const struct stock *self); /* readable: a copy may have gone by itself, see stock_look() */
void stock_look(struct stock *self);

/*  It has come from another node, or the head may not know that it is here. */
void stock_tell(struct stock *self, uint64_t task, uint32_t index);
void stock_joined(struct stock *self, uint64_t node); /* 0: the head is away */
void stock_on_drop(struct stock *self, const struct msg_object_drop *msg);
void stock_on_keep(struct stock *self, const struct msg_object_keep *msg);
void stock_on_ack(struct stock *self, const struct msg_stock_ack *msg);
/*  The next frame to be sent, valid until the next call of any of these; false: there is none. */
bool stock_next(struct stock *self, uint64_t now_ms, struct msg_stock *out);
#endif
