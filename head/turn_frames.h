/*  turn_frames.h - frames that elements of a batch share: DECIDED to a worker, REPORTED to the driver of a study; what a
    START takes from the store.

    Each puts what begins at `first` and joins it, into one frame, and marks it in `told`; `elements` is scratch; both
    are empty before.  What does not fit is left for the next frame, in its order. */
#ifndef RAYC_TURN_FRAMES_H
#define RAYC_TURN_FRAMES_H
#include "head/core/core.h"
#include "head/store.h"

void put_decided(const struct batch *batch, uint32_t first, bool *told, struct wire *elements,
                 struct wire *frame);
void put_reported(const struct batch *batch, uint32_t first, bool *told, struct wire *elements,
                  struct wire *frame);
/*  The results that a start's references name, read from the store into `values`; their number in `count`.
    ERR_UPSTREAM: one of them is not there any more. */
MUST_CHECK int put_values(struct store *store, struct slice deps, struct wire *values,
                          uint32_t *count);
/*  A spec as workers need it, as an element of START. */
MUST_CHECK int put_spec(struct store *store, const struct core *core, uint64_t id,
                        struct wire *specs);
#endif
