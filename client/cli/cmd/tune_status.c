/*  tune_status.c - `rayc tune status STUDY`. */
#include "client/cli/connect.h"
#include "client/cli/query.h"
#include "client/cli/table.h"

int cmd_tune_status(struct cli *self)
{
    int exit_code = 0;
    const char *id = cli_operand(self, "study", &exit_code);
    exit_code = exit_code ? exit_code : cli_connect(self, CONNECT_READ);
    if (exit_code) {
        return exit_code;
    }
    json_t *study = query_row(self, "study", id, &exit_code);
    if (!study) {
        return exit_code;
    }
    if (cli_json(self)) {
        json_print_one("Study", study);
    } else {
        record_print(self, study,
                     "created_ms ended_ms study_id session_id stopping settings definition");
    }
    json_decref(study);
    return 0;
}
