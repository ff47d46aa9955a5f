/*  value_test.c - stories of the head about values that are put: they are there at once, no task for people, and may be
    waited for before they are there. */
#include "head/core/survey.h"
#include "tests/unit/head_world.h"

static struct rec_spec value_spec(void)
{
    return (struct rec_spec){ .index = 2, .kind = SPEC_VALUE };
}

/*  Puts one value. */
static void put(struct world *w, uint64_t session, uint64_t counter, const char *bytes)
{
    size_t at = w->wire.n;
    struct rec_spec spec = value_spec();
    proto_put_record(&w->wire, REC_SPEC, &spec);
    struct list specs = { slice_of(w->list + at, w->wire.n - at), 1 };
    at = w->wire.n;
    proto_put_record(&w->wire, REC_CALL,
                     &(struct rec_call){ .spec = 2, .args = slice_text(bytes) });
    struct list calls = { slice_of(w->list + at, w->wire.n - at), 1 };
    say(w, CLIENT, MSG_SUBMIT,
        &(struct msg_submit){
            .session = session, .first = counter, .specs = specs, .calls = calls });
}

/*  Submits one task that waits for another's result. */
static void wait_for(struct world *w, uint32_t peer, uint64_t session, uint64_t dep)
{
    size_t at = w->wire.n;
    proto_put_record(&w->wire, REC_ID, &(struct rec_id){ dep });
    struct list deps = { slice_of(w->list + at, w->wire.n - at), 1 };
    struct rec_spec spec = spec_of(w, 1);
    at = w->wire.n;
    proto_put_record(&w->wire, REC_SPEC, &spec);
    struct list specs = { slice_of(w->list + at, w->wire.n - at), 1 };
    at = w->wire.n;
    proto_put_record(&w->wire, REC_CALL,
                     &(struct rec_call){ .spec = 1, .args = slice_text("\x91\xC0"), .deps = deps });
    struct list calls = { slice_of(w->list + at, w->wire.n - at), 1 };
    say(w, peer, MSG_SUBMIT,
        &(struct msg_submit){ .session = session, .first = 1, .specs = specs, .calls = calls });
}

static bool poll_for(struct world *w, uint64_t session, uint64_t task, struct rec_result *out)
{
    proto_put_record(&w->wire, REC_ID, &(struct rec_id){ task });
    say(w, CLIENT, MSG_POLL,
        &(struct msg_poll){ .session = session, .tasks = wire_list(&w->wire, 1) });
    return result_of(w, task, out);
}

/*  A START brings this value for its only reference. */
static void assert_brings(const struct world *w, uint64_t task, const char *bytes)
{
    struct rec_start start;
    struct rec_value value;
    assert_true(start_at(w, 0, &start));
    assert_int_equal(start.task, task);
    assert_true(next_value(&start.deps, &value));
    assert_true(slice_same(value.bytes, slice_text(bytes)));
}

static void a_value_is_there_at_once(void **state)
{
    (void)state;
    struct world *w = world_new();
    struct rec_result result;
    uint64_t session = open_job(w, CLIENT, "values");
    put(w, session, 1, "\x2A");
    assert_true(poll_for(w, session, task_id_of(session, 1).v, &result));
    assert_int_equal(result.failure, FAILURE_NONE);
    assert_true(slice_same(result.value, slice_text("\x2A")));
    world_free(w);
}

static void a_value_outlives_the_head(void **state)
{
    (void)state;
    struct world *w = world_new();
    struct rec_result result;
    uint64_t session = open_job(w, CLIENT, "values");
    put(w, session, 1, "\x2A");
    world_restart(w);
    hello(w, CLIENT, 1);
    say(w, CLIENT, MSG_RESUME, &(struct msg_resume){ .session = session });
    assert_int_equal(must_hear(w, MSG_SUBMITTED)->as.submitted.below, 2);
    assert_true(poll_for(w, session, task_id_of(session, 1).v, &result));
    assert_true(slice_same(result.value, slice_text("\x2A")));
    world_free(w);
}

