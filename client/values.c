/*  values.c - msgpack in and out, over proto/wire.h. */
#include "client/values.h"

#include <endian.h>
#include "client/failure.h"
#include "proto/stored.h"

enum {
    HEAD_BYTES = 9, /* of a number, or before the bytes of a string */
    NIL = 0xC0,
    BOOL_FALSE = 0xC2,
    BOOL_TRUE = 0xC3,
    EXT8 = 0xC7,
    FLOAT32 = 0xCA,
    FLOAT64 = 0xCB,
    UINT64 = 0xCF,
    FIXEXT16 = 0xD8
};

const char *kind_name(rayc_kind kind)
{
    static const char *const names[] = { "nil",      "a bool", "an integer", "a float",
                                         "a string", "bytes",  "an array",   "a map" };
    return (unsigned)kind < COUNT(names) ? names[kind] : "unknown";
}

/* --- out -------------------------------------------------------------------------------------- */

static bool is_packed(rayc_kind kind)
{
    return kind == RAYC_ARRAY || kind == RAYC_MAP;
}

static bool is_raw(rayc_kind kind)
{
    return kind == RAYC_STRING || kind == RAYC_BYTES || is_packed(kind);
}

/*  fixext16, or ext8/16/32 or fixext1/2/4/8: never the start of a value of ours. */
static bool is_ext(uint8_t first)
{
    return (first >= EXT8 && first < FLOAT32) || (first >= FIXEXT16 - 4 && first <= FIXEXT16);
}

int value_check(const rayc_value *value, const char **why)
{
    if ((unsigned)value->kind > RAYC_MAP) {
        *why = "has an unknown kind";
        return RAYC_EINVALID;
    }
    if (is_raw(value->kind) && value->as.raw.data == NULL && value->as.raw.size > 0) {
        *why = "has a size but no data";
        return RAYC_EINVALID;
    }
    if (is_raw(value->kind) && value->as.raw.size > UINT32_MAX) {
        *why = "has 4 GiB or more: put it in several parts";
        return RAYC_EINVALID;
    }
    if (is_packed(value->kind)) {
        struct cursor in = cursor_of(slice_of(value->as.raw.data, value->as.raw.size));
        if (value->as.raw.size == 0 || !wire_skip(&in) || cursor_left(&in) > 0) {
            *why = "is not one whole msgpack value";
            return RAYC_EINVALID;
        }
        if (is_ext(*(const uint8_t *)value->as.raw.data)) {
            *why = "is an extension type of msgpack; a reference goes in with rayc_of()";
            return RAYC_EINVALID;
        }
    }
    return RAYC_OK;
}

size_t value_bound(const rayc_value *value)
{
    return HEAD_BYTES + (is_raw(value->kind) ? value->as.raw.size : 0);
}

size_t value_size(const rayc_value *value)
{
    enum { RAW_HEAD_BYTES = 5 }; /* of what is longer than 64 KiB */
    size_t bytes = !is_raw(value->kind)     ? 0
                   : is_packed(value->kind) ? value->as.raw.size
                                            : value->as.raw.size + RAW_HEAD_BYTES;
    return bytes >= STORED_BYTES_MIN ? bytes : 0;
}

static void put_bytes(struct wire *to, const void *p, size_t n)
{
    wire_put_encoded(to, slice_of(p, n));
}

static void put_float(struct wire *to, double value)
{
    uint64_t bits;
    memcpy(&bits, &value, sizeof(bits));
    bits = htobe64(bits);
    uint8_t bytes[1 + sizeof(bits)] = { FLOAT64 };
    memcpy(bytes + 1, &bits, sizeof(bits));
    put_bytes(to, bytes, sizeof(bytes));
}

void value_put(struct wire *to, const rayc_value *value)
{
    struct slice raw =
        is_raw(value->kind) ? slice_of(value->as.raw.data, value->as.raw.size) : slice_of(NULL, 0);
    switch (value->kind) {
    case RAYC_NIL:
        put_bytes(to, &(uint8_t){ NIL }, 1);
        break;
    case RAYC_BOOL:
        put_bytes(to, &(uint8_t){ value->as.i != 0 ? BOOL_TRUE : BOOL_FALSE }, 1);
        break;
    case RAYC_INT:
        wire_put_int(to, value->as.i);
        break;
    case RAYC_FLOAT:
        put_float(to, value->as.f);
        break;
    case RAYC_STRING:
        wire_put_str(to, raw);
        break;
    case RAYC_BYTES:
        wire_put_bin(to, raw);
        break;
    case RAYC_ARRAY:
    case RAYC_MAP:
        wire_put_encoded(to, raw);
        break;
    }
}

static void put_reference(struct wire *to, rayc_ref ref)
{
    uint64_t words[2] = { htobe64(ref.job), htobe64(ref.number) };
    uint8_t bytes[2 + REFERENCE_BYTES] = { FIXEXT16, REFERENCE_EXT };
    memcpy(bytes + 2, words, sizeof(words));
    put_bytes(to, bytes, sizeof(bytes));
}

static bool is_reference(const rayc_arg *arg)
{
    return arg->ref.job != 0 || arg->ref.number != 0;
}

size_t args_bound(const rayc_arg *args, size_t count)
{
    size_t bytes = HEAD_BYTES;
    for (size_t i = 0; i < count; i++) {
        bytes += is_reference(&args[i]) ? 2 + REFERENCE_BYTES : value_bound(&args[i].value);
    }
    return bytes;
}

