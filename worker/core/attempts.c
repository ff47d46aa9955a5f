/*  attempts.c - attempts come with START, may be recalled, and end: each that was taken is reported exactly once,
    unless a newer attempt of its task or the end of the node made it stale. */
#include <signal.h>
#include "worker/core/state.h"

uint32_t attempt_find(const struct worker *self, uint64_t task, uint64_t token)
{
    uint32_t index = map_find(&self->attempt_map, task);
    while (index != NONE && attempt_at(self, index)->token != token) {
        index = map_next(&self->attempt_map, index);
    }
    return index;
}

bool worker_gave(const struct worker *self, uint32_t executor, uint64_t task, uint64_t token)
{
    uint32_t index = attempt_find(self, task, token);
    return index != NONE && attempt_at(self, index)->state == ATTEMPT_GIVEN &&
           attempt_at(self, index)->owner == executor;
}

struct held attempt_held(const struct worker *self, uint32_t index)
{
    const struct attempt *attempt = attempt_at(self, index);
    return (struct held){ .task = attempt->task,
                          .token = attempt->token,
                          .attempt = attempt->attempt,
                          .job = spec_at(self, attempt->spec)->view.job,
                          .args = attempt->as.in.args,
                          .ticket = attempt->as.in.ticket,
                          .checkpoint = attempt->as.in.checkpoint,
                          .deps = attempt->as.in.deps,
                          .sources = attempt->as.in.sources };
}

bool worker_runs(const struct worker *self, uint32_t executor, struct held *out, uint32_t *number)
{
    uint32_t first = executor_at(self, executor)->given.first;
    if (executor_at(self, executor)->state != EXECUTOR_READY || first == NONE) {
        return false;
    }
    *out = attempt_held(self, first);
    out->args = out->checkpoint = slice_of(NULL, 0);
    out->deps = out->sources = (struct list){ 0 };
    *number = attempt_at(self, first)->number;
    return true;
}

/*  Out of the chain that its state names. */
static void leave(struct worker *self, uint32_t index)
{
    struct attempt *attempt = attempt_at(self, index);
    uint32_t lane = spec_at(self, attempt->spec)->lane;
    switch ((enum attempt_state)attempt->state) {
    case ATTEMPT_PULLING:
        pull_remove(self, index);
        break;
    case ATTEMPT_WAITING:
        chain_remove(&lane_at(self, lane)->waiting, &self->attempts, ATTEMPT_PLACE, index);
        self->waiting--;
        lane_touch(self, lane);
        break;
    case ATTEMPT_GIVEN:
        actor_loses(self, index);
        chain_remove(&executor_at(self, attempt->owner)->given, &self->attempts, ATTEMPT_PLACE,
                     index);
        self->running--;
        break;
    case ATTEMPT_ENDED:
        chain_remove(&self->ended, &self->attempts, ATTEMPT_PLACE, index);
        break;
    case ATTEMPT_REPORTED:
        chain_remove(&report_at(self, attempt->owner)->attempts, &self->attempts, ATTEMPT_PLACE,
                     index);
        break;
    case ATTEMPT_FREE:
        ensure(attempt->state != ATTEMPT_FREE);
        break;
    }
    if (attempt->state <= ATTEMPT_GIVEN) {
        frame_release(self, attempt->frame);
    }
}

void attempt_drop(struct worker *self, uint32_t index)
{
    leave(self, index);
    map_remove(&self->attempt_map, index);
    attempt_at(self, index)->state = ATTEMPT_FREE;
    pool_give(&self->attempts, index);
}

static enum outcome outcome_of(const struct attempt *attempt, enum outcome told)
{
    switch ((enum want)attempt->want) {
    case WANT_TERM:
    case WANT_KILL:
        return OUTCOME_CANCELLED;
    case WANT_RETURN:
    case WANT_GIVE_BACK:
    case WANT_NOTHING:
    case WANT_DROP:
        break;
    }
    bool died = told == OUTCOME_EXIT || told == OUTCOME_SIGNAL;
    return attempt->timed_out && died ? OUTCOME_RUN_TIMEOUT : told;
}

static struct slice tail(struct slice text, size_t most)
{
    return text.n <= most ? text : slice_of(text.p + text.n - most, most);
}