static void a_value_that_is_sent_again_is_put_once(void **state)
{
    (void)state;
    struct world *w = world_new();
    struct rec_result result;
    uint64_t session = open_job(w, CLIENT, "values");
    put(w, session, 1, "\x2A");
    put(w, session, 1, "\x2B");
    assert_true(poll_for(w, session, task_id_of(session, 1).v, &result));
    assert_true(slice_same(result.value, slice_text("\x2A")));
    world_free(w);
}

static void a_task_gets_the_value_that_it_names(void **state)
{
    (void)state;
    struct world *w = world_new();
    join(w, WORKER, 0, "n1", 4);
    uint64_t session = open_job(w, CLIENT, "values");
    uint64_t other = open_job(w, CLIENT + 1, "other");
    put(w, session, 1, "\x2A");
    wait_for(w, CLIENT + 1, other, task_id_of(session, 1).v);
    assert_brings(w, task_id_of(other, 1).v, "\x2A");
    world_free(w);
}

static void a_task_waits_for_a_value_that_is_still_to_come(void **state)
{
    (void)state;
    struct world *w = world_new();
    join(w, WORKER, 0, "n1", 4);
    uint64_t session = open_job(w, CLIENT, "values");
    uint64_t other = open_job(w, CLIENT + 1, "other");
    struct rec_start start;
    wait_for(w, CLIENT + 1, other, task_id_of(session, 1).v);
    pass(w, 1000);
    assert_false(start_at(w, 0, &start));
    put(w, session, 1, "\x2A");
    assert_brings(w, task_id_of(other, 1).v, "\x2A");
    world_free(w);
}

static void a_value_that_can_never_come_fails_who_waits(void **state)
{
    (void)state;
    struct world *w = world_new();
    struct rec_result result;
    uint64_t session = open_job(w, CLIENT, "values");
    uint64_t other = open_job(w, CLIENT + 1, "other");
    wait_for(w, CLIENT + 1, other, task_id_of(session, 1).v);
    say(w, CLIENT, MSG_BYE, &(struct msg_bye){ .session = session });
    assert_true(result_of(w, task_id_of(other, 1).v, &result));
    assert_int_equal(result.failure, FAILURE_UPSTREAM);
    world_free(w);
}

static void a_head_that_starts_again_still_waits_for_a_value(void **state)
{
    (void)state;
    struct world *w = world_new();
    uint64_t session = open_job(w, CLIENT, "values");
    uint64_t other = open_job(w, CLIENT + 1, "other");
    wait_for(w, CLIENT + 1, other, task_id_of(session, 1).v);
    world_restart(w);
    join(w, WORKER, 0, "n1", 4);
    hello(w, CLIENT, 1);
    say(w, CLIENT, MSG_RESUME, &(struct msg_resume){ .session = session });
    put(w, session, 1, "\x2A");
    assert_brings(w, task_id_of(other, 1).v, "\x2A");
    world_free(w);
}

static void a_session_is_told_how_a_task_of_another_ends(void **state)
{
    (void)state;
    struct world *w = world_new();
    struct rec_result result;
    struct rec_start start;
    uint64_t node = join(w, WORKER, 0, "n1", 4);
    uint64_t other = open_job(w, CLIENT + 1, "other");
    uint64_t session = open_job(w, CLIENT, "values");
    submit(w, session, 1, 1, spec_of(w, 1));
    assert_true(start_at(w, 0, &start));
    for (int i = 0; i < 2; i++) { /* asked for twice, told once */
        proto_put_record(&w->wire, REC_ID, &(struct rec_id){ start.task });
        say(w, CLIENT + 1, MSG_POLL,
            &(struct msg_poll){ .session = other, .tasks = wire_list(&w->wire, 1) });
        assert_false(result_of(w, start.task, &result));
    }
    done(w, node, &start, OUTCOME_OK, 0);
    uint32_t told = 0;
    for (uint32_t i = 0; i < w->said_count; i++) {
        told += w->said[i].peer == CLIENT + 1 && w->said[i].msg.kind == MSG_RESULTS;
    }
    assert_int_equal(told, 1);
    assert_true(result_of(w, start.task, &result));
    assert_true(slice_same(result.value, slice_text("\x07")));
    world_free(w);
}

