/*  http_client.h - a client of HTTP for tests: raw bytes over a socket, and what has come back, as one text. */
#ifndef RAYC_TEST_HTTP_CLIENT_H
#define RAYC_TEST_HTTP_CLIENT_H
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>
#include <arpa/inet.h>
#include <malloc.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>

#include "common/base.h"

enum { PATIENCE_MS = 30000 };

#define SOCKET_HEADERS                                                                             \
    "Connection: keep-alive, Upgrade\r\nUpgrade: websocket\r\n"                                    \
    "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"

static char got[1 << 18]; /* since it was emptied */

/*  Of "http://127.0.0.1:PORT". */
static inline uint16_t port_of(const char *address)
{
    return (uint16_t)atoi(strrchr(address, ':') + 1);
}

/*  `prepare`, if any, sets the socket's options. */
static inline int dial_with(uint16_t port, void (*prepare)(int fd))
{
    struct sockaddr_in to = { .sin_family = AF_INET,
                              .sin_port = htons(port),
                              .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(fd >= 0);
    if (prepare) {
        prepare(fd);
    }
    assert_int_equal(connect(fd, (struct sockaddr *)&to, sizeof(to)), 0);
    got[0] = 0;
    return fd;
}

static inline void send_all(int fd, const void *bytes, size_t n)
{
    for (const char *p = bytes; n > 0;) {
        ssize_t sent = send(fd, p, n, MSG_NOSIGNAL);
        if (sent <= 0) {
            return; /* the server has said enough */
        }
        p += sent;
        n -= (size_t)sent;
    }
}

/*  Reads until `what` is there or the connection ends; true: it is there. */
static inline bool hear(int fd, const char *what)
{
    size_t n = strlen(got);
    while (!strstr(got, what)) {
        struct pollfd wait = { fd, POLLIN, 0 };
        assert_int_equal(poll(&wait, 1, PATIENCE_MS), 1);
        ssize_t more = recv(fd, got + n, sizeof(got) - 1 - n, 0);
        if (more <= 0) {
            return false;
        }
        n += (size_t)more;
        got[n] = 0;
    }
    return true;
}

/*  Is the connection closed by the other side? */
static inline bool ends(int fd)
{
    got[0] = 0;
    return !hear(fd, "\1");
}

/*  The status of the reply to these bytes; 0: the connection was closed without one. */
static inline int ask_of(uint16_t port, const void *bytes, size_t n)
{
    int status = 0;
    int fd = dial_with(port, NULL);
    send_all(fd, bytes, n);
    if (hear(fd, "\r\n\r\n")) {
        sscanf(got, "HTTP/1.1 %d", &status);
        shutdown(fd, SHUT_WR);
        hear(fd, "\1"); /* the rest */
    }
    close(fd);
    return status;
}

/*  Of the whole process, the server in it, too. */
static inline size_t memory_held(void)
{
    struct mallinfo2 all = mallinfo2();
    return all.uordblks + all.hblkhd;
}
#endif
