/*  object_copy.c - where objects are: what the stores of nodes have, what they are told to keep and to drop, and who asks. */
#include "head/core/object_inside.h"

#include "common/bug.h"
#include "proto/wire.h"

uint32_t copy_of(const struct core *core, uint32_t object, uint32_t node)
{
    uint32_t i = object_at(core, object)->copies;
    while (i != NONE && copy_at(core, i)->node != node) {
        i = copy_at(core, i)->next;
    }
    return i;
}

void where_changed(struct core *core, uint32_t index)
{
    const struct object *object = object_at(core, index);
    uint32_t count = 0;
    for (uint32_t c = object->copies; c != NONE; c = copy_at(core, c)->next) {
        count++;
    }
    const struct copy *first = count > 0 ? copy_at(core, object->copies) : NULL;
    EMIT(core, object_where, object->task, object->index,
         first != NULL ? node_at(core, first->node)->id : 0, count,
         first != NULL && first->how == COPY_SPILLED);
}

uint32_t copy_add(struct core *core, uint32_t object_index, uint32_t node, enum copy_kind how)
{
    struct object *object = object_at(core, object_index);
    uint32_t index = pool_take(&core->objects.copies);
    if (index == NONE) {
        return NONE; /* it is there, and not told to anybody */
    }
    struct copy *copy = copy_at(core, index);
    bool first = object->copies == NONE;
    copy->object = object_index;
    copy->node = node;
    copy->seen = true;
    copy->how = (uint8_t)(first && how == COPY_SECONDARY ? COPY_PRIMARY : how);
    if (first) {
        copy->next = NONE;
        object->copies = index;
    } else {
        struct copy *primary = copy_at(core, object->copies);
        copy->how = COPY_SECONDARY; /* there is one primary: the one that was there first */
        copy->next = primary->next;
        primary->next = index;
    }
    chain_append(&node_at(core, node)->objects.copies, &core->objects.copies, COPY_NODE, index);
    return index;
}

/*  "You have the primary now": its node spills it rather than losing it. */
static void keep(struct core *core, const struct object *object)
{
    struct copy *copy = copy_at(core, object->copies);
    const struct node *node = node_at(core, copy->node);
    copy->how = COPY_PRIMARY;
    if (node->peer != NONE) {
        uint8_t bytes[32];
        struct wire wire = { bytes, 0, sizeof(bytes), false };
        proto_put_record(&wire, REC_OBJECT, &(struct rec_object){ object->task, object->index });
        emit_send(core, node->peer, MSG_OBJECT_KEEP, false)->as.object_keep.objects =
            (struct list){ scratch_put(core, wire.p, wire.n), 1 };
    }
}

static void copy_gone(struct core *core, uint32_t index)
{
    struct copy *copy = copy_at(core, index);
    uint32_t object_index = copy->object;
    struct object *object = object_at(core, object_index);
    struct node_objects *at = &node_at(core, copy->node)->objects;
    chain_remove(copy->dropping ? &at->drops : &at->copies, &core->objects.copies, COPY_NODE,
                 index);
    bool primary = object->copies == index;
    if (primary) {
        object->copies = copy->next;
    } else {
        uint32_t before = object->copies;
        while (copy_at(core, before)->next != index) {
            before = copy_at(core, before)->next;
        }
        copy_at(core, before)->next = copy->next;
    }
    pool_give(&core->objects.copies, index);
    if (object->state == DIRECTORY_FREED) {
        if (object->copies == NONE) {
            object_forget(core, object_index);
        }
        return;
    }
    if (primary && object->copies != NONE && object->state == DIRECTORY_STORED) {
        keep(core, object);
    }
    where_changed(core, object_index);
    if (object->copies == NONE) {
        object_missing(core, object_index);
    }
}

static void copy_drop(struct core *core, uint32_t index)
{
    struct copy *copy = copy_at(core, index);
    struct node_objects *at = &node_at(core, copy->node)->objects;
    chain_remove(&at->copies, &core->objects.copies, COPY_NODE, index);
    chain_append(&at->drops, &core->objects.copies, COPY_NODE, index);
    copy->dropping = true;
}

