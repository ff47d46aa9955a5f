/*  resident.h - the worker's side of proto/channel.h: one socket and one page shared with a resident executor.
    What was read stays where it is until resident_settled(). */
#ifndef RAYC_RESIDENT_H
#define RAYC_RESIDENT_H
#include "common/err.h"
#include "proto/channel.h"
#include "proto/proto.h"

struct outgoing; /* a RUN frame that the socket had no room for */

struct resident {
    int socket;  /* -1: closed */
    bool broken; /* it does not speak our protocol: to be killed */
    struct channel_page *page;
    uint32_t given; /* tasks so far: the next one's number */
    uint32_t next;  /* results of tasks below have been taken, or will never come */
    uint32_t ended; /* how many were taken, or are void */
    struct list ran, told;
    struct msg_ask asked;
    bool asks;
    uint8_t *in;
    size_t in_n, in_at, in_capacity;
    uint8_t *peeked; /* a copy of the page's buffer that `ran` may point into */
    struct outgoing *first, *last;
};

/*  `child` are the executor's ends, to become CHANNEL_FD and CHANNEL_PAGE_FD; the caller closes them. */
MUST_CHECK int resident_open(struct resident *self, int child[2]);
void resident_close(struct resident *self);

/*  Sends a RUN frame of `count` tasks, its size in front, as soon as there is room.  True: there was. */
bool resident_give(struct resident *self, const uint8_t *frame, size_t n, uint32_t count);
bool resident_flush(struct resident *self);

/*  One read; nothing that was returned before is still needed.  ERR_BUSY: nothing now; ERR_CLOSED: no more will come. */
MUST_CHECK int resident_read(struct resident *self);
enum resident_news { RESIDENT_NOTHING = 0, RESIDENT_RAN, RESIDENT_TOLD, RESIDENT_ASKED };
/*  What it said, in order: a result into *ran, or the report of the task that it is in into *told, or what that needs:
    self->asked. */
enum resident_news resident_next(struct resident *self, struct rec_ran *ran,
                                 struct rec_report *told);
void resident_settled(struct resident *self);

/*  Takes what the executor has not sent yet from the page; false: nothing new. */
bool resident_peek(struct resident *self);
/*  Tasks below have begun; never more than were given. */
uint32_t resident_begun(const struct resident *self);
bool resident_works(const struct resident *self); /* on a task whose result has not been taken */
/*  No more tasks begin; returns the number of the first that never will. */
uint32_t resident_take_back(struct resident *self);
#endif
