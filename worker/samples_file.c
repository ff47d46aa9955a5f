/*  samples_file.c - DIR/metrics: counters and histograms, so that a worker that starts again goes on with them.

    One series after another: a line of numbers, then its texts, as long as the line says.  It is renamed into place,
    so it is whole; what cannot be read is left out. */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include "common/log.h"
#include "worker/samples_state.h"

static void save_series(FILE *to, const struct family *family, const struct series *series)
{
    fprintf(to, "%u %zu %zu %zu %zu %u %.17g", family->kind, strlen(family->name),
            strlen(family->help), strlen(series->job), strlen(series->labels), family->bound_count,
            series->value);
    for (uint32_t i = 0; i < family->bound_count; i++) {
        fprintf(to, " %.17g", family->bounds[i]);
    }
    for (uint32_t i = 0; i <= family->bound_count; i++) {
        fprintf(to, " %llu", (unsigned long long)series->counts[i]);
    }
    fprintf(to, "\n%s%s%s%s\n", family->name, family->help, series->job, series->labels);
}

void samples_save(struct samples *self)
{
    char path[PATH_BYTES + 8];
    snprintf(path, sizeof(path), "%s.new", self->file);
    FILE *to = fopen(path, "we");
    if (to) {
        for (struct family *family = self->families; family; family = family->next) {
            for (struct series *at = family->series; at && family->kind != METRIC_GAUGE;
                 at = at->next) {
                save_series(to, family, at);
            }
        }
    }
    bool written = to && !ferror(to);
    if (!to || fclose(to) != 0 || !written || rename(path, self->file) != 0) {
        log_error("samples.save", "path=%s", self->file);
    }
    self->changed = false;
}

/*  A text of the file, which says how long it is. */
static char *load_text(FILE *from, size_t n)
{
    char *text = n <= SAMPLE_BYTES_MAX ? calloc(1, n + 1) : NULL;
    if (text && fread(text, 1, n, from) != n) {
        free(text);
        text = NULL;
    }
    return text;
}

struct saved {
    uint32_t kind, bounds;
    size_t n[4];   /* of the texts */
    char *text[4]; /* name, help, job, labels */
    double value;
    double bound[SAMPLE_BOUNDS_MAX];
    unsigned long long counts[SAMPLE_BOUNDS_MAX + 1];
};

static bool load_saved(FILE *from, struct saved *out)
{
    *out = (struct saved){ 0 };
    bool good = fscanf(from, "%u %zu %zu %zu %zu %u %lg", &out->kind, &out->n[0], &out->n[1],
                       &out->n[2], &out->n[3], &out->bounds, &out->value) == 7 &&
                out->bounds <= SAMPLE_BOUNDS_MAX;
    for (uint32_t i = 0; good && i < out->bounds; i++) {
        good = fscanf(from, "%lg", &out->bound[i]) == 1;
    }
    for (uint32_t i = 0; good && i <= out->bounds; i++) {
        good = fscanf(from, "%llu", &out->counts[i]) == 1;
    }
    good = good && fgetc(from) == '\n';
    for (uint32_t i = 0; good && i < 4; i++) {
        out->text[i] = load_text(from, out->n[i]);
        good = out->text[i] != NULL;
    }
    return good && fgetc(from) == '\n';
}

static void take_saved(struct samples *self, const struct saved *saved)
{
    char bounds[SAMPLE_BOUNDS_MAX * 26 + 1] = "";
    size_t n = 0;
    for (uint32_t i = 0; i < saved->bounds; i++) {
        n += (size_t)snprintf(bounds + n, sizeof(bounds) - n, "%s%.17g", i ? "," : "",
                              saved->bound[i]);
    }
    struct rec_sample sample = { .kind = saved->kind,
                                 .name = slice_text(saved->text[0]),
                                 .help = slice_text(saved->text[1]),
                                 .labels = slice_text(saved->text[3]),
                                 .bounds = slice_text(bounds),
                                 .value = saved->kind == METRIC_COUNTER ? saved->value : 1 };
    struct diag why;
    enum drop why_not;
    bool whole = sample_check(&sample, &why) == OK &&
                 (saved->kind == METRIC_COUNTER || (saved->kind == METRIC_HISTOGRAM && n > 0));
    struct series *series = whole ? samples_find(self, &sample, saved->text[2], &why_not) : NULL;
    if (series) {
        series->value = saved->value;
        for (uint32_t i = 0; i <= saved->bounds; i++) {
            series->counts[i] = saved->counts[i];
        }
    }
}

void samples_load(struct samples *self)
{
    struct saved saved;
    FILE *from = fopen(self->file, "re");
    for (bool more = from != NULL; more;) {
        more = load_saved(from, &saved);
        if (more) {
            take_saved(self, &saved);
        }
        for (uint32_t i = 0; i < 4; i++) {
            free(saved.text[i]);
        }
    }
    if (from) {
        fclose(from);
    }
}
