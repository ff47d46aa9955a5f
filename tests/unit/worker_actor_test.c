/*  worker_actor_test.c - stories of actors at a worker: an executor of its own, calls in order, and what becomes of
    both when one of them ends. */
#include "tests/unit/worker_world.h"

enum { ACTOR = 500 };

static const struct spec_told CLASS = { .id = 5, .kind = SPEC_ACTOR, .cpus = 10000, .program = "" };
static const struct spec_told THREADS = {
    .id = 6, .kind = SPEC_ACTOR, .program = "", .concurrency = 4
};
static const struct spec_told METHOD = { .id = 7, .kind = SPEC_METHOD, .program = "" };

static void call_at(struct world *world, uint64_t seq, uint64_t first, uint32_t count,
                    uint64_t token)
{
    static uint8_t spec_bytes[1024], start_bytes[1 << 16];
    struct wire specs = { .p = spec_bytes, .capacity = sizeof(spec_bytes) };
    struct wire starts = { .p = start_bytes, .capacity = sizeof(start_bytes) };
    uint8_t args[] = { 0x90 };
    put_spec(&specs, &METHOD);
    for (uint32_t i = 0; i < count; i++) {
        proto_put_record(&starts, REC_START,
                         &(struct rec_start){ .task = first + i,
                                              .token = first + i + token,
                                              .attempt = 1,
                                              .spec = METHOD.id,
                                              .args = slice_of(args, sizeof(args)),
                                              .actor = ACTOR });
    }
    world_say(world, MSG_START,
              &(struct msg_start){ .seq = seq,
                                   .specs = wire_list(&specs, 1),
                                   .starts = wire_list(&starts, count),
                                   .inventory = world->inventory_known });
}

static void call(struct world *world, uint64_t first, uint32_t count)
{
    world->inventory_known = world->last[MSG_INVENTORY].as.inventory.seq;
    call_at(world, ++world->start_seq, first, count, 1000);
}

/*  An actor whose constructor has returned, in executor 0. */
static struct world *with_actor(const struct spec_told *class)
{
    struct world *world = joined(10000, 0);
    start(world, class, ACTOR, 1);
    assert_true(begin(world, 0));
    assert_true(ran(world, 0, OUTCOME_OK, 10));
    return world;
}

static void test_alive(void **state)
{
    (void)state;
    struct world *world = joined(10000, 0);
    start(world, &CLASS, ACTOR, 2);
    assert_int_equal(world->spawned, 1); /* one CPU: the other one waits */
    assert_int_equal(world->executors[0].tasks[0], ACTOR);
    start(world, &FUNCTION, 1, 1);
    assert_int_equal(world->sent[MSG_ACTOR_ALIVE], 0);
    begin(world, 0);
    ran(world, 0, OUTCOME_OK, 10);
    assert_int_equal(world->sent[MSG_ACTOR_ALIVE], 1);
    assert_int_equal(world->last[MSG_ACTOR_ALIVE].as.actor_alive.actors.count, 1);
    assert_int_equal(world->spawned, 1); /* it holds its CPU, and its executor takes no task */
    assert_null(done_of(world, ACTOR, ACTOR + 1000));
    world_wait(world, 5000);
    assert_int_equal(world->spawned, 1);
    assert_int_equal(world->held_count, 1); /* in the beat */
    assert_int_equal(world->held[0].running, HELD_ALIVE);
    connect_to(world, EPOCH + 1, NODE);
    assert_int_equal(world->sent[MSG_ACTOR_ALIVE], 2);
    recall(world, ACTOR, ACTOR + 1000, RECALL_KILL);
    assert_int_equal(outcome_of(world, ACTOR), OUTCOME_CANCELLED);
    assert_int_equal(world->spawned, 2);
    world_free(world);
}

static void test_constructor_fails(void **state)
{
    (void)state;
    struct world *world = joined(10000, 0);
    start(world, &CLASS, ACTOR, 1);
    begin(world, 0);
    ran(world, 0, OUTCOME_APP_ERROR, 10);
    assert_int_equal(outcome_of(world, ACTOR), OUTCOME_APP_ERROR);
    assert_int_equal(world->executors[0].killed, SIGKILL);
    assert_int_equal(world->sent[MSG_ACTOR_ALIVE], 0);
    call(world, 1, 1);
    assert_int_equal(outcome_of(world, 1), OUTCOME_RETURNED); /* it is not here */
    start(world, &CLASS, ACTOR + 1, 1);
    exited(world, 0, -SIGSEGV, "in its constructor");
    assert_int_equal(outcome_of(world, ACTOR + 1), OUTCOME_SIGNAL);
    world_free(world);
}

