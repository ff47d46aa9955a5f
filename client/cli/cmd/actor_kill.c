/*  actor_kill.c - `rayc actor kill [--restart] ACTOR`. */
#include <inttypes.h>
#include "client/cli/connect.h"
#include "client/cli/query.h"
#include "client/cli/table.h"

int cmd_actor_kill(struct cli *self)
{
    int exit_code = 0;
    const char *id = cli_operand(self, "actor", &exit_code);
    exit_code = exit_code ? exit_code : cli_connect(self, CONNECT_READ);
    uint64_t actor = exit_code ? 0 : query_number(self, "actor", id, &exit_code);
    if (exit_code) {
        return exit_code;
    }
    struct msg_actor_kill kill = { .actor = actor, .restart = self->options.restart };
    struct msg reply;
    int rc = ask(self->ask, MSG_ACTOR_KILL, &kill, MSG_CHANGED, &reply);
    if (rc != OK) {
        return fail_ask(self, rc);
    }
    if (cli_json(self)) {
        json_t *object =
            json_pack("{s:s, s:s, s:o, s:b}", "apiVersion", "rayc/v1", "kind", "ActorKill",
                      "actor_id", json_sprintf("%016" PRIx64, actor), "restart", (int)kill.restart);
        json_print(object);
        json_decref(object);
    } else {
        printf("actor %016" PRIx64 " is killed%s\n", actor,
               kill.restart ? "; it starts again while its max_restarts allow" : "");
    }
    return 0;
}
