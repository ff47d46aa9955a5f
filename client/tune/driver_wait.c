/*  driver_wait.c - asks the head as `rayc task explain` does. */
#include "client/tune/driver_wait.h"

#include <stdio.h>

enum { ASK_S = 2 };

enum why task_waits(struct session *session, uint64_t task)
{
    struct msg_explain explain = { .task = task };
    struct reply reply;
    if (session_ask(session, MSG_EXPLAIN, &explain, ASK_S, &reply) != RAYC_OK) {
        return WHY_RUNNING;
    }
    enum why why = reply.msg.as.explained.why;
    reply_free(&reply);
    return why;
}

/*  What a trial needs: "2 CPU, 1 GPU". */
static void print_demand(const struct study_spec *spec, char *out, size_t capacity)
{
    char gpus[40] = "", memory[40] = "";
    if (spec->gpus > 0) {
        snprintf(gpus, sizeof(gpus), ", %g GPU", spec->gpus);
    }
    if (spec->memory_bytes > 0) {
        snprintf(memory, sizeof(memory), ", %.4g GiB of memory",
                 (double)spec->memory_bytes / (1024.0 * 1024 * 1024));
    }
    snprintf(out, capacity, "%g CPU%s%s%s%s", spec->cpus, gpus, memory, spec->resources ? ", " : "",
             spec->resources ? spec->resources : "");
}

const char *wait_text(const struct study_spec *spec, enum why why, char out[WAIT_TEXT_BYTES])
{
    char demand[200];
    print_demand(spec, demand, sizeof(demand));
    if (why == WHY_NO_NODES) {
        snprintf(out, WAIT_TEXT_BYTES, "all trials wait: the cluster has no worker");
    } else if (why == WHY_INFEASIBLE) {
        snprintf(out, WAIT_TEXT_BYTES,
                 "all trials wait: no node is large enough for one, even when idle (%s): see "
                 "'rayc node list'; Ctrl-C ends this, and resources: is what a trial demands",
                 demand);
    } else if (why == WHY_DRAINING) {
        snprintf(out, WAIT_TEXT_BYTES,
                 "all trials wait: the nodes that are large enough for one (%s) are being drained",
                 demand);
    } else if (why == WHY_RESOURCES) {
        snprintf(out, WAIT_TEXT_BYTES,
                 "all trials wait: the nodes that are large enough for one (%s) are full", demand);
    } else {
        return NULL;
    }
    return out;
}
