/*  pulls.c - orders, whose turn it is, patience, and how a pull ends. */
#include "proto/pulls_state.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <unistd.h>
#include "common/clock.h"
#include "common/log.h"

enum { TICK_MS = 100 };

struct pulls_options pulls_defaults(void)
{
    return (struct pulls_options){ .bytes_max = 512ull * MIB,
                                   .stall_ms = 10000,
                                   .again_ms = 500,
                                   .warn_ms = 60000,
                                   .fail_ms = 600000 };
}

/* --- open and close --------------------------------------------------------------------------------------- */

int pulls_open(struct pulls **out, const struct pulls_options *options)
{
    *out = NULL;
    struct pulls *self = calloc(1, sizeof(*self));
    if (!self) {
        return ERR_MEMORY;
    }
    self->options = *options;
    self->context = zmq_ctx_new();
    self->epoll = epoll_create1(EPOLL_CLOEXEC);
    if (!self->context || self->epoll < 0) {
        log_error("carry.open", "error=\"%s\"", zmq_strerror(errno));
        pulls_close(&self);
        return ERR_SYSTEM;
    }
    *out = self;
    return OK;
}

static void free_pull(struct pull *pull)
{
    free(pull->flights);
    free(pull->hashes);
    free(pull);
}

void pulls_close(struct pulls **self_p)
{
    struct pulls *self = *self_p;
    *self_p = NULL;
    if (!self) {
        return;
    }
    while (self->first) {
        pull_end(self, self->first, ERR_CLOSED, "");
    }
    while (self->peers) {
        pull_peer_close(self, self->peers);
    }
    for (struct news *news; (news = self->oldest) != NULL;) {
        self->oldest = news->next;
        free(news);
    }
    if (self->context) {
        zmq_ctx_term(self->context);
    }
    if (self->epoll >= 0) {
        close(self->epoll);
    }
    explicit_bzero(self->token, sizeof(self->token));
    free(self);
}

void pulls_say_token(struct pulls *self, const char *token)
{
    snprintf(self->token, sizeof(self->token), "%s", token);
}

/* --- news ------------------------------------------------------------------------------------------------- */

void pull_tell(struct pulls *self, const struct pull *pull, const struct pull_news *news)
{
    struct news *more = calloc(1, sizeof(*more));
    ensure(more != NULL);
    more->it = *news;
    more->it.task = pull->task;
    more->it.index = pull->index;
    if (self->newest) {
        self->newest->next = more;
    } else {
        self->oldest = more;
    }
    self->newest = more;
}

bool pulls_next(struct pulls *self, struct pull_news *out)
{
    struct news *news = self->oldest;
    if (!news) {
        return false;
    }
    *out = news->it;
    self->oldest = news->next;
    self->newest = self->oldest ? self->newest : NULL;
    free(news);
    return true;
}

static void unlink_pull(struct pulls *self, struct pull *pull)
{
    *(pull->previous ? &pull->previous->next : &self->first) = pull->next;
    *(pull->next ? &pull->next->previous : &self->last) = pull->previous;
    self->count--;
}

void pull_end(struct pulls *self, struct pull *pull, int code, const char *text)
{
    const struct pulls_sink *sink = &self->options.sink;
    struct pull_news news = { .kind = PULL_DONE, .code = code };
    requests_end_of(self, pull, NULL);
    if (code == OK) {
        code = sink->seal(sink->context, pull->buffer, pull->task, pull->index);
        text = code == OK ? text : "it cannot be sealed in this node's store";
    } else if (pull->state != PULL_QUEUED) {
        sink->abort(sink->context, pull->buffer);
    }
    if (code != OK) {
        news.kind = PULL_FAILED;
        news.code = code;
        snprintf(news.text, sizeof(news.text), "%s", text[0] ? text : err_text(code));
    }
    self->admitted -= pull->state != PULL_QUEUED ? pull->size : 0;
    for (uint32_t i = 0; i < pull->source_count; i++) {
        pull->sources[i].peer->pulls--;
    }
    pull_tell(self, pull, &news);
    unlink_pull(self, pull);
    free_pull(pull);
}

