/*  submit.c - tasks: the part of a session that a program calls a million times. */
#include "client/submit.h"

#include <stdlib.h>
#include "client/failure.h"
#include "client/inherit.h"
#include "client/far_values.h"
#include "client/node_values.h"
#include "client/options.h"
#include "client/values.h"
#include "common/ids.h"

enum {
    INLINE_BYTES_MAX =
        64 * 1024, /* of a result that is put into an argument list instead of its reference */
    SPEC_HEAD_BYTES = 512, /* of a SPEC, beside its body, strings and lists */
    DEP_BYTES = 12,
    ARGS_KEPT_MAX = 1 * MIB /* scratch beyond it is given back */
};

static void give_refs(const struct session *self, uint64_t number, uint32_t returns, rayc_ref *refs)
{
    for (uint32_t i = 0; i < returns; i++) {
        refs[i] = (rayc_ref){ number, i, (uint32_t)self->job };
    }
}

static void born_failed(struct session *self, uint32_t returns, rayc_ref *refs)
{
    const rayc_failure *why = rayc_error();
    uint64_t number = refs_add(&self->born, returns);
    ref_set_failure(refs_at(&self->born, number), why, slice_text(why->text));
    give_refs(self, number | BORN_FAILED, returns, refs);
}

rayc_ref submit_failed(struct session *self)
{
    rayc_ref ref;
    born_failed(self, 1, &ref);
    return ref;
}

void session_born_failed(struct session *self, uint32_t returns, rayc_ref *refs)
{
    pthread_mutex_lock(&self->lock);
    if (session_usable(self) == RAYC_OK) {
        born_failed(self, returns, refs);
    }
    pthread_mutex_unlock(&self->lock);
}

/* --- submitting ------------------------------------------------------------------------------- */

int submit_begin(struct session *self)
{
    int rc = session_usable(self);
    while (rc == RAYC_OK && self->naming && self->broken == 0) {
        rc = session_sleep(self, UINT64_MAX);
    }
    return rc;
}

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
static bool is_inline(const struct ref_slot *slot, uint32_t index)
{
    struct stored stored;
    return slot != NULL && ref_is_there(slot, index) && ref_value(slot, index).n > 0 &&
           ref_value(slot, index).n <= INLINE_BYTES_MAX &&
           !stored_get(ref_value(slot, index), &stored);
}

static int resolve(void *context, rayc_ref ref, struct slice *value)
{
    struct session *self = context;
    const struct ref_slot *slot = session_find_slot(self, ref);
    if (slot == NULL && !session_is_foreign(self, ref)) {
        return session_unknown(ref);
    }
    if ((ref.number & BORN_FAILED) != 0) {
        const struct ref_failure *why = ref_failure(slot);
        return failure_say(RAYC_EUPSTREAM,
                           "an argument is the result of a task that could not be submitted: %.*s",
                           (int)why->n, (const char *)why->text);
    }
    if (slot != NULL && slot->state != REF_PENDING && slot->state != REF_FAILED &&
        !ref_is_there(slot, ref.index)) {
        return failure_say(RAYC_EOBJECTFREED, "an argument was taken away by rayc_free()");
    }
    if (!is_inline(slot, ref.index)) {
        return 0;
    }
    *value = ref_value(slot, ref.index);
    return 1;
}

/*  Bytes that the encoded list may have, with the results that will be put in. */
static size_t bound_of(struct session *self, const rayc_arg *args, size_t count, size_t *waits)
{
    size_t bytes = args_bound(args, count);
    for (size_t i = 0; i < count; i++) {
        if (args[i].ref.job != 0 || args[i].ref.number != 0) {
            const struct ref_slot *slot = session_find_slot(self, args[i].ref);
            bytes += is_inline(slot, args[i].ref.index) ? ref_value(slot, args[i].ref.index).n : 0;
            *waits += 1;
        }
    }
    return bytes;
}

int submit_args(struct session *self, const rayc_arg *args, size_t count, struct rec_call *call)
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
    sealing_begin(&self->sealing);
    rc = sealing_add_args(&self->sealing, call->args);
    call->sealed = sealing_list(&self->sealing);
    return rc;
}

