/*  tune_space_test.c - points of a space: what is active, draws, grids, finite spaces, values as text. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>
#include "client/tune/draw.h"
#include "client/tune/space.h"
#include "client/tune/spec.h"
#include "common/err.h"

static const struct choice models[] = { { OPTION_STRING, 0, "svm" }, { OPTION_STRING, 0, "mlp" } };
static const struct choice batches[] = { { OPTION_INT, 32, "32" },
                                         { OPTION_INT, 64, "64" },
                                         { OPTION_INT, 128, "128" } };
static const struct choice epochs[] = { { OPTION_INT, 81, "81" } };
static const double mlp[] = { 1 };
static const struct condition when_mlp[] = { { 0, 1, mlp } };
static const double svm[] = { 0 };
static const struct condition when_svm[] = { { 0, 1, svm } };

/*  model; C of svm; layers of mlp; batch; epochs = 81. */
static const struct param conditional[] = {
    { .name = "model", .kind = PARAM_CHOICE, .options = models, .option_count = 2 },
    { .name = "C",
      .kind = PARAM_FLOAT,
      .scale = SCALE_LOG,
      .low = 1e-3,
      .high = 1e3,
      .when = when_svm,
      .when_count = 1 },
    { .name = "layers",
      .kind = PARAM_INT,
      .low = 1,
      .high = 4,
      .step = 1,
      .when = when_mlp,
      .when_count = 1 },
    { .name = "batch", .kind = PARAM_CHOICE, .options = batches, .option_count = 3 },
    { .name = "epochs", .kind = PARAM_CONST, .options = epochs, .option_count = 1 },
};
static const struct space space = { conditional, COUNT(conditional), NULL, 0 };

static void assert_close(double value, double wanted, double tolerance)
{
    if (!(fabs(value - wanted) <= tolerance)) {
        fail_msg("%.17g instead of %.17g", value, wanted);
    }
}

/* --- values of a parameter -------------------------------------------------------------------- */

static void floats_follow_their_scale(void **state)
{
    (void)state;
    struct param p = { .kind = PARAM_FLOAT, .low = -5, .high = 10 };
    assert_close(param_at(&p, 0), -5, 0);
    assert_close(param_at(&p, 0.5), 2.5, 1e-12);
    p = (struct param){ .kind = PARAM_FLOAT, .scale = SCALE_LOG, .low = 1e-4, .high = 1 };
    assert_close(param_at(&p, 0), 1e-4, 1e-15);
    assert_close(param_at(&p, 0.5), 1e-2, 1e-12);
    p.scale = SCALE_REVERSE_LOG;
    p.low = 0.01;
    p.high = 1;
    assert_close(param_at(&p, 0), 0.01, 1e-12);
    assert_close(param_at(&p, 0.5), 0.91, 1e-12); /* 1.01 - 0.1: dense at the high end */
    assert_true(param_at(&p, 0x1.fffffffffffffp-1) <= 1);
}

static void grids_are_exact(void **state)
{
    (void)state;
    struct param p = { .kind = PARAM_FLOAT, .low = 0.1, .high = 1, .step = 0.1 };
    assert_int_equal(param_size(&p), 10);
    for (uint64_t i = 0; i < 10; i++) {
        char text[32];
        char wanted[32];
        (void)snprintf(wanted, sizeof(wanted), i == 9 ? "1" : "0.%u", (unsigned)i + 1);
        assert_int_equal(number_print(param_value(&p, i), text, sizeof(text)), strlen(wanted));
        assert_string_equal(text, wanted);
        assert_true(param_fit(&p, param_value(&p, i)) == param_value(&p, i));
    }
    assert_true(param_fit(&p, 0.34) == 0.3);
    assert_true(param_fit(&p, -7) == 0.1);
    assert_true(param_fit(&p, 7) == 1);
}

