/*  object_restore.c - objects after a restart: rows say what there is and which sessions hold it; tasks hold their
    arguments again as they are restored; where copies are, the nodes tell. */
#include "head/core/object_inside.h"

static void restore_object(struct core *core, const struct restored *row)
{
    enum directory_state state = (enum directory_state)row->object.state;
    uint32_t index = object_new(core, row->object.task, row->object.index, state);
    ensure(index != NONE);
    struct object *object = object_at(core, index);
    object_becomes(core, object, state, row->object.size);
    object->reason = (uint8_t)row->object.reason;
    object->rebuilds = (uint8_t)row->object.rebuilds;
    object->owned = object->owned && row->object.owned;
    object->refs = object->owned;
}

/*  Of what was inside; 0: it has gone. */
static uint64_t holder_of(const struct core *core, uint64_t task, uint32_t index)
{
    if (index == ARGUMENTS) {
        return task_find(core, task) == NONE ? 0 : BY_ARGUMENTS(task);
    }
    if (index == CHECKPOINT) {
        return actor_lasts(core, task) ? BY_CHECKPOINT(actor_find(core, task)) : 0;
    }
    uint32_t object = object_find(core, task, index);
    return object == NONE ? 0 : BY_OBJECT(object);
}

/*  What was inside of a value, of the arguments of a task that has not ended, or of a checkpoint. */
static void restore_inside(struct core *core, const struct restored *row)
{
    uint64_t task = row->object.task, by = holder_of(core, task, row->object.index);
    if (by == 0) {
        return;
    }
    if (row->object.index == ARGUMENTS) {
        task_at(core, task_find(core, task))->flags |= TASK_HOLDS;
    }
    struct list inside = { row->object.inside, 0 };
    for (struct list all = { row->object.inside, NONE }; all.bytes.n > 0; inside.count++) {
        struct rec_object inner;
        next_object(&all, &inner); /* the row has no header */
    }
    objects_inside(core, task_session((task_id){ task }), inside, by);
}

/*  Of a session, or of a task that is going to return it. */
static void restore_hold(struct core *core, const struct restored *row)
{
    task_id by = { row->object.session };
    bool returned = task_session(by) != 0;
    uint64_t id = returned ? task_session(by) : by.v;
    uint32_t session = session_find(core, id);
    uint32_t task = returned ? task_find(core, by.v) : NONE;
    bool lives = returned ? task != NONE : session != NONE && session_at(core, session)->open;
    uint32_t object = lives ? object_met(core, id, row->object.task, row->object.index) : NONE;
    if (task != NONE) {
        task_at(core, task)->flags |= TASK_HOLDS;
    }
    if (object != NONE) {
        hold_add(core, object, returned ? BY_ARGUMENTS(by.v) : BY_SESSION(id));
    }
}

void object_restore(struct core *core, const struct restored *row)
{
    if (row->table == RESTORE_OBJECT) {
        restore_object(core, row);
    } else if (row->table == RESTORE_INSIDE) {
        restore_inside(core, row);
    } else {
        restore_hold(core, row);
    }
}

void objects_restored(struct core *core)
{
    for (uint32_t i = 0; i < core->objects.all.fresh; i++) {
        struct object *object = object_at(core, i);
        if (object->state == DIRECTORY_REBUILDING && task_find(core, object->task) == NONE) {
            object->state = DIRECTORY_STORED; /* and nowhere: its job has ended */
        }
        if (object->state == DIRECTORY_AWAITED && task_find(core, object->task) == NONE &&
            !session_lives(core, object->task)) {
            objects_task_ended(core, object->task, false);
        } else if (object->state != 0) {
            object_due(core, i);
        }
    }
    uint32_t next;
    for (uint32_t i = core->rebuilds.first; i != NONE; i = next) {
        next = task_at(core, i)->family.next;
        if (task_at(core, i)->state == TASK_READY) { /* its lease was not there */
            task_ready(core, i, true);
        }
    }
    objects_sweep(core);
}
