/*  tune_scheduler_test.c - schedulers and stoppers against golden files (tests/tune/scenarios), and options that are
    refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <dirent.h>
#include <cmocka.h>
#include "tests/unit/tune_scenario.h"

static void all_scenarios(enum restoring restoring)
{
    DIR *dir = opendir(TUNE_FILES "/scenarios");
    assert_non_null(dir);
    uint32_t files = 0;
    uint32_t bad = 0;
    for (struct dirent *entry = readdir(dir); entry; entry = readdir(dir)) {
        const char *dot = strrchr(entry->d_name, '.');
        bool pbt = strncmp(entry->d_name, "pbt", 3) == 0; /* depends on the order of ends */
        if (!dot || strcmp(dot, ".txt") != 0 || (pbt && restoring == RESTORE_ENDS_LAST)) {
            continue;
        }
        char path[1024];
        (void)snprintf(path, sizeof(path), "%s/scenarios/%s", TUNE_FILES, entry->d_name);
        files++;
        bad += scenario_run(path, restoring) != 0;
    }
    closedir(dir);
    assert_true(files >= 9);
    assert_int_equal(bad, 0);
}

static void scenarios_as_they_are(void **unused)
{
    (void)unused;
    all_scenarios(RESTORE_NEVER);
}

static void scenarios_with_a_crash_before_each_line(void **unused)
{
    (void)unused;
    all_scenarios(RESTORE_ALWAYS);
}

static void scenarios_with_the_order_of_ends_lost(void **unused)
{
    (void)unused;
    all_scenarios(RESTORE_ENDS_LAST);
}

/*  Opens with one option changed by `change`: the field that is refused, or NULL. */
static const char *refused(const char *type, void (*change)(struct scheduler_options *))
{
    struct scheduler_options options = scheduler_defaults(type);
    change(&options);
    struct space space = { 0 };
    struct scheduler scheduler;
    struct diag why = { 0 };
    if (scheduler_open(&scheduler, &options, &space, 1, &why) == OK) {
        scheduler_close(&scheduler);
        return NULL;
    }
    assert_null(scheduler.type);
    assert_true(why.text[0] != 0);
    return why.field;
}

static void nothing(struct scheduler_options *options)
{
    (void)options;
}
static void min_0(struct scheduler_options *options)
{
    options->min = 0;
}
static void max_below_min(struct scheduler_options *options)
{
    options->min = 200;
}
static void eta_1(struct scheduler_options *options)
{
    options->eta = 1;
}
static void eta_near_1(struct scheduler_options *options)
{
    options->eta = 1.001;
}
static void brackets_7(struct scheduler_options *options)
{
    options->brackets = 7;
}
static void max_huge(struct scheduler_options *options)
{
    options->max = 1e9;
}
static void grace_below_0(struct scheduler_options *options)
{
    options->grace = -1;
}
static void no_samples(struct scheduler_options *options)
{
    options->min_samples = 0;
}
static void interval_0(struct scheduler_options *options)
{
    options->interval = 0;
}
static void quantile_1(struct scheduler_options *options)
{
    options->quantile = 1;
}
static void resample_2(struct scheduler_options *options)
{
    options->resample = 2;
}
static void factor_0(struct scheduler_options *options)
{
    options->factor_down = 0;
}

static void bad_options_are_refused(void **unused)
{
    (void)unused;
    for (uint32_t i = 0; scheduler_at(i); i++) {
        assert_null(refused(scheduler_at(i)->name, nothing));
        assert_ptr_equal(scheduler_find(scheduler_at(i)->name), scheduler_at(i));
    }
    assert_null(scheduler_find("ash"));
    assert_string_equal(refused("ash", nothing), "scheduler.type");
    assert_string_equal(refused("asha", min_0), "scheduler.min");
    assert_string_equal(refused("asha", max_below_min), "scheduler.max");
    assert_string_equal(refused("asha", eta_1), "scheduler.eta");
    assert_string_equal(refused("hyperband", eta_near_1), "scheduler.eta");
    assert_string_equal(refused("asha", brackets_7), "scheduler.brackets");
    assert_string_equal(refused("hyperband", max_huge), "scheduler.max");
    assert_string_equal(refused("median", grace_below_0), "scheduler.grace");
    assert_string_equal(refused("auto", no_samples), "scheduler.min_samples");
    assert_string_equal(refused("pbt", interval_0), "scheduler.interval");
    assert_string_equal(refused("pbt", quantile_1), "scheduler.quantile");
    assert_string_equal(refused("pbt", resample_2), "scheduler.resample");
    assert_string_equal(refused("pbt", factor_0), "scheduler.factors");
}

/*  In ASHA's brackets as often as the softmax of 4, 3 and 2 rungs says.  Trial 0 of each bracket is its best for ever,
    so that all others pause at their first rung: at 1, 3 or 9. */
static void brackets_are_drawn_by_their_weights(void **unused)
{
    (void)unused;
    enum { TRIALS = 20000 };
    struct scheduler_options options = scheduler_defaults("asha");
    options.max = 81;
    options.promote = true;
    struct space space = { 0 };
    struct scheduler scheduler;
    struct diag why;
    assert_int_equal(scheduler_open(&scheduler, &options, &space, 4711, &why), OK);
    uint32_t paused[3] = { 0 };
    for (uint32_t trial = 0; trial < TRIALS; trial++) {
        scheduler.type->added(&scheduler, trial, NULL);
        for (uint32_t s = 0; s < 3; s++) {
            double step = s == 0 ? 1 : s == 1 ? 3 : 9;
            if (scheduler.type->reported(&scheduler, trial, step, trial, true) == DECISION_PAUSE) {
                paused[s]++;
                break;
            }
        }
    }
    scheduler_close(&scheduler);
    assert_true(fabs(paused[0] / (double)TRIALS - 0.6652) < 0.01);
    assert_true(fabs(paused[1] / (double)TRIALS - 0.2447) < 0.01);
    assert_true(fabs(paused[2] / (double)TRIALS - 0.0900) < 0.006);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(scenarios_as_they_are),
        cmocka_unit_test(scenarios_with_a_crash_before_each_line),
        cmocka_unit_test(scenarios_with_the_order_of_ends_lost),
        cmocka_unit_test(bad_options_are_refused),
        cmocka_unit_test(brackets_are_drawn_by_their_weights),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
