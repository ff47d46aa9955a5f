/*  external.c - libFuzzer: any bytes as what a search that is another program answers.  What is taken as a point is one
    of the space: the study takes it, too. */
#include "client/tune/external.h"

#include <stdlib.h>
#include <string.h>

#include "client/tune/study.h"
#include "common/err.h"

static const char definition[] =
    "metric: v\nmode: min\ncommand: x\nsearch: {algo: external, command: [x]}\ntrials: 3\n"
    "space:\n  m: {choice: [svm, mlp, 7, true, null]}\n"
    "  lr: {loguniform: [1e-5, 0.1], when: {m: mlp}}\n  n: {int: [1, 9]}\n"
    "  q: {quniform: [0, 1, 0.25]}\n  z: {randn: [0, 1]}\n  s: {lograndn: [0, 1]}\n"
    "  c: 5\n  e: {expr: \"n * 2\"}\n  w: {int: [1, 4], when: \"n >= 5\"}\n"
    "constraints: [\"n <= 8\", \"m != 'svm' or q < 1\"]\n";

/*  Pieces of answers, as the fuzzer does not see into jansson: a byte each. */
static const char *const pieces[] = { "\"m\":",  "\"lr\":",   "\"n\":",      "\"q\":",
                                      "\"z\":",  "\"s\":",    "\"c\":",      "\"e\":",
                                      "\"w\":",  "\"x\":",    "\"trial\":0", "\"params\":{",
                                      "}",       "\"wait\":", "\"done\":",   ",",
                                      "\"svm\"", "\"mlp\"",   "true",        "false",
                                      "null",    "0",         "1",           "5",
                                      "9",       "-1",        "0.25",        "0.1",
                                      "1e-5",    "1e308",     "1e-400",      "18446744073709551615",
                                      "[",       "]",         "7",           "0.3",
                                      "4.5",     "10",        "\"7\"",       "{" };

static void answer(const struct study_spec *spec, const char *text)
{
    double x[PARAMS_MAX];
    enum external_answer answer = 0;
    struct diag why = { 0 };
    int code = external_read(&spec->space, 0, slice_text(text), &answer, x, &why);
    ensure(code == OK ? answer != 0 : why.text[0] != 0);
    if (code == OK && answer == EXTERNAL_POINT) {
        struct study *study = NULL;
        ensure(study_new(&study, spec, 1, &why) == OK);
        ensure(study_give_point(study, 0, x, 1, &why) == OK);
        study_destroy(&study);
    }
}

/*  As the whole answer, and as pieces behind its beginning. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct study_spec *spec;
    if (!spec) {
        struct spec_source source = { "search.yaml", slice_text(definition), "/", NULL, 0, NULL };
        struct spec_error error;
        ensure(spec_read(&spec, &source, &error) == OK);
    }
    static const char *const begins[] = {
        "{\"trial\":0,", "{\"trial\":0,\"params\":{",
        "{\"trial\":0,\"params\":{\"m\":7,\"q\":0.5,\"z\":0,\"s\":1,\"n\":3"
    };
    char *text = malloc(32 * size + 128);
    ensure(text != NULL);
    if (size > 0) {
        memcpy(text, data, size);
    }
    text[size] = 0;
    answer(spec, text);
    for (size_t i = 0; i < COUNT(begins); i++) {
        char *end = stpcpy(text, begins[i]);
        for (size_t k = 0; k < size; k++) {
            end = stpcpy(end, pieces[data[k] % COUNT(pieces)]);
        }
        (void)stpcpy(end, i == 0 ? "}" : "}}");
        answer(spec, text);
    }
    free(text);
    return 0;
}
