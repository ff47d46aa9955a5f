/*  local_store.c - requests and their replies over the socket, and the memory that is mapped.  Of the threads that wait
    for replies one reads, for all. */
#include "client/local_store.h"
#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>
#include "common/access.h"
#include "common/clock.h"
#include "common/local_socket.h"

enum { MAPPINGS_IDLE_MAX = 1024, REQUEST_BYTES = 512, LINGER_US = 50 };

/*  A segment in this process. */
struct mapping {
    struct mapping *next; /* the one used last is the first */
    uint64_t segment, bytes;
    uint8_t *p;
    uint32_t users;
    bool writable; /* its protection may be changed to that */
};

struct waiter {
    struct waiter *next;
    uint64_t seq;
    bool done;
    int fd; /* that came with the reply; -1: none */
    int bytes;
    uint8_t packet[LOCAL_PACKET_MAX];
};

struct local_store {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    int fd;
    bool reading; /* somebody does */
    bool broken, closed;
    uint32_t users; /* who opened it, buffers, views, and callers of local_store_take() */
    uint64_t seq, node;
    struct waiter *waiters;
    struct mapping *mappings;
    uint32_t idle;
};

/* --- requests --------------------------------------------------------------------------------------------- */

static bool send_message(struct local_store *self, enum msg_kind kind, const void *msg)
{
    uint8_t bytes[REQUEST_BYTES];
    struct wire frame = { bytes, 0, sizeof(bytes), false };
    proto_put(&frame, kind, msg);
    ensure(!frame.full);
    return local_send(self->fd, slice_of(frame.p, frame.n), -1);
}

/*  With the lock: gives a reply to whoever waits for it. */
static void hand_over(struct local_store *self, const struct waiter *reply, uint64_t seq)
{
    for (struct waiter **at = &self->waiters; *at; at = &(*at)->next) {
        struct waiter *waiter = *at;
        if (waiter->seq == seq) {
            *at = waiter->next;
            waiter->fd = reply->fd;
            waiter->bytes = reply->bytes;
            memcpy(waiter->packet, reply->packet, (size_t)reply->bytes);
            waiter->done = true;
            return;
        }
    }
    if (reply->fd >= 0) {
        close(reply->fd);
    }
}

/*  A store mostly answers sooner than a processor goes to sleep and wakes up. */
static void linger(int fd)
{
    struct pollfd reply = { fd, POLLIN, 0 };
    uint64_t until_us = clock_us() + LINGER_US;
    while (poll(&reply, 1, 0) == 0 && clock_us() < until_us) {
        sched_yield(); /* the store may be on this processor */
    }
}

/*  Something comes before it is time. */
static bool readable(int fd, uint64_t until_us)
{
    linger(fd);
    uint64_t now_us = until_us != UINT64_MAX ? clock_us() : 0;
    uint64_t left_ms = until_us > now_us ? (until_us - now_us + 999) / 1000 : 0;
    struct pollfd reply = { fd, POLLIN, 0 };
    return until_us == UINT64_MAX ||
           poll(&reply, 1, left_ms < INT_MAX ? (int)left_ms : INT_MAX) > 0;
}

/*  With the lock, which others get meanwhile. */
static void read_one(struct local_store *self, uint64_t until_us)
{
    struct waiter reply;
    struct msg msg;
    self->reading = true;
    pthread_mutex_unlock(&self->lock);
    bool came = readable(self->fd, until_us), understood = false;
    if (came) {
        reply.bytes = local_receive(self->fd, reply.packet, &reply.fd);
        understood = reply.bytes > 0 &&
                     proto_decode(slice_of(reply.packet, (size_t)reply.bytes), &msg, NULL) == OK;
    }
    pthread_mutex_lock(&self->lock);
    self->reading = false;
    if (understood) {
        hand_over(self, &reply, msg.as.seq);
    } else {
        self->broken = self->broken || came;
    }
    pthread_cond_broadcast(&self->changed);
}

