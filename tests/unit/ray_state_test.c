/*  ray_state_test.c - what `ray list` and `ray summary` read: columns, filters, limits, owners, and what is not there. */
#include "tests/unit/ray_world.h"

enum { TASKS = 30 };

static struct ray_world world;

static int setup(void **state)
{
    (void)state;
    ray_world_open(&world);
    (void)ray_world_job(&world, "{\"entrypoint\":\"x\",\"submission_id\":\"a\"}", 1, 1000);
    (void)ray_world_job(&world, "{\"entrypoint\":\"x\",\"submission_id\":\"b\"}", 2, 1000);
    PUT(&world.rows, node_new, .id = 1, .name = slice_text("host"), .joined_ms = 5);
    PUT(&world.rows, node_new, .id = 2, .name = slice_text("gone"), .joined_ms = 5);
    PUT(&world.rows, node_state, .id = 2, .state = NODE_DEAD, .ended_ms = 9,
        .reason = slice_text("lost"));
    PUT(&world.rows, spec_new, .id = 10, .session = 1, .idx = 1, .kind = SPEC_FUNCTION,
        .name = slice_text("square"));
    for (uint64_t i = 1; i <= TASKS; i++) {
        uint64_t id = FIRST_TASK(1) + i;
        PUT(&world.rows, task_new, .id = id, .spec = 10, .state = TASK_READY, .submitted_ms = 2000);
        if (i % 3 == 0) {
            PUT(&world.rows, task_failed, .id = id, .attempt = 2, .node = 1, .started_ms = 2500,
                .ended_ms = 3000, .failure = FAILURE_EXIT, .text = slice_text("no \"luck\""));
        } else {
            PUT(&world.rows, task_done, .id = id, .attempt = 1, .node = 1, .started_ms = 2500,
                .ended_ms = 3000);
        }
    }
    PUT(&world.rows, job_counts, .id = 1, .total = TASKS);
    PUT(&world.rows, event, .at_ms = 7, .kind = slice_text("JOB_OPENED"), .job = 1,
        .text = slice_text("x"));
    ray_world_apply(&world);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    ray_world_close(&world);
    return 0;
}

/*  The inner `result` of an answer. */
static json_t *ask_as(uint64_t owner, struct ray_ask ask)
{
    struct json json = json_new(MIB);
    struct ray_refusal no = { 0 };
    const struct ray_reader reader = ray_reader_of(&world, owner);
    if (ray_state_put(&reader, &ask, &json, &no) != OK) {
        fail_msg("%s: %s", ask.resource, no.text);
    }
    json_t *whole = ray_json(&json);
    assert_true(json_is_true(json_object_get(whole, "result")));
    json_t *result = json_object_get(json_object_get(whole, "data"), "result");
    json_incref(result);
    json_decref(whole);
    return result;
}

static void expect(json_t *result, int64_t total, int64_t filtered, size_t shown)
{
    assert_int_equal(json_integer_value(json_object_get(result, "total")), total);
    assert_int_equal(json_integer_value(json_object_get(result, "num_after_truncation")), total);
    assert_int_equal(json_integer_value(json_object_get(result, "num_filtered")), filtered);
    assert_int_equal(json_array_size(json_object_get(result, "result")), shown);
}

static void check(uint64_t owner, struct ray_ask ask, int64_t total, int64_t filtered, size_t shown)
{
    json_t *result = ask_as(owner, ask);
    expect(result, total, filtered, shown);
    json_decref(result);
}

#define FILTER(...) .filters = { __VA_ARGS__ }, .filter_count = 1

static void tasks_are_filtered_and_counted(void **state)
{
    (void)state;
    check(0, (struct ray_ask){ .resource = "tasks", .limit = 100 }, TASKS, TASKS, TASKS);
    check(0, (struct ray_ask){ .resource = "tasks", .limit = 100, .with_driver = true }, TASKS + 2,
          TASKS + 2, TASKS + 2);
    check(0, (struct ray_ask){ .resource = "tasks", .limit = 4 }, TASKS, TASKS, 4);
    check(1, (struct ray_ask){ .resource = "tasks", .limit = 100 }, TASKS, TASKS, TASKS);
    check(2, (struct ray_ask){ .resource = "tasks", .limit = 100 }, 0, 0, 0);
    check(0,
          (struct ray_ask){ .resource = "tasks", .limit = 4, FILTER({ "STATE", "=", "failed" }) },
          TASKS, TASKS / 3, 4);
    check(
        0,
        (struct ray_ask){ .resource = "tasks", .limit = 100, FILTER({ "state", "!=", "FAILED" }) },
        TASKS, TASKS * 2 / 3, TASKS * 2 / 3);
    check(0,
          (struct ray_ask){
              .resource = "tasks", .limit = 100, FILTER({ "attempt_number", "=", "1" }) },
          TASKS, TASKS / 3, TASKS / 3);
}

