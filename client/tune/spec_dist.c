/*  spec_dist.c - one parameter's distribution: {loguniform: [1e-5, 0.1]}, {choice: [a, b], weights: [1, 3]}. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "client/tune/spec_inside.h"

enum { Q = 1, EXCLUSIVE = 2 };
#define VALUES_MAX   9e15 /* integers that a double has, and values of a grid */
#define INTEGERS_MAX 0x1p53

struct dist {
    const char *name;
    enum param_kind kind;
    enum param_scale scale;
    uint32_t numbers;
    unsigned needs;
};
static const struct dist dists[] = {
#define DIST(name, kind, scale, numbers, needs) { #name, kind, scale, numbers, needs },
#define LIKE(other, ours)
#include "client/tune/dists.def"
#undef DIST
#undef LIKE
};
static const char *const listed[] = { "choice", "grid", "const", "expr", "case" };
static const struct {
    const char *other, *ours;
} likes[] = {
#define DIST(name, kind, scale, numbers, needs)
#define LIKE(other, ours) { #other, #ours },
#include "client/tune/dists.def"
#undef DIST
#undef LIKE
};

static const struct dist *dist_find(const char *name)
{
    for (size_t i = 0; i < COUNT(dists); i++) {
        if (strcmp(dists[i].name, name) == 0) {
            return &dists[i];
        }
    }
    return NULL;
}

const char *dist_type(const char *key, bool *other)
{
    *other = false;
    const struct dist *dist = dist_find(key);
    if (dist) {
        return dist->name;
    }
    for (size_t i = 0; i < COUNT(listed); i++) {
        if (strcmp(listed[i], key) == 0) {
            return listed[i];
        }
    }
    *other = true;
    for (size_t i = 0; i < COUNT(likes); i++) {
        if (strcmp(likes[i].other, key) == 0) {
            return likes[i].ours;
        }
    }
    return NULL;
}

void dist_offer(struct near *near)
{
    for (size_t i = 0; i < COUNT(listed); i++) {
        near_offer(near, listed[i]);
    }
    for (size_t i = 0; i < COUNT(dists); i++) {
        near_offer(near, dists[i].name);
    }
    near_offer(near, "grid_search");
}

/* --- options ---------------------------------------------------------------------------------- */

static int option_read(struct reader *self, const struct yaml_node *node, const char *field,
                       struct choice *out)
{
    bool integer = false;
    bool truth = false;
    if (node->kind != NODE_SCALAR) {
        return spec_refuse(self, node, field,
                           "must be a number, a text, true, false or null, not %s",
                           yaml_what(node));
    }
    *out = (struct choice){ OPTION_STRING, 0, node->text };
    if (yaml_null(node)) {
        *out = (struct choice){ OPTION_NULL, 0, *node->text ? node->text : "null" };
    } else if (yaml_bool(node, &truth)) {
        *out = (struct choice){ OPTION_BOOL, truth, node->text };
    } else if (yaml_number(node, &out->number, &integer)) {
        out->kind = integer ? OPTION_INT : OPTION_FLOAT;
        if (!isfinite(out->number)) {
            return spec_refuse(self, node, field, "must be finite, not %.40s", node->text);
        }
    }
    return OK;
}

static bool option_same(const struct choice *a, const struct choice *b)
{
    bool numbers = (a->kind == OPTION_INT || a->kind == OPTION_FLOAT) &&
                   (b->kind == OPTION_INT || b->kind == OPTION_FLOAT);
    if (numbers) {
        return a->number == b->number &&
               (fabs(a->number) < INTEGERS_MAX || strcmp(a->text, b->text) == 0);
    }
    return a->kind == b->kind && (a->kind != OPTION_STRING || strcmp(a->text, b->text) == 0) &&
           a->number == b->number;
}

