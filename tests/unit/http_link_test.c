/*  http_link_test.c - the protocol over a WebSocket of the head: what comes in, what goes out, and what closes it.  The
    loop is the test itself. */
#include "common/upgrade.h"
#include "common/websocket.h"
#include "tests/unit/http_world.h"

enum { PIECE_BYTES = 65536 };

/*  One client. */
static struct {
    int fd;
    struct websocket_reader reader;
    uint8_t piece[PIECE_BYTES];
    struct slice in; /* of the piece: not read yet */
} client;

static int setup(void **state)
{
    (void)state;
    return http_world_open("UPDATE token SET role=4 WHERE id=102"); /* ann's is a worker's */
}

/* --- the client ----------------------------------------------------------------------------------- */

static bool receive(void)
{
    struct pollfd wait = { client.fd, POLLIN, 0 };
    assert_int_equal(poll(&wait, 1, PATIENCE_MS), 1);
    ssize_t n = recv(client.fd, client.piece, sizeof(client.piece), 0);
    client.in = slice_of(client.piece, n > 0 ? (size_t)n : 0);
    return n > 0;
}

/*  The status of the answer to the upgrade. */
static uint32_t dial(const char *secret)
{
    static const uint8_t nonce[WEBSOCKET_NONCE_BYTES] = { 1, 2, 3 };
    char key[WEBSOCKET_KEY_TEXT], accept[WEBSOCKET_ACCEPT_TEXT], text[1024];
    websocket_key(nonce, key);
    websocket_accept(key, accept);
    client.fd = dial_with(port_of(http_address(world.http)), NULL);
    const struct upgrade_request request = { "localhost", "/api/v1/link", key, secret };
    int n = upgrade_write(&request, text, sizeof(text));
    assert_true(n > 0);
    send_all(client.fd, text, (size_t)n);
    assert_true(receive());
    struct upgrade_reply reply = upgrade_read(client.in, accept);
    client.in = slice_of(client.in.p + reply.n, client.in.n - reply.n);
    websocket_reader_init(&client.reader, WEBSOCKET_CLIENT, FRAME_MAX);
    return reply.answer == UPGRADE_DONE ? 101 : reply.status;
}

static void hang_up(void)
{
    close(client.fd);
    websocket_reader_fini(&client.reader);
}

static void client_sends(enum websocket_op op, struct slice bytes)
{
    static const uint8_t mask[4] = { 1, 2, 3, 4 };
    uint8_t *frame = malloc(WEBSOCKET_HEAD_MAX + bytes.n);
    assert_non_null(frame);
    size_t n = websocket_frame(frame, op, bytes, mask);
    send_all(client.fd, frame, n);
    free(frame);
}

static void client_says(enum msg_kind kind, const void *msg)
{
    uint8_t bytes[512];
    struct wire frame = { bytes, 0, sizeof(bytes), false };
    proto_put(&frame, kind, msg);
    client_sends(WEBSOCKET_BINARY, slice_of(frame.p, frame.n));
}

static struct websocket_message client_hears(void)
{
    struct websocket_message message;
    do {
        if (client.in.n == 0 && !receive()) {
            fail_msg("the connection ended without a goodbye");
        }
        assert_int_equal(websocket_read(&client.reader, &client.in, &message), OK);
    } while (message.op == WEBSOCKET_MORE); /* a ping would mean that there was nothing for long */
    return message;
}

static void client_hears_msg(enum msg_kind kind)
{
    struct websocket_message message = client_hears();
    struct msg msg;
    assert_int_equal(message.op, WEBSOCKET_BINARY);
    assert_int_equal(proto_decode(message.bytes, &msg, NULL), OK);
    assert_int_equal(msg.kind, kind);
}

static void is_closed_with(uint32_t code)
{
    struct websocket_message message = client_hears();
    assert_int_equal(message.op, WEBSOCKET_CLOSE);
    assert_int_equal(message.code, code);
    hang_up();
}

static const struct msg_hello hello = {
    .seq = 1, .major = PROTO_MAJOR, .minor = PROTO_MINOR, .role = 1
};