void copies_drop(struct core *core, uint32_t object)
{
    for (uint32_t i = object_at(core, object)->copies; i != NONE; i = copy_at(core, i)->next) {
        if (!copy_at(core, i)->dropping && !RAYC_BUG(KEEP_COPIES)) {
            copy_drop(core, i);
        }
    }
}

static void drop_say(struct core *core, const struct node *node, const struct wire *objects,
                     uint32_t count)
{
    struct msg_object_drop *drop =
        &emit_send(core, node->peer, MSG_OBJECT_DROP, true)->as.object_drop;
    drop->seq = token_of(core->epoch, ++core->objects.drop_last).v;
    drop->objects = (struct list){ scratch_put(core, objects->p, objects->n), count };
}

/*  One OBJECT_DROP for what the node has not been told yet, from the newest back. */
static void drops_tell(struct core *core, struct node *node)
{
    uint8_t bytes[CALLS_PER_FRAME_MAX * 16];
    struct wire wire = { bytes, 0, sizeof(bytes), false };
    uint32_t count = 0;
    for (uint32_t i = node->objects.drops.last;
         i != NONE && !copy_at(core, i)->told && count < CALLS_PER_FRAME_MAX;
         i = copy_at(core, i)->in_node.previous) {
        const struct object *object = object_at(core, copy_at(core, i)->object);
        copy_at(core, i)->told = true;
        proto_put_record(&wire, REC_OBJECT, &(struct rec_object){ object->task, object->index });
        count++;
    }
    if (count > 0) {
        drop_say(core, node, &wire, count);
    }
}

void copies_tell(struct core *core)
{
    for (uint32_t n = core->all_nodes.first; n != NONE && !effects_nearly_full(core);
         n = node_at(core, n)->all.next) {
        struct node *node = node_at(core, n);
        struct node_objects *at = &node->objects;
        if (node->state == NODE_DEAD || node->peer == NONE || at->drops.count == 0) {
            continue;
        }
        if (core->now_ms >= at->drop_ms) {
            at->drop_ms = core->now_ms + DROP_AGAIN_MS;
            for (uint32_t i = at->drops.first; i != NONE; i = copy_at(core, i)->in_node.next) {
                copy_at(core, i)->told = false;
            }
        }
        drops_tell(core, node);
    }
}

void copies_joined(struct core *core, uint32_t index, const struct msg_node_join *msg, bool is_new)
{
    struct node_objects *at = &node_at(core, index)->objects;
    slice_copy_text(msg->objects, at->address, sizeof(at->address));
    at->stock_next = 1;
    at->drop_ms = core->now_ms;
    at->listed = at->listed || is_new || msg->store_bytes == 0;
    for (uint32_t i = at->copies.first; i != NONE; i = copy_at(core, i)->in_node.next) {
        copy_at(core, i)->seen = false;
    }
    objects_sweep(core);
}

void store_heard(struct core *core, uint32_t index, const struct msg_node_beat *msg)
{
    const struct node *node = node_at(core, index);
    struct node_objects *at = &node_at(core, index)->objects;
    bool changed = at->used != msg->store_used || at->spilled != msg->store_spilled;
    if (changed && core->now_ms >= at->said_ms + STORE_ROW_MS) {
        at->used = msg->store_used;
        at->spilled = msg->store_spilled;
        at->said_ms = core->now_ms;
        EMIT(core, node_store, node->id, at->used, at->spilled);
    }
}

bool copies_known(const struct core *core)
{
    uint32_t i = core->all_nodes.first;
    while (i != NONE &&
           (node_at(core, i)->objects.listed || node_at(core, i)->state == NODE_DEAD)) {
        i = node_at(core, i)->all.next;
    }
    return i == NONE;
}

bool copies_lost(struct core *core, uint32_t index)
{
    struct node_objects *at = &node_at(core, index)->objects;
    struct chain *const chains[] = { &at->copies, &at->drops };
    if (RAYC_BUG(DEAD_COPY) && at->copies.count > 0) {
        return false; /* they are handed out as before */
    }
    for (size_t i = 0; i < COUNT(chains); i++) {
        while (chains[i]->count > 0 && !effects_nearly_full(core)) {
            copy_gone(core, chains[i]->first);
        }
    }
    if (!at->listed) {
        at->listed = true; /* nobody waits for what it has to tell */
        objects_sweep(core);
    }
    return at->copies.count + at->drops.count == 0;
}

