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

/*  Does --filter K=V, or K!=V, hold of it?  Below 0: there is no K. */
static int holds(const struct cli *cli, const json_t *item, const char *filter)
{
    char key[64], cell[CELL_BYTES];
    size_t n = strcspn(filter, "!=");
    bool differs = filter[n] == '!';
    (void)slice_copy_text(slice_of(filter, n), key, sizeof(key));
    if (!json_object_get(item, key) || filter[n + differs] != '=') {
        return fail_usage(cli,
                          "--filter: '%s' is not K=V or K!=V with a field of a trial (-o json)",
                          filter)
                   ? -1
                   : 0;
    }
    cell_text(cli, item, key, cell);
    return (strcmp(cell, filter + n + differs + 1) == 0) != differs;
}

/*  NULL: a filter is wrong. */
static json_t *items_of(const struct cli *cli, const struct study_rows *rows)
{
    json_t *items = json_array();
    uint32_t most = cli->options.limit == OPTION_UNSET || cli->options.limit == 0
                        ? UINT32_MAX
                        : (uint32_t)cli->options.limit;
    for (uint32_t i = 0; i < rows->trial_count && json_array_size(items) < most; i++) {
        json_t *item = result_trial_json(&rows->trials[i]);
        int good = 1;
        for (uint32_t k = 0; good > 0 && k < cli->options.filter.count; k++) {
            good = holds(cli, item, cli->options.filter.texts[k]);
        }
        if (good > 0) {
            json_array_append(items, item);
        }
        json_decref(item);
        if (good < 0) {
            json_decref(items);
            return NULL;
        }
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
        json_t *result = result_json(&rows), *items = items_of(self, &rows);
        exit_code = items ? 0 : EXIT_USAGE;
        if (items) {
            json_object_set(result, "trials", items);
            json_print(result);
        }
        json_decref(items);
        json_decref(result);
    } else if (exit_code == 0 && !self->options.csv) {
        json_t *items = items_of(self, &rows);
        exit_code = items ? 0 : EXIT_USAGE;
        if (items) {
            table_print(self, columns, COUNT(columns), items);
        }
        json_decref(items);
    }
    study_rows_free(&rows);
    return exit_code;
}
