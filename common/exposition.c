/*  exposition.c - HELP, TYPE, UNIT, samples, escaping; a family in both prefixes is written once and copied. */
#include "common/exposition.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

static const struct metric_row metrics[] = {
#define METRIC(ID, where, TYPE, name, unit, labels, help)                                          \
    [METRIC_##ID] = { name, FAMILY_##TYPE, unit, labels, help },
#include "common/metrics.def"
#undef METRIC
};

static const char *const prefixes[] = { "rayc_", "ray_", "rayc_" };
static const char *const types[] = { "counter", "gauge", "histogram" };

const struct metric_row *metric_at(enum metric_id id)
{
    ensure(id < METRICS);
    return &metrics[id];
}

bool metric_prefix_find(const char *text, enum metric_prefix *out)
{
    static const char *const names[] = { "rayc", "ray", "both" };
    for (uint32_t i = 0; i < COUNT(names); i++) {
        if (strcmp(text, names[i]) == 0) {
            *out = (enum metric_prefix)i;
            return true;
        }
    }
    return false;
}

enum { NUMBER_TEXT = BOUND_TEXT - 2 };

/*  As Prometheus writes a number: 1, 0.25, 1e+30, NaN, +Inf. */
static const char *number_text(double value, char out[NUMBER_TEXT])
{
    if (isnan(value)) {
        return strcpy(out, "NaN");
    }
    if (isinf(value)) {
        return strcpy(out, value > 0 ? "+Inf" : "-Inf");
    }
    for (int digits = 15; digits <= 17; digits++) {
        snprintf(out, NUMBER_TEXT, "%.*g", digits, value);
        if (strtod(out, NULL) == value) {
            break;
        }
    }
    return out;
}

/*  A bound, in both formats as OpenMetrics wants it, so that a series is the same in both: 1.0. */
const char *bound_text(double value, char out[BOUND_TEXT])
{
    number_text(value, out);
    if (strspn(out, "0123456789") == strlen(out)) {
        strcat(out, ".0");
    }
    return out;
}

/*  The text. */

static void put(struct exposition *self, const char *p, size_t n)
{
    if (self->n + n > self->capacity) {
        size_t capacity = 2 * self->capacity + n + 16 * 1024;
        char *grown = self->failed ? NULL : realloc(self->p, capacity);
        if (!grown) {
            self->failed = true;
            return;
        }
        self->p = grown;
        self->capacity = capacity;
    }
    memcpy(self->p + self->n, p, n);
    self->n += n;
}

static void put_text(struct exposition *self, const char *text)
{
    put(self, text, strlen(text));
}

/*  In quotes also a quote is escaped; HELP of format 0.0.4 has it as it is. */
static void put_escaped(struct exposition *self, struct slice text, bool quotes)
{
    for (size_t i = 0; i < text.n; i++) {
        char c = (char)text.p[i];
        if (c == '\\' || c == '\n' || (c == '"' && quotes)) {
            char pair[2] = { '\\', c == '\n' ? 'n' : c };
            put(self, pair, 2);
        } else {
            put(self, &c, 1);
        }
    }
}

void exposition_init(struct exposition *self, const char *accept)
{
    *self = (struct exposition){ .open_metrics =
                                     accept && strstr(accept, "application/openmetrics-text") };
}

void exposition_fini(struct exposition *self)
{
    free(self->p);
    *self = (struct exposition){ 0 };
}

const char *exposition_content_type(const struct exposition *self)
{
    return self->open_metrics ? "application/openmetrics-text; version=1.0.0; charset=utf-8"
                              : "text/plain; version=0.0.4; charset=utf-8";
}

bool exposition_end(struct exposition *self)
{
    exposition_family_end(self);
    if (self->open_metrics) {
        put_text(self, "# EOF\n");
    }
    return !self->failed;
}

static bool is_prefixed(const char *name)
{
    return strncmp(name, "process_", 8) != 0;
}

static void put_name(struct exposition *self)
{
    put_text(self, is_prefixed(self->name) ? prefixes[self->prefix] : "");
    put_text(self, self->name);
}

static bool ends_with(const char *text, const char *end)
{
    size_t n = strlen(text), k = strlen(end);
    return n > k && text[n - k - 1] == '_' && strcmp(text + n - k, end) == 0;
}

static void put_head(struct exposition *self, const char *what, struct slice text)
{
    put_text(self, what);
    put_name(self);
    if (self->type == FAMILY_COUNTER && !self->open_metrics) {
        put_text(self, "_total"); /* in OpenMetrics the family's name is without it */
    }
    put_text(self, " ");
    put_escaped(self, text, self->open_metrics);
    put_text(self, "\n");
}

void exposition_family(struct exposition *self, const struct metric_row *metric)
{
    exposition_family_end(self);
    self->family = self->n;
    self->name = metric->name;
    self->labels = metric->labels;
    self->type = metric->type;
    put_head(self, "# HELP ", slice_text(metric->help));
    put_head(self, "# TYPE ", slice_text(types[metric->type]));
    if (self->open_metrics && metric->unit[0] && ends_with(metric->name, metric->unit)) {
        put_head(self, "# UNIT ", slice_text(metric->unit));
    }
}

/*  Every line of a family begins with its name, maybe after "# HELP ", "# TYPE " or "# UNIT ". */
void exposition_family_end(struct exposition *self)
{
    size_t end = self->n;
    bool both = self->prefix == PREFIX_BOTH && self->name && is_prefixed(self->name);
    for (size_t at = self->family; both && !self->failed && at < end;) {
        const char *line = self->p + at;
        size_t n = (size_t)((char *)memchr(line, '\n', end - at) + 1 - line);
        size_t mark = line[0] == '#' ? strlen("# HELP ") : 0;
        char *copy = malloc(n); /* the text may move when it grows */
        self->failed = self->failed || !copy;
        if (copy) {
            memcpy(copy, line, n);
            put(self, copy, mark);
            put_text(self, prefixes[PREFIX_RAY]);
            mark += strlen(prefixes[PREFIX_BOTH]);
            put(self, copy + mark, n - mark);
        }
        free(copy);
        at += n;
    }
    self->name = NULL;
    self->family = self->n;
}

static void put_label(struct exposition *self, struct slice name, struct slice value, bool *any)
{
    if (value.n > 0) {
        put_text(self, *any ? "," : "{");
        put(self, (const char *)name.p, name.n);
        put_text(self, "=\"");
        put_escaped(self, value, true);
        put_text(self, "\"");
        *any = true;
    }
}

void exposition_put(struct exposition *self, const char *suffix, const struct label *labels,
                    uint32_t count, double value)
{
    char number[NUMBER_TEXT];
    bool any = false;
    ensure(self->name);
    put_name(self);
    put_text(self, self->type == FAMILY_COUNTER ? "_total" : suffix);
    for (uint32_t i = 0; i < count; i++) {
        put_label(self, labels[i].name, labels[i].value, &any);
    }
    put_label(self, slice_text("SessionName"), slice_text(self->session), &any);
    put_text(self, any ? "} " : " ");
    put_text(self, number_text(value, number));
    put_text(self, "\n");
}

/*  Metrics of the table. */

void exposition_metric(struct exposition *self, enum metric_id id)
{
    exposition_family(self, metric_at(id));
}

static uint32_t pair(const struct exposition *self, const struct slice *values,
                     struct label out[METRIC_LABELS_MAX])
{
    uint32_t count = 0;
    for (const char *at = self->labels; *at; count++) {
        size_t n = strcspn(at, " ");
        ensure(count < METRIC_LABELS_MAX);
        out[count] = (struct label){ slice_of(at, n), values[count] };
        at += n + (at[n] == ' ');
    }
    return count;
}

void exposition_sample(struct exposition *self, const struct slice *values, double value)
{
    struct label labels[METRIC_LABELS_MAX];
    exposition_put(self, "", labels, pair(self, values, labels), value);
}

void exposition_histogram(struct exposition *self, const struct slice *values,
                          const struct histogram *from)
{
    static const uint64_t bounds[HISTOGRAM_BOUNDS] = HISTOGRAM_US;
    struct label labels[METRIC_LABELS_MAX + 1];
    uint32_t count = pair(self, values, labels);
    uint64_t below = 0;
    for (uint32_t i = 0; i <= HISTOGRAM_BOUNDS; i++) {
        char bound[BOUND_TEXT];
        below += from->counts[i];
        bound_text(i < HISTOGRAM_BOUNDS ? (double)bounds[i] / 1e6 : INFINITY, bound);
        labels[count] = (struct label){ slice_text("le"), slice_text(bound) };
        exposition_put(self, "_bucket", labels, count + 1, (double)below);
    }
    exposition_put(self, "_sum", labels, count, (double)from->sum_us / 1e6);
    exposition_put(self, "_count", labels, count, (double)below);
}
