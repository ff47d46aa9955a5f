/*  tune_expr_test.c - expressions of a search.yaml: values, what is undefined, what is refused and where. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <cmocka.h>
#include "client/tune/space.h"
#include "client/tune/spec.h"
#include "common/err.h"

static const struct choice models[] = { { OPTION_STRING, 0, "svm" }, { OPTION_STRING, 0, "mlp" } };
static const struct choice batches[] = { { OPTION_INT, 32, "32" }, { OPTION_INT, 64, "64" } };
static const struct choice mixed[] = { { OPTION_STRING, 0, "auto" }, { OPTION_FLOAT, 0.5, "0.5" } };
static const struct param params[] = {
    { .name = "model", .kind = PARAM_CHOICE, .options = models, .option_count = 2 },
    { .name = "batch", .kind = PARAM_CHOICE, .options = batches, .option_count = 2 },
    { .name = "layers", .kind = PARAM_INT, .low = 1, .high = 4, .step = 1 },
    { .name = "net.lr", .kind = PARAM_FLOAT, .low = 0, .high = 1 },
    { .name = "gamma", .kind = PARAM_CHOICE, .options = mixed, .option_count = 2 },
};
static const struct space space = { params, COUNT(params), NULL, 0 };
/*  mlp, 64, 3, 0.25, 0.5 */
static const double point[] = { 1, 1, 3, 0.25, 1 };

static void assert_close(double value, double wanted, double tolerance)
{
    if (!(fabs(value - wanted) <= tolerance)) {
        fail_msg("%.17g instead of %.17g", value, wanted);
    }
}

static double value_of(const char *text, const double *x)
{
    struct arena *arena = arena_new();
    const struct expr *expr = NULL;
    struct diag why = { 0 };
    if (expr_parse(arena, text, &space, space.count, &expr, &why) != OK) {
        fail_msg("%s: %s", text, why.text);
    }
    struct expr_value value = expr_value(expr, &space, x);
    arena_destroy(&arena);
    assert_false(value.is_text);
    return value.defined ? value.number : -12345;
}

static void arithmetic(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        double value;
    } cases[] = { { "1 + 2 * 3", 7 },
                  { "(1 + 2) * 3", 9 },
                  { "2 ** 3 ** 2", 512 },
                  { "-2 ** 2", -4 },
                  { "2 ** -1", 0.5 },
                  { "7 % 4", 3 },
                  { "-7 % 4", 1 },
                  { "10 - 3 - 2", 5 },
                  { "1e-05 * 1e5", 1 },
                  { ".5 + 1.", 1.5 },
                  { "log2(8) + log10(100) + log(exp(1))", 6 },
                  { "min(3, batch, 5) + max(1, layers)", 6 },
                  { "sqrt(abs(-16)) + floor(2.9) + round(2.5)", 9 },
                  { "net.lr * batch", 16 },
                  { "true + true - false", 2 } };
    for (size_t i = 0; i < COUNT(cases); i++) {
        assert_close(value_of(cases[i].text, point), cases[i].value, 1e-12);
    }
}

static void conditions(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        bool value;
    } cases[] = { { "model == 'mlp'", true },
                  { "model != \"mlp\"", false },
                  { "model == 'svm' or layers >= 3 and batch < 65", true },
                  { "not model == 'svm'", true },
                  { "not (layers > 2 or batch == 32)", false },
                  { "batch in [32, 64]", true },
                  { "batch not in [32, 32 * 2]", false },
                  { "model in ['svm', 'mlp']", true },
                  { "gamma == 'auto'", false },
                  { "gamma == 0.5", true },
                  { "log(0 - 1) < 5", false },
                  { "1 / 0 > 1e300", true } };
    for (size_t i = 0; i < COUNT(cases); i++) {
        assert_true(value_of(cases[i].text, point) == cases[i].value);
    }
}

static void an_inactive_name_makes_all_undefined(void **state)
{
    (void)state;
    const double x[] = { 0, 0, NAN, 0.5, 0 };
    assert_true(value_of("layers + 1", x) == -12345);
    assert_true(value_of("model == 'svm' or layers > 2", x) == -12345);
    assert_true(value_of("2 in [layers]", x) == -12345);
    struct arena *arena = arena_new();
    const struct expr *expr = NULL;
    struct diag why = { 0 };
    assert_int_equal(expr_parse(arena, "layers > 9", &space, space.count, &expr, &why), OK);
    assert_true(expr_holds(expr, &space, x));
    assert_false(expr_holds(expr, &space, point));
    assert_true(expr_uses(expr, 2));
    assert_false(expr_uses(expr, 0));
    assert_int_equal(expr_parse(arena, "log(0 - 1)", &space, space.count, &expr, &why), OK);
    assert_false(expr_holds(expr, &space, point)); /* what cannot be computed does not hold */
    arena_destroy(&arena);
}