void attempt_end(struct worker *self, uint32_t index, const struct rec_done *how)
{
    struct attempt *attempt = attempt_at(self, index);
    if (attempt->want == WANT_DROP) {
        attempt_drop(self, index);
        return;
    }
    leave(self, index);
    attempt->state = ATTEMPT_ENDED;
    attempt->outcome = (uint8_t)outcome_of(attempt, (enum outcome)how->outcome);
    attempt->status = how->status;
    attempt->started_ms = how->started_ms;
    attempt->run_us = how->run_us;
    attempt->as.out.value = how->value;
    attempt->as.out.text = tail(how->text, TEXT_MAX);
    attempt->as.out.output = how->output;
    attempt->as.out.log = how->log;
    attempt->as.out.checkpoint = how->checkpoint;
    attempt->as.out.sealed = how->sealed;
    chain_append(&self->ended, &self->attempts, ATTEMPT_PLACE, index);
}

void attempt_end_as(struct worker *self, uint32_t index, enum outcome outcome, const char *text)
{
    attempt_end(self, index, &(struct rec_done){ .outcome = outcome, .text = slice_text(text) });
}

void attempt_queue(struct worker *self, uint32_t index)
{
    uint32_t lane = spec_at(self, attempt_at(self, index)->spec)->lane;
    attempt_at(self, index)->state = ATTEMPT_WAITING;
    chain_append(&lane_at(self, lane)->waiting, &self->attempts, ATTEMPT_PLACE, index);
    self->waiting++;
    if (lane_at(self, lane)->infeasible) {
        attempt_end_as(self, index, OUTCOME_SETUP_FAILED, lane_at(self, lane)->why);
    } else {
        lane_touch(self, lane);
    }
}

void attempt_requeue(struct worker *self, uint32_t index)
{
    struct attempt *attempt = attempt_at(self, index);
    uint32_t lane = spec_at(self, attempt->spec)->lane;
    ensure(attempt->state == ATTEMPT_GIVEN);
    chain_remove(&executor_at(self, attempt->owner)->given, &self->attempts, ATTEMPT_PLACE, index);
    self->running--;
    attempt->state = ATTEMPT_WAITING;
    attempt->owner = NONE;
    attempt->started_ms = 0;
    attempt->timed_out = false;
    chain_prepend(&lane_at(self, lane)->waiting, &self->attempts, ATTEMPT_PLACE, index);
    self->waiting++;
    lane_touch(self, lane);
}

/*  A given attempt is wanted otherwise.  What its executor has begun only WEV_TAKEN or WEV_EXITED can tell. */
void attempt_want(struct worker *self, uint32_t index, enum want want)
{
    struct attempt *attempt = attempt_at(self, index);
    uint32_t executor = attempt->owner;
    if (lane_at(self, executor_at(self, executor)->lane)->actor) {
        actor_want(self, index, want);
        return;
    }
    bool resident = lane_at(self, executor_at(self, executor)->lane)->resident;
    if (!resident && want == WANT_RETURN) {
        return; /* it runs */
    }
    if (attempt->want < want) {
        attempt->want = (uint8_t)want;
    }
    if (resident) {
        executor_take_back(self, executor);
    } else {
        executor_end(self, executor, want < WANT_KILL ? SIGTERM : SIGKILL);
    }
}

/*  A newer attempt of its task has come: the head has given this one up. */
static void supersede(struct worker *self, uint32_t index)
{
    switch ((enum attempt_state)attempt_at(self, index)->state) {
    case ATTEMPT_PULLING:
    case ATTEMPT_WAITING:
        attempt_drop(self, index);
        break;
    case ATTEMPT_GIVEN:
        attempt_want(self, index, WANT_DROP);
        break;
    case ATTEMPT_ENDED:
    case ATTEMPT_REPORTED: /* refused by its token, in the end */
    case ATTEMPT_FREE:
        break;
    }
}

/*  Whether this START is news: false if the attempt, or a newer one of its task, is here, or it was refused. */
static bool is_news(struct worker *self, const struct rec_start *start)
{
    if (report_refused(self, start->task, start->token)) {
        return false;
    }
    for (uint32_t i = map_find(&self->attempt_map, start->task); i != NONE;
         i = map_next(&self->attempt_map, i)) {
        if (attempt_at(self, i)->token >= start->token) {
            return false;
        }
    }
    uint32_t next;
    for (uint32_t i = map_find(&self->attempt_map, start->task); i != NONE; i = next) {
        next = map_next(&self->attempt_map, i);
        supersede(self, i);
    }
    return true;
}

/*  NONE: there is no room. */
uint32_t attempt_new(struct worker *self, const struct rec_start *start, uint32_t spec,
                     uint32_t frame)
{
    uint32_t index = pool_take(&self->attempts);
    if (index == NONE) {
        return NONE;
    }
    struct attempt *attempt = attempt_at(self, index);
    attempt->task = start->task;
    attempt->token = start->token;
    attempt->arrival = ++self->arrivals;
    attempt->attempt = start->attempt;
    attempt->spec = spec;
    attempt->frame = frame;
    attempt->owner = NONE;
    attempt->as.in.args = start->args;
    attempt->as.in.ticket = start->ticket;
    attempt->as.in.checkpoint = start->checkpoint;
    attempt->as.in.deps = start->deps;
    attempt->as.in.sources = start->sources;
    frame_hold(self, frame);
    map_add(&self->attempt_map, index);
    return index;
}

