/*  librayc_test.c - librayc against a head that loses messages, forgets, refuses and restarts. */
#include "tests/unit/librayc_world.h"

#include <sys/wait.h>

/* --- tests ------------------------------------------------------------------------------------ */

static void a_lone_task_runs(void **state)
{
    (void)state;
    join();
    get_many(submit_many(1), 1);
    assert_int_equal(head.submits, 1);
}

static void a_flood_goes_in_batches(void **state)
{
    (void)state;
    join();
    get_many(submit_many(50000), 50000);
    assert_int_equal(head.calls_most, 256);
    assert_true(head.submits < 2000);
    assert_int_equal(head.specs, 1);
}

static void lost_submits_are_sent_again(void **state)
{
    (void)state;
    join();
    head.lose_submits = 3;
    get_many(submit_many(2000), 2000);
}

static void lost_results_are_asked_for(void **state)
{
    (void)state;
    join();
    head.lose_results = 2; /* a gap that the next RESULTS shows */
    get_many(submit_many(2000), 2000);
    assert_true(head.polls > 0);
    head.lose_results = NEVER; /* and one that only beats show */
    get_many(submit_many(10), 10);
    head.lose_results = 0;
}

static void a_restarted_head_gets_what_it_forgot(void **state)
{
    (void)state;
    join();
    rayc_ref *refs = submit_many(30000);
    assert_int_equal(rayc_wait(&refs[29000], 1, 1, RAYC_FOREVER), 1);
    head.lose_results = NEVER;
    rayc_ref *more = submit_many(30000);
    head.restart = 1;
    while (head.restart != 0) {
        usleep(100);
    }
    head.lose_results = 0;
    get_many(more, 30000);
    get_many(refs, 30000);
    assert_true(head.resumes > 0);
}

static void a_refusal_ends_the_session(void **state)
{
    (void)state;
    join();
    head.refuse = ERR_CLOSED;
    rayc_ref ref = rayc_call(same, rayc_int(1));
    assert_int_equal(get_code(ref), RAYC_ECLOSED);
    assert_string_equal(rayc_error()->text, "no such thing here");
    assert_int_equal(get_code(rayc_call(same, rayc_int(2))), RAYC_ECLOSED);
}

static void a_full_head_is_asked_again(void **state)
{
    (void)state;
    join();
    head.refuse = ERR_BUSY;
    rayc_ref *refs = submit_many(1000);
    assert_int_equal(rayc_get(refs[0], 0.01, NULL), RAYC_ETIMEOUT);
    head.refuse = 0;
    get_many(refs, 1000);
}

static void another_protocol_is_refused(void **state)
{
    (void)state;
    head.major = PROTO_MAJOR + 1;
    assert_int_equal(rayc_init(head.address), RAYC_EVERSION);
    assert_non_null(strstr(rayc_error()->text, "protocol 2"));
}

static void a_head_that_stays_away_is_given_up(void **state)
{
    (void)state;
    setenv("RAYC_RECONNECT_MS", "150", 1);
    join();
    head.silent = 1;
    rayc_ref ref = rayc_call(same, rayc_int(1));
    while (get_code(ref) == RAYC_OK) { /* it may have been in time for the first ones */
        ref = rayc_call(same, rayc_int(1));
    }
    assert_int_equal(rayc_error()->code, RAYC_EUNREACHABLE);
    rayc_ref refs[] = { ref };
    assert_int_equal(rayc_wait(refs, 1, 1, RAYC_FOREVER), RAYC_EUNREACHABLE);
    rayc_shutdown();
    assert_int_equal(rayc_init(head.address), RAYC_EUNREACHABLE);
}

static void failures_say_how(void **state)
{
    (void)state;
    join();
    head.fail = FAILURE_APP;
    rayc_ref ref = rayc_call(same, rayc_int(1));
    assert_int_equal(get_code(ref), RAYC_ETASK);
    assert_int_equal(rayc_error()->app_code, 42);
    assert_string_equal(rayc_error()->text, "as it was told");
    assert_string_equal(rayc_error()->log, "0000030000000001");
    head.fail = FAILURE_WORKER_DIED;
    assert_int_equal(get_code(rayc_call(same, rayc_int(1))), RAYC_EDIED);
    assert_int_equal(rayc_error()->signal, 9);
    assert_int_equal(rayc_error()->attempt, 1);
}

static void wait_moves_what_has_ended_to_the_front(void **state)
{
    (void)state;
    join();
    enum { COUNT_OF = 6 };
    rayc_ref refs[COUNT_OF];
    for (int i = 0; i < COUNT_OF; i++) {
        refs[i] = rayc_call(same, rayc_int(i));
    }
    assert_int_equal(rayc_wait(refs, COUNT_OF, COUNT_OF, RAYC_FOREVER), COUNT_OF);
    head.lose_submits = NEVER;
    rayc_ref pending = rayc_call(same, rayc_int(99));
    rayc_ref mixed[] = { pending, refs[0], refs[1], refs[2] };
    assert_int_equal(rayc_wait(mixed, 4, 2, RAYC_FOREVER), 2);
    assert_int_equal(mixed[0].number, refs[0].number);
    assert_int_equal(mixed[1].number, refs[1].number);
    assert_int_equal(mixed[2].number, pending.number);
    assert_int_equal(mixed[3].number, refs[2].number);
    assert_int_equal(rayc_wait(&pending, 1, 1, 0), 0);
    assert_int_equal(rayc_wait(mixed, 4, 4, 0.01), 3);
    assert_int_equal(rayc_wait(mixed, 4, 5, 0), RAYC_EINVALID);
    assert_int_equal(rayc_wait(mixed, 4, 0, 0), RAYC_EINVALID);
    assert_int_equal(rayc_wait(NULL, 0, 0, 0), 0);
    head.lose_submits = 0;
    assert_int_equal(get_code(pending), RAYC_OK);
}

