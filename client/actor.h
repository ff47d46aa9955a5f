/*  actor.h - the actor that this executor is: its class, its state, and the end of both.  Its threads: actor_threads.h. */
#ifndef RAYC_ACTOR_H
#define RAYC_ACTOR_H
#include "client/task.h"

#define TERMINATE "__ray_terminate__" /* a method of every actor: it ends, after earlier calls */

size_t class_count(void);

bool actor_is(void); /* this executor is one, or will be when its constructor has returned */
/*  Runs the constructor or method that `task` is. */
void actor_run(struct rayc_task *task);
/*  The actor is to end: TERMINATE has run, or rayc_exit_actor() was called.  Of the latter the caller hears nothing: that
    the actor is dead answers it. */
bool actor_ends(void);
bool actor_exits(const struct rayc_task *task); /* in this very call */
/*  Runs the destructor, once; no method runs then, and none will. */
void actor_destroy(void);
#endif
