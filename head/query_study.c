/*  query_study.c - rows of studies, trials and reports, from the database onto the wire. */
#include "head/query_study.h"

#include <math.h>
#include <stdlib.h>
#include "common/log.h"

/*  A row has at most 120 KiB, so a page stays below 8 MiB. */
enum { PAGE_BYTES = 8 * MIB - 256 * 1024, SCRATCH_BYTES = 8 * MIB, FRAME_BYTES = 10 * MIB };

static struct slice bytes_of(sqlite3_stmt *row, int i)
{
    const void *p = sqlite3_column_blob(row, i);
    return slice_of(p, (size_t)sqlite3_column_bytes(row, i));
}

static uint64_t u64_of(sqlite3_stmt *row, int i)
{
    return (uint64_t)sqlite3_column_int64(row, i);
}

static uint32_t u32_of(sqlite3_stmt *row, int i)
{
    return (uint32_t)sqlite3_column_int64(row, i);
}

static double f64_of(sqlite3_stmt *row, int i)
{
    return sqlite3_column_type(row, i) == SQLITE_NULL ? NAN : sqlite3_column_double(row, i);
}

static void put_trial(sqlite3_stmt *row, struct wire *to)
{
    struct rec_trial trial = { .number = u32_of(row, 0),
                               .state = u32_of(row, 1),
                               .pruned = u32_of(row, 2),
                               .given = u32_of(row, 3),
                               .tag = u32_of(row, 4),
                               .run = u32_of(row, 5),
                               .task = u64_of(row, 6),
                               .ended = u64_of(row, 7),
                               .value = f64_of(row, 8),
                               .step = f64_of(row, 9),
                               .created_ms = u64_of(row, 10),
                               .ended_ms = u64_of(row, 11),
                               .point = bytes_of(row, 12),
                               .params = bytes_of(row, 13),
                               .metrics = bytes_of(row, 14),
                               .checkpoint = bytes_of(row, 15),
                               .text = bytes_of(row, 16),
                               .lineage = bytes_of(row, 17) };
    proto_put_record(to, REC_TRIAL, &trial);
}

static void put_report(sqlite3_stmt *row, struct wire *to)
{
    struct rec_report report = { .id = u64_of(row, 0),
                                 .task = u64_of(row, 1),
                                 .token = u64_of(row, 2),
                                 .attempt = u32_of(row, 3),
                                 .number = u32_of(row, 4),
                                 .trial = u32_of(row, 5),
                                 .step = f64_of(row, 6),
                                 .value = f64_of(row, 7),
                                 .checkpoint = bytes_of(row, 8),
                                 .metrics = bytes_of(row, 9),
                                 .at_ms = u64_of(row, 10) };
    proto_put_record(to, REC_REPORT, &report);
}

/*  By STUDY_READ.what.  ?1 is the study, ?2 `after`. */
static const struct read {
    void (*put)(sqlite3_stmt *row, struct wire *to);
    const char *sql;
} reads[] = {
    { NULL, NULL },
    { put_trial,
      "SELECT number,state,pruned,given,tag,run,task,ended,value,step,created_ms,ended_ms,"
      "point,params,metrics,checkpoint,text,lineage FROM trial"
      " WHERE study=?1 AND number>=?2 ORDER BY number" },
    { put_report, "SELECT id,task,token,attempt,number,trial,step,value,checkpoint,metrics,at_ms"
                  " FROM report WHERE study=?1 AND id>?2 ORDER BY id" },
};

static int failed(sqlite3 *db, int rc)
{
    if (rc == SQLITE_INTERRUPT) {
        return ERR_TIMEOUT;
    }
    log_error("query.failed", "code=%d error=\"%s\"", rc, sqlite3_errmsg(db));
    return ERR_STORE;
}

/*  We never write such rows: something else has changed the database. */
static int odd_rows(const struct msg_study_read *ask, const char *why)
{
    log_error("query.odd_rows", "study=%.*s error=\"%s\"", (int)ask->name.n,
              (const char *)ask->name.p, why);
    return ERR_STORE;
}

/*  Steps through `rows` until the page is full; their number in *count. */
static int put_rows(sqlite3 *db, sqlite3_stmt *rows, const struct read *read, struct wire *to,
                    uint32_t *count, uint32_t *more)
{
    int rc;
    while ((rc = sqlite3_step(rows)) == SQLITE_ROW) {
        *more = *count == TRIALS_PER_FRAME_MAX || to->n >= PAGE_BYTES;
        if (*more) {
            return OK;
        }
        read->put(rows, to);
        (*count)++;
    }
    return rc == SQLITE_DONE ? OK : failed(db, rc);
}

