/*  expr_parse.c - text to the tree of an expression, by recursive descent; types are checked on the way. */
#include <ctype.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "client/tune/expr_inside.h"
#include "client/tune/spec.h"
#include "common/err.h"
#include "common/near.h"

struct parser {
    struct arena *arena;
    const char *text, *at;
    const struct space *space;
    uint32_t param_count;
    uint32_t depth;
    struct diag *why;
};

static const struct expr *parse_or(struct parser *self);

__attribute__((format(printf, 2, 3))) static const struct expr *refuse(struct parser *self,
                                                                       const char *format, ...)
{
    va_list args;
    va_start(args, format);
    (void)vsnprintf(self->why->text, sizeof(self->why->text), format, args);
    va_end(args);
    return NULL;
}

/*  Moves behind spaces and says where that is, from 1. */
static uint32_t column_now(struct parser *self)
{
    while (isspace((unsigned char)*self->at)) {
        self->at++;
    }
    return (uint32_t)(self->at - self->text) + 1;
}

static const struct expr *refuse_here(struct parser *self, const char *wanted)
{
    uint32_t column = column_now(self);
    if (*self->at == 0) {
        return refuse(self, "%s is missing at its end", wanted);
    }
    const char *hint = "";
    if (self->at[0] == '=') {
        hint = "; equality is written ==";
    } else if (self->at[0] == '&' || self->at[0] == '|') {
        hint = "; write `and`, `or`";
    } else if (self->at[0] == '!') {
        hint = "; write `not`, or !=";
    }
    return refuse(self, "%s is missing before \"%.20s\" at column %u%s", wanted, self->at, column,
                  hint);
}

/* --- words ------------------------------------------------------------------------------------ */

static size_t name_length(const char *at)
{
    size_t n = 0;
    if (isalpha((unsigned char)*at) || *at == '_') {
        while (isalnum((unsigned char)at[n]) || at[n] == '_' || at[n] == '.') {
            n++;
        }
    }
    return n;
}

static bool take(struct parser *self, const char *token)
{
    (void)column_now(self);
    size_t n = strlen(token);
    if (strncmp(self->at, token, n) != 0) {
        return false;
    }
    if (isalpha((unsigned char)token[0]) && name_length(self->at) != n) {
        return false;
    }
    self->at += n;
    return true;
}

/* --- the tree --------------------------------------------------------------------------------- */

static struct expr *node(struct parser *self, enum expr_op op, enum expr_type type, uint32_t column)
{
    struct expr *made = arena_take(self->arena, sizeof(*made));
    made->op = op;
    made->type = type;
    made->column = column;
    return made;
}

static const struct expr *node_with(struct parser *self, enum expr_op op, uint32_t column,
                                    const struct expr *const *args, uint32_t count)
{
    const struct expr **kept = arena_take(self->arena, count * sizeof(*kept));
    memcpy(kept, args, count * sizeof(*kept));
    struct expr *made = node(self, op, TYPE_NUMBER, column);
    made->args = kept;
    made->count = count;
    return made;
}

static bool must_be_number(struct parser *self, const struct expr *value)
{
    if (value && value->type == TYPE_TEXT) {
        (void)refuse(self, "a number is needed at column %u, not a text", value->column);
        return false;
    }
    return value != NULL;
}

static const struct expr *number_two(struct parser *self, enum expr_op op, uint32_t column,
                                     const struct expr *a, const struct expr *b)
{
    if (!must_be_number(self, a) || !must_be_number(self, b)) {
        return NULL;
    }
    return node_with(self, op, column, (const struct expr *[]){ a, b }, 2);
}

