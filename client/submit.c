/*  submit.c - tasks and their references: the part of a session that a program calls a million
    times. */
#include "client/session_inside.h"

#include <stdlib.h>
#include "client/failure.h"
#include "client/inherit.h"
#include "client/options.h"
#include "client/serve.h"
#include "client/values.h"
#include "common/clock.h"
#include "common/ids.h"

enum {
    INLINE_BYTES_MAX =
        64 * 1024, /* of a result that is put into an argument list instead of its reference */
    SPEC_HEAD_BYTES = 512, /* of a SPEC, beside its body, strings and lists */
    DEP_BYTES = 12,
    LOOK_US = 100 * 1000,
    ARGS_KEPT_MAX = 1 * MIB /* scratch beyond it is given back */
};

/* --- references ------------------------------------------------------------------------------- */

/*  The slot of a reference, or NULL with rayc_error(). */
static struct ref_slot *slot_of(struct session *self, rayc_ref ref)
{
    bool born_failed = (ref.number & BORN_FAILED) != 0;
    task_id id = { ref.number };
    struct ref_slot *slot = NULL;
    if (ref.job == self->job && ref.number != 0) {
        if (born_failed) {
            slot = refs_at(&self->born, ref.number & ~BORN_FAILED);
        } else if (task_session(id) == self->id) {
            slot = refs_at(&self->refs, task_counter(id));
        }
    }
    if (slot == NULL) {
        failure_say(RAYC_ENOTFOUND,
                    ref.job == 0 && ref.number == 0
                        ? "the reference is zero: it was never submitted, or was dropped"
                        : "the reference was dropped, or is of another program or rayc_init()");
    }
    return slot;
}

int session_known(struct session *self, rayc_ref ref)
{
    pthread_mutex_lock(&self->lock);
    int rc = session_usable(self);
    if (rc == RAYC_OK) {
        rc = slot_of(self, ref) == NULL ? RAYC_ENOTFOUND : (ref.number & BORN_FAILED) != 0;
    }
    pthread_mutex_unlock(&self->lock);
    return rc;
}

int session_drop(struct session *self, rayc_ref ref)
{
    pthread_mutex_lock(&self->lock);
    int rc = session_usable(self);
    if (rc == RAYC_OK && slot_of(self, ref) == NULL) {
        rc = RAYC_ENOTFOUND;
    }
    if (rc == RAYC_OK && (ref.number & BORN_FAILED) != 0) {
        refs_drop(&self->born, ref.number & ~BORN_FAILED);
    } else if (rc == RAYC_OK) {
        refs_drop(&self->refs, task_counter((task_id){ ref.number }));
    }
    pthread_mutex_unlock(&self->lock);
    return rc;
}

static rayc_ref born_failed(struct session *self)
{
    const rayc_failure *why = rayc_error();
    uint64_t number = refs_add(&self->born);
    ref_set_failure(refs_at(&self->born, number), why, slice_text(why->text));
    return (rayc_ref){ self->job, number | BORN_FAILED };
}

rayc_ref session_born_failed(struct session *self)
{
    rayc_ref ref = { 0 };
    pthread_mutex_lock(&self->lock);
    if (session_usable(self) == RAYC_OK) {
        ref = born_failed(self);
    }
    pthread_mutex_unlock(&self->lock);
    return ref;
}

/* --- submitting ------------------------------------------------------------------------------- */

static void reserve(struct wire *wire, size_t bytes)
{
    wire->n = 0;
    wire->full = false;
    if (bytes > wire->capacity) {
        free(wire->p);
        wire->p = malloc(bytes);
        ensure(wire->p != NULL);
        wire->capacity = bytes;
    }
}

/*  Is the result here, and small enough to travel in the argument list? */
static bool is_inline(const struct ref_slot *slot)
{
    return slot->state == REF_READY && ref_value(slot).n > 0 &&
           ref_value(slot).n <= INLINE_BYTES_MAX;
}

