/*  store_socket_left.c - what clients have sealed before their connections ended.  A program that is killed between that and
    its CALL leaves a copy that nobody will ever drop: the head is told of the newest ones again, some times, ever later,
    and has those dropped that it does not know.  Older ones it knows: a CALL leaves at the latest with the 256th. */
#include "worker/store_socket_state.h"

#include <stdlib.h>
#include "common/clock.h"

enum { LEFT_MAX = 256, TELLINGS = 3, FIRST_MS = 1000, LATER = 10 /* times as long */ };

struct left {
    struct left *next;
    uint64_t due_ms;
    uint32_t wait_ms, tellings, told;
    uint32_t count; /* sealed; the newest LEFT_MAX are here */
    struct rec_object sealed[LEFT_MAX];
};

void store_sealed(struct client *client, uint64_t task, uint32_t index)
{
    if (client->sealed == NULL) {
        client->sealed = calloc(1, sizeof(*client->sealed));
        ensure(client->sealed != NULL);
    }
    client->sealed->sealed[client->sealed->count++ % LEFT_MAX] = (struct rec_object){ task, index };
}

void store_leaves(struct store_socket *self, struct client *client)
{
    struct left *left = client->sealed;
    if (left != NULL) {
        left->wait_ms = FIRST_MS;
        left->due_ms = clock_ms() + FIRST_MS;
        left->next = self->left;
        self->left = left;
    }
}

bool store_socket_left(struct store_socket *self, uint64_t now_ms, struct rec_object *out)
{
    bool found = false;
    pthread_mutex_lock(&self->lock);
    for (struct left **at = &self->left; *at != NULL && !found;) {
        struct left *left = *at;
        uint32_t count = left->count < LEFT_MAX ? left->count : LEFT_MAX;
        if (now_ms < left->due_ms) {
            at = &left->next;
        } else if (left->told < count) {
            *out = left->sealed[left->told++];
            found = true;
        } else if (++left->tellings == TELLINGS) {
            *at = left->next;
            free(left);
        } else {
            left->told = 0;
            left->wait_ms *= LATER;
            left->due_ms = now_ms + left->wait_ms;
        }
    }
    pthread_mutex_unlock(&self->lock);
    return found;
}

void store_free_left(struct store_socket *self)
{
    struct left *next;
    for (struct left *left = self->left; left != NULL; left = next) {
        next = left->next;
        free(left);
    }
}
