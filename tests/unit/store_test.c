/*  store_test.c - what is applied is read back, by the core and by people. */
#include "tests/unit/store_world.h"

/* --- rows ------------------------------------------------------------------------------------- */

/*  Fills a row with a value of its own for each column. */
static void fill(const struct row_desc *desc, uint8_t *row, char texts[][16])
{
    for (uint16_t i = 0; i < desc->col_count; i++) {
        void *p = row + desc->cols[i].offset;
        snprintf(texts[i], 16, "%u", 1000u + i);
        switch (desc->cols[i].type) {
        case COL_u32:
        case COL_i32:
            *(uint32_t *)p = 1000u + i;
            break;
        case COL_u64:
            *(uint64_t *)p = 1000u + i;
            break;
        case COL_f64:
            *(double *)p = 1000.0 + i;
            snprintf(texts[i], 16, "%u.0", 1000u + i);
            break;
        case COL_str:
        case COL_bin:
            *(struct slice *)p = slice_text(texts[i]);
            break;
        }
    }
}

/*  Every row that adds to a table has its columns under their names. */
static void rows_arrive(void **state)
{
    struct fixture *self = *state;
    for (int kind = 0; kind < ROW_KINDS; kind++) {
        const struct row_desc *desc = row_desc((enum row_kind)kind);
        char table[32];
        if (kind == ROW_head_start || kind == ROW_ids_used || kind == ROW_task_copy ||
            kind == ROW_value_new || /* of the table task, which has had its row */
            (sscanf(desc->sql, "INSERT INTO %31[a-z_](", table) != 1 &&
             sscanf(desc->sql, "INSERT OR %*s INTO %31[a-z_](", table) != 1)) {
            continue;
        }
        uint64_t row[64] = { 0 };
        char texts[32][16];
        assert_true(desc->bytes <= sizeof(row));
        fill(desc, (uint8_t *)row, texts);
        rows_put(&self->rows, (enum row_kind)kind, row);
        apply(self);
        for (uint16_t i = 0; i < desc->col_count; i++) {
            char sql[160];
            snprintf(sql, sizeof(sql), "SELECT %s FROM %s WHERE %s=1000", desc->cols[i].name, table,
                     desc->cols[0].name);
            expect(self, sql, texts[i]);
        }
    }
}

/*  Columns that differ from the row before, become NULL, and come back. */
static void rows_bind_what_changes(void **state)
{
    struct fixture *self = *state;
    put_job(self, 3);
    for (uint64_t i = 1; i <= 3; i++) {
        PUT(&self->rows, task_done, .id = TASK(i), .attempt = (uint32_t)i, .node = 1,
            .result = i == 2 ? slice_of(NULL, 0) : slice_text("value"),
            .text = slice_text(i == 2 ? "text" : ""));
    }
    apply(self);
    expect(self,
           "SELECT group_concat(coalesce(result,'-')||attempt||coalesce(text,'-'),' ') FROM task",
           "value1- -2text value3-");
}

static void job_takes_its_rows_along(void **state)
{
    struct fixture *self = *state;
    put_job(self, 2);
    PUT(&self->rows, attempt_end, .task = TASK(1), .attempt = 1, .node = 1,
        .outcome = slice_text("EXIT"));
    PUT(&self->rows, job_delete, .id = 1);
    PUT(&self->rows, task_delete, .first = TASK(0), .last = TASK(TASK_COUNTER_MAX));
    apply(self);
    expect(self,
           "SELECT (SELECT count(*) FROM session)+(SELECT count(*) FROM spec)+(SELECT count(*) "
           "FROM attempt)"
           "+(SELECT count(*) FROM task)",
           "0");
}

static void failure_writes_nothing(void **state)
{
    struct fixture *self = *state;
    put_job(self, 0);
    uint64_t before = store_committed(self->store);
    PUT(&self->rows, session_new, .id = 2, .job = 1);
    PUT(&self->rows, session_new, .id = 1, .job = 1);
    assert_int_equal(store_apply(self->store, &self->rows.batch), ERR_STORE);
    assert_int_equal(store_committed(self->store), before);
    expect(self, "SELECT count(*) FROM session", "1");
}

/* --- views ------------------------------------------------------------------------------------ */

