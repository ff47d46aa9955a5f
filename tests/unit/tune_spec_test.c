/*  tune_spec_test.c - search.yaml: what it means, what is refused, where, and with which words. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <cmocka.h>
#include "client/tune/spec.h"
#include "common/err.h"
#include "tests/unit/tune_stubs.h"

/* --- helpers ---------------------------------------------------------------------------------- */

static struct study_spec *opened(const char *text, const char *const *flags, uint32_t flag_count)
{
    static char *const command[] = { "./train", "{params}", NULL };
    struct spec_error error;
    struct study_spec *spec = NULL;
    struct spec_source source = { "search.yaml", slice_text(text), "/", flags, flag_count, NULL };
    if (!strstr(text, "command:") && !strstr(text, "program:")) {
        source.command = command;
    }
    if (spec_read(&spec, &source, &error) != OK) {
        fail_msg("%s\n%u:%u: %s: %s", text, error.line, error.column, error.field, error.text);
    }
    return spec;
}

/*  Of a space alone: what is not its matter is given. */
static struct study_spec *of_space(const char *space)
{
    char text[4000];
    (void)snprintf(text, sizeof(text), "trials: 9\nspace:\n%s", space);
    return opened(text, NULL, 0);
}

static const struct param *param_of(const struct study_spec *spec, const char *name)
{
    uint32_t i = space_find(&spec->space, slice_text(name));
    assert_true(i != NONE);
    return &spec->space.params[i];
}

struct refusal {
    const char *text, *said; /* "line:column: field: text" */
};

static void check_refusals(const char *before, const char *after, const struct refusal *cases,
                           size_t count, bool command)
{
    static char *const argv[] = { "./train", NULL };
    int wrong = 0;
    for (size_t i = 0; i < count; i++) {
        char text[4000];
        char said[800];
        struct spec_error error;
        struct study_spec *spec = NULL;
        (void)snprintf(text, sizeof(text), "%s%s%s", before, cases[i].text, after);
        struct spec_source source = { .path = "search.yaml",
                                      .text = slice_text(text),
                                      .dir = "/",
                                      .command = command ? argv : NULL };
        int code = spec_read(&spec, &source, &error);
        (void)snprintf(said, sizeof(said), "%u:%u: %s: %s", error.line, error.column, error.field,
                       error.text);
        if (code != ERR_INVALID || spec || strcmp(said, cases[i].said) != 0) {
            wrong++;
            print_error("%s\n  is:     %s\n  wanted: %s\n", text, code == OK ? "taken" : said,
                        cases[i].said);
        }
        spec_close(&spec);
    }
    assert_int_equal(wrong, 0);
}

/*  Refusals of "space: {x: ...}", in line 2. */
static void refuses_dists(const struct refusal *cases, size_t count)
{
    check_refusals("trials: 9\nspace: {", "}\n", cases, count, true);
}

/* --- what it means ---------------------------------------------------------------------------- */

static void a_study_is_read_whole(void **state)
{
    (void)state;
    struct study_spec *spec =
        opened("name: yolo\n"
               "command: python t.py --lr0 {lr0} '{batch} {{x}}' \"a b\"\\ c\n"
               "metric: mAP50\n"
               "mode: max\n"
               "goal: 0.9\n"
               "space:\n"
               "  batch: {choice: [4, 8, 16], weights: [1, 1, 2]}\n"
               "  lr0: {loguniform: [1e-05, 0.1], format: '%.2e', init: 0.01}\n"
               "constraints: [\"batch * lr0 <= 1\"]\n"
               "trials: 20\n"
               "concurrency: 2\n"
               "resources: {cpu: 1.5, gpu: 1, memory: 2Gi, moon: 2}\n"
               "retry: {max_failures: -1, backoff: 1.5m}\n"
               "search: {algo: tpe, startup: 5, candidates: 30, group: false}\n"
               "scheduler: {type: asha, resource: epoch, max: 81, eta: 3,\n"
               "            variant: promote, brackets: 3}\n"
               "checkpoint: {every: 2, keep: 3, best_by: mAP50}\n"
               "stop: {trial: ['val_loss > 10', 'plateau(val_loss, 5, 0.001)'],\n"
               "       study: {no_improvement: 50}}\n"
               "points: [{batch: 8, lr0: 0.02, result: 0.5}, {batch: 4}]\n"
               "env: {A: 1, B: 'x y'}\n"
               "loggers: [json, csv]\n"
               "time_budget: 2h\n"
               "repeat: 2\n"
               "dedup: false\n"
               "seed: 18446744073709551615\n"
               "storage: out\n",
               NULL, 0);
    assert_string_equal(spec->name, "yolo");
    assert_string_equal(spec->metric, "mAP50");
    assert_true(spec->maximize && spec->has_goal && spec->goal == 0.9);
    assert_int_equal(spec->space.count, 2);
    assert_true(param_of(spec, "batch")->weights[2] == 0.5);
    const struct param *lr0 = param_of(spec, "lr0");
    assert_true(lr0->low == 1e-5 && lr0->high == 0.1 && lr0->scale == SCALE_LOG);
    assert_true(lr0->has_init && lr0->init == 0.01);
    assert_int_equal(spec->space.constraint_count, 1);
    assert_true(spec->trials_max == 20 && spec->concurrency == 2);
    assert_true(spec->cpus == 1.5 && spec->gpus == 1 && spec->memory_bytes == 2ull << 30);
    assert_string_equal(spec->resources, "moon=2");
    assert_true(spec->max_failures == -1 && spec->backoff_ms == 90000);
    assert_string_equal(spec->search.algo, "tpe");
    assert_true(spec->search.startup == 5 && spec->search.candidates == 30 && !spec->search.group);
    assert_true(spec->search.repeat == 2 && !spec->search.dedup);
    assert_string_equal(spec->scheduler.type, "asha");
    assert_string_equal(spec->scheduler.resource, "epoch");
    assert_true(spec->scheduler.max == 81 && spec->scheduler.eta == 3 && spec->scheduler.promote);
    assert_true(spec->has_checkpoint && spec->checkpoint_every == 2 && spec->checkpoint_keep == 3);
    assert_true(spec->checkpoint_best && spec->no_improvement == 50 && spec->stop_count == 2);
    assert_true(spec->stops[0].operator== MORE && spec->stops[0].number == 10);
    assert_true(spec->stops[1].kind == STOP_PLATEAU && spec->stops[1].count == 5);
    assert_string_equal(spec->stops[1].metric, "val_loss");
    assert_int_equal(spec->point_count, 2);
    assert_true(spec->points[0].has_result && spec->points[0].x[0] == 1);
    assert_true(!spec->points[1].has_result && isnan(spec->points[1].x[1]));
    assert_string_equal(spec->env[0], "A=1");
    assert_string_equal(spec->env[1], "B=x y");
    assert_true(spec->log_json && spec->log_csv && spec->time_budget_ms == 7200000);
    assert_true(spec->has_seed && spec->seed == UINT64_MAX);
    assert_string_equal(spec->storage, "out");
    const double x[] = { 2, 0.00123 };
    const char *const *argv = spec_argv(spec, x, NULL, spec->arena);
    static const char *const wanted[] = {
        "python", "t.py", "--lr0", "1.23e-03", "16 {x}", "a b c"
    };
    for (size_t i = 0; i < COUNT(wanted); i++) {
        assert_string_equal(argv[i], wanted[i]);
    }
    assert_null(argv[COUNT(wanted)]);
    spec_close(&spec);
    assert_null(spec);
}

