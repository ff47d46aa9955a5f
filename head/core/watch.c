/*  watch.c - telling people: how a job is doing, and why a task is not running. */
#include "common/text.h"
#include "head/core/job_inside.h"

static void add_amount(struct text *text, uint32_t kind, uint64_t units)
{
    if (kind == KIND_MEMORY) {
        text_u64(text, units);
        text_add(text, " bytes of memory");
    } else {
        text_units(text, units);
    }
}

/*  How far a node is from a demand: the number of resources it lacks even when idle. */
static uint32_t lacks(const struct amounts *need, const struct amounts *total, uint32_t *kind)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < KINDS_MAX; i++) {
        if (need->of[i] > total->of[i]) {
            *kind = count++ == 0 ? i : *kind;
        }
    }
    return count;
}

/*  What no node meets: "it must run on node 3, which is gone", "it asks for zone=a, gpu!=old". */
static void add_rule(struct text *text, const struct rule *rule)
{
    struct slice selector = slice_of(rule->selector, rule->selector_bytes), line;
    if (rule->strategy.kind == STRATEGY_NODE && !rule->strategy.soft) {
        text_add(text, "it must run on node ");
        text_u64(text, rule->strategy.node);
        text_add(text, selector.n > 0 ? ", which is gone or lacks a label: " : ", which is gone");
    } else if (selector.n > 0) {
        text_add(text, "no node has the labels that it asks for: ");
    }
    for (const char *comma = ""; line_next(&selector, &line); comma = ", ") {
        text_add(text, comma);
        text_slice(text, line);
    }
}

struct slice lease_shortage(struct core *core, uint32_t demand)
{
    const struct amounts *need = &core->demands[demand].need;
    uint32_t best = NONE, best_kind = 0, best_count = NONE;
    for (uint32_t i = core->all_nodes.first; i != NONE; i = node_at(core, i)->all.next) {
        uint32_t kind = 0;
        uint32_t count = lacks(need, &node_at(core, i)->total, &kind);
        bool candidate = node_at(core, i)->state != NODE_DEAD && demand_suits(core, demand, i);
        if (candidate && count < best_count) {
            best = i;
            best_kind = kind;
            best_count = count;
        }
    }
    char buffer[SELECTOR_MAX + 400];
    struct text text = text_in(buffer, sizeof(buffer));
    if (best == NONE) {
        add_rule(&text, &core->demands[demand].rule);
    } else {
        text_add(&text, "it needs ");
        add_amount(&text, best_kind, need->of[best_kind]);
        text_add(&text, best_kind == KIND_MEMORY ? "" : " ");
        text_add(&text, best_kind == KIND_MEMORY ? "" : core->kinds[best_kind]);
        text_add(&text, "; the nearest node, ");
        text_add(&text, node_at(core, best)->name);
        text_add(&text, ", has ");
        add_amount(&text, best_kind, node_at(core, best)->total.of[best_kind]);
    }
    return scratch_put(core, buffer, text.n);
}

/*  Why a job that has not started waits. */
static struct slice pending_text(struct core *core, const struct job *job)
{
    if (job->state != JOB_PENDING) {
        return job_message(core, job);
    }
    if (job->held) {
        return waits_reason(core, job);
    }
    if (core->nodes_alive == 0) {
        return slice_text("waiting: no worker has joined yet");
    }
    uint32_t driver = job->driver ? task_find(core, job->driver) : NONE;
    uint32_t spec = driver == NONE ? session_at(core, job->first_session)->specs.first
                                   : task_at(core, driver)->spec;
    if (spec != NONE && !demand_feasible(core, spec_at(core, spec)->demand)) {
        char buffer[SELECTOR_MAX + 500];
        struct text text = text_in(buffer, sizeof(buffer));
        text_add(&text, "waiting: no node can run it: ");
        text_slice(&text, lease_shortage(core, spec_at(core, spec)->demand));
        return scratch_put(core, buffer, text.n);
    }
    if (spec != NONE && !demand_open(core, spec_at(core, spec)->demand)) {
        return slice_text("waiting: the nodes that could run it are being drained");
    }
    return slice_text("waiting for free resources");
}

