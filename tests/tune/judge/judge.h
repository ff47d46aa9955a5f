/*  judge.h - the parts of rayc-judge: one study in this process, the functions as a command. */
#ifndef RAYC_JUDGE_H
#define RAYC_JUDGE_H
#include "client/tune/spec.h"
#include "tests/tune/judge/settings.h"

/*  A study of one function by one algorithm from one seed. */
struct order {
    const struct judged *function;
    const char *spaces;       /* folder of NAME.yaml */
    const char *const *flags; /* of spec.h; "search=tpe" is one of them */
    uint32_t flag_count;
    uint64_t seed;
    uint32_t trials;
};
struct judgement {
    bool done;
    uint32_t trials;  /* that ran: fewer than ordered when a finite space was exhausted */
    uint32_t repeats; /* trials of a point that an earlier one had */
    double seconds;
    double value[JUDGE_TRIALS_MAX]; /* observed, as a command would print it */
    /* True regret of the best observed trial after 1, 2, ... trials. */
    double regret[JUDGE_TRIALS_MAX];
};
/*  Runs it, one trial at a time.  False: a message was printed. */
bool study_judge(const struct order *order, struct judgement *out);

/*  Reads spaces/NAME.yaml with flags; NULL: a message was printed. */
struct study_spec *space_load(const char *spaces, const char *name, const char *const *flags,
                              uint32_t flag_count);
/*  The arguments of a point, as the function wants them; out has ARGUMENTS_MAX. */
uint32_t arguments_of(const struct space *space, const double *x, struct argument *out);

/*  The commands `eval`, `serve`, `space`; each returns the exit status. */
int command_eval(int argc, char **argv);
int command_serve(void);
int command_space(const char *spaces, const char *name);
#endif
