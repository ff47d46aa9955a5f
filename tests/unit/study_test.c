/*  study_test.c - stories of studies: who drives, what is written, what is told to whom, and what a restart keeps. */
#include <math.h>
#include <stdio.h>
#include "tests/unit/head_world.h"

static void open_study(struct world *w, uint32_t peer, uint64_t session, const char *name,
                       struct msg_study_open how)
{
    how.seq = 21;
    how.session = session;
    how.name = slice_text(name);
    how.metric = slice_text("loss");
    say(w, peer, MSG_STUDY_OPEN, &how);
}

#define OPEN(w, peer, session, name, ...)                                                          \
    open_study(w, peer, session, name, (struct msg_study_open){ __VA_ARGS__ })

static uint64_t opened(const struct world *w)
{
    return must_hear(w, MSG_STUDY_OPENED)->as.study_opened.study;
}

static void expect_refused(const struct world *w, int code, const char *word)
{
    const struct msg_refused *refused = &must_hear(w, MSG_REFUSED)->as.refused;
    assert_int_equal(refused->code, code);
    if (memmem(refused->text.p, refused->text.n, word, strlen(word)) == NULL) {
        fail_msg("refused with '%.*s'", (int)refused->text.n, (const char *)refused->text.p);
    }
}

static void put_trial(struct world *w, uint32_t number, uint32_t state, double value)
{
    proto_put_record(&w->wire, REC_TRIAL,
                     &(struct rec_trial){ .number = number,
                                          .state = state,
                                          .value = value,
                                          .step = NAN,
                                          .params = slice_text("{\"x\":1}") });
}

static void save(struct world *w, uint64_t session, uint64_t study, uint64_t seq, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        put_trial(w, i, TRIAL_RUNNING, NAN);
    }
    say(w, CLIENT, MSG_TRIALS,
        &(struct msg_trials){
            .seq = seq, .session = session, .study = study, .trials = wire_list(&w->wire, count) });
}

static void report_from(struct world *w, uint32_t peer, uint64_t node,
                        const struct rec_start *start, uint32_t number)
{
    proto_put_record(&w->wire, REC_REPORT,
                     &(struct rec_report){ .task = start->task,
                                           .token = start->token,
                                           .number = number,
                                           .trial = 3,
                                           .step = number,
                                           .value = 0.5,
                                           .metrics = slice_text("{\"loss\":0.5}") });
    say(w, peer, MSG_REPORT,
        &(struct msg_report){ .node = node, .reports = wire_list(&w->wire, 1) });
}

static void report(struct world *w, uint64_t node, const struct rec_start *start, uint32_t number)
{
    report_from(w, WORKER, node, start, number);
}

static bool decision_heard(const struct world *w, struct rec_decision *out)
{
    const struct msg *msg = heard(w, MSG_DECIDED, 0);
    struct list list = msg ? msg->as.decided.decisions : (struct list){ 0 };
    return next_decision(&list, out);
}

static struct rec_report report_heard(const struct world *w)
{
    struct list list = must_hear(w, MSG_REPORTED)->as.reported.reports;
    struct rec_report out;
    assert_true(next_report(&list, &out));
    return out;
}

/*  Rows of trials and reports, as STUDY_OPENED counts them. */
static void expect_rows(struct world *w, uint64_t study, uint64_t trials, uint64_t reports)
{
    struct msg_study_opened rows = { 0 };
    assert_int_equal(store_study(w->store, study, &rows), OK);
    assert_int_equal(rows.trials, trials);
    assert_int_equal(rows.reports, reports);
}

/*  A session that drives a study, and a task of it that runs on a node. */
struct story {
    struct world *w;
    uint64_t session, study, node;
    struct rec_start start;
};

static struct story story_new(bool decides)
{
    struct story s = { .w = world_new() };
    s.session = open_job(s.w, CLIENT, "a");
    s.node = join(s.w, WORKER, 0, "n1", 2);
    OPEN(s.w, CLIENT, s.session, "yolo", .decides = decides, .seed = 4711);
    s.study = opened(s.w);
    submit(s.w, s.session, 1, 1, spec_of(s.w, 1));
    assert_true(start_at(s.w, 0, &s.start));
    return s;
}

static void decide(const struct story *s, uint32_t decision)
{
    proto_put_record(&s->w->wire, REC_DECISION,
                     &(struct rec_decision){ s->start.task, s->start.token, 1, decision,
                                             slice_text("too bad") });
    say(s->w, CLIENT, MSG_DECIDE,
        &(struct msg_decide){ .session = s->session, .decisions = wire_list(&s->w->wire, 1) });
}

