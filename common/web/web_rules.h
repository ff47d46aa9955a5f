/*  web_rules.h - what a request must be like before any handler sees it: pure functions over its text. */
#ifndef RAYC_WEB_RULES_H
#define RAYC_WEB_RULES_H
#include "common/text.h"
#include "common/web/web.h"

/*  "host", "host:port", "[v6]:port": may it be a name of this server?  IP literals, localhost, and `names`. */
bool web_host_ok(const char *host, const char *const *names, uint32_t name_count);
/*  Is a page of this origin one of our own?  `host` is the request's Host. */
bool web_origin_ok(const char *origin, const char *host);

enum web_match { WEB_NO_PATH, WEB_NO_METHOD, WEB_MATCH };

/*  Text of one request, decoded into the caller's memory. */
struct web_decoder {
    char *at, *end;
};

/*  Finds the route of a path as it was sent, and fills route and params of `request`.  WEB_NO_PATH also for a path
    that does not decode to harmless text: dot segments, NULs, slashes and backslashes inside a segment, what is
    encoded twice, empty segments.  WEB_NO_METHOD: *allowed has bits 1 << method. */
enum web_match web_route_find(const struct web_options *options, struct slice path,
                              struct web_request *request, struct web_decoder *decoder,
                              uint32_t *allowed);
/*  Fills query.  False: `why` says what is wrong. */
bool web_query_read(struct web_request *request, struct slice query, struct web_decoder *decoder,
                    struct text *why);
/*  The token of "Bearer TOKEN"; NULL: it is not that. */
const char *web_bearer(const char *authorization);
#endif
