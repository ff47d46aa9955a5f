/*  ray_job.c - one SELECT, and the sentences of Ray's JobInfo. */
#include "head/ray_job.h"

#include <stdio.h>
#include <stdlib.h>
#include "common/log.h"

/*  The driver is the first task of a job's first session.  Ray counts a job's time from when it was asked for. */
/* clang-format off */
static const char columns[] =
    "SELECT v.job, v.type, v.submission_id, v.job_id, v.status, v.entrypoint,"
    " iif(v.status='PENDING',coalesce(nullif(v.message,''),(SELECT 'It waits for job '||o.submission||' '"
    "||(w.value->>1)||iif(json_array_length(w.json)>1,', and '||(json_array_length(w.json)-1)||' more','')||'.'"
    " FROM job j, json_each(waits_json(j.waits)) w JOIN job o ON o.id=w.value->>0 WHERE j.id=v.job LIMIT 1)),"
    "v.message),"
    " iif(v.status='FAILED',v.error_type,NULL),"
    " v.created_ms, v.end_time_ms, v.metadata, v.runtime_env, v.driver_exit_code, t.node,"
    " demand_json(c.record)"
    " FROM jobs v"
    " LEFT JOIN session s ON s.id=(SELECT min(id) FROM session WHERE job=v.job)"
    " LEFT JOIN spec c ON c.id=(SELECT min(id) FROM spec WHERE session=s.id) AND c.kind=3"
    " LEFT JOIN task t ON t.id=(s.id<<40)+1 AND t.spec=c.id"
    " WHERE (?1=0 OR v.owner=?1)";
static const char one[] = " AND v.job=?2";
static const char all[] = " ORDER BY v.job";
static const char finding[] =
    "SELECT v.job, v.type, v.submission_id, v.status FROM jobs v WHERE (?1=0 OR v.owner=?1) AND v.job="
    "coalesce((SELECT id FROM job WHERE submission=?2), (SELECT id FROM job WHERE id=?3))";
/* clang-format on */

enum column {
    NUMBER,
    TYPE,
    SUBMISSION,
    JOB_ID,
    STATUS,
    ENTRYPOINT,
    MESSAGE,
    ERROR,
    CREATED,
    ENDED,
    METADATA,
    RUNTIME_ENV,
    EXIT_CODE,
    NODE,
    DEMAND
};

static int failed(sqlite3 *db)
{
    log_error("ray.query_failed", "error=\"%s\"", sqlite3_errmsg(db));
    return ERR_STORE;
}

static struct slice text_at(sqlite3_stmt *row, int i)
{
    const void *p = sqlite3_column_blob(row, i);
    return slice_of(p, (size_t)sqlite3_column_bytes(row, i));
}

static bool is_null(sqlite3_stmt *row, int i)
{
    return sqlite3_column_type(row, i) == SQLITE_NULL;
}

static bool same(struct slice text, const char *word)
{
    return slice_same(text, slice_text(word));
}

static bool begins(struct slice text, const char *with)
{
    size_t n = strlen(with);
    return text.n >= n && memcmp(text.p, with, n) == 0;
}

/*  What the message of a job is made of. */
struct facts {
    uint64_t job;
    struct slice status, error, text, demand, runtime_env;
    int64_t exit_code;
};

/* --- messages ------------------------------------------------------------------------------------- */

/*  The last lines that the driver printed. */
static size_t log_end_of(const struct log_files *logs, uint64_t job, uint8_t out[RAY_LOG_BYTES])
{
    const struct log_name name = { .job = job };
    struct wire to = { out, 0, RAY_LOG_BYTES, false };
    uint64_t end = log_end(logs, &name);
    uint64_t from = log_tail(logs, &name, RAY_LOG_LINES);
    from = end > RAY_LOG_BYTES && from < end - RAY_LOG_BYTES ? end - RAY_LOG_BYTES : from;
    size_t before;
    do { /* its end may be in several files */
        before = to.n;
        if (log_read(logs, &name, &from, &to) != OK) {
            break;
        }
        from += to.n - before;
    } while (to.n > before && to.n < RAY_LOG_BYTES);
    size_t cut = 0;
    while (cut < to.n && (out[cut] & 0xC0) == 0x80) { /* the rest of a letter */
        cut++;
    }
    memmove(out, out + cut, to.n - cut);
    return to.n - cut;
}

