/*  proto_test.c - the codec against the tables of messages.def: every message and record, with random
    values, cut at every byte, shorter and longer; and against msgpack-c, which must read the same. */
#include <stdio.h>
#include <msgpack.h>
#include "common/prng.h"
#include "tests/unit/proto_bytes.h"

enum { ROUNDS = 100, LIST_BYTES = 64 * 1024 };

static struct prng prng = { 20261121 };

/*  Random values: of every bit length, so that every encoding of an integer occurs. */
static uint64_t random_number(uint64_t max)
{
    uint64_t value = prng_next(&prng) >> prng_below(&prng, 64);
    return value <= max ? value : max == UINT64_MAX ? value : value % (max + 1);
}

static struct slice random_bytes_of(uint64_t max, bool text)
{
    static const size_t sizes[] = { 0, 1, 31, 32, 255, 256, 300 };
    size_t n = sizes[prng_below(&prng, COUNT(sizes))];
    n = n <= max ? n : (size_t)max;
    uint8_t *p = take(n);
    for (size_t i = 0; i < n; i++) {
        p[i] = (uint8_t)(text ? 1 + prng_below(&prng, 255) : prng_next(&prng));
    }
    return slice_of(p, n);
}

static void fill(const struct shape *shape, uint8_t *out);

static struct list random_list(const struct field *field)
{
    uint32_t count = (uint32_t)prng_below(&prng, field->bound < 3 ? field->bound + 1 : 4);
    struct wire wire = wire_on(take(LIST_BYTES), LIST_BYTES);
    for (uint32_t i = 0; i < count; i++) {
        uint64_t record[64];
        assert_true(proto_record(field->record)->bytes <= sizeof(record));
        fill(proto_record(field->record), (uint8_t *)record);
        proto_put_record(&wire, field->record, record);
    }
    written(&wire);
    return wire_list(&wire, count);
}

static void fill_field(const struct field *field, void *out)
{
    uint64_t number;
    switch (field->type) {
    case TYPE_U32:
        *(uint32_t *)out = (uint32_t)random_number(bound_or(field->bound, UINT32_MAX));
        break;
    case TYPE_U64:
        *(uint64_t *)out = random_number(bound_or(field->bound, UINT64_MAX));
        break;
    case TYPE_I32:
        number = random_number(INT32_MAX);
        *(int32_t *)out = prng_below(&prng, 2) == 0 ? (int32_t)number : -1 - (int32_t)number;
        break;
    case TYPE_I64:
        number = random_number(INT64_MAX);
        *(int64_t *)out = prng_below(&prng, 2) == 0 ? (int64_t)number : -1 - (int64_t)number;
        break;
    case TYPE_F64:
        *(double *)out = (double)(int64_t)random_number(UINT32_MAX) / 8.0 - 1e6;
        break;
    case TYPE_STR:
    case TYPE_BIN:
        *(struct slice *)out = random_bytes_of(field->bound, field->type == TYPE_STR);
        break;
    case TYPE_LIST:
        *(struct list *)out = random_list(field);
        break;
    }
}

static void fill(const struct shape *shape, uint8_t *out)
{
    memset(out, 0, shape->bytes);
    for (const struct field *field = shape->fields; field->name != NULL; field++) {
        fill_field(field, out + field->offset);
    }
}

static struct slice random_frame(enum msg_kind kind, struct msg *msg)
{
    arena_used = 0;
    msg->kind = kind;
    fill(proto_message(kind), (uint8_t *)&msg->as);
    msg->as.seq = random_number(UINT64_MAX);
    struct wire wire = wire_on(take(LIST_BYTES * 4), LIST_BYTES * 4);
    proto_put(&wire, kind, &msg->as);
    return written(&wire);
}

/*  Walks all messages; MSG_NONE when there are no more. */
static enum msg_kind next_kind(enum msg_kind kind)
{
    for (unsigned i = kind + 1; i < MSG_KINDS; i++) {
        if (proto_message((enum msg_kind)i) != NULL) {
            return (enum msg_kind)i;
        }
    }
    return MSG_NONE;
}

