/*  actor_serve_test.c - an actor's executor, seen by a worker: constructor, methods, threads, groups, and both ends. */
#include <sched.h>
#include "client/rayc.h"
#include "tests/unit/fake_worker.h"

struct counter {
    int64_t n;
    int restarted;
};

RAYC_ACTOR(counter, call, self)
{
    const rayc_value *saved = rayc_actor_saved(call);
    self->n = saved != NULL ? saved->as.i : rayc_arg_int(call, 0);
    self->restarted = rayc_was_restarted(call);
    return self->n < 0 ? rayc_fail(call, 9, "it counts from 0 on") : 0;
}

RAYC_DESTRUCTOR(counter, self)
{
    printf("destroyed at %d\n", (int)self->n);
}

RAYC_METHOD(counter, add, call, self)
{
    self->n += rayc_arg_int(call, 0);
    rayc_actor_save(call, rayc_int(self->n));
    return rayc_return(call, rayc_int(self->n));
}

RAYC_METHOD(counter, fails, call, self)
{
    rayc_actor_save(call, rayc_int(self->n));
    return rayc_fail(call, 3, "no");
}

RAYC_METHOD(counter, restarted, call, self)
{
    return rayc_return(call, rayc_int(self->restarted && rayc_was_restarted(call)));
}

RAYC_METHOD(counter, leave, call, self)
{
    (void)self;
    return rayc_exit_actor(call);
}

/*  Its destructor does not end by itself. */
struct hanging {
    char none;
};

RAYC_ACTOR(hanging, call, self)
{
    (void)call;
    self->none = 0;
    return 0;
}

RAYC_DESTRUCTOR(hanging, self)
{
    (void)self;
    dprintf(STDOUT_FILENO, "it has %u s\n", alarm(0));
    raise(SIGALRM);
    dprintf(STDOUT_FILENO, "and more\n");
}

/*  Waits until another call says that it may end. */
struct gate {
    _Atomic int open;
};

RAYC_ACTOR(gate, call, self)
{
    (void)call;
    (void)self;
    return 0;
}

RAYC_METHOD(gate, wait, call, self)
{
    while (!self->open) {
        sched_yield();
    }
    return rayc_return(call, rayc_int(1));
}

RAYC_METHOD(gate, open, call, self)
{
    self->open = 1;
    return rayc_return(call, rayc_int(2));
}

RAYC_TASK(saves, task)
{
    return rayc_actor_save(task, rayc_int(1));
}

/* --- helpers ---------------------------------------------------------------------------------- */

static void add(struct runs *runs, const struct rec_run *run, int64_t argument)
{
    uint8_t bytes[16];
    struct wire args = { bytes, 0, sizeof(bytes), false };
    wire_put_array(&args, 1);
    wire_put_int(&args, argument);
    struct rec_run whole = *run;
    whole.task = 0xABC0 + runs->count;
    whole.args = slice_of(args.p, args.n);
    proto_put_record(&runs->wire, REC_RUN, &whole);
    runs->count++;
}

static struct rec_run method(const char *name)
{
    return (struct rec_run){ .kind = SPEC_METHOD, .attempt = 1, .name = slice_text(name) };
}

static struct rec_ran run_one(struct executor *self, struct rec_run run, int64_t argument)
{
    struct runs *runs = new_runs();
    add(runs, &run, argument);
    give(self, runs, true);
    return take(self);
}

static struct rec_ran construct(struct executor *self, const char *class, int64_t argument)
{
    struct rec_run run = { .kind = SPEC_ACTOR, .attempt = 1, .name = slice_text(class) };
    return run_one(self, run, argument);
}

static int64_t int_of(struct rec_ran ran)
{
    struct cursor in = cursor_of(ran.value);
    int64_t value = -1;
    assert_int_equal(ran.outcome, OUTCOME_OK);
    assert_true(wire_get_int(&in, &value));
    return value;
}

