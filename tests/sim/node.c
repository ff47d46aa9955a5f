/*  node.c - a worker's process: the production worker core, the frames that it borrows from, the reports that it keeps,
    its timer, and its deaths.  A new process in the same folder has the same key and nothing else. */
#include <stdlib.h>

#include "tests/sim/object.h"
#include "tests/sim/sim.h"
#include "tests/sim/store.h"

enum { REPORT_CAPACITY = 1 << 20 };

static const struct worker_limits limits_usual = {
    .attempts = 4096, .executors = EXECUTORS_MAX, .specs = 512, .reports = 256
};

static uint64_t now_ms(const struct sim *sim, const struct node *node)
{
    return node->boot_ms + sim->now_us / 1000;
}

static uint64_t wall_ms(const struct sim *sim, const struct node *node)
{
    return (uint64_t)((int64_t)(1700000000000u + sim->now_us / 1000) + node->wall_ms);
}

/* --- reports ---------------------------------------------------------------------------------- */

static struct kept *kept_find(struct sim *sim, struct node *node, uint64_t seq)
{
    for (uint32_t i = 0; i < node->kept_count; i++) {
        if (node->kept[i].seq == seq) {
            return &node->kept[i];
        }
    }
    sim_fail(sim, 0, "worker %u speaks of report %llu, which it does not keep", node->index,
             (unsigned long long)seq);
}

static void report_close(struct sim *sim, struct node *node)
{
    if (node->report_records == 0) {
        return;
    }
    struct msg_done done = { node->report_seq, worker_stats(node->core).node,
                             wire_list(&node->report, node->report_records) };
    sim->wire.n = 0;
    proto_put(&sim->wire, MSG_DONE, &done);
    ensure(!sim->wire.full && !node->report.full);
    struct slice frame = slice_of(sim->wire.p, sim->wire.n);
    node->kept = grown(node->kept, &node->kept_room, node->kept_count, sizeof(*node->kept));
    node->kept[node->kept_count++] = (struct kept){ node->report_seq, bytes_new(frame.p, frame.n) };
    if (node->report_send) {
        net_frame_to_head(sim, node->index, frame);
    }
    node->report.n = 0;
    node->report_records = 0;
}

static void report_add(struct sim *sim, struct node *node, const struct act *act)
{
    if (node->report_records > 0 && node->report_seq != act->report) {
        report_close(sim, node);
    }
    if (act->unseal) {
        store_unseal(node, act->as.done.task);
    }
    node->report_seq = act->report;
    node->report_send = act->how != 0;
    node->report_records++;
    proto_put_record(&node->report, REC_DONE, &act->as.done);
}

static void report_forget(struct sim *sim, struct node *node, uint64_t seq)
{
    struct kept *kept = kept_find(sim, node, seq);
    free(kept->frame);
    *kept = node->kept[--node->kept_count];
}

/*  The acknowledgement of a report has come: is it true? */
static void check_ack(struct sim *sim, struct node *node, uint64_t seq)
{
    for (uint32_t i = 0; i < node->kept_count; i++) {
        struct msg msg;
        if (node->kept[i].seq == seq &&
            proto_decode(slice_of(node->kept[i].frame->p, node->kept[i].frame->n), &msg, NULL) ==
                OK) {
            rule_acked(sim, &msg);
        }
    }
}

/* --- acts ------------------------------------------------------------------------------------- */

static void program_comes(struct sim *sim, uint32_t who, uint64_t number, void *data)
{
    struct node *node = &sim->nodes[who];
    struct bytes *hash = data;
    if (node->alive && node->incarnation == number && sim->now_us < node->paused_us) {
        sim_at(sim, node->paused_us, program_comes, who, number, data);
        return;
    }
    if (node->alive && node->incarnation == number) {
        bool missing = chance(&sim->run, 30);
        worker_tell(sim, who,
                    &(struct worker_event){ .kind = WEV_PROGRAM,
                                            .hash = slice_of(hash->p, hash->n),
                                            .code = missing ? ERR_NOT_FOUND : OK,
                                            .text = slice_text(missing ? "no such program" : "") });
    }
    free(hash);
}