#define EACH_KIND(kind)                                                                            \
    enum msg_kind kind = next_kind(MSG_NONE);                                                      \
    kind != MSG_NONE;                                                                              \
    kind = next_kind(kind)

/* What msgpack-c reads must be what the tables say. */

static void see_fields(const struct shape *shape, const uint8_t *value, const msgpack_object *seen);

static void see_bytes(struct slice value, const char *p, size_t n)
{
    assert_true(slice_same(value, slice_of(p, n)));
}

static void see_integer(int64_t value, const msgpack_object *seen)
{
    assert_int_equal(seen->type,
                     value < 0 ? MSGPACK_OBJECT_NEGATIVE_INTEGER : MSGPACK_OBJECT_POSITIVE_INTEGER);
    assert_true(seen->via.i64 == value);
}

static void see_list(const struct field *field, struct list list, const msgpack_object *seen)
{
    assert_int_equal(seen->type, MSGPACK_OBJECT_ARRAY);
    assert_int_equal(seen->via.array.size, list.count);
    const struct shape *shape = proto_record(field->record);
    uint64_t record[64];
    for (uint32_t i = 0; proto_next(&list, field->record, record); i++) {
        const msgpack_object *element = &seen->via.array.ptr[i];
        assert_int_equal(element->type, MSGPACK_OBJECT_ARRAY);
        assert_int_equal(element->via.array.size, shape->field_count);
        see_fields(shape, (const uint8_t *)record, element->via.array.ptr);
    }
}

static void see_field(const struct field *field, const void *value, const msgpack_object *seen)
{
    switch (field->type) {
    case TYPE_U32:
        see_integer(*(const uint32_t *)value, seen);
        break;
    case TYPE_U64:
        assert_int_equal(seen->type, MSGPACK_OBJECT_POSITIVE_INTEGER);
        assert_true(seen->via.u64 == *(const uint64_t *)value);
        break;
    case TYPE_I32:
        see_integer(*(const int32_t *)value, seen);
        break;
    case TYPE_I64:
        see_integer(*(const int64_t *)value, seen);
        break;
    case TYPE_F64:
        assert_int_equal(seen->type, MSGPACK_OBJECT_FLOAT64);
        assert_true(seen->via.f64 == *(const double *)value);
        break;
    case TYPE_STR:
        assert_int_equal(seen->type, MSGPACK_OBJECT_STR);
        see_bytes(*(const struct slice *)value, seen->via.str.ptr, seen->via.str.size);
        break;
    case TYPE_BIN:
        assert_int_equal(seen->type, MSGPACK_OBJECT_BIN);
        see_bytes(*(const struct slice *)value, seen->via.bin.ptr, seen->via.bin.size);
        break;
    case TYPE_LIST:
        see_list(field, *(const struct list *)value, seen);
        break;
    }
}

static void see_fields(const struct shape *shape, const uint8_t *value, const msgpack_object *seen)
{
    for (unsigned i = 0; i < shape->field_count; i++) {
        see_field(&shape->fields[i], value + shape->fields[i].offset, &seen[i]);
    }
}

static void see_frame(const struct msg *msg, struct slice frame)
{
    msgpack_unpacked seen;
    msgpack_unpacked_init(&seen);
    size_t end = 0;
    assert_int_equal(msgpack_unpack_next(&seen, (const char *)frame.p, frame.n, &end),
                     MSGPACK_UNPACK_SUCCESS);
    assert_int_equal(end, frame.n);
    const struct shape *shape = proto_message(msg->kind);
    assert_int_equal(seen.data.type, MSGPACK_OBJECT_ARRAY);
    assert_int_equal(seen.data.via.array.size, 2u + shape->field_count);
    const msgpack_object *values = seen.data.via.array.ptr;
    assert_int_equal(values[0].via.u64, msg->kind);
    assert_true(values[1].via.u64 == msg->as.seq);
    see_fields(shape, (const uint8_t *)&msg->as, values + 2);
    msgpack_unpacked_destroy(&seen);
}

