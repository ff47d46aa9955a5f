/*  query_study_test.c - studies as people see them in views, and as their drivers read them back in pages. */
#include <jansson.h>
#include <math.h>
#include <poll.h>
#include "head/query.h"
#include "tests/unit/store_world.h"

static const struct reader everything = { 1, ROLE_ADMIN };

struct asked {
    const char *view, *id, *filter;
    uint64_t limit, cursor;
};

struct rows_reader {
    struct fixture *base;
    struct query *query;
    uint64_t seq;
};

/*  Valid until the next question. */
static struct query_reply wait(struct rows_reader *self)
{
    struct query_reply reply;
    query_begin(self->query);
    while (!query_next(self->query, &reply)) {
        struct pollfd ready = { query_fd(self->query), POLLIN, 0 };
        assert_int_equal(poll(&ready, 1, 60000), 1);
    }
    assert_true(reply.peer == 9 && reply.seq == self->seq);
    return reply;
}

static json_t *ask(struct rows_reader *self, struct asked asked)
{
    struct msg_query query = { .seq = ++self->seq,
                               .view = slice_text(asked.view),
                               .id = slice_text(asked.id),
                               .filter = slice_text(asked.filter),
                               .limit = asked.limit,
                               .cursor = asked.cursor };
    assert_int_equal(query_ask(self->query, 9, &everything, &query), OK);
    struct query_reply reply = wait(self);
    if (reply.code != OK) {
        print_message("refused: %s\n", reply.text);
        return NULL;
    }
    json_error_t why;
    json_t *json = json_loadb((const char *)reply.json.p, reply.json.n, 0, &why);
    assert_non_null(json);
    return json;
}

#define ASK(self, ...) ask(self, (struct asked){ __VA_ARGS__ })

static struct msg_study_rows read_rows(struct rows_reader *self, const char *name, uint32_t what,
                                       uint64_t after)
{
    static struct msg msg;
    struct msg_study_read ask = { ++self->seq, slice_text(name), what, after };
    assert_int_equal(query_ask_study(self->query, 9, &everything, &ask), OK);
    struct query_reply reply = wait(self);
    assert_int_equal(reply.code, OK);
    assert_true(reply.frame.n < 8 * MIB);
    assert_int_equal(proto_decode(reply.frame, &msg, NULL), OK);
    assert_int_equal(msg.kind, MSG_STUDY_ROWS);
    assert_true(msg.as.seq == self->seq);
    return msg.as.study_rows;
}

static json_t *item(const json_t *json, size_t i)
{
    return json_array_get(json_object_get(json, "items"), i);
}

static void expect_json(const json_t *object, const char *key, const char *value)
{
    char *dump = json_dumps(json_object_get(object, key), JSON_COMPACT | JSON_ENCODE_ANY);
    if (dump == NULL || strcmp(dump, value) != 0) {
        fail_msg("%s is %s, not %s", key, dump ? dump : "missing", value);
    }
    free(dump);
}

static void put_trial(struct rows *rows, uint32_t number, uint32_t state, double value)
{
    PUT(rows, trial, .study = 1, .number = number, .state = state, .value = value, .step = NAN,
        .task = TASK(number), .pruned = number == 3,
        .ended = state == TRIAL_TERMINATED ? number : 0, .created_ms = 1700000000000,
        .point = slice_of("\0\1", 2), .params = slice_text("{\"x\":1}"),
        .metrics = slice_text("{\"a\":NaN}"));
}

