/*  user_test.c - who is let in, what a role may do, whose things are whose, and what happens at once when a token is
    revoked. */
#include <stdio.h>

#include "tests/unit/head_world.h"

enum { ANN = 21, BOB = 22, EYE = 23 };

static void admin_says(struct world *w, enum msg_kind kind, const void *value)
{
    hello(w, CLIENT, 1);
    say(w, CLIENT, kind, value);
}

static void token_for(struct world *w, const char *user, char letter, uint32_t role,
                      uint64_t expires_ms)
{
    struct proof proof = proof_of(letter);
    admin_says(w, MSG_TOKEN_PUT,
               &(struct msg_token_put){ .user = slice_text(user),
                                        .name = slice_text("test"),
                                        .role = role,
                                        .hash = slice_of(proof.hash, sizeof(proof.hash)),
                                        .expires_ms = expires_ms });
}

static void user_of_name(struct world *w, const char *name, char letter, uint32_t role)
{
    admin_says(w, MSG_USER_PUT,
               &(struct msg_user_put){ .name = slice_text(name), .role = role, .make = 1 });
    must_hear(w, MSG_CHANGED);
    token_for(w, name, letter, role, 0);
    must_hear(w, MSG_CHANGED);
}

static void hello_with(struct world *w, uint32_t peer, char letter, uint32_t role)
{
    struct proof proof = proof_of(letter);
    say_proved(w, peer, MSG_HELLO, &(struct msg_hello){ .major = PROTO_MAJOR, .role = role },
               &proof);
}

static struct world *world_of_people(void)
{
    struct world *w = world_new();
    user_of_name(w, "ann", 'A', ROLE_USER);
    user_of_name(w, "bob", 'B', ROLE_USER);
    user_of_name(w, "eye", 'E', ROLE_VIEWER);
    hello_with(w, ANN, 'A', 1);
    hello_with(w, BOB, 'B', 1);
    hello_with(w, EYE, 'E', 1);
    return w;
}

static void must_refuse(struct world *w, int code)
{
    assert_int_equal(must_hear(w, MSG_REFUSED)->as.refused.code, code);
    assert_int_equal(w->said_count, 1);
}

static uint64_t job_opened(struct world *w, uint32_t peer, const char *submission)
{
    say(w, peer, MSG_JOB_OPEN,
        &(struct msg_job_open){ .submission = slice_text(submission),
                                .kind = JOB_ATTACHED,
                                .durability = DURABLE_PROCESS });
    return must_hear(w, MSG_JOB_OPENED)->as.job_opened.job;
}

static void without_a_token_nobody_comes_in(void **unused)
{
    (void)unused;
    struct world *w = world_new();
    say(w, ANN, MSG_HELLO, &(struct msg_hello){ .major = PROTO_MAJOR, .role = 1 });
    must_refuse(w, ERR_TOKEN);
    hello_with(w, ANN, '?', 1);
    must_refuse(w, ERR_TOKEN);
    hello_with(w, ANN, 'a', 2); /* an administrator is no worker */
    must_refuse(w, ERR_FORBIDDEN);
    say(w, ANN, MSG_JOB_OPEN, &(struct msg_job_open){ .kind = JOB_ATTACHED });
    must_hear(w, MSG_WHO);
    hello_with(w, ANN, 'a', 1);
    assert_true(slice_same(must_hear(w, MSG_WELCOME)->as.welcome.user, slice_text("admin")));
    assert_int_equal(must_hear(w, MSG_WELCOME)->as.welcome.may, ROLE_ADMIN);
    world_free(w);
}

