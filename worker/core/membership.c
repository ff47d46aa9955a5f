/*  membership.c - the head, as the worker knows it: greeting, joining, beats, inventories, and what happens when the
    head has given this node up, is another one than before, or is gone.  A head of a lower epoch is not obeyed. */
#include "worker/core/state.h"

static void link_set(struct worker *self, enum membership link)
{
    self->link = link;
    self->link_ms = self->now_ms;
    self->hello_due = link == LINK_GREETING;
    self->join_due = link == LINK_JOINING;
    self->inventory_due = link == LINK_JOINED;
    self->inventory_open = false;
    if (link == LINK_JOINED) {
        self->calls_from =
            self->inventory_seq + 1; /* STARTs may have been lost with a connection, or a head */
    }
    self->behind = 0;
}

void on_connected(struct worker *self, const struct worker_event *event)
{
    if (event->text.n > 0) {
        slice_copy_text(event->text, self->config.token, sizeof(self->config.token));
    }
    link_set(self, LINK_GREETING);
}

void on_disconnected(struct worker *self, const struct worker_event *event)
{
    (void)event;
    link_set(self, LINK_DOWN);
}

void membership_rejoin(struct worker *self)
{
    if (self->link == LINK_JOINED) {
        link_set(self, LINK_JOINING);
    }
}

void on_welcome(struct worker *self, const struct worker_event *event)
{
    const struct msg_welcome *msg = &event->msg->as.welcome;
    if (self->link != LINK_GREETING || msg->major != PROTO_MAJOR) {
        return;
    }
    if (self->cluster[0] != 0 && !slice_same(msg->cluster, slice_text(self->cluster))) {
        worker_end(self, 1); /* another cluster: its ids mean other things */
        return;
    }
    if (msg->epoch < self->epoch) {
        return;
    }
    if (msg->epoch > self->epoch) {
        self->epoch = msg->epoch;
        self->start_seen = self->start_newest = 0;
    }
    slice_copy_text(msg->cluster, self->cluster, sizeof(self->cluster));
    self->beat_ms = msg->beat_ms == 0 ? 1000 : msg->beat_ms;
    self->lease_ms = msg->lease_ms;
    self->orphan_ms = msg->orphan_ms == 0 ? self->orphan_ms : msg->orphan_ms;
    self->embedded = msg->embedded;
    self->heard_ms = self->now_ms;
    link_set(self, LINK_JOINING);
    reports_resend_all(self);
}

void on_who(struct worker *self, const struct worker_event *event)
{
    if (self->link >= LINK_JOINING && event->msg->as.who.epoch >= self->epoch) {
        link_set(self, LINK_GREETING);
    }
}

/*  Everything goes: the head has leased it to others.  What is left of the executors is being killed. */
static void come_back_as_new(struct worker *self)
{
    worker_drop_all(self);
    self->node_lost = self->node;
    self->node = 0;
    self->start_seen = self->start_newest = 0;
    link_set(self, LINK_JOINING);
}

bool worker_joins(const struct worker *self)
{
    return self->link == LINK_JOINING;
}

void on_node_joined(struct worker *self, const struct worker_event *event)
{
    uint64_t node = event->msg->as.node_joined.node;
    if (self->link != LINK_JOINING) {
        return;
    }
    if (node == 0) {
        if (self->node != 0) {
            come_back_as_new(self);
        }
        return;
    }
    if (node == self->node_lost) {
        return; /* told before it was given up */
    }
    if (self->node != 0 && self->node != node) {
        come_back_as_new(self);
    }
    self->node = node;
    self->beat_at_ms = self->now_ms + self->beat_ms;
    self->sure_ms = self->join_ms > self->sure_ms ? self->join_ms : self->sure_ms;
    link_set(self, LINK_JOINED);
    drain_joined(self);
}

static void inventory_needed(struct worker *self, uint64_t start_sent)
{
    if (start_sent > self->start_newest) {
        self->start_newest = start_sent; /* what has not come before this answer was lost */
    }
    self->inventory_due = true;
    self->behind = 0;
}

void on_node_beat_ack(struct worker *self, const struct worker_event *event)
{
    const struct msg_node_beat_ack *msg = &event->msg->as.node_beat_ack;
    if (self->link != LINK_JOINED || msg->node != self->node ||
        msg->sent_ms <= self->beat_acked_ms) {
        return;
    }
    self->beat_acked_ms = self->sure_ms = msg->sent_ms;
    bool behind = msg->start_sent != self->start_seen &&
                  (self->behind == 0 || self->behind_seen == self->start_seen);
    self->behind = behind ? self->behind + 1 : 0;
    self->behind_seen = self->start_seen;
    if (msg->doubt) {
        inventory_needed(self, msg->start_sent);
    } else if (self->behind > 1) {
        if (msg->start_sent < self->start_seen) { /* the head counts from anew */
            self->start_seen = self->start_newest = msg->start_sent;
        }
        inventory_needed(self, msg->start_sent);
    }
}

