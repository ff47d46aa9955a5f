/*  drain_test.c - draining as the head decides it: nothing new goes to the node, what has not begun comes back, what runs
    has its grace, and nothing is charged. */
#include "tests/unit/head_world.h"

enum { OTHER = WORKER + 1 };

static void drain(struct world *w, uint32_t peer, uint64_t node, uint32_t how, uint64_t grace_ms)
{
    say(w, peer, MSG_NODE_DRAIN,
        &(struct msg_node_drain){ .node = node, .drain = how, .grace_ms = grace_ms });
}

/*  The recall of a task that the head has said since the last say(); OUTCOMES: none. */
static uint32_t recalled(const struct world *w, uint64_t task)
{
    const struct msg *msg;
    for (uint32_t n = 0; (msg = heard(w, MSG_RECALL, n)) != NULL; n++) {
        struct list leases = msg->as.recall.leases;
        struct rec_lease lease;
        while (next_lease(&leases, &lease)) {
            if (lease.task == task) {
                return lease.force;
            }
        }
    }
    return OUTCOMES;
}

static void give_back(struct world *w, uint64_t node, const struct rec_start *start,
                      uint64_t started_ms)
{
    proto_put_record(&w->wire, REC_DONE,
                     &(struct rec_done){ .task = start->task,
                                         .token = start->token,
                                         .outcome = OUTCOME_RETURNED,
                                         .started_ms = started_ms });
    say(w, WORKER, MSG_DONE,
        &(struct msg_done){ .seq = 9, .node = node, .done = wire_list(&w->wire, 1) });
}

static void beat(struct world *w, uint64_t node, const struct rec_start *running)
{
    proto_put_record(
        &w->wire, REC_HELD,
        &(struct rec_held){ running->task, running->token, .running = 1, .started_ms = 7 });
    say(w, WORKER, MSG_NODE_BEAT,
        &(struct msg_node_beat){ .node = node, .running = wire_list(&w->wire, 1) });
}

static void what_runs_has_its_grace(void **unused)
{
    (void)unused;
    struct world *w = world_new();
    uint64_t session = open_job(w, CLIENT, "a");
    uint64_t node = join(w, WORKER, 0, "n1", 2);
    struct rec_start first, second, again;
    submit(w, session, 1, 2, spec_of(w, 1));
    assert_true(start_at(w, 0, &first) && start_at(w, 1, &second));
    beat(w, node, &first);
    drain(w, CLIENT, node, DRAIN_ASKED, 3000);
    assert_int_equal(must_hear(w, MSG_CHANGED)->as.changed.id, node);
    assert_int_equal(recalled(w, first.task), OUTCOMES); /* it runs */
    assert_int_equal(recalled(w, second.task), RECALL_IF_WAITING);
    give_back(w, node, &second, 0);
    assert_false(start_at(w, 0, &again)); /* there is no other node */
    pass(w, 2900);
    assert_int_equal(recalled(w, first.task), OUTCOMES);
    pass(w, 400);
    assert_int_equal(recalled(w, first.task), RECALL_GIVE_BACK);
    give_back(w, node, &first, 7);
    join(w, OTHER, 0, "n2", 1);
    assert_true(start_at(w, 0, &again));
    assert_int_equal(again.attempt, 1); /* and not the second: that would be a charge */
    assert_int_equal(core_stats(turn_core(w->turn)).retries, 0);
    world_free(w);
}

static void what_starts_once_is_not_started_again(void **unused)
{
    (void)unused;
    struct world *w = world_new();
    uint64_t session = open_job(w, CLIENT, "a");
    uint64_t node = join(w, WORKER, 0, "n1", 2);
    struct rec_spec spec = spec_of(w, 1);
    struct rec_start first, second;
    struct rec_result result;
    spec.max_retries = 0;
    submit(w, session, 1, 2, spec);
    assert_true(start_at(w, 0, &first) && start_at(w, 1, &second));
    drain(w, CLIENT, node, DRAIN_ASKED, 0);
    assert_int_equal(recalled(w, first.task), RECALL_GIVE_BACK);
    give_back(w, node, &first, 7);
    assert_true(result_of(w, first.task, &result));
    assert_int_equal(result.failure, FAILURE_NODE_DIED);
    give_back(w, node, &second, 0); /* it never began */
    assert_false(result_of(w, second.task, &result));
    world_free(w);
}

