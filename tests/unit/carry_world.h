/*  carry_world.h - for carry_test.c: stores in memory, nodes that give, and one node that a test plays itself. */
#ifndef RAYC_CARRY_WORLD_H
#define RAYC_CARRY_WORLD_H
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <cmocka.h>
#include <zmq.h>
#include "proto/chunk_hash.h"
#include "worker/carry.h"

enum { OBJECTS = 16, TASK = 77, USER = 5, WAIT_MS = 20, TURNS_MAX = 1500 };

struct kept {
    uint64_t task, user, size;
    uint32_t index, pins;
    bool sealed;
    uint8_t *bytes; /* NULL: unused */
};

/*  A store: a buffer's or pin's number is its place. */
struct memory {
    pthread_mutex_t lock;
    struct kept kept[OBJECTS];
    bool late;      /* create says LATER once */
    uint32_t asked; /* how often create was called */
};

static int memory_create(void *context, uint64_t user, uint64_t bytes, uint32_t *buffer)
{
    struct memory *self = context;
    int code = ERR_BUSY;
    pthread_mutex_lock(&self->lock);
    self->asked++;
    for (uint32_t i = 0; i < OBJECTS && code == ERR_BUSY; i++) {
        if (!self->kept[i].bytes) {
            self->kept[i] = (struct kept){ .user = user, .size = bytes, .bytes = malloc(bytes) };
            *buffer = i;
            code = self->late ? PULLS_LATER : OK;
        }
    }
    pthread_mutex_unlock(&self->lock);
    return code;
}

static int memory_ready(void *context, uint32_t number)
{
    struct memory *self = context;
    (void)number;
    pthread_mutex_lock(&self->lock);
    self->late = false;
    pthread_mutex_unlock(&self->lock);
    return OK;
}

static int memory_write(void *context, uint32_t buffer, uint64_t offset, struct slice bytes)
{
    struct memory *self = context;
    pthread_mutex_lock(&self->lock);
    assert_true(offset + bytes.n <= self->kept[buffer].size);
    memcpy(self->kept[buffer].bytes + offset, bytes.p, bytes.n);
    pthread_mutex_unlock(&self->lock);
    return OK;
}

static int memory_seal(void *context, uint32_t buffer, uint64_t task, uint32_t index)
{
    struct memory *self = context;
    pthread_mutex_lock(&self->lock);
    self->kept[buffer].task = task;
    self->kept[buffer].index = index;
    self->kept[buffer].sealed = true;
    pthread_mutex_unlock(&self->lock);
    return OK;
}

static void memory_abort(void *context, uint32_t buffer)
{
    struct memory *self = context;
    pthread_mutex_lock(&self->lock);
    free(self->kept[buffer].bytes);
    self->kept[buffer] = (struct kept){ 0 };
    pthread_mutex_unlock(&self->lock);
}

static int memory_get(void *context, uint64_t user, uint64_t task, uint32_t index, uint32_t *pin)
{
    struct memory *self = context;
    int code = ERR_NOT_FOUND;
    pthread_mutex_lock(&self->lock);
    for (uint32_t i = 0; i < OBJECTS; i++) {
        struct kept *kept = &self->kept[i];
        if (kept->sealed && kept->task == task && kept->index == index &&
            (user == 0 || user == kept->user)) {
            kept->pins++;
            *pin = i;
            code = OK;
        }
    }
    pthread_mutex_unlock(&self->lock);
    return code;
}

static int memory_view(void *context, uint32_t pin, struct carry_view *out)
{
    struct memory *self = context;
    *out = (struct carry_view){ slice_of(self->kept[pin].bytes, self->kept[pin].size), NULL, 0 };
    return OK;
}

static void memory_unpin(void *context, uint32_t pin)
{
    struct memory *self = context;
    pthread_mutex_lock(&self->lock);
    self->kept[pin].pins--;
    pthread_mutex_unlock(&self->lock);
}

static inline struct carry_store memory_store(struct memory *self)
{
    pthread_mutex_init(&self->lock, NULL);
    return (struct carry_store){ .sink = { self, memory_create, memory_ready, memory_write,
                                           memory_seal, memory_abort },
                                 .context = self,
                                 .get = memory_get,
                                 .ready = memory_ready,
                                 .view = memory_view,
                                 .unpin = memory_unpin,
                                 .seal = memory_seal,
                                 .watch = -1 };
}

