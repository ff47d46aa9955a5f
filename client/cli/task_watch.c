/*  task_watch.c - one loop over JOB_LOG and TASK_STATE.  The head sends all that it has before the TASK_STATE that answers
    a WATCH; so after the state in which a task has ended, one more WATCH brings what may be missing.  After a reconnect
    it is asked for from where we are. */
#include "client/cli/task_watch.h"

#include "client/cli/connect.h"
#include "proto/proto.h"

enum { TURN_MS = 1000 };

struct watching {
    struct cli *cli;
    struct task_watch *of;
    uint32_t attempt; /* that is printed; 0: not known yet */
    uint64_t offset;
    uint64_t seq; /* of the newest WATCH */
    uint32_t generation;
    bool last, done;
};

static int send_watch(struct watching *self)
{
    struct msg_watch watch = { .job = self->of->job,
                               .task = self->of->task,
                               .attempt = self->last ? self->attempt : self->of->attempt,
                               .offset = self->offset,
                               .tail = self->offset == 0 ? self->of->tail : 0 };
    int rc = ask_send(self->cli->ask, MSG_WATCH, &watch);
    self->seq = watch.seq;
    self->generation = ask_generation(self->cli->ask);
    return rc;
}

static void take_attempt(struct watching *self, uint32_t attempt)
{
    if (attempt != self->attempt && attempt != 0) {
        if (self->attempt != 0) {
            note(self->cli, "attempt %u", attempt);
            self->offset = 0;
        }
        self->attempt = attempt;
    }
}

static int on_log(struct watching *self, const struct msg_job_log *log)
{
    if (log->task != self->of->task) {
        return OK;
    }
    take_attempt(self, log->attempt);
    uint64_t end = log->offset + log->data.n;
    if (end <= self->offset) {
        return OK;
    }
    if (log->offset > self->offset) {
        if (log->offset - log->gone > self->offset) { /* a piece was lost on its way */
            return send_watch(self);
        }
        if (self->offset > 0 || self->of->tail == 0) {
            note(self->cli, "%llu bytes are kept no more",
                 (unsigned long long)(log->offset - self->offset));
        }
        self->offset = log->offset;
    }
    size_t known = (size_t)(self->offset - log->offset);
    fwrite(log->data.p + known, 1, log->data.n - known, stdout);
    fflush(stdout);
    self->of->printed += log->data.n - known;
    self->of->attempt_printed = log->attempt;
    self->offset = end;
    return OK;
}

static int on_state(struct watching *self, const struct msg_task_state *state)
{
    if (state->task != self->of->task) {
        return OK;
    }
    if (!self->last) {
        take_attempt(self, state->attempt);
    }
    bool answer = state->seq == self->seq;
    bool other = self->of->attempt != 0 && state->attempt != self->of->attempt;
    if (answer && (!self->of->until_end || self->last)) {
        self->done = true;
    } else if ((state->state == 0 || other) && !self->last) {
        self->last = true;
        return send_watch(self);
    }
    return OK;
}

static int take(struct watching *self, const struct msg *msg)
{
    if (msg->kind == MSG_JOB_LOG) {
        return on_log(self, &msg->as.job_log);
    }
    return msg->kind == MSG_TASK_STATE ? on_state(self, &msg->as.task_state) : OK;
}

int task_watch(struct cli *cli, struct task_watch *of)
{
    struct watching self = { .cli = cli, .of = of, .attempt = of->attempt };
    struct ask *link = cli->ask;
    int rc = send_watch(&self);
    while (!self.done) {
        struct msg msg;
        if (rc == OK && ask_connected(link) && self.generation != ask_generation(link)) {
            rc = send_watch(&self);
        }
        rc = rc == OK ? ask_next(link, TURN_MS, -1, &msg) : rc;
        if (rc == OK && msg.kind == MSG_REFUSED && msg.as.seq == self.seq) {
            struct slice text = msg.as.refused.text;
            return fail(cli, msg.as.refused.code, "%.*s", (int)text.n, (const char *)text.p);
        }
        rc = rc == OK ? take(&self, &msg) : rc == ERR_TIMEOUT ? OK : rc;
        if (rc != OK) {
            return fail_ask(cli, rc);
        }
    }
    return 0;
}
