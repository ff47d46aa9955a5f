/*  task_output.h - what an attempt of a task, or an incarnation of an actor, has printed: `rayc task logs`, `actor logs`. */
#ifndef RAYC_CLI_TASK_OUTPUT_H
#define RAYC_CLI_TASK_OUTPUT_H
#include "client/cli/cli.h"

/*  Prints it, as the options ask for (-f, --attempt, --tail).  0, or the exit code of what was said. */
int task_output(struct cli *cli, const char *task);
#endif
