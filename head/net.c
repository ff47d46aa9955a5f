/*  net.c - ROUTER, its monitor, and ZAP. */
#include "head/net.h"

#include <arpa/inet.h>
#include <czmq.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/file.h"
#include "common/log.h"
#include "proto/proto.h"

enum {
    FRAMES_MAX = 64,
    FDS_MAX = 65536,
    ID_BYTES = 5,
    PEERS_FROM = 1 << 20,
    TELL_MS = 1000, /* refusals are logged so often at most */
    /* Another pair than that of members; another idea of whom they talk to, or no key at all. */
    REFUSALS = ZMQ_EVENT_HANDSHAKE_FAILED_AUTH | ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL
};

struct net {
    void *context;
    bool own_context; /* else czmq's, because zauth lives there */
    void *router;
    void *monitor;
    zactor_t *auth;
    char address[256];
    zmq_msg_t frames[FRAMES_MAX]; /* given out */
    uint32_t frame_count;
    uint32_t first; /* counter of the first peer that has spoken */
    bool counted;
    uint64_t refusals, refusals_told, told_ms;
    uint32_t *peer_of_fd; /* which peer a connection belongs to; 0: none yet */
};

/*  A ROUTER names its peers by five bytes: a zero and a counter, big-endian, that begins anywhere.  Ours begin near
    PEERS_FROM, so that they stay far below 2^31, where door.h's are. */
static uint32_t peer_of(struct net *self, const uint8_t *id)
{
    uint32_t counter;
    memcpy(&counter, id + 1, sizeof(counter));
    counter = ntohl(counter);
    if (!self->counted) {
        self->counted = true;
        self->first = counter;
    }
    return counter - self->first + PEERS_FROM;
}

static void id_of(const struct net *self, uint32_t peer, uint8_t *id)
{
    uint32_t counter = htonl(peer - PEERS_FROM + self->first);
    id[0] = 0;
    memcpy(id + 1, &counter, sizeof(counter));
}

static int set_options(struct net *self, const struct net_keys *keys)
{
    static const struct {
        int option, value;
    } options[] = { { ZMQ_LINGER, 1000 },        { ZMQ_SNDHWM, 0 },
                    { ZMQ_RCVHWM, 0 },           { ZMQ_ROUTER_MANDATORY, 1 },
                    { ZMQ_HEARTBEAT_IVL, 2000 }, { ZMQ_HEARTBEAT_TIMEOUT, 6000 },
                    { ZMQ_HANDSHAKE_IVL, 5000 }, { ZMQ_BACKLOG, 1024 } };
    for (size_t i = 0; i < COUNT(options); i++) {
        if (zmq_setsockopt(self->router, options[i].option, &options[i].value, sizeof(int)) != 0) {
            return ERR_SYSTEM;
        }
    }
    int64_t largest = FRAME_MAX;
    int server = 1;
    int rc = zmq_setsockopt(self->router, ZMQ_MAXMSGSIZE, &largest, sizeof(largest));
    if (keys && rc == 0) {
        rc = zmq_setsockopt(self->router, ZMQ_CURVE_SERVER, &server, sizeof(server)) ||
             zmq_setsockopt(self->router, ZMQ_CURVE_SECRETKEY, keys->server->secret_text,
                            sizeof(keys->server->secret_text)) ||
             zmq_setsockopt(self->router, ZMQ_ZAP_DOMAIN, "rayc", 4);
    }
    return rc == 0 ? OK : ERR_SYSTEM;
}

/*  zauth lets in the keys that it finds in a folder: there is one, that of members. */
static int auth_start(struct net *self, const struct net_keys *keys)
{
    char path[PATH_BYTES];
    uint8_t public_key[32];
    static const uint8_t no_secret[32];
    if (file_make_dir(keys->folder, 0700) != OK ||
        file_path(path, sizeof(path), keys->folder, "cluster.cert") != OK ||
        !zmq_z85_decode(public_key, keys->member)) {
        return ERR_KEY;
    }
    zcert_t *cert = zcert_new_from(public_key, no_secret);
    int rc = cert ? zcert_save_public(cert, path) : -1;
    zcert_destroy(&cert);
    self->auth = rc == 0 ? zactor_new(zauth, NULL) : NULL;
    if (!self->auth || zstr_sendx(self->auth, "CURVE", keys->folder, NULL) != 0 ||
        zsock_wait(self->auth) != 0) {
        return ERR_KEY;
    }
    return OK;
}

