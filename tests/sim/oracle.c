/*  oracle.c - what the rows say: a small model of the database, kept row by row as batches are committed.
    rules.c judges each row before it changes the model. */
#include "tests/sim/object.h"
#include "tests/sim/sim.h"

#include <stdlib.h>

/* --- an index --------------------------------------------------------------------------------- */

static uint32_t slot_of(const struct index *self, uint64_t key)
{
    uint32_t at = (uint32_t)((key * 0x9E3779B97F4A7C15u) >> 32) & (self->capacity - 1);
    while (self->places[at] != NONE && self->keys[at] != key) {
        at = (at + 1) & (self->capacity - 1);
    }
    return at;
}

uint32_t index_find(const struct index *self, uint64_t key)
{
    return self->capacity == 0 ? NONE : self->places[slot_of(self, key)];
}

static void index_grow(struct index *self)
{
    struct index larger = { .capacity = self->capacity == 0 ? 256 : self->capacity * 2 };
    larger.keys = malloc(larger.capacity * sizeof(*larger.keys));
    larger.places = malloc(larger.capacity * sizeof(*larger.places));
    ensure(larger.keys != NULL && larger.places != NULL);
    memset(larger.places, 0xFF, larger.capacity * sizeof(*larger.places));
    for (uint32_t i = 0; i < self->capacity; i++) {
        if (self->places[i] != NONE) {
            index_add(&larger, self->keys[i], self->places[i]);
        }
    }
    index_fini(self);
    *self = larger;
}

void index_add(struct index *self, uint64_t key, uint32_t place)
{
    if (self->count * 2 >= self->capacity) {
        index_grow(self);
    }
    uint32_t at = slot_of(self, key);
    self->count += self->places[at] == NONE;
    self->keys[at] = key;
    self->places[at] = place;
}

void index_fini(struct index *self)
{
    free(self->keys);
    free(self->places);
    *self = (struct index){ 0 };
}

/* --- the model -------------------------------------------------------------------------------- */

void oracle_reset(struct oracle *self)
{
    uint64_t token_max = self->token_max, id_max = self->studies.id_max;
    oracle_fini(self);
    self->studies.id_max = id_max;
    self->token_max = token_max; /* tokens are unique for ever, those whose rows are lost, too */
}

void oracle_fini(struct oracle *self)
{
    struct index *indexes[] = { &self->task_index, &self->spec_index,    &self->lease_index,
                                &self->job_index,  &self->session_index, &self->good_index };
    for (size_t i = 0; i < COUNT(indexes); i++) {
        index_fini(indexes[i]);
    }
    free(self->tasks);
    free(self->nodes.list);
    free(self->names.list);
    free(self->specs);
    free(self->leases);
    free(self->jobs);
    free(self->sessions);
    free(self->deps);
    studies_fini(&self->studies);
    *self = (struct oracle){ 0 };
}

