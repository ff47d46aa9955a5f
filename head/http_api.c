/*  http_api.c - what /api/v1 shows: views as lists and one by one, output as text. */
#include "head/http_api.h"

#include <errno.h>
#include <jansson.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include "common/log.h"
#include "head/bearer.h"
#include "head/http_api_inside.h"
#include "head/query_view.h"
#include "proto/explained.h"

enum {
    LIMIT_DEFAULT = 100,
    WORD_BYTES = 64,
    LOG_ATTEMPT_MAX = 1 << 30,
    STALLED_MS_MAX = 60000,
    BUSY_MS_MAX = 10000
};

#define API "/api/v1/"

/* --- views ---------------------------------------------------------------------------------------- */

/*  Filters of the query, one per line; false: `reply` says that they are too many. */
static bool put_filters(const struct web_request *request, struct text *to, struct web_reply *reply)
{
    for (uint32_t i = 0; i < request->query_count; i++) {
        const struct web_pair *pair = &request->query[i];
        if (strcmp(pair->name, "filter") != 0) {
            continue;
        }
        if (to->n + strlen(pair->value) + 2 > to->capacity || strchr(pair->value, '\n')) {
            web_reply_error(reply, ERR_INVALID, "filter: longer than %zu bytes, or with a newline",
                            to->capacity);
            return false;
        }
        text_add(to, to->n > 0 ? "\n" : "");
        text_add(to, pair->value);
    }
    return true;
}

/*  reverse and total are 0 or 1. */
static bool read_flag(const struct web_request *request, const char *name, uint32_t *out,
                      struct web_reply *reply)
{
    uint64_t value;
    if (!web_query_u64(request, name, 0, &value, reply)) {
        return false;
    }
    if (value > 1) {
        web_reply_error(reply, ERR_INVALID, "%s: is 0 or 1", name);
    }
    *out = (uint32_t)value;
    return value <= 1;
}

static struct slice query_slice(const struct web_request *request, const char *name)
{
    const char *value = web_query(request, name);
    return slice_text(value ? value : "");
}

/*  Asks as the bearer; false: `reply` is made. */
static bool ask(struct web_request *request, const struct msg_query *query, struct json *out,
                struct web_reply *reply)
{
    char buffer[1024];
    struct text why = text_in(buffer, sizeof(buffer));
    const struct reader reader = { request->who.user, request->who.role };
    int rc = query_answer(http_db(request), &reader, query, out, &why);
    if (rc != OK) {
        web_reply_error(reply, rc == ERR_CONFLICT ? ERR_INVALID : rc, "%s",
                        why.n > 0 ? buffer : err_text(rc));
    }
    return rc == OK;
}

static void list(struct web_request *request, struct web_reply *reply, const char *view,
                 struct slice id)
{
    char buffer[TEXT_MAX];
    struct text filters = text_in(buffer, sizeof(buffer));
    uint32_t exact = 0;
    struct msg_query query = { .view = slice_text(view),
                               .id = id,
                               .job = query_slice(request, "job"),
                               .sort = query_slice(request, "sort") };
    struct json json;
    if (!put_filters(request, &filters, reply) ||
        !read_flag(request, "reverse", &query.reverse, reply) ||
        !read_flag(request, "total", &exact, reply) ||
        !web_query_u64(request, "limit", LIMIT_DEFAULT, &query.limit, reply) ||
        !web_query_u64(request, "cursor", 0, &query.cursor, reply)) {
        return;
    }
    query.filter = slice_of(filters.p, filters.n);
    query.estimate = !exact;
    if (ask(request, &query, &json, reply)) {
        web_reply_own(reply, 200, NULL, json.p, json.n);
    }
}

static const char *last_word(const struct web_request *request)
{
    return strrchr(request->route->path, '/') + 1;
}

void api_list(struct web_request *request, struct web_reply *reply)
{
    list(request, reply, last_word(request), (struct slice){ 0 });
}

void api_children(struct web_request *request, struct web_reply *reply)
{
    list(request, reply, last_word(request), request->params[0]);
}

void api_reply_json(struct web_reply *reply, uint32_t status, const json_t *root)
{
    char *text = json_dumps(root, JSON_COMPACT);
    if (text == NULL) {
        web_reply_error(reply, ERR_MEMORY, "%s", err_text(ERR_MEMORY));
    } else {
        web_reply_own(reply, status, NULL, text, strlen(text));
    }
}

