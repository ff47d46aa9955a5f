/*  worker_test.c - stories of the worker's core, each told through worker_step() and worker_ready(), and one long
    random one after which nothing may be lost, doubled or held. */
#include "tests/unit/worker_world.h"
#include "common/prng.h"

struct spec_told {
    uint64_t id;
    uint32_t kind;
    uint64_t cpus, gpus;
    uint32_t run_ms_max;
    const char *program, *odd; /* odd: a resource that no node has */
};

static struct world *world_new(uint64_t cpus, uint64_t gpus, struct worker_limits limits)
{
    struct world *world = calloc(1, sizeof(*world));
    struct worker_config config = { .name = "here", .idle_ms = 1000, .grace_ms = 300, .amount_count = 2 };
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

static void world_free(struct world *world)
{
    for (uint32_t i = 0; i < world->frame_next; i++) {
        free(world->frames[i]);
    }
    free(world->memory);
    free(world);
}

static void welcome(struct world *world, uint64_t epoch)
{
    world_say(world, MSG_WELCOME,
              &(struct msg_welcome){ .major = PROTO_MAJOR, .epoch = epoch, .cluster = slice_text("c1"),
                                     .beat_ms = 1000, .lease_ms = 30000, .orphan_ms = world->orphan_ms });
}

static void connect_to(struct world *world, uint64_t epoch, uint64_t node)
{
    world_tell(world, (struct worker_event){ .kind = WEV_CONNECTED });
    welcome(world, epoch);
    world_say(world, MSG_NODE_JOINED, &(struct msg_node_joined){ .node = node });
}

static struct world *joined(uint64_t cpus, uint64_t gpus)
{
    struct worker_limits limits = { .attempts = 4096, .executors = 16, .specs = 16, .reports = 64 };
    struct world *world = world_new(cpus, gpus, limits);
    connect_to(world, EPOCH, NODE);
    return world;
}

static void put_spec(struct wire *wire, const struct spec_told *spec)
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
    proto_put_record(wire, REC_SPEC_INFO,
                     &(struct rec_spec_info){ .id = spec->id, .job = 1, .kind = spec->kind, .name = slice_text("f"),
                                              .program = slice_text(spec->program), .body = slice_text("body"),
                                              .demand = wire_list(&demand, count),
                                              .run_ms_max = spec->run_ms_max, .submission = slice_text("s") });
}

/*  START of `count` tasks from `first`; the token of task t is t + token. */
static void start_at(struct world *world, uint64_t seq, const struct spec_told *told, uint64_t spec, uint64_t first,
                     uint32_t count, uint64_t token)
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
                         &(struct rec_start){ .task = first + i, .token = first + i + token, .attempt = 1,
                                              .spec = spec, .args = slice_of(args, sizeof(args)) });
    }
    world_say(world, MSG_START,
              &(struct msg_start){ .seq = seq, .specs = wire_list(&specs, told != NULL),
                                   .starts = wire_list(&starts, count) });
}

static void start(struct world *world, const struct spec_told *told, uint64_t first, uint32_t count)
{
    start_at(world, ++world->start_seq, told, told->id, first, count, 1000);
}

static void recall(struct world *world, uint64_t task, uint64_t token, uint32_t force)
{
    uint8_t bytes[64];
    struct wire wire = { .p = bytes, .capacity = sizeof(bytes) };
    proto_put_record(&wire, REC_LEASE, &(struct rec_lease){ task, token, force });
    world_say(world, MSG_RECALL, &(struct msg_recall){ .leases = wire_list(&wire, 1) });
}

static void acknowledge_all(struct world *world)
{
    for (uint32_t i = 0; i < world->done_count; i++) {
        if (!world->dones[i].acknowledged) {
            world_say(world, MSG_DONE_ACK, &(struct msg_done_ack){ .seq = world->dones[i].report });
        }
    }
}

/*  The executor begins its next task; false if it has none. */
static bool begin(struct world *world, uint32_t index)
{
    struct executor_sim *executor = &world->executors[index];
    if (!executor->live || executor->begun == executor->given) {
        return false;
    }
    executor->begun++;
    return true;
}

