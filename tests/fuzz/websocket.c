/*  websocket.c - libFuzzer: any bytes to a WebSocket, as a whole and in pieces: both readers must see the same, keep to
    their limits, and say why when they break. */
#include "common/hash.h"
#include "common/websocket.h"

enum { MESSAGE_MAX = 4096 };

/*  All that a reader sees, as one hash; and how it broke. */
struct seen {
    char hash[HASH_TEXT_BYTES];
    uint32_t code;
};

static struct seen read_all(struct slice all, enum websocket_side side, size_t piece)
{
    struct websocket_reader reader;
    struct websocket_message message;
    struct hash hash;
    struct seen seen = { .code = 0 };
    websocket_reader_init(&reader, side, MESSAGE_MAX);
    hash_begin(&hash);
    int rc = OK;
    for (size_t at = 0; at < all.n && rc == OK; at += piece) {
        struct slice in = slice_of(all.p + at, piece < all.n - at ? piece : all.n - at);
        do {
            rc = websocket_read(&reader, &in, &message);
            ensure(rc == OK || (reader.code != 0 && reader.why != NULL));
            ensure(message.op != WEBSOCKET_MORE || rc != OK || in.n == 0);
            ensure(message.bytes.n <= MESSAGE_MAX && reader.capacity <= 2 * MESSAGE_MAX);
            if (message.op != WEBSOCKET_MORE) {
                hash_add(&hash, &message.op, sizeof(message.op));
                hash_add(&hash, &message.code, sizeof(message.code));
                hash_add(&hash, &message.bytes.n, sizeof(message.bytes.n));
                hash_add(&hash, message.bytes.p, message.bytes.n);
            }
        } while (in.n > 0 && rc == OK);
    }
    hash_end(&hash, seen.hash);
    seen.code = reader.code;
    websocket_reader_fini(&reader);
    return seen;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 2) {
        return 0;
    }
    enum websocket_side side = data[0] % 2 == 0 ? WEBSOCKET_CLIENT : WEBSOCKET_SERVER;
    struct slice all = slice_of(data + 2, size - 2);
    struct seen whole = read_all(all, side, size);
    struct seen pieces = read_all(all, side, 1u + data[1] % 16);
    ensure(whole.code == pieces.code && strcmp(whole.hash, pieces.hash) == 0);
    return 0;
}
