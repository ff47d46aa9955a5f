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
    uint64_t checkpoint_bytes;
    uint32_t outcome;
    int32_t status;
    bool acknowledged;
    char text[80];
    bool unseal;
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
    struct rec_held held[1024]; /* of the last whole inventory, beat or NODE_WAITS */
    uint32_t held_count;
    uint32_t spawned, taken_back, fetched, resent, forgotten, pulled;
    uint64_t pull_user; /* of the last ACT_PULL */
    int exited;         /* 1 + how */
    bool no_spawn, no_fetch, no_die;
    uint64_t start_seq;
    uint64_t inventory_known; /* by the head that says START */
    uint32_t orphan_ms;
    uint64_t deadline;
};

static inline void world_do(struct world *world, const struct act *act);

/*  Does all that is ready; then says what the shell has to say of it; until it is quiet. */
static inline void world_settle(struct world *world)
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

static inline void world_push(struct world *world, struct worker_event event)
{
    assert_true(world->queue_count < QUEUE);
    world->queue[(world->queue_first + world->queue_count++) % QUEUE] = event;
}

static inline void world_tell(struct world *world, struct worker_event event)
{
    world_push(world, event);
    world_settle(world);
}

/*  Time passes, stopping at each deadline as the shell does. */
static inline void world_wait(struct world *world, uint64_t ms)
{
    uint64_t end = world->now + ms;
    while (world->now < end) {
        uint64_t next = world->deadline > world->now ? world->deadline : world->now + 1;
        world->now = next < end ? next : end;
        world_tell(world, (struct worker_event){ .kind = WEV_TICK });
    }
}

/*  Encodes a message into a frame of its own, and decodes it; returns the frame's number. */
static inline uint32_t world_frame(struct world *world, enum msg_kind kind, const void *value,
                                   struct msg *msg)
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

static inline void world_say(struct world *world, enum msg_kind kind, const void *value)
{
    struct msg msg;
    uint32_t frame = world_frame(world, kind, value, &msg);
    world_tell(world, (struct worker_event){ .kind = WEV_MESSAGE, .msg = &msg, .frame = frame });
}

static inline void world_ack(struct world *world, uint64_t report)
{
    uint8_t bytes[16];
    struct wire wire = { bytes, 0, sizeof(bytes), false };
    proto_put_record(&wire, REC_ID, &(struct rec_id){ report });
    world_say(world, MSG_DONE_ACK, &(struct msg_done_ack){ .reports = wire_list(&wire, 1) });
}

static inline void see_message(struct world *world, const struct msg *msg)
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
    if (msg->kind == MSG_INVENTORY || msg->kind == MSG_NODE_BEAT || msg->kind == MSG_NODE_WAITS) {
        bool inventory = msg->kind == MSG_INVENTORY;
        struct list list = inventory                    ? msg->as.inventory.held
                           : msg->kind == MSG_NODE_BEAT ? msg->as.node_beat.running
                                                        : msg->as.node_waits.held;
        struct rec_held held;
        world->held_count = inventory && more ? world->held_count : 0;
        while (next_held(&list, &held)) {
            world->held[world->held_count++ % COUNT(world->held)] = held;
        }
        more = inventory && !msg->as.inventory.last;
    }
}

static inline void see_report(struct world *world, const struct act *act)
{
    assert_true(world->done_count < DONES);
    struct done_seen *done = &world->dones[world->done_count++];
    const struct rec_done *told = &act->as.done;
    *done = (struct done_seen){ .task = told->task,
                                .token = told->token,
                                .report = act->report,
                                .started_ms = told->started_ms,
                                .checkpoint_bytes = told->checkpoint.n,
                                .outcome = told->outcome,
                                .status = told->status,
                                .unseal = act->unseal };
    slice_copy_text(told->text, done->text, sizeof(done->text));
}

static inline void see_kill(struct world *world, const struct act *act)
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

