/*  samples_page.c - the users' metrics as families of the worker's page. */
#include <math.h>
#include "worker/samples_state.h"

static void put_series(struct exposition *out, const struct family *family,
                       const struct series *series)
{
    struct label labels[SAMPLE_LABELS_MAX + 2] = { { slice_text("JobId"),
                                                     slice_text(series->job) } };
    struct slice rest = slice_text(series->labels);
    uint32_t count = 1;
    while (count <= SAMPLE_LABELS_MAX &&
           sample_label(&rest, &labels[count].name, &labels[count].value)) {
        count++;
    }
    if (family->kind != METRIC_HISTOGRAM) {
        exposition_put(out, "", labels, count, series->value);
        return;
    }
    uint64_t below = 0;
    for (uint32_t i = 0; i <= family->bound_count; i++) {
        char bound[BOUND_TEXT];
        below += series->counts[i];
        bound_text(i < family->bound_count ? family->bounds[i] : INFINITY, bound);
        labels[count] = (struct label){ slice_text("le"), slice_text(bound) };
        exposition_put(out, "_bucket", labels, count + 1, (double)below);
    }
    exposition_put(out, "_sum", labels, count, series->value);
    exposition_put(out, "_count", labels, count, (double)below);
}

void samples_expose(struct samples *self, struct exposition *out)
{
    static const char *const reasons[DROPS] = { "KEY", "INVALID", "CONFLICT", "LIMIT" };
    static const enum family_type types[] = { [METRIC_COUNTER] = FAMILY_COUNTER,
                                              [METRIC_GAUGE] = FAMILY_GAUGE,
                                              [METRIC_HISTOGRAM] = FAMILY_HISTOGRAM };
    pthread_mutex_lock(&self->lock);
    exposition_metric(out, METRIC_SAMPLES_DROPPED);
    for (uint32_t i = 0; i < DROPS; i++) {
        EXPOSE(out, (double)self->dropped[i], slice_text(reasons[i]));
    }
    for (const struct family *family = self->families; family; family = family->next) {
        const struct metric_row row = { .name = family->name,
                                        .type = types[family->kind],
                                        .unit = "",
                                        .labels = "",
                                        .help = family->help[0] ? family->help
                                                                : "A metric of a user's." };
        exposition_family(out, &row);
        for (const struct series *series = family->series; series; series = series->next) {
            put_series(out, family, series);
        }
        exposition_family_end(out);
    }
    pthread_mutex_unlock(&self->lock);
}
