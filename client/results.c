/*  results.c - how references end: callers' threads read them, or sleep until they can. */
#include "client/session_inside.h"

#include <stdlib.h>
#include "client/failure.h"
#include "client/far_values.h"
#include "client/node_values.h"
#include "client/serve.h"
#include "client/values.h"
#include "common/clock.h"

enum {
    LOOK_US = 100 * 1000,
    TELL_US = 1000 * 1000,
    TELL_AGAIN_US = 10 * 1000 * 1000,
    TELL_S_MAX = 2
};

static int broken(const struct session *self)
{
    return failure_set(self->broken, slice_text(self->broken_text));
}

static int read_value(struct slice bytes, rayc_value *out)
{
    struct cursor in = cursor_of(bytes);
    bool reference = false;
    *out = (rayc_value){ 0 };
    if (bytes.n > 0 && !value_read(&in, out, &reference)) {
        return failure_say(RAYC_EINVALID, "the result is not a msgpack value");
    }
    return RAYC_OK;
}

/*  How a reference ended.  RAYC_ETIMEOUT: it has not.  `stored`: with a value that is in a store; then its task is not 0,
    and *out is not set. */
static int read_slot(const struct session *self, const struct ref_slot *slot, rayc_ref ref,
                     rayc_value *out, struct stored *stored)
{
    if (slot->state == REF_PENDING) {
        return self->broken != 0 ? broken(self) : RAYC_ETIMEOUT;
    }
    if (slot->state == REF_FAILED) {
        const struct ref_failure *failure = ref_failure(slot);
        struct slice text = slice_of(failure->text, failure->n);
        return (ref.number & BORN_FAILED) != 0 ? failure_set(failure->failure.code, text)
                                               : failure_task(&failure->failure, text, ref.number);
    }
    if (!ref_is_there(slot, ref.index)) {
        return failure_say(RAYC_EOBJECTFREED, "the value was taken away by rayc_free()");
    }
    struct slice bytes = ref_value(slot, ref.index);
    return stored_get(bytes, stored) ? RAYC_OK : read_value(bytes, out);
}

/*  Sleeps until `count` more watched references have ended, or it is time. */
static int sleep_for_results(struct session *self, uint64_t count, uint64_t until_us)
{
    uint64_t target = self->watched_ended + count;
    if (target < self->wake_at) {
        self->wake_at = target;
    }
    if (self->config.ticket != NULL) { /* looks now and then whether its task was cancelled */
        uint64_t look_us = clock_us() + LOOK_US;
        until_us = look_us < until_us ? look_us : until_us;
    }
    self->waiters++;
    int rc = session_sleep_for(self, target, until_us);
    self->waiters--;
    return rc;
}

/*  Can `wanted` of these never end, because they are calls of this very actor, which come after the one that waits? */
static bool waits_for_itself(struct session *self, const struct ref_list *list, size_t wanted)
{
    size_t own = 0;
    for (size_t i = 0; self->handles.own_count > 0 && i < list->count; i++) {
        own += session_slot(self, list->refs[i])->state == REF_PENDING &&
               handles_is_own(&self->handles, list->refs[i].number);
    }
    return own > 0 && list->count - own < wanted;
}

/*  A task that waits for results. */
struct waiting {
    bool begun, told;
    uint64_t until_us;
    uint64_t tell_us; /* when the head is to hear of it */
};

/*  Under the lock, which is given up meanwhile: the head knows who waits for whom; NULL: it waits no more.
    RAYC_EINVALID: they wait in a circle. */
static int tell_waiting(struct session *self, const struct ref_list *list)
{
    uint8_t bytes[AWAITS_MAX * 32];
    struct wire wire = { bytes, 0, sizeof(bytes), false };
    uint32_t count = 0;
    for (size_t i = 0; list != NULL && i < list->count && count < AWAITS_MAX; i++) {
        if (session_slot(self, list->refs[i])->state == REF_PENDING) {
            proto_put_record(&wire, REC_ID, &(struct rec_id){ list->refs[i].number });
            count++;
        }
    }
    struct msg_awaits ask = { .session = self->id, .tasks = wire_list(&wire, count) };
    struct reply reply;
    pthread_mutex_unlock(&self->lock);
    int rc = session_ask(self, MSG_AWAITS, &ask, TELL_S_MAX, &reply);
    pthread_mutex_lock(&self->lock);
    if (rc == RAYC_OK) {
        reply_free(&reply);
    }
    return rc == RAYC_EINVALID ? rc : RAYC_OK;
}

