/*  core.c - memory, dispatch, and the order of a turn. */
#include "head/core/core.h"

#include "common/bug.h"
#include "head/core/state.h"

struct limits core_limits(void)
{
    return (struct limits){ .tasks = 10000000,
                            .edges = 4000000,
                            .leases = 1000000,
                            .specs = 65536,
                            .jobs = 10000,
                            .sessions = 32768,
                            .nodes = NODES_MAX,
                            .peers = 8192,
                            .studies = 65536,
                            .users = 4096,
                            .objects = 4000000,
                            .holds = 8000000,
                            .copies = 8000000,
                            .tokens = 16384,
                            .actors = 65536,
                            .lanes = 131072 };
}

struct config core_config(void)
{
    return (struct config){ .beat_ms = 1000,
                            .suspect_ms = 5000,
                            .lease_ms = 30000,
                            .orphan_ms = 600000,
                            .gone_ms = 5000,
                            .priority_step_ms = PRIORITY_STEP_MS,
                            .job_days_max = 30,
                            .package_keep_s = 3600 };
}

/*  Carves the memory; with base NULL it only adds up. */
struct carver {
    uint8_t *base;
    size_t n;
};

static void *carve(struct carver *carver, size_t bytes)
{
    void *p = carver->base ? carver->base + carver->n : NULL;
    carver->n += (bytes + 63) & ~(size_t)63;
    return p;
}

static void carve_pool(struct carver *carver, struct pool *pool, uint32_t capacity,
                       uint32_t slot_bytes)
{
    void *memory = carve(carver, pool_bytes(capacity, slot_bytes));
    if (memory) {
        pool_init(pool, memory, capacity, slot_bytes);
    }
}

static void carve_map(struct carver *carver, struct map *map, struct pool *pool, uint32_t capacity,
                      size_t key, size_t link)
{
    void *memory = carve(carver, map_bytes(capacity));
    if (memory) {
        map_init(map, memory, capacity, pool, (uint32_t)key, (uint32_t)link);
    }
}

#define CARVE_POOL(pool, type, capacity)                                                           \
    carve_pool(&c, &self->pool, capacity, (uint32_t)sizeof(struct type))
#define CARVE_MAP(map, pool, type, key, link, capacity)                                            \
    carve_map(&c, &self->map, &self->pool, capacity, offsetof(struct type, key),                   \
              offsetof(struct type, link))

static void carve_effects(struct carver *c, struct core *self, const struct limits *limits)
{
    /* A message holds at most CALLS_PER_FRAME_MAX elements, and each of them makes a few rows and sends. */
    size_t elements = (size_t)CALLS_PER_FRAME_MAX * CORE_EVENTS_PER_TURN * 2;
    self->row_capacity = elements * 512;
    self->send_capacity = CORE_EVENTS_PER_TURN * 64 + 16384;
    self->start_capacity = (uint32_t)elements;
    self->result_capacity = (uint32_t)elements;
    self->lease_capacity = (uint32_t)elements;
    self->lookup_capacity = (uint32_t)elements + limits->edges * 2;
    self->decision_capacity = TRIALS_PER_FRAME_MAX * CORE_EVENTS_PER_TURN * 2;
    self->report_capacity = self->decision_capacity;
    self->scratch_capacity = elements * 1024;
    self->rows = carve(c, self->row_capacity);
    self->sends = carve(c, self->send_capacity * sizeof(*self->sends));
    self->starts = carve(c, self->start_capacity * sizeof(*self->starts));
    self->results = carve(c, self->result_capacity * sizeof(*self->results));
    self->leases = carve(c, self->lease_capacity * sizeof(*self->leases));
    self->decisions = carve(c, self->decision_capacity * sizeof(*self->decisions));
    self->reports = carve(c, self->report_capacity * sizeof(*self->reports));
    self->lookups = carve(c, self->lookup_capacity * sizeof(*self->lookups));
    self->scratch = carve(c, self->scratch_capacity);
}

