/*  functions.h - functions that search algorithms are judged on: plain formulas with a known optimum.

    functions.def is the table; functions.c and holdout.c are the formulas, spaces/NAME.yaml their spaces.  Pure. */
#ifndef RAYC_JUDGE_FUNCTIONS_H
#define RAYC_JUDGE_FUNCTIONS_H
#include "common/base.h"

enum { ARGUMENTS_MAX = 64 };

struct argument {
    const char *name;
    const char *text; /* of a choice of strings; else as written, or NULL */
    double number;
};

struct arguments {
    const struct argument *at;
    uint32_t count;
    bool noisy; /* false: the true value, whatever the function */
    int64_t seed, trial;
    /*  set by the function that asked for it in vain; what it returned then means nothing */
    const char *missing;
};
/*  By name; NAN and "" if it is not there, and `missing` is set. */
double argument_number(struct arguments *self, const char *name);
const char *argument_text(struct arguments *self, const char *name);

enum judge_set { SET_PUBLIC = 1, SET_HOLDOUT, SET_CURVE };

struct judged {
    const char *name;
    double (*value)(struct arguments *arguments, uint32_t step);
    enum judge_set set;
    bool maximize;
    bool noisy;     /* depends on seed and trial */
    uint32_t steps; /* of a curve; 0: one number */
    double best;    /* of the true value; of a curve at its last step */
};
const struct judged *judged_find(const char *name); /* NULL: unknown */
const struct judged *judged_at(uint32_t i);         /* NULL: no more */
const char *judge_set_name(enum judge_set set);     /* "public", "holdout", "curve" */

/*  A draw of N(0, 1), a function of three integers alone. */
double judge_gauss(int64_t seed, int64_t trial, int64_t step);
static inline double square(double v)
{
    return v * v;
}
#endif
