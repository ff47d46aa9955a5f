/*  actor_life_test.c - how long an actor lives: names, detached ones, nodes that are drained or lost, ends of sessions. */
#include "head/core/object.h"
#include "tests/unit/actor_world.h"

enum { OTHER = CLIENT + 20, EXECUTOR = CLIENT + 21, SECOND = WORKER + 30 };

static void name(struct world *w, uint32_t peer, const struct msg_actor_name *ask)
{
    say(w, peer, MSG_ACTOR_NAME, ask);
}

static uint64_t find(struct world *w, uint32_t peer, uint64_t session, const char *space,
                     const char *text)
{
    say(w, peer, MSG_ACTOR_FIND,
        &(struct msg_actor_find){
            .session = session, .space = slice_text(space), .name = slice_text(text) });
    const struct msg *named = heard(w, MSG_ACTOR_NAMED, 0);
    return named ? named->as.actor_named.actor : 0;
}

/*  An actor of the counter, made after its name was claimed. */
static void make_named(struct actors *a, uint64_t counter, const char *text, uint32_t detached)
{
    name(a->w, CLIENT,
         &(struct msg_actor_name){ .session = a->session,
                                   .counter = counter,
                                   .space = slice_text("s"),
                                   .name = slice_text(text) });
    assert_int_equal(must_hear(a->w, MSG_ACTOR_NAMED)->as.actor_named.existed, 0);
    struct rec_spec spec = actor_spec(1, 0);
    spec.index = detached ? 4 : 5;
    spec.detached = detached;
    submit_calls(a, counter, 1, &spec, (struct rec_call){ 0 });
}

static void bye(struct actors *a)
{
    say(a->w, CLIENT, MSG_BYE, &(struct msg_bye){ .seq = 8, .session = a->session });
    must_hear(a->w, MSG_BYE_DONE);
}

static void a_name_is_held_by_one(void **unused)
{
    (void)unused;
    struct actors *a = actors_new(0);
    make_named(a, 2, "n", 0);
    struct msg_actor_name ask = {
        .session = a->session, .counter = 3, .space = slice_text("s"), .name = slice_text("n")
    };
    name(a->w, CLIENT, &ask);
    assert_int_equal(must_hear(a->w, MSG_REFUSED)->as.refused.code, ERR_CONFLICT);
    ask.if_exists = 1;
    name(a->w, CLIENT, &ask);
    assert_int_equal(must_hear(a->w, MSG_ACTOR_NAMED)->as.actor_named.actor, a->actor + 1);
    assert_int_equal(must_hear(a->w, MSG_ACTOR_NAMED)->as.actor_named.existed, 1);
    world_restart(a->w);
    client_back(a);
    assert_int_equal(find(a->w, CLIENT, a->session, "s", "n"), a->actor + 1);
    assert_int_equal(find(a->w, CLIENT, a->session, "", "n"), 0); /* another namespace */
    a->actor++;
    kill_actor(a, 0);
    assert_int_equal(find(a->w, CLIENT, a->session, "s", "n"), 0);
    ask.if_exists = 0;
    name(a->w, CLIENT, &ask);
    assert_int_equal(must_hear(a->w, MSG_ACTOR_NAMED)->as.actor_named.existed, 0);
    name(a->w, CLIENT, &ask); /* the answer was lost: it asks again */
    assert_int_equal(must_hear(a->w, MSG_ACTOR_NAMED)->as.actor_named.existed, 0);
    actors_free(a);
}

static void a_claim_goes_with_its_session(void **unused)
{
    (void)unused;
    struct actors *a = actors_new(0);
    struct msg_actor_name ask = {
        .session = a->session, .counter = 2, .space = slice_text("s"), .name = slice_text("n")
    };
    name(a->w, CLIENT, &ask);
    must_hear(a->w, MSG_ACTOR_NAMED);
    calls(a, 2, 1, 0); /* the counter is another task's */
    ask.counter = 3;
    name(a->w, CLIENT, &ask);
    must_hear(a->w, MSG_ACTOR_NAMED);
    bye(a);
    uint64_t other = open_job(a->w, OTHER, "b");
    ask.session = other;
    ask.counter = 1;
    name(a->w, OTHER, &ask);
    must_hear(a->w, MSG_ACTOR_NAMED);
    world_restart(a->w);
    hello(a->w, OTHER, 1);
    say(a->w, OTHER, MSG_RESUME, &(struct msg_resume){ .session = other });
    struct rec_spec spec = actor_spec(1, 0);
    a->session = other;
    submit_as(a, OTHER, 1, 1, &spec, (struct rec_call){ 0 });
    assert_int_equal(find(a->w, OTHER, other, "s", "n"), task_id_of(other, 1).v);
    actors_free(a);
}

