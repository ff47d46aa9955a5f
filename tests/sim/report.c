/*  report.c - what a worker keeps of its trials: each report, until it is decided on; sent again when the node has
    joined, and from time to time. */
#include <stdlib.h>

#include "tests/sim/sim.h"

enum { AGAIN_US = 5000000, NUMBERS = 64 };

/*  A step of a task is recorded once, whichever attempt says it: here each report has one of its own. */
static struct rec_report record_of(const struct ask *ask)
{
    uint32_t trial = (uint32_t)(ask->task % 32);
    return (struct rec_report){ .task = ask->task,
                                .token = ask->token,
                                .attempt = ask->attempt,
                                .number = ask->number,
                                .trial = trial,
                                .step = (double)ask->token * NUMBERS + ask->number,
                                .value = trial + ask->number * 0.5,
                                .metrics = slice_text("{}") };
}

bool report_right(const struct rec_report *report)
{
    struct ask ask = { .task = report->task, .token = report->token, .number = report->number };
    struct rec_report made = record_of(&ask);
    return made.trial == report->trial && made.step == report->step &&
           made.value == report->value && slice_same(made.metrics, report->metrics);
}

static void send(struct sim *sim, struct node *node, uint32_t first, uint32_t count)
{
    uint64_t id = worker_stats(node->core).node;
    if (id == 0 || count == 0) {
        return; /* when it has joined */
    }
    sim->elements.n = 0;
    for (uint32_t i = first; i < first + count; i++) {
        struct rec_report record = record_of(&node->asks[i]);
        proto_put_record(&sim->elements, REC_REPORT, &record);
        SIM_NOTE(sim, "w%u asks about %llx#%llx.%u", node->index, (unsigned long long)record.task,
                 (unsigned long long)record.token, record.number);
    }
    struct msg_report msg = { 0, id, wire_list(&sim->elements, count) };
    net_to_head(sim, node->index, MSG_REPORT, &msg);
}

static uint32_t find(const struct node *node, uint64_t token, uint32_t number)
{
    uint32_t i = 0;
    while (i < node->ask_count &&
           (node->asks[i].token != token || node->asks[i].number != number)) {
        i++;
    }
    return i < node->ask_count ? i : NONE;
}

static void again(struct sim *sim, uint32_t who, uint64_t number, void *data)
{
    (void)number;
    struct node *node = &sim->nodes[who];
    struct ask *ask = data;
    uint32_t i = node->alive ? find(node, ask->token, ask->number) : NONE;
    if (i == NONE) {
        free(ask);
        return;
    }
    if (!exec_waits(sim, who, ask->place, ask->token)) { /* it has died */
        node->asks[i] = node->asks[--node->ask_count];
        free(ask);
        return;
    }
    if (sim->now_us >= node->paused_us) {
        send(sim, node, i, 1);
    }
    sim_at(sim, sim->now_us + AGAIN_US, again, who, 0, ask);
}

static void arrives(struct sim *sim, uint32_t who, uint64_t number, void *data)
{
    (void)number;
    struct node *node = &sim->nodes[who];
    struct ask *ask = data;
    if (!exec_waits(sim, who, ask->place, ask->token)) {
        free(ask);
        return;
    }
    if (sim->now_us < node->paused_us) {
        sim_at(sim, node->paused_us, arrives, who, 0, ask);
        return;
    }
    node->asks = grown(node->asks, &node->ask_room, node->ask_count, sizeof(*node->asks));
    node->asks[node->ask_count++] = *ask;
    send(sim, node, node->ask_count - 1, 1);
    sim_at(sim, sim->now_us + AGAIN_US, again, who, 0, ask);
}

void report_made(struct sim *sim, uint32_t node, const struct ask *ask)
{
    struct ask *copy = malloc(sizeof(*copy));
    ensure(copy != NULL);
    *copy = *ask;
    sim_at(sim, sim->now_us + between(&sim->tune, 20, 400), arrives, node, 0, copy);
}

void reports_again(struct sim *sim, uint32_t index)
{
    send(sim, &sim->nodes[index], 0, sim->nodes[index].ask_count);
}

/*  What must survive: at level full, for ever. */
static void remember(struct sim *sim, const struct rec_decision *decision)
{
    const struct job_seen *job = oracle_job_of(sim, decision->task);
    if (job != NULL && job->durability == DURABLE_FULL && decision->decision != DECISION_REFUSED) {
        for (uint32_t i = 0; i < 2; i++) {
            sim->answered = grown(sim->answered, &sim->answered_room, sim->answered_count,
                                  sizeof(*sim->answered));
            sim->answered[sim->answered_count++] = i == 0 ? decision->token : decision->number;
        }
    }
}

void report_decided(struct sim *sim, uint32_t index, const struct msg_decided *msg)
{
    struct node *node = &sim->nodes[index];
    struct list list = msg->decisions;
    struct rec_decision decision;
    while (next_decision(&list, &decision)) {
        uint32_t i = find(node, decision.token, decision.number);
        if (i == NONE) {
            continue; /* said twice, or it has died */
        }
        struct ask ask = node->asks[i];
        node->asks[i] = node->asks[--node->ask_count];
        remember(sim, &decision);
        if (exec_waits(sim, index, ask.place, ask.token)) {
            exec_decided(sim, index, ask.place, decision.decision);
        }
    }
}
