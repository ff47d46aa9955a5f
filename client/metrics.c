/*  metrics.c - numbers and names of reports. */
#include "client/metrics.h"

#include <jansson.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#define WHOLE_MAX 1e15 /* whole numbers below are written without a point or an exponent */

/*  A locale may have another decimal point, of several bytes. */
static void fix_point(char *text)
{
    char *to = text;
    for (const char *from = text; *from != 0; from++) {
        if ((*from >= '0' && *from <= '9') || strchr("+-einfa", *from) != NULL) {
            *to++ = *from;
        } else if (to == text || to[-1] != '.') {
            *to++ = '.';
        }
    }
    *to = 0;
}

const char *number_text(double value, char out[NUMBER_TEXT_BYTES])
{
    if (value == floor(value) && fabs(value) < WHOLE_MAX) {
        snprintf(out, NUMBER_TEXT_BYTES, "%.0f", value == 0 ? 0.0 : value);
        return out;
    }
    for (int digits = 15; digits <= 17; digits++) {
        snprintf(out, NUMBER_TEXT_BYTES, "%.*g", digits, value);
        if (!isfinite(value) || strtod(out, NULL) == value) {
            break;
        }
    }
    if (isnan(value)) {
        snprintf(out, NUMBER_TEXT_BYTES, "nan");
    }
    fix_point(out);
    return out;
}

__attribute__((format(printf, 2, 3))) static int wrong(struct diag *why, const char *format, ...)
{
    va_list values;
    va_start(values, format);
    vsnprintf(why->text, sizeof(why->text), format, values);
    va_end(values);
    return ERR_INVALID;
}

const struct metric *metrics_find(const struct metric *metrics, size_t count, const char *name)
{
    for (size_t i = 0; i < count; i++) {
        if (strcmp(metrics[i].name, name) == 0) {
            return &metrics[i];
        }
    }
    return NULL;
}

int metrics_check(const struct metric *metrics, size_t count, struct diag *why)
{
    if (count > METRIC_COUNT_MAX) {
        return wrong(why, "%zu metrics in one report: the limit is %d", count, METRIC_COUNT_MAX);
    }
    for (size_t i = 0; i < count; i++) {
        const char *name = metrics[i].name;
        if (name == NULL || !metric_name_ok(slice_text(name))) {
            return wrong(
                why,
                "metric name \"%.40s\": letters, digits, _ - . / : ( ) @ %% and at most %d bytes",
                name != NULL ? name : "", METRIC_NAME_MAX);
        }
        if (metrics_find(metrics, i, name) != NULL) {
            return wrong(why, "metric %.100s is there twice", name);
        }
    }
    return OK;
}

/*  Appends; false: it does not fit. */
static bool add(char *out, size_t *n, const char *text)
{
    size_t bytes = strlen(text);
    if (bytes > METRICS_MAX - *n) {
        return false;
    }
    memcpy(out + *n, text, bytes + 1);
    *n += bytes;
    return true;
}

static bool add_text(char *out, size_t *n, const char *text)
{
    json_t *value = json_string(text); /* NULL: not UTF-8 */
    char *quoted = value != NULL ? json_dumps(value, JSON_ENCODE_ANY) : NULL;
    bool ok = quoted != NULL && add(out, n, quoted);
    free(quoted);
    json_decref(value);
    return ok;
}

int metrics_json(const struct metric *metrics, size_t count, char out[METRICS_MAX + 1],
                 struct diag *why)
{
    size_t n = 0;
    bool ok = add(out, &n, "{");
    for (size_t i = 0; i < count && ok; i++) {
        char number[NUMBER_TEXT_BYTES];
        const struct metric *metric = &metrics[i];
        ok =
            add(out, &n, i > 0 ? ",\"" : "\"") && add(out, &n, metric->name) && add(out, &n, "\":");
        if (ok && metric->text != NULL) {
            ok = add_text(out, &n, metric->text);
        } else if (ok) {
            ok =
                add(out, &n, isfinite(metric->value) ? number_text(metric->value, number) : "null");
        }
    }
    return ok && add(out, &n, "}")
               ? OK
               : wrong(why, "the metrics are no UTF-8, or have more than %d bytes as JSON",
                       METRICS_MAX);
}
