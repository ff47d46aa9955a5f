/*  ray_state.c - SELECTs from ray_state.def, with Ray's filters around them. */
#include "head/ray_state.h"

#include <stdlib.h>
#include <strings.h>
#include "common/log.h"
#include "common/text.h"
#include "head/holders.h"
#include "head/query_view.h"

enum type { TEXT, INT, BOOL, JSON, MESSAGE };
enum { FILTERS = 1, DETAIL = 2 };
enum { SQL_BYTES = 16384, PARAMETER_FILTER = 4 };

static const struct resource {
    const char *name, *from, *joined, *condition, *order, *total;
} resources[] = {
#define RESOURCE(name, from, joined, condition, order, total)                                      \
    { #name, from, joined, condition, order, total },
#include "head/ray_state.def"
#undef RESOURCE
};

static const struct column {
    const char *resource, *name, *sql;
    enum type type;
    unsigned options;
} columns[] = {
#define COLUMN(resource, name, sql, type, options) { #resource, #name, sql, type, options },
#include "head/ray_state.def"
#undef COLUMN
};

static const struct nothing {
    const char *name, *warning;
} nothings[] = {
#define NOTHING(name, warning) { #name, warning },
#include "head/ray_state.def"
#undef NOTHING
};

struct question {
    const struct ray_reader *reader;
    const struct ray_ask *ask;
    const struct resource *resource;
    const struct column *filtered[RAY_FILTERS_MAX]; /* by each filter */
    const struct query_shortcut *shortcut;          /* that the first of them implies; or NULL */
    char sql[SQL_BYTES];
};

static const struct resource *resource_find(const char *name)
{
    for (size_t i = 0; i < COUNT(resources); i++) {
        if (strcmp(resources[i].name, name) == 0) {
            return &resources[i];
        }
    }
    return NULL;
}

static const struct nothing *nothing_find(const char *name)
{
    for (size_t i = 0; i < COUNT(nothings); i++) {
        if (strcmp(nothings[i].name, name) == 0) {
            return &nothings[i];
        }
    }
    return NULL;
}

bool ray_state_known(const char *resource, bool summary)
{
    return summary ? strcmp(resource, "tasks") == 0 || strcmp(resource, "actors") == 0 ||
                         strcmp(resource, "objects") == 0
                   : resource_find(resource) != NULL || nothing_find(resource) != NULL;
}

static int failed(sqlite3 *db)
{
    log_error("ray.query_failed", "error=\"%s\"", sqlite3_errmsg(db));
    return ERR_STORE;
}

/* --- filters -------------------------------------------------------------------------------------- */

static int no_column(const char *resource, const char *key, struct ray_refusal *no)
{
    int rc = ray_refuse(no, 400,
                        "The given filter column %.100s is not supported. Enter filters with "
                        "--filter key=value or --filter key!=value Supported filter columns:",
                        key);
    struct text text = { no->text, strlen(no->text), sizeof(no->text) };
    for (size_t i = 0; i < COUNT(columns); i++) {
        if (strcmp(columns[i].resource, resource) == 0 && (columns[i].options & FILTERS)) {
            text_add(&text, " ");
            text_add(&text, columns[i].name);
        }
    }
    return rc;
}

static bool is_integer(const char *text)
{
    char *end;
    (void)strtoll(text, &end, 10);
    return text[0] != 0 && *end == 0;
}

/*  "1" or "0", as SQL has it; NULL: neither. */
static const char *bool_of(const char *text)
{
    return strcasecmp(text, "true") == 0 || strcmp(text, "1") == 0    ? "1"
           : strcasecmp(text, "false") == 0 || strcmp(text, "0") == 0 ? "0"
                                                                      : NULL;
}

static int check_value(const struct column *column, const char *value, struct ray_refusal *no)
{
    if (column->type == INT && !is_integer(value)) {
        return ray_refuse(no, 400,
                          "Invalid filter `--filter %s %.100s` for a int type column. Please "
                          "provide an integer filter `--filter %s [int]`",
                          column->name, value, column->name);
    }
    if (column->type == BOOL && bool_of(value) == NULL) {
        return ray_refuse(no, 400,
                          "Invalid filter `--filter %s %.100s` for a boolean type column. Please "
                          "provide `--filter %s [True|true|1]` for True or `--filter %s "
                          "[False|false|0]` for False.",
                          column->name, value, column->name, column->name);
    }
    return OK;
}

static int read_filters(struct question *self, struct ray_refusal *no)
{
    for (uint32_t i = 0; i < self->ask->filter_count; i++) {
        const struct ray_filter *filter = &self->ask->filters[i];
        if (strcmp(filter->predicate, "=") != 0 && strcmp(filter->predicate, "!=") != 0) {
            return ray_refuse(no, 400,
                              "Unsupported filter predicate %.20s is given. Available predicates: "
                              "=, !=.",
                              filter->predicate);
        }
        const struct column *found = NULL;
        for (size_t k = 0; k < COUNT(columns); k++) {
            if (strcmp(columns[k].resource, self->ask->resource) == 0 &&
                strcasecmp(columns[k].name, filter->key) == 0 && (columns[k].options & FILTERS)) {
                found = &columns[k];
            }
        }
        int rc = found ? check_value(found, filter->value, no)
                       : no_column(self->ask->resource, filter->key, no);
        if (rc != OK) {
            return rc;
        }
        self->filtered[i] = found;
        if (self->shortcut == NULL && strcmp(filter->predicate, "=") == 0) {
            self->shortcut =
                query_shortcut(self->resource->name, found->name, slice_text(filter->value));
        }
    }
    return OK;
}

/* --- statements ----------------------------------------------------------------------------------- */

/*  All columns that can be filtered, and those that are shown. */
static void put_inner(const struct question *self, struct text *sql)
{
    const char *comma = "SELECT ";
    for (size_t i = 0; i < COUNT(columns); i++) {
        const struct column *column = &columns[i];
        bool wanted =
            self->ask->detail || !(column->options & DETAIL) || (column->options & FILTERS);
        if (strcmp(column->resource, self->resource->name) == 0 && wanted) {
            text_add(sql, comma);
            text_add(sql, column->sql);
            text_add(sql, " AS \"");
            text_add(sql, column->name);
            text_add(sql, "\"");
            comma = ", ";
        }
    }
    text_add(sql, " FROM ");
    text_add(sql, self->shortcut ? self->shortcut->from : self->resource->from);
    text_add(sql, " ");
    text_add(sql, self->resource->joined);
    text_add(sql, " WHERE ");
    text_add(sql, self->resource->condition);
    if (self->shortcut) {
        text_add(sql, " AND ");
        text_add(sql, self->shortcut->condition);
    }
}

static void put_filters(const struct question *self, struct text *sql)
{
    text_add(sql, ") WHERE 1");
    for (uint32_t i = 0; i < self->ask->filter_count; i++) {
        bool equal = strcmp(self->ask->filters[i].predicate, "=") == 0;
        text_add(sql, " AND coalesce(CAST(\"");
        text_add(sql, self->filtered[i]->name);
        text_add(sql, "\" AS TEXT),'') COLLATE NOCASE ");
        text_add(sql, equal ? "=?" : "<>?");
        text_u64(sql, PARAMETER_FILTER + i);
    }
}

static int prepare(const struct question *self, const char *sql, sqlite3_stmt **out)
{
    if (sqlite3_prepare_v2(self->reader->db, sql, -1, out, NULL) != SQLITE_OK) {
        return failed(self->reader->db);
    }
    const int parameters = sqlite3_bind_parameter_count(*out);
    const int64_t numbers[] = { (int64_t)self->reader->owner, self->ask->with_driver,
                                (int64_t)self->ask->limit };
    for (int i = 0; i < (int)COUNT(numbers) && i < parameters; i++) {
        sqlite3_bind_int64(*out, i + 1, numbers[i]);
    }
    for (uint32_t i = 0; i < self->ask->filter_count && parameters > PARAMETER_FILTER - 1; i++) {
        const char *value = self->ask->filters[i].value;
        value = self->filtered[i]->type == BOOL ? bool_of(value) : value;
        sqlite3_bind_text(*out, PARAMETER_FILTER + (int)i, value, -1, SQLITE_STATIC);
    }
    return OK;
}

static int count(const struct question *self, const char *sql, int64_t *out)
{
    sqlite3_stmt *row = NULL;
    int rc = prepare(self, sql, &row);
    if (rc == OK) {
        rc = sqlite3_step(row) == SQLITE_ROW ? OK : failed(self->reader->db);
        *out = sqlite3_column_int64(row, 0);
    }
    sqlite3_finalize(row);
    return rc;
}

static struct slice text_at(sqlite3_stmt *row, int i)
{
    const void *p = sqlite3_column_blob(row, i);
    return slice_of(p, (size_t)sqlite3_column_bytes(row, i));
}

/* --- rows ----------------------------------------------------------------------------------------- */

static int put_value(const struct question *self, const struct column *column, sqlite3_stmt *row,
                     int i, struct json *to)
{
    struct slice bytes = text_at(row, i);
    if (sqlite3_column_type(row, i) == SQLITE_NULL) {
        json_raw(to, "null");
        return OK;
    }
    switch (column->type) {
    case TEXT:
        json_text(to, bytes);
        break;
    case INT:
        json_i64(to, sqlite3_column_int64(row, i));
        break;
    case BOOL:
        json_raw(to, sqlite3_column_int64(row, i) ? "true" : "false");
        break;
    case JSON:
        json_bytes(to, bytes);
        break;
    case MESSAGE:
        return ray_job_message(self->reader, (uint64_t)sqlite3_column_int64(row, i), to);
    }
    return OK;
}

static int put_row(const struct question *self, sqlite3_stmt *row, struct json *to)
{
    const char *before = "{";
    int i = 0;
    int rc = OK;
    for (size_t k = 0; k < COUNT(columns) && rc == OK; k++) {
        const struct column *column = &columns[k];
        bool shown = self->ask->detail || !(column->options & DETAIL);
        if (strcmp(column->resource, self->resource->name) != 0 ||
            (!shown && !(column->options & FILTERS))) {
            continue;
        }
        if (shown) {
            json_raw(to, before);
            json_name(to, column->name);
            rc = put_value(self, column, row, i, to);
            before = ", ";
        }
        i++;
    }
    json_raw(to, "}");
    return rc;
}

static int put_rows(struct question *self, struct json *to, int64_t *rows)
{
    struct text sql = text_in(self->sql, sizeof(self->sql));
    text_add(&sql, "SELECT * FROM (");
    put_inner(self, &sql);
    text_add(&sql, " ORDER BY ");
    if (self->shortcut && self->shortcut->order) {
        query_order(self->shortcut->order, true, &sql);
    } else {
        text_add(&sql, self->resource->order);
    }
    put_filters(self, &sql);
    text_add(&sql, " LIMIT ?3");
    ensure(sql.n + 1 < sql.capacity);
    sqlite3_stmt *row = NULL;
    int rc = prepare(self, self->sql, &row);
    int step = SQLITE_DONE;
    json_raw(to, "[");
    while (rc == OK && !to->full && (step = sqlite3_step(row)) == SQLITE_ROW) {
        json_raw(to, (*rows)++ > 0 ? ", " : "");
        rc = put_row(self, row, to);
    }
    json_raw(to, "]");
    if (rc == OK && !to->full && step != SQLITE_DONE) {
        rc = failed(self->reader->db);
    }
    sqlite3_finalize(row);
    return rc == OK && to->full ? ERR_TOO_LARGE : rc;
}

static int count_filtered(struct question *self, int64_t *out)
{
    struct text sql = text_in(self->sql, sizeof(self->sql));
    text_add(&sql, "SELECT count(*) FROM (");
    put_inner(self, &sql);
    put_filters(self, &sql);
    ensure(sql.n + 1 < sql.capacity);
    return count(self, self->sql, out);
}

static void put_counts(struct json *to, int64_t total, int64_t filtered, const char *warning)
{
    json_raw(to, "{\"total\": ");
    json_i64(to, total);
    json_raw(to, ", \"num_after_truncation\": ");
    json_i64(to, total);
    json_raw(to, ", \"num_filtered\": ");
    json_i64(to, filtered);
    json_raw(to, ", \"partial_failure_warning\": \"\", \"warnings\": ");
    if (warning != NULL) {
        json_raw(to, "[");
        json_text(to, slice_text(warning));
        json_raw(to, "]");
    } else {
        json_raw(to, "null");
    }
    json_raw(to, ", \"result\": ");
}

/*  The rows first, so that no count is below what is shown: a job's row tells of its tasks a little late. */
static int put_list(struct question *self, struct json *to)
{
    int64_t total = 0, filtered = 0, shown = 0;
    struct json rows = json_new(to->limit);
    int rc = put_rows(self, &rows, &shown);
    if (rc == OK) {
        rc = count(self, self->resource->total, &total);
    }
    total = total > shown ? total : shown;
    filtered = self->ask->filter_count == 0 ? total : shown;
    if (rc == OK && self->ask->filter_count > 0 && (uint64_t)shown == self->ask->limit) {
        rc = count_filtered(self, &filtered);
    }
    if (rc == OK) {
        put_counts(to, total, filtered, NULL);
        json_bytes(to, slice_of(rows.p, rows.n));
        json_raw(to, "}");
    }
    json_free(&rows);
    return rc;
}

/* --- summaries ------------------------------------------------------------------------------------ */

static const char by_name[] =
    "SELECT c.name, min(min(c.kind)) OVER (PARTITION BY c.name), n.name, count(*), sum(c.kind<3),"
    " sum(c.kind=6), sum(c.kind=5)"
    " FROM task t JOIN spec c ON c.id=t.spec"
    " JOIN session s ON s.id=c.session JOIN job j ON j.id=s.job"
    " JOIN task_state_name n ON n.value=t.state"
    " WHERE (?1=0 OR j.owner=?1) AND (?2 OR c.kind<>3) AND c.kind<>4 GROUP BY c.name,n.name ORDER "
    "BY 1,3";

struct totals {
    int64_t all, tasks, calls, actors;
};

/*  Rows of one name come one after the other; it has the type of the smallest kind: a driver's if it is nothing else's. */
static int put_groups(const struct question *self, struct json *to, struct totals *totals)
{
    static const char *const types[] = { [SPEC_DRIVER] = "DRIVER_TASK",
                                         [SPEC_ACTOR] = "ACTOR_CREATION_TASK",
                                         [SPEC_METHOD] = "ACTOR_TASK" };
    sqlite3_stmt *row = NULL;
    int rc = prepare(self, by_name, &row);
    int step = SQLITE_DONE;
    struct json last = json_new(MIB); /* the group that is open */
    json_raw(to, "{");
    while (rc == OK && (step = sqlite3_step(row)) == SQLITE_ROW) {
        const int kind = sqlite3_column_int(row, 1);
        bool more = totals->all > 0 && slice_same(slice_of(last.p, last.n), text_at(row, 0));
        if (!more) {
            json_raw(to, totals->all > 0 ? "}}, " : "");
            json_text(to, text_at(row, 0));
            json_raw(to, ": {\"func_or_class_name\": ");
            json_text(to, text_at(row, 0));
            json_raw(to, ", \"type\": \"");
            json_raw(to, kind < SPEC_DRIVER ? "NORMAL_TASK" : types[kind]);
            json_raw(to, "\", \"state_counts\": {");
            last.n = 0;
            json_bytes(&last, text_at(row, 0));
        }
        json_raw(to, more ? ", " : "");
        json_text(to, text_at(row, 2));
        json_raw(to, ": ");
        json_i64(to, sqlite3_column_int64(row, 3));
        totals->all += sqlite3_column_int64(row, 3);
        totals->tasks += sqlite3_column_int64(row, 4);
        totals->calls += sqlite3_column_int64(row, 5);
        totals->actors += sqlite3_column_int64(row, 6);
    }
    json_raw(to, totals->all > 0 ? "}}}" : "}");
    if (rc == OK && step != SQLITE_DONE) {
        rc = failed(self->reader->db);
    }
    sqlite3_finalize(row);
    json_free(&last);
    return rc;
}

/*  Of actors and objects SQLite makes the whole text. */
static const struct whole {
    const char *resource,
        *sql; /* the summary, then how many there are; of objects also their size */
} wholes[] = {
    { "actors",
      "SELECT json_group_object(k,json_object('class_name',k,'state_counts',json(counts))),sum(n) "
      "FROM"
      " (SELECT k,json_group_object(state,n) AS counts,sum(n) AS n FROM"
      " (SELECT class_name AS k,state,count(*) AS n FROM actors v WHERE (?1=0 OR v.owner=?1) GROUP "
      "BY 1,2)"
      " GROUP BY k)" },
    { "objects",
      "WITH r AS MATERIALIZED (SELECT v.name AS k,v.object_size AS size,v.node_id AS node,"
      "h.by AS by,coalesce(v.task_status,'NIL') AS status,v.attempt_number AS attempt,"
      "coalesce(h.kind,'PINNED_IN_MEMORY') AS kind FROM " HOLDERS
      " WHERE ?1=0 OR (SELECT owner FROM job WHERE id=v.job)=?1)"
      " SELECT json_group_object(k,json_object('total_objects',n,'total_size_mb',mb,"
      "'total_num_workers',workers,'total_num_nodes',nodes,"
      "'task_state_counts',json((SELECT json_group_object(status,c) FROM"
      " (SELECT status,count(*) AS c FROM r WHERE r.k=g.k GROUP BY 1))),"
      "'task_attempt_number_counts',json((SELECT json_group_object(attempt,c) FROM"
      " (SELECT attempt,count(*) AS c FROM r WHERE r.k=g.k GROUP BY 1))),"
      "'ref_type_counts',json((SELECT json_group_object(kind,c) FROM"
      " (SELECT kind,count(*) AS c FROM r WHERE r.k=g.k GROUP BY 1))))),sum(n),sum(mb)"
      " FROM (SELECT k,count(*) AS n,total(size)/1048576.0 AS mb,count(DISTINCT by) AS workers,"
      "count(DISTINCT node) AS nodes FROM r GROUP BY k) g" },
};

static int put_whole(const struct question *self, const struct whole *whole, struct json *to)
{
    sqlite3_stmt *row = NULL;
    const bool objects = strcmp(whole->resource, "objects") == 0;
    int rc = prepare(self, whole->sql, &row);
    rc = rc == OK && sqlite3_step(row) != SQLITE_ROW ? failed(self->reader->db) : rc;
    if (rc == OK) {
        put_counts(to, sqlite3_column_int64(row, 1), sqlite3_column_int64(row, 1), NULL);
        json_raw(to, "{\"node_id_to_summary\": {\"cluster\": {\"summary\": ");
        json_bytes(to, text_at(row, 0));
        json_raw(to, objects ? ", \"total_objects\": " : ", \"total_actors\": ");
        json_i64(to, sqlite3_column_int64(row, 1));
        json_raw(to, objects ? ", \"total_size_mb\": " : ", \"summary_by\": \"class\"}}}}");
    }
    if (rc == OK && objects) {
        json_double(to, sqlite3_column_double(row, 2));
        json_raw(to, ", \"callsite_enabled\": true, \"summary_by\": \"callsite\"}}}}");
    }
    sqlite3_finalize(row);
    return rc;
}

static int put_summary(const struct question *self, struct json *to)
{
    struct totals totals = { 0 };
    struct json groups = json_new(to->limit);
    int rc = put_groups(self, &groups, &totals);
    put_counts(to, totals.all, totals.all, NULL);
    json_raw(to, "{\"node_id_to_summary\": {\"cluster\": {\"summary\": ");
    json_bytes(to, slice_of(groups.p, groups.n));
    json_raw(to, ", \"total_tasks\": ");
    json_i64(to, totals.tasks);
    json_raw(to, ", \"total_actor_tasks\": ");
    json_i64(to, totals.calls);
    json_raw(to, ", \"total_actor_scheduled\": ");
    json_i64(to, totals.actors);
    json_raw(to, ", \"summary_by\": \"func_name\"}}}}");
    json_free(&groups);
    return rc;
}

/* --- answers -------------------------------------------------------------------------------------- */

void ray_state_refusal(struct json *to, const char *text)
{
    json_raw(to, "{\"result\": false, \"msg\": ");
    json_text(to, slice_text(text));
    json_raw(to, ", \"data\": {\"result\": null}}");
}

int ray_state_put(const struct ray_reader *self, const struct ray_ask *ask, struct json *to,
                  struct ray_refusal *no)
{
    struct question question = { .reader = self, .ask = ask };
    question.resource = resource_find(ask->resource);
    const struct nothing *nothing = nothing_find(ask->resource);
    ensure(ray_state_known(ask->resource, ask->summary));
    json_raw(to, "{\"result\": true, \"msg\": \"\", \"data\": {\"result\": ");
    int rc = OK;
    const struct whole *whole = wholes;
    while (ask->summary && whole < wholes + COUNT(wholes) &&
           strcmp(whole->resource, ask->resource) != 0) {
        whole++;
    }
    if (ask->summary) {
        rc = whole < wholes + COUNT(wholes) ? put_whole(&question, whole, to)
                                            : put_summary(&question, to);
    } else if (question.resource == NULL) {
        put_counts(to, 0, 0, nothing->warning);
        json_raw(to, "[]}");
    } else {
        rc = read_filters(&question, no);
        rc = rc == OK ? put_list(&question, to) : rc;
    }
    json_raw(to, "}}");
    return rc == OK && to->full ? ERR_TOO_LARGE : rc;
}
