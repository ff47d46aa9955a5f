/*  actor_test.c - actors and their calls as the head decides it: lanes, order, incarnations, how a death is told. */
#include "tests/unit/actor_world.h"

static void calls_wait_for_the_constructor_and_go_in_order(void **unused)
{
    (void)unused;
    struct actors *a = actors_new(0);
    calls(a, 2, 3, 0);
    assert_null(heard(a->w, MSG_START, 0)); /* its constructor has not returned */
    alive(a, &a->start);
    for (uint32_t i = 0; i < 3; i++) {
        struct rec_start call;
        assert_true(start_at(a->w, i, &call));
        assert_int_equal(call.task, a->actor + 1 + i);
        assert_int_equal(call.actor, a->actor);
    }
    calls(a, 5, 1, 0);
    struct rec_start call;
    assert_true(start_at(a->w, 0, &call));
    struct rec_result result;
    done(a->w, a->node, &call, OUTCOME_OK, 0);
    assert_true(result_of(a->w, call.task, &result) && result.failure == 0);
    actors_free(a);
}

static void an_argument_that_is_not_there_blocks_its_lane(void **unused)
{
    (void)unused;
    struct actors *a = actors_new(0);
    alive(a, &a->start);
    struct rec_start dep, call;
    submit(a->w, a->session, 2, 1, spec_of(a->w, 1)); /* a task: it runs for a while */
    assert_true(start_at(a->w, 0, &dep));
    call_with(a, 3, dep.task, 0);
    calls(a, 4, 1, 0);
    assert_null(heard(a->w, MSG_START, 0));
    done(a->w, a->node, &dep, OUTCOME_OK, 0);
    assert_true(start_at(a->w, 0, &call) && call.task == a->actor + 2);
    assert_true(start_at(a->w, 1, &call) && call.task == a->actor + 3);
    actors_free(a);
}

static void an_actor_of_threads_takes_what_is_ready(void **unused)
{
    (void)unused;
    struct actors *a = actors_threaded(0, 4);
    alive(a, &a->start);
    struct rec_start dep, call;
    submit(a->w, a->session, 2, 1, spec_of(a->w, 1));
    assert_true(start_at(a->w, 0, &dep));
    call_with(a, 3, dep.task, 0);
    calls(a, 4, 1, 0);
    assert_true(start_at(a->w, 0, &call) && call.task == a->actor + 3);
    done(a->w, a->node, &dep, OUTCOME_OK, 0);
    assert_true(start_at(a->w, 0, &call) && call.task == a->actor + 2);
    actors_free(a);
}

static void a_call_whose_argument_failed_does_not_block(void **unused)
{
    (void)unused;
    struct actors *a = actors_new(0);
    alive(a, &a->start);
    struct rec_start dep, call;
    struct rec_result result;
    submit(a->w, a->session, 2, 1, spec_of(a->w, 1));
    assert_true(start_at(a->w, 0, &dep));
    call_with(a, 3, dep.task, 0);
    calls(a, 4, 1, 0);
    done(a->w, a->node, &dep, OUTCOME_APP_ERROR, 1);
    assert_true(result_of(a->w, a->actor + 2, &result));
    assert_int_equal(result.failure, FAILURE_UPSTREAM);
    assert_true(start_at(a->w, 0, &call) && call.task == a->actor + 3);
    actors_free(a);
}

/*  Its process dies in the first of three calls; none may be retried, and it starts again. */
static void a_death_charges_what_had_begun(void **unused)
{
    (void)unused;
    struct actors *a = actors_new(1);
    struct rec_start call[3], again;
    struct rec_result result;
    alive(a, &a->start);
    calls(a, 2, 3, 0);
    for (uint32_t i = 0; i < 3; i++) {
        assert_true(start_at(a->w, i, &call[i]));
    }
    done(a->w, a->node, &a->start, OUTCOME_SIGNAL, -9);
    assert_null(heard(a->w, MSG_START, 0)); /* not before all of its calls are accounted for */
    done(a->w, a->node, &call[0], OUTCOME_SIGNAL, -9);
    assert_true(result_of(a->w, call[0].task, &result));
    assert_int_equal(result.failure, FAILURE_ACTOR_UNAVAILABLE);
    returned(a, &call[2]);
    returned(a, &call[1]);
    assert_true(start_at(a->w, 0, &again));
    assert_int_equal(again.task, a->actor);
    assert_int_equal(again.attempt, 2);
    alive(a, &again);
    assert_true(start_at(a->w, 0, &again) && again.task == call[1].task && again.attempt == 1);
    assert_true(start_at(a->w, 1, &again) && again.task == call[2].task && again.attempt == 1);
    actors_free(a);
}

