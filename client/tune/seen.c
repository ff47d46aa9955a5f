/*  seen.c - a hash table with open addressing over copies of the trials' points. */
#include "client/tune/seen.h"

#include <stdlib.h>

struct seen {
    const struct space *space;
    uint64_t space_size;
    uint32_t known; /* trials of the history that were looked at */
    uint32_t capacity;
    double *x;      /* of each: its point then */
    uint32_t *live; /* trials that had not ended then */
    uint32_t live_count;
    uint32_t complete; /* trials below have points with enough trials, for `repeat` */
    uint32_t repeat;
    uint32_t slot_count; /* a power of 2 */
    uint32_t slots_used;
    struct {
        uint32_t owner; /* a trial with this point, + 1; 0: free */
        uint32_t uses;
    } * slots;
};

static const double *point_of(const struct seen *self, uint32_t trial)
{
    return self->x + (size_t)trial * self->space->count;
}

/*  The slot of a point, or the free one where it would be. */
static uint32_t slot_of(const struct seen *self, const double *x)
{
    uint32_t slot = (uint32_t)space_hash(self->space, x) & (self->slot_count - 1);
    while (self->slots[slot].owner != 0 &&
           !space_same(self->space, x, point_of(self, self->slots[slot].owner - 1))) {
        slot = (slot + 1) & (self->slot_count - 1);
    }
    return slot;
}

static void add(struct seen *self, uint32_t trial)
{
    uint32_t slot = slot_of(self, point_of(self, trial));
    if (self->slots[slot].owner == 0) {
        self->slots[slot].owner = trial + 1;
        self->slots_used++;
    }
    self->slots[slot].uses++;
}

static void fill(struct seen *self)
{
    memset(self->slots, 0, self->slot_count * sizeof(*self->slots));
    self->slots_used = 0;
    for (uint32_t i = 0; i < self->known; i++) {
        add(self, i);
    }
}

static void *grown(void *p, size_t count, size_t size)
{
    void *larger = realloc(p, count * size);
    ensure(larger);
    return larger;
}

static void reserve(struct seen *self, uint32_t count)
{
    if (count > self->capacity) {
        self->capacity = count < 64 ? 64 : count + count / 2;
        self->x = grown(self->x, (size_t)self->capacity * (self->space->count + 1), sizeof(double));
        self->live = grown(self->live, self->capacity, sizeof(*self->live));
    }
    if (self->slot_count < 2 * count) {
        self->slot_count = self->slot_count ? self->slot_count : 64;
        while (self->slot_count < 2 * count) {
            self->slot_count *= 2;
        }
        self->slots = grown(self->slots, self->slot_count, sizeof(*self->slots));
        fill(self);
    }
}

static bool has_ended(const struct trial *trial)
{
    return trial->state == TRIAL_TERMINATED || trial->state == TRIAL_ERROR;
}

static void copy(struct seen *self, uint32_t trial, const double *x)
{
    memcpy(self->x + (size_t)trial * self->space->count, x, self->space->count * sizeof(double));
}

/*  Points of trials that had not ended may be others now: then everything is counted again. */
static void follow_live(struct seen *self, const struct history *history)
{
    bool changed = false;
    uint32_t kept = 0;
    for (uint32_t i = 0; i < self->live_count; i++) {
        uint32_t trial = self->live[i];
        const double *x = history->trials[trial].x;
        if (!space_same(self->space, x, point_of(self, trial))) {
            copy(self, trial, x);
            changed = true;
        }
        self->live[kept] = trial;
        kept += !has_ended(&history->trials[trial]);
    }
    self->live_count = kept;
    if (changed) {
        fill(self);
        self->complete = 0;
    }
}

void seen_learn(struct seen **out, const struct history *history)
{
    struct seen *self = *out;
    if (self && (self->space != history->space || self->known > history->count)) {
        seen_destroy(out);
        self = NULL;
    }
    if (!self) {
        self = *out = calloc(1, sizeof(*self));
        ensure(self);
        self->space = history->space;
        self->space_size = space_size(history->space);
    }
    reserve(self, history->count + 1);
    follow_live(self, history);
    for (; self->known < history->count; self->known++) {
        const struct trial *trial = &history->trials[self->known];
        copy(self, self->known, trial->x);
        add(self, self->known);
        if (!has_ended(trial)) {
            self->live[self->live_count++] = self->known;
        }
    }
}

void seen_destroy(struct seen **self)
{
    if (*self) {
        free((*self)->x);
        free((*self)->live);
        free((*self)->slots);
        free(*self);
        *self = NULL;
    }
}

uint32_t seen_uses(const struct seen *self, const double *x)
{
    return self->slots[slot_of(self, x)].uses;
}

uint32_t seen_lacking(struct seen *self, const struct history *history, uint32_t repeat)
{
    if (self->repeat != repeat) {
        self->repeat = repeat;
        self->complete = 0;
    }
    for (; self->complete < self->known; self->complete++) {
        if (!history->trials[self->complete].given &&
            seen_uses(self, point_of(self, self->complete)) < repeat) {
            return self->complete;
        }
    }
    return NONE;
}

uint64_t seen_space_size(const struct seen *self)
{
    return self->space_size;
}
