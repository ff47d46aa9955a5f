/*  sobol.c - direction numbers to coordinates (Antonov and Saleev would save time that nobody misses: any point can
    be asked for, in any order). */
#include "client/tune/sobol.h"

enum { BITS = 32, DEGREE_MAX = 12 };

static const uint16_t polynomials[] = {
#define SOBOL(polynomial, ...) polynomial,
#include "client/tune/sobol.def"
#undef SOBOL
};

static const uint16_t initial[][DEGREE_MAX] = {
#define SOBOL(polynomial, ...) { __VA_ARGS__ },
#include "client/tune/sobol.def"
#undef SOBOL
};

_Static_assert(COUNT(polynomials) == SOBOL_DIMENSIONS - 1, "the first dimension has no polynomial");

/*  m[k] are odd integers below 2^(k+1); the direction numbers are m[k] / 2^(k+1). */
static void directions(uint32_t dimension, uint32_t m[static BITS])
{
    if (dimension == 0) {
        for (uint32_t k = 0; k < BITS; k++) {
            m[k] = 1;
        }
        return;
    }
    const uint32_t polynomial = polynomials[dimension - 1];
    uint32_t degree = 0;
    while (polynomial >> (degree + 1) != 0) {
        degree++;
    }
    for (uint32_t k = 0; k < BITS; k++) {
        if (k < degree) {
            m[k] = initial[dimension - 1][k];
            continue;
        }
        m[k] = m[k - degree] ^ m[k - degree] << degree;
        for (uint32_t j = 1; j < degree; j++) {
            if (polynomial >> (degree - j) & 1) {
                m[k] ^= m[k - j] << j;
            }
        }
    }
}

uint32_t sobol_at(uint32_t index, uint32_t dimension)
{
    ensure(dimension < SOBOL_DIMENSIONS);
    uint32_t m[BITS];
    directions(dimension, m);
    uint32_t at = 0;
    for (uint32_t k = 0; k < BITS && index >> k != 0; k++) {
        if (index >> k & 1) {
            at ^= m[k] << (BITS - 1 - k);
        }
    }
    return at;
}

static uint32_t reversed(uint32_t x)
{
    x = (x >> 1 & 0x55555555u) | (x & 0x55555555u) << 1;
    x = (x >> 2 & 0x33333333u) | (x & 0x33333333u) << 2;
    x = (x >> 4 & 0x0F0F0F0Fu) | (x & 0x0F0F0F0Fu) << 4;
    x = (x >> 8 & 0x00FF00FFu) | (x & 0x00FF00FFu) << 8;
    return x >> 16 | x << 16;
}

uint32_t sobol_scramble(uint32_t at, uint32_t seed)
{
    uint32_t x = reversed(at); /* each bit may depend on itself and lower ones only */
    x ^= x * 0x3d20adeau;
    x += seed;
    x *= (seed >> 16) | 1;
    x ^= x * 0x05526c56u;
    x ^= x * 0x53a22864u;
    return reversed(x);
}
