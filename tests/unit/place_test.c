/*  place_test.c - where and when the head lets tasks run: strategies, labels, priorities that age. */
#include <stdio.h>

#include "tests/unit/head_world.h"

enum { NODES = 3 };

struct cluster {
    struct world *w;
    uint64_t session, nodes[NODES];
    uint64_t next; /* counter of the next task */
};

static uint64_t join_with(struct world *w, uint32_t i, double cpus, const char *labels)
{
    char key[] = "n1";
    key[1] = (char)('1' + i);
    hello(w, WORKER + i, 2);
    say(w, WORKER + i, MSG_NODE_JOIN,
        &(struct msg_node_join){ .key = slice_text(key),
                                 .name = slice_text(key),
                                 .capacity = amount(w, "CPU", cpus),
                                 .labels = slice_text(labels) });
    return must_hear(w, MSG_NODE_JOINED)->as.node_joined.node;
}

/*  Three nodes of `cpus`; zones a, b and b. */
static struct cluster cluster_new(double cpus)
{
    static const char *const labels[NODES] = { "zone=a", "zone=b\ndisk=ssd", "zone=b" };
    struct cluster self = { .w = world_new(), .next = 1 };
    self.session = open_job(self.w, CLIENT, "a");
    for (uint32_t i = 0; i < NODES; i++) {
        self.nodes[i] = join_with(self.w, i, cpus, labels[i]);
    }
    return self;
}

static void cluster_submit(struct cluster *self, uint32_t count, const struct rec_spec *spec)
{
    submit(self->w, self->session, self->next, count, *spec);
    self->next += count;
}

/*  Submits tasks of a spec like this one, with 1 CPU. */
static void run(struct cluster *self, uint32_t count, struct rec_spec like)
{
    struct rec_spec spec = spec_of(self->w, 1);
    spec.index = like.index;
    spec.strategy = like.strategy;
    spec.labels = like.labels;
    spec.priority = like.priority;
    cluster_submit(self, count, &spec);
}

/*  The worker that the i-th START since the last say() went to; NODES: there is none. */
static uint32_t started_on(const struct cluster *self, uint32_t i)
{
    for (uint32_t n = 0; n < self->w->said_count; n++) {
        const struct said *said = &self->w->said[n];
        if (said->msg.kind == MSG_START) {
            if (i < said->msg.as.start.starts.count) {
                return said->peer - WORKER;
            }
            i -= said->msg.as.start.starts.count;
        }
    }
    return NODES;
}

static void worker_done(struct cluster *self, uint32_t worker, const struct rec_start *start)
{
    struct world *w = self->w;
    proto_put_record(&w->wire, REC_DONE,
                     &(struct rec_done){ .task = start->task,
                                         .token = start->token,
                                         .started_ms = 1,
                                         .run_us = 20000,
                                         .value = slice_text("\x07") });
    say(w, WORKER + worker, MSG_DONE,
        &(struct msg_done){
            .seq = 5, .node = self->nodes[worker], .done = wire_list(&w->wire, 1) });
}

/*  Time passes, and all workers and the client say that they live. */
static void live(struct cluster *self, uint64_t ms)
{
    for (; ms > 0; ms -= 1000) {
        pass(self->w, 1000);
        for (uint32_t i = 0; i < NODES; i++) {
            say(self->w, WORKER + i, MSG_NODE_BEAT,
                &(struct msg_node_beat){ .node = self->nodes[i] });
        }
        say(self->w, CLIENT, MSG_CLIENT_BEAT,
            &(struct msg_client_beat){ .session = self->session });
    }
}

static const struct msg_explained *explain(struct cluster *self, uint64_t counter)
{
    say(self->w, CLIENT, MSG_EXPLAIN,
        &(struct msg_explain){ .task = task_id_of(self->session, counter).v });
    return &must_hear(self->w, MSG_EXPLAINED)->as.explained;
}

static void lose(struct cluster *self, uint32_t worker)
{
    say(self->w, WORKER + worker, MSG_NODE_BYE,
        &(struct msg_node_bye){ .node = self->nodes[worker] });
}

