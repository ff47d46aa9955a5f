/*  link.h - one connection to a head: a ZeroMQ DEALER that dials, frames in and out, and the news that the
    connection was made or broke (from ZeroMQ's socket monitor).  Knows nothing of what is in a frame.
    Not thread-safe: one thread uses it.  Frames that were under way when a connection broke may be lost. */
#ifndef RAYC_LINK_H
#define RAYC_LINK_H
#include "common/base.h"
#include "common/err.h"
#include "common/key.h"

struct link;

enum link_news {
    LINK_NOTHING = 0, /* nothing now: sleep on link_fd() */
    LINK_UP,          /* connected, maybe to another process than before: say HELLO */
    LINK_DOWN,        /* the connection broke; it is being made again */
    LINK_REFUSED, /* the head refused our key, or speaks without keys: it will not get better by itself */
    LINK_FRAME /* a frame has come */
};

struct link_frame {
    struct slice bytes;
    void *owner; /* of the bytes: give it to link_frame_free() */
};

/*  `address`: "tcp://host:port", "ipc://path", or "host:port".  `key` NULL: without encryption. */
MUST_CHECK int link_open(struct link **out, const char *address, const struct cluster_key *key);
void link_close(struct link **self); /* drops what was not sent; NULL-safe */
/*  Readable when something may have come.  Call link_next() until LINK_NOTHING after it was readable, and also
    after link_send() before sleeping: ZeroMQ tells each piece of news once. */
int link_fd(const struct link *self);
enum link_news link_next(struct link *self, struct link_frame *out);
void link_frame_free(struct link_frame *frame);
MUST_CHECK int link_send(struct link *self, const void *p, size_t n); /* copies; never blocks */
/*  Checks the form of an address and writes it as ZeroMQ wants it; ERR_INVALID. */
MUST_CHECK int link_address(const char *text, char *out, size_t capacity);
#endif
