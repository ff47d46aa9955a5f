/*  http_api_test.c - what /api/v1 and Ray's paths answer where the loop, the log or the body is not as one would like. */
#include "tests/unit/http_world.h"

static int setup(void **state)
{
    (void)state;
    int rc =
        http_world_open("INSERT INTO job(id,submission,kind,state,owner) VALUES(5,'j',2,3,12)");
    char path[128];
    snprintf(path, sizeof(path), "%s/job-5.log", world.logs);
    FILE *log = fopen(path, "w");
    assert_non_null(log);
    assert_true(fputs("one\ntwo\n", log) >= 0);
    assert_int_equal(fclose(log), 0);
    return rc;
}

/*  The status of the reply, which is then in `got`. */
static int status_of(int fd)
{
    int status = 0;
    if (hear(fd, "\r\n\r\n")) {
        sscanf(got, "HTTP/1.1 %d", &status);
        shutdown(fd, SHUT_WR);
        hear(fd, "\1"); /* the rest */
    }
    close(fd);
    return status;
}

static int ask_as(const char *secret, const char *line, const char *body)
{
    return status_of(say_as(secret, line, "", body));
}

/*  A request of ann's that the loop refuses so. */
static int refused(const char *line, enum msg_kind kind, int code)
{
    struct net_event event;
    struct msg msg;
    int fd = say_as("ann-secret", line, "", "");
    assert_int_equal(loop_hears(&event), NET_FRAME); /* HELLO */
    assert_int_equal(loop_hears(&event), NET_FRAME);
    assert_int_equal(proto_decode(event.bytes, &msg, NULL), OK);
    assert_int_equal(msg.kind, kind);
    loop_says(event.peer, MSG_REFUSED,
              &(struct msg_refused){ msg.as.seq, (uint32_t)code, slice_text("it is so") });
    assert_int_equal(loop_hears(&event), NET_GONE);
    return status_of(fd);
}

static void logs_say_where_they_end(void **state)
{
    (void)state;
    assert_int_equal(ask_as("ann-secret", "GET /api/v1/jobs/j/logs?tail=1", ""), 200);
    assert_non_null(strstr(got, "X-Rayc-Offset: 8\r\n"));
    assert_non_null(strstr(got, "\r\n\r\n"));
    assert_non_null(strstr(got, "two\n"));
    assert_null(strstr(got, "one\n"));
}

/*  Somebody else deletes it, say. */
static void a_conflict_is_an_answer(void **state)
{
    (void)state;
    assert_int_equal(refused("DELETE /api/v1/jobs/j", MSG_JOB_DELETE, ERR_CONFLICT), 409);
    assert_int_equal(refused("DELETE /api/jobs/j", MSG_JOB_DELETE, ERR_CONFLICT), 500);
    assert_non_null(strstr(got, "RuntimeError: it is so"));
}

static void bodies_are_read_with_care(void **state)
{
    char deep[8192];
    (void)state;
    for (size_t i = 0; i < sizeof(deep) - 6; i += 5) {
        memcpy(deep + i, "{\"a\":", 6);
    }
    static const char *const paths[] = { "POST /api/v1/users", "POST /api/v1/tokens",
                                         "POST /api/v1/jobs" };
    for (size_t i = 0; i < COUNT(paths); i++) {
        assert_int_equal(ask_as("ann-secret", paths[i], deep), 400);
        assert_non_null(strstr(got, "nested more than 64 deep"));
    }
    assert_int_equal(
        ask_as("ann-secret", "POST /api/v1/tokens", "{\"expires_in_seconds\":18446744073709551}"),
        400);
    assert_non_null(strstr(got, "expires_in_seconds"));
}

/*  Who asks is not told that the token is wrong, or that there is nothing. */
static void a_database_that_cannot_be_read_is_an_error(void **state)
{
    (void)state;
    run("ALTER TABLE token RENAME TO away");
    assert_int_equal(ask_as("ann-secret", "GET /api/v1/whoami", ""), 500);
    assert_null(strstr(got, "WWW-Authenticate"));
    run("ALTER TABLE away RENAME TO token");
    assert_int_equal(ask_as("ann-secret", "GET /api/v1/whoami", ""), 200);
    assert_int_equal(ask_as("else", "GET /api/v1/whoami", ""), 401);
}

/*  The end of the head does not wait for it. */
static void a_question_without_end_is_ended(void **state)
{
    (void)state;
    run("DROP TABLE event;"
        "CREATE VIEW event(id,at_ms,kind,job,node,task,text) AS WITH RECURSIVE n(i) AS"
        " (SELECT 1 UNION ALL SELECT i+1 FROM n) SELECT i,1,'X',NULL,NULL,NULL,'x'||i FROM n");
    int fd = say_as("root-secret", "GET /api/v1/events?filter=text=never", "", "");
    assert_int_equal(ask_as("root-secret", "GET /api/v1/whoami", ""), 200);
    alarm(PATIENCE_MS / 1000);
    http_close(&world.http);
    alarm(0);
    close(fd);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(logs_say_where_they_end),
        cmocka_unit_test(a_conflict_is_an_answer),
        cmocka_unit_test(bodies_are_read_with_care),
        cmocka_unit_test(a_database_that_cannot_be_read_is_an_error),
        cmocka_unit_test(a_question_without_end_is_ended), /* the last: it ends the server */
    };
    return cmocka_run_group_tests(tests, setup, http_world_close);
}
