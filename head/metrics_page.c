/*  metrics_page.c - one function per kind of number. */
#include "head/metrics_page.h"

#include <math.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include "common/file.h"
#include "common/log.h"

static void put(struct exposition *out, enum metric_id id, double value)
{
    exposition_metric(out, id);
    EXPOSE(out, value, { 0 });
}

static void put_distribution(struct exposition *out, enum metric_id id,
                             const struct histogram *from)
{
    const struct slice none = { 0 };
    exposition_metric(out, id);
    exposition_histogram(out, &none, from);
}

/*  --- tasks --------------------------------------------------------------------------------------------- */

static void put_tasks(struct exposition *out, const struct survey *core)
{
    exposition_metric(out, METRIC_TASKS);
    for (uint32_t i = 0; i < core->row_count; i++) {
        const struct survey_row *row = &core->rows[i];
        for (int state = TASK_WAITING; state < TASK_STATES; state++) {
            if (row->in[state] > 0) {
                EXPOSE(out, (double)row->in[state], slice_text(task_state_name((uint32_t)state)),
                       slice_text(core->names[row->name].name), slice_text(core->jobs[row->job]),
                       slice_text("0"));
            }
        }
    }
}

static void put_names(struct exposition *out, const struct survey *core)
{
    exposition_metric(out, METRIC_TASKS_FINISHED);
    for (uint32_t i = 0; i < core->name_count; i++) {
        const struct tally *tally = &core->names[i];
        EXPOSE(out, (double)tally->finished, slice_text(task_state_name(TASK_FINISHED)),
               slice_text(tally->name));
        EXPOSE(out, (double)tally->failed, slice_text(task_state_name(TASK_FAILED)),
               slice_text(tally->name));
    }
    exposition_metric(out, METRIC_TASK_DURATION);
    for (uint32_t i = 0; i < core->name_count; i++) {
        const struct slice name = slice_text(core->names[i].name);
        exposition_histogram(out, &name, &core->names[i].ran);
    }
    exposition_metric(out, METRIC_TASK_QUEUE);
    for (uint32_t i = 0; i < core->name_count; i++) {
        const struct slice name = slice_text(core->names[i].name);
        exposition_histogram(out, &name, &core->names[i].queued);
    }
}

static void put_waiting(struct exposition *out, const struct survey *core)
{
    static const char *const reasons[PENDING_WHYS] = {
        [PENDING_ARGS] = "ARGS",       [PENDING_BACKOFF] = "BACKOFF",
        [PENDING_NO_NODE] = "NO_NODE", [PENDING_INFEASIBLE] = "INFEASIBLE",
        [PENDING_LIMIT] = "LIMIT",     [PENDING_RESOURCES] = "RESOURCES",
    };
    static const char *const causes[FAILURES] = {
#define FAILURE(NAME, value, code, type, text) [value] = #NAME,
#include "proto/states.def"
#undef FAILURE
    };
    exposition_metric(out, METRIC_PENDING_TASKS);
    for (uint32_t i = 0; i < PENDING_WHYS; i++) {
        EXPOSE(out, (double)core->pending[i], slice_text(reasons[i]));
    }
    put(out, METRIC_OLDEST_PENDING, (double)core->oldest_ms / 1000);
    exposition_metric(out, METRIC_TASK_RETRIES);
    for (uint32_t i = 1; i < FAILURES; i++) {
        bool can = core->retries[i] > 0 || i == FAILURE_WORKER_DIED || i == FAILURE_NODE_DIED;
        if (can) {
            EXPOSE(out, (double)core->retries[i], slice_text(causes[i]));
        }
    }
}

/*  --- nodes and jobs ------------------------------------------------------------------------------------- */

static double amount(const struct survey *core, uint32_t kind, uint64_t units)
{
    bool bytes = strcmp(core->kinds[kind], "memory") == 0;
    return bytes ? (double)units : (double)units / UNITS_PER_ONE;
}

