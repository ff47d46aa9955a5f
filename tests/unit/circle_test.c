/*  circle_test.c - who waits for whom, as executors say it: what would close a circle is refused. */
#include "tests/unit/head_world.h"

enum { EXECUTORS = 20 }; /* peers: of the task of counter n, this and n */

struct waits {
    struct world *w;
    uint64_t session, node;
    struct rec_start start[3];
    uint64_t sessions[3]; /* of their executors */
};

static void attach(struct waits *self, uint32_t i)
{
    const struct rec_start *start = &self->start[i];
    struct proof proof = {
        .kind = PROOF_TICKET, .job = 1, .task = start->task, .fence = start->token
    };
    say_proved(self->w, EXECUTORS + i, MSG_HELLO,
               &(struct msg_hello){ .major = PROTO_MAJOR, .role = 1 }, &proof);
    must_hear(self->w, MSG_WELCOME);
    say(self->w, EXECUTORS + i, MSG_JOB_ATTACH, &(struct msg_job_attach){ 2, 1, start->token });
    self->sessions[i] = must_hear(self->w, MSG_JOB_OPENED)->as.job_opened.session;
}

/*  Three tasks that run, each with a session. */
static struct waits waits_new(void)
{
    struct waits self = { .w = world_new() };
    self.session = open_job(self.w, CLIENT, "a");
    self.node = join(self.w, WORKER, 0, "n1", 4);
    submit(self.w, self.session, 1, 3, spec_of(self.w, 1));
    for (uint32_t i = 0; i < 3; i++) {
        assert_true(start_at(self.w, i, &self.start[i]));
    }
    for (uint32_t i = 0; i < 3; i++) {
        attach(&self, i);
    }
    return self;
}

/*  NULL: it may; else why not. */
static const char *waits_for(struct waits *self, uint32_t i, uint32_t other)
{
    static char text[600];
    proto_put_record(&self->w->wire, REC_ID, &(struct rec_id){ self->start[other].task });
    say(self->w, EXECUTORS + i, MSG_AWAITS,
        &(struct msg_awaits){ 7, self->sessions[i], wire_list(&self->w->wire, 1) });
    if (heard(self->w, MSG_REFUSED, 0) == NULL) {
        must_hear(self->w, MSG_CHANGED);
        return NULL;
    }
    slice_copy_text(must_hear(self->w, MSG_REFUSED)->as.refused.text, text, sizeof(text));
    return text;
}

static void a_circle_is_told_to_who_closes_it(void **unused)
{
    (void)unused;
    struct waits self = waits_new();
    assert_null(waits_for(&self, 0, 1));
    assert_null(waits_for(&self, 1, 2));
    assert_string_equal(waits_for(&self, 2, 0),
                        "this would wait for ever: f (0000010000000003) waits for f "
                        "(0000010000000001), which waits for f (0000010000000002), which waits for "
                        "f (0000010000000003)");
    assert_non_null(waits_for(&self, 2, 2));
    world_free(self.w);
}

/*  Who waits no more, or has ended, holds up nobody. */
static void what_has_ended_is_in_no_circle(void **unused)
{
    (void)unused;
    struct waits self = waits_new();
    assert_null(waits_for(&self, 0, 1));
    say(self.w, EXECUTORS, MSG_AWAITS, &(struct msg_awaits){ 8, self.sessions[0], { { 0 }, 0 } });
    must_hear(self.w, MSG_CHANGED);
    assert_null(waits_for(&self, 1, 0));
    done(self.w, self.node, &self.start[1], OUTCOME_OK, 0);
    assert_null(waits_for(&self, 0, 1));
    world_free(self.w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_circle_is_told_to_who_closes_it),
        cmocka_unit_test(what_has_ended_is_in_no_circle),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
