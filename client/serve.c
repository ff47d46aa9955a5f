/*  serve.c - a resident executor: takes tasks in order, runs them, and gathers their results in
    the shared page. The page, not the socket, says which tasks may begin, so nothing that the
    worker takes back is ever run twice. Results leave in one frame when nothing more can begin,
    or by size, or by age; the worker reads them in the page if this process dies before. */
#include "client/serve.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <stdio_ext.h>
#include <linux/futex.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>
#include "client/actor.h"
#include "client/actor_threads.h"
#include "client/failure.h"
#include "client/nested.h"
#include "client/task.h"
#include "common/clock.h"
#include "proto/channel.h"

enum {
    FUNCTIONS_MAX = 1024,
    SIZE_BYTES = 4,          /* before each frame */
    READ_BYTES = 256 * 1024, /* asked of the socket at once */
    RAN_BYTES = 128,         /* of a RAN record without value and text */
    REPORT_BYTES = 128,      /* of a REPORT record without texts */
    ASK_BYTES = 64,
    TICKET_MS_MAX = 30 * 1000, /* that a worker takes to make a ticket */
    FLUSH_BYTES = 32 * 1024,
    FLUSH_US = 1000,
    YIELDS_MAX = 100 /* while the worker is about to raise the limit */
};

struct server {
    pthread_mutex_t lock; /* of what is sent: threads of a task say that they wait */
    struct channel_page *page;
    struct wire results; /* over page->buffer */
    uint32_t result_count;
    uint64_t oldest_us; /* when the first of them came */
    uint32_t next;      /* number of the next record of the RUN frames */
    uint32_t claimed;   /* number that may run, taken from the page; NONE: no number */
    uint64_t now_us;
    uint64_t wall_us; /* add to a monotonic time to get that of the wall */
    uint64_t output;  /* bytes in the output file */
    struct {
        uint8_t *p;
        size_t from, to, capacity;
    } in;
    struct wire out; /* a frame with its size in front; grows */
    uint32_t waits;  /* threads of the task that wait for other tasks */
    _Atomic uint64_t running_task, running_token;
    struct rayc_task task;
    bool threads;           /* an actor with threads: its calls end on them */
    _Atomic uint64_t actor; /* its task, if it has no threads */
};

static const rayc_function *functions[FUNCTIONS_MAX];
static size_t functions_used;
static struct server server = { .lock = PTHREAD_MUTEX_INITIALIZER }; /* also the signal handler's */

/* --- functions -------------------------------------------------------------------------------- */

void rayc_register_(const rayc_function *function)
{
    ensure(functions_used < FUNCTIONS_MAX);
    functions[functions_used++] = function;
}

size_t function_count(void)
{
    return functions_used + class_count();
}

static bool is_named(const rayc_function *function, struct slice name)
{
    return strncmp(function->name, (const char *)name.p, name.n) == 0 &&
           function->name[name.n] == 0;
}

const rayc_function *function_find(struct slice name)
{
    static size_t last; /* the same one is asked for again and again */
    if (last < functions_used && is_named(functions[last], name)) {
        return functions[last];
    }
    for (size_t i = 0; i < functions_used; i++) {
        if (is_named(functions[i], name)) {
            last = i;
            return functions[i];
        }
    }
    return NULL;
}

/* --- results ---------------------------------------------------------------------------------- */

static void send_all(const uint8_t *p, size_t n)
{
    while (n > 0) {
        ssize_t sent = send(CHANNEL_FD, p, n, MSG_NOSIGNAL);
        if (sent >= 0) {
            p += sent;
            n -= (size_t)sent;
        } else if (errno != EINTR) {
            exit(0); /* the worker is gone */
        }
    }
}

/*  `bytes` bounds the encoded message. */
static void send_message(struct server *self, enum msg_kind kind, const void *msg, size_t bytes)
{
    size_t needed = SIZE_BYTES + bytes;
    if (needed > self->out.capacity) {
        uint8_t *p = realloc(self->out.p, needed);
        ensure(p != NULL);
        self->out.p = p;
        self->out.capacity = needed;
    }
    self->out.n = SIZE_BYTES;
    proto_put(&self->out, kind, msg);
    ensure(!self->out.full);
    uint32_t size = (uint32_t)(self->out.n - SIZE_BYTES);
    for (unsigned i = 0; i < SIZE_BYTES; i++) {
        self->out.p[i] = (uint8_t)(size >> 8 * i);
    }
    send_all(self->out.p, self->out.n);
}

static void send_records(struct server *self, const struct wire *records, uint32_t count)
{
    struct msg_ran msg = { .ran = wire_list(records, count) };
    send_message(self, MSG_RAN, &msg, RAN_BYTES + records->n);
}

