/*  carry.c - the thread that gives and fetches, and how the loop talks to it. */
#include "worker/carry_state.h"

#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>
#include "common/clock.h"
#include "common/log.h"

enum {
    TICK_MS = 50,
    /* ZeroMQ allocates each chunk that comes: freed memory of so much is kept for the next ones, for TRIM_MS.  By default
       malloc() would give it back after each chunk, and the kernel clear it again: half of all time. */
    KEPT_BYTES = 16 * CARRY_CHUNK,
    TRIM_MS = 5000
};

/* --- the loop's side -------------------------------------------------------------------------------------- */

const char *carry_address(const struct carry *self)
{
    return self->address;
}

int carry_fd(const struct carry *self)
{
    return self->fd;
}

void carry_say_token(struct carry *self, const char *token)
{
    pthread_mutex_lock(&self->lock);
    snprintf(self->token, sizeof(self->token), "%s", token);
    self->token_new = true;
    pthread_mutex_unlock(&self->lock);
    (void)eventfd_write(self->wake, 1);
}

/*  A copy of the order, which owns its addresses. */
static struct command *copy_order(const struct pull_order *order)
{
    uint32_t count =
        order->source_count < PULL_SOURCES_MAX ? order->source_count : PULL_SOURCES_MAX;
    size_t bytes = 0;
    for (uint32_t i = 0; i < count; i++) {
        bytes += strlen(order->sources[i].address) + 1;
    }
    struct command *out = calloc(1, sizeof(*out) + bytes);
    ensure(out != NULL);
    char *to = out->addresses;
    out->order = *order;
    out->order.sources = out->sources;
    out->order.source_count = count;
    for (uint32_t i = 0; i < count; i++) {
        size_t n = strlen(order->sources[i].address) + 1;
        memcpy(to, order->sources[i].address, n);
        out->sources[i] = (struct pull_source){ order->sources[i].node, to };
        to += n;
    }
    return out;
}

static void command(struct carry *self, struct command *it)
{
    pthread_mutex_lock(&self->lock);
    *self->commands_end = it;
    self->commands_end = &it->next;
    pthread_mutex_unlock(&self->lock);
    (void)eventfd_write(self->wake, 1);
}

void carry_pull(struct carry *self, const struct pull_order *order)
{
    command(self, copy_order(order));
}

void carry_cancel(struct carry *self, uint64_t task, uint32_t index)
{
    struct command *it = copy_order(&(struct pull_order){ .task = task, .index = index });
    it->cancel = true;
    command(self, it);
}

bool carry_next(struct carry *self, struct pull_news *out)
{
    pthread_mutex_lock(&self->lock);
    struct told *told = self->told;
    if (told) {
        *out = told->news;
        self->told = told->next;
        self->told_end = told->next ? self->told_end : &self->told;
    }
    pthread_mutex_unlock(&self->lock);
    free(told);
    return told != NULL;
}

/* --- the thread ------------------------------------------------------------------------------------------- */

static void tell(struct carry *self, const struct pull_news *news)
{
    struct told *told = calloc(1, sizeof(*told));
    ensure(told != NULL);
    told->news = *news;
    pthread_mutex_lock(&self->lock);
    *self->told_end = told;
    self->told_end = &told->next;
    pthread_mutex_unlock(&self->lock);
    (void)eventfd_write(self->fd, 1);
}

static void carry_out(struct carry *self, const struct command *it)
{
    if (it->cancel) {
        pulls_cancel(self->pulls, it->order.task, it->order.index);
        return;
    }
    int code = pulls_add(self->pulls, &it->order);
    if (code != OK) {
        struct pull_news news = {
            .kind = PULL_FAILED, .task = it->order.task, .index = it->order.index, .code = code
        };
        snprintf(news.text, sizeof(news.text), "%s", err_text(code));
        tell(self, &news);
    }
}

/*  False: it is to end. */
static bool take_commands(struct carry *self)
{
    eventfd_t news;
    pthread_mutex_lock(&self->lock);
    (void)eventfd_read(self->wake, &news);
    bool ending = self->ending;
    struct command *first = self->commands;
    self->commands = NULL;
    self->commands_end = &self->commands;
    if (self->token_new) {
        self->token_new = false;
        pulls_say_token(self->pulls, self->token);
    }
    pthread_mutex_unlock(&self->lock);
    for (struct command *it; (it = first) != NULL;) {
        first = it->next;
        carry_out(self, it);
        free(it);
    }
    return !ending;
}

