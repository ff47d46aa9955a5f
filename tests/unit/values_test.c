/*  values_test.c - values through msgpack and back, options into specs, references in their
    table. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <cmocka.h>
#include "client/actor_options.h"
#include "client/refs.h"
#include "client/specs.h"
#include "client/values.h"

/* --- values ----------------------------------------------------------------------------------- */

static rayc_value round_trip(const rayc_value *value)
{
    static uint8_t bytes[256];
    struct wire wire = { bytes, 0, sizeof(bytes), false };
    const char *why = NULL;
    assert_int_equal(value_check(value, &why), RAYC_OK);
    value_put(&wire, value);
    assert_false(wire.full);
    assert_true(wire.n <= value_bound(value));
    struct cursor in = cursor_of(slice_of(wire.p, wire.n));
    rayc_value out = { 0 };
    bool reference = true;
    assert_true(value_read(&in, &out, &reference));
    assert_false(reference);
    assert_int_equal(cursor_left(&in), 0);
    return out;
}

static void integers_survive(void **state)
{
    (void)state;
    static const int64_t values[] = { 0,         1,         127,       128,       255,
                                      256,       65535,     65536,     -1,        -32,
                                      -33,       -128,      -129,      -32768,    -32769,
                                      INT32_MAX, 1LL << 32, INT32_MIN, INT64_MAX, INT64_MIN };
    for (size_t i = 0; i < COUNT(values); i++) {
        rayc_value out = round_trip(&(rayc_value){ RAYC_INT, { .i = values[i] } });
        assert_int_equal(out.kind, RAYC_INT);
        assert_true(out.as.i == values[i]);
    }
}

static void other_kinds_survive(void **state)
{
    (void)state;
    assert_int_equal(round_trip(&(rayc_value){ .kind = RAYC_NIL }).kind, RAYC_NIL);
    assert_int_equal(round_trip(&(rayc_value){ RAYC_BOOL, { .i = 5 } }).as.i, 1);
    rayc_value out = round_trip(&(rayc_value){ RAYC_FLOAT, { .f = -0.1 } });
    assert_int_equal(out.kind, RAYC_FLOAT);
    assert_true(out.as.f == -0.1);
    out = round_trip(&(rayc_value){ RAYC_FLOAT, { .f = NAN } });
    assert_true(isnan(out.as.f));
    out = round_trip(&(rayc_value){ RAYC_STRING, { .raw = { "h\xC3\xA9", 3 } } });
    assert_int_equal(out.kind, RAYC_STRING);
    assert_memory_equal(out.as.raw.data, "h\xC3\xA9", 3);
    out = round_trip(&(rayc_value){ RAYC_BYTES, { .raw = { NULL, 0 } } });
    assert_int_equal(out.kind, RAYC_BYTES);
    assert_int_equal(out.as.raw.size, 0);
    out = round_trip(&(rayc_value){ RAYC_ARRAY, { .raw = { "\x81\xA1k\x92\x01\x02", 6 } } });
    assert_int_equal(out.kind, RAYC_MAP); /* a packed value may be of any kind */
    assert_int_equal(out.as.raw.size, 6);
}

static void wrong_values_are_refused(void **state)
{
    (void)state;
    static const struct {
        const char *bytes;
        size_t n;
    } packed[] = { { "", 0 },
                   { "\x92\x01", 2 },
                   { "\x01\x02", 2 },
                   { "\xC1", 1 },
                   { "\xDD\xFF\xFF\xFF\xFF", 5 },
                   { "\xD8\x01"
                     "0123456789abcdef",
                     18 },
                   { "\xD4\x05z", 3 } };
    for (size_t i = 0; i < COUNT(packed); i++) {
        const char *why = NULL;
        rayc_value value = { RAYC_ARRAY, { .raw = { packed[i].bytes, packed[i].n } } };
        assert_int_equal(value_check(&value, &why), RAYC_EINVALID);
        assert_non_null(why);
    }
    const char *why = NULL;
    assert_int_equal(value_check(&(rayc_value){ .kind = (rayc_kind)99 }, &why), RAYC_EINVALID);
    assert_int_equal(value_check(&(rayc_value){ RAYC_STRING, { .raw = { NULL, 3 } } }, &why),
                     RAYC_EINVALID);
}

