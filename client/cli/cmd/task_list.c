/*  task_list.c - `rayc task list [--job JOB]`. */
#include "client/cli/connect.h"
#include "client/cli/query.h"
#include "client/cli/table.h"

static const struct column columns[] = {
    { "TASK", "task_id", cell_text, 0 }, /* whole: ids of one job differ at their end */
    { "NAME", "name", cell_text, COLUMN_SHRINKS },
    { "INDEX", "index", cell_text, COLUMN_RIGHT },
    { "STATE", "state", cell_text, COLUMN_STATE },
    { "JOB", "submission_id", cell_id, 0 },
    { "ATTEMPT", "attempt", cell_text, COLUMN_RIGHT },
    { "NODE", "node_id", cell_text, COLUMN_RIGHT },
    { "RAN", "start_time", cell_duration, COLUMN_RIGHT },
    { "ERROR", "error_message", cell_text, COLUMN_SHRINKS },
};

int cmd_task_list(struct cli *self)
{
    int exit_code = cli_no_operands(self);
    exit_code = exit_code ? exit_code : cli_connect(self, CONNECT_READ);
    if (exit_code) {
        return exit_code;
    }
    char job[NAME_MAX_BYTES + 1] = "";
    if (self->options.job && !query_job_id(self, self->options.job, job, &exit_code)) {
        return exit_code;
    }
    json_t *rows = query_rows(self, "tasks", "TaskList", job, &exit_code);
    if (rows) {
        exit_code = rows_print(self, rows, columns, COUNT(columns), "tasks");
        json_decref(rows);
    }
    return exit_code;
}
