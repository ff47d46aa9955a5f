/*  feed_tell.c - a turn of the feed: rows of the table of events, how far jobs are, what their drivers printed. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/clock.h"
#include "common/log.h"
#include "head/bearer.h"
#include "head/feed_inside.h"
#include "head/json.h"

enum {
    CHECK_MS = 1000, /* a token is looked at again */
    PING_MS = 15000, /* proxies cut silent connections */
    ROWS_PER_TURN = 500,
    LOG_PIECE = 16 << 10,
    FRAME_MAX_BYTES = 8 * LOG_PIECE,
    ENDED_MS = 10000 /* so long a job that has ended may still have news of its progress */
};

/*  Logged once, until all goes well for a turn: a turn is four times a second. */
static void failed(struct feed *self)
{
    if (!self->failed) {
        log_error("http.events", "error=\"%s\"", sqlite3_errmsg(self->db));
    }
    self->failed = self->fails = true;
}

static sqlite3_stmt *prepare(struct feed *self, const char *sql)
{
    sqlite3_stmt *out = NULL;
    if (sqlite3_prepare_v2(self->db, sql, -1, &out, NULL) != SQLITE_OK) {
        failed(self);
    }
    return out;
}

/*  False: there are no more rows, or it failed. */
static bool next_row(struct feed *self, sqlite3_stmt *row)
{
    int rc = sqlite3_step(row);
    if (rc != SQLITE_ROW && rc != SQLITE_DONE) {
        failed(self);
    }
    return rc == SQLITE_ROW;
}

/* --- frames ------------------------------------------------------------------------------------------------ */

/*  Where it is, when it has got this frame: the newest event's number; and of each log, JOB=OFFSET. */
static void frame_id(const struct listener *self, char out[FEED_ID_BYTES])
{
    const struct feed_wish *wish = &self->wish;
    int n = snprintf(out, FEED_ID_BYTES, "id: %" PRIu64, wish->after);
    for (uint32_t i = 0; i < wish->log_count; i++) {
        n += snprintf(out + n, FEED_ID_BYTES - (size_t)n, ";%" PRIu64 "=%" PRIu64,
                      wish->logs[i].job, wish->logs[i].offset);
    }
}

/*  `event` may be NULL, and `data` nothing: then it hears only where it is. */
static void put_frame(struct listener *self, const char *event, struct slice data)
{
    char id[FEED_ID_BYTES];
    struct json frame = json_new(FRAME_MAX_BYTES);
    frame_id(self, id);
    json_raw(&frame, id);
    json_raw(&frame, event ? "\nevent: " : "");
    json_raw(&frame, event ? event : "");
    if (data.n > 0) {
        json_raw(&frame, "\ndata: ");
        json_bytes(&frame, data);
    }
    json_raw(&frame, "\n\n");
    if (frame.full) {
        listener_end(self);
    } else {
        listener_put(self, frame.p, frame.n);
    }
    json_free(&frame);
    self->greeted = true;
}

/*  There is a gap: the client must read the lists again. */
static void put_resync(struct listener *self, uint64_t id)
{
    self->wish.after = id;
    self->progress = false;
    put_frame(self, "resync", slice_text("{}"));
}

/* --- events ------------------------------------------------------------------------------------------------ */

static uint32_t topic_of(const char *kind)
{
    return strncmp(kind, "JOB_", 4) == 0    ? TOPIC_JOBS
           : strncmp(kind, "TASK_", 5) == 0 ? TOPIC_TASKS
           : strncmp(kind, "NODE_", 5) == 0 ? TOPIC_NODES
                                            : TOPIC_OTHERS;
}

static void put_row(struct listener *self, sqlite3_stmt *row)
{
    struct feed_wish *wish = &self->wish;
    uint64_t owner = (uint64_t)sqlite3_column_int64(row, 1);
    const char *kind = (const char *)sqlite3_column_text(row, 2);
    const char *json = (const char *)sqlite3_column_text(row, 3);
    wish->after = (uint64_t)sqlite3_column_int64(row, 0);
    if (kind && json && (wish->topics & topic_of(kind)) &&
        (wish->owner == 0 || owner == wish->owner)) {
        put_frame(self, NULL, slice_text(json));
    }
}

static void look(struct feed *self)
{
    sqlite3_stmt *row = prepare(self, "SELECT coalesce((SELECT min(id) FROM event),0),"
                                      " coalesce((SELECT max(id) FROM event),0)");
    if (row && next_row(self, row)) {
        self->first = (uint64_t)sqlite3_column_int64(row, 0);
        self->last = (uint64_t)sqlite3_column_int64(row, 1);
    }
    sqlite3_finalize(row);
}

