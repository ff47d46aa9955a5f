/*  store_world.h - a database in a folder of its own, for the tests of the store. */
#ifndef RAYC_STORE_WORLD_H
#define RAYC_STORE_WORLD_H
#include "head/store.h"

#include <setjmp.h>
#include <sqlite3.h>
#include <stdarg.h>
#include <cmocka.h>
#include "tests/unit/rows_put.h"

#define TASK(counter) (1ull << TASK_COUNTER_BITS | (counter))

struct fixture {
    char dir[64];
    char path[128];
    struct store *store;
    struct rows rows;
};

static inline void open_store(struct fixture *self)
{
    struct diag why;
    assert_int_equal(store_open(&self->store, self->path, &why), OK);
}

static inline int setup(void **state)
{
    struct fixture *self = calloc(1, sizeof(*self));
    folder_new(self->dir);
    snprintf(self->path, sizeof(self->path), "%s/rayc.db", self->dir);
    open_store(self);
    *state = self;
    return 0;
}

static inline int teardown(void **state)
{
    struct fixture *self = *state;
    store_close(&self->store);
    rows_free(&self->rows);
    folder_remove(self->dir);
    free(self);
    return 0;
}

static inline void apply(struct fixture *self)
{
    assert_int_equal(store_apply(self->store, &self->rows.batch), OK);
    rows_clear(&self->rows);
}

/*  A job with a session and a spec, and tasks 1..count in state READY. */
static inline void put_job(struct fixture *self, uint64_t count)
{
    PUT(&self->rows, job_new, .id = 1, .submission = slice_text("rayc_one"), .kind = JOB_ATTACHED,
        .state = JOB_RUNNING, .entrypoint = slice_text("./one"), .created_ms = 1700000000123);
    PUT(&self->rows, session_new, .id = 1, .job = 1);
    PUT(&self->rows, spec_new, .id = 7, .session = 1, .kind = SPEC_FUNCTION,
        .name = slice_text("square"));
    static uint64_t args[5001];
    for (uint64_t i = 1; i <= count; i++) {
        args[i] = i;
        PUT(&self->rows, task_new, .id = TASK(i), .spec = 7, .state = TASK_READY,
            .submitted_ms = 1700000000456, .args = slice_of(&args[i], sizeof(args[i])));
    }
    apply(self);
}

/*  One value read as text by a connection of its own, as a person would. */
static inline void expect(struct fixture *self, const char *sql, const char *value)
{
    sqlite3 *db = NULL;
    sqlite3_stmt *rows = NULL;
    assert_int_equal(sqlite3_open_v2(self->path, &db, SQLITE_OPEN_READONLY, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_prepare_v2(db, sql, -1, &rows, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_step(rows), SQLITE_ROW);
    const char *text = (const char *)sqlite3_column_text(rows, 0);
    assert_string_equal(text ? text : "NULL", value);
    sqlite3_finalize(rows);
    assert_int_equal(sqlite3_close(db), SQLITE_OK);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
#endif
