/*  link.c - a DEALER with a ZeroMQ context and monitor of its own.

    Frames are delivered only between LINK_UP and LINK_DOWN, and sent only then (link_send() drops
    the others and says OK): a head never speaks before HELLO, so whatever is found outside belongs
    to a connection that is gone, and the layer above says everything again after LINK_UP.  With
    ZMQ_IMMEDIATE, ZeroMQ drops its queue to a connection when that breaks, so that what was meant
    for one head does not reach the next. */
#include "common/link.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <unistd.h>
#include <zmq.h>
#include "common/log.h"

enum {
    FRAME_BYTES_MAX = 16 << 20, /* a longer one would break the connection, again and again */
    BEAT_MS = 2000,
    BEAT_TIMEOUT_MS = 6000,
    RECONNECT_MS = 5,
    RECONNECT_MS_MAX = 500,
    HANDSHAKE_MS = 5000,
    HANDSHAKES_MAX = 20, /* that break in a row: about 150 ms */
    IPC_PATH_MAX = 107,  /* of sockaddr_un */
    ADDRESS_MAX = 512
};

#define MONITOR "inproc://monitor"
#define EVENTS                                                                                     \
    (ZMQ_EVENT_HANDSHAKE_SUCCEEDED | ZMQ_EVENT_DISCONNECTED | ZMQ_EVENT_HANDSHAKE_FAILED_AUTH |    \
     ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL | ZMQ_EVENT_HANDSHAKE_FAILED_NO_DETAIL)

struct link {
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
        { ZMQ_HANDSHAKE_IVL, HANDSHAKE_MS },
        { ZMQ_IPV6, strchr(address, '[') != NULL },
    };
    for (size_t i = 0; i < COUNT(options); i++) {
        if (zmq_setsockopt(dealer, options[i].name, &options[i].value, sizeof(int)) != 0) {
            return false;
        }
    }
    const int64_t frame_max = FRAME_BYTES_MAX;
    return zmq_setsockopt(dealer, ZMQ_MAXMSGSIZE, &frame_max, sizeof(frame_max)) == 0;
}

/*  All members of a cluster have one key pair: it is the server's and our own. */
static bool set_key(void *dealer, const struct cluster_key *key)
{
    const char *public_text = key->public_text;
    return zmq_setsockopt(dealer, ZMQ_CURVE_SERVERKEY, public_text, strlen(public_text)) == 0 &&
           zmq_setsockopt(dealer, ZMQ_CURVE_PUBLICKEY, public_text, strlen(public_text)) == 0 &&
           zmq_setsockopt(dealer, ZMQ_CURVE_SECRETKEY, key->secret_text,
                          strlen(key->secret_text)) == 0;
}

static bool watch(int epoll, void *socket)
{
    int fd;
    size_t size = sizeof(fd);
    struct epoll_event event = { .events = EPOLLIN };
    return zmq_getsockopt(socket, ZMQ_FD, &fd, &size) == 0 &&
           epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) == 0;
}

static int open_sockets(struct link *self, const char *address, const struct cluster_key *key)
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

int link_open(struct link **out, const char *address, const struct cluster_key *key)
{
    char full[ADDRESS_MAX];
    int rc = link_address(address, full, sizeof(full));
    if (rc != OK) {
        return rc;
    }
    struct link *self = calloc(1, sizeof(*self));
    if (self == NULL) {
        return ERR_MEMORY;
    }
    self->epoll = -1;
    rc = open_sockets(self, full, key);
    if (rc != OK) {
        link_close(&self);
        return rc;
    }
    *out = self;
    return OK;
}

