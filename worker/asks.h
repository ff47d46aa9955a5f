/*  asks.h - the reports of trials on their way to the head, as REPORT messages, and its decisions on their way back into
    the page of the executor that asked.  A report is kept until DECIDED, and sent again after a reconnect and when no
    answer has come for long.  There is at most one per executor: its task sleeps until it is answered. */
#ifndef RAYC_ASKS_H
#define RAYC_ASKS_H
#include "common/err.h"
#include "proto/channel.h"
#include "proto/proto.h"

struct asks;

/*  Does this executor run this attempt?  A report of anything else is dropped. */
struct asks_runs {
    bool (*runs)(const void *context, uint32_t executor, uint64_t task, uint64_t token);
    const void *context;
};

/*  Ids of executors are below `capacity`. */
MUST_CHECK int asks_open(struct asks **out, uint32_t capacity, const struct asks_runs *runs);
void asks_close(struct asks **self);

bool asks_may(const struct asks *self, uint32_t executor, uint64_t task, uint64_t token);
/*  A report that came from an executor: copied.  `page` stays until asks_drop(). */
void asks_add(struct asks *self, uint32_t executor, struct channel_page *page,
              const struct rec_report *report);
void asks_drop(struct asks *self, uint32_t executor); /* its task has ended, or it is gone */

void asks_joined(struct asks *self, bool joined); /* true: say all again; false: wait */
void asks_on_decided(struct asks *self, const struct msg_decided *msg);
void asks_on_time(struct asks *self, uint64_t now_ms);
uint64_t asks_due(const struct asks *self); /* of asks_on_time(); UINT64_MAX: never */

/*  The next REPORT to send, `node` apart; valid until the next call.  False: nothing is to be said. */
bool asks_next(struct asks *self, struct msg_report *out);
#endif