void on_node_stop(struct worker *self, const struct worker_event *event)
{
    uint32_t why = event->msg->as.node_stop.why;
    if (self->link < LINK_JOINING) {
        return;
    }
    if (why == 1) {
        worker_end(self, 0);
    } else if (why == 2 && self->node != 0) {
        come_back_as_new(self);
    }
}

void membership_tick(struct worker *self)
{
    bool greets = self->link == LINK_GREETING || self->link == LINK_JOINING;
    if (greets && self->now_ms - self->link_ms >= GREET_MS) {
        link_set(self, LINK_GREETING);
    }
    if (self->now_ms - self->heard_ms >= self->orphan_ms) {
        worker_end(self, 0);
    }
}

uint64_t membership_deadline(const struct worker *self)
{
    uint64_t at = self->heard_ms + self->orphan_ms;
    if ((self->link == LINK_GREETING || self->link == LINK_JOINING) &&
        self->link_ms + GREET_MS < at) {
        at = self->link_ms + GREET_MS;
    }
    if (self->link == LINK_JOINED && self->beat_at_ms < at) {
        at = self->beat_at_ms;
    }
    return at;
}

static struct msg *send(struct worker *self, enum msg_kind kind)
{
    struct act *act = act_new(self, ACT_SEND);
    act->as.msg.kind = kind;
    return &act->as.msg;
}

static void hello_emit(struct worker *self)
{
    self->hello_due = false;
    send(self, MSG_HELLO)->as.hello =
        (struct msg_hello){ .major = PROTO_MAJOR,
                            .minor = PROTO_MINOR,
                            .role = 2,
                            .version = slice_text(self->config.version),
                            .epoch = self->epoch,
                            .token = slice_text(self->config.token) };
}

static void join_emit(struct worker *self)
{
    self->join_due = false;
    self->join_ms = self->now_ms;
    struct wire *wire = &self->scratch;
    wire->n = 0;
    for (uint32_t i = 0; i < self->config.amount_count; i++) {
        proto_put_record(wire, REC_AMOUNT,
                         &(struct rec_amount){ .name = slice_text(self->config.amounts[i].name),
                                               .units = self->config.amounts[i].units });
    }
    send(self, MSG_NODE_JOIN)->as.node_join =
        (struct msg_node_join){ .node = self->node,
                                .key = slice_text(self->config.key),
                                .name = slice_text(self->config.name),
                                .pid = self->config.pid,
                                .capacity = wire_list(wire, self->config.amount_count),
                                .objects = slice_text(self->config.objects),
                                .store_bytes = self->config.store_bytes,
                                .labels = slice_text(self->config.labels),
                                .attempts = self->limits.attempts,
                                .processes = self->limits.executors };
}

static enum held_state held_state(const struct worker *self, const struct attempt *attempt)
{
    if (attempt->state == ATTEMPT_ENDED || attempt->state == ATTEMPT_REPORTED) {
        return HELD_ENDED;
    }
    if (attempt->state == ATTEMPT_GIVEN && executor_at(self, attempt->owner)->alive &&
        spec_at(self, attempt->spec)->view.kind == SPEC_ACTOR) {
        return HELD_ALIVE;
    }
    bool begun = attempt->started_ms != 0;
    return attempt->how != 0 && (begun || attempt->state == ATTEMPT_PULLING)
               ? (enum held_state)attempt->how
           : begun ? HELD_RUNS
                   : HELD_WAITS;
}

void held_put(struct worker *self, const struct attempt *attempt)
{
    proto_put_record(&self->scratch, REC_HELD,
                     &(struct rec_held){ .task = attempt->task,
                                         .token = attempt->token,
                                         .running = held_state(self, attempt),
                                         .started_ms = attempt->started_ms });
}

/*  One piece of an inventory per call: whatever is held is told before the last of them. */
static void inventory_emit(struct worker *self)
{
    if (!self->inventory_open) {
        self->inventory_due = false;
        self->inventory_open = true;
        self->inventory_from = 0;
        self->inventory_seq++;
        self->inventory_newest = self->start_newest;
    }
    self->scratch.n = 0;
    uint32_t count = 0;
    uint32_t index = self->inventory_from;
    for (; index < self->attempts.fresh && count < CALLS_PER_FRAME_MAX; index++) {
        const struct attempt *attempt = attempt_at(self, index);
        if (attempt->state != ATTEMPT_FREE && attempt->want != WANT_DROP) {
            held_put(self, attempt);
            count++;
        }
    }
    self->inventory_from = index;
    bool last = index >= self->attempts.fresh;
    send(self, MSG_INVENTORY)->as.inventory =
        (struct msg_inventory){ .seq = self->inventory_seq,
                                .node = self->node,
                                .start_seen = self->inventory_newest,
                                .last = last,
                                .held = wire_list(&self->scratch, count) };
    if (last) {
        self->inventory_open = false;
        if (self->start_seen != self->inventory_newest) {
            self->calls_from = self->inventory_seq;
        }
        self->start_seen = self->inventory_newest;
        actors_tell_again(self);
    }
}

