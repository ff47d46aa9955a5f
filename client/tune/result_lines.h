/*  result_lines.h - Ray's result.json and progress.csv of one trial, a line per report, with the keys that Ray adds. */
#ifndef RAYC_TUNE_RESULT_LINES_H
#define RAYC_TUNE_RESULT_LINES_H
#include <jansson.h>
#include "proto/proto.h"

struct result_lines { /* all zero at first */
    json_t *columns;  /* the first result: of its keys */
    uint64_t before_ms, restored_ms;
    uint64_t task;                      /* of the line before, with its attempt */
    uint32_t attempt, iteration, since; /* since: of the attempt */
};

struct result_trial {
    const char *study;
    uint32_t number;
    uint64_t created_ms;
    const char *params; /* JSON */
};

struct result_to {
    const char *dir;
    bool json, csv;
    bool done; /* it is the trial's last one */
};

/*  Appends a report, each file whole: the first one begins the files anew.  OK, or ERR_SYSTEM with errno. */
MUST_CHECK int result_lines_add(struct result_lines *self, const struct result_trial *trial,
                                const struct rec_report *report, const struct result_to *to);
void result_lines_fini(struct result_lines *self);
/*  DIR/params.json, indented as Ray's; it appears whole. */
MUST_CHECK int result_params_write(const char *dir, const char *params);
#endif
