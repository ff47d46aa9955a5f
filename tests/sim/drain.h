/*  drain.h - of the simulated world: nodes that are drained and take work again, and what the rows say of nodes. */
#ifndef RAYC_SIM_DRAIN_H
#define RAYC_SIM_DRAIN_H
#include "head/rows.h"
#include "proto/proto.h"
#include "tests/sim/place.h"

struct sim;
struct task_seen;

#define SEQ_DRAIN (1ull << 30) /* of a worker that ends: worker/core/state.h */

struct nodes_seen {
    struct node_seen {
        uint64_t id;
        uint32_t drain; /* enum drain */
        bool dead, suspect;
        uint32_t label_set; /* place.c */
        uint64_t capacity[PLACE_KINDS];
    } * list;
    uint32_t count, room;
    uint64_t charged; /* task whose newest attempt died with a node that lives; 0: none */
};

/*  A message of the head itself, to it (user.c). */
void head_own(struct sim *sim, enum msg_kind kind, const void *value);

void drain_strike(struct sim *sim);
void drains_heal(struct sim *sim);
void node_seen_new(struct sim *sim, const struct row_node_new *row);
struct node_seen *node_seen_of(struct sim *sim, uint64_t id); /* NULL: no row */
void node_seen_state(struct sim *sim, uint64_t id, uint32_t state);
void seen_node_drain(struct sim *sim, const void *from);
void rule_lease_node(struct sim *sim, const struct row_lease_new *row);
void rule_died(struct sim *sim, const struct row_attempt_end *row);
void rule_charged(struct sim *sim, const struct task_seen *task, const struct row_task_again *row);
void sent_drained(struct sim *sim, const struct msg_changed *msg);
#endif