void pull_strike(struct pulls *self, struct pull *pull, struct source *source, int code,
                 const char *text)
{
    bool left = false;
    source->struck = true;
    for (uint32_t i = 0; i < pull->source_count; i++) {
        left = left || !pull->sources[i].struck;
    }
    requests_end_of(self, pull, source->peer);
    if (!left) {
        pull_end(self, pull, code, text);
    }
}

/* --- orders ----------------------------------------------------------------------------------------------- */

static struct pull *find(const struct pulls *self, uint64_t task, uint32_t index)
{
    struct pull *pull = self->first;
    while (pull && (pull->task != task || pull->index != index)) {
        pull = pull->next;
    }
    return pull;
}

/*  A source that was of no use may have become one. */
static int add_source(struct pulls *self, struct pull *pull, const struct pull_source *from)
{
    struct peer *peer;
    int code = pull_peer_open(self, from->address, &peer);
    if (code != OK) {
        return code;
    }
    struct source *source = pull_source_of(pull, peer);
    if (source) {
        source->struck = false;
    } else if (pull->source_count < PULL_SOURCES_MAX) {
        pull->sources[pull->source_count++] = (struct source){ .node = from->node, .peer = peer };
        peer->pulls++;
    }
    return OK;
}

static struct pull *new_pull(struct pulls *self, const struct pull_order *order)
{
    struct pull *pull = calloc(1, sizeof(*pull));
    if (!pull) {
        return NULL;
    }
    uint32_t chunks = chunk_count(order->size);
    *pull = (struct pull){ .task = order->task,
                           .index = order->index,
                           .size = order->size,
                           .user = order->user,
                           .state = PULL_QUEUED,
                           .chunks = chunks,
                           .flights = calloc(chunks, 1),
                           .hashes = calloc(chunks, sizeof(struct chunk_hash)),
                           .previous = self->last };
    if (!pull->flights || !pull->hashes) {
        free_pull(pull);
        return NULL;
    }
    *(self->last ? &self->last->next : &self->first) = pull;
    self->last = pull;
    self->count++;
    return pull;
}

int pulls_add(struct pulls *self, const struct pull_order *order)
{
    struct pull *pull = find(self, order->task, order->index);
    if (order->size == 0 || order->size / CARRY_CHUNK >= UINT32_MAX || order->source_count == 0) {
        return ERR_INVALID;
    }
    if (!pull && self->count == PULLS_MAX) {
        return ERR_BUSY;
    }
    pull = pull ? pull : new_pull(self, order);
    if (!pull) {
        return ERR_MEMORY;
    }
    pull->orders++;
    for (uint32_t i = 0; i < order->source_count; i++) {
        int code = add_source(self, pull, &order->sources[i]);
        if (code != OK && pull->source_count == 0 && i + 1 == order->source_count) {
            pull_end(self, pull, code, "");
            return OK; /* told as news */
        }
    }
    return OK;
}

void pulls_cancel(struct pulls *self, uint64_t task, uint32_t index)
{
    struct pull *pull = find(self, task, index);
    if (pull && --pull->orders == 0) {
        pull_end(self, pull, ERR_CANCELLED, "");
    }
}

/* --- turns ------------------------------------------------------------------------------------------------ */

static void got_room(struct pulls *self, struct pull *pull, int code)
{
    if (code == OK) {
        pull->state = PULL_RUNS;
        pull->progress_ms = self->now_ms;
    } else if (code != PULLS_LATER) { /* the buffer is not ours */
        self->admitted -= pull->size;
        pull->state = PULL_QUEUED;
        pull_end(self, pull, code, "this node's store has no room for it");
    }
}