static inline void see_executor(struct world *world, const struct act *act)
{
    struct executor_sim *executor = &world->executors[act->executor];
    if (act->kind == ACT_SPAWN) {
        assert_false(executor->live);
        *executor = (struct executor_sim){ .live = true,
                                           .resident = spec_is_resident(act->spec->kind),
                                           .one_shot = act->held.task,
                                           .spec = act->spec };
        memcpy(executor->gpus, act->gpus, sizeof(executor->gpus));
        world->spawned++;
        executor->up = !world->no_spawn;
        if (executor->up) {
            world_push(world, (struct worker_event){
                                  .kind = WEV_SPAWNED, .executor = act->executor, .pid = 1 });
        }
    } else if (act->kind == ACT_GIVE) {
        assert_true(executor->live && executor->up && executor->resident);
        assert_true(act->held.args.n == 0 ||
                    act->held.args.p[0] == 0x90); /* its frame is still there */
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

static inline void see_frame_freed(struct world *world, uint32_t frame)
{
    assert_true(frame < world->frame_next && world->frames[frame] != NULL);
    free(world->frames[frame]);
    world->frames[frame] = NULL;
    world->frames_freed++;
}

static inline void see_known_report(struct world *world, uint64_t report, bool forget)
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

static inline void world_do(struct world *world, const struct act *act)
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
            world_push(world,
                       (struct worker_event){ .kind = WEV_PROGRAM, .hash = slice_text(act->hash) });
        }
        break;
    case ACT_PULL:
        world->pulled++;
        world->pull_user = act->user;
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
struct spec_told {
    uint64_t id;
    uint32_t kind;
    uint64_t cpus, gpus;
    uint32_t run_ms_max;
    const char *program, *odd; /* odd: a resource that no node has */
    const char *package;
    uint32_t concurrency;
    uint64_t job; /* 0: 1 */
};

static inline struct world *world_new(uint64_t cpus, uint64_t gpus, struct worker_limits limits)
{
    struct world *world = calloc(1, sizeof(*world));
    struct worker_config config = {
        .name = "here", .idle_ms = 1000, .grace_ms = 300, .amount_count = 2
    };
    memset(config.key, 'a', HASH_TEXT);
    strcpy(config.version, "0.1");
    strcpy(config.amounts[0].name, "CPU");
    config.amounts[0].units = cpus;
    strcpy(config.amounts[1].name, "GPU");
    config.amounts[1].units = gpus;
    for (int i = 0; i < 8; i++) {
        config.gpus[i][0] = (char)('0' + i);
    }
    world->limits = limits;
    world->now = 5000;
    world->orphan_ms = 60000;
    world->memory = aligned_alloc(64, (worker_bytes(&limits) + 63) & ~(size_t)63);
    memset(world->memory, 0xA5, worker_bytes(&limits));
    world->worker = worker_init(world->memory, &limits, &config);
    return world;
}

static inline void world_free(struct world *world)
{
    for (uint32_t i = 0; i < world->frame_next; i++) {
        free(world->frames[i]);
    }
    free(world->memory);
    free(world);
}

static inline void welcome(struct world *world, uint64_t epoch)
{
    world_say(world, MSG_WELCOME,
              &(struct msg_welcome){ .major = PROTO_MAJOR,
                                     .epoch = epoch,
                                     .cluster = slice_text("c1"),
                                     .beat_ms = 1000,
                                     .lease_ms = 30000,
                                     .orphan_ms = world->orphan_ms });
}

static inline void connect_to(struct world *world, uint64_t epoch, uint64_t node)
{
    world_tell(world, (struct worker_event){ .kind = WEV_CONNECTED });
    welcome(world, epoch);
    world_say(world, MSG_NODE_JOINED, &(struct msg_node_joined){ .node = node });
}

static inline struct world *joined(uint64_t cpus, uint64_t gpus)
{
    struct worker_limits limits = {
        .attempts = 4096, .executors = 16, .specs = 16, .reports = 4096
    };
    struct world *world = world_new(cpus, gpus, limits);
    connect_to(world, EPOCH, NODE);
    return world;
}

static inline void put_spec(struct wire *wire, const struct spec_told *spec)
{
    uint8_t bytes[256];
    struct wire demand = { .p = bytes, .capacity = sizeof(bytes) };
    uint32_t count = 0;
    struct rec_amount amounts[] = { { slice_text("CPU"), spec->cpus },
                                    { slice_text("GPU"), spec->gpus },
                                    { slice_text(spec->odd ? spec->odd : ""), spec->odd ? 1 : 0 } };
    for (size_t i = 0; i < COUNT(amounts); i++) {
        if (amounts[i].units > 0) {
            proto_put_record(&demand, REC_AMOUNT, &amounts[i]);
            count++;
        }
    }
    uint8_t package_bytes[128];
    struct wire packages = { .p = package_bytes, .capacity = sizeof(package_bytes) };
    if (spec->package) {
        proto_put_record(&packages, REC_PACKAGE,
                         &(struct rec_package){ .hash = slice_text(spec->package),
                                                .kind = PACKAGE_WORKING_DIR });
    }
    proto_put_record(
        wire, REC_SPEC_INFO,
        &(struct rec_spec_info){ .id = spec->id,
                                 .job = spec->job ? spec->job : 1,
                                 .kind = spec->kind,
                                 .user = 7,
                                 .packages = wire_list(&packages, spec->package != NULL),
                                 .name = slice_text("f"),
                                 .program = slice_text(spec->program),
                                 .body = slice_text("body"),
                                 .demand = wire_list(&demand, count),
                                 .run_ms_max = spec->run_ms_max,
                                 .concurrency = spec->concurrency,
                                 .submission = slice_text("s") });
}

/*  START of `count` tasks from `first`; the token of task t is t + token. */
static inline void start_at(struct world *world, uint64_t seq, const struct spec_told *told,
                            uint64_t spec, uint64_t first, uint32_t count, uint64_t token)
{
    static uint8_t spec_bytes[4096], start_bytes[LIST_MAX / 2];
    struct wire specs = { .p = spec_bytes, .capacity = sizeof(spec_bytes) };
    struct wire starts = { .p = start_bytes, .capacity = sizeof(start_bytes) };
    if (told) {
        put_spec(&specs, told);
    }
    uint8_t args[] = { 0x90 };
    for (uint32_t i = 0; i < count; i++) {
        proto_put_record(&starts, REC_START,
                         &(struct rec_start){ .task = first + i,
                                              .token = first + i + token,
                                              .attempt = 1,
                                              .spec = spec,
                                              .args = slice_of(args, sizeof(args)) });
    }
    world_say(world, MSG_START,
              &(struct msg_start){ .seq = seq,
                                   .specs = wire_list(&specs, told != NULL),
                                   .starts = wire_list(&starts, count) });
}

static inline void start(struct world *world, const struct spec_told *told, uint64_t first,
                         uint32_t count)
{
    start_at(world, ++world->start_seq, told, told->id, first, count, 1000);
}

static inline void recall(struct world *world, uint64_t task, uint64_t token, uint32_t force)
{
    uint8_t bytes[64];
    struct wire wire = { .p = bytes, .capacity = sizeof(bytes) };
    proto_put_record(&wire, REC_LEASE, &(struct rec_lease){ task, token, force });
    world_say(world, MSG_RECALL, &(struct msg_recall){ .leases = wire_list(&wire, 1) });
}

static inline void acknowledge_all(struct world *world)
{
    for (uint32_t i = 0; i < world->done_count; i++) {
        if (!world->dones[i].acknowledged) {
            world_ack(world, world->dones[i].report);
        }
    }
}

/*  The executor begins its next task; false if it has none. */
static inline bool begin(struct world *world, uint32_t index)
{
    struct executor_sim *executor = &world->executors[index];
    if (!executor->live || executor->begun == executor->given) {
        return false;
    }
    executor->begun++;
    return true;
}

/*  The executor tells that the oldest begun task has ended. */
static inline bool ran(struct world *world, uint32_t index, uint32_t outcome, uint64_t run_us)
{
    struct executor_sim *executor = &world->executors[index];
    while (executor->reported < executor->begun &&
           executor->tasks[executor->reported % GIVEN_MAX] == 0) {
        executor->reported++;
    }
    if (!executor->live || executor->reported == executor->begun) {
        return false;
    }
    struct rec_ran told = { .number = executor->reported++,
                            .outcome = outcome,
                            .started_ms = 9,
                            .run_us = run_us,
                            .value = slice_text("v") };
    world_push(world, (struct worker_event){ .kind = WEV_RAN, .executor = index, .ran = &told });
    world_settle(world);
    return true;
}

static inline void finish_all(struct world *world, uint64_t run_us)
{
    bool more = true;
    while (more) {
        more = false;
        for (uint32_t i = 0; i < EXECUTORS; i++) {
            begin(world, i);
            more |= ran(world, i, OUTCOME_OK, run_us);
        }
    }
}

static inline void exited(struct world *world, uint32_t executor, int32_t status, const char *text)
{
    world->executors[executor].live = false;
    world_tell(world, (struct worker_event){ .kind = WEV_EXITED,
                                             .executor = executor,
                                             .status = status,
                                             .number = world->executors[executor].begun,
                                             .text = slice_text(text) });
}

static inline uint32_t runs_task(const struct world *world, uint64_t task)
{
    for (uint32_t i = 0; i < EXECUTORS; i++) {
        const struct executor_sim *executor = &world->executors[i];
        for (uint32_t n = executor->reported;
             executor->live && executor->resident && n < executor->given; n++) {
            if (executor->tasks[n % GIVEN_MAX] == task) {
                return i;
            }
        }
        if (executor->live && !executor->resident && executor->one_shot == task) {
            return i;
        }
    }
    return NONE;
}

static inline const struct done_seen *done_of(const struct world *world, uint64_t task,
                                              uint64_t token)
{
    const struct done_seen *found = NULL;
    for (uint32_t i = 0; i < world->done_count; i++) {
        if (world->dones[i].task == task && world->dones[i].token == token) {
            assert_null(found); /* reported once */
            found = &world->dones[i];
        }
    }
    return found;
}

static inline uint32_t outcome_of(const struct world *world, uint64_t task)
{
    const struct done_seen *done = done_of(world, task, task + 1000);
    return done ? done->outcome : OUTCOMES;
}

static const struct spec_told FUNCTION = {
    .id = 1, .kind = SPEC_FUNCTION, .cpus = 10000, .program = ""
};
static const struct spec_told COMMAND = {
    .id = 2, .kind = SPEC_COMMAND, .cpus = 10000, .program = ""
};
#endif
