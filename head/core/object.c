/*  object.c - objects: who holds one, and what happens when nobody does any more.  Where they are: object_copy.c. */
#include "head/core/object_inside.h"

#include "common/bug.h"

uint32_t object_any(const struct core *core, uint64_t task, uint32_t index)
{
    uint32_t i = map_find(&core->objects.by_task, task);
    while (i != NONE && object_at(core, i)->index != index) {
        i = map_next(&core->objects.by_task, i);
    }
    return i;
}

uint32_t object_find(const struct core *core, uint64_t task, uint32_t index)
{
    uint32_t i = object_any(core, task, index);
    return i == NONE || object_at(core, i)->state == DIRECTORY_FREED ? NONE : i;
}

void object_due(struct core *core, uint32_t index)
{
    struct object *object = object_at(core, index);
    if (object->refs == 0 && !object->is_due && object->state != DIRECTORY_FREED) {
        object->is_due = true;
        chain_append(&core->objects.released, &core->objects.all, OBJECT_DUE, index);
    }
}

bool session_lives(const struct core *core, uint64_t task)
{
    uint32_t index = session_find(core, task_session((task_id){ task }));
    return index != NONE && (session_at(core, index)->open || session_at(core, index)->closing);
}

static uint32_t owner_of(const struct core *core, uint64_t task)
{
    uint32_t index = session_find(core, task_session((task_id){ task }));
    return index == NONE ? NONE : job_at(core, session_at(core, index)->job)->user;
}

uint32_t object_new(struct core *core, uint64_t task, uint32_t at, enum directory_state state)
{
    uint32_t index = pool_take(&core->objects.all);
    if (index == NONE) {
        return NONE;
    }
    struct object *object = object_at(core, index);
    object->task = task;
    object->index = at;
    object->holds = NONE;
    object->copies = NONE;
    object->user = owner_of(core, task);
    object_becomes(core, object, state, 0);
    object->owned = state != DIRECTORY_FREED && session_lives(core, task);
    object->refs = object->owned;
    map_add(&core->objects.by_task, index);
    return index;
}

void object_forget(struct core *core, uint32_t index)
{
    struct object *object = object_at(core, index);
    ensure(object->copies == NONE && object->holds == NONE);
    if (object->is_due) {
        chain_remove(&core->objects.released, &core->objects.all, OBJECT_DUE, index);
    }
    map_remove(&core->objects.by_task, index);
    object->state = 0; /* what sweeps see of a slot that is free */
    pool_give(&core->objects.all, index);
}

void object_owned(struct core *core, uint32_t index, bool owned)
{
    struct object *object = object_at(core, index);
    if (object->owned != owned) {
        object->owned = owned;
        object->refs += owned ? 1 : UINT32_MAX;
        EMIT(core, object_owned, object->task, object->index, owned);
        object_due(core, index);
    }
}

static uint32_t hold_find(const struct core *core, uint32_t object, uint64_t by)
{
    uint32_t i = object_at(core, object)->holds;
    while (i != NONE && hold_at(core, i)->by != by) {
        i = hold_at(core, i)->on.next;
    }
    return i;
}

void hold_add(struct core *core, uint32_t object_index, uint64_t by)
{
    struct object *object = object_at(core, object_index);
    uint32_t index = pool_take(&core->objects.holds);
    if (index == NONE) {
        object->pinned = true; /* rather too long than not long enough */
        return;
    }
    struct hold *hold = hold_at(core, index);
    hold->by = by;
    hold->object = object_index;
    hold->on = (struct link_pair){ NONE, object->holds };
    if (object->holds != NONE) {
        hold_at(core, object->holds)->on.previous = index;
    }
    object->holds = index;
    object->refs++;
    map_add(&core->objects.by_holder, index);
}

static void hold_end(struct core *core, uint32_t index)
{
    struct hold *hold = hold_at(core, index);
    struct object *object = object_at(core, hold->object);
    if (hold->on.previous == NONE) {
        object->holds = hold->on.next;
    } else {
        hold_at(core, hold->on.previous)->on.next = hold->on.next;
    }
    if (hold->on.next != NONE) {
        hold_at(core, hold->on.next)->on.previous = hold->on.previous;
    }
    object->refs--;
    object_due(core, hold->object);
    map_remove(&core->objects.by_holder, index);
    pool_give(&core->objects.holds, index);
}

