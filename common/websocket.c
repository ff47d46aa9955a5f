/*  websocket.c - frames of RFC 6455, section 5, and the handshake of section 4. */
#include "common/websocket.h"

#include <czmq.h>
#include <sodium.h>
#include <stdlib.h>
#include "common/utf8.h"

enum {
    FIN = 0x80,
    RESERVED = 0x70,
    OP = 0x0f,
    CONTROL = 0x08,
    MASKED = 0x80,
    LENGTH = 0x7f,
    LENGTH_16 = 126, /* two bytes of length follow */
    LENGTH_64 = 127, /* eight */
    MASK_BYTES = 4,
    CAPACITY_MIN = 1024,
    KEPT_MAX = 64 << 10 /* a larger buffer is given back when its message is done with */
};

#define GUID "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"

/* --- handshake ---------------------------------------------------------------------------------- */

void websocket_key(const uint8_t nonce[WEBSOCKET_NONCE_BYTES], char out[WEBSOCKET_KEY_TEXT])
{
    sodium_bin2base64(out, WEBSOCKET_KEY_TEXT, nonce, WEBSOCKET_NONCE_BYTES,
                      sodium_base64_VARIANT_ORIGINAL);
}

bool websocket_key_valid(const char *key)
{
    uint8_t nonce[WEBSOCKET_NONCE_BYTES];
    const char *end;
    size_t n;
    return strnlen(key, WEBSOCKET_KEY_TEXT) == WEBSOCKET_KEY_TEXT - 1 &&
           sodium_base642bin(nonce, sizeof(nonce), key, WEBSOCKET_KEY_TEXT - 1, NULL, &n, &end,
                             sodium_base64_VARIANT_ORIGINAL) == 0 &&
           n == WEBSOCKET_NONCE_BYTES && *end == 0;
}

void websocket_accept(const char *key, char out[WEBSOCKET_ACCEPT_TEXT])
{
    zdigest_t *sha1 = zdigest_new();
    ensure(sha1 != NULL);
    zdigest_update(sha1, (const uint8_t *)key, strlen(key));
    zdigest_update(sha1, (const uint8_t *)GUID, sizeof(GUID) - 1);
    const uint8_t *digest = zdigest_data(sha1);
    ensure(digest != NULL && zdigest_size(sha1) == 20);
    sodium_bin2base64(out, WEBSOCKET_ACCEPT_TEXT, digest, 20, sodium_base64_VARIANT_ORIGINAL);
    zdigest_destroy(&sha1);
}

/* --- writing ------------------------------------------------------------------------------------ */

size_t websocket_head(uint8_t out[WEBSOCKET_HEAD_MAX], enum websocket_op op, bool more, uint64_t n,
                      const uint8_t mask[4])
{
    ensure((op & CONTROL) == 0 || (!more && n <= WEBSOCKET_CONTROL_MAX));
    size_t bytes = n < LENGTH_16 ? 0 : n <= UINT16_MAX ? 2 : 8;
    out[0] = (uint8_t)((more ? 0 : FIN) | op);
    out[1] = (uint8_t)(bytes == 0 ? n : bytes == 2 ? LENGTH_16 : LENGTH_64);
    for (size_t i = 0; i < bytes; i++) {
        out[2 + i] = (uint8_t)(n >> 8 * (bytes - 1 - i));
    }
    if (mask == NULL) {
        return 2 + bytes;
    }
    out[1] |= MASKED;
    memcpy(out + 2 + bytes, mask, MASK_BYTES);
    return 2 + bytes + MASK_BYTES;
}

void websocket_mask(uint8_t *p, size_t n, const uint8_t mask[4], uint64_t at)
{
    uint8_t turned[MASK_BYTES]; /* so that byte i of p meets byte i of this, modulo 4 */
    for (size_t i = 0; i < MASK_BYTES; i++) {
        turned[i] = mask[(at + i) % MASK_BYTES];
    }
    uint32_t word;
    memcpy(&word, turned, sizeof(word));
    size_t i = 0;
    for (; i + sizeof(word) <= n; i += sizeof(word)) {
        uint32_t value;
        memcpy(&value, p + i, sizeof(value));
        value ^= word;
        memcpy(p + i, &value, sizeof(value));
    }
    for (; i < n; i++) {
        p[i] ^= turned[i % MASK_BYTES];
    }
}

size_t websocket_frame(uint8_t *out, enum websocket_op op, struct slice body, const uint8_t mask[4])
{
    size_t n = websocket_head(out, op, false, body.n, mask);
    if (body.n > 0) {
        memcpy(out + n, body.p, body.n);
    }
    if (mask != NULL) {
        websocket_mask(out + n, body.n, mask, 0);
    }
    return n + body.n;
}

