/*  driver_room.h - what the driver asks the head: how many trials the cluster can run at a time, and which tasks of an
    earlier driver had finished. */
#ifndef RAYC_TUNE_DRIVER_ROOM_H
#define RAYC_TUNE_DRIVER_ROOM_H
#include "client/session.h"
#include "client/tune/spec.h"

/*  At least 1: with no node that is large enough, a task that waits says why. */
uint32_t cluster_room(struct session *session, const struct study_spec *spec);

/*  Has this task of any session ended well?  *result: what it returned, if that is a text; else NULL.  To be freed. */
bool cluster_finished(struct session *session, uint64_t task, char **result);
#endif
