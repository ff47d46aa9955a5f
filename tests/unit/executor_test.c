/*  executor_test.c - executors as the core sees them: commands, drivers, and resident executors, for which this program
    itself serves (fake_executor.h). */
#include "worker/executor.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/stat.h>
#include <unistd.h>
#include <msgpack.h>
#include <cmocka.h>
#include "tests/unit/fake_executor.h"
#include "worker/spawn.h"
#include "tests/unit/executor_world.h"

/* --- commands --------------------------------------------------------------------------------------------- */

static void command_results(void **state)
{
    struct world *self = *state;
    struct worker_event event = run_command(self, "cat; pwd; echo bad >&2; exit 4", NULL, "in ");
    assert_int_equal(event.status, 4);
    assert_value(event.value, 4, "in /usr/bin\n", "bad\n");
    assert_slice(event.text, "bad");
    assert_int_equal(event.number, 1);
    event = run_command(self, "cat", NULL, NULL); /* the files are used again */
    assert_value(event.value, 0, "", "");
    assert_slice(event.text, "");
    event = run_command(self, "kill -TERM $$", NULL, NULL);
    assert_int_equal(event.status, -SIGTERM);
}

static void command_environment(void **state)
{
    struct world *self = *state;
    setenv("RAYC_TOKEN_X", "secret", 1);
    setenv("RAYC_KEY", "secret", 1);
    const char *script = "echo $RAYC_ADDRESS $RAYC_JOB_ID $RAYC_SUBMISSION_ID $RAYC_TASK_ID "
                         "$RAYC_ATTEMPT $RAYC_FENCE "
                         "$RAYC_NODE_ID $RAYC_TASK_INDEX $OMP_NUM_THREADS "
                         "$RAYC_TOKEN_X$RAYC_KEY$RAYC_KEY_FILE$RAYC_EXECUTOR $X";
    struct worker_event event = run_command(self, script, "X=y", NULL);
    assert_value(event.value, 0, "tcp://head:1 3 rayc_x 0000010000000009 2 77 5 9 2 y\n", "");
    make_body(self, "echo $RAYC_TASK_INDEX $OMP_NUM_THREADS $CUDA_VISIBLE_DEVICES",
              "OMP_NUM_THREADS=7", NULL);
    struct act act = spawn_act(self, SPEC_COMMAND, 2);
    act.held.args = slice_of("\x91\xcd\x01\x00", 4); /* [256]: of an array */
    snprintf(act.gpus, sizeof(act.gpus), "0,3");
    executors_spawn(self->executors, &act, NODE);
    expect(self, WEV_SPAWNED);
    assert_value(expect(self, WEV_EXITED).value, 0, "256 7 0,3\n", "");
}

static void command_without_program(void **state)
{
    struct world *self = *state;
    make_body(self, "exit 0", "PATH=/nowhere", NULL);
    struct act act = spawn_act(self, SPEC_COMMAND, 1);
    executors_spawn(self->executors, &act, NODE);
    struct worker_event event = expect(self, WEV_SPAWN_FAILED);
    assert_int_equal(event.code, ENOENT);
    assert_slice(event.text, "sh: No such file or directory");
    self->spec.body = slice_of("\x81\xa4"
                               "argv\x01",
                               7);
    executors_spawn(self->executors, &act, NODE);
    event = expect(self, WEV_SPAWN_FAILED);
    assert_int_equal(event.code, EINVAL);
    assert_slice(event.text, "test: argv must be a list of strings");
    self->spec.body = slice_of("\xdd\xff\xff\xff\xff", 5);
    executors_spawn(self->executors, &act, NODE);
    assert_slice(expect(self, WEV_SPAWN_FAILED).text, "test: body is not one msgpack map");
}

static void command_prints_a_lot(void **state)
{
    struct world *self = *state;
    struct msg_log log;
    struct worker_event event = run_command(self, "head -c 3000000 /dev/zero", NULL, NULL);
    assert_true(event.value.n > OUTPUT_MAX && event.value.n < OUTPUT_MAX + 100);
    assert_slice(event.log, "logs/job-3/0000010000000009.2.log"); /* of the head */
    event = run_command(self, "echo a", NULL, NULL);
    assert_value(event.value, 0, "a\n", "");
    uint64_t sent = 0;
    tails_joined(self->tails, true);
    while (tails_next(self->tails, &log)) {
        assert_true(log.offset == sent && log.token == 77 && log.attempt == 2 && log.job == 3);
        sent += log.data.n;
        tails_on_ack(self->tails, &(struct msg_log_ack){ .token = 77, .offset = sent });
    }
    assert_true(sent == 3000000);
    assert_false(tails_busy(self->tails));
}

