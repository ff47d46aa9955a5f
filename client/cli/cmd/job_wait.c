/*  job_wait.c - `rayc job wait [--timeout TIME] JOB`. */
#include "client/cli/connect.h"
#include "client/cli/query.h"
#include "client/cli/watch.h"

int cmd_job_wait(struct cli *self)
{
    int exit_code = 0;
    const char *id = cli_operand(self, "job", &exit_code);
    exit_code = exit_code ? exit_code : cli_connect(self, CONNECT_READ);
    if (exit_code) {
        return exit_code;
    }
    struct watch watch = { .job = query_number(self, "job", id, &exit_code),
                           .until_end = true,
                           .progress = true,
                           .limit_ms = self->options.timeout };
    exit_code = exit_code ? exit_code : watch_job(self, &watch);
    return exit_code ? exit_code : watch_end(self, &watch);
}