int options_read(struct reader *self, struct raw_param *raw, struct yaml_node *const *values,
                 uint32_t count, const char *field)
{
    if (count == 0 || count > OPTIONS_MAX) {
        return spec_refuse(self, raw->node, field,
                           count == 0 ? "is empty: give it values to choose from"
                                      : "has more than 10000 values");
    }
    struct choice *options = arena_take(self->arena, count * sizeof(*options));
    for (uint32_t i = 0; i < count; i++) {
        int code = option_read(self, values[i], field_item(self, field, i), &options[i]);
        if (code != OK) {
            return code;
        }
        for (uint32_t j = 0; j < i; j++) {
            if (option_same(&options[i], &options[j])) {
                return spec_refuse(self, values[i], field, "%.80s is there twice%s",
                                   options[i].text,
                                   raw->param.grid ? "" : "; for more of it, give weights");
            }
        }
    }
    raw->param.options = options;
    raw->param.option_count = count;
    return OK;
}

static int weights_read(struct reader *self, struct raw_param *raw, const struct yaml_node *node,
                        const char *field)
{
    uint32_t count = raw->param.option_count;
    if (node->kind != NODE_LIST || node->count != count) {
        return spec_refuse(self, node, field, "must be a list of %u numbers, one for each option",
                           count);
    }
    double *weights = arena_take(self->arena, count * sizeof(*weights));
    double sum = 0;
    for (uint32_t i = 0; i < count; i++) {
        int code =
            read_number(self, node->items[i], field_item(self, field, i), 0, 1e100, &weights[i]);
        if (code != OK) {
            return code;
        }
        sum += weights[i];
    }
    if (sum <= 0) {
        return spec_refuse(self, node, field, "are all 0: nothing could ever be chosen");
    }
    for (uint32_t i = 0; i < count; i++) {
        weights[i] /= sum;
    }
    raw->param.weights = weights;
    return OK;
}

static int choice_read(struct reader *self, struct raw_param *raw, const struct yaml_node *args,
                       const char *field)
{
    raw->param.kind = PARAM_CHOICE;
    if (args->kind != NODE_LIST) {
        return spec_refuse(self, args, field, "must be a list of values, not %s", yaml_what(args));
    }
    return options_read(self, raw, args->items, args->count, field);
}

/*  `weights`, `ordered` of a choice, a grid or a case. */
static int choice_keys(struct reader *self, struct raw_param *raw, const struct yaml_node *map)
{
    const struct yaml_node *weights = yaml_find(map, "weights");
    const char *weights_name = weights ? "weights" : "probabilities";
    weights = weights ? weights : yaml_find(map, "probabilities");
    const struct yaml_node *ordered = yaml_find(map, "ordered");
    const struct yaml_node *odd = weights ? weights : ordered;
    if (odd && raw->param.kind != PARAM_CHOICE) {
        return spec_refuse(self, odd,
                           field_join(self, raw->field, weights ? weights_name : "ordered"),
                           "is for choices only");
    }
    int code = OK;
    if (weights) {
        code = weights_read(self, raw, weights, field_join(self, raw->field, weights_name));
    }
    if (code == OK && ordered) {
        const char *field = field_join(self, raw->field, "ordered");
        code = read_bool(self, ordered, field, &raw->param.ordered);
        for (uint32_t i = 0; code == OK && raw->param.ordered && i < raw->param.option_count; i++) {
            enum option_kind kind = raw->param.options[i].kind;
            if (kind != OPTION_INT && kind != OPTION_FLOAT) {
                code =
                    spec_refuse(self, ordered, field, "only numbers have an order, not \"%.40s\"",
                                raw->param.options[i].text);
            }
        }
    }
    return code;
}

/* --- numbers ---------------------------------------------------------------------------------- */

