/*  link_http.c - a link that is a WebSocket: dials TCP, asks for the upgrade with the token, and carries one frame of the
    protocol in each binary message.

    A machine of four phases that link_next() drives; it sleeps in an epoll of the socket and a timer.  Only the look-up
    of a name can block.  Frames are delivered only between LINK_UP and LINK_DOWN, and sent only then: see link_zmq.c. */
#include "common/link_inside.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <unistd.h>
#include "common/clock.h"
#include "common/hash.h"
#include "common/log.h"
#include "common/upgrade.h"
#include "common/websocket.h"

enum {
    RETRY_MS = 5,
    RETRY_MS_MAX = 500,
    CONNECT_MS = 5000, /* for each address of a name */
    ANSWER_MS = 5000,
    QUIET_MS = 5000, /* without a word from the head: a ping */
    DEAD_MS = 15000, /* the connection has broken somewhere between */
    HOST_MAX = 300,
    TOKEN_MAX = 512,
    REQUEST_MAX = 2048,
    IN_BYTES = 64 << 10,      /* also what an answer to the upgrade may have */
    OUT_KEPT_MAX = 1 << 20,   /* a larger queue is given back when it is empty */
    OUT_BYTES_MAX = 256 << 20 /* more is not being read by anybody */
};

#define PATH "/api/v1/link"

enum phase {
    PHASE_WAITING, /* until `due_ms`, to dial */
    PHASE_CONNECTING,
    PHASE_ASKING, /* the request is under way, or its answer */
    PHASE_UP,
    PHASE_REFUSED
};

struct http_link {
    struct link base;
    enum phase phase;
    int epoll, timer, fd;
    bool wants_out; /* what epoll waits for */
    uint64_t due_ms, armed_ms;
    uint64_t heard_ms, pinged_ms;
    uint32_t retry_ms;
    struct addrinfo *found, *at; /* addresses of the name; the one that is tried */
    char host[HOST_MAX];         /* with the port */
    bool has_token;
    char token[TOKEN_MAX];
    char accept[WEBSOCKET_ACCEPT_TEXT];
    char refusal[256];
    struct websocket_reader reader;
    uint8_t *out; /* not sent yet: bytes out_at .. out_n */
    size_t out_at, out_n, out_capacity;
    size_t in_at, in_n; /* received, not read yet */
    uint8_t in[IN_BYTES];
};

/* --- the socket --------------------------------------------------------------------------------- */

static void hang_up(struct http_link *self)
{
    if (self->fd >= 0) {
        close(self->fd); /* and epoll forgets it */
        self->fd = -1;
    }
    self->wants_out = false;
    self->out_at = self->out_n = 0;
    self->in_at = self->in_n = 0;
    websocket_reader_fini(&self->reader);
}

static void wait_for_out(struct http_link *self, bool wanted)
{
    if (self->wants_out != wanted) {
        struct epoll_event event = { .events = EPOLLIN | (wanted ? EPOLLOUT : 0u) };
        ensure(epoll_ctl(self->epoll, EPOLL_CTL_MOD, self->fd, &event) == 0);
        self->wants_out = wanted;
    }
}

/*  Sends what it can of the queue.  False: the connection broke. */
static bool flush(struct http_link *self)
{
    while (self->out_at < self->out_n) {
        ssize_t n =
            send(self->fd, self->out + self->out_at, self->out_n - self->out_at, MSG_NOSIGNAL);
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n < 0) {
            bool full = errno == EAGAIN;
            wait_for_out(self, full);
            return full;
        }
        self->out_at += (size_t)n;
    }
    self->out_at = self->out_n = 0;
    if (self->out_capacity > OUT_KEPT_MAX) {
        free(self->out);
        self->out = NULL;
        self->out_capacity = 0;
    }
    wait_for_out(self, false);
    return true;
}

