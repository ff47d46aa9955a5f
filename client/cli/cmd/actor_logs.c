/*  actor_logs.c - `rayc actor logs [-f] [--attempt N] [--tail N] ACTOR`: an actor is a task whose attempts are its
    incarnations. */
#include <inttypes.h>
#include "client/cli/connect.h"
#include "client/cli/query.h"
#include "client/cli/task_output.h"

int cmd_actor_logs(struct cli *self)
{
    int exit_code = 0;
    char task[24];
    const char *id = cli_operand(self, "actor", &exit_code);
    exit_code = exit_code ? exit_code : cli_connect(self, CONNECT_READ);
    uint64_t actor = exit_code ? 0 : query_number(self, "actor", id, &exit_code);
    snprintf(task, sizeof(task), "%016" PRIx64, actor);
    return exit_code ? exit_code : task_output(self, task);
}
