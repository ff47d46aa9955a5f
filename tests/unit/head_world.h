/*  head_world.h - a head without sockets for story tests: a turn on a store in memory; messages in, messages out.
    What the head says is decoded again and kept until the next said(). */
#ifndef RAYC_HEAD_WORLD_H
#define RAYC_HEAD_WORLD_H
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "head/turn.h"

enum { CLIENT = 7, WORKER = 9, SAID_MAX = 4096 };

struct said {
    uint32_t peer;
    struct msg msg;
    void *frame;
};

struct world {
    struct store *store;
    struct turn *turn;
    struct limits limits;
    struct config config;
    uint64_t now_ms;
    struct said said[SAID_MAX];
    uint32_t said_count;
    uint8_t list[64 * 1024]; /* elements of the message being made */
    struct wire wire;
};

static inline void world_take(void *context, uint32_t peer, struct slice frame)
{
    struct world *w = context;
    assert_true(w->said_count < SAID_MAX);
    struct said *said = &w->said[w->said_count++];
    said->peer = peer;
    said->frame = malloc(frame.n);
    memcpy(said->frame, frame.p, frame.n);
    struct diag why;
    assert_int_equal(proto_decode(slice_of(said->frame, frame.n), &said->msg, &why), OK);
}

static inline void world_clear(struct world *w)
{
    while (w->said_count > 0) {
        free(w->said[--w->said_count].frame);
    }
}

static inline void world_flush(struct world *w)
{
    struct diag why = { 0 };
    assert_int_equal(turn_flush(w->turn, w->now_ms, 1700000000000 + w->now_ms), OK);
    assert_int_equal(turn_synced(w->turn, w->now_ms, 1700000000000 + w->now_ms), OK);
    if (!core_check(turn_core(w->turn), &why)) {
        fail_msg("%s", why.text);
    }
}

/*  A proof: of the token that begins with this letter. */
static inline struct proof proof_of(char letter)
{
    struct proof proof = { .kind = PROOF_TOKEN };
    proof.hash[0] = (uint8_t)letter;
    return proof;
}

/*  The head itself makes a token for the first user, an administrator. */
static inline void own_token(struct world *w, char letter, uint32_t role)
{
    struct proof proof = proof_of(letter);
    struct msg msg = { .kind = MSG_TOKEN_PUT };
    msg.as.token_put =
        (struct msg_token_put){ .role = role, .hash = slice_of(proof.hash, sizeof(proof.hash)) };
    turn_event(w->turn, &(struct event){ .kind = EV_OWN,
                                         .now_ms = w->now_ms,
                                         .wall_ms = 1700000000000 + w->now_ms,
                                         .msg = &msg });
}

static inline void world_start(struct world *w)
{
    assert_int_equal(turn_open(&w->turn, w->store, &w->limits, &w->config, 1, world_take, w), OK);
    assert_int_equal(turn_restore(w->turn, w->now_ms, 1700000000000 + w->now_ms), OK);
    own_token(w, 'a', ROLE_ADMIN);
    own_token(w, 'w', ROLE_WORKER);
    world_flush(w);
}

/*  kill -9: the core's memory goes, the rows stay. */
static inline void world_restart(struct world *w)
{
    world_clear(w);
    turn_close(&w->turn);
    world_start(w);
}

static inline struct world *world_new(void)
{
    struct world *w = calloc(1, sizeof(*w));
    struct diag why;
    w->limits = (struct limits){ 10000, 10000, 1000, 100, 20, 100,   16,    64,
                                 8,     8,     16,   64,  64, 20000, 20000, 20000 };
    w->config = core_config();
    w->now_ms = 1000;
    w->wire = (struct wire){ w->list, 0, sizeof(w->list), false };
    assert_int_equal(store_open(&w->store, NULL, &why), OK);
    world_start(w);
    return w;
}

static inline void world_free(struct world *w)
{
    world_clear(w);
    turn_close(&w->turn);
    store_close(&w->store);
    free(w);
}

/*  Says one message to the head, through the codec, and lets it answer. */
static inline void say_proved(struct world *w, uint32_t peer, enum msg_kind kind, const void *value,
                              const struct proof *proof)
{
    static uint8_t bytes[256 * 1024];
    struct wire frame = { bytes, 0, sizeof(bytes), false };
    struct msg msg;
    world_clear(w);
    proto_put(&frame, kind, value);
    assert_int_equal(proto_decode(slice_of(frame.p, frame.n), &msg, NULL), OK);
    turn_event(w->turn, &(struct event){ .kind = EV_MESSAGE,
                                         .peer = peer,
                                         .now_ms = w->now_ms,
                                         .wall_ms = 1700000000000 + w->now_ms,
                                         .msg = &msg,
                                         .proof = proof });
    world_flush(w);
    w->wire.n = 0;
}

static inline void say(struct world *w, uint32_t peer, enum msg_kind kind, const void *value)
{
    say_proved(w, peer, kind, value, NULL);
}

static inline void pass(struct world *w, uint64_t ms)
{
    enum {
        STEP_MS = 250
    }; /* as the head's own timers wake it: a longer gap means that it stood still */
    world_clear(w);
    while (ms > 0) {
        uint64_t step = ms < STEP_MS ? ms : STEP_MS;
        ms -= step;
        w->now_ms += step;
        turn_event(w->turn, &(struct event){ .kind = EV_TICK,
                                             .now_ms = w->now_ms,
                                             .wall_ms = 1700000000000 + w->now_ms });
        world_flush(w);
    }
}

