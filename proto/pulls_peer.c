/*  pulls_peer.c - one DEALER for each node that is dialled, and a monitor that says whether it is connected. */
#include "proto/pulls_state.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include "common/log.h"

enum {
    BEAT_MS = 2000,
    BEAT_TIMEOUT_MS = 6000,
    RECONNECT_MS = 10,
    RECONNECT_MS_MAX = 1000,
    CONNECT_MS = 2000,
    HANDSHAKE_MS = 5000,
    TAKES_PER_TURN = 64,
    KEY_TEXT = 40,
    GET_BYTES = TOKEN_TEXT_MAX + 128
};

#define EVENTS                                                                                     \
    (ZMQ_EVENT_HANDSHAKE_SUCCEEDED | ZMQ_EVENT_DISCONNECTED | ZMQ_EVENT_HANDSHAKE_FAILED_AUTH |    \
     ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL)

static bool set_options(void *dealer, const char *endpoint)
{
    const struct {
        int name, value;
    } options[] = { { ZMQ_LINGER, 0 },
                    { ZMQ_SNDHWM, 0 },
                    { ZMQ_RCVHWM, 0 },
                    { ZMQ_IMMEDIATE, 1 },
                    { ZMQ_HEARTBEAT_IVL, BEAT_MS },
                    { ZMQ_HEARTBEAT_TIMEOUT, BEAT_TIMEOUT_MS },
                    { ZMQ_RECONNECT_IVL, RECONNECT_MS },
                    { ZMQ_RECONNECT_IVL_MAX, RECONNECT_MS_MAX },
                    { ZMQ_CONNECT_TIMEOUT, CONNECT_MS },
                    { ZMQ_HANDSHAKE_IVL, HANDSHAKE_MS },
                    { ZMQ_IPV6, strchr(endpoint, '[') != NULL } };
    for (size_t i = 0; i < COUNT(options); i++) {
        if (zmq_setsockopt(dealer, options[i].name, &options[i].value, sizeof(int)) != 0) {
            return false;
        }
    }
    const int64_t largest = CARRY_CHUNK + TEXT_MAX;
    return zmq_setsockopt(dealer, ZMQ_MAXMSGSIZE, &largest, sizeof(largest)) == 0;
}

static bool set_key(void *dealer, const char *server, const struct cluster_key *own)
{
    return zmq_setsockopt(dealer, ZMQ_CURVE_SERVERKEY, server, KEY_TEXT) == 0 &&
           zmq_setsockopt(dealer, ZMQ_CURVE_PUBLICKEY, own->public_text, KEY_TEXT) == 0 &&
           zmq_setsockopt(dealer, ZMQ_CURVE_SECRETKEY, own->secret_text, KEY_TEXT) == 0;
}

static bool watch(int epoll, void *socket)
{
    int fd;
    size_t size = sizeof(fd);
    struct epoll_event event = { .events = EPOLLIN };
    return zmq_getsockopt(socket, ZMQ_FD, &fd, &size) == 0 &&
           epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) == 0;
}

static bool watch_connection(struct pulls *self, struct peer *peer)
{
    char name[64];
    const int no_limit = 0; /* a full monitor would block ZeroMQ's thread */
    snprintf(name, sizeof(name), "inproc://monitor-%p", (void *)peer);
    return zmq_setsockopt(peer->monitor, ZMQ_RCVHWM, &no_limit, sizeof(no_limit)) == 0 &&
           zmq_socket_monitor(peer->dealer, name, EVENTS) == 0 &&
           zmq_connect(peer->monitor, name) == 0 && watch(self->epoll, peer->dealer) &&
           watch(self->epoll, peer->monitor);
}

/*  An address in two: the key of who listens there, or an empty text, follows a blank. */
static const char *split(char address[PEER_ADDRESS_BYTES])
{
    char *blank = strchr(address, ' ');
    if (blank) {
        *blank = 0;
    }
    return blank ? blank + 1 : "";
}

int pull_dealer_open(void *context, const char *address, const struct member_key *key, void **out)
{
    char endpoint[PEER_ADDRESS_BYTES];
    snprintf(endpoint, sizeof(endpoint), "%s", address);
    const char *server = split(endpoint);
    *out = NULL;
    if (key && strlen(server) != KEY_TEXT) {
        return ERR_KEY; /* nothing is said in the clear */
    }
    *out = zmq_socket(context, ZMQ_DEALER);
    if (!*out || !set_options(*out, endpoint) || (key && !set_key(*out, server, &key->own))) {
        log_error("carry.dial", "address=\"%s\" error=\"%s\"", address, zmq_strerror(errno));
        return ERR_SYSTEM;
    }
    return OK;
}

int pull_dealer_connect(void *dealer, const char *address)
{
    char endpoint[PEER_ADDRESS_BYTES];
    snprintf(endpoint, sizeof(endpoint), "%s", address);
    (void)split(endpoint);
    return zmq_connect(dealer, endpoint) == 0 ? OK : ERR_INVALID;
}