static int count_step(void *context)
{
    ++*(uint64_t *)context;
    return 0;
}

/*  Steps of SQLite until it is answered. */
static uint64_t steps_of(struct ray_ask ask, size_t shown)
{
    uint64_t steps = 0;
    sqlite3_progress_handler(world.db, 1, count_step, &steps);
    json_t *result = ask_as(0, ask);
    sqlite3_progress_handler(world.db, 0, NULL, NULL);
    assert_int_equal(json_array_size(json_object_get(result, "result")), shown);
    json_decref(result);
    return steps;
}

/*  As rayc's own lists do. */
static void few_are_found_without_reading_all(void **state)
{
    (void)state;
    uint64_t all = steps_of((struct ray_ask){ .resource = "tasks",
                                              .limit = 100,
                                              FILTER({ "func_or_class_name", "=", "none such" }) },
                            0);
    static const char *const states[] = { "RUNNING", "submitted_to_worker" };
    for (size_t i = 0; i < COUNT(states); i++) {
        struct ray_ask ask = { .resource = "tasks",
                               .limit = 100,
                               FILTER({ "state", "=", states[i] }) };
        assert_true(steps_of(ask, 0) < all / 3);
    }
    json_t *result = ask_as(
        0, (struct ray_ask){ .resource = "tasks", .limit = 1, FILTER({ "state", "=", "FAILED" }) });
    json_t *newest = json_array_get(json_object_get(result, "result"), 0);
    assert_string_equal(json_string_value(json_object_get(newest, "task_id")), "000001000000001f");
    json_decref(result);
}

static void columns_are_rays(void **state)
{
    (void)state;
    json_t *result = ask_as(0, (struct ray_ask){ .resource = "tasks",
                                                 .limit = 1,
                                                 .detail = true,
                                                 FILTER({ "state", "=", "FAILED" }) });
    json_t *task = json_array_get(json_object_get(result, "result"), 0);
    assert_int_equal(json_object_size(task), 28);
    assert_string_equal(json_string_value(json_object_get(task, "node_id")), "1");
    assert_string_equal(json_string_value(json_object_get(task, "error_message")), "no \"luck\"");
    assert_string_equal(json_string_value(json_object_get(task, "parent_task_id")),
                        "0000010000000001");
    assert_int_equal(json_array_size(json_object_get(task, "events")), 3);
    json_decref(result);
    result = ask_as(0, (struct ray_ask){ .resource = "tasks", .limit = 1 });
    assert_int_equal(json_object_size(json_array_get(json_object_get(result, "result"), 0)), 13);
    json_decref(result);
}

static void nodes_jobs_and_events(void **state)
{
    (void)state;
    check(2, (struct ray_ask){ .resource = "nodes", .limit = 10 }, 2, 2, 2);
    check(0, (struct ray_ask){ .resource = "nodes", .limit = 10, FILTER({ "state", "=", "DEAD" }) },
          2, 1, 1);
    check(0,
          (struct ray_ask){
              .resource = "nodes", .limit = 10, FILTER({ "is_head_node", "=", "False" }) },
          2, 2, 2);
    check(2, (struct ray_ask){ .resource = "jobs", .limit = 10, .detail = true }, 1, 1, 1);
    check(2, (struct ray_ask){ .resource = "cluster_events", .limit = 10 }, 0, 0, 0);
    check(1, (struct ray_ask){ .resource = "cluster_events", .limit = 10 }, 1, 1, 1);
    json_t *result = ask_as(
        0,
        (struct ray_ask){ .resource = "jobs", .limit = 10, FILTER({ "submission_id", "=", "a" }) });
    json_t *job = json_array_get(json_object_get(result, "result"), 0);
    assert_int_equal(json_object_size(job), 8);
    assert_string_equal(json_string_value(json_object_get(job, "message")),
                        "Job has not started yet.");
    json_decref(result);
}

