/*  carry_give.c - a ROUTER that gives chunks of what this node's store has, straight from the store's memory, takes those
    of what is put (carry_take.c), and ZAP, which lets in only who has the pair of members. */
#include "worker/carry_state.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sodium.h>
#include <sys/mman.h>
#include "common/log.h"

enum {
    TAKES_PER_TURN = 256,
    WAITING_MAX = 1024,
    WAIT_MS = 10000, /* a request that waits is refused after that: whoever asked asks again */
    LENT_MS = 5000, /* an object stays pinned and its hashes known so long after the last request */
    OUT_MAX = 4096, /* messages of one object */
    GET_BYTES_MAX = 4096,
    KEY_BYTES = 32
};

/* --- open and close --------------------------------------------------------------------------------------- */

static bool set_options(struct carry *self)
{
    const struct {
        int name, value;
    } options[] = {
        { ZMQ_LINGER, 0 },           { ZMQ_SNDHWM, 0 },
        { ZMQ_RCVHWM, 0 },           { ZMQ_ROUTER_MANDATORY, 1 },
        { ZMQ_HEARTBEAT_IVL, 2000 }, { ZMQ_HEARTBEAT_TIMEOUT, 6000 },
        { ZMQ_HANDSHAKE_IVL, 5000 }, { ZMQ_IPV6, strchr(self->options.endpoint, '[') != NULL },
        { ZMQ_CURVE_SERVER, 1 }
    }; /* last: only with a key */
    const int64_t largest = CARRY_CHUNK + GET_BYTES_MAX;
    size_t count = COUNT(options) - (self->options.key ? 0 : 1);
    for (size_t i = 0; i < count; i++) {
        if (zmq_setsockopt(self->router, options[i].name, &options[i].value, sizeof(int)) != 0) {
            return false;
        }
    }
    if (self->options.key &&
        (zmq_setsockopt(self->router, ZMQ_CURVE_SECRETKEY, self->own.secret_text,
                        sizeof(self->own.secret_text)) != 0 ||
         zmq_setsockopt(self->router, ZMQ_ZAP_DOMAIN, "rayc", 4) != 0)) {
        return false;
    }
    return zmq_setsockopt(self->router, ZMQ_MAXMSGSIZE, &largest, sizeof(largest)) == 0;
}

static bool open_zap(struct carry *self)
{
    self->zap = zmq_socket(self->context, ZMQ_REP);
    return self->zap && zmq_bind(self->zap, "inproc://zeromq.zap.01") == 0;
}

int give_open(struct carry *self)
{
    char endpoint[CARRY_ADDRESS_BYTES - sizeof(self->own.public_text)];
    size_t n = sizeof(endpoint);
    const struct member_key *key = self->options.key;
    key_new(&self->own);
    self->context = zmq_ctx_new();
    self->router = self->context ? zmq_socket(self->context, ZMQ_ROUTER) : NULL;
    if (!self->router || !set_options(self) || (key && !open_zap(self)) ||
        zmq_bind(self->router, self->options.endpoint) != 0 ||
        zmq_getsockopt(self->router, ZMQ_LAST_ENDPOINT, endpoint, &n) != 0) {
        log_error("carry.open", "address=%s error=\"%s\"", self->options.endpoint,
                  zmq_strerror(errno));
        return ERR_SYSTEM;
    }
    snprintf(self->address, sizeof(self->address), "%s%s%s", endpoint, key ? " " : "",
             key ? self->own.public_text : "");
    return OK;
}

static void free_lent(struct carry *self, struct lent *lent)
{
    if (lent->view.memory) {
        munmap(lent->view.memory, lent->view.bytes);
    }
    if (lent->code == OK) {
        self->options.store.unpin(self->options.store.context, lent->pin);
    }
    free(lent->hashes);
    free(lent->known);
    free(lent);
}

void give_close(struct carry *self)
{
    void *sockets[] = { self->router, self->zap };
    for (size_t i = 0; i < COUNT(sockets); i++) {
        if (sockets[i]) {
            zmq_close(sockets[i]);
        }
    }
    while (self->context && zmq_ctx_term(self->context) != 0 && errno == EINTR) {}
    for (struct lent *lent; (lent = self->lents) != NULL;) { /* ZeroMQ has nothing of it any more */
        self->lents = lent->next;
        free_lent(self, lent);
    }
    for (struct waiting *get; (get = self->waiting) != NULL;) {
        self->waiting = get->next;
        free(get);
    }
    take_close(self);
}

