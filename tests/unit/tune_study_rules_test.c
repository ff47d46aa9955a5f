/*  tune_study_rules_test.c - what a study does with points of the user, reports that come twice, ends of all kinds, and
    a great many trials. */
#include "study_world.h"
#include "common/clock.h"

static const struct param params[] = {
    { .name = "lr", .kind = PARAM_FLOAT, .scale = SCALE_LOG, .low = 1e-5, .high = 1 },
    { .name = "layers",
      .kind = PARAM_INT,
      .low = 1,
      .high = 6,
      .step = 1,
      .has_init = true,
      .init = 4 },
};

static struct study_spec spec_new(void)
{
    struct study_spec spec = { .metric = "loss",
                               .space = { .params = params, .count = COUNT(params) },
                               .search = search_defaults(),
                               .scheduler = scheduler_defaults("fifo"),
                               .trials_max = 4 };
    spec.search.algo = "random";
    return spec;
}

static struct study *study_of(const struct study_spec *spec)
{
    struct study *study;
    struct diag why;
    assert_int_equal(study_new(&study, spec, 1, &why), OK);
    return study;
}

static uint32_t started(struct study *study)
{
    uint32_t trial = NONE;
    assert_int_equal(study_next(study, &trial, 1), STUDY_START);
    study_started(study, trial, 100 + trial);
    return trial;
}

static enum decision told(struct study *study, uint32_t trial, double step, double value)
{
    static uint64_t id; /* of the test process */
    const char *why;
    struct rec_report report = { .id = ++id,
                                 .task = 100 + trial,
                                 .trial = trial,
                                 .step = step,
                                 .value = value,
                                 .metrics = slice_text(isnan(value) ? "{\"epoch\": 1}"
                                                                    : "{\"loss\": 1}") };
    enum decision decision = study_report(study, &report, 1, &why);
    assert_true(decision == DECISION_GO_ON || why != NULL);
    return decision;
}

static void the_users_points_come_first(void **state)
{
    (void)state;
    double with_result[] = { 0.1, 2 };
    double open[] = { NAN, 5 };
    const struct point points[] = { { .x = with_result, .has_result = true, .result = 0.5 },
                                    { .x = open } };
    struct study_spec spec = spec_new();
    spec.points = points;
    spec.point_count = COUNT(points);
    spec.maximize = true;
    struct study *study = study_of(&spec);
    assert_int_equal(started(study), 1);
    const struct study_trial *given = study_trial(study, 0);
    assert_int_equal(given->base.state, TRIAL_TERMINATED);
    assert_true(given->base.given && given->value == 0.5 && given->base.value == -0.5);
    assert_int_equal(given->base.ended, 1);
    assert_int_equal(study_best(study), 0);
    const double *x = study_trial(study, 1)->base.x;
    assert_true(x[1] == 5 && x[0] >= 1e-5 && x[0] <= 1);
    assert_int_equal(started(study), 2);
    assert_true(study_trial(study, 2)->base.x[1] == 4); /* its own first value */
    assert_int_equal(told(study, 2, 1, 0.75), DECISION_GO_ON);
    assert_int_equal(study_best(study), 2);
    assert_int_equal(told(study, 2, 2, 0.25), DECISION_GO_ON);
    assert_int_equal(study_best(study), 0); /* the last value counts */
    study_destroy(&study);
}

static void a_report_counts_once(void **state)
{
    (void)state;
    static const struct stop_rule rules[] = { { .kind = STOP_COMPARE,
                                                .metric = "loss",
                                                .text = "loss >= 1",
                                                .operator= MORE_EQUAL,
                                                .number = 1 } };
    struct study_spec spec = spec_new();
    struct study *study = study_of(&spec);
    uint32_t trial = started(study);
    assert_int_equal(told(study, trial, 0, 3), DECISION_GO_ON); /* steps may begin at 0 */
    assert_int_equal(told(study, trial, 2, 2), DECISION_GO_ON);
    assert_int_equal(told(study, trial, 2, 7), DECISION_GO_ON);
    assert_int_equal(told(study, trial, 1, 7), DECISION_GO_ON);
    assert_true(study_trial(study, trial)->value == 2);
    assert_int_equal(study_trial(study, trial)->reports, 2);
    assert_int_equal(told(study, 77, 1, 7), DECISION_STOP); /* there is none */
    study_destroy(&study);
    spec.stops = rules;
    spec.stop_count = COUNT(rules);
    study = study_of(&spec);
    assert_true(study_decides(study));
    trial = started(study);
    assert_int_equal(told(study, trial, 1, 2), DECISION_STOP);
    assert_int_equal(told(study, trial, 1, 2), DECISION_STOP);
    assert_int_equal(told(study, trial, 2, 0), DECISION_STOP); /* it went on all the same */
    assert_true(study_trial(study, trial)->value == 2);
    study_ended(study, trial, FAILURE_WORKER_DIED, "killed", 1);
    assert_int_equal(study_trial(study, trial)->base.state, TRIAL_TERMINATED);
    assert_true(study_trial(study, trial)->base.pruned);
    assert_non_null(strstr(study_trial(study, trial)->text, "loss >= 1"));
    study_destroy(&study);
}

