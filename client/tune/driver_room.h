/*  driver_room.h - how many trials of a study the cluster can run at a time. */
#ifndef RAYC_TUNE_DRIVER_ROOM_H
#define RAYC_TUNE_DRIVER_ROOM_H
#include "client/session.h"
#include "client/tune/spec.h"

/*  At least 1: with no node that is large enough, a task that waits says why. */
uint32_t cluster_room(struct session *session, const struct study_spec *spec);
#endif
