/*  node.c - workers: joining, beating, telling what they hold and how it ended, and being lost. */
#include "head/core/state.h"

#include "common/bug.h"

enum node_cause { CAUSE_SILENT = 1, CAUSE_HEARD, CAUSE_LOST, CAUSES };

static const uint8_t edges[NODE_STATES][CAUSES] = {
#define EDGE(noun, from, cause, to) EDGE_##noun(from, cause, to)
#define EDGE_TASK(from, cause, to)
#define EDGE_JOB(from, cause, to)
#define EDGE_NODE(from, cause, to) [NODE_##from][CAUSE_##cause] = NODE_##to,
#include "proto/states.def"
#undef EDGE
};

static void node_move(struct core *core, struct node *node, enum node_cause cause,
                      const char *reason)
{
    uint32_t next = edges[node->state][cause];
    ensure(next != 0);
    if (next != node->state) {
        node->state = next;
        EMIT(core, node_state, node->id, next, next == NODE_DEAD ? core->wall_ms : 0,
             slice_text(reason));
        core->schedule = true;
        actors_wake(core, map_find(&core->node_map, node->id));
    }
}

uint32_t node_find(const struct core *core, uint64_t id)
{
    return map_find(&core->node_map, id);
}

static void node_bind(struct core *core, uint32_t index, uint32_t peer,
                      const struct msg_node_join *msg)
{
    struct node *node = node_at(core, index);
    uint32_t found = peer_find(core, peer);
    if (found != NONE) {
        peer_at(core, found)->node = index;
        node->credential = token_at(core, peer_at(core, found)->token)->id;
    }
    node->peer = peer;
    node->attempts_max = msg->attempts > 0 ? msg->attempts : ATTEMPTS_USUAL;
    node->processes_max = msg->processes > 0 ? msg->processes : PROCESSES_USUAL;
    node->heard_ms = core->now_ms;
    node->gone_ms = 0;
    node->doubt = true;                                /* until its INVENTORY has come */
    for (uint32_t i = 0; i < core->specs.fresh; i++) { /* whatever it was told, say it again */
        spec_at(core, i)->told[index / 64] &= ~(1ull << (index % 64));
    }
    core->schedule = true;
    actors_wake(core, index);
}

/*  The id of a new node must survive a power cut: it is never used again. */
static void node_joined(struct core *core, uint32_t peer, uint64_t seq, uint64_t node, bool is_new)
{
    emit_send(core, peer, MSG_NODE_JOINED, is_new)->as.node_joined =
        (struct msg_node_joined){ .seq = seq, .node = node };
}

/*  The attempts of a lost node that may not start twice: there will be no news. */
static void node_unknown_now(struct node *node)
{
    node->unknown_ms = 0;
}

static void node_return(struct core *core, uint32_t peer, const struct msg_node_join *msg)
{
    uint32_t index = node_find(core, msg->node);
    if (index != NONE && (!slice_same(msg->key, slice_text(node_at(core, index)->key)) ||
                          !speaks_for(core, peer, index))) {
        audit_number(core, peer, MSG_NODE_JOIN, msg->node, ERR_FORBIDDEN);
        emit_refused(core, peer, msg->seq, ERR_FORBIDDEN, "this node is another worker's");
        return;
    }
    if (index != NONE && node_at(core, index)->state != NODE_DEAD) {
        node_bind(core, index, peer, msg);
        copies_joined(core, index, msg, false);
        node_move(core, node_at(core, index), CAUSE_HEARD, "");
        node_joined(core, peer, msg->seq, msg->node, false);
        return;
    }
    if (index != NONE) {
        node_unknown_now(node_at(core, index));
    }
    node_joined(core, peer, msg->seq, 0, false);
}

uint32_t node_of_key(const struct core *core, struct slice key)
{
    uint32_t i = core->all_nodes.first;
    while (i != NONE && (node_at(core, i)->state == NODE_DEAD ||
                         !slice_same(key, slice_text(node_at(core, i)->key)))) {
        i = node_at(core, i)->all.next;
    }
    return i;
}

