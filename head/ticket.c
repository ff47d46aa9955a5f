/*  ticket.c - keyed BLAKE2b of libsodium. */
#include "head/ticket.h"

#include <inttypes.h>
#include <sodium.h>
#include <stdio.h>

enum { MAC_BYTES = 32 };

static void mac_put(const uint8_t secret[TICKET_SECRET_BYTES], const char *text, size_t n,
                    char out[2 * MAC_BYTES + 1])
{
    uint8_t mac[MAC_BYTES];
    crypto_generichash(mac, sizeof(mac), (const uint8_t *)text, n, secret, TICKET_SECRET_BYTES);
    sodium_bin2hex(out, 2 * MAC_BYTES + 1, mac, sizeof(mac));
}

void ticket_make(const uint8_t secret[TICKET_SECRET_BYTES], const struct start_send *start,
                 char out[TICKET_BYTES])
{
    int n = snprintf(out, TICKET_BYTES, "rayct_%" PRIu64 "_%" PRIu64 "_%" PRIu64, start->ticket_job,
                     start->task, start->token);
    ensure(n > 0 && n + 2 + 2 * MAC_BYTES <= TICKET_BYTES);
    out[n] = '_';
    mac_put(secret, out, (size_t)n, out + n + 1);
}

static bool ticket_read(const uint8_t secret[TICKET_SECRET_BYTES], const char *text,
                        struct proof *out)
{
    int n = 0;
    char mac[2 * MAC_BYTES + 1];
    if (sscanf(text, "rayct_%" SCNu64 "_%" SCNu64 "_%" SCNu64 "%n", &out->job, &out->task,
               &out->fence, &n) != 3 ||
        text[n] != '_' || strlen(text + n + 1) != 2 * MAC_BYTES) {
        return false;
    }
    mac_put(secret, text, (size_t)n, mac);
    return sodium_memcmp(mac, text + n + 1, 2 * MAC_BYTES) == 0;
}

void proof_read(const uint8_t secret[TICKET_SECRET_BYTES], struct slice token, struct proof *out)
{
    char text[TOKEN_TEXT_MAX + 1];
    *out = (struct proof){ .kind = PROOF_NONE };
    if (token.n == 0 || !slice_copy_text(token, text, sizeof(text))) {
        return;
    }
    if (strncmp(text, "rayct_", 6) == 0) {
        out->kind = ticket_read(secret, text, out) ? PROOF_TICKET : PROOF_NONE;
    } else {
        out->kind = PROOF_TOKEN;
        crypto_generichash(out->hash, sizeof(out->hash), token.p, token.n, NULL, 0);
    }
    explicit_bzero(text, sizeof(text));
}
