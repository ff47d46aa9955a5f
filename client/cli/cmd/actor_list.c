/*  actor_list.c - `rayc actor list [--job JOB]`. */
#include "client/cli/connect.h"
#include "client/cli/query.h"
#include "client/cli/table.h"

static const struct column columns[] = {
    { "ACTOR", "actor_id", cell_text, 0 }, /* whole: ids of one job differ at their end */
    { "CLASS", "class_name", cell_text, COLUMN_SHRINKS },
    { "NAME", "name", cell_text, COLUMN_SHRINKS },
    { "STATE", "state", cell_text, COLUMN_STATE },
    { "JOB", "submission_id", cell_id, 0 },
    { "RESTARTS", "num_restarts", cell_text, COLUMN_RIGHT },
    { "NODE", "node_id", cell_text, COLUMN_RIGHT },
    { "LIVED", "start_time", cell_duration, COLUMN_RIGHT },
    { "WHY DEAD", "text", cell_text, COLUMN_SHRINKS },
};

int cmd_actor_list(struct cli *self)
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
    json_t *rows = query_rows(self, "actors", "ActorList", job, &exit_code);
    if (rows) {
        exit_code = rows_print(self, rows, columns, COUNT(columns), "actors");
        json_decref(rows);
    }
    return exit_code;
}
