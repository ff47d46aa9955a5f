/*  worker_world.h - the world around the worker's core for its tests: a head that sends frames, a shell that does what
    acts say, executors that begin and end tasks when they are told to.  Every message passes the codec both ways,
    every frame is heap memory of its own, freed at ACT_FREE_FRAME, so that a sanitizer sees whoever reads it later. */
#ifndef RAYC_TESTS_WORKER_WORLD_H
#define RAYC_TESTS_WORKER_WORLD_H
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>
#include "worker/core/worker.h"

enum {
    FRAMES = 1 << 18,
    EXECUTORS = 64,
    GIVEN_MAX = 4096,
    DONES = 1 << 17,
    QUEUE = 4096,
    LIST_MAX = 1 << 20,
    EPOCH = 7,
    NODE = 42
};

struct executor_sim {
    bool live, up, resident;
    const struct spec_view *spec;
    uint32_t given, begun, reported; /* numbers, as in channel.h */
    uint64_t tasks[GIVEN_MAX];       /* by number; 0: void */
    uint64_t one_shot;
    uint32_t gives; /* ACT_GIVE that began a batch */
    int killed;
    char gpus[256];
};

struct done_seen {
    uint64_t task, token, report, started_ms;
    uint32_t outcome;
    int32_t status;
    bool acknowledged;
    char text[80];
};

struct world {
    void *memory;
    struct worker *worker;
    struct worker_limits limits;
    uint64_t now;
    uint8_t *frames[FRAMES];
    uint32_t frame_next, frames_freed;
    struct executor_sim executors[EXECUTORS];
    struct worker_event queue[QUEUE];
    uint32_t queue_first, queue_count;
    struct done_seen dones[DONES];
    uint32_t done_count;
    uint32_t sent[MSG_KINDS];
    struct msg last[MSG_KINDS]; /* numbers only: lists and texts are gone */
    struct rec_held held[1024]; /* of the last whole inventory, or of the last beat */
    uint32_t held_count;
    uint32_t spawned, taken_back, fetched, resent, forgotten;
    int exited; /* 1 + how */
    bool no_spawn, no_fetch, no_die;
    uint64_t start_seq;
    uint32_t orphan_ms;
    uint64_t deadline;
};

static void world_do(struct world *world, const struct act *act);

/*  Does all that is ready; then says what the shell has to say of it; until it is quiet. */
static void world_settle(struct world *world)
{
    struct worker_batch batch;
    struct diag why = { 0 };
    for (;;) {
        while (worker_ready(world->worker, &batch)) {
            for (uint32_t i = 0; i < batch.act_count; i++) {
                world_do(world, &batch.acts[i]);
            }
        }
        world->deadline = batch.deadline_ms;
        if (world->queue_count == 0) {
            break;
        }
        struct worker_event event = world->queue[world->queue_first++ % QUEUE];
        world->queue_count--;
        event.now_ms = world->now;
        event.wall_ms = world->now + 1000000;
        worker_step(world->worker, &event);
    }
    if (!worker_check(world->worker, &why)) {
        fail_msg("worker_check: %s (%u)", why.text, why.line);
    }
}

static void world_push(struct world *world, struct worker_event event)
{
    assert_true(world->queue_count < QUEUE);
    world->queue[(world->queue_first + world->queue_count++) % QUEUE] = event;
}

static void world_tell(struct world *world, struct worker_event event)
{
    world_push(world, event);
    world_settle(world);
}

/*  Time passes, stopping at each deadline as the shell does. */
static void world_wait(struct world *world, uint64_t ms)
{
    uint64_t end = world->now + ms;
    while (world->now < end) {
        uint64_t next = world->deadline > world->now ? world->deadline : world->now + 1;
        world->now = next < end ? next : end;
        world_tell(world, (struct worker_event){ .kind = WEV_TICK });
    }
}

/*  Encodes a message into a frame of its own, and decodes it; returns the frame's number. */
static uint32_t world_frame(struct world *world, enum msg_kind kind, const void *value, struct msg *msg)
{
    static uint8_t bytes[LIST_MAX];
    struct wire wire = { .p = bytes, .capacity = sizeof(bytes) };
    proto_put(&wire, kind, value);
    assert_false(wire.full);
    uint32_t frame = world->frame_next++;
    assert_true(frame < FRAMES);
    world->frames[frame] = malloc(wire.n);
    memcpy(world->frames[frame], wire.p, wire.n);
    struct diag why;
    if (proto_decode(slice_of(world->frames[frame], wire.n), msg, &why) != OK) {
        fail_msg("%s: %s: %s", proto_name(kind), why.field, why.text);
    }
    return frame;
}

static void world_say(struct world *world, enum msg_kind kind, const void *value)
{
    struct msg msg;
    uint32_t frame = world_frame(world, kind, value, &msg);
    world_tell(world, (struct worker_event){ .kind = WEV_MESSAGE, .msg = &msg, .frame = frame });
}

