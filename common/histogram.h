/*  histogram.h - how often something took how long: fixed buckets, no allocation.  Pure; one thread writes, and copies
    it for others to read. */
#ifndef RAYC_HISTOGRAM_H
#define RAYC_HISTOGRAM_H
#include "common/base.h"

enum { HISTOGRAM_BOUNDS = 17 };
/*  Upper bounds, in microseconds: from a turn of the loop to a day of work. */
#define HISTOGRAM_US                                                                               \
    {                                                                                              \
        10, 50, 100, 500, 1000, 5000, 10000, 50000, 100000, 500000, 1000000, 5000000, 10000000,    \
            60000000, 600000000, 3600000000, 86400000000                                           \
    }

struct histogram {
    uint64_t counts[HISTOGRAM_BOUNDS + 1]; /* the last one: beyond all bounds */
    uint64_t sum_us;
};

static inline void histogram_add(struct histogram *self, uint64_t us)
{
    static const uint64_t bounds[HISTOGRAM_BOUNDS] = HISTOGRAM_US;
    uint32_t i = 0;
    while (i < HISTOGRAM_BOUNDS && us > bounds[i]) {
        i++;
    }
    self->counts[i]++;
    self->sum_us += us;
}
#endif
