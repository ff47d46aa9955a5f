/*  feed.c - the feed's thread, and a listener's life: its queue is filled by that thread and emptied by the server's. */
#include "head/feed_inside.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>
#include "common/clock.h"
#include "head/query_view.h"

enum {
    TURN_MS = 250,  /* news are told so often at most */
    IDLE_MS = 1000, /* and tokens looked after so often at least */
    FEED_STACK = 256 << 10
};

static void wake(const struct feed *self)
{
    uint64_t one = 1;
    ssize_t n = write(self->wake_fd, &one, sizeof(one));
    ensure(n == sizeof(one) || errno == EAGAIN);
}

/* --- a listener's queue ---------------------------------------------------------------------------------- */

bool listener_full(struct listener *self)
{
    pthread_mutex_lock(&self->feed->lock);
    bool full = self->n - self->at >= FEED_QUEUE_MAX;
    self->waits = self->waits || full;
    pthread_mutex_unlock(&self->feed->lock);
    return full;
}

bool listener_stalled(struct listener *self, uint64_t now_ms)
{
    pthread_mutex_lock(&self->feed->lock);
    bool stalled =
        self->n - self->at >= FEED_QUEUE_MAX && now_ms >= self->took_ms + FEED_STALLED_MS;
    pthread_mutex_unlock(&self->feed->lock);
    return stalled;
}

/*  Under the lock.  False: no memory. */
static bool make_room(struct listener *self, size_t n)
{
    if (self->at > 0) {
        memmove(self->p, self->p + self->at, self->n - self->at);
        self->n -= self->at;
        self->at = 0;
    }
    size_t capacity = (self->n + n) * 2;
    char *grown = realloc(self->p, capacity);
    if (grown) {
        self->p = grown;
        self->capacity = capacity;
    }
    return grown != NULL;
}

void listener_put(struct listener *self, const char *p, size_t n)
{
    uint64_t now_ms = clock_ms();
    pthread_mutex_lock(&self->feed->lock);
    self->took_ms = self->at == self->n ? now_ms : self->took_ms;
    if (self->n + n > self->capacity && !make_room(self, n)) {
        self->ended = true;
    } else {
        memcpy(self->p + self->n, p, n);
        self->n += n;
    }
    pthread_mutex_unlock(&self->feed->lock);
    self->spoke_ms = now_ms;
}

/*  Of what waits, how many bytes at most `most` end with a frame's end; 0: none. */
static size_t whole(const struct listener *self, size_t most)
{
    for (size_t i = most; i >= 2; i--) {
        if (self->p[self->at + i - 1] == '\n' && self->p[self->at + i - 2] == '\n') {
            return i;
        }
    }
    return 0;
}

/*  The rest of a frame that was begun stays. */
static size_t begun_bytes(const struct listener *self)
{
    const char *end =
        self->begun ? memmem(self->p + self->at, self->n - self->at, "\n\n", 2) : NULL;
    return end ? (size_t)(end - self->p) + 2 - self->at : 0;
}

void listener_drop(struct listener *self)
{
    pthread_mutex_lock(&self->feed->lock);
    self->n = self->at + begun_bytes(self);
    pthread_mutex_unlock(&self->feed->lock);
}

void listener_end(struct listener *self)
{
    pthread_mutex_lock(&self->feed->lock);
    self->ended = true;
    pthread_mutex_unlock(&self->feed->lock);
}

/*  Whole frames, so that what is left can be dropped between two of them; but a part of one that is larger than
    `capacity`, which does not end between the two letters that are a frame's end. */
static size_t take(struct listener *self, size_t capacity)
{
    size_t n = self->n - self->at;
    if (n > capacity) {
        n = whole(self, capacity);
        self->begun = n == 0;
        n = n > 0 ? n : capacity;
        return self->begun && self->p[self->at + n - 1] == '\n' ? n - 1 : n;
    }
    self->begun = false;
    return n;
}

static int64_t listener_read(void *context, char *to, size_t capacity)
{
    struct listener *self = context;
    pthread_mutex_lock(&self->feed->lock);
    size_t n = self->ended ? 0 : take(self, capacity);
    int64_t result = self->ended ? -1 : (int64_t)n;
    if (result > 0) {
        memcpy(to, self->p + self->at, n);
        self->at += n;
        self->took_ms = clock_ms();
        if (self->at == self->n) {
            self->at = self->n = 0;
        }
    }
    bool room = self->waits && self->n - self->at < FEED_QUEUE_MAX / 2;
    self->waits = self->waits && !room;
    pthread_mutex_unlock(&self->feed->lock);
    if (room) {
        atomic_store(&self->feed->room, true);
        wake(self->feed);
    }
    return result;
}

static void listener_free(struct listener *self)
{
    free(self->p);
    free(self);
}

static void listener_close(void *context)
{
    struct listener *self = context;
    struct feed *feed = self->feed;
    pthread_mutex_lock(&feed->lock);
    bool listed = self->listed;
    self->gone = true;
    pthread_mutex_unlock(&feed->lock);
    if (!listed) {
        listener_free(self);
    }
}