static void hold(struct worker *self, const struct rec_start *start, uint32_t spec, uint32_t frame)
{
    uint32_t index = attempt_new(self, start, spec, frame);
    if (index == NONE) {
        report_refusal(self, start->task, start->token, OUTCOME_RETURNED);
        return;
    }
    if (pull_needed(self, start)) {
        pull_add(self, index);
    } else {
        attempt_queue(self, index);
    }
}

/*  A call that was told after one that is missing, or before the head knew that: as if it had not been told, so that
    the order stays.  The INVENTORY asks for all of them. */
static bool is_early(const struct worker *self, const struct msg_start *msg,
                     const struct rec_start *start)
{
    return start->actor != 0 &&
           (self->start_seen != self->start_newest || msg->inventory < self->calls_from);
}

/*  The position of a START: false if it was told before, or an INVENTORY has told that it never came. */
static bool start_in_order(struct worker *self, uint64_t seq)
{
    if (self->link == LINK_JOINING && self->node != 0 && seq > self->start_newest) {
        self->start_newest = seq; /* the INVENTORY after joining tells that it was not taken */
    }
    if (self->link != LINK_JOINED || seq <= self->start_seen) {
        return false;
    }
    if (seq == self->start_seen + 1 && self->start_newest == self->start_seen) {
        self->start_seen = seq;
    } else {
        self->inventory_due = true;
    }
    if (seq > self->start_newest) {
        self->start_newest = seq;
    }
    return true;
}

static bool tells(const struct msg_start *msg, uint64_t spec)
{
    struct list specs = msg->specs;
    struct rec_spec_info info = { 0 };
    while (next_spec_info(&specs, &info)) {
        if (info.id == spec) {
            return true;
        }
    }
    return false;
}

void on_start(struct worker *self, const struct worker_event *event)
{
    const struct msg_start *msg = &event->msg->as.start;
    if (!start_in_order(self, msg->seq)) {
        return;
    }
    uint32_t frame = self->frame_now;
    struct list specs = msg->specs;
    struct rec_spec_info info;
    while (next_spec_info(&specs, &info)) {
        spec_learn(self, &info, frame);
    }
    struct list starts = msg->starts;
    struct rec_start start;
    bool unknown = false;
    while (next_start(&starts, &start)) {
        if (is_early(self, msg, &start) || !is_news(self, &start)) {
            continue;
        }
        uint32_t spec = spec_index(self, start.spec);
        if (spec != NONE && start.actor != 0) {
            on_call(self, &start, spec, frame);
        } else if (spec != NONE) {
            hold(self, &start, spec, frame);
        } else if (tells(msg, start.spec)) {
            report_refusal(self, start.task, start.token,
                           OUTCOME_SETUP_FAILED); /* no room for it */
        } else {
            unknown = true; /* the frame that told the spec was lost, or it is forgotten */
            self->calls_from = self->inventory_seq + 1;
        }
    }
    if (unknown) {
        membership_rejoin(self);
    }
}

static void recall(struct worker *self, const struct rec_lease *lease)
{
    uint32_t index = attempt_find(self, lease->task, lease->token);
    if (index == NONE) {
        report_refusal(self, lease->task, lease->token, OUTCOME_RETURNED);
        return;
    }
    enum attempt_state state = (enum attempt_state)attempt_at(self, index)->state;
    if (state == ATTEMPT_WAITING || state == ATTEMPT_PULLING) {
        attempt_end_as(self, index,
                       lease->force == RECALL_IF_WAITING || lease->force == RECALL_GIVE_BACK
                           ? OUTCOME_RETURNED
                           : OUTCOME_CANCELLED,
                       "");
    } else if (state == ATTEMPT_GIVEN) {
        static const enum want wants[] = { [RECALL_IF_WAITING] = WANT_RETURN,
                                           [RECALL_TERM] = WANT_TERM,
                                           [RECALL_KILL] = WANT_KILL,
                                           [RECALL_GIVE_BACK] = WANT_GIVE_BACK };
        attempt_want(self, index, wants[lease->force]);
    }
}

void on_recall(struct worker *self, const struct worker_event *event)
{
    if (self->link != LINK_JOINED) {
        return;
    }
    struct list leases = event->msg->as.recall.leases;
    struct rec_lease lease;
    while (next_lease(&leases, &lease)) {
        recall(self, &lease);
    }
}
