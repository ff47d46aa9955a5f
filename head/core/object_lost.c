/*  object_lost.c - objects that no node has any more: they are made again (object_rebuild.c), or are lost, and so are the
    tasks that need them. */
#include "head/core/object_inside.h"

void object_missing(struct core *core, uint32_t index)
{
    const struct object *object = object_at(core, index);
    if (object->state == DIRECTORY_STORED && object->refs > 0 && copies_known(core)) {
        emit_lookup(core, object->task); /* its spec says why it is not made again */
    }
}

/*  A task that has not begun, and has this object for an argument. */
static uint32_t needs(const struct core *core, uint32_t hold)
{
    uint64_t by = hold_at(core, hold)->by;
    uint32_t task = by >> 63 == 0 ? task_find(core, by) : NONE;
    bool begun = task != NONE && task_at(core, task)->state != TASK_WAITING &&
                 task_at(core, task)->state != TASK_READY;
    return begun ? NONE : task;
}

void object_lose(struct core *core, uint32_t index, enum object_reason reason)
{
    struct object *object = object_at(core, index);
    uint32_t next;
    object_becomes(core, object, DIRECTORY_LOST, object->size);
    object->reason = (uint8_t)reason;
    EMIT(core, object_state, object->task, object->index, DIRECTORY_LOST, reason);
    for (uint32_t h = object->holds; h != NONE; h = next) {
        uint32_t task = needs(core, h);
        next = hold_at(core, h)->on.next;
        if (task != NONE && task_at(core, task)->state == TASK_WAITING) {
            task_doom(core, task, FAILURE_OBJECT_LOST);
        } else if (task != NONE && !effects_nearly_full(core)) {
            task_give_up(core, task, FAILURE_OBJECT_LOST);
            next = object->holds; /* it held nothing but what is gone from the list now */
        }
    }
}

bool objects_lost(const struct core *core, uint64_t task)
{
    uint32_t i = map_find(&core->objects.by_holder, BY_TASK(task));
    while (i != NONE && object_at(core, hold_at(core, i)->object)->state != DIRECTORY_LOST) {
        i = map_next(&core->objects.by_holder, i);
    }
    return i != NONE;
}

/*  Stored, needed, and nowhere. */
static bool is_missing(const struct object *object)
{
    return object->state == DIRECTORY_STORED && object->copies == NONE && object->refs > 0;
}

void objects_looked_up(struct core *core, const struct event *event)
{
    uint32_t i = map_find(&core->objects.by_task, event->number);
    while (i != NONE && !is_missing(object_at(core, i))) {
        i = map_next(&core->objects.by_task, i);
    }
    if (i == NONE || core->restoring || !copies_known(core) ||
        task_find(core, event->number) != NONE) {
        return;
    }
    enum object_reason reason = object_rebuild(core, event);
    for (; i != NONE && reason != REASON_NONE; i = map_next(&core->objects.by_task, i)) {
        if (is_missing(object_at(core, i))) {
            object_lose(core, i, reason);
        }
    }
}

/*  Somebody who may says that nobody needs it: what holds it still does, and learns that it is gone. */
void on_free(struct core *core, uint32_t peer, const struct msg_free *msg)
{
    uint32_t session = session_of_request(core, peer, msg->seq, msg->session, true);
    if (session == NONE) {
        return;
    }
    struct list list = msg->objects;
    struct rec_object it;
    while (next_object(&list, &it)) {
        uint32_t index =
            same_owner(core, msg->session, it.task) ? object_find(core, it.task, it.index) : NONE;
        if (index != NONE && object_at(core, index)->state == DIRECTORY_STORED) {
            object_lose(core, index, REASON_OBJECT_FREED);
            copies_drop(core, index);
        }
    }
    emit_send(core, peer, MSG_CHANGED, true)->as.changed =
        (struct msg_changed){ msg->seq, msg->objects.count };
}