static void spread_tasks_go_round(void **unused)
{
    (void)unused;
    struct cluster self = cluster_new(4);
    run(&self, 6, (struct rec_spec){ .index = 1, .strategy = slice_text("SPREAD") });
    uint32_t per[NODES + 1] = { 0 };
    for (uint32_t i = 0; i < 6; i++) {
        per[started_on(&self, i)]++;
    }
    assert_true(per[0] == 2 && per[1] == 2 && per[2] == 2);
    world_free(self.w);
}

static void a_node_is_waited_for(void **unused)
{
    (void)unused;
    struct cluster self = cluster_new(1);
    char text[32];
    snprintf(text, sizeof(text), "node:%d", (int)self.nodes[1]);
    run(&self, 2, (struct rec_spec){ .index = 1, .strategy = slice_text(text) });
    struct rec_start first, second;
    assert_true(start_at(self.w, 0, &first) && started_on(&self, 0) == 1);
    assert_false(start_at(self.w, 1, &second));
    assert_int_equal(explain(&self, 2)->why, WHY_NODE);
    worker_done(&self, 1,
                &(struct rec_start){ .task = task_id_of(self.session, 1).v, .token = first.token });
    assert_true(start_at(self.w, 0, &second) && started_on(&self, 0) == 1);
    world_free(self.w);
}

static void a_lost_node_fails_what_must_run_there(void **unused)
{
    (void)unused;
    struct cluster self = cluster_new(1);
    run(&self, 1, (struct rec_spec){ .index = 1, .strategy = slice_text("node:99") });
    struct rec_result result;
    assert_true(result_of(self.w, task_id_of(self.session, 1).v, &result));
    assert_int_equal(result.failure, FAILURE_UNSCHEDULABLE);
    assert_true(slice_same(result.text, slice_text("no node can ever meet the demand: it must run "
                                                   "on node 99, which is gone")));
    char text[32];
    snprintf(text, sizeof(text), "node:%d", (int)self.nodes[2]);
    run(&self, 2, (struct rec_spec){ .index = 2, .strategy = slice_text(text) });
    lose(&self, 2); /* one had not begun, and one waits */
    assert_true(result_of(self.w, task_id_of(self.session, 2).v, &result));
    assert_int_equal(result.failure, FAILURE_UNSCHEDULABLE);
    assert_true(result_of(self.w, task_id_of(self.session, 3).v, &result));
    world_free(self.w);
}

/*  Nobody waits for a first worker that will never be that node. */
static void without_any_node_it_fails_too(void **unused)
{
    (void)unused;
    struct world *w = world_new();
    uint64_t session = open_job(w, CLIENT, "a");
    struct rec_spec spec = spec_of(w, 1);
    spec.strategy = slice_text("node:1");
    submit(w, session, 1, 1, spec);
    struct rec_result result;
    assert_true(result_of(w, task_id_of(session, 1).v, &result));
    assert_int_equal(result.failure, FAILURE_UNSCHEDULABLE);
    world_free(w);
}

static void a_soft_node_is_left_when_it_is_lost(void **unused)
{
    (void)unused;
    struct cluster self = cluster_new(1);
    char text[32];
    snprintf(text, sizeof(text), "node:%d:soft", (int)self.nodes[1]);
    run(&self, 2, (struct rec_spec){ .index = 1, .strategy = slice_text(text) });
    struct rec_start start;
    assert_true(start_at(self.w, 0, &start) && started_on(&self, 0) == 1);
    assert_false(start_at(self.w, 1, &start)); /* alive and busy: waits there */
    assert_int_equal(explain(&self, 2)->why, WHY_NODE);
    lose(&self, 1);
    assert_true(start_at(self.w, 1, &start));
    assert_true(started_on(&self, 0) != 1 && started_on(&self, 1) != 1);
    run(&self, 1, (struct rec_spec){ .index = 2, .strategy = slice_text("node:99:soft") });
    assert_int_equal(explain(&self, 3)->why, WHY_RESOURCES);
    world_free(self.w);
}

static void labels_choose_nodes(void **unused)
{
    (void)unused;
    struct cluster self = cluster_new(4);
    run(&self, 3, (struct rec_spec){ .index = 1, .labels = slice_text("zone=a") });
    for (uint32_t i = 0; i < 3; i++) {
        assert_int_equal(started_on(&self, i), 0);
    }
    run(&self, 1, (struct rec_spec){ .index = 2, .labels = slice_text("zone=b\ndisk!=ssd") });
    assert_int_equal(started_on(&self, 0), 2);
    run(&self, 1, (struct rec_spec){ .index = 3, .labels = slice_text("disk in (ssd|nvme)") });
    assert_int_equal(started_on(&self, 0), 1);
    run(&self, 1, (struct rec_spec){ .index = 4, .labels = slice_text("rayc.io/node-name=n3") });
    assert_int_equal(started_on(&self, 0), 2);
    world_free(self.w);
}

