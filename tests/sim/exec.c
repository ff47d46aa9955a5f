/*  exec.c - executors: simulated processes that begin and end attempts as their spec's plan says, and the log of effects,
    which nobody but the simulator sees.  What an executor says reaches its worker in order. */
#include <signal.h>
#include <stdlib.h>

#include "tests/sim/begins.h"
#include "tests/sim/object.h"
#include "tests/sim/sim.h"

enum { REST_US_MAX = 15000000 }; /* of an actor, before it submits anything */

struct note { /* what an executor, or the spawner, says to its worker */
    struct worker_event event;
    struct rec_ran ran;
    uint8_t value[24], checkpoint[16], sealed[80];
    uint32_t incarnation, generation;
};

static uint64_t place_of(uint32_t executor, const struct executor *self)
{
    return (uint64_t)self->generation << 32 | executor;
}

static struct executor *executor_live(struct sim *sim, uint32_t node, uint64_t place)
{
    struct node *its = &sim->nodes[node];
    if (!its->alive) {
        return NULL;
    }
    struct executor *self = &its->executors[(uint32_t)place];
    return self->live && self->generation == place >> 32 ? self : NULL;
}

/* --- the log of effects ----------------------------------------------------------------------- */

struct effect *effect_of(struct sim *sim, uint64_t token)
{
    uint32_t place = index_find(&sim->effect_index, token);
    return place == NONE ? NULL : &sim->effects[place];
}

void value_put(uint64_t task, uint64_t token, uint8_t out[24])
{
    uint64_t sum = task * 31 + token;
    memcpy(out, &task, 8);
    memcpy(out + 8, &token, 8);
    memcpy(out + 16, &sum, 8);
}

/*  How often a task may start: each attempt once, and again when it was returned in order. */
static void check_starts(struct sim *sim, const struct item *item, uint32_t starts)
{
    const struct task_seen *task = oracle_task(sim, item->task);
    const struct spec_seen *spec = task == NULL ? NULL : oracle_spec(sim, task->spec);
    const struct job_seen *job = oracle_job_of(sim, item->task);
    if (spec == NULL || job == NULL || spec->max_retries < 0) {
        return;
    }
    bool cut = sim->head.power_cuts > 0 && job->durability != DURABLE_FULL;
    uint32_t most = 1 + (uint32_t)spec->max_retries + (spec->max_retries > 0 ? task->returns : 0);
    if (starts > most && !cut) {
        sim_fail(sim, 10, "%llx starts for the %uth time, with max_retries %d",
                 (unsigned long long)item->task, starts, spec->max_retries);
    }
}

void exec_power_cut(struct sim *sim)
{
    for (uint32_t i = 0; i < sim->started.capacity; i++) {
        if (sim->started.places[i] != NONE && oracle_task(sim, sim->started.keys[i]) == NULL) {
            sim->started_count[sim->started.places[i]] = 0;
        }
    }
}

static uint32_t effect_begins(struct sim *sim, uint32_t node, uint32_t executor,
                              const struct item *item)
{
    struct effect *old = effect_of(sim, item->token);
    const struct job_seen *job = oracle_job_of(sim, item->task);
    bool cut = sim->head.power_cuts > 0 && (job == NULL || job->durability != DURABLE_FULL);
    if (old != NULL && !cut) {
        sim_fail(sim, 10, "%llx starts twice with the token %llx", (unsigned long long)item->task,
                 (unsigned long long)item->token);
    }
    uint32_t place = index_find(&sim->started, item->task);
    if (place == NONE) {
        place = sim->started.count;
        sim->started_count =
            grown(sim->started_count, &sim->started_room, place, sizeof(*sim->started_count));
        sim->started_count[place] = 0;
        index_add(&sim->started, item->task, place);
    }
    check_starts(sim, item, ++sim->started_count[place]);
    actor_begins(sim, node, executor, item, sim->started_count[place]);
    sim->effects = grown(sim->effects, &sim->effect_room, sim->effect_count, sizeof(*sim->effects));
    sim->effects[sim->effect_count] = (struct effect){
        .task = item->task, .token = item->token, .attempt = item->attempt, .worker = node
    };
    index_add(&sim->effect_index, item->token, sim->effect_count);
    SIM_NOTE(sim, "    w%u begins %llx#%llx attempt %u", node, (unsigned long long)item->task,
             (unsigned long long)item->token, item->attempt);
    sim_mix_u64(sim, item->token);
    return sim->effect_count++;
}

