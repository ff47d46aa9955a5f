/*  made.c - chooses the id of a job, and prints or follows the job. */
#include "client/cli/made.h"

#include "client/cli/connect.h"
#include "client/cli/table.h"
#include "client/cli/watch.h"
#include "common/hash.h"

enum { LETTERS = 16 };

int made_name(const struct cli *cli, char out[NAME_MAX_BYTES + 1])
{
    const char *id = cli->options.submission_id;
    if (id && !proto_is_submission(id)) {
        return fail_usage(
            cli,
            "--submission-id: '%s' is not a letter or digit and then letters, digits or ._:- "
            "(at most %d)",
            id, NAME_MAX_BYTES);
    }
    if (id) {
        snprintf(out, NAME_MAX_BYTES + 1, "%s", id);
    } else {
        char random[LETTERS + 1];
        random_text(random, LETTERS);
        snprintf(out, NAME_MAX_BYTES + 1, "rayc_%s", random);
    }
    return 0;
}

int made_check_wait(const struct cli *cli)
{
    bool stays = cli->ask ? !ask_embedded(cli->ask) : cluster_runs(cli);
    if (!cli->options.no_wait || stays) {
        return 0;
    }
    return fail(cli, ERR_INVALID,
                "--no-wait needs a cluster that stays, and this one would end with this command: "
                "start one first with "
                "'rayc start --head', or give --address");
}

static void print_made(const struct cli *cli, const struct made *self)
{
    if (cli_json(cli)) {
        char id[32];
        snprintf(id, sizeof(id), "%08llx", (unsigned long long)self->job);
        json_t *object =
            json_pack("{s:s, s:s, s:s, s:s, s:b}", "apiVersion", "rayc/v1", "kind", "JobSubmission",
                      "submission_id", self->submission, "job_id", id, "again", (int)self->again);
        if (self->retry_of) {
            json_object_set_new(object, "retry_of", json_string(self->retry_of));
        }
        json_print(object);
        json_decref(object);
    } else if (self->retry_of) {
        printf("job %s runs again as %s\n", self->retry_of, self->submission);
    } else {
        printf("%s\n", self->submission);
    }
}

static void print_ended(const struct cli *cli, const struct made *self, const struct watch *watch,
                        int exit_code)
{
    if (!cli_json(cli)) {
        return;
    }
    json_t *object =
        json_pack("{s:s, s:s, s:s, s:s, s:i, s:s, s:{s:I, s:I, s:I}}", "apiVersion", "rayc/v1",
                  "kind", "JobResult", "submission_id", watch->submission, "status",
                  job_state_name(watch->state), "exit_code", exit_code, "message", watch->message,
                  "tasks", "total", (json_int_t)watch->total, "finished",
                  (json_int_t)watch->finished, "failed", (json_int_t)watch->failed);
    if (self->retry_of) {
        json_object_set_new(object, "retry_of", json_string(self->retry_of));
    }
    json_print(object);
    json_decref(object);
}

static int follow(struct cli *cli, const struct made *self)
{
    struct watch watch = { .job = self->job,
                           .logs = !cli->options.no_logs,
                           .until_end = true,
                           .progress = true,
                           .limit_ms = OPTION_UNSET };
    snprintf(watch.submission, sizeof(watch.submission), "%s", self->submission);
    if (self->retry_of) {
        note(cli, "job %s runs again as %s", self->retry_of, self->submission);
    }
    detail(cli, "job %s%s", self->submission,
           self->again ? " (it exists already: attached to it)" : "");
    int exit_code = watch_job(cli, &watch);
    if (exit_code) {
        return exit_code;
    }
    exit_code = watch_end(cli, &watch);
    print_ended(cli, self, &watch, exit_code);
    return exit_code;
}

int made_go_on(struct cli *cli, const struct made *self)
{
    if (!cli->options.no_wait) {
        return follow(cli, self);
    }
    print_made(cli, self);
    return 0;
}
