/*  tune_mixed.h - a space with one parameter of each sort that TPE tells apart. */
#ifndef RAYC_TEST_TUNE_MIXED_H
#define RAYC_TEST_TUNE_MIXED_H
#include "client/tune/space.h"

enum { AXES = 6 };

static const struct choice options_of_5[5];
static const struct param mixed[AXES] = {
    { .name = "a", .kind = PARAM_FLOAT, .low = -2, .high = 3 },
    { .name = "b", .kind = PARAM_FLOAT, .scale = SCALE_LOG, .low = 1e-5, .high = 10 },
    { .name = "c", .kind = PARAM_INT, .low = 1, .high = 8, .step = 1 },
    { .name = "d", .kind = PARAM_INT, .scale = SCALE_LOG, .low = 16, .high = 1024, .step = 1 },
    { .name = "e", .kind = PARAM_FLOAT, .low = 0, .high = 2, .step = 0.25 },
    { .name = "f", .kind = PARAM_CHOICE, .options = options_of_5, .option_count = 5 },
};

#endif
