/*  value.h - values that programs put, tasks that are named before they are here, and sessions that have borrowed a
    reference.  A part of state.h. */
#ifndef RAYC_CORE_VALUE_H
#define RAYC_CORE_VALUE_H
#include "head/core/core.h"

struct session;

/*  `parent`: the task that has put it; 0: a driver. */
bool value_take(struct core *core, uint32_t session, uint32_t spec, const struct rec_call *call,
                uint64_t parent);
/*  NULL: its session is away, and will POLL when it is back. */
struct result_send *result_tell(struct core *core, uint32_t session,
                                const struct rec_result *result);
bool is_to_come(const struct core *core,
                uint64_t task); /* it has not ended, or will be submitted */
/*  The session is told when this task of another has ended; false: no room. */
bool borrow(struct core *core, uint32_t session, uint64_t task);
void borrower_wake(struct core *core, uint32_t edge); /* one that is in no map any more */
void borrowers_tell(struct core *core);
bool value_awaited(struct core *core, const struct event *looked_up);
void values_given_up(struct core *core, uint32_t session); /* it will not submit any more */
uint64_t tasks_among(const struct core *core, const struct session *session,
                     const struct msg_submit *msg, uint64_t from);
#endif
