/*  actors.c - an actor is a task of this session that lasts; calls of its methods are tasks, too. */
#include "client/actors.h"

#include <stdlib.h>
#include <unistd.h>
#include "client/actor.h"
#include "client/actor_options.h"
#include "client/failure.h"
#include "client/serve.h"
#include "client/submit.h"
#include "common/ids.h"

enum { AGAIN_US = 5000 };

/* --- making ----------------------------------------------------------------------------------- */

/*  Under the lock, which is not held meanwhile: the next counter gets a name.  1: another actor has it: *actor. */
static int claim(struct session *self, const rayc_actor_options *options, uint64_t *actor)
{
    struct msg_actor_name ask = { .session = self->id,
                                  .counter = self->outbox.next,
                                  .space = slice_text(options->space),
                                  .name = slice_text(options->name),
                                  .if_exists = options->get_if_exists != 0 };
    struct reply reply;
    self->naming = true;
    pthread_mutex_unlock(&self->lock);
    int rc;
    while ((rc = session_ask(self, MSG_ACTOR_NAME, &ask, RAYC_FOREVER, &reply)) == RAYC_EBUSY) {
        usleep(AGAIN_US); /* another program is making it, or the head is full: as with a submit */
    }
    if (rc == RAYC_OK) {
        *actor = reply.msg.as.actor_named.actor;
        rc = reply.msg.as.actor_named.existed != 0;
        reply_free(&reply);
    }
    pthread_mutex_lock(&self->lock);
    self->naming = false;
    pthread_cond_broadcast(&self->changed);
    return rc;
}

static rayc_actor handle_of(struct session *self, uint64_t actor, const rayc_actor_options *options,
                            bool mine)
{
    struct handle handle = { .actor = actor,
                             .pending_max = options->max_pending_calls,
                             .mine = mine && options->name == NULL && !options->detached };
    return (rayc_actor){ actor, options->max_task_retries, handles_add(&self->handles, &handle) };
}

/*  Under the lock. */
static int make(struct session *self, struct actor_draft *draft, const rayc_actor_options *options,
                const rayc_arg *args, size_t count, rayc_actor *out)
{
    struct rec_call call = { 0 };
    struct wire spec = { 0 };
    uint64_t holder = 0;
    int rc = options->name != NULL ? claim(self, options, &holder) : 0;
    if (rc > 0) {
        *out = handle_of(self, holder, options, false);
        return RAYC_OK;
    }
    rc = rc < 0 ? rc : session_usable(self);
    rc = rc < 0 ? rc : submit_args(self, args, count, &call);
    draft->spec.record.program = slice_text(self->program);
    rc = rc < 0 ? rc : submit_spec(self, &draft->spec, &spec);
    if (rc >= 0) {
        call.spec = (uint32_t)rc;
        rayc_ref ref = submit_call(self, &call, slice_of(spec.p, spec.n));
        refs_drop(&self->refs, task_counter((task_id){ ref.number }), 0);
        *out = handle_of(self, ref.number, options, true);
    }
    submit_end(self);
    free(spec.p);
    return rc < 0 ? rc : RAYC_OK;
}

int session_actor_new(struct session *self, const rayc_class *class,
                      const rayc_actor_options *options, const rayc_arg *args, size_t count,
                      rayc_actor *out)
{
    rayc_actor_options complete;
    struct actor_draft draft;
    int rc = actor_options_complete(&complete, options);
    rc = rc < 0 ? rc : actor_options_draft(&draft, class, &complete);
    if (rc < 0) {
        return rc;
    }
    pthread_mutex_lock(&self->lock);
    rc = submit_begin(self);
    rc = rc < 0 ? rc : make(self, &draft, &complete, args, count, out);
    if (rc == RAYC_OK && complete.name != NULL) { /* whoever hears of it now can find it */
        rc = session_wait_accepted(self, (task_id){ out->number });
    }
    pthread_mutex_unlock(&self->lock);
    return rc;
}

int session_actor_get(struct session *self, const char *name, const char *space, rayc_actor *out)
{
    struct msg_actor_find ask = { .session = self->id,
                                  .space = slice_text(space),
                                  .name = slice_text(name) };
    struct reply reply;
    int rc = session_ask(self, MSG_ACTOR_FIND, &ask, RAYC_FOREVER, &reply);
    if (rc == RAYC_OK) {
        *out = (rayc_actor){ .number = reply.msg.as.actor_named.actor };
        reply_free(&reply);
    }
    return rc;
}

/* --- calling ---------------------------------------------------------------------------------- */