static void without_a_value_a_trial_has_failed(void **state)
{
    (void)state;
    const char *why;
    struct study_spec spec = spec_new();
    struct study *study = study_of(&spec);
    uint32_t silent = started(study);
    uint32_t misnamed = started(study);
    uint32_t infinite = started(study);
    assert_int_equal(told(study, misnamed, 1, NAN), DECISION_GO_ON);
    study_ended(study, silent, 0, NULL, 1);
    study_ended(study, misnamed, 0, NULL, 1);
    assert_int_equal(study_trial(study, silent)->base.state, TRIAL_ERROR);
    assert_string_equal(study_trial(study, silent)->text,
                        "it ended without reporting loss, or anything");
    assert_string_equal(study_trial(study, misnamed)->text,
                        "it ended without reporting loss; its last report: {\"epoch\": 1}");
    assert_int_equal(study_verdict(study, &why), STUDY_FAILED);
    assert_string_equal(why, "all trials failed; the first error, of trial 0: it ended without "
                             "reporting loss, or anything");
    struct rec_report report = { .id = 1,
                                 .task = 9,
                                 .trial = infinite,
                                 .step = 1,
                                 .value = NAN,
                                 .metrics = slice_text("{\"loss\": \"NaN\"}") };
    assert_int_equal(study_report(study, &report, 1, &why), DECISION_GO_ON);
    study_ended(study, infinite, 0, NULL, 1);
    assert_int_equal(study_trial(study, infinite)->base.state, TRIAL_TERMINATED);
    assert_true(isnan(study_trial(study, infinite)->base.value));
    assert_int_equal(study_best(study), NONE);
    assert_int_equal(study_verdict(study, &why), STUDY_FAILED); /* there is nothing to go by */
    assert_non_null(strstr(why, "not finite"));
    study_destroy(&study);
}

static void a_goal_ends_the_study(void **state)
{
    (void)state;
    const char *why;
    uint32_t trial;
    struct study_spec spec = spec_new();
    spec.has_goal = true;
    spec.goal = 1;
    struct study *study = study_of(&spec);
    assert_false(study_plain(study));
    uint32_t good = started(study);
    uint32_t other = started(study);
    assert_int_equal(told(study, other, 1, 3), DECISION_GO_ON);
    assert_int_equal(told(study, good, 1, 0.5), DECISION_STOP);
    assert_int_equal(told(study, other, 2, 3), DECISION_STOP);
    assert_true(study_tick(study, 2) && study_stopping(study, &why));
    assert_int_equal(study_next(study, &trial, 2), STUDY_WAIT);
    study_ended(study, good, 0, NULL, 3);
    study_ended(study, other, FAILURE_CANCELLED, "cancelled", 3);
    assert_int_equal(study_next(study, &trial, 4), STUDY_DONE);
    assert_int_equal(study_trial(study, other)->base.state, TRIAL_TERMINATED);
    assert_int_equal(study_verdict(study, &why), STUDY_COMPLETED);
    assert_int_equal(study_count(study), 2);
    study_destroy(&study);
}

