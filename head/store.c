/*  store.c - opens the database, writes batches of rows, reads what is not in memory.

    WAL mode with synchronous=NORMAL: a commit only writes to the WAL (the helper syncs it,
    store_sync.c); a checkpoint syncs the WAL before and the database after.  Automatic
    checkpoints are off; this connection is the only one that checkpoints, when
    store_checkpoint_if_due() says so and when it closes. Opening checks the whole file if that
    takes well below a second; of a larger one, pages are checked as they are read. */
#include "head/store_inside.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>
#include "common/clock.h"
#include "common/file.h"
#include "common/log.h"
#include "head/schema.h"

enum { CHECKED_BYTES_MAX = 64 << 20, BUSY_MS = 5000, ARGS_STEPS_MAX = 8 };

static const char *const sqls[SQLS] = {
    [SQL_BEGIN] = "BEGIN IMMEDIATE",
    [SQL_COMMIT] = "COMMIT",
    [SQL_ROLLBACK] = "ROLLBACK",
    [SQL_VERSION] = "PRAGMA data_version",
    [SQL_ARGS] = "SELECT id,args,deps FROM task WHERE id>=?1",
    [SQL_CHECKPOINT] = "SELECT checkpoint FROM actor WHERE id=?1",
    [SQL_RESULT] = "SELECT state,failure,status,attempt,result,text FROM task"
                   " WHERE id=?1 AND state IN (5,6)",
    [SQL_ENDED] = "SELECT state,spec,attempt,charged,length(args),deps,cancelled FROM task"
                  " WHERE id=?1 AND state IN (5,6)",
    [SQL_SPEC] = "SELECT c.record,s.job,j.submission FROM spec c JOIN session s ON s.id=c.session"
                 " JOIN job j ON j.id=s.job WHERE c.id=?1",
    [SQL_JOB] = "SELECT kind,durability,detached,entrypoint,name,digest,array_first,array_last,"
                "metadata,runtime_env,"
                "(SELECT c.record FROM session s JOIN spec c ON c.session=s.id WHERE s.job=j.id"
                " ORDER BY c.id LIMIT 1) FROM job j WHERE id=?1",
    [SQL_FILE] = "SELECT 1 FROM spec_file WHERE hash=?1"
                 " UNION ALL SELECT 1 FROM package WHERE hash=?1",
    [SQL_STUDY] = "SELECT s.seed,f.definition,f.settings,"
                  "(SELECT count(*) FROM trial WHERE study=s.id),"
                  "(SELECT count(*) FROM report WHERE study=s.id)"
                  " FROM study s LEFT JOIN study_file f ON f.study=s.id WHERE s.id=?1",
};

int store_failed(struct store *self, const char *doing)
{
    log_error("store.failed", "doing=%s path=%s code=%d error=%s", doing,
              self->path ? self->path : ":memory:", sqlite3_extended_errcode(self->db),
              sqlite3_errmsg(self->db));
    return ERR_STORE;
}

/* --- opening ---------------------------------------------------------------------------------- */

static int explain(struct store *self, const char *doing, struct diag *why)
{
    snprintf(why->text, sizeof(why->text), "the database %s: %s%s", doing, sqlite3_errmsg(self->db),
             schema_advice(self->db));
    return ERR_STORE;
}

static int pragma_text(struct store *self, const char *sql, char *out, size_t capacity)
{
    sqlite3_stmt *query = NULL;
    int rc = ERR_STORE;
    if (sqlite3_prepare_v2(self->db, sql, -1, &query, NULL) == SQLITE_OK &&
        sqlite3_step(query) == SQLITE_ROW) {
        slice_copy_text(column_slice(query, 0), out, capacity);
        rc = OK;
    }
    sqlite3_finalize(query);
    return rc;
}

/*  The file is made by us, for its mode: SQLite gives the WAL the mode of the database. */
static int open_file(struct store *self, const char *path, struct diag *why)
{
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0 || fchmod(fd, 0600) != 0) {
        snprintf(why->text, sizeof(why->text), "the database cannot be opened: %s",
                 strerror(errno));
        if (fd >= 0) {
            close(fd);
        }
        return ERR_STORE;
    }
    close(fd);
    self->path = strdup(path);
    return self->path != NULL ? OK : ERR_MEMORY;
}

