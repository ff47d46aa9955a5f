/*  query_find.c - ids as people write them: whole, or as much of the beginning as is unique. */
#include "head/query_inside.h"

#include <ctype.h>
#include "common/log.h"

/*  How the text of an id is read, and what is then bound: the text as ?1; a number as ?1; a first
    and last id; of an object, whose id is that of its task and 4 digits, both of these. */
enum form { WORDS, DECIMAL, HEX_8, HEX_RANGE, HEX_OBJECT };

#define BEGINS(column) column ">=?1 AND " column "<?1||char(1114111)"

/*  Tried in this order until one finds something.  Each selects number and name, of two rows at
    most; of an object also which value it is. */
static const struct meaning {
    enum subject subject;
    enum form form;
    const char *sql;
} meanings[] = {
    { JOB, WORDS, "SELECT id,submission FROM job WHERE submission=?1" },
    { JOB, HEX_8, "SELECT id,submission FROM job WHERE id=?1" },
    { JOB, DECIMAL, "SELECT id,submission FROM job WHERE id=?1" },
    { JOB, WORDS, "SELECT id,submission FROM job WHERE " BEGINS("submission") " LIMIT 2" },
    { TASK, HEX_RANGE,
      "SELECT id,printf('%016x',id) FROM task WHERE id BETWEEN ?1 AND ?2" /* no values, kind 4 */
      " AND (SELECT kind FROM spec WHERE id=task.spec) IS NOT 4 LIMIT 2" },
    { OBJECT, HEX_OBJECT, /* idx 2^32-1: what the arguments of a task have inside */
      "SELECT task,printf('%016x%04x',task,idx),idx FROM object"
      " WHERE task BETWEEN ?1 AND ?2 AND idx BETWEEN ?3 AND ?4 AND idx<4294967295 LIMIT 2" },
    { NODE, DECIMAL, "SELECT id,name FROM node WHERE id=?1" },
    /* A worker that comes back, as a pod, has the name of nodes that are dead (state 3). */
    { NODE, WORDS, "SELECT id,name||' ('||id||')' FROM node WHERE name=?1 AND state<3 LIMIT 2" },
    { NODE, WORDS, "SELECT id,name FROM node WHERE name=?1 ORDER BY id DESC LIMIT 1" },
    { NODE, WORDS, "SELECT id,name||' ('||id||')' FROM node WHERE " BEGINS("name") " LIMIT 2" },
    { EVENT, DECIMAL, "SELECT id,kind FROM event WHERE id=?1" },
    { STUDY, WORDS, "SELECT id,name FROM study WHERE name=?1" },
    { STUDY, WORDS, "SELECT id,name FROM study WHERE ?1='@last' ORDER BY id DESC LIMIT 1" },
    { STUDY, DECIMAL, "SELECT id,name FROM study WHERE id=?1" },
    { STUDY, WORDS, "SELECT id,name FROM study WHERE " BEGINS("name") " LIMIT 2" },
    { USER, WORDS, "SELECT id,name FROM user WHERE name=?1" },
    { TOKEN, DECIMAL, "SELECT id,name FROM token WHERE id=?1" },
    { AUDIT, DECIMAL, "SELECT id,action FROM audit WHERE id=?1" },
};

static bool number_of(struct slice text, unsigned base, uint64_t *out)
{
    static const char digits[] = "0123456789abcdef";
    uint64_t value = 0;
    for (size_t i = 0; i < text.n; i++) {
        const char *digit = memchr(digits, tolower(text.p[i]), base);
        uint64_t worth = digit != NULL ? (uint64_t)(digit - digits) : 0;
        if (digit == NULL || value > (UINT64_MAX - worth) / base) {
            return false;
        }
        value = value * base + worth;
    }
    *out = value;
    return text.n > 0;
}

/*  The first and the last number of so many digits that begin with this text; false: there is none. */
static bool range_of(struct slice text, size_t digits, uint64_t *first, uint64_t *last)
{
    *first = *last = 0;
    if (text.n > digits || (text.n > 0 && !number_of(text, 16, first))) {
        return false;
    }
    for (size_t i = text.n; i < digits; i++) {
        *first = *first << 4;
        *last = *last << 4 | 15;
    }
    *last |= *first;
    return true;
}

static bool bind_range(sqlite3_stmt *rows, int at, struct slice text, size_t digits)
{
    uint64_t first, last;
    return range_of(text, digits, &first, &last) &&
           sqlite3_bind_int64(rows, at, (int64_t)first) == SQLITE_OK &&
           sqlite3_bind_int64(rows, at + 1, (int64_t)last) == SQLITE_OK;
}

/*  False: the text does not have this form. */
static bool bind_form(sqlite3_stmt *rows, enum form form, struct slice text)
{
    const size_t task = text.n < 16 ? text.n : 16;
    uint64_t first = 0;
    switch (form) {
    case WORDS:
        return sqlite3_bind_text(rows, 1, (const char *)text.p, (int)text.n, SQLITE_STATIC) ==
               SQLITE_OK;
    case DECIMAL:
        return number_of(text, 10, &first) &&
               sqlite3_bind_int64(rows, 1, (int64_t)first) == SQLITE_OK;
    case HEX_8:
        return text.n == 8 && number_of(text, 16, &first) &&
               sqlite3_bind_int64(rows, 1, (int64_t)first) == SQLITE_OK;
    case HEX_RANGE:
        return text.n > 0 && bind_range(rows, 1, text, 16);
    case HEX_OBJECT:
        return text.n > 0 && bind_range(rows, 1, slice_of(text.p, task), 16) &&
               bind_range(rows, 3, slice_of(text.p + task, text.n - task), 4);
    }
    return false;
}