static void unmatched_labels_wait_for_a_node(void **unused)
{
    (void)unused;
    struct cluster self = cluster_new(4);
    run(&self, 1, (struct rec_spec){ .index = 1, .labels = slice_text("zone=c") });
    assert_int_equal(started_on(&self, 0), NODES);
    assert_int_equal(explain(&self, 1)->why, WHY_LABELS);
    join_with(self.w, NODES, 1, "zone=c");
    assert_int_equal(started_on(&self, 0), NODES); /* that is, the fourth */
    struct rec_start start;
    assert_true(start_at(self.w, 0, &start));
    world_free(self.w);
}

static void labels_survive_a_restart(void **unused)
{
    (void)unused;
    struct cluster self = cluster_new(4);
    world_restart(self.w);
    self.session = open_job(self.w, CLIENT, "b");
    join(self.w, WORKER + 1, self.nodes[1], "n2", 4);
    self.next = 1;
    run(&self, 1, (struct rec_spec){ .index = 1, .labels = slice_text("zone=b\ndisk=ssd") });
    assert_int_equal(started_on(&self, 0), 1);
    world_free(self.w);
}

static void wrong_texts_are_refused(void **unused)
{
    (void)unused;
    struct cluster self = cluster_new(1);
    static const struct {
        struct rec_spec spec;
        const char *text;
    } wrong[] = {
        { { .strategy = { (const uint8_t *)"PACK", 4 } }, "strategy 'PACK' must be DEFAULT" },
        { { .labels = { (const uint8_t *)"zone", 4 } }, "label 'zone' must be KEY=VALUE" },
        { { .priority = 101 }, "priority '101' must be from -100 to 100" },
    };
    for (uint32_t i = 0; i < COUNT(wrong); i++) {
        struct rec_spec spec = wrong[i].spec;
        spec.index = i + 1;
        run(&self, 1, spec);
        self.next = 1;
        const struct msg_refused *refused = &must_hear(self.w, MSG_REFUSED)->as.refused;
        assert_int_equal(refused->code, ERR_INVALID);
        assert_memory_equal(refused->text.p, wrong[i].text, strlen(wrong[i].text));
    }
    hello(self.w, WORKER + NODES, 2);
    say(self.w, WORKER + NODES, MSG_NODE_JOIN,
        &(struct msg_node_join){ .key = slice_text("x"),
                                 .capacity = amount(self.w, "CPU", 1),
                                 .labels = slice_text("ray.io/node-id=1") });
    assert_int_equal(must_hear(self.w, MSG_REFUSED)->as.refused.code, ERR_INVALID);
    world_free(self.w);
}

/*  One node of one CPU, which a task has taken. */
static struct cluster one_cpu(struct rec_start *running)
{
    struct cluster self = { .w = world_new(), .next = 1 };
    self.session = open_job(self.w, CLIENT, "a");
    self.nodes[0] = join_with(self.w, 0, 1, "");
    run(&self, 1, (struct rec_spec){ .index = 1 });
    assert_true(start_at(self.w, 0, running));
    return self;
}

/*  Tasks are started one after the other, in this order of counters. */
static void expect_order(struct cluster *self, struct rec_start *running, const uint64_t *next,
                         size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct rec_start was = *running;
        worker_done(self, 0, &was);
        assert_true(start_at(self->w, 0, running));
        assert_int_equal(task_counter((task_id){ running->task }), next[i]);
    }
}

static void the_higher_priority_goes_first(void **unused)
{
    (void)unused;
    struct rec_start running;
    struct cluster self = one_cpu(&running);
    run(&self, 2, (struct rec_spec){ .index = 2, .priority = -1 });
    run(&self, 2, (struct rec_spec){ .index = 1 });
    run(&self, 2, (struct rec_spec){ .index = 3, .priority = 7 });
    assert_int_equal(explain(&self, 3)->other, 5);
    assert_int_equal(explain(&self, 5)->other, 3);
    assert_int_equal(explain(&self, 7)->other, 1);
    assert_int_equal(explain(&self, 6)->why, WHY_RESOURCES);
    expect_order(&self, &running, (const uint64_t[]){ 6, 7, 4, 5, 2, 3 }, 6);
    world_free(self.w);
}

