/*  ticket.c - keyed BLAKE2b of libsodium. */
#include "common/ticket.h"

#include <inttypes.h>
#include <sodium.h>
#include <stdio.h>

enum { MAC_BYTES = 32 };

static void mac_put(const uint8_t key[TICKET_SECRET_BYTES], const char *text, size_t n,
                    char out[2 * MAC_BYTES + 1])
{
    uint8_t mac[MAC_BYTES];
    crypto_generichash(mac, sizeof(mac), (const uint8_t *)text, n, key, TICKET_SECRET_BYTES);
    sodium_bin2hex(out, 2 * MAC_BYTES + 1, mac, sizeof(mac));
}

void ticket_text(const uint8_t key[TICKET_SECRET_BYTES], const struct ticket *ticket,
                 char out[TICKET_BYTES])
{
    int n = snprintf(out, TICKET_BYTES, "rayc%c_%" PRIu64 "_%" PRIu64 "_%" PRIu64,
                     ticket->node != 0 ? 'n' : 't', ticket->job, ticket->task, ticket->fence);
    if (ticket->node != 0) {
        n += snprintf(out + n, TICKET_BYTES - (size_t)n, "_%" PRIu64, ticket->node);
    }
    ensure(n > 0 && n + 2 + 2 * MAC_BYTES <= TICKET_BYTES);
    out[n] = '_';
    mac_put(key, out, (size_t)n, out + n + 1);
}

bool ticket_parse(const char *text, struct ticket *out)
{
    *out = (struct ticket){ 0 };
    if (strncmp(text, "raycn_", 6) == 0) {
        return sscanf(text, "raycn_%" SCNu64 "_%" SCNu64 "_%" SCNu64 "_%" SCNu64, &out->job,
                      &out->task, &out->fence, &out->node) == 4 &&
               out->node != 0;
    }
    return sscanf(text, "rayct_%" SCNu64 "_%" SCNu64 "_%" SCNu64, &out->job, &out->task,
                  &out->fence) == 3;
}

bool ticket_good(const uint8_t key[TICKET_SECRET_BYTES], const char *text)
{
    char mac[2 * MAC_BYTES + 1];
    const char *end = strrchr(text, '_');
    if (end == NULL || strlen(end + 1) != 2 * MAC_BYTES) {
        return false;
    }
    mac_put(key, text, (size_t)(end - text), mac);
    return sodium_memcmp(mac, end + 1, 2 * MAC_BYTES) == 0;
}

void ticket_node_key(const uint8_t secret[TICKET_SECRET_BYTES], uint64_t node,
                     uint8_t out[TICKET_SECRET_BYTES])
{
    char text[32];
    int n = snprintf(text, sizeof(text), "node %" PRIu64, node);
    crypto_generichash(out, TICKET_SECRET_BYTES, (const uint8_t *)text, (size_t)n, secret,
                       TICKET_SECRET_BYTES);
}
