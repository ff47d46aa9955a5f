/*  expr_inside.h - the tree of an expression: expr_parse.c makes it, expr.c computes it. */
#ifndef RAYC_TUNE_EXPR_INSIDE_H
#define RAYC_TUNE_EXPR_INSIDE_H
#include "client/tune/expr.h"

enum { EXPR_ARGS_MAX = 16, EXPR_LIST_MAX = 256, EXPR_BYTES_MAX = 4096, EXPR_DEPTH_MAX = 64 };

enum expr_op {
    EXPR_NUMBER, /* number */
    EXPR_TEXT,   /* text */
    EXPR_PARAM,  /* param */
    EXPR_NOT,    /* args[0] */
    EXPR_NEGATE, /* args[0] */
    EXPR_IN,     /* args[0] is one of args[1...] */
#define FUNCTION(name, fewest, most) EXPR_##name,
#define BINARY(op, text)             EXPR_##op,
#include "client/tune/expr_ops.def"
#undef FUNCTION
#undef BINARY
};

/*  What is known before evaluation: a choice of numbers and words may be either. */
enum expr_type { TYPE_NUMBER = 1, TYPE_TEXT = 2, TYPE_EITHER = 3 };

struct expr {
    enum expr_op op;
    enum expr_type type;
    uint32_t column; /* from 1 */
    uint32_t param;
    double number;
    const char *text;
    const struct expr *const *args;
    uint32_t count;
};
#endif
