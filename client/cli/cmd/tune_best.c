/*  tune_best.c - `rayc tune best STUDY`: the best trial that has ended. */
#include "client/cli/table.h"
#include "client/cli/tune_result.h"

int cmd_tune_best(struct cli *self)
{
    struct study_rows rows;
    int exit_code = 0;
    const char *id = cli_operand(self, "study", &exit_code);
    exit_code = exit_code ? exit_code : tune_rows_read(self, id, false, &rows);
    if (exit_code) {
        return exit_code;
    }
    uint32_t best = rows_best(&rows);
    if (best == NONE) {
        exit_code =
            fail(self, ERR_NOT_FOUND, "no trial of study %s has ended with a value of %s yet",
                 rows.name, rows.spec->metric);
    } else {
        json_t *trial = result_trial_json(&rows.trials[best]);
        if (cli_json(self)) {
            json_print_one("Trial", trial);
        } else {
            record_print(self, trial, "created_ms ended_ms params lineage");
            puts("params");
            tune_params_print(&rows.trials[best]);
        }
        json_decref(trial);
    }
    study_rows_free(&rows);
    return exit_code;
}