static size_t carve_all(struct core *self, uint8_t *base, const struct limits *limits)
{
    struct carver c = { base, 0 };
    carve(&c, sizeof(struct core));
    CARVE_POOL(tasks, task, limits->tasks);
    uint32_t edges = limits->edges + DEPS_MAX; /* a restored task has some for what has ended */
    CARVE_POOL(edges, edge, edges);
    CARVE_POOL(parents, parent, limits->tasks);
    CARVE_POOL(children, child, limits->tasks);
    CARVE_POOL(runs, run, limits->leases);
    CARVE_POOL(queues, queue, limits->specs);
    CARVE_POOL(specs, spec, limits->specs);
    CARVE_POOL(sessions, session, limits->sessions);
    CARVE_POOL(jobs, job, limits->jobs);
    CARVE_POOL(watchers, watcher, limits->peers);
    CARVE_POOL(peers, peer, limits->peers);
    CARVE_POOL(nodes, node, limits->nodes);
    CARVE_POOL(studies, study, limits->studies);
    CARVE_POOL(users, user, limits->users);
    CARVE_POOL(tokens, token, limits->tokens);
    CARVE_POOL(actors, actor, limits->actors);
    CARVE_POOL(lanes, lane, limits->lanes);
    CARVE_POOL(objects.all, object, limits->objects);
    CARVE_POOL(objects.holds, hold, limits->holds);
    CARVE_POOL(objects.copies, copy, limits->copies);
    CARVE_MAP(objects.by_task, objects.all, object, task, link, limits->objects);
    CARVE_MAP(objects.by_holder, objects.holds, hold, by, link, limits->holds);
    CARVE_MAP(task_map, tasks, task, id, link, limits->tasks);
    CARVE_MAP(edge_map, edges, edge, dep, link, edges);
    CARVE_MAP(parent_map, parents, parent, token, link, limits->tasks);
    CARVE_MAP(parent_tasks, parents, parent, task, by_task, limits->tasks);
    CARVE_MAP(child_map, children, child, task, link, limits->tasks);
    CARVE_MAP(queue_map, queues, queue, key, link, limits->specs);
    CARVE_MAP(spec_ids, specs, spec, id, by_id, limits->specs);
    CARVE_MAP(spec_keys, specs, spec, key, by_key, limits->specs);
    CARVE_MAP(session_map, sessions, session, id, link, limits->sessions);
    CARVE_MAP(job_ids, jobs, job, id, by_id, limits->jobs);
    CARVE_MAP(job_hashes, jobs, job, hash, by_hash, limits->jobs);
    CARVE_MAP(peer_map, peers, peer, number, link, limits->peers);
    CARVE_MAP(node_map, nodes, node, id, link, limits->nodes);
    CARVE_MAP(study_ids, studies, study, id, by_id, limits->studies);
    CARVE_MAP(study_hashes, studies, study, hash, by_hash, limits->studies);
    CARVE_MAP(user_ids, users, user, id, by_id, limits->users);
    CARVE_MAP(user_hashes, users, user, hash, by_hash, limits->users);
    CARVE_MAP(token_ids, tokens, token, id, by_id, limits->tokens);
    CARVE_MAP(token_hashes, tokens, token, hash_key, by_hash, limits->tokens);
    CARVE_MAP(actor_ids, actors, actor, id, by_id, limits->actors);
    CARVE_MAP(actor_names, actors, actor, name_hash, by_name, limits->actors);
    CARVE_MAP(lane_map, lanes, lane, key, link, limits->lanes);
    void *timers = carve(&c, heap_bytes(limits->tasks));
    if (timers) {
        heap_init(&self->timers, timers, limits->tasks, &self->tasks, offsetof(struct task, due_ms),
                  offsetof(struct task, timer));
    }
    self->tallies = carve(&c, SURVEY_NAMES * sizeof(struct tally));
    self->demands = carve(&c, DEMANDS_MAX * sizeof(struct demand));
    self->slots = carve(&c, (size_t)limits->nodes * DEMANDS_MAX * sizeof(struct slots));
    carve_effects(&c, self, limits);
    return c.n;
}

