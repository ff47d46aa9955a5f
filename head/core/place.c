/*  place.c - where tasks of a demand may run, and which node is next: what a spec asks for (strategy, labels) as part of
    its demand, and the choice by the policies of head/policy. */
#include "head/core/state.h"

#include "common/bug.h"
#include "common/text.h"

static policy_place *const policies[] = {
#define POLICY(STRATEGY, name, text) [STRATEGY_##STRATEGY] = name##_place,
#include "head/policy/policy.def"
#undef POLICY
};

/*  Why a spec was refused, for a reply of this turn. */
const char *refusal(struct core *core, const char *otherwise)
{
    if (core->refusal[0] == 0) {
        return otherwise;
    }
    return (const char *)scratch_put(core, core->refusal, strlen(core->refusal) + 1).p;
}

bool rule_read(struct core *core, const struct rec_spec *spec, struct rule *out)
{
    struct diag why = { 0 };
    *out = (struct rule){ .selector_bytes = (uint32_t)spec->labels.n };
    bool valid =
        strategy_read(spec->strategy, &out->strategy, &why) && selector_check(spec->labels, &why) &&
        (core->restoring || priority_check(spec->priority, &why)); /* once there was no limit */
    if (!valid) {
        slice_copy_text(slice_text(why.text), core->refusal, sizeof(core->refusal));
        return false;
    }
    if (spec->labels.n > 0) {
        memcpy(out->selector, spec->labels.p, spec->labels.n);
    }
    return true;
}

bool rule_same(const struct rule *a, const struct rule *b)
{
    return a->strategy.kind == b->strategy.kind && a->strategy.node == b->strategy.node &&
           a->strategy.soft == b->strategy.soft &&
           slice_same(slice_of(a->selector, a->selector_bytes),
                      slice_of(b->selector, b->selector_bytes));
}

static bool rule_hard(const struct rule *rule)
{
    return rule->strategy.kind == STRATEGY_NODE && !rule->strategy.soft;
}

bool demand_hard(const struct core *core, uint32_t demand)
{
    return rule_hard(&core->demands[demand].rule);
}

/* --- which nodes suit ----------------------------------------------------------------------------- */

static void suits_set(struct core *core, struct demand *demand, uint32_t index)
{
    const struct node *node = node_at(core, index);
    const struct rule *rule = &demand->rule;
    /*  An actor that demands nothing goes where there is a CPU, and takes none of it. */
    bool idle = demand->actors && demand_of_nothing(demand);
    bool suits =
        (!idle || node->total.of[KIND_CPU] >= UNITS_PER_ONE) &&
        selector_holds(slice_of(rule->selector, rule->selector_bytes), slice_text(node->labels)) &&
        (!rule_hard(rule) || rule->strategy.node == node->id || RAYC_BUG(SPILL_AFFINE));
    suits = suits || (RAYC_BUG(ANY_LABEL) && rule->selector_bytes > 0);
    uint64_t bit = 1ull << (index % 64), *word = &demand->suits[index / 64];
    *word = suits ? *word | bit : *word & ~bit;
}

void demand_suits_set(struct core *core, uint32_t demand)
{
    for (uint32_t i = core->all_nodes.first; i != NONE; i = node_at(core, i)->all.next) {
        suits_set(core, &core->demands[demand], i);
    }
}

/*  The labels of a new node: those that its worker gives, and the head's own. */
void node_labels_make(struct core *core, uint32_t index, struct slice given)
{
    struct node *node = node_at(core, index);
    struct text text = text_in(node->labels, sizeof(node->labels));
    struct diag unused;
    text_slice(&text, given);
    text_add(&text, given.n > 0 ? "\nray.io/node-id=" : "ray.io/node-id=");
    text_u64(&text, node->id);
    size_t valid = text.n;
    text_add(&text, "\nrayc.io/node-name=");
    text_add(&text, node->name);
    if (!labels_check(slice_of(node->labels + valid + 1, text.n - valid - 1), &unused)) {
        node->labels[valid] = 0; /* a name that is no label */
    }
    node_suits_set(core, index);
}

/*  Which demands it suits. */
void node_suits_set(struct core *core, uint32_t index)
{
    for (uint32_t i = 0; i < core->demand_count; i++) {
        suits_set(core, &core->demands[i], index);
    }
}

/*  Labels that a worker gives; not the head's own. */
bool node_labels_fault(struct slice labels, struct diag *why)
{
    struct slice all = labels, line;
    if (!labels_check(labels, why)) {
        return true;
    }
    while (line_next(&all, &line)) {
        for (size_t i = 0; i < 2; i++) {
            const char *own = i == 0 ? "ray.io/node-id=" : "rayc.io/node-name=";
            if (line.n >= strlen(own) && memcmp(line.p, own, strlen(own)) == 0) {
                struct text text = text_in(why->text, sizeof(why->text));
                text_add(&text, "label '");
                text_add(&text, own);
                text_add(&text, "...' is made by the head: leave it out");
                return true;
            }
        }
    }
    return false;
}

bool demand_suits(const struct core *core, uint32_t demand, uint32_t node)
{
    return core->demands[demand].suits[node / 64] >> (node % 64) & 1;
}

/*  Could the node run it, when idle? */
static bool could_run(const struct core *core, uint32_t demand, uint32_t node)
{
    return node_at(core, node)->state != NODE_DEAD && demand_suits(core, demand, node) &&
           amounts_fit(&core->demands[demand].need, &node_at(core, node)->total);
}

