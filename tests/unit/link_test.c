/*  link_test.c - a link against a ROUTER in the same process.  Nothing here sleeps: it waits on
    link_fd(). */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>
#include <poll.h>
#include <arpa/inet.h>
#include <sys/socket.h>
#include <unistd.h>
#include <zmq.h>
#include "common/clock.h"
#include "common/link.h"

enum { PATIENCE_MS = 20000 }; /* far more than it takes */

static char folder[] = "/tmp/rayc-link-XXXXXX";
static char address[64];
static void *context;
static void *router;
static void *zap; /* asked by the router who may come in; NULL: nobody is asked */
static const char *zap_says = "200";
static struct link *head_link;
static char peer[256]; /* routing id of the link, once it has sent something */
static size_t peer_bytes;

static void open_router(const struct cluster_key *key)
{
    const int zero = 0, one = 1, patience = PATIENCE_MS;
    router = zmq_socket(context, ZMQ_ROUTER);
    assert_non_null(router);
    zmq_setsockopt(router, ZMQ_LINGER, &zero, sizeof(zero));
    zmq_setsockopt(router, ZMQ_RCVTIMEO, &patience, sizeof(patience));
    if (key != NULL) {
        zmq_setsockopt(router, ZMQ_CURVE_SERVER, &one, sizeof(one));
        assert_int_equal(zmq_setsockopt(router, ZMQ_CURVE_SECRETKEY, key->secret_text, 40), 0);
    }
    uint64_t end = clock_ms() + PATIENCE_MS;
    while (zmq_bind(router, address) != 0) { /* the socket before it closes in another thread */
        assert_true(clock_ms() < end);
    }
}

static void close_router(void)
{
    zmq_close(router);
    router = NULL;
}

static int setup(void **state)
{
    (void)state;
    context = zmq_ctx_new();
    return context != NULL ? 0 : -1;
}

static int teardown(void **state)
{
    (void)state;
    link_close(&head_link);
    assert_null(head_link);
    link_close(&head_link);
    close_router();
    if (zap != NULL) {
        zmq_close(zap);
        zap = NULL;
    }
    zmq_ctx_term(context);
    return 0;
}

/*  RFC 27: eight parts in, six out. */
static void answer_zap(void)
{
    char id[16];
    char skipped[256];
    int more = 1;
    size_t size = sizeof(more);
    for (int part = 0; more; part++) {
        zmq_recv(zap, part == 1 ? id : skipped, part == 1 ? sizeof(id) : sizeof(skipped), 0);
        zmq_getsockopt(zap, ZMQ_RCVMORE, &more, &size);
    }
    const char *const parts[] = { "1.0", id, zap_says, "", "", "" };
    for (size_t i = 0; i < COUNT(parts); i++) {
        zmq_send(zap, parts[i], i == 1 ? 1 : strlen(parts[i]),
                 i + 1 < COUNT(parts) ? ZMQ_SNDMORE : 0);
    }
}

static void expect_news(enum link_news expected, struct link_frame *frame)
{
    uint64_t end = clock_ms() + PATIENCE_MS;
    enum link_news news;
    while ((news = link_next(head_link, frame)) == LINK_NOTHING) {
        assert_true(clock_ms() < end);
        zmq_pollitem_t items[] = { { .fd = link_fd(head_link), .events = ZMQ_POLLIN },
                                   { .socket = zap, .events = ZMQ_POLLIN } };
        zmq_poll(items, zap != NULL ? 2 : 1, PATIENCE_MS);
        if (zap != NULL && (items[1].revents & ZMQ_POLLIN) != 0) {
            answer_zap();
        }
    }
    assert_int_equal(news, expected);
}

static void expect_up(void)
{
    expect_news(LINK_UP, &(struct link_frame){ 0 });
}

