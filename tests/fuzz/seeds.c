/*  seeds.c - writes frames to begin fuzzing with: of every message one that is empty and one that
    has something in every field and list.  Usage: fuzz_seeds FOLDER */
#include <stdio.h>
#include "common/file.h"
#include "proto/proto.h"

enum { LIST_BYTES = 16 * 1024, LISTS_MAX = 64 };

static uint8_t lists[LISTS_MAX][LIST_BYTES]; /* of one message */
static unsigned list_count;

static void fill(const struct shape *shape, uint8_t *out);

/*  A list of one element with all its fields, and one that is all zero. */
static struct list make_list(const struct field *field)
{
    uint64_t full[64], zero[64] = { 0 };
    const struct shape *shape = proto_record(field->record);
    ensure(shape->bytes <= sizeof(full));
    fill(shape, (uint8_t *)full);
    ensure(list_count < LISTS_MAX);
    struct wire wire = { lists[list_count++], 0, LIST_BYTES, false };
    proto_put_record(&wire, field->record, full);
    uint32_t count = 1;
    if (field->bound > 1) {
        proto_put_record(&wire, field->record, zero);
        count++;
    }
    ensure(!wire.full);
    return wire_list(&wire, count);
}

static void fill_field(const struct field *field, uint8_t *to)
{
    const struct slice text = { (const uint8_t *)"text", 4 };
    const uint64_t number = field->bound != 0 && field->bound < 1000 ? field->bound : 1000;
    switch (field->type) {
    case TYPE_U32:
    case TYPE_I32:
        memcpy(to, &(uint32_t){ (uint32_t)number }, sizeof(uint32_t));
        break;
    case TYPE_U64:
    case TYPE_I64:
        memcpy(to, &number, sizeof(number));
        break;
    case TYPE_STR:
    case TYPE_BIN:
        memcpy(to, &text, sizeof(text));
        break;
    case TYPE_LIST:
        memcpy(to, &(struct list[]){ make_list(field) }, sizeof(struct list));
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

static int write_seed(const char *folder, const struct msg *msg, const char *which)
{
    static uint8_t space[LIST_BYTES * 4];
    char path[PATH_BYTES], name[64];
    struct wire wire = { space, 0, sizeof(space), false };
    proto_put(&wire, msg->kind, &msg->as);
    ensure(!wire.full);
    snprintf(name, sizeof(name), "%s-%s", proto_name(msg->kind), which);
    int rc = file_path(path, sizeof(path), folder, name);
    return rc == OK ? file_write(path, wire.p, wire.n, 0644) : rc;
}

int main(int argc, char **argv)
{
    if (argc != 2 || file_make_dir(argv[1], 0755) != OK) {
        fprintf(stderr, "usage: fuzz_seeds FOLDER\n");
        return 2;
    }
    for (unsigned kind = 0; kind < MSG_KINDS; kind++) {
        const struct shape *shape = proto_message((enum msg_kind)kind);
        if (shape == NULL) {
            continue;
        }
        list_count = 0;
        struct msg msg = { .kind = (enum msg_kind)kind };
        int rc = write_seed(argv[1], &msg, "empty");
        fill(shape, (uint8_t *)&msg.as);
        msg.as.seq = 1;
        if (rc != OK || write_seed(argv[1], &msg, "full") != OK) {
            return 1;
        }
    }
    return 0;
}