/*  Every prefix of a nested value is either read within its bounds, or refused. */
static void cut_off_values_are_refused(void **state)
{
    (void)state;
    static const uint8_t whole[] = { 0x93, 0xCB, 0,    0,   0,    0, 0, 0, 0, 1,    0xC4, 2,   7,
                                     7,    0x82, 0xA1, 'k', 0xCE, 0, 0, 0, 9, 0xA1, 'l',  0x90 };
    for (size_t n = 0; n <= sizeof(whole); n++) {
        uint8_t *copy = malloc(n + 1); /* so that a sanitizer sees one byte too far */
        memcpy(copy, whole, n);
        copy = realloc(copy, n > 0 ? n : 1);
        struct cursor in = cursor_of(slice_of(copy, n));
        rayc_value out;
        bool reference;
        assert_int_equal(value_read(&in, &out, &reference), n == sizeof(whole));
        free(copy);
    }
    uint8_t deep[4096]; /* arrays of arrays: no recursion to exhaust */
    memset(deep, 0x91, sizeof(deep));
    struct cursor in = cursor_of(slice_of(deep, sizeof(deep)));
    rayc_value out;
    bool reference;
    assert_false(value_read(&in, &out, &reference));
}

static int resolve_two(void *context, rayc_ref ref, struct slice *value)
{
    (void)context;
    *value = slice_of("\xA3yes", 4);
    return ref.number == 2;
}

static void references_wait_or_are_put_in(void **state)
{
    (void)state;
    uint8_t bytes[128], ids[64];
    struct wire wire = { bytes, 0, sizeof(bytes), false }, deps = { ids, 0, sizeof(ids), false };
    const rayc_arg args[] = { { .ref = { 7, 3, 1 } },
                              { .ref = { 2, 0, 1 } },
                              { .value = { RAYC_INT, { .i = 5 } } },
                              { .value = { RAYC_REF, { .ref = { 9, 4, 1 } } } } };
    struct resolver resolver = { resolve_two, NULL };
    assert_int_equal(args_put(&wire, &deps, args, COUNT(args), &resolver), 1);
    struct list list = wire_list(&deps, 1);
    struct rec_id id;
    assert_true(next_id(&list, &id));
    assert_int_equal(id.task, 7);
    struct cursor in = cursor_of(slice_of(wire.p, wire.n));
    uint32_t count;
    rayc_value out;
    bool reference;
    assert_true(wire_get_array(&in, &count) && count == COUNT(args));
    assert_true(value_read(&in, &out, &reference) && reference);
    assert_true(out.kind == RAYC_REF && out.as.ref.number == 7 && out.as.ref.index == 3);
    assert_true(value_read(&in, &out, &reference) && !reference && out.kind == RAYC_STRING);
    assert_true(value_read(&in, &out, &reference) && !reference && out.as.i == 5);
    assert_true(value_read(&in, &out, &reference) && !reference && out.kind == RAYC_REF);
    assert_true(out.as.ref.number == 9 && out.as.ref.index == 4 && out.as.ref.job == 1);
}

static int resolve_to_reference(void *context, rayc_ref ref, struct slice *value)
{
    (void)ref;
    *value = *(const struct slice *)context;
    return 1;
}

