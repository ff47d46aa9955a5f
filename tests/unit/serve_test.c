/*  serve_test.c - executor mode, seen by a worker: this program starts itself with
    RAYC_EXECUTOR=1, hands it RUN frames over proto/channel.h, and reads its results from the
    socket and from the page. */
#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>
#include "client/rayc.h"
#include "proto/value.h"
#include "tests/unit/fake_worker.h"

enum { APP_CODE = 7 };

/* --- tasks ------------------------------------------------------------------------------------ */

RAYC_TASK(add, task)
{
    return rayc_return(task, rayc_int(rayc_arg_int(task, 0) + rayc_arg_int(task, 1)));
}

RAYC_TASK(echo, task)
{
    const char *text = rayc_arg_string(task, 0);
    return rayc_return(task, rayc_string(text));
}

RAYC_TASK(fails, task)
{
    return rayc_fail(task, (int)rayc_arg_int(task, 0), "attempt %u of %s: bad luck",
                     rayc_attempt(task), rayc_task_id(task));
}

RAYC_TASK(returns_code, task)
{
    (void)task;
    return APP_CODE;
}

/*  Sets as many of its values as its argument says, from the last one down. */
RAYC_TASK(several, task)
{
    for (int64_t i = rayc_arg_int(task, 0); i > 0; i--) {
        rayc_return_at(task, (size_t)i - 1, rayc_int(i * 10));
    }
    return 0;
}

RAYC_TASK(returns_one, task)
{
    return rayc_return(task, rayc_int(1));
}

RAYC_TASK(ref_back, task)
{
    return rayc_return(task, rayc_nested(rayc_arg_ref(task, 0)));
}

RAYC_TASK(nothing, task)
{
    return rayc_arg_count(task) == 0 ? 0 : 1;
}

RAYC_TASK(prints, task)
{
    printf("line of %d\n", (int)rayc_arg_int(task, 0));
    return 0;
}

RAYC_TASK(large, task)
{
    size_t n = (size_t)rayc_arg_int(task, 0);
    void *bytes = calloc(1, n + 1);
    int rc = rayc_return(task, rayc_bytes(bytes, n));
    free(bytes);
    return rc;
}

/*  Prints, so that the test knows that it runs; ends when it is asked to. */
RAYC_TASK(until_cancelled, task)
{
    printf("begun\n");
    fflush(stdout);
    while (!rayc_cancelled(task)) {
        pause();
    }
    return rayc_fail(task, APP_CODE, "told to end");
}

RAYC_TASK(dies, task)
{
    (void)task;
    kill(getpid(), SIGKILL);
    return 0;
}

/* --- helpers ---------------------------------------------------------------------------------- */

static void add_ints(struct runs *runs, const char *name, uint32_t count, const int64_t *values)
{
    uint8_t bytes[64];
    struct wire args = { bytes, 0, sizeof(bytes), false };
    wire_put_array(&args, count);
    for (uint32_t i = 0; i < count; i++) {
        wire_put_int(&args, values[i]);
    }
    add_run(runs, name, slice_of(args.p, args.n), (struct list){ { 0 }, 0 });
}

static struct rec_ran run_one(struct executor *self, const char *name, uint32_t count,
                              const int64_t *values)
{
    struct runs *runs = new_runs();
    add_ints(runs, name, count, values);
    give(self, runs, true);
    return take(self);
}

#define INTS(...)                                                                                  \
    (uint32_t) COUNT(((int64_t[]){ __VA_ARGS__ })), (int64_t[])                                    \
    {                                                                                              \
        __VA_ARGS__                                                                                \
    }

/* --- tests ------------------------------------------------------------------------------------ */

/*  The buffer is emptied right after its frame was sent. */
static void wait_for_empty_page(struct executor *self)
{
    for (int i = 0; i < REPLY_MS_MAX && atomic_load(&self->page->generation) == 0; i++) {
        poll(NULL, 0, 1);
    }
    assert_true(atomic_load(&self->page->generation) > 0);
    assert_int_equal(atomic_load(&self->page->used), 0);
}

