/*  proto_limits_test.c - frames that the codec must refuse: each field of messages.def with each wrong
    type and just beyond its bound; frames that are none, that are too large, or that nest without end. */
#include "tests/unit/proto_bytes.h"

/*  Each field in turn gets a raw value; the fields before it are zero or empty, those after it are
    missing. */
struct place {
    bool is_message;
    unsigned kind; /* of message or record */
    unsigned field;
};

static const struct shape *shape_of(struct place place)
{
    return place.is_message ? proto_message((enum msg_kind)place.kind)
                            : proto_record((enum record_kind)place.kind);
}

/*  The next field of all messages and records; false after the last. */
static bool next_place(struct place *place)
{
    place->field++;
    for (;;) {
        if (place->kind >= (place->is_message ? MSG_KINDS : (unsigned)RECORD_KINDS)) {
            if (!place->is_message) {
                return false;
            }
            *place = (struct place){ false, 0, 0 };
        }
        const struct shape *shape = shape_of(*place);
        if (shape != NULL && place->field < shape->field_count) {
            return true;
        }
        place->kind++;
        place->field = 0;
    }
}

static void put_zero(struct wire *to, enum field_type type)
{
    static const uint8_t zero[] = { [TYPE_STR] = 0xA0, [TYPE_LIST] = 0x90 };
    if (type == TYPE_BIN) {
        wire_put_bin(to, slice_of(NULL, 0));
    } else if (type == TYPE_F64) {
        wire_put_float(to, 0);
    } else {
        wire_put_encoded(to, slice_of(&zero[type], 1));
    }
}

/*  The list that records of this kind are in, a message's if there is one. */
static struct place list_of(unsigned record)
{
    struct place place = { .is_message = true };
    while (next_place(&place)) {
        const struct field *field = &shape_of(place)->fields[place.field];
        if (field->type == TYPE_LIST && field->record == record) {
            return place;
        }
    }
    fail_msg("nobody uses record %u", record);
    return place;
}

static struct slice frame_with(struct place place, struct slice value)
{
    struct wire wire = wire_on(take(value.n + 512), value.n + 512);
    const struct shape *shape = shape_of(place);
    wire_put_array(&wire, place.field + 1 + (place.is_message ? 2 : 0));
    if (place.is_message) {
        wire_put_uint(&wire, place.kind);
        wire_put_uint(&wire, 77);
    }
    for (unsigned i = 0; i < place.field; i++) {
        put_zero(&wire, shape->fields[i].type);
    }
    wire_put_encoded(&wire, value);
    if (place.is_message) {
        return written(&wire);
    }
    struct wire list = wire_on(take(wire.n + 8), wire.n + 8);
    wire_put_array(&list, 1);
    wire_put_encoded(&list, written(&wire));
    return frame_with(list_of(place.kind), written(&list));
}

static void expect(struct place place, const void *p, size_t n, int rc)
{
    arena_used = 0;
    struct msg got;
    struct diag why = { 0 };
    const struct field *field = &shape_of(place)->fields[place.field];
    int seen = proto_decode(frame_with(place, slice_of(p, n)), &got, &why);
    if (seen != rc) {
        fail_msg("%s %s: %d (%s)", shape_of(place)->name, field->name, seen, why.text);
    }
    if (rc == OK) {
        assert_int_equal(got.as.seq, 77);
    } else {
        assert_int_equal(got.kind, MSG_NONE);
        assert_string_equal(why.field, field->name);
        assert_non_null(strstr(why.text, field->name));
    }
}

#define EXPECT(place, rc, ...)                                                                     \
    expect(place, (const uint8_t[]){ __VA_ARGS__ }, sizeof((const uint8_t[]){ __VA_ARGS__ }), rc)

static void expect_uint(struct place place, uint64_t value, int rc)
{
    uint8_t bytes[16];
    struct wire wire = wire_on(bytes, sizeof(bytes));
    wire_put_uint(&wire, value);
    expect(place, bytes, wire.n, rc);
}

static void expect_int(struct place place, int64_t value, int rc)
{
    uint8_t bytes[16];
    struct wire wire = wire_on(bytes, sizeof(bytes));
    wire_put_int(&wire, value);
    expect(place, bytes, wire.n, rc);
}

