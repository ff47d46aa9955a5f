/*  web.c - a server as a whole: its socket, libmicrohttpd's settings, its connections, its end. */
#include "common/web/web_inside.h"

#include <errno.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/log.h"

/* --- listening -------------------------------------------------------------------------------------- */

static int listen_on(const struct addrinfo *address)
{
    int on = 1;
    int fd = socket(address->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0) {
        return -1;
    }
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    if (bind(fd, address->ai_addr, address->ai_addrlen) != 0 || listen(fd, CONNECTIONS_MAX) != 0) {
        int code = errno;
        close(fd);
        errno = code;
        return -1;
    }
    return fd;
}

/*  "http://host:port" of what the socket is bound to. */
static void name_socket(struct web *self)
{
    struct sockaddr_storage address;
    socklen_t n = sizeof(address);
    char host[256], port[16];
    if (getsockname(self->fd, (struct sockaddr *)&address, &n) == 0 &&
        getnameinfo((struct sockaddr *)&address, n, host, sizeof(host), port, sizeof(port),
                    NI_NUMERICHOST | NI_NUMERICSERV) == 0) {
        const char *form = strchr(host, ':') ? "http://[%s]:%s" : "http://%s:%s";
        snprintf(self->address, sizeof(self->address), form, host, port);
    }
}

static int open_socket(struct web *self, struct diag *why)
{
    const char *host = self->options.host;
    struct addrinfo hints = { .ai_family = AF_UNSPEC,
                              .ai_socktype = SOCK_STREAM,
                              .ai_flags = AI_PASSIVE | AI_NUMERICSERV };
    struct addrinfo *found = NULL;
    char port[16];
    snprintf(port, sizeof(port), "%u", self->options.port);
    if (getaddrinfo(host, port, &hints, &found) != 0) {
        snprintf(why->text, sizeof(why->text), "%.100s is not an address of this machine", host);
        return ERR_INVALID;
    }
    self->fd = listen_on(found);
    int code = errno;
    freeaddrinfo(found);
    if (self->fd >= 0) {
        name_socket(self);
        return OK;
    }
    if (code == EADDRINUSE) {
        snprintf(why->text, sizeof(why->text), "port %u of %.60s is in use by another program",
                 self->options.port, host);
        return ERR_CONFLICT;
    }
    snprintf(why->text, sizeof(why->text), "cannot listen on %.60s port %u: %s", host,
             self->options.port, strerror(code));
    return code == EADDRNOTAVAIL ? ERR_INVALID : ERR_SYSTEM;
}

/* --- connections ------------------------------------------------------------------------------------ */

static void connection_begins(struct web *self, struct MHD_Connection *connection, void **state)
{
    const union MHD_ConnectionInfo *info =
        mhd.get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD);
    struct web_connection *own = calloc(1, sizeof(*own));
    *state = own;
    if (!own || !info) {
        return; /* libmicrohttpd's own time-out is left to it */
    }
    own->fd = info->connect_fd;
    own->deadline_ms = clock_ms() + HEAD_MS_MAX;
    pthread_mutex_lock(&self->lock);
    own->next = self->connections;
    if (own->next) {
        own->next->previous = own;
    }
    self->connections = own;
    self->connection_count++;
    pthread_mutex_unlock(&self->lock);
}

static void connection_ends(struct web *self, void **state)
{
    struct web_connection *own = *state;
    *state = NULL;
    if (!own) {
        return;
    }
    pthread_mutex_lock(&self->lock);
    if (own->previous) {
        own->previous->next = own->next;
    } else if (self->connections == own) {
        self->connections = own->next;
    }
    if (own->next) {
        own->next->previous = own->previous;
    }
    self->connection_count--;
    pthread_mutex_unlock(&self->lock);
    free(own);
}

static void on_connection(void *context, struct MHD_Connection *connection, void **state,
                          enum MHD_ConnectionNotificationCode what)
{
    if (what == MHD_CONNECTION_NOTIFY_STARTED) {
        connection_begins(context, connection, state);
    } else {
        connection_ends(context, state);
    }
}

/*  Decoding is ours: what libmicrohttpd decodes no longer tells a slash from %2F. */
static size_t leave_encoded(void *context, struct MHD_Connection *connection, char *text)
{
    (void)context;
    (void)connection;
    return strlen(text);
}

static void on_log(void *context, const char *format, va_list arguments)
{
    char text[512];
    (void)context;
    vsnprintf(text, sizeof(text), format, arguments);
    text[strcspn(text, "\n")] = 0;
    log_debug("http.library", "text=\"%s\"", text);
}

/* --- begin and end ---------------------------------------------------------------------------------- */

