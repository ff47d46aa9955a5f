/*  logs.h - what the drivers of jobs printed: STATE/logs/job-N.log, all attempts one after the
    other.

    Workers send output with its offset within the attempt, and again after a doubt; a byte is
    written once.  Where the newest attempt begins is kept beside the log, in job-N.at, so that
    this holds across restarts of the head. Output of an overtaken attempt, and beyond the size
    limit, is taken and dropped.  Used from one thread. */
#ifndef RAYC_LOGS_H
#define RAYC_LOGS_H
#include "common/base.h"
#include "common/err.h"
#include "proto/proto.h"

enum { LOGS_OPEN_MAX = 32, LOG_BYTES_MAX = 64 * MIB };

struct logs;

/*  `bytes_max` per job; 0: LOG_BYTES_MAX. */
MUST_CHECK int logs_open(struct logs **out, const char *dir, uint64_t bytes_max);
void logs_close(struct logs **self); /* NULL-safe */

/*  Output of an attempt (its token) of a job's driver, from `offset` of it on.  *next is the
    offset wanted next: if it is below `offset`, something is missing and nothing was written.
    ERR_SYSTEM: try again later. */
MUST_CHECK int logs_append(struct logs *self, const struct msg_log *piece, uint64_t *next);
/*  Appends to `to` what the job's log has from `offset` on, as much as fits; nothing if it has no
    more. */
MUST_CHECK int logs_read(struct logs *self, uint64_t job, uint64_t offset, struct wire *to);
void logs_remove(struct logs *self, uint64_t job); /* of a deleted job */
#endif
