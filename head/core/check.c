/*  check.c - every invariant that ties the core's structures together.  For tests and the simulator. */
#include "head/core/state.h"

#include "common/text.h"

struct checker {
    const struct core *core;
    struct diag *why;
    bool ok;
};

static void fail(struct checker *self, const char *what, uint64_t id)
{
    if (self->ok && self->why) {
        struct text text = text_in(self->why->text, sizeof(self->why->text));
        text_add(&text, what);
        text_add(&text, " of ");
        text_u64(&text, id);
    }
    self->ok = false;
}

#define CHECK(condition, id)                                                                       \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            fail(self, #condition, id);                                                            \
        }                                                                                          \
    } while (0)

/*  Whether a call is in its lane. */
static void check_call(struct checker *self, const struct task *task)
{
    const struct core *core = self->core;
    bool queued = task->flags & TASK_IN_QUEUE, backoff = task->flags & TASK_BACKOFF;
    if (task->node != NONE || task->failure != 0) {
        CHECK(!queued && !backoff, task->id);
    } else {
        bool ready = task->state == TASK_READY && !backoff;
        bool ordered = actor_at(core, lane_at(core, task->actor)->actor)->ordered;
        CHECK(queued == (ordered || ready), task->id);
    }
}

static void check_lane(struct checker *self, const struct lane *lane)
{
    const struct core *core = self->core;
    uint64_t last = 0;
    for (uint32_t i = lane->calls.first; i != NONE; i = task_at(core, i)->place.next) {
        CHECK(task_at(core, i)->id > last, task_at(core, i)->id);
        last = task_at(core, i)->id;
    }
    CHECK(lane->calls.count + lane->waiting.count + lane->leased <= lane->users, lane->key);
    CHECK((lane->newest != 0) == (lane->leased > 0), lane->key);
}

static void check_actor(struct checker *self, uint32_t index)
{
    const struct core *core = self->core;
    const struct actor *actor = actor_at(core, index);
    uint32_t leased = 0;
    for (uint32_t i = actor->lanes.first; i != NONE; i = lane_at(core, i)->in_actor.next) {
        CHECK(lane_at(core, i)->actor == index && lane_at(core, i)->users > 0, actor->id);
        check_lane(self, lane_at(core, i));
        leased += lane_at(core, i)->leased;
    }
    CHECK(leased == actor->leased, actor->id);
    CHECK(actor->task == NONE || (actor->death == 0 && task_at(core, actor->task)->actor == index),
          actor->id);
    CHECK(actor->death == 0 || !actor->named, actor->id);
}

static void check_task(struct checker *self, const struct task *task, uint32_t index)
{
    const struct core *core = self->core;
    bool leased = task->state == TASK_LEASED || task->state == TASK_RUNNING;
    bool queued = task->flags & TASK_IN_QUEUE, backoff = task->flags & TASK_BACKOFF;
    const struct spec *spec = spec_at(core, task->spec);
    CHECK(task->state >= TASK_WAITING && task->state <= TASK_RUNNING, task->id);
    CHECK(leased == (task->node != NONE) && leased == (task->run != NONE), task->id);
    if (spec->kind == SPEC_METHOD) {
        check_call(self, task);
    } else {
        CHECK((task->state == TASK_READY) == (queued != backoff), task->id);
    }
    /*  Planned restarts of an actor count as incarnations, and are not charged. */
    uint32_t again = spec->kind == SPEC_ACTOR ? task->charged : task->attempt - 1;
    CHECK(task->attempt >= 1 && task->charged < task->attempt, task->id);
    CHECK(spec->max_retries < 0 || again <= (uint32_t)spec->max_retries, task->id);
    CHECK(task_find(core, task->id) == index, task->id);
    CHECK(task->timer == NONE || task->state == TASK_READY, task->id);
    CHECK(task->state != TASK_WAITING || task->deps_left > 0 || task->failure != 0 ||
              job_at(core, spec->job)->held,
          task->id);
    CHECK(!job_ended(job_at(core, spec->job)) || spec->detached ||
              session_at(core, spec->session)->root != 0,
          task->id);
    CHECK(!leased || token_epoch((token_id){ task->token }) <= core->epoch, task->id);
}

