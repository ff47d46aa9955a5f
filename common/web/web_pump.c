/*  web_pump.c - the one thread that looks after time (heads and bodies that take too long) and after WebSockets.  Before
    all that it waits for the first connection, without which there is no libmicrohttpd. */
#include "common/web/web_inside.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/log.h"

enum {
    TICK_MS = 1000,
    READ_BYTES = 64 << 10,
    EVENTS_PER_TURN = 64,
    CLOSE_MS_MAX = 2000,     /* without progress, once it is closing */
    PONG_QUEUE_MAX = 8 << 20 /* who reads so little gets no answers to pings */
};

struct web_socket {
    struct web_pump *pump;
    const struct web_socket_kind *kind;
    void *context;
    int fd;
    struct MHD_UpgradeResponseHandle *handle;
    struct websocket_reader reader;
    struct web_socket *next, *previous;
    struct web_socket *next_new;
    uint8_t *early; /* bytes that came with the request's head */
    size_t early_n;
    uint8_t *out; /* what is queued: from out_at to out_n */
    size_t out_at, out_n, out_capacity;
    bool writing, ending, broken;
    bool parted; /* the other side has said goodbye, too, or is not listened to any more */
    atomic_bool woken;
    uint64_t heard_ms, pinged_ms, end_ms;
};

struct web_pump {
    struct web *web;
    int epoll_fd, event_fd;
    pthread_t thread;
    bool running;
    atomic_bool ending;
    pthread_mutex_t lock;     /* guards `fresh` */
    struct web_socket *fresh; /* that the server's threads handed over */
    struct web_socket *sockets;
    uint8_t *buffer; /* for reading; made with the first socket */
    uint64_t ticked_ms;
    bool knocked, told; /* the server is to be started; it could not be, and that is in the log */
};

static void poke(struct web_pump *self)
{
    uint64_t one = 1;
    ssize_t n = write(self->event_fd, &one, sizeof(one));
    ensure(n == sizeof(one) || errno == EAGAIN);
}

/* --- writing ------------------------------------------------------------------------------------------- */

static void listen_for(struct web_socket *self, bool writing)
{
    if (self->writing != writing) {
        struct epoll_event event = { .events = EPOLLIN | (writing ? EPOLLOUT : 0u),
                                     .data.ptr = self };
        self->writing = writing;
        epoll_ctl(self->pump->epoll_fd, EPOLL_CTL_MOD, self->fd, &event);
    }
}

static void flush(struct web_socket *self)
{
    while (self->out_at < self->out_n && !self->broken) {
        ssize_t n =
            send(self->fd, self->out + self->out_at, self->out_n - self->out_at, MSG_NOSIGNAL);
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n < 0) {
            self->broken = errno != EAGAIN;
            break;
        }
        self->out_at += (size_t)n;
        self->end_ms = clock_ms() + CLOSE_MS_MAX;
    }
    if (self->out_at == self->out_n) {
        free(self->out); /* a silent socket costs nothing */
        self->out = NULL;
        self->out_at = self->out_n = self->out_capacity = 0;
    }
    listen_for(self, self->out_at < self->out_n);
}

/*  What has left makes room, once it is no less than what is to be moved; until then the buffer grows. */
static bool make_room(struct web_socket *self, size_t more)
{
    size_t waits = self->out_n - self->out_at;
    if (self->out_n + more > self->out_capacity && self->out_at >= waits && waits > 0) {
        memmove(self->out, self->out + self->out_at, waits);
        self->out_at = 0;
        self->out_n = waits;
    }
    if (self->out_n + more > self->out_capacity) {
        size_t capacity = (self->out_n + more) + self->out_n / 2;
        uint8_t *grown = realloc(self->out, capacity);
        self->broken = !grown;
        self->out = grown ? grown : self->out;
        self->out_capacity = grown ? capacity : self->out_capacity;
    }
    return !self->broken;
}

