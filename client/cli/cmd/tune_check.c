/*  tune_check.c - `rayc tune check FILE`: is a search.yaml valid, and how large is its space? */
#include <stdlib.h>
#include "client/cli/table.h"
#include "client/cli/tune_open.h"

enum { DOMAIN_LETTERS = 100 };

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

/*  A text that would look like another value, or like two. */
static bool needs_quotes(const struct choice *option)
{
    static const char *const words[] = { "", "true", "false", "null" };
    char *end;
    bool quotes = strpbrk(option->text, ", ") != NULL;
    for (size_t i = 0; i < COUNT(words); i++) {
        quotes = quotes || strcmp(option->text, words[i]) == 0;
    }
    (void)strtod(option->text, &end);
    return option->kind == OPTION_STRING && (quotes || (end > option->text && *end == 0));
}

static void print_options(const struct param *param, char *out, size_t capacity)
{
    size_t n = (size_t)snprintf(out, capacity, "%s of", param->grid ? "each" : "one");
    for (uint32_t i = 0; i < param->option_count && n < capacity; i++) {
        const char *quote = needs_quotes(&param->options[i]) ? "\"" : "";
        n += (size_t)snprintf(out + n, capacity - n, "%s %s%s%s", i ? "," : "", quote,
                              param->options[i].text, quote);
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

/*  " when optimizer = adam": of conditions that are maps; an expression is only told to be there. */
static void print_when(const struct space *space, const struct param *param)
{
    for (uint32_t i = 0; i < param->when_count; i++) {
        const struct condition *when = &param->when[i];
        const struct param *parent = &space->params[when->parent];
        printf("%s %s = ", i > 0 ? " and" : ", when", parent->name);
        for (uint32_t k = 0; k < when->count; k++) {
            char value[200], clean[200];
            param_print(parent, when->values[k], value, sizeof(value));
            printf("%s%s", k > 0 ? " or " : "",
                   text_clean(slice_text(value), clean, sizeof(clean)));
        }
    }
    if (param->when_expr) {
        printf(param->when_count > 0 ? " and an expression holds" : ", when an expression holds");
    }
}

static void print_space(const struct study_spec *spec)
{
    char domain[1024], clean[1024];
    int width = 0;
    for (uint32_t i = 0; i < spec->space.count; i++) {
        int letters = (int)strlen(spec->space.params[i].name);
        width = letters > width ? letters : width;
    }
    for (uint32_t i = 0; i < spec->space.count; i++) {
        const struct param *param = &spec->space.params[i];
        print_domain(param, domain, sizeof(domain));
        text_clean(slice_text(domain), clean, sizeof(clean));
        bool long_one = text_letters(clean) > DOMAIN_LETTERS;
        printf("  %-*s  %.*s%s", width, param->name, (int)text_bytes(clean, DOMAIN_LETTERS), clean,
               long_one ? "..." : "");
        if (long_one && param->kind == PARAM_CHOICE) {
            printf(" (%u)", param->option_count);
        }
        print_when(&spec->space, param);
        putchar('\n');
    }
}

/*  Of a finite space: the points of which all constraints hold. */
static uint64_t count_feasible(const struct space *space)
{
    double *x = calloc(space->count + 1, sizeof(*x));
    uint64_t cursor = 0, count = 0;
    ensure(x != NULL);
    while (space_next(space, &cursor, x)) {
        count += space_feasible(space, x);
    }
    free(x);
    return count;
}

/*  A product, conditions not counted; 0: without end. */
static double most_points(const struct space *space)
{
    double points = 1;
    for (uint32_t i = 0; i < space->count; i++) {
        const struct param *param = &space->params[i];
        points *= param_is_free(param) ? (double)param_size(param) : 1;
    }
    return points;
}

static void print_size(const struct study_spec *spec, uint64_t size)
{
    const struct space *space = &spec->space;
    double most = most_points(space);
    if (size > 0 && space->constraint_count > 0) {
        printf("size: %llu points, of which %llu meet the constraints\n", (unsigned long long)size,
               (unsigned long long)count_feasible(space));
    } else if (size > 0) {
        printf("size: %llu point%s\n", (unsigned long long)size, size == 1 ? "" : "s");
    } else if (most > 0) {
        printf("size: more than %d points (at most %.3g)%s\n", SPACE_FINITE_MAX, most,
               space->constraint_count ? "; some break constraints" : "");
    } else {
        printf("size: infinite%s\n",
               space->constraint_count ? "; some points break constraints" : "");
    }
}

static void print_limits(const struct study_spec *spec)
{
    if (spec->trials_max > 0) {
        printf("runs: %u trials", spec->trials_max);
    } else {
        printf("runs: trials until the space%s ends them",
               spec->time_budget_ms ? " or the time budget" : " or a stopper");
    }
    if (spec->concurrency > 0) {
        printf(", %u at a time", spec->concurrency);
    } else {
        printf(", as many at a time as the cluster has room for");
    }
    printf(", %g CPU each", spec->cpus);
    printf(spec->gpus > 0 ? ", %g GPU\n" : "\n", spec->gpus);
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
            print_size(spec, size);
            print_limits(spec);
        }
    }
    spec_close(&spec);
    tune_source_free(source);
    free(source);
    return exit_code;
}