static int resolve(void *context, rayc_ref ref, struct slice *value)
{
    struct session *self = context;
    const struct ref_slot *slot = slot_of(self, ref);
    if (slot == NULL) {
        return RAYC_ENOTFOUND;
    }
    if ((ref.number & BORN_FAILED) != 0) {
        return failure_say(RAYC_EUPSTREAM,
                           "an argument is the result of a task that could not be submitted: %.*s",
                           (int)slot->as.failure->n, (const char *)slot->as.failure->text);
    }
    if (!is_inline(slot)) {
        return 0;
    }
    *value = ref_value(slot);
    return 1;
}

/*  Bytes that the encoded list may have, with the results that will be put in. */
static size_t bound_of(struct session *self, const rayc_arg *args, size_t count, size_t *waits)
{
    size_t bytes = args_bound(args, count);
    for (size_t i = 0; i < count; i++) {
        if (args[i].ref.job != 0 || args[i].ref.number != 0) {
            const struct ref_slot *slot = slot_of(self, args[i].ref);
            bytes += slot != NULL && is_inline(slot) ? ref_value(slot).n : 0;
            *waits += 1;
        }
    }
    return bytes;
}

/*  Encodes the arguments into self->args and the tasks they wait for into self->deps. */
static int encode_args(struct session *self, const rayc_arg *args, size_t count,
                       struct rec_call *call)
{
    size_t waits = 0;
    size_t bytes = bound_of(self, args, count, &waits);
    if (waits > DEPS_MAX) {
        return failure_say(RAYC_EINVALID, "%zu arguments are references: the limit is %d", waits,
                           DEPS_MAX);
    }
    if (bytes > RAYC_VALUE_MAX) {
        return failure_say(RAYC_ETOOLARGE, "the arguments have %zu bytes: the limit is %u (8 MiB)",
                           bytes, RAYC_VALUE_MAX);
    }
    reserve(&self->args, bytes);
    reserve(&self->deps, waits * DEP_BYTES);
    struct resolver resolver = { resolve, self };
    int rc = args_put(&self->args, &self->deps, args, count, &resolver);
    if (rc < 0) {
        return rc;
    }
    ensure(!self->args.full && !self->deps.full);
    call->args = slice_of(self->args.p, self->args.n);
    call->deps = wire_list(&self->deps, (uint32_t)rc);
    return RAYC_OK;
}

/*  Hands a call over: from now on the head will get it, and its reference waits. */
static rayc_ref hand_over(struct session *self, const struct rec_call *call, struct slice spec)
{
    uint64_t counter = refs_add(&self->refs);
    if (self->broken == 0) {
        ensure(counter == self->outbox.next);
        outbox_add(&self->outbox, call, spec);
        if (self->asleep && outbox_ready(&self->outbox, self->waiters > 0)) {
            session_wake(self);
        }
    }
    if (self->args.capacity > ARGS_KEPT_MAX) {
        free(self->args.p);
        self->args = (struct wire){ 0 };
    }
    return (rayc_ref){ self->job, task_id_of(self->id, counter).v };
}

static size_t spec_bound(const struct rec_spec *spec)
{
    return SPEC_HEAD_BYTES + spec->name.n + spec->program.n + spec->body.n + spec->strategy.n +
           spec->demand.bytes.n + spec->retry_codes.bytes.n + spec->packages.bytes.n;
}

static int full_of_specs(void)
{
    return failure_say(RAYC_EBUSY,
                       "a program can have %d different functions, options and commands at most",
                       SPECS_PER_SESSION_MAX - 1);
}

/*  Encodes a spec that the head has not been told; *out is malloced. */
static void encode_spec(const struct spec_draft *draft, struct wire *out)
{
    struct rec_spec record = draft->record;
    uint8_t *body;
    inherit_into(&record, &body);
    size_t bytes = spec_bound(&record);
    *out = (struct wire){ malloc(bytes), 0, bytes, false };
    ensure(out->p != NULL);
    proto_put_record(out, REC_SPEC, &record);
    ensure(!out->full);
    free(body);
}

