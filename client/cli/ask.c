/*  ask.c - a connection over common/link, kept alive from inside the waits. */
#include "client/cli/ask.h"

#include <errno.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include "client/cli/probe.h"
#include "common/access.h"
#include "common/clock.h"
#include "common/file.h"
#include "common/link.h"
#include "common/place.h"

enum {
    HELLO_AGAIN_MS = 1000,
    BEAT_MS_DEFAULT = 1000,
    TURN_MS = 1000,
    LOST_TURN_MS = 100,
    ADDRESS_BYTES = PATH_BYTES + 16
};

#define HTTP_HELP                                                                                  \
    ": HTTP is spoken on this port; write http:// in front of it, or the head's own port"

struct ask {
    struct link *link;
    struct link_frame frame; /* what the last message borrows from */
    uint8_t *buffer;         /* FRAME_MAX bytes, touched as far as a request needs */
    uint64_t seq;
    uint64_t epoch; /* of the newest head met */
    uint32_t generation;
    bool up;       /* the connection stands */
    bool welcomed; /* and the head has answered HELLO on it */
    bool embedded;
    uint32_t beat_ms;
    uint64_t hello_at, beat_at; /* when each was sent last */
    uint64_t lost_at;           /* since when nobody has answered */
    uint64_t turn_at;           /* when to.turn was called last */
    struct ask_to to;
    char address[ADDRESS_BYTES];
    char token[ACCESS_TOKEN_MAX + 1]; /* what HELLO was said with last */
    char version[NAME_MAX_BYTES + 1];
    char user[NAME_MAX_BYTES + 1];
    char place[HASH_TEXT + 1]; /* of the head: common/place.h */
    uint32_t may;
    char text[ADDRESS_BYTES + 1024];
};

__attribute__((format(printf, 3, 4))) static int failed(struct ask *self, int code,
                                                        const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vsnprintf(self->text, sizeof(self->text), format, args);
    va_end(args);
    return code;
}

const char *ask_text(const struct ask *self)
{
    return self->text;
}

uint32_t ask_generation(const struct ask *self)
{
    return self->generation;
}

bool ask_connected(const struct ask *self)
{
    return self->welcomed;
}

const char *ask_version(const struct ask *self)
{
    return self->version;
}

const char *ask_address(const struct ask *self)
{
    return self->address;
}

const char *ask_user(const struct ask *self)
{
    return self->user;
}

uint32_t ask_may(const struct ask *self)
{
    return self->may;
}

bool ask_embedded(const struct ask *self)
{
    return self->embedded;
}

bool ask_near(const struct ask *self)
{
    char place[HASH_TEXT_BYTES];
    place_find(place);
    return strcmp(self->place, place) == 0;
}

static int send_as(struct ask *self, enum msg_kind kind, const void *value)
{
    struct wire wire = { self->buffer, 0, FRAME_MAX, false };
    proto_put(&wire, kind, value);
    if (wire.full) {
        return failed(self, ERR_TOO_LARGE, "the request is larger than a frame of %d MiB",
                      FRAME_MAX / MIB);
    }
    int rc = link_send(self->link, wire.p, wire.n);
    return rc == OK
               ? OK
               : failed(self, rc, "cannot send to the head at %s: %s", self->address, err_text(rc));
}

int ask_send(struct ask *self, enum msg_kind kind, void *request)
{
    uint64_t seq = ++self->seq;
    memcpy(request, &seq, sizeof(seq)); /* every message starts with seq */
    return send_as(self, kind, request);
}

static void take_token(struct ask *self)
{
    if (self->to.token == NULL) {
        (void)token_renew("admin.key", self->address,
                          self->token); /* it may be another one by now */
    } else if (!slice_copy_text(slice_text(self->to.token), self->token, sizeof(self->token))) {
        self->token[0] = 0;
    }
}

static int say_hello(struct ask *self, uint64_t now)
{
    self->welcomed = false;
    self->hello_at = now;
    take_token(self);
    struct msg_hello hello = { .major = PROTO_MAJOR,
                               .minor = PROTO_MINOR,
                               .role = 1,
                               .version = slice_text(RAYC_VERSION),
                               .epoch = self->epoch,
                               .token = slice_text(self->token) };
    return ask_send(self, MSG_HELLO, &hello);
}