/*  Nobody can call what is not made yet: it is not found, and who would make it too is to ask again. */
static void a_claimed_one_is_not_there_yet(void **unused)
{
    (void)unused;
    struct actors *a = actors_new(0);
    struct msg_actor_name ask = {
        .session = a->session, .counter = 2, .space = slice_text("s"), .name = slice_text("n")
    };
    name(a->w, CLIENT, &ask);
    must_hear(a->w, MSG_ACTOR_NAMED);
    uint64_t other = open_job(a->w, OTHER, "b");
    ask.session = other;
    ask.counter = 1;
    ask.if_exists = 1;
    name(a->w, OTHER, &ask);
    assert_int_equal(must_hear(a->w, MSG_REFUSED)->as.refused.code, ERR_BUSY);
    assert_int_equal(find(a->w, OTHER, other, "s", "n"), 0);
    struct rec_spec spec = actor_spec(1, 0);
    submit_calls(a, 2, 1, &spec, (struct rec_call){ 0 });
    name(a->w, OTHER, &ask);
    assert_int_equal(must_hear(a->w, MSG_ACTOR_NAMED)->as.actor_named.actor, a->actor + 1);
    assert_int_equal(find(a->w, OTHER, other, "s", "n"), a->actor + 1);
    actors_free(a);
}

static void it_ends_with_its_session(void **unused)
{
    (void)unused;
    struct actors *a = actors_new(3);
    alive(a, &a->start);
    say(a->w, CLIENT, MSG_BYE, &(struct msg_bye){ .seq = 8, .session = a->session });
    must_hear(a->w, MSG_RECALL);
    must_hear(a->w, MSG_BYE_DONE);
    uint64_t other = open_job(a->w, OTHER, "b");
    struct rec_spec spec = method_spec(0);
    a->session = other;
    submit_as(a, OTHER, 1, 1, &spec, (struct rec_call){ .actor = a->actor });
    struct rec_result result;
    assert_true(result_of(a->w, task_id_of(other, 1).v, &result));
    assert_true(has_text(result.text, "OWNER_DIED"));
    actors_free(a);
}

/*  It outlives its job, a restart of the head, and is called from another job; only a kill ends it. */
static void a_detached_one_lives_on(void **unused)
{
    (void)unused;
    struct actors *a = actors_new(0);
    make_named(a, 2, "n", 1);
    struct rec_start start, call;
    assert_true(start_at(a->w, 0, &start) && start.task == a->actor + 1);
    alive(a, &start);
    bye(a);
    world_restart(a->w);
    join(a->w, WORKER, a->node, "n1", 2);
    inventory(a, &start, NULL, 0);
    assert_null(heard(a->w, MSG_RECALL, 0));
    a->session = open_job(a->w, OTHER, "b");
    a->actor = find(a->w, OTHER, a->session, "s", "n");
    assert_int_equal(a->actor, start.task);
    struct rec_spec spec = method_spec(0);
    submit_as(a, OTHER, 1, 1, &spec, (struct rec_call){ .actor = a->actor });
    assert_true(start_at(a->w, 0, &call) && call.actor == a->actor);
    done(a->w, a->node, &start, OUTCOME_SIGNAL, -9);
    returned(a, &call);
    assert_true(start_at(a->w, 0, &start) && start.task == a->actor && start.attempt == 2);
    say(a->w, OTHER, MSG_JOB_DELETE, &(struct msg_job_delete){ .seq = 2, .job = 1 });
    assert_int_equal(must_hear(a->w, MSG_REFUSED)->as.refused.code, ERR_CONFLICT);
    say(a->w, OTHER, MSG_ACTOR_KILL, &(struct msg_actor_kill){ .seq = 3, .actor = a->actor });
    must_hear(a->w, MSG_CHANGED);
    say(a->w, OTHER, MSG_JOB_DELETE, &(struct msg_job_delete){ .seq = 2, .job = 1 });
    must_hear(a->w, MSG_CHANGED);
    actors_free(a);
}

static uint32_t recalled(const struct actors *a)
{
    uint32_t count = 0;
    const struct msg *msg;
    for (uint32_t i = 0; (msg = heard(a->w, MSG_RECALL, i)) != NULL; i++) {
        count += msg->as.recall.leases.count;
    }
    return count;
}