static void exits(struct sim *sim, struct node *node, int how)
{
    SIM_NOTE(sim, "worker %u exits, how=%d", node->index, how);
    uint32_t index = node->index;
    net_hang_up(sim, index);
    exec_all_gone(sim, index);
    node_close(sim, index);
    uint64_t after_us = sim->healed ? 100000 : between(&sim->fate, 100000, 20000000);
    sim_at(sim, sim->now_us + (how == 1 ? 10000 : after_us), node_start, index, 0, NULL);
}

static void send_to_head(struct sim *sim, struct node *node, const struct msg *msg)
{
    if (sim->record) {
        char from[4] = { 'w', (char)('0' + node->index), 0 };
        sim_note_msg(sim, from, "net", msg);
    }
    net_to_head(sim, node->index, msg->kind, &msg->as);
}

/*  True: the process has ended. */
static bool node_do(struct sim *sim, struct node *node, const struct act *act)
{
    if (act->kind != ACT_REPORT) {
        report_close(sim, node);
    }
    switch (act->kind) {
    case ACT_SEND:
        send_to_head(sim, node, &act->as.msg);
        break;
    case ACT_REPORT:
        SIM_NOTE(sim, "w%u reports %llx#%llx=%u in %llu", node->index,
                 (unsigned long long)act->as.done.task, (unsigned long long)act->as.done.token,
                 act->as.done.outcome, (unsigned long long)act->report);
        report_add(sim, node, act);
        break;
    case ACT_RESEND: {
        struct bytes *frame = kept_find(sim, node, act->report)->frame;
        net_frame_to_head(sim, node->index, slice_of(frame->p, frame->n));
        break;
    }
    case ACT_FORGET:
        report_forget(sim, node, act->report);
        break;
    case ACT_FETCH:
        sim_at(sim, sim->now_us + between(&sim->run, 200, 200000), program_comes, node->index,
               node->incarnation, bytes_new(act->hash, strlen(act->hash)));
        break;
    case ACT_PULL:
        object_pull(sim, node, act);
        break;
    case ACT_SPAWN:
        object_needed(sim, node, act);
        exec_spawn(sim, node->index, act);
        break;
    case ACT_GIVE:
        object_needed(sim, node, act);
        exec_give(sim, node->index, act);
        break;
    case ACT_TAKE_BACK:
        exec_take_back(sim, node->index, act);
        break;
    case ACT_KILL:
        exec_kill(sim, node->index, act);
        break;
    case ACT_FREE_FRAME:
        if (act->frame >= node->frame_count || node->frames[act->frame] == NULL) {
            sim_fail(sim, 40, "worker %u frees the frame %u twice", node->index, act->frame);
        }
        free(node->frames[act->frame]);
        node->frames[act->frame] = NULL;
        break;
    case ACT_EXIT:
        exits(sim, node, act->how);
        return true;
    }
    return false;
}

static void wakes(struct sim *sim, uint32_t who, uint64_t number, void *data)
{
    struct node *node = &sim->nodes[who];
    if (!node->alive || node->wake != number) {
        return;
    }
    if (sim->now_us < node->paused_us) {
        sim_at(sim, node->paused_us, wakes, who, number, data);
        return;
    }
    node->wake_us = 0;
    worker_tell(sim, who, &(struct worker_event){ .kind = WEV_TICK });
}

static void timer_set(struct sim *sim, struct node *node, uint64_t deadline)
{
    if (deadline == UINT64_MAX) {
        node->wake++;
        node->wake_us = 0;
        return;
    }
    uint64_t at =
        deadline <= now_ms(sim, node) ? sim->now_us + 1000 : (deadline - node->boot_ms) * 1000;
    if (at != node->wake_us) {
        node->wake_us = at;
        sim_at(sim, at, wakes, node->index, ++node->wake, NULL);
    }
}

void worker_tell(struct sim *sim, uint32_t index, struct worker_event *event)
{
    struct node *node = &sim->nodes[index];
    event->now_ms = now_ms(sim, node);
    event->wall_ms = wall_ms(sim, node);
    worker_step(node->core, event);
    struct worker_batch batch;
    while (worker_ready(node->core, &batch)) {
        for (uint32_t i = 0; i < batch.act_count; i++) {
            if (node_do(sim, node, &batch.acts[i])) {
                return;
            }
        }
        report_close(sim, node);
    }
    store_tells(sim, node);
    timer_set(sim, node, batch.deadline_ms);
    if (++node->steps % 64 == 0) {
        node_check(sim, index);
    }
}

