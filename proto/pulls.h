/*  pulls.h - objects that are fetched from the nodes that have them: many at once, in chunks, several in flight.

    Each node is dialled once, by ZeroMQ; chunks of an object come from all of its sources that answer.  What has come
    stays: after a broken connection, a slow source or a wrong hash only what is missing is asked for again, elsewhere if
    there is another source.  An object that is asked for twice travels once.  What is in flight is bounded, and so are the
    bytes of objects that are being fetched: others wait for their turn.

    Used from one thread, which sleeps on pulls_fd(); nothing here waits. */
#ifndef RAYC_PULLS_H
#define RAYC_PULLS_H
#include "common/err.h"
#include "common/key.h"
#include "proto/proto.h"

struct pulls;

enum { PULLS_LATER = 1, PULLS_MAX = 1 << 14, PULL_SOURCES_MAX = 16 };

/*  Where the bytes go.  `create` makes a buffer: OK; PULLS_LATER: `ready` will say; or how it failed.  A buffer ends with
    `seal` or `abort`, or when `ready` says how it failed. */
struct pulls_sink {
    void *context;
    int (*create)(void *context, uint64_t user, uint64_t bytes, uint32_t *buffer);
    int (*ready)(void *context, uint32_t buffer);
    int (*write)(void *context, uint32_t buffer, uint64_t offset, struct slice bytes);
    int (*seal)(void *context, uint32_t buffer, uint64_t task, uint32_t index);
    void (*abort)(void *context, uint32_t buffer);
};

struct pulls_options {
    struct pulls_sink sink;
    const struct member_key *key; /* NULL: without encryption */
    uint64_t bytes_max; /* of objects that are being fetched; one larger object travels alone */
    uint32_t stall_ms;  /* a request is given up when its source says nothing for so long */
    uint32_t again_ms;  /* what nobody else can help with is asked of a second source after that */
    uint32_t warn_ms;   /* an object of which no byte comes for so long is told in the log */
    uint32_t fail_ms;   /* and fails after that */
};
struct pulls_options pulls_defaults(void);

MUST_CHECK int pulls_open(struct pulls **out, const struct pulls_options *options);
void pulls_close(struct pulls **self); /* aborts what is on its way; NULL-safe */
void pulls_say_token(struct pulls *self, const char *token); /* with each request */

/*  Who has it: the text that its carry_address() says, and a number for pull_news. */
struct pull_source {
    uint64_t node;
    const char *address;
};

struct pull_order {
    uint64_t task;
    uint32_t index;
    uint64_t size, user;
    const struct pull_source *sources;
    uint32_t source_count;
};
/*  Each order of an object that is on its way adds its sources.  ERR_BUSY: PULLS_MAX are.  ERR_INVALID: a size of 0, or
    no source. */
MUST_CHECK int pulls_add(struct pulls *self, const struct pull_order *order);
/*  Takes one order back; the last one ends the transfer, with ERR_CANCELLED. */
void pulls_cancel(struct pulls *self, uint64_t task, uint32_t index);

int pulls_fd(const struct pulls *self);
void pulls_turn(struct pulls *self); /* when it is readable, after orders, and at pulls_due() */
uint64_t pulls_due(const struct pulls *self); /* clock_ms(); UINT64_MAX: never */

enum pull_news_kind {
    PULL_DONE = 1, /* the object is sealed */
    PULL_FAILED,   /* its buffer is gone; `code`, `text` */
    PULL_MISSING   /* `node` says that it has no such object */
};
struct pull_news {
    enum pull_news_kind kind;
    uint64_t task, node;
    uint32_t index;
    int code;
    char text[160];
};
bool pulls_next(struct pulls *self, struct pull_news *out);

struct pulls_stats {
    uint64_t bytes, chunks; /* that have come and were right */
    uint64_t wrong, again;  /* chunks with a wrong hash; requests that were given up */
    uint32_t waiting, running;
};
struct pulls_stats pulls_stats(const struct pulls *self);
#endif
