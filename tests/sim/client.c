/*  client.c - simulated programs that submit: what each of them wants.  Attached drivers, array jobs, jobs whose driver
    runs on the cluster, and those drivers.  How they talk is in link.c. */
#include <stdio.h>
#include <stdlib.h>

#include "tests/sim/sim.h"
#include "tests/sim/value.h"

static void wakes(struct sim *sim, uint32_t who, uint64_t number, void *data)
{
    (void)data;
    struct client *self = &sim->clients[who];
    if (self->alive && self->wake == number) {
        self->wake_us = 0;
        client_tick(sim, self);
    }
}

void client_wake_at(struct sim *sim, struct client *self, uint64_t at_us)
{
    at_us = at_us > sim->now_us + 1000 ? at_us : sim->now_us + 1000;
    if (self->wake_us == 0 || at_us < self->wake_us) {
        self->wake_us = at_us;
        sim_at(sim, at_us, wakes, self->index, ++self->wake, NULL);
    }
}

const struct plan *client_plan(struct sim *sim, uint64_t owner)
{
    uint64_t client = owner / 10;
    if (client >= sim->client_count ||
        (owner % 10 >= sim->clients[client].spec_count && owner % 10 < ACTOR_PLAN)) {
        sim_fail(sim, 11, "an attempt runs the program %llu, which nobody has submitted",
                 (unsigned long long)owner);
    }
    return &sim->clients[client].plans[owner % 10];
}

/* --- specs ------------------------------------------------------------------------------------ */

static uint32_t put_demand(struct sim *sim, const struct client *client, struct plan *plan,
                           bool infeasible)
{
    struct wire *to = &sim->elements;
    static const char *const names[3] = { "CPU", "memory", "GPU" };
    const struct node *node = &sim->nodes[0];
    struct prng *rng = &sim->world;
    plan->demand[0] = chance(rng, 600) ? UNITS_PER_ONE : between(rng, 0, node->capacity[0]);
    plan->demand[1] = chance(rng, 200) ? between(rng, 1, node->capacity[1]) : 0;
    plan->demand[2] =
        node->capacity[2] > 0 && chance(rng, 200) ? between(rng, 1, 2) * UNITS_PER_ONE / 2 : 0;
    if (client->kind == CLIENT_NESTED) { /* whom it waits for cannot wait for what it holds */
        memset(plan->demand, 0, sizeof(plan->demand));
        plan->demand[0] = UNITS_PER_ONE;
    }
    if (infeasible) {
        plan->demand[0] = 100 * UNITS_PER_ONE;
    }
    uint32_t count = 0;
    for (int k = 0; k < 3; k++) {
        if (plan->demand[k] > 0) {
            proto_put_record(to, REC_AMOUNT,
                             &(struct rec_amount){ slice_text(names[k]), plan->demand[k] });
            count++;
        }
    }
    return count;
}

/*  `calls`: so many at most; all together are some seconds of work. */
static void draw_plan(struct sim *sim, struct plan *plan, struct rec_spec *record, uint32_t calls)
{
    enum { WORK_US = 10000000 };
    static const uint32_t runs_us[] = { 200,    1000,   1000,    10000,  10000,
                                        100000, 100000, 1000000, 8000000 };
    struct prng *rng = &sim->world;
    plan->kind = record->kind;
    plan->run_us = runs_us[prng_below(rng, COUNT(runs_us))];
    plan->run_us = plan->run_us < WORK_US / calls ? plan->run_us : WORK_US / calls;
    plan->app_error = chance(rng, 300) ? (uint32_t)between(rng, 10, 500) : 0;
    plan->death = chance(rng, 300) ? (uint32_t)between(rng, 5, 250) : 0;
    plan->odd = chance(rng, 100) ? 50 : 0;
    record->max_retries = chance(rng, 250)   ? 0
                          : chance(rng, 150) ? -1
                                             : (int32_t)between(rng, 1, 5);
    record->retry_mode = (uint32_t)prng_below(rng, 3);
    if (record->max_retries < 0 && plan->app_error > 300) {
        plan->app_error = 300;
    }
    record->backoff_ms = 100;
    record->backoff_ms_max = chance(rng, 500) ? 30000 : 1000;
    record->crash_limit = chance(rng, 300) ? (uint32_t)between(rng, 1, 4) : 0;
    if (chance(rng, 100)) {
        record->run_ms_max = plan->run_us / 1000 * 4 + 20;
        plan->too_long = true;
    }
    record->queue_ms_max = chance(rng, 50) ? (uint32_t)between(rng, 500, 60000) : 0;
}

