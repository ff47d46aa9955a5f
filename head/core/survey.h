/*  survey.h - how the core is doing, in numbers, for those who watch: /metrics.  It fills the caller's memory in time
    that grows with jobs, specs and nodes, never with tasks.

    Tasks are told apart by name, up to SURVEY_NAMES - 1 different ones since the head has started; all others share the
    last slot, "other". */
#ifndef RAYC_SURVEY_H
#define RAYC_SURVEY_H
#include "common/histogram.h"
#include "head/core/core.h"

enum {
    SURVEY_NAMES = 201,
    SURVEY_JOBS = 200, /* the newest; tasks of all others share a row per name */
    SURVEY_ROWS = 4096,
    SURVEY_NODES = 1024,
    SURVEY_KINDS = 32,
    SURVEY_RECENT_MS = 15 * 60 * 1000 /* an ended job is still told of for so long */
};

enum pending_why {
    PENDING_ARGS,
    PENDING_BACKOFF,
    PENDING_NO_NODE,
    PENDING_INFEASIBLE,
    PENDING_LIMIT,
    PENDING_RESOURCES,
    PENDING_WHYS
};

struct tally { /* tasks of one name, since the head has started; drivers apart */
    char name[NAME_MAX_BYTES + 1];
    uint64_t finished, failed;
    struct histogram ran, queued;
};

struct survey_row {           /* tasks of one job and name */
    uint32_t job, name;       /* indices; job SURVEY_JOBS: of all others */
    uint64_t in[TASK_STATES]; /* by state; those that ended: of specs that the core still has */
};

struct survey_node {
    uint64_t id, silent_ms;
    char name[NAME_MAX_BYTES + 1];
    uint64_t total[SURVEY_KINDS], free[SURVEY_KINDS];
};

struct survey {
    uint64_t wall_ms, epoch;
    uint32_t name_count, job_count, row_count, node_count, kind_count;
    struct tally names[SURVEY_NAMES];
    char jobs[SURVEY_JOBS + 1][NAME_MAX_BYTES + 1]; /* submission ids */
    struct survey_row rows[SURVEY_ROWS];
    struct survey_node nodes[SURVEY_NODES]; /* alive or suspect */
    char kinds[SURVEY_KINDS][RESOURCE_NAME_MAX + 1];
    uint64_t jobs_in[JOB_STATES];
    uint64_t retries[FAILURES];
    uint64_t pending[PENDING_WHYS];
    uint64_t oldest_ms;  /* age of the oldest task that is ready and waits; 0: none */
    uint64_t nodes_lost; /* since the head has started; those that ended in order apart */
};

void core_survey(const struct core *self, struct survey *out);
#endif