static void parents_come_before_children(void **state)
{
    (void)state;
    struct study_spec *spec = of_space(
        "  warmup: {expr: '0.1 * epochs', when: \"model == 'mlp'\"}\n"
        "  model:\n"
        "    case:\n"
        "      svm: {C: {loguniform: [1e-3, 1e3]}, kernel: {choice: [linear, rbf]},\n"
        "            gamma: {loguniform: [1e-4, 10], when: {kernel: rbf}}}\n"
        "      mlp: {width2: {logint: [8, 512], when: 'layers >= 2'}, layers: {int: [1, 4]}}\n"
        "  batch: {choice: [32, 64, 128]}\n"
        "  epochs: 81\n");
    static const char *const order[] = { "model",  "C",     "kernel", "gamma", "layers",
                                         "width2", "batch", "epochs", "warmup" };
    assert_int_equal(spec->space.count, COUNT(order));
    for (uint32_t i = 0; i < COUNT(order); i++) {
        assert_string_equal(spec->space.params[i].name, order[i]);
    }
    double x[9];
    bool seen[2] = { false };
    for (uint64_t trial = 0; trial < 50; trial++) {
        space_draw(&spec->space, 3, trial, 0, x);
        bool mlp = x[0] == 1;
        seen[mlp] = true;
        assert_true(isnan(x[1]) == mlp && isnan(x[4]) != mlp && isnan(x[8]) != mlp);
        assert_true(isnan(x[3]) == (mlp || x[2] == 0));
        assert_true(isnan(x[5]) == !(mlp && x[4] >= 2));
        assert_true(!mlp || fabs(x[8] - 8.1) < 1e-12);
    }
    assert_true(seen[0] && seen[1]);
    spec_close(&spec);
}

static void groups_and_branches_share_names(void **state)
{
    (void)state;
    struct study_spec *spec =
        of_space("  opt:\n"
                 "    case:\n"
                 "      sgd: {lr: {uniform: [0, 1]}, momentum: 0.9}\n"
                 "      adam: {lr: {uniform: [0, 1]}, deep: {grid: [1, 2]}}\n"
                 "      none:\n"
                 "  net:\n"
                 "    width: {int: [1, 8]}\n"
                 "    beta: {uniform: [0, 1]}\n"
                 "    more: {depth: {int: [1, 2], when: {net.width: [1, 2]}}}\n");
    const struct param *lr = param_of(spec, "lr");
    assert_int_equal(lr->when_count, 1);
    assert_int_equal(lr->when[0].count, 2);
    assert_true(lr->when[0].values[0] == 0 && lr->when[0].values[1] == 1);
    assert_int_equal(param_of(spec, "momentum")->kind, PARAM_CONST);
    assert_true(param_of(spec, "deep")->grid);
    assert_int_equal(param_of(spec, "net.beta")->kind, PARAM_FLOAT);
    assert_true(param_of(spec, "net.more.depth")->when[0].values[1] == 2);
    spec_close(&spec);
}

