/*  net.c - connections between the head and its endpoints (workers first, then clients), and the frames on them.
    A connection keeps order, as TCP does, unless a fault says otherwise; what is under way when it breaks is lost. */
#include <stdlib.h>

#include "tests/sim/sim.h"

static const char *endpoint_name(uint32_t endpoint, char text[8])
{
    bool worker = endpoint < WORKERS_MAX;
    uint32_t n = worker ? endpoint : endpoint - WORKERS_MAX;
    text[0] = worker ? 'w' : 'c';
    text[1] = (char)('0' + n / 100);
    text[2] = (char)('0' + n / 10 % 10);
    text[3] = (char)('0' + n % 10);
    text[4] = 0;
    return text;
}

static void tell_endpoint(struct sim *sim, uint32_t endpoint, bool up)
{
    if (endpoint < WORKERS_MAX) {
        node_connected(sim, endpoint, up);
    } else {
        client_connected(sim, endpoint - WORKERS_MAX, up);
    }
}

static void try_dial(struct sim *sim, uint32_t endpoint, uint64_t number, void *data)
{
    (void)data;
    struct connection *self = &sim->connections[endpoint];
    if (!self->dials || self->up || self->dial != number) {
        return;
    }
    bool cut = self->cut_to_head_us > sim->now_us || self->cut_from_head_us > sim->now_us;
    if (!sim->head.up || cut || sim->head.paused_us > sim->now_us) {
        net_dial(sim, endpoint, between(&sim->net, 50000, 1000000));
        return;
    }
    self->up = true;
    self->peer = ++sim->head.peers;
    self->generation++;
    SIM_NOTE(sim, "%s is connected as peer %u", endpoint_name(endpoint, (char[8]){ 0 }),
             self->peer);
    tell_endpoint(sim, endpoint, true);
}

void net_dial(struct sim *sim, uint32_t endpoint, uint64_t after_us)
{
    struct connection *self = &sim->connections[endpoint];
    self->dials = true;
    sim_at(sim, sim->now_us + after_us, try_dial, endpoint, ++self->dial, NULL);
}

static void gone_arrives(struct sim *sim, uint32_t who, uint64_t number, void *data)
{
    (void)who;
    (void)data;
    if (number >> 32 == sim->head.incarnation) {
        head_gone(sim, (uint32_t)number);
    }
}

/*  Both ends hear; the head maybe late, the endpoint at once unless its process is what ended. */
static void break_connection(struct sim *sim, uint32_t endpoint, uint64_t head_hears_us)
{
    struct connection *self = &sim->connections[endpoint];
    if (!self->up) {
        return;
    }
    self->up = false;
    self->generation++;
    if (sim->head.up) {
        uint64_t number = (uint64_t)sim->head.incarnation << 32 | self->peer;
        uint64_t at = sim->now_us + head_hears_us;
        sim_at(sim, at > self->to_head_us ? at : self->to_head_us, gone_arrives, endpoint, number,
               NULL);
    }
}

void net_hang_up(struct sim *sim, uint32_t endpoint)
{
    struct connection *self = &sim->connections[endpoint];
    self->dials = false;
    break_connection(sim, endpoint, between(&sim->net, 100, 5000));
}

void net_reset(struct sim *sim, uint32_t endpoint, uint64_t head_hears_us)
{
    if (sim->connections[endpoint].up) {
        SIM_NOTE(sim, "%s loses its connection", endpoint_name(endpoint, (char[8]){ 0 }));
        break_connection(sim, endpoint, head_hears_us);
        tell_endpoint(sim, endpoint, false);
        net_dial(sim, endpoint, between(&sim->net, 1000, 500000));
    }
}

void net_head_down(struct sim *sim)
{
    for (uint32_t i = 0; i < ENDPOINTS; i++) {
        struct connection *self = &sim->connections[i];
        if (self->up) {
            self->up = false;
            self->generation++;
            tell_endpoint(sim, i, false);
            net_dial(sim, i, between(&sim->net, 10000, 800000));
        }
    }
}

uint32_t net_endpoint(const struct sim *sim, uint32_t peer)
{
    for (uint32_t i = 0; i < ENDPOINTS; i++) {
        if (sim->connections[i].up && sim->connections[i].peer == peer) {
            return i;
        }
    }
    return NONE;
}

