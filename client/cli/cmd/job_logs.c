/*  job_logs.c - `rayc job logs [-f] [--tail N] JOB`. */
#include "client/cli/connect.h"
#include "client/cli/query.h"
#include "client/cli/watch.h"

int cmd_job_logs(struct cli *self)
{
    int exit_code = 0;
    const char *id = cli_operand(self, "job", &exit_code);
    exit_code = exit_code ? exit_code : cli_connect(self, CONNECT_READ);
    if (exit_code) {
        return exit_code;
    }
    struct watch watch = { .job = query_number(self, "job", id, &exit_code),
                           .logs = true,
                           .tail = self->options.tail > 0 ? (uint64_t)self->options.tail : 0,
                           .until_end = self->options.follow,
                           .limit_ms = OPTION_UNSET };
    exit_code = exit_code ? exit_code : watch_job(self, &watch);
    if (exit_code == 0) {
        detail(self, "job %s: %s", watch.submission, job_state_name(watch.state));
    }
    return exit_code;
}