static int64_t summed(const json_t *result, const char *name, const char *state)
{
    json_t *of = json_object_get(
        json_object_get(json_object_get(result, "result"), "node_id_to_summary"), "cluster");
    of = json_object_get(json_object_get(of, "summary"), name);
    return json_integer_value(json_object_get(json_object_get(of, "state_counts"), state));
}

static void summaries(void **state)
{
    (void)state;
    json_t *result = ask_as(0, (struct ray_ask){ .resource = "tasks", .summary = true });
    json_t *cluster = json_object_get(
        json_object_get(json_object_get(result, "result"), "node_id_to_summary"), "cluster");
    assert_int_equal(json_integer_value(json_object_get(cluster, "total_tasks")), TASKS);
    assert_int_equal(summed(result, "square", "FAILED"), TASKS / 3);
    assert_int_equal(summed(result, "square", "FINISHED"), TASKS * 2 / 3);
    json_decref(result);
    json_decref(ask_as(2, (struct ray_ask){ .resource = "tasks", .summary = true }));
    json_decref(ask_as(0, (struct ray_ask){ .resource = "actors", .summary = true }));
    json_decref(ask_as(0, (struct ray_ask){ .resource = "objects", .summary = true }));
}

/*  The value of a path of keys in the summary of the cluster. */
static const json_t *in_summary(const json_t *result, const char *const *keys)
{
    const json_t *at = json_object_get(result, "result");
    at = json_object_get(json_object_get(at, "node_id_to_summary"), "cluster");
    for (; *keys != NULL; keys++) {
        at = json_object_get(at, *keys);
    }
    return at;
}

#define IN_SUMMARY(result, ...)                                                                    \
    json_integer_value(in_summary(result, (const char *const[]){ __VA_ARGS__, NULL }))

/*  The last test: it adds an actor of the second job, one call of it, and a value that the actor has put. */
static void actors_and_objects(void **state)
{
    (void)state;
    const uint64_t actor = FIRST_TASK(2) + 7, call = actor + 1, value = actor + 2;
    static const struct {
        uint64_t spec;
        uint32_t kind;
        const char *name;
    } specs[] = { { 20, SPEC_ACTOR, "keeper" },
                  { 21, SPEC_METHOD, "keep" },
                  { 22, SPEC_VALUE, NULL } };
    for (size_t i = 0; i < COUNT(specs); i++) {
        struct row_spec_new row = { .id = specs[i].spec, .session = 2, .kind = specs[i].kind };
        row.name = specs[i].name ? slice_text(specs[i].name) : row.name;
        rows_put(&world.rows, ROW_spec_new, &row);
    }
    PUT(&world.rows, task_new, .id = actor, .spec = 20, .state = TASK_READY);
    PUT(&world.rows, actor_new, .id = actor, .owner = 2);
    PUT(&world.rows, task_new, .id = call, .spec = 21, .state = TASK_READY, .actor = actor);
    PUT(&world.rows, job_counts, .id = 2, .total = 2);
    PUT(&world.rows, value_new, .id = value, .spec = 22, .parent = call);
    PUT(&world.rows, object_new, .task = value, .state = DIRECTORY_STORED, .owned = 1, .size = MIB,
        .node = 1);
    ray_world_apply(&world);
    check(0, (struct ray_ask){ .resource = "actors", .limit = 9 }, 1, 1, 1);
    check(1, (struct ray_ask){ .resource = "actors", .limit = 9 }, 0, 0, 0);
    check(2, (struct ray_ask){ .resource = "objects", .limit = 9, .detail = true }, 1, 1, 1);
    check(1, (struct ray_ask){ .resource = "objects", .limit = 9 }, 0, 0, 0);
    check(0,
          (struct ray_ask){ .resource = "objects",
                            .limit = 9,
                            FILTER({ "reference_type", "=", "LOCAL_REFERENCE" }) },
          1, 1, 1);
    check(
        2,
        (struct ray_ask){ .resource = "tasks", .limit = 9, FILTER({ "type", "=", "ACTOR_TASK" }) },
        2, 1, 1);
    check(2,
          (struct ray_ask){
              .resource = "tasks", .limit = 9, FILTER({ "type", "=", "ACTOR_CREATION_TASK" }) },
          2, 1, 1);
    json_t *result = ask_as(0, (struct ray_ask){ .resource = "actors", .summary = true });
    assert_int_equal(IN_SUMMARY(result, "summary", "keeper", "state_counts", "PENDING_CREATION"),
                     1);
    assert_int_equal(IN_SUMMARY(result, "total_actors"), 1);
    json_decref(result);
    result = ask_as(0, (struct ray_ask){ .resource = "objects", .summary = true });
    assert_int_equal(
        IN_SUMMARY(result, "summary", "rayc_put", "ref_type_counts", "LOCAL_REFERENCE"), 1);
    assert_int_equal(IN_SUMMARY(result, "total_objects"), 1);
    json_decref(result);
    result = ask_as(2, (struct ray_ask){ .resource = "tasks", .summary = true });
    assert_int_equal(IN_SUMMARY(result, "total_actor_tasks"), 1);
    assert_int_equal(IN_SUMMARY(result, "total_actor_scheduled"), 1);
    assert_int_equal(IN_SUMMARY(result, "total_tasks"), 0);
    json_decref(result);
}