void tell_state(struct core *core, uint32_t peer, uint64_t seq, uint32_t index, bool synced)
{
    const struct job *job = job_at(core, index);
    struct slice message = pending_text(core, job);
    struct msg *msg = emit_send(core, peer, MSG_JOB_STATE, synced);
    uint32_t driver = job->driver ? task_find(core, job->driver) : NONE;
    uint64_t leased = job->leased - (driver != NONE && task_at(core, driver)->node != NONE);
    msg->as.job_state = (struct msg_job_state){
        .seq = seq,
        .job = job->id,
        .state = job->state,
        .exit_code = job->exit_code,
        .total = job->kind == JOB_ARRAY ? job->array_last - job->array_first + 1 : job->total,
        .finished = job->finished,
        .failed = job->failed,
        .running = leased,
        .nodes = core->nodes_alive,
        .message = message,
        .submission = slice_text(job->submission),
        .error = job->error,
    };
}

void watcher_drop(struct core *core, uint32_t index)
{
    const struct watcher *watcher = pool_at(&core->watchers, index);
    chain_remove(&job_at(core, watcher->job)->watchers, &core->watchers, WATCHER_JOB, index);
    pool_give(&core->watchers, index);
}

void watchers_drop(struct core *core, uint32_t peer)
{
    for (uint32_t j = core->ages.first; j != NONE; j = job_at(core, j)->age.next) {
        uint32_t next;
        for (uint32_t i = job_at(core, j)->watchers.first; i != NONE; i = next) {
            const struct watcher *watcher = pool_at(&core->watchers, i);
            next = watcher->in_job.next;
            if (watcher->peer == peer) {
                watcher_drop(core, i);
            }
        }
    }
}

void on_watch(struct core *core, uint32_t peer, const struct msg_watch *msg)
{
    uint32_t index = job_find(core, msg->job);
    if (index == NONE || !may_see(core, peer, job_at(core, index)->owner)) {
        emit_refused(core, peer, msg->seq, ERR_NOT_FOUND, "no such job");
        return;
    }
    struct job *job = job_at(core, index);
    bool known = false;
    for (uint32_t i = job->watchers.first; i != NONE && !known;
         i = ((struct watcher *)pool_at(&core->watchers, i))->in_job.next) {
        known = ((struct watcher *)pool_at(&core->watchers, i))->peer == peer;
    }
    uint32_t watcher = known ? NONE : pool_take(&core->watchers);
    if (!known && watcher == NONE) {
        emit_refused(core, peer, msg->seq, ERR_BUSY, "too many watch jobs at a time");
        return;
    }
    if (!known) {
        *(struct watcher *)pool_at(&core->watchers, watcher) =
            (struct watcher){ .peer = peer, .job = index };
        chain_append(&job->watchers, &core->watchers, WATCHER_JOB, watcher);
    }
    tell_state(core, peer, msg->seq, index, job_ended(job));
}

/*  Writes counts, all of them: they are in the commit of the rows that they count.  And tells watchers: changes of
    state at once, progress now and then. */
void job_tell(struct core *core)
{
    uint32_t next;
    for (uint32_t i = core->changed.first; i != NONE; i = job_at(core, i)->changed.next) {
        struct job *job = job_at(core, i);
        if (job->counts_dirty) {
            job->counts_dirty = false;
            EMIT(core, job_counts, job->id, job->total, job->finished, job->failed);
        }
    }
    for (uint32_t i = core->changed.first; i != NONE && !effects_nearly_full(core); i = next) {
        struct job *job = job_at(core, i);
        next = job->changed.next;
        if (job->watchers.count > 0 && !job->tell_now && core->now_ms < job->told_ms + TELL_MS) {
            continue;
        }
        for (uint32_t w = job->watchers.first; w != NONE;
             w = ((struct watcher *)pool_at(&core->watchers, w))->in_job.next) {
            tell_state(core, ((struct watcher *)pool_at(&core->watchers, w))->peer, 0, i,
                       job_ended(job));
        }
        job->told_ms = core->now_ms;
        job->tell_now = false;
        job->is_changed = false;
        chain_remove(&core->changed, &core->jobs, JOB_CHANGED, i);
    }
}

