/*  actor_name.c - names of actors: unique per owner and namespace among those that are not DEAD.  A name is claimed
    for an actor before its CALL comes, so that who asks for a taken one is told before it makes anything. */
#include "head/core/actor.h"

#include "common/bug.h"
#include "common/text.h"
#include "head/core/state.h"

/*  A job has a namespace of its own for actors that are given none. */
static struct slice space_of(struct core *core, struct slice asked, uint32_t session)
{
    if (asked.n > 0) {
        return asked;
    }
    char buffer[32];
    struct text text = text_in(buffer, sizeof(buffer));
    text_add(&text, "job-");
    text_u64(&text, job_at(core, session_at(core, session)->job)->id);
    return scratch_put(core, buffer, text.n);
}

static uint64_t name_key(uint64_t owner, struct slice space, struct slice name)
{
    return (text_hash(space) * 0x100000001b3u ^ text_hash(name)) + owner * 0x9e3779b97f4a7c15u;
}

static uint32_t name_find(const struct core *core, uint64_t owner, struct slice space,
                          struct slice name)
{
    uint32_t i = map_find(&core->actor_names, name_key(owner, space, name));
    while (i != NONE && !(actor_at(core, i)->owner == owner &&
                          slice_same(space, slice_text(actor_at(core, i)->space)) &&
                          slice_same(name, slice_text(actor_at(core, i)->name)))) {
        i = map_next(&core->actor_names, i);
    }
    return i;
}

void actor_named(struct core *core, uint32_t index, struct slice space, struct slice name)
{
    struct actor *actor = actor_at(core, index);
    slice_copy_text(space, actor->space, sizeof(actor->space));
    slice_copy_text(name, actor->name, sizeof(actor->name));
    actor->name_hash = name_key(actor->owner, space, name);
    actor->named = true;
    map_add(&core->actor_names, index);
}

void actor_unnamed(struct core *core, uint32_t index)
{
    struct actor *actor = actor_at(core, index);
    if (actor->named) {
        map_remove(&core->actor_names, index);
        actor->named = false;
    }
}

static void tell_named(struct core *core, uint32_t peer, uint64_t seq, uint64_t actor, bool existed)
{
    emit_send(core, peer, MSG_ACTOR_NAMED, true)->as.actor_named =
        (struct msg_actor_named){ seq, actor, existed };
}

/*  The text of a refusal; NULL: the name may be claimed for this task. */
static const char *claim_fault(struct core *core, const struct session *session,
                               const struct msg_actor_name *msg, int *code)
{
    *code = ERR_INVALID;
    if (msg->name.n == 0) {
        return "the name of an actor is not empty";
    }
    if (msg->counter < session->below ||
        actor_find(core, task_id_of(session->id, msg->counter).v) != NONE) {
        return "a name is for an actor that is not made yet, and there is one for each";
    }
    *code = ERR_BUSY;
    return actor_room(core, 0) ? NULL : "the head has as many actors as it can hold";
}

void on_actor_name(struct core *core, uint32_t peer, const struct msg_actor_name *msg)
{
    uint32_t session_index = session_of_request(core, peer, msg->seq, msg->session, true);
    if (session_index == NONE) {
        return;
    }
    const struct session *session = session_at(core, session_index);
    uint64_t owner = job_at(core, session->job)->owner;
    uint64_t id = task_id_of(session->id, msg->counter).v;
    struct slice space = space_of(core, msg->space, session_index);
    uint32_t holder = RAYC_BUG(NAME_TWICE) ? NONE : name_find(core, owner, space, msg->name);
    uint64_t has = holder == NONE ? 0 : actor_at(core, holder)->id;
    int code = OK;
    if (has != 0 && has != id && msg->if_exists && actor_at(core, holder)->task == NONE) {
        emit_refused(core, peer, msg->seq, ERR_BUSY,
                     "an actor of this name is being made: ask again");
        return;
    }
    if (has != 0 && (has == id || msg->if_exists)) {
        tell_named(core, peer, msg->seq, has, has != id); /* has == id: it asks again */
        return;
    }
    if (has != 0) {
        emit_refused(core, peer, msg->seq, ERR_CONFLICT,
                     "an actor that is not dead has this name in this namespace: take another one, "
                     "kill that actor, or ask for it (get if exists)");
        return;
    }
    const char *fault = claim_fault(core, session, msg, &code);
    if (fault) {
        emit_refused(core, peer, msg->seq, code, fault);
        return;
    }
    uint32_t index = actor_new(core, id, owner);
    actor_named(core, index, space, msg->name);
    chain_append(&core->claims, &core->actors, ACTOR_REST, index);
    EMIT(core, actor_name, id, owner, space, msg->name);
    tell_named(core, peer, msg->seq, id, false);
}

void on_actor_find(struct core *core, uint32_t peer, const struct msg_actor_find *msg)
{
    uint32_t session = session_of_peer(core, peer, msg->session);
    uint32_t index = NONE;
    if (session != NONE) {
        index = name_find(core, job_at(core, session_at(core, session)->job)->owner,
                          space_of(core, msg->space, session), msg->name);
    }
    if (index == NONE || actor_at(core, index)->task == NONE) { /* or it is not made yet */
        emit_refused(core, peer, msg->seq, ERR_NOT_FOUND,
                     "no actor that is not dead has this name in this namespace");
        return;
    }
    tell_named(core, peer, msg->seq, actor_at(core, index)->id, true);
}

void claim_drop(struct core *core, uint64_t id)
{
    uint32_t index = core->claims.count > 0 ? actor_find(core, id) : NONE;
    if (index != NONE) {
        EMIT(core, actor_unclaim, id);
        actor_forget(core, index);
    }
}

void claims_drop(struct core *core, uint64_t session)
{
    uint32_t next;
    for (uint32_t i = core->claims.first; i != NONE; i = next) {
        next = actor_at(core, i)->rest.next;
        if (task_session((task_id){ actor_at(core, i)->id }) == session) {
            EMIT(core, actor_unclaim, actor_at(core, i)->id);
            actor_forget(core, i);
        }
    }
}
