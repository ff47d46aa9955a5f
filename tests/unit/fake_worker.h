/*  fake_worker.h - the worker's end of proto/channel.h, for tests of executors: starts one, hands it RUN frames, reads
    what it says. */
#ifndef RAYC_FAKE_WORKER_H
#define RAYC_FAKE_WORKER_H
#include <fcntl.h>
#include <linux/futex.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>
#include "proto/channel.h"
#include "proto/wire.h"

enum { FRAME_BYTES = 12 * MIB, REPLY_MS_MAX = 20000 };

struct executor {
    pid_t pid;
    int socket;
    int output;
    struct channel_page *page;
    uint32_t given;
    uint8_t *frame;  /* the last RAN frame */
    struct list ran; /* what is left of it */
};

/*  `program` NULL: this one, whose main() calls rayc_init() when RAYC_EXECUTOR is set. */
static inline void start_child(struct executor *self, const char *program, int socket_fd,
                               int page_fd)
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
        execl(program != NULL ? program : "/proc/self/exe", "executor", (char *)NULL);
        _exit(127);
    }
}

static inline struct executor *executor_of(const char *program)
{
    struct executor *self = calloc(1, sizeof(*self));
    int sockets[2];
    char name[] = "/tmp/rayc-serve-test-XXXXXX";
    self->output = mkostemp(name, O_APPEND | O_CLOEXEC);
    unlink(name);
    int page_fd = memfd_create("page", MFD_CLOEXEC);
    if (self->output < 0 || page_fd < 0 || ftruncate(page_fd, sizeof(*self->page)) != 0 ||
        socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sockets) != 0) {
        return NULL;
    }
    self->page = mmap(NULL, sizeof(*self->page), PROT_READ | PROT_WRITE, MAP_SHARED, page_fd, 0);
    self->socket = sockets[0];
    self->frame = malloc(FRAME_BYTES);
    start_child(self, program, sockets[1], page_fd);
    close(sockets[1]);
    close(page_fd);
    return self;
}

static inline int open_executor(void **state)
{
    *state = executor_of(NULL);
    return *state == NULL;
}

static inline int close_executor(void **state)
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
    uint32_t attempt;
    uint32_t returns; /* of those that are added from now on */
};

static inline struct runs *new_runs(void)
{
    struct runs *runs = calloc(1, sizeof(*runs));
    runs->attempt = 2;
    runs->wire = (struct wire){ runs->bytes, 0, sizeof(runs->bytes), false };
    return runs;
}

static inline void add_run(struct runs *runs, const char *name, struct slice args, struct list deps)
{
    struct rec_run run = { .task = 0xABC0 + runs->count,
                           .token = 5,
                           .attempt = runs->attempt,
                           .name = slice_text(name),
                           .args = args,
                           .deps = deps,
                           .returns = runs->returns };
    proto_put_record(&runs->wire, REC_RUN, &run);
    runs->count++;
}

/*  Writes the frame; allows its tasks to begin only if `allow`. */
static inline void give(struct executor *self, struct runs *runs, bool allow)
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

static inline void read_exactly(struct executor *self, uint8_t *p, size_t n)
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

static inline struct msg take_frame(struct executor *self)
{
    uint32_t size;
    struct msg msg;
    read_exactly(self, (uint8_t *)&size, sizeof(size));
    assert_true(size <= FRAME_BYTES);
    read_exactly(self, self->frame, size);
    assert_int_equal(proto_decode(slice_of(self->frame, size), &msg, NULL), OK);
    return msg;
}

/*  The next result, from the frame at hand or the next one. */
static inline struct rec_ran take(struct executor *self)
{
    struct rec_ran ran;
    if (!next_ran(&self->ran, &ran)) {
        struct msg msg = take_frame(self);
        assert_int_equal(msg.kind, MSG_RAN);
        self->ran = msg.as.ran.ran;
        assert_true(next_ran(&self->ran, &ran));
    }
    return ran;
}

/*  What the task that runs reports; valid until the next frame is read. */
static inline struct rec_report take_report(struct executor *self)
{
    struct rec_report report;
    struct msg msg = take_frame(self);
    assert_int_equal(msg.kind, MSG_TELL);
    assert_true(next_report(&msg.as.tell.reports, &report));
    return report;
}

static inline void answer(struct executor *self, const struct rec_report *report,
                          enum decision decision, const char *why)
{
    channel_answer(self->page, report->token, report->number, decision, slice_text(why));
    syscall(SYS_futex, &self->page->answered, FUTEX_WAKE, INT32_MAX, NULL, NULL, 0);
}

static inline void assert_text(struct slice text, const char *expected)
{
    char copy[512];
    slice_copy_text(text, copy, sizeof(copy));
    assert_string_equal(copy, expected);
}
#endif
