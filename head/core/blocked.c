/*  blocked.c - attempts that wait for others: their CPUs are free meanwhile, all else stays theirs.

    CPUs are counted by slots like everything.  Of a demand's slots on a node, as many as it has attempts that wait hold
    no CPU.  Who goes on takes its CPUs again at once, also when others have them: then the node owes them, and what is
    given back next pays. */
#include "head/core/state.h"

#include "common/bug.h"

static void cpu_give(struct node *node, uint64_t units)
{
    uint64_t paid = node->cpu_owed < units ? node->cpu_owed : units;
    node->cpu_owed -= paid;
    node->free.of[KIND_CPU] += units - paid;
    ensure(node->free.of[KIND_CPU] <= node->total.of[KIND_CPU]);
}

static void cpu_take(struct node *node, uint64_t units)
{
    uint64_t taken = node->free.of[KIND_CPU] < units ? node->free.of[KIND_CPU] : units;
    node->free.of[KIND_CPU] -= taken;
    node->cpu_owed += units - taken;
}

uint32_t slots_busy(const struct slots *slots)
{
    return slots->slots > slots->waiting ? slots->slots - slots->waiting : 0;
}

void slots_settle(struct core *core, uint32_t node, uint32_t demand, uint32_t busy_before)
{
    uint32_t busy = slots_busy(slots_at(core, node, demand));
    uint64_t cpus = core->demands[demand].need.of[KIND_CPU];
    if (busy < busy_before) {
        cpu_give(node_at(core, node), (busy_before - busy) * cpus);
    } else if (busy > busy_before) {
        cpu_take(node_at(core, node), (busy - busy_before) * cpus);
    }
}

void lease_waits(struct core *core, struct task *task, bool waits)
{
    if (waits == ((task->flags & TASK_WAITS) != 0)) {
        return;
    }
    uint32_t demand = spec_at(core, task->spec)->demand;
    struct slots *slots = slots_at(core, task->node, demand);
    uint32_t before = slots_busy(slots);
    task->flags ^= TASK_WAITS;
    slots->waiting += waits ? 1u : UINT32_MAX;
    slots_settle(core, task->node, demand, before);
    core->schedule = true;
}

void on_node_waits(struct core *core, uint32_t peer, const struct msg_node_waits *msg)
{
    uint32_t index = node_find(core, msg->node);
    if (index == NONE || node_at(core, index)->state == NODE_DEAD ||
        node_at(core, index)->peer != peer) {
        return; /* the inventory after its next NODE_JOIN says it, too */
    }
    struct list list = msg->held;
    struct rec_held held;
    while (next_held(&list, &held)) {
        node_holds(core, index, &held);
    }
}
