/*  lease.h - which task goes where, demands and the queues behind them.  Private to head/core. */
#ifndef RAYC_CORE_LEASE_H
#define RAYC_CORE_LEASE_H
#include "head/core/core.h"
#include "head/policy/policy.h"

struct demand;

/*  lease.c: which task goes where. */
void lease_schedule(struct core *core);
void lease_release(struct core *core,
                   uint32_t task); /* takes it off its node and run; its state is the caller's */
void lease_hold(struct core *core, uint32_t task, uint32_t node, uint32_t run);
void lease_balance(struct core *core);
void lease_resend(struct core *core, uint32_t task);
void lease_open_slots(struct core *core, uint32_t node, uint32_t demand);
struct slice lease_shortage(struct core *core,
                            uint32_t demand); /* "needs 4 CPU; the nearest node n1 has 2" */
bool demand_feasible(const struct core *core, uint32_t demand); /* some node could, when idle */
bool demand_open(const struct core *core, uint32_t demand);     /* and that one is not drained */
uint32_t demand_get(struct core *core, const struct rec_spec *spec, uint64_t session,
                    int *code); /* NONE and code */
bool demand_of_nothing(const struct demand *demand);
bool demand_suits(const struct core *core, uint32_t demand, uint32_t node); /* when it is idle */
uint64_t demand_fits(const struct core *core, uint32_t demand, uint32_t node);
bool demand_binds(const struct core *core,
                  uint32_t demand); /* the nodes could run more of it than running_max */
bool demand_at_limit(const struct core *core,
                     uint32_t demand); /* no more of it may be leased now */
void demand_release(struct core *core, uint32_t demand);
void demand_ran(struct core *core, uint32_t demand, uint64_t run_us);
uint32_t queue_get(struct core *core, uint32_t job, uint32_t demand,
                   bool fail_infeasible); /* NONE: no room */
void queue_release(struct core *core, uint32_t queue);
void queue_wake(struct core *core, uint32_t queue);
void queue_sleep(struct core *core, uint32_t queue);
bool amounts_read(struct core *core, struct list from, struct amounts *out, int *code);

/*  Leasing tasks to one node, one after the other: neighbours share a row. */
struct leasing {
    uint32_t node, run;
    struct row_lease_new row;
};
struct leasing lease_begin(const struct core *core, uint32_t node);
bool lease_one(struct core *core, struct leasing *leasing, uint32_t task); /* false: no room */
void lease_finish(struct core *core, struct leasing *leasing);
#endif
