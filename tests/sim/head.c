/*  head.c - the head's process: the production turn, its inbox, its timer, and its deaths. */
#include <stdlib.h>

#include "tests/sim/sim.h"

enum { EVENTS_PER_TURN = CORE_EVENTS_PER_TURN };

uint64_t head_now_ms(const struct sim *sim)
{
    return sim->head.boot_ms + sim->now_us / 1000;
}

uint64_t head_wall_ms(const struct sim *sim)
{
    return (uint64_t)((int64_t)(1700000000000u + sim->now_us / 1000) + sim->head.wall_ms);
}

static void leaves(void *context, uint32_t peer, struct slice frame)
{
    struct sim *sim = context;
    struct head *head = &sim->head;
    if (peer == 0) {
        return; /* the head itself has asked: user.c */
    }
    if (head->doom == DOOM_MID_SEND && head->sends_left-- == 0) {
        head->dead = true;
    }
    if (head->dead) {
        head->sends_left = 0;
        return;
    }
    struct msg msg;
    struct diag why = { 0 };
    if (proto_decode(frame, &msg, &why) != OK) {
        sim_fail(sim, 39, "the head's frame cannot be decoded: %s", why.text);
    }
    if (sim->record) {
        char to[16] = "p";
        uint32_t n = peer, at = 1;
        for (uint32_t scale = 10000; scale > 0; scale /= 10) {
            to[at++] = (char)('0' + n / scale % 10);
        }
        sim_note_msg(sim, "head", to, &msg);
    }
    rule_sent(sim, peer, &msg);
    net_from_head(sim, peer, frame);
}

/* --- turns ------------------------------------------------------------------------------------ */

static void wakes(struct sim *sim, uint32_t who, uint64_t number, void *data);

static void timer_set(struct sim *sim)
{
    struct head *head = &sim->head;
    uint64_t deadline = turn_deadline_ms(head->turn);
    if (deadline == UINT64_MAX) {
        head->wake++;
        head->wake_us = UINT64_MAX;
        return;
    }
    uint64_t at =
        deadline <= head_now_ms(sim) ? sim->now_us + 1000 : (deadline - head->boot_ms) * 1000;
    if (at != head->wake_us) {
        head->wake_us = at;
        sim_at(sim, at, wakes, 0, ++head->wake, NULL);
    }
}

/*  After each flush: it may have been killed inside. */
static void flushed(struct sim *sim, int code)
{
    struct head *head = &sim->head;
    head->turns++;
    if (head->dead) {
        head_crash(sim, false);
        return;
    }
    if (code != OK) {
        sim_fail(sim, 0, "the turn failed with code %d", code);
    }
    if (head->turns % 64 == 0) {
        head_check(sim);
    }
    timer_set(sim);
}

static void wakes(struct sim *sim, uint32_t who, uint64_t number, void *data)
{
    struct head *head = &sim->head;
    if (!head->up || number != head->wake) {
        return;
    }
    if (sim->now_us < head->paused_us) {
        sim_at(sim, head->paused_us, wakes, who, number, data);
        return;
    }
    head->wake_us = 0;
    turn_event(head->turn, &(struct event){ .kind = EV_TICK,
                                            .now_ms = head_now_ms(sim),
                                            .wall_ms = head_wall_ms(sim) });
    flushed(sim, turn_flush(head->turn, head_now_ms(sim), head_wall_ms(sim)));
}

/*  A frame that the head takes: what it is must survive its way through the codec. */
static bool read_frame(struct sim *sim, struct slice frame, struct msg *msg)
{
    struct diag why = { 0 };
    if (proto_decode(frame, msg, &why) != OK) {
        sim_fail(sim, 39, "a frame to the head cannot be decoded: %s", why.text);
    }
    if (sim->frames % 16 == 0) {
        struct msg again;
        sim->extra.n = 0;
        proto_put(&sim->extra, msg->kind, &msg->as);
        if (proto_decode(slice_of(sim->extra.p, sim->extra.n), &again, NULL) != OK ||
            !proto_same(msg, &again)) {
            sim_fail(sim, 39, "%s is not the same after encoding and decoding",
                     proto_name(msg->kind));
        }
    }
    return true;
}

