/*  spec.c - libFuzzer: any bytes as a search.yaml; what is taken is drawn from, printed, and made into a command. */
#include "client/tune/spec.h"

#include <stdio.h>
#include <stdlib.h>

#include "common/err.h"
#include "tests/unit/tune_stubs.h"

static void use(const struct study_spec *spec)
{
    double x[PARAMS_MAX];
    char text[256];
    for (uint64_t trial = 0; trial < 3; trial++) {
        space_draw(&spec->space, 1, trial, 0, x);
        double complete[PARAMS_MAX];
        memcpy(complete, x, spec->space.count * sizeof(*x));
        space_complete(&spec->space, complete);
        ensure(space_same(&spec->space, x, complete));
        (void)space_feasible(&spec->space, x);
        (void)space_print_json(&spec->space, x, text, sizeof(text));
        if (spec->command) {
            const char *const *argv = spec_argv(spec, x, "/params", spec->arena);
            ensure(argv[0] != NULL || spec->command_count > 0);
        }
    }
}

static void read_text(const char *text)
{
    static const char *const flags[] = { "trials=3" };
    struct spec_source source = { "search.yaml", slice_text(text), "/", flags, 1, NULL };
    struct study_spec *spec = NULL;
    struct spec_error error;
    int code = spec_read(&spec, &source, &error);
    ensure((code == OK) == (spec != NULL) && (code == OK || error.text[0] != 0));
    if (code == OK) {
        use(spec);
        spec_close(&spec);
    }
}

/*  As a whole file, and as what stands in its space. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = malloc(size + 100);
    ensure(text != NULL);
    static const char *const forms[] = {
        "%.*s", "command: x {params} {params_json}\nspace: {m: {choice: [a, b]}, "
                "%.*s}\n"
    };
    for (size_t i = 0; i < COUNT(forms); i++) {
        (void)snprintf(text, size + 100, forms[i], (int)size, size > 0 ? (const char *)data : "");
        read_text(text);
    }
    free(text);
    return 0;
}
