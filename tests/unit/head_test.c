/*  head_test.c - stories of the head: core, store and turn together. */
#include <stdio.h>
#include "tests/unit/head_world.h"

static void a_task_runs(void **unused)
{
    (void)unused;
    struct world *w = world_new();
    uint64_t session = open_job(w, CLIENT, "a");
    submit(w, session, 1, 1, spec_of(w, 1));
    assert_null(heard(w, MSG_START, 0));
    pass(w, 5);
    assert_int_equal(must_hear(w, MSG_SUBMITTED)->as.submitted.below, 2);
    uint64_t node = join(w, WORKER, 0, "n1", 2);
    struct rec_start start;
    assert_true(start_at(w, 0, &start));
    assert_int_equal(start.attempt, 1);
    assert_int_equal(start.args.n, 1);
    struct list specs = must_hear(w, MSG_START)->as.start.specs;
    assert_int_equal(specs.count, 1);
    uint64_t task = start.task;
    done(w, node, &start, OUTCOME_OK, 0);
    struct rec_result result;
    assert_true(result_of(w, task, &result));
    assert_int_equal(result.failure, 0);
    assert_int_equal(result.value.p[0], 7);
    pass(w, 5);
    assert_int_equal(must_hear(w, MSG_DONE_ACK)->as.done_ack.reports.count, 1);
    say(w, CLIENT, MSG_BYE, &(struct msg_bye){ .session = session });
    must_hear(w, MSG_BYE_DONE);
    assert_int_equal(core_stats(turn_core(w->turn)).jobs_open, 0);
    world_free(w);
}

static void slots_limit_what_runs(void **unused)
{
    (void)unused;
    struct world *w = world_new();
    uint64_t session = open_job(w, CLIENT, "a");
    uint64_t node = join(w, WORKER, 0, "n1", 2);
    submit(w, session, 1, 10, spec_of(w, 1));
    struct rec_start first, second, third;
    assert_true(start_at(w, 0, &first) && start_at(w, 1, &second));
    assert_false(start_at(w, 2, &third));
    struct rec_start copy = first;
    done(w, node, &copy, OUTCOME_OK, 0);
    assert_true(start_at(w, 0, &third)); /* 20 ms each: nothing goes ahead */
    assert_false(start_at(w, 1, &second));
    world_free(w);
}

static void resent_calls_are_taken_once(void **unused)
{
    (void)unused;
    struct world *w = world_new();
    uint64_t session = open_job(w, CLIENT, "a");
    submit(w, session, 1, 3, spec_of(w, 1));
    submit(w, session, 1, 3, spec_of(w, 1));
    pass(w, 5);
    assert_int_equal(must_hear(w, MSG_SUBMITTED)->as.submitted.below, 4);
    submit(w, session, 9, 3, spec_of(w, 1)); /* a gap */
    assert_int_equal(must_hear(w, MSG_SUBMITTED)->as.submitted.below, 4);
    assert_int_equal(core_stats(turn_core(w->turn)).accepted, 3);
    world_free(w);
}

static void failures_are_retried_within_budget(void **unused)
{
    (void)unused;
    struct world *w = world_new();
    uint64_t session = open_job(w, CLIENT, "a");
    uint64_t node = join(w, WORKER, 0, "n1", 2);
    struct rec_spec spec = spec_of(w, 1);
    spec.max_retries = 2;
    submit(w, session, 1, 1, spec);
    struct rec_start start;
    uint64_t token = 0;
    for (uint32_t attempt = 1; attempt <= 3; attempt++) {
        for (int i = 0; i < 100 && !start_at(w, 0, &start); i++) {
            pass(w, 100);
        }
        assert_int_equal(start.attempt, attempt);
        assert_true(start.token > token);
        token = start.token;
        struct rec_start copy = start;
        done(w, node, &copy, OUTCOME_SIGNAL, -9);
    }
    struct rec_result result;
    assert_true(result_of(w, start.task, &result));
    assert_int_equal(result.failure, FAILURE_WORKER_DIED);
    assert_int_equal(result.attempt, 3);
    assert_true(slice_same(result.text, slice_text("killed by signal 9")));
    world_free(w);
}