/*  One reason per node: what is short now. */
static uint32_t reasons_put(struct core *core, struct wire *to, uint32_t demand)
{
    const struct amounts *need = &core->demands[demand].need;
    uint32_t count = 0;
    for (uint32_t i = core->all_nodes.first; i != NONE && count < 64;
         i = node_at(core, i)->all.next) {
        const struct node *node = node_at(core, i);
        struct rec_reason reason = { .node = node->id,
                                     .node_name = slice_text(node->name),
                                     .draining = node->draining != DRAIN_NONE };
        if (node->state == NODE_DEAD || !demand_suits(core, demand, i)) {
            continue;
        }
        for (uint32_t k = 0; k < core->kind_count; k++) {
            bool worse = need->of[k] > node->total.of[k] || reason.resource.n == 0;
            if (need->of[k] > node->free.of[k] && worse) {
                reason.resource = slice_text(core->kinds[k]);
                reason.needed = need->of[k];
                reason.available = node->free.of[k];
                reason.total = node->total.of[k];
            }
        }
        proto_put_record(to, REC_REASON, &reason);
        count++;
    }
    return count;
}

/*  A call of an actor has no demand: it waits for its actor, or for its turn. */
static void explain_call(const struct core *core, const struct task *task,
                         struct msg_explained *out)
{
    const struct lane *lane = lane_at(core, task->actor);
    const struct actor *actor = actor_at(core, lane->actor);
    bool alive = actor_alive(core, actor);
    out->why = alive ? WHY_LANE : WHY_ACTOR;
    out->other = !alive ? actor->id : lane->newest;
}

static void explain_ready(struct core *core, const struct task *task, struct msg_explained *out,
                          struct wire *to)
{
    const struct spec *spec = spec_at(core, task->spec);
    if (task->flags & TASK_BACKOFF) {
        out->why = WHY_BACKOFF;
        out->wait_ms = task->due_ms > core->now_ms ? task->due_ms - core->now_ms : 0;
        return;
    }
    if (spec->kind == SPEC_METHOD) {
        explain_call(core, task, out);
        return;
    }
    if (actor_waits(core, task)) {
        out->why = WHY_SETTLING;
        out->other = actor_at(core, task->actor)->leased;
        return;
    }
    uint32_t count = reasons_put(core, to, spec->demand);
    out->nodes = wire_list(to, count);
    if (core->nodes_alive == 0) {
        out->why = WHY_NO_NODES;
    } else if (!demand_feasible(core, spec->demand)) {
        out->why = count > 0 ? WHY_INFEASIBLE : WHY_LABELS;
    } else if (!demand_open(core, spec->demand)) {
        out->why = WHY_DRAINING;
    } else {
        out->other = line_before(core, task);
        out->why = out->other > 0                             ? WHY_QUEUE
                   : demand_lacks_process(core, spec->demand) ? WHY_PROCESSES
                   : demand_bound(core, spec->demand)         ? WHY_NODE
                                                              : WHY_RESOURCES;
    }
}

static uint64_t missing_argument(const struct core *core, uint64_t waiter)
{
    for (uint32_t i = 0; i < core->edges.fresh; i++) {
        const struct edge *edge = pool_at(&core->edges, i);
        if (edge->waiter == waiter && task_find(core, edge->dep) != NONE) {
            return edge->dep;
        }
    }
    return 0;
}

void on_explain(struct core *core, uint32_t peer, const struct msg_explain *msg)
{
    uint32_t index = task_find(core, msg->task);
    if (index != NONE && !may_see(core, peer, task_job(core, task_at(core, index))->owner)) {
        index = NONE;
    }
    struct msg_explained out = { .seq = msg->seq, .task = msg->task, .why = WHY_ENDED };
    uint8_t buffer[64 * 400];
    struct wire to = { buffer, 0, sizeof(buffer), false };
    if (index != NONE) {
        const struct task *task = task_at(core, index);
        out.state = task->state;
        if (task->state == TASK_WAITING) {
            const struct job *job = task_job(core, task);
            out.why = job->held ? WHY_AFTER : WHY_DEPENDENCY;
            out.other = job->held ? job->waits.of[0].job : missing_argument(core, task->id);
        } else if (task->state == TASK_READY) {
            explain_ready(core, task, &out, &to);
        } else {
            const struct node *node = node_at(core, task->node);
            struct rec_reason where = { .node = node->id, .node_name = slice_text(node->name) };
            out.why = task->state == TASK_RUNNING ? WHY_RUNNING : WHY_LEASED;
            proto_put_record(&to, REC_REASON, &where);
            out.nodes = wire_list(&to, 1);
        }
    }
    out.nodes.bytes = scratch_put(core, to.p, to.n);
    emit_send(core, peer, MSG_EXPLAINED, false)->as.explained = out;
}