/*  The n-th message of a kind that the head has said since the last say(); NULL: there is none. */
static inline const struct msg *heard(const struct world *w, enum msg_kind kind, uint32_t n)
{
    for (uint32_t i = 0; i < w->said_count; i++) {
        if (w->said[i].msg.kind == kind && n-- == 0) {
            return &w->said[i].msg;
        }
    }
    return NULL;
}

static inline const struct msg *must_hear(const struct world *w, enum msg_kind kind)
{
    const struct msg *msg = heard(w, kind, 0);
    if (!msg) {
        for (uint32_t i = 0; i < w->said_count; i++) {
            char text[300];
            print_message("said: %s\n", proto_print(&w->said[i].msg, text, sizeof(text)));
        }
        fail_msg("the head did not say %s", proto_name(kind));
    }
    return msg;
}

static inline struct list amount(struct world *w, const char *name, double count)
{
    size_t from = w->wire.n;
    proto_put_record(&w->wire, REC_AMOUNT,
                     &(struct rec_amount){ slice_text(name), (uint64_t)(count * UNITS_PER_ONE) });
    return (struct list){ slice_of(w->list + from, w->wire.n - from), 1 };
}

static inline void hello(struct world *w, uint32_t peer, uint32_t role)
{
    struct proof proof = proof_of(role == 2 ? 'w' : 'a');
    say_proved(w, peer, MSG_HELLO, &(struct msg_hello){ .major = PROTO_MAJOR, .role = role },
               &proof);
    must_hear(w, MSG_WELCOME);
}

static inline uint64_t join(struct world *w, uint32_t peer, uint64_t node, const char *key,
                            double cpus)
{
    hello(w, peer, 2);
    say(w, peer, MSG_NODE_JOIN,
        &(struct msg_node_join){ .node = node,
                                 .key = slice_text(key),
                                 .name = slice_text(key),
                                 .capacity = amount(w, "CPU", cpus) });
    return must_hear(w, MSG_NODE_JOINED)->as.node_joined.node;
}

static inline uint64_t open_job(struct world *w, uint32_t peer, const char *submission)
{
    hello(w, peer, 1);
    say(w, peer, MSG_JOB_OPEN,
        &(struct msg_job_open){ .submission = slice_text(submission),
                                .kind = JOB_ATTACHED,
                                .durability = DURABLE_PROCESS });
    return must_hear(w, MSG_JOB_OPENED)->as.job_opened.session;
}

static inline struct rec_spec spec_of(struct world *w, double cpus)
{
    return (struct rec_spec){ .index = 1,
                              .kind = SPEC_FUNCTION,
                              .name = slice_text("f"),
                              .demand = amount(w, "CPU", cpus),
                              .max_retries = 3,
                              .backoff_ms = 100,
                              .backoff_ms_max = 30000,
                              .crash_limit = 10 };
}

/*  Submits `count` tasks of one spec. */
static inline void submit(struct world *w, uint64_t session, uint64_t first, uint32_t count,
                          struct rec_spec spec)
{
    size_t at = w->wire.n;
    proto_put_record(&w->wire, REC_SPEC, &spec);
    struct list specs = { slice_of(w->list + at, w->wire.n - at), 1 };
    at = w->wire.n;
    for (uint32_t i = 0; i < count; i++) {
        proto_put_record(&w->wire, REC_CALL,
                         &(struct rec_call){ .spec = spec.index, .args = slice_text("\x90") });
    }
    struct list calls = { slice_of(w->list + at, w->wire.n - at), count };
    say(w, CLIENT, MSG_SUBMIT,
        &(struct msg_submit){ .session = session, .first = first, .specs = specs, .calls = calls });
}

static inline void done(struct world *w, uint64_t node, const struct rec_start *start,
                        uint32_t outcome, int32_t status)
{
    proto_put_record(&w->wire, REC_DONE,
                     &(struct rec_done){ .task = start->task,
                                         .token = start->token,
                                         .outcome = outcome,
                                         .status = status,
                                         .started_ms = 1,
                                         .run_us = 20000,
                                         .value = slice_text("\x07") });
    say(w, WORKER, MSG_DONE,
        &(struct msg_done){ .seq = 5, .node = node, .done = wire_list(&w->wire, 1) });
}

/*  The i-th start that the head has said since the last say(); false: there is none. */
static inline bool start_at(const struct world *w, uint32_t i, struct rec_start *out)
{
    const struct msg *msg;
    for (uint32_t n = 0; (msg = heard(w, MSG_START, n)) != NULL; n++) {
        struct list starts = msg->as.start.starts;
        while (next_start(&starts, out)) {
            if (i-- == 0) {
                return true;
            }
        }
    }
    return false;
}

static inline bool result_of(const struct world *w, uint64_t task, struct rec_result *out)
{
    const struct msg *msg;
    for (uint32_t n = 0; (msg = heard(w, MSG_RESULTS, n)) != NULL; n++) {
        struct list results = msg->as.results.results;
        while (next_result(&results, out)) {
            if (out->task == task) {
                return true;
            }
        }
    }
    return false;
}
#endif
