/*  task_cancel.c - `rayc task cancel [--force] [--alone] TASK`. */
#include <inttypes.h>
#include "client/cli/connect.h"
#include "client/cli/query.h"
#include "client/cli/table.h"

int cmd_task_cancel(struct cli *self)
{
    int exit_code = 0;
    const char *id = cli_operand(self, "task", &exit_code);
    exit_code = exit_code ? exit_code : cli_connect(self, CONNECT_READ);
    uint64_t task = exit_code ? 0 : query_number(self, "task", id, &exit_code);
    if (exit_code) {
        return exit_code;
    }
    struct msg_cancel cancel = { .task = task,
                                 .force = self->options.force,
                                 .recursive = !self->options.alone };
    struct msg reply;
    int rc = ask(self->ask, MSG_CANCEL, &cancel, MSG_CANCELLED, &reply);
    if (rc != OK) {
        return fail_ask(self, rc);
    }
    bool ended = reply.as.cancelled.ended;
    if (cli_json(self)) {
        json_t *object =
            json_pack("{s:s, s:s, s:o, s:b}", "apiVersion", "rayc/v1", "kind", "TaskCancel",
                      "task_id", json_sprintf("%016" PRIx64, task), "cancelled", !ended);
        json_print(object);
        json_decref(object);
    } else if (ended) {
        note(self, "task %016" PRIx64 " had ended before; nothing has changed", task);
    } else {
        printf("task %016" PRIx64 " is cancelled\n", task);
    }
    return 0;
}
