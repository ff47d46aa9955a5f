/*  tune_stubs.h - names of searches and schedulers for tests of search.yaml alone; the real tables go first where
    they are linked. */
#ifndef RAYC_TEST_TUNE_STUBS_H
#define RAYC_TEST_TUNE_STUBS_H
#include "client/tune/scheduler.h"
#include "client/tune/search.h"

#define STUB __attribute__((weak))

STUB struct search_options search_defaults(void)
{
    return (struct search_options){ .algo = "tpe",
                                    .startup = 10,
                                    .candidates = 24,
                                    .multivariate = true,
                                    .group = true,
                                    .constant_liar = true,
                                    .dedup = true,
                                    .repeat = 1,
                                    .sigma = 1.0 / 6 };
}

STUB const struct search_algorithm *search_at(uint32_t i)
{
    static const struct search_algorithm all[] = { { .name = "random" }, { .name = "grid" },
                                                   { .name = "tpe" },    { .name = "cmaes" },
                                                   { .name = "auto" },   { .name = "external" } };
    return i < COUNT(all) ? &all[i] : NULL;
}

STUB const struct search_algorithm *search_find(const char *name)
{
    for (uint32_t i = 0; search_at(i); i++) {
        if (strcmp(search_at(i)->name, name) == 0) {
            return search_at(i);
        }
    }
    return NULL;
}

STUB struct scheduler_options scheduler_defaults(const char *type)
{
    return (struct scheduler_options){ .type = type, .min = 1, .max = 100, .eta = 3 };
}

STUB const struct scheduler_type *scheduler_at(uint32_t i)
{
    static const struct scheduler_type all[] = { { .name = "fifo" },
                                                 { .name = "asha" },
                                                 { .name = "hyperband" },
                                                 { .name = "median" },
                                                 { .name = "pbt" } };
    return i < COUNT(all) ? &all[i] : NULL;
}

STUB const struct scheduler_type *scheduler_find(const char *name)
{
    for (uint32_t i = 0; scheduler_at(i); i++) {
        if (strcmp(scheduler_at(i)->name, name) == 0) {
            return scheduler_at(i);
        }
    }
    return NULL;
}
#endif