static void put_nodes(struct exposition *out, const struct survey *core)
{
    char id[24];
    exposition_metric(out, METRIC_RESOURCES);
    for (uint32_t n = 0; n < core->node_count; n++) {
        const struct survey_node *node = &core->nodes[n];
        snprintf(id, sizeof(id), "%llu", (unsigned long long)node->id);
        for (uint32_t k = 0; k < core->kind_count; k++) {
            if (node->total[k] > 0) {
                struct slice kind = slice_text(core->kinds[k]);
                EXPOSE(out, amount(core, k, node->total[k] - node->free[k]), kind,
                       slice_text("USED"), slice_text(id));
                EXPOSE(out, amount(core, k, node->free[k]), kind, slice_text("AVAILABLE"),
                       slice_text(id));
            }
        }
    }
    exposition_metric(out, METRIC_ACTIVE_NODES);
    EXPOSE(out, core->node_count, slice_text("worker"));
    exposition_metric(out, METRIC_FAILED_NODES);
    EXPOSE(out, (double)core->nodes_lost, slice_text("worker"));
    exposition_metric(out, METRIC_HEARTBEAT_AGE);
    for (uint32_t n = 0; n < core->node_count; n++) {
        snprintf(id, sizeof(id), "%llu", (unsigned long long)core->nodes[n].id);
        EXPOSE(out, (double)core->nodes[n].silent_ms / 1000, slice_text(id));
    }
    exposition_metric(out, METRIC_JOBS);
    for (uint32_t state = JOB_PENDING; state < JOB_STATES; state++) {
        EXPOSE(out, (double)core->jobs_in[state], slice_text(job_state_name(state)));
    }
}

/*  --- the loop and the database --------------------------------------------------------------------------- */

static void put_messages(struct exposition *out, const struct loop_counts *loop)
{
    exposition_metric(out, METRIC_MESSAGES);
    for (uint32_t kind = 0; kind < MSG_KINDS; kind++) {
        struct slice name = slice_text(proto_name((enum msg_kind)kind));
        if (loop->in[kind] > 0) {
            EXPOSE(out, (double)loop->in[kind], name, slice_text("in"));
        }
        if (loop->out[kind] > 0) {
            EXPOSE(out, (double)loop->out[kind], name, slice_text("out"));
        }
    }
    put_distribution(out, METRIC_SCHEDULER_LOOP, &loop->turn);
    put_distribution(out, METRIC_SCHEDULER_PLACEMENT, &loop->placement);
    put_distribution(out, METRIC_SQLITE_COMMIT, &loop->commit);
}

static void put_doors(struct exposition *out, const struct metrics_source *source,
                      const struct loop_counts *loop)
{
    exposition_metric(out, METRIC_LOGIN_FAILURES);
    EXPOSE(out, (double)source->logins_refused, slice_text("http"));
    EXPOSE(out, (double)loop->logins_refused, slice_text("rpc"));
    put(out, METRIC_SSE_CLIENTS, (double)source->streams);
}

static double file_bytes(const char *dir, const char *name)
{
    char path[PATH_BYTES];
    struct stat info;
    bool is = file_path(path, sizeof(path), dir, name) == OK && stat(path, &info) == 0;
    return is ? (double)info.st_size : 0;
}

static void put_disk(struct exposition *out, const char *dir)
{
    struct statvfs disk;
    put(out, METRIC_SQLITE_WAL, file_bytes(dir, "rayc.db-wal"));
    put(out, METRIC_SQLITE_BYTES, file_bytes(dir, "rayc.db"));
    if (statvfs(dir, &disk) == 0) {
        put(out, METRIC_STATE_FREE, (double)disk.f_bavail * (double)disk.f_frsize);
    }
}

/*  --- what the database tells: actors, users, studies ----------------------------------------------------------- */

/*  The newest 20 studies, whose trials an index counts. */
#define NEWEST "(SELECT id, name, maximize FROM study ORDER BY id DESC LIMIT 20)"

static struct slice column(sqlite3_stmt *row, int i)
{
    const void *p = sqlite3_column_text(row, i);
    return slice_of(p, (size_t)sqlite3_column_bytes(row, i));
}

