/*  external.c - the lines of external.h, by jansson. */
#include "client/tune/external.h"

#include <jansson.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/err.h"
#include "common/near.h"

/* --- what rayc says --------------------------------------------------------------------------- */

/*  Takes the object. */
static char *line_of(json_t *object)
{
    char *text = json_dumps(object, JSON_COMPACT);
    ensure(text);
    size_t n = strlen(text);
    char *line = malloc(n + 2);
    ensure(line);
    memcpy(line, text, n);
    memcpy(line + n, "\n", 2);
    free(text);
    json_decref(object);
    return line;
}

static void set(json_t *object, const char *key, json_t *value)
{
    ensure(object && value && json_object_set_new(object, key, value) == 0);
}

static json_t *message(const char *type)
{
    json_t *object = json_object();
    set(object, "type", json_string(type));
    return object;
}

static json_t *real_or_null(double value)
{
    return isfinite(value) ? json_real(value) : json_null();
}

static json_t *option_json(const struct choice *option)
{
    switch (option->kind) {
    case OPTION_NULL:
        return json_null();
    case OPTION_BOOL:
        return json_boolean(option->number != 0);
    case OPTION_INT:
        if (fabs(option->number) < 0x1p53) {
            return json_integer((json_int_t)option->number);
        }
        return json_real(option->number);
    case OPTION_FLOAT:
        return json_real(option->number);
    case OPTION_STRING: {
        json_t *text = json_string(option->text);
        return text ? text : json_string(""); /* is not UTF-8 */
    }
    }
    return json_null();
}

/*  A value of a point. */
static json_t *value_json(const struct param *param, double value)
{
    if (param->kind == PARAM_CHOICE || param->kind == PARAM_CONST) {
        return option_json(&param->options[(uint32_t)value]);
    }
    bool whole = param->kind == PARAM_INT && fabs(value) < 0x1p53;
    return whole ? json_integer((json_int_t)value) : real_or_null(value);
}

static void put_when(json_t *object, const struct space *space, const struct param *param)
{
    json_t *conditions = json_array();
    for (uint32_t i = 0; i < param->when_count; i++) {
        const struct condition *condition = &param->when[i];
        const struct param *parent = &space->params[condition->parent];
        json_t *values = json_array();
        for (uint32_t k = 0; k < condition->count; k++) {
            ensure(json_array_append_new(values, value_json(parent, condition->values[k])) == 0);
        }
        json_t *when = json_object();
        set(when, "param", json_string(parent->name));
        set(when, "values", values);
        ensure(json_array_append_new(conditions, when) == 0);
    }
    set(object, "when", conditions);
    set(object, "when_expression", json_boolean(param->when_expr != NULL));
}

static void put_choice(json_t *object, const struct param *param)
{
    json_t *options = json_array();
    json_t *weights = json_array();
    for (uint32_t i = 0; i < param->option_count; i++) {
        ensure(json_array_append_new(options, option_json(&param->options[i])) == 0);
        if (param->weights) {
            ensure(json_array_append_new(weights, json_real(param->weights[i])) == 0);
        }
    }
    set(object, "options", options);
    set(object, "ordered", json_boolean(param->ordered));
    if (param->weights) {
        set(object, "weights", json_incref(weights));
    }
    json_decref(weights);
}

static void put_range(json_t *object, const struct param *param)
{
    static const char *const scales[] = { "linear", "log", "reverse_log" };
    const bool bounded = param->kind == PARAM_FLOAT || param->kind == PARAM_INT;
    set(object, "scale", json_string(scales[param->scale]));
    set(object, "step", value_json(param, param->step));
    set(object, bounded ? "low" : "mean", value_json(param, bounded ? param->low : param->mean));
    set(object, bounded ? "high" : "sd", value_json(param, bounded ? param->high : param->sd));
}

