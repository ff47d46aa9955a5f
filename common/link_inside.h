/*  link_inside.h - what the transports of a link have in common: each is a struct that begins with a struct link, and a
    table of functions.  For common/link*.c only. */
#ifndef RAYC_LINK_INSIDE_H
#define RAYC_LINK_INSIDE_H
#include "common/link.h"

enum {
    LINK_FRAME_BYTES_MAX = 16 << 20 /* a longer one would break the connection, again and again */
};

struct link_kind {
    void (*close)(struct link *self);
    int (*fd)(const struct link *self);
    enum link_news (*next)(struct link *self, struct link_frame *out);
    int (*send)(struct link *self, const void *p, size_t n);
    void (*set_token)(struct link *self, const char *token); /* NULL: it goes in HELLO only */
};

struct link {
    const struct link_kind *kind;
    struct link_refusal refusal;
};

/*  Addresses are those that link_address() wrote. */
MUST_CHECK int link_open_zmq(struct link **out, const char *address, const struct member_key *key);
MUST_CHECK int link_open_http(struct link **out, const char *address);
#endif
