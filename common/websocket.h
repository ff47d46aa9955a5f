/*  websocket.h - WebSocket (RFC 6455) without a socket: the keys of the handshake, frames written into the caller's
    buffer, and a reader that makes messages of bytes as they come.  No I/O, no clock, no randomness: masks and nonces
    are given.  Extensions are not spoken.  The memory of a reader grows with what has come, never with what a frame
    announces. */
#ifndef RAYC_WEBSOCKET_H
#define RAYC_WEBSOCKET_H
#include "common/base.h"
#include "common/err.h"

enum {
    WEBSOCKET_NONCE_BYTES = 16,
    WEBSOCKET_KEY_TEXT = 24 + 1,    /* Sec-WebSocket-Key, and a NUL */
    WEBSOCKET_ACCEPT_TEXT = 28 + 1, /* Sec-WebSocket-Accept, and a NUL */
    WEBSOCKET_CONTROL_MAX = 125,    /* bytes in a ping, pong or close */
    WEBSOCKET_HEAD_MAX = 14         /* bytes before those of a frame */
};

enum websocket_op {
    WEBSOCKET_MORE = 0, /* on the wire: a continuation; of websocket_read(): no whole message yet */
    WEBSOCKET_TEXT = 1,
    WEBSOCKET_BINARY = 2,
    WEBSOCKET_CLOSE = 8,
    WEBSOCKET_PING = 9,
    WEBSOCKET_PONG = 10
};

/*  Why a connection is closed. */
enum websocket_code {
    WEBSOCKET_NORMAL = 1000,
    WEBSOCKET_GOING_AWAY = 1001,
    WEBSOCKET_PROTOCOL_ERROR = 1002,
    WEBSOCKET_UNSUPPORTED = 1003,
    WEBSOCKET_NO_CODE = 1005, /* never on the wire: the close frame was empty */
    WEBSOCKET_NOT_UTF8 = 1007,
    WEBSOCKET_POLICY = 1008,
    WEBSOCKET_TOO_LARGE = 1009,
    WEBSOCKET_INTERNAL_ERROR = 1011
};

/* --- handshake ---------------------------------------------------------------------------------- */

void websocket_key(const uint8_t nonce[WEBSOCKET_NONCE_BYTES], char out[WEBSOCKET_KEY_TEXT]);
bool websocket_key_valid(const char *key); /* base64 of 16 bytes? */
void websocket_accept(const char *key, char out[WEBSOCKET_ACCEPT_TEXT]);

/* --- writing ------------------------------------------------------------------------------------ */

/*  What comes before a frame's n bytes: its bytes in `out`.  `mask` NULL: a server writes; else a client does, and
    must websocket_mask() what follows.  `more`: further fragments follow. */
size_t websocket_head(uint8_t out[WEBSOCKET_HEAD_MAX], enum websocket_op op, bool more, uint64_t n,
                      const uint8_t mask[4]);
/*  Masks or unmasks n bytes that begin at byte `at` of their frame. */
void websocket_mask(uint8_t *p, size_t n, const uint8_t mask[4], uint64_t at);
/*  A whole frame, masked if `mask` is given, into `out` of WEBSOCKET_HEAD_MAX + body.n bytes.  Its bytes. */
size_t websocket_frame(uint8_t *out, enum websocket_op op, struct slice body,
                       const uint8_t mask[4]);
/*  The bytes of a close frame: a code, and a reason that is cut to fit.  Returns how many. */
size_t websocket_close_body(uint8_t out[WEBSOCKET_CONTROL_MAX], enum websocket_code code,
                            const char *reason);

/* --- reading ------------------------------------------------------------------------------------ */

enum websocket_side { WEBSOCKET_SERVER, WEBSOCKET_CLIENT };

struct websocket_message {
    enum websocket_op op;
    uint32_t code;      /* of a WEBSOCKET_CLOSE */
    struct slice bytes; /* of a close: the reason; the reader's, until the next websocket_read() */
};

struct websocket_reader {
    /*  who reads: a server takes masked frames only, a client unmasked ones only */
    enum websocket_side side;
    size_t message_max; /* bytes */
    uint32_t code;      /* not 0: it broke, and this is the code to close with */
    const char *why;    /* static: what was wrong */
    /* the rest is the reader's own */
    enum websocket_op op; /* of the message that is being read; WEBSOCKET_MORE: none */
    uint8_t *p;           /* its bytes so far */
    size_t n, capacity;
    uint8_t head[WEBSOCKET_HEAD_MAX]; /* of the frame that is being read */
    uint32_t head_n;                  /* bytes of it that have come */
    uint64_t frame_n, frame_at;       /* bytes of the frame; those that have come */
    bool in_frame, delivered;
    uint8_t control[WEBSOCKET_CONTROL_MAX];
};

void websocket_reader_init(struct websocket_reader *self, enum websocket_side side,
                           size_t message_max);
void websocket_reader_fini(struct websocket_reader *self);
/*  Takes bytes off *in up to the end of a message; out->op WEBSOCKET_MORE: all were taken, and there is none yet.
    ERR_FRAME, for ever: code and why say what to close with. */
MUST_CHECK int websocket_read(struct websocket_reader *self, struct slice *in,
                              struct websocket_message *out);
#endif
