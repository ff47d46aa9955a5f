/*  demand.c - demands, and the queues of ready tasks behind them. */
#include "head/core/state.h"

static uint32_t kind_of(struct core *core, struct slice name)
{
    for (uint32_t i = 0; i < core->kind_count; i++) {
        if (slice_same(name, slice_text(core->kinds[i]))) {
            return i;
        }
    }
    if (core->kind_count == KINDS_MAX) {
        return NONE;
    }
    slice_copy_text(name, core->kinds[core->kind_count], sizeof(core->kinds[0]));
    return core->kind_count++;
}

bool amounts_read(struct core *core, struct list from, struct amounts *out, int *code)
{
    memset(out, 0, sizeof(*out));
    struct rec_amount amount;
    while (next_amount(&from, &amount)) {
        uint32_t kind = amount.units > 0 && amount.name.n > 0 ? kind_of(core, amount.name) : NONE;
        if (amount.units > 0 && kind == NONE) {
            *code = amount.name.n > 0 ? ERR_BUSY : ERR_INVALID;
            return false;
        }
        if (amount.units > UINT64_MAX / 4) {
            *code = ERR_INVALID;
            return false;
        }
        if (amount.units > 0) {
            out->of[kind] = amount.units;
        }
    }
    return true;
}

uint32_t demand_get(struct core *core, const struct rec_spec *spec, uint64_t session, int *code)
{
    struct amounts need;
    struct rule rule;
    *code = ERR_INVALID;
    if (!rule_read(core, spec, &rule) || !amounts_read(core, spec->demand, &need, code)) {
        return NONE;
    }
    session = spec->running_max > 0 ? session : 0;
    uint32_t free = NONE;
    for (uint32_t i = 0; i < core->demand_count; i++) {
        struct demand *demand = &core->demands[i];
        if (demand->used && demand->session == session &&
            demand->running_max == spec->running_max &&
            memcmp(&demand->need, &need, sizeof(need)) == 0 && rule_same(&demand->rule, &rule)) {
            demand->specs++;
            return i;
        }
        free = !demand->used && demand->slots == 0 && free == NONE ? i : free;
    }
    if (free == NONE) {
        if (core->demand_count == DEMANDS_MAX) {
            *code = ERR_BUSY;
            return NONE;
        }
        free = core->demand_count++;
    }
    core->demands[free] = (struct demand){ .need = need,
                                           .rule = rule,
                                           .session = session,
                                           .running_max = spec->running_max,
                                           .used = true,
                                           .specs = 1 };
    chain_init(&core->demands[free].queues);
    demand_suits_set(core, free);
    return free;
}

void demand_release(struct core *core, uint32_t index)
{
    ensure(core->demands[index].specs > 0);
    core->demands[index].used = --core->demands[index].specs > 0;
}

void demand_ran(struct core *core, uint32_t index, uint64_t run_us)
{
    struct demand *demand = &core->demands[index];
    uint64_t sample = run_us + 1;
    demand->mean_run_us =
        demand->mean_run_us == 0 ? sample : (demand->mean_run_us * 15 + sample) / 16;
}

/*  How many of a demand can run on a node at a time, whatever the head says. */
uint64_t demand_fits(const struct core *core, uint32_t index, uint32_t node)
{
    const struct amounts *need = &core->demands[index].need, *total = &node_at(core, node)->total;
    uint64_t fits = UINT64_MAX;
    for (int i = 0; i < KINDS_MAX; i++) {
        if (need->of[i] > 0 && total->of[i] / need->of[i] < fits) {
            fits = total->of[i] / need->of[i];
        }
    }
    return fits;
}

bool demand_binds(const struct core *core, uint32_t index)
{
    uint64_t left = core->demands[index].running_max;
    bool limited = left > 0;
    for (uint32_t i = core->all_nodes.first; limited && i != NONE; i = node_at(core, i)->all.next) {
        if (node_at(core, i)->state == NODE_DEAD && slots_at(core, i, index)->leases == 0) {
            continue;
        }
        uint64_t fits = demand_fits(core, index, i);
        if (fits > left) {
            return true;
        }
        left -= fits;
    }
    return false;
}

/*  What is leased may run, whether it has a slot or went ahead of one while there were fewer nodes. */
bool demand_at_limit(const struct core *core, uint32_t index)
{
    const struct demand *demand = &core->demands[index];
    return demand->running_max > 0 && demand->leases >= demand->running_max &&
           demand_binds(core, index);
}

uint32_t queue_get(struct core *core, uint32_t job, uint32_t demand, const struct queue_kind *kind)
{
    uint64_t key = (uint64_t)job << 32 | (uint64_t)(kind->priority + PRIORITY_MAX) << 16 |
                   (uint64_t)demand << 1 | kind->fail_infeasible;
    uint32_t index = map_find(&core->queue_map, key);
    if (index == NONE) {
        index = pool_take(&core->queues);
        if (index == NONE) {
            return NONE;
        }
        struct queue *queue = queue_at(core, index);
        queue->key = key;
        queue->job = job;
        queue->demand = demand;
        queue->fail_infeasible = kind->fail_infeasible;
        queue->priority = kind->priority;
        core->ranked += kind->priority != 0;
        chain_init(&queue->tasks);
        map_add(&core->queue_map, index);
    }
    queue_at(core, index)->users++;
    return index;
}

void queue_release(struct core *core, uint32_t index)
{
    struct queue *queue = queue_at(core, index);
    ensure(queue->users > 0);
    if (--queue->users == 0) {
        ensure(queue->tasks.count == 0);
        core->ranked -= queue->priority != 0;
        map_remove(&core->queue_map, index);
        pool_give(&core->queues, index);
    }
}

void queue_wake(struct core *core, uint32_t index)
{
    struct queue *queue = queue_at(core, index);
    core->schedule = true;
    if (!queue->active) {
        queue->active = true;
        chain_append(&core->demands[queue->demand].queues, &core->queues, QUEUE_DEMAND, index);
    }
}

void queue_sleep(struct core *core, uint32_t index)
{
    struct queue *queue = queue_at(core, index);
    if (queue->active && queue->tasks.count == 0) {
        queue->active = false;
        chain_remove(&core->demands[queue->demand].queues, &core->queues, QUEUE_DEMAND, index);
    }
}
