/*  heap.c - sift up, sift down, and the places kept right. */
#include "common/heap.h"

static uint64_t *time_of(const struct heap *self, uint32_t index)
{
    return (uint64_t *)(void *)((uint8_t *)pool_at(self->slots, index) + self->time_offset);
}

static uint32_t *place_of(const struct heap *self, uint32_t index)
{
    return (uint32_t *)(void *)((uint8_t *)pool_at(self->slots, index) + self->place_offset);
}

void heap_init(struct heap *self, void *memory, uint32_t capacity, const struct pool *slots,
               uint32_t time_offset, uint32_t place_offset)
{
    *self = (struct heap){ memory, slots, time_offset, place_offset, 0, capacity };
}

static void put(struct heap *self, uint32_t place, uint32_t index)
{
    self->items[place] = index;
    *place_of(self, index) = place;
}

static void sift(struct heap *self, uint32_t place, uint32_t index)
{
    uint64_t time = *time_of(self, index);
    while (place > 0 && *time_of(self, self->items[(place - 1) / 2]) > time) {
        put(self, place, self->items[(place - 1) / 2]);
        place = (place - 1) / 2;
    }
    for (;;) {
        uint32_t child = place * 2 + 1;
        if (child >= self->count) {
            break;
        }
        if (child + 1 < self->count &&
            *time_of(self, self->items[child + 1]) < *time_of(self, self->items[child])) {
            child++;
        }
        if (*time_of(self, self->items[child]) >= time) {
            break;
        }
        put(self, place, self->items[child]);
        place = child;
    }
    put(self, place, index);
}

void heap_set(struct heap *self, uint32_t index, uint64_t time)
{
    uint32_t place = *place_of(self, index);
    *time_of(self, index) = time;
    if (place == NONE) {
        ensure(self->count < self->capacity);
        place = self->count++;
    }
    sift(self, place, index);
}

void heap_remove(struct heap *self, uint32_t index)
{
    uint32_t place = *place_of(self, index);
    if (place == NONE) {
        return;
    }
    *place_of(self, index) = NONE;
    uint32_t last = self->items[--self->count];
    if (last != index) {
        sift(self, place, last);
    }
}

uint32_t heap_first(const struct heap *self)
{
    return self->count > 0 ? self->items[0] : NONE;
}

uint64_t heap_time(const struct heap *self)
{
    return self->count > 0 ? *time_of(self, self->items[0]) : UINT64_MAX;
}
