/*  feed_inside.h - what feed.c and feed_tell.c share. */
#ifndef RAYC_FEED_INSIDE_H
#define RAYC_FEED_INSIDE_H
#include <pthread.h>
#include <sqlite3.h>
#include <stdatomic.h>
#include "head/feed.h"

enum {
    FEED_QUEUE_MAX = 256 << 10, /* who has so much to read waits, until half of it is read */
    FEED_STALLED_MS = 2000      /* who reads none of that for so long reads too slowly */
};

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
    bool begun;       /* a part of the first frame was sent */
    bool waits;       /* for room: it was full, and there is more to tell */
    uint64_t took_ms; /* when it last read, or began to have something to read */
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
    atomic_bool room;           /* one that was full has read: the next turn comes at once */
    pthread_mutex_t lock;       /* guards the list's head and what listeners say is under it */
    struct listener *listeners;
    /* the thread's */
    sqlite3 *db;
    uint64_t first, last; /* ids that there are */
    uint64_t checked_ms;
    bool failed, fails;        /* the database could not be read, in the turn before; in this one */
    struct progress *progress; /* of jobs that run or ended just now, by job */
    size_t progress_count;
    uint64_t newest_job; /* that was ever looked at for it */
};

/*  True: nothing may be put now; the thread is woken when there is room. */
bool listener_full(struct listener *self);
/*  It is full, and reads too slowly. */
bool listener_stalled(struct listener *self, uint64_t now_ms);
void listener_put(struct listener *self, const char *p, size_t n);
/*  Drops what waits. */
void listener_drop(struct listener *self);
void listener_end(struct listener *self);

/*  Tells `all` what is new.  True: there is more. */
bool feed_turn(struct feed *self, struct listener *all, uint64_t now_ms);
#endif