static void views_use_names(void **state)
{
    struct fixture *self = *state;
    put_job(self, 2);
    PUT(&self->rows, task_failed, .id = TASK(2), .attempt = 1, .node = 3,
        .started_ms = 1700000001000, .ended_ms = 1700000002000, .failure = FAILURE_WORKER_DIED,
        .status = -9, .text = slice_text("killed by signal 9"));
    PUT(&self->rows, node_new, .id = 3, .name = slice_text("here"), .joined_ms = 1700000000000);
    PUT(&self->rows, node_state, .id = 3, .state = NODE_SUSPECT);
    PUT(&self->rows, event, .at_ms = 1, .kind = slice_text("node.suspect"), .node = 3);
    apply(self);
    expect(self, "SELECT status||' '||job_id||' '||created FROM jobs",
           "RUNNING 00000001 2023-11-14T22:13:20.123Z");
    expect(self,
           "SELECT state||' '||func_or_class_name||' '||type FROM tasks WHERE "
           "task_id='0000010000000001'",
           "PENDING_NODE_ASSIGNMENT square NORMAL_TASK");
    expect(self,
           "SELECT state||' '||error_type||' '||signal||' '||node_id||' '||error_message FROM "
           "tasks WHERE signal>0",
           "FAILED WORKER_DIED 9 3 killed by signal 9");
    expect(self, "SELECT outcome||' '||attempt||' '||end_time FROM attempts",
           "SIGNAL 1 2023-11-14T22:13:22.000Z");
    expect(self, "SELECT name||' '||state FROM nodes", "here SUSPECT");
    expect(self,
           "SELECT kind||' '||node_id||coalesce(job_id,'-')||coalesce(task_id,'-') FROM events",
           "node.suspect 3--");
}

/*  A lease covers a run of tasks; a task's fence voids the tokens up to it. */
static void views_know_leases(void **state)
{
    struct fixture *self = *state;
    put_job(self, 5);
    PUT(&self->rows, lease_new, .token = 100, .node = 4, .first = TASK(2), .count = 3);
    PUT(&self->rows, task_again, .id = TASK(3), .attempt = 2, .fence = 101, .charged = 1);
    PUT(&self->rows, task_running, .id = TASK(4), .node = 4, .started_ms = 5);
    apply(self);
    const char *states =
        "SELECT group_concat(substr(state,1,1)||coalesce(node_id,'-'),' ') FROM tasks";
    expect(self, states, "P- S4 P- R4 P-");
    PUT(&self->rows, lease_new, .token = 200, .node = 6, .first = TASK(3), .count = 1);
    apply(self);
    expect(self, states, "P- S4 S6 R4 P-");
    PUT(&self->rows, lease_end, .token = 100);
    apply(self);
    expect(self, states, "P- P- S6 R4 P-");
}

static void old_events_go(void **state)
{
    struct fixture *self = *state;
    for (int i = 0; i < 102400; i++) {
        PUT(&self->rows, event, .at_ms = 1, .kind = slice_text("test"));
    }
    apply(self);
    expect(self, "SELECT min(id)||' '||max(id) FROM event", "2401 102400");
}

/* --- restore ---------------------------------------------------------------------------------- */

struct seen {
    char text[1024];
    size_t n;
};

static void see(void *context, const struct restored *row)
{
    struct seen *self = context;
    char *to = self->text + self->n;
    size_t room = sizeof(self->text) - self->n;
    int n = 0;
    switch (row->table) {
    case RESTORE_EPOCH:
        n = snprintf(to, room, "E%llu,%llu,%llu ", (unsigned long long)row->epoch,
                     (unsigned long long)row->node_last, (unsigned long long)row->report_last);
        break;
    case RESTORE_USER:
        n = snprintf(to, room, "P%llu,%.*s,%u,%u ", (unsigned long long)row->user.id,
                     (int)row->user.name.n, (const char *)row->user.name.p, row->user.role,
                     row->user.disabled);
        break;
    case RESTORE_TOKEN:
        n = snprintf(to, room, "K%llu,%llu,%u,%zu,%d ", (unsigned long long)row->token.row.id,
                     (unsigned long long)row->token.row.user, row->token.row.role,
                     row->token.row.hash.n, row->token.revoked);
        break;
    case RESTORE_JOB:
        n = snprintf(to, room, "J%llu,%u,%.*s ", (unsigned long long)row->job.id, row->job.state,
                     (int)row->job.submission.n, (const char *)row->job.submission.p);
        break;
    case RESTORE_SESSION:
        n = snprintf(to, room, "S%llu,%llu,%llu,%u ", (unsigned long long)row->session.id,
                     (unsigned long long)row->session.low, (unsigned long long)row->session.last,
                     row->session.closed);
        break;
    case RESTORE_STUDY:
        n = snprintf(to, room, "U%llu,%.*s,%u,%llu ", (unsigned long long)row->study.id,
                     (int)row->study.name.n, (const char *)row->study.name.p, row->study.state,
                     (unsigned long long)row->study.saved);
        break;
    case RESTORE_SPEC:
        n = snprintf(to, room, "C%llu ", (unsigned long long)row->spec.id);
        break;
    case RESTORE_NODE:
        n = snprintf(to, room, "N%llu,%u ", (unsigned long long)row->node.id, row->node.dead);
        break;
    case RESTORE_ACTOR:
        n = snprintf(to, room, "A%llu,%u,%u ", (unsigned long long)row->actor.id, row->actor.alive,
                     row->actor.cause);
        break;
    case RESTORE_TASK:
        n = snprintf(to, room, "T%llu,%u,%u,%llu ",
                     (unsigned long long)(row->task.id & TASK_COUNTER_MAX), row->task.state,
                     row->task.attempt, (unsigned long long)row->task.fence);
        break;
    case RESTORE_LEASE:
        n = snprintf(to, room, "L%llu,%llu ", (unsigned long long)row->lease.token,
                     (unsigned long long)row->lease.count);
        break;
    case RESTORE_OBJECT:
    case RESTORE_HOLD:
    case RESTORE_INSIDE:
        n = snprintf(to, room, "O%llu,%u ", (unsigned long long)row->object.task,
                     row->object.state);
        break;
    }
    self->n += (size_t)n;
}

