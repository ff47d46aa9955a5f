/*  report_line_test.c - reports as lines: what is read, what is refused, and how numbers are written. */
#include "client/report_line.h"

#include <locale.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

/*  The line as the JSON that is reported, or what is wrong with it. */
static const char *read_line(const char *line)
{
    static char json[METRICS_MAX + 1];
    static struct diag why;
    struct report_line out;
    if (report_line_read(&out, slice_text(line), &why) != OK) {
        return why.text;
    }
    assert_int_equal(metrics_json(out.metrics, out.count, json, &why), OK);
    if (out.checkpoint != NULL) {
        strcat(json, out.checkpoint);
    }
    report_line_free(&out);
    return json;
}

static const char *scan_line(const char *line)
{
    static char json[METRICS_MAX + 1];
    struct diag why;
    struct report_line out;
    if (!report_line_scan(&out, slice_text(line))) {
        return "";
    }
    assert_int_equal(metrics_json(out.metrics, out.count, json, &why), OK);
    report_line_free(&out);
    return json;
}

static void pairs_are_read(void **state)
{
    (void)state;
    assert_string_equal(read_line("epoch=3 loss=0.25"), "{\"epoch\":3,\"loss\":0.25}");
    assert_string_equal(read_line("  a/b-c.d:e_9=1e-5,\tx=-7.50\r"),
                        "{\"a/b-c.d:e_9\":1e-05,\"x\":-7.5}");
    assert_string_equal(read_line("opt=adam phase=\"warm \\\"up\\\"\", n=3"),
                        "{\"opt\":\"adam\",\"phase\":\"warm \\\"up\\\"\",\"n\":3}");
    assert_string_equal(read_line("loss=nan up=inf"), "{\"loss\":null,\"up\":null}");
    assert_string_equal(read_line("loss=1 checkpoint=7"), "{\"loss\":1}7");
    assert_string_equal(read_line("checkpoint=\"/a b/c\""), "{}/a b/c");
    assert_string_equal(read_line("q=\"3\""), "{\"q\":\"3\"}");
}

static void objects_are_read(void **state)
{
    (void)state;
    assert_string_equal(
        read_line("{\"loss\": 0.5, \"val\": {\"acc\": 1, \"deep\": {\"x\": true}}}"),
        "{\"loss\":0.5,\"val/acc\":1,\"val/deep/x\":1}");
    assert_string_equal(read_line(" {\"loss\": NaN, \"a\": [\"NaN\"]}"),
                        "a is a list: report numbers, or texts");
    assert_string_equal(read_line("{\"loss\":NaN,\"x\":-Infinity,\"y\":\"a \\\"NaN\",\"z\":null}"),
                        "{\"loss\":null,\"x\":null,\"y\":\"a \\\"NaN\",\"z\":null}");
    assert_string_equal(read_line("{\"checkpoint\": \"/c\", \"n\": 12345678901234567890}"),
                        "{\"n\":1.2345678901234567e+19}/c");
    assert_string_equal(read_line("{\"s\": \"\xC3\xA4\\u0001\"}"), "{\"s\":\"\xC3\xA4\\u0001\"}");
}

static void wrong_lines_are_refused(void **state)
{
    (void)state;
    static const struct {
        const char *line, *why;
    } cases[] = {
        { "", "an empty report" },
        { "hello", "\"hello\" is not NAME=VALUE" },
        { "loss=1 oops x=2", "\"oops\" is not NAME=VALUE" },
        { "=1", "\"\" is not NAME=VALUE" },
        { "loss=", "loss has no value" },
        { "loss=\"a", "a quote is not closed" },
        { "loss=\"a\\", "a quote is not closed" },
        { "loss=\"a\"b", "there must be a space after a quoted value" },
        { "a=1 a=2", "metric a is there twice" },
        { "{\"a b\": 1}",
          "metric name \"a b\": letters, digits, _ - . / : ( ) @ % and at most 128 bytes" },
        { "{\"checkpoint\": 3}", "checkpoint must be a folder" },
        { "{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":1}}}}}}}}}",
          "a/a/a/a/a/a/a/a is too deep" },
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        assert_string_equal(read_line(cases[i].line), cases[i].why);
    }
    assert_memory_equal(read_line("{\"a\":1"), "not JSON", 8);
    assert_memory_equal(read_line("{\"a\":1} x"), "not JSON", 8);
    assert_memory_equal(read_line("{\"a\":1,\"a\":1}"), "not JSON", 8);
    struct report_line out;
    struct diag why;
    assert_int_equal(report_line_read(&out, slice_of("a=1\0b=2", 7), &why), ERR_INVALID);
    assert_string_equal(why.text, "a report with a NUL byte");
    assert_int_equal(report_line_read(&out, slice_of("{\"a\":1}\0", 8), &why), ERR_INVALID);
    assert_int_equal(report_line_read(&out, slice_of("a=\xff", 3), &why), OK);
    char json[METRICS_MAX + 1];
    assert_int_equal(metrics_json(out.metrics, out.count, json, &why), ERR_INVALID);
    report_line_free(&out);
}

