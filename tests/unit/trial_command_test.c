/*  trial_command_test.c - rayc-trial, seen by a worker: commands are started, listened to, answered, ended. */
#include <errno.h>
#include <ftw.h>
#include <jansson.h>
#include <math.h>
#include <signal.h>
#include <sys/stat.h>
#include "tests/unit/fake_worker.h"

static char folder[64], program[512];

/* --- helpers ------------------------------------------------------------------------------------ */

/*  A trial that runs `sh -c SCRIPT`; `more` are further members of its argument. */
struct trial {
    const char *script, *checkpoint, *more;
    uint32_t attempt;
};

static void give_command(struct executor *self, json_t *argument, uint32_t attempt)
{
    static uint8_t bytes[16384];
    struct runs *runs = new_runs();
    struct wire args = { bytes, 0, sizeof(bytes), false };
    char *json = json_dumps(argument, 0);
    wire_put_array(&args, 1);
    wire_put_str(&args, slice_text(json));
    runs->attempt = attempt > 0 ? attempt : 1;
    add_run(runs, "trial_command", slice_of(args.p, args.n), (struct list){ { 0 }, 0 });
    give(self, runs, true);
    free(json);
    json_decref(argument);
}

static json_t *argument_of(const struct trial *trial)
{
    char dir[128];
    snprintf(dir, sizeof(dir), "%s/trial_00007", folder);
    json_t *argument =
        json_pack("{s:s, s:i, s:i, s:i, s:s, s:n, s:i, s:i, s:s, s:s, s:i, s:{s:f, s:s, s:i, s:b}, "
                  "s:[s,s,s], s:[s], s:s, s:n}",
                  "study", "yolo", "trial", 7, "run", 1, "seed", 4711, "metric", "loss", "resource",
                  "resource_max", 81, "step", 40, "dir", dir, "checkpoint",
                  trial->checkpoint != NULL ? trial->checkpoint : "", "checkpoint_every", 5,
                  "params", "lr0", 0.1, "opt.kind", "adam", "layers", 3, "flag", 1, "argv", "sh",
                  "-c", trial->script, "env", "GREETING=hello you", "cwd", "/usr/bin", "stdout");
    assert_non_null(argument);
    json_t *more = json_loads(trial->more != NULL ? trial->more : "{}", 0, NULL);
    assert_non_null(more);
    json_object_update(argument, more);
    json_decref(more);
    return argument;
}

static void start(struct executor *self, struct trial trial)
{
    give_command(self, argument_of(&trial), trial.attempt);
}

/*  The next report has these metrics; it is answered. */
static void expect_report(struct executor *self, const char *metrics, double step, int decision)
{
    struct rec_report report = take_report(self);
    assert_text(report.metrics, metrics);
    assert_true(report.step == step);
    answer(self, &report, (enum decision)decision, "");
}

static void expect_result(struct executor *self, const char *text)
{
    struct rec_ran ran = take(self);
    struct cursor value = cursor_of(ran.value);
    struct slice got;
    if (ran.outcome != OUTCOME_OK) {
        fail_msg("%.*s", (int)ran.text.n, (const char *)ran.text.p);
    }
    assert_true(wire_get_str(&value, &got));
    assert_text(got, text);
}

static void expect_failure(struct executor *self, int code, const char *text)
{
    struct rec_ran ran = take(self);
    assert_int_equal(ran.outcome, OUTCOME_APP_ERROR);
    assert_text(ran.text, text);
    assert_int_equal(ran.status, code);
}

static const char *file_text(const char *name)
{
    static char text[4096];
    char path[256];
    snprintf(path, sizeof(path), "%s/trial_00007/%s", folder, name);
    FILE *file = fopen(path, "re");
    size_t n = file != NULL ? fread(text, 1, sizeof(text) - 1, file) : 0;
    text[n] = 0;
    if (file != NULL) {
        fclose(file);
    }
    return text;
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
    ssize_t n = readlink("/proc/self/exe", program, sizeof(program) - 32);
    program[n > 0 ? n : 0] = 0;
    strcpy(strrchr(program, '/'), "/../bin");
    char path[1024];
    const char *before = getenv("PATH");
    if (before == NULL || strstr(before, program) == NULL) { /* for `rayc report` */
        snprintf(path, sizeof(path), "%s:%.400s", program, before != NULL ? before : "");
        setenv("PATH", path, 1);
    }
    strcat(program, "/rayc-trial");
    snprintf(folder, sizeof(folder), "/tmp/rayc-command-test-XXXXXX");
    if (mkdtemp(folder) == NULL) {
        return -1;
    }
    *state = executor_of(program);
    return *state == NULL;
}

