/*  web_rules_head.c - the head of a request in the strict sense of RFC 9112, beyond what libmicrohttpd checks.

    Two servers that read the same bytes as different requests let one request hide in another.  So one Host, one
    Content-Length or one Transfer-Encoding, no folded lines, and lines that end with CRLF only.  libmicrohttpd
    0.9.75 takes the last two silently; but it leaves the head in one piece and puts a NUL for each byte of a line's
    end, and a folded line elsewhere, so that both can be seen.  web_test.c asks it over a raw socket. */
#include "common/web/web_inside.h"

#include <ctype.h>
#include <strings.h>

struct head {
    uint32_t hosts, lengths, codings, authorizations, types;
    bool coding_ok, length_ok;
    bool folded, bad_name, bad_value;
    const char *end; /* of the line before: where its CR was */
};

static bool is_token(const char *text)
{
    for (const char *p = text; *p; p++) {
        if (!isalnum((unsigned char)*p) && !strchr("!#$%&'*+-.^_`|~", *p)) {
            return false;
        }
    }
    return text[0] != 0;
}

static bool is_value(const char *text)
{
    for (const uint8_t *p = (const uint8_t *)text; *p; p++) {
        if ((*p < 0x20 && *p != '\t') || *p == 0x7F) {
            return false;
        }
    }
    return true;
}

#if MHD_VERSION < 0x00097600
/*  Does this line begin where the one before ended, with both bytes of its end turned to NULs? */
static bool follows(const struct head *head, const char *name, const char *value)
{
    const char *p = name + strlen(name) + 1;
    if (head->end && (head->end[1] != 0 || name != head->end + 2)) {
        return false;
    }
    while (p < value && (*p == ' ' || *p == '\t')) {
        p++;
    }
    return p == value;
}

static const char *end_of(const char *value)
{
    return value + strlen(value);
}
#else
/*  Later ones refuse these lines by themselves. */
static bool follows(const struct head *head, const char *name, const char *value)
{
    (void)head;
    (void)name;
    (void)value;
    return true;
}

static const char *end_of(const char *value)
{
    (void)value;
    return NULL;
}
#endif

static enum MHD_Result look(void *context, enum MHD_ValueKind kind, const char *name,
                            const char *value)
{
    struct head *head = context;
    (void)kind;
    value = value ? value : "";
    head->folded = head->folded || !follows(head, name, value);
    head->end = end_of(value);
    head->bad_name = head->bad_name || !is_token(name);
    head->bad_value = head->bad_value || !is_value(value);
    if (strcasecmp(name, "Host") == 0) {
        head->hosts++;
    } else if (strcasecmp(name, "Content-Length") == 0) {
        head->lengths++;
        size_t n = strspn(value, "0123456789");
        head->length_ok = n > 0 && n < 19 && value[n] == 0;
    } else if (strcasecmp(name, "Transfer-Encoding") == 0) {
        head->codings++;
        head->coding_ok = strcasecmp(value, "chunked") == 0;
    } else if (strcasecmp(name, "Authorization") == 0) {
        head->authorizations++;
    } else if (strcasecmp(name, "Content-Type") == 0) {
        head->types++;
    }
    return MHD_YES;
}

const char *web_head_wrong(struct web_call *call, const char *method, const char *version)
{
    struct head head = { .end = end_of(version) };
    if (strcmp(version, "HTTP/1.1") != 0 && strcmp(version, "HTTP/1.0") != 0) {
        return "the version is not HTTP/1.1 or HTTP/1.0";
    }
    mhd.get_connection_values(call->connection, MHD_HEADER_KIND, look, &head);
    head.folded = head.folded || (head.end && head.end[1] != 0); /* of the last line: a NUL in it */
    call->has_body = head.lengths + head.codings > 0;
    const struct {
        bool wrong;
        const char *why;
    } rules[] = {
        { !is_token(method), "the method is not a token" },
        { head.folded, "a header line is folded, has a NUL, or does not end with CRLF" },
        { head.bad_name, "the name of a header is not a token" },
        { head.bad_value, "a header has control characters" },
        { head.hosts != 1, "there is not exactly one Host" },
        { head.lengths > 1, "there is more than one Content-Length" },
        { head.codings > 1, "there is more than one Transfer-Encoding" },
        { head.lengths && head.codings, "there is a Content-Length and a Transfer-Encoding" },
        { head.lengths && !head.length_ok, "the Content-Length is not a number" },
        { head.codings && !head.coding_ok, "a Transfer-Encoding other than chunked is not taken" },
        { head.codings && strcmp(version, "HTTP/1.0") == 0, "HTTP/1.0 has no Transfer-Encoding" },
        { head.authorizations > 1, "there is more than one Authorization" },
        { head.types > 1, "there is more than one Content-Type" },
    };
    for (size_t i = 0; i < COUNT(rules); i++) {
        if (rules[i].wrong) {
            return rules[i].why;
        }
    }
    return NULL;
}