static void roles_may_what_the_table_says(void **unused)
{
    (void)unused;
    struct world *w = world_of_people();
    join(w, WORKER, 0, "n1", 2);
    say(w, WORKER, MSG_JOB_OPEN, &(struct msg_job_open){ .kind = JOB_ATTACHED });
    must_refuse(w, ERR_FORBIDDEN);
    say(w, WORKER, MSG_STUDY_READ, &(struct msg_study_read){ .name = slice_text("a") });
    must_refuse(w, ERR_FORBIDDEN);
    say(w, EYE, MSG_JOB_OPEN, &(struct msg_job_open){ .kind = JOB_ATTACHED });
    must_refuse(w, ERR_FORBIDDEN);
    say(w, ANN, MSG_USER_PUT, &(struct msg_user_put){ .name = slice_text("eve"), .make = 1 });
    must_refuse(w, ERR_FORBIDDEN);
    say(w, ANN, MSG_NODE_JOIN, &(struct msg_node_join){ .key = slice_text("n2") });
    must_refuse(w, ERR_FORBIDDEN);
    world_free(w);
}

static void what_is_anothers_is_not_there(void **unused)
{
    (void)unused;
    struct world *w = world_of_people();
    uint64_t job = job_opened(w, ANN, "anns");
    say(w, ANN, MSG_JOB_OPEN,
        &(struct msg_job_open){ .submission = slice_text("anns"),
                                .kind = JOB_ATTACHED,
                                .durability = DURABLE_PROCESS });
    uint64_t session = must_hear(w, MSG_JOB_OPENED)->as.job_opened.session;
    say(w, BOB, MSG_JOB_STOP, &(struct msg_job_stop){ 1, job });
    must_refuse(w, ERR_NOT_FOUND);
    say(w, BOB, MSG_JOB_DELETE, &(struct msg_job_delete){ 1, job });
    must_refuse(w, ERR_NOT_FOUND);
    const char *why;
    const struct msg_job_retry retry = { 1, job, slice_text("bobs") };
    assert_int_equal(core_job_again(turn_core(w->turn), BOB, &retry, &why), ERR_NOT_FOUND);
    assert_int_equal(core_may(turn_core(w->turn), EYE, MSG_JOB_RETRY), ERR_FORBIDDEN);
    say(w, BOB, MSG_WATCH, &(struct msg_watch){ .job = job, .offset = UINT64_MAX });
    must_refuse(w, ERR_NOT_FOUND);
    say(w, BOB, MSG_RESUME, &(struct msg_resume){ 1, session });
    must_refuse(w, ERR_CLOSED);
    say(w, BOB, MSG_JOB_OPEN,
        &(struct msg_job_open){ .submission = slice_text("anns"),
                                .kind = JOB_ATTACHED,
                                .durability = DURABLE_PROCESS });
    must_refuse(w, ERR_CONFLICT);
    say(w, EYE, MSG_WATCH, &(struct msg_watch){ .job = job, .offset = UINT64_MAX });
    assert_int_equal(must_hear(w, MSG_JOB_STATE)->as.job_state.job, job);
    say(w, EYE, MSG_JOB_STOP, &(struct msg_job_stop){ 1, job });
    must_refuse(w, ERR_FORBIDDEN);
    admin_says(w, MSG_JOB_STOP, &(struct msg_job_stop){ 1, job });
    must_hear(w, MSG_JOB_STATE);
    world_free(w);
}

/*  A result of another user's can neither be asked for nor be an argument. */
static void a_foreign_result_is_no_argument(void **unused)
{
    (void)unused;
    struct world *w = world_of_people();
    uint64_t node = join(w, WORKER, 0, "n1", 2);
    uint64_t session = open_job(w, CLIENT, "admins");
    submit(w, session, 1, 1, spec_of(w, 1));
    struct rec_start start;
    assert_true(start_at(w, 0, &start));
    done(w, node, &start, OUTCOME_OK, 0);
    job_opened(w, BOB, "bobs");
    uint64_t bobs = must_hear(w, MSG_JOB_OPENED)->as.job_opened.session;
    proto_put_record(&w->wire, REC_ID, &(struct rec_id){ start.task });
    say(w, BOB, MSG_POLL, &(struct msg_poll){ .session = bobs, .tasks = wire_list(&w->wire, 1) });
    struct rec_result result;
    assert_true(result_of(w, start.task, &result));
    assert_int_equal(result.failure, FAILURE_UNKNOWN_TASK);
    assert_int_equal(result.value.n, 0);

    struct rec_spec spec = spec_of(w, 1);
    size_t at = w->wire.n;
    proto_put_record(&w->wire, REC_SPEC, &spec);
    struct list specs = { slice_of(w->list + at, w->wire.n - at), 1 };
    at = w->wire.n;
    proto_put_record(&w->wire, REC_ID, &(struct rec_id){ start.task });
    struct list deps = { slice_of(w->list + at, w->wire.n - at), 1 };
    at = w->wire.n;
    proto_put_record(&w->wire, REC_CALL, &(struct rec_call){ .spec = 1, .deps = deps });
    struct list calls = { slice_of(w->list + at, w->wire.n - at), 1 };
    say(w, BOB, MSG_SUBMIT,
        &(struct msg_submit){ .session = bobs, .first = 1, .specs = specs, .calls = calls });
    assert_true(result_of(w, task_id_of(bobs, 1).v, &result));
    assert_int_equal(result.failure, FAILURE_UPSTREAM);
    world_free(w);
}

