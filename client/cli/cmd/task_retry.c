/*  task_retry.c - `rayc task retry TASK`. */
#include <inttypes.h>
#include "client/cli/connect.h"
#include "client/cli/query.h"
#include "client/cli/table.h"

int cmd_task_retry(struct cli *self)
{
    int exit_code = 0;
    const char *id = cli_operand(self, "task", &exit_code);
    exit_code = exit_code ? exit_code : cli_connect(self, CONNECT_READ);
    uint64_t task = exit_code ? 0 : query_number(self, "task", id, &exit_code);
    if (exit_code) {
        return exit_code;
    }
    struct msg_retry retry = { .task = task };
    struct msg reply;
    int rc = ask(self->ask, MSG_RETRY, &retry, MSG_RETRIED, &reply);
    if (rc != OK) {
        return fail_ask(self, rc);
    }
    uint64_t again = reply.as.retried.task;
    if (cli_json(self)) {
        json_t *object = json_pack("{s:s, s:s, s:o, s:o}", "apiVersion", "rayc/v1", "kind",
                                   "TaskRetry", "task_id", json_sprintf("%016" PRIx64, again),
                                   "retry_of", json_sprintf("%016" PRIx64, task));
        json_print(object);
        json_decref(object);
    } else {
        printf("task %016" PRIx64 " runs again as %016" PRIx64 "\n", task, again);
    }
    return 0;
}
