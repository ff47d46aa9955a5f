/*  actor_api.c - the functions of rayc.h about actors, for whoever has the process's session. */
#include "client/actors.h"
#include "client/failure.h"

rayc_actor rayc_actor_new(const rayc_class *class, const rayc_actor_options *options,
                          const rayc_arg *args, size_t count)
{
    struct session *self = rayc_session_();
    rayc_actor actor = { 0 };
    if (self != NULL && (class == NULL || (args == NULL && count > 0))) {
        failure_say(RAYC_EINVALID, "%s is NULL",
                    class == NULL ? "the class" : "the list of arguments");
    } else if (self != NULL && session_actor_new(self, class, options, args, count, &actor) < 0) {
        return (rayc_actor){ 0 }; /* rayc_error() says why */
    }
    return actor;
}

rayc_ref rayc_actor_call(rayc_actor actor, const rayc_method *method,
                         const rayc_method_options *options, const rayc_arg *args, size_t count)
{
    struct session *self = rayc_session_();
    if (self == NULL) {
        return (rayc_ref){ 0 };
    }
    if (method == NULL || (args == NULL && count > 0)) {
        failure_say(RAYC_EINVALID, "%s is NULL",
                    method == NULL ? "the method" : "the list of arguments");
        rayc_ref ref = { 0 };
        session_born_failed(self, 1, &ref);
        return ref;
    }
    return session_actor_call(self, actor, method, options, args, count);
}

int rayc_actor_get(const char *name, const char *space, rayc_actor *out)
{
    struct session *self = rayc_session_();
    *out = (rayc_actor){ 0 };
    if (self == NULL) {
        return RAYC_ECLOSED;
    }
    if (name == NULL || name[0] == 0) {
        return failure_say(RAYC_EINVALID, "an actor is found by its name, which is empty");
    }
    return session_actor_get(self, name, space, out);
}

int rayc_kill(rayc_actor actor, int no_restart)
{
    struct session *self = rayc_session_();
    if (self == NULL) {
        return RAYC_ECLOSED;
    }
    return actor.number != 0
               ? session_actor_kill(self, actor, no_restart == 0)
               : failure_say(RAYC_EINVALID,
                             "the handle is zero: the actor was not made, or it was dropped");
}

void rayc_actor_drop(rayc_actor *actor)
{
    if (actor == NULL || actor->number == 0) {
        return;
    }
    struct session *self = actor->slot != 0 ? rayc_session_() : NULL;
    if (self != NULL) {
        session_actor_drop(self, *actor);
    }
    *actor = (rayc_actor){ 0 };
}

rayc_arg rayc_handle(rayc_actor actor)
{
    struct session *self = actor.slot != 0 ? rayc_session_() : NULL;
    if (self != NULL) {
        session_actor_pass(self, actor);
    }
    actor.slot = 0;
    return (rayc_arg){ .value = { RAYC_ACTOR_REF, { .actor = actor } } };
}
