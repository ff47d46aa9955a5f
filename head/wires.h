/*  wires.h - what the loop encodes into: room for the largest frame there is, reserved, and touched as it is used. */
#ifndef RAYC_WIRES_H
#define RAYC_WIRES_H
#include "common/reserve.h"
#include "proto/proto.h"

enum { WIRE_BYTES = FRAME_MAX + MIB };

static inline bool wire_reserve(struct wire *self)
{
    *self = (struct wire){ reserve_try(WIRE_BYTES), 0, WIRE_BYTES, false };
    return self->p != NULL;
}

static inline void wire_free(struct wire *self)
{
    reserve_free(self->p, WIRE_BYTES);
}

static inline void wire_clear(struct wire *self)
{
    self->n = 0;
    self->full = false;
}

/*  It is empty, and may have been large: all its pages go back. */
static inline void wire_rest(struct wire *self)
{
    reserve_return(self->p, WIRE_BYTES, 0);
}
#endif