/*  The index of a function with these options; *spec (malloced) is set when it is new. */
static int function_spec(struct session *self, const rayc_function *function,
                         const rayc_options *options, struct wire *spec)
{
    rayc_options complete;
    int rc = options_complete(&complete, options);
    if (rc != RAYC_OK) {
        return rc;
    }
    uint32_t index = specs_find(&self->specs, function, &complete);
    if (index != NONE) {
        return (int)index;
    }
    struct spec_draft draft;
    rc = options_draft(&draft, &complete);
    if (rc != RAYC_OK) {
        return rc;
    }
    if (function->name == NULL || function->name[0] == 0 ||
        strlen(function->name) > NAME_MAX_BYTES) {
        return failure_say(RAYC_EINVALID,
                           "a function needs a name of 1 to %d bytes: use RAYC_TASK()",
                           NAME_MAX_BYTES);
    }
    index = specs_add(&self->specs, function, &complete);
    if (index == SPECS_FULL) {
        return full_of_specs();
    }
    draft.record.index = index;
    draft.record.kind = SPEC_FUNCTION;
    draft.record.name = slice_text(function->name);
    draft.record.program = slice_text(self->program);
    encode_spec(&draft, spec);
    return (int)index;
}

rayc_ref session_submit(struct session *self, const rayc_function *function,
                        const rayc_options *options, const rayc_arg *args, size_t count)
{
    rayc_ref ref = { 0 };
    struct rec_call call = { 0 };
    struct wire spec = { 0 };
    pthread_mutex_lock(&self->lock);
    int rc = session_usable(self);
    if (rc == RAYC_OK) {
        rc = encode_args(self, args, count, &call);
        if (rc == RAYC_OK) {
            rc = function_spec(self, function, options, &spec);
        }
        if (rc >= 0) {
            call.spec = (uint32_t)rc;
            ref = hand_over(self, &call, slice_of(spec.p, spec.n));
        } else {
            ref = born_failed(self);
        }
    }
    pthread_mutex_unlock(&self->lock);
    free(spec.p);
    return ref;
}

/*  As function_spec(): commands are the same when all that is asked is the same. */
static int command_spec(struct session *self, const rayc_options *options, const char *name,
                        struct slice body, struct wire *spec)
{
    rayc_options complete;
    struct spec_draft draft;
    int rc = options_complete(&complete, options);
    if (rc == RAYC_OK) {
        rc = options_draft(&draft, &complete);
    }
    if (rc != RAYC_OK) {
        return rc;
    }
    draft.record.kind = SPEC_COMMAND;
    draft.record.name = slice_text(complete.name != NULL ? complete.name : name);
    draft.record.body = body;
    encode_spec(&draft, spec);
    char digest[HASH_TEXT_BYTES];
    struct hash hash;
    hash_begin(&hash);
    hash_add(&hash, spec->p, spec->n);
    hash_end(&hash, digest);
    free(spec->p);
    *spec = (struct wire){ 0 };
    uint32_t index = specs_find_command(&self->specs, digest);
    if (index == NONE) {
        index = specs_add_command(&self->specs, digest);
        if (index == SPECS_FULL) {
            return full_of_specs();
        }
        draft.record.index = index;
        encode_spec(&draft, spec);
    }
    return (int)index;
}

rayc_ref session_command(struct session *self, const rayc_options *options, const char *name,
                         struct slice body)
{
    static const uint8_t no_args[] = { 0x90 }; /* an empty array */
    rayc_ref ref = { 0 };
    struct rec_call call = { .args = slice_of(no_args, sizeof(no_args)) };
    struct wire spec = { 0 };
    pthread_mutex_lock(&self->lock);
    if (session_usable(self) == RAYC_OK) {
        int rc = command_spec(self, options, name, body, &spec);
        if (rc >= 0) {
            call.spec = (uint32_t)rc;
            ref = hand_over(self, &call, slice_of(spec.p, spec.n));
        } else {
            ref = born_failed(self);
        }
    }
    pthread_mutex_unlock(&self->lock);
    free(spec.p);
    return ref;
}

/* --- results ---------------------------------------------------------------------------------- */

static int broken(const struct session *self)
{
    return failure_set(self->broken, slice_text(self->broken_text));
}