static void running_out_of_memory_is_charged_and_told(void **unused)
{
    (void)unused;
    struct world *w = world_new();
    uint64_t session = open_job(w, CLIENT, "a");
    uint64_t node = join(w, WORKER, 0, "n1", 2);
    struct rec_spec spec = spec_of(w, 1);
    spec.max_retries = 1;
    spec.crash_limit = 1; /* it is not the program that is broken */
    submit(w, session, 1, 1, spec);
    struct rec_start start;
    for (uint32_t attempt = 1; attempt <= 2; attempt++) {
        assert_true(start_at(w, 0, &start));
        assert_int_equal(start.attempt, attempt);
        struct rec_start copy = start;
        done(w, node, &copy, OUTCOME_OUT_OF_MEMORY, -9);
    }
    struct rec_result result;
    assert_true(result_of(w, start.task, &result));
    assert_int_equal(result.failure, FAILURE_OUT_OF_MEMORY);
    assert_string_equal(failure_type(result.failure), "OUT_OF_MEMORY");
    assert_true(
        slice_same(result.text, slice_text("the task was killed because its memory ran out")));
    world_free(w);
}

static void application_errors_are_final_by_default(void **unused)
{
    (void)unused;
    struct world *w = world_new();
    uint64_t session = open_job(w, CLIENT, "a");
    uint64_t node = join(w, WORKER, 0, "n1", 2);
    submit(w, session, 1, 1, spec_of(w, 1));
    struct rec_start start;
    assert_true(start_at(w, 0, &start));
    struct rec_start copy = start;
    done(w, node, &copy, OUTCOME_APP_ERROR, 4);
    struct rec_result result;
    assert_true(result_of(w, copy.task, &result));
    assert_int_equal(result.failure, FAILURE_APP);
    assert_int_equal(result.status, 4);
    world_free(w);
}

/*  Errors that are retried and deaths share one budget; the last error is the result. */
static void errors_are_retried_if_they_are_listed(void **unused)
{
    (void)unused;
    enum { LISTED = -7, OTHER = 5 };
    static const struct {
        uint32_t mode;
        int32_t status; /* of the last attempt */
        uint32_t attempts;
    } rows[] = { { RETRY_CODES, LISTED, 3 },
                 { RETRY_CODES, OTHER, 1 },
                 { RETRY_ANY, OTHER, 3 },
                 { RETRY_NONE, LISTED, 1 } };
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct world *w = world_new();
        uint64_t session = open_job(w, CLIENT, "a");
        uint64_t node = join(w, WORKER, 0, "n1", 1);
        struct rec_spec spec = spec_of(w, 1);
        size_t at = w->wire.n;
        proto_put_record(&w->wire, REC_CODE, &(struct rec_code){ 3 });
        proto_put_record(&w->wire, REC_CODE, &(struct rec_code){ LISTED });
        spec.retry_codes = (struct list){ slice_of(w->list + at, w->wire.n - at), 2 };
        spec.retry_mode = rows[i].mode;
        spec.max_retries = 2;
        submit(w, session, 1, 1, spec);
        struct rec_start start = { 0 };
        struct rec_result result = { 0 };
        for (uint32_t attempt = 1; attempt <= rows[i].attempts; attempt++) {
            for (int n = 0; n < 10 && !start_at(w, 0, &start); n++) {
                pass(w, 100);
            }
            struct rec_start copy = start;
            bool dies = rows[i].attempts == 3 && attempt == 2;
            assert_int_equal(start.attempt, attempt);
            assert_false(result_of(w, start.task, &result));
            done(w, node, &copy, dies ? OUTCOME_SIGNAL : OUTCOME_APP_ERROR,
                 dies ? -9 : rows[i].status);
        }
        assert_true(result_of(w, start.task, &result));
        assert_int_equal(result.failure, FAILURE_APP);
        assert_int_equal(result.status, rows[i].status);
        assert_int_equal(result.attempt, rows[i].attempts);
        world_free(w);
    }
}

