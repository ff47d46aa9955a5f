/*  web_rules.c - hosts, origins, paths and queries. */
#include "common/web/web_rules.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <strings.h>

/* --- hosts ------------------------------------------------------------------------------------------ */

static bool is_port(const char *text)
{
    size_t n = strspn(text, "0123456789");
    return n > 0 && n <= 5 && text[n] == 0;
}

/*  Splits off the port.  False: it is not a host. */
static bool host_name(const char *host, char *name, size_t capacity)
{
    const char *end = host[0] == '[' ? strchr(host, ']') : NULL;
    if (host[0] == '[' && !end) {
        return false;
    }
    const char *colon = strchr(end ? end : host, ':');
    size_t n = colon ? (size_t)(colon - host) : strlen(host);
    if (n == 0 || n >= capacity || (colon && !is_port(colon + 1)) ||
        (end && n != (size_t)(end + 1 - host))) {
        return false;
    }
    memcpy(name, host, n);
    name[n] = 0;
    return true;
}

static bool is_address(char *name)
{
    uint8_t bytes[16];
    size_t n = strlen(name);
    if (name[0] != '[') {
        return inet_pton(AF_INET, name, bytes) == 1;
    }
    name[n - 1] = 0;
    return inet_pton(AF_INET6, name + 1, bytes) == 1;
}

bool web_host_ok(const char *host, const char *const *names, uint32_t name_count)
{
    char name[256];
    if (!host_name(host, name, sizeof(name))) {
        return false;
    }
    if (strcasecmp(name, "localhost") == 0) {
        return true;
    }
    for (uint32_t i = 0; i < name_count; i++) {
        if (strcasecmp(name, names[i]) == 0) {
            return true;
        }
    }
    return is_address(name);
}

bool web_origin_ok(const char *origin, const char *host)
{
    static const char *const schemes[] = { "http://", "https://" };
    for (size_t i = 0; i < COUNT(schemes); i++) {
        size_t n = strlen(schemes[i]);
        if (strncasecmp(origin, schemes[i], n) == 0) {
            return strcasecmp(origin + n, host) == 0;
        }
    }
    return false;
}

const char *web_bearer(const char *authorization)
{
    static const char scheme[] = "Bearer ";
    if (!authorization || strncasecmp(authorization, scheme, sizeof(scheme) - 1) != 0) {
        return NULL;
    }
    const char *token = authorization + sizeof(scheme) - 1;
    token += strspn(token, " ");
    return *token ? token : NULL;
}

/* --- decoding --------------------------------------------------------------------------------------- */

static int digit(uint8_t c)
{
    return isdigit(c) ? c - '0' : isxdigit(c) ? tolower(c) - 'a' + 10 : -1;
}

/*  One letter of percent-encoded text; -1: broken.  Moves *at on. */
static int letter(const uint8_t **at, const uint8_t *end)
{
    const uint8_t *p = *at;
    if (*p != '%') {
        *at = p + 1;
        return *p;
    }
    if (end - p < 3 || digit(p[1]) < 0 || digit(p[2]) < 0) {
        return -1;
    }
    *at = p + 3;
    return digit(p[1]) << 4 | digit(p[2]);
}

/*  Appends a decoded text and a NUL; NULL: it is broken, or there is no room. */
static char *decode(struct web_decoder *decoder, struct slice text, bool plus)
{
    char *to = decoder->at;
    const uint8_t *p = text.p, *end = text.n > 0 ? p + text.n : p; /* NULL + 0 is undefined */
    while (p < end) {
        bool space = plus && *p == '+';
        int c = letter(&p, end);
        if (c <= 0 || decoder->at + 1 >= decoder->end) {
            return NULL;
        }
        *decoder->at++ = space ? ' ' : (char)c;
    }
    if (decoder->at >= decoder->end) {
        return NULL;
    }
    *decoder->at++ = 0;
    return to;
}

/*  May a path have this segment?  Nothing that another program on the way could read as something else. */
static bool harmless(const char *segment)
{
    if (strcmp(segment, ".") == 0 || strcmp(segment, "..") == 0) {
        return false;
    }
    for (const uint8_t *p = (const uint8_t *)segment; *p; p++) {
        if (*p < 0x20 || *p == 0x7F || *p == '/' || *p == '\\' ||
            (*p == '%' && digit(p[1]) >= 0 && digit(p[2]) >= 0)) {
            return false;
        }
    }
    return true;
}

/* --- routes ----------------------------------------------------------------------------------------- */

enum { SEGMENTS_MAX = 16 };

