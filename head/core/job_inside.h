/*  job_inside.h - what the files about jobs share: job.c (the row and its moves), job_open.c, job_end.c. */
#ifndef RAYC_CORE_JOB_INSIDE_H
#define RAYC_CORE_JOB_INSIDE_H
#include "common/bug.h"
#include "common/text.h"
#include "head/core/state.h"

enum job_cause { CAUSE_STARTED = 1, CAUSE_SUCCEEDED, CAUSE_FAILED, CAUSE_STOPPED, CAUSES };

void job_write(struct core *core, const struct job *job); /* its row of states */
void job_move(struct core *core, uint32_t index, enum job_cause cause);
uint32_t job_of_submission(const struct core *core,
                           struct slice submission); /* NONE: no such job */

/*  job_wait.c */
int waits_read(struct core *core, struct list after, uint64_t owner, struct job_waits *out,
               struct text *why);
struct slice waits_text(struct core *core, const struct job_waits *waits);
struct slice waits_bytes(struct core *core, const struct job_waits *waits);
struct slice waits_reason(struct core *core, const struct job *job);
void waits_restore(struct job *job, struct slice bytes);
void job_hold(struct core *core, uint32_t index);
void job_unhold(struct core *core, uint32_t index);
void wait_over(struct core *core, uint32_t index,
               uint32_t ended); /* a job that a held one may name */
void waits_wake(struct core *core, uint32_t ended);
/*  Some detached actor of it lives. */
bool job_lingers(const struct core *core, const struct job *job);
#endif