/* --- who is let in ---------------------------------------------------------------------------------------- */

/*  RFC 27: version, request id, domain, address, identity, mechanism, key. */
static void answer_zap(struct carry *self)
{
    enum { VERSION, REQUEST, DOMAIN, ADDRESS, IDENTITY, MECHANISM, KEY, PARTS };
    struct {
        char bytes[256];
        int n;
    } parts[PARTS] = { { { 0 }, 0 } };
    uint8_t members[KEY_BYTES];
    int more = 1, count = 0;
    size_t size = sizeof(more);
    for (char rest[256]; more; count++) {
        bool known = count < PARTS;
        int n = zmq_recv(self->zap, known ? parts[count].bytes : rest, sizeof(rest), 0);
        ensure(n >= 0 && zmq_getsockopt(self->zap, ZMQ_RCVMORE, &more, &size) == 0);
        if (known) {
            parts[count].n = n;
        }
    }
    bool good = count == PARTS && parts[KEY].n == KEY_BYTES &&
                zmq_z85_decode(members, self->options.key->own.public_text) != NULL &&
                sodium_memcmp(members, parts[KEY].bytes, KEY_BYTES) == 0;
    if (!good) {
        log_warn("carry.refused", "why=\"not a key of members\"");
    }
    zmq_send(self->zap, "1.0", 3, ZMQ_SNDMORE);
    zmq_send(self->zap, parts[REQUEST].bytes, (size_t)parts[REQUEST].n, ZMQ_SNDMORE);
    zmq_send(self->zap, good ? "200" : "400", 3, ZMQ_SNDMORE);
    zmq_send(self->zap, "", 0, ZMQ_SNDMORE);
    zmq_send(self->zap, good ? "member" : "", good ? 6 : 0, ZMQ_SNDMORE);
    zmq_send(self->zap, "", 0, 0);
}

static bool has_input(void *socket)
{
    int events = 0;
    size_t n = sizeof(events);
    return socket && zmq_getsockopt(socket, ZMQ_EVENTS, &events, &n) == 0 &&
           (events & ZMQ_POLLIN) != 0;
}

/* --- what is given ---------------------------------------------------------------------------------------- */

static struct lent *find_lent(struct carry *self, const struct waiting *get, uint64_t user)
{
    struct lent *lent = self->lents;
    while (lent && (lent->task != get->task || lent->index != get->index || lent->user != user)) {
        lent = lent->next;
    }
    return lent;
}

static void on_ready(struct carry *self, struct lent *lent, int code)
{
    const struct carry_store *store = &self->options.store;
    bool pinned = code == OK;
    if (code == PULLS_LATER) {
        return;
    }
    code = pinned ? store->view(store->context, lent->pin, &lent->view) : code;
    if (code == OK) {
        lent->chunks = chunk_count(lent->view.value.n);
        lent->hashes = calloc(lent->chunks, sizeof(*lent->hashes));
        lent->known = calloc(lent->chunks, 1);
        ensure(lent->hashes && lent->known);
    } else if (pinned) {
        store->unpin(store->context, lent->pin);
    }
    lent->ready = true;
    lent->code = code;
}

static struct lent *lend(struct carry *self, const struct waiting *get, uint64_t user)
{
    const struct carry_store *store = &self->options.store;
    struct lent *lent = calloc(1, sizeof(*lent));
    ensure(lent != NULL);
    lent->task = get->task;
    lent->index = get->index;
    lent->user = user;
    lent->next = self->lents;
    self->lents = lent;
    on_ready(self, lent, store->get(store->context, user, get->task, get->index, &lent->pin));
    return lent;
}

/*  ZeroMQ's thread is through with a chunk. */
static void on_sent(void *data, void *lent)
{
    (void)data;
    atomic_fetch_sub(&((struct lent *)lent)->out, 1);
}

static void hash_chunk(struct lent *lent, uint32_t chunk)
{
    if (!lent->known[chunk]) {
        lent->known[chunk] = 1;
        lent->hashes[chunk] =
            chunk_hash(slice_of(lent->view.value.p + (uint64_t)chunk * CARRY_CHUNK,
                                chunk_bytes(lent->view.value.n, chunk)));
        if (++lent->known_count == lent->chunks) {
            lent->whole = chunk_hash_whole(lent->hashes, lent->chunks);
        }
    }
}

