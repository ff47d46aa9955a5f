/*  step.c - libFuzzer: any frames, from three peers, to a head on a store in memory.  Whatever decodes is taken;
    no message can make the head abort, and every invariant of the core holds after each.
    Input: for each frame two bytes of length, one of peer and passing time, then the frame. */
#include <stdlib.h>
#include "common/log.h"
#include "head/turn.h"

enum { PEERS = 3, FRAMES_MAX = 64 };

static void drop(void *context, uint32_t peer, struct slice frame)
{
    (void)context;
    (void)peer;
    struct msg msg;
    ensure(proto_decode(frame, &msg, NULL) == OK); /* what the head says is well-formed */
}

struct run {
    struct turn *turn;
    uint64_t now_ms;
};

static void take(struct run *run, uint32_t peer, const struct msg *msg)
{
    struct diag why = { 0 };
    struct proof proof = {
        .kind = PROOF_TOKEN
    }; /* the first peers are an admin's, the last a worker's */
    proof.hash[0] = peer == PEERS ? ROLE_WORKER : ROLE_ADMIN;
    turn_event(run->turn, &(struct event){ .kind = peer == 0 ? EV_OWN : EV_MESSAGE,
                                           .peer = peer,
                                           .now_ms = run->now_ms,
                                           .wall_ms = run->now_ms,
                                           .msg = msg,
                                           .proof = &proof });
    ensure(turn_flush(run->turn, run->now_ms, run->now_ms) == OK);
    ensure(turn_synced(run->turn, run->now_ms, run->now_ms) == OK);
    ensure(core_check(turn_core(run->turn), &why));
}

static void feed(struct run *run, const uint8_t *data, size_t size)
{
    for (int i = 0; i < FRAMES_MAX && size >= 3; i++) {
        size_t n = data[0] | (size_t)data[1] << 8;
        uint32_t peer = 1 + data[2] % PEERS;
        run->now_ms += data[2] >> 2;
        data += 3;
        size -= 3;
        n = n < size ? n : size;
        struct msg msg;
        if (proto_decode(slice_of(data, n), &msg, NULL) == OK && proto_to_head(msg.kind)) {
            take(run, peer, &msg);
        }
        data += n;
        size -= n;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct limits limits = { 500, 500, 100, 50, 10, 20, 8, 8, 8, 8, 8, 64, 64, 1000, 4000, 1000 };
    struct config config = core_config();
    struct store *store = NULL;
    struct run run = { .now_ms = 1000 };
    struct diag why;
    log_level_set(LOG_LEVEL_ERROR);
    ensure(store_open(&store, NULL, &why) == OK);
    ensure(turn_open(&run.turn, store, &limits, &config, 1, drop, NULL) == OK);
    ensure(turn_restore(run.turn, run.now_ms, run.now_ms) == OK);
    for (uint32_t role = ROLE_ADMIN; role <= ROLE_WORKER; role++) {
        uint8_t hash[TOKEN_HASH_BYTES] = { (uint8_t)role };
        struct msg token = { .kind = MSG_TOKEN_PUT };
        token.as.token_put =
            (struct msg_token_put){ .role = role, .hash = slice_of(hash, sizeof(hash)) };
        take(&run, 0, &token);
    }
    for (uint32_t peer = 1; peer <= PEERS; peer++) {
        struct msg hello = { .kind = MSG_HELLO };
        hello.as.hello.major = PROTO_MAJOR;
        hello.as.hello.role = peer == PEERS ? 2 : 1;
        take(&run, peer, &hello);
    }
    feed(&run, data, size);
    turn_close(&run.turn);
    store_close(&store);
    return 0;
}
