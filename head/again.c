/*  again.c - a job's rows as the message that made it.  It goes through a frame, so that it owns its bytes and is
    checked as one that came over the network. */
#include "head/again.h"

#include <stdlib.h>

#include "common/bug.h"
#include "common/log.h"

enum { TEXTS_BYTES = 4 * TEXT_MAX + 8 * NAME_MAX_BYTES }; /* of a JOB_OPEN without its spec */

int again_read(struct again *self, struct store *store, const struct msg_job_retry *ask,
               struct msg *out)
{
    struct msg_job_open open;
    uint64_t job = ask->job;
    int code = store_job_open(store, job, &open);
    if (code != OK) {
        return code;
    }
    open.seq = ask->seq;
    open.submission = ask->submission;
    size_t capacity = open.specs.bytes.n + TEXTS_BYTES;
    struct wire frame = { malloc(capacity), 0, capacity, false };
    ensure(frame.p != NULL && self->count < COUNT(self->frames));
    proto_put(&frame, MSG_JOB_OPEN, &open);
    self->frames[self->count++] = frame;
    if (frame.full || proto_decode(slice_of(frame.p, frame.n), out, NULL) != OK) {
        log_error("again.row", "job=%llu why=\"its rows make no message\"",
                  (unsigned long long)job);
        return ERR_STORE;
    }
    return OK;
}

void again_clear(struct again *self)
{
    while (self->count > 0) {
        free(self->frames[--self->count].p);
    }
}
