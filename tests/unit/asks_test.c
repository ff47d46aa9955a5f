/*  asks_test.c - reports of trials at a worker: kept until they are decided, said again, dropped with their task. */
#include "worker/asks.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

enum { CAPACITY = 2000 };

struct world {
    struct asks *asks;
    struct channel_page *pages; /* by executor */
};

/*  Executor n runs task 100 + n with token n. */
static bool runs(const void *context, uint32_t executor, uint64_t task, uint64_t token)
{
    (void)context;
    return task == 100 + executor && token == executor;
}

static int setup(void **state)
{
    struct world *self = calloc(1, sizeof(*self));
    assert_non_null(self);
    self->pages = calloc(4, sizeof(*self->pages));
    *state = self;
    return asks_open(&self->asks, CAPACITY, &(struct asks_runs){ runs, NULL });
}

static int teardown(void **state)
{
    struct world *self = *state;
    asks_close(&self->asks);
    free(self->pages);
    free(self);
    return 0;
}

static void tell(struct world *self, uint32_t executor, uint32_t number, struct slice metrics)
{
    struct rec_report report = { .task = 100 + executor,
                                 .token = executor,
                                 .number = number,
                                 .value = 0.5,
                                 .metrics = metrics };
    asks_add(self->asks, executor, &self->pages[executor % 4], &report);
}

/*  The executors whose reports are sent now, as digits. */
static const char *sent(struct world *self)
{
    static char text[64];
    struct msg_report msg;
    struct rec_report report;
    size_t n = 0;
    while (asks_next(self->asks, &msg)) {
        while (next_report(&msg.reports, &report)) {
            text[n++] = (char)('0' + report.token);
        }
    }
    text[n] = 0;
    return text;
}

static void decide(struct world *self, uint32_t executor, uint32_t number, enum decision decision)
{
    uint8_t bytes[128];
    struct wire list = { bytes, 0, sizeof(bytes), false };
    struct rec_decision record = { .task = 100 + executor,
                                   .token = executor,
                                   .number = number,
                                   .decision = decision,
                                   .text = slice_text("because") };
    proto_put_record(&list, REC_DECISION, &record);
    asks_on_decided(self->asks, &(struct msg_decided){ .decisions = wire_list(&list, 1) });
}

static void a_report_is_sent_once_and_answered(void **state)
{
    struct world *self = *state;
    asks_joined(self->asks, true);
    tell(self, 1, 7, slice_text("{\"loss\":0.5}"));
    tell(self, 2, 1, slice_text("{}"));
    struct msg_report msg;
    struct rec_report report;
    assert_true(asks_next(self->asks, &msg));
    assert_int_equal(msg.reports.count, 2);
    assert_true(next_report(&msg.reports, &report));
    assert_int_equal(report.number, 7);
    assert_true(report.value == 0.5);
    assert_memory_equal(report.metrics.p, "{\"loss\":0.5}", report.metrics.n);
    assert_false(asks_next(self->asks, &msg));
    decide(self, 1, 6, DECISION_STOP); /* of an earlier report */
    assert_false(channel_answered(&self->pages[1], 1, 7));
    decide(self, 1, 7, DECISION_PAUSE);
    assert_true(channel_answered(&self->pages[1], 1, 7));
    assert_false(channel_answered(&self->pages[1], 9, 7));
    assert_int_equal(self->pages[1].decision, DECISION_PAUSE);
    assert_string_equal(self->pages[1].why, "because");
    decide(self, 1, 7, DECISION_STOP); /* it came twice */
    assert_int_equal(self->pages[1].decision, DECISION_PAUSE);
    assert_false(channel_answered(&self->pages[2], 2, 1));
}

static void kept_ones_are_said_again(void **state)
{
    struct world *self = *state;
    tell(self, 1, 1, slice_text("{}"));
    assert_string_equal(sent(self), ""); /* there is no head yet */
    asks_joined(self->asks, true);
    assert_string_equal(sent(self), "1");
    tell(self, 2, 1, slice_text("{}"));
    assert_string_equal(sent(self), "2");
    asks_joined(self->asks, false);
    tell(self, 3, 1, slice_text("{}"));
    asks_joined(self->asks, true);
    assert_string_equal(sent(self), "123");
    decide(self, 2, 1, DECISION_GO_ON);
    uint64_t due_ms = asks_due(self->asks);
    assert_true(due_ms > 0 && due_ms < UINT64_MAX);
    asks_on_time(self->asks, due_ms - 1);
    assert_string_equal(sent(self), "");
    asks_on_time(self->asks, due_ms); /* nobody answered */
    assert_string_equal(sent(self), "13");
    assert_true(asks_due(self->asks) > due_ms);
}

static void what_has_ended_asks_no_more(void **state)
{
    struct world *self = *state;
    asks_joined(self->asks, true);
    for (uint32_t i = 1; i < 4; i++) {
        tell(self, i, 1, slice_text("{}"));
    }
    asks_drop(self->asks, 1);
    asks_drop(self->asks, 1);
    assert_string_equal(sent(self), "32");
    tell(self, 3, 2, slice_text("{}")); /* in place of its first */
    assert_string_equal(sent(self), "3");
    decide(self, 3, 1, DECISION_STOP);
    decide(self, 1, 1, DECISION_STOP);
    assert_int_equal(self->pages[1].decision, 0);
    assert_int_equal(self->pages[3].decision, 0);
    asks_drop(self->asks, 2);
    asks_drop(self->asks, 3);
    assert_true(asks_due(self->asks) == UINT64_MAX);
}

static void of_another_task_is_dropped(void **state)
{
    struct world *self = *state;
    asks_joined(self->asks, true);
    struct rec_report report = { .task = 102, .token = 1, .number = 1 };
    asks_add(self->asks, 1, &self->pages[1], &report);
    report = (struct rec_report){ .task = 101, .token = 2, .number = 1 };
    asks_add(self->asks, 1, &self->pages[1], &report);
    assert_string_equal(sent(self), "");
}

/*  A frame has a limit, whatever is reported. */
static void many_large_ones_are_several_messages(void **state)
{
    struct world *self = *state;
    static uint8_t frame[FRAME_MAX];
    char *metrics = malloc(METRICS_MAX);
    assert_non_null(metrics);
    memset(metrics, ' ', METRICS_MAX);
    asks_joined(self->asks, true);
    for (uint32_t i = 0; i < CAPACITY; i++) {
        tell(self, i, 1, slice_of(metrics, METRICS_MAX));
    }
    struct msg_report msg;
    uint32_t count = 0, messages = 0;
    while (asks_next(self->asks, &msg)) {
        struct wire wire = { frame, 0, sizeof(frame), false };
        proto_put(&wire, MSG_REPORT, &msg);
        assert_false(wire.full);
        count += msg.reports.count;
        messages++;
    }
    assert_int_equal(count, CAPACITY);
    assert_true(messages > 1 && messages < 20);
    free(metrics);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(a_report_is_sent_once_and_answered),   TEST(kept_ones_are_said_again),
        TEST(what_has_ended_asks_no_more),          TEST(of_another_task_is_dropped),
        TEST(many_large_ones_are_several_messages),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