static void types_mean_what_ray_means(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        enum param_kind kind;
        enum param_scale scale;
        double low, high, step;
    } cases[] = {
        { "{uniform: [-5, 10]}", PARAM_FLOAT, SCALE_LINEAR, -5, 10, 0 },
        { "{quniform: [0.2, 1, 0.2]}", PARAM_FLOAT, SCALE_LINEAR, 0.2, 1, 0.2 },
        { "{loguniform: [1e-5, .1]}", PARAM_FLOAT, SCALE_LOG, 1e-5, 0.1, 0 },
        { "{qloguniform: [1e-4, 1e-1, 5e-5]}", PARAM_FLOAT, SCALE_LOG, 1e-4, 0.1, 5e-5 },
        { "{revloguniform: [0.01, 1]}", PARAM_FLOAT, SCALE_REVERSE_LOG, 0.01, 1, 0 },
        { "{int: [1, 8]}", PARAM_INT, SCALE_LINEAR, 1, 8, 1 },
        { "{logint: [1, 8]}", PARAM_INT, SCALE_LOG, 1, 8, 1 },
        { "{qint: [0, 9, 3]}", PARAM_INT, SCALE_LINEAR, 0, 9, 3 },
        { "{randint: [1, 8]}", PARAM_INT, SCALE_LINEAR, 1, 7, 1 },
        { "{lograndint: [1, 8]}", PARAM_INT, SCALE_LOG, 1, 7, 1 },
        { "{qrandint: [-21, 12, 3]}", PARAM_INT, SCALE_LINEAR, -21, 12, 3 },
        { "{beta: [2, 3]}", PARAM_BETA, SCALE_LINEAR, 0, 1, 0 },
        { "{qrandn: [10, 2, 0.2]}", PARAM_NORMAL, SCALE_LINEAR, -INFINITY, INFINITY, 0.2 },
        { "{lograndn: [0, 1]}", PARAM_NORMAL, SCALE_LOG, 0, INFINITY, 0 },
        { "{min: 1, max: 5}", PARAM_INT, SCALE_LINEAR, 1, 5, 1 },
        { "{min: 1.0, max: 5}", PARAM_FLOAT, SCALE_LINEAR, 1, 5, 0 },
        { "{distribution: log_uniform_values, min: 1, max: 5}", PARAM_FLOAT, SCALE_LOG, 1, 5, 0 },
        { "{distribution: q_uniform, min: 1, max: 5, q: 2}", PARAM_FLOAT, SCALE_LINEAR, 1, 5, 2 },
        { "{distribution: normal, mu: 1, sigma: 5}", PARAM_NORMAL, SCALE_LINEAR, -INFINITY,
          INFINITY, 0 },
        { "{values: [a, b], probabilities: [1, 3]}", PARAM_CHOICE, SCALE_LINEAR, 0, 0, 0 },
        { "{value: 3}", PARAM_CONST, SCALE_LINEAR, 0, 0, 0 },
        { "{grid_search: [1, 2]}", PARAM_CHOICE, SCALE_LINEAR, 0, 0, 0 },
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        char text[200];
        (void)snprintf(text, sizeof(text), "  x: %s\n", cases[i].text);
        struct study_spec *spec = of_space(text);
        const struct param *p = &spec->space.params[0];
        assert_true(p->kind == cases[i].kind && p->scale == cases[i].scale);
        assert_true(p->low == cases[i].low && p->high == cases[i].high && p->step == cases[i].step);
        spec_close(&spec);
    }
}

static void scalars_are_of_yaml_1_2(void **state)
{
    (void)state;
    struct study_spec *spec =
        of_space("  x: {choice: [no, off, yes, on, 1e-05, 0o17, 0x1F, true, ~, '5', 5, 1_000]}\n");
    static const enum option_kind kinds[] = { OPTION_STRING, OPTION_STRING, OPTION_STRING,
                                              OPTION_STRING, OPTION_FLOAT,  OPTION_INT,
                                              OPTION_INT,    OPTION_BOOL,   OPTION_NULL,
                                              OPTION_STRING, OPTION_INT,    OPTION_STRING };
    const struct param *x = &spec->space.params[0];
    assert_int_equal(x->option_count, COUNT(kinds));
    for (uint32_t i = 0; i < COUNT(kinds); i++) {
        assert_int_equal(x->options[i].kind, kinds[i]);
    }
    assert_true(x->options[4].number == 1e-5 && x->options[5].number == 15);
    assert_true(x->options[6].number == 31);
    double value = -1;
    assert_int_equal(param_read(x, slice_text("yes"), &value), OK);
    assert_true(value == 2);
    assert_int_equal(param_read(x, slice_text("0.00001"), &value), OK);
    assert_true(value == 4);
    assert_int_equal(param_read(x, slice_text("maybe"), &value), ERR_INVALID);
    spec_close(&spec);
}

static void flags_overrule_the_file(void **state)
{
    (void)state;
    static const char *const flags[] = { "trials=50", "search.startup=7", "search=tpe",
                                         "cpus=3",    "metric=loss",      "mode=max",
                                         "seed=4",    "resources.moon=2", "space.x.uniform=[2, 3]",
                                         "memory=1G", "scheduler.max=27" };
    struct study_spec *spec = opened("run_cap: 5\nmetric: a\nmode: min\ncpus: 8\n"
                                     "search: {algo: random, candidates: 3}\n"
                                     "scheduler: asha\n"
                                     "parameters: {x: {uniform: [0, 1]}}\n",
                                     flags, COUNT(flags));
    assert_true(spec->trials_max == 50 && spec->search.startup == 7 &&
                spec->search.candidates == 3);
    assert_string_equal(spec->search.algo, "tpe");
    assert_string_equal(spec->metric, "loss");
    assert_string_equal(spec->resources, "moon=2");
    assert_true(spec->cpus == 3 && spec->maximize && spec->seed == 4);
    assert_true(spec->memory_bytes == 1u << 30 && spec->scheduler.max == 27);
    spec_close(&spec);
}