/* --- the thread ------------------------------------------------------------------------------------------ */

void feed_pulse(struct feed *self)
{
    if (atomic_exchange(&self->wanted, false)) {
        wake(self);
    }
}

static void wait_for_news(const struct feed *self, int for_ms)
{
    uint64_t count;
    struct pollfd fd = { self->wake_fd, POLLIN, 0 };
    poll(&fd, 1, for_ms);
    ensure(read(self->wake_fd, &count, sizeof(count)) > 0 || errno == EAGAIN || errno == EINTR);
}

/*  Those who listen; who is gone is freed. */
static struct listener *listening(struct feed *self)
{
    pthread_mutex_lock(&self->lock);
    for (struct listener **at = &self->listeners; *at;) {
        struct listener *one = *at;
        if (one->gone) {
            *at = one->next;
            listener_free(one);
        } else {
            at = &one->next;
        }
    }
    struct listener *all = self->listeners;
    pthread_mutex_unlock(&self->lock);
    return all;
}

static void send_all(struct feed *self, struct listener *all)
{
    pthread_mutex_lock(&self->lock);
    for (struct listener *one = all; one; one = one->next) {
        if (!one->gone && (one->ended || one->at < one->n)) {
            web_wake(one->flow);
        }
    }
    pthread_mutex_unlock(&self->lock);
}

static void *feed_main(void *context)
{
    struct feed *self = context;
    while (!atomic_load(&self->ending)) {
        struct listener *all = listening(self);
        if (!all) {
            wait_for_news(self, -1);
            continue;
        }
        uint64_t start_ms = clock_ms();
        atomic_store(&self->wanted, true);
        bool more = feed_turn(self, all, start_ms);
        send_all(self, all);
        if (more) {
            continue;
        }
        wait_for_news(self, IDLE_MS);
        uint64_t took_ms = clock_ms() - start_ms;
        bool room = atomic_exchange(&self->room, false);
        if (took_ms < TURN_MS && !room && !atomic_load(&self->ending)) {
            poll(NULL, 0, (int)(TURN_MS - took_ms));
        }
    }
    return NULL;
}

/*  Under the lock. */
static bool start(struct feed *self)
{
    if (!self->running) {
        pthread_attr_t attributes;
        pthread_attr_init(&attributes);
        pthread_attr_setstacksize(&attributes, FEED_STACK);
        self->running = (self->db || query_database(self->database, &self->db) == OK) &&
                        pthread_create(&self->thread, &attributes, feed_main, self) == 0;
        pthread_attr_destroy(&attributes);
    }
    return self->running;
}

void feed_listen(struct feed *self, const struct feed_wish *wish, struct web_reply *reply)
{
    static const struct web_stream kind = { listener_read, listener_close };
    static const char hello[] = "retry: 1000\n\n";
    struct listener *one = calloc(1, sizeof(*one));
    if (!one) {
        web_reply_error(reply, ERR_MEMORY, "there is no memory for one more stream");
        return;
    }
    one->feed = self;
    one->wish = *wish;
    listener_put(one, hello, sizeof(hello) - 1);
    struct web_flow *flow = web_reply_stream(reply, "text/event-stream", &kind, one);
    if (!flow) {
        return;
    }
    web_reply_header(reply, "X-Accel-Buffering", "no");
    pthread_mutex_lock(&self->lock);
    one->flow = flow;
    one->listed = true;
    one->next = self->listeners;
    self->listeners = one;
    bool runs = start(self);
    pthread_mutex_unlock(&self->lock);
    wake(self);
    if (!runs) {
        web_reply_error(reply, ERR_SYSTEM, "the feed of events cannot start");
    }
}

int feed_open(struct feed **out, const char *database, const struct log_files *logs)
{
    struct feed *self = calloc(1, sizeof(*self));
    *out = self;
    if (!self) {
        return ERR_MEMORY;
    }
    self->database = database;
    self->logs = logs;
    pthread_mutex_init(&self->lock, NULL);
    self->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (self->wake_fd < 0) {
        feed_close(out);
        return ERR_SYSTEM;
    }
    return OK;
}

void feed_close(struct feed **feed)
{
    struct feed *self = *feed;
    *feed = NULL;
    if (!self) {
        return;
    }
    if (self->running) {
        atomic_store(&self->ending, true);
        wake(self);
        pthread_join(self->thread, NULL);
    }
    while (self->listeners) {
        struct listener *one = self->listeners;
        self->listeners = one->next;
        listener_free(one);
    }
    if (self->wake_fd >= 0) {
        close(self->wake_fd);
    }
    sqlite3_close(self->db);
    free(self->progress);
    pthread_mutex_destroy(&self->lock);
    free(self);
}

uint64_t feed_count(struct feed *self)
{
    uint64_t count = 0;
    pthread_mutex_lock(&self->lock);
    for (const struct listener *at = self->listeners; at != NULL; at = at->next) {
        count += !at->gone;
    }
    pthread_mutex_unlock(&self->lock);
    return count;
}
