/*  actor.h - actors and their calls in the core's memory, and what its files ask about them.  Private to head/core.

    An actor is a task that ends when the actor does: its attempts are the actor's incarnations, so leases, fencing,
    adoption, budgets and draining are a task's.  A call of a method is a task that takes no resources: it waits in a
    lane, and when the actor is ALIVE it is leased to the actor's node. */
#ifndef RAYC_CORE_ACTOR_H
#define RAYC_CORE_ACTOR_H
#include "common/list.h"
#include "head/core/core.h"

struct ending;
struct task;

struct actor {
    uint64_t id;        /* of its task */
    uint64_t name_hash; /* of owner, namespace and name */
    uint32_t by_id, by_name;
    uint32_t task;   /* NONE: it is DEAD, or its name is claimed and it is not made yet */
    uint32_t alive;  /* the incarnation whose constructor has returned; 0: none has */
    uint32_t killed; /* the incarnation that was asked to die, and may start again; 0: none */
    uint32_t death;  /* enum death; 0: it is not DEAD */
    uint32_t leased; /* calls that a worker has */
    bool ordered;    /* one call at a time, in order */
    bool named;
    bool checkpoint; /* it has committed one */
    bool is_due;
    uint64_t owner; /* a user */
    struct chain lanes;
    struct link_pair due;
    struct link_pair rest; /* among the dead, or the claims */
    char space[NAME_MAX_BYTES + 1];
    char name[NAME_MAX_BYTES + 1];
    char text[400]; /* of a dead one: why */
};

/*  Calls of one submitter (and concurrency group) to one actor, in the order in which they were submitted. */
struct lane {
    uint64_t key;
    uint32_t link;
    uint32_t actor, session;
    uint64_t group;
    /*  that may be leased, the first of them first; of an ordered actor: all that are not leased */
    struct chain calls;
    struct chain waiting; /* of another one: for arguments, or for their backoff */
    uint32_t users;       /* calls that have not ended */
    uint32_t leased;      /* of them */
    uint64_t newest;      /* of those that are leased; 0: none is */
    uint32_t hint;        /* where the last one came back to; NONE */
    struct link_pair in_actor;
};

#define LANE_ACTOR offsetof(struct lane, in_actor)
#define ACTOR_DUE  offsetof(struct actor, due)
#define ACTOR_REST offsetof(struct actor, rest)

/*  actor.c: from its making to its end. */
uint32_t actor_find(const struct core *core, uint64_t id);
bool actor_room(struct core *core,
                uint64_t id); /* for one with this id; the oldest dead one goes */
void actor_make(struct core *core, uint32_t task);
uint32_t actor_new(struct core *core, uint64_t id, uint64_t owner);
void actor_forget(struct core *core, uint32_t index);
bool actor_alive(const struct core *core, const struct actor *actor);
bool actor_lasts(const struct core *core, uint64_t id); /* it is made, and not dead */
/*  It will start, or its budget allows that it does when its process dies. */
bool actor_may_restart(const struct core *core, const struct actor *actor);
void actor_lives(struct core *core, uint32_t task, uint64_t started_ms); /* its worker says so */
void actor_ended(struct core *core, uint32_t index, const struct ending *how); /* its task did */
/*  It lived, and somebody wanted its end: its task has not failed. */
bool actor_had_its_time(const struct core *core, const struct task *task, uint32_t failure);
void actor_settled(struct core *core, uint32_t index); /* no worker has a call of it any more */
bool actor_waits(const struct core *core, const struct task *task); /* until then */
void actor_wake(struct core *core, uint32_t index);
void actors_wake(struct core *core, uint32_t node); /* those that live there */
void actors_work(struct core *core);
void actor_restore(struct core *core, const struct restored *row);
void actors_restored(struct core *core);
void on_actor_kill(struct core *core, uint32_t peer, const struct msg_actor_kill *msg);
void on_actor_alive(struct core *core, uint32_t peer, const struct msg_actor_alive *msg);

/*  actor_name.c: who has which name. */
void on_actor_name(struct core *core, uint32_t peer, const struct msg_actor_name *msg);
void on_actor_find(struct core *core, uint32_t peer, const struct msg_actor_find *msg);
void actor_named(struct core *core, uint32_t index, struct slice space, struct slice name);
void actor_unnamed(struct core *core, uint32_t index);
void claim_drop(struct core *core, uint64_t id); /* this task, which is new, is no actor */
void claims_drop(struct core *core,
                 uint64_t session); /* names that its session claimed for nothing */

/*  actor_call.c: lanes.  All of these are about a task of kind SPEC_METHOD. */
/*  OK, ERR_NOT_FOUND: no such actor of this user; ERR_BUSY: no room. */
int lane_get(struct core *core, uint32_t session, uint32_t spec, uint64_t actor, uint32_t *out);
void lane_take(struct core *core, uint32_t lane, uint32_t task); /* a new one */
void lane_put(struct core *core, uint32_t lane);                 /* one has ended */
void call_join(struct core *core,
               uint32_t task); /* it is not leased: into its lane, in its place */
void call_leave(struct core *core, uint32_t task); /* and out of it */
void call_ready(struct core *core, uint32_t task);
void call_held(struct core *core, uint32_t task); /* it is leased */
void call_released(struct core *core, uint32_t task);
void call_ended(struct core *core, uint32_t task, const struct rec_done *done, struct ending *how);
bool call_outlived(const struct core *core, uint32_t task,
                   uint32_t outcome); /* by its actor, as it seems */
void call_lost(struct core *core, uint32_t task,
               struct ending *how); /* it had begun, or may have */
/*  It is leased, and an earlier one of its lane has come back. */
bool call_overtakes(const struct core *core, uint32_t task);
void lane_work(struct core *core, uint32_t lane); /* leases what may be */
void lane_fail(struct core *core, uint32_t lane); /* its actor is DEAD */
#endif
