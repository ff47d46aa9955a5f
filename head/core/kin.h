/*  kin.h - what ties tasks together: who waits for whose result, which attempt has submitted which tasks, and CPUs that
    are free because attempts wait for others.  Private to head/core. */
#ifndef RAYC_CORE_KIN_H
#define RAYC_CORE_KIN_H
#include "common/list.h"
#include "head/core/core.h"

struct task;

/*  The column task.cancelled. */
enum { CANCEL_ROW_ASK = 1, CANCEL_ROW_KILL = 2, CANCEL_ROW_TREE = 4 };

struct edge { /* task `waiter` waits for task `dep`; ids, because either may have gone */
    uint64_t dep;
    uint64_t waiter; /* with counter 0: its session, which has borrowed the reference, does */
    uint32_t link;
};

struct parent { /* an attempt that has submitted tasks which have not ended: kin.c */
    uint64_t token, task;
    uint32_t link, by_task;
    uint32_t left; /* children that its fate has not reached */
    uint8_t fate;
    bool over;  /* the attempt has ended */
    bool asked; /* how its task has ended is being looked up */
    struct chain children;
    struct link_pair fated;
};

struct child {
    uint64_t task;
    uint32_t link;
    uint32_t parent;
    struct link_pair sibling;
};

#define PARENT_FATED  offsetof(struct parent, fated)
#define CHILD_SIBLING offsetof(struct child, sibling)

struct cancel {
    bool force;
    bool tree; /* and all that it has submitted */
};

struct slots { /* of one demand on one node */
    uint32_t slots;
    uint32_t leases;
    uint32_t waiting; /* leases that wait for other tasks */
};

/*  kin.c: what tasks have submitted. */
void kin_add(struct core *core, uint64_t parent, uint64_t token, uint64_t child);
bool kin_parent(const struct core *core, uint32_t peer, const struct rec_call *call,
                struct row_task_new *row); /* fills `parent` and `parent_fence` */
bool kin_is_child(const struct core *core, uint64_t task);
void kin_cancel(struct core *core, const struct task *task); /* it was cancelled */
void kin_orphan(struct core *core, const struct task *task); /* its attempt has failed */
void kin_ended(struct core *core, const struct task *task, bool failed);
void kin_sweep(struct core *core);
void kin_restored(struct core *core);
void kin_looked_up(struct core *core, uint64_t task, bool finished);

/*  blocked.c: CPUs of attempts that wait for others. */
uint32_t slots_busy(const struct slots *slots); /* those that hold their CPUs */
/*  What they hold is taken and given back. */
void slots_set(struct core *core, uint32_t node, uint32_t demand, const struct slots *to);
void blocked_recall(struct core *core, uint32_t node);
void lease_waits(struct core *core, struct task *task, bool waits);
void on_node_waits(struct core *core, uint32_t peer, const struct msg_node_waits *msg);

/*  circle.c: attempts that wait for each other. */
void on_awaits(struct core *core, uint32_t peer, const struct msg_awaits *msg);
#endif
