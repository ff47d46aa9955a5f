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
#include "proto/channel.h"
#include "proto/wire.h"

enum { APP_CODE = 7, FRAME_BYTES = 12 * MIB, REPLY_MS_MAX = 20000 };

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

/* --- a worker --------------------------------------------------------------------------------- */

struct executor {
    pid_t pid;
    int socket;
    int output;
    struct channel_page *page;
    uint32_t given;
    uint8_t *frame;  /* the last RAN frame */
    struct list ran; /* what is left of it */
};

static void start_child(struct executor *self, int socket_fd, int page_fd)
{
    self->pid = fork();
    assert_true(self->pid >= 0);
    if (self->pid == 0) {
        int moved[] = { fcntl(socket_fd, F_DUPFD, 10), fcntl(page_fd, F_DUPFD, 10),
                        fcntl(self->output, F_DUPFD, 10) };
        dup2(moved[2], STDOUT_FILENO);
        dup2(moved[2], STDERR_FILENO);
        dup2(moved[0], CHANNEL_FD);
        dup2(moved[1], CHANNEL_PAGE_FD);
        close_range(CHANNEL_PAGE_FD + 1, ~0u, 0);
        setenv("RAYC_EXECUTOR", "1", 1);
        execl("/proc/self/exe", "executor", (char *)NULL);
        _exit(127);
    }
}

static int open_executor(void **state)
{
    struct executor *self = calloc(1, sizeof(*self));
    int sockets[2];
    char name[] = "/tmp/rayc-serve-test-XXXXXX";
    self->output = mkostemp(name, O_APPEND | O_CLOEXEC);
    unlink(name);
    int page_fd = memfd_create("page", MFD_CLOEXEC);
    if (self->output < 0 || page_fd < 0 || ftruncate(page_fd, sizeof(*self->page)) != 0 ||
        socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sockets) != 0) {
        return -1;
    }
    self->page = mmap(NULL, sizeof(*self->page), PROT_READ | PROT_WRITE, MAP_SHARED, page_fd, 0);
    self->socket = sockets[0];
    self->frame = malloc(FRAME_BYTES);
    start_child(self, sockets[1], page_fd);
    close(sockets[1]);
    close(page_fd);
    *state = self;
    return 0;
}

static int close_executor(void **state)
{
    struct executor *self = *state;
    int status = 0;
    close(self->socket);
    waitpid(self->pid, &status, 0);
    munmap(self->page, sizeof(*self->page));
    close(self->output);
    free(self->frame);
    free(self);
    return WIFEXITED(status) &&
           WEXITSTATUS(status) != 0; /* it ends by itself when the socket closes */
}

/*  Runs being gathered for one frame. */
struct runs {
    uint8_t bytes[64 * 1024];
    struct wire wire;
    uint32_t count;
};

static struct runs *new_runs(void)
{
    struct runs *runs = calloc(1, sizeof(*runs));
    runs->wire = (struct wire){ runs->bytes, 0, sizeof(runs->bytes), false };
    return runs;
}

static void add_run(struct runs *runs, const char *name, struct slice args, struct list deps)
{
    struct rec_run run = { .task = 0xABC0 + runs->count,
                           .token = 5,
                           .attempt = 2,
                           .name = slice_text(name),
                           .args = args,
                           .deps = deps };
    proto_put_record(&runs->wire, REC_RUN, &run);
    runs->count++;
}

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

/*  Writes the frame; allows its tasks to begin only if `allow`. */
static void give(struct executor *self, struct runs *runs, bool allow)
{
    struct msg_run msg = { .runs = wire_list(&runs->wire, runs->count) };
    uint8_t bytes[sizeof(runs->bytes) + 64];
    struct wire frame = { bytes, 4, sizeof(bytes), false };
    assert_false(runs->wire.full);
    proto_put(&frame, MSG_RUN, &msg);
    uint32_t size = (uint32_t)(frame.n - 4);
    memcpy(bytes, &size, sizeof(size));
    assert_int_equal(send(self->socket, bytes, frame.n, MSG_NOSIGNAL), (ssize_t)frame.n);
    self->given += runs->count;
    if (allow) {
        channel_allow(self->page, self->given);
    }
    free(runs);
}

static void read_exactly(struct executor *self, uint8_t *p, size_t n)
{
    while (n > 0) {
        struct pollfd ready = { self->socket, POLLIN, 0 };
        assert_int_equal(poll(&ready, 1, REPLY_MS_MAX), 1);
        ssize_t got = read(self->socket, p, n);
        assert_true(got > 0);
        p += got;
        n -= (size_t)got;
    }
}

/*  The next result, from the frame at hand or the next one. */
static struct rec_ran take(struct executor *self)
{
    struct rec_ran ran;
    if (!next_ran(&self->ran, &ran)) {
        uint32_t size;
        struct msg msg;
        read_exactly(self, (uint8_t *)&size, sizeof(size));
        assert_true(size <= FRAME_BYTES);
        read_exactly(self, self->frame, size);
        assert_int_equal(proto_decode(slice_of(self->frame, size), &msg, NULL), OK);
        assert_int_equal(msg.kind, MSG_RAN);
        self->ran = msg.as.ran.ran;
        assert_true(next_ran(&self->ran, &ran));
    }
    return ran;
}

static struct rec_ran run_one(struct executor *self, const char *name, uint32_t count,
                              const int64_t *values)
{
    struct runs *runs = new_runs();
    add_ints(runs, name, count, values);
    give(self, runs, true);
    return take(self);
}

static void assert_text(struct slice text, const char *expected)
{
    char copy[512];
    slice_copy_text(text, copy, sizeof(copy));
    assert_string_equal(copy, expected);
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
