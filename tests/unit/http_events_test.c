/*  http_events_test.c - what is told over HTTP as it happens: the stream of events, what is new, what was missed, whose
    it is; and its end, and that of the tail of a log, when the token is revoked. */
#include <netinet/tcp.h>

#include "tests/unit/http_world.h"

static char log_file[128];
static bool small_windows;

static int setup(void **state)
{
    (void)state;
    int rc = http_world_open(
        "INSERT INTO job(id,submission,kind,state,owner) VALUES(5,'j',2,2,12);"
        "INSERT INTO job(id,submission,kind,state,owner) VALUES(6,'root-job',2,2,11);"
        "INSERT INTO event(id,at_ms,kind,text) VALUES(1,1,'NODE_JOINED','old one')");
    snprintf(log_file, sizeof(log_file), "%s/job-5.log", world.logs);
    return rc;
}

/*  As hear(), of any length: forgets what has passed.  It must come. */
static void pass_by(int fd, const char *what)
{
    size_t n = strlen(what), kept = 0;
    static char piece[1 << 18];
    for (;;) {
        struct pollfd wait = { fd, POLLIN, 0 };
        assert_int_equal(poll(&wait, 1, 30000), 1);
        ssize_t more = recv(fd, piece + kept, sizeof(piece) - kept, 0);
        assert_true(more > 0);
        kept += (size_t)more;
        if (memmem(piece, kept, what, n)) {
            return;
        }
        size_t rest = kept < n - 1 ? kept : n - 1;
        memmove(piece, piece + kept - rest, rest);
        kept = rest;
    }
}

/*  So that the kernel keeps little of what is not read. */
static void make_small(int fd)
{
    const int bytes = 4096, segment = 536;
    assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &bytes, sizeof(bytes)), 0);
    assert_int_equal(setsockopt(fd, IPPROTO_TCP, TCP_MAXSEG, &segment, sizeof(segment)), 0);
}

static int ask_as(const char *secret, const char *target, const char *headers)
{
    char request[1024];
    int fd = dial_with(port_of(http_address(world.http)), small_windows ? make_small : NULL);
    int n = snprintf(request, sizeof(request),
                     "GET %s HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer %s\r\n%s\r\n",
                     target, secret, headers);
    send_all(fd, request, (size_t)n);
    return fd;
}

static int listen_as(const char *secret, const char *query, const char *headers)
{
    char target[256];
    snprintf(target, sizeof(target), "/api/v1/events/stream%s", query);
    return ask_as(secret, target, headers);
}

static void test_resume(void **state)
{
    (void)state;
    int fd = listen_as("root-secret", "", "Last-Event-ID: 0\r\n");
    assert_true(hear(fd, "old one"));
    assert_non_null(strstr(got, "Content-Type: text/event-stream"));
    run("INSERT INTO event(id,at_ms,kind,job,text) VALUES(2,2,'JOB_OPENED',5,'two')");
    assert_true(hear(fd, "\"two\""));
    assert_non_null(strstr(got, "id: 2\ndata: {"));
    close(fd);
    run("INSERT INTO event(id,at_ms,kind,text) VALUES(3,3,'NODE_LOST','three')");
    fd = listen_as("root-secret", "", "Last-Event-ID: 2\r\n");
    assert_true(hear(fd, "\"three\""));
    assert_null(strstr(got, "\"two\""));
    close(fd);
    fd = listen_as("root-secret", "", "Last-Event-ID: 99\r\n"); /* of another database */
    assert_true(hear(fd, "event: resync"));
    close(fd);
}

static void test_own_only(void **state)
{
    (void)state;
    int fd = listen_as("ann-secret", "", "Last-Event-ID: 0\r\n");
    run("INSERT INTO event(id,at_ms,kind,job,text) VALUES(4,4,'JOB_ENDED',5,'four')");
    assert_true(hear(fd, "\"four\""));
    assert_non_null(strstr(got, "\"two\""));
    assert_null(strstr(got, "\"three\""));
    close(fd);
    fd = listen_as("root-secret", "?topics=nodes", "Last-Event-ID: 0\r\n");
    assert_true(hear(fd, "\"three\""));
    assert_null(strstr(got, "\"two\""));
    close(fd);
}