static void test_order(void **state)
{
    (void)state;
    struct world *world = with_actor(&CLASS);
    call(world, 1, 300);
    assert_int_equal(world->executors[0].given, 301);
    for (uint64_t task = 1; task <= 300; task++) {
        assert_int_equal(world->executors[0].tasks[task], task);
    }
    finish_all(world, 2);
    assert_int_equal(world->done_count, 300);
    assert_int_equal(outcome_of(world, 300), OUTCOME_OK);
    acknowledge_all(world);
    assert_int_equal(worker_stats(world->worker).unreported, 0);
    assert_int_equal(worker_stats(world->worker).running, 1);
    world_free(world);
}

/*  A START is lost on the way: what comes after it is as if it had not come, until the head tells all again. */
static void test_order_after_a_gap(void **state)
{
    (void)state;
    struct world *world = with_actor(&CLASS);
    call(world, 1, 1);
    world->start_seq++; /* the frame with call 2 */
    uint32_t inventories = world->sent[MSG_INVENTORY];
    call(world, 3, 1);
    assert_int_equal(world->executors[0].given, 2);
    assert_int_equal(world->sent[MSG_INVENTORY], inventories + 1);
    assert_int_equal(world->last[MSG_INVENTORY].as.inventory.start_seen, world->start_seq);
    call(world, 2, 2);
    assert_int_equal(world->executors[0].given, 4);
    assert_int_equal(world->executors[0].tasks[2], 2);
    assert_int_equal(world->executors[0].tasks[3], 3);
    world_free(world);
}

/*  What was on its way when the INVENTORY left does not come before what that asks for. */
static void test_order_after_a_late_inventory(void **state)
{
    (void)state;
    struct world *world = with_actor(&CLASS);
    call(world, 1, 1);
    world->start_seq++; /* the frame with call 2 */
    call(world, 3, 1);
    call_at(world, ++world->start_seq, 4, 1, 1000);
    assert_int_equal(world->executors[0].given, 2);
    call(world, 2, 3);
    assert_int_equal(world->executors[0].given, 5);
    for (uint64_t task = 2; task <= 4; task++) {
        assert_int_equal(world->executors[0].tasks[task], task);
    }
    world_free(world);
}

/*  A head that starts again does not know which STARTs its predecessor has not sent, before it has the INVENTORY. */
static void test_order_after_a_restart(void **state)
{
    (void)state;
    struct world *world = with_actor(&CLASS);
    call(world, 1, 1);
    connect_to(world, EPOCH + 1, NODE);
    world->start_seq = world->inventory_known = 0;
    call_at(world, ++world->start_seq, 3, 1, 1000);
    assert_int_equal(world->executors[0].given, 2);
    call(world, 2, 2);
    assert_int_equal(world->executors[0].given, 4);
    assert_int_equal(world->executors[0].tasks[2], 2);
    world_free(world);
}

/*  A call that was refused holds up later ones until the head knows that it was. */
static void test_order_after_a_refusal(void **state)
{
    (void)state;
    struct worker_limits limits = { .attempts = 3, .executors = 4, .specs = 8, .reports = 8 };
    struct world *world = world_new(10000, 0, limits);
    connect_to(world, EPOCH, NODE);
    start(world, &CLASS, ACTOR, 1);
    begin(world, 0);
    ran(world, 0, OUTCOME_OK, 10);
    call(world, 1, 4); /* there is room for two */
    assert_int_equal(world->executors[0].given, 3);
    assert_int_equal(outcome_of(world, 3), OUTCOME_RETURNED);
    assert_int_equal(outcome_of(world, 4), OUTCOME_RETURNED);
    begin(world, 0);
    ran(world, 0, OUTCOME_OK, 10);
    world_ack(world, done_of(world, 1, 1001)->report);
    call(world, 5, 1); /* there would be room */
    assert_int_equal(outcome_of(world, 5), OUTCOME_RETURNED);
    acknowledge_all(world);
    call_at(world, ++world->start_seq, 3, 1, 2000);
    assert_int_equal(world->executors[0].given, 4);
    assert_int_equal(world->executors[0].tasks[3], 3);
    world_free(world);
}

/*  The head leases again what was refused before it acknowledges that: this says enough.  Else both would go on so. */
static void test_called_again_before_the_acknowledgement(void **state)
{
    (void)state;
    struct worker_limits limits = { .attempts = 3, .executors = 4, .specs = 8, .reports = 8 };
    struct world *world = world_new(10000, 0, limits);
    connect_to(world, EPOCH, NODE);
    start(world, &CLASS, ACTOR, 1);
    begin(world, 0);
    ran(world, 0, OUTCOME_OK, 10);
    call(world, 1, 4); /* there is room for two */
    begin(world, 0);
    ran(world, 0, OUTCOME_OK, 10);
    world_ack(world, done_of(world, 1, 1001)->report);
    call(world, 5, 1);
    assert_int_equal(outcome_of(world, 5), OUTCOME_RETURNED);
    call_at(world, ++world->start_seq, 3, 1, 2000);
    assert_int_equal(world->executors[0].given, 4);
    assert_int_equal(world->executors[0].tasks[3], 3);
    world_free(world);
}