static int teardown(void **state)
{
    nftw(folder, remove_one, 8, FTW_DEPTH | FTW_PHYS);
    return close_executor(state);
}

/* --- tests -------------------------------------------------------------------------------------- */

static void lines_are_reports(void **state)
{
    struct executor *self = *state;
    start(self, (struct trial){ .script = "echo epoch=1 loss=0.5 >&3; read a <&3; echo $a;"
                                          "echo '{\"epoch\":2,\"loss\":0.25}' >&3; read a <&3;"
                                          "echo $a; echo oops >&2" });
    expect_report(self, "{\"epoch\":1,\"loss\":0.5}", 1, DECISION_GO_ON);
    expect_report(self, "{\"epoch\":2,\"loss\":0.25}", 2, DECISION_GO_ON);
    expect_result(self, "{\"reports\":2,\"step\":2,\"checkpoint\":\"\"}");
    const char *log = file_text("output.log");
    const char *first = strstr(log, "ok\n");
    assert_true(first != NULL && strstr(first + 1, "ok\n") != NULL);
    assert_non_null(strstr(log, "oops\n"));
    char all[64] = "";
    assert_int_equal(pread(self->output, all, sizeof(all) - 1, 0), strlen(log));
}

static void its_environment_says_all(void **state)
{
    struct executor *self = *state;
    start(self,
          (struct trial){
              .attempt = 2,
              .script = "echo $GREETING $RAYC_PARAM_lr0 $RAYC_PARAM_opt_kind $RAYC_PARAM_layers "
                        "$RAYC_PARAM_flag $RAYC_TRIAL_ID $RAYC_SEED $RAYC_ATTEMPT "
                        "$RAYC_RESOURCE_MAX [$RAYC_CHECKPOINT] $RAYC_CHECKPOINT_EVERY $RAYC_STUDY "
                        "$RAYC_REPORT_FD $PWD $RAYC_EXECUTOR; "
                        "cat $RAYC_PARAMS; cmp $RAYC_PARAMS $RAYC_TRIAL_DIR/params.json;"
                        "test -d $RAYC_CHECKPOINT_DIR; echo $?; "
                        "stat -c %a $(dirname $RAYC_PARAMS); ls -l /proc/self/fd | grep -c ' -> ';"
                        "echo loss=1 >&3" });
    expect_report(self, "{\"loss\":1}", 1, DECISION_GO_ON);
    expect_result(self, "{\"reports\":1,\"step\":1,\"checkpoint\":\"\"}");
    assert_string_equal(file_text("output.log"),
                        "hello you 0.1 adam 3 true yolo/7 4711 2 81 [] 5 yolo 3 /usr/bin\n"
                        "{\n  \"lr0\": 0.1,\n  \"opt.kind\": \"adam\",\n  \"layers\": 3,\n"
                        "  \"flag\": true\n}\n0\n700\n5\n");
}

