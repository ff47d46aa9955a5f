/*  store_socket.c - one thread, which sleeps in epoll.  What the store cannot do at once is asked for again when it says
    that it has news; meanwhile its client waits, and nobody else. */
#include "worker/store_socket.h"
#include <errno.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>
#include "common/hash.h"
#include "common/local_socket.h"
#include "common/log.h"
#include "worker/store_socket_state.h"

enum { KEY_LETTERS = 32, NEWS_PER_WAIT = 64, REPLY_BYTES = 1024 };
/*  Of our questions to the head: it answers others of this worker, too. */
#define SEQ_OURS (1ull << 62)
/*  data.u64 of epoll; smaller ones are numbers of clients. */
enum { FROM_LISTENER = 1u << 30, FROM_STORE, FROM_LOOP };

/* --- replies ---------------------------------------------------------------------------------------------- */

/*  A client that does not read its replies is given up. */
static void reply(struct client *client, enum msg_kind kind, const void *msg, int passed)
{
    uint8_t bytes[REPLY_BYTES];
    struct wire frame = { bytes, 0, sizeof(bytes), false };
    proto_put(&frame, kind, msg);
    ensure(!frame.full);
    if (client->fd >= 0 && !local_send(client->fd, slice_of(frame.p, frame.n), passed)) {
        (void)shutdown(client->fd, SHUT_RDWR); /* it reads as ended */
    }
}

static const char *why_not(int code)
{
    switch (code) {
    case ERR_NOT_FOUND:
        return "the store of this node has no such value";
    case ERR_FULL:
        return "the object store is full of values in use, and its disk takes no more";
    case ERR_BUSY:
        return "it has too many values at a time";
    case ERR_TOO_LARGE:
        return "no store could have a value of this size";
    default:
        return err_text(code);
    }
}

void store_refuse(struct client *client, uint64_t seq, int code)
{
    reply(client, MSG_STORE_MEMORY,
          &(struct msg_store_memory){ .seq = seq, .code = code, .text = slice_text(why_not(code)) },
          -1);
}

/* --- what a client has ------------------------------------------------------------------------------------ */

uint32_t store_take_hold(struct client *client)
{
    if (client->hold_free == NONE) {
        uint32_t count = client->hold_count ? 2 * client->hold_count : 8;
        struct hold *grown = realloc(client->holds, count * sizeof(*grown));
        ensure(grown != NULL);
        client->holds = grown;
        for (uint32_t i = count; i-- > client->hold_count;) {
            grown[i] = (struct hold){ .next = client->hold_free };
            client->hold_free = i;
        }
        client->hold_count = count;
    }
    uint32_t index = client->hold_free;
    client->hold_free = client->holds[index].next;
    client->held++;
    return index;
}

void store_free_hold(struct client *client, uint32_t index)
{
    struct hold *hold = &client->holds[index];
    client->held--;
    client->buffers -= hold->buffer;
    client->waiting -= hold->seq != 0;
    *hold = (struct hold){ .next = client->hold_free };
    client->hold_free = index;
}

static struct hold *hold_at(struct client *client, uint32_t index)
{
    return index < client->hold_count && client->holds[index].used ? &client->holds[index] : NULL;
}

static void release(struct store_socket *self, struct client *client, uint32_t index)
{
    const struct hold *hold = &client->holds[index];
    if (hold->buffer) {
        node_store_abort(self->store, hold->number);
    } else if (!hold->absent) {
        node_store_unpin(self->store, hold->number);
    }
    store_free_hold(client, index);
}

static void give_memory(struct store_socket *self, struct client *client, uint32_t index,
                        uint64_t seq)
{
    struct node_mapping mapping;
    int fd = node_store_map(self->store, client->holds[index].number, &mapping);
    if (fd < 0) {
        release(self, client, index);
        store_refuse(client, seq, ERR_SYSTEM);
        return;
    }
    reply(client, MSG_STORE_MEMORY,
          &(struct msg_store_memory){ .seq = seq,
                                      .hold = index,
                                      .segment = mapping.segment,
                                      .bytes = mapping.bytes,
                                      .size = mapping.size },
          fd);
    close(fd);
}

