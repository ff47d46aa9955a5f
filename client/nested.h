/*  nested.h - the session of an executor, for what its tasks submit.  It is opened when a task first needs it, with the
    ticket of that attempt; a later attempt of the process takes it up with its own. */
#ifndef RAYC_NESTED_H
#define RAYC_NESTED_H
#include "client/session.h"

/*  Before the first task: a fork of this process has no session, and gets none. */
void nested_prepare(void);
/*  For the task that runs now; waits for the head.  NULL, with rayc_error(). */
struct session *nested_session(void);
/*  The one that is open for this task; NULL: none is. */
struct session *nested_current(void);
/*  The one that is to know that this task has read `ref`; NULL: none is, until the task first needs one. */
struct session *nested_reader(rayc_ref ref);
/*  The task has returned: waits until the head has all that it has submitted, for its result comes after that. */
void nested_settle(void);
/*  Likewise of a call of an actor: until the head knows which references it has read. */
void nested_keep(void);
#endif
