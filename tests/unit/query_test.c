/*  query_test.c - pages are whole and counted, filters and ids mean what they say, answers are JSON. */
#include "head/query.h"

#include <jansson.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>
#include "head/json.h"
#include "head/store.h"
#include "proto/wire.h"
#include "tests/unit/rows_put.h"

#define TASK_OF(session, counter) ((uint64_t)(session) << TASK_COUNTER_BITS | (uint64_t)(counter))

enum { TASKS = 200, FAILED = 20 };

static const struct reader everything = { 1, ROLE_ADMIN };
static struct reader reader = { 1, ROLE_ADMIN }; /* who asks */

struct fixture {
    char dir[64];
    char path[128];
    struct store *store;
    struct query *query;
    struct rows rows;
    uint64_t seq;
    char text[1024]; /* of the newest refusal */
};

static void apply(struct fixture *self)
{
    assert_int_equal(store_apply(self->store, &self->rows.batch), OK);
    rows_clear(&self->rows);
}

/*  The rows of one task that has ended in its second attempt. */
static void put_retried(struct fixture *self, uint64_t id)
{
    static uint8_t bytes[256];
    struct wire deps = { bytes, 0, sizeof(bytes), false };
    proto_put_record(&deps, REC_ID, &(struct rec_id){ 1 });
    PUT(&self->rows, task_new, .id = id, .spec = 1, .state = TASK_WAITING,
        .deps = slice_of(bytes, deps.n), .args = slice_text("args"));
    PUT(&self->rows, attempt_end, .task = id, .attempt = 1, .node = 1,
        .outcome = slice_text("SIGNAL"), .status = -9, .output = slice_of("half \xFF", 6));
    PUT(&self->rows, attempt_end, .task = id, .attempt = 2, .node = 1,
        .outcome = slice_text("FINISHED"));
    PUT(&self->rows, task_again, .id = id, .attempt = 2, .fence = 1, .charged = 1);
    static const uint8_t result[] = {
        0x93, 0x01, 0xC3, 0xA3, 'a', '"', 'b'
    }; /* [1, true, "a\"b"] */
    PUT(&self->rows, task_done, .id = id, .attempt = 2, .node = 1,
        .result = slice_of(result, sizeof(result)), .output = slice_text("all\n"),
        .ended_ms = 1700000000000);
}

static void put_rows(struct fixture *self)
{
    static uint8_t capacity[256], record[256];
    struct wire amounts = { capacity, 0, sizeof(capacity), false };
    proto_put_record(&amounts, REC_AMOUNT, &(struct rec_amount){ slice_text("CPU"), 25000 });
    proto_put_record(&amounts, REC_AMOUNT, &(struct rec_amount){ slice_text("memory"), 12345678 });
    struct wire spec = { record, 0, sizeof(record), false };
    proto_put_record(&spec, REC_SPEC,
                     &(struct rec_spec){ .demand = { slice_of(capacity, amounts.n), 2 } });
    PUT(&self->rows, node_new, .id = 1, .name = slice_text("here"),
        .capacity = slice_of(capacity, amounts.n));
    PUT(&self->rows, job_new, .id = 1, .submission = slice_text("rayc_abc"), .kind = JOB_ATTACHED,
        .state = JOB_RUNNING);
    PUT(&self->rows, job_new, .id = 2, .submission = slice_text("rayc_abd"), .kind = JOB_ARRAY,
        .state = JOB_FAILED, .array_first = 100, .array_last = 109);
    PUT(&self->rows, session_new, .id = 1, .job = 1);
    PUT(&self->rows, session_new, .id = 2, .job = 2);
    PUT(&self->rows, session_new, .id = 3, .job = 1);
    PUT(&self->rows, spec_new, .id = 1, .session = 1, .kind = SPEC_FUNCTION,
        .name = slice_text("Square"), .record = slice_of(record, spec.n));
    PUT(&self->rows, spec_new, .id = 9, .session = 1, .kind = SPEC_VALUE); /* no task: never seen */
    PUT(&self->rows, value_new, .id = TASK_OF(1, TASKS + 7), .spec = 9);
    for (uint64_t i = 1; i <= TASKS; i++) {
        PUT(&self->rows, task_new, .id = TASK_OF(1, i), .spec = 1, .state = TASK_READY,
            .submitted_ms = i);
    }
    for (uint64_t i = 1; i <= FAILED; i++) {
        PUT(&self->rows, task_failed, .id = TASK_OF(1, i), .attempt = 1, .node = 1,
            .failure = FAILURE_APP, .status = 3);
    }
    PUT(&self->rows, task_new, .id = TASK_OF(2, 4), .spec = 1, .state = TASK_READY);
    put_retried(self, TASK_OF(3, 1));
    for (uint64_t session = 1; session <= 3; session++) {
        PUT(&self->rows, session_high, .id = session, .high = FAILED + 1);
    }
    apply(self);
}

