/*  expr.c - the value of an expression at a point. */
#include "client/tune/expr.h"

#include <math.h>

#include "client/tune/expr_inside.h"
#include "client/tune/space.h"

static const struct expr_value undefined = { .defined = false };

static struct expr_value of_number(double number)
{
    return (struct expr_value){ true, false, number, NULL };
}

static struct expr_value of_text(const char *text)
{
    return (struct expr_value){ true, true, 0, text };
}

static struct expr_value of_param(const struct param *param, double value)
{
    if (isnan(value)) {
        return undefined;
    }
    if (param->kind != PARAM_CHOICE && param->kind != PARAM_CONST) {
        return of_number(value);
    }
    const struct choice *option = &param->options[(uint32_t)value];
    bool text = option->kind == OPTION_STRING || option->kind == OPTION_NULL;
    return text ? of_text(option->text) : of_number(option->number);
}

/*  Below 0, 0, above 0 as `a` is below, the same as or above `b`; NAN: they cannot be compared. */
static double compare(const struct expr_value *a, const struct expr_value *b)
{
    if (a->is_text != b->is_text) {
        return NAN;
    }
    if (a->is_text) {
        return strcmp(a->text, b->text);
    }
    if (isnan(a->number) || isnan(b->number)) {
        return NAN;
    }
    return (a->number > b->number) - (a->number < b->number);
}

static double binary(enum expr_op op, const struct expr_value *a, const struct expr_value *b)
{
    double x = a->number;
    double y = b->number;
    switch (op) {
    case EXPR_OR:
        return expr_true(a) || expr_true(b);
    case EXPR_AND:
        return expr_true(a) && expr_true(b);
    case EXPR_EQUAL:
        return compare(a, b) == 0;
    case EXPR_NOT_EQUAL:
        return compare(a, b) != 0;
    case EXPR_LESS:
        return compare(a, b) < 0;
    case EXPR_LESS_EQUAL:
        return compare(a, b) <= 0;
    case EXPR_MORE:
        return compare(a, b) > 0;
    case EXPR_MORE_EQUAL:
        return compare(a, b) >= 0;
    case EXPR_ADD:
        return x + y;
    case EXPR_SUBTRACT:
        return x - y;
    case EXPR_MULTIPLY:
        return x * y;
    case EXPR_DIVIDE:
        return x / y;
    case EXPR_MODULO:
        return x - y * floor(x / y);
    case EXPR_POWER:
        return pow(x, y);
    default:
        return NAN;
    }
}

static double function(enum expr_op op, const struct expr_value *args, uint32_t count)
{
    double x = args[0].number;
    switch (op) {
    case EXPR_log:
        return log(x);
    case EXPR_log2:
        return log2(x);
    case EXPR_log10:
        return log10(x);
    case EXPR_exp:
        return exp(x);
    case EXPR_sqrt:
        return sqrt(x);
    case EXPR_abs:
        return fabs(x);
    case EXPR_round:
        return round(x);
    case EXPR_floor:
        return floor(x);
    case EXPR_min:
    case EXPR_max:
        for (uint32_t i = 1; i < count; i++) {
            double y = args[i].number;
            x = op == EXPR_min ? fmin(x, y) : fmax(x, y);
        }
        return x;
    default:
        return binary(op, &args[0], &args[1]);
    }
}

static struct expr_value is_in(const struct expr *self, const struct space *space, const double *x)
{
    struct expr_value wanted = expr_value(self->args[0], space, x);
    bool found = false;
    for (uint32_t i = 1; i < self->count; i++) {
        struct expr_value value = expr_value(self->args[i], space, x);
        if (!value.defined) {
            return undefined;
        }
        found = found || compare(&wanted, &value) == 0;
    }
    return wanted.defined ? of_number(found) : undefined;
}

struct expr_value expr_value(const struct expr *self, const struct space *space, const double *x)
{
    if (self->op == EXPR_NUMBER) {
        return of_number(self->number);
    }
    if (self->op == EXPR_TEXT) {
        return of_text(self->text);
    }
    if (self->op == EXPR_PARAM) {
        return of_param(&space->params[self->param], x[self->param]);
    }
    if (self->op == EXPR_IN) {
        return is_in(self, space, x);
    }
    struct expr_value args[EXPR_ARGS_MAX] = { { 0 } };
    for (uint32_t i = 0; i < self->count; i++) {
        args[i] = expr_value(self->args[i], space, x);
        if (!args[i].defined) {
            return undefined;
        }
    }
    if (self->op == EXPR_NOT) {
        return of_number(!expr_true(&args[0]));
    }
    if (self->op == EXPR_NEGATE) {
        return of_number(-args[0].number);
    }
    return of_number(function(self->op, args, self->count));
}

bool expr_true(const struct expr_value *value)
{
    return value->is_text ? value->text[0] != 0 : value->number != 0 && !isnan(value->number);
}

bool expr_holds(const struct expr *self, const struct space *space, const double *x)
{
    struct expr_value value = expr_value(self, space, x);
    return !value.defined || expr_true(&value);
}

bool expr_uses(const struct expr *self, uint32_t i)
{
    bool uses = self->op == EXPR_PARAM && self->param == i;
    for (uint32_t j = 0; j < self->count && !uses; j++) {
        uses = expr_uses(self->args[j], i);
    }
    return uses;
}
