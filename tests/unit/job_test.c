/*  job_test.c - stories of jobs: waiting for others, running again, why they failed, being deleted. */
#include <stdio.h>
#include "head/again.h"
#include "tests/unit/head_world.h"

struct asked { /* of a job with a driver on the cluster */
    const char *submission, *package, *after[3];
    uint32_t condition[3];
    int32_t max_retries;
    uint32_t retry_mode, queue_ms_max;
    uint32_t kind;
    bool driver; /* its spec says that it is one; of a job with a driver it always does */
    double cpus;
};

static struct msg_job_open message(struct world *w, const struct asked *asked)
{
    bool driver = asked->driver || asked->kind != JOB_ARRAY;
    struct rec_spec spec = { .kind = driver ? SPEC_DRIVER : SPEC_COMMAND,
                             .name = slice_text("d"),
                             .demand = amount(w, "CPU", asked->cpus),
                             .max_retries = asked->max_retries,
                             .retry_mode = asked->retry_mode,
                             .queue_ms_max = asked->queue_ms_max,
                             .if_infeasible = INFEASIBLE_FAIL };
    size_t from = w->wire.n;
    if (asked->package) {
        struct rec_package package = { .hash = slice_text(asked->package),
                                       .kind = PACKAGE_WORKING_DIR };
        proto_put_record(&w->wire, REC_PACKAGE, &package);
        spec.packages = (struct list){ slice_of(w->list + from, w->wire.n - from), 1 };
    }
    from = w->wire.n;
    proto_put_record(&w->wire, REC_SPEC, &spec);
    struct msg_job_open open = { .submission = slice_text(asked->submission),
                                 .kind = asked->kind ? asked->kind : JOB_DRIVER,
                                 .durability = DURABLE_PROCESS,
                                 .detached = 1,
                                 .array_first = 1,
                                 .array_last = 2,
                                 .specs = { slice_of(w->list + from, w->wire.n - from), 1 } };
    from = w->wire.n;
    for (int i = 0; i < 3 && asked->after[i]; i++) {
        uint32_t condition = asked->condition[i] ? asked->condition[i] : AFTER_OK;
        proto_put_record(&w->wire, REC_AFTER,
                         &(struct rec_after){ slice_text(asked->after[i]), condition });
        open.after.count++;
    }
    open.after.bytes = slice_of(w->list + from, w->wire.n - from);
    return open;
}

static uint64_t open_driver(struct world *w, struct asked asked)
{
    hello(w, CLIENT, 1);
    struct msg_job_open open = message(w, &asked);
    say(w, CLIENT, MSG_JOB_OPEN, &open);
    return must_hear(w, MSG_JOB_OPENED)->as.job_opened.job;
}

static struct msg_job_state state_of(struct world *w, uint64_t job)
{
    hello(w, CLIENT, 1);
    say(w, CLIENT, MSG_WATCH, &(struct msg_watch){ .job = job, .offset = UINT64_MAX });
    return must_hear(w, MSG_JOB_STATE)->as.job_state;
}

static void expect_state(struct world *w, uint64_t job, uint32_t state, const char *text)
{
    struct msg_job_state is = state_of(w, job);
    assert_string_equal(job_state_name(is.state), job_state_name(state));
    if (!slice_same(is.message, slice_text(text))) {
        fail_msg("'%.*s' is not '%s'", (int)is.message.n, (const char *)is.message.p, text);
    }
}

/*  The job's attempt that has just been started ends so. */
static void ends(struct world *w, uint64_t node, struct rec_start *start, uint32_t outcome,
                 int32_t status)
{
    struct rec_start copy = *start;
    done(w, node, &copy, outcome, status);
}

static void a_job_follows_a_success(void **unused)
{
    (void)unused;
    struct world *w = world_new();
    uint64_t node = join(w, WORKER, 0, "n1", 2);
    struct rec_start one, two;
    uint64_t first = open_driver(w, (struct asked){ .submission = "one" });
    assert_true(start_at(w, 0, &one));
    uint64_t second = open_driver(w, (struct asked){ .submission = "two", .after = { "one" } });
    assert_false(start_at(w, 0, &two));
    expect_state(w, second, JOB_PENDING, "waiting for job one to succeed");
    ends(w, node, &one, OUTCOME_OK, 0);
    assert_true(start_at(w, 0, &two));
    assert_int_equal(state_of(w, first).state, JOB_SUCCEEDED);
    assert_int_equal(state_of(w, second).state, JOB_RUNNING);
    world_free(w);
}