static void put_rows(struct rows *rows)
{
    PUT(rows, study_new, .id = 1, .name = slice_text("yolo-small"), .metric = slice_text("loss"),
        .seed = UINT64_MAX, .created_ms = 1700000000000);
    PUT(rows, study_file, .study = 1, .definition = slice_text("epochs: 81\n"),
        .settings = slice_text("{\"name\":1}"));
    PUT(rows, study_new, .id = 2, .name = slice_text("yolo-large"), .metric = slice_text("mAP"),
        .maximize = 1, .seed = 7);
    PUT(rows, study_file, .study = 2);
    PUT(rows, study_state, .id = 2, .state = STUDY_FAILED, .ended_ms = 1700000000000,
        .text = slice_text("no disk"));
    static const struct {
        uint32_t state;
        double value;
    } trials[] = { { TRIAL_TERMINATED, NAN },  { TRIAL_TERMINATED, 0.5 },  { TRIAL_RUNNING, 0.1 },
                   { TRIAL_TERMINATED, 0.25 }, { TRIAL_TERMINATED, 0.25 }, { TRIAL_ERROR, 0.0 } };
    for (uint32_t i = 0; i < COUNT(trials); i++) {
        put_trial(rows, i, TRIAL_PENDING, NAN);
        put_trial(rows, i, trials[i].state, trials[i].value);
    }
    for (uint64_t i = 1; i <= 3; i++) {
        PUT(rows, report, .id = i * 10, .study = 1, .task = TASK(1), .token = 77, .attempt = 2,
            .number = (uint32_t)i, .trial = 1, .step = (double)i, .value = i == 2 ? NAN : 0.5,
            .metrics = slice_text("{\"loss\":0.5}"), .checkpoint = slice_text("/c"), .at_ms = 5);
    }
    PUT(rows, report, .id = 98, .study = 1, .task = TASK(1), .token = 77, .number = 3, .step = 3);
    PUT(rows, report, .id = 99, .study = 1, .task = TASK(1), .token = 78, .number = 1, .step = 2);
}

static int reader_new(void **state)
{
    struct rows_reader *self = calloc(1, sizeof(*self));
    setup((void **)&self->base);
    put_rows(&self->base->rows);
    apply(self->base);
    assert_int_equal(query_open(&self->query, self->base->path), OK);
    *state = self;
    return 0;
}

static int reader_free(void **state)
{
    struct rows_reader *self = *state;
    query_close(&self->query);
    teardown((void **)&self->base);
    free(self);
    return 0;
}

static void studies_tell_their_best(void **state)
{
    struct rows_reader *self = *state;
    json_t *answer = ASK(self, .view = "studies");
    expect_json(answer, "kind", "\"StudyList\"");
    expect_json(answer, "total", "2");
    const json_t *large = item(answer, 0), *small = item(answer, 1);
    expect_json(large, "name", "\"yolo-large\"");
    expect_json(large, "state", "\"FAILED\"");
    expect_json(large, "text", "\"no disk\"");
    expect_json(large, "mode", "\"max\"");
    expect_json(large, "seed", "7");
    expect_json(large, "best_value", "null");
    expect_json(large, "ended", "\"2023-11-14T22:13:20.000Z\"");
    expect_json(small, "study_id", "1");
    expect_json(small, "trials", "6");
    expect_json(small, "running", "1");
    expect_json(small, "terminated", "4");
    expect_json(small, "errors", "1");
    expect_json(small, "best_value", "0.25");
    expect_json(small, "best_trial", "3");
    expect_json(small, "seed", "\"18446744073709551615\"");
    json_decref(answer);
    static const char *const ids[] = { "yolo-small", "yolo-s", "1" };
    for (size_t i = 0; i < COUNT(ids); i++) {
        answer = ASK(self, .view = "study", .id = ids[i]);
        expect_json(item(answer, 0), "name", "\"yolo-small\"");
        expect_json(item(answer, 0), "settings", "{\"name\":1}");
        expect_json(item(answer, 0), "definition", "\"epochs: 81\\n\"");
        json_decref(answer);
    }
    answer = ASK(self, .view = "study", .id = "@last");
    expect_json(item(answer, 0), "name", "\"yolo-large\"");
    json_decref(answer);
    assert_null(ASK(self, .view = "study", .id = "yolo"));
    assert_null(ASK(self, .view = "study", .id = "nobody"));
    assert_null(ASK(self, .view = "study", .id = ""));
}

