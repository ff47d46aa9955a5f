/*  task_explain.c - `rayc task explain TASK`: why it is not running, in sentences. */
#include <inttypes.h>
#include "client/cli/connect.h"
#include "client/cli/query.h"
#include "client/cli/table.h"

/*  How each enum why is told; the words are also those of -o json. */
static const struct {
    const char *word, *sentence;
} reasons[] = {
    [WHY_ENDED] = { "ENDED", "It has ended." },
    [WHY_RUNNING] = { "RUNNING", "It is running." },
    [WHY_LEASED] = { "LEASED", "A worker has it and will start it soon." },
    [WHY_DEPENDENCY] = { "DEPENDENCY", "An argument is not there yet." },
    [WHY_BACKOFF] = { "BACKOFF", "It failed, and waits for its next try." },
    [WHY_NO_NODES] = { "NO_NODES",
                       "There is no worker: start one with 'rayc start --address HOST:PORT'." },
    [WHY_INFEASIBLE] = { "INFEASIBLE", "No node is large enough, even when idle." },
    [WHY_RESOURCES] = { "RESOURCES", "All nodes that are large enough are full." },
    [WHY_QUEUE] = { "QUEUE", "Other tasks come before it." },
};

static double amount(const struct rec_reason *reason, uint64_t units)
{
    bool memory = slice_same(reason->resource, slice_text("memory"));
    return memory ? (double)units : (double)units / UNITS_PER_ONE;
}

static void print_reason(const struct rec_reason *reason, uint32_t why)
{
    char name[NAME_MAX_BYTES * 4 + 1], resource[RESOURCE_NAME_MAX * 4 + 1];
    text_clean(reason->node_name, name, sizeof(name));
    text_clean(reason->resource, resource, sizeof(resource));
    if (why == WHY_RUNNING || why == WHY_LEASED) {
        printf("  node %llu (%s)\n", (unsigned long long)reason->node, name);
    } else if (!resource[0]) {
        printf("  node %llu (%s): has room for it now\n", (unsigned long long)reason->node, name);
    } else {
        printf("  node %llu (%s): needs %s %.10g, has %.10g of %.10g free%s\n",
               (unsigned long long)reason->node, name, resource, amount(reason, reason->needed),
               amount(reason, reason->available), amount(reason, reason->total),
               reason->needed > reason->total ? " (too small)" : "");
    }
}

static void print_sentences(const struct msg_explained *told)
{
    printf("task %016" PRIx64 ": %s\n", told->task,
           told->why == WHY_ENDED ? "ended" : task_state_name(told->state));
    printf("%s\n", told->why < COUNT(reasons) && reasons[told->why].sentence
                       ? reasons[told->why].sentence
                       : "The reason is not known to this rayc.");
    if (told->why == WHY_DEPENDENCY && told->other) {
        printf("  it waits for task %016" PRIx64 ": rayc task explain %016" PRIx64 "\n",
               told->other, told->other);
    } else if (told->why == WHY_BACKOFF) {
        printf("  in %.1f s\n", (double)told->wait_ms / 1000);
    } else if (told->why == WHY_QUEUE) {
        printf("  %llu tasks come before it in its queue\n", (unsigned long long)told->other);
    }
    struct list nodes = told->nodes;
    struct rec_reason reason;
    while (next_reason(&nodes, &reason)) {
        print_reason(&reason, told->why);
    }
}

static json_t *reason_json(const struct rec_reason *reason)
{
    return json_pack("{s:I, s:s%, s:s%, s:f, s:f, s:f}", "node_id", (json_int_t)reason->node,
                     "name", reason->node_name.p ? (const char *)reason->node_name.p : "",
                     reason->node_name.n, "resource",
                     reason->resource.p ? (const char *)reason->resource.p : "", reason->resource.n,
                     "needed", amount(reason, reason->needed), "available",
                     amount(reason, reason->available), "total", amount(reason, reason->total));
}

static void print_json(const struct msg_explained *told)
{
    json_t *list = json_array();
    struct list nodes = told->nodes;
    struct rec_reason reason;
    while (next_reason(&nodes, &reason)) {
        json_array_append_new(list, reason_json(&reason));
    }
    const char *why =
        told->why < COUNT(reasons) && reasons[told->why].word ? reasons[told->why].word : "UNKNOWN";
    json_t *object = json_pack(
        "{s:s, s:s, s:o, s:s, s:s, s:I, s:o}", "apiVersion", "rayc/v1", "kind", "TaskExplain",
        "task_id", json_sprintf("%016" PRIx64, told->task), "state", task_state_name(told->state),
        "why", why, "wait_ms", (json_int_t)told->wait_ms, "nodes", list);
    bool task = told->why == WHY_DEPENDENCY;
    json_object_set_new(object, task ? "waits_for" : "ahead",
                        task ? json_sprintf("%016" PRIx64, told->other)
                             : json_integer((json_int_t)told->other));
    json_print(object);
    json_decref(object);
}

int cmd_task_explain(struct cli *self)
{
    int exit_code = 0;
    const char *id = cli_operand(self, "task", &exit_code);
    exit_code = exit_code ? exit_code : cli_connect(self, CONNECT_READ);
    uint64_t task = exit_code ? 0 : query_number(self, "task", id, &exit_code);
    if (exit_code) {
        return exit_code;
    }
    struct msg_explain explain = { .task = task };
    struct msg reply;
    int rc = ask(self->ask, MSG_EXPLAIN, &explain, MSG_EXPLAINED, &reply);
    if (rc != OK) {
        return fail_ask(self, rc);
    }
    if (cli_json(self)) {
        print_json(&reply.as.explained);
    } else {
        print_sentences(&reply.as.explained);
    }
    return 0;
}
