/*  node.h - workers: joining, beating, being lost, being drained.  Private to head/core. */
#ifndef RAYC_NODE_H
#define RAYC_NODE_H
#include "head/core/core.h"

struct ending;

void on_node_join(struct core *core, uint32_t peer, const struct msg_node_join *msg);
void on_node_beat(struct core *core, uint32_t peer, const struct msg_node_beat *msg);
void on_node_bye(struct core *core, uint32_t peer, const struct msg_node_bye *msg);
void on_inventory(struct core *core, uint32_t peer, const struct msg_inventory *msg);
void on_done(struct core *core, uint32_t peer, const struct msg_done *msg);
void node_lost(struct core *core, uint32_t index, const char *reason, bool dead_for_sure);
uint32_t node_new(struct core *core, uint64_t id, struct slice key, struct slice name,
                  struct list capacity, int *code);
void node_scan(struct core *core);
void node_sweep(struct core *core);
void node_end(struct core *core); /* the cluster ends */
void node_resend(struct core *core);
uint32_t node_find(const struct core *core, uint64_t id);
bool node_holds(struct core *core, uint32_t node, const struct rec_held *held);
uint32_t lease_find(const struct core *core, uint64_t task,
                    uint64_t token); /* a current attempt, or NONE */
uint32_t node_of_key(const struct core *core, struct slice key);

/*  drain.c: nodes that take nothing new. */
void on_node_drain(struct core *core, uint32_t peer, const struct msg_node_drain *msg);
void drain_restore(struct core *core, uint32_t node, const struct restored *row);
void drain_scan(struct core *core, uint32_t node);   /* has its grace passed? */
void drain_recall(struct core *core, uint32_t node); /* asks back what should not be there */
/*  Its worker has given a task back. */
void drain_returned(struct core *core, uint32_t task, const struct ending *how);
#endif