/*  The executor of an attempt says who it is. */
static void executor_hello(struct actors *a, const struct rec_start *start)
{
    struct proof proof = {
        .kind = PROOF_TICKET, .job = 1, .task = start->task, .fence = start->token
    };
    say_proved(a->w, EXECUTOR, MSG_HELLO, &(struct msg_hello){ .major = PROTO_MAJOR, .role = 1 },
               &proof);
    must_hear(a->w, MSG_WELCOME);
}

static void attach(struct actors *a, const struct rec_start *start)
{
    executor_hello(a, start);
    say(a->w, EXECUTOR, MSG_JOB_ATTACH, &(struct msg_job_attach){ 2, 1, start->token });
}

/*  A task of the executor's session. */
static void submit_child(struct actors *a, uint64_t session, uint64_t counter,
                         struct rec_start *out)
{
    struct rec_spec spec = spec_of(a->w, 1);
    uint64_t clients = a->session;
    a->session = session;
    submit_as(a, EXECUTOR, counter, 1, &spec, (struct rec_call){ 0 });
    a->session = clients;
    assert_true(start_at(a->w, 0, out));
}

/*  The actor of counter 2 lives on without its job, and has submitted *child, in the session that is returned. */
static uint64_t make_busy(struct actors *a, struct rec_start *start, struct rec_start *child)
{
    make_named(a, 2, "n", 1);
    assert_true(start_at(a->w, 0, start) && start->task == a->actor + 1);
    alive(a, start);
    attach(a, start);
    uint64_t session = must_hear(a->w, MSG_JOB_OPENED)->as.job_opened.session;
    submit_child(a, session, 1, child);
    bye(a);
    assert_int_equal(recalled(a), 1); /* the other actor, which is not detached */
    return session;
}

/*  It submits when its job has ended, and after a restart; what it has submitted ends when it is killed. */
static void a_detached_one_works_on(void **unused)
{
    (void)unused;
    struct actors *a = actors_new(0);
    struct rec_start start, child[3];
    uint64_t session = make_busy(a, &start, &child[0]);
    done(a->w, a->node, &child[0], OUTCOME_SIGNAL, -9); /* it has its retries */
    assert_true(start_at(a->w, 0, &child[1]) && child[1].task == child[0].task);
    submit_child(a, session, 2, &child[2]);
    world_restart(a->w);
    join(a->w, WORKER, a->node, "n1", 2);
    inventory(a, &start, &child[1], 2);
    assert_null(heard(a->w, MSG_RECALL, 0));
    executor_hello(a, &start);
    say(a->w, EXECUTOR, MSG_RESUME, &(struct msg_resume){ .session = session });
    must_hear(a->w, MSG_SUBMITTED);
    attach(a, &child[1]); /* what its task submits goes on, too */
    must_hear(a->w, MSG_JOB_OPENED);
    open_job(a->w, OTHER, "b");
    say(a->w, OTHER, MSG_ACTOR_KILL, &(struct msg_actor_kill){ .seq = 3, .actor = start.task });
    assert_int_equal(recalled(a), 3); /* the actor and both tasks */
    say(a->w, OTHER, MSG_JOB_DELETE, &(struct msg_job_delete){ .seq = 2, .job = 1 });
    pass(a->w, 1000);
    must_hear(a->w, MSG_CHANGED);
    actors_free(a);
}

/*  Also what tasks of it have left behind, and when its executor has gone. */
static void what_a_dead_one_has_left_ends(void **unused)
{
    (void)unused;
    struct actors *a = actors_new(0);
    struct rec_start start, child, left;
    uint64_t session = make_busy(a, &start, &child);
    attach(a, &child);
    submit_child(a, must_hear(a->w, MSG_JOB_OPENED)->as.job_opened.session, 1, &left);
    done(a->w, a->node, &child, OUTCOME_OK, 0);
    assert_int_equal(recalled(a), 0);
    executor_hello(a, &start);
    say(a->w, EXECUTOR, MSG_BYE, &(struct msg_bye){ .seq = 8, .session = session });
    must_hear(a->w, MSG_BYE_DONE);
    open_job(a->w, OTHER, "b");
    say(a->w, OTHER, MSG_ACTOR_KILL, &(struct msg_actor_kill){ .seq = 3, .actor = start.task });
    assert_int_equal(recalled(a), 2);
    say(a->w, OTHER, MSG_JOB_DELETE, &(struct msg_job_delete){ .seq = 2, .job = 1 });
    pass(a->w, 1000);
    must_hear(a->w, MSG_CHANGED);
    actors_free(a);
}

