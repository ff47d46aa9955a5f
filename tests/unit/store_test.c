/*  store_test.c - what is applied is read back; what was acknowledged survives; what is not ours is refused. */
#include "head/store.h"

#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <sqlite3.h>
#include <stdarg.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <cmocka.h>
#include "tests/unit/rows_put.h"

#define TASK(counter) (1ull << TASK_COUNTER_BITS | (counter))

struct fixture {
    char dir[64];
    char path[128];
    struct store *store;
    struct rows rows;
};

static void open_store(struct fixture *self)
{
    struct diag why;
    assert_int_equal(store_open(&self->store, self->path, &why), OK);
}

static int setup(void **state)
{
    struct fixture *self = calloc(1, sizeof(*self));
    folder_new(self->dir);
    snprintf(self->path, sizeof(self->path), "%s/rayc.db", self->dir);
    open_store(self);
    *state = self;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *self = *state;
    store_close(&self->store);
    rows_free(&self->rows);
    folder_remove(self->dir);
    free(self);
    return 0;
}

static void apply(struct fixture *self)
{
    assert_int_equal(store_apply(self->store, &self->rows.batch), OK);
    rows_clear(&self->rows);
}

/*  A job with a session and a spec, and tasks 1..count in state READY. */
static void put_job(struct fixture *self, uint64_t count)
{
    PUT(&self->rows, job_new, .id = 1, .submission = slice_text("rayc_one"), .kind = JOB_ATTACHED, .state = JOB_RUNNING,
        .entrypoint = slice_text("./one"), .created_ms = 1700000000123);
    PUT(&self->rows, session_new, .id = 1, .job = 1);
    PUT(&self->rows, spec_new, .id = 7, .session = 1, .kind = SPEC_FUNCTION, .name = slice_text("square"));
    static uint64_t args[5001];
    for (uint64_t i = 1; i <= count; i++) {
        args[i] = i;
        PUT(&self->rows, task_new, .id = TASK(i), .spec = 7, .state = TASK_READY, .submitted_ms = 1700000000456,
            .args = slice_of(&args[i], sizeof(args[i])));
    }
    apply(self);
}

/*  One value read as text by a connection of its own, as a person would. */
static void expect(struct fixture *self, const char *sql, const char *value)
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

/* --- rows ------------------------------------------------------------------------------------- */

/*  Fills a row with a value of its own for each column. */
static void fill(const struct row_desc *desc, uint8_t *row, char texts[][16])
{
    for (uint16_t i = 0; i < desc->col_count; i++) {
        void *p = row + desc->cols[i].offset;
        snprintf(texts[i], 16, "%u", 1000u + i);
        switch (desc->cols[i].type) {
        case COL_u32:
        case COL_i32:
            *(uint32_t *)p = 1000u + i;
            break;
        case COL_u64:
            *(uint64_t *)p = 1000u + i;
            break;
        case COL_str:
        case COL_bin:
            *(struct slice *)p = slice_text(texts[i]);
            break;
        }
    }
}

/*  Every row that adds to a table has its columns under their names. */
static void rows_arrive(void **state)
{
    struct fixture *self = *state;
    for (int kind = 0; kind < ROW_KINDS; kind++) {
        const struct row_desc *desc = row_desc((enum row_kind)kind);
        char table[32];
        if (kind == ROW_head_start || kind == ROW_task_copy ||
            (sscanf(desc->sql, "INSERT INTO %31[a-z](", table) != 1 &&
             sscanf(desc->sql, "INSERT OR REPLACE INTO %31[a-z](", table) != 1)) {
            continue;
        }
        uint64_t row[64] = { 0 };
        char texts[16][16];
        assert_true(desc->bytes <= sizeof(row));
        fill(desc, (uint8_t *)row, texts);
        rows_put(&self->rows, (enum row_kind)kind, row);
        apply(self);
        for (uint16_t i = 0; i < desc->col_count; i++) {
            char sql[160];
            snprintf(sql, sizeof(sql), "SELECT %s FROM %s WHERE %s=1000", desc->cols[i].name, table, desc->cols[0].name);
            expect(self, sql, texts[i]);
        }
    }
}