/*  Its process has ended in order, and this is the last that it printed. */
static void assert_ended(struct executor *self, const char *printed)
{
    struct pollfd closed = { self->socket, POLLIN, 0 };
    char text[128] = "";
    assert_int_equal(poll(&closed, 1, REPLY_MS_MAX), 1);
    assert_int_equal(recv(self->socket, text, 1, 0), 0);
    assert_true(pread(self->output, text, sizeof(text) - 1, 0) >= 0);
    assert_string_equal(text, printed);
}

/* --- tests ------------------------------------------------------------------------------------ */

static void test_state(void **state)
{
    struct executor *self = *state;
    assert_int_equal(construct(self, "counter", 5).outcome, OUTCOME_OK);
    struct rec_ran ran = run_one(self, method("counter.add"), 2);
    assert_int_equal(int_of(ran), 7);
    assert_int_equal(ran.checkpoint.n, 1);
    ran = run_one(self, method("counter.fails"), 0);
    assert_int_equal(ran.outcome, OUTCOME_APP_ERROR);
    assert_int_equal(ran.checkpoint.n, 0); /* committed with a result, or not at all */
    assert_int_equal(int_of(run_one(self, method("counter.add"), 1)), 8);
    assert_int_equal(int_of(run_one(self, method("counter.restarted"), 0)), 0);
    ran = run_one(self, method("counter.nothing"), 0);
    assert_int_equal(ran.outcome, OUTCOME_NO_SUCH_TASK);
    assert_text(ran.text, "the actor is a counter, which has no method counter.nothing");
    ran = run_one(self, method("gate.open"), 0); /* another class's */
    assert_int_equal(ran.outcome, OUTCOME_NO_SUCH_TASK);
}

static void test_constructor_fails(void **state)
{
    struct rec_ran ran = construct(*state, "counter", -1);
    assert_int_equal(ran.outcome, OUTCOME_APP_ERROR);
    assert_int_equal(ran.status, 9);
    assert_text(ran.text, "it counts from 0 on");
}

static void test_no_class(void **state)
{
    struct rec_ran ran = construct(*state, "teapot", 0);
    assert_int_equal(ran.outcome, OUTCOME_NO_SUCH_TASK);
    assert_text(ran.text, "the program has no RAYC_ACTOR(teapot): is it the same build?");
}

static void test_restart(void **state)
{
    struct executor *self = *state;
    uint8_t saved[] = { 42 };
    struct rec_run again = { .kind = SPEC_ACTOR,
                             .attempt = 2,
                             .name = slice_text("counter"),
                             .checkpoint = slice_of(saved, sizeof(saved)) };
    assert_int_equal(run_one(self, again, 5).outcome, OUTCOME_OK);
    assert_int_equal(int_of(run_one(self, method("counter.add"), 1)), 43);
    assert_int_equal(int_of(run_one(self, method("counter.restarted"), 0)), 1);
}

/*  The destructor runs, then its end is told; what comes after it has not begun. */
static void test_terminate(void **state)
{
    struct executor *self = *state;
    construct(self, "counter", 5);
    struct rec_run end = method("__ray_terminate__"), later = method("counter.add");
    struct runs *runs = new_runs();
    add(runs, &later, 1);
    add(runs, &end, 0);
    add(runs, &later, 1);
    give(self, runs, true);
    assert_int_equal(int_of(take(self)), 6);
    struct rec_ran ran = take(self);
    assert_int_equal(ran.number, 2);
    assert_int_equal(ran.outcome, OUTCOME_OK);
    assert_int_equal(channel_begun(self->page), 3);
    assert_ended(self, "destroyed at 6\n");
}

static void test_hanging(void **state)
{
    struct executor *self = *state;
    siginfo_t how = { 0 };
    construct(self, "hanging", 0);
    struct rec_run end = method("__ray_terminate__");
    struct runs *runs = new_runs();
    add(runs, &end, 0);
    give(self, runs, true);
    assert_ended(self, "it has 30 s\n");
    assert_int_equal(waitid(P_PID, (id_t)self->pid, &how, WEXITED | WNOWAIT), 0);
    assert_true(how.si_code == CLD_EXITED && how.si_status == 0);
}

