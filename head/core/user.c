/*  user.c - users, their tokens, and the proofs of who a peer is.  Of a secret the core has the hash only, and a ticket
    has been checked by the shell before; what both give is decided here, at HELLO and at each change. */
#include "head/core/state.h"

#include "common/text.h"

enum {
    FIRST_USER = 1, /* an administrator, always; what an older rayc wrote belongs to it */
    TOKENS_PER_USER = 64,
    USER_NAME_MAX = 64
};

/* --- finding ---------------------------------------------------------------------------------- */

uint32_t user_find(const struct core *core, uint64_t id)
{
    return map_find(&core->user_ids, id);
}

uint32_t user_of(const struct core *core, uint32_t number)
{
    uint32_t index = peer_find(core, number);
    return index == NONE ? user_find(core, FIRST_USER) : peer_at(core, index)->user;
}

static uint32_t user_named(const struct core *core, struct slice name)
{
    uint32_t i = map_find(&core->user_hashes, text_hash(name));
    while (i != NONE && !slice_same(name, slice_text(user_at(core, i)->name))) {
        i = map_next(&core->user_hashes, i);
    }
    return i;
}

static uint64_t key_of(const uint8_t *hash)
{
    uint64_t key;
    memcpy(&key, hash, sizeof(key));
    return key;
}

static uint32_t token_of_hash(const struct core *core, const uint8_t *hash)
{
    uint32_t i = map_find(&core->token_hashes, key_of(hash));
    while (i != NONE && memcmp(token_at(core, i)->hash, hash, TOKEN_HASH_BYTES) != 0) {
        i = map_next(&core->token_hashes, i);
    }
    return i;
}

static bool token_ended(const struct core *core, const struct token *token)
{
    return token->revoked || (token->expires_ms != 0 && token->expires_ms <= core->wall_ms);
}

/* --- proofs ----------------------------------------------------------------------------------- */

bool ticket_current(const struct core *core, const struct peer *peer)
{
    return lease_find(core, peer->ticket_task, peer->ticket_fence) != NONE;
}

static int ticket_check(const struct core *core, const struct proof *proof, struct peer *out)
{
    uint32_t task = lease_find(core, proof->task, proof->fence);
    if (task == NONE || task_job(core, task_at(core, task))->id != proof->job ||
        (proof->node != 0 && node_at(core, task_at(core, task)->node)->id != proof->node)) {
        return ERR_TOKEN;
    }
    uint32_t user = task_job(core, task_at(core, task))->user;
    if (user_at(core, user)->disabled ||
        role_within(user_at(core, user)->role, ROLE_USER) != ROLE_USER) {
        return ERR_TOKEN;
    }
    out->user = user;
    out->token = NONE;
    out->may = ROLE_USER;
    out->ticket_task = proof->task;
    out->ticket_fence = proof->fence;
    return OK;
}

int proof_check(const struct core *core, const struct proof *proof, struct peer *out)
{
    if (!proof || proof->kind == PROOF_NONE) {
        return ERR_TOKEN;
    }
    if (proof->kind == PROOF_TICKET) {
        return ticket_check(core, proof, out);
    }
    uint32_t index = token_of_hash(core, proof->hash);
    if (index == NONE || token_ended(core, token_at(core, index))) {
        return ERR_TOKEN;
    }
    const struct token *token = token_at(core, index);
    const struct user *user = user_at(core, token->user);
    out->user = token->user;
    out->token = index;
    out->may = role_within(user->role, token->role);
    out->ticket_task = out->ticket_fence = 0;
    return user->disabled || out->may == 0 ? ERR_TOKEN : OK;
}