uint32_t node_new(struct core *core, uint64_t id, struct slice key, struct slice name,
                  struct list capacity, int *code)
{
    struct amounts total;
    if (!amounts_read(core, capacity, &total, code)) {
        return NONE;
    }
    uint32_t index = pool_take(&core->nodes);
    if (index == NONE) {
        *code = ERR_BUSY;
        return NONE;
    }
    struct node *node = node_at(core, index);
    node->id = id;
    node->peer = NONE;
    node->state = NODE_ALIVE;
    node->total = node->free = total;
    node->attempts_max = ATTEMPTS_USUAL;
    node->processes_max = PROCESSES_USUAL;
    node->heard_ms = core->now_ms;
    chain_init(&node->leases);
    chain_init(&node->objects.copies);
    chain_init(&node->objects.drops);
    slice_copy_text(key, node->key, sizeof(node->key));
    slice_copy_text(name, node->name, sizeof(node->name));
    chain_append(&core->all_nodes, &core->nodes, NODE_ALL, index);
    map_add(&core->node_map, index);
    core->nodes_alive++;
    return index;
}

void on_node_join(struct core *core, uint32_t peer, const struct msg_node_join *msg)
{
    if (msg->node != 0) {
        node_return(core, peer, msg);
        return;
    }
    uint32_t old = node_of_key(core, msg->key);
    if (old != NONE && node_at(core, old)->peer == peer) {
        node_joined(core, peer, msg->seq, node_at(core, old)->id,
                    true); /* its first NODE_JOINED was lost */
        return;
    }
    if (old != NONE && !speaks_for(core, peer, old)) {
        audit_number(core, peer, MSG_NODE_JOIN, node_at(core, old)->id, ERR_FORBIDDEN);
        emit_refused(core, peer, msg->seq, ERR_FORBIDDEN, "this node is another worker's");
        return;
    }
    if (old != NONE) {
        node_lost(core, old, "a new process of the worker took its place", true);
    }
    struct diag why;
    if (node_labels_fault(msg->labels, &why)) {
        emit_refused(core, peer, msg->seq, ERR_INVALID,
                     (const char *)scratch_put(core, why.text, strlen(why.text) + 1).p);
        return;
    }
    int code = OK;
    uint32_t index = node_new(core, core->node_last + 1, msg->key, msg->name, msg->capacity, &code);
    if (index == NONE) {
        emit_refused(core, peer, msg->seq, code,
                     "the head has as many nodes or resource names as it can hold");
        return;
    }
    struct node *node = node_at(core, index);
    core->node_last = node->id;
    node_labels_make(core, index, msg->labels);
    EMIT(core, node_new, node->id, msg->key, msg->name, msg->pid, msg->capacity.bytes,
         core->wall_ms, msg->objects, slice_text(node->labels), msg->store_bytes);
    emit_event(core, "NODE_JOINED", 0, node->id, 0, msg->name);
    audit_number(core, peer, MSG_NODE_JOIN, node->id, OK);
    node_bind(core, index, peer, msg);
    copies_joined(core, index, msg, true);
    node_joined(core, peer, msg->seq, node->id, true);
    for (uint32_t i = core->ages.first; i != NONE; i = job_at(core, i)->age.next) {
        if (job_at(core, i)->state == JOB_PENDING) {
            job_changed(core, i, true);
        }
    }
}

/*  `dead_for_sure`: its process is known to be gone, and its executors with it. */
void node_lost(struct core *core, uint32_t index, const char *reason, bool dead_for_sure)
{
    struct node *node = node_at(core, index);
    node_move(core, node, CAUSE_LOST, reason);
    emit_event(core, "NODE_LOST", 0, node->id, 0, slice_text(reason));
    node->peer = NONE;
    node->unknown_ms = dead_for_sure ? 0 : core->now_ms + core->config.orphan_ms;
    node->exclusive_ms = dead_for_sure ? 0 : node->heard_ms + core->config.lease_ms;
    core->nodes_alive--;
    core->nodes_lost += !node->bye;
}

void on_node_bye(struct core *core, uint32_t peer, const struct msg_node_bye *msg)
{
    uint32_t index = node_find(core, msg->node);
    if (index != NONE && node_at(core, index)->state != NODE_DEAD &&
        node_at(core, index)->peer == peer) {
        node_at(core, index)->bye = true;
        node_lost(core, index, "ended in order", true);
    }
}

