/*  tune_result.c - reads the rows of a study back and prints them. */
#include "client/cli/tune_result.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <unistd.h>
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

void tune_params_print(const struct rec_trial *trial)
{
    json_t *params = json_read(trial->params);
    const char *name;
    json_t *value;
    int width = 0;
    json_object_foreach(params, name, value)
    {
        int letters = (int)text_letters(name);
        width = letters > width ? letters : width;
    }
    json_object_foreach(params, name, value)
    {
        char clean[1024], *text = NULL;
        size_t bytes;
        FILE *to = open_memstream(&text, &bytes);
        ensure(to != NULL);
        json_put(to, value, 0);
        fclose(to);
        struct slice plain =
            json_is_string(value) ? slice_text(json_string_value(value)) : slice_text(text);
        printf("  %-*s  %s\n", width, name, text_clean(plain, clean, sizeof(clean)));
        free(text);
    }
    json_decref(params);
}

/*  The first that failed; NONE. */
static uint32_t first_failed(const struct study_rows *rows)
{
    uint32_t first = NONE;
    for (uint32_t i = 0; i < rows->trial_count; i++) {
        const struct rec_trial *trial = &rows->trials[i];
        if (trial->state == TRIAL_ERROR &&
            (first == NONE || trial->ended < rows->trials[first].ended)) {
            first = i;
        }
    }
    return first;
}

static void print_counts(const struct study_rows *rows)
{
    uint32_t failed = 0, ended = 0, pruned = 0;
    for (uint32_t i = 0; i < rows->trial_count; i++) {
        const struct rec_trial *trial = &rows->trials[i];
        failed += trial->state == TRIAL_ERROR;
        pruned += trial->state == TRIAL_TERMINATED && trial->pruned;
        ended += trial->ended > 0;
    }
    printf("study %s: %s, %u trial%s ended", rows->name, study_state_name(rows->state), ended,
           ended == 1 ? "" : "s");
    if (pruned > 0) {
        printf(", %u of them early", pruned);
    }
    if (failed > 0) {
        printf(", %u of them failed", failed);
    }
    putchar('\n');
}

static void print_best(const struct study_rows *rows)
{
    uint32_t best = rows_best(rows);
    print_counts(rows);
    if (best != NONE) {
        char value[40];
        number_print(rows->trials[best].value, value, sizeof(value));
        printf("best: trial %u, %s = %s\n", rows->trials[best].number, rows->spec->metric, value);
        tune_params_print(&rows->trials[best]);
    }
}

/*  Why the first one failed, and where its output is (of a command's trial, on this machine). */
static void note_failed(const struct cli *cli, const struct study_rows *rows, const char *storage)
{
    char path[PATH_BYTES];
    uint32_t i = first_failed(rows);
    if (i == NONE) {
        return;
    }
    const struct rec_trial *trial = &rows->trials[i];
    if (rows_best(rows) != NONE) { /* else it is the reason why the study failed */
        note(cli, "the first that failed is trial %u: %.*s", trial->number, (int)trial->text.n,
             (const char *)trial->text.p);
    }
    int n = snprintf(path, sizeof(path), "%s/%s/trial_%05u/output.log", storage, rows->name,
                     trial->number);
    if (n > 0 && n < (int)sizeof(path) && access(path, R_OK) == 0) {
        note(cli, "its output: %s", path);
    }
}

static int print_rows(const struct cli *cli, const struct study_rows *rows, const char *storage)
{
    bool csv_is_stdout = cli->options.csv && strcmp(cli->options.csv, "-") == 0;
    int exit_code = tune_csv_write(cli, rows);
    if (exit_code == 0 && cli_json(cli)) {
        json_t *result = result_json(rows);
        json_print(result);
        json_decref(result);
    } else if (exit_code == 0 && !csv_is_stdout) {
        print_best(rows);
        fflush(stdout);
        note_failed(cli, rows, storage);
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

int tune_result_print(const struct cli *cli, const char *name, const char *storage)
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
    int exit_code = print_rows(cli, &rows, storage);
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