static bool queue(struct web_socket *self, enum websocket_op op, struct slice bytes)
{
    if (self->broken || !make_room(self, WEBSOCKET_HEAD_MAX + bytes.n)) {
        return false;
    }
    self->out_n += websocket_frame(self->out + self->out_n, op, bytes, NULL);
    flush(self);
    return true;
}

bool web_socket_send(struct web_socket *self, enum websocket_op op, struct slice bytes)
{
    if (self->ending || self->broken || web_socket_queued(self) + bytes.n > WEB_SOCKET_QUEUE_MAX) {
        return false;
    }
    return queue(self, op, bytes);
}

size_t web_socket_queued(const struct web_socket *self)
{
    return self->out_n - self->out_at;
}

void web_socket_end(struct web_socket *self, enum websocket_code code, const char *reason)
{
    uint8_t body[WEBSOCKET_CONTROL_MAX];
    if (!self->ending) {
        self->ending = true;
        self->end_ms = clock_ms() + CLOSE_MS_MAX;
        queue(self, WEBSOCKET_CLOSE, slice_of(body, websocket_close_body(body, code, reason)));
    }
}

void web_socket_wake(struct web_socket *self)
{
    if (!atomic_exchange(&self->woken, true)) {
        poke(self->pump);
    }
}

/* --- reading ------------------------------------------------------------------------------------------- */

static void on_message(struct web_socket *self, const struct websocket_message *message)
{
    switch (message->op) {
    case WEBSOCKET_MORE:
    case WEBSOCKET_PONG:
        return;
    case WEBSOCKET_TEXT:
    case WEBSOCKET_BINARY:
        if (!self->ending) {
            self->kind->message(self->context, message->op, message->bytes);
        }
        return;
    case WEBSOCKET_PING:
        if (web_socket_queued(self) < PONG_QUEUE_MAX) {
            queue(self, WEBSOCKET_PONG, message->bytes);
        }
        return;
    case WEBSOCKET_CLOSE:
        web_socket_end(self, WEBSOCKET_NORMAL, "");
        self->parted = true;
        return;
    }
}

static void take(struct web_socket *self, struct slice bytes)
{
    self->heard_ms = clock_ms();
    while (bytes.n > 0 && !self->broken && !self->parted) {
        struct websocket_message message;
        if (websocket_read(&self->reader, &bytes, &message) != OK) {
            web_socket_end(self, (enum websocket_code)self->reader.code, self->reader.why);
            self->parted = true;
            return;
        }
        on_message(self, &message);
        if (message.op == WEBSOCKET_MORE) {
            return;
        }
    }
}

static void receive(struct web_socket *self)
{
    ssize_t n = recv(self->fd, self->pump->buffer, READ_BYTES, 0);
    if (n > 0) {
        take(self, slice_of(self->pump->buffer, (size_t)n));
    } else if (n == 0 || (errno != EAGAIN && errno != EINTR)) {
        self->broken = true;
    }
}

/* --- a socket's life ------------------------------------------------------------------------------------ */

static void socket_free(struct web_socket *self)
{
    self->kind->close(self->context);
    websocket_reader_fini(&self->reader);
    mhd.upgrade_action(self->handle, MHD_UPGRADE_ACTION_CLOSE); /* closes fd */
    free(self->early);
    free(self->out);
    free(self);
}

static void socket_drop(struct web_socket *self)
{
    struct web_pump *pump = self->pump;
    epoll_ctl(pump->epoll_fd, EPOLL_CTL_DEL, self->fd, NULL);
    if (self->previous) {
        self->previous->next = self->next;
    } else {
        pump->sockets = self->next;
    }
    if (self->next) {
        self->next->previous = self->previous;
    }
    socket_free(self);
}