static uint32_t state_for(struct world *w, uint32_t peer, uint64_t session, uint64_t task)
{
    struct rec_source source;
    proto_put_record(&w->wire, REC_OBJECT, &(struct rec_object){ task, 0 });
    say(w, peer, MSG_WHERE, &(struct msg_where){ 1, session, wire_list(&w->wire, 1) });
    struct list sources = must_hear(w, MSG_PLACES)->as.places.sources;
    assert_true(next_source(&sources, &source));
    return source.state;
}

/*  Where objects are is told to whom they belong, with a session or without one, and to who sees all. */
static void places_are_each_users_own(void **unused)
{
    (void)unused;
    struct world *w = world_of_people();
    uint64_t session = open_job(w, CLIENT, "admins");
    submit(w, session, 1, 1, spec_of(w, 1));
    uint64_t task = task_id_of(session, 1).v;
    job_opened(w, BOB, "bobs");
    uint64_t bobs = must_hear(w, MSG_JOB_OPENED)->as.job_opened.session;
    assert_int_equal(state_for(w, CLIENT, session, task), DIRECTORY_AWAITED);
    assert_int_equal(state_for(w, CLIENT, 0, task), DIRECTORY_AWAITED);
    assert_int_equal(state_for(w, EYE, 0, task), DIRECTORY_AWAITED);
    assert_int_equal(state_for(w, BOB, bobs, task), DIRECTORY_FREED);
    assert_int_equal(state_for(w, BOB, 0, task), DIRECTORY_FREED);
    proto_put_record(&w->wire, REC_OBJECT, &(struct rec_object){ task, 0 });
    say(w, BOB, MSG_WHERE, &(struct msg_where){ 1, session, wire_list(&w->wire, 1) });
    must_refuse(w, ERR_CLOSED);
    world_free(w);
}

static void revoked_is_cut_off_at_once(void **unused)
{
    (void)unused;
    struct world *w = world_of_people();
    uint64_t node = join(w, WORKER, 0, "n1", 2);
    uint64_t job = job_opened(w, ANN, "anns");
    struct proof proof = proof_of('w');
    say(w, CLIENT, MSG_TOKEN_PUT, /* as the head itself has made it: tells its number */
        &(struct msg_token_put){ .role = ROLE_WORKER,
                                 .hash = slice_of(proof.hash, sizeof(proof.hash)) });
    uint64_t token = must_hear(w, MSG_CHANGED)->as.changed.id;
    say(w, BOB, MSG_TOKEN_END, &(struct msg_token_end){ 1, token });
    must_refuse(w, ERR_NOT_FOUND);
    say(w, CLIENT, MSG_TOKEN_END, &(struct msg_token_end){ 1, token });
    must_hear(w, MSG_CHANGED);
    must_hear(w, MSG_NODE_STOP);
    assert_int_equal(core_stats(turn_core(w->turn)).nodes_alive, 0);
    say(w, WORKER, MSG_NODE_BEAT, &(struct msg_node_beat){ .node = node });
    must_hear(w, MSG_WHO);
    hello_with(w, WORKER, 'w', 2);
    must_refuse(w, ERR_TOKEN);
    world_restart(w); /* also of a head that starts again, and would make the token */
    hello_with(w, WORKER, 'w', 2);
    must_refuse(w, ERR_TOKEN);

    hello_with(w, ANN, 'A', 1);
    must_hear(w, MSG_WELCOME);
    admin_says(w, MSG_USER_PUT, &(struct msg_user_put){ .name = slice_text("ann"), .disabled = 1 });
    must_hear(w, MSG_CHANGED);
    say(w, ANN, MSG_JOB_STOP, &(struct msg_job_stop){ 1, job });
    must_hear(w, MSG_WHO);
    hello_with(w, ANN, 'A', 1);
    must_refuse(w, ERR_TOKEN);
    admin_says(w, MSG_USER_PUT, &(struct msg_user_put){ .name = slice_text("ann"), .disabled = 2 });
    hello_with(w, ANN, 'A', 1);
    must_hear(w, MSG_WELCOME);
    world_free(w);
}