static int setup(void **state)
{
    struct fixture *self = calloc(1, sizeof(*self));
    struct diag why;
    folder_new(self->dir);
    snprintf(self->path, sizeof(self->path), "%s/rayc.db", self->dir);
    assert_int_equal(store_open(&self->store, self->path, &why), OK);
    put_rows(self);
    assert_int_equal(query_open(&self->query, self->path), OK);
    *state = self;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *self = *state;
    query_close(&self->query);
    store_close(&self->store);
    rows_free(&self->rows);
    folder_remove(self->dir);
    free(self);
    return 0;
}

struct asked {
    const char *view, *id, *job, *filter;
    uint64_t limit, cursor;
    uint32_t reverse, estimate;
};

/*  The answer as JSON, or NULL with *code. */
static json_t *ask(struct fixture *self, struct asked asked, int *code)
{
    struct msg_query query = { .seq = ++self->seq,
                               .view = slice_text(asked.view),
                               .id = slice_text(asked.id),
                               .job = slice_text(asked.job),
                               .filter = slice_text(asked.filter),
                               .limit = asked.limit,
                               .cursor = asked.cursor,
                               .reverse = asked.reverse,
                               .estimate = asked.estimate };
    assert_int_equal(query_ask(self->query, 9, &reader, &query), OK);
    query_begin(self->query);
    struct query_reply reply;
    while (!query_next(self->query, &reply)) {
        struct pollfd ready = { query_fd(self->query), POLLIN, 0 };
        assert_int_equal(poll(&ready, 1, 60000), 1);
    }
    assert_true(reply.peer == 9 && reply.seq == self->seq);
    *code = reply.code;
    if (reply.code != OK) {
        snprintf(self->text, sizeof(self->text), "%s", reply.text);
        return NULL;
    }
    json_error_t why;
    json_t *json = json_loadb((const char *)reply.json.p, reply.json.n, 0, &why);
    assert_non_null(json);
    return json;
}

#define ASK(self, ...) ask_well(self, (struct asked){ __VA_ARGS__ })
static json_t *ask_well(struct fixture *self, struct asked asked)
{
    int code;
    json_t *json = ask(self, asked, &code);
    assert_int_equal(code, OK);
    assert_string_equal(json_string_value(json_object_get(json, "apiVersion")), "rayc/v1");
    return json;
}

#define REFUSED(self, code, words, ...) refused(self, code, words, (struct asked){ __VA_ARGS__ })
static void refused(struct fixture *self, int wanted, const char *words, struct asked asked)
{
    int code;
    assert_null(ask(self, asked, &code));
    assert_int_equal(code, wanted);
    assert_non_null(strstr(self->text, words));
}

static json_int_t total(const json_t *json)
{
    return json_integer_value(json_object_get(json, "total"));
}

static json_t *item(const json_t *json, size_t i)
{
    return json_array_get(json_object_get(json, "items"), i);
}

