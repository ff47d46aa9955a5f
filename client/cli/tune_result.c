/*  tune_result.c - reads the rows of a study back and prints them. */
#include "client/cli/tune_result.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include "client/cli/connect.h"
#include "client/cli/query.h"
#include "client/cli/table.h"
#include "client/cli/tune_open.h"
#include "client/study_link.h"
#include "client/tune/result_print.h"

/*  The session's reply lives until the next question. */
struct by_session {
    struct reply reply;
    bool open;
};

static int ask_session(void *context, struct msg_study_read *request, struct msg_study_rows *out)
{
    struct by_session *self = context;
    if (self->open) {
        reply_free(&self->reply);
    }
    int rc = session_ask(rayc_session_(), MSG_STUDY_READ, request, RAYC_FOREVER, &self->reply);
    self->open = rc == RAYC_OK;
    if (self->open) {
        *out = self->reply.msg.as.study_rows;
    }
    return rc;
}

static int ask_connection(void *context, struct msg_study_read *request, struct msg_study_rows *out)
{
    struct cli *cli = context;
    struct msg reply;
    int rc = ask(cli->ask, MSG_STUDY_READ, request, MSG_STUDY_ROWS, &reply);
    if (rc == OK) {
        *out = reply.as.study_rows;
    }
    return rc;
}

int tune_csv_write(const struct cli *cli, const struct study_rows *rows)
{
    const char *path = cli->options.csv;
    if (!path) {
        return 0;
    }
    FILE *file = strcmp(path, "-") == 0 ? stdout : fopen(path, "we");
    if (!file) {
        return fail(cli, ERR_SYSTEM, "--csv: %s cannot be written: %s", path, strerror(errno));
    }
    result_csv(rows, file);
    bool bad = fflush(file) != 0 || ferror(file);
    if ((file != stdout && fclose(file) != 0) || bad) {
        return fail(cli, ERR_SYSTEM, "--csv: %s cannot be written: %s", path, strerror(errno));
    }
    return 0;
}

static void print_params(const struct rec_trial *trial)
{
    json_t *params = json_read(trial->params);
    const char *name;
    json_t *value;
    json_object_foreach(params, name, value)
    {
        char clean[256], *text = NULL;
        size_t bytes;
        FILE *to = open_memstream(&text, &bytes);
        ensure(to != NULL);
        json_put(to, value, 0);
        fclose(to);
        struct slice plain =
            json_is_string(value) ? slice_text(json_string_value(value)) : slice_text(text);
        printf("  %-16s %s\n", name, text_clean(plain, clean, sizeof(clean)));
        free(text);
    }
    json_decref(params);
}

static void print_best(const struct study_rows *rows)
{
    uint32_t best = rows_best(rows), failed = 0, ended = 0;
    for (uint32_t i = 0; i < rows->trial_count; i++) {
        failed += rows->trials[i].state == TRIAL_ERROR;
        ended += rows->trials[i].ended > 0;
    }
    printf("study %s: %s, %u trials ended", rows->name, study_state_name(rows->state), ended);
    if (failed > 0) {
        printf(", %u of them failed", failed);
    }
    putchar('\n');
    if (best != NONE) {
        char value[40];
        number_print(rows->trials[best].value, value, sizeof(value));
        printf("best: trial %u, %s = %s\n", rows->trials[best].number, rows->spec->metric, value);
        print_params(&rows->trials[best]);
    }
}

static int print_rows(const struct cli *cli, const struct study_rows *rows)
{
    bool csv_is_stdout = cli->options.csv && strcmp(cli->options.csv, "-") == 0;
    int exit_code = tune_csv_write(cli, rows);
    if (exit_code == 0 && cli_json(cli)) {
        json_t *result = result_json(rows);
        json_print(result);
        json_decref(result);
    } else if (exit_code == 0 && !csv_is_stdout) {
        print_best(rows);
    }
    return exit_code;
}

static int fail_rows(const struct cli *cli, const char *name, int rc,
                     const struct spec_error *error, const char *why)
{
    if (rc == ERR_NOT_FOUND) {
        return fail(cli, rc, "there is no study %s: see 'rayc tune list'", name);
    }
    return rc == ERR_INVALID && error->text[0] ? fail_spec(cli, name, error)
                                               : fail(cli, rc, "%s", why);
}

int tune_result_print(const struct cli *cli, const char *name)
{
    struct study_rows rows;
    struct spec_error error;
    struct by_session by = { .open = false };
    int rc = study_rows_load(&rows, name, false, ask_session, &by, &error);
    if (by.open) {
        reply_free(&by.reply);
    }
    if (rc != OK) {
        return fail_rows(cli, name, rc, &error, rayc_error()->text);
    }
    int exit_code = print_rows(cli, &rows);
    study_rows_free(&rows);
    return exit_code;
}

int tune_rows_read(struct cli *cli, const char *id, bool reports, struct study_rows *out)
{
    int exit_code = cli_connect(cli, CONNECT_READ);
    json_t *study = exit_code ? NULL : query_row(cli, "study", id, &exit_code);
    if (!study) {
        return exit_code;
    }
    struct spec_error error;
    const char *name = json_string_value(json_object_get(study, "name"));
    int rc = study_rows_load(out, name ? name : id, reports, ask_connection, cli, &error);
    exit_code = rc == OK ? 0 : fail_rows(cli, id, rc, &error, ask_text(cli->ask));
    json_decref(study);
    return exit_code;
}
