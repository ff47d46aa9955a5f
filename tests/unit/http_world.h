/*  http_world.h - the head's HTTP server on a database of the test's own.  Who changes something speaks to the loop, which
    is the test itself. */
#ifndef RAYC_TEST_HTTP_WORLD_H
#define RAYC_TEST_HTTP_WORLD_H
#include "tests/unit/http_client.h"

#include <fcntl.h>
#include <sodium.h>
#include <sys/stat.h>

#include "common/tree.h"
#include "head/http.h"
#include "head/store.h"

struct http_world {
    char folder[64], logs[80], database[80];
    sqlite3 *db; /* of the test, which writes */
    struct door *door;
    struct http *http;
};

static struct http_world world;

static inline void run(const char *sql)
{
    if (sqlite3_exec(world.db, sql, NULL, NULL, NULL) != SQLITE_OK) {
        fail_msg("%s: %s", sqlite3_errmsg(world.db), sql);
    }
    http_pulse(world.http); /* as the loop says it after a commit */
}

/*  `rows` follow users root (11, ADMIN) and ann (12, USER), with tokens 101 root-secret and 102 ann-secret. */
static inline int http_world_open(const char *rows)
{
    struct store *store = NULL;
    struct diag why = { 0 };
    static const char *const names[] = { "root", "ann" };
    snprintf(world.folder, sizeof(world.folder), "/tmp/rayc-http-XXXXXX");
    assert_non_null(mkdtemp(world.folder));
    snprintf(world.database, sizeof(world.database), "%s/rayc.db", world.folder);
    snprintf(world.logs, sizeof(world.logs), "%s/logs", world.folder);
    assert_int_equal(mkdir(world.logs, 0700), 0);
    assert_int_equal(store_open(&store, world.database, &why), OK);
    store_close(&store);
    assert_int_equal(sqlite3_open(world.database, &world.db), SQLITE_OK);
    run("PRAGMA journal_mode=WAL");
    for (int i = 0; i < 2; i++) {
        uint8_t hash[TOKEN_HASH_BYTES];
        char secret[32], hex[2 * TOKEN_HASH_BYTES + 1], sql[400];
        int n = snprintf(secret, sizeof(secret), "%s-secret", names[i]);
        crypto_generichash(hash, sizeof(hash), (const uint8_t *)secret, (size_t)n, NULL, 0);
        sodium_bin2hex(hex, sizeof(hex), hash, sizeof(hash));
        snprintf(sql, sizeof(sql),
                 "INSERT INTO user(id,name,role,disabled,jobs_max,tasks_max,created_ms)"
                 " VALUES(%d,'%s',%d,0,-1,-1,1);"
                 "INSERT INTO token(id,user,name,role,hash,created_ms,expires_ms)"
                 " VALUES(%d,%d,'t',%d,x'%s',1,0)",
                 11 + i, names[i], ROLE_ADMIN + i, 101 + i, 11 + i, ROLE_ADMIN + i, hex);
        run(sql);
    }
    run(rows);
    assert_int_equal(door_open(&world.door), OK);
    const struct http_options options = { .state_dir = world.folder,
                                          .database = world.database,
                                          .host = "127.0.0.1",
                                          .door = world.door };
    return http_open(&world.http, &options, &why);
}

/*  Logs are removed, too. */
static inline int http_world_close(void **state)
{
    (void)state;
    door_end(world.door);
    http_close(&world.http);
    door_close(&world.door);
    sqlite3_close(world.db);
    remove_tree(AT_FDCWD, world.folder);
    return 0;
}

/*  What the loop hears next. */
static inline enum net_news loop_hears(struct net_event *out)
{
    enum net_news news;
    door_release(world.door);
    while ((news = door_next(world.door, out)) == NET_NOTHING) {
        struct pollfd wait = { door_fd(world.door), POLLIN, 0 };
        assert_int_equal(poll(&wait, 1, PATIENCE_MS), 1);
    }
    return news;
}

static inline void loop_says(uint32_t peer, enum msg_kind kind, const void *msg)
{
    uint8_t bytes[512];
    struct wire frame = { bytes, 0, sizeof(bytes), false };
    proto_put(&frame, kind, msg);
    door_send(world.door, peer, slice_of(frame.p, frame.n));
}

/*  Says it; the reply is for hear(). */
static inline int say_as(const char *secret, const char *line, const char *headers,
                         const char *body)
{
    static char request[1 << 16];
    int fd = dial_with(port_of(http_address(world.http)), NULL);
    int n = snprintf(request, sizeof(request),
                     "%s HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer %s\r\n"
                     "Content-Length: %zu\r\n%s\r\n%s",
                     line, secret, strlen(body), headers, body);
    assert_true(n < (int)sizeof(request));
    send_all(fd, request, (size_t)n);
    return fd;
}
#endif
