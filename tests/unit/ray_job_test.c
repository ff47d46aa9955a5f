/*  ray_job_test.c - our rows, told as Ray told the same jobs. */
#include "tests/unit/ray_world.h"

static const char *text_of(const json_t *of, const char *name)
{
    return json_string_value(json_object_get(of, name));
}

static int64_t int_of(const json_t *of, const char *name)
{
    return json_integer_value(json_object_get(of, name));
}

static uint32_t state_of(const char *status)
{
    uint32_t state = 1;
    while (state < JOB_STATES && strcmp(job_state_name(state), status) != 0) {
        state++;
    }
    return state;
}

/*  The job of a golden JobDetails, as our core leaves its rows. */
static uint64_t put_golden(struct ray_world *self, const json_t *golden)
{
    json_t *body = json_object();
    static const char *const asked[] = { "entrypoint", "submission_id", "metadata", "runtime_env" };
    for (size_t i = 0; i < COUNT(asked); i++) {
        json_object_set(body, asked[i], json_object_get(golden, asked[i]));
    }
    if (strstr(text_of(golden, "message"), "resources")) {
        json_object_set_new(body, "entrypoint_num_cpus", json_integer(500));
    }
    char *text = json_dumps(body, 0);
    uint64_t id = ray_world_job(self, text, 1, (uint64_t)int_of(golden, "start_time"));
    free(text);
    json_decref(body);
    uint32_t job_state = state_of(text_of(golden, "status"));
    int64_t code = int_of(golden, "driver_exit_code");
    char message[32] = "";
    if (job_state == JOB_FAILED) {
        snprintf(message, sizeof(message), "exit status %d", (int)code);
    }
    PUT(&self->rows, job_state, .id = id, .state = job_state,
        .ended_ms = (uint64_t)int_of(golden, "end_time"), .exit_code = (int32_t)code,
        .message = slice_text(message),
        .error = job_state == JOB_FAILED ? ERROR_JOB_ENTRYPOINT_COMMAND_ERROR : 0);
    if (!json_is_null(json_object_get(golden, "driver_node_id"))) {
        PUT(&self->rows, task_running, .id = FIRST_TASK(id), .node = 1, .started_ms = 1);
    }
    ray_world_apply(self);
    return id;
}

static void put_log(const struct ray_world *self, uint64_t job, const char *text, size_t n)
{
    char path[PATH_BYTES];
    const struct log_name name = { .job = job };
    assert_int_equal(log_path(&self->logs, &name, 0, path), OK);
    assert_int_equal(file_write(path, text, n, 0600), OK);
}

static json_t *details_of(const struct ray_world *self, uint64_t job)
{
    struct json json = json_new(MIB);
    const struct ray_reader reader = ray_reader_of(self, 1);
    assert_int_equal(ray_job_put(&reader, job, &json), OK);
    return ray_json(&json);
}

static void rays_details_are_ours(void **state)
{
    (void)state;
    json_error_t error;
    json_t *file = json_load_file(PEER_FILES "/ray_golden.json", 0, &error);
    assert_non_null(file);
    size_t i;
    json_t *golden;
    json_t *jobs = json_object_get(file, "jobs");
    assert_true(json_array_size(jobs) >= 5);
    json_array_foreach(jobs, i, golden)
    {
        struct ray_world world = { 0 };
        ray_world_open(&world);
        uint64_t id = put_golden(&world, golden);
        put_log(&world, id, "oops\n", 5);
        json_t *ours = details_of(&world, id);
        json_object_set_new(golden, "job_id", json_string("00000001")); /* we always have one */
        json_t *env = json_object_get(json_object_get(golden, "runtime_env"), "env_vars");
        if (json_object_get(env, "MY_TOKEN")) {
            json_object_set_new(env, "MY_TOKEN", json_string("***"));
        }
        if (!json_equal(ours, golden)) {
            fail_msg("ours: %s\nRay's: %s", json_dumps(ours, 0), json_dumps(golden, 0));
        }
        json_decref(ours);
        ray_world_close(&world);
    }
    json_decref(file);
}

static uint64_t put_ended(struct ray_world *self, const char *id, uint32_t job_state,
                          uint32_t error, const char *message)
{
    char body[128];
    snprintf(body, sizeof(body), "{\"entrypoint\":\"x\",\"submission_id\":\"%s\"}", id);
    uint64_t job = ray_world_job(self, body, 1, 1);
    PUT(&self->rows, job_state, .id = job, .state = job_state, .ended_ms = 2, .exit_code = 1,
        .message = slice_text(message), .error = error);
    ray_world_apply(self);
    return job;
}

static void expect_message(const struct ray_world *self, uint64_t job, const char *text)
{
    json_t *details = details_of(self, job);
    assert_string_equal(text_of(details, "message"), text);
    json_decref(details);
}

static void messages_of_failures(void **state)
{
    (void)state;
    struct ray_world world = { 0 };
    ray_world_open(&world);
    expect_message(
        &world,
        put_ended(&world, "a", JOB_FAILED, ERROR_JOB_ENTRYPOINT_COMMAND_ERROR, "exit status 1"),
        "Job entrypoint command failed with exit code 1. No logs available.");
    expect_message(&world,
                   put_ended(&world, "b", JOB_FAILED, ERROR_RUNTIME_ENV_SETUP_FAILURE, "no such"),
                   "no such");
    expect_message(&world, put_ended(&world, "c", JOB_FAILED, 0, ""), "Job failed.");
    expect_message(&world, put_ended(&world, "d", JOB_PENDING, 0, "waiting for job a to succeed"),
                   "Job has not started yet. waiting for job a to succeed");
    ray_world_close(&world);
}

