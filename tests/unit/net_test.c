/*  net_test.c - the head's socket against peers that break the rules: they are cut or ignored, the others go on. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>
#include <poll.h>
#include <zmq.h>

#include "common/link.h"
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
    int code = net_open(&net, address, NULL);
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

/*  A head with keys, and one who dials it with `own`. */
static uint64_t refusals_of(const struct cluster_key *server, const char *member,
                            const struct cluster_key *own)
{
    char members[96], at[96], cert[128];
    struct net *net = NULL;
    struct link *link = NULL;
    struct link_frame frame;
    struct net_event event;
    snprintf(members, sizeof(members), "%s/members", folder);
    static int heads; /* the one before may still be taking its socket away */
    snprintf(at, sizeof(at), "ipc://%s/keyed%d", folder, heads++);
    const struct net_keys keys = { server, member, members };
    assert_int_equal(net_open(&net, at, &keys), OK);
    struct member_key key = { .own = *own };
    memcpy(key.server_text, server->public_text, sizeof(key.server_text));
    assert_int_equal(link_open(&link, at, &key), OK);
    int fds[2];
    net_fds(net, fds);
    enum link_news news = LINK_NOTHING;
    for (int tries = 0; tries < 1000 && news == LINK_NOTHING; tries++) {
        poll((struct pollfd[]){ { fds[0], POLLIN, 0 },
                                { fds[1], POLLIN, 0 },
                                { link_fd(link), POLLIN, 0 } },
             3, 20);
        news = link_next(link, &frame);
        (void)net_next(net, &event);
    }
    assert_int_equal(news, strcmp(own->public_text, member) == 0 ? LINK_UP : LINK_REFUSED);
    for (int tries = 0; tries < 1000 && news == LINK_REFUSED && net_refusals(net) == 0; tries++) {
        poll((struct pollfd[]){ { fds[1], POLLIN, 0 } }, 1, 20);
        (void)net_next(net, &event);
    }
    uint64_t refusals = net_refusals(net);
    link_close(&link);
    net_close(&net);
    snprintf(cert, sizeof(cert), "%s/cluster.cert", members);
    unlink(cert);
    rmdir(members);
    unlink(at + 6);
    return refusals;
}

static void only_members_are_let_in_and_others_are_counted(void **state)
{
    (void)state;
    struct cluster_key server, member, other;
    assert_int_equal(zmq_curve_keypair(server.public_text, server.secret_text), 0);
    assert_int_equal(zmq_curve_keypair(member.public_text, member.secret_text), 0);
    assert_int_equal(zmq_curve_keypair(other.public_text, other.secret_text), 0);
    assert_int_equal(refusals_of(&server, member.public_text, &member), 0);
    assert_true(refusals_of(&server, member.public_text, &other) > 0);
    assert_true(refusals_of(&server, member.public_text, &server) > 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_frame_over_the_limit_is_not_heard),
        cmocka_unit_test(a_message_of_parts_is_dropped),
        cmocka_unit_test(a_connection_that_breaks_is_told),
        cmocka_unit_test(only_members_are_let_in_and_others_are_counted),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
