/*  sample.c - Prometheus's rules for names, and what would be mixed up with metrics or labels of rayc's own. */
#include "proto/sample.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include "common/exposition.h"
#include "common/utf8.h"

static int refuse(struct diag *why, const char *field, const char *text, struct slice what)
{
    why->field = field;
    snprintf(why->text, sizeof(why->text), "'%.*s': %s", (int)(what.n < 60 ? what.n : 60),
             (const char *)what.p, text);
    return ERR_INVALID;
}

static bool is_name(struct slice name, const char *others)
{
    for (size_t i = 0; i < name.n; i++) {
        uint8_t c = name.p[i];
        bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
        bool digit = c >= '0' && c <= '9' && i > 0;
        if (!letter && !digit && (c == 0 || !strchr(others, c))) {
            return false;
        }
    }
    return name.n > 0;
}

static bool ends_with(struct slice text, const char *end)
{
    size_t n = strlen(end);
    return text.n >= n && memcmp(text.p + text.n - n, end, n) == 0;
}

bool sample_is_part(struct slice name, struct slice histogram)
{
    static const char *const parts[] = { "_bucket", "_count", "_sum" };
    bool is = false;
    for (uint32_t i = 0; i < COUNT(parts); i++) {
        struct slice before = slice_of(name.p, name.n - strlen(parts[i]));
        is = is || (ends_with(name, parts[i]) && slice_same(before, histogram));
    }
    return is;
}

/*  A counter's name is the same with _total and without. */
static bool is_own(struct slice name, uint32_t kind)
{
    name.n -= ends_with(name, "_total") ? strlen("_total") : 0;
    for (uint32_t id = 0; id < METRICS; id++) {
        const struct metric_row *own = metric_at((enum metric_id)id);
        struct slice its = slice_text(own->name);
        if (slice_same(name, its) || (own->type == FAMILY_HISTOGRAM && sample_is_part(name, its)) ||
            (kind == METRIC_HISTOGRAM && sample_is_part(its, name))) {
            return true;
        }
    }
    return name.n >= 8 && memcmp(name.p, "process_", 8) == 0;
}

bool sample_label(struct slice *labels, struct slice *name, struct slice *value)
{
    if (labels->n == 0) {
        return false;
    }
    const uint8_t *end = memchr(labels->p, '\n', labels->n);
    size_t n = end ? (size_t)(end - labels->p) : labels->n;
    const uint8_t *equals = memchr(labels->p, '=', n);
    size_t k = equals ? (size_t)(equals - labels->p) : n;
    *name = slice_of(labels->p, k);
    *value = slice_of(labels->p + k + (k < n), n - k - (k < n));
    *labels = slice_of(labels->p + n + (n < labels->n), labels->n - n - (n < labels->n));
    return true;
}

static int check_labels(struct slice labels, struct diag *why)
{
    static const char *const reserved[] = { "JobId", "SessionName", "le", "quantile" };
    struct slice name, value, before = { 0 };
    for (uint32_t count = 1; sample_label(&labels, &name, &value); count++) {
        if (!is_name(name, "_") || (name.n >= 2 && memcmp(name.p, "__", 2) == 0)) {
            return refuse(why, "label", "write [a-zA-Z_][a-zA-Z0-9_]*, without __ before it", name);
        }
        for (uint32_t i = 0; i < COUNT(reserved); i++) {
            if (slice_same(name, slice_text(reserved[i]))) {
                return refuse(why, "label", "this label is set by rayc", name);
            }
        }
        size_t least = before.n < name.n ? before.n : name.n;
        int order = before.n ? memcmp(before.p, name.p, least) : -1;
        if (order > 0 || (order == 0 && before.n >= name.n)) {
            return refuse(why, "label", "labels are sorted, and each comes once", name);
        }
        if (value.n == 0) {
            return refuse(why, "label", "this label has no value", name);
        }
        if (count > SAMPLE_LABELS_MAX) {
            return refuse(why, "label", "more than 16 labels", name);
        }
        before = name;
    }
    return OK;
}

int sample_check(const struct rec_sample *sample, struct diag *why)
{
    *why = (struct diag){ 0 };
    bool total = ends_with(sample->name, "_total");
    if (!is_name(sample->name, "_:")) {
        return refuse(why, "name", "write [a-zA-Z_:][a-zA-Z0-9_:]*", sample->name);
    }
    if (sample->name.n > NAME_MAX_BYTES) {
        return refuse(why, "name", "a name has at most 256 bytes", sample->name);
    }
    if (is_own(sample->name, sample->kind)) {
        return refuse(why, "name", "this metric is of rayc's own; choose another name",
                      sample->name);
    }
    if (sample->kind != METRIC_COUNTER && total) {
        return refuse(why, "name", "only a counter's name ends with _total", sample->name);
    }
    if (!isfinite(sample->value)) {
        return refuse(why, "value", "the value is not a finite number", sample->name);
    }
    if (sample->kind == METRIC_COUNTER && sample->value <= 0) {
        return refuse(why, "value", "a counter only rises: add more than 0", sample->name);
    }
    if (!utf8_valid(sample->labels) || !utf8_valid(sample->help)) {
        return refuse(why, "label", "labels and help are UTF-8", sample->name);
    }
    return check_labels(sample->labels, why);
}

uint32_t sample_bounds(struct slice text, double out[SAMPLE_BOUNDS_MAX])
{
    char copy[TEXT_MAX + 1];
    uint32_t count = 0;
    if (!slice_copy_text(text, copy, sizeof(copy)) || strlen(copy) != text.n) {
        return 0;
    }
    for (char *at = copy; *at; count++) {
        char *end;
        double bound = strtod(at, &end);
        bool good = end > at && (*end == ',' || *end == 0) && isfinite(bound) &&
                    count < SAMPLE_BOUNDS_MAX && (count == 0 || bound > out[count - 1]);
        if (!good || (*end == ',' && end[1] == 0)) {
            return 0;
        }
        out[count] = bound;
        at = end + (*end == ',');
    }
    return count;
}
