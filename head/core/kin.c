/*  kin.c - tasks that tasks have submitted.  Each belongs to an attempt of its parent, by that one's token, and shares its
    fate: when the attempt ends without success, they are given up; when it is cancelled with all that it has submitted,
    they are, too.  What a task that has finished left behind goes on by itself.  Only tasks that have a parent are here. */
#include "head/core/state.h"

#include "common/bug.h"

enum fate { /* a greater one comes before a smaller one */
            FATE_NONE = 0,
            FATE_FREE, /* the parent has finished: they go on without it */
            FATE_CANCEL,
            FATE_KILL,
            FATE_ORPHAN /* given up at once */
};

static struct parent *parent_at(const struct core *core, uint32_t index)
{
    return pool_at(&core->parents, index);
}

static struct child *child_at(const struct core *core, uint32_t index)
{
    return pool_at(&core->children, index);
}

void kin_add(struct core *core, uint64_t task, uint64_t token, uint64_t child_task)
{
    uint32_t index = map_find(&core->parent_map, token);
    if (index == NONE) {
        index = pool_take(&core->parents);
        ensure(index != NONE); /* there are no more of them than tasks */
        *parent_at(core, index) = (struct parent){ .token = token, .task = task };
        chain_init(&parent_at(core, index)->children);
        map_add(&core->parent_map, index);
        map_add(&core->parent_tasks, index);
    }
    uint32_t child = pool_take(&core->children);
    ensure(child != NONE);
    child_at(core, child)->task = child_task;
    child_at(core, child)->parent = index;
    map_add(&core->child_map, child);
    chain_append(&parent_at(core, index)->children, &core->children, CHILD_SIBLING, child);
}

bool kin_is_child(const struct core *core, uint64_t task)
{
    return core->children.taken > 0 && map_find(&core->child_map, task) != NONE;
}

static void parent_free(struct core *core, uint32_t index)
{
    map_remove(&core->parent_map, index);
    map_remove(&core->parent_tasks, index);
    pool_give(&core->parents, index);
}

static void child_free(struct core *core, uint32_t index)
{
    uint32_t parent = child_at(core, index)->parent;
    struct parent *its = parent_at(core, parent);
    chain_remove(&its->children, &core->children, CHILD_SIBLING, index);
    map_remove(&core->child_map, index);
    pool_give(&core->children, index);
    if (its->children.count == 0 && its->fate == FATE_NONE) {
        parent_free(core, parent);
    }
}

static void doom(struct core *core, uint32_t index, enum fate fate)
{
    struct parent *parent = parent_at(core, index);
    if (parent->fate >= fate) {
        return;
    }
    if (parent->fate == FATE_NONE) {
        chain_append(&core->fated, &core->parents, PARENT_FATED, index);
    }
    parent->fate = (uint8_t)fate;
    parent->left = parent->children.count;
}

static void doom_of(struct core *core, uint64_t token, enum fate fate)
{
    uint32_t index = core->parents.taken > 0 ? map_find(&core->parent_map, token) : NONE;
    if (index != NONE) {
        doom(core, index, fate);
    }
}

void kin_cancel(struct core *core, const struct task *task)
{
    doom_of(core, task->token, task->flags & TASK_CANCEL_FORCE ? FATE_KILL : FATE_CANCEL);
}

void kin_orphan(struct core *core, const struct task *task)
{
    if (!RAYC_BUG(KEEP_ORPHANS)) {
        doom_of(core, task->token, FATE_ORPHAN);
    }
}

void kin_ended(struct core *core, const struct task *task, bool failed)
{
    if (core->children.taken == 0) {
        return;
    }
    uint32_t child = map_find(&core->child_map, task->id);
    if (child != NONE) {
        child_free(core, child);
    }
    bool ends = !spec_goes_on(core, spec_at(core, task->spec));
    bool alone = (task->flags & TASK_CANCEL) && !(task->flags & TASK_CANCEL_TREE);
    bool doomed = task->failure != 0; /* it has no token, but an argument */
    uint32_t parent = doomed ? NONE : map_find(&core->parent_map, task->token);
    if (parent == NONE) {
        return;
    }
    parent_at(core, parent)->over = true;
    if (!failed || ends || alone) {
        doom(core, parent, FATE_FREE); /* what ends takes them along itself */
    } else if (task->flags & TASK_CANCEL) {
        kin_cancel(core, task);
    } else {
        kin_orphan(core, task);
    }
}