static void test_death(void **state)
{
    (void)state;
    struct world *world = with_actor(&CLASS);
    call(world, 1, 4);
    begin(world, 0);
    ran(world, 0, OUTCOME_OK, 10);
    begin(world, 0);
    exited(world, 0, -SIGSEGV, "stack");
    assert_int_equal(outcome_of(world, 1), OUTCOME_OK);
    assert_int_equal(outcome_of(world, 2), OUTCOME_SIGNAL);
    assert_true(done_of(world, 2, 1002)->started_ms != 0);
    assert_int_equal(outcome_of(world, 3), OUTCOME_RETURNED);
    assert_int_equal(done_of(world, 3, 1003)->started_ms, 0);
    assert_int_equal(outcome_of(world, 4), OUTCOME_RETURNED);
    assert_int_equal(outcome_of(world, ACTOR), OUTCOME_SIGNAL);
    assert_string_equal(done_of(world, ACTOR, ACTOR + 1000)->text, "stack");
    assert_int_equal(world->dones[world->done_count - 1].task, ACTOR); /* its calls first */
    assert_int_equal(worker_stats(world->worker).executors, 0);
    world_free(world);
}

static void test_graceful_end(void **state)
{
    (void)state;
    struct world *world = with_actor(&CLASS);
    call(world, 1, 3);
    begin(world, 0);
    ran(world, 0, OUTCOME_OK, 10); /* __ray_terminate__ */
    begin(world, 0);
    exited(world, 0, 0, "");
    assert_int_equal(outcome_of(world, 2), OUTCOME_RETURNED); /* or it left in this one */
    assert_int_equal(outcome_of(world, 3), OUTCOME_RETURNED);
    assert_int_equal(outcome_of(world, ACTOR), OUTCOME_OK);
    world_free(world);
}

/*  Any order, and exactly those had begun that the page says. */
static void test_threads(void **state)
{
    (void)state;
    struct world *world = with_actor(&THREADS);
    call(world, 1, 5);
    for (int i = 0; i < 4; i++) {
        begin(world, 0);
    }
    struct rec_ran told = { .number = 3, .checkpoint = slice_text("saved") };
    for (int again = 0; again < 2; again++) {
        world_tell(world, (struct worker_event){ .kind = WEV_RAN, .ran = &told });
    }
    assert_int_equal(outcome_of(world, 3), OUTCOME_OK);
    assert_int_equal(done_of(world, 3, 1003)->checkpoint_bytes, 5);
    static const uint8_t begun[1] = { 1 << 0 | 1 << 1 | 1 << 4 };
    world->executors[0].live = false;
    world_tell(world, (struct worker_event){ .kind = WEV_EXITED,
                                             .status = -SIGKILL,
                                             .number = 5,
                                             .begun = slice_of(begun, sizeof(begun)) });
    assert_int_equal(outcome_of(world, 1), OUTCOME_SIGNAL);
    assert_int_equal(outcome_of(world, 2), OUTCOME_RETURNED);
    assert_int_equal(outcome_of(world, 4), OUTCOME_SIGNAL);
    assert_int_equal(outcome_of(world, 5), OUTCOME_RETURNED);
    world_free(world);
}

/*  What an actor holds it holds until it ends, also while a method of it waits for others. */
static void test_keeps_its_cpus(void **state)
{
    (void)state;
    struct world *world = with_actor(&CLASS);
    call(world, 1, 1);
    begin(world, 0);
    start(world, &FUNCTION, 50, 1);
    world_tell(world,
               (struct worker_event){
                   .kind = WEV_WAITS, .executor = 0, .token = 1001, .code = HELD_BLOCKED_GET });
    assert_int_equal(world->sent[MSG_NODE_WAITS], 0);
    assert_int_equal(world->spawned, 1);
    world_free(world);
}

/*  Without threads a result cannot overtake another one. */
static void test_bad_order(void **state)
{
    (void)state;
    struct world *world = with_actor(&CLASS);
    call(world, 1, 2);
    begin(world, 0);
    begin(world, 0);
    struct rec_ran told = { .number = 2 };
    world_tell(world, (struct worker_event){ .kind = WEV_RAN, .ran = &told });
    assert_int_equal(world->executors[0].killed, SIGKILL);
    assert_int_equal(outcome_of(world, ACTOR), OUTCOME_SIGNAL);
    world_free(world);
}