static void print(const char *text)
{
    FILE *file = fopen(log_file, "a");
    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
}

static uint64_t log_size(void)
{
    struct stat file;
    assert_int_equal(stat(log_file, &file), 0);
    return (uint64_t)file.st_size;
}

static void test_log(void **state)
{
    (void)state;
    print("old a\xc3"); /* half of a letter */
    int fd = listen_as("ann-secret", "?topics=jobs,log:j", "Last-Event-ID: 4;5=4\r\n");
    assert_true(hear(fd, "id: 4;5=5\ndata: {\"kind\":\"JOB_LOG\",\"job_id\":\"00000005\","
                         "\"offset\":4,\"text\":\"a\"}"));
    print("\xa9 new");
    assert_true(hear(fd, "\"offset\":5,\"text\":\"\xc3\xa9 new\"}"));
    assert_non_null(strstr(got, "id: 4;5=11\n"));
    close(fd);
    print("er");
    fd = listen_as("ann-secret", "?topics=log:00000005", "Last-Event-ID: 4;5=11\r\n");
    assert_true(hear(fd, "\"offset\":11,\"text\":\"er\"}"));
    assert_null(strstr(got, "new"));
    close(fd);
    fd = listen_as("ann-secret", "?topics=log:j", ""); /* begins at the end, and says where */
    assert_true(hear(fd, "id: 4;5=13\n\n"));
    print("est");
    assert_true(hear(fd, "\"offset\":13,\"text\":\"est\"}"));
    close(fd);
}

static void test_progress(void **state)
{
    (void)state;
    run("UPDATE job SET total=10,finished=3,failed=1 WHERE id=5");
    int fd = listen_as("ann-secret", "?topics=progress", "");
    assert_true(hear(fd,
                     "{\"kind\":\"JOB_PROGRESS\",\"job_id\":\"00000005\",\"submission_id\":\"j\","
                     "\"total\":10,\"finished\":3,\"failed\":1}"));
    run("UPDATE job SET finished=9 WHERE id=5");
    assert_true(hear(fd, "\"total\":10,\"finished\":9,\"failed\":1}"));
    assert_null(strstr(got, "00000006"));
    run("INSERT INTO job(id,submission,kind,state,owner,ended_ms) VALUES(8,'past',2,3,12,1)");
    run("INSERT INTO job(id,submission,kind,state,owner,total) VALUES(9,'new',2,2,12,4)");
    assert_true(hear(fd, "\"submission_id\":\"new\",\"total\":4,\"finished\":0,\"failed\":0}"));
    run("UPDATE job SET finished=4 WHERE id=9;UPDATE job SET finished=10 WHERE id=5");
    assert_true(hear(fd, "\"submission_id\":\"new\",\"total\":4,\"finished\":4,\"failed\":0}"));
    assert_non_null(strstr(got, "\"total\":10,\"finished\":10,\"failed\":1}"));
    assert_null(strstr(got, "past"));
    run("DELETE FROM job WHERE id>7");
    close(fd);
}

/*  A frame that is larger than what the server sends at once. */
static void test_large(void **state)
{
    enum { BYTES = 16384 };
    char text[BYTES + 1];
    (void)state;
    memset(text, '\x01', BYTES); /* six letters of JSON each */
    text[BYTES] = 0;
    print(text);
    int fd = listen_as("ann-secret", "?topics=log:j", "Last-Event-ID: 4;5=16\r\n");
    assert_true(hear(fd, "\"offset\":16,\"text\":\"\\u0001"));
    assert_true(hear(fd, "\\u0001\"}"));
    print("small again");
    assert_true(hear(fd, "\"text\":\"small again\"}"));
    close(fd);
}

