/*  faults.c - what goes wrong, and when: a table made from faults.def, one function for each fault that strikes by time.
    Nothing strikes after healing. */
#include "tests/sim/sim.h"

enum fault_kind { CHANCE, EVERY };
typedef void strike(struct sim *sim);

bool fault_strikes(struct sim *sim, enum fault fault)
{
    return sim->faults[fault] > 0 && !sim->healed &&
           prng_below(&sim->net, 1000000) < sim->faults[fault];
}

static uint64_t long_or_short(struct sim *sim)
{
    struct prng *rng = &sim->fate;
    uint64_t lease_us = (uint64_t)sim->head.config.lease_ms * 1000;
    return chance(rng, 700) ? between(rng, 50000, 5000000) : between(rng, 5000000, lease_us * 2);
}

static uint32_t some_worker(struct sim *sim)
{
    return (uint32_t)prng_below(&sim->fate, sim->worker_count);
}

static uint32_t some_endpoint(struct sim *sim)
{
    uint32_t up[ENDPOINTS], count = 0;
    for (uint32_t i = 0; i < ENDPOINTS; i++) {
        if (sim->connections[i].up) {
            up[count++] = i;
        }
    }
    return count == 0 ? NONE : up[prng_below(&sim->fate, count)];
}

static void strike_RESET(struct sim *sim)
{
    uint32_t endpoint = some_endpoint(sim);
    if (endpoint != NONE) {
        struct prng *rng = &sim->fate;
        net_reset(sim, endpoint,
                  chance(rng, 700) ? between(rng, 0, 20000) : between(rng, 20000, 20000000));
    }
}

/*  ZeroMQ notices a silent connection after some seconds, not always before the partition has gone. */
static void breaks(struct sim *sim, uint32_t who, uint64_t number, void *data)
{
    (void)data;
    if (sim->connections[who].up && sim->connections[who].generation == number) {
        net_reset(sim, who, between(&sim->fate, 0, 3000000));
    }
}

static void cut(struct sim *sim, uint32_t endpoint, uint64_t for_us, bool to_head, bool from_head)
{
    enum { NOTICED_US = 6000000 };
    struct connection *connection = &sim->connections[endpoint];
    uint64_t until = sim->now_us + for_us;
    if (to_head) {
        connection->cut_to_head_us = until;
    }
    if (from_head) {
        connection->cut_from_head_us = until;
    }
    bool both = to_head && from_head;
    if (endpoint < WORKERS_MAX && both && connection->up && chance(&sim->actors, 700)) {
        net_reset(sim, endpoint, between(&sim->actors, 0, 20000)); /* noticed at once */
    } else if (for_us > NOTICED_US && connection->up && chance(&sim->fate, 600)) {
        sim_at(sim, sim->now_us + NOTICED_US, breaks, endpoint, connection->generation, NULL);
    }
}

static void strike_PARTITION(struct sim *sim)
{
    uint64_t for_us = long_or_short(sim);
    for (uint32_t i = 0; i < ENDPOINTS; i++) {
        if (chance(&sim->fate, 400)) {
            cut(sim, i, for_us, true, true);
        }
    }
    SIM_NOTE(sim, "a partition for %llu ms", (unsigned long long)for_us / 1000);
}

static void strike_ONE_WAY(struct sim *sim)
{
    uint32_t endpoint = some_endpoint(sim);
    if (endpoint != NONE) {
        bool to_head = chance(&sim->fate, 500);
        cut(sim, endpoint, long_or_short(sim), to_head, !to_head);
        SIM_NOTE(sim, "endpoint %u: no frames %s the head", endpoint, to_head ? "to" : "from");
    }
}

static void strike_ISOLATE(struct sim *sim)
{
    uint64_t for_us = long_or_short(sim);
    for (uint32_t i = 0; i < ENDPOINTS; i++) {
        cut(sim, i, for_us, true, true);
    }
    SIM_NOTE(sim, "the head is isolated for %llu ms", (unsigned long long)for_us / 1000);
}

static void strike_HEAD_CRASH(struct sim *sim)
{
    head_crash(sim, false);
}

static void strike_HEAD_TORN(struct sim *sim)
{
    static const enum doom dooms[] = { DOOM_BEFORE_COMMIT, DOOM_AFTER_COMMIT, DOOM_MID_SEND };
    if (sim->head.up) {
        sim->head.doom = dooms[prng_below(&sim->fate, COUNT(dooms))];
        sim->head.sends_left = (uint32_t)prng_below(&sim->fate, 12);
    }
}

static void strike_POWER_CUT(struct sim *sim)
{
    head_crash(sim, true);
}

static void strike_WORKER_CRASH(struct sim *sim)
{
    node_crash(sim, some_worker(sim));
}

static void strike_WORKER_STOP(struct sim *sim)
{
    node_stop(sim, some_worker(sim));
}