static void a_reference_of_no_task_is_unknown(void **state)
{
    (void)state;
    struct world *w = world_new();
    struct rec_result result;
    assert_true(poll_for(w, open_job(w, CLIENT, "values"), task_id_of(99, 1).v, &result));
    assert_int_equal(result.failure, FAILURE_UNKNOWN_TASK);
    world_free(w);
}

static void a_value_is_no_task_for_people(void **state)
{
    (void)state;
    struct world *w = world_new();
    uint64_t session = open_job(w, CLIENT, "values");
    put(w, session, 1, "\x2A");
    submit(w, session, 2, 1, spec_of(w, 1));
    say(w, CLIENT, MSG_WATCH, &(struct msg_watch){ .job = 1, .offset = UINT64_MAX });
    assert_int_equal(must_hear(w, MSG_JOB_STATE)->as.job_state.total, 1);
    static struct survey survey;
    core_survey(turn_core(w->turn), &survey);
    for (uint32_t i = 0; i < survey.row_count; i++) {
        assert_int_equal(survey.rows[i].in[TASK_FINISHED], 0);
    }
    world_free(w);
}

static void values_need_no_room_among_tasks(void **state)
{
    (void)state;
    struct world *w = world_new();
    struct rec_result result;
    hello(w, CLIENT, 1);
    say(w, CLIENT, MSG_USER_PUT,
        &(struct msg_user_put){ .name = slice_text("admin"), .tasks_max = 1, .jobs_max = 100 });
    uint64_t session = open_job(w, CLIENT, "values");
    submit(w, session, 1, 1, spec_of(w, 1));
    put(w, session, 2, "\x2A");
    assert_null(heard(w, MSG_REFUSED, 0));
    assert_true(poll_for(w, session, task_id_of(session, 2).v, &result));
    submit(w, session, 3, 1, spec_of(w, 1));
    assert_int_equal(must_hear(w, MSG_REFUSED)->as.refused.code, ERR_QUOTA);
    world_free(w);
}

static void an_array_cannot_be_of_values(void **state)
{
    (void)state;
    struct world *w = world_new();
    hello(w, CLIENT, 1);
    struct rec_spec spec = value_spec();
    proto_put_record(&w->wire, REC_SPEC, &spec);
    say(w, CLIENT, MSG_JOB_OPEN,
        &(struct msg_job_open){ .submission = slice_text("array"),
                                .kind = JOB_ARRAY,
                                .durability = DURABLE_PROCESS,
                                .array_first = 1,
                                .array_last = 3,
                                .specs = wire_list(&w->wire, 1) });
    assert_int_equal(must_hear(w, MSG_REFUSED)->as.refused.code, ERR_INVALID);
    world_free(w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_value_is_there_at_once),
        cmocka_unit_test(a_value_outlives_the_head),
        cmocka_unit_test(a_value_that_is_sent_again_is_put_once),
        cmocka_unit_test(a_task_gets_the_value_that_it_names),
        cmocka_unit_test(a_task_waits_for_a_value_that_is_still_to_come),
        cmocka_unit_test(a_value_that_can_never_come_fails_who_waits),
        cmocka_unit_test(a_head_that_starts_again_still_waits_for_a_value),
        cmocka_unit_test(a_session_is_told_how_a_task_of_another_ends),
        cmocka_unit_test(a_reference_of_no_task_is_unknown),
        cmocka_unit_test(a_value_is_no_task_for_people),
        cmocka_unit_test(values_need_no_room_among_tasks),
        cmocka_unit_test(an_array_cannot_be_of_values),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
