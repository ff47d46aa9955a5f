/*  store_inside.h - what the files of the store share.  Nobody else includes it.

    The connection belongs to the thread of the store's owner, except while it is lent to the
    helper for a checkpoint: store_take() gets it back. */
#ifndef RAYC_STORE_INSIDE_H
#define RAYC_STORE_INSIDE_H
#include <pthread.h>
#include <sqlite3.h>
#include <stdatomic.h>
#include "head/store.h"

enum { ROW_COLS_MAX = 24, WAL_BYTES_MAX = 32 << 20 };

/*  A row kind's statement, and what is bound to it now: only what differs from the row before is
    bound again. */
struct row_statement {
    sqlite3_stmt *statement;
    const struct col *cols;
    uint32_t col_count;
    uint32_t bound;                /* bit i: parameter i is not NULL */
    uint64_t number[ROW_COLS_MAX]; /* the integer bound to parameter i */
};

enum {
    SQL_BEGIN,
    SQL_COMMIT,
    SQL_ROLLBACK,
    SQL_VERSION,
    SQL_ARGS,
    SQL_RESULT,
    SQL_CHECKPOINT,
    SQL_ENDED,
    SQL_SPEC,
    SQL_JOB,
    SQL_STUDY,
    SQL_FILE,
    SQLS
};

struct store {
    sqlite3 *db;
    char *path; /* NULL: in memory */
    struct row_statement rows[ROW_KINDS];
    sqlite3_stmt *sql[SQLS];
    sqlite3_stmt *lending; /* its row's slices are in the caller's hands; NULL: none */
    uint64_t args_at;      /* while lending SQL_ARGS: the task of its row */
    int64_t data_version;  /* changes when another connection has written */
    uint64_t committed;
    struct histogram commits; /* how long they took */
    _Atomic uint64_t synced;
    uint32_t wal_pages;     /* in the WAL, after the newest commit */
    uint32_t wal_pages_due; /* a checkpoint is due from here on */
    uint32_t page_bytes;

    int wal_fd;
    int event_fd;
    bool running; /* the helper */
    pthread_t helper;
    pthread_mutex_t lock; /* guards all below */
    pthread_cond_t asked;
    pthread_cond_t returned;
    uint64_t sync_wanted;
    bool ending;
    atomic_bool lent; /* the connection: to the helper, for a checkpoint */
};

MUST_CHECK int store_helper_start(struct store *self);
void store_helper_stop(struct store *self); /* everything asked for is done first */
void store_take(struct store *self); /* waits until the connection is not lent, and ends reads */
int store_failed(struct store *self, const char *doing); /* logs SQLite's error; ERR_STORE */

static inline struct slice column_slice(sqlite3_stmt *row, int column)
{
    const void *p = sqlite3_column_blob(row, column);
    return slice_of(p, (size_t)sqlite3_column_bytes(row, column));
}

static inline uint64_t column_u64(sqlite3_stmt *row, int column)
{
    return (uint64_t)sqlite3_column_int64(row, column);
}

static inline uint32_t column_u32(sqlite3_stmt *row, int column)
{
    return (uint32_t)sqlite3_column_int64(row, column);
}
#endif