/*  What an executor is in, if that runs for long; an actor, and what it is in. */
static uint32_t put_running(struct worker *self, const struct executor *executor)
{
    bool actor = lane_at(self, executor->lane)->actor;
    uint32_t now = actor ? actor_call_now(self, executor) : executor->given.first;
    uint32_t count = 0;
    if (actor && attempt_at(self, executor->given.first)->started_ms != 0) {
        held_put(self, attempt_at(self, executor->given.first));
        count++;
    }
    if (now != NONE && attempt_at(self, now)->started_ms != 0 &&
        attempt_at(self, now)->want != WANT_DROP &&
        self->now_ms - executor->began_ms >= self->beat_ms) {
        held_put(self, attempt_at(self, now));
        count++;
    }
    return count;
}

/*  The executors take turns when more attempts run than one beat can tell of. */
static void beat_emit(struct worker *self)
{
    self->scratch.n = 0;
    uint32_t count = 0, executors = self->executors.fresh;
    for (uint32_t n = 0; n < executors && count + 1 < RUNNING_PER_BEAT_MAX; n++) {
        uint32_t index = (self->beat_from + n) % executors;
        const struct executor *executor = executor_at(self, index);
        if (executor->state == EXECUTOR_FREE || executor->given.first == NONE) {
            continue;
        }
        uint32_t more = put_running(self, executor);
        self->beat_from = more > 0 ? index + 1 : self->beat_from;
        count += more;
    }
    send(self, MSG_NODE_BEAT)->as.node_beat =
        (struct msg_node_beat){ .node = self->node,
                                .start_seen = self->start_seen,
                                .sent_ms = self->now_ms,
                                .running = wire_list(&self->scratch, count),
                                .inventory = self->inventory_seq - self->inventory_open };
    self->beat_at_ms = self->now_ms + self->beat_ms;
}

/*  Number `i` of those that may have news: the first one of each executor, or, when one has pulled, any. */
static uint32_t told_of(const struct worker *self, uint32_t i, bool pulls)
{
    if (pulls) {
        return attempt_at(self, i)->state != ATTEMPT_FREE ? i : NONE;
    }
    const struct executor *executor = executor_at(self, i);
    return executor->state == EXECUTOR_FREE ? NONE : executor->given.first;
}

/*  Those of which it has changed whether they wait for others; a beat or inventory would say so later. */
static void waits_emit(struct worker *self)
{
    bool pulls = self->tell_pulls;
    self->scratch.n = 0;
    self->tell_how = self->tell_pulls = false;
    uint32_t count = 0;
    for (uint32_t i = 0; i < (pulls ? self->attempts.fresh : self->executors.fresh); i++) {
        uint32_t index = told_of(self, i, pulls);
        if (index == NONE || !attempt_at(self, index)->tell_how) {
            continue;
        }
        if (count == CALLS_PER_FRAME_MAX) {
            self->tell_how = true;
            self->tell_pulls = pulls;
            break;
        }
        attempt_at(self, index)->tell_how = false;
        if (attempt_at(self, index)->want != WANT_DROP) {
            held_put(self, attempt_at(self, index));
            count++;
        }
    }
    if (count > 0) {
        send(self, MSG_NODE_WAITS)->as.node_waits =
            (struct msg_node_waits){ .node = self->node, .held = wire_list(&self->scratch, count) };
    }
}

static void drain_emit(struct worker *self)
{
    self->drain_due = false;
    uint64_t left_ms = self->stop_ms > self->now_ms ? self->stop_ms - self->now_ms : 0;
    send(self, MSG_NODE_DRAIN)->as.node_drain = (struct msg_node_drain){
        .seq = DRAIN_SEQ, .node = self->node, .drain = DRAIN_LEAVING, .grace_ms = left_ms
    };
}

/*  One message at a time: they share the scratch memory. */
void membership_emit(struct worker *self)
{
    if (!act_room(self)) {
        return;
    }
    if (self->hello_due) {
        hello_emit(self);
    } else if (self->join_due && !reports_resending(self)) {
        join_emit(self);
    } else if (self->inventory_due || self->inventory_open) {
        inventory_emit(self);
    } else if (self->link == LINK_JOINED && self->alive_due > 0) {
        self->scratch.n = 0;
        uint32_t count = actors_put_alive(self);
        send(self, MSG_ACTOR_ALIVE)->as.actor_alive =
            (struct msg_actor_alive){ .actors = wire_list(&self->scratch, count) };
    } else if (self->link == LINK_JOINED && self->now_ms >= self->beat_at_ms) {
        beat_emit(self);
    } else if (self->tell_how && self->link == LINK_JOINED) {
        waits_emit(self);
    } else if (self->drain_due && self->link == LINK_JOINED) {
        drain_emit(self);
    } else if (self->bye_due) {
        self->bye_due = false;
        send(self, MSG_NODE_BYE)->as.node_bye = (struct msg_node_bye){ .node = self->node };
    }
}
