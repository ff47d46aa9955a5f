/*  result_ray.c - the folder that Ray Tune writes: per trial params.json, result.json (a JSON object per line and
    report), progress.csv, error.txt; with the keys that Ray adds to each result. */
#include "client/tune/result.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <time.h>
#include "common/err.h"
#include "common/file.h"

static FILE *open_file(const char *dir, const char *name)
{
    char path[PATH_BYTES];
    return file_path(path, sizeof(path), dir, name) == OK ? fopen(path, "we") : NULL;
}

static int close_file(FILE *file)
{
    bool bad = ferror(file) != 0;
    return fclose(file) || bad ? ERR_SYSTEM : OK;
}

static int write_text(const char *dir, const char *name, struct slice text)
{
    FILE *file = open_file(dir, name);
    if (!file) {
        return ERR_SYSTEM;
    }
    fwrite(text.p, 1, text.n, file);
    fputc('\n', file);
    return close_file(file);
}

static int write_params(const struct rec_trial *trial, const char *dir)
{
    json_t *params = json_loadb((const char *)trial->params.p, trial->params.n, 0, NULL);
    char *text = json_dumps(params, JSON_INDENT(2) | JSON_SORT_KEYS);
    int rc = write_text(dir, "params.json", slice_text(text ? text : "{}"));
    free(text);
    json_decref(params);
    return rc;
}

/*  One result as Ray tells it. */
static json_t *result_of(const struct rec_trial *trial, const struct rec_report *report, uint32_t iteration,
                         uint64_t before_ms, bool last)
{
    char id[16], date[32];
    time_t seconds = (time_t)(report->at_ms / 1000);
    struct tm tm;
    localtime_r(&seconds, &tm);
    strftime(date, sizeof(date), "%Y-%m-%d_%H-%M-%S", &tm);
    snprintf(id, sizeof(id), "%05u", trial->number);
    json_t *result = json_loadb((const char *)report->metrics.p, report->metrics.n, 0, NULL);
    result = result ? result : json_object();
    double since = (double)(report->at_ms - trial->created_ms) / 1000.0;
    json_t *added = json_pack("{s:I, s:f, s:f, s:I, s:s, s:s, s:b}", "training_iteration", (json_int_t)iteration,
                              "time_this_iter_s", (double)(report->at_ms - before_ms) / 1000.0,
                              "time_total_s", since < 0 ? 0.0 : since, "timestamp", (json_int_t)seconds,
                              "date", date, "trial_id", id, "done", (int)last);
    ensure(added != NULL);
    json_object_update_missing(result, added);
    json_decref(added);
    return result;
}

static void csv_row(FILE *to, const json_t *header, const json_t *result)
{
    const char *name;
    json_t *value;
    bool first = true;
    json_object_foreach((json_t *)(uintptr_t)header, name, value) {
        const json_t *cell = result ? json_object_get(result, name) : NULL;
        fputs(first ? "" : ",", to);
        first = false;
        if (!result) {
            fputs(name, to);
        } else if (json_is_string(cell)) {
            fputs(json_string_value(cell), to);
        } else if (json_is_boolean(cell)) {
            fputs(json_is_true(cell) ? "True" : "False", to);
        } else if (json_is_number(cell)) {
            json_dumpf(cell, to, JSON_ENCODE_ANY);
        }
    }
    fputc('\n', to);
}

struct files {
    FILE *results, *progress;
    json_t *header; /* the first result: Ray's columns are its */
    uint64_t before_ms;
    uint32_t iteration;
};

static void write_result(struct files *self, const struct rec_trial *trial, const struct rec_report *report,
                         bool last)
{
    json_t *result = result_of(trial, report, ++self->iteration, self->before_ms, last);
    if (!self->header) {
        self->header = json_incref(result);
        csv_row(self->progress, self->header, NULL);
    }
    csv_row(self->progress, self->header, result);
    json_t *params = json_loadb((const char *)trial->params.p, trial->params.n, 0, NULL);
    json_t *whole = json_copy(result);
    json_object_set_new(whole, "config", params ? params : json_object());
    json_dumpf(whole, self->results, JSON_COMPACT);
    fputc('\n', self->results);
    json_decref(whole);
    json_decref(result);
    self->before_ms = report->at_ms;
}

/*  `next`: for each report, the next one of its trial; NONE: none. */
static int write_trial(const struct study_rows *self, const struct rec_trial *trial, const char *dir,
                       uint32_t first, const uint32_t *next)
{
    int rc = file_make_dir(dir, 0777);
    rc = rc == OK ? write_params(trial, dir) : rc;
    rc = rc == OK && trial->state == TRIAL_ERROR ? write_text(dir, "error.txt", trial->text) : rc;
    struct files files = { .results = open_file(dir, "result.json"),
                           .progress = open_file(dir, "progress.csv"),
                           .before_ms = trial->created_ms };
    bool open = files.results && files.progress;
    for (uint32_t i = first; open && i != NONE; i = next[i]) {
        write_result(&files, trial, &self->reports[i], next[i] == NONE);
    }
    json_decref(files.header);
    for (int i = 0; i < 2; i++) {
        FILE *file = i == 0 ? files.results : files.progress;
        if (!file || close_file(file) != OK) {
            rc = ERR_SYSTEM;
        }
    }
    return rc;
}

int result_ray(const struct study_rows *self, const char *dir)
{
    uint32_t *first = malloc((self->trial_count + 1) * sizeof(*first));
    uint32_t *next = malloc((self->report_count + 1) * sizeof(*next));
    ensure(first && next);
    memset(first, 0xFF, (self->trial_count + 1) * sizeof(*first));
    for (uint32_t i = self->report_count; i-- > 0;) {
        uint32_t trial = self->reports[i].trial;
        next[i] = NONE;
        if (trial < self->trial_count) {
            next[i] = first[trial];
            first[trial] = i;
        }
    }
    int rc = file_make_dir(dir, 0777);
    for (uint32_t i = 0; rc == OK && i < self->trial_count; i++) {
        char path[PATH_BYTES], name[32];
        snprintf(name, sizeof(name), "trial_%05u", self->trials[i].number);
        rc = file_path(path, sizeof(path), dir, name);
        rc = rc == OK ? write_trial(self, &self->trials[i], path, first[i], next) : rc;
    }
    free(first);
    free(next);
    return rc;
}
