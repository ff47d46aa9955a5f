/*  history.h - what a study has seen: the input of every search algorithm.

    Values are to be minimised: a study that maximises negates at the door.  Points are complete. */
#ifndef RAYC_TUNE_HISTORY_H
#define RAYC_TUNE_HISTORY_H
#include "client/tune/space.h"
#include "proto/proto.h"

/*  enum trial_state is that of states.def.  PAUSED: stopped at a rung with a checkpoint.  TERMINATED: ended well, or
    was stopped by a scheduler or stopper (then `pruned`).  ERROR: failed more often than max_failures. */
struct trial {
    uint32_t number; /* from 0; its place in history.trials */
    enum trial_state state;
    bool pruned;    /* ended (or pauses) before its full resource */
    bool given;     /* a user's point with a result: never ran */
    uint32_t tag;   /* for the algorithm that suggested it: CMA-ES's generation, ... */
    uint64_t ended; /* 1, 2, 3 in the order in which trials ended; 0: has not */
    /*  of the objective, to be minimised: of a TERMINATED one final, else the last report's; NAN: none */
    double value;
    double step; /* resource of the last report; 0: none */
    const double *x;
};

struct history {
    const struct space *space;
    uint64_t seed;
    const struct trial *trials; /* by number; the one being suggested is not among them */
    uint32_t count;
    /*  numbers of TERMINATED and ERROR trials, in the order in which they ended */
    const uint32_t *ended;
    uint32_t ended_count;
    uint32_t trials_max; /* of the study; 0: unknown */
};
#endif
