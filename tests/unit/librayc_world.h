/*  librayc_world.h - a head for tests of librayc, on a thread of its own: it can lose messages, forget, refuse and
    restart.  Its tasks end at once: the result of a task is its first argument, which is an integer. */
#ifndef RAYC_LIBRAYC_WORLD_H
#define RAYC_LIBRAYC_WORLD_H
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>
#include <zmq.h>

#include "client/rayc.h"
#include "common/ids.h"
#include "proto/wire.h"

enum {
    JOB = 9,
    SESSION = 3,
    FOREIGN_SESSION = 4,
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
    _Atomic bool stop, foreign_ended;
    _Atomic uint32_t foreign_polls;
    _Atomic uint32_t submits, specs, calls_most, polls, cancels, early_cancels, resumes, byes;
    _Atomic uint32_t inside, held, dropped; /* references of calls; what REFS said */
};

static struct head head;

static inline void say(enum msg_kind kind, const void *message)
{
    struct wire wire = { head.frame, 0, FRAME_BYTES, false };
    proto_put(&wire, kind, message);
    assert_false(wire.full);
    zmq_send(head.router, head.peer, head.peer_bytes, ZMQ_SNDMORE);
    zmq_send(head.router, wire.p, wire.n, 0);
}

static inline void say_submitted(uint64_t seq)
{
    uint64_t half = 1 + (head.below - 1) / 2;
    head.synced = half > head.synced ? half : head.synced;
    struct msg_submitted msg = { seq, SESSION, head.below, head.synced, head.results_seq, 0 };
    say(MSG_SUBMITTED, &msg);
}

static inline void put_result(struct wire *list, uint64_t counter)
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

static inline void say_results(struct wire *list, uint32_t count, bool asked)
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

static inline int64_t first_argument(struct slice args)
{
    struct cursor in = cursor_of(args);
    uint32_t count;
    int64_t value = 0;
    if (!wire_get_array(&in, &count)) {
        return 0; /* of a value that is put: nobody asks */
    }
    return count > 0 && wire_get_int(&in, &value) ? value : 0;
}

static inline void count_inside(struct list sealed)
{
    struct rec_sealed record;
    while (next_sealed(&sealed, &record)) {
        head.inside += record.inside.count;
    }
}

static inline void on_refs(const struct msg_refs *msg)
{
    struct list refs = msg->refs;
    struct rec_ref ref;
    while (next_ref(&refs, &ref)) {
        head.held += ref.held;
        head.dropped += !ref.held;
    }
    say(MSG_REFS_TAKEN, &(struct msg_refs_taken){ .seq = msg->seq,
                                                  .session = SESSION,
                                                  .below = msg->first + msg->refs.count });
}

static inline void on_submit(const struct msg_submit *msg)
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
            count_inside(call.sealed);
            head.values[head.below++] = first_argument(call.args);
            put_result(&results, counter);
            count++;
        }
    }
    say_submitted(msg->seq);
    say_results(&results, count, false);
}

/*  Of another session: 1 has returned three values, 2 has failed, 3 is not known, 4 ends when the test says so. */
static inline uint32_t put_foreign(struct wire *list, uint64_t task)
{
    uint64_t counter = task_counter((task_id){ task });
    static const uint8_t three[] = { 0xC9, 0, 0, 0, 4, 5, 0x93, 0x0B, 0x0C, 0x0D };
    struct rec_result result = { .task = task, .attempt = 1 };
    head.foreign_polls++;
    if (counter == 1) {
        result.value = slice_of(three, sizeof(three));
    } else if (counter == 4 && !head.foreign_ended) {
        return 0;
    } else if (counter == 4) {
        result.value = slice_of("\x2A", 1);
    } else {
        result.failure = counter == 2 ? FAILURE_APP : FAILURE_UNKNOWN_TASK;
        result.status = 42;
        result.text = slice_text(counter == 2 ? "as it was told" : "the head knows no such task");
    }
    proto_put_record(list, REC_RESULT, &result);
    return 1;
}

static inline void on_poll(const struct msg_poll *msg)
{
    struct wire results = { head.list, 0, FRAME_BYTES, false };
    uint32_t count = 0;
    struct list tasks = msg->tasks;
    struct rec_id id;
    head.polls++;
    while (next_id(&tasks, &id)) {
        if (task_session((task_id){ id.task }) == FOREIGN_SESSION) {
            count += put_foreign(&results, id.task);
            continue;
        }
        if (task_counter((task_id){ id.task }) < head.below) {
            put_result(&results, task_counter((task_id){ id.task }));
            count++;
        }
    }
    say_results(&results, count, true);
}

static inline void on_hello(const struct msg_hello *msg)
{
    struct msg_welcome welcome = { .seq = msg->seq,
                                   .major = (uint32_t)head.major,
                                   .version = slice_text("test"),
                                   .epoch = head.epoch,
                                   .beat_ms = BEAT_MS };
    say(MSG_WELCOME, &welcome);
}

/*  There is no node. */
static inline void on_where(const struct msg_where *msg)
{
    uint8_t bytes[64];
    struct wire wire = { bytes, 0, sizeof(bytes), false };
    assert_int_equal(msg->objects.count, 0);
    proto_put_record(&wire, REC_SOURCE, &(struct rec_source){ .state = DIRECTORY_STORED });
    say(MSG_PLACES, &(struct msg_places){ .seq = msg->seq, .sources = wire_list(&wire, 1) });
}

static inline void on_message(const struct msg *msg)
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
        head.early_cancels += task_counter((task_id){ msg->as.cancel.task }) >= head.below;
        say(MSG_CANCELLED,
            &(struct msg_cancelled){ .seq = seq, .task = msg->as.cancel.task, .ended = 1 });
        break;
    case MSG_PROGRAM_PUT:
        say(MSG_PROGRAM_HAS, &(struct msg_program_has){ .seq = seq, .complete = 1 });
        break;
    case MSG_REFS:
        on_refs(&msg->as.refs);
        break;
    case MSG_WHERE:
        on_where(&msg->as.where);
        break;
    case MSG_BYE:
        head.byes++;
        say(MSG_BYE_DONE, &(struct msg_bye_done){ .seq = seq, .session = SESSION });
        break;
    default:
        fail_msg("the head got %s", proto_name(msg->kind));
    }
}

static inline void bind_router(void)
{
    int no_linger = 0;
    head.router = zmq_socket(head.context, ZMQ_ROUTER);
    zmq_setsockopt(head.router, ZMQ_LINGER, &no_linger, sizeof(no_linger));
    assert_int_equal(zmq_bind(head.router, head.address), 0);
}

/*  A new process: a new epoch, and without the tasks that were not on the disk. */
static inline void restart_head(void)
{
    zmq_close(head.router);
    head.epoch++;
    head.results_seq = 0;
    head.below = head.synced;
    bind_router();
    head.restart = 0;
}

static inline void *run_head(void *unused)
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

static inline int start_head(void **state)
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

static inline int stop_head(void **state)
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

static inline void join(void)
{
    if (rayc_init(head.address) != RAYC_OK) {
        fail_msg("%s", rayc_error()->text);
    }
}

static inline rayc_ref *submit_many(size_t count)
{
    rayc_ref *refs = calloc(count, sizeof(*refs));
    for (size_t i = 0; i < count; i++) {
        refs[i] = rayc_call(same, rayc_int((int64_t)i * 3));
    }
    return refs;
}

static inline void get_many(rayc_ref *refs, size_t count)
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

static inline int get_code(rayc_ref ref)
{
    return rayc_get(ref, RAYC_FOREVER, NULL);
}
#endif