/*  Each value of an int is drawn as often as every other; of a logint by its share of the logarithm. */
static void ints_are_drawn_evenly(void **state)
{
    (void)state;
    struct param p = { .kind = PARAM_INT, .low = 1, .high = 8, .step = 1 };
    int count[9] = { 0 };
    for (int i = 0; i < 8000; i++) {
        double value = param_at(&p, (i + 0.5) / 8000);
        assert_true(value == floor(value) && value >= 1 && value <= 8);
        count[(int)value]++;
    }
    for (int i = 1; i <= 8; i++) {
        assert_int_equal(count[i], 1000);
    }
    p.scale = SCALE_LOG;
    memset(count, 0, sizeof(count));
    for (int i = 0; i < 8000; i++) {
        count[(int)param_at(&p, (i + 0.5) / 8000)]++;
    }
    for (int i = 1; i <= 8; i++) {
        double share = log((i + 0.5) / (i - 0.5)) / log(8.5 / 0.5);
        assert_true(fabs(count[i] - 8000 * share) < 2);
    }
}

static void choices_follow_their_weights(void **state)
{
    (void)state;
    static const double weights[] = { 0.5, 0, 0.5 };
    struct param p = { .kind = PARAM_CHOICE, .options = batches, .option_count = 3 };
    assert_true(param_at(&p, 0.32) == 0 && param_at(&p, 0.34) == 1 && param_at(&p, 0.99) == 2);
    p.weights = weights;
    assert_true(param_at(&p, 0.49) == 0 && param_at(&p, 0.51) == 2);
    assert_true(param_at(&p, 0x1.fffffffffffffp-1) == 2);
}

/* --- distributions ---------------------------------------------------------------------------- */

static void the_normal_quantile_is_right(void **state)
{
    (void)state;
    assert_close(normal_quantile(0.5), 0, 0);
    assert_close(normal_quantile(0.975), 1.959963984540054, 1e-14);
    assert_close(normal_quantile(0.001), -3.090232306167813, 1e-14);
    assert_close(normal_quantile(1e-12), -7.034483825301131, 1e-13);
    assert_true(isfinite(normal_quantile(0)) && isfinite(normal_quantile(1)));
    assert_true(isnan(normal_quantile(-1)) && isnan(normal_quantile(NAN)));
    for (double p = 1e-9; p < 1; p += 0.0037) {
        assert_close(normal_cdf(normal_quantile(p)), p, 1e-14);
    }
    assert_close(normal_cdf(-1.959963984540054), 0.025, 1e-15);
}

static void the_beta_quantile_is_right(void **state)
{
    (void)state;
    assert_close(beta_quantile(1, 1, 0.3), 0.3, 1e-12);
    assert_close(beta_quantile(2, 1, 0.25), 0.5, 1e-12); /* sqrt(p) */
    assert_close(beta_quantile(1, 3, 0.5), 1 - cbrt(0.5), 1e-12);
    assert_close(beta_quantile(2, 2, 0.5), 0.5, 1e-12);
    assert_close(beta_quantile(0.5, 0.5, 0.25), 0.14644660940672624, 1e-12); /* sin^2 */
    assert_close(beta_quantile(2, 5, 0.5), 0.26444998329565744, 1e-10);
}

static void normals_quantize_around_zero(void **state)
{
    (void)state;
    struct param p = { .kind = PARAM_NORMAL, .mean = 0, .sd = 1, .step = 0.5 };
    assert_true(param_at(&p, 0.5) == 0 && !signbit(param_at(&p, 0.45)));
    assert_true(param_at(&p, 0.975) == 2);
    p = (struct param){ .kind = PARAM_NORMAL, .scale = SCALE_LOG, .mean = 1, .sd = 2 };
    assert_close(param_at(&p, 0.5), exp(1), 1e-12);
}

/* --- draws ------------------------------------------------------------------------------------ */

static void draws_are_a_function_of_what_they_are_for(void **state)
{
    (void)state;
    double sum = 0;
    double square = 0;
    for (uint64_t i = 0; i < 4096; i++) {
        double u = draw_uniform(7, i, 3, 0);
        assert_true(u >= 0 && u < 1 && u == draw_uniform(7, i, 3, 0));
        assert_true(u != draw_uniform(8, i, 3, 0) && u != draw_uniform(7, i + 1, 3, 0));
        assert_true(u != draw_uniform(7, i, 4, 0) && u != draw_uniform(7, i, 3, 1));
        sum += u;
        square += draw_normal(7, i, 3, 0) * draw_normal(7, i, 3, 0);
    }
    assert_close(sum / 4096, 0.5, 0.02);
    assert_close(square / 4096, 1, 0.1);
}