/*  Columns that differ from the row before, become NULL, and come back. */
static void rows_bind_what_changes(void **state)
{
    struct fixture *self = *state;
    put_job(self, 3);
    for (uint64_t i = 1; i <= 3; i++) {
        PUT(&self->rows, task_done, .id = TASK(i), .attempt = (uint32_t)i, .node = 1,
            .result = i == 2 ? slice_of(NULL, 0) : slice_text("value"), .text = slice_text(i == 2 ? "text" : ""));
    }
    apply(self);
    expect(self, "SELECT group_concat(coalesce(result,'-')||attempt||coalesce(text,'-'),' ') FROM task",
           "value1- -2text value3-");
}

static void job_takes_its_rows_along(void **state)
{
    struct fixture *self = *state;
    put_job(self, 2);
    PUT(&self->rows, attempt_end, .task = TASK(1), .attempt = 1, .node = 1, .outcome = slice_text("EXIT"));
    PUT(&self->rows, job_delete, .id = 1);
    PUT(&self->rows, task_delete, .first = TASK(0), .last = TASK(TASK_COUNTER_MAX));
    apply(self);
    expect(self, "SELECT (SELECT count(*) FROM session)+(SELECT count(*) FROM spec)+(SELECT count(*) FROM attempt)"
                 "+(SELECT count(*) FROM task)", "0");
}

static void failure_writes_nothing(void **state)
{
    struct fixture *self = *state;
    put_job(self, 0);
    uint64_t before = store_committed(self->store);
    PUT(&self->rows, session_new, .id = 2, .job = 1);
    PUT(&self->rows, session_new, .id = 1, .job = 1);
    assert_int_equal(store_apply(self->store, &self->rows.batch), ERR_STORE);
    assert_int_equal(store_committed(self->store), before);
    expect(self, "SELECT count(*) FROM session", "1");
}

/* --- views ------------------------------------------------------------------------------------ */

static void views_use_names(void **state)
{
    struct fixture *self = *state;
    put_job(self, 2);
    PUT(&self->rows, task_failed, .id = TASK(2), .attempt = 1, .node = 3, .started_ms = 1700000001000,
        .ended_ms = 1700000002000, .failure = FAILURE_WORKER_DIED, .status = -9, .text = slice_text("killed by signal 9"));
    PUT(&self->rows, node_new, .id = 3, .name = slice_text("here"), .joined_ms = 1700000000000);
    PUT(&self->rows, node_state, .id = 3, .state = NODE_SUSPECT);
    PUT(&self->rows, event, .at_ms = 1, .kind = slice_text("node.suspect"), .node = 3);
    apply(self);
    expect(self, "SELECT status||' '||job_id||' '||created FROM jobs", "RUNNING 00000001 2023-11-14T22:13:20.123Z");
    expect(self, "SELECT state||' '||func_or_class_name||' '||type FROM tasks WHERE task_id='0000010000000001'",
           "PENDING_NODE_ASSIGNMENT square NORMAL_TASK");
    expect(self, "SELECT state||' '||error_type||' '||signal||' '||node_id||' '||error_message FROM tasks WHERE signal>0",
           "FAILED WORKER_DIED 9 3 killed by signal 9");
    expect(self, "SELECT outcome||' '||attempt||' '||end_time FROM attempts", "SIGNAL 1 2023-11-14T22:13:22.000Z");
    expect(self, "SELECT name||' '||state FROM nodes", "here SUSPECT");
    expect(self, "SELECT kind||' '||node_id||coalesce(job_id,'-')||coalesce(task_id,'-') FROM events", "node.suspect 3--");
}

/*  A lease covers a run of tasks; a task's fence voids the tokens up to it. */
static void views_know_leases(void **state)
{
    struct fixture *self = *state;
    put_job(self, 5);
    PUT(&self->rows, lease_new, .token = 100, .node = 4, .first = TASK(2), .count = 3);
    PUT(&self->rows, task_again, .id = TASK(3), .attempt = 2, .fence = 101, .charged = 1);
    PUT(&self->rows, task_running, .id = TASK(4), .node = 4, .started_ms = 5);
    apply(self);
    const char *states = "SELECT group_concat(substr(state,1,1)||coalesce(node_id,'-'),' ') FROM tasks";
    expect(self, states, "P- S4 P- R4 P-");
    PUT(&self->rows, lease_new, .token = 200, .node = 6, .first = TASK(3), .count = 1);
    apply(self);
    expect(self, states, "P- S4 S6 R4 P-");
    PUT(&self->rows, lease_end, .token = 100);
    apply(self);
    expect(self, states, "P- P- S6 R4 P-");
}