static void waiting_outweighs_priority(void **unused)
{
    (void)unused;
    struct rec_start running;
    struct cluster self = one_cpu(&running);
    run(&self, 2, (struct rec_spec){ .index = 1 });
    live(&self, 59000);
    run(&self, 2, (struct rec_spec){ .index = 2, .priority = 1 });
    live(&self, 2000);
    run(&self, 2, (struct rec_spec){ .index = 2, .priority = 1 });
    assert_int_equal(explain(&self, 2)->other, 2);
    expect_order(&self, &running, (const uint64_t[]){ 4, 5, 2, 3, 6, 7 }, 6);
    world_free(self.w);
}

/*  A retry goes to the front of its queue, and hides no older place behind it. */
static void a_retry_hides_nobody(void **unused)
{
    (void)unused;
    struct rec_start running;
    struct cluster self = one_cpu(&running);
    run(&self, 2, (struct rec_spec){ .index = 1 });
    live(&self, 61000);
    run(&self, 2, (struct rec_spec){ .index = 2, .priority = 1 });
    for (int failures = 1; failures <= 2; failures++) { /* the second retry waits up to 100 ms */
        struct rec_start was = running;
        done(self.w, self.nodes[0], &was, OUTCOME_SIGNAL, -9);
        assert_true(start_at(self.w, 0, &running));
    }
    live(&self, 1000);
    assert_int_equal(task_counter((task_id){ running.task }), 2);
    expect_order(&self, &running, (const uint64_t[]){ 1, 3, 4, 5 }, 4);
    world_free(self.w);
}

/*  The larger demand of the higher priority gets the room first, whichever demand's turn it is. */
static void priority_counts_between_demands(void **unused)
{
    (void)unused;
    for (uint32_t turns = 0; turns < 3; turns++) {
        struct cluster self = { .w = world_new(), .next = 1 };
        self.session = open_job(self.w, CLIENT, "a");
        run(&self, 1, (struct rec_spec){ .index = 1 });
        struct rec_spec large = spec_of(self.w, 2);
        large.index = 2;
        large.priority = 1;
        cluster_submit(&self, 1, &large);
        for (uint32_t i = 1; i <= turns; i++) { /* too small, but it is looked at */
            join_with(self.w, i, 0.5, "");
        }
        join_with(self.w, 0, 2, "");
        struct rec_start start;
        assert_true(start_at(self.w, 0, &start));
        assert_int_equal(task_counter((task_id){ start.task }), 2);
        world_free(self.w);
    }
}

/*  Nothing is held free for a demand that does not fit now. */
static void smaller_ones_pass_what_does_not_fit(void **unused)
{
    (void)unused;
    struct cluster self = { .w = world_new(), .next = 1 };
    struct rec_start first, second, large_one;
    self.session = open_job(self.w, CLIENT, "a");
    join_with(self.w, 0, 2, "");
    run(&self, 1, (struct rec_spec){ .index = 1 });
    assert_true(start_at(self.w, 0, &first));
    struct rec_spec large = spec_of(self.w, 2);
    large.index = 2;
    cluster_submit(&self, 1, &large);
    run(&self, 1, (struct rec_spec){ .index = 1 });
    assert_true(start_at(self.w, 0, &second));
    assert_int_equal(task_counter((task_id){ second.task }), 3);
    worker_done(&self, 0, &first);
    worker_done(&self, 0, &second);
    assert_true(start_at(self.w, 0, &large_one));
    assert_int_equal(task_counter((task_id){ large_one.task }), 2);
    world_free(self.w);
}

