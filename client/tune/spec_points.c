/*  spec_points.c - values of parameters as users write them, and the points that a study begins with. */
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "client/tune/spec_inside.h"

__attribute__((format(printf, 2, 3))) static int refuse(char why[static WHY_BYTES],
                                                        const char *format, ...)
{
    va_list args;
    va_start(args, format);
    (void)vsnprintf(why, WHY_BYTES, format, args);
    va_end(args);
    return ERR_INVALID;
}

/* --- values ----------------------------------------------------------------------------------- */

static bool option_is(const struct choice *option, const struct yaml_node *node)
{
    double number = 0;
    bool truth = false;
    switch (option->kind) {
    case OPTION_NULL:
        return yaml_null(node);
    case OPTION_BOOL:
        return yaml_bool(node, &truth) && truth == (option->number != 0);
    case OPTION_INT:
    case OPTION_FLOAT:
        return strcmp(option->text, node->text) == 0 ||
               (yaml_number(node, &number, NULL) && number == option->number &&
                fabs(number) < 0x1p53);
    case OPTION_STRING:
        return strcmp(option->text, node->text) == 0;
    }
    return false;
}

static int option_find(const struct param *self, const struct yaml_node *node, double *out,
                       char why[static WHY_BYTES])
{
    struct near near;
    near_begin(&near, node->text);
    for (uint32_t i = 0; i < self->option_count; i++) {
        if (option_is(&self->options[i], node)) {
            *out = i;
            return OK;
        }
        near_offer(&near, self->options[i].text);
    }
    if (self->kind == PARAM_CONST) {
        return refuse(why, "is always %.40s, never %.40s", self->options[0].text, node->text);
    }
    const char *meant = near_found(&near);
    return refuse(why, "has no option \"%.40s\"%s%.40s%s", node->text,
                  meant ? "; do you mean " : "", meant ? meant : "", meant ? "?" : "");
}

int value_of_node(const struct param *param, const struct yaml_node *node, double *out,
                  char why[static WHY_BYTES])
{
    if (node->kind != NODE_SCALAR) {
        return refuse(why, "must be one value, not %s", yaml_what(node));
    }
    if (param->kind == PARAM_CHOICE || param->kind == PARAM_CONST) {
        return option_find(param, node, out, why);
    }
    if (param->kind == PARAM_EXPR) {
        return refuse(why, "is computed: leave it out");
    }
    if (!yaml_number(node, out, NULL) || !isfinite(*out)) {
        return refuse(why, "must be a finite number, not %.40s",
                      *node->text ? node->text : yaml_what(node));
    }
    bool above = param->kind == PARAM_NORMAL && param->scale == SCALE_LOG && *out <= 0;
    if (*out < param->low || *out > param->high || above) {
        char low[40];
        char high[40];
        (void)number_print(param->low, low, sizeof(low));
        (void)number_print(param->high, high, sizeof(high));
        return refuse(why, "is from %s to %s, never %.40s", low, high, node->text);
    }
    double fitted = param_fit(param, *out);
    if (fabs(fitted - *out) > 1e-6 * param->step) {
        char text[40];
        (void)number_print(fitted, text, sizeof(text));
        return refuse(why, "is never %.40s; the nearest value is %s", node->text, text);
    }
    *out = fitted;
    return OK;
}

int param_read(const struct param *param, struct slice text, double *out)
{
    char copy[1024];
    char why[WHY_BYTES];
    if (text.n >= sizeof(copy) || (text.n > 0 && memchr(text.p, 0, text.n))) {
        return ERR_INVALID;
    }
    ensure(slice_copy_text(text, copy, sizeof(copy)));
    struct yaml_node node = { .kind = NODE_SCALAR, .text = copy, .plain = true };
    return value_of_node(param, &node, out, why);
}

/* --- points ----------------------------------------------------------------------------------- */