/*  A connection ends at once, and the node of its worker with it: WHO makes it say HELLO again. */
static void peer_cut(struct core *core, const struct peer *peer)
{
    uint32_t number = (uint32_t)peer->number;
    if (peer->node != NONE && node_at(core, peer->node)->peer == number &&
        node_at(core, peer->node)->state != NODE_DEAD) {
        emit_send(core, number, MSG_NODE_STOP, false)->as.node_stop =
            (struct msg_node_stop){ 0, 2 };
        node_lost(core, peer->node, "its token was revoked", false);
    }
    emit_send(core, number, MSG_WHO, false)->as.who = (struct msg_who){ 0, core->epoch };
    peer_gone(core, number);
}

/*  Those of a user, or of one of its tokens only. */
static void peers_cut(struct core *core, uint32_t user, uint32_t token)
{
    uint32_t next;
    for (uint32_t i = core->all_peers.first; i != NONE; i = next) {
        const struct peer *peer = peer_at(core, i);
        next = peer->all.next;
        if (peer->user == user && (token == NONE || peer->token == token)) {
            peer_cut(core, peer);
        }
    }
}

/*  Also of a program that says nothing which could be refused, as one that watches: its time is over with its attempt. */
void ticket_scan(struct core *core)
{
    uint32_t next;
    for (uint32_t i = core->all_peers.first; i != NONE; i = next) {
        const struct peer *peer = peer_at(core, i);
        next = peer->all.next;
        if (peer->token == NONE && !ticket_current(core, peer)) {
            peer_cut(core, peer);
        }
    }
}

/* --- users ------------------------------------------------------------------------------------ */

static uint32_t user_new(struct core *core, uint64_t id, struct slice name)
{
    uint32_t index = pool_take(&core->users);
    if (index == NONE) {
        return NONE;
    }
    struct user *user = user_at(core, index);
    user->id = id;
    user->hash = text_hash(name);
    user->role = ROLE_USER;
    user->jobs_max = user->tasks_max = user->object_bytes_max = UINT64_MAX;
    slice_copy_text(name, user->name, sizeof(user->name));
    map_add(&core->user_ids, index);
    map_add(&core->user_hashes, index);
    core->user_last = id > core->user_last ? id : core->user_last;
    return index;
}

static void user_write(struct core *core, const struct user *user)
{
    EMIT(core, user_put, user->id, slice_text(user->name), user->role, user->disabled,
         user->jobs_max, user->tasks_max, core->wall_ms, user->object_bytes_max);
}

void users_init(struct core *core)
{
    uint32_t index = user_new(core, FIRST_USER, slice_text("admin"));
    ensure(index != NONE);
    user_at(core, index)->role = ROLE_ADMIN;
    core->expiry_ms = UINT64_MAX;
}

void users_restored(struct core *core)
{
    if (!core->admin_kept) {
        user_write(core, user_at(core, user_find(core, FIRST_USER)));
        core->admin_kept = true;
    }
}

void user_restore(struct core *core, const struct restored *row)
{
    uint32_t index = user_find(core, row->user.id);
    index = index == NONE ? user_new(core, row->user.id, row->user.name) : index;
    ensure(index != NONE);
    struct user *user = user_at(core, index);
    user->role = row->user.role;
    user->disabled = row->user.disabled;
    user->jobs_max = row->user.jobs_max;
    user->tasks_max = row->user.tasks_max;
    user->object_bytes_max = row->user.object_bytes_max;
    core->admin_kept = core->admin_kept || row->user.id == FIRST_USER;
}

static bool name_good(struct slice name)
{
    for (size_t i = 0; i < name.n; i++) {
        uint8_t c = name.p[i];
        bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
        if (!letter && (i == 0 || (c != '.' && c != '_' && c != '-' && c != '@'))) {
            return false;
        }
    }
    return name.n > 0 && name.n <= USER_NAME_MAX;
}

static void changed(struct core *core, uint32_t peer, uint64_t seq, uint64_t id)
{
    emit_send(core, peer, MSG_CHANGED, true)->as.changed = (struct msg_changed){ seq, id };
}