/*  How a reference ended.  RAYC_ETIMEOUT: it has not. */
static int read_slot(const struct session *self, const struct ref_slot *slot, uint64_t task,
                     rayc_value *out)
{
    if (slot->state == REF_PENDING) {
        return self->broken != 0 ? broken(self) : RAYC_ETIMEOUT;
    }
    if (slot->state == REF_FAILED) {
        const struct ref_failure *failure = slot->as.failure;
        struct slice text = slice_of(failure->text, failure->n);
        return (task & BORN_FAILED) != 0 ? failure_set(failure->failure.code, text)
                                         : failure_task(&failure->failure, text, task);
    }
    struct slice bytes = ref_value(slot);
    struct cursor in = cursor_of(bytes);
    bool reference = false;
    rayc_value value = { 0 };
    if (bytes.n > 0 && !value_read(&in, &value, &reference)) {
        return failure_say(RAYC_EINVALID, "the result is not a msgpack value");
    }
    if (out != NULL) {
        *out = value;
    }
    return RAYC_OK;
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

/*  Before it sleeps.  Of a task: others have its CPUs until it goes on; one that was told to end waits no more. */
static int begin_waiting(const struct session *self, enum need how, bool *waits)
{
    if (self->config.ticket == NULL) {
        return RAYC_OK;
    }
    if (serve_cancelled()) {
        return failure_say(RAYC_ECANCELLED, "the task that waits here was cancelled");
    }
    if (!*waits) {
        *waits = true;
        serve_waits(how);
    }
    return RAYC_OK;
}

static void end_waiting(bool waits)
{
    if (waits) {
        serve_goes_on();
    }
}

static int get(struct session *self, rayc_ref ref, uint64_t until_us, rayc_value *out, bool *waits)
{
    for (;;) {
        int rc = session_usable(self);
        struct ref_slot *slot = rc == RAYC_OK ? slot_of(self, ref) : NULL;
        if (slot == NULL) {
            return rc != RAYC_OK ? rc : RAYC_ENOTFOUND;
        }
        rc = read_slot(self, slot, ref.number, out);
        if (rc != RAYC_ETIMEOUT) {
            return rc;
        }
        if (until_us == 0 || clock_us() >= until_us) {
            return failure_say(RAYC_ETIMEOUT, "task %016llx has not ended yet",
                               (unsigned long long)ref.number);
        }
        slot->watched |= WATCHED_BY_CALLER;
        rc = begin_waiting(self, NEED_GET, waits);
        rc = rc == RAYC_OK ? sleep_for_results(self, 1, until_us) : rc;
        if (rc == RAYC_ECLOSED || rc == RAYC_ECANCELLED) {
            return rc;
        }
    }
}

int session_get(struct session *self, rayc_ref ref, double seconds, rayc_value *out)
{
    uint64_t until_us = session_deadline(seconds);
    pthread_mutex_lock(&self->lock);
    bool waits = false;
    int rc = get(self, ref, until_us, out, &waits);
    pthread_mutex_unlock(&self->lock);
    end_waiting(waits);
    return rc;
}

/*  How many of the references have ended; the others are watched from now on. */
static int count_ended(struct session *self, const rayc_ref *refs, size_t count, size_t *ended)
{
    *ended = 0;
    for (size_t i = 0; i < count; i++) {
        struct ref_slot *slot = slot_of(self, refs[i]);
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
        if (front < wanted && slot_of(self, refs[i])->state != REF_PENDING) {
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
                      uint64_t until_us, bool *waits)
{
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
        rc = begin_waiting(self, NEED_WAIT, waits);
        rc = rc == RAYC_OK ? sleep_for_results(self, wanted - ended, until_us) : rc;
        if (rc == RAYC_ECLOSED || rc == RAYC_ECANCELLED) {
            return rc;
        }
    }
}

int session_wait(struct session *self, rayc_ref *refs, size_t count, size_t wanted, double seconds)
{
    if (count == 0) {
        return 0;
    }
    if (refs == NULL || wanted == 0 || wanted > count || count > INT32_MAX) {
        return failure_say(RAYC_EINVALID,
                           "wanted is %zu of %zu references: it must be 1 to their count", wanted,
                           count);
    }
    uint64_t until_us = session_deadline(seconds);
    pthread_mutex_lock(&self->lock);
    bool waits = false;
    int rc = wait_ended(self, refs, count, wanted, until_us, &waits);
    pthread_mutex_unlock(&self->lock);
    end_waiting(waits);
    return rc;
}