static void strike_EXECUTOR_CRASH(struct sim *sim)
{
    uint32_t node = some_worker(sim), executor = (uint32_t)prng_below(&sim->fate, EXECUTORS_MAX);
    for (uint32_t i = 0; sim->nodes[node].alive && i < EXECUTORS_MAX; i++) {
        const struct executor *its = &sim->nodes[node].executors[(executor + i) % EXECUTORS_MAX];
        if (its->live && its->up && !its->ending) {
            SIM_NOTE(sim, "w%u: executor %u is killed from outside", node,
                     (executor + i) % EXECUTORS_MAX);
            exec_die(sim, node, (executor + i) % EXECUTORS_MAX, -9, between(&sim->fate, 100, 2000));
            return;
        }
    }
}

static void strike_CLIENT_CRASH(struct sim *sim)
{
    for (uint32_t i = sim->client_count; i-- > 0;) {
        if (sim->clients[i].alive && sim->clients[i].kind != CLIENT_DRIVER &&
            sim->clients[i].kind != CLIENT_NESTED && chance(&sim->fate, 400)) {
            client_die(sim, i);
            return;
        }
    }
}

static void strike_WORKER_PAUSE(struct sim *sim)
{
    struct node *node = &sim->nodes[some_worker(sim)];
    if (node->alive && node->paused_us <= sim->now_us) {
        uint64_t for_us = long_or_short(sim);
        node->paused_us = sim->now_us + for_us;
        SIM_NOTE(sim, "worker %u stands still for %llu ms", node->index,
                 (unsigned long long)for_us / 1000);
    }
}

static void strike_HEAD_PAUSE(struct sim *sim)
{
    head_pause(sim, long_or_short(sim));
}

static void strike_CLOCK_JUMP(struct sim *sim)
{
    int64_t by_ms = (int64_t)between(&sim->fate, 0, 2 * 86400000) - 86400000;
    SIM_NOTE(sim, "a wall clock jumps by %lld ms", (long long)by_ms);
    if (chance(&sim->fate, 500)) {
        sim->head.wall_ms += by_ms;
    } else {
        sim->nodes[some_worker(sim)].wall_ms += by_ms;
    }
}

static void strike_SLOW_SYNC(struct sim *sim)
{
    sim->head.slow_until_us = sim->now_us + between(&sim->fate, 1000000, 20000000);
}

static void strike_REVOKE(struct sim *sim)
{
    user_revoke(sim);
}

static void strike_DRAIN(struct sim *sim)
{
    drain_strike(sim);
}

static void strike_LOSS(struct sim *sim)
{
    (void)sim;
}
#define strike_DUPLICATE   strike_LOSS
#define strike_DELAY       strike_LOSS
#define strike_REORDER     strike_LOSS
#define strike_SPAWN_FAILS strike_LOSS

static const struct {
    enum fault_kind kind;
    uint32_t on, low, high;
    strike *strike;
} table[FAULTS] = {
#define FAULT(NAME, kind, on, low, high, text) { kind, on, low, high, strike_##NAME },
#include "tests/sim/faults.def"
#undef FAULT
};

static void strikes(struct sim *sim, uint32_t who, uint64_t number, void *data);

static void strike_later(struct sim *sim, uint32_t fault)
{
    uint64_t after_ms = between(&sim->fate, 1, 2ull * sim->faults[fault]);
    sim_at(sim, sim->now_us + after_ms * 1000, strikes, fault, 0, NULL);
}

static void strikes(struct sim *sim, uint32_t who, uint64_t number, void *data)
{
    (void)number;
    (void)data;
    if (!sim->healed) {
        table[who].strike(sim);
        strike_later(sim, who);
    }
}

void faults_open(struct sim *sim)
{
    bool calm = chance(&sim->world, 50); /* some worlds have no faults at all */
    for (uint32_t i = 0; i < FAULTS; i++) {
        bool on = prng_below(&sim->world, 100) < table[i].on && !calm;
        /*  Small values are as likely as large ones: drawn on a logarithmic scale, roughly. */
        uint64_t top = table[i].low + prng_below(&sim->world, table[i].high - table[i].low + 1);
        uint64_t drawn = table[i].low + prng_below(&sim->world, top - table[i].low + 1);
        sim->faults[i] = on ? (uint32_t)(table[i].kind == EVERY ? top : drawn) : 0;
        if (on && table[i].kind == EVERY) {
            strike_later(sim, i);
        }
    }
}

void faults_heal(struct sim *sim)
{
    for (uint32_t i = 0; i < ENDPOINTS; i++) {
        sim->connections[i].cut_to_head_us = sim->connections[i].cut_from_head_us = 0;
    }
    for (uint32_t i = 0; i < sim->worker_count; i++) {
        if (!sim->nodes[i].alive) {
            node_start(sim, i, 0, NULL);
        }
    }
    users_heal(sim);
    drains_heal(sim);
    sim->head.slow_until_us = 0; /* who stands still wakes by itself */
    sim->head.doom = DOOM_NONE;
    if (!sim->head.up) {
        head_start(sim, 0, 0, NULL);
    }
}
