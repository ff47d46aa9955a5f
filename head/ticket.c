/*  ticket.c - the tickets that the head makes, and those that it takes. */
#include "head/ticket.h"

#include <sodium.h>

void ticket_make(const uint8_t secret[TICKET_SECRET_BYTES], const struct start_send *start,
                 char out[TICKET_BYTES])
{
    ticket_text(
        secret,
        &(struct ticket){ .job = start->ticket_job, .task = start->task, .fence = start->token },
        out);
}

static bool ticket_read(const uint8_t secret[TICKET_SECRET_BYTES], const char *text,
                        struct proof *out)
{
    struct ticket ticket;
    uint8_t key[TICKET_SECRET_BYTES];
    if (!ticket_parse(text, &ticket)) {
        return false;
    }
    ticket_node_key(secret, ticket.node, key);
    bool good = ticket_good(ticket.node != 0 ? key : secret, text);
    explicit_bzero(key, sizeof(key));
    out->job = ticket.job;
    out->task = ticket.task;
    out->fence = ticket.fence;
    out->node = ticket.node;
    return good;
}

void proof_read(const uint8_t secret[TICKET_SECRET_BYTES], struct slice token, struct proof *out)
{
    char text[TOKEN_TEXT_MAX + 1];
    *out = (struct proof){ .kind = PROOF_NONE };
    if (token.n == 0 || !slice_copy_text(token, text, sizeof(text))) {
        return;
    }
    if (strncmp(text, "rayct_", 6) == 0 || strncmp(text, "raycn_", 6) == 0) {
        out->kind = ticket_read(secret, text, out) ? PROOF_TICKET : PROOF_NONE;
    } else {
        out->kind = PROOF_TOKEN;
        crypto_generichash(out->hash, sizeof(out->hash), token.p, token.n, NULL, 0);
    }
    explicit_bzero(text, sizeof(text));
}
