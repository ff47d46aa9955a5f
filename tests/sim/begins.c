/*  begins.c - what must hold when an attempt begins: it is what was submitted, and nothing runs that there is no room
    for. */
#include "tests/sim/begins.h"

#include "tests/sim/sim.h"

/*  Exactly the program and arguments that were submitted under this id. */
static void check_item(struct sim *sim, const struct item *item)
{
    const struct task_seen *task = oracle_task(sim, item->task);
    const struct spec_seen *spec = task == NULL ? NULL : oracle_spec(sim, task->spec);
    if (spec != NULL && task->token == item->token &&
        (spec->owner != item->owner || spec->id != item->spec->id)) {
        sim_fail(sim, 11, "%llx runs as the program of %llu, but was submitted as that of %llu",
                 (unsigned long long)item->task, (unsigned long long)item->owner,
                 (unsigned long long)spec->owner);
    }
}

/*  What runs on a node at a time fits into it. */
static void check_room(struct sim *sim, uint32_t node, const struct item *next)
{
    const struct node *its = &sim->nodes[node];
    uint64_t sum[3] = { 0 };
    for (uint32_t i = 0; i <= EXECUTORS_MAX; i++) {
        const struct executor *other = i == EXECUTORS_MAX ? NULL : &its->executors[i];
        if (other != NULL && !(other->live && other->running)) {
            continue;
        }
        const struct plan *plan = client_plan(sim, other == NULL ? next->owner : other->now.owner);
        bool lent = other != NULL && other->blocked; /* who goes on takes its CPUs at once */
        for (int k = lent ? 1 : 0; k < 3; k++) {
            sum[k] += plan->demand[k];
            if (sum[k] > its->capacity[k]) {
                sim_fail(sim, 18, "worker %u runs more than it has of resource %d", node, k);
            }
        }
    }
}

static bool same_limit(const struct plan *a, const struct plan *b)
{
    return a->running_max == b->running_max && a->where == b->where &&
           memcmp(a->demand, b->demand, sizeof(a->demand)) == 0;
}

/*  Of a client's tasks with the same demand and limit, so many run at a time: those that the rows know as current. */
void rule_limit(struct sim *sim, const struct item *next)
{
    const struct plan *plan = client_plan(sim, next->owner);
    uint32_t count = 0;
    for (uint32_t i = 0; i < sim->worker_count * EXECUTORS_MAX && plan->running_max > 0; i++) {
        const struct node *node = &sim->nodes[i / EXECUTORS_MAX];
        const struct executor *self = node->alive ? &node->executors[i % EXECUTORS_MAX] : NULL;
        if (self == NULL || !self->live || !self->running || self->blocked ||
            self->now.owner / 10 != next->owner / 10) {
            continue;
        }
        const struct task_seen *task = oracle_task(sim, self->now.task);
        bool current = task != NULL && task->token == self->now.token &&
                       (task->state == TASK_LEASED || task->state == TASK_RUNNING);
        count += current && same_limit(plan, client_plan(sim, self->now.owner));
    }
    if (count > plan->running_max) {
        sim_fail(sim, 18, "%u tasks of %llu run, with running_max %u", count,
                 (unsigned long long)next->owner, plan->running_max);
    }
}

void rule_begins(struct sim *sim, uint32_t node, const struct item *item)
{
    check_item(sim, item);
    check_room(sim, node, item);
}
