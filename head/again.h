/*  again.h - JOB_RETRY: the JOB_OPEN that made an ended job, from its rows.  The core forgets what an ended job ran,
    and no view shows its environment: so neither it nor the client could say it. */
#ifndef RAYC_AGAIN_H
#define RAYC_AGAIN_H
#include "head/core/core.h"
#include "head/store.h"

struct again { /* zeroed is empty */
    struct wire frames[CORE_EVENTS_PER_TURN];
    uint32_t count;
};

/*  `out` may be the message that `ask` is in; it borrows until again_clear(), which is called after each turn.
    ERR_NOT_FOUND: no such row is committed.  ERR_STORE. */
MUST_CHECK int again_read(struct again *self, struct store *store, const struct msg_job_retry *ask,
                          struct msg *out);
void again_clear(struct again *self);
#endif
