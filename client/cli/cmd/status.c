/*  status.c - `rayc status`: the head, the nodes, how many jobs and tasks. */
#include "client/cli/connect.h"
#include "client/cli/query.h"
#include "client/cli/table.h"
#include "proto/proto.h"

static const struct column node_columns[] = {
    { "NODE", "node_id", cell_text, COLUMN_RIGHT },
    { "NAME", "name", cell_text, COLUMN_SHRINKS },
    { "STATE", "state", cell_text, COLUMN_STATE },
    { "DRAIN", "drain", cell_text, 0 },
    { "RESOURCES", "resources_total", cell_amounts, COLUMN_SHRINKS },
    { "JOINED", "joined_ms", cell_time, 0 },
};

struct counts {
    long long jobs[JOB_STATES];
    long long tasks, finished, failed;
};

static long long field(const json_t *item, const char *key)
{
    return json_integer_value(json_object_get(item, key));
}

static struct counts count(const json_t *jobs)
{
    struct counts counts = { .tasks = 0 };
    size_t i;
    json_t *job;
    json_array_foreach(jobs, i, job)
    {
        const char *status = json_string_value(json_object_get(job, "status"));
        for (uint32_t state = 1; status && state < JOB_STATES; state++) {
            counts.jobs[state] += strcmp(status, job_state_name(state)) == 0;
        }
        counts.tasks += field(job, "total");
        counts.finished += field(job, "finished");
        counts.failed += field(job, "failed");
    }
    return counts;
}

static void print_json(const struct cli *self, json_t *nodes, const struct counts *counts)
{
    json_t *jobs = json_object();
    for (uint32_t state = 1; state < JOB_STATES; state++) {
        json_object_set_new(jobs, job_state_name(state), json_integer(counts->jobs[state]));
    }
    json_t *object =
        json_pack("{s:s, s:s, s:{s:s, s:s, s:b}, s:O, s:o, s:{s:I, s:I, s:I, s:I}}", "apiVersion",
                  "rayc/v1", "kind", "Status", "head", "address", ask_address(self->ask), "version",
                  ask_version(self->ask), "embedded", ask_embedded(self->ask), "nodes", nodes,
                  "jobs", jobs, "tasks", "total", (json_int_t)counts->tasks, "unfinished",
                  (json_int_t)(counts->tasks - counts->finished - counts->failed), "finished",
                  (json_int_t)counts->finished, "failed", (json_int_t)counts->failed);
    json_print(object);
    json_decref(object);
}

static void print_text(const struct cli *self, const json_t *nodes, const struct counts *counts)
{
    printf("head   %s, rayc %s%s\n", ask_address(self->ask), ask_version(self->ask),
           ask_embedded(self->ask) ? ", embedded: ends when nothing is left to do" : "");
    printf("jobs  ");
    for (uint32_t state = 1; state < JOB_STATES; state++) {
        printf(" %lld %s%s", counts->jobs[state], job_state_name(state),
               state + 1 < JOB_STATES ? "," : "\n");
    }
    printf("tasks  %lld unfinished, %lld finished, %lld failed\n\n",
           counts->tasks - counts->finished - counts->failed, counts->finished, counts->failed);
    if (json_array_size(nodes)) {
        table_print(self, node_columns, COUNT(node_columns), nodes);
    } else {
        note(self, "no nodes: start a worker with 'rayc start --address %s'",
             ask_address(self->ask));
    }
}

int cmd_status(struct cli *self)
{
    int exit_code = cli_no_operands(self);
    exit_code = exit_code ? exit_code : cli_connect(self, CONNECT_RUNNING);
    if (exit_code) {
        return exit_code;
    }
    static const char *const alive = "state!=DEAD";
    self->options.limit = 0;
    if (self->options.filter.count == 0) {
        self->options.filter.texts[self->options.filter.count++] = alive;
    }
    json_t *nodes = query_rows(self, "nodes", "NodeList", NULL, &exit_code);
    self->options.filter.count = 0;
    json_t *jobs = nodes ? query_rows(self, "jobs", "JobList", NULL, &exit_code) : NULL;
    if (jobs) {
        struct counts counts = count(json_object_get(jobs, "items"));
        if (cli_json(self)) {
            print_json(self, json_object_get(nodes, "items"), &counts);
        } else {
            print_text(self, json_object_get(nodes, "items"), &counts);
        }
    }
    json_decref(jobs);
    json_decref(nodes);
    return exit_code;
}
