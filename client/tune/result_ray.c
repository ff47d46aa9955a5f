/*  result_ray.c - the folder that Ray Tune writes: per trial params.json, result.json (a JSON object per line and
    report), progress.csv, error.txt. */
#include "client/tune/result.h"

#include <stdlib.h>
#include "client/tune/result_lines.h"
#include "common/err.h"
#include "common/file.h"

static int write_error(const char *dir, struct slice text)
{
    char path[PATH_BYTES];
    return file_path(path, sizeof(path), dir, "error.txt") == OK ? file_write(path, text.p, text.n, 0666) : ERR_SYSTEM;
}

/*  `next`: for each report, the next one of its trial; NONE: none. */
static int write_trial(const struct study_rows *self, const struct rec_trial *trial, const char *dir,
                       uint32_t first, const uint32_t *next)
{
    char *params = strndup((const char *)trial->params.p, trial->params.n);
    ensure(params != NULL);
    int rc = file_make_dir(dir, 0777);
    rc = rc == OK ? result_params_write(dir, params) : rc;
    rc = rc == OK && trial->state == TRIAL_ERROR ? write_error(dir, trial->text) : rc;
    struct result_lines lines = { 0 };
    struct result_trial of = { trial->number, trial->created_ms, params };
    for (uint32_t i = first; rc == OK && i != NONE; i = next[i]) {
        struct result_to to = { dir, true, true, next[i] == NONE && trial->ended > 0 };
        rc = result_lines_add(&lines, &of, &self->reports[i], &to);
    }
    result_lines_fini(&lines);
    free(params);
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
