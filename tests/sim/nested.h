/*  nested.h - of the simulated world: tasks that submit tasks, and what the rows say of those. */
#ifndef RAYC_SIM_NESTED_H
#define RAYC_SIM_NESTED_H
#include "common/ticket.h"
#include "proto/proto.h"

struct sim;
struct client;
struct item;
struct plan;
struct task_seen;

void nested_plan(struct sim *sim, const struct client *client, struct plan *plan);
/*  The client of an attempt that begins; NONE: it submits nothing. */
uint32_t nested_new(struct sim *sim, uint32_t node, uint32_t executor, const struct item *item);
void nested_token(const struct sim *sim, const struct client *self, char out[TICKET_BYTES]);
#define SEQ_AWAITS (1ull << 58) /* of what it says about that: who waits, waits in no circle */
void nested_answer(struct sim *sim, const struct client *self, const struct msg *msg);
bool nested_submits(const struct sim *sim, uint64_t task); /* it has not submitted all yet */
void nested_waits(struct sim *sim, struct client *self);
void exec_waits_now(struct sim *sim, uint32_t client, enum held_state how);
void exec_nested_ends(struct sim *sim, uint32_t client);
void rule_kin(struct sim *sim, const struct task_seen *task); /* it is leased */
#endif