/*  A task's result that is a reference is passed as one, and not waited for. */
static void a_result_that_is_a_reference_stays_one(void **state)
{
    (void)state;
    uint8_t inside[REFERENCE_BYTES_ALL], bytes[64];
    struct wire in_value = { inside, 0, sizeof(inside), false };
    struct wire wire = { bytes, 0, sizeof(bytes), false }, deps = { 0 };
    reference_put(&in_value, REFERENCE_EXT, &(struct reference){ 9, 4, 1 });
    struct slice value = slice_of(inside, in_value.n);
    struct resolver resolver = { resolve_to_reference, &value };
    const rayc_arg arg = { .ref = { 7, 0, 1 } };
    assert_int_equal(args_put(&wire, &deps, &arg, 1, &resolver), 0);
    struct cursor in = cursor_of(slice_of(wire.p, wire.n));
    uint32_t count;
    rayc_value out;
    bool reference = true;
    assert_true(wire_get_array(&in, &count) && value_read(&in, &out, &reference));
    assert_true(!reference && out.kind == RAYC_REF && out.as.ref.number == 9);
}

static void references_can_be_packed(void **state)
{
    (void)state;
    uint8_t packed[1 + RAYC_REF_BYTES] = { 0x91 };
    rayc_pack_ref((rayc_ref){ 0x1234567890, 2, 7 }, packed + 1);
    const char *why = NULL;
    rayc_arg array = rayc_packed(packed, sizeof(packed));
    assert_int_equal(value_check(&array.value, &why), RAYC_OK);
    assert_int_equal(packed[2], RAYC_REF_EXT);
    rayc_ref ref = rayc_unpack_ref(packed + 3, REFERENCE_BYTES);
    assert_true(ref.number == 0x1234567890 && ref.index == 2 && ref.job == 7);
    assert_int_equal(rayc_unpack_ref(packed + 3, REFERENCE_BYTES - 1).number, 0);
    assert_int_equal(rayc_unpack_ref(NULL, 0).number, 0);
}

static void put_several(struct wire *to, uint32_t count)
{
    several_put(to, 1 + count);
    wire_put_array(to, count);
    for (uint32_t i = 0; i < count; i++) {
        wire_put_int(to, i + 5);
    }
}

static void several_values_have_one_slot(void **state)
{
    (void)state;
    uint8_t bytes[64];
    struct wire wire = { bytes, 0, sizeof(bytes), false };
    struct refs refs;
    refs_init(&refs);
    uint64_t counter = refs_add(&refs, 3);
    struct ref_slot *slot = refs_at(&refs, counter);
    assert_false(ref_has(slot, 3));
    put_several(&wire, 2);
    assert_false(ref_set_value(slot, slice_of(wire.p, wire.n))); /* too few */
    assert_false(ref_set_value(slot, slice_of("\x93\x01\x02\x03", 4)));
    refs_drop(&refs, counter, 1);
    assert_false(ref_has(slot, 1));
    wire.n = 0;
    put_several(&wire, 3);
    assert_true(ref_set_value(slot, slice_of(wire.p, wire.n)));
    assert_true(slice_same(ref_value(slot, 0), slice_of("\x05", 1)));
    assert_true(slice_same(ref_value(slot, 2), slice_of("\x07", 1)));
    refs_drop(&refs, counter, 0);
    assert_true(slice_same(ref_value(slot, 2), slice_of("\x07", 1)));
    refs_drop(&refs, counter, 2);
    assert_null(refs_at(&refs, counter));
    refs_fini(&refs);
}

static void a_failure_is_that_of_each_value(void **state)
{
    (void)state;
    struct refs refs;
    refs_init(&refs);
    struct ref_slot *slot = refs_at(&refs, refs_add(&refs, 3));
    ref_set_failure(slot, &(rayc_failure){ .code = RAYC_EDIED }, slice_text("gone"));
    assert_int_equal(ref_failure(slot)->failure.code, RAYC_EDIED);
    assert_true(ref_has(slot, 2));
    refs_fini(&refs);
}

/* --- failures --------------------------------------------------------------------------------- */