static void lease_lost(struct core *core, uint32_t index, const struct node *node)
{
    struct task *task = task_at(core, index);
    struct ending how = { .failure = FAILURE_NODE_DIED, .outcome = OUTCOMES, .node = node->id };
    uint32_t kind = task_kind(core, task);
    if (spec_at(core, task->spec)->max_retries == 0 && !node->bye && kind != SPEC_ACTOR) {
        how.failure =
            FAILURE_UNKNOWN; /* of an actor it is known: its worker has killed it by now */
    }
    if (node->bye && (spec_at(core, task->spec)->max_retries != 0 || task->state == TASK_LEASED)) {
        if (kind == SPEC_ACTOR && task->state == TASK_RUNNING) {
            task_restart(core, index, &how);
        } else {
            task_returned(core, index);
        }
        return;
    }
    if (kind == SPEC_METHOD) {
        call_lost(core, index, &how);
        return;
    }
    task_attempt_failed(core, index, &how, true, !node->bye);
}

static void node_forget(struct core *core, uint32_t index)
{
    node_unbind(core, index);
    chain_remove(&core->all_nodes, &core->nodes, NODE_ALL, index);
    map_remove(&core->node_map, index);
    pool_give(&core->nodes, index);
}

static bool may_wait(const struct core *core, const struct node *node, const struct task *task)
{
    if (task->actor != NONE) { /* one that may live on there must not start elsewhere */
        return core->now_ms < node->exclusive_ms && !RAYC_BUG(TWO_LIVES);
    }
    return node->unknown_ms > core->now_ms && spec_at(core, task->spec)->max_retries == 0 &&
           !(task->flags & TASK_CANCEL);
}

/*  The leases of lost nodes are given up, a bounded number at a time. */
void node_sweep(struct core *core)
{
    uint32_t next;
    for (uint32_t i = core->all_nodes.first; i != NONE; i = next) {
        struct node *node = node_at(core, i);
        next = node->all.next;
        if (node->state != NODE_DEAD) {
            continue;
        }
        uint32_t following;
        for (uint32_t t = node->leases.first; t != NONE && !effects_nearly_full(core);
             t = following) {
            following = task_at(core, t)->place.next;
            if (!may_wait(core, node, task_at(core, t))) {
                lease_lost(core, t, node);
            }
        }
        if (copies_lost(core, i) && node->leases.count == 0) {
            node_forget(core, i);
        }
    }
}

void node_end(struct core *core)
{
    for (uint32_t i = core->all_nodes.first; i != NONE; i = node_at(core, i)->all.next) {
        if (node_at(core, i)->state != NODE_DEAD && node_at(core, i)->leases.count == 0) {
            node_lost(core, i, "the cluster has ended", true);
        }
    }
}

void node_scan(struct core *core)
{
    for (uint32_t i = core->all_nodes.first; i != NONE; i = node_at(core, i)->all.next) {
        struct node *node = node_at(core, i);
        uint64_t silent_ms = core->now_ms - node->heard_ms;
        if (node->state == NODE_DEAD) {
            continue;
        }
        drain_scan(core, i);
        if (node->gone_ms != 0 && core->now_ms >= node->gone_ms + core->config.gone_ms) {
            node_lost(core, i, "its connection broke and it did not come back", false);
        } else if (silent_ms > core->config.lease_ms + 2000) {
            node_lost(core, i, "silent for longer than its lease", false);
        } else if (silent_ms > core->config.suspect_ms && node->state == NODE_ALIVE) {
            node_move(core, node, CAUSE_SILENT, "silent");
        }
    }
}

/*  The attempt that a worker speaks of, if it is current; else NONE. */
uint32_t lease_find(const struct core *core, uint64_t id, uint64_t token)
{
    uint32_t index = task_find(core, id);
    if (index == NONE) {
        return NONE;
    }
    const struct task *task = task_at(core, index);
    bool leased = task->state == TASK_LEASED || task->state == TASK_RUNNING;
    return leased && (task->token == token || RAYC_BUG(IGNORE_TOKEN)) ? index : NONE;
}

