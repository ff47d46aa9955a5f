/*  trial_test.c - a C function as a trial, seen by a worker: parameters, reports and their answers, checkpoints. */
#include <ftw.h>
#include <math.h>
#include <signal.h>
#include <sys/stat.h>
#include "client/rayc.h"
#include "tests/unit/fake_worker.h"

/* --- trials ----------------------------------------------------------------------------------- */

RAYC_TASK(params, task)
{
    char text[512];
    snprintf(text, sizeof(text), "%g %s %s %s %g %g %s %d %d trial %u", rayc_param(task, "lr0"),
             rayc_param_text(task, "lr0"), rayc_param_text(task, "opt"),
             rayc_param_text(task, "layers"), rayc_param(task, "layers"), rayc_param(task, "flag"),
             rayc_param_text(task, "flag"), rayc_has_param(task, "opt"),
             rayc_has_param(task, "none"), rayc_trial(task));
    return rayc_return(task, rayc_string(text));
}

RAYC_TASK(wrong_param, task)
{
    return rayc_return(task, rayc_float(rayc_param(task, "none")));
}

RAYC_TASK(text_as_number, task)
{
    return rayc_return(task, rayc_float(rayc_param(task, "opt")));
}

/*  Reports what its second argument says, by epoch; its result is the last answer, and the error. */
RAYC_TASK(reports, task)
{
    int rc = RAYC_GO_ON;
    for (int64_t epoch = 1; epoch <= rayc_arg_int(task, 1) && rc == RAYC_GO_ON; epoch++) {
        rayc_metric metrics[] = { { "loss", 1.0 / (double)epoch }, { "epoch", (double)epoch } };
        rc = rayc_report(task, metrics, 2, NULL);
    }
    char text[700];
    snprintf(text, sizeof(text), "%d %s", rc, rc < 0 ? rayc_error()->text : "");
    return rayc_return(task, rayc_string(text));
}

/*  A report of one metric with the name that is its argument. */
static int report_one(rayc_task *task, const char *name, double value)
{
    rayc_metric metric = { name, value };
    return rayc_report(task, &metric, 1, NULL);
}

RAYC_TASK(wrong_reports, task)
{
    int rc = 0;
    rc |= report_one(task, "a b", 1) != RAYC_EINVALID;
    rc |= report_one(task, "", 1) != RAYC_EINVALID;
    rc |= report_one(task, NULL, 1) != RAYC_EINVALID;
    rc |= rayc_report(task, NULL, 0, NULL) != RAYC_EINVALID;
    rc |= rayc_report(task, (rayc_metric[]){ { "a", 1 }, { "a", 2 } }, 2, NULL) != RAYC_EINVALID;
    rc |= rayc_report(task, NULL, 0, "/tmp") != RAYC_EINVALID;
    rc |= rayc_report(task, NULL, 0, rayc_checkpoint_dir(task)) != RAYC_EINVALID; /* it is empty */
    rc |= report_one(task, "step", 3) != RAYC_GO_ON;
    rc |= report_one(task, "step", 3) != RAYC_EINVALID;
    rc |= report_one(task, "step", 2) != RAYC_EINVALID;
    rc |= report_one(task, "loss", NAN) != RAYC_EINVALID; /* report 2: not above step 3 */
    rc |= report_one(task, "epoch", 4) != RAYC_GO_ON;
    return rc;
}

RAYC_TASK(not_finite, task)
{
    return report_one(task, "loss", INFINITY);
}

/*  Writes a checkpoint with each report; dies in the middle of the third. */
RAYC_TASK(checkpoints, task)
{
    const char *from = rayc_checkpoint(task);
    printf("from %s\n", from != NULL ? from : "nothing");
    for (int i = 0; i < 3; i++) {
        const char *dir = rayc_checkpoint_dir(task);
        char path[4200];
        snprintf(path, sizeof(path), "%s/weights", dir);
        FILE *file = fopen(path, "we");
        if (file == NULL || fputs("1 2 3", file) < 0 || fclose(file) != 0) {
            return rayc_fail(task, 9, "cannot write %s", path);
        }
        if (i == 2) {
            fflush(stdout);
            kill(getpid(), SIGKILL);
        }
        rayc_metric metric = { "loss", i };
        if (rayc_report(task, &metric, 1, dir) != RAYC_GO_ON) {
            return rayc_fail(task, 8, "%s", rayc_error()->text);
        }
    }
    return 0;
}

