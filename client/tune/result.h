/*  result.h - a study as its rows tell it, and the forms in which people take it away: JSON, CSV, Ray's files, SVG.

    Rows come from the head (STUDY_READ), whether the study runs or has ended; nothing here changes it. */
#ifndef RAYC_TUNE_RESULT_H
#define RAYC_TUNE_RESULT_H
#include <jansson.h>
#include <stdio.h>
#include "client/tune/spec.h"
#include "proto/proto.h"

struct study_rows {
    const char *name;
    enum study_state state;
    uint64_t id, seed;
    struct study_spec *spec;        /* read again from the stored definition and settings */
    const struct rec_trial *trials; /* by number; they borrow from frames that the rows own */
    uint32_t trial_count;
    const struct rec_report *reports; /* by id; only if asked for */
    uint32_t report_count;
    void *frames;
};

/*  Asks one page; what *out borrows must stay valid until the next call: study_rows_load() copies it. */
typedef int study_ask(void *context, struct msg_study_read *request, struct msg_study_rows *out);

/*  OK; ERR_NOT_FOUND; a code of `ask`; ERR_INVALID with *error (a definition that this rayc cannot read, or rows that
    do not follow each other). */
MUST_CHECK int study_rows_load(struct study_rows *self, const char *name, bool reports,
                               study_ask *ask, void *context, struct spec_error *error);
void study_rows_free(struct study_rows *self);

/*  The settings of a study: what spec_read() is given besides the file. */
struct settings {
    struct spec_source source; /* borrows from the others, and from the definition */
    const char *storage;       /* NULL: none was kept */
    json_t *json;
    const char **texts; /* flags, then words */
};
/*  As one JSON object in malloced text, and back.  All texts must be UTF-8.  ERR_INVALID; *self can be freed always. */
char *settings_text(const struct spec_source *source, const char *storage);
MUST_CHECK int settings_read(struct settings *self, struct slice text, struct slice definition);
void settings_free(struct settings *self);

bool trial_has_value(const struct rec_trial *trial);
/*  Index of the best trial that has ended with a value, the first of equals; or NONE. */
uint32_t rows_best(const struct study_rows *self);

/*  {"study": {...}, "best": {...} or null, "trials": [...]}; the caller frees it. */
json_t *result_json(const struct study_rows *self);
json_t *result_trial_json(const struct rec_trial *trial);
/*  A header, then a row per trial in order of completion: parameters by name, then each metric by name; RFC 4180.
    A metric of a parameter's name has no column of its own.  Trials that have not ended are left out. */
void result_csv(const struct study_rows *self, FILE *to);
/*  Ray Tune's files: DIR/trial_NNNNN/{params.json, result.json, progress.csv, error.txt}; needs reports.  OK, or
    ERR_SYSTEM with errno. */
MUST_CHECK int result_ray(const struct study_rows *self, const char *dir);
/*  plot_*.c: SVG that stands alone. */
void plot_history(const struct study_rows *self, FILE *to); /* every trial, and the best so far */
void plot_parallel(const struct study_rows *self,
                   FILE *to); /* parallel coordinates, coloured by rank */
#endif
