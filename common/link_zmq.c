/*  link_zmq.c - a link that is a DEALER, with a ZeroMQ context and monitor of its own.

    Frames are delivered only between LINK_UP and LINK_DOWN, and sent only then (link_send() drops
    the others and says OK): a head never speaks before HELLO, so whatever is found outside belongs
    to a connection that is gone, and the layer above says everything again after LINK_UP.  With
    ZMQ_IMMEDIATE, ZeroMQ drops its queue to a connection when that breaks, so that what was meant
    for one head does not reach the next. */
#include "common/link_inside.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <unistd.h>
#include <zmq.h>
#include "common/log.h"

enum {
    BEAT_MS = 2000,
    BEAT_TIMEOUT_MS = 6000,
    RECONNECT_MS = 5,
    RECONNECT_MS_MAX = 500,
    CONNECT_MS =
        2000, /* the system's own is two minutes: so long a forward to a pod that is gone would keep us */
    HANDSHAKE_MS = 5000,
    HANDSHAKES_MAX = 20 /* that break in a row: about 150 ms */
};

#define MONITOR "inproc://monitor"
#define EVENTS                                                                                     \
    (ZMQ_EVENT_HANDSHAKE_SUCCEEDED | ZMQ_EVENT_DISCONNECTED | ZMQ_EVENT_HANDSHAKE_FAILED_AUTH |    \
     ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL | ZMQ_EVENT_HANDSHAKE_FAILED_NO_DETAIL)

struct zmq_link {
    struct link base;
    void *context;
    void *dealer;
    void *monitor;              /* PAIR; tells what the connection does */
    int epoll;                  /* of both sockets' descriptors */
    uint32_t broken_handshakes; /* in a row */
    bool encrypted;
    bool up;
    bool refused; /* has been told */
};

static int failed(const char *what)
{
    log_error("link.open", "call=%s error=\"%s\"", what, zmq_strerror(errno));
    return ERR_SYSTEM;
}

struct option {
    int name;
    int value;
};

static bool set_options(void *dealer, const char *address)
{
    const struct option options[] = {
        { ZMQ_LINGER, 0 },
        { ZMQ_SNDHWM, 0 },
        { ZMQ_RCVHWM, 0 },
        { ZMQ_IMMEDIATE, 1 },
        { ZMQ_HEARTBEAT_IVL, BEAT_MS },
        { ZMQ_HEARTBEAT_TIMEOUT, BEAT_TIMEOUT_MS },
        { ZMQ_RECONNECT_IVL, RECONNECT_MS },
        { ZMQ_RECONNECT_IVL_MAX, RECONNECT_MS_MAX },
        { ZMQ_CONNECT_TIMEOUT, CONNECT_MS },
        { ZMQ_HANDSHAKE_IVL, HANDSHAKE_MS },
        { ZMQ_IPV6, strchr(address, '[') != NULL },
    };
    for (size_t i = 0; i < COUNT(options); i++) {
        if (zmq_setsockopt(dealer, options[i].name, &options[i].value, sizeof(int)) != 0) {
            return false;
        }
    }
    const int64_t frame_max = LINK_FRAME_BYTES_MAX;
    return zmq_setsockopt(dealer, ZMQ_MAXMSGSIZE, &frame_max, sizeof(frame_max)) == 0;
}

/*  The pair of members is our own; only who has the secret part of the head's can answer. */
static bool set_key(void *dealer, const struct member_key *key)
{
    const struct {
        int name;
        const char *text;
    } options[] = {
        { ZMQ_CURVE_SERVERKEY, key->server_text },
        { ZMQ_CURVE_PUBLICKEY, key->own.public_text },
        { ZMQ_CURVE_SECRETKEY, key->own.secret_text },
    };
    for (size_t i = 0; i < COUNT(options); i++) {
        if (zmq_setsockopt(dealer, options[i].name, options[i].text, strlen(options[i].text)) !=
            0) {
            return false;
        }
    }
    return true;
}

