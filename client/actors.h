/*  actors.h - actors of a session: made, named, called, killed, given up.  For any thread; failures as in session.h. */
#ifndef RAYC_ACTORS_H
#define RAYC_ACTORS_H
#include "client/session.h"

int session_actor_new(struct session *self, const rayc_class *class,
                      const rayc_actor_options *options, const rayc_arg *args, size_t count,
                      rayc_actor *out);
rayc_ref session_actor_call(struct session *self, rayc_actor actor, const rayc_method *method,
                            const rayc_method_options *options, const rayc_arg *args, size_t count);
int session_actor_get(struct session *self, const char *name, const char *space, rayc_actor *out);
int session_actor_kill(struct session *self, rayc_actor actor, bool restart);
void session_actor_drop(struct session *self, rayc_actor actor);
void session_actor_pass(struct session *self, rayc_actor actor); /* it becomes an argument */
#endif
