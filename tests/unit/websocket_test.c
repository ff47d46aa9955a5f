/*  websocket_test.c - RFC 6455: the examples of its text, frames in random pieces, and every way to be wrong. */
#include "common/websocket.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>
#include "common/prng.h"
#include "common/utf8.h"

enum { MESSAGE_MAX = 100000 };

#define BYTES(literal) slice_of((literal), sizeof(literal) - 1)

static const uint8_t rfc_mask[4] = { 0x37, 0xfa, 0x21, 0x3d };

/*  Reads the first message of some bytes, which must take them all. */
static void expect_message(enum websocket_side side, struct slice in, enum websocket_op op,
                           struct slice bytes)
{
    struct websocket_reader reader;
    struct websocket_message message;
    websocket_reader_init(&reader, side, MESSAGE_MAX);
    assert_int_equal(websocket_read(&reader, &in, &message), OK);
    assert_int_equal(message.op, op);
    assert_true(slice_same(message.bytes, bytes));
    assert_int_equal(in.n, 0);
    websocket_reader_fini(&reader);
}

/* --- section 1.3, 4.2.2 ------------------------------------------------------------------------- */

static void the_handshake_of_the_rfc(void **state)
{
    (void)state;
    char accept[WEBSOCKET_ACCEPT_TEXT], key[WEBSOCKET_KEY_TEXT];
    websocket_accept("dGhlIHNhbXBsZSBub25jZQ==", accept);
    assert_string_equal(accept, "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
    websocket_key((const uint8_t *)"the sample nonce", key);
    assert_string_equal(key, "dGhlIHNhbXBsZSBub25jZQ==");
    assert_true(websocket_key_valid(key));
}

static void keys_are_checked(void **state)
{
    (void)state;
    static const char *const wrong[] = {
        "",
        "dGhlIHNhbXBsZSBub25jZQ=",
        "dGhlIHNhbXBsZSBub25jZQ===",
        "dGhlIHNhbXBsZSBub25jZQAA",
        "dGhlIHNhbXBsZSBub25jZ===",
        "dGhlIHNhbXBsZSBub25j*Q==",
        "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA==",
    };
    for (size_t i = 0; i < COUNT(wrong); i++) {
        assert_false(websocket_key_valid(wrong[i]));
    }
}

/* --- section 5.7 -------------------------------------------------------------------------------- */

static void frames_of_the_rfc_are_read(void **state)
{
    (void)state;
    static uint8_t long_frame[10 + 65536] = { 0x82, 0x7f, 0, 0, 0, 0, 0, 1, 0, 0 };
    static uint8_t middle_frame[4 + 256] = { 0x82, 0x7e, 0x01, 0x00 };
    expect_message(WEBSOCKET_CLIENT, BYTES("\x81\x05Hello"), WEBSOCKET_TEXT, BYTES("Hello"));
    expect_message(WEBSOCKET_SERVER, BYTES("\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58"),
                   WEBSOCKET_TEXT, BYTES("Hello"));
    expect_message(WEBSOCKET_CLIENT, BYTES("\x01\x03Hel\x80\x02lo"), WEBSOCKET_TEXT,
                   BYTES("Hello"));
    expect_message(WEBSOCKET_CLIENT, BYTES("\x89\x05Hello"), WEBSOCKET_PING, BYTES("Hello"));
    expect_message(WEBSOCKET_SERVER, BYTES("\x8a\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58"),
                   WEBSOCKET_PONG, BYTES("Hello"));
    expect_message(WEBSOCKET_CLIENT, slice_of(middle_frame, sizeof(middle_frame)), WEBSOCKET_BINARY,
                   slice_of(middle_frame + 4, 256));
    expect_message(WEBSOCKET_CLIENT, slice_of(long_frame, sizeof(long_frame)), WEBSOCKET_BINARY,
                   slice_of(long_frame + 10, 65536));
}

static void frames_of_the_rfc_are_written(void **state)
{
    (void)state;
    uint8_t out[64];
    size_t n = websocket_frame(out, WEBSOCKET_TEXT, BYTES("Hello"), NULL);
    assert_true(slice_same(slice_of(out, n), BYTES("\x81\x05Hello")));
    n = websocket_frame(out, WEBSOCKET_TEXT, BYTES("Hello"), rfc_mask);
    assert_true(
        slice_same(slice_of(out, n), BYTES("\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58")));
    n = websocket_head(out, WEBSOCKET_TEXT, true, 3, NULL);
    assert_true(slice_same(slice_of(out, n), BYTES("\x01\x03")));
    n = websocket_head(out, WEBSOCKET_MORE, false, 2, NULL);
    assert_true(slice_same(slice_of(out, n), BYTES("\x80\x02")));
    n = websocket_head(out, WEBSOCKET_BINARY, false, 256, NULL);
    assert_true(slice_same(slice_of(out, n), BYTES("\x82\x7e\x01\x00")));
    n = websocket_head(out, WEBSOCKET_BINARY, false, 65536, NULL);
    assert_true(slice_same(slice_of(out, n), BYTES("\x82\x7f\0\0\0\0\0\x01\0\0")));
}

/* --- closing ------------------------------------------------------------------------------------ */

static void a_close_has_code_and_reason(void **state)
{
    (void)state;
    struct websocket_reader reader;
    struct websocket_message message;
    uint8_t body[WEBSOCKET_CONTROL_MAX], frame[WEBSOCKET_HEAD_MAX + WEBSOCKET_CONTROL_MAX];
    char reason[200];
    for (size_t i = 0; i + 1 < sizeof(reason); i++) {
        reason[i] = "\xc3\xa4"[i % 2]; /* of two bytes each: none may be cut in half */
    }
    reason[sizeof(reason) - 1] = 0;
    size_t n = websocket_close_body(body, WEBSOCKET_POLICY, reason);
    assert_int_equal(n, 2 + 122);
    struct slice in =
        slice_of(frame, websocket_frame(frame, WEBSOCKET_CLOSE, slice_of(body, n), rfc_mask));
    websocket_reader_init(&reader, WEBSOCKET_SERVER, MESSAGE_MAX);
    assert_int_equal(websocket_read(&reader, &in, &message), OK);
    assert_int_equal(message.op, WEBSOCKET_CLOSE);
    assert_int_equal(message.code, WEBSOCKET_POLICY);
    assert_true(slice_same(message.bytes, slice_of(reason, 122)));
    websocket_reader_fini(&reader);

    in = BYTES("\x88\x00");
    websocket_reader_init(&reader, WEBSOCKET_CLIENT, MESSAGE_MAX);
    assert_int_equal(websocket_read(&reader, &in, &message), OK);
    assert_int_equal(message.op, WEBSOCKET_CLOSE);
    assert_int_equal(message.code, WEBSOCKET_NO_CODE);
    websocket_reader_fini(&reader);
}

/* --- whatever the pieces ------------------------------------------------------------------------ */

struct sent {
    uint8_t *p; /* of messages, one after another */
    enum websocket_op ops[64];
    size_t at[64], n[64];
    uint32_t count;
    uint8_t *wire;
    size_t wire_n;
};

static void put_frame(struct sent *sent, struct prng *prng, enum websocket_op op, bool more,
                      struct slice body, bool masked)
{
    uint32_t random = (uint32_t)prng_next(prng);
    uint8_t mask[4];
    memcpy(mask, &random, sizeof(mask));
    uint8_t *to = sent->wire + sent->wire_n;
    size_t n = websocket_head(to, op, more, body.n, masked ? mask : NULL);
    memcpy(to + n, body.p, body.n);
    if (masked) {
        websocket_mask(to + n, body.n, mask, 0);
    }
    sent->wire_n += n + body.n;
}

static void put_control(struct sent *sent, struct prng *prng, bool masked)
{
    uint32_t i = sent->count++;
    sent->ops[i] = prng_below(prng, 2) == 0 ? WEBSOCKET_PING : WEBSOCKET_PONG;
    sent->n[i] = prng_below(prng, WEBSOCKET_CONTROL_MAX + 1);
    put_frame(sent, prng, sent->ops[i], false, slice_of(sent->p + sent->at[i], sent->n[i]), masked);
}

/*  A message in up to five fragments, with pings between them. */
static void put_message(struct sent *sent, struct prng *prng, bool masked)
{
    static const size_t sizes[] = { 0, 1, 125, 126, 127, 1000, 65535, 65536, MESSAGE_MAX };
    size_t n = sizes[prng_below(prng, COUNT(sizes))], at = 0;
    const uint8_t *p = sent->p;
    enum websocket_op op = WEBSOCKET_BINARY;
    for (uint32_t left = 1 + (uint32_t)prng_below(prng, 5); left > 0; left--) {
        size_t part = left == 1 ? n - at : prng_below(prng, n - at + 1);
        put_frame(sent, prng, op, left > 1, slice_of(p + at, part), masked);
        op = WEBSOCKET_MORE;
        at += part;
        if (left > 1 && prng_below(prng, 2) == 0) {
            put_control(sent, prng, masked);
        }
    }
    uint32_t i = sent->count++;
    sent->ops[i] = WEBSOCKET_BINARY;
    sent->n[i] = n;
}

static void expect_sent(const struct sent *sent, struct prng *prng, enum websocket_side side)
{
    struct websocket_reader reader;
    struct websocket_message message;
    websocket_reader_init(&reader, side, MESSAGE_MAX);
    uint32_t got = 0;
    for (size_t at = 0; at < sent->wire_n;) {
        size_t piece = 1 + prng_below(prng, prng_below(prng, 2) == 0 ? 3 : 40000);
        piece = piece < sent->wire_n - at ? piece : sent->wire_n - at;
        struct slice in = slice_of(sent->wire + at, piece);
        at += piece;
        do {
            assert_int_equal(websocket_read(&reader, &in, &message), OK);
            if (message.op != WEBSOCKET_MORE) {
                assert_true(got < sent->count);
                assert_int_equal(message.op, sent->ops[got]);
                assert_int_equal(message.bytes.n, sent->n[got]);
                assert_memory_equal(message.bytes.p, sent->p, message.bytes.n);
                got++;
            }
        } while (in.n > 0);
    }
    assert_int_equal(got, sent->count);
    websocket_reader_fini(&reader);
}

static void messages_survive_any_pieces(void **state)
{
    (void)state;
    struct sent sent = { .p = malloc(MESSAGE_MAX), .wire = malloc(8 << 20) };
    assert_non_null(sent.p);
    assert_non_null(sent.wire);
    for (size_t i = 0; i < MESSAGE_MAX; i++) {
        sent.p[i] = (uint8_t)(i * 7 + i / 251);
    }
    for (uint64_t seed = 0; seed < 60; seed++) {
        struct prng prng = { seed };
        enum websocket_side side = seed % 2 == 0 ? WEBSOCKET_SERVER : WEBSOCKET_CLIENT;
        sent.count = 0;
        sent.wire_n = 0;
        for (int i = 0; i < 10; i++) {
            put_message(&sent, &prng, side == WEBSOCKET_SERVER);
        }
        expect_sent(&sent, &prng, side);
    }
    free(sent.p);
    free(sent.wire);
}

static void masks_begin_anywhere(void **state)
{
    (void)state;
    uint8_t bytes[64];
    for (size_t from = 0; from < 9; from++) {
        for (size_t to = from; to < sizeof(bytes); to++) {
            memset(bytes, 0, sizeof(bytes));
            websocket_mask(bytes + from, to - from, rfc_mask, from);
            for (size_t i = 0; i < sizeof(bytes); i++) {
                assert_int_equal(bytes[i], i >= from && i < to ? rfc_mask[i % 4] : 0);
            }
        }
    }
}

/* --- every way to be wrong ---------------------------------------------------------------------- */

static const struct {
    struct slice in;
    enum websocket_side side;
    uint32_t code;
} malformed[] = {
#define CASE(side, code, literal)                                                                  \
    {                                                                                              \
        { (const uint8_t *)(literal), sizeof(literal) - 1 }, WEBSOCKET_##side, WEBSOCKET_##code    \
    }
    CASE(CLIENT, PROTOCOL_ERROR, "\xc1\x01x"),                    /* RSV1 */
    CASE(CLIENT, PROTOCOL_ERROR, "\xa1\x01x"),                    /* RSV2 */
    CASE(CLIENT, PROTOCOL_ERROR, "\x91\x01x"),                    /* RSV3 */
    CASE(CLIENT, PROTOCOL_ERROR, "\x83\x01x"),                    /* reserved data frames */
    CASE(CLIENT, PROTOCOL_ERROR, "\x87\x01x"),                    /* ... */
    CASE(CLIENT, PROTOCOL_ERROR, "\x8b\x01x"),                    /* reserved control frames */
    CASE(CLIENT, PROTOCOL_ERROR, "\x8f\x01x"),                    /* ... */
    CASE(CLIENT, PROTOCOL_ERROR, "\x81\x81\0\0\0\0x"),            /* a masked server */
    CASE(SERVER, PROTOCOL_ERROR, "\x81\x01x"),                    /* an unmasked client */
    CASE(CLIENT, PROTOCOL_ERROR, "\x80\x01x"),                    /* a fragment of nothing */
    CASE(CLIENT, PROTOCOL_ERROR, "\x01\x01x\x81\x01x"),           /* a message in a message */
    CASE(CLIENT, PROTOCOL_ERROR, "\x09\x01x"),                    /* a ping in fragments */
    CASE(CLIENT, PROTOCOL_ERROR, "\x89\x7e\x00\x7e"),             /* a ping of 126 bytes */
    CASE(CLIENT, PROTOCOL_ERROR, "\x88\x01x"),                    /* half a code */
    CASE(CLIENT, PROTOCOL_ERROR, "\x88\x02\x03\xe7"),             /* 999 */
    CASE(CLIENT, PROTOCOL_ERROR, "\x88\x02\x03\xec"),             /* 1004 */
    CASE(CLIENT, PROTOCOL_ERROR, "\x88\x02\x03\xed"),             /* 1005 */
    CASE(CLIENT, PROTOCOL_ERROR, "\x88\x02\x03\xf7"),             /* 1015 */
    CASE(CLIENT, PROTOCOL_ERROR, "\x88\x02\x13\x88"),             /* 5000 */
    CASE(CLIENT, NOT_UTF8, "\x88\x03\x03\xe8\xff"),               /* a reason that is no text */
    CASE(CLIENT, NOT_UTF8, "\x81\x02\xc0\x80"),                   /* overlong */
    CASE(CLIENT, NOT_UTF8, "\x81\x03\xed\xa0\x80"),               /* a surrogate */
    CASE(CLIENT, NOT_UTF8, "\x81\x04\xf4\x90\x80\x80"),           /* above U+10FFFF */
    CASE(CLIENT, NOT_UTF8, "\x01\x01\xc3\x80\x01\x28"),           /* across fragments */
    CASE(CLIENT, NOT_UTF8, "\x81\x01\xc3"),                       /* half a letter */
    CASE(CLIENT, PROTOCOL_ERROR, "\x82\x7e\x00\x7d"),             /* 125 in two bytes */
    CASE(CLIENT, PROTOCOL_ERROR, "\x82\x7f\0\0\0\0\0\0\xff\xff"), /* 65535 in eight */
    CASE(CLIENT, PROTOCOL_ERROR, "\x82\x7f\x80\0\0\0\0\1\0\0"),   /* the highest bit */
    CASE(CLIENT, TOO_LARGE, "\x82\x7f\0\0\0\0\0\x01\x86\xa1"),    /* 100001 bytes */
    CASE(CLIENT, TOO_LARGE, "\x82\x7f\x7f\xff\xff\xff\xff\xff\xff\xff"),
    CASE(CLIENT, TOO_LARGE, "\x02\x01x\x00\x7f\0\0\0\0\0\x01\x86\xa0"), /* 1 + 100000 */
#undef CASE
};

/*  As a whole, and byte by byte; and what broke stays broken. */
static void what_is_wrong_is_refused(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(malformed); i++) {
        for (size_t piece = 1; piece <= malformed[i].in.n; piece += malformed[i].in.n - 1) {
            struct websocket_reader reader;
            struct websocket_message message;
            websocket_reader_init(&reader, malformed[i].side, MESSAGE_MAX);
            int rc = OK;
            for (size_t at = 0; at < malformed[i].in.n && rc == OK; at += piece) {
                struct slice in = slice_of(malformed[i].in.p + at, piece);
                rc = websocket_read(&reader, &in, &message);
                assert_int_equal(message.op, WEBSOCKET_MORE);
            }
            assert_int_equal(rc, ERR_FRAME);
            assert_int_equal(reader.code, malformed[i].code);
            assert_true(strlen(reader.why) > 10);
            struct slice good = BYTES("\x82\x01x");
            assert_int_equal(websocket_read(&reader, &good, &message), ERR_FRAME);
            assert_int_equal(message.op, WEBSOCKET_MORE);
            websocket_reader_fini(&reader);
        }
    }
}

