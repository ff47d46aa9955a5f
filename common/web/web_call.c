/*  web_call.c - one request from its first line to its reply: the rules, in their order, and who runs what.

    On the server's thread: head, Host, origin, bearer.  On a worker: token, path, role, query.  Then the body on the
    server's thread, and the handler on a worker.  A call that waits for a worker is suspended, so that nothing waits
    for it. */
#include "common/web/web_inside.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

#include "common/clock.h"
#include "common/log.h"

static const char *const method_names[WEB_METHODS] = {
    [WEB_GET] = "GET", [WEB_POST] = "POST", [WEB_PUT] = "PUT", [WEB_DELETE] = "DELETE"
};

static const char *header(const struct web_call *call, const char *name)
{
    return mhd.lookup_connection_value(call->connection, MHD_HEADER_KIND, name);
}

/* --- beginning -------------------------------------------------------------------------------------- */

void *web_call_new(void *context, const char *uri, struct MHD_Connection *connection)
{
    struct web *web = context;
    struct web_call *call = calloc(1, sizeof(*call));
    if (!call) {
        return NULL;
    }
    size_t n = strlen(uri);
    call->web = web;
    call->connection = connection;
    call->target = strdup(uri);
    call->texts = malloc(2 * n + 64);
    call->begin_us = clock_us();
    call->reply.fd = -1;
    call->reply.status = 200;
    call->request.context = web->options.context;
    call->request.connection = connection;
    call->request.target = call->target;
    if (!call->target || !call->texts) {
        free(call->target);
        free(call->texts);
        free(call);
        return NULL;
    }
    return call;
}

