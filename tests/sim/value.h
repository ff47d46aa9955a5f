/*  value.h - of the simulated world: values that clients put, and tasks of others that wait for them. */
#ifndef RAYC_SIM_VALUE_H
#define RAYC_SIM_VALUE_H
#include "proto/proto.h"

struct sim;
struct client;

/*  The client has a spec for values beyond those of its tasks, if it puts any. */
void value_spec(struct sim *sim, struct client *self);
/*  Some calls become values, and some wait for a value of another client of the same user. */
void value_draw(struct sim *sim, struct client *self, uint32_t counter);
bool is_value(const struct client *self, uint32_t counter);
/*  The task that a call waits for: of another client, or by its counter of this one. */
uint64_t value_dep(const struct client *self, uint64_t dep);
/*  Some clients have a reference of another one's task, and stay until they are told how that ended. */
void value_borrow(struct sim *sim, struct client *self);
bool value_waits(const struct client *self);
bool value_told(struct client *self, uint64_t task); /* it is the one */
#endif