static void every_message_comes_back(void **state)
{
    (void)state;
    for (EACH_KIND(kind)) {
        for (int round = 0; round < ROUNDS; round++) {
            struct msg sent, got;
            struct slice frame = random_frame(kind, &sent);
            struct diag why = { 0 };
            if (proto_decode(frame, &got, &why) != OK) {
                fail_msg("%s", why.text);
            }
            assert_true(proto_same(&sent, &got));
            see_frame(&got, frame);
            char text[512];
            assert_ptr_equal(proto_print(&got, text, sizeof(text)), text);
            assert_memory_equal(text, proto_name(kind), strlen(proto_name(kind)));
        }
    }
}

static void a_changed_field_is_not_the_same(void **state)
{
    (void)state;
    for (EACH_KIND(kind)) {
        const struct shape *shape = proto_message(kind);
        struct msg sent;
        random_frame(kind, &sent);
        for (unsigned i = 0; i < shape->field_count; i++) {
            const struct field *field = &shape->fields[i];
            struct msg other = sent;
            uint8_t *value = (uint8_t *)&other.as + field->offset;
            if (field->type == TYPE_STR || field->type == TYPE_BIN) {
                ((struct slice *)(void *)value)->n ^= 1;
                ((struct slice *)(void *)value)->p = take(LIST_BYTES);
            } else if (field->type == TYPE_LIST) {
                ((struct list *)(void *)value)->count ^= 1;
            } else {
                value[0] ^= 1;
            }
            assert_false(proto_same(&sent, &other));
        }
        struct msg other = sent;
        other.as.seq++;
        assert_false(proto_same(&sent, &other));
        assert_true(proto_same(&sent, &sent));
    }
}

static void a_cut_or_longer_frame_is_refused(void **state)
{
    (void)state;
    for (EACH_KIND(kind)) {
        struct msg sent, got;
        struct slice frame = random_frame(kind, &sent);
        for (size_t n = 0; n < frame.n; n++) {
            uint8_t *exact = malloc(n > 0 ? n : 1); /* so that a read past its end is seen */
            memcpy(exact, frame.p, n);
            assert_int_equal(proto_decode(slice_of(exact, n), &got, NULL), ERR_FRAME);
            free(exact);
        }
        memcpy(big, frame.p, frame.n);
        big[frame.n] = 0;
        struct diag why;
        assert_int_equal(proto_decode(slice_of(big, frame.n + 1), &got, &why), ERR_FRAME);
        assert_non_null(strstr(why.text, "goes on after its end"));
    }
}

/*  The first `count` values of an encoded array, as an array, followed by `extra` encoded values.
    */
static struct slice with_tail(struct slice array, uint32_t count, struct slice extra,
                              uint32_t extras)
{
    struct cursor from = cursor_of(array);
    uint32_t all;
    assert_true(wire_get_array(&from, &all) && count <= all);
    const uint8_t *start = from.p;
    for (uint32_t i = 0; i < count; i++) {
        assert_true(wire_skip(&from));
    }
    struct wire wire = wire_on(big, BIG_BYTES);
    wire_put_array(&wire, count + extras);
    wire_put_encoded(&wire, slice_of(start, (size_t)(from.p - start)));
    wire_put_encoded(&wire, extra);
    return written(&wire);
}

/*  One value of each format that no field has: nil, false, floats, ext, fixext, maps, nested
    arrays. */
static struct slice strange_values(uint32_t *count)
{
    msgpack_sbuffer buffer;
    msgpack_sbuffer_init(&buffer);
    msgpack_packer packer = { &buffer, msgpack_sbuffer_write };
    static const char bytes[70000];
    static const size_t sizes[] = { 1, 2, 4, 8, 16, 3, 300, 70000 };
    *count = 0;
    for (size_t i = 0; i < COUNT(sizes); i++) {
        msgpack_pack_ext_with_body(&packer, bytes, sizes[i], 5);
        msgpack_pack_bin_with_body(&packer, bytes, sizes[i]);
        msgpack_pack_str_with_body(&packer, bytes, sizes[i]);
        *count += 3;
        msgpack_pack_map(&packer, sizes[i]);
        for (size_t k = 0; k < sizes[i]; k++) {
            msgpack_pack_nil(&packer);
            msgpack_pack_array(&packer, 1);
            msgpack_pack_false(&packer);
        }
        msgpack_pack_array(&packer, sizes[i]);
        for (size_t k = 0; k < sizes[i]; k++) {
            msgpack_pack_true(&packer);
        }
        *count += 2;
    }
    msgpack_pack_float(&packer, 1.5f);
    msgpack_pack_double(&packer, 1.5);
    msgpack_pack_uint64(&packer, UINT64_MAX);
    msgpack_pack_int64(&packer, INT64_MIN);
    *count += 4;
    uint8_t *copy = take(buffer.size);
    memcpy(copy, buffer.data, buffer.size);
    struct slice values = slice_of(copy, buffer.size);
    msgpack_sbuffer_destroy(&buffer);
    return values;
}

