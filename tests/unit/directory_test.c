/*  directory_test.c - stories of the head about objects: who holds them, which node has them, and when they go. */
#include "tests/unit/actor_world.h"
#include "tests/unit/object_world.h"

static void a_stored_value_is_where_it_was_made(void **state)
{
    (void)state;
    struct world *w = world_new();
    uint64_t session, node, task = made(w, &session, &node);
    struct rec_source source = where(w, session, task);
    struct rec_keeper keeper;
    assert_int_equal(source.state, DIRECTORY_STORED);
    assert_int_equal(source.size, SIZE);
    assert_true(next_keeper(&source.places, &keeper));
    assert_int_equal(keeper.node, node);
    world_free(w);
}

/*  Who has no session, as `rayc object get`, sees what is its own. */
static void people_may_ask_where_it_is(void **state)
{
    (void)state;
    struct world *w = world_new();
    uint64_t session, node, task = made(w, &session, &node);
    assert_int_equal(where(w, 0, task).places.count, 1);
    assert_int_equal(where(w, 0, task_id_of(session + 7, 1).v).state, DIRECTORY_FREED);
    world_free(w);
}

static uint32_t copy_kind_of(struct world *w, uint64_t session, uint64_t task)
{
    struct rec_source source = where(w, session, task);
    struct rec_keeper keeper;
    assert_true(next_keeper(&source.places, &keeper));
    return keeper.how;
}

static void what_is_on_the_disk_is_told(void **state)
{
    (void)state;
    struct world *w = world_new();
    uint64_t session, node, task = made(w, &session, &node);
    assert_int_equal(copy_kind_of(w, session, task), COPY_PRIMARY);
    stock(w, node, 1, task, COPY_SPILLED);
    assert_int_equal(copy_kind_of(w, session, task), COPY_SPILLED);
    stock(w, node, 2, task, COPY_GONE);
    assert_int_equal(where(w, session, task).places.count, 0);
    world_free(w);
}

static void what_nobody_holds_is_dropped_until_its_node_says_so(void **state)
{
    (void)state;
    struct world *w = world_new();
    uint64_t session, node, task = made(w, &session, &node);
    refs(w, CLIENT, session, 1, (struct rec_ref){ task, 0, 0, 0 });
    assert_int_equal(must_hear(w, MSG_REFS_TAKEN)->as.refs_taken.below, 2);
    assert_true(told_to_drop(w, task));
    say(w, WORKER, MSG_NODE_BEAT, &(struct msg_node_beat){ .node = node });
    pass(w, 2250);
    assert_true(told_to_drop(w, task));
    stock(w, node, 1, task, COPY_GONE);
    pass(w, 4000);
    assert_false(told_to_drop(w, task));
    assert_int_equal(where(w, session, task).state, DIRECTORY_FREED);
    world_free(w);
}

/*  Its task has ended meanwhile: nobody else will drop it. */
static void what_a_late_report_has_sealed_is_dropped(void **state)
{
    (void)state;
    struct world *w = world_new();
    struct rec_start start;
    uint64_t node = join(w, WORKER, 0, "n1", 4), session = open_job(w, CLIENT, "objects");
    submit(w, session, 1, 1, spec_of(w, 1));
    assert_true(start_at(w, 0, &start));
    say(w, CLIENT, MSG_CANCEL, &(struct msg_cancel){ .task = start.task, .force = 1 });
    done(w, node, &start, OUTCOME_CANCELLED, 0);
    done_stored(w, node, &start, (struct list){ 0 });
    assert_true(told_to_drop(w, start.task));
    world_free(w);
}

/*  A head that has started again does not know yet what is where. */
static void a_report_that_comes_again_drops_nothing(void **state)
{
    (void)state;
    struct world *w = world_new();
    struct rec_start start;
    uint64_t node = join(w, WORKER, 0, "n1", 4), session = open_job(w, CLIENT, "objects");
    submit(w, session, 1, 1, spec_of(w, 1));
    assert_true(start_at(w, 0, &start));
    struct rec_start kept = { .task = start.task, .token = start.token };
    done_stored(w, node, &kept, (struct list){ 0 });
    done_stored(w, node, &kept, (struct list){ 0 });
    assert_false(told_to_drop(w, kept.task));
    world_restart(w);
    hello(w, WORKER, 2);
    say(w, WORKER, MSG_NODE_JOIN,
        &(struct msg_node_join){ .node = node, .key = slice_text("n1"), .store_bytes = 1 << 30 });
    done_stored(w, node, &kept, (struct list){ 0 });
    assert_false(told_to_drop(w, kept.task));
    world_free(w);
}

