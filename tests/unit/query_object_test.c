/*  query_object_test.c - who holds which object: each kind of holder, what is no object, ids that are cut, pages, and that
    another user sees none of it. */
#include "head/query_view.h"

#include <jansson.h>
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>
#include "head/store.h"
#include "proto/wire.h"
#include "tests/unit/rows_put.h"

/*  Sessions: 1 a driver, 2 an executor, both of the job 1; 3 another driver, of the job 2, of another user. */
#define ID(session, counter) ((uint64_t)(session) << TASK_COUNTER_BITS | (uint64_t)(counter))
#define ARGUMENTS            UINT32_MAX

enum { TASK_SPEC = 1, VALUE_SPEC, ACTOR_SPEC, METHOD_SPEC };

struct fixture {
    char dir[64];
    sqlite3 *db;
    struct reader reader;
    char text[1024]; /* of the newest refusal */
};

static void put_task(struct rows *rows, uint64_t id, uint64_t spec, uint32_t state)
{
    PUT(rows, task_new, .id = id, .spec = spec, .state = state,
        .actor = spec == METHOD_SPEC ? ID(1, 2) : 0);
}

static void put_value(struct rows *rows, uint64_t id, uint64_t parent)
{
    PUT(rows, value_new, .id = id, .spec = VALUE_SPEC, .parent = parent);
    PUT(rows, object_new, .task = id, .state = DIRECTORY_STORED, .owned = 1, .size = 1000,
        .node = 1);
}

static void put_jobs(struct rows *rows)
{
    static const uint32_t kinds[] = { [TASK_SPEC] = SPEC_FUNCTION,
                                      [VALUE_SPEC] = SPEC_VALUE,
                                      [ACTOR_SPEC] = SPEC_ACTOR,
                                      [METHOD_SPEC] = SPEC_METHOD };
    static const char *const names[] = { "", "step", NULL, "keeper", "keep" };
    PUT(rows, node_new, .id = 1, .name = slice_text("here"));
    PUT(rows, user_put, .id = 2, .name = slice_text("ann"), .role = ROLE_USER);
    PUT(rows, job_new, .id = 1, .submission = slice_text("mine"), .owner = 1);
    PUT(rows, job_new, .id = 2, .submission = slice_text("hers"), .owner = 2);
    for (uint64_t session = 1; session <= 3; session++) {
        PUT(rows, session_new, .id = session, .job = session == 3 ? 2 : 1, .nested = session == 2);
    }
    for (uint64_t spec = TASK_SPEC; spec <= METHOD_SPEC; spec++) {
        struct row_spec_new row = { .id = spec, .session = 1, .kind = kinds[spec] };
        row.name = names[spec] ? slice_text(names[spec]) : row.name;
        rows_put(rows, ROW_spec_new, &row);
    }
}

/*  1.1 is a value of the driver's, lent to the method 1.4, to the task 1.5, which will return it, and to 1.3, which waits.  1.2 is an actor, and 2.1 what
    its method 1.4 has put.  2.2 is a list of a task's that holds 2.3, which nobody else does.  1.5 waits, and its
    arguments have 2.1 inside.  1.6 was released; 1.7 is LOST, and has no holder. */
