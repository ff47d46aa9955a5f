/*  http_events.c - the feed of events and those who listen to it. */
#include "head/http_events.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "common/clock.h"
#include "common/log.h"
#include "head/http.h"
#include "head/query_view.h"

enum {
    TURN_MS = 250,   /* news are told so often at most */
    CHECK_MS = 1000, /* and whether the token still holds */
    PING_MS = 15000, /* proxies cut silent connections */
    ROWS_PER_TURN = 500,
    QUEUE_BYTES_MAX = 256 << 10, /* who reads too slowly is told to begin again */
    FEED_STACK = 256 << 10
};

enum topic { TOPIC_JOBS = 1, TOPIC_TASKS = 2, TOPIC_NODES = 4, TOPIC_OTHERS = 8, TOPICS_ALL = 15 };

struct listener {
    struct feed *feed;
    struct listener *next, *previous;
    struct web_flow *flow;
    uint64_t owner, token; /* owner 0: sees everything */
    uint32_t topics;
    bool fresh; /* begins with what comes next */
    bool ended;
    uint64_t after; /* id of the last event it was told, or passed over */
    uint64_t spoke_ms;
    char *p;
    size_t n, at, capacity; /* p[at..n) is to be sent */
};

struct feed {
    sqlite3 *db; /* the thread's */
    const char *database;
    pthread_t thread;
    bool running, ending;
    pthread_mutex_t lock; /* guards the listeners and all of them */
    pthread_cond_t changed;
    struct listener *listeners;
    uint64_t first, last; /* ids that there are */
    uint64_t checked_ms;
};

/* --- what a listener is told ----------------------------------------------------------------------------- */

static void put(struct listener *self, const char *p, size_t n)
{
    if (self->n + n > self->capacity) {
        size_t capacity = (self->n + n) * 2;
        char *grown = realloc(self->p, capacity);
        if (!grown) {
            self->ended = true;
            return;
        }
        self->p = grown;
        self->capacity = capacity;
    }
    memcpy(self->p + self->n, p, n);
    self->n += n;
    self->spoke_ms = clock_ms();
}

static void put_text(struct listener *self, const char *text)
{
    put(self, text, strlen(text));
}

/*  There is a gap: the client must read the lists again. */
static void put_resync(struct listener *self, uint64_t id)
{
    char text[96];
    snprintf(text, sizeof(text), "id: %llu\nevent: resync\ndata: {}\n\n", (unsigned long long)id);
    put_text(self, text);
    self->after = id;
}

static uint32_t topic_of(const char *kind)
{
    return strncmp(kind, "job.", 4) == 0    ? TOPIC_JOBS
           : strncmp(kind, "task.", 5) == 0 ? TOPIC_TASKS
           : strncmp(kind, "node.", 5) == 0 ? TOPIC_NODES
                                            : TOPIC_OTHERS;
}

static void put_row(struct listener *self, sqlite3_stmt *row)
{
    uint64_t id = (uint64_t)sqlite3_column_int64(row, 0);
    uint64_t owner = (uint64_t)sqlite3_column_int64(row, 1);
    const char *kind = (const char *)sqlite3_column_text(row, 2);
    const char *json = (const char *)sqlite3_column_text(row, 3);
    char head[64];
    self->after = id;
    if (!kind || !json || !(self->topics & topic_of(kind)) ||
        (self->owner != 0 && owner != self->owner)) {
        return;
    }
    snprintf(head, sizeof(head), "id: %llu\ndata: ", (unsigned long long)id);
    put_text(self, head);
    put_text(self, json);
    put_text(self, "\n\n");
}

/* --- a turn of the feed ------------------------------------------------------------------------------------ */

static sqlite3_stmt *prepare(const struct feed *self, const char *sql)
{
    sqlite3_stmt *out = NULL;
    if (sqlite3_prepare_v2(self->db, sql, -1, &out, NULL) != SQLITE_OK) {
        log_error("http.events", "error=\"%s\"", sqlite3_errmsg(self->db));
    }
    return out;
}

static void look(struct feed *self)
{
    sqlite3_stmt *row = prepare(self, "SELECT coalesce((SELECT min(id) FROM event),0),"
                                      " coalesce((SELECT max(id) FROM event),0)");
    if (row && sqlite3_step(row) == SQLITE_ROW) {
        self->first = (uint64_t)sqlite3_column_int64(row, 0);
        self->last = (uint64_t)sqlite3_column_int64(row, 1);
    }
    sqlite3_finalize(row);
}