static void effect_ends(struct sim *sim, struct executor *self, uint32_t outcome, int32_t status)
{
    struct effect *effect = &sim->effects[self->effect];
    effect->ended = true;
    effect->outcome = outcome;
    effect->status = status;
    self->running = false;
    SIM_NOTE(sim, "    w%u ends %llx#%llx outcome %u status %d", effect->worker,
             (unsigned long long)effect->task, (unsigned long long)effect->token, outcome, status);
}

/* --- what is said ----------------------------------------------------------------------------- */

static void note_arrives(struct sim *sim, uint32_t who, uint64_t number, void *data)
{
    struct note *note = data;
    struct node *node = &sim->nodes[who];
    if (!node->alive || node->incarnation != note->incarnation) {
        free(note);
        return;
    }
    if (sim->now_us < node->paused_us) {
        sim_at(sim, node->paused_us, note_arrives, who, number, data);
        return;
    }
    if (note->event.kind == WEV_RAN) {
        note->event.ran = &note->ran;
    }
    if (note->event.kind == WEV_EXITED || note->event.kind == WEV_SPAWN_FAILED) {
        node->executors[note->event.executor].live =
            false; /* its id is free again when the worker hears of it */
    }
    worker_tell(sim, who, &note->event);
    free(note);
}

static void say(struct sim *sim, uint32_t node, struct executor *self, const struct note *note,
                uint64_t after_us)
{
    struct note *copy = malloc(sizeof(*copy));
    ensure(copy != NULL);
    *copy = *note;
    copy->incarnation = sim->nodes[node].incarnation;
    if (copy->event.kind == WEV_RAN && copy->ran.value.n > 0) {
        copy->ran.value.p = copy->value;
        copy->ran.sealed.bytes.p = copy->sealed;
    }
    if (copy->event.kind == WEV_RAN && copy->ran.checkpoint.n > 0) {
        copy->ran.checkpoint.p = copy->checkpoint;
    }
    uint64_t at = sim->now_us + after_us;
    self->note_us = at > self->note_us ? at : self->note_us;
    sim_at(sim, self->note_us, note_arrives, node, 0, copy);
}

/* --- runs ------------------------------------------------------------------------------------- */

static void begin_next(struct sim *sim, uint32_t node, uint32_t executor);

/*  An actor that was alive ends with its process. */
static void life_ends(struct sim *sim, struct executor *self, uint32_t outcome, int32_t status)
{
    if (self->life != NONE) {
        struct effect *effect = &sim->effects[self->life];
        effect->ended = true;
        effect->outcome = outcome;
        effect->status = status;
        self->life = NONE;
    }
}

/*  A process that ends by itself, or in its task. */
static void dies(struct sim *sim, uint32_t node, uint32_t executor, int32_t status,
                 uint64_t after_us)
{
    struct executor *self = &sim->nodes[node].executors[executor];
    if (self->running) {
        bool ok = status == 0 && !self->resident;
        effect_ends(sim, self,
                    ok           ? OUTCOME_OK
                    : status < 0 ? OUTCOME_SIGNAL
                                 : OUTCOME_EXIT,
                    status);
    }
    life_ends(sim, self,
              status == 0  ? OUTCOME_OK
              : status < 0 ? OUTCOME_SIGNAL
                           : OUTCOME_EXIT,
              status);
    self->up = false;
    self->ending = true;
    if (self->driver != NONE) {
        uint32_t driver = self->driver;
        self->driver = NONE;
        client_die(sim, driver);
    }
    struct note note = { .event = { .kind = WEV_EXITED,
                                    .executor = executor,
                                    .status = status,
                                    .number = self->resident ? self->begun : 1,
                                    .text = slice_text(status == 0 ? "" : "last words") } };
    say(sim, node, self, &note, after_us);
}

void exec_die(struct sim *sim, uint32_t node, uint32_t executor, int32_t status, uint64_t after_us)
{
    struct executor *self = &sim->nodes[node].executors[executor];
    if (self->live && !self->ending) {
        dies(sim, node, executor, status, after_us);
    }
}

static uint32_t drawn_outcome(struct sim *sim, const struct plan *plan, bool resident,
                              int32_t *status)
{
    uint32_t drawn = (uint32_t)prng_below(&sim->run, 1000);
    *status = 0;
    if (drawn < plan->app_error) {
        *status = chance(&sim->run, 500) ? 7 : 9;
        return resident ? OUTCOME_APP_ERROR : OUTCOME_EXIT;
    }
    if (drawn < plan->app_error + plan->death) {
        *status = chance(&sim->run, 700) ? -SIGSEGV : 3;
        if (plan->kind == SPEC_METHOD && chance(&sim->run, 100)) {
            *status = 0; /* its actor ends in order */
        }
        return *status < 0 ? OUTCOME_SIGNAL : OUTCOME_EXIT;
    }
    if (resident && drawn < plan->app_error + plan->death + plan->odd) {
        static const uint32_t odd[] = { OUTCOME_BAD_ARGUMENT, OUTCOME_NO_SUCH_TASK,
                                        OUTCOME_TOO_LARGE };
        return odd[prng_below(&sim->run, COUNT(odd))];
    }
    return OUTCOME_OK;
}