static int failed(sqlite3 *db, sqlite3_stmt *row)
{
    log_error("metrics.query_failed", "error=\"%s\"", sqlite3_errmsg(db));
    sqlite3_finalize(row);
    return ERR_STORE;
}

/*  The answer of a query: texts, and in its last column a number. */
static int put_rows(struct exposition *out, sqlite3 *db, enum metric_id id, const char *sql)
{
    sqlite3_stmt *row = NULL;
    exposition_metric(out, id);
    int rc = sqlite3_prepare_v2(db, sql, -1, &row, NULL);
    while (rc == SQLITE_OK || rc == SQLITE_ROW) {
        rc = sqlite3_step(row);
        int last = sqlite3_column_count(row) - 1;
        if (rc == SQLITE_ROW) {
            EXPOSE(out, sqlite3_column_double(row, last), column(row, 0), column(row, 1),
                   column(row, 2));
        }
    }
    if (rc != SQLITE_DONE) {
        return failed(db, row);
    }
    sqlite3_finalize(row);
    return OK;
}

static int put_stored(struct exposition *out, sqlite3 *db)
{
    static const struct {
        enum metric_id id;
        const char *sql;
    } queries[] = {
        { METRIC_ACTORS,
          "SELECT state, class_name, submission_id, count(*) FROM actors"
          " WHERE id IN (SELECT id FROM actor WHERE cause=0) GROUP BY 1, 2, 3 LIMIT 4096" },
        { METRIC_USER_OBJECTS,
          "SELECT u.name, sum(o.size) FROM object o INDEXED BY object_live"
          " JOIN session s ON s.id=o.task>>40 JOIN job j ON j.id=s.job JOIN user u ON u.id=j.owner"
          " WHERE o.state<6 AND o.state IN (3,4) AND o.size>0 GROUP BY u.id LIMIT 4096" },
        { METRIC_USER_OBJECTS_MAX,
          "SELECT name, object_bytes_max FROM user WHERE object_bytes_max>=0 LIMIT 4096" },
        { METRIC_TUNE_TRIALS,
          "SELECT s.name, n.name, count(*) FROM " NEWEST " s JOIN trial t ON t.study=s.id"
          " JOIN trial_state_name n ON n.value=t.state GROUP BY s.id, t.state" },
        { METRIC_TUNE_BEST,
          "SELECT name, iif(maximize,(SELECT max(value) FROM trial WHERE study=s.id AND state=4),"
          "(SELECT min(value) FROM trial WHERE study=s.id AND state=4)) AS best FROM " NEWEST
          " s WHERE best IS NOT NULL" },
    };
    int code = OK;
    for (size_t i = 0; i < COUNT(queries) && code == OK; i++) {
        code = put_rows(out, db, queries[i].id, queries[i].sql);
    }
    return code;
}

int metrics_page(const struct metrics_source *source, const char *accept, struct exposition *out)
{
    exposition_init(out, accept);
    out->prefix = source->prefix;
    out->session = source->session;
    const struct monitor_view *view = monitor_look(source->monitor);
    if (!view) {
        return ERR_TIMEOUT;
    }
    exposition_metric(out, METRIC_BUILD_INFO);
    EXPOSE(out, 1, slice_text(RAYC_VERSION), slice_text("head"));
    put_tasks(out, &view->core);
    put_names(out, &view->core);
    put_waiting(out, &view->core);
    put_nodes(out, &view->core);
    put_messages(out, &view->loop);
    put_doors(out, source, &view->loop);
    process_expose(out, "head", (struct slice){ 0 }, source->before);
    monitor_done(source->monitor);
    put_disk(out, source->state_dir);
    int code = source->db ? put_stored(out, source->db) : OK;
    if (source->requests) {
        source->requests(source->context, out);
    }
    code = !exposition_end(out) && code == OK ? ERR_MEMORY : code;
    if (code != OK) {
        exposition_fini(out);
    }
    return code;
}