/*  `rc`: what the store said to the request. */
static void hold(struct store_socket *self, struct client *client, const struct hold *wanted,
                 int rc)
{
    if (rc < 0) {
        store_refuse(client, wanted->seq, rc);
        return;
    }
    uint32_t index = store_take_hold(client);
    client->holds[index] = *wanted;
    client->buffers += wanted->buffer;
    if (rc == NODE_STORE_LATER) {
        client->waiting++;
    } else {
        client->holds[index].seq = 0;
        give_memory(self, client, index, wanted->seq);
    }
}

/*  What waited may be there. */
static void look_again(struct store_socket *self, struct client *client)
{
    for (uint32_t i = 0; i < client->hold_count && client->waiting > 0; i++) {
        const struct hold *late = &client->holds[i];
        uint64_t seq = late->used && !late->absent ? late->seq : 0;
        int rc =
            seq != 0 ? node_store_ready(self->store, client->holds[i].number) : NODE_STORE_LATER;
        if (rc < 0) {
            store_free_hold(client, i);
            store_refuse(client, seq, rc);
        } else if (rc == OK) {
            client->holds[i].seq = 0;
            client->waiting--;
            give_memory(self, client, i, seq);
        }
    }
}

/* --- who a client is -------------------------------------------------------------------------------------- */

/*  With the lock. */
static void open_as(struct store_socket *self, struct client *client, uint64_t user, int code)
{
    client->user = user;
    client->asks = client->answered = false;
    struct msg_store_opened msg = { .seq = client->open_seq,
                                    .code = code,
                                    .node = self->node,
                                    .cluster = slice_text(self->cluster) };
    reply(client, MSG_STORE_OPENED, &msg, -1);
}

static uint64_t user_of_key(const struct store_socket *self, struct slice key)
{
    for (uint32_t i = 0; i < self->key_count; i++) {
        struct slice known = slice_text(self->keys[i].key);
        if (known.n == key.n && sodium_memcmp(known.p, key.p, key.n) == 0) {
            return self->keys[i].user;
        }
    }
    return 0;
}

static void on_store_open(struct store_socket *self, struct client *client,
                          const struct msg_store_open *msg)
{
    pthread_mutex_lock(&self->lock);
    client->open_seq = msg->seq;
    uint64_t user = user_of_key(self, msg->key);
    bool asks = user == 0 && msg->hash.n == TOKEN_HASH_BYTES;
    if (asks && self->node != 0) {
        memcpy(client->hash, msg->hash.p, TOKEN_HASH_BYTES);
        client->asks = true;
        client->asked = client->answered = false;
        (void)eventfd_write(self->loop_fd, 1);
    } else {
        open_as(self, client, user, user != 0 ? OK : asks ? ERR_UNREACHABLE : ERR_FORBIDDEN);
    }
    pthread_mutex_unlock(&self->lock);
}

/*  The head has said who they are. */
static void take_answers(struct store_socket *self)
{
    pthread_mutex_lock(&self->lock);
    for (uint32_t i = 0; i < self->client_count; i++) {
        struct client *client = &self->clients[i];
        if (client->fd >= 0 && client->answered) {
            open_as(self, client, client->user_answered,
                    client->user_answered != 0 ? OK : ERR_TOKEN);
        }
    }
    pthread_mutex_unlock(&self->lock);
}

void store_socket_key(struct store_socket *self, uint64_t user, char key[STORE_KEY_BYTES])
{
    char letters[KEY_LETTERS + 1];
    pthread_mutex_lock(&self->lock);
    uint32_t i = 0;
    while (i < self->key_count && self->keys[i].user != user) {
        i++;
    }
    if (i == self->key_count) {
        struct user_key *grown = realloc(self->keys, (i + 1) * sizeof(*grown));
        ensure(grown != NULL);
        self->keys = grown;
        self->key_count++;
        grown[i].user = user;
        random_text(letters, KEY_LETTERS);
        snprintf(grown[i].key, sizeof(grown[i].key), "%llu-%s", (unsigned long long)user, letters);
    }
    memcpy(key, self->keys[i].key, STORE_KEY_BYTES);
    pthread_mutex_unlock(&self->lock);
}

