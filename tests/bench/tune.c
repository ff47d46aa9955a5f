/*  tune.c - what a study costs: trials a second, a suggestion, a report's way to its answer, going on after 100,000. */
#include "tests/bench/bench.h"

#include <stdio.h>
#include <stdlib.h>
#include "client/tune/driver.h"
#include "common/clock.h"

enum { TPE_PARAMS = 10, TPE_TIMED = 100 };

/*  A trial that reports once. */
RAYC_TASK(bench_trial, task)
{
    rayc_metric loss = { "loss", rayc_param(task, "x") };
    return rayc_report(task, &loss, 1, NULL) < 0 ? rayc_fail(task, 1, "%s", rayc_error()->text) : 0;
}

/*  A trial that reports many times, and whose last loss is the median time of a report in microseconds. */
RAYC_TASK(bench_reporter, task)
{
    enum { REPORTS_MAX = 100000 };
    uint32_t count = (uint32_t)rayc_param(task, "reports");
    double *us = calloc(REPORTS_MAX, sizeof(*us));
    if (!us || count > REPORTS_MAX) {
        return rayc_fail(task, 1, "out of memory");
    }
    for (uint32_t i = 0; i < count; i++) {
        rayc_metric loss = { "loss", i + 1 < count || i == 0 ? 0.0 : median(us, i) };
        uint64_t begun = clock_us();
        if (rayc_report(task, &loss, 1, NULL) != RAYC_GO_ON) {
            break;
        }
        us[i] = (double)(clock_us() - begun);
    }
    free(us);
    return 0;
}

/* --- studies --------------------------------------------------------------------------------------------------- */

static void nothing_changed(void *context, const struct study *study, uint32_t trial)
{
    (void)context, (void)study, (void)trial;
}

static void warn(void *context, const char *text)
{
    (void)context;
    fprintf(stderr, "rayc-bench: %s\n", text);
}

static struct study_spec *spec_of(const char *text)
{
    struct study_spec *spec = NULL;
    struct spec_error error = { 0 };
    struct spec_source source = { .path = "bench.yaml", .text = slice_text(text), .dir = "/" };
    if (spec_read(&spec, &source, &error) != OK) {
        die("%u: %s: %s", error.line, error.field, error.text);
    }
    return spec;
}

/*  Runs a study; its driver is left open for a look at it. */
static struct driver *drive(const struct run *run, const struct study_spec *spec, bool resume)
{
    static volatile sig_atomic_t interrupted;
    char program[BENCH_PATH + 32];
    snprintf(program, sizeof(program), "%s/rayc-bench", run->bin);
    struct driver_config config = { .spec = spec,
                                    .name = "bench",
                                    .resume = resume,
                                    .seed = 1,
                                    .settings = "{}",
                                    .storage = run->state,
                                    .program = program,
                                    .function = spec->task,
                                    .interrupted = &interrupted,
                                    .changed = nothing_changed,
                                    .warn = warn };
    struct driver *driver = NULL;
    if (driver_run(&driver, &config) != RAYC_OK) {
        die_rayc("the study did not end well");
    }
    return driver;
}

static const char *trials_yaml(uint32_t trials, char *out, size_t capacity)
{
    snprintf(out, capacity,
             "metric: loss\nmode: min\nprogram: rayc-bench\ntask: bench_trial\n"
             "space: {x: {uniform: [0, 1]}}\nsearch: random\ntrials: %u\nconcurrency: 2\n",
             trials);
    return out;
}

static void expect_trials(const struct driver *driver, uint32_t wanted)
{
    const struct study *study = driver_study(driver);
    for (uint32_t i = 0; i < study_count(study); i++) {
        const struct study_trial *trial = study_trial(study, i);
        if (trial->base.state != TRIAL_TERMINATED || !(trial->value >= 0 && trial->value <= 1)) {
            die("trial %u has not ended well: %s", i, trial->text ? trial->text : "");
        }
    }
    if (study_count(study) != wanted) {
        die("%u trials instead of %u", study_count(study), wanted);
    }
}

double bench_tune(const struct run *run)
{
    char text[512];
    struct cluster cluster;
    cluster_start(&cluster, run);
    task_warm();
    struct study_spec *spec = spec_of(trials_yaml(run->tasks, text, sizeof(text)));
    uint64_t begun = clock_us();
    struct driver *driver = drive(run, spec, false);
    double seconds = (double)(clock_us() - begun) / 1e6;
    expect_trials(driver, run->tasks);
    driver_close(&driver);
    spec_close(&spec);
    rayc_shutdown();
    cluster_stop(&cluster);
    return run->tasks / seconds;
}

