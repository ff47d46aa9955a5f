/*  submit.c - tasks and their references: the part of a session that a program calls a million
    times. */
#include "client/session_inside.h"

#include <stdlib.h>
#include "client/failure.h"
#include "client/inherit.h"
#include "client/node_values.h"
#include "client/options.h"
#include "client/values.h"
#include "common/ids.h"

enum {
    INLINE_BYTES_MAX =
        64 * 1024, /* of a result that is put into an argument list instead of its reference */
    SPEC_HEAD_BYTES = 512, /* of a SPEC, beside its body, strings and lists */
    DEP_BYTES = 12,
    SEALED_BYTES = 32,      /* of a SEALED without references inside */
    ARGS_KEPT_MAX = 1 * MIB /* scratch beyond it is given back */
};

/* --- references ------------------------------------------------------------------------------- */

struct ref_slot *session_slot(struct session *self, rayc_ref ref)
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
        rc = session_slot(self, ref) == NULL ? RAYC_ENOTFOUND : (ref.number & BORN_FAILED) != 0;
    }
    pthread_mutex_unlock(&self->lock);
    return rc;
}

static void release_value(const struct ref_slot *slot)
{
    struct stored stored;
    if (slot->state == REF_READY && stored_get(ref_value(slot), &stored)) {
        node_values_release(&stored, VIEWER_REFERENCE);
    }
}

int session_drop(struct session *self, rayc_ref ref)
{
    pthread_mutex_lock(&self->lock);
    int rc = session_usable(self);
    if (rc == RAYC_OK && session_slot(self, ref) == NULL) {
        rc = RAYC_ENOTFOUND;
    }
    if (rc == RAYC_OK && (ref.number & BORN_FAILED) != 0) {
        refs_drop(&self->born, ref.number & ~BORN_FAILED);
    } else if (rc == RAYC_OK) {
        release_value(session_slot(self, ref));
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

/*  Is the result here, and small enough to travel in the argument list?  What is stored stays a reference: so the head
    knows who needs it. */
static bool is_inline(const struct ref_slot *slot)
{
    struct stored stored;
    return slot->state == REF_READY && ref_value(slot).n > 0 &&
           ref_value(slot).n <= INLINE_BYTES_MAX && !stored_get(ref_value(slot), &stored);
}

static int resolve(void *context, rayc_ref ref, struct slice *value)
{
    struct session *self = context;
    const struct ref_slot *slot = session_slot(self, ref);
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
            const struct ref_slot *slot = session_slot(self, args[i].ref);
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
    return (rayc_ref){ self->job, task_id_of(self->id, counter).v };
}

/*  What was encoded has been copied. */
static void give_scratch_back(struct session *self)
{
    if (self->args.capacity > ARGS_KEPT_MAX) {
        free(self->args.p);
        self->args = (struct wire){ 0 };
    }
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
        give_scratch_back(self);
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

/* --- putting ---------------------------------------------------------------------------------- */

/*  All values have one spec; *spec (malloced) is set when the head has not been told. */
static int value_spec(struct session *self, struct wire *spec)
{
    static const char name[HASH_TEXT_BYTES] = "value"; /* never the digest of a command */
    uint32_t index = specs_find_command(&self->specs, name);
    if (index == NONE) {
        index = specs_add_command(&self->specs, name);
        if (index == SPECS_FULL) {
            return full_of_specs();
        }
        struct spec_draft draft = { .record = { .index = index, .kind = SPEC_VALUE } };
        encode_spec(&draft, spec);
    }
    return (int)index;
}

static int encode_value(struct session *self, const rayc_value *value, struct rec_call *call)
{
    size_t bytes = value_bound(value);
    if (bytes > RAYC_VALUE_MAX) {
        return failure_say(RAYC_ETOOLARGE,
                           "the value has %zu bytes: without an object store, %u (8 MiB) are the "
                           "limit, and %s",
                           bytes, RAYC_VALUE_MAX, rayc_error()->text);
    }
    reserve(&self->args, bytes);
    value_put(&self->args, value);
    ensure(!self->args.full);
    call->args = slice_of(self->args.p, self->args.n);
    return RAYC_OK;
}

/*  The value is in this node's store from now on, and a placeholder goes to the head. */
static int seal_value(struct session *self, struct local_buffer *buffer, struct rec_call *call)
{
    struct stored stored = { .task = task_id_of(self->id, self->refs.next).v,
                             .size = buffer->size };
    struct rec_sealed sealed = { .size = stored.size };
    int rc = node_values_seal(buffer, stored.task, stored.index, &call->node);
    reserve(&self->args, PLACEHOLDER_BYTES);
    reserve(&self->deps, SEALED_BYTES);
    stored_put(&self->args, &stored);
    proto_put_record(&self->deps, REC_SEALED, &sealed);
    ensure(!self->args.full && !self->deps.full);
    call->args = slice_of(self->args.p, self->args.n);
    call->sealed = wire_list(&self->deps, 1);
    return rc;
}

/*  Of a value, or of a buffer that has it. */
static rayc_ref put(struct session *self, const rayc_value *value, struct local_buffer *buffer)
{
    struct rec_call call = { 0 };
    struct wire spec = { 0 };
    int rc = value_spec(self, &spec);
    if (rc >= 0) {
        call.spec = (uint32_t)rc;
        int encoded = buffer->store != NULL ? seal_value(self, buffer, &call)
                                            : encode_value(self, value, &call);
        rc = encoded == RAYC_OK ? rc : encoded;
    }
    rayc_ref ref;
    if (rc >= 0) {
        ref = hand_over(self, &call, slice_of(spec.p, spec.n));
        ref_set_value(session_slot(self, ref), call.args);
    } else {
        ref = born_failed(self);
    }
    give_scratch_back(self);
    free(spec.p);
    return ref;
}

/*  Large ones go to the store of this node.  If it has none, they are as others, if they can be. */
static int store_value(const rayc_value *value, struct local_buffer *buffer)
{
    const char *why = NULL;
    int rc = value_check(value, &why);
    if (rc != RAYC_OK) {
        return failure_say(rc, "the value %s", why);
    }
    if (value_size(value) > 0) {
        rc = node_values_write(value, buffer);
    }
    return rc == RAYC_ENOTFOUND ? RAYC_OK : rc;
}

rayc_ref session_put(struct session *self, const rayc_value *value)
{
    rayc_ref ref = { 0 };
    struct local_buffer buffer = { 0 };
    int stored = store_value(value, &buffer);
    pthread_mutex_lock(&self->lock);
    if (session_usable(self) == RAYC_OK) {
        ref = stored == RAYC_OK ? put(self, value, &buffer) : born_failed(self);
    }
    pthread_mutex_unlock(&self->lock);
    local_store_abort(&buffer);
    return ref;
}

rayc_ref session_put_buffer(struct session *self, struct local_buffer *buffer)
{
    rayc_ref ref = { 0 };
    pthread_mutex_lock(&self->lock);
    if (session_usable(self) == RAYC_OK) {
        ref = put(self, NULL, buffer);
    }
    pthread_mutex_unlock(&self->lock);
    return ref;
}
