/*  rung.c - a rung of successive halving. */
#include "client/tune/rung.h"

#include <math.h>
#include <stdlib.h>

static bool above(const struct entry_heap *self, struct entry a, struct entry b)
{
    return self->worst_first ? entry_before(b, a) : entry_before(a, b);
}

static void heap_put(struct entry_heap *self, struct entry entry)
{
    self->items = array_room(self->items, &self->capacity, self->count, sizeof(*self->items));
    uint32_t i = self->count++;
    while (i > 0 && above(self, entry, self->items[(i - 1) / 2])) {
        self->items[i] = self->items[(i - 1) / 2];
        i = (i - 1) / 2;
    }
    self->items[i] = entry;
}

static struct entry heap_take(struct entry_heap *self)
{
    ensure(self->count > 0);
    struct entry first = self->items[0];
    struct entry last = self->items[--self->count];
    uint32_t i = 0;
    for (uint32_t child = 1; child < self->count; child = 2 * i + 1) {
        if (child + 1 < self->count && above(self, self->items[child + 1], self->items[child])) {
            child++;
        }
        if (!above(self, self->items[child], last)) {
            break;
        }
        self->items[i] = self->items[child];
        i = child;
    }
    self->items[i] = last;
    return first;
}

void rung_init(struct rung *self)
{
    *self = (struct rung){ .best = { .worst_first = true } };
}

void rung_fini(struct rung *self)
{
    free(self->best.items);
    free(self->rest.items);
    free(self->waiting.items);
}

void rung_add(struct rung *self, struct entry entry, double eta)
{
    if (self->best.count > 0 && entry_before(entry, self->best.items[0])) {
        heap_put(&self->best, entry);
    } else {
        heap_put(&self->rest, entry);
    }
    uint32_t size = (uint32_t)floor(rung_count(self) / eta);
    while (self->best.count > size) {
        heap_put(&self->rest, heap_take(&self->best));
    }
    while (self->best.count < size) {
        heap_put(&self->best, heap_take(&self->rest));
    }
}

/*  The second of a heap is one of the two below the first. */
static double second(const struct entry_heap *self)
{
    bool left = self->count == 2 || entry_before(self->items[1], self->items[2]);
    return self->items[left ? 1 : 2].value;
}

double rung_cutoff(const struct rung *self, double eta)
{
    double place = (rung_count(self) - 1) / eta;
    double share = place - floor(place);
    /* floor(n / eta) is floor((n - 1) / eta), or one more: the value at `place` ends the best or begins the rest. */
    bool ends_best = self->best.count > (uint32_t)floor(place);
    double low = ends_best ? self->best.items[0].value : self->rest.items[0].value;
    if (share == 0 || isinf(low)) {
        return low;
    }
    double high = ends_best ? self->rest.items[0].value : second(&self->rest);
    return low + share * (high - low);
}

void rung_wait(struct rung *self, struct entry entry)
{
    heap_put(&self->waiting, entry);
}

bool rung_first(const struct rung *self, struct entry *out)
{
    if (self->waiting.count == 0) {
        return false;
    }
    *out = self->waiting.items[0];
    return true;
}

void rung_drop_first(struct rung *self)
{
    (void)heap_take(&self->waiting);
}

bool rung_admits(const struct rung *self, struct entry entry)
{
    return self->best.count > 0 && !entry_before(self->best.items[0], entry);
}
