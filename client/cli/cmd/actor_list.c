/*  actor_list.c - `rayc actor list [--job JOB]`. */
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
    return query_list(self, &(struct listing){ "actors", "ActorList", columns, COUNT(columns) });
}