/*  Hands a call over: from now on the head will get it, and its references wait. */
static uint64_t hand_over(struct session *self, const struct rec_call *call, struct slice spec,
                          uint32_t returns)
{
    uint64_t counter = refs_add(&self->refs, returns);
    if (self->broken == 0) {
        ensure(counter == self->outbox.next);
        outbox_add(&self->outbox, call, spec);
        if (self->asleep && outbox_ready(&self->outbox, self->waiters > 0)) {
            session_wake(self);
        }
    }
    return task_id_of(self->id, counter).v;
}

rayc_ref submit_call(struct session *self, const struct rec_call *call, struct slice spec)
{
    rayc_ref ref;
    give_refs(self, hand_over(self, call, spec, 1), 1, &ref);
    return ref;
}

void submit_end(struct session *self)
{
    if (self->args.capacity > ARGS_KEPT_MAX) {
        free(self->args.p);
        self->args = (struct wire){ 0 };
    }
}

static size_t spec_bound(const struct rec_spec *spec)
{
    return SPEC_HEAD_BYTES + spec->name.n + spec->program.n + spec->body.n + spec->strategy.n +
           spec->demand.bytes.n + spec->retry_codes.bytes.n + spec->packages.bytes.n +
           spec->groups.n + spec->group.n;
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

/*  As many references as the options say, or the caller has no room for them. */
static int check_returns(const struct submission *what)
{
    rayc_options complete;
    int rc = options_complete(&complete, what->options);
    if (rc == RAYC_OK && what->returns == 1 && complete.returns > 1) {
        return failure_say(RAYC_EINVALID,
                           "option returns is %u: rayc_submit_n() gives so many references",
                           complete.returns);
    }
    return rc;
}

void session_submit(struct session *self, const struct submission *what, rayc_ref *refs)
{
    struct rec_call call = { 0 };
    struct wire spec = { 0 };
    pthread_mutex_lock(&self->lock);
    int rc = submit_begin(self);
    if (rc == RAYC_OK) {
        rc = what->options != NULL ? check_returns(what) : RAYC_OK;
        if (rc == RAYC_OK) {
            rc = submit_args(self, what->args, what->count, &call);
        }
        if (rc == RAYC_OK) {
            rc = function_spec(self, what->function, what->options, &spec);
        }
        if (rc >= 0) {
            call.spec = (uint32_t)rc;
            uint64_t task = hand_over(self, &call, slice_of(spec.p, spec.n), what->returns);
            give_refs(self, task, what->returns, refs);
        } else {
            born_failed(self, what->returns, refs);
        }
        submit_end(self);
    }
    pthread_mutex_unlock(&self->lock);
    free(spec.p);
}

int submit_spec(struct session *self, struct spec_draft *draft, struct wire *spec)
{
    char digest[HASH_TEXT_BYTES];
    struct hash hash;
    draft->record.index = 0;
    encode_spec(draft, spec);
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
        draft->record.index = index;
        encode_spec(draft, spec);
    }
    return (int)index;
}

static int command_spec(struct session *self, const rayc_options *options, const char *name,
                        struct slice body, struct wire *spec)
{
    rayc_options complete;
    struct spec_draft draft;
    int rc = options_complete(&complete, options);
    if (rc == RAYC_OK && complete.returns > 1) {
        rc = failure_say(RAYC_EINVALID, "option returns is %u: a command returns one value",
                         complete.returns);
    }
    if (rc == RAYC_OK) {
        rc = options_draft(&draft, &complete);
    }
    if (rc != RAYC_OK) {
        return rc;
    }
    draft.record.kind = SPEC_COMMAND;
    draft.record.name = slice_text(complete.name != NULL ? complete.name : name);
    draft.record.body = body;
    return submit_spec(self, &draft, spec);
}

