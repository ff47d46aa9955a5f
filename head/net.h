/*  net.h - the head's one socket: a ZeroMQ ROUTER.  Frames in and out, and which connections broke.
    A peer is a number that lives as long as one connection.  With keys: CURVE, and ZAP (czmq's zauth) lets in only who
    has the pair of members.  Used from one thread. */
#ifndef RAYC_NET_H
#define RAYC_NET_H
#include "common/base.h"
#include "common/err.h"
#include "common/key.h"

struct net;

enum net_news { NET_NOTHING = 0, NET_FRAME, NET_GONE };

struct net_event {
    uint32_t peer;
    struct slice bytes; /* NET_FRAME: borrowed until net_release() */
};

struct net_keys {
    const struct cluster_key *server; /* the head's own pair */
    const char *member;               /* the public part of that of members */
    const char *folder;               /* for the certificate of members, which zauth reads */
};

/*  `address` as ZeroMQ binds it; a port of * is chosen.  `keys` NULL: without encryption. */
MUST_CHECK int net_open(struct net **out, const char *address, const struct net_keys *keys);
void net_close(struct net **self); /* sends what is queued for at most a second; NULL-safe */
const char *net_address(const struct net *self); /* where it really listens */
/*  Two descriptors to sleep on; then call net_next() until NET_NOTHING, also after sending. */
void net_fds(const struct net *self, int out[2]);
enum net_news net_next(struct net *self, struct net_event *out);
void net_release(struct net *self); /* ends all frames given out since the last call */
/*  connections whose key was refused, since the start */
uint64_t net_refusals(const struct net *self);
void net_send(struct net *self, uint32_t peer,
              struct slice frame); /* dropped if the peer is gone */
#endif
