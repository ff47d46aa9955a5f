/*  explain.c - EXPLAINED in sentences. */
#include "client/cli/explain.h"

#include <inttypes.h>
#include <stdio.h>
#include "client/cli/cli.h"
#include "proto/explained.h"

static void print_reason(const struct rec_reason *reason, uint32_t why)
{
    char name[NAME_MAX_BYTES * 4 + 1], resource[RESOURCE_NAME_MAX * 4 + 1];
    text_clean(reason->node_name, name, sizeof(name));
    text_clean(reason->resource, resource, sizeof(resource));
    if (why == WHY_RUNNING || why == WHY_LEASED) {
        printf("  node %llu (%s)\n", (unsigned long long)reason->node, name);
    } else if (reason->draining) {
        printf("  node %llu (%s): is being drained: rayc node undrain %llu\n",
               (unsigned long long)reason->node, name, (unsigned long long)reason->node);
    } else if (!resource[0]) {
        printf("  node %llu (%s): has room for it now\n", (unsigned long long)reason->node, name);
    } else {
        printf("  node %llu (%s): needs %s %.10g, has %.10g of %.10g free%s\n",
               (unsigned long long)reason->node, name, resource,
               reason_amount(reason, reason->needed), reason_amount(reason, reason->available),
               reason_amount(reason, reason->total),
               reason->needed > reason->total ? " (too small)" : "");
    }
}

void explain_print(const struct msg_explained *told)
{
    printf("task %016" PRIx64 ": %s\n", told->task,
           told->why == WHY_ENDED ? "ended" : task_state_name(told->state));
    printf("%s\n", why_text(told->why));
    if (told->why == WHY_DEPENDENCY && told->other) {
        printf("  it waits for task %016" PRIx64 ": rayc task explain %016" PRIx64 "\n",
               told->other, told->other);
    } else if (told->why == WHY_AFTER) {
        printf("  job %08" PRIx64 ": rayc job get %08" PRIx64 "\n", told->other, told->other);
    } else if (told->why == WHY_BACKOFF) {
        printf("  in %.1f s\n", (double)told->wait_ms / 1000);
    } else if (told->why == WHY_QUEUE) {
        printf("  %llu tasks come before it in its queue\n", (unsigned long long)told->other);
    } else if (told->why == WHY_ACTOR) {
        printf("  actor %016" PRIx64 ": rayc actor get %016" PRIx64 "\n", told->other, told->other);
    } else if (told->why == WHY_LANE && told->other) {
        printf("  call %016" PRIx64 ": rayc task explain %016" PRIx64 "\n", told->other,
               told->other);
    } else if (told->why == WHY_SETTLING) {
        printf("  %llu calls\n", (unsigned long long)told->other);
    }
    struct list nodes = told->nodes;
    struct rec_reason reason;
    while (next_reason(&nodes, &reason)) {
        print_reason(&reason, told->why);
    }
}
