/*  node_http.h - the worker's HTTP port: /metrics for bearers whom the head knows, /healthz/... for anybody.
    DIR/http.address says where it is.

    The server's threads never touch what is the loop's: they ask through `bearers`, and read what the loop left here.
    Every function takes NULL: a worker without a port. */
#ifndef RAYC_NODE_HTTP_H
#define RAYC_NODE_HTTP_H
#include "common/err.h"
#include "proto/proto.h"
#include "worker/samples.h"

struct node_http;

struct node_store;

struct node_http_options {
    const char *host;
    uint16_t port;   /* 0: any free one */
    const char *dir; /* of the worker */
    struct samples *samples;
    struct node_store *store;
};

/*  `why` says what is wrong, for people. */
MUST_CHECK int node_http_open(struct node_http **out, const struct node_http_options *options,
                              struct diag *why);
void node_http_close(struct node_http **self);

/*  The loop's side.  The descriptor is readable when node_http_ask() has something to say, or somebody wants to know
    whether the loop lives. */
int node_http_fd(const struct node_http *self);
void node_http_joined(struct node_http *self, uint64_t node,
                      const char *cluster); /* 0: the head is away */
bool node_http_ask(struct node_http *self, struct msg_token_check *out);
void node_http_answer(struct node_http *self, const struct msg_token_may *msg);
#endif
