/*  tune_plot_test.c - plots are whole SVG, whatever the names and values.  TUNE_PLOTS=DIR keeps them to look at. */
#include "tune_rows.h"

/*  Tags that close each other in order, attributes in quotes, and no number that is none. */
static void check_svg(const char *text)
{
    const char *open[16];
    size_t depth = 0, tags = 0;
    assert_int_equal(strncmp(text, "<svg ", 5), 0);
    for (const char *at = text; *at; at++) {
        if (*at == '&') {
            assert_true(strncmp(at, "&lt;", 4) == 0 || strncmp(at, "&gt;", 4) == 0 ||
                        strncmp(at, "&amp;", 5) == 0 || strncmp(at, "&quot;", 6) == 0 ||
                        strncmp(at, "&apos;", 6) == 0);
        }
        if (*at != '<') {
            assert_true((unsigned char)*at >= 0x20 || *at == '\n');
            continue;
        }
        bool closes = at[1] == '/';
        const char *name = at + 1 + closes, *end = name;
        for (char quote = 0; *end != '>' || quote; end++) {
            assert_true(*end && (!quote || *end != '<'));
            quote = !quote && *end == '\'' ? '\'' : quote && *end == quote ? 0 : quote;
        }
        for (const char *p = name; p < end; p++) {
            assert_false(strncmp(p, "nan", 3) == 0 || strncmp(p, "inf", 3) == 0);
        }
        size_t n = strcspn(name, " >");
        if (closes) {
            assert_true(depth > 0 && strncmp(open[--depth], name, n) == 0);
        } else if (end[-1] != '/') {
            assert_true(depth < COUNT(open));
            open[depth++] = name;
        }
        tags++;
        at = end;
    }
    assert_int_equal(depth, 0);
    assert_true(tags > 5);
}

static void check_plots(struct head *head, const char *name)
{
    static void (*const plots[])(const struct study_rows *, FILE *) = { plot_history,
                                                                        plot_parallel };
    static const char *const names[] = { "history", "parallel" };
    head->page = 100;
    struct study_rows rows = load(head);
    for (size_t i = 0; i < COUNT(plots); i++) {
        char *text = printed(&rows, plots[i]), path[256];
        check_svg(text);
        const char *dir = getenv("TUNE_PLOTS");
        snprintf(path, sizeof(path), "%s/%s_%s.svg", dir, name, names[i]);
        FILE *file = dir ? fopen(path, "w") : NULL;
        if (file) {
            fputs(text, file);
            fclose(file);
        }
        free(text);
    }
    study_rows_free(&rows);
    head_free(&head);
}

static const char numbers[] = "metric: loss(%)\nmode: max\ncommand: train\ntrials: 9\nspace:\n"
                              "  learning_rate_of_the_encoder: {loguniform: [0.00001, 1]}\n"
                              "  layers: {int: [1, 6]}\n"
                              "  opt: {choice: [\"<sgd> & 'co' \\\"x\\\"\", adam, rmsprop]}\n"
                              "  momentum: {uniform: [0, 1], when: {opt: adam}}\n";

/*  A draw of trial i; a tenth fails, every third one is stopped early. */
static void add_drawn(struct head *head, uint32_t i)
{
    double *x = head->points[i];
    for (uint32_t k = 0; k < 4; k++) {
        x[k] = draw_uniform(1, i, k, 0);
    }
    double value = 1 - pow(x[0] - 0.4, 2) - 0.3 * fabs(x[1] - 0.5) - 0.2 * x[3];
    x[0] = pow(10, -5 * x[0]);
    x[1] = 1 + floor(x[1] * 6);
    x[2] = floor(x[2] * 3);
    x[3] = x[2] == 1 ? x[3] : NAN;
    struct rec_trial *trial = add(head, "{}", "", value);
    trial->point.n = 4 * sizeof(double);
    trial->pruned = i % 3 == 2;
    trial->state = i % 10 == 9 ? TRIAL_ERROR : TRIAL_TERMINATED;
    trial->value = i % 10 == 9 ? NAN : i % 20 == 8 ? -1000 : value;
}

static void plots_of_many(void **state)
{
    (void)state;
    static const uint32_t counts[] = { 0, 1, 2, 3, 60, 5500 };
    for (size_t i = 0; i < COUNT(counts); i++) {
        struct head *head = head_new(numbers);
        char name[32];
        for (uint32_t k = 0; k < counts[i]; k++) {
            add_drawn(head, k);
        }
        snprintf(name, sizeof(name), "many_%u", counts[i]);
        check_plots(head, name);
    }
}

/*  Values that are hard on an axis: the same, huge, tiny, far from zero, over many powers of ten. */
static void plots_of_odd_values(void **state)
{
    (void)state;
    static const double odd[][3] = { { 0.3, 0.3, 0.3 },
                                     { 0, 0, 0 },
                                     { -1e308, 1e308, 1.7e308 },
                                     { 5e-324, 1e-320, 1e-310 },
                                     { 1e17, 1e17 + 16, 1e17 + 32 },
                                     { 1e-300, 1, 1e300 },
                                     { -1e17, -1e17, -1e17 },
                                     { 1000000.1, 1000000.2, 1000000.3 },
                                     { 1e-9, 0.1, 1 } };
    for (size_t i = 0; i < COUNT(odd); i++) {
        struct head *head = head_new(numbers);
        char name[32];
        for (uint32_t k = 0; k < 3; k++) {
            add_drawn(head, k);
            head->trials[k].value = head->points[k][0] = odd[i][k];
        }
        snprintf(name, sizeof(name), "odd_%zu", i);
        check_plots(head, name);
    }
}

static void plots_of_many_options(void **state)
{
    (void)state;
    char text[4096];
    size_t n = (size_t)snprintf(text, sizeof(text),
                                "command: train\ntrials: 9\nspace:\n  only: {choice: [one]}\n"
                                "  many: {choice: [");
    for (int i = 0; i < 100; i++) {
        n += (size_t)snprintf(text + n, sizeof(text) - n, "a_long_name_of_an_option_%d, ", i);
    }
    snprintf(text + n, sizeof(text) - n, "z]}\n");
    struct head *head = head_new(text);
    for (uint32_t i = 0; i < 30; i++) {
        add(head, "{}", "", 1.0 / (i + 1));
        head->points[i][0] = 0;
        head->points[i][1] = (i * 37) % 101;
    }
    check_plots(head, "options");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(plots_of_many),
        cmocka_unit_test(plots_of_odd_values),
        cmocka_unit_test(plots_of_many_options),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
