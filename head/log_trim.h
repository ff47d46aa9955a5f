/*  log_trim.h - a thread that removes logs: those of deleted jobs, and those that have not grown for longest when all
    together are too large.  It looks when they may have become so, which is seldom. */
#ifndef RAYC_LOG_TRIM_H
#define RAYC_LOG_TRIM_H
#include "head/log_files.h"

struct log_trim;

/*  `files` must outlive it.  The first look is at once. */
MUST_CHECK int log_trim_open(struct log_trim **out, const struct log_files *files,
                             uint64_t bytes_max);
void log_trim_close(struct log_trim **self); /* NULL-safe */
void log_trim_grew(struct log_trim *self, uint64_t bytes);
/*  A folder was renamed to gone-...: it goes, with all that is in it. */
void log_trim_now(struct log_trim *self);
#endif
