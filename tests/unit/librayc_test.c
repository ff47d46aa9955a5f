/*  librayc_test.c - librayc against a head of this file's own, which can lose messages, forget,
    refuse and restart. Its tasks end at once: the result of a task is its first argument, which
    is an integer. */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>
#include <zmq.h>
#include "client/rayc.h"
#include "common/ids.h"
#include "proto/wire.h"

enum {
    JOB = 9,
    SESSION = 3,
    TASKS_MAX = 70000,
    BEAT_MS = 20,
    FRAME_BYTES = 2 * MIB,
    NEVER = 1 << 30
};

RAYC_TASK(same, task)
{
    return rayc_return(task, rayc_int(rayc_arg_int(task, 0)));
}

/* --- the head --------------------------------------------------------------------------------- */

struct head {
    pthread_t thread;
    char address[64];
    void *context;
    void *router;
    uint8_t peer[256];
    size_t peer_bytes;
    uint64_t epoch, below, synced, results_seq;
    int64_t values[TASKS_MAX]; /* by counter */
    uint8_t *frame, *list;

    /*  What the test wants, and what it sees. */
    _Atomic int major;
    _Atomic int lose_submits; /* so many more SUBMITs are lost */
    _Atomic int lose_results; /* likewise RESULTS, that nobody asked for */
    _Atomic int refuse;       /* a code for every SUBMIT */
    _Atomic int fail;         /* a failure for every result */
    _Atomic int restart;      /* 1: now; it forgets what it did not call synced */
    _Atomic int silent;       /* it is gone */
    _Atomic bool stop;
    _Atomic uint32_t submits, specs, calls_most, polls, cancels, resumes, byes;
};

static struct head head;

static void say(enum msg_kind kind, const void *message)
{
    struct wire wire = { head.frame, 0, FRAME_BYTES, false };
    proto_put(&wire, kind, message);
    assert_false(wire.full);
    zmq_send(head.router, head.peer, head.peer_bytes, ZMQ_SNDMORE);
    zmq_send(head.router, wire.p, wire.n, 0);
}

static void say_submitted(uint64_t seq)
{
    uint64_t half = 1 + (head.below - 1) / 2;
    head.synced = half > head.synced ? half : head.synced;
    struct msg_submitted msg = { seq, SESSION, head.below, head.synced, head.results_seq };
    say(MSG_SUBMITTED, &msg);
}

static void put_result(struct wire *list, uint64_t counter)
{
    uint8_t value[16];
    struct wire wire = { value, 0, sizeof(value), false };
    wire_put_int(&wire, head.values[counter]);
    struct rec_result result = { .task = task_id_of(SESSION, counter).v,
                                 .attempt = 1,
                                 .failure = (uint32_t)head.fail };
    if (head.fail == 0) {
        result.value = slice_of(wire.p, wire.n);
    } else {
        result.status = head.fail == FAILURE_APP ? 42 : -9;
        result.text = slice_text("as it was told");
    }
    proto_put_record(list, REC_RESULT, &result);
}

static void say_results(struct wire *list, uint32_t count, bool asked)
{
    struct msg_results msg = { ++head.results_seq, wire_list(list, count) };
    if (!asked && head.lose_results > 0) {
        head.lose_results--;
        return;
    }
    if (count > 0) {
        say(MSG_RESULTS, &msg);
    }
}

static int64_t first_argument(struct slice args)
{
    struct cursor in = cursor_of(args);
    uint32_t count;
    int64_t value = 0;
    assert_true(wire_get_array(&in, &count));
    return count > 0 && wire_get_int(&in, &value) ? value : 0;
}

static void on_submit(const struct msg_submit *msg)
{
    head.submits++;
    if (head.refuse != 0) {
        struct msg_refused refused = { msg->seq, head.refuse, slice_text("no such thing here") };
        say(MSG_REFUSED, &refused);
        return;
    }
    if (head.lose_submits > 0) {
        head.lose_submits--;
        return;
    }
    struct wire results = { head.list, 0, FRAME_BYTES, false };
    uint32_t count = 0;
    struct list calls = msg->calls;
    struct rec_call call;
    head.specs += msg->specs.count;
    head.calls_most = msg->calls.count > head.calls_most ? msg->calls.count : head.calls_most;
    for (uint64_t counter = msg->first; next_call(&calls, &call); counter++) {
        if (counter == head.below) {
            head.values[head.below++] = first_argument(call.args);
            put_result(&results, counter);
            count++;
        }
    }
    say_submitted(msg->seq);
    say_results(&results, count, false);
}

static void on_poll(const struct msg_poll *msg)
{
    struct wire results = { head.list, 0, FRAME_BYTES, false };
    uint32_t count = 0;
    struct list tasks = msg->tasks;
    struct rec_id id;
    head.polls++;
    while (next_id(&tasks, &id)) {
        if (task_counter((task_id){ id.task }) < head.below) {
            put_result(&results, task_counter((task_id){ id.task }));
            count++;
        }
    }
    say_results(&results, count, true);
}

static void on_hello(const struct msg_hello *msg)
{
    struct msg_welcome welcome = { .seq = msg->seq,
                                   .major = (uint32_t)head.major,
                                   .version = slice_text("test"),
                                   .epoch = head.epoch,
                                   .beat_ms = BEAT_MS };
    say(MSG_WELCOME, &welcome);
}