static void arrives_at_head(struct sim *sim, uint32_t endpoint, uint64_t number, void *data)
{
    struct connection *self = &sim->connections[endpoint];
    struct bytes *frame = data;
    if (!self->up || self->generation != number || self->cut_to_head_us > sim->now_us) {
        free(frame);
        return;
    }
    sim_mix(sim, frame->p, frame->n);
    head_frame(sim, self->peer, frame);
}

/*  What a worker says of itself and its store: it begins to count anew with each NODE_JOIN, so that must be the newest. */
static void arrives_in_order(struct sim *sim, uint32_t endpoint, uint64_t number, void *data)
{
    arrives_at_head(sim, endpoint, number, data);
}

static void arrives_from_head(struct sim *sim, uint32_t endpoint, uint64_t number, void *data)
{
    struct connection *self = &sim->connections[endpoint];
    struct bytes *frame = data;
    if (!self->up || self->generation != number || self->cut_from_head_us > sim->now_us) {
        free(frame);
        return;
    }
    sim_mix(sim, frame->p, frame->n);
    if (endpoint < WORKERS_MAX) {
        node_frame(sim, endpoint, frame);
    } else {
        client_frame(sim, endpoint - WORKERS_MAX, frame);
    }
}

/*  One frame on its way, maybe lost, doubled, late or out of order. */
static void carry(struct sim *sim, uint32_t endpoint, struct slice bytes, uint64_t *newest_us,
                  sim_fn *arrives)
{
    struct connection *self = &sim->connections[endpoint];
    sim->frames++;
    if (fault_strikes(sim, FAULT_LOSS)) {
        SIM_NOTE(sim, "%s: that frame is lost", endpoint_name(endpoint, (char[8]){ 0 }));
        return;
    }
    uint64_t at = sim->now_us + sim->latency_us + prng_below(&sim->net, sim->jitter_us + 1);
    if (fault_strikes(sim, FAULT_DELAY)) {
        at += between(&sim->net, 1000, 4000000);
    }
    bool to_worker =
        arrives == arrives_from_head && endpoint < WORKERS_MAX; /* relies on order: README.md */
    bool ordered = to_worker || arrives == arrives_in_order;
    if (!ordered && fault_strikes(sim, FAULT_REORDER)) {
        at += between(&sim->net, 0, 300000);
    } else {
        at = at > *newest_us ? at : *newest_us;
        *newest_us = at;
    }
    sim_at(sim, at, arrives, endpoint, self->generation, bytes_new(bytes.p, bytes.n));
    if (arrives != arrives_in_order && fault_strikes(sim, FAULT_DUPLICATE)) {
        uint64_t later = at + (chance(&sim->net, 700) ? between(&sim->net, 0, 20000)
                                                      : between(&sim->net, 0, 8000000));
        sim_at(sim, later, arrives, endpoint, self->generation, bytes_new(bytes.p, bytes.n));
    }
}

void net_frame_to_head(struct sim *sim, uint32_t endpoint, struct slice frame)
{
    struct connection *self = &sim->connections[endpoint];
    if (self->up) {
        carry(sim, endpoint, frame, &self->to_head_us, arrives_at_head);
    }
}

void net_to_head(struct sim *sim, uint32_t endpoint, enum msg_kind kind, const void *value)
{
    sim->wire.n = 0;
    proto_put(&sim->wire, kind, value);
    ensure(!sim->wire.full);
    struct slice frame = slice_of(sim->wire.p, sim->wire.n);
    struct connection *self = &sim->connections[endpoint];
    if (kind != MSG_STOCK && kind != MSG_NODE_JOIN) {
        net_frame_to_head(sim, endpoint, frame);
    } else if (self->up) {
        carry(sim, endpoint, frame, &self->to_head_us, arrives_in_order);
    }
}

void net_from_head(struct sim *sim, uint32_t peer, struct slice frame)
{
    uint32_t endpoint = net_endpoint(sim, peer);
    if (endpoint != NONE) {
        carry(sim, endpoint, frame, &sim->connections[endpoint].from_head_us, arrives_from_head);
    }
}
