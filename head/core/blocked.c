/*  blocked.c - attempts that wait for others: their CPUs are free meanwhile, all else stays theirs.

    What is held is counted by slots.  Of a demand's slots on a node, as many as it has attempts that wait hold no CPU.
    Who goes on takes its CPUs again at once, also when others have them: then the node owes them, and what is given back
    next pays.  What waits has begun, so it has a slot, be there room for one or not: it may have gone ahead of others
    while CPUs were free.  When something other than CPUs is owed then, whatever has not begun on the node is asked back:
    it cannot begin before those who wait go on, and they may wait for what it keeps from beginning.  So it is when the
    node has all processes that it can have, or holds all attempts that it can. */
#include "head/core/state.h"

#include "common/bug.h"

static void give(struct node *node, int kind, uint64_t units)
{
    uint64_t paid = node->owed.of[kind] < units ? node->owed.of[kind] : units;
    node->owed.of[kind] -= paid;
    node->free.of[kind] += units - paid;
    ensure(node->free.of[kind] <= node->total.of[kind]);
}

static void take(struct node *node, int kind, uint64_t units)
{
    uint64_t taken = node->free.of[kind] < units ? node->free.of[kind] : units;
    node->free.of[kind] -= taken;
    node->owed.of[kind] += units - taken;
}

uint32_t slots_busy(const struct slots *slots)
{
    return slots->slots > slots->waiting ? slots->slots - slots->waiting : 0;
}

void slots_set(struct core *core, uint32_t node_index, uint32_t demand, const struct slots *to)
{
    struct node *node = node_at(core, node_index);
    struct slots *slots = slots_at(core, node_index, demand);
    for (int kind = 0; kind < KINDS_MAX; kind++) {
        uint64_t units = core->demands[demand].need.of[kind];
        uint32_t before = kind == KIND_CPU ? slots_busy(slots) : slots->slots;
        uint32_t after = kind == KIND_CPU ? slots_busy(to) : to->slots;
        if (after < before) {
            give(node, kind, (before - after) * units);
        } else if (after > before) {
            take(node, kind, (after - before) * units);
        }
    }
    core->demands[demand].slots += to->slots;
    core->demands[demand].slots -= slots->slots;
    node->slots += to->slots - slots->slots;
    *slots = *to;
}

void lease_waits(struct core *core, struct task *task, bool waits)
{
    bool holds = task_kind(core, task) != SPEC_METHOD; /* a call has nothing to give back */
    if (!holds || waits == ((task->flags & TASK_WAITS) != 0)) {
        return;
    }
    uint32_t demand = spec_at(core, task->spec)->demand;
    struct slots to = *slots_at(core, task->node, demand);
    task->flags ^= TASK_WAITS;
    to.waiting += waits ? 1u : UINT32_MAX;
    to.slots = to.slots < to.waiting ? to.waiting : to.slots;
    slots_set(core, task->node, demand, &to);
    core->schedule = true;
}

static bool somebody_waits(const struct core *core, uint32_t index)
{
    bool waits = false;
    for (uint32_t d = 0; d < core->demand_count && !waits; d++) {
        waits = slots_at(core, index, d)->waiting > 0;
    }
    return waits;
}

void blocked_recall(struct core *core, uint32_t index)
{
    const struct node *node = node_at(core, index);
    bool owes = false;
    for (int kind = 0; kind < KINDS_MAX; kind++) {
        owes = owes || (kind != KIND_CPU && node->owed.of[kind] > 0);
    }
    uint32_t leased = node->leases.count - node->calls;
    bool full =
        !node_begins_more(node) || (!node_holds_more(node, leased) && somebody_waits(core, index));
    owes = owes || (full && leased > node->slots);
    for (uint32_t i = node->leases.first; owes && i != NONE && !effects_nearly_full(core);
         i = task_at(core, i)->place.next) {
        if (task_at(core, i)->state == TASK_LEASED) {
            emit_lease(core, node->peer, task_at(core, i)->id, task_at(core, i)->token,
                       RECALL_IF_WAITING);
        }
    }
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
    blocked_recall(core, index);
}
