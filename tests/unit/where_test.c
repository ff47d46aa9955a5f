/*  where_test.c - strategies, labels and selectors as people write them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "proto/where.h"

static bool holds(const char *selector, const char *labels)
{
    struct diag why = { 0 };
    if (!selector_check(slice_text(selector), &why)) {
        fail_msg("%s", why.text);
    }
    return selector_holds(slice_text(selector), slice_text(labels));
}

static void refused(bool valid, const struct diag *why, const char *part)
{
    assert_false(valid);
    if (!strstr(why->text, part)) {
        fail_msg("'%s' does not say '%s'", why->text, part);
    }
}

static void strategies_are_read(void **unused)
{
    (void)unused;
    struct strategy out;
    struct diag why;
    assert_true(strategy_read(slice_text(""), &out, &why) && out.kind == STRATEGY_DEFAULT);
    assert_true(strategy_read(slice_text("DEFAULT"), &out, &why) && out.kind == STRATEGY_DEFAULT);
    assert_true(strategy_read(slice_text("SPREAD"), &out, &why) && out.kind == STRATEGY_SPREAD);
    assert_true(strategy_read(slice_text("node:17"), &out, &why));
    assert_true(out.kind == STRATEGY_NODE && out.node == 17 && !out.soft);
    assert_true(strategy_read(slice_text("node:18446744073709551610:soft"), &out, &why) == false);
    assert_true(strategy_read(slice_text("node:3:soft"), &out, &why));
    assert_true(out.kind == STRATEGY_NODE && out.node == 3 && out.soft);
}

static void wrong_strategies_are_told(void **unused)
{
    (void)unused;
    static const char *const wrong[] = { "spread", "node:",      "node:0",          "node:x",
                                         ":soft",  "node::soft", "node:3:hard",     "node:-1",
                                         "PACK",   "node:3 ",    "node:3:soft:soft" };
    struct strategy out;
    for (size_t i = 0; i < COUNT(wrong); i++) {
        struct diag why = { 0 };
        refused(strategy_read(slice_text(wrong[i]), &out, &why), &why, wrong[i]);
        refused(false, &why, "DEFAULT, SPREAD, node:NODE");
    }
}

static void selectors_hold_or_not(void **unused)
{
    (void)unused;
    const char *labels = "zone=a\ngpu=a100\nempty=";
    assert_true(holds("", labels));
    assert_true(holds("zone=a", labels));
    assert_false(holds("zone=b", labels));
    assert_false(holds("zone=", labels));
    assert_true(holds("empty=", labels));
    assert_true(holds("zone!=b", labels));
    assert_false(holds("zone!=a", labels));
    assert_true(holds("zone in (b|a)", labels));
    assert_false(holds("zone in (b|c)", labels));
    assert_true(holds("zone not in (b|c)", labels));
    assert_false(holds("zone not in (c|a)", labels));
    assert_true(holds("zone=a\ngpu=a100", labels));
    assert_false(holds("zone=a\ngpu=h100", labels));
}

static void a_missing_label_has_no_value(void **unused)
{
    (void)unused;
    assert_false(holds("disk=ssd", "zone=a"));
    assert_false(holds("disk=", "zone=a"));
    assert_true(holds("disk!=ssd", "zone=a"));
    assert_false(holds("disk in (ssd|nvme)", "zone=a"));
    assert_true(holds("disk not in (ssd|nvme)", ""));
    assert_false(holds("zon=a", "zone=a")); /* a prefix is another key */
}

static void wrong_labels_are_told(void **unused)
{
    (void)unused;
    static const char *const selectors[] = { "zone",        "=a",         "zone in a",
                                             "zone in (a",  "zone=a b",   "zone==a",
                                             "zone in(a)",  "zone=a,b=c", "zone=a\n\nb=c",
                                             "zone not (a)" };
    static const char *const labels[] = { "zone", "=a", "zone=a b", "zone=a\nzone=b", "a\x01=b" };
    for (size_t i = 0; i < COUNT(selectors); i++) {
        struct diag why = { 0 };
        refused(selector_check(slice_text(selectors[i]), &why), &why, "label '");
    }
    for (size_t i = 0; i < COUNT(labels); i++) {
        struct diag why = { 0 };
        refused(labels_check(slice_text(labels[i]), &why), &why, "label '");
    }
    char many[LABELS_MAX + 2];
    memset(many, 'x', sizeof(many));
    struct diag why = { 0 };
    refused(labels_check(slice_of(many, sizeof(many)), &why), &why, "1024 bytes");
    refused(selector_check(slice_of(many, SELECTOR_MAX + 1), &why), &why, "512 bytes");
    memcpy(many, "k=", 2);
    refused(labels_check(slice_of(many, LABEL_PART_MAX + 3), &why), &why, "at most 128");
}

static void priorities_have_limits(void **unused)
{
    (void)unused;
    struct diag why = { 0 };
    assert_true(priority_check(0, &why) && priority_check(100, &why) && priority_check(-100, &why));
    refused(priority_check(101, &why), &why, "priority '101' must be from -100 to 100");
    refused(priority_check(INT64_MIN, &why), &why, "'-9223372036854775808'");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(strategies_are_read),   cmocka_unit_test(wrong_strategies_are_told),
        cmocka_unit_test(selectors_hold_or_not), cmocka_unit_test(a_missing_label_has_no_value),
        cmocka_unit_test(wrong_labels_are_told), cmocka_unit_test(priorities_have_limits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
