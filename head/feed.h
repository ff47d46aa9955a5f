/*  feed.h - who listens to what happens, and the one thread that reads it for all of them.  It reads the database and
    the logs without a lock, and takes its lock only to queue what it has read: a slow disk delays nobody else.  It sleeps
    until the loop says that there is something new, and turns four times a second at most. */
#ifndef RAYC_FEED_H
#define RAYC_FEED_H
#include "common/web/web.h"
#include "head/log_files.h"

struct feed;

enum { FEED_LOGS_MAX = 16, FEED_ID_BYTES = 800 };

enum topic {
    TOPIC_JOBS = 1,
    TOPIC_TASKS = 2,
    TOPIC_NODES = 4,
    TOPIC_OTHERS = 8,
    TOPICS_EVENTS = 15, /* all that are in the table of events */
    TOPIC_PROGRESS = 16
};

struct feed_log {
    uint64_t job, offset; /* the first byte that it has not been told */
};

struct feed_wish {
    uint64_t owner, token; /* owner 0: sees everything */
    uint32_t topics, log_count;
    struct feed_log logs[FEED_LOGS_MAX];
    bool fresh;     /* begins with the events that come next */
    uint64_t after; /* else: after this one */
};

/*  `logs` is used as long as the feed. */
MUST_CHECK int feed_open(struct feed **out, const char *database, const struct log_files *logs);
void feed_close(struct feed **self);    /* after the server; NULL-safe */
void feed_pulse(struct feed *self);     /* there may be something new; from any thread, cheap */
uint64_t feed_count(struct feed *self); /* who listens now */
/*  Answers with a stream of what is wished for. */
void feed_listen(struct feed *self, const struct feed_wish *wish, struct web_reply *reply);
#endif