/*  A page of `view` with the row that the path's id means; NULL: `reply` says why not. */
static json_t *page_of(struct web_request *request, struct slice view, struct web_reply *reply)
{
    const struct msg_query query = { .view = view, .id = request->params[0], .limit = 2 };
    struct json json;
    if (!ask(request, &query, &json, reply)) {
        return NULL;
    }
    json_t *page = json_loadb(json.p, json.n, 0, NULL);
    json_free(&json);
    if (json_array_size(json_object_get(page, "items")) == 0) {
        web_reply_error(reply, ERR_NOT_FOUND, "there is no such %.*s", (int)view.n,
                        (const char *)view.p);
        json_decref(page);
        page = NULL;
    }
    return page;
}

static json_t *row_of(const json_t *page)
{
    return json_array_get(json_object_get(page, "items"), 0);
}

json_t *api_row(struct web_request *request, const char *view, struct web_reply *reply)
{
    json_t *page = page_of(request, slice_text(view), reply);
    json_t *row = json_incref(row_of(page));
    json_decref(page);
    return row;
}

bool api_number(struct web_request *request, const char *view, const char *key, uint64_t *out,
                struct web_reply *reply)
{
    json_t *row = api_row(request, view, reply);
    const char *digits = json_string_value(json_object_get(row, key));
    *out = strtoull(digits ? digits : "", NULL, 16);
    bool found = row != NULL;
    json_decref(row);
    return found;
}

/*  A page with one item becomes that item: {"apiVersion", "kind", its fields}. */
static void reply_item(struct web_reply *reply, const json_t *page)
{
    const char *kind = json_string_value(json_object_get(page, "kind"));
    size_t n = strlen(kind);
    n -= n > 4 && strcmp(kind + n - 4, "List") == 0 ? 4 : 0; /* of what only lists have: NodeList */
    json_t *root = json_pack("{s:s, s:s#}", "apiVersion", "rayc/v1", "kind", kind, (int)n);
    json_object_update(root, row_of(page));
    api_reply_json(reply, 200, root);
    json_decref(root);
}

void api_one(struct web_request *request, struct web_reply *reply)
{
    const char *word = request->route->path + sizeof(API) - 1;
    /* "studies/{id}" is the view study; the others lose an s, or have only the list */
    const bool studies = strncmp(word, "studies", 7) == 0;
    const bool nodes = strncmp(word, "nodes", 5) == 0;
    json_t *page = page_of(request,
                           studies ? slice_text("study")
                                   : slice_of(word, strcspn(word, "/") - (nodes ? 0 : 1)),
                           reply);
    if (page != NULL) {
        reply_item(reply, page);
    }
    json_decref(page);
}

void api_whoami(struct web_request *request, struct web_reply *reply)
{
    bool ticket = bearer_is_ticket(request->who.token);
    json_t *root =
        json_pack("{s:s, s:s, s:s, s:s, s:o}", "apiVersion", "rayc/v1", "kind", "WhoAmI", "user",
                  request->who.name, "role", role_name(request->who.role), "token_id",
                  ticket ? json_null() : json_integer((json_int_t)request->who.token));
    api_reply_json(reply, 200, root);
    json_decref(root);
}

/*  The loop knows, not the database: it is asked as by any other client. */
void api_task_explain(struct web_request *request, struct web_reply *reply)
{
    struct msg_explain explain = { 0 };
    struct door_answer answer;
    struct msg msg;
    if (!api_number(request, "task", "task_id", &explain.task, reply)) {
        return;
    }
    int rc = door_ask(http_door(request), request->bearer, MSG_EXPLAIN, &explain, &answer);
    if (rc != OK) {
        web_reply_error(reply, rc, "%s", answer.text[0] ? answer.text : err_text(rc));
    } else if (proto_decode(answer.frame, &msg, NULL) == OK && msg.kind == MSG_EXPLAINED) {
        json_t *root = explained_json(&msg.as.explained);
        json_t *row = explained_ended(root) ? api_row(request, "task", reply) : NULL;
        explained_add_end(root, row);
        if (row != NULL || !explained_ended(root)) {
            api_reply_json(reply, 200, root);
        } /* else it has just been forgotten */
        json_decref(row);
        json_decref(root);
    }
    door_frame_free(&answer.frame);
}

