/*  world.c - a world made from a seed; two phases, faults and then healing; and its end, when everything has ended. */
#include <setjmp.h>
#include <stdlib.h>

#include "tests/sim/sim.h"
#include "tests/sim/store.h"

enum {
    SCRATCH_BYTES = 1 << 20,
    HEAL_PERCENT = 80,
    LEASES_TO_END = 10,
    LEASE_US_MIN = 30000000,
    LOOK_US = 500000,
    CHECK_US = 10000000
};

static void wire_new(struct wire *wire)
{
    *wire = (struct wire){ malloc(SCRATCH_BYTES), 0, SCRATCH_BYTES, false };
    ensure(wire->p != NULL);
}

static void check_all(struct sim *sim, uint32_t who, uint64_t number, void *data)
{
    head_check(sim);
    for (uint32_t i = 0; i < sim->worker_count; i++) {
        node_check(sim, i);
    }
    sim_at(sim, sim->now_us + CHECK_US, check_all, who, number, data);
}

static void heals(struct sim *sim, uint32_t who, uint64_t number, void *data)
{
    (void)who;
    (void)number;
    (void)data;
    SIM_NOTE(sim, "no more faults");
    sim->healed = true;
    faults_heal(sim);
}

static void world_open(struct sim *sim, uint64_t seed, const struct options *options)
{
    sim->seed = seed;
    struct prng root = { seed * 0x9E3779B97F4A7C15u + 0x1234567 };
    sim->world.state = prng_next(&root);
    sim->net.state = prng_next(&root);
    sim->fate.state = prng_next(&root);
    sim->run.state = prng_next(&root);
    sim->tune.state = prng_next(&root);
    sim->jobs.state = prng_next(&root);
    sim->users.state = prng_next(&root);
    sim->values.state = prng_next(&root);
    sim->places.state = prng_next(&root);
    sim->ranks = chance(&sim->places, 500);
    sim->kin.state = prng_next(&root);
    sim->nests = chance(&sim->kin, 500);
    sim->actors.state = prng_next(&root);
    sim->quota.state = prng_next(&root);
    users_draw(sim);
    sim->studies = chance(&sim->tune, 500);
    wire_new(&sim->wire);
    wire_new(&sim->elements);
    wire_new(&sim->extra);
    sim->end_us = options->minutes * 60000000;
    sim->heal_us = sim->end_us / 100 * HEAL_PERCENT;
    sim->latency_us = (uint32_t)between(&sim->world, 20, chance(&sim->world, 200) ? 50000 : 500);
    sim->jitter_us = (uint32_t)between(&sim->world, 0, sim->latency_us * 2);
    head_open(sim);
    faults_open(sim);
    sim->worker_count = (uint32_t)between(&sim->world, 1, WORKERS_MAX);
    for (uint32_t i = 0; i < sim->worker_count; i++) {
        node_open(sim, i);
    }
    clients_open(sim);
    sim_at(sim, sim->heal_us, heals, 0, 0, NULL);
    sim_at(sim, CHECK_US, check_all, 0, 0, NULL);
}

static void world_close(struct sim *sim)
{
    head_close(sim);
    for (uint32_t i = 0; i < WORKERS_MAX; i++) {
        node_close(sim, i);
    }
    clients_close(sim);
    oracle_fini(&sim->oracle);
    sim_fini(sim);
}

static bool clients_gone(const struct sim *sim)
{
    for (uint32_t i = 0; i < sim->client_count; i++) {
        if (sim->clients[i].alive) {
            return false;
        }
    }
    return true;
}

/*  Nothing is left to do: no client, no open job, no attempt anywhere. */
static bool is_quiet(struct sim *sim)
{
    if (!clients_gone(sim) || !sim->head.up || sim->head.paused_us > sim->now_us) {
        return false;
    }
    struct core_stats stats = core_stats(turn_core(sim->head.turn));
    bool quiet = stats.jobs_open == 0 && stats.tasks_leased == 0 && stats.tasks_ready == 0 &&
                 stats.nodes_alive == sim->worker_count;
    for (uint32_t i = 0; i < sim->worker_count && quiet; i++) {
        if (!sim->nodes[i].alive) {
            return false;
        }
        struct worker_stats worker = worker_stats(sim->nodes[i].core);
        quiet = worker.waiting == 0 && worker.running == 0 && worker.unreported == 0;
    }
    return quiet;
}

