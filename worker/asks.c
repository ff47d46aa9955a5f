/*  asks.c - the asks that wait are a dense array: a decision looks through it, and there are as many as trials run. */
#include "worker/asks.h"
#include <limits.h>
#include <linux/futex.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>
#include "common/log.h"

enum {
    RECORD_BYTES = 128,     /* of an encoded REPORT without its texts, at most */
    JOINED_BYTES = 4 * MIB, /* a REPORT message is not joined beyond this */
    AGAIN_MS = 5000,        /* without an answer: it may have been lost on the way */
};

struct ask {
    uint64_t task, token;
    uint32_t number, executor;
    uint64_t again_ms; /* when to send it again; 0: it is to be sent */
    struct channel_page *page;
    uint8_t *record; /* encoded */
    size_t record_bytes;
};

struct asks {
    struct asks_runs runs;
    bool joined;
    uint64_t now_ms, due_ms;
    uint64_t seq;
    uint32_t capacity, count, unsent;
    struct ask *all;
    uint32_t *place; /* by executor: index in `all`, NONE */
    struct wire joint;
};

int asks_open(struct asks **out, uint32_t capacity, const struct asks_runs *runs)
{
    struct asks *self = calloc(1, sizeof(*self));
    *out = self;
    if (!self) {
        return ERR_MEMORY;
    }
    *self = (struct asks){ .runs = *runs, .capacity = capacity, .due_ms = UINT64_MAX };
    self->all = calloc(capacity, sizeof(*self->all));
    self->place = malloc(capacity * sizeof(*self->place));
    if (!self->all || !self->place) {
        asks_close(out);
        return ERR_MEMORY;
    }
    memset(self->place, 0xFF, capacity * sizeof(*self->place));
    return OK;
}

void asks_close(struct asks **self_p)
{
    struct asks *self = *self_p;
    if (!self) {
        return;
    }
    for (uint32_t i = 0; i < self->count; i++) {
        free(self->all[i].record);
    }
    free(self->all);
    free(self->place);
    free(self->joint.p);
    free(self);
    *self_p = NULL;
}

/* --- from the executor ------------------------------------------------------------------------------------ */

void asks_drop(struct asks *self, uint32_t executor)
{
    uint32_t i = self->place[executor];
    if (i == NONE) {
        return;
    }
    self->place[executor] = NONE;
    self->unsent -= self->all[i].again_ms == 0;
    free(self->all[i].record);
    self->all[i] = self->all[--self->count];
    if (i < self->count) {
        self->place[self->all[i].executor] = i;
    }
}

bool asks_may(const struct asks *self, uint32_t executor, uint64_t task, uint64_t token)
{
    return self->runs.runs(self->runs.context, executor, task, token);
}

void asks_add(struct asks *self, uint32_t executor, struct channel_page *page,
              const struct rec_report *report)
{
    ensure(executor < self->capacity);
    if (!asks_may(self, executor, report->task, report->token)) {
        log_warn("report.dropped",
                 "executor=%u task=%016llx number=%u why=\"it does not run that\"", executor,
                 (unsigned long long)report->task, report->number);
        return;
    }
    asks_drop(self, executor); /* who asks again waits for the older answer no more */
    size_t bytes = RECORD_BYTES + report->checkpoint.n + report->metrics.n;
    struct wire record = { malloc(bytes), 0, bytes, false };
    ensure(record.p != NULL);
    proto_put_record(&record, REC_REPORT, report);
    ensure(!record.full);
    self->place[executor] = self->count;
    self->all[self->count++] = (struct ask){ .task = report->task,
                                             .token = report->token,
                                             .number = report->number,
                                             .executor = executor,
                                             .page = page,
                                             .record = record.p,
                                             .record_bytes = record.n };
    self->unsent++;
}

/* --- to the head ------------------------------------------------------------------------------------------ */

static void say_again(struct asks *self, struct ask *ask)
{
    self->unsent += ask->again_ms != 0;
    ask->again_ms = 0;
}

void asks_joined(struct asks *self, bool joined)
{
    self->joined = joined;
    for (uint32_t i = 0; joined && i < self->count; i++) {
        say_again(self, &self->all[i]);
    }
}

void asks_on_time(struct asks *self, uint64_t now_ms)
{
    self->now_ms = now_ms;
    if (now_ms < self->due_ms) {
        return;
    }
    self->due_ms = UINT64_MAX;
    for (uint32_t i = 0; i < self->count; i++) {
        struct ask *ask = &self->all[i];
        if (ask->again_ms != 0 && now_ms >= ask->again_ms) {
            say_again(self, ask);
        } else if (ask->again_ms != 0 && ask->again_ms < self->due_ms) {
            self->due_ms = ask->again_ms;
        }
    }
}

uint64_t asks_due(const struct asks *self)
{
    return self->count > 0 && self->joined ? self->due_ms : UINT64_MAX;
}

static void append(struct wire *to, const struct ask *ask)
{
    if (ask->record_bytes > to->capacity - to->n) {
        size_t capacity = 2 * to->capacity + ask->record_bytes;
        to->p = realloc(to->p, capacity);
        ensure(to->p != NULL);
        to->capacity = capacity;
    }
    memcpy(to->p + to->n, ask->record, ask->record_bytes);
    to->n += ask->record_bytes;
}

bool asks_next(struct asks *self, struct msg_report *out)
{
    uint32_t count = 0;
    if (!self->joined || self->unsent == 0) {
        return false;
    }
    self->joint.n = 0;
    for (uint32_t i = 0; i < self->count && count < TRIALS_PER_FRAME_MAX; i++) {
        struct ask *ask = &self->all[i];
        if (ask->again_ms == 0 && self->joint.n < JOINED_BYTES) {
            append(&self->joint, ask);
            ask->again_ms = self->now_ms + AGAIN_MS;
            count++;
        }
    }
    self->unsent -= count;
    uint64_t due_ms = self->now_ms + AGAIN_MS;
    self->due_ms = due_ms < self->due_ms ? due_ms : self->due_ms;
    *out = (struct msg_report){ .seq = ++self->seq, .reports = wire_list(&self->joint, count) };
    return true;
}

/* --- from the head ---------------------------------------------------------------------------------------- */

static struct ask *find(struct asks *self, const struct rec_decision *decision)
{
    for (uint32_t i = 0; i < self->count; i++) {
        struct ask *ask = &self->all[i];
        if (ask->token == decision->token && ask->task == decision->task &&
            ask->number == decision->number) {
            return ask;
        }
    }
    return NULL;
}

void asks_on_decided(struct asks *self, const struct msg_decided *msg)
{
    struct list decisions = msg->decisions;
    struct rec_decision decision;
    while (next_decision(&decisions, &decision)) {
        struct ask *ask = find(self, &decision);
        if (!ask) {
            continue; /* it was answered before, or has ended */
        }
        channel_answer(ask->page, ask->token, ask->number, decision.decision, decision.text);
        (void)syscall(SYS_futex, &ask->page->answered, FUTEX_WAKE, INT_MAX, NULL, NULL, 0);
        asks_drop(self, ask->executor);
    }
}