static void holds_end(struct core *core, uint64_t by)
{
    for (uint32_t i = map_find(&core->objects.by_holder, by); i != NONE;
         i = map_find(&core->objects.by_holder, by)) {
        hold_end(core, i);
    }
}

uint32_t object_met(struct core *core, uint64_t session, uint64_t task, uint32_t index)
{
    if (!same_owner(core, session, task)) {
        return NONE;
    }
    uint32_t object = object_any(core, task, index);
    if (object != NONE) {
        return object_at(core, object)->state == DIRECTORY_FREED ? NONE : object;
    }
    uint32_t of = session_find(core, task_session((task_id){ task }));
    bool comes = of != NONE && session_at(core, of)->open &&
                 task_counter((task_id){ task }) >= session_at(core, of)->below;
    return comes || task_find(core, task) != NONE ? object_new(core, task, index, DIRECTORY_AWAITED)
                                                  : NONE;
}

void objects_inside(struct core *core, uint64_t session, struct list inside, uint64_t by)
{
    struct rec_object inner;
    while (!RAYC_BUG(INSIDE_LOST) && next_object(&inside, &inner)) {
        uint32_t object = object_met(core, session, inner.task, inner.index);
        if (object != NONE) {
            hold_add(core, object, by);
        }
    }
}

void object_argument(struct core *core, uint64_t task, uint64_t dep)
{
    for (uint32_t i = map_find(&core->objects.by_task, dep); i != NONE;
         i = map_next(&core->objects.by_task, i)) {
        const struct object *object = object_at(core, i);
        if (object->state != DIRECTORY_FREED && object->state != DIRECTORY_AWAITED) {
            hold_add(core, i, BY_TASK(task));
        }
    }
}

/*  One value is there: it is held by those tasks that wait for it. */
static void seal(struct core *core, uint64_t task, const struct rec_sealed *sealed, uint64_t node)
{
    uint32_t index = object_any(core, task, sealed->index);
    if (index != NONE && object_at(core, index)->state != DIRECTORY_AWAITED) {
        return; /* sealed before: the first one counts */
    }
    index = index == NONE ? object_new(core, task, sealed->index, DIRECTORY_AWAITED) : index;
    if (index == NONE) {
        return; /* nobody will find it: who asks is told that it is gone */
    }
    struct object *object = object_at(core, index);
    object_becomes(core, object, sealed->size > 0 ? DIRECTORY_STORED : DIRECTORY_INLINE,
                   sealed->size);
    EMIT(core, object_new, task, object->index, object->state, object->owned, sealed->size,
         sealed->size > 0 ? node : 0, sealed->inside.bytes, core->wall_ms);
    for (uint32_t i = map_find(&core->edge_map, task); i != NONE;
         i = map_next(&core->edge_map, i)) {
        uint64_t waiter = ((struct edge *)pool_at(&core->edges, i))->waiter;
        if (task_find(core, waiter) != NONE) {
            hold_add(core, index, BY_TASK(waiter));
        }
    }
    objects_inside(core, task_session((task_id){ task }), sealed->inside, BY_OBJECT(index));
    uint32_t at = sealed->size > 0 ? node_find(core, node) : NONE;
    if (at != NONE && node_at(core, at)->state != NODE_DEAD) {
        copy_add(core, index, at, COPY_PRIMARY);
    } else if (sealed->size > 0) {
        object_missing(core, index);
    }
    object_due(core, index);
}

void objects_sealed(struct core *core, uint64_t task, struct list sealed, uint64_t node)
{
    struct rec_sealed record;
    while (next_sealed(&sealed, &record)) {
        if (record.index < RETURNS_MAX && (record.size > 0 || record.inside.count > 0)) {
            seal(core, task, &record, node);
        }
    }
}

