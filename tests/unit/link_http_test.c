/*  link_http_test.c - a link over HTTP against a server in the same process and thread, that does as it is told.  Nothing
    here sleeps: it waits on descriptors. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>
#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>
#include "common/clock.h"
#include "common/link.h"
#include "common/websocket.h"

enum { PATIENCE_MS = 20000, REQUEST_MAX = 4096, MESSAGE_MAX = 16 << 20 };

#define BYTES(literal) slice_of((literal), sizeof(literal) - 1)
#define SWITCHED                                                                                   \
    "HTTP/1.1 101 Switching Protocols\r\nupgrade: WebSocket\r\nConnection: upgrade\r\n"            \
    "SEC-WEBSOCKET-ACCEPT:  %s \r\n\r\n"

static struct {
    int listener, fd;
    uint16_t port;
    const char *answer;  /* to a request; %s is the key that shows that it was understood */
    const char *instead; /* not NULL: said without waiting for a request, then hangs up */
    bool dumb;           /* hangs up when a request has come */
    bool by_byte;
    char request[REQUEST_MAX + 1];
    size_t request_n;
    bool answered;
    uint32_t connections;
    struct websocket_reader reader;
    uint8_t *out; /* what it has still to say */
    size_t out_n;
    enum websocket_op op; /* of the last message that came */
    uint8_t *message;
    size_t message_n;
    uint32_t messages;
    uint8_t marks[8]; /* the last bytes of the last eight */
} server;

static struct link *head_link;
static char address[64];

/* --- the server --------------------------------------------------------------------------------- */