RAYC_TASK(starts, task)
{
    const char *from = rayc_checkpoint(task);
    return rayc_return(task, rayc_string(from != NULL ? from : "nothing"));
}

RAYC_TASK(plain, task)
{
    (void)report_one(task, "loss", 1);
    return rayc_return(task, rayc_string(rayc_trial_json(task)));
}

/* --- helpers ---------------------------------------------------------------------------------- */

static char folder[64];

static void give_text(struct executor *self, const char *name, uint32_t attempt, const char *json,
                      int64_t number)
{
    static uint8_t bytes[8192];
    struct runs *runs = new_runs();
    struct wire args = { bytes, 0, sizeof(bytes), false };
    wire_put_array(&args, 2);
    wire_put_str(&args, slice_text(json));
    wire_put_int(&args, number);
    runs->attempt = attempt;
    add_run(runs, name, slice_of(args.p, args.n), (struct list){ { 0 }, 0 });
    give(self, runs, true);
}

static void give_trial(struct executor *self, const char *name, uint32_t attempt,
                       const char *checkpoint, int64_t number)
{
    char json[2048];
    snprintf(json, sizeof(json),
             "{\"study\":\"yolo\",\"trial\":7,\"run\":1,\"seed\":18446744073709551615,"
             "\"metric\":\"loss\",\"resource\":null,\"resource_max\":81,\"step\":40,\"dir\":\"%s\","
             "\"checkpoint\":\"%s\",\"params\":{\"lr0\":0.1,\"opt\":\"adam\",\"layers\":3,"
             "\"flag\":true,\"none\":null}}",
             folder, checkpoint);
    give_text(self, name, attempt, json, number);
}

static int remove_one(const char *path, const struct stat *info, int kind, struct FTW *place)
{
    (void)info;
    (void)kind;
    (void)place;
    return remove(path);
}

static int setup(void **state)
{
    snprintf(folder, sizeof(folder), "/tmp/rayc-trial-test-XXXXXX");
    return mkdtemp(folder) == NULL || open_executor(state);
}

static int teardown(void **state)
{
    nftw(folder, remove_one, 8, FTW_DEPTH | FTW_PHYS);
    return close_executor(state);
}

static bool printed(struct executor *self, const char *text)
{
    char all[4096];
    ssize_t n = pread(self->output, all, sizeof(all) - 1, 0);
    all[n > 0 ? n : 0] = 0;
    return strstr(all, text) != NULL;
}

/* --- tests ------------------------------------------------------------------------------------ */

static void parameters_are_read(void **state)
{
    struct executor *self = *state;
    give_trial(self, "params", 1, "", 0);
    give_trial(self, "wrong_param", 1, "", 0);
    give_trial(self, "text_as_number", 1, "", 0);
    struct rec_ran ran = take(self);
    assert_text(slice_of(ran.value.p + 2, ran.value.n - 2), "0.1 0.1 adam 3 3 1 true 1 0 trial 7");
    ran = take(self);
    assert_int_equal(ran.outcome, OUTCOME_BAD_ARGUMENT);
    assert_text(ran.text,
                "trial 7 has no parameter none: the space has none of this name, or it is "
                "not active (rayc_has_param)");
    ran = take(self);
    assert_int_equal(ran.outcome, OUTCOME_BAD_ARGUMENT);
    assert_text(ran.text, "trial 7: parameter opt is no number (rayc_param_text)");
}

static void other_tasks_are_no_trials(void **state)
{
    struct executor *self = *state;
    give_text(self, "plain", 1, "{\"study\":\"yolo\"}", 0);
    struct rec_ran ran = take(self);
    assert_int_equal(ran.outcome, OUTCOME_BAD_ARGUMENT);
    assert_text(ran.text,
                "task plain: it is no trial of rayc tune, which this function is made for");
}