static void an_argument_is_held_by_its_task(void **state)
{
    (void)state;
    struct world *w = world_new();
    struct rec_start start;
    struct rec_source source;
    uint64_t session, node, task = made(w, &session, &node);
    call(w, session, 2, SPEC_FUNCTION, task);
    assert_true(start_at(w, 0, &start));
    assert_true(next_source(&start.sources, &source));
    assert_int_equal(source.task, task);
    refs(w, CLIENT, session, 1, (struct rec_ref){ task, 0, 0, 0 });
    assert_false(told_to_drop(w, task));
    done(w, node, &start, OUTCOME_OK, 0);
    assert_true(told_to_drop(w, task));
    world_free(w);
}

static void what_is_inside_lives_while_the_outer_one_does(void **state)
{
    (void)state;
    struct world *w = world_new();
    struct rec_start start;
    uint64_t session, node, inner = made(w, &session, &node);
    submit(w, session, 2, 1, spec_of(w, 1));
    assert_true(start_at(w, 0, &start));
    proto_put_record(&w->wire, REC_OBJECT, &(struct rec_object){ inner, 0 });
    done_stored(w, node, &start, wire_list(&w->wire, 1));
    refs(w, CLIENT, session, 1, (struct rec_ref){ inner, 0, 0, 0 });
    assert_false(told_to_drop(w, inner));
    world_restart(w);
    hello(w, WORKER, 2);
    say(w, WORKER, MSG_NODE_JOIN,
        &(struct msg_node_join){ .node = node, .key = slice_text("n1"), .store_bytes = 1 << 30 });
    hello(w, CLIENT, 1);
    say(w, CLIENT, MSG_RESUME, &(struct msg_resume){ .session = session });
    assert_int_equal(must_hear(w, MSG_REFS_TAKEN)->as.refs_taken.below, 2);
    stock(w, node, 1, inner, COPY_PRIMARY);
    assert_false(told_to_drop(w, inner));
    refs(w, CLIENT, session, 2, (struct rec_ref){ start.task, 0, 0, 0 });
    assert_true(told_to_drop(w, inner));
    world_free(w);
}

static void a_session_that_ends_holds_nothing_but_others_do(void **state)
{
    (void)state;
    enum { OTHER = 8 };
    struct world *w = world_new();
    uint64_t session, node, task = made(w, &session, &node);
    uint64_t other = open_job(w, OTHER, "borrower");
    refs(w, OTHER, other, 1, (struct rec_ref){ task, 0, 1, 0 });
    say(w, CLIENT, MSG_BYE, &(struct msg_bye){ .session = session });
    pass(w, 500);
    assert_false(told_to_drop(w, task));
    say(w, OTHER, MSG_BYE, &(struct msg_bye){ .session = other });
    assert_true(told_to_drop(w, task));
    world_free(w);
}

/*  The reference may be dropped before the result is there: the task holds it, also after a restart. */
static void what_a_task_will_return_is_held(void **state)
{
    (void)state;
    struct world *w = world_new();
    struct rec_start start;
    uint64_t session, node, inner = made(w, &session, &node);
    submit(w, session, 2, 1, spec_of(w, 1));
    assert_true(start_at(w, 0, &start));
    refs(w, CLIENT, session, 1, (struct rec_ref){ inner, 0, 1, start.task });
    refs(w, CLIENT, session, 2, (struct rec_ref){ inner, 0, 0, 0 });
    assert_false(told_to_drop(w, inner));
    world_restart(w);
    hello(w, WORKER, 2);
    say(w, WORKER, MSG_NODE_JOIN,
        &(struct msg_node_join){ .node = node, .key = slice_text("n1"), .store_bytes = 1 << 30 });
    stock(w, node, 1, inner, COPY_PRIMARY);
    assert_false(told_to_drop(w, inner));
    done_stored(w, node, &start, (struct list){ 0 }); /* it returns something else */
    assert_true(told_to_drop(w, inner));
    world_free(w);
}