/*  Its row, and what only the loop knows: which nodes have it. */
void api_object(struct web_request *request, struct web_reply *reply)
{
    uint8_t bytes[32];
    struct wire wire = { bytes, 0, sizeof(bytes), false };
    struct door_answer answer = { 0 };
    struct rec_object object;
    struct msg msg;
    json_t *page = page_of(request, slice_text("object"), reply);
    if (page == NULL || !object_of_row(row_of(page), &object)) {
        json_decref(page);
        return;
    }
    proto_put_record(&wire, REC_OBJECT, &object);
    const struct msg_where where = { .objects = wire_list(&wire, 1) };
    int rc = door_ask(http_door(request), request->bearer, MSG_WHERE, &where, &answer);
    if (rc != OK) {
        web_reply_error(reply, rc, "%s", answer.text[0] ? answer.text : err_text(rc));
    } else if (proto_decode(answer.frame, &msg, NULL) == OK && msg.kind == MSG_PLACES) {
        object_add_places(row_of(page), &msg.as.places);
        reply_item(reply, page);
    }
    door_frame_free(&answer.frame);
    json_decref(page);
}

/* --- health --------------------------------------------------------------------------------------- */

static void answer_health(struct web_reply *reply, bool well)
{
    web_reply_copy(reply, well ? 200 : 503, "text/plain; charset=utf-8",
                   slice_text(well ? "ok\n" : "the loop stands still\n"));
}

/*  A disk that is slow for seconds is no reason to be killed. */
void http_live(struct web_request *request, struct web_reply *reply)
{
    answer_health(reply, door_stalled_ms(http_door(request)) < STALLED_MS_MAX);
}

/*  There is no HTTP before the database is restored; so what answers is ready while its loop turns. */
void http_ready(struct web_request *request, struct web_reply *reply)
{
    answer_health(reply, door_stalled_ms(http_door(request)) < BUSY_MS_MAX);
}

/* --- output --------------------------------------------------------------------------------------- */

#define OFFSET_HEADER "X-Rayc-Offset" /* where the next answer would go on */

struct output { /* a log on its way to a reader */
    struct log_files files;
    struct log_name name;
    uint64_t offset, end;
};

static int64_t output_read(void *context, char *to, size_t capacity)
{
    struct output *self = context;
    struct wire wire = { (uint8_t *)to, 0, capacity, false };
    bool good = self->offset < self->end &&
                log_read(&self->files, &self->name, &self->offset, &wire) == OK && wire.n > 0;
    self->offset += wire.n;
    return good ? (int64_t)wire.n : -1;
}

static void reply_output(struct web_request *request, struct web_reply *reply,
                         const struct log_name *name)
{
    static const struct web_stream stream = { output_read, free };
    uint64_t offset, tail;
    if (!web_query_u64(request, "offset", 0, &offset, reply) ||
        !web_query_u64(request, "tail", UINT64_MAX, &tail, reply)) {
        return;
    }
    struct output *output = malloc(sizeof(*output));
    if (output == NULL) {
        web_reply_error(reply, ERR_MEMORY, "%s", err_text(ERR_MEMORY));
        return;
    }
    const struct log_files *files = http_log_files(request);
    *output = (struct output){ *files, *name, offset, log_end(files, name) };
    if (tail != UINT64_MAX) {
        output->offset = log_tail(files, name, tail);
    }
    const uint64_t end = output->end;
    web_reply_stream(reply, "text/plain; charset=utf-8", &stream, output);
    web_reply_header(reply, OFFSET_HEADER, "%llu", (unsigned long long)end);
}

void api_job_logs(struct web_request *request, struct web_reply *reply)
{
    struct log_name name = { 0 };
    if (api_number(request, "job", "job_id", &name.job, reply)) {
        reply_output(request, reply, &name);
    }
}

/*  Where the last lines of it begin. */
static size_t last_lines(struct slice bytes, uint64_t lines)
{
    size_t at = bytes.n;
    at -= at > 0 && lines > 0 && bytes.p[at - 1] == '\n';
    while (at > 0 && lines > 0 && (bytes.p[at - 1] != '\n' || --lines > 0)) {
        at--;
    }
    return at;
}

static void reply_bytes(struct web_request *request, struct web_reply *reply, struct slice bytes)
{
    uint64_t offset, tail;
    if (!web_query_u64(request, "offset", 0, &offset, reply) ||
        !web_query_u64(request, "tail", UINT64_MAX, &tail, reply)) {
        return;
    }
    size_t at = tail != UINT64_MAX ? last_lines(bytes, tail)
                : offset < bytes.n ? (size_t)offset
                                   : bytes.n;
    web_reply_copy(reply, 200, "text/plain; charset=utf-8", slice_of(bytes.p + at, bytes.n - at));
    web_reply_header(reply, OFFSET_HEADER, "%zu", bytes.n);
}

