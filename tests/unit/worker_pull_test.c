/*  worker_pull_test.c - attempts whose stored arguments are on other nodes: they wait for them, hold nothing meanwhile, and
    can be recalled, given back, or told that what they need cannot be had. */
#include "tests/unit/worker_world.h"

enum { ELSEWHERE = NODE + 1, USER = 7 /* of put_spec() */ };

/*  START of a task with one stored argument, which that node has. */
static void start_with(struct world *world, uint64_t task, uint64_t token, uint64_t node)
{
    uint8_t place_bytes[64], source_bytes[128], start_bytes[512], spec_bytes[512],
        args[] = { 0x90 };
    struct wire places = { place_bytes, 0, sizeof(place_bytes), false };
    struct wire sources = { source_bytes, 0, sizeof(source_bytes), false };
    struct wire starts = { start_bytes, 0, sizeof(start_bytes), false };
    struct wire specs = { spec_bytes, 0, sizeof(spec_bytes), false };
    proto_put_record(&places, REC_KEEPER,
                     &(struct rec_keeper){ node, slice_text("tcp://x:1"), COPY_PRIMARY });
    proto_put_record(&sources, REC_SOURCE,
                     &(struct rec_source){ .task = 99,
                                           .size = 200000,
                                           .state = DIRECTORY_STORED,
                                           .places = wire_list(&places, 1) });
    proto_put_record(&starts, REC_START,
                     &(struct rec_start){ .task = task,
                                          .token = token,
                                          .attempt = 1,
                                          .spec = FUNCTION.id,
                                          .args = slice_of(args, sizeof(args)),
                                          .sources = wire_list(&sources, 1) });
    put_spec(&specs, &FUNCTION);
    world_say(world, MSG_START,
              &(struct msg_start){ .seq = ++world->start_seq,
                                   .specs = wire_list(&specs, 1),
                                   .starts = wire_list(&starts, 1) });
}

static void pulled(struct world *world, uint64_t task, uint64_t token, int32_t code)
{
    world_tell(world, (struct worker_event){ .kind = WEV_PULLED,
                                             .task = task,
                                             .token = token,
                                             .code = code,
                                             .text = slice_text("why") });
}

/*  The newest NODE_WAITS is the one of that number, and says this of one attempt, which has not begun. */
static void is_told(const struct world *world, uint32_t number, uint64_t task, enum held_state how)
{
    assert_int_equal(world->sent[MSG_NODE_WAITS], number);
    assert_int_equal(world->held_count, 1);
    assert_int_equal(world->held[0].task, task);
    assert_int_equal(world->held[0].running, how);
    assert_int_equal(world->held[0].started_ms, 0);
}

/*  As many as there are CPUs: else all that is ready would be fetched. */
static void the_head_hears_whose_cpus_are_free(void **state)
{
    (void)state;
    struct world *world = joined(10000, 0);
    start_with(world, 1, 1001, ELSEWHERE);
    is_told(world, 1, 1, HELD_BLOCKED_GET);
    start_with(world, 2, 1002, ELSEWHERE);
    is_told(world, 1, 1, HELD_BLOCKED_GET);
    pulled(world, 1, 1001, OK);
    is_told(world, 2, 1, HELD_WAITS);
    pulled(world, 2, 1002, OK);
    start_with(world, 3, 1003, ELSEWHERE);
    is_told(world, 3, 3, HELD_BLOCKED_GET);
    recall(world, 3, 1003, RECALL_IF_WAITING);
    start_with(world, 4, 1004, ELSEWHERE);
    is_told(world, 4, 4, HELD_BLOCKED_GET);
    finish_all(world, 10);
    world_free(world);
}

static void it_starts_when_they_are_here(void **state)
{
    (void)state;
    struct world *world = joined(10000, 0);
    start_with(world, 1, 1001, ELSEWHERE);
    assert_int_equal(world->pulled, 1);
    assert_int_equal(world->pull_user, USER);
    assert_int_equal(world->spawned, 0);
    assert_int_equal(worker_stats(world->worker).waiting, 1);
    start(world, &FUNCTION, 2, 1); /* which needs nothing: the CPU is free for it */
    assert_int_not_equal(runs_task(world, 2), NONE);
    finish_all(world, 10);
    pulled(world, 1, 1001, OK);
    assert_int_not_equal(runs_task(world, 1), NONE);
    finish_all(world, 10);
    assert_int_equal(outcome_of(world, 1), OUTCOME_OK);
    pulled(world, 1, 1001, OK); /* told late: no harm */
    world_free(world);
}