static void without_end_is_without_end(void **unused)
{
    (void)unused;
    struct world *w = world_new();
    uint64_t session = open_job(w, CLIENT, "a");
    uint64_t node = join(w, WORKER, 0, "n1", 1);
    struct rec_spec spec = spec_of(w, 1);
    spec.max_retries = -1;
    spec.crash_limit = 0;
    spec.backoff_ms_max = 100;
    submit(w, session, 1, 1, spec);
    for (uint32_t attempt = 1; attempt <= 100; attempt++) {
        struct rec_start start;
        for (int n = 0; n < 10 && !start_at(w, 0, &start); n++) {
            pass(w, 100);
        }
        assert_int_equal(start.attempt, attempt);
        struct rec_start copy = start;
        done(w, node, &copy, OUTCOME_SIGNAL, -9);
    }
    world_free(w);
}

static void late_reports_are_fenced(void **unused)
{
    (void)unused;
    struct world *w = world_new();
    uint64_t session = open_job(w, CLIENT, "a");
    uint64_t node = join(w, WORKER, 0, "n1", 1);
    submit(w, session, 1, 1, spec_of(w, 1));
    struct rec_start start, stale;
    assert_true(start_at(w, 0, &start));
    stale = start;
    done(w, node, &stale, OUTCOME_SIGNAL, -9);
    assert_true(start_at(w, 0, &start));
    done(w, node, &stale, OUTCOME_OK, 0);
    assert_null(heard(w, MSG_RESULTS, 0));
    pass(w, 5);
    must_hear(w, MSG_DONE_ACK);
    world_free(w);
}

static void say_held(struct world *w, uint64_t node, const struct rec_start *start, uint32_t how)
{
    struct rec_held held = { .task = start->task, .token = start->token, .running = how };
    w->wire.n = 0;
    proto_put_record(&w->wire, REC_HELD, &held);
    say(w, WORKER, MSG_NODE_WAITS,
        &(struct msg_node_waits){ .node = node, .held = wire_list(&w->wire, 1) });
}

static void who_waits_for_arguments_leaves_the_cpu(void **unused)
{
    (void)unused;
    struct world *w = world_new();
    uint64_t session = open_job(w, CLIENT, "a");
    uint64_t node = join(w, WORKER, 0, "n1", 1);
    submit(w, session, 1, 3, spec_of(w, 1));
    struct rec_start first, second, third;
    assert_true(start_at(w, 0, &first));
    say_held(w, node, &first, HELD_BLOCKED_GET);
    assert_true(start_at(w, 0, &second));
    say_held(w, node, &first, HELD_WAITS);
    done(w, node, &second, OUTCOME_OK, 0);
    assert_false(start_at(w, 0, &third));
    done(w, node, &first, OUTCOME_OK, 0);
    assert_true(start_at(w, 0, &third));
    world_free(w);
}

static void a_restart_adopts(void **unused)
{
    (void)unused;
    struct world *w = world_new();
    uint64_t session = open_job(w, CLIENT, "a");
    uint64_t node = join(w, WORKER, 0, "n1", 2);
    submit(w, session, 1, 5, spec_of(w, 1));
    struct rec_start start;
    assert_true(start_at(w, 0, &start));
    struct rec_start copy = start;
    world_restart(w);
    assert_int_equal(join(w, WORKER, node, "n1", 2), node);
    proto_put_record(&w->wire, REC_HELD, &(struct rec_held){ copy.task, copy.token, 1, 5 });
    say(w, WORKER, MSG_INVENTORY,
        &(struct msg_inventory){
            .seq = 1, .node = node, .last = 1, .held = wire_list(&w->wire, 1) });
    assert_true(start_at(w, 0, &start)); /* the other lease is said again, with its token */
    assert_true(start.task != copy.task && start.token == copy.token + (start.task - copy.task));
    done(w, node, &copy, OUTCOME_OK, 0);
    hello(w, CLIENT, 1);
    say(w, CLIENT, MSG_RESUME, &(struct msg_resume){ .session = session });
    assert_int_equal(must_hear(w, MSG_SUBMITTED)->as.submitted.below, 6);
    proto_put_record(&w->wire, REC_ID, &(struct rec_id){ copy.task });
    say(w, CLIENT, MSG_POLL,
        &(struct msg_poll){ .session = session, .tasks = wire_list(&w->wire, 1) });
    struct rec_result result;
    assert_true(result_of(w, copy.task, &result));
    assert_int_equal(result.attempt, 1);
    world_free(w);
}

