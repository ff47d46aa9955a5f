/*  executor.c - the life of executors: what their sockets, the spawner and time say becomes events, one by one.

    An executor that has something to tell is in `busy`.  tell_*() take one event of it, in this order: it started,
    tasks it ran, what it never began, its end.  Its end is told last of all, when socket and page are empty and,
    of a driver, when all that it printed has gone to the head. */
#include "worker/executor.h"
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <unistd.h>
#include "common/clock.h"
#include "common/file.h"
#include "common/hash.h"
#include "common/log.h"
#include "worker/executor_state.h"

enum {
    PEEK_MS = 5, /* a resident executor that works and is silent for so long is looked at */
    PEEK_MS_MAX = 40,
    RUN_FRAME_BYTES = 1 * MIB, /* a RUN frame is not joined beyond this */
    RUN_RECORD_OVERHEAD = 512, /* all but args and deps, at most */
    EVENT_BYTES = 2 * OUTPUT_MAX + 2 * OUTPUT_MAX + COMMAND_VALUE_OVERHEAD +
                  2 * TEXT_MAX /* of arena, at most */
};
_Static_assert((int)EVENT_BYTES < (int)ARENA_BYTES, "an event fits an empty arena");

int executors_open(struct executors **out, const struct executors_config *config)
{
    *out = NULL;
    if (strlen(config->dir) + 64 > PATH_BYTES) {
        return ERR_TOO_LARGE;
    }
    struct executors *self = calloc(1, sizeof(*self));
    if (!self) {
        return ERR_MEMORY;
    }
    self->config = *config;
    self->all = reserve_memory(config->capacity * sizeof(*self->all));
    self->busy = reserve_memory(config->capacity * sizeof(*self->busy));
    self->lenders = reserve_memory(config->capacity * sizeof(*self->lenders));
    self->peek_due_ms = UINT64_MAX;
    random_bytes(&self->mark, sizeof(self->mark));
    self->mark |= 1ull << 63; /* so it will not be 0 */
    environment_inherit(&self->base, (const char *const *)(void *)environ,
                        config->confine->as_user);
    arena_init(&self->arena);
    encoder_init(&self->runs);
    self->runs_to = NONE;
    char scratch[PATH_BYTES];
    int e = file_path(scratch, sizeof(scratch), config->dir, "scratch");
    e = e ? e : scratch_open(&self->scratch, scratch, config->capacity);
    if (e) {
        executors_close(&self);
    }
    *out = self;
    return e;
}

static void release(struct executors *all, struct executor *self)
{
    asks_drop(all->config.asks, (uint32_t)(self - all->all));
    samples_end(all->config.samples, self->samples, all->now_ms);
    resident_close(&self->resident);
    if (self->kind == SPEC_DRIVER) {
        output_close(&self->out, false);
    } else {
        all->live_count--;
    }
    if (self->streams) {
        output_close(&self->out, true);
        output_close(&self->err, true);
    }
    secrets_close(&self->secrets);
    scratch_give(all->scratch, (uint32_t)(self - all->all));
    self->live = false;
}

void executors_close(struct executors **self_p)
{
    struct executors *self = *self_p;
    if (!self) {
        return;
    }
    for (uint32_t i = 0; i < self->high; i++) {
        struct executor *executor = &self->all[i];
        if (executor->live) {
            release(self, executor);
        }
        if (executor->made) {
            output_close(&executor->out, true);
            output_close(&executor->err, true);
        }
    }
    scratch_close(&self->scratch);
    munmap(self->all, self->config.capacity * sizeof(*self->all));
    munmap(self->busy, self->config.capacity * sizeof(*self->busy));
    munmap(self->lenders, self->config.capacity * sizeof(*self->lenders));
    environment_fini(&self->base);
    environment_fini(&self->env);
    arena_fini(&self->arena);
    encoder_fini(&self->runs);
    free(self);
    *self_p = NULL;
}

static struct executor *live(struct executors *self, uint32_t id)
{
    return id < self->high && self->all[id].live ? &self->all[id] : NULL;
}

static void queue(struct executors *self, uint32_t id)
{
    struct executor *executor = &self->all[id];
    if (!executor->queued) {
        executor->queued = true;
        self->busy[self->busy_count++] = id;
    }
}

/* --- acts ------------------------------------------------------------------------------------------------- */

static void listen_to(struct executors *self, uint32_t id, bool write, int how)
{
    struct epoll_event event = { .events = EPOLLIN | (write ? (uint32_t)EPOLLOUT : 0),
                                 .data.u64 = id };
    if (epoll_ctl(self->config.epoll, how, self->all[id].resident.socket, &event)) {
        log_error("executor.epoll", "executor=%u error=\"%s\"", id, strerror(errno));
    }
}

