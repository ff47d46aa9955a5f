/*  exposition_test.c - metrics as Prometheus and OpenMetrics write them. */
#include <setjmp.h>
#include <stdarg.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>
#include "common/exposition.h"

static const struct metric_row odd = { "odd_seconds", FAMILY_COUNTER, "seconds", "path",
                                       "A \"help\" with \\ and\na second line." };
static const struct metric_row level = { "level", FAMILY_GAUGE, "", "", "A level." };

static void check(struct exposition *text, const char *expected)
{
    assert_true(exposition_end(text));
    assert_int_equal(text->n, strlen(expected));
    assert_memory_equal(text->p, expected, text->n);
    exposition_fini(text);
}

static void put_odd(struct exposition *text)
{
    const struct label label = { slice_text("path"), slice_text("a\\b\"c\nd") };
    exposition_family(text, &odd);
    exposition_put(text, "", &label, 1, 0.1);
}

static void text_escapes_labels_but_no_quotes_of_help(void **unused)
{
    (void)unused;
    struct exposition text;
    exposition_init(&text, NULL);
    assert_string_equal(exposition_content_type(&text), "text/plain; version=0.0.4; charset=utf-8");
    put_odd(&text);
    check(&text, "# HELP rayc_odd_seconds_total A \"help\" with \\\\ and\\na second line.\n"
                 "# TYPE rayc_odd_seconds_total counter\n"
                 "rayc_odd_seconds_total{path=\"a\\\\b\\\"c\\nd\"} 0.1\n");
}

static void open_metrics_has_units_and_an_end(void **unused)
{
    (void)unused;
    struct exposition text;
    exposition_init(&text, "application/openmetrics-text;version=1.0.0,text/plain;q=0.5");
    assert_string_equal(exposition_content_type(&text),
                        "application/openmetrics-text; version=1.0.0; charset=utf-8");
    put_odd(&text);
    check(&text, "# HELP rayc_odd_seconds A \\\"help\\\" with \\\\ and\\na second line.\n"
                 "# TYPE rayc_odd_seconds counter\n"
                 "# UNIT rayc_odd_seconds seconds\n"
                 "rayc_odd_seconds_total{path=\"a\\\\b\\\"c\\nd\"} 0.1\n"
                 "# EOF\n");
}

static void numbers_are_the_shortest_that_read_back(void **unused)
{
    (void)unused;
    static const struct {
        double value;
        const char *text;
    } rows[] = { { 0, "0" },
                 { 1e15, "1e+15" },
                 { 123456789, "123456789" },
                 { 0.1, "0.1" },
                 { NAN, "NaN" },
                 { INFINITY, "+Inf" },
                 { -INFINITY, "-Inf" },
                 { 1.0 / 3, "0.3333333333333333" } };
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct exposition text;
        char expected[128];
        snprintf(expected, sizeof(expected),
                 "# HELP rayc_level A level.\n# TYPE rayc_level gauge\nrayc_level %s\n",
                 rows[i].text);
        exposition_init(&text, NULL);
        exposition_family(&text, &level);
        exposition_put(&text, "", NULL, 0, rows[i].value);
        check(&text, expected);
    }
}

static void buckets_are_cumulative(void **unused)
{
    (void)unused;
    struct histogram seen = { 0 };
    histogram_add(&seen, 10); /* on a bound: below it */
    histogram_add(&seen, 700000);
    histogram_add(&seen, 90000ull * 1000000); /* beyond all */
    struct exposition text;
    exposition_init(&text, NULL);
    exposition_metric(&text, METRIC_TASK_DURATION);
    const struct slice name = slice_text("f");
    exposition_histogram(&text, &name, &seen);
    assert_true(exposition_end(&text));
    text.p[text.n - 1] = 0;
    const char *const lines[] = { "_bucket{Name=\"f\",le=\"1e-05\"} 1\n",
                                  "_bucket{Name=\"f\",le=\"0.5\"} 1\n",
                                  "_bucket{Name=\"f\",le=\"1.0\"} 2\n",
                                  "_bucket{Name=\"f\",le=\"86400.0\"} 2\n",
                                  "_bucket{Name=\"f\",le=\"+Inf\"} 3\n",
                                  "_sum{Name=\"f\"} 90000.70001\n",
                                  "_count{Name=\"f\"} 3" };
    const char *at = text.p;
    for (size_t i = 0; i < COUNT(lines); i++) {
        at = strstr(at, lines[i]);
        assert_non_null(at);
    }
    exposition_fini(&text);
}

static void a_prefix_holds_for_all_but_process(void **unused)
{
    (void)unused;
    struct exposition text;
    exposition_init(&text, NULL);
    text.prefix = PREFIX_BOTH;
    text.session = "s1";
    exposition_family(&text, &level);
    exposition_put(&text, "", NULL, 0, 2);
    exposition_metric(&text, METRIC_PROCESS_FDS);
    EXPOSE(&text, 5, { 0 });
    check(&text, "# HELP rayc_level A level.\n# TYPE rayc_level gauge\n"
                 "rayc_level{SessionName=\"s1\"} 2\n"
                 "# HELP ray_level A level.\n# TYPE ray_level gauge\n"
                 "ray_level{SessionName=\"s1\"} 2\n"
                 "# HELP process_open_fds Open descriptors of this process.\n"
                 "# TYPE process_open_fds gauge\n"
                 "process_open_fds{SessionName=\"s1\"} 5\n");
    enum metric_prefix prefix;
    assert_true(metric_prefix_find("ray", &prefix));
    assert_int_equal(prefix, PREFIX_RAY);
    assert_false(metric_prefix_find("x", &prefix));
}

static void an_empty_label_is_left_out(void **unused)
{
    (void)unused;
    struct exposition text;
    exposition_init(&text, NULL);
    text.prefix = PREFIX_RAY;
    exposition_metric(&text, METRIC_TASK_RETRIES);
    EXPOSE(&text, 3, slice_text(""));
    text.p[text.n] = 0;
    assert_non_null(strstr(text.p, "\nray_task_retries_total 3\n"));
    exposition_fini(&text);
}

/*  Names as Prometheus wants them, and no two alike. */
static void the_table_is_sound(void **unused)
{
    (void)unused;
    for (enum metric_id i = 0; i < METRICS; i++) {
        const struct metric_row *row = metric_at(i);
        assert_int_equal(strspn(row->name, "abcdefghijklmnopqrstuvwxyz_0123456789"),
                         strlen(row->name));
        assert_true(strlen(row->help) > 0 && row->help[strlen(row->help) - 1] == '.');
        for (enum metric_id k = 0; k < i; k++) {
            assert_string_not_equal(row->name, metric_at(k)->name);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(text_escapes_labels_but_no_quotes_of_help),
        cmocka_unit_test(open_metrics_has_units_and_an_end),
        cmocka_unit_test(numbers_are_the_shortest_that_read_back),
        cmocka_unit_test(buckets_are_cumulative),
        cmocka_unit_test(a_prefix_holds_for_all_but_process),
        cmocka_unit_test(an_empty_label_is_left_out),
        cmocka_unit_test(the_table_is_sound),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