static void what_is_taken_away_goes_at_once(void **state)
{
    (void)state;
    struct world *w = world_new();
    uint64_t session, node, task = made(w, &session, &node);
    proto_put_record(&w->wire, REC_OBJECT, &(struct rec_object){ task, 0 });
    say(w, CLIENT, MSG_FREE,
        &(struct msg_free){ .session = session, .objects = wire_list(&w->wire, 1) });
    assert_int_equal(must_hear(w, MSG_CHANGED)->as.changed.id, 1);
    assert_true(told_to_drop(w, task));
    struct rec_source source = where(w, session, task);
    assert_int_equal(source.state, DIRECTORY_LOST);
    assert_int_equal(source.reason, REASON_OBJECT_FREED);
    call(w, session, 2, SPEC_FUNCTION, task);
    struct rec_result result;
    assert_true(result_of(w, task_id_of(session, 2).v, &result));
    assert_int_equal(result.failure, FAILURE_OBJECT_LOST);
    stock(w, node, 1, task, COPY_GONE);
    refs(w, CLIENT, session, 1, (struct rec_ref){ task, 0, 0, 0 });
    assert_int_equal(where(w, session, task).state, DIRECTORY_FREED);
    world_free(w);
}

static void a_change_that_is_said_again_changes_nothing(void **state)
{
    (void)state;
    struct world *w = world_new();
    uint64_t session, node, task = made(w, &session, &node);
    refs(w, CLIENT, session, 3, (struct rec_ref){ task, 0, 0, 0 });
    assert_int_equal(must_hear(w, MSG_REFS_TAKEN)->as.refs_taken.below, 1);
    assert_false(told_to_drop(w, task));
    world_free(w);
}

static void a_lost_value_that_was_put_says_why(void **state)
{
    (void)state;
    struct world *w = world_new();
    enum { NEW_WORKER = 11 };
    uint64_t node = join(w, WORKER, 0, "n1", 4);
    uint64_t session = open_job(w, CLIENT, "objects");
    call(w, session, 1, SPEC_VALUE, node);
    uint64_t task = task_id_of(session, 1).v;
    assert_int_equal(where(w, session, task).state, DIRECTORY_STORED);
    join(w, NEW_WORKER, 0, "n1", 4); /* a new process: what the old one had is gone */
    struct rec_source source = where(w, session, task);
    assert_int_equal(source.state, DIRECTORY_LOST);
    assert_int_equal(source.reason, REASON_OBJECT_UNRECONSTRUCTABLE_PUT);
    call(w, session, 2, SPEC_FUNCTION, task);
    struct rec_result result;
    assert_true(result_of(w, task_id_of(session, 2).v, &result));
    assert_int_equal(result.failure, FAILURE_OBJECT_LOST);
    world_free(w);
}

static void a_copy_that_the_head_does_not_know_goes(void **state)
{
    (void)state;
    struct world *w = world_new();
    uint64_t session, node, task = made(w, &session, &node);
    stock(w, node, 1, task_id_of(session, 50).v, COPY_PRIMARY);
    assert_false(told_to_drop(w, task_id_of(session, 50).v)); /* its CALL may be on its way */
    stock(w, node, 2, task_id_of(session + 7, 1).v, COPY_PRIMARY);
    assert_true(told_to_drop(w, task_id_of(session + 7, 1).v));
    assert_int_equal(where(w, session, task).state, DIRECTORY_STORED);
    world_free(w);
}

static void another_copy_becomes_the_primary(void **state)
{
    (void)state;
    enum { SECOND = 10 };
    struct world *w = world_new();
    uint64_t session, node, task = made(w, &session, &node);
    uint64_t second = join(w, SECOND, 0, "n2", 4);
    proto_put_record(&w->wire, REC_COPY, &(struct rec_copy){ task, 0, SIZE, COPY_SECONDARY });
    say(w, SECOND, MSG_STOCK,
        &(struct msg_stock){ .node = second, .number = 1, .copies = wire_list(&w->wire, 1) });
    stock(w, node, 1, task, COPY_GONE);
    assert_int_equal(must_hear(w, MSG_OBJECT_KEEP)->as.object_keep.objects.count, 1);
    assert_int_equal(where(w, session, task).places.count, 1);
    world_free(w);
}

static void what_is_lost_is_made_again(void **state)
{
    (void)state;
    struct world *w = world_new();
    struct rec_start start, next;
    struct rec_result result;
    uint64_t session, node, task = lost_with_its_node(w, 3, &session, &node);
    assert_true(start_at(w, 0, &start));
    assert_true(start.task == task && start.attempt == 2);
    assert_int_equal(where(w, session, task).state, DIRECTORY_REBUILDING);
    call(w, session, 2, SPEC_FUNCTION, task); /* who needs it waits */
    assert_false(start_at(w, 0, &next));
    say(w, CLIENT, MSG_POLL, &(struct msg_poll){ .session = session });
    done_stored(w, node, &start, (struct list){ 0 });
    assert_false(result_of(w, task, &result)); /* it has ended before */
    assert_true(start_at(w, 0, &next));
    assert_int_equal(next.task, task_id_of(session, 2).v);
    assert_int_equal(where(w, session, task).state, DIRECTORY_STORED);
    refs(w, CLIENT, session, 1, (struct rec_ref){ task, 0, 0, 0 });
    assert_false(told_to_drop(w, task));
    done(w, node, &next, OUTCOME_OK, 0);
    assert_true(told_to_drop(w, task));
    world_free(w);
}

