/*  http_link.c - GET /api/v1/link: a client of the protocol over a WebSocket.  Each binary message is a frame, and the
    connection is a peer of the core's, by way of the door. */
#include <sodium.h>
#include <stdlib.h>
#include "common/web/web_socket.h"
#include "head/http.h"
#include "head/http_api.h"

enum { QUEUE_MAX = 4 * MIB };

/*  All of it is the pump's, but that the loop wakes the socket. */
struct remote {
    struct door *door;
    struct door_link *link;
    struct web_socket *socket;
    uint8_t bearer[TOKEN_HASH_BYTES]; /* hash of the token that the upgrade was asked with */
    bool welcomed;
};

static void hash_token(struct slice token, uint8_t out[TOKEN_HASH_BYTES])
{
    crypto_generichash(out, TOKEN_HASH_BYTES, token.p, token.n, NULL, 0);
}

static void wake(void *context)
{
    web_socket_wake(((struct remote *)context)->socket);
}

/*  Is this a HELLO of somebody else than the bearer? */
static bool is_false_hello(const struct remote *self, struct slice frame)
{
    struct msg msg;
    uint8_t hash[TOKEN_HASH_BYTES];
    if (proto_decode(frame, &msg, NULL) != OK || msg.kind != MSG_HELLO) {
        return false;
    }
    hash_token(msg.as.hello.token, hash);
    return sodium_memcmp(hash, self->bearer, sizeof(hash)) != 0;
}

static void link_message(void *context, enum websocket_op op, struct slice bytes)
{
    struct remote *self = context;
    if (op != WEBSOCKET_BINARY) {
        web_socket_end(self->socket, WEBSOCKET_UNSUPPORTED, "a frame is a binary message");
    } else if (is_false_hello(self, bytes)) {
        web_socket_end(self->socket, WEBSOCKET_POLICY, "HELLO has another token than the request");
    } else if (self->link != NULL && door_link_send(self->link, bytes) != OK) {
        web_socket_end(self->socket, WEBSOCKET_INTERNAL_ERROR, "the head is busy");
    }
}

/*  Has the core said with this that the token is no good, or not any more? */
static bool is_cut(struct remote *self, struct slice frame)
{
    struct msg msg;
    if (proto_decode(frame, &msg, NULL) != OK) {
        return false;
    }
    self->welcomed = self->welcomed || msg.kind == MSG_WELCOME;
    return (msg.kind == MSG_WHO && msg.as.seq == 0 && self->welcomed) ||
           (msg.kind == MSG_REFUSED && msg.as.refused.code == ERR_TOKEN);
}

static void link_ready(void *context)
{
    struct remote *self = context;
    struct slice frame;
    int code = self->link != NULL ? OK : ERR_CLOSED;
    while (code == OK && web_socket_queued(self->socket) < QUEUE_MAX) {
        code = door_link_next(self->link, &frame);
        if (code == OK) {
            code = web_socket_send(self->socket, WEBSOCKET_BINARY, frame) ? OK : ERR_CLOSED;
            if (is_cut(self, frame)) {
                web_socket_end(self->socket, WEBSOCKET_POLICY, "the token is not valid any more");
                code = ERR_TOKEN;
            }
            door_link_free_frame(&frame);
        }
    }
    if (code == ERR_CLOSED) {
        web_socket_end(self->socket, WEBSOCKET_GOING_AWAY, "the head ends, or is not being read");
    }
}

static void link_open(void *context, struct web_socket *socket)
{
    struct remote *self = context;
    self->socket = socket;
    if (door_link_open(self->door, wake, self, &self->link) != OK) {
        web_socket_end(socket, WEBSOCKET_INTERNAL_ERROR, "the head has too many links");
    }
}

static void link_close(void *context)
{
    struct remote *self = context;
    door_link_close(&self->link);
    free(self);
}

void api_link(struct web_request *request, struct web_reply *reply)
{
    static const struct web_socket_kind kind = {
        .message_max = FRAME_MAX,
        .open = link_open,
        .message = link_message,
        .ready = link_ready,
        .close = link_close,
    };
    struct remote *self = calloc(1, sizeof(*self));
    if (self == NULL) {
        web_reply_error(reply, ERR_MEMORY, "out of memory");
        return;
    }
    self->door = http_door(request);
    hash_token(slice_text(request->bearer), self->bearer);
    web_reply_socket(request, reply, &kind, self);
}