/*  A program sees numbers of err.def: those that can reach it have a name in rayc.h. */
static void codes_have_names(void **state)
{
    (void)state;
    static const struct {
        int ours, theirs;
    } codes[] = {
        { ERR_MEMORY, RAYC_EMEMORY },
        { ERR_SYSTEM, RAYC_ESYSTEM },
        { ERR_TOO_LARGE, RAYC_ETOOLARGE },
        { ERR_VERSION, RAYC_EVERSION },
        { ERR_UNREACHABLE, RAYC_EUNREACHABLE },
        { ERR_TIMEOUT, RAYC_ETIMEOUT },
        { ERR_NOT_FOUND, RAYC_ENOTFOUND },
        { ERR_CONFLICT, RAYC_ECONFLICT },
        { ERR_INVALID, RAYC_EINVALID },
        { ERR_KEY, RAYC_EKEY },
        { ERR_BUSY, RAYC_EBUSY },
        { ERR_CLOSED, RAYC_ECLOSED },
        { ERR_STALE, RAYC_ESTALE },
        { ERR_INFEASIBLE, RAYC_EINFEASIBLE },
        { ERR_FORBIDDEN, RAYC_EFORBIDDEN },
        { ERR_TOKEN, RAYC_ETOKEN },
        { ERR_QUOTA, RAYC_EQUOTA },
        { ERR_TASK, RAYC_ETASK },
        { ERR_DIED, RAYC_EDIED },
        { ERR_CANCELLED, RAYC_ECANCELLED },
        { ERR_ARG, RAYC_EARG },
        { ERR_UPSTREAM, RAYC_EUPSTREAM },
        { ERR_UNKNOWN, RAYC_EUNKNOWN },
        { ERR_ACTOR_DIED, RAYC_EACTORDIED },
        { ERR_FULL, RAYC_EFULL },
        { ERR_ACTOR_UNAVAILABLE, RAYC_EACTORUNAVAILABLE },
        { ERR_OBJECT_LOST, RAYC_EOBJECTLOST },
        { ERR_OBJECT_FREED, RAYC_EOBJECTFREED },
        { ERR_STORE, 0 }, /* of the head: */
        { ERR_STORE_NEWER, 0 },
        { ERR_LOCKED, 0 },
        { ERR_FRAME, 0 },
        { ERR_CONFIG, 0 },
    };
    size_t all = 0;
#define ERR(name, code, exit_code, text) all++;
#include "common/err.def"
#undef ERR
    assert_int_equal(all, COUNT(codes)); /* a new one is told here, and there if programs see it */
    for (size_t i = 0; i < COUNT(codes); i++) {
        assert_true(codes[i].theirs == 0 || codes[i].ours == codes[i].theirs);
    }
}

/* --- options ---------------------------------------------------------------------------------- */

static int draft_of(const rayc_options *options, struct spec_draft *draft)
{
    rayc_options complete;
    int rc = options_complete(&complete, options);
    return rc == RAYC_OK ? options_draft(draft, &complete) : rc;
}

static void defaults_are_rays(void **state)
{
    (void)state;
    struct spec_draft draft;
    assert_int_equal(draft_of(NULL, &draft), RAYC_OK);
    struct rec_amount amount;
    assert_true(next_amount(&draft.record.demand, &amount));
    assert_true(slice_same(amount.name, slice_text("CPU")));
    assert_int_equal(amount.units, UNITS_PER_ONE);
    assert_false(next_amount(&draft.record.demand, &amount));
    assert_int_equal(draft.record.max_retries, 3);
    assert_int_equal(draft.record.retry_mode, RETRY_NONE);
    assert_int_equal(draft.record.crash_limit, 10);
}