static int open_database(struct store *self, struct diag *why)
{
    static const char settings[] =
        "PRAGMA page_size=4096;"
        "PRAGMA cache_spill=OFF;"
        "PRAGMA temp_store=MEMORY;"
        "PRAGMA foreign_keys=OFF;"
        "PRAGMA trusted_schema=OFF;"
        "PRAGMA secure_delete=OFF;"
        "PRAGMA journal_size_limit=67108864;" /* what a pinned WAL leaves on the disk afterwards */
        "PRAGMA wal_autocheckpoint=0;"
        "PRAGMA synchronous=NORMAL;";
    const int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX;
    if (sqlite3_open_v2(self->path ? self->path : ":memory:", &self->db, flags, NULL) !=
            SQLITE_OK ||
        sqlite3_busy_timeout(self->db, BUSY_MS) != SQLITE_OK ||
        sqlite3_exec(self->db, settings, NULL, NULL, NULL) != SQLITE_OK) {
        return explain(self, "cannot be opened", why);
    }
    char mode[16] = "";
    if (pragma_text(self, "PRAGMA journal_mode=WAL", mode, sizeof(mode)) != OK) {
        return explain(self, "cannot be opened", why);
    }
    if (self->path != NULL && strcmp(mode, "wal") != 0) {
        snprintf(why->text, sizeof(why->text),
                 "the database cannot use a write-ahead log here (a network file system?)");
        return ERR_STORE;
    }
    return OK;
}

static int check_file(struct store *self, struct diag *why)
{
    struct stat file;
    if (self->path == NULL || stat(self->path, &file) != 0 || file.st_size > CHECKED_BYTES_MAX) {
        return OK;
    }
    char found[120] = "";
    if (pragma_text(self, "PRAGMA quick_check(1)", found, sizeof(found)) != OK) {
        return explain(self, "cannot be checked", why);
    }
    if (strcmp(found, "ok") != 0) {
        snprintf(why->text, sizeof(why->text), "the database is damaged: %s", found);
        return ERR_STORE;
    }
    sqlite3_db_release_memory(self->db);
    return OK;
}

/*  Of pages, in KiB; it grows with use.  Set after the check, which would fill it for nothing. */
static int open_cache(struct store *self, struct diag *why)
{
    static const char setting[] = "PRAGMA cache_size=-16384";
    return sqlite3_exec(self->db, setting, NULL, NULL, NULL) == SQLITE_OK
               ? OK
               : explain(self, "cannot be opened", why);
}

static int prepare(struct store *self, const char *sql, sqlite3_stmt **out)
{
    return sqlite3_prepare_v3(self->db, sql, -1, SQLITE_PREPARE_PERSISTENT, out, NULL) == SQLITE_OK
               ? OK
               : ERR_STORE;
}

static int prepare_all(struct store *self, struct diag *why)
{
    for (int i = 0; i < SQLS; i++) {
        if (prepare(self, sqls[i], &self->sql[i]) != OK) {
            return explain(self, "has another schema", why);
        }
    }
    for (int i = 0; i < ROW_KINDS; i++) {
        const struct row_desc *desc = row_desc((enum row_kind)i);
        ensure(desc->col_count <= ROW_COLS_MAX);
        self->rows[i].cols = desc->cols;
        self->rows[i].col_count = desc->col_count;
        if (prepare(self, desc->sql, &self->rows[i].statement) != OK) {
            return explain(self, "has another schema", why);
        }
    }
    return OK;
}

/*  After each commit of this connection. */
static int on_commit(void *context, sqlite3 *db, const char *schema, int pages)
{
    (void)db;
    (void)schema;
    struct store *self = context;
    if ((uint32_t)pages < self->wal_pages) { /* it began anew */
        self->wal_pages_due = WAL_BYTES_MAX / self->page_bytes;
    }
    self->wal_pages = (uint32_t)pages;
    return SQLITE_OK;
}