static void bad_use_is_explained(void **state)
{
    (void)state;
    assert_int_equal(get_code((rayc_ref){ 0 }), RAYC_ECLOSED);
    assert_int_equal(rayc_call(same, rayc_int(1)).number, 0);
    join();
    assert_int_equal(rayc_init(head.address), RAYC_ECONFLICT);
    assert_int_equal(get_code((rayc_ref){ 0 }), RAYC_ENOTFOUND);
    assert_int_equal(get_code((rayc_ref){ task_id_of(SESSION, 77).v, 0, JOB }), RAYC_ENOTFOUND);
    assert_int_equal(get_code((rayc_ref){ task_id_of(SESSION, 1).v, 0, JOB + 1 }), RAYC_ENOTFOUND);
    rayc_ref ref = rayc_call(same, rayc_int(1)), copy = ref;
    rayc_drop(&ref);
    assert_int_equal(ref.number, 0);
    assert_int_equal(get_code(copy), RAYC_ENOTFOUND);
    rayc_options options = rayc_defaults();
    options.cpus = -1;
    rayc_ref invalid = rayc_call_with(&options, same, rayc_int(1));
    assert_int_equal(get_code(invalid), RAYC_EINVALID);
    assert_string_equal(rayc_error()->text, "option cpus is -1: it must be a number from 0 on");
    assert_int_equal(get_code(rayc_call(same, rayc_of(invalid))), RAYC_EUPSTREAM);
    assert_int_equal(rayc_cancel(invalid, 0), RAYC_OK);
    rayc_drop(&invalid);
    assert_int_equal(get_code(rayc_call(same, rayc_of(copy))), RAYC_ENOTFOUND);
    assert_int_equal(get_code(rayc_call(same, rayc_of((rayc_ref){ 0 }))), RAYC_ENOTFOUND);
    assert_int_equal(get_code(rayc_submit(NULL, NULL, NULL, 0)), RAYC_EINVALID);
    static uint8_t large[RAYC_VALUE_MAX];
    assert_int_equal(get_code(rayc_call(same, rayc_bytes(large, sizeof(large)))), RAYC_ETOOLARGE);
    assert_non_null(strstr(rayc_error()->text, "8388626 bytes"));
    rayc_shutdown();
    assert_int_equal(get_code(copy), RAYC_ECLOSED);
}

static void a_fork_has_no_session(void **state)
{
    (void)state;
    join();
    rayc_ref ref = rayc_call(same, rayc_int(1));
    pid_t child = fork();
    if (child == 0) {
        bool told = get_code(ref) == RAYC_ECLOSED && strstr(rayc_error()->text, "fork") != NULL;
        _exit(told ? 0 : 1);
    }
    int status = 1;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    assert_int_equal(get_code(ref), RAYC_OK);
}

static void small_results_travel_as_values(void **state)
{
    (void)state;
    join();
    rayc_ref first = rayc_call(same, rayc_int(123));
    assert_int_equal(get_code(first), RAYC_OK);
    rayc_value value;
    assert_int_equal(rayc_get(rayc_call(same, rayc_of(first)), RAYC_FOREVER, &value), RAYC_OK);
    assert_int_equal(value.as.i, 123);
    assert_int_equal(rayc_cancel(first, 1), RAYC_OK);
    assert_int_equal(head.cancels, 1);
}

/*  A head cannot cancel what it does not know: it would come later, and run. */
static void a_cancel_comes_after_its_task(void **state)
{
    (void)state;
    join();
    head.lose_submits = 1;
    rayc_ref ref = rayc_call(same, rayc_int(1));
    assert_int_equal(rayc_cancel(ref, RAYC_FORCE), RAYC_OK);
    assert_int_equal(head.cancels, 1);
    assert_int_equal(head.early_cancels, 0);
}

static void *submit_and_get(void *unused)
{
    (void)unused;
    get_many(submit_many(5000), 5000);
    return NULL;
}

static void threads_share_a_session(void **state)
{
    (void)state;
    enum { THREADS = 4 };
    pthread_t threads[THREADS];
    join();
    for (int i = 0; i < THREADS; i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, submit_and_get, NULL), 0);
    }
    for (int i = 0; i < THREADS; i++) {
        pthread_join(threads[i], NULL);
    }
    rayc_shutdown();
    assert_int_equal(head.byes, 1);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, start_head, stop_head)
    const struct CMUnitTest tests[] = {
        TEST(a_lone_task_runs),
        TEST(a_flood_goes_in_batches),
        TEST(lost_submits_are_sent_again),
        TEST(lost_results_are_asked_for),
        TEST(a_restarted_head_gets_what_it_forgot),
        TEST(a_refusal_ends_the_session),
        TEST(a_full_head_is_asked_again),
        TEST(another_protocol_is_refused),
        TEST(a_head_that_stays_away_is_given_up),
        TEST(failures_say_how),
        TEST(wait_moves_what_has_ended_to_the_front),
        TEST(bad_use_is_explained),
        TEST(a_fork_has_no_session),
        TEST(small_results_travel_as_values),
        TEST(a_cancel_comes_after_its_task),
        TEST(threads_share_a_session),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
