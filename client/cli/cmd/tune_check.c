/*  tune_check.c - `rayc tune check FILE`: is a search.yaml valid, and how large is its space? */
#include <stdlib.h>
#include "client/cli/table.h"
#include "client/cli/tune_open.h"

static void print_range(const struct param *param, char *out, size_t capacity)
{
    char low[40], high[40], step[40];
    number_print(param->low, low, sizeof(low));
    number_print(param->high, high, sizeof(high));
    number_print(param->step, step, sizeof(step));
    const char *scale = param->scale == SCALE_LOG           ? ", log"
                        : param->scale == SCALE_REVERSE_LOG ? ", reverse log"
                                                            : "";
    bool stepped = param->step > 0 && (param->kind != PARAM_INT || param->step != 1);
    snprintf(out, capacity, "%s %s to %s%s%s%s", param->kind == PARAM_INT ? "integer" : "float",
             low, high, scale, stepped ? ", in steps of " : "", stepped ? step : "");
}

static void print_options(const struct param *param, char *out, size_t capacity)
{
    size_t n = (size_t)snprintf(out, capacity, "%s of", param->grid ? "each" : "one");
    for (uint32_t i = 0; i < param->option_count && n < capacity; i++) {
        n += (size_t)snprintf(out + n, capacity - n, "%s %s", i ? "," : "", param->options[i].text);
    }
}

static void print_domain(const struct param *param, char *out, size_t capacity)
{
    switch (param->kind) {
    case PARAM_FLOAT:
    case PARAM_INT:
        print_range(param, out, capacity);
        break;
    case PARAM_CHOICE:
        print_options(param, out, capacity);
        break;
    case PARAM_NORMAL:
        snprintf(out, capacity, "%snormal, mean %g, deviation %g",
                 param->scale == SCALE_LOG ? "log" : "", param->mean, param->sd);
        break;
    case PARAM_BETA:
        snprintf(out, capacity, "beta(%g, %g)", param->mean, param->sd);
        break;
    case PARAM_CONST:
        snprintf(out, capacity, "always %s", param->options[0].text);
        break;
    case PARAM_EXPR:
        snprintf(out, capacity, "computed from the others");
        break;
    }
}

static json_t *param_json(const struct param *param, const char *domain)
{
    return json_pack("{s:s, s:s, s:b, s:i}", "name", param->name, "domain", domain, "conditional",
                     (int)(param->when_count > 0 || param->when_expr), "line", (int)param->line);
}

static void print_space(const struct study_spec *spec)
{
    char domain[1024], clean[1024];
    for (uint32_t i = 0; i < spec->space.count; i++) {
        const struct param *param = &spec->space.params[i];
        print_domain(param, domain, sizeof(domain));
        printf("  %-16s %s%s\n", param->name, text_clean(slice_text(domain), clean, sizeof(clean)),
               param->when_count > 0 || param->when_expr ? " (conditional)" : "");
    }
}

static json_t *check_json(const struct study_spec *spec, uint64_t size)
{
    char domain[1024];
    json_t *params = json_array();
    for (uint32_t i = 0; i < spec->space.count; i++) {
        print_domain(&spec->space.params[i], domain, sizeof(domain));
        json_array_append_new(params, param_json(&spec->space.params[i], domain));
    }
    return json_pack("{s:s, s:s, s:b, s:s?, s:s, s:s, s:s, s:s, s:o, s:o, s:i}", "apiVersion",
                     "rayc/v1", "kind", "SearchSpace", "valid", 1, "name", spec->name, "metric",
                     spec->metric, "mode", spec->maximize ? "max" : "min", "search",
                     spec->search.algo, "scheduler", spec->scheduler.type, "size",
                     size ? json_integer((json_int_t)size) : json_null(), "params", params,
                     "constraints", (int)spec->space.constraint_count);
}

int cmd_tune_check(struct cli *self)
{
    struct tune_source *source = calloc(1, sizeof(*source));
    struct study_spec *spec = NULL;
    ensure(source != NULL);
    int exit_code = 0;
    if (!self->options.space) {
        self->options.space = cli_operand(self, "search.yaml", &exit_code);
    }
    exit_code = exit_code ? exit_code : tune_source_read(source, self);
    exit_code = exit_code ? exit_code : tune_spec_read(source, self, &spec);
    if (exit_code == 0) {
        uint64_t size = space_size(&spec->space);
        if (cli_json(self)) {
            json_t *answer = check_json(spec, size);
            json_print(answer);
            json_decref(answer);
        } else {
            printf("%s is valid: %s %s, search %s, scheduler %s\n", self->options.space,
                   spec->maximize ? "maximise" : "minimise", spec->metric, spec->search.algo,
                   spec->scheduler.type);
            print_space(spec);
            if (size > 0) {
                printf("%llu points%s\n", (unsigned long long)size,
                       spec->space.constraint_count ? ", of which some break constraints" : "");
            } else {
                printf("infinitely many points, or more than %d\n", SPACE_FINITE_MAX);
            }
        }
    }
    spec_close(&spec);
    tune_source_free(source);
    free(source);
    return exit_code;
}