static void a_study_is_opened_once(void **unused)
{
    (void)unused;
    struct world *w = world_new();
    uint64_t session = open_job(w, CLIENT, "a");
    OPEN(w, CLIENT, session, "yolo", .resume = 1);
    expect_refused(w, ERR_NOT_FOUND, "yolo");
    OPEN(w, CLIENT, session, "yolo", .seed = UINT64_MAX, .definition = slice_text("epochs: 3"),
         .settings = slice_text("{}"));
    const struct msg_study_opened *reply = &must_hear(w, MSG_STUDY_OPENED)->as.study_opened;
    assert_true(reply->study == 1 && reply->state == STUDY_RUNNING && reply->seq == 21);
    assert_true(reply->seed == UINT64_MAX && reply->trials == 0);
    assert_true(slice_same(reply->definition, slice_text("epochs: 3")));
    OPEN(w, CLIENT, session, "yolo", .seed = 3);
    assert_int_equal(opened(w), 1); /* its first answer was lost */
    OPEN(w, CLIENT, session, "other", .seed = 3);
    expect_refused(w, ERR_CONFLICT, "yolo");
    OPEN(w, CLIENT, session, "", .decides = 1);
    expect_refused(w, ERR_INVALID, "name");
    uint64_t second = open_job(w, CLIENT + 1, "b");
    OPEN(w, CLIENT + 1, second, "yolo", .decides = 1);
    expect_refused(w, ERR_CONFLICT, "--resume");
    OPEN(w, CLIENT + 1, second, "yolo", .resume = 1);
    expect_refused(w, ERR_BUSY, "yolo");
    OPEN(w, CLIENT + 1, 99, "new", .decides = 1);
    expect_refused(w, ERR_CLOSED, "session");
    world_free(w);
}

static void a_study_without_its_driver_is_interrupted_and_taken_up(void **unused)
{
    (void)unused;
    struct world *w = world_new();
    uint64_t session = open_job(w, CLIENT, "a");
    OPEN(w, CLIENT, session, "yolo", .seed = 7, .settings = slice_text("{\"a\":1}"));
    save(w, session, opened(w), 1, 4);
    say(w, CLIENT, MSG_BYE, &(struct msg_bye){ .session = session });
    uint64_t second = open_job(w, CLIENT + 1, "b");
    OPEN(w, CLIENT + 1, second, "yolo", .resume = 1, .seed = 8);
    const struct msg_study_opened *reply = &must_hear(w, MSG_STUDY_OPENED)->as.study_opened;
    assert_int_equal(reply->state, STUDY_INTERRUPTED);
    assert_int_equal(reply->seed, 7);
    assert_int_equal(reply->trials, 4);
    assert_true(slice_same(reply->settings, slice_text("{\"a\":1}")));
    world_free(w);
}

static void a_lost_driver_interrupts(void **unused)
{
    (void)unused;
    struct story s = story_new(true);
    hello(s.w, CLIENT + 1, 1);
    world_clear(s.w);
    turn_event(s.w->turn, &(struct event){ .kind = EV_PEER_GONE,
                                           .peer = CLIENT,
                                           .now_ms = s.w->now_ms,
                                           .wall_ms = s.w->now_ms });
    world_flush(s.w);
    say(s.w, CLIENT + 1, MSG_STUDY_STOP, &(struct msg_study_stop){ 5, slice_text("yolo") });
    assert_int_equal(must_hear(s.w, MSG_STUDY_STATE)->as.study_state.stopping, 1);
    pass(s.w, 6000);
    report(s.w, s.node, &s.start, 1);
    struct rec_decision decision;
    assert_true(decision_heard(s.w, &decision));
    assert_int_equal(decision.decision, DECISION_REFUSED);
    say(s.w, CLIENT + 1, MSG_STUDY_STOP, &(struct msg_study_stop){ 6, slice_text("yolo") });
    assert_int_equal(must_hear(s.w, MSG_STUDY_STATE)->as.study_state.state, STUDY_STOPPED);
    world_free(s.w);
}

