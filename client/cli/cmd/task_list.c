/*  task_list.c - `rayc task list [--job JOB]`. */
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
    return query_list(self, &(struct listing){ "tasks", "TaskList", columns, COUNT(columns) });
}