/*  What only a file needs: its WAL, open for the helper, and its folder on the disk. */
static int open_wal(struct store *self, struct diag *why)
{
    char path[PATH_BYTES];
    snprintf(path, sizeof(path), "%s-wal", self->path);
    self->wal_fd = open(path, O_RDONLY | O_CLOEXEC);
    snprintf(path, sizeof(path), "%s", self->path);
    int dir = open(dirname(path), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    bool ready = self->wal_fd >= 0 && dir >= 0 && fsync(dir) == 0;
    if (!ready) {
        snprintf(why->text, sizeof(why->text), "the database cannot be synced: %s",
                 strerror(errno));
    }
    if (dir >= 0) {
        close(dir);
    }
    sqlite3_wal_hook(self->db, on_commit, self);
    return ready ? store_helper_start(self) : ERR_STORE;
}

static int data_version(struct store *self, int64_t *out)
{
    sqlite3_stmt *query = self->sql[SQL_VERSION];
    bool read = sqlite3_step(query) == SQLITE_ROW;
    *out = sqlite3_column_int64(query, 0);
    sqlite3_reset(query);
    return read ? OK : ERR_STORE;
}

static int open_all(struct store *self, const char *path, struct diag *why)
{
    int rc = path != NULL ? open_file(self, path, why) : OK;
    if (rc == OK) {
        rc = open_database(self, why);
    }
    if (rc == OK) {
        rc = check_file(self, why);
    }
    if (rc == OK) {
        rc = open_cache(self, why);
    }
    if (rc == OK) {
        rc = schema_open(self->db, why);
    }
    if (rc == OK) {
        rc = prepare_all(self, why);
    }
    if (rc == OK && data_version(self, &self->data_version) != OK) {
        rc = explain(self, "cannot be read", why);
    }
    if (rc == OK && path != NULL) {
        rc = open_wal(self, why);
    }
    return rc;
}

int store_open(struct store **out, const char *path, struct diag *why)
{
    sqlite3_config(SQLITE_CONFIG_MEMSTATUS,
                   0); /* spares a mutex; refused, and not needed, the second time */
    *why = (struct diag){ 0 };
    *out = NULL;
    struct store *self = calloc(1, sizeof(*self));
    if (self == NULL) {
        return ERR_MEMORY;
    }
    self->wal_fd = -1;
    self->event_fd = -1;
    self->page_bytes = 4096;
    self->wal_pages_due = WAL_BYTES_MAX / self->page_bytes;
    pthread_mutex_init(&self->lock, NULL);
    pthread_cond_init(&self->asked, NULL);
    pthread_cond_init(&self->returned, NULL);
    int rc = open_all(self, path, why);
    if (rc != OK) {
        store_close(&self);
        return rc;
    }
    *out = self;
    return OK;
}

void store_close(struct store **store)
{
    struct store *self = *store;
    if (self == NULL) {
        return;
    }
    store_helper_stop(self);
    for (int i = 0; i < SQLS; i++) {
        sqlite3_finalize(self->sql[i]);
    }
    for (int i = 0; i < ROW_KINDS; i++) {
        sqlite3_finalize(self->rows[i].statement);
    }
    if (sqlite3_close(self->db) != SQLITE_OK) { /* the last connection checkpoints, and syncs */
        (void)store_failed(self, "close");
    }
    if (self->wal_fd >= 0) {
        close(self->wal_fd);
    }
    if (self->event_fd >= 0) {
        close(self->event_fd);
    }
    pthread_cond_destroy(&self->asked);
    pthread_cond_destroy(&self->returned);
    pthread_mutex_destroy(&self->lock);
    free(self->path);
    free(self);
    *store = NULL;
}

const char *store_path(const struct store *self)
{
    return self->path;
}

const struct histogram *store_commits(const struct store *self)
{
    return &self->commits;
}

/* --- writing ---------------------------------------------------------------------------------- */

static int bind_number(struct row_statement *self, uint32_t column, uint64_t number)
{
    uint32_t bit = 1u << column;
    if ((self->bound & bit) && self->number[column] == number) {
        return SQLITE_OK;
    }
    self->bound |= bit;
    self->number[column] = number;
    return sqlite3_bind_int64(self->statement, (int)column + 1, (int64_t)number);
}

static int bind_bytes(struct row_statement *self, uint32_t column, const struct slice *bytes,
                      bool text)
{
    uint32_t bit = 1u << column;
    int place = (int)column + 1;
    if (bytes->n > 0) {
        self->bound |= bit;
        return text ? sqlite3_bind_text(self->statement, place, (const char *)bytes->p,
                                        (int)bytes->n, SQLITE_STATIC)
                    : sqlite3_bind_blob(self->statement, place, bytes->p, (int)bytes->n,
                                        SQLITE_STATIC);
    }
    if (!(self->bound & bit)) {
        return SQLITE_OK;
    }
    self->bound &= ~bit;
    return sqlite3_bind_null(self->statement, place);
}

static int bind_row(struct row_statement *self, const void *row)
{
    int rc = SQLITE_OK;
    for (uint32_t i = 0; i < self->col_count; i++) {
        const void *p = (const uint8_t *)row + self->cols[i].offset;
        switch (self->cols[i].type) {
        case COL_u32:
            rc |= bind_number(self, i, *(const uint32_t *)p);
            break;
        case COL_u64:
            rc |= bind_number(self, i, *(const uint64_t *)p);
            break;
        case COL_i32:
            rc |= bind_number(self, i, (uint64_t)(int64_t) * (const int32_t *)p);
            break;
        case COL_f64: /* SQLite makes NaN NULL */
            rc |= sqlite3_bind_double(self->statement, (int)i + 1, *(const double *)p);
            break;
        case COL_str:
            rc |= bind_bytes(self, i, p, true);
            break;
        case COL_bin:
            rc |= bind_bytes(self, i, p, false);
            break;
        }
    }
    return rc;
}

static bool run(sqlite3_stmt *statement)
{
    int rc = sqlite3_step(statement);
    sqlite3_reset(statement);
    return rc == SQLITE_DONE;
}

/*  Every writer but this one is a mistake that could cost commits (store.h): better to end than
    to go on. */
static int begin(struct store *self)
{
    if (!run(self->sql[SQL_BEGIN])) {
        return store_failed(self, "begin");
    }
    int64_t version = 0;
    if (data_version(self, &version) != OK) {
        return store_failed(self, "data_version");
    }
    if (version != self->data_version) {
        log_error("store.foreign_writer", "path=%s: another program has written to the database",
                  self->path);
        return ERR_STORE;
    }
    return OK;
}

static int write_rows(struct store *self, const struct batch *batch)
{
    size_t cursor = 0;
    enum row_kind kind;
    const void *row;
    while (row_next(batch, &cursor, &kind, &row)) {
        struct row_statement *to = &self->rows[kind];
        if (bind_row(to, row) != SQLITE_OK || !run(to->statement)) {
            return store_failed(self, row_desc(kind)->name);
        }
    }
    return OK;
}

int store_apply(struct store *self, const struct batch *batch)
{
    if (batch->row_count == 0) {
        return OK;
    }
    uint64_t begun_us = clock_us();
    store_take(self);
    int rc = begin(self);
    if (rc == OK) {
        rc = write_rows(self, batch);
    }
    if (rc == OK && !run(self->sql[SQL_COMMIT])) {
        rc = store_failed(self, "commit");
    }
    if (rc != OK) {
        (void)run(self->sql[SQL_ROLLBACK]); /* fails if SQLite has rolled back by itself */
        return rc;
    }
    self->committed++;
    histogram_add(&self->commits, clock_us() - begun_us);
    return OK;
}

/* --- reading ---------------------------------------------------------------------------------- */

/*  Steps to the next row of a statement whose slices are then lent. */
static int lend(struct store *self, int sql)
{
    int rc = sqlite3_step(self->sql[sql]);
    if (rc == SQLITE_ROW) {
        self->lending = self->sql[sql];
        return OK;
    }
    rc = rc == SQLITE_DONE ? ERR_NOT_FOUND : store_failed(self, "read");
    sqlite3_reset(self->sql[sql]);
    self->lending = NULL;
    return rc;
}

static int lend_by_id(struct store *self, int sql, uint64_t id)
{
    store_take(self);
    sqlite3_bind_int64(self->sql[sql], 1, (int64_t)id);
    return lend(self, sql);
}

int store_task_args(struct store *self, uint64_t task, struct slice *args, struct slice *deps)
{
    sqlite3_stmt *rows = self->sql[SQL_ARGS];
    int rc = OK;
    if (self->lending != rows || task < self->args_at || task - self->args_at > ARGS_STEPS_MAX) {
        rc = lend_by_id(self, SQL_ARGS, task);
        self->args_at = rc == OK ? column_u64(rows, 0) : 0;
    }
    while (rc == OK && self->args_at < task) {
        rc = lend(self, SQL_ARGS);
        self->args_at = rc == OK ? column_u64(rows, 0) : 0;
    }
    if (rc != OK || self->args_at != task) {
        return rc != OK ? rc : ERR_NOT_FOUND;
    }
    *args = column_slice(rows, 1);
    *deps = column_slice(rows, 2);
    return OK;
}

int store_actor_checkpoint(struct store *self, uint64_t actor, struct slice *out)
{
    int rc = lend_by_id(self, SQL_CHECKPOINT, actor);
    if (rc == OK) {
        *out = column_slice(self->sql[SQL_CHECKPOINT], 0);
    }
    return rc;
}

int store_task_result(struct store *self, uint64_t task, uint32_t *state, struct rec_result *result)
{
    *state = 0;
    *result = (struct rec_result){ .task = task };
    int rc = lend_by_id(self, SQL_RESULT, task);
    if (rc != OK) {
        return rc == ERR_NOT_FOUND ? OK : rc;
    }
    sqlite3_stmt *row = self->sql[SQL_RESULT];
    *state = column_u32(row, 0);
    result->failure = column_u32(row, 1);
    result->status = sqlite3_column_int(row, 2);
    result->attempt = column_u32(row, 3);
    result->value = column_slice(row, 4);
    result->text = column_slice(row, 5);
    return OK;
}

int store_task_ended(struct store *self, uint64_t task, struct event *out)
{
    int rc = lend_by_id(self, SQL_ENDED, task);
    if (rc != OK) {
        return rc == ERR_NOT_FOUND ? OK : rc;
    }
    sqlite3_stmt *row = self->sql[SQL_ENDED];
    out->state = column_u32(row, 0);
    out->spec = column_u64(row, 1);
    out->attempt = column_u32(row, 2);
    out->charged = column_u32(row, 3);
    out->args_bytes = column_u32(row, 4);
    out->deps = column_slice(row, 5);
    out->cancelled = column_u32(row, 6) > 0;
    return OK;
}

int store_spec(struct store *self, uint64_t spec, struct rec_spec *out, uint64_t *job,
               struct slice *submission)
{
    int rc = lend_by_id(self, SQL_SPEC, spec);
    if (rc != OK) {
        return rc;
    }
    sqlite3_stmt *row = self->sql[SQL_SPEC];
    struct list record = { column_slice(row, 0), 1 };
    if (!next_spec(&record, out)) {
        return ERR_STORE;
    }
    *job = column_u64(row, 1);
    *submission = column_slice(row, 2);
    return OK;
}

int store_job_open(struct store *self, uint64_t job, struct msg_job_open *out)
{
    int rc = lend_by_id(self, SQL_JOB, job);
    if (rc != OK) {
        return rc;
    }
    sqlite3_stmt *row = self->sql[SQL_JOB];
    *out = (struct msg_job_open){ .kind = column_u32(row, 0),
                                  .durability = column_u32(row, 1),
                                  .detached = column_u32(row, 2),
                                  .entrypoint = column_slice(row, 3),
                                  .name = column_slice(row, 4),
                                  .digest = column_slice(row, 5),
                                  .array_first = column_u64(row, 6),
                                  .array_last = column_u64(row, 7),
                                  .metadata = column_slice(row, 8),
                                  .runtime_env = column_slice(row, 9) };
    struct slice record = column_slice(row, 10);
    out->specs = (struct list){ record, record.n > 0 };
    return OK;
}

int store_study(struct store *self, uint64_t study, struct msg_study_opened *out)
{
    int rc = lend_by_id(self, SQL_STUDY, study);
    if (rc != OK) {
        return rc;
    }
    sqlite3_stmt *row = self->sql[SQL_STUDY];
    out->seed = column_u64(row, 0);
    out->definition = column_slice(row, 1);
    out->settings = column_slice(row, 2);
    out->trials = column_u64(row, 3);
    out->reports = column_u64(row, 4);
    return OK;
}

int store_file_named(struct store *self, const char *hash, bool *named)
{
    store_take(self);
    sqlite3_bind_text(self->sql[SQL_FILE], 1, hash, -1, SQLITE_TRANSIENT);
    int rc = lend(self, SQL_FILE);
    *named = rc == OK;
    return rc == ERR_NOT_FOUND ? OK : rc;
}