size_t core_bytes(const struct limits *limits)
{
    struct core scratch;
    return carve_all(&scratch, NULL, limits);
}

struct core *core_init(void *memory, const struct limits *limits, const struct config *config,
                       uint64_t seed)
{
    ensure(limits->nodes <= NODES_MAX);
    struct core *self = memory; /* zeroed by the caller: fresh address space is */
    self->limits = *limits;
    self->config = *config;
    self->rng.state = seed;
    carve_all(self, memory, limits);
    struct chain *const chains[] = {
        &self->doomed,     &self->changed,         &self->busy,        &self->ages,
        &self->due,        &self->all_peers,       &self->all_nodes,   &self->held,
        &self->all_tokens, &self->actors_due,      &self->actors_dead, &self->claims,
        &self->fated,      &self->objects.released
    };
    for (size_t i = 0; i < COUNT(chains); i++) {
        chain_init(chains[i]);
    }
    static const char *const fixed[KINDS_FIXED] = { "CPU", "memory", "GPU" };
    for (; self->kind_count < KINDS_FIXED; self->kind_count++) {
        memcpy(self->kinds[self->kind_count], fixed[self->kind_count],
               strlen(fixed[self->kind_count]) + 1);
    }
    self->ack_ms = UINT64_MAX;
    self->borrows = NONE;
    self->restoring = true;
    users_init(self);
    return self;
}

static void begin_batch(struct core *self)
{
    if (self->given) {
        self->given = false;
        self->row_bytes = 0;
        self->row_count = self->send_count = self->start_count = self->result_count = 0;
        self->lease_count = self->lookup_count = 0;
        self->decision_count = self->report_count = 0;
        self->scratch_bytes = 0;
    }
}

static void scan(struct core *self)
{
    if (self->now_ms < self->scan_ms) {
        return;
    }
    self->scan_ms = self->now_ms + SCAN_MS;
    node_scan(self);
    session_scan(self);
    study_scan(self);
    token_scan(self);
    ticket_scan(self);
    peer_scan(self);
    lease_balance(self);
    job_forget_old(self);
    package_scan(self);
}

/*  The head stood still itself (a stopped process, a sleeping machine): what was said meanwhile is still to be read,
    and nobody was silent for that time. */
static void was_away(struct core *self, uint64_t for_ms)
{
    for (uint32_t i = self->all_nodes.first; i != NONE; i = node_at(self, i)->all.next) {
        struct node *node = node_at(self, i);
        node->heard_ms += for_ms;
        node->gone_ms += node->gone_ms != 0 ? for_ms : 0;
        node->unknown_ms += node->unknown_ms != 0 ? for_ms : 0;
    }
    for (uint32_t i = self->all_peers.first; i != NONE; i = peer_at(self, i)->all.next) {
        peer_at(self, i)->heard_ms += for_ms;
    }
    for (uint32_t j = self->ages.first; j != NONE; j = job_at(self, j)->age.next) {
        for (uint32_t s = job_at(self, j)->sessions.first; s != NONE;
             s = session_at(self, s)->in_job.next) {
            struct session *session = session_at(self, s);
            session->heard_ms += for_ms;
            session->gone_ms += session->gone_ms != 0 ? for_ms : 0;
        }
    }
}