static void each_report_waits_for_its_answer(void **state)
{
    struct executor *self = *state;
    give_trial(self, "reports", 1, "", 9);
    for (uint32_t i = 1; i <= 3; i++) {
        struct rec_report report = take_report(self);
        assert_int_equal(report.task, 0xABC0);
        assert_int_equal(report.token, 5);
        assert_int_equal(report.trial, 7);
        assert_int_equal(report.number, i);
        assert_true(report.step == i && report.value == 1.0 / i);
        if (i == 2) {
            assert_text(report.metrics, "{\"loss\":0.5,\"epoch\":2}");
            channel_answer(self->page, 99, 2, DECISION_STOP, slice_text("")); /* another's */
        }
        answer(self, &report, i == 3 ? DECISION_PAUSE : DECISION_GO_ON, "");
    }
    struct rec_ran ran = take(self);
    assert_text(slice_of(ran.value.p + 1, ran.value.n - 1), "2 ");
}

static void a_refused_report_says_why(void **state)
{
    struct executor *self = *state;
    give_trial(self, "reports", 1, "", 9);
    struct rec_report report = take_report(self);
    answer(self, &report, DECISION_REFUSED, "the study has ended");
    struct rec_ran ran = take(self);
    assert_text(slice_of(ran.value.p + 2, ran.value.n - 2),
                "-13 the head refused the report: the study has ended");
}

static void a_cancelled_one_stops(void **state)
{
    struct executor *self = *state;
    give_trial(self, "reports", 1, "", 9);
    (void)take_report(self);
    kill(self->pid, SIGINT);
    struct rec_ran ran = take(self);
    assert_text(slice_of(ran.value.p + 1, ran.value.n - 1), "1 ");
    give_trial(self, "reports", 1, "", 1); /* the next task is not stopped by it */
    struct rec_report report = take_report(self);
    assert_int_equal(report.number, 1);
    answer(self, &report, DECISION_GO_ON, "");
    ran = take(self);
    assert_text(slice_of(ran.value.p + 1, ran.value.n - 1), "0 ");
}

static void wrong_reports_change_nothing(void **state)
{
    struct executor *self = *state;
    give_trial(self, "wrong_reports", 1, "", 0);
    for (uint32_t i = 1; i <= 2; i++) {
        struct rec_report report = take_report(self);
        assert_int_equal(report.number, i);
        assert_true(report.step == 2 + i && isnan(report.value));
        assert_int_equal(report.checkpoint.n, 0);
        answer(self, &report, DECISION_GO_ON, "");
    }
    assert_int_equal(take(self).outcome, OUTCOME_OK);
}

static void what_is_not_finite_is_no_value(void **state)
{
    struct executor *self = *state;
    give_trial(self, "not_finite", 1, "", 0);
    struct rec_report report = take_report(self);
    assert_text(report.metrics, "{\"loss\":null}");
    assert_true(isnan(report.value) && report.step == 1);
    answer(self, &report, DECISION_GO_ON, "");
    assert_int_equal(take(self).outcome, OUTCOME_OK);
    assert_true(printed(self, "rayc: trial 7: loss is inf at step 1: it counts as no value\n"));
}

/*  The file of a checkpoint that was reported. */
static void assert_committed(struct slice checkpoint, const char *name)
{
    char path[256];
    snprintf(path, sizeof(path), "%s/%s", folder, name);
    assert_text(checkpoint, path);
    strcat(path, "/weights");
    assert_int_equal(access(path, R_OK), 0);
}

