/*  link.h - one connection to a head, which is dialled and made again when it broke: frames in and out, and the news
    that it was made or broke.  Two transports: a ZeroMQ DEALER, and a WebSocket over HTTP, for where only the head's
    HTTP port can be reached.  Knows nothing of what is in a frame.
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
    LINK_REFUSED,     /* it will not get better by itself: link_refusal() says why */
    LINK_FRAME        /* a frame has come */
};

struct link_frame {
    struct slice bytes;
    void *owner; /* of the bytes: give it to link_frame_free() */
    void (*release)(void *owner);
};

/*  Why the head refused: a code of err.def, and what to put behind "the head at ADDRESS". */
struct link_refusal {
    int code;
    const char *text; /* the link's */
};

/*  `address`: "tcp://host:port", "host:port", "ipc://path" or "http://host:port".  `key` NULL: without encryption, as
    over HTTP always. */
MUST_CHECK int link_open(struct link **out, const char *address, const struct member_key *key);
void link_close(struct link **self); /* drops what was not sent; NULL-safe */
/*  The token that goes with the request for a connection over HTTP; to be said before the first link_next(). */
void link_set_token(struct link *self, const char *token);
struct link_refusal link_refusal(const struct link *self); /* of the last LINK_REFUSED */
/*  Readable when something may have come.  Call link_next() until LINK_NOTHING after it was readable, and also
    after link_send() before sleeping: each piece of news is told once. */
int link_fd(const struct link *self);
enum link_news link_next(struct link *self, struct link_frame *out);
void link_frame_free(struct link_frame *frame);
MUST_CHECK int link_send(struct link *self, const void *p, size_t n); /* copies; never blocks */
/*  Checks the form of an address and writes it in full; ERR_INVALID: link_address_wrong() says what it should be. */
MUST_CHECK int link_address(const char *text, char *out, size_t capacity);
const char *link_address_wrong(const char *text);
bool link_is_http(const char *address);
#endif
