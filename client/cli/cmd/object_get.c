/*  object_get.c - `rayc object get OBJECT`: the object, and which nodes have a copy now, which only the head's memory
    knows. */
#include "client/cli/connect.h"
#include "client/cli/query.h"
#include "client/cli/table.h"
#include "proto/explained.h"
#include "proto/wire.h"

static const struct column columns[] = {
    { "NODE", "node_id", cell_text, COLUMN_RIGHT },
    { "COPY", "copy", cell_text, COLUMN_STATE },
};

static int add_places(struct cli *self, json_t *row)
{
    uint8_t bytes[32];
    struct wire wire = { bytes, 0, sizeof(bytes), false };
    struct rec_object object;
    if (!object_of_row(row, &object)) {
        return fail(self, ERR_FRAME, "the head does not say which object this is");
    }
    proto_put_record(&wire, REC_OBJECT, &object);
    struct msg_where where = { .objects = wire_list(&wire, 1) };
    struct msg reply;
    int rc = ask(self->ask, MSG_WHERE, &where, MSG_PLACES, &reply);
    if (rc != OK) {
        return fail_ask(self, rc);
    }
    object_add_places(row, &reply.as.places);
    return 0;
}

int cmd_object_get(struct cli *self)
{
    int exit_code = 0;
    const char *id = cli_operand(self, "object", &exit_code);
    exit_code = exit_code ? exit_code : cli_connect(self, CONNECT_READ);
    json_t *object = exit_code ? NULL : query_row(self, "object", id, &exit_code);
    exit_code = object ? add_places(self, object) : exit_code;
    if (exit_code == 0 && cli_json(self)) {
        json_print_one("Object", object);
    } else if (exit_code == 0) {
        record_print(self, object, "index created_ms nodes");
        if (json_array_size(json_object_get(object, "nodes"))) {
            putchar('\n');
            table_print(self, columns, COUNT(columns), json_object_get(object, "nodes"));
        }
    }
    json_decref(object);
    return exit_code;
}