/*  Before it sleeps.  Of a task: others have its CPUs until it goes on; one that was told to end waits no more. */
static int begin_waiting(struct session *self, enum need how, const struct ref_list *list,
                         size_t wanted, struct waiting *waiting)
{
    if (self->config.ticket == NULL) {
        return RAYC_OK;
    }
    if (serve_cancelled()) {
        return failure_say(RAYC_ECANCELLED, "the task that waits here was cancelled");
    }
    if (waits_for_itself(self, list, wanted)) {
        return failure_say(RAYC_EINVALID, "the actor waits for a call of itself, which would begin "
                                          "when this one has ended: it runs one at a time");
    }
    uint64_t now_us = clock_us();
    if (!waiting->begun) {
        waiting->begun = true;
        waiting->tell_us = now_us + TELL_US;
        serve_waits(how);
    }
    if (waiting->until_us == UINT64_MAX && wanted == list->count && now_us >= waiting->tell_us) {
        waiting->tell_us = now_us + TELL_AGAIN_US;
        waiting->told = true;
        return tell_waiting(self, list);
    }
    return RAYC_OK;
}

/*  Under the lock.  What it waited for may go on without it. */
static void end_waiting(struct session *self, const struct waiting *waiting, int rc)
{
    if (waiting->told && rc < 0 && self->broken == 0) {
        (void)tell_waiting(self, NULL);
    }
    if (waiting->begun) {
        serve_goes_on();
    }
}

struct found {
    rayc_value value;
    struct stored stored;
    struct waiting waiting;
};

static int get(struct session *self, rayc_ref ref, uint64_t until_us, struct found *out)
{
    for (;;) {
        int rc = session_usable(self);
        struct ref_slot *slot = rc == RAYC_OK ? session_slot(self, ref) : NULL;
        if (slot == NULL) {
            return rc != RAYC_OK ? rc : RAYC_ENOTFOUND;
        }
        rc = read_slot(self, slot, ref, &out->value, &out->stored);
        if (rc != RAYC_ETIMEOUT) {
            return rc;
        }
        if (until_us == 0 || clock_us() >= until_us) {
            return failure_say(RAYC_ETIMEOUT,
                               "task %016llx has not ended yet; 'rayc task explain' tells why",
                               (unsigned long long)ref.number);
        }
        slot->watched |= WATCHED_BY_CALLER;
        rc = begin_waiting(self, NEED_GET, &(struct ref_list){ &ref, 1 }, 1, &out->waiting);
        if (rc != RAYC_OK || sleep_for_results(self, 1, until_us) == RAYC_ECLOSED) {
            return rc != RAYC_OK ? rc : RAYC_ECLOSED;
        }
    }
}

void session_await(struct session *self, rayc_ref ref)
{
    int rc = RAYC_OK;
    while (rc != RAYC_ECLOSED && self->broken == 0) {
        struct ref_slot *slot = session_find_slot(self, ref);
        if (slot == NULL || slot->state != REF_PENDING) {
            return;
        }
        slot->watched |= WATCHED_BY_CALLER;
        rc = sleep_for_results(self, 1, UINT64_MAX);
    }
}

/*  A time-out as callers give it: RAYC_FOREVER, or seconds from 0 on. */
static int check_seconds(double seconds)
{
    return seconds >= 0 || seconds == RAYC_FOREVER
               ? RAYC_OK
               : failure_say(RAYC_EINVALID,
                             "the time-out is %g: it must be RAYC_FOREVER, or seconds from 0 on",
                             seconds);
}