static void a_failure_cascades(void **unused)
{
    (void)unused;
    struct world *w = world_new();
    uint64_t node = join(w, WORKER, 0, "n1", 2);
    struct rec_start start;
    open_driver(w, (struct asked){ .submission = "one" });
    assert_true(start_at(w, 0, &start));
    uint64_t two = open_driver(w, (struct asked){ .submission = "two", .after = { "one" } });
    uint64_t three = open_driver(w, (struct asked){ .submission = "three", .after = { "two" } });
    uint64_t any = open_driver(
        w, (struct asked){ .submission = "any", .after = { "two" }, .condition = { AFTER_ANY } });
    ends(w, node, &start, OUTCOME_EXIT, 3);
    assert_true(start_at(w, 0, &start)); /* of `any` */
    assert_false(start_at(w, 1, &start));
    expect_state(w, two, JOB_FAILED, "job one ended FAILED");
    expect_state(w, three, JOB_FAILED, "job two ended FAILED");
    assert_int_equal(state_of(w, three).error, 0);
    assert_int_equal(state_of(w, any).state, JOB_RUNNING);
    world_free(w);
}

static void waiting_survives_restarts(void **unused)
{
    (void)unused;
    struct world *w = world_new();
    uint64_t one = open_driver(w, (struct asked){ .submission = "one" });
    uint64_t two = open_driver(w, (struct asked){ .submission = "two" });
    uint64_t both = open_driver(w, (struct asked){ .submission = "both", .after = { "one", "2" } });
    uint64_t array = open_driver(
        w, (struct asked){ .submission = "all", .kind = JOB_ARRAY, .after = { "both" } });
    world_restart(w);
    expect_state(w, both, JOB_PENDING, "waiting for job one to succeed, and 1 more");
    uint64_t node = join(w, WORKER, 0, "n1", 2);
    struct rec_start start;
    assert_true(start_at(w, 0, &start));
    uint64_t first = start.task;
    ends(w, node, &start, OUTCOME_OK, 0);
    assert_int_equal(state_of(w, one).state, JOB_SUCCEEDED);
    expect_state(w, both, JOB_PENDING, "waiting for job two to succeed");
    world_restart(w);
    expect_state(w, both, JOB_PENDING, "waiting for job two to succeed");
    node = join(w, WORKER, 0, "n1", 2); /* a new process: `two` is retried or given up */
    assert_int_equal(state_of(w, two).state, JOB_FAILED);
    assert_true(first != 0);
    expect_state(w, both, JOB_FAILED, "job two ended FAILED");
    expect_state(w, array, JOB_FAILED, "job both ended FAILED");
    assert_int_equal(state_of(w, array).finished + state_of(w, array).failed, 0);
    assert_int_equal(core_stats(turn_core(w->turn)).jobs_open, 0);
    world_free(w);
}

static void what_has_ended_is_not_waited_for(void **unused)
{
    (void)unused;
    struct world *w = world_new();
    uint64_t node = join(w, WORKER, 0, "n1", 2);
    struct rec_start start;
    open_driver(w, (struct asked){ .submission = "good" });
    assert_true(start_at(w, 0, &start));
    ends(w, node, &start, OUTCOME_OK, 0);
    open_driver(w, (struct asked){ .submission = "bad" });
    assert_true(start_at(w, 0, &start));
    ends(w, node, &start, OUTCOME_SIGNAL, -9);
    uint64_t job = open_driver(w, (struct asked){ .submission = "next",
                                                  .after = { "good", "bad" },
                                                  .condition = { AFTER_OK, AFTER_ANY } });
    assert_true(start_at(w, 0, &start));
    assert_int_equal(state_of(w, job).state, JOB_RUNNING);
    job = open_driver(w, (struct asked){ .submission = "not", .after = { "good", "bad" } });
    expect_state(w, job, JOB_FAILED, "job bad ended FAILED");
    world_restart(w);
    expect_state(w, job, JOB_FAILED, "job bad ended FAILED");
    world_free(w);
}

