/*  processes_test.c - a worker has so many processes, and holds so many attempts: the head leases no more to it, and says
    so.  What waits for others keeps its process. */
#include "tests/unit/head_world.h"

struct node_of_one {
    struct world *w;
    uint64_t session, node;
};

/*  One node with one CPU, and a job. */
static struct node_of_one with_limits(uint32_t attempts, uint32_t processes)
{
    struct node_of_one self = { .w = world_new() };
    self.session = open_job(self.w, CLIENT, "a");
    hello(self.w, WORKER, 2);
    say(self.w, WORKER, MSG_NODE_JOIN,
        &(struct msg_node_join){ .key = slice_text("n1"),
                                 .name = slice_text("n1"),
                                 .capacity = amount(self.w, "CPU", 1),
                                 .attempts = attempts,
                                 .processes = processes });
    self.node = must_hear(self.w, MSG_NODE_JOINED)->as.node_joined.node;
    return self;
}

static void waits(const struct node_of_one *self, const struct rec_start *start)
{
    struct world *w = self->w;
    proto_put_record(&w->wire, REC_HELD,
                     &(struct rec_held){ start->task, start->token, HELD_BLOCKED_GET, 1 });
    say(w, WORKER, MSG_NODE_WAITS,
        &(struct msg_node_waits){ .node = self->node, .held = wire_list(&w->wire, 1) });
}

static void ends(const struct node_of_one *self, const struct rec_start *start)
{
    struct world *w = self->w;
    proto_put_record(&w->wire, REC_DONE,
                     &(struct rec_done){ .task = start->task,
                                         .token = start->token,
                                         .started_ms = 1,
                                         .run_us = 20000,
                                         .value = slice_text("\x07") });
    say(w, WORKER, MSG_DONE,
        &(struct msg_done){ .seq = 5, .node = self->node, .done = wire_list(&w->wire, 1) });
}

static uint32_t why_waits(const struct node_of_one *self, uint64_t counter)
{
    say(self->w, CLIENT, MSG_EXPLAIN,
        &(struct msg_explain){ .task = task_id_of(self->session, counter).v });
    return must_hear(self->w, MSG_EXPLAINED)->as.explained.why;
}

static void who_waits_keeps_its_process(void **unused)
{
    (void)unused;
    struct node_of_one self = with_limits(100, 2);
    struct rec_start first, second, third;
    submit(self.w, self.session, 1, 3, spec_of(self.w, 1));
    assert_true(start_at(self.w, 0, &first));
    waits(&self, &first);
    assert_true(start_at(self.w, 0, &second));
    waits(&self, &second);
    assert_false(start_at(self.w, 0, &third)); /* though its CPU is free */
    assert_int_equal(why_waits(&self, 3), WHY_PROCESSES);
    ends(&self, &second);
    assert_true(start_at(self.w, 0, &third));
    assert_int_equal(task_counter((task_id){ third.task }), 3);
    world_free(self.w);
}

static void no_more_than_it_can_hold(void **unused)
{
    (void)unused;
    struct node_of_one self = with_limits(4, 10); /* one half is for calls of actors */
    struct rec_start first, second, third;
    submit(self.w, self.session, 1, 3, spec_of(self.w, 1));
    assert_true(start_at(self.w, 0, &first));
    waits(&self, &first);
    assert_true(start_at(self.w, 0, &second));
    waits(&self, &second);
    assert_false(start_at(self.w, 0, &third));
    assert_int_equal(why_waits(&self, 3), WHY_PROCESSES);
    world_free(self.w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(who_waits_keeps_its_process),
        cmocka_unit_test(no_more_than_it_can_hold),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