static uint64_t put_waiting(struct ray_world *self, const char *id, const char *const *after)
{
    static uint8_t bytes[256];
    struct wire waits = { bytes, 0, sizeof(bytes), false };
    for (size_t i = 0; after[i]; i++) {
        proto_put_record(
            &waits, REC_AFTER,
            &(struct rec_after){ slice_text(after[i]), i == 0 ? AFTER_OK : AFTER_ANY });
    }
    uint64_t job = put_ended(self, id, JOB_PENDING, 0, "");
    PUT(&self->rows, job_waits, .id = job, .waits = slice_of(waits.p, waits.n));
    ray_world_apply(self);
    return job;
}

static void what_a_job_waits_for_is_told(void **state)
{
    (void)state;
    struct ray_world world = { 0 };
    ray_world_open(&world);
    put_ended(&world, "a", JOB_RUNNING, 0, "");
    put_ended(&world, "b", JOB_RUNNING, 0, "");
    expect_message(&world, put_waiting(&world, "c", (const char *[]){ "1", NULL }),
                   "Job has not started yet. It waits for job a to succeed.");
    expect_message(&world, put_waiting(&world, "d", (const char *[]){ "2", "1", NULL }),
                   "Job has not started yet. It waits for job b to succeed, and 1 more.");
    expect_message(&world, put_waiting(&world, "e", (const char *[]){ NULL }),
                   "Job has not started yet.");
    ray_world_close(&world);
}

static void of_a_long_log_the_end_is_told(void **state)
{
    (void)state;
    struct ray_world world = { 0 };
    ray_world_open(&world);
    uint64_t job =
        put_ended(&world, "a", JOB_FAILED, ERROR_JOB_ENTRYPOINT_COMMAND_ERROR, "exit status 1");
    enum { BYTES = 90000 };
    char *log = malloc(BYTES);
    for (size_t i = 0; i < BYTES; i += 2) { /* one line of a letter of two bytes */
        memcpy(log + i, "\xC3\xA4", 2);
    }
    log[BYTES - 1] = '\n';
    log[BYTES - 2] = 'x';
    put_log(&world, job, log, BYTES);
    json_t *details = details_of(&world, job);
    const char *text = text_of(details, "message");
    const char *from = strchr(text, '\n') + 1;
    assert_int_equal(strlen(from), RAY_LOG_BYTES);
    assert_memory_equal(from, "\xC3\xA4", 2);
    json_decref(details);
    free(log);
    ray_world_close(&world);
}

static void jobs_are_found_by_their_owner(void **state)
{
    (void)state;
    struct ray_world world = { 0 };
    ray_world_open(&world);
    (void)ray_world_job(&world, "{\"entrypoint\":\"x\",\"submission_id\":\"a\"}", 1, 1);
    (void)ray_world_job(&world, "{\"entrypoint\":\"x\",\"submission_id\":\"00000001\"}", 2, 1);
    PUT(&world.rows, job_new, .id = 3, .submission = slice_text("out"), .kind = JOB_ATTACHED,
        .state = JOB_RUNNING, .created_ms = 1, .owner = 1);
    ray_world_apply(&world);
    const struct ray_reader first = ray_reader_of(&world, 1);
    const struct ray_reader second = ray_reader_of(&world, 2);
    const struct ray_reader everybody = ray_reader_of(&world, 0);
    struct ray_job job;
    assert_int_equal(ray_job_find(&first, slice_text("a"), &job), OK);
    assert_int_equal(job.number, 1);
    assert_true(job.submission && !job.ended);
    assert_int_equal(ray_job_find(&second, slice_text("a"), &job), ERR_NOT_FOUND);
    assert_int_equal(ray_job_find(&everybody, slice_text("a"), &job), OK);
    assert_int_equal(ray_job_find(&second, slice_text("00000001"), &job), OK);
    assert_int_equal(job.number, 2); /* what somebody named goes first */
    assert_int_equal(ray_job_find(&first, slice_text("00000003"), &job), OK);
    assert_false(job.submission);
    assert_int_equal(ray_job_find(&everybody, slice_text("3"), &job), ERR_NOT_FOUND);
    assert_int_equal(ray_job_find(&everybody, slice_text(""), &job), ERR_NOT_FOUND);
    struct json json = json_new(MIB);
    assert_int_equal(ray_jobs_put(&first, &json), OK);
    json_t *list = ray_json(&json);
    assert_int_equal(json_array_size(list), 2);
    assert_string_equal(text_of(json_array_get(list, 1), "type"), "DRIVER");
    assert_true(json_is_null(json_object_get(json_array_get(list, 1), "submission_id")));
    json_decref(list);
    ray_world_close(&world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rays_details_are_ours),
        cmocka_unit_test(messages_of_failures),
        cmocka_unit_test(what_a_job_waits_for_is_told),
        cmocka_unit_test(of_a_long_log_the_end_is_told),
        cmocka_unit_test(jobs_are_found_by_their_owner),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