/*  With the lock: until something has come for somebody, or it is time. */
static void await(struct local_store *self, uint64_t until_us)
{
    struct timespec until = { (time_t)(until_us / 1000000), (long)(until_us % 1000000) * 1000 };
    if (!self->reading) {
        read_one(self, until_us);
    } else if (until_us == UINT64_MAX) {
        pthread_cond_wait(&self->changed, &self->lock);
    } else {
        pthread_cond_timedwait(&self->changed, &self->lock, &until);
    }
}

struct request {
    enum msg_kind kind;
    void *msg;
    /*  of clock_us(): the store is told to answer now what it cannot answer before */
    uint64_t until_us;
};

/*  The reply borrows from `waiter`. */
static int ask(struct local_store *self, const struct request *request, struct waiter *waiter,
               struct msg *out)
{
    uint64_t until_us = request->until_us;
    pthread_mutex_lock(&self->lock);
    waiter->seq = ++self->seq;
    waiter->done = false;
    waiter->fd = -1;
    memcpy(request->msg, &waiter->seq, sizeof(waiter->seq)); /* every message starts with it */
    self->broken = self->broken || !send_message(self, request->kind, request->msg);
    waiter->next = self->waiters;
    self->waiters = waiter;
    while (!waiter->done && !self->broken) {
        if (clock_us() >= until_us) {
            struct msg_store_stop stop = { .get = waiter->seq };
            self->broken = !send_message(self, MSG_STORE_STOP, &stop);
            until_us = UINT64_MAX;
        } else {
            await(self, until_us);
        }
    }
    if (!waiter->done) {
        struct waiter **at = &self->waiters;
        while (*at != waiter) {
            at = &(*at)->next;
        }
        *at = waiter->next;
    }
    pthread_mutex_unlock(&self->lock);
    return waiter->done ? proto_decode(slice_of(waiter->packet, (size_t)waiter->bytes), out, NULL)
                        : ERR_CLOSED;
}

static void release_hold(struct local_store *self, uint32_t hold)
{
    struct msg_store_release msg = { .hold = hold };
    pthread_mutex_lock(&self->lock);
    if (!self->closed) {
        self->broken = self->broken || !send_message(self, MSG_STORE_RELEASE, &msg);
    }
    pthread_mutex_unlock(&self->lock);
}

/* --- memory ----------------------------------------------------------------------------------------------- */

static void drop_mapping(struct local_store *self, struct mapping *mapping)
{
    struct mapping **at = &self->mappings;
    while (*at != mapping) {
        at = &(*at)->next;
    }
    *at = mapping->next;
    munmap(mapping->p, mapping->bytes);
    free(mapping);
}

static void drop_oldest_idle(struct local_store *self)
{
    struct mapping *oldest = NULL;
    for (struct mapping *mapping = self->mappings; mapping; mapping = mapping->next) {
        oldest = mapping->users == 0 ? mapping : oldest;
    }
    drop_mapping(self, oldest);
    self->idle--;
}

/*  One that can be used as it is, put to the front; NULL: none. */
static struct mapping *find_mapping(struct local_store *self, uint64_t segment, bool write)
{
    for (struct mapping **at = &self->mappings; *at; at = &(*at)->next) {
        struct mapping *mapping = *at;
        if (mapping->segment == segment && (mapping->writable || !write)) {
            *at = mapping->next;
            mapping->next = self->mappings;
            self->mappings = mapping;
            return mapping;
        }
    }
    return NULL;
}

static struct mapping *new_mapping(struct local_store *self, const struct msg_store_memory *memory,
                                   int fd, bool write)
{
    int protection = write ? PROT_READ | PROT_WRITE : PROT_READ;
    void *p = mmap(NULL, memory->bytes, protection, MAP_SHARED, fd, 0);
    if (p == MAP_FAILED) {
        return NULL;
    }
    struct mapping *mapping = malloc(sizeof(*mapping));
    ensure(mapping != NULL);
    *mapping = (struct mapping){ .next = self->mappings,
                                 .segment = memory->segment,
                                 .bytes = memory->bytes,
                                 .p = p,
                                 .writable = write };
    self->mappings = mapping;
    self->idle++;
    return mapping;
}

