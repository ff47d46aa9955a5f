/*  tune_refusal_test.c - a search.yaml that is wrong: the place, the field, and what to do about it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>
#include "client/tune/spec.h"
#include "common/err.h"
#include "tests/unit/tune_stubs.h"

#define LONG_25  "abcdefghijklmnopqrstuvwxy"
#define LONG_101 LONG_25 LONG_25 LONG_25 LONG_25 "z"

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

static const struct refusal malformed[] = {
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

static void yaml_is_checked(void **state)
{
    (void)state;
    check_refusals("", "", malformed, COUNT(malformed), true);
    static char deep[400];
    memset(deep, '[', 200);
    const struct refusal too_deep = { deep, "1:66: : nested too deeply" };
    check_refusals("", "", &too_deep, 1, true);
}

static const struct refusal dists[] = {
    { "x: {choice: []}", "2:12: space.x.choice: is empty: give it values to choose from" },
    { "x: {choice: 3}", "2:21: space.x.choice: must be a list of values, not a number" },
    { "x: {choice: [a, b, a]}",
      "2:28: space.x.choice: a is there twice; for more of it, give weights" },
    { "x: {choice: [1, [2]]}",
      "2:25: space.x.choice[1]: must be a number, a text, true, false or null, not a list" },
    { "x: {choice: [.nan]}", "2:22: space.x.choice[0]: must be finite, not .nan" },
    { "x: {uniform: [1, 1]}", "2:22: space.x.uniform: the low end 1 must be below the high end 1" },
    { "x: {uniform: [3, 1]}", "2:22: space.x.uniform: the low end 3 must be below the high end 1" },
    { "x: {randint: [3, 3]}", "2:22: space.x.randint: the low end 3 must be below the high end "
                              "3, which is not included" },
    { "x: {uniform: [1]}", "2:22: space.x.uniform: must be [low, high]" },
    { "x: {quniform: [1, 2]}", "2:23: space.x.quniform: must be [low, high, step]" },
    { "x: {uniform: [a, 1]}", "2:23: space.x.uniform: must be a number, not a text" },
    { "x: {uniform: ['0', 1]}", "2:23: space.x.uniform: must be a number, not a text (quoted)" },
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
      "2:9: space.a b: \"a b\" cannot be a parameter's name: use letters, digits, _ - and ., "
      "a letter first, at most 64" },
    { "params: 1", "2:9: space.params: \"params\" is reserved: give it another name" },
    { "a.b: 1, a_b: 2", "2:17: space.a_b: a.b and a_b would be the same variable for trials" },
    { "a: {b: 1}, a.b: 2",
      "2:20: space.a.b: a.b is in line 2 already, with another domain: give it another name" },
};

static void distributions_are_checked(void **state)
{
    (void)state;
    refuses_dists(dists, COUNT(dists));
    static const struct refusal empty = { "", "2:8: space: is empty: name what is to be tuned" };
    refuses_dists(&empty, 1);
}

static const struct refusal conditions[] = {
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

static void conditions_are_checked(void **state)
{
    (void)state;
    refuses_dists(conditions, COUNT(conditions));
}

static const struct refusal keys[] = {
    { "trails: 5", "2:1: : unknown key \"trails\"; do you mean trials?" },
    { "trials: -5", "2:9: trials: must be from 1 to 1000000000, not -5" },
    { "trials: 0", "2:9: trials: must be from 1 to 1000000000, not 0" },
    { "trials: 1.5", "2:9: trials: must be an integer, not 1.5" },
    { "trials: many", "2:9: trials: must be a number, not a text" },
    { "trials: .nan", "2:9: trials: must be a finite number, not .nan" },
    { "trials: 5\nrun_cap: 6", "3:1: run_cap: is the same as trials in line 2: give one of them" },
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
    { "method: bayes",
      "2:9: method: unknown search \"bayes\": there are random, grid, tpe, cmaes, auto, external" },
    { "search: {startups: 3}", "2:10: search: unknown key \"startups\"; do you mean startup?" },
    { "search: {startup: -3}", "2:19: search.startup: must be from 0 to 1000000000, not -3" },
    { "trials: 1\nsearch: external",
      "3:9: search.command: is missing: search: {algo: external, command: [...]}" },
    { "scheduler: pb2", "2:12: scheduler: the scheduler pb2 is not due yet; take pbt" },
    { "scheduler: ahsa", "2:12: scheduler: unknown scheduler \"ahsa\"; do you mean asha?" },
    { "scheduler: {type: asha, min: 9, max: 3}", "2:12: scheduler: min 9 is above max 3" },
    { "scheduler: {type: asha, eta: 1}",
      "2:30: scheduler.eta: must be from 1.0001 to 1000000, not 1" },
    { "scheduler: {max: 9}", "2:12: scheduler: needs a type: fifo, asha, hyperband, median, pbt" },
    { "scheduler: {type: asha, variant: pause}",
      "2:34: scheduler.variant: must be promote or stop, not \"pause\"" },
    { "loggers: [json, 'mlflow:http://x']",
      "2:17: loggers[1]: the logger mlflow is not due yet; there are json and csv" },
    { "loggers: wandb", "2:10: loggers: the logger wandb is not due yet; there are json and csv" },
    { "resources: {cpus: 1, cpu: 2}",
      "2:22: resources.cpu: is the same as cpus in line 2: give one of them" },
    { "resources: {cpuu: 1}", "2:13: resources: unknown key \"cpuu\"; do you mean cpu?" },
    { "resources: {memory: lots}",
      "2:21: resources.memory: must be a number of bytes such as 512M, 2Gi, or 1073741824" },
    { "strategy: PACK",
      "2:11: strategy: strategy 'PACK' must be DEFAULT, SPREAD, node:NODE or node:NODE:soft "
      "(NODE: a number of 'rayc node list')" },
    { "labels: [zone=a, zone]",
      "2:18: labels[1]: label 'zone' must be KEY=VALUE, KEY!=VALUE, KEY in (A|B) or KEY not in "
      "(A|B)" },
    { "priority: 101", "2:11: priority: must be from -100 to 100, not 101" },
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
    { "name: a/b", "2:7: name: must be letters, digits, . _ and -, and begin with a letter, a "
                   "digit or _: folders are named after it" },
    { "name: " LONG_101, "2:7: name: may have 100 bytes" },
    { "metric: mAP50 (B)", "2:9: metric: cannot be reported: a metric's name has letters, digits, "
                           "_ - . / : ( ) @ % and at most 128 bytes" },
    { "metric: " LONG_101 LONG_101, "2:9: metric: cannot be reported: a metric's name has letters, "
                                    "digits, _ - . / : ( ) @ % and at most 128 bytes" },
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
    { "constraints: 'y > 3'", "2:14: constraints: in \"y > 3\": unknown name \"y\" at column 1" },
    { "points: [{y: 1}]", "2:11: points[0]: unknown parameter \"y\"" },
    { "points: [{x: 2}]", "2:14: points[0].x: is from 0 to 1, never 2" },
    { "points: [{x: big}]", "2:14: points[0].x: must be a finite number, not big" },
    { "points: [{m: 3}]", "2:14: points[0].m: has no option \"3\"" },
    { "points: [{m: 1, w: 3}]", "2:20: points[0].w: is not active in this point: leave it out" },
    { "points: [{m: 2, x: 0, result: 1}]", "2:10: points[0]: has a result, but no w" },
    { "points: [{m: 2, x: 0, w: 2.5}]", "2:26: points[0].w: is never 2.5; the nearest value is 3" },
    { "trials: 1\nconstraints: ['x > 0.5']\npoints: [{m: 1, x: 0.1}]",
      "4:10: points[0]: does not meet constraint 1" },
    { "points: {m: 1}", "2:9: points: must be a list of maps: [{NAME: value, ...}, ...]" },
};

static void keys_are_checked(void **state)
{
    (void)state;
    check_refusals(
        "space: {x: {uniform: [0, 1]}, m: {choice: [1, 2]}, w: {int: [1, 4], when: {m: 2}}}\n",
        "\n", keys, COUNT(keys), true);
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(templates_are_checked),     cmocka_unit_test(yaml_is_checked),
        cmocka_unit_test(distributions_are_checked), cmocka_unit_test(conditions_are_checked),
        cmocka_unit_test(keys_are_checked),          cmocka_unit_test(what_runs_is_checked),
    };
    return cmocka_run_group_tests_name("tune_refusal", tests, NULL, NULL);
}