void web_pump_take(void *context, struct MHD_Connection *connection, void *request,
                   const char *extra, size_t extra_n, MHD_socket fd,
                   struct MHD_UpgradeResponseHandle *handle)
{
    struct web_joining *joining = context;
    struct web_pump *pump = joining->web->pump;
    struct web_socket *socket = calloc(1, sizeof(*socket));
    (void)connection;
    (void)request;
    uint8_t *early = extra_n > 0 ? malloc(extra_n) : NULL;
    pthread_mutex_lock(&pump->lock);
    if (!socket || (extra_n > 0 && !early) || atomic_load(&pump->ending)) {
        pthread_mutex_unlock(&pump->lock);
        joining->kind->close(joining->context);
        mhd.upgrade_action(handle, MHD_UPGRADE_ACTION_CLOSE);
        free(socket);
        free(early);
        free(joining);
        return;
    }
    if (early) {
        memcpy(early, extra, extra_n);
    }
    *socket = (struct web_socket){ .pump = pump,
                                   .kind = joining->kind,
                                   .context = joining->context,
                                   .fd = fd,
                                   .handle = handle,
                                   .early = early,
                                   .early_n = extra_n };
    websocket_reader_init(&socket->reader, WEBSOCKET_SERVER, socket->kind->message_max);
    free(joining);
    socket->next_new = pump->fresh;
    pump->fresh = socket;
    pthread_mutex_unlock(&pump->lock);
    poke(pump);
}

static void socket_open(struct web_pump *self, struct web_socket *socket)
{
    struct epoll_event event = { .events = EPOLLIN, .data.ptr = socket };
    self->buffer = self->buffer ? self->buffer : malloc(READ_BYTES);
    if (!self->buffer || epoll_ctl(self->epoll_fd, EPOLL_CTL_ADD, socket->fd, &event) != 0) {
        socket_free(socket);
        return;
    }
    socket->next = self->sockets;
    if (socket->next) {
        socket->next->previous = socket;
    }
    self->sockets = socket;
    socket->heard_ms = socket->pinged_ms = clock_ms();
    socket->kind->open(socket->context, socket);
    take(socket, slice_of(socket->early, socket->early_n));
    free(socket->early);
    socket->early = NULL;
}

static void take_fresh(struct web_pump *self)
{
    pthread_mutex_lock(&self->lock);
    struct web_socket *fresh = self->fresh;
    self->fresh = NULL;
    pthread_mutex_unlock(&self->lock);
    while (fresh) {
        struct web_socket *next = fresh->next_new;
        socket_open(self, fresh);
        fresh = next;
    }
}

/*  Is it over?  A goodbye is given a moment to be heard. */
static bool is_over(const struct web_socket *self, uint64_t now_ms)
{
    bool said = self->parted && web_socket_queued(self) == 0;
    return self->broken || (self->ending && (said || now_ms >= self->end_ms)) ||
           now_ms >= self->heard_ms + WEB_SOCKET_SILENT_MS;
}

/*  After each turn: the woken, the finished, and once a second the pings. */
static void look_after(struct web_pump *self, bool tick)
{
    uint64_t now_ms = clock_ms();
    for (struct web_socket *socket = self->sockets, *next; socket; socket = next) {
        next = socket->next;
        bool woken = atomic_exchange(&socket->woken, false);
        if ((woken || tick) && !socket->ending && !socket->broken) {
            socket->kind->ready(socket->context);
        }
        if (tick && now_ms >= socket->pinged_ms + WEB_SOCKET_PING_MS && !socket->ending) {
            socket->pinged_ms = now_ms;
            queue(socket, WEBSOCKET_PING, slice_of(NULL, 0));
        }
        if (is_over(socket, now_ms)) {
            socket_drop(socket);
        }
    }
}

/* --- time ------------------------------------------------------------------------------------------------ */

/*  Who is late is cut; libmicrohttpd then sees the end of the connection. */
static void cut_late(struct web *web)
{
    uint64_t now_ms = clock_ms();
    pthread_mutex_lock(&web->lock);
    for (struct web_connection *own = web->connections; own; own = own->next) {
        if (now_ms >= own->deadline_ms) {
            shutdown(own->fd, SHUT_RDWR);
            own->deadline_ms = UINT64_MAX;
        }
    }
    pthread_mutex_unlock(&web->lock);
}

