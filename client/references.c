/*  references.c - what references stand for: those of the session's own tasks, and those that it has read in values, which it
    holds from then on. */
#include "client/failure.h"
#include "client/far_values.h"
#include "client/node_values.h"
#include "client/session_inside.h"
#include "common/ids.h"
#include "proto/stored.h"
#include "proto/value.h"

enum { FREE_MAX = 512, OBJECT_BYTES = 16 }; /* of an OBJECT record, at most */

bool session_is_foreign(const struct session *self, rayc_ref ref)
{
    uint64_t session = task_session((task_id){ ref.number });
    return (ref.number & BORN_FAILED) == 0 && session != 0 && session != self->id;
}

/*  The slot that a reference has had since its task was submitted. */
static struct ref_slot *own_slot(const struct session *self, rayc_ref ref)
{
    struct ref_slot *slot = NULL;
    if (ref.job == self->job && ref.number != 0) {
        slot = (ref.number & BORN_FAILED) != 0
                   ? refs_at(&self->born, ref.number & ~BORN_FAILED)
                   : refs_at(&self->refs, task_counter((task_id){ ref.number }));
    }
    return slot != NULL && ref_has(slot, ref.index) ? slot : NULL;
}

/*  The slot of a reference, if it is there.  One of this session's that was dropped, and was read in a value, is borrowed,
    too. */
struct ref_slot *session_find_slot(const struct session *self, rayc_ref ref)
{
    struct ref_slot *slot = session_is_foreign(self, ref) ? NULL : own_slot(self, ref);
    return slot != NULL ? slot : borrowed_find(&self->borrowed, ref.number, ref.index);
}

int session_unknown(rayc_ref ref)
{
    return failure_say(RAYC_ENOTFOUND,
                       ref.job == 0 && ref.number == 0
                           ? "the reference is zero: it was never submitted, or was dropped"
                           : "the reference was dropped, or is of another program or rayc_init()");
}

static void change(struct session *self, rayc_ref ref, bool held)
{
    ref_changes_add(&self->changes,
                    &(struct ref_change){ { ref.number, ref.index, held, 0 }, self->outbox.next });
}

/*  From now on this session holds what it names, and the head is asked for it. */
static struct ref_slot *borrow(struct session *self, rayc_ref ref)
{
    change(self, ref, true);
    return borrowed_add(&self->borrowed, ref.number, ref.index);
}

/*  Under the lock. */
static void reads(struct session *self, rayc_ref ref)
{
    uint64_t counter = task_counter((task_id){ ref.number });
    bool own = task_session((task_id){ ref.number }) == self->id && ref.job == self->job;
    bool known = session_is_foreign(self, ref) || (own && counter > 0 && counter < self->refs.next);
    if (self->id != 0 && known && session_find_slot(self, ref) == NULL) {
        borrow(self, ref);
    }
}

void session_met(struct session *self, rayc_ref ref)
{
    pthread_mutex_lock(&self->lock);
    if (!self->closing) {
        reads(self, ref);
    }
    pthread_mutex_unlock(&self->lock);
}

void session_returns(struct session *self, uint64_t task, const struct reference *inside)
{
    pthread_mutex_lock(&self->lock);
    ref_changes_add(&self->changes,
                    &(struct ref_change){ { inside->task, inside->index, 1, task }, 0 });
    pthread_mutex_unlock(&self->lock);
}

struct ref_slot *session_slot(struct session *self, rayc_ref ref)
{
    struct ref_slot *slot = session_find_slot(self, ref);
    if (slot == NULL && session_is_foreign(self, ref)) {
        slot = borrow(self, ref);
    }
    if (slot == NULL) {
        session_unknown(ref);
    }
    return slot;
}

int session_wait_accepted(struct session *self, task_id id)
{
    int rc = session_usable(self);
    self->waiters++;
    session_send_all(self);
    while (rc == RAYC_OK && self->broken == 0 && task_session(id) == self->id &&
           self->outbox.below <= task_counter(id)) {
        rc = session_sleep(self, UINT64_MAX);
    }
    self->waiters--;
    return rc;
}

int session_known(struct session *self, rayc_ref ref)
{
    pthread_mutex_lock(&self->lock);
    int rc = session_usable(self);
    if (rc == RAYC_OK && !session_is_foreign(self, ref)) {
        rc = session_find_slot(self, ref) == NULL ? session_unknown(ref)
                                                  : (ref.number & BORN_FAILED) != 0;
        rc = rc == RAYC_OK ? session_wait_accepted(self, (task_id){ ref.number }) : rc;
    }
    pthread_mutex_unlock(&self->lock);
    return rc;
}

static void let_go(const struct stored *stored)
{
    node_values_release(stored, VIEWER_REFERENCE);
    far_values_forget(stored);
}

/*  What is in a store or has references inside, or may when it is there, is the head's to look after; so is what was
    borrowed. */
