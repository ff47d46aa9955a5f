/*  store.c - the simulated store of a node: what the production stock.c tells the head of.  It is small: secondary copies
    are evicted, primaries are spilled.  All is gone with its process.  And what must hold of copies. */
#include "tests/sim/store.h"

#include <stdlib.h>
#include <sys/eventfd.h>
#include "common/bug.h"
#include "tests/sim/object.h"
#include "tests/sim/sim.h"
#include "worker/stock.h"

enum { BOUND_US = 30 * 1000 * 1000 };
typedef unsigned long long ull;

struct held_copy {
    uint64_t task;
    uint64_t token;   /* of the attempt that made it: its hash; 0: it was put */
    uint64_t used;    /* order of uses */
    uint64_t left_us; /* since when nobody wants it; 0: somebody does */
    bool primary, disk;
};

struct node_store {
    struct held_copy *copies;
    uint64_t *gone, *spilled; /* tasks, not told of yet */
    uint64_t *had;            /* all that ever was here */
    uint32_t count, room, gone_count, gone_room, spilled_count, spilled_room, had_count, had_room;
    uint32_t memory; /* copies that fit into it */
    uint64_t uses;
};

static struct held_copy *find(const struct node_store *self, uint64_t task)
{
    for (uint32_t i = 0; i < self->count; i++) {
        if (self->copies[i].task == task) {
            return &self->copies[i];
        }
    }
    return NULL;
}

static void drop(struct node_store *self, uint64_t task)
{
    struct held_copy *copy = find(self, task);
    if (copy != NULL) {
        *copy = self->copies[--self->count];
    }
}

static void queue(uint64_t **list, uint32_t *count, uint32_t *room, uint64_t task)
{
    *list = grown(*list, room, *count, sizeof(**list));
    (*list)[(*count)++] = task;
}

/*  The one in memory that was used the longest time ago; NULL: there is none. */
static struct held_copy *oldest(struct node_store *self, bool primary)
{
    struct held_copy *oldest = NULL;
    for (uint32_t i = 0; i < self->count; i++) {
        struct held_copy *copy = &self->copies[i];
        bool fits = copy->primary == primary && !copy->disk;
        if (fits && (oldest == NULL || copy->used < oldest->used)) {
            oldest = copy;
        }
    }
    return oldest;
}

static void make_room(struct node_store *self)
{
    uint32_t in_memory = 0;
    for (uint32_t i = 0; i < self->count; i++) {
        in_memory += !self->copies[i].disk;
    }
    for (; in_memory >= self->memory; in_memory--) {
        struct held_copy *copy = oldest(self, false);
        if (copy != NULL) {
            queue(&self->gone, &self->gone_count, &self->gone_room, copy->task);
            drop(self, copy->task);
        } else {
            copy = oldest(self, true);
            copy->disk = true;
            queue(&self->spilled, &self->spilled_count, &self->spilled_room, copy->task);
        }
    }
}

static void add(struct node_store *self, const struct held_copy *copy)
{
    make_room(self);
    self->copies = grown(self->copies, &self->room, self->count, sizeof(*self->copies));
    self->copies[self->count] = *copy;
    self->copies[self->count++].used = ++self->uses;
    queue(&self->had, &self->had_count, &self->had_room, copy->task);
}

/* --- what stock.c needs of a store ------------------------------------------------------------- */

static void copy_put(const struct held_copy *copy, struct node_copy *out)
{
    *out = (struct node_copy){ .id = { .task = copy->task, .size = OBJECT_BYTES },
                               .primary = copy->primary,
                               .disk = copy->disk };
}

int node_store_watch(struct node_store *self)
{
    static int never = -1; /* it is readable never: the simulator looks by itself */
    (void)self;
    never = never >= 0 ? never : eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    return never;
}

bool node_store_has(struct node_store *self, uint64_t task, uint32_t index, struct node_copy *out)
{
    const struct held_copy *copy = index == 0 ? find(self, task) : NULL;
    if (copy != NULL) {
        copy_put(copy, out);
    }
    return copy != NULL;
}

bool node_store_next(struct node_store *self, uint32_t *at, struct node_copy *out)
{
    if (*at < self->count) {
        copy_put(&self->copies[(*at)++], out);
        return true;
    }
    return false;
}

bool node_store_gone(struct node_store *self, struct node_copy *out)
{
    if (self->gone_count == 0) {
        return false;
    }
    *out = (struct node_copy){ .id = { .task = self->gone[--self->gone_count] } };
    return true;
}

bool node_store_spilled(struct node_store *self, struct node_copy *out)
{
    while (self->spilled_count > 0) {
        if (node_store_has(self, self->spilled[--self->spilled_count], 0, out)) {
            return true;
        }
    }
    return false;
}

void node_store_drop(struct node_store *self, uint64_t task, uint32_t index)
{
    if (index == 0) {
        drop(self, task);
    }
}

void node_store_set_primary(struct node_store *self, uint64_t task, uint32_t index, bool primary)
{
    struct held_copy *copy = index == 0 ? find(self, task) : NULL;
    if (copy != NULL) {
        copy->primary = primary;
    }
}

/* --- the node ----------------------------------------------------------------------------------- */

void store_starts(struct sim *sim, struct node *node)
{
    node->store = calloc(1, sizeof(*node->store));
    ensure(node->store != NULL);
    node->store->memory = (uint32_t)between(&sim->values, 2, chance(&sim->values, 500) ? 8 : 60);
    int e = stock_open(&node->stock, node->store);
    ensure(e == OK);
}

void store_lost(struct sim *sim, const struct node *node)
{
    for (uint32_t i = 0; i < node->store->count; i++) {
        index_add(&sim->died, node->store->copies[i].task, 0);
    }
}