/*  `opt == 'adma'`: a text that the parameter never has is a slip, not a condition. */
static bool can_be(struct parser *self, const struct expr *param, const struct expr *text)
{
    if (param->op != EXPR_PARAM || text->op != EXPR_TEXT) {
        return true;
    }
    const struct param *owner = &self->space->params[param->param];
    struct near near;
    near_begin(&near, text->text);
    for (uint32_t i = 0; i < owner->option_count; i++) {
        if (strcmp(owner->options[i].text, text->text) == 0) {
            return true;
        }
        near_offer(&near, owner->options[i].text);
    }
    const char *meant = near_found(&near);
    (void)refuse(self, "%s is never '%.40s' (column %u)%s%.40s%s", owner->name, text->text,
                 text->column, meant ? "; do you mean '" : "", meant ? meant : "",
                 meant ? "'?" : "");
    return false;
}

static bool comparable(struct parser *self, const struct expr *a, const struct expr *b)
{
    if (!a || !b) {
        return false;
    }
    if ((a->type & b->type) == 0) {
        (void)refuse(self, "a number and a text are compared at column %u", a->column);
        return false;
    }
    return can_be(self, a, b) && can_be(self, b, a);
}

/* --- atoms ------------------------------------------------------------------------------------ */

static const struct expr *parse_number(struct parser *self, uint32_t column)
{
    char *end = NULL;
    bool decimal = self->at[0] != '0' || (self->at[1] != 'x' && self->at[1] != 'X');
    double number = strtod(self->at, &end);
    if (!decimal || name_length(end) > 0 || !isfinite(number)) {
        return refuse(self, "\"%.20s\" at column %u is not a number", self->at, column);
    }
    self->at = end;
    struct expr *made = node(self, EXPR_NUMBER, TYPE_NUMBER, column);
    made->number = number;
    return made;
}

static const struct expr *parse_text(struct parser *self, uint32_t column)
{
    const char *begin = self->at + 1;
    const char *end = strchr(begin, *self->at);
    if (!end) {
        return refuse(self, "the quote at column %u is not closed", column);
    }
    self->at = end + 1;
    struct expr *made = node(self, EXPR_TEXT, TYPE_TEXT, column);
    made->text = arena_text(self->arena, slice_of(begin, (size_t)(end - begin)));
    return made;
}

static enum expr_type param_type(const struct param *param)
{
    if (param->kind != PARAM_CHOICE && param->kind != PARAM_CONST) {
        return TYPE_NUMBER;
    }
    unsigned type = 0;
    for (uint32_t i = 0; i < param->option_count; i++) {
        enum option_kind kind = param->options[i].kind;
        type |= kind == OPTION_STRING || kind == OPTION_NULL ? TYPE_TEXT : TYPE_NUMBER;
    }
    return (enum expr_type)type;
}

static const struct {
    const char *name;
    enum expr_op op;
    uint32_t fewest, most;
} functions[] = {
#define FUNCTION(name, fewest, most) { #name, EXPR_##name, fewest, most },
#define BINARY(op, text)
#include "client/tune/expr_ops.def"
#undef FUNCTION
#undef BINARY
};

static const struct expr *parse_param(struct parser *self, const char *name, uint32_t column)
{
    struct near near;
    near_begin(&near, name);
    for (uint32_t i = 0; i < self->param_count; i++) {
        const struct param *param = &self->space->params[i];
        if (strcmp(param->name, name) == 0) {
            struct expr *made = node(self, EXPR_PARAM, param_type(param), column);
            made->param = i;
            return made;
        }
        near_offer(&near, param->name);
    }
    const char *meant = near_found(&near);
    return refuse(self, "unknown name \"%.40s\" at column %u%s%.40s%s", name, column,
                  meant ? "; do you mean " : "", meant ? meant : "", meant ? "?" : "");
}

static const struct expr *parse_call(struct parser *self, const char *name, uint32_t column)
{
    struct near near;
    near_begin(&near, name);
    for (size_t i = 0; i < COUNT(functions); i++) {
        near_offer(&near, functions[i].name);
        if (strcmp(functions[i].name, name) != 0) {
            continue;
        }
        const struct expr *args[EXPR_ARGS_MAX];
        uint32_t count = 0;
        do {
            if (count == functions[i].most) {
                return refuse(self, "%s() at column %u has too many arguments", name, column);
            }
            args[count] = parse_or(self);
            if (!must_be_number(self, args[count++])) {
                return NULL;
            }
        } while (take(self, ","));
        if (!take(self, ")")) {
            return refuse_here(self, "\")\"");
        }
        if (count < functions[i].fewest) {
            return refuse(self, "%s() at column %u needs %u arguments", name, column,
                          functions[i].fewest);
        }
        return node_with(self, functions[i].op, column, args, count);
    }
    const char *meant = near_found(&near);
    return refuse(self, "unknown function \"%.40s\" at column %u%s%s%s", name, column,
                  meant ? "; do you mean " : "", meant ? meant : "", meant ? "?" : "");
}

