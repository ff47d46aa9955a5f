/*  object_quota_test.c - stories of the head about how many bytes of objects a user may have. */
#include <string.h>

#include "tests/unit/object_world.h"

static void may_have(struct world *w, uint64_t bytes)
{
    say(w, CLIENT, MSG_USER_PUT,
        &(struct msg_user_put){ .name = slice_text("admin"), .object_bytes_max = bytes });
    must_hear(w, MSG_CHANGED);
}

/*  A world with a node and a session, whose user may have so many bytes. */
static struct world *limited(uint64_t bytes, uint64_t *session, uint64_t *node)
{
    struct world *w = world_new();
    *node = join(w, WORKER, 0, "n1", 4);
    *session = open_job(w, CLIENT, "objects");
    may_have(w, bytes);
    return w;
}

/*  Puts a value of SIZE: how it ended. */
static struct rec_result put(struct world *w, uint64_t session, uint64_t counter, uint64_t node)
{
    struct rec_result result;
    call(w, session, counter, SPEC_VALUE, node);
    assert_true(result_of(w, task_id_of(session, counter).v, &result));
    return result;
}

static void drop(struct world *w, uint64_t session, uint64_t number, uint64_t counter)
{
    refs(w, CLIENT, session, number, (struct rec_ref){ task_id_of(session, counter).v, 0, 0, 0 });
}

static bool says(struct slice text, const char *part)
{
    return memmem(text.p, text.n, part, strlen(part)) != NULL;
}

static void what_is_beyond_it_is_not_kept(void **state)
{
    (void)state;
    uint64_t session, node;
    struct world *w = limited(2 * SIZE + 5, &session, &node);
    struct rec_result result;
    assert_int_equal(put(w, session, 1, node).failure, FAILURE_NONE);
    assert_int_equal(put(w, session, 2, node).failure, FAILURE_NONE);
    result = put(w, session, 3, node);
    assert_int_equal(result.failure, FAILURE_QUOTA);
    assert_true(says(result.text, "admin has 2097152 of 2097157 bytes, and this needs 1048576"));
    assert_true(told_to_drop(w, task_id_of(session, 3).v));
    assert_int_equal(where(w, session, task_id_of(session, 3).v).state, DIRECTORY_FREED);
    call(w, session, 4, SPEC_FUNCTION, task_id_of(session, 3).v);
    assert_true(result_of(w, task_id_of(session, 4).v, &result));
    assert_int_equal(result.failure, FAILURE_UPSTREAM);
    world_free(w);
}

static void who_was_not_told_may_ask(void **state)
{
    (void)state;
    uint64_t session, node;
    struct world *w = limited(5, &session, &node);
    uint64_t task = task_id_of(session, 1).v;
    struct rec_result result;
    put(w, session, 1, node);
    world_restart(w);
    hello(w, CLIENT, 1);
    assert_int_equal(must_hear(w, MSG_WELCOME)->as.welcome.quota, 1);
    say(w, CLIENT, MSG_RESUME, &(struct msg_resume){ .session = session });
    assert_int_equal(must_hear(w, MSG_SUBMITTED)->as.submitted.quota, 1);
    proto_put_record(&w->wire, REC_ID, &(struct rec_id){ task });
    say(w, CLIENT, MSG_POLL,
        &(struct msg_poll){ .session = session, .tasks = wire_list(&w->wire, 1) });
    assert_true(result_of(w, task, &result));
    assert_int_equal(result.failure, FAILURE_QUOTA);
    assert_true(says(result.text, "admin has 0 of 5 bytes"));
    world_free(w);
}

static void what_is_dropped_makes_room(void **state)
{
    (void)state;
    uint64_t session, node;
    struct world *w = limited(SIZE, &session, &node);
    put(w, session, 1, node);
    assert_int_equal(put(w, session, 2, node).failure, FAILURE_QUOTA);
    drop(w, session, 1, 1);
    assert_int_equal(put(w, session, 3, node).failure, FAILURE_NONE);
    assert_int_equal(put(w, session, 4, node).failure, FAILURE_QUOTA);
    proto_put_record(&w->wire, REC_OBJECT, &(struct rec_object){ task_id_of(session, 3).v, 0 });
    say(w, CLIENT, MSG_FREE,
        &(struct msg_free){ .session = session, .objects = wire_list(&w->wire, 1) });
    assert_int_equal(put(w, session, 5, node).failure, FAILURE_NONE);
    world_free(w);
}

