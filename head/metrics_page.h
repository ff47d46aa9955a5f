/*  metrics_page.h - GET /metrics of the head: what the monitor, the database and the system say, as text.

    All of it is of the whole cluster, names of everybody's tasks and jobs too.  So it is for tokens that see everything
    (ADMIN, VIEWER) and for METRICS tokens; a USER's token is refused. */
#ifndef RAYC_METRICS_PAGE_H
#define RAYC_METRICS_PAGE_H
#include <sqlite3.h>
#include "common/exposition.h"
#include "common/process.h"
#include "head/monitor.h"

struct metrics_source {
    struct monitor *monitor;
    const char *state_dir;
    sqlite3 *db;         /* read-only; NULL: without studies */
    const char *session; /* the cluster's id */
    enum metric_prefix prefix;
    struct process_before *before;
    uint64_t logins_refused, streams; /* of the HTTP server: since its start, and now */
    void (*requests)(const void *context,
                     struct exposition *out); /* of the HTTP server; NULL: none */
    const void *context;
};

/*  ERR_TIMEOUT: the loop did not answer in time.  On OK, `out` is the caller's to free. */
MUST_CHECK int metrics_page(const struct metrics_source *source, const char *accept,
                            struct exposition *out);
#endif