static size_t items(const json_t *json)
{
    return json_array_size(json_object_get(json, "items"));
}

static const char *text(const json_t *object, const char *key)
{
    return json_string_value(json_object_get(object, key));
}

/*  A field as compact JSON. */
static void expect_json(const json_t *object, const char *key, const char *value)
{
    char *dump = json_dumps(json_object_get(object, key), JSON_COMPACT | JSON_ENCODE_ANY);
    assert_string_equal(dump, value);
    free(dump);
}

/* ---------------------------------------------------------------------------------------------- */

static void lists_have_a_kind_and_a_total(void **state)
{
    struct fixture *self = *state;
    json_t *jobs = ASK(self, .view = "jobs");
    assert_string_equal(text(jobs, "kind"), "JobList");
    assert_true(json_is_null(json_object_get(jobs, "next")));
    assert_int_equal(total(jobs), 2);
    assert_string_equal(text(item(jobs, 0), "submission_id"), "rayc_abd"); /* the newest first */
    assert_string_equal(text(item(jobs, 0), "job_id"), "00000002");
    assert_string_equal(text(item(jobs, 0), "status"), "FAILED");
    assert_string_equal(text(item(jobs, 1), "type"), "DRIVER");
    expect_json(item(jobs, 1), "tasks", "{\"total\":0,\"finished\":0,\"failed\":0}");
    assert_null(json_object_get(item(jobs, 0), "job"));
    json_decref(jobs);
    json_t *nodes = ASK(self, .view = "nodes");
    expect_json(item(nodes, 0), "resources_total", "{\"CPU\":2.5,\"memory\":12345678}");
    json_decref(nodes);
}

/*  Pages joined are the whole list, in order, each item once. */
static void expect_pages(struct fixture *self, struct asked asked, uint64_t count)
{
    uint64_t seen = 0;
    char last[32] = "";
    do {
        json_t *page = ask_well(self, asked);
        assert_int_equal(total(page), count);
        for (size_t i = 0; i < items(page); i++) {
            const char *id = text(item(page, i), "task_id");
            assert_true(last[0] == 0 || (strcmp(id, last) > 0) == (asked.reverse == 0));
            snprintf(last, sizeof(last), "%s", id);
        }
        seen += items(page);
        asked.cursor = (uint64_t)json_integer_value(json_object_get(page, "next"));
        json_decref(page);
    } while (asked.cursor != 0);
    assert_int_equal(seen, count);
}

static void pages_join(void **state)
{
    struct fixture *self = *state;
    expect_pages(self, (struct asked){ .view = "tasks", .limit = 7 }, TASKS + 2);
    expect_pages(self, (struct asked){ .view = "tasks", .limit = TASKS + 2 }, TASKS + 2);
    expect_pages(self, (struct asked){ .view = "tasks", .job = "1", .limit = 13 }, TASKS + 1);
    expect_pages(self, (struct asked){ .view = "tasks", .filter = "state=failed", .limit = 7 },
                 FAILED);
    expect_pages(self, (struct asked){ .view = "tasks", .job = "rayc_abd", .limit = 1 }, 1);
    expect_pages(self,
                 (struct asked){ .view = "attempts", .filter = "outcome=APP_ERROR", .limit = 3 },
                 FAILED);
    expect_pages(self, (struct asked){ .view = "tasks", .limit = 7, .reverse = 1 }, TASKS + 2);
    expect_pages(self, (struct asked){ .view = "tasks", .job = "1", .limit = 13, .reverse = 1 },
                 TASKS + 1);
    json_t *jobs = ASK(self, .view = "jobs", .reverse = 1);
    assert_string_equal(text(item(jobs, 0), "submission_id"), "rayc_abc"); /* the oldest */
    json_decref(jobs);
}