bool objects_allow(const struct core *core, const struct rec_call *call)
{
    return core->objects.all.taken + core->tasks.taken < core->limits.objects &&
           core->objects.holds.taken + call->deps.count + DEPS_MAX < core->limits.holds;
}

void objects_called(struct core *core, uint64_t task, const struct rec_call *call, bool put)
{
    struct list sealed = call->sealed;
    struct rec_sealed record;
    if (put) {
        objects_sealed(core, task, sealed, call->node);
    } else if (next_sealed(&sealed, &record) && record.inside.count > 0) {
        objects_inside(core, task_session((task_id){ task }), record.inside, BY_ARGUMENTS(task));
        if (map_find(&core->objects.by_holder, BY_ARGUMENTS(task)) != NONE) {
            task_at(core, task_find(core, task))->flags |= TASK_HOLDS;
            EMIT(core, object_new, task, ARGUMENTS, DIRECTORY_INLINE, 0, 0, 0, record.inside.bytes,
                 core->wall_ms);
        }
    }
    struct list deps = call->deps;
    struct rec_id dep;
    while (next_id(&deps, &dep)) {
        if (same_owner(core, task_session((task_id){ task }), dep.task)) {
            object_argument(core, task, dep.task);
        }
    }
}

void objects_task_ended(struct core *core, uint64_t task, bool holds)
{
    uint32_t next;
    for (uint32_t i = map_find(&core->objects.by_task, task); i != NONE; i = next) {
        next = map_next(&core->objects.by_task, i);
        if (object_at(core, i)->state == DIRECTORY_AWAITED) { /* its value is in its row */
            while (object_at(core, i)->holds != NONE) {
                hold_end(core, object_at(core, i)->holds);
            }
            EMIT(core, object_state, task, object_at(core, i)->index, DIRECTORY_FREED, 0);
            object_forget(core, i);
        }
    }
    holds_end(core, BY_TASK(task));
    if (holds) {
        holds_end(core, BY_ARGUMENTS(task));
        EMIT(core, object_state, task, ARGUMENTS, DIRECTORY_FREED, 0);
        EMIT(core, holds_end, task);
    }
}

void objects_actor_dead(struct core *core, uint32_t actor)
{
    holds_end(core, BY_CHECKPOINT(actor));
}

struct list objects_checkpointed(struct core *core, uint32_t actor, struct list sealed)
{
    struct list inside = { 0 };
    struct rec_sealed record;
    while (next_sealed(&sealed, &record)) {
        inside = record.index == RETURNS_MAX ? record.inside : inside;
    }
    holds_end(core, BY_CHECKPOINT(actor));
    if (!RAYC_BUG(SAVED_LOST)) {
        objects_inside(core, task_session((task_id){ actor_at(core, actor)->id }), inside,
                       BY_CHECKPOINT(actor));
    }
    return inside;
}

static void reseal(struct core *core, uint64_t task, const struct rec_sealed *sealed, uint64_t node)
{
    uint32_t at = node_find(core, node), index = object_any(core, task, sealed->index);
    if (sealed->size == 0 || at == NONE || node_at(core, at)->state == NODE_DEAD) {
        return;
    }
    index = index == NONE ? object_new(core, task, sealed->index, DIRECTORY_FREED) : index;
    if (index == NONE) {
        return;
    }
    struct object *object = object_at(core, index);
    if (object->state == DIRECTORY_REBUILDING) {
        object_becomes(core, object, DIRECTORY_STORED, sealed->size);
        EMIT(core, object_again, task, object->index, sealed->size, node, sealed->inside.bytes);
        holds_end(core, BY_OBJECT(index));
        objects_inside(core, task_session((task_id){ task }), sealed->inside, BY_OBJECT(index));
    }
    if (copy_of(core, index, at) == NONE) {
        copy_add(core, index, at, COPY_PRIMARY);
    }
    if (object->state != DIRECTORY_STORED) {
        copies_drop(core, index);
    }
    object_due(core, index);
}

void objects_resealed(struct core *core, uint64_t task, struct list sealed, uint64_t node)
{
    struct rec_sealed record;
    while (next_sealed(&sealed, &record)) {
        reseal(core, task, &record, node);
    }
}