static void flags_are_refused_by_name(void **state)
{
    (void)state;
    static const struct refusal cases[] = {
        { "trials=-3", "0:0: --trials: must be from 1 to 1000000000, not -3" },
        { "trails=3", "0:0: --trails: unknown key \"trails\"; do you mean trials?" },
        { "search.startup=x", "0:0: --search.startup: must be a number, not a text" },
        { "search=tpee", "0:0: --search: unknown search \"tpee\"; do you mean tpe?" },
        { "points=[", "0:0: --points: not valid YAML: did not find expected node content, while "
                      "parsing a flow node" },
        { "trials", "0:0: : \"trials\" must be KEY=VALUE" },
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        char said[800];
        struct spec_error error;
        struct study_spec *spec = NULL;
        struct spec_source source = { .path = "search.yaml",
                                      .text = slice_text("space: {x: {uniform: [0, 1]}}\n"
                                                         "command: a\n"),
                                      .dir = "/",
                                      .flags = &cases[i].text,
                                      .flag_count = 1 };
        assert_int_equal(spec_read(&spec, &source, &error), ERR_INVALID);
        (void)snprintf(said, sizeof(said), "%u:%u: %s: %s", error.line, error.column, error.field,
                       error.text);
        assert_string_equal(said, cases[i].said);
    }
}

static void trials_follow_from_grids(void **state)
{
    (void)state;
    struct study_spec *spec = opened("space: {a: {grid: [1, 2]}, b: {grid: [x, y, z]}, c: 4}\n"
                                     "constraints: [\"a == 1 or b != 'x'\"]\n",
                                     NULL, 0);
    assert_true(spec->trials_max == 5);
    assert_string_equal(spec->search.algo, "grid");
    spec_close(&spec);
    spec = opened("search: grid\nspace: {a: {int: [1, 4]}, b: {choice: [1, 2]}}\n", NULL, 0);
    assert_true(spec->trials_max == 8);
    spec_close(&spec);
    spec = opened("num_samples: 3\nspace: {a: {grid: [1, 2]}, b: {uniform: [0, 1]}}\n", NULL, 0);
    assert_true(spec->trials_max == 6);
    spec_close(&spec);
    spec = opened("space: {a: {choice: [1, 2]}}\n", NULL, 0); /* ends when all were tried */
    assert_true(spec->trials_max == 0);
    assert_string_equal(spec->metric, "value");
    spec_close(&spec);
}

static void anchors_and_spec_keys(void **state)
{
    (void)state;
    struct study_spec *spec = of_space("  x: &d {uniform: [0, 1]}\n  y: *d\n");
    assert_true(param_of(spec, "y")->high == 1);
    spec_close(&spec);
    bool trials = false;
    bool cpus = false;
    for (uint32_t i = 0; spec_key(i); i++) {
        trials = trials || strcmp(spec_key(i), "trials") == 0;
        cpus = cpus || strcmp(spec_key(i), "cpus") == 0;
        assert_true(strcmp(spec_key(i), "run_cap") != 0);
    }
    assert_true(trials && cpus);
}

/* --- templates -------------------------------------------------------------------------------- */

static void check_argv(const char *command, const char *wanted)
{
    char text[600];
    char joined[600] = "";
    (void)snprintf(
        text, sizeof(text),
        "trials: 1\ncommand: %s\n"
        "space: {m: {choice: ['a; b', c]}, w: {int: [1, 9], when: {m: c}}, r: {uniform: [0, 1]}}\n",
        command);
    struct study_spec *spec = opened(text, NULL, 0);
    const double x[] = { 0, NAN, 0.5 };
    const char *const *argv = spec_argv(spec, x, "/tmp/p.json", spec->arena);
    for (; *argv; argv++) {
        size_t n = strlen(joined);
        (void)snprintf(joined + n, sizeof(joined) - n, "[%s]", *argv);
    }
    assert_string_equal(joined, wanted);
    spec_close(&spec);
}

static void values_stay_in_their_words(void **state)
{
    (void)state;
    check_argv("x {m} --r={r}", "[x][a; b][--r=0.5]");
    check_argv("x {params}", "[x][--m][a; b][--r][0.5]");
    check_argv("x {params_kv}", "[x][m=a; b][r=0.5]");
    check_argv("\"x 'p: {params}' '{params_kv}.'\"", "[x][p: --m a; b --r 0.5][m=a; b r=0.5.]");
    check_argv("x {params_json} @{params_file}",
               "[x][{\"m\": \"a; b\", \"r\": 0.5}][@/tmp/p.json]");
    check_argv("[x, 'a b {r}', \"{{r}}\", '']", "[x][a b 0.5][{r}][]");
    check_argv("x \"\" {w} a\\ b", "[x][][][a b]");
    check_argv("[x, 5]", "[x][5]");
}

static void templates_are_checked(void **state)
{
    (void)state;
    static const struct refusal cases[] = {
        { "x {lrr}", "1:10: command: unknown parameter \"lrr\"; do you mean lr?" },
        { "[x, '{parms}']", "1:14: command[1]: unknown parameter \"parms\"; do you mean params?" },
        { "x {}",
          "1:10: command: {} is no parameter; braces that are meant as such are doubled: {{ }}" },
        { "x {lr",
          "1:10: command: a brace without its other one in \"{lr\": a brace that is meant as "
          "such is doubled, {{ or }}" },
        { "x lr}",
          "1:10: command: a brace without its other one in \"lr}\": a brace that is meant as "
          "such is doubled, {{ or }}" },
        { "x 'a", "1:10: command: a quote is not closed" },
        { "x > log",
          "1:10: command: there is no shell that would understand >: write [sh, -c, \"...\"]" },
        { "[]", "1:10: command: is empty" },
        { "{a: b}", "1:10: command: must be a text or a list of words, not a map" },
        { "[[a]]", "1:11: command[0]: must be a text, not a list" },
    };
    check_refusals("command: ", "\ntrials: 1\nspace: {lr: {uniform: [0, 1]}}\n", cases,
                   COUNT(cases), false);
}

