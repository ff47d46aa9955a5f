/*  query.h - QUERY answered as JSON, and STUDY_READ as rows, by a thread of its own with a read-only
    connection of its own, so that the head's loop goes on.  Questions are answered in order, one at
    a time.  Used from one thread.

    What is asked waits for query_begin(), which is called after the commit of the turn: an answer
    knows of all that arrived before its question. */
#ifndef RAYC_QUERY_H
#define RAYC_QUERY_H
#include "common/base.h"
#include "common/err.h"
#include "head/core/core.h"
#include "proto/proto.h"

enum { QUESTIONS_MAX = 64, QUERY_MS_MAX = 60000 };

struct query;

/*  Borrowed until the next query_next(). */
struct query_reply {
    uint32_t peer;
    uint64_t seq;
    int code;           /* OK: `json` is set; else `text` says what was wrong */
    struct slice json;  /* of a QUERY: one object */
    struct slice frame; /* of a STUDY_READ: a whole STUDY_ROWS */
    const char *text;
};

MUST_CHECK int query_open(struct query **out, const char *path);
void query_close(struct query **self); /* NULL-safe; drops what is not answered */
MUST_CHECK int query_ask(struct query *self, uint32_t peer, const struct reader *reader,
                         const struct msg_query *ask); /* copies; ERR_BUSY */
MUST_CHECK int query_ask_study(struct query *self, uint32_t peer, const struct reader *reader,
                               const struct msg_study_read *ask); /* likewise */
void query_begin(struct query *self);                             /* answering what was asked */
int query_fd(const struct query
                 *self); /* an eventfd, readable when there is an answer (query_next() reads it) */
bool query_next(struct query *self, struct query_reply *out);
#endif