static void a_retry_keeps_its_place(void **unused)
{
    (void)unused;
    struct actors *a = actors_new(1);
    struct rec_start call[3], again;
    alive(a, &a->start);
    calls(a, 2, 3, 1);
    for (uint32_t i = 0; i < 3; i++) {
        assert_true(start_at(a->w, i, &call[i]));
    }
    calls(a, 5, 1, 1);
    struct rec_start last;
    assert_true(start_at(a->w, 0, &last));
    done(a->w, a->node, &a->start, OUTCOME_SIGNAL, -9);
    returned(a, &last);
    returned(a, &call[1]);
    returned(a, &call[2]);
    done(a->w, a->node, &call[0], OUTCOME_SIGNAL, -9);
    assert_true(start_at(a->w, 0, &again));
    alive(a, &again);
    for (uint32_t i = 0; i < 4; i++) {
        assert_true(start_at(a->w, i, &again));
        assert_int_equal(again.task, a->actor + 1 + i);
        assert_int_equal(again.attempt, i == 0 ? 2 : 1);
    }
    actors_free(a);
}

/*  What came back waits until later calls, which are still out, have come back or ended, too. */
static void what_came_back_is_not_overtaken(void **unused)
{
    (void)unused;
    struct actors *a = actors_new(0);
    struct rec_start call[2], again;
    alive(a, &a->start);
    calls(a, 2, 2, 0);
    assert_true(start_at(a->w, 0, &call[0]) && start_at(a->w, 1, &call[1]));
    returned(a, &call[0]);
    assert_null(heard(a->w, MSG_START, 0));
    returned(a, &call[1]);
    assert_true(start_at(a->w, 0, &again) && again.task == call[0].task);
    assert_true(start_at(a->w, 1, &again) && again.task == call[1].task);
    actors_free(a);
}

static void has_nothing_of_calls(struct actors *a, uint64_t seq)
{
    proto_put_record(&a->w->wire, REC_HELD,
                     &(struct rec_held){ a->actor, a->start.token, HELD_ALIVE, 7 });
    say(a->w, WORKER, MSG_INVENTORY,
        &(struct msg_inventory){
            .seq = seq, .node = a->node, .last = 1, .held = wire_list(&a->w->wire, 1) });
}

/*  A START says up to which INVENTORY the head knows what the worker has; and one that was lost is said again only when
    no earlier call has come back meanwhile. */
static void what_was_lost_does_not_overtake(void **unused)
{
    (void)unused;
    struct actors *a = actors_new(0);
    struct rec_start call[2], again;
    alive(a, &a->start);
    calls(a, 2, 2, 0);
    assert_true(start_at(a->w, 0, &call[0]) && start_at(a->w, 1, &call[1]));
    has_nothing_of_calls(a, 4);
    assert_int_equal(must_hear(a->w, MSG_START)->as.start.inventory, 4);
    assert_true(start_at(a->w, 0, &again) && again.token == call[0].token);
    assert_true(start_at(a->w, 1, &again) && again.token == call[1].token);
    returned(a, &call[0]);
    has_nothing_of_calls(a, 5);
    assert_null(heard(a->w, MSG_START, 0));
    assert_int_equal(must_hear(a->w, MSG_RECALL)->as.recall.leases.count, 1);
    say(a->w, WORKER, MSG_NODE_BEAT,
        &(struct msg_node_beat){ .node = a->node, .start_seen = 100, .inventory = 5 });
    assert_int_equal(must_hear(a->w, MSG_NODE_BEAT_ACK)->as.node_beat_ack.doubt, 1);
    returned(a, &call[1]);
    assert_true(start_at(a->w, 0, &again) && again.task == call[0].task);
    assert_true(start_at(a->w, 1, &again) && again.task == call[1].task);
    actors_free(a);
}