static void put_failed(const struct log_files *logs, const struct facts *of, struct json *to)
{
    static const char with_logs[] = ", last available logs (truncated to 20,000 chars):\n";
    bool by_exit = begins(of->text, "exit status ") || begins(of->text, "killed by signal ");
    if (!same(of->error, "JOB_ENTRYPOINT_COMMAND_ERROR") || !by_exit) {
        struct slice text = of->text.n > 0 ? of->text : slice_text("Job failed.");
        json_text(to, text);
        return;
    }
    char *message = malloc(RAY_LOG_BYTES + 200);
    ensure(message != NULL);
    int n = snprintf(message, 100, "Job entrypoint command failed with exit code %lld",
                     (long long)of->exit_code);
    size_t log = log_end_of(logs, of->job, (uint8_t *)message + n + sizeof(with_logs) - 1);
    if (log > 0) {
        memcpy(message + n, with_logs, sizeof(with_logs) - 1);
        json_text(to, slice_of(message, (size_t)n + sizeof(with_logs) - 1 + log));
    } else {
        n += snprintf(message + n, 100, ". No logs available.");
        json_text(to, slice_of(message, (size_t)n));
    }
    free(message);
}

static void put_pending(const struct facts *of, struct json *to)
{
    char text[2048];
    snprintf(text, sizeof(text), "Job has not started yet.%s%s%s%.*s",
             of->demand.n > 2 ? " It may be waiting for resources (CPUs, GPUs, memory, custom "
                                "resources) to become available."
                              : "",
             of->runtime_env.n > 2 ? " It may be waiting for the runtime environment to be set up."
                                   : "",
             of->text.n > 0 ? " " : "", (int)(of->text.n < 1024 ? of->text.n : 1024),
             of->text.n > 0 ? (const char *)of->text.p : "");
    json_text(to, slice_text(text));
}

static void put_message(const struct log_files *logs, const struct facts *of, struct json *to)
{
    static const char *const sentences[][2] = {
        { "RUNNING", "Job is currently running." },
        { "STOPPED", "Job was intentionally stopped." },
        { "SUCCEEDED", "Job finished successfully." },
    };
    for (size_t i = 0; i < COUNT(sentences); i++) {
        if (same(of->status, sentences[i][0])) {
            json_text(to, slice_text(sentences[i][1]));
            return;
        }
    }
    if (same(of->status, "PENDING")) {
        put_pending(of, to);
    } else {
        put_failed(logs, of, to);
    }
}

/* --- details -------------------------------------------------------------------------------------- */

static void put_text(struct json *to, const char *name, sqlite3_stmt *row, int i)
{
    json_raw(to, ", ");
    json_name(to, name);
    if (is_null(row, i)) {
        json_raw(to, "null");
    } else {
        json_text(to, text_at(row, i));
    }
}

static void put_number(struct json *to, const char *name, sqlite3_stmt *row, int i)
{
    json_raw(to, ", ");
    json_name(to, name);
    if (is_null(row, i)) {
        json_raw(to, "null");
    } else {
        json_i64(to, sqlite3_column_int64(row, i));
    }
}

/*  A column that holds JSON. */
static void put_json(struct json *to, const char *name, sqlite3_stmt *row, int i)
{
    json_raw(to, ", ");
    json_name(to, name);
    if (is_null(row, i)) {
        json_raw(to, "null");
    } else {
        json_bytes(to, text_at(row, i));
    }
}

static struct facts facts_of(sqlite3_stmt *row)
{
    return (struct facts){ .job = (uint64_t)sqlite3_column_int64(row, NUMBER),
                           .status = text_at(row, STATUS),
                           .error = text_at(row, ERROR),
                           .text = text_at(row, MESSAGE),
                           .demand = text_at(row, DEMAND),
                           .runtime_env = text_at(row, RUNTIME_ENV),
                           .exit_code = sqlite3_column_int64(row, EXIT_CODE) };
}

static void put_details(const struct ray_reader *self, sqlite3_stmt *row, struct json *to)
{
    bool submission = same(text_at(row, TYPE), "SUBMISSION");
    bool stopped = same(text_at(row, STATUS), "STOPPED");
    struct facts facts = facts_of(row);
    json_raw(to, submission ? "{\"type\":\"SUBMISSION\"" : "{\"type\":\"DRIVER\"");
    put_text(to, "job_id", row, JOB_ID);
    if (submission) {
        put_text(to, "submission_id", row, SUBMISSION);
    } else {
        json_raw(to, ", \"submission_id\":null");
    }
    json_raw(to, ", \"driver_info\":null");
    put_text(to, "status", row, STATUS);
    put_text(to, "entrypoint", row, ENTRYPOINT);
    json_raw(to, ", \"message\":");
    put_message(self->logs, &facts, to);
    put_text(to, "error_type", row, ERROR);
    put_number(to, "start_time", row, CREATED);
    put_number(to, "end_time", row, ENDED);
    put_json(to, "metadata", row, METADATA);
    put_json(to, "runtime_env", row, RUNTIME_ENV);
    json_raw(to, ", \"driver_agent_http_address\":null");
    put_text(to, "driver_node_id", row, NODE);
    if (stopped) {
        json_raw(to, ", \"driver_exit_code\":null");
    } else {
        put_number(to, "driver_exit_code", row, EXIT_CODE);
    }
    json_raw(to, "}");
}

