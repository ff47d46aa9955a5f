/*  stop.c - `rayc stop [--force]`: the worker first, so that it can say good-bye to its head. */
#include <jansson.h>
#include "client/cli/daemon.h"
#include "client/cli/table.h"

int cmd_stop(struct cli *self)
{
    int exit_code = cli_no_operands(self);
    bool worker = false, head = false;
    exit_code =
        exit_code ? exit_code : daemon_stop(self, DAEMON_WORKER, self->options.force, &worker);
    int head_code =
        exit_code == EXIT_USAGE ? 0 : daemon_stop(self, DAEMON_HEAD, self->options.force, &head);
    exit_code = exit_code ? exit_code : head_code;
    if (exit_code) {
        return exit_code;
    }
    if (cli_json(self)) {
        json_t *object = json_pack("{s:s, s:s, s:b, s:b}", "apiVersion", "rayc/v1", "kind", "Stop",
                                   "worker", worker, "head", head);
        json_print(object);
        json_decref(object);
    } else if (worker || head) {
        printf("stopped %s%s%s\n", worker ? "the worker" : "", worker && head ? " and " : "",
               head ? "the head" : "");
    } else {
        note(self, "nothing to stop in %s", self->state_dir);
    }
    return 0;
}
