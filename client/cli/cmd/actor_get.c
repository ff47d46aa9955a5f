/*  actor_get.c - `rayc actor get ACTOR`: the actor, and its incarnations. */
#include "client/cli/connect.h"
#include "client/cli/query.h"
#include "client/cli/table.h"

static const struct column columns[] = {
    { "INCARNATION", "incarnation", cell_text, COLUMN_RIGHT },
    { "NODE", "node_id", cell_text, COLUMN_RIGHT },
    { "OUTCOME", "outcome", cell_text, COLUMN_STATE },
    { "EXIT", "exit_status", cell_text, COLUMN_RIGHT },
    { "SIGNAL", "signal", cell_text, COLUMN_RIGHT },
    { "RAN", "start_time", cell_duration, COLUMN_RIGHT },
    { "ERROR", "error_message", cell_text, COLUMN_SHRINKS },
};

int cmd_actor_get(struct cli *self)
{
    int exit_code = 0;
    const char *id = cli_operand(self, "actor", &exit_code);
    exit_code = exit_code ? exit_code : cli_connect(self, CONNECT_READ);
    json_t *actor = exit_code ? NULL : query_row(self, "actor", id, &exit_code);
    if (!actor) {
        return exit_code;
    }
    if (cli_json(self)) {
        json_print_one("Actor", actor);
    } else {
        record_print(self, actor,
                     "incarnations created_ms start_time_ms end_time_ms checkpoint_ms owner");
        const json_t *incarnations = json_object_get(actor, "incarnations");
        if (json_array_size(incarnations)) {
            putchar('\n');
            table_print(self, columns, COUNT(columns), incarnations);
        }
    }
    json_decref(actor);
    return 0;
}