void node_check(struct sim *sim, uint32_t index)
{
    struct diag why = { 0 };
    if (sim->nodes[index].alive && !worker_check(sim->nodes[index].core, &why)) {
        sim_fail(sim, 18, "worker_check of worker %u: %s (%u)", index, why.text, why.line);
    }
}

/* --- news ------------------------------------------------------------------------------------- */

static void connection_news(struct sim *sim, uint32_t who, uint64_t number, void *data)
{
    struct node *node = &sim->nodes[who];
    if (!node->alive || node->incarnation != number >> 1) {
        return;
    }
    if (sim->now_us < node->paused_us) {
        sim_at(sim, node->paused_us, connection_news, who, number, data);
        return;
    }
    if ((number & 1) == 0) {
        store_away(node);
    }
    worker_tell(sim, who,
                &(struct worker_event){ .kind = number & 1 ? WEV_CONNECTED : WEV_DISCONNECTED });
}

void node_connected(struct sim *sim, uint32_t index, bool up)
{
    sim_at(sim, sim->now_us, connection_news, index,
           (uint64_t)sim->nodes[index].incarnation << 1 | up, NULL);
}

static void frame_comes(struct sim *sim, uint32_t who, uint64_t number, void *data)
{
    struct node *node = &sim->nodes[who];
    struct bytes *frame = data;
    if (!node->alive || node->incarnation != number) {
        free(frame);
        return;
    }
    if (sim->now_us < node->paused_us) {
        sim_at(sim, node->paused_us, frame_comes, who, number, data);
        return;
    }
    struct msg msg;
    struct diag why = { 0 };
    if (proto_decode(slice_of(frame->p, frame->n), &msg, &why) != OK) {
        sim_fail(sim, 39, "a frame to worker %u cannot be decoded: %s", who, why.text);
    }
    if (sim->record) {
        char to[4] = { 'w', (char)('0' + who), 0 };
        sim_note_msg(sim, "net", to, &msg);
    }
    if (msg.kind == MSG_DECIDED) {
        report_decided(sim, who, &msg.as.decided);
        free(frame);
        return;
    }
    store_message(node, &msg);
    struct list reports = msg.as.done_ack.reports;
    struct rec_id report;
    while (msg.kind == MSG_DONE_ACK && next_id(&reports, &report)) {
        check_ack(sim, node, report.task);
    }
    node->frames = grown(node->frames, &node->frame_room, node->frame_count, sizeof(*node->frames));
    node->frames[node->frame_count] = frame;
    bool joined = msg.kind == MSG_NODE_JOINED;
    worker_tell(
        sim, who,
        &(struct worker_event){ .kind = WEV_MESSAGE, .msg = &msg, .frame = node->frame_count++ });
    if (joined && node->alive) {
        reports_again(sim, who);
    }
}

void node_frame(struct sim *sim, uint32_t index, struct bytes *frame)
{
    frame_comes(sim, index, sim->nodes[index].incarnation, frame);
}

/* --- life and death --------------------------------------------------------------------------- */

void node_open(struct sim *sim, uint32_t index)
{
    struct node *node = &sim->nodes[index];
    struct prng *rng = &sim->world;
    node->index = index;
    node->boot_ms = between(rng, 1000, 100000000);
    node->wall_ms = chance(rng, 200) ? (int64_t)between(rng, 0, 20000) - 10000 : 0;
    node->capacity[0] = between(rng, 1, 4) * UNITS_PER_ONE;
    node->capacity[1] = between(rng, 1, 8) << 30;
    node->capacity[2] = chance(rng, 250) ? between(rng, 1, 2) * UNITS_PER_ONE : 0;
    memcpy(node->key, "key-of-worker-?", 16);
    node->key[14] = (char)('a' + index);
    sim_at(sim, between(rng, 0, chance(rng, 300) ? 60000000 : 300000), node_start, index, 0, NULL);
}