static void an_undrained_node_takes_work_again(void **unused)
{
    (void)unused;
    struct world *w = world_new();
    uint64_t session = open_job(w, CLIENT, "a");
    uint64_t node = join(w, WORKER, 0, "n1", 2);
    struct rec_start start;
    drain(w, CLIENT, node, DRAIN_ASKED, 1000);
    struct rec_spec spec = spec_of(w, 1);
    spec.if_infeasible = INFEASIBLE_FAIL; /* it is not infeasible */
    submit(w, session, 1, 1, spec);
    assert_false(start_at(w, 0, &start));
    uint64_t task = task_id_of(session, 1).v;
    say(w, CLIENT, MSG_EXPLAIN, &(struct msg_explain){ .task = task });
    const struct msg *told = must_hear(w, MSG_EXPLAINED);
    assert_int_equal(told->as.explained.why, WHY_DRAINING);
    struct list nodes = told->as.explained.nodes;
    struct rec_reason reason;
    assert_true(next_reason(&nodes, &reason));
    assert_int_equal(reason.draining, 1);
    drain(w, CLIENT, node, DRAIN_NONE, 0);
    assert_true(start_at(w, 0, &start));
    assert_int_equal(start.task, task);
    world_free(w);
}

static void a_restart_goes_on_draining(void **unused)
{
    (void)unused;
    struct world *w = world_new();
    uint64_t session = open_job(w, CLIENT, "a");
    uint64_t node = join(w, WORKER, 0, "n1", 2);
    struct rec_start first, start;
    submit(w, session, 1, 1, spec_of(w, 1));
    assert_true(start_at(w, 0, &first));
    drain(w, CLIENT, node, DRAIN_ASKED, 60000);
    world_restart(w);
    open_job(w, CLIENT, "b");
    assert_int_equal(join(w, WORKER, node, "n1", 2), node);
    proto_put_record(&w->wire, REC_HELD,
                     &(struct rec_held){ first.task, first.token, .running = 1, .started_ms = 7 });
    say(w, WORKER, MSG_INVENTORY,
        &(struct msg_inventory){
            .seq = 1, .node = node, .last = 1, .held = wire_list(&w->wire, 1) });
    assert_int_equal(recalled(w, first.task), OUTCOMES); /* adopted; its grace goes on */
    say(w, CLIENT, MSG_RESUME, &(struct msg_resume){ .session = session });
    submit(w, session, 2, 1, spec_of(w, 1));
    assert_false(start_at(w, 0, &start));
    drain(w, CLIENT, node, DRAIN_ASKED, 0);
    assert_int_equal(recalled(w, first.task), RECALL_GIVE_BACK);
    world_free(w);
}

static void a_worker_that_ends_is_not_undrained(void **unused)
{
    (void)unused;
    struct world *w = world_new();
    open_job(w, CLIENT, "a");
    uint64_t node = join(w, WORKER, 0, "n1", 2);
    drain(w, CLIENT, node, DRAIN_LEAVING, 1000); /* only its worker can say so */
    assert_int_equal(must_hear(w, MSG_REFUSED)->as.refused.code, ERR_FORBIDDEN);
    drain(w, WORKER, node, DRAIN_LEAVING, 1000);
    must_hear(w, MSG_CHANGED);
    drain(w, CLIENT, node, DRAIN_NONE, 0);
    assert_int_equal(must_hear(w, MSG_REFUSED)->as.refused.code, ERR_CONFLICT);
    drain(w, CLIENT, node + 1, DRAIN_ASKED, 0);
    assert_int_equal(must_hear(w, MSG_REFUSED)->as.refused.code, ERR_NOT_FOUND);
    say(w, CLIENT, MSG_NODE_DRAIN,
        &(struct msg_node_drain){ .key = slice_text("n1"), .drain = DRAIN_ASKED });
    assert_int_equal(must_hear(w, MSG_CHANGED)->as.changed.id, node);
    world_free(w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_runs_has_its_grace),
        cmocka_unit_test(what_starts_once_is_not_started_again),
        cmocka_unit_test(an_undrained_node_takes_work_again),
        cmocka_unit_test(a_restart_goes_on_draining),
        cmocka_unit_test(a_worker_that_ends_is_not_undrained),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