static void restore_gives_what_is_unfinished(void **state)
{
    struct fixture *self = *state;
    put_job(self, 5);
    PUT(&self->rows, head_start, .epoch = 3);
    PUT(&self->rows, session_low, .id = 1, .low = 2);
    PUT(&self->rows, task_done, .id = TASK(1), .attempt = 1);
    PUT(&self->rows, task_again, .id = TASK(3), .attempt = 2, .fence = 9);
    PUT(&self->rows, task_done, .id = TASK(5), .attempt = 1);
    PUT(&self->rows, job_new, .id = 2, .submission = slice_text("rayc_two"),
        .state = JOB_SUCCEEDED);
    PUT(&self->rows, session_new, .id = 2, .job = 2);
    PUT(&self->rows, session_end, .id = 2);
    PUT(&self->rows, task_new, .id = 2ull << TASK_COUNTER_BITS | 1, .spec = 7, .state = TASK_READY);
    PUT(&self->rows, node_new, .id = 1, .name = slice_text("a"));
    PUT(&self->rows, node_new, .id = 2, .name = slice_text("b"));
    PUT(&self->rows, node_new, .id = 3, .name = slice_text("c"));
    PUT(&self->rows, node_state, .id = 2, .state = NODE_DEAD);
    PUT(&self->rows, node_state, .id = 3, .state = NODE_DEAD);
    PUT(&self->rows, lease_new, .token = 50, .node = 3, .first = TASK(2), .count = 2);
    PUT(&self->rows, study_new, .id = 4, .name = slice_text("yolo"), .session = 1, .saved = 6);
    PUT(&self->rows, user_put, .id = 1, .name = slice_text("admin"), .role = ROLE_ADMIN);
    PUT(&self->rows, user_put, .id = 2, .name = slice_text("ann"), .role = ROLE_VIEWER);
    PUT(&self->rows, user_put, .id = 2, .name = slice_text("x"), .role = ROLE_USER, .disabled = 1);
    PUT(&self->rows, token_new, .id = 3, .user = 2, .role = ROLE_USER,
        .hash = slice_text("a hash"));
    PUT(&self->rows, token_new, .id = 4, .user = 1, .role = ROLE_WORKER, .hash = slice_text("h"));
    PUT(&self->rows, token_end, .id = 3, .revoked_ms = 7);
    PUT(&self->rows, study_saved, .id = 4, .saved = 7);
    PUT(&self->rows, report, .id = 77, .study = 4, .token = 51, .number = 1);
    PUT(&self->rows, report, .id = 78, .study = 4, .token = 51, .number = 1);
    apply(self);
    store_close(&self->store);
    open_store(self);
    struct seen seen = { .n = 0 };
    assert_int_equal(store_restore(self->store, see, &seen), OK);
    assert_string_equal(seen.text, "E3,3,77 P1,admin,1,0 P2,ann,2,1 K3,2,2,6,1 K4,1,4,1,0 "
                                   "J1,2,rayc_one J2,3,rayc_two S1,2,5,0 S2,0,1,1 U4,yolo,1,7 "
                                   "C7 N1,0 N3,1 "
                                   "T2,2,0,0 T3,2,2,9 T4,2,0,0 L50,2 ");
}