static const struct expr *parse_name(struct parser *self, uint32_t column)
{
    size_t n = name_length(self->at);
    const char *name = arena_text(self->arena, slice_of(self->at, n));
    static const char *const reserved[] = { "and", "or", "not", "in" };
    for (size_t i = 0; i < COUNT(reserved); i++) {
        if (strcmp(name, reserved[i]) == 0) {
            return refuse_here(self, "a value");
        }
    }
    self->at += n;
    if (strcmp(name, "true") == 0 || strcmp(name, "false") == 0) {
        struct expr *made = node(self, EXPR_NUMBER, TYPE_NUMBER, column);
        made->number = name[0] == 't';
        return made;
    }
    return take(self, "(") ? parse_call(self, name, column) : parse_param(self, name, column);
}

static const struct expr *parse_atom(struct parser *self)
{
    uint32_t column = column_now(self);
    unsigned char c = (unsigned char)*self->at;
    if (isdigit(c) || (c == '.' && isdigit((unsigned char)self->at[1]))) {
        return parse_number(self, column);
    }
    if (c == '\'' || c == '"') {
        return parse_text(self, column);
    }
    if (name_length(self->at) > 0) {
        return parse_name(self, column);
    }
    if (!take(self, "(")) {
        return refuse_here(self, "a value");
    }
    const struct expr *inner = parse_or(self);
    if (inner && !take(self, ")")) {
        return refuse_here(self, "\")\"");
    }
    return inner;
}

/* --- operators, from the tightest ------------------------------------------------------------- */

static const struct expr *parse_unary(struct parser *self)
{
    uint32_t column = column_now(self);
    if (++self->depth > EXPR_DEPTH_MAX) {
        return refuse(self, "it is nested deeper than %d at column %u", EXPR_DEPTH_MAX, column);
    }
    const struct expr *value;
    if (take(self, "-")) {
        value = parse_unary(self);
        value =
            must_be_number(self, value) ? node_with(self, EXPR_NEGATE, column, &value, 1) : NULL;
    } else if (take(self, "+")) {
        value = parse_unary(self);
        value = must_be_number(self, value) ? value : NULL;
    } else {
        value = parse_atom(self);
        if (value && take(self, "**")) {
            value = number_two(self, EXPR_POWER, column, value, parse_unary(self));
        }
    }
    self->depth--;
    return value;
}

static const struct expr *parse_product(struct parser *self)
{
    const struct expr *value = parse_unary(self);
    while (value) {
        uint32_t column = column_now(self);
        enum expr_op op = take(self, "*")   ? EXPR_MULTIPLY
                          : take(self, "/") ? EXPR_DIVIDE
                          : take(self, "%") ? EXPR_MODULO
                                            : EXPR_NUMBER;
        if (op == EXPR_NUMBER) {
            break;
        }
        value = number_two(self, op, column, value, parse_unary(self));
    }
    return value;
}

static const struct expr *parse_sum(struct parser *self)
{
    const struct expr *value = parse_product(self);
    while (value) {
        uint32_t column = column_now(self);
        bool add = take(self, "+");
        if (!add && !take(self, "-")) {
            break;
        }
        value =
            number_two(self, add ? EXPR_ADD : EXPR_SUBTRACT, column, value, parse_product(self));
    }
    return value;
}

