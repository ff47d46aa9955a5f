/*  monitor.h - numbers of the loop's thread for other threads: what the core counts, and how long things take.

    The loop alone writes, into memory of its own; when a reader has asked, it copies all of it.  A copy is at most
    MONITOR_FRESH_MS old, so many readers cost the loop one copy per second. */
#ifndef RAYC_MONITOR_H
#define RAYC_MONITOR_H
#include "common/err.h"
#include "common/histogram.h"
#include "head/core/survey.h"

enum { MONITOR_FRESH_MS = 1000, MONITOR_WAIT_MS = 2000 };

struct loop_counts {
    struct histogram turn, placement, commit;
    uint64_t in[MSG_KINDS], out[MSG_KINDS]; /* messages */
    uint64_t logins_refused;                /* tokens and keys */
};

struct monitor_view {
    uint64_t at_ms; /* clock_ms() of the copy */
    struct survey core;
    struct loop_counts loop;
};

struct monitor;

MUST_CHECK int monitor_open(struct monitor **out);
void monitor_close(struct monitor **self); /* NULL-safe; nobody reads any more */

/*  The loop's side: where it counts; a descriptor that is readable when somebody asks; the answer. */
struct loop_counts *monitor_counts(struct monitor *self);
int monitor_fd(const struct monitor *self);
void monitor_tell(struct monitor *self, const struct core *core);

/*  Any other thread's side: the numbers, until monitor_done(); readers take turns.  NULL: the loop did not answer. */
const struct monitor_view *monitor_look(struct monitor *self);
void monitor_done(struct monitor *self);
#endif
