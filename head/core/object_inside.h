/*  object_inside.h - what the files about objects share: object.c (who holds them), object_copy.c (who has them),
    object_lost.c (nobody has), object_restore.c. */
#ifndef RAYC_CORE_OBJECT_INSIDE_H
#define RAYC_CORE_OBJECT_INSIDE_H
#include "head/core/state.h"

#define OBJECT_DUE offsetof(struct object, due)
#define COPY_NODE  offsetof(struct copy, in_node)

static inline struct object *object_at(const struct core *core, uint32_t index)
{
    return pool_at(&core->objects.all, index);
}
static inline struct hold *hold_at(const struct core *core, uint32_t index)
{
    return pool_at(&core->objects.holds, index);
}
static inline struct copy *copy_at(const struct core *core, uint32_t index)
{
    return pool_at(&core->objects.copies, index);
}

/*  object.c */
uint32_t object_any(const struct core *core, uint64_t task, uint32_t index); /* also a FREED one */
uint32_t object_find(const struct core *core, uint64_t task, uint32_t index);
uint32_t object_new(struct core *core, uint64_t task, uint32_t at, enum directory_state state);
void object_forget(struct core *core, uint32_t index);
void object_due(struct core *core, uint32_t index); /* nothing may hold it any more */
/*  A reference that somebody of this session has met; NONE: of another user's, or there is nothing to hold, because its
    value is in its row. */
uint32_t object_met(struct core *core, uint64_t session, uint64_t task, uint32_t index);
void objects_inside(struct core *core, uint64_t session, struct list inside, uint64_t by);

void hold_add(struct core *core, uint32_t object, uint64_t by);
void objects_release(struct core *core); /* what nothing holds: a bounded piece of it */
void objects_sweep(struct core *core);   /* look at all of them, in pieces */
bool session_lives(const struct core *core, uint64_t task);

/*  object_quota.c */
void object_becomes(struct core *core, struct object *object, enum directory_state state,
                    uint64_t size);
bool quota_check(const struct core *core); /* what is counted is what there is */

/*  object_copy.c */
uint32_t copy_add(struct core *core, uint32_t object, uint32_t node, enum copy_kind how);
void copies_drop(struct core *core, uint32_t object); /* all are told to go */
void copies_tell(struct core *core);
uint32_t copy_of(const struct core *core, uint32_t object, uint32_t node);
void where_changed(struct core *core, uint32_t object);
bool copies_known(const struct core *core); /* every node has told what it has */

/*  object.c */
/*  What a rebuild has made: of what is REBUILDING, the value is there again; nobody wants the rest. */
void objects_resealed(struct core *core, uint64_t task, struct list sealed, uint64_t node);
void objects_used(struct core *core, uint64_t task); /* it holds its arguments no more */

/*  object_lost.c */
void object_missing(struct core *core, uint32_t index);
void object_lose(struct core *core, uint32_t index, enum object_reason reason);

/*  A task that has ended, as its row has it. */
struct rebuild {
    uint64_t task, spec;
    uint32_t attempt, charged, args_bytes;
    struct slice deps;
};
/*  object_rebuild.c */
/*  Of the task that was looked up, what is STORED and nowhere is made again; or why not. */
enum object_reason object_rebuild(struct core *core, const struct event *event);
void rebuild_unneeded(struct core *core, uint64_t task); /* of its objects one is needed no more */
void rebuilds_work(struct core *core);                   /* those of jobs that end are given up */
#endif
