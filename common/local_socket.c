/*  local_socket.c - SOCK_SEQPACKET.  Names are looked up from their folder: a socket's path may have 107 bytes only. */
#include "common/local_socket.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>
#include "common/file.h"

enum { BACKLOG = 128 };

/*  The folder, to be closed; below zero: errno. */
static int address_of(const char *path, struct sockaddr_un *out)
{
    char folder[PATH_BYTES];
    const char *slash = strrchr(path, '/');
    if (slash == NULL || slash == path || (size_t)(slash - path) >= sizeof(folder)) {
        errno = EINVAL;
        return -1;
    }
    memcpy(folder, path, (size_t)(slash - path));
    folder[slash - path] = 0;
    int fd = open(folder, O_PATH | O_DIRECTORY | O_CLOEXEC);
    *out = (struct sockaddr_un){ .sun_family = AF_UNIX };
    int n = snprintf(out->sun_path, sizeof(out->sun_path), "/proc/self/fd/%d%s", fd, slash);
    if (fd >= 0 && (n < 0 || (size_t)n >= sizeof(out->sun_path))) {
        close(fd);
        errno = ENAMETOOLONG;
        return -1;
    }
    return fd;
}

int local_listen(const char *path)
{
    struct sockaddr_un address;
    (void)unlink(path);
    int folder = address_of(path, &address);
    int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    bool listens = folder >= 0 && fd >= 0 &&
                   bind(fd, (const struct sockaddr *)&address, sizeof(address)) == 0 &&
                   chmod(path, 0666) == 0 && listen(fd, BACKLOG) == 0;
    if (folder >= 0) {
        close(folder);
    }
    if (!listens && fd >= 0) {
        close(fd);
    }
    return listens ? fd : ERR_SYSTEM;
}

int local_accept(int listener)
{
    int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    return fd < 0 ? ERR_SYSTEM : fd;
}

int local_connect(const char *path)
{
    struct sockaddr_un address;
    int folder = address_of(path, &address);
    int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
    bool connected = folder >= 0 && fd >= 0 &&
                     connect(fd, (const struct sockaddr *)&address, sizeof(address)) == 0;
    int error = errno;
    if (folder >= 0) {
        close(folder);
    }
    if (!connected && fd >= 0) {
        close(fd);
    }
    return connected                                                      ? fd
           : error == ENOENT || error == ECONNREFUSED || error == ENOTDIR ? ERR_NOT_FOUND
                                                                          : ERR_SYSTEM;
}

union passed {
    struct cmsghdr head;
    uint8_t bytes[CMSG_SPACE(sizeof(int))];
};

bool local_send(int fd, struct slice packet, int passed)
{
    union passed control = { .bytes = { 0 } };
    struct iovec part = { (void *)(uintptr_t)packet.p, packet.n };
    struct msghdr message = { .msg_iov = &part, .msg_iovlen = 1 };
    if (passed >= 0) {
        message.msg_control = &control;
        message.msg_controllen = sizeof(control);
        control.head.cmsg_level = SOL_SOCKET;
        control.head.cmsg_type = SCM_RIGHTS;
        control.head.cmsg_len = CMSG_LEN(sizeof(int));
        memcpy(CMSG_DATA(&control.head), &passed, sizeof(int));
    }
    ssize_t n;
    do {
        n = sendmsg(fd, &message, MSG_NOSIGNAL);
    } while (n < 0 && errno == EINTR);
    return n == (ssize_t)packet.n;
}

int local_receive(int fd, uint8_t packet[LOCAL_PACKET_MAX], int *passed)
{
    union passed control;
    struct iovec part = { packet, LOCAL_PACKET_MAX };
    struct msghdr message = { .msg_iov = &part,
                              .msg_iovlen = 1,
                              .msg_control = passed ? &control : NULL,
                              .msg_controllen = passed ? sizeof(control) : 0 };
    ssize_t n;
    do {
        n = recvmsg(fd, &message, MSG_CMSG_CLOEXEC);
    } while (n < 0 && errno == EINTR);
    const struct cmsghdr *head = n > 0 && passed ? CMSG_FIRSTHDR(&message) : NULL;
    if (passed) {
        *passed = -1;
    }
    if (head != NULL && head->cmsg_level == SOL_SOCKET && head->cmsg_type == SCM_RIGHTS) {
        memcpy(passed, CMSG_DATA(head), sizeof(int));
    }
    return (int)n;
}
