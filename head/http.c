/*  http.c - the table of routes, tokens, and what handlers find. */
#include "head/http.h"

#include <stdatomic.h>
#include <stdlib.h>
#include "common/clock.h"
#include "common/file.h"
#include "common/log.h"
#include "head/bearer.h"
#include "head/feed.h"
#include "head/http_api.h"
#include "head/http_events.h"
#include "head/http_metrics.h"
#include "head/http_ray.h"
#include "head/query.h"
#include "head/query_view.h"

#define SEES    (1u << ROLE_ADMIN | 1u << ROLE_USER | 1u << ROLE_VIEWER)
#define WATCHES (1u << ROLE_ADMIN | 1u << ROLE_VIEWER | 1u << ROLE_METRICS)
#define CHANGES (1u << ROLE_ADMIN | 1u << ROLE_USER)

static const struct web_route routes[] = {
#define ROUTE(method, path, roles, query, body, handler, doc)                                      \
    { WEB_##method, path, roles, query, body, handler, NULL, NULL, doc },
#define UPLOAD(method, path, roles, body, handler, take, drop, doc)                                \
    { WEB_##method, path, roles, NULL, body, handler, take, drop, doc },
#include "head/routes.def"
#undef ROUTE
#undef UPLOAD
};

struct http {
    struct web *web;
    struct door *door;
    struct feed *feed;
    struct log_files logs;
    struct monitor *monitor;
    const uint8_t *secret;
    enum metric_prefix prefix;
    atomic_bool ending;
    atomic_uint_fast64_t logins_refused;
    struct process_before before; /* under the monitor's lock: its readers take turns */
    char state_dir[PATH_BYTES];
    char cluster[64];
    char programs[PATH_BYTES];
    char database[PATH_BYTES];
};

/*  What a worker reads with. */
struct looker {
    sqlite3 *db;
    const struct http *http;
    uint64_t until_ms; /* a question may take */
};

sqlite3 *http_db(const struct web_request *request)
{
    struct looker *self = request->local;
    self->until_ms = clock_ms() + QUERY_MS_MAX;
    return self->db;
}

/*  Every few thousand steps of SQLite: a long question must not hold up the end, or the others for ever. */
static int on_progress(void *context)
{
    const struct looker *self = context;
    return atomic_load(&self->http->ending) || clock_ms() > self->until_ms;
}

struct door *http_door(const struct web_request *request)
{
    return ((const struct http *)request->context)->door;
}

const struct log_files *http_log_files(const struct web_request *request)
{
    return &((const struct http *)request->context)->logs;
}

const char *http_programs(const struct web_request *request)
{
    return ((const struct http *)request->context)->programs;
}

const char *http_database(const struct web_request *request)
{
    return ((const struct http *)request->context)->database;
}

/*  How requests ended, by route and first digit of the status. */
static void put_requests(const void *context, struct exposition *out)
{
    const struct http *self = context;
    static const char *const codes[] = { "broken", "1xx", "2xx", "3xx", "4xx", "5xx" };
    exposition_metric(out, METRIC_HTTP_REQUESTS);
    for (uint32_t i = 0; i < COUNT(routes); i++) {
        struct web_count count = web_count(self->web, i);
        for (uint32_t k = 0; k < COUNT(count.replies); k++) {
            if (count.replies[k] > 0) {
                EXPOSE(out, (double)count.replies[k], slice_text(routes[i].path),
                       slice_text(codes[k]));
            }
        }
    }
}

int http_metrics_page(const struct web_request *request, struct exposition *out)
{
    struct http *self = request->context;
    const struct metrics_source source = { .monitor = self->monitor,
                                           .state_dir = self->state_dir,
                                           .db = http_db(request),
                                           .session = self->cluster,
                                           .prefix = self->prefix,
                                           .before = &self->before,
                                           .logins_refused = atomic_load(&self->logins_refused),
                                           .streams = feed_count(self->feed),
                                           .requests = put_requests,
                                           .context = self };
    return metrics_page(&source, web_header(request, "Accept"), out);
}

struct feed *http_feed(const struct web_request *request)
{
    return ((const struct http *)request->context)->feed;
}

uint64_t http_owner(const struct web_request *request)
{
    bool all = request->who.role == ROLE_ADMIN || request->who.role == ROLE_VIEWER;
    return all ? 0 : request->who.user;
}

static int auth(void *context, void *local, const char *token, struct web_principal *out)
{
    struct http *self = context;
    const struct web_request asking = { .local = local };
    int code = local != NULL ? bearer_find(http_db(&asking), self->secret, token, out) : ERR_STORE;
    if (code == ERR_TOKEN) {
        atomic_fetch_add(&self->logins_refused, 1);
    }
    return code;
}

static void *local_open(void *context)
{
    struct looker *self = calloc(1, sizeof(*self));
    if (self != NULL) {
        self->http = context;
        if (query_database(self->http->database, &self->db) != OK) {
            log_error("http.database", "file=%s error=\"it cannot be opened\"",
                      self->http->database);
            free(self);
            return NULL;
        }
        sqlite3_progress_handler(self->db, 10000, on_progress, self);
    }
    return self;
}

static void local_close(void *local)
{
    struct looker *self = local;
    sqlite3_close(self->db);
    free(self);
}

int http_open(struct http **out, const struct http_options *options, struct diag *why)
{
    char logs[PATH_BYTES];
    *out = NULL;
    struct http *self = calloc(1, sizeof(*self));
    if (self == NULL) {
        return ERR_MEMORY;
    }
    self->door = options->door;
    self->monitor = options->monitor;
    self->prefix = options->prefix;
    self->secret = options->secret;
    int rc = file_path(self->programs, sizeof(self->programs), options->state_dir, "programs");
    rc = rc == OK ? file_path(logs, sizeof(logs), options->state_dir, "logs") : rc;
    rc = rc == OK ? log_files_init(&self->logs, logs, 0) : rc;
    rc = rc == OK ? file_path(self->state_dir, PATH_BYTES, options->state_dir, ".") : rc;
    if (rc == OK) {
        char path[PATH_BYTES];
        rc = file_path(path, sizeof(path), options->state_dir, "cluster.id");
        rc = rc == OK ? file_read(path, self->cluster, sizeof(self->cluster)) : rc;
        rc = rc == ERR_NOT_FOUND ? OK : rc; /* metrics are then without SessionName */
    }
    if (rc == OK && !slice_copy_text(slice_text(options->database), self->database, PATH_BYTES)) {
        rc = ERR_TOO_LARGE;
    }
    rc = rc == OK ? feed_open(&self->feed, self->database, &self->logs) : rc;
    const struct web_options web = { .host = options->host,
                                     .port = options->port,
                                     .names = options->names,
                                     .name_count = options->name_count,
                                     .routes = routes,
                                     .route_count = COUNT(routes),
                                     .auth = auth,
                                     .local_open = local_open,
                                     .local_close = local_close,
                                     .context = self };
    rc = rc == OK ? web_open(&self->web, &web, why) : rc;
    if (rc != OK) {
        http_close(&self);
        return rc;
    }
    *out = self;
    return OK;
}

void http_close(struct http **http)
{
    struct http *self = *http;
    if (self != NULL) {
        atomic_store(&self->ending, true);
        web_close(&self->web);
        feed_close(&self->feed);
        free(self);
        *http = NULL;
    }
}

void http_pulse(struct http *self)
{
    if (self != NULL) {
        feed_pulse(self->feed);
    }
}

const char *http_address(const struct http *self)
{
    return web_address(self->web);
}
