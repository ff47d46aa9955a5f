/*  inherit.h - what the tasks of a driver on the cluster take over from its job: packages and variables of its runtime
    environment, as its worker has told them in RAYC_RUNTIME_ENV (a SPEC record in hex). */
#ifndef RAYC_INHERIT_H
#define RAYC_INHERIT_H
#include "proto/proto.h"

/*  Adds them to a spec; *body is malloced if it had to change, and belongs to the caller.  Nothing happens in a process
    that no worker has started. */
void inherit_into(struct rec_spec *spec, uint8_t **body);
#endif
