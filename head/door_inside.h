/*  door_inside.h - what door.c and door_link.c share. */
#ifndef RAYC_DOOR_INSIDE_H
#define RAYC_DOOR_INSIDE_H
#include <pthread.h>
#include "head/door.h"

enum step { FREE, ASKED, HELLO_SAID, SAID, DONE };

/*  Of one that waits.  The frames are the loop's from ASKED until it has said that the peer is gone. */
struct asker {
    enum step step;
    bool gone; /* the asker does not wait any more */
    uint32_t peer;
    int code;
    struct door_answer *answer;
    struct slice hello, request; /* malloced */
};

struct door {
    int event_fd;
    pthread_mutex_t lock;
    pthread_cond_t answered;
    bool ended;
    uint32_t peers;    /* counts */
    uint64_t woken_ms; /* by door_stalled_ms(), and the loop has not turned since; 0: it has */
    struct asker askers[DOOR_ASKED_MAX];
    struct door_link *links[DOOR_LINKS_MAX];
    uint32_t link_count, link_turn;         /* links[link_turn] is heard next */
    size_t link_bytes;                      /* in all queues of links */
    struct slice given[2 * DOOR_ASKED_MAX]; /* frames to be freed at door_release() */
    uint32_t given_count;
};

/* --- under the lock ------------------------------------------------------------------------------- */

uint32_t door_new_peer(struct door *self);
void door_wake_loop(const struct door *self);
void door_give(struct door *self, struct slice *frame, struct net_event *out);

/*  What the loop is told of the links next. */
enum net_news door_links_next(struct door *self, struct net_event *out);
/*  Queues a copy for the link that is this peer.  False: none is. */
bool door_links_send(struct door *self, uint32_t peer, struct slice frame);
void door_links_end(struct door *self);
void door_links_free(struct door *self);
#endif