/*  Of an object that is still to come: what an attempt has sealed that is void goes; a put may name this copy yet. */
static void has_early(struct core *core, uint32_t node, const struct rec_copy *it)
{
    uint8_t bytes[32];
    struct wire wire = { bytes, 0, sizeof(bytes), false };
    uint32_t task = task_find(core, it->task);
    if (task != NONE && task_at(core, task)->node != node) {
        proto_put_record(&wire, REC_OBJECT, &(struct rec_object){ it->task, it->index });
        drop_say(core, node_at(core, node), &wire, 1);
    }
}

/*  A copy that the head knows nothing of: of an object that is to come, or nobody wants it. */
static void has(struct core *core, uint32_t node, const struct rec_copy *it)
{
    uint32_t object = object_any(core, it->task, it->index);
    bool wanted = object != NONE && (object_at(core, object)->state == DIRECTORY_STORED ||
                                     object_at(core, object)->state == DIRECTORY_AWAITED);
    if (object != NONE && object_at(core, object)->state == DIRECTORY_AWAITED) {
        has_early(core, node, it); /* its task says which copy counts */
        return;
    }
    if (object != NONE && object_at(core, object)->state == DIRECTORY_REBUILDING) {
        object_at(core, object)->state = DIRECTORY_STORED; /* it was not lost; counted as before */
        EMIT(core, object_state, it->task, it->index, DIRECTORY_STORED, 0);
        wanted = true;
    }
    uint32_t copy = object == NONE ? NONE : copy_of(core, object, node);
    if (copy != NONE) {
        copy_at(core, copy)->seen = true;
        if (copy_at(core, copy)->how != COPY_SECONDARY && it->how == COPY_SECONDARY && wanted) {
            keep(core, object_at(core, object)); /* it has not heard that yet */
        } else if (copy_at(core, copy)->how == COPY_PRIMARY && it->how == COPY_SPILLED) {
            copy_at(core, copy)->how = COPY_SPILLED;
            where_changed(core, object);
        }
        return;
    }
    if (!wanted && (is_to_come(core, it->task) || RAYC_BUG(UNKNOWN_STAYS))) {
        has_early(core, node, it);
        return;
    }
    object = object == NONE ? object_new(core, it->task, it->index, DIRECTORY_FREED) : object;
    copy = object == NONE ? NONE : copy_add(core, object, node, (enum copy_kind)it->how);
    if (copy == NONE) {
        return;
    }
    if (wanted) {
        if (object_at(core, object)->copies == copy && it->how == COPY_SECONDARY) {
            keep(core, object_at(core, object));
        }
        where_changed(core, object);
        rebuild_unneeded(core, it->task);
        return;
    }
    copy_drop(core, copy);
}

void copies_refused(struct core *core, uint32_t node, const struct rec_done *done)
{
    uint8_t bytes[RETURNS_MAX * 16];
    struct wire wire = { bytes, 0, sizeof(bytes), false };
    struct list list = done->sealed;
    struct rec_sealed it;
    uint32_t count = 0, task = task_find(core, done->task);
    bool again = task != NONE && task_at(core, task)->node == node; /* it is sealed there again */
    bool known = node_at(core, node)->peer != NONE && node_at(core, node)->objects.listed;
    while (known && !again && next_sealed(&list, &it)) {
        uint32_t object = object_any(core, done->task, it.index);
        if (it.size > 0 && (object == NONE || copy_of(core, object, node) == NONE)) {
            proto_put_record(&wire, REC_OBJECT, &(struct rec_object){ done->task, it.index });
            count++;
        }
    }
    if (count > 0) {
        drop_say(core, node_at(core, node), &wire, count);
    }
}

/*  The list of all has been read: what was not in it is gone. */
static void listed(struct core *core, uint32_t index)
{
    struct node_objects *at = &node_at(core, index)->objects;
    uint32_t next;
    at->listed = true;
    for (uint32_t i = at->copies.first; i != NONE; i = next) {
        next = copy_at(core, i)->in_node.next;
        if (!copy_at(core, i)->seen) {
            copy_gone(core, i);
        }
    }
    objects_sweep(core);
}