/*  The executor tells that the oldest begun task has ended. */
static bool ran(struct world *world, uint32_t index, uint32_t outcome, uint64_t run_us)
{
    struct executor_sim *executor = &world->executors[index];
    while (executor->reported < executor->begun && executor->tasks[executor->reported % GIVEN_MAX] == 0) {
        executor->reported++;
    }
    if (!executor->live || executor->reported == executor->begun) {
        return false;
    }
    struct rec_ran told = { .number = executor->reported++, .outcome = outcome, .started_ms = 9, .run_us = run_us,
                            .value = slice_text("v") };
    world_push(world, (struct worker_event){ .kind = WEV_RAN, .executor = index, .ran = &told });
    world_settle(world);
    return true;
}

static void finish_all(struct world *world, uint64_t run_us)
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

static void exited(struct world *world, uint32_t executor, int32_t status, const char *text)
{
    world->executors[executor].live = false;
    world_tell(world, (struct worker_event){ .kind = WEV_EXITED, .executor = executor, .status = status,
                                             .number = world->executors[executor].begun, .text = slice_text(text) });
}

static uint32_t runs_task(const struct world *world, uint64_t task)
{
    for (uint32_t i = 0; i < EXECUTORS; i++) {
        const struct executor_sim *executor = &world->executors[i];
        for (uint32_t n = executor->reported; executor->live && executor->resident && n < executor->given; n++) {
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

static const struct done_seen *done_of(const struct world *world, uint64_t task, uint64_t token)
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

static uint32_t outcome_of(const struct world *world, uint64_t task)
{
    const struct done_seen *done = done_of(world, task, task + 1000);
    return done ? done->outcome : OUTCOMES;
}

static const struct spec_told FUNCTION = { .id = 1, .kind = SPEC_FUNCTION, .cpus = 10000, .program = "" };
static const struct spec_told COMMAND = { .id = 2, .kind = SPEC_COMMAND, .cpus = 10000, .program = "" };

static void test_join(void **state)
{
    (void)state;
    struct world *world = joined(20000, 0);
    assert_int_equal(world->sent[MSG_HELLO], 1);
    assert_int_equal(world->last[MSG_HELLO].as.hello.role, 2);
    assert_int_equal(world->last[MSG_NODE_JOIN].as.node_join.node, 0);
    assert_int_equal(world->last[MSG_NODE_JOIN].as.node_join.capacity.count, 2);
    assert_int_equal(world->sent[MSG_INVENTORY], 1);
    assert_int_equal(world->last[MSG_INVENTORY].as.inventory.last, 1);
    world_wait(world, 3500);
    assert_int_equal(world->sent[MSG_NODE_BEAT], 3);
    assert_int_equal(world->frames_freed, world->frame_next);
    world_wait(world, 60000); /* no head answers */
    assert_int_equal(world->exited, 1);
    world_free(world);
}

static void test_batches(void **state)
{
    (void)state;
    struct world *world = joined(20000, 0);
    start(world, &FUNCTION, 1, 1000);
    assert_int_equal(world->spawned, 2);
    assert_int_equal(worker_stats(world->worker).running, 2); /* of unknown length: one each */
    finish_all(world, 2);
    assert_int_equal(world->done_count, 1000);
    for (uint64_t task = 1; task <= 1000; task++) {
        assert_int_equal(outcome_of(world, task), OUTCOME_OK);
    }
    assert_true(world->executors[0].given > 100 && world->executors[1].given > 100);
    assert_int_equal(world->frames_freed, world->frame_next - 1); /* the spec's stays */
    assert_int_equal(worker_stats(world->worker).unreported, 1000);
    acknowledge_all(world);
    assert_int_equal(worker_stats(world->worker).unreported, 0);
    world_wait(world, 1200);
    assert_int_equal(worker_stats(world->worker).executors, 0); /* idle for too long */
    world_free(world);
}

static void test_death_charges_one(void **state)
{
    (void)state;
    struct world *world = joined(10000, 0);
    start(world, &FUNCTION, 1, 20);
    begin(world, 0);
    ran(world, 0, OUTCOME_OK, 10); /* now they come in batches */
    assert_int_equal(worker_stats(world->worker).running, 19);
    begin(world, 0);
    ran(world, 0, OUTCOME_APP_ERROR, 10);
    begin(world, 0);
    exited(world, 0, -SIGSEGV, "stack");
    assert_int_equal(outcome_of(world, 2), OUTCOME_APP_ERROR);
    assert_int_equal(outcome_of(world, 3), OUTCOME_SIGNAL);
    assert_string_equal(done_of(world, 3, 1003)->text, "stack");
    assert_int_equal(world->done_count, 3);
    finish_all(world, 10);
    assert_int_equal(world->done_count, 20);
    assert_int_equal(outcome_of(world, 4), OUTCOME_OK);
    world_free(world);
}

static void test_start_up_failures(void **state)
{
    (void)state;
    struct world *world = joined(10000, 0);
    start(world, &FUNCTION, 1, 2);
    exited(world, 0, 1, "");
    exited(world, 0, 1, "");
    assert_int_equal(world->done_count, 0);
    exited(world, 0, 127, "no library");
    assert_int_equal(outcome_of(world, 1), OUTCOME_EXIT);
    assert_int_equal(done_of(world, 1, 1001)->status, 127);
    exited(world, 0, 127, "no library");
    assert_int_equal(outcome_of(world, 2), OUTCOME_EXIT);
    assert_int_equal(worker_stats(world->worker).executors, 0);
    world_free(world);
}

static void test_take_back(void **state)
{
    (void)state;
    struct world *world = joined(20000, 0);
    start(world, &FUNCTION, 1, 2);
    finish_all(world, 100); /* the mean is short now: ten are a batch */
    start(world, &FUNCTION, 3, 4);
    uint32_t slow = runs_task(world, 3);
    begin(world, slow); /* and does not end */
    for (uint64_t task = 4; task <= 6; task++) {
        uint32_t other = runs_task(world, task);
        if (other != slow && begin(world, other)) {
            ran(world, other, OUTCOME_OK, 100);
        }
    }
    world_wait(world, 20);
    assert_true(world->taken_back > 0);
    finish_all(world, 100);
    assert_int_equal(world->done_count, 6);
    world_free(world);
}

static void test_taken_work_moves(void **state)
{
    (void)state;
    struct world *world = joined(10000, 0);
    start(world, &FUNCTION, 1, 1);
    finish_all(world, 10);
    start(world, &FUNCTION, 2, 10);
    begin(world, 0);
    assert_int_equal(runs_task(world, 11), 0);
    world_wait(world, 50);
    assert_int_equal(world->taken_back, 0); /* there is no CPU for another executor */
    recall(world, 5, 1005, RECALL_IF_WAITING);
    assert_int_equal(world->taken_back, 1);
    assert_int_equal(outcome_of(world, 5), OUTCOME_RETURNED);
    recall(world, 2, 1002, RECALL_IF_WAITING); /* runs: ignored */
    ran(world, 0, OUTCOME_OK, 10);
    assert_int_equal(outcome_of(world, 2), OUTCOME_OK);
    finish_all(world, 10);
    assert_int_equal(world->done_count, 11);
    world_free(world);
}

static void test_run_timeout(void **state)
{
    (void)state;
    struct world *world = joined(20000, 0);
    struct spec_told limited = FUNCTION;
    limited.run_ms_max = 200;
    struct spec_told command = COMMAND;
    command.run_ms_max = 500;
    start(world, &limited, 1, 1);
    start(world, &command, 2, 1);
    begin(world, runs_task(world, 1));
    world_wait(world, 199);
    assert_int_equal(world->done_count, 0);
    world_wait(world, 2);
    assert_int_equal(outcome_of(world, 1), OUTCOME_RUN_TIMEOUT);
    world_wait(world, 300);
    assert_int_equal(outcome_of(world, 2), OUTCOME_RUN_TIMEOUT);
    world_free(world);
}

static void test_cancel_command(void **state)
{
    (void)state;
    struct world *world = joined(10000, 0);
    start(world, &COMMAND, 1, 3);
    recall(world, 2, 1002, RECALL_TERM); /* waits */
    assert_int_equal(outcome_of(world, 2), OUTCOME_CANCELLED);
    recall(world, 1, 1001, RECALL_IF_WAITING);
    assert_int_equal(world->executors[0].killed, 0);
    recall(world, 1, 1001, RECALL_TERM);
    assert_int_equal(world->executors[0].killed, SIGTERM);
    world_wait(world, 310);
    assert_int_equal(outcome_of(world, 1), OUTCOME_CANCELLED); /* by SIGKILL, after its grace */
    uint32_t third = runs_task(world, 3);
    exited(world, third, 3, "");
    assert_int_equal(outcome_of(world, 3), OUTCOME_EXIT);
    assert_int_equal(done_of(world, 3, 1003)->status, 3);
    recall(world, 99, 1, RECALL_KILL);
    assert_int_equal(done_of(world, 99, 1)->outcome, OUTCOME_RETURNED); /* not here */
    world_free(world);
}

static void test_cancel_function(void **state)
{
    (void)state;
    struct world *world = joined(10000, 0);
    start(world, &FUNCTION, 1, 1);
    finish_all(world, 10);
    start(world, &FUNCTION, 2, 5);
    begin(world, 0);
    recall(world, 2, 1002, RECALL_TERM);
    assert_int_equal(world->executors[0].killed, SIGINT);
    ran(world, 0, OUTCOME_OK, 10);
    assert_int_equal(outcome_of(world, 2), OUTCOME_CANCELLED); /* whatever it returned */
    begin(world, 0);
    recall(world, 3, 1003, RECALL_KILL);
    assert_int_equal(outcome_of(world, 3), OUTCOME_CANCELLED);
    assert_int_equal(world->done_count, 3);
    finish_all(world, 10);
    assert_int_equal(outcome_of(world, 6), OUTCOME_OK); /* its neighbours run elsewhere */
    world_free(world);
}

static void test_duplicates_and_stale(void **state)
{
    (void)state;
    struct world *world = joined(10000, 0);
    start(world, &FUNCTION, 1, 2);
    start_at(world, ++world->start_seq, NULL, 1, 1, 2, 1000); /* the same tokens */
    assert_int_equal(worker_stats(world->worker).running + worker_stats(world->worker).waiting, 2);
    begin(world, 0);
    start_at(world, ++world->start_seq, NULL, 1, 1, 2, 2000); /* newer attempts of both */
    assert_int_equal(world->done_count, 0);
    finish_all(world, 10);
    assert_int_equal(world->done_count, 2);
    assert_non_null(done_of(world, 1, 2001));
    assert_non_null(done_of(world, 2, 2002));
    start_at(world, ++world->start_seq, NULL, 1, 1, 2, 2000); /* ended, not acknowledged: known still */
    start_at(world, ++world->start_seq, NULL, 1, 1, 2, 1000); /* older */
    assert_int_equal(worker_stats(world->worker).running + worker_stats(world->worker).waiting, 0);
    acknowledge_all(world);
    start_at(world, world->start_seq, NULL, 1, 1, 2, 2000); /* a doubled frame */
    assert_int_equal(worker_stats(world->worker).running + worker_stats(world->worker).waiting, 0);
    assert_int_equal(world->frames_freed, world->frame_next - 1);
    world_free(world);
}

static void test_gap(void **state)
{
    (void)state;
    struct world *world = joined(10000, 0);
    start(world, &FUNCTION, 1, 1);
    start_at(world, 3, NULL, 1, 5, 1, 1000); /* 2 was lost */
    assert_int_equal(world->sent[MSG_INVENTORY], 2);
    assert_int_equal(world->last[MSG_INVENTORY].as.inventory.start_seen, 3);
    assert_int_equal(world->held_count, 2);
    start_at(world, 2, NULL, 1, 9, 1, 1000); /* late: the inventory has told that it did not come */
    assert_int_equal(worker_stats(world->worker).waiting, 1);
    world_wait(world, 1000);
    assert_int_equal(world->last[MSG_NODE_BEAT].as.node_beat.start_seen, 3);
    for (int i = 0; i < 3; i++) { /* STARTs 4 and 5 are lost: two answers tell of them */
        world_say(world, MSG_NODE_BEAT_ACK,
                  &(struct msg_node_beat_ack){ .node = NODE, .sent_ms = world->now, .start_sent = 5 });
        world_wait(world, 1000);
    }
    assert_int_equal(world->sent[MSG_INVENTORY], 3);
    assert_int_equal(world->last[MSG_NODE_BEAT].as.node_beat.start_seen, 5);
    world_say(world, MSG_NODE_BEAT_ACK,
              &(struct msg_node_beat_ack){ .node = NODE, .sent_ms = world->now, .start_sent = 5, .doubt = 1 });
    assert_int_equal(world->sent[MSG_INVENTORY], 4);
    start_at(world, 6, NULL, 77, 20, 1, 1000); /* of a spec that was never told */
    assert_int_equal(world->sent[MSG_NODE_JOIN], 2);
    world_free(world);
}

static void test_reconnect(void **state)
{
    (void)state;
    struct world *world = joined(10000, 0);
    start(world, &FUNCTION, 1, 3);
    begin(world, 0);
    ran(world, 0, OUTCOME_OK, 900000);
    world_tell(world, (struct worker_event){ .kind = WEV_DISCONNECTED });
    begin(world, 0);
    ran(world, 0, OUTCOME_OK, 900000); /* work goes on */
    assert_int_equal(world->done_count, 2);
    world_tell(world, (struct worker_event){ .kind = WEV_CONNECTED });
    welcome(world, EPOCH - 1); /* not obeyed */
    assert_int_equal(world->sent[MSG_NODE_JOIN], 1);
    welcome(world, EPOCH + 1);
    assert_int_equal(world->resent, 2);
    assert_int_equal(world->last[MSG_NODE_JOIN].as.node_join.node, NODE);
    world_say(world, MSG_NODE_JOINED, &(struct msg_node_joined){ .node = NODE });
    assert_int_equal(world->last[MSG_INVENTORY].as.inventory.start_seen, 0); /* another head counts anew */
    assert_int_equal(world->held_count, 3);
    uint32_t ended = 0;
    for (uint32_t i = 0; i < 3; i++) {
        ended += world->held[i].running == 2;
    }
    assert_int_equal(ended, 2);
    world_wait(world, 2100);
    assert_int_equal(world->resent, 4); /* two beats without an answer */
    acknowledge_all(world);
    assert_int_equal(world->forgotten, 2);
    start_at(world, 1, NULL, 1, 50, 1, 1000);
    finish_all(world, 900000);
    assert_int_equal(world->done_count, 4);
    world_free(world);
}

static void test_given_up(void **state)
{
    (void)state;
    struct world *world = joined(10000, 0);
    start(world, &FUNCTION, 1, 2);
    begin(world, 0);
    world_say(world, MSG_NODE_STOP, &(struct msg_node_stop){ .why = 2 });
    assert_int_equal(worker_stats(world->worker).running + worker_stats(world->worker).waiting, 0);
    assert_int_equal(world->executors[0].killed, SIGKILL);
    assert_int_equal(world->last[MSG_NODE_JOIN].as.node_join.node, 0);
    world_say(world, MSG_NODE_JOINED, &(struct msg_node_joined){ .node = NODE }); /* an old one */
    assert_int_equal(worker_stats(world->worker).node, 0);
    world_say(world, MSG_NODE_JOINED, &(struct msg_node_joined){ .node = NODE + 1 });
    start_at(world, 1, NULL, 1, 1, 1, 3000);
    finish_all(world, 10);
    assert_int_equal(world->done_count, 1);
    world_say(world, MSG_NODE_STOP, &(struct msg_node_stop){ .why = 1 });
    assert_int_equal(world->exited, 1);
    world_free(world);
}

static void test_limits(void **state)
{
    (void)state;
    struct worker_limits limits = { .attempts = 8, .executors = 2, .specs = 2, .reports = 2 };
    struct world *world = world_new(40000, 0, limits);
    connect_to(world, EPOCH, NODE);
    start(world, &FUNCTION, 1, 10);
    assert_int_equal(outcome_of(world, 9), OUTCOME_RETURNED);
    assert_int_equal(outcome_of(world, 10), OUTCOME_RETURNED);
    assert_int_equal(worker_stats(world->worker).executors, 2);
    finish_all(world, 900000);
    assert_true(world->done_count < 10); /* too much is not acknowledged */
    acknowledge_all(world);
    for (int i = 0; i < 8; i++) {
        finish_all(world, 900000);
        acknowledge_all(world);
    }
    assert_int_equal(world->done_count, 10);
    start(world, &COMMAND, 21, 3); /* an idle executor makes room for each */
    assert_int_equal(runs_task(world, 21) == NONE, 0);
    struct spec_told third = FUNCTION;
    third.id = 3;
    start(world, &third, 31, 1);
    assert_int_equal(outcome_of(world, 31), OUTCOME_SETUP_FAILED);
    world_free(world);
}

static void test_gpus(void **state)
{
    (void)state;
    struct world *world = joined(80000, 30000);
    struct spec_told whole = { .id = 3, .kind = SPEC_FUNCTION, .cpus = 10000, .gpus = 20000, .program = "" };
    struct spec_told part = { .id = 4, .kind = SPEC_FUNCTION, .cpus = 10000, .gpus = 5000, .program = "" };
    start(world, &part, 1, 2);
    start(world, &whole, 3, 2);
    assert_string_equal(world->executors[runs_task(world, 1)].gpus, "0");
    assert_string_equal(world->executors[runs_task(world, 2)].gpus, "0");
    uint32_t executor = runs_task(world, 3);
    assert_string_equal(world->executors[executor].gpus, "1,2");
    assert_int_equal(runs_task(world, 4), NONE);
    begin(world, executor);
    ran(world, executor, OUTCOME_OK, 10); /* it ends, and another process gets the devices */
    uint32_t next = runs_task(world, 4);
    assert_int_not_equal(next, NONE);
    assert_string_equal(world->executors[next].gpus, "1,2");
    assert_int_equal(world->spawned, 4);
    world_free(world);
}

static void test_setup(void **state)
{
    (void)state;
    struct world *world = joined(10000, 0);
    struct spec_told odd = { .id = 3, .kind = SPEC_FUNCTION, .cpus = 10000, .program = "", .odd = "unicorn" };
    start(world, &odd, 1, 1);
    assert_int_equal(outcome_of(world, 1), OUTCOME_SETUP_FAILED);
    assert_non_null(strstr(done_of(world, 1, 1001)->text, "'unicorn'"));
    struct spec_told fetched = { .id = 4, .kind = SPEC_FUNCTION, .cpus = 10000, .program = "beef" };
    world->no_fetch = true;
    start(world, &fetched, 2, 2);
    assert_int_equal(world->fetched, 1);
    assert_int_equal(world->spawned, 0);
    world_tell(world, (struct worker_event){ .kind = WEV_PROGRAM, .hash = slice_text("beef"),
                                             .code = ERR_NOT_FOUND, .text = slice_text("gone") });
    assert_int_equal(outcome_of(world, 3), OUTCOME_SETUP_FAILED);
    world->no_fetch = false;
    start(world, &fetched, 4, 1);
    assert_int_equal(world->fetched, 2);
    finish_all(world, 10);
    assert_int_equal(outcome_of(world, 4), OUTCOME_OK);
    world->no_spawn = true;
    start(world, &COMMAND, 5, 1);
    world_tell(world, (struct worker_event){ .kind = WEV_SPAWN_FAILED, .executor = runs_task(world, 5), .code = 2,
                                             .text = slice_text("no such file") });
    assert_int_equal(outcome_of(world, 5), OUTCOME_SETUP_FAILED);
    world_free(world);
}

static void test_large_demand_is_not_starved(void **state)
{
    (void)state;
    struct world *world = joined(20000, 0);
    struct spec_told large = { .id = 3, .kind = SPEC_FUNCTION, .cpus = 20000, .program = "" };
    start(world, &FUNCTION, 1, 1);
    begin(world, 0);
    start(world, &large, 1000, 1); /* waits for the first to end */
    uint64_t next = 2;
    while (runs_task(world, 1000) == NONE && next < 400) {
        start(world, &FUNCTION, next++, 1);
        for (uint32_t i = 1; i < 4; i++) {
            begin(world, i);
            ran(world, i, OUTCOME_OK, 50000);
        }
        if (next == 200) {
            ran(world, 0, OUTCOME_OK, 50000);
        }
    }
    assert_in_range(next, 200, 202); /* as soon as the first has ended: the others were held back */
    world_free(world);
}

static void test_stop(void **state)
{
    (void)state;
    struct world *world = joined(10000, 0);
    start(world, &COMMAND, 1, 2);
    world_tell(world, (struct worker_event){ .kind = WEV_STOP });
    assert_int_equal(world->executors[0].killed, SIGTERM);
    assert_int_equal(world->exited, 0);
    world_wait(world, 310);
    assert_int_equal(world->sent[MSG_NODE_BYE], 1);
    assert_int_equal(world->exited, 1);
    assert_int_equal(world->done_count, 0); /* the head takes them back, uncharged */
    world_free(world);
}

/*  The random story: what the head and the executors do is drawn, the core's invariants are checked after each step. */
enum { STEPS = 100000, TOKENS = 1 << 20, SPECS = 6 };

struct story {
    struct world *world;
    struct prng prng;
    bool joined;
    uint64_t epoch, node, token, task;
    uint8_t *expected; /* by token: 1: it was taken and must be reported */
    uint64_t *newest;  /* by task: token of its newest attempt that was taken */
    struct spec_told specs[SPECS];
};

static uint64_t draw(struct story *story, uint64_t bound)
{
    return prng_below(&story->prng, bound);
}

static void story_start(struct story *story)
{
    struct world *world = story->world;
    uint64_t seq = ++world->start_seq;
    uint32_t count = 1 + (uint32_t)draw(story, 12);
    uint64_t first = draw(story, 4) == 0 && story->task > 20 ? 1 + draw(story, story->task - 15) : story->task + 1;
    uint64_t offset = story->token + 1 - first;
    if (draw(story, 30) == 0) {
        return; /* lost */
    }
    for (uint32_t i = 0; i < count; i++) {
        uint64_t task = first + i;
        story->task = task > story->task ? task : story->task;
        assert_true(++story->token < TOKENS);
        if (story->joined) {
            story->expected[story->newest[task]] = 0;
            story->newest[task] = story->token;
            story->expected[story->token] = 1;
        }
    }
    const struct spec_told *spec = &story->specs[draw(story, SPECS)];
    for (uint64_t again = draw(story, 20) == 0 ? 2 : 1; again > 0; again--) {
        start_at(world, seq, spec, spec->id, first, count, offset);
    }
}

static void story_connection(struct story *story)
{
    struct world *world = story->world;
    uint64_t what = draw(story, 20);
    if (!story->joined) {
        if (draw(story, 4) == 0) {
            story->epoch++;
            world->start_seq = 0;
        }
        connect_to(world, story->epoch, story->node);
        story->joined = true;
    } else if (what < 3) {
        memset(story->expected, 0, TOKENS);
        world_say(world, MSG_NODE_STOP, &(struct msg_node_stop){ .why = 2 });
        world->start_seq = 0;
        world_say(world, MSG_NODE_JOINED, &(struct msg_node_joined){ .node = ++story->node });
    } else if (what < 8) {
        world_tell(world, (struct worker_event){ .kind = WEV_DISCONNECTED });
        story->joined = false;
    } else if (what < 10) {
        world_say(world, MSG_WHO, &(struct msg_who){ .epoch = story->epoch });
        story->joined = false;
    } else {
        world_say(world, MSG_NODE_BEAT_ACK,
                  &(struct msg_node_beat_ack){ .node = story->node, .sent_ms = world->now,
                                               .start_sent = world->start_seq, .doubt = what == 10 });
    }
}

static void story_executor(struct story *story)
{
    struct world *world = story->world;
    uint32_t index = (uint32_t)draw(story, 8);
    struct executor_sim *executor = &world->executors[index];
    if (!executor->live) {
        return;
    }
    if (!executor->up) {
        bool fails = draw(story, 10) == 0;
        executor->up = !fails;
        executor->live = !fails;
        world_tell(world, (struct worker_event){ .kind = fails ? WEV_SPAWN_FAILED : WEV_SPAWNED, .executor = index });
        return;
    }
    uint64_t what = draw(story, 100);
    if (what < 3 || (!executor->resident && what < 30)) {
        exited(world, index, (int32_t)draw(story, 3) - 1, "died");
    } else if (what < 50) {
        begin(world, index);
    } else if (what < 52) {
        struct rec_ran wrong = { .number = (uint32_t)draw(story, 300) + executor->begun };
        executor->reported += wrong.number == executor->reported && executor->reported < executor->begun;
        if (wrong.number >= executor->given) {
            world_tell(world, (struct worker_event){ .kind = WEV_RAN, .executor = index, .ran = &wrong });
        }
    } else {
        begin(world, index);
        ran(world, index, (uint32_t)draw(story, OUTCOMES), draw(story, 3) ? draw(story, 100) : 20000);
    }
}

static void story_step(struct story *story)
{
    struct world *world = story->world;
    uint64_t what = draw(story, 100);
    world->no_spawn = draw(story, 3) > 0;
    world->no_die = false;
    if (what < 10) {
        story_start(story);
    } else if (what < 14 && story->token > 0) {
        uint64_t task = 1 + draw(story, story->task);
        uint64_t token = draw(story, 4) ? story->newest[task] : 1 + draw(story, story->token);
        recall(world, task, token, (uint32_t)draw(story, 3));
    } else if (what < 20 && world->done_count > 0) {
        uint32_t index = world->done_count - 1 - (uint32_t)draw(story, world->done_count < 50 ? world->done_count : 50);
        world_say(world, MSG_DONE_ACK, &(struct msg_done_ack){ .seq = world->dones[index].report });
    } else if (what < 22) {
        story_connection(story);
    } else if (what < 30) {
        world->now += draw(story, 100);
        world_tell(world, (struct worker_event){ .kind = WEV_TICK });
    } else {
        story_executor(story);
    }
}

/*  All that hinders ends: then all that was taken must be reported. */
static void story_heal(struct story *story)
{
    struct world *world = story->world;
    world->no_spawn = false;
    if (!story->joined) {
        connect_to(world, ++story->epoch, story->node);
    }
    struct worker_stats stats = worker_stats(world->worker);
    for (int round = 0; round < 2000 && stats.waiting + stats.running + stats.unreported > 0; round++) {
        for (uint32_t i = 0; i < EXECUTORS; i++) {
            if (world->executors[i].live && !world->executors[i].up) {
                world->executors[i].up = true;
                world_tell(world, (struct worker_event){ .kind = WEV_SPAWNED, .executor = i });
            } else if (world->executors[i].live && !world->executors[i].resident) {
                exited(world, i, 0, "");
            }
        }
        finish_all(world, 10);
        acknowledge_all(world);
        world_wait(world, 20);
        stats = worker_stats(world->worker);
    }
    assert_int_equal(stats.waiting + stats.running + stats.unreported, 0);
}

static void test_random(void **state)
{
    (void)state;
    struct worker_limits limits = { .attempts = 100, .executors = 6, .specs = SPECS, .reports = 20 };
    struct story story = { .world = world_new(40000, 20000, limits), .prng = { 11 }, .epoch = EPOCH, .node = NODE };
    for (uint32_t i = 0; i < SPECS; i++) {
        story.specs[i] = (struct spec_told){ .id = i + 1, .kind = i % 3 == 2 ? SPEC_COMMAND : SPEC_FUNCTION,
                                             .cpus = 5000 * (i % 5), .gpus = i == 1 ? 10000 : i == 4 ? 3000 : 0,
                                             .program = i == 3 ? "beef" : "", .run_ms_max = i == 0 ? 300 : 0 };
    }
    story.expected = calloc(TOKENS, 1);
    story.newest = calloc(TOKENS, sizeof(*story.newest));
    story.world->orphan_ms = 1000000000;
    for (uint32_t i = 0; i < STEPS; i++) {
        story_step(&story);
    }
    story_heal(&story);
    uint8_t *seen = calloc(TOKENS, 1);
    for (uint32_t i = 0; i < story.world->done_count; i++) {
        const struct done_seen *done = &story.world->dones[i];
        assert_true(done->token < TOKENS);
        if (done->outcome != OUTCOME_RETURNED) { /* RETURNED may be said again, of what is not here */
            assert_false(seen[done->token] & 2);
            seen[done->token] |= 2;
        }
        seen[done->token] |= 1;
    }
    for (uint64_t token = 1; token <= story.token; token++) {
        assert_true(!story.expected[token] || seen[token]);
    }
    uint32_t pinned = story.world->frame_next - story.world->frames_freed;
    assert_in_range(pinned, 1, SPECS);
    assert_true(story.world->done_count > 10000);
    free(seen);
    free(story.expected);
    free(story.newest);
    world_free(story.world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_join),
        cmocka_unit_test(test_batches),
        cmocka_unit_test(test_death_charges_one),
        cmocka_unit_test(test_start_up_failures),
        cmocka_unit_test(test_take_back),
        cmocka_unit_test(test_taken_work_moves),
        cmocka_unit_test(test_run_timeout),
        cmocka_unit_test(test_cancel_command),
        cmocka_unit_test(test_cancel_function),
        cmocka_unit_test(test_duplicates_and_stale),
        cmocka_unit_test(test_gap),
        cmocka_unit_test(test_reconnect),
        cmocka_unit_test(test_given_up),
        cmocka_unit_test(test_limits),
        cmocka_unit_test(test_gpus),
        cmocka_unit_test(test_setup),
        cmocka_unit_test(test_large_demand_is_not_starved),
        cmocka_unit_test(test_stop),
        cmocka_unit_test(test_random),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