/*  Until its grace is over an actor of a drained node is called, and what was lost of that is said again. */
static void what_was_lost_is_said_again_to_a_drained_node(void **unused)
{
    (void)unused;
    struct actors *a = actors_new(0);
    struct rec_start call, again;
    alive(a, &a->start);
    calls(a, 2, 1, 0);
    assert_true(start_at(a->w, 0, &call));
    say(a->w, WORKER, MSG_NODE_DRAIN,
        &(struct msg_node_drain){ .node = a->node, .drain = DRAIN_LEAVING, .grace_ms = 60000 });
    has_nothing_of_calls(a, 4);
    assert_true(start_at(a->w, 0, &again) && again.token == call.token);
    actors_free(a);
}

static void the_dead_tell_why(void **unused)
{
    (void)unused;
    struct actors *a = actors_new(0);
    struct rec_start call;
    struct rec_result result;
    alive(a, &a->start);
    calls(a, 2, 1, 3);
    assert_true(start_at(a->w, 0, &call));
    done(a->w, a->node, &a->start, OUTCOME_SIGNAL, -11);
    done(a->w, a->node, &call, OUTCOME_SIGNAL, -11);
    assert_true(result_of(a->w, call.task, &result));
    assert_int_equal(result.failure, FAILURE_ACTOR_DIED);
    assert_true(has_text(result.text, "WORKER_DIED") && has_text(result.text, "signal 11"));
    calls(a, 3, 2, 3); /* later calls hear it, too */
    assert_true(result_of(a->w, a->actor + 2, &result));
    assert_int_equal(result.failure, FAILURE_ACTOR_DIED);
    assert_true(result_of(a->w, a->actor + 3, &result));
    world_restart(a->w);
    client_back(a);
    calls(a, 5, 1, 0);
    assert_true(result_of(a->w, a->actor + 4, &result));
    assert_true(has_text(result.text, "signal 11"));
    actors_free(a);
}

/*  One report, as a worker tells it: the calls first, the actor last. */
static void the_end_is_told_whatever_comes_first(void **unused)
{
    (void)unused;
    struct actors *a = actors_new(0);
    struct rec_start call[2];
    struct rec_result result;
    alive(a, &a->start);
    calls(a, 2, 2, 0);
    assert_true(start_at(a->w, 0, &call[0]) && start_at(a->w, 1, &call[1]));
    const struct rec_done died[] = {
        { .task = call[0].task,
          .token = call[0].token,
          .outcome = OUTCOME_SIGNAL,
          .status = -11,
          .started_ms = 1 },
        { .task = call[1].task, .token = call[1].token, .outcome = OUTCOME_RETURNED },
        { .task = a->actor,
          .token = a->start.token,
          .outcome = OUTCOME_SIGNAL,
          .status = -11,
          .started_ms = 1 },
    };
    for (uint32_t i = 0; i < COUNT(died); i++) {
        proto_put_record(&a->w->wire, REC_DONE, &died[i]);
    }
    say(a->w, WORKER, MSG_DONE,
        &(struct msg_done){
            .seq = 6, .node = a->node, .done = wire_list(&a->w->wire, COUNT(died)) });
    for (uint32_t i = 0; i < 2; i++) {
        assert_true(result_of(a->w, call[i].task, &result));
        assert_int_equal(result.failure, FAILURE_ACTOR_DIED);
        assert_true(has_text(result.text, "signal 11"));
    }
    assert_null(heard(a->w, MSG_START, 0));
    actors_free(a);
}

static void a_beat_tells_that_it_is_alive(void **unused)
{
    (void)unused;
    struct actors *a = actors_new(0);
    struct rec_start call;
    calls(a, 2, 1, 0);
    proto_put_record(&a->w->wire, REC_HELD,
                     &(struct rec_held){ a->actor, a->start.token, HELD_ALIVE, 7 });
    say(a->w, WORKER, MSG_NODE_BEAT,
        &(struct msg_node_beat){ .node = a->node, .running = wire_list(&a->w->wire, 1) });
    assert_true(start_at(a->w, 0, &call) && call.actor == a->actor);
    actors_free(a);
}

static void a_failed_constructor_is_final(void **unused)
{
    (void)unused;
    struct actors *a = actors_new(-1);
    struct rec_result result;
    calls(a, 2, 1, -1);
    done(a->w, a->node, &a->start, OUTCOME_APP_ERROR, 4);
    assert_null(heard(a->w, MSG_START, 0));
    assert_true(result_of(a->w, a->actor, &result) && result.failure == FAILURE_APP);
    assert_true(result_of(a->w, a->actor + 1, &result));
    assert_int_equal(result.failure, FAILURE_ACTOR_DIED);
    assert_true(has_text(result.text, "CREATION_FAILED"));
    actors_free(a);
}