/*  A value that the client has put, and that is in the store of the node. */
static uint64_t put_stored(struct actors *a, uint64_t counter)
{
    struct rec_spec spec = { .index = 7, .kind = SPEC_VALUE, .name = slice_text("v") };
    size_t at = a->w->wire.n;
    proto_put_record(&a->w->wire, REC_SEALED, &(struct rec_sealed){ .size = 1 << 20 });
    struct list sealed = { slice_of(a->w->list + at, a->w->wire.n - at), 1 };
    submit_calls(a, counter, 1, &spec, (struct rec_call){ .sealed = sealed, .node = a->node });
    return task_id_of(a->session, counter).v;
}

static void drop(struct actors *a, uint64_t number, uint64_t task)
{
    proto_put_record(&a->w->wire, REC_REF, &(struct rec_ref){ .task = task });
    say(a->w, CLIENT, MSG_REFS,
        &(struct msg_refs){
            .session = a->session, .first = number, .refs = wire_list(&a->w->wire, 1) });
}

/*  How many objects the node is told to drop; it does not answer, and is told again. */
static uint32_t told_to_drop(struct actors *a)
{
    uint32_t count = 0;
    for (uint32_t ms = 0; ms <= DROP_AGAIN_MS; ms += 1000) {
        say(a->w, WORKER, MSG_NODE_BEAT, &(struct msg_node_beat){ .node = a->node });
        say(a->w, CLIENT, MSG_CLIENT_BEAT, &(struct msg_client_beat){ .session = a->session });
        pass(a->w, 1000);
        const struct msg *msg = heard(a->w, MSG_OBJECT_DROP, 0);
        count = msg == NULL ? count : msg->as.object_drop.objects.count;
    }
    return count;
}

/*  The next call of the actor commits a checkpoint; `inside` 0: there is no reference in it. */
static void checkpoint(struct actors *a, uint64_t counter, uint64_t inside)
{
    struct rec_start start;
    struct wire *wire = &a->w->wire;
    calls(a, counter, 1, 0);
    assert_true(start_at(a->w, 0, &start));
    size_t at = wire->n;
    proto_put_record(wire, REC_OBJECT, &(struct rec_object){ inside, 0 });
    struct list objects = { slice_of(a->w->list + at, wire->n - at), inside != 0 };
    at = wire->n;
    proto_put_record(wire, REC_SEALED,
                     &(struct rec_sealed){ .index = RETURNS_MAX, .inside = objects });
    struct list sealed = { slice_of(a->w->list + at, wire->n - at), inside != 0 };
    at = wire->n;
    proto_put_record(wire, REC_DONE,
                     &(struct rec_done){ .task = start.task,
                                         .token = start.token,
                                         .started_ms = 1,
                                         .value = slice_text("\x07"),
                                         .checkpoint = slice_text("saved"),
                                         .sealed = sealed });
    struct list done = { slice_of(a->w->list + at, wire->n - at), 1 };
    say(a->w, WORKER, MSG_DONE, &(struct msg_done){ .seq = 6, .node = a->node, .done = done });
}

/*  What its newest checkpoint has inside lives as long as that is the newest, and its actor is not dead. */
static void a_checkpoint_holds_what_is_inside(void **unused)
{
    (void)unused;
    struct actors *a = actors_new(3);
    alive(a, &a->start);
    uint64_t first = put_stored(a, 2), second = put_stored(a, 3);
    checkpoint(a, 4, first);
    drop(a, 1, first);
    assert_int_equal(told_to_drop(a), 0);
    world_restart(a->w);
    hello(a->w, WORKER, 2);
    say(a->w, WORKER, MSG_NODE_JOIN,
        &(struct msg_node_join){
            .node = a->node, .key = slice_text("n1"), .store_bytes = 1 << 30 });
    inventory(a, &a->start, NULL, 0);
    client_back(a);
    proto_put_record(&a->w->wire, REC_COPY, &(struct rec_copy){ first, 0, 1 << 20, COPY_PRIMARY });
    proto_put_record(&a->w->wire, REC_COPY, &(struct rec_copy){ second, 0, 1 << 20, COPY_PRIMARY });
    say(a->w, WORKER, MSG_STOCK,
        &(struct msg_stock){ .node = a->node,
                             .number = 1,
                             .all = 1,
                             .last = 1,
                             .copies = wire_list(&a->w->wire, 2) });
    assert_int_equal(told_to_drop(a), 0);
    checkpoint(a, 5, second);
    drop(a, 2, second);
    assert_int_equal(told_to_drop(a), 1); /* the first */
    kill_actor(a, 0);
    assert_int_equal(told_to_drop(a), 2);
    actors_free(a);
}

