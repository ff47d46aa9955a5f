/*  tune_list.c - `rayc tune list`. */
#include "client/cli/query.h"
#include "client/cli/table.h"

static const struct column columns[] = {
    { "STUDY", "name", cell_text, COLUMN_SHRINKS },
    { "STATE", "state", cell_text, COLUMN_STATE },
    { "TRIALS", "trials", cell_text, COLUMN_RIGHT },
    { "RUNNING", "running", cell_text, COLUMN_RIGHT },
    { "ERRORS", "errors", cell_text, COLUMN_RIGHT },
    { "METRIC", "metric", cell_text, 0 },
    { "BEST", "best_value", cell_text, COLUMN_RIGHT },
    { "TRIAL", "best_trial", cell_text, COLUMN_RIGHT },
    { "CREATED", "created_ms", cell_time, 0 },
};

int cmd_tune_list(struct cli *self)
{
    return query_list(self, &(struct listing){ "studies", "StudyList", columns, COUNT(columns) });
}