/*  What its nodes cost it is charged as the deaths of its process are. */
static void a_lost_node_is_retried_elsewhere(void **unused)
{
    (void)unused;
    struct world *w = world_new();
    uint64_t session = open_job(w, CLIENT, "a");
    join(w, WORKER, 0, "n1", 1);
    struct rec_spec spec = spec_of(w, 1);
    spec.max_retries = 1;
    submit(w, session, 1, 1, spec);
    hello(w, CLIENT, 1);
    struct rec_result result = { 0 };
    for (int lost = 1; lost <= 2; lost++) {
        for (int i = 0; i < 40 && !result_of(w, task_id_of(session, 1).v, &result); i++) {
            say(w, CLIENT, MSG_CLIENT_BEAT, &(struct msg_client_beat){ .session = session });
            pass(w, 1000);
        }
        if (lost == 1) {
            assert_int_equal(result.task, 0);
            struct rec_start start;
            join(w, WORKER + 1, 0, "n2", 1);
            assert_true(start_at(w, 0, &start));
            assert_int_equal(start.attempt, 2);
        }
    }
    assert_int_equal(result.failure, FAILURE_NODE_DIED);
    world_free(w);
}

static void dependants_wait_and_fail_with_their_argument(void **unused)
{
    (void)unused;
    struct world *w = world_new();
    uint64_t session = open_job(w, CLIENT, "a");
    uint64_t node = join(w, WORKER, 0, "n1", 4);
    submit(w, session, 1, 2, spec_of(w, 1));
    struct rec_start one, two, three;
    assert_true(start_at(w, 0, &one) && start_at(w, 1, &two));
    for (uint64_t dep = 1; dep <= 2; dep++) {
        uint8_t bytes[64];
        struct wire deps = { bytes, 0, sizeof(bytes), false };
        proto_put_record(&deps, REC_ID, &(struct rec_id){ task_id_of(session, dep).v });
        proto_put_record(&w->wire, REC_CALL,
                         &(struct rec_call){
                             .spec = 1, .args = slice_text("\x90"), .deps = wire_list(&deps, 1) });
        struct msg_submit msg = { .session = session,
                                  .first = 2 + dep,
                                  .calls = wire_list(&w->wire, 1) };
        say(w, CLIENT, MSG_SUBMIT, &msg);
        assert_false(start_at(w, 0, &three));
    }
    struct rec_start copy = one, other = two;
    done(w, node, &copy, OUTCOME_OK, 0);
    assert_true(start_at(w, 0, &three));
    assert_int_equal(three.deps.count, 1);
    done(w, node, &other, OUTCOME_APP_ERROR, 1);
    struct rec_result result;
    assert_true(result_of(w, task_id_of(session, 4).v, &result));
    assert_int_equal(result.failure, FAILURE_UPSTREAM);
    char cause[TEXT_MAX], text[TEXT_MAX];
    snprintf(cause, sizeof(cause), "failed task: %016llx ", (unsigned long long)other.task);
    assert_true(slice_copy_text(result.text, text, sizeof(text)));
    assert_non_null(strstr(text, cause));
    world_free(w);
}

