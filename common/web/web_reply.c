/*  web_reply.c - replies as handlers fill them and as libmicrohttpd sends them; replies without an end. */
#include "common/web/web_inside.h"

#include <jansson.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "common/utf8.h"

enum { FLOW_BYTES = 8192 }; /* of one read */

struct web_flow {
    const struct web_stream *stream;
    void *context;
    struct web *web; /* NULL: not on its way yet */
    struct MHD_Connection *connection;
    struct web_flow *next, *previous; /* of the server; its lock guards them */
    pthread_mutex_t lock;
    bool woken, suspended;
};

/* --- for handlers ------------------------------------------------------------------------------------- */

const char *web_query(const struct web_request *request, const char *name)
{
    for (uint32_t i = 0; i < request->query_count; i++) {
        if (strcmp(request->query[i].name, name) == 0) {
            return request->query[i].value;
        }
    }
    return NULL;
}

const char *web_header(const struct web_request *request, const char *name)
{
    return mhd.lookup_connection_value(request->connection, MHD_HEADER_KIND, name);
}

bool web_query_u64(const struct web_request *request, const char *name, uint64_t otherwise,
                   uint64_t *out, struct web_reply *reply)
{
    const char *text = web_query(request, name);
    *out = otherwise;
    if (!text) {
        return true;
    }
    size_t n = strspn(text, "0123456789");
    if (n == 0 || n > 19 || text[n] != 0) {
        web_reply_error(reply, ERR_INVALID, "query parameter %s: '%.60s' is not a number", name,
                        text);
        return false;
    }
    *out = strtoull(text, NULL, 10);
    return true;
}

void web_reply_clear(struct web_reply *reply)
{
    free(reply->owned);
    if (reply->fd >= 0) {
        close(reply->fd);
    }
    if (reply->flow) {
        web_flow_close(reply->flow);
    }
    if (reply->socket) {
        reply->socket->close(reply->socket_context);
    }
    *reply = (struct web_reply){ .status = 200, .fd = -1 };
}

void web_reply_own(struct web_reply *reply, uint32_t status, const char *type, char *malloced,
                   size_t n)
{
    web_reply_clear(reply);
    reply->status = status;
    reply->type = type;
    reply->body = slice_of(malloced, n);
    reply->owned = malloced;
}

void web_reply_copy(struct web_reply *reply, uint32_t status, const char *type, struct slice body)
{
    char *copy = body.n > 0 ? malloc(body.n) : NULL;
    if (body.n > 0 && !copy) {
        web_reply_clear(reply);
        reply->status = 500;
        return;
    }
    if (copy) {
        memcpy(copy, body.p, body.n);
    }
    web_reply_own(reply, status, type, copy, body.n);
}

uint32_t web_status(int code)
{
    static const struct {
        int code;
        uint32_t status;
    } statuses[] = { { OK, 200 },         { ERR_INVALID, 400 },     { ERR_ARG, 400 },
                     { ERR_FRAME, 400 },  { ERR_TOKEN, 401 },       { ERR_FORBIDDEN, 403 },
                     { ERR_KEY, 403 },    { ERR_NOT_FOUND, 404 },   { ERR_CONFLICT, 409 },
                     { ERR_CLOSED, 409 }, { ERR_INFEASIBLE, 409 },  { ERR_STALE, 409 },
                     { ERR_LOCKED, 409 }, { ERR_TOO_LARGE, 413 },   { ERR_QUOTA, 429 },
                     { ERR_BUSY, 503 },   { ERR_UNREACHABLE, 503 }, { ERR_TIMEOUT, 504 } };
    for (size_t i = 0; i < COUNT(statuses); i++) {
        if (statuses[i].code == code) {
            return statuses[i].status;
        }
    }
    return 500;
}

/*  What is no text at all must not make the error unreadable. */
static void keep_text(char *text)
{
    if (!utf8_valid(slice_text(text))) {
        for (char *p = text; *p; p++) {
            *p = (char)((*p & 0x80) ? '?' : *p);
        }
    }
}

void web_reply_error(struct web_reply *reply, int code, const char *format, ...)
{
    char text[1024];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof(text), format, arguments);
    va_end(arguments);
    keep_text(text);
    json_t *error = json_pack("{s:s, s:s, s:{s:s, s:s}}", "apiVersion", "rayc/v1", "kind", "Error",
                              "error", "code", err_name(code), "text", text);
    char *body = error ? json_dumps(error, JSON_COMPACT) : NULL;
    json_decref(error);
    web_reply_own(reply, web_status(code), NULL, body, body ? strlen(body) : 0);
}

void web_reply_file(struct web_reply *reply, const char *type, int fd, uint64_t offset,
                    uint64_t bytes)
{
    web_reply_clear(reply);
    reply->type = type;
    reply->fd = fd;
    reply->offset = offset;
    reply->bytes = bytes;
}

void web_reply_header(struct web_reply *reply, const char *name, const char *format, ...)
{
    ensure(reply->header_count < WEB_HEADERS_MAX);
    struct web_header *header = &reply->headers[reply->header_count++];
    header->name = name;
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(header->value, sizeof(header->value), format, arguments);
    va_end(arguments);
    header->value[strcspn(header->value, "\r\n")] = 0; /* never a header of somebody else's */
}

/* --- replies without an end --------------------------------------------------------------------------- */

struct web_flow *web_reply_stream(struct web_reply *reply, const char *type,
                                  const struct web_stream *stream, void *context)
{
    web_reply_clear(reply);
    struct web_flow *flow = calloc(1, sizeof(*flow));
    if (!flow) {
        stream->close(context);
        web_reply_error(reply, ERR_MEMORY, "%s", err_text(ERR_MEMORY));
        return NULL;
    }
    flow->stream = stream;
    flow->context = context;
    pthread_mutex_init(&flow->lock, NULL);
    reply->type = type;
    reply->flow = flow;
    return flow;
}

