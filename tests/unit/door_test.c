/*  door_test.c - who asks at the door is a peer for a moment: two frames, one answer, gone; a link is one for longer. */
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

/* --- links ---------------------------------------------------------------------------------------- */

static void count_wake(void *context)
{
    ++*(int *)context;
}

static struct slice beat(uint8_t *bytes, size_t capacity, uint64_t seq)
{
    struct wire frame = { bytes, 0, capacity, false };
    proto_put(&frame, MSG_CLIENT_BEAT, &(struct msg_client_beat){ .seq = seq });
    return slice_of(frame.p, frame.n);
}

static void a_link_is_a_peer_that_stays(void **state)
{
    (void)state;
    struct door *door;
    struct door_link *one, *two;
    struct net_event event;
    struct slice frame;
    struct msg msg;
    uint8_t bytes[256];
    int wakes = 0, others = 0;
    assert_int_equal(door_open(&door), OK);
    assert_int_equal(door_link_open(door, count_wake, &wakes, &one), OK);
    assert_int_equal(door_link_open(door, count_wake, &others, &two), OK);
    assert_int_equal(door_link_next(one, &frame), ERR_NOT_FOUND);
    for (uint64_t seq = 1; seq <= 2; seq++) {
        assert_int_equal(door_link_send(one, beat(bytes, sizeof(bytes), seq)), OK);
        assert_int_equal(door_link_send(two, beat(bytes, sizeof(bytes), 10 + seq)), OK);
    }
    static const uint64_t order[] = { 1, 11, 2, 12 }; /* by turns */
    uint32_t peers[COUNT(order)];
    for (size_t i = 0; i < COUNT(order); i++) {
        expect(door, &event, MSG_CLIENT_BEAT, &msg);
        assert_int_equal(msg.as.seq, order[i]);
        peers[i] = event.peer;
    }
    assert_int_equal(peers[0], peers[2]);
    assert_int_not_equal(peers[0], peers[1]);
    reply(door, peers[0], MSG_CHANGED, &(struct msg_changed){ .seq = 2, .id = 5 });
    assert_int_equal(wakes, 1);
    assert_int_equal(others, 0);
    assert_int_equal(door_link_next(one, &frame), OK);
    assert_int_equal(proto_decode(frame, &msg, NULL), OK);
    assert_int_equal(msg.as.changed.id, 5);
    door_link_free_frame(&frame);
    door_release(door);
    assert_int_equal(door_link_send(one, beat(bytes, sizeof(bytes), 3)), OK);
    door_link_close(&one); /* what it said before is heard */
    reply(door, peers[0], MSG_CHANGED, &(struct msg_changed){ .seq = 3 });
    assert_int_equal(wakes, 1);
    expect(door, &event, MSG_CLIENT_BEAT, &msg);
    assert_int_equal(next(door, &event), NET_GONE);
    assert_int_equal(event.peer, peers[0]);
    assert_int_equal(door_next(door, &event), NET_NOTHING);
    door_link_close(&two); /* and the door closes before the loop has heard of it */
    door_close(&door);
}

static void a_link_that_is_not_read_breaks(void **state)
{
    (void)state;
    struct door *door;
    struct door_link *link;
    struct net_event event;
    struct slice frame;
    uint8_t bytes[256];
    int wakes = 0;
    assert_int_equal(door_open(&door), OK);
    assert_int_equal(door_link_open(door, count_wake, &wakes, &link), OK);
    for (int i = 0; i < DOOR_LINK_FRAMES; i++) {
        assert_int_equal(door_link_send(link, beat(bytes, sizeof(bytes), 1)), OK);
    }
    assert_int_equal(door_link_send(link, beat(bytes, sizeof(bytes), 1)), ERR_BUSY);
    assert_int_equal(next(door, &event), NET_FRAME);
    assert_int_equal(door_link_send(link, beat(bytes, sizeof(bytes), 1)), OK);
    for (int i = 0; i < DOOR_LINK_FRAMES; i++) {
        reply(door, event.peer, MSG_CHANGED, &(struct msg_changed){ .seq = 1 });
    }
    assert_int_equal(door_link_next(link, &frame), OK);
    door_link_free_frame(&frame);
    reply(door, event.peer, MSG_CHANGED, &(struct msg_changed){ .seq = 1 });
    reply(door, event.peer, MSG_CHANGED, &(struct msg_changed){ .seq = 1 }); /* is lost */
    assert_int_equal(door_link_next(link, &frame), ERR_CLOSED);
    assert_int_equal(door_link_send(link, beat(bytes, sizeof(bytes), 1)), ERR_CLOSED);
    door_link_close(&link);
    door_close(&door);
}