/* --- reads ------------------------------------------------------------------------------------ */

static void args_are_read_in_any_order(void **state)
{
    struct fixture *self = *state;
    put_job(self, 40);
    PUT(&self->rows, task_delete, .first = TASK(20), .last = TASK(29));
    apply(self);
    static const uint64_t asked[] = { 1, 2, 3, 3, 5, 18, 19, 30, 31, 4, 40, 1 };
    struct slice args, deps;
    for (size_t i = 0; i < COUNT(asked); i++) {
        assert_int_equal(store_task_args(self->store, TASK(asked[i]), &args, &deps), OK);
        assert_memory_equal(args.p, &asked[i], sizeof(asked[i]));
        assert_int_equal(deps.n, 0);
    }
    assert_int_equal(store_task_args(self->store, TASK(19), &args, &deps), OK);
    assert_int_equal(store_task_args(self->store, TASK(20), &args, &deps), ERR_NOT_FOUND);
    assert_int_equal(store_task_args(self->store, TASK(30), &args, &deps), OK);
    assert_int_equal(store_task_args(self->store, TASK(41), &args, &deps), ERR_NOT_FOUND);
    PUT(&self->rows, task_delete, .first = TASK(31), .last = TASK(31));
    assert_int_equal(store_task_args(self->store, TASK(30), &args, &deps), OK);
    apply(self); /* ends the read that was open */
    assert_int_equal(store_task_args(self->store, TASK(31), &args, &deps), ERR_NOT_FOUND);
}

static void results_are_of_ended_tasks(void **state)
{
    struct fixture *self = *state;
    put_job(self, 3);
    PUT(&self->rows, task_done, .id = TASK(1), .attempt = 2, .result = slice_text("nine"));
    PUT(&self->rows, task_failed, .id = TASK(2), .attempt = 1, .failure = FAILURE_APP, .status = 42,
        .text = slice_text("no"));
    apply(self);
    uint32_t ended;
    struct event event = { 0 };
    struct rec_result result;
    assert_int_equal(store_task_result(self->store, TASK(1), &ended, &result), OK);
    assert_int_equal(ended, TASK_FINISHED);
    assert_true(slice_same(result.value, slice_text("nine")) && result.attempt == 2 &&
                result.failure == 0);
    assert_int_equal(store_task_result(self->store, TASK(2), &ended, &result), OK);
    assert_int_equal(ended, TASK_FAILED);
    assert_true(slice_same(result.text, slice_text("no")) && result.status == 42 &&
                result.failure == FAILURE_APP);
    assert_int_equal(store_task_result(self->store, TASK(3), &ended, &result), OK);
    assert_int_equal(ended, 0);
    assert_int_equal(store_task_ended(self->store, TASK(9), &event), OK);
    assert_true(event.state == 0 && event.spec == 0);
    assert_int_equal(store_task_ended(self->store, TASK(2), &event), OK);
    assert_true(event.state == TASK_FAILED && event.spec == 7);
}

static void specs_are_decoded(void **state)
{
    struct fixture *self = *state;
    put_job(self, 0);
    uint8_t bytes[256];
    struct wire wire = { bytes, 0, sizeof(bytes), false };
    struct rec_spec spec = {
        .index = 4, .kind = SPEC_COMMAND, .name = slice_text("make"), .run_ms_max = 99
    };
    proto_put_record(&wire, REC_SPEC, &spec);
    PUT(&self->rows, spec_new, .id = 8, .session = 1, .idx = 4, .record = slice_of(bytes, wire.n));
    apply(self);
    uint64_t job;
    struct slice submission;
    assert_int_equal(store_spec(self->store, 8, &spec, &job, &submission), OK);
    assert_true(spec.run_ms_max == 99 && slice_same(spec.name, slice_text("make")) && job == 1);
    assert_true(slice_same(submission, slice_text("rayc_one")));
    assert_int_equal(store_spec(self->store, 9, &spec, &job, &submission), ERR_NOT_FOUND);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(rows_arrive),
        TEST(rows_bind_what_changes),
        TEST(job_takes_its_rows_along),
        TEST(failure_writes_nothing),
        TEST(views_use_names),
        TEST(views_know_leases),
        TEST(old_events_go),
        TEST(restore_gives_what_is_unfinished),
        TEST(args_are_read_in_any_order),
        TEST(results_are_of_ended_tasks),
        TEST(specs_are_decoded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
