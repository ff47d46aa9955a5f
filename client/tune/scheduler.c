/*  scheduler.c - the table of schedulers, their defaults, and what they share. */
#include "client/tune/scheduler_inside.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/err.h"
#include "common/near.h"

#define SCHEDULER(name) extern const struct scheduler_type scheduler_##name;
#include "client/tune/schedulers.def"
#undef SCHEDULER

static const struct scheduler_type *const table[] = {
#define SCHEDULER(name) &scheduler_##name,
#include "client/tune/schedulers.def"
#undef SCHEDULER
};

const struct scheduler_type *scheduler_at(uint32_t i)
{
    return i < COUNT(table) ? table[i] : NULL;
}

const struct scheduler_type *scheduler_find(const char *name)
{
    for (uint32_t i = 0; i < COUNT(table); i++) {
        if (name && strcmp(table[i]->name, name) == 0) {
            return table[i];
        }
    }
    return NULL;
}

struct scheduler_options scheduler_defaults(const char *type)
{
    bool rungs = type && (strcmp(type, "asha") == 0 || strcmp(type, "hyperband") == 0);
    bool careful = type && strcmp(type, "auto") == 0;
    return (struct scheduler_options){
        .type = type,
        .min = 1,
        .max = rungs ? 100 : 0,
        .eta = 3,
        .grace = 1,
        .min_samples = careful ? 5 : 3,
        .interval = 4,
        .quantile = 0.25,
        .resample = 0.25,
        .factor_up = 1.2,
        .factor_down = 0.8,
    };
}

int scheduler_open(struct scheduler *self, const struct scheduler_options *options,
                   const struct space *space, uint64_t seed, struct diag *why)
{
    *self = (struct scheduler){ .options = *options, .space = space, .seed = seed };
    const struct scheduler_type *type = scheduler_find(options->type);
    if (!type) {
        struct near near;
        near_begin(&near, options->type ? options->type : "");
        for (uint32_t i = 0; i < COUNT(table); i++) {
            near_offer(&near, table[i]->name);
        }
        const char *meant = near_found(&near);
        return option_refuse(why, "scheduler.type", "unknown scheduler \"%.40s\"%s%s%s",
                             options->type ? options->type : "", meant ? "; do you mean " : "",
                             meant ? meant : "", meant ? "?" : "");
    }
    int error = type->open(self, why);
    self->type = error == OK ? type : NULL;
    return error;
}

void scheduler_close(struct scheduler *self)
{
    if (self->type) {
        self->type->close(self);
        self->type = NULL;
    }
}

bool scheduler_pins(const struct scheduler *self, uint32_t trial)
{
    return self->type->pins && self->type->pins(self, trial);
}

/* --- what they share -------------------------------------------------------------------------- */

struct entry entry_of(double value, uint32_t trial)
{
    return (struct entry){ isnan(value) ? (double)INFINITY : value, trial };
}

static int entry_compare(const void *a, const void *b)
{
    const struct entry *x = a;
    const struct entry *y = b;
    return entry_before(*x, *y) ? -1 : entry_before(*y, *x);
}

void entries_sort(struct entry *entries, uint32_t count)
{
    if (count > 0) {
        qsort(entries, count, sizeof(*entries), entry_compare);
    }
}

void *array_room(void *items, uint32_t *capacity, uint32_t index, size_t item_bytes)
{
    if (index < *capacity) {
        return items;
    }
    uint32_t grown = index < 8 ? 16 : 2 * (index + 1);
    ensure(index < UINT32_MAX / 4);
    uint8_t *bytes = realloc(items, grown * item_bytes);
    ensure(bytes != NULL);
    memset(bytes + *capacity * item_bytes, 0, (grown - *capacity) * item_bytes);
    *capacity = grown;
    return bytes;
}

uint32_t milestones(const struct scheduler_options *options, double out[static RUNGS_MAX])
{
    uint32_t count = 0;
    for (double at = options->min; at < options->max && count < RUNGS_MAX; at *= options->eta) {
        out[count++] = at;
    }
    return count;
}

int option_refuse(struct diag *why, const char *field, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    *why = (struct diag){ .field = field };
    (void)vsnprintf(why->text, sizeof(why->text), format, arguments);
    va_end(arguments);
    return ERR_INVALID;
}

int options_check_rungs(const struct scheduler_options *options, struct diag *why)
{
    if (!(options->min > 0 && isfinite(options->min))) {
        return option_refuse(why, "scheduler.min", "must be above 0");
    }
    if (!(options->max >= options->min && isfinite(options->max))) {
        return option_refuse(why, "scheduler.max", "must not be below min (%g)", options->min);
    }
    if (!(options->eta > 1 && isfinite(options->eta))) {
        return option_refuse(why, "scheduler.eta", "must be above 1");
    }
    double all[RUNGS_MAX];
    if (milestones(options, all) == RUNGS_MAX) {
        return option_refuse(why, "scheduler.eta", "is too near 1: more than %d rungs", RUNGS_MAX);
    }
    return OK;
}