static int read_page(sqlite3 *db, const struct msg_study_read *ask, struct wire *elements,
                     struct msg_study_rows *reply)
{
    const struct read *read = &reads[ask->what];
    sqlite3_stmt *rows = NULL;
    uint32_t count = 0;
    int rc = sqlite3_prepare_v2(db, read->sql, -1, &rows, NULL);
    if (rc != SQLITE_OK) {
        return failed(db, rc);
    }
    sqlite3_bind_int64(rows, 1, (int64_t)reply->study);
    sqlite3_bind_int64(rows, 2, ask->after < INT64_MAX ? (int64_t)ask->after : INT64_MAX);
    rc = put_rows(db, rows, read, elements, &count, &reply->more);
    sqlite3_finalize(rows);
    if (rc == OK && elements->full) {
        return odd_rows(ask, "too large");
    }
    struct list list = wire_list(elements, count);
    *(ask->what == 1 ? &reply->trials : &reply->reports) = list;
    return rc;
}

/*  The study itself; its texts only if they are asked for.  Encoded while their row is there. */
static int read_study(sqlite3 *db, const struct msg_study_read *ask, struct study_pages *pages)
{
    static const char sql[] = "SELECT s.id,s.state,s.seed,f.definition,f.settings FROM study s"
                              " LEFT JOIN study_file f ON f.study=s.id AND ?2 WHERE s.name=?1";
    struct msg_study_rows reply = { .seq = ask->seq };
    sqlite3_stmt *row = NULL;
    int rc = sqlite3_prepare_v2(db, sql, -1, &row, NULL);
    if (rc != SQLITE_OK) {
        return failed(db, rc);
    }
    sqlite3_bind_text(row, 1, (const char *)ask->name.p, (int)ask->name.n, SQLITE_STATIC);
    sqlite3_bind_int(row, 2, ask->what == 0);
    rc = sqlite3_step(row);
    int code = rc == SQLITE_ROW || rc == SQLITE_DONE ? OK : failed(db, rc);
    if (rc == SQLITE_ROW) {
        reply.study = u64_of(row, 0);
        reply.state = u32_of(row, 1);
        reply.seed = u64_of(row, 2);
        reply.definition = bytes_of(row, 3);
        reply.settings = bytes_of(row, 4);
        code = ask->what == 0 ? OK : read_page(db, ask, &pages->elements, &reply);
    }
    if (code == OK) {
        proto_put(&pages->frame, MSG_STUDY_ROWS, &reply);
        code = pages->frame.full ? odd_rows(ask, "too large") : OK;
    }
    sqlite3_finalize(row);
    return code;
}

static bool make(struct wire *wire, size_t bytes)
{
    if (wire->p == NULL) {
        *wire = (struct wire){ .p = malloc(bytes), .capacity = bytes };
    }
    wire->n = 0;
    wire->full = false;
    return wire->p != NULL;
}

void study_pages_free(struct study_pages *self)
{
    free(self->elements.p);
    free(self->frame.p);
    *self = (struct study_pages){ 0 };
}

/*  A frame that a client could not read would end its connection, again and again. */
static int check_frame(const struct msg_study_read *ask, const struct wire *frame)
{
    struct msg msg;
    struct diag why = { 0 };
    int rc = proto_decode(slice_of(frame->p, frame->n), &msg, &why);
    return rc == OK ? OK : odd_rows(ask, why.text);
}

bool query_study_seen(sqlite3 *db, const struct reader *reader, struct slice name)
{
    if (reader->may == ROLE_ADMIN || reader->may == ROLE_VIEWER) {
        return true;
    }
    sqlite3_stmt *row = NULL;
    bool seen =
        sqlite3_prepare_v2(db, "SELECT 1 FROM study WHERE name=?1 AND owner=?2", -1, &row, NULL) ==
            SQLITE_OK &&
        sqlite3_bind_text(row, 1, (const char *)name.p, (int)name.n, SQLITE_STATIC) == SQLITE_OK &&
        sqlite3_bind_int64(row, 2, (int64_t)reader->user) == SQLITE_OK &&
        sqlite3_step(row) == SQLITE_ROW;
    sqlite3_finalize(row);
    return seen;
}

int query_study(sqlite3 *db, const struct msg_study_read *ask, struct study_pages *pages,
                struct slice *out)
{
    if (ask->what >= COUNT(reads)) {
        return ERR_INVALID;
    }
    if (!make(&pages->elements, SCRATCH_BYTES) || !make(&pages->frame, FRAME_BYTES)) {
        return ERR_MEMORY;
    }
    if (sqlite3_exec(db, "BEGIN", NULL, NULL, NULL) != SQLITE_OK) {
        return failed(db, sqlite3_errcode(db));
    }
    int code = read_study(db, ask, pages);
    sqlite3_exec(db, "ROLLBACK", NULL, NULL, NULL);
    code = code == OK ? check_frame(ask, &pages->frame) : code;
    uint8_t *copy = code == OK ? malloc(pages->frame.n) : NULL;
    if (copy == NULL) {
        return code == OK ? ERR_MEMORY : code;
    }
    memcpy(copy, pages->frame.p, pages->frame.n);
    *out = slice_of(copy, pages->frame.n);
    return OK;
}
