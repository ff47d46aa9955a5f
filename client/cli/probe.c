/*  probe.c - one request of HTTP, and a look at the first bytes of the answer. */
#include "client/cli/probe.h"

#include <errno.h>
#include <netdb.h>
#include <poll.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>
#include "common/link.h"

enum { PROBE_MS = 500, ADDRESS_MAX = 512 };

static bool wait_for(int fd, short events)
{
    struct pollfd item = { fd, events, 0 };
    return poll(&item, 1, PROBE_MS) > 0;
}

static bool answers_http(int fd)
{
    static const char request[] = "GET /healthz/live HTTP/1.0\r\n\r\n";
    char answer[8] = "";
    return wait_for(fd, POLLOUT) &&
           send(fd, request, sizeof(request) - 1, MSG_NOSIGNAL) == (ssize_t)sizeof(request) - 1 &&
           wait_for(fd, POLLIN) && recv(fd, answer, sizeof(answer) - 1, 0) >= 5 &&
           strncmp(answer, "HTTP/", 5) == 0;
}

static bool probe_one(const struct addrinfo *at)
{
    int fd = socket(at->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0) {
        return false;
    }
    bool connects = connect(fd, at->ai_addr, at->ai_addrlen) == 0 || errno == EINPROGRESS;
    bool answers = connects && answers_http(fd);
    close(fd);
    return answers;
}

bool probe_http(const char *address)
{
    char full[ADDRESS_MAX];
    if (link_address(address, full, sizeof(full)) != OK || strncmp(full, "tcp://", 6) != 0) {
        return false;
    }
    char *host = full + 6;
    char *colon = strrchr(host, ':');
    *colon = 0;
    if (*host == '[') {
        host++;
        colon[-1] = 0;
    }
    const struct addrinfo wanted = { .ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM };
    struct addrinfo *found = NULL;
    if (getaddrinfo(host, colon + 1, &wanted, &found) != 0) {
        return false;
    }
    bool answers = false;
    for (const struct addrinfo *at = found; at != NULL && !answers; at = at->ai_next) {
        answers = probe_one(at);
    }
    freeaddrinfo(found);
    return answers;
}
