/*  sobol.h - Sobol's sequence with Owen's scrambling: points that fill a cube more evenly than random ones.  Pure. */
#ifndef RAYC_TUNE_SOBOL_H
#define RAYC_TUNE_SOBOL_H
#include "common/base.h"

enum { SOBOL_DIMENSIONS = 256 };

/*  Coordinate `dimension` of point `index`, times 2^32. */
uint32_t sobol_at(uint32_t index, uint32_t dimension);
/*  Owen's nested uniform scrambling of such a coordinate by a hash (Laine and Karras 2011 with the constants of
    Vegdahl 2021; Burley, "Practical Hash-based Owen Scrambling", JCGT 9(4), 2020). */
uint32_t sobol_scramble(uint32_t at, uint32_t seed);
#endif
