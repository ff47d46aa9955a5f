/*  object_list.c - `rayc object list [--job JOB]`. */
#include "client/cli/query.h"
#include "client/cli/table.h"

static const struct column columns[] = {
    { "OBJECT", "object_id", cell_text, 0 }, /* whole: ids of one job differ at their end */
    { "TYPE", "type", cell_text, 0 },
    { "MADE BY", "name", cell_text, COLUMN_SHRINKS },
    { "STATE", "state", cell_text, COLUMN_STATE },
    { "SIZE", "object_size", cell_bytes, COLUMN_RIGHT },
    { "NODE", "node_id", cell_text, COLUMN_RIGHT },
    { "SPILLED", "spilled", cell_text, COLUMN_RIGHT },
    { "COPIES", "copies", cell_text, COLUMN_RIGHT },
    { "TASK", "task_status", cell_text, COLUMN_STATE },
    { "JOB", "submission_id", cell_id, 0 },
    { "REASON", "reason", cell_text, COLUMN_SHRINKS },
};

int cmd_object_list(struct cli *self)
{
    return query_list(self, &(struct listing){ "objects", "ObjectList", columns, COUNT(columns) });
}