static void one_call_may_wait_for_another_when_it_dies(void **unused)
{
    (void)unused;
    struct actors *a = actors_new(-1);
    struct rec_result result;
    calls(a, 2, 1, 0);
    call_with(a, 3, a->actor + 1, 0);
    done(a->w, a->node, &a->start, OUTCOME_APP_ERROR, 4);
    assert_true(result_of(a->w, a->actor + 1, &result));
    assert_true(result_of(a->w, a->actor + 2, &result));
    assert_int_equal(result.failure, FAILURE_UPSTREAM);
    actors_free(a);
}

static void killed_it_never_comes_back(void **unused)
{
    (void)unused;
    struct actors *a = actors_new(-1);
    struct rec_result result;
    alive(a, &a->start);
    kill_actor(a, 0);
    must_hear(a->w, MSG_CHANGED);
    must_hear(a->w, MSG_RECALL);
    world_restart(a->w);
    client_back(a);
    calls(a, 2, 1, -1);
    assert_null(heard(a->w, MSG_START, 0));
    assert_true(result_of(a->w, a->actor + 1, &result));
    assert_true(has_text(result.text, "RAY_KILL"));
    actors_free(a);
}

static void tasks_of_its_job(struct actors *a, uint64_t finished, uint64_t failed)
{
    say(a->w, CLIENT, MSG_WATCH, &(struct msg_watch){ .seq = 9, .job = 1, .offset = UINT64_MAX });
    const struct msg_job_state *job = &must_hear(a->w, MSG_JOB_STATE)->as.job_state;
    assert_int_equal(job->finished, finished);
    assert_int_equal(job->failed, failed);
}

/*  Killed, out of scope or with its maker: that is how actors end.  Not to have lived at all, or to crash, is a failure. */
static void an_end_that_was_wanted_is_no_failure(void **unused)
{
    (void)unused;
    for (uint32_t lived = 0; lived < 2; lived++) {
        struct actors *a = actors_new(0);
        if (lived) {
            alive(a, &a->start);
        }
        kill_actor(a, 0);
        tasks_of_its_job(a, lived, 1 - lived);
        actors_free(a);
    }
    struct actors *a = actors_new(0);
    alive(a, &a->start);
    done(a->w, a->node, &a->start, OUTCOME_SIGNAL, -9);
    tasks_of_its_job(a, 0, 1);
    actors_free(a);
}

static void killed_with_restart_it_does_and_is_charged(void **unused)
{
    (void)unused;
    struct actors *a = actors_new(1);
    struct rec_start again;
    alive(a, &a->start);
    kill_actor(a, 1);
    must_hear(a->w, MSG_RECALL);
    done(a->w, a->node, &a->start, OUTCOME_CANCELLED, 0);
    assert_true(start_at(a->w, 0, &again) && again.attempt == 2);
    alive(a, &again);
    kill_actor(a, 1);
    done(a->w, a->node, &again, OUTCOME_CANCELLED, 0);
    assert_null(heard(a->w, MSG_START, 0));
    struct rec_result result;
    calls(a, 2, 1, 0);
    assert_true(result_of(a->w, a->actor + 1, &result) && has_text(result.text, "RAY_KILL"));
    actors_free(a);
}

static void it_ends_in_order(void **unused)
{
    (void)unused;
    struct actors *a = actors_new(-1);
    struct rec_result result;
    alive(a, &a->start);
    done(a->w, a->node, &a->start, OUTCOME_OK, 0);
    assert_true(result_of(a->w, a->actor, &result) && result.failure == 0);
    assert_null(heard(a->w, MSG_START, 0));
    calls(a, 2, 1, 0);
    assert_true(result_of(a->w, a->actor + 1, &result) && has_text(result.text, "OUT_OF_SCOPE"));
    actors_free(a);
}