/*  Under the lock.  `used` falls before `generation` moves: whoever reads the new generation cannot see the old
    bytes as valid. */
static void flush_results(struct server *self)
{
    if (self->result_count == 0) {
        return;
    }
    send_records(self, &self->results, self->result_count);
    self->results.n = 0;
    self->result_count = 0;
    atomic_store(&self->page->used, 0);
    atomic_fetch_add(&self->page->generation, 1);
}

static void flush(struct server *self)
{
    pthread_mutex_lock(&self->lock);
    flush_results(self);
    pthread_mutex_unlock(&self->lock);
}

/*  A result that is larger than the page goes by itself. */
static void send_large(struct server *self, const struct rec_ran *ran, size_t bytes)
{
    struct wire record = { malloc(bytes), 0, bytes, false };
    ensure(record.p != NULL);
    proto_put_record(&record, REC_RAN, ran);
    ensure(!record.full);
    send_records(self, &record, 1);
    free(record.p);
}

/*  Under the lock. */
static void report(struct server *self, const struct rec_ran *ran)
{
    size_t bytes = RAN_BYTES + ran->value.n + ran->text.n + ran->sealed.bytes.n + ran->checkpoint.n;
    if (bytes > self->results.capacity - self->results.n) {
        flush_results(self);
    }
    if (bytes > self->results.capacity) {
        send_large(self, ran, bytes);
        return;
    }
    if (self->result_count++ == 0) {
        self->oldest_us = self->now_us;
    }
    proto_put_record(&self->results, REC_RAN, ran);
    ensure(!self->results.full);
    atomic_store_explicit(&self->page->used, (uint32_t)self->results.n, memory_order_release);
    if (self->results.n > FLUSH_BYTES || self->now_us - self->oldest_us > FLUSH_US) {
        flush_results(self);
    }
}

struct channel_page *serve_page(void)
{
    return server.page;
}

void serve_tell(const struct rec_report *report)
{
    uint8_t bytes[REPORT_BYTES + PATH_BYTES_MAX + METRICS_MAX];
    struct wire record = { bytes, 0, sizeof(bytes), false };
    proto_put_record(&record, REC_REPORT, report);
    ensure(!record.full);
    struct msg_tell msg = { .reports = wire_list(&record, 1) };
    pthread_mutex_lock(&server.lock);
    flush_results(&server); /* nobody waits for earlier results while this task does */
    send_message(&server, MSG_TELL, &msg, REPORT_BYTES + record.n);
    pthread_mutex_unlock(&server.lock);
}

/* --- what a task needs of its worker ---------------------------------------------------------- */

uint64_t serve_running(uint64_t *task)
{
    if (task != NULL) {
        *task = atomic_load(&server.running_task);
    }
    return atomic_load(&server.running_token);
}

/*  Under the lock.  What has ended goes first: others may wait for it while this task does. */
static void ask(enum need what, uint64_t task, uint64_t token)
{
    struct msg_ask msg = { .task = task, .token = token, .what = what };
    flush_results(&server);
    send_message(&server, MSG_ASK, &msg, ASK_BYTES);
}

int serve_ticket(uint64_t task, uint64_t token, char *out)
{
    struct channel_page *page = server.page;
    uint64_t until_ms = clock_ms() + TICKET_MS_MAX;
    atomic_store(&page->ticket_for, 0);
    pthread_mutex_lock(&server.lock);
    ask(NEED_TICKET, task, token);
    pthread_mutex_unlock(&server.lock);
    while (atomic_load(&page->ticket_for) != (uint32_t)token) {
        const struct timespec look = { .tv_nsec = 50 * 1000 * 1000 };
        uint32_t seen = atomic_load(&page->ticket_for);
        if (clock_ms() >= until_ms) {
            return failure_say(RAYC_ESYSTEM, "the worker has given this task no ticket");
        }
        if (seen != (uint32_t)token) {
            (void)syscall(SYS_futex, &page->ticket_for, FUTEX_WAIT, seen, &look, NULL, 0);
        }
    }
    memcpy(out, page->ticket, CHANNEL_TICKET);
    out[CHANNEL_TICKET - 1] = 0;
    return RAYC_OK;
}

void serve_waits(enum need how)
{
    pthread_mutex_lock(&server.lock);
    if (server.task.run.kind != SPEC_ACTOR && server.task.run.kind != SPEC_METHOD &&
        server.waits++ == 0) { /* an actor keeps what it holds */
        ask(how, server.running_task, server.running_token);
    }
    pthread_mutex_unlock(&server.lock);
}