void store_socket_joined(struct store_socket *self, uint64_t node, const char *cluster)
{
    pthread_mutex_lock(&self->lock);
    self->node = node;
    snprintf(self->cluster, sizeof(self->cluster), "%s", cluster);
    for (uint32_t i = 0; i < self->client_count; i++) {
        self->clients[i].asked = false; /* the head may have lost the question */
    }
    pthread_mutex_unlock(&self->lock);
    (void)eventfd_write(self->loop_fd, 1);
}

bool store_socket_ask(struct store_socket *self, struct msg_token_check *out)
{
    eventfd_t news;
    bool found = false;
    pthread_mutex_lock(&self->lock);
    for (uint32_t i = 0; i < self->client_count && !found && self->node != 0; i++) {
        struct client *client = &self->clients[i];
        found = client->fd >= 0 && client->asks && !client->asked && !client->answered;
        if (found) {
            client->asked = true;
            *out = (struct msg_token_check){ .seq = SEQ_OURS | client->serial,
                                             .hash = slice_of(client->hash, TOKEN_HASH_BYTES) };
        }
    }
    pthread_mutex_unlock(&self->lock);
    if (!found) {
        (void)eventfd_read(self->loop_fd, &news);
    }
    return found;
}

void store_socket_answer(struct store_socket *self, const struct msg_token_may *msg)
{
    pthread_mutex_lock(&self->lock);
    for (uint32_t i = 0; i < self->client_count; i++) {
        struct client *client = &self->clients[i];
        if (client->fd >= 0 && client->asks && (SEQ_OURS | client->serial) == msg->seq) {
            bool may = role_within(msg->role, ROLE_USER) == ROLE_USER;
            client->user_answered = may ? msg->user : 0;
            client->answered = true;
        }
    }
    pthread_mutex_unlock(&self->lock);
    (void)eventfd_write(self->wake_fd, 1);
}

/* --- requests --------------------------------------------------------------------------------------------- */

static void on_store_create(struct store_socket *self, struct client *client,
                            const struct msg_store_create *msg)
{
    struct hold wanted = { .seq = msg->seq, .used = true, .buffer = true };
    bool may = client->buffers < STORE_BUFFERS_MAX && client->held < STORE_HOLDS_MAX;
    hold(self, client, &wanted,
         may ? node_store_create(self->store, client->user, msg->size, &wanted.number) : ERR_BUSY);
}

/*  One that is not here, or was evicted a moment ago, is fetched; one that is another user's is not found. */
void store_get(struct store_socket *self, struct client *client, uint64_t task, uint32_t index,
               uint64_t seq)
{
    struct node_copy copy;
    struct hold wanted = { .seq = seq, .used = true };
    int rc = node_store_get(self->store, client->user, task, index, &wanted.number);
    if (rc == ERR_NOT_FOUND && !node_store_has(self->store, task, index, &copy)) {
        store_want(self, client, task, index, seq);
    } else {
        hold(self, client, &wanted, rc);
    }
}

static void on_store_get(struct store_socket *self, struct client *client,
                         const struct msg_store_get *msg)
{
    if (client->held >= STORE_HOLDS_MAX) {
        store_refuse(client, msg->seq, ERR_BUSY);
    } else {
        store_get(self, client, msg->task, msg->index, msg->seq);
    }
}

static void on_store_seal(struct store_socket *self, struct client *client,
                          const struct msg_store_seal *msg)
{
    const struct hold *hold = hold_at(client, msg->hold);
    int rc = ERR_INVALID;
    if (hold != NULL && hold->buffer && hold->seq == 0) {
        rc = node_store_seal(self->store, hold->number, msg->task, msg->index, true);
        store_free_hold(client, msg->hold);
        if (rc == OK) {
            store_sealed(client, msg->task, msg->index);
        }
    }
    reply(client, MSG_STORE_DONE, &(struct msg_store_done){ .seq = msg->seq, .code = rc }, -1);
}