static bool watch(int epoll, void *socket)
{
    int fd;
    size_t size = sizeof(fd);
    struct epoll_event event = { .events = EPOLLIN };
    return zmq_getsockopt(socket, ZMQ_FD, &fd, &size) == 0 &&
           epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) == 0;
}

static int open_sockets(struct zmq_link *self, const char *address, const struct member_key *key)
{
    self->context = zmq_ctx_new();
    self->dealer = self->context != NULL ? zmq_socket(self->context, ZMQ_DEALER) : NULL;
    self->monitor = self->dealer != NULL ? zmq_socket(self->context, ZMQ_PAIR) : NULL;
    if (self->monitor == NULL) {
        return failed("zmq_socket");
    }
    const int no_limit = 0; /* a full monitor would block ZeroMQ's thread */
    if (zmq_setsockopt(self->monitor, ZMQ_RCVHWM, &no_limit, sizeof(no_limit)) != 0 ||
        !set_options(self->dealer, address)) {
        return failed("zmq_setsockopt");
    }
    self->encrypted = key != NULL;
    if (self->encrypted && !set_key(self->dealer, key)) {
        return ERR_KEY;
    }
    if (zmq_socket_monitor(self->dealer, MONITOR, EVENTS) != 0 ||
        zmq_connect(self->monitor, MONITOR) != 0) {
        return failed("zmq_socket_monitor");
    }
    self->epoll = epoll_create1(EPOLL_CLOEXEC);
    if (self->epoll < 0 || !watch(self->epoll, self->dealer) ||
        !watch(self->epoll, self->monitor)) {
        return failed("epoll");
    }
    return zmq_connect(self->dealer, address) == 0 ? OK : failed("zmq_connect");
}

static void close_zmq(struct link *base)
{
    struct zmq_link *self = (struct zmq_link *)base;
    if (self->epoll >= 0) {
        close(self->epoll);
    }
    if (self->dealer != NULL) {
        zmq_socket_monitor(self->dealer, NULL, 0);
        zmq_close(self->dealer);
    }
    if (self->monitor != NULL) {
        zmq_close(self->monitor);
    }
    if (self->context != NULL) {
        while (zmq_ctx_term(self->context) != 0 && errno == EINTR) {}
    }
    free(self);
}

static int fd_of(const struct link *base)
{
    return ((const struct zmq_link *)base)->epoll;
}

struct event {
    uint16_t number; /* 0: there is none */
    uint32_t value;
};

/*  An event of the monitor has two parts: number and value, packed; and the address. */
static struct event next_event(struct zmq_link *self)
{
    zmq_msg_t part;
    zmq_msg_init(&part);
    struct event event = { 0, 0 };
    if (zmq_msg_recv(&part, self->monitor, ZMQ_DONTWAIT) >= 0) {
        const uint8_t *p = zmq_msg_data(&part);
        ensure(zmq_msg_size(&part) == sizeof(event.number) + sizeof(event.value));
        memcpy(&event.number, p, sizeof(event.number));
        memcpy(&event.value, p + sizeof(event.number), sizeof(event.value));
        while (zmq_msg_more(&part)) {
            ensure(zmq_msg_recv(&part, self->monitor, ZMQ_DONTWAIT) >= 0); /* they come together */
        }
    }
    zmq_msg_close(&part);
    return event;
}

/*  Drops what a broken connection left; and lets ZeroMQ do its work, without which its descriptor
    would stay readable. */
static void drop_frames(struct zmq_link *self)
{
    zmq_msg_t msg;
    zmq_msg_init(&msg);
    while (zmq_msg_recv(&msg, self->dealer, ZMQ_DONTWAIT) >= 0) {}
    zmq_msg_close(&msg);
}

