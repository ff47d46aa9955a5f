/*  reports.c - DONE frames: what has ended goes into one per turn; each is kept until the head acknowledges it.
    The core remembers which attempts are in which frame, so that a START that is said again is known. */
#include "common/bug.h"
#include "worker/core/state.h"

static struct refusal *refusal_at(const struct worker *self, uint32_t n)
{
    return &self->refusals[(self->refusal_first + n) % REFUSALS_MAX];
}

bool report_refused(const struct worker *self, uint64_t task, uint64_t token)
{
    for (uint32_t i = 0; i < self->refusal_count; i++) {
        const struct refusal *refusal = refusal_at(self, i);
        if (refusal->token == token && refusal->task == task) {
            return true;
        }
    }
    return false;
}

/*  A report about an attempt that is not held, and that must not begin here from now on: what is said is "it has not
    begun, and will not".  Without room nothing is said: an INVENTORY tells the head the same. */
void report_refusal(struct worker *self, uint64_t task, uint64_t token, enum outcome outcome)
{
    if (report_refused(self, task, token)) {
        return;
    }
    if (self->refusal_count == REFUSALS_MAX) {
        self->inventory_due = true;
        return;
    }
    *refusal_at(self, self->refusal_count++) =
        (struct refusal){ .task = task, .token = token, .outcome = outcome };
}

void report_refusal_of_call(struct worker *self, const struct rec_start *start)
{
    uint32_t before = self->refusal_count;
    report_refusal(self, start->task, start->token, OUTCOME_RETURNED);
    if (self->refusal_count > before) {
        refusal_at(self, before)->actor = start->actor;
    }
}

/*  Of the same actor and session, and in force. */
static bool is_before(const struct refusal *refusal, const struct rec_start *call)
{
    return refusal->token != 0 && refusal->actor == call->actor &&
           task_session((task_id){ refusal->task }) == task_session((task_id){ call->task });
}

/*  The head leases a call anew when it knows how all of its lane ended that were out; then later ones, too.  So its
    token tells of refusals that are not acknowledged yet: of this call and those that came with it, and of later ones. */
bool report_holds_up(struct worker *self, const struct rec_start *call)
{
    uint64_t refused = 0; /* the newest token of this call that was */
    for (uint32_t i = 0; i < self->refusal_count; i++) {
        const struct refusal *refusal = refusal_at(self, i);
        refused =
            is_before(refusal, call) && refusal->task == call->task ? refusal->token : refused;
    }
    bool held_up = false;
    for (uint32_t i = 0; i < self->refusal_count; i++) {
        struct refusal *refusal = refusal_at(self, i);
        if (!is_before(refusal, call)) {
            continue;
        }
        bool is_known = refusal->token < call->token &&
                        (refusal->task >= call->task || refusal->token <= refused);
        refusal->actor = is_known ? 0 : refusal->actor;
        held_up = held_up || !is_known;
    }
    return held_up;
}

static void refusals_acked(struct worker *self, uint64_t report)
{
    for (uint32_t i = 0; i < self->refusals_told; i++) {
        if (refusal_at(self, i)->report == report) {
            refusal_at(self, i)->token = 0;
        }
    }
    while (self->refusals_told > 0 && refusal_at(self, 0)->token == 0) {
        self->refusal_first = (self->refusal_first + 1) % REFUSALS_MAX;
        self->refusal_count--;
        self->refusals_told--;
    }
}

bool reports_full(const struct worker *self)
{
    return self->reports.taken >= self->limits.reports;
}

bool reports_made(const struct worker *self)
{
    return self->ended.count == 0 && self->refusal_count == self->refusals_told;
}

bool reports_told(const struct worker *self)
{
    return reports_made(self) && self->sent.count == 0;
}

static void report_forget(struct worker *self, uint32_t index)
{
    struct report *report = report_at(self, index);
    while (report->attempts.count > 0) {
        attempt_drop(self, report->attempts.first);
    }
    refusals_acked(self, report->seq);
    map_remove(&self->report_map, index);
    chain_remove(&self->sent, &self->reports, REPORT_PLACE, index);
    chain_append(&self->forgotten, &self->reports, REPORT_PLACE, index);
}

void on_done_ack(struct worker *self, const struct worker_event *event)
{
    struct list reports = event->msg->as.done_ack.reports;
    struct rec_id seq;
    while (self->link >= LINK_JOINING && next_id(&reports, &seq)) {
        uint32_t index = map_find(&self->report_map, seq.task);
        if (index != NONE) {
            report_forget(self, index);
            self->admit = true; /* the limit of reports may have held things up */
        }
    }
}

void reports_forget_all(struct worker *self)
{
    while (self->sent.first != NONE) {
        report_forget(self, self->sent.first);
    }
    self->refusal_count = self->refusals_told = 0;
}

/*  The head may be another process now: it shall know what has ended before it decides about this node. */
void reports_resend_all(struct worker *self)
{
    for (uint32_t i = self->sent.first; i != NONE; i = report_at(self, i)->place.next) {
        report_at(self, i)->sent_ms = 0;
    }
}