/*  In order; one that is larger than all that may be on its way goes alone. */
static void admit(struct pulls *self)
{
    const struct pulls_sink *sink = &self->options.sink;
    for (struct pull *pull = self->first, *next; pull; pull = next) {
        next = pull->next;
        if (pull->state == PULL_ROOM) {
            got_room(self, pull, sink->ready(sink->context, pull->buffer));
        } else if (pull->state == PULL_QUEUED) {
            if (self->admitted > 0 && self->admitted + pull->size > self->options.bytes_max) {
                return;
            }
            self->admitted += pull->size;
            pull->state = PULL_ROOM;
            got_room(self, pull,
                     sink->create(sink->context, pull->user, pull->size, &pull->buffer));
        }
    }
}

/*  What is known of the connections, for people. */
static void describe(const struct pull *pull, uint64_t ms, char *text, size_t capacity)
{
    uint32_t up = 0;
    for (uint32_t i = 0; i < pull->source_count; i++) {
        up += pull->sources[i].peer->up && !pull->sources[i].struck;
    }
    snprintf(text, capacity,
             "nothing of it has come for %llu s: of %u nodes that have it %u are connected",
             (unsigned long long)(ms / 1000), pull->source_count, up);
}

static void lose_patience(struct pulls *self, struct pull *pull)
{
    char text[160];
    uint64_t ms = self->now_ms - pull->progress_ms;
    if (pull->state != PULL_RUNS && pull->state != PULL_CHECKS) {
        return;
    }
    describe(pull, ms, text, sizeof(text));
    if (ms >= self->options.warn_ms && !pull->warned) {
        pull->warned = true;
        log_warn("carry.slow", "task=%llu index=%u chunks=%u here=%u text=\"%s\"",
                 (unsigned long long)pull->task, pull->index, pull->chunks, pull->here, text);
    }
    if (ms >= self->options.fail_ms) {
        pull_end(self, pull, ERR_TIMEOUT, text);
    }
}

static void strike_refused(struct pulls *self, struct pull *pull)
{
    for (uint32_t i = 0; i < pull->source_count; i++) {
        struct source *source = &pull->sources[i];
        if (!source->struck && source->peer->refused) {
            bool last = true;
            for (uint32_t k = 0; k < pull->source_count; k++) {
                last = last && (k == i || pull->sources[k].struck);
            }
            pull_strike(self, pull, source, ERR_KEY, source->peer->refused);
            if (last) {
                return; /* the pull is no more */
            }
        }
    }
}

static void on_time(struct pulls *self)
{
    requests_on_time(self);
    for (struct pull *pull = self->first, *next; pull; pull = next) {
        next = pull->next;
        lose_patience(self, pull);
    }
    for (struct pull *pull = self->first, *next; pull; pull = next) {
        next = pull->next;
        strike_refused(self, pull);
    }
    for (struct peer *peer = self->peers, *next; peer; peer = next) {
        next = peer->next;
        if (peer->pulls == 0 && (peer->refused || self->now_ms >= peer->heard_ms + PEER_IDLE_MS)) {
            pull_peer_close(self, peer);
        }
    }
}

int pulls_fd(const struct pulls *self)
{
    return self->epoll;
}

static bool hear(struct pulls *self)
{
    bool heard = false;
    for (struct peer *peer = self->peers; peer; peer = peer->next) {
        heard = pull_peer_take(self, peer) || heard;
    }
    return heard;
}

/*  ZeroMQ's descriptors tell once: so until there is nothing more to hear, and nothing was said since.  Who has said
    something is heard before patience ends: the turn before may be long ago. */
void pulls_turn(struct pulls *self)
{
    self->now_ms = clock_ms();
    for (bool again = true, first = true; again; first = false) {
        again = hear(self);
        if (first) {
            on_time(self);
        }
        admit(self);
        again = requests_fill(self) || again;
    }
}

uint64_t pulls_due(const struct pulls *self)
{
    return self->first   ? self->now_ms + TICK_MS
           : self->peers ? self->now_ms + PEER_IDLE_MS
                         : UINT64_MAX;
}

struct pulls_stats pulls_stats(const struct pulls *self)
{
    struct pulls_stats out = self->stats;
    for (const struct pull *pull = self->first; pull; pull = pull->next) {
        (pull->state == PULL_QUEUED || pull->state == PULL_ROOM) ? out.waiting++ : out.running++;
    }
    return out;
}