/*  Room for n bytes at the end of the queue, or NULL. */
static uint8_t *room(struct http_link *self, size_t n)
{
    size_t used = self->out_n - self->out_at;
    if (self->out_at > 0 && self->out_n + n > self->out_capacity) {
        memmove(self->out, self->out + self->out_at, used);
        self->out_at = 0;
        self->out_n = used;
    }
    if (used + n > OUT_BYTES_MAX) {
        return NULL;
    }
    if (self->out_n + n > self->out_capacity) {
        size_t capacity = 2 * (self->out_n + n);
        uint8_t *out = realloc(self->out, capacity);
        if (out == NULL) {
            return NULL;
        }
        self->out = out;
        self->out_capacity = capacity;
    }
    return self->out + self->out_n;
}

/*  Queues a frame.  False: there is no room. */
static bool put_frame(struct http_link *self, enum websocket_op op, struct slice body)
{
    uint8_t mask[4];
    uint8_t *to = room(self, WEBSOCKET_HEAD_MAX + body.n);
    if (to == NULL) {
        return false;
    }
    random_bytes(mask, sizeof(mask));
    self->out_n += websocket_frame(to, op, body, mask);
    return true;
}

/*  Receives what fits.  False: the connection broke. */
static bool receive(struct http_link *self, bool *got)
{
    ensure(self->in_n < IN_BYTES);
    ssize_t n = recv(self->fd, self->in + self->in_n, IN_BYTES - self->in_n, 0);
    *got = n > 0;
    if (n > 0) {
        self->in_n += (size_t)n;
        self->heard_ms = clock_ms();
    }
    return n > 0 || (n < 0 && (errno == EAGAIN || errno == EINTR));
}

/* --- dialling ----------------------------------------------------------------------------------- */

static void retry_later(struct http_link *self, const char *why)
{
    log_debug("link.retry", "host=%s why=\"%s\" in_ms=%u", self->host, why, self->retry_ms);
    hang_up(self);
    self->phase = PHASE_WAITING;
    self->due_ms = clock_ms() + self->retry_ms;
    self->retry_ms = 2 * self->retry_ms < RETRY_MS_MAX ? 2 * self->retry_ms : RETRY_MS_MAX;
}

static enum link_news refuse(struct http_link *self, int code, const char *text)
{
    hang_up(self);
    self->phase = PHASE_REFUSED;
    self->due_ms = UINT64_MAX;
    snprintf(self->refusal, sizeof(self->refusal), "%s", text);
    self->base.refusal = (struct link_refusal){ code, self->refusal };
    return LINK_REFUSED;
}