/*  Who does not read costs no more than a queue, keeps nobody waiting, and hears of the gap when it reads again. */
static void test_slow(void **state)
{
    enum { BATCHES = 20, HELD_MAX = 2 << 20 }; /* the half of what it does not read */
    char batch[300], last[32];
    (void)state;
    small_windows = true;
    int slow = listen_as("root-secret", "?topics=nodes", "");
    small_windows = false;
    assert_true(hear(slow, "id: "));
    int quick = listen_as("root-secret", "?topics=nodes", "");
    assert_true(hear(quick, "id: "));
    run("PRAGMA cache_size=-64");
    size_t before = memory_held();
    for (int i = 1; i <= BATCHES; i++) {
        snprintf(batch, sizeof(batch),
                 "WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i+1 FROM n WHERE i<99)"
                 " INSERT INTO event(id,at_ms,kind,text)"
                 " SELECT %d+i,1,'NODE_LOST',printf('%%02000d',i) FROM n",
                 1000 * i);
        run(batch);
        snprintf(last, sizeof(last), "id: %d\n", 1000 * i + 99);
        pass_by(quick, last);
    }
    assert_true(memory_held() < before + HELD_MAX);
    pass_by(slow, "event: resync\ndata: {}\n\n");
    run("INSERT INTO event(id,at_ms,kind,text) VALUES(30001,1,'NODE_LOST','after the gap')");
    pass_by(slow, "after the gap");
    pass_by(quick, "after the gap");
    close(slow);
    close(quick);
}

/*  The rows that it has not heard are gone: it is told so, and goes on with what comes. */
static void test_too_late(void **state)
{
    (void)state;
    run("DELETE FROM event WHERE id<30001");
    int fd = listen_as("root-secret", "", "Last-Event-ID: 29999\r\n");
    assert_true(hear(fd, "id: 30001\nevent: resync\ndata: {}\n\n"));
    run("INSERT INTO event(id,at_ms,kind,text) VALUES(30002,1,'NODE_LOST','the next one')");
    assert_true(hear(fd, "the next one"));
    assert_null(strstr(got, "after the gap"));
    close(fd);
    fd = listen_as("root-secret", "", "Last-Event-ID: 30000\r\n"); /* none is missing */
    assert_true(hear(fd, "the next one"));
    assert_non_null(strstr(got, "after the gap"));
    assert_null(strstr(got, "resync"));
    close(fd);
}

static void test_refusals(void **state)
{
    (void)state;
    int fd = listen_as("root-secret", "?topics=jobs,cows", "");
    assert_true(hear(fd, "HTTP/1.1 400"));
    assert_true(hear(fd, "none of them is: cows"));
    close(fd);
    fd = listen_as("ann-secret", "?topics=log:root-job", "");
    assert_true(hear(fd, "HTTP/1.1 404"));
    assert_true(hear(fd, "no such job: root-job"));
    close(fd);
    fd = listen_as("root-secret", "", "Last-Event-ID: 4;5=\r\n");
    assert_true(hear(fd, "HTTP/1.1 400"));
    close(fd);
    fd = listen_as("root-secret", "", "Last-Event-ID: x\r\n");
    assert_true(hear(fd, "HTTP/1.1 400"));
    close(fd);
}

static void test_revoked(void **state)
{
    (void)state;
    int tail = ask_as("ann-secret", "/api/jobs/j/logs/tail", SOCKET_HEADERS);
    assert_true(hear(tail, "HTTP/1.1 101"));
    print("to the tail");
    assert_true(hear(tail, "to the tail"));
    int fd = listen_as("ann-secret", "", "");
    assert_true(hear(fd, "retry:"));
    run("UPDATE token SET revoked_ms=1 WHERE id=102");
    assert_false(hear(fd, "never said"));
    close(fd);
    got[0] = 0;
    assert_true(hear(tail, "the token is not valid any more"));
    close(tail);
    fd = listen_as("ann-secret", "", "");
    assert_true(hear(fd, "HTTP/1.1 401"));
    close(fd);
}

/*  All that a stream says, without HTTP's head and the marks of chunks. */
struct heard {
    int fd;
    char *text;
    size_t n, size, left,
        skip;      /* of a chunk: its size as far as it is read, bytes to come, line end to skip */
    uint32_t ends; /* of the lines before: "\r\n\r\n" */
};

enum { HEARD_MAX = 16 << 20 };

