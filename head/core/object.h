/*  object.h - objects: values that nodes store, or that have references inside.  Private to head/core.

    An object is here from the moment somebody other than its task's row must know of it until nothing holds it and no
    node has a copy.  What is here is `struct object`; who holds it, `struct hold`; which node has it, `struct copy`. */
#ifndef RAYC_CORE_OBJECT_H
#define RAYC_CORE_OBJECT_H
#include "common/list.h"
#include "common/map.h"
#include "head/core/core.h"

struct task;
struct ending;

enum {
    DROP_AGAIN_MS = 2000, /* an OBJECT_DROP that was not answered is said again */
    STORE_ROW_MS = 2000   /* how full a store is is written at most so often */
};

/*  Index in its row: not a value of the task, but what its arguments have inside.  And as rows are read: what the newest
    checkpoint of an actor has. */
#define ARGUMENTS  UINT32_MAX
#define CHECKPOINT (UINT32_MAX - 1)

struct object {
    uint64_t task; /* key of the map */
    uint64_t size; /* bytes in stores; 0: it is inline */
    uint32_t link;
    uint32_t index;
    uint32_t refs;        /* holds on it, and its session's own */
    uint32_t holds;       /* first hold on it */
    uint32_t copies;      /* first copy: the primary */
    struct link_pair due; /* in the list of those to look at: nothing holds it */
    uint8_t state;        /* enum directory_state */
    uint8_t reason;       /* of a LOST one */
    bool owned;           /* its session holds it */
    bool pinned;          /* there was no room for a hold: it stays until its session has ended */
    bool is_due;
    uint8_t rebuilds; /* times that its task has run again for it */
    uint32_t user;    /* whose it is; NONE: of a job that is deleted */
};
_Static_assert(sizeof(struct object) <= 56,
               "100 bytes per live object, with a copy and its place in the map");

/*  `by` a task (it waits for the object or uses it), a borrower's session, or what has it inside. */
struct hold {
    uint64_t by; /* key of the map: see BY_... */
    uint32_t link;
    uint32_t object;
    struct link_pair on; /* among those on the object */
};
#define BY_TASK(id)    (id)
#define BY_SESSION(id) task_id_of(id, 0).v
#define BY_ARGUMENTS(id)                                                                           \
    (1ull << 63 | (id)) /* inside of the arguments of a task, or it will return it */
#define BY_OBJECT(index)     (1ull << 63 | (index))
#define BY_CHECKPOINT(actor) (1ull << 63 | 1ull << 32 | (actor)) /* the newest one of it */

struct copy {
    uint32_t object;
    uint32_t next; /* of the object */
    uint32_t node;
    struct link_pair in_node; /* in its node's copies, or in those that it was told to drop */
    uint8_t how;              /* enum copy_kind of proto.h */
    bool dropping;            /* nothing holds the object: */
    bool told;                /* and the node was told so */
    bool seen;                /* by the list of all being read */
};

/*  What a node has to do with objects. */
struct node_objects {
    struct chain copies;
    struct chain drops;
    uint64_t stock_next;             /* number of the STOCK that comes next */
    uint64_t drop_ms;                /* when its drops are said again */
    uint64_t used, spilled, said_ms; /* of its store, as in its row, and since when */
    bool listed;                     /* all of its copies are known, since this head has started */
    char address[NAME_MAX_BYTES + 1];
};

struct object_directory {
    struct pool all, holds, copies;
    struct map by_task, by_holder;
    struct chain released; /* nothing holds these, or so it seemed */
    uint32_t unswept;      /* slots of `all` that a sweep has still to look at */
    uint64_t drop_last;    /* of the newest OBJECT_DROP of this head */
};

/*  object.c: what is held. */
void on_refs(struct core *core, uint32_t peer, const struct msg_refs *msg);
void refs_resumed(struct core *core, uint32_t session);
bool objects_allow(const struct core *core,
                   const struct rec_call *call); /* is there room for what it holds and makes? */
/*  A task was accepted: what it waits for and has inside is held by it.  A put: it is an object. */
void objects_called(struct core *core, uint64_t task, const struct rec_call *call, bool put);
/*  A task has finished with these at this node; what is not among them is in its row. */
void objects_sealed(struct core *core, uint64_t task, struct list sealed, uint64_t node);
/*  It holds nothing any more; `holds`: TASK_HOLDS. */
void objects_task_ended(struct core *core, uint64_t task, bool holds);
/*  A call has committed a checkpoint of this actor, which holds what it has inside instead of what the one before had;
    that is what is in `sealed`. */
struct list objects_checkpointed(struct core *core, uint32_t actor, struct list sealed);
void objects_actor_dead(struct core *core, uint32_t actor);
void objects_session_ended(struct core *core, uint32_t session);
void objects_forget(struct core *core, uint64_t first,
                    uint64_t last);   /* with rows of their tasks */
void objects_work(struct core *core); /* what nothing holds goes: a bounded piece of it */
bool objects_busy(const struct core *core);
uint64_t objects_check(const struct core *core); /* 0, or the task of a wrong one */

/*  object_quota.c: how much of them users have. */
/*  What a user makes is kept only if it may have so much: else `how` becomes a failure. */
void quota_judge(struct core *core, uint32_t user, struct ending *how);
void quota_judge_result(struct core *core, const struct task *task, struct ending *how);
/*  What a node has sealed for a task that has failed goes again. */
void objects_refused(struct core *core, uint64_t task, struct list sealed, uint64_t node);

/*  object_copy.c: where it is. */
void on_stock(struct core *core, uint32_t peer, const struct msg_stock *msg);
/*  A report that is refused, or told again: what it has sealed, and is not known to be there, is nobody's.  Its node is told so before the next START: later,
    the task may seal it there again. */
void copies_refused(struct core *core, uint32_t node, const struct rec_done *done);
void on_where(struct core *core, uint32_t peer, const struct msg_where *msg);
void on_fetch_failed(struct core *core, uint32_t peer, const struct msg_fetch_failed *msg);
/*  A list of all that it has follows. */
void copies_joined(struct core *core, uint32_t node, const struct msg_node_join *msg, bool is_new);
void store_heard(struct core *core, uint32_t node, const struct msg_node_beat *msg); /* how full */
bool copies_lost(struct core *core, uint32_t node); /* of a dead node; false: not all yet */
/*  Of the nodes that take work the one that has most bytes of what it uses; NONE: nothing of it is in a store. */
uint32_t objects_near(const struct core *core, uint64_t task);
struct list object_sources(struct core *core, uint64_t task); /* of what it uses, for its START */

/*  object_lost.c: no node has it any more. */
void on_free(struct core *core, uint32_t peer, const struct msg_free *msg);
bool objects_lost(const struct core *core, uint64_t task); /* something that it uses is */
void object_argument(struct core *core, uint64_t task, uint64_t dep);
void objects_looked_up(struct core *core, const struct event *event);

/*  object_rebuild.c: its task runs once more. */
/*  A task that is needed now: waits it for one that is made again?  Then it is WAITING. */
bool objects_await(struct core *core, uint32_t task);
/*  Of a task with the flag TASK_REBUILD: its attempt is void, and another one may be charged; it is over. */
void rebuild_again(struct core *core, const struct task *task, bool charged);
void rebuild_end(struct core *core, uint32_t index, const struct ending *how);
void rebuild_restore(struct core *core, const struct restored *row);

/*  object_restore.c: rows back into memory. */
void object_restore(struct core *core, const struct restored *row);
void objects_restored(struct core *core);
#endif