void web_wake(struct web_flow *flow)
{
    pthread_mutex_lock(&flow->lock);
    flow->woken = true;
    if (flow->suspended) {
        flow->suspended = false;
        mhd.resume_connection(flow->connection);
    }
    pthread_mutex_unlock(&flow->lock);
}

/*  libmicrohttpd wants bytes.  Without any, the connection sleeps until web_wake(). */
int64_t web_flow_read(void *context, uint64_t at, char *to, size_t capacity)
{
    struct web_flow *flow = context;
    (void)at;
    for (;;) {
        pthread_mutex_lock(&flow->lock);
        flow->woken = false;
        pthread_mutex_unlock(&flow->lock);
        int64_t n =
            atomic_load(&flow->web->ending) ? -1 : flow->stream->read(flow->context, to, capacity);
        if (n != 0) {
            return n > 0 ? n : MHD_CONTENT_READER_END_OF_STREAM;
        }
        pthread_mutex_lock(&flow->lock);
        bool sleeps = !flow->woken && !atomic_load(&flow->web->ending);
        if (sleeps) {
            flow->suspended = true;
            mhd.suspend_connection(flow->connection);
        }
        pthread_mutex_unlock(&flow->lock);
        if (sleeps) {
            return 0;
        }
    }
}

void web_flow_close(void *context)
{
    struct web_flow *flow = context;
    struct web *web = flow->web;
    flow->stream->close(flow->context); /* from now on nobody wakes it */
    if (web) {
        pthread_mutex_lock(&web->lock);
        if (flow->previous) {
            flow->previous->next = flow->next;
        } else {
            web->flows = flow->next;
        }
        if (flow->next) {
            flow->next->previous = flow->previous;
        }
        pthread_mutex_unlock(&web->lock);
    }
    pthread_mutex_destroy(&flow->lock);
    free(flow);
}

void web_flow_start(struct web *web, struct web_flow *flow, struct MHD_Connection *connection)
{
    pthread_mutex_lock(&web->lock);
    pthread_mutex_lock(&flow->lock);
    flow->web = web;
    flow->connection = connection;
    flow->next = web->flows;
    if (flow->next) {
        flow->next->previous = flow;
    }
    web->flows = flow;
    pthread_mutex_unlock(&flow->lock);
    pthread_mutex_unlock(&web->lock);
}

void web_flows_end(struct web *self)
{
    pthread_mutex_lock(&self->lock);
    for (struct web_flow *flow = self->flows; flow; flow = flow->next) {
        web_wake(flow);
    }
    pthread_mutex_unlock(&self->lock);
}

/* --- sending ------------------------------------------------------------------------------------------- */

static struct MHD_Response *socket_response(struct web_call *call)
{
    struct web_joining *joining = malloc(sizeof(*joining));
    if (!joining) {
        return NULL;
    }
    *joining = (struct web_joining){ call->web, call->reply.socket, call->reply.socket_context };
    struct MHD_Response *response = mhd.create_response_for_upgrade(web_pump_take, joining);
    if (!response) {
        free(joining);
        return NULL;
    }
    call->reply.socket = NULL; /* the pump has it */
    return response;
}

static struct MHD_Response *response_of(struct web_call *call)
{
    struct web_reply *reply = &call->reply;
    struct MHD_Response *response;
    if (reply->socket) {
        return socket_response(call);
    }
    if (reply->flow) {
        struct web_flow *flow = reply->flow;
        web_flow_start(call->web, flow, call->connection);
        response = mhd.create_response_from_callback(MHD_SIZE_UNKNOWN, FLOW_BYTES,
                                                     (MHD_ContentReaderCallback)web_flow_read, flow,
                                                     web_flow_close);
        reply->flow = response ? NULL : flow;
        return response;
    }
    if (reply->fd >= 0) {
        response = mhd.create_response_from_fd_at_offset64(reply->bytes, reply->fd, reply->offset);
        reply->fd = response ? -1 : reply->fd;
        return response;
    }
    bool own = reply->owned && reply->owned == reply->body.p;
    response = mhd.create_response_from_buffer(reply->body.n, (void *)(uintptr_t)reply->body.p,
                                               own ? MHD_RESPMEM_MUST_FREE : MHD_RESPMEM_MUST_COPY);
    reply->owned = response && own ? NULL : reply->owned;
    return response;
}

static void add_headers(const struct web_reply *reply, struct MHD_Response *response)
{
    static const char *const always[][2] = {
        { "X-Content-Type-Options", "nosniff" },
        { "Cache-Control", "no-store" },
        { "Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'" },
        { "Referrer-Policy", "no-referrer" },
        { "Cross-Origin-Resource-Policy", "same-origin" },
    };
    for (size_t i = 0; i < COUNT(always); i++) {
        mhd.add_response_header(response, always[i][0], always[i][1]);
    }
    if (reply->close) {
        mhd.add_response_header(response, "Connection", "close");
    }
    for (uint32_t i = 0; i < reply->header_count; i++) {
        mhd.add_response_header(response, reply->headers[i].name, reply->headers[i].value);
    }
    if (reply->status != 101) {
        mhd.add_response_header(response, "Content-Type",
                                reply->type ? reply->type : "application/json");
    }
}

enum MHD_Result web_reply_send(struct web_call *call)
{
    struct MHD_Response *response = response_of(call);
    if (!response) {
        return MHD_NO;
    }
    add_headers(&call->reply, response);
    enum MHD_Result result = mhd.queue_response(call->connection, call->reply.status, response);
    mhd.destroy_response(response);
    return result;
}
