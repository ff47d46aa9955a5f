/*  peer.c - connections: who says HELLO, and who is gone. */
#include "head/core/state.h"

uint32_t peer_find(const struct core *core, uint32_t number)
{
    return map_find(&core->peer_map, number);
}

static void welcome(struct core *core, const struct peer *peer, uint64_t seq)
{
    const struct config *config = &core->config;
    /*  An epoch that a power cut could take back must not be heard of: its tokens would be used again. */
    struct msg *reply =
        emit_send(core, (uint32_t)peer->number, MSG_WELCOME, core->synced_number == 0);
    reply->as.welcome = (struct msg_welcome){
        .seq = seq,
        .major = PROTO_MAJOR,
        .minor = PROTO_MINOR,
        .version = slice_text(config->version),
        .epoch = core->epoch,
        .cluster = slice_text(config->cluster),
        .beat_ms = config->beat_ms,
        .lease_ms = config->lease_ms,
        .orphan_ms = config->orphan_ms,
        .embedded = config->embedded,
        .user = slice_text(user_at(core, peer->user)->name),
        .may = peer->may,
        .place = slice_text(config->place),
        .quota = user_at(core, peer->user)->object_bytes_max != UINT64_MAX,
    };
}

/*  OK, or a code and why this program is not let in. */
static int hello_fault(const struct core *core, const struct msg_hello *msg,
                       const struct proof *proof, struct peer *out, const char **why)
{
    if (msg->major != PROTO_MAJOR) {
        *why = "the head speaks another version of the protocol";
        return ERR_VERSION;
    }
    int code = proof_check(core, proof, out);
    if (code != OK) {
        *why =
            "no token, or one that is unknown, expired or revoked: use rayc login ADDRESS once, or "
            "set RAYC_TOKEN, RAYC_TOKEN_FILE or RAYC_KEY_FILE; at its own head a client reads "
            "admin.key in the state folder, a worker worker.key";
        return code;
    }
    if (msg->role == 2 && out->may != ROLE_WORKER) {
        *why = "a worker needs a token of role WORKER: worker.key in the head's state folder";
        return ERR_FORBIDDEN;
    }
    return OK;
}

void on_hello(struct core *core, uint32_t number, const struct msg_hello *msg,
              const struct proof *proof)
{
    struct peer who = { 0 };
    const char *why = "";
    int code = hello_fault(core, msg, proof, &who, &why);
    if (code != OK) {
        emit_refused(core, number, msg->seq, code, why);
        return;
    }
    uint32_t index = peer_find(core, number);
    if (index != NONE &&
        (peer_at(core, index)->user != who.user || peer_at(core, index)->token != who.token)) {
        peer_gone(core, number); /* somebody else, on the same connection */
        index = NONE;
    }
    if (index == NONE) {
        index = pool_take(&core->peers);
        if (index == NONE) {
            emit_refused(core, number, msg->seq, ERR_BUSY,
                         "the head has as many connections as it can hold");
            return;
        }
        struct peer *peer = peer_at(core, index);
        peer->number = number;
        peer->session = NONE;
        peer->node = NONE;
        map_add(&core->peer_map, index);
        chain_append(&core->all_peers, &core->peers, PEER_ALL, index);
    }
    struct peer *peer = peer_at(core, index);
    peer->role = msg->role;
    peer->may = who.may;
    peer->user = who.user;
    peer->token = who.token;
    peer->ticket_task = who.ticket_task;
    peer->ticket_fence = who.ticket_fence;
    peer->heard_ms = core->now_ms;
    welcome(core, peer, msg->seq);
}

void peer_gone(struct core *core, uint32_t number)
{
    uint32_t index = peer_find(core, number);
    if (index == NONE) {
        return;
    }
    struct peer *peer = peer_at(core, index);
    if (peer->session != NONE && session_at(core, peer->session)->peer == number) {
        session_at(core, peer->session)->peer = NONE;
        session_at(core, peer->session)->gone_ms = core->now_ms;
    }
    if (peer->node != NONE && node_at(core, peer->node)->peer == number) {
        node_at(core, peer->node)->peer = NONE;
        node_at(core, peer->node)->gone_ms = core->now_ms;
    }
    watchers_drop(core, number);
    chain_remove(&core->all_peers, &core->peers, PEER_ALL, index);
    map_remove(&core->peer_map, index);
    pool_give(&core->peers, index);
}

void session_unbind(struct core *core, uint32_t session)
{
    for (uint32_t i = core->all_peers.first; i != NONE; i = peer_at(core, i)->all.next) {
        if (peer_at(core, i)->session == session) {
            peer_at(core, i)->session = NONE;
        }
    }
}

void node_unbind(struct core *core, uint32_t node)
{
    for (uint32_t i = core->all_peers.first; i != NONE; i = peer_at(core, i)->all.next) {
        if (peer_at(core, i)->node == node) {
            peer_at(core, i)->node = NONE;
        }
    }
}

void peer_scan(struct core *core)
{
    uint32_t next;
    for (uint32_t i = core->all_peers.first; i != NONE; i = next) {
        next = peer_at(core, i)->all.next;
        if (core->now_ms - peer_at(core, i)->heard_ms > core->config.lease_ms + 2000) {
            peer_gone(core, (uint32_t)peer_at(core, i)->number);
        }
    }
}