/*  What the head hears before anything else of this turn. */
static void says_first(struct world *w, enum msg_kind kind, const void *value)
{
    uint8_t bytes[200];
    struct wire frame = { bytes, 0, sizeof(bytes), false };
    struct msg msg;
    proto_put(&frame, kind, value);
    assert_int_equal(proto_decode(slice_of(frame.p, frame.n), &msg, NULL), OK);
    turn_event(w->turn, &(struct event){ .kind = EV_MESSAGE,
                                         .peer = CLIENT,
                                         .now_ms = w->now_ms,
                                         .wall_ms = 1700000000000 + w->now_ms,
                                         .msg = &msg });
    w->wire.n = 0;
}

static void what_is_dropped_just_before_makes_room(void **state)
{
    (void)state;
    uint64_t session, node;
    struct world *w = limited(SIZE, &session, &node);
    put(w, session, 1, node);
    proto_put_record(&w->wire, REC_REF, &(struct rec_ref){ task_id_of(session, 1).v, 0, 0, 0 });
    says_first(
        w, MSG_REFS,
        &(struct msg_refs){ .session = session, .first = 1, .refs = wire_list(&w->wire, 1) });
    assert_int_equal(put(w, session, 2, node).failure, FAILURE_NONE);
    world_free(w);
}

static void a_task_whose_result_is_beyond_it_fails(void **state)
{
    (void)state;
    uint64_t session, node;
    struct world *w = limited(SIZE - 1, &session, &node);
    struct rec_start start, again;
    struct rec_result result;
    submit(w, session, 1, 1, spec_of(w, 1));
    assert_true(start_at(w, 0, &start));
    done_stored(w, node, &start, (struct list){ 0 });
    assert_true(result_of(w, start.task, &result));
    assert_int_equal(result.failure, FAILURE_QUOTA);
    assert_int_equal(result.value.n, 0);
    assert_true(told_to_drop(w, start.task));
    pass(w, 60000);
    assert_false(start_at(w, 0, &again));
    world_free(w);
}

static void a_restart_counts_the_same(void **state)
{
    (void)state;
    uint64_t session, node;
    struct world *w = limited(2 * SIZE, &session, &node);
    put(w, session, 1, node);
    put(w, session, 2, node);
    world_restart(w);
    hello(w, WORKER, 2);
    say(w, WORKER, MSG_NODE_JOIN,
        &(struct msg_node_join){ .node = node, .key = slice_text("n1"), .store_bytes = 1 << 30 });
    hello(w, CLIENT, 1);
    say(w, CLIENT, MSG_RESUME, &(struct msg_resume){ .session = session });
    assert_int_equal(put(w, session, 3, node).failure, FAILURE_QUOTA);
    drop(w, session, 1, 2);
    assert_int_equal(put(w, session, 4, node).failure, FAILURE_NONE);
    world_free(w);
}

static void what_is_there_stays_when_less_is_allowed(void **state)
{
    (void)state;
    uint64_t session, node;
    struct world *w = limited(UINT64_MAX, &session, &node);
    assert_int_equal(must_hear(w, MSG_CHANGED)->as.changed.id, 1);
    put(w, session, 1, node);
    put(w, session, 2, node);
    may_have(w, SIZE);
    assert_int_equal(where(w, session, task_id_of(session, 1).v).state, DIRECTORY_STORED);
    assert_int_equal(put(w, session, 3, node).failure, FAILURE_QUOTA);
    may_have(w, 3 * SIZE);
    assert_int_equal(put(w, session, 4, node).failure, FAILURE_NONE);
    world_free(w);
}

static void what_is_made_again_is_counted_once(void **state)
{
    (void)state;
    struct world *w = world_new();
    struct rec_start start;
    uint64_t session, node, task = lost_with_its_node(w, 3, &session, &node);
    assert_true(start_at(w, 0, &start));
    may_have(w, SIZE);
    done_stored(w, node, &start, (struct list){ 0 });
    assert_int_equal(where(w, session, task).state, DIRECTORY_STORED);
    assert_int_equal(put(w, session, 2, node).failure, FAILURE_QUOTA);
    drop(w, session, 1, 1);
    assert_int_equal(put(w, session, 3, node).failure, FAILURE_NONE);
    world_free(w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_beyond_it_is_not_kept),
        cmocka_unit_test(who_was_not_told_may_ask),
        cmocka_unit_test(what_is_dropped_makes_room),
        cmocka_unit_test(what_is_dropped_just_before_makes_room),
        cmocka_unit_test(a_task_whose_result_is_beyond_it_fails),
        cmocka_unit_test(a_restart_counts_the_same),
        cmocka_unit_test(what_is_there_stays_when_less_is_allowed),
        cmocka_unit_test(what_is_made_again_is_counted_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