static void a_dead_attempt_goes_on_from_its_checkpoint(void **state)
{
    struct executor *self = *state;
    char first[128], text[200];
    snprintf(first, sizeof(first), "%s/given", folder);
    assert_int_equal(mkdir(first, 0755), 0);
    give_trial(self, "checkpoints", 1, first, 0);
    for (uint32_t i = 1; i <= 2; i++) {
        struct rec_report report = take_report(self);
        assert_true(report.step == 40 + i); /* it goes on counting from what it was given */
        assert_committed(report.checkpoint, i == 1 ? "checkpoint_000001" : "checkpoint_000002");
        answer(self, &report, DECISION_GO_ON, "");
    }
    waitpid(self->pid, NULL, 0);
    snprintf(text, sizeof(text), "from %s\n", first);
    assert_true(printed(self, text));
    snprintf(text, sizeof(text), "%s/tmp_000003/weights", folder);
    assert_int_equal(access(text, R_OK), 0);
    struct executor *second = executor_of(NULL);
    give_trial(second, "checkpoints", 2, first, 0);
    struct rec_report report = take_report(second);
    assert_true(report.step == 43);
    assert_committed(report.checkpoint, "checkpoint_000003"); /* what was not finished is gone */
    snprintf(text, sizeof(text), "from %s/checkpoint_000002\n", folder);
    answer(second, &report, DECISION_STOP, "");
    assert_int_equal(take(second).outcome, OUTCOME_APP_ERROR);
    assert_true(printed(second, text));
    void *closed = second;
    close_executor(&closed);
}

/*  Killed between the checkpoint and the answer: what was reported may be known to nobody. */
static void an_unanswered_report_is_said_again(void **state)
{
    struct executor *self = *state;
    give_trial(self, "checkpoints", 1, "", 0);
    struct rec_report report = take_report(self);
    answer(self, &report, DECISION_GO_ON, "");
    report = take_report(self);
    assert_true(report.step == 2 && report.value == 1);
    kill(self->pid, SIGKILL);
    waitpid(self->pid, NULL, 0);
    const enum decision decisions[] = { DECISION_PAUSE, DECISION_GO_ON, DECISION_GO_ON };
    for (uint32_t i = 0; i < COUNT(decisions); i++) {
        struct executor *next = executor_of(NULL);
        give_trial(next, "checkpoints", 2 + i, "", 0);
        report = take_report(next);
        if (i < 2) { /* until it was told to go on */
            assert_int_equal(report.number, 1);
            assert_true(report.step == 2 && report.value == 1);
            assert_text(report.metrics, "{\"loss\":1}");
            assert_committed(report.checkpoint, "checkpoint_000002");
            answer(next, &report, decisions[i], "");
        }
        if (i == 0) {
            assert_int_equal(take(next).outcome, OUTCOME_APP_ERROR); /* it is not asked again */
        } else {
            report = i == 1 ? take_report(next) : report;
            assert_true(report.step == 3 && report.value == 0);
            kill(next->pid, SIGKILL); /* before its answer: the next one's first report again */
            waitpid(next->pid, NULL, 0);
        }
        void *closed = next;
        close_executor(&closed);
    }
}

static void a_checkpoint_that_is_not_here_fails(void **state)
{
    struct executor *self = *state;
    give_trial(self, "starts", 1, "", 0);
    give_trial(self, "starts", 1, "/nowhere/c", 0);
    struct rec_ran ran = take(self);
    assert_text(slice_of(ran.value.p + 1, ran.value.n - 1), "nothing");
    ran = take(self);
    assert_int_equal(ran.outcome, OUTCOME_APP_ERROR);
    assert_text(ran.text, "checkpoint /nowhere/c is not on this node: give --storage a folder that "
                          "all nodes share");
}

int main(void)
{
    if (getenv("RAYC_EXECUTOR") != NULL) {
        rayc_init(NULL);
    }
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(parameters_are_read),
        TEST(other_tasks_are_no_trials),
        TEST(each_report_waits_for_its_answer),
        TEST(a_refused_report_says_why),
        TEST(a_cancelled_one_stops),
        TEST(wrong_reports_change_nothing),
        TEST(what_is_not_finite_is_no_value),
        TEST(a_dead_attempt_goes_on_from_its_checkpoint),
        TEST(an_unanswered_report_is_said_again),
        TEST(a_checkpoint_that_is_not_here_fails),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
