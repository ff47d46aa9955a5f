/*  survey.c - counting as things happen, and adding up when somebody asks. */
#include "head/core/survey.h"

#include "head/core/state.h"

_Static_assert((int)SURVEY_NODES == (int)NODES_MAX && (int)SURVEY_KINDS == (int)KINDS_MAX,
               "a survey has room for what a core can have");

/*  The slot of a name; made if there is room. */
uint32_t tally_find(struct core *core, struct slice name)
{
    for (uint32_t i = 0; i < core->tally_count; i++) {
        if (slice_same(name, slice_text(core->tallies[i].name))) {
            return i;
        }
    }
    bool last = core->tally_count >= SURVEY_NAMES - 1;
    uint32_t index = last ? SURVEY_NAMES - 1 : core->tally_count;
    core->tally_count = index + 1;
    slice_copy_text(last ? slice_text("other") : name, core->tallies[index].name,
                    sizeof(core->tallies[index].name));
    return index;
}

/*  An attempt was reported.  The clock of its start is its worker's. */
void tally_attempt(struct core *core, const struct task *task, uint64_t started_ms, uint64_t run_us)
{
    const struct spec *spec = spec_at(core, task->spec);
    if (spec->kind == SPEC_DRIVER || started_ms == 0) {
        return;
    }
    struct tally *tally = &core->tallies[spec->tally];
    uint32_t ready_ms = task->ready_ms + (uint32_t)(core->wall_ms - core->now_ms);
    int32_t waited_ms = (int32_t)((uint32_t)started_ms - ready_ms);
    histogram_add(&tally->ran, run_us);
    histogram_add(&tally->queued, waited_ms > 0 ? (uint64_t)waited_ms * 1000 : 0);
}

void tally_ended(struct core *core, const struct task *task, bool failed)
{
    const struct spec *spec = spec_at(core, task->spec);
    if (spec->kind != SPEC_DRIVER) {
        core->tallies[spec->tally].finished += !failed;
        core->tallies[spec->tally].failed += failed;
    }
}

/*  Drivers and values are no tasks for people. */
static bool is_counted(const struct spec *spec)
{
    return spec->kind != SPEC_DRIVER && spec->kind != SPEC_VALUE;
}

static struct survey_row *row_of(struct survey *out, uint32_t job, uint32_t name, uint32_t at[])
{
    if (at[name] == NONE && out->row_count < SURVEY_ROWS) {
        at[name] = out->row_count++;
        out->rows[at[name]] = (struct survey_row){ .job = job, .name = name };
    }
    return at[name] == NONE ? NULL : &out->rows[at[name]];
}

/*  Ended tasks whose specs have gone, with their session or with a head before this one, have no name any more. */
static void add_rest(struct survey_row *row, const struct job *job, const uint64_t ended[2])
{
    if (row) {
        row->in[TASK_FINISHED] += job->finished > ended[0] ? job->finished - ended[0] : 0;
        row->in[TASK_FAILED] += job->failed > ended[1] ? job->failed - ended[1] : 0;
    }
}

static void add_job(const struct core *core, const struct job *job, uint32_t slot,
                    struct survey *out, uint32_t at[])
{
    uint64_t ended[2] = { 0, 0 };
    for (uint32_t s = job->sessions.first; s != NONE; s = session_at(core, s)->in_job.next) {
        for (uint32_t i = session_at(core, s)->specs.first; i != NONE;
             i = spec_at(core, i)->in_session.next) {
            const struct spec *spec = spec_at(core, i);
            struct survey_row *row = is_counted(spec) ? row_of(out, slot, spec->tally, at) : NULL;
            for (int state = TASK_WAITING; row && state < TASK_STATES; state++) {
                row->in[state] += spec->in[state];
            }
            ended[0] += is_counted(spec) ? spec->in[TASK_FINISHED] : 0;
            ended[1] += is_counted(spec) ? spec->in[TASK_FAILED] : 0;
        }
    }
    if (job->finished > ended[0] || job->failed > ended[1]) {
        add_rest(row_of(out, slot, SURVEY_NAMES - 1, at), job, ended);
    }
}