/* --- what is refused -------------------------------------------------------------------------- */

static void yaml_is_checked(void **state)
{
    (void)state;
    static const struct refusal cases[] = {
        { "", "0:0: : the file is empty" },
        { "- a\n", "1:1: : must be a map of keys, not a list" },
        { "a: [1, 2\nb: 3\n",
          "2:2: : not valid YAML: did not find expected ',' or ']', while parsing a "
          "flow sequence in line 1" },
        { "space:\n\tx: 1\n", "2:1: : a tab: YAML is indented with spaces" },
        { "trials: 1\nspace:\n  x: {uniform: [0, 1]}\ntrials: 2\n",
          "4:1: : the key \"trials\" is there already, in line 1" },
        { "a: &x [1, *x]\n", "1:11: : the anchor contains itself" },
        { "a: *x\n", "1:4: : an alias to an anchor that is not defined above it" },
        { "a: 1\n---\nb: 2\n", "2:1: : a second document (---): a file holds one study" },
        { "a: !!python/object x\n", "1:4: : a tag: rayc knows !!str only; leave it out" },
        { "a: \"x\\0y\"\n", "1:4: : a text with a NUL in it" },
        { "[a]: 1\n", "1:1: : a key must be a word (a text that begins with { or [ needs quotes)" },
        { "<<: {a: 1}\n", "1:1: : merge keys (<<) are not part of YAML 1.2: write the keys out" },
        { "a: \xff\n", "1:0: : not UTF-8 text: invalid leading UTF-8 octet" },
        { "a: &a [x,x,x,x,x,x,x,x,x,x]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a,*a]\n"
          "c: &c [*b,*b,*b,*b,*b,*b,*b,*b,*b,*b]\nd: &d [*c,*c,*c,*c,*c,*c,*c,*c,*c,*c]\n"
          "e: &e [*d,*d,*d,*d,*d,*d,*d,*d,*d,*d]\n",
          "5:35: : too large with its aliases" },
    };
    check_refusals("", "", cases, COUNT(cases), true);
    static char deep[400];
    memset(deep, '[', 200);
    const struct refusal too_deep = { deep, "1:66: : nested too deeply" };
    check_refusals("", "", &too_deep, 1, true);
}