/*  Rows after `after`, for all who have been told so far. */
static void tell(struct feed *self, uint64_t after)
{
    sqlite3_stmt *row =
        prepare(self, "SELECT v.id, coalesce(j.owner,0), v.kind, json_object('event_id',v.event_id,"
                      "'time',v.time,'time_ms',v.time_ms,'kind',v.kind,'job_id',v.job_id,"
                      "'node_id',v.node_id,'task_id',v.task_id,'text',substr(v.text,1,2000))"
                      " FROM events v LEFT JOIN job j ON j.id=v.job"
                      " WHERE v.id>?1 AND v.id<=?2 ORDER BY v.id LIMIT ?3");
    if (!row) {
        return;
    }
    sqlite3_bind_int64(row, 1, (int64_t)after);
    sqlite3_bind_int64(row, 2, (int64_t)self->last);
    sqlite3_bind_int64(row, 3, ROWS_PER_TURN);
    uint64_t told = after;
    while (sqlite3_step(row) == SQLITE_ROW) {
        for (struct listener *one = self->listeners; one; one = one->next) {
            if (!one->fresh && one->after == told && one->n - one->at < QUEUE_BYTES_MAX) {
                put_row(one, row);
            }
        }
        told = (uint64_t)sqlite3_column_int64(row, 0);
    }
    sqlite3_finalize(row);
}

static bool holds(const struct feed *self, uint64_t token)
{
    sqlite3_stmt *row =
        prepare(self, "SELECT 1 FROM token t JOIN user u ON u.id=t.user WHERE t.id=?1 AND"
                      " t.revoked_ms IS NULL AND (t.expires_ms=0 OR t.expires_ms>?2)"
                      " AND u.disabled=0");
    sqlite3_bind_int64(row, 1, (int64_t)token);
    sqlite3_bind_int64(row, 2, (int64_t)clock_wall_ms());
    bool found = row && sqlite3_step(row) == SQLITE_ROW;
    sqlite3_finalize(row);
    return found;
}

/*  The lock is held. */
static void turn(struct feed *self, uint64_t now_ms)
{
    bool check = now_ms >= self->checked_ms + CHECK_MS;
    self->checked_ms = check ? now_ms : self->checked_ms;
    look(self);
    for (struct listener *one = self->listeners; one; one = one->next) {
        bool slow = one->n - one->at >= QUEUE_BYTES_MAX;
        one->ended = one->ended || (check && !holds(self, one->token));
        if (one->fresh) {
            one->fresh = false;
            one->after = self->last;
        } else if (slow && one->after < self->last) {
            one->n = one->at; /* nothing that was begun is in it: frames are taken whole */
            put_resync(one, self->last);
        } else if (one->after > self->last || one->after + 1 < self->first) {
            put_resync(one, self->last);
        }
    }
    for (struct listener *one = self->listeners; one; one = one->next) {
        if (one->after < self->last) {
            tell(self, one->after);
        }
        if (now_ms >= one->spoke_ms + PING_MS) {
            put_text(one, ": ping\n\n");
        }
    }
    for (struct listener *one = self->listeners; one; one = one->next) {
        if (one->ended || one->at < one->n) {
            web_wake(one->flow);
        }
    }
}

static void *feed_main(void *context)
{
    struct feed *self = context;
    pthread_mutex_lock(&self->lock);
    while (!self->ending) {
        if (!self->listeners) {
            pthread_cond_wait(&self->changed, &self->lock);
            continue;
        }
        turn(self, clock_ms());
        struct timespec until;
        clock_gettime(CLOCK_REALTIME, &until);
        until.tv_nsec += TURN_MS * 1000000L;
        until.tv_sec += until.tv_nsec / 1000000000L;
        until.tv_nsec %= 1000000000L;
        pthread_cond_timedwait(&self->changed, &self->lock, &until);
    }
    pthread_mutex_unlock(&self->lock);
    return NULL;
}

/* --- a listener's life --------------------------------------------------------------------------------------- */

/*  Whole frames only, so that what is left can be dropped between two of them. */
static size_t whole(const struct listener *self, size_t capacity)
{
    size_t n = self->n - self->at;
    if (n <= capacity) {
        return n;
    }
    for (size_t i = capacity; i >= 2; i--) {
        if (self->p[self->at + i - 1] == '\n' && self->p[self->at + i - 2] == '\n') {
            return i;
        }
    }
    return 0;
}

