/*  actor.h - of the simulated world: actors that clients make, call and kill, and what must hold of them. */
#ifndef RAYC_SIM_ACTOR_H
#define RAYC_SIM_ACTOR_H
#include "head/rows.h"
#include "proto/proto.h"

struct sim;
struct client;
struct item;
struct task_seen;

enum {
    ACTOR_PLAN = 6, /* index of the spec of a client's actors, and of the calls of their methods */
    CALL_PLAN = 7
};
#define SEQ_ACTOR (1ull << 59) /* of a request about an actor: its answer says nothing */

struct lanes_seen {
    struct lane_seen { /* of one submitter to one actor */
        uint64_t actor, session;
        uint64_t last; /* the newest call that has begun */
    } * list;
    uint32_t count, room;
};

/*  A client's specs for actors and calls, if it has any; and some of its calls become such. */
void actor_specs(struct sim *sim, struct client *self);
void actor_draw(struct sim *sim, struct client *self, uint32_t counter);
/*  The id of the actor that is called; 0: it is no call of one. */
uint64_t actor_called(const struct client *self, uint32_t counter);
/*  When all else has ended, or nothing may hold CPUs any longer, its actors are killed.  True: it has asked for that. */
bool actor_asks(struct sim *sim, struct client *self);
/*  Those of its actors that live on when it leaves: somebody else ends them, later. */
uint32_t actors_detached(const struct client *self);
void seen_actor_new(struct sim *sim, const void *from);

/*  An attempt begins: of an actor, no other process of it lives; of a call that begins for the first time, no later
    one of its lane has begun. */
void actor_begins(struct sim *sim, uint32_t node, uint32_t executor, const struct item *item,
                  uint32_t starts);
/*  A call has ended well, with what it has committed: that is what the next incarnation starts from. */
void actor_committed(struct sim *sim, uint64_t actor, uint64_t hash);
/*  And has some argument of that call inside: `sealed`, which is at the start of `bytes`, grows by that. */
void actor_saves(struct sim *sim, uint64_t call, struct list *sealed, uint8_t *bytes,
                 size_t capacity);
/*  An actor that is not dead, and whose newest checkpoint has the object of this task inside; 0: there is none. */
uint64_t actor_keeps(const struct sim *sim, uint64_t task);
void seen_actor_checkpoint(struct sim *sim, const void *from);
void actor_sent(struct sim *sim, const struct rec_start *start);
void actor_killed(struct sim *sim, const struct msg_changed *msg);
void seen_actor_dead(struct sim *sim, const void *from);
/*  It is a detached actor, or has been submitted by one: it goes on when its job has ended. */
bool actor_lingers(struct sim *sim, const struct task_seen *task);
void rule_root(struct sim *sim, const struct task_seen *task); /* it is leased */
/*  It is given up, because whoever has submitted it is gone. */
void rule_orphan(struct sim *sim, const struct task_seen *task, uint32_t failure);
/*  The session of its executor is refused, or has been closed. */
void rule_session(struct sim *sim, const struct client *self);
void actors_fini(struct sim *sim);
#endif
