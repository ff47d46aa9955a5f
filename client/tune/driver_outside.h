/*  driver_outside.h - a search algorithm that is another program: asked and told over its stdin and stdout, one JSON
    object per line (external.h).  All functions but outside_open() do nothing when `self` is NULL. */
#ifndef RAYC_TUNE_DRIVER_OUTSIDE_H
#define RAYC_TUNE_DRIVER_OUTSIDE_H
#include "client/tune/study.h"

struct outside;

/*  Starts it if the spec says search.algo external, and tells it the space and the trials that the study has already:
    RAYC_OK; RAYC_EINVALID or RAYC_ENOTFOUND with rayc_error(). */
MUST_CHECK int outside_open(struct outside **out, const struct study_spec *spec,
                            const struct study *study, uint64_t seed);
void outside_close(struct outside **self);
/*  Asks for the point of a trial.  True: it was given to the study, or there are no more; false: not now. */
bool outside_ask(struct outside *self, struct study *study, uint32_t trial, uint64_t now_ms);
/*  Why it cannot go on; NULL: it can. */
const char *outside_error(const struct outside *self);
void outside_report(struct outside *self, const struct rec_report *report);
void outside_tell(struct outside *self, const struct study *study, uint32_t trial);
#endif