static void on_message(const struct msg *msg)
{
    uint64_t seq = msg->as.seq;
    switch ((int)msg->kind) {
    case MSG_HELLO:
        on_hello(&msg->as.hello);
        break;
    case MSG_JOB_OPEN:
        say(MSG_JOB_OPENED, &(struct msg_job_opened){ .seq = seq, .job = JOB, .session = SESSION });
        break;
    case MSG_RESUME:
        head.resumes++;
        say_submitted(seq);
        break;
    case MSG_SUBMIT:
        on_submit(&msg->as.submit);
        break;
    case MSG_POLL:
        on_poll(&msg->as.poll);
        break;
    case MSG_CLIENT_BEAT:
        say_submitted(seq);
        break;
    case MSG_CANCEL:
        head.cancels++;
        say(MSG_CANCELLED,
            &(struct msg_cancelled){ .seq = seq, .task = msg->as.cancel.task, .ended = 1 });
        break;
    case MSG_PROGRAM_PUT:
        say(MSG_PROGRAM_HAS, &(struct msg_program_has){ .seq = seq, .complete = 1 });
        break;
    case MSG_BYE:
        head.byes++;
        say(MSG_BYE_DONE, &(struct msg_bye_done){ .seq = seq, .session = SESSION });
        break;
    default:
        fail_msg("the head got %s", proto_name(msg->kind));
    }
}

static void bind_router(void)
{
    int no_linger = 0;
    head.router = zmq_socket(head.context, ZMQ_ROUTER);
    zmq_setsockopt(head.router, ZMQ_LINGER, &no_linger, sizeof(no_linger));
    assert_int_equal(zmq_bind(head.router, head.address), 0);
}

/*  A new process: a new epoch, and without the tasks that were not on the disk. */
static void restart_head(void)
{
    zmq_close(head.router);
    head.epoch++;
    head.results_seq = 0;
    head.below = head.synced;
    bind_router();
    head.restart = 0;
}

static void *run_head(void *unused)
{
    (void)unused;
    zmq_msg_t part;
    zmq_msg_init(&part);
    while (!head.stop) {
        if (head.restart != 0) {
            restart_head();
        }
        if (head.silent != 0 && head.router != NULL) {
            zmq_close(head.router);
            head.router = NULL;
        }
        zmq_pollitem_t item = { head.router, -1, ZMQ_POLLIN, 0 };
        if (zmq_poll(&item, head.router != NULL, 2) <= 0) {
            continue;
        }
        int n = zmq_recv(head.router, head.peer, sizeof(head.peer), 0);
        head.peer_bytes = n > 0 ? (size_t)n : 0;
        assert_true(zmq_msg_recv(&part, head.router, 0) >= 0);
        struct msg msg;
        assert_int_equal(
            proto_decode(slice_of(zmq_msg_data(&part), zmq_msg_size(&part)), &msg, NULL), OK);
        on_message(&msg);
    }
    zmq_msg_close(&part);
    if (head.router != NULL) {
        zmq_close(head.router);
    }
    return NULL;
}

static int start_head(void **state)
{
    (void)state;
    head = (struct head){ .major = PROTO_MAJOR, .epoch = 5, .below = 1, .synced = 1 };
    snprintf(head.address, sizeof(head.address), "ipc:///tmp/rayc-librayc-test-%d", (int)getpid());
    head.frame = malloc(FRAME_BYTES);
    head.list = malloc(FRAME_BYTES);
    head.context = zmq_ctx_new();
    bind_router();
    setenv("RAYC_RECONNECT_MS", "20000", 1);
    return pthread_create(&head.thread, NULL, run_head, NULL);
}

static int stop_head(void **state)
{
    (void)state;
    rayc_shutdown();
    head.stop = true;
    pthread_join(head.thread, NULL);
    zmq_ctx_term(head.context);
    free(head.frame);
    free(head.list);
    unlink(head.address + 6);
    return 0;
}

/* --- helpers ---------------------------------------------------------------------------------- */

static void join(void)
{
    if (rayc_init(head.address) != RAYC_OK) {
        fail_msg("%s", rayc_error()->text);
    }
}

static rayc_ref *submit_many(size_t count)
{
    rayc_ref *refs = calloc(count, sizeof(*refs));
    for (size_t i = 0; i < count; i++) {
        refs[i] = rayc_call(same, rayc_int((int64_t)i * 3));
    }
    return refs;
}

static void get_many(rayc_ref *refs, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        rayc_value value;
        if (rayc_get(refs[i], RAYC_FOREVER, &value) != RAYC_OK) {
            fail_msg("task %zu: %s", i, rayc_error()->text);
        }
        assert_int_equal(value.as.i, i * 3);
        rayc_drop(&refs[i]);
    }
    free(refs);
}

static int get_code(rayc_ref ref)
{
    return rayc_get(ref, RAYC_FOREVER, NULL);
}

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
    assert_int_equal(get_code((rayc_ref){ JOB, task_id_of(SESSION, 77).v }), RAYC_ENOTFOUND);
    assert_int_equal(get_code((rayc_ref){ JOB + 1, task_id_of(SESSION, 1).v }), RAYC_ENOTFOUND);
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
        TEST(threads_share_a_session),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
