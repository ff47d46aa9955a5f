/*  task_watch.h - what the head has of an attempt's output, also while it runs and after its node has died. */
#ifndef RAYC_CLI_TASK_WATCH_H
#define RAYC_CLI_TASK_WATCH_H
#include "client/cli/cli.h"

struct task_watch {
    uint64_t job, task;
    uint32_t attempt;         /* 0: the current one, and those that come after it */
    bool until_end;           /* else only what is there now */
    uint64_t tail;            /* so many of the last lines; 0: all */
    uint64_t printed;         /* out: bytes, */
    uint32_t attempt_printed; /* and of which attempt the last of them are */
};

/*  Prints it to stdout.  0, or the exit code of what was said. */
int task_watch(struct cli *cli, struct task_watch *self);
#endif