struct segments {
    uint32_t count;
    const char *at[SEGMENTS_MAX];
};

/*  A slash at the end makes an empty last segment; elsewhere none is empty. */
static bool split(struct slice path, struct web_decoder *decoder, struct segments *out)
{
    if (path.n == 0 || path.p[0] != '/') {
        return false;
    }
    const uint8_t *p = path.p + 1, *end = path.p + path.n;
    for (;;) {
        const uint8_t *slash = p < end ? memchr(p, '/', (size_t)(end - p)) : NULL;
        size_t n = (size_t)((slash ? slash : end) - p);
        char *segment = decode(decoder, slice_of(p, n), false);
        if (!segment || out->count == SEGMENTS_MAX || (n == 0 && slash) || !harmless(segment)) {
            return false;
        }
        out->at[out->count++] = segment;
        if (!slash) {
            return true;
        }
        p = slash + 1;
    }
}

static bool fits(const char *pattern, const struct segments *path, struct web_request *request)
{
    request->param_count = 0;
    for (uint32_t i = 0; i < path->count; i++) {
        if (*pattern++ != '/') {
            return false;
        }
        size_t n = strcspn(pattern, "/");
        struct slice segment = slice_text(path->at[i]);
        if (pattern[0] == '{') {
            ensure(request->param_count < WEB_PARAMS_MAX);
            if (segment.n == 0) {
                return false;
            }
            request->params[request->param_count++] = segment;
        } else if (!slice_same(segment, slice_of(pattern, n))) {
            return false;
        }
        pattern += n;
    }
    return *pattern == 0;
}

enum web_match web_route_find(const struct web_options *options, struct slice path,
                              struct web_request *request, struct web_decoder *decoder,
                              uint32_t *allowed)
{
    struct segments segments = { 0 };
    *allowed = 0;
    request->route = NULL;
    if (!split(path, decoder, &segments)) {
        return WEB_NO_PATH;
    }
    for (uint32_t i = 0; i < options->route_count; i++) {
        const struct web_route *route = &options->routes[i];
        if (fits(route->path, &segments, request)) {
            if (route->method == request->method) {
                request->route = route;
                return WEB_MATCH;
            }
            *allowed |= 1u << route->method;
        }
    }
    request->param_count = 0;
    return *allowed ? WEB_NO_METHOD : WEB_NO_PATH;
}

/* --- queries ---------------------------------------------------------------------------------------- */

/*  Is it one of the words? */
static bool is_word(const char *words, const char *name)
{
    size_t n = strlen(name);
    for (const char *p = words; (p = strstr(p, name)) != NULL; p += n) {
        if ((p == words || p[-1] == ' ') && (p[n] == ' ' || p[n] == 0)) {
            return n > 0 && !strchr(name, ' ');
        }
    }
    return false;
}

static bool read_pair(struct web_request *request, struct slice pair, struct web_decoder *decoder,
                      struct text *why)
{
    const uint8_t *equals = memchr(pair.p, '=', pair.n);
    struct slice name = { pair.p, equals ? (size_t)(equals - pair.p) : pair.n };
    struct slice value = { 0 };
    if (equals) {
        value = slice_of(equals + 1, pair.n - name.n - 1);
    }
    struct web_pair *out = &request->query[request->query_count];
    if (request->query_count == WEB_QUERY_MAX) {
        text_add(why, "too many query parameters: at most ");
        text_u64(why, WEB_QUERY_MAX);
        return false;
    }
    out->name = decode(decoder, name, true);
    out->value = decode(decoder, value, true);
    if (!out->name || !out->value) {
        text_add(why, "this query parameter is not well encoded, by its number: ");
        text_u64(why, request->query_count + 1);
        return false;
    }
    const char *known = request->route ? request->route->query : NULL;
    if (known && !is_word(known, out->name)) {
        text_add(why, "there is no query parameter '");
        text_add(why, out->name);
        text_add(why, *known ? "' here; there are: " : "' here; there are none");
        text_add(why, known);
        return false;
    }
    request->query_count++;
    return true;
}

bool web_query_read(struct web_request *request, struct slice query, struct web_decoder *decoder,
                    struct text *why)
{
    request->query_count = 0;
    while (query.n > 0) {
        const uint8_t *end = memchr(query.p, '&', query.n);
        size_t n = end ? (size_t)(end - query.p) : query.n;
        if (n > 0 && !read_pair(request, slice_of(query.p, n), decoder, why)) {
            return false;
        }
        n += end ? 1 : 0;
        query = slice_of(query.p + n, query.n - n);
    }
    return true;
}
