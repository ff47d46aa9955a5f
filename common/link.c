/*  link.c - which transport an address wants, and what an address may look like. */
#include "common/link_inside.h"

#include <stdio.h>
#include <string.h>

enum {
    IPC_PATH_MAX = 107, /* of sockaddr_un */
    ADDRESS_MAX = 512
};

#define HTTP      "http://"
#define HTTP_PORT ":80" /* what HTTP means without one */

int link_open(struct link **out, const char *address, const struct member_key *key)
{
    char full[ADDRESS_MAX];
    int rc = link_address(address, full, sizeof(full));
    return rc != OK             ? rc
           : link_is_http(full) ? link_open_http(out, full)
                                : link_open_zmq(out, full, key);
}

void link_close(struct link **self)
{
    if (*self != NULL) {
        (*self)->kind->close(*self);
        *self = NULL;
    }
}

void link_set_token(struct link *self, const char *token)
{
    if (self->kind->set_token != NULL) {
        self->kind->set_token(self, token);
    }
}

struct link_refusal link_refusal(const struct link *self)
{
    return self->refusal;
}

int link_fd(const struct link *self)
{
    return self->kind->fd(self);
}

enum link_news link_next(struct link *self, struct link_frame *out)
{
    return self->kind->next(self, out);
}

void link_frame_free(struct link_frame *frame)
{
    if (frame->owner != NULL) {
        frame->release(frame->owner);
    }
    *frame = (struct link_frame){ 0 };
}

int link_send(struct link *self, const void *p, size_t n)
{
    return n > LINK_FRAME_BYTES_MAX ? ERR_TOO_LARGE : self->kind->send(self, p, n);
}

/* --- addresses ---------------------------------------------------------------------------------- */

static bool port_is_valid(const char *text)
{
    unsigned port = 0;
    size_t digits = 0;
    for (; text[digits] >= '0' && text[digits] <= '9' && digits < 6; digits++) {
        port = port * 10 + (unsigned)(text[digits] - '0');
    }
    return digits > 0 && text[digits] == 0 && port > 0 && port < 65536;
}

/*  "host:port" or "[::1]:port" */
static bool host_is_valid(const char *text)
{
    const char *colon = strrchr(text, ':');
    if (colon == NULL || colon == text || !port_is_valid(colon + 1)) {
        return false;
    }
    size_t n = (size_t)(colon - text);
    if (text[0] == '[') {
        return text[n - 1] == ']' && n > 2;
    }
    for (size_t i = 0; i < n; i++) {
        char c = text[i];
        bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
        if (!letter && c != '.' && c != '-' && c != '_') {
            return false;
        }
    }
    return true;
}

static bool starts(const char *text, const char *with)
{
    return strncmp(text, with, strlen(with)) == 0;
}

bool link_is_http(const char *address)
{
    return starts(address, HTTP);
}

static int put_address(char *out, size_t capacity, const char *prefix, const char *rest)
{
    int n = snprintf(out, capacity, "%s%s", prefix, rest);
    return n >= 0 && (size_t)n < capacity ? OK : ERR_INVALID;
}

/*  "host[:port][/]" */
static int http_address(const char *text, char *out, size_t capacity)
{
    char host[ADDRESS_MAX];
    size_t n = strlen(text);
    n -= n > 0 && text[n - 1] == '/';
    const char *bracket = memchr(text, ']', n);
    const char *from = bracket != NULL ? bracket : text;
    bool has_port = memchr(from, ':', n - (size_t)(from - text)) != NULL;
    if (n + sizeof(HTTP_PORT) > sizeof(host)) {
        return ERR_INVALID;
    }
    memcpy(host, text, n);
    memcpy(host + n, has_port ? "" : HTTP_PORT, has_port ? 1 : sizeof(HTTP_PORT));
    return host_is_valid(host) ? put_address(out, capacity, HTTP, host) : ERR_INVALID;
}

int link_address(const char *text, char *out, size_t capacity)
{
    static const char tcp[] = "tcp://";
    static const char ipc[] = "ipc://";
    if (starts(text, ipc)) {
        size_t n = strlen(text) - (sizeof(ipc) - 1);
        return n == 0 || n > IPC_PATH_MAX ? ERR_INVALID : put_address(out, capacity, "", text);
    }
    if (link_is_http(text)) {
        return http_address(text + sizeof(HTTP) - 1, out, capacity);
    }
    const char *host = starts(text, tcp) ? text + sizeof(tcp) - 1 : text;
    return host_is_valid(host) ? put_address(out, capacity, tcp, host) : ERR_INVALID;
}

const char *link_address_wrong(const char *text)
{
    return starts(text, "https://")
               ? "https is not spoken: write http://HOST:PORT through a port-forward, or "
                 "tcp://HOST:PORT, which is encrypted by the cluster's keys"
               : "write HOST:PORT, tcp://HOST:PORT, ipc://PATH or http://HOST:PORT";
}