rayc_ref session_command(struct session *self, const rayc_options *options, const char *name,
                         struct slice body)
{
    static const uint8_t no_args[] = { 0x90 }; /* an empty array */
    rayc_ref ref = { 0 };
    struct rec_call call = { .args = slice_of(no_args, sizeof(no_args)) };
    struct wire spec = { 0 };
    pthread_mutex_lock(&self->lock);
    if (submit_begin(self) == RAYC_OK) {
        int rc = command_spec(self, options, name, body, &spec);
        if (rc >= 0) {
            call.spec = (uint32_t)rc;
            ref = submit_call(self, &call, slice_of(spec.p, spec.n));
        } else {
            ref = submit_failed(self);
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
    reserve(&self->args, value_bound(value));
    value_put(&self->args, value);
    ensure(!self->args.full);
    call->args = slice_of(self->args.p, self->args.n);
    sealing_begin(&self->sealing);
    int rc = sealing_add(&self->sealing, 0, 0, call->args);
    call->sealed = sealing_list(&self->sealing);
    return rc;
}

/*  A value in a store: of this node, or of another if this machine has none. */
struct kept {
    struct local_buffer local;
    struct far_put far;
};

static bool is_kept(const struct kept *kept)
{
    return kept->local.store != NULL || kept->far.push != NULL;
}

/*  What was dropped before makes room for it. */
static void make_room(struct session *self, const struct kept *kept)
{
    if (is_kept(kept) && self->quota && !self->closing) {
        session_tell_drops(self);
    }
}

/*  It is a value from now on, and a placeholder goes to the head. */
static int seal_value(struct session *self, struct kept *kept, struct rec_call *call)
{
    bool far = kept->far.push != NULL;
    struct stored stored = { .task = task_id_of(self->id, self->refs.next).v,
                             .size = far ? kept->far.size : kept->local.size };
    const uint8_t *bytes = far ? kept->far.bytes : kept->local.bytes;
    call->node = kept->far.node;
    sealing_begin(&self->sealing);
    int rc = sealing_add(&self->sealing, 0, stored.size, slice_of(bytes, stored.size));
    if (rc == RAYC_OK) {
        rc = far ? far_values_seal(&kept->far, stored.task, stored.index)
                 : node_values_seal(&kept->local, stored.task, stored.index, &call->node);
    }
    reserve(&self->args, PLACEHOLDER_BYTES);
    stored_put(&self->args, &stored);
    ensure(!self->args.full);
    call->args = slice_of(self->args.p, self->args.n);
    call->sealed = sealing_list(&self->sealing);
    return rc;
}

/*  Of a value, or of what has it. */
static rayc_ref put(struct session *self, const rayc_value *value, struct kept *kept)
{
    struct rec_call call = { 0 };
    struct wire spec = { 0 };
    bool stored = is_kept(kept);
    int rc = value_spec(self, &spec);
    if (rc >= 0) {
        call.spec = (uint32_t)rc;
        int encoded = stored ? seal_value(self, kept, &call) : encode_value(self, value, &call);
        rc = encoded == RAYC_OK ? rc : encoded;
    }
    rayc_ref ref;
    if (rc >= 0) {
        ref = submit_call(self, &call, slice_of(spec.p, spec.n));
        if (stored && self->quota) {
            session_await(self, ref); /* the head says whether it may be there */
        } else {
            ensure(ref_set_value(session_find_slot(self, ref), call.args));
        }
    } else {
        ref = submit_failed(self);
    }
    submit_end(self);
    free(spec.p);
    return ref;
}

/*  Large ones go to the store of this node.  If it has none, they are as others, if they can be, or go to another's. */
static int store_value(struct session *self, const rayc_value *value, struct kept *kept)
{
    const char *why = NULL;
    int rc = value_check(value, &why);
    if (rc != RAYC_OK) {
        return failure_say(rc, "the value %s", why);
    }
    if (value_size(value) > 0) {
        rc = node_values_write(value, &kept->local);
    }
    if (rc != RAYC_ENOTFOUND) {
        return rc;
    }
    return value_bound(value) > RAYC_VALUE_MAX ? far_values_put(self, value, &kept->far) : RAYC_OK;
}

rayc_ref session_put(struct session *self, const rayc_value *value)
{
    rayc_ref ref = { 0 };
    struct kept kept = { 0 };
    int stored = store_value(self, value, &kept);
    pthread_mutex_lock(&self->lock);
    make_room(self, &kept);
    if (submit_begin(self) == RAYC_OK) {
        ref = stored == RAYC_OK ? put(self, value, &kept) : submit_failed(self);
    }
    pthread_mutex_unlock(&self->lock);
    local_store_abort(&kept.local);
    far_values_abort(&kept.far);
    return ref;
}

rayc_ref session_put_buffer(struct session *self, struct local_buffer *buffer)
{
    rayc_ref ref = { 0 };
    struct kept kept = { .local = *buffer };
    pthread_mutex_lock(&self->lock);
    make_room(self, &kept);
    if (submit_begin(self) == RAYC_OK) {
        ref = put(self, NULL, &kept);
    }
    *buffer = kept.local;
    pthread_mutex_unlock(&self->lock);
    return ref;
}
