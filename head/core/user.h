/*  user.h - users, their tokens and their connections in the core's memory, and what its files ask about them.  Private to
    head/core. */
#ifndef RAYC_CORE_USER_H
#define RAYC_CORE_USER_H
#include "common/list.h"
#include "head/core/core.h"

struct line_first { /* of the tasks that wait, those of one priority are next */
    int32_t priority;
    int64_t place_ms;  /* the place in line of the first of them */
    int64_t others_ms; /* and of the first of any other priority */
};

struct user { /* all are kept: what they own has their numbers */
    uint64_t id;
    uint64_t hash; /* of its name */
    uint32_t by_id, by_hash;
    uint32_t role;
    bool disabled;
    uint64_t jobs_max, tasks_max; /* unfinished ones; UINT64_MAX: no limit */
    uint64_t jobs, tasks;         /* that it has */
    uint64_t object_bytes_max;    /* in stores; UINT64_MAX: no limit */
    uint64_t object_bytes;        /* object_quota.c */
    struct line_first first;      /* line.c */
    char name[NAME_MAX_BYTES + 1];
};

struct token {
    uint64_t id;
    uint64_t hash_key; /* the first bytes of `hash` */
    uint32_t by_id, by_hash;
    uint32_t user;
    uint32_t role;
    bool revoked;
    uint64_t expires_ms; /* wall clock; 0: never */
    struct link_pair all;
    uint8_t hash[TOKEN_HASH_BYTES];
};

struct peer {
    uint64_t number; /* as the net knows it */
    uint32_t link;
    uint32_t role;    /* as it says: 1 client, 2 worker */
    uint32_t may;     /* enum role: what its proof gives */
    uint32_t user;    /* index */
    uint32_t token;   /* index; NONE: it has a ticket */
    uint32_t refused; /* what it may not do, and tried */
    uint64_t ticket_task, ticket_fence;
    uint32_t session; /* index; NONE */
    uint32_t node;    /* index; NONE */
    uint64_t heard_ms;
    struct link_pair all;
};

/*  peer.c: connections. */
uint32_t peer_find(const struct core *core, uint32_t number);
void on_hello(struct core *core, uint32_t peer, const struct msg_hello *msg,
              const struct proof *proof);
void peer_gone(struct core *core, uint32_t number);
void peer_scan(struct core *core);
void node_unbind(struct core *core, uint32_t node);

/*  may.c: who may say what, and whose things are whose.  What is another user's is not there. */
enum { OWN_PEER = 0 }; /* the head itself */
bool may_say(struct core *core, uint32_t peer,
             const struct msg *msg); /* false: it was refused, and audited */
bool may_touch(const struct core *core, uint32_t peer, uint64_t owner);
bool may_see(const struct core *core, uint32_t peer, uint64_t owner);
uint32_t job_of_peer(const struct core *core, uint32_t peer,
                     uint64_t id); /* that it may touch; NONE */
uint32_t session_of_peer(const struct core *core, uint32_t peer, uint64_t id);
uint32_t session_of_task(const struct core *core, uint32_t peer, uint64_t task);
bool same_owner(const struct core *core, uint64_t session, uint64_t other_task);
bool speaks_for(const struct core *core, uint32_t peer, uint32_t node);
void audit(struct core *core, uint32_t peer, enum msg_kind action, struct slice object, int code);
void audit_number(struct core *core, uint32_t peer, enum msg_kind action, uint64_t object,
                  int code);

/*  user.c: users, their tokens, and the proofs of who a peer is. */
int proof_check(const struct core *core, const struct proof *proof, struct peer *out);
bool ticket_current(const struct core *core, const struct peer *peer);
uint32_t user_find(const struct core *core, uint64_t id);
uint32_t user_of(const struct core *core, uint32_t peer); /* index; the first user of the head */
void users_init(struct core *core);
void users_restored(struct core *core);
void user_restore(struct core *core, const struct restored *row);
void token_restore(struct core *core, const struct restored *row);
void token_scan(struct core *core);
void ticket_scan(struct core *core);
void package_scan(struct core *core);
void on_user_put(struct core *core, uint32_t peer, const struct msg_user_put *msg);
void on_token_put(struct core *core, uint32_t peer, const struct msg_token_put *msg);
void on_token_end(struct core *core, uint32_t peer, const struct msg_token_end *msg);
void on_token_check(struct core *core, uint32_t peer, const struct msg_token_check *msg);
void on_package_put(struct core *core, uint32_t peer, const struct msg_package_put *msg);
#endif
