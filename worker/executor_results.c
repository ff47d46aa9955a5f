/*  executor_results.c - what the end of a task or an executor brings: the output and last lines that its DONE carries,
    without secrets, and where the rest is. */
#include <stdio.h>
#include "common/file.h"
#include "worker/executor_state.h"

enum { TEXT_COMMAND = 4 * 1024, TEXT_DRIVER = 20 * 1000 };

/*  Output beyond OUTPUT_MAX goes to a file of its own, whose name is returned. */
static struct slice keep_range(struct executors *self, const struct executor *executor,
                               const struct rec_ran *ran)
{
    char *path = arena_take(&self->arena, PATH_BYTES);
    snprintf(path, PATH_BYTES, "%s/logs/executor-%u.%u.log", self->config.dir, executor->pid,
             ran->number);
    return output_copy(&executor->out, ran->output_from, ran->output_to, path) ? slice_of(NULL, 0)
                                                                               : slice_text(path);
}

/*  Text in the arena, or copied there, without secrets. */
static struct slice hide(struct executors *self, const struct executor *executor, struct slice text,
                         int cuts)
{
    if (executor->secrets.count == 0 || text.n == 0) {
        return text;
    }
    uint8_t *p = self->arena.p + (text.p - self->arena.p);
    if (text.p < self->arena.p || text.p >= self->arena.p + ARENA_BYTES) {
        p = arena_take(&self->arena, text.n);
        memcpy(p, text.p, text.n);
    }
    return slice_of(p, secrets_hide(&executor->secrets, p, text.n, cuts));
}

/*  The last lines of what an executor printed. */
static struct slice tail_of(struct executors *self, const struct executor *executor,
                            const struct output *output, uint64_t from, size_t max)
{
    bool cut = output_size(output) > from + max;
    return hide(self, executor, output_tail(output, &self->arena, from, max),
                cut ? SECRET_CUT_FRONT : 0);
}

void executor_put_ran(struct executors *self, struct executor *executor, struct rec_ran *ran,
                      struct worker_event *out)
{
    ran->text = hide(self, executor, ran->text, 0);
    if (executor->kind == SPEC_ACTOR) {
        return; /* what its methods print is the actor's */
    }
    struct slice log = executor_stream_end(self, executor, ran);
    if (ran->output_to > ran->output_from) {
        bool large = ran->output_to - ran->output_from > OUTPUT_MAX;
        out->output =
            output_read(&executor->out, &self->arena, ran->output_from, ran->output_to, OUTPUT_MAX);
        out->output = hide(self, executor, out->output, large ? SECRET_CUT_BACK : 0);
        if (large) {
            out->log = log.n > 0 ? log : keep_range(self, executor, ran);
        }
        bool read_still =
            executor->streamed_last != 0 && tails_here(self->config.tails, executor->streamed_last);
        output_taken(&executor->out, ran->output_to, !read_still);
    }
}

static struct slice read_or_keep(struct executors *self, struct executor *executor,
                                 struct output *output, const char *suffix,
                                 struct worker_event *out)
{
    struct slice bytes = output_read(output, &self->arena, 0, UINT64_MAX, OUTPUT_MAX);
    bool large = output_size(output) > OUTPUT_MAX;
    bytes = hide(self, executor, bytes, large ? SECRET_CUT_BACK : 0);
    if (large && executor->streamed.token != 0) {
        out->log = executor_head_log(self, &executor->streamed);
    } else if (large) {
        char *path = arena_take(&self->arena, PATH_BYTES);
        executor_log_path(self, executor, suffix, path, PATH_BYTES);
        if (!output_keep(output, path) && out->log.n == 0) {
            out->log = slice_text(path);
        }
    }
    return bytes;
}

/*  All that an actor has printed, and which of its calls had begun. */
static void put_actor_results(struct executors *self, struct executor *executor,
                              struct worker_event *out)
{
    out->number = resident_begun(&executor->resident);
    out->text = tail_of(self, executor, &executor->out, 0, TEXT_COMMAND);
    out->output = read_or_keep(self, executor, &executor->out, "log", out);
    if (executor->resident.threads) {
        uint8_t *begun = arena_take(&self->arena, CHANNEL_WINDOW / 8);
        for (size_t i = 0; i < CHANNEL_WINDOW / 8; i++) {
            begun[i] = atomic_load(&executor->resident.page->begun[i]);
        }
        out->begun = slice_of(begun, CHANNEL_WINDOW / 8);
    }
}

static void put_command_results(struct executors *self, struct executor *executor,
                                struct worker_event *out)
{
    out->number = 1;
    if (executor->exited.status != 0) {
        out->text = tail_of(self, executor, &executor->err, 0, TEXT_COMMAND);
    }
    struct slice text = read_or_keep(self, executor, &executor->out, "log", out);
    struct slice errors = read_or_keep(self, executor, &executor->err, "err.log", out);
    size_t room = text.n + errors.n + COMMAND_VALUE_OVERHEAD;
    struct wire value = { arena_take(&self->arena, room), 0, room, false };
    command_value(&value, executor->exited.status, text, errors);
    out->value = slice_of(value.p, value.n);
}

void executor_put_results(struct executors *self, struct executor *executor,
                          struct worker_event *out)
{
    switch ((enum spec_kind)executor->kind) {
    case SPEC_FUNCTION:
    case SPEC_VALUE:
    case SPEC_METHOD:
        out->number = resident_begun(&executor->resident);
        out->text = tail_of(self, executor, &executor->out, executor->out.taken, TEXT_MAX);
        break;
    case SPEC_ACTOR:
        put_actor_results(self, executor, out);
        break;
    case SPEC_DRIVER:
        out->number = 1;
        out->text = tail_of(self, executor, &executor->out, 0, TEXT_DRIVER);
        break;
    case SPEC_COMMAND:
        put_command_results(self, executor, out);
        break;
    }
}
