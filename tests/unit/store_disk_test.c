/*  store_disk_test.c - what was acknowledged survives; what is not ours, or damaged, is refused. */
#include "tests/unit/store_world.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>

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

static void put_spec_with_files(struct fixture *self)
{
    char program[HASH_TEXT], package[HASH_TEXT];
    memset(program, 'a', HASH_TEXT);
    memset(package, 'b', HASH_TEXT);
    uint8_t bytes[1024];
    struct wire wire = { bytes, 0, sizeof(bytes), false };
    struct rec_package of = { .hash = slice_of(package, HASH_TEXT), .kind = PACKAGE_WORKING_DIR };
    proto_put_record(&wire, REC_PACKAGE, &of);
    struct rec_spec spec = { .kind = SPEC_DRIVER, .program = slice_of(program, HASH_TEXT) };
    spec.packages = wire_list(&wire, 1);
    size_t from = wire.n;
    proto_put_record(&wire, REC_SPEC, &spec);
    PUT(&self->rows, spec_new, .id = 9, .session = 1, .kind = SPEC_DRIVER,
        .record = slice_of(bytes + from, wire.n - from));
    apply(self);
}

/*  What version 1 did not have comes with the first start of a newer head; nothing else changes. */
static void older_schema_is_raised(void **state)
{
    struct fixture *self = *state;
    put_job(self, 3);
    put_spec_with_files(self);
    store_close(&self->store);
    run_sql(
        self,
        "DROP VIEW users; DROP VIEW objects; DROP VIEW actors; DROP TRIGGER session_actors_gone; "
        "DROP TABLE actor;"
        "DROP TABLE actor_cause_name;"
        "ALTER TABLE task DROP COLUMN parent; ALTER TABLE task DROP COLUMN parent_fence;"
        "ALTER TABLE session DROP COLUMN nested; ALTER TABLE session DROP COLUMN refs;"
        "ALTER TABLE session DROP COLUMN root;"
        "DROP TABLE object; DROP TABLE hold; DROP TABLE object_state_name;"
        "DROP TABLE object_reason_name;"
        "DROP VIEW nodes; ALTER TABLE node DROP COLUMN draining;"
        "ALTER TABLE node DROP COLUMN store_bytes; ALTER TABLE node DROP COLUMN store_used;"
        "ALTER TABLE node DROP COLUMN store_spilled; ALTER TABLE node DROP COLUMN labels; ALTER "
        "TABLE node DROP COLUMN objects;"
        "ALTER TABLE node DROP COLUMN drain_ms; ALTER TABLE node DROP COLUMN "
        "drain_until_ms; CREATE VIEW nodes AS SELECT 1;"
        "DROP TRIGGER spec_gone; DROP TABLE spec_file; DROP VIEW "
        "tokens; DROP VIEW audits; DROP VIEW jobs;"
        "DROP VIEW tasks; ALTER TABLE task DROP COLUMN actor; ALTER TABLE session DROP COLUMN high;"
        "DROP TABLE user; DROP TABLE token; DROP TABLE audit; DROP TABLE package;"
        "DROP TABLE role_name; DROP TABLE job_error_name; DROP INDEX job_owner;"
        "ALTER TABLE job DROP COLUMN owner; ALTER TABLE job DROP COLUMN metadata;"
        "ALTER TABLE job DROP COLUMN runtime_env; ALTER TABLE job DROP COLUMN after;"
        "ALTER TABLE job DROP COLUMN waits;"
        "ALTER TABLE job DROP COLUMN error; CREATE VIEW jobs AS SELECT 1; CREATE VIEW "
        "tasks AS SELECT 1;"
        "DROP VIEW studies; DROP VIEW trials; DROP VIEW reports; DROP TABLE study;"
        "DROP TABLE study_file; DROP TABLE trial; DROP TABLE report;"
        "DROP TABLE study_state_name; DROP TABLE trial_state_name;"
        "PRAGMA user_version=1");
    open_store(self);
    expect(self, "SELECT count(*) FROM tasks", "3");
    expect(self, "SELECT count(*) FROM studies", "0");
    expect(self, "SELECT name FROM study_state_name WHERE value=2", "INTERRUPTED");
    expect(self, "SELECT owner FROM job WHERE id=1", "1");
    expect(self, "SELECT group_concat(spec||substr(hash,1,2)||length(hash),' ') FROM spec_file",
           "9aa64 9bb64");
    expect(self, "SELECT count(drain) FROM nodes", "0");
    expect(self, "SELECT count(labels) FROM node", "0");
    expect(self, "SELECT count(*) FROM actors", "0");
    expect(self, "SELECT count(*) FROM objects", "0");
    expect(self, "SELECT count(*) FROM users WHERE object_bytes_max>=0", "0");
    expect(self, "PRAGMA user_version", "19");
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
    assert_int_equal(pwrite(fd, noise, sizeof(noise), file.st_size / 4096 / 2 * 4096),
                     sizeof(noise));
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
    assert_int_equal(
        sqlite3_prepare_v2(db, "SELECT count(*) FROM task WHERE state=2", -1, &count, NULL),
        SQLITE_OK);
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
}

/*  The WAL is taken into the database and begins anew, while the owner goes on. */
static void wal_stays_small(void **state)
{
    struct fixture *self = *state;
    put_job(self, 200);
    static uint8_t output[MIB];
    for (uint64_t i = 1; i <= 200; i++) {
        memset(output, (int)i, sizeof(output));
        PUT(&self->rows, task_done, .id = TASK(i), .attempt = 1,
            .output = slice_of(output, sizeof(output)));
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
        if (store_apply(self->store, &self->rows.batch) != OK ||
            write(told, &i, sizeof(i)) != sizeof(i)) {
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
        while (read(told[0], &last, sizeof(last)) == sizeof(last)) {}
        close(told[0]);
        open_store(self);
        struct slice args, deps;
        for (uint64_t i = 8; i < last * 8 + 8; i++) {
            assert_int_equal(store_task_args(self->store, TASK(i), &args, &deps), OK);
        }
        store_close(&self->store);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(files_are_private),
        TEST(newer_schema_is_refused),
        TEST(older_schema_is_raised),
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