static json_t *param_json(const struct space *space, const struct param *param)
{
    static const char *const kinds[] = {
        [PARAM_FLOAT] = "float",   [PARAM_INT] = "int",   [PARAM_CHOICE] = "choice",
        [PARAM_NORMAL] = "normal", [PARAM_BETA] = "beta", [PARAM_CONST] = "const",
        [PARAM_EXPR] = "computed"
    };
    json_t *object = json_object();
    set(object, "name", json_string(param->name));
    set(object, "kind", json_string(kinds[param->kind]));
    switch (param->kind) {
    case PARAM_FLOAT:
    case PARAM_INT:
    case PARAM_NORMAL:
        put_range(object, param);
        break;
    case PARAM_BETA:
        set(object, "a", json_real(param->mean));
        set(object, "b", json_real(param->sd));
        break;
    case PARAM_CHOICE:
        put_choice(object, param);
        break;
    case PARAM_CONST:
        set(object, "value", option_json(&param->options[0]));
        break;
    case PARAM_EXPR:
        break;
    }
    put_when(object, space, param);
    return object;
}

char *external_init(const struct study_spec *spec, uint64_t seed)
{
    json_t *object = message("init");
    set(object, "protocol", json_integer(EXTERNAL_PROTOCOL));
    set(object, "metric", json_string(spec->metric ? spec->metric : "value"));
    set(object, "mode", json_string(spec->maximize ? "max" : "min"));
    set(object, "seed", json_integer((json_int_t)(seed & INT64_MAX)));
    set(object, "trials", json_integer(spec->trials_max));
    set(object, "concurrency", json_integer(spec->concurrency));
    json_t *params = json_array();
    for (uint32_t i = 0; i < spec->space.count; i++) {
        json_t *param = param_json(&spec->space, &spec->space.params[i]);
        ensure(json_array_append_new(params, param) == 0);
    }
    set(object, "space", params);
    return line_of(object);
}

char *external_ask(uint32_t trial)
{
    json_t *object = message("ask");
    set(object, "trial", json_integer(trial));
    return line_of(object);
}

char *external_report(uint32_t trial, double step, double value)
{
    json_t *object = message("report");
    set(object, "trial", json_integer(trial));
    set(object, "step", real_or_null(step));
    set(object, "value", real_or_null(value));
    return line_of(object);
}

char *external_tell(const struct space *space, const struct trial *trial, double value)
{
    json_t *object = message("tell");
    set(object, "trial", json_integer(trial->number));
    set(object, "state", json_string(trial_state_name(trial->state)));
    set(object, "value", real_or_null(value));
    set(object, "pruned", json_boolean(trial->pruned));
    json_t *params = json_object();
    for (uint32_t i = 0; i < space->count; i++) {
        if (!isnan(trial->x[i])) {
            set(params, space->params[i].name, value_json(&space->params[i], trial->x[i]));
        }
    }
    set(object, "params", params);
    return line_of(object);
}

char *external_refuse(uint32_t trial, const char *text)
{
    json_t *object = message("refuse");
    set(object, "trial", json_integer(trial));
    set(object, "text", json_string(text));
    return line_of(object);
}

/* --- what the program says -------------------------------------------------------------------- */

static int __attribute__((format(printf, 2, 3))) refuse(struct diag *why, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(why->text, sizeof(why->text), format, arguments);
    va_end(arguments);
    return ERR_INVALID;
}

static bool is_option(const struct choice *option, const json_t *value)
{
    switch (option->kind) {
    case OPTION_NULL:
        return json_is_null(value);
    case OPTION_BOOL:
        return json_is_boolean(value) && json_is_true(value) == (option->number != 0);
    case OPTION_INT:
    case OPTION_FLOAT:
        return json_is_number(value) && json_number_value(value) == option->number;
    case OPTION_STRING:
        return json_is_string(value) && strcmp(json_string_value(value), option->text) == 0;
    }
    return false;
}

static int read_choice(const struct param *param, const json_t *value, double *out,
                       struct diag *why)
{
    for (uint32_t i = 0; i < param->option_count; i++) {
        if (is_option(&param->options[i], value)) {
            *out = i;
            return OK;
        }
    }
    char *text = json_dumps(value, JSON_COMPACT | JSON_ENCODE_ANY);
    int code = refuse(why, "%.60s: %.60s is none of its options", param->name, text ? text : "?");
    free(text);
    return code;
}

