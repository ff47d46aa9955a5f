/*  tune_export.c - `rayc tune export STUDY --to DIR`: Ray's files, CSV, JSON and plots of a study. */
#include <errno.h>
#include "client/cli/tune_result.h"
#include "client/tune/result_print.h"
#include "common/file.h"

static FILE *open_in(const char *dir, const char *name)
{
    char path[PATH_BYTES];
    return file_path(path, sizeof(path), dir, name) == OK ? fopen(path, "we") : NULL;
}

static void put_json(const struct study_rows *rows, FILE *to)
{
    json_t *result = result_json(rows);
    json_put(to, result, 2);
    fputc('\n', to);
    json_decref(result);
}

/*  A form is a line here. */
static const struct {
    const char *file;
    void (*put)(const struct study_rows *rows, FILE *to);
} forms[] = {
    { "trials.csv", result_csv },
    { "study.json", put_json },
    { "history.svg", plot_history },
    { "parallel.svg", plot_parallel },
};

static int write_all(const struct study_rows *rows, const char *dir)
{
    int rc = result_ray(rows, dir);
    for (size_t i = 0; rc == OK && i < COUNT(forms); i++) {
        FILE *file = open_in(dir, forms[i].file);
        if (!file) {
            return ERR_SYSTEM;
        }
        forms[i].put(rows, file);
        bool bad = ferror(file) != 0;
        rc = fclose(file) || bad ? ERR_SYSTEM : OK;
    }
    return rc;
}

int cmd_tune_export(struct cli *self)
{
    struct study_rows rows;
    int exit_code = 0;
    const char *id = cli_operand(self, "study", &exit_code);
    exit_code = exit_code ? exit_code : tune_rows_read(self, id, true, &rows);
    if (exit_code) {
        return exit_code;
    }
    const char *dir = self->options.to ? self->options.to : rows.name;
    int rc = write_all(&rows, dir);
    if (rc != OK) {
        exit_code = fail(self, rc, "%s cannot be written: %s", dir, strerror(errno));
    } else {
        note(self,
             "%u trials in %s/: trials.csv, study.json, history.svg, parallel.svg, and a folder "
             "per trial",
             rows.trial_count, dir);
    }
    study_rows_free(&rows);
    return exit_code;
}