/*  What a filter on the state finds by a shortcut is what one finds who reads all tasks. */
static void shortcuts_find_all(void **state)
{
    struct fixture *self = *state;
    static const char *const states[] = { "PENDING_ARGS_AVAIL",
                                          "PENDING_NODE_ASSIGNMENT",
                                          "SUBMITTED_TO_WORKER",
                                          "RUNNING",
                                          "FINISHED",
                                          "FAILED" };
    size_t counts[COUNT(states)] = { 0 };
    PUT(&self->rows, task_new, .id = TASK_OF(3, 2), .spec = 1, .state = TASK_WAITING);
    PUT(&self->rows, lease_new, .token = 900, .node = 1, .first = TASK_OF(1, FAILED + 1),
        .count = 8);
    PUT(&self->rows, session_high, .id = 1, .high = FAILED + 9);
    PUT(&self->rows, session_low, .id = 1, .low = FAILED + 1);
    PUT(&self->rows, task_running, .id = TASK_OF(1, FAILED + 1), .node = 1);
    PUT(&self->rows, task_running, .id = TASK_OF(1, FAILED + 3), .node = 1);
    PUT(&self->rows, task_done, .id = TASK_OF(1, FAILED + 2), .attempt = 1, .node = 1);
    apply(self);
    json_t *all = ASK(self, .view = "tasks");
    for (size_t i = 0; i < items(all) * COUNT(states); i++) {
        const char *is = text(item(all, i / COUNT(states)), "state");
        counts[i % COUNT(states)] += strcmp(is, states[i % COUNT(states)]) == 0;
    }
    json_decref(all);
    for (size_t i = 0; i < COUNT(states) * 2; i++) {
        char filter[64];
        snprintf(filter, sizeof(filter), "state=%s", states[i / 2]);
        json_t *found = ASK(self, .view = "tasks", .filter = filter, .reverse = i % 2);
        assert_true(counts[i / 2] > 0);
        assert_int_equal(items(found), counts[i / 2]);
        assert_int_equal(total(found), counts[i / 2]);
        json_decref(found);
    }
}

/*  Some hundred are counted; more are said not to be, rather than wrongly. */
static void totals_may_be_estimates(void **state)
{
    struct fixture *self = *state;
    json_t *some = ASK(self, .view = "tasks", .limit = 1, .estimate = 1);
    assert_int_equal(total(some), TASKS + 2);
    json_decref(some);
    for (uint64_t i = 2; i <= 1000; i++) {
        PUT(&self->rows, task_new, .id = TASK_OF(3, i), .spec = 1, .state = TASK_READY);
    }
    apply(self);
    json_t *many = ASK(self, .view = "tasks", .limit = 1, .estimate = 1);
    expect_json(many, "total", "null");
    json_decref(many);
    json_t *exact = ASK(self, .view = "tasks", .limit = 1);
    assert_int_equal(total(exact), TASKS + 1001);
    json_decref(exact);
}

static void frames_are_bounded(void **state)
{
    struct fixture *self = *state;
    static char long_text[TEXT_MAX];
    memset(long_text, 'x', sizeof(long_text));
    for (uint64_t i = FAILED + 1; i <= TASKS; i++) {
        PUT(&self->rows, task_failed, .id = TASK_OF(1, i), .attempt = 1, .failure = FAILURE_APP,
            .text = slice_of(long_text, sizeof(long_text)));
    }
    for (uint64_t i = 1; i <= 200; i++) {
        PUT(&self->rows, task_new, .id = TASK_OF(3, 1 + i), .spec = 1, .state = TASK_READY);
        PUT(&self->rows, task_failed, .id = TASK_OF(3, 1 + i), .attempt = 1, .failure = FAILURE_APP,
            .text = slice_of(long_text, sizeof(long_text)));
    }
    apply(self);
    expect_pages(self, (struct asked){ .view = "tasks" }, TASKS + 202);
}