/*  An actor that has lived for a while submits tasks, once in each of its lives. */
static void life_works(struct sim *sim, uint32_t who, uint64_t number, void *data)
{
    const struct bytes *token = data;
    struct executor *self = executor_live(sim, who, number);
    bool lives = self != NULL && self->life != NONE &&
                 memcmp(&self->lives.token, token->p, sizeof(self->lives.token)) == 0;
    free(data);
    if (lives && !sim->healed) {
        self->driver = nested_new(sim, who, (uint32_t)number, &self->lives);
    }
}

static void run_ends(struct sim *sim, uint32_t who, uint64_t number, void *data)
{
    (void)data;
    struct executor *self = executor_live(sim, who, number);
    if (self == NULL || !self->running) {
        return;
    }
    uint32_t executor = (uint32_t)number;
    const struct item *item = &self->now;
    const struct plan *plan = client_plan(sim, item->owner);
    int32_t status;
    uint32_t outcome = drawn_outcome(sim, plan, self->resident, &status);
    if (!self->resident || outcome == OUTCOME_SIGNAL || outcome == OUTCOME_EXIT) {
        dies(sim, who, executor, status, between(&sim->run, 100, 3000));
        return;
    }
    if (self->actor == item->task && outcome == OUTCOME_OK) {
        self->life = self->effect; /* until its process ends */
        self->lives = *item;
        sim_at(sim, sim->now_us + prng_below(&sim->kin, REST_US_MAX), life_works, who, number,
               bytes_new(&item->token, sizeof(item->token)));
        self->running = false;
    } else {
        effect_ends(sim, self, outcome, status);
    }
    struct note note = { .event = { .kind = WEV_RAN, .executor = executor } };
    note.ran = (struct rec_ran){ .number = self->now_number,
                                 .outcome = outcome,
                                 .status = status,
                                 .started_ms = 1700000000000u + sim->now_us / 1000,
                                 .run_us = plan->run_us };
    if (outcome == OUTCOME_OK) {
        value_put(item->task, item->token, note.value);
        note.ran.value = slice_of(note.value, sizeof(note.value));
        note.ran.sealed = object_result(sim, who, item, slice_of(note.sealed, sizeof(note.sealed)));
        sim->effects[self->effect].value_hash = hash_bytes_of(1, note.value, sizeof(note.value));
    }
    if (outcome == OUTCOME_OK && item->spec->kind == SPEC_METHOD && chance(&sim->run, 200)) {
        memcpy(note.checkpoint, note.value, sizeof(note.checkpoint));
        note.ran.checkpoint = slice_of(note.checkpoint, sizeof(note.checkpoint));
        actor_saves(sim, item->task, &note.ran.sealed, note.sealed, sizeof(note.sealed));
        sim->effects[self->effect].checkpoint =
            hash_bytes_of(3, note.checkpoint, sizeof(note.checkpoint));
    }
    say(sim, who, self, &note, between(&sim->run, 20, 400));
    begin_next(sim, who, executor);
}

/*  A trial reports, and waits to hear what it shall do. */
static void run_reports(struct sim *sim, uint32_t who, uint64_t number, void *data)
{
    (void)data;
    struct executor *self = executor_live(sim, who, number);
    if (self != NULL && self->running) {
        report_made(sim, who,
                    &(struct ask){ .task = self->now.task,
                                   .token = self->now.token,
                                   .place = number,
                                   .attempt = self->now.attempt,
                                   .number = ++self->reported });
    }
}

static void run_slice(struct sim *sim, uint32_t node, uint64_t place, const struct executor *self,
                      bool last)
{
    sim_at(sim, sim->now_us + self->slice_us, last ? run_ends : run_reports, node, place, NULL);
}

bool exec_waits(struct sim *sim, uint32_t node, uint64_t place, uint64_t token)
{
    const struct executor *self = executor_live(sim, node, place);
    return self != NULL && self->running && self->now.token == token;
}

