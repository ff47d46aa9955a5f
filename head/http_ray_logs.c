/*  http_ray_logs.c - the output of a job's driver: all of it as JSON, or as it comes over a WebSocket. */
#include "head/http_ray_inside.h"

#include <stdio.h>
#include <stdlib.h>
#include "common/clock.h"
#include "head/bearer.h"
#include "head/http.h"
#include "head/query_view.h"
#include "head/ray_text.h"

enum { PIECE_BYTES = 64 * 1024, LETTER_BYTES_MAX = 4, TAIL_QUEUE_MAX = 1 * MIB, CHECK_MS = 1000 };

struct reading {
    const struct log_files *files;
    struct log_name name;
    uint64_t offset, end;
    uint8_t piece[PIECE_BYTES];
};

/*  What comes next, up to `room` bytes and to a whole letter; empty at the end. */
static struct slice next(struct reading *self, size_t room)
{
    struct wire to = { self->piece, 0, room < PIECE_BYTES ? room : PIECE_BYTES, false };
    uint64_t left = self->end > self->offset ? self->end - self->offset : 0;
    to.capacity = to.capacity < left ? to.capacity : (size_t)left;
    if (to.capacity == 0 || log_read(self->files, &self->name, &self->offset, &to) != OK) {
        return (struct slice){ 0 };
    }
    struct slice piece = slice_of(to.p, to.n);
    piece.n =
        ray_text_whole(piece, piece.n < LETTER_BYTES_MAX || self->offset + piece.n >= self->end);
    self->offset += piece.n;
    return piece;
}

/* --- all of it ------------------------------------------------------------------------------------ */

enum phase { HEAD, BODY, TAIL, OVER };

struct whole {
    struct reading reading;
    enum phase phase;
};

static int64_t put(char *to, const char *text)
{
    memcpy(to, text, strlen(text));
    return (int64_t)strlen(text);
}

static int64_t whole_read(void *context, char *to, size_t capacity)
{
    struct whole *self = context;
    if (self->phase == HEAD) {
        self->phase = BODY;
        return put(to, "{\"logs\": \"");
    }
    if (self->phase == BODY) {
        struct slice piece = next(&self->reading, capacity / RAY_JSON_GROWS);
        if (piece.n > 0) {
            return (int64_t)ray_text_json(piece, to);
        }
        self->phase = TAIL;
    }
    if (self->phase == TAIL) {
        self->phase = OVER;
        return put(to, "\"}");
    }
    return -1;
}

static void whole_close(void *context)
{
    free(context);
}

void http_ray_logs(struct web_request *request, struct web_reply *reply)
{
    struct ray_job job;
    if (!http_ray_find(request, reply, "get logs of", &job)) {
        return;
    }
    struct whole *self = malloc(sizeof(*self));
    if (self == NULL) {
        http_ray_text(reply, 500, "RuntimeError: out of memory\n");
        return;
    }
    const struct log_files *files = http_ray_reader(request).logs;
    const struct log_name name = { .job = job.number };
    self->phase = HEAD;
    self->reading.files = files;
    self->reading.name = name;
    self->reading.offset = 0;
    self->reading.end = log_end(files, &name);
    static const struct web_stream stream = { whole_read, whole_close };
    if (web_reply_stream(reply, NULL, &stream, self) == NULL) {
        http_ray_text(reply, 500, "RuntimeError: out of memory\n");
    }
}

/* --- as it comes ---------------------------------------------------------------------------------- */

/*  Has a connection of its own: the pump has none. */
struct tail {
    struct reading reading;
    struct web_socket *socket;
    struct ray_reader reader;
    uint64_t token, checked_ms; /* it is looked at again now and then */
    char id[NAME_MAX_BYTES + 1];
    char text[PIECE_BYTES * RAY_TEXT_GROWS];
};

/*  False: the token is not valid any more, and the goodbye is said. */
static bool tail_may(struct tail *self)
{
    uint64_t now_ms = clock_ms();
    if (now_ms < self->checked_ms + CHECK_MS) {
        return true;
    }
    self->checked_ms = now_ms;
    bool may = bearer_holds(self->reader.db, self->token);
    if (!may) {
        web_socket_end(self->socket, WEBSOCKET_POLICY, "the token is not valid any more");
    }
    return may;
}

static void tail_ready(void *context)
{
    struct tail *self = context;
    if (!tail_may(self)) {
        return;
    }
    if (web_socket_queued(self->socket) > TAIL_QUEUE_MAX) {
        return; /* it comes again when that has left */
    }
    struct ray_job job = { 0 };
    int rc = ray_job_find(&self->reader, slice_text(self->id), &job);
    bool over = rc != OK || job.ended || job.number != self->reading.name.job;
    /* an ended job's log is complete */
    self->reading.end = log_end(self->reading.files, &self->reading.name);
    for (struct slice piece = next(&self->reading, PIECE_BYTES); piece.n > 0;
         piece = next(&self->reading, PIECE_BYTES)) {
        size_t n = ray_text_clean(piece, self->text);
        if (!web_socket_send(self->socket, WEBSOCKET_TEXT, slice_of(self->text, n))) {
            return;
        }
        if (web_socket_queued(self->socket) > TAIL_QUEUE_MAX) {
            return;
        }
    }
    if (over) {
        web_socket_end(self->socket, WEBSOCKET_NORMAL, "");
    }
}

static void tail_open(void *context, struct web_socket *socket)
{
    struct tail *self = context;
    self->socket = socket;
    tail_ready(self);
}

static void tail_message(void *context, enum websocket_op op, struct slice bytes)
{
    (void)context; /* Ray's client has nothing to say */
    (void)op;
    (void)bytes;
}

static void tail_close(void *context)
{
    struct tail *self = context;
    sqlite3_close(self->reader.db);
    free(self);
}

void http_ray_tail(struct web_request *request, struct web_reply *reply)
{
    static const struct web_socket_kind kind = {
        .message_max = 4096,
        .open = tail_open,
        .message = tail_message,
        .ready = tail_ready,
        .close = tail_close,
    };
    struct ray_job job;
    if (!http_ray_find(request, reply, "get logs of", &job)) {
        return;
    }
    struct tail *self = calloc(1, sizeof(*self));
    if (self == NULL || query_database(http_database(request), &self->reader.db) != OK) {
        free(self);
        http_ray_text(reply, 500, "RuntimeError: the database cannot be opened once more\n");
        return;
    }
    struct ray_reader reader = http_ray_reader(request);
    self->reader.logs = reader.logs;
    self->reader.owner = reader.owner;
    self->token = request->who.token;
    self->reading.files = reader.logs;
    self->reading.name.job = job.number;
    snprintf(self->id, sizeof(self->id), "%s", job.id);
    web_reply_socket(request, reply, &kind, self);
}