/*  What is wrong with a change of a user; NULL: nothing. */
static const char *user_fault(const struct msg_user_put *msg, const struct user *user, int *code)
{
    *code = ERR_INVALID;
    if (!name_good(msg->name)) {
        return "a user's name has up to 64 letters, digits and . _ - @, and begins with a letter "
               "or digit";
    }
    if (user && user->id == FIRST_USER &&
        (msg->disabled == 1 || (msg->role != 0 && msg->role != ROLE_ADMIN))) {
        return "the first user stays an administrator: revoke its tokens instead";
    }
    *code = msg->make ? ERR_CONFLICT : ERR_NOT_FOUND;
    if (msg->make == (user != NULL)) {
        return msg->make ? "there is a user of this name" : "there is no user of this name";
    }
    return NULL;
}

void on_user_put(struct core *core, uint32_t peer, const struct msg_user_put *msg)
{
    int code;
    uint32_t index = user_named(core, msg->name);
    const char *fault = user_fault(msg, index == NONE ? NULL : user_at(core, index), &code);
    if (fault) {
        emit_refused(core, peer, msg->seq, code, fault);
        return;
    }
    index = index == NONE ? user_new(core, core->user_last + 1, msg->name) : index;
    if (index == NONE) {
        emit_refused(core, peer, msg->seq, ERR_BUSY, "the head has as many users as it can hold");
        return;
    }
    struct user *user = user_at(core, index);
    uint32_t role = user->role;
    user->role = msg->role != 0 ? msg->role : user->role;
    user->disabled = msg->disabled != 0 ? msg->disabled == 1 : user->disabled;
    user->jobs_max = msg->jobs_max != 0 ? msg->jobs_max : user->jobs_max;
    user->tasks_max = msg->tasks_max != 0 ? msg->tasks_max : user->tasks_max;
    user->object_bytes_max =
        msg->object_bytes_max != 0 ? msg->object_bytes_max : user->object_bytes_max;
    user_write(core, user);
    audit(core, peer, MSG_USER_PUT, slice_text(user->name), OK);
    changed(core, peer, msg->seq, user->id);
    if (user->disabled || user->role != role) {
        peers_cut(core, index, NONE);
    }
}

/* --- tokens ----------------------------------------------------------------------------------- */

static void token_forget(struct core *core, uint32_t index)
{
    map_remove(&core->token_ids, index);
    map_remove(&core->token_hashes, index);
    chain_remove(&core->all_tokens, &core->tokens, TOKEN_ALL, index);
    EMIT(core, token_forget, token_at(core, index)->id);
    pool_give(&core->tokens, index);
}

/*  The oldest one that has ended, if there is no room. */
static void token_room(struct core *core)
{
    uint32_t i = core->tokens.taken == core->limits.tokens ? core->all_tokens.first : NONE;
    while (i != NONE && !token_ended(core, token_at(core, i))) {
        i = token_at(core, i)->all.next;
    }
    if (i != NONE) {
        peers_cut(core, token_at(core, i)->user, i);
        token_forget(core, i);
    }
}

static uint32_t token_add(struct core *core, const struct row_token_new *row, uint32_t user)
{
    uint32_t index = pool_take(&core->tokens);
    if (index == NONE) {
        return NONE;
    }
    struct token *token = token_at(core, index);
    token->id = row->id;
    token->user = user;
    token->role = row->role;
    token->expires_ms = row->expires_ms;
    memcpy(token->hash, row->hash.p, TOKEN_HASH_BYTES);
    token->hash_key = key_of(token->hash);
    map_add(&core->token_ids, index);
    map_add(&core->token_hashes, index);
    chain_append(&core->all_tokens, &core->tokens, TOKEN_ALL, index);
    core->token_last = row->id > core->token_last ? row->id : core->token_last;
    if (row->expires_ms != 0 && row->expires_ms < core->expiry_ms) {
        core->expiry_ms = row->expires_ms;
    }
    return index;
}