static void server_listen(void)
{
    struct sockaddr_in at = { .sin_family = AF_INET, .sin_port = htons(server.port) };
    socklen_t size = sizeof(at);
    const int one = 1;
    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    server.listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    assert_true(server.listener >= 0);
    setsockopt(server.listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
    assert_int_equal(bind(server.listener, (struct sockaddr *)&at, size), 0);
    assert_int_equal(listen(server.listener, 8), 0);
    assert_int_equal(getsockname(server.listener, (struct sockaddr *)&at, &size), 0);
    server.port = ntohs(at.sin_port);
}

static void server_hang_up(void)
{
    if (server.fd >= 0) {
        close(server.fd);
    }
    websocket_reader_fini(&server.reader);
    free(server.out);
    server.out = NULL;
    server.out_n = server.request_n = 0;
    server.answered = false;
    server.fd = -1;
}

static void server_close(void)
{
    server_hang_up();
    if (server.listener >= 0) {
        close(server.listener);
    }
    server.listener = -1;
}

static void server_say(struct slice bytes)
{
    server.out = realloc(server.out, server.out_n + bytes.n + 1);
    assert_non_null(server.out);
    memcpy(server.out + server.out_n, bytes.p, bytes.n);
    server.out_n += bytes.n;
}

static void server_frame(enum websocket_op op, struct slice body)
{
    uint8_t head[WEBSOCKET_HEAD_MAX];
    server_say(slice_of(head, websocket_head(head, op, false, body.n, NULL)));
    server_say(body);
}

static void server_flush(void)
{
    while (server.out_n > 0) {
        ssize_t n = send(server.fd, server.out, server.by_byte ? 1 : server.out_n, MSG_NOSIGNAL);
        if (n <= 0) {
            return;
        }
        server.out_n -= (size_t)n;
        memmove(server.out, server.out + n, server.out_n);
        if (server.by_byte) {
            return;
        }
    }
}

static void server_answer(void)
{
    char key[WEBSOCKET_KEY_TEXT] = "", accept[WEBSOCKET_ACCEPT_TEXT], text[REQUEST_MAX];
    const char *at = strstr(server.request, "Sec-WebSocket-Key: ");
    assert_non_null(at);
    memcpy(key, at + sizeof("Sec-WebSocket-Key: ") - 1, WEBSOCKET_KEY_TEXT - 1);
    assert_true(websocket_key_valid(key));
    websocket_accept(key, accept);
    int n = snprintf(text, sizeof(text), server.answer, accept);
    server_say(slice_of(text, (size_t)n));
    server.answered = true;
    websocket_reader_init(&server.reader, WEBSOCKET_SERVER, MESSAGE_MAX);
}

static void server_take(struct slice in)
{
    while (in.n > 0 && !server.answered) {
        server.request[server.request_n++] = (char)in.p[0];
        server.request[server.request_n] = 0;
        assert_true(server.request_n < REQUEST_MAX);
        in = slice_of(in.p + 1, in.n - 1);
        if (strstr(server.request, "\r\n\r\n") != NULL) {
            if (server.dumb) {
                server_hang_up();
                return;
            }
            server_answer();
        }
    }
    while (in.n > 0) {
        struct websocket_message message;
        assert_int_equal(websocket_read(&server.reader, &in, &message), OK);
        if (message.op != WEBSOCKET_MORE) {
            server.op = message.op;
            server.message = realloc(server.message, message.bytes.n + 1);
            assert_non_null(server.message);
            memcpy(server.message, message.bytes.p, message.bytes.n);
            server.message_n = message.bytes.n;
            server.marks[server.messages++ % COUNT(server.marks)] =
                message.bytes.n > 0 ? message.bytes.p[message.bytes.n - 1] : 0;
        }
    }
}

static void server_accept(void)
{
    int fd = accept4(server.listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (fd < 0) {
        return;
    }
    server_hang_up();
    server.fd = fd;
    server.connections++;
    if (server.instead != NULL) {
        send(fd, server.instead, strlen(server.instead), MSG_NOSIGNAL);
        server.instead = NULL;
        shutdown(fd, SHUT_WR);
    }
}

/*  What can be done without waiting. */
static void server_turn(void)
{
    static uint8_t in[256 << 10];
    server_accept();
    if (server.fd < 0) {
        return;
    }
    server_flush();
    ssize_t n = recv(server.fd, in, sizeof(in), 0);
    if (n > 0) {
        server_take(slice_of(in, (size_t)n));
    } else if (n == 0) {
        server_hang_up();
    }
}

/* --- waiting ------------------------------------------------------------------------------------ */

static void wait_for_any(void)
{
    struct pollfd items[] = { { link_fd(head_link), POLLIN, 0 },
                              { server.listener, POLLIN, 0 },
                              { server.fd, (short)(POLLIN | (server.out_n > 0 ? POLLOUT : 0)),
                                0 } };
    assert_true(poll(items, COUNT(items), PATIENCE_MS) > 0);
}

static void expect_news(enum link_news expected, struct link_frame *frame)
{
    uint64_t end = clock_ms() + PATIENCE_MS;
    enum link_news news;
    while ((news = link_next(head_link, frame)) == LINK_NOTHING) {
        assert_true(clock_ms() < end);
        wait_for_any();
        server_turn();
    }
    assert_int_equal(news, expected);
}

static void expect_up(void)
{
    expect_news(LINK_UP, &(struct link_frame){ 0 });
}

static void expect_down(void)
{
    expect_news(LINK_DOWN, &(struct link_frame){ 0 });
}

static void expect_frame(struct slice bytes)
{
    struct link_frame frame;
    expect_news(LINK_FRAME, &frame);
    assert_true(slice_same(frame.bytes, bytes));
    link_frame_free(&frame);
    assert_null(frame.owner);
}

static void say(struct slice bytes)
{
    assert_int_equal(link_send(head_link, bytes.p, bytes.n), OK);
}

static void expect_at_server(enum websocket_op op, struct slice bytes)
{
    uint64_t end = clock_ms() + PATIENCE_MS;
    struct link_frame frame;
    uint32_t before = server.messages;
    for (server_turn(); server.messages == before; server_turn()) {
        assert_true(clock_ms() < end);
        assert_int_equal(link_next(head_link, &frame), LINK_NOTHING);
        wait_for_any();
    }
    assert_int_equal(server.messages, before + 1);
    assert_int_equal(server.op, op);
    assert_true(slice_same(slice_of(server.message, server.message_n), bytes));
}

/*  A descriptor that stayed readable would make its owner spin. */
static void expect_quiet(void)
{
    uint64_t end = clock_ms() + PATIENCE_MS;
    struct pollfd item = { .fd = link_fd(head_link), .events = POLLIN };
    struct link_frame frame;
    while (poll(&item, 1, 0) > 0) {
        assert_int_equal(link_next(head_link, &frame), LINK_NOTHING);
        server_turn();
        assert_true(clock_ms() < end);
    }
}

static int setup(void **state)
{
    (void)state;
    memset(&server, 0, sizeof(server));
    server.fd = server.listener = -1;
    server.answer = SWITCHED;
    server_listen();
    snprintf(address, sizeof(address), "http://127.0.0.1:%u", server.port);
    assert_int_equal(link_open(&head_link, address, NULL), OK);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    link_close(&head_link);
    assert_null(head_link);
    link_close(&head_link);
    server_close();
    free(server.message);
    return 0;
}

/* --- frames ------------------------------------------------------------------------------------- */

static void frames_go_both_ways(void **state)
{
    (void)state;
    static uint8_t large[1 << 20];
    for (size_t i = 0; i < sizeof(large); i++) {
        large[i] = (uint8_t)(i * 31 >> 3);
    }
    expect_up();
    say(BYTES("hello"));
    expect_at_server(WEBSOCKET_BINARY, BYTES("hello"));
    server_frame(WEBSOCKET_BINARY, BYTES("welcome"));
    server_frame(WEBSOCKET_BINARY, BYTES(""));
    server_frame(WEBSOCKET_BINARY, slice_of(large, sizeof(large)));
    expect_frame(BYTES("welcome"));
    expect_frame(BYTES(""));
    expect_frame(slice_of(large, sizeof(large)));
    say(slice_of(large, sizeof(large)));
    expect_at_server(WEBSOCKET_BINARY, slice_of(large, sizeof(large)));
    static char too_large[(16 << 20) + 1];
    assert_int_equal(link_send(head_link, too_large, sizeof(too_large)), ERR_TOO_LARGE);
    expect_quiet();
}

static void many_frames_keep_their_order(void **state)
{
    (void)state;
    enum { MANY = 2000 };
    expect_up();
    for (uint32_t i = 0; i < MANY; i++) {
        server_frame(WEBSOCKET_BINARY, slice_of(&i, sizeof(i)));
    }
    for (uint32_t i = 0; i < MANY; i++) {
        expect_frame(slice_of(&i, sizeof(i)));
    }
    server_frame(WEBSOCKET_BINARY, BYTES("last words"));
    while (server.out_n > 0) {
        server_flush();
    }
    server_hang_up();
    expect_frame(BYTES("last words"));
    expect_down();
}

/*  A link says only what fits; the rest waits until the head reads. */
static void a_slow_head_gets_all(void **state)
{
    (void)state;
    static uint8_t large[4 << 20];
    expect_up();
    for (uint8_t i = 0; i < 8; i++) {
        memset(large, i, sizeof(large));
        say(slice_of(large, sizeof(large)));
    }
    while (server.messages < 8) {
        struct link_frame frame;
        assert_int_equal(link_next(head_link, &frame), LINK_NOTHING);
        server_turn();
    }
    for (uint8_t i = 0; i < 8; i++) {
        assert_int_equal(server.marks[i], i);
    }
    expect_quiet();
}

static void pings_are_answered(void **state)
{
    (void)state;
    expect_up();
    server_frame(WEBSOCKET_PING, BYTES("are you there"));
    expect_at_server(WEBSOCKET_PONG, BYTES("are you there"));
    server_frame(WEBSOCKET_PONG, BYTES(""));
    server_frame(WEBSOCKET_BINARY, BYTES("x"));
    expect_frame(BYTES("x"));
}

/*  The answer in pieces, and frames right behind it. */
static void an_answer_may_come_in_pieces(void **state)
{
    (void)state;
    server.by_byte = true;
    server.answer = SWITCHED "\x82\x05right\x82\x06" /* this frame goes on below */;
    expect_up();
    server_say(BYTES("behind"));
    expect_frame(BYTES("right"));
    expect_frame(BYTES("behind"));
}

/* --- the request -------------------------------------------------------------------------------- */

static void the_request_has_the_token(void **state)
{
    (void)state;
    char host[64];
    snprintf(host, sizeof(host), "\r\nHost: 127.0.0.1:%u\r\n", server.port);
    link_set_token(head_link, "rayc_abc");
    expect_up();
    assert_memory_equal(server.request, "GET /api/v1/link HTTP/1.1\r\n", 27);
    assert_non_null(strstr(server.request, host));
    assert_non_null(strstr(server.request, "\r\nAuthorization: Bearer rayc_abc\r\n"));
    assert_non_null(strstr(server.request, "\r\nUpgrade: websocket\r\n"));
    assert_non_null(strstr(server.request, "\r\nSec-WebSocket-Version: 13\r\n"));
}

static void without_a_token_none_is_sent(void **state)
{
    (void)state;
    link_set_token(head_link, "");
    expect_up();
    assert_null(strstr(server.request, "Authorization"));
}

static void a_token_cannot_smuggle_headers(void **state)
{
    (void)state;
    static char longer[5000];
    memset(longer, 'x', sizeof(longer) - 1);
    const char *const wrong[] = { "a\r\nHost: other", "a b", "a\x7f", "\xc3\xa4", longer };
    for (size_t i = 0; i < COUNT(wrong); i++) {
        link_close(&head_link);
        assert_int_equal(link_open(&head_link, address, NULL), OK);
        link_set_token(head_link, wrong[i]);
        expect_news(LINK_REFUSED, &(struct link_frame){ 0 });
        assert_int_equal(link_refusal(head_link).code, ERR_TOKEN);
        assert_int_equal(server.request_n, 0);
    }
}

/* --- refusals ----------------------------------------------------------------------------------- */

static void refusals_are_told_apart(void **state)
{
    (void)state;
    static const struct {
        const char *answer;
        const char *text; /* of what is said about it */
        int code;
    } cases[] = {
        { "HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\n\r\n", "revoked", ERR_TOKEN },
        { "HTTP/1.1 403 Forbidden\r\n\r\n", "let the owner", ERR_FORBIDDEN },
        { "HTTP/1.1 404 Not Found\r\n\r\n", "Ray's dashboard", ERR_VERSION },
        { "HTTP/1.1 421 Misdirected Request\r\n\r\n", "localhost", ERR_FORBIDDEN },
        { "HTTP/1.1 200 OK\r\n\r\n", "status 200", ERR_UNREACHABLE },
        { "HTTP/1.1 302 Found\r\nLocation: /\r\n\r\n", "status 302", ERR_UNREACHABLE },
        { "HTTP/1.1 426 Upgrade Required\r\n\r\n", "status 426", ERR_UNREACHABLE },
        { "HTTP/1.1 101 Switching\r\nUpgrade: websocket\r\n\r\n", "another", ERR_UNREACHABLE },
        { "HTTP/1.1 101 Switching\r\nUpgrade: h2c\r\nSec-WebSocket-Accept: %s\r\n\r\n", "another",
          ERR_UNREACHABLE },
        { "HTTP/1.1 hello\r\n\r\n", "HTTP", ERR_UNREACHABLE },
        { "SSH-2.0-OpenSSH_9\r\n\r\n", "HTTP", ERR_UNREACHABLE },
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        link_close(&head_link);
        assert_int_equal(link_open(&head_link, address, NULL), OK);
        link_set_token(head_link, "rayc_abc");
        server.answer = cases[i].answer;
        expect_news(LINK_REFUSED, &(struct link_frame){ 0 });
        struct link_refusal why = link_refusal(head_link);
        assert_int_equal(why.code, cases[i].code);
        assert_non_null(strstr(why.text, cases[i].text));
        expect_quiet();
        say(BYTES("nobody hears this"));
        server_hang_up();
    }
}

static void a_missing_token_is_named(void **state)
{
    (void)state;
    server.answer = "HTTP/1.1 401 Unauthorized\r\n\r\n";
    expect_news(LINK_REFUSED, &(struct link_frame){ 0 });
    assert_int_equal(link_refusal(head_link).code, ERR_TOKEN);
    assert_non_null(strstr(link_refusal(head_link).text, "RAYC_TOKEN"));
}

static void the_port_of_zeromq_is_named(void **state)
{
    (void)state;
    server.instead = "\xff";
    expect_news(LINK_REFUSED, &(struct link_frame){ 0 });
    assert_int_equal(link_refusal(head_link).code, ERR_UNREACHABLE);
    assert_non_null(strstr(link_refusal(head_link).text, "ZeroMQ"));
    assert_non_null(strstr(link_refusal(head_link).text, "tcp://"));
}

/* --- connections that break --------------------------------------------------------------------- */

/*  What was said to the old head, or to none, does not reach the new one. */
static void a_new_head_hears_only_what_is_new(void **state)
{
    (void)state;
    server_close();
    say(BYTES("too early"));
    expect_quiet();
    server_listen();
    expect_up();
    say(BYTES("hello"));
    expect_at_server(WEBSOCKET_BINARY, BYTES("hello"));
    for (int i = 0; i < 3; i++) {
        server_close();
        expect_down();
        say(BYTES("too late"));
        server_listen();
        expect_up();
        say(BYTES("hello again"));
        expect_at_server(WEBSOCKET_BINARY, BYTES("hello again"));
        server_frame(WEBSOCKET_BINARY, BYTES("welcome"));
        expect_frame(BYTES("welcome"));
    }
}

/*  A port-forward takes connections also while no head is behind it; a head that starts is not ready. */
static void it_tries_until_a_head_answers(void **state)
{
    (void)state;
    static const char *const busy[] = { "HTTP/1.1 503 Service Unavailable\r\n\r\n",
                                        "HTTP/1.1 502 Bad Gateway\r\n\r\n",
                                        "HTTP/1.1 429 Too Many Requests\r\n\r\n" };
    struct link_frame frame;
    server.dumb = true;
    for (uint32_t tries = 2; tries <= 8; tries += 2) {
        while (server.connections < tries) {
            assert_int_equal(link_next(head_link, &frame), LINK_NOTHING);
            wait_for_any();
            server_turn();
        }
        server.dumb = false;
        server.answer = busy[tries / 2 % COUNT(busy)];
    }
    server.answer = SWITCHED;
    expect_up();
}

static void what_breaks_the_rules_is_left(void **state)
{
    (void)state;
    static const struct {
        const char *p;
        size_t n;
    } cases[] = {
        { "\x82\x81\0\0\0\0x", 7 },             /* masked */
        { "\x81\x02hi", 4 },                    /* a text: the protocol has none */
        { "\x88\x02\x03\xe9", 4 },              /* a close */
        { "\x82\x7f\0\0\0\0\x01\0\0\x01", 10 }, /* 16 MiB + 1 */
        { "\x83\x00", 2 },                      /* an unknown kind */
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        expect_up();
        server_say(slice_of(cases[i].p, cases[i].n));
        expect_down();
        server_hang_up();
    }
    expect_up();
}

static void the_end_is_told(void **state)
{
    (void)state;
    expect_up();
    server_turn();
    uint32_t before = server.messages;
    link_close(&head_link);
    while (server.messages == before) {
        struct pollfd item = { server.fd, POLLIN, 0 };
        assert_true(poll(&item, 1, PATIENCE_MS) > 0);
        server_turn();
    }
    assert_int_equal(server.op, WEBSOCKET_CLOSE);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(frames_go_both_ways),
        TEST(many_frames_keep_their_order),
        TEST(a_slow_head_gets_all),
        TEST(pings_are_answered),
        TEST(an_answer_may_come_in_pieces),
        TEST(the_request_has_the_token),
        TEST(without_a_token_none_is_sent),
        TEST(a_token_cannot_smuggle_headers),
        TEST(refusals_are_told_apart),
        TEST(a_missing_token_is_named),
        TEST(the_port_of_zeromq_is_named),
        TEST(a_new_head_hears_only_what_is_new),
        TEST(it_tries_until_a_head_answers),
        TEST(what_breaks_the_rules_is_left),
        TEST(the_end_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