bool demand_feasible(const struct core *core, uint32_t demand)
{
    uint32_t i = core->all_nodes.first;
    while (i != NONE && !could_run(core, demand, i)) {
        i = node_at(core, i)->all.next;
    }
    return i != NONE;
}

bool demand_open(const struct core *core, uint32_t demand)
{
    uint32_t i = core->all_nodes.first;
    while (i != NONE && (!could_run(core, demand, i) || node_at(core, i)->draining != DRAIN_NONE)) {
        i = node_at(core, i)->all.next;
    }
    return i != NONE;
}

/* --- the choice ------------------------------------------------------------------------------------- */

bool node_takes_work(const struct node *node)
{
    return node->state == NODE_ALIVE && node->peer != NONE &&
           (node->draining == DRAIN_NONE || RAYC_BUG(LEASE_DRAINING)) &&
           node_holds_more(node, node->leases.count - node->calls);
}

/*  Of what it can hold, one half is for calls of actors, and one for all else: neither keeps the other out. */
bool node_holds_more(const struct node *node, uint32_t count)
{
    return count < node->attempts_max / 2;
}

/*  Can it begin one more, beside those that run or wait for others? */
bool node_begins_more(const struct node *node)
{
    return node->slots < node->processes_max;
}

bool demand_lacks_process(const struct core *core, uint32_t demand)
{
    bool lacks = false;
    for (uint32_t i = core->all_nodes.first; i != NONE; i = node_at(core, i)->all.next) {
        const struct node *node = node_at(core, i);
        bool more =
            node_begins_more(node) && node_holds_more(node, node->leases.count - node->calls);
        lacks = lacks || (could_run(core, demand, i) && !more &&
                          amounts_fit(&core->demands[demand].need, &node->free));
    }
    return lacks;
}

bool demand_of_nothing(const struct demand *demand)
{
    static const struct amounts nothing;
    return memcmp(&demand->need, &nothing, sizeof(nothing)) == 0;
}

static struct place_ask ask_of(const struct core *core, uint32_t index)
{
    const struct demand *demand = &core->demands[index];
    const struct strategy *strategy = &demand->rule.strategy;
    struct place_ask ask = { .need = &demand->need,
                             .node = strategy->node,
                             .only = rule_hard(&demand->rule),
                             .last = demand->last_node };
    if (strategy->kind == STRATEGY_NODE && strategy->soft) {
        uint32_t node = node_find(core, strategy->node);
        ask.only = node != NONE && could_run(core, index, node) &&
                   node_at(core, node)->draining == DRAIN_NONE;
    }
    ask.only = ask.only && !RAYC_BUG(SPILL_AFFINE);
    return ask;
}

/*  Does it wait for room on one node, while others may have some? */
bool demand_bound(const struct core *core, uint32_t demand)
{
    return ask_of(core, demand).only;
}

/*  A soft one may have slots elsewhere, from when its node was drained. */
bool demand_allows(const struct core *core, uint32_t demand, uint32_t node)
{
    struct place_ask ask = ask_of(core, demand);
    return demand_suits(core, demand, node) && (!ask.only || ask.node == node_at(core, node)->id);
}

/*  The node that has the fewest of them. */
static uint32_t place_evenly(const struct core *core, uint32_t demand,
                             const struct place_node *nodes, uint32_t count)
{
    uint32_t best = NONE;
    for (uint32_t i = 0; i < count; i++) {
        if (best == NONE ||
            slots_at(core, nodes[i].node, demand)->slots < slots_at(core, best, demand)->slots) {
            best = nodes[i].node;
        }
    }
    return best;
}

uint32_t task_near(const struct core *core, uint32_t index)
{
    const struct task *task = task_at(core, index);
    const struct spec *spec = spec_at(core, task->spec);
    bool looks = (task->flags & TASK_HAS_DEPS) && spec->kind < SPEC_VALUE &&
                 core->demands[spec->demand].rule.strategy.kind == STRATEGY_DEFAULT;
    return looks && !RAYC_BUG(NOT_NEAR) ? objects_near(core, task->id) : NONE;
}

uint32_t demand_place(struct core *core, uint32_t index, uint32_t near)
{
    struct place_node nodes[NODES_MAX];
    uint32_t count = 0;
    const struct demand *demand = &core->demands[index];
    bool nothing = demand_of_nothing(demand), limited = nothing && !demand->actors;
    for (uint32_t i = core->all_nodes.first; i != NONE; i = node_at(core, i)->all.next) {
        const struct node *node = node_at(core, i);
        if (node_takes_work(node) && node_begins_more(node) && demand_suits(core, index, i) &&
            !(limited && slots_busy(slots_at(core, i, index)) >= FREE_SLOTS_MAX)) {
            nodes[count++] = (struct place_node){ i, &node->total, &node->free, node->id };
            if (i == near && amounts_fit(&demand->need, &node->free)) {
                return near;
            }
        }
    }
    if (nothing && demand->actors && demand->rule.strategy.kind == STRATEGY_DEFAULT) {
        return place_evenly(core, index, nodes, count);
    }
    struct place_ask ask = ask_of(core, index);
    policy_place *policy = policies[demand->rule.strategy.kind];
    uint32_t best = count == 0 ? NONE : policy(nodes, count, &ask, &core->rng);
    return best == NONE ? NONE : nodes[best].node;
}
