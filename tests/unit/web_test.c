/*  web_test.c - the HTTP server against clients that break the rules: raw bytes over a socket. */
#include <pthread.h>

#include "common/web/mhd.h"
#include "common/web/web_rules.h"
#include "common/web/web_socket.h"
#include "tests/unit/http_client.h"

enum { ADMIN = 1, METRICS = 5, SEE = 1 << ADMIN, MEASURE = SEE | 1 << METRICS };

static struct web *server;
static uint16_t port;

/* --- routes of the test --------------------------------------------------------------------------------- */

static void say(struct web_request *request, struct web_reply *reply)
{
    char text[512];
    const char *q = web_query(request, "q");
    snprintf(text, sizeof(text), "param=%s q=%s body=%.*s user=%s",
             request->param_count ? (const char *)request->params[0].p : "", q ? q : "",
             (int)request->body.n, request->body.n ? (const char *)request->body.p : "",
             request->who.name);
    web_reply_copy(reply, 200, "text/plain", slice_text(text));
}

/*  Counts what it is given, and remembers nothing. */
static bool take(struct web_request *request, struct slice piece, struct web_reply *reply)
{
    uint64_t *bytes = request->state;
    if (!bytes) {
        bytes = request->state = calloc(1, sizeof(*bytes));
    }
    *bytes += piece.n;
    if (piece.n > 0 && piece.p[0] == '!') {
        web_reply_error(reply, ERR_INVALID, "it begins with a !");
        return false;
    }
    return true;
}

static void drop(struct web_request *request)
{
    free(request->state);
}

static void uploaded(struct web_request *request, struct web_reply *reply)
{
    char text[64];
    snprintf(text, sizeof(text), "bytes=%llu",
             request->state ? (unsigned long long)*(uint64_t *)request->state : 0);
    web_reply_copy(reply, 200, "text/plain", slice_text(text));
}

/*  A stream of three lines, each after the other was woken. */
struct lines {
    struct web_flow *flow;
    int said;
    bool asleep;
};

static struct lines *open_lines;
static pthread_mutex_t lines_lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t lines_changed = PTHREAD_COND_INITIALIZER;

static int64_t lines_read(void *context, char *to, size_t capacity)
{
    struct lines *self = context;
    pthread_mutex_lock(&lines_lock);
    int64_t n = self->said == 3 ? -1 : 0;
    if (!self->asleep && n == 0) {
        n = snprintf(to, capacity, "line %d\n", self->said++);
        self->asleep = true;
    }
    pthread_cond_broadcast(&lines_changed);
    pthread_mutex_unlock(&lines_lock);
    return n;
}

static void lines_close(void *context)
{
    pthread_mutex_lock(&lines_lock);
    open_lines = NULL;
    pthread_cond_broadcast(&lines_changed);
    pthread_mutex_unlock(&lines_lock);
    free(context);
}

static void stream(struct web_request *request, struct web_reply *reply)
{
    static const struct web_stream kind = { lines_read, lines_close };
    struct lines *self = calloc(1, sizeof(*self));
    (void)request;
    pthread_mutex_lock(&lines_lock);
    self->flow = web_reply_stream(reply, "text/plain", &kind, self);
    open_lines = self;
    pthread_mutex_unlock(&lines_lock);
}

/*  A WebSocket that repeats what it hears. */
static struct web_socket *echo_socket;
static void echo_open(void *context, struct web_socket *socket)
{
    (void)context;
    echo_socket = socket;
}
static void echo_message(void *context, enum websocket_op op, struct slice bytes)
{
    (void)context;
    assert_true(web_socket_send(echo_socket, op, bytes));
}
static void echo_ready(void *context)
{
    (void)context;
}

static void echo(struct web_request *request, struct web_reply *reply)
{
    static const struct web_socket_kind kind = { 1024, echo_open, echo_message, echo_ready,
                                                 echo_ready };
    web_reply_socket(request, reply, &kind, NULL);
}

