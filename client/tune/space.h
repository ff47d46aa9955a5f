/*  space.h - what can be tuned: parameters, their domains, when they are active, and points in that space.

    A point is one double per parameter, in the order of the space (parents before children): of a number the number
    itself, of a choice the index of its option, NAN where the parameter is not active.  Everything here is pure: it
    neither allocates nor knows files; spec.h makes spaces. */
#ifndef RAYC_TUNE_SPACE_H
#define RAYC_TUNE_SPACE_H
#include "client/tune/expr.h"
#include "common/base.h"

enum { PARAMS_MAX = 256, SPACE_FINITE_MAX = 100000 };

enum param_kind {
    PARAM_FLOAT = 1, /* low..high, both included; step 0: continuous */
    PARAM_INT,       /* low..high, both included; step 1 or more */
    PARAM_CHOICE,    /* one of options */
    PARAM_NORMAL,    /* mean, sd; step 0: continuous; log: the value is exp of it (lognormal) */
    PARAM_BETA,      /* mean = a, sd = b: Beta(a, b) in [0, 1] */
    PARAM_CONST,     /* options[0] */
    PARAM_EXPR       /* `expr` over earlier parameters */
};
enum param_scale { SCALE_LINEAR = 0, SCALE_LOG, SCALE_REVERSE_LOG };

/*  A value of a choice, a constant, or a computed parameter. */
enum option_kind { OPTION_NULL = 0, OPTION_BOOL, OPTION_INT, OPTION_FLOAT, OPTION_STRING };
struct choice {
    enum option_kind kind;
    double number;    /* of BOOL (0, 1), INT, FLOAT */
    const char *text; /* of STRING; else as written in the file */
};

/*  `parent` (index of an earlier PARAM_CHOICE or number) must have one of these values. */
struct condition {
    uint32_t parent;
    uint32_t count;
    const double *values; /* as in a point: indices of options, or numbers */
};

struct param {
    const char *name; /* as trials see it; of a nested group "a.b" */
    enum param_kind kind;
    enum param_scale scale;
    double low, high, step;
    double mean, sd;
    const struct choice *options;
    uint32_t option_count;
    const double *weights; /* of a choice; sum 1; NULL: all the same */
    bool ordered; /* of a choice of numbers: the user says that their order means something */
    bool grid;    /* of a choice: every option is to be tried (grid: [...]) */
    const struct condition *when; /* all of these must hold, */
    uint32_t when_count;
    const struct expr *when_expr; /* and this, unless NULL */
    const struct expr *expr;      /* of PARAM_EXPR */
    bool has_init;
    double init; /* a value for the first trial, as in a point */
    /*  printf format of the value for commands; NULL: the shortest that reads back */
    const char *format;
    uint32_t line; /* of the file */
};

struct space {
    const struct param *params;
    uint32_t count;
    const struct expr *const *constraints; /* over all parameters; each must be true of a point */
    uint32_t constraint_count;
};

/*  Does the search choose this one?  (Not PARAM_CONST, PARAM_EXPR.) */
bool param_is_free(const struct param *self);
/*  Is it a number with an order: FLOAT, INT, NORMAL, BETA? */
bool param_is_number(const struct param *self);

/*  Is parameter i active, given the values of the earlier ones in x? */
bool space_active(const struct space *self, uint32_t i, const double *x);
/*  Sets what is not active to NAN and computes PARAM_CONST (0) and PARAM_EXPR, in order. */
void space_complete(const struct space *self, double *x);
/*  Do all constraints hold of a complete point?  A constraint that names an inactive parameter holds. */
bool space_feasible(const struct space *self, const double *x);
bool space_same(const struct space *self, const double *a, const double *b); /* NAN equals NAN */
uint64_t space_hash(const struct space *self, const double *x);

/*  The value at quantile u in [0, 1) of the parameter's own distribution, on its grid. */
double param_at(const struct param *self, double u);
/*  A number onto its grid and into its bounds. */
double param_fit(const struct param *self, double value);
/*  How many values it has; 0: without end. */
uint64_t param_size(const struct param *self);
/*  The i-th of them. */
double param_value(const struct param *self, uint64_t i);

/*  How many points there are, conditions counted, constraints not; 0: without end, or above SPACE_FINITE_MAX. */
uint64_t space_size(const struct space *self);
/*  Walks all points of a finite space in a fixed order (the last parameter varies fastest): false at the end.
    Start with *cursor = 0; x is complete, and what the last call left in it must stay. */
bool space_next(const struct space *self, uint64_t *cursor, double *x);

/*  A draw in [0, 1), a pure function of all of these (SplitMix64 of their mix): so the order in which trials end
    changes nothing but what a model has seen. */
double draw_uniform(uint64_t seed, uint64_t trial, uint32_t param, uint32_t n);
double draw_normal(uint64_t seed, uint64_t trial, uint32_t param, uint32_t n); /* by quantile */
/*  A point by the parameters' own distributions; `n` tells draws of one trial apart. */
void space_draw(const struct space *self, uint64_t seed, uint64_t trial, uint32_t n, double *x);

/*  Quantile of the standard normal distribution (Wichura AS 241), and its distribution function. */
double normal_quantile(double p);
double normal_cdf(double z);

/*  A value as a command sees it: the shortest decimal that reads back to the same double, integers without a point,
    options as written.  Returns its length; at most `capacity` - 1 bytes are written, and a NUL. */
size_t param_print(const struct param *self, double value, char *out, size_t capacity);
size_t number_print(double value, char *out, size_t capacity);
/*  A point as one JSON object of its active parameters; returns its length, cut as param_print(). */
size_t space_print_json(const struct space *self, const double *x, char *out, size_t capacity);
uint32_t space_find(const struct space *self, struct slice name); /* index, or NONE */
#endif
