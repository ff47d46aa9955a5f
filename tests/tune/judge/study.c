/*  study.c - one study in this process: search_open(), search_suggest(), a function, a history; no cluster. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include "common/err.h"
#include "tests/tune/judge/judge.h"

struct study_spec *space_load(const char *spaces, const char *name, const char *const *flags,
                              uint32_t flag_count)
{
    char path[4096];
    snprintf(path, sizeof(path), "%s/%s.yaml", spaces, name);
    char evaluate[] = "rayc-judge"; /* a spec has a command; here none is run */
    char *command[] = { evaluate, NULL };
    struct spec_source source = {
        .path = path, .flags = flags, .flag_count = flag_count, .command = command
    };
    struct study_spec *spec = NULL;
    struct spec_error error = { 0 };
    if (spec_read(&spec, &source, &error) < 0) {
        fprintf(stderr, "rayc-judge: %s:%u:%u: %s: %s\n", path, error.line, error.column,
                error.field, error.text);
        return NULL;
    }
    return spec;
}

uint32_t arguments_of(const struct space *space, const double *x, struct argument *out)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < space->count && n < ARGUMENTS_MAX; i++) {
        const struct param *param = &space->params[i];
        if (isnan(x[i])) {
            continue;
        }
        out[n] = (struct argument){ .name = param->name, .number = x[i] };
        if (param->kind == PARAM_CHOICE || param->kind == PARAM_CONST) {
            const struct choice *option = &param->options[(size_t)x[i]];
            out[n].number = option->number;
            out[n].text = option->text;
        }
        n++;
    }
    return n;
}

/*  A study while it runs. */
struct bench {
    const struct order *order;
    struct history history;
    struct trial *trials;
    uint32_t *ended;
    double *points;
    struct search search;
    uint32_t best; /* number of the trial with the best observed value */
};

static double value_of(const struct bench *self, uint32_t number, bool noisy)
{
    const struct order *order = self->order;
    struct argument at[ARGUMENTS_MAX];
    struct arguments arguments = {
        .at = at, .noisy = noisy, .seed = (int64_t)order->seed, .trial = number
    };
    arguments.count = arguments_of(self->history.space, self->trials[number].x, at);
    double value = order->function->value(&arguments, order->function->steps);
    if (arguments.missing || isnan(value)) {
        fprintf(stderr, "rayc-judge: %s: trial %u has no %s\n", order->function->name, number,
                arguments.missing ? arguments.missing : "value");
        exit(1);
    }
    return order->function->maximize ? -value : value;
}

static bool is_repeat(const struct bench *self, uint32_t number)
{
    for (uint32_t i = 0; i < number; i++) {
        if (space_same(self->history.space, self->trials[i].x, self->trials[number].x)) {
            return true;
        }
    }
    return false;
}

/*  One trial; false: the search has no more points. */
static bool trial_run(struct bench *self, struct judgement *out)
{
    struct history *history = &self->history;
    uint32_t number = history->count;
    double *x = self->points + (size_t)number * history->space->count;
    struct trial *trial = &self->trials[number];
    enum search_answer answer = search_suggest(&self->search, history, number, x, &trial->tag);
    if (answer != SEARCH_POINT) {
        if (answer != SEARCH_EXHAUSTED) {
            fprintf(stderr, "rayc-judge: %s: no point for trial %u (answer %d)\n",
                    self->order->function->name, number, (int)answer);
            exit(1);
        }
        return false;
    }
    trial->number = number;
    trial->state = TRIAL_TERMINATED;
    trial->x = x;
    trial->value = value_of(self, number, true);
    trial->step = 1;
    out->value[number] = self->order->function->maximize ? -trial->value : trial->value;
    trial->ended = number + 1;
    self->ended[number] = number;
    history->count = history->ended_count = number + 1;
    out->repeats += is_repeat(self, number);
    if (number == 0 || trial->value < self->trials[self->best].value) {
        self->best = number;
    }
    double best = self->order->function->best;
    out->regret[number] =
        value_of(self, self->best, false) - (self->order->function->maximize ? -best : best);
    return true;
}

static double now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + 1e-9 * (double)time.tv_nsec;
}

bool study_judge(const struct order *order, struct judgement *out)
{
    struct study_spec *spec =
        space_load(order->spaces, order->function->name, order->flags, order->flag_count);
    if (!spec) {
        return false;
    }
    ensure(order->trials <= JUDGE_TRIALS_MAX);
    struct bench bench = { .order = order };
    bench.trials = calloc(order->trials, sizeof(*bench.trials));
    bench.ended = calloc(order->trials, sizeof(*bench.ended));
    bench.points = calloc((size_t)order->trials * spec->space.count, sizeof(*bench.points));
    ensure(bench.trials && bench.ended && bench.points);
    bench.history = (struct history){ .space = &spec->space,
                                      .seed = order->seed,
                                      .trials = bench.trials,
                                      .ended = bench.ended,
                                      .trials_max = order->trials };
    *out = (struct judgement){ 0 };
    double begun = now();
    search_open(&bench.search, &spec->search);
    while (out->trials < order->trials && trial_run(&bench, out)) {
        out->trials++;
    }
    search_close(&bench.search);
    out->seconds = now() - begun;
    for (uint32_t i = out->trials; i > 0 && i < order->trials; i++) {
        out->regret[i] = out->regret[i - 1]; /* every point was tried */
    }
    out->done = true;
    free(bench.points);
    free(bench.ended);
    free(bench.trials);
    spec_close(&spec);
    return true;
}
