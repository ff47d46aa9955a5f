/*  http.h - the head's HTTP server: routes.def on common/web.  Who a bearer is, each request asks the database, so that
    a token that was revoked is refused at once.  Handlers read with a connection of their thread's; what they change
    goes through the door (door.h). */
#ifndef RAYC_HTTP_H
#define RAYC_HTTP_H
#include <sqlite3.h>
#include "common/web/web.h"
#include "head/door.h"
#include "head/log_files.h"
#include "head/metrics_page.h"

struct http;
struct feed;

enum {
    HTTP_PORT_RAYS = 8265,
    HTTP_PORT_NONE = -1,
    HTTP_PORT_AUTO = -2, /* Ray's, or any if another program has that */
    HTTP_NAMES_MAX = 32
};

struct http_options {
    const char *state_dir;
    const char *database;
    const char *host;
    const char *const *names; /* that Host may have, beside addresses and localhost */
    uint32_t name_count;
    uint16_t port;
    struct door *door;
    const uint8_t *secret; /* of tickets (bearer.h); used as long as the server */
    struct monitor *monitor;
    enum metric_prefix prefix; /* of names at /metrics */
};

/*  `why` says what is wrong, for people. */
MUST_CHECK int http_open(struct http **out, const struct http_options *options, struct diag *why);
void http_close(struct http **self); /* NULL-safe */
const char *http_address(const struct http *self);
void http_pulse(struct http *self); /* rows or logs may have changed; cheap, NULL-safe */

/* --- for handlers ------------------------------------------------------------------------------------- */

sqlite3 *http_db(const struct web_request *request);
struct door *http_door(const struct web_request *request);
const struct log_files *http_log_files(const struct web_request *request);
const char *http_programs(const struct web_request *request); /* the content store's folder */
const char *http_database(const struct web_request *request); /* path, for more connections */
struct feed *http_feed(const struct web_request *request);    /* of feed.h */
/*  /metrics, in the format that the request asks for; on OK the caller frees it. */
MUST_CHECK int http_metrics_page(const struct web_request *request, struct exposition *out);
/*  Whose things the bearer sees; 0: everybody's. */
uint64_t http_owner(const struct web_request *request);
#endif