static void turns(struct sim *sim, uint32_t who, uint64_t number, void *data)
{
    struct head *head = &sim->head;
    if (!head->up || number != head->incarnation) {
        return;
    }
    if (sim->now_us < head->paused_us) {
        sim_at(sim, head->paused_us, turns, who, number, data);
        return;
    }
    head->turn_due = false;
    struct msg msgs[EVENTS_PER_TURN];
    struct bytes *frames[EVENTS_PER_TURN];
    uint32_t count = 0;
    struct event event = { .now_ms = head_now_ms(sim), .wall_ms = head_wall_ms(sim) };
    struct proof proof;
    for (; head->inbox_first < head->inbox_count && count < EVENTS_PER_TURN; count++) {
        struct inbox_item *item = &head->inbox[head->inbox_first++];
        event.peer = item->peer;
        frames[count] = item->frame;
        event.kind = item->frame == NULL ? EV_PEER_GONE : EV_MESSAGE;
        if (item->frame != NULL) {
            read_frame(sim, slice_of(item->frame->p, item->frame->n), &msgs[count]);
            event.msg = &msgs[count];
            event.proof = NULL;
            if (event.msg->kind == MSG_HELLO) {
                proof_of(event.msg->as.hello.token, &proof);
                event.proof = &proof;
            }
            uint32_t endpoint = net_endpoint(sim, item->peer);
            bool known =
                core_knows(turn_core(head->turn), item->peer) && msgs[count].kind != MSG_HELLO;
            if (endpoint < WORKERS_MAX &&
                known) { /* else it does not say which node it is, or is not listened to */
                sim->nodes[endpoint].heard_us = sim->now_us;
            }
            if (endpoint < WORKERS_MAX && msgs[count].kind == MSG_NODE_BEAT) {
                sim->nodes[endpoint].beat_peer = item->peer;
            }
            if (sim->record) {
                char from[16] = "p";
                for (uint32_t scale = 10000, at = 1; scale > 0; scale /= 10) {
                    from[at++] = (char)('0' + item->peer / scale % 10);
                }
                sim_note_msg(sim, from, "head", event.msg);
            }
        }
        turn_event(head->turn, &event);
    }
    turn_event(head->turn, &(struct event){
                               .kind = EV_TICK, .now_ms = event.now_ms, .wall_ms = event.wall_ms });
    if (head->inbox_first == head->inbox_count) {
        head->inbox_first = head->inbox_count = 0;
    } else {
        head->turn_due = true;
        sim_at(sim, sim->now_us + 100, turns, 0, head->incarnation, NULL);
    }
    int code = turn_flush(head->turn, event.now_ms, event.wall_ms);
    for (uint32_t i = 0; i < count; i++) {
        free(frames[i]);
    }
    flushed(sim, code);
}

static void inbox_add(struct sim *sim, uint32_t peer, struct bytes *frame)
{
    struct head *head = &sim->head;
    if (!head->up) {
        free(frame);
        return;
    }
    head->inbox = grown(head->inbox, &head->inbox_room, head->inbox_count, sizeof(*head->inbox));
    head->inbox[head->inbox_count++] = (struct inbox_item){ frame, peer };
    if (!head->turn_due) {
        head->turn_due = true;
        sim_at(sim, sim->now_us + between(&sim->net, 10, 300), turns, 0, head->incarnation, NULL);
    }
}

void head_gone(struct sim *sim, uint32_t peer)
{
    inbox_add(sim, peer, NULL);
}

void head_frame(struct sim *sim, uint32_t peer, struct bytes *frame)
{
    inbox_add(sim, peer, frame);
}

void head_after_sync(struct sim *sim)
{
    struct head *head = &sim->head;
    head->after_sync = true;
    int code = turn_synced(head->turn, head_now_ms(sim), head_wall_ms(sim));
    head->after_sync = false;
    flushed(sim, code);
}

void head_check(struct sim *sim)
{
    struct diag why = { 0 };
    if (sim->head.up && !core_check(turn_core(sim->head.turn), &why)) {
        sim_fail(sim, 18, "core_check: %s", why.text);
    }
}

/* --- life and death --------------------------------------------------------------------------- */