static void drawn_points_are_complete(void **state)
{
    (void)state;
    int of_model[2] = { 0 };
    for (uint64_t trial = 0; trial < 200; trial++) {
        double x[5];
        space_draw(&space, 1, trial, 0, x);
        of_model[(int)x[0]]++;
        assert_true(isnan(x[1]) == (x[0] == 1) && isnan(x[2]) == (x[0] == 0));
        assert_true(x[0] == 0 ? x[1] >= 1e-3 && x[1] <= 1e3 : x[2] >= 1 && x[2] <= 4);
        assert_true(x[3] >= 0 && x[3] <= 2 && x[4] == 0);
        double again[5];
        memcpy(again, x, sizeof(x));
        space_complete(&space, again);
        assert_true(space_same(&space, x, again));
        assert_true(space_hash(&space, x) == space_hash(&space, again));
        again[3] = again[3] == 0 ? 1 : 0;
        assert_false(space_same(&space, x, again));
        assert_true(space_hash(&space, x) != space_hash(&space, again));
    }
    assert_true(of_model[0] > 60 && of_model[1] > 60);
}

/* --- computed values and constraints ---------------------------------------------------------- */

static void computed_values_and_constraints(void **state)
{
    (void)state;
    struct arena *arena = arena_new();
    struct param params[] = {
        { .name = "batch", .kind = PARAM_INT, .low = 1, .high = 8, .step = 1 },
        { .name = "lr", .kind = PARAM_EXPR },
        { .name = "deep", .kind = PARAM_INT, .low = 1, .high = 2, .step = 1 },
    };
    struct space made = { params, 3, NULL, 0 };
    struct diag why;
    assert_int_equal(
        expr_parse(arena, "0.1 * batch / (batch - 4)", &made, 1, &params[1].expr, &why), OK);
    assert_int_equal(expr_parse(arena, "lr > 0.15", &made, 2, &params[2].when_expr, &why), OK);
    const struct expr *constraint[1];
    assert_int_equal(expr_parse(arena, "deep == 1", &made, 3, &constraint[0], &why), OK);
    made.constraints = constraint;
    made.constraint_count = 1;
    double x[] = { 8, 99, 2 };
    space_complete(&made, x);
    assert_close(x[1], 0.2, 1e-15);
    assert_true(x[2] == 2);
    assert_false(space_feasible(&made, x));
    x[0] = 4; /* by zero: no value, and what depends on it is not active either */
    space_complete(&made, x);
    assert_true(isnan(x[1]) && isnan(x[2]));
    assert_true(space_feasible(&made, x));
    arena_destroy(&arena);
}

/* --- finite spaces ---------------------------------------------------------------------------- */

static void finite_spaces_are_walked_whole(void **state)
{
    (void)state;
    struct param params[5];
    memcpy(params, conditional, sizeof(params));
    assert_int_equal(space_size(&space), 0); /* C is continuous */
    params[1].low = 1;
    params[1].high = 2;
    params[1].step = 0.5;
    struct space finite = { params, 5, NULL, 0 };
    assert_int_equal(space_size(&finite), (3 + 4) * 3);
    double points[21][5];
    double x[5];
    uint64_t cursor = 0;
    uint32_t n = 0;
    while (space_next(&finite, &cursor, x)) {
        assert_true(n < 21);
        for (uint32_t i = 0; i < n; i++) {
            assert_false(space_same(&finite, points[i], x));
        }
        memcpy(points[n++], x, sizeof(x));
    }
    assert_int_equal(n, 21);
    assert_true(points[0][3] == 0 && points[1][3] == 1); /* the last varies fastest */
    assert_true(points[20][0] == 1 && points[20][2] == 4 && points[20][3] == 2);
}

static void large_spaces_have_no_size(void **state)
{
    (void)state;
    struct param params[3] = { { .kind = PARAM_INT, .low = 1, .high = 100, .step = 1 },
                               { .kind = PARAM_INT, .low = 1, .high = 100, .step = 1 },
                               { .kind = PARAM_INT, .low = 1, .high = 10, .step = 1 } };
    struct space made = { params, 3, NULL, 0 };
    assert_int_equal(space_size(&made), SPACE_FINITE_MAX);
    params[2].high = 11;
    assert_int_equal(space_size(&made), 0);
}

/* --- text ------------------------------------------------------------------------------------- */

