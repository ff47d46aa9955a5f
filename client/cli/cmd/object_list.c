/*  object_list.c - `rayc object list [--job JOB]`. */
#include "client/cli/connect.h"
#include "client/cli/query.h"
#include "client/cli/table.h"

static const struct column columns[] = {
    { "OBJECT", "object_id", cell_text, 0 }, /* whole: ids of one job differ at their end */
    { "TYPE", "type", cell_text, 0 },
    { "MADE BY", "name", cell_text, COLUMN_SHRINKS },
    { "STATE", "state", cell_text, COLUMN_STATE },
    { "SIZE", "object_size", cell_bytes, COLUMN_RIGHT },
    { "NODE", "node_id", cell_text, COLUMN_RIGHT },
    { "COPIES", "copies", cell_text, COLUMN_RIGHT },
    { "TASK", "task_status", cell_text, COLUMN_STATE },
    { "JOB", "submission_id", cell_id, 0 },
    { "REASON", "reason", cell_text, COLUMN_SHRINKS },
};

int cmd_object_list(struct cli *self)
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
    json_t *rows = query_rows(self, "objects", "ObjectList", job, &exit_code);
    if (rows) {
        exit_code = rows_print(self, rows, columns, COUNT(columns), "objects");
        json_decref(rows);
    }
    return exit_code;
}
