/*  affine.c - node:NODE and node:NODE:soft.  While the node lives and is large enough (ask.only), its tasks wait for room
    there; a soft one that lost it is placed as any other. */
#include "head/policy/policy.h"

uint32_t affine_place(const struct place_node *nodes, uint32_t count, const struct place_ask *ask,
                      struct prng *rng)
{
    if (!ask->only) {
        return hybrid_place(nodes, count, ask, rng);
    }
    for (uint32_t i = 0; i < count; i++) {
        if (nodes[i].id == ask->node) {
            return amounts_fit(ask->need, nodes[i].free) ? i : NONE;
        }
    }
    return NONE;
}
