/*  job_retry.c - `rayc job retry JOB`: what an ended job was, once more, as a new job; then as `rayc submit`. */
#include <stdlib.h>
#include "client/cli/connect.h"
#include "client/cli/made.h"
#include "client/cli/query.h"

/*  Asks for it, and for the ended job's names. */
static int open_again(struct cli *self, const char *id, struct made *made, char *retry_of)
{
    int exit_code = 0;
    json_t *row = query_row(self, "job", id, &exit_code);
    if (!row) {
        return exit_code;
    }
    const char *number = json_string_value(json_object_get(row, "job_id"));
    const char *name = json_string_value(json_object_get(row, "submission_id"));
    struct msg_job_retry retry = { .job = number ? strtoull(number, NULL, 16) : 0,
                                   .submission = slice_text(made->submission) };
    snprintf(retry_of, NAME_MAX_BYTES + 1, "%s", name ? name : id);
    json_decref(row);
    struct msg reply;
    int rc = ask(self->ask, MSG_JOB_RETRY, &retry, MSG_JOB_OPENED, &reply);
    if (rc != OK) {
        return fail_ask(self, rc);
    }
    made->job = reply.as.job_opened.job;
    made->again = reply.as.job_opened.again;
    return 0;
}

int cmd_job_retry(struct cli *self)
{
    char submission[NAME_MAX_BYTES + 1], retry_of[NAME_MAX_BYTES + 1] = "";
    struct made made = { .submission = submission, .retry_of = retry_of };
    int exit_code = 0;
    const char *id = cli_operand(self, "job", &exit_code);
    exit_code = exit_code ? exit_code : made_name(self, submission);
    exit_code = exit_code ? exit_code : made_check_wait(self);
    exit_code = exit_code ? exit_code : cli_connect(self, CONNECT_WORK);
    exit_code = exit_code ? exit_code : made_check_wait(self);
    exit_code = exit_code ? exit_code : open_again(self, id, &made, retry_of);
    return exit_code ? exit_code : made_go_on(self, &made);
}