static void dispatch(struct core *self, uint32_t peer, const struct msg *msg)
{
    switch (msg->kind) {
#define ON(NAME, name)                                                                             \
    case MSG_##NAME:                                                                               \
        on_##name(self, peer, &msg->as.name);                                                      \
        return;
        ON(JOB_OPEN, job_open)
        ON(JOB_ATTACH, job_attach)
        ON(RESUME, resume)
        ON(SUBMIT, submit)
        ON(POLL, poll)
        ON(CLIENT_BEAT, client_beat)
        ON(BYE, bye)
        ON(CANCEL, cancel)
        ON(RETRY, retry)
        ON(JOB_STOP, job_stop)
        ON(JOB_DELETE, job_delete)
        ON(WATCH, watch)
        ON(LOG, log)
        ON(EXPLAIN, explain)
        ON(NODE_JOIN, node_join)
        ON(NODE_BEAT, node_beat)
        ON(NODE_BYE, node_bye)
        ON(NODE_DRAIN, node_drain)
        ON(INVENTORY, inventory)
        ON(DONE, done)
        ON(ACTOR_NAME, actor_name)
        ON(ACTOR_FIND, actor_find)
        ON(ACTOR_KILL, actor_kill)
        ON(ACTOR_ALIVE, actor_alive)
        ON(NODE_WAITS, node_waits)
        ON(AWAITS, awaits)
        ON(STUDY_OPEN, study_open)
        ON(TRIALS, trials)
        ON(REPORT, report)
        ON(DECIDE, decide)
        ON(STUDY_END, study_end)
        ON(STUDY_STOP, study_stop)
        ON(USER_PUT, user_put)
        ON(TOKEN_PUT, token_put)
        ON(TOKEN_END, token_end)
        ON(TOKEN_CHECK, token_check)
        ON(PACKAGE_PUT, package_put)
        ON(REFS, refs)
        ON(FREE, free)
        ON(WHERE, where)
        ON(STOCK, stock)
        ON(FETCH_FAILED, fetch_failed)
#undef ON
    default:
        emit_refused(self, peer, msg->as.seq, ERR_FRAME, "a head does not take this message");
    }
}

static void on_message(struct core *self, const struct event *event)
{
    uint32_t peer = event->peer;
    const struct msg *msg = event->msg;
    uint32_t index = peer_find(self, peer);
    if (msg->kind == MSG_HELLO) {
        on_hello(self, peer, &msg->as.hello, event->proof);
        return;
    }
    if (index == NONE) {
        emit_send(self, peer, MSG_WHO, false)->as.who =
            (struct msg_who){ msg->as.seq, self->epoch };
        return;
    }
    peer_at(self, index)->heard_ms = self->now_ms;
    uint32_t node = peer_at(self, index)->node; /* whatever it says: it lives */
    if (node != NONE && node_at(self, node)->peer == peer) {
        node_at(self, node)->heard_ms = self->now_ms;
    }
    if (may_say(self, peer, msg)) {
        dispatch(self, peer, msg);
    }
}

void core_step(struct core *self, const struct event *event)
{
    begin_batch(self);
    bool closed = self->synced_number == 0 &&
                  event->now_ms > self->now_ms; /* nobody gets a WELCOME: peer.c */
    if (self->now_ms != 0 && (closed || event->now_ms > self->now_ms + AWAY_MS)) {
        was_away(self, event->now_ms - self->now_ms);
    }
    if (RAYC_BUG(WALL_LEASE) && self->wall_ms != 0 && event->wall_ms > self->wall_ms + AWAY_MS) {
        was_away(self, self->wall_ms - event->wall_ms); /* the jump counts as silence */
    }
    self->now_ms = event->now_ms > self->now_ms ? event->now_ms : self->now_ms;
    self->wall_ms = event->wall_ms;
    switch (event->kind) {
    case EV_TICK:
        break;
    case EV_MESSAGE:
        ensure(!self->restoring);
        on_message(self, event);
        break;
    case EV_OWN:
        ensure(!self->restoring);
        dispatch(self, OWN_PEER, event->msg);
        break;
    case EV_PEER_GONE:
        peer_gone(self, event->peer);
        break;
    case EV_SYNCED:
        session_synced(self, event->number);
        break;
    case EV_LOOKED_UP:
        on_looked_up(self, event);
        if (self->restoring) {
            return;
        }
        break;
    case EV_RESTORE:
        restore_row(self, event->row);
        return;
    case EV_END:
        node_end(self);
        break;
    case EV_RESTORED:
        restore_end(self);
        break;
    }
    scan(self);
}

