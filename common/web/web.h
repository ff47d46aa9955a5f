/*  web.h - an HTTP/1.1 server for rayc's daemons: a table of routes, and the rules that hold before any of them.

    Rules, for every request of every method: the head of the request is well-formed in the strict sense, its Host
    is an IP literal, localhost or a name that was allowed, it does not come from another site's page, it has a
    bearer token that may use the route (but for routes of anybody), path and query decode to harmless text, and
    the body is not larger than the route wants it.  Whatever is refused is refused here.

    Three kinds of threads.  The server's own (libmicrohttpd) parse, receive and send, and never wait: handlers of
    routes for anybody and the callbacks of uploads and streams run there.  Workers, made when needed and ended when
    idle, check tokens and run handlers, which may wait.  The pump looks after time and WebSockets. */
#ifndef RAYC_WEB_H
#define RAYC_WEB_H
#include "common/base.h"
#include "common/err.h"

enum {
    WEB_PARAMS_MAX = 4,
    WEB_QUERY_MAX = 32,
    WEB_HEADERS_MAX = 6,
    WEB_NAME_BYTES = 260,
    WEB_BODY_MAX = 8 << 20, /* what most routes take at most */
    WEB_PORT_ANY = 0
};

enum web_method { WEB_GET, WEB_POST, WEB_PUT, WEB_DELETE, WEB_METHODS };

/*  Whom a token belongs to, and what it may. */
struct web_principal {
    uint64_t user, token;
    uint32_t role; /* a number below 32 that the daemon knows */
    char name[WEB_NAME_BYTES];
};

struct web_pair {
    const char *name, *value;
};

/*  All of it is borrowed, and valid until the reply has been sent. */
struct web_request {
    enum web_method method; /* HEAD is a GET */
    bool head_only;         /* it is HEAD */
    const struct web_route *route;
    const char *target;                  /* as it was sent, for logs */
    struct slice params[WEB_PARAMS_MAX]; /* of the {words} of the route's path, in order, decoded */
    struct web_pair query[WEB_QUERY_MAX]; /* decoded, in order */
    uint32_t param_count, query_count;
    struct slice body;
    const char *bearer;       /* NULL: a route of anybody */
    struct web_principal who; /* set unless the route is of anybody */
    char address[64];         /* of the other side, without a port */
    void *context;            /* of the options */
    void *local;              /* of the worker that runs the handler */
    void *state;              /* an upload's own */
    void *connection;         /* for web_header() */
};

/*  A reply without an end as yet.  `read` puts bytes at `to` and returns how many; 0: none now, ask again after
    web_wake(); below 0: this was the end.  It must not wait.  `close` comes once, when nobody reads any more. */
struct web_stream {
    int64_t (*read)(void *context, char *to, size_t capacity);
    void (*close)(void *context);
};
struct web_flow; /* one such reply on its way */

struct web_header {
    const char *name; /* static */
    char value[256];
};

struct web_socket_kind; /* of common/web/web_socket.h */

/*  What a handler fills: nothing more than web_reply_...() leaves. */
struct web_reply {
    uint32_t status;
    const char *type; /* static; NULL: JSON */
    struct slice body;
    void *owned; /* malloced, freed when the reply has been sent; mostly body.p */
    int fd;      /* >= 0: the body is bytes of this file from offset on; it is closed */
    uint64_t offset, bytes;
    bool close; /* the connection ends with it */
    struct web_flow *flow;
    const struct web_socket_kind *socket; /* of web_reply_socket() */
    void *socket_context;
    uint32_t header_count;
    struct web_header headers[WEB_HEADERS_MAX];
};

typedef void web_handler(struct web_request *request, struct web_reply *reply);
/*  A piece of an upload; the first one comes with request->state NULL.  False: `reply` says why not. */
typedef bool web_take(struct web_request *request, struct slice piece, struct web_reply *reply);
typedef void web_drop(struct web_request *request); /* frees request->state, used up or not */

struct web_route {
    enum web_method method;
    const char *path;  /* "/api/v1/jobs/{id}/logs" */
    uint32_t roles;    /* bits 1 << role of who may; 0: anybody, without a token */
    const char *query; /* names of its query parameters, with spaces between; NULL: any */
    uint64_t body_max; /* bytes; 0: it takes none */
    web_handler *handler;
    web_take *take; /* NULL: the body comes whole, in memory */
    web_drop *drop; /* with `take` */
    const char *doc;
};

struct web_options {
    const char *host;         /* address to listen on */
    uint16_t port;            /* WEB_PORT_ANY: the system chooses */
    const char *const *names; /* that Host may have beside IP literals and localhost */
    uint32_t name_count;
    const struct web_route *routes;
    uint32_t route_count;
    uint32_t threads; /* of the server's own; 0: 1 */
    uint32_t workers; /* at most; 0: 8 */
    /*  Whose token is it?  ERR_TOKEN: nobody's, or not any more; another code: that cannot be told now.  On a worker. */
    int (*auth)(void *context, void *local, const char *token, struct web_principal *out);
    /*  What each worker has of its own, as a connection to a database; both may be NULL. */
    void *(*local_open)(void *context);
    void (*local_close)(void *local);
    void *context;
};

struct web_count {       /* of a route */
    uint64_t replies[6]; /* by the first digit of the status; [0]: the connection broke before */
    uint64_t micros;     /* from the end of the request's head to the reply */
};

struct web;

/*  ERR_INVALID: not an address.  ERR_CONFLICT: the port is taken.  `why` says it for people. */
MUST_CHECK int web_open(struct web **out, const struct web_options *options, struct diag *why);
void web_close(struct web **self);               /* drops what is under way; NULL-safe */
const char *web_address(const struct web *self); /* "http://127.0.0.1:8265" */
struct web_count web_count(const struct web *self, uint32_t route);
uint32_t web_connections(const struct web *self);

/* --- for handlers ------------------------------------------------------------------------------------- */

/*  NULL: not given.  The first of several. */
const char *web_query(const struct web_request *request, const char *name);
const char *web_header(const struct web_request *request, const char *name);
/*  A number >= 0 from the query, `otherwise` if it is not given.  False: `reply` says that it is none. */
bool web_query_u64(const struct web_request *request, const char *name, uint64_t otherwise,
                   uint64_t *out, struct web_reply *reply);

void web_reply_copy(struct web_reply *reply, uint32_t status, const char *type, struct slice body);
void web_reply_own(struct web_reply *reply, uint32_t status, const char *type, char *malloced,
                   size_t n);
/*  {"apiVersion":"rayc/v1","kind":"Error","error":{"code":"NOT_FOUND","text":"..."}}, with the status that fits the
    code of err.def. */
void web_reply_error(struct web_reply *reply, int code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
uint32_t web_status(int code); /* the HTTP status of a code of err.def */
void web_reply_file(struct web_reply *reply, const char *type, int fd, uint64_t offset,
                    uint64_t bytes);
/*  The flow may be woken by any thread until `close` of it has returned; NULL: no memory, and `close` was called. */
struct web_flow *web_reply_stream(struct web_reply *reply, const char *type,
                                  const struct web_stream *stream, void *context);
void web_wake(struct web_flow *flow);
/*  Of a reply that is made: the others begin without any. */
void web_reply_header(struct web_reply *reply, const char *name, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
#endif