/*  A worker holds an attempt: true if that is as it should be, else it is told to end it. */
bool node_holds(struct core *core, uint32_t node_index, const struct rec_held *held)
{
    const struct node *node = node_at(core, node_index);
    uint32_t index = lease_find(core, held->task, held->token);
    if (index == NONE || task_at(core, index)->node != node_index) {
        if (held->running != HELD_ENDED) {
            emit_lease(core, node->peer, held->task, held->token, RECALL_KILL);
        }
        return false;
    }
    struct task *task = task_at(core, index);
    bool blocked = held->running == HELD_BLOCKED_GET || held->running == HELD_BLOCKED_WAIT;
    if (held->running == HELD_ALIVE && task_kind(core, task) == SPEC_ACTOR) {
        actor_lives(core, index, held->started_ms);
    } else if (held->running == HELD_RUNS || held->running == HELD_ALIVE ||
               (blocked && held->started_ms != 0)) { /* else its arguments are on their way */
        task_started(core, index, held->started_ms);
    }
    lease_waits(core, task, blocked);
    bool killed =
        task_kind(core, task) == SPEC_ACTOR && actor_at(core, task->actor)->killed == task->attempt;
    if (task->flags & TASK_CANCEL || killed) {
        emit_lease(core, node->peer, task->id, task->token,
                   task->flags & TASK_CANCEL_FORCE || killed ? RECALL_KILL : RECALL_TERM);
    }
    task->flags |= TASK_SEEN;
    return true;
}

void on_node_beat(struct core *core, uint32_t peer, const struct msg_node_beat *msg)
{
    uint32_t index = node_find(core, msg->node);
    if (index != NONE && speaks_for(core, peer, index)) {
        node_at(core, index)->heard_ms =
            core->now_ms; /* whichever connection it came by: the process lives */
    }
    if (index == NONE || node_at(core, index)->state == NODE_DEAD ||
        node_at(core, index)->peer != peer) {
        emit_send(core, peer, MSG_WHO, false)->as.who = (struct msg_who){ msg->seq, core->epoch };
        return;
    }
    struct node *node = node_at(core, index);
    node->heard_ms = core->now_ms;
    if (node->state == NODE_SUSPECT) {
        node_move(core, node, CAUSE_HEARD, "");
    }
    store_heard(core, index, msg);
    struct list running = msg->running;
    struct rec_held held;
    while (next_held(&running, &held)) {
        node_holds(core, index, &held);
    }
    drain_recall(core, index); /* what was said before may be lost */
    blocked_recall(core, index);
    bool doubt = node->doubt || msg->start_seen < node->start_seq_at_beat ||
                 msg->inventory > node->inventory_whole;
    node->start_seq_at_beat = node->starts.seq;
    struct msg *reply = emit_send(core, peer, MSG_NODE_BEAT_ACK, false);
    reply->as.node_beat_ack =
        (struct msg_node_beat_ack){ msg->seq, msg->node, msg->sent_ms, node->starts.seq, doubt };
}

void on_inventory(struct core *core, uint32_t peer, const struct msg_inventory *msg)
{
    uint32_t index = node_find(core, msg->node);
    if (index == NONE || node_at(core, index)->peer != peer) {
        return; /* it will hear WHO with its next beat */
    }
    struct node *node = node_at(core, index);
    node->heard_ms = core->now_ms;
    if (node->inventory != msg->seq) { /* a new one: forget what an unfinished one has marked */
        node->inventory = msg->seq;
        node->resend = false;
        for (uint32_t i = node->leases.first; i != NONE; i = task_at(core, i)->place.next) {
            task_at(core, i)->flags &= (uint16_t)~TASK_SEEN;
        }
    }
    struct list list = msg->held;
    struct rec_held held;
    while (next_held(&list, &held)) {
        node_holds(core, index, &held);
    }
    if (!msg->last) {
        return;
    }
    node->doubt = false;
    node->inventory_whole = msg->seq;
    node->resend = true;
    drain_recall(core, index);
}

/*  Says START again for what a whole inventory lacks: at the end of the turn, for a DONE behind it in the same turn may
    have ended some of it. */