/*  What a short attempt of a function printed is in its row.  False: nothing is; else there is a
    reply. */
static bool reply_row(struct web_request *request, struct web_reply *reply,
                      const struct log_name *name)
{
    static const char sql[] =
        "SELECT coalesce((SELECT output FROM attempt WHERE task=?1 AND attempt=?2),"
        " (SELECT output FROM task WHERE id=?1 AND coalesce(attempt,1)=?2))";
    sqlite3_stmt *row = NULL;
    int rc = sqlite3_prepare_v2(http_db(request), sql, -1, &row, NULL);
    if (rc == SQLITE_OK) {
        sqlite3_bind_int64(row, 1, (int64_t)name->task);
        sqlite3_bind_int64(row, 2, name->attempt);
        rc = sqlite3_step(row);
    }
    bool found = rc != SQLITE_ROW || sqlite3_column_bytes(row, 0) > 0;
    if (rc != SQLITE_ROW) {
        log_error("http.query_failed", "error=\"%s\"", sqlite3_errmsg(http_db(request)));
        web_reply_error(reply, ERR_STORE, "%s", err_text(ERR_STORE));
    } else if (found) {
        struct slice bytes = slice_of(sqlite3_column_blob(row, 0), 0);
        bytes.n = (size_t)sqlite3_column_bytes(row, 0);
        reply_bytes(request, reply, bytes);
    }
    sqlite3_finalize(row);
    return found;
}

/*  Bytes are base64 in JSON. */
static size_t take_bytes(const json_t *text, uint8_t *to, size_t capacity)
{
    size_t n = 0;
    bool good = json_is_string(text) &&
                sodium_base642bin(to, capacity, json_string_value(text), json_string_length(text),
                                  NULL, &n, NULL, sodium_base64_VARIANT_ORIGINAL) == 0;
    return good ? n : 0;
}

/*  A short command's is in its result, if it was the last attempt. */
static bool reply_result(struct web_request *request, struct web_reply *reply, const json_t *task)
{
    const json_t *result = json_object_get(task, "result");
    const json_t *out = json_object_get(result, "stdout");
    const json_t *err = json_object_get(result, "stderr");
    size_t capacity = json_string_length(out) + json_string_length(err);
    uint8_t *bytes = capacity > 0 ? malloc(capacity) : NULL;
    if (bytes == NULL) {
        return false;
    }
    size_t n = take_bytes(out, bytes, capacity);
    n += take_bytes(err, bytes + n, capacity - n);
    reply_bytes(request, reply, slice_of(bytes, n));
    free(bytes);
    return true;
}

/*  The log of a driver is its job's. */
static struct log_name log_of(const json_t *task)
{
    const char *id = json_string_value(json_object_get(task, "task_id"));
    const char *job = json_string_value(json_object_get(task, "job_id"));
    const char *type = json_string_value(json_object_get(task, "type"));
    bool driver = type && strcmp(type, "DRIVER_TASK") == 0;
    return (struct log_name){ .job = strtoull(job ? job : "", NULL, 16),
                              .task = driver ? 0 : strtoull(id ? id : "", NULL, 16) };
}

void api_task_logs(struct web_request *request, struct web_reply *reply)
{
    json_t *task = api_row(request, "task", reply);
    uint64_t newest = (uint64_t)json_integer_value(json_object_get(task, "attempt")), attempt;
    if (task == NULL || !web_query_u64(request, "attempt", newest, &attempt, reply)) {
        json_decref(task);
        return;
    }
    struct log_name name = log_of(task);
    name.attempt = name.task ? (uint32_t)attempt : 0;
    if (attempt > newest || attempt > LOG_ATTEMPT_MAX || (attempt == 0 && name.task)) {
        web_reply_error(reply, ERR_NOT_FOUND, "attempt: the task has %llu",
                        (unsigned long long)newest);
    } else if (name.task == 0 || log_end(http_log_files(request), &name) > 0 ||
               (!reply_row(request, reply, &name) &&
                (attempt < newest || !reply_result(request, reply, task)))) {
        reply_output(request, reply, &name);
    }
    json_decref(task);
}