static void filters_all_hold(void **state)
{
    struct fixture *self = *state;
    static const struct {
        const char *filter;
        json_int_t total;
    } filters[] = {
        { "state=FAILED", FAILED },
        { "state=failed\nerror_type=TASK_EXECUTION_EXCEPTION", FAILED },
        { "state=FAILED\nexit_status!=3", 0 },
        { "state!=FAILED", TASKS + 2 - FAILED },
        { "node_id=1\nstate!=FAILED", 1 },
        { "node_id!=1", TASKS + 1 - FAILED },
        { "func_or_class_name=sQuARE\nsubmission_id=rayc_abd", 1 },
        { "index=103", 1 },
        { "state=' OR 1=1 --", 0 },
    };
    for (size_t i = 0; i < COUNT(filters); i++) {
        json_t *tasks = ASK(self, .view = "tasks", .filter = filters[i].filter);
        assert_int_equal(total(tasks), filters[i].total);
        assert_int_equal(items(tasks), filters[i].total);
        json_decref(tasks);
    }
}

static void filters_name_columns(void **state)
{
    struct fixture *self = *state;
    REFUSED(self, ERR_INVALID, "no column nonsense; there are task_id name", .view = "tasks",
            .filter = "nonsense=1");
    REFUSED(self, ERR_INVALID, "no column", .view = "tasks", .filter = "1=1) OR (1=1");
    REFUSED(self, ERR_INVALID, "no column", .view = "jobs", .filter = "tasks=1"); /* is an object */
    REFUSED(self, ERR_INVALID, "column=value", .view = "tasks", .filter = "state");
    REFUSED(self, ERR_NOT_FOUND, "no view", .view = "sqlite_master");
}

static void ids_may_be_short(void **state)
{
    struct fixture *self = *state;
    static const char *const jobs[] = { "rayc_abd", "2", "00000002" };
    for (size_t i = 0; i < COUNT(jobs); i++) {
        json_t *job = ASK(self, .view = "job", .id = jobs[i]);
        assert_int_equal(total(job), 1);
        assert_string_equal(text(item(job, 0), "submission_id"), "rayc_abd");
        json_decref(job);
    }
    REFUSED(self, ERR_CONFLICT, "rayc_abc and rayc_abd", .view = "job", .id = "rayc_");
    REFUSED(self, ERR_NOT_FOUND, "no job rayc_x", .view = "job", .id = "rayc_x");
    REFUSED(self, ERR_NOT_FOUND, "no job %", .view = "job", .id = "%");
    REFUSED(self, ERR_NOT_FOUND, "no job", .view = "tasks", .job = "77");
    REFUSED(self, ERR_INVALID, "an id is needed", .view = "job");
    json_t *task = ASK(self, .view = "task", .id = "000003");
    assert_string_equal(text(item(task, 0), "task_id"), "0000030000000001");
    json_decref(task);
    REFUSED(self, ERR_CONFLICT, "0000010000000001 and 0000010000000002", .view = "task",
            .id = "000001");
    REFUSED(self, ERR_NOT_FOUND, "no task", .view = "task", .id = "ffffffffffffffff");
    REFUSED(self, ERR_NOT_FOUND, "no task", .view = "task", .id = "xyz");
    static const char *const names[] = { "hen", "he", "he" }; /* the last lives */
    for (uint64_t i = 0; i < COUNT(names); i++) {
        PUT(&self->rows, node_new, .id = 10 + i, .name = slice_text(names[i]));
    }
    PUT(&self->rows, node_state, .id = 11, .state = NODE_DEAD);
    apply(self);
    json_t *node = ASK(self, .view = "nodes", .id = "he");
    expect_json(item(node, 0), "node_id", "12");
    json_decref(node);
}