void link_close(struct link **self_p)
{
    struct link *self = *self_p;
    if (self == NULL) {
        return;
    }
    *self_p = NULL;
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

int link_fd(const struct link *self)
{
    return self->epoll;
}

struct event {
    uint16_t number; /* 0: there is none */
    uint32_t value;
};

/*  An event of the monitor has two parts: number and value, packed; and the address. */
static struct event next_event(struct link *self)
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
static void drop_frames(struct link *self)
{
    zmq_msg_t msg;
    zmq_msg_init(&msg);
    while (zmq_msg_recv(&msg, self->dealer, ZMQ_DONTWAIT) >= 0) {}
    zmq_msg_close(&msg);
}

static enum link_news refuse(struct link *self)
{
    if (self->refused) {
        return LINK_NOTHING;
    }
    self->refused = true;
    return LINK_REFUSED;
}

/*  A head with another key than ours cannot even say so: it hangs up.  So does one that dies, but
    then it does not listen a moment later. */
static enum link_news on_broken_handshake(struct link *self, uint32_t error)
{
    if (error == ETIMEDOUT) {
        return LINK_NOTHING;
    }
    self->broken_handshakes++;
    return self->encrypted && self->broken_handshakes == HANDSHAKES_MAX ? refuse(self)
                                                                        : LINK_NOTHING;
}

static enum link_news on_up(struct link *self)
{
    self->broken_handshakes = 0;
    self->up = true;
    drop_frames(self);
    return LINK_UP;
}

static enum link_news on_disconnected(struct link *self)
{
    if (!self->up) {
        return LINK_NOTHING;
    }
    self->up = false;
    drop_frames(self);
    return LINK_DOWN;
}

static enum link_news on_event(struct link *self, struct event event)
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

static enum link_news next_news(struct link *self)
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

static bool next_frame(struct link *self, struct link_frame *out)
{
    zmq_msg_t *msg = malloc(sizeof(*msg));
    ensure(msg != NULL);
    zmq_msg_init(msg);
    if (zmq_msg_recv(msg, self->dealer, ZMQ_DONTWAIT) < 0) {
        free(msg);
        return false;
    }
    *out = (struct link_frame){ slice_of(zmq_msg_data(msg), zmq_msg_size(msg)), msg };
    return true;
}

/*  While it is up, frames come before news: news of its end cannot overtake what came before. */
enum link_news link_next(struct link *self, struct link_frame *out)
{
    if (self->up && next_frame(self, out)) {
        return LINK_FRAME;
    }
    enum link_news news = next_news(self);
    if (news == LINK_NOTHING && !self->up) {
        drop_frames(self);
    }
    return news;
}

void link_frame_free(struct link_frame *frame)
{
    if (frame->owner != NULL) {
        zmq_msg_close(frame->owner);
        free(frame->owner);
    }
    *frame = (struct link_frame){ 0 };
}

int link_send(struct link *self, const void *p, size_t n)
{
    if (n > FRAME_BYTES_MAX) {
        return ERR_TOO_LARGE;
    }
    if (self->up && zmq_send(self->dealer, p, n, ZMQ_DONTWAIT) < 0) {
        ensure(errno == EAGAIN || errno == EINTR);
    }
    return OK;
}

static bool port_is_valid(const char *text)
{
    unsigned port = 0;
    size_t digits = 0;
    for (; text[digits] >= '0' && text[digits] <= '9' && digits < 6; digits++) {
        port = port * 10 + (unsigned)(text[digits] - '0');
    }
    return digits > 0 && text[digits] == 0 && port > 0 && port < 65536;
}

/*  "host:port" or "[::1]:port" */
static bool host_is_valid(const char *text)
{
    const char *colon = strrchr(text, ':');
    if (colon == NULL || colon == text || !port_is_valid(colon + 1)) {
        return false;
    }
    size_t n = (size_t)(colon - text);
    if (text[0] == '[') {
        return text[n - 1] == ']' && n > 2;
    }
    for (size_t i = 0; i < n; i++) {
        char c = text[i];
        bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
        if (!letter && c != '.' && c != '-' && c != '_') {
            return false;
        }
    }
    return true;
}

int link_address(const char *text, char *out, size_t capacity)
{
    static const char tcp[] = "tcp://";
    static const char ipc[] = "ipc://";
    const char *prefix = "";
    if (strncmp(text, ipc, sizeof(ipc) - 1) == 0) {
        size_t n = strlen(text) - (sizeof(ipc) - 1);
        if (n == 0 || n > IPC_PATH_MAX) {
            return ERR_INVALID;
        }
    } else {
        bool has_prefix = strncmp(text, tcp, sizeof(tcp) - 1) == 0;
        if (!host_is_valid(has_prefix ? text + sizeof(tcp) - 1 : text)) {
            return ERR_INVALID;
        }
        prefix = has_prefix ? "" : tcp;
    }
    int n = snprintf(out, capacity, "%s%s", prefix, text);
    return n >= 0 && (size_t)n < capacity ? OK : ERR_INVALID;
}
