/*  policy_test.c - placement policies: nodes and a demand in, a node out. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "head/policy/policy.h"

enum { FEW = 3 };

struct cluster {
    struct amounts total[FEW], free[FEW];
    struct place_node nodes[FEW];
    struct amounts need;
    struct prng rng;
};

/*  Three nodes of four CPUs, with ids 10, 20 and 30, and a demand of one CPU. */
static struct cluster *cluster(struct cluster *self)
{
    *self = (struct cluster){ .need.of[KIND_CPU] = 1 };
    for (uint32_t i = 0; i < FEW; i++) {
        self->total[i].of[KIND_CPU] = self->free[i].of[KIND_CPU] = 4;
        self->nodes[i] =
            (struct place_node){ i, &self->total[i], &self->free[i], (uint64_t)(i + 1) * 10 };
    }
    return self;
}

static uint32_t place(struct cluster *self, policy_place *policy, const struct place_ask *like)
{
    struct place_ask ask = *like;
    ask.need = &self->need;
    return policy(self->nodes, FEW, &ask, &self->rng);
}

static void hybrid_packs_until_half_full(void **unused)
{
    (void)unused;
    struct cluster world, *self = cluster(&world);
    static const struct place_ask any = { 0 };
    assert_int_equal(place(self, hybrid_place, &any), 0);
    self->total[0].of[KIND_CPU] = 8;
    self->free[0].of[KIND_CPU] = 6; /* with this one 3 of 8: below one half is as good as empty */
    assert_int_equal(place(self, hybrid_place, &any), 0);
    self->total[0].of[KIND_CPU] = 4;
    self->free[0].of[KIND_CPU] = 2; /* one more is over one half */
    assert_int_equal(place(self, hybrid_place, &any), 1);
    self->free[1].of[KIND_CPU] = 1;
    self->free[2].of[KIND_CPU] = 1;
    assert_int_equal(place(self, hybrid_place, &any), 0);
    self->need.of[KIND_CPU] = 3;
    assert_int_equal(place(self, hybrid_place, &any), NONE);
}

/*  Of ten nodes any of the two with the best score, and no other. */
static void hybrid_takes_one_of_the_best_fifth(void **unused)
{
    (void)unused;
    enum { TEN = 10 };
    struct amounts total = { .of[KIND_CPU] = 4 }, need = { .of[KIND_CPU] = 1 },
                   free[TEN] = { { .of[KIND_CPU] = 0 } };
    struct place_node nodes[TEN];
    struct prng rng = { 0 };
    struct place_ask ask = { .need = &need };
    uint32_t times[TEN] = { 0 };
    for (uint32_t i = 0; i < TEN; i++) {
        free[i].of[KIND_CPU] = i == 3 || i == 7 ? 2 : 1;
        nodes[i] = (struct place_node){ i, &total, &free[i], (i + 1) * 10 };
    }
    for (int i = 0; i < 100; i++) {
        times[hybrid_place(nodes, TEN, &ask, &rng)]++;
    }
    assert_true(times[3] > 20 && times[7] > 20 && times[3] + times[7] == 100);
}

static void hybrid_keeps_cpu_work_off_gpus(void **unused)
{
    (void)unused;
    struct cluster world, *self = cluster(&world);
    static const struct place_ask any = { 0 };
    self->total[0].of[KIND_GPU] = self->free[0].of[KIND_GPU] = 1;
    assert_int_equal(place(self, hybrid_place, &any), 1);
    self->need.of[KIND_GPU] = 1;
    assert_int_equal(place(self, hybrid_place, &any), 0);
}

static void spread_goes_round(void **unused)
{
    (void)unused;
    struct cluster world, *self = cluster(&world);
    struct place_ask ask = { 0 };
    static const uint32_t round[] = { 0, 1, 2, 0, 1 };
    for (size_t i = 0; i < COUNT(round); i++) {
        uint32_t at = place(self, spread_place, &ask);
        assert_int_equal(at, round[i]);
        ask.last = self->nodes[at].id;
    }
    self->free[2].of[KIND_CPU] = 0; /* full: passed over */
    assert_int_equal(place(self, spread_place, &ask), 0);
    ask.last = 15; /* of a node that is gone */
    assert_int_equal(place(self, spread_place, &ask), 1);
    self->free[0].of[KIND_CPU] = self->free[1].of[KIND_CPU] = 0;
    assert_int_equal(place(self, spread_place, &ask), NONE);
}

static void affine_waits_for_its_node(void **unused)
{
    (void)unused;
    struct cluster world, *self = cluster(&world);
    struct place_ask ask = { .node = 20, .only = true };
    assert_int_equal(place(self, affine_place, &ask), 1);
    self->free[1].of[KIND_CPU] = 0;
    assert_int_equal(place(self, affine_place, &ask), NONE);
    ask.node = 40;
    assert_int_equal(place(self, affine_place, &ask), NONE);
    ask.only = false;
    assert_int_equal(place(self, affine_place, &ask), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(hybrid_packs_until_half_full),
        cmocka_unit_test(hybrid_takes_one_of_the_best_fifth),
        cmocka_unit_test(hybrid_keeps_cpu_work_off_gpus),
        cmocka_unit_test(spread_goes_round),
        cmocka_unit_test(affine_waits_for_its_node),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
