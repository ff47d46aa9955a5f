/*  feed_inside.h - what feed.c and feed_tell.c share. */
#ifndef RAYC_FEED_INSIDE_H
#define RAYC_FEED_INSIDE_H
#include <pthread.h>
#include <sqlite3.h>
#include <stdatomic.h>
#include "head/feed.h"

enum { FEED_QUEUE_MAX = 256 << 10 /* who reads too slowly is told to begin again */ };

struct listener {
    struct feed *feed;
    struct listener *next; /* the thread takes out who is gone */
    struct web_flow *flow;
    /* the thread's, since it listens */
    struct feed_wish wish;
    bool greeted;  /* it knows where it is */
    bool progress; /* and how far the jobs are */
    bool missed;   /* some of that, as its queue was full */
    uint64_t spoke_ms;
    /* under the lock */
    bool listed, ended, gone;
    bool begun; /* a part of the first frame was sent */
    char *p;
    size_t n, at, capacity; /* p[at..n) is to be sent: whole frames */
};

struct progress {
    uint64_t job, total, finished, failed;
};

struct feed {
    const char *database;
    const struct log_files *logs;
    pthread_t thread;
    bool running;
    int wake_fd;
    atomic_bool wanted, ending; /* wanted: a pulse shall wake the thread */
    pthread_mutex_t lock;       /* guards the list's head and what listeners say is under it */
    struct listener *listeners;
    /* the thread's */
    sqlite3 *db;
    uint64_t first, last; /* ids that there are */
    uint64_t checked_ms;
    struct progress *progress; /* of jobs that run or ended just now, by job */
    size_t progress_count;
};

/*  Bytes that wait to be sent. */
size_t listener_waits(struct listener *self);
void listener_put(struct listener *self, const char *p, size_t n);
/*  Drops what waits. */
void listener_drop(struct listener *self);
void listener_end(struct listener *self);

/*  Tells `all` what is new.  True: there is more. */
bool feed_turn(struct feed *self, struct listener *all, uint64_t now_ms);
#endif
