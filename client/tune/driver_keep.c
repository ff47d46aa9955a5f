/*  driver_keep.c - per trial a short list of checkpoints, and what its files have so far. */
#include "client/tune/driver_keep.h"

#include <errno.h>
#include <ftw.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
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
    bool waits; /* it is in `sweep` */
    struct result_lines lines;
};

struct keeper {
    const struct study_spec *spec;
    const char *name;
    char *root; /* STORAGE/NAME */
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
    ensure(asprintf(&self->root, "%s/%s", storage, name) > 0);
    self->name = self->root + strlen(storage) + 1;
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
        free(self->root);
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

/*  The same folder again, by another attempt, is the newest one now. */
static struct checkpoint take_checkpoint(struct kept *kept, const char *path, size_t n)
{
    for (uint32_t i = 0; i < kept->count; i++) {
        struct checkpoint found = kept->checkpoints[i];
        if (strlen(found.path) == n && memcmp(found.path, path, n) == 0) {
            kept->count--;
            memmove(&kept->checkpoints[i], &kept->checkpoints[i + 1],
                    (kept->count - i) * sizeof(found));
            return found;
        }
    }
    struct checkpoint made = { strndup(path, n), NAN };
    ensure(made.path != NULL);
    return made;
}

static void add_checkpoint(struct keeper *self, uint32_t trial, struct slice path, double value)
{
    struct kept *kept = kept_of(self, trial);
    struct checkpoint checkpoint = take_checkpoint(kept, (const char *)path.p, path.n);
    checkpoint.value = value;
    if (kept->count == kept->capacity) {
        kept->capacity = kept->capacity ? 2 * kept->capacity : 4;
        kept->checkpoints = realloc(kept->checkpoints, kept->capacity * sizeof(*kept->checkpoints));
        ensure(kept->checkpoints != NULL);
    }
    kept->checkpoints[kept->count++] = checkpoint;
    if (kept->waits) {
        return;
    }
    kept->waits = true;
    if (self->sweep_count == self->sweep_capacity) {
        self->sweep_capacity = self->sweep_capacity ? 2 * self->sweep_capacity : 16;
        self->sweep = realloc(self->sweep, self->sweep_capacity * sizeof(*self->sweep));
        ensure(self->sweep != NULL);
    }
    self->sweep[self->sweep_count++] = trial;
}

void keeper_checkpoint(struct keeper *self, const struct study_trial *trial, const char *path)
{
    add_checkpoint(self, trial->base.number, slice_text(path), trial->value);
}

/* --- loggers ---------------------------------------------------------------------------------- */

/*  The trial's own process may have written its params.json, and may be reading it. */
static int make_folder(const char *dir, const char *params)
{
    char path[PATH_BYTES];
    int rc = file_make_dir(dir, 0777);
    rc = rc == OK ? file_path(path, sizeof(path), dir, "params.json") : rc;
    return rc == OK && access(path, F_OK) != 0 ? result_params_write(dir, params) : rc;
}

static int add_line(struct keeper *self, const struct study_trial *trial,
                    const struct rec_report *report)
{
    char dir[PATH_BYTES], name[32];
    struct result_lines *lines = &kept_of(self, trial->base.number)->lines;
    struct result_to to = { .dir = dir, .json = self->spec->log_json, .csv = self->spec->log_csv };
    struct result_trial of = { self->name, trial->base.number, trial->created_ms, trial->params };
    snprintf(name, sizeof(name), "trial_%05u", trial->base.number);
    int rc = file_path(dir, sizeof(dir), self->root, name);
    rc = rc == OK && lines->iteration == 0 ? make_folder(dir, trial->params) : rc;
    return rc == OK ? result_lines_add(lines, &of, report, &to) : rc;
}

void keeper_report(struct keeper *self, const struct study_trial *trial,
                   const struct rec_report *report)
{
    if (report->checkpoint.n > 0) {
        add_checkpoint(self, trial->base.number, report->checkpoint, report->value);
    }
    bool logs = self->spec->log_json || self->spec->log_csv;
    bool ended = trial->base.ended > 0; /* its files were whole before its row said so */
    if (logs && !ended && add_line(self, trial, report) != OK) {
        log_warn("tune.logger", "trial=%u dir=%s error=\"%s\"", trial->base.number, self->root,
                 strerror(errno));
    }
}

/* --- removing --------------------------------------------------------------------------------- */

static int remove_one(const char *path, const struct stat *status, int kind, struct FTW *place)
{
    (void)status, (void)kind, (void)place;
    return remove(path);
}

static bool same_folder(const char *a, const char *b)
{
    char real_a[PATH_BYTES], real_b[PATH_BYTES];
    return realpath(a, real_a) && realpath(b, real_b) && strcmp(real_a, real_b) == 0;
}

/*  A path from a report may say anything: only checkpoint_* directly in the trial's own folder is ours; of a link only
    the link goes.  False: it is not ours, or on another machine, or gone. */
static bool remove_folder(const struct keeper *self, uint32_t trial, const char *path)
{
    char parent[PATH_BYTES], own[PATH_BYTES], name[32];
    snprintf(name, sizeof(name), "trial_%05u", trial);
    if (!slice_copy_text(slice_text(path), parent, sizeof(parent)) ||
        file_path(own, sizeof(own), self->root, name) != OK) {
        return false;
    }
    char *slash = strrchr(parent, '/');
    if (!slash || strncmp(slash, "/checkpoint_", 12) != 0) {
        return false;
    }
    *slash = 0;
    return same_folder(parent, own) && nftw(path, remove_one, 16, FTW_DEPTH | FTW_PHYS) == 0;
}

static uint32_t best_of(const struct keeper *self, const struct kept *kept)
{
    uint32_t best = NONE;
    for (uint32_t i = 0; self->spec->checkpoint_best && i < kept->count; i++) {
        double value = kept->checkpoints[i].value;
        double other = best == NONE ? NAN : kept->checkpoints[best].value;
        if (!isnan(value) &&
            (isnan(other) || (self->spec->maximize ? value > other : value < other))) {
            best = i;
        }
    }
    return best;
}

/*  True: one that is used must be looked at again. */
static bool sweep_one(struct keeper *self, uint32_t trial,
                      bool (*used)(void *context, const char *path), void *context)
{
    struct kept *kept = &self->trials[trial];
    uint32_t keep = self->spec->checkpoint_keep > 0 ? self->spec->checkpoint_keep : 1, n = 0;
    uint32_t best = best_of(self, kept), count = kept->count;
    bool again = false;
    for (uint32_t i = 0; i < count; i++) {
        struct checkpoint checkpoint = kept->checkpoints[i];
        bool wanted = i + keep >= count || i == best;
        bool needed = !wanted && used(context, checkpoint.path);
        again = again || needed;
        if (wanted || needed) {
            kept->checkpoints[n++] = checkpoint;
        } else {
            (void)remove_folder(self, trial, checkpoint.path);
            free(checkpoint.path);
        }
    }
    kept->count = n;
    kept->waits = again;
    return again;
}

void keeper_sweep(struct keeper *self, bool (*used)(void *context, const char *path), void *context)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < self->sweep_count; i++) {
        if (sweep_one(self, self->sweep[i], used, context)) {
            self->sweep[n++] = self->sweep[i];
        }
    }
    self->sweep_count = n;
}
