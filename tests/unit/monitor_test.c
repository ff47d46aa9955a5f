/*  monitor_test.c - a reader on a thread of its own asks, the loop tells. */
#include <poll.h>
#include <pthread.h>
#include "head_world.h"
#include "head/metrics_page.h"

static void *read_once(void *context)
{
    struct monitor *monitor = context;
    const struct monitor_view *view = monitor_look(monitor);
    uint64_t seen = view ? view->loop.in[MSG_HELLO] : UINT64_MAX;
    if (view) {
        monitor_done(monitor);
    }
    return (void *)(uintptr_t)seen;
}

static void a_reader_gets_a_copy_when_the_loop_tells(void **unused)
{
    (void)unused;
    struct world *w = world_new();
    struct monitor *monitor;
    pthread_t reader;
    void *seen;
    assert_int_equal(monitor_open(&monitor), OK);
    monitor_counts(monitor)->in[MSG_HELLO] = 3;
    monitor_tell(monitor, turn_core(w->turn)); /* nobody has asked: nothing is done */
    assert_int_equal(pthread_create(&reader, NULL, read_once, monitor), 0);
    struct pollfd asked = { monitor_fd(monitor), POLLIN, 0 };
    assert_int_equal(poll(&asked, 1, 10000), 1);
    while (poll(&asked, 1, 0) == 1) { /* the reader may still hold the lock */
        monitor_tell(monitor, turn_core(w->turn));
    }
    pthread_join(reader, &seen);
    assert_int_equal((uintptr_t)seen, 3);
    monitor_close(&monitor);
    assert_null(monitor);
    world_free(w);
}

struct asked {
    struct monitor *monitor;
    sqlite3 *db;
    struct exposition page;
    int code;
};

static void *write_page(void *context)
{
    struct asked *self = context;
    struct process_before before = { 0 };
    const struct metrics_source source = { .monitor = self->monitor,
                                           .state_dir = "/tmp",
                                           .session = "c1",
                                           .db = self->db,
                                           .before = &before };
    self->code = metrics_page(&source, "application/openmetrics-text", &self->page);
    return NULL;
}

/*  The page, while the loop tells. */
static int ask(struct world *w, struct asked *asked)
{
    pthread_t reader;
    assert_int_equal(pthread_create(&reader, NULL, write_page, asked), 0);
    struct pollfd news = { monitor_fd(asked->monitor), POLLIN, 0 };
    assert_int_equal(poll(&news, 1, 10000), 1);
    while (poll(&news, 1, 0) == 1) {
        monitor_tell(asked->monitor, turn_core(w->turn));
    }
    pthread_join(reader, NULL);
    return asked->code;
}

static void the_page_shows_tasks_nodes_and_messages(void **unused)
{
    (void)unused;
    struct world *w = world_new();
    struct monitor *monitor;
    struct asked asked = { 0 };
    uint64_t session = open_job(w, CLIENT, "a");
    (void)join(w, WORKER, 0, "n1", 1);
    submit(w, session, 1, 3, spec_of(w, 1));
    assert_int_equal(monitor_open(&monitor), OK);
    monitor_counts(monitor)->in[MSG_SUBMIT] = 1;
    asked.monitor = monitor;
    assert_int_equal(ask(w, &asked), OK);
    struct exposition *page = &asked.page;
    page->p[page->n - 1] = 0;
    static const char *const lines[] = {
        "rayc_tasks{State=\"PENDING_NODE_ASSIGNMENT\",Name=\"f\",JobId=\"a\",IsRetry=\"0\","
        "SessionName=\"c1\"} 2\n",
        "rayc_tasks{State=\"SUBMITTED_TO_WORKER\",Name=\"f\",JobId=\"a\",IsRetry=\"0\","
        "SessionName=\"c1\"} 1\n",
        "rayc_resources{Name=\"CPU\",State=\"USED\",NodeId=\"1\",SessionName=\"c1\"} 1\n",
        "rayc_cluster_active_nodes{node_type=\"worker\",SessionName=\"c1\"} 1\n",
        "rayc_pending_tasks{Reason=\"RESOURCES\",SessionName=\"c1\"} 2\n",
        "rayc_messages_total{type=\"SUBMIT\",dir=\"in\",SessionName=\"c1\"} 1\n",
        "\n# EOF",
    };
    for (size_t i = 0; i < COUNT(lines); i++) {
        if (!strstr(page->p, lines[i])) {
            fail_msg("the page lacks %s", lines[i]);
        }
    }
    exposition_fini(page);
    monitor_close(&monitor);
    world_free(w);
}

/*  A page without what studies say would look as if there were none. */
static void a_database_that_cannot_be_read_is_an_error(void **unused)
{
    (void)unused;
    struct world *w = world_new();
    struct asked asked = { 0 };
    assert_int_equal(monitor_open(&asked.monitor), OK);
    assert_int_equal(sqlite3_open(":memory:", &asked.db), SQLITE_OK);
    assert_int_equal(ask(w, &asked), ERR_STORE);
    sqlite3_close(asked.db);
    monitor_close(&asked.monitor);
    world_free(w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_reader_gets_a_copy_when_the_loop_tells),
        cmocka_unit_test(the_page_shows_tasks_nodes_and_messages),
        cmocka_unit_test(a_database_that_cannot_be_read_is_an_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
