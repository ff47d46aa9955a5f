/*  executor_stream.c - what attempts print that run for longer than LONG_MS, or print more than a DONE can take: it goes
    to the head as it comes, through tails.h.  Short ones never get here.

    A resident executor prints all its tasks' output into one file.  What of it belongs to the task that it is in is
    known as long as that task has not ended: the size is looked at first, then whether the next one has begun. */
#include <inttypes.h>
#include <stdio.h>
#include "common/file.h"
#include "worker/executor_state.h"

enum { LONG_MS = 1000, LOOK_MS = 250 };

static bool stream(struct executors *all, struct executor *self, const struct held *held,
                   uint64_t from, uint64_t to)
{
    struct tail_new tail = { .who = { .job = held->job,
                                      .task = held->task,
                                      .token = held->token,
                                      .attempt = held->attempt },
                             .fds = { self->out.fd,
                                      self->kind == SPEC_COMMAND ? self->err.fd : -1 },
                             .from = from,
                             .to = to,
                             .secrets = &self->secrets };
    if (tails_add(all->config.tails, &tail)) {
        return false; /* too many: its DONE has the beginning */
    }
    self->streamed = *held;
    self->streams = true;
    return true;
}

static struct held held_of(const struct executor *self)
{
    return (struct held){
        .job = self->job, .task = self->task, .token = self->token, .attempt = self->attempt
    };
}

static void look_at_resident(struct executors *all, uint32_t id)
{
    struct executor *self = &all->all[id];
    if (!self->resident.page || !resident_works(&self->resident)) {
        return;
    }
    uint64_t size = output_size(&self->out);
    uint32_t begun = resident_begun(&self->resident), number;
    struct held held;
    if (begun != self->begun) {
        self->begun = begun;
        self->begun_ms = all->now_ms;
    } else if (self->streamed.token != 0) {
        if (self->streamed_number + 1 == begun) {
            tails_grow(all->config.tails, self->streamed.token, size);
        }
    } else if (all->now_ms - self->begun_ms >= LONG_MS && begun > self->resident.next &&
               all->config.runs.find(all->config.runs.core, id, &held, &number) &&
               number + 1 == begun) {
        self->streamed_number = number;
        (void)stream(all, self, &held, self->out.taken, size);
    }
}

void executors_look(struct executors *all)
{
    for (uint32_t id = 0; id < all->high; id++) {
        struct executor *self = &all->all[id];
        if (!self->live || self->failed || self->ended) {
            continue;
        }
        if (self->kind == SPEC_FUNCTION) {
            look_at_resident(all, id);
        } else if ((self->kind == SPEC_COMMAND || self->kind == SPEC_ACTOR) &&
                   self->streamed.token == 0 && all->now_ms - self->begun_ms >= LONG_MS) {
            struct held held = held_of(self);
            (void)stream(all, self, &held, 0, UINT64_MAX);
        }
    }
    all->look_ms = all->now_ms + LOOK_MS;
}

void executor_stream_rest(struct executors *all, struct executor *self)
{
    bool command = self->kind == SPEC_COMMAND, whole = command || self->kind == SPEC_ACTOR;
    bool large =
        output_size(&self->out) > OUTPUT_MAX || (command && output_size(&self->err) > OUTPUT_MAX);
    struct held held = held_of(self);
    if (whole && self->streamed.token == 0 && large) {
        (void)stream(all, self, &held, 0, UINT64_MAX);
    }
    if (self->kind == SPEC_FUNCTION && self->streamed.token != 0) {
        tails_grow(all->config.tails, self->streamed.token, output_size(&self->out));
    }
}

struct slice executor_head_log(struct executors *all, const struct held *held)
{
    char *path = arena_take(&all->arena, PATH_BYTES);
    int n = snprintf(path, PATH_BYTES, "logs/job-%" PRIu64 "/%016" PRIx64 ".%u.log", held->job,
                     held->task, held->attempt);
    return slice_of(path, (size_t)n);
}

struct slice executor_stream_end(struct executors *all, struct executor *self,
                                 const struct rec_ran *ran)
{
    if (self->streamed.token == 0 || ran->number != self->streamed_number) {
        return slice_of(NULL, 0);
    }
    struct slice log = executor_head_log(all, &self->streamed);
    tails_grow(all->config.tails, self->streamed.token, ran->output_to);
    tails_end(all->config.tails, self->streamed.token);
    self->streamed_last = self->streamed.token;
    self->streamed = (struct held){ 0 };
    return log;
}