void objects_used(struct core *core, uint64_t task)
{
    holds_end(core, BY_TASK(task));
}

/*  A task is going to return it: until then, the task holds it as it does what is inside of its arguments. */
static void ref_returned(struct core *core, uint64_t session, const struct rec_ref *ref)
{
    uint32_t by = same_owner(core, session, ref->by) ? task_find(core, ref->by) : NONE;
    uint32_t index = by != NONE ? object_met(core, session, ref->task, ref->index) : NONE;
    if (index != NONE && hold_find(core, index, BY_ARGUMENTS(ref->by)) == NONE) {
        task_at(core, by)->flags |= TASK_HOLDS;
        hold_add(core, index, BY_ARGUMENTS(ref->by));
        EMIT(core, hold_new, ref->by, ref->task, ref->index, 0);
    }
}

/*  `holder`: the task of an executor that says so; 0: it is no executor. */
static void ref_change(struct core *core, uint64_t session, uint64_t holder,
                       const struct rec_ref *ref)
{
    if (ref->by != 0) {
        ref_returned(core, session, ref);
        return;
    }
    bool own = task_session((task_id){ ref->task }) == session;
    uint32_t index = ref->held ? object_met(core, session, ref->task, ref->index)
                               : object_find(core, ref->task, ref->index);
    if (own && index == NONE && !ref->held && task_find(core, ref->task) != NONE) {
        index = object_new(core, ref->task, ref->index, DIRECTORY_AWAITED);
        if (index != NONE) {
            EMIT(core, object_new, ref->task, ref->index, DIRECTORY_AWAITED, 1, 0, 0,
                 (struct slice){ 0 }, core->wall_ms);
        }
    }
    if (index == NONE) {
        return; /* its value is in its row, it is another user's, or it is gone */
    }
    if (own) {
        object_owned(core, index, ref->held);
        if (RAYC_BUG(DROP_HELD) && !ref->held) {
            while (object_at(core, index)->holds != NONE) {
                hold_end(core, object_at(core, index)->holds);
            }
        }
        return;
    }
    uint32_t hold = hold_find(core, index, BY_SESSION(session));
    if (ref->held && hold == NONE) {
        hold_add(core, index, BY_SESSION(session));
        EMIT(core, hold_new, session, ref->task, ref->index, holder);
    } else if (!ref->held && hold != NONE) {
        hold_end(core, hold);
        EMIT(core, hold_end, session, ref->task, ref->index);
    }
}

static void refs_tell(struct core *core, uint32_t peer, uint64_t seq, const struct session *session)
{
    struct msg *reply = emit_send(core, peer, MSG_REFS_TAKEN, true);
    reply->as.refs_taken = (struct msg_refs_taken){ seq, session->id, session->refs_next };
}

void on_refs(struct core *core, uint32_t peer, const struct msg_refs *msg)
{
    uint32_t index = session_of_request(core, peer, msg->seq, msg->session, true);
    if (index == NONE) {
        return;
    }
    struct session *session = session_at(core, index);
    session->heard_ms = core->now_ms;
    struct list refs = msg->refs;
    struct rec_ref ref;
    uint64_t before = session->refs_next;
    uint64_t holder = peer_at(core, peer_find(core, peer))->ticket_task;
    for (uint64_t number = msg->first; next_ref(&refs, &ref); number++) {
        if (number == session->refs_next) { /* not one that is said again, and no gap before it */
            ref_change(core, session->id, holder, &ref);
            session->refs_next++;
        }
    }
    if (session->refs_next != before) {
        EMIT(core, session_refs, session->id, session->refs_next);
    }
    refs_tell(core, peer, msg->seq, session);
}

void refs_resumed(struct core *core, uint32_t index)
{
    const struct session *session = session_at(core, index);
    if (session->refs_next > 1) {
        refs_tell(core, session->peer, 0, session);
    }
}

void objects_session_ended(struct core *core, uint32_t index)
{
    uint64_t session = session_at(core, index)->id;
    if (RAYC_BUG(HELD_FOR_EVER)) {
        return;
    }
    holds_end(core, BY_SESSION(session));
    EMIT(core, holds_end, session);
    objects_sweep(core);
}

