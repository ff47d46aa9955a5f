/*  job_delete.c - `rayc job delete JOB`. */
#include "client/cli/connect.h"
#include "client/cli/query.h"
#include "client/cli/table.h"

int cmd_job_delete(struct cli *self)
{
    int exit_code = 0;
    const char *id = cli_operand(self, "job", &exit_code);
    exit_code = exit_code ? exit_code : cli_connect(self, CONNECT_READ);
    struct msg_job_delete request = { .job = exit_code
                                                 ? 0
                                                 : query_number(self, "job", id, &exit_code) };
    if (exit_code) {
        return exit_code;
    }
    struct msg reply;
    int rc = ask(self->ask, MSG_JOB_DELETE, &request, MSG_CHANGED, &reply);
    if (rc != OK) {
        return fail_ask(self, rc);
    }
    if (cli_json(self)) {
        json_t *object = json_pack("{s:s, s:s, s:s, s:b}", "apiVersion", "rayc/v1", "kind",
                                   "JobDelete", "job", id, "deleted", 1);
        json_print(object);
        json_decref(object);
    } else {
        printf("job %s: deleted\n", id);
    }
    return 0;
}