static void trials_are_written_once_and_in_order(void **unused)
{
    (void)unused;
    struct world *w = world_new();
    uint64_t session = open_job(w, CLIENT, "a");
    OPEN(w, CLIENT, session, "yolo", .decides = 1);
    uint64_t study = opened(w);
    save(w, session, study, 1, 3);
    pass(w, 20);
    const struct msg *saved = must_hear(w, MSG_TRIALS_SAVED);
    assert_true(saved->as.trials_saved.seq == 1 && saved->as.trials_saved.study == study);
    save(w, session, study, 3, 9); /* the second is missing */
    assert_int_equal(must_hear(w, MSG_TRIALS_SAVED)->as.trials_saved.seq, 1);
    expect_rows(w, study, 3, 0);
    save(w, session, study, 2, 5);
    save(w, session, study, 2, 8); /* sent again: whatever is in it */
    expect_rows(w, study, 5, 0);
    pass(w, 20);
    assert_int_equal(must_hear(w, MSG_TRIALS_SAVED)->as.trials_saved.seq, 2);
    world_restart(w);
    hello(w, CLIENT, 1);
    say(w, CLIENT, MSG_RESUME, &(struct msg_resume){ .session = session });
    save(w, session, study, 2, 8);
    expect_rows(w, study, 5, 0);
    save(w, session, study, 3, 6);
    pass(w, 20);
    assert_int_equal(must_hear(w, MSG_TRIALS_SAVED)->as.trials_saved.seq, 3);
    save(w, session, study + 1, 4, 6);
    expect_refused(w, ERR_STALE, "drive");
    world_free(w);
}

static void a_report_goes_to_its_driver_and_a_decision_back(void **unused)
{
    (void)unused;
    struct story s = story_new(true);
    report(s.w, s.node, &s.start, 1);
    struct rec_report told = report_heard(s.w);
    assert_true(told.task == s.start.task && told.token == s.start.token && told.attempt == 1);
    assert_true(told.number == 1 && told.trial == 3 && told.id > 0 && told.at_ms > 0);
    assert_true(told.value == 0.5 && slice_same(told.metrics, slice_text("{\"loss\":0.5}")));
    struct rec_decision decision;
    assert_false(decision_heard(s.w, &decision));
    report(s.w, s.node, &s.start, 1); /* sent again: told again, written once */
    assert_true(report_heard(s.w).id > told.id);
    expect_rows(s.w, s.study, 0, 1);
    decide(&s, DECISION_STOP);
    assert_true(decision_heard(s.w, &decision));
    assert_true(decision.task == s.start.task && decision.decision == DECISION_STOP);
    assert_true(slice_same(decision.text, slice_text("too bad")));
    done(s.w, s.node, &s.start, OUTCOME_OK, 0);
    decide(&s, DECISION_STOP);
    assert_false(decision_heard(s.w, &decision)); /* nobody waits for it */
    world_free(s.w);
}

static void the_head_answers_for_a_driver_that_does_not(void **unused)
{
    (void)unused;
    struct story s = story_new(false);
    for (int again = 0; again < 2; again++) {
        struct rec_decision decision;
        report(s.w, s.node, &s.start, 1);
        report_heard(s.w);
        assert_true(decision_heard(s.w, &decision));
        assert_int_equal(decision.decision, DECISION_GO_ON);
        expect_rows(s.w, s.study, 0, 1);
    }
    world_free(s.w);
}

static void reports_of_a_turn_share_frames(void **unused)
{
    (void)unused;
    enum { TASKS = 5 };
    struct world *w = world_new();
    uint64_t session = open_job(w, CLIENT, "a");
    uint64_t node = join(w, WORKER, 0, "n1", TASKS);
    OPEN(w, CLIENT, session, "yolo", .decides = 0);
    submit(w, session, 1, TASKS, spec_of(w, 1));
    struct rec_start start;
    for (uint32_t i = 0; start_at(w, i, &start); i++) {
        proto_put_record(
            &w->wire, REC_REPORT,
            &(struct rec_report){ .task = start.task, .token = start.token, .number = 1 });
    }
    say(w, WORKER, MSG_REPORT,
        &(struct msg_report){ .node = node, .reports = wire_list(&w->wire, TASKS) });
    assert_int_equal(must_hear(w, MSG_REPORTED)->as.reported.reports.count, TASKS);
    assert_int_equal(must_hear(w, MSG_DECIDED)->as.decided.decisions.count, TASKS);
    world_free(w);
}