/*  The head of an answer; with `more`, bytes follow.  False: whoever asked is gone. */
static bool send_head(struct carry *self, const struct waiting *get, struct msg_carry_data *data,
                      bool more)
{
    uint8_t bytes[512];
    struct wire frame = { bytes, 0, sizeof(bytes), false };
    data->seq = get->seq;
    proto_put(&frame, MSG_CARRY_DATA, data);
    ensure(!frame.full);
    return zmq_send(self->router, get->peer, PEER_ID_BYTES, ZMQ_SNDMORE | ZMQ_DONTWAIT) >= 0 &&
           zmq_send(self->router, frame.p, frame.n, (more ? ZMQ_SNDMORE : 0) | ZMQ_DONTWAIT) >= 0;
}

static void refuse(struct carry *self, const struct waiting *get, int code, const char *text)
{
    struct msg_carry_data data = { .code = code, .text = slice_text(text) };
    (void)send_head(self, get, &data, false);
}

static void give(struct carry *self, const struct waiting *get, struct lent *lent)
{
    struct msg_carry_data data = { .code = OK };
    uint32_t chunk = (uint32_t)(get->offset / CARRY_CHUNK);
    bool whole = get->offset == lent->view.value.n;
    for (uint32_t i = 0; whole && i < lent->chunks; i++) {
        hash_chunk(lent, i);
    }
    if (!whole) {
        hash_chunk(lent, chunk);
        data.hash = slice_of(&lent->hashes[chunk], CARRY_HASH_BYTES);
    }
    if (lent->known_count == lent->chunks) {
        data.whole = slice_of(&lent->whole, CARRY_HASH_BYTES);
    }
    if (!send_head(self, get, &data, !whole) || whole) {
        return;
    }
    zmq_msg_t bytes;
    atomic_fetch_add(&lent->out, 1);
    if (zmq_msg_init_data(&bytes, (void *)(uintptr_t)(lent->view.value.p + get->offset),
                          chunk_bytes(lent->view.value.n, chunk), on_sent, lent) != 0) {
        atomic_fetch_sub(&lent->out, 1);
        zmq_msg_init(&bytes); /* the second part is due: an empty one has a wrong hash */
    }
    if (zmq_msg_send(&bytes, self->router, ZMQ_DONTWAIT) < 0) {
        zmq_msg_close(&bytes);
    }
}

/*  OK: it is answered.  PULLS_LATER: it waits. */
static int answer(struct carry *self, const struct waiting *get)
{
    uint32_t role = 0;
    uint64_t user = 0;
    int code = carry_bearer(self, get->token, &role, &user);
    if (code == PULLS_LATER) {
        return code;
    }
    if (code != OK || (role != ROLE_WORKER && role != ROLE_ADMIN && role != ROLE_USER)) {
        refuse(self, get, code != OK ? code : ERR_FORBIDDEN,
               "this token gives no right to objects");
        return OK;
    }
    user = role == ROLE_USER ? user : role == ROLE_WORKER ? get->user : 0;
    struct lent *lent = find_lent(self, get, user);
    lent = lent ? lent : lend(self, get, user);
    lent->used_ms = self->now_ms;
    if (!lent->ready) {
        return PULLS_LATER;
    }
    bool fits = get->offset == lent->view.value.n ||
                (get->offset < lent->view.value.n && get->offset % CARRY_CHUNK == 0);
    if (lent->code != OK) {
        refuse(self, get, lent->code,
               lent->code == ERR_NOT_FOUND ? "this node does not have it" : err_text(lent->code));
    } else if (lent->view.value.n != get->size || !fits) {
        refuse(self, get, ERR_CONFLICT, "this node has it in another size");
    } else if (atomic_load(&lent->out) >= OUT_MAX) {
        refuse(self, get, ERR_BUSY, "");
    } else {
        give(self, get, lent);
    }
    return OK;
}

/* --- turns ------------------------------------------------------------------------------------------------ */

static void on_get(struct carry *self, const uint8_t peer[PEER_ID_BYTES],
                   const struct msg_carry_get *from)
{
    struct waiting get = { .seq = from->seq,
                           .task = from->task,
                           .index = from->index,
                           .size = from->size,
                           .offset = from->offset,
                           .user = from->user,
                           .since_ms = self->now_ms };
    memcpy(get.peer, peer, PEER_ID_BYTES);
    crypto_generichash(get.token, sizeof(get.token), from->token.p, from->token.n, NULL, 0);
    if (answer(self, &get) == OK) {
        return;
    }
    if (self->waiting_count == WAITING_MAX) {
        refuse(self, &get, ERR_BUSY, "");
        return;
    }
    struct waiting *kept = malloc(sizeof(*kept));
    ensure(kept != NULL);
    *kept = get;
    kept->next = self->waiting;
    self->waiting = kept;
    self->waiting_count++;
}