/*  What runs for long is streamed, both of its files, and its secrets are not. */
static void long_command_is_streamed(void **state)
{
    struct world *self = *state;
    struct msg_log log;
    char script[400], path[256];
    in_dir(self, "go", path);
    assert_int_equal(mkfifo(path, 0600), 0);
    int go = open(path, O_RDWR | O_CLOEXEC);
    snprintf(script, sizeof(script), "echo one $X_TOKEN; read x <%s; echo two >&2", path);
    tails_joined(self->tails, true);
    make_body(self, script, "X_TOKEN=secret-secret", NULL);
    struct act act = spawn_act(self, SPEC_COMMAND, 1);
    executors_on_time(self->executors, 5000);
    executors_spawn(self->executors, &act, NODE);
    expect(self, WEV_SPAWNED);
    executors_on_time(self->executors, 5900);
    assert_false(tails_busy(self->tails)); /* not yet */
    uint64_t now_ms = 7000, sent = 0;
    do {
        executors_on_time(self->executors, now_ms);
        tails_on_time(self->tails, now_ms);
        now_ms += 1000;
    } while (!tails_next(self->tails, &log));
    assert_slice(log.data, "one ***\n");
    sent += log.data.n;
    assert_int_equal(write(go, "\n", 1), 1);
    struct worker_event event;
    enum next next;
    while ((next = executors_next(self->executors, &event)) != NEXT_EVENT) {
        executors_settled(self->executors);
        if (next == NEXT_NOTHING && !tails_next(self->tails, &log)) {
            take_news(self); /* its end waits for what it printed last */
        } else {
            executors_on_tails(self->executors);
        }
    }
    assert_slice(log.data, "two\n");
    assert_true(log.offset == sent);
    assert_int_equal(event.kind, WEV_EXITED);
    assert_value(event.value, 0, "one ***\n", "two\n");
    close(go);
}

/* --- drivers ---------------------------------------------------------------------------------------------- */

static void driver_output(void **state)
{
    struct world *self = *state;
    struct msg_log log;
    char path[256];
    make_body(
        self,
        "[ \"$(stat -c %a $RAYC_KEY_FILE)$RAYC_TOKEN\" = 600 ] && grep -q server $RAYC_KEY_FILE && "
        "grep -o tick.*end $RAYC_KEY_FILE; echo err >&2; exit 1",
        NULL, NULL);
    struct act act = spawn_act(self, SPEC_DRIVER, 1);
    act.held.ticket = slice_text("ticket-to-the-end");
    executors_spawn(self->executors, &act, NODE);
    struct spawn_event news = { 0 };
    while (news.kind != SPAWN_EXITED) {
        if (spawner_next(self->spawner, &news)) {
            executors_on_spawner(self->executors, &news);
        } else {
            struct epoll_event ready;
            assert_int_equal(epoll_wait(self->epoll, &ready, 1, WAIT_MS), 1);
        }
    }
    expect(self, WEV_SPAWNED);
    struct worker_event event; /* the head is away: its output waits, and so does its end */
    assert_int_equal(executors_next(self->executors, &event), NEXT_NOTHING);
    assert_false(tails_next(self->tails, &log));
    tails_joined(self->tails, true);
    assert_true(tails_next(self->tails, &log));
    assert_slice(log.data, "***\nerr\n");
    assert_int_equal(log.token, 77);
    executors_on_tails(self->executors);
    event = expect(self, WEV_EXITED);
    assert_slice(event.text, "***\nerr");
    tails_joined(self->tails, true); /* it was away again */
    assert_true(tails_next(self->tails, &log));
    assert_int_equal(log.offset, 0);
    tails_on_ack(self->tails, &(struct msg_log_ack){ .token = 77, .offset = 5 });
    in_dir(self, "logs/0000010000000009.2.log", path);
    assert_int_equal(access(path, F_OK), 0);
    tails_joined(self->tails, true);
    assert_true(tails_next(self->tails, &log));
    assert_int_equal(log.offset, 5);
    tails_on_time(self->tails, 10000);
    tails_on_time(self->tails, 20000); /* no answer: again */
    assert_true(tails_next(self->tails, &log));
    assert_int_equal(log.offset, 5);
    tails_on_ack(self->tails, &(struct msg_log_ack){ .token = 77, .offset = 8 });
    assert_false(tails_busy(self->tails));
    assert_int_not_equal(access(path, F_OK), 0);
}

/* --- resident executors ------------------------------------------------------------------------------------ */