void on_stock(struct core *core, uint32_t peer, const struct msg_stock *msg)
{
    uint32_t index = node_find(core, msg->node);
    if (index == NONE || node_at(core, index)->peer != peer) {
        return; /* it will hear WHO with its next beat */
    }
    struct node_objects *at = &node_at(core, index)->objects;
    if (msg->number == at->stock_next) {
        at->stock_next++;
        struct list copies = msg->copies;
        struct rec_copy it;
        while (next_copy(&copies, &it)) {
            uint32_t object = object_any(core, it.task, it.index);
            uint32_t copy = object == NONE ? NONE : copy_of(core, object, index);
            if (it.how != COPY_GONE) {
                has(core, index, &it);
            } else if (copy != NONE) {
                copy_gone(core, copy);
            }
        }
        if (msg->all && msg->last) {
            listed(core, index);
        }
    }
    emit_send(core, peer, MSG_STOCK_ACK, false)->as.stock_ack =
        (struct msg_stock_ack){ msg->seq, at->stock_next - 1 };
}

static void source_put(struct core *core, struct wire *wire, uint64_t task, uint32_t at,
                       uint32_t index)
{
    uint8_t bytes[PLACES_MAX * (NAME_MAX_BYTES + 16)];
    struct wire places = { bytes, 0, sizeof(bytes), false };
    struct rec_source source = { .task = task, .index = at, .state = DIRECTORY_FREED };
    uint32_t count = 0;
    if (index != NONE) {
        const struct object *object = object_at(core, index);
        source.state = object->state;
        source.reason = object->reason;
        source.size = object->size;
        for (uint32_t c = object->copies; c != NONE && count < PLACES_MAX;
             c = copy_at(core, c)->next, count++) {
            const struct node *node = node_at(core, copy_at(core, c)->node);
            proto_put_record(&places, REC_KEEPER,
                             &(struct rec_keeper){ node->id, slice_text(node->objects.address),
                                                   copy_at(core, c)->how });
        }
    } else if (is_to_come(core, task)) {
        source.state = DIRECTORY_AWAITED;
    }
    source.places = (struct list){ slice_of(places.p, places.n), count };
    proto_put_record(wire, REC_SOURCE, &source);
}

/*  Room for this many sources in the bytes of this turn. */
static struct wire sources_room(struct core *core, uint32_t count)
{
    size_t room = core->scratch_capacity - core->scratch_bytes;
    size_t most = (size_t)count * PLACES_MAX * (NAME_MAX_BYTES + 32);
    return (struct wire){ core->scratch + core->scratch_bytes, 0, most < room ? most : room,
                          false };
}

static void places_tell(struct core *core, uint32_t peer, uint64_t seq, const struct wire *wire,
                        uint32_t count)
{
    ensure(!wire->full);
    core->scratch_bytes += wire->n;
    struct msg *reply = emit_send(core, peer, MSG_PLACES, false);
    reply->as.places = (struct msg_places){ seq, { slice_of(wire->p, wire->n), count } };
}

/*  A worker may ask of all, a session of what is its user's, a person of what its views show. */
static bool may_find(const struct core *core, uint32_t peer, uint64_t session, uint64_t task)
{
    uint32_t its = session_find(core, task_session((task_id){ task }));
    bool person = session == 0 && its != NONE &&
                  may_see(core, peer, job_at(core, session_at(core, its)->job)->owner);
    return core_reader(core, peer).may == ROLE_WORKER || person ||
           (session != 0 && same_owner(core, session, task));
}

/*  One source for nothing in particular: nodes that keep values for others, any of them first. */
static void keepers_put(struct core *core, struct wire *wire)
{
    uint8_t bytes[PLACES_MAX * (NAME_MAX_BYTES + 16)];
    struct wire places = { bytes, 0, sizeof(bytes), false };
    uint32_t count = 0, all = core->all_nodes.count;
    uint32_t first = all > 0 ? (uint32_t)prng_below(&core->rng, all) : 0;
    for (int later = 0; later < 2; later++) {
        uint32_t at = 0;
        for (uint32_t i = core->all_nodes.first; i != NONE && count < PLACES_MAX;
             i = node_at(core, i)->all.next, at++) {
            const struct node *node = node_at(core, i);
            if ((at < first) == (later > 0) && node_takes_work(node) &&
                node->objects.address[0] != 0) {
                proto_put_record(
                    &places, REC_KEEPER,
                    &(struct rec_keeper){ .node = node->id,
                                          .address = slice_text(node->objects.address) });
                count++;
            }
        }
    }
    proto_put_record(wire, REC_SOURCE,
                     &(struct rec_source){ .state = DIRECTORY_STORED,
                                           .places = { slice_of(places.p, places.n), count } });
}

