/*  task_explain.c - `rayc task explain TASK`: why it is not running, in sentences. */
#include "client/cli/connect.h"
#include "client/cli/explain.h"
#include "client/cli/query.h"
#include "client/cli/table.h"
#include "proto/explained.h"

int cmd_task_explain(struct cli *self)
{
    int exit_code = 0;
    const char *id = cli_operand(self, "task", &exit_code);
    exit_code = exit_code ? exit_code : cli_connect(self, CONNECT_READ);
    uint64_t task = exit_code ? 0 : query_number(self, "task", id, &exit_code);
    if (exit_code) {
        return exit_code;
    }
    struct msg_explain explain = { .task = task };
    struct msg reply;
    int rc = ask(self->ask, MSG_EXPLAIN, &explain, MSG_EXPLAINED, &reply);
    if (rc != OK) {
        return fail_ask(self, rc);
    }
    if (cli_json(self)) {
        json_t *object = explained_json(&reply.as.explained);
        json_print(object);
        json_decref(object);
    } else {
        explain_print(&reply.as.explained);
    }
    return 0;
}