void token_restore(struct core *core, const struct restored *row)
{
    uint32_t user = user_find(core, row->token.row.user);
    uint32_t index = user == NONE || row->token.row.hash.n != TOKEN_HASH_BYTES
                         ? NONE
                         : token_add(core, &row->token.row, user);
    if (index != NONE) {
        token_at(core, index)->revoked = row->token.revoked;
    }
}

static uint32_t live_tokens(const struct core *core, uint32_t user)
{
    uint32_t count = 0;
    for (uint32_t i = core->all_tokens.first; i != NONE; i = token_at(core, i)->all.next) {
        count += token_at(core, i)->user == user && !token_ended(core, token_at(core, i));
    }
    return count;
}

/*  May this peer make such a token?  OK, or a code and why not. */
static int token_fault(const struct core *core, uint32_t peer, uint32_t user, uint32_t role,
                       const char **why)
{
    struct reader asker = core_reader(core, peer);
    bool admin = peer == OWN_PEER || asker.may == ROLE_ADMIN;
    *why = "there is no user of this name";
    if (user == NONE || (!admin && user_at(core, user)->id != asker.user)) {
        return ERR_NOT_FOUND;
    }
    *why = "a token cannot do more than its user, and than the token that asks for it";
    if (role_within(user_at(core, user)->role, role) != role ||
        (!admin && role_within(asker.may, role) != role)) {
        return ERR_FORBIDDEN;
    }
    *why = "only an administrator makes tokens for workers and for metrics";
    if (!admin && (role == ROLE_WORKER || role == ROLE_METRICS)) {
        return ERR_FORBIDDEN;
    }
    *why = "the user has as many tokens as it may: revoke some";
    return !admin && live_tokens(core, user) >= TOKENS_PER_USER ? ERR_QUOTA : OK;
}

void on_token_put(struct core *core, uint32_t peer, const struct msg_token_put *msg)
{
    uint32_t user = msg->user.n == 0 ? user_of(core, peer) : user_named(core, msg->user);
    uint32_t role = msg->role != 0 ? msg->role : user == NONE ? 0 : user_at(core, user)->role;
    const char *why = "the hash of a secret has 32 bytes";
    int code =
        msg->hash.n == TOKEN_HASH_BYTES ? token_fault(core, peer, user, role, &why) : ERR_INVALID;
    uint32_t old = code == OK ? token_of_hash(core, msg->hash.p) : NONE;
    if (old != NONE) {
        const struct token *token = token_at(core, old);
        if (token->user == user && token->role == role && !token_ended(core, token)) {
            changed(core, peer, msg->seq, token->id); /* the first answer was lost */
            return;
        }
        why = "this secret was used before: make another one";
        code = ERR_CONFLICT;
    }
    if (code == OK) {
        token_room(core);
        struct row_token_new row = {
            core->token_last + 1, user_at(core, user)->id, msg->name, role, msg->hash,
            core->wall_ms,        msg->expires_ms
        };
        uint32_t index = token_add(core, &row, user);
        if (index == NONE) {
            why = "the head has as many tokens as it can hold";
            code = ERR_BUSY;
        } else {
            row.hash = slice_of(token_at(core, index)->hash, TOKEN_HASH_BYTES);
            emit_row(core, ROW_token_new, &row, sizeof(row));
            audit_number(core, peer, MSG_TOKEN_PUT, row.id, OK);
            changed(core, peer, msg->seq, row.id);
            return;
        }
    }
    if (code == ERR_FORBIDDEN || code == ERR_QUOTA) {
        audit(core, peer, MSG_TOKEN_PUT, msg->user, code);
    }
    emit_refused(core, peer, msg->seq, code, why);
}