static void start_resident(struct world *self)
{
    self->spec.body = slice_of(NULL, 0);
    struct act act = spawn_act(self, SPEC_FUNCTION, 1);
    snprintf(self->spec.program, sizeof(self->spec.program), PROGRAM);
    executors_on_time(self->executors, self->now_ms);
    executors_spawn(self->executors, &act, NODE);
    expect(self, WEV_SPAWNED);
}

static void give(struct world *self, const char *name, struct slice args)
{
    struct spec_view spec = self->spec;
    snprintf(spec.name, sizeof(spec.name), "%s", name);
    struct act act = {
        .kind = ACT_GIVE, .executor = 1, .spec = &spec, .held = { .task = 1, .args = args }
    };
    executors_give(self->executors, &act);
}

static void expect_ran(struct world *self, uint32_t number, const char *value)
{
    struct worker_event event = expect(self, WEV_RAN);
    assert_int_equal(event.ran->number, number);
    assert_slice(event.ran->value, value);
}

static void resident_runs(void **state)
{
    struct world *self = *state;
    start_resident(self);
    give(self, "send", slice_text("a"));
    give(self, "send", slice_text("b"));
    executors_give_end(self->executors);
    expect_ran(self, 0, "a");
    expect_ran(self, 1, "b");
    give(self, "print", slice_text("text\n"));
    executors_give_end(self->executors);
    struct worker_event event = expect(self, WEV_RAN);
    assert_slice(event.output, "text\n");
    assert_int_equal(event.log.n, 0);
    executors_kill(self->executors, 1, SIGTERM);
    event = expect(self, WEV_EXITED);
    assert_int_equal(event.status, -SIGTERM);
    assert_int_equal(event.number, 3);
    assert_slice(event.text, "");
}

static void resident_prints_a_lot(void **state)
{
    struct world *self = *state;
    struct stat info;
    enum { MUCH = 2000000 };
    char *much = malloc(MUCH), path[256];
    assert_non_null(much);
    memset(much, 'm', MUCH);
    for (int again = 0; again < 2; again++) { /* the second executor uses the file again */
        start_resident(self);
        give(self, "print", slice_of(much, MUCH));
        give(self, "print", slice_text("little\n"));
        executors_give_end(self->executors);
        struct worker_event event = expect(self, WEV_RAN);
        assert_int_equal(event.output.n, OUTPUT_MAX);
        slice_copy_text(event.log, path, sizeof(path));
        assert_int_equal(stat(path, &info), 0);
        assert_int_equal(info.st_size, MUCH);
        assert_slice(expect(self, WEV_RAN).output, "little\n");
        executors_kill(self->executors, 1, SIGKILL);
        expect(self, WEV_EXITED);
    }
    free(much);
}

static void resident_dies(void **state)
{
    struct world *self = *state;
    start_resident(self);
    give(self, "page", slice_text("a"));
    give(self, "page", slice_text("b"));
    give(self, "die", slice_text(""));
    give(self, "send", slice_text("never"));
    executors_give_end(self->executors);
    expect_ran(self, 0, "a"); /* from the page */
    expect_ran(self, 1, "b");
    struct worker_event event = expect(self, WEV_EXITED);
    assert_int_equal(event.status, -SIGKILL);
    assert_int_equal(event.number, 3);
    assert_slice(event.text, "last words");
    start_resident(self); /* the id is free again */
    give(self, "send", slice_text("c"));
    executors_give_end(self->executors);
    expect_ran(self, 0, "c");
}

static void silent_one_is_peeked(void **state)
{
    struct world *self = *state;
    struct worker_event event;
    start_resident(self);
    give(self, "send", slice_text("a"));
    give(self, "page", slice_text("b"));
    give(self, "wait", slice_text(""));
    executors_give_end(self->executors);
    expect_ran(self, 0, "a");
    uint64_t due = executors_due(self->executors);
    assert_true(due > self->now_ms && due <= self->now_ms + 10);
    while (executors_next(self->executors, &event) !=
           NEXT_EVENT) { /* it will come, but nobody tells us when */
        executors_settled(self->executors);
        self->now_ms += 5;
        executors_on_time(self->executors, self->now_ms);
        sched_yield();
    }
    assert_int_equal(event.kind, WEV_RAN);
    assert_int_equal(event.ran->number, 1);
    assert_slice(event.ran->value, "b");
    executors_kill(self->executors, 1, SIGKILL);
    expect(self, WEV_EXITED);
}

