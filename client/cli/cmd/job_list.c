/*  job_list.c - `rayc job list`. */
#include "client/cli/query.h"
#include "client/cli/table.h"

/*  "512/1000", with what failed. */
static void cell_tasks(const struct cli *cli, const json_t *item, const char *key,
                       char out[CELL_BYTES])
{
    (void)cli, (void)key;
    long long total = json_integer_value(json_object_get(item, "total"));
    long long finished = json_integer_value(json_object_get(item, "finished"));
    long long failed = json_integer_value(json_object_get(item, "failed"));
    int n = snprintf(out, CELL_BYTES, "%lld/%lld", finished + failed, total);
    if (failed) {
        snprintf(out + n, CELL_BYTES - (size_t)n, " (%lld failed)", failed);
    }
}

static const struct column columns[] = {
    { "JOB", "submission_id", cell_id, 0 },
    { "STATUS", "status", cell_text, COLUMN_STATE },
    { "TASKS", "total", cell_tasks, 0 },
    { "EXIT", "driver_exit_code", cell_text, COLUMN_RIGHT },
    { "CREATED", "created_ms", cell_time, 0 },
    { "RAN", "start_time", cell_duration, COLUMN_RIGHT },
    { "NAME", "name", cell_text, COLUMN_SHRINKS },
    { "ENTRYPOINT", "entrypoint", cell_text, COLUMN_SHRINKS },
};

int cmd_job_list(struct cli *self)
{
    return query_list(self, &(struct listing){ "jobs", "JobList", columns, COUNT(columns) });
}