void serve_goes_on(void)
{
    pthread_mutex_lock(&server.lock);
    if (server.waits > 0 && --server.waits == 0) {
        ask(NEED_NOTHING, server.running_task, server.running_token);
    }
    pthread_mutex_unlock(&server.lock);
}

uint64_t serve_actor(void)
{
    return server.actor;
}

bool serve_cancelled(void)
{
    return server.task.cancelled != 0;
}

/* --- one task --------------------------------------------------------------------------------- */

/*  Where the output ends, also of what was written past stdio. */
static uint64_t output_end(void)
{
    if (__fpending(stdout) > 0) {
        fflush(stdout);
    }
    off_t at = lseek(STDOUT_FILENO, 0, SEEK_CUR);
    return at > 0 ? (uint64_t)at : 0;
}

static void run_function(struct rayc_task *task)
{
    if (task->run.kind == SPEC_ACTOR || task->run.kind == SPEC_METHOD) {
        actor_run(task);
        return;
    }
    const rayc_function *function = function_find(task->run.name);
    if (function == NULL) {
        task_mistake(task, OUTCOME_NO_SUCH_TASK, 0, "RAYC_TASK(%.*s): is it the same build?",
                     (int)task->run.name.n, (const char *)task->run.name.p);
        return;
    }
    if (task->outcome == OUTCOME_OK) {
        task_end(task, function->run(task));
    }
}

/*  What is to be told of a task that has run. */
static void put_end(const struct rayc_task *task, struct rec_ran *ran)
{
    ran->outcome = task->outcome;
    ran->status = task->status;
    if (task->outcome == OUTCOME_OK) {
        ran->value = task->result;
        ran->sealed = sealing_list(&task->sealing);
        ran->checkpoint = slice_of(task->saved.p, task->saved.n);
    }
    ran->text = slice_of(task->text, task->text_bytes);
}

/*  The actor that this process is ends in order. */
static _Noreturn void leave(struct server *self)
{
    flush(self);
    actor_destroy();
    fflush(stdout);
    exit(0);
}

/*  One call of an actor with threads, on one of them. */
static void run_call(struct rayc_task *task, const struct rec_run *run, uint32_t number)
{
    struct server *self = &server;
    uint64_t started_us = clock_us();
    struct rec_ran ran = { .number = number, .started_ms = clock_wall_ms() };
    task_begin(task, run);
    actor_run(task);
    nested_keep();
    fflush(stdout);
    ran.run_us = clock_us() - started_us;
    put_end(task, &ran);
    if (actor_exits(task)) {
        actor_threads_stop();
        leave(self);
    }
    pthread_mutex_lock(&self->lock);
    report(self, &ran);
    flush_results(self);
    pthread_mutex_unlock(&self->lock);
    task_unmap(task);
}

/*  Of an actor, its own attempt is what asks for tickets and sessions, as long as it lives. */
static void runs(struct server *self, const struct rec_run *run)
{
    if (run->kind != SPEC_METHOD) {
        atomic_store(&self->running_task, run->task);
        atomic_store(&self->running_token, run->token);
    }
}

static void ran_one(struct server *self, const struct rec_run *run)
{
    if (run->kind != SPEC_METHOD && run->kind != SPEC_ACTOR) {
        nested_settle();
        atomic_store(&self->running_token, 0);
    } else {
        nested_keep();
    }
}

static void run_task(struct server *self, const struct rec_run *run, uint32_t number)
{
    struct rayc_task *task = &self->task;
    struct rec_ran ran = { .number = number,
                           .started_ms = (self->now_us + self->wall_us) / 1000,
                           .output_from = self->output };
    uint64_t started_us = self->now_us;
    task_begin(task, run);
    runs(self, run);
    run_function(task);
    ran_one(self, run);
    self->now_us = clock_us();
    self->output = output_end();
    ran.run_us = self->now_us - started_us;
    ran.output_to = self->output;
    put_end(task, &ran);
    pthread_mutex_lock(&self->lock);
    self->waits = 0;
    if (!actor_exits(task)) {
        report(self, &ran);
    }
    pthread_mutex_unlock(&self->lock);
    task_unmap(task);
    if (actor_ends()) {
        leave(self);
    }
    if (run->kind == SPEC_ACTOR) {
        flush(self); /* it is waited for, and its threads report for themselves */
        self->threads = actor_threads_open(run, self->page, run_call);
        self->actor = self->threads ? 0 : run->task;
    }
}

static void on_interrupt(int signal)
{
    (void)signal;
    server.task.cancelled = 1;
}

/* --- the order of work ------------------------------------------------------------------------ */

static void take_time(struct server *self)
{
    self->now_us = clock_us();
}

