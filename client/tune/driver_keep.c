/*  driver_keep.c - per trial a short list of checkpoints, and what its files have so far. */
#include "client/tune/driver_keep.h"

#include <errno.h>
#include <ftw.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include "client/tune/result_lines.h"
#include "common/file.h"
#include "common/log.h"

struct checkpoint {
    char *path;
    double value;
};

struct kept {
    struct checkpoint *checkpoints; /* the oldest first */
    uint32_t count, capacity;
    bool waits; /* there is something to remove */
    struct result_lines lines;
};

struct keeper {
    const struct study_spec *spec;
    char root[PATH_BYTES]; /* STORAGE/NAME */
    struct kept *trials;
    uint32_t count;
    uint32_t *sweep; /* trials to look at */
    uint32_t sweep_count, sweep_capacity;
};

struct keeper *keeper_new(const struct study_spec *spec, const char *storage, const char *name)
{
    struct keeper *self = calloc(1, sizeof(*self));
    ensure(self != NULL);
    self->spec = spec;
    snprintf(self->root, sizeof(self->root), "%s/%s", storage, name);
    return self;
}

void keeper_destroy(struct keeper **self_p)
{
    struct keeper *self = *self_p;
    for (uint32_t i = 0; self && i < self->count; i++) {
        for (uint32_t k = 0; k < self->trials[i].count; k++) {
            free(self->trials[i].checkpoints[k].path);
        }
        free(self->trials[i].checkpoints);
        result_lines_fini(&self->trials[i].lines);
    }
    if (self) {
        free(self->trials);
        free(self->sweep);
        free(self);
    }
    *self_p = NULL;
}

static struct kept *kept_of(struct keeper *self, uint32_t trial)
{
    if (trial >= self->count) {
        uint32_t count = trial + 1 > 2 * self->count ? trial + 1 : 2 * self->count;
        self->trials = realloc(self->trials, count * sizeof(*self->trials));
        ensure(self->trials != NULL);
        memset(self->trials + self->count, 0, (count - self->count) * sizeof(*self->trials));
        self->count = count;
    }
    return &self->trials[trial];
}

static void add_checkpoint(struct keeper *self, uint32_t trial, const struct rec_report *report)
{
    struct kept *kept = kept_of(self, trial);
    if (kept->count == kept->capacity) {
        kept->capacity = kept->capacity ? 2 * kept->capacity : 4;
        kept->checkpoints = realloc(kept->checkpoints, kept->capacity * sizeof(*kept->checkpoints));
        ensure(kept->checkpoints != NULL);
    }
    char *path = strndup((const char *)report->checkpoint.p, report->checkpoint.n);
    ensure(path != NULL);
    kept->checkpoints[kept->count++] = (struct checkpoint){ path, report->value };
    if (!kept->waits) {
        kept->waits = true;
        if (self->sweep_count == self->sweep_capacity) {
            self->sweep_capacity = self->sweep_capacity ? 2 * self->sweep_capacity : 16;
            self->sweep = realloc(self->sweep, self->sweep_capacity * sizeof(*self->sweep));
            ensure(self->sweep != NULL);
        }
        self->sweep[self->sweep_count++] = trial;
    }
}

void keeper_report(struct keeper *self, const struct study_trial *trial, const struct rec_report *report, bool live)
{
    if (report->checkpoint.n > 0) {
        add_checkpoint(self, trial->base.number, report);
    }
    if (self->spec->log_json || self->spec->log_csv) {
        char dir[PATH_BYTES + 32];
        snprintf(dir, sizeof(dir), "%s/trial_%05u", self->root, trial->base.number);
        struct result_to to = { .dir = live ? dir : NULL, .json = self->spec->log_json, .csv = self->spec->log_csv };
        struct result_trial of = { trial->base.number, trial->created_ms, trial->params };
        if (result_lines_add(&kept_of(self, trial->base.number)->lines, &of, report, &to) != OK) {
            log_warn("tune.logger", "dir=%s error=\"%s\"", dir, strerror(errno));
        }
    }
}

/* --- removing ------------------------------------------------------------------------------------------------ */

static int remove_one(const char *path, const struct stat *status, int kind, struct FTW *place)
{
    (void)status, (void)kind, (void)place;
    return remove(path);
}

/*  A path from a report may say anything: only folders of this study are ours. */
static void remove_folder(const struct keeper *self, const char *path)
{
    char real[PATH_BYTES], root[PATH_BYTES];
    if (!realpath(path, real) || !realpath(self->root, root)) {
        return; /* it is on another machine, or gone */
    }
    size_t n = strlen(root);
    if (strncmp(real, root, n) == 0 && strncmp(real + n, "/trial_", 7) == 0 && strstr(real + n, "/checkpoint_")) {
        nftw(real, remove_one, 16, FTW_DEPTH | FTW_PHYS);
    }
}

static uint32_t best_of(const struct keeper *self, const struct kept *kept)
{
    uint32_t best = NONE;
    for (uint32_t i = 0; self->spec->checkpoint_best && i < kept->count; i++) {
        double value = kept->checkpoints[i].value;
        double other = best == NONE ? NAN : kept->checkpoints[best].value;
        if (!isnan(value) && (isnan(other) || (self->spec->maximize ? value > other : value < other))) {
            best = i;
        }
    }
    return best;
}

static void sweep_one(struct keeper *self, struct kept *kept, bool (*used)(void *context, const char *path),
                      void *context)
{
    uint32_t keep = self->spec->checkpoint_keep > 0 ? self->spec->checkpoint_keep : 1, n = 0;
    uint32_t best = best_of(self, kept);
    for (uint32_t i = 0; i < kept->count; i++) {
        struct checkpoint *checkpoint = &kept->checkpoints[i];
        if (i + keep >= kept->count || i == best || used(context, checkpoint->path)) {
            kept->checkpoints[n++] = *checkpoint;
        } else {
            remove_folder(self, checkpoint->path);
            free(checkpoint->path);
        }
    }
    kept->count = n;
    kept->waits = false;
}

void keeper_sweep(struct keeper *self, bool (*used)(void *context, const char *path), void *context)
{
    for (uint32_t i = 0; i < self->sweep_count; i++) {
        sweep_one(self, &self->trials[self->sweep[i]], used, context);
    }
    self->sweep_count = 0;
}