void store_ends(struct sim *sim, struct node *node)
{
    store_lost(sim, node);
    stock_close(&node->stock);
    free(node->store->copies);
    free(node->store->had);
    free(node->store->gone);
    free(node->store->spilled);
    free(node->store);
    node->store = NULL;
}

void store_seal(struct sim *sim, struct node *node, uint64_t task, uint64_t token)
{
    const struct node_seen *seen = node_seen_of(sim, worker_stats(node->core).node);
    drop(node->store, task);
    add(node->store, &(struct held_copy){ .task = task, .token = token, .primary = true });
    if (seen == NULL || seen->dead) {
        index_add(&sim->died, task, 0);
    }
}

void store_unseal(struct node *node, uint64_t task)
{
    drop(node->store, task);
}

bool store_has(const struct node *node, uint64_t task)
{
    return find(node->store, task) != NULL;
}

bool store_had(const struct node *node, uint64_t task)
{
    uint32_t i = 0;
    while (i < node->store->had_count && node->store->had[i] != task) {
        i++;
    }
    return i < node->store->had_count;
}

bool store_fetch(struct sim *sim, struct node *node, uint64_t task)
{
    struct held_copy *here = find(node->store, task);
    for (uint32_t i = 0; i < sim->worker_count && here == NULL; i++) {
        const struct node *from = &sim->nodes[i];
        const struct held_copy *copy = from->alive ? find(from->store, task) : NULL;
        if (copy != NULL && from->paused_us <= sim->now_us) {
            add(node->store, &(struct held_copy){ .task = task, .token = copy->token });
            here = find(node->store, task);
            stock_tell(node->stock, task, 0);
        }
    }
    if (here != NULL) {
        here->used = ++node->store->uses;
    }
    return here != NULL;
}

void store_message(struct node *node, const struct msg *msg)
{
    if (msg->kind == MSG_OBJECT_DROP) {
        stock_on_drop(node->stock, &msg->as.object_drop);
    } else if (msg->kind == MSG_OBJECT_KEEP) {
        stock_on_keep(node->stock, &msg->as.object_keep);
    } else if (msg->kind == MSG_STOCK_ACK) {
        stock_on_ack(node->stock, &msg->as.stock_ack);
    } else if (msg->kind == MSG_NODE_JOINED && worker_joins(node->core)) {
        stock_joined(node->stock, msg->as.node_joined.node);
    } else if (msg->kind == MSG_WHO) {
        stock_joined(node->stock, 0);
    }
}

void store_away(struct node *node)
{
    stock_joined(node->stock, 0);
}

void store_tells(struct sim *sim, struct node *node)
{
    struct msg_stock stock;
    stock_look(node->stock);
    while (stock_next(node->stock, node->boot_ms + sim->now_us / 1000, &stock)) {
        net_to_head(sim, node->index, MSG_STOCK, &stock);
    }
}

/* --- what must hold ------------------------------------------------------------------------------ */

/*  Whether an attempt made it so: ended well, with this token, for this task. */
static void check_hash(struct sim *sim, const struct node *node, const struct held_copy *copy)
{
    const struct effect *effect = copy->token != 0 ? effect_of(sim, copy->token) : NULL;
    if (copy->token != 0 && (effect == NULL || effect->task != copy->task)) {
        sim_fail(sim, 27, "worker %u has a copy of %llx that no attempt of it has made",
                 node->index, (ull)copy->task);
    }
}

static bool is_wanted(struct sim *sim, uint64_t id)
{
    const struct task_seen *task = oracle_task(sim, id);
    return task != NULL && !task->deleted && task->object != 0 && task->object != DIRECTORY_FREED;
}

static bool somebody_has(const struct sim *sim, uint64_t task)
{
    bool found = false;
    for (uint32_t i = 0; i < sim->worker_count; i++) {
        found = found || (sim->nodes[i].alive && store_has(&sim->nodes[i], task));
    }
    return found;
}

/*  It has been so for too long; while the head stands still nothing changes. */
static bool is_over(const struct sim *sim, uint64_t since_us)
{
    uint64_t paused_us = sim->head.paused_us;
    return sim->now_us > (since_us > paused_us ? since_us : paused_us) + BOUND_US;
}

static void check_copies(struct sim *sim, const struct node *node)
{
    for (uint32_t i = 0; i < node->store->count; i++) {
        struct held_copy *copy = &node->store->copies[i];
        check_hash(sim, node, copy);
        /*  What was put by a client that died before it could say so is found when the node joins again. */
        bool unsaid = copy->token == 0 && oracle_task(sim, copy->task) == NULL;
        copy->left_us = unsaid || is_wanted(sim, copy->task) ? 0
                        : copy->left_us == 0                 ? sim->now_us
                                                             : copy->left_us;
        if (copy->left_us != 0 && is_over(sim, copy->left_us)) {
            sim_fail(sim, 31, "worker %u keeps a copy of %llx, which nobody needs any more",
                     node->index, (ull)copy->task);
        }
    }
}

void rule_stores(struct sim *sim)
{
    for (uint32_t i = 0; i < sim->worker_count; i++) {
        if (sim->nodes[i].alive) {
            check_copies(sim, &sim->nodes[i]);
        }
    }
    for (uint32_t i = 0; i < sim->oracle.task_count; i++) {
        struct task_seen *task = &sim->oracle.tasks[i];
        bool stored = !task->deleted && task->object == DIRECTORY_STORED && task->object_node != 0;
        bool missing = stored && !somebody_has(sim, task->id);
        task->missing_us = !missing ? 0 : task->missing_us == 0 ? sim->now_us : task->missing_us;
        if (missing && is_over(sim, task->missing_us)) {
            sim_fail(sim, 29, "the object of %llx is held, and no node has it", (ull)task->id);
        }
    }
}