static void old_events_go(void **state)
{
    struct fixture *self = *state;
    for (int i = 0; i < 102400; i++) {
        PUT(&self->rows, event, .at_ms = 1, .kind = slice_text("test"));
    }
    apply(self);
    expect(self, "SELECT min(id)||' '||max(id) FROM event", "2401 102400");
}

/* --- restore ---------------------------------------------------------------------------------- */

struct seen {
    char text[1024];
    size_t n;
};

static void see(void *context, const struct restored *row)
{
    struct seen *self = context;
    char *to = self->text + self->n;
    size_t room = sizeof(self->text) - self->n;
    int n = 0;
    switch (row->table) {
    case RESTORE_EPOCH:
        n = snprintf(to, room, "E%llu,%llu ", (unsigned long long)row->epoch, (unsigned long long)row->node_last);
        break;
    case RESTORE_JOB:
        n = snprintf(to, room, "J%llu,%u,%.*s ", (unsigned long long)row->job.id, row->job.state,
                     (int)row->job.submission.n, (const char *)row->job.submission.p);
        break;
    case RESTORE_SESSION:
        n = snprintf(to, room, "S%llu,%llu,%llu,%u ", (unsigned long long)row->session.id,
                     (unsigned long long)row->session.low, (unsigned long long)row->session.last, row->session.closed);
        break;
    case RESTORE_SPEC:
        n = snprintf(to, room, "C%llu ", (unsigned long long)row->spec.id);
        break;
    case RESTORE_NODE:
        n = snprintf(to, room, "N%llu,%u ", (unsigned long long)row->node.id, row->node.dead);
        break;
    case RESTORE_TASK:
        n = snprintf(to, room, "T%llu,%u,%u,%llu ", (unsigned long long)(row->task.id & TASK_COUNTER_MAX),
                     row->task.state, row->task.attempt, (unsigned long long)row->task.fence);
        break;
    case RESTORE_LEASE:
        n = snprintf(to, room, "L%llu,%llu ", (unsigned long long)row->lease.token, (unsigned long long)row->lease.count);
        break;
    }
    self->n += (size_t)n;
}

static void restore_gives_what_is_unfinished(void **state)
{
    struct fixture *self = *state;
    put_job(self, 5);
    PUT(&self->rows, head_start, .epoch = 3);
    PUT(&self->rows, session_low, .id = 1, .low = 2);
    PUT(&self->rows, task_done, .id = TASK(1), .attempt = 1);
    PUT(&self->rows, task_again, .id = TASK(3), .attempt = 2, .fence = 9);
    PUT(&self->rows, task_done, .id = TASK(5), .attempt = 1);
    PUT(&self->rows, job_new, .id = 2, .submission = slice_text("rayc_two"), .state = JOB_SUCCEEDED);
    PUT(&self->rows, session_new, .id = 2, .job = 2);
    PUT(&self->rows, session_end, .id = 2);
    PUT(&self->rows, task_new, .id = 2ull << TASK_COUNTER_BITS | 1, .spec = 7, .state = TASK_READY);
    PUT(&self->rows, node_new, .id = 1, .name = slice_text("a"));
    PUT(&self->rows, node_new, .id = 2, .name = slice_text("b"));
    PUT(&self->rows, node_new, .id = 3, .name = slice_text("c"));
    PUT(&self->rows, node_state, .id = 2, .state = NODE_DEAD);
    PUT(&self->rows, node_state, .id = 3, .state = NODE_DEAD);
    PUT(&self->rows, lease_new, .token = 50, .node = 3, .first = TASK(2), .count = 2);
    apply(self);
    store_close(&self->store);
    open_store(self);
    struct seen seen = { .n = 0 };
    assert_int_equal(store_restore(self->store, see, &seen), OK);
    assert_string_equal(seen.text, "E3,3 J1,2,rayc_one J2,3,rayc_two S1,2,5,0 S2,0,1,1 C7 N1,0 N3,1 "
                                   "T2,2,0,0 T3,2,2,9 T4,2,0,0 L50,2 ");
}

/* --- reads ------------------------------------------------------------------------------------ */

