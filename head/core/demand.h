/*  demand.h - what waits for room and what has it: demands, queues of ready tasks, slots; and where tasks may run, which
    is next, and who gets a lease.  Private to head/core. */
#ifndef RAYC_CORE_DEMAND_H
#define RAYC_CORE_DEMAND_H
#include "common/list.h"
#include "head/core/core.h"
#include "head/policy/policy.h"

enum {
    DEMANDS_MAX = 512, /* different demands */
    NODES_MAX = 1024,
    NODE_LABELS_MAX = LABELS_MAX + 512 /* with the head's own */
};

struct node;
struct task;

struct queue { /* ready tasks of one job, demand, priority and answer to infeasibility, in order */
    uint64_t key;
    uint32_t link;
    uint32_t job, demand;
    uint32_t users; /* specs that refer to it */
    int32_t priority;
    bool fail_infeasible;
    bool active;
    struct chain tasks;
    struct link_pair in_demand; /* among the demand's active queues */
};

struct queue_kind {
    bool fail_infeasible;
    int32_t priority;
};

struct rule { /* where tasks may run */
    struct strategy strategy;
    uint32_t selector_bytes;
    uint8_t selector[SELECTOR_MAX];
};

struct demand { /* tasks with the same demand are one class for the scheduler */
    struct amounts need;
    struct rule rule;
    uint64_t suits[NODES_MAX / 64]; /* nodes that the rule allows */
    uint64_t last_node;             /* id of the one that got its newest slot */
    uint64_t session;               /* of a limited one: that of its specs; else 0 */
    uint32_t running_max;           /* so many of its tasks may run at a time; 0: no limit */
    bool used;
    bool no_cpu;
    bool actors; /* of actors: they are never leased ahead, for nobody knows when one ends */
    uint32_t specs;
    bool blocked;           /* has tasks that could run somewhere, but there is no room */
    bool full;              /* while leases are given: no room was found for it */
    uint64_t mean_run_us;   /* of attempts, exponentially weighted; 0: none has ended */
    uint64_t slots, leases; /* on all nodes */
    struct chain queues;    /* active ones */
};

/*  place.c: where tasks may run. */
bool rule_read(struct core *core, const struct rec_spec *spec,
               struct rule *out); /* false: core->refusal */
bool rule_same(const struct rule *a, const struct rule *b);
bool demand_hard(const struct core *core, uint32_t demand); /* one node or none */
void demand_suits_set(struct core *core, uint32_t demand);
bool demand_suits(const struct core *core, uint32_t demand, uint32_t node);
bool demand_feasible(const struct core *core, uint32_t demand); /* some node could, when idle */
bool demand_open(const struct core *core, uint32_t demand);     /* and that one is not drained */
bool demand_bound(const struct core *core, uint32_t demand);    /* to one node, now */
bool demand_allows(const struct core *core, uint32_t demand, uint32_t node); /* now */
/*  The node where a task with no other strategy goes first: it has most bytes of its arguments; NONE: any. */
uint32_t task_near(const struct core *core, uint32_t task);
/*  For a task whose arguments are `near` (a node, or NONE).  NONE: no room now. */
uint32_t demand_place(struct core *core, uint32_t demand, uint32_t near);
bool demand_of_nothing(const struct demand *demand);
bool node_takes_work(const struct node *node);
bool node_holds_more(const struct node *node, uint32_t count);
bool node_begins_more(const struct node *node);
/*  Nodes have room for it, but no process. */
bool demand_lacks_process(const struct core *core, uint32_t demand);
void node_labels_make(struct core *core, uint32_t node, struct slice given);
void node_suits_set(struct core *core, uint32_t node);
bool node_labels_fault(struct slice labels, struct diag *why);
const char *refusal(struct core *core, const char *otherwise);

/*  line.c: which task is next. */
uint32_t line_first(struct core *core, uint32_t demand); /* NONE: another demand's is, or none */
uint32_t line_run(const struct core *core, uint32_t queue, uint32_t most);
uint64_t line_before(const struct core *core, const struct task *task);
uint64_t task_age(const struct core *core, const struct task *task); /* since it became ready */

/*  Leasing tasks to one node, one after the other: neighbours share a row. */
struct leasing {
    uint32_t node, run;
    struct row_lease_new row;
};

/*  lease.c: which task goes where. */
struct leasing lease_begin(const struct core *core, uint32_t node);
bool lease_one(struct core *core, struct leasing *leasing, uint32_t task); /* false: no room */
void lease_finish(struct core *core, struct leasing *leasing);
void lease_schedule(struct core *core);
void lease_release(struct core *core,
                   uint32_t task); /* takes it off its node and run; its state is the caller's */
void lease_hold(struct core *core, uint32_t task, uint32_t node, uint32_t run);
void lease_balance(struct core *core);
void lease_again(struct core *core, uint32_t task); /* a whole INVENTORY lacks it */
void lease_open_slots(struct core *core, uint32_t node, uint32_t demand);
struct slice lease_shortage(struct core *core,
                            uint32_t demand); /* "needs 4 CPU; the nearest node n1 has 2" */
uint32_t demand_get(struct core *core, const struct rec_spec *spec, uint64_t session,
                    int *code); /* NONE and code */
uint64_t demand_fits(const struct core *core, uint32_t demand, uint32_t node);
bool demand_binds(const struct core *core,
                  uint32_t demand); /* the nodes could run more of it than running_max */
bool demand_at_limit(const struct core *core,
                     uint32_t demand); /* no more of it may be leased now */
void demand_release(struct core *core, uint32_t demand);
void demand_ran(struct core *core, uint32_t demand, uint64_t run_us);
uint32_t queue_get(struct core *core, uint32_t job, uint32_t demand,
                   const struct queue_kind *kind); /* NONE: no room */
void queue_release(struct core *core, uint32_t queue);
void queue_wake(struct core *core, uint32_t queue);
void queue_sleep(struct core *core, uint32_t queue);
bool amounts_read(struct core *core, struct list from, struct amounts *out, int *code);
#endif