static void task_tells_all(void **state)
{
    struct fixture *self = *state;
    json_t *answer = ASK(self, .view = "task", .id = "0000030000000001");
    const json_t *task = item(answer, 0);
    assert_string_equal(text(task, "state"), "FINISHED");
    expect_json(task, "retries", "1");
    expect_json(task, "args_bytes", "4");
    expect_json(task, "result", "[1,true,\"a\\\"b\"]");
    expect_json(task, "required_resources", "{\"CPU\":2.5,\"memory\":12345678}");
    expect_json(task, "arguments", "[\"0000000000000001\"]");
    expect_json(task, "end_time_ms", "1700000000000");
    assert_string_equal(text(task, "end_time"), "2023-11-14T22:13:20.000Z");
    const json_t *attempts = json_object_get(task, "attempts");
    assert_int_equal(json_array_size(attempts), 2);
    expect_json(json_array_get(attempts, 0), "signal", "9");
    assert_string_equal(text(json_array_get(attempts, 1), "outcome"), "FINISHED");
    json_decref(answer);
    answer = ASK(self, .view = "task", .id = "0000020000000004");
    expect_json(item(answer, 0), "index", "103");
    expect_json(item(answer, 0), "attempts", "[]");
    expect_json(item(answer, 0), "result", "null");
    json_decref(answer);
}

static void output_is_text(void **state)
{
    struct fixture *self = *state;
    json_t *output = ASK(self, .view = "output", .id = "000003");
    assert_int_equal(items(output), 2);
    assert_string_equal(text(item(output, 0), "output"), "half \xEF\xBF\xBD");
    expect_json(item(output, 1), "attempt", "2");
    json_decref(output);
    output = ASK(self, .view = "output", .id = "0000010000000001");
    assert_int_equal(items(output), 1);
    json_decref(output);
}

static void questions_are_bounded(void **state)
{
    struct fixture *self = *state;
    struct msg_query query = { .view = slice_text("tasks") };
    int asked = 0;
    while (query_ask(self->query, 1, &everything, &query) == OK) {
        asked++;
    }
    assert_int_equal(asked, QUESTIONS_MAX);
    query_begin(self->query);
    struct query_reply reply;
    for (int i = 0; i < QUESTIONS_MAX;) {
        struct pollfd ready = { query_fd(self->query), POLLIN, 0 };
        assert_int_equal(poll(&ready, 1, 60000), 1);
        while (query_next(self->query, &reply)) {
            assert_int_equal(reply.code, OK);
            i++;
        }
    }
    assert_int_equal(query_ask(self->query, 1, &everything, &query), OK);
}

static void rows_written_since_are_seen(void **state)
{
    struct fixture *self = *state;
    PUT(&self->rows, event, .at_ms = 5, .kind = slice_text("job.started"), .job = 2);
    apply(self);
    json_t *events = ASK(self, .view = "events", .job = "2");
    assert_int_equal(total(events), 1);
    assert_string_equal(text(item(events, 0), "kind"), "job.started");
    json_decref(events);
    events = ASK(self, .view = "events", .job = "1");
    assert_int_equal(total(events), 0);
    json_decref(events);
}

/* ---------------------------------------------------------------------------------------------- */

static void expect_text(const char *bytes, size_t n, const char *wanted)
{
    struct json json = json_new(1000);
    json_text(&json, slice_of(bytes, n));
    assert_int_equal(json.n, strlen(wanted));
    assert_memory_equal(json.p, wanted, json.n);
    json_free(&json);
}

#define BAD "\xEF\xBF\xBD"

static void text_is_valid_utf8(void **state)
{
    (void)state;
    expect_text("a\"\\\n\x01\x7F", 6, "\"a\\\"\\\\\\n\\u0001\x7F\"");
    expect_text("\xC3\xA9 \xE2\x82\xAC \xF0\x9F\x98\x80", 11,
                "\"\xC3\xA9 \xE2\x82\xAC \xF0\x9F\x98\x80\"");
    expect_text("\xC0\xAF", 2, "\"" BAD BAD "\"");         /* overlong */
    expect_text("\xED\xA0\x80", 3, "\"" BAD BAD BAD "\""); /* a surrogate */
    expect_text("\xF4\x90\x80\x80", 4, "\"" BAD BAD BAD BAD "\"");
    expect_text("x\xE2\x82", 3, "\"x" BAD BAD "\"");
    expect_text("", 0, "\"\"");
    expect_text("\0", 1, "\"\\u0000\"");
}

