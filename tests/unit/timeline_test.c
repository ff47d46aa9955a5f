/*  timeline_test.c - rows of attempts as a trace. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

#include "client/cli/timeline.c"

static void give(struct timeline *self, bool (*fn)(void *, json_t *), const char *row)
{
    json_t *object = json_loads(row, 0, NULL);
    assert_non_null(object);
    assert_true(fn(self, object));
    json_decref(object);
}

static void attempt(struct timeline *self, const char *task, int node, int start_ms, int run_us)
{
    char row[300];
    snprintf(row, sizeof(row),
             "{\"task_id\": \"%s\", \"attempt\": 1, \"node_id\": %d, \"outcome\": \"FINISHED\","
             " \"start_time_ms\": %d, \"end_time_ms\": %d, \"run_us\": %d}",
             task, node, start_ms, start_ms + run_us / 1000, run_us);
    give(self, timeline_attempt, row);
}

/*  The events of one kind, as "name pid/tid ts+dur" each. */
static void expect(struct timeline *self, const char *kind, const char *const *wanted, size_t count)
{
    json_t *trace = timeline_json(self), *event;
    size_t i, found = 0;
    json_array_foreach(json_object_get(trace, "traceEvents"), i, event)
    {
        if (strcmp(text_of(event, "ph"), kind) != 0) {
            continue;
        }
        char text[100];
        const char *name = json_string_value(
            json_object_get(json_object_get(event, "args"), kind[0] == 'M' ? "name" : "task_id"));
        int n = snprintf(text, sizeof(text), "%s %d/%d", name, (int)number_of(event, "pid"),
                         (int)number_of(event, "tid"));
        if (kind[0] == 'X') {
            snprintf(text + n, sizeof(text) - (size_t)n, " %d+%d", (int)number_of(event, "ts"),
                     (int)number_of(event, "dur"));
        }
        assert_true(found < count);
        assert_string_equal(text, wanted[found++]);
    }
    assert_int_equal(found, count);
    json_decref(trace);
}

static void attempts_have_nodes_and_slots(void **unused)
{
    (void)unused;
    struct timeline self;
    timeline_init(&self, 500);
    give(&self, timeline_node, "{\"node_id\": 2, \"name\": \"w2\"}");
    static const char *const tasks[] = { "a", "b", "c", "d" };
    for (size_t i = 0; i < COUNT(tasks); i++) {
        char row[100];
        snprintf(row, sizeof(row),
                 "{\"task_id\": \"%s\", \"name\": \"f\", \"state\": \"FINISHED\"}", tasks[i]);
        give(&self, timeline_task, row);
    }
    give(&self, timeline_task,
         "{\"task_id\": \"e\", \"name\": \"g\", \"state\": \"RUNNING\", \"node_id\": 3,"
         " \"attempt\": 2, \"start_time_ms\": 400}");
    attempt(&self, "b", 2, 110, 5000);
    attempt(&self, "a", 2, 100, 20950); /* until 120.95, and c is told to begin at 120 */
    attempt(&self, "c", 2, 120, 1000);
    attempt(&self, "d", 3, 0, 1000);       /* never began */
    attempt(&self, "other", 3, 100, 1000); /* of no task that was asked for */
    expect(&self, "X",
           (const char *[]){ "a 2/1 100000+20950", "b 2/2 110000+5000", "c 2/1 120950+50",
                             "e 3/1 400000+100000" },
           4);
    expect(&self, "M",
           (const char *[]){ "node 2 (w2) 2/0", "slot 1 2/1", "slot 2 2/2", "node 3 3/0",
                             "slot 1 3/1" },
           5);
    timeline_fini(&self);
}

static void nothing_is_an_empty_trace(void **unused)
{
    (void)unused;
    struct timeline self;
    timeline_init(&self, 1);
    expect(&self, "X", NULL, 0);
    timeline_fini(&self);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(attempts_have_nodes_and_slots),
        cmocka_unit_test(nothing_is_an_empty_trace),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