static int monitor_start(struct net *self)
{
    char endpoint[64]; /* of its own: one that was closed just now may hold its name for a while */
    snprintf(endpoint, sizeof(endpoint), "inproc://rayc-head-monitor-%llu",
             (unsigned long long)clock_us());
    self->monitor = zmq_socket(self->context, ZMQ_PAIR);
    if (!self->monitor ||
        zmq_socket_monitor(self->router, endpoint,
                           ZMQ_EVENT_DISCONNECTED | ZMQ_EVENT_CLOSED | REFUSALS) != 0 ||
        zmq_connect(self->monitor, endpoint) != 0) {
        return ERR_SYSTEM;
    }
    return OK;
}

int net_open(struct net **out, const char *address, const struct net_keys *keys)
{
    *out = NULL;
    int code = ERR_SYSTEM;
    struct net *self = calloc(1, sizeof(*self));
    if (!self) {
        return ERR_MEMORY;
    }
    self->peer_of_fd = calloc(FDS_MAX, sizeof(uint32_t));
    if (keys) {
        zsys_handler_set(NULL);
        self->context = zsys_init();
        code = auth_start(self, keys);
        if (code != OK) {
            goto fail;
        }
    } else {
        self->context = zmq_ctx_new();
        self->own_context = true;
    }
    self->router = self->context ? zmq_socket(self->context, ZMQ_ROUTER) : NULL;
    if (!self->router || !self->peer_of_fd || (code = set_options(self, keys)) != OK ||
        (code = monitor_start(self)) != OK) {
        goto fail;
    }
    if (zmq_bind(self->router, address) != 0) {
        code = zmq_errno() == EADDRINUSE ? ERR_CONFLICT : ERR_SYSTEM;
        goto fail;
    }
    size_t n = sizeof(self->address);
    zmq_getsockopt(self->router, ZMQ_LAST_ENDPOINT, self->address, &n);
    *out = self;
    return OK;
fail:
    log_error("net.open", "address=%s why=\"%s\"", address,
              code == ERR_KEY ? err_text(code) : zmq_strerror(zmq_errno()));
    net_close(&self);
    return code;
}

void net_close(struct net **self)
{
    struct net *net = *self;
    *self = NULL;
    if (!net) {
        return;
    }
    net_release(net);
    if (net->monitor) {
        zmq_socket_monitor(net->router, NULL, 0);
        zmq_close(net->monitor);
    }
    if (net->router) {
        zmq_close(net->router);
    }
    zactor_destroy(&net->auth);
    if (net->own_context && net->context) {
        zmq_ctx_term(net->context);
    }
    free(net->peer_of_fd);
    free(net);
}

const char *net_address(const struct net *self)
{
    return self->address;
}

void net_fds(const struct net *self, int out[2])
{
    size_t n = sizeof(int);
    zmq_getsockopt(self->router, ZMQ_FD, &out[0], &n);
    zmq_getsockopt(self->monitor, ZMQ_FD, &out[1], &n);
}

uint64_t net_refusals(const struct net *self)
{
    return self->refusals;
}

/*  Whoever dials again and again with a wrong key fills no log. */
static void tell_refusals(struct net *self)
{
    uint64_t now_ms = clock_ms();
    if (self->told_ms != 0 && now_ms - self->told_ms < TELL_MS) {
        return;
    }
    log_warn("net.refused", "connections=%llu since_start=%llu why=\"not a key of members\"",
             (unsigned long long)(self->refusals - self->refusals_told),
             (unsigned long long)self->refusals);
    self->refusals_told = self->refusals;
    self->told_ms = now_ms;
}