void node_resend(struct core *core)
{
    for (uint32_t n = core->all_nodes.first; n != NONE; n = node_at(core, n)->all.next) {
        struct node *node = node_at(core, n);
        for (uint32_t i = node->leases.first;
             node->resend && i != NONE && !effects_nearly_full(core);
             i = task_at(core, i)->place.next) {
            if (!(task_at(core, i)->flags & TASK_SEEN)) {
                task_at(core, i)->flags |= TASK_SEEN;
                lease_again(core, i);
            }
        }
        node->resend = node->resend && effects_nearly_full(core);
    }
}

static enum failure outcome_failure(uint32_t outcome)
{
    static const enum failure failures[OUTCOMES] = {
        [OUTCOME_APP_ERROR] = FAILURE_APP,
        [OUTCOME_EXIT] = FAILURE_WORKER_DIED,
        [OUTCOME_SIGNAL] = FAILURE_WORKER_DIED,
        [OUTCOME_RUN_TIMEOUT] = FAILURE_RUN_TIMEOUT,
        [OUTCOME_CANCELLED] = FAILURE_CANCELLED,
        [OUTCOME_SETUP_FAILED] = FAILURE_SETUP,
        [OUTCOME_BAD_ARGUMENT] = FAILURE_ARGUMENT,
        [OUTCOME_NO_SUCH_TASK] = FAILURE_UNKNOWN_TASK,
        [OUTCOME_TOO_LARGE] = FAILURE_TOO_LARGE,
        [OUTCOME_ENV_FAILED] = FAILURE_SETUP,
        [OUTCOME_OUT_OF_MEMORY] = FAILURE_OUT_OF_MEMORY,
        [OUTCOME_OBJECT_LOST] = FAILURE_OBJECT_LOST,
        [OUTCOME_STORE_FULL] = FAILURE_STORE_FULL,
    };
    return outcome < OUTCOMES ? failures[outcome] : FAILURE_NONE;
}

static void attempt_ended(struct core *core, uint32_t index, const struct rec_done *done)
{
    const struct task *task = task_at(core, index);
    const struct spec *spec = spec_at(core, task->spec);
    struct ending how = { .failure = outcome_failure(done->outcome),
                          .status = done->status,
                          .outcome = done->outcome,
                          .started_ms = done->started_ms,
                          .run_us = done->run_us,
                          .value = done->value,
                          .text = done->text,
                          .output = done->output,
                          .log = done->log,
                          .sealed = done->sealed,
                          .node = node_at(core, task->node)->id };
    bool resident = spec->kind == SPEC_FUNCTION || spec->kind == SPEC_ACTOR;
    if (done->outcome != OUTCOME_RETURNED) {
        tally_attempt(core, task, done->started_ms, done->run_us);
    }
    if (spec->kind == SPEC_METHOD) {
        call_ended(core, index, done, &how);
        return;
    }
    switch ((enum outcome)done->outcome) {
    case OUTCOME_OK:
        demand_ran(core, spec->demand, done->run_us);
        quota_judge_result(core, task, &how);
        task_end(core, index, &how);
        return;
    case OUTCOME_APP_ERROR:
        demand_ran(core, spec->demand, done->run_us);
        if (spec->kind == SPEC_ACTOR) {
            break; /* its constructor failed: that is final */
        }
        task_attempt_failed(core, index, &how, false, false);
        return;
    case OUTCOME_EXIT:
        how.failure = resident ? FAILURE_WORKER_DIED : FAILURE_EXIT;
        task_attempt_failed(core, index, &how, resident, resident);
        return;
    case OUTCOME_SIGNAL:
        task_attempt_failed(core, index, &how, true, true);
        return;
    case OUTCOME_OUT_OF_MEMORY:
        how.memory_bytes = core->demands[spec->demand].need.of[KIND_MEMORY];
        __attribute__((fallthrough));
    case OUTCOME_RUN_TIMEOUT:
        task_attempt_failed(core, index, &how, true, false);
        return;
    case OUTCOME_CANCELLED:
        if (spec->kind == SPEC_ACTOR && actor_at(core, task->actor)->killed == task->attempt) {
            how.failure = FAILURE_WORKER_DIED;
            task_attempt_failed(core, index, &how, true, false);
            return;
        }
        break;
    case OUTCOME_RETURNED:
        drain_returned(core, index, &how);
        return;
    case OUTCOME_SETUP_FAILED:
    case OUTCOME_ENV_FAILED:
    case OUTCOME_BAD_ARGUMENT:
    case OUTCOME_NO_SUCH_TASK:
    case OUTCOME_TOO_LARGE:
    case OUTCOME_OBJECT_LOST:
    case OUTCOME_STORE_FULL:
    case OUTCOMES:
        break;
    }
    task_end(core, index, &how);
}

