/*  result_ray.c - the folder that Ray Tune writes: per trial params.json, result.json (a JSON object per line and
    report), progress.csv, error.txt.  What an earlier export left in these files is gone. */
#include "client/tune/result.h"

#include <math.h>
#include <stdlib.h>
#include <unistd.h>

#include "client/tune/result_lines.h"
#include "common/file.h"

/*  The reports that counted (study_report.c), by trial: what another run says again about steps that are known is
    stored, too, and so is what it said after it was told to end. */
struct chains {
    uint32_t *first, *last; /* of a trial; NONE */
    uint32_t *next;         /* of a report; NONE */
};

static uint32_t *nones(uint32_t count)
{
    uint32_t *all = malloc((count + 1) * sizeof(*all));
    ensure(all != NULL);
    memset(all, 0xFF, (count + 1) * sizeof(*all));
    return all;
}

static bool counts(const struct study_rows *self, const struct rec_report *report, uint32_t before)
{
    const struct rec_trial *trial = &self->trials[report->trial];
    return !isnan(report->step) && (before == NONE || report->step > self->reports[before].step) &&
           !(trial->ended > 0 && report->step > trial->step);
}

static struct chains chains_of(const struct study_rows *self)
{
    struct chains all = { nones(self->trial_count), nones(self->trial_count),
                          nones(self->report_count) };
    for (uint32_t i = 0; i < self->report_count; i++) {
        uint32_t trial = self->reports[i].trial;
        if (trial < self->trial_count && counts(self, &self->reports[i], all.last[trial])) {
            uint32_t *place =
                all.last[trial] == NONE ? &all.first[trial] : &all.next[all.last[trial]];
            *place = all.last[trial] = i;
        }
    }
    return all;
}

static int write_or_remove(const char *dir, const char *name, bool wanted, struct slice text)
{
    char path[PATH_BYTES];
    if (file_path(path, sizeof(path), dir, name) != OK) {
        return ERR_SYSTEM;
    }
    FILE *file = wanted ? fopen(path, "we") : NULL;
    if (!wanted) {
        (void)unlink(path);
        return OK;
    }
    bool bad = !file || fwrite(text.p, 1, text.n, file) != text.n;
    return (file && fclose(file) != 0) || bad ? ERR_SYSTEM : OK;
}

static int write_trial(const struct study_rows *self, const struct chains *chains,
                       const struct rec_trial *trial, const char *dir)
{
    struct slice params = trial->params.n > 0 ? trial->params : slice_text("{}");
    char *text = strndup((const char *)params.p, params.n);
    ensure(text != NULL);
    int rc = file_make_dir(dir, 0777);
    rc = rc == OK ? result_params_write(dir, text) : rc;
    rc =
        rc == OK ? write_or_remove(dir, "error.txt", trial->state == TRIAL_ERROR, trial->text) : rc;
    rc = rc == OK ? write_or_remove(dir, "progress.csv", false, trial->text) : rc;
    rc = rc == OK ? write_or_remove(dir, "result.json", true, slice_of("", 0)) : rc;
    struct result_lines lines = { 0 };
    struct result_trial of = { self->name, trial->number, trial->created_ms, text };
    uint32_t last = chains->last[trial->number];
    for (uint32_t i = chains->first[trial->number]; rc == OK && i != NONE; i = chains->next[i]) {
        struct result_to to = { dir, true, true, i == last && trial->ended > 0 };
        rc = result_lines_add(&lines, &of, &self->reports[i], &to);
    }
    result_lines_fini(&lines);
    free(text);
    return rc;
}

int result_ray(const struct study_rows *self, const char *dir)
{
    struct chains chains = chains_of(self);
    int rc = file_make_dir(dir, 0777);
    for (uint32_t i = 0; rc == OK && i < self->trial_count; i++) {
        char path[PATH_BYTES], name[32];
        snprintf(name, sizeof(name), "trial_%05u", self->trials[i].number);
        rc = file_path(path, sizeof(path), dir, name);
        rc = rc == OK ? write_trial(self, &chains, &self->trials[i], path) : rc;
    }
    free(chains.first);
    free(chains.last);
    free(chains.next);
    return rc;
}