void exec_decided(struct sim *sim, uint32_t node, uint64_t place, uint32_t decision)
{
    const struct executor *self = executor_live(sim, node, place);
    run_slice(sim, node, place, self,
              decision != DECISION_GO_ON || self->reported == self->reports);
}

static void begin_next(struct sim *sim, uint32_t node, uint32_t executor)
{
    struct executor *self = &sim->nodes[node].executors[executor];
    if (!self->live || !self->up || self->running || self->begun == self->given || self->ending) {
        return;
    }
    self->now_number = self->begun;
    self->now = self->items[self->begun++ % self->room];
    const struct item *item = &self->now;
    rule_begins(sim, node, item);
    if (item->spec->kind == SPEC_ACTOR) {
        self->actor = item->task;
    }
    self->effect = effect_begins(sim, node, executor, item);
    self->running = true;
    self->blocked = false;
    rule_limit(sim, item);
    if (item->spec->kind == SPEC_DRIVER) {
        self->driver = client_driver_new(sim, node, executor, item->spec->job, item->token);
        return; /* ends when its program does */
    }
    if (item->spec->kind == SPEC_FUNCTION) {
        self->driver = nested_new(sim, node, executor, item);
        if (self->driver != NONE) {
            return; /* likewise */
        }
    }
    const struct plan *plan = client_plan(sim, item->owner);
    uint64_t run_us = plan->run_us / 2 + prng_below(&sim->run, plan->run_us + 1) + 10;
    if (plan->too_long && chance(&sim->run, 200)) {
        run_us *= 20;
    }
    self->reports = plan->reports;
    self->reported = 0;
    self->slice_us = run_us / (plan->reports + 1);
    run_slice(sim, node, place_of(executor, self), self, plan->reports == 0);
}

static void push_item(struct sim *sim, struct executor *self, const struct act *act)
{
    if (self->given - self->begun == self->room) {
        uint32_t room = self->room * 2;
        struct item *items = calloc(room, sizeof(*items));
        ensure(items != NULL);
        for (uint32_t n = self->begun; n < self->given; n++) {
            items[n % room] = self->items[n % self->room];
        }
        free(self->items);
        self->items = items;
        self->room = room;
    }
    uint64_t owner = 0, idx = 0;
    bool second = false;
    for (const char *c = act->spec->name; *c != 0; c++) { /* "f OWNER.SPEC" */
        second = second || *c == '.';
        if (*c >= '0' && *c <= '9') {
            uint64_t *to = second ? &idx : &owner;
            *to = *to * 10 + (uint64_t)(*c - '0');
        }
    }
    (void)sim;
    self->items[self->given++ % self->room] = (struct item){ .task = act->held.task,
                                                             .token = act->held.token,
                                                             .attempt = act->held.attempt,
                                                             .owner = owner * 10 + idx,
                                                             .spec = act->spec };
}

/* --- what the worker asks for ------------------------------------------------------------------ */

static void is_up(struct sim *sim, uint32_t who, uint64_t number, void *data)
{
    (void)data;
    struct executor *self = executor_live(sim, who, number);
    if (self == NULL || self->ending) {
        return;
    }
    struct note note = {
        .event = { .kind = WEV_SPAWNED, .executor = (uint32_t)number, .pid = (uint32_t)number + 1 }
    };
    self->up = true;
    say(sim, who, self, &note, between(&sim->run, 10, 200));
    begin_next(sim, who, (uint32_t)number);
}

void exec_spawn(struct sim *sim, uint32_t node, const struct act *act)
{
    struct executor *self = &sim->nodes[node].executors[act->executor];
    if (self->live) {
        sim_fail(sim, 18, "worker %u starts the executor %u, which lives", node, act->executor);
    }
    uint32_t generation = self->generation + 1, room = self->room;
    struct item *items = self->items;
    if (items == NULL) {
        room = 16;
        items = calloc(room, sizeof(*items));
        ensure(items != NULL);
    }
    uint64_t note_us = self->note_us;
    *self = (struct executor){ .live = true,
                               .generation = generation,
                               .resident = act->spec->kind == SPEC_FUNCTION ||
                                           act->spec->kind == SPEC_ACTOR,
                               .life = NONE,
                               .items = items,
                               .room = room,
                               .driver = NONE,
                               .note_us = note_us };
    if (!self->resident) {
        push_item(sim, self, act);
    }
    if (fault_strikes(sim, FAULT_SPAWN_FAILS)) {
        struct note note = { .event = { .kind = WEV_SPAWN_FAILED,
                                        .executor = act->executor,
                                        .code = 11,
                                        .text = slice_text("no more processes") } };
        self->ending = true;
        say(sim, node, self, &note, between(&sim->run, 100, 3000));
        return;
    }
    sim_at(sim, sim->now_us + between(&sim->run, 500, 20000), is_up, node,
           place_of(act->executor, self), NULL);
}

