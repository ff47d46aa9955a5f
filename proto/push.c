/*  push.c - CARRY_PUTs and their answers.  What the node cannot take yet is sent again; when nothing is answered for a
    while, it is given up. */
#include "proto/push.h"

#include <sodium.h>
#include <stdlib.h>
#include <unistd.h>
#include "common/clock.h"
#include "proto/chunk_hash.h"
#include "proto/pulls_state.h"

enum { FLIGHTS_MAX = 8, SILENT_MS = 10000, PAUSE_MS = 20, HEAD_BYTES = TOKEN_TEXT_MAX + 256 };

/*  A message that is not answered. */
struct flight {
    uint64_t seq; /* 0: none */
    uint32_t chunk;
};

struct push {
    void *context, *dealer;
    struct slice value;
    uint64_t upload, seq, task;
    uint32_t index;
    uint32_t chunks, next, done; /* chunk number `chunks` is the seal */
    struct flight flights[FLIGHTS_MAX];
    uint32_t again[FLIGHTS_MAX], again_count; /* to be sent once more */
    uint64_t again_ms, heard_ms;
    char token[TOKEN_TEXT_MAX + 1];
    char why[TEXT_MAX + 1];
};

static void send_chunk(struct push *self, struct flight *flight, uint32_t chunk)
{
    uint8_t bytes[HEAD_BYTES];
    struct wire frame = { bytes, 0, sizeof(bytes), false };
    bool seal = chunk == self->chunks;
    uint64_t offset = seal ? self->value.n : (uint64_t)chunk * CARRY_CHUNK;
    struct slice data =
        slice_of(self->value.p + offset, seal ? 0 : chunk_bytes(self->value.n, chunk));
    struct chunk_hash hash = chunk_hash(data);
    *flight = (struct flight){ ++self->seq, chunk };
    proto_put(&frame, MSG_CARRY_PUT,
              &(struct msg_carry_put){ .seq = flight->seq,
                                       .token = slice_text(self->token),
                                       .upload = self->upload,
                                       .size = self->value.n,
                                       .offset = offset,
                                       .task = self->task,
                                       .index = self->index,
                                       .hash = slice_of(&hash, CARRY_HASH_BYTES) });
    ensure(!frame.full);
    (void)zmq_send(self->dealer, frame.p, frame.n, ZMQ_SNDMORE); /* without a limit: never waits */
    (void)zmq_send(self->dealer, data.p, data.n, 0);
}

/*  Sends what may be sent, up to chunk `end`. */
static void fill(struct push *self, uint32_t end)
{
    for (uint32_t i = 0; i < FLIGHTS_MAX; i++) {
        struct flight *flight = &self->flights[i];
        if (flight->seq != 0) {
            continue;
        }
        if (self->again_count > 0 && clock_ms() >= self->again_ms) {
            send_chunk(self, flight, self->again[--self->again_count]);
        } else if (self->again_count == 0 && self->next < end) {
            send_chunk(self, flight, self->next++);
        }
    }
}

static int on_took(struct push *self, const struct msg_carry_took *took)
{
    struct flight *flight = self->flights;
    while (flight < self->flights + FLIGHTS_MAX && flight->seq != took->seq) {
        flight++;
    }
    if (flight == self->flights + FLIGHTS_MAX || took->seq == 0) {
        return OK;
    }
    flight->seq = 0;
    self->heard_ms = clock_ms();
    if (took->code == OK) {
        self->done++;
    } else if (took->code == PULLS_LATER) {
        self->again[self->again_count++] = flight->chunk;
        self->again_ms = self->heard_ms + PAUSE_MS;
    } else {
        slice_copy_text(took->text, self->why, sizeof(self->why));
        return took->code;
    }
    return OK;
}

/*  One answer, or a pause. */
static int take(struct push *self)
{
    zmq_pollitem_t item = { self->dealer, 0, ZMQ_POLLIN, 0 };
    zmq_msg_t frame;
    struct msg msg;
    zmq_poll(&item, 1, PAUSE_MS);
    if (!(item.revents & ZMQ_POLLIN)) {
        return clock_ms() >= self->heard_ms + SILENT_MS ? ERR_UNREACHABLE : OK;
    }
    zmq_msg_init(&frame);
    int code = zmq_msg_recv(&frame, self->dealer, 0) >= 0 ? OK : ERR_SYSTEM;
    if (code == OK &&
        proto_decode(slice_of(zmq_msg_data(&frame), zmq_msg_size(&frame)), &msg, NULL) == OK &&
        msg.kind == MSG_CARRY_TOOK) {
        code = on_took(self, &msg.as.carry_took);
    }
    zmq_msg_close(&frame);
    return code;
}

/*  Until all below chunk `end` is there. */
static int go_on(struct push *self, uint32_t end)
{
    int code = OK;
    self->heard_ms = clock_ms();
    while (code == OK && self->done < end) {
        fill(self, end);
        code = take(self);
    }
    return code;
}

int push_open(struct push **out, const struct push_to *to, struct slice value)
{
    struct push *self = calloc(1, sizeof(*self));
    *out = self;
    if (!self) {
        return ERR_MEMORY;
    }
    self->value = value;
    self->chunks = chunk_count(value.n);
    slice_copy_text(slice_text(to->token), self->token, sizeof(self->token));
    randombytes_buf(&self->upload, sizeof(self->upload));
    self->context = zmq_ctx_new();
    int code = self->context ? pull_dealer_open(self->context, to->address, to->key, &self->dealer)
                             : ERR_SYSTEM;
    code = code == OK ? pull_dealer_connect(self->dealer, to->address) : code;
    return code == OK ? go_on(self, self->chunks) : code;
}

int push_seal(struct push *self, uint64_t task, uint32_t index)
{
    self->task = task;
    self->index = index;
    return go_on(self, self->chunks + 1);
}

const char *push_why(const struct push *self)
{
    return self ? self->why : "";
}

void push_close(struct push **self_p)
{
    struct push *self = *self_p;
    *self_p = NULL;
    if (!self) {
        return;
    }
    if (self->dealer) {
        zmq_close(self->dealer);
    }
    if (self->context) {
        zmq_ctx_term(self->context);
    }
    explicit_bzero(self->token, sizeof(self->token));
    free(self);
}