static const struct expr *parse_in(struct parser *self, const struct expr *left, bool negated,
                                   uint32_t column)
{
    if (!take(self, "[")) {
        return refuse_here(self, "\"[\"");
    }
    const struct expr *args[EXPR_LIST_MAX];
    uint32_t count = 0;
    args[count++] = left;
    do {
        if (count == EXPR_LIST_MAX) {
            return refuse(self, "the list at column %u is too long", column);
        }
        args[count] = parse_sum(self);
        if (!comparable(self, left, args[count++])) {
            return NULL;
        }
    } while (take(self, ","));
    if (!take(self, "]")) {
        return refuse_here(self, "\"]\"");
    }
    const struct expr *made = node_with(self, EXPR_IN, column, args, count);
    return negated ? node_with(self, EXPR_NOT, column, &made, 1) : made;
}

static bool take_comparison(struct parser *self, enum expr_op *op)
{
    static const struct {
        const char *text;
        enum expr_op op;
    } signs[] = {
#define FUNCTION(name, fewest, most)
#define BINARY(op, text) { text, EXPR_##op },
#include "client/tune/expr_ops.def"
#undef FUNCTION
#undef BINARY
    };
    for (size_t i = 0; i < COUNT(signs); i++) {
        bool compares = signs[i].op >= EXPR_EQUAL && signs[i].op <= EXPR_MORE;
        if (compares && take(self, signs[i].text)) {
            *op = signs[i].op;
            return true;
        }
    }
    return false;
}

static const struct expr *parse_comparison(struct parser *self)
{
    const struct expr *left = parse_sum(self);
    if (!left) {
        return NULL;
    }
    uint32_t column = column_now(self);
    enum expr_op op;
    const struct expr *made = left;
    if (take_comparison(self, &op)) {
        const struct expr *right = parse_sum(self);
        if (!comparable(self, left, right)) {
            return NULL;
        }
        made = node_with(self, op, column, (const struct expr *[]){ left, right }, 2);
    } else if (take(self, "not")) {
        made = take(self, "in") ? parse_in(self, left, true, column) : refuse_here(self, "`in`");
    } else if (take(self, "in")) {
        made = parse_in(self, left, false, column);
    }
    column = column_now(self);
    if (made && made != left && take_comparison(self, &op)) {
        return refuse(self, "comparisons cannot be chained (column %u): join them by `and`",
                      column);
    }
    return made;
}

static const struct expr *parse_not(struct parser *self)
{
    uint32_t column = column_now(self);
    if (!take(self, "not")) {
        return parse_comparison(self);
    }
    if (++self->depth > EXPR_DEPTH_MAX) {
        return refuse(self, "it is nested deeper than %d at column %u", EXPR_DEPTH_MAX, column);
    }
    const struct expr *value = parse_not(self);
    self->depth--;
    return must_be_number(self, value) ? node_with(self, EXPR_NOT, column, &value, 1) : NULL;
}

static const struct expr *parse_and(struct parser *self)
{
    const struct expr *value = parse_not(self);
    uint32_t column = column_now(self);
    while (value && take(self, "and")) {
        value = number_two(self, EXPR_AND, column, value, parse_not(self));
    }
    return value;
}

static const struct expr *parse_or(struct parser *self)
{
    const struct expr *value = parse_and(self);
    uint32_t column = column_now(self);
    while (value && take(self, "or")) {
        value = number_two(self, EXPR_OR, column, value, parse_and(self));
    }
    return value;
}

int expr_parse(struct arena *arena, const char *text, const struct space *space,
               uint32_t param_count, const struct expr **out, struct diag *why)
{
    struct parser parser = { arena, text, text, space, param_count, 0, why };
    if (strlen(text) > EXPR_BYTES_MAX) {
        (void)refuse(&parser, "it is longer than %d bytes", EXPR_BYTES_MAX);
        return ERR_INVALID;
    }
    const struct expr *made = parse_or(&parser);
    if (made) {
        (void)column_now(&parser);
        made = *parser.at == 0 ? made : refuse_here(&parser, "an operator");
    }
    if (!made) {
        return ERR_INVALID;
    }
    *out = made;
    return OK;
}
