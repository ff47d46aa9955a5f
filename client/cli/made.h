/*  made.h - jobs that a command makes: the id that it chooses, and what it does when the job is there: tells it, or
    follows the job to its end. */
#ifndef RAYC_CLI_MADE_H
#define RAYC_CLI_MADE_H
#include "client/cli/cli.h"
#include "proto/proto.h"

struct made {
    uint64_t job;
    const char *submission;
    const char *retry_of; /* submission id of the job that is repeated; NULL: none */
    bool again;           /* it was there already */
};

/*  --submission-id, or a new one.  It is chosen before the first send and kept for resends, so that a job is made
    once.  0, or fail_usage(). */
int made_name(const struct cli *cli, char out[NAME_MAX_BYTES + 1]);
/*  0, or why a job that nobody waits for cannot be made.  Before and after cli_connect(). */
int made_check_wait(const struct cli *cli);
/*  The exit code: with --no-wait 0, else that of the job. */
int made_go_on(struct cli *cli, const struct made *self);
#endif