void client_specs(struct sim *sim, struct client *self)
{
    struct prng *rng = &sim->world;
    self->spec_count = self->kind == CLIENT_ARRAY || self->kind == CLIENT_SUBMITTER
                           ? 1
                           : (uint32_t)between(rng, 1, 4);
    for (uint32_t i = 0; i < self->spec_count; i++) {
        struct plan *plan = &self->plans[i];
        bool driver = self->kind == CLIENT_SUBMITTER;
        struct rec_spec record = { .index = i,
                                   .kind = driver             ? SPEC_DRIVER
                                           : chance(rng, 200) ? SPEC_COMMAND
                                                              : SPEC_FUNCTION };
        draw_plan(sim, plan, &record,
                  self->planned > 0 ? self->planned : (uint32_t)self->array_count);
        if (self->study.wanted && record.kind != SPEC_DRIVER) {
            /* Each decision takes some round trips: too long for a run time-out, or one by one for many. */
            bool slow = record.run_ms_max > 0 || self->planned > 60;
            plan->reports = slow ? 0 : (uint32_t)prng_below(&sim->tune, 5);
            plan->running_max = chance(&sim->tune, 500) ? (uint32_t)between(&sim->tune, 1, 4) : 0;
            record.running_max = plan->running_max;
        }
        char name[24], strategy[STRATEGY_MAX];
        plan->where = place_draw(sim, &record, strategy);
        snprintf(name, sizeof(name), "f %u.%u", self->index, i);
        record.name = slice_text(name);
        record.program = chance(rng, 300) ? slice_text("00aabbccddeeff") : (struct slice){ 0 };
        sim->elements.n = sim->extra.n = sim->wire.n = 0;
        bool infeasible = !driver && chance(rng, 30);
        record.if_infeasible = infeasible ? INFEASIBLE_FAIL : INFEASIBLE_WAIT;
        uint32_t amounts = driver ? 0 : put_demand(sim, self, plan, infeasible);
        nested_plan(sim, self, plan);
        record.demand = wire_list(&sim->elements, amounts);
        if (driver) {
            record.run_ms_max = record.queue_ms_max = 0;
            record.max_retries = (int32_t)prng_below(rng, 3);
        }
        if (record.retry_mode == RETRY_CODES) {
            proto_put_record(&sim->extra, REC_CODE, &(struct rec_code){ 7 });
            record.retry_codes = wire_list(&sim->extra, 1);
        }
        proto_put_record(&sim->wire, REC_SPEC, &record);
        ensure(!sim->wire.full);
        self->specs[i] = bytes_new(sim->wire.p, sim->wire.n);
    }
    value_spec(sim, self);
    actor_specs(sim, self);
}

/* --- calls ------------------------------------------------------------------------------------ */

void client_make_calls(struct sim *sim, struct client *self, uint32_t count)
{
    for (; count > 0 && self->made < self->planned; count--) {
        uint32_t counter = ++self->made;
        struct call *call = &self->calls[counter];
        call->spec = (uint32_t)prng_below(&sim->world, self->spec_count);
        if (self->spec_first[call->spec] == 0) {
            self->spec_first[call->spec] = counter;
        }
        if (counter > 1 && chance(&sim->world, 200)) {
            call->dep_count = (uint32_t)between(&sim->world, 1, DEPS_FEW);
            for (uint32_t i = 0; i < call->dep_count; i++) {
                uint64_t back = counter - 1 < 30 ? counter - 1 : 30;
                call->deps[i] = counter - between(&sim->world, 1, back);
            }
        }
        call->cancel = chance(&sim->world, 30);
        self->cancels += call->cancel;
        value_draw(sim, self, counter);
        actor_draw(sim, self, counter);
    }
}

/* --- life ------------------------------------------------------------------------------------- */

static bool is_inside(enum client_kind kind)
{
    return kind == CLIENT_DRIVER || kind == CLIENT_NESTED;
}

/*  `as`: its kind, and if it runs in an executor, in which, and for whom. */
static struct client *client_new(struct sim *sim, const struct client *as)
{
    enum client_kind kind = as->kind;
    if (sim->client_count == CLIENTS_MAX) {
        return NULL;
    }
    uint32_t index = sim->client_count++;
    struct client *self = &sim->clients[index];
    struct prng *rng = &sim->world;
    *self = *as;
    self->index = index;
    self->alive = true;
    self->below = self->kept = self->unsent = 1;
    self->user = (uint32_t)prng_below(&sim->users, sim->user_count);
    self->durability = chance(rng, 300) ? DURABLE_FULL : DURABLE_PROCESS;
    snprintf(self->submission, sizeof(self->submission), "sub-%u-%llu", index,
             (unsigned long long)sim->seed);
    bool submits = kind == CLIENT_ATTACHED || kind == CLIENT_DRIVER;
    self->planned = kind == CLIENT_NESTED ? (uint32_t)between(&sim->kin, 1, self->slow ? 40 : 5)
                    : submits             ? (uint32_t)between(rng, 1, chance(rng, 200) ? 300 : 60)
                                          : 0;
    self->array_count = between(rng, 1, chance(rng, 300) ? 300 : 40);
    if (kind != CLIENT_NESTED) {
        study_draw(sim, self);
    }
    job_draw(sim, self);
    client_specs(sim, self);
    self->calls = calloc((size_t)self->planned + 1, sizeof(*self->calls));
    ensure(self->calls != NULL);
    self->linger = !chance(rng, 100);
    if (!is_inside(kind) && kind != CLIENT_ATTACHED && chance(rng, 100)) {
        self->stop_at_ms = client_now_ms(sim) + between(rng, 100, 60000);
    }
    SIM_NOTE(sim, "client %u begins, kind %d, %u calls, %llu of an array", index, (int)kind,
             self->planned, (unsigned long long)self->array_count);
    client_wake_at(sim, self, sim->now_us + 1000);
    net_dial(sim, WORKERS_MAX + index, between(&sim->net, 1000, 50000));
    return self;
}

