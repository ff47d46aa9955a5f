/*  result_lines.c - each report is appended and closed: a study that is killed leaves whole lines. */
#include "client/tune/result_lines.h"

#include <stdlib.h>
#include <time.h>
#include "common/file.h"

static FILE *open_file(const char *dir, const char *name, const char *how)
{
    char path[PATH_BYTES];
    return file_path(path, sizeof(path), dir, name) == OK ? fopen(path, how) : NULL;
}

static int close_file(FILE *file)
{
    bool bad = ferror(file) != 0;
    return fclose(file) || bad ? ERR_SYSTEM : OK;
}

int result_params_write(const char *dir, const char *params)
{
    FILE *file = open_file(dir, "params.json", "we");
    if (!file) {
        return ERR_SYSTEM;
    }
    json_t *object = json_loads(params, 0, NULL);
    json_dumpf(object, file, JSON_INDENT(2) | JSON_SORT_KEYS);
    fputc('\n', file);
    json_decref(object);
    return close_file(file);
}

/*  One result as Ray tells it. */
static json_t *result_of(const struct result_lines *self, const struct result_trial *trial,
                         const struct rec_report *report, bool done)
{
    char id[16], date[32];
    time_t seconds = (time_t)(report->at_ms / 1000);
    struct tm tm;
    localtime_r(&seconds, &tm);
    strftime(date, sizeof(date), "%Y-%m-%d_%H-%M-%S", &tm);
    snprintf(id, sizeof(id), "%05u", trial->number);
    json_t *result = json_loadb((const char *)report->metrics.p, report->metrics.n, 0, NULL);
    result = result ? result : json_object();
    uint64_t before_ms = self->before_ms ? self->before_ms : trial->created_ms;
    json_t *added = json_pack("{s:i, s:f, s:f, s:I, s:s, s:s, s:b}", "training_iteration", (int)self->iteration,
                              "time_this_iter_s", (double)(int64_t)(report->at_ms - before_ms) / 1000.0,
                              "time_total_s", (double)(int64_t)(report->at_ms - trial->created_ms) / 1000.0,
                              "timestamp", (json_int_t)seconds, "date", date, "trial_id", id, "done", (int)done);
    ensure(added != NULL);
    json_object_update_missing(result, added);
    json_decref(added);
    return result;
}

static void csv_text(FILE *to, const char *text)
{
    bool quote = strpbrk(text, ",\"\n\r") != NULL;
    fputs(quote ? "\"" : "", to);
    for (; *text; text++) {
        fputs(quote && *text == '"' ? "\"" : "", to);
        fputc(*text, to);
    }
    fputs(quote ? "\"" : "", to);
}

static void csv_row(FILE *to, json_t *header, const json_t *result)
{
    const char *name;
    json_t *value;
    bool first = true;
    json_object_foreach(header, name, value) {
        const json_t *cell = result ? json_object_get(result, name) : NULL;
        fputs(first ? "" : ",", to);
        first = false;
        if (!result) {
            csv_text(to, name);
        } else if (json_is_string(cell)) {
            csv_text(to, json_string_value(cell));
        } else if (json_is_boolean(cell)) {
            fputs(json_is_true(cell) ? "True" : "False", to);
        } else if (json_is_number(cell)) {
            json_dumpf(cell, to, JSON_ENCODE_ANY);
        }
    }
    fputc('\n', to);
}

static int append_csv(struct result_lines *self, const char *dir, const json_t *result, bool first)
{
    FILE *file = open_file(dir, "progress.csv", first ? "we" : "ae");
    if (!file) {
        return ERR_SYSTEM;
    }
    if (first) {
        csv_row(file, self->header, NULL);
    }
    csv_row(file, self->header, result);
    return close_file(file);
}

static int append_json(const char *dir, const struct result_trial *trial, json_t *result, bool first)
{
    FILE *file = open_file(dir, "result.json", first ? "we" : "ae");
    if (!file) {
        return ERR_SYSTEM;
    }
    json_t *params = json_loads(trial->params, 0, NULL), *whole = json_copy(result);
    json_object_set_new(whole, "config", params ? params : json_object());
    json_dumpf(whole, file, JSON_COMPACT);
    fputc('\n', file);
    json_decref(whole);
    return close_file(file);
}

int result_lines_add(struct result_lines *self, const struct result_trial *trial,
                     const struct rec_report *report, const struct result_to *to)
{
    self->iteration++;
    json_t *result = result_of(self, trial, report, to->done);
    bool first = self->header == NULL;
    if (first) {
        self->header = json_incref(result);
    }
    int rc = OK;
    if (to->dir) {
        rc = first ? file_make_dir(to->dir, 0777) : OK;
        rc = rc == OK && first ? result_params_write(to->dir, trial->params) : rc;
        rc = rc == OK && to->json ? append_json(to->dir, trial, result, first) : rc;
        rc = rc == OK && to->csv ? append_csv(self, to->dir, result, first) : rc;
    }
    self->before_ms = report->at_ms;
    json_decref(result);
    return rc;
}

void result_lines_fini(struct result_lines *self)
{
    json_decref(self->header);
    *self = (struct result_lines){ 0 };
}
