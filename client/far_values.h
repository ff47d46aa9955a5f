/*  far_values.h - large values for a driver on a machine without a node: they come over the network from the nodes that
    have them, into memory of the process. */
#ifndef RAYC_FAR_VALUES_H
#define RAYC_FAR_VALUES_H
#include "client/session.h"
#include "proto/stored.h"

/*  Waits until it has come: *bytes is malloced, with a 0 behind it.  RAYC_ETIMEOUT at `until_us` of clock_us();
    RAYC_EOBJECTLOST, RAYC_EOBJECTFREED. */
MUST_CHECK int far_values_get(struct session *session, const struct stored *id, uint64_t until_us,
                              uint8_t **bytes);
#endif
