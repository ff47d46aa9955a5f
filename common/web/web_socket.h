/*  web_socket.h - WebSockets of a web server.  All of them are served by one thread, the pump, on which all callbacks
    come and on which everything here but web_socket_wake() is called.  Pings, closing handshakes and time-outs are
    done inside. */
#ifndef RAYC_WEB_SOCKET_H
#define RAYC_WEB_SOCKET_H
#include "common/web/web.h"
#include "common/websocket.h"

enum { WEB_SOCKET_QUEUE_MAX = 32 << 20, WEB_SOCKET_PING_MS = 15000, WEB_SOCKET_SILENT_MS = 60000 };

struct web_socket;

struct web_socket_kind {
    size_t message_max; /* bytes that come in one message */
    void (*open)(void *context, struct web_socket *socket);
    /*  A whole text or binary message. */
    void (*message)(void *context, enum websocket_op op, struct slice bytes);
    /*  After web_socket_wake(), whenever all that was queued has left, and each second. */
    void (*ready)(void *context);
    void (*close)(void *context); /* once, the last of all; also when it was never opened */
};

/*  Answers a request by a WebSocket.  When the request does not ask for one, `reply` says so and the context is
    closed. */
void web_reply_socket(struct web_request *request, struct web_reply *reply,
                      const struct web_socket_kind *kind, void *context);
/*  Queues a message.  False: WEB_SOCKET_QUEUE_MAX is reached, or it is closing; nothing was queued. */
bool web_socket_send(struct web_socket *self, enum websocket_op op, struct slice bytes);
size_t web_socket_queued(const struct web_socket *self); /* bytes that have not left */
/*  Says goodbye when all that was queued has left; `close` follows, not during this call. */
void web_socket_end(struct web_socket *self, enum websocket_code code, const char *reason);
/*  From any thread, until `close` of it has returned. */
void web_socket_wake(struct web_socket *self);
#endif