static void on_put(struct carry *self, const uint8_t peer[PEER_ID_BYTES],
                   const struct msg_carry_put *put, struct slice data)
{
    uint8_t bytes[512];
    struct wire frame = { bytes, 0, sizeof(bytes), false };
    const char *text;
    int code = take_chunk(self, put, data, &text);
    proto_put(&frame, MSG_CARRY_TOOK, &(struct msg_carry_took){ put->seq, code, slice_text(text) });
    ensure(!frame.full);
    if (zmq_send(self->router, peer, PEER_ID_BYTES, ZMQ_SNDMORE | ZMQ_DONTWAIT) >= 0) {
        (void)zmq_send(self->router, frame.p, frame.n, ZMQ_DONTWAIT);
    }
}

/*  A peer that speaks otherwise is not answered. */
static void on_request(struct carry *self, const uint8_t peer[PEER_ID_BYTES], struct slice head,
                       struct slice bytes)
{
    struct msg msg;
    if (head.n > GET_BYTES_MAX || proto_decode(head, &msg, NULL) != OK) {
        return;
    }
    if (msg.kind == MSG_CARRY_GET) {
        on_get(self, peer, &msg.as.carry_get);
    } else if (msg.kind == MSG_CARRY_PUT) {
        on_put(self, peer, &msg.as.carry_put, bytes);
    }
}

/*  A request, and maybe bytes. */
static bool take_request(struct carry *self)
{
    uint8_t peer[PEER_ID_BYTES];
    zmq_msg_t head, bytes;
    int n = zmq_recv(self->router, peer, sizeof(peer), ZMQ_DONTWAIT);
    if (n < 0) {
        return false;
    }
    zmq_msg_init(&head);
    zmq_msg_init(&bytes);
    bool good = zmq_msg_recv(&head, self->router, ZMQ_DONTWAIT) >= 0 && n == PEER_ID_BYTES;
    bool more = zmq_msg_more(&head);
    good = good && (!more || zmq_msg_recv(&bytes, self->router, ZMQ_DONTWAIT) >= 0);
    more = more && (!good || zmq_msg_more(&bytes));
    while (more) { /* no request has more parts: drop it all */
        good = false;
        more = zmq_msg_recv(&bytes, self->router, ZMQ_DONTWAIT) >= 0 && zmq_msg_more(&bytes);
    }
    if (good) {
        on_request(self, peer, slice_of(zmq_msg_data(&head), zmq_msg_size(&head)),
                   slice_of(zmq_msg_data(&bytes), zmq_msg_size(&bytes)));
    }
    zmq_msg_close(&head);
    zmq_msg_close(&bytes);
    return true;
}

static void answer_waiting(struct carry *self)
{
    for (struct waiting **at = &self->waiting; *at;) {
        struct waiting *get = *at;
        bool over = answer(self, get) == OK;
        if (!over && self->now_ms >= get->since_ms + WAIT_MS) {
            refuse(self, get, ERR_BUSY, "");
            over = true;
        }
        if (over) {
            *at = get->next;
            self->waiting_count--;
            free(get);
        } else {
            at = &get->next;
        }
    }
}

/*  Pins that come true, and those that are needed no more. */
static void look_at_lents(struct carry *self)
{
    const struct carry_store *store = &self->options.store;
    for (struct lent **at = &self->lents; *at;) {
        struct lent *lent = *at;
        if (!lent->ready) {
            on_ready(self, lent, store->ready(store->context, lent->pin));
        }
        bool over = lent->ready && atomic_load(&lent->out) == 0 &&
                    (lent->code != OK || self->now_ms >= lent->used_ms + LENT_MS);
        if (over) {
            *at = lent->next;
            free_lent(self, lent);
        } else {
            at = &lent->next;
        }
    }
}

void give_turn(struct carry *self)
{
    while (has_input(self->zap)) {
        answer_zap(self);
    }
    for (int i = 0; i < TAKES_PER_TURN && take_request(self); i++) {}
    look_at_lents(self);
    answer_waiting(self);
    take_turn(self);
    look_at_lents(self); /* what could not be given is not kept */
}

bool give_busy(const struct carry *self)
{
    return self->lents || self->waiting || self->uploads;
}
