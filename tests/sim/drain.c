/*  drain.c - nodes that are drained, and take work again; and what the rows must say of nodes: nothing new goes to one
    that is drained (41), and an attempt is charged with its node's death only when the node is dead (42). */
#include "tests/sim/drain.h"

#include "tests/sim/sim.h"

typedef unsigned long long ull;

/* --- what people ask --------------------------------------------------------------------------- */

static void ask(struct sim *sim, uint64_t node, enum drain drain, uint64_t grace_ms)
{
    if (sim->head.up && !sim->head.dead && node != 0) {
        SIM_NOTE(sim, "node %llu: drain %d, grace %llu ms", (ull)node, (int)drain, (ull)grace_ms);
        head_own(sim, MSG_NODE_DRAIN,
                 &(struct msg_node_drain){ .node = node, .drain = drain, .grace_ms = grace_ms });
    }
}

static void undrain(struct sim *sim, uint32_t who, uint64_t number, void *data)
{
    (void)who;
    (void)data;
    ask(sim, number, DRAIN_NONE, 0);
}

void drain_strike(struct sim *sim)
{
    const struct node *node = &sim->nodes[prng_below(&sim->fate, sim->worker_count)];
    uint64_t id = node->alive ? worker_stats(node->core).node : 0;
    uint64_t grace_ms = chance(&sim->fate, 300) ? 0 : between(&sim->fate, 0, 15000);
    uint64_t for_us = between(&sim->fate, 10000, 40000000);
    ask(sim, id, DRAIN_ASKED, grace_ms);
    sim_at(sim, sim->now_us + for_us, undrain, 0, id, NULL);
}

/*  The first node fits every demand that can be met; the others may stay as they are, but where a task must run. */
static void undrain_all(struct sim *sim, uint32_t who, uint64_t number, void *data)
{
    (void)who;
    (void)number;
    (void)data;
    if (!sim->head.up || sim->head.dead) {
        sim_at(sim, sim->now_us + 100000, undrain_all, 0, 0, NULL);
        return;
    }
    for (uint32_t i = 0; i < sim->oracle.nodes.count; i++) {
        const struct node_seen *node = &sim->oracle.nodes.list[i];
        bool first = sim->nodes[0].alive && worker_stats(sim->nodes[0].core).node == node->id;
        bool wanted = first || place_wants(sim, node->id);
        if (node->drain == DRAIN_ASKED && !node->dead && (wanted || chance(&sim->fate, 700))) {
            ask(sim, node->id, DRAIN_NONE, 0);
        }
    }
}

void drains_heal(struct sim *sim)
{
    undrain_all(sim, 0, 0, NULL);
}

/* --- what the rows must say -------------------------------------------------------------------- */

struct node_seen *node_seen_of(struct sim *sim, uint64_t id)
{
    for (uint32_t i = sim->oracle.nodes.count; i-- > 0;) {
        if (sim->oracle.nodes.list[i].id == id) {
            return &sim->oracle.nodes.list[i];
        }
    }
    return NULL;
}

static struct node_seen *node_of(struct sim *sim, uint64_t id)
{
    struct node_seen *node = node_seen_of(sim, id);
    if (node != NULL) {
        return node;
    }
    sim_fail(sim, 21, "the rows speak of node %llu, which has none", (ull)id);
}

void node_seen_new(struct sim *sim, const struct row_node_new *row)
{
    struct nodes_seen *self = &sim->oracle.nodes;
    self->list = grown(self->list, &self->room, self->count, sizeof(*self->list));
    self->list[self->count] = (struct node_seen){ .id = row->id };
    place_seen_node(&self->list[self->count++], row);
}

void node_seen_state(struct sim *sim, uint64_t id, uint32_t state)
{
    struct node_seen *node = node_of(sim, id);
    node->dead = node->dead || state == NODE_DEAD;
    node->suspect = state == NODE_SUSPECT;
}

void seen_node_drain(struct sim *sim, const void *from)
{
    const struct row_node_drain *row = from;
    struct node_seen *node = node_of(sim, row->id);
    if (node->drain == DRAIN_LEAVING && row->draining != DRAIN_LEAVING) {
        sim_fail(sim, 41, "node %llu takes work again, but its worker is ending", (ull)row->id);
    }
    node->drain = row->draining;
}

void rule_lease_node(struct sim *sim, const struct row_lease_new *row)
{
    const struct node_seen *node = node_of(sim, row->node);
    const struct task_seen *task = oracle_task(sim, row->first);
    bool call = task != NULL && task->actor != 0; /* goes where its actor still lives */
    if ((node->drain != DRAIN_NONE && !call) || node->dead) {
        sim_fail(sim, 41, "%llx is leased to node %llu, which is %s", (ull)row->first,
                 (ull)row->node, node->dead ? "dead" : "drained");
    }
}

/*  Given back is not died: only the death of a node is charged as one. */
void rule_died(struct sim *sim, const struct row_attempt_end *row)
{
    bool died = slice_same(row->outcome, slice_text("NODE_DIED"));
    sim->oracle.nodes.charged = died && !node_of(sim, row->node)->dead ? row->task : 0;
}

void rule_charged(struct sim *sim, const struct task_seen *task, const struct row_task_again *row)
{
    if (row->charged > task->charged && sim->oracle.nodes.charged == task->id) {
        sim_fail(sim, 42, "%llx is charged with the death of node %llu, which lives", (ull)task->id,
                 (ull)task->node);
    }
}

/*  A worker is told that it is drained. */
void sent_drained(struct sim *sim, const struct msg_changed *msg)
{
    if (node_of(sim, msg->id)->drain != DRAIN_LEAVING) {
        sim_fail(sim, 2, "node %llu is told to be drained, but its row does not say so",
                 (ull)msg->id);
    }
}