static void send_acks(struct core *core, uint32_t peer, const uint64_t *seqs, uint32_t count,
                      bool synced)
{
    uint8_t bytes[ACKS_PER_FRAME_MAX * 16];
    struct wire wire = { bytes, 0, sizeof(bytes), false };
    for (uint32_t i = 0; i < count; i++) {
        proto_put_record(&wire, REC_ID, &(struct rec_id){ seqs[i] });
    }
    struct msg *reply = emit_send(core, peer, MSG_DONE_ACK, synced);
    reply->as.done_ack.reports = (struct list){ scratch_put(core, wire.p, wire.n), count };
}

static void acks_flush(struct core *core, struct node *node)
{
    if (node->ack_count > 0 && node->peer != NONE) {
        send_acks(core, node->peer, node->acks, node->ack_count, node->acks_synced);
    }
    node->ack_count = 0;
    node->acks_synced = false;
}

/*  A worker tells of an actor's calls before it tells of the actor: that it died, and why, is looked for further on, so
    that they are told of the right end. */
static void actor_first(struct core *core, uint32_t call, struct list rest)
{
    uint64_t actor = actor_at(core, lane_at(core, task_at(core, call)->actor)->actor)->id;
    struct rec_done done;
    while (next_done(&rest, &done)) {
        uint32_t index = done.task == actor ? lease_find(core, done.task, done.token) : NONE;
        if (index != NONE && task_at(core, index)->node == task_at(core, call)->node) {
            attempt_ended(core, index, &done);
            return;
        }
    }
}

void on_done(struct core *core, uint32_t peer, const struct msg_done *msg)
{
    uint32_t node = node_find(core, msg->node);
    if (node != NONE && !speaks_for(core, peer, node)) {
        node = NONE;
    }
    if (node != NONE) {
        node_at(core, node)->heard_ms = core->now_ms;
    }
    struct list list = msg->done;
    struct rec_done done;
    bool full = false, looked = false;
    while (next_done(&list, &done)) {
        uint32_t index = lease_find(core, done.task, done.token);
        if (index != NONE && !speaks_for(core, peer, task_at(core, index)->node)) {
            index = NONE; /* another worker's */
        }
        /*  A late report, or told before: in rows that are maybe not on the disk yet. */
        full = full || index == NONE;
        if (index != NONE) {
            full = full || task_job(core, task_at(core, index))->durability == DURABLE_FULL;
            if (!looked && call_outlived(core, index, done.outcome)) {
                looked = true;
                actor_first(core, index, list);
            }
            attempt_ended(core, index, &done);
        } else if (node != NONE && !RAYC_BUG(LATE_COPY)) {
            copies_refused(core, node, &done);
        }
    }
    if (node == NONE || node_at(core, node)->peer != peer) {
        send_acks(core, peer, &msg->seq, 1, full);
        return;
    }
    struct node *known = node_at(core, node);
    known->acks[known->ack_count++] = msg->seq;
    known->acks_synced = known->acks_synced || full;
    if (known->ack_count == ACKS_PER_FRAME_MAX) {
        acks_flush(core, known);
    }
    ack_soon(core);
}

/*  Says the acknowledgements that have waited long enough. */
void node_tell(struct core *core)
{
    for (uint32_t i = core->all_nodes.first; i != NONE && core->now_ms >= core->ack_ms;
         i = node_at(core, i)->all.next) {
        acks_flush(core, node_at(core, i));
    }
}