static void what_a_user_stopped_can_go_on(void **state)
{
    (void)state;
    const char *why;
    uint32_t trial;
    struct study_spec spec = spec_new();
    struct world *world = calloc(1, sizeof(*world));
    world->spec = &spec;
    world_open(world);
    uint32_t first = started(world->study);
    uint32_t second = started(world->study);
    assert_int_equal(told(world->study, second, 1, 3), DECISION_GO_ON);
    study_stop(world->study, "Ctrl-C", 2);
    assert_int_equal(told(world->study, second, 2, 3), DECISION_GO_ON); /* it may end */
    assert_int_equal(study_next(world->study, &trial, 2), STUDY_WAIT);
    study_ended(world->study, first, FAILURE_CANCELLED, "cancelled", 2);
    study_ended(world->study, second, 0, NULL, 2);
    assert_int_equal(study_next(world->study, &trial, 2), STUDY_DONE);
    assert_int_equal(study_verdict(world->study, &why), STUDY_STOPPED);
    world_drain(world);
    study_destroy(&world->study);
    world_open(world);
    assert_int_equal(study_trial(world->study, second)->base.state, TRIAL_TERMINATED);
    assert_int_equal(started(world->study), first);
    assert_non_null(strstr(study_trial(world->study, first)->text, "from the beginning"));
    assert_int_equal(study_trial(world->study, first)->run, 2);
    study_destroy(&world->study);
    free(world);
}

static void time_is_counted_over_restarts(void **state)
{
    (void)state;
    uint32_t trial;
    struct study_spec spec = spec_new();
    spec.time_budget_ms = 1000;
    struct world *world = calloc(1, sizeof(*world));
    world->spec = &spec;
    world_open(world);
    assert_int_equal(study_next(world->study, &trial, 5000), STUDY_START);
    assert_false(study_tick(world->study, 5999));
    assert_int_equal(told(world->study, trial, 1, 1), DECISION_GO_ON);
    study_ended(world->study, trial, 0, NULL, 5600);
    world_drain(world);
    study_destroy(&world->study);
    world_open(world);
    assert_int_equal(study_next(world->study, &trial, 90000), STUDY_START);
    assert_false(study_tick(world->study, 90399));
    assert_true(study_tick(world->study, 90400));
    study_destroy(&world->study);
    free(world);
}

static void an_external_search_is_asked(void **state)
{
    (void)state;
    uint32_t trial;
    struct diag why;
    struct study_spec spec = spec_new();
    spec.search.algo = "external";
    spec.space.count = 1;
    struct study *study = study_of(&spec);
    assert_int_equal(study_next(study, &trial, 1), STUDY_ASK);
    assert_int_equal(trial, 0);
    double outside[] = { 2 };
    double inside[] = { 0.5 };
    assert_int_equal(study_give_point(study, 0, outside, 1, &why), ERR_INVALID);
    assert_non_null(strstr(why.text, "lr"));
    assert_int_equal(study_give_point(study, 1, inside, 1, &why), ERR_INVALID);
    assert_int_equal(study_give_point(study, 0, inside, 1, &why), OK);
    assert_int_equal(started(study), 0);
    study_no_point(study);
    assert_int_equal(study_next(study, &trial, 1), STUDY_WAIT);
    study_ended(study, 0, FAILURE_EXIT, "exit 1", 1);
    assert_int_equal(study_next(study, &trial, 1), STUDY_DONE);
    study_destroy(&study);
}

/*  Of a database that is damaged, or of a space that was another one. */
static void points_that_are_not_of_the_space_are_refused(void **state)
{
    (void)state;
    static const double points[][COUNT(params)] = { { 0.1, 7 },   { 0.1, 0 }, { NAN, 3 },
                                                    { 0.1, NAN }, { 2, 3 },   { INFINITY, 3 } };
    struct study_spec spec = spec_new();
    struct study *study = study_of(&spec);
    struct rec_trial row = { .state = TRIAL_PENDING, .params = slice_text("{}") };
    for (size_t i = 0; i < COUNT(points); i++) {
        row.point = slice_of((const uint8_t *)points[i], sizeof(points[i]));
        assert_int_equal(study_restore_trial(study, &row), ERR_INVALID);
    }
    static const double good[] = { 0.1, 6 };
    row.point = slice_of((const uint8_t *)good, sizeof(good) - 1);
    assert_int_equal(study_restore_trial(study, &row), ERR_INVALID);
    row.point = slice_of((const uint8_t *)good, sizeof(good));
    assert_int_equal(study_restore_trial(study, &row), OK);
    study_destroy(&study);
}