void on_token_end(struct core *core, uint32_t peer, const struct msg_token_end *msg)
{
    uint32_t index = map_find(&core->token_ids, msg->token);
    if (index == NONE || !may_touch(core, peer, user_at(core, token_at(core, index)->user)->id)) {
        emit_refused(core, peer, msg->seq, ERR_NOT_FOUND, "there is no token of this number");
        return;
    }
    struct token *token = token_at(core, index);
    uint32_t asker = peer == OWN_PEER ? ROLE_ADMIN : core_reader(core, peer).may;
    bool lesser = role_within(asker, token->role) == token->role && token->role <= ROLE_VIEWER;
    if (asker != ROLE_ADMIN && !lesser) {
        audit_number(core, peer, MSG_TOKEN_END, token->id, ERR_FORBIDDEN);
        emit_refused(core, peer, msg->seq, ERR_FORBIDDEN,
                     "this token may do more than the one that asks for its end");
        return;
    }
    if (!token->revoked) {
        token->revoked = true;
        EMIT(core, token_end, token->id, core->wall_ms);
        audit_number(core, peer, MSG_TOKEN_END, token->id, OK);
    }
    changed(core, peer, msg->seq, token->id);
    peers_cut(core, token->user, index);
}

void on_token_check(struct core *core, uint32_t peer, const struct msg_token_check *msg)
{
    struct proof proof = { .kind = PROOF_TOKEN };
    struct peer bearer = { .may = 0 };
    bool good = msg->hash.n == TOKEN_HASH_BYTES;
    if (good) {
        memcpy(proof.hash, msg->hash.p, TOKEN_HASH_BYTES);
        good = proof_check(core, &proof, &bearer) == OK;
    }
    emit_send(core, peer, MSG_TOKEN_MAY, false)->as.token_may =
        (struct msg_token_may){ .seq = msg->seq,
                                .role = good ? bearer.may : 0,
                                .user = good ? user_at(core, bearer.user)->id : 0 };
}

/*  Whose time is over is cut off like the revoked. */
void token_scan(struct core *core)
{
    if (core->wall_ms < core->expiry_ms) {
        return;
    }
    core->expiry_ms = UINT64_MAX;
    for (uint32_t i = core->all_tokens.first; i != NONE; i = token_at(core, i)->all.next) {
        const struct token *token = token_at(core, i);
        if (token->expires_ms == 0 || token->revoked) {
            continue;
        }
        if (token_ended(core, token)) {
            peers_cut(core, token->user, i);
        } else if (token->expires_ms < core->expiry_ms) {
            core->expiry_ms = token->expires_ms;
        }
    }
}

/* --- packages --------------------------------------------------------------------------------- */

static uint64_t package_keep_ms(const struct core *core)
{
    return (uint64_t)core->config.package_keep_s * 1000;
}

/*  Names that are old, and of what no kept job needs, go; the content store drops what has no name. */
void package_scan(struct core *core)
{
    if (core->wall_ms < core->packages_ms) {
        return;
    }
    uint64_t kept_ms = package_keep_ms(core);
    EMIT(core, package_forget, core->wall_ms > kept_ms ? core->wall_ms - kept_ms : 0);
    bool younger = core->package_put_ms + kept_ms > core->wall_ms;
    core->packages_ms = younger ? core->package_put_ms + kept_ms : UINT64_MAX;
}

void on_package_put(struct core *core, uint32_t peer, const struct msg_package_put *msg)
{
    if (msg->uri.n == 0 || msg->hash.n != HASH_TEXT) {
        emit_refused(core, peer, msg->seq, ERR_INVALID,
                     "a package needs a name, and the hash of its content in 64 hex digits");
        return;
    }
    const struct user *user = user_at(core, user_of(core, peer));
    core->package_put_ms = core->wall_ms;
    if (core->packages_ms == UINT64_MAX) {
        core->packages_ms = core->wall_ms + package_keep_ms(core);
    }
    EMIT(core, package_put, user->id, msg->uri, msg->hash, msg->bytes, core->wall_ms);
    audit(core, peer, MSG_PACKAGE_PUT, msg->uri, OK);
    changed(core, peer, msg->seq, user->id);
}