int web_serve(struct web *self, struct diag *why)
{
    if (mhd_load(why) != OK) {
        return ERR_SYSTEM;
    }
    unsigned flags = MHD_USE_EPOLL_INTERNAL_THREAD | MHD_ALLOW_SUSPEND_RESUME | MHD_ALLOW_UPGRADE |
                     MHD_USE_ITC | MHD_USE_ERROR_LOG;
    struct MHD_OptionItem items[16] = {
        { MHD_OPTION_EXTERNAL_LOGGER, (intptr_t)on_log, self },
        { MHD_OPTION_LISTEN_SOCKET, self->fd, NULL },
        { MHD_OPTION_CONNECTION_MEMORY_LIMIT, CONNECTION_BYTES, NULL },
        { MHD_OPTION_CONNECTION_LIMIT, CONNECTIONS_MAX, NULL },
        { MHD_OPTION_PER_IP_CONNECTION_LIMIT, CONNECTIONS_PER_IP_MAX, NULL },
        { MHD_OPTION_CONNECTION_TIMEOUT, IDLE_MS_MAX / 1000, NULL },
        { MHD_OPTION_THREAD_STACK_SIZE, STACK_BYTES, NULL },
        { MHD_OPTION_STRICT_FOR_CLIENT, 1, NULL },
        { MHD_OPTION_SIGPIPE_HANDLED_BY_APP, 1, NULL },
        { MHD_OPTION_URI_LOG_CALLBACK, (intptr_t)web_call_new, self },
        { MHD_OPTION_UNESCAPE_CALLBACK, (intptr_t)leave_encoded, self },
        { MHD_OPTION_NOTIFY_COMPLETED, (intptr_t)web_call_end, self },
        { MHD_OPTION_NOTIFY_CONNECTION, (intptr_t)on_connection, self },
        { MHD_OPTION_END, 0, NULL },
    };
    if (self->options.threads > 1) {
        items[13] =
            (struct MHD_OptionItem){ MHD_OPTION_THREAD_POOL_SIZE, self->options.threads, NULL };
        items[14] = (struct MHD_OptionItem){ MHD_OPTION_END, 0, NULL };
    }
    self->daemon = mhd.start_daemon(flags, 0, NULL, NULL, web_access, self, MHD_OPTION_ARRAY, items,
                                    MHD_OPTION_END);
    if (!self->daemon) {
        snprintf(why->text, sizeof(why->text), "the HTTP server cannot start");
        return ERR_SYSTEM;
    }
    return OK;
}

/*  The names that Host may have live as long as the server. */
static int copy_names(struct web *self)
{
    uint32_t count = self->options.name_count;
    size_t bytes = 1;
    for (uint32_t i = 0; i < count; i++) {
        bytes += strlen(self->options.names[i]) + 1;
    }
    self->names_text = malloc(bytes);
    self->names = calloc(count + 1, sizeof(char *));
    if (!self->names_text || !self->names) {
        return ERR_MEMORY;
    }
    char *to = self->names_text;
    for (uint32_t i = 0; i < count; i++) {
        self->names[i] = to;
        to = stpcpy(to, self->options.names[i]) + 1;
    }
    self->options.names = self->names;
    return OK;
}

static void init_locks(struct web *self)
{
    pthread_condattr_t attributes;
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_mutex_init(&self->lock, NULL);
    pthread_cond_init(&self->work, &attributes);
    pthread_cond_init(&self->gone, &attributes);
    pthread_condattr_destroy(&attributes);
}

int web_open(struct web **out, const struct web_options *options, struct diag *why)
{
    *out = NULL;
    struct web *self = calloc(1, sizeof(*self));
    if (!self) {
        return ERR_MEMORY;
    }
    self->options = *options;
    self->options.workers = options->workers ? options->workers : WORKERS_DEFAULT;
    self->fd = -1;
    atomic_init(&self->body_room, BODIES_MAX);
    init_locks(self);
    self->tallies = calloc(options->route_count + 1, sizeof(*self->tallies));
    int code = self->tallies ? copy_names(self) : ERR_MEMORY;
    code = code == OK ? open_socket(self, why) : code;
    code = code == OK ? web_pump_open(&self->pump, self) : code;
    if (code != OK) {
        web_close(&self);
    }
    *out = self;
    return code;
}

void web_close(struct web **web)
{
    struct web *self = *web;
    *web = NULL;
    if (!self) {
        return;
    }
    atomic_store(&self->ending, true);
    web_work_stop(self); /* whoever waited for a worker is resumed */
    web_flows_end(self);
    if (self->pump) {
        web_pump_end(self->pump);
    }
    if (self->daemon) {
        mhd.stop_daemon(self->daemon); /* closes the socket, too */
    } else if (self->fd >= 0) {
        close(self->fd);
    }
    if (self->pump) {
        web_pump_close(&self->pump);
    }
    pthread_cond_destroy(&self->work);
    pthread_cond_destroy(&self->gone);
    pthread_mutex_destroy(&self->lock);
    free(self->tallies);
    free(self->names);
    free(self->names_text);
    free(self);
}

const char *web_address(const struct web *self)
{
    return self->address;
}

struct web_count web_count(const struct web *self, uint32_t route)
{
    struct web_count count = { 0 };
    struct web_tally *tally = &self->tallies[route];
    for (size_t i = 0; i < COUNT(count.replies); i++) {
        count.replies[i] = atomic_load(&tally->replies[i]);
    }
    count.micros = atomic_load(&tally->micros);
    return count;
}

uint32_t web_connections(const struct web *self)
{
    struct web *unlocked = (struct web *)(uintptr_t)self;
    pthread_mutex_lock(&unlocked->lock);
    uint32_t count = self->connection_count;
    pthread_mutex_unlock(&unlocked->lock);
    return count;
}