/*  One NAME: value of a point. */
static int entry_read(struct reader *self, const struct yaml_node *key,
                      const struct yaml_node *value, const char *field, struct point *point,
                      double *x)
{
    const struct space *space = &self->spec->space;
    char why[WHY_BYTES];
    const char *place = field_join(self, field, key->text);
    if (strcmp(key->text, "result") == 0) {
        point->has_result = true;
        return read_number(self, value, place, -1e308, 1e308, &point->result);
    }
    uint32_t i = space_find(space, slice_text(key->text));
    if (i == NONE) {
        struct near near;
        near_begin(&near, key->text);
        for (uint32_t j = 0; j < space->count; j++) {
            near_offer(&near, space->params[j].name);
        }
        near_offer(&near, "result");
        return spec_unknown(self, key, field, "parameter", &near);
    }
    if (value_of_node(&space->params[i], value, &x[i], why) != OK) {
        return spec_refuse(self, value, place, "%s", why);
    }
    return OK;
}

/*  Are all parents of parameter i known, so that it can be said whether it is active? */
static bool parents_known(const struct space *space, uint32_t i, const double *x)
{
    const struct param *param = &space->params[i];
    for (uint32_t j = 0; j < i; j++) {
        bool used = param->when_expr && expr_uses(param->when_expr, j);
        for (uint32_t k = 0; k < param->when_count; k++) {
            used = used || param->when[k].parent == j;
        }
        if (used && isnan(x[j])) {
            return false;
        }
    }
    return true;
}

/*  A point says nothing about what is not active; one with a result says everything that is. */
static int point_check(struct reader *self, const struct yaml_node *map, const char *field,
                       const struct point *point, double *x)
{
    const struct space *space = &self->spec->space;
    bool complete = true;
    for (uint32_t i = 0; i < space->count; i++) {
        const struct param *param = &space->params[i];
        bool known = parents_known(space, i, x);
        bool active = known && space_active(space, i, x);
        bool given = !isnan(x[i]);
        if (param_is_free(param) && given && known && !active) {
            const struct yaml_node *value = yaml_find(map, param->name);
            return spec_refuse(self, value, field_join(self, field, param->name),
                               "is not active in this point: leave it out");
        }
        bool missing = param_is_free(param) && active && !given;
        if (missing && point->has_result) {
            return spec_refuse(self, map, field, "has a result, but no %s", param->name);
        }
        complete = complete && known && !missing;
        if (!param_is_free(param) && active) {
            x[i] = 0;
            if (param->kind == PARAM_EXPR) {
                struct expr_value value = expr_value(param->expr, space, x);
                x[i] = value.defined && isfinite(value.number) ? value.number : NAN;
            }
        }
    }
    if (point->has_result) {
        space_complete(space, x);
    }
    for (uint32_t i = 0; complete && i < space->constraint_count; i++) {
        if (!expr_holds(space->constraints[i], space, x)) {
            return spec_refuse(self, map, field, "does not meet constraint %u", i + 1);
        }
    }
    return OK;
}

int points_read(struct reader *self, const struct yaml_node *node)
{
    uint32_t n = self->spec->space.count;
    if (node->kind != NODE_LIST) {
        return spec_refuse(self, node, "points",
                           "must be a list of maps: [{NAME: value, ...}, ...]");
    }
    struct point *points = arena_take(self->arena, (node->count + 1) * sizeof(*points));
    for (uint32_t i = 0; i < node->count; i++) {
        const struct yaml_node *map = node->items[i];
        const char *field = field_item(self, "points", i);
        double *x = arena_take(self->arena, n * sizeof(*x));
        for (uint32_t j = 0; j < n; j++) {
            x[j] = NAN;
        }
        points[i] = (struct point){ .x = x, .line = map->line };
        int code = map->kind == NODE_MAP
                       ? OK
                       : spec_refuse(self, map, field, "must be a map: {NAME: value, ...}");
        for (uint32_t j = 0; j < map->count && code == OK; j++) {
            code = entry_read(self, map->keys[j], map->items[j], field, &points[i], x);
        }
        if (code == OK) {
            code = point_check(self, map, field, &points[i], x);
        }
        if (code != OK) {
            return code;
        }
    }
    self->spec->points = points;
    self->spec->point_count = node->count;
    return OK;
}
