/*  study_trials.c - the table of trials of a study: adding, changing and ending them, and which one is the best. */
#include <math.h>
#include <stdlib.h>

#include "client/tune/study_inside.h"
#include "common/text.h"

/* --- memory ----------------------------------------------------------------------------------- */

void *array_grow(void *array, uint32_t *capacity, uint32_t wanted, size_t item_bytes)
{
    if (wanted <= *capacity) {
        return array;
    }
    uint32_t more = *capacity ? *capacity : 64;
    while (more < wanted) {
        more *= 2;
    }
    array = realloc(array, more * item_bytes);
    ensure(array != NULL);
    *capacity = more;
    return array;
}

void queue_put(struct queue *self, uint32_t item)
{
    if (self->count == self->capacity) {
        uint32_t old = self->capacity;
        self->items = array_grow(self->items, &self->capacity, old + 1, sizeof(*self->items));
        for (uint32_t i = 0; i < self->first; i++) { /* what had wrapped goes behind the rest */
            self->items[(old + i) & (self->capacity - 1)] = self->items[i];
        }
    }
    self->items[(self->first + self->count++) & (self->capacity - 1)] = item;
}

bool queue_take(struct queue *self, uint32_t *item)
{
    if (self->count == 0) {
        return false;
    }
    *item = self->items[self->first];
    self->first = (self->first + 1) & (self->capacity - 1);
    self->count--;
    return true;
}

void row_text(char **to, struct slice text)
{
    free(*to);
    *to = NULL;
    if (text.n > 0) {
        *to = malloc(text.n + 1);
        ensure(*to != NULL);
        memcpy(*to, text.p, text.n);
        (*to)[text.n] = 0;
    }
}

/* --- trials ----------------------------------------------------------------------------------- */

void slot_changed(struct study *self, struct slot *slot)
{
    self->seen[slot->row.base.number] = slot->row.base;
    if (!slot->row.dirty && !self->restoring) {
        slot->row.dirty = true;
        queue_put(&self->dirty, slot->row.base.number);
    }
}

const double *point_copy(struct study *self, const double *x)
{
    size_t bytes = self->spec->space.count * sizeof(*x);
    double *copy = arena_take(self->arena, bytes + 1);
    memcpy(copy, x, bytes);
    return copy;
}

struct slot *slot_new(struct study *self, const double *x)
{
    uint32_t capacity = self->capacity;
    self->slots = array_grow(self->slots, &capacity, self->count + 1, sizeof(*self->slots));
    self->seen = array_grow(self->seen, &self->capacity, self->count + 1, sizeof(*self->seen));
    struct slot *slot = &self->slots[self->count];
    const double *copy = point_copy(self, x);
    *slot = (struct slot){
        .first_x = copy,
        .row = { .base = { .number = self->count, .state = TRIAL_PENDING, .value = NAN, .x = copy },
                 .value = NAN,
                 .donor = NONE }
    };
    self->seen[self->count++] = slot->row.base;
    return slot;
}

/*  Its params, as people and commands see its point. */
void slot_params(struct study *self, struct slot *slot)
{
    char params[METRICS_MAX];
    (void)space_print_json(&self->spec->space, slot->row.base.x, params, sizeof(params));
    slot->row.params = arena_text(self->arena, slice_text(params));
}

struct slot *slot_made(struct study *self, uint64_t now_ms)
{
    struct slot *slot = slot_new(self, self->x);
    slot->row.created_ms = now_ms;
    slot_params(self, slot);
    return slot;
}

void study_best_changed(struct study *self, uint32_t number)
{
    const struct trial *trials = self->seen;
    uint32_t first = number;
    uint32_t end = number + 1;
    if (number == self->best && !(trials[number].value <= self->best_value)) {
        self->best = NONE; /* it has become worse */
        first = 0;
        end = self->count;
    }
    for (uint32_t i = first; i < end && !self->restoring; i++) {
        double least = self->best == NONE ? INFINITY : self->best_value;
        if (trials[i].value < least || (trials[i].value == least && i < self->best)) {
            self->best = i;
            self->best_value = trials[i].value;
        }
    }
}

void slot_take_donor(struct study *self, struct slot *slot, uint32_t donor)
{
    slot->row.donor = donor < self->count ? donor : NONE; /* a stored one may be anything */
    if (slot->row.donor != NONE) {
        double step = self->slots[donor].checkpoint_step;
        slot->row.base.step = step < slot->row.base.step ? step : slot->row.base.step;
    }
}

void study_halt(struct study *self, enum halt halt, const char *why)
{
    if (self->halt <= HALT_SOFT && self->halt < halt) {
        self->halt = halt;
        (void)slice_copy_text(slice_text(why), self->halt_why, sizeof(self->halt_why));
    }
}

/*  Schedulers count trials: those that were given, or that no journal tells of, are told before. */
void fold_added(struct study *self, const struct slot *slot)
{
    for (; self->decides && self->added <= slot->row.base.number; self->added++) {
        self->scheduler.type->added(&self->scheduler, self->added,
                                    self->slots[self->added].first_x);
    }
}

void fold_ended(struct study *self, struct slot *slot)
{
    const struct trial *trial = &slot->row.base;
    slot->over = true;
    fold_added(self, slot);
    if (self->decides) {
        self->scheduler.type->ended(&self->scheduler, trial->number, trial->state == TRIAL_ERROR);
    }
    self->ran += !trial->given;
    self->succeeded += !trial->given && trial->state == TRIAL_TERMINATED;
    if (trial->state == TRIAL_ERROR && self->failure[0] == 0) {
        struct text text = text_in(self->failure, sizeof(self->failure));
        text_add(&text, "all trials failed; the first error, of trial ");
        text_u64(&text, trial->number);
        text_add(&text, ": ");
        text_add(&text, slot->row.text ? slot->row.text : "unknown");
    }
    stop_ended(self, &slot->row);
}

void trial_end(struct study *self, struct slot *slot, enum trial_state state, uint64_t now_ms)
{
    struct trial *trial = &slot->row.base;
    trial->state = state;
    trial->ended = ++self->ended_last;
    slot->row.ended_ms = now_ms;
    self->ended =
        array_grow(self->ended, &self->ended_capacity, self->ended_count + 1, sizeof(*self->ended));
    self->ended[self->ended_count++] = trial->number;
    journal_ended(self, slot);
    slot_changed(self, slot);
    fold_ended(self, slot);
    study_best_changed(self, trial->number);
}

/*  "trial 7 ended without mAP50": its report is missing or misnamed. */
static void no_value(struct study *self, struct slot *slot, uint64_t now_ms)
{
    char text[METRICS_MAX + 256];
    struct text out = text_in(text, sizeof(text));
    text_add(&out, "it ended without reporting ");
    text_add(&out, self->spec->metric);
    text_add(&out, slot->row.metrics ? "; its last report: " : ", or anything");
    text_add(&out, slot->row.metrics ? slot->row.metrics : "");
    row_text(&slot->row.text, slice_text(text));
    trial_end(self, slot, TRIAL_ERROR, now_ms);
}

void trial_end_well(struct study *self, struct slot *slot, uint64_t now_ms)
{
    if (slot->measured) {
        trial_end(self, slot, TRIAL_TERMINATED, now_ms);
    } else {
        no_value(self, slot, now_ms);
    }
}
