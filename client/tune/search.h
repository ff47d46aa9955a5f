/*  search.h - search algorithms: the next point of a study, as a pure function of (seed, history, number).

    searches.def is the table; search_NAME.c is one algorithm.  An algorithm may keep what it derives from the history
    (`memo`), but must give the same point without it: after a restart the memo is empty. */
#ifndef RAYC_TUNE_SEARCH_H
#define RAYC_TUNE_SEARCH_H
#include "client/tune/history.h"

struct search_options {
    const char *algo;    /* a name of searches.def */
    uint32_t startup;    /* random trials first (tpe: 10) */
    uint32_t candidates; /* tpe: 24 */
    bool multivariate;   /* tpe: true */
    bool group;          /* tpe: true */
    bool constant_liar;  /* tpe: true */
    bool dedup; /* true: never the same point twice, unless the space is exhausted or repeat > 1 */
    uint32_t repeat;            /* each point so many times (1) */
    double sigma;               /* cmaes: first step size in units of the space (1/6) */
    uint32_t population;        /* cmaes: 0 by dimension */
    const char *const *command; /* external: what is asked, up to NULL */
};
struct search_options search_defaults(void);

enum search_answer {
    SEARCH_POINT = 0, /* x and *tag are set */
    SEARCH_WAIT,      /* nothing to suggest before another trial has ended */
    SEARCH_EXHAUSTED, /* every point was suggested */
    SEARCH_INFEASIBLE /* no point that satisfies the constraints was found in SEARCH_TRIES draws */
};
enum { SEARCH_TRIES = 10000 };

struct search; /* options, memo; memory of its own */

struct search_algorithm {
    const char *name;
    const char *summary; /* for `rayc tune --help` and near misses */
    /*  false: the point depends on (seed, number) and earlier points alone, so that trials may be made ahead. */
    bool needs_history;
    bool external; /* a program is asked (external.h) by the shell; suggest is NULL */
    /*  One try: `attempt` counts the tries for this trial (an infeasible or repeated point is tried again). */
    enum search_answer (*suggest)(struct search *self, const struct history *history,
                                  uint32_t number, uint32_t attempt, double *x, uint32_t *tag);
    void (*close)(struct search *self); /* frees self->memo; or NULL */
};

struct search {
    const struct search_algorithm *algorithm;
    struct search_options options;
    void *memo;        /* the algorithm's; NULL at first */
    struct seen *seen; /* seen.h: points that were suggested */
    /*  of the trial being suggested: values that it must have (grid: [...]); NAN: free */
    const double *fixed;
};

const struct search_algorithm *search_find(const char *name); /* NULL: unknown */
const struct search_algorithm *search_at(uint32_t i);         /* NULL: no more */

void search_open(struct search *self, const struct search_options *options);
void search_close(struct search *self);
/*  The point of trial `number`: the algorithm's, tried again while it is infeasible or a repetition, then at random,
    then (finite spaces) the first one untried.  history->count == number.  With repeat above 1 the earliest point
    that has too few trials is taken again, with tag 0, before there is a new one. */
enum search_answer search_suggest(struct search *self, const struct history *history,
                                  uint32_t number, double *x, uint32_t *tag);

/*  For algorithms: a value for every parameter that the search chooses, active or not; and, when x has its values,
    the fixed ones over them, NAN for what is not active, computed parameters. */
void search_draw(const struct history *history, uint32_t number, uint32_t attempt, double *x);
void search_complete(const struct search *self, const struct space *space, double *x);
/*  Values that a trial must have by its place in the cycle over `all` finite parameters, or those marked as grid; the
    last one varies fastest.  False: there is none. */
bool search_cycle(const struct space *space, uint64_t index, bool all, double *fixed);
#endif