static int numbers_read(struct reader *self, const struct dist *dist, const struct yaml_node *args,
                        const char *field, double out[static ARGS_MAX])
{
    static const char *const forms[] = { "[low, high]", "[low, high, step]", "[mean, deviation]",
                                         "[mean, deviation, step]", "[a, b]" };
    int form =
        dist->kind == PARAM_BETA ? 4 : (dist->kind == PARAM_NORMAL ? 2 : 0) + (dist->needs == Q);
    if (args->kind != NODE_LIST || args->count != dist->numbers) {
        return spec_refuse(self, args, field, "must be %s", forms[form]);
    }
    int code = OK;
    for (uint32_t i = 0; i < args->count && code == OK; i++) {
        const struct yaml_node *item = args->items[i];
        code = dist->kind == PARAM_INT
                   ? read_integer(self, item, field, -INTEGERS_MAX, INTEGERS_MAX, &out[i])
                   : read_number(self, item, field, -1e300, 1e300, &out[i]);
    }
    return code;
}

static int step_check(struct reader *self, const struct param *param, const struct yaml_node *args,
                      const char *field)
{
    if (!(param->step > 0)) {
        return spec_refuse(self, args->items[2], field, "the step must be above 0");
    }
    double steps = (param->high - param->low) / param->step;
    if (!(steps < VALUES_MAX)) {
        return spec_refuse(self, args->items[2], field, "the step is too small for this range");
    }
    if (fabs(steps - round(steps)) <= 1e-6) {
        return OK;
    }
    char text[5][40];
    double below = floor(steps);
    double values[] = { param->step, param->low, param->high, param->low + below * param->step,
                        param->low + (below + 1) * param->step };
    for (size_t i = 0; i < COUNT(values); i++) {
        char rounded[40];
        (void)snprintf(rounded, sizeof(rounded), "%.12g", values[i]);
        (void)number_print(strtod(rounded, NULL), text[i], sizeof(text[i]));
    }
    return spec_refuse(self, args->items[2], field,
                       "the step %s does not divide %s to %s: %s%s%s would fit as the high end",
                       text[0], text[1], text[2], below > 0 ? text[3] : "", below > 0 ? " or " : "",
                       text[4]);
}

static int range_set(struct reader *self, struct param *param, const struct dist *dist,
                     const double numbers[static ARGS_MAX], const struct yaml_node *args,
                     const char *field)
{
    param->low = numbers[0];
    param->high = numbers[1];
    bool exclusive = dist->needs == EXCLUSIVE;
    if (!(param->low < param->high)) {
        return spec_refuse(
            self, args, field, "the low end %.40s must be below the high end %.40s%s",
            args->items[0]->text, args->items[1]->text, exclusive ? ", which is not included" : "");
    }
    if (param->scale != SCALE_LINEAR && !(param->low > 0)) {
        return spec_refuse(self, args->items[0], field,
                           "the low end must be above 0 for a logarithm, not %.40s",
                           args->items[0]->text);
    }
    param->high -= exclusive;
    param->step = dist->needs == Q ? numbers[2] : param->kind == PARAM_INT;
    return param->step == 0 && dist->needs != Q ? OK
           : dist->needs == Q                   ? step_check(self, param, args, field)
                                                : OK;
}

static int number_read(struct reader *self, struct raw_param *raw, const struct dist *dist,
                       const struct yaml_node *args, const char *field)
{
    double numbers[ARGS_MAX] = { 0 };
    int code = numbers_read(self, dist, args, field, numbers);
    if (code != OK) {
        return code;
    }
    struct param *param = &raw->param;
    param->kind = dist->kind;
    param->scale = dist->scale;
    if (dist->kind == PARAM_FLOAT || dist->kind == PARAM_INT) {
        return range_set(self, param, dist, numbers, args, field);
    }
    param->mean = numbers[0];
    param->sd = numbers[1];
    param->step = numbers[2];
    bool beta = dist->kind == PARAM_BETA;
    param->low = beta || dist->scale == SCALE_LOG ? 0 : -INFINITY;
    param->high = beta ? 1 : INFINITY;
    if (!(param->sd > 0) || (beta && !(param->mean > 0))) {
        return spec_refuse(self, args, field,
                           beta ? "a and b must be above 0" : "the deviation must be above 0");
    }
    if (beta && !(param->mean <= 1e6 && param->sd <= 1e6)) {
        return spec_refuse(self, args, field, "a and b must be at most 1000000");
    }
    if (dist->needs == Q && !(param->step > 0)) {
        return spec_refuse(self, args->items[2], field, "the step must be above 0");
    }
    return OK;
}

