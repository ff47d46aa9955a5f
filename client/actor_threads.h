/*  actor_threads.h - an actor's concurrency groups: calls that run beside each other, each group with threads of its
    own, so that one that is blocked holds up no other.  Calls of a group begin in their order.  The group "" is that
    of calls that name none; a call of a group that the actor does not have ends in an error of the application. */
#ifndef RAYC_ACTOR_THREADS_H
#define RAYC_ACTOR_THREADS_H
#include "client/task.h"
#include "proto/channel.h"

/*  Runs one call, on a thread of its group, with a task of that thread's; reports it. */
typedef void (*actor_runner)(struct rayc_task *task, const struct rec_run *run, uint32_t number);

/*  From what the constructor was told; false: it needs none, its calls run one after the other. */
bool actor_threads_has(struct slice group);
bool actor_threads_open(const struct rec_run *constructor, struct channel_page *page,
                        actor_runner runner);
/*  Queues a call, which is copied.  Waits while CHANNEL_WINDOW calls have not ended. */
void actor_threads_add(const struct rec_run *run, uint32_t number);
/*  Waits until all that was queued has ended. */
void actor_threads_drain(void);
/*  For a call that ends the actor, on its own thread: what is queued never begins; waits until no other one runs. */
void actor_threads_stop(void);
#endif