/*  May the record of this number run?  False: it was taken back.  The limit follows the frame:
    when the worker has not raised it yet, it is about to. */
static bool may_begin(struct server *self, uint32_t number)
{
    for (unsigned tries = 0; self->claimed == NONE; tries++) {
        self->claimed = channel_claim(self->page);
        if (self->claimed != NONE) {
            break;
        }
        if (channel_begun(self->page) > number) {
            return false;
        }
        flush(self);
        if (tries < YIELDS_MAX) {
            sched_yield();
        } else {
            struct pollfd closed = { CHANNEL_FD, 0, 0 };
            if (poll(&closed, 1, 1) > 0) {
                exit(0); /* POLLHUP */
            }
        }
        take_time(self);
    }
    if (self->claimed != number) {
        ensure(self->claimed > number);
        return false;
    }
    self->claimed = NONE;
    return true;
}

static void on_run(struct server *self, struct msg_run *msg)
{
    struct rec_run run;
    while (next_run(&msg->runs, &run)) {
        uint32_t number = self->next++;
        if (!may_begin(self, number)) {
            continue;
        }
        bool terminates = self->threads && slice_same(run.name, slice_text(TERMINATE));
        if (self->threads && !terminates) {
            actor_threads_add(&run, number);
            continue;
        }
        if (terminates) {
            actor_threads_drain();
        }
        run_task(self, &run, number);
    }
}

/*  Makes room and reads more.  Ends the process when there will be no more. */
static void read_more(struct server *self, size_t wanted)
{
    size_t have = self->in.to - self->in.from;
    if (self->in.from > 0) {
        memmove(self->in.p, self->in.p + self->in.from, have);
        self->in.from = 0;
        self->in.to = have;
    }
    size_t capacity = wanted > READ_BYTES ? wanted : READ_BYTES;
    if (capacity > self->in.capacity) {
        self->in.p = realloc(self->in.p, capacity);
        ensure(self->in.p != NULL);
        self->in.capacity = capacity;
    }
    ssize_t n = read(CHANNEL_FD, self->in.p + have, self->in.capacity - have);
    if (n > 0) {
        self->in.to += (size_t)n;
    } else if (n == 0 || errno != EINTR) {
        exit(0);
    }
}

static struct slice read_frame(struct server *self)
{
    size_t wanted = SIZE_BYTES;
    for (;;) {
        size_t have = self->in.to - self->in.from;
        if (have >= SIZE_BYTES) {
            const uint8_t *p = self->in.p + self->in.from;
            size_t size = p[0] | (size_t)p[1] << 8 | (size_t)p[2] << 16 | (size_t)p[3] << 24;
            ensure(size <= FRAME_MAX);
            wanted = SIZE_BYTES + size;
            if (have >= wanted) {
                self->in.from += wanted;
                return slice_of(p + SIZE_BYTES, size);
            }
        }
        read_more(self, wanted);
    }
}

static void open_page(struct server *self)
{
    void *page =
        mmap(NULL, sizeof(*self->page), PROT_READ | PROT_WRITE, MAP_SHARED, CHANNEL_PAGE_FD, 0);
    if (page == MAP_FAILED) {
        fprintf(stderr, "rayc: RAYC_EXECUTOR is set, but no worker started this program: %s\n",
                strerror(errno));
        exit(125);
    }
    close(CHANNEL_PAGE_FD);
    self->page = page;
    self->results = (struct wire){ self->page->buffer, 0, CHANNEL_BUFFER, false };
}

void serve_tasks(void)
{
    struct server *self = &server;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    unsetenv("RAYC_EXECUTOR"); /* a program that a task starts is no executor */
    fcntl(CHANNEL_FD, F_SETFD, FD_CLOEXEC);
    open_page(self);
    nested_prepare();
    struct sigaction action = { .sa_handler = on_interrupt, .sa_flags = SA_RESTART };
    sigaction(SIGINT, &action, NULL);
    self->claimed = NONE;
    self->output = output_end();
    for (;;) {
        if (self->claimed == NONE) {
            self->claimed = channel_claim(self->page);
        }
        if (self->claimed == NONE) {
            flush(self);
        }
        struct slice frame = read_frame(self);
        struct msg msg;
        struct diag why = { 0 };
        if (proto_decode(frame, &msg, &why) != OK || msg.kind != MSG_RUN) {
            fprintf(stderr, "rayc: the worker sent what an executor cannot read: %s\n", why.text);
            exit(125);
        }
        take_time(self);
        self->wall_us = clock_wall_ms() * 1000 - self->now_us;
        on_run(self, &msg.as.run);
    }
}
