/*  turn.c - step, commit, send; and hold what must also be synced. */
#include "head/turn.h"

#include <stdlib.h>

#include "common/bug.h"
#include "common/clock.h"
#include "common/log.h"
#include "head/turn_frames.h"
#include "head/wires.h"
#include "proto/wire.h"

enum {
    STORED_FRAME_BYTES = 2 * MIB, /* results read back from the store: a frame ends here */
    SYNC_EVERY_MS = 10,
    MARKS = 1024,
    HELD_BUCKETS = 4096,
    IMPOSSIBLE_MAX = 16
};

struct held_frame {
    struct held_frame *next;
    uint64_t commit;
    uint32_t peer;
    size_t n;
    uint8_t bytes[];
};

struct turn {
    struct core *core;
    size_t core_size;
    struct store *store;
    turn_send *send;
    void *context;
    uint64_t now_ms, wall_ms;
    uint64_t deadline_ms;
    uint64_t sync_ms; /* when the last sync was started */
    bool must_sync;
    struct wire frame, elements, specs, values; /* reserved address space, used again and again */
    struct held_frame *held, **held_end;
    uint64_t held_commit;           /* that the newest of them waits for */
    uint32_t held_of[HELD_BUCKETS]; /* of the peers whose number ends so: held frames */
    struct {
        uint64_t number, commit;
    } marks
        [MARKS]; /* batches that are committed and not synced: a ring; the oldest are dropped when it is full */
    uint32_t mark_first, mark_count;
    uint64_t *lookups;
    uint32_t lookup_capacity;
    struct histogram placement;
    bool *told; /* of the starts, then of the results of a batch: those that are in a frame */
    uint32_t told_capacity;
    uint8_t secret[TICKET_SECRET_BYTES];
};

int turn_open(struct turn **out, struct store *store, const struct limits *limits,
              const struct config *config, uint64_t seed, turn_send *send, void *context)
{
    *out = NULL;
    struct turn *self = calloc(1, sizeof(*self));
    if (!self) {
        return ERR_MEMORY;
    }
    self->store = store;
    self->send = send;
    self->context = context;
    self->held_end = &self->held;
    self->core_size = core_bytes(limits);
    void *memory = reserve_try(self->core_size);
    if (!memory || !wire_reserve(&self->frame) || !wire_reserve(&self->elements) ||
        !wire_reserve(&self->specs) || !wire_reserve(&self->values)) {
        log_error("turn.open", "bytes=%zu why=\"no address space\"", self->core_size);
        turn_close(&self);
        return ERR_MEMORY;
    }
    self->core = core_init(memory, limits, config, seed);
    *out = self;
    return OK;
}

void turn_close(struct turn **self)
{
    struct turn *turn = *self;
    *self = NULL;
    if (!turn) {
        return;
    }
    struct wire *wires[] = { &turn->frame, &turn->elements, &turn->specs, &turn->values };
    for (size_t i = 0; i < COUNT(wires); i++) {
        wire_free(wires[i]);
    }
    reserve_free(turn->core, turn->core_size);
    while (turn->held) {
        struct held_frame *next = turn->held->next;
        free(turn->held);
        turn->held = next;
    }
    free(turn->lookups);
    free(turn->told);
    free(turn);
}

void turn_rest(struct turn *self)
{
    struct wire *wires[] = { &self->frame, &self->elements, &self->specs, &self->values };
    for (size_t i = 0; i < COUNT(wires); i++) {
        wire_rest(wires[i]);
    }
}

void turn_set_secret(struct turn *self, const uint8_t secret[TICKET_SECRET_BYTES])
{
    memcpy(self->secret, secret, TICKET_SECRET_BYTES);
}

struct core *turn_core(struct turn *self)
{
    return self->core;
}

/*  The frame leaves now, or when what is committed has been synced; never before an earlier one to the same peer: a
    worker takes DONE_ACK and RECALL to come after the START that they speak of. */
