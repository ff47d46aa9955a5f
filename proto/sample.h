/*  sample.h - what a SAMPLE may say: checked by who sends it, and again by the worker.  Pure. */
#ifndef RAYC_SAMPLE_H
#define RAYC_SAMPLE_H
#include "common/err.h"
#include "proto/proto.h"

enum { SAMPLE_BOUNDS_MAX = 64, SAMPLE_LABELS_MAX = 16, SAMPLE_BYTES_MAX = 64 * 1024 };

/*  Name, kind, labels and value; a counter's value is above 0.  ERR_INVALID: `why` says what is wrong. */
MUST_CHECK int sample_check(const struct rec_sample *sample, struct diag *why);
/*  How many bounds there are, rising and finite; 0: it is no such list. */
uint32_t sample_bounds(struct slice text, double out[SAMPLE_BOUNDS_MAX]);
/*  Is it x_bucket, x_count or x_sum, as which a histogram x is shown? */
bool sample_is_part(struct slice name, struct slice histogram);
/*  Takes the first line off. */
bool sample_label(struct slice *labels, struct slice *name, struct slice *value);
#endif
