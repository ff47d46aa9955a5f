/*  followers.c - few, so they are an array.  Whoever follows a task follows its current attempt, from one to the next. */
#include "head/followers.h"

#include <stdlib.h>

struct follower {
    uint32_t peer;
    struct log_name name;
    bool newest;     /* of a task: whatever attempt is the current one */
    uint32_t state;  /* of a task: told last */
    uint64_t known;  /* the peer has what is before */
    uint64_t offset; /* and wants what is from here on */
};

struct followers {
    struct followers_to to;
    uint32_t count, tasks; /* tasks: how many of them follow one */
    uint8_t *chunk;        /* LOG_CHUNK_MAX */
    struct follower all[FOLLOWERS_MAX];
};

int followers_open(struct followers **out, const struct followers_to *to)
{
    struct followers *self = calloc(1, sizeof(*self));
    *out = self;
    if (!self) {
        return ERR_MEMORY;
    }
    self->to = *to;
    self->chunk = malloc(LOG_CHUNK_MAX);
    if (!self->chunk) {
        followers_close(out);
        return ERR_MEMORY;
    }
    return OK;
}

void followers_close(struct followers **self)
{
    if (*self) {
        free((*self)->chunk);
        free(*self);
    }
    *self = NULL;
}

static void say(const struct followers *self, uint32_t peer, enum msg_kind kind, const void *msg)
{
    self->to.say(self->to.context, peer, kind, msg);
}

/*  Sends a follower what the log has beyond what it knows. */
static void follow(const struct followers *self, struct follower *follower)
{
    const struct log_name *name = &follower->name;
    while (follower->offset != UINT64_MAX) {
        struct wire to = { self->chunk, 0, LOG_CHUNK_MAX, false };
        int code = log_read(self->to.files, name, &follower->offset, &to);
        if (code != OK || to.n == 0) {
            return;
        }
        struct msg_job_log log = { .job = name->job,
                                   .task = name->task,
                                   .attempt = name->attempt,
                                   .offset = follower->offset,
                                   .gone = follower->offset - follower->known,
                                   .data = slice_of(to.p, to.n) };
        say(self, follower->peer, MSG_JOB_LOG, &log);
        follower->offset += to.n;
        follower->known = follower->offset;
    }
}

static void tell_task(const struct followers *self, const struct follower *follower, uint64_t seq)
{
    struct msg_task_state state = { .seq = seq,
                                    .task = follower->name.task,
                                    .state = follower->state,
                                    .attempt = follower->name.attempt };
    say(self, follower->peer, MSG_TASK_STATE, &state);
}

static void drop(struct followers *self, struct follower *follower)
{
    self->tasks -= follower->name.task != 0;
    *follower = self->all[--self->count];
}

/*  Its state as the core has it; 0: it has ended, or there is no such task in this job. */
static uint32_t look(const struct followers *self, const struct follower *follower,
                     uint32_t *attempt)
{
    struct core_task task;
    if (!core_task_find(self->to.core, follower->name.task, &task) ||
        task.job != follower->name.job) {
        return 0;
    }
    *attempt = follower->newest ? task.attempt : *attempt;
    return task.state;
}

int followers_watch(struct followers *self, uint32_t peer, const struct msg_watch *msg)
{
    struct follower new = { .peer = peer,
                            .name = { msg->job, msg->task, msg->task ? msg->attempt : 0 },
                            .newest = msg->attempt == 0,
                            .known = msg->offset,
                            .offset = msg->offset };
    for (uint32_t i = 0; i < self->count; i++) {
        struct follower *old = &self->all[i];
        if (old->peer == peer && old->name.job == msg->job && old->name.task == msg->task) {
            drop(self, old);
            break;
        }
    }
    if (msg->task != 0) {
        new.state = look(self, &new, &new.name.attempt);
    }
    if (msg->tail > 0 && msg->offset != UINT64_MAX) {
        uint64_t from = log_tail(self->to.files, &new.name, msg->tail);
        new.offset = from > msg->offset ? from : msg->offset;
    }
    if (msg->task == 0 || new.name.attempt > 0) {
        follow(self, &new);
    }
    if (msg->task != 0) {
        tell_task(self, &new, msg->seq);
    }
    if ((msg->task == 0 && msg->offset == UINT64_MAX) || (msg->task != 0 && new.state == 0)) {
        return OK; /* there is nothing to follow */
    }
    if (self->count == FOLLOWERS_MAX) {
        return ERR_BUSY;
    }
    self->tasks += msg->task != 0;
    self->all[self->count++] = new;
    return OK;
}

void followers_grew(struct followers *self, const struct log_name *name)
{
    for (uint32_t i = 0; i < self->count; i++) {
        const struct log_name *of = &self->all[i].name;
        if (of->job == name->job && of->task == name->task && of->attempt == name->attempt) {
            follow(self, &self->all[i]);
        }
    }
}

void followers_turn(struct followers *self)
{
    for (uint32_t i = 0; self->tasks > 0 && i < self->count;) {
        struct follower *follower = &self->all[i];
        uint32_t attempt = follower->name.attempt;
        uint32_t state = follower->name.task ? look(self, follower, &attempt) : 0;
        bool changed = follower->name.task != 0 &&
                       (state != follower->state || attempt != follower->name.attempt);
        if (attempt != follower->name.attempt) {
            follow(self, follower);
            follower->name.attempt = attempt;
            follower->offset = follower->offset == UINT64_MAX ? UINT64_MAX : 0;
            follower->known = follower->offset;
        }
        follower->state = state;
        if (changed) {
            tell_task(self, follower, 0);
        }
        if (changed && state == 0) {
            drop(self, follower);
        } else {
            i++;
        }
    }
}

void followers_gone(struct followers *self, uint32_t peer)
{
    for (uint32_t i = 0; i < self->count;) {
        if (self->all[i].peer == peer) {
            drop(self, &self->all[i]);
        } else {
            i++;
        }
    }
}