static void garbage_is_refused_and_the_trial_goes_on(void **state)
{
    struct executor *self = *state;
    start(self,
          (struct trial){ .script = "ask() { printf \"$1\" >&3; read -r a <&3; echo \"$a\"; };"
                                    "ask 'hello\\n'; ask 'a=1 a=2\\n'; ask 'x\\000y=1\\n';"
                                    "ask '{\"a\":[1]}\\n'; ask '\\n';"
                                    "head -c 40000 /dev/zero | tr '\\0' x >&3; ask '\\n';"
                                    "ask 'step=3 loss=1\\n'; ask 'step=3 loss=2\\n';"
                                    "ask 'loss=2 checkpoint=/etc\\n'" });
    expect_report(self, "{\"step\":3,\"loss\":1}", 3, DECISION_GO_ON);
    expect_result(self, "{\"reports\":1,\"step\":3,\"checkpoint\":\"\"}");
    char expected[1024];
    snprintf(expected, sizeof(expected),
             "error \"hello\" is not NAME=VALUE\n"
             "error metric a is there twice\n"
             "error a report with a NUL byte\n"
             "error a is a list: report numbers, or texts\n"
             "error an empty report\n"
             "error the line is too long\n"
             "ok\n"
             "error step 3 comes after step 3: it must rise\n"
             "error checkpoint /etc is not the folder that was given out for it: "
             "%s/trial_00007/tmp_000001\n",
             folder);
    assert_string_equal(file_text("output.log"), expected);
}

static void the_last_line_may_be_the_value(void **state)
{
    struct executor *self = *state;
    start(self, (struct trial){ .script = "echo training; echo ' 0.75 '; echo" });
    expect_report(self, "{\"loss\":0.75}", 1, DECISION_GO_ON);
    expect_result(self, "{\"reports\":1,\"step\":1,\"checkpoint\":\"\"}");
    start(self, (struct trial){ .script = "printf 'done: epoch=3 loss=0.5, acc=1'" });
    expect_report(self, "{\"epoch\":3,\"loss\":0.5,\"acc\":1}", 3, DECISION_STOP);
    expect_result(self, "{\"reports\":1,\"step\":3,\"checkpoint\":\"\"}");
    start(self, (struct trial){ .script = "echo epoch=3; echo all done" });
    expect_failure(self, 1,
                   "trial 7 ended without loss: it reported nothing, and its last line is not a "
                   "number: \"all done\"");
    start(self, (struct trial){ .script = "echo mistake >&2" });
    expect_failure(self, 1, "trial 7 ended without loss: it reported nothing, and printed nothing");
    start(self, (struct trial){ .script = "echo epoch=2 acc=0.5 name=x >&3; read a <&3" });
    expect_report(self, "{\"epoch\":2,\"acc\":0.5,\"name\":\"x\"}", 2, DECISION_GO_ON);
    expect_failure(self, 1, "trial 7 ended without loss (last report: epoch=2 acc=0.5 name=x)");
}

static void metrics_come_from_its_output(void **state)
{
    struct executor *self = *state;
    start(self, (struct trial){ .more = "{\"stdout\": true}",
                                .script = "echo lr=0.1; echo 'epoch=1 loss=0.5'; echo noise;"
                                          "echo epoch=2; echo loss=0.25; echo loss=nothing" });
    expect_report(self, "{\"lr\":0.1,\"epoch\":1,\"loss\":0.5}", 1, DECISION_GO_ON);
    expect_report(self, "{\"epoch\":2,\"loss\":0.25}", 2, DECISION_GO_ON);
    expect_result(self, "{\"reports\":2,\"step\":2,\"checkpoint\":\"\"}");
    start(self, (struct trial){ .more = "{\"stdout\": {\"regex\": \"([a-z]+): ([0-9.]+)\"}}",
                                .script = "echo 'epoch: 1 - loss: 0.5 - 3s'; echo done" });
    expect_report(self, "{\"epoch\":1,\"loss\":0.5}", 1, DECISION_GO_ON);
    expect_result(self, "{\"reports\":1,\"step\":1,\"checkpoint\":\"\"}");
    start(self, (struct trial){ .more = "{\"stdout\": {\"regex\": \"^best=([0-9.]+)\"}}",
                                .script = "echo best=0.5" });
    expect_report(self, "{\"loss\":0.5}", 1, DECISION_GO_ON);
    expect_result(self, "{\"reports\":1,\"step\":1,\"checkpoint\":\"\"}");
    start(self, (struct trial){ .script = "echo loss=3; echo 'rayc: {\"loss\": 1, \"epoch\": 4}';"
                                          "echo 'rayc: {oops'; echo end" });
    expect_report(self, "{\"loss\":1,\"epoch\":4}", 4, DECISION_GO_ON);
    expect_result(self, "{\"reports\":1,\"step\":4,\"checkpoint\":\"\"}");
    start(self, (struct trial){ .more = "{\"stdout\": {\"regex\": \"((\"}}", .script = "true" });
    assert_int_equal(take(self).outcome, OUTCOME_APP_ERROR);
}