static void a_rebuild_goes_on_after_a_restart(void **state)
{
    (void)state;
    struct world *w = world_new();
    struct rec_start start;
    uint64_t session, node, task = lost_with_its_node(w, 3, &session, &node);
    assert_true(start_at(w, 0, &start));
    world_restart(w);
    hello(w, WORKER, 2);
    say(w, WORKER, MSG_NODE_JOIN,
        &(struct msg_node_join){ .node = node, .key = slice_text("n1"), .store_bytes = 1 << 30 });
    hello(w, CLIENT, 1);
    say(w, CLIENT, MSG_RESUME, &(struct msg_resume){ .session = session });
    assert_int_equal(where(w, session, task).state, DIRECTORY_REBUILDING);
    done_stored(w, node, &start, (struct list){ 0 });
    assert_int_equal(where(w, session, task).state, DIRECTORY_STORED);
    world_free(w);
}

static void assert_lost(struct world *w, uint64_t session, uint64_t task, enum object_reason reason)
{
    struct rec_source source = where(w, session, task);
    assert_int_equal(source.state, DIRECTORY_LOST);
    assert_int_equal(source.reason, reason);
}

static void what_may_run_once_is_not_made_again(void **state)
{
    (void)state;
    struct world *w = world_new();
    uint64_t session, node, task = lost_with_its_node(w, 0, &session, &node);
    assert_lost(w, session, task, REASON_OBJECT_UNRECONSTRUCTABLE_RETRIES_DISABLED);
    world_free(w);
}

static void making_it_again_costs_retries(void **state)
{
    (void)state;
    struct world *w = world_new();
    struct rec_start start;
    uint64_t session, node, task = lost_with_its_node(w, 1, &session, &node);
    assert_true(start_at(w, 0, &start));
    done_stored(w, node, &start, (struct list){ 0 });
    join(w, NEWER_WORKER, 0, "n1", 1); /* it is lost once more */
    assert_lost(w, session, task, REASON_OBJECT_UNRECONSTRUCTABLE_MAX_ATTEMPTS_EXCEEDED);
    world_free(w);
}

static void a_rebuild_that_dies_is_tried_again_within_the_budget(void **state)
{
    (void)state;
    struct world *w = world_new();
    struct rec_start start;
    uint64_t session, node, task = lost_with_its_node(w, 2, &session, &node);
    assert_true(start_at(w, 0, &start));
    done(w, node, &start, OUTCOME_SIGNAL, -9);
    pass(w, 250); /* its backoff */
    assert_true(start_at(w, 0, &start));
    assert_int_equal(start.attempt, 3);
    done(w, node, &start, OUTCOME_SIGNAL, -9);
    assert_lost(w, session, task, REASON_OBJECT_UNRECONSTRUCTABLE_MAX_ATTEMPTS_EXCEEDED);
    world_free(w);
}

static void a_method_is_not_called_again(void **state)
{
    (void)state;
    struct actors *a = actors_new(-1);
    struct rec_start call;
    alive(a, &a->start);
    calls(a, 2, 1, -1);
    assert_true(start_at(a->w, 0, &call));
    done_stored(a->w, a->node, &call, (struct list){ 0 });
    join(a->w, NEW_WORKER, 0, "n1", 1);
    assert_lost(a->w, a->session, call.task, REASON_OBJECT_UNRECONSTRUCTABLE_ACTOR);
    actors_free(a);
}

static void what_was_stopped_is_not_made_again(void **state)
{
    (void)state;
    struct world *w = world_new();
    struct rec_start start;
    uint64_t session, node, task = lost_with_its_node(w, 3, &session, &node);
    assert_true(start_at(w, 0, &start));
    done(w, node, &start, OUTCOME_CANCELLED, 0);
    assert_lost(w, session, task, REASON_OBJECT_UNRECONSTRUCTABLE_TASK_CANCELLED);
    world_free(w);
}