static int read_number(const struct param *param, const json_t *value, double *out,
                       struct diag *why)
{
    double number = json_number_value(value);
    if (!json_is_number(value) || !isfinite(number)) {
        return refuse(why, "%.60s: is not a number", param->name);
    }
    const bool bounded = param->kind != PARAM_NORMAL;
    const double low = param->kind == PARAM_BETA ? 0 : param->low;
    const double high = param->kind == PARAM_BETA ? 1 : param->high;
    const double slack = 1e-9 * fmax(fabs(low), fabs(high)); /* of rounding elsewhere */
    if (bounded && !(number >= low - slack && number <= high + slack)) {
        return refuse(why, "%.60s: %.17g is not between %g and %g", param->name, number, low, high);
    }
    *out = param_fit(param, number);
    if (param->step > 0 && fabs(*out - number) > 1e-6 * param->step) {
        return refuse(why, "%.60s: %.17g is not on its grid; %.17g is", param->name, number, *out);
    }
    return OK;
}

static int check_names(const struct space *space, json_t *params, struct diag *why)
{
    const char *name = NULL;
    json_t *value = NULL;
    json_object_foreach(params, name, value)
    {
        if (space_find(space, slice_text(name)) == NONE) {
            struct near near;
            near_begin(&near, name);
            for (uint32_t i = 0; i < space->count; i++) {
                near_offer(&near, space->params[i].name);
            }
            const char *meant = near_found(&near);
            return refuse(why, "unknown parameter \"%.40s\"%s%.40s%s", name,
                          meant ? "; do you mean " : "", meant ? meant : "", meant ? "?" : "");
        }
    }
    return OK;
}

static int read_point(const struct space *space, json_t *params, double *x, struct diag *why)
{
    int code = check_names(space, params, why);
    for (uint32_t i = 0; i < space->count && code == OK; i++) {
        const struct param *param = &space->params[i];
        x[i] = NAN;
        if (!space_active(space, i, x)) {
            continue;
        }
        if (!param_is_free(param)) {
            double whole[PARAMS_MAX]; /* completed so far: later conditions may name it */
            memcpy(whole, x, i * sizeof(*x));
            for (uint32_t k = i; k < space->count; k++) {
                whole[k] = NAN;
            }
            space_complete(space, whole);
            x[i] = whole[i];
            continue;
        }
        const json_t *value = json_object_get(params, param->name);
        if (!value) {
            return refuse(why, "%.60s: is active, but has no value", param->name);
        }
        code = param->kind == PARAM_CHOICE ? read_choice(param, value, &x[i], why)
                                           : read_number(param, value, &x[i], why);
    }
    return code;
}

static int read_answer(const struct space *space, uint32_t trial, json_t *object,
                       enum external_answer *answer, double *x, struct diag *why)
{
    const json_t *number = json_object_get(object, "trial");
    json_t *params = json_object_get(object, "params");
    if (!json_is_object(object)) {
        return refuse(why, "is not a JSON object");
    }
    if (!json_is_integer(number)) {
        return refuse(why, "trial: is missing, or not an integer");
    }
    if (json_integer_value(number) != (json_int_t)trial) {
        return refuse(why, "trial: is %lld, but trial %u was asked for",
                      (long long)json_integer_value(number), trial);
    }
    if (json_is_true(json_object_get(object, "wait"))) {
        *answer = EXTERNAL_WAIT;
        return OK;
    }
    if (json_is_true(json_object_get(object, "done"))) {
        *answer = EXTERNAL_DONE;
        return OK;
    }
    if (!json_is_object(params)) {
        return refuse(why, "has neither params (an object) nor wait: true nor done: true");
    }
    int code = read_point(space, params, x, why);
    if (code == OK) {
        *answer = space_feasible(space, x) ? EXTERNAL_POINT : EXTERNAL_REFUSED;
    }
    if (code == OK && *answer == EXTERNAL_REFUSED) {
        (void)refuse(why, "the point breaks a constraint");
    }
    return code;
}

int external_read(const struct space *space, uint32_t trial, struct slice line,
                  enum external_answer *answer, double *x, struct diag *why)
{
    json_error_t error;
    json_t *object = json_loadb((const char *)line.p, line.n, JSON_REJECT_DUPLICATES, &error);
    if (!object) {
        return refuse(why, "is not JSON: %.100s", error.text);
    }
    int code = read_answer(space, trial, object, answer, x, why);
    json_decref(object);
    return code;
}
