/*  node_list.c - `rayc node list`. */
#include "client/cli/connect.h"
#include "client/cli/query.h"
#include "client/cli/table.h"

static const struct column columns[] = {
    { "NODE", "node_id", cell_text, COLUMN_RIGHT },
    { "NAME", "name", cell_text, COLUMN_SHRINKS },
    { "STATE", "state", cell_text, COLUMN_STATE },
    { "DRAIN", "drain", cell_text, 0 },
    { "PID", "pid", cell_text, COLUMN_RIGHT },
    { "RESOURCES", "resources_total", cell_amounts, COLUMN_SHRINKS },
    { "LABELS", "labels", cell_labels, COLUMN_SHRINKS },
    { "JOINED", "joined_ms", cell_time, 0 },
    { "ENDED", "ended_ms", cell_time, 0 },
    { "REASON", "reason", cell_text, COLUMN_SHRINKS },
};

int cmd_node_list(struct cli *self)
{
    int exit_code = cli_no_operands(self);
    exit_code = exit_code ? exit_code : cli_connect(self, CONNECT_READ);
    if (exit_code) {
        return exit_code;
    }
    json_t *rows = query_rows(self, "nodes", "NodeList", NULL, &exit_code);
    if (rows) {
        exit_code = rows_print(self, rows, columns, COUNT(columns), "nodes");
        json_decref(rows);
    }
    return exit_code;
}