static void a_token_expires_by_the_wall_clock(void **unused)
{
    (void)unused;
    struct world *w = world_of_people();
    token_for(w, "ann", 'X', ROLE_USER, 1700000000000 + w->now_ms + 1000);
    hello_with(w, 31, 'X', 1);
    must_hear(w, MSG_WELCOME);
    pass(w, 1500);
    say(w, 31, MSG_CLIENT_BEAT, &(struct msg_client_beat){ 0 });
    must_hear(w, MSG_WHO);
    hello_with(w, 31, 'X', 1);
    must_refuse(w, ERR_TOKEN);
    world_free(w);
}

/*  No token gives more than the one that asks for it. */
static void tokens_do_not_escalate(void **unused)
{
    (void)unused;
    struct world *w = world_of_people();
    struct proof proof = proof_of('Z');
    struct msg_token_put put = { .user = slice_text("ann"),
                                 .role = ROLE_ADMIN,
                                 .hash = slice_of(proof.hash, sizeof(proof.hash)) };
    say(w, ANN, MSG_TOKEN_PUT, &put);
    must_refuse(w, ERR_FORBIDDEN);
    put.role = ROLE_WORKER;
    say(w, ANN, MSG_TOKEN_PUT, &put);
    must_refuse(w, ERR_FORBIDDEN);
    put.role = ROLE_VIEWER;
    put.user = slice_text("bob");
    say(w, ANN, MSG_TOKEN_PUT, &put);
    must_refuse(w, ERR_NOT_FOUND);
    put.user = (struct slice){ 0 };
    say(w, ANN, MSG_TOKEN_PUT, &put);
    must_hear(w, MSG_CHANGED);
    hello_with(w, 31, 'Z', 1);
    assert_int_equal(must_hear(w, MSG_WELCOME)->as.welcome.may, ROLE_VIEWER);
    admin_says(w, MSG_USER_PUT,
               &(struct msg_user_put){ .name = slice_text("admin"), .disabled = 1 });
    must_refuse(w, ERR_INVALID);
    world_free(w);
}

/*  A token that was given for less cannot take away what gives more. */
static void a_token_ends_no_greater_one(void **unused)
{
    (void)unused;
    enum { ADMINS = 1, WORKERS = 2 }; /* head_world.h makes them first */
    struct world *w = world_of_people();
    token_for(w, "admin", 'u', ROLE_USER, 0);
    uint64_t own = must_hear(w, MSG_CHANGED)->as.changed.id;
    token_for(w, "admin", 'z', ROLE_VIEWER, 0);
    uint64_t lesser = must_hear(w, MSG_CHANGED)->as.changed.id;
    hello_with(w, 31, 'u', 1);
    say(w, 31, MSG_TOKEN_END, &(struct msg_token_end){ 1, ADMINS });
    must_refuse(w, ERR_FORBIDDEN);
    say(w, 31, MSG_TOKEN_END, &(struct msg_token_end){ 1, WORKERS });
    must_refuse(w, ERR_FORBIDDEN);
    say(w, 31, MSG_TOKEN_END, &(struct msg_token_end){ 1, lesser });
    must_hear(w, MSG_CHANGED);
    say(w, 31, MSG_TOKEN_END, &(struct msg_token_end){ 1, own });
    must_hear(w, MSG_CHANGED);
    admin_says(w, MSG_TOKEN_END, &(struct msg_token_end){ 1, WORKERS });
    must_hear(w, MSG_CHANGED);
    world_free(w);
}