static void large_frames_fill_a_link(void **state)
{
    (void)state;
    struct door *door;
    struct door_link *link;
    int wakes = 0;
    uint8_t *large = calloc(1, DOOR_LINK_BYTES / 2);
    assert_non_null(large);
    assert_int_equal(door_open(&door), OK);
    assert_int_equal(door_link_open(door, count_wake, &wakes, &link), OK);
    struct slice frame = slice_of(large, DOOR_LINK_BYTES / 2);
    assert_int_equal(door_link_send(link, frame), OK);
    assert_int_equal(door_link_send(link, frame), OK);
    assert_int_equal(door_link_send(link, slice_of(large, 1)), ERR_BUSY);
    door_end(door);
    assert_int_equal(wakes, 1);
    assert_int_equal(door_link_next(link, &frame), ERR_CLOSED);
    door_link_close(&link);
    door_close(&door);
    free(large);
}

/*  Those who do not read break, so that one who does can go on. */
static void links_share_a_limit(void **state)
{
    (void)state;
    enum { HOGS = DOOR_LINKS_BYTES / DOOR_LINK_BYTES };
    struct door *door;
    struct door_link *hogs[HOGS], *small;
    struct net_event event;
    struct slice frame;
    uint8_t bytes[64], *large = calloc(1, DOOR_LINK_BYTES);
    uint32_t peers[HOGS + 1];
    int wakes = 0;
    assert_non_null(large);
    assert_int_equal(door_open(&door), OK);
    for (size_t i = 0; i <= HOGS; i++) {
        struct door_link **link = i < HOGS ? &hogs[i] : &small;
        assert_int_equal(door_link_open(door, count_wake, &wakes, link), OK);
        assert_int_equal(door_link_send(*link, beat(bytes, sizeof(bytes), i)), OK);
        assert_int_equal(next(door, &event), NET_FRAME);
        peers[i] = event.peer;
    }
    for (size_t i = 0; i < HOGS; i++) {
        size_t n = i == 1 ? DOOR_LINK_BYTES : DOOR_LINK_BYTES - 8;
        door_send(door, peers[i], slice_of(large, n));
    }
    assert_int_equal(wakes, HOGS);
    door_send(door, peers[HOGS], slice_of(large, 64));
    assert_int_equal(door_link_next(hogs[1], &frame), ERR_CLOSED);
    assert_int_equal(door_link_next(small, &frame), OK);
    door_link_free_frame(&frame);
    assert_int_equal(door_link_send(small, beat(bytes, sizeof(bytes), 10)), OK);
    for (size_t i = 0; i < HOGS; i++) {
        if (i != 1) {
            assert_int_equal(door_link_next(hogs[i], &frame), OK);
            door_link_free_frame(&frame);
        }
        door_link_close(&hogs[i]);
    }
    door_link_close(&small);
    door_close(&door);
    free(large);
}

static void links_are_so_many(void **state)
{
    (void)state;
    struct door *door;
    struct door_link *links[DOOR_LINKS_MAX], *more;
    struct net_event event;
    int wakes = 0;
    assert_int_equal(door_open(&door), OK);
    for (size_t i = 0; i < COUNT(links); i++) {
        assert_int_equal(door_link_open(door, count_wake, &wakes, &links[i]), OK);
    }
    assert_int_equal(door_link_open(door, count_wake, &wakes, &more), ERR_BUSY);
    assert_null(more);
    door_link_close(&links[7]);
    assert_int_equal(next(door, &event), NET_GONE);
    assert_int_equal(door_link_open(door, count_wake, &wakes, &links[7]), OK);
    for (size_t i = 0; i < COUNT(links); i++) {
        door_link_close(&links[i]);
    }
    door_close(&door);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_request_has_its_answer),
        cmocka_unit_test(refusals_keep_their_words),
        cmocka_unit_test(the_end_lets_everybody_go),
        cmocka_unit_test(a_link_is_a_peer_that_stays),
        cmocka_unit_test(a_link_that_is_not_read_breaks),
        cmocka_unit_test(large_frames_fill_a_link),
        cmocka_unit_test(links_share_a_limit),
        cmocka_unit_test(links_are_so_many),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
