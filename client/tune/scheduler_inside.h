/*  scheduler_inside.h - what the schedulers share: the order of values, growing arrays, rungs, checks of options. */
#ifndef RAYC_TUNE_SCHEDULER_INSIDE_H
#define RAYC_TUNE_SCHEDULER_INSIDE_H
#include "client/tune/scheduler.h"

/*  A trial's value at a rung.  NAN is the worst value, INFINITY here; ties go to the lower trial number. */
struct entry {
    double value;
    uint32_t trial;
};
struct entry entry_of(double value, uint32_t trial);
static inline bool entry_before(struct entry a, struct entry b)
{
    return a.value != b.value ? a.value < b.value : a.trial < b.trial;
}
void entries_sort(struct entry *entries, uint32_t count);

/*  Room for item `index` of an array: it doubles; what is new is zeroed. */
void *array_room(void *items, uint32_t *capacity, uint32_t index, size_t item_bytes);

/*  Resources of successive halving: min * eta^i as long as that is below max.  By multiplication: log(243) / log(3)
    is 4.999... in doubles, and would lose one. */
enum { RUNGS_MAX = 64 };
uint32_t milestones(const struct scheduler_options *options, double out[static RUNGS_MAX]);

/*  ERR_INVALID with a text for the user. */
int option_refuse(struct diag *why, const char *field, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/*  min, max, eta. */
MUST_CHECK int options_check_rungs(const struct scheduler_options *options, struct diag *why);

/*  Draws of schedulers, apart from those of searches, which use a parameter's index below PARAMS_MAX. */
#define DRAW_BRACKET 0x80000000u
#define DRAW_DONOR   0x80000001u
#define DRAW_EXPLORE 0x80010000u /* + 4 * parameter + which */
#endif