void objects_sweep(struct core *core)
{
    core->objects.unswept = core->objects.all.fresh;
}

static void release(struct core *core, uint32_t index)
{
    struct object *object = object_at(core, index);
    uint64_t task = object->task;
    bool rebuilding = object->state == DIRECTORY_REBUILDING;
    holds_end(core, BY_OBJECT(index));
    object_becomes(core, object, DIRECTORY_FREED, object->size);
    EMIT(core, object_state, object->task, object->index, DIRECTORY_FREED, 0);
    if (object->copies == NONE) {
        object_forget(core, index);
    } else {
        copies_drop(core, index);
    }
    if (rebuilding) {
        rebuild_unneeded(core, task);
    }
}

/*  Of a session that has ended nothing is held; what no node has is missing. */
static void sweep(struct core *core, uint32_t index)
{
    struct object *object = object_at(core, index);
    if (object->state == 0 || object->state == DIRECTORY_FREED) {
        return;
    }
    if (!session_lives(core, object->task)) {
        object->pinned = false;
        object_owned(core, index, false);
    }
    if (object->state == DIRECTORY_AWAITED && object->refs == 0 &&
        !session_lives(core, object->task)) {
        release(core, index);
    } else if (object->state == DIRECTORY_STORED && object->copies == NONE) {
        object_missing(core, index);
    }
}

void objects_release(struct core *core)
{
    for (uint32_t n = 0;
         core->objects.released.count > 0 && n < SWEEP && !effects_nearly_full(core); n++) {
        uint32_t index = core->objects.released.first;
        struct object *object = object_at(core, index);
        chain_remove(&core->objects.released, &core->objects.all, OBJECT_DUE, index);
        object->is_due = false;
        if (object->refs == 0 && !object->pinned && object->state != DIRECTORY_AWAITED) {
            release(core, index);
        }
    }
}

void objects_work(struct core *core)
{
    for (uint32_t n = 0; core->objects.unswept > 0 && n < SWEEP && !effects_nearly_full(core);
         n++) {
        sweep(core, --core->objects.unswept);
    }
    objects_release(core);
    rebuilds_work(core);
    copies_tell(core);
}

void objects_forget(struct core *core, uint64_t first, uint64_t last)
{
    EMIT(core, object_delete, first, last);
}

bool objects_busy(const struct core *core)
{
    return core->objects.unswept > 0 || core->objects.released.count > 0;
}

static bool check_copies(const struct core *core, uint32_t index)
{
    const struct object *object = object_at(core, index);
    bool ok = true;
    for (uint32_t c = object->copies; c != NONE; c = copy_at(core, c)->next) {
        const struct copy *copy = copy_at(core, c);
        bool first = c == object->copies;
        ok = ok && copy->object == index && node_at(core, copy->node)->id != 0 &&
             copy->dropping == (object->state != DIRECTORY_STORED) &&
             (copy->dropping || first == (copy->how != COPY_SECONDARY));
    }
    return ok;
}

uint64_t objects_check(const struct core *core)
{
    uint32_t taken = 0, held = 0;
    for (uint32_t i = 0; i < core->objects.all.fresh; i++) {
        const struct object *object = object_at(core, i);
        uint32_t refs = object->owned;
        for (uint32_t h = object->state ? object->holds : NONE; h != NONE;
             h = hold_at(core, h)->on.next) {
            refs++;
            held++;
        }
        taken += object->state != 0;
        bool counted = object->refs == refs &&
                       (refs > 0 || object->is_due || object->pinned ||
                        object->state == DIRECTORY_AWAITED || object->state == DIRECTORY_FREED);
        bool placed = object->state == DIRECTORY_STORED || object->state == DIRECTORY_FREED ||
                      object->state == DIRECTORY_LOST || object->copies == NONE;
        if (object->state != 0 && !(counted && placed && check_copies(core, i))) {
            return object->task;
        }
    }
    bool all = taken == core->objects.all.taken && held == core->objects.holds.taken;
    return all && quota_check(core) ? 0 : UINT64_MAX;
}
