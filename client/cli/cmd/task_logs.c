/*  task_logs.c - `rayc task logs [-f] [--attempt N] [--tail N] TASK`. */
#include "client/cli/connect.h"
#include "client/cli/task_output.h"

int cmd_task_logs(struct cli *self)
{
    int exit_code = 0;
    const char *id = cli_operand(self, "task", &exit_code);
    exit_code = exit_code ? exit_code : cli_connect(self, CONNECT_READ);
    return exit_code ? exit_code : task_output(self, id);
}