static int on_welcome(struct ask *self, const struct msg_welcome *msg, uint64_t now)
{
    slice_copy_text(msg->version, self->version, sizeof(self->version));
    if (msg->major != PROTO_MAJOR) {
        return failed(
            self, ERR_VERSION,
            "the head at %s is rayc %s and speaks protocol %u; this is rayc %s with protocol %d: "
            "install the same version on both sides",
            self->address, self->version, msg->major, RAYC_VERSION, PROTO_MAJOR);
    }
    if (msg->epoch < self->epoch) {
        return failed(self, ERR_STALE,
                      "the head at %s has epoch %llu, but one with epoch %llu was met before: it "
                      "is an old head, or "
                      "an old copy of its state folder; stop it",
                      self->address, (unsigned long long)msg->epoch,
                      (unsigned long long)self->epoch);
    }
    self->epoch = msg->epoch;
    self->may = msg->may;
    slice_copy_text(msg->user, self->user, sizeof(self->user));
    self->embedded = msg->embedded;
    slice_copy_text(msg->place, self->place, sizeof(self->place));
    self->beat_ms = msg->beat_ms ? msg->beat_ms : BEAT_MS_DEFAULT;
    self->welcomed = true;
    self->lost_at = 0;
    self->beat_at = now;
    self->generation++;
    return OK;
}

/*  What the connection itself needs now: HELLO again, a beat, giving up. */
static int keep_alive(struct ask *self, uint64_t now)
{
    if (self->to.turn && now - self->turn_at >= (self->welcomed ? TURN_MS : LOST_TURN_MS)) {
        self->turn_at = now;
        self->to.turn(self->to.context, self->welcomed ? 0 : now - self->lost_at);
    }
    if (self->welcomed) {
        if (now - self->beat_at >= self->beat_ms) {
            self->beat_at = now;
            struct msg_client_beat beat = { 0 };
            return ask_send(self, MSG_CLIENT_BEAT, &beat);
        }
        return OK;
    }
    uint64_t lost_ms = now - self->lost_at;
    uint32_t patience = self->generation ? self->to.again_ms : self->to.first_ms;
    if (lost_ms >= patience) {
        return failed(self, ERR_UNREACHABLE, "no head answers at %s (waited %.1f s)%s",
                      self->address, (double)lost_ms / 1000,
                      probe_http(self->address) ? HTTP_HELP
                      : self->up                ? ": something else listens there"
                                                : "");
    }
    if (self->up && now - self->hello_at >= HELLO_AGAIN_MS) {
        return say_hello(self, now);
    }
    return OK;
}

/*  A frame has come: *got says whether it is one for the caller. */
static int on_frame(struct ask *self, uint64_t now, struct msg *out, bool *got)
{
    struct diag why = { 0 };
    int rc = proto_decode(self->frame.bytes, out, &why);
    if (rc != OK) {
        return failed(self, rc, "the head at %s sent a malformed message (%s: %s)", self->address,
                      why.field ? why.field : "frame", why.text);
    }
    if (out->kind == MSG_WELCOME) {
        return on_welcome(self, &out->as.welcome, now);
    }
    if (out->kind == MSG_WHO) {
        self->lost_at = self->lost_at ? self->lost_at : now;
        return say_hello(self, now);
    }
    if (!self->welcomed) {
        if (out->kind == MSG_REFUSED && out->as.refused.code == ERR_TOKEN &&
            self->to.token == NULL && token_renew("admin.key", self->address, self->token)) {
            return say_hello(self, now); /* the head had just begun */
        }
        if (out->kind == MSG_REFUSED) {
            struct slice text = out->as.refused.text;
            return failed(self, out->as.refused.code,
                          "the head at %s refused this rayc %s (protocol %d): %.*s", self->address,
                          RAYC_VERSION, PROTO_MAJOR, (int)text.n, (const char *)text.p);
        }
        return OK; /* left over from before the connection broke */
    }
    *got = true;
    return OK;
}

static int on_refused(struct ask *self, struct link_refusal why)
{
    const char *key_help =
        self->to.key ? ": use the admin.key of its state folder"
                     : ": give --key-file FILE or set RAYC_KEY_FILE (it is admin.key in the "
                       "head's state folder)";
    if (why.code == ERR_KEY && probe_http(self->address)) {
        return failed(self, ERR_UNREACHABLE, "no head answers at %s%s", self->address, HTTP_HELP);
    }
    return failed(self, why.code, "the head at %s %s%s", self->address, why.text,
                  why.code == ERR_KEY ? key_help : "");
}

/*  Takes one piece of news from the link.  *quiet: there was none. */
static int take_news(struct ask *self, struct msg *out, bool *got, bool *quiet)
{
    if (self->frame.owner) {
        link_frame_free(&self->frame);
        self->frame = (struct link_frame){ 0 };
    }
    uint64_t now = clock_ms();
    switch (link_next(self->link, &self->frame)) {
    case LINK_NOTHING:
        *quiet = true;
        return OK;
    case LINK_UP:
        self->up = true;
        self->lost_at = self->lost_at ? self->lost_at : now;
        return say_hello(self, now);
    case LINK_DOWN:
        self->up = false;
        self->welcomed = false;
        self->lost_at = self->lost_at ? self->lost_at : now;
        return OK;
    case LINK_REFUSED:
        return on_refused(self, link_refusal(self->link));
    case LINK_FRAME:
        return on_frame(self, now, out, got);
    }
    return OK;
}