static void on_store_release(struct store_socket *self, struct client *client,
                             const struct msg_store_release *msg)
{
    const struct hold *hold = hold_at(client, msg->hold);
    if (hold != NULL && hold->seq == 0) {
        release(self, client, msg->hold);
    }
}

/*  One that was answered meanwhile is not there. */
static void on_store_stop(struct client *client, const struct msg_store_stop *msg)
{
    for (uint32_t i = 0; i < client->hold_count && client->waiting > 0; i++) {
        const struct hold *hold = &client->holds[i];
        if (hold->used && hold->absent && hold->seq == msg->get) {
            store_free_hold(client, i);
            store_refuse(client, msg->get, ERR_TIMEOUT);
        }
    }
}

/*  False: it speaks wrongly. */
static bool on_message(struct store_socket *self, struct client *client, const struct msg *msg)
{
    if (msg->kind == MSG_STORE_OPEN && client->user == 0 && !client->asks) {
        on_store_open(self, client, &msg->as.store_open);
    } else if (client->user == 0) {
        return false;
    } else if (msg->kind == MSG_STORE_CREATE) {
        on_store_create(self, client, &msg->as.store_create);
    } else if (msg->kind == MSG_STORE_GET) {
        on_store_get(self, client, &msg->as.store_get);
    } else if (msg->kind == MSG_STORE_SEAL) {
        on_store_seal(self, client, &msg->as.store_seal);
    } else if (msg->kind == MSG_STORE_RELEASE) {
        on_store_release(self, client, &msg->as.store_release);
    } else if (msg->kind == MSG_STORE_STOP) {
        on_store_stop(client, &msg->as.store_stop);
    } else {
        return false;
    }
    return true;
}

/* --- the thread ------------------------------------------------------------------------------------------- */

static void cut(struct store_socket *self, struct client *client)
{
    for (uint32_t i = 0; i < client->hold_count; i++) {
        if (client->holds[i].used) {
            release(self, client, i);
        }
    }
    pthread_mutex_lock(&self->lock);
    store_leaves(self, client);
    free(client->holds);
    close(client->fd);
    *client = (struct client){ .fd = -1 };
    pthread_mutex_unlock(&self->lock);
}

static void take_packets(struct store_socket *self, struct client *client)
{
    uint8_t packet[LOCAL_PACKET_MAX];
    static struct msg msg; /* of the one thread */
    struct diag why;
    for (;;) {
        int n = local_receive(client->fd, packet, NULL);
        if (n < 0 && errno == EAGAIN) {
            return;
        }
        bool understood = n > 0 && proto_decode(slice_of(packet, (size_t)n), &msg, &why) == OK;
        if (!understood || !on_message(self, client, &msg)) {
            cut(self, client);
            return;
        }
    }
}

static struct client *free_client(struct store_socket *self)
{
    for (uint32_t i = 0; i < self->client_count; i++) {
        if (self->clients[i].fd < 0) {
            return &self->clients[i];
        }
    }
    return self->client_count < STORE_CLIENTS_MAX ? &self->clients[self->client_count++] : NULL;
}

static void take_clients(struct store_socket *self)
{
    for (int fd; (fd = local_accept(self->listener)) >= 0;) {
        pthread_mutex_lock(&self->lock);
        struct client *client = free_client(self);
        if (client != NULL) {
            *client = (struct client){ .fd = fd, .serial = ++self->serial, .hold_free = NONE };
        }
        pthread_mutex_unlock(&self->lock);
        struct epoll_event event = { .events = EPOLLIN };
        event.data.u64 = client != NULL ? (uint64_t)(client - self->clients) : 0;
        if (client == NULL) {
            log_warn("store.clients", "limit=%d", STORE_CLIENTS_MAX);
            close(fd);
        } else if (epoll_ctl(self->epoll, EPOLL_CTL_ADD, fd, &event)) {
            cut(self, client);
        }
    }
}

static void take_news(struct store_socket *self)
{
    eventfd_t news;
    (void)eventfd_read(self->news, &news);
    for (uint32_t i = 0; i < self->client_count; i++) {
        if (self->clients[i].fd >= 0 && self->clients[i].waiting > 0) {
            look_again(self, &self->clients[i]);
        }
    }
}