/*  `number` 0: of all.  What is put: details, or only messages. */
static int put_rows(const struct ray_reader *self, uint64_t number, bool details, struct json *to)
{
    char sql[sizeof(columns) + sizeof(one) + sizeof(all)];
    snprintf(sql, sizeof(sql), "%s%s", columns, number == 0 ? all : one);
    sqlite3_stmt *rows = NULL;
    if (sqlite3_prepare_v2(self->db, sql, -1, &rows, NULL) != SQLITE_OK) {
        return failed(self->db);
    }
    sqlite3_bind_int64(rows, 1, (int64_t)self->owner);
    if (number != 0) {
        sqlite3_bind_int64(rows, 2, (int64_t)number);
    }
    uint64_t count = 0;
    int rc = sqlite3_step(rows);
    for (; rc == SQLITE_ROW && !to->full; rc = sqlite3_step(rows)) {
        json_raw(to, count++ > 0 ? ", " : "");
        if (details) {
            put_details(self, rows, to);
        } else {
            struct facts facts = facts_of(rows);
            put_message(self->logs, &facts, to);
        }
    }
    rc = to->full ? ERR_TOO_LARGE : rc != SQLITE_DONE ? failed(self->db) : OK;
    sqlite3_finalize(rows);
    return rc == OK && number != 0 && count == 0 ? ERR_NOT_FOUND : rc;
}

int ray_job_put(const struct ray_reader *self, uint64_t number, struct json *to)
{
    return put_rows(self, number, true, to);
}

int ray_job_message(const struct ray_reader *self, uint64_t number, struct json *to)
{
    return put_rows(self, number, false, to);
}

int ray_jobs_put(const struct ray_reader *self, struct json *to)
{
    json_raw(to, "[");
    int rc = put_rows(self, 0, true, to);
    json_raw(to, "]");
    return rc;
}

/* --- one ------------------------------------------------------------------------------------------ */

/*  Of 8 hex digits; -1: it is something else. */
static int64_t number_of(struct slice id)
{
    int64_t number = 0;
    for (size_t i = 0; i < id.n; i++) {
        static const char digits[] = "0123456789abcdef";
        const char *digit = memchr(digits, id.p[i], sizeof(digits) - 1);
        if (id.n != 8 || digit == NULL) {
            return -1;
        }
        number = number * 16 + (digit - digits);
    }
    return id.n == 8 ? number : -1;
}

int ray_job_find(const struct ray_reader *self, struct slice id, struct ray_job *out)
{
    sqlite3_stmt *rows = NULL;
    if (sqlite3_prepare_v2(self->db, finding, -1, &rows, NULL) != SQLITE_OK) {
        return failed(self->db);
    }
    sqlite3_bind_int64(rows, 1, (int64_t)self->owner);
    sqlite3_bind_text(rows, 2, (const char *)id.p, (int)id.n, SQLITE_STATIC);
    sqlite3_bind_int64(rows, 3, number_of(id));
    int rc = sqlite3_step(rows);
    if (rc == SQLITE_ROW) {
        *out = (struct ray_job){ .number = (uint64_t)sqlite3_column_int64(rows, 0),
                                 .submission = same(text_at(rows, 1), "SUBMISSION") };
        slice_copy_text(text_at(rows, 2), out->id, sizeof(out->id));
        slice_copy_text(text_at(rows, 3), out->status, sizeof(out->status));
        out->ended = strcmp(out->status, "PENDING") != 0 && strcmp(out->status, "RUNNING") != 0;
    }
    rc = rc == SQLITE_ROW ? OK : rc == SQLITE_DONE ? ERR_NOT_FOUND : failed(self->db);
    sqlite3_finalize(rows);
    return rc;
}

int ray_package_find(sqlite3 *db, uint64_t owner, const char *uri, char hash[HASH_TEXT_BYTES])
{
    sqlite3_stmt *row = NULL;
    static const char sql[] = "SELECT hash FROM package WHERE owner=?1 AND uri=?2";
    if (sqlite3_prepare_v2(db, sql, -1, &row, NULL) != SQLITE_OK) {
        return failed(db);
    }
    sqlite3_bind_int64(row, 1, (int64_t)owner);
    sqlite3_bind_text(row, 2, uri, -1, SQLITE_STATIC);
    int rc = sqlite3_step(row);
    bool found = rc == SQLITE_ROW && slice_copy_text(text_at(row, 0), hash, HASH_TEXT_BYTES);
    rc = found ? OK : rc == SQLITE_DONE || rc == SQLITE_ROW ? ERR_NOT_FOUND : failed(db);
    sqlite3_finalize(row);
    return rc;
}