static uint64_t deadline(const struct core *self)
{
    uint64_t at = heap_time(&self->timers);
    if ((self->all_nodes.count > 0 || self->all_peers.count > 0 || self->stats.jobs_open > 0) &&
        self->scan_ms < at) {
        at = self->scan_ms;
    }
    at = self->ack_ms < at ? self->ack_ms : at;
    at = objects_busy(self) ? self->now_ms : at;
    for (uint32_t i = self->changed.first; i != NONE; i = job_at(self, i)->changed.next) {
        uint64_t tell = job_at(self, i)->told_ms + TELL_MS;
        at = tell < at ? tell : at;
    }
    return at;
}

bool core_ready(struct core *self, struct batch *out)
{
    begin_batch(self);
    task_timers(self);
    node_sweep(self);
    job_work(self);
    task_sweep_doomed(self);
    borrowers_tell(self);
    kin_sweep(self);
    objects_work(self);
    node_resend(self);
    lease_schedule(self);
    actors_work(self);
    session_tell(self);
    node_tell(self);
    if (self->now_ms >= self->ack_ms) {
        self->ack_ms = UINT64_MAX;
    }
    job_tell(self);
    bool more = self->row_count + self->send_count + self->start_count + self->result_count +
                    self->lease_count + self->lookup_count + self->decision_count +
                    self->report_count >
                0;
    self->given = more;
    self->batch_number += more;
    *out = (struct batch){ .rows = self->rows,
                           .row_bytes = self->row_bytes,
                           .row_count = self->row_count,
                           .sends = self->sends,
                           .send_count = self->send_count,
                           .starts = self->starts,
                           .start_count = self->start_count,
                           .results = self->results,
                           .result_count = self->result_count,
                           .leases = self->leases,
                           .lease_count = self->lease_count,
                           .decisions = self->decisions,
                           .decision_count = self->decision_count,
                           .reports = self->reports,
                           .report_count = self->report_count,
                           .lookups = self->lookups,
                           .lookup_count = self->lookup_count,
                           .number = self->batch_number,
                           .deadline_ms = deadline(self) };
    return more;
}

uint32_t core_restore_lookups(struct core *self, const uint64_t **out)
{
    ensure(self->restoring);
    uint32_t count = self->lookup_count;
    self->lookup_count = 0;
    *out = self->lookups;
    return count;
}

uint64_t core_epoch(const struct core *self)
{
    return self->epoch;
}

uint32_t core_worker_peer(const struct core *self, uint32_t i)
{
    for (uint32_t n = self->all_nodes.first; n != NONE; n = node_at(self, n)->all.next) {
        const struct node *node = node_at(self, n);
        if (node->state != NODE_DEAD && node->peer != NONE && i-- == 0) {
            return node->peer;
        }
    }
    return 0;
}

bool core_knows(const struct core *self, uint32_t peer)
{
    return peer_find(self, peer) != NONE;
}

bool core_idle(const struct core *self)
{
    for (uint32_t i = self->all_peers.first; i != NONE; i = peer_at(self, i)->all.next) {
        if (peer_at(self, i)->role == 1) {
            return false;
        }
    }
    return self->stats.jobs_open == 0;
}

uint64_t core_forgotten(struct core *self)
{
    return self->forgotten_count > 0 ? self->forgotten[--self->forgotten_count] : 0;
}

struct core_stats core_stats(const struct core *self)
{
    struct core_stats stats = self->stats;
    stats.tasks_ready = self->tasks.taken - stats.tasks_leased;
    stats.nodes_alive = self->nodes_alive;
    stats.sessions_open = self->sessions.taken;
    return stats;
}