static void refuse_open(struct world *w, struct asked asked, int code, const char *text)
{
    hello(w, CLIENT, 1);
    struct msg_job_open open = message(w, &asked);
    if (asked.kind == JOB_ATTACHED) {
        open.specs = (struct list){ { 0 }, 0 };
    }
    say(w, CLIENT, MSG_JOB_OPEN, &open);
    const struct msg_refused *refused = &must_hear(w, MSG_REFUSED)->as.refused;
    assert_int_equal(refused->code, code);
    assert_non_null(memmem(refused->text.p, refused->text.n, text, strlen(text)));
}

static void only_jobs_that_exist_can_be_named(void **unused)
{
    (void)unused;
    struct world *w = world_new();
    refuse_open(w, (struct asked){ .submission = "two", .after = { "nobody" } }, ERR_NOT_FOUND,
                "after: nobody is not a job");
    refuse_open(w, (struct asked){ .submission = "two", .after = { "nobody:done" } }, ERR_NOT_FOUND,
                "after JOB: comes ok or any");
    refuse_open(w, (struct asked){ .submission = "me", .after = { "me" } }, ERR_NOT_FOUND, "me");
    open_driver(w, (struct asked){ .submission = "one-a" });
    open_driver(w, (struct asked){ .submission = "one-b" });
    refuse_open(w, (struct asked){ .submission = "two", .after = { "one-" } }, ERR_NOT_FOUND,
                "one-");
    refuse_open(w, (struct asked){ .submission = "b", .kind = JOB_ATTACHED, .after = { "one-a" } },
                ERR_INVALID, "cannot wait");
    world_free(w);
}

static void stopping_ends_the_waiting(void **unused)
{
    (void)unused;
    struct world *w = world_new();
    open_driver(w, (struct asked){ .submission = "one" });
    uint64_t two = open_driver(w, (struct asked){ .submission = "two", .after = { "one" } });
    uint64_t all = open_driver(
        w, (struct asked){ .submission = "all", .kind = JOB_ARRAY, .after = { "two" } });
    uint64_t more = open_driver(
        w, (struct asked){ .submission = "more", .kind = JOB_ARRAY, .after = { "all" } });
    say(w, CLIENT, MSG_JOB_STOP, &(struct msg_job_stop){ .job = two });
    expect_state(w, two, JOB_STOPPED, "stopped by a user");
    expect_state(w, all, JOB_FAILED, "job two ended STOPPED");
    expect_state(w, more, JOB_FAILED, "job all ended FAILED");
    world_free(w);
}

static void a_job_runs_again(void **unused)
{
    (void)unused;
    struct world *w = world_new();
    uint64_t node = join(w, WORKER, 0, "n1", 2);
    struct rec_start start;
    uint64_t job = open_driver(
        w, (struct asked){ .submission = "one", .max_retries = 1, .retry_mode = RETRY_ANY });
    assert_true(start_at(w, 0, &start));
    hello(w, CLIENT, 1);
    say(w, CLIENT, MSG_JOB_ATTACH, &(struct msg_job_attach){ .job = job, .token = start.token });
    uint64_t session = must_hear(w, MSG_JOB_OPENED)->as.job_opened.session;
    submit(w, session, 1, 1, spec_of(w, 5)); /* no node can run it: it waits */
    ends(w, node, &start, OUTCOME_EXIT, 3);
    assert_true(start_at(w, 0, &start));
    assert_int_equal(start.attempt, 2);
    expect_state(w, job, JOB_RUNNING, "exit status 3; it runs again");
    assert_int_equal(state_of(w, job).failed, 1); /* nobody waits for what the first has asked */
    ends(w, node, &start, OUTCOME_EXIT, 4);
    expect_state(w, job, JOB_FAILED, "exit status 4");
    assert_int_equal(state_of(w, job).exit_code, 4);
    world_free(w);
}

