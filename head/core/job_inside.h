/*  job_inside.h - what the files about jobs share: job.c (the row and its moves), job_open.c, job_end.c. */
#ifndef RAYC_CORE_JOB_INSIDE_H
#define RAYC_CORE_JOB_INSIDE_H
#include "head/core/state.h"

enum job_cause { CAUSE_STARTED = 1, CAUSE_SUCCEEDED, CAUSE_FAILED, CAUSE_STOPPED, CAUSES };

void job_write(struct core *core, const struct job *job); /* its row of states */
void job_move(struct core *core, uint32_t index, enum job_cause cause);
uint32_t job_of_submission(const struct core *core,
                           struct slice submission); /* NONE: no such job */
#endif