static void a_ticket_lasts_as_long_as_its_attempt(void **unused)
{
    (void)unused;
    struct world *w = world_of_people();
    struct rec_spec spec = { .kind = SPEC_COMMAND, .name = slice_text("driver") };
    proto_put_record(&w->wire, REC_SPEC, &spec);
    say(w, ANN, MSG_JOB_OPEN,
        &(struct msg_job_open){ .submission = slice_text("a"),
                                .kind = JOB_DRIVER,
                                .durability = DURABLE_PROCESS,
                                .specs = wire_list(&w->wire, 1) });
    uint64_t job = must_hear(w, MSG_JOB_OPENED)->as.job_opened.job;
    uint64_t node = join(w, WORKER, 0, "n1", 2);
    struct rec_start start;
    assert_true(start_at(w, 0, &start));
    struct proof proof = { PROOF_TICKET, { 0 }, job, start.task, start.token + 1, 0 };
    struct msg_hello greeting = { .major = PROTO_MAJOR, .role = 1 };
    say_proved(w, 31, MSG_HELLO, &greeting, &proof);
    must_refuse(w, ERR_TOKEN);
    proof.fence = start.token;
    say_proved(w, 31, MSG_HELLO, &greeting, &proof);
    assert_true(slice_same(must_hear(w, MSG_WELCOME)->as.welcome.user, slice_text("ann")));
    say(w, 31, MSG_TOKEN_PUT, &(struct msg_token_put){ .seq = 1 }); /* would outlast it */
    must_refuse(w, ERR_FORBIDDEN);
    uint64_t child = job_opened(w, 31, "child");
    done(w, node, &start, OUTCOME_OK, 0);
    say(w, 31, MSG_JOB_STOP, &(struct msg_job_stop){ 1, child });
    must_refuse(w, ERR_STALE);
    say(w, ANN, MSG_JOB_STOP, &(struct msg_job_stop){ 1, child }); /* it is ann's */
    must_hear(w, MSG_JOB_STATE);
    world_free(w);
}

/*  Who only listens says nothing that could be refused. */
static void a_watch_ends_with_its_ticket(void **unused)
{
    (void)unused;
    struct world *w = world_of_people();
    struct rec_spec spec = { .kind = SPEC_COMMAND, .name = slice_text("driver") };
    proto_put_record(&w->wire, REC_SPEC, &spec);
    say(w, ANN, MSG_JOB_OPEN,
        &(struct msg_job_open){ .submission = slice_text("a"),
                                .kind = JOB_DRIVER,
                                .durability = DURABLE_PROCESS,
                                .specs = wire_list(&w->wire, 1) });
    uint64_t job = must_hear(w, MSG_JOB_OPENED)->as.job_opened.job;
    uint64_t other = job_opened(w, ANN, "other");
    uint64_t node = join(w, WORKER, 0, "n1", 2);
    struct rec_start start;
    assert_true(start_at(w, 0, &start));
    struct proof proof = { PROOF_TICKET, { 0 }, job, start.task, start.token, 0 };
    struct msg_hello greeting = { .major = PROTO_MAJOR, .role = 1 };
    say_proved(w, 31, MSG_HELLO, &greeting, &proof);
    say(w, 31, MSG_WATCH, &(struct msg_watch){ .seq = 1, .job = other });
    must_hear(w, MSG_JOB_STATE);
    pass(w, 1000);
    assert_null(heard(w, MSG_WHO, 0)); /* its attempt goes on */
    done(w, node, &start, OUTCOME_OK, 0);
    pass(w, 1000);
    must_hear(w, MSG_WHO);
    say(w, ANN, MSG_JOB_STOP, &(struct msg_job_stop){ 1, other });
    must_hear(w, MSG_JOB_STATE);
    assert_null(heard(w, MSG_JOB_STATE, 1)); /* ann's answer, and no more */
    world_free(w);
}

