/*  quota.h - of the simulated world: how many bytes of objects users may have. */
#ifndef RAYC_SIM_QUOTA_H
#define RAYC_SIM_QUOTA_H
#include <stdint.h>

struct sim;
struct task_seen;

enum { OBJECT_BYTES = 1 << 20 }; /* of each that is in a store */

uint64_t quota_of(const struct sim *sim, uint32_t user); /* as the head is told */
void seen_user_put(struct sim *sim, const void *row);
void rule_kept(struct sim *sim, const struct task_seen *task);    /* its object is */
void rule_refused(struct sim *sim, const struct task_seen *task); /* its user has no room */
#endif