/*  The driver runs on the cluster: when its attempt dies, nobody drives, and the next attempt takes the study up. */
static void the_next_attempt_of_a_driver_takes_it_up(void **unused)
{
    (void)unused;
    struct world *w = world_new();
    hello(w, CLIENT, 1);
    struct rec_spec spec = { .kind = SPEC_COMMAND, .name = slice_text("tune"), .max_retries = 3 };
    proto_put_record(&w->wire, REC_SPEC, &spec);
    say(w, CLIENT, MSG_JOB_OPEN,
        &(struct msg_job_open){ .submission = slice_text("a"),
                                .kind = JOB_DRIVER,
                                .durability = DURABLE_PROCESS,
                                .specs = wire_list(&w->wire, 1) });
    uint64_t job = must_hear(w, MSG_JOB_OPENED)->as.job_opened.job;
    uint64_t node = join(w, WORKER, 0, "n1", 2), session = 0;
    struct rec_start start;
    assert_true(start_at(w, 0, &start));
    for (int attempt = 1; attempt <= 3; attempt++) {
        uint32_t peer = CLIENT + 100 + (uint32_t)attempt;
        hello(w, peer, 1);
        say(w, peer, MSG_JOB_ATTACH, &(struct msg_job_attach){ 1, job, start.token });
        assert_true(must_hear(w, MSG_JOB_OPENED)->as.job_opened.session > session);
        session = must_hear(w, MSG_JOB_OPENED)->as.job_opened.session;
        OPEN(w, peer, session, "yolo", .resume = attempt > 1);
        assert_int_equal(must_hear(w, MSG_STUDY_OPENED)->as.study_opened.state,
                         attempt > 1 ? STUDY_INTERRUPTED : STUDY_RUNNING);
        struct rec_start copy = start;
        done(w, node, &copy, OUTCOME_SIGNAL, -9);
        for (int i = 0; i < 100 && !start_at(w, 0, &start); i++) {
            pass(w, 100);
        }
        pass(w, 500);
        assert_true(start.token > copy.token);
    }
    world_free(w);
}

static void stale_reports_are_refused(void **unused)
{
    (void)unused;
    struct story s = story_new(true);
    struct rec_decision decision;
    struct rec_start stale = s.start;
    stale.token++;
    report(s.w, s.node, &stale, 1);
    assert_true(decision_heard(s.w, &decision) && decision.decision == DECISION_REFUSED);
    assert_true(decision.token == stale.token);
    uint64_t other = join(s.w, WORKER + 1, 0, "n2", 1);
    report_from(s.w, WORKER + 1, other, &s.start, 1);
    assert_true(decision_heard(s.w, &decision) && decision.decision == DECISION_REFUSED);
    report_from(s.w, WORKER + 1, s.node, &s.start, 1); /* another worker's node */
    assert_false(decision_heard(s.w, &decision));
    uint64_t second = open_job(s.w, CLIENT + 1, "b"); /* a session without a study */
    submit(s.w, second, 1, 1, spec_of(s.w, 1));
    struct rec_start plain;
    assert_true(start_at(s.w, 0, &plain));
    report(s.w, s.node, &plain, 1);
    report_from(s.w, WORKER + 1, other, &plain, 1);
    assert_true(decision_heard(s.w, &decision) && decision.decision == DECISION_REFUSED);
    expect_rows(s.w, s.study, 0, 0);
    world_free(s.w);
}

static void a_restart_keeps_the_study_and_its_reports(void **unused)
{
    (void)unused;
    struct story s = story_new(true);
    report(s.w, s.node, &s.start, 1);
    uint64_t before = report_heard(s.w).id;
    say(s.w, CLIENT, MSG_STUDY_STOP, &(struct msg_study_stop){ 5, slice_text("yolo") });
    world_restart(s.w);
    join(s.w, WORKER, s.node, "n1", 2);
    report(s.w, s.node, &s.start, 1); /* the driver is not there yet: it stays undecided */
    struct rec_decision decision;
    assert_false(decision_heard(s.w, &decision));
    hello(s.w, CLIENT, 1);
    say(s.w, CLIENT, MSG_RESUME, &(struct msg_resume){ .session = s.session });
    const struct msg_study_state *state = &must_hear(s.w, MSG_STUDY_STATE)->as.study_state;
    assert_true(state->seq == 0 && state->stopping == 1 && state->state == STUDY_RUNNING);
    report(s.w, s.node, &s.start, 2);
    assert_true(report_heard(s.w).id > before);
    expect_rows(s.w, s.study, 0, 2);
    decide(&s, DECISION_GO_ON);
    assert_true(decision_heard(s.w, &decision));
    say(s.w, CLIENT, MSG_STUDY_END,
        &(struct msg_study_end){ .seq = 6, .session = s.session, .study = s.study, .state = 1 });
    expect_refused(s.w, ERR_INVALID, "state");
    for (int again = 0; again < 2; again++) {
        say(s.w, CLIENT, MSG_STUDY_END,
            &(struct msg_study_end){
                .seq = 7, .session = s.session, .study = s.study, .state = STUDY_COMPLETED });
        state = &must_hear(s.w, MSG_STUDY_STATE)->as.study_state;
        assert_true(state->seq == 7 && state->state == STUDY_COMPLETED && !state->stopping);
    }
    world_restart(s.w);
    uint64_t second = open_job(s.w, CLIENT + 1, "b");
    OPEN(s.w, CLIENT + 1, second, "yolo", .resume = 1);
    assert_int_equal(must_hear(s.w, MSG_STUDY_OPENED)->as.study_opened.state, STUDY_COMPLETED);
    world_free(s.w);
}