/*  What chunks were in goes back to the system some time after the last one. */
static void trim(struct carry *self)
{
    if (pulls_stats(self->pulls).running > 0) {
        self->trim_ms = self->now_ms + TRIM_MS;
    } else if (self->now_ms >= self->trim_ms) {
        self->trim_ms = UINT64_MAX;
        malloc_trim(0);
    }
}

static long patience(const struct carry *self)
{
    uint64_t due = pulls_due(self->pulls), now = clock_ms();
    due = self->trim_ms < due ? self->trim_ms : due;
    long ms = due == UINT64_MAX ? -1 : due > now ? (long)(due - now) : 0;
    return give_busy(self) && (ms < 0 || ms > TICK_MS) ? TICK_MS : ms;
}

static void *serve(void *context)
{
    struct carry *self = context;
    struct pull_news news;
    zmq_pollitem_t items[] = { { self->router, 0, ZMQ_POLLIN, 0 },
                               { NULL, self->wake, ZMQ_POLLIN, 0 },
                               { NULL, pulls_fd(self->pulls), ZMQ_POLLIN, 0 },
                               { NULL, self->options.store.watch, ZMQ_POLLIN, 0 },
                               { self->zap, 0, ZMQ_POLLIN, 0 } };
    int count = self->zap ? 5 : 4;
    if (self->options.store.watch < 0) {
        items[3].fd = self->wake; /* poll() of the same twice does no harm */
    }
    while (take_commands(self)) {
        eventfd_t ready;
        self->now_ms = clock_ms();
        if (items[3].revents && self->options.store.watch >= 0) {
            (void)eventfd_read(self->options.store.watch, &ready);
        }
        give_turn(self);
        pulls_turn(self->pulls);
        while (pulls_next(self->pulls, &news)) {
            tell(self, &news);
        }
        trim(self);
        zmq_poll(items, count, patience(self));
    }
    return NULL;
}

/* --- open and close --------------------------------------------------------------------------------------- */

static int start(struct carry *self)
{
    struct pulls_options pulls = self->options.pulls;
    pulls.sink = self->options.store.sink;
    pulls.key = self->options.key;
    self->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    self->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    int code = self->wake >= 0 && self->fd >= 0 ? OK : ERR_SYSTEM;
    code = code == OK ? pulls_open(&self->pulls, &pulls) : code;
    code = code == OK ? give_open(self) : code;
    if (code == OK && pthread_create(&self->thread, NULL, serve, self) != 0) {
        code = ERR_SYSTEM;
    }
    self->started = code == OK;
    return code;
}

int carry_open(struct carry **out, const struct carry_options *options)
{
    struct carry *self = calloc(1, sizeof(*self));
    *out = NULL;
    if (!self) {
        return ERR_MEMORY;
    }
    self->options = *options;
    self->commands_end = &self->commands;
    self->told_end = &self->told;
    self->wake = self->fd = -1;
    self->trim_ms = UINT64_MAX;
    mallopt(M_MMAP_THRESHOLD, KEPT_BYTES);
    mallopt(M_TRIM_THRESHOLD, KEPT_BYTES);
    pthread_mutex_init(&self->lock, NULL);
    int code = start(self);
    if (code != OK) {
        carry_close(&self);
        return code;
    }
    log_info("carry.open", "address=\"%s\"", self->address);
    *out = self;
    return OK;
}

static void end_thread(struct carry *self)
{
    pthread_mutex_lock(&self->lock);
    self->ending = true;
    pthread_mutex_unlock(&self->lock);
    (void)eventfd_write(self->wake, 1);
    pthread_join(self->thread, NULL);
}

void carry_close(struct carry **self_p)
{
    struct carry *self = *self_p;
    *self_p = NULL;
    if (!self) {
        return;
    }
    if (self->started) {
        end_thread(self);
    }
    pulls_close(&self->pulls);
    give_close(self);
    for (struct command *it; (it = self->commands) != NULL;) {
        self->commands = it->next;
        free(it);
    }
    for (struct told *told; (told = self->told) != NULL;) {
        self->told = told->next;
        free(told);
    }
    int fds[] = { self->wake, self->fd };
    for (size_t i = 0; i < COUNT(fds); i++) {
        if (fds[i] >= 0) {
            close(fds[i]);
        }
    }
    pthread_mutex_destroy(&self->lock);
    explicit_bzero(&self->own, sizeof(self->own));
    explicit_bzero(self->token, sizeof(self->token));
    free(self);
}
