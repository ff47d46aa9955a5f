/*  object.h - of the simulated world: values that clients put into the store of a node, and drop again. */
#ifndef RAYC_SIM_OBJECT_H
#define RAYC_SIM_OBJECT_H
#include "head/rows.h"
#include "proto/proto.h"
#include "worker/core/worker.h"

struct sim;
struct client;
struct call;
struct node;
struct item;
struct task_seen;

void object_draw(struct sim *sim, struct call *call,
                 uint64_t id); /* a put: some are stored in a node */
/*  What its CALL says of that, and of what its arguments have inside; `sealed` has room for one record. */
void object_call(const struct client *self, const struct call *call, struct wire *sealed,
                 struct rec_call *out);
/*  What a task has returned is stored where it ran, of every third task. */
struct list object_result(struct sim *sim, uint32_t node, const struct item *item,
                          struct slice room);
/*  Some clients drop all that they have, when all is submitted: a task that uses a value holds it then. */
void object_drops(struct sim *sim, struct client *self);
void object_taken(struct client *self, const struct msg_refs_taken *msg);

/*  A worker has objects fetched, which takes a while and may fail; and begins an attempt: what it needs is there. */
void object_pull(struct sim *sim, struct node *node, const struct act *act);
void object_needed(struct sim *sim, const struct node *node, const struct act *act);

/*  What the rows say, and what must hold of them. */
void seen_object_new(struct sim *sim, const void *row);
void seen_object_owned(struct sim *sim, const void *row);
void seen_object_where(struct sim *sim, const void *row);
void seen_object_state(struct sim *sim, const void *row);
void seen_object_again(struct sim *sim, const void *row);
void seen_object_rebuilds(struct sim *sim, const void *row);
uint32_t object_attempt(const struct task_seen *task); /* with those that have made it again */
bool object_is_remade(
    const struct task_seen *task); /* it has ended, and runs again for its object */
void rule_near(struct sim *sim, const struct task_seen *task, uint64_t leased);
void rule_sources(struct sim *sim, const struct rec_start *start);
void objects_end(struct sim *sim);
#endif