static void cancels_are_for_calls_only(void **unused)
{
    (void)unused;
    struct actors *a = actors_new(0);
    struct rec_result result;
    struct rec_start call;
    calls(a, 2, 2, 0);
    cancel(a, a->actor, 0);
    must_hear(a->w, MSG_REFUSED);
    cancel(a, a->actor + 1, 1);
    must_hear(a->w, MSG_REFUSED);
    cancel(a, a->actor + 1, 0);
    assert_true(result_of(a->w, a->actor + 1, &result) && result.failure == FAILURE_CANCELLED);
    alive(a, &a->start);
    assert_true(start_at(a->w, 0, &call) && call.task == a->actor + 2);
    cancel(a, call.task, 0);
    done(a->w, a->node, &call, OUTCOME_OK, 0); /* it did return: it was cancelled before */
    assert_true(result_of(a->w, call.task, &result) && result.failure == FAILURE_CANCELLED);
    actors_free(a);
}

static void a_call_of_nobody_is_told(void **unused)
{
    (void)unused;
    struct actors *a = actors_new(0);
    struct rec_result result;
    a->actor += 77;
    calls(a, 2, 1, 0);
    a->actor -= 77;
    assert_true(result_of(a->w, a->actor + 1, &result));
    assert_int_equal(result.failure, FAILURE_ACTOR_DIED);
    actors_free(a);
}

/*  A restart of the head: it lives on, and so do its calls. */
static void a_new_head_adopts_it(void **unused)
{
    (void)unused;
    struct actors *a = actors_new(0);
    struct rec_start call[2], next;
    alive(a, &a->start);
    calls(a, 2, 2, 0);
    assert_true(start_at(a->w, 0, &call[0]) && start_at(a->w, 1, &call[1]));
    world_restart(a->w);
    client_back(a);
    join(a->w, WORKER, a->node, "n1", 2);
    inventory(a, &a->start, call, 2);
    assert_null(heard(a->w, MSG_RECALL, 0));
    calls(a, 4, 1, 0);
    assert_true(start_at(a->w, 0, &next) && next.task == a->actor + 3);
    done(a->w, a->node, &call[0], OUTCOME_OK, 0);
    struct rec_result result;
    assert_true(result_of(a->w, call[0].task, &result) && result.failure == 0);
    actors_free(a);
}

static void a_restart_finds_what_was_committed(void **unused)
{
    (void)unused;
    struct actors *a = actors_new(2);
    struct rec_start call, again;
    alive(a, &a->start);
    calls(a, 2, 2, 0);
    assert_true(start_at(a->w, 0, &call));
    committed(a, &call, "\xa3one");
    assert_true(true);
    calls(a, 4, 1, 0);
    assert_true(start_at(a->w, 0, &call));
    committed(a, &call, "\xa3two");
    world_restart(a->w);
    client_back(a);
    join(a->w, WORKER, a->node, "n1", 2);
    done(a->w, a->node, &a->start, OUTCOME_SIGNAL, -9);
    call.task = a->actor + 2;
    call.token = call.token - 1;
    returned(a, &call);
    assert_true(start_at(a->w, 0, &again) && again.task == a->actor);
    assert_true(slice_same(again.checkpoint, slice_text("\xa3two")));
    actors_free(a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(calls_wait_for_the_constructor_and_go_in_order),
        cmocka_unit_test(an_argument_that_is_not_there_blocks_its_lane),
        cmocka_unit_test(an_actor_of_threads_takes_what_is_ready),
        cmocka_unit_test(a_call_whose_argument_failed_does_not_block),
        cmocka_unit_test(a_death_charges_what_had_begun),
        cmocka_unit_test(a_retry_keeps_its_place),
        cmocka_unit_test(what_came_back_is_not_overtaken),
        cmocka_unit_test(what_was_lost_does_not_overtake),
        cmocka_unit_test(what_was_lost_is_said_again_to_a_drained_node),
        cmocka_unit_test(the_dead_tell_why),
        cmocka_unit_test(the_end_is_told_whatever_comes_first),
        cmocka_unit_test(a_beat_tells_that_it_is_alive),
        cmocka_unit_test(a_failed_constructor_is_final),
        cmocka_unit_test(one_call_may_wait_for_another_when_it_dies),
        cmocka_unit_test(killed_it_never_comes_back),
        cmocka_unit_test(an_end_that_was_wanted_is_no_failure),
        cmocka_unit_test(killed_with_restart_it_does_and_is_charged),
        cmocka_unit_test(it_ends_in_order),
        cmocka_unit_test(cancels_are_for_calls_only),
        cmocka_unit_test(a_call_of_nobody_is_told),
        cmocka_unit_test(a_new_head_adopts_it),
        cmocka_unit_test(a_restart_finds_what_was_committed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