/*  From the store of this node, or over the network if this machine has none. */
static int read_stored(struct session *self, const struct stored *id, uint64_t until_us,
                       struct slice *value)
{
    int rc = node_values_view(id, VIEWER_REFERENCE, until_us, value);
    if (rc == RAYC_ENOTFOUND && !node_values_here()) {
        uint8_t *bytes;
        rc = far_values_get(self, id, until_us, &bytes);
        rc = rc == RAYC_OK ? node_values_keep(id, bytes, value) : rc;
    } else if (rc == RAYC_ENOTFOUND) {
        rc = far_values_why(self, id);
    }
    return rc;
}

static int get_until(struct session *self, rayc_ref ref, uint64_t until_us, rayc_value *out)
{
    struct found found = { .waiting.until_us = until_us };
    struct slice bytes;
    pthread_mutex_lock(&self->lock);
    int rc = get(self, ref, until_us, &found);
    end_waiting(self, &found.waiting, rc);
    pthread_mutex_unlock(&self->lock);
    if (rc == RAYC_OK && found.stored.task != 0 && out != NULL) {
        rc = read_stored(self, &found.stored, until_us, &bytes);
        rc = rc == RAYC_OK ? read_value(bytes, &found.value) : rc;
    }
    if (rc == RAYC_OK && out != NULL) {
        *out = found.value;
        if (out->kind == RAYC_REF) {
            session_met(self, out->as.ref);
        }
    }
    return rc;
}

int session_get(struct session *self, rayc_ref ref, double seconds, rayc_value *out)
{
    int rc = check_seconds(seconds);
    return rc == RAYC_OK ? get_until(self, ref, session_deadline(seconds), out) : rc;
}

/* --- several ---------------------------------------------------------------------------------- */

/*  Looks at all that have ended; the first failure among them, or RAYC_ETIMEOUT and how many are
    pending. */
static int read_all(struct session *self, const rayc_ref *refs, size_t count, size_t *pending)
{
    rayc_value value;
    struct stored stored;
    *pending = 0;
    for (size_t i = 0; i < count; i++) {
        struct ref_slot *slot = session_slot(self, refs[i]);
        if (slot == NULL) {
            return RAYC_ENOTFOUND;
        }
        if (slot->state == REF_PENDING && self->broken == 0) {
            slot->watched |= WATCHED_BY_CALLER | WATCHED_FOR_FAILURE;
            ++*pending;
            continue;
        }
        int rc = read_slot(self, slot, refs[i], &value, &stored);
        if (rc != RAYC_OK) {
            return rc;
        }
    }
    return *pending > 0 ? RAYC_ETIMEOUT : RAYC_OK;
}

static int get_all(struct session *self, const struct ref_list *list, struct waiting *waiting)
{
    uint64_t until_us = waiting->until_us;
    for (;;) {
        size_t pending = 0;
        int rc = session_usable(self);
        if (rc == RAYC_OK) {
            rc = read_all(self, list->refs, list->count, &pending);
        }
        if (rc != RAYC_ETIMEOUT) {
            return rc;
        }
        if (until_us == 0 || clock_us() >= until_us) {
            return failure_say(RAYC_ETIMEOUT, "%zu of %zu references have not ended yet", pending,
                               list->count);
        }
        rc = begin_waiting(self, NEED_GET, list, list->count, waiting);
        if (rc != RAYC_OK || sleep_for_results(self, pending, until_us) == RAYC_ECLOSED) {
            return rc != RAYC_OK ? rc : RAYC_ECLOSED;
        }
    }
}

int session_get_all(struct session *self, const struct ref_list *list, double seconds,
                    rayc_value *values)
{
    int rc = check_seconds(seconds);
    if (rc != RAYC_OK) {
        return rc;
    }
    if (list->refs == NULL && list->count > 0) {
        return failure_say(RAYC_EINVALID, "the list of references is NULL");
    }
    uint64_t until_us = session_deadline(seconds);
    pthread_mutex_lock(&self->lock);
    struct waiting waiting = { .until_us = until_us };
    rc = get_all(self, list, &waiting);
    end_waiting(self, &waiting, rc);
    pthread_mutex_unlock(&self->lock);
    for (size_t i = 0; values != NULL && rc == RAYC_OK && i < list->count; i++) {
        rc = get_until(self, list->refs[i], until_us, &values[i]);
    }
    return rc;
}