static void the_error_says_why(void **unused)
{
    (void)unused;
    static const struct {
        uint32_t outcome;
        int32_t status;
        uint32_t error;
    } cases[] = {
        { OUTCOME_OK, 0, JOB_ERROR_NONE },
        { OUTCOME_EXIT, 2, ERROR_JOB_ENTRYPOINT_COMMAND_ERROR },
        { OUTCOME_SIGNAL, -11, ERROR_JOB_ENTRYPOINT_COMMAND_ERROR },
        { OUTCOME_RUN_TIMEOUT, 0, ERROR_JOB_ENTRYPOINT_COMMAND_ERROR },
        { OUTCOME_OUT_OF_MEMORY, -9, ERROR_JOB_ENTRYPOINT_COMMAND_ERROR },
        { OUTCOME_SETUP_FAILED, 127, ERROR_JOB_ENTRYPOINT_COMMAND_START_ERROR },
        { OUTCOME_ENV_FAILED, 0, ERROR_RUNTIME_ENV_SETUP_FAILURE },
    };
    struct world *w = world_new();
    uint64_t node = join(w, WORKER, 0, "n1", 2);
    for (size_t i = 0; i < COUNT(cases); i++) {
        char name[16];
        struct rec_start start;
        snprintf(name, sizeof(name), "job-%zu", i);
        uint64_t job = open_driver(w, (struct asked){ .submission = name, .max_retries = 0 });
        assert_true(start_at(w, 0, &start));
        ends(w, node, &start, cases[i].outcome, cases[i].status);
        assert_string_equal(job_error_name(state_of(w, job).error), job_error_name(cases[i].error));
        world_restart(w);
        assert_int_equal(state_of(w, job).error, cases[i].error);
        node = join(w, WORKER, node, "n1", 2);
    }
    uint64_t job = open_driver(w, (struct asked){ .submission = "large", .cpus = 9 });
    pass(w, 1000);
    assert_int_equal(state_of(w, job).error, ERROR_JOB_SUPERVISOR_ACTOR_UNSCHEDULABLE);
    open_driver(w, (struct asked){ .submission = "all", .cpus = 2 });
    job = open_driver(w, (struct asked){ .submission = "late", .cpus = 1, .queue_ms_max = 500 });
    pass(w, 1000);
    assert_int_equal(state_of(w, job).error, ERROR_JOB_SUPERVISOR_ACTOR_START_TIMEOUT);
    expect_state(w, job, JOB_FAILED, "it waited longer than its limit");
    world_free(w);
}

/*  Its end is what to do about it. */
static void why_a_driver_did_not_start_is_told_whole(void **unused)
{
    (void)unused;
    struct world *w = world_new();
    uint64_t node = join(w, WORKER, 0, "n1", 2);
    struct rec_start start;
    uint64_t job = open_driver(w, (struct asked){ .submission = "one", .max_retries = 0 });
    assert_true(start_at(w, 0, &start));
    char text[300];
    memset(text, 'x', sizeof(text));
    proto_put_record(&w->wire, REC_DONE,
                     &(struct rec_done){ .task = start.task,
                                         .token = start.token,
                                         .outcome = OUTCOME_SETUP_FAILED,
                                         .status = 126,
                                         .text = slice_of(text, sizeof(text)) });
    say(w, WORKER, MSG_DONE,
        &(struct msg_done){ .seq = 5, .node = node, .done = wire_list(&w->wire, 1) });
    struct slice message = state_of(w, job).message;
    assert_true(message.n > sizeof(text));
    assert_memory_equal(message.p + message.n - sizeof(text), text, sizeof(text));
    world_free(w);
}

static void a_lost_node_is_the_supervisor_s_death(void **unused)
{
    (void)unused;
    struct world *w = world_new();
    join(w, WORKER, 0, "n1", 2);
    struct rec_start start;
    uint64_t job = open_driver(w, (struct asked){ .submission = "one" });
    assert_true(start_at(w, 0, &start));
    join(w, WORKER + 1, 0, "n1", 2); /* a new process of the same worker */
    pass(w, 1000);
    struct msg_job_state is = state_of(w, job);
    assert_int_equal(is.state, JOB_FAILED);
    assert_int_equal(is.error, ERROR_JOB_SUPERVISOR_ACTOR_DIED);
    world_free(w);
}

static void delete_job(struct world *w, uint64_t job, int code)
{
    hello(w, CLIENT, 1);
    say(w, CLIENT, MSG_JOB_DELETE, &(struct msg_job_delete){ .seq = 77, .job = job });
    if (code != OK) {
        assert_int_equal(must_hear(w, MSG_REFUSED)->as.refused.code, code);
    } else {
        assert_int_equal(must_hear(w, MSG_CHANGED)->as.changed.id, job);
        assert_int_equal(must_hear(w, MSG_CHANGED)->as.changed.seq, 77);
    }
}

