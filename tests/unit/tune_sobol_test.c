/*  tune_sobol_test.c - Sobol's sequence against the known one, and what scrambling must leave as it is. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <cmocka.h>
#include "client/tune/sobol.h"

/*  The first points in three dimensions (times 8), without the Gray code that others order them by. */
static void first_points_are_those_of_joe_and_kuo(void **state)
{
    (void)state;
    static const uint32_t eighths[8][3] = { { 0, 0, 0 }, { 4, 4, 4 }, { 2, 6, 6 }, { 6, 2, 2 },
                                            { 1, 5, 3 }, { 5, 1, 7 }, { 3, 3, 5 }, { 7, 7, 1 } };
    for (uint32_t i = 0; i < 8; i++) {
        for (uint32_t d = 0; d < 3; d++) {
            assert_int_equal(sobol_at(i, d), eighths[i][d] << 29);
        }
    }
}

/*  Points 1000 of the sequence of Joe and Kuo's own program, in the order of the Gray code: index i ^ i >> 1. */
static void far_dimensions_are_those_of_joe_and_kuo(void **state)
{
    (void)state;
    static const struct {
        uint32_t dimension;
        uint32_t at;
    } known[] = { { 1, 415236096u },    { 4, 1203765248u },   { 9, 297795584u },
                  { 20, 2243952640u },  { 63, 1916796928u },  { 64, 557842432u },
                  { 128, 3829399552u }, { 200, 3233808384u }, { 255, 1069547520u } };
    for (uint32_t i = 0; i < COUNT(known); i++) {
        assert_int_equal(sobol_at(1000 ^ 1000 >> 1, known[i].dimension), known[i].at);
    }
}

/*  2^10 points have one in each of 2^10 intervals of every dimension, scrambled or not; in two dimensions that are
    near the front, in each box of 32 * 32. */
static void every_interval_has_a_point(void **state)
{
    (void)state;
    for (uint32_t d = 0; d < SOBOL_DIMENSIONS; d++) {
        bool plain[1024] = { false };
        bool scrambled[1024] = { false };
        for (uint32_t i = 0; i < 1024; i++) {
            uint32_t at = sobol_at(i, d);
            plain[at >> 22] = true;
            scrambled[sobol_scramble(at, 0x9E3779B9u * (d + 1)) >> 22] = true;
        }
        for (uint32_t i = 0; i < 1024; i++) {
            assert_true(plain[i] && scrambled[i]);
        }
    }
    bool boxes[32][32] = { { false } };
    for (uint32_t i = 0; i < 1024; i++) {
        boxes[sobol_scramble(sobol_at(i, 0), 7) >> 27][sobol_scramble(sobol_at(i, 1), 8) >> 27] =
            true;
    }
    for (uint32_t i = 0; i < 1024; i++) {
        assert_true(boxes[i / 32][i % 32]);
    }
}

static void seeds_scramble_otherwise(void **state)
{
    (void)state;
    uint32_t same = 0;
    for (uint32_t i = 0; i < 256; i++) {
        same += sobol_scramble(sobol_at(i, 0), 1) >> 24 == sobol_scramble(sobol_at(i, 0), 2) >> 24;
    }
    assert_true(same < 64);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(first_points_are_those_of_joe_and_kuo),
        cmocka_unit_test(far_dimensions_are_those_of_joe_and_kuo),
        cmocka_unit_test(every_interval_has_a_point),
        cmocka_unit_test(seeds_scramble_otherwise),
    };
    return cmocka_run_group_tests_name("tune_sobol", tests, NULL, NULL);
}