int query_failed(const struct question *self, int rc)
{
    if (rc == SQLITE_INTERRUPT) {
        text_add(self->why, "the query took too long; ask for less, or of one job only");
        return ERR_TIMEOUT;
    }
    log_error("query.failed", "code=%d error=\"%s\"", rc, sqlite3_errmsg(self->db));
    text_add(self->why, "the database cannot be read: ");
    text_add(self->why, sqlite3_errmsg(self->db));
    return ERR_STORE;
}

static int only_one(struct question *self, sqlite3_stmt *rows, int64_t *out)
{
    int rc = sqlite3_step(rows);
    if (rc != SQLITE_ROW) {
        return rc == SQLITE_DONE ? ERR_NOT_FOUND : query_failed(self, rc);
    }
    *out = sqlite3_column_int64(rows, 0);
    self->value = sqlite3_column_count(rows) > 2 ? sqlite3_column_int64(rows, 2) : 0;
    char first[128];
    slice_copy_text(slice_text((const char *)sqlite3_column_text(rows, 1)), first, sizeof(first));
    rc = sqlite3_step(rows);
    if (rc != SQLITE_ROW) {
        return rc == SQLITE_DONE ? OK : query_failed(self, rc);
    }
    text_add(self->why, "several begin so: ");
    text_add(self->why, first);
    text_add(self->why, " and ");
    text_add(self->why, (const char *)sqlite3_column_text(rows, 1));
    text_add(self->why, "; give more of it");
    return ERR_CONFLICT;
}

/*  For the rest of the statement, tables have the user's own rows only. */
static void put_own_tables(const struct question *self, enum subject subject, struct text *sql)
{
    static const char *const own[] = {
        [JOB] = "WITH job AS (SELECT * FROM main.job WHERE owner=",
        [TASK] = "WITH task AS (SELECT * FROM main.task t WHERE (SELECT j.owner FROM session s"
                 " JOIN main.job j ON j.id=s.job WHERE s.id=t.id>>40)=",
        [OBJECT] =
            "WITH object AS (SELECT * FROM main.object o WHERE (SELECT j.owner FROM session s"
            " JOIN main.job j ON j.id=s.job WHERE s.id=o.task>>40)=",
        [EVENT] = "WITH event AS (SELECT * FROM main.event e WHERE"
                  " (SELECT owner FROM main.job WHERE id=e.job)=",
        [STUDY] = "WITH study AS (SELECT * FROM main.study WHERE owner=",
        [USER] = "WITH user AS (SELECT * FROM main.user WHERE id=",
        [TOKEN] = "WITH token AS (SELECT * FROM main.token WHERE user=",
        [AUDIT] = "WITH audit AS (SELECT * FROM main.audit WHERE 0=",
    };
    if (own[subject] != NULL && query_own_only(self, subject)) {
        text_add(sql, own[subject]);
        text_u64(sql, self->reader.user);
        text_add(sql, ") ");
    }
}

static int find_meaning(struct question *self, const struct meaning *meaning, struct slice id,
                        int64_t *out)
{
    sqlite3_stmt *rows = NULL;
    char buffer[1024];
    struct text sql = text_in(buffer, sizeof(buffer));
    put_own_tables(self, meaning->subject, &sql);
    text_add(&sql, meaning->sql);
    ensure(sql.n + 1 < sql.capacity);
    int rc = sqlite3_prepare_v2(self->db, buffer, -1, &rows, NULL);
    if (rc != SQLITE_OK) {
        return query_failed(self, rc);
    }
    rc = bind_form(rows, meaning->form, id) ? only_one(self, rows, out) : ERR_NOT_FOUND;
    sqlite3_finalize(rows);
    return rc;
}

int query_find(struct question *self, enum subject subject, struct slice id, int64_t *out)
{
    static const char *const nouns[] = {
        [JOB] = "job",   [TASK] = "task",   [OBJECT] = "object",
        [NODE] = "node", [EVENT] = "event", [STUDY] = "study",
        [USER] = "user", [TOKEN] = "token", [AUDIT] = "audit record"
    };
    for (size_t i = 0; i < COUNT(meanings); i++) {
        if (meanings[i].subject == subject) {
            int rc = find_meaning(self, &meanings[i], id, out);
            if (rc != ERR_NOT_FOUND) {
                return rc;
            }
        }
    }
    text_add(self->why, "there is no ");
    text_add(self->why, nouns[subject]);
    text_add(self->why, " ");
    text_slice(self->why, id);
    text_add(self->why,
             subject == OBJECT ? "; a value of 100 KiB or less is in its task: rayc task get" : "");
    return ERR_NOT_FOUND;
}