static void submit_waiting(struct world *w, uint64_t session, uint64_t counter, uint64_t first,
                           uint32_t count)
{
    uint8_t bytes[64];
    struct wire deps = { bytes, 0, sizeof(bytes), false };
    for (uint64_t dep = first; dep < first + count; dep++) {
        proto_put_record(&deps, REC_ID, &(struct rec_id){ task_id_of(session, dep).v });
    }
    proto_put_record(&w->wire, REC_CALL,
                     &(struct rec_call){
                         .spec = 1, .args = slice_text("\x90"), .deps = wire_list(&deps, count) });
    struct msg_submit msg = { .session = session,
                              .first = counter,
                              .calls = wire_list(&w->wire, 1) };
    say(w, CLIENT, MSG_SUBMIT, &msg);
}

/*  A task's row names all its arguments, also those that have ended and wait for nobody. */
static void a_restart_has_room_for_edges(void **unused)
{
    (void)unused;
    struct world *w = world_new();
    w->limits.edges = 2;
    world_restart(w);
    uint64_t early = open_job(w, CLIENT, "a"), late = open_job(w, CLIENT + 1, "b");
    uint64_t node = join(w, WORKER, 0, "n1", 2);
    submit(w, early, 1, 1, spec_of(w, 1));
    submit(w, late, 1, 2, spec_of(w, 1));
    struct rec_start start;
    assert_true(start_at(w, 0, &start));
    assert_int_equal(start.task, task_id_of(late, 1).v);
    submit_waiting(w, late, 3, 1, 2);
    done(w, node, &start, OUTCOME_OK, 0);
    submit_waiting(w, early, 2, 1, 1);
    assert_int_equal(core_stats(turn_core(w->turn)).accepted, 5);
    world_restart(w);
    assert_int_equal(core_stats(turn_core(w->turn)).tasks_ready, 2);
    world_free(w);
}

static void infeasible_demands_are_told(void **unused)
{
    (void)unused;
    struct world *w = world_new();
    uint64_t session = open_job(w, CLIENT, "a");
    join(w, WORKER, 0, "n1", 2);
    struct rec_spec spec = spec_of(w, 4);
    spec.if_infeasible = INFEASIBLE_FAIL;
    submit(w, session, 1, 1, spec);
    struct rec_result result;
    assert_true(result_of(w, task_id_of(session, 1).v, &result));
    assert_int_equal(result.failure, FAILURE_UNSCHEDULABLE);
    assert_true(slice_same(
        result.text,
        slice_text(
            "no node can ever meet the demand: it needs 4 CPU; the nearest node, n1, has 2")));
    spec.index = 2;
    spec.if_infeasible = INFEASIBLE_WAIT;
    spec.demand = amount(w, "CPU", 4);
    submit(w, session, 2, 1, spec);
    say(w, CLIENT, MSG_EXPLAIN, &(struct msg_explain){ .task = task_id_of(session, 2).v });
    assert_int_equal(must_hear(w, MSG_EXPLAINED)->as.explained.why, WHY_INFEASIBLE);
    world_free(w);
}

static void an_array_is_a_job(void **unused)
{
    (void)unused;
    struct world *w = world_new();
    uint64_t node = join(w, WORKER, 0, "n1", 1);
    hello(w, CLIENT, 1);
    struct rec_spec spec = spec_of(w, 1);
    spec.kind = SPEC_COMMAND;
    size_t at = w->wire.n;
    proto_put_record(&w->wire, REC_SPEC, &spec);
    struct msg_job_open open = { .submission = slice_text("arr"),
                                 .kind = JOB_ARRAY,
                                 .durability = DURABLE_PROCESS,
                                 .detached = 1,
                                 .specs = { slice_of(w->list + at, w->wire.n - at), 1 },
                                 .array_first = 10,
                                 .array_last = 12 };
    say(w, CLIENT, MSG_JOB_OPEN, &open);
    uint64_t job = must_hear(w, MSG_JOB_OPENED)->as.job_opened.job;
    struct rec_start start;
    for (int i = 0; i < 3; i++) {
        assert_true(start_at(w, 0, &start));
        assert_int_equal(start.args.p[9], 10 + i);
        struct rec_start copy = start;
        done(w, node, &copy, i == 1 ? OUTCOME_EXIT : OUTCOME_OK, i);
    }
    say(w, CLIENT, MSG_WATCH, &(struct msg_watch){ .job = job });
    const struct msg_job_state *state = &must_hear(w, MSG_JOB_STATE)->as.job_state;
    assert_int_equal(state->state, JOB_FAILED);
    assert_int_equal(state->exit_code, 1);
    assert_int_equal(state->finished, 2);
    assert_true(slice_same(state->message, slice_text("1 of 3 tasks failed")));
    world_free(w);
}