/*  What specs count is what there is. */
static void check_states(struct checker *self, const struct session *session)
{
    const struct core *core = self->core;
    uint64_t in[TASK_STATES] = { 0 }, counted[TASK_STATES] = { 0 };
    for (uint32_t i = session->tasks.first; i != NONE; i = task_at(core, i)->family.next) {
        in[task_at(core, i)->state]++;
    }
    for (uint32_t i = core->rebuilds.first; i != NONE; i = task_at(core, i)->family.next) {
        const struct task *task = task_at(core, i);
        in[task->state] += task_session((task_id){ task->id }) == session->id;
    }
    for (uint32_t i = session->specs.first; i != NONE; i = spec_at(core, i)->in_session.next) {
        for (int state = TASK_WAITING; state <= TASK_RUNNING; state++) {
            counted[state] += spec_at(core, i)->in[state];
        }
    }
    for (int state = TASK_WAITING; state <= TASK_RUNNING; state++) {
        CHECK(in[state] == counted[state], session->id);
    }
}

static uint64_t check_session(struct checker *self, const struct session *session)
{
    const struct core *core = self->core;
    uint64_t last = 0, leased = 0;
    uint32_t count = 0;
    for (uint32_t i = session->tasks.first; i != NONE; i = task_at(core, i)->family.next, count++) {
        const struct task *task = task_at(core, i);
        CHECK(task->id > last && task_session((task_id){ task->id }) == session->id, task->id);
        CHECK(task_counter((task_id){ task->id }) < session->below, task->id);
        CHECK(task_counter((task_id){ task->id }) >= session->low, task->id);
        last = task->id;
        leased += task->node != NONE;
        check_task(self, task, i);
    }
    CHECK(count == session->tasks.count, session->id);
    check_states(self, session);
    CHECK(session->synced <= session->below, session->id);
    CHECK(session->saved_synced <= session->saved, session->id);
    CHECK(session->study == NONE || session->open, session->id);
    return leased;
}

/*  Tasks that make objects again, of this job. */
static void check_rebuilds(struct checker *self, uint32_t job, uint64_t *leased)
{
    const struct core *core = self->core;
    for (uint32_t i = core->rebuilds.first; i != NONE; i = task_at(core, i)->family.next) {
        const struct task *task = task_at(core, i);
        CHECK(task->flags & TASK_REBUILD, task->id);
        if (spec_at(core, task->spec)->job == job) {
            check_task(self, task, i);
            *leased += task->node != NONE;
        }
    }
}

static uint64_t check_jobs(struct checker *self)
{
    const struct core *core = self->core;
    uint64_t tasks = 0;
    for (uint32_t j = core->ages.first; j != NONE; j = job_at(core, j)->age.next) {
        const struct job *job = job_at(core, j);
        uint64_t leased = 0, unfinished = 0, lasting = 0;
        for (uint32_t s = job->sessions.first; s != NONE; s = session_at(core, s)->in_job.next) {
            leased += check_session(self, session_at(core, s));
            unfinished += session_at(core, s)->tasks.count;
            const struct session *session = session_at(core, s);
            lasting += session->root != 0 ? session->tasks.count : session->detached;
        }
        check_rebuilds(self, j, &leased);
        uint32_t driver = job->driver ? task_find(core, job->driver) : NONE;
        CHECK(leased == job->leased, job->id);
        CHECK(job->finished + job->failed + unfinished - (driver != NONE) == job->total ||
                  job_ended(job),
              job->id);
        CHECK(!job_ended(job) || unfinished == lasting, job->id);
        CHECK(!job->held || (job->state == JOB_PENDING && !job->ending && job->waits.count > 0),
              job->id);
        tasks += unfinished;
    }
    return tasks + core->rebuilds.count;
}

