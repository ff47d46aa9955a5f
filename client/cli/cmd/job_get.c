/*  job_get.c - `rayc job get JOB`. */
#include "client/cli/connect.h"
#include "client/cli/explain.h"
#include "client/cli/query.h"
#include "client/cli/table.h"
#include "common/ids.h"

/*  What waits is the first task of its first session: its driver, or an array's. */
static void print_why(struct cli *self, const json_t *job)
{
    const json_t *session = json_array_get(json_object_get(job, "sessions"), 0);
    const char *status = json_string_value(json_object_get(job, "status"));
    task_id first = task_id_of((uint64_t)json_integer_value(session), 1);
    struct msg_explain explain = { .task = first.v };
    struct msg reply;
    if (status && strcmp(status, "PENDING") == 0 && session &&
        ask(self->ask, MSG_EXPLAIN, &explain, MSG_EXPLAINED, &reply) == OK) {
        putchar('\n');
        explain_print(&reply.as.explained);
    }
}

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
        print_why(self, job);
    }
    json_decref(job);
    return 0;
}