/*  A frame that announces much costs nothing until it comes. */
static void memory_follows_what_has_come(void **state)
{
    (void)state;
    struct websocket_reader reader;
    struct websocket_message message;
    websocket_reader_init(&reader, WEBSOCKET_CLIENT, 16 << 20);
    struct slice in = BYTES("\x82\x7f\0\0\0\0\x01\x00\x00\x00xyz");
    assert_int_equal(websocket_read(&reader, &in, &message), OK);
    assert_int_equal(message.op, WEBSOCKET_MORE);
    assert_true(reader.capacity <= 4096);
    websocket_reader_fini(&reader);
}

static void letters_are_checked(void **state)
{
    (void)state;
    assert_true(utf8_valid(BYTES("")));
    assert_true(utf8_valid(BYTES("a\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80")));
    assert_true(utf8_valid(BYTES("\0")));
    assert_false(utf8_valid(BYTES("\x80")));
    assert_false(utf8_valid(BYTES("\xe0\x9f\xbf")));
    assert_false(utf8_valid(BYTES("\xe2\x82")));
    assert_false(utf8_valid(BYTES("\xf8\x88\x80\x80\x80")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_handshake_of_the_rfc),
        cmocka_unit_test(keys_are_checked),
        cmocka_unit_test(frames_of_the_rfc_are_read),
        cmocka_unit_test(frames_of_the_rfc_are_written),
        cmocka_unit_test(a_close_has_code_and_reason),
        cmocka_unit_test(messages_survive_any_pieces),
        cmocka_unit_test(masks_begin_anywhere),
        cmocka_unit_test(what_is_wrong_is_refused),
        cmocka_unit_test(memory_follows_what_has_come),
        cmocka_unit_test(letters_are_checked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
