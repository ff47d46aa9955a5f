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

/* --- what it means ---------------------------------------------------------------------------- */

static const char whole[] = "name: yolo\n"
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
                            "strategy: node:3:soft\n"
                            "labels: [zone=a, 'disk in (ssd|nvme)']\n"
                            "priority: -7\n"
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
                            "storage: out\n";

static void a_study_is_read_whole(void **state)
{
    (void)state;
    struct study_spec *spec = opened(whole, NULL, 0);
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
    assert_string_equal(spec->strategy, "node:3:soft");
    assert_string_equal(spec->labels, "zone=a\ndisk in (ssd|nvme)");
    assert_int_equal(spec->priority, -7);
    assert_true(spec->max_failures == -1 && spec->backoff_ms == 90000);
    assert_string_equal(spec->search.algo, "tpe");
    assert_true(spec->search.startup == 5 && spec->search.candidates == 30 && !spec->search.group);
    assert_true(spec->search.repeat == 2 && !spec->search.dedup);
    assert_string_equal(spec->scheduler.type, "asha");
    assert_string_equal(spec->scheduler.resource, "epoch");
    assert_true(spec->scheduler.max == 81 && spec->scheduler.eta == 3 && spec->scheduler.promote);
    spec_close(&spec);
    assert_null(spec);
}

static void a_trial_gets_what_is_said(void **state)
{
    (void)state;
    struct study_spec *spec = opened(whole, NULL, 0);
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
    static const struct {
        const char *text, *said;
    } cases[] = {
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
    static const char *const flag[] = { "trials=4" };
    spec = opened("num_samples: 3\nspace: {a: {uniform: [0, 1]}}\n", flag, 1);
    assert_true(spec->trials_max == 4);
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
        cmocka_unit_test(a_trial_gets_what_is_said),
        cmocka_unit_test(parents_come_before_children),
        cmocka_unit_test(groups_and_branches_share_names),
        cmocka_unit_test(types_mean_what_ray_means),
        cmocka_unit_test(scalars_are_of_yaml_1_2),
        cmocka_unit_test(flags_overrule_the_file),
        cmocka_unit_test(flags_are_refused_by_name),
        cmocka_unit_test(trials_follow_from_grids),
        cmocka_unit_test(anchors_and_spec_keys),
        cmocka_unit_test(values_stay_in_their_words),
        cmocka_unit_test(files_are_read),
    };
    return cmocka_run_group_tests_name("tune_spec", tests, NULL, NULL);
}
