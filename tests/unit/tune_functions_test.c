/*  tune_functions_test.c - the judge's functions give the values that other ports of them give, and their optima. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>
#include <math.h>
#include "tests/tune/judge/functions.h"

/*  A line of vectors.csv: "NAME key=value ... [--steps N],seed,trial,value". */
static void check_vector(char *line)
{
    char *rest = NULL, *call = strtok_r(line, ",", &rest);
    struct argument at[ARGUMENTS_MAX];
    struct arguments arguments = { .at = at, .noisy = true };
    arguments.seed = strtoll(strtok_r(NULL, ",", &rest), NULL, 10);
    arguments.trial = strtoll(strtok_r(NULL, ",", &rest), NULL, 10);
    double expected = strtod(strtok_r(NULL, ",", &rest), NULL);
    const struct judged *function = judged_find(strtok_r(call, " ", &rest));
    assert_non_null(function);
    uint32_t steps = function->steps;
    for (char *word; (word = strtok_r(NULL, " ", &rest));) {
        if (strcmp(word, "--steps") == 0) {
            steps = (uint32_t)strtoul(strtok_r(NULL, " ", &rest), NULL, 10);
            continue;
        }
        char *value = strchr(word, '=');
        assert_non_null(value);
        *value++ = 0;
        at[arguments.count++] = (struct argument){ word, value, strtod(value, NULL) };
    }
    double value = function->value(&arguments, steps);
    assert_null(arguments.missing);
    if (!(fabs(value - expected) <= 1e-9 * fmax(1, fabs(expected)))) {
        fail_msg("%s: %.17g, expected %.17g", function->name, value, expected);
    }
}

static void vectors_of_other_ports_hold(void **state)
{
    (void)state;
    FILE *file = fopen(JUDGE_DIR "/vectors.csv", "re");
    assert_non_null(file);
    char line[1024];
    uint32_t count = 0;
    for (; fgets(line, sizeof(line), file); count++) {
        check_vector(line);
    }
    fclose(file);
    assert_int_equal(count, 120);
}

static double at(const char *name, const struct argument *arguments, uint32_t count)
{
    struct arguments all = { .at = arguments, .count = count };
    const struct judged *function = judged_find(name);
    assert_non_null(function);
    double value = function->value(&all, function->steps);
    assert_null(all.missing);
    return value - function->best;
}

/*  x1, x2, ... at these coordinates. */
static double at_x(const char *name, const double *x, uint32_t count)
{
    static const char *const names[] = {
        "x1", "x2", "x3", "x4", "x5", "x6", "x7", "x8", "x9", "x10"
    };
    struct argument arguments[COUNT(names)];
    for (uint32_t i = 0; i < count; i++) {
        arguments[i] = (struct argument){ names[i], NULL, x[i] };
    }
    return at(name, arguments, count);
}

static void check_near(double value, double expected, double tolerance)
{
    if (!(fabs(value - expected) <= tolerance)) {
        fail_msg("%.17g, expected %.17g", value, expected);
    }
}

static void the_regret_of_the_optimum_is_zero(void **state)
{
    (void)state;
    const double tiny = 1e-9;
    check_near(at_x("branin", (double[]){ M_PI, 2.275 }, 2), 0, tiny);
    check_near(at_x("rosenbrock5", (double[]){ 1, 1, 1, 1, 1 }, 5), 0, tiny);
    check_near(
        at_x("ackley10", (double[]){ -2.2, 1.2, 3.2, -.6, 1.8, -3, .8, -1.4, 2.5, -3.9 }, 10), 0,
        tiny);
    check_near(at_x("levy4", (double[]){ 2.5, -1.5, 4, -6 }, 4), 0, tiny);
    check_near(at_x("griewank5", (double[]){ -23, 11, -7, 29, -41 }, 5), 0, tiny);
    check_near(at_x("zakharov7", (double[]){ 1, -2, 3, 0, 2, -1, 4 }, 7), 0, tiny);
    check_near(at_x("sixhump", (double[]){ .08984201, -.71265640 }, 2), 0, tiny);
    const struct argument rastrigin[] = { { "a", NULL, 1.37 },
                                          { "b", NULL, -2.61 },
                                          { "k", NULL, 2 },
                                          { "g", NULL, pow(10, -2.4) },
                                          { "c", "bee", 0 } };
    check_near(at("rastrigin5m", rastrigin, COUNT(rastrigin)), 0, tiny);
    const struct argument curve[] = { { "lr", NULL, pow(10, -1.716) },
                                      { "width", NULL, 89 },
                                      { "drop", NULL, .3 },
                                      { "decay", NULL, 1e-4 } };
    check_near(at("lc_cnn", curve, COUNT(curve)), 0, 1e-7);
}

static void a_finite_function_has_no_better_point(void **state)
{
    (void)state;
    static const double batch[] = { 4, 8, 16 }, lr[] = { .001, .005, .01 };
    static const double image[] = { 64, 128, 256 }, epochs[] = { 1, 3, 5 };
    double best = -INFINITY;
    for (uint32_t i = 0; i < 81; i++) {
        const struct argument p[] = { { "batch_size", NULL, batch[i % 3] },
                                      { "lr0", NULL, lr[i / 3 % 3] },
                                      { "imgsz", NULL, image[i / 9 % 3] },
                                      { "epochs", NULL, epochs[i / 27] } };
        best = fmax(best, at("yolo81", p, COUNT(p)));
    }
    check_near(best, 0, 1e-12);
    static const char *const names[] = { "n1", "n2", "n3", "n4", "n5", "n6", "n7", "n8" };
    best = -INFINITY;
    for (uint32_t i = 0; i < 1u << 16; i++) {
        struct argument p[8];
        for (uint32_t k = 0; k < 8; k++) {
            p[k] = (struct argument){ names[k], NULL, i >> (2 * k) & 3 };
        }
        best = fmax(best, at("knapsack8", p, 8));
    }
    check_near(best, 0, 1e-12);
}

static void what_is_missing_is_named(void **state)
{
    (void)state;
    const struct argument p[] = { { "c", "fox", 0 }, { "x1", NULL, 1 } };
    struct arguments all = { .at = p, .count = COUNT(p) };
    judged_find("rastrigin5m")->value(&all, 0);
    assert_non_null(all.missing);
    all.missing = NULL;
    judged_find("branin")->value(&all, 0);
    assert_string_equal(all.missing, "x2");
    assert_null(judged_find("bronin"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(vectors_of_other_ports_hold),
        cmocka_unit_test(the_regret_of_the_optimum_is_zero),
        cmocka_unit_test(a_finite_function_has_no_better_point),
        cmocka_unit_test(what_is_missing_is_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