static void demands_are_in_steps(void **state)
{
    (void)state;
    static const struct {
        double cpus, gpus;
        const char *resources;
        bool good;
    } rows[] = {
        { 0, 0, NULL, true },
        { 0.1 + 0.2, 0, NULL, true },
        { 0.0001, 0.5, "", true },
        { 1, 2, "a=1,b=0.5", true },
        { 1, 0, "a=0.0001", true },
        { 1, 0, "a=1.50000", true },
        { -1, 0, NULL, false },
        { NAN, 0, NULL, false },
        { INFINITY, 0, NULL, false },
        { 0.00005, 0, NULL, false },
        { 1, 1.5, NULL, false },
        { 1, 0, "CPU=1", false },
        { 1, 0, "memory=5", false },
        { 1, 0, "GPU=1", false },
        { 1, 0, "a", false },
        { 1, 0, "=1", false },
        { 1, 0, "a=", false },
        { 1, 0, "a=-1", false },
        { 1, 0, "a=0.00001", false },
        { 1, 0, "a=1x", false },
        { 1, 0, "a=1,a=2", false },
        { 1, 0, "a=.", false },
        { 1, 0, "a=1,,b=1", false },
        { 1, 0, "a=1,b=1,c=1,d=1,e=1,f=1,g=1,h=1,i=1,j=1,k=1,l=1,m=1,n=1,o=1,p=1", false },
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct spec_draft draft;
        rayc_options options = rayc_defaults();
        options.cpus = rows[i].cpus;
        options.gpus = rows[i].gpus;
        options.resources = rows[i].resources;
        if (draft_of(&options, &draft) != (rows[i].good ? RAYC_OK : RAYC_EINVALID)) {
            fail_msg("row %zu: %s", i, rayc_error()->text);
        }
        if (!rows[i].good) {
            assert_non_null(strstr(rayc_error()->text, "option "));
        }
    }
}

static void retries_are_checked(void **state)
{
    (void)state;
    struct spec_draft draft;
    rayc_options options = rayc_defaults();
    options.max_retries = -2;
    assert_int_equal(draft_of(&options, &draft), RAYC_EINVALID);
    assert_non_null(strstr(rayc_error()->text, "max_retries is -2"));
    options.max_retries = -1;
    options.retry_codes = rayc_any_error;
    assert_int_equal(draft_of(&options, &draft), RAYC_OK);
    assert_int_equal(draft.record.retry_mode, RETRY_ANY);
    options.retry_codes = (const int[]){ 3, -4 };
    options.retry_code_count = 2;
    assert_int_equal(draft_of(&options, &draft), RAYC_OK);
    assert_int_equal(draft.record.retry_mode, RETRY_CODES);
    struct rec_code code;
    assert_true(next_code(&draft.record.retry_codes, &code) && code.value == 3);
    assert_true(next_code(&draft.record.retry_codes, &code) && code.value == -4);
    options.retry_codes = NULL;
    assert_int_equal(draft_of(&options, &draft), RAYC_EINVALID);
}

static void where_and_when_are_checked(void **state)
{
    (void)state;
    struct spec_draft draft;
    rayc_options options = rayc_defaults();
    options.strategy = "SPREAD";
    options.labels = "zone=a\ngpu!=old";
    options.priority = -100;
    assert_int_equal(draft_of(&options, &draft), RAYC_OK);
    assert_true(slice_same(draft.record.strategy, slice_text("SPREAD")));
    assert_true(slice_same(draft.record.labels, slice_text("zone=a\ngpu!=old")));
    assert_int_equal(draft.record.priority, -100);
    options.priority = 101;
    assert_int_equal(draft_of(&options, &draft), RAYC_EINVALID);
    assert_non_null(strstr(rayc_error()->text, "priority '101'"));
    options = rayc_defaults();
    options.strategy = "PACK";
    assert_int_equal(draft_of(&options, &draft), RAYC_EINVALID);
    options = rayc_defaults();
    options.labels = "zone";
    assert_int_equal(draft_of(&options, &draft), RAYC_EINVALID);
    assert_non_null(strstr(rayc_error()->text, "label 'zone'"));
}

static const rayc_class CLASS = { "counter", 8, NULL, NULL };
static const rayc_method METHOD = { "counter.add", NULL };