static void release_value(struct session *self, const struct ref_slot *slot, rayc_ref ref,
                          bool borrowed)
{
    struct stored stored = { 0 };
    struct reference inside;
    bool ready = ref_is_there(slot, ref.index);
    struct slice value = ready ? ref_value(slot, ref.index) : (struct slice){ 0 };
    struct cursor in = cursor_of(value);
    if (ready && stored_get(value, &stored)) {
        let_go(&stored);
    }
    if (borrowed || stored.task != 0 || (slot->state != REF_FAILED && !ready) ||
        reference_next(&in, &inside)) {
        change(self, ref, false);
    }
}

static int drop(struct session *self, rayc_ref ref)
{
    struct ref_slot *own = session_is_foreign(self, ref) ? NULL : own_slot(self, ref);
    struct ref_slot *slot = own != NULL ? own : session_find_slot(self, ref);
    if (slot == NULL) {
        return session_is_foreign(self, ref) ? RAYC_OK : session_unknown(ref);
    }
    if ((ref.number & BORN_FAILED) != 0) {
        refs_drop(&self->born, ref.number & ~BORN_FAILED, ref.index);
        return RAYC_OK;
    }
    release_value(self, slot, ref, own == NULL);
    if (own != NULL) {
        refs_drop(&self->refs, task_counter((task_id){ ref.number }), ref.index);
    } else {
        borrowed_drop(&self->borrowed, ref.number, ref.index);
    }
    return RAYC_OK;
}

int session_drop(struct session *self, rayc_ref ref)
{
    pthread_mutex_lock(&self->lock);
    int rc = session_usable(self);
    if (rc == RAYC_OK) {
        rc = drop(self, ref);
    }
    pthread_mutex_unlock(&self->lock);
    return rc;
}

/* --- taking values away ----------------------------------------------------------------------- */

/*  Under the lock: the value is gone here, too. */
static void forget_value(struct session *self, rayc_ref ref)
{
    struct ref_slot *slot = session_find_slot(self, ref);
    struct stored stored;
    if (slot == NULL || !ref_is_there(slot, ref.index)) {
        return;
    }
    if (stored_get(ref_value(slot, ref.index), &stored)) {
        let_go(&stored);
    }
    ref_take_away(slot, ref.index);
}

/*  Under the lock: an OBJECT record for each that has ended; how many, or a failure. */
static int put_ended(struct session *self, const rayc_ref *refs, size_t count, struct wire *to)
{
    int ended = 0;
    for (size_t i = 0; i < count; i++) {
        const struct ref_slot *slot = session_slot(self, refs[i]);
        if (slot == NULL) {
            return RAYC_ENOTFOUND;
        }
        if (ref_is_there(slot, refs[i].index)) {
            proto_put_record(to, REC_OBJECT, &(struct rec_object){ refs[i].number, refs[i].index });
            ended++;
        }
    }
    return ended;
}

/*  As many as fit a request. */
static int free_some(struct session *self, const rayc_ref *refs, size_t count)
{
    uint8_t bytes[FREE_MAX * OBJECT_BYTES];
    struct wire objects = { bytes, 0, sizeof(bytes), false };
    pthread_mutex_lock(&self->lock);
    int rc = session_usable(self);
    rc = rc == RAYC_OK ? put_ended(self, refs, count, &objects) : rc;
    pthread_mutex_unlock(&self->lock);
    if (rc <= 0) {
        return rc;
    }
    struct msg_free ask = { .session = self->id, .objects = wire_list(&objects, (uint32_t)rc) };
    struct reply reply;
    rc = session_ask(self, MSG_FREE, &ask, RAYC_FOREVER, &reply);
    if (rc == RAYC_OK) {
        reply_free(&reply);
        pthread_mutex_lock(&self->lock);
        for (size_t i = 0; i < count; i++) {
            forget_value(self, refs[i]);
        }
        pthread_mutex_unlock(&self->lock);
    }
    return rc;
}

int session_free(struct session *self, const rayc_ref *refs, size_t count)
{
    int rc = RAYC_OK;
    if (refs == NULL && count > 0) {
        return failure_say(RAYC_EINVALID, "the list of references is NULL");
    }
    for (size_t i = 0; i < count && rc == RAYC_OK; i += FREE_MAX) {
        rc = free_some(self, refs + i, count - i < FREE_MAX ? count - i : FREE_MAX);
    }
    return rc;
}

void session_drop_all(struct session *self)
{
    for (uint64_t c = self->dropped; c < self->refs.next; c++) {
        const struct ref_slot *slot = refs_at(&self->refs, c);
        uint32_t count = slot == NULL ? 0 : slot->is_several ? slot->as.several->count : 1;
        for (uint32_t i = 0; i < count && refs_at(&self->refs, c) != NULL; i++) {
            rayc_ref ref = { task_id_of(self->id, c).v, i, (uint32_t)self->job };
            if (own_slot(self, ref) != NULL) {
                (void)drop(self, ref);
            }
        }
    }
    self->dropped = self->refs.next;
    const struct borrowed_one *one;
    while ((one = borrowed_any(&self->borrowed)) != NULL) {
        (void)drop(self, (rayc_ref){ one->task, one->index, (uint32_t)self->job });
    }
}