static void runs_a_batch_in_order(void **state)
{
    struct executor *self = *state;
    struct runs *runs = new_runs();
    enum { TASKS = 200 };
    for (int i = 0; i < TASKS; i++) {
        add_ints(runs, "add", INTS(i, 1000));
    }
    give(self, runs, true);
    for (uint32_t i = 0; i < TASKS; i++) {
        struct rec_ran ran = take(self);
        struct cursor value = cursor_of(ran.value);
        int64_t sum;
        assert_int_equal(ran.number, i);
        assert_int_equal(ran.outcome, OUTCOME_OK);
        assert_true(wire_get_int(&value, &sum));
        assert_int_equal(sum, (int64_t)i + 1000);
        assert_true(ran.started_ms > 0);
        assert_int_equal(ran.output_from, ran.output_to);
    }
    wait_for_empty_page(self);
}

static void strings_and_references_are_arguments(void **state)
{
    struct executor *self = *state;
    static const uint8_t text[] = { 0x92, 0xA5, 'h', 'e', 'l', 'l', 'o', 0xA1, '!' };
    uint8_t reference[19] = { 0x91, 0xD8, 1 };
    uint8_t values[64];
    struct wire deps = { values, 0, sizeof(values), false };
    struct rec_value value = { slice_of("\xA4tail", 5) };
    proto_put_record(&deps, REC_VALUE, &value);
    struct runs *runs = new_runs();
    add_run(runs, "echo", slice_of(text, sizeof(text)), (struct list){ { 0 }, 0 });
    add_run(runs, "echo", slice_of(reference, sizeof(reference)), wire_list(&deps, 1));
    give(self, runs, true);
    assert_text(take(self).value, "\xA5hello");
    assert_text(take(self).value, "\xA4tail");
}

static struct rec_ran run_several(struct executor *self, const char *name, uint32_t returns,
                                  int64_t sets)
{
    struct runs *runs = new_runs();
    runs->returns = returns;
    add_ints(runs, name, INTS(sets));
    give(self, runs, true);
    return take(self);
}

static void several_values_are_returned(void **state)
{
    struct executor *self = *state;
    struct slice value;
    struct rec_ran ran = run_several(self, "several", 3, 3);
    assert_int_equal(ran.outcome, OUTCOME_OK);
    assert_true(value_at(ran.value, 2, &value) && slice_same(value, slice_of("\x1E", 1)));
    assert_true(value_at(ran.value, 0, &value) && slice_same(value, slice_of("\x0A", 1)));
    assert_false(value_at(ran.value, 3, &value));
    ran = run_several(self, "several", 1, 1);
    assert_true(slice_same(ran.value, slice_of("\x0A", 1)));
}

static void each_of_several_values_must_be_set(void **state)
{
    struct executor *self = *state;
    struct rec_ran ran = run_several(self, "several", 3, 2);
    assert_int_equal(ran.outcome, OUTCOME_APP_ERROR);
    assert_text(ran.text, "task several: it returns 3 values, and value 2 was not set");
    ran = run_several(self, "several", 2, 3);
    assert_text(ran.text,
                "task several: it returns 2 values, and value 2 was set: they count from 0");
    ran = run_several(self, "several", 2, 2); /* what was set before is forgotten */
    assert_int_equal(ran.outcome, OUTCOME_OK);
    ran = run_several(self, "returns_one", 2, 0);
    assert_text(ran.text, "task returns_one: it returns 2 values: set each with rayc_return_at()");
}

