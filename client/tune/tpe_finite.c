/*  tpe_finite.c - a list of all points, and a hash table over it. */
#include "client/tune/tpe_finite.h"

#include <stdlib.h>

/*  The slot of a point, or the free one where it would be. */
static uint32_t slot_of(const struct tpe_finite *self, const double *x)
{
    uint32_t slot = (uint32_t)space_hash(self->space, x) & (self->slot_count - 1);
    while (self->slots[slot] != 0) {
        const double *other = self->x + (size_t)(self->slots[slot] - 1) * self->space->count;
        if (space_same(self->space, x, other)) {
            break;
        }
        slot = (slot + 1) & (self->slot_count - 1);
    }
    return slot;
}

static void list(struct tpe_finite *self)
{
    double x[PARAMS_MAX];
    uint64_t cursor = 0;
    while (space_next(self->space, &cursor, x)) {
        if (!space_feasible(self->space, x)) {
            continue;
        }
        uint32_t slot = slot_of(self, x);
        if (self->slots[slot] == 0) {
            memcpy(self->x + (size_t)self->count * self->space->count, x,
                   self->space->count * sizeof(double));
            self->slots[slot] = ++self->count;
        }
    }
}

struct tpe_finite *tpe_finite_new(const struct space *space)
{
    uint64_t size = space_size(space);
    if (size == 0 || size > TPE_FINITE_MAX) {
        return NULL;
    }
    struct tpe_finite *self = calloc(1, sizeof(*self));
    ensure(self);
    self->space = space;
    self->slot_count = 16;
    while (self->slot_count < 2 * size) {
        self->slot_count *= 2;
    }
    self->x = calloc(size * space->count + 1, sizeof(double));
    self->uses = calloc(size, sizeof(*self->uses));
    self->slots = calloc(self->slot_count, sizeof(*self->slots));
    ensure(self->x && self->uses && self->slots);
    list(self);
    return self;
}

void tpe_finite_destroy(struct tpe_finite **self)
{
    struct tpe_finite *finite = *self;
    if (finite) {
        free(finite->x);
        free(finite->uses);
        free(finite->slots);
        free(finite);
        *self = NULL;
    }
}

void tpe_finite_count(struct tpe_finite *self, const double *x, int by)
{
    if (!self) {
        return;
    }
    uint32_t index = self->slots[slot_of(self, x)];
    if (index != 0) {
        self->uses[index - 1] += (uint32_t)by;
    }
}
