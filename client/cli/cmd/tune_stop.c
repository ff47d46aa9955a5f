/*  tune_stop.c - `rayc tune stop STUDY`: no new trials; those that run are ended, what they reported stays. */
#include "client/cli/connect.h"
#include "client/cli/query.h"

int cmd_tune_stop(struct cli *self)
{
    int exit_code = 0;
    const char *id = cli_operand(self, "study", &exit_code);
    exit_code = exit_code ? exit_code : cli_connect(self, CONNECT_READ);
    json_t *study = exit_code ? NULL : query_row(self, "study", id, &exit_code);
    if (!study) {
        return exit_code;
    }
    const char *name = json_string_value(json_object_get(study, "name"));
    struct msg_study_stop request = { .name = slice_text(name) };
    struct msg reply;
    int rc = ask(self->ask, MSG_STUDY_STOP, &request, MSG_STUDY_STATE, &reply);
    if (rc != OK) {
        exit_code = fail_ask(self, rc);
    } else {
        note(self, "study %s: %s", name,
             reply.as.study_state.stopping ? "its driver was told to stop"
                                           : study_state_name(reply.as.study_state.state));
    }
    json_decref(study);
    return exit_code;
}