static enum link_news refuse(struct zmq_link *self)
{
    if (self->refused) {
        return LINK_NOTHING;
    }
    self->refused = true;
    self->base.refusal =
        (struct link_refusal){ ERR_KEY,
                               self->encrypted ? "refused the key" : "wants the cluster's key" };
    return LINK_REFUSED;
}

/*  A head with another key than ours cannot even say so: it hangs up.  So does one that dies, but
    then it does not listen a moment later. */
static enum link_news on_broken_handshake(struct zmq_link *self, uint32_t error)
{
    if (error == ETIMEDOUT) {
        return LINK_NOTHING;
    }
    self->broken_handshakes++;
    return self->encrypted && self->broken_handshakes == HANDSHAKES_MAX ? refuse(self)
                                                                        : LINK_NOTHING;
}

static enum link_news on_up(struct zmq_link *self)
{
    self->broken_handshakes = 0;
    self->up = true;
    drop_frames(self);
    return LINK_UP;
}

static enum link_news on_disconnected(struct zmq_link *self)
{
    if (!self->up) {
        return LINK_NOTHING;
    }
    self->up = false;
    drop_frames(self);
    return LINK_DOWN;
}

static enum link_news on_event(struct zmq_link *self, struct event event)
{
    switch (event.number) {
    case ZMQ_EVENT_HANDSHAKE_SUCCEEDED:
        return on_up(self);
    case ZMQ_EVENT_DISCONNECTED:
        return on_disconnected(self);
    case ZMQ_EVENT_HANDSHAKE_FAILED_AUTH:
    case ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL:
        return refuse(self);
    case ZMQ_EVENT_HANDSHAKE_FAILED_NO_DETAIL:
        return on_broken_handshake(self, event.value);
    default: /* not asked for: the number that ends the monitor */
        return LINK_NOTHING;
    }
}

static enum link_news next_news(struct zmq_link *self)
{
    for (;;) {
        struct event event = next_event(self);
        if (event.number == 0) {
            return LINK_NOTHING;
        }
        enum link_news news = on_event(self, event);
        if (news != LINK_NOTHING) {
            return news;
        }
    }
}

static void free_message(void *owner)
{
    zmq_msg_close(owner);
    free(owner);
}

static bool next_frame(struct zmq_link *self, struct link_frame *out)
{
    zmq_msg_t *msg = malloc(sizeof(*msg));
    ensure(msg != NULL);
    zmq_msg_init(msg);
    if (zmq_msg_recv(msg, self->dealer, ZMQ_DONTWAIT) < 0) {
        free(msg);
        return false;
    }
    *out = (struct link_frame){ slice_of(zmq_msg_data(msg), zmq_msg_size(msg)), msg, free_message };
    return true;
}

/*  While it is up, frames come before news: news of its end cannot overtake what came before. */
static enum link_news next_zmq(struct link *base, struct link_frame *out)
{
    struct zmq_link *self = (struct zmq_link *)base;
    if (self->up && next_frame(self, out)) {
        return LINK_FRAME;
    }
    enum link_news news = next_news(self);
    if (news == LINK_NOTHING && !self->up) {
        drop_frames(self);
    }
    return news;
}

static int send_zmq(struct link *base, const void *p, size_t n)
{
    struct zmq_link *self = (struct zmq_link *)base;
    if (self->up && zmq_send(self->dealer, p, n, ZMQ_DONTWAIT) < 0) {
        ensure(errno == EAGAIN || errno == EINTR);
    }
    return OK;
}

static const struct link_kind zmq_kind = { close_zmq, fd_of, next_zmq, send_zmq, NULL };

int link_open_zmq(struct link **out, const char *address, const struct member_key *key)
{
    struct zmq_link *self = calloc(1, sizeof(*self));
    if (self == NULL) {
        return ERR_MEMORY;
    }
    self->base.kind = &zmq_kind;
    self->epoll = -1;
    int rc = open_sockets(self, address, key);
    if (rc != OK) {
        close_zmq(&self->base);
        return rc;
    }
    *out = &self->base;
    return OK;
}