static void cancel_beats_retry_and_survives_a_restart(void **unused)
{
    (void)unused;
    struct world *w = world_new();
    uint64_t session = open_job(w, CLIENT, "a");
    uint64_t node = join(w, WORKER, 0, "n1", 1);
    submit(w, session, 1, 2, spec_of(w, 1));
    struct rec_start start;
    assert_true(start_at(w, 0, &start));
    struct rec_start copy = start;
    say(w, CLIENT, MSG_CANCEL, &(struct msg_cancel){ .task = task_id_of(session, 2).v });
    must_hear(w, MSG_CANCELLED);
    struct rec_result result;
    assert_true(result_of(w, task_id_of(session, 2).v, &result));
    assert_int_equal(result.failure, FAILURE_CANCELLED);
    say(w, CLIENT, MSG_CANCEL, &(struct msg_cancel){ .task = copy.task, .force = 1 });
    struct list leases = must_hear(w, MSG_RECALL)->as.recall.leases;
    struct rec_lease lease;
    assert_true(next_lease(&leases, &lease) && lease.force == RECALL_KILL);
    world_restart(w);
    join(w, WORKER, node, "n1", 1);
    proto_put_record(&w->wire, REC_HELD, &(struct rec_held){ copy.task, copy.token, 1, 5 });
    say(w, WORKER, MSG_INVENTORY,
        &(struct msg_inventory){
            .seq = 1, .node = node, .last = 1, .held = wire_list(&w->wire, 1) });
    must_hear(w, MSG_RECALL);
    done(w, node, &copy, OUTCOME_SIGNAL, -9);
    assert_false(start_at(w, 0, &start));
    assert_int_equal(core_stats(turn_core(w->turn)).tasks_leased, 0);
    world_free(w);
}

static void what_has_ended_is_not_cancelled(void **unused)
{
    (void)unused;
    struct world *w = world_new();
    uint64_t session = open_job(w, CLIENT, "a");
    uint64_t node = join(w, WORKER, 0, "n1", 1), task = task_id_of(session, 1).v;
    submit(w, session, 1, 1, spec_of(w, 1));
    struct rec_start start;
    struct rec_result result;
    assert_true(start_at(w, 0, &start));
    done(w, node, &start, OUTCOME_OK, 0);
    say(w, CLIENT, MSG_CANCEL, &(struct msg_cancel){ .task = task, .force = 1 });
    must_hear(w, MSG_CANCELLED);
    assert_null(heard(w, MSG_RECALL, 0));
    proto_put_record(&w->wire, REC_ID, &(struct rec_id){ task });
    say(w, CLIENT, MSG_POLL,
        &(struct msg_poll){ .session = session, .tasks = wire_list(&w->wire, 1) });
    assert_true(result_of(w, task, &result));
    assert_int_equal(result.failure, FAILURE_NONE);
    world_free(w);
}

