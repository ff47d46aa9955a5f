/*  hybrid.c - Ray's default placement.  Score: the critical utilisation, the largest used/total over the resources
    asked for, as it would be; below one half it counts as zero, so that small clusters pack.  Best score first, ties by
    order of joining, and one of the best max(1, nodes / 5) uniformly.  Work without GPUs avoids nodes that have some.
    (Ray: scheduler_spread_threshold 0.5, scheduler_top_k_fraction 0.2, scheduler_avoid_gpu_nodes.) */
#include "head/policy/policy.h"

enum { SCALE = 1 << 20, TOP_MAX = 256 };

static uint64_t score_of(const struct place_node *node, const struct amounts *need)
{
    uint64_t worst = 0;
    for (int i = 0; i < KINDS_MAX; i++) {
        if (need->of[i] > 0) {
            double total = (double)node->total->of[i];
            double used = total - (double)node->free->of[i] + (double)need->of[i];
            uint64_t share = (uint64_t)(used / total * SCALE);
            worst = share > worst ? share : worst;
        }
    }
    worst = worst < SCALE / 2 ? 0 : worst;
    bool avoid = need->of[KIND_GPU] == 0 && node->total->of[KIND_GPU] > 0;
    return worst + (avoid ? 2 * SCALE : 0);
}

uint32_t hybrid_place(const struct place_node *nodes, uint32_t count, const struct place_ask *ask,
                      struct prng *rng)
{
    const struct amounts *need = ask->need;
    uint32_t best[TOP_MAX];
    uint64_t scores[TOP_MAX];
    uint32_t top = count / 5 > 1 ? count / 5 : 1;
    top = top < TOP_MAX ? top : TOP_MAX;
    uint32_t found = 0;
    for (uint32_t i = 0; i < count; i++) {
        if (!amounts_fit(need, nodes[i].free)) {
            continue;
        }
        uint64_t score = score_of(&nodes[i], need);
        uint32_t at = found;
        while (at > 0 && scores[at - 1] > score) {
            at--;
        }
        if (at == top) {
            continue;
        }
        found += found < top;
        for (uint32_t k = found - 1; k > at; k--) {
            best[k] = best[k - 1];
            scores[k] = scores[k - 1];
        }
        best[at] = i;
        scores[at] = score;
    }
    return found == 0 ? NONE : best[prng_below(rng, found)];
}
