/*  job_get.c - `rayc job get JOB`. */
#include "client/cli/connect.h"
#include "client/cli/query.h"
#include "client/cli/table.h"

int cmd_job_get(struct cli *self)
{
    int exit_code = 0;
    const char *id = cli_operand(self, "job", &exit_code);
    exit_code = exit_code ? exit_code : cli_connect(self, CONNECT_READ);
    if (exit_code) {
        return exit_code;
    }
    json_t *job = query_row(self, "job", id, &exit_code);
    if (!job) {
        return exit_code;
    }
    if (cli_json(self)) {
        json_print_one("Job", job);
    } else {
        record_print(self, job, "tasks sessions created_ms start_time_ms end_time_ms");
    }
    json_decref(job);
    return 0;
}
