/*  prng.h - a seeded generator (SplitMix64, Steele, Lea and Flood 2014): decisions that must repeat. */
#ifndef RAYC_PRNG_H
#define RAYC_PRNG_H
#include "common/base.h"

struct prng {
    uint64_t state;
};

static inline uint64_t prng_next(struct prng *self)
{
    uint64_t z = self->state += 0x9E3779B97F4A7C15u;
    z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9u;
    z = (z ^ z >> 27) * 0x94D049BB133111EBu;
    return z ^ z >> 31;
}

/*  Uniform in [0, bound); 0 for bound 0.  The bias is below bound / 2^64. */
static inline uint64_t prng_below(struct prng *self, uint64_t bound)
{
    return bound == 0 ? 0 : prng_next(self) % bound;
}
#endif
