/*  carry_bearers.c - whose token is it?  Only the head knows.  An answer holds for a while; then it is asked again, and
    holds until the head has said otherwise, or has been silent for long. */
#include "worker/carry_state.h"

#include <sys/eventfd.h>
#include "common/clock.h"

enum { FRESH_MS = 5000, STALE_MS = 600000 };

#define OWN_SEQ (1ull << 63) /* seqs of the HTTP port's questions are below */

/*  The row of a token, or one that is made for it; NULL: all are being asked for. */
static struct carry_bearer *row_of(struct carry *self, const uint8_t hash[TOKEN_HASH_BYTES])
{
    struct carry_bearer *oldest = NULL;
    for (uint32_t i = 0; i < CARRY_BEARERS; i++) {
        struct carry_bearer *row = &self->bearers[i];
        if (row->state != BEARER_UNUSED && memcmp(row->hash, hash, TOKEN_HASH_BYTES) == 0) {
            return row;
        }
        bool idle = row->state == BEARER_UNUSED || row->state == BEARER_KNOWN;
        if (idle && (!oldest || row->at_ms < oldest->at_ms)) {
            oldest = row;
        }
    }
    if (oldest) {
        *oldest = (struct carry_bearer){ .state = BEARER_UNUSED };
        memcpy(oldest->hash, hash, TOKEN_HASH_BYTES);
    }
    return oldest;
}

int carry_bearer(struct carry *self, const uint8_t hash[TOKEN_HASH_BYTES], uint32_t *role,
                 uint64_t *user)
{
    int code = PULLS_LATER;
    pthread_mutex_lock(&self->lock);
    struct carry_bearer *row = row_of(self, hash);
    uint64_t age_ms = row ? self->now_ms - row->at_ms : 0;
    if (row && (row->state == BEARER_UNUSED || (row->state == BEARER_KNOWN && age_ms > FRESH_MS))) {
        row->state = BEARER_WANTED;
        (void)eventfd_write(self->fd, 1);
    }
    if (row && row->told && age_ms < STALE_MS) {
        *role = row->role;
        *user = row->user;
        code = row->role != 0 ? OK : row->state == BEARER_KNOWN ? ERR_TOKEN : PULLS_LATER;
    }
    pthread_mutex_unlock(&self->lock);
    return code;
}

bool carry_ask(struct carry *self, struct msg_token_check *out)
{
    eventfd_t news;
    bool found = false;
    pthread_mutex_lock(&self->lock);
    for (uint32_t i = 0; i < CARRY_BEARERS && !found; i++) {
        struct carry_bearer *row = &self->bearers[i];
        found = row->state == BEARER_WANTED;
        if (found) {
            row->state = BEARER_ASKED;
            row->seq = OWN_SEQ | ++self->seq;
            *out = (struct msg_token_check){ .seq = row->seq,
                                             .hash = slice_of(row->hash, TOKEN_HASH_BYTES) };
        }
    }
    if (!found && !self->told) {
        (void)eventfd_read(self->fd, &news);
    }
    pthread_mutex_unlock(&self->lock);
    return found;
}

bool carry_asked(uint64_t seq)
{
    return (seq & OWN_SEQ) != 0;
}

void carry_answer(struct carry *self, const struct msg_token_may *msg)
{
    pthread_mutex_lock(&self->lock);
    for (uint32_t i = 0; i < CARRY_BEARERS; i++) {
        struct carry_bearer *row = &self->bearers[i];
        if (row->state == BEARER_ASKED && row->seq == msg->seq) {
            row->state = BEARER_KNOWN;
            row->role = msg->role;
            row->user = msg->user;
            row->told = true;
            row->at_ms = clock_ms();
        }
    }
    pthread_mutex_unlock(&self->lock);
    (void)eventfd_write(self->wake, 1);
}

void carry_lost(struct carry *self)
{
    pthread_mutex_lock(&self->lock);
    for (uint32_t i = 0; i < CARRY_BEARERS; i++) {
        if (self->bearers[i].state == BEARER_ASKED) {
            self->bearers[i].state = BEARER_WANTED;
        }
    }
    pthread_mutex_unlock(&self->lock);
}