static void trials_and_reports_are_lists(void **state)
{
    struct rows_reader *self = *state;
    json_t *answer = ASK(self, .view = "trials", .id = "yolo-small", .limit = 4);
    expect_json(answer, "total", "6");
    expect_json(answer, "next", "4");
    expect_json(item(answer, 0), "study", "\"yolo-small\"");
    expect_json(item(answer, 0), "value", "null");
    expect_json(item(answer, 3), "trial", "3");
    expect_json(item(answer, 3), "state", "\"TERMINATED\"");
    expect_json(item(answer, 3), "params", "{\"x\":1}");
    expect_json(item(answer, 3), "metrics", "\"{\\\"a\\\":NaN}\""); /* is no JSON */
    expect_json(item(answer, 3), "lineage", "null");
    expect_json(item(answer, 3), "task_id", "\"0000010000000003\"");
    expect_json(item(answer, 3), "pruned", "1");
    expect_json(item(answer, 3), "ended_order", "3");
    json_decref(answer);
    answer = ASK(self, .view = "trials", .id = "1", .limit = 4, .cursor = 4);
    expect_json(item(answer, 0), "trial", "4");
    expect_json(answer, "next", "null");
    json_decref(answer);
    answer = ASK(self, .view = "trials", .filter = "state=error");
    expect_json(answer, "total", "1");
    json_decref(answer);
    answer = ASK(self, .view = "reports", .id = "yolo-s", .filter = "trial=1");
    expect_json(answer, "total", "3");
    expect_json(item(answer, 2), "step", "3");
    expect_json(item(answer, 2), "metrics", "{\"loss\":0.5}");
    expect_json(item(answer, 2), "checkpoint", "\"/c\"");
    expect_json(item(answer, 2), "at", "\"1970-01-01T00:00:00.005Z\"");
    json_decref(answer);
}

static void a_study_is_read_back(void **state)
{
    struct rows_reader *self = *state;
    struct msg_study_rows rows = read_rows(self, "yolo-small", 0, 0);
    assert_true(rows.study == 1 && rows.state == STUDY_RUNNING && rows.seed == UINT64_MAX);
    assert_true(slice_same(rows.definition, slice_text("epochs: 81\n")));
    assert_true(slice_same(rows.settings, slice_text("{\"name\":1}")));
    assert_int_equal(read_rows(self, "yolo", 0, 0).study, 0);
    rows = read_rows(self, "yolo-small", 1, 2);
    assert_true(rows.trials.count == 4 && !rows.more && rows.definition.n == 0);
    struct rec_trial trial;
    assert_true(next_trial(&rows.trials, &trial));
    assert_true(trial.number == 2 && trial.state == TRIAL_RUNNING && trial.value == 0.1);
    assert_true(isnan(trial.step) && slice_same(trial.point, slice_of("\0\1", 2)));
    assert_true(slice_same(trial.params, slice_text("{\"x\":1}")) && trial.lineage.n == 0);
    rows = read_rows(self, "yolo-small", 2, 10);
    assert_int_equal(rows.reports.count, 2);
    struct rec_report report;
    assert_true(next_report(&rows.reports, &report));
    assert_true(report.id == 20 && report.token == 77 && report.attempt == 2 && report.number == 2);
    assert_true(report.step == 2 && isnan(report.value) && report.at_ms == 5);
}

/*  All of it, page after page. */
static void large_studies_come_in_pages(void **state)
{
    enum { MANY = 5000, LONG = 300 };
    struct rows_reader *self = *state;
    static char text[TEXT_MAX];
    memset(text, 'x', sizeof(text));
    for (uint32_t i = 0; i < MANY; i++) {
        PUT(&self->base->rows, trial, .study = 2, .number = i, .state = TRIAL_TERMINATED,
            .text = slice_of(text, i < LONG ? sizeof(text) : 10));
    }
    apply(self->base);
    uint64_t after = 0;
    uint32_t pages = 0;
    for (bool more = true; more; pages++) {
        struct msg_study_rows rows = read_rows(self, "yolo-large", 1, after);
        assert_true(rows.trials.count <= TRIALS_PER_FRAME_MAX);
        struct rec_trial trial;
        while (next_trial(&rows.trials, &trial)) {
            assert_int_equal(trial.number, after);
            after++;
        }
        more = rows.more;
    }
    assert_int_equal(after, MANY);
    assert_true(pages > 5);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(studies_tell_their_best, reader_new, reader_free),
        cmocka_unit_test_setup_teardown(trials_and_reports_are_lists, reader_new, reader_free),
        cmocka_unit_test_setup_teardown(a_study_is_read_back, reader_new, reader_free),
        cmocka_unit_test_setup_teardown(large_studies_come_in_pages, reader_new, reader_free),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