/*  Rows after `after`, for all who have been told so far.  True: there are more. */
static bool tell_events(struct feed *self, struct listener *all, uint64_t after)
{
    sqlite3_stmt *row =
        prepare(self, "SELECT v.id, coalesce(j.owner,0), v.kind, json_object('event_id',v.event_id,"
                      "'time',v.time,'time_ms',v.time_ms,'kind',v.kind,'job_id',v.job_id,"
                      "'node_id',v.node_id,'task_id',v.task_id,'text',substr(v.text,1,2000))"
                      " FROM events v LEFT JOIN job j ON j.id=v.job"
                      " WHERE v.id>?1 AND v.id<=?2 ORDER BY v.id LIMIT ?3");
    if (!row) {
        return false;
    }
    sqlite3_bind_int64(row, 1, (int64_t)after);
    sqlite3_bind_int64(row, 2, (int64_t)self->last);
    sqlite3_bind_int64(row, 3, ROWS_PER_TURN);
    uint64_t told = after;
    uint32_t count = 0;
    while (next_row(self, row)) {
        for (struct listener *one = all; one; one = one->next) {
            if (one->wish.after == told && !listener_full(one)) {
                put_row(one, row);
            }
        }
        told = (uint64_t)sqlite3_column_int64(row, 0);
        count++;
    }
    sqlite3_finalize(row);
    return count == ROWS_PER_TURN;
}

/*  True: it has not heard all as yet, and can be told more.  Rows and logs stay where they are, so that one that is full
    only waits.  One that has stalled is told to begin again; but no log, whose bytes are in no list: it waits. */
static bool place(const struct feed *self, struct listener *one, uint64_t now_ms)
{
    struct feed_wish *wish = &one->wish;
    if (wish->fresh) {
        wish->fresh = false;
        wish->after = self->last;
    } else if (wish->after < self->last && wish->log_count == 0 && listener_stalled(one, now_ms)) {
        listener_drop(one);
        put_resync(one, self->last);
    } else if (wish->after > self->last || wish->after + 1 < self->first) {
        put_resync(one, self->last);
    }
    if (!one->greeted) {
        put_frame(one, NULL, (struct slice){ 0 });
    }
    return wish->after < self->last && !listener_full(one);
}

/* --- how far jobs are -------------------------------------------------------------------------------------- */

static bool same_progress(const struct progress *a, const struct progress *b)
{
    return a->job == b->job && a->total == b->total && a->finished == b->finished &&
           a->failed == b->failed;
}

static void put_progress(struct listener *all, const struct progress *now, bool changed,
                         uint64_t owner, const char *submission)
{
    struct json json = json_new(FRAME_MAX_BYTES);
    char text[160];
    snprintf(text, sizeof(text), "{\"kind\":\"JOB_PROGRESS\",\"job_id\":\"%08" PRIx64 "\"",
             now->job);
    json_raw(&json, text);
    json_raw(&json, ",\"submission_id\":");
    json_text(&json, slice_text(submission ? submission : ""));
    snprintf(text, sizeof(text),
             ",\"total\":%" PRIu64 ",\"finished\":%" PRIu64 ",\"failed\":%" PRIu64 "}", now->total,
             now->finished, now->failed);
    json_raw(&json, text);
    for (struct listener *one = all; one && !json.full; one = one->next) {
        bool may = one->wish.owner == 0 || one->wish.owner == owner;
        if (!(one->wish.topics & TOPIC_PROGRESS) || !may || (!changed && one->progress)) {
            continue;
        }
        if (listener_full(one)) {
            one->missed = true;
        } else {
            put_frame(one, NULL, slice_of(json.p, json.n));
        }
    }
    json_free(&json);
}

struct kept {
    struct progress *p;
    size_t n;
};

static bool keep(struct kept *self, const struct progress *one)
{
    if ((self->n & (self->n - 1)) == 0) { /* grows at powers of two */
        struct progress *grown = realloc(self->p, (self->n ? 2 * self->n : 1) * sizeof(*one));
        if (!grown) {
            return false;
        }
        self->p = grown;
    }
    self->p[self->n++] = *one;
    return true;
}

/*  Of the job `known`, or of all with a greater number than any before; false: not all could be told. */
static bool read_progress(struct feed *self, struct listener *all, sqlite3_stmt *row,
                          const struct progress *known, struct kept *kept)
{
    bool good = true;
    sqlite3_bind_int64(row, 2, (int64_t)(known ? known->job : self->newest_job));
    while (good && next_row(self, row)) {
        const struct progress now = { (uint64_t)sqlite3_column_int64(row, 0),
                                      (uint64_t)sqlite3_column_int64(row, 3),
                                      (uint64_t)sqlite3_column_int64(row, 4),
                                      (uint64_t)sqlite3_column_int64(row, 5) };
        self->newest_job = known ? self->newest_job : now.job;
        if (sqlite3_column_int(row, 6) != 0) {
            bool changed = !known || !same_progress(known, &now);
            put_progress(all, &now, changed, (uint64_t)sqlite3_column_int64(row, 1),
                         (const char *)sqlite3_column_text(row, 2));
            good = keep(kept, &now);
        }
    }
    sqlite3_reset(row);
    return good && !self->fails;
}

/*  A job that has ended begins no more, and numbers grow: so only those that had not ended are read again, and newer
    ones, but not the jobs of all times. */
