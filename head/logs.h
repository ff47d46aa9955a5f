/*  logs.h - writes what drivers and attempts printed to the files of log_files.h.

    Workers send output with its offset within the attempt, and again after a doubt; a byte is
    written once.  Where the newest attempt begins is kept beside the log, in NAME.at, so that this
    holds across restarts of the head.  Output of an overtaken attempt is taken and dropped; what
    is lost for good (the disk of the head, the window of a worker) is told in the log.  All logs
    together have a limit: those that have not grown for longest go first, by a thread.  Used from
    one thread. */
#ifndef RAYC_LOGS_H
#define RAYC_LOGS_H
#include "common/base.h"
#include "common/err.h"
#include "head/log_files.h"
#include "proto/proto.h"

enum { LOGS_OPEN_MAX = 64 };

struct logs;

struct logs_limits {
    uint64_t log; /* bytes kept of one; 0: LOG_BYTES_MAX */
    uint64_t all; /* of all together; 0: LOGS_BYTES_MAX */
};
#define LOGS_BYTES_MAX (8ull << 30)

MUST_CHECK int logs_open(struct logs **out, const char *dir, struct logs_limits limits);
void logs_close(struct logs **self); /* NULL-safe */
const struct log_files *logs_files(const struct logs *self);

/*  Output of an attempt (its token), from `offset` of it on: of a job's driver if attempt is 0.
    `current`: the core says that it is a current one, which may begin a log; else it can only go
    on with one that it has begun.  *next is the offset wanted next: if it is below `offset`,
    something is missing and nothing was written.  ERR_SYSTEM: try again later. */
MUST_CHECK int logs_append(struct logs *self, const struct msg_log *piece, bool current,
                           uint64_t *next);
void logs_remove(struct logs *self, uint64_t job); /* all of a deleted job */
#endif