static void lost_with_its_node(struct actors *a, struct rec_start call[2])
{
    alive(a, &a->start);
    calls(a, 2, 2, 0);
    assert_true(start_at(a->w, 0, &call[0]) && start_at(a->w, 1, &call[1]));
    join(a->w, SECOND, 0, "n2", 2);
    turn_event(a->w->turn, &(struct event){ .kind = EV_PEER_GONE,
                                            .peer = WORKER,
                                            .now_ms = a->w->now_ms,
                                            .wall_ms = 1700000000000 + a->w->now_ms });
    world_flush(a->w);
}

/*  A worker that is cut off may still run it until 0.8 of its lease have passed: until then, it is nowhere else. */
static void it_has_one_life_at_a_time(void **unused)
{
    (void)unused;
    struct actors *a = actors_new(1);
    struct rec_start call[2], again;
    struct rec_result result;
    lost_with_its_node(a, call);
    uint64_t lease_ms = a->w->config.lease_ms;
    bool told = false, started = false;
    uint64_t waited_ms = 0;
    for (; waited_ms <= lease_ms + 3000 && !started; waited_ms += 1000) {
        say(a->w, SECOND, MSG_NODE_BEAT, &(struct msg_node_beat){ .node = a->node + 1 });
        say(a->w, CLIENT, MSG_CLIENT_BEAT, &(struct msg_client_beat){ .session = a->session });
        pass(a->w, 1000);
        told = told || (result_of(a->w, call[0].task, &result) &&
                        result.failure == FAILURE_ACTOR_UNAVAILABLE);
        started = start_at(a->w, 0, &again);
    }
    assert_true(started && told);
    assert_int_equal(again.attempt, 2);
    assert_in_range(waited_ms, lease_ms - 2000, lease_ms + 3000);
    actors_free(a);
}

static void without_restarts_it_is_lost_with_its_node(void **unused)
{
    (void)unused;
    struct actors *a = actors_new(0);
    struct rec_start call[2];
    struct rec_result result;
    lost_with_its_node(a, call);
    uint64_t patience_ms = 2 * a->w->config.lease_ms;
    for (uint64_t ms = 0; ms < patience_ms && !result_of(a->w, call[1].task, &result); ms += 1000) {
        say(a->w, CLIENT, MSG_CLIENT_BEAT, &(struct msg_client_beat){ .session = a->session });
        pass(a->w, 1000);
    }
    assert_true(result_of(a->w, call[1].task, &result));
    assert_int_equal(result.failure, FAILURE_ACTOR_DIED);
    assert_true(has_text(result.text, "NODE_DIED"));
    actors_free(a);
}

static void a_new_process_of_its_worker_ends_the_wait(void **unused)
{
    (void)unused;
    struct actors *a = actors_new(1);
    struct rec_start call[2], again;
    alive(a, &a->start);
    calls(a, 2, 2, 0);
    assert_true(start_at(a->w, 0, &call[0]) && start_at(a->w, 1, &call[1]));
    join(a->w, SECOND, 0, "n1", 2); /* the same folder */
    assert_true(start_at(a->w, 0, &again) && again.task == a->actor && again.attempt == 2);
    struct rec_result result;
    assert_true(result_of(a->w, call[1].task, &result));
    assert_int_equal(result.failure, FAILURE_ACTOR_UNAVAILABLE);
    actors_free(a);
}

