/*  door.h - how threads of the head say something that changes it: each request is a peer of its own for a moment (HELLO
    with the bearer's token, the request, gone), so that the core judges it as any other client's.  No sockets: a queue
    and a descriptor that wakes the loop.

    The loop's side is shaped as net.h; any thread may door_ask(). */
#ifndef RAYC_DOOR_H
#define RAYC_DOOR_H
#include "head/net.h"
#include "proto/proto.h"

struct door;

#define DOOR_PEER_FIRST (1u << 31) /* net.h's peers are below */

enum { DOOR_ASKED_MAX = 256, DOOR_WAIT_MS = 20000, DOOR_TEXT = 512 };

struct door_answer {
    enum msg_kind kind;   /* of what came back */
    uint64_t id;          /* JOB_OPENED: the job; CHANGED: what was changed; RETRIED: the task */
    char text[DOOR_TEXT]; /* of a refusal */
};

MUST_CHECK int door_open(struct door **out);
/*  No more is taken, and who waits gets ERR_CLOSED.  Threads may still be in door_ask(). */
void door_end(struct door *self);
void door_close(struct door **self); /* NULL-safe; nobody is in door_ask() */

/*  Says it and waits for its answer.  ERR_BUSY: too many ask.  ERR_TIMEOUT, ERR_CLOSED: it may or may not have been
    done.  Else OK, or the code of the refusal. */
MUST_CHECK int door_ask(struct door *self, const char *token, enum msg_kind kind, const void *msg,
                        struct door_answer *out);

/*  Wakes the loop, and tells for how long it has not turned although it was woken. */
uint64_t door_stalled_ms(struct door *self);

int door_fd(const struct door *self);
enum net_news door_next(struct door *self, struct net_event *out);
void door_release(struct door *self); /* ends all frames given out since the last call */
void door_send(struct door *self, uint32_t peer, struct slice frame);
#endif