static void test_exit(void **state)
{
    struct executor *self = *state;
    construct(self, "counter", 5);
    struct rec_run leave = method("counter.leave");
    struct runs *runs = new_runs();
    add(runs, &leave, 0);
    give(self, runs, true);
    assert_ended(self, "destroyed at 5\n"); /* nobody hears of the call */
}

static void open_gate(struct executor *self, uint32_t concurrency, const char *groups)
{
    struct rec_run run = { .kind = SPEC_ACTOR,
                           .attempt = 1,
                           .name = slice_text("gate"),
                           .concurrency = concurrency,
                           .groups = slice_text(groups) };
    assert_int_equal(run_one(self, run, 0).outcome, OUTCOME_OK);
}

static void test_threads(void **state)
{
    struct executor *self = *state;
    open_gate(self, 3, "");
    struct rec_run wait = method("gate.wait"), open = method("gate.open");
    struct runs *runs = new_runs();
    add(runs, &wait, 0);
    add(runs, &wait, 0);
    add(runs, &open, 0);
    give(self, runs, true);
    struct rec_ran ran = take(self); /* in any order; the waiting ones may overtake it by now */
    uint32_t seen = 1u << ran.number;
    for (int i = 0; i < 2; i++) {
        ran = take(self);
        assert_int_equal(int_of(ran), ran.number == 3 ? 2 : 1);
        seen |= 1u << ran.number;
    }
    assert_int_equal(seen, 1 << 1 | 1 << 2 | 1 << 3);
    assert_int_equal(atomic_load(&self->page->begun[0]), 1 << 1 | 1 << 2 | 1 << 3);
}

/*  A group that is blocked holds up no other; what waits in it has not begun. */
static void test_groups(void **state)
{
    struct executor *self = *state;
    open_gate(self, 1, "io=1\nother=2");
    struct rec_run wait = method("gate.wait"), open = method("gate.open");
    wait.group = slice_text("io");
    struct runs *runs = new_runs();
    add(runs, &wait, 0);
    add(runs, &wait, 0);
    give(self, runs, true);
    while (atomic_load(&self->page->begun[0]) != 1 << 1) {
        sched_yield();
    }
    assert_int_equal(int_of(run_one(self, open, 0)), 2);
    assert_int_equal(take(self).number, 1);
    assert_int_equal(take(self).number, 2);
    struct rec_run nowhere = method("gate.open");
    nowhere.group = slice_text("nowhere");
    struct rec_ran ran = run_one(self, nowhere, 0);
    assert_int_equal(ran.outcome, OUTCOME_APP_ERROR);
    assert_text(ran.text, "the actor has no concurrency group 'nowhere'");
}

static void test_not_an_actor(void **state)
{
    struct rec_run run = { .attempt = 1, .name = slice_text("saves") };
    struct rec_ran ran = run_one(*state, run, 0);
    assert_int_equal(ran.outcome, OUTCOME_BAD_ARGUMENT);
    assert_text(ran.text, "task saves: rayc_actor_save() is for methods of actors");
}

int main(void)
{
    if (getenv("RAYC_EXECUTOR") != NULL) {
        rayc_init(NULL);
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_state, open_executor, close_executor),
        cmocka_unit_test_setup_teardown(test_constructor_fails, open_executor, close_executor),
        cmocka_unit_test_setup_teardown(test_no_class, open_executor, close_executor),
        cmocka_unit_test_setup_teardown(test_restart, open_executor, close_executor),
        cmocka_unit_test_setup_teardown(test_terminate, open_executor, close_executor),
        cmocka_unit_test_setup_teardown(test_hanging, open_executor, close_executor),
        cmocka_unit_test_setup_teardown(test_exit, open_executor, close_executor),
        cmocka_unit_test_setup_teardown(test_threads, open_executor, close_executor),
        cmocka_unit_test_setup_teardown(test_groups, open_executor, close_executor),
        cmocka_unit_test_setup_teardown(test_not_an_actor, open_executor, close_executor),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