void executors_spawn(struct executors *self, const struct act *act, uint64_t node)
{
    uint32_t id = act->executor;
    ensure(id < self->config.capacity);
    for (; self->high <= id; self->high++) {
        self->all[self->high].out.fd = self->all[self->high].err.fd = -1;
        self->all[self->high].resident.socket = -1;
        self->all[self->high].made = true;
    }
    struct executor *executor = &self->all[id];
    ensure(!executor->live);
    *executor = (struct executor){ .made = true,
                                   .live = true,
                                   .queued = executor->queued,
                                   .kind = act->spec->kind,
                                   .started_us = clock_us(),
                                   .task = act->held.task,
                                   .token = act->held.token,
                                   .attempt = act->held.attempt,
                                   .job = act->held.job,
                                   .begun_ms = self->now_ms,
                                   .resident = { .socket = -1 },
                                   .out = executor->out,
                                   .err = executor->err,
                                   .peek_ms = UINT64_MAX };
    if (executor->kind != SPEC_DRIVER && self->live_count++ == 0) {
        self->look_ms = self->now_ms + 1;
    }
    executor->error = executor_start(self, executor, act, node);
    if (executor->error) {
        executor->failed = true;
        queue(self, id);
    } else if (executor->kind == SPEC_FUNCTION) {
        listen_to(self, id, false, EPOLL_CTL_ADD);
    }
}

/*  Looks at the page of a silent executor the sooner, the less it has been silent. */
static void watch(struct executors *self, struct executor *executor)
{
    executor->peek_pause_ms = PEEK_MS;
    executor->peek_ms = self->now_ms + PEEK_MS;
    if (executor->peek_ms < self->peek_due_ms) {
        self->peek_due_ms = executor->peek_ms;
    }
}

void executors_give_end(struct executors *self)
{
    enum { PREFIX = 4 };
    if (self->runs_to == NONE) {
        return;
    }
    struct executor *executor = live(self, self->runs_to);
    ensure(executor && executor->kind == SPEC_FUNCTION);
    struct wire *frame = &self->runs.frame;
    struct msg_run run = { .runs = encoder_list(&self->runs) };
    frame->n = PREFIX;
    proto_put(frame, MSG_RUN, &run);
    ensure(!frame->full);
    uint32_t n = (uint32_t)(frame->n - PREFIX);
    for (int i = 0; i < PREFIX; i++) {
        frame->p[i] = (uint8_t)(n >> (8 * i));
    }
    bool idle = !resident_works(&executor->resident), waits = executor->resident.first != NULL;
    if (!resident_give(&executor->resident, frame->p, frame->n, self->runs.count) && !waits) {
        listen_to(self, self->runs_to, true, EPOLL_CTL_MOD);
    }
    if (idle) {
        watch(self, executor);
    }
    encoder_reset(&self->runs);
    self->runs_to = NONE;
}

void executors_give(struct executors *self, const struct act *act)
{
    const struct held *held = &act->held;
    size_t n = held->args.n + held->deps.bytes.n + RUN_RECORD_OVERHEAD;
    if (self->runs_to != act->executor || self->runs.count == CALLS_PER_FRAME_MAX ||
        self->runs.elements.n + n > RUN_FRAME_BYTES) {
        executors_give_end(self);
    }
    self->runs_to = act->executor;
    encoder_add(&self->runs, REC_RUN,
                &(struct rec_run){ .task = held->task,
                                   .token = held->token,
                                   .attempt = held->attempt,
                                   .name = slice_text(act->spec->name),
                                   .args = held->args,
                                   .deps = held->deps });
}

void executors_take_back(struct executors *self, uint32_t id)
{
    executors_give_end(self);
    struct executor *executor = live(self, id);
    if (executor && executor->kind == SPEC_FUNCTION && !executor->failed) {
        executor->taken = true;
        queue(self, id);
    }
}

void executors_kill(struct executors *self, uint32_t id, int signal)
{
    struct executor *executor = live(self, id);
    if (!executor || executor->failed) {
        return;
    }
    if (signal == SIGKILL) {
        executor->unwanted = true;
        queue(self, id);
    }
    if (!executor->ended && spawner_kill(self->config.spawner, id, signal)) {
        log_error("executor.kill", "executor=%u", id);
    }
}

/* --- news ------------------------------------------------------------------------------------------------- */

static void on_failed(struct executor *executor, int32_t error)
{
    size_t n = strlen(executor->problem); /* the name of the program */
    int told =
        snprintf(executor->problem + n, sizeof(executor->problem) - n, ": %s", strerror(error));
    n += (size_t)told;
    if (error == EACCES && executor->uid != 0 && n < sizeof(executor->problem)) {
        snprintf(executor->problem + n, sizeof(executor->problem) - n,
                 " for uid %u, as which the worker runs it (--uid-base 0 would not)",
                 executor->uid);
    }
    executor->failed = true;
    executor->error = error;
}