/*  One of them.  It may end by this, and leave the list. */
static void meet(struct core *core, enum fate fate, uint32_t index)
{
    uint32_t task = task_find(core, child_at(core, index)->task);
    ensure(task != NONE);
    switch (fate) {
    case FATE_NONE:
    case FATE_FREE:
        child_free(core, index);
        break;
    case FATE_CANCEL:
    case FATE_KILL:
        task_cancel(core, task, &(struct cancel){ fate == FATE_KILL, true });
        break;
    case FATE_ORPHAN:
        task_give_up(core, task, FAILURE_OWNER_DIED);
        break;
    }
}

void kin_sweep(struct core *core)
{
    while (core->fated.first != NONE && !effects_nearly_full(core)) {
        uint32_t index = core->fated.first;
        struct parent *parent = parent_at(core, index);
        enum fate fate = (enum fate)parent->fate;
        while (parent->left > 0 && parent->children.first != NONE && !effects_nearly_full(core)) {
            uint32_t child = parent->children.first;
            chain_remove(&parent->children, &core->children, CHILD_SIBLING, child);
            chain_append(&parent->children, &core->children, CHILD_SIBLING, child);
            parent->left--;
            meet(core, fate, child);
        }
        if (parent->left > 0 && parent->children.first != NONE) {
            return;
        }
        if (parent->over && fate != FATE_FREE) { /* those that were told end when they like */
            parent->fate = FATE_FREE;
            parent->left = parent->children.count;
            continue;
        }
        chain_remove(&core->fated, &core->parents, PARENT_FATED, index);
        parent->fate = FATE_NONE;
        if (parent->children.count == 0) {
            parent_free(core, index);
        }
    }
}

/*  All tasks and leases are back: which attempts have ended meanwhile, or were being cancelled? */
void kin_restored(struct core *core)
{
    for (uint32_t i = 0; i < core->parents.fresh; i++) {
        struct parent *parent = parent_at(core, i);
        uint32_t index = task_find(core, parent->task);
        if (index == NONE) {
            parent->asked = true;
            emit_lookup(core, parent->task);
            continue;
        }
        const struct task *task = task_at(core, index);
        if (task->node == NONE || task->token != parent->token) {
            doom(core, i, FATE_ORPHAN);
        } else if ((task->flags & TASK_CANCEL_TREE)) {
            kin_cancel(core, task);
        }
    }
}

void kin_looked_up(struct core *core, uint64_t task, bool finished)
{
    uint32_t next;
    for (uint32_t i = core->parents.taken > 0 ? map_find(&core->parent_tasks, task) : NONE;
         i != NONE; i = next) {
        next = map_next(&core->parent_tasks, i);
        if (parent_at(core, i)->asked) {
            parent_at(core, i)->asked = false;
            parent_at(core, i)->over = true;
            doom(core, i, finished ? FATE_FREE : FATE_ORPHAN);
        }
    }
}

/*  Who submits: the attempt whose ticket the peer has, or another one beside it on its node, if the call names it.
    False: nobody that runs. */
bool kin_parent(const struct core *core, uint32_t peer, const struct rec_call *call,
                struct row_task_new *row)
{
    const struct peer *its = peer_at(core, peer_find(core, peer));
    uint32_t mine = lease_find(core, its->ticket_task, its->ticket_fence);
    uint32_t index = call->parent == 0 ? mine : task_find(core, call->parent);
    if (mine == NONE || index == NONE || task_at(core, index)->node != task_at(core, mine)->node ||
        task_job(core, task_at(core, index)) != task_job(core, task_at(core, mine))) {
        return false;
    }
    row->parent = task_at(core, index)->id;
    row->parent_fence = task_at(core, index)->token;
    return true;
}
