/*  exposition.h - metrics as text that Prometheus reads: format 0.0.4, or OpenMetrics 1.0.0 for who asks for it.

    A family is begun once, then come its samples.  The text grows on the heap; when there is no memory for more, it says
    so at its end.  What is measured, and when, is its caller's business: metrics.def has what there is. */
#ifndef RAYC_EXPOSITION_H
#define RAYC_EXPOSITION_H
#include "common/base.h"
#include "common/histogram.h"

enum family_type { FAMILY_COUNTER, FAMILY_GAUGE, FAMILY_HISTOGRAM };
enum metric_id {
#define METRIC(ID, where, TYPE, name, unit, labels, help) METRIC_##ID,
#include "common/metrics.def"
#undef METRIC
    METRICS
};

enum { METRIC_LABELS_MAX = 8 };
struct metric_row {
    const char *name; /* without prefix and _total */
    enum family_type type;
    const char *unit;
    const char *labels; /* names, a blank between */
    const char *help;
};
const struct metric_row *metric_at(enum metric_id id);

/*  What a name of metrics.def begins with: Ray's prefix makes Ray's own dashboards usable.  process_* has none. */
enum metric_prefix { PREFIX_RAYC, PREFIX_RAY, PREFIX_BOTH };
bool metric_prefix_find(const char *text, enum metric_prefix *out); /* rayc, ray, both */

struct label {
    struct slice name, value; /* an empty value: as if the label was not there */
};

struct exposition {
    char *p;
    size_t n, capacity;
    bool open_metrics;
    bool failed; /* no memory */
    enum metric_prefix prefix;
    const char *session; /* label SessionName of everything, as Ray has it; NULL: none */
    size_t family;       /* where the family being written begins */
    const char *name, *labels;
    enum family_type type;
};

/*  `accept`: the header of the request, NULL: none. */
void exposition_init(struct exposition *self, const char *accept);
void exposition_fini(struct exposition *self);
const char *exposition_content_type(const struct exposition *self);
/*  The last line; false: no memory, the text is not to be used. */
bool exposition_end(struct exposition *self);

/*  A family of metrics.def, and one sample of it; values in the order of its labels. */
void exposition_metric(struct exposition *self, enum metric_id id);
void exposition_sample(struct exposition *self, const struct slice *values, double value);
#define EXPOSE(self, value, ...)                                                                   \
    exposition_sample(self, (const struct slice[METRIC_LABELS_MAX]){ __VA_ARGS__ }, value)
void exposition_histogram(struct exposition *self, const struct slice *values,
                          const struct histogram *from);

/*  The same of any family, for metrics of users.  The strings live until the family is over. */
void exposition_family(struct exposition *self, const struct metric_row *metric);
/*  `suffix`: of the name, "_bucket"; "": none.  _total of a counter comes by itself. */
void exposition_put(struct exposition *self, const char *suffix, const struct label *labels,
                    uint32_t count, double value);
void exposition_family_end(struct exposition *self); /* before the next one begins */

/*  The value of a label "le". */
enum { BOUND_TEXT = 36 };
const char *bound_text(double value, char out[BOUND_TEXT]);
#endif