static int64_t listener_read(void *context, char *to, size_t capacity)
{
    struct listener *self = context;
    pthread_mutex_lock(&self->feed->lock);
    size_t waiting = self->n - self->at;
    size_t n = whole(self, capacity);
    int64_t result = self->ended || (n == 0 && waiting > 0) ? -1 : (int64_t)n;
    if (result > 0) {
        memcpy(to, self->p + self->at, n);
        self->at += n;
        if (self->at == self->n) {
            self->at = self->n = 0;
        }
    }
    pthread_mutex_unlock(&self->feed->lock);
    return result;
}

static void listener_close(void *context)
{
    struct listener *self = context;
    struct feed *feed = self->feed;
    pthread_mutex_lock(&feed->lock);
    if (self->previous) {
        self->previous->next = self->next;
    } else if (feed->listeners == self) {
        feed->listeners = self->next;
    }
    if (self->next) {
        self->next->previous = self->previous;
    }
    pthread_mutex_unlock(&feed->lock);
    free(self->p);
    free(self);
}

static bool read_topics(const char *text, uint32_t *out)
{
    static const struct {
        const char *word;
        uint32_t topic;
    } words[] = { { "jobs", TOPIC_JOBS }, { "tasks", TOPIC_TASKS }, { "nodes", TOPIC_NODES } };
    *out = text ? 0 : TOPICS_ALL;
    while (text && *text) {
        size_t n = strcspn(text, ",");
        bool known = false;
        for (size_t i = 0; i < COUNT(words); i++) {
            if (slice_same(slice_text(words[i].word), slice_of(text, n))) {
                *out |= words[i].topic;
                known = true;
            }
        }
        if (!known) {
            return false;
        }
        text += text[n] ? n + 1 : n;
    }
    return *out != 0;
}

/*  Where it goes on: the number in Last-Event-ID.  False: it is none. */
static bool read_after(const struct web_request *request, struct listener *self)
{
    const char *text = web_header(request, "Last-Event-ID");
    if (!text) {
        self->fresh = true;
        return true;
    }
    size_t n = strspn(text, "0123456789");
    self->after = strtoull(text, NULL, 10);
    return n > 0 && n < 19 && text[n] == 0;
}

static bool feed_start(struct feed *self)
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

void http_events_stream(struct web_request *request, struct web_reply *reply)
{
    static const struct web_stream kind = { listener_read, listener_close };
    struct feed *feed = http_feed(request);
    struct listener *self = calloc(1, sizeof(*self));
    if (!self || !read_topics(web_query(request, "topics"), &self->topics)) {
        web_reply_error(reply, self ? ERR_INVALID : ERR_MEMORY,
                        "topics: a list of jobs, tasks, nodes, with commas between");
        free(self);
        return;
    }
    if (!read_after(request, self)) {
        web_reply_error(reply, ERR_INVALID, "Last-Event-ID is not the number of an event");
        free(self);
        return;
    }
    self->feed = feed;
    self->owner = http_owner(request);
    self->token = request->who.token;
    put_text(self, "retry: 1000\n\n");
    struct web_flow *flow = web_reply_stream(reply, "text/event-stream", &kind, self);
    if (!flow) {
        return;
    }
    web_reply_header(reply, "X-Accel-Buffering", "no");
    pthread_mutex_lock(&feed->lock);
    self->flow = flow;
    self->next = feed->listeners;
    if (self->next) {
        self->next->previous = self;
    }
    feed->listeners = self;
    bool runs = feed_start(feed);
    pthread_cond_signal(&feed->changed);
    pthread_mutex_unlock(&feed->lock);
    if (!runs) {
        web_reply_error(reply, ERR_SYSTEM, "the feed of events cannot start");
    }
}

int feed_open(struct feed **out, const char *database)
{
    struct feed *self = calloc(1, sizeof(*self));
    *out = self;
    if (!self) {
        return ERR_MEMORY;
    }
    self->database = database;
    pthread_mutex_init(&self->lock, NULL);
    pthread_cond_init(&self->changed, NULL);
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
        pthread_mutex_lock(&self->lock);
        self->ending = true;
        pthread_cond_signal(&self->changed);
        pthread_mutex_unlock(&self->lock);
        pthread_join(self->thread, NULL);
    }
    sqlite3_close(self->db);
    pthread_cond_destroy(&self->changed);
    pthread_mutex_destroy(&self->lock);
    free(self);
}
