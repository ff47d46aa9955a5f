/*  proto.c - messages.def as tables, and what walks them: put, decode, next, print, compare.
    Recursion follows the tables (a list of records that have lists), never the bytes of a peer. */
#include "proto/proto.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include "proto/wire.h"

enum direction {
    TO_HEAD,
    FROM_HEAD,
    TO_EXECUTOR,
    FROM_EXECUTOR,
    TO_STORE,
    FROM_STORE,
    TO_NODE,
    FROM_NODE
};
enum { HEAD_VALUES = 2 /* id and seq */ };

/*  messages.def names types and records in lower case. */
enum {
    TYPE_u32 = TYPE_U32,
    TYPE_u64 = TYPE_U64,
    TYPE_i32 = TYPE_I32,
    TYPE_i64 = TYPE_I64,
    TYPE_f64 = TYPE_F64,
    TYPE_str = TYPE_STR,
    TYPE_bin = TYPE_BIN,
#define MSG(id, NAME, name, direction, doc)
#define RECORD(NAME, name, doc) KIND_##name = REC_##NAME,
#define FIELD(type, name, bound, doc)
#define LIST(record, name, bound, doc)
#define END
#include "proto/messages.def"
#undef MSG
#undef RECORD
#undef FIELD
#undef LIST
#undef END
};

/*  One case for each message and record, with nothing in it but its table.  An array may not be
    empty, so each ends with a field that has no name. */
#define LAST_FIELD                                                                                 \
    {                                                                                              \
        0                                                                                          \
    }