static void take_byte(struct heard *self, char byte)
{
    if (self->ends < 4) {
        self->ends = byte == "\r\n\r\n"[self->ends] ? self->ends + 1 : 0;
    } else if (self->left > 0) {
        assert_true(self->n < HEARD_MAX);
        self->text[self->n++] = byte;
        self->left--;
        self->skip = self->left == 0 ? 2 : 0;
    } else if (self->skip > 0) {
        self->skip--;
    } else if (byte == '\n') {
        self->left = self->size;
        self->size = 0;
    } else if (byte != '\r') {
        self->size = self->size * 16 + (size_t)(byte <= '9' ? byte - '0' : (byte | 32) - 'a' + 10);
    }
}

static void hear_up_to(struct heard *self, const char *end)
{
    char piece[500];
    size_t seen = 0;
    self->text = self->text ? self->text : calloc(1, HEARD_MAX + 1);
    assert_non_null(self->text);
    while (!strstr(self->text + seen, end)) {
        seen = self->n > strlen(end) ? self->n - strlen(end) : 0;
        struct pollfd wait = { self->fd, POLLIN, 0 };
        assert_int_equal(poll(&wait, 1, 30000), 1);
        ssize_t n = recv(self->fd, piece, sizeof(piece), 0);
        assert_true(n > 0);
        for (ssize_t i = 0; i < n; i++) {
            take_byte(self, piece[i]);
        }
    }
}

static size_t count_of(const struct heard *self, const char *what)
{
    size_t count = 0;
    for (const char *at = self->text; (at = strstr(at, what)) != NULL; at++) {
        count++;
    }
    return count;
}

/*  The pieces of the log follow each other; where the last one ends. */
static uint64_t log_heard(const struct heard *self, uint64_t begin)
{
    static const char offset[] = "\"offset\":", text[] = ",\"text\":\"";
    for (const char *at = self->text; (at = strstr(at, offset)) != NULL;) {
        char *end;
        assert_int_equal(strtoull(at + strlen(offset), &end, 10), begin);
        assert_memory_equal(end, text, strlen(text));
        for (at = end + strlen(text); *at != '"'; at++) {
            at += *at == '\\'; /* \n is one letter */
            begin++;
        }
    }
    return begin;
}

/*  More than a queue holds comes at once: who reads it misses no row, and no byte. */
static void test_burst(void **state)
{
    enum { LINES = 20000, ROWS = 450 };
    char id[64];
    (void)state;
    uint64_t begin = log_size();
    snprintf(id, sizeof(id), "Last-Event-ID: 30002;5=%llu\r\n", (unsigned long long)begin);
    small_windows = true;
    struct heard log = { .fd = listen_as("root-secret", "?topics=nodes,log:j", id) };
    struct heard rows = { .fd = listen_as("root-secret", "?topics=nodes",
                                          "Last-Event-ID: 30002\r\n") };
    small_windows = false;
    hear_up_to(&log, "id: ");
    hear_up_to(&rows, "id: ");
    FILE *file = fopen(log_file, "a");
    assert_non_null(file);
    for (int i = 0; i < LINES; i++) {
        assert_true(fprintf(file, "line %08d of what is printed\n", i) > 0);
    }
    assert_int_equal(fclose(file), 0);
    run("WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n WHERE i<450)"
        " INSERT INTO event(id,at_ms,kind,text)"
        " SELECT 30002+i,1,'NODE_LOST',printf('%02000d',i) FROM n");
    hear_up_to(&rows, "id: 30452\n");
    hear_up_to(&log, "line 00019999 of what is printed\\n\"}");
    hear_up_to(&log, "id: 30452;");
    assert_int_equal(log_heard(&log, begin), log_size());
    assert_int_equal(count_of(&log, "\"NODE_LOST\""), ROWS);
    assert_int_equal(count_of(&log, "resync") + count_of(&rows, "resync"), 0);
    free(log.text);
    free(rows.text);
    close(log.fd);
    close(rows.fd);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_resume),   cmocka_unit_test(test_own_only),
        cmocka_unit_test(test_log),      cmocka_unit_test(test_progress),
        cmocka_unit_test(test_large),    cmocka_unit_test(test_slow),
        cmocka_unit_test(test_too_late), cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_revoked),  cmocka_unit_test(test_burst)
    };
    return cmocka_run_group_tests(tests, setup, http_world_close);
}