static void add_jobs(const struct core *core, struct survey *out)
{
    uint32_t others[SURVEY_NAMES], at[SURVEY_NAMES];
    memset(others, 0xff, sizeof(others));
    for (uint32_t j = core->ages.last; j != NONE; j = job_at(core, j)->age.previous) {
        const struct job *job = job_at(core, j);
        out->jobs_in[job->state]++;
        if (job_ended(job) && job->ended_ms + SURVEY_RECENT_MS < core->wall_ms) {
            continue;
        }
        if (out->job_count < SURVEY_JOBS) {
            memset(at, 0xff, sizeof(at));
            memcpy(out->jobs[out->job_count], job->submission, sizeof(job->submission));
            add_job(core, job, out->job_count++, out, at);
        } else if (!job_ended(job)) {
            add_job(core, job, SURVEY_JOBS, out, others);
        }
    }
    slice_copy_text(slice_text("other"), out->jobs[SURVEY_JOBS], sizeof(out->jobs[SURVEY_JOBS]));
}

static enum pending_why why_of(const struct core *core, uint32_t demand)
{
    if (core->nodes_alive == 0) {
        return PENDING_NO_NODE;
    }
    if (!demand_feasible(core, demand)) {
        return PENDING_INFEASIBLE;
    }
    return demand_at_limit(core, demand) ? PENDING_LIMIT : PENDING_RESOURCES;
}

/*  The first of a queue is the one that waits longest, but for what came back from a worker. */
static void add_queues(const struct core *core, struct survey *out)
{
    uint64_t queued = 0;
    for (uint32_t d = 0; d < core->demand_count; d++) {
        const struct demand *demand = &core->demands[d];
        enum pending_why why = demand->queues.count > 0 ? why_of(core, d) : PENDING_WHYS;
        for (uint32_t q = demand->queues.first; demand->used && q != NONE;
             q = queue_at(core, q)->in_demand.next) {
            const struct chain *tasks = &queue_at(core, q)->tasks;
            out->pending[why] += tasks->count;
            queued += tasks->count;
            uint64_t age_ms = tasks->count > 0 ? task_age(core, task_at(core, tasks->first)) : 0;
            out->oldest_ms = age_ms > out->oldest_ms ? age_ms : out->oldest_ms;
        }
    }
    uint64_t in[TASK_STATES] = { 0 };
    spec_states(core, in);
    out->pending[PENDING_ARGS] = in[TASK_WAITING];
    out->pending[PENDING_BACKOFF] = in[TASK_READY] > queued ? in[TASK_READY] - queued : 0;
}

/*  Unfinished tasks by state, over all specs. */
void spec_states(const struct core *core, uint64_t in[TASK_STATES])
{
    for (uint32_t j = core->ages.first; j != NONE; j = job_at(core, j)->age.next) {
        for (uint32_t s = job_at(core, j)->sessions.first; s != NONE;
             s = session_at(core, s)->in_job.next) {
            for (uint32_t i = session_at(core, s)->specs.first; i != NONE;
                 i = spec_at(core, i)->in_session.next) {
                for (int state = TASK_WAITING; state <= TASK_RUNNING; state++) {
                    in[state] += spec_at(core, i)->in[state];
                }
            }
        }
    }
}

static void add_nodes(const struct core *core, struct survey *out)
{
    for (uint32_t n = core->all_nodes.first; n != NONE; n = node_at(core, n)->all.next) {
        const struct node *node = node_at(core, n);
        if (node->state == NODE_DEAD) {
            continue;
        }
        struct survey_node *to = &out->nodes[out->node_count++];
        to->id = node->id;
        to->silent_ms = core->now_ms > node->heard_ms ? core->now_ms - node->heard_ms : 0;
        memcpy(to->name, node->name, sizeof(to->name));
        memcpy(to->total, node->total.of, sizeof(to->total));
        memcpy(to->free, node->free.of, sizeof(to->free));
    }
    out->kind_count = core->kind_count;
    memcpy(out->kinds, core->kinds, sizeof(out->kinds));
}

void core_survey(const struct core *core, struct survey *out)
{
    out->wall_ms = core->wall_ms;
    out->epoch = core->epoch;
    out->job_count = out->row_count = out->node_count = 0;
    out->oldest_ms = 0;
    out->nodes_lost = core->nodes_lost;
    out->name_count = core->tally_count;
    memcpy(out->names, core->tallies, core->tally_count * sizeof(*out->names));
    slice_copy_text(slice_text("other"), out->names[SURVEY_NAMES - 1].name,
                    sizeof(out->names[0].name));
    memset(out->jobs_in, 0, sizeof(out->jobs_in));
    memset(out->pending, 0, sizeof(out->pending));
    memcpy(out->retries, core->retries_by, sizeof(out->retries));
    add_jobs(core, out);
    add_queues(core, out);
    add_nodes(core, out);
}