/*  Under the lock: the index of the spec of a call; *spec (malloced) is set when it is new. */
static int method_spec(struct session *self, rayc_actor actor, const rayc_method *method,
                       const rayc_method_options *options, struct wire *spec)
{
    rayc_method_options complete;
    struct spec_draft draft;
    struct method_spec *known =
        options == NULL ? handles_spec(&self->handles, method, actor.max_task_retries) : NULL;
    if (known != NULL && known->spec != 0) {
        return (int)known->spec;
    }
    int rc = method_options_complete(&complete, options);
    rc = rc < 0 ? rc : method_options_draft(&draft, method, &complete, actor.max_task_retries);
    rc = rc < 0 ? rc : submit_spec(self, &draft, spec);
    if (rc > 0 && known != NULL) {
        known->spec = (uint32_t)rc;
    }
    return rc;
}

/*  Under the lock: may the actor be called through this handle? */
static int may_call(struct session *self, rayc_actor actor)
{
    const struct handle *handle = handles_at(&self->handles, actor);
    if (actor.number == 0) {
        return failure_say(RAYC_EINVALID,
                           "the handle is zero: the actor was not made, or it was dropped");
    }
    if (actor.slot != 0 && handle == NULL) {
        return failure_say(RAYC_ENOTFOUND, "the handle was dropped, or is of another program");
    }
    if (handle != NULL && handle->pending_max > 0 && handle->pending >= handle->pending_max) {
        return failure_say(RAYC_EBUSY, "%u calls of the actor have not ended: max_pending_calls",
                           handle->pending);
    }
    return RAYC_OK;
}

/*  Under the lock. */
static rayc_ref call_method(struct session *self, rayc_actor actor, const rayc_method *method,
                            const rayc_method_options *options, struct rec_call *call)
{
    struct wire spec = { 0 };
    rayc_ref ref = { 0 };
    int rc = method_spec(self, actor, method, options, &spec);
    if (rc < 0) {
        return submit_failed(self);
    }
    call->spec = (uint32_t)rc;
    call->actor = actor.number;
    ref = submit_call(self, call, slice_of(spec.p, spec.n));
    free(spec.p);
    if (self->config.ticket != NULL && actor.number == serve_actor()) {
        handles_own_call(&self->handles, ref.number);
    }
    const struct handle *handle = handles_at(&self->handles, actor);
    if (handle != NULL && handle->pending_max > 0) {
        handles_call(&self->handles, actor.slot, ref.number);
    }
    return ref;
}

rayc_ref session_actor_call(struct session *self, rayc_actor actor, const rayc_method *method,
                            const rayc_method_options *options, const rayc_arg *args, size_t count)
{
    rayc_ref ref = { 0 };
    struct rec_call call = { 0 };
    pthread_mutex_lock(&self->lock);
    int rc = submit_begin(self);
    if (rc == RAYC_OK) {
        rc = may_call(self, actor);
        rc = rc < 0 ? rc : submit_args(self, args, count, &call);
        ref = rc < 0 ? submit_failed(self) : call_method(self, actor, method, options, &call);
        submit_end(self);
    }
    pthread_mutex_unlock(&self->lock);
    return ref;
}

/* --- ending ----------------------------------------------------------------------------------- */

int session_actor_kill(struct session *self, rayc_actor actor, bool restart)
{
    pthread_mutex_lock(&self->lock);
    int rc = session_wait_accepted(self, (task_id){ actor.number });
    pthread_mutex_unlock(&self->lock);
    struct msg_actor_kill ask = { .actor = actor.number, .restart = restart };
    struct reply reply;
    rc = rc < 0 ? rc : session_ask(self, MSG_ACTOR_KILL, &ask, RAYC_FOREVER, &reply);
    if (rc == RAYC_OK) {
        reply_free(&reply);
    }
    return rc;
}

void session_actor_drop(struct session *self, rayc_actor actor)
{
    static const rayc_method terminate = { TERMINATE, NULL };
    static const uint8_t no_args[] = { 0x90 }; /* an empty array */
    pthread_mutex_lock(&self->lock);
    int rc = submit_begin(self);
    const struct handle *handle = rc == RAYC_OK ? handles_at(&self->handles, actor) : NULL;
    if (handle != NULL && handle->mine) {
        struct rec_call call = { .args = slice_of(no_args, sizeof(no_args)) };
        rayc_ref ref = call_method(self, actor, &terminate, NULL, &call);
        if ((ref.number & BORN_FAILED) == 0) {
            refs_drop(&self->refs, task_counter((task_id){ ref.number }), 0);
        }
    }
    if (handle != NULL) {
        handles_drop(&self->handles, actor.slot);
    }
    pthread_mutex_unlock(&self->lock);
}

void session_actor_pass(struct session *self, rayc_actor actor)
{
    pthread_mutex_lock(&self->lock);
    handles_pass(&self->handles, actor.number);
    pthread_mutex_unlock(&self->lock);
}