bool reports_resending(const struct worker *self)
{
    return self->sent.first != NONE && report_at(self, self->sent.first)->sent_ms == 0;
}

uint64_t reports_deadline(const struct worker *self)
{
    if (self->sent.first == NONE || self->link != LINK_JOINED) {
        return UINT64_MAX;
    }
    return report_at(self, self->sent.first)->sent_ms + 2ull * self->beat_ms;
}

static void resend(struct worker *self)
{
    while (act_room(self) && self->sent.first != NONE) {
        uint32_t index = self->sent.first;
        struct report *report = report_at(self, index);
        bool is_old = report->sent_ms + 2ull * self->beat_ms <= self->now_ms;
        if (report->sent_ms != 0 && (self->link != LINK_JOINED || !is_old)) {
            break;
        }
        report->sent_ms = self->now_ms;
        chain_remove(&self->sent, &self->reports, REPORT_PLACE, index);
        chain_append(&self->sent, &self->reports, REPORT_PLACE, index);
        act_new(self, ACT_RESEND)->report = report->seq;
    }
}

static void forget(struct worker *self)
{
    while (act_room(self) && self->forgotten.first != NONE) {
        uint32_t index = self->forgotten.first;
        act_new(self, ACT_FORGET)->report = report_at(self, index)->seq;
        chain_remove(&self->forgotten, &self->reports, REPORT_PLACE, index);
        pool_give(&self->reports, index);
    }
}

static struct act *report_act(struct worker *self, const struct report *report)
{
    struct act *act = act_new(self, ACT_REPORT);
    act->report = report->seq;
    act->how = self->link >= LINK_JOINING;
    act->as.done = (struct rec_done){ 0 };
    return act;
}

static void report_attempt(struct worker *self, uint32_t index, uint32_t report_index)
{
    struct report *report = report_at(self, report_index);
    struct attempt *attempt = attempt_at(self, index);
    chain_remove(&self->ended, &self->attempts, ATTEMPT_PLACE, index);
    chain_append(&report->attempts, &self->attempts, ATTEMPT_PLACE, index);
    attempt->state = ATTEMPT_REPORTED;
    attempt->owner = report_index;
    struct act *act = report_act(self, report);
    struct rec_done *done = &act->as.done;
    act->unseal = attempt->outcome != OUTCOME_OK && attempt->started_ms != 0;
    done->task = attempt->task;
    done->token = attempt->token;
    done->outcome = attempt->outcome;
    done->status = attempt->status;
    done->started_ms = attempt->started_ms;
    done->run_us = attempt->run_us;
    done->value = attempt->as.out.value;
    done->text = attempt->as.out.text;
    done->output = attempt->as.out.output;
    done->log = attempt->as.out.log;
    done->checkpoint = attempt->as.out.checkpoint;
    done->sealed = attempt->as.out.sealed;
}

static void refusal_tell(struct worker *self, const struct report *report)
{
    struct refusal *refusal = refusal_at(self, self->refusals_told++);
    refusal->report = report->seq;
    struct rec_done *done = &report_act(self, report)->as.done;
    done->task = refusal->task;
    done->token = refusal->token;
    done->outcome = refusal->outcome;
    if (refusal->outcome == OUTCOME_SETUP_FAILED) {
        done->text = slice_text("the worker knows as many specs as it can: restart it");
    }
}

static size_t bytes_of(const struct attempt *attempt)
{
    return attempt->as.out.value.n + attempt->as.out.text.n + attempt->as.out.output.n +
           attempt->as.out.log.n + attempt->as.out.checkpoint.n + attempt->as.out.sealed.bytes.n;
}

/*  One report, of what has ended.  There is always room for one with an attempt in it: worker_bytes(). */
static void report_new(struct worker *self)
{
    if (self->ended.count == 0 && reports_full(self)) {
        return; /* refusals wait for an acknowledgement: an INVENTORY instead would only bring the same STARTs again */
    }
    if (!act_room(self) || (self->ended.count == 0 && self->refusal_count == self->refusals_told)) {
        return;
    }
    uint32_t index = pool_take(&self->reports);
    ensure(index != NONE);
    struct report *report = report_at(self, index);
    report->seq = ++self->report_next;
    report->sent_ms = self->link >= LINK_JOINING ? self->now_ms : 0;
    chain_init(&report->attempts);
    map_add(&self->report_map, index);
    chain_append(&self->sent, &self->reports, REPORT_PLACE, index);
    size_t bytes = 0;
    while (self->ended.first != NONE && act_room(self)) {
        size_t more = bytes_of(attempt_at(self, self->ended.first));
        if (bytes > 0 && bytes + more > REPORT_BYTES) {
            break;
        }
        bytes += more;
        report_attempt(self, self->ended.first, index);
    }
    while (self->refusal_count > self->refusals_told && act_room(self)) {
        refusal_tell(self, report);
    }
    if (RAYC_BUG(FORGET_REPORT)) {
        report_forget(self, index);
    }
}

void reports_emit(struct worker *self)
{
    forget(self);
    if (self->link >= LINK_JOINING) {
        resend(self);
    }
    report_new(self);
}