static void put_objects(struct rows *rows)
{
    static uint8_t bytes[256];
    struct wire wire = { bytes, 0, sizeof(bytes), false };
    proto_put_record(&wire, REC_ID, &(struct rec_id){ ID(1, 1) });
    struct slice deps = slice_of(bytes, wire.n);
    proto_put_record(&wire, REC_OBJECT, &(struct rec_object){ ID(2, 3), 0 });
    struct slice inside = slice_of(bytes + deps.n, wire.n - deps.n);
    size_t before = wire.n;
    proto_put_record(&wire, REC_OBJECT, &(struct rec_object){ ID(2, 1), 0 });
    put_value(rows, ID(1, 1), 0);
    PUT(rows, hold_new, .session = 2, .task = ID(1, 1), .holder = ID(1, 4));
    PUT(rows, hold_new, .session = ID(1, 5), .task = ID(1, 1));
    put_task(rows, ID(1, 2), ACTOR_SPEC, TASK_RUNNING);
    PUT(rows, task_new, .id = ID(1, 3), .spec = TASK_SPEC, .state = TASK_READY, .deps = deps);
    put_task(rows, ID(1, 4), METHOD_SPEC, TASK_RUNNING);
    put_value(rows, ID(2, 1), ID(1, 4));
    put_task(rows, ID(1, 5), TASK_SPEC, TASK_READY);
    PUT(rows, object_new, .task = ID(1, 5), .idx = ARGUMENTS, .state = DIRECTORY_INLINE,
        .inside = slice_of(bytes + before, wire.n - before));
    put_task(rows, ID(2, 2), TASK_SPEC, TASK_RUNNING);
    PUT(rows, object_new, .task = ID(2, 2), .idx = 1, .state = DIRECTORY_INLINE, .owned = 1,
        .inside = inside);
    put_value(rows, ID(2, 3), ID(2, 2));
    PUT(rows, object_owned, .task = ID(2, 3));
    put_value(rows, ID(1, 6), 0);
    PUT(rows, object_state, .task = ID(1, 6), .state = DIRECTORY_FREED);
    put_value(rows, ID(1, 7), 0);
    PUT(rows, object_owned, .task = ID(1, 7));
    PUT(rows, object_state, .task = ID(1, 7), .state = DIRECTORY_LOST,
        .reason = REASON_OBJECT_UNRECONSTRUCTABLE_PUT);
    put_value(rows, ID(3, 1), 0);
}

static int setup(void **state)
{
    struct fixture *self = calloc(1, sizeof(*self));
    struct rows rows = { 0 };
    struct store *store;
    struct diag why;
    char path[128];
    self->reader = (struct reader){ 1, ROLE_USER };
    folder_new(self->dir);
    snprintf(path, sizeof(path), "%s/rayc.db", self->dir);
    assert_int_equal(store_open(&store, path, &why), OK);
    put_jobs(&rows);
    put_objects(&rows);
    assert_int_equal(store_apply(store, &rows.batch), OK);
    store_close(&store);
    rows_free(&rows);
    assert_int_equal(query_database(path, &self->db), OK);
    *state = self;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *self = *state;
    sqlite3_close(self->db);
    folder_remove(self->dir);
    free(self);
    return 0;
}

struct asked {
    const char *view, *id, *job, *filter;
    uint64_t limit, cursor;
};

/*  The page, or NULL with the text of the refusal. */
static json_t *ask(struct fixture *self, struct asked asked)
{
    const struct msg_query query = { .view = slice_text(asked.view),
                                     .id = slice_text(asked.id),
                                     .job = slice_text(asked.job),
                                     .filter = slice_text(asked.filter),
                                     .limit = asked.limit,
                                     .cursor = asked.cursor };
    struct text why = text_in(self->text, sizeof(self->text));
    struct json json;
    if (query_answer(self->db, &self->reader, &query, &json, &why) != OK) {
        return NULL;
    }
    json_t *page = json_loadb(json.p, json.n, 0, NULL);
    json_free(&json);
    assert_non_null(page);
    return page;
}

/*  The values of some columns of each row, in order: "a b|c d". */
static void expect(struct fixture *self, struct asked asked, const char *columns, const char *rows)
{
    char got[1024] = "", names[128];
    json_t *page = ask(self, asked), *item;
    size_t i, n = 0;
    assert_non_null(page);
    json_array_foreach(json_object_get(page, "items"), i, item)
    {
        char *rest, *before = i > 0 ? "|" : "";
        snprintf(names, sizeof(names), "%s", columns);
        for (char *name = strtok_r(names, " ", &rest); name; name = strtok_r(NULL, " ", &rest)) {
            const json_t *value = json_object_get(item, name);
            const char *text = json_is_null(value) ? "-" : json_string_value(value);
            n += text ? (size_t)snprintf(got + n, sizeof(got) - n, "%s%s", before, text)
                      : (size_t)snprintf(got + n, sizeof(got) - n, "%s%lld", before,
                                         json_integer_value(value));
            before = " ";
        }
    }
    assert_string_equal(got, rows);
    json_decref(page);
}