double bench_resume(const struct run *run)
{
    char text[512];
    struct cluster cluster;
    cluster_start(&cluster, run);
    task_warm();
    struct study_spec *spec = spec_of(trials_yaml(run->tasks, text, sizeof(text)));
    struct driver *driver = drive(run, spec, false);
    driver_close(&driver);
    rayc_shutdown();
    if (rayc_init(cluster.address) != RAYC_OK) {
        die_rayc("no second connection");
    }
    uint64_t begun = clock_us();
    driver = drive(run, spec, true);
    double ms = (double)(clock_us() - begun) / 1e3;
    expect_trials(driver, run->tasks);
    driver_close(&driver);
    spec_close(&spec);
    rayc_shutdown();
    cluster_stop(&cluster);
    return ms;
}

/*  The median scheduler decides about each report: the way goes through the driver. */
double bench_report(const struct run *run)
{
    char text[512];
    snprintf(text, sizeof(text),
             "metric: loss\nmode: min\nprogram: rayc-bench\ntask: bench_reporter\nspace: {reports: "
             "%u, x: {uniform: [0, 1]}}\n"
             "search: random\nscheduler: median\ntrials: 1\nconcurrency: 1\n",
             run->tasks);
    struct cluster cluster;
    cluster_start(&cluster, run);
    task_warm();
    struct study_spec *spec = spec_of(text);
    struct driver *driver = drive(run, spec, false);
    double us = study_trial(driver_study(driver), 0)->value;
    driver_close(&driver);
    spec_close(&spec);
    rayc_shutdown();
    cluster_stop(&cluster);
    return us;
}

/* --- a suggestion ---------------------------------------------------------------------------------------------- */

/*  A bowl with its bottom off the centre. */
static double bowl(const double *x)
{
    double sum = 0;
    for (int i = 0; i < TPE_PARAMS; i++) {
        sum += (x[i] - 0.3) * (x[i] - 0.3) * (i + 1);
    }
    return sum;
}

/*  Microseconds of one suggestion after run->tasks trials, each told before the next is asked. */
double bench_tpe(const struct run *run)
{
    struct study_spec *spec =
        spec_of("metric: loss\nmode: min\nprogram: rayc-bench\ntask: bench_trial\ntrials: 1000\n"
                "space: {a: {uniform: [0, 1]}, b: {uniform: [0, 1]}, c: {uniform: [0, 1]},\n"
                "  d: {uniform: [0, 1]}, e: {uniform: [0, 1]}, f: {uniform: [0, 1]},\n"
                "  g: {uniform: [0, 1]}, h: {uniform: [0, 1]}, i: {uniform: [0, 1]},\n"
                "  j: {uniform: [0, 1]}}\nsearch: tpe\n");
    uint32_t count = run->tasks + TPE_TIMED;
    struct trial *trials = calloc(count, sizeof(*trials));
    uint32_t *ended = calloc(count, sizeof(*ended));
    double *points = calloc((size_t)count * TPE_PARAMS, sizeof(*points)), us[TPE_TIMED];
    struct search search;
    search_open(&search, &spec->search);
    for (uint32_t i = 0; trials && ended && points && i < count; i++) {
        struct history history = { &spec->space, 1, trials, i, ended, i, count };
        double *x = points + (size_t)i * TPE_PARAMS;
        uint32_t tag = 0;
        uint64_t begun = clock_us();
        if (search_suggest(&search, &history, i, x, &tag) != SEARCH_POINT) {
            die("no suggestion for trial %u", i);
        }
        if (i >= run->tasks) {
            us[i - run->tasks] = (double)(clock_us() - begun);
        }
        trials[i] = (struct trial){ .number = i,
                                    .state = TRIAL_TERMINATED,
                                    .tag = tag,
                                    .ended = i + 1,
                                    .value = bowl(x),
                                    .step = 1,
                                    .x = x };
        ended[i] = i;
    }
    search_close(&search);
    spec_close(&spec);
    free(points);
    free(ended);
    free(trials);
    return median(us, TPE_TIMED);
}