static void what_rayc_does_not_have(void **state)
{
    (void)state;
    static const char *const names[] = { "placement_groups", "workers", "runtime_envs" };
    for (size_t i = 0; i < COUNT(names); i++) {
        assert_true(ray_state_known(names[i], false));
        json_t *result = ask_as(0, (struct ray_ask){ .resource = names[i], .limit = 1 });
        expect(result, 0, 0, 0);
        assert_int_equal(json_array_size(json_object_get(result, "warnings")), 1);
        json_decref(result);
    }
    assert_false(ray_state_known("bogus", false));
    assert_false(ray_state_known("nodes", true));
}

static void refuses(struct ray_filter filter, const char *text)
{
    const struct ray_ask ask = { .resource = "tasks", .limit = 1, FILTER(filter) };
    struct json json = json_new(MIB);
    struct ray_refusal no = { 0 };
    const struct ray_reader reader = ray_reader_of(&world, 0);
    assert_int_equal(ray_state_put(&reader, &ask, &json, &no), ERR_INVALID);
    assert_int_equal(no.status, 400);
    if (strstr(no.text, text) == NULL) {
        fail_msg("\"%s\" is not in \"%s\"", text, no.text);
    }
    json_free(&json);
}

static void filters_that_ray_refuses(void **state)
{
    (void)state;
    refuses((struct ray_filter){ "bogus", "=", "1" }, "column bogus is not supported");
    refuses((struct ray_filter){ "events", "=", "1" }, "column events is not supported");
    refuses((struct ray_filter){ "state", "<", "1" }, "Unsupported filter predicate < is given");
    refuses((struct ray_filter){ "attempt_number", "=", "x" }, "for a int type column");
    refuses((struct ray_filter){ "is_debugger_paused", "=", "x" }, "for a boolean type column");
}

/*  A driver and a command, say. */
static void one_name_is_one_entry(void **state)
{
    (void)state;
    PUT(&world.rows, spec_new, .id = 11, .session = 1, .idx = 2, .kind = SPEC_COMMAND,
        .name = slice_text("sh"));
    PUT(&world.rows, task_new, .id = FIRST_TASK(1) + TASKS + 1, .spec = 11, .state = TASK_READY);
    ray_world_apply(&world);
    json_t *result =
        ask_as(0, (struct ray_ask){ .resource = "tasks", .summary = true, .with_driver = true });
    assert_int_equal(summed(result, "sh", "PENDING_NODE_ASSIGNMENT"), 3);
    json_decref(result);
    result = ask_as(0, (struct ray_ask){ .resource = "tasks", .summary = true });
    assert_int_equal(summed(result, "sh", "PENDING_NODE_ASSIGNMENT"), 1);
    json_decref(result);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tasks_are_filtered_and_counted),
        cmocka_unit_test(few_are_found_without_reading_all),
        cmocka_unit_test(columns_are_rays),
        cmocka_unit_test(nodes_jobs_and_events),
        cmocka_unit_test(summaries),
        cmocka_unit_test(what_rayc_does_not_have),
        cmocka_unit_test(filters_that_ray_refuses),
        cmocka_unit_test(one_name_is_one_entry),
        cmocka_unit_test(actors_and_objects),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