/* --- formats ---------------------------------------------------------------------------------- */

/*  One conversion of printf's: its letter; 0: it is not one that rayc takes. */
static char format_letter(const char *format)
{
    char letter = 0;
    if (strlen(format) > 40) {
        return 0;
    }
    for (const char *at = format; *at; at++) {
        if (*at != '%') {
            continue;
        }
        if (*++at == '%') {
            continue;
        }
        at += strspn(at, "-+ #0");
        size_t width = strspn(at, "0123456789");
        at += width;
        size_t precision = *at == '.' ? strspn(++at, "0123456789") : 0;
        at += precision;
        if (letter || width > 2 || precision > 2 || *at == 0 || !strchr("dixXoueEfFgGs", *at)) {
            return 0;
        }
        letter = *at;
    }
    return letter;
}

static int format_read(struct reader *self, struct raw_param *raw, const struct yaml_node *node)
{
    const char *field = field_join(self, raw->field, "format");
    struct param *param = &raw->param;
    int code = read_text(self, node, field, &param->format);
    if (code != OK) {
        return code;
    }
    char letter = format_letter(param->format);
    if (!letter) {
        return spec_refuse(self, node, field, "must be a printf format with one value, like %%.3f");
    }
    bool text = false;
    bool integer = param->kind == PARAM_INT;
    for (uint32_t i = 0; i < param->option_count; i++) {
        enum option_kind kind = param->options[i].kind;
        text = text || kind == OPTION_STRING;
        integer = (i == 0 || integer) && kind == OPTION_INT;
    }
    if (text && letter != 's') {
        return spec_refuse(self, node, field, "%%%c is for numbers: use %%s for texts", letter);
    }
    if (!integer && strchr("dixXou", letter)) {
        return spec_refuse(self, node, field, "%%%c is for integers: use %%g or %%f", letter);
    }
    return OK;
}

/* --- all -------------------------------------------------------------------------------------- */

static int const_read(struct reader *self, struct raw_param *raw, const struct yaml_node *args,
                      const char *field)
{
    struct choice *option = arena_take(self->arena, sizeof(*option));
    raw->param.kind = PARAM_CONST;
    raw->param.options = option;
    raw->param.option_count = 1;
    return option_read(self, args, field, option);
}

int dist_read(struct reader *self, struct raw_param *raw, const struct yaml_node *map,
              const char *type, const struct yaml_node *args)
{
    const char *field = map->kind == NODE_MAP ? field_join(self, raw->field, type) : raw->field;
    const struct dist *dist = dist_find(type);
    int code = OK;
    if (dist) {
        code = number_read(self, raw, dist, args, field);
    } else if (strcmp(type, "const") == 0) {
        code = const_read(self, raw, args, field);
    } else if (strcmp(type, "expr") == 0) {
        raw->param.kind = PARAM_EXPR;
        raw->expr = args;
        const char *text;
        code = read_text(self, args, field, &text);
    } else if (strcmp(type, "case") != 0) { /* of a case the options are there already */
        raw->param.grid = strcmp(type, "grid") == 0;
        code = choice_read(self, raw, args, field);
    }
    if (code == OK && map->kind == NODE_MAP) {
        code = choice_keys(self, raw, map);
        const struct yaml_node *format = yaml_find(map, "format");
        if (code == OK && format) {
            code = format_read(self, raw, format);
        }
        raw->when = yaml_find(map, "when");
        raw->init = yaml_find(map, "init");
    }
    return code;
}
