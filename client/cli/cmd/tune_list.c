/*  tune_list.c - `rayc tune list`. */
#include "client/cli/connect.h"
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
    int exit_code = cli_no_operands(self);
    exit_code = exit_code ? exit_code : cli_connect(self, CONNECT_READ);
    if (exit_code) {
        return exit_code;
    }
    json_t *rows = query_rows(self, "studies", "StudyList", NULL, &exit_code);
    if (rows) {
        exit_code = rows_print(self, rows, columns, COUNT(columns), "studies");
        json_decref(rows);
    }
    return exit_code;
}
