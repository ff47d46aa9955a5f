/*  samples_state.h - metrics as samples.c folds them, samples_file.c keeps them and samples_expose() shows them. */
#ifndef RAYC_SAMPLES_STATE_H
#define RAYC_SAMPLES_STATE_H
#include <pthread.h>
#include "common/file.h"
#include "proto/sample.h"
#include "worker/samples.h"

/*  What has one name. */
struct family {
    struct family *next;
    struct series *series;
    uint32_t kind; /* enum metric_kind */
    uint32_t bound_count;
    char *name, *help; /* a counter's name is without _total */
    double bounds[SAMPLE_BOUNDS_MAX];
};

/*  What has one name, job and labels. */
struct series {
    struct series *next; /* of its family */
    char *job, *labels;
    double value;     /* of a histogram: the sum */
    uint64_t *counts; /* of a histogram: per bucket, the last one beyond all bounds */
    uint32_t source;  /* of a gauge: who set it last; else 0 */
    uint64_t said_ms; /* when somebody did last; 0: in an earlier worker's time */
};

/*  An executor, until nothing is to be expected of it. */
struct source {
    char key[SAMPLES_KEY_BYTES]; /* "": the row is free */
    char *job;
    uint64_t over_ms; /* when the row and its gauges go; UINT64_MAX: it runs */
    bool gauges;      /* it has set some */
};

enum drop { DROP_KEY, DROP_INVALID, DROP_CONFLICT, DROP_LIMIT, DROPS };

struct samples {
    pthread_mutex_t lock; /* of what follows */
    struct family *families;
    uint32_t family_count, series_count;
    uint64_t now_ms, room_ms; /* of samples_fold(); when to look for room again */
    uint64_t dropped[DROPS];
    /* the loop's own: */
    struct source *sources;
    uint32_t source_count, free_hint;
    uint64_t ended; /* sources that wait for their end */
    uint64_t due_ms, saved_ms;
    bool changed; /* since DIR/metrics was written */
    int fd;
    char address[64], file[PATH_BYTES];
};

/*  The series, made if there is none; NULL: `why_not` says which limit or conflict. */
struct series *samples_find(struct samples *self, const struct rec_sample *sample, const char *job,
                            enum drop *why_not);
/*  samples_file.c */
void samples_load(struct samples *self);
void samples_save(struct samples *self);
#endif
