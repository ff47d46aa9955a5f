/*  policy.h - which node gets the next slot.  Pure: a policy sees what every node has and has free, and a seeded
    generator; it changes nothing.  One line in policy.def and one file each. */
#ifndef RAYC_POLICY_H
#define RAYC_POLICY_H
#include "common/base.h"
#include "common/prng.h"

enum { KINDS_MAX = 32 /* names of resources in a cluster */ };
enum { KIND_CPU = 0, KIND_MEMORY = 1, KIND_GPU = 2, KINDS_FIXED = 3 };

struct amounts {
    uint64_t of[KINDS_MAX];
};

struct place_node {
    uint32_t node; /* the core's index; the list is in order of joining */
    const struct amounts *total, *free;
    uint64_t id; /* rises in the list */
};

struct place_ask {
    const struct amounts *need;
    uint64_t node; /* a node that is wanted: by its id; 0: none */
    bool only;     /* there, or wait for room there */
    uint64_t last; /* where the one before went */
};

/*  An element of `nodes` (its place in the list) where `need` fits into free now, or NONE. */
typedef uint32_t policy_place(const struct place_node *nodes, uint32_t count,
                              const struct place_ask *ask, struct prng *rng);

static inline bool amounts_fit(const struct amounts *need, const struct amounts *room)
{
    for (int i = 0; i < KINDS_MAX; i++) {
        if (need->of[i] > room->of[i]) {
            return false;
        }
    }
    return true;
}

#define POLICY(STRATEGY, name, text) policy_place name##_place;
#include "head/policy/policy.def"
#undef POLICY
#endif
