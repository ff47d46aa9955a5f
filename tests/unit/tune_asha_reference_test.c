/*  tune_asha_reference_test.c - ASHA promotes what the paper's algorithm promotes, for the same arrivals: replays
    tests/tune/judge/asha.csv, which asha_reference.py has made on the learning curve lc_cnn. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>
#include "client/tune/scheduler.h"
#include "common/err.h"
#include "tests/tune/judge/functions.h"

enum { WORKERS = 4, STEPS = 81, TRIALS_MAX = 1000 };

/*  A fold over the rows of one eta. */
struct replay {
    struct scheduler scheduler;
    uint32_t trials;
    uint32_t reached[TRIALS_MAX]; /* step of the last report */
    uint32_t promotions;
};

static const double here[1] = { 0 };

static void replay_open(struct replay *self, double eta)
{
    static const struct param params[] = {
        { .name = "x", .kind = PARAM_FLOAT, .low = 0, .high = 1 }
    };
    static const struct space space = { .params = params, .count = 1 };
    struct scheduler_options options = scheduler_defaults("asha");
    options.min = 1;
    options.max = STEPS;
    options.eta = eta;
    options.brackets = 1;
    options.promote = true;
    struct diag why = { 0 };
    *self = (struct replay){ 0 };
    assert_int_equal(scheduler_open(&self->scheduler, &options, &space, 1, &why), OK);
    for (; self->trials < WORKERS; self->trials++) {
        self->scheduler.type->added(&self->scheduler, self->trials, here);
    }
}

/*  A trial arrives at a rung; reports between rungs say it is perfect, which must not matter. */
static enum decision arrive(struct replay *self, uint32_t trial, uint32_t step, double value)
{
    const struct scheduler_type *type = self->scheduler.type;
    assert_true(trial < self->trials);
    for (uint32_t s = self->reached[trial] + 1; s < step; s++) {
        assert_int_equal(type->reported(&self->scheduler, trial, s, -1, true), DECISION_GO_ON);
    }
    self->reached[trial] = step;
    enum decision decision = type->reported(&self->scheduler, trial, step, value, true);
    if (step == STEPS) {
        assert_int_not_equal(decision, DECISION_PAUSE);
        type->ended(&self->scheduler, trial, false);
        return DECISION_STOP;
    }
    assert_int_not_equal(decision, DECISION_STOP);
    return decision;
}

/*  The worker of `trial` asks for a job; next: a trial's number, or "new".  Whoever goes on promotes itself. */
static void check_job(struct replay *self, uint32_t trial, enum decision decision, const char *next)
{
    const struct scheduler_type *type = self->scheduler.type;
    struct resumption job = { .trial = trial, .donor = NONE };
    bool promoted =
        decision == DECISION_GO_ON || type->resume(&self->scheduler, &job); /* sets job */
    if (next[0] != 'n') {
        assert_true(promoted);
        assert_int_equal(job.trial, strtoul(next, NULL, 10));
        assert_true(job.donor == NONE);
        self->promotions++;
        return;
    }
    if (promoted) {
        fail_msg("trial %u was promoted, where the paper starts a new one", job.trial);
    }
    assert_true(self->trials < TRIALS_MAX);
    type->added(&self->scheduler, self->trials++, here);
}

static void promotions_are_those_of_the_paper(void **state)
{
    (void)state;
    static struct replay replays[2];
    FILE *file = fopen(JUDGE_DIR "/asha.csv", "re");
    assert_non_null(file);
    replay_open(&replays[0], 3);
    replay_open(&replays[1], 4);
    char line[256], *rest = NULL;
    assert_non_null(fgets(line, sizeof(line), file));
    while (fgets(line, sizeof(line), file)) {
        struct replay *self = &replays[strtok_r(line, ",", &rest)[0] - '3'];
        uint32_t trial = (uint32_t)strtoul(strtok_r(NULL, ",", &rest), NULL, 10);
        uint32_t step = (uint32_t)strtoul(strtok_r(NULL, ",", &rest), NULL, 10);
        double value = strtod(strtok_r(NULL, ",", &rest), NULL);
        enum decision decision = arrive(self, trial, step, value);
        check_job(self, trial, decision, strtok_r(NULL, ",\n", &rest));
    }
    fclose(file);
    for (uint32_t i = 0; i < COUNT(replays); i++) {
        assert_true(replays[i].promotions > 50);
        scheduler_close(&replays[i].scheduler);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(promotions_are_those_of_the_paper),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
