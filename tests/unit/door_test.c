/*  door_test.c - who asks at the door is a peer for a moment: two frames, one answer, gone. */
#include "head/door.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <cmocka.h>

struct asking {
    struct door *door;
    pthread_t thread;
    int code;
    struct door_answer answer;
};

static void *ask(void *context)
{
    struct asking *self = context;
    const struct msg_job_stop stop = { .job = 7 };
    self->code = door_ask(self->door, "secret", MSG_JOB_STOP, &stop, &self->answer);
    return NULL;
}

static void begin(struct asking *self, struct door *door)
{
    *self = (struct asking){ .door = door };
    assert_int_equal(pthread_create(&self->thread, NULL, ask, self), 0);
}

/*  As the loop does: again and again until there is something. */
static enum net_news next(struct door *door, struct net_event *out)
{
    enum net_news news;
    while ((news = door_next(door, out)) == NET_NOTHING) {}
    return news;
}

static void expect(struct door *door, struct net_event *out, enum msg_kind kind, struct msg *msg)
{
    assert_int_equal(next(door, out), NET_FRAME);
    assert_true(out->peer >= DOOR_PEER_FIRST);
    assert_int_equal(proto_decode(out->bytes, msg, NULL), OK);
    assert_int_equal(msg->kind, kind);
}

static void reply(struct door *door, uint32_t peer, enum msg_kind kind, const void *msg)
{
    uint8_t bytes[512];
    struct wire frame = { bytes, 0, sizeof(bytes), false };
    proto_put(&frame, kind, msg);
    door_send(door, peer, slice_of(frame.p, frame.n));
}

static void a_request_has_its_answer(void **state)
{
    (void)state;
    struct door *door;
    struct asking one;
    struct net_event event;
    struct msg hello, stop;
    assert_int_equal(door_open(&door), OK);
    begin(&one, door);
    expect(door, &event, MSG_HELLO, &hello);
    assert_true(slice_same(hello.as.hello.token, slice_text("secret")));
    reply(door, event.peer, MSG_WELCOME, &(struct msg_welcome){ .seq = hello.as.seq });
    expect(door, &event, MSG_JOB_STOP, &stop);
    assert_int_equal(stop.as.job_stop.job, 7);
    reply(door, event.peer, MSG_JOB_STATE, &(struct msg_job_state){ .job = 7 }); /* news */
    reply(door, event.peer + 1, MSG_CHANGED, &(struct msg_changed){ .seq = stop.as.seq });
    reply(door, event.peer, MSG_CHANGED, &(struct msg_changed){ .seq = stop.as.seq, .id = 9 });
    pthread_join(one.thread, NULL);
    assert_int_equal(one.code, OK);
    assert_int_equal(one.answer.kind, MSG_CHANGED);
    assert_int_equal(one.answer.id, 9);
    door_release(door);
    assert_int_equal(next(door, &event), NET_GONE);
    assert_int_equal(door_next(door, &event), NET_NOTHING);
    door_close(&door);
}

static void refusals_keep_their_words(void **state)
{
    (void)state;
    struct door *door;
    struct asking one;
    struct net_event event;
    struct msg msg;
    assert_int_equal(door_open(&door), OK);
    begin(&one, door);
    expect(door, &event, MSG_HELLO, &msg);
    reply(door, event.peer, MSG_REFUSED,
          &(struct msg_refused){ msg.as.seq, ERR_TOKEN, slice_text("not this one") });
    pthread_join(one.thread, NULL);
    assert_int_equal(one.code, ERR_TOKEN);
    assert_string_equal(one.answer.text, "not this one");
    assert_int_equal(next(door, &event), NET_GONE); /* its request is not said any more */
    door_close(&door);
}

static void the_end_lets_everybody_go(void **state)
{
    (void)state;
    struct door *door;
    struct asking one, two;
    struct net_event event;
    struct msg msg;
    assert_int_equal(door_open(&door), OK);
    begin(&one, door);
    expect(door, &event, MSG_HELLO, &msg);
    begin(&two, door);
    door_end(door);
    pthread_join(one.thread, NULL);
    pthread_join(two.thread, NULL);
    assert_int_equal(one.code, ERR_CLOSED);
    assert_int_equal(two.code, ERR_CLOSED);
    door_close(&door);
    door_close(&door);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_request_has_its_answer),
        cmocka_unit_test(refusals_keep_their_words),
        cmocka_unit_test(the_end_lets_everybody_go),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