static struct worker_config config_of(const struct sim *sim, const struct node *node)
{
    static const char *const names[3] = { "CPU", "memory", "GPU" };
    struct worker_config config = { .pid = 1000 + node->incarnation,
                                    .idle_ms = 10000,
                                    .grace_ms = 3000,
                                    .store_bytes = 1 << 30,
                                    .name = "w?",
                                    .version = "sim" };
    memcpy(config.key, node->key, sizeof(node->key));
    token_text(sim, node->index, config.token);
    config.name[1] = (char)('0' + node->index);
    for (uint32_t i = 0; i < COUNT(names); i++) {
        if (node->capacity[i] > 0) {
            memcpy(config.amounts[config.amount_count].name, names[i], strlen(names[i]) + 1);
            config.amounts[config.amount_count++].units = node->capacity[i];
        }
    }
    memcpy(config.labels, place_labels(node->index), strlen(place_labels(node->index)));
    memcpy(config.gpus[0], "0", 2);
    memcpy(config.gpus[1], "1", 2);
    return config;
}

void node_start(struct sim *sim, uint32_t who, uint64_t number, void *data)
{
    (void)number;
    (void)data;
    struct node *node = &sim->nodes[who];
    if (node->alive) {
        return;
    }
    struct worker_limits limits = limits_usual;
    if (chance(&sim->world, 150)) {
        limits =
            (struct worker_limits){ .attempts = 24, .executors = 24, .specs = 24, .reports = 2 };
        limits.executors = chance(&sim->kin, 500) ? 9 : 24; /* more than wait for others */
    }
    struct worker_config config = config_of(sim, node);
    node->incarnation++;
    node->alive = true;
    node->stopping = false;
    node->memory = calloc(1, worker_bytes(&limits));
    node->executors = calloc(EXECUTORS_MAX, sizeof(*node->executors));
    node->report = (struct wire){ malloc(REPORT_CAPACITY), 0, REPORT_CAPACITY, false };
    ensure(node->memory != NULL && node->executors != NULL && node->report.p != NULL);
    node->report_records = 0;
    node->core = worker_init(node->memory, &limits, &config);
    store_starts(sim, node);
    SIM_NOTE(sim, "worker %u starts, incarnation %u", who, node->incarnation);
    worker_tell(sim, who, &(struct worker_event){ .kind = WEV_TICK });
    net_dial(sim, who, between(&sim->net, 1000, 50000));
}

void node_close(struct sim *sim, uint32_t index)
{
    struct node *node = &sim->nodes[index];
    if (!node->alive) {
        return;
    }
    node->alive = false;
    node->wake++;
    node->wake_us = node->paused_us = 0;
    for (uint32_t i = 0; i < EXECUTORS_MAX; i++) {
        free(node->executors[i].items);
    }
    for (uint32_t i = 0; i < node->frame_count; i++) {
        free(node->frames[i]);
    }
    for (uint32_t i = 0; i < node->kept_count; i++) {
        free(node->kept[i].frame);
    }
    free(node->executors);
    free(node->frames);
    free(node->kept);
    free(node->asks);
    store_ends(sim, node);
    free(node->report.p);
    free(node->memory);
    node->executors = NULL;
    node->frames = NULL;
    node->kept = NULL;
    node->asks = NULL;
    node->ask_count = node->ask_room = 0;
    node->memory = NULL;
    node->core = NULL;
    node->frame_count = node->frame_room = node->kept_count = node->kept_room = 0;
}

void node_crash(struct sim *sim, uint32_t index)
{
    struct node *node = &sim->nodes[index];
    if (!node->alive) {
        return;
    }
    SIM_NOTE(sim, "worker %u is killed", index);
    node_check(sim, index);
    net_hang_up(sim, index);
    exec_all_gone(sim, index);
    node_close(sim, index);
    uint64_t after_us = chance(&sim->fate, 800) ? between(&sim->fate, 10000, 5000000)
                                                : between(&sim->fate, 5000000, 90000000);
    sim_at(sim, sim->now_us + after_us, node_start, index, 0, NULL);
}

void node_stop(struct sim *sim, uint32_t index)
{
    struct node *node = &sim->nodes[index];
    if (node->alive && !node->stopping && node->paused_us <= sim->now_us) {
        SIM_NOTE(sim, "worker %u is asked to end", index);
        node->stopping = true;
        uint64_t grace_ms = chance(&sim->fate, 400) ? 0 : between(&sim->fate, 0, 30000);
        worker_tell(
            sim, index,
            &(struct worker_event){ .kind = WEV_STOP, .until_ms = now_ms(sim, node) + grace_ms });
    }
}