static void actors_have_rays_defaults(void **state)
{
    (void)state;
    static struct actor_draft draft;
    rayc_actor_options options;
    assert_int_equal(actor_options_complete(&options, NULL), RAYC_OK);
    assert_int_equal(actor_options_draft(&draft, &CLASS, &options), RAYC_OK);
    assert_int_equal(draft.spec.record.demand.count, 0);
    assert_int_equal(draft.spec.record.max_retries, 0); /* max_restarts */
    assert_int_equal(draft.spec.record.concurrency, 1);
    assert_int_equal(draft.spec.record.detached, 0);
    assert_int_equal(options.max_task_retries, 0);
    assert_int_equal(options.max_pending_calls, 0);
    assert_true(options.name == NULL && options.space == NULL && !options.get_if_exists);
    options.max_restarts = -1;
    assert_int_equal(actor_options_draft(&draft, &CLASS, &options), RAYC_OK);
    options.max_restarts = -2;
    assert_int_equal(actor_options_draft(&draft, &CLASS, &options), RAYC_EINVALID);
}

/*  What the call says, else its actor; an application error is retried only if the call says so. */
static void calls_take_what_their_actor_says(void **state)
{
    (void)state;
    static struct spec_draft draft;
    rayc_method_options options;
    assert_int_equal(method_options_complete(&options, NULL), RAYC_OK);
    for (int32_t of_actor = -1; of_actor < 3; of_actor++) {
        assert_int_equal(method_options_draft(&draft, &METHOD, &options, of_actor), RAYC_OK);
        assert_int_equal(draft.record.max_retries, of_actor);
        assert_int_equal(draft.record.retry_mode, RETRY_NONE);
        assert_int_equal(draft.record.demand.count, 0);
    }
    options.max_task_retries = 0;
    options.retry_codes = rayc_any_error;
    assert_int_equal(method_options_draft(&draft, &METHOD, &options, 5), RAYC_OK);
    assert_int_equal(draft.record.max_retries, 0);
    assert_int_equal(draft.record.retry_mode, RETRY_ANY);
    assert_int_equal(method_options_draft(&draft, &METHOD, &options, -2), RAYC_OK);
    options.max_task_retries = -3;
    assert_int_equal(method_options_draft(&draft, &METHOD, &options, 0), RAYC_EINVALID);
}

static void names_are_for_people(void **state)
{
    (void)state;
    struct spec_draft draft;
    rayc_options options = rayc_defaults();
    options.name = "the same";
    assert_int_equal(draft_of(&options, &draft), RAYC_OK);
    assert_true(slice_same(draft.record.title, slice_text("the same")));
    char large[NAME_MAX_BYTES + 2];
    memset(large, 'a', sizeof(large));
    large[sizeof(large) - 1] = 0;
    options.name = large;
    assert_int_equal(draft_of(&options, &draft), RAYC_EINVALID);
}

/*  A program of an older rayc.h has fewer fields: the rest are defaults. */
static void older_options_are_completed(void **state)
{
    (void)state;
    rayc_options old = rayc_defaults(), complete;
    memset(&old.backoff_ms, 0xFF, sizeof(old) - offsetof(rayc_options, backoff_ms));
    old.cpus = 2;
    old.size = offsetof(rayc_options, backoff_ms);
    assert_int_equal(options_complete(&complete, &old), RAYC_OK);
    assert_true(complete.cpus == 2);
    assert_int_equal(complete.backoff_ms, 100);
    assert_int_equal(complete.crash_limit, 10);
    old.size = 0;
    assert_int_equal(options_complete(&complete, &old), RAYC_EINVALID);
}

