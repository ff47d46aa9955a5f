/*  survey_test.c - what the core tells those who watch. */
#include <stdio.h>
#include "head_world.h"
#include "head/core/survey.h"

static struct survey survey;

static void look(struct world *w)
{
    core_survey(turn_core(w->turn), &survey);
}

static uint64_t in_state(const char *name, enum task_state state)
{
    for (uint32_t i = 0; i < survey.row_count; i++) {
        if (strcmp(survey.names[survey.rows[i].name].name, name) == 0) {
            return survey.rows[i].in[state];
        }
    }
    return UINT64_MAX;
}

static void tasks_are_counted_by_name_and_state(void **unused)
{
    (void)unused;
    struct world *w = world_new();
    uint64_t session = open_job(w, CLIENT, "a");
    uint64_t node = join(w, WORKER, 0, "n1", 1);
    submit(w, session, 1, 5, spec_of(w, 1));
    struct rec_start start;
    assert_true(start_at(w, 0, &start));
    pass(w, 1500);
    look(w);
    assert_string_equal(survey.jobs[0], "a");
    assert_int_equal(in_state("f", TASK_LEASED), 1);
    assert_int_equal(in_state("f", TASK_READY), 4);
    assert_int_equal(survey.pending[PENDING_RESOURCES], 4);
    assert_int_equal(survey.oldest_ms, 1500);
    assert_int_equal(survey.node_count, 1);
    assert_int_equal(survey.nodes[0].total[0], UNITS_PER_ONE);
    assert_int_equal(survey.nodes[0].free[0], 0);
    assert_int_equal(survey.nodes[0].silent_ms, 1500);
    assert_int_equal(survey.jobs_in[JOB_RUNNING], 1);
    done(w, node, &start, OUTCOME_OK, 0);
    look(w);
    assert_int_equal(in_state("f", TASK_FINISHED), 1);
    assert_int_equal(survey.names[0].finished, 1);
    assert_int_equal(survey.names[0].ran.sum_us, 20000);
    world_free(w);
}

static void retries_and_failures_have_reasons(void **unused)
{
    (void)unused;
    struct world *w = world_new();
    uint64_t session = open_job(w, CLIENT, "a");
    uint64_t node = join(w, WORKER, 0, "n1", 1);
    struct rec_spec spec = spec_of(w, 1);
    spec.max_retries = 1;
    submit(w, session, 1, 1, spec);
    struct rec_start start;
    for (int attempt = 1; attempt <= 2; attempt++) {
        assert_true(start_at(w, 0, &start));
        struct rec_start copy = start;
        done(w, node, &copy, OUTCOME_SIGNAL, -9);
    }
    look(w);
    assert_int_equal(survey.retries[FAILURE_WORKER_DIED], 1);
    assert_int_equal(survey.names[0].failed, 1);
    assert_int_equal(in_state("f", TASK_FAILED), 1);
    world_free(w);
}

static void what_cannot_run_is_infeasible_or_has_no_node(void **unused)
{
    (void)unused;
    struct world *w = world_new();
    uint64_t session = open_job(w, CLIENT, "a");
    submit(w, session, 1, 3, spec_of(w, 2));
    look(w);
    assert_int_equal(survey.pending[PENDING_NO_NODE], 3);
    (void)join(w, WORKER, 0, "n1", 1);
    look(w);
    assert_int_equal(survey.pending[PENDING_NO_NODE], 0);
    assert_int_equal(survey.pending[PENDING_INFEASIBLE], 3);
    world_free(w);
}

/*  What an earlier head, or a session that has gone, has counted is told, but no more by name. */
static void a_restart_forgets_names_but_no_task(void **unused)
{
    (void)unused;
    struct world *w = world_new();
    uint64_t session = open_job(w, CLIENT, "a");
    uint64_t node = join(w, WORKER, 0, "n1", 1);
    submit(w, session, 1, 2, spec_of(w, 1));
    struct rec_start start;
    assert_true(start_at(w, 0, &start));
    struct rec_start copy = start;
    done(w, node, &copy, OUTCOME_OK, 0);
    pass(w, 1000);
    world_restart(w);
    look(w);
    assert_int_equal(in_state("other", TASK_FINISHED), 1);
    assert_int_equal(in_state("f", TASK_READY) + in_state("f", TASK_LEASED), 1);
    world_free(w);
}

static void names_beyond_the_limit_share_a_slot(void **unused)
{
    (void)unused;
    struct world *w = world_new();
    w->limits.specs = 300;
    world_restart(w);
    uint64_t session = open_job(w, CLIENT, "a");
    for (uint32_t i = 1; i <= 250; i++) {
        char name[16];
        struct rec_spec spec = spec_of(w, 1);
        snprintf(name, sizeof(name), "f%u", i);
        spec.index = i;
        spec.name = slice_text(name);
        submit(w, session, i, 1, spec);
    }
    look(w);
    assert_int_equal(survey.name_count, SURVEY_NAMES);
    assert_int_equal(survey.row_count, SURVEY_NAMES);
    assert_int_equal(in_state("f200", TASK_READY), 1);
    assert_int_equal(in_state("other", TASK_READY), 50);
    world_free(w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tasks_are_counted_by_name_and_state),
        cmocka_unit_test(retries_and_failures_have_reasons),
        cmocka_unit_test(what_cannot_run_is_infeasible_or_has_no_node),
        cmocka_unit_test(a_restart_forgets_names_but_no_task),
        cmocka_unit_test(names_beyond_the_limit_share_a_slot),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
