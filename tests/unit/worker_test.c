/*  worker_test.c - stories of the worker's core, each told through worker_step() and worker_ready().
    What the acts say is done by the world of worker_world.h. */
#include "tests/unit/worker_world.h"

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

/*  Who is killed for want of memory is told apart from who is killed; a command that ends well is well. */
static void test_out_of_memory(void **state)
{
    (void)state;
    static const int32_t statuses[] = { -SIGKILL, 137, 0 };
    struct world *world = joined(30000, 0);
    for (uint32_t i = 0; i < COUNT(statuses); i++) {
        start(world, &COMMAND, i + 1, 1);
        uint32_t executor = runs_task(world, i + 1);
        world->executors[executor].live = false;
        world_tell(world, (struct worker_event){ .kind = WEV_EXITED,
                                                 .executor = executor,
                                                 .status = statuses[i],
                                                 .number = 1,
                                                 .out_of_memory = true });
        assert_int_equal(outcome_of(world, i + 1),
                         statuses[i] ? OUTCOME_OUT_OF_MEMORY : OUTCOME_OK);
    }
    assert_int_equal(done_of(world, 1, 1001)->status, -SIGKILL);
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

static void test_run_timeout_spares_neighbours(void **state)
{
    (void)state;
    struct world *world = joined(10000, 0);
    struct spec_told limited = FUNCTION;
    limited.run_ms_max = 200;
    start(world, &limited, 1, 1);
    finish_all(world, 10);
    start(world, &limited, 2, 5);
    world->no_die = true;
    world_wait(world, 250); /* the process hangs before it begins the first */
    assert_int_equal(outcome_of(world, 2), OUTCOME_RUN_TIMEOUT);
    assert_int_equal(world->executors[0].killed, SIGKILL);
    world->no_die = false;
    exited(world, 0, -SIGKILL, "");
    uint32_t executor = runs_task(world, 3);
    begin(world, executor);
    world_wait(world, 150);
    ran(world, executor, OUTCOME_OK, 10);
    begin(world, executor);
    world_wait(world, 150); /* each has its own time */
    assert_int_equal(world->done_count, 3);
    world_wait(world, 60);
    assert_int_equal(outcome_of(world, 4), OUTCOME_RUN_TIMEOUT);
    finish_all(world, 10);
    assert_int_equal(outcome_of(world, 6), OUTCOME_OK);
    world_free(world);
}

static void test_lanes(void **state)
{
    (void)state;
    struct world *world = joined(10000, 0);
    struct spec_told other = FUNCTION;
    other.id = 3;
    start(world, &FUNCTION, 1, 1);
    start(world, &other, 2, 1); /* another function of the same program and demand */
    finish_all(world, 10);
    assert_int_equal(world->spawned, 1);
    struct spec_told of_another_job = FUNCTION;
    of_another_job.id = 6;
    of_another_job.job = 2;
    start(world, &of_another_job, 5, 1);
    finish_all(world, 10);
    assert_int_equal(world->spawned, 2);
    struct spec_told wider = FUNCTION;
    wider.id = 4;
    wider.cpus = 5000;
    start(world, &wider, 3, 1);
    assert_int_equal(world->spawned, 3);
    struct spec_told widest = FUNCTION;
    widest.id = 5;
    widest.gpus = 10000; /* there is none */
    start(world, &widest, 4, 1);
    assert_int_equal(outcome_of(world, 4), OUTCOME_SETUP_FAILED);
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
    /*  What has not begun has sealed nothing: what is there is of an earlier attempt, and stays. */
    assert_false(done_of(world, 99, 1)->unseal);
    assert_false(done_of(world, 2, 1002)->unseal);
    assert_true(done_of(world, 3, 1003)->unseal);
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
    world->no_die = true;
    recall(world, 3, 1003, RECALL_KILL);
    assert_int_equal(world->executors[0].killed, SIGKILL);
    world->no_die = false;
    exited(world, 0, -SIGKILL, "");
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
    start_at(world, ++world->start_seq, NULL, 1, 1, 2,
             2000); /* ended, not acknowledged: known still */
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
        world_say(
            world, MSG_NODE_BEAT_ACK,
            &(struct msg_node_beat_ack){ .node = NODE, .sent_ms = world->now, .start_sent = 5 });
        world_wait(world, 1000);
    }
    assert_int_equal(world->sent[MSG_INVENTORY], 3);
    assert_int_equal(world->last[MSG_NODE_BEAT].as.node_beat.start_seen, 5);
    world_say(world, MSG_NODE_BEAT_ACK,
              &(struct msg_node_beat_ack){
                  .node = NODE, .sent_ms = world->now, .start_sent = 5, .doubt = 1 });
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
    assert_int_equal(world->last[MSG_INVENTORY].as.inventory.start_seen,
                     0); /* another head counts anew */
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

static void test_another_cluster(void **state)
{
    (void)state;
    struct world *world = joined(10000, 0);
    start(world, &FUNCTION, 1, 1);
    world_tell(world, (struct worker_event){ .kind = WEV_DISCONNECTED });
    world_tell(world, (struct worker_event){ .kind = WEV_CONNECTED });
    world_wait(world, 2100); /* the answer was lost */
    assert_int_equal(world->sent[MSG_HELLO], 3);
    welcome(world, EPOCH);
    start_at(world, ++world->start_seq, NULL, 1, 2, 1, 1000); /* too early: taken for lost */
    world_say(world, MSG_NODE_JOINED, &(struct msg_node_joined){ .node = 0 });
    assert_int_equal(worker_stats(world->worker).running, 0);
    assert_int_equal(world->last[MSG_NODE_JOIN].as.node_join.node, 0);
    world_say(world, MSG_NODE_JOINED, &(struct msg_node_joined){ .node = NODE + 1 });
    assert_int_equal(worker_stats(world->worker).node, NODE + 1);
    world_say(world, MSG_WHO, &(struct msg_who){ .epoch = EPOCH });
    world_say(
        world, MSG_WELCOME,
        &(struct msg_welcome){ .major = PROTO_MAJOR, .epoch = 1, .cluster = slice_text("c2") });
    assert_int_equal(world->exited, 2); /* come back as a new worker */
    world_free(world);
}

static void test_gpus(void **state)
{
    (void)state;
    struct world *world = joined(80000, 30000);
    struct spec_told whole = {
        .id = 3, .kind = SPEC_FUNCTION, .cpus = 10000, .gpus = 20000, .program = ""
    };
    struct spec_told part = {
        .id = 4, .kind = SPEC_FUNCTION, .cpus = 10000, .gpus = 5000, .program = ""
    };
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
    struct spec_told odd = {
        .id = 3, .kind = SPEC_FUNCTION, .cpus = 10000, .program = "", .odd = "unicorn"
    };
    start(world, &odd, 1, 1);
    assert_int_equal(outcome_of(world, 1), OUTCOME_SETUP_FAILED);
    assert_non_null(strstr(done_of(world, 1, 1001)->text, "'unicorn'"));
    struct spec_told fetched = { .id = 4, .kind = SPEC_FUNCTION, .cpus = 10000, .program = "beef" };
    world->no_fetch = true;
    start(world, &fetched, 2, 2);
    assert_int_equal(world->fetched, 1);
    assert_int_equal(world->spawned, 0);
    world_tell(world, (struct worker_event){ .kind = WEV_PROGRAM,
                                             .hash = slice_text("beef"),
                                             .code = ERR_NOT_FOUND,
                                             .text = slice_text("gone") });
    assert_int_equal(outcome_of(world, 3), OUTCOME_SETUP_FAILED);
    world->no_fetch = false;
    start(world, &fetched, 4, 1);
    assert_int_equal(world->fetched, 2);
    finish_all(world, 10);
    assert_int_equal(outcome_of(world, 4), OUTCOME_OK);
    world->no_spawn = true;
    start(world, &COMMAND, 5, 1);
    world_tell(world, (struct worker_event){ .kind = WEV_SPAWN_FAILED,
                                             .executor = runs_task(world, 5),
                                             .code = 2,
                                             .text = slice_text("no such file") });
    assert_int_equal(outcome_of(world, 5), OUTCOME_SETUP_FAILED);
    world_free(world);
}

/*  An attempt waits for its program and its packages; a package that is not to be had is the environment's fault. */
static void test_packages(void **state)
{
    (void)state;
    struct world *world = joined(10000, 0);
    struct spec_told packed = {
        .id = 4, .kind = SPEC_COMMAND, .cpus = 10000, .program = "beef", .package = "cafe"
    };
    world->no_fetch = true;
    start(world, &packed, 1, 1);
    assert_int_equal(world->fetched, 2);
    assert_false(worker_needs(world->worker, slice_text("cafe"), 8));
    assert_true(worker_needs(world->worker, slice_text("cafe"), 7));
    assert_true(worker_needs(world->worker, slice_text("beef"), 0));
    world_tell(world, (struct worker_event){ .kind = WEV_PROGRAM, .hash = slice_text("beef") });
    assert_int_equal(world->spawned, 0);
    struct worker_event package = {
        .kind = WEV_PROGRAM, .hash = slice_text("cafe"), .package = true, .user = 7
    };
    world_tell(world, package);
    assert_int_equal(world->spawned, 1);
    exited(world, runs_task(world, 1), 0, "");
    assert_int_equal(outcome_of(world, 1), OUTCOME_OK);
    package.code = ERR_CLOSED; /* nothing needs it: its folder is gone */
    assert_false(worker_needs(world->worker, slice_text("cafe"), 7));
    world_tell(world, package);
    assert_false(worker_needs(world->worker, slice_text("beef"), 0));
    world_tell(world, (struct worker_event){ .kind = WEV_PROGRAM, /* its program is gone, too */
                                             .hash = slice_text("beef"),
                                             .code = ERR_CLOSED });
    start(world, &packed, 2, 1);
    assert_int_equal(world->fetched, 4);
    package.code = ERR_INVALID;
    package.text = slice_text("a name with .. in it");
    world_tell(world, package);
    assert_int_equal(outcome_of(world, 2), OUTCOME_ENV_FAILED);
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
    assert_int_equal(outcome_of(world, 1), OUTCOME_RETURNED);
    assert_true(done_of(world, 1, 1001)->started_ms != 0);
    assert_int_equal(outcome_of(world, 2), OUTCOME_RETURNED);
    assert_true(done_of(world, 2, 1002)->started_ms == 0); /* it has not begun */
    assert_int_equal(world->exited, 0);                    /* this is to be acknowledged */
    world_wait(world, 1000);
    assert_int_equal(world->exited, 1);
    assert_int_equal(world->sent[MSG_NODE_BYE], 0); /* it was not */
    world_free(world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_join),
        cmocka_unit_test(test_batches),
        cmocka_unit_test(test_death_charges_one),
        cmocka_unit_test(test_start_up_failures),
        cmocka_unit_test(test_out_of_memory),
        cmocka_unit_test(test_take_back),
        cmocka_unit_test(test_taken_work_moves),
        cmocka_unit_test(test_run_timeout),
        cmocka_unit_test(test_run_timeout_spares_neighbours),
        cmocka_unit_test(test_lanes),
        cmocka_unit_test(test_cancel_command),
        cmocka_unit_test(test_cancel_function),
        cmocka_unit_test(test_duplicates_and_stale),
        cmocka_unit_test(test_gap),
        cmocka_unit_test(test_reconnect),
        cmocka_unit_test(test_given_up),
        cmocka_unit_test(test_another_cluster),
        cmocka_unit_test(test_gpus),
        cmocka_unit_test(test_setup),
        cmocka_unit_test(test_packages),
        cmocka_unit_test(test_large_demand_is_not_starved),
        cmocka_unit_test(test_stop),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