/*  Dials, and is welcome.  The peer. */
static uint32_t join(void)
{
    struct net_event event;
    struct msg msg;
    struct msg_hello own = hello;
    own.token = slice_text("root-secret");
    assert_int_equal(dial("root-secret"), 101);
    client_says(MSG_HELLO, &own);
    assert_int_equal(loop_hears(&event), NET_FRAME);
    assert_true(event.peer >= DOOR_PEER_FIRST);
    assert_int_equal(proto_decode(event.bytes, &msg, NULL), OK);
    assert_int_equal(msg.kind, MSG_HELLO);
    loop_says(event.peer, MSG_WELCOME, &(struct msg_welcome){ .seq = 1, .may = ROLE_ADMIN });
    client_hears_msg(MSG_WELCOME);
    return event.peer;
}

static void expect_gone(uint32_t peer)
{
    struct net_event event;
    assert_int_equal(loop_hears(&event), NET_GONE);
    assert_int_equal(event.peer, peer);
}

/* --- tests ---------------------------------------------------------------------------------------- */

static void frames_go_both_ways(void **state)
{
    (void)state;
    struct net_event event;
    uint32_t peer = join();
    client_says(MSG_CLIENT_BEAT, &(struct msg_client_beat){ .seq = 2 });
    assert_int_equal(loop_hears(&event), NET_FRAME);
    assert_int_equal(event.peer, peer);
    loop_says(peer, MSG_WHO,
              &(struct msg_who){ .seq = 2 }); /* an answer: its session is not known */
    client_hears_msg(MSG_WHO);
    loop_says(peer, MSG_CHANGED, &(struct msg_changed){ .seq = 3 });
    client_hears_msg(MSG_CHANGED);
    hang_up();
    expect_gone(peer);
}

static void only_who_may_see_comes_in(void **state)
{
    (void)state;
    assert_int_equal(dial("no-secret"), 401);
    hang_up();
    assert_int_equal(dial("ann-secret"), 403);
    hang_up();
}

static void another_token_is_refused(void **state)
{
    (void)state;
    struct net_event event;
    struct msg_hello other = hello;
    other.token = slice_text("ann-secret");
    assert_int_equal(dial("root-secret"), 101);
    client_says(MSG_HELLO, &other);
    is_closed_with(WEBSOCKET_POLICY);
    assert_int_equal(loop_hears(&event), NET_GONE); /* and nothing before */
}

static void texts_and_large_messages_are_refused(void **state)
{
    (void)state;
    uint32_t peer = join();
    client_sends(WEBSOCKET_TEXT, slice_text("{}"));
    is_closed_with(WEBSOCKET_UNSUPPORTED);
    expect_gone(peer);
    peer = join();
    uint8_t head[WEBSOCKET_HEAD_MAX];
    static const uint8_t mask[4] = { 1, 2, 3, 4 };
    send_all(client.fd, head, websocket_head(head, WEBSOCKET_BINARY, false, FRAME_MAX + 1, mask));
    is_closed_with(WEBSOCKET_TOO_LARGE);
    expect_gone(peer);
}

static void whom_the_core_cuts_is_closed(void **state)
{
    (void)state;
    uint32_t peer = join();
    loop_says(peer, MSG_WHO, &(struct msg_who){ 0 });
    client_hears_msg(MSG_WHO);
    is_closed_with(WEBSOCKET_POLICY);
    expect_gone(peer);
    peer = join();
    loop_says(peer, MSG_REFUSED, &(struct msg_refused){ 1, ERR_TOKEN, slice_text("revoked") });
    client_hears_msg(MSG_REFUSED);
    is_closed_with(WEBSOCKET_POLICY);
    expect_gone(peer);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(frames_go_both_ways),
        cmocka_unit_test(only_who_may_see_comes_in),
        cmocka_unit_test(another_token_is_refused),
        cmocka_unit_test(texts_and_large_messages_are_refused),
        cmocka_unit_test(whom_the_core_cuts_is_closed),
    };
    return cmocka_run_group_tests(tests, setup, http_world_close);
}