/* --- waiting ---------------------------------------------------------------------------------- */

/*  How many of the references have ended; the others are watched from now on. */
static int count_ended(struct session *self, const rayc_ref *refs, size_t count, size_t *ended)
{
    *ended = 0;
    for (size_t i = 0; i < count; i++) {
        struct ref_slot *slot = session_slot(self, refs[i]);
        if (slot == NULL) {
            return RAYC_ENOTFOUND;
        }
        if (slot->state != REF_PENDING) {
            ++*ended;
        } else {
            slot->watched |= WATCHED_BY_CALLER;
        }
    }
    return RAYC_OK;
}

/*  Moves the first `wanted` that have ended to the front. */
static int sort_ended(struct session *self, rayc_ref *refs, size_t count, size_t wanted)
{
    rayc_ref *rest = malloc(count * sizeof(*rest));
    ensure(rest != NULL);
    size_t front = 0, back = 0;
    for (size_t i = 0; i < count; i++) {
        if (front < wanted && session_slot(self, refs[i])->state != REF_PENDING) {
            refs[front++] = refs[i];
        } else {
            rest[back++] = refs[i];
        }
    }
    memcpy(refs + front, rest, back * sizeof(*rest));
    free(rest);
    return (int)front;
}

static int wait_ended(struct session *self, rayc_ref *refs, size_t count, size_t wanted,
                      struct waiting *waiting)
{
    uint64_t until_us = waiting->until_us;
    for (;;) {
        int rc = session_usable(self);
        size_t ended = 0;
        if (rc == RAYC_OK) {
            rc = count_ended(self, refs, count, &ended);
        }
        if (rc != RAYC_OK) {
            return rc;
        }
        if (ended >= wanted || until_us == 0 || clock_us() >= until_us) {
            return sort_ended(self, refs, count, wanted);
        }
        if (self->broken != 0) {
            return broken(self);
        }
        rc = begin_waiting(self, NEED_WAIT, &(struct ref_list){ refs, count }, wanted, waiting);
        if (rc != RAYC_OK || sleep_for_results(self, wanted - ended, until_us) == RAYC_ECLOSED) {
            return rc != RAYC_OK ? rc : RAYC_ECLOSED;
        }
    }
}

/*  Every reference is known, and there once: RAYC_OK. */
static int check_list(struct session *self, const rayc_ref *refs, size_t count)
{
    int rc = session_usable(self);
    size_t marked = 0;
    for (; rc == RAYC_OK && marked < count; marked++) {
        struct ref_slot *slot = session_slot(self, refs[marked]);
        if (slot == NULL) {
            rc = RAYC_ENOTFOUND;
            break;
        }
        if (ref_mark(slot, refs[marked].index)) {
            rc = failure_say(RAYC_EINVALID,
                             "reference %zu is in the list before: it must be there once", marked);
            break;
        }
    }
    for (size_t i = 0; i < marked; i++) {
        ref_unmark(session_slot(self, refs[i]), refs[i].index);
    }
    return rc;
}

int session_wait(struct session *self, rayc_ref *refs, size_t count, size_t wanted, double seconds)
{
    int rc = check_seconds(seconds);
    if (rc != RAYC_OK || count == 0) {
        return rc;
    }
    if (refs == NULL) {
        return failure_say(RAYC_EINVALID, "the list of references is NULL");
    }
    if (wanted == 0 || wanted > count || count > INT32_MAX) {
        return failure_say(RAYC_EINVALID,
                           "wanted is %zu of %zu references: it must be 1 to their count", wanted,
                           count);
    }
    uint64_t until_us = session_deadline(seconds);
    pthread_mutex_lock(&self->lock);
    struct waiting waiting = { .until_us = until_us };
    rc = check_list(self, refs, count);
    if (rc == RAYC_OK) {
        rc = wait_ended(self, refs, count, wanted, &waiting);
    }
    end_waiting(self, &waiting, rc);
    pthread_mutex_unlock(&self->lock);
    return rc;
}
