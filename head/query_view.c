/*  query_view.c - puts the SELECT of a question together from views.def and its filters, and
    writes the page.

    The SELECT of the view is the inner one; filters are conditions around it on its columns,
    which SQLite pushes down.  Parameters: ?1 job, ?2 subject, ?3 cursor, ?4 limit, ?5 rows to
    pass over, from ?6 on the filters. */
#include "head/query_inside.h"

#include <inttypes.h>
#include <stdio.h>
#include <strings.h>
#include "head/holders.h"
#include "head/query_functions.h"

enum {
    FILTERS_MAX = 16,
    COLUMNS_MAX = 64,
    SQL_BYTES = 16384,
    TAIL_BYTES = 256,
    ESTIMATE_FROM = 500, /* more are not counted if an estimate will do */
    SORTED_MAX = 100000, /* what may be sorted for one answer */
    PARAMETER_FILTER = 6
};

static const struct view views[] = {
#define VIEW(name, kind, subject, options, key, columns, from, of_job, order)                      \
    { #name, kind, subject, options, key, columns, from, of_job, order },
#define SHORTCUT(view, column, value, from, condition, order)
#include "head/views.def"
#undef VIEW
#undef SHORTCUT
};

static const struct query_shortcut shortcuts[] = {
#define VIEW(name, kind, subject, options, key, columns, from, of_job, order)
#define SHORTCUT(view, column, value, from, condition, order)                                      \
    { #view, column, value, from, condition, order },
#include "head/views.def"
#undef VIEW
#undef SHORTCUT
};

struct filter {
    uint32_t column;
    bool negated;
    struct slice value;
};

/*  What the inner SELECT yields.  The first column is the key. */
struct columns {
    uint32_t count;
    struct column {
        char name[48]; /* without ":json" */
        bool json;
        bool hidden;
        bool replaced; /* by a later one, as JSON; filters still read this */
    } at[COLUMNS_MAX];
};

struct plan {
    struct columns columns;
    struct filter filters[FILTERS_MAX];
    uint32_t filter_count;
    struct {
        uint32_t column; /* 0: as the view has it */
        bool down;
    } sort;
    char sql[SQL_BYTES];
};

int query_database(const char *path, sqlite3 **out)
{
    static const char settings[] =
        "PRAGMA query_only=ON;PRAGMA cache_size=-4096;PRAGMA temp_store=FILE;"
        "PRAGMA wal_autocheckpoint=0;PRAGMA trusted_schema=OFF;";
    const int flags = SQLITE_OPEN_READONLY | SQLITE_OPEN_NOMUTEX;
    int rc = ERR_STORE;
    if (sqlite3_open_v2(path, out, flags, NULL) == SQLITE_OK &&
        sqlite3_busy_timeout(*out, 5000) == SQLITE_OK &&
        sqlite3_exec(*out, settings, NULL, NULL, NULL) == SQLITE_OK) {
        rc = query_functions(*out);
    }
    if (rc != OK) {
        sqlite3_close(*out);
        *out = NULL;
    }
    return rc;
}

/* --- the statement ---------------------------------------------------------------------------- */

const struct query_shortcut *query_shortcut(const char *view, const char *column,
                                            struct slice value)
{
    for (size_t i = 0; i < COUNT(shortcuts); i++) {
        const struct query_shortcut *one = &shortcuts[i];
        if (strcmp(one->view, view) == 0 && strcmp(one->column, column) == 0 &&
            value.n == strlen(one->value) &&
            strncasecmp((const char *)value.p, one->value, value.n) == 0) {
            return one;
        }
    }
    return NULL;
}

/*  Of the filters, the first that has one; NULL: none has. */
static const struct query_shortcut *shortcut_of(const struct question *self,
                                                const struct plan *plan)
{
    const struct query_shortcut *found = NULL;
    for (uint32_t i = 0; i < plan->filter_count && found == NULL; i++) {
        const struct filter *filter = &plan->filters[i];
        if (!filter->negated) {
            found = query_shortcut(self->view->name, plan->columns.at[filter->column].name,
                                   filter->value);
        }
    }
    return found;
}

void query_order(const char *order, bool reverse, struct text *sql)
{
    static const char down[] = " DESC";
    struct slice rest = slice_text(order);
    while (rest.n > 0) {
        const uint8_t *comma = memchr(rest.p, ',', rest.n);
        struct slice column = slice_of(rest.p, comma ? (size_t)(comma - rest.p) : rest.n);
        size_t name = column.n > sizeof(down) ? column.n - (sizeof(down) - 1) : 0;
        bool is_down = name > 0 && memcmp(column.p + name, down, sizeof(down) - 1) == 0;
        text_slice(sql, is_down ? slice_of(column.p, name) : column);
        text_add(sql, is_down != reverse ? down : "");
        text_add(sql, comma ? "," : "");
        rest = slice_of(rest.p + column.n + (comma ? 1 : 0), rest.n - column.n - (comma ? 1 : 0));
    }
}

bool query_own_only(const struct question *self, enum subject subject)
{
    uint32_t may = self->reader.may;
    return may != ROLE_ADMIN && (may != ROLE_VIEWER || subject >= USER);
}

/*  What belongs to another user is not there. */
static void put_owner(const struct question *self, struct text *sql)
{
    static const struct {
        const char *before, *after; /* of the user's number */
    } own[] = {
        [JOB] = { " AND v.job IN (SELECT id FROM job WHERE owner=", ")" },
        [TASK] = { " AND (SELECT job FROM session WHERE id=v.id>>40) IN"
                   " (SELECT id FROM job WHERE owner=",
                   ")" },
        [OBJECT] = { " AND (SELECT job FROM session WHERE id=v.id>>40) IN"
                     " (SELECT id FROM job WHERE owner=",
                     ")" },
        [NODE] = { " AND 0<", "" },
        [EVENT] = { " AND v.job IN (SELECT id FROM job WHERE owner=", ")" },
        [STUDY] = { " AND v.id IN (SELECT id FROM study WHERE owner=", ")" },
        [USER] = { " AND v.id=", "" },
        [TOKEN] = { " AND v.owner=", "" },
        [AUDIT] = { " AND 0=", "" },
    };
    enum subject subject = self->view->subject;
    if (query_own_only(self, subject)) {
        text_add(sql, own[subject].before);
        text_u64(sql, self->reader.user);
        text_add(sql, own[subject].after);
    }
}

static void put_inner(const struct question *self, const struct plan *plan, bool paged,
                      struct text *sql)
{
    const struct view *view = self->view;
    const struct query_shortcut *shortcut = shortcut_of(self, plan);
    text_add(sql, "SELECT ");
    text_add(sql, view->key);
    text_add(sql, " AS _key, ");
    text_add(sql, view->columns);
    text_add(sql, " FROM ");
    text_add(sql, shortcut ? shortcut->from : view->from);
    text_add(sql, " WHERE ");
    text_add(sql, self->job != 0 ? view->of_job : "1");
    put_owner(self, sql);
    if (self->subject != 0) {
        text_add(sql, " AND ");
        text_add(sql, view->key);
        text_add(sql, "=?2");
    }
    if (self->subject != 0 && view->subject == OBJECT) {
        text_add(sql, " AND v.\"index\"=");
        text_u64(sql, (uint64_t)self->value);
    }
    if (paged && !(view->options & PLACE) && self->ask->cursor != 0) {
        bool down = (view->options & DOWN) != (self->reverse ? DOWN : 0);
        text_add(sql, " AND ");
        text_add(sql, view->key);
        text_add(sql, down ? "<?3" : ">?3");
    }
    text_add(sql, shortcut ? " AND " : "");
    text_add(sql, shortcut ? shortcut->condition : "");
    if (paged && plan->sort.column == 0 && view->order != NULL) {
        text_add(sql, " ORDER BY ");
        query_order(shortcut && shortcut->order ? shortcut->order : view->order, self->reverse,
                    sql);
    }
}

/*  All around the inner SELECT: count(*) or a page. */
static void put_outer(const struct question *self, const struct plan *plan, bool paged,
                      struct text *sql)
{
    text_add(sql, paged ? "SELECT * FROM (" : "SELECT count(*) FROM (SELECT 1 FROM (");
    put_inner(self, plan, paged, sql);
    text_add(sql, ") WHERE 1");
    for (uint32_t i = 0; i < plan->filter_count; i++) {
        const struct filter *filter = &plan->filters[i];
        text_add(sql, " AND coalesce(CAST(\"");
        text_add(sql, plan->columns.at[filter->column].name);
        text_add(sql, "\" AS TEXT),'') COLLATE NOCASE ");
        text_add(sql, filter->negated ? "<>?" : "=?");
        text_u64(sql, PARAMETER_FILTER + i);
    }
    if (paged && plan->sort.column != 0) {
        text_add(sql, " ORDER BY \"");
        text_add(sql, plan->columns.at[plan->sort.column].name);
        text_add(sql, plan->sort.down ? "\" DESC,_key DESC" : "\",_key");
    }
    text_add(sql, paged ? " LIMIT ?4 OFFSET ?5" : " LIMIT ?4)");
}

static int prepare(const struct question *self, const char *sql, sqlite3_stmt **out)
{
    int rc = sqlite3_prepare_v2(self->db, sql, -1, out, NULL);
    return rc == SQLITE_OK ? OK : query_failed(self, rc);
}

static int prepare_outer(const struct question *self, struct plan *plan, bool paged,
                         sqlite3_stmt **out)
{
    struct text sql = text_in(plan->sql, sizeof(plan->sql));
    put_outer(self, plan, paged, &sql);
    ensure(sql.n + 1 < sql.capacity); /* views.def and FILTERS_MAX are ours */
    int rc = prepare(self, plan->sql, out);
    if (rc != OK) {
        return rc;
    }
    const uint64_t counted = plan->sort.column != 0 ? SORTED_MAX
                             : self->ask->estimate  ? ESTIMATE_FROM
                                                    : 0;
    const uint64_t limit = paged ? self->ask->limit : counted;
    const bool by_place = self->view->options & PLACE;
    const int64_t numbers[] = { self->job, self->subject, (int64_t)self->ask->cursor,
                                limit == 0 || limit >= INT64_MAX
                                    ? -1
                                    : (int64_t)limit + 1, /* is there more? */
                                by_place ? (int64_t)self->ask->cursor : 0 };
    const int parameters = sqlite3_bind_parameter_count(*out);
    for (int i = 0; i < (int)COUNT(numbers) && i < parameters; i++) {
        sqlite3_bind_int64(*out, i + 1, numbers[i]);
    }
    for (uint32_t i = 0; i < plan->filter_count; i++) {
        struct slice value = plan->filters[i].value;
        sqlite3_bind_text(*out, PARAMETER_FILTER + (int)i, (const char *)value.p, (int)value.n,
                          SQLITE_STATIC);
    }
    return OK;
}

/* --- columns and filters ---------------------------------------------------------------------- */

static int read_columns(const struct question *self, struct plan *plan)
{
    struct text sql = text_in(plan->sql, sizeof(plan->sql));
    put_inner(self, plan, true, &sql);
    sqlite3_stmt *inner = NULL;
    int rc = prepare(self, plan->sql, &inner);
    if (rc != OK) {
        return rc;
    }
    struct columns *columns = &plan->columns;
    columns->count = (uint32_t)sqlite3_column_count(inner);
    ensure(columns->count <= COLUMNS_MAX);
    for (uint32_t i = 0; i < columns->count; i++) {
        struct column *column = &columns->at[i];
        struct slice name = slice_text(sqlite3_column_name(inner, (int)i));
        column->json = name.n > 5 && memcmp(name.p + name.n - 5, ":json", 5) == 0;
        name.n -= column->json ? 5 : 0;
        ensure(slice_copy_text(name, column->name, sizeof(column->name)));
        column->hidden = i == 0 || strcmp(column->name, "id") == 0 ||
                         strcmp(column->name, "job") == 0 || strcmp(column->name, "owner") == 0 ||
                         strcmp(column->name, "stored_state") == 0;
        column->replaced = false;
        for (uint32_t k = 0; column->json && k < i; k++) {
            struct column *before = &columns->at[k];
            before->replaced = before->replaced || strcmp(before->name, column->name) == 0;
        }
    }
    sqlite3_finalize(inner);
    return OK;
}

static int no_column(const struct question *self, const struct columns *columns, struct slice name)
{
    text_add(self->why, "there is no column ");
    text_slice(self->why, name);
    text_add(self->why, "; there are");
    for (uint32_t i = 0; i < columns->count; i++) {
        if (!columns->at[i].hidden && !columns->at[i].json) {
            text_add(self->why, " ");
            text_add(self->why, columns->at[i].name);
        }
    }
    return ERR_INVALID;
}

static int find_column(const struct question *self, const struct columns *columns,
                       struct slice name, uint32_t *out)
{
    for (uint32_t i = 0; i < columns->count; i++) {
        const struct column *column = &columns->at[i];
        if (!column->hidden && !column->json && slice_same(name, slice_text(column->name))) {
            *out = i;
            return OK;
        }
    }
    return no_column(self, columns, name);
}

/*  "k=v" or "k!=v". */
static int read_filter(const struct question *self, struct plan *plan, struct slice line)
{
    const uint8_t *equals = memchr(line.p, '=', line.n);
    if (equals == NULL || plan->filter_count == FILTERS_MAX) {
        text_add(self->why, equals ? "too many filters: at most 16"
                                   : "a filter is column=value or column!=value: ");
        text_slice(self->why, equals ? slice_of(NULL, 0) : line);
        return ERR_INVALID;
    }
    struct filter *filter = &plan->filters[plan->filter_count];
    struct slice name = slice_of(line.p, (size_t)(equals - line.p));
    filter->value = slice_of(equals + 1, line.n - name.n - 1);
    filter->negated = name.n > 0 && name.p[name.n - 1] == '!';
    name.n -= filter->negated ? 1 : 0;
    int rc = find_column(self, &plan->columns, name, &filter->column);
    plan->filter_count += rc == OK ? 1 : 0;
    return rc;
}

static int read_filters(const struct question *self, struct plan *plan)
{
    struct slice rest = self->ask->filter;
    while (rest.n > 0) {
        const uint8_t *newline = memchr(rest.p, '\n', rest.n);
        size_t n = newline != NULL ? (size_t)(newline - rest.p) : rest.n;
        int rc = n > 0 ? read_filter(self, plan, slice_of(rest.p, n)) : OK;
        if (rc != OK) {
            return rc;
        }
        n += newline != NULL ? 1 : 0;
        rest = slice_of(rest.p + n, rest.n - n);
    }
    return OK;
}

/*  The column that shows the key: the view's own order is by it. */
static bool is_key(const struct view *view, const char *column)
{
    static const char *const keys[] = {
        [JOB] = "job_id",     [TASK] = "task_id",   [NODE] = "node_id",
        [EVENT] = "event_id", [STUDY] = "study_id", [TOKEN] = "token_id",
        [AUDIT] = "audit_id", [USER] = "",          [OBJECT] = "",
    };
    return !(view->options & PLACE) && strcmp(keys[view->subject], column) == 0;
}

/*  "column" or "-column".  By the key it is the view's order, which has pages; by another, what the filters leave is
    sorted, which has a limit and one page. */
static int read_sort(struct question *self, struct plan *plan)
{
    struct slice name = self->ask->sort;
    self->reverse = self->ask->reverse == 1;
    if (name.n == 0) {
        return OK;
    }
    const bool minus = name.p[0] == '-';
    name = slice_of(name.p + minus, name.n - minus);
    const bool down = minus != self->reverse;
    uint32_t column;
    int rc = find_column(self, &plan->columns, name, &column);
    if (rc == OK && is_key(self->view, plan->columns.at[column].name)) {
        self->reverse = down != ((self->view->options & DOWN) != 0);
    } else if (rc == OK && self->ask->cursor != 0) {
        text_add(self->why, "a list sorted by ");
        text_slice(self->why, name);
        text_add(self->why, " has no cursor: ask for more with limit, or for less with filters");
        rc = ERR_INVALID;
    } else if (rc == OK) {
        plan->sort.column = column;
        plan->sort.down = down;
    }
    return rc;
}

/* --- the answer ------------------------------------------------------------------------------- */

static void put_value(struct json *out, sqlite3_stmt *row, int i, bool json)
{
    struct slice bytes = { 0 };
    int type = sqlite3_column_type(row, i);
    if (type == SQLITE_TEXT || type == SQLITE_BLOB) {
        const void *p = sqlite3_column_blob(row, i);
        bytes = slice_of(p, (size_t)sqlite3_column_bytes(row, i));
    }
    if (type == SQLITE_NULL) {
        json_raw(out, "null");
    } else if (type == SQLITE_INTEGER) {
        json_i64(out, sqlite3_column_int64(row, i));
    } else if (type == SQLITE_FLOAT) {
        json_double(out, sqlite3_column_double(row, i));
    } else if (json) {
        json_bytes(out, bytes);
    } else {
        json_text(out, bytes);
    }
}

static void put_item(const struct columns *columns, sqlite3_stmt *row, struct json *out)
{
    const char *before = "{";
    for (uint32_t i = 0; i < columns->count; i++) {
        const struct column *column = &columns->at[i];
        if (!column->hidden && !column->replaced) {
            json_raw(out, before);
            json_name(out, column->name);
            put_value(out, row, (int)i, column->json);
            before = ",";
        }
    }
    json_raw(out, "}");
}

/*  Fills *next with where the next page begins; 0: there is none. */
static int put_rows(const struct question *self, const struct plan *plan, sqlite3_stmt *rows,
                    struct json *out, uint64_t *next)
{
    uint64_t count = 0;
    uint64_t last = 0;
    *next = 0;
    for (;;) {
        int rc = sqlite3_step(rows);
        if (rc != SQLITE_ROW) {
            return rc == SQLITE_DONE ? OK : query_failed(self, rc);
        }
        size_t before = out->n;
        if (self->ask->limit == 0 || count < self->ask->limit) {
            json_raw(out, count > 0 ? "," : "");
            put_item(&plan->columns, rows, out);
        }
        if (out->n == before || out->full) { /* the page is full, and there is more */
            out->full = false;
            out->n = before;
            *next = self->view->options & PLACE ? self->ask->cursor + count : last;
            if (count == 0) {
                text_add(self->why, "one item is larger than an answer can be");
                return ERR_TOO_LARGE;
            }
            return OK;
        }
        last = (uint64_t)sqlite3_column_int64(rows, 0);
        count++;
    }
}

static int put_total(const struct question *self, struct plan *plan, struct json *out)
{
    sqlite3_stmt *count = NULL;
    int rc = prepare_outer(self, plan, false, &count);
    if (rc == OK) {
        rc = sqlite3_step(count);
        rc = rc == SQLITE_ROW ? OK : query_failed(self, rc);
    }
    int64_t total = rc == OK ? sqlite3_column_int64(count, 0) : 0;
    if (rc == OK && plan->sort.column != 0 && total > SORTED_MAX) {
        text_add(self->why, "more than 100000 rows to sort: leave fewer with filters");
        rc = ERR_INVALID;
    }
    if (self->ask->estimate && plan->sort.column == 0 && total > ESTIMATE_FROM) {
        json_raw(out, "null");
    } else {
        json_i64(out, total);
    }
    sqlite3_finalize(count);
    return rc;
}

static int put_page(const struct question *self, struct plan *plan, struct json *out)
{
    json_raw(out, "{\"apiVersion\":\"rayc/v1\",\"kind\":");
    json_text(out, slice_text(self->view->kind));
    json_raw(out, ",\"total\":");
    int rc = put_total(self, plan, out);
    sqlite3_stmt *rows = NULL;
    if (rc == OK) {
        rc = prepare_outer(self, plan, true, &rows);
    }
    if (rc != OK) {
        return rc;
    }
    json_raw(out, ",\"items\":[");
    uint64_t next = 0;
    rc = put_rows(self, plan, rows, out, &next);
    sqlite3_finalize(rows);
    out->limit += TAIL_BYTES;
    json_raw(out, "],\"next\":");
    if (plan->sort.column != 0) {
        json_raw(out, next != 0 ? "null,\"truncated\":true}" : "null,\"truncated\":false}");
    } else if (next == 0) {
        json_raw(out, "null}");
    } else {
        json_u64(out, next);
        json_raw(out, "}");
    }
    return rc;
}

static int find_view(struct question *self)
{
    for (size_t i = 0; i < COUNT(views); i++) {
        if (slice_same(self->ask->view, slice_text(views[i].name))) {
            self->view = &views[i];
            bool good = self->reader.may != ROLE_WORKER || views[i].subject == NODE;
            text_add(self->why, good ? "" : "a worker's token reads nodes only");
            return good ? OK : ERR_FORBIDDEN;
        }
    }
    text_add(self->why, "there is no view ");
    text_slice(self->why, self->ask->view);
    return ERR_NOT_FOUND;
}

/*  Within one transaction, so that total and items are of one moment. */
static int answer(struct question *self, struct json *out)
{
    int rc = OK;
    if (self->ask->job.n > 0) {
        rc = query_find(self, JOB, self->ask->job, &self->job);
    }
    if (rc == OK && self->ask->id.n > 0) {
        rc = query_find(self, self->view->subject, self->ask->id, &self->subject);
    }
    if (rc == OK && self->subject == 0 && (self->view->options & ONE)) {
        text_add(self->why, "which one? an id is needed");
        rc = ERR_INVALID;
    }
    struct plan plan = { 0 };
    if (rc == OK) {
        rc = read_columns(self, &plan);
    }
    if (rc == OK) {
        rc = read_filters(self, &plan);
    }
    if (rc == OK) {
        rc = read_sort(self, &plan);
    }
    return rc == OK ? put_page(self, &plan, out) : rc;
}

int query_answer(sqlite3 *db, const struct reader *reader, const struct msg_query *ask,
                 struct json *out, struct text *why)
{
    struct question self = { .db = db, .reader = *reader, .ask = ask, .why = why };
    *out = json_new(ANSWER_MAX - TAIL_BYTES);
    int rc = find_view(&self);
    if (rc == OK && sqlite3_exec(db, "BEGIN", NULL, NULL, NULL) != SQLITE_OK) {
        rc = query_failed(&self, sqlite3_errcode(db));
    }
    if (rc == OK) {
        rc = answer(&self, out);
        sqlite3_exec(db, "ROLLBACK", NULL, NULL, NULL);
    }
    if (rc != OK) {
        json_free(out);
    }
    return rc;
}
