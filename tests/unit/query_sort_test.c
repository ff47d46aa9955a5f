/*  query_sort_test.c - lists sorted by a column: the order, ties, what has pages and what has not, and the limit. */
#include "head/query_view.h"

#include <jansson.h>
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>
#include "head/store.h"
#include "tests/unit/rows_put.h"

struct fixture {
    char dir[64];
    sqlite3 *db, *writer;
    char text[1024]; /* of the newest refusal */
};

/*  Events 1 to count; every third is of kind B, the others of kind A. */
static void put_events(struct fixture *self, int count)
{
    char sql[512];
    snprintf(sql, sizeof(sql),
             "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n WHERE i<%d)"
             " INSERT OR IGNORE INTO event(id,at_ms,kind,job,text)"
             " SELECT i, 1000-i, iif(i%%3,'A','B'), 1, '' FROM n",
             count);
    assert_int_equal(sqlite3_exec(self->writer, sql, NULL, NULL, NULL), SQLITE_OK);
}

static int setup(void **state)
{
    struct fixture *self = calloc(1, sizeof(*self));
    struct store *store;
    struct diag why;
    char path[128];
    folder_new(self->dir);
    snprintf(path, sizeof(path), "%s/rayc.db", self->dir);
    assert_int_equal(store_open(&store, path, &why), OK);
    store_close(&store);
    assert_int_equal(sqlite3_open(path, &self->writer), SQLITE_OK);
    put_events(self, 10);
    assert_int_equal(query_database(path, &self->db), OK);
    *state = self;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *self = *state;
    sqlite3_close(self->db);
    sqlite3_close(self->writer);
    folder_remove(self->dir);
    free(self);
    return 0;
}

struct asked {
    const char *sort, *filter;
    uint64_t limit, cursor;
    uint32_t reverse;
};

/*  The page, or NULL with the text of the refusal. */
static json_t *ask(struct fixture *self, struct asked asked)
{
    const struct reader admin = { 1, ROLE_ADMIN };
    const struct msg_query query = { .view = slice_text("events"),
                                     .sort = slice_text(asked.sort),
                                     .filter = slice_text(asked.filter),
                                     .limit = asked.limit,
                                     .cursor = asked.cursor,
                                     .reverse = asked.reverse,
                                     .estimate = 1 };
    struct text why = text_in(self->text, sizeof(self->text));
    struct json json;
    int rc = query_answer(self->db, &admin, &query, &json, &why);
    if (rc != OK) {
        assert_int_equal(rc, ERR_INVALID);
        return NULL;
    }
    json_t *page = json_loadb(json.p, json.n, 0, NULL);
    json_free(&json);
    assert_non_null(page);
    return page;
}

/*  Their ids, in order: "1 2 3"; returns the page. */
static json_t *expect(struct fixture *self, struct asked asked, const char *ids)
{
    char got[256] = "";
    json_t *page = ask(self, asked), *item;
    assert_non_null(page);
    size_t i, n = 0;
    json_array_foreach(json_object_get(page, "items"), i, item)
    {
        n += (size_t)snprintf(got + n, sizeof(got) - n, "%s%lld", i ? " " : "",
                              json_integer_value(json_object_get(item, "event_id")));
    }
    assert_string_equal(got, ids);
    return page;
}

#define EXPECT(ids, ...) json_decref(expect(*state, (struct asked){ __VA_ARGS__ }, ids))

static void by_a_column_and_ties_by_id(void **state)
{
    EXPECT("1 2 4 5 7 8 10 3 6 9", .sort = "kind");
    EXPECT("9 6 3 10 8 7 5 4 2 1", .sort = "-kind");
    EXPECT("9 6 3 10 8 7 5 4 2 1", .sort = "kind", .reverse = 1);
    EXPECT("10 9 8 7 6 5 4 3 2 1", .sort = "time_ms");
    EXPECT("9 6 3", .sort = "time_ms", .filter = "kind=B");
}

static void one_page_says_whether_there_was_more(void **state)
{
    json_t *page = expect(*state, (struct asked){ .sort = "-kind", .limit = 4 }, "9 6 3 10");
    assert_true(json_is_null(json_object_get(page, "next")));
    assert_true(json_is_true(json_object_get(page, "truncated")));
    assert_int_equal(json_integer_value(json_object_get(page, "total")), 10);
    json_decref(page);
    page = expect(*state, (struct asked){ .sort = "-kind", .limit = 10 }, "9 6 3 10 8 7 5 4 2 1");
    assert_true(json_is_false(json_object_get(page, "truncated")));
    json_decref(page);
}

static void by_its_id_it_has_pages(void **state)
{
    json_t *page = expect(*state, (struct asked){ .sort = "-event_id", .limit = 4 }, "10 9 8 7");
    assert_int_equal(json_integer_value(json_object_get(page, "next")), 7);
    json_decref(page);
    EXPECT("6 5", .sort = "-event_id", .limit = 2, .cursor = 7);
    EXPECT("8 9", .sort = "event_id", .limit = 2, .cursor = 7);
    EXPECT("8 9", .sort = "-event_id", .reverse = 1, .limit = 2, .cursor = 7);
}

static void what_cannot_be_is_refused(void **state)
{
    struct fixture *self = *state;
    assert_null(ask(self, (struct asked){ .sort = "size" }));
    assert_non_null(strstr(self->text, "there is no column size; there are event_id"));
    assert_null(ask(self, (struct asked){ .sort = "-" }));
    assert_null(ask(self, (struct asked){ .sort = "kind", .cursor = 7 }));
    assert_non_null(strstr(self->text, "sorted by kind has no cursor"));
}

static void many_rows_are_not_sorted(void **state)
{
    struct fixture *self = *state;
    put_events(self, 100001);
    assert_null(ask(self, (struct asked){ .sort = "kind", .limit = 1 }));
    assert_non_null(strstr(self->text, "filters"));
    EXPECT("3", .sort = "kind", .filter = "kind=B", .limit = 1);
    EXPECT("100001", .sort = "-event_id", .limit = 1);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(by_a_column_and_ties_by_id), TEST(one_page_says_whether_there_was_more),
        TEST(by_its_id_it_has_pages),     TEST(what_cannot_be_is_refused),
        TEST(many_rows_are_not_sorted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