static void a_reference_is_passed_as_it_is(void **state)
{
    struct executor *self = *state;
    uint8_t bytes[64];
    struct wire args = { bytes, 0, sizeof(bytes), false };
    struct reference in = { 77, 1, 3 }, out;
    wire_put_array(&args, 1);
    reference_put(&args, AS_IS_EXT, &in);
    struct runs *runs = new_runs();
    add_run(runs, "ref_back", slice_of(args.p, args.n), (struct list){ { 0 }, 0 });
    give(self, runs, true);
    struct rec_ran ran = take(self);
    struct cursor value = cursor_of(ran.value);
    assert_int_equal(reference_get(&value, &out), REFERENCE_EXT);
    assert_true(out.task == 77 && out.index == 1 && out.job == 3);
    struct rec_sealed sealed;
    struct rec_object inside;
    assert_true(next_sealed(&ran.sealed, &sealed) && sealed.index == 0 && sealed.size == 0);
    assert_true(next_object(&sealed.inside, &inside) && inside.task == 77 && inside.index == 1);
    assert_text(run_one(self, "ref_back", INTS(5)).text,
                "task ref_back: argument 0 is an integer, read as a reference");
}

static void mistakes_name_the_argument(void **state)
{
    struct executor *self = *state;
    struct runs *runs = new_runs();
    add_run(runs, "add", slice_of("\x92\xA1x\x01", 4), (struct list){ { 0 }, 0 });
    add_ints(runs, "add", INTS(1));
    add_run(runs, "nothing", slice_of("\x92\x01", 2), (struct list){ { 0 }, 0 });
    add_run(runs, "no_such", slice_of("\x90", 1), (struct list){ { 0 }, 0 });
    give(self, runs, true);
    struct rec_ran ran = take(self);
    assert_int_equal(ran.outcome, OUTCOME_BAD_ARGUMENT);
    assert_text(ran.text, "task add: argument 0 is a string, read as an integer");
    ran = take(self);
    assert_int_equal(ran.outcome, OUTCOME_BAD_ARGUMENT);
    assert_text(ran.text, "task add: argument 1 is read, but there are 1");
    assert_int_equal(take(self).outcome, OUTCOME_BAD_ARGUMENT);
    assert_int_equal(take(self).outcome, OUTCOME_NO_SUCH_TASK);
}

static void failures_carry_code_and_text(void **state)
{
    struct executor *self = *state;
    struct rec_ran ran = run_one(self, "fails", INTS(42));
    assert_int_equal(ran.outcome, OUTCOME_APP_ERROR);
    assert_int_equal(ran.status, 42);
    assert_text(ran.text, "attempt 2 of 000000000000abc0: bad luck");
    assert_int_equal(run_one(self, "fails", INTS(0)).status, 1);
    ran = run_one(self, "returns_code", 0, NULL);
    assert_int_equal(ran.outcome, OUTCOME_APP_ERROR);
    assert_int_equal(ran.status, APP_CODE);
    ran = run_one(self, "nothing", 0, NULL);
    assert_int_equal(ran.outcome, OUTCOME_OK);
    assert_int_equal(ran.value.p[0], 0xC0);
}

static void output_is_located(void **state)
{
    struct executor *self = *state;
    struct runs *runs = new_runs();
    add_ints(runs, "prints", INTS(1));
    add_ints(runs, "add", INTS(1, 2));
    add_ints(runs, "prints", INTS(22));
    give(self, runs, true);
    char text[64] = "";
    struct rec_ran first = take(self);
    assert_int_equal(first.output_from, 0);
    assert_int_equal(first.output_to, 10);
    assert_int_equal(pread(self->output, text, sizeof(text), 0), 21);
    struct rec_ran silent = take(self);
    assert_int_equal(silent.output_from, silent.output_to);
    struct rec_ran last = take(self);
    assert_int_equal(last.output_from, 10);
    assert_int_equal(last.output_to, 21);
    assert_string_equal(text, "line of 1\nline of 22\n");
}

static void large_results_go_alone(void **state)
{
    struct executor *self = *state;
    struct runs *runs = new_runs();
    add_ints(runs, "add", INTS(1, 2));
    add_ints(runs, "large", INTS(CHANNEL_BUFFER + 1));
    add_ints(runs, "large", INTS(PAYLOAD_MAX - 16));
    add_ints(runs, "large", INTS(PAYLOAD_MAX));
    add_ints(runs, "add", INTS(1, 2));
    give(self, runs, true);
    assert_int_equal(take(self).value.n, 1);
    assert_int_equal(take(self).value.n, CHANNEL_BUFFER + 1 + 5);
    assert_int_equal(take(self).value.n, PAYLOAD_MAX - 16 + 5);
    struct rec_ran refused = take(self);
    assert_int_equal(refused.outcome, OUTCOME_TOO_LARGE);
    assert_int_equal(refused.value.n, 0);
    struct rec_ran last = take(self);
    assert_int_equal(last.number, 4);
    assert_int_equal(last.outcome, OUTCOME_OK);
}

