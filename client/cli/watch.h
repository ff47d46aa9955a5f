/*  watch.h - follows a job: its output to stdout as it comes, its progress to stderr, its end as an exit code. */
#ifndef RAYC_CLI_WATCH_H
#define RAYC_CLI_WATCH_H
#include "client/cli/cli.h"
#include "common/ids.h"
#include "proto/proto.h"

struct watch {
    uint64_t job;
    bool logs;      /* print the driver's output */
    uint64_t tail;  /* only so many of its last lines, and what comes; 0: all */
    bool until_end; /* else only what is there now */
    bool progress;
    int64_t limit_ms; /* OPTION_UNSET: none.  124 after it. */
    /* How it ended. */
    uint32_t state; /* JOB_STATE */
    int32_t exit_code;
    char submission[NAME_MAX_BYTES + 1];
    char message[1024];
    uint64_t total, finished, failed;
};

/*  0: `self` says how the job is; else the exit code of what was said: of a failure, of Ctrl-C, of the time-out. */
int watch_job(struct cli *cli, struct watch *self);
/*  The exit code of rayc for a job that has ended, and what to say about it. */
int watch_end(const struct cli *cli, const struct watch *self);
#endif