static const struct web_route routes[] = {
    { WEB_GET, "/healthz/live", 0, "", 0, say, NULL, NULL, "" },
    { WEB_GET, "/metrics", MEASURE, "", 0, say, NULL, NULL, "" },
    { WEB_GET, "/api/v1/things", SEE, "q limit", 0, say, NULL, NULL, "" },
    { WEB_POST, "/api/v1/things", SEE, "", 1000, say, NULL, NULL, "" },
    { WEB_GET, "/api/v1/things/{id}", SEE, NULL, 0, say, NULL, NULL, "" },
    { WEB_DELETE, "/api/v1/things/{id}", SEE, "", 0, say, NULL, NULL, "" },
    { WEB_PUT, "/api/v1/files/{name}", SEE, "", 3 << 20, uploaded, take, drop, "" },
    { WEB_GET, "/api/v1/stream", SEE, "", 0, stream, NULL, NULL, "" },
    { WEB_GET, "/api/v1/echo", SEE, "", 0, echo, NULL, NULL, "" },
};

static int auth(void *context, void *local, const char *token, struct web_principal *out)
{
    (void)context;
    (void)local;
    *out =
        (struct web_principal){ .user = 1, .role = strcmp(token, "meter") == 0 ? METRICS : ADMIN };
    snprintf(out->name, sizeof(out->name), "ann");
    bool known = strcmp(token, "secret") == 0 || strcmp(token, "meter") == 0;
    return known ? OK : strcmp(token, "away") == 0 ? ERR_UNREACHABLE : ERR_TOKEN;
}

static int setup(void **state)
{
    static const char *const names[] = { "rayc.example" };
    struct web_options options = { .host = "127.0.0.1",
                                   .names = names,
                                   .name_count = 1,
                                   .routes = routes,
                                   .route_count = COUNT(routes),
                                   .auth = auth,
                                   .threads = 2 };
    struct diag why = { 0 };
    (void)state;
    int code = web_open(&server, &options, &why);
    port = server ? port_of(web_address(server)) : 0;
    return code;
}

static int teardown(void **state)
{
    (void)state;
    web_close(&server);
    return 0;
}

/* --- a client ---------------------------------------------------------------------------------------------- */

static int ask(const char *bytes)
{
    return ask_of(port, bytes, strlen(bytes));
}

#define HOST      "Host: 127.0.0.1\r\n"
#define TOKEN     "Authorization: Bearer secret\r\n"
#define GET(path) "GET " path " HTTP/1.1\r\n" HOST TOKEN "\r\n"

/* --- tests --------------------------------------------------------------------------------------------------- */

/*  Before all others: a server to which nobody speaks costs a socket and a thread. */
static void test_first(void **state)
{
    struct diag why = { 0 };
    (void)state;
    assert_false(mhd_is_loaded());
    assert_int_equal(ask(GET("/api/v1/things")), 200);
    assert_int_equal(mhd_load(&why), OK); /* again */
    assert_true(mhd_is_loaded());
}

static void test_replies(void **state)
{
    (void)state;
    assert_int_equal(ask(GET("/api/v1/things/a%20b?q=1+2")), 200);
    assert_non_null(strstr(got, "param=a b q=1 2"));
    assert_non_null(strstr(got, "user=ann"));
    static const char *const headers[] = { "X-Content-Type-Options: nosniff",
                                           "Cache-Control: no-store",
                                           "Content-Security-Policy: default-src 'none'",
                                           "frame-ancestors 'none'",
                                           "Referrer-Policy: no-referrer",
                                           "Cross-Origin-Resource-Policy: same-origin" };
    for (size_t i = 0; i < COUNT(headers); i++) {
        assert_non_null(strstr(got, headers[i]));
    }
    assert_int_equal(
        ask("POST /api/v1/things HTTP/1.1\r\n" HOST TOKEN "Content-Length: 5\r\n\r\nhello"), 200);
    assert_non_null(strstr(got, "body=hello"));
    assert_int_equal(ask("POST /api/v1/things HTTP/1.1\r\n" HOST TOKEN
                         "Transfer-Encoding: chunked\r\n\r\n3\r\nhel\r\n2\r\nlo\r\n0\r\n\r\n"),
                     200);
    assert_non_null(strstr(got, "body=hello"));
    assert_int_equal(ask("DELETE /api/v1/things/x HTTP/1.1\r\n" HOST TOKEN "\r\n"), 200);
    assert_int_equal(ask("HEAD /api/v1/things HTTP/1.1\r\n" HOST TOKEN "\r\n"), 200);
    assert_null(strstr(got, "param="));
    assert_int_equal(ask("GET /healthz/live HTTP/1.0\r\n" HOST "\r\n"), 200);
}