/*  The journal's donor does not exist, and steps are no numbers: it goes on from its own last step. */
static void a_damaged_journal_leads_nowhere(void **state)
{
    (void)state;
    static const double point[] = { 0.1, 6 };
    struct study_spec spec = spec_new();
    spec.scheduler = scheduler_defaults("pbt");
    struct study *study = study_of(&spec);
    struct rec_trial row = {
        .state = TRIAL_RUNNING,
        .params = slice_text("{}"),
        .step = INFINITY,
        .point = slice_of((const uint8_t *)point, sizeof(point)),
        .lineage = slice_text("[{\"at\":[-1,-1]},{\"at\":[2,0],\"donor\":77},"
                              "{\"at\":\"x\",\"from\":{}},7,{\"at\":[9,9],\"end\":true}]"),
    };
    assert_int_equal(study_restore_trial(study, &row), ERR_INVALID); /* from: no point */
    row.lineage = slice_text("[{\"at\":[-1,-1]},{\"at\":[2,0],\"donor\":77},7]");
    assert_int_equal(study_restore_trial(study, &row), OK);
    study_restore_report(study, &(struct rec_report){ .id = 1, .step = 3, .value = 1 });
    study_restore_report(study, &(struct rec_report){ .id = 2, .step = INFINITY, .value = 1 });
    study_restored(study);
    assert_int_equal(started(study), 0);
    assert_int_equal(study_trial(study, 0)->donor, NONE);
    assert_true(study_trial(study, 0)->base.step == 3);
    study_destroy(&study);
}

/*  Their driver died before it heard that they had ended. */
static void what_finished_is_not_run_again(void **state)
{
    (void)state;
    enum { TRIALS = 3, TASK = 70 };
    struct study_spec spec = spec_new();
    spec.trials_max = TRIALS;
    struct study *study = study_of(&spec), *again = study_of(&spec);
    for (uint32_t i = 0; i < TRIALS; i++) {
        study_started(study, started(study), TASK + i);
    }
    struct rec_trial row;
    while (study_dirty(study, &row)) {
        assert_int_equal(study_restore_trial(again, &row), OK);
    }
    study_restore_report(again, &(struct rec_report){ .id = 1, .trial = 0, .step = 1, .value = 5 });
    study_restore_report(again, &(struct rec_report){ .id = 2, .trial = 2, .step = 1, .value = 4 });
    study_restore_finished(again, 0);
    study_restore_finished(again, 1);
    study_restored(again);
    assert_int_equal(study_trial(again, 0)->base.state, TRIAL_TERMINATED);
    assert_int_equal(study_trial(again, 1)->base.state, TRIAL_ERROR); /* it reported nothing */
    assert_int_equal(started(again), 2);
    study_ended(again, 2, 0, NULL, 1);
    uint32_t trial;
    assert_int_equal(study_next(again, &trial, 1), STUDY_DONE);
    assert_int_equal(study_best(again), 2);
    study_destroy(&study);
    study_destroy(&again);
}

/*  Not a bound, but a look: restoring is linear, and this is where it would be seen. */
static void a_hundred_thousand_trials_are_restored(void **state)
{
    (void)state;
    enum { MANY = 100000 };
    struct study_spec spec = spec_new();
    spec.trials_max = MANY;
    struct study *study = study_of(&spec);
    for (uint32_t i = 0; i < MANY; i++) {
        uint32_t trial = started(study);
        assert_int_equal(told(study, trial, 1, i), DECISION_GO_ON);
        study_ended(study, trial, 0, NULL, 1);
    }
    struct study *again = study_of(&spec);
    struct rec_trial row;
    uint64_t before = clock_us();
    while (study_dirty(study, &row)) {
        assert_int_equal(study_restore_trial(again, &row), OK);
    }
    for (uint32_t i = 0; i < MANY; i++) {
        study_restore_report(
            again, &(struct rec_report){ .id = i + 1, .trial = i, .step = 1, .value = i });
    }
    study_restored(again);
    print_message("%.3f s\n", (double)(clock_us() - before) / 1e6);
    assert_int_equal(study_count(again), MANY);
    assert_int_equal(study_best(again), 0);
    uint32_t trial;
    assert_int_equal(study_next(again, &trial, 1), STUDY_DONE);
    study_destroy(&study);
    study_destroy(&again);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_users_points_come_first),
        cmocka_unit_test(a_report_counts_once),
        cmocka_unit_test(without_a_value_a_trial_has_failed),
        cmocka_unit_test(a_goal_ends_the_study),
        cmocka_unit_test(what_a_user_stopped_can_go_on),
        cmocka_unit_test(time_is_counted_over_restarts),
        cmocka_unit_test(an_external_search_is_asked),
        cmocka_unit_test(points_that_are_not_of_the_space_are_refused),
        cmocka_unit_test(a_damaged_journal_leads_nowhere),
        cmocka_unit_test(what_finished_is_not_run_again),
        cmocka_unit_test(a_hundred_thousand_trials_are_restored),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
