/*  log_files.h - where the output of jobs and attempts lies in STATE/logs, and how it is read: from any thread, without
    asking the loop.  logs.h writes it.

    A log is a stream of bytes with offsets.  Its first half is in NAME.log; what comes after that is in parts of a
    quarter each, NAME.log.1, NAME.log.2, ..., of which the newest two are kept.  So a log that grows for ever keeps its
    beginning and its end, an offset says which file it is in, and what was between them is gone.

    job-J.log           what the driver of job J printed, all attempts one after the other
    job-J/T.A.log       what attempt A of task T (16 hex digits) printed
    NAME.at             of each: its newest attempt's token and where that begins, its newest part's number */
#ifndef RAYC_LOG_FILES_H
#define RAYC_LOG_FILES_H
#include "common/file.h"
#include "proto/proto.h"

enum { LOG_BYTES_MAX = 64 * MIB };

struct log_files { /* never changes: threads may share it */
    char dir[PATH_BYTES];
    uint64_t head_bytes; /* in NAME.log */
    uint64_t part_bytes; /* in each NAME.log.N */
};

struct log_name {
    uint64_t job;
    uint64_t task;    /* 0: the log of the job's driver */
    uint32_t attempt; /* of the task */
};

struct log_mark { /* what NAME.at says; zeroed: there is none yet */
    uint64_t token;
    uint64_t start, from; /* here in the log is this byte of the attempt's output */
    uint32_t part;
};

struct log_size {
    uint64_t bytes; /* that are on the disk */
    uint64_t changed_ms;
};

/*  `bytes_max` of a log; 0: LOG_BYTES_MAX. */
MUST_CHECK int log_files_init(struct log_files *self, const char *dir, uint64_t bytes_max);
/*  The file of a part (0: NAME.log); the folder of a job's attempts; NAME.at. */
MUST_CHECK int log_path(const struct log_files *self, const struct log_name *name, uint32_t part,
                        char out[PATH_BYTES]);
MUST_CHECK int log_folder(const struct log_files *self, uint64_t job, char out[PATH_BYTES]);
MUST_CHECK int log_mark_path(const struct log_files *self, const struct log_name *name,
                             char out[PATH_BYTES]);
MUST_CHECK int log_mark_read(const struct log_files *self, const struct log_name *name,
                             struct log_mark *out);

/*  Appends to `to` what the log has from *offset on, as much as fits and is in one file; nothing if it has no more.
    *offset moves on when what was there is gone. */
MUST_CHECK int log_read(const struct log_files *self, const struct log_name *name, uint64_t *offset,
                        struct wire *to);
uint64_t log_part_start(const struct log_files *self, uint32_t part);
void log_measure(const struct log_files *self, const struct log_name *name, struct log_size *out);
void log_unlink(const struct log_files *self, const struct log_name *name);
uint64_t log_end(const struct log_files *self, const struct log_name *name);
/*  Where its last `lines` lines begin. */
uint64_t log_tail(const struct log_files *self, const struct log_name *name, uint64_t lines);
#endif
