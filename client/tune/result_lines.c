/*  result_lines.c - each report is appended and closed: a study that is killed leaves whole lines. */
#include "client/tune/result_lines.h"

#include <stdio.h>
#include <time.h>

#include "client/tune/result_print.h"
#include "common/file.h"

static FILE *open_file(const char *dir, const char *name, const char *how)
{
    char path[PATH_BYTES];
    return file_path(path, sizeof(path), dir, name) == OK ? fopen(path, how) : NULL;
}

static int close_file(FILE *file)
{
    bool bad = ferror(file) != 0;
    return fclose(file) != 0 || bad ? ERR_SYSTEM : OK;
}

int result_params_write(const char *dir, const char *params)
{
    char path[PATH_BYTES], whole[PATH_BYTES];
    FILE *file = open_file(dir, ".params.json", "we");
    if (!file || file_path(path, sizeof(path), dir, ".params.json") != OK ||
        file_path(whole, sizeof(whole), dir, "params.json") != OK) {
        return ERR_SYSTEM;
    }
    json_t *object = json_read(slice_text(params));
    json_put(file, object, 2);
    json_decref(object);
    return close_file(file) == OK && rename(path, whole) == 0 ? OK : ERR_SYSTEM;
}

/*  Clocks of several machines differ a little: never below zero. */
static double seconds_between(uint64_t from_ms, uint64_t to_ms)
{
    return to_ms > from_ms ? (double)(to_ms - from_ms) / 1000 : 0;
}

/*  What stands behind the last slash; null if there is no checkpoint, or it is no text. */
static json_t *checkpoint_name(struct slice path)
{
    size_t first = path.n;
    while (first > 0 && path.p[first - 1] != '/') {
        first--;
    }
    json_t *name = path.n > 0 ? json_stringn((const char *)path.p + first, path.n - first) : NULL;
    return name ? name : json_null();
}

/*  One result as Ray tells it: what was reported, and what it adds. */
static json_t *result_of(const struct result_lines *self, const struct result_trial *trial,
                         const struct rec_report *report, bool done)
{
    char id[512], date[32];
    time_t seconds = (time_t)(report->at_ms / 1000);
    struct tm tm;
    strftime(date, sizeof(date), "%Y-%m-%d_%H-%M-%S", localtime_r(&seconds, &tm));
    snprintf(id, sizeof(id), "%s/%u", trial->study, trial->number);
    json_t *result = json_read(report->metrics);
    result = result ? result : json_object();
    json_t *added =
        json_pack("{s:I, s:o, s:b, s:i, s:s, s:s, s:f, s:f, s:f, s:i}", "timestamp",
                  (json_int_t)seconds, "checkpoint_dir_name", checkpoint_name(report->checkpoint),
                  "done", (int)done, "training_iteration", (int)self->iteration, "trial_id", id,
                  "date", date, "time_this_iter_s", seconds_between(self->before_ms, report->at_ms),
                  "time_total_s", seconds_between(trial->created_ms, report->at_ms),
                  "time_since_restore", seconds_between(self->restored_ms, report->at_ms),
                  "iterations_since_restore", (int)self->since);
    ensure(added != NULL);
    json_object_update_missing(result, added);
    json_decref(added);
    return result;
}

static void csv_row(FILE *to, json_t *columns, const json_t *result)
{
    const char *name, *before = "";
    json_t *value;
    json_object_foreach(columns, name, value)
    {
        fputs(before, to);
        before = ",";
        if (result) {
            csv_value(to, json_object_get(result, name), "True", "False");
        } else {
            csv_text(to, name);
        }
    }
    fputc('\n', to);
}

static int append_csv(const struct result_lines *self, const char *dir, const json_t *result)
{
    FILE *file = open_file(dir, "progress.csv", self->columns == result ? "we" : "ae");
    if (!file) {
        return ERR_SYSTEM;
    }
    if (self->columns == result) {
        csv_row(file, self->columns, NULL);
    }
    csv_row(file, self->columns, result);
    return close_file(file);
}

static int append_json(const struct result_lines *self, const char *dir, const char *params,
                       json_t *result)
{
    FILE *file = open_file(dir, "result.json", self->columns == result ? "we" : "ae");
    if (!file) {
        return ERR_SYSTEM;
    }
    json_t *config = json_read(slice_text(params)), *whole = json_copy(result);
    json_object_set_new(whole, "config", config ? config : json_object());
    json_put(file, whole, 0);
    fputc('\n', file);
    json_decref(whole);
    return close_file(file);
}

int result_lines_add(struct result_lines *self, const struct result_trial *trial,
                     const struct rec_report *report, const struct result_to *to)
{
    self->before_ms = self->before_ms ? self->before_ms : trial->created_ms;
    if (self->iteration == 0 || report->task != self->task || report->attempt != self->attempt) {
        self->restored_ms = self->before_ms;
        self->since = 0;
    }
    self->iteration++;
    self->since++;
    json_t *result = result_of(self, trial, report, to->done);
    if (!self->columns) {
        self->columns = json_incref(result);
    }
    int rc = to->json ? append_json(self, to->dir, trial->params, result) : OK;
    rc = rc == OK && to->csv ? append_csv(self, to->dir, result) : rc;
    self->before_ms = report->at_ms;
    self->task = report->task;
    self->attempt = report->attempt;
    json_decref(result);
    return rc;
}

void result_lines_fini(struct result_lines *self)
{
    json_decref(self->columns);
    *self = (struct result_lines){ 0 };
}