static void takes_back(void **state)
{
    struct world *self = *state;
    start_resident(self);
    give(self, "send", slice_text("a"));
    give(self, "wait", slice_text(""));
    give(self, "send", slice_text("c"));
    executors_give_end(self->executors);
    expect_ran(self, 0, "a");
    executors_take_back(self->executors, 1);
    struct worker_event event = expect(self, WEV_TAKEN);
    assert_true(event.number == 1 || event.number == 2); /* it may have begun to wait, or not yet */
    give(self, "send", slice_text("d"));
    executors_give_end(self->executors);
    if (event.number == 1) {
        expect_ran(self, 3, "d");
    }
    executors_kill(self->executors, 1, SIGKILL);
    event = expect(self, WEV_EXITED);
}

/*  A report of what the executor runs goes to the head; the task goes on when it is decided. */
static void a_report_is_passed_on(void **state)
{
    struct world *self = *state;
    struct msg_report msg;
    struct rec_report report;
    asks_joined(self->asks, true);
    start_resident(self);
    give(self, "send", slice_text("a"));
    give(self, "tell", slice_text("b"));
    executors_give_end(self->executors);
    expect_ran(self, 0, "a");
    struct worker_event event;
    for (;;) {
        assert_int_equal(executors_next(self->executors, &event), NEXT_NOTHING);
        executors_settled(self->executors);
        if (asks_next(self->asks, &msg)) {
            break;
        }
        take_news(self);
    }
    assert_true(next_report(&msg.reports, &report));
    assert_int_equal(report.number, 1);
    assert_slice(report.metrics, "{}");
    assert_false(asks_next(self->asks, &msg));
    uint8_t bytes[64];
    struct wire list = { bytes, 0, sizeof(bytes), false };
    struct rec_decision decision = { .task = 1, .number = 1, .text = slice_text("why") };
    proto_put_record(&list, REC_DECISION, &decision);
    asks_on_decided(self->asks, &(struct msg_decided){ .decisions = wire_list(&list, 1) });
    expect_ran(self, 1, "b");
    executors_kill(self->executors, 1, SIGKILL);
    expect(self, WEV_EXITED);
}

static void breaking_the_protocol_kills(void **state)
{
    struct world *self = *state;
    start_resident(self);
    give(self, "send", slice_text("a"));
    give(self, "garbage", slice_text(""));
    executors_give_end(self->executors);
    expect_ran(self, 0, "a");
    assert_int_equal(expect(self, WEV_EXITED).status, -SIGKILL);
}

static void more_than_the_socket_holds(void **state)
{
    struct world *self = *state;
    enum { LARGE = 7000000, MANY = 4 };
    uint8_t *large = calloc(1, LARGE);
    assert_non_null(large);
    start_resident(self);
    for (int i = 0; i < MANY; i++) {
        give(self, "send", slice_of(large, LARGE));
    }
    executors_give_end(self->executors);
    for (uint32_t i = 0; i < MANY; i++) {
        struct worker_event event = expect(self, WEV_RAN);
        assert_int_equal(event.ran->number, i);
        assert_int_equal(event.ran->value.n, LARGE);
    }
    for (int i = 0; i < MANY; i++) {
        give(self, i == 0 ? "wait" : "send", slice_of(large, LARGE));
    }
    executors_take_back(self->executors, 1); /* most of it has not even been written */
    assert_true(expect(self, WEV_TAKEN).number <= MANY + 1);
    free(large);
}

int main(void)
{
    if (getenv("RAYC_EXECUTOR")) {
        fake_executor();
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(command_results, setup, teardown),
        cmocka_unit_test_setup_teardown(command_environment, setup, teardown),
        cmocka_unit_test_setup_teardown(command_without_program, setup, teardown),
        cmocka_unit_test_setup_teardown(command_prints_a_lot, setup, teardown),
        cmocka_unit_test_setup_teardown(long_command_is_streamed, setup, teardown),
        cmocka_unit_test_setup_teardown(driver_output, setup, teardown),
        cmocka_unit_test_setup_teardown(resident_runs, setup, teardown),
        cmocka_unit_test_setup_teardown(resident_prints_a_lot, setup, teardown),
        cmocka_unit_test_setup_teardown(resident_dies, setup, teardown),
        cmocka_unit_test_setup_teardown(silent_one_is_peeked, setup, teardown),
        cmocka_unit_test_setup_teardown(takes_back, setup, teardown),
        cmocka_unit_test_setup_teardown(a_report_is_passed_on, setup, teardown),
        cmocka_unit_test_setup_teardown(breaking_the_protocol_kills, setup, teardown),
        cmocka_unit_test_setup_teardown(more_than_the_socket_holds, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
