/*  bearers.c - a small table under one lock; threads sleep until their row is known. */
#include "worker/bearers.h"

#include <pthread.h>
#include <sodium.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>
#include "common/clock.h"

enum state { UNUSED, WANTED, ASKED, KNOWN };

struct bearer {
    enum state state;
    uint8_t hash[TOKEN_HASH_BYTES];
    uint64_t seq;   /* of the question */
    uint64_t at_ms; /* of the answer */
    uint32_t role;
};

struct bearers {
    pthread_mutex_t lock;
    pthread_cond_t known;
    int fd;
    uint64_t seq;
    struct bearer all[BEARERS_MAX];
};

int bearers_open(struct bearers **out)
{
    pthread_condattr_t monotonic;
    struct bearers *self = calloc(1, sizeof(*self));
    *out = NULL;
    if (!self) {
        return ERR_MEMORY;
    }
    self->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (self->fd < 0) {
        free(self);
        return ERR_SYSTEM;
    }
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_mutex_init(&self->lock, NULL);
    pthread_cond_init(&self->known, &monotonic);
    pthread_condattr_destroy(&monotonic);
    *out = self;
    return OK;
}

void bearers_close(struct bearers **self_p)
{
    struct bearers *self = *self_p;
    if (self) {
        pthread_cond_destroy(&self->known);
        pthread_mutex_destroy(&self->lock);
        close(self->fd);
        free(self);
        *self_p = NULL;
    }
}

int bearers_fd(const struct bearers *self)
{
    return self->fd;
}

/*  The row of a token, which may be one that was asked for before; NULL: all are being asked for. */
static struct bearer *row_of(struct bearers *self, const uint8_t hash[TOKEN_HASH_BYTES])
{
    struct bearer *oldest = NULL;
    for (uint32_t i = 0; i < BEARERS_MAX; i++) {
        struct bearer *row = &self->all[i];
        if (row->state != UNUSED && memcmp(row->hash, hash, TOKEN_HASH_BYTES) == 0) {
            return row;
        }
        bool idle = row->state == UNUSED || row->state == KNOWN;
        if (idle && (!oldest || row->at_ms < oldest->at_ms)) {
            oldest = row;
        }
    }
    if (oldest) {
        *oldest = (struct bearer){ .state = UNUSED };
        memcpy(oldest->hash, hash, TOKEN_HASH_BYTES);
    }
    return oldest;
}

int bearers_role(struct bearers *self, const char *token, uint32_t *role)
{
    uint8_t hash[TOKEN_HASH_BYTES];
    crypto_generichash(hash, sizeof(hash), (const uint8_t *)token, strlen(token), NULL, 0);
    struct timespec end;
    clock_gettime(CLOCK_MONOTONIC, &end);
    end.tv_sec += BEARERS_WAIT_MS / 1000;
    int code = ERR_UNREACHABLE;
    uint64_t asked_ms = clock_ms();
    pthread_mutex_lock(&self->lock);
    for (int rc = 0; rc == 0;) {
        struct bearer *row = row_of(self, hash);
        if (!row) {
            code = ERR_BUSY;
            break;
        }
        bool fresh = row->state == KNOWN && row->at_ms + BEARERS_FRESH_MS > asked_ms;
        if (fresh) {
            *role = row->role;
            code = row->role != 0 ? OK : ERR_TOKEN;
            break;
        }
        if (row->state == UNUSED || row->state == KNOWN) {
            row->state = WANTED;
            (void)eventfd_write(self->fd, 1);
        }
        rc = pthread_cond_timedwait(&self->known, &self->lock, &end);
    }
    pthread_mutex_unlock(&self->lock);
    return code;
}

bool bearers_next(struct bearers *self, struct msg_token_check *out)
{
    eventfd_t news;
    bool found = false;
    pthread_mutex_lock(&self->lock);
    for (uint32_t i = 0; i < BEARERS_MAX && !found; i++) {
        struct bearer *row = &self->all[i];
        found = row->state == WANTED;
        if (found) {
            row->state = ASKED;
            row->seq = ++self->seq;
            *out = (struct msg_token_check){ .seq = row->seq,
                                             .hash = slice_of(row->hash, TOKEN_HASH_BYTES) };
        }
    }
    if (!found) {
        (void)eventfd_read(self->fd, &news);
    }
    pthread_mutex_unlock(&self->lock);
    return found;
}

void bearers_answer(struct bearers *self, const struct msg_token_may *msg)
{
    pthread_mutex_lock(&self->lock);
    for (uint32_t i = 0; i < BEARERS_MAX; i++) {
        struct bearer *row = &self->all[i];
        if (row->state == ASKED && row->seq == msg->seq) {
            row->state = KNOWN;
            row->role = msg->role;
            row->at_ms = clock_ms();
            pthread_cond_broadcast(&self->known);
        }
    }
    pthread_mutex_unlock(&self->lock);
}

/*  Nobody waits for an answer longer than BEARERS_WAIT_MS, so what is asked again may have no reader: it is cheap. */
void bearers_lost(struct bearers *self)
{
    pthread_mutex_lock(&self->lock);
    for (uint32_t i = 0; i < BEARERS_MAX; i++) {
        if (self->all[i].state == ASKED) {
            self->all[i].state = WANTED;
        }
    }
    pthread_mutex_unlock(&self->lock);
    (void)eventfd_write(self->fd, 1);
}