/*  Blocks until the executor has printed. */
static void wait_for_output(struct executor *self)
{
    char byte;
    for (int i = 0; i < REPLY_MS_MAX && pread(self->output, &byte, 1, 0) == 0; i++) {
        poll(NULL, 0, 1);
    }
    assert_int_equal(pread(self->output, &byte, 1, 0), 1);
}

static void what_is_taken_back_never_runs(void **state)
{
    struct executor *self = *state;
    struct runs *runs = new_runs();
    add_ints(runs, "until_cancelled", 0, NULL);
    add_ints(runs, "prints", INTS(1));
    add_ints(runs, "prints", INTS(2));
    give(self, runs, true);
    wait_for_output(self);
    assert_int_equal(channel_take_back(self->page), 1);
    runs = new_runs();
    add_ints(runs, "add", INTS(20, 3));
    give(self, runs, true);
    kill(self->pid, SIGINT);
    struct rec_ran ran = take(self);
    assert_int_equal(ran.number, 0);
    assert_text(ran.text, "told to end");
    ran = take(self);
    assert_int_equal(ran.number, 3);
    assert_int_equal(ran.output_from, ran.output_to);
    assert_int_equal(ran.value.p[0], 23);
}

static void nothing_begins_before_it_is_allowed(void **state)
{
    struct executor *self = *state;
    struct runs *runs = new_runs();
    add_ints(runs, "add", INTS(1, 1));
    give(self, runs, false);
    runs = new_runs();
    add_ints(runs, "add", INTS(2, 2));
    give(self, runs, false);
    assert_int_equal(channel_begun(self->page), 0);
    channel_allow(self->page, 2);
    assert_int_equal(take(self).value.p[0], 2);
    assert_int_equal(take(self).value.p[0], 4);
}

static void the_page_keeps_what_a_dead_executor_has_done(void **state)
{
    struct executor *self = *state;
    struct runs *runs = new_runs();
    add_ints(runs, "add", INTS(1, 2));
    add_ints(runs, "add", INTS(3, 4));
    add_ints(runs, "dies", 0, NULL);
    add_ints(runs, "add", INTS(5, 6));
    give(self, runs, true);
    int status;
    assert_int_equal(waitpid(self->pid, &status, 0), self->pid);
    assert_true(WIFSIGNALED(status));
    assert_int_equal(channel_begun(self->page), 3);
    struct list kept = { slice_of(self->page->buffer, atomic_load(&self->page->used)), 2 };
    struct rec_ran ran;
    assert_true(next_ran(&kept, &ran));
    assert_int_equal(ran.value.p[0], 3);
    assert_true(next_ran(&kept, &ran));
    assert_int_equal(ran.value.p[0], 7);
    assert_int_equal(kept.bytes.n, 0);
}

int main(void)
{
    if (getenv("RAYC_EXECUTOR") != NULL) {
        rayc_init(NULL);
    }
#define TEST(name) cmocka_unit_test_setup_teardown(name, open_executor, close_executor)
    const struct CMUnitTest tests[] = {
        TEST(runs_a_batch_in_order),
        TEST(strings_and_references_are_arguments),
        TEST(several_values_are_returned),
        TEST(each_of_several_values_must_be_set),
        TEST(a_reference_is_passed_as_it_is),
        TEST(mistakes_name_the_argument),
        TEST(failures_carry_code_and_text),
        TEST(output_is_located),
        TEST(large_results_go_alone),
        TEST(what_is_taken_back_never_runs),
        TEST(nothing_begins_before_it_is_allowed),
        TEST(the_page_keeps_what_a_dead_executor_has_done),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