#define EXPECT(columns, rows, ...) expect(*state, (struct asked){ __VA_ARGS__ }, columns, rows)

static void objects_are_listed(void **state)
{
    EXPECT("object_id type state object_size node_name",
           "00000100000000010000 PUT STORED 1000 here|00000100000000070000 PUT LOST 1000 here|"
           "00000200000000010000 PUT STORED 1000 here|00000200000000020001 RETURN INLINE - -|"
           "00000200000000030000 PUT STORED 1000 here",
           .view = "objects");
    EXPECT("name borrowers owned", "rayc_put 2 1", .view = "object", .id = "0000010000000001");
    EXPECT("reason", "OBJECT_UNRECONSTRUCTABLE_PUT", .view = "object",
           .id = "00000100000000070000");
    EXPECT("state", "FREED", .view = "object", .id = "0000010000000006");
    EXPECT("object_id", "00000200000000020001", .view = "objects", .filter = "state=INLINE");
    EXPECT("object_id", "00000200000000010000|00000200000000020001", .view = "objects", .limit = 2,
           .cursor = 2);
}

static void each_holder_is_told(void **state)
{
    EXPECT("object_id reference_type holder_type holder_id holder_name",
           "00000100000000010000 LOCAL_REFERENCE DRIVER mine -|"
           "00000100000000010000 LOCAL_REFERENCE ACTOR 0000010000000002 keeper|"
           "00000100000000010000 LOCAL_REFERENCE TASK 0000010000000005 step|"
           "00000100000000010000 USED_BY_PENDING_TASK TASK 0000010000000003 step|"
           "00000100000000070000 PINNED_IN_MEMORY - - -|"
           "00000200000000010000 LOCAL_REFERENCE ACTOR 0000010000000002 keeper|"
           "00000200000000010000 USED_BY_PENDING_TASK TASK 0000010000000005 step|"
           "00000200000000020001 LOCAL_REFERENCE WORKER 2 -|"
           "00000200000000030000 CAPTURED_IN_OBJECT OBJECT 00000200000000020001 -",
           .view = "memory", .job = "mine");
    EXPECT("object_id", "00000200000000030000", .view = "memory",
           .filter = "reference_type=CAPTURED_IN_OBJECT");
}

static void an_id_is_one_or_says_why_not(void **state)
{
    struct fixture *self = *state;
    assert_null(ask(self, (struct asked){ .view = "object", .id = "00000200000000" }));
    assert_non_null(strstr(self->text, "several begin so"));
    assert_null(ask(self, (struct asked){ .view = "object", .id = "0000010000000003" }));
    assert_non_null(strstr(self->text, "rayc task get"));
    assert_null(ask(self, (struct asked){ .view = "object", .id = "000001000000000100000" }));
    assert_null(ask(self, (struct asked){ .view = "object", .id = "0000010000000005ffffffff" }));
    assert_null(ask(self, (struct asked){ .view = "object" }));
}

static void nothing_is_seen_of_others(void **state)
{
    struct fixture *self = *state;
    self->reader.user = 2;
    EXPECT("object_id", "00000300000000010000", .view = "objects");
    EXPECT("holder_id", "hers", .view = "memory");
    assert_null(ask(self, (struct asked){ .view = "object", .id = "0000010000000001" }));
    self->reader.may = ROLE_VIEWER;
    EXPECT("state", "STORED", .view = "object", .id = "0000010000000001");
    self->reader.may = ROLE_WORKER;
    assert_null(ask(self, (struct asked){ .view = "memory" }));
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(objects_are_listed),
        TEST(each_holder_is_told),
        TEST(an_id_is_one_or_says_why_not),
        TEST(nothing_is_seen_of_others),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