/*  The loop wants something; false: that the thread ends. */
static bool take_wake(struct store_socket *self)
{
    eventfd_t news;
    (void)eventfd_read(self->wake_fd, &news);
    pthread_mutex_lock(&self->lock);
    bool ending = self->ending;
    pthread_mutex_unlock(&self->lock);
    if (!ending) {
        take_answers(self);
        store_take_fetched(self);
    }
    return !ending;
}

static void *run(void *socket)
{
    struct store_socket *self = socket;
    struct epoll_event news[NEWS_PER_WAIT];
    for (;;) {
        int n = epoll_wait(self->epoll, news, NEWS_PER_WAIT, -1);
        for (int i = 0; i < n; i++) {
            switch (news[i].data.u64) {
            case FROM_LISTENER:
                take_clients(self);
                break;
            case FROM_STORE:
                take_news(self);
                break;
            case FROM_LOOP:
                if (!take_wake(self)) {
                    return NULL;
                }
                break;
            default:
                if (self->clients[news[i].data.u64].fd >= 0) {
                    take_packets(self, &self->clients[news[i].data.u64]);
                }
            }
        }
    }
}

/* --- opening ---------------------------------------------------------------------------------------------- */

static bool add(const struct store_socket *self, int fd, uint64_t from)
{
    struct epoll_event event = { .events = EPOLLIN, .data.u64 = from };
    return fd >= 0 && epoll_ctl(self->epoll, EPOLL_CTL_ADD, fd, &event) == 0;
}

static int start(struct store_socket *self)
{
    self->epoll = epoll_create1(EPOLL_CLOEXEC);
    self->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    self->loop_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    self->news = node_store_watch(self->store);
    self->listener = local_listen(self->path);
    if (!add(self, self->listener, FROM_LISTENER) || !add(self, self->news, FROM_STORE) ||
        !add(self, self->wake_fd, FROM_LOOP) || self->loop_fd < 0) {
        log_error("store.socket", "path=%s error=\"%s\"", self->path, strerror(errno));
        return ERR_SYSTEM;
    }
    ensure(pthread_create(&self->thread, NULL, run, self) == 0);
    self->runs = true;
    return OK;
}

int store_socket_open(struct store_socket **out, struct node_store *store, const char *dir)
{
    struct store_socket *self = calloc(1, sizeof(*self));
    ensure(self != NULL);
    self->clients = calloc(STORE_CLIENTS_MAX, sizeof(*self->clients));
    ensure(self->clients != NULL);
    self->store = store;
    self->listener = self->epoll = self->news = self->loop_fd = self->wake_fd = -1;
    pthread_mutex_init(&self->lock, NULL);
    int e = file_path(self->path, sizeof(self->path), dir, "store.sock");
    e = e ? e : start(self);
    *out = self;
    if (e) {
        store_socket_close(out);
    }
    return e;
}

void store_socket_close(struct store_socket **self_p)
{
    struct store_socket *self = *self_p;
    if (self == NULL) {
        return;
    }
    if (self->runs) {
        pthread_mutex_lock(&self->lock);
        self->ending = true;
        pthread_mutex_unlock(&self->lock);
        (void)eventfd_write(self->wake_fd, 1);
        pthread_join(self->thread, NULL);
        (void)unlink(self->path);
    }
    for (uint32_t i = 0; i < self->client_count; i++) {
        if (self->clients[i].fd >= 0) {
            cut(self, &self->clients[i]);
        }
    }
    int fds[] = { self->listener, self->epoll, self->loop_fd, self->wake_fd };
    for (size_t i = 0; i < COUNT(fds); i++) {
        if (fds[i] >= 0) {
            close(fds[i]);
        }
    }
    store_free_absent(self);
    store_free_left(self);
    pthread_mutex_destroy(&self->lock);
    free(self->keys);
    free(self->clients);
    free(self);
    *self_p = NULL;
}

const char *store_socket_path(const struct store_socket *self)
{
    return self->path;
}

int store_socket_fd(const struct store_socket *self)
{
    return self->loop_fd;
}