static void args_are_read_in_any_order(void **state)
{
    struct fixture *self = *state;
    put_job(self, 40);
    PUT(&self->rows, task_delete, .first = TASK(20), .last = TASK(29));
    apply(self);
    static const uint64_t asked[] = { 1, 2, 3, 3, 5, 18, 19, 30, 31, 4, 40, 1 };
    struct slice args, deps;
    for (size_t i = 0; i < COUNT(asked); i++) {
        assert_int_equal(store_task_args(self->store, TASK(asked[i]), &args, &deps), OK);
        assert_memory_equal(args.p, &asked[i], sizeof(asked[i]));
        assert_int_equal(deps.n, 0);
    }
    assert_int_equal(store_task_args(self->store, TASK(19), &args, &deps), OK);
    assert_int_equal(store_task_args(self->store, TASK(20), &args, &deps), ERR_NOT_FOUND);
    assert_int_equal(store_task_args(self->store, TASK(30), &args, &deps), OK);
    assert_int_equal(store_task_args(self->store, TASK(41), &args, &deps), ERR_NOT_FOUND);
    PUT(&self->rows, task_delete, .first = TASK(31), .last = TASK(31));
    assert_int_equal(store_task_args(self->store, TASK(30), &args, &deps), OK);
    apply(self); /* ends the read that was open */
    assert_int_equal(store_task_args(self->store, TASK(31), &args, &deps), ERR_NOT_FOUND);
}

static void results_are_of_ended_tasks(void **state)
{
    struct fixture *self = *state;
    put_job(self, 3);
    PUT(&self->rows, task_done, .id = TASK(1), .attempt = 2, .result = slice_text("nine"));
    PUT(&self->rows, task_failed, .id = TASK(2), .attempt = 1, .failure = FAILURE_APP, .status = 42, .text = slice_text("no"));
    apply(self);
    uint32_t ended;
    uint64_t spec;
    struct rec_result result;
    assert_int_equal(store_task_result(self->store, TASK(1), &ended, &result), OK);
    assert_int_equal(ended, TASK_FINISHED);
    assert_true(slice_same(result.value, slice_text("nine")) && result.attempt == 2 && result.failure == 0);
    assert_int_equal(store_task_result(self->store, TASK(2), &ended, &result), OK);
    assert_int_equal(ended, TASK_FAILED);
    assert_true(slice_same(result.text, slice_text("no")) && result.status == 42 && result.failure == FAILURE_APP);
    assert_int_equal(store_task_result(self->store, TASK(3), &ended, &result), OK);
    assert_int_equal(ended, 0);
    assert_int_equal(store_task_ended(self->store, TASK(2), &ended, &spec), OK);
    assert_true(ended == TASK_FAILED && spec == 7);
    assert_int_equal(store_task_ended(self->store, TASK(9), &ended, &spec), OK);
    assert_true(ended == 0 && spec == 0);
}

static void specs_are_decoded(void **state)
{
    struct fixture *self = *state;
    put_job(self, 0);
    uint8_t bytes[256];
    struct wire wire = { bytes, 0, sizeof(bytes), false };
    struct rec_spec spec = { .index = 4, .kind = SPEC_COMMAND, .name = slice_text("make"), .run_ms_max = 99 };
    proto_put_record(&wire, REC_SPEC, &spec);
    PUT(&self->rows, spec_new, .id = 8, .session = 1, .idx = 4, .record = slice_of(bytes, wire.n));
    apply(self);
    uint64_t job;
    struct slice submission;
    assert_int_equal(store_spec(self->store, 8, &spec, &job, &submission), OK);
    assert_true(spec.run_ms_max == 99 && slice_same(spec.name, slice_text("make")) && job == 1);
    assert_true(slice_same(submission, slice_text("rayc_one")));
    assert_int_equal(store_spec(self->store, 9, &spec, &job, &submission), ERR_NOT_FOUND);
}

/* --- files ------------------------------------------------------------------------------------ */

static void files_are_private(void **state)
{
    struct fixture *self = *state;
    struct stat file;
    char wal[160];
    snprintf(wal, sizeof(wal), "%s-wal", self->path);
    assert_int_equal(stat(self->path, &file), 0);
    assert_int_equal(file.st_mode & 0777, 0600);
    assert_int_equal(stat(wal, &file), 0);
    assert_int_equal(file.st_mode & 0777, 0600);
}