/*  The segment, mapped; NULL: it cannot be. */
static struct mapping *map(struct local_store *self, const struct msg_store_memory *memory, int fd,
                           bool write)
{
    pthread_mutex_lock(&self->lock);
    struct mapping *mapping = find_mapping(self, memory->segment, write);
    bool known = mapping != NULL;
    bool fits = memory->bytes > STORED_LEAD && memory->size < memory->bytes - STORED_LEAD;
    if (!known && fits && fd >= 0) {
        mapping = new_mapping(self, memory, fd, write);
    }
    if (mapping != NULL && known && write) {
        ensure(mprotect(mapping->p, mapping->bytes, PROT_READ | PROT_WRITE) == 0);
    }
    if (mapping != NULL) {
        self->idle -= mapping->users++ == 0;
        self->users++;
    }
    pthread_mutex_unlock(&self->lock);
    if (mapping != NULL && !known && write) { /* at once: one page fault is dearer than a page */
        uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE);
        uint64_t used = (STORED_LEAD + memory->size + page) / page * page;
        (void)madvise(mapping->p, used < memory->bytes ? used : memory->bytes, MADV_POPULATE_WRITE);
    }
    return mapping;
}

void local_store_take(struct local_store *self)
{
    pthread_mutex_lock(&self->lock);
    self->users++;
    pthread_mutex_unlock(&self->lock);
}

void local_store_give(struct local_store *self)
{
    pthread_mutex_lock(&self->lock);
    bool last = --self->users == 0;
    pthread_mutex_unlock(&self->lock);
    if (last) {
        close(self->fd);
        pthread_cond_destroy(&self->changed);
        pthread_mutex_destroy(&self->lock);
        free(self);
    }
}

static void unmap(struct local_store *self, struct mapping *mapping)
{
    pthread_mutex_lock(&self->lock);
    self->idle += --mapping->users == 0;
    while (self->idle > (self->closed ? 0 : MAPPINGS_IDLE_MAX)) {
        drop_oldest_idle(self);
    }
    pthread_mutex_unlock(&self->lock);
    local_store_give(self);
}

/*  Its answer, mapped. */
static int get_memory(struct local_store *self, const struct request *request,
                      struct msg_store_memory *memory, struct mapping **mapping)
{
    struct waiter waiter;
    struct msg msg;
    int rc = ask(self, request, &waiter, &msg);
    bool memory_came = rc == OK && msg.kind == MSG_STORE_MEMORY;
    rc = rc != OK ? rc : memory_came ? msg.as.store_memory.code : ERR_FRAME;
    if (rc == OK) {
        *memory = msg.as.store_memory;
        *mapping = map(self, memory, waiter.fd, request->kind == MSG_STORE_CREATE);
        if (*mapping == NULL) {
            release_hold(self, memory->hold);
            rc = ERR_MEMORY;
        }
    }
    if (waiter.fd >= 0) {
        close(waiter.fd);
    }
    return rc;
}

/* --- values ----------------------------------------------------------------------------------------------- */

int local_store_create(struct local_store *self, uint64_t size, struct local_buffer *out)
{
    struct msg_store_create create = { .size = size };
    const struct request request = { MSG_STORE_CREATE, &create, UINT64_MAX };
    struct msg_store_memory memory;
    struct mapping *mapping;
    int rc = get_memory(self, &request, &memory, &mapping);
    if (rc == OK) {
        *out = (struct local_buffer){ self, mapping->p + STORED_LEAD, memory.size, memory.hold,
                                      mapping };
    }
    return rc;
}

/*  Whoever writes to it from now on has a bug, and is told so by a signal. */
static void protect(const struct local_buffer *buffer)
{
    ensure(mprotect(buffer->mapping->p, buffer->mapping->bytes, PROT_READ) == 0);
}

int local_store_seal(struct local_buffer *buffer, uint64_t task, uint32_t index)
{
    struct msg_store_seal seal = { .hold = buffer->hold, .task = task, .index = index };
    const struct request request = { MSG_STORE_SEAL, &seal, UINT64_MAX };
    struct local_store *self = buffer->store;
    struct waiter waiter;
    struct msg msg;
    protect(buffer);
    int rc = self->closed ? ERR_CLOSED : ask(self, &request, &waiter, &msg);
    unmap(self, buffer->mapping);
    *buffer = (struct local_buffer){ 0 };
    return rc != OK ? rc : msg.kind == MSG_STORE_DONE ? msg.as.store_done.code : ERR_FRAME;
}

