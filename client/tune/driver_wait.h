/*  driver_wait.h - why no trial of a study runs: a study must not hang without a word. */
#ifndef RAYC_TUNE_DRIVER_WAIT_H
#define RAYC_TUNE_DRIVER_WAIT_H
#include "client/session.h"
#include "client/tune/spec.h"

/*  Why this task waits; WHY_RUNNING if it does not, or if the head cannot say it now. */
enum why task_waits(struct session *session, uint64_t task);
/*  For people; NULL: nothing worth a word. */
enum { WAIT_TEXT_BYTES = 400 };
const char *wait_text(const struct study_spec *spec, enum why why, char out[WAIT_TEXT_BYTES]);
#endif