static void an_ended_job_can_be_deleted(void **unused)
{
    (void)unused;
    struct world *w = world_new();
    uint64_t node = join(w, WORKER, 0, "n1", 2);
    struct rec_start start;
    uint64_t job = open_driver(w, (struct asked){ .submission = "one" });
    assert_true(start_at(w, 0, &start));
    delete_job(w, job, ERR_CONFLICT);
    hello(w, WORKER, 2);
    join(w, WORKER, node, "n1", 2);
    ends(w, node, &start, OUTCOME_OK, 0);
    delete_job(w, job, OK);
    assert_int_equal(core_forgotten(turn_core(w->turn)), job);
    assert_int_equal(core_forgotten(turn_core(w->turn)), 0);
    delete_job(w, job, ERR_NOT_FOUND);
    assert_int_equal(core_job_owner(turn_core(w->turn), job), 0);
    world_restart(w);
    assert_int_equal(core_job_owner(turn_core(w->turn), job), 0);
    assert_true(open_driver(w, (struct asked){ .submission = "one" }) > job); /* never the same */
    world_free(w);
}

/*  As the shell does: the job's rows are said in the name of the peer.  OK, or the code of the refusal. */
static int retry(struct world *w, uint64_t job, const char *submission)
{
    struct again again = { 0 };
    const char *why = NULL;
    struct msg msg = { .kind = MSG_JOB_RETRY };
    msg.as.job_retry =
        (struct msg_job_retry){ .seq = 78, .job = job, .submission = slice_text(submission) };
    hello(w, CLIENT, 1);
    int code = core_job_again(turn_core(w->turn), CLIENT, &msg.as.job_retry, &why);
    assert_true((code == OK) == (why == NULL));
    code = code == OK ? again_read(&again, w->store, &msg.as.job_retry, &msg) : code;
    if (code == OK) {
        assert_int_equal(msg.kind, MSG_JOB_OPEN);
        say(w, CLIENT, MSG_JOB_OPEN, &msg.as.job_open);
    }
    again_clear(&again);
    return code;
}

static void an_ended_job_is_submitted_again(void **unused)
{
    (void)unused;
    struct world *w = world_new();
    uint64_t node = join(w, WORKER, 0, "n1", 2);
    struct rec_start start;
    struct asked asked = { .submission = "one", .max_retries = 1, .retry_mode = RETRY_ANY };
    uint64_t job = open_driver(w, asked);
    assert_true(start_at(w, 0, &start));
    assert_int_equal(retry(w, job, "two"), ERR_CONFLICT); /* it has not ended */
    join(w, WORKER, node, "n1", 2);
    ends(w, node, &start, OUTCOME_OK, 0);
    assert_int_equal(retry(w, job, "one"), ERR_CONFLICT);
    assert_int_equal(retry(w, job + 1, "two"), ERR_NOT_FOUND);
    world_restart(w); /* nothing of its spec is in memory now */
    node = join(w, WORKER, 0, "n2", 2);
    assert_int_equal(retry(w, job, "two"), OK);
    struct msg_job_opened opened = must_hear(w, MSG_JOB_OPENED)->as.job_opened;
    assert_true(opened.job > job && !opened.again && opened.seq == 78);
    assert_true(start_at(w, 0, &start));
    ends(w, node, &start, OUTCOME_EXIT, 3); /* its options came along: it runs once more */
    assert_true(start_at(w, 0, &start));
    assert_int_equal(start.attempt, 2);
    assert_int_equal(retry(w, job, "two"), OK); /* said again: the same */
    assert_true(must_hear(w, MSG_JOB_OPENED)->as.job_opened.again);
    world_free(w);
}

static void an_array_is_submitted_again(void **unused)
{
    (void)unused;
    struct world *w = world_new();
    uint64_t node = join(w, WORKER, 0, "n1", 2);
    struct rec_start first = { 0 }, second = { 0 };
    uint64_t job =
        open_driver(w, (struct asked){ .submission = "one", .kind = JOB_ARRAY, .cpus = 1 });
    assert_true(start_at(w, 0, &first) && start_at(w, 1, &second));
    struct rec_start both[] = { first, second };
    ends(w, node, &both[0], OUTCOME_OK, 0);
    ends(w, node, &both[1], OUTCOME_OK, 0);
    assert_int_equal(state_of(w, job).state, JOB_SUCCEEDED);
    assert_int_equal(retry(w, job, "two"), OK);
    job = must_hear(w, MSG_JOB_OPENED)->as.job_opened.job;
    assert_true(start_at(w, 0, &first) && start_at(w, 1, &second));
    assert_int_equal(state_of(w, job).total, 2);
    world_free(w);
}