static void see_message(struct world *world, const struct msg *msg)
{
    static uint8_t bytes[LIST_MAX];
    static bool more;
    struct wire wire = { .p = bytes, .capacity = sizeof(bytes) };
    struct msg again;
    proto_put(&wire, msg->kind, &msg->as);
    assert_false(wire.full);
    assert_int_equal(proto_decode(slice_of(wire.p, wire.n), &again, NULL), OK);
    assert_true(proto_same(msg, &again));
    world->sent[msg->kind]++;
    world->last[msg->kind] = *msg;
    if (msg->kind == MSG_INVENTORY || msg->kind == MSG_NODE_BEAT) {
        bool inventory = msg->kind == MSG_INVENTORY;
        struct list list = inventory ? msg->as.inventory.held : msg->as.node_beat.running;
        struct rec_held held;
        world->held_count = inventory && more ? world->held_count : 0;
        while (next_held(&list, &held)) {
            world->held[world->held_count++ % COUNT(world->held)] = held;
        }
        more = inventory && !msg->as.inventory.last;
    }
}

static void see_report(struct world *world, const struct act *act)
{
    assert_true(world->done_count < DONES);
    struct done_seen *done = &world->dones[world->done_count++];
    const struct rec_done *told = &act->as.done;
    *done = (struct done_seen){ told->task,       told->token,  act->report, told->started_ms,
                                told->outcome, told->status, false,       "" };
    slice_copy_text(told->text, done->text, sizeof(done->text));
}

static void see_kill(struct world *world, const struct act *act)
{
    struct executor_sim *executor = &world->executors[act->executor];
    assert_true(executor->live);
    executor->killed = act->how;
    if (!world->no_die && (act->how == SIGKILL || (act->how == SIGTERM && executor->resident))) {
        world_push(world, (struct worker_event){ .kind = WEV_EXITED,
                                                 .executor = act->executor,
                                                 .status = -act->how,
                                                 .number = executor->begun });
        executor->live = false;
    }
}

static void see_executor(struct world *world, const struct act *act)
{
    struct executor_sim *executor = &world->executors[act->executor];
    if (act->kind == ACT_SPAWN) {
        assert_false(executor->live);
        *executor = (struct executor_sim){ .live = true,
                                           .resident = act->spec->kind == SPEC_FUNCTION,
                                           .one_shot = act->held.task,
                                           .spec = act->spec };
        memcpy(executor->gpus, act->gpus, sizeof(executor->gpus));
        world->spawned++;
        executor->up = !world->no_spawn;
        if (executor->up) {
            world_push(world, (struct worker_event){ .kind = WEV_SPAWNED, .executor = act->executor, .pid = 1 });
        }
    } else if (act->kind == ACT_GIVE) {
        assert_true(executor->live && executor->up && executor->resident);
        assert_true(act->held.args.n == 0 || act->held.args.p[0] == 0x90); /* its frame is still there */
        executor->tasks[executor->given++ % GIVEN_MAX] = act->held.task;
        executor->gives++;
    } else {
        world->taken_back++;
        if (executor->live) {
            world_push(world, (struct worker_event){ .kind = WEV_TAKEN,
                                                     .executor = act->executor,
                                                     .number = executor->begun });
            for (; executor->begun < executor->given; executor->begun++) {
                executor->tasks[executor->begun % GIVEN_MAX] = 0; /* void */
            }
        }
    }
}

static void see_frame_freed(struct world *world, uint32_t frame)
{
    assert_true(frame < world->frame_next && world->frames[frame] != NULL);
    free(world->frames[frame]);
    world->frames[frame] = NULL;
    world->frames_freed++;
}

static void see_known_report(struct world *world, uint64_t report, bool forget)
{
    uint32_t known = 0;
    for (uint32_t i = world->done_count; i-- > 0 && world->dones[i].report >= report;) {
        if (world->dones[i].report == report) {
            assert_false(world->dones[i].acknowledged);
            world->dones[i].acknowledged = forget;
            known++;
        }
    }
    assert_true(known > 0);
}

static void world_do(struct world *world, const struct act *act)
{
    assert_int_equal(world->exited, 0);
    switch (act->kind) {
    case ACT_SEND:
        see_message(world, &act->as.msg);
        break;
    case ACT_REPORT:
        see_report(world, act);
        break;
    case ACT_RESEND:
        world->resent++;
        see_known_report(world, act->report, false);
        break;
    case ACT_FORGET:
        world->forgotten++;
        see_known_report(world, act->report, true);
        break;
    case ACT_FETCH:
        world->fetched++;
        if (!world->no_fetch) {
            world_push(world, (struct worker_event){ .kind = WEV_PROGRAM, .hash = slice_text(act->spec->program) });
        }
        break;
    case ACT_SPAWN:
    case ACT_GIVE:
    case ACT_TAKE_BACK:
        see_executor(world, act);
        break;
    case ACT_KILL:
        see_kill(world, act);
        break;
    case ACT_FREE_FRAME:
        see_frame_freed(world, act->frame);
        break;
    case ACT_EXIT:
        world->exited = 1 + act->how;
        break;
    }
}
#endif