#define MSG(id, NAME, name, direction, doc)                                                        \
    case MSG_##NAME: {                                                                             \
        typedef struct msg_##name self;                                                            \
        SHAPE(#NAME, doc, direction)
#define RECORD(NAME, name, doc)                                                                    \
    case MSG_KINDS + REC_##NAME: {                                                                 \
        typedef struct rec_##name self;                                                            \
        SHAPE(#NAME, doc, FROM_HEAD)
#define SHAPE(NAME, doc, direction)                                                                \
    static const char shape_doc[] = doc;                                                           \
    static const char shape_name[] = NAME;                                                         \
    enum { shape_to_head = (direction) == TO_HEAD };                                               \
    static const struct field fields[] = {
#define FIELD(type, name, bound, doc)                                                              \
    { #name, (enum field_type)TYPE_##type, offsetof(self, name), 0, bound, doc },
#define LIST(record, name, bound, doc)                                                             \
    { #name, TYPE_LIST, offsetof(self, name), (enum record_kind)KIND_##record, bound, doc },
#define END                                                                                        \
    LAST_FIELD                                                                                     \
    }                                                                                              \
    ;                                                                                              \
    static const struct shape shape = { shape_name,   shape_doc,         shape_to_head,            \
                                        sizeof(self), COUNT(fields) - 1, fields };                 \
    return &shape;                                                                                 \
    }
static const struct shape *shape_of(unsigned kind)
{
    switch (kind) {
#include "proto/messages.def"
    }
    return NULL;
}
#undef MSG
#undef RECORD
#undef SHAPE
#undef LAST_FIELD
#undef FIELD
#undef LIST
#undef END

const struct shape *proto_message(enum msg_kind kind)
{
    return (unsigned)kind < MSG_KINDS ? shape_of(kind) : NULL;
}

const struct shape *proto_record(enum record_kind kind)
{
    return (unsigned)kind < RECORD_KINDS ? shape_of(MSG_KINDS + (unsigned)kind) : NULL;
}

const char *proto_name(enum msg_kind kind)
{
    const struct shape *shape = proto_message(kind);
    return shape != NULL ? shape->name : "?";
}

bool proto_is_submission(const char *id)
{
    static const char letters[] =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._:-";
    size_t n = strlen(id);
    return n > 0 && n <= NAME_MAX_BYTES && strspn(id, letters) == n &&
           strchr("._:-", id[0]) == NULL;
}

bool proto_to_head(enum msg_kind kind)
{
    const struct shape *shape = proto_message(kind);
    return shape != NULL && shape->to_head;
}

static void put_fields(struct wire *to, const struct shape *shape, const uint8_t *value)
{
    for (const struct field *field = shape->fields; field->name != NULL; field++) {
        const void *from = value + field->offset;
        switch (field->type) {
        case TYPE_U32:
            wire_put_uint(to, *(const uint32_t *)from);
            break;
        case TYPE_U64:
            wire_put_uint(to, *(const uint64_t *)from);
            break;
        case TYPE_I32:
            wire_put_int(to, *(const int32_t *)from);
            break;
        case TYPE_I64:
            wire_put_int(to, *(const int64_t *)from);
            break;
        case TYPE_F64:
            wire_put_float(to, *(const double *)from);
            break;
        case TYPE_STR:
            wire_put_str(to, *(const struct slice *)from);
            break;
        case TYPE_BIN:
            wire_put_bin(to, *(const struct slice *)from);
            break;
        case TYPE_LIST: {
            const struct list *list = from;
            wire_put_array(to, list->count);
            wire_put_encoded(to, list->bytes);
            break;
        }
        }
    }
}

void proto_put(struct wire *to, enum msg_kind kind, const void *value)
{
    const struct shape *shape = proto_message(kind);
    ensure(shape != NULL);
    size_t start = to->n;
    wire_put_array(to, HEAD_VALUES + shape->field_count);
    wire_put_uint(to, kind);
    wire_put_uint(to, *(const uint64_t *)value);
    put_fields(to, shape, value);
    if (to->full) {
        to->n = start;
    }
}

void proto_put_record(struct wire *to, enum record_kind kind, const void *value)
{
    const struct shape *shape = proto_record(kind);
    ensure(shape != NULL);
    size_t start = to->n;
    wire_put_array(to, shape->field_count);
    put_fields(to, shape, value);
    if (to->full) {
        to->n = start;
    }
}

/*  A frame that is being read, and what was wrong with it. */
struct reader {
    struct cursor in;
    const char *problem;
    const struct field *field; /* where; NULL: not in a field */
    const struct field *list;  /* the outermost list around it, NULL: none, and the element of it */
    uint32_t element;
};

/*  Room for one record of any kind. */
union any_record {
#define MSG(id, NAME, name, direction, doc)
#define RECORD(NAME, name, doc) struct rec_##name name;
#define FIELD(type, name, bound, doc)
#define LIST(record, name, bound, doc)
#define END
#include "proto/messages.def"
#undef MSG
#undef RECORD
#undef FIELD
#undef LIST
#undef END
};

static bool wrong(struct reader *self, const struct field *field, const char *problem)
{
    self->field = field;
    self->problem = problem;
    return false;
}

static bool get_unsigned(struct reader *self, const struct field *field, uint64_t max, uint64_t *to)
{
    if (!wire_get_uint(&self->in, to)) {
        return wrong(self, field, "is not a number from 0 on");
    }
    return *to <= (field->bound != 0 ? field->bound : max) || wrong(self, field, "is too large");
}

static bool get_signed(struct reader *self, const struct field *field, int64_t max, int64_t *to)
{
    if (!wire_get_int(&self->in, to)) {
        return wrong(self, field, "is not an integer");
    }
    return (*to >= -max - 1 && *to <= (field->bound != 0 ? (int64_t)field->bound : max)) ||
           wrong(self, field, "is out of range");
}

static bool get_text(struct reader *self, const struct field *field, struct slice *to)
{
    if (!wire_get_str(&self->in, to)) {
        return wrong(self, field, "is not a string, or is cut off");
    }
    if (to->n > field->bound) {
        return wrong(self, field, "is too long");
    }
    return memchr(to->p, 0, to->n) == NULL || wrong(self, field, "has a NUL byte");
}

static bool get_binary(struct reader *self, const struct field *field, struct slice *to)
{
    if (!wire_get_bin(&self->in, to)) {
        return wrong(self, field, "is not binary, or is cut off");
    }
    return to->n <= field->bound || wrong(self, field, "is too long");
}

static bool get_record(struct reader *self, const struct shape *shape, void *out);

/*  Checks all elements, and keeps where they are. */
static bool get_list(struct reader *self, const struct field *field, struct list *to)
{
    if (!wire_get_array(&self->in, &to->count)) {
        return wrong(self, field, "is not a list");
    }
    if (to->count > field->bound) {
        return wrong(self, field, "has too many elements");
    }
    const struct shape *shape = proto_record(field->record);
    const uint8_t *start = self->in.p;
    union any_record checked;
    for (uint32_t i = 0; i < to->count; i++) {
        if (!get_record(self, shape, &checked)) {
            self->list = field;
            self->element = i;
            return false;
        }
    }
    to->bytes = slice_of(start, (size_t)(self->in.p - start));
    return true;
}

static bool get_field(struct reader *self, const struct field *field, void *to)
{
    uint64_t number;
    int64_t integer;
    switch (field->type) {
    case TYPE_U32:
        if (!get_unsigned(self, field, UINT32_MAX, &number)) {
            return false;
        }
        *(uint32_t *)to = (uint32_t)number;
        return true;
    case TYPE_U64:
        return get_unsigned(self, field, UINT64_MAX, to);
    case TYPE_I32:
        if (!get_signed(self, field, INT32_MAX, &integer)) {
            return false;
        }
        *(int32_t *)to = (int32_t)integer;
        return true;
    case TYPE_I64:
        return get_signed(self, field, INT64_MAX, to);
    case TYPE_F64:
        return wire_get_float(&self->in, to) || wrong(self, field, "is not a float");
    case TYPE_STR:
        return get_text(self, field, to);
    case TYPE_BIN:
        return get_binary(self, field, to);
    case TYPE_LIST:
        return get_list(self, field, to);
    }
    return false;
}

/*  Reads `count` values into the fields.  Fields that a peer of an older minor does not send stay
    as they are; values that only a newer one knows are skipped. */
static bool get_fields(struct reader *self, const struct shape *shape, uint32_t count, uint8_t *out)
{
    uint32_t known = count < shape->field_count ? count : shape->field_count;
    for (const struct field *field = shape->fields; field < shape->fields + known; field++) {
        if (!get_field(self, field, out + field->offset)) {
            return false;
        }
    }
    for (uint32_t i = known; i < count; i++) {
        if (!wire_skip(&self->in)) {
            return wrong(self, NULL, "has a malformed or cut off value after its fields");
        }
    }
    return true;
}

static bool get_record(struct reader *self, const struct shape *shape, void *out)
{
    uint32_t count;
    return wire_get_array(&self->in, &count) ? get_fields(self, shape, count, out)
                                             : wrong(self, NULL, "is not a record");
}

/*  Reads the whole frame; `shape` becomes that of its message as soon as it is known. */
static bool get_frame(struct reader *self, const struct shape **shape, struct msg *out)
{
    uint32_t count;
    uint64_t id;
    if (cursor_left(&self->in) > FRAME_MAX) {
        return wrong(self, NULL, "is too long");
    }
    if (!wire_get_array(&self->in, &count) || count < HEAD_VALUES) {
        return wrong(self, NULL, "is not an array of id, seq and fields");
    }
    if (!wire_get_uint(&self->in, &id) || id >= MSG_KINDS ||
        proto_message((enum msg_kind)id) == NULL) {
        return wrong(self, NULL, "has an unknown id");
    }
    *shape = proto_message((enum msg_kind)id);
    out->kind = (enum msg_kind)id;
    memset(&out->as, 0, (*shape)->bytes);
    if (!wire_get_uint(&self->in, &out->as.seq)) {
        return wrong(self, NULL, "has no seq");
    }
    if (!get_fields(self, *shape, count - HEAD_VALUES, (uint8_t *)&out->as)) {
        return false;
    }
    return cursor_left(&self->in) == 0 || wrong(self, NULL, "goes on after its end");
}

/*  "SUBMIT calls[3] args is too long" */
static void explain(const struct reader *self, const struct shape *shape, struct diag *why)
{
    *why = (struct diag){ .field = self->field != NULL ? self->field->name : NULL };
    char *text = why->text;
    size_t n = (size_t)snprintf(text, sizeof(why->text), "%.32s",
                                shape != NULL ? shape->name : "the frame");
    if (self->list != NULL) {
        n += (size_t)snprintf(text + n, sizeof(why->text) - n, " %.32s[%u]", self->list->name,
                              (unsigned)self->element);
    }
    if (self->field != NULL && self->field != self->list) {
        n += (size_t)snprintf(text + n, sizeof(why->text) - n, " %.32s", self->field->name);
    }
    snprintf(text + n, sizeof(why->text) - n, " %s", self->problem);
}

int proto_decode(struct slice frame, struct msg *out, struct diag *why)
{
    struct reader reader = { .in = cursor_of(frame) };
    const struct shape *shape = NULL;
    if (get_frame(&reader, &shape, out)) {
        return OK;
    }
    out->kind = MSG_NONE;
    if (why != NULL) {
        explain(&reader, shape, why);
    }
    return ERR_FRAME;
}

enum msg_kind proto_kind(struct slice frame)
{
    struct cursor in = cursor_of(frame);
    uint32_t count;
    uint64_t id;
    bool known = wire_get_array(&in, &count) && wire_get_uint(&in, &id) && id < MSG_KINDS &&
                 proto_message((enum msg_kind)id) != NULL;
    return known ? (enum msg_kind)id : MSG_NONE;
}

bool proto_next(struct list *list, enum record_kind kind, void *out)
{
    if (list->count == 0) {
        return false;
    }
    const struct shape *shape = proto_record(kind);
    struct reader reader = { .in = cursor_of(list->bytes) };
    memset(out, 0, shape->bytes);
    ensure(get_record(&reader, shape, out)); /* proto_decode() has checked it */
    list->count--;
    list->bytes = slice_of(reader.in.p, cursor_left(&reader.in));
    return true;
}

static bool same_fields(const struct shape *shape, const uint8_t *a, const uint8_t *b);

static bool same_list(enum record_kind kind, struct list a, struct list b)
{
    union any_record first, second;
    if (a.count != b.count) {
        return false;
    }
    while (proto_next(&a, kind, &first) && proto_next(&b, kind, &second)) {
        if (!same_fields(proto_record(kind), (uint8_t *)&first, (uint8_t *)&second)) {
            return false;
        }
    }
    return true;
}

static bool same_fields(const struct shape *shape, const uint8_t *a, const uint8_t *b)
{
    for (const struct field *field = shape->fields; field->name != NULL; field++) {
        const void *x = a + field->offset;
        const void *y = b + field->offset;
        bool same = false;
        switch (field->type) {
        case TYPE_U32:
        case TYPE_I32:
            same = memcmp(x, y, sizeof(uint32_t)) == 0;
            break;
        case TYPE_U64:
        case TYPE_I64:
        case TYPE_F64:
            same = memcmp(x, y, sizeof(uint64_t)) == 0;
            break;
        case TYPE_STR:
        case TYPE_BIN:
            same = slice_same(*(const struct slice *)x, *(const struct slice *)y);
            break;
        case TYPE_LIST:
            same = same_list(field->record, *(const struct list *)x, *(const struct list *)y);
            break;
        }
        if (!same) {
            return false;
        }
    }
    return true;
}

bool proto_same(const struct msg *a, const struct msg *b)
{
    const struct shape *shape = proto_message(a->kind);
    return a->kind == b->kind && shape != NULL && a->as.seq == b->as.seq &&
           same_fields(shape, (const uint8_t *)&a->as, (const uint8_t *)&b->as);
}

struct printer {
    char *text;
    size_t n;
    size_t capacity; /* without the NUL */
};

__attribute__((format(printf, 2, 3))) static void print(struct printer *to, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    int n = vsnprintf(to->text + to->n, to->capacity - to->n + 1, format, arguments);
    va_end(arguments);
    ensure(n >= 0);
    size_t room = to->capacity - to->n;
    to->n += (size_t)n < room ? (size_t)n : room;
}

/*  In quotes, and so that it stays one line; the beginning is enough for a person. */
static void print_text(struct printer *to, struct slice text)
{
    enum { SHOWN_MAX = 80 };
    print(to, "\"");
    for (size_t i = 0; i < text.n && i < SHOWN_MAX; i++) {
        uint8_t c = text.p[i];
        bool plain = c >= 0x20 && c != 0x7F && c != '"' && c != '\\';
        print(to, plain ? "%c" : "\\x%02x", c);
    }
    print(to, text.n > SHOWN_MAX ? "\"..." : "\"");
}

static void print_field(struct printer *to, const struct field *field, const void *from)
{
    print(to, " %s=", field->name);
    switch (field->type) {
    case TYPE_U32:
        print(to, "%" PRIu32, *(const uint32_t *)from);
        break;
    case TYPE_U64:
        print(to, "%" PRIu64, *(const uint64_t *)from);
        break;
    case TYPE_I32:
        print(to, "%" PRId32, *(const int32_t *)from);
        break;
    case TYPE_I64:
        print(to, "%" PRId64, *(const int64_t *)from);
        break;
    case TYPE_F64:
        print(to, "%.17g", *(const double *)from);
        break;
    case TYPE_STR:
        print_text(to, *(const struct slice *)from);
        break;
    case TYPE_BIN:
        print(to, "<%zu>", ((const struct slice *)from)->n);
        break;
    case TYPE_LIST:
        print(to, "[%" PRIu32 "]", ((const struct list *)from)->count);
        break;
    }
}

const char *proto_print(const struct msg *msg, char *text, size_t capacity)
{
    ensure(capacity > 0);
    text[0] = 0;
    struct printer to = { text, 0, capacity - 1 };
    print(&to, "%s", proto_name(msg->kind));
    const struct shape *shape = proto_message(msg->kind);
    if (shape != NULL) {
        print(&to, " seq=%" PRIu64, msg->as.seq);
        for (const struct field *field = shape->fields; field->name != NULL; field++) {
            print_field(&to, field, (const uint8_t *)&msg->as + field->offset);
        }
    }
    return text;
}