static void numbers_print_shortest(void **state)
{
    (void)state;
    static const struct {
        double value;
        const char *text;
    } cases[] = { { 0, "0" },
                  { -0.0, "0" },
                  { 81, "81" },
                  { -3, "-3" },
                  { 0.1, "0.1" },
                  { 1e-5, "1e-05" },
                  { 1.0 / 3, "0.3333333333333333" },
                  { 0.30000000000000004, "0.30000000000000004" },
                  { 123456789012345, "123456789012345" },
                  { 1e22, "1e+22" } };
    for (size_t i = 0; i < COUNT(cases); i++) {
        char text[32];
        assert_int_equal(number_print(cases[i].value, text, sizeof(text)), strlen(cases[i].text));
        assert_string_equal(text, cases[i].text);
    }
    for (uint64_t i = 0; i < 2000; i++) {
        char text[32];
        double value = exp(draw_normal(1, i, 0, 0) * 50);
        assert_true(number_print(value, text, sizeof(text)) < sizeof(text));
        assert_true(strtod(text, NULL) == value);
    }
    char cut[4];
    assert_int_equal(number_print(0.125, cut, sizeof(cut)), 5);
    assert_string_equal(cut, "0.1");
}

static void formats_are_followed(void **state)
{
    (void)state;
    static const struct {
        const char *format;
        double value;
        const char *text;
    } cases[] = { { "%.3f", 0.12345, "0.123" }, { "%05d", 42, "00042" },   { "%x", 255, "ff" },
                  { "%.1e", 12345, "1.2e+04" }, { "%g%%", 12.5, "12.5%" }, { "v%s", 0.1, "v0.1" } };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct param p = { .kind = PARAM_FLOAT, .high = 1, .format = cases[i].format };
        char text[32];
        assert_int_equal(param_print(&p, cases[i].value, text, sizeof(text)),
                         strlen(cases[i].text));
        assert_string_equal(text, cases[i].text);
    }
}

static void points_print_as_json(void **state)
{
    (void)state;
    static const struct choice odd[] = { { OPTION_NULL, 0, "~" },
                                         { OPTION_BOOL, 1, "true" },
                                         { OPTION_STRING, 0, "a\"\\\n" },
                                         { OPTION_INT, 17, "0o21" } };
    struct param params[6];
    memcpy(params, conditional, sizeof(conditional));
    params[5] =
        (struct param){ .name = "odd", .kind = PARAM_CHOICE, .options = odd, .option_count = 4 };
    struct space made = { params, 6, NULL, 0 };
    double x[] = { 0, 0.5, NAN, 2, 0, 2 };
    char text[200];
    const char *wanted = "{\"model\": \"svm\", \"C\": 0.5, \"batch\": 128, \"epochs\": 81, "
                         "\"odd\": \"a\\\"\\\\\\u000a\"}";
    assert_int_equal(space_print_json(&made, x, text, sizeof(text)), strlen(wanted));
    assert_string_equal(text, wanted);
    static const char *const ends[] = { "null}", "true}", NULL, "17}" };
    for (int i = 0; i < 4; i++) {
        x[5] = i;
        size_t n = space_print_json(&made, x, text, sizeof(text));
        assert_true(!ends[i] || strcmp(text + n - strlen(ends[i]), ends[i]) == 0);
    }
    x[5] = 2;
    assert_int_equal(space_print_json(&made, x, text, 10), strlen(wanted));
    assert_string_equal(text, "{\"model\":");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(floats_follow_their_scale),
        cmocka_unit_test(grids_are_exact),
        cmocka_unit_test(ints_are_drawn_evenly),
        cmocka_unit_test(choices_follow_their_weights),
        cmocka_unit_test(the_normal_quantile_is_right),
        cmocka_unit_test(the_beta_quantile_is_right),
        cmocka_unit_test(normals_quantize_around_zero),
        cmocka_unit_test(draws_are_a_function_of_what_they_are_for),
        cmocka_unit_test(drawn_points_are_complete),
        cmocka_unit_test(computed_values_and_constraints),
        cmocka_unit_test(finite_spaces_are_walked_whole),
        cmocka_unit_test(large_spaces_have_no_size),
        cmocka_unit_test(numbers_print_shortest),
        cmocka_unit_test(formats_are_followed),
        cmocka_unit_test(points_print_as_json),
    };
    return cmocka_run_group_tests_name("tune_space", tests, NULL, NULL);
}