void head_open(struct sim *sim)
{
    struct head *head = &sim->head;
    struct diag why;
    struct prng *rng = &sim->world;
    head->limits = (struct limits){ .objects = 32768,
                                    .holds = 65536,
                                    .copies = 65536,
                                    .tasks = chance(rng, 150) ? 100 : 8192,
                                    .edges = chance(rng, 100) ? 64 : 8192,
                                    .leases = chance(rng, 150) ? 24 : 4096,
                                    .specs = 1024,
                                    .jobs = chance(rng, 200) ? 12 : 256,
                                    .sessions = 256,
                                    .nodes = 256,
                                    .peers = 512,
                                    .studies = 64,
                                    .users = 16,
                                    .tokens = 16,
                                    .actors = 256,
                                    .lanes = 1024 };
    head->config = core_config();
    if (chance(rng, 400)) {
        head->config.lease_ms = (uint32_t)between(rng, 6000, 30000);
    }
    head->config.orphan_ms = head->config.lease_ms * (uint32_t)between(rng, 1, 4) + 1000;
    head->config.priority_step_ms = (uint32_t)between(&sim->places, 2500, 6000);
    head->config.fail_infeasible = chance(rng, 300);
    memcpy(head->config.version, "sim", 4);
    memcpy(head->config.cluster, "simulated", 10);
    head->boot_ms = 1000000;
    if (store_open(&head->store, NULL, &why) != OK) {
        sim_fail(sim, 0, "the store does not open: %s", why.text);
    }
    sim_at(sim, between(rng, 0, chance(rng, 200) ? 20000000 : 100000), head_start, 0, 0, NULL);
}

void head_start(struct sim *sim, uint32_t who, uint64_t number, void *data)
{
    (void)who;
    (void)number;
    (void)data;
    struct head *head = &sim->head;
    if (head->up) {
        return;
    }
    head->incarnation++;
    head->peers = 0;
    for (uint32_t i = 0; i < WORKERS_MAX; i++) {
        sim->nodes[i].beat_peer = 0; /* it was one of the last head's */
    }
    head->dead = head->turn_due = false;
    head->doom = DOOM_NONE;
    head->wake_us = 0;
    head->started_us = sim->now_us;
    if (turn_open(&head->turn, head->store, &head->limits, &head->config, prng_next(&sim->fate),
                  leaves, sim) != OK) {
        sim_fail(sim, 0, "the head cannot be opened");
    }
    SIM_NOTE(sim, "the head starts, incarnation %u", head->incarnation);
    head->up = true;
    int code = turn_restore(head->turn, head_now_ms(sim), head_wall_ms(sim));
    if (core_epoch(turn_core(head->turn)) <= head->epoch_seen) {
        sim_fail(sim, 37, "the new head has epoch %llu, an older one had %llu",
                 (unsigned long long)core_epoch(turn_core(head->turn)),
                 (unsigned long long)head->epoch_seen);
    }
    head_check(sim);
    if (code == OK && !head->dead) {
        users_make(sim);
        code = turn_flush(head->turn, head_now_ms(sim), head_wall_ms(sim));
    }
    flushed(sim, code);
}

static void turn_end(struct head *head)
{
    turn_close(&head->turn);
    for (uint32_t i = head->inbox_first; i < head->inbox_count; i++) {
        free(head->inbox[i].frame);
    }
    head->inbox_first = head->inbox_count = 0;
    head->up = false;
}

void head_crash(struct sim *sim, bool power_cut)
{
    struct head *head = &sim->head;
    if (!head->up) {
        return;
    }
    SIM_NOTE(sim, "the head dies");
    if (!head->dead) {
        head_check(sim);
    }
    head->crashes++;
    turn_end(head);
    disk_forget_sync(sim);
    net_head_down(sim);
    uint64_t down_us = chance(&sim->fate, 800) ? between(&sim->fate, 10000, 3000000)
                                               : between(&sim->fate, 3000000, 60000000);
    if (power_cut) {
        head->power_cuts++;
        disk_power_cut(sim);
        head->boot_ms = between(&sim->fate, 3000, 60000) -
                        sim->now_us / 1000; /* its clock starts anew; wraps */
        down_us += 2000000;
    }
    if (sim->healed) {
        down_us = 1000;
    }
    sim_at(sim, sim->now_us + down_us, head_start, 0, 0, NULL);
}

void head_pause(struct sim *sim, uint64_t for_us)
{
    if (sim->head.up && sim->head.paused_us < sim->now_us) {
        SIM_NOTE(sim, "the head stands still for %llu ms", (unsigned long long)for_us / 1000);
        sim->head.paused_us = sim->now_us + for_us;
    }
}

void head_close(struct sim *sim)
{
    struct head *head = &sim->head;
    turn_end(head);
    store_close(&head->store);
    free(head->inbox);
    disk_close(sim);
}
