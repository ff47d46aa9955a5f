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
    case TYPE_F64:
        memcpy(to, &(double){ 0.5 }, sizeof(double));
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

/*  Appends a frame as step.c reads them: its length, its peer (from 1), the frame. */
static void tell(struct wire *story, uint8_t peer, enum msg_kind kind, const void *value)
{
    uint8_t *head = story->p + story->n;
    story->n += 3;
    size_t from = story->n;
    proto_put(story, kind, value);
    ensure(!story->full);
    size_t n = story->n - from;
    head[0] = (uint8_t)n;
    head[1] = (uint8_t)(n >> 8);
    head[2] = (uint8_t)(peer - 1);
}

/*  A job, a node, a task and its end: so that step.c begins with more than refusals. */
static int write_story(const char *folder)
{
    static uint8_t space[LIST_BYTES], elements[1024];
    struct wire story = { space, 0, sizeof(space), false };
    struct wire list = { elements, 0, sizeof(elements), false };
    char path[PATH_BYTES];
    proto_put_record(&list, REC_AMOUNT, &(struct rec_amount){ slice_text("CPU"), UNITS_PER_ONE });
    struct list amounts = wire_list(&list, 1);
    size_t from = list.n;
    proto_put_record(&list, REC_SPEC,
                     &(struct rec_spec){ .index = 1,
                                         .kind = SPEC_FUNCTION,
                                         .name = slice_text("f"),
                                         .demand = amounts,
                                         .max_retries = 3,
                                         .backoff_ms = 1 });
    struct list specs = { slice_of(list.p + from, list.n - from), 1 };
    from = list.n;
    proto_put_record(&list, REC_CALL, &(struct rec_call){ .spec = 1, .args = slice_text("a") });
    struct list calls = { slice_of(list.p + from, list.n - from), 1 };
    from = list.n;
    proto_put_record(&list, REC_DONE,
                     &(struct rec_done){ .task = task_id_of(1, 1).v, .token = token_of(1, 1).v });
    struct list done = { slice_of(list.p + from, list.n - from), 1 };
    tell(&story, 1, MSG_JOB_OPEN,
         &(struct msg_job_open){
             .submission = slice_text("a"), .kind = JOB_ATTACHED, .durability = DURABLE_PROCESS });
    tell(&story, 3, MSG_NODE_JOIN,
         &(struct msg_node_join){
             .key = slice_text("k"), .name = slice_text("n"), .capacity = amounts });
    tell(&story, 1, MSG_SUBMIT,
         &(struct msg_submit){ .session = 1, .first = 1, .specs = specs, .calls = calls });
    tell(&story, 3, MSG_INVENTORY, &(struct msg_inventory){ .seq = 1, .node = 1, .last = 1 });
    tell(&story, 2, MSG_WATCH, &(struct msg_watch){ .job = 1 });
    tell(&story, 3, MSG_DONE, &(struct msg_done){ .seq = 1, .node = 1, .done = done });
    tell(&story, 1, MSG_BYE, &(struct msg_bye){ .session = 1 });
    int rc = file_path(path, sizeof(path), folder, "story");
    return rc == OK ? file_write(path, story.p, story.n, 0644) : rc;
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
    return write_story(argv[1]) == OK ? 0 : 1;
}
