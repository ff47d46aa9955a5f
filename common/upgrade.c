/*  upgrade.c - the few words of HTTP/1.1 that a WebSocket begins with (RFC 6455, section 4.1). */
#include "common/upgrade.h"

#include <stdio.h>
#include <strings.h>

#define GREETING 0xff /* the first byte of a ZeroMQ peer */

static bool token_valid(const char *token)
{
    for (const char *p = token; *p != 0; p++) {
        if (*p <= ' ' || *p > '~') {
            return false;
        }
    }
    return true;
}

int upgrade_write(const struct upgrade_request *request, char *out, size_t capacity)
{
    const char *token = request->token;
    if (token != NULL && !token_valid(token)) {
        return ERR_TOKEN;
    }
    int n = snprintf(out, capacity,
                     "GET %s HTTP/1.1\r\nHost: %s\r\nUser-Agent: rayc/" RAYC_VERSION "\r\n"
                     "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
                     "Sec-WebSocket-Key: %s\r\n%s%s%s\r\n",
                     request->path, request->host, request->key,
                     token != NULL ? "Authorization: Bearer " : "", token != NULL ? token : "",
                     token != NULL ? "\r\n" : "");
    return n >= 0 && (size_t)n < capacity ? n : ERR_TOO_LARGE;
}

/*  Bytes up to and with the empty line; 0: it has not come. */
static size_t head_bytes(struct slice bytes)
{
    for (size_t i = 3; i < bytes.n; i++) {
        if (memcmp(bytes.p + i - 3, "\r\n\r\n", 4) == 0) {
            return i + 1;
        }
    }
    return 0;
}

static struct slice trim(struct slice text)
{
    while (text.n > 0 && (text.p[0] == ' ' || text.p[0] == '\t')) {
        text = slice_of(text.p + 1, text.n - 1);
    }
    while (text.n > 0 && (text.p[text.n - 1] == ' ' || text.p[text.n - 1] == '\t')) {
        text.n--;
    }
    return text;
}

static bool same_letters(struct slice a, const char *b)
{
    return a.n == strlen(b) && strncasecmp((const char *)a.p, b, a.n) == 0;
}

/*  The value of a header; of several, the first. */
static struct slice header(struct slice head, const char *name)
{
    while (head.n > 0) {
        const uint8_t *end = memmem(head.p, head.n, "\r\n", 2);
        size_t n = end != NULL ? (size_t)(end - head.p) : head.n;
        const uint8_t *colon = memchr(head.p, ':', n);
        size_t name_n = colon != NULL ? (size_t)(colon - head.p) : 0;
        if (colon != NULL && same_letters(slice_of(head.p, name_n), name)) {
            return trim(slice_of(colon + 1, n - name_n - 1));
        }
        size_t step = end != NULL ? n + 2 : n;
        head = slice_of(head.p + step, head.n - step);
    }
    return (struct slice){ 0 };
}

/*  "HTTP/1.1 101 Switching Protocols", as far as it has come. */
static bool begins_as_http(struct slice bytes)
{
    static const char prefix[] = "HTTP/1.";
    size_t n = bytes.n < sizeof(prefix) - 1 ? bytes.n : sizeof(prefix) - 1;
    return n == 0 || memcmp(bytes.p, prefix, n) == 0;
}

static uint32_t status_of(struct slice head)
{
    enum { AT = sizeof("HTTP/1.1 ") - 1, DIGITS = 3 };
    uint32_t status = 0;
    for (size_t i = AT; i < AT + DIGITS; i++) {
        if (i >= head.n || head.p[i] < '0' || head.p[i] > '9') {
            return 0;
        }
        status = status * 10 + (uint32_t)(head.p[i] - '0');
    }
    return status;
}

struct upgrade_reply upgrade_read(struct slice bytes, const char *accept)
{
    if (bytes.n > 0 && bytes.p[0] == GREETING) {
        return (struct upgrade_reply){ .answer = UPGRADE_ZMQ };
    }
    if (!begins_as_http(bytes)) {
        return (struct upgrade_reply){ .answer = UPGRADE_NOT_HTTP };
    }
    struct upgrade_reply reply = { .answer = UPGRADE_MORE, .n = head_bytes(bytes) };
    if (reply.n == 0) {
        return reply;
    }
    struct slice head = slice_of(bytes.p, reply.n);
    reply.status = status_of(head);
    if (reply.status != 101) {
        reply.answer = reply.status == 0 ? UPGRADE_NOT_HTTP : UPGRADE_STATUS;
        return reply;
    }
    bool ours = same_letters(header(head, "Upgrade"), "websocket") &&
                slice_same(header(head, "Sec-WebSocket-Accept"), slice_text(accept));
    reply.answer = ours ? UPGRADE_DONE : UPGRADE_UNKNOWN;
    return reply;
}

static const struct {
    uint32_t status;
    int code;
    const char *text;
} refusals[] = {
    { 401, ERR_TOKEN, "refused the token: it is wrong, expired or revoked" },
    { 403, ERR_FORBIDDEN,
      "does not let the owner of this token in here: it may be for workers or metrics only" },
    { 404, ERR_VERSION,
      "is no head of rayc, or an older one: it has no such path (Ray's dashboard has the same "
      "port)" },
    { 408, OK, "the head is busy" },
    { 421, ERR_FORBIDDEN,
      "does not answer to this name: use localhost or an IP address, or allow the name where the "
      "head is started" },
    { 429, OK, "the head is busy" },
};

struct upgrade_refusal upgrade_refusal(uint32_t status, bool had_token)
{
    if (status == 401 && !had_token) {
        return (struct upgrade_refusal){ ERR_TOKEN, "wants a token: use rayc login ADDRESS once, "
                                                    "or set RAYC_TOKEN or RAYC_TOKEN_FILE" };
    }
    for (size_t i = 0; i < COUNT(refusals); i++) {
        if (refusals[i].status == status) {
            return (struct upgrade_refusal){ refusals[i].code, refusals[i].text };
        }
    }
    return status >= 500 ? (struct upgrade_refusal){ OK, "the head is not ready" }
                         : (struct upgrade_refusal){ ERR_UNREACHABLE,
                                                     "answers with HTTP status %u: is it a head?" };
}