#define FIND(name, array, key)                                                                     \
    uint32_t place = index_find(&sim->oracle.name##_index, key);                                   \
    return place == NONE ? NULL : &sim->oracle.array[place];

struct task_seen *oracle_task(struct sim *sim, uint64_t id)
{
    FIND(task, tasks, id)
}

struct spec_seen *oracle_spec(struct sim *sim, uint64_t id)
{
    FIND(spec, specs, id)
}

struct session_seen *oracle_session(struct sim *sim, uint64_t id)
{
    FIND(session, sessions, id)
}

struct job_seen *oracle_job(struct sim *sim, uint64_t id)
{
    FIND(job, jobs, id)
}

struct job_seen *oracle_job_of(struct sim *sim, uint64_t task)
{
    struct session_seen *session = oracle_session(sim, task_session((task_id){ task }));
    return session == NULL ? NULL : oracle_job(sim, session->job);
}

#define ADD(name, array, key)                                                                      \
    sim->oracle.array = grown(sim->oracle.array, &sim->oracle.name##_room,                         \
                              sim->oracle.name##_count, sizeof(*sim->oracle.array));               \
    index_add(&sim->oracle.name##_index, key, sim->oracle.name##_count);                           \
    sim->oracle.array[sim->oracle.name##_count++]

/*  Drivers and values are not counted. */
static bool is_counted(struct sim *sim, const struct task_seen *task)
{
    const struct spec_seen *spec = oracle_spec(sim, task->spec);
    return spec == NULL || (spec->kind != SPEC_DRIVER && spec->kind != SPEC_VALUE);
}

static struct task_seen *known_task(struct sim *sim, uint64_t id, const char *row)
{
    struct task_seen *task = oracle_task(sim, id);
    if (task == NULL) {
        sim_fail(sim, 1, "a row %s names the task %llx, which has no row", row,
                 (unsigned long long)id);
    }
    return task;
}

static void add_task(struct sim *sim, struct task_seen task, struct slice deps)
{
    struct oracle *self = &sim->oracle;
    if (oracle_task(sim, task.id) != NULL && !oracle_task(sim, task.id)->deleted) {
        sim_fail(sim, 1, "the task %llx has a second row", (unsigned long long)task.id);
    }
    task.dep_first = self->dep_count;
    struct list list = { deps, NONE };
    struct rec_id dep;
    while (list.bytes.n > 0 && next_id(&list, &dep)) {
        self->deps = grown(self->deps, &self->dep_room, self->dep_count, sizeof(*self->deps));
        self->deps[self->dep_count++] = dep.task;
        task.dep_count++;
        SIM_NOTE(sim, "        %llx waits for %llx", (unsigned long long)task.id,
                 (unsigned long long)dep.task);
    }
    task.attempt = task.state < TASK_FINISHED; /* a value has none */
    if (task.state == TASK_READY && !self->replaying) {
        task.ready_ms = head_now_ms(sim);
        task.ready_epoch = self->epoch;
    }
    struct session_seen *session = oracle_session(sim, task_session((task_id){ task.id }));
    uint64_t counter = task_counter((task_id){ task.id });
    if (session == NULL || counter != session->last + 1) {
        sim_fail(sim, 1, "the task %llx does not follow the newest of its session",
                 (unsigned long long)task.id);
    }
    session->last = counter;
    ADD(task, tasks, task.id) = task;
    if (!self->replaying) {
        rule_task_new(sim, &self->tasks[self->task_count - 1]);
    }
    if (is_counted(sim, &task)) {
        oracle_job(sim, session->job)->tasks++;
    }
}

static void seen_task_new(struct sim *sim, const void *from)
{
    const struct row_task_new *row = from;
    add_task(sim,
             (struct task_seen){ .id = row->id,
                                 .spec = row->spec,
                                 .state = row->state,
                                 .parent = row->parent,
                                 .parent_token = row->parent_fence,
                                 .actor = row->actor },
             row->deps);
}

static void seen_value_new(struct sim *sim, const void *from)
{
    const struct row_value_new *row = from;
    uint64_t counter = task_counter((task_id){ row->id });
    if (row->value.n != sizeof(counter) || memcmp(row->value.p, &counter, sizeof(counter)) != 0) {
        sim_fail(sim, 28, "the value %llx is not what was put", (unsigned long long)row->id);
    }
    add_task(sim,
             (struct task_seen){ .id = row->id,
                                 .spec = row->spec,
                                 .state = TASK_FINISHED,
                                 .commit = sim->oracle.commit,
                                 .hash = hash_bytes_of(1, row->value.p, row->value.n) },
             (struct slice){ 0 });
}

static void seen_task_copy(struct sim *sim, const void *from)
{
    const struct row_task_copy *row = from;
    uint64_t spec = known_task(sim, row->from, "task_copy")->spec;
    add_task(sim, (struct task_seen){ .id = row->id, .spec = spec, .state = row->state },
             (struct slice){ 0 });
}

static void seen_task_running(struct sim *sim, const void *from)
{
    const struct row_task_running *row = from;
    struct task_seen *task = known_task(sim, row->id, "task_running");
    bool leased = task->state == TASK_LEASED ||
                  task->state == TASK_RUNNING; /* told again to a head that restarted */
    if (!sim->oracle.replaying && !leased) {
        sim_fail(sim, 4, "the task %llx begins to run in state %u", (unsigned long long)row->id,
                 task->state);
    }
    task->state = TASK_RUNNING;
}

static void end_task(struct sim *sim, struct task_seen *task, uint32_t state, uint32_t attempt)
{
    task->state = state;
    task->attempt = attempt;
    task->commit = sim->oracle.commit;
    if (is_counted(sim, task)) {
        struct job_seen *job = oracle_job_of(sim, task->id);
        job->done += state == TASK_FINISHED;
        job->bad += state == TASK_FAILED;
    }
    sim->tasks_done++;
}

static void seen_task_done(struct sim *sim, const void *from)
{
    const struct row_task_done *row = from;
    struct task_seen *task = known_task(sim, row->id, "task_done");
    if (!sim->oracle.replaying) {
        rule_done(sim, task, row);
    }
    const struct effect *effect = effect_of(sim, task->token);
    if (task->actor != 0 && effect != NULL && effect->checkpoint != 0) {
        actor_committed(sim, task->actor, effect->checkpoint);
    }
    task->hash = hash_bytes_of(1, row->result.p, row->result.n);
    index_add(&sim->oracle.good_index, task->token, 0);
    end_task(sim, task, TASK_FINISHED, row->attempt);
}

static void seen_task_failed(struct sim *sim, const void *from)
{
    const struct row_task_failed *row = from;
    struct task_seen *task = known_task(sim, row->id, "task_failed");
    if (!sim->oracle.replaying) {
        rule_failed(sim, task, row);
    }
    task->failure = row->failure;
    task->status = row->status;
    task->hash = hash_bytes_of(2, row->result.p, row->result.n);
    end_task(sim, task, TASK_FAILED, row->attempt);
}

static void seen_task_again(struct sim *sim, const void *from)
{
    const struct row_task_again *row = from;
    struct task_seen *task = known_task(sim, row->id, "task_again");
    if (!sim->oracle.replaying) {
        rule_again(sim, task, row);
        rule_charged(sim, task, row);
    }
    task->again_commit = sim->oracle.commit;
    task->returns += row->charged == task->charged;
    task->state = TASK_READY;
    task->attempt = row->attempt;
    task->charged = row->charged;
    task->fence = row->fence;
    task->not_before_ms = row->due_ms > 0 && !sim->oracle.replaying
                              ? head_now_ms(sim) + row->due_ms - head_wall_ms(sim)
                              : 0;
    task->due_epoch = sim->oracle.epoch;
}

static void seen_attempt_end(struct sim *sim, const void *from)
{
    const struct row_attempt_end *row = from;
    const struct task_seen *task = known_task(sim, row->task, "attempt_end");
    uint32_t attempt = object_attempt(task);
    if (!sim->oracle.replaying && row->attempt != attempt) {
        sim_fail(sim, 6, "attempt %u of %llx ends, but its current one is %u", row->attempt,
                 (unsigned long long)row->task, attempt);
    }
    if (!sim->oracle.replaying) {
        rule_died(sim, row);
    }
}

static void seen_task_cancel(struct sim *sim, const void *from)
{
    const struct row_task_cancel *row = from;
    struct task_seen *task = known_task(sim, row->id, "task_cancel");
    task->cancel_commit = task->cancelled ? task->cancel_commit : sim->oracle.commit;
    task->cancelled = true;
    task->tree = task->tree || (row->cancelled & 4) != 0;
    bool torn =
        task->tree && !sim->oracle.replaying && !sim->healed && sim->faults[FAULT_HEAD_TORN] > 0;
    if (torn && (nested_submits(sim, task->id) || chance(&sim->fate, 300))) {
        /*  what it submits must end, too, after a restart */
        sim->head.doom = DOOM_AFTER_COMMIT;
    }
}

static void seen_task_delete(struct sim *sim, const void *from)
{
    const struct row_task_delete *row = from;
    for (uint32_t i = 0; i < sim->oracle.task_count; i++) {
        struct task_seen *task = &sim->oracle.tasks[i];
        if (task->id < row->first || task->id > row->last || task->deleted) {
            continue;
        }
        if (task->state < TASK_FINISHED) {
            sim_fail(sim, 1, "the unfinished task %llx is deleted", (unsigned long long)task->id);
        }
        task->deleted = true;
    }
}

static void seen_lease_new(struct sim *sim, const void *from)
{
    const struct row_lease_new *row = from;
    struct oracle *self = &sim->oracle;
    const struct session_seen *session = oracle_session(sim, task_session((task_id){ row->first }));
    if (task_counter((task_id){ row->first }) + row->count > session->high) {
        sim_fail(sim, 20, "session %llu says that none from %llu on was ever leased",
                 (unsigned long long)session->id, (unsigned long long)session->high);
    }
    if (!self->replaying) {
        rule_lease_node(sim, row);
    }
    for (uint64_t i = 0; i < row->count; i++) {
        struct task_seen *task = known_task(sim, row->first + i, "lease_new");
        if (!self->replaying) {
            rule_lease(sim, task, row->token + i, row->node);
        }
        task->token = row->token + i;
        task->node = row->node;
        task->state = object_is_remade(task) ? task->state : TASK_LEASED;
        task->leases++;
    }
    uint64_t last = row->token + row->count - 1;
    self->token_max = last > self->token_max ? last : self->token_max;
    ADD(lease, leases, row->token) =
        (struct lease_seen){ row->token, row->node, row->first, row->count, false };
}

static void seen_lease_end(struct sim *sim, const void *from)
{
    uint32_t place =
        index_find(&sim->oracle.lease_index, ((const struct row_lease_end *)from)->token);
    if (place == NONE || sim->oracle.leases[place].ended) {
        sim_fail(sim, 8, "a lease ends that is not there");
    }
    sim->oracle.leases[place].ended = true;
}

static void seen_job_new(struct sim *sim, const void *from)
{
    const struct row_job_new *row = from;
    struct job_seen job = { .id = row->id,
                            .kind = row->kind,
                            .durability = row->durability,
                            .detached = row->detached,
                            .state = row->state,
                            .digest = hash_bytes_of(0, row->digest.p, row->digest.n),
                            .commit = sim->oracle.commit };
    rule_owner(sim, row);
    slice_copy_text(row->submission, job.submission, sizeof(job.submission));
    for (uint32_t i = 0; i < sim->oracle.job_count; i++) {
        const struct job_seen *other = &sim->oracle.jobs[i];
        if (other->id == job.id ||
            (!other->deleted && strcmp(other->submission, job.submission) == 0)) {
            sim_fail(sim, 3, "two jobs for the submission %s", job.submission);
        }
    }
    after_seen(&job, row->waits);
    ADD(job, jobs, job.id) = job;
}

static void seen_job_state(struct sim *sim, const void *from)
{
    const struct row_job_state *row = from;
    struct job_seen *job = oracle_job(sim, row->id);
    if (job == NULL) {
        sim_fail(sim, 3, "a state of a job without a row");
    }
    if (!sim->oracle.replaying) {
        rule_job(sim, job, row);
    }
    job->state = row->state;
}

static void seen_job_counts(struct sim *sim, const void *from)
{
    const struct row_job_counts *row = from;
    struct job_seen *job = oracle_job(sim, row->id);
    job->total = row->total;
    job->finished = row->finished;
    job->failed = row->failed;
    job->counts_written = true;
}

static void seen_job_delete(struct sim *sim, const void *from)
{
    struct job_seen *job = oracle_job(sim, ((const struct row_job_delete *)from)->id);
    if (job->state < JOB_SUCCEEDED) {
        sim_fail(sim, 34, "the unfinished job %s is deleted", job->submission);
    }
    job->deleted = true;
}

static void seen_session_new(struct sim *sim, const void *from)
{
    const struct row_session_new *row = from;
    ADD(session, sessions, row->id) =
        (struct session_seen){ .id = row->id, .job = row->job, .root = row->root };
}

static void seen_session_low(struct sim *sim, const void *from)
{
    const struct row_session_low *row = from;
    struct session_seen *session = oracle_session(sim, row->id);
    for (uint64_t counter = session->low > 0 ? session->low : 1;
         counter < row->low && !sim->oracle.replaying; counter++) {
        const struct task_seen *task = oracle_task(sim, task_id_of(row->id, counter).v);
        if (task == NULL || task->state < TASK_FINISHED) {
            sim_fail(sim, 20, "session %llu says that all below %llu have ended, but %llu has not",
                     (unsigned long long)row->id, (unsigned long long)row->low,
                     (unsigned long long)counter);
        }
    }
    session->low = row->low;
}

static void seen_session_high(struct sim *sim, const void *from)
{
    const struct row_session_high *row = from;
    oracle_session(sim, row->id)->high = row->high;
}

static void seen_session_end(struct sim *sim, const void *from)
{
    oracle_session(sim, ((const struct row_session_end *)from)->id)->closed = true;
}

static void seen_spec_new(struct sim *sim, const void *from)
{
    const struct row_spec_new *row = from;
    struct list one = { row->record, 1 };
    struct rec_spec record;
    if (!next_spec(&one, &record)) {
        sim_fail(sim, 39, "the record of a spec cannot be read");
    }
    uint64_t owner = 0;
    for (size_t i = 0; i < record.name.n; i++) {
        owner = record.name.p[i] >= '0' && record.name.p[i] <= '9'
                    ? owner * 10 + record.name.p[i] - '0'
                    : owner;
    }
    ADD(spec, specs, row->id) = (struct spec_seen){ .id = row->id,
                                                    .session = row->session,
                                                    .idx = row->idx,
                                                    .kind = record.kind,
                                                    .crash_limit = record.crash_limit,
                                                    .backoff_ms = record.backoff_ms,
                                                    .backoff_ms_max = record.backoff_ms_max,
                                                    .retry_mode = record.retry_mode,
                                                    .max_retries = record.max_retries,
                                                    .detached = record.detached,
                                                    .owner = owner };
    place_seen_spec(sim, &sim->oracle.specs[sim->oracle.spec_count - 1], &record);
}

static void seen_node_new(struct sim *sim, const void *from)
{
    uint64_t id = ((const struct row_node_new *)from)->id;
    if (id <= sim->oracle.node_max) {
        sim_fail(sim, 21, "node %llu is used a second time", (unsigned long long)id);
    }
    sim->oracle.node_max = id;
    node_seen_new(sim, from);
}

static void seen_node_state(struct sim *sim, const void *from)
{
    const struct row_node_state *row = from;
    if (row->state == NODE_DEAD && !sim->oracle.replaying) {
        rule_node_dead(sim, row);
    }
    node_seen_state(sim, row->id, row->state);
}

static void seen_head_start(struct sim *sim, const void *from)
{
    uint64_t epoch = ((const struct row_head_start *)from)->epoch;
    if (epoch <= sim->oracle.epoch) {
        sim_fail(sim, 37, "epoch %llu after %llu", (unsigned long long)epoch,
                 (unsigned long long)sim->oracle.epoch);
    }
    sim->oracle.epoch = epoch;
}

static void seen_event(struct sim *sim, const void *from)
{
    (void)sim;
    (void)from;
}

/*  Rows of used numbers, tokens, packages and of what objects have for people have no rule of their own here. */
#define seen_ids_used       seen_event
#define seen_token_new      seen_event
#define seen_token_end      seen_event
#define seen_token_forget   seen_event
#define seen_task_log       seen_event
#define seen_audit          seen_event
#define seen_package_put    seen_event
#define seen_package_forget seen_event
#define seen_actor_alive    seen_event
#define seen_actor_kill     seen_event
#define seen_spec_file      seen_event
#define seen_rebuild_begin  seen_event
#define seen_node_store     seen_event
#define seen_object_delete  seen_event
#define seen_hold_new       seen_event
#define seen_hold_end       seen_event
#define seen_holds_end      seen_event
#define seen_session_refs   seen_event

void oracle_batch(struct sim *sim, const struct batch *batch)
{
    static void (*const rows[ROW_KINDS])(struct sim *, const void *) = {
#define ROW(name, sql) [ROW_##name] = seen_##name,
#define COL(type, name)
#define END
#include "head/rows.def"
#undef ROW
#undef COL
#undef END
    };
    sim->oracle.commit++;
    size_t cursor = 0;
    enum row_kind kind;
    const void *row;
    while (row_next(batch, &cursor, &kind, &row)) {
        rows[kind](sim, row);
    }
    if (!sim->oracle.replaying) {
        rule_counts(sim);
    }
}
