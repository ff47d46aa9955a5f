/*  result_lines.h - Ray's result.json and progress.csv of one trial, a line per report, with the keys that Ray adds. */
#ifndef RAYC_TUNE_RESULT_LINES_H
#define RAYC_TUNE_RESULT_LINES_H
#include <jansson.h>
#include "proto/proto.h"

struct result_lines { /* all zero at first */
    json_t *header;   /* the first result: its keys are the columns */
    uint64_t before_ms;
    uint32_t iteration;
};

struct result_trial {
    uint32_t number;
    uint64_t created_ms;
    const char *params; /* JSON */
};

struct result_to {
    const char *dir; /* NULL: only count */
    bool json, csv;
    bool done;
};

/*  Appends; makes the folder and its params.json with the first.  OK, or ERR_SYSTEM with errno. */
MUST_CHECK int result_lines_add(struct result_lines *self, const struct result_trial *trial,
                                const struct rec_report *report, const struct result_to *to);
void result_lines_fini(struct result_lines *self);
/*  DIR/params.json, sorted and indented as Ray's. */
MUST_CHECK int result_params_write(const char *dir, const char *params);
#endif
