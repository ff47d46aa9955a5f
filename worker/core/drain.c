/*  drain.c - the end in order: the head is told, what has not begun goes back, what runs may end until a limit, then it
    is asked to, and given back; at last acknowledgements are waited for.  Each limit holds without a head, too. */
#include <signal.h>
#include "worker/core/state.h"

enum {
    FAREWELL_MS = 3000, /* a head that is away may come back to hear that this node ends in order */
    LAST_MS = 1000      /* for acknowledgements, after the last process was killed */
};

void on_stop(struct worker *self, const struct worker_event *event)
{
    if (self->stopping && event->until_ms >= self->stop_ms) {
        return;
    }
    uint64_t farewell_ms = self->now_ms + FAREWELL_MS;
    self->drain_due = self->link == LINK_JOINED;
    self->stopping = true;
    self->stop_ms = event->until_ms > self->now_ms ? event->until_ms : self->now_ms;
    self->bye_ms = self->stop_ms < farewell_ms ? self->stop_ms : farewell_ms;
    self->last_ms = self->stop_ms + self->config.grace_ms + LAST_MS;
}

void drain_joined(struct worker *self)
{
    self->drain_told = false;
    self->drain_due = self->stopping;
}

/*  Also a refusal answers: of a head that does not know the message, or has given this node up. */
void on_drain_answer(struct worker *self, const struct worker_event *event)
{
    if (self->stopping && self->link == LINK_JOINED && event->msg->as.seq == DRAIN_SEQ) {
        self->drain_told = true;
    }
}

static void hand_back_waiting(struct worker *self)
{
    for (uint32_t i = 0; self->waiting + pulls_count(self) > 0 && i < self->attempts.fresh; i++) {
        if (attempt_at(self, i)->state == ATTEMPT_WAITING ||
            attempt_at(self, i)->state == ATTEMPT_PULLING) {
            attempt_end_as(self, i, OUTCOME_RETURNED, "");
        }
    }
}

/*  Of what a resident was given, only the first runs: the others come back by WEV_TAKEN, and wait then. */
static void hand_back_given(struct worker *self, uint32_t index)
{
    struct executor *executor = executor_at(self, index);
    if (lane_at(self, executor->lane)->actor) {
        return; /* it serves calls until it is given back */
    }
    if (executor->given.count == 0) {
        executor_end(self, index, SIGTERM);
    } else if (executor->given.count > 1 && !executor->stuck) {
        executor_take_back(self, index);
    }
}

static void give_back(struct worker *self, uint32_t index)
{
    const struct executor *executor = executor_at(self, index);
    for (uint32_t i = executor->given.first; i != NONE; i = attempt_at(self, i)->place.next) {
        if (attempt_at(self, i)->want < WANT_GIVE_BACK) {
            attempt_at(self, i)->want = WANT_GIVE_BACK;
        }
    }
    executor_end(self, index, SIGTERM);
}

static void each_executor(struct worker *self, void (*act)(struct worker *self, uint32_t index))
{
    for (uint32_t i = 0; i < self->executors.fresh; i++) {
        if (executor_at(self, i)->state != EXECUTOR_FREE) {
            act(self, i);
        }
    }
}

static bool is_quiet(const struct worker *self)
{
    return self->executors.taken == 0 && self->waiting + pulls_count(self) == 0 &&
           reports_made(self);
}

/*  Everything is told, and the head has taken it. */
static bool is_told(const struct worker *self)
{
    return self->link == LINK_JOINED && self->drain_told && reports_told(self) && !self->streams;
}

/*  Without a head: what has ended waits for one as long as the rest was given; the farewell alone, a while. */
static bool has_waited(const struct worker *self)
{
    uint64_t until = self->node == 0 ? 0 : reports_told(self) ? self->bye_ms : self->stop_ms;
    return self->link != LINK_JOINED && self->now_ms >= until;
}

void drain_tick(struct worker *self)
{
    if (!self->stopping || self->exiting) {
        return;
    }
    if (self->now_ms < self->stop_ms) {
        each_executor(self, hand_back_given);
    } else if (!self->giving_back) {
        self->giving_back = true;
        each_executor(self, give_back);
    }
    hand_back_waiting(self);
    bool quiet = is_quiet(self), told = quiet && is_told(self);
    if (told || (quiet && has_waited(self)) || self->now_ms >= self->last_ms) {
        self->bye_due = told; /* else it may have begun what the head would start again */
        worker_end(self, 0);
    }
}

uint64_t drain_deadline(const struct worker *self)
{
    if (!self->stopping) {
        return UINT64_MAX;
    }
    return self->now_ms < self->bye_ms    ? self->bye_ms
           : self->now_ms < self->stop_ms ? self->stop_ms
                                          : self->last_ms;
}
