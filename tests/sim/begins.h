/*  begins.h - of the simulated world: what must hold when an attempt begins. */
#ifndef RAYC_SIM_BEGINS_H
#define RAYC_SIM_BEGINS_H
#include <stdint.h>

struct sim;
struct item;

void rule_begins(struct sim *sim, uint32_t node, const struct item *item); /* it is about to */
void rule_limit(struct sim *sim, const struct item *item);                 /* it has */
#endif
