/*  eval.c - the functions as a command: one evaluation, a stream of them, and a space as JSON for other tuners. */
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include "tests/tune/judge/judge.h"

struct request {
    const struct judged *function;
    struct arguments arguments;
    struct argument at[ARGUMENTS_MAX];
    uint32_t steps;
};

/*  NAME key=value... [seed=S trial=T] [--true] [--steps N]; words are cut at their "=".  False: a message. */
static bool request_read(struct request *self, int count, char **words)
{
    *self = (struct request){ .function = count > 0 ? judged_find(words[0]) : NULL };
    if (!self->function) {
        fprintf(stderr, "rayc-judge: unknown function \"%s\"\n", count > 0 ? words[0] : "");
        return false;
    }
    self->arguments = (struct arguments){ .at = self->at, .noisy = true };
    self->steps = self->function->steps;
    for (int i = 1; i < count; i++) {
        char *word = words[i];
        if (strcmp(word, "--true") == 0) {
            self->arguments.noisy = false;
            continue;
        }
        if (strcmp(word, "--steps") == 0 && i + 1 < count) {
            self->steps = (uint32_t)strtoul(words[++i], NULL, 10);
            continue;
        }
        word += strspn(word, "-");
        char *value = strchr(word, '=');
        if (!value || self->arguments.count == ARGUMENTS_MAX) {
            fprintf(stderr, "rayc-judge: \"%s\" is not key=value\n", words[i]);
            return false;
        }
        *value++ = 0;
        if (strcmp(word, "seed") == 0) {
            self->arguments.seed = strtoll(value, NULL, 10);
        } else if (strcmp(word, "trial") == 0) {
            self->arguments.trial = strtoll(value, NULL, 10);
        } else {
            self->at[self->arguments.count++] =
                (struct argument){ word, value, strtod(value, NULL) };
        }
    }
    return true;
}

static bool request_value(struct request *self, uint32_t step, double *value)
{
    *value = self->function->value(&self->arguments, step);
    if (self->arguments.missing) {
        fprintf(stderr, "rayc-judge: %s: %s is missing, or has no such value\n",
                self->function->name, self->arguments.missing);
        return false;
    }
    return true;
}

int command_eval(int argc, char **argv)
{
    struct request request;
    double value;
    if (!request_read(&request, argc, argv)) {
        return 2;
    }
    for (uint32_t step = 1; step <= request.steps; step++) {
        if (!request_value(&request, step, &value)) {
            return 2;
        }
        printf("step=%u value=%.17g\n", step, value);
        fflush(stdout); /* whoever reads may stop us here */
    }
    if (!request.function->steps) {
        if (!request_value(&request, 0, &value)) {
            return 2;
        }
        printf("%.17g\n", value);
    }
    return fflush(stdout) == 0 ? 0 : 1;
}

int command_serve(void)
{
    char line[4096];
    while (fgets(line, sizeof(line), stdin)) {
        char *words[ARGUMENTS_MAX + 8], *rest = NULL;
        int count = 0;
        for (char *word = strtok_r(line, " \n", &rest); word && count < (int)COUNT(words);
             word = strtok_r(NULL, " \n", &rest)) {
            words[count++] = word;
        }
        struct request request;
        double value;
        if (!request_read(&request, count, words) ||
            !request_value(&request, request.steps, &value)) {
            return 2;
        }
        printf("%.17g\n", value);
        if (fflush(stdout) != 0) {
            return 1;
        }
    }
    return 0;
}

static json_t *value_json(const struct param *param, double x)
{
    if (param->kind == PARAM_INT) {
        return json_integer((json_int_t)x);
    }
    if (param->kind != PARAM_CHOICE) {
        return json_real(x);
    }
    const struct choice *option = &param->options[(size_t)x];
    switch (option->kind) {
    case OPTION_NULL:
        return json_null();
    case OPTION_BOOL:
        return json_boolean(option->number != 0);
    case OPTION_INT:
        return json_integer((json_int_t)option->number);
    case OPTION_FLOAT:
        return json_real(option->number);
    case OPTION_STRING:
        break;
    }
    return json_string(option->text);
}

static json_t *when_json(const struct space *space, const struct param *param)
{
    json_t *out = json_object();
    for (uint32_t i = 0; i < param->when_count; i++) {
        const struct condition *when = &param->when[i];
        json_t *values = json_array();
        for (uint32_t k = 0; k < when->count; k++) {
            json_array_append_new(values,
                                  value_json(&space->params[when->parent], when->values[k]));
        }
        json_object_set_new(out, space->params[when->parent].name, values);
    }
    return out;
}

static json_t *param_json(const struct space *space, const struct param *param)
{
    json_t *out = json_object();
    json_object_set_new(out, "name", json_string(param->name));
    json_object_set_new(out, "type",
                        json_string(param->kind == PARAM_CHOICE ? "choice"
                                    : param->kind == PARAM_INT  ? "int"
                                                                : "float"));
    if (param->kind == PARAM_CHOICE) {
        json_t *values = json_array();
        for (uint32_t i = 0; i < param->option_count; i++) {
            json_array_append_new(values, value_json(param, i));
        }
        json_object_set_new(out, "values", values);
    } else {
        json_object_set_new(out, "low", value_json(param, param->low));
        json_object_set_new(out, "high", value_json(param, param->high));
        json_object_set_new(out, "log", json_boolean(param->scale == SCALE_LOG));
        if (param->kind == PARAM_FLOAT && param->step > 0) {
            json_object_set_new(out, "step", json_real(param->step));
        }
    }
    json_object_set_new(out, "when", when_json(space, param));
    return out;
}

int command_space(const char *spaces, const char *name)
{
    static const char *const trials[] = { "trials=1" };
    const struct judged *function = judged_find(name);
    struct study_spec *spec = function ? space_load(spaces, name, trials, COUNT(trials)) : NULL;
    if (!spec) {
        fprintf(stderr, "rayc-judge: no space of \"%s\"\n", name);
        return 2;
    }
    json_t *out = json_object(), *params = json_array();
    for (uint32_t i = 0; i < spec->space.count; i++) {
        json_array_append_new(params, param_json(&spec->space, &spec->space.params[i]));
    }
    json_object_set_new(out, "name", json_string(name));
    json_object_set_new(out, "mode", json_string(spec->maximize ? "max" : "min"));
    json_object_set_new(out, "noisy", json_boolean(function->noisy));
    json_object_set_new(out, "best", json_real(function->best));
    json_object_set_new(out, "space", params);
    json_dumpf(out, stdout, JSON_COMPACT | JSON_REAL_PRECISION(17));
    putchar('\n');
    json_decref(out);
    spec_close(&spec);
    return fflush(stdout) == 0 ? 0 : 1;
}