static void check_node(struct checker *self, uint32_t index)
{
    const struct core *core = self->core;
    const struct node *node = node_at(core, index);
    struct amounts used = node->free;
    uint64_t leases = node->calls, waiting = 0, waits = 0, open = 0;
    for (uint32_t d = 0; d < core->demand_count; d++) {
        const struct slots *slots = slots_at(core, index, d);
        open += slots->slots;
        leases += slots->leases;
        waiting += slots->waiting;
        CHECK(slots->slots <= slots->leases && slots->waiting <= slots->slots, node->id);
        for (int k = 0; k < KINDS_MAX; k++) {
            uint32_t held = k == KIND_CPU ? slots_busy(slots) : slots->slots;
            used.of[k] += held * core->demands[d].need.of[k];
        }
    }
    for (int k = 0; k < KINDS_MAX; k++) {
        CHECK(used.of[k] == node->total.of[k] + node->owed.of[k], node->id);
        CHECK(node->owed.of[k] == 0 || node->free.of[k] == 0, node->id);
    }
    CHECK(leases == node->leases.count, node->id);
    CHECK(open == node->slots, node->id);
    uint32_t count = 0;
    for (uint32_t i = node->leases.first; i != NONE; i = task_at(core, i)->place.next, count++) {
        CHECK(task_at(core, i)->node == index, task_at(core, i)->id);
        if (task_kind(core, task_at(core, i)) == SPEC_ACTOR) {
            check_actor(self, task_at(core, i)->actor);
        }
        waits += (task_at(core, i)->flags & TASK_WAITS) != 0;
    }
    CHECK(count == node->leases.count, node->id);
    CHECK(waiting == waits, node->id);
}

static void check_demand(struct checker *self, uint32_t index)
{
    const struct core *core = self->core;
    const struct demand *demand = &core->demands[index];
    uint64_t slots = 0, leases = 0, may_run = 0;
    for (uint32_t n = core->all_nodes.first; n != NONE; n = node_at(core, n)->all.next) {
        const struct slots *its = slots_at(core, n, index);
        uint64_t fits = demand_fits(core, index, n);
        slots += its->slots;
        leases += its->leases;
        may_run += its->leases < fits ? its->leases : fits;
    }
    CHECK(slots == demand->slots && leases == demand->leases, index);
    CHECK(demand->running_max == 0 || may_run <= demand->running_max, index);
    for (uint32_t q = demand->queues.first; q != NONE; q = queue_at(core, q)->in_demand.next) {
        CHECK(queue_at(core, q)->tasks.count > 0 && queue_at(core, q)->demand == index, index);
    }
}

static void check_study(struct checker *self, uint32_t index)
{
    const struct core *core = self->core;
    const struct study *study = study_at(core, index);
    bool driven = study->session != NONE;
    CHECK(driven == (study->state == STUDY_RUNNING), study->id);
    CHECK(!driven || session_at(core, study->session)->study == index, study->id);
    CHECK(!driven || session_at(core, study->session)->id == study->session_id, study->id);
    CHECK(driven || !study->stopping, study->id);
}

bool core_check(const struct core *core, struct diag *why)
{
    struct checker checker = { core, why, true };
    struct checker *self = &checker;
    CHECK(check_jobs(self) == core->tasks.taken, 0);
    CHECK(core->task_map.count == core->tasks.taken, 0);
    uint64_t leases = 0;
    for (uint32_t n = core->all_nodes.first; n != NONE; n = node_at(core, n)->all.next) {
        check_node(self, n);
        leases += node_at(core, n)->leases.count;
    }
    CHECK(leases == core->stats.tasks_leased, 0);
    for (uint32_t d = 0; d < core->demand_count; d++) {
        check_demand(self, d);
    }
    for (uint32_t i = core->actors_dead.first; i != NONE; i = actor_at(core, i)->rest.next) {
        check_actor(self, i);
    }
    CHECK(objects_check(core) == 0, objects_check(core));
    for (uint32_t s = 0; s < core->studies.fresh; s++) { /* none is ever given back */
        check_study(self, s);
    }
    return self->ok;
}