size_t websocket_close_body(uint8_t out[WEBSOCKET_CONTROL_MAX], enum websocket_code code,
                            const char *reason)
{
    struct slice text = slice_text(reason);
    size_t n = 2;
    out[0] = (uint8_t)(code >> 8);
    out[1] = (uint8_t)code;
    for (size_t at = 0; at < text.n;) {
        size_t letter = utf8_letter(text.p + at, text.n - at);
        if (letter == 0 || n + letter > WEBSOCKET_CONTROL_MAX) {
            break;
        }
        memcpy(out + n, text.p + at, letter);
        n += letter;
        at += letter;
    }
    return n;
}

/* --- reading ------------------------------------------------------------------------------------ */

void websocket_reader_init(struct websocket_reader *self, enum websocket_side side,
                           size_t message_max)
{
    *self = (struct websocket_reader){ .side = side, .message_max = message_max };
}

void websocket_reader_fini(struct websocket_reader *self)
{
    free(self->p);
    self->p = NULL;
    self->n = self->capacity = 0;
}

static int broken(struct websocket_reader *self, enum websocket_code code, const char *why)
{
    self->code = code;
    self->why = why;
    return ERR_FRAME;
}

static int wrong(struct websocket_reader *self, const char *why)
{
    return broken(self, WEBSOCKET_PROTOCOL_ERROR, why);
}

static enum websocket_op frame_op(const struct websocket_reader *self)
{
    return (enum websocket_op)(self->head[0] & OP);
}

static bool is_control(const struct websocket_reader *self)
{
    return (self->head[0] & CONTROL) != 0;
}

/*  Bytes of the frame's head, as far as its first two tell. */
static uint32_t head_bytes(const struct websocket_reader *self)
{
    if (self->head_n < 2) {
        return 2;
    }
    uint32_t length = self->head[1] & LENGTH;
    return 2u +
           (length == LENGTH_16   ? 2
            : length == LENGTH_64 ? 8
                                  : 0) +
           ((self->head[1] & MASKED) != 0 ? MASK_BYTES : 0);
}

static int check_first(struct websocket_reader *self)
{
    enum websocket_op op = frame_op(self);
    bool known = op <= WEBSOCKET_BINARY || (op >= WEBSOCKET_CLOSE && op <= WEBSOCKET_PONG);
    bool masked = (self->head[1] & MASKED) != 0;
    if ((self->head[0] & RESERVED) != 0) {
        return wrong(self, "a reserved bit is set: no extension was agreed upon");
    }
    if (!known) {
        return wrong(self, "a frame of an unknown kind");
    }
    if (masked != (self->side == WEBSOCKET_SERVER)) {
        return wrong(self,
                     masked ? "a server's frame is masked" : "a client's frame is not masked");
    }
    if (is_control(self)) {
        return (self->head[0] & FIN) == 0 ? wrong(self, "a control frame is in fragments")
               : (self->head[1] & LENGTH) > WEBSOCKET_CONTROL_MAX
                   ? wrong(self, "a control frame has more than 125 bytes")
                   : OK;
    }
    if ((op == WEBSOCKET_MORE) == (self->op == WEBSOCKET_MORE)) {
        return wrong(self, op == WEBSOCKET_MORE ? "a fragment of no message"
                                                : "a message begins inside another one");
    }
    return OK;
}

/*  The head is whole: how long the frame is. */
static int check_length(struct websocket_reader *self)
{
    uint32_t length = self->head[1] & LENGTH;
    uint32_t bytes = length == LENGTH_16 ? 2 : length == LENGTH_64 ? 8 : 0;
    self->frame_n = bytes == 0 ? length : 0;
    for (uint32_t i = 0; i < bytes; i++) {
        self->frame_n = self->frame_n << 8 | self->head[2 + i];
    }
    if ((bytes == 2 && self->frame_n < LENGTH_16) || (bytes == 8 && self->frame_n <= UINT16_MAX)) {
        return wrong(self, "a length has more bytes than it needs");
    }
    if (self->frame_n > INT64_MAX) {
        return wrong(self, "the highest bit of a length is set");
    }
    if (!is_control(self) && self->frame_n > self->message_max - self->n) {
        return broken(self, WEBSOCKET_TOO_LARGE, "the message is larger than the limit");
    }
    return OK;
}

/*  Takes bytes of the frame's head; *whole when nothing of it is missing. */
static int read_head(struct websocket_reader *self, struct slice *in, bool *whole)
{
    while (self->head_n < head_bytes(self) && in->n > 0) {
        self->head[self->head_n++] = in->p[0];
        *in = slice_of(in->p + 1, in->n - 1);
        if (self->head_n == 2) {
            int rc = check_first(self);
            if (rc != OK) {
                return rc;
            }
        }
    }
    *whole = self->head_n >= 2 && self->head_n == head_bytes(self);
    if (!*whole) {
        return OK;
    }
    self->in_frame = true;
    self->frame_at = 0;
    return check_length(self);
}