static void buffers_have_limits(void **state)
{
    (void)state;
    struct json json = json_new(8);
    json_raw(&json, "12345678");
    assert_false(json.full);
    json_raw(&json, "9");
    assert_true(json.full);
    assert_int_equal(json.n, 8);
    json_free(&json);
}

static void expect_msgpack(const char *bytes, size_t n, const char *wanted)
{
    struct json json = json_new(1000);
    assert_int_equal(json_msgpack(&json, slice_of(bytes, n)), wanted != NULL);
    if (wanted != NULL) {
        assert_int_equal(json.n, strlen(wanted));
        assert_memory_equal(json.p, wanted, json.n);
    }
    json_free(&json);
}

static void msgpack_becomes_json(void **state)
{
    (void)state;
    expect_msgpack("\xC0", 1, "null");
    expect_msgpack("\xFF", 1, "-1");
    expect_msgpack("\xCB\x3F\xE0\0\0\0\0\0\0", 9, "0.5");
    expect_msgpack("\xCB\x7F\xF0\0\0\0\0\0\0", 9, "null");
    expect_msgpack("\xC4\x03\x01\x02\x03", 5, "\"AQID\"");
    expect_msgpack("\x82\xA1k\x91\xC2\x05\x06", 7, "{\"k\":[false],\"5\":6}");
    expect_msgpack("\x92\x01", 2, NULL);
    expect_msgpack("\x01\x01", 2, NULL);
    char deep[1000];
    memset(deep, '\x91', sizeof(deep));
    expect_msgpack(deep, sizeof(deep), NULL);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

/*  Another user's rows are not there: in lists, in totals, by id, nor as the beginning of one. */
static void nothing_is_seen_of_others(void **state)
{
    struct fixture *self = *state;
    PUT(&self->rows, user_put, .id = 2, .name = slice_text("ann"), .role = ROLE_USER);
    apply(self);
    static const char *const views[] = { "jobs", "tasks", "attempts", "events", "users", "tokens" };
    int code;
    reader = (struct reader){ 2, ROLE_USER };
    for (size_t i = 0; i < COUNT(views); i++) {
        json_t *json = ASK(self, .view = views[i]);
        int most = strcmp(views[i], "users") == 0; /* itself */
        assert_int_equal(json_integer_value(json_object_get(json, "total")), most);
        json_decref(json);
    }
    assert_null(ask(self, (struct asked){ .view = "job", .id = "1" }, &code));
    assert_int_equal(code, ERR_NOT_FOUND);
    assert_null(ask(self, (struct asked){ .view = "tasks", .job = "1" }, &code));
    assert_int_equal(code, ERR_NOT_FOUND);
    reader = (struct reader){ 2, ROLE_WORKER };
    assert_null(ask(self, (struct asked){ .view = "jobs" }, &code));
    assert_int_equal(code, ERR_FORBIDDEN);
    reader = (struct reader){ 2, ROLE_VIEWER };
    json_t *json = ASK(self, .view = "jobs");
    assert_true(json_integer_value(json_object_get(json, "total")) > 0);
    json_decref(json);
    reader = everything;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(lists_have_a_kind_and_a_total),
        TEST(pages_join),
        TEST(shortcuts_find_all),
        TEST(totals_may_be_estimates),
        TEST(frames_are_bounded),
        TEST(filters_all_hold),
        TEST(filters_name_columns),
        TEST(ids_may_be_short),
        TEST(task_tells_all),
        TEST(output_is_text),
        TEST(questions_are_bounded),
        TEST(nothing_is_seen_of_others),
        TEST(rows_written_since_are_seen),
        cmocka_unit_test(text_is_valid_utf8),
        cmocka_unit_test(buffers_have_limits),
        cmocka_unit_test(msgpack_becomes_json),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