struct monitored {
    uint16_t event; /* 0: there is none */
    uint32_t value;
};

static struct monitored next_monitored(struct net *self)
{
    zmq_msg_t msg, endpoint;
    struct monitored out = { 0 };
    zmq_msg_init(&msg);
    if (zmq_msg_recv(&msg, self->monitor, ZMQ_DONTWAIT) >= 0) {
        const uint8_t *bytes = zmq_msg_data(&msg);
        memcpy(&out.event, bytes, sizeof(out.event));
        memcpy(&out.value, bytes + sizeof(out.event), sizeof(out.value));
        zmq_msg_init(&endpoint);
        zmq_msg_recv(&endpoint, self->monitor, 0);
        zmq_msg_close(&endpoint);
    }
    zmq_msg_close(&msg);
    return out;
}

/*  The next connection that broke and that had said HELLO; 0: none. */
static uint32_t next_gone(struct net *self)
{
    struct monitored it;
    while ((it = next_monitored(self)).event != 0) {
        if (it.event & REFUSALS) {
            self->refusals++;
            tell_refusals(self);
        } else if (it.value < FDS_MAX && self->peer_of_fd[it.value] != 0) {
            uint32_t peer = self->peer_of_fd[it.value];
            self->peer_of_fd[it.value] = 0;
            return peer;
        }
    }
    return 0;
}

/*  Remembers whose connection this is.  The word that an older connection of the same descriptor broke comes before,
    because it was said before the descriptor could be used again. */
static void learn_fd(struct net *self, uint32_t peer, zmq_msg_t *frame)
{
    int fd = zmq_msg_get(frame, ZMQ_SRCFD);
    if (fd >= 0 && fd < FDS_MAX) {
        self->peer_of_fd[fd] = peer;
    }
}

static bool is_hello(struct slice frame)
{
    return frame.n >= 2 && frame.p[1] == MSG_HELLO;
}

enum net_news net_next(struct net *self, struct net_event *out)
{
    uint32_t gone = next_gone(self);
    if (gone != 0) {
        *out = (struct net_event){ .peer = gone };
        return NET_GONE;
    }
    while (self->frame_count < FRAMES_MAX) {
        uint8_t id[ID_BYTES];
        int n = zmq_recv(self->router, id, sizeof(id), ZMQ_DONTWAIT);
        if (n < 0) {
            return NET_NOTHING;
        }
        zmq_msg_t *frame = &self->frames[self->frame_count];
        zmq_msg_init(frame);
        if (zmq_msg_recv(frame, self->router, 0) < 0) {
            return NET_NOTHING;
        }
        bool whole = n == ID_BYTES && id[0] == 0 && !zmq_msg_more(frame);
        for (zmq_msg_t more;
             zmq_msg_more(frame);) { /* a message of rayc has one part: drop it all */
            zmq_msg_init(&more);
            zmq_msg_recv(&more, self->router, 0);
            zmq_msg_move(frame, &more);
        }
        if (!whole) {
            zmq_msg_close(frame);
            continue;
        }
        self->frame_count++;
        *out = (struct net_event){ peer_of(self, id),
                                   slice_of(zmq_msg_data(frame), zmq_msg_size(frame)) };
        if (is_hello(out->bytes)) {
            learn_fd(self, out->peer, frame);
        }
        return NET_FRAME;
    }
    return NET_NOTHING;
}

void net_release(struct net *self)
{
    for (uint32_t i = 0; i < self->frame_count; i++) {
        zmq_msg_close(&self->frames[i]);
    }
    self->frame_count = 0;
}

void net_send(struct net *self, uint32_t peer, struct slice frame)
{
    uint8_t id[ID_BYTES];
    id_of(self, peer, id);
    if (zmq_send(self->router, id, sizeof(id), ZMQ_SNDMORE | ZMQ_DONTWAIT) < 0) {
        return; /* EHOSTUNREACH: gone; everything of importance is asked for again */
    }
    zmq_send(self->router, frame.p, frame.n, ZMQ_DONTWAIT);
}
