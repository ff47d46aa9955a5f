/*  followers.c - few, so they are an array.  Whoever follows a task follows its current attempt, from one to the next. */
#include "head/followers.h"

#include <stdlib.h>

/*  What one turn of the loop reads of logs, so that others are served between: of one follower, of all. */
enum { FOLLOWER_TURN_BYTES = LOG_CHUNK_MAX, TURN_BYTES = 4 * LOG_CHUNK_MAX };

struct follower {
    uint32_t peer;
    struct log_name name;
    bool newest;     /* of a task: whatever attempt is the current one */
    bool behind;     /* the log may have more than it was sent */
    bool owed;       /* the answer to its WATCH, which comes when it is not behind */
    uint64_t seq;    /* of the WATCH */
    uint32_t state;  /* of a task: told last */
    uint64_t known;  /* the peer has what is before */
    uint64_t offset; /* and wants what is from here on */
};

struct followers {
    struct followers_to to;
    uint32_t count;
    uint32_t next;  /* is served first in the next turn */
    uint8_t *chunk; /* FOLLOWER_TURN_BYTES */
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
    self->chunk = malloc(FOLLOWER_TURN_BYTES);
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

/*  Sends a follower at most `most` bytes of what the log has beyond what it knows; how many. */
static size_t follow(const struct followers *self, struct follower *follower, size_t most)
{
    const struct log_name *name = &follower->name;
    size_t sent = 0;
    while (follower->behind && sent < most) {
        struct wire to = { self->chunk, 0, most - sent, false };
        int code = log_read(self->to.files, name, &follower->offset, &to);
        if (code != OK || to.n == 0) {
            follower->behind = false;
            break;
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
        sent += to.n;
    }
    return sent;
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

int followers_watch(struct followers *self, uint32_t peer, const struct msg_watch *msg,
                    bool *answers)
{
    *answers = false;
    struct follower new = { .peer = peer,
                            .name = { msg->job, msg->task, msg->task ? msg->attempt : 0 },
                            .newest = msg->attempt == 0,
                            .owed = true,
                            .seq = msg->seq,
                            .known = msg->offset,
                            .offset = msg->offset };
    for (uint32_t i = 0; i < self->count; i++) {
        struct follower *old = &self->all[i];
        if (old->peer == peer && old->name.job == msg->job && old->name.task == msg->task) {
            drop(self, old);
            break;
        }
    }
    if (msg->task == 0 && msg->offset == UINT64_MAX) {
        return OK; /* there is nothing to follow */
    }
    if (self->count == FOLLOWERS_MAX) {
        return ERR_BUSY;
    }
    if (msg->task != 0) {
        new.state = look(self, &new, &new.name.attempt);
    }
    if (msg->tail > 0 && msg->offset != UINT64_MAX) {
        uint64_t from = log_tail(self->to.files, &new.name, msg->tail);
        new.offset = from > msg->offset ? from : msg->offset;
    }
    new.behind = msg->offset != UINT64_MAX && (msg->task == 0 || new.name.attempt > 0);
    self->all[self->count++] = new;
    *answers = true;
    return OK;
}

void followers_grew(struct followers *self, const struct log_name *name)
{
    for (uint32_t i = 0; i < self->count; i++) {
        struct follower *follower = &self->all[i];
        const struct log_name *of = &follower->name;
        if (of->job == name->job && of->task == name->task && of->attempt == name->attempt) {
            follower->behind = follower->offset != UINT64_MAX;
        }
    }
}

/*  In turns, so that one with much to read does not keep the others waiting. */
static void send_logs(struct followers *self)
{
    size_t left = TURN_BYTES;
    for (uint32_t n = self->count; n > 0 && left > 0; n--) {
        self->next = self->next < self->count ? self->next : 0;
        size_t most = left < FOLLOWER_TURN_BYTES ? left : FOLLOWER_TURN_BYTES;
        left -= follow(self, &self->all[self->next++], most);
    }
}

/*  How the task of one that is not behind is doing.  False: it has ended, and there is no more to follow. */
static bool tell_change(const struct followers *self, struct follower *follower)
{
    uint32_t attempt = follower->name.attempt;
    uint32_t state = look(self, follower, &attempt);
    bool moved = attempt != follower->name.attempt;
    bool changed = moved || state != follower->state;
    if (moved) {
        follower->name.attempt = attempt;
        follower->offset = follower->offset == UINT64_MAX ? UINT64_MAX : 0;
        follower->known = follower->offset;
        follower->behind = follower->offset != UINT64_MAX;
    }
    follower->state = state;
    if (follower->owed && !follower->behind) {
        follower->owed = false;
        tell_task(self, follower, follower->seq);
        return state != 0;
    }
    if (changed && !follower->owed) {
        tell_task(self, follower, 0);
        return state != 0;
    }
    return true;
}

bool followers_turn(struct followers *self)
{
    bool more = false;
    send_logs(self);
    for (uint32_t i = 0; i < self->count;) {
        struct follower *follower = &self->all[i];
        if (follower->name.task != 0 && !follower->behind && !tell_change(self, follower)) {
            drop(self, follower);
            continue;
        }
        more = more || follower->behind || follower->owed;
        i++;
    }
    return more;
}

bool followers_next(struct followers *self, uint32_t *peer, struct msg_watch *out)
{
    for (uint32_t i = 0; i < self->count; i++) {
        struct follower *follower = &self->all[i];
        if (follower->owed && !follower->behind && follower->name.task == 0) {
            follower->owed = false;
            *peer = follower->peer;
            *out = (struct msg_watch){ .seq = follower->seq,
                                       .job = follower->name.job,
                                       .offset = follower->offset };
            return true;
        }
    }
    return false;
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