static void distributions_are_checked(void **state)
{
    (void)state;
    static const struct refusal cases[] = {
        { "x: {choice: []}", "2:12: space.x.choice: is empty: give it values to choose from" },
        { "x: {choice: 3}", "2:21: space.x.choice: must be a list of values, not a number" },
        { "x: {choice: [a, b, a]}",
          "2:28: space.x.choice: a is there twice; for more of it, give weights" },
        { "x: {choice: [1, [2]]}",
          "2:25: space.x.choice[1]: must be a number, a text, true, false or null, not a list" },
        { "x: {choice: [.nan]}", "2:22: space.x.choice[0]: must be finite, not .nan" },
        { "x: {uniform: [1, 1]}",
          "2:22: space.x.uniform: the low end 1 must be below the high end 1" },
        { "x: {uniform: [3, 1]}",
          "2:22: space.x.uniform: the low end 3 must be below the high end 1" },
        { "x: {randint: [3, 3]}", "2:22: space.x.randint: the low end 3 must be below the high end "
                                  "3, which is not included" },
        { "x: {uniform: [1]}", "2:22: space.x.uniform: must be [low, high]" },
        { "x: {quniform: [1, 2]}", "2:23: space.x.quniform: must be [low, high, step]" },
        { "x: {uniform: [a, 1]}", "2:23: space.x.uniform: must be a number, not a text" },
        { "x: {uniform: ['0', 1]}",
          "2:23: space.x.uniform: must be a number, not a text (quoted)" },
        { "x: {uniform: [0, .inf]}", "2:26: space.x.uniform: must be a finite number, not .inf" },
        { "x: {uniform: [0, 1e999]}", "2:26: space.x.uniform: must be a finite number, not 1e999" },
        { "x: {loguniform: [0, 1]}",
          "2:26: space.x.loguniform: the low end must be above 0 for a logarithm, not 0" },
        { "x: {logint: [-1, 1]}",
          "2:22: space.x.logint: the low end must be above 0 for a logarithm, not -1" },
        { "x: {int: [1, 2.5]}", "2:22: space.x.int: must be an integer, not 2.5" },
        { "x: {quniform: [0, 1, 0.3]}", "2:30: space.x.quniform: the step 0.3 does not divide 0 to "
                                        "1: 0.9 or 1.2 would fit as the high end" },
        { "x: {qint: [0, 3, 5]}",
          "2:26: space.x.qint: the step 5 does not divide 0 to 3: 5 would fit as the high end" },
        { "x: {quniform: [0, 1, 0]}", "2:30: space.x.quniform: the step must be above 0" },
        { "x: {quniform: [0, 1e300, 1e-300]}",
          "2:34: space.x.quniform: the step is too small for this range" },
        { "x: {randn: [0, 0]}", "2:20: space.x.randn: the deviation must be above 0" },
        { "x: {beta: [0, 1]}", "2:19: space.x.beta: a and b must be above 0" },
        { "x: {choice: [a, b], weights: [1]}",
          "2:38: space.x.weights: must be a list of 2 numbers, one for each option" },
        { "x: {choice: [a, b], weights: [1, -1]}",
          "2:42: space.x.weights[1]: must be at least 0, not -1" },
        { "x: {choice: [a, b], weights: [0, 0]}",
          "2:38: space.x.weights: are all 0: nothing could ever be chosen" },
        { "x: {uniform: [0, 1], weights: [0, 0]}", "2:39: space.x.weights: is for choices only" },
        { "x: {choice: [1, b], ordered: true}",
          "2:38: space.x.ordered: only numbers have an order, not \"b\"" },
        { "x: {unifrom: [0, 1]}", "2:13: space.x: unknown type \"unifrom\"; do you mean uniform?" },
        { "x: {uniform: [0, 1], choice: [1]}", "2:30: space.x: has two types, uniform and choice" },
        { "x: {uniform: [0, 1], wen: a}", "2:30: space.x: unknown key \"wen\"; do you mean when?" },
        { "x: [1, 2]", "2:12: space.x: a list needs a type: {choice: [...]}, {uniform: [...]}" },
        { "x: {}", "2:12: space.x: is empty: give it a type, like {uniform: [0, 1]}" },
        { "x: {y: {uniform: [0, 1]}, when: {a: b}}",
          "2:35: space.x: has `when` but no type (choice, uniform, ...); a group has no `when`" },
        { "x: {uniform: [0, 1], format: '%d'}",
          "2:38: space.x.format: %d is for integers: use %g or %f" },
        { "x: {uniform: [0, 1], format: '%f %f'}",
          "2:38: space.x.format: must be a printf format with one value, like %.3f" },
        { "x: {uniform: [0, 1], format: '%n'}",
          "2:38: space.x.format: must be a printf format with one value, like %.3f" },
        { "x: {choice: [a], format: '%d'}",
          "2:34: space.x.format: %d is for numbers: use %s for texts" },
        { "x: {uniform: [0, 1], init: 2}", "2:36: space.x.init: is from 0 to 1, never 2" },
        { "x: {choice: [adam, sgd], init: adma}",
          "2:40: space.x.init: has no option \"adma\"; do you mean adam?" },
        { "x: {const: 1, init: 1}", "2:29: space.x.init: x is not searched for" },
        { "x: {distribution: log_uniform, min: -3, max: 0}",
          "2:27: space.x: W&B's log_uniform takes exponents of e: say log_uniform_values and the "
          "values themselves, or loguniform: [low, high]" },
        { "x: {distribution: unifrm, min: -3, max: 0}",
          "2:27: space.x: unknown distribution \"unifrm\"; do you mean uniform?" },
        { "x: {distribution: uniform, min: -3}", "2:12: space.x: needs max" },
        { "\"a b\": 1",
          "2:9: space.a b: \"a b\" cannot be a parameter's name: use letters, digits, _ - and ." },
        { "params: 1", "2:9: space.params: \"params\" is reserved: give it another name" },
        { "a.b: 1, a_b: 2", "2:17: space.a_b: a.b and a_b would be the same variable for trials" },
        { "a: {b: 1}, a.b: 2",
          "2:20: space.a.b: a.b is in line 2 already, with another domain: give it another name" },
    };
    refuses_dists(cases, COUNT(cases));
    static const struct refusal empty = { "", "2:8: space: is empty: name what is to be tuned" };
    refuses_dists(&empty, 1);
}

static void conditions_are_checked(void **state)
{
    (void)state;
    static const struct refusal cases[] = {
        { "model: {choice: [a, b]}, x: {int: [1, 2], when: {modle: a}}",
          "2:58: space.x.when: unknown parameter \"modle\"; do you mean model?" },
        { "m: {choice: [abc, b]}, x: {int: [1, 2], when: {m: abd}}",
          "2:59: space.x.when.m: m has no option \"abd\"; do you mean abc?" },
        { "m: {choice: [a, b]}, x: {int: [1, 2], when: {m: []}}",
          "2:57: space.x.when.m: is empty: the parameter would never be active" },
        { "m: {uniform: [0, 1]}, x: {int: [1, 2], when: {m: 0.5}}",
          "2:58: space.x.when.m: m hardly ever equals a number: write when: \"m > 0.5\"" },
        { "m: {int: [0, 1]}, x: {int: [1, 2], when: {m: 2}}",
          "2:54: space.x.when.m: m is from 0 to 1, never 2" },
        { "m: 5, x: {int: [1, 2], when: {m: 6}}", "2:42: space.x.when.m: m is always 5, never 6" },
        { "m: {choice: [a, b]}, x: {int: [1, 2], when: 'm = a'}",
          "2:53: space.x.when: in \"m = a\": an operator is missing before \"= a\" at column 3; "
          "equality is written ==" },
        { "m: {int: [1, 2], when: 'x > 1'}, x: {int: [1, 2], when: {m: 1}}",
          "2:32: space.m.when: a circle: m needs x, x needs m" },
        { "x: {int: [1, 2], when: 'x > 1'}", "2:32: space.x.when: a circle: x needs x" },
        { "a: {expr: 'b + 1'}, b: {expr: 'c + 1'}, c: {expr: 'b'}",
          "2:39: space.b.expr: a circle: b needs c, c needs b" },
        { "a: {expr: 'b + 1'}, bb: 2",
          "2:19: space.a.expr: in \"b + 1\": unknown name \"b\" at column 1" },
        { "a: {expr: b}, b: {choice: [x, y]}", "2:19: space.a.expr: must be a number, not a text" },
        { "a: {int: [1, 2], when: }", "2:32: space.a.when: must be an expression, not nothing" },
        { "m: {case: {a: {x: {int: [1, 2]}}, b: {x: {int: [1, 3]}}}}",
          "2:47: space.m.case.b.x: x is in line 2 already, with another domain: give it another "
          "name" },
        { "m: {case: {a: {x: 1}}}, x: 1",
          "2:33: space.x: x is in line 2 already: give it another name" },
        { "m: {case: [a]}", "2:19: space.m.case: must be a map: {VALUE: {NAME: ...}, ...}" },
        { "m: {case: {}}", "2:12: space.m.case: is empty: give it values to choose from" },
        { "m: {case: {a: [1]}}", "2:23: space.m.case.a: must be a map of parameters, not a list" },
    };
    refuses_dists(cases, COUNT(cases));
}