/*  How long nothing is due. */
static int sleep_ms(const struct ask *self, uint64_t now, uint64_t until)
{
    uint64_t next = self->welcomed ? self->beat_at + self->beat_ms : now + 200;
    next = next < until ? next : until;
    return next <= now ? 0 : next - now > 60000 ? 60000 : (int)(next - now);
}

/*  Waits until `until` for a message; ERR_TIMEOUT also as soon as a head has said WELCOME. */
static int wait_message(struct ask *self, uint64_t until, int wake_fd, struct msg *out)
{
    uint32_t generation = self->generation;
    for (;;) {
        bool got = false, quiet = false;
        int rc = take_news(self, out, &got, &quiet);
        if (rc != OK || got) {
            return rc;
        }
        if (!quiet && generation == self->generation) {
            continue;
        }
        uint64_t now = clock_ms();
        rc = keep_alive(self, now);
        if (rc != OK) {
            return rc;
        }
        if (now >= until || generation != self->generation) {
            return ERR_TIMEOUT;
        }
        struct pollfd fds[2] = { { link_fd(self->link), POLLIN, 0 }, { wake_fd, POLLIN, 0 } };
        int n = poll(fds, 2, sleep_ms(self, now, until));
        if (n < 0 && errno != EINTR) {
            return failed(self, ERR_SYSTEM, "cannot wait for the head: %s", strerror(errno));
        }
        if (n > 0 && fds[1].revents) {
            return ERR_CANCELLED;
        }
    }
}

int ask_next(struct ask *self, uint32_t timeout_ms, int wake_fd, struct msg *out)
{
    return wait_message(self, clock_ms() + timeout_ms, wake_fd, out);
}

/*  Waits until the head has answered HELLO. */
static int wait_welcome(struct ask *self)
{
    while (!self->welcomed) {
        struct msg msg;
        int rc = wait_message(self, clock_ms() + 1000, -1, &msg);
        if (rc != OK && rc != ERR_TIMEOUT) {
            return rc;
        }
    }
    return OK;
}

int ask_open(struct ask **out, const struct ask_to *to)
{
    struct ask *self = calloc(1, sizeof(*self));
    ensure(self);
    *out = self;
    self->to = *to;
    self->buffer = malloc(FRAME_MAX);
    ensure(self->buffer);
    self->lost_at = self->turn_at = clock_ms();
    snprintf(self->address, sizeof(self->address), "%s", to->address);
    struct diag why;
    if (to->token == NULL && token_file_check(&why) != OK) {
        return failed(self, ERR_KEY, "RAYC_TOKEN_FILE: %s", why.text);
    }
    char dial[ADDRESS_BYTES];
    if (link_address(to->address, dial, sizeof(dial)) != OK) {
        return failed(self, ERR_INVALID, "'%s' is not an address: %s", to->address,
                      link_address_wrong(to->address));
    }
    int rc = link_open(&self->link, dial, to->key);
    if (rc != OK) {
        return failed(self, rc, "cannot open a connection to %s: %s", to->address, err_text(rc));
    }
    take_token(self);
    link_set_token(self->link, self->token);
    return wait_welcome(self);
}

void ask_close(struct ask **out)
{
    struct ask *self = *out;
    if (!self) {
        return;
    }
    if (self->frame.owner) {
        link_frame_free(&self->frame);
    }
    link_close(&self->link);
    explicit_bzero(self->token, sizeof(self->token));
    free(self->buffer);
    free(self);
    *out = NULL;
}

int ask(struct ask *self, enum msg_kind kind, void *request, enum msg_kind reply_kind,
        struct msg *reply)
{
    uint32_t generation = 0; /* of the connection on which it was sent */
    uint64_t seq = 0;
    for (;;) {
        if (self->welcomed && generation != self->generation) {
            generation = self->generation;
            int rc = ask_send(self, kind, request);
            if (rc != OK) {
                return rc;
            }
            seq = self->seq;
        }
        int rc = wait_message(self, clock_ms() + 500, -1, reply);
        if (rc == ERR_TIMEOUT || (rc == OK && reply->as.seq != seq)) {
            continue;
        }
        if (rc != OK) {
            return rc;
        }
        if (reply->kind == MSG_REFUSED) {
            struct slice text = reply->as.refused.text;
            int code = reply->as.refused.code;
            return failed(self, code < 0 ? code : ERR_FRAME, "%.*s", (int)text.n,
                          (const char *)text.p);
        }
        if (reply->kind == reply_kind) {
            return OK;
        }
    }
}
