/*  store.h - of the simulated world: the stores of nodes, in which values have a size and a hash, and no bytes. */
#ifndef RAYC_SIM_STORE_H
#define RAYC_SIM_STORE_H
#include "proto/proto.h"
#include "worker/node_store.h"

struct sim;
struct node;

void store_starts(struct sim *sim, struct node *node); /* empty, as a new process has it */
void store_ends(struct sim *sim, struct node *node);
void store_lost(struct sim *sim, const struct node *node); /* the head has given the node up */
/*  A value is made here, by the attempt with this token, or put: then by none. */
void store_seal(struct sim *sim, struct node *node, uint64_t task, uint64_t token);
void store_unseal(struct node *node, uint64_t task); /* its attempt has failed */
bool store_has(const struct node *node, uint64_t task);
bool store_had(const struct node *node, uint64_t task); /* it may have been evicted since */
/*  It comes from a node that has it: false: none has. */
bool store_fetch(struct sim *sim, struct node *node, uint64_t task);
/*  What the head says of the store, and what the store tells the head. */
void store_message(struct node *node, const struct msg *msg);
void store_away(struct node *node);
void store_tells(struct sim *sim, struct node *node);

void rule_stores(struct sim *sim); /* after healing: within bounded time */
#endif
