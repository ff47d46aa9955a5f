/*  place.h - of the simulated world: what tasks ask of nodes and how urgent they are, and what the rows say of it. */
#ifndef RAYC_SIM_PLACE_H
#define RAYC_SIM_PLACE_H
#include "head/rows.h"
#include "proto/proto.h"

struct sim;
struct client;
struct node_seen;
struct spec_seen;
struct task_seen;

enum { PLACE_KINDS = 3 }; /* CPU, memory, GPU */

struct place_seen {  /* of a spec */
    uint32_t labels; /* place in the table of selectors */
    /*  none of its tasks before this one (in the oracle's) waits for its first lease */
    uint32_t plain;
    int32_t priority;
    struct strategy strategy;
    uint64_t need[PLACE_KINDS];
    /*  specs of one user with equal ones are one line; 0: of an actor, or with a limit of its own */
    uint64_t rivals;
};

/*  Labels of a worker; what a spec asks for, its text in `strategy`, and the hash of that. */
const char *place_labels(uint32_t worker);
uint64_t place_draw(struct sim *sim, struct rec_spec *record, char strategy[STRATEGY_MAX]);

void place_seen_node(struct node_seen *node, const struct row_node_new *row);
bool place_wants(struct sim *sim, uint64_t node); /* something may run there only */
void place_seen_spec(struct sim *sim, struct spec_seen *spec, const struct rec_spec *record);
void rule_place(struct sim *sim, const struct task_seen *task, uint64_t node);
bool place_could(struct sim *sim, const struct task_seen *task, uint64_t node);
void rule_unschedulable(struct sim *sim, const struct task_seen *task);
#endif