static void keys_are_checked(void **state)
{
    (void)state;
    static const struct refusal cases[] = {
        { "trails: 5", "2:1: : unknown key \"trails\"; do you mean trials?" },
        { "trials: -5", "2:9: trials: must be from 1 to 1000000000, not -5" },
        { "trials: 0", "2:9: trials: must be from 1 to 1000000000, not 0" },
        { "trials: 1.5", "2:9: trials: must be an integer, not 1.5" },
        { "trials: many", "2:9: trials: must be a number, not a text" },
        { "trials: .nan", "2:9: trials: must be a finite number, not .nan" },
        { "trials: 5\nrun_cap: 6",
          "3:1: run_cap: is the same as trials in line 2: give one of them" },
        { "trials: 5\nnum_samples: 6",
          "3:14: num_samples: is Ray's: for each point of the grid so many; give trials or this" },
        { "", "0:0: trials: is missing: say how many trials (or give time_budget or goal)" },
        { "metric: [a, b]", "2:9: metric: a list (several objectives) is not due yet" },
        { "mode: [min]", "2:7: mode: a list (several objectives) is not due yet" },
        { "mode: mni", "2:7: mode: must be min or max, not \"mni\"" },
        { "trials: 5\nmetric: loss", "3:9: mode: is missing: say mode: min or mode: max" },
        { "trials: 5\nmetrics: stdout",
          "0:0: metric: is missing: say which name=value of the output counts" },
        { "metrics: {from: stdout, regex: '('}",
          "2:32: metrics.regex: is not a POSIX extended expression: Unmatched ( or \\(" },
        { "metrics: {from: stdout, regex: '(a)'}",
          "2:32: metrics.regex: needs two groups: (name) and (value), like ([a-z]+)=([0-9.]+)" },
        { "outcome_constraints: [a]", "2:1: outcome_constraints: is not due yet: leave it out" },
        { "search: gp", "2:9: search: the search gp is not due yet; take tpe" },
        { "search: {algo: bohb}", "2:16: search.algo: the search bohb is not due yet; take tpe" },
        { "search: tpr", "2:9: search: unknown search \"tpr\"; do you mean tpe?" },
        { "search: {startups: 3}", "2:10: search: unknown key \"startups\"; do you mean startup?" },
        { "search: {startup: -3}", "2:19: search.startup: must be from 0 to 1000000000, not -3" },
        { "trials: 1\nsearch: external",
          "3:9: search.command: is missing: search: {algo: external, command: [...]}" },
        { "scheduler: pb2", "2:12: scheduler: the scheduler pb2 is not due yet; take pbt" },
        { "scheduler: ahsa", "2:12: scheduler: unknown scheduler \"ahsa\"; do you mean asha?" },
        { "scheduler: {type: asha, min: 9, max: 3}", "2:12: scheduler: min 9 is above max 3" },
        { "scheduler: {type: asha, eta: 1}",
          "2:30: scheduler.eta: must be from 1.0001 to 1000000, not 1" },
        { "scheduler: {max: 9}",
          "2:12: scheduler: needs a type: fifo, asha, hyperband, median, pbt" },
        { "scheduler: {type: asha, variant: pause}",
          "2:34: scheduler.variant: must be promote or stop, not \"pause\"" },
        { "loggers: [json, 'mlflow:http://x']",
          "2:17: loggers[1]: the logger mlflow is not due yet; there are json and csv" },
        { "loggers: wandb",
          "2:10: loggers: the logger wandb is not due yet; there are json and csv" },
        { "resources: {cpus: 1, cpu: 2}",
          "2:22: resources.cpu: is the same as cpus in line 2: give one of them" },
        { "resources: {cpuu: 1}", "2:13: resources: unknown key \"cpuu\"; do you mean cpu?" },
        { "resources: {memory: lots}",
          "2:21: resources.memory: must be a number of bytes such as 512M, 2Gi, or 1073741824" },
        { "cpus: 1\nresources: {cpu: 1}", "2:1: cpus: is resources.cpu, too: give one of them" },
        { "time_budget: soon",
          "2:14: time_budget: must be a duration such as 90s, 1.5m, 2h, or a number of seconds" },
        { "time_budget: 0", "2:14: time_budget: must be above 0" },
        { "retry: {max_failures: -2}",
          "2:23: retry.max_failures: must be from -1 to 1000000000, not -2" },
        { "retry: 3", "2:8: retry: must be a map of keys, not a number" },
        { "stop: {trial: 'loss ! 3'}", "2:15: stop.trial: \"loss ! 3\" must be like \"val_loss > "
                                       "10\" or \"plateau(val_loss, 5, 0.001)\"" },
        { "stop: {trial: ['plateau(loss, 1)']}",
          "2:16: stop.trial[0]: \"plateau(loss, 1)\" must be like \"val_loss > 10\" or "
          "\"plateau(val_loss, 5, 0.001)\"" },
        { "env: {RAYC_X: 1}", "2:7: env.RAYC_X: names with RAYC_ are rayc's own" },
        { "dedup: no", "2:8: dedup: must be true or false, not a text (no)" },
        { "seed: -1", "2:7: seed: must be an integer from 0 to 18446744073709551615" },
        { "name: a/b",
          "2:7: name: must be letters, digits, . _ and -: folders are named after it" },
        { "version: 2", "2:10: version: must be 1: this rayc reads no newer files" },
        { "checkpoint: {best_by: acc}",
          "2:23: checkpoint.best_by: must be the metric, value: others are not due yet" },
        { "trials: 9\nsearch: grid",
          "1:12: space.x: a grid over a continuous parameter has no end: give it values (choice) "
          "or a step (quniform: [low, high, step])" },
        { "constraints: ['x + 1 > 3']\ntrials: 1",
          "2:15: constraints: none of 10000 random points of the space meets this constraint: "
          "change it, or the space" },
        { "constraints: ['m == 1', 'm == 2']\ntrials: 1",
          "2:14: constraints: none of 10000 random points of the space meets all constraints "
          "together: change them, or the space" },
        { "constraints: 'y > 3'",
          "2:14: constraints: in \"y > 3\": unknown name \"y\" at column 1" },
        { "points: [{y: 1}]", "2:11: points[0]: unknown parameter \"y\"" },
        { "points: [{x: 2}]", "2:14: points[0].x: is from 0 to 1, never 2" },
        { "points: [{x: big}]", "2:14: points[0].x: must be a finite number, not big" },
        { "points: [{m: 3}]", "2:14: points[0].m: has no option \"3\"" },
        { "points: [{m: 1, w: 3}]",
          "2:20: points[0].w: is not active in this point: leave it out" },
        { "points: [{m: 2, x: 0, result: 1}]", "2:10: points[0]: has a result, but no w" },
        { "points: [{m: 2, x: 0, w: 2.5}]",
          "2:26: points[0].w: is never 2.5; the nearest value is 3" },
        { "trials: 1\nconstraints: ['x > 0.5']\npoints: [{m: 1, x: 0.1}]",
          "4:10: points[0]: does not meet constraint 1" },
        { "points: {m: 1}", "2:9: points: must be a list of maps: [{NAME: value, ...}, ...]" },
    };
    check_refusals(
        "space: {x: {uniform: [0, 1]}, m: {choice: [1, 2]}, w: {int: [1, 4], when: {m: 2}}}\n",
        "\n", cases, COUNT(cases), true);
}