void exec_give(struct sim *sim, uint32_t node, const struct act *act)
{
    struct executor *self = &sim->nodes[node].executors[act->executor];
    if (!self->live || !self->resident) {
        sim_fail(sim, 18, "worker %u gives to the executor %u, which is not there for it", node,
                 act->executor);
    }
    push_item(sim, self, act);
    begin_next(sim, node, act->executor);
}

void exec_take_back(struct sim *sim, uint32_t node, const struct act *act)
{
    struct executor *self = &sim->nodes[node].executors[act->executor];
    if (!self->live || self->ending) {
        return; /* WEV_EXITED is under way */
    }
    struct note note = {
        .event = { .kind = WEV_TAKEN, .executor = act->executor, .number = self->begun }
    };
    self->begun = self->given; /* the rest is void */
    say(sim, node, self, &note, between(&sim->run, 20, 300));
}

static void is_killed(struct sim *sim, uint32_t who, uint64_t number, void *data)
{
    struct executor *self = executor_live(sim, who, number);
    int32_t signal = ((struct bytes *)data)->p[0];
    free(data);
    if (self != NULL && !self->ending) {
        dies(sim, who, (uint32_t)number, -signal, between(&sim->run, 100, 2000));
    }
}

void exec_kill(struct sim *sim, uint32_t node, const struct act *act)
{
    struct executor *self = &sim->nodes[node].executors[act->executor];
    if (!self->live || self->ending) {
        return;
    }
    if (act->how == SIGINT || (act->how == SIGTERM && chance(&sim->run, 150))) {
        return; /* it may look away */
    }
    uint8_t signal = (uint8_t)act->how;
    sim_at(sim, sim->now_us + between(&sim->run, 10, 3000), is_killed, node,
           place_of(act->executor, self), bytes_new(&signal, 1));
}

void exec_all_gone(struct sim *sim, uint32_t node)
{
    struct node *its = &sim->nodes[node];
    for (uint32_t i = 0; i < EXECUTORS_MAX; i++) {
        struct executor *self = &its->executors[i];
        if (!self->live) {
            continue;
        }
        if (self->running) {
            effect_ends(sim, self, OUTCOME_SIGNAL, -SIGKILL);
        }
        life_ends(sim, self, OUTCOME_SIGNAL, -SIGKILL);
        self->live = self->up = false;
        if (self->driver != NONE) {
            client_die(sim, self->driver);
            self->driver = NONE;
        }
    }
}

void exec_driver_ends(struct sim *sim, uint32_t client, int32_t status)
{
    const struct client *driver = &sim->clients[client];
    struct executor *self = &sim->nodes[driver->node].executors[driver->executor];
    if (sim->nodes[driver->node].alive && self->live && self->driver == client) {
        self->driver = NONE;
        dies(sim, driver->node, driver->executor, status, between(&sim->run, 100, 3000));
    }
}

/*  The executor of a nested client, if that still runs in it. */
static struct executor *executor_of(struct sim *sim, uint32_t client)
{
    const struct client *nested = &sim->clients[client];
    struct executor *self = &sim->nodes[nested->node].executors[nested->executor];
    return sim->nodes[nested->node].alive && self->live && self->driver == client ? self : NULL;
}

void exec_waits_now(struct sim *sim, uint32_t client, enum held_state how)
{
    const struct client *nested = &sim->clients[client];
    struct executor *self = executor_of(sim, client);
    if (self != NULL && self->running && self->actor == 0) {
        struct note note = { .event = { .kind = WEV_WAITS,
                                        .executor = nested->executor,
                                        .token = nested->token,
                                        .code = (int32_t)how } };
        self->blocked = true;
        say(sim, nested->node, self, &note, between(&sim->kin, 10, 300));
    }
}

void exec_nested_ends(struct sim *sim, uint32_t client)
{
    const struct client *nested = &sim->clients[client];
    struct executor *self = executor_of(sim, client);
    if (self == NULL) {
        return;
    }
    if (nested->blocked) {
        exec_waits_now(sim, client, HELD_RUNS);
    }
    self->driver = NONE;
    if (self->actor != 0) {
        return; /* it lives on */
    }
    sim_at(sim, sim->now_us + between(&sim->kin, 100, 50000), run_ends, nested->node,
           place_of(nested->executor, self), NULL);
}
