/*  outbox.c - a list of batches: kept, sent, open. */
#include "client/outbox.h"

#include <stdlib.h>

enum { WIRE_BYTES_FIRST = 16 * 1024, SPARE_BYTES_MAX = 2 * MIB, CALL_HEAD_BYTES = 48 };

void outbox_init(struct outbox *self)
{
    *self = (struct outbox){ .next = 1, .below = 1, .synced = 1 };
}

static void free_batch(struct batch *batch)
{
    if (batch != NULL) {
        free(batch->calls.p);
        free(batch->specs.p);
        free(batch);
    }
}

void outbox_fini(struct outbox *self)
{
    while (self->oldest != NULL) {
        struct batch *next = self->oldest->next;
        free_batch(self->oldest);
        self->oldest = next;
    }
    free_batch(self->spare);
    outbox_init(self);
}

/*  The oldest batch is no longer needed. */
static void retire(struct outbox *self)
{
    struct batch *batch = self->oldest;
    self->oldest = batch->next;
    if (self->oldest == NULL) {
        self->newest = NULL;
    }
    free_batch(self->spare);
    self->spare = NULL;
    if (batch->calls.capacity + batch->specs.capacity <= SPARE_BYTES_MAX) {
        self->spare = batch;
    } else {
        free_batch(batch);
    }
}

static void begin_batch(struct outbox *self)
{
    struct batch *batch = self->spare;
    self->spare = NULL;
    if (batch == NULL) {
        batch = calloc(1, sizeof(*batch));
        ensure(batch != NULL);
    }
    batch->next = NULL;
    batch->first = self->next;
    batch->count = batch->spec_count = 0;
    batch->calls.n = batch->specs.n = 0;
    if (self->newest != NULL) {
        self->newest->next = batch;
    } else {
        self->oldest = batch;
    }
    self->newest = batch;
    self->unsent = self->unsent != NULL ? self->unsent : batch;
    self->waiting = self->waiting != NULL ? self->waiting : batch;
    self->open = true;
}

static void reserve(struct wire *wire, size_t bytes)
{
    if (bytes <= wire->capacity - wire->n) {
        return;
    }
    size_t capacity = wire->capacity == 0 ? WIRE_BYTES_FIRST : wire->capacity * 2;
    if (capacity < wire->n + bytes) {
        capacity = wire->n + bytes;
    }
    wire->p = realloc(wire->p, capacity);
    ensure(wire->p != NULL);
    wire->capacity = capacity;
}

size_t batch_bytes(const struct batch *batch)
{
    return batch->calls.n + batch->specs.n;
}

void outbox_add(struct outbox *self, const struct rec_call *call, struct slice spec)
{
    size_t bytes = CALL_HEAD_BYTES + call->args.n + call->deps.bytes.n + call->sealed.bytes.n;
    if (self->open && batch_bytes(self->newest) + bytes + spec.n > BATCH_BYTES) {
        self->open = false;
    }
    if (!self->open) {
        begin_batch(self);
    }
    struct batch *batch = self->newest;
    if (spec.n > 0) {
        reserve(&batch->specs, spec.n);
        memcpy(batch->specs.p + batch->specs.n, spec.p, spec.n);
        batch->specs.n += spec.n;
        batch->spec_count++;
    }
    reserve(&batch->calls, bytes);
    proto_put_record(&batch->calls, REC_CALL, call);
    ensure(!batch->calls.full);
    self->next++;
    if (++batch->count == BATCH_CALLS) {
        self->open = false;
    }
}

bool outbox_ready(const struct outbox *self, bool all)
{
    if (self->unsent == NULL || self->in_flight >= IN_FLIGHT_MAX) {
        return false;
    }
    bool is_open = self->open && self->unsent == self->newest;
    return !is_open || all || self->in_flight == 0;
}

struct batch *outbox_next(struct outbox *self, bool all)
{
    if (!outbox_ready(self, all)) {
        return NULL;
    }
    if (self->unsent == self->newest) {
        self->open = false;
    }
    return self->unsent;
}

void outbox_sent(struct outbox *self)
{
    self->unsent = self->unsent->next;
    self->in_flight++;
}

/*  Passes the batches that are committed. */
static void pass_committed(struct outbox *self)
{
    while (self->waiting != self->unsent &&
           self->waiting->first + self->waiting->count <= self->below) {
        self->waiting = self->waiting->next;
        self->in_flight -= self->in_flight > 0;
    }
}

bool outbox_ack(struct outbox *self, uint64_t below, uint64_t synced)
{
    uint64_t kept_from = self->oldest != NULL ? self->oldest->first : self->next;
    if (below < kept_from || below > self->next) {
        return false;
    }
    if (below < self->below) {
        self->waiting = self->oldest; /* a head that lost what was not synced */
    }
    self->below = below;
    self->synced = synced < below ? synced : below;
    pass_committed(self);
    while (self->oldest != self->waiting &&
           self->oldest->first + self->oldest->count <= self->synced) {
        retire(self);
    }
    return true;
}

void outbox_rewind(struct outbox *self)
{
    pass_committed(self);
    self->unsent = self->waiting;
    self->in_flight = 0;
}