/*  Bytes that differ from chunk to chunk. */
static inline void memory_fill(struct memory *self, uint32_t index, uint64_t size, uint8_t seed)
{
    uint32_t buffer;
    assert_int_equal(memory_create(self, USER, size, &buffer), OK);
    for (uint64_t i = 0; i < size; i++) {
        self->kept[buffer].bytes[i] = (uint8_t)(i * 31 + i / CARRY_CHUNK + seed);
    }
    assert_int_equal(memory_seal(self, buffer, TASK, index), OK);
}

static inline const struct kept *memory_find(struct memory *self, uint32_t index)
{
    for (uint32_t i = 0; i < OBJECTS; i++) {
        if (self->kept[i].sealed && self->kept[i].index == index) {
            return &self->kept[i];
        }
    }
    return NULL;
}

static inline void memory_end(struct memory *self)
{
    for (uint32_t i = 0; i < OBJECTS; i++) {
        assert_int_equal(self->kept[i].pins, 0);
        assert_true(!self->kept[i].bytes || self->kept[i].sealed); /* no buffer is left */
        free(self->kept[i].bytes);
    }
    pthread_mutex_destroy(&self->lock);
    *self = (struct memory){ 0 };
}

/*  A node that the test plays: it hears requests, and answers what it likes. */
struct played {
    void *context, *router;
    char address[64];
};

struct heard {
    uint8_t peer[5];
    struct msg_carry_get get;
    uint8_t frame[512];
};

static inline void played_open(struct played *self, const char *endpoint)
{
    size_t n = sizeof(self->address);
    int linger = 0;
    self->context = zmq_ctx_new();
    self->router = zmq_socket(self->context, ZMQ_ROUTER);
    assert_int_equal(zmq_setsockopt(self->router, ZMQ_LINGER, &linger, sizeof(linger)), 0);
    assert_int_equal(zmq_bind(self->router, endpoint), 0);
    assert_int_equal(zmq_getsockopt(self->router, ZMQ_LAST_ENDPOINT, self->address, &n), 0);
}

static inline void played_close(struct played *self)
{
    zmq_close(self->router);
    zmq_ctx_term(self->context);
}

/*  False: nothing was asked yet. */
static inline bool played_hear(struct played *self, struct heard *out)
{
    if (zmq_recv(self->router, out->peer, sizeof(out->peer), ZMQ_DONTWAIT) < 0) {
        return false;
    }
    struct msg msg;
    int n = zmq_recv(self->router, out->frame, sizeof(out->frame), 0);
    assert_true(n > 0);
    assert_int_equal(proto_decode(slice_of(out->frame, (size_t)n), &msg, NULL), OK);
    assert_int_equal(msg.kind, MSG_CARRY_GET);
    out->get = msg.as.carry_get;
    return true;
}

static inline void played_answer(struct played *self, const struct heard *to,
                                 struct msg_carry_data data, const struct slice *bytes)
{
    uint8_t frame[256];
    struct wire wire = { frame, 0, sizeof(frame), false };
    data.seq = to->get.seq;
    proto_put(&wire, MSG_CARRY_DATA, &data);
    zmq_send(self->router, to->peer, sizeof(to->peer), ZMQ_SNDMORE);
    zmq_send(self->router, wire.p, wire.n, bytes ? ZMQ_SNDMORE : 0);
    if (bytes) {
        zmq_send(self->router, bytes->p, bytes->n, 0);
    }
}

static inline void played_say(struct played *self, const struct heard *to, struct slice hash,
                              struct slice bytes)
{
    played_answer(self, to, (struct msg_carry_data){ .hash = hash }, &bytes);
}

static inline void played_refuse(struct played *self, const struct heard *to, int code)
{
    played_answer(self, to, (struct msg_carry_data){ .code = code }, NULL);
}

/*  The right answer, from what an honest node has. */
static inline void played_give(struct played *self, const struct heard *to, const struct kept *from)
{
    uint64_t left = from->size - to->get.offset;
    struct slice bytes =
        slice_of(from->bytes + to->get.offset, left < CARRY_CHUNK ? left : CARRY_CHUNK);
    struct chunk_hash hash = chunk_hash(bytes);
    played_say(self, to, slice_of(&hash, sizeof(hash)), bytes);
}
#endif
