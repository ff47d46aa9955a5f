/*  decode.c - libFuzzer: any bytes as a frame.  What decodes is walked to the last element of the
    last list, printed, written again from its parts, and must come back the same. */
#include <stdlib.h>
#include "proto/proto.h"

/*  How much longer a frame may get when it is written again: fields that were missing are zeros. */
enum { GROWTH_MAX = 64 };

union value {
    uint64_t seq;
    uint8_t bytes[512];
};

static void touch(struct slice bytes)
{
    static volatile uint8_t sink;
    if (bytes.n > 0) {
        sink = bytes.p[0] ^ bytes.p[bytes.n - 1]; /* so that a slice outside the frame is seen */
    }
    (void)sink;
}

static struct list rebuild_list(const struct field *field, struct list list);

/*  Copies the value with lists that are written again, element by element. */
static void rebuild(const struct shape *shape, const uint8_t *from, uint8_t *to)
{
    memcpy(to, from, shape->bytes);
    for (const struct field *field = shape->fields; field->name != NULL; field++) {
        const void *value = from + field->offset;
        if (field->type == TYPE_STR || field->type == TYPE_BIN) {
            touch(*(const struct slice *)value);
        } else if (field->type == TYPE_LIST) {
            struct list list = rebuild_list(field, *(const struct list *)value);
            memcpy(to + field->offset, &list, sizeof(list));
        }
    }
}

/*  Lists of one message, and those inside their elements; freed when the message is done. */
static void *blocks[1 << 16];
static size_t block_count;

static struct wire new_wire(size_t capacity)
{
    ensure(block_count < COUNT(blocks));
    uint8_t *p = malloc(capacity > 0 ? capacity : 1);
    ensure(p != NULL);
    blocks[block_count++] = p;
    return (struct wire){ p, 0, capacity, false };
}

static struct list rebuild_list(const struct field *field, struct list list)
{
    const struct shape *shape = proto_record(field->record);
    const size_t fixed =
        16 * (size_t)shape->field_count + 16; /* of an element whose fields are missing */
    struct wire wire = new_wire(4 * list.bytes.n + fixed * list.count);
    uint32_t count = 0;
    union value element, again;
    while (proto_next(&list, field->record, &element)) {
        rebuild(shape, element.bytes, again.bytes);
        proto_put_record(&wire, field->record, &again);
        count++;
    }
    ensure(list.bytes.n == 0 && !wire.full);
    return wire_list(&wire, count);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct msg msg, again;
    struct diag why = { 0 };
    if (proto_decode(slice_of(data, size), &msg, &why) != OK) {
        ensure(why.text[0] != 0 && msg.kind == MSG_NONE);
        return 0;
    }
    char text[300];
    proto_print(&msg, text, sizeof(text));
    proto_print(&msg, text, 1 + size % sizeof(text));

    const struct shape *shape = proto_message(msg.kind);
    struct msg copy = { .kind = msg.kind };
    rebuild(shape, (const uint8_t *)&msg.as, (uint8_t *)&copy.as);
    struct wire wire = new_wire(GROWTH_MAX * (size + 1));
    proto_put(&wire, copy.kind, &copy.as);
    ensure(!wire.full);
    if (wire.n <= FRAME_MAX) {
        ensure(proto_decode(slice_of(wire.p, wire.n), &again, &why) == OK);
        ensure(proto_same(&msg, &again));
    }
    while (block_count > 0) {
        free(blocks[--block_count]);
    }
    return 0;
}