static void numbers(struct place place, const struct field *field)
{
    bool is_signed = field->type == TYPE_I32 || field->type == TYPE_I64;
    uint64_t widest = field->type == TYPE_U32   ? UINT32_MAX
                      : field->type == TYPE_U64 ? UINT64_MAX
                      : field->type == TYPE_I32 ? INT32_MAX
                                                : INT64_MAX;
    uint64_t max = bound_or(field->bound, widest);
    expect_uint(place, max, OK);
    if (max != UINT64_MAX) {
        expect_uint(place, max + 1, ERR_FRAME);
        expect_uint(place, UINT64_MAX, ERR_FRAME);
    }
    expect_int(place, -1, is_signed ? OK : ERR_FRAME);
    expect_int(place, INT64_MIN, field->type == TYPE_I64 ? OK : ERR_FRAME);
    if (field->type == TYPE_I32) {
        expect_int(place, INT32_MIN, OK);
        expect_int(place, (int64_t)INT32_MIN - 1, ERR_FRAME);
    }
    EXPECT(place, OK, 0xCF, 0, 0, 0, 0, 0, 0, 0, 1); /* wider than needed */
    EXPECT(place, OK, 0xD3, 0, 0, 0, 0, 0, 0, 0, 1);
    EXPECT(place, OK, 0xD0, 1);
    EXPECT(place, is_signed ? OK : ERR_FRAME, 0xD0, 0xFF);
    EXPECT(place, ERR_FRAME, 0xCA, 0, 0, 0, 0); /* a float */
    EXPECT(place, ERR_FRAME, 0xA0);
    EXPECT(place, ERR_FRAME, 0x90);
}

/*  In `big`: a header of n as str32 or bin32, and n letters. */
static void expect_size(struct place place, uint8_t type, uint64_t n, int rc)
{
    if (n + 1024 > FRAME_MAX) {
        return;
    }
    memcpy(
        big,
        (uint8_t[]){ type, (uint8_t)(n >> 24), (uint8_t)(n >> 16), (uint8_t)(n >> 8), (uint8_t)n },
        5);
    memset(big + 5, 'x', (size_t)n);
    expect(place, big, (size_t)n + 5, rc);
}

static void strings(struct place place, const struct field *field)
{
    expect_size(place, 0xDB, field->bound, OK);
    expect_size(place, 0xDB, field->bound + 1, ERR_FRAME);
    expect_size(place, 0xC6, 1, ERR_FRAME); /* a bin */
    EXPECT(place, OK, 0xA2, 'o', 'k');
    EXPECT(place, OK, 0xD9, 1, 'k');
    EXPECT(place, OK, 0xDA, 0, 1, 'k');
    EXPECT(place, ERR_FRAME, 0xA2, 'o', 0);
    EXPECT(place, ERR_FRAME, 0xDB, 0xFF, 0xFF, 0xFF, 0xFF, 'x');
    EXPECT(place, ERR_FRAME, 0x01);
}

static void binaries(struct place place, const struct field *field)
{
    expect_size(place, 0xC6, field->bound, OK);
    expect_size(place, 0xC6, field->bound + 1, ERR_FRAME);
    expect_size(place, 0xDB, 1, ERR_FRAME); /* a str */
    EXPECT(place, OK, 0xC4, 1, 0);
    EXPECT(place, OK, 0xC5, 0, 1, 0);
    EXPECT(place, ERR_FRAME, 0xC6, 0xFF, 0xFF, 0xFF, 0xFF, 'x');
    EXPECT(place, ERR_FRAME, 0xA0);
    EXPECT(place, ERR_FRAME, 0x01);
}

static void lists(struct place place, const struct field *field)
{
    struct wire wire = wire_on(big, BIG_BYTES);
    for (uint64_t extra = 0; extra <= 1; extra++) {
        wire.n = 0;
        wire_put_array(&wire, (uint32_t)(field->bound + extra));
        memset(big + wire.n, 0x90, (size_t)(field->bound + extra)); /* records without fields */
        expect(place, big, wire.n + (size_t)(field->bound + extra), extra == 0 ? OK : ERR_FRAME);
    }
    EXPECT(place, ERR_FRAME, 0xDD, 0x00, 0x0F, 0x42,
           0x40); /* 1 000 000 elements that are not there */
    EXPECT(place, ERR_FRAME, 0xDD, 0xFF, 0xFF, 0xFF, 0xFF);
    EXPECT(place, ERR_FRAME, 0x80);
    EXPECT(place, ERR_FRAME, 0x01);
    EXPECT(place, ERR_FRAME, 0xC4, 0);
}

static void floats(struct place place, const struct field *field)
{
    (void)field;
    EXPECT(place, OK, 0xCB, 0x7F, 0xF0, 0, 0, 0, 0, 0, 0); /* infinity is a number like others */
    EXPECT(place, ERR_FRAME, 0xCA, 0, 0, 0, 0);
    expect_uint(place, 1, ERR_FRAME);
}

