/*  metric.c - `rayc metric inc|set|observe NAME VALUE`: one sample of a metric of the user's own, from a shell script that
    runs on the cluster.  It needs no head, only the worker that started the script. */
#include <math.h>
#include <stdlib.h>
#include "client/cli/cli.h"
#include "client/metric.h"
#include "client/rayc.h"
#include "proto/sample.h"

static int by_name(const void *a, const void *b)
{
    const char *const *left = a, *const *right = b;
    return strcmp(*left, *right);
}

/*  The labels, one a line and sorted; 0, or an exit code. */
static int join_labels(const struct cli *self, char **out)
{
    const struct option_list *list = &self->options.label;
    const char *sorted[SAMPLE_LABELS_MAX];
    size_t bytes = 1;
    if (list->count > SAMPLE_LABELS_MAX) {
        return fail_usage(self, "--label: more than %d labels", SAMPLE_LABELS_MAX);
    }
    for (uint32_t i = 0; i < list->count; i++) {
        const char *pair = sorted[i] = list->texts[i];
        const char *equals = strchr(pair, '=');
        if (!equals || equals == pair || !equals[1] || strchr(pair, '\n')) {
            return fail_usage(self, "--label: '%.200s' is not NAME=VALUE of one line", pair);
        }
        bytes += strlen(pair) + 1;
    }
    qsort(sorted, list->count, sizeof(*sorted), by_name);
    char *text = calloc(1, bytes);
    if (!text) {
        return fail(self, ERR_MEMORY, "%s", err_text(ERR_MEMORY));
    }
    for (uint32_t i = 0; i < list->count; i++) {
        strcat(text, i ? "\n" : "");
        strcat(text, sorted[i]);
    }
    *out = text;
    return 0;
}

static int record(struct cli *self, uint32_t kind)
{
    double ignored[SAMPLE_BOUNDS_MAX];
    char *end = NULL, *labels = NULL;
    if (self->count != 2) {
        return fail_usage(self, "write a NAME and a VALUE, as in epochs 1");
    }
    double value = strtod(self->operands[1], &end);
    if (end == self->operands[1] || *end || !isfinite(value)) {
        return fail_usage(self, "'%.200s' is not a number", self->operands[1]);
    }
    const char *bounds = kind == METRIC_HISTOGRAM ? self->options.bounds : NULL;
    if (kind == METRIC_HISTOGRAM && (!bounds || !sample_bounds(slice_text(bounds), ignored))) {
        return fail_usage(self, "a histogram needs --bounds: rising numbers, as in 0.1,1,10");
    }
    int exit_code = join_labels(self, &labels);
    if (exit_code) {
        return exit_code;
    }
    struct rec_sample sample = { .kind = kind,
                                 .name = slice_text(self->operands[0]),
                                 .labels = slice_text(labels),
                                 .help = slice_text(self->options.help_text),
                                 .bounds = slice_text(bounds),
                                 .value = value };
    int rc = metric_send(&sample);
    free(labels);
    return rc ? fail(self, rc, "%s", rayc_error()->text) : 0;
}

int cmd_metric_inc(struct cli *self)
{
    return record(self, METRIC_COUNTER);
}

int cmd_metric_set(struct cli *self)
{
    return record(self, METRIC_GAUGE);
}

int cmd_metric_observe(struct cli *self)
{
    return record(self, METRIC_HISTOGRAM);
}
