/*  net_test.c - the head's socket against peers that break the rules: they are cut or ignored, the others go on. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>
#include <poll.h>
#include <zmq.h>

#include "head/net.h"
#include "proto/proto.h"

static char folder[] = "/tmp/rayc-net-XXXXXX";
static char address[64];
static void *context;

static int setup(void **state)
{
    struct net *net = NULL;
    assert_non_null(mkdtemp(folder));
    snprintf(address, sizeof(address), "ipc://%s/s", folder);
    context = zmq_ctx_new();
    int code = net_open(&net, address, NULL, NULL);
    *state = net;
    return code;
}

static int teardown(void **state)
{
    struct net *net = *state;
    net_close(&net);
    zmq_ctx_term(context);
    unlink(address + 6);
    return rmdir(folder);
}

static void *peer_open(void)
{
    void *socket = zmq_socket(context, ZMQ_DEALER);
    int linger = 0;
    assert_int_equal(zmq_setsockopt(socket, ZMQ_LINGER, &linger, sizeof(linger)), 0);
    assert_int_equal(zmq_connect(socket, address), 0);
    return socket;
}

/*  The next frame that the head hears, and from whom. */
static struct net_event hear(struct net *net)
{
    struct net_event event;
    int fds[2];
    net_fds(net, fds);
    for (int tries = 0; tries < 1000; tries++) {
        enum net_news news;
        while ((news = net_next(net, &event)) != NET_NOTHING) {
            if (news == NET_FRAME) {
                return event;
            }
        }
        poll((struct pollfd[]){ { fds[0], POLLIN, 0 }, { fds[1], POLLIN, 0 } }, 2, 20);
    }
    fail_msg("the head heard nothing");
    return event;
}

static void the_next_is(struct net *net, const char *text)
{
    struct net_event event = hear(net);
    assert_true(slice_same(event.bytes, slice_text(text)));
    net_release(net);
}

static void a_frame_over_the_limit_is_not_heard(void **state)
{
    void *good = peer_open(), *bad = peer_open();
    size_t n = FRAME_MAX + 1;
    char *large = calloc(1, n);
    assert_int_equal(zmq_send(bad, large, n, 0), (int)n);
    assert_int_equal(zmq_send(good, "hello", 5, 0), 5);
    the_next_is(*state, "hello");
    assert_int_equal(zmq_send(good, "again", 5, 0), 5);
    the_next_is(*state, "again");
    free(large);
    zmq_close(bad);
    zmq_close(good);
}

static void a_message_of_parts_is_dropped(void **state)
{
    void *good = peer_open(), *bad = peer_open();
    for (int i = 0; i < 1000; i++) {
        assert_int_equal(zmq_send(bad, "part", 4, i < 999 ? ZMQ_SNDMORE : 0), 4);
    }
    assert_int_equal(zmq_send(bad, "whole", 5, 0), 5);
    the_next_is(*state, "whole");
    assert_int_equal(zmq_send(good, "hello", 5, 0), 5);
    the_next_is(*state, "hello");
    zmq_close(bad);
    zmq_close(good);
}

static void a_connection_that_breaks_is_told(void **state)
{
    struct net *net = *state;
    uint8_t bytes[64];
    struct wire frame = { bytes, 0, sizeof(bytes), false };
    proto_put(&frame, MSG_HELLO, &(struct msg_hello){ .major = PROTO_MAJOR });
    void *peer = peer_open();
    assert_int_equal(zmq_send(peer, frame.p, frame.n, 0), (int)frame.n);
    uint32_t number = hear(net).peer;
    net_release(net);
    zmq_close(peer);
    struct net_event event = { 0 };
    int fds[2];
    net_fds(net, fds);
    for (int tries = 0; tries < 1000 && net_next(net, &event) != NET_GONE; tries++) {
        poll((struct pollfd[]){ { fds[0], POLLIN, 0 }, { fds[1], POLLIN, 0 } }, 2, 20);
    }
    assert_int_equal(event.peer, number);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_frame_over_the_limit_is_not_heard),
        cmocka_unit_test(a_message_of_parts_is_dropped),
        cmocka_unit_test(a_connection_that_breaks_is_told),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
