/*  tune_rows.h - a head that answers STUDY_READ page by page out of rows made by hand, and files to look at. */
#ifndef RAYC_TEST_TUNE_ROWS_H
#define RAYC_TEST_TUNE_ROWS_H
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>

#include "client/tune/result.h"
#include "common/file.h"
#include "rows_put.h"

#define NAME                                                                                       \
    "st\xc3\xbc"                                                                                   \
    "dy"

enum { TRIALS_MAX = 6000, REPORTS_MAX = 32, PAGE = 3 };

struct head {
    const char *definition;
    char *settings;
    struct rec_trial trials[TRIALS_MAX];
    double points[TRIALS_MAX][8];
    uint32_t trial_count;
    struct rec_report reports[REPORTS_MAX];
    uint32_t report_count;
    uint8_t memory[64 * 1024];
    struct msg reply;
    uint32_t questions, page;
    int fails;    /* instead of the n-th answer */
    bool endless; /* says that there is more when there is not */
};

__attribute__((unused)) static const char plain[] =
    "metric: loss\nmode: min\ncommand: train {x}\ntrials: 9\nspace:\n"
    "  x: {uniform: [0, 1]}\n"
    "  opt: {choice: [sgd, \"a,\\\"d\\\"\", null, true]}\n"
    "  m: {int: [1, 9], when: {opt: sgd}}\n";

static inline struct head *head_new(const char *definition)
{
    struct head *self = calloc(1, sizeof(*self));
    assert_non_null(self);
    struct spec_source source = { .dir = "/tmp" };
    self->definition = definition;
    self->settings = settings_text(&source, "/tmp/storage");
    self->page = PAGE;
    return self;
}

static inline void head_free(struct head **self)
{
    free((*self)->settings);
    free(*self);
    *self = NULL;
}

/*  The answer is encoded, and what it was made of is overwritten by the next one. */
static inline int ask_head(void *context, struct msg_study_read *request,
                           struct msg_study_rows *out)
{
    struct head *self = context;
    static const char *const none = "";
    if (++self->questions == (uint32_t)self->fails) {
        return ERR_TIMEOUT;
    }
    uint8_t *elements = malloc(sizeof(self->memory));
    assert_non_null(elements);
    struct wire list = { elements, 0, sizeof(self->memory), false };
    uint32_t count = 0, i = (uint32_t)request->after;
    struct msg_study_rows rows = { .study = 7, .state = STUDY_COMPLETED, .seed = 11 };
    for (; request->what == 1 && count < self->page && i < self->trial_count; i++, count++) {
        proto_put_record(&list, REC_TRIAL, &self->trials[i]);
    }
    if (request->what == 1) {
        rows.trials = wire_list(&list, count);
        rows.more = i < self->trial_count || self->endless;
    }
    for (i = 0; request->what == 2 && i < self->report_count; i++) {
        if (self->reports[i].id > request->after && count < self->page) {
            proto_put_record(&list, REC_REPORT, &self->reports[i]);
            count++;
        }
    }
    if (request->what == 2) {
        rows.reports = wire_list(&list, count);
        rows.more = count == self->page;
    }
    rows.definition = slice_text(request->what == 0 ? self->definition : none);
    rows.settings = slice_text(request->what == 0 ? self->settings : none);
    struct wire frame = { self->memory, 0, sizeof(self->memory), false };
    proto_put(&frame, MSG_STUDY_ROWS, &rows);
    free(elements);
    assert_false(list.full || frame.full);
    assert_int_equal(proto_decode(slice_of(frame.p, frame.n), &self->reply, NULL), OK);
    *out = self->reply.as.study_rows;
    return OK;
}

/*  TERMINATED in the order in which they are added, unless changed. */
static inline struct rec_trial *add(struct head *self, const char *params, const char *metrics,
                                    double value)
{
    assert_true(self->trial_count < TRIALS_MAX);
    uint32_t i = self->trial_count++;
    self->trials[i] = (struct rec_trial){ .number = i,
                                          .state = TRIAL_TERMINATED,
                                          .ended = i + 1,
                                          .value = value,
                                          .step = 3,
                                          .created_ms = 1000,
                                          .ended_ms = 9000,
                                          .point = slice_of(self->points[i], 3 * sizeof(double)),
                                          .params = slice_text(params),
                                          .metrics = slice_text(metrics) };
    return &self->trials[i];
}

static inline void add_report(struct head *self, uint32_t trial, double step, const char *metrics)
{
    uint32_t i = self->report_count++;
    assert_true(i < REPORTS_MAX);
    self->reports[i] = (struct rec_report){ .id = 10 * (i + 1),
                                            .task = 5,
                                            .attempt = 1,
                                            .number = i + 1,
                                            .trial = trial,
                                            .step = step,
                                            .value = 1,
                                            .metrics = slice_text(metrics),
                                            .at_ms = 2000 + 500 * i };
}

static inline struct study_rows load(struct head *head)
{
    struct study_rows rows;
    struct spec_error error;
    int rc = study_rows_load(&rows, NAME, true, ask_head, head, &error);
    if (rc != OK) {
        print_message("%s: %s\n", error.field, error.text);
    }
    assert_int_equal(rc, OK);
    return rows;
}

static inline char *printed(const struct study_rows *rows,
                            void (*print)(const struct study_rows *, FILE *))
{
    char *text;
    size_t n;
    FILE *to = open_memstream(&text, &n);
    print(rows, to);
    fclose(to);
    return text;
}

/* --- files ----------------------------------------------------------------------------------- */

static inline char *content(const char *dir, const char *name)
{
    char path[512];
    static char text[64 * 1024];
    snprintf(path, sizeof(path), "%s/%s", dir, name);
    FILE *file = fopen(path, "r");
    if (!file) {
        return NULL;
    }
    text[fread(text, 1, sizeof(text) - 1, file)] = 0;
    fclose(file);
    return text;
}

static inline json_t *line_of(const char *text, int n)
{
    while (n-- > 0) {
        text = strchr(text, '\n') + 1;
    }
    json_t *line = json_loadb(text, strcspn(text, "\n"), 0, NULL);
    assert_non_null(line);
    return line;
}

static inline uint32_t lines_in(const char *text)
{
    uint32_t n = 0;
    for (; *text; text++) {
        n += *text == '\n';
    }
    return n;
}
#endif