static void specs_are_told_once(void **state)
{
    (void)state;
    struct specs specs;
    specs_init(&specs);
    const rayc_function one = { "one", NULL }, two = { "two", NULL };
    char resources[] = "a=1";
    rayc_options plain = rayc_defaults(), special = rayc_defaults();
    special.resources = resources;
    special.retry_codes = (const int[]){ 1 };
    special.retry_code_count = 1;
    assert_int_equal(specs_find(&specs, &one, &plain), NONE);
    assert_int_equal(specs_add(&specs, &one, &plain), 1);
    assert_int_equal(specs_find(&specs, &two, &plain), NONE);
    assert_int_equal(specs_add(&specs, &two, &plain), 2);
    assert_int_equal(specs_find(&specs, &one, &special), NONE);
    assert_int_equal(specs_add(&specs, &one, &special), 3);
    assert_int_equal(specs_find(&specs, &one, &plain), 1);
    assert_int_equal(specs_find(&specs, &one, &special), 3);
    resources[0] = 'b'; /* the table has copies */
    assert_int_equal(specs_find(&specs, &one, &special), NONE);
    for (uint32_t i = 4; i < SPECS_PER_SESSION_MAX; i++) {
        plain.run_ms_max = i;
        assert_int_equal(specs_add(&specs, &one, &plain), i);
    }
    assert_int_equal(specs_add(&specs, &one, &plain), SPECS_FULL);
    plain.run_ms_max = 77;
    assert_int_equal(specs_find(&specs, &one, &plain), 77);
    specs_fini(&specs);
}

/* --- references ------------------------------------------------------------------------------- */

static void references_end_and_go(void **state)
{
    (void)state;
    enum { MANY = 3 * REFS_PER_PAGE + 5 };
    struct refs refs;
    refs_init(&refs);
    assert_null(refs_at(&refs, 0));
    assert_null(refs_at(&refs, 1));
    for (uint64_t i = 1; i <= MANY; i++) {
        assert_int_equal(refs_add(&refs, 1), i);
    }
    struct ref_slot *first = refs_at(&refs, 1);
    assert_true(ref_set_value(first, slice_of("\x05", 1)));
    assert_true(ref_set_value(refs_at(&refs, 2), slice_text("a value of more than fifteen bytes")));
    ref_set_failure(refs_at(&refs, 3), &(rayc_failure){ .code = RAYC_EDIED }, slice_text("gone"));
    assert_ptr_equal(refs_at(&refs, 1), first); /* slots do not move */
    assert_true(slice_same(ref_value(refs_at(&refs, 2), 0),
                           slice_text("a value of more than fifteen bytes")));
    assert_int_equal(ref_value(refs_at(&refs, 2), 0).p[34], 0);
    assert_int_equal(refs_next_pending(&refs, 1, UINT64_MAX), 4);
    for (uint64_t i = 1; i < MANY; i++) {
        refs_drop(&refs, i, 0);
        assert_null(refs_at(&refs, i));
    }
    assert_null(refs.pages[0]);
    assert_int_equal(refs_next_pending(&refs, 1, MANY), 0);
    assert_int_equal(refs_next_pending(&refs, 1, MANY + 1), MANY);
    assert_int_equal(refs_add(&refs, 1), MANY + 1);
    refs_fini(&refs);
    assert_true(sizeof(struct ref_slot) <= 24);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(integers_survive),
        cmocka_unit_test(other_kinds_survive),
        cmocka_unit_test(wrong_values_are_refused),
        cmocka_unit_test(cut_off_values_are_refused),
        cmocka_unit_test(references_wait_or_are_put_in),
        cmocka_unit_test(a_result_that_is_a_reference_stays_one),
        cmocka_unit_test(references_can_be_packed),
        cmocka_unit_test(several_values_have_one_slot),
        cmocka_unit_test(a_failure_is_that_of_each_value),
        cmocka_unit_test(defaults_are_rays),
        cmocka_unit_test(demands_are_in_steps),
        cmocka_unit_test(retries_are_checked),
        cmocka_unit_test(codes_have_names),
        cmocka_unit_test(actors_have_rays_defaults),
        cmocka_unit_test(calls_take_what_their_actor_says),
        cmocka_unit_test(where_and_when_are_checked),
        cmocka_unit_test(names_are_for_people),
        cmocka_unit_test(older_options_are_completed),
        cmocka_unit_test(specs_are_told_once),
        cmocka_unit_test(references_end_and_go),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