/*  Puts the value in if it is here and there is room for it and for all that follows. */
static int put_resolved(struct wire *to, struct wire *deps, rayc_ref ref,
                        const struct resolver *resolver)
{
    struct slice value = { 0 };
    int rc = resolver->resolve(resolver->context, ref, &value);
    if (rc < 0) {
        return rc;
    }
    if (rc > 0) {
        wire_put_encoded(to, value);
        return 0;
    }
    put_reference(to, ref);
    struct rec_id id = { .task = ref.number };
    proto_put_record(deps, REC_ID, &id);
    return 1;
}

int args_put(struct wire *to, struct wire *deps, const rayc_arg *args, size_t count,
             const struct resolver *resolver)
{
    int waits = 0;
    wire_put_array(to, (uint32_t)count);
    for (size_t i = 0; i < count; i++) {
        if (is_reference(&args[i])) {
            int rc = put_resolved(to, deps, args[i].ref, resolver);
            if (rc < 0) {
                return rc;
            }
            waits += rc;
            continue;
        }
        const char *why = NULL;
        int rc = value_check(&args[i].value, &why);
        if (rc != RAYC_OK) {
            return failure_say(rc, "argument %zu %s", i, why);
        }
        value_put(to, &args[i].value);
    }
    return waits;
}

/* --- in --------------------------------------------------------------------------------------- */

/*  Big-endian; false when cut off. */
static bool read_number(struct cursor *from, unsigned bytes, uint64_t *out)
{
    if (cursor_left(from) < bytes) {
        return false;
    }
    *out = 0;
    for (unsigned i = 0; i < bytes; i++) {
        *out = *out << 8 | *from->p++;
    }
    return true;
}

static bool read_float(struct cursor *from, rayc_value *out)
{
    bool wide = *from->p++ == FLOAT64;
    uint64_t bits;
    if (!read_number(from, wide ? 8 : 4, &bits)) {
        return false;
    }
    float narrow;
    memcpy(&narrow, &(uint32_t){ (uint32_t)bits }, sizeof(narrow));
    out->kind = RAYC_FLOAT;
    if (wide) {
        memcpy(&out->as.f, &bits, sizeof(bits));
    } else {
        out->as.f = (double)narrow;
    }
    return true;
}

/*  An integer over INT64_MAX, which rayc_value cannot hold, becomes a float. */
static bool read_int(struct cursor *from, rayc_value *out)
{
    uint64_t large;
    if (wire_get_int(from, &out->as.i)) {
        out->kind = RAYC_INT;
        return true;
    }
    if (!wire_get_uint(from, &large)) {
        return false;
    }
    *out = (rayc_value){ RAYC_FLOAT, { .f = (double)large } };
    return true;
}

/*  Arrays, maps and foreign extension types stay as they are. */
static bool read_whole(struct cursor *from, rayc_kind kind, rayc_value *out)
{
    const uint8_t *start = from->p;
    if (!wire_skip(from)) {
        return false;
    }
    out->kind = kind;
    out->as.raw.data = start;
    out->as.raw.size = (size_t)(from->p - start);
    return true;
}

static bool read_raw(struct cursor *from, rayc_kind kind, rayc_value *out)
{
    struct slice raw;
    if (!(kind == RAYC_STRING ? wire_get_str(from, &raw) : wire_get_bin(from, &raw))) {
        return false;
    }
    out->kind = kind;
    out->as.raw.data = raw.p;
    out->as.raw.size = raw.n;
    return true;
}

/*  What the first byte of a value says: its kind, EXT for an extension, -1 for the byte that is
    never used. */
enum { EXT = RAYC_MAP + 1 };
static int kind_of(uint8_t first)
{
    if (first < 0x80 || first >= 0xE0 || (first >= 0xCC && first <= 0xD3)) {
        return RAYC_INT;
    }
    if (first < 0xC0) {
        return first < 0x90 ? RAYC_MAP : first < 0xA0 ? RAYC_ARRAY : RAYC_STRING;
    }
    static const int8_t kinds[32] = {
        RAYC_NIL,   -1,         RAYC_BOOL, RAYC_BOOL,  RAYC_BYTES,  RAYC_BYTES,  RAYC_BYTES,
        EXT,        EXT,        EXT,       RAYC_FLOAT, RAYC_FLOAT,  RAYC_INT,    RAYC_INT,
        RAYC_INT,   RAYC_INT,   RAYC_INT,  RAYC_INT,   RAYC_INT,    RAYC_INT,    EXT,
        EXT,        EXT,        EXT,       EXT,        RAYC_STRING, RAYC_STRING, RAYC_STRING,
        RAYC_ARRAY, RAYC_ARRAY, RAYC_MAP,  RAYC_MAP,
    };
    return kinds[first - 0xC0];
}

bool value_read(struct cursor *from, rayc_value *out, bool *reference)
{
    *reference = false;
    if (cursor_left(from) == 0) {
        return false;
    }
    uint8_t first = *from->p;
    int kind = kind_of(first);
    switch (kind) {
    case RAYC_NIL:
    case RAYC_BOOL:
        from->p++;
        *out = (rayc_value){ (rayc_kind)kind, { .i = first == BOOL_TRUE } };
        return true;
    case RAYC_INT:
        return read_int(from, out);
    case RAYC_FLOAT:
        return read_float(from, out);
    case RAYC_STRING:
    case RAYC_BYTES:
        return read_raw(from, (rayc_kind)kind, out);
    case RAYC_ARRAY:
    case RAYC_MAP:
        return read_whole(from, (rayc_kind)kind, out);
    case EXT:
        *reference = first == FIXEXT16 && cursor_left(from) > 1 && from->p[1] == REFERENCE_EXT;
        return read_whole(from, RAYC_BYTES, out);
    default:
        return false;
    }
}
