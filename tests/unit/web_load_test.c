/*  web_load_test.c - a server that has too much to do, or ends: what it keeps of those who do not read is bounded, and
    who comes too late is told so. */
#include "common/web/web_inside.h"
#include "tests/unit/http_client.h"

enum { ADMIN = 1, SEE = 1 << ADMIN, PIECE_BYTES = 1 << 20, PIECES_AHEAD = 16 };

static const uint8_t mask[4] = { 1, 2, 3, 4 };
static struct web *server;
static struct web_socket *opened;
static int poured; /* messages that were answered, under the lock */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;

static void nothing(struct web_request *request, struct web_reply *reply)
{
    (void)request;
    web_reply_copy(reply, 200, "text/plain", slice_text("ok"));
}

static bool never_taken(struct web_request *request, struct slice piece, struct web_reply *reply)
{
    (void)request;
    (void)piece;
    (void)reply;
    fail();
    return false;
}

static void socket_open(void *context, struct web_socket *socket)
{
    (void)context;
    opened = socket;
}

static void socket_ready(void *context)
{
    (void)context;
}

/*  "many": so many pieces; else one. */
static void socket_message(void *context, enum websocket_op op, struct slice bytes)
{
    char *piece = calloc(1, PIECE_BYTES);
    (void)context;
    (void)op;
    assert_non_null(piece);
    for (int i = 0; i < (bytes.n > 0 ? PIECES_AHEAD : 1); i++) {
        assert_true(web_socket_send(opened, WEBSOCKET_BINARY, slice_of(piece, PIECE_BYTES)));
    }
    free(piece);
    pthread_mutex_lock(&lock);
    poured++;
    pthread_cond_signal(&changed);
    pthread_mutex_unlock(&lock);
}

static void wait_for(int messages)
{
    pthread_mutex_lock(&lock);
    while (poured < messages) {
        pthread_cond_wait(&changed, &lock);
    }
    pthread_mutex_unlock(&lock);
}

static void pour(struct web_request *request, struct web_reply *reply)
{
    static const struct web_socket_kind kind = { 1024, socket_open, socket_message, socket_ready,
                                                 socket_ready };
    web_reply_socket(request, reply, &kind, NULL);
}

static const struct web_route routes[] = {
    { WEB_GET, "/thing", SEE, "", 0, nothing, NULL, NULL, "" },
    { WEB_POST, "/body", SEE, "", 2 << 20, nothing, NULL, NULL, "" },
    { WEB_PUT, "/file", SEE, "", 1000, nothing, never_taken, NULL, "" },
    { WEB_GET, "/pour", SEE, "", 0, pour, NULL, NULL, "" },
};

static int auth(void *context, void *local, const char *token, struct web_principal *out)
{
    (void)context;
    (void)local;
    *out = (struct web_principal){ .user = 1, .role = ADMIN };
    return strcmp(token, "secret") == 0 ? OK : ERR_TOKEN;
}

static int setup(void **state)
{
    const struct web_options options = {
        .host = "127.0.0.1", .routes = routes, .route_count = COUNT(routes), .auth = auth
    };
    struct diag why = { 0 };
    (void)state;
    return web_open(&server, &options, &why);
}

static int teardown(void **state)
{
    (void)state;
    web_close(&server);
    return 0;
}

#define REQUEST(line) line " HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer secret\r\n"

static int ask(const char *bytes)
{
    return ask_of(port_of(web_address(server)), bytes, strlen(bytes));
}

/*  So that the kernel keeps little of what is not read. */
static void make_small(int fd)
{
    const int bytes = 64 << 10;
    assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &bytes, sizeof(bytes)), 0);
}

static int dial_socket(void)
{
    static const char request[] = REQUEST("GET /pour") SOCKET_HEADERS "\r\n";
    int fd = dial_with(port_of(web_address(server)), make_small);
    send_all(fd, request, sizeof(request) - 1);
    assert_true(hear(fd, "\r\n\r\n"));
    assert_non_null(strstr(got, "HTTP/1.1 101"));
    return fd;
}

static void say(int fd, const char *text)
{
    uint8_t frame[64];
    send_all(fd, frame, websocket_frame(frame, WEBSOCKET_TEXT, slice_text(text), mask));
}