static bool connect_to(struct http_link *self, const struct addrinfo *to)
{
    const int one = 1;
    struct epoll_event event = { .events = EPOLLIN | EPOLLOUT };
    self->fd = socket(to->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (self->fd < 0 || epoll_ctl(self->epoll, EPOLL_CTL_ADD, self->fd, &event) != 0) {
        return false;
    }
    self->wants_out = true;
    setsockopt(self->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
    return connect(self->fd, to->ai_addr, to->ai_addrlen) == 0 || errno == EINPROGRESS;
}

/*  Tries the addresses from self->at on until one does not fail at once. */
static void dial_next(struct http_link *self)
{
    for (; self->at != NULL; self->at = self->at->ai_next) {
        hang_up(self);
        if (connect_to(self, self->at)) {
            self->phase = PHASE_CONNECTING;
            self->due_ms = clock_ms() + CONNECT_MS;
            return;
        }
    }
    retry_later(self, strerror(errno));
}

static void dial(struct http_link *self)
{
    char host[HOST_MAX];
    snprintf(host, sizeof(host), "%s", self->host);
    char *colon = strrchr(host, ':');
    *colon = 0;
    char *name = host;
    if (host[0] == '[') {
        name++;
        colon[-1] = 0;
    }
    if (self->found != NULL) {
        freeaddrinfo(self->found);
        self->found = NULL;
    }
    const struct addrinfo wanted = { .ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM };
    int rc = getaddrinfo(name, colon + 1, &wanted, &self->found);
    if (rc != 0) {
        self->found = NULL;
        retry_later(self, gai_strerror(rc));
        return;
    }
    self->at = self->found;
    dial_next(self);
}

/*  The connection stands: asks for the upgrade. */
static enum link_news request(struct http_link *self)
{
    uint8_t nonce[WEBSOCKET_NONCE_BYTES];
    char key[WEBSOCKET_KEY_TEXT], text[REQUEST_MAX];
    random_bytes(nonce, sizeof(nonce));
    websocket_key(nonce, key);
    websocket_accept(key, self->accept);
    const struct upgrade_request wanted = { self->host, PATH, key,
                                            self->has_token ? self->token : NULL };
    int n = upgrade_write(&wanted, text, sizeof(text));
    if (n < 0) {
        return refuse(self, ERR_TOKEN,
                      "cannot be given the token: it has letters that no token has");
    }
    uint8_t *to = room(self, (size_t)n);
    ensure(to != NULL);
    memcpy(to, text, (size_t)n);
    self->out_n += (size_t)n;
    self->phase = PHASE_ASKING;
    self->due_ms = clock_ms() + ANSWER_MS;
    return LINK_NOTHING;
}

/*  Has the connection been made?  Then the request is written. */
static enum link_news look_at_connecting(struct http_link *self, uint64_t now_ms)
{
    struct pollfd item = { .fd = self->fd, .events = POLLOUT };
    int error = 0;
    socklen_t size = sizeof(error);
    if (poll(&item, 1, 0) <= 0) {
        if (now_ms >= self->due_ms) {
            self->at = self->at->ai_next;
            errno = ETIMEDOUT;
            dial_next(self);
        }
        return LINK_NOTHING;
    }
    ensure(getsockopt(self->fd, SOL_SOCKET, SO_ERROR, &error, &size) == 0);
    if (error != 0) {
        self->at = self->at->ai_next;
        errno = error;
        dial_next(self);
        return LINK_NOTHING;
    }
    return request(self);
}

/* --- the answer --------------------------------------------------------------------------------- */

static enum link_news on_status(struct http_link *self, uint32_t status)
{
    struct upgrade_refusal why = upgrade_refusal(status, self->has_token);
    if (why.code == OK) {
        retry_later(self, why.text);
        return LINK_NOTHING;
    }
    char text[sizeof(self->refusal)];
    snprintf(text, sizeof(text), why.text, status);
    return refuse(self, why.code, text);
}

static enum link_news on_up(struct http_link *self, size_t head_bytes)
{
    self->in_at = head_bytes;
    self->phase = PHASE_UP;
    self->retry_ms = RETRY_MS;
    self->pinged_ms = self->heard_ms;
    websocket_reader_init(&self->reader, WEBSOCKET_CLIENT, LINK_FRAME_BYTES_MAX);
    return LINK_UP;
}

static enum link_news on_answer(struct http_link *self)
{
    struct upgrade_reply reply = upgrade_read(slice_of(self->in, self->in_n), self->accept);
    switch (reply.answer) {
    case UPGRADE_MORE:
        return self->in_n < IN_BYTES
                   ? LINK_NOTHING
                   : refuse(self, ERR_UNREACHABLE, "answers with too much: it is no head of rayc");
    case UPGRADE_DONE:
        return on_up(self, reply.n);
    case UPGRADE_STATUS:
        return on_status(self, reply.status);
    case UPGRADE_UNKNOWN:
        return refuse(self, ERR_UNREACHABLE,
                      "answers another request than ours: something between changes it");
    case UPGRADE_ZMQ:
        return refuse(self, ERR_UNREACHABLE,
                      "speaks ZeroMQ on this port, not HTTP: write tcp:// instead of http://, or "
                      "the head's HTTP port (8265)");
    case UPGRADE_NOT_HTTP:
        return refuse(self, ERR_UNREACHABLE, "does not speak HTTP on this port");
    }
    return LINK_NOTHING;
}

static enum link_news look_at_asking(struct http_link *self, uint64_t now_ms)
{
    bool got = false;
    if (!flush(self) || !receive(self, &got)) {
        /* a port-forward takes connections also while nothing is behind it */
        retry_later(self, "the connection broke before the answer");
        return LINK_NOTHING;
    }
    enum link_news news = got ? on_answer(self) : LINK_NOTHING;
    if (news == LINK_NOTHING && self->phase == PHASE_ASKING && now_ms >= self->due_ms) {
        retry_later(self, "no answer");
    }
    return news;
}

/* --- while it is up ----------------------------------------------------------------------------- */

static enum link_news go_down(struct http_link *self, const char *why)
{
    retry_later(self, why);
    return LINK_DOWN;
}

static enum link_news deliver(struct slice bytes, struct link_frame *out)
{
    void *copy = malloc(bytes.n > 0 ? bytes.n : 1);
    ensure(copy != NULL);
    if (bytes.n > 0) {
        memcpy(copy, bytes.p, bytes.n);
    }
    *out = (struct link_frame){ slice_of(copy, bytes.n), copy, free };
    return LINK_FRAME;
}

static enum link_news on_message(struct http_link *self, const struct websocket_message *message,
                                 struct link_frame *out)
{
    switch (message->op) {
    case WEBSOCKET_BINARY:
        return deliver(message->bytes, out);
    case WEBSOCKET_PING:
        return put_frame(self, WEBSOCKET_PONG, message->bytes) ? LINK_NOTHING
                                                               : go_down(self, "the queue is full");
    case WEBSOCKET_MORE:
    case WEBSOCKET_PONG:
        return LINK_NOTHING;
    case WEBSOCKET_TEXT:
    case WEBSOCKET_CLOSE:
        break;
    }
    return go_down(self, message->op == WEBSOCKET_CLOSE ? "the head closed it" : "a text came");
}

/*  Reads on in what was received. */
static enum link_news take_message(struct http_link *self, struct link_frame *out)
{
    struct slice in = slice_of(self->in + self->in_at, self->in_n - self->in_at);
    struct websocket_message message;
    int rc = websocket_read(&self->reader, &in, &message);
    self->in_at = self->in_n - in.n;
    if (self->in_at == self->in_n) {
        self->in_at = self->in_n = 0;
    }
    if (rc != OK) {
        log_warn("link.frame", "host=%s why=\"%s\"", self->host, self->reader.why);
        return go_down(self, self->reader.why);
    }
    return on_message(self, &message, out);
}

/*  Asks for a sign of life, or gives up. */
static enum link_news look_at_silence(struct http_link *self, uint64_t now_ms)
{
    if (now_ms >= self->heard_ms + DEAD_MS) {
        return go_down(self, "silence");
    }
    uint64_t since_ms = self->heard_ms > self->pinged_ms ? self->heard_ms : self->pinged_ms;
    if (now_ms >= since_ms + QUIET_MS) {
        self->pinged_ms = since_ms = now_ms;
        if (!put_frame(self, WEBSOCKET_PING, (struct slice){ 0 }) || !flush(self)) {
            return go_down(self, strerror(errno));
        }
    }
    self->due_ms = since_ms + QUIET_MS;
    if (self->due_ms > self->heard_ms + DEAD_MS) {
        self->due_ms = self->heard_ms + DEAD_MS;
    }
    return LINK_NOTHING;
}

/*  All that came before the connection broke is delivered before the news of it. */
static enum link_news look_at_frames(struct http_link *self, struct link_frame *out)
{
    for (;;) {
        while (self->in_at < self->in_n) {
            enum link_news news = take_message(self, out);
            if (news != LINK_NOTHING) {
                return news;
            }
        }
        bool got = false;
        bool sent = flush(self);
        if (!receive(self, &got) || (!sent && !got)) {
            return go_down(self, "the connection broke");
        }
        if (!got) {
            return look_at_silence(self, clock_ms());
        }
    }
}

/* --- a link ------------------------------------------------------------------------------------- */

/*  Makes the timer ring when something is due. */
static void arm(struct http_link *self)
{
    if (self->armed_ms == self->due_ms && clock_ms() < self->armed_ms) {
        return;
    }
    uint64_t ms = self->due_ms == UINT64_MAX ? 0 : self->due_ms > 0 ? self->due_ms : 1;
    const struct itimerspec at = { .it_value = { (time_t)(ms / 1000),
                                                 (long)(ms % 1000) * 1000000 } };
    ensure(timerfd_settime(self->timer, TFD_TIMER_ABSTIME, &at, NULL) == 0);
    self->armed_ms = self->due_ms;
}

static enum link_news look(struct http_link *self, struct link_frame *out)
{
    uint64_t now_ms = clock_ms();
    switch (self->phase) {
    case PHASE_WAITING:
        if (now_ms >= self->due_ms) {
            dial(self);
        }
        return LINK_NOTHING;
    case PHASE_CONNECTING:
        return look_at_connecting(self, now_ms);
    case PHASE_ASKING:
        return look_at_asking(self, now_ms);
    case PHASE_UP:
        return look_at_frames(self, out);
    case PHASE_REFUSED:
        return LINK_NOTHING;
    }
    return LINK_NOTHING;
}

static enum link_news next_http(struct link *base, struct link_frame *out)
{
    struct http_link *self = (struct http_link *)base;
    for (;;) {
        enum phase before = self->phase;
        enum link_news news = look(self, out);
        if (news != LINK_NOTHING) {
            return news;
        }
        if (self->phase == before || self->phase == PHASE_WAITING) {
            arm(self);
            return LINK_NOTHING;
        }
    }
}

static int send_http(struct link *base, const void *p, size_t n)
{
    struct http_link *self = (struct http_link *)base;
    if (self->phase != PHASE_UP) {
        return OK;
    }
    bool first = self->out_at == self->out_n;
    if (!put_frame(self, WEBSOCKET_BINARY, slice_of(p, n))) {
        shutdown(self->fd, SHUT_RDWR); /* link_next() will see it */
    } else if (first) {
        (void)flush(self); /* so will it this */
    }
    return OK;
}

static void set_token(struct link *base, const char *token)
{
    struct http_link *self = (struct http_link *)base;
    self->has_token = token != NULL && token[0] != 0;
    if (self->has_token && !slice_copy_text(slice_text(token), self->token, sizeof(self->token))) {
        self->token[0] = '\n'; /* too long for one: the request will be refused here */
    }
}

static int fd_of(const struct link *base)
{
    return ((const struct http_link *)base)->epoll;
}

static void close_http(struct link *base)
{
    struct http_link *self = (struct http_link *)base;
    if (self->phase == PHASE_UP) {
        uint8_t body[WEBSOCKET_CONTROL_MAX];
        size_t n = websocket_close_body(body, WEBSOCKET_GOING_AWAY, "");
        if (put_frame(self, WEBSOCKET_CLOSE, slice_of(body, n))) {
            (void)flush(self);
        }
    }
    hang_up(self);
    if (self->found != NULL) {
        freeaddrinfo(self->found);
    }
    if (self->timer >= 0) {
        close(self->timer);
    }
    if (self->epoll >= 0) {
        close(self->epoll);
    }
    explicit_bzero(self->token, sizeof(self->token));
    free(self->out);
    free(self);
}

static const struct link_kind http_kind = { close_http, fd_of, next_http, send_http, set_token };

int link_open_http(struct link **out, const char *address)
{
    struct http_link *self = calloc(1, sizeof(*self));
    if (self == NULL) {
        return ERR_MEMORY;
    }
    self->base.kind = &http_kind;
    self->fd = -1;
    self->retry_ms = RETRY_MS;
    self->epoll = epoll_create1(EPOLL_CLOEXEC);
    self->timer = timerfd_create(CLOCK_BOOTTIME, TFD_CLOEXEC | TFD_NONBLOCK);
    struct epoll_event event = { .events = EPOLLIN };
    bool ready = slice_copy_text(slice_text(address + sizeof("http://") - 1), self->host,
                                 sizeof(self->host)) &&
                 self->epoll >= 0 && self->timer >= 0 &&
                 epoll_ctl(self->epoll, EPOLL_CTL_ADD, self->timer, &event) == 0;
    if (!ready) {
        log_error("link.open", "error=\"%s\"", strerror(errno));
        close_http(&self->base);
        return ERR_SYSTEM;
    }
    arm(self); /* due at once: the first link_next() dials */
    *out = &self->base;
    return OK;
}