static void failures_say_what_it_printed(void **state)
{
    struct executor *self = *state;
    start(self, (struct trial){
                    .script = "exec 2>&1; echo loss=1 >&3; read a <&3; for i in 1 2 3 4 5 6 7 8 9 "
                              "10 11 12; do echo line $i; done; echo bad >&2; exit 3" });
    expect_report(self, "{\"loss\":1}", 1, DECISION_GO_ON);
    struct rec_ran ran = take(self);
    assert_int_equal(ran.status, 3);
    char text[1024];
    slice_copy_text(ran.text, text, sizeof(text));
    assert_memory_equal(text, "trial 7: sh exited with 3; last lines of its output:\nline 4\n", 59);
    assert_true(strstr(text, "bad") != NULL);
    start(self, (struct trial){ .script = "kill -SEGV $$" });
    expect_failure(self, 128 + SIGSEGV, "trial 7: sh was killed by SIGSEGV; it printed nothing");
    start(self, (struct trial){ .script = "", .more = "{\"argv\": [\"no-such-program\", \"x\"]}" });
    expect_failure(self, 127,
                   "trial 7: cannot run no-such-program: there is no such program on "
                   "this node in its PATH");
    start(self, (struct trial){ .script = "", .more = "{\"argv\": [\"/etc/passwd\"]}" });
    expect_failure(self, 126, "trial 7: cannot run /etc/passwd: Permission denied");
    start(self, (struct trial){ .script = "", .more = "{\"cwd\": \"/no/folder\"}" });
    expect_failure(self, 126,
                   "trial 7: cannot enter the folder /no/folder: No such file or directory");
    start(self, (struct trial){ .script = "", .more = "{\"argv\": []}" });
    expect_failure(self, 2, "trial 7 has no command: argv must be a list of strings");
    start(self, (struct trial){ .script = "true", .checkpoint = "/nowhere" });
    ran = take(self);
    assert_text(ran.text, "checkpoint /nowhere is not on this node: give --storage a folder that "
                          "all nodes share");
}

static void a_stopped_one_ends_by_itself(void **state)
{
    struct executor *self = *state;
    start(self, (struct trial){ .script = "while :; do i=$((i+1)); echo epoch=$i loss=1 >&3;"
                                          "read a <&3; [ $a = ok ] || exit 9; done" });
    expect_report(self, "{\"epoch\":1,\"loss\":1}", 1, DECISION_GO_ON);
    expect_report(self, "{\"epoch\":2,\"loss\":1}", 2, DECISION_STOP);
    expect_result(self, "{\"reports\":2,\"step\":2,\"checkpoint\":\"\"}");
}

/*  It looks at nothing, ignores SIGTERM, and has a child that has left its group. */
static void a_stubborn_one_is_killed_with_all_it_started(void **state)
{
    struct executor *self = *state;
    start(self, (struct trial){
                    .script = "trap '' TERM; setsid sleep 1000 & echo $! > $RAYC_TRIAL_DIR/pid;"
                              "echo 'rayc: {\"loss\": 1}'; while :; do sleep 1; done" });
    expect_report(self, "{\"loss\":1}", 1, DECISION_STOP);
    expect_result(self, "{\"reports\":1,\"step\":1,\"checkpoint\":\"\"}");
    pid_t left = (pid_t)atoi(file_text("pid"));
    assert_true(left > 1);
    assert_int_equal(kill(left, 0), -1);
    assert_int_equal(errno, ESRCH);
}

static void a_cancelled_one_is_told_to_end(void **state)
{
    struct executor *self = *state;
    start(self, (struct trial){ .script = "trap 'echo loss=2 >&3; exit 0' TERM; echo loss=1 >&3;"
                                          "while :; do sleep 0.01; done" });
    expect_report(self, "{\"loss\":1}", 1, DECISION_GO_ON);
    kill(self->pid, SIGINT);
    struct msg msg = take_frame(self);
    while (msg.kind == MSG_TELL) { /* its last report may come through */
        msg = take_frame(self);
    }
    struct rec_ran ran;
    assert_int_equal(msg.kind, MSG_RAN);
    assert_true(next_ran(&msg.as.ran.ran, &ran));
    assert_text(ran.text, "trial 7 was cancelled");
}