static void calls_by(struct world *w, uint32_t peer, uint64_t session, uint32_t count)
{
    struct rec_spec spec = spec_of(w, 1);
    size_t at = w->wire.n;
    proto_put_record(&w->wire, REC_SPEC, &spec);
    struct list specs = { slice_of(w->list + at, w->wire.n - at), 1 };
    at = w->wire.n;
    for (uint32_t i = 0; i < count; i++) {
        proto_put_record(&w->wire, REC_CALL, &(struct rec_call){ .spec = 1 });
    }
    say(w, peer, MSG_SUBMIT,
        &(struct msg_submit){
            1, session, 1, specs, { slice_of(w->list + at, w->wire.n - at), count } });
}

static void quotas_hold(void **unused)
{
    (void)unused;
    struct world *w = world_of_people();
    admin_says(w, MSG_USER_PUT,
               &(struct msg_user_put){ .name = slice_text("ann"), .jobs_max = 1, .tasks_max = 3 });
    uint64_t job = job_opened(w, ANN, "one");
    uint64_t session = must_hear(w, MSG_JOB_OPENED)->as.job_opened.session;
    say(w, ANN, MSG_JOB_OPEN,
        &(struct msg_job_open){
            .submission = slice_text("two"), .kind = JOB_ATTACHED, .durability = DURABLE_PROCESS });
    must_refuse(w, ERR_QUOTA);
    calls_by(w, ANN, session, 4);
    must_refuse(w, ERR_QUOTA);
    say(w, ANN, MSG_JOB_STOP, &(struct msg_job_stop){ 1, job });
    must_hear(w, MSG_JOB_STATE);
    job_opened(w, ANN, "two");
    job_opened(w, BOB, "three");
    world_free(w);
}

static void job_refused(struct world *w, uint32_t peer, const char *submission)
{
    struct rec_spec spec = { .kind = SPEC_COMMAND, .name = slice_text("driver") };
    size_t at = w->wire.n;
    proto_put_record(&w->wire, REC_SPEC, &spec);
    say(w, peer, MSG_JOB_OPEN,
        &(struct msg_job_open){ .submission = slice_text(submission),
                                .kind = JOB_DRIVER,
                                .durability = DURABLE_PROCESS,
                                .specs = { slice_of(w->list + at, w->wire.n - at), 1 } });
    must_refuse(w, ERR_QUOTA);
}

static uint64_t array_opened(struct world *w, uint32_t peer, const char *submission,
                             const char *after)
{
    struct rec_spec spec = { .kind = SPEC_COMMAND, .name = slice_text("each") };
    size_t at = w->wire.n;
    proto_put_record(&w->wire, REC_SPEC, &spec);
    struct list specs = { slice_of(w->list + at, w->wire.n - at), 1 };
    at = w->wire.n;
    if (after) {
        proto_put_record(&w->wire, REC_AFTER, &(struct rec_after){ slice_text(after), AFTER_ANY });
    }
    say(w, peer, MSG_JOB_OPEN,
        &(struct msg_job_open){
            .submission = slice_text(submission),
            .kind = JOB_ARRAY,
            .durability = DURABLE_PROCESS,
            .array_last = 1,
            .specs = specs,
            .after = { slice_of(w->list + at, w->wire.n - at), after != NULL } });
    return must_hear(w, MSG_JOB_OPENED)->as.job_opened.job;
}

static void what_is_run_again_counts(void **unused)
{
    (void)unused;
    struct world *w = world_of_people();
    admin_says(w, MSG_USER_PUT,
               &(struct msg_user_put){ .name = slice_text("ann"), .tasks_max = 2 });
    array_opened(w, ANN, "all", NULL);
    uint64_t node = join(w, WORKER, 0, "n1", 2);
    struct rec_start start;
    assert_true(start_at(w, 0, &start));
    done(w, node, &start, OUTCOME_EXIT, 1);
    say(w, ANN, MSG_RETRY, &(struct msg_retry){ 1, start.task });
    must_hear(w, MSG_RETRIED);
    say(w, ANN, MSG_RETRY, &(struct msg_retry){ 2, start.task });
    assert_int_equal(must_hear(w, MSG_REFUSED)->as.refused.code, ERR_QUOTA);
    job_refused(w, ANN, "more");
    world_free(w);
}