/*  Not yet: what its task needs would have to be made again first. */
static void what_needs_what_is_gone_is_not_made_again(void **state)
{
    (void)state;
    struct world *w = world_new();
    struct rec_start start;
    uint64_t session, node, first = made(w, &session, &node), second = task_id_of(session, 2).v;
    call(w, session, 2, SPEC_FUNCTION, first);
    assert_true(start_at(w, 0, &start));
    done_stored(w, node, &start, (struct list){ 0 });
    refs(w, CLIENT, session, 1, (struct rec_ref){ first, 0, 0, 0 });
    node = join(w, NEW_WORKER, 0, "n1", 1);
    assert_true(start_at(w, 0, &start) && start.task == second);
    done(w, node, &start, OUTCOME_OBJECT_LOST, 0); /* its worker could not have it */
    assert_lost(w, session, second, REASON_OBJECT_UNRECONSTRUCTABLE_LINEAGE_EVICTED);
    world_free(w);
}

static void a_rebuild_ends_with_its_job(void **state)
{
    (void)state;
    struct world *w = world_new();
    struct rec_start start;
    uint64_t session, node, task = lost_with_its_node(w, 2, &session, &node);
    assert_true(start_at(w, 0, &start));
    assert_int_equal(start.task, task);
    say(w, CLIENT, MSG_BYE, &(struct msg_bye){ .session = session });
    assert_non_null(must_hear(w, MSG_BYE_DONE));
    assert_int_equal(core_stats(turn_core(w->turn)).tasks_leased, 0);
    world_free(w);
}

/*  Of the tasks that were started in this turn, how many at that worker. */
static uint32_t started_at(const struct world *w, uint32_t peer)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < w->said_count; i++) {
        count += w->said[i].peer == peer && w->said[i].msg.kind == MSG_START
                     ? w->said[i].msg.as.start.starts.count
                     : 0;
    }
    return count;
}

static void a_task_goes_where_its_arguments_are(void **state)
{
    (void)state;
    enum { SECOND = 10 };
    struct world *w = world_new();
    join(w, WORKER, 0, "n1", 4);
    uint64_t second = join(w, SECOND, 0, "n2", 2), session = open_job(w, CLIENT, "near");
    call(w, session, 1, SPEC_VALUE, second);
    for (uint64_t counter = 2; counter <= 3; counter++) {
        call(w, session, counter, SPEC_FUNCTION, task_id_of(session, 1).v);
        assert_int_equal(started_at(w, SECOND), 1);
    }
    call(w, session, 4, SPEC_FUNCTION, task_id_of(session, 1).v); /* that node is full */
    assert_int_equal(started_at(w, SECOND), 0);
    assert_int_equal(started_at(w, WORKER), 1);
    world_free(w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_stored_value_is_where_it_was_made),
        cmocka_unit_test(people_may_ask_where_it_is),
        cmocka_unit_test(what_is_on_the_disk_is_told),
        cmocka_unit_test(what_a_late_report_has_sealed_is_dropped),
        cmocka_unit_test(a_report_that_comes_again_drops_nothing),
        cmocka_unit_test(what_nobody_holds_is_dropped_until_its_node_says_so),
        cmocka_unit_test(an_argument_is_held_by_its_task),
        cmocka_unit_test(what_is_inside_lives_while_the_outer_one_does),
        cmocka_unit_test(a_session_that_ends_holds_nothing_but_others_do),
        cmocka_unit_test(what_a_task_will_return_is_held),
        cmocka_unit_test(what_is_taken_away_goes_at_once),
        cmocka_unit_test(a_change_that_is_said_again_changes_nothing),
        cmocka_unit_test(a_lost_value_that_was_put_says_why),
        cmocka_unit_test(what_is_lost_is_made_again),
        cmocka_unit_test(a_rebuild_goes_on_after_a_restart),
        cmocka_unit_test(what_may_run_once_is_not_made_again),
        cmocka_unit_test(making_it_again_costs_retries),
        cmocka_unit_test(a_rebuild_that_dies_is_tried_again_within_the_budget),
        cmocka_unit_test(a_method_is_not_called_again),
        cmocka_unit_test(what_was_stopped_is_not_made_again),
        cmocka_unit_test(what_needs_what_is_gone_is_not_made_again),
        cmocka_unit_test(a_rebuild_ends_with_its_job),
        cmocka_unit_test(a_copy_that_the_head_does_not_know_goes),
        cmocka_unit_test(another_copy_becomes_the_primary),
        cmocka_unit_test(a_task_goes_where_its_arguments_are),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