struct rule {
    const char *request;
    int status;
};

static void check_all(const struct rule *rules, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        int status = ask(rules[i].request);
        if (status != rules[i].status) {
            print_error("%d instead of %d for:\n%s\n", status, rules[i].status, rules[i].request);
        }
        assert_int_equal(status, rules[i].status);
    }
}

static void test_tokens(void **state)
{
    static const struct rule rules[] = {
        { "GET /api/v1/things HTTP/1.1\r\n" HOST "\r\n", 401 },
        { "GET /nothing HTTP/1.1\r\n" HOST "\r\n", 401 },
        { "GET /api/v1/things HTTP/1.1\r\n" HOST "Authorization: Bearer wrong\r\n\r\n", 401 },
        { "GET /api/v1/things HTTP/1.1\r\n" HOST "Authorization: Basic c2VjcmV0\r\n\r\n", 401 },
        { "GET /api/v1/things HTTP/1.1\r\n" HOST "Authorization: Bearer \r\n\r\n", 401 },
        { "GET /api/v1/things?token=secret HTTP/1.1\r\n" HOST "\r\n", 401 },
        { "POST /api/v1/things HTTP/1.1\r\n" HOST "Content-Length: 2\r\n\r\n{}", 401 },
        { "GET /api/v1/things HTTP/1.1\r\n" HOST "Authorization: Bearer away\r\n\r\n", 503 },
        { "GET /healthz/live HTTP/1.1\r\n" HOST "\r\n", 200 },
        { "GET /healthz/live HTTP/1.1\r\n" HOST TOKEN "\r\n", 200 }, /* a token does no harm */
        { "GET /healthz/live HTTP/1.1\r\n" HOST "Authorization: Bearer wrong\r\n\r\n", 200 },
        { "GET /metrics HTTP/1.1\r\n" HOST "Authorization: bearer meter\r\n\r\n", 200 },
        { "GET /api/v1/things HTTP/1.1\r\n" HOST "Authorization: Bearer meter\r\n\r\n", 403 },
        { "GET /api/v1/things HTTP/1.1\r\n" HOST TOKEN "Authorization: Bearer wrong\r\n\r\n", 400 },
    };
    (void)state;
    check_all(rules, COUNT(rules));
    char first[sizeof(got)];
    ask(rules[0].request);
    assert_non_null(strstr(got, "WWW-Authenticate: Bearer"));
    snprintf(first, sizeof(first), "%s", strstr(got, "\r\n\r\n"));
    ask(rules[2].request);
    assert_string_equal(strstr(got, "\r\n\r\n"), first); /* nothing tells missing from wrong */
}

static void test_hosts(void **state)
{
    static const char *const names[] = { "rayc.example" };
    static const char *const methods[] = { "GET",   "POST", "PUT",    "DELETE",
                                           "PATCH", "HEAD", "OPTIONS" };
    char request[256];
    (void)state;
    for (size_t i = 0; i < COUNT(methods); i++) {
        snprintf(request, sizeof(request), "%s /healthz/live HTTP/1.1\r\nHost: evil.test\r\n\r\n",
                 methods[i]);
        assert_int_equal(ask(request), 421);
    }
    assert_int_equal(ask("GET /healthz/live HTTP/1.1\r\nHost: RAYC.example:8265\r\n\r\n"), 200);
    assert_true(web_host_ok("localhost:8265", names, 1));
    assert_true(web_host_ok("10.0.0.1", names, 1));
    assert_true(web_host_ok("[::1]:80", names, 1));
    static const char *const bad[] = { "",
                                       "rayc.example.evil.test",
                                       "localhost.",
                                       "localhost:",
                                       "localhost:80:80",
                                       "1.2.3.4.evil.test",
                                       "[::1",
                                       "[::1]x",
                                       "[evil]",
                                       "127.0.0.1:evil.test",
                                       "evil.test:127",
                                       "0x7f.1",
                                       ":80" };
    for (size_t i = 0; i < COUNT(bad); i++) {
        assert_false(web_host_ok(bad[i], names, 1));
    }
}

