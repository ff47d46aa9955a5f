/*  report_line.h - a report as a line of text, as commands write it: `epoch=3 loss=0.25 phase="warm up"`, or one JSON
    object, whose nested keys are joined by "/".  The key `checkpoint` names a folder.  Pure, but for memory. */
#ifndef RAYC_REPORT_LINE_H
#define RAYC_REPORT_LINE_H
#include "client/metrics.h"
#include "common/base.h"
#include "common/err.h"

enum { REPORT_LINE_MAX = 16 * 1024 };

struct report_line {
    struct metric *metrics; /* those that are not numbers have a text */
    size_t count;
    const char *checkpoint; /* NULL: none */
    char *texts;            /* what the others point into */
};

/*  Reads a whole line, without its newline.  ERR_INVALID: *why says what is wrong. */
MUST_CHECK int report_line_read(struct report_line *out, struct slice line, struct diag *why);
/*  Takes the numbers out of a line that people read: all words that are NAME=NUMBER.  False: there are none. */
bool report_line_scan(struct report_line *out, struct slice line);
void report_line_free(struct report_line *self);

/*  A number with nothing around it but spaces; also inf and nan. */
bool report_number(struct slice text, double *out);
#endif