static int grow(struct websocket_reader *self, size_t wanted)
{
    if (wanted <= self->capacity) {
        return OK;
    }
    size_t capacity = self->capacity < CAPACITY_MIN ? CAPACITY_MIN : self->capacity;
    while (capacity < wanted) {
        capacity *= 2;
    }
    uint8_t *p = realloc(self->p, capacity);
    if (p == NULL) {
        return broken(self, WEBSOCKET_INTERNAL_ERROR, "out of memory");
    }
    self->p = p;
    self->capacity = capacity;
    return OK;
}

/*  Takes bytes of the frame behind its head. */
static int read_body(struct websocket_reader *self, struct slice *in)
{
    uint64_t missing = self->frame_n - self->frame_at;
    size_t n = missing < in->n ? (size_t)missing : in->n;
    if (n == 0) {
        return OK;
    }
    uint8_t *to;
    if (is_control(self)) {
        to = self->control + self->frame_at;
    } else {
        int rc = grow(self, self->n + n);
        if (rc != OK) {
            return rc;
        }
        to = self->p + self->n;
        self->n += n;
    }
    memcpy(to, in->p, n);
    if (self->side == WEBSOCKET_SERVER) {
        websocket_mask(to, n, self->head + self->head_n - MASK_BYTES, self->frame_at);
    }
    self->frame_at += n;
    *in = slice_of(in->p + n, in->n - n);
    return OK;
}

/*  RFC 6455, 7.4: those that may be on the wire. */
static bool code_valid(uint32_t code)
{
    return (code >= 1000 && code <= 1003) || (code >= 1007 && code <= 1014) ||
           (code >= 3000 && code <= 4999);
}

static int end_control(struct websocket_reader *self, struct websocket_message *out)
{
    struct slice bytes = slice_of(self->control, (size_t)self->frame_n);
    *out = (struct websocket_message){ frame_op(self), 0, bytes };
    if (out->op != WEBSOCKET_CLOSE) {
        return OK;
    }
    if (bytes.n == 0) {
        out->code = WEBSOCKET_NO_CODE;
        return OK;
    }
    out->code = bytes.n >= 2 ? (uint32_t)bytes.p[0] << 8 | bytes.p[1] : 0;
    if (!code_valid(out->code)) {
        return wrong(self, "a close frame has no valid code");
    }
    out->bytes = slice_of(bytes.p + 2, bytes.n - 2);
    return utf8_valid(out->bytes) ? OK
                                  : broken(self, WEBSOCKET_NOT_UTF8, "the reason is not UTF-8");
}

/*  The frame is whole, and may be the last one of a message. */
static int end_frame(struct websocket_reader *self, struct websocket_message *out)
{
    self->head_n = 0;
    self->in_frame = false;
    if (is_control(self)) {
        return end_control(self, out);
    }
    if (self->op == WEBSOCKET_MORE) {
        self->op = frame_op(self);
    }
    if ((self->head[0] & FIN) == 0) {
        return OK;
    }
    *out = (struct websocket_message){ self->op, 0, slice_of(self->p, self->n) };
    self->op = WEBSOCKET_MORE;
    self->delivered = true;
    return out->op != WEBSOCKET_TEXT || utf8_valid(out->bytes)
               ? OK
               : broken(self, WEBSOCKET_NOT_UTF8, "a text is not UTF-8");
}

static void forget_delivered(struct websocket_reader *self)
{
    if (!self->delivered) {
        return;
    }
    self->delivered = false;
    self->n = 0;
    if (self->capacity > KEPT_MAX) {
        websocket_reader_fini(self);
    }
}

int websocket_read(struct websocket_reader *self, struct slice *in, struct websocket_message *out)
{
    *out = (struct websocket_message){ .op = WEBSOCKET_MORE };
    if (self->code != 0) {
        return ERR_FRAME;
    }
    forget_delivered(self);
    while (out->op == WEBSOCKET_MORE) {
        bool whole = self->in_frame;
        int rc = whole ? OK : read_head(self, in, &whole);
        if (rc != OK || !whole) {
            return rc;
        }
        rc = read_body(self, in);
        if (rc != OK || self->frame_at < self->frame_n) {
            return rc;
        }
        rc = end_frame(self, out);
        if (rc != OK) {
            out->op = WEBSOCKET_MORE;
            return rc;
        }
    }
    return OK;
}
