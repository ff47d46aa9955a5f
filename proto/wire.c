/*  wire.c - writing with msgpack-c, reading with a cursor. */
#include "proto/wire.h"

#include <msgpack.h>

/*  The packer's way out. */
static inline int append(void *wire, const char *p, size_t n)
{
    struct wire *to = wire;
    if (to->full || n > to->capacity - to->n) {
        to->full = true;
        return -1;
    }
    if (n > 0) {
        memcpy(to->p + to->n, p, n);
        to->n += n;
    }
    return 0;
}

/*  Made anew for each value: the compiler then sees the callback and packs without an indirect
    call. */
#define PACKER(wire) (&(msgpack_packer){ (wire), append })

void wire_put_uint(struct wire *to, uint64_t value)
{
    msgpack_pack_uint64(PACKER(to), value);
}

void wire_put_int(struct wire *to, int64_t value)
{
    msgpack_pack_int64(PACKER(to), value);
}

void wire_put_float(struct wire *to, double value)
{
    msgpack_pack_double(PACKER(to), value);
}

void wire_put_str(struct wire *to, struct slice text)
{
    msgpack_pack_str(PACKER(to), text.n);
    append(to, (const char *)text.p, text.n);
}

void wire_put_bin(struct wire *to, struct slice bytes)
{
    msgpack_pack_bin(PACKER(to), bytes.n);
    append(to, (const char *)bytes.p, bytes.n);
}

void wire_put_array(struct wire *to, uint32_t count)
{
    msgpack_pack_array(PACKER(to), count);
}

void wire_put_encoded(struct wire *to, struct slice values)
{
    append(to, (const char *)values.p, values.n);
}

/*  The first bytes of msgpack's formats; FIX* hold a small value in their low bits. */
enum {
    FIXINT_END = 0x80,
    FIXMAP = 0x80,
    FIXARRAY = 0x90,
    FIXSTR = 0xA0,
    NIL = 0xC0,
    BIN8 = 0xC4,
    BIN16,
    BIN32,
    FLOAT64 = 0xCB,
    UINT8 = 0xCC,
    UINT16,
    UINT32,
    UINT64,
    INT8,
    INT16,
    INT32,
    INT64,
    STR8 = 0xD9,
    STR16,
    STR32,
    ARRAY16,
    ARRAY32,
    FIXINT_NEGATIVE = 0xE0
};

/*  Reads `bytes` (1, 2, 4 or 8) of big-endian after the first byte. */
static inline bool get_number(struct cursor *from, unsigned bytes, uint64_t *value)
{
    if (cursor_left(from) <= bytes) {
        return false;
    }
    uint64_t raw = 0;
    for (unsigned i = 1; i <= bytes; i++) {
        raw = raw << 8 | from->p[i];
    }
    from->p += 1 + bytes;
    *value = raw;
    return true;
}

/*  Any integer: its bits, and whether it is below zero. */
static bool get_integer(struct cursor *from, uint64_t *bits, bool *negative)
{
    if (from->p == from->end) {
        return false;
    }
    uint8_t first = *from->p;
    *negative = false;
    if (first < FIXINT_END) {
        *bits = first;
        from->p++;
        return true;
    }
    if (first >= FIXINT_NEGATIVE) {
        *bits = (uint64_t)(int64_t)(int8_t)first;
        *negative = true;
        from->p++;
        return true;
    }
    if (first < UINT8 || first > INT64) {
        return false;
    }
    if (first <= UINT64) {
        return get_number(from, 1u << (first - UINT8), bits);
    }
    unsigned bytes = 1u << (first - INT8);
    if (!get_number(from, bytes, bits)) {
        return false;
    }
    unsigned unused = 64 - 8 * bytes;
    int64_t value = (int64_t)(*bits << unused) >> unused; /* carries the sign up */
    *bits = (uint64_t)value;
    *negative = value < 0;
    return true;
}

bool wire_get_uint(struct cursor *from, uint64_t *value)
{
    bool negative;
    return get_integer(from, value, &negative) && !negative;
}

bool wire_get_int(struct cursor *from, int64_t *value)
{
    bool negative;
    uint64_t bits;
    if (!get_integer(from, &bits, &negative) || (!negative && bits > INT64_MAX)) {
        return false;
    }
    *value = (int64_t)bits;
    return true;
}

bool wire_get_float(struct cursor *from, double *value)
{
    uint64_t bits;
    if (from->p == from->end || *from->p != FLOAT64 || !get_number(from, sizeof(bits), &bits)) {
        return false;
    }
    memcpy(value, &bits, sizeof(*value));
    return true;
}

static inline bool get_bytes(struct cursor *from, uint64_t n, struct slice *out)
{
    if (n > cursor_left(from)) {
        return false;
    }
    *out = slice_of(from->p, (size_t)n);
    from->p += n;
    return true;
}

