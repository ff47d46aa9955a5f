/*  worker_limits_test.c - a worker whose memory is full, and what it forgets so that it is not. */
#include <stdio.h>
#include "tests/unit/worker_world.h"

static void test_limits(void **state)
{
    (void)state;
    struct worker_limits limits = { .attempts = 8, .executors = 2, .specs = 2, .reports = 2 };
    struct world *world = world_new(40000, 0, limits);
    connect_to(world, EPOCH, NODE);
    start(world, &FUNCTION, 1, 10);
    assert_int_equal(outcome_of(world, 9), OUTCOME_RETURNED);
    assert_int_equal(outcome_of(world, 10), OUTCOME_RETURNED);
    assert_int_equal(worker_stats(world->worker).executors, 2);
    finish_all(world, 900000);
    assert_true(world->done_count < 10); /* too much is not acknowledged */
    acknowledge_all(world);
    for (int i = 0; i < 8; i++) {
        finish_all(world, 900000);
        acknowledge_all(world);
    }
    assert_int_equal(world->done_count, 10);
    start(world, &COMMAND, 21, 3); /* an idle executor makes room for each */
    assert_int_equal(runs_task(world, 21) == NONE, 0);
    struct spec_told third = FUNCTION;
    third.id = 3;
    start(world, &third, 31, 1); /* nothing is of the first one any more: it is forgotten */
    struct spec_told fourth = FUNCTION;
    fourth.id = 4;
    start(world, &fourth, 41, 1);
    assert_int_equal(outcome_of(world, 41), OUTCOME_SETUP_FAILED);
    world_free(world);
}

/*  A worker that lives for long is told of more specs and packages than it has room for; of one that it has forgotten,
    it asks to be told again. */
static void test_many_specs(void **state)
{
    (void)state;
    struct worker_limits limits = { .attempts = 8, .executors = 2, .specs = 4, .reports = 4 };
    struct world *world = world_new(40000, 0, limits);
    connect_to(world, EPOCH, NODE);
    char package[8];
    for (uint32_t i = 1; i <= 40; i++) {
        snprintf(package, sizeof(package), "p%u", i);
        struct spec_told spec = {
            .id = i, .kind = SPEC_COMMAND, .program = "", .package = package
        };
        world->no_fetch = true;
        start(world, &spec, i, 1);
        struct worker_event here = {
            .kind = WEV_PROGRAM, .hash = slice_text(package), .package = true, .user = 7
        };
        world_tell(world, here);
        exited(world, runs_task(world, i), 0, "");
        assert_int_equal(outcome_of(world, i), OUTCOME_OK);
        acknowledge_all(world);
        here.code = ERR_CLOSED; /* it had to make room */
        world_tell(world, here);
    }
    assert_int_equal(world->spawned, 40);
    uint32_t joins = world->sent[MSG_NODE_JOIN];
    start_at(world, ++world->start_seq, NULL, 1, 41, 1, 1000);
    assert_int_equal(world->sent[MSG_NODE_JOIN], joins + 1);
    world_free(world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_limits),
        cmocka_unit_test(test_many_specs),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