static void expect_at_router(const void *p, size_t n)
{
    zmq_msg_t msg;
    int size = zmq_recv(router, peer, sizeof(peer), 0);
    assert_true(size > 0);
    peer_bytes = (size_t)size;
    zmq_msg_init(&msg);
    assert_int_equal(zmq_msg_recv(&msg, router, 0), n);
    assert_memory_equal(zmq_msg_data(&msg), p, n);
    assert_false(zmq_msg_more(&msg));
    zmq_msg_close(&msg);
}

static void say(const char *text)
{
    assert_int_equal(link_send(head_link, text, strlen(text)), OK);
}

static void expect_frame(const void *p, size_t n)
{
    struct link_frame frame;
    assert_int_equal(zmq_send(router, peer, peer_bytes, ZMQ_SNDMORE), peer_bytes);
    assert_int_equal(zmq_send(router, p, n, 0), n);
    expect_news(LINK_FRAME, &frame);
    assert_int_equal(frame.bytes.n, n);
    assert_memory_equal(frame.bytes.p, p, n);
    link_frame_free(&frame);
    assert_null(frame.owner);
}

/*  A descriptor that stayed readable would make its owner spin. */
static void expect_quiet(void)
{
    uint64_t end = clock_ms() + PATIENCE_MS;
    struct pollfd item = { .fd = link_fd(head_link), .events = POLLIN };
    struct link_frame frame;
    while (poll(&item, 1, 0) > 0) {
        assert_int_equal(link_next(head_link, &frame), LINK_NOTHING);
        assert_true(clock_ms() < end);
    }
}

static void frames_go_both_ways(void **state)
{
    (void)state;
    static char large[1 << 20];
    memset(large, 'x', sizeof(large));
    open_router(NULL);
    assert_int_equal(link_open(&head_link, address, NULL), OK);
    expect_up();
    say("hello");
    expect_at_router("hello", 5);
    expect_frame("welcome", 7);
    expect_frame("", 0);
    assert_int_equal(link_send(head_link, large, sizeof(large)), OK);
    expect_at_router(large, sizeof(large));
    expect_frame(large, sizeof(large));
    for (int i = 0; i < 1000; i++) {
        say("one of many");
    }
    for (int i = 0; i < 1000; i++) {
        expect_at_router("one of many", 11);
    }
    assert_int_equal(link_send(head_link, large, (16 << 20) + 1), ERR_TOO_LARGE);
    expect_quiet();
}

/*  What was said to the old head, or to none, does not reach the new one. */
static void a_new_head_hears_only_what_is_new(void **state)
{
    (void)state;
    assert_int_equal(link_open(&head_link, address, NULL), OK);
    say("too early");
    open_router(NULL);
    expect_up();
    say("hello");
    expect_at_router("hello", 5);
    for (int i = 0; i < 3; i++) {
        close_router();
        expect_news(LINK_DOWN, &(struct link_frame){ 0 });
        expect_quiet();
        say("too late");
        open_router(NULL);
        expect_up();
        say("hello again");
        expect_at_router("hello again", 11);
        expect_frame("welcome", 7);
    }
}

/*  The pairs of two heads, and what members of the first one have. */
static void make_keys(struct cluster_key *head, struct cluster_key *other,
                      struct member_key *member)
{
    assert_int_equal(zmq_curve_keypair(head->public_text, head->secret_text), 0);
    assert_int_equal(zmq_curve_keypair(other->public_text, other->secret_text), 0);
    assert_int_equal(zmq_curve_keypair(member->own.public_text, member->own.secret_text), 0);
    memcpy(member->server_text, head->public_text, sizeof(member->server_text));
}

static void members_have_the_key(void **state)
{
    (void)state;
    struct cluster_key key, other;
    struct member_key member;
    make_keys(&key, &other, &member);
    open_router(&key);
    assert_int_equal(link_open(&head_link, address, &member), OK);
    expect_up();
    say("hello");
    expect_at_router("hello", 5);
    expect_frame("welcome", 7);
}