static void test_cancelled_call(void **state)
{
    (void)state;
    struct world *world = with_actor(&CLASS);
    world->no_die = true;
    call(world, 1, 4);
    begin(world, 0);
    recall(world, 3, 1003, RECALL_TERM); /* has not begun: the others are told again */
    assert_int_equal(outcome_of(world, 3), OUTCOME_CANCELLED);
    assert_int_equal(world->executors[0].killed, 0);
    assert_int_equal(world->executors[0].given, 7);
    recall(world, 1, 1001, RECALL_KILL); /* runs: its function is asked, no other one */
    assert_int_equal(world->executors[0].killed, SIGINT);
    assert_int_equal(world->executors[0].given, 7);
    ran(world, 0, OUTCOME_OK, 10);
    assert_int_equal(outcome_of(world, 1), OUTCOME_CANCELLED);
    assert_int_equal(world->executors[0].given, 9);
    recall(world, 4, 1004, RECALL_IF_WAITING);
    assert_int_equal(outcome_of(world, 4), OUTCOME_RETURNED);
    finish_all(world, 10);
    assert_int_equal(outcome_of(world, 2), OUTCOME_OK);
    assert_null(done_of(world, ACTOR, ACTOR + 1000));
    world_free(world);
}

/*  At 0.8 of the lease after the last beat that was answered, not before. */
static void test_exclusive(void **state)
{
    (void)state;
    struct world *world = with_actor(&CLASS);
    world_wait(world, 10000);
    uint64_t sent_ms = world->last[MSG_NODE_BEAT].as.node_beat.sent_ms;
    world_say(world, MSG_NODE_BEAT_ACK,
              &(struct msg_node_beat_ack){
                  .node = NODE, .sent_ms = sent_ms, .start_sent = world->start_seq });
    call(world, 1, 1);
    begin(world, 0);
    start(world, &FUNCTION, 100, 1);
    world_wait(world, sent_ms + 23999 - world->now);
    assert_int_equal(world->executors[0].killed, 0);
    world_wait(world, 1);
    assert_int_equal(outcome_of(world, 1), OUTCOME_SIGNAL);
    assert_int_equal(outcome_of(world, ACTOR), OUTCOME_SIGNAL);
    assert_non_null(strstr(done_of(world, ACTOR, ACTOR + 1000)->text, "has not heard"));
    assert_int_not_equal(runs_task(world, 100), NONE); /* a task begins, and stays */
    world_free(world);
}

static void test_drained(void **state)
{
    (void)state;
    struct world *world = with_actor(&CLASS);
    world_tell(world, (struct worker_event){ .kind = WEV_STOP, .until_ms = world->now + 2000 });
    call(world, 1, 2);
    begin(world, 0);
    ran(world, 0, OUTCOME_OK, 10);
    assert_int_equal(outcome_of(world, 1), OUTCOME_OK); /* it serves until the end */
    begin(world, 0);
    world_wait(world, 2000);
    assert_int_equal(world->executors[0].killed, SIGTERM);
    assert_int_equal(outcome_of(world, 2), OUTCOME_RETURNED);
    assert_int_equal(outcome_of(world, ACTOR), OUTCOME_RETURNED);
    assert_true(done_of(world, ACTOR, ACTOR + 1000)->started_ms != 0);
    world_free(world);
}

static void test_given_up_node(void **state)
{
    (void)state;
    struct world *world = with_actor(&CLASS);
    call(world, 1, 10);
    begin(world, 0);
    world_say(world, MSG_NODE_STOP, &(struct msg_node_stop){ .why = 2 });
    assert_int_equal(world->executors[0].killed, SIGKILL);
    assert_int_equal(world->done_count, 0);
    assert_int_equal(worker_stats(world->worker).executors, 0);
    world_free(world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_alive),
        cmocka_unit_test(test_constructor_fails),
        cmocka_unit_test(test_order),
        cmocka_unit_test(test_order_after_a_gap),
        cmocka_unit_test(test_order_after_a_late_inventory),
        cmocka_unit_test(test_order_after_a_restart),
        cmocka_unit_test(test_order_after_a_refusal),
        cmocka_unit_test(test_called_again_before_the_acknowledgement),
        cmocka_unit_test(test_death),
        cmocka_unit_test(test_graceful_end),
        cmocka_unit_test(test_threads),
        cmocka_unit_test(test_keeps_its_cpus),
        cmocka_unit_test(test_bad_order),
        cmocka_unit_test(test_cancelled_call),
        cmocka_unit_test(test_exclusive),
        cmocka_unit_test(test_drained),
        cmocka_unit_test(test_given_up_node),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