static void zero_tail(const struct shape *shape, unsigned from, uint8_t *value)
{
    if (from < shape->field_count) {
        memset(value + shape->fields[from].offset, 0, shape->bytes - shape->fields[from].offset);
    }
}

static void messages_may_be_shorter_or_longer(void **state)
{
    (void)state;
    for (EACH_KIND(kind)) {
        const struct shape *shape = proto_message(kind);
        struct msg sent, got;
        struct slice frame = random_frame(kind, &sent);
        uint32_t extras;
        struct slice extra = strange_values(&extras);
        struct slice longer = with_tail(frame, 2u + shape->field_count, extra, extras);
        assert_int_equal(proto_decode(longer, &got, NULL), OK);
        assert_true(proto_same(&sent, &got));
        assert_int_equal(proto_decode(slice_of(longer.p, longer.n - 1), &got, NULL), ERR_FRAME);
        for (unsigned n = shape->field_count; n-- > 0;) {
            zero_tail(shape, n, (uint8_t *)&sent.as);
            struct slice shorter = with_tail(frame, 2 + n, slice_of(NULL, 0), 0);
            assert_int_equal(proto_decode(shorter, &got, NULL), OK);
            assert_true(proto_same(&sent, &got));
        }
    }
}

/*  proto_next() reads records whatever list they are in. */
static void expect_record(enum record_kind kind, struct slice bytes, const void *value)
{
    uint64_t got[64];
    struct list list = { bytes, 1 };
    assert_true(proto_next(&list, kind, got));
    assert_int_equal(list.bytes.n, 0);
    assert_false(proto_next(&list, kind, got));
    struct wire again = wire_on(take(LIST_BYTES), LIST_BYTES);
    struct wire first = wire_on(take(LIST_BYTES), LIST_BYTES);
    proto_put_record(&again, kind, got);
    proto_put_record(&first, kind, value);
    assert_true(slice_same(written(&again), written(&first)));
}

static void records_may_be_shorter_or_longer(void **state)
{
    (void)state;
    for (unsigned kind = 0; kind < RECORD_KINDS; kind++) {
        const struct shape *shape = proto_record((enum record_kind)kind);
        arena_used = 0;
        uint64_t value[64];
        fill(shape, (uint8_t *)value);
        struct wire wire = wire_on(take(LIST_BYTES), LIST_BYTES);
        proto_put_record(&wire, (enum record_kind)kind, value);
        struct slice bytes = written(&wire);
        expect_record((enum record_kind)kind, bytes, value);
        uint32_t extras;
        struct slice extra = strange_values(&extras);
        expect_record((enum record_kind)kind, with_tail(bytes, shape->field_count, extra, extras),
                      value);
        for (unsigned n = shape->field_count; n-- > 0;) {
            zero_tail(shape, n, (uint8_t *)value);
            struct slice shorter = with_tail(bytes, n, slice_of(NULL, 0), 0);
            expect_record((enum record_kind)kind, shorter, value);
        }
    }
}