static void name_other_side(struct web_call *call)
{
    const union MHD_ConnectionInfo *info =
        mhd.get_connection_info(call->connection, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
    const struct sockaddr *from = info ? info->client_addr : NULL;
    const void *bytes = NULL;
    if (from && from->sa_family == AF_INET) {
        bytes = &((const struct sockaddr_in *)(const void *)from)->sin_addr;
    } else if (from && from->sa_family == AF_INET6) {
        bytes = &((const struct sockaddr_in6 *)(const void *)from)->sin6_addr;
    }
    if (bytes) {
        inet_ntop(from->sa_family, bytes, call->request.address, sizeof(call->request.address));
    }
}

/*  How long the body may take, or for ever. */
static void set_deadline(struct web_call *call, uint64_t deadline_ms)
{
    const union MHD_ConnectionInfo *info =
        mhd.get_connection_info(call->connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
    struct web_connection *own = info ? info->socket_context : NULL;
    if (own) {
        atomic_store(&own->deadline_ms, deadline_ms);
    }
}

/* --- the rules ------------------------------------------------------------------------------------------ */

static void set_method(struct web_call *call, const char *method)
{
    call->request.method = WEB_METHODS;
    call->request.head_only = strcmp(method, "HEAD") == 0;
    for (int i = 0; i < WEB_METHODS; i++) {
        if (strcmp(call->request.head_only ? "GET" : method, method_names[i]) == 0) {
            call->request.method = (enum web_method)i;
            return;
        }
    }
}

static void refuse_bearer(struct web_reply *reply, int code)
{
    if (code != ERR_TOKEN) {
        web_reply_error(reply, code, "whose token it is cannot be told now: %s", err_text(code));
        return;
    }
    web_reply_error(reply, ERR_TOKEN, "a valid token is needed: Authorization: Bearer TOKEN");
    reply->status = 401; /* the same words for every reason: they tell a guesser nothing */
    web_reply_header(reply, "WWW-Authenticate", "Bearer");
}

static bool find_route(struct web_call *call)
{
    static const char *const methods[] = { "GET, HEAD", "POST", "PUT", "DELETE" };
    size_t n = strcspn(call->target, "?");
    struct web_decoder decoder = { call->texts, call->texts + 2 * strlen(call->target) + 64 };
    uint32_t allowed;
    enum web_match match = web_route_find(&call->web->options, slice_of(call->target, n),
                                          &call->request, &decoder, &allowed);
    if (match == WEB_NO_PATH) {
        web_reply_error(&call->reply, ERR_NOT_FOUND, "there is no such path");
        return false;
    }
    if (match == WEB_NO_METHOD) {
        char list[64] = "";
        for (size_t i = 0; i < COUNT(methods); i++) {
            if (allowed >> i & 1) {
                size_t have = strlen(list);
                snprintf(list + have, sizeof(list) - have, "%s%s", have ? ", " : "", methods[i]);
            }
        }
        web_reply_error(&call->reply, ERR_INVALID, "this path takes %s", list);
        call->reply.status = 405;
        web_reply_header(&call->reply, "Allow", "%s", list);
        return false;
    }
    char buffer[512];
    struct text why = text_in(buffer, sizeof(buffer));
    const char *query = call->target + n;
    if (!web_query_read(&call->request, slice_text(*query ? query + 1 : ""), &decoder, &why)) {
        web_reply_error(&call->reply, ERR_INVALID, "%s", buffer);
        return false;
    }
    return true;
}

/*  Before a token is looked at.  False: the reply is there. */
static bool obeys(struct web_call *call, const char *method, const char *version)
{
    struct web_reply *reply = &call->reply;
    const struct web_options *options = &call->web->options;
    const char *wrong = web_head_wrong(call, method, version);
    if (wrong) {
        web_reply_error(reply, ERR_INVALID, "%s", wrong);
        reply->close = true; /* where the next request begins is not sure */
        return false;
    }
    const char *host = header(call, "Host");
    if (!host || !web_host_ok(host, options->names, options->name_count)) {
        web_reply_error(reply, ERR_FORBIDDEN,
                        "this server does not go by that name: use its address, localhost, or a "
                        "name of --http-host-name");
        reply->status = 421;
        return false;
    }
    const char *origin = header(call, "Origin"), *site = header(call, "Sec-Fetch-Site");
    bool foreign = site && strcasecmp(site, "same-origin") != 0 && strcasecmp(site, "none") != 0;
    if (foreign || (origin && !web_origin_ok(origin, host))) {
        web_reply_error(reply, ERR_FORBIDDEN, "requests from pages of other sites are refused");
        return false;
    }
    return true;
}

static bool check_body(struct web_call *call)
{
    const struct web_route *route = call->request.route;
    if (call->body_bytes != UINT64_MAX && call->body_bytes > route->body_max) {
        web_reply_error(&call->reply, ERR_TOO_LARGE,
                        "the body has %llu bytes; at most %llu are taken here",
                        (unsigned long long)call->body_bytes, (unsigned long long)route->body_max);
        return false;
    }
    return true;
}

/*  Who is it, may it, and does the path exist?  On a worker.  False: the reply is there. */
static bool may(struct web_call *call, void *local)
{
    const struct web_options *options = &call->web->options;
    struct web_request *request = &call->request;
    int code = options->auth(options->context, local, request->bearer, &request->who);
    if (code != OK) {
        refuse_bearer(&call->reply, code);
        return false;
    }
    if (!find_route(call)) {
        return false;
    }
    if (!(request->route->roles >> request->who.role & 1)) {
        web_reply_error(&call->reply, ERR_FORBIDDEN, "the token does not allow this");
        return false;
    }
    return check_body(call);
}

void web_call_work(struct web_call *call, void *local)
{
    call->request.local = local;
    if (call->stage == CALL_CHECK) {
        bool allowed = may(call, local);
        call->stage = !allowed ? CALL_DRAIN : call->has_body ? CALL_BODY : CALL_RUN;
    }
    if (call->stage == CALL_RUN) {
        call->request.route->handler(&call->request, &call->reply);
        call->stage = CALL_ANSWER;
    }
    call->request.local = NULL;
    mhd.resume_connection(call->connection);
}

/* --- the body ----------------------------------------------------------------------------------------- */

static void too_large(struct web_call *call)
{
    web_reply_error(&call->reply, ERR_TOO_LARGE,
                    "the body is too large; at most %llu bytes are taken here",
                    (unsigned long long)call->request.route->body_max);
    call->stage = CALL_DRAIN;
}

/*  Grows with what comes, not with what was announced. */
static bool make_room(struct web_call *call, size_t n)
{
    if (n <= call->body_capacity) {
        return true;
    }
    size_t capacity = n * 2 + 1024;
    long long more = (long long)(capacity - call->body_capacity);
    bool room = atomic_fetch_sub(&call->web->body_room, more) >= more;
    char *grown = room ? realloc(call->body, capacity) : NULL;
    if (!grown) {
        atomic_fetch_add(&call->web->body_room, more);
        return false;
    }
    call->body = grown;
    call->body_capacity = capacity;
    return true;
}

static void keep_body(struct web_call *call, struct slice piece)
{
    struct slice *body = &call->request.body;
    if (!make_room(call, body->n + piece.n)) {
        web_reply_error(&call->reply, ERR_BUSY, "no memory for the body now; try again later");
        call->stage = CALL_DRAIN;
        return;
    }
    memcpy(call->body + body->n, piece.p, piece.n);
    *body = slice_of(call->body, body->n + piece.n);
}

static void take_body(struct web_call *call, struct slice piece)
{
    const struct web_route *route = call->request.route;
    call->taken += piece.n;
    if (call->stage == CALL_DRAIN) {
        return;
    }
    if (call->taken > route->body_max) {
        too_large(call);
    } else if (!route->take) {
        keep_body(call, piece);
    } else if (!route->take(&call->request, piece, &call->reply)) {
        call->stage = CALL_DRAIN;
    }
}

/* --- libmicrohttpd's callbacks ------------------------------------------------------------------------- */

static enum MHD_Result answer(struct web_call *call)
{
    call->stage = CALL_SENT;
    /* What libmicrohttpd 0.9.75 takes for a chunk is not what all others do: nothing may follow it. */
    call->reply.close = call->reply.close || call->body_bytes == UINT64_MAX;
    set_deadline(call, UINT64_MAX);
    return web_reply_send(call);
}

/*  Handlers and tokens are for workers. */
static enum MHD_Result give_to_worker(struct web_call *call, enum web_stage stage)
{
    call->stage = stage;
    if (!web_work_add(call)) {
        web_reply_error(&call->reply, ERR_BUSY, "too many requests are waiting; try again later");
        call->stage = CALL_DRAIN; /* when it is called again: it was asleep for a moment */
    }
    return MHD_YES;
}

/*  False: refused, the reply is there.  Else *result is for libmicrohttpd, and the call may be a worker's already. */
static bool on_head(struct web_call *call, const char *method, const char *version,
                    enum MHD_Result *result)
{
    set_method(call, method);
    name_other_side(call);
    set_deadline(call, UINT64_MAX);
    if (!obeys(call, method, version)) {
        return false;
    }
    const char *length = header(call, "Content-Length");
    call->body_bytes = !call->has_body ? 0 : length ? strtoull(length, NULL, 10) : UINT64_MAX;
    call->request.bearer = web_bearer(header(call, "Authorization"));
    bool anybody = find_route(call) && call->request.route->roles == 0;
    if (anybody && check_body(call)) {
        call->request.route->handler(&call->request, &call->reply);
        *result = answer(call);
        return true;
    }
    if (anybody) {
        return false;
    }
    web_reply_clear(&call->reply); /* what exists is told to who has a token */
    if (call->request.bearer) {
        *result = give_to_worker(call, CALL_CHECK);
        return true;
    }
    refuse_bearer(&call->reply, ERR_TOKEN);
    return false;
}

/*  A refusal comes after the body when that is short: a client that still sends would not read it. */
static bool drains(const struct web_call *call)
{
    return call->has_body && !call->reply.close && call->body_bytes <= DRAIN_MAX &&
           !header(call, "Expect");
}

/*  The call before the body.  What is not a GET is answered in the one after it: libmicrohttpd would close. */
static enum MHD_Result before_body(struct web_call *call)
{
    if (call->stage == CALL_DRAIN && !drains(call)) {
        return answer(call);
    }
    if (call->stage == CALL_BODY) {
        uint64_t most = call->request.route->body_max;
        uint64_t bytes = call->body_bytes < most ? call->body_bytes : most;
        set_deadline(call, clock_ms() + IDLE_MS_MAX + bytes / BODY_BYTES_PER_MS_MIN);
    } else if (call->stage == CALL_DRAIN) {
        set_deadline(call, clock_ms() + HEAD_MS_MAX); /* whoever it is has no token, or may not */
    } else if (call->request.method == WEB_GET) {
        return answer(call);
    }
    call->first_passed = true;
    return MHD_YES;
}

static enum MHD_Result after_body(struct web_call *call)
{
    if (call->stage == CALL_BODY) {
        set_deadline(call, UINT64_MAX);
        return give_to_worker(call, CALL_RUN);
    }
    return answer(call);
}

enum MHD_Result web_access(void *context, struct MHD_Connection *connection, const char *url,
                           const char *method, const char *version, const char *data, size_t *n,
                           void **state)
{
    struct web_call *call = *state;
    (void)context;
    (void)connection;
    (void)url;
    if (!call) {
        return MHD_NO; /* no memory */
    }
    if (atomic_load(&call->web->ending) && call->stage < CALL_DRAIN) {
        return MHD_NO;
    }
    if (*n > 0) {
        take_body(call, slice_of(data, *n));
        *n = 0;
        return call->stage == CALL_DRAIN && call->taken > DRAIN_MAX ? MHD_NO : MHD_YES;
    }
    if (call->stage == CALL_HEAD) {
        enum MHD_Result result;
        if (on_head(call, method, version, &result)) {
            return result;
        }
        call->stage = CALL_DRAIN;
    }
    return call->first_passed ? after_body(call) : before_body(call);
}

static void tally(const struct web_call *call, bool sent)
{
    const struct web *web = call->web;
    const struct web_route *route = call->request.route;
    size_t index = route ? (size_t)(route - web->options.routes) : web->options.route_count;
    uint32_t digit = sent ? call->reply.status / 100 : 0;
    uint64_t micros = clock_us() - call->begin_us;
    atomic_fetch_add(&web->tallies[index].replies[digit < 6 ? digit : 0], 1);
    atomic_fetch_add(&web->tallies[index].micros, micros);
    log_debug("http.request", "from=%s target=\"%s\" user=%s status=%u us=%llu",
              call->request.address, call->target, call->request.who.name,
              sent ? call->reply.status : 0, (unsigned long long)micros);
}

void web_call_end(void *context, struct MHD_Connection *connection, void **state,
                  enum MHD_RequestTerminationCode code)
{
    struct web_call *call = *state;
    (void)context;
    (void)connection;
    *state = NULL;
    if (!call) {
        return;
    }
    tally(call, call->stage == CALL_SENT && code == MHD_REQUEST_TERMINATED_COMPLETED_OK);
    set_deadline(call, clock_ms() + IDLE_MS_MAX);
    if (call->request.state && call->request.route && call->request.route->drop) {
        call->request.route->drop(&call->request);
    }
    web_reply_clear(&call->reply);
    free(call->body);
    atomic_fetch_add(&call->web->body_room, (long long)call->body_capacity);
    free(call->texts);
    free(call->target);
    free(call);
}
