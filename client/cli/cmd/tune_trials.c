/*  tune_trials.c - `rayc tune trials STUDY`: its trials, as a table, as JSON, or with --csv. */
#include "client/cli/table.h"
#include "client/cli/tune_result.h"

static const struct column columns[] = {
    { "TRIAL", "trial", cell_text, COLUMN_RIGHT },
    { "STATE", "state", cell_text, COLUMN_STATE },
    { "VALUE", "value", cell_text, COLUMN_RIGHT },
    { "STEP", "step", cell_text, COLUMN_RIGHT },
    { "RUNS", "runs", cell_text, COLUMN_RIGHT },
    { "TASK", "task_id", cell_text, 0 },
    { "PARAMS", "params", cell_text, COLUMN_SHRINKS },
    { "TEXT", "text", cell_text, COLUMN_SHRINKS },
};

static json_t *items_of(const struct study_rows *rows)
{
    json_t *items = json_array();
    for (uint32_t i = 0; i < rows->trial_count; i++) {
        json_array_append_new(items, result_trial_json(&rows->trials[i]));
    }
    return items;
}

int cmd_tune_trials(struct cli *self)
{
    struct study_rows rows;
    int exit_code = 0;
    const char *id = cli_operand(self, "study", &exit_code);
    exit_code = exit_code ? exit_code : tune_rows_read(self, id, false, &rows);
    if (exit_code) {
        return exit_code;
    }
    exit_code = tune_csv_write(self, &rows);
    if (exit_code == 0 && cli_json(self)) {
        json_t *result = result_json(&rows);
        json_print(result);
        json_decref(result);
    } else if (exit_code == 0 && !self->options.csv) {
        json_t *items = items_of(&rows);
        table_print(self, columns, COUNT(columns), items);
        json_decref(items);
    }
    study_rows_free(&rows);
    return exit_code;
}