static void send_frame(struct turn *self, uint32_t peer, bool synced)
{
    ensure(!self->frame.full);
    bool waits = synced && store_synced(self->store) < store_committed(self->store);
    if (!waits && self->held_of[peer % HELD_BUCKETS] == 0) {
        self->send(self->context, peer, slice_of(self->frame.p, self->frame.n));
        return;
    }
    struct held_frame *held = malloc(sizeof(*held) + self->frame.n);
    ensure(held);
    self->held_commit = waits ? store_committed(self->store) : self->held_commit;
    *held = (struct held_frame){ NULL, self->held_commit, peer, self->frame.n };
    memcpy(held->bytes, self->frame.p, self->frame.n);
    *self->held_end = held;
    self->held_end = &held->next;
    self->held_of[peer % HELD_BUCKETS]++;
    self->must_sync = self->must_sync || waits;
}

static int send_messages(struct turn *self, const struct batch *batch)
{
    int code = OK;
    for (uint32_t i = 0; i < batch->send_count && code == OK; i++) {
        struct send send = batch->sends[i];
        if (send.msg.kind == MSG_STUDY_OPENED) {
            code =
                store_study(self->store, send.msg.as.study_opened.study, &send.msg.as.study_opened);
        }
        uint8_t key[TICKET_SECRET_BYTES];
        if (send.msg.kind == MSG_NODE_JOINED && send.msg.as.node_joined.node != 0) {
            ticket_node_key(self->secret, send.msg.as.node_joined.node, key);
            send.msg.as.node_joined.key = slice_of(key, sizeof(key));
        }
        wire_clear(&self->frame);
        proto_put(&self->frame, send.msg.kind, &send.msg.as);
        send_frame(self, send.peer, send.synced);
    }
    return code;
}

static uint8_t *joined(struct slice first, struct slice second)
{
    size_t n = first.n + second.n + 1;
    struct wire to = { malloc(n), 0, n, false };
    ensure(to.p);
    wire_put_encoded(&to, first);
    wire_put_encoded(&to, second);
    return to.p;
}

static int put_start(struct turn *self, const struct start_send *start)
{
    struct rec_start record = { .task = start->task,
                                .token = start->token,
                                .attempt = start->attempt,
                                .spec = start->spec,
                                .actor = start->actor,
                                .args = start->args,
                                .sources = start->sources };
    uint8_t *copy = NULL;
    char ticket[TICKET_BYTES];
    if (start->ticket_job != 0) {
        ticket_make(self->secret, start, ticket);
        record.ticket = slice_text(ticket);
    }
    int code = OK;
    if (!start->args.p || start->has_deps) {
        struct slice deps;
        code = store_task_args(self->store, start->task, &record.args, &deps);
        if (code == OK && start->has_deps) {
            copy = joined(record.args, deps); /* the next read from the store ends these slices */
            uint32_t count = 0;
            code = put_values(self->store, slice_of(copy + record.args.n, deps.n), &self->values,
                              &count);
            record.args = slice_of(copy, record.args.n);
            record.deps = wire_list(&self->values, count);
        }
    }
    if (code == OK && start->checkpoint) {
        code = store_actor_checkpoint(self->store, start->task, &record.checkpoint);
    }
    if (code == OK) {
        proto_put_record(&self->elements, REC_START, &record);
    }
    free(copy);
    return code;
}

/*  A START that cannot be said: the attempt ends so. */
struct impossible {
    struct start_send starts[IMPOSSIBLE_MAX];
    bool lost
        [IMPOSSIBLE_MAX]; /* an argument is not there any more; else it is all too large for a frame */
    uint32_t count;
};

/*  It is alone in its frame.  Any more come again with a doubt. */
static void set_aside(struct impossible *to, const struct start_send *start, bool lost)
{
    if (to->count < IMPOSSIBLE_MAX) {
        to->lost[to->count] = lost;
        to->starts[to->count++] = *start;
    }
}