static void given_back_by_a_drained_node_it_is_not_charged(void **unused)
{
    (void)unused;
    struct actors *a = actors_new(1);
    struct rec_start call, again, child;
    alive(a, &a->start);
    attach(a, &a->start);
    submit_child(a, must_hear(a->w, MSG_JOB_OPENED)->as.job_opened.session, 1, &child);
    join(a->w, SECOND, 0, "n2", 2);
    say(a->w, CLIENT, MSG_NODE_DRAIN,
        &(struct msg_node_drain){ .node = a->node, .drain = DRAIN_ASKED, .grace_ms = 2000 });
    assert_int_equal(recalled(a),
                     1); /* the task: it lives until the grace is over, and takes calls */
    calls(a, 2, 1, 1);
    assert_true(start_at(a->w, 0, &call));
    pass(a->w, 2500);
    must_hear(a->w, MSG_RECALL);
    proto_put_record(&a->w->wire, REC_DONE,
                     &(struct rec_done){ .task = a->actor,
                                         .token = a->start.token,
                                         .outcome = OUTCOME_RETURNED,
                                         .started_ms = 7 });
    say(a->w, WORKER, MSG_DONE,
        &(struct msg_done){ .seq = 9, .node = a->node, .done = wire_list(&a->w->wire, 1) });
    assert_int_equal(recalled(a), 1); /* what its last process has submitted */
    returned(a, &call);
    assert_true(start_at(a->w, 0, &again) && again.task == a->actor && again.attempt == 2);
    /* its one restart is still there */
    proto_put_record(&a->w->wire, REC_DONE,
                     &(struct rec_done){ .task = a->actor,
                                         .token = again.token,
                                         .outcome = OUTCOME_SIGNAL,
                                         .status = -9,
                                         .started_ms = 7 });
    say(a->w, SECOND, MSG_DONE,
        &(struct msg_done){ .seq = 1, .node = a->node + 1, .done = wire_list(&a->w->wire, 1) });
    assert_true(start_at(a->w, 0, &again) && again.task == a->actor && again.attempt == 3);
    actors_free(a);
}

/*  Of the STARTs that were said, how many to that worker. */
static uint32_t started_at(const struct world *w, uint32_t peer)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < w->said_count; i++) {
        bool is = w->said[i].peer == peer && w->said[i].msg.kind == MSG_START;
        count += is ? w->said[i].msg.as.start.starts.count : 0;
    }
    return count;
}

/*  One CPU to place it, none to run it; such actors are where there are fewest. */
static void what_demands_nothing_needs_a_node_with_a_cpu(void **unused)
{
    (void)unused;
    enum { THIRD = SECOND + 1 };
    struct actors a = { .w = world_new() };
    struct rec_spec spec = actor_spec(0, 0);
    a.session = open_job(a.w, CLIENT, "a");
    join(a.w, WORKER, 0, "n0", 0);
    submit_calls(&a, 1, 3, &spec, (struct rec_call){ 0 });
    assert_null(heard(a.w, MSG_START, 0));
    join(a.w, SECOND, 0, "n1", 1);
    assert_int_equal(started_at(a.w, SECOND), 3);
    submit(a.w, a.session, 4, 1, spec_of(a.w, 1));
    assert_int_equal(started_at(a.w, SECOND), 1); /* none of them holds the CPU */
    join(a.w, THIRD, 0, "n2", 1);
    submit_calls(&a, 5, 2, &spec, (struct rec_call){ 0 });
    assert_int_equal(started_at(a.w, THIRD), 2);
    world_free(a.w);
}

static const struct msg_explained *explained(struct actors *a, uint64_t task)
{
    say(a->w, CLIENT, MSG_EXPLAIN, &(struct msg_explain){ .seq = 9, .task = task });
    return &must_hear(a->w, MSG_EXPLAINED)->as.explained;
}

static void a_call_says_what_it_waits_for(void **unused)
{
    (void)unused;
    struct actors *a = actors_new(0);
    calls(a, 2, 1, 0);
    assert_int_equal(explained(a, a->actor + 1)->why, WHY_ACTOR);
    assert_int_equal(explained(a, a->actor + 1)->other, a->actor);
    actors_free(a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_name_is_held_by_one),
        cmocka_unit_test(a_claim_goes_with_its_session),
        cmocka_unit_test(a_claimed_one_is_not_there_yet),
        cmocka_unit_test(it_ends_with_its_session),
        cmocka_unit_test(a_detached_one_lives_on),
        cmocka_unit_test(a_detached_one_works_on),
        cmocka_unit_test(what_a_dead_one_has_left_ends),
        cmocka_unit_test(a_checkpoint_holds_what_is_inside),
        cmocka_unit_test(it_has_one_life_at_a_time),
        cmocka_unit_test(without_restarts_it_is_lost_with_its_node),
        cmocka_unit_test(a_new_process_of_its_worker_ends_the_wait),
        cmocka_unit_test(a_call_says_what_it_waits_for),
        cmocka_unit_test(what_demands_nothing_needs_a_node_with_a_cpu),
        cmocka_unit_test(given_back_by_a_drained_node_it_is_not_charged),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