/*  Opens `path`, which must be refused. */
static void refuse(struct fixture *self, int code, const char *words)
{
    struct diag why;
    store_close(&self->store);
    assert_int_equal(store_open(&self->store, self->path, &why), code);
    assert_null(self->store);
    assert_non_null(strstr(why.text, words));
}

static void run_sql(struct fixture *self, const char *sql)
{
    sqlite3 *db = NULL;
    assert_int_equal(sqlite3_open(self->path, &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_close(db), SQLITE_OK);
}

static void newer_schema_is_refused(void **state)
{
    struct fixture *self = *state;
    store_close(&self->store);
    run_sql(self, "PRAGMA user_version=99");
    refuse(self, ERR_STORE_NEWER, "schema 99");
}

static void other_programs_files_are_refused(void **state)
{
    struct fixture *self = *state;
    store_close(&self->store);
    unlink(self->path);
    run_sql(self, "CREATE TABLE theirs(x)");
    refuse(self, ERR_STORE, "another program");
}

static void garbage_is_refused(void **state)
{
    struct fixture *self = *state;
    store_close(&self->store);
    FILE *file = fopen(self->path, "w");
    for (int i = 0; i < 1000; i++) {
        fputs("this is no database. ", file);
    }
    fclose(file);
    refuse(self, ERR_STORE, "not a database");
}

static void damage_is_found(void **state)
{
    struct fixture *self = *state;
    put_job(self, 5000);
    store_close(&self->store);
    int fd = open(self->path, O_WRONLY | O_CLOEXEC);
    struct stat file;
    assert_int_equal(fstat(fd, &file), 0);
    uint8_t noise[4096];
    memset(noise, 0x5A, sizeof(noise));
    assert_int_equal(pwrite(fd, noise, sizeof(noise), file.st_size / 4096 / 2 * 4096), sizeof(noise));
    close(fd);
    refuse(self, ERR_STORE, "damaged");
}

static void truncation_is_found(void **state)
{
    struct fixture *self = *state;
    put_job(self, 5000);
    store_close(&self->store);
    assert_int_equal(truncate(self->path, 5 * 4096), 0);
    refuse(self, ERR_STORE, "the database");
}

/* --- other connections ------------------------------------------------------------------------ */

static void foreign_writer_is_noticed(void **state)
{
    struct fixture *self = *state;
    put_job(self, 1);
    run_sql(self, "PRAGMA wal_autocheckpoint=0; UPDATE task SET state=6");
    PUT(&self->rows, task_done, .id = TASK(1));
    assert_int_equal(store_apply(self->store, &self->rows.batch), ERR_STORE);
}

static void reader_sees_one_moment(void **state)
{
    struct fixture *self = *state;
    put_job(self, 10);
    sqlite3 *db = NULL;
    sqlite3_stmt *count = NULL;
    assert_int_equal(sqlite3_open_v2(self->path, &db, SQLITE_OPEN_READONLY, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, "BEGIN", NULL, NULL, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_prepare_v2(db, "SELECT count(*) FROM task WHERE state=2", -1, &count, NULL), SQLITE_OK);
    for (uint64_t i = 1; i <= 10; i++) {
        assert_int_equal(sqlite3_step(count), SQLITE_ROW);
        assert_int_equal(sqlite3_column_int(count, 0), 10);
        sqlite3_reset(count);
        PUT(&self->rows, task_done, .id = TASK(i), .attempt = 1);
        apply(self);
        store_checkpoint_if_due(self->store);
    }
    assert_int_equal(sqlite3_exec(db, "COMMIT", NULL, NULL, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_step(count), SQLITE_ROW);
    assert_int_equal(sqlite3_column_int(count, 0), 0);
    sqlite3_finalize(count);
    assert_int_equal(sqlite3_close(db), SQLITE_OK);
}

/* --- disk ------------------------------------------------------------------------------------- */

static void sync_marks_advance(void **state)
{
    struct fixture *self = *state;
    assert_int_equal(store_synced(self->store), 0);
    put_job(self, 10);
    assert_int_equal(store_committed(self->store), 1);
    store_sync(self->store);
    struct pollfd ready = { store_fd(self->store), POLLIN, 0 };
    assert_int_equal(poll(&ready, 1, 60000), 1);
    assert_int_equal(store_synced(self->store), 1);
    apply(self); /* nothing: no commit */
    assert_int_equal(store_committed(self->store), 1);
}

static void memory_counts_as_synced(void **state)
{
    struct fixture *self = *state;
    struct diag why;
    store_close(&self->store);
    assert_int_equal(store_open(&self->store, NULL, &why), OK);
    assert_null(store_path(self->store));
    assert_int_equal(store_fd(self->store), -1);
    put_job(self, 10);
    assert_int_equal(store_synced(self->store), 0);
    store_sync(self->store);
    assert_int_equal(store_synced(self->store), 1);
    store_checkpoint_if_due(self->store);
    struct seen seen = { .n = 0 };
    assert_int_equal(store_restore(self->store, see, &seen), OK);
}

/*  The WAL is taken into the database and begins anew, while the owner goes on. */
static void wal_stays_small(void **state)
{
    struct fixture *self = *state;
    put_job(self, 200);
    static uint8_t output[MIB];
    for (uint64_t i = 1; i <= 200; i++) {
        memset(output, (int)i, sizeof(output));
        PUT(&self->rows, task_done, .id = TASK(i), .attempt = 1, .output = slice_of(output, sizeof(output)));
        apply(self);
        store_sync(self->store);
        store_checkpoint_if_due(self->store);
    }
    char wal[160];
    struct stat file;
    snprintf(wal, sizeof(wal), "%s-wal", self->path);
    assert_int_equal(stat(wal, &file), 0);
    assert_true(file.st_size < 80 * MIB);
    store_close(&self->store);
    assert_int_equal(stat(wal, &file), -1);
    expect(self, "SELECT sum(length(output)) FROM task", "209715200");
}

/*  Commits until it is killed, telling the number of each. */
_Noreturn static void commit_for_ever(struct fixture *self, int told)
{
    open_store(self);
    for (uint64_t i = 1;; i++) {
        for (uint64_t k = 0; k < 8; k++) {
            PUT(&self->rows, task_new, .id = TASK(i * 8 + k), .spec = 7, .state = TASK_READY);
        }
        if (store_apply(self->store, &self->rows.batch) != OK || write(told, &i, sizeof(i)) != sizeof(i)) {
            _exit(1);
        }
        rows_clear(&self->rows);
        store_sync(self->store);
        store_checkpoint_if_due(self->store);
    }
}

static void kill_loses_nothing_acknowledged(void **state)
{
    struct fixture *self = *state;
    put_job(self, 0);
    store_close(&self->store);
    uint64_t last = 0;
    for (int round = 0; round < 8; round++) {
        unlink(self->path);
        int told[2];
        assert_int_equal(pipe(told), 0);
        pid_t child = fork();
        assert_true(child >= 0);
        if (child == 0) {
            close(told[0]);
            commit_for_ever(self, told[1]);
        }
        close(told[1]);
        for (int i = 0; i < 50 + round * 37; i++) {
            assert_int_equal(read(told[0], &last, sizeof(last)), sizeof(last));
        }
        assert_int_equal(kill(child, SIGKILL), 0);
        assert_int_equal(waitpid(child, NULL, 0), child);
        while (read(told[0], &last, sizeof(last)) == sizeof(last)) {
        }
        close(told[0]);
        open_store(self);
        struct slice args, deps;
        for (uint64_t i = 8; i < last * 8 + 8; i++) {
            assert_int_equal(store_task_args(self->store, TASK(i), &args, &deps), OK);
        }
        store_close(&self->store);
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(rows_arrive),
        TEST(rows_bind_what_changes),
        TEST(job_takes_its_rows_along),
        TEST(failure_writes_nothing),
        TEST(views_use_names),
        TEST(views_know_leases),
        TEST(old_events_go),
        TEST(restore_gives_what_is_unfinished),
        TEST(args_are_read_in_any_order),
        TEST(results_are_of_ended_tasks),
        TEST(specs_are_decoded),
        TEST(files_are_private),
        TEST(newer_schema_is_refused),
        TEST(other_programs_files_are_refused),
        TEST(garbage_is_refused),
        TEST(damage_is_found),
        TEST(truncation_is_found),
        TEST(foreign_writer_is_noticed),
        TEST(reader_sees_one_moment),
        TEST(sync_marks_advance),
        TEST(memory_counts_as_synced),
        TEST(wal_stays_small),
        TEST(kill_loses_nothing_acknowledged),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