bool wire_get_str(struct cursor *from, struct slice *text)
{
    if (from->p == from->end) {
        return false;
    }
    uint8_t first = *from->p;
    uint64_t n;
    if (first >= FIXSTR && first < NIL) {
        n = first - FIXSTR;
        from->p++;
    } else if (first < STR8 || first > STR32 || !get_number(from, 1u << (first - STR8), &n)) {
        return false;
    }
    return get_bytes(from, n, text);
}

bool wire_get_bin(struct cursor *from, struct slice *bytes)
{
    if (from->p == from->end) {
        return false;
    }
    uint8_t first = *from->p;
    uint64_t n;
    return first >= BIN8 && first <= BIN32 && get_number(from, 1u << (first - BIN8), &n) &&
           get_bytes(from, n, bytes);
}

bool wire_get_array(struct cursor *from, uint32_t *count)
{
    if (from->p == from->end) {
        return false;
    }
    uint8_t first = *from->p;
    uint64_t n;
    if (first >= FIXARRAY && first < FIXSTR) {
        n = first - FIXARRAY;
        from->p++;
    } else if (first < ARRAY16 || first > ARRAY32 ||
               !get_number(from, 2u << (first - ARRAY16), &n)) {
        return false;
    }
    *count = (uint32_t)n;
    return true;
}

/*  What follows the first byte of the formats 0xC0 to 0xDF: a number of `size` bytes, then `fixed`
    bytes, then as many units as the number says. */
struct format {
    uint8_t size;
    uint8_t fixed;
    enum { PLAIN, BYTES, VALUES, PAIRS, INVALID } unit;
};

static const struct format formats[] = {
    { 0, 0, PLAIN },  { 0, 0, INVALID }, { 0, 0, PLAIN }, { 0, 0, PLAIN }, /* nil, -, false, true */
    { 1, 0, BYTES },  { 2, 0, BYTES },   { 4, 0, BYTES },                  /* bin */
    { 1, 1, BYTES },  { 2, 1, BYTES },   { 4, 1, BYTES },                  /* ext */
    { 0, 4, PLAIN },  { 0, 8, PLAIN },                                     /* float */
    { 0, 1, PLAIN },  { 0, 2, PLAIN },   { 0, 4, PLAIN }, { 0, 8, PLAIN }, /* uint */
    { 0, 1, PLAIN },  { 0, 2, PLAIN },   { 0, 4, PLAIN }, { 0, 8, PLAIN }, /* int */
    { 0, 2, PLAIN },  { 0, 3, PLAIN },   { 0, 5, PLAIN },                  /* fixext 1, 2, 4 */
    { 0, 9, PLAIN },  { 0, 17, PLAIN },                                    /* fixext 8, 16 */
    { 1, 0, BYTES },  { 2, 0, BYTES },   { 4, 0, BYTES },                  /* str */
    { 2, 0, VALUES }, { 4, 0, VALUES },  { 2, 0, PAIRS }, { 4, 0, PAIRS }, /* array, map */
};
_Static_assert(COUNT(formats) == FIXINT_NEGATIVE - NIL, "one for each first byte");

/*  Skips the first byte and all that is not values of their own; tells how many of those follow. */
static bool skip_one(struct cursor *from, uint64_t *inside)
{
    if (from->p == from->end) {
        return false;
    }
    uint8_t first = *from->p;
    *inside = 0;
    if (first < NIL || first >= FIXINT_NEGATIVE) {
        from->p++;
        if (first >= FIXSTR && first < NIL) {
            struct slice text;
            return get_bytes(from, first - FIXSTR, &text);
        }
        if (first >= FIXMAP && first < FIXSTR) {
            *inside = first < FIXARRAY ? 2u * (first - FIXMAP) : (unsigned)first - FIXARRAY;
        }
        return true;
    }
    struct format format = formats[first - NIL];
    uint64_t n = 0;
    struct slice bytes;
    if (format.unit == INVALID || !get_number(from, format.size, &n)) {
        return false;
    }
    *inside = format.unit == VALUES ? n : format.unit == PAIRS ? 2 * n : 0;
    return get_bytes(from, format.fixed + (format.unit == BYTES ? n : 0), &bytes);
}

/*  Counts the values that are still to come instead of remembering where it is, so depth costs
    nothing and needs no limit.  Each takes at least a byte: a header that promises more than that
    is refused at once. */
bool wire_skip(struct cursor *from)
{
    uint64_t pending = 1;
    while (pending > 0) {
        uint64_t inside;
        if (!skip_one(from, &inside)) {
            return false;
        }
        pending += inside - 1;
        if (pending > cursor_left(from)) {
            return false;
        }
    }
    return true;
}

bool wire_step(struct cursor *from)
{
    uint64_t inside;
    return skip_one(from, &inside);
}