static void each_bound_and_type_is_checked(void **state)
{
    (void)state;
    struct place place = { .is_message = true };
    unsigned fields = 0;
    while (next_place(&place)) {
        const struct field *field = &shape_of(place)->fields[place.field];
        static void (*const check[])(struct place, const struct field *) = {
            [TYPE_U32] = numbers, [TYPE_U64] = numbers, [TYPE_I32] = numbers,  [TYPE_I64] = numbers,
            [TYPE_F64] = floats,  [TYPE_STR] = strings, [TYPE_BIN] = binaries, [TYPE_LIST] = lists
        };
        check[field->type](place, field);
        EXPECT(place, ERR_FRAME, 0xC0);
        EXPECT(place, ERR_FRAME, 0xC1);
        EXPECT(place, ERR_FRAME, 0xC3);
        EXPECT(place, ERR_FRAME, 0xD4, 1, 0);
        fields++;
    }
    assert_true(fields > 200);
}

static int decode(const void *p, size_t n)
{
    struct msg got;
    return proto_decode(slice_of(p, n), &got, NULL);
}

#define DECODE(...)                                                                                \
    decode((const uint8_t[]){ __VA_ARGS__ }, sizeof((const uint8_t[]){ __VA_ARGS__ }))

static void what_is_no_frame_is_refused(void **state)
{
    (void)state;
    assert_int_equal(decode(NULL, 0), ERR_FRAME);
    assert_int_equal(DECODE(0x92, 55, 1), OK); /* a missing tail is zero */
    assert_int_equal(DECODE(0x90), ERR_FRAME);
    assert_int_equal(DECODE(0x91, 55), ERR_FRAME);
    assert_int_equal(DECODE(0x92, 0, 1), ERR_FRAME);
    uint8_t unused = 1;
    while (proto_message((enum msg_kind)unused) != NULL) {
        unused++;
    }
    assert_int_equal(DECODE(0x92, unused, 1), ERR_FRAME);
    assert_int_equal(DECODE(0x92, 0xCC, 128, 1), ERR_FRAME);
    assert_int_equal(DECODE(0x92, 0xCF, 1, 0, 0, 0, 0, 0, 0, 55, 1), ERR_FRAME);
    assert_int_equal(DECODE(0x92, 0xFF, 1), ERR_FRAME);
    assert_int_equal(DECODE(0x92, 55, 0xA0), ERR_FRAME);
    assert_int_equal(DECODE(0x82, 55, 1, 2, 3), ERR_FRAME);
    assert_int_equal(DECODE(0xDD, 0xFF, 0xFF, 0xFF, 0xFF, 55, 1), ERR_FRAME);
    assert_int_equal(DECODE(0x93, 55, 1, 0xDF, 0xFF, 0xFF, 0xFF, 0xFF), ERR_FRAME);
    assert_int_equal(DECODE(0x93, 55, 1, 0xDD, 0xFF, 0xFF, 0xFF, 0xFF), ERR_FRAME);
}

/*  A value after the fields may nest as deep as a frame is long: skipping it takes no stack. */
static void depth_is_no_bomb(void **state)
{
    (void)state;
    memcpy(big, (const uint8_t[]){ 0x94, 55, 1, 0x90 }, 4);
    memset(big + 4, 0x91, FRAME_MAX - 5);
    big[FRAME_MAX - 1] = 0xC0;
    assert_int_equal(decode(big, FRAME_MAX), OK);
    assert_int_equal(decode(big, FRAME_MAX - 1), ERR_FRAME);
    memset(big + 4, 0x81, FRAME_MAX - 4); /* maps of maps never end */
    assert_int_equal(decode(big, FRAME_MAX), ERR_FRAME);
}

static void a_frame_has_a_largest_size(void **state)
{
    (void)state;
    struct wire wire = wire_on(big, BIG_BYTES);
    wire_put_encoded(&wire, slice_of((const uint8_t[]){ 0x94, 55, 1, 0x90 }, 4));
    memcpy(big + 4, (const uint8_t[]){ 0xC6, 0x00, 0xFF, 0xFF, 0xF7 }, 5); /* 16 MiB - 9 */
    assert_int_equal(decode(big, FRAME_MAX), OK);
    big[8]++;
    assert_int_equal(decode(big, FRAME_MAX + 1), ERR_FRAME);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_bound_and_type_is_checked),
        cmocka_unit_test(what_is_no_frame_is_refused),
        cmocka_unit_test(depth_is_no_bomb),
        cmocka_unit_test(a_frame_has_a_largest_size),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