static void start_impossible(struct turn *self, const struct start_send *start, bool lost)
{
    struct rec_done done = {
        .task = start->task,
        .token = start->token,
        .outcome = lost ? OUTCOME_BAD_ARGUMENT : OUTCOME_TOO_LARGE,
        .text = slice_text(
            lost ? "an argument that it waited for is gone: its job was deleted"
                 : "its arguments and the results that it waited for are over 16 MiB together")
    };
    wire_clear(&self->elements);
    proto_put_record(&self->elements, REC_DONE, &done);
    struct msg msg = { .kind = MSG_DONE };
    msg.as.done.done = wire_list(&self->elements, 1);
    core_step(self->core, &(struct event){ .kind = EV_MESSAGE,
                                           .peer = start->peer,
                                           .now_ms = self->now_ms,
                                           .wall_ms = self->wall_ms,
                                           .msg = &msg });
}

static void told_clear(struct turn *self, uint32_t count)
{
    if (count > self->told_capacity) {
        self->told_capacity = count;
        self->told = realloc(self->told, count * sizeof(*self->told));
        ensure(self->told);
    }
    if (count > 0) {
        memset(self->told, 0, count * sizeof(*self->told));
    }
}

/*  All of a peer's starts with one position are one frame, whatever is between them: a position is told once. */
static int send_starts(struct turn *self, const struct batch *batch, struct impossible *impossible)
{
    told_clear(self, batch->start_count);
    for (uint32_t i = 0; i < batch->start_count; i++) {
        if (self->told[i]) {
            continue;
        }
        const struct start_send *first = &batch->starts[i];
        uint32_t count = 0, spec_count = 0;
        wire_clear(&self->elements);
        wire_clear(&self->specs);
        bool synced = false, lost = false;
        for (uint32_t k = i; k < batch->start_count && (k == i || !first->has_deps);
             k++) { /* with deps: alone */
            const struct start_send *start = &batch->starts[k];
            if (start->peer != first->peer || start->stream != first->stream) {
                continue;
            }
            int code =
                start->new_spec ? put_spec(self->store, self->core, start->spec, &self->specs) : OK;
            code = code == OK ? put_start(self, start) : code;
            if (code != OK && code != ERR_UPSTREAM) {
                return code;
            }
            lost = code == ERR_UPSTREAM;
            self->told[k] = true;
            spec_count += start->new_spec;
            count++;
            synced = synced || start->synced;
        }
        struct msg_start start = { first->stream, wire_list(&self->specs, spec_count),
                                   wire_list(&self->elements, count), first->inventory };
        wire_clear(&self->frame);
        proto_put(&self->frame, MSG_START, &start);
        if (lost || self->frame.full || self->elements.full || self->frame.n > FRAME_MAX) {
            set_aside(impossible, first, lost);
            continue;
        }
        send_frame(self, first->peer, synced);
    }
    return OK;
}

static int put_result(struct turn *self, const struct result_send *send)
{
    struct rec_result result = send->result;
    if (send->stored || send->text_stored) {
        uint32_t state;
        int code = store_task_result(self->store, send->result.task, &state, &result);
        if (code != OK) {
            return code;
        }
        if (state != TASK_FINISHED && state != TASK_FAILED) {
            result = (struct rec_result){ .task = send->result.task,
                                          .failure = FAILURE_UNKNOWN_TASK,
                                          .text = slice_text("the head knows no such task") };
        }
        result.task = send->result.task;
    }
    proto_put_record(&self->elements, REC_RESULT, &result);
    return OK;
}

static int send_results(struct turn *self, const struct batch *batch)
{
    told_clear(self, batch->result_count);
    for (uint32_t i = 0; i < batch->result_count; i++) {
        if (self->told[i]) {
            continue;
        }
        const struct result_send *first = &batch->results[i];
        uint32_t count = 0;
        wire_clear(&self->elements);
        for (uint32_t k = i; k < batch->result_count && count < CALLS_PER_FRAME_MAX; k++) {
            const struct result_send *result = &batch->results[k];
            bool joins = !self->told[k] && result->peer == first->peer &&
                         result->stream == first->stream && result->stored == first->stored &&
                         result->synced == first->synced;
            if (first->stored && (!joins || self->elements.n >= STORED_FRAME_BYTES)) {
                break; /* without a position: neighbours only, and they may be any number of bytes */
            }
            if (!joins) {
                continue;
            }
            int code = put_result(self, result);
            if (code != OK) {
                return code;
            }
            self->told[k] = true;
            count++;
        }
        struct msg_results results = { first->stream, wire_list(&self->elements, count) };
        wire_clear(&self->frame);
        proto_put(&self->frame, MSG_RESULTS, &results);
        send_frame(self, first->peer, first->synced);
    }
    return OK;
}

