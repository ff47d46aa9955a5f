/*  study_link_test.c - a study's driver against a head of this file's own: rows before tasks, reports once, decisions
    again, and all of it over a lost connection. */
#include "client/study_link.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <cmocka.h>
#include <zmq.h>
#include "proto/wire.h"

enum { JOB = 9, SESSION = 3, STUDY = 5, BEAT_MS = 20, FRAME_BYTES = 2 * MIB, REPORTS_MAX = 64 };

RAYC_TASK(nothing, task)
{
    (void)task;
    return 0;
}

/* --- the head ----------------------------------------------------------------------------------- */

struct head {
    pthread_t thread;
    pthread_mutex_t lock; /* what the test and the head share */
    char address[64];
    void *context, *router;
    uint8_t peer[256];
    size_t peer_bytes;
    uint8_t *frame;
    uint64_t below, results;

    /*  Under the lock. */
    struct wire later[64]; /* what the test wants said: only one thread may use the socket */
    uint32_t later_count;
    bool stop, restart, refuse_rows, keep_rows; /* keep: not acknowledged */
    uint64_t saved;                             /* seq of the newest TRIALS */
    uint32_t rows, rows_before_task[64];        /* rows that had come when the task came */
    struct rec_report reports[REPORTS_MAX];     /* rows */
    uint32_t report_count, reads, decides, ended;
    struct rec_decision decision; /* the newest */
    char why[32];
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

/*  Of the test, under the lock. */
static void say_later(enum msg_kind kind, const void *message)
{
    struct wire wire = { malloc(4096), 0, 4096, false };
    proto_put(&wire, kind, message);
    assert_false(wire.full);
    head.later[head.later_count++] = wire;
}

static void say_submitted(uint64_t seq)
{
    say(MSG_SUBMITTED,
        &(struct msg_submitted){ seq, SESSION, head.below, head.below, head.results, 0 });
}

static void say_reports(const struct rec_report *reports, uint32_t count)
{
    uint8_t bytes[4096];
    struct wire list = { bytes, 0, sizeof(bytes), false };
    for (uint32_t i = 0; i < count; i++) {
        proto_put_record(&list, REC_REPORT, &reports[i]);
    }
    say_later(MSG_REPORTED,
              &(struct msg_reported){ .study = STUDY, .reports = wire_list(&list, count) });
}

static void on_submit(const struct msg_submit *msg)
{
    struct list calls = msg->calls;
    struct rec_call call;
    for (uint64_t counter = msg->first; next_call(&calls, &call); counter++) {
        if (counter == head.below) {
            head.rows_before_task[head.below++] = head.rows;
        }
    }
    say_submitted(msg->seq);
}

static void on_trials(const struct msg_trials *msg)
{
    if (head.refuse_rows) {
        say(MSG_REFUSED, &(struct msg_refused){ msg->seq, ERR_STALE, slice_text("not yours") });
        return;
    }
    if (msg->seq == head.saved + 1) {
        head.saved = msg->seq;
        head.rows += msg->trials.count;
    }
    if (!head.keep_rows) {
        say(MSG_TRIALS_SAVED, &(struct msg_trials_saved){ head.saved, STUDY });
    }
}

/*  Two rows a page. */
static void on_read(const struct msg_study_read *msg)
{
    uint8_t bytes[1024];
    struct wire list = { bytes, 0, sizeof(bytes), false };
    struct msg_study_rows rows = { .seq = msg->seq, .study = STUDY };
    uint32_t count = 0;
    if (msg->what == 2) {
        head.reads++;
        for (uint32_t i = 0; i < head.report_count; i++) {
            if (head.reports[i].id > msg->after && count < 2) {
                proto_put_record(&list, REC_REPORT, &head.reports[i]);
                count++;
                rows.more = i + 1 < head.report_count;
            }
        }
        rows.reports = wire_list(&list, count);
    } else if (msg->what == 1 && msg->after < 2) {
        struct rec_trial row = { .number = (uint32_t)msg->after, .params = slice_text("{}") };
        proto_put_record(&list, REC_TRIAL, &row);
        rows.trials = wire_list(&list, 1);
        rows.more = msg->after == 0;
    } else if (msg->what == 0 && !slice_same(msg->name, slice_text("study"))) {
        rows.study = 0;
    }
    say(MSG_STUDY_ROWS, &rows);
}

static void on_decide(const struct msg_decide *msg)
{
    struct list decisions = msg->decisions;
    while (next_decision(&decisions, &head.decision)) {
        slice_copy_text(head.decision.text, head.why, sizeof(head.why));
        head.decides++;
    }
}

static void on_message(const struct msg *msg)
{
    uint64_t seq = msg->as.seq;
    switch ((int)msg->kind) {
    case MSG_HELLO:
        say(MSG_WELCOME, &(struct msg_welcome){
                             .seq = seq, .major = PROTO_MAJOR, .epoch = 5, .beat_ms = BEAT_MS });
        break;
    case MSG_JOB_OPEN:
        say(MSG_JOB_OPENED, &(struct msg_job_opened){ .seq = seq, .job = JOB, .session = SESSION });
        break;
    case MSG_RESUME:
    case MSG_CLIENT_BEAT:
        say_submitted(seq);
        break;
    case MSG_SUBMIT:
        on_submit(&msg->as.submit);
        break;
    case MSG_PROGRAM_PUT:
        say(MSG_PROGRAM_HAS, &(struct msg_program_has){ .seq = seq, .complete = 1 });
        break;
    case MSG_BYE:
        say(MSG_BYE_DONE, &(struct msg_bye_done){ .seq = seq, .session = SESSION });
        break;
    case MSG_STUDY_OPEN:
        say(MSG_STUDY_OPENED, &(struct msg_study_opened){ .seq = seq, .study = STUDY });
        break;
    case MSG_STUDY_READ:
        on_read(&msg->as.study_read);
        break;
    case MSG_STUDY_END:
        head.ended = msg->as.study_end.state;
        say(MSG_STUDY_STATE, &(struct msg_study_state){ .seq = seq, .study = STUDY });
        break;
    case MSG_TRIALS:
        on_trials(&msg->as.trials);
        break;
    case MSG_DECIDE:
        on_decide(&msg->as.decide);
        break;
    case MSG_POLL:
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

static void *run_head(void *unused)
{
    zmq_msg_t part;
    zmq_msg_init(&part);
    for (bool stop = false; !stop;) {
        pthread_mutex_lock(&head.lock);
        if (head.restart) {
            zmq_close(head.router);
            bind_router();
            head.restart = false;
        }
        for (uint32_t i = 0; i < head.later_count; i++) {
            zmq_send(head.router, head.peer, head.peer_bytes, ZMQ_SNDMORE);
            zmq_send(head.router, head.later[i].p, head.later[i].n, 0);
            free(head.later[i].p);
        }
        head.later_count = 0;
        stop = head.stop;
        pthread_mutex_unlock(&head.lock);
        zmq_pollitem_t item = { head.router, -1, ZMQ_POLLIN, 0 };
        if (zmq_poll(&item, 1, 2) <= 0) {
            continue;
        }
        pthread_mutex_lock(&head.lock);
        int n = zmq_recv(head.router, head.peer, sizeof(head.peer), 0);
        head.peer_bytes = n > 0 ? (size_t)n : 0;
        assert_true(zmq_msg_recv(&part, head.router, 0) >= 0);
        struct msg msg;
        assert_int_equal(
            proto_decode(slice_of(zmq_msg_data(&part), zmq_msg_size(&part)), &msg, NULL), OK);
        on_message(&msg);
        pthread_mutex_unlock(&head.lock);
    }
    zmq_msg_close(&part);
    zmq_close(head.router);
    return unused;
}

/* --- the driver --------------------------------------------------------------------------------- */

static struct study_link *link_;

static int start(void **state)
{
    (void)state;
    head = (struct head){ .lock = PTHREAD_MUTEX_INITIALIZER, .below = 1 };
    snprintf(head.address, sizeof(head.address), "ipc:///tmp/rayc-study-test-%d", (int)getpid());
    head.frame = malloc(FRAME_BYTES);
    head.context = zmq_ctx_new();
    bind_router();
    struct study_open open = { .name = "study", .decides = true, .metric = "loss" };
    return pthread_create(&head.thread, NULL, run_head, NULL) != 0 ||
           rayc_init(head.address) != RAYC_OK ||
           study_link_open(&link_, rayc_session_(), &open) != RAYC_OK;
}

static int stop(void **state)
{
    (void)state;
    study_link_close(&link_);
    rayc_shutdown();
    pthread_mutex_lock(&head.lock);
    head.stop = true;
    pthread_mutex_unlock(&head.lock);
    pthread_join(head.thread, NULL);
    zmq_ctx_term(head.context);
    free(head.frame);
    unlink(head.address + 6);
    return 0;
}

static void lock(void)
{
    pthread_mutex_lock(&head.lock);
}

static void unlock(void)
{
    pthread_mutex_unlock(&head.lock);
}

static void save(uint32_t number)
{
    struct rec_trial row = { .number = number, .params = slice_text("{\"lr\":0.1}") };
    study_link_save(link_, &row);
}

static struct rec_report report_of(uint64_t id, uint32_t task, uint32_t number)
{
    return (struct rec_report){ .id = id,
                                .task = task,
                                .token = 70 + task,
                                .number = number,
                                .value = (double)number / 2,
                                .metrics = slice_text("{\"loss\":1}") };
}

/*  The head has it, and tells it, unless it is `lost`. */
static void report(uint64_t id, uint32_t task, uint32_t number, bool lost)
{
    struct rec_report row = report_of(id, task, number);
    lock();
    head.reports[head.report_count++] = row;
    if (!lost) {
        say_reports(&row, 1);
    }
    unlock();
}

static int wait_for(struct rec_report *out)
{
    rayc_ref task;
    return study_link_wait(link_, 20, out, &task);
}

static void expect_report(uint32_t task, uint32_t number)
{
    struct rec_report got;
    assert_int_equal(wait_for(&got), STUDY_REPORT);
    assert_int_equal(got.task, task);
    assert_int_equal(got.number, number);
    assert_memory_equal(got.metrics.p, "{\"loss\":1}", got.metrics.n);
}

/*  Waits, and drives the session meanwhile, until the head has heard so many decisions. */
static void wait_for_decisions(uint32_t count)
{
    struct rec_report got;
    rayc_ref task;
    for (uint32_t heard = 0; heard < count;) {
        assert_int_equal(study_link_wait(link_, 0.002, &got, &task), STUDY_NOTHING);
        lock();
        heard = head.decides;
        unlock();
    }
}

static void end_task(uint64_t number)
{
    uint8_t bytes[64];
    struct wire list = { bytes, 0, sizeof(bytes), false };
    struct rec_result result = { .task = number, .attempt = 1, .value = slice_of("\xC0", 1) };
    proto_put_record(&list, REC_RESULT, &result);
    lock();
    say_later(MSG_RESULTS, &(struct msg_results){ ++head.results, wire_list(&list, 1) });
    unlock();
}

/* --- tests ---------------------------------------------------------------------------------------- */

static void rows_are_older_than_their_tasks(void **state)
{
    (void)state;
    rayc_ref refs[40];
    for (uint32_t i = 0; i < 40; i++) {
        save(i);
        uint64_t next = study_link_next_task(link_);
        refs[i] = rayc_call(nothing, rayc_int(i));
        assert_int_equal(refs[i].number, next);
    }
    assert_int_equal(study_link_flush(link_, 20), RAYC_OK);
    assert_int_equal(rayc_get(refs[39], 0, NULL), RAYC_ETIMEOUT);
    for (bool all = false; !all;) {
        struct rec_report got;
        rayc_ref task;
        assert_int_equal(study_link_wait(link_, 0.002, &got, &task), STUDY_NOTHING);
        lock();
        all = head.below == 41;
        unlock();
    }
    lock();
    assert_int_equal(head.rows, 40);
    for (uint32_t i = 1; i <= 40; i++) {
        assert_true(head.rows_before_task[i] >= i);
    }
    unlock();
}

static void unsaved_rows_are_sent_again(void **state)
{
    (void)state;
    lock();
    head.keep_rows = true;
    unlock();
    save(0);
    assert_int_equal(study_link_flush(link_, 0.01), RAYC_ETIMEOUT);
    lock();
    head.restart = true;
    head.saved = head.rows = 0; /* it had them in memory only */
    head.keep_rows = false;
    unlock();
    save(1);
    assert_int_equal(study_link_flush(link_, 20), RAYC_OK);
    lock();
    assert_int_equal(head.rows, 2);
    head.keep_rows = true;
    unlock();
    save(2);
    assert_int_equal(study_link_flush(link_, 0.01), RAYC_ETIMEOUT);
    lock();
    head.keep_rows = false; /* its answer was lost: beats bring it back */
    unlock();
    assert_int_equal(study_link_flush(link_, 20), RAYC_OK);
    assert_int_equal(head.rows, 3);
}

static void refused_rows_end_it(void **state)
{
    (void)state;
    struct rec_report got;
    lock();
    head.refuse_rows = true;
    unlock();
    save(0);
    assert_int_equal(wait_for(&got), ERR_STALE);
    assert_string_equal(rayc_error()->text, "not yours");
    assert_int_equal(study_link_flush(link_, 20), ERR_STALE);
}

static void reports_are_given_out_once(void **state)
{
    (void)state;
    struct rec_report got = report_of(0, 1, 1);
    report(1, 1, 1, false);
    expect_report(1, 1);
    study_link_decide(link_, &got, DECISION_STOP, "because");
    wait_for_decisions(1);
    lock();
    assert_int_equal(head.decision.decision, DECISION_STOP);
    assert_int_equal(head.decision.token, 71);
    assert_string_equal(head.why, "because");
    struct rec_report again[] = { report_of(2, 1, 1), report_of(3, 2, 1), report_of(4, 2, 1) };
    say_reports(again, 3);
    unlock();
    expect_report(2, 1); /* the others were told before; the decided one is answered again */
    wait_for_decisions(2);
    got = report_of(0, 2, 9);
    study_link_decide(link_, &got, DECISION_STOP, ""); /* of a report that never was */
    got = report_of(0, 2, 1);
    study_link_decide(link_, &got, DECISION_PAUSE, "");
    wait_for_decisions(3);
    assert_int_equal(head.decision.decision, DECISION_PAUSE);
}

static void a_reconnect_loses_nothing(void **state)
{
    (void)state;
    struct rec_report got = report_of(0, 1, 1);
    report(10, 1, 1, false);
    expect_report(1, 1);
    study_link_decide(link_, &got, DECISION_GO_ON, "");
    wait_for_decisions(1);
    for (uint32_t i = 1; i <= 5; i++) { /* more than a page */
        report(10 + i, 2, i, true);
    }
    lock();
    head.restart = true;
    unlock();
    for (uint32_t i = 1; i <= 5; i++) {
        expect_report(2, i);
    }
    wait_for_decisions(2); /* the last decision is said again */
    assert_int_equal(head.decision.token, 71);
    report(16, 2, 6, false);
    expect_report(2, 6);
}

static void ended_tasks_are_told_in_order(void **state)
{
    (void)state;
    struct rec_report got;
    rayc_ref refs[3], task;
    for (int i = 0; i < 3; i++) {
        refs[i] = rayc_call(nothing, rayc_int(i));
        study_link_watch(link_, refs[i]);
    }
    rayc_ref other = rayc_call(nothing, rayc_int(4)); /* nobody watches it */
    assert_int_equal(study_link_wait(link_, 0.05, &got, &task), STUDY_NOTHING);
    end_task(other.number);
    end_task(refs[2].number);
    report(1, 1, 1, false);
    end_task(refs[0].number);
    assert_int_equal(study_link_wait(link_, 20, &got, &task), STUDY_TASK_ENDED);
    assert_int_equal(task.number, refs[2].number);
    assert_int_equal(rayc_get(task, 0, NULL), RAYC_OK);
    expect_report(1, 1);
    assert_int_equal(study_link_wait(link_, 20, &got, &task), STUDY_TASK_ENDED);
    assert_int_equal(task.number, refs[0].number);
    study_link_watch(link_, refs[0]); /* it has ended already */
    assert_int_equal(study_link_wait(link_, 20, &got, &task), STUDY_TASK_ENDED);
    assert_int_equal(study_link_wait(link_, 0, &got, &task), STUDY_NOTHING);
}

static void a_user_may_ask_to_stop(void **state)
{
    (void)state;
    struct rec_report got;
    lock();
    say_later(MSG_STUDY_STATE, &(struct msg_study_state){ 0, STUDY, STUDY_RUNNING, 1 });
    unlock();
    assert_int_equal(wait_for(&got), STUDY_ASKED_TO_STOP);
    assert_int_equal(study_link_end(link_, STUDY_STOPPED, "a user asked"), RAYC_OK);
    assert_int_equal(head.ended, STUDY_STOPPED);
}

static void count_trial(void *context, const struct rec_trial *row)
{
    uint32_t *counts = context;
    assert_int_equal(row->number, counts[0]);
    counts[0]++;
}

static void count_report(void *context, const struct rec_report *row)
{
    uint32_t *counts = context;
    assert_int_equal(row->number, ++counts[1]);
}

static void rows_are_read_back(void **state)
{
    (void)state;
    uint32_t counts[2] = { 0 };
    struct reply reply;
    for (uint32_t i = 1; i <= 5; i++) {
        report(i, 1, i, true);
    }
    assert_int_equal(study_link_read(link_, count_trial, count_report, counts), RAYC_OK);
    assert_int_equal(counts[0], 2);
    assert_int_equal(counts[1], 5);
    assert_int_equal(study_link_look(rayc_session_(), "study", &reply), RAYC_OK);
    assert_int_equal(reply.msg.as.study_rows.study, STUDY);
    reply_free(&reply);
    assert_int_equal(study_link_look(rayc_session_(), "other", &reply), RAYC_ENOTFOUND);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, start, stop)
    const struct CMUnitTest tests[] = {
        TEST(rows_are_older_than_their_tasks),
        TEST(unsaved_rows_are_sent_again),
        TEST(refused_rows_end_it),
        TEST(reports_are_given_out_once),
        TEST(a_reconnect_loses_nothing),
        TEST(ended_tasks_are_told_in_order),
        TEST(a_user_may_ask_to_stop),
        TEST(rows_are_read_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