void executors_on_spawner(struct executors *self, const struct spawn_event *event)
{
    struct executor *executor = live(self, event->id);
    ensure(executor != NULL);
    switch (event->kind) {
    case SPAWN_STARTED:
        executor->started = true;
        executor->pid = event->pid;
        break;
    case SPAWN_FAILED:
        on_failed(executor, event->error);
        break;
    case SPAWN_EXITED:
        executor->ended = true;
        executor->exited = *event;
        break;
    }
    queue(self, event->id);
}

static void kill_broken(struct executors *self, uint32_t id)
{
    struct executor *executor = &self->all[id];
    if (!executor->killed && !executor->ended) {
        executor->killed = true;
        executors_kill(self, id, SIGKILL);
    }
}

void executors_on_socket(struct executors *self, uint32_t id, uint32_t events)
{
    struct executor *executor = live(self, id);
    if (!executor || executor->resident.socket < 0) {
        return;
    }
    if ((events & EPOLLOUT) && resident_flush(&executor->resident)) {
        listen_to(self, id, false, EPOLL_CTL_MOD);
    }
    if (events & ~(uint32_t)EPOLLOUT) {
        int e = resident_read(&executor->resident);
        if (e == ERR_CLOSED) {
            kill_broken(self, id); /* it can be given nothing more */
        } else if (!e) {
            watch(self, executor);
            queue(self, id);
        }
    }
}

void executors_on_tails(struct executors *self)
{
    for (uint32_t id = 0; id < self->high; id++) {
        const struct executor *executor = &self->all[id];
        bool streams = executor->kind == SPEC_DRIVER || executor->streamed.token != 0;
        if (executor->live && executor->ended && streams) {
            queue(self, id);
        }
    }
}

void executors_on_time(struct executors *self, uint64_t now_ms)
{
    self->now_ms = now_ms;
    if (self->live_count > 0 && now_ms >= self->look_ms) {
        executors_look(self);
    }
    if (now_ms < self->peek_due_ms) {
        return;
    }
    self->peek_due_ms = UINT64_MAX;
    for (uint32_t id = 0; id < self->high; id++) {
        struct executor *executor = &self->all[id];
        if (!executor->live || executor->kind != SPEC_FUNCTION || executor->failed ||
            !resident_works(&executor->resident)) {
            continue;
        }
        if (now_ms >= executor->peek_ms) {
            bool news = resident_peek(&executor->resident);
            uint32_t pause = news ? PEEK_MS : executor->peek_pause_ms * 2;
            executor->peek_pause_ms = pause < PEEK_MS_MAX ? pause : PEEK_MS_MAX;
            executor->peek_ms = now_ms + executor->peek_pause_ms;
            if (news) {
                queue(self, id);
            }
        }
        if (executor->peek_ms < self->peek_due_ms) {
            self->peek_due_ms = executor->peek_ms;
        }
    }
}

uint64_t executors_due(const struct executors *self)
{
    bool look = self->live_count > 0 && self->look_ms < self->peek_due_ms;
    return look ? self->look_ms : self->peek_due_ms;
}

/* --- events ----------------------------------------------------------------------------------------------- */

/*  The next result, or that a task waits or goes on; reports of trials, and asks for tickets, that come before it are
    carried out. */
static enum resident_news next_news_of(struct executors *self, uint32_t id, struct rec_ran *ran)
{
    struct resident *resident = &self->all[id].resident;
    struct rec_report report;
    for (;;) {
        switch (resident_next(resident, ran, &report)) {
        case RESIDENT_NOTHING:
            return RESIDENT_NOTHING;
        case RESIDENT_RAN:
            asks_drop(self->config.asks, id); /* the task that asked has ended */
            return RESIDENT_RAN;
        case RESIDENT_ASKED:
            if (resident->asked.what != NEED_TICKET) {
                return RESIDENT_ASKED;
            }
            executor_ticket(self, id, &resident->asked);
            break;
        case RESIDENT_TOLD:
            asks_add(self->config.asks, id, resident->page, &report);
            break;
        }
    }
}

static enum next tell_waits(const struct msg_ask *asked, struct worker_event *out)
{
    static const enum held_state how[NEEDS] = {
        [NEED_GET] = HELD_BLOCKED_GET, [NEED_WAIT] = HELD_BLOCKED_WAIT, [NEED_NOTHING] = HELD_RUNS
    };
    out->kind = WEV_WAITS;
    out->token = asked->token;
    out->code = how[asked->what];
    return NEXT_EVENT;
}