static int dial(struct pulls *self, struct peer *peer)
{
    int code = pull_dealer_open(self->context, peer->address, self->options.key, &peer->dealer);
    if (code == ERR_KEY) {
        peer->refused = "it has told no key, and this node has one";
        return OK;
    }
    peer->monitor = code == OK ? zmq_socket(self->context, ZMQ_PAIR) : NULL;
    if (!peer->monitor || !watch_connection(self, peer)) {
        log_error("carry.dial", "address=\"%s\" error=\"%s\"", peer->address, zmq_strerror(errno));
        return ERR_SYSTEM;
    }
    if (pull_dealer_connect(peer->dealer, peer->address) != OK) { /* after there is a monitor */
        peer->refused = "its address is none";
    }
    return OK;
}

static void free_peer(struct peer *peer)
{
    if (peer->dealer) {
        zmq_socket_monitor(peer->dealer, NULL, 0);
        zmq_close(peer->dealer);
    }
    if (peer->monitor) {
        zmq_close(peer->monitor);
    }
    free(peer);
}

int pull_peer_open(struct pulls *self, const char *address, struct peer **out)
{
    for (struct peer *peer = self->peers; peer; peer = peer->next) {
        if (strcmp(peer->address, address) == 0) {
            *out = peer;
            return OK;
        }
    }
    struct peer *peer = calloc(1, sizeof(*peer));
    if (!peer) {
        return ERR_MEMORY;
    }
    snprintf(peer->address, sizeof(peer->address), "%s", address);
    int code = dial(self, peer);
    if (code != OK) {
        free_peer(peer);
        return code;
    }
    peer->next = self->peers;
    self->peers = peer;
    *out = peer;
    return OK;
}

void pull_peer_close(struct pulls *self, struct peer *peer)
{
    struct peer **at = &self->peers;
    while (*at != peer) {
        at = &(*at)->next;
    }
    *at = peer->next;
    free_peer(peer);
}

/*  The next event of its monitor, 0: there is none.  It has two parts, the second is the address. */
static uint16_t next_event(struct peer *peer)
{
    uint16_t event = 0;
    zmq_msg_t part;
    zmq_msg_init(&part);
    if (zmq_msg_recv(&part, peer->monitor, ZMQ_DONTWAIT) >= 0) {
        memcpy(&event, zmq_msg_data(&part), sizeof(event));
        while (zmq_msg_more(&part)) {
            ensure(zmq_msg_recv(&part, peer->monitor, ZMQ_DONTWAIT) >= 0); /* they come together */
        }
    }
    zmq_msg_close(&part);
    return event;
}

static bool take_events(struct pulls *self, struct peer *peer)
{
    uint16_t event;
    bool any = false;
    while ((event = next_event(peer)) != 0) {
        any = true;
        if (event == ZMQ_EVENT_HANDSHAKE_SUCCEEDED) {
            peer->up = true;
            peer->pause_ms = 0;
        } else if (event == ZMQ_EVENT_DISCONNECTED) {
            peer->up = false;
            requests_end_of(self, NULL, peer);
        } else if (event & EVENTS) {
            peer->refused = "it has refused the key";
        }
    }
    return any;
}

/*  One message: a CARRY_DATA, and the bytes. */
static bool take_message(struct pulls *self, struct peer *peer)
{
    zmq_msg_t head, bytes;
    zmq_msg_init(&head);
    zmq_msg_init(&bytes);
    bool any = zmq_msg_recv(&head, peer->dealer, ZMQ_DONTWAIT) >= 0;
    if (any) {
        struct slice data = { NULL, 0 };
        if (zmq_msg_more(&head) && zmq_msg_recv(&bytes, peer->dealer, 0) >= 0) {
            data = slice_of(zmq_msg_data(&bytes), zmq_msg_size(&bytes));
        }
        requests_answer(self, peer, slice_of(zmq_msg_data(&head), zmq_msg_size(&head)), data);
        while (zmq_msg_more(&bytes)) { /* no node says more than two parts */
            ensure(zmq_msg_recv(&bytes, peer->dealer, 0) >= 0);
        }
    }
    zmq_msg_close(&head);
    zmq_msg_close(&bytes);
    return any;
}

bool pull_peer_take(struct pulls *self, struct peer *peer)
{
    if (!peer->dealer) {
        return false;
    }
    bool any = false;
    for (int i = 0; i < TAKES_PER_TURN && take_message(self, peer); i++) {
        any = true;
    }
    return take_events(self, peer) || any;
}

bool pull_peer_ask(struct peer *peer, const struct msg_carry_get *get)
{
    uint8_t bytes[GET_BYTES];
    struct wire frame = { bytes, 0, sizeof(bytes), false };
    proto_put(&frame, MSG_CARRY_GET, get);
    ensure(!frame.full);
    return zmq_send(peer->dealer, frame.p, frame.n, ZMQ_DONTWAIT) >= 0;
}