static void another_head_is_refused(void **state)
{
    (void)state;
    struct cluster_key key, other;
    struct member_key member;
    make_keys(&key, &other, &member);
    open_router(&other);
    assert_int_equal(link_open(&head_link, address, &member), OK);
    expect_news(LINK_REFUSED, &(struct link_frame){ 0 });
}

/*  Whoever has worker.key could listen at the head's address. */
static void a_member_cannot_pass_for_the_head(void **state)
{
    (void)state;
    struct cluster_key key, other;
    struct member_key member;
    make_keys(&key, &other, &member);
    open_router(&member.own);
    assert_int_equal(link_open(&head_link, address, &member), OK);
    expect_news(LINK_REFUSED, &(struct link_frame){ 0 });
}

static void no_key_is_refused(void **state)
{
    (void)state;
    struct cluster_key key, other;
    struct member_key member;
    make_keys(&key, &other, &member);
    open_router(&key);
    assert_int_equal(link_open(&head_link, address, NULL), OK);
    expect_news(LINK_REFUSED, &(struct link_frame){ 0 });
    expect_quiet();
}

static void a_head_without_keys_is_refused(void **state)
{
    (void)state;
    struct cluster_key key, other;
    struct member_key member;
    make_keys(&key, &other, &member);
    open_router(NULL);
    assert_int_equal(link_open(&head_link, address, &member), OK);
    expect_news(LINK_REFUSED, &(struct link_frame){ 0 });
    expect_quiet();
}

static void open_zap(const char *says)
{
    zap = zmq_socket(context, ZMQ_REP);
    assert_int_equal(zmq_bind(zap, "inproc://zeromq.zap.01"), 0);
    zap_says = says;
}

static void the_head_may_let_in(void **state)
{
    (void)state;
    struct cluster_key key, other;
    struct member_key member;
    make_keys(&key, &other, &member);
    open_zap("200");
    open_router(&key);
    assert_int_equal(link_open(&head_link, address, &member), OK);
    expect_up();
}

static void the_head_may_keep_out(void **state)
{
    (void)state;
    struct cluster_key key, other;
    struct member_key member;
    make_keys(&key, &other, &member);
    open_zap("400");
    open_router(&key);
    assert_int_equal(link_open(&head_link, address, &member), OK);
    expect_news(LINK_REFUSED, &(struct link_frame){ 0 });
}

/*  The local port of a connection to 127.0.0.1:`port` that has not been answered; 0: none. */
static unsigned dialling_from(unsigned port)
{
    enum { LOOPBACK = 0x0100007F, SYN_SENT = 2 };
    char line[256];
    unsigned mine, to, to_port, in, from = 0;
    FILE *table = fopen("/proc/net/tcp", "r");
    assert_non_null(table);
    while (from == 0 && fgets(line, sizeof(line), table) != NULL) {
        if (sscanf(line, "%*u: %*x:%x %x:%x %x", &mine, &to, &to_port, &in) == 4 &&
            to == LOOPBACK && to_port == port && in == SYN_SENT) {
            from = mine;
        }
    }
    fclose(table);
    return from;
}

/*  As to a forward whose pod has gone: the system would ask the same way for two minutes. */
static void who_is_not_answered_dials_anew(void **state)
{
    (void)state;
    struct sockaddr_in at = { .sin_family = AF_INET, .sin_addr = { htonl(INADDR_LOOPBACK) } };
    socklen_t size = sizeof(at);
    int listening = socket(AF_INET, SOCK_STREAM, 0), only = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(bind(listening, (struct sockaddr *)&at, size), 0);
    assert_int_equal(listen(listening, 0), 0); /* one is taken, the next is not answered */
    assert_int_equal(getsockname(listening, (struct sockaddr *)&at, &size), 0);
    assert_int_equal(connect(only, (struct sockaddr *)&at, size), 0);
    char there[64];
    snprintf(there, sizeof(there), "tcp://127.0.0.1:%u", ntohs(at.sin_port));
    assert_int_equal(link_open(&head_link, there, NULL), OK);
    unsigned first = 0, from = 0;
    uint64_t end = clock_ms() + PATIENCE_MS;
    while (from == first || from == 0) {
        assert_true(clock_ms() < end);
        struct pollfd wait = { .fd = link_fd(head_link), .events = POLLIN };
        poll(&wait, 1, 100);
        from = dialling_from(ntohs(at.sin_port));
        first = first == 0 ? from : first;
    }
    close(only);
    close(listening);
}