static bool read_all_progress(struct feed *self, struct listener *all, struct kept *kept)
{
#define PROGRESS                                                                                   \
    "SELECT id,owner,submission,total,finished,failed,state<3 OR ended_ms>?1 FROM job WHERE id"
    sqlite3_stmt *one = prepare(self, PROGRESS "=?2");
    sqlite3_stmt *newer = prepare(self, PROGRESS ">?2 ORDER BY id");
#undef PROGRESS
    bool good = one && newer;
    if (good) {
        int64_t since_ms = (int64_t)clock_wall_ms() - ENDED_MS;
        sqlite3_bind_int64(one, 1, since_ms);
        sqlite3_bind_int64(newer, 1, since_ms);
    }
    for (size_t i = 0; i < self->progress_count && good; i++) {
        good = read_progress(self, all, one, &self->progress[i], kept);
    }
    good = good && read_progress(self, all, newer, NULL, kept);
    sqlite3_finalize(one);
    sqlite3_finalize(newer);
    return good;
}

static void tell_progress(struct feed *self, struct listener *all)
{
    bool wanted = false;
    for (struct listener *one = all; one; one = one->next) {
        wanted = wanted || (one->wish.topics & TOPIC_PROGRESS);
    }
    if (!wanted) {
        return;
    }
    struct kept kept = { 0 };
    if (read_all_progress(self, all, &kept)) {
        for (struct listener *one = all; one; one = one->next) {
            one->progress = !one->missed;
            one->missed = false;
        }
    } else {
        self->newest_job = kept.n = 0; /* all is read, and told, again */
    }
    free(self->progress);
    self->progress = kept.p;
    self->progress_count = kept.n;
}

/* --- what drivers printed ------------------------------------------------------------------------------------ */

/*  How many of the bytes end with a whole letter: a beginning of one at the end waits for its rest. */
static size_t whole_letters(const uint8_t *p, size_t n)
{
    for (size_t back = 1; back <= 3 && back <= n; back++) {
        uint8_t byte = p[n - back];
        size_t letter = byte >= 0xf0 ? 4 : byte >= 0xe0 ? 3 : byte >= 0xc0 ? 2 : 1;
        if (byte < 0x80 || byte >= 0xc0) {
            return letter > back ? n - back : n;
        }
    }
    return n;
}

static void put_log(struct listener *self, struct feed_log *log, struct slice text)
{
    struct json json = json_new(FRAME_MAX_BYTES);
    char head[128];
    snprintf(head, sizeof(head),
             "{\"kind\":\"JOB_LOG\",\"job_id\":\"%08" PRIx64 "\",\"offset\":%" PRIu64 ",\"text\":",
             log->job, log->offset);
    json_raw(&json, head);
    json_text(&json, text);
    json_raw(&json, "}");
    log->offset += text.n;
    if (json.full) {
        listener_end(self);
    } else {
        put_frame(self, NULL, slice_of(json.p, json.n));
    }
    json_free(&json);
}

/*  One piece.  True: there may be more. */
static bool tell_log(const struct feed *self, struct listener *one, struct feed_log *log)
{
    uint8_t bytes[LOG_PIECE];
    struct wire to = { bytes, 0, sizeof(bytes), false };
    const struct log_name name = { .job = log->job };
    uint64_t offset = log->offset;
    if (listener_full(one) || log_read(self->logs, &name, &offset, &to) != OK || to.n == 0) {
        return false;
    }
    size_t n = whole_letters(bytes, to.n);
    if (n == 0) { /* perhaps its rest is in the next file */
        uint64_t rest = offset + to.n, wanted = rest;
        size_t before = to.n;
        int rc = log_read(self->logs, &name, &rest, &to);
        if (rc != OK || to.n == before) {
            return false;
        }
        n = rest == wanted ? whole_letters(bytes, to.n) : before;
    }
    log->offset = offset;
    put_log(one, log, slice_of(bytes, n));
    return n > 0;
}

/* --- a turn ---------------------------------------------------------------------------------------------------- */

bool feed_turn(struct feed *self, struct listener *all, uint64_t now_ms)
{
    bool check = now_ms >= self->checked_ms + CHECK_MS, more = false;
    self->checked_ms = check ? now_ms : self->checked_ms;
    self->fails = false;
    look(self);
    for (struct listener *one = all; one; one = one->next) {
        if (check && !bearer_holds(self->db, one->wish.token)) {
            listener_end(one);
        }
        if (place(self, one, now_ms)) {
            more = tell_events(self, all, one->wish.after) || more;
        }
    }
    tell_progress(self, all);
    for (struct listener *one = all; one; one = one->next) {
        for (uint32_t i = 0; i < one->wish.log_count; i++) {
            more = tell_log(self, one, &one->wish.logs[i]) || more;
        }
        if (now_ms >= one->spoke_ms + PING_MS && !listener_full(one)) {
            listener_put(one, ": ping\n\n", 8);
        }
    }
    self->failed = self->fails;
    return more;
}