static enum next tell_ran(struct executors *self, uint32_t id, struct worker_event *out)
{
    struct executor *executor = &self->all[id];
    struct rec_ran *ran = &self->ran;
    if (arena_room(&self->arena) < EVENT_BYTES) {
        return NEXT_LATER;
    }
    enum resident_news news = next_news_of(self, id, ran);
    if (news != RESIDENT_RAN) {
        return news == RESIDENT_ASKED ? tell_waits(&executor->resident.asked, out) : NEXT_NOTHING;
    }
    if (!executor->borrowed) {
        executor->borrowed = true;
        self->lenders[self->lender_count++] = id;
    }
    out->kind = WEV_RAN;
    out->ran = ran;
    executor_put_ran(self, executor, ran, out);
    return NEXT_EVENT;
}

/*  Results that its death left in the socket or in the page; true: look for them with tell_ran(). */
static bool drain(struct executor *executor)
{
    return resident_read(&executor->resident) == OK || resident_peek(&executor->resident);
}

static enum next tell_exited(struct executors *self, struct executor *executor,
                             struct worker_event *out)
{
    executor_stream_rest(self, executor);
    bool driver = executor->kind == SPEC_DRIVER;
    uint64_t token = driver ? executor->token : executor->streamed.token;
    bool waits =
        token != 0 && !executor->unwanted && (driver || tails_are_joined(self->config.tails));
    if (waits && !tails_sent(self->config.tails, token)) {
        return NEXT_NOTHING; /* executors_on_tails() */
    }
    if (executor->borrowed || arena_room(&self->arena) < EVENT_BYTES) {
        return NEXT_LATER;
    }
    out->kind = WEV_EXITED;
    out->pid = executor->pid;
    out->status = executor->exited.status;
    out->out_of_memory = executor->exited.out_of_memory;
    out->run_us = clock_us() - executor->started_us;
    executor_put_results(self, executor, out);
    if (token != 0) {
        tails_end(self->config.tails, token);
    }
    release(self, executor);
    return NEXT_EVENT;
}

static enum next tell_failed(struct executors *self, struct executor *executor,
                             struct worker_event *out)
{
    if (arena_room(&self->arena) < EVENT_BYTES) {
        return NEXT_LATER;
    }
    char *text = arena_take(&self->arena, sizeof(executor->problem));
    memcpy(text, executor->problem, sizeof(executor->problem));
    out->kind = WEV_SPAWN_FAILED;
    out->code = executor->error;
    out->text = slice_text(text);
    if (executor->kind == SPEC_DRIVER) {
        tails_drop(self->config.tails, executor->token);
    }
    release(self, executor);
    return NEXT_EVENT;
}

static enum next tell_resident(struct executors *self, uint32_t id, struct worker_event *out)
{
    struct executor *executor = &self->all[id];
    enum next next;
    do {
        next = tell_ran(self, id, out);
        if (next != NEXT_NOTHING) {
            return next;
        }
        if (executor->resident.broken) {
            kill_broken(self, id);
        }
        if (executor->ended && executor->borrowed) {
            return NEXT_LATER; /* drain() moves what events point into */
        }
    } while (executor->ended && drain(executor));
    if (executor->taken) {
        executor->taken = false;
        out->kind = WEV_TAKEN;
        out->number = resident_take_back(&executor->resident);
        return NEXT_EVENT;
    }
    return NEXT_NOTHING;
}

static enum next tell(struct executors *self, uint32_t id, struct worker_event *out)
{
    struct executor *executor = &self->all[id];
    *out = (struct worker_event){ .executor = id };
    if (!executor->live) {
        return NEXT_NOTHING;
    }
    if (executor->failed) {
        return tell_failed(self, executor, out);
    }
    if (executor->started) {
        executor->started = false;
        out->kind = WEV_SPAWNED;
        out->pid = executor->pid;
        return NEXT_EVENT;
    }
    enum next next = executor->kind == SPEC_FUNCTION ? tell_resident(self, id, out) : NEXT_NOTHING;
    return next == NEXT_NOTHING && executor->ended ? tell_exited(self, executor, out) : next;
}

enum next executors_next(struct executors *self, struct worker_event *out)
{
    bool later = false;
    while (self->busy_at < self->busy_count) {
        uint32_t id = self->busy[self->busy_at];
        enum next next = tell(self, id, out);
        if (next == NEXT_EVENT) {
            return next;
        }
        if (next == NEXT_LATER) {
            later = true;
            self->busy_at++;
        } else {
            self->all[id].queued = false;
            self->busy[self->busy_at] = self->busy[--self->busy_count];
        }
    }
    self->busy_at = 0;
    return later ? NEXT_LATER : NEXT_NOTHING;
}

void executors_settled(struct executors *self)
{
    self->busy_at = 0;
    for (uint32_t i = 0; i < self->lender_count; i++) {
        struct executor *executor = &self->all[self->lenders[i]];
        executor->borrowed = false;
        resident_settled(&executor->resident);
    }
    self->lender_count = 0;
    arena_reset(&self->arena);
}