static void what_does_not_fit_is_not_begun(void **state)
{
    (void)state;
    for (EACH_KIND(kind)) {
        struct msg msg;
        struct slice frame = random_frame(kind, &msg);
        for (size_t room = 0; room < frame.n; room += 1 + room / 8) {
            struct wire wire = wire_on(big, 3 + room);
            wire.n = 3;
            proto_put(&wire, kind, &msg.as);
            assert_true(wire.full);
            assert_int_equal(wire.n, 3);
        }
        struct wire wire = wire_on(big, frame.n);
        proto_put(&wire, kind, &msg.as);
        assert_true(slice_same(written(&wire), frame));
    }
    struct wire wire = wire_on(big, 20);
    struct rec_id id = { 1 };
    struct rec_value large = { slice_of(big + 100, 100) };
    proto_put_record(&wire, REC_ID, &id);
    size_t before = wire.n;
    proto_put_record(&wire, REC_VALUE, &large);
    proto_put_record(&wire, REC_ID, &id); /* would fit, but one before it is missing */
    assert_true(wire.full);
    assert_int_equal(wire.n, before);
}

static void people_can_read_it(void **state)
{
    (void)state;
    char text[200];
    struct msg msg = {
        .kind = MSG_SUBMIT,
        .as.submit = { .seq = 7, .session = 1, .first = 1, .specs.count = 1, .calls.count = 256 }
    };
    assert_string_equal(proto_print(&msg, text, sizeof(text)),
                        "SUBMIT seq=7 session=1 first=1 specs=[1] calls=[256]");
    assert_string_equal(proto_print(&msg, text, 10), "SUBMIT se");
    msg = (struct msg){ .kind = MSG_REFUSED, .as.refused = { 1, -7, slice_text("a \"b\"\n") } };
    assert_string_equal(proto_print(&msg, text, sizeof(text)),
                        "REFUSED seq=1 code=-7 text=\"a \\x22b\\x22\\x0a\"");
    msg.kind = MSG_NONE;
    assert_string_equal(proto_print(&msg, text, sizeof(text)), "?");

    struct msg got;
    struct diag why;
    const uint8_t call[] = { 0x96, 14, 1, 1, 1, 0x90, 0x92, 0x90, 0x92, 0, 0xA0 };
    assert_int_equal(proto_decode(slice_of(call, sizeof(call)), &got, &why), ERR_FRAME);
    assert_string_equal(why.text, "SUBMIT calls[1] args is not binary, or is cut off");
    assert_string_equal(why.field, "args");
}

static void the_tables_have_names_and_directions(void **state)
{
    (void)state;
    assert_string_equal(proto_name(MSG_SUBMIT), "SUBMIT");
    assert_string_equal(proto_name(MSG_NONE), "?");
    assert_string_equal(proto_name((enum msg_kind)1000), "?");
    assert_null(proto_message(MSG_NONE));
    assert_null(proto_message((enum msg_kind)MSG_KINDS));
    assert_null(proto_record(RECORD_KINDS));
    assert_true(proto_to_head(MSG_HELLO));
    assert_true(proto_to_head(MSG_DONE));
    assert_false(proto_to_head(MSG_WELCOME));
    assert_false(proto_to_head(MSG_RUN));
    assert_false(proto_to_head(MSG_RAN));
    assert_false(proto_to_head(MSG_NONE));
    assert_string_equal(task_state_name(TASK_RUNNING), "RUNNING");
    assert_string_equal(task_state_name(0), "?");
    assert_string_equal(job_state_name(JOB_STOPPED), "STOPPED");
    assert_string_equal(node_state_name(NODE_STATES), "?");
    assert_string_equal(failure_type(FAILURE_NODE_DIED), "NODE_DIED");
    assert_string_equal(failure_text(FAILURE_CANCELLED), "the task was cancelled");
    assert_int_equal(failure_code(FAILURE_NONE), OK);
    assert_int_equal(failure_code(FAILURE_UNKNOWN), ERR_UNKNOWN);
    assert_string_equal(failure_type(FAILURES), "?");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_message_comes_back),
        cmocka_unit_test(a_changed_field_is_not_the_same),
        cmocka_unit_test(a_cut_or_longer_frame_is_refused),
        cmocka_unit_test(messages_may_be_shorter_or_longer),
        cmocka_unit_test(records_may_be_shorter_or_longer),
        cmocka_unit_test(what_does_not_fit_is_not_begun),
        cmocka_unit_test(people_can_read_it),
        cmocka_unit_test(the_tables_have_names_and_directions),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