static void test_origins(void **state)
{
    static const struct rule rules[] = {
        { "GET /api/v1/things HTTP/1.1\r\n" HOST TOKEN "Origin: http://evil.test\r\n\r\n", 403 },
        { "GET /api/v1/things HTTP/1.1\r\n" HOST TOKEN "Origin: null\r\n\r\n", 403 },
        { "GET /api/v1/things HTTP/1.1\r\n" HOST TOKEN "Origin: http://127.0.0.1:1\r\n\r\n", 403 },
        { "GET /api/v1/things HTTP/1.1\r\n" HOST TOKEN "Origin: http://127.0.0.1\r\n\r\n", 200 },
        { "GET /api/v1/things HTTP/1.1\r\n" HOST TOKEN "Sec-Fetch-Site: cross-site\r\n\r\n", 403 },
        { "GET /api/v1/things HTTP/1.1\r\n" HOST TOKEN "Sec-Fetch-Site: same-site\r\n\r\n", 403 },
        { "GET /api/v1/things HTTP/1.1\r\n" HOST TOKEN "Sec-Fetch-Site: same-origin\r\n\r\n", 200 },
    };
    (void)state;
    check_all(rules, COUNT(rules));
}

static void test_paths(void **state)
{
    static const struct rule rules[] = {
        { GET("/api/v1/things/%2e%2e"), 404 },
        { GET("/api/v1/../v1/things"), 404 },
        { GET("/api/v1/things/a%00b"), 404 },
        { GET("/api/v1/things/%252e%252e"), 404 },
        { GET("/api/v1/things/a%5cb"), 404 },
        { GET("/api/v1/things/a\\b"), 404 },
        { GET("/api/v1/things/a%2fb"), 404 },
        { GET("/api/v1/things/%zz"), 404 },
        { GET("/api/v1/things/%4"), 404 },
        { GET("/api/v1/things/"), 404 },
        { GET("//api/v1/things"), 404 },
        { GET("/api/v1//things"), 404 },
        { GET("/API/v1/things"), 404 },
        { GET("http://127.0.0.1/api/v1/things"), 404 },
        { GET("/api/v1/things/a%0d%0ab"), 404 },
        { GET("/api/v1/things/a%7fb"), 404 },
        { GET("/api/v1/things?q=%00"), 400 },
        { GET("/api/v1/things?x=1"), 400 },
        { GET("/api/v1/things?li=1"), 400 },
        { GET("/api/v1/things?q=1&&limit=2"), 200 },
        { GET("/api/v1/things/x?anything=1"), 200 },
        { GET("/api/v1/things/100%25"), 200 },
        { "PUT /api/v1/things HTTP/1.1\r\n" HOST TOKEN "\r\n", 405 },
        { "PATCH /api/v1/things HTTP/1.1\r\n" HOST TOKEN "\r\n", 405 },
        { "OPTIONS * HTTP/1.1\r\n" HOST TOKEN "\r\n", 404 },
    };
    (void)state;
    check_all(rules, COUNT(rules));
    ask("OPTIONS /api/v1/things HTTP/1.1\r\n" HOST TOKEN "\r\n");
    assert_non_null(strstr(got, "Allow: GET, HEAD, POST\r\n"));
}

