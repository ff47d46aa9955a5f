/*  metrics.h - what is reported, as the protocol carries it: a JSON object with each number in the fewest digits that
    read back as the same number. */
#ifndef RAYC_METRICS_H
#define RAYC_METRICS_H
#include "common/base.h"
#include "common/err.h"
#include "proto/proto.h"

enum { METRIC_NAME_MAX = 128, METRIC_COUNT_MAX = 512, NUMBER_TEXT_BYTES = 32 };

struct metric {
    const char *name;
    const char *text; /* NULL: it is a number */
    double value;
};

/*  "0.1", "3", "1e-05", whatever the locale; of what is not finite: "nan", "inf", "-inf".  Returns `out`. */
const char *number_text(double value, char out[NUMBER_TEXT_BYTES]);

static inline bool metric_name_ok(struct slice name)
{
    for (size_t i = 0; i < name.n; i++) {
        uint8_t c = name.p[i];
        bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
        if (!letter && (c < '0' || c > '9') && (c == 0 || strchr("_-./:()@%", c) == NULL)) {
            return false;
        }
    }
    return name.n > 0 && name.n <= METRIC_NAME_MAX;
}
/*  ERR_INVALID: *why names the metric that is wrong. */
MUST_CHECK int metrics_check(const struct metric *metrics, size_t count, struct diag *why);
const struct metric *metrics_find(const struct metric *metrics, size_t count, const char *name);
/*  Writes the object; what is not finite is null.  ERR_INVALID: larger than METRICS_MAX, or not UTF-8. */
MUST_CHECK int metrics_json(const struct metric *metrics, size_t count, char out[METRICS_MAX + 1],
                            struct diag *why);
#endif
