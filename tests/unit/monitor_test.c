/*  monitor_test.c - a reader on a thread of its own asks, the loop tells. */
#include <poll.h>
#include <pthread.h>
#include "head_world.h"
#include "head/monitor.h"

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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_reader_gets_a_copy_when_the_loop_tells),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
