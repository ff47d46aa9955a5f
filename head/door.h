/*  door.h - how threads of the head say something that changes it: each request is a peer of its own for a moment (HELLO
    with the bearer's token, the request, gone), so that the core judges it as any other client's; and clients that come
    over HTTP are peers for as long as their link lasts.  No sockets: queues, and a descriptor that wakes the loop.

    The loop's side is shaped as net.h; any thread may door_ask() and door_link_open(). */
#ifndef RAYC_DOOR_H
#define RAYC_DOOR_H
#include "head/net.h"
#include "proto/proto.h"

struct door;

#define DOOR_PEER_FIRST (1u << 31) /* net.h's peers are below */

enum { DOOR_ASKED_MAX = 256, DOOR_WAIT_MS = 20000, DOOR_TEXT = 512 };
/*  Links at once, and what each may queue, each way; what all may queue together. */
enum { DOOR_LINKS_MAX = 256, DOOR_LINK_FRAMES = 2048, DOOR_LINK_BYTES = 64 * MIB };
enum { DOOR_LINKS_BYTES = 256 * MIB };

struct door_answer {
    enum msg_kind kind;   /* of what came back */
    uint64_t id;          /* JOB_OPENED: the job; CHANGED: what was changed; RETRIED: the task */
    char text[DOOR_TEXT]; /* of a refusal */
    struct slice frame;   /* EXPLAINED or PLACES, whole: for door_frame_free() */
};

MUST_CHECK int door_open(struct door **out);
/*  No more is taken, and who waits gets ERR_CLOSED.  Threads may still be in door_ask(). */
void door_end(struct door *self);
void door_close(struct door **self); /* NULL-safe; nobody is in door_ask() */

/*  Says it and waits for its answer.  ERR_BUSY: too many ask.  ERR_TIMEOUT, ERR_CLOSED: it may or may not have been
    done.  Else OK, or the code of the refusal. */
void door_frame_free(struct slice *frame);
MUST_CHECK int door_ask(struct door *self, const char *token, enum msg_kind kind, const void *msg,
                        struct door_answer *out);

/*  Wakes the loop, and tells for how long it has not turned although it was woken. */
uint64_t door_stalled_ms(struct door *self);

/* --- peers that stay: everything about one link comes from one thread ---------------------------------- */

struct door_link;

/*  `wake` is called, by any thread and with the door locked, when there is something for door_link_next(), until
    door_link_close().  ERR_BUSY: there are DOOR_LINKS_MAX.  ERR_CLOSED: the door has ended. */
MUST_CHECK int door_link_open(struct door *self, void (*wake)(void *context), void *context,
                              struct door_link **out);
/*  A frame to the loop; it is copied.  ERR_BUSY: the queue is full, or all queues are.  ERR_CLOSED: as below. */
MUST_CHECK int door_link_send(struct door_link *self, struct slice frame);
/*  A frame from the loop, for door_link_free_frame().  ERR_NOT_FOUND: none now.  ERR_CLOSED: the door has ended, or the
    link had not taken its frames and some were lost: it can only be closed. */
MUST_CHECK int door_link_next(struct door_link *self, struct slice *out);
void door_link_free_frame(struct slice *frame);
/*  The loop hears what was sent before, and then that the peer is gone.  NULL-safe. */
void door_link_close(struct door_link **self);

/* --- the loop ------------------------------------------------------------------------------------------ */

int door_fd(const struct door *self);
enum net_news door_next(struct door *self, struct net_event *out);
void door_release(struct door *self); /* ends all frames given out since the last call */
void door_send(struct door *self, uint32_t peer, struct slice frame);
#endif
