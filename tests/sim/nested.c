/*  nested.c - simulated tasks that submit tasks: while such an attempt runs, its executor is a client with the ticket of the
    attempt.  And what the rows must say of them: whoever was cancelled with all that it submits, or has failed, leaves
    nothing behind that is leased later. */
#include "common/ticket.h"
#include "tests/sim/sim.h"

typedef unsigned long long ull;

static const uint8_t sim_secret[TICKET_SECRET_BYTES]; /* as in user.c */

enum { DEPTH_MAX = 2, NESTED_PER_NODE = 6, SEATS_KEPT = 120 };

void nested_plan(struct sim *sim, const struct client *client, struct plan *plan)
{
    plan->nests = sim->nests && plan->kind == SPEC_FUNCTION && plan->demand[0] >= UNITS_PER_ONE &&
                  plan->reports == 0 && client->depth < DEPTH_MAX && chance(&sim->kin, 400);
}

/*  A world must not fill with processes that wait. */
static bool has_room(const struct sim *sim, uint32_t node)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < EXECUTORS_MAX; i++) {
        const struct executor *self = &sim->nodes[node].executors[i];
        count +=
            self->live && self->driver != NONE && sim->clients[self->driver].kind == CLIENT_NESTED;
    }
    return count < NESTED_PER_NODE && sim->client_count + SEATS_KEPT < CLIENTS_MAX;
}

/*  After a power cut a token may be another process's, too: that one has the session. */
static bool has_client(const struct sim *sim, uint64_t token)
{
    uint32_t i = 0;
    while (i < sim->client_count &&
           !(sim->clients[i].kind == CLIENT_NESTED && sim->clients[i].token == token)) {
        i++;
    }
    return i < sim->client_count;
}

uint32_t nested_new(struct sim *sim, uint32_t node, uint32_t executor, const struct item *item)
{
    bool lives = item->spec->kind == SPEC_ACTOR;
    if (!client_plan(sim, item->owner)->nests || !has_room(sim, node) ||
        !(lives || chance(&sim->kin, 300)) || has_client(sim, item->token)) {
        return NONE;
    }
    const struct client *above = &sim->clients[item->owner / 10];
    struct client self = { .kind = CLIENT_NESTED,
                           .node = node,
                           .executor = executor,
                           .job = item->spec->job,
                           .token = item->token,
                           .driver = item->task,
                           .depth = above->depth + 1,
                           .slow = lives };
    return client_inside(sim, &self);
}

void nested_token(const struct sim *sim, const struct client *self, char out[TOKEN_TEXT])
{
    uint8_t key[TICKET_SECRET_BYTES];
    const struct node *node = &sim->nodes[self->node];
    struct ticket ticket = { .job = self->job, .task = self->driver, .fence = self->token };
    ticket.node = worker_stats(node->core).node;
    if (ticket.node == 0) { /* it was given up: its executors are being killed */
        ticket.node = 1;
    }
    ticket_node_key(sim_secret, ticket.node, key);
    ticket_text(key, &ticket, out);
}

/*  It says for what it waits: no circle, for nobody here waits for who has submitted it. */
static void says_what_for(struct sim *sim, struct client *self)
{
    uint8_t bytes[AWAITS_MAX * 32];
    struct wire wire = { bytes, 0, sizeof(bytes), false };
    uint32_t count = 0;
    for (uint32_t c = 1; c <= self->made && count < AWAITS_MAX; c++) {
        if (!self->calls[c].told) {
            proto_put_record(&wire, REC_ID, &(struct rec_id){ task_id_of(self->session, c).v });
            count++;
        }
    }
    client_say(
        sim, self, MSG_AWAITS,
        &(struct msg_awaits){ SEQ_AWAITS | ++self->seq, self->session, wire_list(&wire, count) });
}

void nested_answer(struct sim *sim, const struct client *self, const struct msg *msg)
{
    if (msg->kind == MSG_REFUSED && msg->as.refused.code == ERR_INVALID) {
        sim_fail(sim, 19, "client %u is told that it waits in a circle, and does not", self->index);
    }
}

bool nested_submits(const struct sim *sim, uint64_t task)
{
    bool found = false;
    for (uint32_t i = 0; i < sim->client_count && !found; i++) {
        const struct client *self = &sim->clients[i];
        found = self->alive && self->kind == CLIENT_NESTED && self->driver == task &&
                self->made < self->planned;
    }
    return found;
}

/*  Who has submitted its task does not want it any more, nor what that has submitted and will submit. */
static void is_not_wanted(struct sim *sim, const struct client *self)
{
    const struct task_seen *parent = oracle_task(sim, self->driver);
    if (parent == NULL || oracle_spec(sim, parent->spec)->kind == SPEC_ACTOR) {
        return; /* an actor is killed, not cancelled */
    }
    uint64_t counter = task_counter((task_id){ self->driver });
    for (uint32_t i = 0; i < sim->client_count; i++) {
        struct client *above = &sim->clients[i];
        bool its = above->alive && above->session == task_session((task_id){ self->driver }) &&
                   counter < above->below;
        if (its && !above->calls[counter].cancel && !above->calls[counter].told) {
            above->calls[counter].cancel = true;
            above->cancels++;
        }
    }
}

/*  It has submitted all, and waits. */
void nested_waits(struct sim *sim, struct client *self)
{
    bool submits = self->kind == CLIENT_NESTED && self->made > 0 && self->made < self->planned;
    if (submits && !self->slow && chance(&sim->kin, 200)) { /* an actor is killed, not cancelled */
        is_not_wanted(sim, self);
    }
    bool again = self->blocked && chance(&sim->kin, 100); /* another thread of it, too */
    if (self->kind == CLIENT_NESTED && self->made == self->planned && (!self->blocked || again)) {
        self->blocked = true;
        exec_waits_now(sim, self->index, HELD_BLOCKED_GET);
    }
    bool waits = self->kind == CLIENT_NESTED && self->blocked && self->phase == PHASE_READY &&
                 self->session != 0;
    if (waits && chance(&sim->kin, 300)) {
        says_what_for(sim, self);
    }
}

void rule_kin(struct sim *sim, const struct task_seen *task)
{
    const struct task_seen *parent =
        task->parent_token != 0 ? oracle_task(sim, task->parent) : NULL;
    if (parent == NULL) {
        return;
    }
    uint64_t commit = sim->oracle.commit;
    if (parent->tree && parent->cancel_commit < commit && parent->token == task->parent_token) {
        sim_fail(sim, 15, "%llx is leased, but %llx was cancelled with all that it has submitted",
                 (ull)task->id, (ull)parent->id);
    }
    bool good = index_find(&sim->oracle.good_index, task->parent_token) != NONE;
    if (parent->fence >= task->parent_token && parent->again_commit < commit && !good) {
        sim_fail(sim, 15, "%llx is leased, but the attempt of %llx that submitted it has failed",
                 (ull)task->id, (ull)parent->id);
    }
    bool job = parent->failure == FAILURE_JOB_STOPPED || parent->failure == FAILURE_DRIVER_DIED;
    if (parent->state == TASK_FAILED && parent->commit < commit && !parent->cancelled && !job) {
        sim_fail(sim, 15, "%llx is leased, but %llx, which submitted it, has failed", (ull)task->id,
                 (ull)parent->id);
    }
}
