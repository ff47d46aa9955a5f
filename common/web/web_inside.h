/*  web_inside.h - a server and the requests under way; what the files of common/web share. */
#ifndef RAYC_WEB_INSIDE_H
#define RAYC_WEB_INSIDE_H
#include <pthread.h>
#include <stdatomic.h>
#include "common/web/mhd.h"
#include "common/web/web_rules.h"
#include "common/web/web_socket.h"

enum {
    CONNECTIONS_MAX = 256,
    CONNECTIONS_PER_IP_MAX = 240, /* whoever takes these leaves some for the others */
    CONNECTION_BYTES = 16 << 10,  /* head of a request, and of its reply */
    STACK_BYTES = 256 << 10,
    HEAD_MS_MAX = 10000,        /* from the connection's begin to the end of its first head */
    IDLE_MS_MAX = 30000,        /* from a reply to the end of the next head; without progress */
    BODY_BYTES_PER_MS_MIN = 64, /* a body may take IDLE_MS_MAX and so much longer */
    DRAIN_MAX = 1 << 20,        /* a body of a refused request that is still received */
    WORKER_IDLE_MS = 10000,
    WORKERS_DEFAULT = 8,
    QUEUE_MAX = CONNECTIONS_MAX,
    BODIES_MAX = 256 << 20 /* all that are kept in memory at once */
};

/*  A connection of ours, from its begin to its end.  What it may not outlive is looked after by the pump. */
struct web_connection {
    struct web_connection *next, *previous;
    int fd;
    atomic_uint_fast64_t deadline_ms; /* UINT64_MAX: none */
};

enum web_stage {
    CALL_HEAD,   /* the head has come: rules, then CHECK */
    CALL_CHECK,  /* with a worker: token, path, query; without a body, the handler too */
    CALL_BODY,   /* the body is coming */
    CALL_RUN,    /* with a worker: the handler */
    CALL_DRAIN,  /* the reply is there, the body is passed over */
    CALL_ANSWER, /* the reply is there */
    CALL_SENT
};

/*  One request, from its first line to the end of its reply. */
struct web_call {
    struct web *web;
    struct MHD_Connection *connection;
    struct web_call *next; /* in the queue of the workers */
    enum web_stage stage;
    bool first_passed; /* the call of a request without its body has returned */
    bool has_body;
    uint64_t body_bytes; /* announced; UINT64_MAX: in chunks */
    uint64_t taken;      /* of an upload */
    uint64_t begin_us;
    char *target;
    char *texts; /* decoded path and query */
    char *body;
    size_t body_capacity;
    struct web_request request;
    struct web_reply reply;
};

struct web_tally { /* of a route; the last one: of no route */
    atomic_ullong replies[6], micros;
};

struct web_worker_list;
struct web_pump;

struct web {
    struct web_options options;
    char *names_text; /* of options.names, joined */
    const char **names;
    char address[320];
    int fd;
    struct MHD_Daemon *daemon;
    atomic_bool ending;
    atomic_llong body_room; /* of BODIES_MAX, what is left */
    struct web_tally *tallies;

    pthread_mutex_t lock; /* guards what follows */
    pthread_cond_t work;  /* there is a call, or the end has come */
    struct web_call *first, *last;
    uint32_t queued, workers, idle;
    pthread_cond_t gone; /* a worker has ended */
    struct web_connection *connections;
    uint32_t connection_count;
    struct web_flow *flows;

    struct web_pump *pump;
};

/* web.c: somebody has come. */
MUST_CHECK int web_serve(struct web *self, struct diag *why);

/* web_rules_head.c: what libmicrohttpd lets pass.  NULL: the head is as RFC 9112 wants it; else why not. */
const char *web_head_wrong(struct web_call *call, const char *method, const char *version);

/* web_call.c */
enum MHD_Result web_access(void *context, struct MHD_Connection *connection, const char *url,
                           const char *method, const char *version, const char *data, size_t *n,
                           void **state);
void *web_call_new(void *context, const char *uri, struct MHD_Connection *connection);
void web_call_end(void *context, struct MHD_Connection *connection, void **state,
                  enum MHD_RequestTerminationCode code);
void web_call_work(struct web_call *call, void *local); /* on a worker */

/* web_work.c */
bool web_work_add(struct web_call *call); /* false: too much is waiting */
void web_work_stop(struct web *self);

/* web_reply.c */
enum MHD_Result web_reply_send(struct web_call *call);
void web_reply_clear(struct web_reply *reply);
int64_t web_flow_read(void *context, uint64_t at, char *to, size_t capacity);
void web_flow_close(void *context);
void web_flow_start(struct web *web, struct web_flow *flow, struct MHD_Connection *connection);
void web_flows_end(struct web *self);

/* web_pump.c: the thread that waits for the first connection, and then looks after time and WebSockets. */
MUST_CHECK int web_pump_open(struct web_pump **out, struct web *web);
void web_pump_end(struct web_pump *self); /* ends all WebSockets; those that still come, at once */
void web_pump_close(struct web_pump **self); /* when none comes any more */
/*  Called by libmicrohttpd when a connection has become a WebSocket. */
void web_pump_take(void *context, struct MHD_Connection *connection, void *request,
                   const char *extra, size_t extra_n, MHD_socket fd,
                   struct MHD_UpgradeResponseHandle *handle);
struct web_joining { /* what web_pump_take() gets */
    struct web *web;
    const struct web_socket_kind *kind;
    void *context;
};
#endif
