/*  version.c - `rayc version`, which needs no cluster. */
#include <jansson.h>
#include "client/cli/cli.h"
#include "client/cli/table.h"
#include "proto/proto.h"

int cmd_version(struct cli *self)
{
    int exit_code = cli_no_operands(self);
    if (exit_code) {
        return exit_code;
    }
    if (cli_json(self)) {
        json_t *object = json_pack("{s:s, s:s, s:s, s:s}", "apiVersion", "rayc/v1", "kind",
                                   "Version", "version", RAYC_VERSION, "protocol", "");
        json_object_set_new(object, "protocol", json_sprintf("%d.%d", PROTO_MAJOR, PROTO_MINOR));
        json_print(object);
        json_decref(object);
    } else {
        printf("rayc %s (protocol %d.%d)\n", RAYC_VERSION, PROTO_MAJOR, PROTO_MINOR);
    }
    return 0;
}
