/*  job_stop.c - `rayc job stop JOB`: asks, and waits as long as a stop may take. */
#include "client/cli/connect.h"
#include "client/cli/query.h"
#include "client/cli/table.h"
#include "client/cli/watch.h"

enum { STOP_MS = 30000 }; /* 3 s until SIGKILL, and a worker that is slow to answer */

static bool has_ended(uint32_t state)
{
    return state == JOB_SUCCEEDED || state == JOB_FAILED || state == JOB_STOPPED;
}

static int tell(struct cli *self, const struct watch *watch, bool before)
{
    const char *state = job_state_name(watch->state);
    if (cli_json(self)) {
        json_t *object =
            json_pack("{s:s, s:s, s:s, s:s, s:b}", "apiVersion", "rayc/v1", "kind", "JobStop",
                      "submission_id", watch->submission, "status", state, "stopped", !before);
        json_print(object);
        json_decref(object);
    } else if (before) {
        note(self, "job %s had ended before: %s", watch->submission, state);
    } else {
        printf("job %s: %s\n", watch->submission, state);
    }
    return 0;
}

int cmd_job_stop(struct cli *self)
{
    int exit_code = 0;
    const char *id = cli_operand(self, "job", &exit_code);
    exit_code = exit_code ? exit_code : cli_connect(self, CONNECT_READ);
    uint64_t number = exit_code ? 0 : query_number(self, "job", id, &exit_code);
    if (exit_code) {
        return exit_code;
    }
    struct watch watch = { .job = number, .limit_ms = OPTION_UNSET };
    exit_code = watch_job(self, &watch);
    if (exit_code || has_ended(watch.state)) {
        return exit_code ? exit_code : tell(self, &watch, true);
    }
    struct msg_job_stop stop = { .job = number };
    struct msg reply;
    int rc = ask(self->ask, MSG_JOB_STOP, &stop, MSG_JOB_STATE, &reply);
    if (rc != OK) {
        return fail_ask(self, rc);
    }
    watch.until_end = true;
    watch.limit_ms = STOP_MS;
    exit_code = watch_job(self, &watch);
    return exit_code ? exit_code : tell(self, &watch, false);
}