void on_where(struct core *core, uint32_t peer, const struct msg_where *msg)
{
    if (msg->session != 0 &&
        session_of_request(core, peer, msg->seq, msg->session, false) == NONE) {
        return;
    }
    uint32_t count = msg->objects.count > 0 ? msg->objects.count : 1;
    struct wire wire = sources_room(core, count);
    struct list list = msg->objects;
    struct rec_object it;
    if (list.count == 0) {
        keepers_put(core, &wire);
    }
    while (next_object(&list, &it)) {
        bool seen = may_find(core, peer, msg->session, it.task);
        uint32_t object = seen ? object_find(core, it.task, it.index) : NONE;
        source_put(core, &wire, seen ? it.task : 0, it.index, object);
    }
    places_tell(core, peer, msg->seq, &wire, count);
}

void on_fetch_failed(struct core *core, uint32_t peer, const struct msg_fetch_failed *msg)
{
    struct wire wire = sources_room(core, msg->missing.count);
    struct list list = msg->missing;
    struct rec_missing it;
    while (next_missing(&list, &it)) {
        uint32_t node = it.node == 0 ? NONE : node_find(core, it.node);
        uint32_t object = object_find(core, it.task, it.index);
        uint32_t copy = object == NONE || node == NONE ? NONE : copy_of(core, object, node);
        if (copy != NONE) {
            copy_gone(core, copy);
        }
        source_put(core, &wire, it.task, it.index, object_find(core, it.task, it.index));
    }
    places_tell(core, peer, msg->seq, &wire, msg->missing.count);
}

/*  What nodes have of a task's arguments; those beyond the last that fits here are too many to matter. */
struct near {
    struct {
        uint32_t node;
        uint64_t bytes;
    } at[PLACES_MAX];
    uint32_t count;
};

static void near_add(struct near *near, uint32_t node, uint64_t bytes)
{
    uint32_t i = 0;
    while (i < near->count && near->at[i].node != node) {
        i++;
    }
    if (i == near->count && i < PLACES_MAX) {
        near->at[i].node = node;
        near->at[i].bytes = 0;
        near->count++;
    }
    if (i < near->count) {
        near->at[i].bytes += bytes;
    }
}

uint32_t objects_near(const struct core *core, uint64_t task)
{
    struct near near = { .count = 0 };
    uint32_t best = NONE;
    uint64_t most = 0;
    for (uint32_t i = map_find(&core->objects.by_holder, BY_TASK(task)); i != NONE;
         i = map_next(&core->objects.by_holder, i)) {
        const struct object *object = object_at(core, hold_at(core, i)->object);
        for (uint32_t c = object->copies; c != NONE; c = copy_at(core, c)->next) {
            near_add(&near, copy_at(core, c)->node, object->size);
        }
    }
    for (uint32_t i = 0; i < near.count; i++) {
        if (near.at[i].bytes > most && node_takes_work(node_at(core, near.at[i].node))) {
            most = near.at[i].bytes;
            best = near.at[i].node;
        }
    }
    return best;
}

struct list object_sources(struct core *core, uint64_t task)
{
    struct wire wire = sources_room(core, SOURCES_MAX);
    uint32_t count = 0;
    for (uint32_t i = map_find(&core->objects.by_holder, BY_TASK(task));
         i != NONE && count < SOURCES_MAX; i = map_next(&core->objects.by_holder, i)) {
        const struct object *object = object_at(core, hold_at(core, i)->object);
        if (object->size > 0) {
            source_put(core, &wire, object->task, object->index, hold_at(core, i)->object);
            count++;
        }
    }
    ensure(!wire.full);
    core->scratch_bytes += wire.n;
    return (struct list){ slice_of(wire.p, wire.n), count };
}