static void read_all(int fd, size_t bytes)
{
    static char piece[64 << 10];
    while (bytes > 0) {
        ssize_t n = recv(fd, piece, bytes < sizeof(piece) ? bytes : sizeof(piece), 0);
        assert_true(n > 0);
        bytes -= (size_t)n;
    }
}

/*  What has left takes no memory, although there is always something that waits. */
static void test_never_empty(void **state)
{
    enum { PIECES = 100, HELD_MAX = 64 << 20, FRAME = PIECE_BYTES + 10 };
    (void)state;
    int fd = dial_socket();
    size_t before = memory_held();
    say(fd, "many");
    for (int i = 1; i <= PIECES; i++) {
        wait_for(i);
        read_all(fd, FRAME);
        say(fd, "");
    }
    assert_true(memory_held() < before + HELD_MAX);
    close(fd);
}

/*  Who asks for answers and does not read them gets no more of the server's memory. */
static void test_pings(void **state)
{
    enum { PINGS = 200, BYTES = 24 << 20, HELD_MAX = 16 << 20 };
    static uint8_t pings[PINGS * (WEBSOCKET_HEAD_MAX + WEBSOCKET_CONTROL_MAX)];
    static const uint8_t body[WEBSOCKET_CONTROL_MAX];
    size_t n = 0;
    (void)state;
    for (int i = 0; i < PINGS; i++) {
        n += websocket_frame(pings + n, WEBSOCKET_PING, slice_of(body, sizeof(body)), mask);
    }
    int fd = dial_socket();
    size_t before = memory_held();
    for (size_t sent = 0; sent < BYTES; sent += n) {
        send_all(fd, pings, n);
    }
    assert_true(memory_held() < before + HELD_MAX);
    close(fd);
}

/*  Without a thread to be had, nothing of a request is looked at, and none of its body taken. */
static void test_no_worker(void **state)
{
    (void)state;
    server->options.workers = 0;
    assert_int_equal(ask(REQUEST("POST /no-path") "Content-Length: 2\r\n\r\n{}"), 503);
    assert_int_equal(ask(REQUEST("PUT /file") "Content-Length: 2\r\n\r\n{}"), 503);
    assert_int_equal(ask(REQUEST("GET /thing") "\r\n"), 503);
}

/*  What all bodies together take is bounded, and given back. */
static void test_bodies(void **state)
{
    enum { BYTES = 900 << 10, ROOM = 300 << 10 };
    static char request[BYTES + 200];
    (void)state;
    int n = sprintf(request, REQUEST("POST /body") "Content-Length: %d\r\n\r\n", BYTES);
    memset(request + n, 'x', BYTES);
    atomic_store(&server->body_room, ROOM);
    uint16_t port = port_of(web_address(server));
    assert_int_equal(ask_of(port, request, (size_t)n + BYTES), 503);
    assert_int_equal(ask(REQUEST("POST /body") "Content-Length: 2\r\n\r\n{}"), 200);
    assert_int_equal(atomic_load(&server->body_room), ROOM);
    atomic_store(&server->body_room, 3 * BYTES);
    assert_int_equal(ask_of(port, request, (size_t)n + BYTES), 200);
}

static void test_late_socket(void **state)
{
    (void)state;
    assert_int_equal(ask(REQUEST("GET /thing") "\r\n"), 200);
    web_pump_end(server->pump);
    int fd = dial_socket();
    assert_true(ends(fd));
    close(fd);
}

static void stay(struct MHD_Connection *connection)
{
    (void)connection;
}

/*  A request that comes to the workers when they have gone makes none: nobody would wait for its end. */
static void test_late_call(void **state)
{
    struct mhd real;
    struct web_call call = { .web = server };
    (void)state;
    assert_int_equal(ask(REQUEST("GET /thing") "\r\n"), 200);
    atomic_store(&server->ending, true);
    web_work_stop(server);
    real = mhd;
    mhd.suspend_connection = mhd.resume_connection = stay;
    assert_false(web_work_add(&call));
    mhd = real;
    assert_int_equal(server->workers, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_never_empty, setup, teardown),
        cmocka_unit_test_setup_teardown(test_pings, setup, teardown),
        cmocka_unit_test_setup_teardown(test_no_worker, setup, teardown),

        cmocka_unit_test_setup_teardown(test_bodies, setup, teardown),
        cmocka_unit_test_setup_teardown(test_late_socket, setup, teardown),
        cmocka_unit_test_setup_teardown(test_late_call, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