void local_store_abort(struct local_buffer *buffer)
{
    if (buffer->store != NULL) {
        protect(buffer);
        release_hold(buffer->store, buffer->hold);
        unmap(buffer->store, buffer->mapping);
        *buffer = (struct local_buffer){ 0 };
    }
}

int local_store_view(struct local_store *self, uint64_t task, uint32_t index, uint64_t until_us,
                     struct local_view *out)
{
    struct msg_store_get get = { .task = task, .index = index };
    const struct request request = { MSG_STORE_GET, &get, until_us };
    struct msg_store_memory memory;
    struct mapping *mapping;
    int rc = get_memory(self, &request, &memory, &mapping);
    if (rc == OK) {
        *out = (struct local_view){ self, slice_of(mapping->p + STORED_LEAD, memory.size),
                                    memory.hold, mapping };
    }
    return rc;
}

void local_store_release(struct local_view *view)
{
    if (view->store != NULL) {
        release_hold(view->store, view->hold);
        unmap(view->store, view->mapping);
        *view = (struct local_view){ 0 };
    }
}

const char *local_store_why(int code)
{
    switch (code) {
    case ERR_FULL:
        return "the object store of this node is full of values in use, and its disk takes no more";
    case ERR_NOT_FOUND:
        return "the object store of this node has no such value";
    case ERR_CLOSED:
        return "the worker of this node, which has its object store, has ended";
    case ERR_TIMEOUT:
        return "it has not come from another node yet";
    case ERR_BUSY:
        return "this process has too many values in the object store at a time";
    default:
        return err_text(code);
    }
}

/* --- opening ---------------------------------------------------------------------------------------------- */

static int greet(struct local_store *self, const struct local_store_config *config)
{
    uint8_t hash[TOKEN_HASH_BYTES];
    struct msg_store_open open = { .key = slice_text(config->key) };
    const struct request request = { MSG_STORE_OPEN, &open, UINT64_MAX };
    struct waiter waiter;
    struct msg msg;
    if (config->key[0] == 0) {
        token_hash(config->token, hash);
        open.hash = slice_of(hash, sizeof(hash));
    }
    int rc = ask(self, &request, &waiter, &msg);
    if (rc != OK || msg.kind != MSG_STORE_OPENED) {
        return rc != OK ? rc : ERR_FRAME;
    }
    const struct msg_store_opened *opened = &msg.as.store_opened;
    self->node = opened->node;
    bool other =
        config->cluster[0] != 0 && !slice_same(opened->cluster, slice_text(config->cluster));
    return opened->code != OK ? opened->code : other ? ERR_CONFLICT : OK;
}

static void init_changed(struct local_store *self)
{
    pthread_condattr_t monotonic;
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&self->changed, &monotonic);
    pthread_condattr_destroy(&monotonic);
}

int local_store_open(struct local_store **out, const struct local_store_config *config)
{
    int fd = local_connect(config->path);
    *out = NULL;
    if (fd < 0) {
        return fd;
    }
    struct local_store *self = calloc(1, sizeof(*self));
    ensure(self != NULL);
    self->fd = fd;
    self->users = 1;
    pthread_mutex_init(&self->lock, NULL);
    init_changed(self);
    int rc = greet(self, config);
    *out = self;
    if (rc != OK) {
        local_store_close(out);
    }
    return rc;
}

void local_store_close(struct local_store **self_p)
{
    struct local_store *self = *self_p;
    if (self == NULL) {
        return;
    }
    *self_p = NULL;
    pthread_mutex_lock(&self->lock);
    self->closed = true;
    while (self->idle > 0) {
        drop_oldest_idle(self);
    }
    (void)shutdown(self->fd, SHUT_RDWR); /* the worker releases all that it gave */
    pthread_mutex_unlock(&self->lock);
    local_store_give(self);
}

uint64_t local_store_node(const struct local_store *self)
{
    return self->node;
}

bool local_store_broken(struct local_store *self)
{
    pthread_mutex_lock(&self->lock);
    bool broken = self->broken;
    pthread_mutex_unlock(&self->lock);
    return broken;
}