static void what_is_here_is_not_fetched(void **state)
{
    (void)state;
    struct world *world = joined(10000, 0);
    start_with(world, 1, 1001, NODE);
    assert_int_equal(world->pulled, 0);
    assert_int_not_equal(runs_task(world, 1), NONE);
    world_free(world);
}

static void what_cannot_be_had_is_told(void **state)
{
    (void)state;
    struct world *world = joined(10000, 0);
    start_with(world, 1, 1001, ELSEWHERE);
    pulled(world, 1, 1001, ERR_NOT_FOUND);
    assert_int_equal(outcome_of(world, 1), OUTCOME_OBJECT_LOST);
    assert_string_equal(done_of(world, 1, 1001)->text, "why");
    start_with(world, 2, 1002, ELSEWHERE);
    pulled(world, 2, 1002, ERR_FULL);
    assert_int_equal(outcome_of(world, 2), OUTCOME_STORE_FULL);
    world_free(world);
}

static void it_can_be_recalled_meanwhile(void **state)
{
    (void)state;
    struct world *world = joined(10000, 0);
    static const struct {
        uint32_t how;
        enum outcome outcome;
    } recalls[] = { { RECALL_IF_WAITING, OUTCOME_RETURNED },
                    { RECALL_TERM, OUTCOME_CANCELLED },
                    { RECALL_KILL, OUTCOME_CANCELLED },
                    { RECALL_GIVE_BACK, OUTCOME_RETURNED } };
    for (uint32_t i = 0; i < COUNT(recalls); i++) {
        start_with(world, 1 + i, 1001 + i, ELSEWHERE);
        recall(world, 1 + i, 1001 + i, recalls[i].how);
        assert_int_equal(outcome_of(world, 1 + i), recalls[i].outcome);
        pulled(world, 1 + i, 1001 + i, OK);
        assert_int_equal(runs_task(world, 1 + i), NONE);
    }
    start_with(world, 9, 1009, ELSEWHERE);
    start_with(world, 9, 1010, ELSEWHERE); /* the head has given the first one up */
    pulled(world, 9, 1009, OK);
    assert_int_equal(runs_task(world, 9), NONE);
    pulled(world, 9, 1010, OK);
    assert_int_not_equal(runs_task(world, 9), NONE);
    world_free(world);
}

static void a_reconnect_changes_nothing(void **state)
{
    (void)state;
    struct world *world = joined(10000, 0);
    start_with(world, 1, 1001, ELSEWHERE);
    world_tell(world, (struct worker_event){ .kind = WEV_DISCONNECTED });
    connect_to(world, EPOCH, NODE);
    assert_int_equal(world->held_count, 1);
    assert_int_equal(world->held[0].running, HELD_BLOCKED_GET);
    assert_int_equal(world->held[0].started_ms, 0);
    pulled(world, 1, 1001, OK);
    assert_int_not_equal(runs_task(world, 1), NONE);
    assert_int_equal(world->pulled, 1);
    world_free(world);
}

static void a_worker_that_ends_gives_it_back(void **state)
{
    (void)state;
    struct world *world = joined(10000, 0);
    start_with(world, 1, 1001, ELSEWHERE);
    world_tell(world, (struct worker_event){ .kind = WEV_STOP, .until_ms = world->now + 60000 });
    assert_int_equal(outcome_of(world, 1), OUTCOME_RETURNED);
    world_free(world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_starts_when_they_are_here),
        cmocka_unit_test(the_head_hears_whose_cpus_are_free),
        cmocka_unit_test(what_is_here_is_not_fetched),
        cmocka_unit_test(what_cannot_be_had_is_told),
        cmocka_unit_test(it_can_be_recalled_meanwhile),
        cmocka_unit_test(a_reconnect_changes_nothing),
        cmocka_unit_test(a_worker_that_ends_gives_it_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