static void send_leases(struct turn *self, const struct batch *batch)
{
    for (uint32_t i = 0; i < batch->lease_count;) {
        const struct lease_send *first = &batch->leases[i];
        uint32_t count = 0;
        wire_clear(&self->elements);
        for (; i < batch->lease_count && batch->leases[i].peer == first->peer &&
               count < CALLS_PER_FRAME_MAX;
             i++, count++) {
            proto_put_record(&self->elements, REC_LEASE, &batch->leases[i].lease);
        }
        struct msg_recall recall = { 0, wire_list(&self->elements, count) };
        wire_clear(&self->frame);
        proto_put(&self->frame, MSG_RECALL, &recall);
        send_frame(self, first->peer, false);
    }
}

static void send_decisions(struct turn *self, const struct batch *batch)
{
    told_clear(self, batch->decision_count);
    for (uint32_t i = 0; i < batch->decision_count; i++) {
        if (self->told[i]) {
            continue;
        }
        const struct decision_send *first = &batch->decisions[i];
        wire_clear(&self->elements);
        wire_clear(&self->frame);
        put_decided(batch, i, self->told, &self->elements, &self->frame);
        send_frame(self, first->peer, first->synced);
    }
}

static void send_reports(struct turn *self, const struct batch *batch)
{
    told_clear(self, batch->report_count);
    for (uint32_t i = 0; i < batch->report_count; i++) {
        if (self->told[i]) {
            continue;
        }
        const struct report_send *first = &batch->reports[i];
        wire_clear(&self->elements);
        wire_clear(&self->frame);
        put_reported(batch, i, self->told, &self->elements, &self->frame);
        send_frame(self, first->peer, first->synced);
    }
}

static int answer_lookups(struct turn *self, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        struct event event = { .kind = EV_LOOKED_UP,
                               .number = self->lookups[i],
                               .now_ms = self->now_ms,
                               .wall_ms = self->wall_ms };
        int code = store_task_ended(self->store, self->lookups[i], &event);
        if (code != OK) {
            return code;
        }
        core_step(self->core, &event);
    }
    return OK;
}

static void keep_lookups(struct turn *self, const uint64_t *lookups, uint32_t count)
{
    if (count > self->lookup_capacity) {
        self->lookup_capacity = count;
        self->lookups = realloc(self->lookups, self->lookup_capacity * sizeof(*self->lookups));
        ensure(self->lookups);
    }
    if (count > 0) {
        memcpy(self->lookups, lookups, count * sizeof(*self->lookups));
    }
}

static void mark(struct turn *self, uint64_t number)
{
    if (self->mark_count == MARKS) {
        self->mark_first = (self->mark_first + 1) % MARKS; /* a later mark says the same and more */
        self->mark_count--;
    }
    uint32_t at = (self->mark_first + self->mark_count++) % MARKS;
    self->marks[at].number = number;
    self->marks[at].commit = store_committed(self->store);
}

static int carry_out(struct turn *self, const struct batch *batch)
{
    struct impossible impossible = { .count = 0 };
    if (RAYC_BUG(REPLY_EARLY)) {
        (void)send_messages(self, batch);
    }
    int code = batch->row_count > 0 ? store_apply(self->store, batch) : OK;
    if (code != OK) {
        return code; /* a head that cannot write must not promise */
    }
    mark(self, batch->number);
    keep_lookups(self, batch->lookups, batch->lookup_count);
    uint32_t lookup_count = batch->lookup_count;
    code = send_messages(self, batch);
    code = code == OK ? send_starts(self, batch, &impossible) : code;
    send_reports(self, batch);
    code = code == OK ? send_results(self, batch) : code;
    if (code != OK) {
        return code;
    }
    send_leases(self, batch);
    send_decisions(self, batch);
    for (uint32_t i = 0; i < impossible.count; i++) {
        start_impossible(self, &impossible.starts[i], impossible.lost[i]);
    }
    return answer_lookups(self, lookup_count);
}

