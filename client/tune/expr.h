/*  expr.h - arithmetic and conditions in a search.yaml, over the parameters of a space.

    expr = or | and | not | comparison (== != < <= > >=, chained no), `in [a, b]`, `not in`, + - * / % **, unary -,
    log log2 log10 exp sqrt abs min max round floor, names of parameters, numbers, 'strings', true, false.
    Values are numbers and strings; a boolean is 0 or 1.  A name of an inactive parameter makes the whole expression
    undefined.  Pure; evaluation does not allocate. */
#ifndef RAYC_TUNE_EXPR_H
#define RAYC_TUNE_EXPR_H
#include "common/base.h"

struct expr;
struct space;
struct arena; /* spec.h: where parsed things live */

struct expr_value {
    bool defined;
    bool is_text;
    double number;
    const char *text;
};

/*  Parses `text`; names must be among the first `param_count` parameters of the space.  OK, or ERR_INVALID with
    why->text ("unknown name \"bach\" at column 3; do you mean batch?"). */
MUST_CHECK int expr_parse(struct arena *arena, const char *text, const struct space *space,
                          uint32_t param_count, const struct expr **out, struct diag *why);
struct expr_value expr_value(const struct expr *self, const struct space *space, const double *x);
/*  Of a defined value: a number other than 0 and NAN, a text that is not empty. */
bool expr_true(const struct expr_value *value);
/*  Undefined is true: a constraint on what is not active does not bind. */
bool expr_holds(const struct expr *self, const struct space *space, const double *x);
/*  Does it name parameter i? */
bool expr_uses(const struct expr *self, uint32_t i);
#endif
