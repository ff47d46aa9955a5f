/*  task_get.c - `rayc task get TASK`: the task, and its attempts. */
#include "client/cli/connect.h"
#include "client/cli/query.h"
#include "client/cli/table.h"

static const struct column columns[] = {
    { "ATTEMPT", "attempt", cell_text, COLUMN_RIGHT },
    { "NODE", "node_id", cell_text, COLUMN_RIGHT },
    { "OUTCOME", "outcome", cell_text, COLUMN_STATE },
    { "EXIT", "exit_status", cell_text, COLUMN_RIGHT },
    { "SIGNAL", "signal", cell_text, COLUMN_RIGHT },
    { "STARTED", "start_time_ms", cell_time, 0 },
    { "RAN", "start_time", cell_duration, COLUMN_RIGHT },
    { "ERROR", "error_message", cell_text, COLUMN_SHRINKS },
};

int cmd_task_get(struct cli *self)
{
    int exit_code = 0;
    const char *id = cli_operand(self, "task", &exit_code);
    exit_code = exit_code ? exit_code : cli_connect(self, CONNECT_READ);
    if (exit_code) {
        return exit_code;
    }
    json_t *task = query_row(self, "task", id, &exit_code);
    if (!task) {
        return exit_code;
    }
    if (cli_json(self)) {
        json_print_one("Task", task);
    } else {
        record_print(self, task,
                     "attempts submitted_ms start_time_ms end_time_ms due_ms func_or_class_name");
        const json_t *attempts = json_object_get(task, "attempts");
        if (json_array_size(attempts)) {
            putchar('\n');
            table_print(self, columns, COUNT(columns), attempts);
        }
    }
    json_decref(task);
    return 0;
}