static void sync_if_due(struct turn *self)
{
    if (store_committed(self->store) == store_synced(self->store)) {
        return;
    }
    if (self->must_sync || self->now_ms >= self->sync_ms + SYNC_EVERY_MS) {
        self->must_sync = false;
        self->sync_ms = self->now_ms;
        store_sync(self->store);
    }
}

/*  Effects that start tasks are the scheduler's: how long it thought about them is measured. */
static bool decide(struct turn *self, struct batch *batch)
{
    uint64_t begun_us = clock_us();
    bool more = core_ready(self->core, batch);
    if (more && batch->start_count > 0) {
        histogram_add(&self->placement, clock_us() - begun_us);
    }
    return more;
}

const struct histogram *turn_placement(const struct turn *self)
{
    return &self->placement;
}

int turn_flush(struct turn *self, uint64_t now_ms, uint64_t wall_ms)
{
    self->now_ms = now_ms;
    self->wall_ms = wall_ms;
    struct batch batch;
    while (decide(self, &batch)) {
        int code = carry_out(self, &batch);
        if (code != OK) {
            return code;
        }
    }
    self->deadline_ms = batch.deadline_ms;
    store_checkpoint_if_due(self->store);
    sync_if_due(self);
    if (store_committed(self->store) > store_synced(self->store) &&
        self->deadline_ms > self->sync_ms + SYNC_EVERY_MS) {
        self->deadline_ms = self->sync_ms + SYNC_EVERY_MS;
    }
    return OK;
}

int turn_synced(struct turn *self, uint64_t now_ms, uint64_t wall_ms)
{
    uint64_t synced = store_synced(self->store);
    while (self->held && self->held->commit <= synced) {
        struct held_frame *held = self->held;
        self->held = held->next;
        self->held_of[held->peer % HELD_BUCKETS]--;
        self->send(self->context, held->peer, slice_of(held->bytes, held->n));
        free(held);
    }
    if (!self->held) {
        self->held_end = &self->held;
    } else {
        self->must_sync = true;
    }
    uint64_t number = 0;
    while (self->mark_count > 0 && self->marks[self->mark_first].commit <= synced) {
        number = self->marks[self->mark_first].number;
        self->mark_first = (self->mark_first + 1) % MARKS;
        self->mark_count--;
    }
    if (number > 0) {
        core_step(self->core,
                  &(struct event){
                      .kind = EV_SYNCED, .number = number, .now_ms = now_ms, .wall_ms = wall_ms });
    }
    return turn_flush(self, now_ms, wall_ms);
}

void turn_event(struct turn *self, const struct event *event)
{
    core_step(self->core, event);
}

struct restoring {
    struct turn *turn;
    uint64_t rows;
    int code;
};

static void restore_one(void *context, const struct restored *row)
{
    struct restoring *self = context;
    self->rows++;
    core_step(self->turn->core, &(struct event){ .kind = EV_RESTORE,
                                                 .row = row,
                                                 .now_ms = self->turn->now_ms,
                                                 .wall_ms = self->turn->wall_ms });
    const uint64_t *lookups;
    uint32_t count = core_restore_lookups(self->turn->core, &lookups);
    keep_lookups(self->turn, lookups, count);
    self->code = self->code == OK ? answer_lookups(self->turn, count) : self->code;
}

int turn_restore(struct turn *self, uint64_t now_ms, uint64_t wall_ms)
{
    self->now_ms = now_ms;
    self->wall_ms = wall_ms;
    struct restoring restoring = { self, 0, OK };
    int code = store_restore(self->store, restore_one, &restoring);
    code = code == OK ? restoring.code : code;
    if (code != OK) {
        return code;
    }
    core_step(self->core,
              &(struct event){ .kind = EV_RESTORED, .now_ms = now_ms, .wall_ms = wall_ms });
    log_info("head.restored", "rows=%llu epoch=%llu", (unsigned long long)restoring.rows,
             (unsigned long long)core_epoch(self->core));
    return turn_flush(self, now_ms, wall_ms);
}

uint64_t turn_deadline_ms(const struct turn *self)
{
    return self->deadline_ms;
}
