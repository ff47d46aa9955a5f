/*  spread.c - SPREAD: round robin over the nodes that have room, in order of joining.  It goes on after the node of the
    last one, which may be gone. */
#include "head/policy/policy.h"

uint32_t spread_place(const struct place_node *nodes, uint32_t count, const struct place_ask *ask,
                      struct prng *rng)
{
    (void)rng;
    uint32_t first = NONE;
    for (uint32_t i = 0; i < count; i++) {
        if (!amounts_fit(ask->need, nodes[i].free)) {
            continue;
        }
        if (nodes[i].id > ask->last) {
            return i;
        }
        first = first == NONE ? i : first;
    }
    return first;
}