static void running_max_limits_what_is_leased(void **unused)
{
    (void)unused;
    struct world *w = world_new();
    uint64_t session = open_job(w, CLIENT, "a");
    uint64_t node = join(w, WORKER, 0, "n1", 4);
    struct rec_spec spec = spec_of(w, 1);
    spec.running_max = 3;
    submit(w, session, 1, 20, spec);
    struct rec_start starts[4];
    assert_true(start_at(w, 0, &starts[0]) && start_at(w, 1, &starts[1]) &&
                start_at(w, 2, &starts[2]));
    assert_false(start_at(w, 3, &starts[3]));
    struct rec_start ended = starts[0];
    for (uint64_t i = 0; i < 4; i++) { /* however short they are, none goes ahead */
        proto_put_record(
            &w->wire, REC_DONE,
            &(struct rec_done){ .task = ended.task, .token = ended.token, .run_us = 10 });
        say(w, WORKER, MSG_DONE,
            &(struct msg_done){ .seq = i + 1, .node = node, .done = wire_list(&w->wire, 1) });
        assert_true(start_at(w, 0, &ended));
        assert_false(start_at(w, 1, &starts[3]));
    }
    join(w, WORKER + 1, 0, "n2", 4);
    assert_false(start_at(w, 0, &starts[3]));
    world_restart(w);
    join(w, WORKER + 1, 0, "n3", 4);
    assert_false(start_at(w, 0, &starts[3]));
    world_free(w);
}

static void a_limit_that_does_not_bind_costs_nothing(void **unused)
{
    (void)unused;
    struct world *w = world_new();
    uint64_t session = open_job(w, CLIENT, "a");
    uint64_t node = join(w, WORKER, 0, "n1", 2);
    struct rec_spec spec = spec_of(w, 1);
    spec.running_max = 2;
    submit(w, session, 1, 50, spec);
    struct rec_start start, ahead;
    assert_true(start_at(w, 0, &start));
    proto_put_record(&w->wire, REC_DONE,
                     &(struct rec_done){ .task = start.task, .token = start.token, .run_us = 10 });
    say(w, WORKER, MSG_DONE,
        &(struct msg_done){ .seq = 1, .node = node, .done = wire_list(&w->wire, 1) });
    assert_true(start_at(w, 40, &ahead));
    join(w, WORKER + 1, 0, "n2", 2); /* now it binds; all that may run is at the first node */
    assert_false(start_at(w, 0, &start));
    world_free(w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_study_is_opened_once),
        cmocka_unit_test(a_study_without_its_driver_is_interrupted_and_taken_up),
        cmocka_unit_test(a_lost_driver_interrupts),
        cmocka_unit_test(trials_are_written_once_and_in_order),
        cmocka_unit_test(a_report_goes_to_its_driver_and_a_decision_back),
        cmocka_unit_test(the_head_answers_for_a_driver_that_does_not),
        cmocka_unit_test(reports_of_a_turn_share_frames),
        cmocka_unit_test(the_next_attempt_of_a_driver_takes_it_up),
        cmocka_unit_test(stale_reports_are_refused),
        cmocka_unit_test(a_restart_keeps_the_study_and_its_reports),
        cmocka_unit_test(running_max_limits_what_is_leased),
        cmocka_unit_test(a_limit_that_does_not_bind_costs_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
