/*  encoder.h - records joined into one frame: the two wires that this takes, used again for every frame. */
#ifndef RAYC_ENCODER_H
#define RAYC_ENCODER_H
#include "proto/proto.h"
#include "worker/arena.h"

enum { ENCODER_BYTES = FRAME_MAX + 4096, ENCODER_KEPT = 256 << 10 };

struct encoder {
    struct wire elements;
    struct wire frame;
    uint32_t count; /* of elements */
};

static inline void encoder_init(struct encoder *self)
{
    *self =
        (struct encoder){ .elements = { reserve_memory(ENCODER_BYTES), 0, ENCODER_BYTES, false },
                          .frame = { reserve_memory(ENCODER_BYTES), 0, ENCODER_BYTES, false } };
}

static inline void encoder_fini(struct encoder *self)
{
    reserve_free(self->elements.p, ENCODER_BYTES);
    reserve_free(self->frame.p, ENCODER_BYTES);
    *self = (struct encoder){ 0 };
}

static inline void encoder_reset(struct encoder *self)
{
    struct wire *wires[] = { &self->elements, &self->frame };
    for (size_t i = 0; i < COUNT(wires); i++) {
        if (wires[i]->n > ENCODER_KEPT) {
            reserve_return(wires[i]->p, ENCODER_BYTES, ENCODER_KEPT);
        }
        wires[i]->n = 0;
        wires[i]->full = false;
    }
    self->count = 0;
}

static inline void encoder_add(struct encoder *self, enum record_kind kind, const void *record)
{
    proto_put_record(&self->elements, kind, record);
    ensure(!self->elements.full); /* the callers count bytes */
    self->count++;
}

static inline struct list encoder_list(const struct encoder *self)
{
    return wire_list(&self->elements, self->count);
}
#endif