static void refusals_say_where_and_what(void **state)
{
    (void)state;
    static const struct {
        const char *text, *said;
    } cases[] = {
        { "1 + bach", "unknown name \"bach\" at column 5; do you mean batch?" },
        { "lg(3)", "unknown function \"lg\" at column 1; do you mean log?" },
        { "", "a value is missing at its end" },
        { "1 +", "a value is missing at its end" },
        { "batch = 3",
          "an operator is missing before \"= 3\" at column 7; equality is written ==" },
        { "batch && 3", "an operator is missing before \"&& 3\" at column 7; write `and`, `or`" },
        { "(batch", "\")\" is missing at its end" },
        { "1 < batch < 3", "comparisons cannot be chained (column 11): join them by `and`" },
        { "model == 'mpl'", "model is never 'mpl' (column 10); do you mean 'mlp'?" },
        { "model in ['svm', 'x']", "model is never 'x' (column 18)" },
        { "model == 3", "a number and a text are compared at column 1" },
        { "model + 1", "a number is needed at column 1, not a text" },
        { "not model", "a number is needed at column 5, not a text" },
        { "'open", "the quote at column 1 is not closed" },
        { "2x", "\"2x\" at column 1 is not a number" },
        { "0x10", "\"0x10\" at column 1 is not a number" },
        { "1e999", "\"1e999\" at column 1 is not a number" },
        { "log(1, 2)", "log() at column 1 has too many arguments" },
        { "min(1)", "min() at column 1 needs 2 arguments" },
        { "and 1", "a value is missing before \"and 1\" at column 1" },
        { "batch not 3", "`in` is missing before \"3\" at column 11" },
        { "batch in 3", "\"[\" is missing before \"3\" at column 10" },
        { "1 2", "an operator is missing before \"2\" at column 3" },
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct arena *arena = arena_new();
        const struct expr *expr = NULL;
        struct diag why = { 0 };
        int code = expr_parse(arena, cases[i].text, &space, space.count, &expr, &why);
        arena_destroy(&arena);
        assert_int_equal(code, ERR_INVALID);
        assert_string_equal(why.text, cases[i].said);
    }
}

static void depth_and_length_have_limits(void **state)
{
    (void)state;
    static char text[8000];
    struct arena *arena = arena_new();
    const struct expr *expr = NULL;
    static const char *const openings[] = { "(", "-", "not ", "abs(", "2**" };
    for (size_t i = 0; i < COUNT(openings); i++) {
        text[0] = 0;
        for (int n = 0; n < 500; n++) {
            memcpy(text + strlen(openings[i]) * (size_t)n, openings[i], strlen(openings[i]) + 1);
        }
        struct diag why = { 0 };
        assert_int_equal(expr_parse(arena, text, &space, space.count, &expr, &why), ERR_INVALID);
        assert_non_null(strstr(why.text, "nested deeper than"));
    }
    memset(text, '1', sizeof(text) - 1);
    struct diag why = { 0 };
    assert_int_equal(expr_parse(arena, text, &space, space.count, &expr, &why), ERR_INVALID);
    assert_non_null(strstr(why.text, "longer than"));
    text[0] = 0;
    for (int n = 0; n < 1000; n++) {
        memcpy(text + 2 * n, "1+", 3);
    }
    text[2 * 1000 - 1] = 0; /* without the last + */
    assert_int_equal(expr_parse(arena, text, &space, space.count, &expr, &why), OK);
    assert_true(expr_value(expr, &space, point).number == 1000);
    arena_destroy(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(arithmetic),
        cmocka_unit_test(conditions),
        cmocka_unit_test(an_inactive_name_makes_all_undefined),
        cmocka_unit_test(refusals_say_where_and_what),
        cmocka_unit_test(depth_and_length_have_limits),
    };
    return cmocka_run_group_tests_name("tune_expr", tests, NULL, NULL);
}
