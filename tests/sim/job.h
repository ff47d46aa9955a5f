/*  job.h - of the simulated world: jobs that wait for those of others, and that are deleted. */
#ifndef RAYC_SIM_JOB_H
#define RAYC_SIM_JOB_H
#include "proto/proto.h"

struct sim;
struct client;
struct job_seen;

void job_draw(struct sim *sim, struct client *self);
struct list job_after(struct sim *sim, const struct client *self); /* in sim->extra */
bool job_asks(struct sim *sim, struct client *self,
              uint32_t state); /* true: it may not leave yet */
void job_changed_is(struct sim *sim, struct client *self, const struct msg_changed *msg);
void jobs_check(struct sim *sim); /* what was told to be deleted stays so */
void seen_job_waits(struct sim *sim, const void *from);
void after_seen(struct job_seen *job, struct slice waits);
void rule_after(struct sim *sim, const struct job_seen *job);   /* it begins */
bool after_failed(struct sim *sim, const struct job_seen *job); /* one that must succeed did not */
void sent_changed(struct sim *sim, const struct msg_changed *msg);
#endif