static void what_runs_is_checked(void **state)
{
    (void)state;
    static const struct refusal cases[] = {
        { "", "0:0: command: is missing: say what a trial runs (or program and task)" },
        { "command: x\nprogram: y\ntask: z\n",
          "3:10: program: a study has a command or a program, not both" },
        { "program: y\n", "2:10: task: is missing: say which task of the program to run" },
        { "command: y\ntask: z\n", "3:7: task: needs `program`, the file that has it" },
        { "program: y\ntask: z\n", "0:0: metric: is missing: say which number of a task counts" },
    };
    check_refusals("space: {x: {int: [1, 2]}}\n", "", cases, COUNT(cases), false);
    static const struct refusal finite = {
        "constraints: ['x > 5']\n", "2:15: constraints: none of the 2 points of the space meets "
                                    "this constraint: change it, or the space"
    };
    check_refusals("space: {x: {int: [1, 2]}}\n", "", &finite, 1, true);
    static const struct refusal none = { "trials: 1\n",
                                         "0:0: space: is missing: say what is to be tuned" };
    check_refusals("", "", &none, 1, true);
}

static void files_are_read(void **state)
{
    (void)state;
    char path[] = "/tmp/tune_spec_XXXXXX";
    int fd = mkstemp(path);
    static const char text[] = "command: x\nspace: {x: {int: [1, 2]}}\n";
    assert_true(fd >= 0 && write(fd, text, sizeof(text) - 1) == (ssize_t)sizeof(text) - 1);
    assert_int_equal(close(fd), 0);
    struct spec_error error;
    struct study_spec *spec = NULL;
    assert_int_equal(spec_read(&spec, &(struct spec_source){ .path = path }, &error), OK);
    assert_string_equal(spec->dir, "/tmp");
    assert_true(slice_same(spec->text, slice_text(text)));
    spec_close(&spec);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(spec_read(&spec, &(struct spec_source){ .path = path }, &error),
                     ERR_NOT_FOUND);
    assert_string_equal(error.text, "cannot be read: No such file or directory");
    assert_null(spec);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_study_is_read_whole),
        cmocka_unit_test(parents_come_before_children),
        cmocka_unit_test(groups_and_branches_share_names),
        cmocka_unit_test(types_mean_what_ray_means),
        cmocka_unit_test(scalars_are_of_yaml_1_2),
        cmocka_unit_test(flags_overrule_the_file),
        cmocka_unit_test(flags_are_refused_by_name),
        cmocka_unit_test(trials_follow_from_grids),
        cmocka_unit_test(anchors_and_spec_keys),
        cmocka_unit_test(values_stay_in_their_words),
        cmocka_unit_test(templates_are_checked),
        cmocka_unit_test(yaml_is_checked),
        cmocka_unit_test(distributions_are_checked),
        cmocka_unit_test(conditions_are_checked),
        cmocka_unit_test(keys_are_checked),
        cmocka_unit_test(what_runs_is_checked),
        cmocka_unit_test(files_are_read),
    };
    return cmocka_run_group_tests_name("tune_spec", tests, NULL, NULL);
}