static void on_event(struct web_pump *self, const struct epoll_event *event)
{
    struct web_socket *socket = event->data.ptr;
    if (event->data.ptr == self) {
        self->knocked = true;
        return;
    }
    if (!socket) {
        uint64_t count;
        ssize_t n = read(self->event_fd, &count, sizeof(count));
        ensure(n == sizeof(count) || errno == EAGAIN || errno == EINTR);
        return;
    }
    if (event->events & EPOLLOUT) {
        flush(socket);
        if (web_socket_queued(socket) == 0) {
            atomic_store(&socket->woken, true);
        }
    }
    if (event->events & (EPOLLIN | EPOLLHUP | EPOLLERR)) {
        receive(socket);
    }
}

/*  Who knocks waits in the socket's queue: where the server cannot start now, it may in a second. */
static void serve(struct web_pump *self)
{
    struct diag why = { 0 };
    self->knocked = web_serve(self->web, &why) != OK;
    if (self->knocked && !self->told) {
        self->told = true;
        log_error("http.start", "address=%s why=\"%s\"", self->web->address, why.text);
    }
}

static bool listen_once(const struct web_pump *self)
{
    struct epoll_event event = { .events = EPOLLIN | EPOLLONESHOT,
                                 .data.ptr = (void *)(uintptr_t)self };
    return epoll_ctl(self->epoll_fd, EPOLL_CTL_ADD, self->web->fd, &event) == 0;
}

static void *pump_main(void *context)
{
    struct web_pump *self = context;
    struct epoll_event events[EVENTS_PER_TURN];
    while (!atomic_load(&self->ending)) {
        int n = epoll_wait(self->epoll_fd, events, EVENTS_PER_TURN, TICK_MS);
        for (int i = 0; i < n; i++) {
            on_event(self, &events[i]);
        }
        take_fresh(self);
        uint64_t now_ms = clock_ms();
        bool tick = now_ms >= self->ticked_ms + TICK_MS;
        if (self->knocked && (tick || !self->told)) {
            serve(self);
        }
        if (tick) {
            self->ticked_ms = now_ms;
            cut_late(self->web);
        }
        look_after(self, tick);
    }
    return NULL;
}

int web_pump_open(struct web_pump **out, struct web *web)
{
    *out = NULL;
    struct web_pump *self = calloc(1, sizeof(*self));
    if (!self) {
        return ERR_MEMORY;
    }
    self->web = web;
    pthread_mutex_init(&self->lock, NULL);
    self->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    self->event_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    struct epoll_event event = { .events = EPOLLIN };
    pthread_attr_t attributes;
    pthread_attr_init(&attributes);
    pthread_attr_setstacksize(&attributes, STACK_BYTES);
    self->running = self->epoll_fd >= 0 && self->event_fd >= 0 &&
                    epoll_ctl(self->epoll_fd, EPOLL_CTL_ADD, self->event_fd, &event) == 0 &&
                    listen_once(self) &&
                    pthread_create(&self->thread, &attributes, pump_main, self) == 0;
    pthread_attr_destroy(&attributes);
    if (!self->running) {
        web_pump_close(&self);
        return ERR_SYSTEM;
    }
    *out = self;
    return OK;
}

void web_pump_end(struct web_pump *self)
{
    pthread_mutex_lock(&self->lock);
    atomic_store(&self->ending, true);
    pthread_mutex_unlock(&self->lock);
    if (self->running) {
        poke(self);
        pthread_join(self->thread, NULL);
        self->running = false;
    }
    take_fresh(self);
    while (self->sockets) {
        web_socket_end(self->sockets, WEBSOCKET_GOING_AWAY, "the server ends");
        socket_drop(self->sockets);
    }
}

void web_pump_close(struct web_pump **pump)
{
    struct web_pump *self = *pump;
    web_pump_end(self);
    free(self->buffer);
    if (self->epoll_fd >= 0) {
        close(self->epoll_fd);
    }
    if (self->event_fd >= 0) {
        close(self->event_fd);
    }
    pthread_mutex_destroy(&self->lock);
    free(self);
    *pump = NULL;
}