static void addresses_are_checked(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        const char *full; /* NULL: not valid */
    } cases[] = {
        { "tcp://head:6379", "tcp://head:6379" },
        { "head.rayc.svc:6379", "tcp://head.rayc.svc:6379" },
        { "127.0.0.1:1", "tcp://127.0.0.1:1" },
        { "[::1]:65535", "tcp://[::1]:65535" },
        { "ipc:///run/rayc/head", "ipc:///run/rayc/head" },
        { "http://127.0.0.1:8265", "http://127.0.0.1:8265" },
        { "http://head.rayc.svc:8265/", "http://head.rayc.svc:8265" },
        { "http://head", "http://head:80" },
        { "http://[::1]", "http://[::1]:80" },
        { "http://[::1]:8265", "http://[::1]:8265" },
        { "http://", NULL },
        { "http:///", NULL },
        { "http://:8265", NULL },
        { "http://head:", NULL },
        { "http://head:0", NULL },
        { "http://head:8265/path", NULL },
        { "http://user@head:8265", NULL },
        { "http://head\r\nX: y:8265", NULL },
        { "https://head:8265", NULL },
        { "", NULL },
        { "head", NULL },
        { ":6379", NULL },
        { "head:", NULL },
        { "head:0", NULL },
        { "head:65536", NULL },
        { "head:12x", NULL },
        { "head:9999999999999", NULL },
        { "ipc://", NULL },
        { "udp://head:1", NULL },
        { "tcp://", NULL },
        { "tcp://a b:1", NULL },
        { "tcp://*:1", NULL },
        { "[]:1", NULL },
    };
    char full[256];
    for (size_t i = 0; i < COUNT(cases); i++) {
        int rc = link_address(cases[i].text, full, sizeof(full));
        assert_int_equal(rc, cases[i].full != NULL ? OK : ERR_INVALID);
        if (rc == OK) {
            assert_string_equal(full, cases[i].full);
        }
    }
    memset(full, 'x', 200);
    memcpy(full, "ipc://", 6);
    full[6 + 107] = 0;
    char out[256];
    assert_int_equal(link_address(full, out, sizeof(out)), OK);
    assert_int_equal(link_address(full, out, 20), ERR_INVALID);
    full[6 + 107] = 'x';
    full[6 + 108] = 0;
    assert_int_equal(link_address(full, out, sizeof(out)), ERR_INVALID);
    assert_non_null(strstr(link_address_wrong("https://head:8265"), "port-forward"));
    assert_non_null(strstr(link_address_wrong("head"), "HOST:PORT"));
    struct link *none = NULL;
    assert_int_equal(link_open(&none, "nowhere", NULL), ERR_INVALID);
    assert_null(none);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(frames_go_both_ways),
        TEST(a_new_head_hears_only_what_is_new),
        TEST(members_have_the_key),
        TEST(another_head_is_refused),
        TEST(a_member_cannot_pass_for_the_head),
        TEST(no_key_is_refused),
        TEST(a_head_without_keys_is_refused),
        TEST(the_head_may_let_in),
        TEST(the_head_may_keep_out),
        TEST(who_is_not_answered_dials_anew),
        cmocka_unit_test(addresses_are_checked),
    };
    if (mkdtemp(folder) == NULL) {
        return 1;
    }
    snprintf(address, sizeof(address), "ipc://%s/head", folder);
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    unlink(address + sizeof("ipc://") - 1);
    rmdir(folder);
    return failed;
}
