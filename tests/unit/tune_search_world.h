/*  tune_search_world.h - a study of a search.yaml without a cluster: trials are suggested, and end as a test wants. */
#ifndef RAYC_TUNE_SEARCH_WORLD_H
#define RAYC_TUNE_SEARCH_WORLD_H
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>
#include "client/tune/search.h"
#include "client/tune/spec.h"
#include "common/err.h"

enum { WORLD_TRIALS = 4096 };

struct world {
    struct study_spec *spec;
    struct search search;
    struct history history;
    struct trial trials[WORLD_TRIALS];
    uint32_t ended[WORLD_TRIALS];
    double *points;
};

/*  `body`: the keys space, constraints, search, ... of a search.yaml. */
static inline void world_open(struct world *self, const char *body, uint64_t seed)
{
    char text[4096];
    (void)snprintf(text, sizeof(text), "command: [a]\nmetric: v\nmode: min\ntrials: 100\n%s\n",
                   body);
    struct spec_error error = { 0 };
    struct spec_source source = { .path = "search.yaml", .text = slice_text(text), .dir = "/" };
    memset(self, 0, sizeof(*self));
    if (spec_read(&self->spec, &source, &error) != OK) {
        fail_msg("%u:%u: %s: %s", error.line, error.column, error.field, error.text);
    }
    const struct space *space = &self->spec->space;
    self->points = calloc((size_t)WORLD_TRIALS * space->count, sizeof(double));
    assert_non_null(self->points);
    self->history = (struct history){ .space = space,
                                      .seed = seed,
                                      .trials = self->trials,
                                      .ended = self->ended,
                                      .trials_max = 100 };
    search_open(&self->search, &self->spec->search);
}

static inline void world_close(struct world *self)
{
    search_close(&self->search);
    free(self->points);
    spec_close(&self->spec);
}

/*  As after a restart: nothing is remembered. */
static inline void world_forget(struct world *self)
{
    search_close(&self->search);
    search_open(&self->search, &self->spec->search);
}

static inline double *world_point(struct world *self, uint32_t number)
{
    return self->points + (size_t)number * self->spec->space.count;
}

/*  A trial that runs now. */
static inline enum search_answer world_suggest(struct world *self)
{
    uint32_t number = self->history.count;
    assert_true(number < WORLD_TRIALS);
    struct trial *trial = &self->trials[number];
    double *x = world_point(self, number);
    *trial = (struct trial){ .number = number, .state = TRIAL_RUNNING, .value = NAN, .x = x };
    enum search_answer answer =
        search_suggest(&self->search, &self->history, number, x, &trial->tag);
    self->history.count += answer == SEARCH_POINT;
    return answer;
}

static inline void world_end(struct world *self, uint32_t number, double value)
{
    struct trial *trial = &self->trials[number];
    trial->state = isnan(value) ? TRIAL_ERROR : TRIAL_TERMINATED;
    trial->value = value;
    self->ended[self->history.ended_count++] = number;
    trial->ended = self->history.ended_count;
}

/*  A trial of a point that the user gave. */
static inline void world_give(struct world *self, const double *x, double value)
{
    uint32_t number = self->history.count++;
    memcpy(world_point(self, number), x, self->spec->space.count * sizeof(*x));
    self->trials[number] =
        (struct trial){ .number = number, .given = true, .x = world_point(self, number) };
    world_end(self, number, value);
}
#endif
