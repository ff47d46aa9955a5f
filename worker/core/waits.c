/*  waits.c - attempts that wait for others: their CPUs are free for those meanwhile.  Who goes on takes them again at
    once, also when others have them: `cpu_owed` is what is in use beyond what the node has.  GPUs, memory and the rest
    stay with who holds them. */
#include "worker/core/state.h"

uint64_t lane_cpus(const struct worker *self, const struct lane *lane)
{
    for (uint32_t i = 0; i < lane->demand_count; i++) {
        if (lane->demand[i].resource == self->cpu) {
            return lane->demand[i].units;
        }
    }
    return 0;
}

void cpus_give(struct worker *self, uint64_t units)
{
    uint64_t paid = self->cpu_owed < units ? self->cpu_owed : units;
    self->cpu_owed -= paid;
    self->free[self->cpu] += units - paid;
}

static void cpus_take(struct worker *self, uint64_t units)
{
    uint64_t taken = self->free[self->cpu] < units ? self->free[self->cpu] : units;
    self->free[self->cpu] -= taken;
    self->cpu_owed += units - taken;
}

void executor_goes_on(struct worker *self, uint32_t index)
{
    struct executor *executor = executor_at(self, index);
    if (!executor->waits) {
        return;
    }
    executor->waits = false;
    uint64_t cpus = lane_cpus(self, lane_at(self, executor->lane));
    if (cpus > 0) {
        cpus_take(self, cpus);
    }
}

static void executor_waits(struct worker *self, uint32_t index)
{
    struct executor *executor = executor_at(self, index);
    if (executor->waits) {
        return;
    }
    executor->waits = true;
    uint64_t cpus = lane_cpus(self, lane_at(self, executor->lane));
    if (cpus > 0) {
        cpus_give(self, cpus);
    }
    executor_stick(self, index);
    if (executor->given.count > 1) {
        executor_take_back(self, index); /* what is behind it may be what it waits for */
    }
    executor_place(self, index);
    self->admit = true;
}

void on_waits(struct worker *self, const struct worker_event *event)
{
    const struct executor *executor =
        event->executor < self->executors.fresh ? executor_at(self, event->executor) : NULL;
    uint32_t first = executor && executor->state == EXECUTOR_READY ? executor->given.first : NONE;
    if (first == NONE || attempt_at(self, first)->token != event->token) {
        return; /* told late */
    }
    struct attempt *attempt = attempt_at(self, first);
    attempt->how = (uint8_t)event->code;
    attempt->tell_how = self->tell_how = true;
    if (event->code == HELD_RUNS) {
        executor_goes_on(self, event->executor);
    } else {
        executor_waits(self, event->executor);
    }
}