static void a_submission_id_is_one_job(void **unused)
{
    (void)unused;
    struct world *w = world_new();
    uint64_t session = open_job(w, CLIENT, "same");
    assert_int_equal(open_job(w, CLIENT, "same"), session);
    say(w, CLIENT, MSG_JOB_OPEN,
        &(struct msg_job_open){ .submission = slice_text("same"),
                                .kind = JOB_ATTACHED,
                                .durability = DURABLE_PROCESS,
                                .digest = slice_text("other") });
    assert_int_equal(must_hear(w, MSG_REFUSED)->as.refused.code, ERR_CONFLICT);
    world_free(w);
}

static void jobs_take_turns(void **unused)
{
    (void)unused;
    struct world *w = world_new();
    uint64_t first = open_job(w, CLIENT, "first");
    uint64_t node = join(w, WORKER, 0, "n1", 2);
    submit(w, first, 1, 10, spec_of(w, 1));
    struct rec_start one, next;
    assert_true(start_at(w, 0, &one));
    struct rec_start copy = one;
    uint64_t second = open_job(w, CLIENT + 1, "second");
    submit(w, second, 1, 10, spec_of(w, 1));
    done(w, node, &copy, OUTCOME_OK, 0);
    assert_true(start_at(
        w, 0, &next)); /* nine of the first job came before it, but it has a task under way */
    assert_int_equal(task_session((task_id){ next.task }), second);
    world_free(w);
}

static void old_jobs_make_room(void **unused)
{
    (void)unused;
    struct world *w = world_new(); /* keeps 20 */
    char name[16];
    for (int i = 0; i < 50; i++) {
        snprintf(name, sizeof(name), "job-%d", i);
        uint64_t session = open_job(w, CLIENT, name);
        say(w, CLIENT, MSG_BYE, &(struct msg_bye){ .session = session });
        must_hear(w, MSG_BYE_DONE);
        pass(w, 250);
    }
    assert_int_equal(core_job_owner(turn_core(w->turn), 1), 0);
    assert_int_not_equal(core_job_owner(turn_core(w->turn), 50), 0);
    world_restart(w);
    assert_int_equal(core_job_owner(turn_core(w->turn), 1), 0);
    assert_int_not_equal(core_job_owner(turn_core(w->turn), 50), 0);
    world_free(w);
}

static void strangers_are_asked_who_they_are(void **unused)
{
    (void)unused;
    struct world *w = world_new();
    say(w, CLIENT, MSG_CLIENT_BEAT, &(struct msg_client_beat){ .session = 1 });
    must_hear(w, MSG_WHO);
    say(w, CLIENT, MSG_HELLO, &(struct msg_hello){ .major = PROTO_MAJOR + 1, .role = 1 });
    assert_int_equal(must_hear(w, MSG_REFUSED)->as.refused.code, ERR_VERSION);
    world_free(w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_task_runs),
        cmocka_unit_test(slots_limit_what_runs),
        cmocka_unit_test(resent_calls_are_taken_once),
        cmocka_unit_test(failures_are_retried_within_budget),
        cmocka_unit_test(running_out_of_memory_is_charged_and_told),
        cmocka_unit_test(application_errors_are_final_by_default),
        cmocka_unit_test(errors_are_retried_if_they_are_listed),
        cmocka_unit_test(without_end_is_without_end),
        cmocka_unit_test(late_reports_are_fenced),
        cmocka_unit_test(who_waits_for_arguments_leaves_the_cpu),
        cmocka_unit_test(a_restart_adopts),
        cmocka_unit_test(a_lost_node_is_retried_elsewhere),
        cmocka_unit_test(dependants_wait_and_fail_with_their_argument),
        cmocka_unit_test(a_restart_has_room_for_edges),
        cmocka_unit_test(infeasible_demands_are_told),
        cmocka_unit_test(an_array_is_a_job),
        cmocka_unit_test(cancel_beats_retry_and_survives_a_restart),
        cmocka_unit_test(what_has_ended_is_not_cancelled),
        cmocka_unit_test(a_submission_id_is_one_job),
        cmocka_unit_test(jobs_take_turns),
        cmocka_unit_test(old_jobs_make_room),
        cmocka_unit_test(strangers_are_asked_who_they_are),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