static void large_lines_have_room(void **state)
{
    (void)state;
    struct report_line out;
    struct diag why;
    static char line[REPORT_LINE_MAX + 2];
    size_t n = (size_t)sprintf(line, "{");
    for (int i = 0; i < 300; i++) { /* nested names that become long */
        n += (size_t)sprintf(line + n, "\"a%d%s\":{\"b\":%d},", i, "_long_name_that_is_kept", i);
    }
    line[n - 1] = '}';
    assert_int_equal(report_line_read(&out, slice_of(line, n), &why), OK);
    assert_int_equal(out.count, 300);
    report_line_free(&out);
    memset(line, 'x', sizeof(line));
    memcpy(line, "a=", 2);
    assert_int_equal(report_line_read(&out, slice_of(line, REPORT_LINE_MAX), &why), OK);
    report_line_free(&out);
    assert_int_equal(report_line_read(&out, slice_of(line, REPORT_LINE_MAX + 1), &why),
                     ERR_INVALID);
    for (n = 0; n < 4 * (METRIC_COUNT_MAX + 1); n += 4) {
        memcpy(line + n, "a=1 ", 4);
    }
    assert_int_equal(report_line_read(&out, slice_of(line, n), &why), ERR_INVALID);
    assert_string_equal(why.text, "more than 512 metrics in one report");
    for (n = 0; n + 5 < 3000; n += 5) { /* names of nothing, many members */
        memcpy(line + n, n == 0 ? "{\"\":{" : "\"\":{ ", 5);
    }
    assert_int_equal(report_line_read(&out, slice_of(line, n), &why), ERR_INVALID);
}

static void numbers_are_found_in_text(void **state)
{
    (void)state;
    assert_string_equal(scan_line("Epoch 3: loss=0.5, acc=0.9; time=3s (lr=1e-3)"),
                        "{\"loss\":0.5,\"acc\":0.9}");
    assert_string_equal(scan_line("a=1 a=2"), "{\"a\":1}");
    assert_string_equal(scan_line("nothing here = 3"), "");
    assert_string_equal(scan_line(""), "");
    assert_string_equal(scan_line("loss=nan"), "{\"loss\":null}");
}

static void numbers_read_back_as_themselves(void **state)
{
    (void)state;
    static const struct {
        double value;
        const char *text;
    } cases[] = { { 0.1, "0.1" },
                  { 3, "3" },
                  { -0.0, "0" },
                  { 1e-5, "1e-05" },
                  { 1e300, "1e+300" },
                  { 2.5, "2.5" },
                  { 81, "81" },
                  { NAN, "nan" },
                  { INFINITY, "inf" },
                  { -INFINITY, "-inf" },
                  { 1e14, "100000000000000" } };
    char text[NUMBER_TEXT_BYTES];
    for (size_t i = 0; i < COUNT(cases); i++) {
        assert_string_equal(number_text(cases[i].value, text), cases[i].text);
    }
    uint64_t state64 = 88172645463325252u;
    for (int i = 0; i < 20000; i++) {
        state64 ^= state64 << 13;
        state64 ^= state64 >> 7;
        state64 ^= state64 << 17;
        double value;
        memcpy(&value, &state64, sizeof(value));
        if (isfinite(value)) {
            assert_true(strtod(number_text(value, text), NULL) == value);
        }
    }
    if (setlocale(LC_NUMERIC, "de_DE.UTF-8") != NULL || setlocale(LC_NUMERIC, "de_DE") != NULL) {
        assert_string_equal(number_text(0.5, text), "0.5");
        setlocale(LC_NUMERIC, "C");
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pairs_are_read),
        cmocka_unit_test(objects_are_read),
        cmocka_unit_test(wrong_lines_are_refused),
        cmocka_unit_test(large_lines_have_room),
        cmocka_unit_test(numbers_are_found_in_text),
        cmocka_unit_test(numbers_read_back_as_themselves),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