/*  Between jobs of one priority the one with the least under way is next, whatever waits longer. */
/*  Its CPUs are for others meanwhile, its GPU is not; who goes on has its CPUs again. */
static void who_waits_keeps_all_but_its_cpus(void **unused)
{
    (void)unused;
    struct world *w = world_new();
    uint64_t session = open_job(w, CLIENT, "a");
    struct rec_amount amounts[] = { { slice_text("CPU"), 2 * UNITS_PER_ONE },
                                    { slice_text("GPU"), UNITS_PER_ONE } };
    hello(w, WORKER, 2);
    size_t at = w->wire.n;
    proto_put_record(&w->wire, REC_AMOUNT, &amounts[0]);
    proto_put_record(&w->wire, REC_AMOUNT, &amounts[1]);
    struct list both = { slice_of(w->list + at, w->wire.n - at), 2 };
    say(w, WORKER, MSG_NODE_JOIN,
        &(struct msg_node_join){
            .key = slice_text("n"), .name = slice_text("n"), .capacity = both });
    uint64_t node = must_hear(w, MSG_NODE_JOINED)->as.node_joined.node;
    struct rec_spec spec = spec_of(w, 2), small;
    at = w->wire.n;
    proto_put_record(&w->wire, REC_AMOUNT, &amounts[0]);
    proto_put_record(&w->wire, REC_AMOUNT, &amounts[1]);
    spec.demand = (struct list){ slice_of(w->list + at, w->wire.n - at), 2 };
    submit(w, session, 1, 1, spec);
    struct rec_start start, other;
    assert_true(start_at(w, 0, &start));
    small = spec_of(w, 0);
    small.index = 2;
    small.demand = amount(w, "GPU", 1);
    submit(w, session, 2, 1, small);
    small = spec_of(w, 1);
    small.index = 3;
    submit(w, session, 3, 1, small);
    assert_false(start_at(w, 0, &other));
    proto_put_record(&w->wire, REC_HELD,
                     &(struct rec_held){ start.task, start.token, HELD_BLOCKED_GET, 5 });
    say(w, WORKER, MSG_NODE_WAITS,
        &(struct msg_node_waits){ .node = node, .held = wire_list(&w->wire, 1) });
    assert_true(start_at(w, 0, &other) && other.task == task_id_of(session, 3).v);
    assert_false(start_at(w, 1, &other));
    world_free(w);
}

static void jobs_share_a_priority(void **unused)
{
    (void)unused;
    struct cluster self = cluster_new(1);
    run(&self, 5, (struct rec_spec){ .index = 1, .priority = 3 });
    uint64_t mine = self.session;
    struct rec_start start;
    assert_true(start_at(self.w, 0, &start));
    uint32_t worker = started_on(&self, 0);
    uint64_t other = open_job(self.w, CLIENT + 20, "b");
    struct rec_spec spec = spec_of(self.w, 1);
    spec.priority = 3;
    size_t from = self.w->wire.n;
    proto_put_record(&self.w->wire, REC_SPEC, &spec);
    struct list specs = { slice_of(self.w->list + from, self.w->wire.n - from), 1 };
    from = self.w->wire.n;
    proto_put_record(&self.w->wire, REC_CALL,
                     &(struct rec_call){ .spec = 1, .args = slice_text("\x90") });
    struct list calls = { slice_of(self.w->list + from, self.w->wire.n - from), 1 };
    say(self.w, CLIENT + 20, MSG_SUBMIT,
        &(struct msg_submit){ .session = other, .first = 1, .specs = specs, .calls = calls });
    self.session = mine;
    worker_done(&self, worker, &start);
    assert_true(start_at(self.w, 0, &start));
    assert_int_equal(task_session((task_id){ start.task }), other);
    world_free(self.w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(spread_tasks_go_round),
        cmocka_unit_test(a_node_is_waited_for),
        cmocka_unit_test(a_lost_node_fails_what_must_run_there),
        cmocka_unit_test(without_any_node_it_fails_too),
        cmocka_unit_test(a_soft_node_is_left_when_it_is_lost),
        cmocka_unit_test(labels_choose_nodes),
        cmocka_unit_test(unmatched_labels_wait_for_a_node),
        cmocka_unit_test(labels_survive_a_restart),
        cmocka_unit_test(wrong_texts_are_refused),
        cmocka_unit_test(the_higher_priority_goes_first),
        cmocka_unit_test(waiting_outweighs_priority),
        cmocka_unit_test(a_retry_hides_nobody),
        cmocka_unit_test(priority_counts_between_demands),
        cmocka_unit_test(smaller_ones_pass_what_does_not_fit),
        cmocka_unit_test(who_waits_keeps_all_but_its_cpus),
        cmocka_unit_test(jobs_share_a_priority),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
