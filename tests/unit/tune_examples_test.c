/*  tune_examples_test.c - the searches in examples/ are valid, and their spaces have points. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <cmocka.h>
#include "client/tune/study.h"
#include "common/err.h"

static void check(const char *name)
{
    char path[4096];
    const char *slash = strrchr(__FILE__, '/');
    int dir = slash ? (int)(slash - __FILE__) : 0;
    snprintf(path, sizeof(path), "%.*s%s../../examples/%s", dir, __FILE__, dir ? "/" : "", name);
    struct study_spec *spec;
    struct spec_error error;
    struct spec_source source = { .path = path };
    if (spec_read(&spec, &source, &error) != OK) {
        fail_msg("%s:%u:%u: %s: %s", name, error.line, error.column, error.field, error.text);
    }
    struct study *study;
    struct diag why;
    assert_int_equal(study_new(&study, spec, 1, &why), OK);
    for (uint32_t i = 0; i < 3; i++) {
        uint32_t trial;
        assert_int_equal(study_next(study, &trial, 1), STUDY_START);
        print_message("%s: %s\n", name, study_trial(study, trial)->params);
    }
    study_destroy(&study);
    spec_close(&spec);
}

static void examples_are_valid(void **state)
{
    (void)state;
    check("search.yaml");
    check("yolo_search.yaml");
    check("tictactoe.yaml");
    check("pbt.yaml");
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(examples_are_valid) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
