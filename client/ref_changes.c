/*  ref_changes.c - an array, of which the front goes when the head has it. */
#include "client/ref_changes.h"

#include <stdlib.h>

enum { FIRST_CAPACITY = 64 };

void ref_changes_init(struct ref_changes *self)
{
    *self = (struct ref_changes){ .first = 1 };
}

void ref_changes_fini(struct ref_changes *self)
{
    free(self->all);
    ref_changes_init(self);
}

void ref_changes_add(struct ref_changes *self, const struct ref_change *change)
{
    if (self->count == self->capacity) {
        self->capacity = self->capacity == 0 ? FIRST_CAPACITY : self->capacity * 2;
        self->all = realloc(self->all, self->capacity * sizeof(*self->all));
        ensure(self->all != NULL);
    }
    self->all[self->count++] = *change;
    self->held += change->ref.held;
}

uint32_t ref_changes_take(struct ref_changes *self, uint64_t below, struct wire *to,
                          uint64_t *first)
{
    uint32_t taken = 0;
    *first = self->first + self->sent;
    while (self->sent < self->count && taken < CALLS_PER_FRAME_MAX &&
           self->all[self->sent].after <= below && to->capacity - to->n >= REF_CHANGE_BYTES) {
        proto_put_record(to, REC_REF, &self->all[self->sent].ref);
        self->sent++;
        taken++;
    }
    return taken;
}

void ref_changes_taken(struct ref_changes *self, uint64_t below)
{
    if (below <= self->first) {
        return;
    }
    size_t gone = below - self->first < self->count ? (size_t)(below - self->first) : self->count;
    for (size_t i = 0; i < gone; i++) {
        self->held -= self->all[i].ref.held;
    }
    memmove(self->all, self->all + gone, (self->count - gone) * sizeof(*self->all));
    self->count -= gone;
    self->sent = self->sent > gone ? self->sent - gone : 0;
    self->first = below;
    self->stalled = false;
}

void ref_changes_again(struct ref_changes *self)
{
    self->sent = 0;
    self->stalled = false;
}

void ref_changes_look(struct ref_changes *self)
{
    if (self->stalled) {
        ref_changes_again(self);
    } else {
        self->stalled = self->sent > 0;
    }
}