/*  Time is over, and not everything has ended: the most telling sentence. */
static void fail_unquiet(struct sim *sim)
{
    oracle_end(sim);
    for (uint32_t i = 0; i < sim->client_count; i++) {
        const struct client *self = &sim->clients[i];
        if (self->alive) {
            sim_fail(sim, 19,
                     "client %u of kind %d has not ended: phase %d, made %u of %u, below %llu, "
                     "told %llu, cancels %llu",
                     i, (int)self->kind, (int)self->phase, self->made, self->planned,
                     (unsigned long long)self->below, (unsigned long long)self->told_count,
                     (unsigned long long)self->cancels);
        }
    }
    for (uint32_t i = 0; i < sim->worker_count; i++) {
        struct worker_stats stats = { 0 };
        if (sim->nodes[i].alive) {
            stats = worker_stats(sim->nodes[i].core);
        }
        if (!sim->nodes[i].alive || stats.waiting + stats.running + stats.unreported > 0) {
            sim_fail(sim, 21,
                     "worker %u is not idle: alive %d, waiting %u, running %u, unreported %u", i,
                     sim->nodes[i].alive, stats.waiting, stats.running, stats.unreported);
        }
    }
    if (!sim->head.up) {
        sim_fail(sim, 19, "the head is not up");
    }
    struct core_stats stats = core_stats(turn_core(sim->head.turn));
    sim_fail(sim, 19, "the head is not idle: %u jobs open, %llu leased, %llu ready, %u of %u nodes",
             stats.jobs_open, (unsigned long long)stats.tasks_leased,
             (unsigned long long)stats.tasks_ready, stats.nodes_alive, sim->worker_count);
}

static void run(struct sim *sim)
{
    uint64_t lease_us = (uint64_t)sim->head.config.lease_ms * 1000;
    lease_us =
        lease_us > LEASE_US_MIN ? lease_us : LEASE_US_MIN; /* a short lease makes no work shorter */
    uint64_t limit_us = sim->heal_us + LEASES_TO_END * lease_us;
    limit_us = limit_us > sim->end_us ? limit_us : sim->end_us;
    uint64_t look_us = sim->heal_us;
    while (sim_step(sim)) {
        if (sim->now_us < look_us) {
            continue;
        }
        look_us = sim->now_us + LOOK_US;
        rule_stores(sim);
        if (is_quiet(sim) && sim->now_us >= sim->end_us) {
            break;
        }
        if (sim->now_us >= limit_us) {
            fail_unquiet(sim);
        }
    }
    head_check(sim);
    for (uint32_t i = 0; i < sim->worker_count; i++) {
        node_check(sim, i);
    }
    oracle_end(sim);
}

void world_run(struct sim *sim, uint64_t seed, const struct options *options, bool record,
               struct outcome_of_seed *out)
{
    memset(sim, 0, sizeof(*sim));
    jmp_buf escape;
    sim->escape = &escape;
    sim->record = record || options->verbose;
    sim->verbose = options->verbose;
    sim_now = sim;
    if (setjmp(escape) == 0) {
        world_open(sim, seed, options);
        run(sim);
    }
    sim_now = NULL;
    *out = (struct outcome_of_seed){ .failed = sim->failed,
                                     .invariant = sim->invariant,
                                     .failed_us = sim->failed_us,
                                     .virtual_us = sim->now_us,
                                     .trace = sim->trace,
                                     .head_crashes = sim->head.crashes,
                                     .power_cuts = sim->head.power_cuts,
                                     .tasks = sim->tasks_done,
                                     .effects = sim->effect_count,
                                     .frames = sim->frames };
    memcpy(out->why, sim->why, sizeof(out->why));
    world_close(sim);
}