/*  What two servers could read differently is refused, and nothing after it is looked at. */
static void test_smuggling(void **state)
{
#define POST "POST /api/v1/things HTTP/1.1\r\n" HOST TOKEN
    static const struct rule rules[] = {
        { POST "Content-Length: 2\r\nContent-Length: 2\r\n\r\n{}", 400 },
        { POST "Content-Length: 2\r\nContent-Length: 3\r\n\r\n{}", 400 },
        { POST "Content-Length: 2, 2\r\n\r\n{}", 400 },
        { POST "Content-Length: +2\r\n\r\n{}", 400 },
        { POST "Content-Length: -1\r\n\r\n{}", 400 },
        { POST "Content-Length: 0x2\r\n\r\n{}", 400 },
        { POST "Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n", 400 },
        { POST "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n0\r\n\r\n", 400 },
        { POST "Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", 400 },
        { POST "Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n", 400 },
        { "GET /healthz/live HTTP/1.1\r\n" HOST "Host: localhost\r\n\r\n", 400 },
        { "GET /healthz/live HTTP/1.1\r\n\r\n", 400 },
        { "GET /healthz/live HTTP/1.1\r\nHost : localhost\r\n\r\n", 400 },
        { "GET /healthz/live HTTP/1.1\r\n" HOST "X-A: 1\r\n folded\r\n\r\n", 400 },
        { "GET /healthz/live HTTP/1.1\r\n" HOST "X-A: 1\r\n\tfolded\r\nX-B: 2\r\n\r\n", 400 },
        { "GET /healthz/live HTTP/1.1\r\n folded: 1\r\n" HOST "\r\n", 400 },
        { "GET /healthz/live HTTP/1.1\n" HOST "\r\n", 400 },
        { "GET /healthz/live HTTP/1.1\r\nHost: localhost\nX-A: 1\r\n\r\n", 400 },
        { "GET /healthz/live HTTP/1.1\r\nHost: localhost\rX-A: 1\r\n\r\n", 400 },
        { "GET /healthz/live HTTP/1.1\r\n" HOST "X-A: 1\001\r\n\r\n", 400 },
        { "GET /healthz/live HTTP/1.1\r\n" HOST "X\001A: 1\r\n\r\n", 400 },
        { "GET /healthz/live HTTP/2.0\r\n" HOST "\r\n", 0 },
        { "GET /healthz/live\r\n" HOST "\r\n", 400 },
    };
    (void)state;
    for (size_t i = 0; i < COUNT(rules); i++) {
        char twice[4096];
        snprintf(twice, sizeof(twice), "%s%s", rules[i].request, GET("/api/v1/things/second"));
        int status = ask(twice);
        if ((status != rules[i].status && !(rules[i].status == 0 && status >= 400)) ||
            strstr(got, "second")) {
            print_error("%d instead of %d for:\n%s\ngot: %s\n", status, rules[i].status,
                        rules[i].request, got);
            fail();
        }
    }
    static const char *const chunks[] = { "zz\r\nab\r\n0\r\n\r\n", "-2\r\nab\r\n0\r\n\r\n",
                                          "2\r\nabXX0\r\n\r\n",
                                          "ffffffffffffffffff\r\nab\r\n0\r\n\r\n",
                                          "2;\nab\r\n0\r\n\r\n" };
    for (size_t i = 0; i < COUNT(chunks); i++) {
        char request[1024];
        snprintf(request, sizeof(request), POST "Transfer-Encoding: chunked\r\n\r\n%s%s", chunks[i],
                 GET("/api/v1/things/second"));
        int status = ask(request);
        if ((status == 200 && i < 4) ||
            strstr(got, "second")) { /* the last one passes, and ends the connection */
            print_error("%d for chunks: %s\n", status, chunks[i]);
            fail();
        }
    }
}

static void test_limits(void **state)
{
    char *request = malloc(8 << 20);
    (void)state;
    size_t n = (size_t)sprintf(request, POST "Content-Length: 1001\r\n\r\n%01001d", 1);
    assert_int_equal(ask_of(port, request, n), 413);
    assert_int_equal(ask(POST "Content-Length: 999999999999999999\r\n\r\n"), 413);
    assert_int_equal(ask("GET /api/v1/things HTTP/1.1\r\n" HOST TOKEN "Content-Length: 1\r\n\r\nx"),
                     413);
    n = (size_t)sprintf(request,
                        POST "Transfer-Encoding: chunked\r\n\r\n7d0\r\n%02000d\r\n0\r\n\r\n", 1);
    assert_int_equal(ask_of(port, request, n), 413);
    n = (size_t)sprintf(request, "GET /api/v1/things HTTP/1.1\r\n" HOST TOKEN "X-Long: ");
    memset(request + n, 'x', 64 << 10);
    n += 64 << 10;
    n += (size_t)sprintf(request + n, "\r\n\r\n");
    int status = ask_of(port, request, n);
    assert_true(status == 0 || status == 431 || status == 413);
    free(request);
}