/*  They are made when the job that it waits for has ended. */
static void what_an_array_will_make_counts(void **unused)
{
    (void)unused;
    struct world *w = world_of_people();
    admin_says(w, MSG_USER_PUT,
               &(struct msg_user_put){ .name = slice_text("ann"), .tasks_max = 3 });
    job_opened(w, ANN, "before");
    uint64_t session = must_hear(w, MSG_JOB_OPENED)->as.job_opened.session;
    uint64_t array = array_opened(w, ANN, "array", "before");
    calls_by(w, ANN, session, 2);
    must_refuse(w, ERR_QUOTA);
    say(w, ANN, MSG_JOB_STOP, &(struct msg_job_stop){ 1, array });
    calls_by(w, ANN, session, 2); /* what is not made any more does not count */
    assert_null(heard(w, MSG_REFUSED, 0));
    world_free(w);
}

/*  Nobody can make a name of another user's job ambiguous, or take its number for a name. */
static void names_are_each_users_own(void **unused)
{
    (void)unused;
    struct world *w = world_of_people();
    char number[24];
    snprintf(number, sizeof(number), "%llu", (unsigned long long)job_opened(w, ANN, "prepare-a"));
    job_opened(w, BOB, "prepare-b");
    job_opened(w, BOB, number);
    array_opened(w, ANN, "by-prefix", "prep");
    array_opened(w, ANN, "by-number", number);
    world_free(w);
}

/*  A worker cannot be another's node, nor tell how its tasks ended. */
static void a_worker_speaks_for_itself(void **unused)
{
    (void)unused;
    struct world *w = world_of_people();
    token_for(w, "admin", 'v', ROLE_WORKER, 0);
    uint64_t node = join(w, WORKER, 0, "n1", 2);
    uint64_t session = open_job(w, CLIENT, "a");
    submit(w, session, 1, 1, spec_of(w, 1));
    struct rec_start start;
    assert_true(start_at(w, 0, &start));
    hello_with(w, 31, 'v', 2);
    say(w, 31, MSG_NODE_JOIN, &(struct msg_node_join){ .node = node, .key = slice_text("n9") });
    must_refuse(w, ERR_FORBIDDEN);
    struct rec_done forged = { .task = start.task, .token = start.token, .outcome = OUTCOME_OK };
    proto_put_record(&w->wire, REC_DONE, &forged);
    say(w, 31, MSG_DONE,
        &(struct msg_done){ .seq = 1, .node = node, .done = wire_list(&w->wire, 1) });
    assert_null(heard(w, MSG_RESULTS, 0));
    done(w, node, &start, OUTCOME_OK, 0);
    struct rec_result result;
    assert_true(result_of(w, start.task, &result));
    world_free(w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(without_a_token_nobody_comes_in),
        cmocka_unit_test(roles_may_what_the_table_says),
        cmocka_unit_test(what_is_anothers_is_not_there),
        cmocka_unit_test(names_are_each_users_own),
        cmocka_unit_test(a_foreign_result_is_no_argument),
        cmocka_unit_test(places_are_each_users_own),
        cmocka_unit_test(revoked_is_cut_off_at_once),
        cmocka_unit_test(a_token_expires_by_the_wall_clock),
        cmocka_unit_test(tokens_do_not_escalate),
        cmocka_unit_test(a_token_ends_no_greater_one),
        cmocka_unit_test(a_ticket_lasts_as_long_as_its_attempt),
        cmocka_unit_test(a_watch_ends_with_its_ticket),
        cmocka_unit_test(quotas_hold),
        cmocka_unit_test(what_is_run_again_counts),
        cmocka_unit_test(what_an_array_will_make_counts),
        cmocka_unit_test(a_worker_speaks_for_itself),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
