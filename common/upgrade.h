/*  upgrade.h - a client's request to turn an HTTP connection into a WebSocket, and what the other side says to it.
    Text in, text out; pure. */
#ifndef RAYC_UPGRADE_H
#define RAYC_UPGRADE_H
#include "common/base.h"
#include "common/err.h"

struct upgrade_request {
    const char *host; /* with its port, as in the address */
    const char *path;
    const char *key;   /* websocket_key() */
    const char *token; /* of the bearer; NULL: none */
};

/*  The bytes of the request in `out`; ERR_TOO_LARGE, ERR_TOKEN: it has letters that no header may have. */
MUST_CHECK int upgrade_write(const struct upgrade_request *request, char *out, size_t capacity);

enum upgrade_answer {
    UPGRADE_MORE, /* not all of it has come */
    UPGRADE_DONE,
    UPGRADE_STATUS,  /* HTTP, and not what was asked for: `status` */
    UPGRADE_UNKNOWN, /* 101, but for another request than ours */
    UPGRADE_ZMQ,     /* the greeting of ZeroMQ */
    UPGRADE_NOT_HTTP
};

struct upgrade_reply {
    enum upgrade_answer answer;
    uint32_t status;
    size_t n; /* bytes of it; what follows are frames */
};

/*  `accept`: websocket_accept() of the request's key. */
struct upgrade_reply upgrade_read(struct slice bytes, const char *accept);

/*  What a status that is not 101 means. */
struct upgrade_refusal {
    int code;         /* OK: try again later */
    const char *text; /* to be put behind "the head at ADDRESS"; may have one %u, for the status */
};
struct upgrade_refusal upgrade_refusal(uint32_t status, bool had_token);
#endif