static void checkpoints_are_committed(void **state)
{
    struct executor *self = *state;
    char expected[256];
    start(self,
          (struct trial){ .script = "for i in 1 2; do echo $i > $RAYC_CHECKPOINT_DIR/w;"
                                    "echo epoch=$i loss=1 checkpoint=$RAYC_CHECKPOINT_DIR >&3;"
                                    "read a <&3; done; test $a = pause;"
                                    "echo 3 > $RAYC_CHECKPOINT_DIR/w" });
    for (int i = 1; i <= 2; i++) {
        struct rec_report report = take_report(self);
        snprintf(expected, sizeof(expected), "%s/trial_00007/checkpoint_00000%d", folder, i);
        assert_text(report.checkpoint, expected);
        answer(self, &report, i == 1 ? DECISION_GO_ON : DECISION_PAUSE, "");
    }
    snprintf(expected, sizeof(expected),
             "{\"reports\":2,\"step\":2,\"checkpoint\":\"%s/trial_00007/checkpoint_000003\"}",
             folder);
    expect_result(self, expected); /* what it wrote when it was told to pause */
    assert_string_equal(file_text("checkpoint_000001/w"), "1\n");
    assert_string_equal(file_text("checkpoint_000003/w"), "3\n");
    start(self, (struct trial){ .attempt = 2,
                                .script = "cat $RAYC_CHECKPOINT/w; ls $RAYC_TRIAL_DIR | "
                                          "grep -c tmp_; echo loss=1 >&3; read a <&3" });
    expect_report(self, "{\"loss\":1}", 3, DECISION_GO_ON); /* after step 2, that it goes on from */
    expect_result(self, "{\"reports\":1,\"step\":3,\"checkpoint\":\"\"}");
    assert_string_equal(file_text("output.log"), "3\n1\n");
}

static void reports_come_through_the_socket(void **state)
{
    struct executor *self = *state;
    start(self, (struct trial){ .script = "exec 2>&1; cd $RAYC_CHECKPOINT_DIR; echo 1 > w;"
                                          "rayc report epoch=1 loss=0.5 'phase=warm up'; echo $?;"
                                          "rayc report epoch=2 loss=0.25 --checkpoint .; echo $?;"
                                          "rayc report epoch=2 loss=1; echo $?;"
                                          "rayc report loss; echo $?;"
                                          "rayc report epoch=3 loss=0.125; echo $?;" });
    expect_report(self, "{\"epoch\":1,\"loss\":0.5,\"phase\":\"warm up\"}", 1, DECISION_GO_ON);
    struct rec_report report = take_report(self);
    assert_true(report.checkpoint.n > 0);
    answer(self, &report, DECISION_GO_ON, "");
    expect_report(self, "{\"epoch\":3,\"loss\":0.125}", 3, DECISION_PAUSE);
    struct rec_ran ran = take(self);
    assert_int_equal(ran.outcome, OUTCOME_OK);
    assert_string_equal(file_text("output.log"),
                        "0\n0\n"
                        "rayc: report refused: step 2 comes after step 2: it must rise\n2\n"
                        "rayc: 'loss' is not KEY=VALUE\n"
                        "Try 'rayc report --help'.\n2\n"
                        "pause\n76\n");
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(lines_are_reports),
        TEST(its_environment_says_all),
        TEST(garbage_is_refused_and_the_trial_goes_on),
        TEST(the_last_line_may_be_the_value),
        TEST(metrics_come_from_its_output),
        TEST(failures_say_what_it_printed),
        TEST(a_stopped_one_ends_by_itself),
        TEST(a_stubborn_one_is_killed_with_all_it_started),
        TEST(a_cancelled_one_is_told_to_end),
        TEST(checkpoints_are_committed),
        TEST(reports_come_through_the_socket),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