static void what_runs_outside_is_not_submitted_again(void **unused)
{
    (void)unused;
    struct world *w = world_new();
    uint64_t session = open_job(w, CLIENT, "mine");
    uint64_t job = must_hear(w, MSG_JOB_OPENED)->as.job_opened.job;
    assert_int_equal(retry(w, job, "two"), ERR_INVALID);
    say(w, CLIENT, MSG_BYE, &(struct msg_bye){ 1, session, 0 });
    assert_int_equal(retry(w, job, "two"), ERR_INVALID);
    world_free(w);
}

/*  A job has the driver that it was made with: no other task of it is one, whatever its submitter says. */
static void nobody_submits_a_driver(void **unused)
{
    (void)unused;
    struct world *w = world_new();
    uint64_t session = open_job(w, CLIENT, "mine");
    struct rec_spec spec = spec_of(w, 1);
    spec.kind = SPEC_DRIVER;
    submit(w, session, 1, 1, spec);
    assert_int_equal(must_hear(w, MSG_REFUSED)->as.refused.code, ERR_INVALID);
    struct msg_job_open open =
        message(w, &(struct asked){ .submission = "all", .kind = JOB_ARRAY, .driver = true });
    say(w, CLIENT, MSG_JOB_OPEN, &open);
    assert_int_equal(must_hear(w, MSG_REFUSED)->as.refused.code, ERR_INVALID);
    world_free(w);
}

static bool is_named(struct world *w, const char *hash)
{
    bool named;
    assert_int_equal(store_file_named(w->store, hash, &named), OK);
    return named;
}

static void put_package(struct world *w, const char *uri, const char *hash)
{
    hello(w, CLIENT, 1);
    say(w, CLIENT, MSG_PACKAGE_PUT,
        &(struct msg_package_put){ .uri = slice_text(uri), .hash = slice_text(hash), .bytes = 5 });
    must_hear(w, MSG_CHANGED);
}

/*  A package has a name while it is young, and while a job that is kept needs it; also over a restart. */
static void packages_are_named_while_needed(void **unused)
{
    (void)unused;
    struct world *w = world_new();
    char hash[HASH_TEXT + 1] = "", other[HASH_TEXT + 1] = "";
    memset(hash, 'a', HASH_TEXT);
    memset(other, 'b', HASH_TEXT);
    put_package(w, "gcs://one", hash);
    put_package(w, "gcs://two", other);
    uint64_t job = open_driver(w, (struct asked){ .submission = "one", .package = hash });
    pass(w, 3500 * 1000);
    assert_true(is_named(w, hash) && is_named(w, other));
    put_package(w, "gcs://two", other); /* again: its time begins anew */
    pass(w, 200 * 1000);
    assert_true(is_named(w, hash) && is_named(w, other));
    pass(w, 3500 * 1000);
    assert_true(is_named(w, hash) && !is_named(w, other));
    world_restart(w);
    pass(w, 1000);
    assert_true(is_named(w, hash));
    hello(w, CLIENT, 1);
    say(w, CLIENT, MSG_JOB_STOP, &(struct msg_job_stop){ 1, job });
    pass(w, 1000);
    delete_job(w, job, OK);
    pass(w, 1000);
    assert_false(is_named(w, hash));
    world_free(w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_job_follows_a_success),
        cmocka_unit_test(a_failure_cascades),
        cmocka_unit_test(waiting_survives_restarts),
        cmocka_unit_test(what_has_ended_is_not_waited_for),
        cmocka_unit_test(only_jobs_that_exist_can_be_named),
        cmocka_unit_test(stopping_ends_the_waiting),
        cmocka_unit_test(a_job_runs_again),
        cmocka_unit_test(the_error_says_why),
        cmocka_unit_test(why_a_driver_did_not_start_is_told_whole),
        cmocka_unit_test(a_lost_node_is_the_supervisor_s_death),
        cmocka_unit_test(an_ended_job_can_be_deleted),
        cmocka_unit_test(an_ended_job_is_submitted_again),
        cmocka_unit_test(an_array_is_submitted_again),
        cmocka_unit_test(what_runs_outside_is_not_submitted_again),
        cmocka_unit_test(nobody_submits_a_driver),
        cmocka_unit_test(packages_are_named_while_needed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
