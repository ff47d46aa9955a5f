/*  timeline.c - `rayc timeline [--job JOB] [--out FILE]`: which attempt ran where and when, for chrome://tracing or
    ui.perfetto.dev. */
#include <errno.h>
#include <unistd.h>
#include "client/cli/query.h"
#include "client/cli/timeline.h"
#include "common/clock.h"

static int write_trace(const struct cli *self, const json_t *trace)
{
    const char *path = self->options.out_file;
    FILE *file = path ? fopen(path, "we") : stdout;
    if (!file) {
        return fail(self, ERR_INVALID, "--out: cannot write %s: %s", path, strerror(errno));
    }
    bool failed = json_dumpf(trace, file, JSON_COMPACT) != 0 || fputc('\n', file) == EOF;
    failed = (path ? fclose(file) : fflush(file)) != 0 || failed;
    return failed ? fail(self, ERR_INVALID, "--out: cannot write %s: %s", path ? path : "stdout",
                         strerror(errno))
                  : 0;
}

static int read_rows(struct cli *self, const char *job, struct timeline *timeline)
{
    int exit_code = query_each(self, "nodes", "", timeline_node, timeline);
    exit_code = exit_code ? exit_code : query_each(self, "tasks", job, timeline_task, timeline);
    return exit_code ? exit_code : query_each(self, "attempts", job, timeline_attempt, timeline);
}

int cmd_timeline(struct cli *self)
{
    char job[NAME_MAX_BYTES + 1];
    int exit_code = cli_no_operands(self);
    exit_code = exit_code ? exit_code : query_open(self, job);
    if (exit_code) {
        return exit_code;
    }
    struct timeline timeline;
    timeline_init(&timeline, clock_wall_ms());
    exit_code = read_rows(self, job, &timeline);
    if (exit_code == 0) {
        json_t *trace = timeline_json(&timeline);
        exit_code = write_trace(self, trace);
        json_decref(trace);
        if (exit_code == 0 && self->options.out_file) {
            note(self, "%s: %zu attempts; open it at https://ui.perfetto.dev or chrome://tracing",
                 self->options.out_file, timeline.count);
        }
    }
    timeline_fini(&timeline);
    return exit_code;
}
