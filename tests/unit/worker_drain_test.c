/*  worker_drain_test.c - the end of a worker in order: what runs may end, the rest goes back; and what the head asks back. */
#include "tests/unit/worker_world.h"

static void told_drained(struct world *world)
{
    assert_int_equal(world->sent[MSG_NODE_DRAIN], 1);
    world_say(world, MSG_CHANGED, &(struct msg_changed){ 1 << 30, 1 });
}

/*  What runs may end; what waits, and what comes, goes back at once. */
static void test_drain(void **state)
{
    (void)state;
    struct world *world = joined(10000, 0);
    start(world, &COMMAND, 1, 2);
    world_tell(world, (struct worker_event){ .kind = WEV_STOP, .until_ms = world->now + 5000 });
    told_drained(world);
    assert_int_equal(world->executors[0].killed, 0);
    assert_int_equal(outcome_of(world, 2), OUTCOME_RETURNED);
    start(world, &COMMAND, 3, 1);
    assert_int_equal(outcome_of(world, 3), OUTCOME_RETURNED);
    world_wait(world, 1000);
    acknowledge_all(world);
    assert_int_equal(world->exited, 0);
    exited(world, 0, 0, "");
    assert_int_equal(outcome_of(world, 1), OUTCOME_OK);
    assert_int_equal(world->exited, 0);
    acknowledge_all(world);
    assert_int_equal(world->sent[MSG_NODE_BYE], 1);
    assert_int_equal(world->exited, 1);
    world_free(world);
}

/*  Of what a resident executor was given, the first ends and the others go back; idle ones end. */
static void test_drain_residents(void **state)
{
    (void)state;
    struct world *world = joined(10000, 0);
    start(world, &FUNCTION, 1, 1);
    finish_all(world, 10);
    start(world, &FUNCTION, 2, 10);
    begin(world, 0);
    world_tell(world, (struct worker_event){ .kind = WEV_STOP, .until_ms = world->now + 5000 });
    told_drained(world);
    for (uint64_t task = 3; task <= 11; task++) {
        assert_int_equal(outcome_of(world, task), OUTCOME_RETURNED);
    }
    assert_int_equal(world->executors[0].killed, 0);
    ran(world, 0, OUTCOME_OK, 10);
    assert_int_equal(outcome_of(world, 2), OUTCOME_OK);
    assert_int_equal(world->executors[0].killed, SIGTERM); /* it has nothing to do */
    world_wait(world, 1);
    acknowledge_all(world);
    assert_int_equal(world->exited, 1);
    world_free(world);
}

/*  The limit holds without a head; what has ended is kept for one until then. */
static void test_drain_alone(void **state)
{
    (void)state;
    struct world *world = joined(20000, 0);
    start(world, &COMMAND, 1, 2);
    world_tell(world, (struct worker_event){ .kind = WEV_STOP, .until_ms = world->now + 5000 });
    world_tell(world, (struct worker_event){ .kind = WEV_DISCONNECTED });
    exited(world, 0, 0, "");
    world_wait(world, 4900);
    assert_int_equal(world->executors[1].killed, 0);
    world_wait(world, 101);
    assert_int_equal(world->executors[1].killed, SIGTERM);
    world_wait(world, 310);
    assert_int_equal(world->exited, 1);
    world_free(world);
}

/*  A node that is drained by the head: its worker stays. */
static void test_given_back(void **state)
{
    (void)state;
    struct world *world = joined(30000, 0);
    start(world, &COMMAND, 1, 1);
    start(world, &FUNCTION, 2, 1);
    begin(world, runs_task(world, 2));
    recall(world, 1, 1001, RECALL_GIVE_BACK);
    recall(world, 2, 1002, RECALL_GIVE_BACK);
    recall(world, 3, 1003, RECALL_GIVE_BACK); /* it has none: so it says */
    world_wait(world, 310);
    for (uint64_t task = 1; task <= 2; task++) {
        assert_int_equal(outcome_of(world, task), OUTCOME_RETURNED);
        assert_true(done_of(world, task, 1000 + task)->started_ms != 0);
    }
    assert_int_equal(outcome_of(world, 3), OUTCOME_RETURNED);
    start(world, &COMMAND, 4, 1);
    assert_true(runs_task(world, 4) != NONE);
    world_free(world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_drain),
        cmocka_unit_test(test_drain_residents),
        cmocka_unit_test(test_drain_alone),
        cmocka_unit_test(test_given_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