static void program_begins(struct sim *sim, uint32_t who, uint64_t number, void *data);

/*  A seat: one program after the other, until healing. */
static void seat_next(struct sim *sim, uint32_t seat)
{
    if (!sim->healed && sim->client_count + 40 < CLIENTS_MAX) {
        uint64_t after_us =
            between(&sim->world, 10000, chance(&sim->world, 200) ? 60000000 : 15000000);
        sim_at(sim, sim->now_us + after_us, program_begins, seat, 0, NULL);
    }
}

static void program_begins(struct sim *sim, uint32_t who, uint64_t number, void *data)
{
    (void)number;
    (void)data;
    static const enum client_kind kinds[] = { CLIENT_ATTACHED, CLIENT_ATTACHED, CLIENT_ATTACHED,
                                              CLIENT_ARRAY, CLIENT_SUBMITTER };
    if (!sim->healed) {
        struct client as = { .kind = kinds[prng_below(&sim->world, COUNT(kinds))] };
        struct client *self = client_new(sim, &as);
        if (self != NULL) {
            self->seat = who;
        }
    }
}

void clients_open(struct sim *sim)
{
    uint32_t seats = (uint32_t)between(&sim->world, 1, 4);
    for (uint32_t i = 0; i < seats; i++) {
        sim_at(sim, between(&sim->world, 1000, 3000000), program_begins, i, 0, NULL);
    }
}

uint32_t client_inside(struct sim *sim, const struct client *as)
{
    struct client *self = client_new(sim, as);
    if (self == NULL) {
        sim_fail(sim, 40, "too many clients in this world");
    }
    self->seat = NONE;
    self->user = user_of_job(sim, as->job);
    return self->index;
}

uint32_t client_driver_new(struct sim *sim, uint32_t node, uint32_t executor, uint64_t job,
                           uint64_t token)
{
    struct client self = { .kind = CLIENT_DRIVER,
                           .node = node,
                           .executor = executor,
                           .job = job,
                           .token = token,
                           .driver = effect_of(sim, token)->task };
    return client_inside(sim, &self);
}

static void ends(struct sim *sim, struct client *self)
{
    self->alive = false;
    self->wake++;
    net_hang_up(sim, WORKERS_MAX + self->index);
    if (self->seat != NONE) {
        seat_next(sim, self->seat);
    }
}

void client_leave(struct sim *sim, struct client *self, int32_t status)
{
    SIM_NOTE(sim, "client %u ends with status %d", self->index, status);
    self->finished = true;
    ends(sim, self);
    if (self->kind == CLIENT_DRIVER) {
        exec_driver_ends(sim, self->index, status);
    } else if (self->kind == CLIENT_NESTED) {
        exec_nested_ends(sim, self->index);
    }
}

void client_die(struct sim *sim, uint32_t index)
{
    struct client *self = &sim->clients[index];
    if (self->alive) {
        SIM_NOTE(sim, "client %u is killed", index);
        ends(sim, self);
    }
}

void clients_close(struct sim *sim)
{
    for (uint32_t i = 0; i < sim->client_count; i++) {
        free(sim->clients[i].calls);
        for (uint32_t k = 0; k < SPECS_MAX; k++) {
            free(sim->clients[i].specs[k]);
        }
    }
}

/*  The machine of the head lost power: a result of level process that was not on the disk may come anew. */
void client_power_cut(struct sim *sim)
{
    for (uint32_t i = 0; i < sim->client_count; i++) {
        struct client *self = &sim->clients[i];
        for (uint32_t c = 1; c <= self->made; c++) {
            const struct task_seen *task = oracle_task(sim, task_id_of(self->session, c).v);
            bool kept = task != NULL && task->state >= TASK_FINISHED;
            bool told =
                self->calls[c].told && (!is_value(self, c) || self->calls[c].stored_at != 0);
            if (told && !kept) {
                if (self->durability == DURABLE_FULL && self->kind == CLIENT_ATTACHED) {
                    sim_fail(sim, 2,
                             "a power cut takes a result of level full that client %u was told", i);
                }
                self->calls[c].maybe = true;
            }
        }
    }
    studies_cut(sim);
    jobs_check(sim);
}
