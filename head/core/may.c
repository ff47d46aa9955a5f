/*  may.c - who may say what, and whose things are whose.  Messages are looked up in may.def, in one place; things are
    asked for with a peer, and what belongs to another user is answered as if it were not there. */
#include "head/core/state.h"

#include "common/bug.h"
#include "common/text.h"

enum { AUDITED_REFUSALS = 16 }; /* of one connection: it must not fill the disk */
enum {
    ADMIN = 1 << ROLE_ADMIN,
    USER = 1 << ROLE_USER,
    VIEWER = 1 << ROLE_VIEWER,
    WORKER = 1 << ROLE_WORKER,
    TICKET = 1
};

static const uint8_t allowed[MSG_KINDS] = {
#define MAY(MESSAGE, roles) [MSG_##MESSAGE] = roles,
#include "head/core/may.def"
#undef MAY
};

int core_may(const struct core *core, uint32_t number, enum msg_kind kind)
{
    uint32_t index = peer_find(core, number);
    if (index == NONE) {
        return ERR_TOKEN;
    }
    const struct peer *peer = peer_at(core, index);
    bool ticket = peer->token == NONE;
    if (ticket && !ticket_current(core, peer)) {
        return ERR_STALE;
    }
    return allowed[kind] & (ticket ? TICKET : 1u << peer->may) ? OK : ERR_FORBIDDEN;
}

bool may_say(struct core *core, uint32_t number, const struct msg *msg)
{
    int code = core_may(core, number, msg->kind);
    if (code == OK) {
        return true;
    }
    struct peer *peer = peer_at(core, peer_find(core, number));
    if (code == ERR_STALE) {
        emit_refused(core, number, msg->as.seq, code,
                     "the attempt that this program belongs to has ended");
        return false;
    }
    if (peer->refused < AUDITED_REFUSALS) {
        peer->refused++;
        audit(core, number, msg->kind, (struct slice){ 0 }, code);
    }
    char buffer[160];
    struct text text = text_in(buffer, sizeof(buffer));
    text_add(&text, peer->token == NONE ? "the ticket of an attempt" : "a token of role ");
    text_add(&text, peer->token == NONE ? "" : role_name(peer->may));
    text_add(&text, " may not do this: ");
    text_add(&text, proto_name(msg->kind));
    emit_send(core, number, MSG_REFUSED, false)->as.refused =
        (struct msg_refused){ msg->as.seq, code, scratch_put(core, buffer, text.n) };
    return false;
}

struct reader core_reader(const struct core *core, uint32_t number)
{
    uint32_t index = peer_find(core, number);
    if (index == NONE) {
        return (struct reader){ 0 };
    }
    const struct peer *peer = peer_at(core, index);
    return (struct reader){ user_at(core, peer->user)->id, peer->may };
}

bool may_touch(const struct core *core, uint32_t peer, uint64_t owner)
{
    struct reader reader = core_reader(core, peer);
    return peer == OWN_PEER || reader.may == ROLE_ADMIN || reader.user == owner ||
           RAYC_BUG(NO_OWNER);
}

bool may_see(const struct core *core, uint32_t peer, uint64_t owner)
{
    return may_touch(core, peer, owner) || core_reader(core, peer).may == ROLE_VIEWER;
}

bool core_sees_job(const struct core *core, uint32_t peer, uint64_t job)
{
    uint32_t index = job_find(core, job);
    return index != NONE && may_see(core, peer, job_at(core, index)->owner);
}

uint32_t job_of_peer(const struct core *core, uint32_t peer, uint64_t id)
{
    uint32_t index = job_find(core, id);
    return index != NONE && may_touch(core, peer, job_at(core, index)->owner) ? index : NONE;
}

uint32_t session_of_peer(const struct core *core, uint32_t peer, uint64_t id)
{
    uint32_t index = session_find(core, id);
    bool its =
        index != NONE && may_touch(core, peer, job_at(core, session_at(core, index)->job)->owner);
    return its ? index : NONE;
}

uint32_t session_of_task(const struct core *core, uint32_t peer, uint64_t task)
{
    return session_of_peer(core, peer, task_session((task_id){ task }));
}

/*  May a task of the session name this one as an argument? */
bool same_owner(const struct core *core, uint64_t session, uint64_t other_task)
{
    uint64_t other = task_session((task_id){ other_task });
    if (other == session) {
        return true;
    }
    uint32_t mine = session_find(core, session), its = session_find(core, other);
    return mine != NONE && its != NONE &&
           job_at(core, session_at(core, mine)->job)->owner ==
               job_at(core, session_at(core, its)->job)->owner;
}

/*  Whatever connection it comes by: the node's worker has said it, or one with the same token. */
bool speaks_for(const struct core *core, uint32_t number, uint32_t node)
{
    uint32_t index = peer_find(core, number);
    const struct peer *peer = index == NONE ? NULL : peer_at(core, index);
    uint64_t credential = peer && peer->token != NONE ? token_at(core, peer->token)->id : 0;
    uint64_t its = node_at(core, node)->credential;
    return its == 0 || its == credential;
}

bool core_runs_task(const struct core *core, uint32_t peer, uint64_t task)
{
    uint32_t index = task_find(core, task);
    return index == NONE || task_at(core, index)->node == NONE ||
           speaks_for(core, peer, task_at(core, index)->node);
}

void audit(struct core *core, uint32_t number, enum msg_kind action, struct slice object, int code)
{
    uint32_t index = peer_find(core, number);
    const struct peer *peer = index == NONE ? NULL : peer_at(core, index);
    uint64_t token = peer && peer->token != NONE ? token_at(core, peer->token)->id : 0;
    EMIT(core, audit, core->wall_ms, peer ? user_at(core, peer->user)->id : 1, token,
         slice_text(proto_name(action)), object, code);
}

void audit_number(struct core *core, uint32_t number, enum msg_kind action, uint64_t object,
                  int code)
{
    char digits[24];
    struct text text = text_in(digits, sizeof(digits));
    text_u64(&text, object);
    audit(core, number, action, scratch_put(core, digits, text.n), code);
}
