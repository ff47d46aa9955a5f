/*  names.h - of the simulated world: names of actors, which clients of one user compete for. */
#ifndef RAYC_SIM_NAMES_H
#define RAYC_SIM_NAMES_H
#include "head/rows.h"
#include "proto/proto.h"

struct sim;
struct client;

struct naming {        /* of a client's first actor */
    uint32_t name;     /* which; 0: it has none */
    bool if_exists;    /* that of another client will do */
    uint32_t counter;  /* of the CALL that makes it; 0: it was not drawn yet */
    bool known;        /* the head has answered */
    uint64_t found;    /* another client's that has the name: it is called instead */
    uint64_t asked_ms; /* 0: it is to be asked now */
    uint64_t commit;   /* and that was after this one */
};

struct names_seen { /* of all rows, in order */
    struct name_seen {
        uint64_t key, actor;
        uint64_t freed; /* by this commit; 0: it is held */
    } * list;
    uint32_t count, room;
};

void name_draw(struct sim *sim, struct client *self);
/*  The next call makes an actor whose name the head has not given yet: it is asked, and the call waits. */
bool name_waits(struct sim *sim, struct client *self);
void name_told(struct sim *sim, struct client *self, const struct msg_actor_named *msg);
bool name_refused(struct client *self, const struct msg_refused *msg); /* the request for it was */
/*  It turned out to be another client's. */
bool name_is_found(const struct client *self, uint32_t counter);

void seen_actor_name(struct sim *sim, const void *from);
void seen_actor_unclaim(struct sim *sim, const void *from);
void name_freed(struct sim *sim, uint64_t actor);
#endif