static void test_upload(void **state)
{
    enum { BYTES = 2 << 20 };
    char *request = calloc(1, BYTES + 4096);
    (void)state;
    size_t n = (size_t)sprintf(
        request, "PUT /api/v1/files/f HTTP/1.1\r\n" HOST TOKEN "Content-Length: %d\r\n\r\n", BYTES);
    memset(request + n, 'x', BYTES);
    assert_int_equal(ask_of(port, request, n + BYTES), 200);
    assert_non_null(strstr(got, "bytes=2097152"));
    assert_int_equal(
        ask("PUT /api/v1/files/f HTTP/1.1\r\n" HOST TOKEN "Content-Length: 2\r\n\r\n!x"), 400);
    assert_non_null(strstr(got, "begins with a !"));
    assert_int_equal(
        ask("PUT /api/v1/files/f HTTP/1.1\r\n" HOST TOKEN "Content-Length: 9000000\r\n\r\n"), 413);
    assert_int_equal(ask("PUT /api/v1/files/f HTTP/1.1\r\n" HOST "Content-Length: 2000000\r\n\r\n"),
                     401); /* at once */
    free(request);
}

/*  Lets the stream say its next line. */
static void wake_lines(int said)
{
    pthread_mutex_lock(&lines_lock);
    while (!open_lines || open_lines->said < said || !open_lines->asleep) {
        pthread_cond_wait(&lines_changed, &lines_lock);
    }
    open_lines->asleep = false;
    web_wake(open_lines->flow);
    pthread_mutex_unlock(&lines_lock);
}

static void test_stream(void **state)
{
    static const char request[] = GET("/api/v1/stream");
    (void)state;
    int fd = dial_with(port, NULL);
    send_all(fd, request, sizeof(request) - 1);
    assert_true(hear(fd, "line 0"));
    wake_lines(1);
    assert_true(hear(fd, "line 1"));
    assert_int_equal(ask(GET("/api/v1/things")), 200); /* others are not held up */
    wake_lines(2);
    got[0] = 0;
    assert_true(hear(fd, "line 2"));
    pthread_mutex_lock(&lines_lock);
    while (open_lines) {
        pthread_cond_wait(&lines_changed, &lines_lock);
    }
    pthread_mutex_unlock(&lines_lock);
    close(fd);
}

static void test_socket(void **state)
{
    static const char request[] = "GET /api/v1/echo HTTP/1.1\r\n" HOST TOKEN SOCKET_HEADERS "\r\n";
    static const uint8_t mask[4] = { 1, 2, 3, 4 };
    uint8_t frame[64];
    (void)state;
    assert_int_equal(ask(GET("/api/v1/echo")), 426);
    int fd = dial_with(port, NULL);
    send_all(fd, request, sizeof(request) - 1);
    assert_true(hear(fd, "\r\n\r\n"));
    assert_non_null(strstr(got, "HTTP/1.1 101"));
    assert_non_null(strstr(got, "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="));
    got[0] = 0;
    send_all(fd, frame, websocket_frame(frame, WEBSOCKET_TEXT, slice_text("hello"), mask));
    assert_true(hear(fd, "hello"));
    uint8_t body[WEBSOCKET_CONTROL_MAX];
    size_t n = websocket_close_body(body, WEBSOCKET_NORMAL, "");
    send_all(fd, frame, websocket_frame(frame, WEBSOCKET_CLOSE, slice_of(body, n), mask));
    assert_true(ends(fd));
    close(fd);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_first),     cmocka_unit_test(test_replies),
        cmocka_unit_test(test_tokens),    cmocka_unit_test(test_hosts),
        cmocka_unit_test(test_origins),   cmocka_unit_test(test_paths),
        cmocka_unit_test(test_smuggling), cmocka_unit_test(test_limits),
        cmocka_unit_test(test_upload),    cmocka_unit_test(test_stream),
        cmocka_unit_test(test_socket),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
